//! What the service behind a connection says: does an echo come back, does the web answer, does TLS stand.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::Socket;

use super::connect::Made;
use super::web::{self, Answered, Channel, End, Plain};
use super::{Budget, connect, timing, tls};
use crate::doctor::evidence::{Exchange, Round, RoundOutcome, Service, TlsOutcome};
use crate::sys;

/// A small round fits any packet; a large one takes several.
const SMALL: usize = 64;
const LARGE: usize = 12 * 1024;

/// What is to be said.
pub(super) struct Talk<'a> {
    /// Whom to.
    pub(super) to: SocketAddr,
    /// What is expected there.
    pub(super) service: Service,
    /// The host as the Host header and TLS have it.
    pub(super) host: &'a str,
    /// What is asked for of the web.
    pub(super) path: &'a str,
    /// How long a packet takes there and back.
    pub(super) round_trip: Duration,
}

impl Talk<'_> {
    /// A time that also lets a slow path answer.
    fn patient(&self, time: Duration) -> Duration {
        time + (self.round_trip * 3).min(Duration::from_millis(1_500))
    }
}

/// Talks to a service on a connection that stands.
pub(super) fn exchange(socket: &Socket, talk: &Talk<'_>, budget: &Budget) -> Exchange {
    if talk.service != Service::Unknown
        && let Some(outcome) = hangs_up(socket, talk)
    {
        return over_at_once(socket, outcome);
    }
    match talk.service {
        Service::Echo => echo(socket, talk, budget),
        Service::Http => http(socket, talk, budget),
        Service::Https => https(socket, talk, budget),
        Service::Unknown => listen(socket, budget),
    }
}

/// What a connection came to that was over before anything was said on it.
pub(super) fn over_at_once(socket: &Socket, outcome: RoundOutcome) -> Exchange {
    let nothing = Answered {
        reply: None,
        end: End::Closed,
        first_byte: None,
        elapsed: Duration::ZERO,
        pieces: 0,
        bytes: Vec::new(),
        length: 0,
    };
    Exchange { small: Some(round(socket, outcome, 0, &nothing, None)), ..Exchange::default() }
}

/// Looks whether the other end hangs up before anything was said to it: afterwards, what was sent would make it look like a
/// reset. Nothing is taken from what it may say.
fn hangs_up(socket: &Socket, talk: &Talk<'_>) -> Option<RoundOutcome> {
    // Who accepts and closes does so a round trip after the connection stands here.
    let wait = (talk.round_trip * 3 / 2 + Duration::from_millis(12)).min(Duration::from_millis(500));
    let _ = sys::wait_for_sockets(&[socket], false, wait);
    let mut byte = [std::mem::MaybeUninit::uninit(); 1];
    match socket.peek(&mut byte) {
        Ok(0) => Some(RoundOutcome::Closed),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Some(RoundOutcome::Reset),
        _ => None,
    }
}

/// Sends a small round, and if it comes back, a large one.
fn echo(socket: &Socket, talk: &Talk<'_>, budget: &Budget) -> Exchange {
    let first = talk.patient(timing::FIRST_BYTE);
    let whole = talk.patient(timing::WHOLE_ANSWER);
    let small = echo_round(socket, &payload(SMALL), first, whole, budget);
    let is_whole = small.outcome == RoundOutcome::Whole;
    // Who thinks long over little is slow by that alone.
    let is_prompt =
        small.elapsed_us < 1_000_000 + 2 * u64::try_from(talk.round_trip.as_micros()).unwrap_or(0);
    let large = (is_whole && is_prompt).then(|| {
        let wait = talk.patient(timing::LARGE_ROUND);
        echo_round(socket, &payload(LARGE), wait, wait, budget)
    });
    Exchange { small: Some(small), large, ..Exchange::default() }
}

/// Bytes that are their own proof, and that a web server understands well enough to say that it is one.
fn payload(length: usize) -> Vec<u8> {
    const TAIL: &[u8] = b"\r\n\r\n";
    let mut bytes = b"netdiag / echo\r\n".to_vec();
    while bytes.len() + TAIL.len() < length {
        let place = bytes.len();
        bytes.push(b'!' + u8::try_from(place * 7 % 90).unwrap_or(0));
    }
    bytes.extend(TAIL);
    bytes
}

/// Sends bytes and reads until as many have come back.
fn echo_round(socket: &Socket, bytes: &[u8], first: Duration, whole: Duration, budget: &Budget) -> Round {
    let mut channel = Echo { plain: Plain(socket), left: bytes.len(), is_done: false };
    let answered = web::exchange(&mut channel, bytes, first, whole, budget);
    let is_all = channel.is_done;
    let kept = answered.bytes.len().min(bytes.len());
    let differs = (0..kept).find(|place| answered.bytes[*place] != bytes[*place]);
    let outcome = match answered.end {
        _ if is_all && differs.is_none() => RoundOutcome::Whole,
        _ if is_all => RoundOutcome::Different,
        End::Reset => RoundOutcome::Reset,
        End::Closed => RoundOutcome::Closed,
        End::TimedOut if answered.length == 0 => RoundOutcome::Silent,
        End::TimedOut => RoundOutcome::Stalled,
    };
    round(socket, outcome, bytes.len(), &answered, differs)
}

/// A connection that counts down what is to come back.
struct Echo<'a> {
    plain: Plain<'a>,
    left: usize,
    is_done: bool,
}

impl Channel for Echo<'_> {
    fn socket(&self) -> &Socket {
        self.plain.socket()
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            // All is there; as if the other end had closed.
            self.is_done = true;
            return Ok(0);
        }
        let room = buffer.len().min(self.left);
        let length = self.plain.read(&mut buffer[..room])?;
        self.left -= length;
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.plain.write(bytes)
    }
}

fn round(
    socket: &Socket,
    outcome: RoundOutcome,
    sent: usize,
    answered: &Answered,
    differs: Option<usize>,
) -> Round {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let info = sys::tcp_info(socket);
    let begins: Vec<u8> = answered.bytes.iter().take(24).copied().collect();
    Round {
        outcome,
        sent_bytes: u64::try_from(sent).unwrap_or(0),
        received_bytes: answered.length,
        first_byte_us: answered.first_byte.map(micros),
        elapsed_us: micros(answered.elapsed),
        pieces: answered.pieces,
        differs_at: differs.and_then(|place| u64::try_from(place).ok()),
        unacked: info.as_ref().and_then(|info| info.unacked),
        retransmissions: info.as_ref().and_then(|info| info.retransmissions),
        rtt_us: info.as_ref().map(|info| info.rtt_us),
        begins: String::from_utf8_lossy(&begins).into_owned(),
    }
}

fn web_outcome(answered: &Answered) -> RoundOutcome {
    let is_whole = answered.reply.as_ref().is_some_and(|reply| reply.is_whole);
    match answered.end {
        _ if is_whole => RoundOutcome::Whole,
        End::Reset => RoundOutcome::Reset,
        End::Closed if answered.length > 0 && answered.reply.is_none() => RoundOutcome::Different,
        End::Closed => RoundOutcome::Closed,
        End::TimedOut if answered.length == 0 => RoundOutcome::Silent,
        End::TimedOut => RoundOutcome::Stalled,
    }
}

/// Asks for the page; after a reset once more, without the name that somebody on the way may have minded.
fn http(socket: &Socket, talk: &Talk<'_>, budget: &Budget) -> Exchange {
    let request = web::request(talk.host, talk.path);
    let (first, whole) = (talk.patient(timing::FIRST_BYTE), talk.patient(timing::WHOLE_ANSWER));
    let answered = web::exchange(&mut Plain(socket), request.as_bytes(), first, whole, budget);
    let small = round(socket, web_outcome(&answered), request.len(), &answered, None);
    let is_reset = small.outcome == RoundOutcome::Reset && answered.length == 0;
    let unnamed = is_reset.then(|| unnamed(talk, budget)).flatten();
    Exchange { small: Some(small), http: answered.reply, unnamed, ..Exchange::default() }
}

/// The same request with the address in the place of the name.
fn unnamed(talk: &Talk<'_>, budget: &Budget) -> Option<Round> {
    let (_, made) = connect::connect(talk.to, timing::CONTROL, budget, None);
    let socket = made.and_then(Made::open)?;
    let request = web::request(&talk.to.ip().to_string(), "/");
    let wait = talk.patient(timing::CONTROL);
    let answered = web::exchange(&mut Plain(&socket), request.as_bytes(), wait, wait, budget);
    Some(round(&socket, web_outcome(&answered), request.len(), &answered, None))
}

fn https(socket: &Socket, talk: &Talk<'_>, budget: &Budget) -> Exchange {
    let (handshake, secure) = tls::handshake(socket, talk.host, talk.patient(timing::FIRST_BYTE), budget);
    let mut exchange = Exchange::default();
    if let Some(mut secure) = secure {
        let request = web::request(talk.host, talk.path);
        let (first, whole) = (talk.patient(timing::FIRST_BYTE), talk.patient(timing::WHOLE_ANSWER));
        let answered = web::exchange(&mut secure, request.as_bytes(), first, whole, budget);
        exchange.small = Some(round(socket, web_outcome(&answered), request.len(), &answered, None));
        exchange.http = answered.reply;
    }
    let may_be_plain = matches!(
        handshake.outcome,
        TlsOutcome::Silent | TlsOutcome::NotTls | TlsOutcome::Closed | TlsOutcome::Reset
    );
    if may_be_plain && handshake.unacked.is_none_or(|unacked| unacked == 0) {
        exchange.plain = unnamed(talk, budget);
    }
    exchange.tls = Some(handshake);
    exchange
}

/// Waits a little whether the other end says or does anything by itself.
fn listen(socket: &Socket, budget: &Budget) -> Exchange {
    /// Who resets or closes a connection does so at once.
    const WAIT: Duration = Duration::from_millis(150);
    let answered = web::exchange(&mut Plain(socket), &[], WAIT, WAIT, budget);
    let outcome = match answered.end {
        End::Reset => RoundOutcome::Reset,
        End::Closed if answered.length == 0 => RoundOutcome::Closed,
        _ => RoundOutcome::Whole,
    };
    Exchange { small: Some(round(socket, outcome, 0, &answered, None)), ..Exchange::default() }
}
