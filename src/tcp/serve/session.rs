//! One connection: everything that comes in goes out again.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;

/// The bytes read at once.
pub(super) const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer for all connections: between two reads an idle one holds nothing.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// What went each way on one connection so far; the server looks at it while the session runs.
#[derive(Default)]
pub(super) struct Counts {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counts {
    /// The bytes that came in and went out.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.load(Ordering::Relaxed), self.bytes_out.load(Ordering::Relaxed))
    }

    pub(super) fn came_in(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn went_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Why a connection ended.
pub(super) struct Ended {
    /// `eof`: the client closed and got everything back; `reset`: it broke off; `limit`: it had its bytes; `idle`: it
    /// was silent for too long; `fault`: on purpose; `error`: the system did.
    pub(super) reason: &'static str,
    pub(super) error: Option<String>,
}

/// The end of a connection by an error.
pub(super) fn broken(error: &io::Error) -> Ended {
    let is_reset = matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
    );
    Ended { reason: if is_reset { "reset" } else { "error" }, error: Some(error.to_string()) }
}

/// Echoes until the client closes its side, then closes ours: a half-closed client still gets every byte. Of `most`
/// bytes if there is such a limit.
pub(super) async fn echo(stream: &TcpStream, counts: &Counts, most: Option<u64>) -> Ended {
    match echo_all(stream, counts, most).await {
        Ok(reason) => Ended { reason, error: None },
        Err(error) => broken(&error),
    }
}

async fn echo_all(stream: &TcpStream, counts: &Counts, most: Option<u64>) -> io::Result<&'static str> {
    // Small messages go back at once (RFC 896's algorithm would hold them); refusing to is no reason to stop.
    let _ = stream.set_nodelay(true);
    loop {
        stream.readable().await?;
        let left = most.map_or(u64::MAX, |most| most.saturating_sub(counts.bytes().1));
        match pass_on(stream, counts, left) {
            Ok(Passed::All) => {}
            Ok(Passed::Part(rest)) => write_all(stream, &rest, counts).await?,
            Ok(Passed::End) => return Ok("eof"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if most.is_some_and(|most| counts.bytes().1 >= most) {
            part(stream, counts).await?;
            return Ok("limit");
        }
    }
}

/// Closes the sending side, then reads and drops what still comes until the client closes too, for a while: closing over
/// unread bytes would send a reset, and that destroys what the client has not read yet (RFC 2525, 2.17).
pub(super) async fn part(stream: &TcpStream, counts: &Counts) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(5);
    socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write)?;
    match tokio::time::timeout(PATIENCE, drop_all(stream, counts)).await {
        Ok(result) => result,
        Err(_) => Ok(()),
    }
}

/// Reads and drops what comes until the client closes.
pub(super) async fn drop_all(stream: &TcpStream, counts: &Counts) -> io::Result<()> {
    loop {
        stream.readable().await?;
        // A buffer of its own would be a part of every session, even of those that never come here.
        match BUFFER.with_borrow_mut(|buffer| stream.try_read(buffer)) {
            Ok(0) => return Ok(()),
            Ok(length) => counts.came_in(length),
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

/// Reads once into the shared buffer and writes as much of it back as goes at once, at most `left`.
fn pass_on(stream: &TcpStream, counts: &Counts, left: u64) -> io::Result<Passed> {
    BUFFER.with_borrow_mut(|buffer| {
        let length = stream.try_read(buffer)?;
        if length == 0 {
            return Ok(Passed::End);
        }
        if length < buffer.len() {
            // That was all there is, and whatever comes next is announced by an event of its own (`epoll(7)`,
            // edge-triggered): no need to ask again and be told that there is nothing.
            let _ =
                stream.try_io(Interest::READABLE, || -> io::Result<()> { Err(ErrorKind::WouldBlock.into()) });
        }
        counts.came_in(length);
        let length = usize::try_from(left).map_or(length, |left| length.min(left));
        let written = match stream.try_write(&buffer[..length]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            result => result?,
        };
        counts.went_out(written);
        Ok(if written == length { Passed::All } else { Passed::Part(buffer[written..length].to_vec()) })
    })
}

pub(super) async fn write_all(stream: &TcpStream, mut rest: &[u8], counts: &Counts) -> io::Result<()> {
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => {
                counts.went_out(written);
                rest = &rest[written..];
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
