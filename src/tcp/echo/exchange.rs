//! One round on a standing connection: write and read at the same time, check what comes back.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::super::payload::Payload;
use super::super::{Failure, Outcome};
use super::report::Phases;
use crate::measure::microseconds;
use crate::output::record::{Charset, Untrusted};

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
            // The reset that made writing fail; bytes that came before it have been read already.
            Err(error) => Err(Failure::of_exchange(&error, progress.received)),
        }
    }

    fn read(
        &mut self,
        payload: Payload,
        size: u64,
        start: Instant,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let length = match self.stream.try_read(&mut self.incoming) {
            Ok(0) => return Err(ended(progress, size)),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(Failure::of_exchange(&error, progress.received)),
        };
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
            return Err(Failure::new(
                Outcome::Mismatch,
                format!("{more} more bytes came back than were sent"),
            ));
        }
        if progress.received == size {
            progress.timing.echo = start.elapsed();
        }
        Ok(())
    }
}

fn differs(offset: u64, at: u64, bytes: &[u8]) -> Failure {
    let from = usize::try_from(offset - at).unwrap_or(0);
    let shown = &bytes[from..bytes.len().min(from + PREVIEW)];
    let shown = Untrusted::from(shown).escaped(Charset::Ascii);
    Failure::new(Outcome::Mismatch, format!("the answer is no echo: from byte {offset} on it is \"{shown}\""))
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
        Progress { received: 0, sent: 0, .. } => {
            format!("connected, but the other end takes no byte for {waited}")
        }
        Progress { received: 0, .. } => {
            format!("connected and sent, but no byte came back for {waited}")
        }
        Progress { received, .. } => {
            format!("{received} of {size} bytes came back, then none for {waited}")
        }
    };
    Failure::new(Outcome::TimedOutReading, message)
}

/// Closes from this end and waits for the other to close too; bytes that still come are more than were sent.
///
/// An end that does not close in time leaves the phase unknown, which is no failure of an echo.
pub(super) async fn close(
    mut stream: TcpStream,
    timeout: Duration,
    phases: &mut Phases,
) -> Result<(), Failure> {
    let start = Instant::now();
    if stream.shutdown().await.is_err() {
        return Ok(());
    }
    let mut buffer = [0; 512];
    match tokio::time::timeout(timeout, read_some(&stream, &mut buffer)).await {
        Ok(Ok(0)) => {
            phases.close = Some(microseconds(start.elapsed()));
            Ok(())
        }
        // A connection that was only made may be greeted; an echo may not be followed by anything.
        Ok(Ok(more)) if phases.echo.is_some() => {
            Err(Failure::new(Outcome::Mismatch, format!("{more} more bytes came back than were sent")))
        }
        Ok(Ok(_) | Err(_)) | Err(_) => Ok(()),
    }
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
