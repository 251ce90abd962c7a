//! The probes of one target under way: which was sent when, and what became of it.

use std::collections::VecDeque;

use super::{ErrorId, Moment, Nanos};
use crate::ping::statistics::Statistics;

/// One probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// When it left, or was about to.
    pub(super) at: Moment,
    /// Its round-trip time, once it was answered.
    pub(super) rtt: Nanos,
    /// The error it met.
    pub(super) error: ErrorId,
    /// The reply's time to live; 0 if it was not told.
    pub(super) ttl: u8,
    pub(super) fate: Fate,
    /// Whether the kernel took the time it left.
    pub(super) is_stamped: bool,
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is about to be sent.
    Issued,
    /// It was sent, and nothing is known yet.
    Waiting,
    /// It was answered.
    Answered,
    /// It was not, in time.
    TimedOut,
    /// It met an ICMP error.
    Failed,
    /// This machine could not send it.
    Unsent,
    /// Its reply may have come while this machine could not hear it.
    Unknown,
}

impl Flight {
    pub(super) fn issued(at: Moment) -> Self {
        Self { at, rtt: 0, error: ErrorId(0), ttl: 0, fate: Fate::Issued, is_stamped: false }
    }
}

impl Fate {
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Issued | Self::Waiting)
    }
}

/// One target's probes and what they amount to.
///
/// A sweep has 65,536 of these, nearly all with a single probe: that one is kept by itself, and the statistics
/// are made from it when they are asked for.
#[derive(Debug, Default)]
pub(super) enum Track {
    /// Nothing was sent.
    #[default]
    Idle,
    /// One probe, and nothing that its fate does not tell.
    Once(Flight),
    /// Everything else.
    Many(Box<Many>),
}

/// The probes of one target.
#[derive(Debug, Default)]
pub(super) struct Many {
    pub(super) statistics: Statistics,
    /// The latest probes in order; those that are long settled are forgotten.
    flights: VecDeque<Flight>,
    /// The number of the first of them.
    first: u64,
    /// The number of the last probe before which everything is settled.
    settled: u64,
    /// How many of them are open.
    pub(super) open: u32,
    /// Whether it waits for room in its window to send the next.
    pub(super) is_parked: bool,
    /// Whether it will be looked at again at a known time.
    pub(super) has_timer: bool,
}

/// So many probes of one target are remembered at most: their 16-bit sequence numbers must stay unambiguous.
const MOST_FLIGHTS: usize = 1 << 15;

impl Track {
    /// How many probes were tried so far; the number of the last.
    pub(super) fn attempts(&self) -> u64 {
        match self {
            Self::Idle => 0,
            Self::Once(_) => 1,
            Self::Many(many) => many.first + many.flights.len() as u64 - 1,
        }
    }

    /// How many probes are open.
    pub(super) fn open(&self) -> u32 {
        match self {
            Self::Idle => 0,
            Self::Once(flight) => flight.fate.is_open().into(),
            Self::Many(many) => many.open,
        }
    }

    /// Whether another probe would be confused with one that is still open.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Many(many) if many.open > 0 && many.flights.len() >= MOST_FLIGHTS
            && many.settled < many.first)
    }

    /// Whether any probe was answered.
    pub(super) fn is_answered(&self) -> bool {
        match self {
            Self::Idle => false,
            Self::Once(flight) => flight.fate == Fate::Answered,
            Self::Many(many) => many.statistics.received() > 0,
        }
    }

    /// Begins a probe, and gives its number, from 1; forgets those that were settled before `horizon`.
    pub(super) fn issue(&mut self, now: Moment, horizon: Moment) -> u64 {
        if let Self::Idle = self {
            *self = Self::Once(Flight::issued(now));
            return 1;
        }
        let many = self.many();
        many.flights.push_back(Flight::issued(now));
        many.open += 1;
        while many.flights.len() > 1
            && many.first <= many.settled
            && (many.flights[0].at < horizon || many.flights.len() > MOST_FLIGHTS)
        {
            many.flights.pop_front();
            many.first += 1;
        }
        self.attempts()
    }

    /// The number of the latest probe with this sequence number, if there was one.
    pub(super) fn number(&self, sequence: u16) -> Option<u64> {
        let last = self.attempts();
        let [low, high, ..] = last.to_le_bytes();
        let back = u16::from_le_bytes([low, high]).wrapping_sub(sequence);
        last.checked_sub(back.into()).filter(|number| *number > 0)
    }

    /// A probe by its number, while it is remembered.
    pub(super) fn flight(&self, number: u64) -> Option<Flight> {
        match self {
            Self::Once(flight) if number == 1 => Some(*flight),
            Self::Many(many) => {
                let index = usize::try_from(number.checked_sub(many.first)?).ok()?;
                many.flights.get(index).copied()
            }
            _ => None,
        }
    }

    /// Changes a probe; once it is no longer open, what is settled goes into the account of outages.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Flight)) {
        match self {
            Self::Once(flight) if number == 1 => change(flight),
            Self::Many(many) => {
                let index = number.checked_sub(many.first).and_then(|index| usize::try_from(index).ok());
                let Some(flight) = index.and_then(|index| many.flights.get_mut(index)) else { return };
                let was_open = flight.fate.is_open();
                change(flight);
                if was_open && !flight.fate.is_open() {
                    many.open -= 1;
                    many.settle();
                }
            }
            _ => {}
        }
    }

    /// The full account, made from the single probe if there was no need for it before.
    pub(super) fn many(&mut self) -> &mut Many {
        if let Self::Idle | Self::Once(_) = self {
            let mut many = Box::new(Many { statistics: self.statistics(), first: 1, ..Many::default() });
            if let Self::Once(flight) = self {
                many.open = flight.fate.is_open().into();
                many.flights.push_back(*flight);
                many.settle();
            }
            *self = Self::Many(many);
        }
        match self {
            Self::Many(many) => many,
            _ => unreachable!("it was just made"),
        }
    }

    /// Counts what happened, unless the single probe's fate says it already.
    pub(super) fn count(&mut self, count: impl FnOnce(&mut Statistics)) {
        if let Self::Many(many) = self {
            count(&mut many.statistics);
        }
    }

    /// What it all amounts to.
    pub(super) fn statistics(&self) -> Statistics {
        match self {
            Self::Idle => Statistics::default(),
            Self::Many(many) => many.statistics.clone(),
            Self::Once(flight) => {
                let mut statistics = Statistics::default();
                match flight.fate {
                    Fate::Issued => {}
                    Fate::Unsent => statistics.cannot_send(flight.error),
                    _ => statistics.send(),
                }
                match flight.fate {
                    Fate::Answered => {
                        statistics.reply(1, flight.rtt, flight.ttl, flight.is_stamped);
                    }
                    Fate::TimedOut => statistics.time_out(),
                    Fate::Failed => statistics.fail(flight.error),
                    _ => {}
                }
                statistics
            }
        }
    }
}

impl Many {
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.flights.len()
    }

    /// Tells the account of outages of the probes whose fate is known, in their order.
    fn settle(&mut self) {
        self.settled = self.settled.max(self.first - 1);
        while let Some(flight) = usize::try_from(self.settled + 1 - self.first)
            .ok()
            .and_then(|index| self.flights.get(index))
            .filter(|flight| !flight.fate.is_open())
        {
            match flight.fate {
                Fate::Answered => self.statistics.outages.end(flight.at),
                Fate::TimedOut | Fate::Failed | Fate::Unsent => self.statistics.outages.go_on(flight.at),
                _ => {}
            }
            self.settled += 1;
        }
    }
}
