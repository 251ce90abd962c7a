//! ICMP echo (RFC 792, RFC 4443): is a host there, how far away, and how reliably.

mod engine;
mod event;
mod icmp;
mod plan;
mod report;
mod statistics;
mod tier;
mod transport;

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

pub use event::Event;
pub use report::{IcmpErrorCount, Outcome, Ping, Sweep, TargetReport};
pub use tier::Tier;

use crate::address::{Family, Host, Prefix};
use crate::error::{Error, Result};
use crate::output::record::Observer;
use crate::sys::StopRequests;

/// What to ping, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom; empty for the three tiers: loopback, LAN, public.
    pub targets: Vec<Target>,
    /// How many probes each gets; `None` until stopped.
    pub count: Option<u32>,
    /// The time from one probe to the next of a target.
    pub interval: Duration,
    /// How long a reply is waited for.
    pub timeout: Duration,
    /// When to stop whatever is left to do.
    pub deadline: Option<Duration>,
    /// The bytes behind the ICMP header, 0 to 65507.
    pub size: u16,
    /// The time to live (IPv4) or hop limit (IPv6) of the probes.
    pub ttl: Option<u8>,
    /// Only addresses of this family.
    pub family: Option<Family>,
    /// Every address of a name, not only the first.
    pub all_addresses: bool,
    /// The address to send from.
    pub source: Option<IpAddr>,
    /// The interface to send by.
    pub interface: Option<String>,
}

/// Whom to ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One host.
    Host(Host),
    /// Every host of a network, with one probe each.
    Prefix(Prefix),
}

/// Pings what a request asks for, and tells the observer of each reply as it comes.
///
/// Errors: an interface or a source that this machine does not have; no permission for ICMP sockets.
pub async fn run(request: &Request, observer: &mut dyn Observer<Event>) -> Result<Ping> {
    let mut stop = StopRequests::listen()?;
    let mut transport = transport::Transport::new(request)?;
    let deadline = request.deadline.map(|deadline| Instant::now() + deadline);
    let plan = tokio::select! {
        plan = plan::make(request, deadline) => plan?,
        () = stop.at_least(1) => return Err(Error::interrupted()),
    };
    transport.prepare(&plan)?;
    // Lets the runtime hear that the new sockets can be written to: else the first send would wait for that, and
    // its time would not be told from the reply's.
    tokio::task::yield_now().await;
    Ok(engine::run(request, plan, transport, deadline, observer, &mut stop).await)
}
