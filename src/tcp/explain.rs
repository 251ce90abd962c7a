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

    /// Says what it means, where that follows from the counts and the protocol.
    #[must_use]
    pub(super) fn infers(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = meaning.into();
        self.inferred = true;
        self
    }

    /// The step itself: the call, its time, the states, the segments.
    pub(super) fn line(&self) -> Line {
        let call = format!("{}({}) = {}", self.call, self.arguments, self.result);
        let is_bad = self.result.starts_with("-1");
        let mut line = Line::default()
            .with(if is_bad { Role::Bad } else { Role::Strong }, format!("{call:<34}"))
            .plain(format!(" {:>9.3} ms", self.elapsed_us / 1000.0));
        if let (Some(before), Some(after)) = (self.state_before, self.state_after) {
            let states = format!("{} -> {}", before.name(), after.name());
            let role = if before == after { Role::Dim } else { Role::Good };
            line = line.plain("  ").with(role, states);
        }
        line
    }

    /// What stands below it: its meaning, and the buffers of both ends.
    pub(super) fn below(&self) -> Vec<Line> {
        let meaning =
            if self.inferred { format!("{} (inferred)", self.meaning) } else { self.meaning.clone() };
        let mut lines = vec![Line::new(meaning)];
        let mut known = Vec::new();
        if let (Some(out), Some(came)) = (self.segments_out, self.segments_in) {
            known.push(format!("segments out+{out} in+{came}"));
        }
        if let Some(TcpBuffers { send_bytes, receive_bytes, unacknowledged_bytes, unread_bytes }) =
            self.buffers
        {
            let one = |name: &str, inside: Option<u32>, room: Option<usize>, what: &str| {
                room.map(|room| {
                    format!(
                        "{name} {room} B{}",
                        inside.map(|inside| format!(", {inside} {what}")).unwrap_or_default()
                    )
                })
            };
            known.extend(one("SO_SNDBUF", unacknowledged_bytes, send_bytes, "unacknowledged"));
            known.extend(one("SO_RCVBUF", unread_bytes, receive_bytes, "unread"));
        }
        known.extend(self.rtt_us.map(|rtt| format!("rtt {:.3} ms", f64::from(rtt) / 1000.0)));
        known.extend(self.cwnd_segments.filter(|_| self.rtt_us.is_some()).map(|cwnd| format!("cwnd {cwnd}")));
        known.extend(self.remaining_ms.map(|left| format!("{left} ms left")));
        let mut known = known.join("; ");
        if let Some(other) = self.other_end {
            let side = if self.side == "client" { "server" } else { "client" };
            let accepted = if other.is_accepted { "" } else { ", not accepted yet" };
            known = format!(
                "{known} | {side}: {}, {} unacknowledged, {} unread{accepted}",
                other.state.name(),
                other.unacknowledged_bytes,
                other.unread_bytes
            );
        }
        if !known.is_empty() {
            lines.push(Line::default().dim(known));
        }
        lines
    }
}
