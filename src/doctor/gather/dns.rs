//! Questions to one name server (RFC 1035), by datagram and by TCP, with what the kernel says of them.
//!
//! The system's resolver hides what matters here: which server said what, how often it was asked, and that it was silent.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Budget, timing};
use crate::address::{Address, Family};
use crate::doctor::evidence::{Query, QueryOutcome};
use crate::sys;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A = 1,
    /// IPv6 addresses (RFC 3596).
    Aaaa = 28,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the question it answers.
    pub id: u16,
    /// The response code.
    pub code: u8,
    /// Whether it did not fit.
    pub is_truncated: bool,
    /// The addresses of the kind that was asked for.
    pub addresses: Vec<IpAddr>,
}

/// Makes a question; `None` if the name is none that DNS can carry.
pub fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut bytes = id.to_be_bytes().to_vec();
    // Recursion desired, one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let name = name.trim_end_matches('.');
    if name.len() > 253 {
        return None;
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, kind as u8, 0, 1]);
    Some(bytes)
}

/// Parses an answer; `None` if it is none. Never panics, and never loops, whatever the bytes.
pub fn parse(bytes: &[u8], kind: Kind) -> Option<Answer> {
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let flags = word(2)?;
    if flags & 0x8000 == 0 {
        return None;
    }
    let (questions, answers) = (word(4)?, word(6)?);
    let _ = word(10)?;
    let mut at = 12;
    for _ in 0..questions {
        at = skip_name(bytes, at)? + 4;
    }
    let mut addresses = Vec::new();
    for _ in 0..answers {
        let fixed = skip_name(bytes, at)?;
        let (found, length) = (word(fixed)?, usize::from(word(fixed + 8)?));
        let data = bytes.get(fixed + 10..fixed + 10 + length)?;
        match (kind, found) {
            (Kind::A, 1) => addresses.push(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?))),
            (Kind::Aaaa, 28) => {
                addresses.push(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?)));
            }
            _ => {}
        }
        at = fixed + 10 + length;
    }
    let code = u8::try_from(flags & 0xf).expect("four bits");
    Some(Answer { id: word(0)?, code, is_truncated: flags & 0x200 != 0, addresses })
}

/// The place behind a name, which may end in a pointer to another.
fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 == 0xc0 => {
                bytes.get(at + 1)?;
                return Some(at + 2);
            }
            length if length & 0xc0 == 0 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

fn outcome(answer: &Answer) -> QueryOutcome {
    match answer.code {
        0 if !answer.addresses.is_empty() => QueryOutcome::Found,
        0 if answer.is_truncated => QueryOutcome::Truncated,
        0 => QueryOutcome::NoData,
        2 => QueryOutcome::ServerFailure,
        3 => QueryOutcome::NoSuchName,
        5 => QueryOutcome::Refused,
        _ => QueryOutcome::OtherError,
    }
}

fn blank(name: &str) -> Query {
    Query {
        name: name.to_owned(),
        outcome: QueryOutcome::Silent,
        addresses: Vec::new(),
        tries: 0,
        answers: 0,
        answer_ms: 0,
        elapsed_ms: 0,
        icmp: None,
        error: None,
    }
}

/// Asks a server by datagrams, again where it is silent, for so long.
pub(super) fn ask(server: Address, name: &str, kind: Kind, wait: Duration, budget: &Budget) -> Query {
    let start = Instant::now();
    let mut query = blank(name);
    if let Err(error) = ask_into(&mut query, server, kind, wait, budget, start) {
        query.outcome = match refusal(&error) {
            Some(outcome) => outcome,
            None => QueryOutcome::NoRoute,
        };
        query.error = Some(error.to_string());
    }
    query.elapsed_ms = millis(start.elapsed());
    query
}

/// What a question that this machine did not send came to.
fn refusal(error: &io::Error) -> Option<QueryOutcome> {
    match error.kind() {
        ErrorKind::PermissionDenied => Some(QueryOutcome::Denied),
        ErrorKind::ConnectionRefused => Some(QueryOutcome::Unreachable),
        _ => None,
    }
}

fn ask_into(
    query: &mut Query,
    server: Address,
    kind: Kind,
    wait: Duration,
    budget: &Budget,
    start: Instant,
) -> io::Result<()> {
    let to = server.with_port(53);
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    let _ = sys::keep_icmp_errors(&socket, Family::of(server.ip), true);
    socket.connect(&to.into())?;
    // Each time with a number of its own, so that it is known which one was answered.
    let first = sys::random_u16();
    let id = |number: usize| first.wrapping_add(u16::try_from(number).unwrap_or(0));
    let mut sent: Vec<Instant> = Vec::new();
    let mut nonsense = 0;
    let schedule = timing::ASK_AGAIN;
    loop {
        let elapsed = start.elapsed();
        if elapsed >= wait || budget.is_over() {
            return Ok(());
        }
        if let Some(due) = schedule.get(sent.len())
            && elapsed >= *due
        {
            let Some(bytes) = question(id(sent.len()), &query.name, kind) else {
                return Err(io::Error::new(ErrorKind::InvalidInput, "no name that DNS can carry"));
            };
            socket.send(&bytes)?;
            sent.push(Instant::now());
            query.tries += 1;
        }
        let mut buffer = [0; 2048];
        match receive(&socket, &mut buffer) {
            Ok(length) => {
                let now = Instant::now();
                let answer = parse(&buffer[..length], kind);
                let number = answer.as_ref().and_then(|answer| (0..sent.len()).find(|n| id(*n) == answer.id));
                if let (Some(answer), Some(number)) = (answer, number) {
                    query.outcome = outcome(&answer);
                    query.addresses = answer.addresses;
                    query.answers += 1;
                    query.answer_ms = millis(now - sent[number]);
                    return Ok(());
                }
                // It is not for us, or it is not even an answer: what else comes may be.
                query.outcome = QueryOutcome::Malformed;
                nonsense += 1;
                if nonsense >= 2 {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                let icmp = sys::take_icmp_error(&socket);
                query.icmp = icmp.as_ref().map(super::connect::told_icmp);
                match refusal(&error) {
                    Some(QueryOutcome::Unreachable) => {
                        query.outcome = QueryOutcome::Unreachable;
                        query.error = Some(error.to_string());
                        return Ok(());
                    }
                    _ if icmp.is_some() => {
                        query.outcome = QueryOutcome::Unreachable;
                        query.error = Some(error.to_string());
                        return Ok(());
                    }
                    _ => return Err(error),
                }
            }
        }
        let due = schedule.get(sent.len()).map_or(wait, |due| (*due).min(wait));
        let pause = due.saturating_sub(start.elapsed()).min(Duration::from_millis(50));
        sys::wait_for_sockets(&[&socket], false, pause.max(Duration::from_millis(1)))?;
    }
}

fn receive(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

/// Asks a server over TCP (RFC 7766).
pub(super) fn ask_tcp(server: Address, name: &str, kind: Kind, wait: Duration) -> Query {
    let start = Instant::now();
    let mut query = blank(name);
    query.tries = 1;
    query.outcome = QueryOutcome::NotConnected;
    let asked = || -> io::Result<Answer> {
        let to: SocketAddr = server.with_port(53);
        let mut stream = std::net::TcpStream::connect_timeout(&to, wait)?;
        let left = wait.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        let id = sys::random_u16();
        let bytes = question(id, name, kind).ok_or(ErrorKind::InvalidInput)?;
        let length = u16::try_from(bytes.len()).map_err(|_| ErrorKind::InvalidInput)?;
        stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut bytes)?;
        parse(&bytes, kind).filter(|answer| answer.id == id).ok_or(ErrorKind::InvalidData.into())
    };
    match asked() {
        Ok(answer) => {
            query.outcome = outcome(&answer);
            query.addresses = answer.addresses;
            query.answers = 1;
        }
        Err(error) => {
            if error.kind() == ErrorKind::InvalidData {
                query.outcome = QueryOutcome::Malformed;
            }
            query.error = Some(error.to_string());
        }
    }
    query.elapsed_ms = millis(start.elapsed());
    query.answer_ms = query.elapsed_ms;
    query
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_and_its_answer() {
        let asked = question(7, "shop.test", Kind::A).expect("a name");
        assert_eq!(&asked[12..], b"\x04shop\x04test\0\0\x01\0\x01");
        let mut bytes = asked.clone();
        bytes[2..4].copy_from_slice(&[0x81, 0x80]);
        bytes[7] = 1;
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 80]);
        let answer = parse(&bytes, Kind::A).expect("an answer");
        assert_eq!((answer.id, answer.code, answer.is_truncated), (7, 0, false));
        assert_eq!(answer.addresses, [IpAddr::from([203, 0, 113, 80])]);
        assert_eq!(parse(&asked, Kind::A), None, "a question is no answer");
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut], Kind::A), None, "cut at {cut}");
        }
        assert_eq!(question(7, "a..b", Kind::A), None);
        assert_eq!(question(7, &"a".repeat(64), Kind::A), None);
    }
}
