//! What a diagnosis asks a system for, in words that are no system's own.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::HardwareAddress;

/// What the kernel would do with a packet for an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteLookup {
    /// What the route that matches is: `unicast`, `local`, `broadcast`, `multicast`, `blackhole`, `unreachable`,
    /// `prohibit`; `None` if none matches.
    pub kind: Option<&'static str>,
    /// The prefix of the route that matches, where the kernel tells it.
    pub prefix: Option<(IpAddr, u8)>,
    /// The index of the interface it leaves by.
    pub index: Option<u32>,
    /// The next hop; `None` if the address is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The address it would be sent from.
    pub source: Option<IpAddr>,
    /// The table the route is in.
    pub table: Option<u32>,
    /// The MTU of the path, where the kernel remembers one.
    pub mtu: Option<u32>,
}

/// A rule of policy routing, which decides what table a packet's route is looked up in (ip-rule(8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRule {
    /// Whether the rule is one of IPv6's.
    pub is_v6: bool,
    /// The rule's place: the lower is asked first. Linux looks into the table `local` at 0 and into `main` at 32766.
    pub priority: u32,
    /// What becomes of a packet that the rule is for.
    pub action: RuleAction,
    /// Whether the rule is for every packet, as it has no selector.
    pub is_for_all: bool,
}

/// What a rule of policy routing does (FR_ACT_* of `linux/fib_rules.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleAction {
    /// A route is looked up in this table.
    Table(u32),
    /// The rule of this priority is asked next.
    Goto(u32),
    /// The next rule is asked.
    Nothing,
    /// The packet is dropped without a word.
    Blackhole,
    /// The packet is refused: network unreachable.
    Unreachable,
    /// The packet is refused: administratively prohibited.
    Prohibit,
    /// Something that a newer kernel has.
    Other,
}

impl RuleAction {
    /// The action as ip-rule(8) writes it, where it refuses a packet; `None` where it does not.
    pub fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Blackhole => Some("blackhole"),
            Self::Unreachable => Some("unreachable"),
            Self::Prohibit => Some("prohibit"),
            Self::Table(_) | Self::Goto(_) | Self::Nothing | Self::Other => None,
        }
    }
}

/// One entry of the kernel's table of neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The interface's index.
    pub index: u32,
    /// The neighbour's address.
    pub ip: IpAddr,
    /// The state as `ip neighbour` writes it, in lower case.
    pub state: &'static str,
    /// Its hardware address, where known.
    pub mac: Option<HardwareAddress>,
    /// Whether it says that it is a router (NTF_ROUTER; IPv6 alone tells).
    pub is_router: bool,
}

/// How full the tables of the kernel are that a connection needs a place in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The entries of the table of IPv4 neighbours, in all network namespaces.
    pub neighbours: Option<u64>,
    /// How often that table had no room.
    pub neighbour_overflows: Option<u64>,
    /// The connections that are tracked (netfilter).
    pub tracked: Option<u64>,
    /// How many may be.
    pub tracked_limit: Option<u64>,
}

/// An ARP packet for IPv4 over Ethernet (RFC 826) as it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpSeen {
    /// The frame's source.
    pub frame_source: [u8; 6],
    /// The hardware address of whom it speaks for.
    pub sender_mac: [u8; 6],
    /// The address of whom it speaks for.
    pub sender: std::net::Ipv4Addr,
    /// Whether it is an answer.
    pub is_reply: bool,
}

/// What came in on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameSeen {
    /// An ARP packet.
    Arp(ArpSeen),
    /// A packet of IPv4.
    Ipv4 {
        /// The frame's source.
        frame_source: [u8; 6],
        /// The frame's destination.
        frame_destination: [u8; 6],
        /// Who sent it.
        source: std::net::Ipv4Addr,
        /// Whom it is for.
        destination: std::net::Ipv4Addr,
    },
    /// Something else, with the frame's source.
    Other([u8; 6]),
}
