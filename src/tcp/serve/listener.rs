//! Listening, and why it may not be possible.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::Request;
use crate::address::{Address, Endpoint, Family, HostPort, ResolveError, foreign_address, resolve};
use crate::error::{Error, Result};
use crate::sys::{self, TcpState};
use crate::tcp::explain::{self, Observation, Step};
use crate::tcp::privileged;

/// The receive buffer of a server that reads slowly: what the kernel takes beyond that, the client would not notice.
const SLOW_BUFFER: usize = 4096;

/// Listens on every address of a host; gives the steps that took, if they are wanted.
pub(super) async fn open_all(request: &Request) -> Result<Vec<(TcpListener, Vec<Step>)>> {
    let mut listeners = Vec::new();
    let mut port = request.listen.port;
    for address in addresses(&request.listen, request.family).await? {
        let (listener, steps) = open(address.with_port(port), request)?;
        // Where the system chooses a port, it is the same for all of them.
        if port == 0 {
            port = listener.local_addr().map_or(0, |local| local.port());
        }
        listeners.push((listener, steps));
    }
    Ok(listeners)
}

/// The addresses to listen on.
async fn addresses(listen: &HostPort, family: Option<Family>) -> Result<Vec<Address>> {
    let addresses = resolve(&listen.host, family).await.map_err(|error| match error {
        ResolveError::Lacking { source, .. } => {
            sys::lacks_thread(format!("cannot listen on {listen}"), source)
        }
        error => Error::usage(format!("cannot listen on {listen}"))
            .caused_by(error)
            .hint("give an address of this machine"),
    })?;
    if addresses.is_empty() {
        return Err(Error::usage(format!("{listen} has no address")));
    }
    Ok(addresses)
}

/// Creates, binds and listens.
fn open(address: SocketAddr, request: &Request) -> Result<(TcpListener, Vec<Step>)> {
    let mut steps = Vec::new();
    let mut observation = Observation::new("server");
    let family = if address.is_ipv4() { "AF_INET" } else { "AF_INET6" };
    observation.before();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(|error| sys::lacks("cannot open a socket", error))?;
    let step = observation.after(
        Some(&socket),
        "socket",
        format!("{family}, SOCK_STREAM"),
        &Ok(explain::descriptor(&socket)),
    );
    steps.push(step.meaning("a socket: an endpoint for TCP connections"));
    // Windows' option of this name lets two servers share a port; its default is Unix's with it set.
    if cfg!(unix) {
        observation.before();
        socket
            .set_reuse_address(request.reuse_address)
            .map_err(|error| Error::untested("cannot set SO_REUSEADDR").caused_by(error))?;
        let value = u8::from(request.reuse_address);
        let step = observation.after(
            Some(&socket),
            "setsockopt",
            format!("SO_REUSEADDR, {value}"),
            &Ok("0".to_owned()),
        );
        steps.push(step.meaning(if request.reuse_address {
            "a port in TIME-WAIT can be bound again at once"
        } else {
            "a port in TIME-WAIT cannot be bound until TIME-WAIT ends"
        }));
    }
    if address.is_ipv6() {
        // Whatever the system's default: `[::]` is every address of both families.
        let _ = socket.set_only_v6(false);
    }
    // Each connection that is accepted has the listener's.
    request.buffers.apply(&socket)?;
    if request.faults.slow_read.is_some() {
        socket
            .set_recv_buffer_size(SLOW_BUFFER)
            .map_err(|error| Error::untested("cannot set SO_RCVBUF").caused_by(error))?;
    }
    observation.before();
    socket.bind(&address.into()).map_err(|error| cannot_bind(address, request.reuse_address, error))?;
    let step = observation.after(Some(&socket), "bind", Endpoint(address).to_string(), &Ok("0".to_owned()));
    steps.push(step.meaning("the address and port are now bound to this socket"));
    observation.before();
    let listening = socket.listen(request.backlog);
    listening.map_err(|error| cannot_bind(address, request.reuse_address, error))?;
    let step = observation.after(Some(&socket), "listen", request.backlog.to_string(), &Ok("0".to_owned()));
    // `sk_acceptq_is_full` (net/sock.h) admits one more.
    let waiting = i64::from(request.backlog) + 1;
    steps.push(step.meaning(format!(
        "the kernel now completes handshakes with clients; up to {waiting} connections wait to be accepted"
    )));
    socket.set_nonblocking(true).map_err(|error| sys::lacks("cannot prepare a socket", error))?;
    let listener = TcpListener::from_std(socket.into());
    let listener = listener.map_err(|error| sys::lacks("cannot wait for connections", error))?;
    Ok((listener, if request.explain { steps } else { Vec::new() }))
}

fn cannot_bind(address: SocketAddr, reuse_address: bool, error: io::Error) -> Error {
    let what = format!("cannot listen on {}", Endpoint(address));
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => in_use(Error::untested(what).caused_by(error), address, reuse_address),
        ErrorKind::AddrNotAvailable => foreign_address(address.ip())
            .hint("127.0.0.1 is reachable from this machine only, 0.0.0.0 from all its networks"),
        ErrorKind::PermissionDenied => privileged(Error::untested(what).caused_by(error), port),
        _ => Error::untested(what).caused_by(error),
    }
}

/// Whether a socket is in the way of one that listens on an address, for both families where that is IPv6's wildcard.
fn collides(socket: &sys::InetSocket, address: SocketAddr) -> bool {
    let (held, wanted) = (socket.local.ip(), address.ip());
    match (held.to_canonical(), wanted.to_canonical()) {
        (IpAddr::V4(held), IpAddr::V4(wanted)) => {
            held == wanted || held.is_unspecified() || wanted.is_unspecified()
        }
        (IpAddr::V6(held), IpAddr::V6(wanted)) => {
            held == wanted || held.is_unspecified() || wanted.is_unspecified()
        }
        // IPv6's wildcard takes IPv4 too, unless its socket is for IPv6 alone (`ipv6(7)`, IPV6_V6ONLY).
        (IpAddr::V6(held), IpAddr::V4(_)) => held.is_unspecified() && socket.v6only != Some(true),
        (IpAddr::V4(_), IpAddr::V6(wanted)) => wanted.is_unspecified(),
    }
}

/// Who holds a port, for how long, and what to do.
fn in_use(error: Error, address: SocketAddr, reuse_address: bool) -> Error {
    let port = address.port();
    let another = "choose another port (0: any free port)";
    let Ok(sockets) = sys::tcp_sockets(port, 0) else {
        return error.hint(format!("port {port} is in use: stop the program that holds it, or {another}"));
    };
    let mut holders: Vec<_> = sockets.into_iter().filter(|socket| collides(socket, address)).collect();
    holders.sort_by_key(|socket| (socket.state != TcpState::Listen, std::cmp::Reverse(socket.remaining)));
    match holders.first() {
        Some(holder) if holder.state == TcpState::TimeWait && !reuse_address => {
            let left = holder.remaining.unwrap_or_default().as_secs_f64();
            error
                .hint(format!("a connection in TIME-WAIT holds port {port} for {left:.0} s more"))
                .hint(format!("omit --no-reuse-address to bind it at once; wait; or {another}"))
        }
        Some(holder) => {
            let state = holder.state.name();
            let user = match holder.uid.map(|uid| (uid, sys::user_name(uid))) {
                Some((_, Some(name))) => String::from_utf8_lossy(&name).escape_debug().to_string(),
                Some((uid, None)) => format!("user {uid}"),
                None => "an unknown user".to_owned(),
            };
            let owners = sys::owners(&[holder.inode]);
            let who = match owners.processes.first() {
                Some(sys::Owner { process, .. }) => {
                    let name = String::from_utf8_lossy(&process.name).escape_debug().to_string();
                    format!("process {} ({name}) of {user}", process.pid)
                }
                None if holder.inode == 0 => "a connection whose program has ended".to_owned(),
                None => format!("a process of {user}"),
            };
            error
                .hint(format!("{who} holds {} ({state})", Endpoint(holder.local)))
                .hint(format!("stop it, or {another}; details: netdiag port {port}"))
        }
        None => error.hint(format!("port {port} is in use: stop the program that holds it, or {another}")),
    }
}
