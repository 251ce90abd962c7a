//! The ports to connect from: how many are held in TIME-WAIT, and whether they will last.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::super::{Failure, Outcome};
use crate::address::Endpoint;
use crate::output::record::Warning;
use crate::sys::{self, TcpState};

/// How long a port stays in TIME-WAIT on Linux (TCP_TIMEWAIT_LEN, `net/tcp.h`); elsewhere up to four minutes.
const HELD: f64 = 60.0;

/// The ports that connections of one run have left in TIME-WAIT toward their target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TimeWait {
    /// How many there were before it.
    pub before: u64,
    /// How many there were right after it.
    pub after: u64,
}

/// Where the failure is a want of ports, counts who has them.
pub(super) fn explained(mut failure: Failure, target: SocketAddr) -> Failure {
    if failure.kind != Outcome::NoLocalPort {
        return failure;
    }
    if let (Some((first, last)), Ok(sockets)) =
        (sys::port_settings().ephemeral, sys::tcp_sockets(0, target.port()))
    {
        let toward = |socket: &&sys::InetSocket| {
            socket.remote.ip().to_canonical() == target.ip() && (first..=last).contains(&socket.local.port())
        };
        let taken = sockets.iter().filter(toward).count();
        let waiting =
            sockets.iter().filter(toward).filter(|socket| socket.state == TcpState::TimeWait).count();
        let all = u32::from(last.saturating_sub(first)) + 1;
        failure.message = format!(
            "{}: {taken} of {all} source ports ({first}-{last}) to {} are in use, {waiting} of them in TIME-WAIT",
            failure.message,
            Endpoint(target)
        );
    }
    failure
}

/// Foresees that the ports run out.
pub(super) struct Foresight {
    target: SocketAddr,
    /// How many ports there are to connect from.
    ports: u64,
    is_reused: bool,
    warning: Option<Warning>,
}

impl Foresight {
    pub(super) fn new(target: SocketAddr) -> Self {
        let settings = sys::port_settings();
        let ports = settings.ephemeral.map_or(0, |(first, last)| u64::from(last.saturating_sub(first)) + 1);
        let is_reused = settings.reuses_time_wait(target.ip().is_loopback());
        Self { target, ports, is_reused, warning: None }
    }

    /// How many connections to the target are in TIME-WAIT; `None` where it is not told.
    pub(super) fn held(&self) -> Option<u64> {
        let sockets = sys::tcp_sockets(0, self.target.port()).ok()?;
        let held = sockets.iter().filter(|socket| {
            socket.state == TcpState::TimeWait && socket.remote.ip().to_canonical() == self.target.ip()
        });
        Some(held.count() as u64)
    }

    /// Looks whether the ports will last for so many connections more, of which so many were made in this time.
    #[expect(clippy::cast_precision_loss, reason = "counts of connections are far below 2^53")]
    pub(super) fn look(&mut self, made: u64, since: Duration, to_come: u64) {
        if self.warning.is_some() || self.is_reused || self.ports == 0 || since.is_zero() || made == 0 {
            return;
        }
        let Some(held) = sys::time_wait_count() else { return };
        let free = self.ports.saturating_sub(held);
        let rate = made as f64 / since.as_secs_f64();
        if to_come > free && rate * HELD > self.ports as f64 {
            let (ports, seconds) = (self.ports, free as f64 / rate);
            self.warning = Some(Warning::new(
                "ports-running-out",
                format!(
                    "at {rate:.0} connections a second to {}, the {ports} ports to connect from run out after {seconds:.0} s more: \
                     each waits {HELD:.0} s in TIME-WAIT ({held} do); take a --rate below {:.0}, or --close rst, which leaves none",
                    Endpoint(self.target),
                    ports as f64 / HELD,
                ),
            ));
        }
    }

    /// What it has foreseen.
    pub(super) fn warning(self) -> Option<Warning> {
        self.warning
    }
}
