//! Tests on real networks: hosts made of Linux network namespaces, joined by veth pairs.
//!
//! The program enters a network and mount namespace of its own before any thread starts, with the help of
//! `unshare(1)`: as root as it is, as an ordinary user in a user namespace where it is root. Where that cannot
//! be had, every test says so and counts as ignored, never as passed.

#[path = "../common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
mod ifaces;
#[cfg(target_os = "linux")]
mod net;
#[cfg(target_os = "linux")]
mod ping;
#[cfg(target_os = "linux")]
mod tcp;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test: its name, and what it does. `Err` is the reason why it cannot run here.
type Test = (&'static str, fn() -> Result<(), String>);

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if arguments.list {
        return run(&arguments, None);
    }
    match net::enter() {
        net::Stage::Outside(code) => code,
        net::Stage::Inside => run(&arguments, None),
        net::Stage::Unavailable(reason) => run(&arguments, Some(&reason)),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    run(&Arguments::from_args(), Some("network namespaces are Linux's"))
}

fn tests() -> Vec<Test> {
    #[cfg(target_os = "linux")]
    return [ping::TESTS, tcp::TESTS, ifaces::TESTS].concat();
    #[cfg(not(target_os = "linux"))]
    return vec![("lab", || Ok(()))];
}

/// Runs the tests, or ignores all of them for one reason.
fn run(arguments: &Arguments, unavailable: Option<&str>) -> ExitCode {
    if let Some(reason) = unavailable {
        eprintln!("\nSKIPPED: the lab cannot be built here, so its tests are NOT run: {reason}\n");
    }
    let trial = |(name, test): Test| {
        let unavailable = unavailable.map(str::to_owned);
        Trial::ignorable_test(name, move || {
            if let Some(reason) = unavailable {
                return Ok(Completion::ignored_with(reason));
            }
            match std::panic::catch_unwind(test) {
                Ok(Ok(())) => Ok(Completion::Completed),
                Ok(Err(reason)) => {
                    eprintln!("SKIPPED {name}: {reason}");
                    Ok(Completion::ignored_with(reason))
                }
                Err(_) => Err(Failed::without_message()),
            }
        })
    };
    libtest_mimic::run(arguments, tests().into_iter().map(trial).collect()).exit_code()
}
