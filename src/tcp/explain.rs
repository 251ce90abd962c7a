//! A lesson in steps: each socket call with its result, and what the kernel did meanwhile.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::surroundings::is_own_address;
use crate::address::Endpoint;
use crate::measure::microseconds;
use crate::output::record::{Line, Role};
use crate::sys::{self, AsSocket, TcpBuffers, TcpState};

/// One call on a socket, and what the kernel knew before and after it.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Which end made it: `client` or `server`.
    pub side: &'static str,
    /// The call.
    pub call: &'static str,
    /// Its arguments, as the C library has them.
    pub arguments: String,
    /// What it returned, or the error it met.
    pub result: String,
    /// How long it took, in microseconds.
    pub elapsed_us: f64,
    /// The connection's state before; `None` where the system does not tell.
    pub state_before: Option<TcpState>,
    /// The connection's state after.
    pub state_after: Option<TcpState>,
    /// The segments that left since the step before.
    pub segments_out: Option<u64>,
    /// The segments that came since the step before.
    pub segments_in: Option<u64>,
    /// The kernel's smoothed round-trip time, in microseconds.
    pub rtt_us: Option<u32>,
    /// The congestion window, in segments.
    pub cwnd_segments: Option<u32>,
    /// The two buffers, after.
    pub buffers: Option<TcpBuffers>,
    /// The other end, where it is on this machine.
    pub other_end: Option<OtherEnd>,
    /// In TIME-WAIT or FIN-WAIT-2: the time until the kernel forgets the connection, in milliseconds.
    pub remaining_ms: Option<u64>,
    /// What it means, in a sentence.
    pub meaning: String,
    /// Whether the sentence says more than was seen: it follows from the counts and the protocol.
    pub inferred: bool,
    /// The segments that the call stands for, in their order, as `SYN ->` and `<- SYN,ACK`: by the counts and the protocol.
    pub segments: Vec<String>,
    /// What is not as it was after the step before.
    #[serde(skip)]
    changed: Changed,
}

/// Which of the figures beside a step have changed since the last: the others are not repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a figure's")]
struct Changed {
    buffers: bool,
    queues: bool,
    rtt: bool,
    cwnd: bool,
    other_end: bool,
}

/// The other end of a connection, seen on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OtherEnd {
    /// Its state.
    pub state: TcpState,
    /// The bytes its program has not read.
    pub unread_bytes: u32,
    /// The bytes that this end has not acknowledged.
    pub unacknowledged_bytes: u32,
    /// Whether a program has accepted it.
    pub is_accepted: bool,
}

/// What the kernel knows of one end at a moment.
#[derive(Clone, Debug, Default)]
struct Snapshot {
    state: Option<TcpState>,
    segments: Option<(u64, u64)>,
    rtt_us: Option<u32>,
    cwnd_segments: Option<u32>,
    buffers: Option<TcpBuffers>,
    other_end: Option<OtherEnd>,
    remaining: Option<Duration>,
}

/// What `socket` returned, as people know it.
#[cfg(unix)]
pub(super) fn descriptor(socket: &impl AsSocket) -> String {
    use std::os::fd::AsRawFd;
    socket.as_fd().as_raw_fd().to_string()
}

/// What `socket` returned, as people know it.
#[cfg(windows)]
pub(super) fn descriptor(socket: &impl AsSocket) -> String {
    use std::os::windows::io::AsRawSocket;
    socket.as_socket().as_raw_socket().to_string()
}

/// An error like another, which cannot be cloned.
pub(super) fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// Looks at a connection before and after each call.
pub(super) struct Observation {
    side: &'static str,
    /// Both ends, once they are known.
    ends: Option<(SocketAddr, SocketAddr)>,
    before: Snapshot,
    start: Instant,
}

impl Observation {
    /// Begins with a socket that does not exist yet.
    pub(super) fn new(side: &'static str) -> Self {
        let before = Snapshot { state: Some(TcpState::Closed), ..Snapshot::default() };
        Self { side, ends: None, before, start: Instant::now() }
    }

    /// Learns the two ends of the connection, this one first.
    pub(super) fn connects(&mut self, local: SocketAddr, remote: SocketAddr) {
        // A server for both families sees IPv4 clients in IPv6's clothes.
        self.ends = Some((Endpoint(local).unmapped().0, Endpoint(remote).unmapped().0));
    }

    /// A call begins. What was before it is what the step before has shown, so that nothing falls between two steps.
    pub(super) fn before(&mut self) {
        self.start = Instant::now();
    }

    /// Looks right after a call that began at [`Observation::before`].
    pub(super) fn after<S: AsSocket>(
        &mut self,
        socket: Option<&S>,
        call: &'static str,
        arguments: String,
        result: &io::Result<String>,
    ) -> Step {
        let elapsed = self.start.elapsed();
        let after = self.snapshot(socket);
        let delta = |pick: fn((u64, u64)) -> u64| {
            let before = self.before.segments.unwrap_or_default();
            after.segments.map(|segments| pick(segments).saturating_sub(pick(before)))
        };
        let sizes = |it: &Snapshot| it.buffers.map(|it| (it.send_bytes, it.receive_bytes));
        let queues = |it: &Snapshot| it.buffers.map(|it| (it.unacknowledged_bytes, it.unread_bytes));
        let is_filled = |it: &Snapshot| {
            it.buffers
                .is_some_and(|it| it.unacknowledged_bytes.unwrap_or(0) + it.unread_bytes.unwrap_or(0) > 0)
        };
        let before = &self.before;
        let changed = Changed {
            buffers: sizes(before) != sizes(&after),
            queues: queues(before) != queues(&after) && (is_filled(before) || is_filled(&after)),
            rtt: before.rtt_us != after.rtt_us,
            cwnd: before.cwnd_segments != after.cwnd_segments,
            other_end: before.other_end != after.other_end,
        };
        let step = Step {
            side: self.side,
            call,
            arguments,
            result: match result {
                Ok(value) => value.clone(),
                Err(error) => format!("-1: {error}"),
            },
            elapsed_us: microseconds(elapsed),
            state_before: self.before.state,
            state_after: after.state,
            segments_out: delta(|segments| segments.0),
            segments_in: delta(|segments| segments.1),
            rtt_us: after.rtt_us,
            cwnd_segments: after.cwnd_segments,
            buffers: after.buffers,
            other_end: after.other_end,
            remaining_ms: after.remaining.and_then(|left| u64::try_from(left.as_millis()).ok()),
            meaning: String::new(),
            inferred: false,
            segments: Vec::new(),
            changed,
        };
        self.before = after;
        step
    }

    fn snapshot<S: AsSocket>(&self, socket: Option<&S>) -> Snapshot {
        let info = socket.and_then(|socket| sys::tcp_info(socket));
        let state = info.as_ref().and_then(|info| info.state);
        let mut snapshot = Snapshot {
            state,
            segments: info.as_ref().and_then(|info| Some((info.segments_out?, info.segments_in?))),
            rtt_us: info.as_ref().map(|info| info.rtt_us).filter(|rtt| *rtt > 0),
            cwnd_segments: info.as_ref().map(|info| info.cwnd_segments),
            buffers: socket.map(|socket| sys::tcp_buffers(socket)),
            other_end: None,
            remaining: None,
        };
        let Some((local, remote)) = self.ends else { return snapshot };
        // A socket whose connection is over says CLOSED, and one that was closed says nothing: what is left of it the
        // kernel keeps in a list of its own.
        if state.is_none_or(|state| state == TcpState::Closed) {
            match sys::tcp_socket(local, remote) {
                Ok(Some(left)) => (snapshot.state, snapshot.remaining) = (Some(left.state), left.remaining),
                Ok(None) => snapshot.state = Some(TcpState::Closed),
                Err(_) => {}
            }
        }
        if is_own_address(remote.ip()) {
            let other = sys::tcp_socket(remote, local).ok().flatten();
            snapshot.other_end = other.map(|other| OtherEnd {
                state: other.state,
                unread_bytes: other.receive_queue,
                unacknowledged_bytes: other.send_queue,
                is_accepted: other.inode != 0 || other.state == TcpState::TimeWait,
            });
        }
        snapshot
    }
}

impl Step {
    /// Says what it means.
    #[must_use]
    pub(super) fn meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = meaning.into();
        self
    }

    /// Makes it a call that was broken off because it took too long, in which nothing has changed.
    #[must_use]
    pub(super) fn timed_out(mut self) -> Self {
        "-1: timed out".clone_into(&mut self.result);
        self.state_after = self.state_before;
        self
    }

    /// Says what it means, where that follows from the counts and the protocol.
    #[must_use]
    pub(super) fn infers(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = meaning.into();
        self.inferred = true;
        self
    }

    /// Draws the segments that it stands for, in their order.
    #[must_use]
    pub(super) fn draws<S: Into<String>>(mut self, segments: impl IntoIterator<Item = S>) -> Self {
        self.segments = segments.into_iter().map(Into::into).collect();
        self
    }

    /// Draws bytes that left, and their acknowledgement if it has come.
    #[must_use]
    pub(super) fn draws_sent(self, what: &str) -> Self {
        let acknowledged = self.segments_in.is_some_and(|came| came > 0).then(|| "<- ACK".to_owned());
        self.draws(std::iter::once(format!("{what} ->")).chain(acknowledged))
    }

    /// Draws what came, and its acknowledgement if that has left.
    #[must_use]
    pub(super) fn draws_received(self, what: &str) -> Self {
        let acknowledges = self.segments_out.is_some_and(|out| out > 0).then(|| "ACK ->".to_owned());
        self.draws(std::iter::once(format!("<- {what}")).chain(acknowledges))
    }

    /// The lesson's step that the call is, by its number and name: create, connect, send, receive and close of a client;
    /// create, bind, listen, accept, receive, send and close of a server. `None` of other calls.
    fn lesson(&self) -> Option<(u8, &'static str)> {
        match (self.side, self.call) {
            (_, "socket") => Some((1, "create")),
            ("client", "connect") => Some((2, "connect")),
            ("client", "send") => Some((3, "send")),
            ("client", "recv") => Some((4, "receive")),
            ("client", "close") => Some((5, "close")),
            ("server", "bind") => Some((2, "bind")),
            ("server", "listen") => Some((3, "listen")),
            ("server", "accept") => Some((4, "accept")),
            ("server", "recv") => Some((5, "receive")),
            ("server", "send") => Some((6, "send")),
            ("server", "close") => Some((7, "close")),
            _ => None,
        }
    }

    /// The step itself: the call, its time, the states, its number in the lesson.
    pub(super) fn line(&self) -> Line {
        let call = format!("{}({}) = {}", self.call, self.arguments, self.result);
        let is_bad = self.result.starts_with("-1");
        let mut line = Line::default()
            .with(if is_bad { Role::Bad } else { Role::Strong }, format!("{call:<30}"))
            .plain(format!(" {:>9.3} ms", self.elapsed_us / 1000.0));
        if let (Some(before), Some(after)) = (self.state_before, self.state_after) {
            let role = if before == after { Role::Dim } else { Role::Good };
            line = line.plain("  ").with(role, format!("{} -> {}", before.name(), after.name()));
        }
        match self.lesson() {
            Some((number, name)) => line.dim(format!("  (step {number}: {name})")),
            None => line,
        }
    }

    /// What stands below it: the segments, its meaning, and the figures that have changed.
    pub(super) fn below(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if !self.segments.is_empty() {
            lines.push(Line::default().with(Role::Address, self.segments.join("   ")));
        }
        let meaning =
            if self.inferred { format!("{} (inferred)", self.meaning) } else { self.meaning.clone() };
        lines.push(Line::new(meaning));
        let figures = self.figures();
        if !figures.is_empty() {
            lines.push(Line::default().dim(figures));
        }
        lines
    }

    /// The figures that have changed, in a line.
    fn figures(&self) -> String {
        let mut known = Vec::new();
        if let (Some(out), Some(came)) = (self.segments_out, self.segments_in)
            && out + came > 0
        {
            known.push(format!("segments out+{out} in+{came}"));
        }
        if let Some(TcpBuffers { send_bytes, receive_bytes, unacknowledged_bytes, unread_bytes }) =
            self.buffers
        {
            if self.changed.buffers {
                known.extend(send_bytes.map(|bytes| format!("SO_SNDBUF {bytes} B")));
                known.extend(receive_bytes.map(|bytes| format!("SO_RCVBUF {bytes} B")));
            }
            if self.changed.queues {
                known.extend(unacknowledged_bytes.map(|bytes| format!("{bytes} B unacknowledged")));
                known.extend(unread_bytes.map(|bytes| format!("{bytes} B unread")));
            }
        }
        if self.changed.rtt {
            known.extend(self.rtt_us.map(|rtt| format!("rtt {:.3} ms", f64::from(rtt) / 1000.0)));
        }
        if self.changed.cwnd && self.rtt_us.is_some() {
            known.extend(self.cwnd_segments.map(|cwnd| format!("cwnd {cwnd}")));
        }
        known.extend(self.remaining_ms.map(|left| format!("{left} ms left")));
        let mut known = known.join("; ");
        if let Some(other) = self.other_end.filter(|_| self.changed.other_end) {
            let side = if self.side == "client" { "server" } else { "client" };
            let mut parts = vec![other.state.name().to_owned()];
            if other.unacknowledged_bytes > 0 {
                parts.push(format!("{} B unacknowledged", other.unacknowledged_bytes));
            }
            if other.unread_bytes > 0 {
                parts.push(format!("{} B unread", other.unread_bytes));
            }
            if !other.is_accepted {
                parts.push("not accepted yet".to_owned());
            }
            let gap = if known.is_empty() { "" } else { " | " };
            known = format!("{known}{gap}{side}: {}", parts.join(", "));
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_its_number_and_only_what_changed() {
        let mut observation = Observation::new("client");
        observation.before();
        let nothing = Ok("3".to_owned());
        let step = observation.after::<std::net::TcpStream>(None, "socket", "AF_INET".to_owned(), &nothing);
        let text =
            |line: &Line| -> String { line.pieces().iter().map(|(_, text)| text.to_lossy()).collect() };
        assert!(text(&step.line()).ends_with("(step 1: create)"), "{:?}", step.line());
        let mut step = step.meaning("a socket").draws(["SYN ->", "<- SYN,ACK"]);
        assert_eq!(step.below().iter().map(text).collect::<Vec<_>>(), ["SYN ->   <- SYN,ACK", "a socket"]);
        step.buffers = Some(TcpBuffers {
            send_bytes: Some(16384),
            receive_bytes: Some(131_072),
            unacknowledged_bytes: Some(64),
            unread_bytes: Some(0),
        });
        assert_eq!(step.figures(), "", "values that have not changed are not repeated");
        step.changed.buffers = true;
        assert_eq!(step.figures(), "SO_SNDBUF 16384 B; SO_RCVBUF 131072 B");
        step.changed = Changed { queues: true, ..Changed::default() };
        assert_eq!(step.figures(), "64 B unacknowledged; 0 B unread");
    }
}
