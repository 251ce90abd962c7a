//! One round on a standing connection: write and read at the same time, check what comes back.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::super::payload::Payload;
use super::super::{Failure, Outcome};

/// The bytes written and read at once.
const CHUNK: usize = 64 * 1024;
/// So much of an answer that is no echo is shown: enough to see what it is.
const PREVIEW: usize = 32;

/// The exchanges on one connection, with the totals of what went each way.
pub(super) struct Exchange<'a> {
    stream: &'a TcpStream,
    timeout: Duration,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    scratch: Vec<u8>,
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

/// How far one round has come.
#[derive(Default)]
struct Progress {
    sent: u64,
    received: u64,
    timing: Timing,
}

impl<'a> Exchange<'a> {
    /// Prepares exchanges that give up when nothing moves for `timeout`.
    pub(super) fn new(stream: &'a TcpStream, timeout: Duration) -> Self {
        let buffer = || vec![0; CHUNK];
        Self {
            stream,
            timeout,
            outgoing: buffer(),
            incoming: buffer(),
            scratch: buffer(),
            sent: 0,
            received: 0,
        }
    }

    /// Sends `size` bytes of a payload and reads as many back; writing never waits for reading nor the other
    /// way round, so no size can deadlock.
    pub(super) async fn round(&mut self, payload: Payload, size: u64) -> Result<Timing, Failure> {
        let start = Instant::now();
        let mut progress = Progress::default();
        while progress.received < size {
            let stalled = tokio::time::sleep(self.timeout);
            let stream = self.stream;
            tokio::select! {
                biased;
                ready = stream.readable() => {
                    ready.map_err(|error| Failure::of_exchange(&error, progress.received))?;
                    self.read(payload, size, start, &mut progress)?;
                }
                ready = stream.writable(), if progress.sent < size => {
                    ready.map_err(|error| Failure::of_exchange(&error, progress.received))?;
                    self.write(payload, size, start, &mut progress)?;
                }
                () = stalled => return Err(silent(&progress, size, self.timeout)),
            }
        }
        Ok(progress.timing)
    }

    fn write(
        &mut self,
        payload: Payload,
        size: u64,
        start: Instant,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let length = usize::try_from(size - progress.sent).map_or(CHUNK, |left| left.min(CHUNK));
        payload.fill(progress.sent, &mut self.outgoing[..length]);
        match self.stream.try_write(&self.outgoing[..length]) {
            Ok(written) => {
                progress.sent += written as u64;
                self.sent += written as u64;
                if progress.sent == size {
                    progress.timing.send = start.elapsed();
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => {
                // What the other end answered before it broke off tells more than that it did. The runtime has
                // not heard of it yet, so the socket itself is asked.
                while let Ok(length @ 1..) = (&*SockRef::from(self.stream)).read(&mut self.incoming) {
                    self.check(length, payload, size, start, progress)?;
                }
                Err(Failure::of_exchange(&error, progress.received))
            }
        }
    }

    /// Reads what is there and checks it.
    fn read(
        &mut self,
        payload: Payload,
        size: u64,
        start: Instant,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        match self.stream.try_read(&mut self.incoming) {
            Ok(0) => Err(ended(progress, size)),
            Ok(length) => self.check(length, payload, size, start, progress),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(Failure::of_exchange(&error, progress.received)),
        }
    }

    /// Checks so many bytes that came in.
    fn check(
        &mut self,
        length: usize,
        payload: Payload,
        size: u64,
        start: Instant,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        if progress.received == 0 {
            progress.timing.first_byte = start.elapsed();
        }
        let bytes = &self.incoming[..length];
        self.received += length as u64;
        let difference = payload.first_difference(progress.received, bytes, &mut self.scratch);
        let at = progress.received;
        progress.received += length as u64;
        if let Some(offset) = difference.filter(|offset| *offset < size) {
            return Err(differs(offset, at, bytes));
        }
        if progress.received > progress.sent {
            let more = progress.received - progress.sent;
            return Err(Failure::new(Outcome::Mismatch, surplus(more)));
        }
        if progress.received == size {
            progress.timing.echo = start.elapsed();
        }
        Ok(())
    }
}

/// The failure of bytes that are not the ones sent; `bytes` came in at offset `at`.
fn differs(offset: u64, at: u64, bytes: &[u8]) -> Failure {
    /// A few bytes may be right by chance; what they belong to is easier to read with them.
    const BEFORE: usize = 8;
    let from = usize::try_from(offset - at).unwrap_or(0).saturating_sub(BEFORE);
    let shown = &bytes[from..bytes.len().min(from + PREVIEW)];
    let shown = shown.escape_ascii();
    let begins = at + from as u64;
    Failure::new(
        Outcome::Mismatch,
        format!("the answer is no echo: byte {offset} is wrong; from byte {begins} on it is \"{shown}\""),
    )
}

fn ended(progress: &Progress, size: u64) -> Failure {
    match progress.received {
        0 => Failure::new(
            Outcome::ClosedEarly,
            "connected, then closed by the other end before any byte came back",
        ),
        received => {
            Failure::new(Outcome::Short, format!("closed by the other end after {received} of {size} bytes"))
        }
    }
}

fn silent(progress: &Progress, size: u64, waited: Duration) -> Failure {
    let waited = humantime::format_duration(waited);
    let message = match progress {
        Progress { received: 0, sent, .. } if *sent < size => {
            format!(
                "the other end took {sent} of {size} bytes, then stopped reading; none came back for {waited}"
            )
        }
        Progress { received: 0, .. } => format!("connected and sent, but no byte came back for {waited}"),
        Progress { received, .. } => format!("{received} of {size} bytes came back, then none for {waited}"),
    };
    Failure::new(Outcome::TimedOutReading, message)
}

/// Leaves a connection that was only made: closes with a FIN, after taking a greeting that is there already,
/// since closing over unread bytes sends a reset (RFC 2525, 2.17).
pub(super) async fn leave(mut stream: TcpStream) {
    while stream.try_read(&mut [0; 512]).is_ok_and(|length| length > 0) {}
    // A connection that is gone needs no farewell.
    let _ = stream.shutdown().await;
}

/// How long the other end may take to close after this one: longer tells nothing about its echo.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// How the other end closed.
pub(super) enum Close {
    /// With a FIN, after so long.
    Finished(Duration),
    /// With a reset.
    Reset,
    /// Not within [`CLOSE_PATIENCE`].
    StaysOpen,
    /// Not before it had sent so many bytes more than it was sent, at least.
    Surplus(usize),
}

/// Closes from this end after the last whole echo and waits for the other to close too.
pub(super) async fn close(mut stream: TcpStream) -> Close {
    let start = Instant::now();
    if stream.shutdown().await.is_err() {
        return Close::Reset;
    }
    let mut buffer = [0; 512];
    match tokio::time::timeout(CLOSE_PATIENCE, read_some(&stream, &mut buffer)).await {
        Ok(Ok(0)) => Close::Finished(start.elapsed()),
        Ok(Ok(more)) => Close::Surplus(more),
        Ok(Err(_)) => Close::Reset,
        Err(_) => Close::StaysOpen,
    }
}

/// What is said of bytes that nobody sent.
pub(super) fn surplus(bytes: impl std::fmt::Display) -> String {
    format!("more came back than was sent: at least {bytes} bytes")
}

async fn read_some(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}
