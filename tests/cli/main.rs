//! What a user sees, on this machine's loopback: results, formats, streams, exit codes, and errors.

#[path = "../common/mod.rs"]
mod common;

mod output;
mod results;
mod services;
#[cfg(unix)]
mod streams;
mod usage;
