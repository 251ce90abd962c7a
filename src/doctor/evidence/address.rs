//! The addresses of the interfaces.

use std::net::IpAddr;

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
