//! The connections of a server, for somebody who looks at a terminal.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::session::Counts;
use crate::output::record::{Cell, Frame, FrameColumn, FrameRow, Line};

/// The columns; on a narrow terminal the one with the highest number goes first.
const COLUMNS: [FrameColumn; 4] = [
    FrameColumn::text("CLIENT", 0),
    FrameColumn::number("BYTES IN", 1),
    FrameColumn::number("BYTES OUT", 2),
    FrameColumn::number("SECONDS", 3),
];

/// A connection that has not ended.
struct Live {
    peer: String,
    counts: Arc<Counts>,
    start: Instant,
}

#[derive(Default)]
struct State {
    live: BTreeMap<u64, Live>,
    total: u64,
}

/// What a server shows of its connections.
#[derive(Default)]
pub(super) struct Board {
    state: Mutex<State>,
    /// Whether the last picture shows how it is; the first one is always to come.
    is_shown: AtomicBool,
}

impl Board {
    /// The time from one drawing to the next.
    pub(super) const PERIOD: Duration = Duration::from_millis(500);

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection.
    pub(super) fn begins(&self, number: u64, peer: &str, counts: &Arc<Counts>) {
        let mut state = self.state();
        state.total += 1;
        state
            .live
            .insert(number, Live { peer: peer.to_owned(), counts: counts.clone(), start: Instant::now() });
        self.is_shown.store(false, Ordering::Relaxed);
    }

    /// Takes away a connection that has ended.
    pub(super) fn ends(&self, number: u64) {
        self.state().live.remove(&number);
        self.is_shown.store(false, Ordering::Relaxed);
    }

    /// Whether a new picture would differ from the last: seconds pass while a connection lives.
    pub(super) fn has_changed(&self) -> bool {
        !self.is_shown.swap(true, Ordering::Relaxed) || !self.state().live.is_empty()
    }

    /// The picture of this moment.
    pub(super) fn frame(&self) -> Frame {
        let state = self.state();
        let live = state.live.values().take(Frame::MOST_ROWS).map(|live| {
            let (bytes_in, bytes_out) = live.counts.bytes();
            let cells = row(&live.peer, bytes_in, bytes_out, live.start.elapsed());
            FrameRow { cells, ..FrameRow::default() }
        });
        let (current, total) = (state.live.len(), state.total);
        let count = Line::default().dim(format!("{current} of {total} connections are open"));
        Frame {
            columns: COLUMNS.to_vec(),
            rows: live.collect(),
            more: current.saturating_sub(Frame::MOST_ROWS),
            notes: vec![count],
            ..Frame::default()
        }
    }
}

fn row(peer: &str, bytes_in: u64, bytes_out: u64, took: Duration) -> Vec<Cell> {
    vec![
        Cell::address(peer),
        Cell::integer(bytes_in),
        Cell::integer(bytes_out),
        Cell::real(took.as_secs_f64(), 1),
    ]
}
