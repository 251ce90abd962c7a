//! The `netdiag` program: parses, runs, and maps the outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    netdiag::run(std::env::args_os()).into()
}
