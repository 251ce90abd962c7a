//! The connections of a server, for somebody who looks at a terminal.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::session::Counts;
use crate::output::record::{Align, Cell, Frame, Line, Role, Room};

/// The headings, the columns that go first on a narrow terminal last, with the room each takes.
const TITLES: [(&str, Align, usize); 4] = [
    ("CLIENT", Align::Left, 24),
    ("IN", Align::Right, 14),
    ("OUT", Align::Right, 14),
    ("SECONDS", Align::Right, 10),
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
    has_changed: AtomicBool,
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
        self.has_changed.store(true, Ordering::Relaxed);
    }

    /// Takes away a connection that has ended.
    pub(super) fn ends(&self, number: u64) {
        self.state().live.remove(&number);
        self.has_changed.store(true, Ordering::Relaxed);
    }

    /// Whether a new picture would differ from the last: seconds pass while a connection lives.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed.swap(false, Ordering::Relaxed) || !self.state().live.is_empty()
    }

    /// The picture of this moment.
    pub(super) fn frame(&self, room: Room) -> Frame {
        let state = self.state();
        let mut used = 0;
        let columns = TITLES.iter().take_while(|(_, _, width)| {
            used += width;
            used <= room.columns
        });
        let columns = columns.count().max(1);
        // The header, its rule, the line below, and the lines above that say where it listens.
        let most = room.rows.saturating_sub(6).max(1);
        let live = state.live.values().map(|live| {
            let (bytes_in, bytes_out) = live.counts.bytes();
            row(&live.peer, bytes_in, bytes_out, live.start.elapsed())
        });
        let rows = live.take(most).map(|mut row| {
            row.truncate(columns);
            row
        });
        let more = state.live.len().saturating_sub(most);
        let more = if more > 0 { format!("{more} more; ") } else { String::new() };
        let note = format!("{more}{} live of {} connections; Ctrl-C ends it", state.live.len(), state.total);
        Frame {
            titles: TITLES.iter().take(columns).map(|(title, align, _)| (*title, *align)).collect(),
            rows: rows.collect(),
            notes: vec![Line::default().dim(note).cut(room.columns)],
        }
    }
}

fn row(peer: &str, bytes_in: u64, bytes_out: u64, took: Duration) -> Vec<Cell> {
    vec![
        Cell::text(peer).role(Role::Strong),
        Cell::integer(bytes_in),
        Cell::integer(bytes_out),
        Cell::real(took.as_secs_f64(), 1),
    ]
}
