//! `--explain`: one connection, one round, and each call told as it is made.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::super::connect::Prepared;
use super::super::explain::{self, Observation, Step};
use super::super::failure::Call;
use super::super::payload::Payload;
use super::super::{Failure, Outcome};
use super::exchange::{Broken, Close};
use super::{Request, link::Link};
use crate::address::Endpoint;
use crate::error::Result;
use crate::sys::{self, TcpState};

/// How long the end of a connection is followed after it was closed.
const FOLLOWED: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(2);
/// How long the other end may take to close after this one.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// What a told round came to.
#[derive(Default)]
pub(super) struct Told {
    pub(super) failure: Option<Failure>,
    pub(super) connect: Option<Duration>,
    pub(super) send: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    pub(super) echo: Option<Duration>,
    pub(super) close: Option<Close>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) info: Option<sys::TcpInfo>,
    pub(super) buffers: sys::TcpBuffers,
}

/// Tells the steps of one connection to one address.
pub(super) struct Narration<'a> {
    pub(super) request: &'a Request,
    pub(super) target: SocketAddr,
    pub(super) payload: Payload,
    pub(super) link: Arc<Link>,
    pub(super) tell: Box<dyn Fn(Step) + Send>,
}

impl Narration<'_> {
    /// Connects, sends, receives and closes; errors are what this machine lacks to try at all.
    pub(super) fn run(&self) -> Result<Told> {
        let mut told = Told::default();
        let mut observation = Observation::new("client");
        let Some(stream) = self.connect(&mut observation, &mut told)? else { return Ok(told) };
        if !self.request.connect_only {
            match self.exchange(&stream, &mut observation, &mut told) {
                Ok(()) => {}
                Err(Broken::Failed(failure)) => told.failure = Some(failure),
                Err(Broken::Stopped) => return Ok(told),
                Err(Broken::Cannot(error)) => return Err(error),
            }
        }
        if let Some(evidence) = self.link.evidence() {
            // It was broken off from here: what the kernel says now is of that.
            (told.info, told.buffers) = (evidence.info.clone(), evidence.buffers);
            self.link.leaves();
            return Ok(told);
        }
        told.info = sys::tcp_info(&*stream);
        told.buffers = sys::tcp_buffers(&*stream);
        // After a reset there is nothing left to say goodbye to.
        if told.failure.as_ref().is_none_or(|failure| failure.kind != Outcome::Reset) {
            self.close(&stream, &mut observation, &mut told);
        }
        self.follow(stream, &mut observation);
        Ok(told)
    }

    /// Makes the socket and connects it; `None` if that failed.
    fn connect(&self, observation: &mut Observation, told: &mut Told) -> Result<Option<Arc<TcpStream>>> {
        let (target, timeout) = (Endpoint(self.target).to_string(), self.request.timeout);
        let family = if self.target.is_ipv4() { "AF_INET" } else { "AF_INET6" };
        observation.before();
        let prepared = match Prepared::new(self.target, &self.request.origin)? {
            Ok(prepared) => prepared,
            Err(failure) => {
                told.failure = Some(failure);
                return Ok(None);
            }
        };
        let stream = prepared.stream.clone();
        self.link.uses(&stream);
        let step = observation.after(
            Some(&*stream),
            "socket",
            format!("{family}, SOCK_STREAM"),
            &Ok(explain::descriptor(&*stream)),
        );
        let bound = self.request.origin.source.map(|source| format!("; bound to {}", Endpoint(source)));
        (self.tell)(step.meaning(format!(
            "an endpoint for a TCP connection, with a send and a receive buffer{}; TCP_NODELAY sends small writes at once",
            bound.unwrap_or_default()
        )));
        observation.before();
        self.link.waits(true);
        let connected = prepared.connect(timeout, || self.link.unanswered(self.target, timeout));
        self.link.waits(false);
        drop(prepared);
        match connected {
            Ok(took) => {
                told.connect = Some(took);
                let local = stream.local_addr().ok();
                if let Some(local) = local {
                    observation.connects(local, self.target);
                }
                let step = observation.after(Some(&*stream), "connect", target, &Ok("0".to_owned()));
                let from =
                    local.map_or_else(String::new, |local| format!("this end is {}; ", Endpoint(local)));
                let again = step.segments_out.unwrap_or(0).saturating_sub(2);
                let syn = if again > 0 { format!("SYN -> ({again} more)") } else { "SYN ->".to_owned() };
                let step = step.draws([syn.as_str(), "<- SYN,ACK", "ACK ->"]);
                (self.tell)(step.infers(format!(
                    "{from}three-way handshake complete: each end has acknowledged the other's SYN; the connection is established"
                )));
                Ok(Some(stream))
            }
            Err(_) if self.is_asked() => Ok(None),
            Err(failure) => {
                let result = Err(io::Error::other(failure.kind.name()));
                let mut step = observation.after(Some(&*stream), "connect", target, &result);
                // The kernel has wiped the socket: what it now says is of none. When the wait was broken off, it was asked
                // before that.
                let info = self.link.evidence().and_then(|evidence| evidence.info.as_ref());
                step.state_after = info.and_then(|info| info.state).or(step.state_after);
                step.segments_out = info.and_then(|info| info.segments_out);
                step.segments_in = info.and_then(|info| info.segments_in);
                if let Some(buffers) = &mut step.buffers {
                    (buffers.unacknowledged_bytes, buffers.unread_bytes) = (None, None);
                }
                let step = match failure.kind {
                    Outcome::Refused => step.draws(["SYN ->", "<- RST,ACK"]),
                    Outcome::Filtered | Outcome::QueueFull => {
                        match failure.syn_retransmissions.unwrap_or(0) {
                            0 => step.draws(["SYN ->"]),
                            again => step.draws([format!("SYN -> ({again} more)")]),
                        }
                    }
                    _ => step,
                };
                (self.tell)(step.meaning(failure.message.clone()));
                self.link.leaves();
                told.failure = Some(failure);
                Ok(None)
            }
        }
    }

    fn exchange(
        &self,
        stream: &TcpStream,
        observation: &mut Observation,
        told: &mut Told,
    ) -> std::result::Result<(), Broken> {
        let size = usize::try_from(self.request.size).expect("the command line allows little here");
        let payload = self.payload.of_round(1, 1);
        let mut bytes = vec![0; size];
        payload.fill(0, &mut bytes);
        let (mut incoming, mut scratch) = (vec![0; size.max(512)], vec![0; 4096]);
        let start = Instant::now();
        let mut sent = 0;
        while sent < size {
            observation.before();
            self.link.waits(true);
            let result = (&*stream).write(&bytes[sent..]);
            self.link.waits(false);
            let shown = result.as_ref().map(ToString::to_string).map_err(explain::copy);
            let step = observation.after(Some(stream), "send", (size - sent).to_string(), &shown);
            (self.tell)(match &result {
                Ok(written) => step.draws_sent(&format!("{written} bytes")).meaning(
                    "copied the bytes into the send buffer, where they stay until acknowledged; the kernel sends them",
                ),
                Err(_) => step.meaning("this machine could not send"),
            });
            match result {
                Ok(written) => sent += written,
                Err(error) => return Err(self.broken(&error, Call::Send, told)),
            }
            told.sent = sent as u64;
        }
        told.send = Some(start.elapsed());
        let mut received = 0;
        while received < size {
            observation.before();
            self.link.waits(true);
            let result = (&*stream).read(&mut incoming);
            self.link.waits(false);
            let shown = result.as_ref().map(ToString::to_string).map_err(explain::copy);
            let step = observation.after(Some(stream), "recv", incoming.len().to_string(), &shown);
            let length = match result {
                // What comes after it was broken off here, a reset say, is the answer to that.
                Ok(0) | Err(_) if self.link.halted().is_some() => {
                    let broken = self.broken(&io::ErrorKind::TimedOut.into(), Call::Receive, told);
                    if let Broken::Failed(failure) = &broken {
                        (self.tell)(step.timed_out().meaning(failure.message.clone()));
                    }
                    return Err(broken);
                }
                Ok(0) => {
                    let step = step.draws_received("FIN");
                    (self.tell)(step.meaning("0 bytes: the other end has closed its side"));
                    let failure = if received == 0 {
                        Failure::new(
                            Outcome::ClosedEarly,
                            "connected, then closed by the other end before any byte was received",
                        )
                    } else {
                        Failure::new(
                            Outcome::Short,
                            format!("closed by the other end after {received} of {size} bytes"),
                        )
                    };
                    return Err(failure.into());
                }
                Ok(length) => length,
                Err(error) => {
                    let meaning = if error.kind() == io::ErrorKind::ConnectionReset {
                        "received a reset (RST): the other end aborted the connection; data it had not sent is lost"
                    } else {
                        "this machine could not receive"
                    };
                    let is_reset = error.kind() == io::ErrorKind::ConnectionReset;
                    (self.tell)(if is_reset { step.draws(["<- RST"]) } else { step }.meaning(meaning));
                    return Err(self.broken(&error, Call::Receive, told));
                }
            };
            told.first_byte.get_or_insert_with(|| start.elapsed());
            let step = step.draws_received(&format!("{length} bytes"));
            let difference = payload.first_difference(received as u64, &incoming[..length], &mut scratch);
            received += length;
            told.received = received as u64;
            if let Some(offset) = difference {
                (self.tell)(
                    step.meaning(format!(
                        "took the received bytes out of the receive buffer; byte {offset} differs from the byte sent"
                    )),
                );
                return Err(Failure::new(
                    Outcome::Mismatch,
                    format!("the answer is no echo: byte {offset} is wrong"),
                )
                .into());
            }
            (self.tell)(step.meaning(format!(
                "took the received bytes out of the receive buffer: {received} of {size} bytes, all as sent"
            )));
        }
        told.echo = Some(start.elapsed());
        Ok(())
    }

    fn is_asked(&self) -> bool {
        self.link.halted() == Some(super::link::Halt::Asked)
    }

    fn broken(&self, error: &io::Error, call: Call, told: &Told) -> Broken {
        match self.link.halted() {
            Some(super::link::Halt::Asked) => Broken::Stopped,
            Some(super::link::Halt::Stalled) => {
                let waited = humantime::format_duration(self.request.timeout);
                let accusation = self.link.evidence().and_then(super::link::Evidence::accusation);
                let more = accusation.map(|accusation| format!("; {accusation}")).unwrap_or_default();
                let message = format!("connected and sent, then no byte received for {waited}{more}");
                Failure::new(Outcome::TimedOutReading, message).into()
            }
            None => Failure::of_exchange(error, call, told.received).into(),
        }
    }

    /// Closes, and follows what the kernel still does with the connection.
    fn close(&self, stream: &TcpStream, observation: &mut Observation, told: &mut Told) {
        if self.request.close.is_reset() {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            observation.before();
            // Connecting to nobody (AF_UNSPEC) would be another way; closing with no time to linger is the usual one.
            let step = observation.after(
                Some(stream),
                "setsockopt",
                "SO_LINGER, 0 s".to_owned(),
                &Ok("0".to_owned()),
            );
            (self.tell)(step.meaning("close will now send a reset (RST) and discard the connection at once"));
            return;
        }
        let start = Instant::now();
        observation.before();
        let result = stream.shutdown(Shutdown::Write);
        let shown = result.as_ref().map(|()| "0".to_owned()).map_err(explain::copy);
        let step = observation.after(Some(stream), "shutdown", "SHUT_WR".to_owned(), &shown);
        if result.is_ok() {
            (self.tell)(
                step.draws_sent("FIN")
                    .infers("this end sends a FIN: it sends no more data, and can still receive"),
            );
        } else {
            (self.tell)(step.meaning("the connection no longer exists"));
            told.close = Some(result.as_ref().err().map_or(Close::Reset, Close::of));
            return;
        }
        let _ = stream.set_read_timeout(Some(CLOSE_PATIENCE));
        observation.before();
        let result = (&*stream).read(&mut [0; 512]);
        let shown = result.as_ref().map(ToString::to_string).map_err(explain::copy);
        let step = observation.after(Some(stream), "recv", "512".to_owned(), &shown);
        told.close = Some(match result {
            Ok(0) => {
                (self.tell)(
                    step.draws(["<- FIN", "ACK ->"])
                        .infers("0 bytes: the other end's FIN has arrived and is acknowledged"),
                );
                Close::Finished(start.elapsed())
            }
            Ok(more) => {
                (self.tell)(
                    step.draws_received(&format!("{more} bytes")).meaning("bytes that this end never sent"),
                );
                Close::Surplus(more)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                (self.tell)(step.meaning("the other end has not closed its side: it can still send"));
                Close::StaysOpen
            }
            Err(error) => {
                let close = Close::of(&error);
                (self.tell)(match close {
                    Close::Reset => step.draws(["<- RST"]).meaning("the other end reset the connection"),
                    _ => step.meaning("this machine could not receive"),
                });
                close
            }
        });
    }

    /// Lets go of the socket, and follows where the kernel takes the connection.
    fn follow(&self, stream: Arc<TcpStream>, observation: &mut Observation) {
        observation.before();
        self.link.leaves();
        drop(stream);
        let until = Instant::now() + FOLLOWED;
        let is_settled = |state| matches!(state, None | Some(TcpState::TimeWait | TcpState::Closed));
        let mut step = observation.after::<TcpStream>(None, "close", String::new(), &Ok("0".to_owned()));
        while !is_settled(step.state_after) && Instant::now() < until && !self.is_asked() {
            std::thread::sleep(LOOK);
            let elapsed_us = step.elapsed_us;
            let before = step.state_before;
            step = observation.after::<TcpStream>(None, "close", String::new(), &Ok("0".to_owned()));
            (step.elapsed_us, step.state_before) = (elapsed_us, before);
        }
        let meaning = match step.state_after {
            Some(TcpState::TimeWait) => {
                "the program has closed the socket; the kernel keeps the port for a minute, so that no late segment is taken \
                 for another connection's"
            }
            Some(TcpState::FinWait1 | TcpState::FinWait2) => {
                "the program has closed the socket; the kernel waits up to a minute for the other end's FIN"
            }
            Some(TcpState::Closed) => "the program has closed the socket, and the kernel has removed it",
            _ => "the program has closed the socket",
        };
        (self.tell)(step.meaning(meaning));
    }
}
