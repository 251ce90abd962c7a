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

/// The sizes of a socket's two buffers that were asked for, in bytes; `None` leaves one to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// SO_SNDBUF (`socket(7)`): Linux doubles it, and allows at most `net.core.wmem_max`.
    pub send: Option<usize>,
    /// SO_RCVBUF (`socket(7)`): Linux doubles it, and allows at most `net.core.rmem_max`.
    pub receive: Option<usize>,
}

impl Buffers {
    /// Sets what was asked for.
    ///
    /// Errors: the system refuses.
    fn apply(self, socket: &socket2::Socket) -> Result<(), Error> {
        let refused = |option: &'static str| {
            move |error: std::io::Error| Error::untested(format!("cannot set {option}")).caused_by(error)
        };
        if let Some(bytes) = self.send {
            socket.set_send_buffer_size(bytes).map_err(refused("SO_SNDBUF"))?;
        }
        if let Some(bytes) = self.receive {
            socket.set_recv_buffer_size(bytes).map_err(refused("SO_RCVBUF"))?;
        }
        Ok(())
    }
}

/// Both ways out where a port is only for the privileged.
fn privileged(error: Error, port: u16) -> Error {
    let program = sys::program();
    match sys::port_settings().unprivileged_start {
        Some(start) if port < start => error
            .hint(format!("use a port of {start} or above, which needs no privilege"))
            .hint(format!("or: sudo setcap cap_net_bind_service+ep {program}"))
            .hint(format!("or: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port} (now {start})")),
        _ => error.hint("run as a user who may bind this port"),
    }
}
