//! How it goes, for somebody who looks at a terminal: a row a target redrawn in place, and a sweep's progress.

use std::collections::{HashMap, VecDeque};

use super::engine::{Engine, Happening, Moment, Nanos, What};
use super::hosts::SlotId;
use crate::address::Address;
use crate::output::record::{Align, Cell, Frame, Line, Role, Room};

/// The latest probes of a target that its sparkline shows.
const TREND: usize = 60;
/// The narrowest a sparkline is.
const TREND_LEAST: usize = 10;
/// The columns that everything but the target and the sparkline takes.
const OTHER_COLUMNS: usize = 58;

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
        let targets = (0..slots).map(|slot| engine.hosts().slot(slot).target.to_lossy().chars().count());
        let widest = targets.max().unwrap_or(0);
        let width = room.columns.saturating_sub(OTHER_COLUMNS + widest).clamp(TREND_LEAST, TREND);
        // The header, its rule and the line that says how to end it.
        let most = room.rows.saturating_sub(4).max(1);
        let shown = (slots as usize).min(most);
        let rows = (0..slots).take(shown).map(|slot| self.row(engine, slot, width)).collect();
        let more = match slots as usize - shown {
            0 => String::new(),
            more => format!("{more} more targets; "),
        };
        Frame {
            titles: vec![
                ("TARGET", Align::Left),
                ("SENT", Align::Right),
                ("LOSS_%", Align::Right),
                ("LAST_MS", Align::Right),
                ("AVG_MS", Align::Right),
                ("P95_MS", Align::Right),
                ("LATEST", Align::Left),
            ],
            rows,
            notes: vec![Line::default().dim(format!("{more}Ctrl-C ends it with the whole table"))],
        }
    }

    fn row(&self, engine: &Engine, slot: SlotId, width: usize) -> Vec<Cell> {
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
        let target = match &its.address {
            Ok(address) if address.to_string() != its.target.to_lossy() => {
                named(&its.target.to_lossy(), address)
            }
            _ => its.target.to_lossy().into_owned(),
        };
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

fn named(target: &str, address: &Address) -> String {
    format!("{target} ({address})")
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
    let line = Line::default().dim("sweep ").plain(bar).plain(format!(" {percent} % of {total} hosts, "));
    let line = line.with(Role::Good, format!("{} alive", progress.alive));
    match engine.held_for(now) {
        Some(wait) => line.with(
            Role::Caution,
            format!(", waiting {} s for room in the table of neighbours", wait / 1_000_000_000),
        ),
        None => line,
    }
}
