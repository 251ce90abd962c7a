//! The gateways, and who else uses their addresses or this machine's.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A gateway of a default route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Its address.
    pub address: IpAddr,
    /// The interface it is asked by.
    pub interface: String,
    /// Whether its route is the one that is taken.
    pub is_best: bool,
    /// The state of its entry in the table of neighbours, as `ip neighbour` writes it.
    pub state: Option<String>,
    /// Its hardware address.
    pub mac: Option<String>,
    /// How long it was asked for, in milliseconds.
    pub asked_ms: u64,
    /// Echo requests sent and answered; `None` if they cannot be sent.
    pub pings: Option<(usize, usize)>,
}

impl Gateway {
    /// Whether its hardware address is known: `None` if that was not told or not asked for long enough.
    pub fn is_found(&self) -> Option<bool> {
        match self.state.as_deref() {
            Some("reachable" | "stale" | "delay" | "probe" | "permanent" | "noarp") => Some(true),
            Some("failed") => Some(false),
            // A third request went unanswered; of a link that loses frames, two may be lost.
            Some("incomplete") if self.asked_ms >= 2_900 => Some(false),
            _ => None,
        }
    }

    /// Whether it has answered echo requests.
    pub fn answers_ping(&self) -> bool {
        self.pings.is_some_and(|(_, received)| received > 0)
    }
}

/// Who else uses addresses that are this machine's or its gateway's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Who was seen to have an address, by ARP.
    pub answers: Vec<Claim>,
    /// The frames that came in and bear this machine's own hardware address; an access point may send its own back.
    pub own_mac_frames: u32,
    /// The addresses of others whose packets bear this machine's own hardware address as their sender.
    pub own_mac_users: Vec<IpAddr>,
    /// The addresses of others that packets were for which came to this machine's hardware address.
    pub misdelivered: Vec<IpAddr>,
    /// This machine's own hardware address on that link.
    pub own_mac: String,
    /// The interface.
    pub interface: String,
}

/// Who has an address, by ARP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Whether it is this machine's own.
    pub is_own: bool,
    /// The hardware addresses that spoke for it.
    pub macs: Vec<String>,
    /// How often it was asked for.
    pub asked: u32,
}
