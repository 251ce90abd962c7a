//! How it goes, for somebody who looks at a terminal: a row a target redrawn in place, and a sweep's progress.

use std::collections::{HashMap, VecDeque};

use super::engine::{Engine, Happening, Moment, Nanos, What};
use super::hosts::SlotId;
use crate::output::record::{Align, Cell, Frame, Line, Role, Room};

/// The latest probes of a target that its sparkline shows.
const TREND: usize = 60;
/// The narrowest a sparkline is.
const TREND_LEAST: usize = 10;
/// The headings.
const TITLES: [(&str, Align); 7] = [
    ("TARGET", Align::Left),
    ("SENT", Align::Right),
    ("LOSS_%", Align::Right),
    ("LAST_MS", Align::Right),
    ("AVG_MS", Align::Right),
    ("P95_MS", Align::Right),
    ("LATEST", Align::Left),
];
/// What each takes on the screen with the gap before it; the target and the sparkline have the rest.
const WIDTHS: [usize; 7] = [0, 9, 8, 10, 9, 9, 2];
/// The columns of text that are left for others than the target.
const LEAST_COLUMNS: usize = 20;

/// The latest round-trip times of every target.
pub(super) struct Live {
    trends: HashMap<SlotId, VecDeque<Option<f64>>>,
}

impl Live {
    /// The time from one drawing to the next.
    pub(super) const PERIOD: Nanos = 200_000_000;

    pub(super) fn new() -> Self {
        Self { trends: HashMap::new() }
    }

    /// Takes note of what happened to a probe.
    #[expect(clippy::cast_precision_loss, reason = "a height of at most eight steps")]
    pub(super) fn note(&mut self, happening: &Happening) {
        let value = match happening.what {
            What::Reply { rtt, .. } => Some(rtt as f64),
            What::TimedOut | What::Failed(_) | What::Unsent(_) => None,
            _ => return,
        };
        let trend = self.trends.entry(happening.slot).or_default();
        trend.push_back(value);
        if trend.len() > TREND {
            trend.pop_front();
        }
    }

    /// The picture of this moment.
    pub(super) fn frame(&mut self, engine: &Engine, room: Room) -> Frame {
        let slots = u32::try_from(engine.hosts().len()).unwrap_or(u32::MAX);
        let widest = (0..slots).map(|slot| target(engine, slot).chars().count()).max().unwrap_or(0);
        let widest = widest.min(room.columns.saturating_sub(LEAST_COLUMNS)).max(6);
        // The header, its rule and the line that says how to end it.
        let most = room.rows.saturating_sub(4).max(1);
        let shown = (slots as usize).min(most);
        // Columns are left out, the last of these first, until the sparkline has some room.
        let mut columns: Vec<usize> = (0..TITLES.len()).collect();
        for expendable in [4, 1, 5, 6] {
            let used: usize =
                columns.iter().filter(|column| **column != 6).map(|column| WIDTHS[*column]).sum();
            if widest + used + TREND_LEAST <= room.columns {
                break;
            }
            columns.retain(|column| *column != expendable);
        }
        let used: usize = columns.iter().filter(|column| **column != 6).map(|column| WIDTHS[*column]).sum();
        let width = room.columns.saturating_sub(widest + used).clamp(TREND_LEAST, TREND);
        let rows = (0..slots).take(shown).map(|slot| {
            let cells = self.row(engine, slot, width, widest);
            let kept = cells.into_iter().enumerate().filter(|(index, _)| columns.contains(index));
            kept.map(|(_, cell)| cell).collect()
        });
        let more = match slots as usize - shown {
            0 => String::new(),
            more => format!("{more} more targets; "),
        };
        let note = Line::default().dim(format!("{more}Ctrl-C ends it with the whole table"));
        Frame {
            titles: columns.iter().map(|column| TITLES[*column]).collect(),
            rows: rows.collect(),
            notes: vec![note.cut(room.columns)],
        }
    }

    fn row(&self, engine: &Engine, slot: SlotId, width: usize, widest: usize) -> Vec<Cell> {
        let its = engine.hosts().slot(slot);
        let statistics = engine.statistics(slot);
        let rtt = statistics.rtt();
        let trend = self.trends.get(&slot);
        let last = trend.and_then(|trend| trend.back().copied());
        let loss = Cell::maybe(statistics.loss_percent(), |loss| {
            Cell::real(loss, 1).role(if loss > 0.0 { Role::Bad } else { Role::Good })
        });
        let last = match (&its.address, last) {
            (Err(_), _) => Cell::text("no address").role(Role::Bad),
            (_, Some(None)) => Cell::text("lost").role(Role::Bad),
            (_, Some(Some(rtt))) => Cell::millis(rtt / 1000.0).role(Role::Strong),
            (_, None) => Cell::MISSING,
        };
        let latest = trend.map_or(Cell::MISSING, |trend| {
            let skipped = trend.len().saturating_sub(width);
            Cell::trend(trend.iter().skip(skipped).copied().collect())
        });
        let target: String = target(engine, slot).chars().take(widest).collect();
        vec![
            Cell::text(target).role(Role::Strong),
            Cell::integer(statistics.sent()),
            loss,
            last,
            Cell::maybe(rtt, |rtt| Cell::millis(rtt.avg)),
            Cell::maybe(rtt, |rtt| Cell::millis(rtt.p95)),
            latest,
        ]
    }
}

/// The target as it was written, and its address where that is another.
fn target(engine: &Engine, slot: SlotId) -> String {
    let its = engine.hosts().slot(slot);
    let written = its.target.to_lossy();
    match its.address {
        Ok(address) if address.to_string() != written => format!("{written} ({address})"),
        _ => written.into_owned(),
    }
}

/// One line on how far the sweeps are.
pub(super) fn progress(engine: &Engine, now: Moment) -> Line {
    const CELLS: usize = 24;
    let total: u64 = engine.hosts().networks().map(|(_, first, end)| u64::from(end - first)).sum();
    let progress = engine.progress;
    let done = progress.settled.min(total);
    let filled = usize::try_from(done * CELLS as u64 / total.max(1)).unwrap_or(0).min(CELLS);
    let bar = format!("[{}{}]", "#".repeat(filled), ".".repeat(CELLS - filled));
    let percent = done * 100 / total.max(1);
    let line = Line::default().dim("sweep ").plain(format!("{percent} %, "));
    let line =
        line.with(Role::Good, format!("{} alive", progress.alive)).plain(format!(" of {total} hosts {bar}"));
    match engine.held_for(now) {
        Some(wait) => line
            .with(Role::Caution, format!(" {} s for room in the table of neighbours", wait / 1_000_000_000)),
        None => line,
    }
}
