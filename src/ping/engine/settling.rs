//! What ends a probe without an answer, and what follows from its end.

use std::cmp::Reverse;

use super::flight::{Fate, Flight, Track};
use super::{CROWDED, Engine, MOST_SECOND_CHANCES, Moment, Pace, What};
use crate::ping::hosts::SlotId;
use crate::ping::statistics::Statistics;

/// The further probes of a target whose replies may have been missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chances {
    None,
    /// As soon as may be.
    Soon,
    /// One, once no other waits for room in the table of neighbours: before, it would fail for the same reason.
    WhenCalm,
}

impl Chances {
    fn most(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Soon => MOST_SECOND_CHANCES,
            Self::WhenCalm => 1,
        }
    }
}

impl Engine {
    /// Gives up the probes that have waited too long.
    pub(in crate::ping) fn expire(&mut self, now: Moment) {
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
                self.excuse_one(slot, number, now, Chances::Soon);
                continue;
            }
            if self.is_crowded(slot, at) {
                self.excuse_one(slot, number, now, Chances::WhenCalm);
                continue;
            }
            let track = &mut self.tracks[slot as usize];
            track.count(Statistics::time_out);
            track.change(number, |flight| flight.fate = Fate::TimedOut);
            if let Some(search) = self.searches.get_mut(&slot) {
                search.lost(number);
            }
            self.tell(slot, Some(number), now, What::TimedOut);
            self.settle(slot, now, Chances::None);
        }
    }

    /// A probe by its number, if its fate is open.
    pub(super) fn waiting(&self, slot: SlotId, number: u64) -> Option<Flight> {
        self.tracks[slot as usize].flight(number).filter(|flight| flight.fate == Fate::Waiting)
    }

    /// Lets go of the time-outs of probes that are settled, long before they come where they are many.
    pub(super) fn forget_settled(&mut self) {
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
    pub(super) fn excuse_one(&mut self, slot: SlotId, number: u64, now: Moment, chances: Chances) {
        let track = &mut self.tracks[slot as usize];
        let has_left = track.flight(number).is_some_and(|flight| flight.is_stamped);
        let many = track.many();
        if chances == Chances::WhenCalm && !has_left {
            // It waited here for its neighbour, in vain.
            many.statistics.take_back();
        }
        track.change(number, |flight| flight.fate = Fate::Unknown);
        self.tell(slot, Some(number), now, What::Excused);
        self.settle(slot, now, chances);
    }

    /// Whether a probe to a neighbour was under way while the table of neighbours was full, in which case the
    /// neighbour's own finding may have failed for that.
    pub(super) fn is_crowded(&self, slot: SlotId, at: Moment) -> bool {
        self.neighbours.refusals > 0
            && self.settings.waits_for_neighbours
            && at <= self.neighbours.last + CROWDED
            && self.hosts.is_swept(slot)
            && self.tracks[slot as usize].attempts() < self.settings.sweep_count + self.settings.retries + 1
            && self.hosts.address(slot).is_some_and(|address| self.hosts.is_on_link(&address))
    }

    /// From when on those may be asked again whose neighbours were sought in a crowd.
    pub(super) fn calm_from(&self) -> Option<Moment> {
        let is_last = self.again.is_empty() && self.sweeps.is_empty() && self.held.is_empty();
        (is_last && !self.when_calm.is_empty()).then_some(self.neighbours.last + CROWDED)
    }

    /// What was sent up to now may be answered unheard: the machine slept, say, or replies found no room. Such
    /// a probe is not counted as lost, and in a sweep it is sent again.
    pub(in crate::ping) fn excuse(&mut self, now: Moment) {
        self.excused = now;
    }

    /// Whether a probe is about to be given up for lost.
    pub(in crate::ping) fn is_expiring(&self, now: Moment) -> bool {
        self.expiring.front().is_some_and(|(at, ..)| at + self.settings.timeout <= now)
    }

    /// A probe is no longer open; if its reply may have been missed, its target has chances more.
    pub(super) fn settle(&mut self, slot: SlotId, now: Moment, chances: Chances) {
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
        let count = if is_swept { Some(self.settings.sweep_count) } else { self.settings.count };
        let Some(count) = count else { return };
        if attempts < count {
            if is_swept {
                let interval = if let Pace::Every(interval) = self.settings.pace { interval } else { 0 };
                self.again.push_back((now + interval, slot));
            }
        } else if is_unanswered && attempts < count + self.settings.retries + chances.most() {
            if chances == Chances::WhenCalm {
                self.when_calm.push_back(slot);
            } else {
                self.again.push_back((now, slot));
            }
        }
    }
}
