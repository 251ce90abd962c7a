//! The doctor on real networks: every fault and every healthy oddity is a row, built out of network namespaces, and its
//! verdict is compared with the row's.
//!
//! `NETDIAG_DOCTOR_MATRIX=FILE` writes what came of each row into a table of that file, between its two marks;
//! `NETDIAG_DOCTOR_RECORD=FOLDER` keeps the evidence of each, for the tests of the rules;
//! `NETDIAG_DOCTOR_RATE=RUNS` measures how often a row of chance is right, and judges nothing by it.

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod matrix;
#[cfg(target_os = "linux")]
#[path = "../lab/net.rs"]
#[allow(dead_code, reason = "the other lab uses the rest")]
mod net;
#[cfg(target_os = "linux")]
mod rows;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod town;
#[cfg(target_os = "linux")]
mod wire;

use std::process::ExitCode;

use libtest_mimic::Arguments;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They mostly rest; `matrix` lets few do anything at a time.
    arguments.test_threads = arguments.test_threads.or(Some(12));
    if arguments.list {
        return matrix::run(&arguments, None);
    }
    match net::enter() {
        net::Stage::Outside(code) => code,
        net::Stage::Inside => matrix::run(&arguments, None),
        net::Stage::Unavailable(reason) => matrix::run(&arguments, Some(&reason)),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    common::run_tests(
        &Arguments::from_args(),
        &[("doctor", || Ok(()))],
        Some("network namespaces are Linux's"),
    )
}
