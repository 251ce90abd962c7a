//! Who is probed when, and what became of sending.

use std::cmp::Reverse;

use super::flight::{Fate, Track};
use super::settling::Chances;
use super::{
    Engine, FLOOD_TICK, FLOOD_WINDOW, HOLD, MAKE_UP, MEMORY, Moment, NEIGHBOUR_PATIENCE, Nanos, Pace, Probe,
    ROOM_PATIENCE, Reason, STAMP_SLACK, Telling, UNPACED_WINDOW, What, low,
};
use crate::ping::body::Named;
use crate::ping::hosts::SlotId;
use crate::ping::pmtu::Search;
use crate::ping::statistics::Statistics;

impl Engine {
    /// Takes the probes that are due, at most `room`.
    pub(in crate::ping) fn fill(&mut self, now: Moment, room: usize, batch: &mut Vec<Probe>) {
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
    pub(super) fn give_up_held(&mut self, now: Moment) {
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

    pub(super) fn take_due(&mut self, now: Moment) -> Option<SlotId> {
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
    pub(super) fn is_wanting(&self, slot: SlotId, besides: u64) -> bool {
        let count =
            if self.hosts.is_swept(slot) { Some(self.settings.sweep_count) } else { self.settings.count };
        count.is_none_or(|count| self.tracks[slot as usize].attempts() + besides < count)
    }

    pub(super) fn may_sweep(&self, now: Moment) -> bool {
        self.sweep_at <= now && self.sweeping < self.settings.sweep_window && self.held.is_empty()
    }

    pub(super) fn take_swept(&mut self, now: Moment) -> Option<SlotId> {
        if self.again.front().is_some_and(|(from, _)| *from <= now) {
            return self.again.pop_front().map(|(_, slot)| slot);
        }
        if self.calm_from().is_some_and(|from| from <= now) {
            return self.when_calm.pop_front();
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
    pub(super) fn issue(&mut self, slot: SlotId, now: Moment) -> Option<Probe> {
        let address = self.hosts.address(slot)?;
        let track = &mut self.tracks[slot as usize];
        let horizon = now.saturating_sub(MEMORY.max(4 * self.settings.timeout));
        let number = track.issue(now, horizon);
        if self.settings.telling == Telling::Everything
            && let Some(last) = number.checked_sub(1)
            && self.tracks[slot as usize].flight(last).is_some_and(|flight| flight.fate == Fate::Waiting)
        {
            self.tell(slot, Some(last), now, What::Outstanding);
        }
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
    pub(super) fn plan_next(&mut self, slot: SlotId, now: Moment) {
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
    pub(in crate::ping) fn sent(&mut self, probe: &Probe, at: Moment) {
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
    pub(in crate::ping) fn left(&mut self, named: Named, at: Moment) {
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
    pub(in crate::ping) fn hold(&mut self, probes: &[Probe], why: Reason, at: Moment) {
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
    pub(in crate::ping) fn hold_for_neighbour(&mut self, probes: &[Probe], why: Reason, at: Moment) -> usize {
        self.neighbours.refusals += 1;
        self.neighbours.last = at;
        self.neighbours.is_v6 = probes.first().is_some_and(|probe| probe.address.ip.is_ipv6());
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
    pub(in crate::ping) fn held_for(&self, now: Moment) -> Option<Nanos> {
        let first = self.held.front().filter(|_| self.neighbours.is_full)?;
        let flight = self.tracks[first.slot as usize].flight(first.number)?;
        Some(now.saturating_sub(flight.at))
    }

    /// A probe could not be sent.
    pub(in crate::ping) fn unsent(&mut self, probe: &Probe, why: Reason, at: Moment) {
        let too_big = why.mtu;
        let error = self.error_id(why);
        let track = &mut self.tracks[probe.slot as usize];
        track.count(|statistics| statistics.cannot_send(error));
        track.change(probe.number, |flight| (flight.fate, flight.error) = (Fate::Unsent, error));
        if let Some(search) = self.searches.get_mut(&probe.slot) {
            search.too_big(probe.number, too_big, None);
        }
        self.settle(probe.slot, at, Chances::None);
        self.tell(probe.slot, Some(probe.number), at, What::Unsent(error));
    }
}
