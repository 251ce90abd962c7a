//! One round on a standing connection: write and read at the same time, check what comes back.
//!
//! Nothing here has a time-out: a thread waits in the kernel, which costs nothing, and its [`Link`] is broken off
//! by a watcher when nothing moves.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::super::failure::Call;
use super::super::payload::Payload;
use super::super::{Failure, Outcome};
use super::link::{Halt, Link};
use crate::error::Error;
use crate::output::record::Warning;
use crate::sys;

/// The bytes written and read at once, at most.
const CHUNK: usize = 64 * 1024;
/// The bytes read at once, at least: what is no echo shows itself.
const LEAST: usize = 512;
/// So much fits the receive buffer of every system, so that it can be written before it is read. More is
/// written by a thread of its own, or two ends that both write first would wait for each other for ever.
const INLINE: u64 = 32 * 1024;
/// So much of an answer that is no echo is shown: enough to see what it is.
const PREVIEW: usize = 32;
/// How often a thread looks whether it was broken off, where the kernel cannot wake it for that.
#[cfg(not(unix))]
const TICK: Duration = Duration::from_millis(50);

/// The exchanges on one connection, with the totals of what went each way.
pub(super) struct Exchange {
    /// `None` between two connections.
    stream: Option<Arc<TcpStream>>,
    link: Arc<Link>,
    timeout: Duration,
    spin: bool,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    scratch: Vec<u8>,
    /// What this round has sent.
    progress: Arc<AtomicU64>,
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// When the marks of a round were passed, from its start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timing {
    pub(super) send: Duration,
    pub(super) first_byte: Duration,
    pub(super) echo: Duration,
}

/// Why a round did not come to its end.
pub(super) enum Broken {
    /// The service failed.
    Failed(Failure),
    /// The user asked for it.
    Stopped,
    /// This machine lacks something.
    Cannot(Error),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// One round under way.
struct Round {
    payload: Payload,
    size: u64,
    start: Instant,
    /// Shared with the thread that writes, if there is one.
    sent: Arc<AtomicU64>,
    received: u64,
    timing: Timing,
}

impl Exchange {
    /// Prepares exchanges of so many bytes a round.
    pub(super) fn new(
        stream: Arc<TcpStream>,
        link: Arc<Link>,
        size: u64,
        spin: bool,
        timeout: Duration,
    ) -> Self {
        let length = usize::try_from(size).unwrap_or(CHUNK).clamp(LEAST, CHUNK);
        let buffer = || vec![0; length];
        Self {
            stream: Some(stream),
            link,
            timeout,
            spin,
            outgoing: buffer(),
            incoming: buffer(),
            scratch: buffer(),
            progress: Arc::default(),
            sent: 0,
            received: 0,
        }
    }

    /// Makes the socket wait as this exchange wants it to.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let stream = self.stream();
        stream.set_nonblocking(self.spin)?;
        #[cfg(not(unix))]
        {
            stream.set_read_timeout(Some(TICK))?;
            stream.set_write_timeout(Some(TICK))?;
        }
        Ok(())
    }

    /// Goes on with another connection.
    pub(super) fn moves_to(&mut self, stream: Arc<TcpStream>) {
        self.stream = Some(stream);
    }

    /// Lets go of the connection, so that it can be closed.
    pub(super) fn leaves(&mut self) {
        self.stream = None;
    }

    fn stream(&self) -> &TcpStream {
        self.stream.as_deref().expect("rounds are between connecting and leaving")
    }

    /// Whether the other end has closed meanwhile: writing to it would only provoke a reset.
    pub(super) fn is_left(&self) -> bool {
        #[cfg(unix)]
        {
            let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
            let mut byte = [std::mem::MaybeUninit::uninit()];
            matches!(socket2::SockRef::from(self.stream()).recv_with_flags(&mut byte, flags), Ok(0))
        }
        #[cfg(not(unix))]
        false
    }

    /// The failure of a round before which the other end had closed.
    pub(super) fn left() -> Failure {
        Failure::new(Outcome::ClosedEarly, "connected, then closed by the other end between two rounds")
    }

    /// Sends `size` bytes of a payload and reads as many back; no size can deadlock.
    pub(super) fn round(&mut self, payload: Payload, size: u64) -> Result<Timing, Broken> {
        let start = Instant::now();
        self.progress.store(0, Ordering::Relaxed);
        let sent = self.progress.clone();
        let mut round = Round { payload, size, start, sent, received: 0, timing: Timing::default() };
        self.link.waits(true);
        let result = if self.spin {
            self.spinning(&mut round)
        } else if size <= INLINE {
            self.inline(&mut round)
        } else {
            self.streamed(&mut round)
        };
        self.link.waits(false);
        self.sent += round.sent.load(Ordering::Relaxed);
        self.received += round.received;
        result.map(|()| round.timing)
    }

    /// Writes all, then reads all.
    fn inline(&mut self, round: &mut Round) -> Result<(), Broken> {
        let length = usize::try_from(round.size).expect("kilobytes");
        round.payload.fill(0, &mut self.outgoing[..length]);
        let mut sent = 0;
        while sent < length {
            match (&mut self.stream()).write(&self.outgoing[sent..length]) {
                Ok(written) => {
                    sent += written;
                    round.sent.fetch_add(written as u64, Ordering::Relaxed);
                }
                Err(error) => self.unwritten(&error, round)?,
            }
        }
        round.timing.send = round.start.elapsed();
        while round.received < round.size {
            self.read(round)?;
        }
        Ok(())
    }

    /// Writes and reads whatever goes, again and again, without ever waiting in the kernel.
    fn spinning(&mut self, round: &mut Round) -> Result<(), Broken> {
        while round.received < round.size {
            let sent = round.sent.load(Ordering::Relaxed);
            if sent < round.size {
                let length = piece(round.size - sent, self.outgoing.len());
                round.payload.fill(sent, &mut self.outgoing[..length]);
                match (&mut self.stream()).write(&self.outgoing[..length]) {
                    Ok(written) => {
                        self.link.moved();
                        round.sent.store(sent + written as u64, Ordering::Relaxed);
                        if sent + written as u64 == round.size {
                            round.timing.send = round.start.elapsed();
                        }
                    }
                    Err(error) => self.unwritten(&error, round)?,
                }
            }
            self.read(round)?;
            std::hint::spin_loop();
        }
        Ok(())
    }

    /// Writes on a thread of its own while this one reads.
    fn streamed(&mut self, round: &mut Round) -> Result<(), Broken> {
        let (stream, link) = (self.stream.clone(), self.link.clone());
        let stream = stream.expect("rounds are between connecting and leaving");
        let mut outgoing = std::mem::take(&mut self.outgoing);
        let (payload, size, start) = (round.payload, round.size, round.start);
        let counter = round.sent.clone();
        let writer = move || {
            let mut sent = 0;
            while sent < size && link.halted().is_none() {
                let length = piece(size - sent, outgoing.len());
                payload.fill(sent, &mut outgoing[..length]);
                match (&*stream).write(&outgoing[..length]) {
                    Ok(length) => {
                        sent += length as u64;
                        counter.store(sent, Ordering::Relaxed);
                        link.moved();
                    }
                    Err(error) if is_passing(&error) => {}
                    // The reader comes to the end of a broken connection by itself, after whatever the other end
                    // had said before.
                    Err(error) if is_reset(&error) => return (outgoing, start.elapsed(), Some(error)),
                    Err(error) => {
                        // Of anything else it is not: it is woken.
                        let _ = stream.shutdown(Shutdown::Both);
                        return (outgoing, start.elapsed(), Some(error));
                    }
                }
            }
            (outgoing, start.elapsed(), None)
        };
        let writer = match std::thread::Builder::new().name("writer".to_owned()).spawn(writer) {
            Ok(writer) => writer,
            Err(error) => return Err(Broken::Cannot(sys::lacks_thread("cannot start a thread", error))),
        };
        let mut result = Ok(());
        while result.is_ok() && round.received < round.size {
            result = self.read(round);
        }
        if result.is_err() {
            // The writer may wait for room that never comes.
            let _ = self.stream().shutdown(Shutdown::Both);
        }
        let (outgoing, send, unsent) = writer.join().expect("writing does not panic");
        (self.outgoing, round.timing.send) = (outgoing, send);
        match (unsent, result) {
            // EPIPE follows the end of the connection, which the reader has seen.
            (Some(error), Err(Broken::Failed(failure)))
                if failure.kind != Outcome::Mismatch && error.kind() != ErrorKind::BrokenPipe =>
            {
                // Only the writer is told of a reset it was first to meet (`sock_error`, include/net/sock.h).
                Err(Failure::of_exchange(&error, Call::Send, round.received).into())
            }
            (_, result) => result,
        }
    }

    /// What follows from a write that failed: nothing if it is to be tried again.
    fn unwritten(&mut self, error: &io::Error, round: &mut Round) -> Result<(), Broken> {
        self.check_halt(round)?;
        if is_passing(error) {
            return Ok(());
        }
        // What the other end answered before it broke off tells more than that it did.
        loop {
            match self.receive() {
                // EPIPE is what a reset gives that came after the other end's FIN (`tcp_reset`, net/ipv4/tcp_input.c).
                Ok(0) if error.kind() == ErrorKind::BrokenPipe => return Err(ended(round).into()),
                Ok(length @ 1..) => self.check(length, round)?,
                Ok(_) | Err(_) => break,
            }
        }
        Err(Failure::of_exchange(error, Call::Send, round.received).into())
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut stream = self.stream.as_deref().ok_or(ErrorKind::NotConnected)?;
        stream.read(&mut self.incoming)
    }

    /// Reads once and checks what came.
    fn read(&mut self, round: &mut Round) -> Result<(), Broken> {
        match self.receive() {
            Ok(0) => {
                self.check_halt(round)?;
                Err(ended(round).into())
            }
            Ok(length) => Ok(self.check(length, round)?),
            Err(error) => {
                self.check_halt(round)?;
                if is_passing(&error) {
                    Ok(())
                } else {
                    Err(Failure::of_exchange(&error, Call::Receive, round.received).into())
                }
            }
        }
    }

    fn check_halt(&self, round: &Round) -> Result<(), Broken> {
        match self.link.halted() {
            None => Ok(()),
            Some(Halt::Asked) => Err(Broken::Stopped),
            Some(Halt::Stalled) => Err(silent(round, self.timeout, &self.link).into()),
        }
    }

    /// Checks so many bytes that came in.
    fn check(&mut self, length: usize, round: &mut Round) -> Result<(), Failure> {
        if round.received == 0 {
            round.timing.first_byte = round.start.elapsed();
        }
        self.link.moved();
        let bytes = &self.incoming[..length];
        let at = round.received;
        let difference = round.payload.first_difference(at, bytes, &mut self.scratch);
        round.received += length as u64;
        if let Some(offset) = difference.filter(|offset| *offset < round.size) {
            let mut sent = [0];
            round.payload.fill(offset, &mut sent);
            return Err(differs(offset, at, bytes, sent[0]));
        }
        if round.received > round.size {
            return Err(Failure::new(Outcome::Mismatch, surplus(round.received - round.size)));
        }
        if round.received == round.size {
            round.timing.echo =
                if round.received == length as u64 { round.timing.first_byte } else { round.start.elapsed() };
        }
        Ok(())
    }
}

/// Whether a read or a write is simply to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
        || cfg!(not(unix)) && error.kind() == ErrorKind::TimedOut
}

/// Whether an error says that the other end has broken the connection off.
fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}

fn piece(left: u64, room: usize) -> usize {
    usize::try_from(left).map_or(room, |left| left.min(room))
}

/// The failure of bytes that are not the ones sent; `bytes` came in at offset `at`.
fn differs(offset: u64, at: u64, bytes: &[u8], sent: u8) -> Failure {
    /// A few bytes may be right by chance; what they belong to is easier to read with them.
    const BEFORE: usize = 8;
    let index = usize::try_from(offset - at).unwrap_or(0);
    let (from, came) = (index.saturating_sub(BEFORE), bytes[index]);
    let shown = &bytes[from..bytes.len().min(from + PREVIEW)];
    let shown = shown.escape_ascii();
    let begins = at + from as u64;
    Failure::new(
        Outcome::Mismatch,
        format!(
            "the answer is no echo: byte {offset} is wrong, {came:#04x} for {sent:#04x}; from byte {begins} on it is \
             \"{shown}\""
        ),
    )
}

fn ended(round: &Round) -> Failure {
    let size = round.size;
    match round.received {
        0 => Failure::new(
            Outcome::ClosedEarly,
            "connected, then closed by the other end before any byte was received",
        ),
        received => {
            Failure::new(Outcome::Short, format!("closed by the other end after {received} of {size} bytes"))
        }
    }
}

fn silent(round: &Round, waited: Duration, link: &Link) -> Failure {
    let waited = humantime::format_duration(waited);
    let (size, sent, received) = (round.size, round.sent.load(Ordering::Relaxed), round.received);
    let evidence = link.evidence();
    let unacknowledged = evidence.and_then(|evidence| evidence.buffers.unacknowledged_bytes).unwrap_or(0);
    let again = evidence.and_then(|evidence| evidence.info.as_ref()?.retransmissions).unwrap_or(0);
    let sent = sent.saturating_sub(unacknowledged.into());
    let mut message = if unacknowledged > 0 && again > 0 {
        format!(
            "{received} of {size} bytes received, then none for {waited}: the other end acknowledges nothing any more \
             ({again} segments were sent again), so the path is broken or the host is gone"
        )
    } else if received > 0 {
        format!("{received} of {size} bytes received, then none for {waited}")
    } else if sent < size {
        format!(
            "the other end acknowledged {sent} of {size} bytes, then stopped reading; no byte received for {waited}"
        )
    } else {
        format!("connected and sent, then no byte received for {waited}")
    };
    if let Some(accusation) = evidence.and_then(super::link::Evidence::accusation) {
        message = format!("{message}; {accusation}");
    }
    Failure::new(Outcome::TimedOutReading, message)
}

/// How long the other end may take to close after this one: longer tells nothing about its echo.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// How the other end closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// With a FIN, after so long.
    Finished(Duration),
    /// With a reset.
    Reset,
    /// Not within [`CLOSE_PATIENCE`], or it was not waited for.
    StaysOpen,
    /// Not before it had sent so many bytes more than it was sent, at least.
    Surplus(usize),
    /// Closing failed here, with this error of the system.
    Failed(i32),
}

impl Close {
    /// What follows from a call that failed while closing.
    pub(super) fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            // There is no connection any more: the other end has reset it.
            _ if is_reset(error) || error.kind() == ErrorKind::NotConnected => Self::Reset,
            Some(errno) => Self::Failed(errno),
            None => Self::Reset,
        }
    }

    /// The warning that closing failed here, where it did.
    pub(super) fn warning(self, address: &str) -> Option<Warning> {
        let Self::Failed(errno) = self else { return None };
        let error = io::Error::from_raw_os_error(errno);
        Some(Warning::new(
            "close-failed",
            format!("{address}: the connection was not closed cleanly: {error}"),
        ))
    }
}

/// Closes from this end after the last whole echo and waits for the other to close too.
pub(super) fn close(stream: &TcpStream) -> Close {
    let start = Instant::now();
    let waits = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(CLOSE_PATIENCE)));
    if let Err(error) = waits.and_then(|()| stream.shutdown(Shutdown::Write)) {
        return Close::of(&error);
    }
    loop {
        return match (&*stream).read(&mut [0; 512]) {
            Ok(0) => Close::Finished(start.elapsed()),
            Ok(more) => Close::Surplus(more),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Close::StaysOpen
            }
            Err(error) => Close::of(&error),
        };
    }
}

/// Leaves a connection that was only made: with a reset if that is wanted, or else with a FIN, after taking a greeting that is there already,
/// since closing over unread bytes sends a reset (RFC 2525, 2.17).
pub(super) fn leave(stream: &tokio::net::TcpStream, with_reset: bool) {
    let socket = socket2::SockRef::from(stream);
    if with_reset {
        // Lingering for no time makes the close that follows a reset.
        let _ = socket.set_linger(Some(Duration::ZERO));
        return;
    }
    while stream.try_read(&mut [0; 512]).is_ok_and(|length| length > 0) {}
    // A connection that is gone needs no farewell.
    let _ = socket.shutdown(Shutdown::Write);
}

/// Leaves a connection without waiting for the other end; as [`leave`], for a socket of a thread's own.
pub(super) fn part(stream: &TcpStream, with_reset: bool) {
    if with_reset {
        let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    } else if stream.set_nonblocking(true).is_ok() {
        while (&mut &*stream).read(&mut [0; 512]).is_ok_and(|length| length > 0) {}
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// What is said of bytes that nobody sent.
pub(super) fn surplus(bytes: impl std::fmt::Display) -> String {
    format!("received more than was sent: at least {bytes} bytes")
}
