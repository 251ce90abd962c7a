//! ICMP echo (RFC 792, RFC 4443): is a host there, how far away, and how reliably.

mod body;
mod clock;
mod columns;
mod engine;
mod event;
mod hosts;
mod live;
mod names;
mod plan;
mod pmtu;
mod report;
mod run;
mod statistics;
mod target;
mod tier;
mod transport;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use event::Event;
pub use pmtu::PathMtu;
pub use report::{IcmpErrorCount, Outage, Outcome, Ping, Sweep, TargetReport};
pub use run::run;
pub use target::Target;
pub use tier::Tier;

use crate::address::Family;

/// What to ping, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that a user may set by itself")]
pub struct Request {
    /// Whom; empty, with no file either, for the three tiers: loopback, LAN, public.
    pub targets: Vec<Target>,
    /// A file of more targets, one a line; `-` for standard input.
    pub file: Option<PathBuf>,
    /// How many probes each host gets; `None` until stopped.
    pub count: Option<u32>,
    /// How many each host of a prefix gets.
    pub sweep_count: u32,
    /// How many more a target gets that has answered none.
    pub retries: u32,
    /// When the next probe goes out.
    pub pace: Pace,
    /// How long a reply is waited for.
    pub timeout: Duration,
    /// When to stop whatever is left to do.
    pub deadline: Option<Duration>,
    /// The bytes behind the ICMP header, 0 to 65507.
    pub size: u16,
    /// The time to live (IPv4) or hop limit (IPv6) of the probes.
    pub ttl: Option<u8>,
    /// The type of service (IPv4) or traffic class (IPv6) of the probes.
    pub tos: Option<u8>,
    /// Whether nobody may fragment the probes.
    pub dont_fragment: bool,
    /// Whether to find the largest probe that passes unfragmented.
    pub finds_pmtu: bool,
    /// Only addresses of this family.
    pub family: Option<Family>,
    /// Every address of a name, not only the first.
    pub all_addresses: bool,
    /// The address to send from.
    pub source: Option<IpAddr>,
    /// The interface to send by.
    pub interface: Option<String>,
    /// Whether to look up the names of those that answer.
    pub finds_names: bool,
    /// Whether the hosts of a prefix that stay silent are rows too.
    pub lists_all: bool,
    /// Whether a sweep waits while the kernel's table of neighbours is full.
    pub waits_for_neighbours: bool,
    /// Whether it is told when the next probe leaves before the last one is answered.
    pub tells_outstanding: bool,
    /// Whether the terminal's bell rings with each reply.
    pub rings: bool,
    /// Whether a sweep of more than 65,536 addresses is meant.
    pub is_meant: bool,
    /// How probes travel.
    pub transport: TransportChoice,
}

/// When the next probe goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So long after the last to the same host; hosts of prefixes one a millisecond.
    Every(Duration),
    /// So many a second in all; at least 1.
    Rate(u32),
    /// As fast as the socket takes them.
    Unpaced,
    /// To each host as fast as replies come back, or 100 a second, whichever is more.
    Flood,
}

/// How probes travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransportChoice {
    /// The best this system has.
    #[default]
    Auto,
    /// The one that every system has.
    Portable,
}

impl Request {
    /// How many probes to send where the user did not say: until stopped for somebody who watches, or until the
    /// deadline, else a few.
    pub fn default_count(&self, is_watched: bool) -> Option<u32> {
        /// Of the three tiers: enough to see a loss, soon over.
        const TIERS: u32 = 3;
        /// As Windows' ping, where nobody could stop it.
        const UNWATCHED: u32 = 4;
        match (self.targets.is_empty() && self.file.is_none(), is_watched || self.deadline.is_some()) {
            (true, _) => Some(TIERS),
            (_, true) => None,
            (_, false) => Some(UNWATCHED),
        }
    }
}
