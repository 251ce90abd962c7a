//! Probing one address: its connections, their threads, and what they found together.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::connect::{Connected, connect};
use super::super::explain::Step;
use super::super::{Failure, Outcome};
use super::connection::{Connection, Ended, Tally};
use super::exchange::{self, Close};
use super::link::{Link, Watch};
use super::narrate::Narration;
use super::pace::Schedule;
use super::ports::{self, Foresight, TimeWait};
use super::report::AddressReport;
use super::{Context, Event, What};
use crate::address::Endpoint;
use crate::error::Result;
use crate::measure::{Times, microseconds};
use crate::sys;

/// A connection's thread needs little: its buffers are not on the stack.
const STACK: usize = 256 * 1024;
/// How often to look whether the ports to connect from will last.
const FORESIGHT: Duration = Duration::from_secs(1);

/// Probes one address; what the user stopped before it was known has no outcome.
pub(super) async fn probe(
    target: Arc<str>,
    endpoint: SocketAddr,
    mut context: Context,
) -> Result<AddressReport> {
    let request = context.request.clone();
    let mut report = AddressReport::new(&target, Endpoint(endpoint));
    let address: Arc<str> = report.address.as_str().into();
    if request.explain {
        narrate(&target, &address, endpoint, &context, &mut report).await?;
        return Ok(report);
    }
    let start = Instant::now();
    let connected = tokio::select! {
        connected = connect(endpoint, &request.origin, request.timeout) => connected?,
        () = context.stop.at_least(1) => return Ok(report),
    };
    report.connecting = start.elapsed();
    let Connected { stream, took } = match connected {
        Ok(connected) => connected,
        Err(failure) => {
            let failure = ports::explained(failure, endpoint);
            context.tell(&target, &address, What::Failed { failure: failure.clone() }).await;
            report.fail(failure);
            return Ok(report);
        }
    };
    report.phases_us.connect = Some(microseconds(took));
    report.connections = 1;
    if !request.is_scan() {
        context.tell(&target, &address, What::Connected { connect_us: microseconds(took) }).await;
    }
    if request.connect_only && request.rounds == 1 && request.connections == 1 {
        report.outcome = Some(Outcome::Connected);
        if !request.is_scan() {
            report.note_kernel(sys::tcp_info(&stream), sys::tcp_buffers(&stream));
        }
        exchange::leave(&stream, request.close.is_reset());
        return Ok(report);
    }
    let mut streams = vec![(stream, took)];
    let others = connect_others(endpoint, &context).await?;
    for other in others {
        match other {
            Ok(Connected { stream, took }) => streams.push((stream, took)),
            Err(failure) => {
                let failure = ports::explained(failure, endpoint);
                report.unconnected += 1;
                if report.failure.is_none() {
                    context.tell(&target, &address, What::Failed { failure: failure.clone() }).await;
                    report.fail(failure);
                }
            }
        }
    }
    report.connections = streams.len() as u64;
    let mut foresight = Foresight::new(endpoint);
    let before = if request.makes_many() { foresight.held() } else { None };
    let ended = run(&target, &address, endpoint, streams, &context, &mut report, &mut foresight).await?;
    conclude(&target, &address, ended, &context, &mut report).await;
    if let Some(before) = before
        && let Some(after) = foresight.held()
    {
        report.time_wait = Some(TimeWait { before, after });
    }
    report.warnings.extend(foresight.warning());
    Ok(report)
}

/// Tells each step of one round on one connection.
async fn narrate(
    target: &Arc<str>,
    address: &Arc<str>,
    endpoint: SocketAddr,
    context: &Context,
    report: &mut AddressReport,
) -> Result<()> {
    let (link, request, payload) = (Arc::new(Link::default()), context.request.clone(), context.payload);
    let steps = Arc::new(Mutex::new(Vec::new()));
    let (tell, kept, used) = (teller(target, address, context), steps.clone(), link.clone());
    let (done, ended) = tokio::sync::oneshot::channel();
    let narration = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
        let tell = move |step: Step| {
            lock(&kept).push(step.clone());
            tell(What::Step(Box::new(step)));
        };
        let narration =
            Narration { request: &request, target: endpoint, payload, link: used, tell: Box::new(tell) };
        let told = narration.run();
        drop(narration);
        // The receiver waits for it.
        let _ = done.send(told);
    });
    narration.map_err(|error| sys::lacks_thread("cannot start a thread", error))?;
    let links = [link];
    let mut watch = Watch::new(&links, context.request.timeout);
    let mut looks = tokio::time::interval(watch.period());
    let mut stop = context.stop.clone();
    let (mut ended, mut is_stopping) = (ended, false);
    let told = loop {
        tokio::select! {
            biased;
            told = &mut ended => break told.expect("narrating does not panic")?,
            () = stop.at_least(1), if !is_stopping => {
                is_stopping = true;
                watch.stop();
            }
            _ = looks.tick() => watch.look(Instant::now()),
        }
    };
    report.steps = std::mem::take(&mut *lock(&steps));
    report.told(told, context.request.connect_only);
    if let Some(failure) = report.failure.clone() {
        context.tell(target, address, What::Failed { failure }).await;
    }
    Ok(())
}

/// Connects the rest of several connections, side by side.
async fn connect_others(
    endpoint: SocketAddr,
    context: &Context,
) -> Result<Vec<std::result::Result<Connected, Failure>>> {
    let mut connects = JoinSet::new();
    for _ in 1..context.request.connections {
        let (request, mut stop) = (context.request.clone(), context.stop.clone());
        connects.spawn(async move {
            tokio::select! {
                connected = connect(endpoint, &request.origin, request.timeout) => connected.map(Some),
                () = stop.at_least(1) => Ok(None),
            }
        });
    }
    let mut connected = Vec::new();
    while let Some(done) = connects.join_next().await {
        connected.extend(done.expect("a connect does not panic and is not aborted")?);
    }
    Ok(connected)
}

/// Lets every connection go through its rounds, and watches over them.
async fn run(
    target: &Arc<str>,
    address: &Arc<str>,
    endpoint: SocketAddr,
    streams: Vec<(TcpStream, Duration)>,
    context: &Context,
    report: &mut AddressReport,
    foresight: &mut Foresight,
) -> Result<Vec<Ended>> {
    let request = &context.request;
    let (done, mut ended) = mpsc::unbounded_channel();
    let links: Vec<Arc<Link>> = streams.iter().map(|_| Arc::default()).collect();
    let tallies: Vec<Arc<Mutex<Tally>>> = streams.iter().map(|_| Arc::default()).collect();
    context.board.show(address, &tallies);
    let (start, count) = (Instant::now(), streams.len() as u64);
    for (index, (stream, took)) in streams.into_iter().enumerate() {
        let stream = stream.into_std().map_err(|error| sys::lacks("cannot use a socket", error))?;
        lock(&tallies[index]).connects.add(took);
        let number = index as u64 + 1;
        let connection = Connection {
            request: request.clone(),
            target: endpoint,
            schedule: Schedule::new(request.pace, start, (index as u64, count)),
            number,
            connected_in: took,
            payload: context.payload,
            link: links[index].clone(),
            tally: tallies[index].clone(),
            tell: context.wants_rounds.then(|| teller(target, address, context)),
        };
        let done = done.clone();
        let thread = std::thread::Builder::new().name(format!("connection {number}")).stack_size(STACK);
        thread
            .spawn(move || {
                let ended = connection.run(stream);
                // The receiver waits for all of them.
                let _ = done.send(ended);
            })
            .map_err(|error| sys::lacks_thread("cannot start a thread", error))?;
    }
    drop(done);
    let mut watch = Watch::new(&links, request.timeout);
    let mut looks = tokio::time::interval(watch.period());
    let mut foresees = tokio::time::interval(FORESIGHT);
    foresees.reset();
    let mut stop = context.stop.clone();
    let mut is_stopping = false;
    let mut all = Vec::new();
    loop {
        tokio::select! {
            biased;
            one = ended.recv() => match one {
                Some(one) => all.push(one?),
                None => break,
            },
            () = stop.at_least(1), if !is_stopping => {
                is_stopping = true;
                watch.stop();
            }
            _ = foresees.tick(), if request.makes_many() && !request.close.is_reset() => {
                let made: u64 = tallies.iter().map(|tally| lock(tally).connects.count()).sum();
                foresight.look(made, start.elapsed(), request.rounds.saturating_mul(count).saturating_sub(made));
            }
            _ = looks.tick() => watch.look(Instant::now()),
        }
    }
    report.count(tallies.iter().map(|tally| std::mem::take(&mut *lock(tally))), request, start.elapsed());
    Ok(all)
}

/// Tells of a connection's rounds from its thread; a reader of the output that does not keep up holds it up.
fn teller(target: &Arc<str>, address: &Arc<str>, context: &Context) -> Box<dyn Fn(What) + Send> {
    let (target, address, events) = (target.clone(), address.clone(), context.events.clone());
    Box::new(move |what| {
        // The receiver is gone only once nobody reads the output any more.
        let _ = events.blocking_send(Event { target: target.clone(), address: Some(address.clone()), what });
    })
}

/// Draws the conclusions from how the connections ended.
async fn conclude(
    target: &Arc<str>,
    address: &Arc<str>,
    ended: Vec<Ended>,
    context: &Context,
    report: &mut AddressReport,
) {
    let mut closes = Times::default();
    for (index, Ended { failure, close, info, buffers }) in ended.into_iter().enumerate() {
        if index == 0 {
            report.note_kernel(info, buffers);
        }
        let surplus = match close {
            Some(Close::Finished(took)) => {
                closes.add(took);
                None
            }
            Some(Close::Reset) => {
                report.was_reset |= failure.is_none();
                None
            }
            Some(Close::Surplus(bytes)) if !context.request.connect_only => {
                report.received_bytes += bytes as u64;
                Some(Failure::new(Outcome::Mismatch, exchange::surplus(bytes)))
            }
            Some(other @ Close::Failed(_)) => {
                report.warnings.extend(other.warning(&report.address));
                None
            }
            Some(Close::StaysOpen | Close::Surplus(_)) | None => None,
        };
        if let Some(failure) = failure.or(surplus) {
            context.tell(target, address, What::Failed { failure: failure.clone() }).await;
            report.broken += 1;
            if !context.request.connect_only {
                report.verified = Some(false);
            }
            if report.failure.is_none() {
                report.fail(failure);
            }
        }
    }
    let all = context.request.connections;
    if let Some(failure) = report.failure.as_mut().filter(|_| all > 1) {
        let of = match (report.unconnected, report.broken) {
            (0, broken) => format!("{broken} of {all} connections"),
            (unconnected, 0) => format!("{unconnected} of {all} connections could not be established"),
            (unconnected, broken) => {
                format!("{unconnected} of {all} connections could not be established, {broken} failed")
            }
        };
        failure.message = format!("{of}: {}", failure.message);
    }
    report.phases_us.close = closes.summary().map(|summary| summary.avg);
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
