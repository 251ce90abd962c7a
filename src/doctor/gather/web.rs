//! A page of the web, with little more than its status, its clock and where it sends one.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant, SystemTime};

use socket2::Socket;

use super::Budget;
use super::dns::millis;
use crate::doctor::evidence::WebReply;
use crate::sys;

/// What a request came to besides its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All of it came, or the other end closed.
    Closed,
    /// The other end reset the connection.
    Reset,
    /// The time was up.
    TimedOut,
}

/// What came, and how it ended.
pub(super) struct Answered {
    /// The reply, if its head came.
    pub(super) reply: Option<WebReply>,
    /// How it ended.
    pub(super) end: End,
    /// The time to the first byte.
    pub(super) first_byte: Option<Duration>,
    /// The time it all took.
    pub(super) elapsed: Duration,
    /// How often something came.
    pub(super) pieces: u32,
    /// Every byte, up to a limit.
    pub(super) bytes: Vec<u8>,
    /// How many there were in all.
    pub(super) length: u64,
}

/// The head of a request; `host` as the Host header has it.
pub(super) fn request(host: &str, path: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: netdiag/{version}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// Something to write to and read from that does not wait.
pub(super) trait Channel {
    /// The socket to wait for.
    fn socket(&self) -> &Socket;
    /// Reads what has come.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes what fits.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// A connection as it is.
pub(super) struct Plain<'a>(pub(super) &'a Socket);

impl Channel for Plain<'_> {
    fn socket(&self) -> &Socket {
        self.0
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.0;
        Read::read(&mut socket, buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.0;
        Write::write(&mut socket, bytes)
    }
}

/// Sends a request and reads what comes, for so long to the first byte and so long in all.
pub(super) fn exchange(
    channel: &mut dyn Channel,
    request: &[u8],
    first: Duration,
    whole: Duration,
    budget: &Budget,
) -> Answered {
    /// Enough for a head, and for a look at what is no HTTP.
    const KEPT: usize = 16 * 1024;
    /// More is no diagnosis but a download.
    const MOST: u64 = 256 * 1024;
    let start = Instant::now();
    let mut answered = Answered {
        reply: None,
        end: End::TimedOut,
        first_byte: None,
        elapsed: Duration::ZERO,
        pieces: 0,
        bytes: Vec::new(),
        length: 0,
    };
    let mut left = request;
    let mut buffer = [0; 16 * 1024];
    loop {
        if !left.is_empty() {
            match channel.write(left) {
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // What was answered before may still be there to read.
                Err(_) => left = &[],
            }
        }
        match channel.read(&mut buffer) {
            Ok(0) => {
                answered.end = End::Closed;
                break;
            }
            Ok(length) => {
                answered.first_byte.get_or_insert(start.elapsed());
                answered.pieces += 1;
                answered.length += u64::try_from(length).unwrap_or(0);
                let room = KEPT - answered.bytes.len().min(KEPT);
                answered.bytes.extend(&buffer[..length.min(room)]);
                if answered.length >= MOST || is_complete(&answered) {
                    answered.end = End::Closed;
                    break;
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                let is_reset = matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
                );
                answered.end = if is_reset { End::Reset } else { End::Closed };
                break;
            }
        }
        let until = if answered.first_byte.is_some() { whole } else { first };
        let pause = until.saturating_sub(start.elapsed());
        if pause.is_zero() || budget.is_over() {
            break;
        }
        let pause = pause.min(Duration::from_millis(40));
        if sys::wait_for_sockets(&[channel.socket()], !left.is_empty(), pause).is_err() {
            break;
        }
    }
    answered.elapsed = start.elapsed();
    answered.reply = parse(&answered);
    answered
}

/// Whether a reply has all the bytes that it says it has.
fn is_complete(answered: &Answered) -> bool {
    let Some((head, length)) = head(&answered.bytes) else { return false };
    match length {
        Some(length) => answered.length >= u64::try_from(head).unwrap_or(0) + length,
        None => false,
    }
}

/// The bytes of a head and those that it says follow.
fn head(bytes: &[u8]) -> Option<(usize, Option<u64>)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).ok()? else { return None };
    let value = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let has_no_body = matches!(response.code, Some(100..=199 | 204 | 304));
    let says =
        if has_no_body { Some(0) } else { value("content-length").and_then(|text| text.trim().parse().ok()) };
    Some((length, says))
}

/// Reads a reply; `None` if it is no HTTP, or its head has not come.
fn parse(answered: &Answered) -> Option<WebReply> {
    let (_, length) = head(&answered.bytes)?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let _ = response.parse(&answered.bytes).ok()?;
    let value = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(header.value).into_owned())
    };
    let clock = value("date").and_then(|date| httpdate::parse_http_date(&date).ok());
    let is_whole = answered.end == End::Closed && length.is_none_or(|_| is_complete(answered));
    Some(WebReply {
        status: response.code.unwrap_or(0),
        location: value("location"),
        clock_ahead_s: clock.map(ahead),
        first_byte_ms: answered.first_byte.map_or(0, millis),
        elapsed_ms: millis(answered.elapsed),
        bytes: answered.length,
        is_whole,
    })
}

/// How far a clock is ahead of this machine's, in seconds.
fn ahead(clock: SystemTime) -> i64 {
    let now = SystemTime::now();
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match clock.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_tells_its_status_and_where_it_sends_one() {
        let bytes =
            b"HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\nContent-Length: 2\r\n\r\nok".to_vec();
        let length = u64::try_from(bytes.len()).unwrap();
        let answered = Answered {
            reply: None,
            end: End::Closed,
            first_byte: None,
            elapsed: Duration::ZERO,
            pieces: 1,
            bytes,
            length,
        };
        let reply = parse(&answered).expect("HTTP");
        assert_eq!((reply.status, reply.is_whole), (302, true));
        assert_eq!(reply.location.as_deref(), Some("http://login.test/"));
        let short = Answered { length: length - 1, ..answered };
        assert!(!parse(&short).expect("HTTP").is_whole);
        let other = Answered { bytes: b"SSH-2.0-x\r\n".to_vec(), ..short };
        assert_eq!(parse(&other), None);
    }
}
