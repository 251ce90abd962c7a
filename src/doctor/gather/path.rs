//! The way to the target: trains of echo requests, which sizes pass, several connections at once.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Budget, timing};
use crate::address::{Address, Family};
use crate::doctor::evidence::{Burst, BurstConnect, Privilege, SizeProbe, System, Untested};
use crate::sys;
use crate::trace::{self, Train, TrainOptions};
use crate::wire::icmp;

/// A short train of small packets.
pub(super) fn small(to: Address, count: usize, patience: Duration) -> Result<Train, Untested> {
    train(
        to,
        84,
        count,
        timing::TRAIN_INTERVAL,
        timing::TRAIN_WAIT + patience,
        timing::TRAIN_SILENT + patience,
    )
}

/// A train of large ones, as fast as they go: how far apart they come back tells the rate of the narrowest link.
pub(super) fn large(to: Address, patience: Duration) -> Result<Train, Untested> {
    /// Smaller than any MTU that IPv6 allows, and larger than what is lost on a link that loses large packets.
    const BYTES: usize = 1_200;
    const COUNT: usize = 12;
    const WAIT: Duration = Duration::from_millis(1_800);
    train(to, BYTES, COUNT, Duration::from_millis(2), WAIT, timing::TRAIN_SILENT + patience)
}

/// A train that outlasts an outage.
pub(super) fn long(to: Address, patience: Duration) -> Result<Train, Untested> {
    let wait = timing::TRAIN_WAIT + patience;
    train(to, 84, timing::LONG_COUNT, timing::LONG_INTERVAL, wait, wait)
}

fn train(
    to: Address,
    packet_bytes: usize,
    count: usize,
    interval: Duration,
    wait: Duration,
    silent_wait: Duration,
) -> Result<Train, Untested> {
    let options = TrainOptions {
        packet_bytes,
        count,
        interval,
        wait,
        silent_wait,
        dont_fragment: false,
        until: None,
        tally: None,
    };
    trace::train(to.ip, to.scope_id, &options).map_err(|error| why_no_ping(&error))
}

/// A few each second, for as long as the rest takes: it shows a path that is slow, or dead for moments, from the first.
pub(super) fn beat(
    to: Address,
    until: &std::sync::atomic::AtomicBool,
    tally: &trace::Tally,
    timeout: Duration,
) -> Result<Train, Untested> {
    const INTERVAL: Duration = Duration::from_millis(40);
    let count = usize::try_from(timeout.as_millis() / INTERVAL.as_millis()).unwrap_or(0);
    let options = TrainOptions {
        packet_bytes: 84,
        count: count.clamp(1, 400),
        interval: INTERVAL,
        wait: Duration::from_secs(3),
        silent_wait: Duration::from_secs(3),
        dont_fragment: false,
        until: Some(until),
        tally: Some(tally),
    };
    trace::train(to.ip, to.scope_id, &options).map_err(|error| why_no_ping(&error))
}

/// Why echo requests cannot be sent.
pub(super) fn why_no_ping(error: &std::io::Error) -> Untested {
    match sys::ping_group_range() {
        Some(group_range) if error.kind() == ErrorKind::PermissionDenied => {
            Untested::Privilege(Privilege::Echo { group_range })
        }
        _ => Untested::System(System::Icmp(error.to_string())),
    }
}

/// Finds the sizes that pass unfragmented, all at once.
pub(super) fn sizes(to: Address, link_mtu: u32) -> Result<Vec<SizeProbe>, Untested> {
    /// A jumbo link's, Ethernet's, PPPoE's, a tunnel's or two, the least of IPv6, and one that always passes.
    const SIZES: [usize; 8] = [9_000, 4_000, 1_500, 1_492, 1_420, 1_340, 1_280, 576];
    const COUNT: usize = 3;
    let link_mtu = usize::try_from(link_mtu).unwrap_or(1_500);
    let mut sizes: Vec<usize> = SIZES.iter().copied().filter(|size| *size <= link_mtu).collect();
    if link_mtu <= 9_000 && !sizes.contains(&link_mtu) {
        sizes.insert(0, link_mtu);
    }
    let one = |size: usize| {
        let options = TrainOptions {
            packet_bytes: size,
            count: COUNT,
            interval: Duration::from_millis(25),
            wait: Duration::from_millis(400),
            silent_wait: Duration::from_millis(400),
            dont_fragment: true,
            until: None,
            tally: None,
        };
        let train = trace::train(to.ip, to.scope_id, &options).map_err(|error| why_no_ping(&error))?;
        let of = |error: &&trace::TrainError| icmp::Error::of(to.family(), error.icmp_type, error.icmp_code);
        let too_big = train.errors.iter().find(|error| of(error).is_too_big());
        Ok(SizeProbe {
            packet_bytes: size,
            sent: train.sent(),
            received: train.received(),
            too_big: too_big.map(|error| (error.from, error.mtu)),
            is_local: train.too_big > 0,
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = sizes
            .into_iter()
            .map(|size| std::thread::Builder::new().spawn_scoped(scope, move || one(size)))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.ok()?.join().ok())
            .collect::<Result<Vec<SizeProbe>, Untested>>()
    })
}

/// Makes several connections to a port, close together, and if some of them say nothing, the same from the same ports once
/// more: who is dropped by chance is not dropped twice, and who is dropped for his port is.
pub(super) fn burst(to: SocketAddr, count: usize, wait: Duration, budget: &Budget) -> Burst {
    let first = connects(to, &vec![0; count], wait, budget);
    let silent = first.iter().filter(|one| one.stands == Some(false) && !one.is_refused).count();
    let is_mixed = silent > 0 && silent < first.len();
    let ports: Vec<u16> = first.iter().map(|one| one.from_port).collect();
    let again = if is_mixed { connects(to, &ports, Duration::from_millis(600), budget) } else { Vec::new() };
    Burst { first, again }
}

/// Connects from each port, 0 for any, with a pause between that keeps them one by one.
fn connects(to: SocketAddr, ports: &[u16], wait: Duration, budget: &Budget) -> Vec<BurstConnect> {
    const PAUSE: Duration = Duration::from_millis(6);
    let mut under_way: Vec<(usize, Instant, Socket)> = Vec::new();
    let mut all: Vec<BurstConnect> = Vec::new();
    let blank = |from_port| BurstConnect {
        from_port,
        stands: None,
        is_refused: false,
        elapsed_us: 0,
        syn_retransmissions: None,
    };
    for port in ports {
        let begun = begin(to, *port);
        let mut one = blank(*port);
        if let Ok(socket) = begun {
            let own = socket.local_addr().ok().and_then(|own| own.as_socket());
            one.from_port = own.map_or(*port, |own| own.port());
            one.stands = Some(false);
            under_way.push((all.len(), Instant::now(), socket));
        }
        all.push(one);
        look(&mut under_way, &mut all);
        std::thread::sleep(PAUSE);
    }
    let start = Instant::now();
    while !under_way.is_empty() && start.elapsed() < wait && !budget.is_over() {
        let sockets: Vec<&Socket> = under_way.iter().map(|(_, _, socket)| socket).collect();
        let _ = sys::wait_for_sockets(&sockets, true, Duration::from_millis(20));
        look(&mut under_way, &mut all);
    }
    for (place, begun, socket) in &under_way {
        all[*place].elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        all[*place].syn_retransmissions = sys::tcp_info(socket).and_then(|info| info.retransmissions);
    }
    all
}

fn begin(to: SocketAddr, port: u16) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // It leaves no connection behind, and no trace of one.
    socket.set_linger(Some(Duration::ZERO))?;
    if port != 0 {
        let any: IpAddr = match Family::of(to.ip()) {
            Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        socket.bind(&SockAddr::from(SocketAddr::new(any, port)))?;
    }
    match socket.connect(&to.into()) {
        Err(error) if !super::connect::is_under_way(&error) => Err(error),
        _ => Ok(socket),
    }
}

fn look(under_way: &mut Vec<(usize, Instant, Socket)>, all: &mut [BurstConnect]) {
    under_way.retain(|(place, begun, socket)| {
        let one = &mut all[*place];
        if socket.peer_addr().is_ok() {
            one.stands = Some(true);
        } else if let Some(error) = socket.take_error().ok().flatten() {
            // A connection that was reset had been made.
            if super::connect::was_reset(&error) {
                one.stands = Some(true);
            } else {
                one.is_refused = error.kind() == ErrorKind::ConnectionRefused;
            }
        } else {
            return true;
        }
        one.elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        one.syn_retransmissions = sys::tcp_info(socket).and_then(|info| info.retransmissions);
        false
    });
}
