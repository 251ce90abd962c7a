//! Connecting, with the evidence of why it failed.

use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::failure::Speaker;
use super::surroundings::{Surroundings, is_own_address};
use super::{Buffers, privileged};
use super::{Failure, Outcome};
use crate::address::{Endpoint, Family, foreign_address, unknown_interface};
use crate::error::{Error, Result};
use crate::sys::{self, IcmpError};

/// From where to connect, and with which buffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address and port to bind; port 0 lets the system choose.
    pub source: Option<SocketAddr>,
    /// The interface to leave by.
    pub interface: Option<String>,
    /// The sizes of the two buffers.
    pub buffers: Buffers,
}

/// A connection that stands.
pub(super) struct Connected {
    pub(super) stream: TcpStream,
    pub(super) took: Duration,
}

/// Connects, or tells from evidence why that failed.
///
/// Errors: what this machine lacks to try at all: file descriptors, the source address, the interface.
pub(super) async fn connect(
    target: SocketAddr,
    origin: &Origin,
    timeout: Duration,
) -> Result<std::result::Result<Connected, Failure>> {
    let family = Family::of(target.ip());
    let socket = match open(target, origin) {
        Ok(socket) => socket,
        Err(Refused::Cannot(error)) => return Err(error),
        Err(Refused::NoLocalPort(error)) => {
            return Ok(Err(Failure::of_connect(&error, true, timeout)));
        }
    };
    // Without the queue a router's answer still ends the connect, only its sender stays unknown.
    let keeps_errors = sys::keep_icmp_errors(&socket, family, true).is_ok();
    socket.set_nonblocking(true).map_err(|error| sys::lacks("cannot prepare a socket", error))?;
    let start = Instant::now();
    match socket.connect(&target.into()) {
        Err(error) if !is_under_way(&error) => {
            let told = failure(target, Cause::Said(error), true, &socket, start.elapsed(), timeout);
            return Ok(Err(told));
        }
        Ok(()) | Err(_) => {}
    }
    let stream =
        TcpStream::from_std(socket.into()).map_err(|error| sys::lacks("cannot watch a socket", error))?;
    let evidence = SockRef::from(&stream);
    let told = |cause| Ok(Err(failure(target, cause, false, &evidence, start.elapsed(), timeout)));
    let deadline = tokio::time::Instant::from_std(start + timeout);
    match timeout_at(deadline, stream.writable()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return told(Cause::Said(error)),
        Err(_) => return told(Cause::Silence),
    }
    match standing(&stream, &evidence, deadline).await {
        Ok(()) => {
            let took = start.elapsed();
            if target.ip().is_loopback() && meets_itself(&evidence, target) {
                return Ok(Err(met_itself()));
            }
            if keeps_errors {
                // On a standing connection a soft error must not become fatal (`ip(7)`).
                let _ = sys::keep_icmp_errors(&evidence, family, false);
            }
            Ok(Ok(Connected { stream, took }))
        }
        Err(cause) => told(cause),
    }
}

/// A socket that is ready to connect, as a connection's own thread makes one again and again.
pub(super) struct Prepared {
    pub(super) stream: Arc<net::TcpStream>,
    target: SocketAddr,
    keeps_errors: bool,
}

impl Prepared {
    /// Makes one.
    ///
    /// Errors: what this machine lacks to try at all.
    pub(super) fn new(target: SocketAddr, origin: &Origin) -> Result<std::result::Result<Self, Failure>> {
        let socket = match open(target, origin) {
            Ok(socket) => socket,
            Err(Refused::Cannot(error)) => return Err(error),
            Err(Refused::NoLocalPort(error)) => {
                return Ok(Err(Failure::of_connect(&error, true, Duration::ZERO)));
            }
        };
        let keeps_errors = sys::keep_icmp_errors(&socket, Family::of(target.ip()), true).is_ok();
        Ok(Ok(Self { stream: Arc::new(net::TcpStream::from(socket)), target, keeps_errors }))
    }

    /// Connects it, and waits for nothing else meanwhile; another thread may break that off by shutting the socket
    /// down, and `broken_off` then knows why.
    pub(super) fn connect(
        &self,
        timeout: Duration,
        broken_off: impl FnOnce() -> Option<Failure>,
    ) -> std::result::Result<Duration, Failure> {
        let evidence = SockRef::from(&*self.stream);
        let start = Instant::now();
        let connected = if cfg!(unix) {
            evidence.connect(&self.target.into())
        } else {
            // Elsewhere a connect that blocks cannot be broken off.
            evidence.connect_timeout(&self.target.into(), timeout)
        };
        let took = start.elapsed();
        match connected {
            Ok(()) => {
                if self.target.ip().is_loopback() && meets_itself(&evidence, self.target) {
                    return Err(met_itself());
                }
                if self.keeps_errors {
                    // As in `connect`.
                    let _ = sys::keep_icmp_errors(&evidence, Family::of(self.target.ip()), false);
                }
                Ok(took)
            }
            Err(error) => {
                // Without a queue there is no telling whether it was this machine or another that said so.
                let at_once = self.keeps_errors;
                let told = || failure(self.target, Cause::Said(error), at_once, &evidence, took, timeout);
                Err(broken_off().unwrap_or_else(told))
            }
        }
    }
}

/// Whether a connect that did not succeed at once is still to be decided.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    return error.kind() == ErrorKind::WouldBlock;
}

/// What ended a connect.
enum Cause {
    /// The system said so.
    Said(io::Error),
    /// An ICMP error that the system has not acted upon.
    Icmp(IcmpError),
    /// The time was up.
    Silence,
}

/// Waits until a connection really stands: the error queue alone can make a socket look ready while its SYN
/// is still on the way.
async fn standing(
    stream: &TcpStream,
    evidence: &Socket,
    deadline: tokio::time::Instant,
) -> std::result::Result<(), Cause> {
    /// Readiness has been used up, so nothing but looking tells when the kernel has decided.
    const LOOK_AGAIN: Duration = Duration::from_millis(1);
    loop {
        match stream.peer_addr() {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() != ErrorKind::NotConnected => {
                return Err(Cause::Said(error));
            }
            Err(_) => {}
        }
        // SO_ERROR first: reading the queue would clear it.
        if let Some(error) = stream.take_error().map_err(Cause::Said)? {
            return Err(Cause::Said(error));
        }
        if let Some(icmp) = sys::take_icmp_error(evidence) {
            return Err(Cause::Icmp(icmp));
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Cause::Silence);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The failure of a connect: an ICMP error that the kernel kept tells more than the errno it became.
///
/// `at_once` means that the call itself failed, before any packet can have been answered.
fn failure(
    target: SocketAddr,
    cause: Cause,
    at_once: bool,
    evidence: &Socket,
    took: Duration,
    timeout: Duration,
) -> Failure {
    /// A neighbour is asked for three times, a second apart, before the kernel gives up (`arp(7)`); what this
    /// machine itself says much sooner is a rule's doing.
    const SOONER_THAN_ARP: Duration = Duration::from_millis(500);
    let family = Family::of(target.ip());
    let queued = match cause {
        Cause::Icmp(icmp) => Some(icmp),
        Cause::Said(_) | Cause::Silence => sys::take_icmp_error(evidence),
    };
    match (queued, cause) {
        (Some(icmp), _) => {
            let speaker = match icmp.from {
                Some(from) if !is_own_address(from) => Speaker::Other,
                Some(_) if took < SOONER_THAN_ARP && !Surroundings::recent().has_lost(target.ip()) => {
                    Speaker::OwnRule
                }
                Some(_) => Speaker::OwnNeighbourDiscovery,
                None => Speaker::Other,
            };
            Failure::of_icmp(family, icmp, speaker)
        }
        (None, Cause::Said(error))
            if error.kind() == ErrorKind::AddrNotAvailable && !Surroundings::recent().has_address(family) =>
        {
            Failure::new(Outcome::NoRoute, format!("this machine has no {} address", family.name()))
        }
        (None, Cause::Said(error)) => Failure::of_connect(&error, at_once, timeout),
        (None, _) => {
            let retransmissions = sys::tcp_info(evidence).and_then(|info| info.retransmissions);
            silence(target, retransmissions, timeout)
        }
    }
}

/// Whether a connection is to its own beginning: nobody listens on the port, and the system happened to choose just it
/// to connect from (RFC 9293, 3.5, a simultaneous open).
fn meets_itself(socket: &Socket, target: SocketAddr) -> bool {
    let local = socket.local_addr().ok().and_then(|address| address.as_socket());
    let is_itself = local.is_some_and(|local| (local.ip(), local.port()) == (target.ip(), target.port()));
    if is_itself {
        // No trace of it: lingering for no time ends it with a reset.
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
    is_itself
}

/// The failure of such a connection.
fn met_itself() -> Failure {
    Failure::new(
        Outcome::Refused,
        "nothing listens on this port (self-connection: the kernel chose the target's port as the source port)",
    )
}

/// The failure of a connect that nothing answered, with what the kernel can tell of it.
pub(super) fn silence(target: SocketAddr, retransmissions: Option<u32>, timeout: Duration) -> Failure {
    if Surroundings::recent().has_lost(target.ip()) {
        return Failure::lost_neighbour(timeout);
    }
    let listener = if is_own_address(target.ip()) { listener(target) } else { None };
    // `sk_acceptq_is_full` (net/sock.h): one more than the backlog may wait.
    let full = listener.filter(|listener| listener.receive_queue > listener.send_queue);
    Failure {
        syn_retransmissions: retransmissions,
        ..match full {
            Some(listener) => Failure::new(
                Outcome::QueueFull,
                format!(
                    "no reply within {}: the server's queue is full, {} connections wait to be accepted, the backlog is {}",
                    humantime::format_duration(timeout),
                    listener.receive_queue,
                    listener.send_queue,
                ),
            ),
            None => Failure::filtered(timeout, retransmissions),
        }
    }
}

/// The socket of this machine that listens where a target is.
fn listener(target: SocketAddr) -> Option<sys::InetSocket> {
    let sockets = sys::tcp_sockets(target.port(), 0).ok()?;
    let listens = |socket: &sys::InetSocket| {
        let at = socket.local.ip().to_canonical();
        socket.state == sys::TcpState::Listen && (at == target.ip() || at.is_unspecified())
    };
    sockets.into_iter().find(listens)
}

/// Why there is no socket to connect with.
enum Refused {
    Cannot(Error),
    NoLocalPort(io::Error),
}

fn open(target: SocketAddr, origin: &Origin) -> std::result::Result<Socket, Refused> {
    let cannot = |what: &str| {
        let what = what.to_owned();
        move |error| Refused::Cannot(sys::lacks(what, error))
    };
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))
        .map_err(cannot("cannot open a socket"))?;
    // Small rounds are timed one by one; Nagle's algorithm (RFC 896) would wait to fill a segment.
    socket.set_tcp_nodelay(true).map_err(cannot("cannot prepare a socket"))?;
    // Before connecting: the window that is offered then depends on it (RFC 7323, 2).
    origin.buffers.apply(&socket).map_err(Refused::Cannot)?;
    if let Some(interface) = &origin.interface {
        bind_interface(&socket, interface).map_err(Refused::Cannot)?;
    }
    if let Some(source) = origin.source {
        bind_source(&socket, source, target)?;
    }
    Ok(socket)
}

fn bind_source(socket: &Socket, source: SocketAddr, target: SocketAddr) -> std::result::Result<(), Refused> {
    if source.ip().is_loopback() && !target.ip().is_loopback() && !is_own_address(target.ip()) {
        let what = format!("cannot connect to {} from {}", Endpoint(target), source.ip());
        let error = Error::usage(what)
            .hint("packets from a loopback address cannot leave this machine: use another of its addresses");
        return Err(Refused::Cannot(error));
    }
    if source.is_ipv4() != target.is_ipv4() {
        let error = Error::usage(format!("cannot connect to {} from {}", Endpoint(target), source.ip()));
        return Err(Refused::Cannot(error.hint("give a source of the target's family, or -4 or -6")));
    }
    // A port that an earlier connection left in TIME_WAIT may go on to another peer (`socket(7)`); Windows' option
    // of this name lets two programs share a port.
    if cfg!(unix) && source.port() != 0 {
        socket
            .set_reuse_address(true)
            .map_err(|error| Refused::Cannot(sys::lacks("cannot set SO_REUSEADDR", error)))?;
    }
    // A link-local source is on the target's link.
    let source = match (source, target) {
        (SocketAddr::V6(mut source), SocketAddr::V6(target))
            if source.scope_id() == 0 && source.ip().is_unicast_link_local() =>
        {
            source.set_scope_id(target.scope_id());
            SocketAddr::V6(source)
        }
        _ => source,
    };
    socket.bind(&source.into()).map_err(|error| match error.kind() {
        ErrorKind::AddrNotAvailable => Refused::Cannot(foreign_address(source.ip())),
        ErrorKind::AddrInUse => Refused::NoLocalPort(error),
        ErrorKind::PermissionDenied => {
            let what = format!("cannot connect from {}", Endpoint(source));
            Refused::Cannot(privileged(Error::untested(what).caused_by(error), source.port()))
        }
        _ => Refused::Cannot(sys::lacks(format!("cannot bind {}", Endpoint(source)), error)),
    })
}

#[cfg(target_os = "linux")]
fn bind_interface(socket: &Socket, interface: &str) -> Result<()> {
    socket.bind_device(Some(interface.as_bytes())).map_err(|error| match error.kind() {
        ErrorKind::NotFound => unknown_interface(interface),
        _ if error.raw_os_error() == Some(libc::ENODEV) => unknown_interface(interface),
        _ => sys::lacks(format!("cannot bind to interface '{interface}'"), error),
    })
}

#[cfg(not(target_os = "linux"))]
fn bind_interface(_: &Socket, interface: &str) -> Result<()> {
    match sys::interface_index(interface) {
        None => Err(unknown_interface(interface)),
        Some(_) => Err(Error::usage("this system cannot bind a connection to an interface")
            .hint("give --source with the interface's address")),
    }
}
