//! The one engine, for one target and for 65,536: who is probed when, and what becomes of each probe.
//!
//! A pure state machine: it knows no socket and no clock. A [`Transport`](super::transport::Transport) takes
//! the probes it gives out and tells it what came of them; whoever runs it says what time it is.

mod flight;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use flight::{Fate, Track};

use super::body::{Cookie, Named, Verdict};
use super::hosts::{Hosts, SlotId};
use super::icmp;
use super::pmtu::{PathMtu, Search};
use super::report::IcmpErrorCount;
use super::statistics::Statistics;
use crate::address::Address;

/// A moment on a clock that never steps, in nanoseconds from where that clock begins.
pub(super) type Moment = u64;
/// A time in nanoseconds.
pub(super) type Nanos = u64;

/// The probes that answers may clock, of one target of a flood.
pub(super) const FLOOD_WINDOW: u32 = 16;
/// A flood sends so often even if nothing answers: 100 times a second, as ping(8) does.
const FLOOD_TICK: Nanos = 10_000_000;
/// So many probes of one target may be open where nothing else bounds them.
const UNPACED_WINDOW: u32 = 1024;
/// What was missed while the program did not run, up to this long, is made up for.
const MAKE_UP: Nanos = 10_000_000;
/// A probe is remembered at least this long, so that its late reply is known as late.
const MEMORY: Nanos = 60_000_000_000;
/// A target all of whose replies may have been missed gets so many probes more.
const MOST_SECOND_CHANCES: u64 = 3;
/// How long the kernel may have no room for a probe until it is given up.
const ROOM_PATIENCE: Nanos = 3_000_000_000;
/// How long the table of neighbours may be full without anybody leaving it. A neighbour stays at most 1.5 times
/// `base_reachable_time`, 30 s unless it was changed, and 5 s more (`neigh_forced_gc`, net/core/neighbour.c).
const NEIGHBOUR_PATIENCE: Nanos = 100_000_000_000;
/// How long after the table of neighbours was full the finding of one may still fail for it: the kernel asks
/// three times, a second apart (`mcast_solicit`, `retrans_time_ms`).
const CROWDED: Nanos = 5_000_000_000;
/// How far two readings of the clocks may disagree.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only the kernel's stamps and refusals need it")
)]
const STAMP_SLACK: Nanos = 20_000;
/// How long to wait before sending again what the kernel had no room for, at first and at most.
const HOLD: (Nanos, Nanos) = (1_000_000, 256_000_000);

/// How probes are sent.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// How many probes each single host gets; `None` until stopped.
    pub(super) count: Option<u64>,
    /// How many each host of a sweep gets.
    pub(super) sweep_count: u64,
    /// How many more a target gets that answered none.
    pub(super) retries: u64,
    /// When the next probe of a host is due.
    pub(super) pace: Pace,
    /// The time between the first probes of two hosts.
    pub(super) spacing: Nanos,
    /// The time between two probes of sweeps; 0 for none.
    pub(super) gap: Nanos,
    /// How many probes of sweeps may be open at once.
    pub(super) sweep_window: usize,
    /// How long a reply is waited for.
    pub(super) timeout: Nanos,
    /// The bytes of a probe's body.
    pub(super) size: u16,
    /// Whether to look for the largest probe that passes.
    pub(super) finds_pmtu: bool,
    /// Whether to wait for room in the table of neighbours.
    pub(super) waits_for_neighbours: bool,
    /// Whether anybody listens to the [`Happening`]s.
    pub(super) is_heard: bool,
}

/// When the next probe of a host is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// So long after the last.
    Every(Nanos),
    /// As soon as an answer makes room for it.
    Flood,
    /// At once, as long as not too many are open.
    Unpaced,
}

/// A probe to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) slot: SlotId,
    /// Its number among the target's, from 1.
    pub(super) number: u64,
    pub(super) address: Address,
    /// The bytes of its body.
    pub(super) size: u16,
}

/// An echo reply that came in, from wherever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) from: Address,
    pub(super) sequence: u16,
    pub(super) body: &'a [u8],
    /// Whether it bears the identifier of the socket the target is probed by.
    pub(super) is_ours: bool,
    /// Whether its checksum is right and none of it is missing.
    pub(super) is_sound: bool,
    pub(super) ttl: Option<u8>,
    pub(super) at: Moment,
    /// When this program took it.
    pub(super) heard: Moment,
    /// Whether the kernel took the first of the two.
    pub(super) is_stamped: bool,
}

/// An ICMP error that came in, about whatever.
#[derive(Clone, Debug)]
pub(super) struct Complaint<'a> {
    /// Whom the probe went to.
    pub(super) to: Address,
    pub(super) sequence: u16,
    /// As much of its body as was quoted.
    pub(super) body: &'a [u8],
    pub(super) error: Reason,
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reason {
    pub(super) from: Option<std::net::IpAddr>,
    pub(super) icmp_type: Option<u8>,
    pub(super) code: Option<u8>,
    pub(super) meaning: String,
    pub(super) mtu: Option<u32>,
}

/// A [`Reason`], of which there are few in a run, by its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ErrorId(pub(super) u16);

/// What happened to a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Happening {
    pub(super) slot: SlotId,
    /// The probe's number; `None` where it could not be told which.
    pub(super) number: Option<u64>,
    pub(super) at: Moment,
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Reply {
        rtt: Nanos,
        ttl: Option<u8>,
        bytes: usize,
    },
    Late {
        rtt: Nanos,
        ttl: Option<u8>,
        bytes: usize,
    },
    Duplicate {
        rtt: Nanos,
        ttl: Option<u8>,
        bytes: usize,
    },
    Corrupt {
        bytes: usize,
    },
    Rejected,
    TimedOut,
    Failed(ErrorId),
    /// A redirect or a source quench, which ends nothing.
    Notice(ErrorId),
    Unsent(ErrorId),
}

/// The run as a state.
pub(super) struct Engine {
    settings: Settings,
    hosts: Hosts,
    cookie: Cookie,
    tracks: Vec<Track>,
    searches: HashMap<SlotId, Search>,
    errors: Vec<Reason>,
    error_ids: HashMap<Reason, ErrorId>,
    /// When each host's next probe is due.
    due: BinaryHeap<Reverse<(Moment, SlotId)>>,
    /// Hosts whose next probe may go now.
    ready: VecDeque<SlotId>,
    /// Where each sweep stands: the next slot, and the one behind its last.
    sweeps: VecDeque<(SlotId, SlotId)>,
    /// Targets of sweeps to probe once more, and from when on.
    again: VecDeque<(Moment, SlotId)>,
    /// When the next probe of a sweep may go.
    sweep_at: Moment,
    /// Probes of sweeps that are open.
    sweeping: usize,
    /// Probes the kernel had no room for, with when to try again and how long that wait was.
    held: VecDeque<Probe>,
    held_until: Moment,
    held_for: Option<Reason>,
    last_sent: Moment,
    hold: Nanos,
    /// Whether the table of neighbours was full at any time, and of how many hosts.
    pub(super) neighbours: NeighbourTable,
    /// The open probes by when they were sent.
    expiring: VecDeque<(Moment, SlotId, u64)>,
    /// Probes that are open, or about to be.
    open: usize,
    /// What was sent before this may have been answered unheard.
    excused: Moment,
    /// Messages that looked like replies or errors and concern nobody here.
    pub(super) strays: u64,
    news: Vec<Happening>,
    /// Totals for progress.
    pub(super) progress: Progress,
}

/// How far the table of neighbours was in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NeighbourTable {
    /// Probes that found it full, each time.
    pub(super) refusals: u64,
    /// Whether it is full now.
    pub(super) is_full: bool,
    /// Probes that were given up for it.
    pub(super) given_up: u64,
    /// When it was last found full.
    last: Moment,
}

/// How far sweeps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Hosts of sweeps that were probed.
    pub(super) probed: u64,
    /// Those that answered.
    pub(super) alive: u64,
    /// Those whose first probe is settled.
    pub(super) settled: u64,
}

impl Engine {
    pub(super) fn new(settings: Settings, hosts: Hosts, cookie: Cookie, now: Moment) -> Self {
        let mut tracks = Vec::new();
        tracks.resize_with(hosts.len(), Track::default);
        let mut engine = Self {
            tracks,
            searches: HashMap::new(),
            errors: Vec::new(),
            error_ids: HashMap::new(),
            due: BinaryHeap::new(),
            ready: VecDeque::new(),
            sweeps: hosts.networks().map(|(_, first, end)| (first, end)).collect(),
            again: VecDeque::new(),
            sweep_at: now,
            sweeping: 0,
            held: VecDeque::new(),
            held_until: now,
            held_for: None,
            last_sent: now,
            hold: HOLD.0,
            neighbours: NeighbourTable::default(),
            expiring: VecDeque::new(),
            open: 0,
            excused: 0,
            strays: 0,
            news: Vec::new(),
            progress: Progress::default(),
            settings,
            hosts,
            cookie,
        };
        let mut at = now;
        for slot in engine.hosts.singles() {
            if engine.settings.finds_pmtu {
                let family = engine.hosts.address(slot).map(|address| address.family());
                engine.searches.extend(family.map(|family| (slot, Search::new(family))));
            }
            engine.due.push(Reverse((at, slot)));
            at += engine.settings.spacing;
        }
        engine
    }

    /// Whom it probes.
    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// What tells its probes from others'.
    pub(super) fn cookie(&self) -> Cookie {
        self.cookie
    }

    /// Takes the probes that are due, at most `room`.
    pub(super) fn fill(&mut self, now: Moment, room: usize, batch: &mut Vec<Probe>) {
        self.neighbours.is_full &= !self.held.is_empty();
        self.give_up_held(now);
        if !self.held.is_empty() && self.held_until <= now {
            // One tries the way; the others follow if it gets through.
            let count = if self.neighbours.is_full { 1 } else { room };
            let count = count.min(self.held.len()).min(room);
            batch.extend(self.held.drain(..count));
            self.held_until = now + self.hold;
        }
        while batch.len() < room {
            let Some(slot) = self.take_due(now).or_else(|| self.ready.pop_front()) else { break };
            if let Some(probe) = self.issue(slot, now) {
                batch.push(probe);
            }
        }
        while batch.len() < room && self.may_sweep(now) {
            let Some(slot) = self.take_swept(now) else { break };
            if let Some(probe) = self.issue(slot, now) {
                // A host that a second chance is given to was counted.
                self.progress.probed += u64::from(probe.number == 1);
                self.sweep_at = (self.sweep_at + self.settings.gap).max(now.saturating_sub(MAKE_UP));
                batch.push(probe);
            }
        }
    }

    /// Gives up what the kernel has had no room for for very long.
    fn give_up_held(&mut self, now: Moment) {
        let is_neighbours = self.neighbours.is_full;
        // As long as some get into the table, the others' turn comes.
        let (patience, since) =
            if is_neighbours { (NEIGHBOUR_PATIENCE, self.last_sent) } else { (ROOM_PATIENCE, 0) };
        while let (Some(probe), Some(why)) = (self.held.front().copied(), &self.held_for) {
            let flight = self.tracks[probe.slot as usize].flight(probe.number);
            if flight.is_some_and(|flight| flight.at.max(since) + patience > now) {
                return;
            }
            let why = why.clone();
            self.held.pop_front();
            if is_neighbours {
                // Nobody leaves the table: the others need not wait as long.
                self.settings.waits_for_neighbours = false;
                self.neighbours.given_up += 1;
            }
            self.unsent(&probe, why, now);
        }
    }

    fn take_due(&mut self, now: Moment) -> Option<SlotId> {
        let (at, slot) = loop {
            let Reverse((at, slot)) = *self.due.peek()?;
            if at > now {
                return None;
            }
            self.due.pop();
            match &mut self.tracks[slot as usize] {
                // Another probe would be confused with one that is still open.
                track if track.is_full() => {
                    self.due.push(Reverse((now + self.settings.timeout / 16 + 1, slot)));
                }
                // A flood's timer: answers have made room since it was set, or it is time to go on without.
                Track::Many(many) if many.has_timer => {
                    many.has_timer = false;
                    if std::mem::take(&mut many.is_parked) {
                        break (at, slot);
                    }
                }
                _ => break (at, slot),
            }
        };
        if let Pace::Every(interval) = self.settings.pace
            && !self.settings.finds_pmtu
            && self.is_wanting(slot, 1)
        {
            // After a pause, Ctrl-Z say, what was missed is not made up for.
            let next = at + interval;
            let next = if next + MAKE_UP < now { now + interval } else { next };
            self.due.push(Reverse((next, slot)));
        }
        Some(slot)
    }

    /// Whether a target gets more probes beyond the next `besides`.
    fn is_wanting(&self, slot: SlotId, besides: u64) -> bool {
        let count =
            if self.hosts.is_swept(slot) { Some(self.settings.sweep_count) } else { self.settings.count };
        count.is_none_or(|count| self.tracks[slot as usize].attempts() + besides < count)
    }

    fn may_sweep(&self, now: Moment) -> bool {
        self.sweep_at <= now && self.sweeping < self.settings.sweep_window && self.held.is_empty()
    }

    fn take_swept(&mut self, now: Moment) -> Option<SlotId> {
        if self.again.front().is_some_and(|(from, _)| *from <= now) {
            return self.again.pop_front().map(|(_, slot)| slot);
        }
        let (next, end) = self.sweeps.front_mut()?;
        let slot = *next;
        *next += 1;
        if next == end {
            self.sweeps.pop_front();
        }
        Some(slot)
    }

    /// Begins a target's next probe; `None` if it is not to have one now.
    fn issue(&mut self, slot: SlotId, now: Moment) -> Option<Probe> {
        let address = self.hosts.address(slot)?;
        let track = &mut self.tracks[slot as usize];
        let horizon = now.saturating_sub(MEMORY.max(4 * self.settings.timeout));
        let number = track.issue(now, horizon);
        self.open += 1;
        let size = self.searches.get_mut(&slot).map_or(self.settings.size, Search::next_size);
        if self.hosts.is_swept(slot) {
            self.sweeping += 1;
        } else if !self.settings.finds_pmtu {
            self.plan_next(slot, now);
        }
        Some(Probe { slot, number, address, size })
    }

    /// Makes a host's next probe due where no interval says when.
    fn plan_next(&mut self, slot: SlotId, now: Moment) {
        let window = match self.settings.pace {
            Pace::Every(_) => return,
            Pace::Flood => FLOOD_WINDOW,
            Pace::Unpaced => UNPACED_WINDOW,
        };
        if !self.is_wanting(slot, 0) {
            return;
        }
        let many = self.tracks[slot as usize].many();
        if many.open < window {
            self.ready.push_back(slot);
        } else {
            many.is_parked = true;
            if self.settings.pace == Pace::Flood && !many.has_timer {
                many.has_timer = true;
                self.due.push(Reverse((now + FLOOD_TICK, slot)));
            }
        }
    }

    /// A probe went out; `at` was just before.
    pub(super) fn sent(&mut self, probe: &Probe, at: Moment) {
        let track = &mut self.tracks[probe.slot as usize];
        track.count(Statistics::send);
        track.change(probe.number, |flight| (flight.at, flight.fate) = (at, Fate::Waiting));
        self.expiring.push_back((at, probe.slot, probe.number));
        (self.hold, self.last_sent) = (HOLD.0, at);
        if !self.held.is_empty() {
            self.held_until = at;
        }
    }

    /// The kernel says when a probe left.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only the kernel's stamps and refusals need it")
    )]
    pub(super) fn left(&mut self, named: Named, at: Moment) {
        let Some(track) = self.tracks.get_mut(named.slot as usize) else { return };
        // The latest number that ends in these 32 bits.
        let back = u64::from(low(track.attempts()).wrapping_sub(named.number));
        let Some(number) = track.attempts().checked_sub(back) else { return };
        // A stamp from before it was given out is another's, or the clock was set meanwhile.
        if track
            .flight(number)
            .is_some_and(|flight| flight.fate == Fate::Waiting && at + STAMP_SLACK >= flight.at)
        {
            track.change(number, |flight| (flight.at, flight.is_stamped) = (at, true));
        }
    }

    /// The kernel has no room to send these now: they are tried again a little later, in their order.
    pub(super) fn hold(&mut self, probes: &[Probe], why: Reason, at: Moment) {
        self.held_for = Some(why);
        for probe in probes.iter().rev() {
            self.held.push_front(*probe);
        }
        self.held_until = at + self.hold;
        self.hold = (self.hold * 2).min(HOLD.1);
    }

    /// The kernel has no room for the neighbour of the first of these: they wait, or that one is given up.
    /// Gives how many were.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only the kernel's stamps and refusals need it")
    )]
    pub(super) fn hold_for_neighbour(&mut self, probes: &[Probe], why: Reason, at: Moment) -> usize {
        self.neighbours.refusals += 1;
        self.neighbours.last = at;
        if self.settings.waits_for_neighbours {
            self.neighbours.is_full = true;
            self.hold(probes, why, at);
            return 0;
        }
        self.neighbours.given_up += 1;
        if let Some(probe) = probes.first() {
            self.unsent(probe, why, at);
        }
        1
    }

    /// How long something has waited for room in the table of neighbours, if anything does.
    pub(super) fn held_for(&self, now: Moment) -> Option<Nanos> {
        let first = self.held.front().filter(|_| self.neighbours.is_full)?;
        let flight = self.tracks[first.slot as usize].flight(first.number)?;
        Some(now.saturating_sub(flight.at))
    }

    /// A probe could not be sent.
    pub(super) fn unsent(&mut self, probe: &Probe, why: Reason, at: Moment) {
        let too_big = why.mtu;
        let error = self.error_id(why);
        let track = &mut self.tracks[probe.slot as usize];
        track.count(|statistics| statistics.cannot_send(error));
        track.change(probe.number, |flight| (flight.fate, flight.error) = (Fate::Unsent, error));
        if let Some(search) = self.searches.get_mut(&probe.slot) {
            search.too_big(probe.number, too_big, None);
        }
        self.settle(probe.slot, at, 0);
        self.tell(probe.slot, Some(probe.number), at, What::Unsent(error));
    }

    /// An echo reply came in.
    pub(super) fn reply(&mut self, reply: &Reply<'_>) {
        let bytes = super::wire::HEADER_BYTES + reply.body.len();
        let named = self.cookie.read(reply.body);
        if !reply.is_ours {
            // Another program's, unless it bears this run's cookie: then somebody made it up.
            if named.is_some() {
                self.reject(named, None, reply.at);
            }
            return;
        }
        let (mut settled, mut refused) = (None, None);
        let mut slots = Hosts::find(&reply.from, named.map(|named| named.slot));
        while let Some(slot) = slots.next(&self.hosts) {
            let track = &self.tracks[slot as usize];
            let Some(number) = track.number(reply.sequence) else { continue };
            let Some(flight) = track.flight(number) else { continue };
            let verdict = self.cookie.compare(named_probe(slot, number), self.size(slot, number), reply.body);
            match verdict {
                Verdict::Same if reply.is_sound && flight.fate.is_open() => {
                    return self.answered(slot, number, reply, bytes);
                }
                // The same address twice, with bodies too short to name the slot: another may still wait.
                Verdict::Same if reply.is_sound => settled = settled.or(Some((slot, number))),
                _ => refused = refused.or(Some((slot, number, verdict))),
            }
        }
        match (settled, refused) {
            (Some((slot, number)), _) => self.answered(slot, number, reply, bytes),
            (_, Some((slot, _, Verdict::Another))) => self.reject(named, Some(slot), reply.at),
            (_, Some((slot, number, _))) => {
                self.tracks[slot as usize].many().statistics.corrupted += 1;
                self.tell(slot, Some(number), reply.at, What::Corrupt { bytes });
            }
            (None, None) => self.unexpected(named, reply, bytes),
        }
    }

    /// The bytes of a probe's body.
    fn size(&self, slot: SlotId, number: u64) -> usize {
        self.searches.get(&slot).map_or(self.settings.size, |search| search.size_of(number)).into()
    }

    /// A true reply to a probe of this run.
    fn answered(&mut self, slot: SlotId, number: u64, reply: &Reply<'_>, bytes: usize) {
        let track = &mut self.tracks[slot as usize];
        let Some(flight) = track.flight(number) else { return };
        // A reply stamped before its probe shows that the time of day was set in between: then this program's own
        // time has to do.
        let is_in_order = reply.at >= flight.at;
        let rtt = if is_in_order { reply.at } else { reply.heard }.saturating_sub(flight.at);
        let (fate, ttl) = (flight.fate, reply.ttl);
        let is_stamped = flight.is_stamped && reply.is_stamped && is_in_order;
        let is_first = !track.is_answered();
        if fate == Fate::Failed {
            // Its error is told besides.
            track.many();
        }
        let what = match fate {
            Fate::Issued | Fate::Waiting | Fate::Failed if rtt <= self.settings.timeout => {
                track.count(|statistics| {
                    if fate == Fate::Failed {
                        statistics.unfail();
                    }
                    statistics.reply(number, rtt, ttl.unwrap_or(0), is_stamped);
                });
                track.change(number, |flight| {
                    (flight.fate, flight.rtt) = (Fate::Answered, rtt);
                    (flight.ttl, flight.is_stamped) = (ttl.unwrap_or(0), is_stamped);
                });
                What::Reply { rtt, ttl, bytes }
            }
            Fate::Answered => {
                track.many().statistics.duplicates += 1;
                What::Duplicate { rtt, ttl, bytes }
            }
            _ => {
                // It came, but so late that it counts as lost.
                if fate.is_open() {
                    track.count(Statistics::time_out);
                    track.change(number, |flight| flight.fate = Fate::TimedOut);
                }
                track.many().statistics.late += 1;
                What::Late { rtt, ttl, bytes }
            }
        };
        if let Some(search) = self.searches.get_mut(&slot) {
            search.passed(number);
        }
        if is_first && matches!(what, What::Reply { .. }) && self.hosts.is_swept(slot) {
            self.progress.alive += 1;
        }
        if fate.is_open() {
            self.settle(slot, reply.at, 0);
        }
        self.tell(slot, Some(number), reply.at, what);
    }

    /// A reply that fits no probe that is remembered.
    fn unexpected(&mut self, named: Option<Named>, reply: &Reply<'_>, bytes: usize) {
        let mut slots = Hosts::find(&reply.from, named.map(|named| named.slot));
        while let (Some(slot), Some(named)) = (slots.next(&self.hosts), named) {
            let track = &mut self.tracks[slot as usize];
            let is_old = named.slot == slot && u64::from(named.number) <= track.attempts();
            let [low, high, ..] = named.number.to_le_bytes();
            if is_old && u16::from_le_bytes([low, high]) == reply.sequence && reply.is_sound {
                track.many().statistics.late += 1;
                let what = What::Late { rtt: 0, ttl: reply.ttl, bytes };
                self.tell(slot, Some(named.number.into()), reply.at, what);
                return;
            }
        }
        let from = Hosts::find(&reply.from, None).next(&self.hosts);
        self.reject(named, from, reply.at);
    }

    /// A message that looks like a reply and is none: counted for the target it comes from, or names.
    fn reject(&mut self, named: Option<Named>, from: Option<SlotId>, at: Moment) {
        let named = named.map(|named| named.slot).filter(|slot| (*slot as usize) < self.tracks.len());
        let only = (self.tracks.len() == 1).then_some(0);
        match from.or(named).or(only) {
            Some(slot) => {
                self.tracks[slot as usize].many().statistics.rejected += 1;
                self.tell(slot, None, at, What::Rejected);
            }
            None => self.strays += 1,
        }
    }

    /// An ICMP error came in.
    pub(super) fn complaint(&mut self, complaint: Complaint<'_>, at: Moment) {
        let named = self.cookie.read(complaint.body).map(|named| named.slot);
        let mut slots = Hosts::find(&complaint.to, named);
        let mut first = None;
        while let Some(slot) = slots.next(&self.hosts) {
            first = first.or(Some(slot));
            let track = &self.tracks[slot as usize];
            let Some(number) = track.number(complaint.sequence) else { continue };
            let probe = named_probe(slot, number);
            let Some(flight) = track.flight(number) else { continue };
            // A router may pad what it quotes (RFC 4884).
            let quoted = &complaint.body[..complaint.body.len().min(self.size(slot, number))];
            if !self.cookie.begins(probe, quoted) {
                continue;
            }
            let fate = flight.fate;
            if matches!(fate, Fate::Answered | Fate::Failed | Fate::Unsent) {
                return;
            }
            let is_notice = icmp::is_notice(complaint.to.family(), complaint.error.icmp_type);
            let (from, mtu) = (complaint.error.from, complaint.error.mtu);
            let error = self.error_id(complaint.error);
            let track = &mut self.tracks[slot as usize];
            if is_notice {
                track.many().statistics.notices += 1;
                self.tell(slot, Some(number), at, What::Notice(error));
                return;
            }
            // This machine itself did not find the neighbour, for want of room maybe.
            if fate == Fate::Waiting
                && from.is_some_and(|from| self.hosts.is_own(from))
                && self.is_crowded(slot, flight.at)
            {
                self.excuse_one(slot, number, at, 1);
                return;
            }
            let track = &mut self.tracks[slot as usize];
            match fate {
                Fate::Issued | Fate::Waiting => {
                    track.count(|statistics| statistics.fail(error));
                    track.change(number, |flight| (flight.fate, flight.error) = (Fate::Failed, error));
                    if let Some(search) = self.searches.get_mut(&slot) {
                        search.too_big(number, mtu, from);
                    }
                    self.settle(slot, at, 0);
                }
                // The probe was given up for lost; now it is known why.
                Fate::TimedOut | Fate::Unknown => track.many().statistics.tell_error(error),
                Fate::Answered | Fate::Failed | Fate::Unsent => return,
            }
            self.tell(slot, Some(number), at, What::Failed(error));
            return;
        }
        self.reject(self.cookie.read(complaint.body), first, at);
    }

    /// Gives up the probes that have waited too long.
    pub(super) fn expire(&mut self, now: Moment) {
        self.forget_settled();
        while let Some((at, slot, number)) = self.expiring.front().copied() {
            if at + self.settings.timeout > now {
                return;
            }
            self.expiring.pop_front();
            let Some(flight) = self.waiting(slot, number) else { continue };
            // A probe that waited for its neighbour to be found left later than it was given out.
            if flight.at > at && flight.at + self.settings.timeout > now {
                let place = self.expiring.partition_point(|(other, ..)| *other <= flight.at);
                self.expiring.insert(place, (flight.at, slot, number));
                continue;
            }
            if at <= self.excused {
                self.excuse_one(slot, number, now, MOST_SECOND_CHANCES);
                continue;
            }
            if self.is_crowded(slot, at) {
                self.excuse_one(slot, number, now, 1);
                continue;
            }
            let track = &mut self.tracks[slot as usize];
            track.count(Statistics::time_out);
            track.change(number, |flight| flight.fate = Fate::TimedOut);
            if let Some(search) = self.searches.get_mut(&slot) {
                search.lost(number);
            }
            self.tell(slot, Some(number), now, What::TimedOut);
            self.settle(slot, now, 0);
        }
    }

    /// A probe by its number, if its fate is open.
    fn waiting(&self, slot: SlotId, number: u64) -> Option<flight::Flight> {
        self.tracks[slot as usize].flight(number).filter(|flight| flight.fate == Fate::Waiting)
    }

    /// Lets go of the time-outs of probes that are settled, long before they come where they are many.
    fn forget_settled(&mut self) {
        /// So many are no burden.
        const FEW: usize = 4_096;
        while let Some((_, slot, number)) = self.expiring.front().copied()
            && self.waiting(slot, number).is_none()
        {
            self.expiring.pop_front();
        }
        if self.expiring.len() > 2 * self.open + FEW {
            let mut expiring = std::mem::take(&mut self.expiring);
            expiring.retain(|(_, slot, number)| self.waiting(*slot, *number).is_some());
            self.expiring = expiring;
        }
    }

    /// A probe's reply may have been missed here: it is not lost, and a host of a sweep is asked again.
    fn excuse_one(&mut self, slot: SlotId, number: u64, now: Moment, chances: u64) {
        let track = &mut self.tracks[slot as usize];
        let has_left = track.flight(number).is_some_and(|flight| flight.is_stamped);
        let many = track.many();
        if chances == 1 && !has_left {
            // It waited here for its neighbour, in vain.
            many.statistics.take_back();
        }
        track.change(number, |flight| flight.fate = Fate::Unknown);
        self.settle(slot, now, chances);
    }

    /// Whether a probe to a neighbour was under way while the table of neighbours was full, in which case the
    /// neighbour's own finding may have failed for that.
    fn is_crowded(&self, slot: SlotId, at: Moment) -> bool {
        self.neighbours.refusals > 0
            && self.settings.waits_for_neighbours
            && at <= self.neighbours.last + CROWDED
            && self.hosts.is_swept(slot)
            && self.tracks[slot as usize].attempts() < self.settings.sweep_count + self.settings.retries + 1
            && self.hosts.address(slot).is_some_and(|address| self.hosts.is_on_link(&address))
    }

    /// What was sent up to now may be answered unheard: the machine slept, say, or replies found no room. Such
    /// a probe is not counted as lost, and in a sweep it is sent again.
    pub(super) fn excuse(&mut self, now: Moment) {
        self.excused = now;
    }

    /// Whether a probe is about to be given up for lost.
    pub(super) fn is_expiring(&self, now: Moment) -> bool {
        self.expiring.front().is_some_and(|(at, ..)| at + self.settings.timeout <= now)
    }

    /// A probe is no longer open; if its reply may have been missed, its target has so many chances more.
    fn settle(&mut self, slot: SlotId, now: Moment, chances: u64) {
        self.open -= 1;
        let is_swept = self.hosts.is_swept(slot);
        let track = &mut self.tracks[slot as usize];
        let is_unanswered = track.open() == 0 && !track.is_answered();
        let attempts = track.attempts();
        if let Some(search) = self.searches.get(&slot) {
            if !search.is_over() {
                self.due.push(Reverse((now, slot)));
            }
            return;
        }
        if is_swept {
            self.sweeping -= 1;
            self.progress.settled += u64::from(attempts == 1);
        } else if let Track::Many(many) = track
            && many.is_parked
        {
            many.is_parked = false;
            self.ready.push_back(slot);
        }
        if attempts == 0 {
            return;
        }
        let count = if is_swept { Some(self.settings.sweep_count) } else { self.settings.count };
        let Some(count) = count else { return };
        if attempts < count {
            if is_swept {
                let interval = if let Pace::Every(interval) = self.settings.pace { interval } else { 0 };
                self.again.push_back((now + interval, slot));
            }
        } else if is_unanswered && attempts < count + self.settings.retries + chances {
            self.again.push_back((now, slot));
        }
    }

    /// When something is to be done next; `None` if only an answer can change anything.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        let expiry = self.expiring.front().map(|(at, ..)| at + self.settings.timeout);
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        let ready = (!self.ready.is_empty()).then_some(0);
        let held = (!self.held.is_empty()).then_some(self.held_until);
        let has_room = self.sweeping < self.settings.sweep_window && self.held.is_empty();
        let again = self.again.front().map(|(from, _)| self.sweep_at.max(*from));
        let swept = (!self.sweeps.is_empty()).then_some(self.sweep_at);
        let sweep = [again, swept].into_iter().flatten().min().filter(|_| has_room);
        [expiry, due, ready, held, sweep].into_iter().flatten().min()
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.open == 0
            && self.due.is_empty()
            && self.ready.is_empty()
            && self.sweeps.is_empty()
            && self.again.is_empty()
    }

    /// What happened since this was last asked.
    pub(super) fn take_news(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.news)
    }

    /// What a target's probes amount to so far.
    pub(super) fn statistics(&self, slot: SlotId) -> Statistics {
        self.tracks[slot as usize].statistics()
    }

    /// Whether a target was tried at all, and whether it answered or met an error: enough to know if it is a row.
    pub(super) fn glance(&self, slot: SlotId) -> Glance {
        match &self.tracks[slot as usize] {
            Track::Idle => Glance::Untried,
            track if track.is_answered() => Glance::Alive,
            Track::Once(flight) if matches!(flight.fate, Fate::Failed | Fate::Unsent) => Glance::Error,
            Track::Many(many) if many.statistics.has_errors() => Glance::Error,
            _ => Glance::Silent,
        }
    }

    /// What was found of the path's MTU to a target.
    pub(super) fn path_mtu(&self, slot: SlotId) -> Option<PathMtu> {
        self.searches.get(&slot).and_then(Search::found)
    }

    /// The errors of a target, counted by kind.
    pub(super) fn errors(&self, statistics: &Statistics) -> Vec<IcmpErrorCount> {
        let count = |(id, count): &(ErrorId, u64)| {
            let Reason { from, icmp_type, code, meaning, mtu } = self.error(*id).clone();
            IcmpErrorCount { from, icmp_type, code, meaning, mtu, count: *count }
        };
        statistics.errors().iter().map(count).collect()
    }

    /// An error by its place.
    pub(super) fn error(&self, id: ErrorId) -> &Reason {
        &self.errors[usize::from(id.0)]
    }

    fn error_id(&mut self, reason: Reason) -> ErrorId {
        /// A run meets a few; somebody who makes up thousands does not fill the memory with them.
        const MOST: u16 = 1_000;
        if let Some(id) = self.error_ids.get(&reason) {
            return *id;
        }
        let id = u16::try_from(self.errors.len()).unwrap_or(MOST).min(MOST);
        if id == MOST && self.errors.len() == usize::from(MOST) {
            let meaning = format!("one of more than {MOST} different errors");
            self.errors.push(Reason { from: None, icmp_type: None, code: None, meaning, mtu: None });
        } else if id < MOST {
            self.errors.push(reason.clone());
            self.error_ids.insert(reason, ErrorId(id));
        }
        ErrorId(id)
    }

    fn tell(&mut self, slot: SlotId, number: Option<u64>, at: Moment, what: What) {
        if self.settings.is_heard {
            self.news.push(Happening { slot, number, at, what });
        }
    }
}

/// What a target came to, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glance {
    /// It was not probed.
    Untried,
    /// It answered.
    Alive,
    /// It did not, and somebody said why.
    Error,
    /// It did not.
    Silent,
}

/// The name a probe's body bears.
pub(super) fn named_probe(slot: SlotId, number: u64) -> Named {
    Named { slot, number: low(number) }
}

/// A number modulo 2^32.
fn low(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
