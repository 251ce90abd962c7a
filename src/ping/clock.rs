//! The run's clock: one that never steps, and the time of day beside it.

use std::time::{Duration, SystemTime};

use super::engine::{Moment, Nanos};
use crate::sys::{self, Clocks};

/// Two readings that differ by less than this are the same: reading takes time too.
const NOISE: Nanos = 1_000;
/// Two readings may be so far apart.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only the kernel's stamps and refusals need it")
)]
const SLACK: Nanos = 50_000;
/// A step of the time of day, or a sleep, is told from this on.
const TELLING: Nanos = 100_000_000;

/// The monotonic clock, and how far ahead of it the time of day is.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    reading: Clocks,
    /// What the time of day is ahead, in nanoseconds.
    ahead: Nanos,
    /// The same without its slow changes, and the sleep, when the last disturbance was told.
    told: (Nanos, Nanos),
    /// Until when the time of day was how far ahead, before the sleeps and steps so far.
    before: Vec<(Moment, Nanos)>,
}

/// What came over the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disturbance {
    /// The machine slept so long.
    Slept(Nanos),
    /// The time of day was set forward, or back, by so much.
    Stepped(Nanos),
}

impl Clock {
    pub(super) fn start() -> Self {
        let reading = sys::clocks();
        let ahead = reading.realtime.saturating_sub(reading.monotonic);
        Self { reading, ahead, told: (ahead, reading.suspended), before: Vec::new() }
    }

    /// Reads the clocks; tells if something came over them since the last time.
    pub(super) fn tick(&mut self) -> (Moment, Option<Disturbance>) {
        self.take(sys::clocks())
    }

    fn take(&mut self, reading: Clocks) -> (Moment, Option<Disturbance>) {
        /// So many sleeps and steps are remembered.
        const MOST: usize = 1_000;
        let last = std::mem::replace(&mut self.reading, reading).monotonic;
        let was_ahead = self.ahead;
        let ahead = reading.realtime.saturating_sub(reading.monotonic);
        let slow = ahead.abs_diff(self.ahead);
        // A reading that was interrupted says no more than how far its parts may be apart.
        if slow > NOISE + reading.took {
            self.ahead = ahead;
        }
        let slept = reading.suspended.saturating_sub(self.told.1);
        // What the machine slept, the time of day is ahead by too.
        let stepped = ahead.abs_diff(self.told.0.saturating_add(slept));
        if slow < TELLING {
            // Slewing, by adjtime(2) say, is no step.
            self.told.0 = ahead;
        }
        let disturbance = if slept >= TELLING {
            Some(Disturbance::Slept(slept))
        } else if slow >= TELLING && stepped >= TELLING {
            Some(Disturbance::Stepped(stepped))
        } else {
            None
        };
        if disturbance.is_some() {
            if self.before.len() < MOST {
                self.before.push((last, was_ahead));
            }
            self.told = (ahead, reading.suspended);
        }
        (reading.monotonic, disturbance)
    }

    /// The moment it is.
    pub(super) fn now() -> Moment {
        sys::clocks().monotonic
    }

    /// The moment of a time of day in nanoseconds since 1970 that the kernel stamped something with, no later
    /// than now; `None` of one that is clearly in the future: the time of day was set meanwhile.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only the kernel's stamps and refusals need it")
    )]
    pub(super) fn moment(&self, realtime: Nanos, now: Moment) -> Option<Moment> {
        let moment = realtime.saturating_sub(self.ahead);
        (moment <= now + SLACK).then_some(moment.min(now))
    }

    /// The time of day of a moment.
    pub(super) fn time_of_day(&self, moment: Moment) -> SystemTime {
        let before = self.before.iter().find(|(until, _)| moment <= *until);
        let ahead = before.map_or(self.ahead, |(_, ahead)| *ahead);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(moment.saturating_add(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    #[test]
    fn sleep_and_steps_are_told_and_slewing_is_not() {
        let at = |monotonic, realtime, suspended| Clocks { monotonic, realtime, suspended, took: 50 };
        let first = at(10 * S, 1_000 * S, 0);
        let mut clock = Clock { reading: first, ahead: 990 * S, told: (990 * S, 0), before: Vec::new() };
        // 500 ppm of slewing over an hour: 1.8 s in all, half a millisecond each second.
        for second in 1..3600 {
            let reading = at(10 * S + second * S, 1_000 * S + second * (S + 500_000), 0);
            assert_eq!(clock.take(reading).1, None, "{second}");
        }
        let base = clock.reading;
        let before_sleep = clock.time_of_day(base.monotonic - S);
        let slept = at(base.monotonic + S, base.realtime + 61 * S, 60 * S);
        assert_eq!(clock.take(slept).1, Some(Disturbance::Slept(60 * S)));
        assert_eq!(clock.take(at(slept.monotonic + S, slept.realtime + S, 60 * S)).1, None);
        let back = at(slept.monotonic + 2 * S, slept.realtime - 8 * S, 60 * S);
        assert_eq!(clock.take(back).1, Some(Disturbance::Stepped(10 * S)));
        assert_eq!(clock.moment(back.realtime, back.monotonic), Some(back.monotonic));
        assert_eq!(clock.moment(back.realtime + S, back.monotonic), None);
        assert_eq!(clock.time_of_day(base.monotonic - S), before_sleep, "what was before stays when it was");
        let torn = Clocks { realtime: back.realtime + 40_000, took: 50_000, ..back };
        clock.take(torn);
        assert_eq!(
            clock.moment(back.realtime, back.monotonic + 1),
            Some(back.monotonic),
            "a torn reading is no news"
        );
    }
}
