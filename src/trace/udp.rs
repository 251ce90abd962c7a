//! The path of UDP: one socket, so that all probes are of one flow and balancers send them the same way.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol as Transport, Socket, Type};

use super::syn::set_ttl;
use super::{Answer, Hop, Path, Protocol};
use crate::address::Family;
use crate::sys;
use crate::wire::icmp;

/// The port that traceroute(8) begins at: nobody is expected there, so the host says so.
pub const UDP_PORT: u16 = 33434;
/// A probe's number is its length beyond this, besides being in it: a router may quote no more than the UDP header.
const LEAST: usize = 24;
const MAGIC: [u8; 4] = *b"ndtr";
const GRACE: Duration = Duration::from_millis(120);

/// Sends a datagram for each distance from 1 on, and tells what came back within the time.
///
/// Errors: this machine has no socket to try with, or cannot tell who answers.
pub fn udp(to: SocketAddr, most_hops: u8, wait: Duration) -> io::Result<Path> {
    let family = Family::of(to.ip());
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Transport::UDP))?;
    socket.set_nonblocking(true)?;
    sys::keep_icmp_errors(&socket, family, true)?;
    socket.connect(&to.into())?;
    let start = Instant::now();
    let hop = |ttl| Hop { ttl, answer: None, from: None, rtt_us: None };
    let mut hops: Vec<Hop> = (1..=most_hops).map(hop).collect();
    let mut reached: Option<(u8, Instant)> = None;
    for ttl in 1..=most_hops {
        set_ttl(&socket, to.ip(), ttl)?;
        let mut body = vec![0; LEAST + usize::from(ttl)];
        body[..4].copy_from_slice(&MAGIC);
        body[4] = ttl;
        // An error of an earlier probe is told by the next send, once (`ip(7)`).
        let sent = socket.send(&body).or_else(|_| {
            drain(&socket, &mut hops, &mut reached, start, family);
            socket.send(&body)
        });
        if sent.is_err() {
            hops[usize::from(ttl) - 1].answer = Some(Answer::NotSent);
        }
    }
    loop {
        drain(&socket, &mut hops, &mut reached, start, family);
        let is_settled = reached.is_some_and(|(ttl, since)| {
            let nearer_wait = hops.iter().any(|hop| hop.ttl < ttl && hop.answer.is_none());
            !nearer_wait || since.elapsed() > GRACE
        });
        let left = wait.saturating_sub(start.elapsed());
        if is_settled || left.is_zero() || hops.iter().all(|hop| hop.answer.is_some()) {
            break;
        }
        // A queue that is not empty is an error to poll(2), which comes at once.
        sys::wait_for_sockets(&[&socket], false, left.min(Duration::from_millis(20)))?;
        let _ = socket.take_error();
    }
    if let Some((ttl, _)) = reached {
        hops.retain(|hop| hop.ttl <= ttl);
    }
    Ok(Path { to: to.ip(), protocol: Protocol::Udp, port: to.port(), hops })
}

fn drain(
    socket: &Socket,
    hops: &mut [Hop],
    reached: &mut Option<(u8, Instant)>,
    start: Instant,
    family: Family,
) {
    while let Some((icmp, quote)) = sys::take_icmp_quote(socket) {
        let by_length = quote.len().checked_sub(LEAST).and_then(|ttl| u8::try_from(ttl).ok());
        let told = if quote.starts_with(&MAGIC) { quote.get(4).copied() } else { by_length };
        let Some(hop) = told.and_then(|ttl| hops.iter_mut().find(|hop| hop.ttl == ttl)) else { continue };
        let is_exceeded = icmp::Error::of(family, icmp.icmp_type, icmp.icmp_code).is_exceeded_in_transit();
        hop.answer = Some(if is_exceeded {
            Answer::TimeExceeded
        } else {
            Answer::Unreachable { icmp_type: icmp.icmp_type, icmp_code: icmp.icmp_code }
        });
        hop.from = icmp.from;
        hop.rtt_us = u64::try_from(start.elapsed().as_micros()).ok();
        if !is_exceeded && reached.is_none_or(|(ttl, _)| hop.ttl < ttl) {
            *reached = Some((hop.ttl, Instant::now()));
        }
    }
}
