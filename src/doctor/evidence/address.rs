//! The addresses of the interfaces.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkAddress {
    /// The interface's name.
    pub interface: String,
    /// The address.
    pub ip: IpAddr,
    /// The length of its network's prefix.
    pub prefix_len: u8,
    /// Its flags.
    pub flags: Vec<String>,
}

impl LinkAddress {
    /// Whether an IPv4 address is of the network of this one.
    pub fn contains_v4(&self, ip: Ipv4Addr) -> bool {
        match self.ip {
            IpAddr::V4(own) => same_network(own, ip, self.prefix_len),
            IpAddr::V6(_) => false,
        }
    }
}

/// Whether two addresses are of one network, by the length of its prefix in bits.
pub fn same_network(a: Ipv4Addr, b: Ipv4Addr, prefix_len: u8) -> bool {
    let shift = 32_u32.saturating_sub(prefix_len.into());
    shift == 32 || u32::from(a) >> shift == u32::from(b) >> shift
}
