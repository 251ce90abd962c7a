//! The interfaces and their carriers.

use serde::{Deserialize, Serialize};

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Option<String>,
    /// Whether it is administratively up.
    pub is_up: bool,
    /// Whether it has a carrier.
    pub carrier: Option<bool>,
    /// How often that has changed.
    pub carrier_changes: Option<u32>,
    /// Whether it is the loopback.
    pub is_loopback: bool,
    /// Whether it asks nobody for hardware addresses.
    pub has_no_arp: bool,
    /// Its hardware address.
    pub mac: Option<String>,
    /// Its MTU in bytes.
    pub mtu: Option<u32>,
    /// The index of the interface it belongs to.
    pub master: Option<u32>,
    /// The packets that came in.
    pub rx_packets: Option<u64>,
    /// The packets that went out.
    pub tx_packets: Option<u64>,
}

impl Link {
    /// Whether it is one that a machine is connected to a network by: no loopback, no part of another, and no tunnel
    /// or bridge that is there whether anything is connected or not.
    pub fn is_uplink(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or("ethernet");
        let is_plain = matches!(
            kind,
            "ethernet"
                | "wifi"
                | "veth"
                | "macvlan"
                | "ipvlan"
                | "macvtap"
                | "vlan"
                | "bond"
                | "team"
                | "infiniband"
        );
        is_plain && !self.is_loopback && self.master.is_none()
    }

    /// Whether packets can leave by it.
    pub fn works(&self) -> bool {
        self.is_up && self.carrier != Some(false)
    }

    /// Whether it is a tunnel, whose other end is not seen.
    pub fn is_tunnel(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        matches!(
            kind,
            "tun"
                | "tap"
                | "wireguard"
                | "ppp"
                | "ipip"
                | "gre"
                | "sit"
                | "vti"
                | "xfrm"
                | "ip6tnl"
                | "vxlan"
        )
    }
}

/// How a carrier changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CarrierChange {
    /// The interface's name.
    pub interface: String,
    /// How often its carrier had changed at first.
    pub before: u32,
    /// How often at last.
    pub after: u32,
    /// The time between, in milliseconds.
    pub within_ms: u64,
}
