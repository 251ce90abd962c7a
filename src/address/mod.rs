//! Addresses: what class they are of, how a user writes them, and how a name becomes one.

mod class;
mod endpoint;
mod hardware;
mod host;
mod own;
mod prefix;
mod resolve;

pub use class::Class;
pub use endpoint::{Address, Endpoint};
pub use hardware::HardwareAddress;
pub use host::{Host, HostError, HostName, HostPort, HostPorts};
pub use own::{check_family, check_zone, foreign_address, unknown_interface};
pub use prefix::{Prefix, PrefixError};
pub use resolve::{ResolveError, resolve};

use serde::Serialize;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4, RFC 791.
    Ipv4,
    /// IPv6, RFC 8200.
    Ipv6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: std::net::IpAddr) -> Self {
        if ip.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// The family's name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}
