//! One connection, with all that the kernel tells of it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::Budget;
use crate::address::Family;
use crate::doctor::evidence::{Connect, ConnectOutcome, Icmp};
use crate::sys;

/// A connection that was made.
pub(super) enum Made {
    /// It is open.
    Open(Socket),
    /// The other end had reset it before anything else could be learnt.
    Reset(Socket),
}

impl Made {
    /// The socket of an open one.
    pub(super) fn open(self) -> Option<Socket> {
        if let Self::Open(socket) = self { Some(socket) } else { None }
    }
}

/// Connects, and calls `is_quiet` once if nothing has come for so long as that says.
pub(super) fn connect(
    to: SocketAddr,
    wait: Duration,
    budget: &Budget,
    quiet: Option<(Duration, &dyn Fn())>,
) -> (Connect, Option<Made>) {
    let start = Instant::now();
    let told = |outcome, icmp, error: Option<String>, retransmissions| Connect {
        outcome,
        elapsed_us: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
        syn_retransmissions: retransmissions,
        icmp,
        error,
    };
    let socket = match open(to) {
        Ok(socket) => socket,
        Err(error) => return (told(ConnectOutcome::Lacking, None, Some(error.to_string()), None), None),
    };
    let family = Family::of(to.ip());
    let _ = sys::keep_icmp_errors(&socket, family, true);
    match socket.connect(&to.into()) {
        Err(error) if !is_under_way(&error) => {
            let icmp = sys::take_icmp_error(&socket).map(|icmp| told_icmp(&icmp));
            let outcome = match icmp {
                Some(_) => ConnectOutcome::Denied,
                None => at_once(&error),
            };
            return (told(outcome, icmp, Some(error.to_string()), None), None);
        }
        _ => {}
    }
    let mut has_been_quiet = false;
    loop {
        if socket.peer_addr().is_ok() {
            let retransmissions = retransmissions(&socket);
            // On a standing connection a soft error must not become fatal (`ip(7)`).
            let _ = sys::keep_icmp_errors(&socket, family, false);
            return (told(ConnectOutcome::Connected, None, None, retransmissions), Some(Made::Open(socket)));
        }
        // SO_ERROR first: reading the queue would clear it.
        let error = socket.take_error().ok().flatten();
        let icmp = sys::take_icmp_error(&socket).map(|icmp| told_icmp(&icmp));
        // A SYN that is answered by a reset is refused; ECONNRESET, and EPIPE after a FIN, say that a connection stood
        // (`tcp_reset`, net/ipv4/tcp_input.c), which this thread was too late to see.
        if icmp.is_none() && error.as_ref().is_some_and(was_reset) {
            let retransmissions = retransmissions(&socket);
            return (told(ConnectOutcome::Connected, None, None, retransmissions), Some(Made::Reset(socket)));
        }
        if error.is_some() || icmp.is_some() {
            let outcome = match (&icmp, &error) {
                (Some(icmp), _) if icmp.is_own && start.elapsed() < SOONER_THAN_ARP => ConnectOutcome::Denied,
                (Some(icmp), _) if icmp.is_own => ConnectOutcome::NoNeighbour,
                (Some(_), _) => ConnectOutcome::Unreachable,
                (None, Some(error)) => later(error, start.elapsed()),
                (None, None) => ConnectOutcome::Silent,
            };
            let error = error.map(|error| error.to_string());
            return (told(outcome, icmp, error, retransmissions(&socket)), None);
        }
        let elapsed = start.elapsed();
        if elapsed >= wait || budget.is_over() {
            return (told(ConnectOutcome::Silent, None, None, retransmissions(&socket)), None);
        }
        if let Some((after, tell)) = quiet
            && !has_been_quiet
            && elapsed >= after
        {
            has_been_quiet = true;
            tell();
        }
        let next = quiet.filter(|_| !has_been_quiet).map_or(wait, |(after, _)| after.min(wait));
        let pause = next.saturating_sub(elapsed).min(Duration::from_millis(40));
        if sys::wait_for_sockets(&[&socket], true, pause.max(Duration::from_millis(1))).is_err() {
            return (told(ConnectOutcome::Lacking, None, None, None), None);
        }
    }
}

/// What this machine itself says much sooner than a neighbour can be given up (`arp(7)`: 3 s) is a rule's doing.
const SOONER_THAN_ARP: Duration = Duration::from_millis(500);

fn retransmissions(socket: &Socket) -> Option<u32> {
    sys::tcp_info(socket).and_then(|info| info.retransmissions)
}

fn open(to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

pub(super) fn told_icmp(icmp: &sys::IcmpError) -> Icmp {
    let is_own = icmp.from.is_some_and(super::is_own);
    Icmp { from: icmp.from, is_own, icmp_type: icmp.icmp_type, icmp_code: icmp.icmp_code }
}

/// Whether an error says that a connection stood and was reset.
pub(super) fn was_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// Whether a connect that did not succeed at once is still to be decided.
pub(super) fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    return error.kind() == ErrorKind::WouldBlock;
}

/// What a connect that failed before any packet can have been answered says of this machine.
fn at_once(error: &io::Error) -> ConnectOutcome {
    #[cfg(unix)]
    match error.raw_os_error() {
        // A blackhole route (EINVAL), a prohibit route (EACCES), an unreachable one (EHOSTUNREACH): ip-route(8).
        Some(libc::EINVAL | libc::EACCES | libc::EHOSTUNREACH) => return ConnectOutcome::RouteRefuses,
        Some(libc::EPERM) => return ConnectOutcome::Denied,
        Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE) => return ConnectOutcome::NoLocalPort,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => return ConnectOutcome::Lacking,
        _ => {}
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectOutcome::Refused,
        ErrorKind::AddrNotAvailable => ConnectOutcome::NoLocalPort,
        ErrorKind::PermissionDenied => ConnectOutcome::Denied,
        _ => ConnectOutcome::NoRoute,
    }
}

/// What an error that came later says.
fn later(error: &io::Error, after: Duration) -> ConnectOutcome {
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectOutcome::Refused,
        ErrorKind::HostUnreachable if after >= SOONER_THAN_ARP => ConnectOutcome::NoNeighbour,
        ErrorKind::TimedOut => ConnectOutcome::Silent,
        _ => ConnectOutcome::Unreachable,
    }
}
