//! One connection: everything that comes in goes out again.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpStream;

/// The bytes read at once.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer for all connections: between two reads an idle one holds nothing.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// What went each way on all connections, those included that never ended well.
#[derive(Default)]
pub(super) struct Totals {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Totals {
    /// The bytes that came in and went out.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.load(Ordering::Relaxed), self.bytes_out.load(Ordering::Relaxed))
    }
}

/// How a connection ended, and what went each way.
pub(super) struct Ended {
    totals: Arc<Totals>,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    /// `eof`: the client closed and got everything back; `reset`: it broke off; `error`: the system did.
    pub(super) reason: &'static str,
    pub(super) error: Option<String>,
}

/// Echoes until the client closes its side, then closes ours: a half-closed client still gets every byte.
pub(super) async fn echo(stream: &TcpStream, totals: Arc<Totals>) -> Ended {
    let mut ended = Ended { totals, bytes_in: 0, bytes_out: 0, reason: "eof", error: None };
    if let Err(error) = echo_all(stream, &mut ended).await {
        let is_reset = matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        );
        ended.reason = if is_reset { "reset" } else { "error" };
        ended.error = Some(error.to_string());
    }
    ended
}

impl Ended {
    fn came_in(&mut self, bytes: usize) {
        self.bytes_in += bytes as u64;
        self.totals.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn went_out(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
        self.totals.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

async fn echo_all(stream: &TcpStream, ended: &mut Ended) -> io::Result<()> {
    // Small messages go back at once (RFC 896's algorithm would hold them); refusing to is no reason to stop.
    let _ = stream.set_nodelay(true);
    loop {
        stream.readable().await?;
        match pass_on(stream, ended) {
            Ok(Passed::All) => {}
            Ok(Passed::Part(rest)) => write_all(stream, &rest, ended).await?,
            Ok(Passed::End) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

enum Passed {
    All,
    /// The client reads more slowly than it writes: this much is still to go out before more is read.
    Part(Vec<u8>),
    End,
}

/// Reads once into the shared buffer and writes as much of it back as goes at once.
fn pass_on(stream: &TcpStream, ended: &mut Ended) -> io::Result<Passed> {
    BUFFER.with_borrow_mut(|buffer| {
        let length = stream.try_read(buffer)?;
        if length == 0 {
            return Ok(Passed::End);
        }
        ended.came_in(length);
        let written = match stream.try_write(&buffer[..length]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            result => result?,
        };
        ended.went_out(written);
        Ok(if written == length { Passed::All } else { Passed::Part(buffer[written..length].to_vec()) })
    })
}

async fn write_all(stream: &TcpStream, mut rest: &[u8], ended: &mut Ended) -> io::Result<()> {
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => {
                ended.went_out(written);
                rest = &rest[written..];
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
