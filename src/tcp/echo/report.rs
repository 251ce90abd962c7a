//! How the result of an echo probe describes itself to the output layer.

use std::borrow::Cow;

use serde::Serialize;

use super::super::{Failure, Outcome};
use crate::address::{Endpoint, HostPort};
use crate::error::Exit;
use crate::measure::Summary;
use crate::output::record::{Cell, Column, Line, Record, Report, Warning};
use crate::sys::TcpInfo;

/// The result of an echo probe.
#[derive(Clone, Debug, Serialize)]
pub struct Echo {
    /// The target as it was written; `None` of several.
    pub target: Option<String>,
    /// The target's outcome; `None` of several.
    pub outcome: Option<Outcome>,
    /// Why the target failed.
    pub failure: Option<Failure>,
    /// How long its name took, in microseconds; `None` of several.
    pub resolve_us: Option<f64>,
    /// What became of each address, in the order they were tried.
    pub addresses: Vec<AddressReport>,
    /// Every target without its addresses, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetReport>,
    /// Whether the user ended it early.
    pub interrupted: bool,
    #[serde(skip)]
    exit: Exit,
    #[serde(skip)]
    warnings: Vec<Warning>,
}

/// What became of one target.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// The target as it was written.
    pub target: String,
    /// The outcome of the address that answered, or else of the first; `None` if it was stopped before.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// How long its name took, in microseconds.
    pub resolve_us: Option<f64>,
    #[serde(skip)]
    addresses: Vec<AddressReport>,
}

/// What became of one address.
#[derive(Clone, Debug, Serialize)]
pub struct AddressReport {
    /// The target it belongs to, as it was written.
    pub target: String,
    /// The address and port that was probed.
    pub address: String,
    /// What became of it; `None` if it was stopped before that was known.
    pub outcome: Option<Outcome>,
    /// The phases of the first round.
    pub phases_us: Phases,
    /// The bytes sent in all rounds.
    pub sent_bytes: u64,
    /// The bytes that came back in all rounds.
    pub received_bytes: u64,
    /// Whether every byte that was sent came back as it was; `None` where none was asked for.
    pub verified: Option<bool>,
    /// The times of whole rounds.
    pub rtt_us: Option<Summary>,
    /// The rounds that succeeded.
    pub rounds: u64,
    /// The kernel's own figures, where the system tells them.
    pub tcp_info: Option<TcpInfo>,
    /// Why it failed, and who said so.
    pub failure: Option<Failure>,
    /// Whether the other end reset the connection where it should have closed it.
    #[serde(skip)]
    pub(super) was_reset: bool,
}

/// How long each phase took, in microseconds; `None` where it was not reached.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Phases {
    /// Until the connection stood.
    pub connect: Option<f64>,
    /// From the start of the round until every byte was handed to the system.
    pub send: Option<f64>,
    /// From the start of the round until the first byte came back.
    pub first_byte: Option<f64>,
    /// From the start of the round until the last byte came back.
    pub echo: Option<f64>,
    /// From closing this end until the other had closed too.
    pub close: Option<f64>,
}

impl Echo {
    pub(super) fn new(mut targets: Vec<TargetReport>, interrupted: bool, all_addresses: bool) -> Self {
        let exit = exit(&targets, interrupted, all_addresses);
        let addresses: Vec<AddressReport> =
            targets.iter_mut().flat_map(|target| std::mem::take(&mut target.addresses)).collect();
        let reset = addresses.iter().filter(|row| row.was_reset);
        let warnings = reset.map(|row| {
            let message = format!(
                "{} sent every byte back, then reset the connection instead of closing it",
                row.address
            );
            Warning::new("reset-after-echo", message)
        });
        let warnings = warnings.collect();
        let only = if let [only] = targets.as_slice() { Some(only.clone()) } else { None };
        Self {
            target: only.as_ref().map(|only| only.target.clone()),
            outcome: only.as_ref().and_then(|only| only.outcome),
            failure: only.as_ref().and_then(|only| only.failure.clone()),
            resolve_us: only.as_ref().and_then(|only| only.resolve_us),
            addresses,
            targets: if only.is_some() { Vec::new() } else { targets },
            interrupted,
            exit,
            warnings,
        }
    }
}

/// Bad if a target is bad, or with `--all-addresses` any address; if that is all that can be said because the
/// user stopped it, interrupted.
fn exit(targets: &[TargetReport], interrupted: bool, all_addresses: bool) -> Exit {
    let rows = || targets.iter().flat_map(|target| &target.addresses).filter(|_| all_addresses);
    let outcomes = || targets.iter().map(|target| target.outcome).chain(rows().map(|row| row.outcome));
    if outcomes().flatten().any(|outcome| !outcome.is_good()) {
        Exit::Negative
    } else if interrupted && outcomes().any(|outcome| outcome.is_none()) {
        Exit::Interrupted
    } else {
        Exit::Fine
    }
}

impl TargetReport {
    pub(super) fn new(target: &HostPort, resolve_us: Option<f64>, addresses: Vec<AddressReport>) -> Self {
        let good = addresses.iter().find(|row| row.outcome.is_some_and(Outcome::is_good));
        let telling = good.or(addresses.iter().find(|row| row.outcome.is_some()));
        let outcome = telling.and_then(|row| row.outcome);
        let failure = telling.and_then(|row| row.failure.clone());
        Self { target: target.to_string(), outcome, failure, resolve_us, addresses }
    }

    pub(super) fn unresolved(target: &HostPort, resolve_us: Option<f64>, failure: Failure) -> Self {
        let outcome = Some(Outcome::Unresolved);
        Self {
            target: target.to_string(),
            outcome,
            failure: Some(failure),
            resolve_us,
            addresses: Vec::new(),
        }
    }
}

impl AddressReport {
    pub(super) fn new(target: &HostPort, endpoint: Endpoint) -> Self {
        Self {
            target: target.to_string(),
            address: endpoint.to_string(),
            outcome: None,
            phases_us: Phases::default(),
            sent_bytes: 0,
            received_bytes: 0,
            verified: None,
            rtt_us: None,
            rounds: 0,
            tcp_info: None,
            failure: None,
            was_reset: false,
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.outcome = Some(failure.kind);
        self.failure = Some(failure);
    }
}

impl Report for Echo {
    const SCHEMA: &'static str = "netdiag.tcp-echo/1";
    const ROWS: &'static str = "/addresses";
    const ROW_EVENT: &'static str = "address";
    type Row = AddressReport;

    fn row_count(&self) -> usize {
        self.addresses.len()
    }

    fn row(&self, index: usize) -> Cow<'_, AddressReport> {
        Cow::Borrowed(&self.addresses[index])
    }

    fn notes(&self) -> Vec<Line> {
        let interrupted = self
            .interrupted
            .then(|| Line::default().dim("interrupted: the figures are of the rounds so far"));
        interrupted.into_iter().collect()
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}

impl Record for AddressReport {
    fn columns() -> &'static [Column<Self>] {
        type Col = Column<AddressReport>;
        static COLUMNS: [Col; 23] = [
            Col::new("target", "TARGET", |row| Cell::text(row.target.as_str())).if_so(is_named).dropped_at(5),
            Col::new("address", "ADDRESS", |row| Cell::text(row.address.as_str())),
            Col::new("outcome", "OUTCOME", |row| Cell::maybe(row.outcome, Outcome::cell)),
            Col::new("phases_us.connect", "CONNECT_MS", |row| time(row.phases_us.connect))
                .right()
                .if_any()
                .dropped_at(1),
            Col::new("phases_us.send", "SEND_MS", |row| time(row.phases_us.send))
                .right()
                .if_so(is_single)
                .dropped_at(6),
            Col::new("phases_us.first_byte", "FIRST_MS", |row| time(row.phases_us.first_byte))
                .right()
                .if_so(is_single)
                .dropped_at(4),
            Col::new("phases_us.echo", "ECHO_MS", |row| time(row.phases_us.echo))
                .right()
                .if_so(is_single)
                .dropped_at(2),
            Col::new("phases_us.close", "CLOSE_MS", |row| time(row.phases_us.close))
                .right()
                .if_any()
                .dropped_at(6),
            Col::new("sent_bytes", "SENT", |row| Cell::integer(row.sent_bytes)).right().dropped_at(7),
            Col::new("received_bytes", "RECEIVED", |row| Cell::integer(row.received_bytes))
                .right()
                .dropped_at(7),
            Col::new("verified", "VERIFIED", |row| Cell::maybe(row.verified, Cell::flag))
                .if_any()
                .dropped_at(3),
            Col::new("rounds", "ROUNDS", |row| Cell::integer(row.rounds))
                .right()
                .if_so(is_repeated)
                .dropped_at(3),
            Col::new("rtt_us.min", "MIN_MS", |row| time(row.rtt_us.map(|rtt| rtt.min)))
                .right()
                .if_so(is_repeated)
                .dropped_at(4),
            Col::new("rtt_us.avg", "AVG_MS", |row| time(row.rtt_us.map(|rtt| rtt.avg)))
                .right()
                .if_so(is_repeated)
                .dropped_at(1),
            Col::new("rtt_us.max", "MAX_MS", |row| time(row.rtt_us.map(|rtt| rtt.max)))
                .right()
                .if_so(is_repeated)
                .dropped_at(4),
            Col::new("rtt_us.stddev", "STDDEV_MS", |row| time(row.rtt_us.map(|rtt| rtt.stddev)))
                .right()
                .verbose()
                .dropped_at(8),
            Col::new("rtt_us.p50", "P50_MS", |row| time(row.rtt_us.map(|rtt| rtt.p50)))
                .right()
                .verbose()
                .dropped_at(8),
            Col::new("rtt_us.p95", "P95_MS", |row| time(row.rtt_us.map(|rtt| rtt.p95)))
                .right()
                .verbose()
                .dropped_at(8),
            Col::new("rtt_us.p99", "P99_MS", |row| time(row.rtt_us.map(|rtt| rtt.p99)))
                .right()
                .if_so(is_repeated)
                .dropped_at(5),
            Col::new("tcp_info.rtt_us", "KERNEL_RTT_MS", |row| {
                time(row.tcp_info.map(|info| f64::from(info.rtt_us)))
            })
            .right()
            .verbose()
            .dropped_at(9),
            Col::new("tcp_info.retransmissions", "RETRANSMITS", |row| {
                Cell::maybe(row.tcp_info, |info| Cell::integer(info.retransmissions))
            })
            .right()
            .verbose()
            .dropped_at(9),
            Col::new("failure.from", "SAID_BY", |row| {
                Cell::maybe(row.failure.as_ref().and_then(|failure| failure.from), |from| {
                    Cell::text(from.to_string())
                })
            })
            .verbose()
            .dropped_at(9),
            Col::new("failure.message", "WHY", |row| {
                Cell::maybe(row.failure.as_ref(), |failure| Cell::text(failure.message.as_str()))
            })
            .if_any()
            .wrapping(),
        ];
        &COLUMNS
    }
}

/// Whether the target is written otherwise than its address.
fn is_named(row: &AddressReport) -> bool {
    row.target != row.address
}

fn is_repeated(row: &AddressReport) -> bool {
    row.rounds > 1
}

fn is_single(row: &AddressReport) -> bool {
    row.rounds == 1
}

fn time(us: Option<f64>) -> Cell {
    Cell::maybe(us, Cell::millis)
}
