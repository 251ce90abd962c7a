//! What one target's probes amount to: pure counting, no clock and no socket.

use super::engine::{ErrorId, Moment, Nanos};
use super::report::Outcome;
use crate::measure::{Summary, Times};

/// The counts of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    sent: u64,
    unsent: u64,
    received: u64,
    timed_out: u64,
    failed: u64,
    reordered: u64,
    /// Second replies to one probe.
    pub(super) duplicates: u64,
    /// Replies after the time-out.
    pub(super) late: u64,
    /// Replies with another content than was sent.
    pub(super) corrupted: u64,
    /// Messages that looked like replies, or errors, and were none.
    pub(super) rejected: u64,
    /// Redirects and source quenches.
    pub(super) notices: u64,
    /// The highest number of a probe that was answered.
    highest_answered: u64,
    /// Of the last reply that told one; 0 if none did.
    ttl: u8,
    /// Replies whose times this program took.
    user_timed: u64,
    times: Times,
    errors: Vec<(ErrorId, u64)>,
    pub(super) outages: Outages,
}

impl Statistics {
    /// A probe went out.
    pub(super) fn send(&mut self) {
        self.sent += 1;
    }

    /// A probe did not go out after all.
    pub(super) fn take_back(&mut self) {
        self.sent = self.sent.saturating_sub(1);
    }

    /// A probe could not be sent.
    pub(super) fn cannot_send(&mut self, error: ErrorId) {
        self.unsent += 1;
        self.tell_error(error);
    }

    /// A probe was answered; `ttl` is 0 where it was not told.
    pub(super) fn reply(&mut self, number: u64, rtt: Nanos, ttl: u8, is_stamped: bool) {
        self.received += 1;
        self.reordered += u64::from(number < self.highest_answered);
        self.highest_answered = self.highest_answered.max(number);
        self.ttl = if ttl > 0 { ttl } else { self.ttl };
        self.user_timed += u64::from(!is_stamped);
        self.times.add(std::time::Duration::from_nanos(rtt));
    }

    /// A probe was not answered in time.
    pub(super) fn time_out(&mut self) {
        self.timed_out += 1;
    }

    /// A probe met an error.
    pub(super) fn fail(&mut self, error: ErrorId) {
        self.failed += 1;
        self.tell_error(error);
    }

    /// A probe that met an error was answered after all.
    pub(super) fn unfail(&mut self) {
        self.failed -= 1;
    }

    /// Counts an error with the others like it.
    pub(super) fn tell_error(&mut self, error: ErrorId) {
        match self.errors.iter_mut().find(|(known, _)| *known == error) {
            Some((_, count)) => *count += 1,
            None => self.errors.push((error, 1)),
        }
    }

    /// Probes that went out.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Probes that this machine could not send.
    pub(super) fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Probes that were answered.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Replies that came after the reply to a later probe.
    pub(super) fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Probes whose fate is not known: neither answered nor lost.
    pub(super) fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.received + self.lost())
    }

    /// Probes that were not answered, or met an error.
    pub(super) fn lost(&self) -> u64 {
        self.timed_out + self.failed
    }

    /// The lost of those whose fate is known, in percent; `None` while none is.
    #[expect(clippy::cast_precision_loss, reason = "a percentage of fewer than 2^53 probes")]
    pub(super) fn loss_percent(&self) -> Option<f64> {
        let known = self.received + self.lost();
        (known > 0).then(|| (self.lost() as f64 * 10_000.0 / known as f64).round() / 100.0)
    }

    /// The time to live of the last reply that told one.
    pub(super) fn ttl(&self) -> Option<u8> {
        Some(self.ttl).filter(|ttl| *ttl > 0)
    }

    /// The round-trip times; `None` without a reply.
    pub(super) fn rtt(&self) -> Option<Summary> {
        self.times.summary()
    }

    /// Whether the kernel took the times of every reply; `None` without a reply.
    pub(super) fn is_stamped(&self) -> Option<bool> {
        (self.received > 0).then_some(self.user_timed == 0)
    }

    /// Whether any probe met an error.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The errors, each with its count.
    pub(super) fn errors(&self) -> &[(ErrorId, u64)] {
        &self.errors
    }

    /// What it all amounts to; `None` while no probe's fate is known.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match (self.received, self.lost() + self.unsent, self.errors.is_empty()) {
            (0, 0, _) => None,
            (_, 0, _) => Some(Outcome::Alive),
            (0, _, true) => Some(Outcome::Silent),
            (0, _, false) => Some(Outcome::Error),
            _ => Some(Outcome::Partial),
        }
    }
}

/// Stretches of probes of which none was answered, in the order they were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Outages {
    current: Option<Outage>,
    longest: Option<Outage>,
}

/// One stretch of probes that were not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// When the first of them was sent.
    pub(super) began: Moment,
    /// When the next that was answered was sent; `None` if none was.
    pub(super) ended: Option<Moment>,
    /// When the last of them was sent.
    pub(super) last: Moment,
    /// How many there were.
    pub(super) probes: u64,
}

impl Outage {
    /// From the first probe that was lost to the next that was answered, or to the last that was lost.
    pub(super) fn duration(&self) -> Nanos {
        self.ended.unwrap_or(self.last).saturating_sub(self.began)
    }
}

impl Outages {
    /// A probe that was sent at this moment was not answered.
    pub(super) fn go_on(&mut self, at: Moment) {
        let current = self.current.get_or_insert(Outage { began: at, ended: None, last: at, probes: 0 });
        (current.last, current.probes) = (at, current.probes + 1);
    }

    /// A probe that was sent at this moment was answered.
    pub(super) fn end(&mut self, at: Moment) {
        if let Some(outage) = self.current.take() {
            self.keep(Outage { ended: Some(at), ..outage });
        }
    }

    /// The longest so far.
    pub(super) fn longest(&self) -> Option<Outage> {
        let mut all = self.clone();
        if let Some(current) = all.current.take() {
            all.keep(current);
        }
        all.longest
    }

    fn keep(&mut self, outage: Outage) {
        let rank = |outage: &Outage| (outage.duration(), outage.probes);
        if self.longest.is_none_or(|longest| rank(&outage) > rank(&longest)) {
            self.longest = Some(outage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_by_what_came_back() {
        let mut none = Statistics::default();
        none.send();
        assert_eq!((none.outcome(), none.in_flight(), none.loss_percent()), (None, 1, None));
        let mut silent = none.clone();
        silent.time_out();
        assert_eq!(
            (silent.outcome(), silent.lost(), silent.loss_percent()),
            (Some(Outcome::Silent), 1, Some(100.0))
        );
        let mut error = none.clone();
        error.fail(ErrorId(0));
        assert_eq!(error.outcome(), Some(Outcome::Error));
        let mut unsent = Statistics::default();
        unsent.cannot_send(ErrorId(0));
        assert_eq!((unsent.outcome(), unsent.sent(), unsent.lost()), (Some(Outcome::Error), 0, 0));
        assert_eq!(unsent.loss_percent(), None, "what was never sent is not lost");
        let mut alive = none;
        alive.reply(1, 40_000, 64, true);
        assert_eq!(
            (alive.outcome(), alive.loss_percent(), alive.ttl()),
            (Some(Outcome::Alive), Some(0.0), Some(64))
        );
        alive.send();
        alive.send();
        alive.time_out();
        assert_eq!((alive.outcome(), alive.in_flight()), (Some(Outcome::Partial), 1));
        assert_eq!(alive.loss_percent(), Some(50.0), "what is in flight is not lost");
    }

    #[test]
    fn an_error_is_never_a_reply_and_like_ones_are_counted_together() {
        let mut statistics = Statistics::default();
        for _ in 0..3 {
            statistics.send();
            statistics.fail(ErrorId(0));
        }
        statistics.send();
        statistics.fail(ErrorId(1));
        assert_eq!((statistics.received(), statistics.lost()), (0, 4));
        assert_eq!(statistics.errors(), [(ErrorId(0), 3), (ErrorId(1), 1)]);
        assert_eq!(statistics.rtt(), None);
    }

    #[test]
    fn a_reply_behind_a_later_one_is_reordered() {
        let mut statistics = Statistics::default();
        for number in [1, 3, 2, 4] {
            statistics.send();
            statistics.reply(number, 1_000_000, 0, false);
        }
        assert_eq!(statistics.reordered(), 1);
    }

    #[test]
    fn the_longest_outage_with_when_it_began_and_ended() {
        let mut outages = Outages::default();
        assert_eq!(outages.longest(), None);
        for (at, lost) in
            [(1, false), (2, true), (3, false), (4, true), (5, true), (6, true), (7, false), (8, true)]
        {
            if lost { outages.go_on(at) } else { outages.end(at) }
        }
        assert_eq!(outages.longest(), Some(Outage { began: 4, ended: Some(7), last: 6, probes: 3 }));
        (9..20).for_each(|at| outages.go_on(at));
        assert_eq!(outages.longest(), Some(Outage { began: 8, ended: None, last: 19, probes: 12 }));
    }
}
