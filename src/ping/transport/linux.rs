//! Linux: one thread, batches, the kernel's own time stamps, and its error queue; all of it for ordinary users.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use super::super::clock::Clock;
use super::super::engine::{Complaint, Engine, Moment, Probe, Reply, named_probe};

use super::{Request, Transport, cannot_open, local, told};
use crate::address::{Address, Family};
use crate::error::Result;
use crate::sys::{self, IcmpKind, IcmpOptions, IcmpSocket, Queued, Received, StopRequests};
use crate::wire::echo::{self as wire, Echo, Message, Quoted};

/// So many batches are received before something is sent again.
const MOST_BATCHES: usize = 64;

/// The sockets of a run, one for each family.
pub(super) struct Linux {
    lanes: Vec<Lane>,
    clock: Clock,
}

/// One socket and what it has sent.
struct Lane {
    socket: IcmpSocket,
    family: Family,
    /// The bytes of a batch.
    bytes: Vec<u8>,
    /// What the system said to the last attempt to receive, and to the one before.
    trouble: Option<io::Error>,
}

/// What draining the error queue came upon.
#[derive(Default)]
struct Drained {
    /// ICMP errors, which the socket may still hold against the next message.
    errors: usize,
    /// What this machine said would pass instead of the last message.
    mtu: Option<u32>,
}

impl Linux {
    pub(super) fn open(request: &Request, families: &[Family]) -> Result<Self> {
        let options = IcmpOptions {
            source: request.source,
            interface: request.interface.clone(),
            ttl: request.ttl,
            tos: request.tos,
            dont_fragment: request.dont_fragment || request.finds_pmtu,
            size: if request.finds_pmtu { usize::from(u16::MAX) } else { request.size.into() },
        };
        let open = |family: &Family| {
            let socket = IcmpSocket::open(*family, &options);
            let socket = socket.map_err(|error| cannot_open(request, error))?;
            Ok(Lane { socket, family: *family, bytes: Vec::new(), trouble: None })
        };
        let lanes = families.iter().map(open).collect::<Result<_>>()?;
        sys::wait_until_stamping();
        Ok(Self { lanes, clock: Clock::start() })
    }
}

impl Transport for Linux {
    fn send(&mut self, probes: &[Probe], engine: &mut Engine) {
        let clock = &self.clock;
        for lane in &mut self.lanes {
            let is_only = probes.iter().all(|probe| probe.address.family() == lane.family);
            if is_only {
                lane.send(probes, engine, clock);
            } else {
                let is_its = |probe: &&Probe| probe.address.family() == lane.family;
                let own: Vec<Probe> = probes.iter().filter(is_its).copied().collect();
                lane.send(&own, engine, clock);
            }
        }
    }

    fn receive(&mut self, engine: &mut Engine) {
        self.clock.tick();
        for lane in &mut self.lanes {
            lane.receive(engine, &mut self.clock);
        }
    }

    fn wait(&mut self, until: Option<Moment>, stop: &mut StopRequests) {
        let timeout = until.map(|until| Duration::from_nanos(until.saturating_sub(Clock::now())));
        let sockets: Vec<&IcmpSocket> = self.lanes.iter().map(|lane| &lane.socket).collect();
        // What cannot be waited for is looked at again at once; the loop is bounded by the clock.
        let _ = sys::wait_for_icmp(&sockets, Some(stop.waker()), timeout);
    }

    fn trouble(&self) -> Option<&io::Error> {
        self.lanes.iter().find_map(|lane| lane.trouble.as_ref())
    }

    fn missed(&self) -> u64 {
        // A raw ICMPv6 socket also counts what had a wrong checksum, which anybody can send.
        let is_telling =
            |lane: &&Lane| lane.socket.kind() == IcmpKind::Datagram || lane.family == Family::Ipv4;
        self.lanes.iter().filter(is_telling).filter_map(|lane| lane.socket.dropped()).map(u64::from).sum()
    }
}

impl Lane {
    fn send(&mut self, probes: &[Probe], engine: &mut Engine, clock: &Clock) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut body = Vec::new();
        let ends: Vec<usize> = probes
            .iter()
            .map(|probe| {
                body.clear();
                let named = named_probe(probe.slot, probe.number);
                engine.cookie().emit(named, probe.size.into(), &mut body);
                let [low, high, ..] = probe.number.to_le_bytes();
                let sequence = u16::from_le_bytes([low, high]);
                let echo = Echo { ident: self.socket.ident(), sequence, body: &body };
                echo.emit_request(self.family, &mut bytes);
                bytes.len()
            })
            .collect();
        let mut start = 0;
        let messages: Vec<(SocketAddr, &[u8])> = probes
            .iter()
            .zip(&ends)
            .map(|(probe, end)| {
                let message = &bytes[start..*end];
                start = *end;
                (probe.address.with_port(0), message)
            })
            .collect();
        self.send_all(probes, &messages, engine, clock);
        drop(messages);
        self.bytes = bytes;
    }

    fn send_all(
        &mut self,
        probes: &[Probe],
        messages: &[(SocketAddr, &[u8])],
        engine: &mut Engine,
        clock: &Clock,
    ) {
        let (mut done, mut is_second) = (0, false);
        while done < probes.len() {
            let at = Clock::now();
            let watch = Watch::begin(self.family, &probes[done..], engine);
            match self.socket.send(&messages[done..]) {
                Ok(count) => {
                    let is_deaf = self.socket.kind() == IcmpKind::Datagram;
                    let refused = watch
                        .filter(|_| is_deaf)
                        .map_or_else(Vec::new, |watch| watch.refused(&probes[done..done + count]));
                    for probe in probes[done..done + count].iter().filter(|probe| !refused.contains(probe)) {
                        engine.sent(probe, at);
                    }
                    done += count;
                    is_second = false;
                    if !refused.is_empty() {
                        engine.hold(&probes[done..], neighbours_full(self.family), at);
                        let mut given_up = 0;
                        while given_up < refused.len() {
                            match engine.hold_for_neighbour(
                                &refused[given_up..],
                                neighbours_full(self.family),
                                at,
                            ) {
                                0 => break,
                                count => given_up += count,
                            }
                        }
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    engine.hold(&probes[done..], local(&error, None), at);
                    return;
                }
                Err(error) => {
                    let drained = self.drain_errors(engine, clock, Clock::now());
                    // An earlier probe's ICMP error is held against the next message, and forgotten with that. The
                    // queue has it too, but may have been read before: only what fails twice is this one's.
                    if drained.errors > 0 || !std::mem::replace(&mut is_second, true) {
                        continue;
                    }
                    is_second = false;
                    let probe = &probes[done];
                    let has_no_way = watch.is_some_and(Watch::has_risen);
                    if is_lack_of_room(&error, has_no_way) {
                        let is_on_link = engine.hosts().is_on_link(&probe.address);
                        if !is_on_link {
                            engine.hold(&probes[done..], local(&error, None), at);
                            return;
                        }
                        match engine.hold_for_neighbour(&probes[done..], neighbours_full(self.family), at) {
                            0 => return,
                            given_up => done += given_up,
                        }
                        continue;
                    }
                    engine.unsent(probe, local(&error, drained.mtu), at);
                    done += 1;
                }
            }
        }
    }

    fn receive(&mut self, engine: &mut Engine, clock: &mut Clock) {
        /// An error that is an earlier probe's is told once: what is told so often in a row lasts.
        const LASTS: usize = 4;
        /// A socket that fails looks ready all the time.
        const PAUSE: Duration = Duration::from_millis(5);
        let mut failures = 0;
        for _ in 0..MOST_BATCHES {
            let got = self.socket.receive();
            // A message's send stamp is in the queue before its reply is: what is there now has all of them.
            let now = Clock::now();
            let drained = self.drain_errors(engine, clock, now);
            match got {
                Ok(count) => {
                    for index in 0..count {
                        if let Some(message) = self.socket.received(index) {
                            deliver(&message, &self.socket, engine, clock, now);
                        }
                    }
                    self.trouble = None;
                    if count < self.socket.batch() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.trouble = None;
                    if drained.errors == 0 {
                        return;
                    }
                }
                // The error of an earlier probe, which the queue has too.
                Err(_) if drained.errors > 0 => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    failures += 1;
                    if failures >= LASTS {
                        self.trouble = Some(error);
                        std::thread::sleep(PAUSE);
                        return;
                    }
                }
            }
        }
    }

    fn drain_errors(&mut self, engine: &mut Engine, clock: &Clock, now: Moment) -> Drained {
        let mut drained = Drained::default();
        while let Ok(count) = self.socket.receive_errors() {
            for index in 0..count {
                match self.socket.queued(index) {
                    Some(Queued::Left { at, packet }) => {
                        let named = engine.cookie().find(packet);
                        if let (Some(named), Some(at)) = (named, clock.moment(at, now)) {
                            engine.left(named, at);
                        }
                    }
                    Some(Queued::Error { to, error, quote }) => {
                        drained.errors += 1;
                        let Some(to) = to else { continue };
                        let Some(quoted) = Quoted::parse_icmp(self.family, to.ip(), quote) else { continue };
                        if quoted.echo.ident != self.socket.ident() {
                            continue;
                        }
                        let complaint = Complaint {
                            to: Address::from(to),
                            sequence: quoted.echo.sequence,
                            body: quoted.echo.body,
                            error: told(self.family, error.from, error.icmp_type, error.icmp_code, error.mtu),
                        };
                        engine.complaint(complaint, now);
                    }
                    Some(Queued::TooBig { mtu }) => drained.mtu = Some(mtu),
                    None => {}
                }
            }
            if count < sys::ICMP_BATCH {
                break;
            }
        }
        drained
    }
}

/// A look out for IPv6 probes that find no way out, as where the kernel has no room for the neighbour. A raw socket
/// is told EINVAL, as of much else; an unprivileged one nothing (`ping_v6_sendmsg`, net/ipv6/ping.c, ignores what
/// became of the packet).
#[derive(Clone, Copy)]
struct Watch {
    before: u64,
}

impl Watch {
    /// Begins it, if any of the probes may meet that.
    fn begin(family: Family, probes: &[Probe], engine: &Engine) -> Option<Self> {
        let is_on_link = |probe: &Probe| engine.hosts().is_on_link(&probe.address);
        if family == Family::Ipv4 || !probes.iter().any(is_on_link) {
            return None;
        }
        sys::ipv6_without_way().map(|before| Self { before })
    }

    /// Whether packets have found no way since.
    fn has_risen(self) -> bool {
        sys::ipv6_without_way().is_some_and(|after| after > self.before)
    }

    /// The probes that were dropped: packets were, and these addresses are no neighbours, not even sought ones.
    fn refused(self, sent: &[Probe]) -> Vec<Probe> {
        if !self.has_risen() {
            return Vec::new();
        }
        let Ok(known) = sys::ipv6_neighbour_entries() else { return Vec::new() };
        sent.iter().filter(|probe| !known.contains(&probe.address.ip)).copied().collect()
    }
}

/// Hands a message on as a reply, if it is one.
fn deliver(message: &Received<'_>, socket: &IcmpSocket, engine: &mut Engine, clock: &Clock, now: Moment) {
    let is_raw = socket.kind() == IcmpKind::Raw;
    let (bytes, ttl) = match (is_raw, socket.family()) {
        (true, Family::Ipv4) => match wire::ipv4(message.bytes) {
            Some((header, bytes)) => (bytes, Some(header.ttl)),
            None => return,
        },
        _ => (message.bytes, message.ttl),
    };
    let echo = match Message::parse(socket.family(), bytes) {
        Some(Message::Reply(echo)) => echo,
        Some(Message::Error { icmp_type, code, quote, .. }) => {
            let quoted = Quoted::parse(socket.family(), quote);
            if let Some(quoted) = quoted.filter(|quoted| quoted.echo.ident == socket.ident()) {
                let (sequence, body) = (quoted.echo.sequence, quoted.echo.body);
                let error = told(socket.family(), Some(message.from.ip()), icmp_type, code, None);
                engine.complaint(Complaint { to: quoted.to.into(), sequence, body, error }, now);
            }
            return;
        }
        _ => return,
    };
    // Over IPv6, and on an unprivileged socket, the kernel has checked it.
    let is_summed = is_raw && socket.family() == Family::Ipv4;
    let stamp = message.at.and_then(|at| clock.moment(at, now));
    engine.reply(&Reply {
        from: Address::from(message.from),
        sequence: echo.sequence,
        body: echo.body,
        is_ours: echo.ident == socket.ident(),
        is_sound: message.is_whole && (!is_summed || wire::checksum(bytes) == 0),
        ttl,
        at: stamp.unwrap_or(now),
        heard: now,
        is_stamped: stamp.is_some(),
    });
}

/// Whether the kernel had no room for a message or its neighbour, rather than something against it.
fn is_lack_of_room(error: &io::Error, has_no_way: bool) -> bool {
    // EINVAL is what `ip6_finish_output2` says where there is no room for the neighbour (net/ipv6/ip6_output.c).
    error.raw_os_error() == Some(libc::ENOBUFS) || (error.raw_os_error() == Some(libc::EINVAL) && has_no_way)
}

fn neighbours_full(family: Family) -> super::Reason {
    let meaning = match sys::neighbour_limit(family) {
        Some(limit) => format!("cannot send: the neighbour table is full (gc_thresh3 is {limit})"),
        None => "cannot send: the neighbour table is full".to_owned(),
    };
    super::Reason { from: None, icmp_type: None, code: None, meaning, mtu: None }
}
