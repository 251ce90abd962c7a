//! The one engine, for one target and for 65,536: who is probed when, and what becomes of each probe.
//!
//! A pure state machine: it knows no socket and no clock. A [`Transport`](super::transport::Transport) takes
//! the probes it gives out and tells it what came of them; whoever runs it says what time it is.

mod answers;
mod flight;
mod sending;
mod settling;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use flight::{Fate, Track};

use super::body::{Cookie, Named};
use super::hosts::{Hosts, SlotId};
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
    /// Which [`Happening`]s are told.
    pub(super) telling: Telling,
}

/// Which [`Happening`]s are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// None: nobody listens.
    Nothing,
    /// All but [`What::Outstanding`].
    Usual,
    /// All.
    Everything,
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
    /// Its reply may have come while this machine could not hear it.
    Excused,
    /// It is still not answered when the next one leaves.
    Outstanding,
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
    /// Hosts of sweeps to be sent to once no other waits for room in the table of neighbours.
    when_calm: VecDeque<SlotId>,
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
    /// Whether it was IPv6's, the last time.
    pub(super) is_v6: bool,
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
            when_calm: VecDeque::new(),
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

    /// When something is to be done next; `None` if only an answer can change anything.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        let expiry = self.expiring.front().map(|(at, ..)| at + self.settings.timeout);
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        let ready = (!self.ready.is_empty()).then_some(0);
        let held = (!self.held.is_empty()).then_some(self.held_until);
        let has_room = self.sweeping < self.settings.sweep_window && self.held.is_empty();
        let again = self.again.front().map(|(from, _)| self.sweep_at.max(*from));
        let swept = (!self.sweeps.is_empty()).then_some(self.sweep_at);
        let calm = self.calm_from().map(|from| self.sweep_at.max(from));
        let sweep = [again, swept, calm].into_iter().flatten().min().filter(|_| has_room);
        [expiry, due, ready, held, sweep].into_iter().flatten().min()
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.open == 0
            && self.due.is_empty()
            && self.ready.is_empty()
            && self.sweeps.is_empty()
            && self.again.is_empty()
            && self.when_calm.is_empty()
    }

    /// What happened since this was last asked.
    pub(super) fn take_news(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.news)
    }

    /// How many probes of a target were tried so far; the number of the last.
    pub(super) fn attempts(&self, slot: SlotId) -> u64 {
        self.tracks[slot as usize].attempts()
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
        if self.settings.telling != Telling::Nothing {
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

impl Glance {
    /// Whether nothing is known to be wrong with it.
    pub(super) fn is_well(self) -> bool {
        matches!(self, Self::Untried | Self::Alive)
    }
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
