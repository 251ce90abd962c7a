//! The echo probe: connect, send, receive while sending, verify every byte, close; each phase timed.
//!
//! A run is asynchronous, its rounds are not: each connection has a thread that waits in the kernel for nothing
//! but its own bytes (`connection`), and is watched from here (`link`).

mod address;
mod columns;
mod connection;
mod exchange;
mod link;
mod live;
mod narrate;
mod pace;
mod ports;
mod race;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use super::connect::Origin;
pub use pace::Pace;
pub use ports::TimeWait;
pub use report::{AddressReport, Echo, Phases, TargetReport};

use super::explain::Step;
use super::payload::Payload;
use super::{Failure, Outcome};
use crate::address::{Address, Family, HostPorts, ResolveError, resolve, unknown_interface};
use crate::error::Result;
use crate::measure::microseconds;
use crate::output::record::{self, Attention, Line, Observer, Role};
use crate::sys::{self, Listen, StopRequests};
use live::Board;
use race::Attempt;

/// The events that may wait to be told; a connection's thread then waits too.
const EVENTS: usize = 1024;
/// The connects under way at once in a scan of many ports, at most.
const SCANNED_AT_ONCE: usize = 2048;
/// The descriptors a run needs besides those of its connections.
const SPARE_DESCRIPTORS: u64 = 64;

/// What to probe, and how.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice by itself")]
pub struct Request {
    /// The services, at least one.
    pub targets: Vec<HostPorts>,
    /// How often the bytes go there and back on each connection, at least once.
    pub rounds: u64,
    /// When each round begins.
    pub pace: Pace,
    /// The bytes of a round, at least one.
    pub size: u64,
    /// How long to wait for the connection, and then for each sign of progress.
    pub timeout: Duration,
    /// Only addresses of this family.
    pub family: Option<Family>,
    /// Every address of a name, not only until one answers.
    pub all_addresses: bool,
    /// Only connect and close.
    pub connect_only: bool,
    /// How many connections to each address at once, at least one.
    pub connections: u64,
    /// A connection for each round.
    pub reconnect: bool,
    /// Wait by looking again and again, instead of letting the processor go.
    pub spin: bool,
    /// How connections are closed.
    pub close: CloseWith,
    /// From where.
    pub origin: Origin,
    /// Whether a person wants to see the ports of a range that did not connect, too.
    pub lists_all: bool,
    /// Whether each step of one connection and one round is told.
    pub explain: bool,
}

/// How a connection is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseWith {
    /// With a FIN, as every well-behaved client does; the port stays in TIME-WAIT.
    #[default]
    Fin,
    /// With a RST (SO_LINGER of no time): no TIME-WAIT, and an error in the server's log.
    Rst,
}

impl CloseWith {
    fn is_reset(self) -> bool {
        self == Self::Rst
    }
}

impl Request {
    /// Whether it looks at many ports and only wants to know which can be connected to.
    fn is_scan(&self) -> bool {
        self.targets.iter().any(|target| target.only_port().is_none())
    }

    /// Whether one connection is made after another.
    fn makes_many(&self) -> bool {
        (self.reconnect || self.connect_only) && self.rounds > 1
    }

    /// Whether a person has something to watch while it runs.
    fn is_long(&self) -> bool {
        self.rounds > 1 || self.connections > 1
    }

    /// Whether its rounds come slowly enough to be told one by one.
    fn is_leisurely(&self) -> bool {
        matches!(self.pace, Pace::Every(interval) if interval >= Duration::from_millis(10))
    }
}

/// One thing that happened on the way.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The target as it was written.
    pub target: Arc<str>,
    /// The address and port that was probed; `None` where the target has none.
    pub address: Option<Arc<str>>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened on the way.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum What {
    /// The connection stands.
    Connected {
        /// How long that took, in microseconds.
        connect_us: f64,
    },
    /// A round's bytes all came back as they were sent.
    Round {
        /// The round's number on its connection, from 1.
        round: u64,
        /// Which of several connections it was on, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        connection: Option<u64>,
        /// From the first byte sent (at a `--rate`, from when that was due) to the last received, in microseconds;
        /// of a connect alone, how long that took.
        rtt_us: f64,
        /// The bytes that went there and back.
        bytes: u64,
    },
    /// It failed.
    Failed {
        /// Why, and who said so.
        failure: Failure,
    },
    /// A call was made.
    Step(Box<Step>),
}

impl record::Event for Event {
    fn name(&self) -> &'static str {
        match self.what {
            What::Connected { .. } => "connected",
            What::Round { .. } => "round",
            What::Failed { .. } => "failure",
            What::Step(_) => "step",
        }
    }

    fn line(&self) -> Option<Line> {
        let address = self.address.as_ref().unwrap_or(&self.target);
        Some(match &self.what {
            What::Connected { connect_us } => {
                Line::new(format!("connected to {address} in {:.3} ms", connect_us / 1000.0))
            }
            What::Round { round, rtt_us, bytes, connection } => {
                let connection = connection.map(|number| format!(" connection={number}")).unwrap_or_default();
                let (name, bytes) = if *bytes == 0 {
                    ("connect", String::new())
                } else {
                    ("echo", format!(" bytes={bytes}"))
                };
                let preposition = if name == "echo" { "from" } else { "to" };
                Line::default()
                    .with(Role::Good, name)
                    .plain(format!(" {preposition} {address}:{connection} round={round}{bytes} time="))
                    .strong(format!("{:.3} ms", rtt_us / 1000.0))
            }
            What::Failed { failure } => failure.line(address),
            What::Step(step) => step.line(),
        })
    }

    fn below(&self) -> Vec<Line> {
        if let What::Step(step) = &self.what { step.below() } else { Vec::new() }
    }

    fn is_urgent(&self) -> bool {
        // A target without an address has no row that could tell.
        self.address.is_none()
    }

    fn is_detail(&self) -> bool {
        // A run of many rounds is watched round by round; of an address the table says it all.
        self.address.is_some() && !matches!(self.what, What::Round { .. } | What::Step(_))
    }
}

/// What every probe of a run shares.
#[derive(Clone)]
struct Context {
    request: Arc<Request>,
    payload: Payload,
    events: mpsc::Sender<Event>,
    stop: StopRequests,
    /// Whether each round is to be told.
    wants_rounds: bool,
    board: Arc<Board>,
}

impl Context {
    async fn tell(&self, target: &Arc<str>, address: &Arc<str>, what: What) {
        let event = Event { target: target.clone(), address: Some(address.clone()), what };
        // The receiver is gone only once nobody reads the output any more.
        let _ = self.events.send(event).await;
    }
}

/// Probes the targets of a request, side by side, and tells the observer of each round.
///
/// Errors: what this machine lacks to probe at all, or a zone, source or interface that it does not have.
pub async fn run(request: &Request, observer: &mut dyn Observer<Event>) -> Result<Echo> {
    let stop = StopRequests::listen(Listen::Stop)?;
    if request.connections > 1 {
        sys::raise_descriptor_limit();
    }
    let (events, mut happened) = mpsc::channel(EVENTS);
    let is_drawn = observer.is_drawing() && request.is_long();
    let wants_rounds = match observer.attention() {
        Attention::None => false,
        Attention::Usual => request.rounds > 1 && request.is_leisurely() && !is_drawn,
        Attention::Details => request.rounds > 1,
    };
    let shared: Arc<Request> = request.clone().into();
    let board = Arc::new(Board::default());
    let context = Context {
        request: shared,
        payload: Payload::random(),
        events,
        stop: stop.clone(),
        wants_rounds,
        board: board.clone(),
    };
    let mut probes = JoinSet::new();
    for (index, target) in request.targets.iter().cloned().enumerate() {
        let context = context.clone();
        probes.spawn(async move { (index, target_report(target, context).await) });
    }
    drop(context);
    let mut reports: Vec<Option<TargetReport>> = Vec::new();
    reports.resize_with(request.targets.len(), || None);
    let mut is_read = true;
    let start = Instant::now();
    let mut redraws = tokio::time::interval(Board::PERIOD);
    redraws.reset();
    let shows_progress = observer.shows_progress() && request.is_scan();
    while !(probes.is_empty() && (happened.is_empty() || !is_read)) {
        let flow = tokio::select! {
            biased;
            Some(event) = happened.recv(), if is_read => {
                let is_left_to_the_table = is_drawn && !record::Event::is_urgent(&event);
                if is_left_to_the_table { record::Flow::Continue(()) } else { observer.observe(event) }
            }
            Some(done) = probes.join_next() => {
                let (index, report) = done.expect("a probe does not panic and is not aborted");
                reports[index] = Some(report?);
                continue;
            }
            _ = redraws.tick(), if is_read && (is_drawn || shows_progress) => {
                if shows_progress {
                    observer.progress(Some(board.progress()));
                }
                if is_drawn {
                    observer.draw(Some(board.frame(start.elapsed())))
                } else {
                    record::Flow::Continue(())
                }
            }
            else => break,
        };
        if flow.is_break() {
            // What is under way winds up, so that the exit code is still that of what was found.
            is_read = false;
            happened.close();
            stop.ask();
        }
    }
    observer.progress(None);
    if is_drawn {
        let _ = observer.draw(None);
    }
    let interrupted = is_read && stop.is_stopping();
    let reports: Vec<TargetReport> = reports.into_iter().flatten().collect();
    Ok(Echo::new(reports, interrupted, request))
}

/// Probes one target; what the user stopped before it was known has no outcome.
async fn target_report(target: HostPorts, mut context: Context) -> Result<TargetReport> {
    let request = context.request.clone();
    let name: Arc<str> = target.to_string().into();
    let start = Instant::now();
    let resolved = tokio::select! {
        resolved = resolve(&target.host, request.family) => resolved,
        () = context.stop.at_least(1) => return Ok(TargetReport::new(&name, None, Vec::new())),
    };
    let resolve_us = Some(microseconds(start.elapsed()));
    let addresses = match resolved {
        Ok(addresses) => addresses,
        Err(ResolveError::Zone(zone)) => return Err(unknown_interface(&zone)),
        Err(ResolveError::Lacking { name, source }) => {
            return Err(sys::lacks_thread(format!("cannot resolve '{name}'"), source));
        }
        Err(error) => {
            let failure = Failure::new(Outcome::Unresolved, format!("{:#}", anyhow::Error::from(error)));
            let what = What::Failed { failure: failure.clone() };
            // As in `tell`.
            let _ = context.events.send(Event { target: name.clone(), address: None, what }).await;
            return Ok(TargetReport::unresolved(&name, resolve_us, failure));
        }
    };
    let reports = match target.only_port() {
        Some(port) => port_reports(&name, &addresses, port, &context).await?,
        None => scan(&name, &addresses, &target.ports(), &context).await?,
    };
    Ok(TargetReport::new(&name, resolve_us, reports))
}

/// Probes one port of a host: every address at once, or one after another until one answers.
async fn port_reports(
    name: &Arc<str>,
    addresses: &[Address],
    port: u16,
    context: &Context,
) -> Result<Vec<AddressReport>> {
    let mut reports = Vec::new();
    if context.request.all_addresses {
        let mut probes = JoinSet::new();
        for (index, address) in addresses.iter().enumerate() {
            let (name, endpoint, context) = (name.clone(), address.with_port(port), context.clone());
            probes.spawn(async move { (index, address::probe(name, endpoint, context).await) });
        }
        while let Some(done) = probes.join_next().await {
            let (index, report) = done.expect("a probe does not panic and is not aborted");
            reports.push((index, report?));
        }
        reports.sort_by_key(|(index, _)| *index);
    } else {
        for (index, address) in addresses.iter().enumerate() {
            let report = address::probe(name.clone(), address.with_port(port), context.clone()).await?;
            // The next address is for connections that could not be made; a service that fails has answered.
            let is_last = report.phases_us.connect.is_some() || report.outcome.is_none();
            reports.push((index, report));
            if is_last {
                break;
            }
        }
    }
    let mut reports: Vec<AddressReport> = reports.into_iter().map(|(_, report)| report).collect();
    if context.request.all_addresses && addresses.len() > 1 {
        let attempts: Vec<(bool, Attempt)> = addresses
            .iter()
            .zip(&reports)
            .map(|(address, report)| {
                let took = report.connecting;
                let stood = report.phases_us.connect.is_some();
                (address.ip.is_ipv6(), if stood { Attempt::Stood(took) } else { Attempt::Failed(took) })
            })
            .collect();
        let winner = race::winner(&attempts);
        for (index, report) in reports.iter_mut().enumerate() {
            report.is_client_choice = Some(winner == Some(index));
        }
    }
    Ok(reports)
}

/// Looks which of many ports can be connected to, so many at once as this machine allows.
async fn scan(
    name: &Arc<str>,
    addresses: &[Address],
    ports: &[u16],
    context: &Context,
) -> Result<Vec<AddressReport>> {
    let limit = sys::raise_descriptor_limit().saturating_sub(SPARE_DESCRIPTORS);
    let targets = context.request.targets.len().max(1);
    let at_once = usize::try_from(limit).unwrap_or(usize::MAX).min(SCANNED_AT_ONCE) / targets;
    let at_once = (at_once / if context.request.all_addresses { addresses.len().max(1) } else { 1 }).max(1);
    context.board.expects(ports.len());
    let addresses: Arc<[Address]> = addresses.into();
    let mut waiting = ports.iter().copied().enumerate();
    let mut probes = JoinSet::new();
    let mut reports = Vec::with_capacity(ports.len());
    loop {
        while probes.len() < at_once
            && !context.stop.is_stopping()
            && let Some((index, port)) = waiting.next()
        {
            let (name, addresses, context) = (name.clone(), addresses.clone(), context.clone());
            probes.spawn(async move { (index, port_reports(&name, &addresses, port, &context).await) });
        }
        let Some(done) = probes.join_next().await else { break };
        let (index, found) = done.expect("a probe does not panic and is not aborted");
        let found = found?;
        context.board.found(found.iter().any(|report| report.outcome == Some(Outcome::Connected)));
        reports.push((index, found));
    }
    reports.sort_by_key(|(index, _)| *index);
    Ok(reports.into_iter().flat_map(|(_, found)| found).collect())
}
