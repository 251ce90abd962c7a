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

impl Burst {
    /// Whether some connections are dropped and others not, by turns: how many were, and how many not. A limit lets the first
    /// through and drops the rest.
    pub fn scattered(&self) -> Option<(usize, usize)> {
        let tried: Vec<bool> = self
            .first
            .iter()
            .filter(|one| one.stands.is_some() && !one.is_refused)
            .map(|one| one.stands == Some(true) && one.syn_retransmissions == Some(0))
            .collect();
        let stood = tried.iter().filter(|stood| **stood).count();
        let dropped = tried.len() - stood;
        let last = tried.iter().rposition(|stood| *stood)?;
        let before = tried[..last].iter().filter(|stood| !**stood).count();
        let from = tried.iter().position(|stood| !*stood)?;
        let after = tried[from..].iter().filter(|stood| **stood).count();
        let is_mixed = tried.len() >= 8 && stood >= 3 && dropped >= 3 && before >= 2 && after >= 2;
        is_mixed.then_some((dropped, stood))
    }

    /// Whether source ports decide which connection is dropped: how many always are, and how many never.
    pub fn steered(&self) -> Option<(usize, usize)> {
        let (mut always, mut never) = (0, 0);
        for one in &self.first {
            let is_same = |other: &&BurstConnect| other.from_port == one.from_port && other.stands.is_some();
            let other = self.again.iter().find(is_same)?;
            let at_once = one.syn_retransmissions == Some(0) && other.syn_retransmissions == Some(0);
            match (one.stands, other.stands) {
                (Some(true), Some(true)) if at_once => never += 1,
                (Some(false), Some(false)) if !one.is_refused => always += 1,
                _ => return None,
            }
        }
        (always >= 2 && never >= 2).then_some((always, never))
    }
}
