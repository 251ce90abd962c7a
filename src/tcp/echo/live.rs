//! How a run goes, for somebody who looks at a terminal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::Tally;
use crate::measure::Times;
use crate::output::record::{Align, Cell, Frame, Line, Role, Room};

/// The headings, the columns that go first on a narrow terminal last.
const TITLES: [(&str, Align, usize); 7] = [
    ("ADDRESS", Align::Left, 0),
    ("ROUNDS", Align::Right, 10),
    ("LAST_MS", Align::Right, 10),
    ("P50_MS", Align::Right, 9),
    ("P99_MS", Align::Right, 9),
    ("MAX_MS", Align::Right, 9),
    ("PER_SECOND", Align::Right, 12),
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
    pub(super) fn frame(&self, since: Duration, room: Room) -> Frame {
        let rows = self.rows();
        let widest = rows.iter().map(|(address, _)| address.chars().count()).max().unwrap_or(0).max(7);
        let mut used = widest;
        let columns = TITLES.iter().take_while(|(_, _, width)| {
            used += width;
            used <= room.columns
        });
        let columns = columns.count().max(1);
        // The header, its rule and the line that says how to end it.
        let most = room.rows.saturating_sub(4).max(1);
        let more = rows.len().saturating_sub(most);
        let more = if more > 0 { format!("{more} more addresses; ") } else { String::new() };
        let note = Line::default().dim(format!("{more}Ctrl-C ends it with the whole table"));
        let row = |(address, tallies): &(Arc<str>, Vec<Shared>)| {
            let mut cells = row(address, tallies, since);
            cells.truncate(columns);
            cells
        };
        Frame {
            titles: TITLES.iter().take(columns).map(|(title, align, _)| (*title, *align)).collect(),
            rows: rows.iter().take(most).map(row).collect(),
            notes: vec![note.cut(room.columns)],
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounds are far below 2^53")]
fn row(address: &str, tallies: &[Shared], since: Duration) -> Vec<Cell> {
    let mut times = Times::default();
    let mut last = None;
    for tally in tallies {
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        times.merge(&tally.times);
        last = last.or(tally.last);
    }
    let summary = times.summary();
    let time =
        |pick: fn(&crate::measure::Summary) -> f64| Cell::maybe(summary.as_ref().map(pick), Cell::millis);
    vec![
        Cell::text(address).role(Role::Strong),
        Cell::integer(times.count()),
        Cell::maybe(last, |last| Cell::millis(crate::measure::microseconds(last)).role(Role::Strong)),
        time(|summary| summary.p50),
        time(|summary| summary.p99),
        time(|summary| summary.max),
        Cell::real(times.count() as f64 / since.as_secs_f64().max(0.001), 0),
    ]
}
