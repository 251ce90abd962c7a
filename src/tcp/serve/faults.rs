//! What a server can do wrong on purpose, so that one can see how one's own clients take it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::session::{self, Counts, Ended};

/// What a server does wrong on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How long each answer is held back.
    pub delay: Duration,
    /// How echoing is cut off, and after how many bytes of a connection.
    pub cut: Option<(Cut, u64)>,
    /// Whether a bit of every thousandth byte is turned over, the first byte's first.
    pub corrupt: bool,
    /// How many bytes of a connection are read a second.
    pub slow_read: Option<u64>,
    /// Whether connections are left waiting in the system's queue.
    pub no_accept: bool,
    /// Whether connections are closed as soon as they stand.
    pub close_on_accept: bool,
}

/// How echoing is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection is reset (RST).
    Reset,
    /// The sending side is closed (FIN); what still comes is read and dropped.
    Truncate,
}

/// Every so manieth byte is corrupted.
const CORRUPTED: usize = 1000;
/// So much of a connection is held back at most before no more is read.
const HELD: usize = 4 << 20;
/// The end of a connection that was meant to end so.
const FAULT: Ended = Ended { reason: "fault", error: None };
/// How often a slow reader reads.
const READS_PER_SECOND: u64 = 10;

impl Faults {
    /// What is done wrong, in words; empty for an honest server.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if !self.delay.is_zero() {
            names.push(format!("delay {}", humantime::format_duration(self.delay)));
        }
        match self.cut {
            Some((Cut::Reset, bytes)) => names.push(format!("reset-after {bytes} bytes")),
            Some((Cut::Truncate, bytes)) => names.push(format!("truncate-after {bytes} bytes")),
            None => {}
        }
        if self.corrupt {
            names.push("corrupt".to_owned());
        }
        names.extend(self.slow_read.map(|rate| format!("slow-read {rate} bytes a second")));
        if self.no_accept {
            names.push("no-accept".to_owned());
        }
        if self.close_on_accept {
            names.push("close-on-accept".to_owned());
        }
        names
    }

    /// Whether sessions differ from an honest server's.
    pub(super) fn are_any(&self) -> bool {
        *self != Self::default()
    }

    /// Serves one connection wrongly.
    pub(super) async fn echo(&self, stream: &TcpStream, counts: &Counts, most: Option<u64>) -> Ended {
        if self.close_on_accept {
            return match session::part(stream, counts).await {
                Ok(()) => FAULT,
                Err(error) => session::broken(&error),
            };
        }
        match self.echo_all(stream, counts, most).await {
            Ok(ended) => ended,
            Err(error) => session::broken(&error),
        }
    }

    async fn echo_all(&self, stream: &TcpStream, counts: &Counts, most: Option<u64>) -> io::Result<Ended> {
        let _ = stream.set_nodelay(true);
        if let Some((cut, 0)) = self.cut {
            return self.cut_off(cut, stream, counts).await.map(|()| FAULT);
        }
        let at_once = self.slow_read.map_or(session::CHUNK as u64, |rate| (rate / READS_PER_SECOND).max(1));
        let mut buffer = vec![0; usize::try_from(at_once).unwrap_or(session::CHUNK).min(session::CHUNK)];
        // What was read, and when it may go back: each answer is late, and none waits for another's delay.
        let mut held: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        let mut held_bytes = 0;
        let mut is_over = false;
        let start = Instant::now();
        let mut reads_from = start;
        while !(is_over && held.is_empty()) {
            let due = held.front().map(|(due, _)| *due);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due.unwrap_or(start)), if due.is_some() => {
                    let Some((_, bytes)) = held.pop_front() else { continue };
                    held_bytes -= bytes.len();
                    if let Some(ended) = self.answer(stream, counts, most, &bytes).await? {
                        return Ok(ended);
                    }
                }
                () = tokio::time::sleep_until(reads_from), if !is_over && reads_from > Instant::now() => {}
                ready = stream.readable(), if !is_over && held_bytes < HELD && reads_from <= Instant::now() => {
                    ready?;
                    let length = match stream.try_read(&mut buffer) {
                        Ok(length) => length,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                        Err(error) => return Err(error),
                    };
                    is_over = length == 0;
                    let (at, _) = counts.bytes();
                    counts.came_in(length);
                    let mut bytes = buffer[..length].to_vec();
                    if self.corrupt {
                        corrupt(at, &mut bytes);
                    }
                    held_bytes += length;
                    if !is_over {
                        held.push_back((Instant::now() + self.delay, bytes));
                    }
                    if let Some(rate) = self.slow_read {
                        // So many bytes should have taken so long.
                        #[expect(clippy::cast_precision_loss, reason = "a pace, not an account")]
                        let due = Duration::try_from_secs_f64((at + length as u64) as f64 / rate as f64);
                        reads_from = due.ok().and_then(|due| start.checked_add(due)).unwrap_or(reads_from);
                    }
                }
            }
        }
        Ok(Ended { reason: "eof", error: None })
    }

    /// Sends bytes back, up to where echoing is cut off; gives how the connection ends, if it does.
    async fn answer(
        &self,
        stream: &TcpStream,
        counts: &Counts,
        most: Option<u64>,
        bytes: &[u8],
    ) -> io::Result<Option<Ended>> {
        let (_, echoed) = counts.bytes();
        let after = self.cut.map(|(_, after)| after);
        let last = after.into_iter().chain(most).min();
        let left = last.map_or(u64::MAX, |last| last.saturating_sub(echoed));
        let length = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        session::write_all(stream, &bytes[..length], counts).await?;
        if left > bytes.len() as u64 {
            return Ok(None);
        }
        match self.cut {
            Some((cut, after)) if counts.bytes().1 >= after => {
                self.cut_off(cut, stream, counts).await?;
                Ok(Some(FAULT))
            }
            _ => {
                session::part(stream, counts).await?;
                Ok(Some(Ended { reason: "limit", error: None }))
            }
        }
    }

    async fn cut_off(&self, cut: Cut, stream: &TcpStream, counts: &Counts) -> io::Result<()> {
        let socket = socket2::SockRef::from(stream);
        match cut {
            // Lingering for no time makes the close that follows a reset.
            Cut::Reset => socket.set_linger(Some(Duration::ZERO)),
            Cut::Truncate => {
                socket.shutdown(std::net::Shutdown::Write)?;
                session::drop_all(stream, counts).await
            }
        }
    }
}

/// Turns over a bit of every thousandth byte of a connection; these are the ones from `at` on.
fn corrupt(at: u64, bytes: &mut [u8]) {
    let before = usize::try_from(at % CORRUPTED as u64).expect("below a thousand");
    let first = (CORRUPTED - before) % CORRUPTED;
    bytes.iter_mut().skip(first).step_by(CORRUPTED).for_each(|byte| *byte ^= 0x20);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thousandth_byte_is_corrupted_however_the_stream_is_cut() {
        let mut whole = vec![0; 5000];
        corrupt(0, &mut whole);
        let wrong: Vec<usize> = (0..5000).filter(|at| whole[*at] != 0).collect();
        assert_eq!(wrong, [0, 1000, 2000, 3000, 4000]);
        for piece in [1, 7, 999, 1000, 1001] {
            let mut bytes = vec![0; 5000];
            let mut at = 0;
            for chunk in bytes.chunks_mut(piece) {
                corrupt(at, chunk);
                at += chunk.len() as u64;
            }
            assert_eq!(bytes, whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn an_honest_server_has_no_faults_to_name() {
        assert!(Faults::default().names().is_empty() && !Faults::default().are_any());
        let faults = Faults {
            delay: Duration::from_millis(20),
            cut: Some((Cut::Truncate, 5)),
            corrupt: true,
            ..Faults::default()
        };
        assert_eq!(faults.names(), ["delay 20ms", "truncate-after 5 bytes", "corrupt"]);
    }
}
