//! The way to the target: connections side by side, and the sizes that pass.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Connections, several at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Burst {
    /// The connections in order.
    pub first: Vec<BurstConnect>,
    /// Those from the same ports once more.
    pub again: Vec<BurstConnect>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BurstConnect {
    /// The port it came from.
    pub from_port: u16,
    /// Whether it stood; `None` if it could not be tried.
    pub stands: Option<bool>,
    /// Whether it was refused.
    pub is_refused: bool,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// How often its SYN was sent again.
    pub syn_retransmissions: Option<u32>,
}

/// Whether a size passes unfragmented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeProbe {
    /// The bytes of a packet with its headers.
    pub packet_bytes: usize,
    /// How many were sent and how many answered.
    pub sent: usize,
    /// How many were answered.
    pub received: usize,
    /// Who said that it is too large, and what would pass.
    pub too_big: Option<(Option<IpAddr>, Option<u32>)>,
    /// Whether this machine itself did not send it.
    pub is_local: bool,
}
