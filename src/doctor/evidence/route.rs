//! Where packets go.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A default route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultRoute {
    /// Whether it is IPv6's.
    pub is_v6: bool,
    /// The interface's name.
    pub interface: String,
    /// The gateway; `None` on a link without one.
    pub gateway: Option<IpAddr>,
    /// The metric.
    pub metric: u32,
    /// The source it prefers.
    pub source: Option<IpAddr>,
    /// Who set it: `dhcp`, `ra`, `static` ...
    pub protocol: Option<String>,
    /// Whether it is the one that is taken.
    pub is_best: bool,
    /// What it is if it refuses what takes it.
    pub refusal: Option<String>,
    /// Whether the kernel does not use it, as its link is down.
    pub is_dead: bool,
}

/// Which way packets for the rest of the world would take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ways {
    /// IPv4's.
    pub v4: Option<Route>,
    /// IPv6's.
    pub v6: Option<Route>,
}

/// What the kernel does with packets to an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// What the route is; `None` if there is none.
    pub kind: Option<String>,
    /// Its prefix.
    pub prefix: Option<String>,
    /// The interface.
    pub interface: Option<String>,
    /// The gateway; `None` if the address is on the link.
    pub gateway: Option<IpAddr>,
    /// The source.
    pub source: Option<IpAddr>,
    /// The table.
    pub table: Option<u32>,
}

impl Route {
    /// Whether the address is on a link of this machine.
    pub fn is_on_link(&self) -> bool {
        self.kind.as_deref() == Some("unicast") && self.gateway.is_none() && self.interface.is_some()
    }

    /// Whether it is an address of this machine.
    pub fn is_local(&self) -> bool {
        self.kind.as_deref() == Some("local")
    }

    /// Whether it refuses what takes it.
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind.as_deref(), Some("blackhole" | "unreachable" | "prohibit"))
    }
}
