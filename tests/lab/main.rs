//! Tests on real networks: hosts made of Linux network namespaces, joined by veth pairs.
//!
//! The program enters a network and mount namespace of its own before any thread starts, with the help of
//! `unshare(1)`: as root as it is, as an ordinary user in a user namespace where it is root. Where that cannot
//! be had, every test says so and counts as ignored, never as passed.

#[path = "../common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod ifaces;
#[cfg(target_os = "linux")]
mod impaired;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the doctor's lab uses the rest")]
mod net;
#[cfg(target_os = "linux")]
mod ping;
#[cfg(target_os = "linux")]
mod port;
#[cfg(target_os = "linux")]
mod services;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod sweep;
#[cfg(target_os = "linux")]
mod tcp;
#[cfg(target_os = "linux")]
mod tun;

use std::process::ExitCode;

use common::{Test, run_tests};
use libtest_mimic::Arguments;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    if let Some(code) = sockets::play() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // They mostly wait for replies that do not come.
    arguments.test_threads = arguments.test_threads.or(Some(6));
    if arguments.list {
        return run_tests(&arguments, &tests(), None);
    }
    match net::enter() {
        net::Stage::Outside(code) => code,
        net::Stage::Inside => run_tests(&arguments, &tests(), None),
        net::Stage::Unavailable(reason) => run_tests(&arguments, &tests(), Some(&reason)),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    run_tests(&Arguments::from_args(), &tests(), Some("network namespaces are Linux's"))
}

fn tests() -> Vec<Test> {
    #[cfg(target_os = "linux")]
    return [
        ping::TESTS,
        hostile::TESTS,
        impaired::TESTS,
        limits::TESTS,
        sweep::TESTS,
        tcp::TESTS,
        services::TESTS,
        ifaces::TESTS,
        port::TESTS,
    ]
    .concat();
    #[cfg(not(target_os = "linux"))]
    return vec![("lab", || Ok(()))];
}
