//! How a run goes, for somebody who looks at a terminal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::Tally;
use crate::measure::{Summary, Times, microseconds};
use crate::output::record::{Cell, Frame, FrameColumn, FrameRow, Line, Role};

/// The columns; on a narrow terminal the one with the highest number goes first.
const COLUMNS: [FrameColumn; 7] = [
    FrameColumn::text("ADDRESS", 0),
    FrameColumn::number("ROUNDS", 1),
    FrameColumn::number("LAST ms", 2),
    FrameColumn::number("P50 ms", 3),
    FrameColumn::number("P99 ms", 4),
    FrameColumn::number("MAX ms", 5),
    FrameColumn::number("ROUNDS/s", 6),
];

/// A connection's rounds so far, as its thread keeps them.
type Shared = Arc<Mutex<Tally>>;

/// What the addresses of a run have come to so far.
#[derive(Default)]
pub(super) struct Board {
    rows: Mutex<Vec<(Arc<str>, Vec<Shared>)>>,
    scanned: AtomicUsize,
    open: AtomicUsize,
    ports: AtomicUsize,
}

impl Board {
    /// The time from one drawing to the next.
    pub(super) const PERIOD: Duration = Duration::from_millis(200);

    /// Adds an address with its connections.
    pub(super) fn show(&self, address: &Arc<str>, tallies: &[Shared]) {
        self.rows().push((address.clone(), tallies.to_vec()));
    }

    /// Adds so many ports that are to be looked at.
    pub(super) fn expects(&self, ports: usize) {
        self.ports.fetch_add(ports, Ordering::Relaxed);
    }

    /// Notes that a port was looked at.
    pub(super) fn found(&self, is_open: bool) {
        self.scanned.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(usize::from(is_open), Ordering::Relaxed);
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<str>, Vec<Shared>)>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line on how far a scan is.
    pub(super) fn progress(&self) -> Line {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        Line::default().dim(format!(
            "{} of {} ports, {} connected",
            of(&self.scanned),
            of(&self.ports),
            of(&self.open)
        ))
    }

    /// The picture of this moment.
    pub(super) fn frame(&self, since: Duration) -> Frame {
        let rows = self.rows();
        Frame {
            columns: COLUMNS.to_vec(),
            rows: rows
                .iter()
                .take(Frame::MOST_ROWS)
                .map(|(address, tallies)| row(address, tallies, since))
                .collect(),
            more: rows.len().saturating_sub(Frame::MOST_ROWS),
            order: "slowest first",
            ..Frame::default()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounds are far below 2^53")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole microseconds, not negative"
)]
fn row(address: &str, tallies: &[Shared], since: Duration) -> FrameRow {
    let mut times = Times::default();
    let mut last = None;
    for tally in tallies {
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        times.merge(&tally.times);
        last = last.or(tally.last);
    }
    let summary = times.summary();
    let time = |pick: fn(&Summary) -> f64| Cell::maybe(summary.as_ref().map(pick), Cell::latency);
    let cells = vec![
        Cell::address(address),
        Cell::integer(times.count()),
        Cell::maybe(last, |last| Cell::latency(microseconds(last))),
        time(|summary| summary.p50),
        time(|summary| summary.p99),
        time(|summary| summary.max),
        Cell::real(times.count() as f64 / since.as_secs_f64().max(0.001), 0),
    ];
    // The slowest first, and before them those that have answered nothing.
    let urgency = summary.map_or(u64::MAX, |summary| summary.p99 as u64);
    let remark = summary.is_none().then(|| Line::default().with(Role::Caution, "no round has finished yet"));
    FrameRow { cells, urgency, remark, ..FrameRow::default() }
}
