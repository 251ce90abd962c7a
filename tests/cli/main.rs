//! What a user sees, on this machine's loopback: results, formats, streams, exit codes, and errors.

#[path = "../common/mod.rs"]
mod common;

mod doctor;
mod output;
#[cfg(target_os = "linux")]
mod ping;
mod results;
mod services;
#[cfg(unix)]
mod streams;
mod usage;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let tests = [
        doctor::TESTS,
        output::TESTS,
        #[cfg(target_os = "linux")]
        ping::TESTS,
        results::TESTS,
        services::TESTS,
        #[cfg(unix)]
        streams::TESTS,
        usage::TESTS,
    ];
    common::run_tests(&Arguments::from_args(), &tests.concat(), None)
}
