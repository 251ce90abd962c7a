//! When rounds begin.

use std::time::{Duration, Instant};

/// When rounds begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So long after the one before began, or when that has ended; each is timed from when it was sent.
    Every(Duration),
    /// So many a second over all connections of an address, on a schedule that waits for nobody: each is timed from
    /// the moment at which it was due, so that a server's pause counts for every round that it held up.
    Rate(f64),
    /// Each as soon as the one before has ended.
    Flat,
}

/// The rounds of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pace: Pace,
    start: Instant,
    /// Which of how many connections it is, from 0.
    share: (u64, u64),
}

impl Schedule {
    pub(super) fn new(pace: Pace, start: Instant, share: (u64, u64)) -> Self {
        Self { pace, start, share }
    }

    /// When a round is due, from 1 on, by when the one before began; `None` if at once.
    #[expect(clippy::cast_precision_loss, reason = "2^53 rounds are never reached")]
    pub(super) fn due(&self, round: u64, last: Instant) -> Option<Instant> {
        let before = round.saturating_sub(1);
        match self.pace {
            Pace::Flat => None,
            Pace::Every(_) if before == 0 => None,
            Pace::Every(interval) => last.checked_add(interval),
            Pace::Rate(rate) => {
                let (index, connections) = self.share;
                let number = before as f64 * connections as f64 + index as f64;
                self.start.checked_add(Duration::try_from_secs_f64(number / rate).ok()?)
            }
        }
    }

    /// Whether there may be time between two rounds.
    pub(super) fn has_pauses(&self) -> bool {
        self.pace != Pace::Flat
    }

    /// Whether a round's time counts from when it was due.
    pub(super) fn counts_from_due(&self) -> bool {
        matches!(self.pace, Pace::Rate(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_due_at_their_own_moments() {
        let start = Instant::now();
        let after = |pace, share, round| {
            Schedule::new(pace, start, share)
                .due(round, start)
                .map(|due| due.duration_since(start).as_micros())
        };
        assert_eq!(after(Pace::Flat, (0, 1), 5), None);
        let every = Pace::Every(Duration::from_millis(200));
        assert_eq!((after(every, (0, 1), 1), after(every, (0, 1), 4)), (None, Some(200_000)));
        // Four connections share a thousand a second.
        let rate = Pace::Rate(1000.0);
        assert_eq!((after(rate, (0, 4), 1), after(rate, (3, 4), 1)), (Some(0), Some(3_000)));
        assert_eq!((after(rate, (0, 4), 2), after(rate, (3, 4), 251)), (Some(4_000), Some(1_003_000)));
    }
}
