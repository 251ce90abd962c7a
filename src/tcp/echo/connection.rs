//! One connection's rounds, on a thread of its own.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::Failure;
use super::super::connect::Prepared;
use super::super::payload::Payload;
use super::exchange::{self, Broken, Close, Exchange, Timing};
use super::link::{Halt, Link};
use super::pace::Schedule;
use super::ports;
use super::{Request, What};
use crate::error::Result;
use crate::measure::{Times, microseconds};
use crate::sys::{self, TcpBuffers, TcpInfo};

/// A round that begins so late was held up, and is not just woken late.
const LATE: Duration = Duration::from_millis(10);

/// What one connection is to do.
pub(super) struct Connection {
    pub(super) request: Arc<Request>,
    pub(super) target: SocketAddr,
    pub(super) schedule: Schedule,
    /// Which it is, from 1.
    pub(super) number: u64,
    /// How long its first connect took.
    pub(super) connected_in: Duration,
    pub(super) payload: Payload,
    pub(super) link: Arc<Link>,
    pub(super) tally: Arc<Mutex<Tally>>,
    /// Whoever wants to hear of each round.
    pub(super) tell: Option<Box<dyn Fn(What) + Send>>,
}

/// What a connection's rounds amount to so far.
#[derive(Default)]
pub(super) struct Tally {
    /// Whole rounds, as they are to be counted.
    pub(super) times: Times,
    /// The same from when each was really sent, where that differs.
    pub(super) service: Times,
    /// Every connect.
    pub(super) connects: Times,
    pub(super) first: Option<Timing>,
    pub(super) last: Option<Duration>,
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// How a connection's rounds ended.
pub(super) struct Ended {
    pub(super) failure: Option<Failure>,
    /// How the last connection was closed; `None` if its last round was no whole one.
    pub(super) close: Option<Close>,
    pub(super) info: Option<TcpInfo>,
    pub(super) buffers: TcpBuffers,
}

impl Connection {
    /// Goes through the rounds on a connection that stands.
    pub(super) fn run(self, stream: TcpStream) -> Result<Ended> {
        let precise = self.schedule.counts_from_due();
        if precise {
            sys::sleep_precisely();
        }
        let stream = Arc::new(stream);
        self.link.uses(&stream);
        let (size, spin) = (self.request.size, self.request.spin);
        let mut exchange = Exchange::new(stream.clone(), self.link.clone(), size, spin, self.request.timeout);
        exchange.prepare().map_err(|error| sys::lacks("cannot prepare a socket", error))?;
        let mut stream = Some(stream);
        let mut failure = None;
        let mut is_whole = true;
        let mut last = Instant::now();
        for round in 1..=self.request.rounds {
            let due = self.schedule.due(round, last);
            if due.is_some_and(|due| !self.link.sleep_until(due, precise)) || self.is_asked() {
                break;
            }
            let begun = Instant::now();
            // Being woken a little late does not add up; a round that took long is not made up for.
            last = due.filter(|due| begun.duration_since(*due) < LATE).unwrap_or(begun);
            let result = self.reconnected(round, &mut stream, &mut exchange).and_then(|connect| {
                let timing = if self.request.connect_only {
                    Timing::default()
                } else if self.schedule.has_pauses() && round > 1 && exchange.is_left() {
                    return Err(Exchange::left().into());
                } else {
                    exchange.round(self.payload.of_round(self.number, round), size)?
                };
                Ok((connect, timing))
            });
            match result {
                Ok((connect, timing)) => {
                    let late = due.map_or(Duration::ZERO, |due| begun.duration_since(due));
                    self.count(round, late, connect, timing, &exchange);
                }
                Err(Broken::Cannot(error)) => return Err(error),
                Err(Broken::Stopped) => {
                    is_whole = false;
                    break;
                }
                Err(Broken::Failed(mut why)) => {
                    if round > 1 {
                        why.message = format!("in round {round}: {}", why.message);
                    }
                    failure = Some(why);
                    is_whole = false;
                    break;
                }
            }
        }
        {
            let mut tally = self.tally();
            (tally.sent, tally.received) = (exchange.sent, exchange.received);
        }
        drop(exchange);
        Ok(self.end(stream.as_deref(), failure, is_whole))
    }

    /// Looks at the connection a last time and closes it.
    fn end(&self, stream: Option<&TcpStream>, failure: Option<Failure>, is_whole: bool) -> Ended {
        let (info, buffers) = match (self.link.evidence(), stream) {
            (Some(evidence), _) => (evidence.info.clone(), evidence.buffers),
            (None, Some(stream)) => (sys::tcp_info(stream), sys::tcp_buffers(stream)),
            (None, None) => (None, TcpBuffers::default()),
        };
        // Of a round that was broken off more may still come back, which says nothing.
        let close = stream.filter(|_| is_whole).map(|stream| {
            if self.request.close.is_reset() || self.request.connect_only {
                exchange::part(stream, self.request.close.is_reset());
                return Close::StaysOpen;
            }
            let close = exchange::close(stream);
            if self.is_asked() { Close::StaysOpen } else { close }
        });
        self.link.leaves();
        Ended { failure, close, info, buffers }
    }

    fn is_asked(&self) -> bool {
        self.link.halted() == Some(Halt::Asked)
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection and makes another, where every round is to have its own. Gives how long that took.
    fn reconnected(
        &self,
        round: u64,
        stream: &mut Option<Arc<TcpStream>>,
        exchange: &mut Exchange,
    ) -> std::result::Result<Duration, Broken> {
        if round == 1 {
            return Ok(self.connected_in);
        }
        if !self.request.makes_many() {
            return Ok(Duration::ZERO);
        }
        self.link.leaves();
        if let Some(stream) = &stream
            && (self.request.close.is_reset() || self.request.connect_only)
        {
            exchange::part(stream, self.request.close.is_reset());
        }
        // The last of its owners: this closes it.
        exchange.leaves();
        *stream = None;
        let prepared = match Prepared::new(self.target, &self.request.origin) {
            Err(error) => return Err(Broken::Cannot(error)),
            Ok(Err(failure)) => return Err(Broken::Failed(failure)),
            Ok(Ok(prepared)) => prepared,
        };
        let (new, timeout) = (prepared.stream.clone(), self.request.timeout);
        self.link.uses(&new);
        self.link.waits(true);
        let connected = prepared.connect(timeout, || self.link.unanswered(self.target, timeout));
        self.link.waits(false);
        let took = match connected {
            _ if self.is_asked() => return Err(Broken::Stopped),
            Err(failure) => return Err(Broken::Failed(ports::explained(failure, self.target))),
            Ok(took) => took,
        };
        self.tally().connects.add(took);
        exchange.moves_to(new.clone());
        if !cfg!(unix) || self.request.spin {
            exchange
                .prepare()
                .map_err(|error| Broken::Cannot(sys::lacks("cannot prepare a socket", error)))?;
        }
        *stream = Some(new);
        Ok(took)
    }

    fn count(&self, round: u64, late: Duration, connect: Duration, timing: Timing, exchange: &Exchange) {
        // What a round is about: its echo, or its connect where there is none.
        let service = if self.request.connect_only { connect } else { timing.echo };
        let time = if self.schedule.counts_from_due() {
            let connect = if round == 1 || self.request.connect_only { Duration::ZERO } else { connect };
            late + connect + service
        } else {
            service
        };
        {
            let mut tally = self.tally();
            tally.times.add(time);
            if self.schedule.counts_from_due() {
                tally.service.add(service);
            }
            if round == 1 {
                tally.first = Some(timing);
            }
            tally.last = Some(time);
            (tally.sent, tally.received) = (exchange.sent, exchange.received);
        }
        if let Some(tell) = &self.tell {
            tell(What::Round {
                round,
                connection: (self.request.connections > 1).then_some(self.number),
                rtt_us: microseconds(time),
                bytes: if self.request.connect_only { 0 } else { self.request.size },
            });
        }
    }
}
