//! An address with its zone, and an address with a port.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use serde::{Serialize, Serializer};

use super::Family;
use crate::sys;

/// An IP address and, where it is only unique on one link, that link (RFC 4007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The address itself.
    pub ip: IpAddr,
    /// The interface's index; 0 for none.
    pub scope_id: u32,
}

impl Address {
    /// The address's family.
    pub fn family(&self) -> Family {
        Family::of(self.ip)
    }

    /// The socket address of a port on it; 0 for none.
    pub fn with_port(&self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, self.scope_id)),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self { ip, scope_id: 0 }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let scope_id = if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 };
        Self { ip: address.ip(), scope_id }
    }
}

impl fmt::Display for Address {
    /// Writes `fe80::1%eth0`: RFC 4007, 11, with the interface's name where it has one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        match self.scope_id {
            0 => Ok(()),
            index => match sys::interface_name(index) {
                Some(name) => write!(f, "%{}", String::from_utf8_lossy(&name)),
                None => write!(f, "%{index}"),
            },
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A socket address that prints as people write it: `127.0.0.1:80`, `[fe80::1%eth0]:80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(pub SocketAddr);

impl Endpoint {
    /// The same endpoint with an IPv4-mapped address shown as the IPv4 address it is (RFC 4291, 2.5.5.2).
    #[must_use]
    pub fn unmapped(self) -> Self {
        match self.0.ip().to_canonical() {
            IpAddr::V4(ip) => Self(SocketAddr::from((ip, self.0.port()))),
            // Rebuilding it would lose the zone.
            IpAddr::V6(_) => self,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SocketAddr::V4(address) => write!(f, "{address}"),
            SocketAddr::V6(address) => write!(f, "[{}]:{}", Address::from(self.0), address.port()),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
