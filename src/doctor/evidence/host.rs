//! What this machine has and lacks by itself.

use serde::{Deserialize, Serialize};

/// The limits and tables of this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// How many descriptors this process may open.
    pub descriptor_limit: Option<u64>,
    /// How many it may ask for.
    pub descriptor_hard_limit: Option<u64>,
    /// How many more it could open, of [`Host::DESCRIPTORS`].
    pub descriptors_to_be_had: u64,
    /// What the system said to one more.
    pub descriptor_error: Option<String>,
    /// The ports that connections are made from.
    pub ephemeral: Option<(u16, u16)>,
    /// The entries of the table of neighbours.
    pub neighbours: Option<u64>,
    /// How many it may have.
    pub neighbour_limit: Option<u64>,
    /// The connections that are tracked.
    pub tracked: Option<u64>,
    /// How many may be.
    pub tracked_limit: Option<u64>,
}

impl Host {
    /// How many descriptors a program that looks up a name and makes a few connections needs.
    pub const DESCRIPTORS: u64 = 32;
}

/// Whether the machine can talk to itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loopback {
    /// The name of the loopback interface.
    pub interface: Option<String>,
    /// Whether it is up.
    pub is_up: Option<bool>,
    /// Whether it has 127.0.0.1.
    pub has_address: Option<bool>,
    /// Whether a connection to 127.0.0.1 works.
    pub connects: Option<bool>,
    /// What the system said if not.
    pub error: Option<String>,
}
