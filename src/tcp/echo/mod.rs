//! The echo probe: connect, send, receive while sending, verify every byte, close; each phase timed.

mod exchange;
mod report;

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use super::connect::Origin;
pub use report::{AddressReport, Echo, Phases, TargetReport};

use super::connect::{Connected, connect};
use super::payload::Payload;
use super::{Failure, Outcome};
use crate::address::{Address, Endpoint, Family, HostPort, ResolveError, resolve, unknown_interface};
use crate::error::Result;
use crate::measure::{Times, microseconds};
use crate::output::record::{self, Line, Observer, Role};
use crate::sys::{self, Listen, StopRequests};
use exchange::{Close, Exchange};

/// What to probe, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The services, at least one.
    pub targets: Vec<HostPort>,
    /// How often the bytes go there and back, at least once.
    pub rounds: u64,
    /// The time from the start of one round to the start of the next.
    pub interval: Duration,
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
    /// From where.
    pub origin: Origin,
}

/// One thing that happened on the way.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The target as it was written.
    pub target: String,
    /// The address and port that was probed; `None` where the target has none.
    pub address: Option<String>,
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
        /// The round's number, from 1.
        round: u64,
        /// From the first byte sent to the last received, in microseconds.
        rtt_us: f64,
        /// The bytes that went there and back.
        bytes: u64,
    },
    /// It failed.
    Failed {
        /// Why, and who said so.
        failure: Failure,
    },
}

impl record::Event for Event {
    fn name(&self) -> &'static str {
        match self.what {
            What::Connected { .. } => "connected",
            What::Round { .. } => "round",
            What::Failed { .. } => "failure",
        }
    }

    fn line(&self) -> Option<Line> {
        let address = self.address.as_ref().unwrap_or(&self.target);
        Some(match &self.what {
            What::Connected { connect_us } => {
                Line::new(format!("connected to {address} in {:.3} ms", connect_us / 1000.0))
            }
            What::Round { round, rtt_us, bytes } => Line::default()
                .with(Role::Good, "echo")
                .plain(format!(" from {address}: round={round} bytes={bytes} time="))
                .strong(format!("{:.3} ms", rtt_us / 1000.0)),
            What::Failed { failure } => Line::default()
                .with(Role::Bad, failure.kind.name())
                .plain(format!(" {address}: {}", failure.message)),
        })
    }

    fn is_urgent(&self) -> bool {
        // A target without an address has no row that could tell.
        self.address.is_none()
    }

    fn is_detail(&self) -> bool {
        // A run of many rounds is watched round by round; of an address the table says it all.
        self.address.is_some() && !matches!(self.what, What::Round { .. })
    }
}

/// What every probe of a run shares.
#[derive(Clone)]
struct Context {
    request: std::sync::Arc<Request>,
    payload: Payload,
    events: mpsc::UnboundedSender<Event>,
    stop: StopRequests,
}

impl Context {
    fn tell(&self, event: Event) {
        // The receiver is gone only once nobody reads the output any more.
        let _ = self.events.send(event);
    }
}

/// Probes the targets of a request, side by side, and tells the observer of each round.
///
/// Errors: what this machine lacks to probe at all, or a zone, source or interface that it does not have.
pub async fn run(request: &Request, observer: &mut dyn Observer<Event>) -> Result<Echo> {
    let stop = StopRequests::listen(Listen::Stop)?;
    let (events, mut happened) = mpsc::unbounded_channel();
    let context =
        Context { request: request.clone().into(), payload: Payload::random(), events, stop: stop.clone() };
    let mut probes = JoinSet::new();
    for (index, target) in request.targets.iter().cloned().enumerate() {
        let context = context.clone();
        probes.spawn(async move { (index, target_report(target, context).await) });
    }
    drop(context);
    let mut reports: Vec<Option<TargetReport>> = Vec::new();
    reports.resize_with(request.targets.len(), || None);
    let mut is_read = true;
    loop {
        tokio::select! {
            biased;
            Some(event) = happened.recv(), if is_read => {
                if observer.observe(event).is_break() {
                    // What is under way winds up, so that the exit code is still that of what was found.
                    is_read = false;
                    stop.ask();
                }
            }
            Some(done) = probes.join_next() => {
                let (index, report) = done.expect("a probe does not panic and is not aborted");
                reports[index] = Some(report?);
            }
            else => break,
        }
    }
    let interrupted = is_read && stop.is_stopping();
    let reports: Vec<TargetReport> = reports.into_iter().flatten().collect();
    Ok(Echo::new(reports, interrupted, request.all_addresses))
}

/// Probes one target; what the user stopped before it was known has no outcome.
async fn target_report(target: HostPort, mut context: Context) -> Result<TargetReport> {
    let request = context.request.clone();
    let start = Instant::now();
    let resolved = tokio::select! {
        resolved = resolve(&target.host, request.family) => resolved,
        () = context.stop.at_least(1) => return Ok(TargetReport::new(&target, None, Vec::new())),
    };
    let resolve_us = Some(microseconds(start.elapsed()));
    let addresses = match resolved {
        Ok(addresses) => addresses,
        Err(ResolveError::Zone(zone)) => return Err(unknown_interface(&zone)),
        Err(error) => {
            let failure = Failure::new(Outcome::Unresolved, format!("{:#}", anyhow::Error::from(error)));
            let what = What::Failed { failure: failure.clone() };
            context.tell(Event { target: target.to_string(), address: None, what });
            return Ok(TargetReport::unresolved(&target, resolve_us, failure));
        }
    };
    let mut reports = Vec::new();
    if request.all_addresses {
        let mut probes = JoinSet::new();
        for (index, address) in addresses.into_iter().enumerate() {
            let (target, context) = (target.clone(), context.clone());
            probes.spawn(async move { (index, address_report(target, address, context).await) });
        }
        while let Some(done) = probes.join_next().await {
            let (index, report) = done.expect("a probe does not panic and is not aborted");
            reports.push((index, report?));
        }
        reports.sort_by_key(|(index, _)| *index);
    } else {
        for (index, address) in addresses.into_iter().enumerate() {
            let report = address_report(target.clone(), address, context.clone()).await?;
            // The next address is for connections that could not be made; a service that fails has answered.
            let is_last = report.phases_us.connect.is_some() || report.outcome.is_none();
            reports.push((index, report));
            if is_last {
                break;
            }
        }
    }
    Ok(TargetReport::new(&target, resolve_us, reports.into_iter().map(|(_, report)| report).collect()))
}

/// Probes one address.
async fn address_report(target: HostPort, address: Address, mut context: Context) -> Result<AddressReport> {
    let request = context.request.clone();
    let endpoint = Endpoint(address.with_port(target.port));
    let mut report = AddressReport::new(&target, endpoint);
    let teller = context.clone();
    let tell = move |what| {
        teller.tell(Event { target: target.to_string(), address: Some(endpoint.to_string()), what });
    };
    let connecting = connect(endpoint.0, &request.origin, request.timeout);
    let connected = tokio::select! {
        connected = connecting => connected?,
        () = context.stop.at_least(1) => return Ok(report),
    };
    let Connected { stream, took } = match connected {
        Ok(connected) => connected,
        Err(failure) => {
            tell(What::Failed { failure: failure.clone() });
            report.fail(failure);
            return Ok(report);
        }
    };
    report.phases_us.connect = Some(microseconds(took));
    tell(What::Connected { connect_us: microseconds(took) });
    if request.connect_only {
        report.outcome = Some(Outcome::Connected);
        report.tcp_info = sys::tcp_info(&stream);
        exchange::leave(stream).await;
        return Ok(report);
    }
    let is_whole = rounds(&stream, &context, &mut report, &tell).await;
    report.tcp_info = sys::tcp_info(&stream);
    // Of a round that was broken off more may still come back, which says nothing.
    if is_whole {
        let closed = tokio::select! {
            closed = exchange::close(stream) => closed,
            () = context.stop.at_least(1) => Close::StaysOpen,
        };
        match closed {
            Close::Finished(took) => report.phases_us.close = Some(microseconds(took)),
            Close::Reset => report.was_reset = true,
            Close::StaysOpen => {}
            Close::Surplus(bytes) => {
                let failure = Failure::new(Outcome::Mismatch, exchange::surplus(bytes));
                tell(What::Failed { failure: failure.clone() });
                report.received_bytes += bytes as u64;
                report.fail(failure);
                report.verified = Some(false);
            }
        }
    }
    Ok(report)
}

/// Sends the bytes there and back, round by round, and notes what becomes of them. Gives whether every round
/// that was begun came to a good end.
async fn rounds(
    stream: &tokio::net::TcpStream,
    context: &Context,
    report: &mut AddressReport,
    tell: &impl Fn(What),
) -> bool {
    let request = &context.request;
    let mut stop = context.stop.clone();
    let mut exchange = Exchange::new(stream, request.timeout);
    let mut times = Times::default();
    let mut is_whole = true;
    let start = tokio::time::Instant::now();
    for round in 1..=request.rounds {
        let due = start + request.interval.saturating_mul(u32::try_from(round - 1).unwrap_or(u32::MAX));
        if round > 1 && !request.interval.is_zero() {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = stop.at_least(1) => break,
            }
        }
        let result = tokio::select! {
            result = exchange.round(context.payload.of_round(round), request.size) => result,
            () = stop.at_least(1) => {
                is_whole = false;
                break;
            }
        };
        match result {
            Ok(timing) => {
                times.add(timing.echo);
                if round == 1 {
                    report.phases_us.send = Some(microseconds(timing.send));
                    report.phases_us.first_byte = Some(microseconds(timing.first_byte));
                    report.phases_us.echo = Some(microseconds(timing.echo));
                }
                report.outcome = Some(Outcome::Echoed);
                report.verified = Some(true);
                if request.rounds > 1 {
                    tell(What::Round { round, rtt_us: microseconds(timing.echo), bytes: request.size });
                }
            }
            Err(mut failure) => {
                if round > 1 {
                    failure.message = format!("in round {round}: {}", failure.message);
                }
                tell(What::Failed { failure: failure.clone() });
                report.fail(failure);
                report.verified = Some(false);
                is_whole = false;
                break;
            }
        }
    }
    (report.sent_bytes, report.received_bytes) = (exchange.sent, exchange.received);
    report.rounds = times.count();
    report.rtt_us = times.summary();
    is_whole
}
