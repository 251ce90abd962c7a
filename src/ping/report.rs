//! How the result of pinging describes itself to the output layer.

use std::net::IpAddr;

use serde::Serialize;

use super::Tier;
use crate::error::Exit;
use crate::measure::Summary;
use crate::output::record::{Cell, Column, Line, Record, Report, Role, Untrusted, Warning};

/// The result of pinging.
#[derive(Clone, Debug, Serialize)]
pub struct Ping {
    /// A row a target, or an address where all of a name's were asked for; of a sweep those that answered.
    pub targets: Vec<TargetReport>,
    /// The prefixes that were swept.
    pub sweeps: Vec<Sweep>,
    /// Whether the user ended it early.
    pub interrupted: bool,
    /// What limits the result.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
    /// Whether these are the three tiers, where one public host that answers is enough.
    #[serde(skip)]
    pub is_tiers: bool,
}

/// What became of one sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// The prefix.
    pub prefix: String,
    /// The hosts it has room for.
    pub hosts: usize,
    /// Those that were probed: all of them, unless it was stopped.
    pub probed: usize,
    /// Those that answered.
    pub alive: usize,
}

/// What a target's probes amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every probe was answered.
    Alive,
    /// Some were.
    Partial,
    /// None was, and nobody said why.
    Silent,
    /// None was, and somebody said why.
    Error,
    /// There is no address to probe.
    Unresolved,
}

/// One row of the result. `None` is what this transport cannot tell, never a made-up zero.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// The target as it was written.
    pub target: Untrusted,
    /// The address that was probed.
    pub address: Option<String>,
    /// How far away it is.
    pub tier: Option<Tier>,
    /// What its probes amount to; `None` while no probe's fate is known.
    pub outcome: Option<Outcome>,
    /// Probes that went out.
    pub sent: u64,
    /// Probes that were answered.
    pub received: u64,
    /// Probes that were not answered, or met an error.
    pub lost: u64,
    /// Probes whose fate was not known at the end: neither received nor lost.
    pub in_flight: u64,
    /// The lost of those whose fate is known.
    pub loss_percent: Option<f64>,
    /// Second replies to one probe.
    pub duplicates: Option<u64>,
    /// Replies that came after the reply to a later probe.
    pub reordered: u64,
    /// Replies that came after the time-out.
    pub late: Option<u64>,
    /// Replies whose content was not what was sent.
    pub corrupted: Option<u64>,
    /// Messages that looked like replies and were none.
    pub rejected: Option<u64>,
    /// The time to live of the last reply, where the socket tells it.
    pub ttl: Option<u8>,
    /// The round-trip times in microseconds.
    pub rtt_us: Option<Summary>,
    /// The errors, by sender and kind.
    pub errors: Vec<IcmpErrorCount>,
    /// Who took the times: `user` for this program.
    pub timestamps: &'static str,
    /// What the result means for this machine's network, of the three tiers; or why there is none.
    pub meaning: Option<String>,
    /// Whether it is a host of a sweep, which is judged as a whole.
    #[serde(skip)]
    pub(super) is_swept: bool,
}

/// One kind of error from one sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IcmpErrorCount {
    /// Who sent it; `None` where this machine could not send.
    pub from: Option<IpAddr>,
    /// The ICMP type.
    #[serde(rename = "type")]
    pub icmp_type: Option<u8>,
    /// The ICMP code.
    pub code: Option<u8>,
    /// Both in words, or what the system said.
    pub meaning: String,
    /// The next hop's MTU, where the error tells it.
    pub mtu: Option<u32>,
    /// How many there were.
    pub count: u64,
}

impl IcmpErrorCount {
    /// Whether two are of one kind from one sender.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let kind = |error: &Self| (error.from, error.icmp_type, error.code, error.mtu, error.meaning.clone());
        kind(self) == kind(other)
    }
}

impl Outcome {
    fn is_answered(self) -> bool {
        matches!(self, Self::Alive | Self::Partial)
    }

    fn cell(self) -> Cell {
        match self {
            Self::Alive => Cell::text("alive").role(Role::Good),
            Self::Partial => Cell::text("partial").role(Role::Caution),
            Self::Silent => Cell::text("silent").role(Role::Bad),
            Self::Error => Cell::text("error").role(Role::Bad),
            Self::Unresolved => Cell::text("unresolved").role(Role::Bad),
        }
    }
}

impl Report for Ping {
    const SCHEMA: &'static str = "netdiag.ping/1";
    const ROWS: &'static str = "/targets";
    const ROW_EVENT: &'static str = "target";
    type Row = TargetReport;

    fn rows(&self) -> &[TargetReport] {
        &self.targets
    }

    fn notes(&self) -> Vec<Line> {
        let swept = self.sweeps.iter().map(|sweep| {
            Line::default()
                .dim(format!("{}: {} of {} hosts answered", sweep.prefix, sweep.alive, sweep.probed))
        });
        let interrupted = self
            .interrupted
            .then(|| Line::default().dim("interrupted: probes in flight are not counted as lost"));
        swept.chain(interrupted).collect()
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Good if every target answers; of a sweep, and of each of the three tiers, if anyone does. What was stopped
    /// before it was known is neither good nor bad.
    fn exit(&self) -> Exit {
        let groups: Vec<Vec<Option<bool>>> = if self.is_tiers {
            let of = |tier| {
                self.targets.iter().filter(move |row| row.tier == Some(tier)).map(TargetReport::is_good)
            };
            [Tier::Loopback, Tier::Lan, Tier::Routed].map(|tier| of(tier).collect()).into()
        } else {
            let swept = self.sweeps.iter().map(|sweep| vec![sweep.is_good()]);
            let rows = self.targets.iter().filter(|row| !row.is_swept).map(|row| vec![row.is_good()]);
            rows.chain(swept).collect()
        };
        let answers = |group: &Vec<Option<bool>>| group.contains(&Some(true));
        let is_known = |group: &Vec<Option<bool>>| !group.contains(&None);
        match groups.iter().filter(|group| !answers(group)).collect::<Vec<_>>().as_slice() {
            [] => Exit::Fine,
            bad if self.interrupted && !bad.iter().any(|group| is_known(group)) => Exit::Interrupted,
            _ => Exit::Negative,
        }
    }
}

impl TargetReport {
    /// Whether it answered; `None` while that is not known.
    fn is_good(&self) -> Option<bool> {
        self.outcome.map(Outcome::is_answered)
    }
}

impl Sweep {
    /// Whether anybody answered; `None` if nobody did before it was stopped.
    fn is_good(&self) -> Option<bool> {
        if self.alive > 0 || self.probed == self.hosts { Some(self.alive > 0) } else { None }
    }
}

impl Record for TargetReport {
    fn columns() -> &'static [Column<Self>] {
        type Col = Column<TargetReport>;
        static COLUMNS: [Col; 26] = [
            Col::new("target", "TARGET", |row| Cell::text(row.target.clone()).role(Role::Strong)),
            Col::new("address", "ADDRESS", |row| Cell::maybe(row.address.as_deref(), Cell::text))
                .if_so(is_named)
                .dropped_at(2),
            Col::new("tier", "TIER", |row| Cell::maybe(row.tier, |tier| Cell::text(tier.name())))
                .dropped_at(1),
            Col::new("outcome", "OUTCOME", |row| Cell::maybe(row.outcome, Outcome::cell)),
            Col::new("sent", "SENT", |row| Cell::integer(row.sent)).right().dropped_at(5),
            Col::new("received", "RECEIVED", |row| Cell::integer(row.received)).right().dropped_at(6),
            Col::new("loss_percent", "LOSS_%", loss).right().dropped_at(2),
            Col::new("rtt_us.min", "MIN_MS", |row| rtt(row, |rtt| rtt.min)).right().dropped_at(6),
            Col::new("rtt_us.avg", "AVG_MS", |row| rtt(row, |rtt| rtt.avg)).right(),
            Col::new("lost", "LOST", |row| Cell::integer(row.lost)).right().verbose().dropped_at(9),
            Col::new("in_flight", "IN_FLIGHT", |row| Cell::integer(row.in_flight))
                .right()
                .verbose()
                .dropped_at(9),
            Col::new("reordered", "REORDERED", |row| Cell::integer(row.reordered))
                .right()
                .verbose()
                .dropped_at(9),
            Col::new("duplicates", "DUPLICATES", |row| Cell::told(row.duplicates, Cell::integer))
                .right()
                .verbose()
                .dropped_at(10),
            Col::new("late", "LATE", |row| Cell::told(row.late, Cell::integer))
                .right()
                .verbose()
                .dropped_at(10),
            Col::new("corrupted", "CORRUPTED", |row| Cell::told(row.corrupted, Cell::integer))
                .right()
                .verbose()
                .dropped_at(10),
            Col::new("rejected", "REJECTED", |row| Cell::told(row.rejected, Cell::integer))
                .right()
                .verbose()
                .dropped_at(10),
            Col::new("timestamps", "TIMESTAMPS", |row| Cell::text(row.timestamps)).verbose().dropped_at(10),
            Col::new("rtt_us.p50", "P50_MS", |row| rtt(row, |rtt| rtt.p50)).right().verbose().dropped_at(8),
            Col::new("rtt_us.p95", "P95_MS", |row| rtt(row, |rtt| rtt.p95)).right().verbose().dropped_at(8),
            Col::new("rtt_us.p99", "P99_MS", |row| rtt(row, |rtt| rtt.p99)).right().verbose().dropped_at(8),
            Col::new("rtt_us.max", "MAX_MS", |row| rtt(row, |rtt| rtt.max)).right().dropped_at(6),
            Col::new("rtt_us.stddev", "STDDEV_MS", |row| rtt(row, |rtt| rtt.stddev)).right().dropped_at(8),
            Col::new("rtt_us.jitter", "JITTER_MS", |row| rtt(row, |rtt| rtt.jitter))
                .right()
                .verbose()
                .dropped_at(9),
            Col::new("ttl", "TTL", |row| Cell::maybe(row.ttl, Cell::integer)).right().if_any().dropped_at(9),
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

fn loss(row: &TargetReport) -> Cell {
    Cell::maybe(row.loss_percent, |percent| {
        let decimals = if percent.fract() == 0.0 { 0 } else { 2 };
        Cell::real(percent, decimals).role(if percent > 0.0 { Role::Bad } else { Role::Plain })
    })
}

fn rtt(row: &TargetReport, figure: fn(&Summary) -> f64) -> Cell {
    Cell::maybe(row.rtt_us.as_ref(), |summary| Cell::millis(figure(summary)))
}

fn errors(row: &TargetReport) -> Cell {
    Cell::list(row.errors.iter().map(|error| {
        let times = if error.count > 1 { format!("{} x ", error.count) } else { String::new() };
        let from = error.from.map(|from| format!(" from {from}")).unwrap_or_default();
        format!("{times}{}{from}", error.meaning)
    }))
    .role(Role::Caution)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tier: Tier, outcome: Option<Outcome>) -> TargetReport {
        TargetReport {
            target: "t".into(),
            address: None,
            tier: Some(tier),
            outcome,
            sent: 1,
            received: 0,
            lost: 0,
            in_flight: 0,
            loss_percent: None,
            duplicates: None,
            reordered: 0,
            late: None,
            corrupted: None,
            rejected: None,
            ttl: None,
            rtt_us: None,
            errors: Vec::new(),
            timestamps: "user",
            meaning: None,
            is_swept: false,
        }
    }

    fn exit(rows: &[(Tier, Option<Outcome>)], is_tiers: bool, interrupted: bool) -> Exit {
        let targets = rows.iter().map(|(tier, outcome)| row(*tier, *outcome)).collect();
        Ping { targets, sweeps: Vec::new(), interrupted, warnings: Vec::new(), is_tiers }.exit()
    }

    #[test]
    fn what_was_stopped_before_it_was_known_is_neither_good_nor_bad() {
        let (alive, silent) = (Some(Outcome::Alive), Some(Outcome::Silent));
        let of = |outcomes: &[Option<Outcome>], interrupted| {
            let rows: Vec<_> = outcomes.iter().map(|outcome| (Tier::Lan, *outcome)).collect();
            exit(&rows, false, interrupted)
        };
        assert_eq!(of(&[alive, Some(Outcome::Partial)], false), Exit::Fine);
        assert_eq!(of(&[alive, silent], false), Exit::Negative);
        assert_eq!(of(&[alive, None], true), Exit::Interrupted);
        assert_eq!(of(&[None], true), Exit::Interrupted);
        assert_eq!(of(&[alive], true), Exit::Fine);
        assert_eq!(of(&[silent, None], true), Exit::Negative);
        assert_eq!(of(&[None, Some(Outcome::Unresolved)], true), Exit::Negative);
    }

    #[test]
    fn one_public_host_that_answers_is_enough() {
        let (alive, silent) = (Some(Outcome::Alive), Some(Outcome::Silent));
        let tiers = |lan, first, second| {
            let rows =
                [(Tier::Loopback, alive), (Tier::Lan, lan), (Tier::Routed, first), (Tier::Routed, second)];
            exit(&rows, true, false)
        };
        assert_eq!(tiers(alive, silent, alive), Exit::Fine);
        assert_eq!(tiers(alive, silent, silent), Exit::Negative);
        assert_eq!(tiers(silent, alive, alive), Exit::Negative);
    }

    #[test]
    fn a_sweep_is_judged_as_a_whole() {
        let sweep = |probed, alive, interrupted| {
            let sweeps = vec![Sweep { prefix: "10.0.0.0/24".into(), hosts: 254, probed, alive }];
            let swept = TargetReport { is_swept: true, ..row(Tier::Lan, Some(Outcome::Error)) };
            Ping { targets: vec![swept], sweeps, interrupted, warnings: Vec::new(), is_tiers: false }.exit()
        };
        assert_eq!(sweep(254, 1, false), Exit::Fine);
        assert_eq!(sweep(254, 0, false), Exit::Negative);
        assert_eq!(sweep(9, 0, true), Exit::Interrupted);
        assert_eq!(sweep(9, 1, true), Exit::Fine);
    }
}
