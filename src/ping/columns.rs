//! The columns of a target's row.

use super::report::{Outcome, TargetReport};
use crate::measure::Summary;
use crate::output::record::{Cell, Column, Record, Role};

impl Record for TargetReport {
    fn columns() -> &'static [Column<Self>] {
        type Col = Column<TargetReport>;
        static COLUMNS: [Col; 33] = [
            Col::new("target", "TARGET", |row| Cell::address(row.target.clone())),
            Col::new("address", "ADDRESS", |row| Cell::maybe(row.address.as_deref(), Cell::address))
                .if_so(is_named)
                .dropped_at(11),
            Col::new("name", "NAME", |row| Cell::maybe(row.name.clone(), Cell::address))
                .if_any()
                .dropped_at(2),
            // It goes first where one knows what one asked for, and last where it is what the row is about.
            Col::new("tier", "TIER", |row| Cell::maybe(row.tier, |tier| Cell::word(tier.name())))
                .dropped_at(12)
                .kept_if(|row| row.is_tier),
            Col::new("outcome", "OUTCOME", |row| Cell::maybe(row.outcome, Outcome::cell)),
            Col::new("sent", "SENT", |row| Cell::integer(row.sent)).right().if_so(has_counts).dropped_at(7),
            Col::new("received", "RECEIVED", |row| Cell::integer(row.received))
                .right()
                .if_so(has_counts)
                .dropped_at(8),
            Col::new("loss_percent", "LOSS %", loss).right().if_so(has_counts).dropped_at(1),
            Col::new("rtt_us.min", "MIN ms", |row| rtt(row, |rtt| rtt.min))
                .right()
                .if_so(has_several)
                .dropped_at(6),
            Col::new("rtt_us.avg", "AVG ms", |row| rtt(row, |rtt| rtt.avg)).right(),
            Col::new("rtt_us.max", "MAX ms", |row| rtt(row, |rtt| rtt.max))
                .right()
                .if_so(has_several)
                .dropped_at(6),
            Col::new("rtt_us.stddev", "STDDEV ms", |row| spread(row, |rtt| rtt.stddev))
                .right()
                .if_so(has_several)
                .dropped_at(6),
            Col::new("rtt_us.p50", "P50 ms", |row| rtt(row, |rtt| rtt.p50)).right().verbose().dropped_at(8),
            Col::new("rtt_us.p95", "P95 ms", |row| rtt(row, |rtt| rtt.p95)).right().verbose().dropped_at(8),
            Col::new("rtt_us.p99", "P99 ms", |row| rtt(row, |rtt| rtt.p99)).right().verbose().dropped_at(8),
            Col::new("rtt_us.jitter", "JITTER ms", |row| spread(row, |rtt| rtt.jitter))
                .right()
                .verbose()
                .dropped_at(9),
            Col::new("unsent", "NOT SENT", |row| {
                Cell::integer(row.unsent).role(if row.unsent > 0 { Role::Bad } else { Role::Plain })
            })
            .right()
            .if_so(|row| row.unsent > 0)
            .dropped_at(4),
            Col::new("lost", "LOST", |row| Cell::integer(row.lost)).right().verbose().dropped_at(9),
            Col::new("in_flight", "IN FLIGHT", |row| Cell::integer(row.in_flight))
                .right()
                .verbose()
                .dropped_at(9),
            Col::new("reordered", "REORDERED", |row| some(row.reordered))
                .right()
                .if_so(|row| row.reordered > 0)
                .dropped_at(7),
            Col::new("duplicates", "DUPLICATES", |row| some(row.duplicates))
                .right()
                .if_so(|row| row.duplicates > 0)
                .dropped_at(7),
            Col::new("late", "LATE", |row| some(row.late)).right().if_so(|row| row.late > 0).dropped_at(7),
            Col::new("corrupted", "CORRUPTED", |row| some(row.corrupted))
                .right()
                .if_so(|row| row.corrupted > 0)
                .dropped_at(4),
            Col::new("rejected", "REJECTED", |row| some(row.rejected))
                .right()
                .if_so(|row| row.rejected > 0)
                .dropped_at(4),
            Col::new("notices", "NOTICES", |row| some(row.notices))
                .right()
                .if_so(|row| row.notices > 0)
                .dropped_at(8),
            Col::new("timestamps", "TIMESTAMPS", |row| Cell::word(row.timestamps)).verbose().dropped_at(10),
            Col::new("ttl", "TTL", |row| Cell::maybe(row.ttl, Cell::integer)).right().if_any().dropped_at(9),
            Col::new("hops", "HOPS", |row| Cell::maybe(row.hops, Cell::integer))
                .right()
                .verbose()
                .dropped_at(10),
            Col::new("longest_outage.duration_s", "OUTAGE s", |row| {
                Cell::maybe(row.longest_outage.as_ref(), |outage| Cell::real(outage.duration_s, 1))
            })
            .right()
            .if_so(has_outage)
            .dropped_at(7),
            Col::new("path_mtu.mtu_bytes", "MTU", |row| {
                Cell::maybe(row.path_mtu, |found| Cell::integer(found.mtu_bytes).role(Role::Strong))
            })
            .right()
            .if_any(),
            Col::new("path_mtu.limited_by", "LIMITED BY", |row| {
                Cell::maybe(row.path_mtu.and_then(|found| found.limited_by), |by| Cell::text(by.to_string()))
            })
            .if_any()
            .dropped_at(3),
            Col::new("errors", "ERRORS", errors).if_any().wrapping().dropped_at(1),
            Col::new("meaning", "MEANING", |row| Cell::maybe(row.meaning.as_deref(), Cell::text))
                .if_any()
                .wrapping(),
        ];
        &COLUMNS
    }
}

/// Whether the target is written otherwise than its address.
fn is_named(row: &TargetReport) -> bool {
    row.address.as_ref().is_some_and(|address| *address != row.target.to_lossy())
}

/// A count that should strike the eye where it is not 0.
fn some(count: u64) -> Cell {
    Cell::integer(count).role(if count > 0 { Role::Caution } else { Role::Plain })
}

/// Whether there is more to count than one probe of a sweep.
fn has_counts(row: &TargetReport) -> bool {
    !row.is_swept || row.sent > 1
}

/// Whether there is more than one time, so that they can differ.
fn has_several(row: &TargetReport) -> bool {
    row.received > 1
}

/// Whether more than one probe in a row was not answered, and others were.
fn has_outage(row: &TargetReport) -> bool {
    row.received > 0 && row.longest_outage.as_ref().is_some_and(|outage| outage.probes > 1)
}

fn loss(row: &TargetReport) -> Cell {
    if row.loss_percent.is_none() && row.unsent > 0 {
        // What was never sent is not lost, and not well either.
        return Cell::MISSING;
    }
    Cell::maybe(row.loss_percent, |percent| {
        let decimals = if percent.fract() == 0.0 { 0 } else { 2 };
        Cell::real(percent, decimals).role(if percent > 0.0 { Role::Bad } else { Role::Good })
    })
}

fn rtt(row: &TargetReport, figure: fn(&Summary) -> f64) -> Cell {
    Cell::maybe(row.rtt_us.as_ref(), |summary| Cell::latency(figure(summary)))
}

/// How far times lie apart, which is no time that anybody waits.
fn spread(row: &TargetReport, figure: fn(&Summary) -> f64) -> Cell {
    Cell::maybe(row.rtt_us.as_ref(), |summary| Cell::millis(figure(summary)))
}

fn errors(row: &TargetReport) -> Cell {
    Cell::list(row.errors.iter().map(|error| {
        let times = if error.count > 1 { format!("{} x ", error.count) } else { String::new() };
        let from = error.from.map(|from| format!(" from {from}")).unwrap_or_default();
        let mtu = error.from.and(error.mtu).map(|mtu| format!(" (MTU {mtu})")).unwrap_or_default();
        format!("{times}{}{from}{mtu}", error.meaning)
    }))
    .role(Role::Caution)
}
