//! How a connection went, and the ICMP error that ended it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::Family;
use crate::wire::icmp;

/// How a connection went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// What became of it.
    pub outcome: ConnectOutcome,
    /// How long that took, in microseconds.
    pub elapsed_us: u64,
    /// How often its SYN was sent again.
    pub syn_retransmissions: Option<u32>,
    /// The ICMP error that ended it.
    pub icmp: Option<Icmp>,
    /// What the system said.
    pub error: Option<String>,
}

impl Connect {
    /// Whether it stands.
    pub fn stands(&self) -> bool {
        self.outcome == ConnectOutcome::Connected
    }

    /// Whether the host itself has spoken.
    pub fn shows_host(&self) -> bool {
        matches!(self.outcome, ConnectOutcome::Connected | ConnectOutcome::Refused) && self.icmp.is_none()
    }
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectOutcome {
    /// It stands.
    Connected,
    /// A reset.
    Refused,
    /// Nothing came.
    Silent,
    /// An ICMP error came.
    Unreachable,
    /// No neighbour answered for the address.
    NoNeighbour,
    /// This machine has no route.
    NoRoute,
    /// A route of this machine refuses it.
    RouteRefuses,
    /// This machine's filter refuses it.
    Denied,
    /// This machine has no port left to connect from.
    NoLocalPort,
    /// This machine lacks something else.
    Lacking,
}

/// An ICMP error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Icmp {
    /// Who sent it.
    pub from: Option<IpAddr>,
    /// Whether that is this machine.
    pub is_own: bool,
    /// Its type.
    pub icmp_type: u8,
    /// Its code.
    pub icmp_code: u8,
}

impl Icmp {
    /// What the error means; where nobody is told who sent it, it is taken for one of IPv4.
    pub fn meaning(&self) -> icmp::Error {
        let family = self.from.map_or(Family::Ipv4, Family::of);
        icmp::Error::of(family, self.icmp_type, self.icmp_code)
    }
}
