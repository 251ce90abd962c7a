//! The path of TCP: a connection is begun for each distance at once, each on a port of its own.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol as Transport, Socket, Type};

use super::{Answer, Hop, Path, Protocol};
use crate::address::Family;
use crate::sys;
use crate::wire::icmp;

/// How long after the host has answered the silent hops before it are waited for.
const GRACE: Duration = Duration::from_millis(120);

/// Begins a connection to a port for each distance from 1 on, and tells what came back within the time.
///
/// Errors: this machine has no sockets to try with, or cannot tell who answers.
pub fn syn(to: SocketAddr, most_hops: u8, wait: Duration) -> io::Result<Path> {
    let start = Instant::now();
    let mut pending: Vec<(usize, Socket)> = Vec::new();
    let mut hops: Vec<Hop> = Vec::new();
    for ttl in 1..=most_hops {
        let mut hop = Hop { ttl, answer: None, from: None, rtt_us: None };
        match begin(to, ttl) {
            Ok(socket) => pending.push((hops.len(), socket)),
            Err(error) if ttl == 1 && is_lack(&error) => return Err(error),
            Err(error) if is_lack(&error) => break,
            Err(_) => hop.answer = Some(Answer::NotSent),
        }
        hops.push(hop);
    }
    let own = own_address(&pending);
    let mut reached: Option<(u8, Instant)> = None;
    loop {
        let elapsed = start.elapsed();
        pending.retain(|(place, socket)| match look(socket, own) {
            None => true,
            Some((answer, from)) => {
                let hop = &mut hops[*place];
                (hop.answer, hop.from) = (Some(answer), from);
                hop.rtt_us = u64::try_from(elapsed.as_micros()).ok();
                if answer != Answer::TimeExceeded && answer != Answer::NotSent {
                    let is_nearer = reached.is_none_or(|(ttl, _)| hop.ttl < ttl);
                    if is_nearer {
                        reached = Some((hop.ttl, Instant::now()));
                    }
                }
                // It leaves no connection behind, and no trace of one.
                let _ = socket.set_linger(Some(Duration::ZERO));
                false
            }
        });
        let is_settled = reached.is_some_and(|(ttl, since)| {
            let nearer_wait = pending.iter().any(|(place, _)| hops[*place].ttl < ttl);
            !nearer_wait || since.elapsed() > GRACE
        });
        let left = wait.saturating_sub(start.elapsed());
        if is_settled || pending.is_empty() || left.is_zero() {
            break;
        }
        let sockets: Vec<&Socket> = pending.iter().map(|(_, socket)| socket).collect();
        sys::wait_for_sockets(&sockets, true, left.min(Duration::from_millis(20)))?;
    }
    if let Some((ttl, _)) = reached {
        hops.retain(|hop| hop.ttl <= ttl);
    }
    Ok(Path { to: to.ip(), protocol: Protocol::Tcp, port: to.port(), hops })
}

fn begin(to: SocketAddr, ttl: u8) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Transport::TCP))?;
    socket.set_nonblocking(true)?;
    set_ttl(&socket, to.ip(), ttl)?;
    sys::keep_icmp_errors(&socket, Family::of(to.ip()), true)?;
    match socket.connect(&to.into()) {
        Ok(()) => Ok(socket),
        Err(error) if is_under_way(&error) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// Whether a connect that did not succeed at once is still to be decided.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    return error.kind() == ErrorKind::WouldBlock;
}

/// Lets a socket's packets go so far.
pub(super) fn set_ttl(socket: &Socket, to: IpAddr, ttl: u8) -> io::Result<()> {
    match to {
        IpAddr::V4(_) => socket.set_ttl_v4(ttl.into()),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into()),
    }
}

/// Whether a socket could not be had at all, which tells nothing about the path.
fn is_lack(error: &io::Error) -> bool {
    #[cfg(unix)]
    if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) {
        return true;
    }
    matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse | ErrorKind::Unsupported)
}

fn own_address(pending: &[(usize, Socket)]) -> Option<IpAddr> {
    let (_, socket) = pending.first()?;
    socket.local_addr().ok()?.as_socket().map(|own| own.ip())
}

/// What became of a connection, if anything has.
fn look(socket: &Socket, own: Option<IpAddr>) -> Option<(Answer, Option<IpAddr>)> {
    if socket.peer_addr().is_ok() {
        return Some((Answer::Connected, None));
    }
    // SO_ERROR first: reading the queue would clear it.
    let error = socket.take_error().ok().flatten();
    match (sys::take_icmp_error(socket), error) {
        (Some(icmp), _) => {
            let family = own.map_or(Family::Ipv4, Family::of);
            let error = icmp::Error::of(family, icmp.icmp_type, icmp.icmp_code);
            let answer = if error.is_exceeded_in_transit() {
                Answer::TimeExceeded
            } else {
                Answer::Unreachable { icmp_type: icmp.icmp_type, icmp_code: icmp.icmp_code }
            };
            Some((answer, icmp.from))
        }
        (None, Some(error)) if error.kind() == ErrorKind::ConnectionRefused => Some((Answer::Reset, None)),
        (None, Some(error)) if error.kind() == ErrorKind::ConnectionReset => Some((Answer::Reset, None)),
        (None, Some(_)) => Some((Answer::NotSent, None)),
        (None, None) => None,
    }
}
