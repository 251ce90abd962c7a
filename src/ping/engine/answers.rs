//! What comes in: which probe it answers, and whether it is true.

use super::flight::Fate;
use super::settling::Chances;
use super::{Complaint, Engine, Moment, Reply, What, named_probe};
use crate::ping::body::{Named, Verdict};
use crate::ping::hosts::{Hosts, SlotId};
use crate::ping::statistics::Statistics;
use crate::wire::icmp;

impl Engine {
    /// An echo reply came in.
    pub(in crate::ping) fn reply(&mut self, reply: &Reply<'_>) {
        let bytes = crate::wire::echo::HEADER_BYTES + reply.body.len();
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
    pub(super) fn size(&self, slot: SlotId, number: u64) -> usize {
        self.searches.get(&slot).map_or(self.settings.size, |search| search.size_of(number)).into()
    }

    /// A true reply to a probe of this run.
    pub(super) fn answered(&mut self, slot: SlotId, number: u64, reply: &Reply<'_>, bytes: usize) {
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
            self.settle(slot, reply.at, Chances::None);
        }
        self.tell(slot, Some(number), reply.at, what);
    }

    /// A reply that fits no probe that is remembered.
    pub(super) fn unexpected(&mut self, named: Option<Named>, reply: &Reply<'_>, bytes: usize) {
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
    pub(super) fn reject(&mut self, named: Option<Named>, from: Option<SlotId>, at: Moment) {
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
    pub(in crate::ping) fn complaint(&mut self, complaint: Complaint<'_>, at: Moment) {
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
            let numbers = complaint.error.icmp_type.zip(complaint.error.code);
            let family = complaint.to.family();
            let is_notice =
                numbers.is_some_and(|(icmp_type, code)| icmp::Error::of(family, icmp_type, code).is_notice());
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
                self.excuse_one(slot, number, at, Chances::WhenCalm);
                return;
            }
            let track = &mut self.tracks[slot as usize];
            if fate.is_open() {
                track.count(|statistics| statistics.fail(error));
                track.change(number, |flight| (flight.fate, flight.error) = (Fate::Failed, error));
                if let Some(search) = self.searches.get_mut(&slot) {
                    search.too_big(number, mtu, from);
                }
                self.settle(slot, at, Chances::None);
            } else {
                // The probe was given up for lost; now it is known why.
                track.many().statistics.tell_error(error);
            }
            self.tell(slot, Some(number), at, What::Failed(error));
            return;
        }
        self.reject(self.cookie.read(complaint.body), first, at);
    }
}
