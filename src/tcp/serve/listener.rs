//! Listening, and why it may not be possible.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::Request;
use crate::address::{Address, Endpoint, HostPort, foreign_address, resolve};
use crate::error::{Error, Result};
use crate::sys;

/// The address to listen on; of a name the first.
pub(super) async fn address(listen: &HostPort) -> Result<SocketAddr> {
    let addresses = resolve(&listen.host, None).await.map_err(|error| {
        Error::usage(format!("cannot listen on {listen}"))
            .caused_by(error)
            .hint("give an address of this machine")
    })?;
    let first: &Address =
        addresses.first().ok_or_else(|| Error::usage(format!("{listen} has no address")))?;
    Ok(first.with_port(listen.port))
}

/// Creates, binds and listens.
pub(super) fn open(address: SocketAddr, request: &Request) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(|error| sys::lacks("cannot open a socket", error))?;
    // Windows' option of this name lets two servers share a port; its default is Unix's with it set.
    if cfg!(unix) {
        socket
            .set_reuse_address(request.reuse_address)
            .map_err(|error| Error::untested("cannot set SO_REUSEADDR").caused_by(error))?;
    }
    socket.bind(&address.into()).map_err(|error| cannot_bind(address, request.reuse_address, error))?;
    let listening = socket.listen(request.backlog).and_then(|()| socket.set_nonblocking(true));
    listening.map_err(|error| cannot_bind(address, request.reuse_address, error))?;
    TcpListener::from_std(socket.into()).map_err(|error| sys::lacks("cannot wait for connections", error))
}

fn cannot_bind(address: SocketAddr, reuse_address: bool, error: io::Error) -> Error {
    let what = format!("cannot listen on {}", Endpoint(address));
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => {
            let error = Error::untested(what).caused_by(error);
            let error = error.hint(format!(
                "somebody holds port {port}: end that program, or take another port (0 for any)"
            ));
            if reuse_address {
                error
            } else {
                error.hint("or nobody does and it is in TIME_WAIT, up to 60 s on Linux: leave out --no-reuse-address")
            }
        }
        ErrorKind::AddrNotAvailable => {
            foreign_address(address.ip()).hint("127.0.0.1 serves this machine, 0.0.0.0 all its networks")
        }
        ErrorKind::PermissionDenied => privileged(Error::untested(what).caused_by(error), port),
        _ => Error::untested(what).caused_by(error),
    }
}

/// Both ways out where a port is only for the privileged.
fn privileged(error: Error, port: u16) -> Error {
    let program =
        std::env::current_exe().map_or_else(|_| "netdiag".to_owned(), |path| path.display().to_string());
    match sys::port_settings().unprivileged_start {
        Some(start) if port < start => error
            .hint(format!("take a port from {start} on, which needs no privilege"))
            .hint(format!("or: sudo setcap cap_net_bind_service+ep {program}"))
            .hint(format!("or: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port} (now {start})")),
        _ => error.hint("run it as a user who may bind this port"),
    }
}
