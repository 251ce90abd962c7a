//! Trains of ICMP echo: what is lost, repeated, reordered or late, and which sizes pass.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a train is sent.
#[derive(Clone, Copy, Debug)]
pub struct TrainOptions<'a> {
    /// The bytes of each packet with its IP and ICMP headers.
    pub packet_bytes: usize,
    /// How many.
    pub count: usize,
    /// The time between two.
    pub interval: Duration,
    /// How long the last is waited for.
    pub wait: Duration,
    /// Whether nobody may fragment them.
    pub dont_fragment: bool,
    /// How long the last is waited for if none at all was answered.
    pub silent_wait: Duration,
    /// What ends it early, if that becomes true.
    pub until: Option<&'a AtomicBool>,
    /// Where it counts as it goes.
    pub tally: Option<&'a Tally>,
}

/// A train's count as it goes.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicUsize,
    received: AtomicUsize,
    has_stalled: AtomicBool,
}

impl Tally {
    /// How many were sent, and how many answered.
    pub fn counts(&self) -> (usize, usize) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Whether nothing came for a while, though something should have.
    pub fn has_stalled(&self) -> bool {
        self.has_stalled.load(Ordering::Relaxed)
    }
}

/// What became of a train.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Train {
    /// The bytes of each packet with its IP and ICMP headers.
    pub packet_bytes: usize,
    /// When each request was sent, in microseconds from the first.
    #[serde(default)]
    pub sent_at_us: Vec<u64>,
    /// When each reply came after its request, in microseconds; `None` for none.
    pub rtts_us: Vec<Option<u64>>,
    /// The time between two requests, in microseconds.
    pub interval_us: u64,
    /// Further replies to a request that had one.
    pub duplicates: usize,
    /// Replies that came after one to a later request.
    pub reordered: usize,
    /// Replies with other bytes than were sent.
    pub corrupted: usize,
    /// ICMP errors: who sent them, type, code, and the MTU they tell.
    pub errors: Vec<TrainError>,
    /// Requests that this machine itself did not send, as too large.
    pub too_big: usize,
    /// Requests that this machine did not let out.
    pub refused: usize,
    /// From the first reply to the last, in microseconds.
    pub span_us: u64,
}

/// An ICMP error that came for a train.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainError {
    /// Who sent it.
    pub from: Option<IpAddr>,
    /// Its type.
    pub icmp_type: u8,
    /// Its code.
    pub icmp_code: u8,
    /// The MTU it tells.
    pub mtu: Option<u32>,
}

impl Train {
    /// How many were sent.
    pub fn sent(&self) -> usize {
        self.rtts_us.len() - self.refused.min(self.rtts_us.len())
    }

    /// How many were answered.
    pub fn received(&self) -> usize {
        self.rtts_us.iter().flatten().count()
    }

    /// How many were not, in percent of those sent.
    pub fn loss_percent(&self) -> f64 {
        let (sent, received) = (count(self.sent()), count(self.received()));
        if sent > 0.0 { (sent - received).max(0.0) * 100.0 / sent } else { 0.0 }
    }

    /// The times of those that were answered, from the shortest on.
    pub fn sorted_us(&self) -> Vec<u64> {
        let mut sorted: Vec<u64> = self.rtts_us.iter().flatten().copied().collect();
        sorted.sort_unstable();
        sorted
    }

    /// The shortest time.
    pub fn min_us(&self) -> Option<u64> {
        self.sorted_us().first().copied()
    }

    /// The median time.
    pub fn median_us(&self) -> Option<u64> {
        let sorted = self.sorted_us();
        sorted.get(sorted.len() / 2).copied()
    }

    /// How far the times of nine in ten lie above the shortest.
    pub fn spread_us(&self) -> Option<u64> {
        let sorted = self.sorted_us();
        let high = sorted.get((sorted.len() * 9 / 10).min(sorted.len().saturating_sub(1)))?;
        Some(high - sorted.first()?)
    }

    /// The lengths of the runs of lost ones, each between two that were answered or at an end.
    pub fn gaps(&self) -> Vec<usize> {
        let mut gaps = Vec::new();
        let mut run = 0;
        for rtt in &self.rtts_us {
            if rtt.is_some() {
                if run > 0 {
                    gaps.push(run);
                }
                run = 0;
            } else {
                run += 1;
            }
        }
        if run > 0 {
            gaps.push(run);
        }
        gaps
    }

    /// Whether what was lost lies in fewer runs than chance would make: the number of runs is three standard deviations
    /// below its mean (Wald and Wolfowitz, "On a test whether two samples are from the same population", 1940).
    pub fn is_lost_in_clusters(&self) -> bool {
        let count = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
        let (sent, received) = (count(self.sent()), count(self.received()));
        let lost = sent - received;
        if lost < 2.0 || received < 2.0 {
            return false;
        }
        let mean = lost * (received + 1.0) / sent;
        let variance = lost * (lost - 1.0) * received * (received + 1.0) / (sent * sent * (sent - 1.0));
        count(self.gaps().len()) < mean - 3.0 * variance.sqrt()
    }

    /// A stall of so many microseconds is an outage, whether what was sent meanwhile is lost or comes late.
    pub const STALL_US: u64 = 250_000;

    /// The longest time in which no reply came though requests were under way, beyond what the shortest takes, in
    /// microseconds: what was sent meanwhile came late, and all at once.
    pub fn longest_stall_us(&self) -> u64 {
        let Some(least) = self.min_us() else { return 0 };
        let arrivals =
            self.rtts_us.iter().zip(&self.sent_at_us).filter_map(|(rtt, sent)| Some((sent + (*rtt)?, *sent)));
        let mut arrivals: Vec<(u64, u64)> = arrivals.collect();
        arrivals.sort_unstable();
        // From the last on: the earliest request that is still under way.
        let (mut longest, mut earliest) = (0, u64::MAX);
        for place in (0..arrivals.len()).rev() {
            let (at, sent) = arrivals[place];
            earliest = earliest.min(sent);
            let before = place.checked_sub(1).map_or(0, |before| arrivals[before].0);
            longest = longest.max((at - before.max(earliest).min(at)).saturating_sub(least));
        }
        longest
    }

    /// The rate at which the replies came, in bit/s, where they came further apart than they were sent.
    pub fn rate_bits_per_s(&self) -> Option<f64> {
        let received = self.received();
        if received < 4 || self.span_us == 0 {
            return None;
        }
        // The first reply's bytes came before the span.
        let bits = count((received - 1) * self.packet_bytes * 8);
        Some(bits * 1e6 / count(usize::try_from(self.span_us).ok()?))
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// After so many without an answer, a train that goes on until it is ended becomes sparing: so many times slower.
#[cfg(target_os = "linux")]
const VAIN: usize = 10;
#[cfg(target_os = "linux")]
const SPARING: u32 = 12;

/// Sends a train of echo requests to a host and tells what became of it.
///
/// Errors: ICMP sockets are not to be had.
#[cfg(target_os = "linux")]
pub fn train(to: IpAddr, scope_id: u32, options: &TrainOptions<'_>) -> io::Result<Train> {
    use crate::address::{Address, Family};
    use crate::sys::{IcmpOptions, IcmpSocket};
    use std::time::Instant;

    let family = Family::of(to);
    let headers = if family == Family::Ipv4 { 28 } else { 48 };
    let body_bytes = options.packet_bytes.saturating_sub(headers).max(16);
    let icmp =
        IcmpOptions { dont_fragment: options.dont_fragment, size: body_bytes, ..IcmpOptions::default() };
    let mut socket = IcmpSocket::open(family, &icmp)?;
    let cookie = crate::sys::random();
    let to = Address { ip: to, scope_id }.with_port(0);
    let mut flight = linux::Flight {
        train: Train {
            packet_bytes: options.packet_bytes,
            rtts_us: vec![None; options.count],
            interval_us: u64::try_from(options.interval.as_micros()).unwrap_or(u64::MAX),
            ..Train::default()
        },
        sent: vec![None; options.count],
        body_bytes,
        cookie,
        family,
        to: to.ip(),
        first: None,
        highest: None,
    };
    let start = Instant::now();
    let mut next = 0;
    let mut last = start;
    let mut due = start;
    loop {
        while next < options.count && due <= Instant::now() {
            flight.send(&mut socket, to, next);
            last = Instant::now();
            flight.train.sent_at_us.push(u64::try_from((last - start).as_micros()).unwrap_or(u64::MAX));
            next += 1;
            // Who says nothing is not asked on and on: routers have only so many errors to spend on what is dropped.
            let is_vain = options.until.is_some() && next >= VAIN && flight.first.is_none();
            due = due.max(last.checked_sub(options.interval).unwrap_or(last))
                + options.interval * if is_vain { SPARING } else { 1 };
        }
        flight.receive(&mut socket);
        if let Some(tally) = options.tally {
            tally.sent.store(next, Ordering::Relaxed);
            tally.received.store(flight.train.received(), Ordering::Relaxed);
            tally.has_stalled.store(flight.train.longest_stall_us() >= Train::STALL_US, Ordering::Relaxed);
        }
        let wait = if flight.first.is_some() { options.wait } else { options.silent_wait };
        let is_done = next == options.count && (flight.is_complete() || last.elapsed() >= wait);
        if is_done {
            break;
        }
        if options.until.is_some_and(|until| until.load(Ordering::Relaxed)) {
            // Those that could not be answered by now are no losses: at most the last few of the longest way so far.
            let longest = flight.train.sorted_us().last().copied().unwrap_or(300_000).saturating_mul(2);
            let young = |sent: &Option<Instant>| {
                sent.is_none_or(|sent| sent.elapsed() < Duration::from_micros(longest))
            };
            while flight.sent.last().is_some_and(young) && flight.train.rtts_us.last() == Some(&None) {
                flight.sent.pop();
                flight.train.rtts_us.pop();
                flight.train.sent_at_us.truncate(flight.sent.len());
            }
            break;
        }
        let end = if next < options.count { due } else { last + wait };
        let pause = end.saturating_duration_since(Instant::now()).min(Duration::from_millis(50));
        if !pause.is_zero() {
            let _ = crate::sys::wait_for_icmp(&[&socket], None, Some(pause));
        }
    }
    Ok(flight.train)
}

/// Sends a train of echo requests to a host and tells what became of it.
///
/// Errors: always, as only Linux lets an ordinary user do that with what a diagnosis needs.
#[cfg(not(target_os = "linux"))]
pub fn train(_: IpAddr, _: u32, _: &TrainOptions<'_>) -> io::Result<Train> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::ErrorKind;
    use std::net::{IpAddr, SocketAddr};
    use std::time::Instant;

    use super::{Train, TrainError};
    use crate::address::Family;
    use crate::sys::{IcmpKind, IcmpSocket, Queued};
    use crate::wire::echo::{self as wire, Echo, Message};

    /// A train under way.
    pub(super) struct Flight {
        pub(super) train: Train,
        pub(super) sent: Vec<Option<Instant>>,
        pub(super) body_bytes: usize,
        pub(super) cookie: u64,
        pub(super) family: Family,
        pub(super) to: IpAddr,
        pub(super) first: Option<Instant>,
        pub(super) highest: Option<usize>,
    }

    impl Flight {
        fn body(&self, number: usize) -> Vec<u8> {
            let mut body = vec![0; self.body_bytes];
            body[..8].copy_from_slice(&self.cookie.to_be_bytes());
            body[8..16].copy_from_slice(&u64::try_from(number).unwrap_or(0).to_be_bytes());
            for (place, byte) in body.iter_mut().enumerate().skip(16) {
                *byte = u8::try_from(place % 251).unwrap_or(0);
            }
            body
        }

        pub(super) fn send(&mut self, socket: &mut IcmpSocket, to: SocketAddr, number: usize) {
            let body = self.body(number);
            let mut message = Vec::new();
            let sequence = u16::try_from(number).unwrap_or(u16::MAX);
            Echo { ident: socket.ident(), sequence, body: &body }.emit_request(self.family, &mut message);
            self.sent[number] = Some(Instant::now());
            // The first failure may be an earlier request's; the second is this one's own.
            for attempt in 0..2 {
                match socket.send(&[(to, &message)]) {
                    Ok(_) => return,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) if attempt == 0 => {
                        let before = self.train.too_big;
                        self.drain(socket);
                        if self.train.too_big > before {
                            return;
                        }
                    }
                    Err(error) => {
                        match error.raw_os_error() {
                            Some(libc::EMSGSIZE) => self.train.too_big += 1,
                            // The link took it and lost it: its other end has a smaller MTU, or its queue is full.
                            Some(libc::ENOBUFS) => {}
                            _ => self.train.refused += 1,
                        }
                        return;
                    }
                }
            }
        }

        pub(super) fn is_complete(&self) -> bool {
            let answered = self.train.received();
            answered + self.train.too_big + self.train.refused >= self.train.rtts_us.len()
        }

        pub(super) fn receive(&mut self, socket: &mut IcmpSocket) {
            self.drain(socket);
            while let Ok(count) = socket.receive() {
                let now = Instant::now();
                for index in 0..count {
                    let Some(received) = socket.received(index) else { continue };
                    let mut bytes = received.bytes;
                    if socket.kind() == IcmpKind::Raw && self.family == Family::Ipv4 {
                        let Some((_, icmp)) = wire::ipv4(bytes) else { continue };
                        bytes = icmp;
                    }
                    let Some(Message::Reply(echo)) = Message::parse(self.family, bytes) else { continue };
                    if echo.ident != socket.ident() || received.from.ip() != self.to {
                        continue;
                    }
                    let (sequence, whole) =
                        (usize::from(echo.sequence), echo.body == self.body(echo.sequence.into()));
                    self.take(sequence, whole, now);
                }
                if count == 0 {
                    break;
                }
            }
        }

        fn take(&mut self, number: usize, is_whole: bool, now: Instant) {
            let Some(sent) = self.sent.get(number).copied().flatten() else { return };
            if !is_whole {
                self.train.corrupted += 1;
                return;
            }
            if self.train.rtts_us[number].is_some() {
                self.train.duplicates += 1;
                return;
            }
            self.train.rtts_us[number] = u64::try_from((now - sent).as_micros()).ok();
            let first = *self.first.get_or_insert(now);
            self.train.span_us = u64::try_from((now - first).as_micros()).unwrap_or(u64::MAX);
            if self.highest.is_some_and(|highest| highest > number) {
                self.train.reordered += 1;
            }
            self.highest = self.highest.max(Some(number));
        }

        fn drain(&mut self, socket: &mut IcmpSocket) {
            /// More are only more of the same.
            const MOST: usize = 8;
            while let Ok(count) = socket.receive_errors() {
                for index in 0..count {
                    match socket.queued(index) {
                        Some(Queued::Error { error, .. }) if self.train.errors.len() < MOST => {
                            self.train.errors.push(TrainError {
                                from: error.from,
                                icmp_type: error.icmp_type,
                                icmp_code: error.icmp_code,
                                mtu: error.mtu,
                            });
                        }
                        Some(Queued::TooBig { .. }) => self.train.too_big += 1,
                        _ => {}
                    }
                }
                if count == 0 {
                    break;
                }
            }
            let _ = socket.take_error();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_and_all_at_once_was_stalled() {
        let train = |rtts: &[u64]| Train {
            rtts_us: rtts.iter().map(|rtt| Some(*rtt)).collect(),
            sent_at_us: (0..).step_by(100_000).take(rtts.len()).collect(),
            interval_us: 100_000,
            ..Train::default()
        };
        assert_eq!(
            train(&[500_000, 400_000, 300_000, 200_000, 100_000, 100, 100]).longest_stall_us(),
            499_900
        );
        assert_eq!(train(&[1_500_000, 1_490_000, 1_510_000]).longest_stall_us(), 10_000, "slow all along");
        assert_eq!(train(&[100, 100, 90_000, 100]).longest_stall_us(), 89_900);
    }

    #[test]
    fn chance_scatters_and_outages_cluster() {
        let train = |is_lost: &dyn Fn(u32) -> bool| Train {
            rtts_us: (0..90).map(|at| (!is_lost(at)).then_some(100)).collect(),
            ..Train::default()
        };
        // Dead for 30 of each 60, with a stray reply in the middle of each of these, as a busy bridge lets one through.
        assert!(train(&|at| at % 60 < 30 && at % 15 != 7).is_lost_in_clusters());
        assert!(!train(&|at| at % 2 == 0).is_lost_in_clusters(), "every second");
        assert!(!train(&|_| false).is_lost_in_clusters());
        assert!(!train(&|_| true).is_lost_in_clusters());
        let mut clustered = 0;
        for seed in 1..=1_000_u32 {
            for percent in [5, 30, 60] {
                // A hash of the seed and the number (Knuth's multiplicative, mixed as in MurmurHash3).
                let by_chance = |at: u32| {
                    let mut x = (seed * 1_000 + at).wrapping_mul(0x9e37_79b1);
                    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
                    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
                    (x ^ (x >> 16)) % 100 < percent
                };
                clustered += u32::from(train(&by_chance).is_lost_in_clusters());
            }
        }
        // The number of runs is a normal one only where many are lost.
        assert!(clustered <= 30, "{clustered} of 3000 by chance");
    }

    #[test]
    fn gaps_and_rates() {
        let train = Train {
            packet_bytes: 1000,
            rtts_us: vec![None, Some(1), None, None, Some(3), Some(2), Some(9)],
            span_us: 1_000_000,
            ..Train::default()
        };
        assert_eq!(train.gaps(), [1, 2]);
        assert_eq!((train.min_us(), train.median_us(), train.spread_us()), (Some(1), Some(3), Some(8)));
        assert!((train.loss_percent() - 300.0 / 7.0).abs() < 1e-9);
        assert_eq!(train.rate_bits_per_s(), Some(24_000.0));
    }
}
