//! How it goes, for somebody who looks at a terminal: a row a target redrawn in place, and a sweep's progress.

use std::collections::{HashMap, VecDeque};

use super::engine::{Engine, Happening, Moment, Nanos, What};
use super::hosts::SlotId;
use crate::output::record::{Cell, Frame, FrameColumn, FrameRow, Line, Mark, Role};

/// The latest probes of a target that its sparkline shows at most.
const TREND: usize = 60;
/// The columns; on a narrow terminal the one with the highest number goes first.
const COLUMNS: [FrameColumn; 8] = [
    FrameColumn::text("TARGET", 0),
    FrameColumn::number("SENT", 6),
    FrameColumn::number("LOSS %", 0),
    FrameColumn::number("LAST ms", 2),
    FrameColumn::number("AVG ms", 4),
    FrameColumn::number("P95 ms", 7),
    FrameColumn::number("NOT SENT", 5),
    FrameColumn::text("LATEST", 3),
];
/// The place of the column that is only there where something could not be sent.
const NOT_SENT: usize = 6;

/// The latest probes of every target.
pub(super) struct Live {
    targets: HashMap<SlotId, Marks>,
}

/// What became of the latest probes of a target, each in the place of its number, whenever that became known.
#[derive(Default)]
struct Marks {
    latest: VecDeque<Mark>,
    /// The number of the first of them.
    first: u64,
    /// The number of the last whose fate is known, and that fate.
    last: Option<(u64, Mark)>,
}

impl Marks {
    /// Makes room for the probes up to this number, as they were sent.
    fn reach(&mut self, number: u64) {
        if self.latest.is_empty() {
            self.first = number.saturating_sub(TREND as u64 - 1).max(1);
        }
        while self.first + (self.latest.len() as u64) <= number {
            self.latest.push_back(Mark::Open);
            if self.latest.len() > TREND {
                self.latest.pop_front();
                self.first += 1;
            }
        }
    }

    /// Notes what became of a probe; what came first of a loss and its reason is one loss.
    fn set(&mut self, number: u64, mark: Mark) {
        self.reach(number);
        if self.last.is_none_or(|(last, _)| last <= number) {
            self.last = Some((number, mark));
        }
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(known) = index.and_then(|index| self.latest.get_mut(index)) {
            *known = mark;
        }
    }
}

impl Live {
    /// The time from one drawing to the next.
    pub(super) const PERIOD: Nanos = 200_000_000;

    pub(super) fn new() -> Self {
        Self { targets: HashMap::new() }
    }

    /// Takes note of what happened to a probe.
    #[expect(clippy::cast_precision_loss, reason = "a height of at most eight steps")]
    pub(super) fn note(&mut self, happening: &Happening) {
        let mark = match happening.what {
            What::Reply { rtt, .. } => Mark::Answered(rtt as f64 / 1000.0),
            What::TimedOut | What::Failed(_) => Mark::Lost,
            What::Unsent(_) => Mark::Unsent,
            What::Excused => Mark::Unknown,
            _ => return,
        };
        if let Some(number) = happening.number {
            self.targets.entry(happening.slot).or_default().set(number, mark);
        }
    }

    /// The picture of this moment.
    pub(super) fn frame(&mut self, engine: &Engine) -> Frame {
        let slots = u32::try_from(engine.hosts().len()).unwrap_or(u32::MAX);
        let mut order: Vec<SlotId> = (0..slots).collect();
        if order.len() > Frame::MOST_ROWS {
            // The worst of very many, in their order.
            order.sort_by_key(|slot| engine.glance(*slot).is_well());
            order.truncate(Frame::MOST_ROWS);
            order.sort_unstable();
        }
        let has_unsent = order.iter().any(|slot| engine.statistics(*slot).unsent() > 0);
        let kept = |place: &usize| has_unsent || *place != NOT_SENT;
        let rows = order.iter().map(|slot| {
            let row = self.row(engine, *slot);
            let cells = row.cells.into_iter().enumerate().filter(|(place, _)| kept(place));
            FrameRow { cells: cells.map(|(_, cell)| cell).collect(), ..row }
        });
        let rows = rows.collect();
        let columns = COLUMNS.iter().enumerate().filter(|(place, _)| kept(place));
        let mut legend = Line::default().with(Role::Bad, "x").dim(" lost");
        if has_unsent {
            legend = legend.dim(", ").with(Role::Caution, "!").dim(" not sent");
        }
        Frame {
            columns: columns.map(|(_, column)| *column).collect(),
            rows,
            more: slots as usize - order.len(),
            order: "worst first",
            notes: vec![legend],
        }
    }

    fn row(&mut self, engine: &Engine, slot: SlotId) -> FrameRow {
        let its = engine.hosts().slot(slot);
        let statistics = engine.statistics(slot);
        let rtt = statistics.rtt();
        let marks = self.targets.entry(slot).or_default();
        marks.reach(engine.attempts(slot));
        let loss = match statistics.loss_percent() {
            Some(loss) => Cell::real(loss, 1).role(if loss > 0.0 { Role::Bad } else { Role::Good }),
            // What was never sent is not lost, and not well either.
            None if statistics.unsent() > 0 => Cell::word("not sent").role(Role::Bad),
            None => Cell::MISSING,
        };
        let last = match (&its.address, marks.last.map(|(_, mark)| mark)) {
            (Err(_), _) => Cell::word("no address").role(Role::Bad),
            (_, Some(Mark::Lost)) => Cell::word("lost").role(Role::Bad),
            (_, Some(Mark::Unsent)) => Cell::word("not sent").role(Role::Bad),
            (_, Some(Mark::Answered(us))) => Cell::latency(us),
            (_, Some(Mark::Open | Mark::Unknown) | None) => Cell::MISSING,
        };
        let errors = engine.errors(&statistics);
        let remark = match &its.address {
            Err(why) => Some(Line::default().with(Role::Bad, why.clone())),
            Ok(_) => errors.iter().max_by_key(|error| error.count).map(|error| {
                let from = error.from.map(|from| format!(" from {from}")).unwrap_or_default();
                Line::default().with(Role::Caution, format!("{}{from}", error.meaning))
            }),
        };
        // What could not be tried at all, then by loss in hundredths of a percent.
        let urgency = match (&its.address, statistics.loss_percent()) {
            (Err(_), _) => u64::MAX,
            (Ok(_), None) if statistics.unsent() > 0 => u64::MAX - 1,
            (Ok(_), loss) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10,000")]
                let loss = (loss.unwrap_or(0.0) * 100.0) as u64;
                loss + u64::from(statistics.unsent() > 0)
            }
        };
        let cells = vec![
            Cell::address(target(engine, slot)),
            Cell::integer(statistics.sent()),
            loss,
            last,
            Cell::maybe(rtt, |rtt| Cell::latency(rtt.avg)),
            Cell::maybe(rtt, |rtt| Cell::latency(rtt.p95)),
            Cell::integer(statistics.unsent()).role(if statistics.unsent() > 0 {
                Role::Bad
            } else {
                Role::Dim
            }),
            Cell::trend(marks.latest.iter().copied().collect()),
        ];
        FrameRow { cells, urgency, remark, ..FrameRow::default() }
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
        Some(wait) => {
            line.with(Role::Caution, format!(" neighbour table full, waiting for {} s", wait / 1_000_000_000))
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(marks: &Marks) -> String {
        let mark = |mark: &Mark| match mark {
            Mark::Open => '.',
            Mark::Answered(_) => 'o',
            Mark::Lost => 'x',
            Mark::Unsent => '!',
            Mark::Unknown => '?',
        };
        marks.latest.iter().map(mark).collect()
    }

    #[test]
    fn a_probe_has_the_place_of_its_number_whenever_its_fate_is_known() {
        let mut marks = Marks::default();
        for number in 1..=3 {
            marks.reach(number);
        }
        assert_eq!(shown(&marks), "...");
        marks.set(3, Mark::Answered(40.0));
        assert_eq!(shown(&marks), "..o");
        // Lost, and later it is known why: one loss.
        marks.set(1, Mark::Lost);
        marks.set(2, Mark::Answered(40.0));
        marks.set(1, Mark::Lost);
        assert_eq!((shown(&marks), marks.last), ("xoo".to_owned(), Some((3, Mark::Answered(40.0)))));
        marks.set(5, Mark::Unsent);
        assert_eq!(shown(&marks), "xoo.!");
    }

    #[test]
    fn an_outage_is_as_long_as_it_was() {
        let mut marks = Marks::default();
        // Ten a second, three seconds of silence: what was lost is told two seconds late.
        for number in 1..=100_u64 {
            marks.reach(number);
            if !(31..=60).contains(&number) {
                marks.set(number, Mark::Answered(100.0));
            }
            if let Some(lost) = number.checked_sub(20).filter(|lost| (31..=60).contains(lost)) {
                marks.set(lost, Mark::Lost);
            }
        }
        let text = shown(&marks);
        assert_eq!(text.len(), TREND);
        assert_eq!((text.matches('x').count(), text.contains("xox")), (20, false), "{text}");
        assert!(text.starts_with(&"x".repeat(20)), "the rest has scrolled away: {text}");
        // What is no longer shown changes nothing.
        marks.set(1, Mark::Lost);
        assert_eq!(shown(&marks), text);
    }
}
