//! TCP (RFC 9293): a probe that connects, sends, and checks every byte that comes back, and its other end.

mod connect;
pub mod echo;
mod explain;
mod failure;
mod payload;
pub mod serve;
mod surroundings;

pub use explain::{OtherEnd, Step};
pub use failure::{Failure, Outcome};

use crate::error::Error;
use crate::sys;

/// Both ways out where a port is only for the privileged.
fn privileged(error: Error, port: u16) -> Error {
    let program = sys::program();
    match sys::port_settings().unprivileged_start {
        Some(start) if port < start => error
            .hint(format!("take a port from {start} on, which needs no privilege"))
            .hint(format!("or: sudo setcap cap_net_bind_service+ep {program}"))
            .hint(format!("or: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port} (now {start})")),
        _ => error.hint("run it as a user who may bind this port"),
    }
}
