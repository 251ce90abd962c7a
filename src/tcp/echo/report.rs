//! What an echo probe found, and how it describes itself to the output layer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::explain::Step;
use super::super::{Failure, Outcome};
use super::connection::Tally;
use super::exchange::{self, Close};
use super::narrate::Told;
use super::ports::TimeWait;
use super::{Pace, Request};
use crate::address::Endpoint;
use crate::error::Exit;
use crate::measure::{Summary, Times, microseconds};
use crate::output::record::{Line, Report, Warning};
use crate::sys::{TcpBuffers, TcpInfo};

/// A person wants to see each of so many ports; of more, those that did not connect are only counted.
const FEW_PORTS: usize = 32;

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
    /// How many ports came to each outcome, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<&'static str, u64>,
    /// Every target without its addresses, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetReport>,
    /// Whether the user ended it early.
    pub interrupted: bool,
    #[serde(skip)]
    unresolved: Vec<Line>,
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
    /// Whether a client would end up with this address (RFC 8305); `None` where only one was probed.
    pub is_client_choice: Option<bool>,
    /// The phases of the first round.
    pub phases_us: Phases,
    /// The bytes sent in all rounds.
    pub sent_bytes: u64,
    /// The bytes that came back in all rounds.
    pub received_bytes: u64,
    /// Whether every byte that was sent came back as it was; `None` where none was asked for.
    pub verified: Option<bool>,
    /// The times of whole rounds; at a `--rate`, from when each was due. Of connects alone, their times.
    pub rtt_us: Option<Summary>,
    /// At a `--rate`, the times from when each round was really sent.
    pub service_us: Option<Summary>,
    /// The times of the connects, where there were several.
    pub connects_us: Option<Summary>,
    /// The rounds that succeeded.
    pub rounds: u64,
    /// How many rounds a second that was; `None` of one.
    pub rounds_per_s: Option<f64>,
    /// The connections that were made at once.
    pub connections: u64,
    /// The connections that could not be made.
    pub unconnected: u64,
    /// The connections that stood and then failed.
    pub broken: u64,
    /// The connections in TIME-WAIT toward this address, where one was made after another.
    pub time_wait: Option<TimeWait>,
    /// The kernel's own figures, where the system tells them.
    pub tcp_info: Option<Box<TcpInfo>>,
    /// The two buffers at the end of the last round.
    pub buffers: Option<TcpBuffers>,
    /// Why it failed, and who said so.
    pub failure: Option<Failure>,
    /// Each call, with what the kernel did meanwhile, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// How long connecting took, whatever came of it.
    #[serde(skip)]
    pub(super) connecting: Duration,
    /// Whether the other end reset the connection where it should have closed it.
    #[serde(skip)]
    pub(super) was_reset: bool,
    #[serde(skip)]
    pub(super) warnings: Vec<Warning>,
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
    pub(super) fn new(mut targets: Vec<TargetReport>, interrupted: bool, request: &Request) -> Self {
        let exit = exit(&targets, interrupted, request.all_addresses);
        let mut addresses: Vec<AddressReport> =
            targets.iter_mut().flat_map(|target| std::mem::take(&mut target.addresses)).collect();
        let reset = addresses.iter().filter(|row| row.was_reset);
        let warnings = reset.map(|row| {
            let message =
                format!("{} echoed every byte, then reset the connection instead of closing it", row.address);
            Warning::new("reset-after-echo", message)
        });
        let mut warnings: Vec<Warning> = warnings.collect();
        warnings.extend(addresses.iter_mut().flat_map(|row| std::mem::take(&mut row.warnings)));
        let mut counts = BTreeMap::new();
        if request.is_scan() {
            for outcome in addresses.iter().filter_map(|row| row.outcome) {
                *counts.entry(outcome.name()).or_default() += 1;
            }
        }
        let unresolved = targets.iter().filter(|target| target.outcome == Some(Outcome::Unresolved));
        let unresolved =
            unresolved.filter_map(|target| Some(target.failure.as_ref()?.line(&target.target))).collect();
        let only = if let [only] = targets.as_slice() { Some(only.clone()) } else { None };
        Self {
            target: only.as_ref().map(|only| only.target.clone()),
            outcome: only.as_ref().and_then(|only| only.outcome),
            failure: only.as_ref().and_then(|only| only.failure.clone()),
            resolve_us: only.as_ref().and_then(|only| only.resolve_us),
            addresses,
            counts,
            targets: if only.is_some() { Vec::new() } else { targets },
            interrupted,
            unresolved,
            exit,
            warnings,
        }
    }

    /// Leaves out, for a person, the ports of a range that did not connect, if there are many.
    pub fn keep_connected(&mut self) {
        if self.counts.is_empty() || self.addresses.len() <= FEW_PORTS {
            return;
        }
        let before = self.addresses.len();
        self.addresses.retain(|row| row.outcome.is_some_and(Outcome::is_good));
        if self.addresses.len() == before {
            return;
        }
        let count = |(outcome, count): (&&str, &u64)| format!("{count} {outcome}");
        let counts: Vec<String> = self.counts.iter().map(count).collect();
        let message =
            format!("ports: {}; only connected ports are listed (--all lists all)", counts.join(", "));
        self.warnings.push(Warning::new("ports-not-listed", message));
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
    pub(super) fn new(target: &str, resolve_us: Option<f64>, addresses: Vec<AddressReport>) -> Self {
        let good = addresses.iter().find(|row| row.outcome.is_some_and(Outcome::is_good));
        let telling = good.or(addresses.iter().find(|row| row.outcome.is_some()));
        let outcome = telling.and_then(|row| row.outcome);
        let failure = telling.and_then(|row| row.failure.clone());
        Self { target: target.to_string(), outcome, failure, resolve_us, addresses }
    }

    pub(super) fn unresolved(target: &str, resolve_us: Option<f64>, failure: Failure) -> Self {
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
    pub(super) fn new(target: &str, endpoint: Endpoint) -> Self {
        Self {
            target: target.to_string(),
            address: endpoint.to_string(),
            outcome: None,
            is_client_choice: None,
            phases_us: Phases::default(),
            sent_bytes: 0,
            received_bytes: 0,
            verified: None,
            rtt_us: None,
            service_us: None,
            connects_us: None,
            rounds: 0,
            rounds_per_s: None,
            connections: 0,
            unconnected: 0,
            broken: 0,
            time_wait: None,
            tcp_info: None,
            buffers: None,
            failure: None,
            steps: Vec::new(),
            connecting: Duration::ZERO,
            was_reset: false,
            warnings: Vec::new(),
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.outcome = Some(failure.kind);
        self.failure = Some(failure);
    }

    /// Takes what a told round came to.
    pub(super) fn told(&mut self, told: Told, connect_only: bool) {
        let us = |time: Option<Duration>| time.map(microseconds);
        self.connecting = told.connect.unwrap_or_default();
        self.connections = u64::from(told.connect.is_some());
        self.phases_us = Phases {
            connect: us(told.connect),
            send: us(told.send),
            first_byte: us(told.first_byte),
            echo: us(told.echo),
            close: None,
        };
        (self.sent_bytes, self.received_bytes) = (told.sent, told.received);
        if let Some(echo) = told.echo {
            let mut times = Times::default();
            times.add(echo);
            (self.rounds, self.rtt_us) = (1, times.summary());
            (self.outcome, self.verified) = (Some(Outcome::Echoed), Some(true));
        } else if connect_only && told.connect.is_some() {
            self.outcome = Some(Outcome::Connected);
        }
        self.note_kernel(told.info, told.buffers);
        match told.close {
            Some(Close::Finished(took)) => self.phases_us.close = us(Some(took)),
            Some(Close::Reset) => self.was_reset = told.failure.is_none() && told.echo.is_some(),
            Some(Close::Surplus(bytes)) if told.failure.is_none() && !connect_only => {
                self.received_bytes += bytes as u64;
                self.verified = Some(false);
                self.fail(Failure::new(Outcome::Mismatch, exchange::surplus(bytes)));
            }
            Some(failed @ Close::Failed(_)) => self.warnings.extend(failed.warning(&self.address)),
            Some(Close::StaysOpen | Close::Surplus(_)) | None => {}
        }
        if let Some(failure) = told.failure {
            self.verified = (!connect_only && told.connect.is_some()).then_some(false);
            self.fail(failure);
        }
    }

    /// Takes what the kernel knows of the first connection.
    pub(super) fn note_kernel(&mut self, info: Option<TcpInfo>, buffers: TcpBuffers) {
        self.tcp_info = info.map(Box::new);
        self.buffers = Some(buffers);
    }

    /// Counts what all connections' rounds amount to.
    #[expect(clippy::cast_precision_loss, reason = "rounds are far below 2^53")]
    pub(super) fn count(&mut self, tallies: impl Iterator<Item = Tally>, request: &Request, took: Duration) {
        let (mut times, mut service, mut connects) = (Times::default(), Times::default(), Times::default());
        for (index, tally) in tallies.enumerate() {
            times.merge(&tally.times);
            service.merge(&tally.service);
            connects.merge(&tally.connects);
            self.sent_bytes += tally.sent;
            self.received_bytes += tally.received;
            if let Some(first) = tally.first.filter(|_| index == 0 && !request.connect_only) {
                self.phases_us.send = Some(microseconds(first.send));
                self.phases_us.first_byte = Some(microseconds(first.first_byte));
                self.phases_us.echo = Some(microseconds(first.echo));
            }
        }
        self.rounds = times.count();
        self.rtt_us = times.summary();
        self.service_us = service.summary().filter(|_| matches!(request.pace, Pace::Rate(_)));
        self.connects_us = connects.summary().filter(|_| connects.count() > 1);
        if times.count() > 1 && !took.is_zero() {
            // With pauses between them, the rounds lie on both sides of one pause more than there are.
            let begun = if request.pace == Pace::Flat { 0 } else { self.connections };
            let counted = times.count().saturating_sub(begun);
            self.rounds_per_s = (counted > 0).then(|| counted as f64 / took.as_secs_f64());
        }
        if times.count() > 0 && self.outcome.is_none() {
            self.outcome = Some(if request.connect_only { Outcome::Connected } else { Outcome::Echoed });
        }
        if times.count() > 0 && !request.connect_only {
            self.verified = Some(true);
        }
    }

    /// What the kernel says of the connection, in a line.
    fn kernel(&self) -> Option<Line> {
        let info = self.tcp_info.as_deref()?;
        let mut said = vec![format!("rtt {:.3} ms", f64::from(info.rtt_us) / 1000.0)];
        said.extend(info.retransmissions.map(|count| format!("{count} retransmitted")));
        said.push(format!("window {} x {} B", info.cwnd_segments, info.mss_bytes));
        said.extend(info.congestion_control.clone());
        let options = [("SACK", info.sack), ("ECN", info.ecn), ("timestamps", info.timestamps)];
        said.extend(options.iter().filter(|(_, on)| *on == Some(true)).map(|(name, _)| (*name).to_owned()));
        if let Some(TcpBuffers { send_bytes: Some(send), receive_bytes: Some(receive), .. }) = self.buffers {
            said.push(format!("SO_SNDBUF {send} B, SO_RCVBUF {receive} B"));
        }
        Some(Line::default().dim(format!("kernel: {}", said.join(", "))))
    }
}

/// What to do about a service that accepts connections and sends back something else, or nothing.
fn no_echo_service(target: &str) -> String {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
    let service = match port {
        "80" => format!("http://{host}/"),
        "443" => format!("https://{host}/"),
        _ => target.to_owned(),
    };
    format!(
        "the port is open; the service is not an echo server. The port alone: netdiag tcp-echo {target} --connect-only; \
         the service: netdiag doctor {service}"
    )
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
        let interrupted =
            self.interrupted.then(|| Line::default().dim("interrupted: the figures cover the rounds so far"));
        let kernel = if let [row] = self.addresses.as_slice() { row.kernel() } else { None };
        let looking = self
            .addresses
            .iter()
            .any(|row| !row.steps.is_empty())
            .then(|| Line::default().dim("the phases include the time spent on explaining each step"));
        interrupted.into_iter().chain(looking).chain(kernel).collect()
    }

    fn only_in_events(&self) -> Vec<Line> {
        self.unresolved.clone()
    }

    fn hints(&self) -> Vec<String> {
        /// So many services are told of.
        const MOST: usize = 3;
        let no_echo = |row: &&AddressReport| {
            row.phases_us.connect.is_some() && row.outcome.is_some_and(Outcome::is_no_echo)
        };
        let mut targets: Vec<&str> =
            self.addresses.iter().filter(no_echo).map(|row| row.target.as_str()).collect();
        targets.dedup();
        targets.truncate(MOST);
        targets.into_iter().map(no_echo_service).collect()
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
