//! What one target's probes amount to: pure counting, no clock and no socket.

use std::time::Duration;

use super::report::{IcmpErrorCount, Outcome};
use crate::measure::{Summary, Times};

/// The counts of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    sent: u64,
    received: u64,
    timed_out: u64,
    failed: u64,
    reordered: u64,
    /// The highest number of a probe that was answered.
    highest_answered: u64,
    ttl: Option<u8>,
    times: Times,
    errors: Vec<IcmpErrorCount>,
}

impl Statistics {
    /// A probe went out; gives its number, from 1.
    pub(super) fn send(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// A probe was answered.
    pub(super) fn reply(&mut self, number: u64, rtt: Duration, ttl: Option<u8>) {
        self.received += 1;
        self.reordered += u64::from(number < self.highest_answered);
        self.highest_answered = self.highest_answered.max(number);
        self.ttl = ttl.or(self.ttl);
        self.times.add(rtt);
    }

    /// A probe was not answered in time.
    pub(super) fn time_out(&mut self) {
        self.timed_out += 1;
    }

    /// The time is up: where nothing at all is known yet, the probes in flight were not answered in it.
    pub(super) fn end(&mut self) {
        if self.outcome().is_none() {
            self.timed_out = self.sent;
        }
    }

    /// A probe met an error, which counts as one with the others like it.
    pub(super) fn error(&mut self, error: IcmpErrorCount) {
        self.failed += 1;
        match self.errors.iter_mut().find(|known| known.is_like(&error)) {
            Some(known) => known.count += 1,
            None => self.errors.push(IcmpErrorCount { count: 1, ..error }),
        }
    }

    /// Probes that went out.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Probes that were answered.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Replies that came after the reply to a later probe.
    pub(super) fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Probes whose fate was not known when the run ended: neither answered nor lost.
    pub(super) fn in_flight(&self) -> u64 {
        self.sent - self.received - self.lost()
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
        self.ttl
    }

    /// The round-trip times; `None` without a reply.
    pub(super) fn rtt(&self) -> Option<Summary> {
        self.times.summary()
    }

    /// The errors, by sender and kind.
    pub(super) fn errors(&self) -> &[IcmpErrorCount] {
        &self.errors
    }

    /// What it all amounts to; `None` while no probe's fate is known.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match (self.received, self.lost(), self.failed) {
            (0, 0, _) => None,
            (_, 0, _) => Some(Outcome::Alive),
            (0, _, 0) => Some(Outcome::Silent),
            (0, _, _) => Some(Outcome::Error),
            _ => Some(Outcome::Partial),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> IcmpErrorCount {
        IcmpErrorCount {
            from: Some("10.0.0.254".parse().unwrap()),
            icmp_type: Some(3),
            code: Some(1),
            meaning: "host unreachable".into(),
            mtu: None,
            count: 1,
        }
    }

    #[test]
    fn outcomes_by_what_came_back() {
        let mut none = Statistics::default();
        none.send();
        assert_eq!((none.outcome(), none.in_flight(), none.loss_percent()), (None, 1, None));
        let mut at_deadline = none.clone();
        at_deadline.end();
        assert_eq!((at_deadline.outcome(), at_deadline.lost()), (Some(Outcome::Silent), 1));
        let mut silent = none.clone();
        silent.time_out();
        assert_eq!(
            (silent.outcome(), silent.lost(), silent.loss_percent()),
            (Some(Outcome::Silent), 1, Some(100.0))
        );
        let mut error = none.clone();
        error.error(unreachable());
        assert_eq!(error.outcome(), Some(Outcome::Error));
        let mut alive = none;
        alive.reply(1, Duration::from_micros(40), Some(64));
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
            statistics.error(unreachable());
        }
        statistics.send();
        statistics.error(IcmpErrorCount { code: Some(13), ..unreachable() });
        assert_eq!((statistics.received(), statistics.lost()), (0, 4));
        assert_eq!(statistics.errors().iter().map(|error| error.count).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(statistics.rtt(), None);
    }

    #[test]
    fn a_reply_behind_a_later_one_is_reordered() {
        let mut statistics = Statistics::default();
        for number in [1, 3, 2, 4] {
            statistics.send();
            statistics.reply(number, Duration::from_millis(1), None);
        }
        assert_eq!(statistics.reordered(), 1);
    }
}
