//! How far away a target is, and what its answer, or its silence, means.

use std::net::IpAddr;

use serde::Serialize;

use super::Outcome;
use crate::address::{Class, Prefix};
use crate::sys::Network;

/// How far away an address is from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The loopback: never leaves the kernel.
    Loopback,
    /// Another of this machine's own addresses.
    Host,
    /// On a link of this machine: no router between.
    Lan,
    /// Behind at least one router.
    Routed,
}

impl Tier {
    /// The tier's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Host => "host",
            Self::Lan => "lan",
            Self::Routed => "routed",
        }
    }

    /// The tier of an address, as this machine's own addresses tell it.
    pub(super) fn of(ip: IpAddr, network: &Network) -> Self {
        let own = network.addresses.as_deref().unwrap_or_default();
        let is_on_link =
            |ip| own.iter().any(|address| Prefix::of(address.ip, address.prefix_len).contains(ip));
        match Class::of(ip.to_canonical()) {
            Class::Loopback => Self::Loopback,
            _ if own.iter().any(|address| address.ip == ip) => Self::Host,
            Class::LinkLocal | Class::Multicast | Class::Broadcast => Self::Lan,
            _ if is_on_link(ip) => Self::Lan,
            _ => Self::Routed,
        }
    }

    /// What a tier's outcome tells about this machine's network, in the words of the lesson's three pings.
    pub(super) fn meaning(self, outcome: Outcome) -> &'static str {
        let answers = matches!(outcome, Outcome::Alive | Outcome::Partial);
        match (self, answers) {
            (Self::Loopback, true) => "this machine's own network software works",
            (Self::Loopback, false) => {
                "this machine's own network software is broken, or ICMP is blocked on it"
            }
            (Self::Host, true) => "this machine's network card answers under its own address",
            (Self::Host, false) => "this machine does not answer under its own address",
            (Self::Lan, true) => "the local network works: the next machine answers",
            (Self::Lan, false) => {
                "no answer on the local network: cable, Wi-Fi, address or gateway; some ignore ping"
            }
            (Self::Routed, true) => "the internet can be reached",
            (Self::Routed, false) => {
                "no answer from the internet: if the LAN works, it is the gateway's uplink or a filter"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::LinkAddress;

    #[test]
    fn tiers_by_this_machines_addresses() {
        let own = |ip: &str, prefix_len| LinkAddress {
            index: 2,
            ip: ip.parse().unwrap(),
            prefix_len,
            peer: None,
            broadcast: None,
            scope: None,
            flags: Vec::new(),
            valid_s: None,
            preferred_s: None,
        };
        let addresses = Some(vec![own("127.0.0.1", 8), own("10.0.0.2", 24), own("2001:db8::2", 64)]);
        let network = Network { addresses, ..Network::default() };
        for (ip, tier) in [
            ("127.9.9.9", Tier::Loopback),
            ("::1", Tier::Loopback),
            ("10.0.0.2", Tier::Host),
            ("10.0.0.77", Tier::Lan),
            ("2001:db8::77", Tier::Lan),
            ("fe80::1", Tier::Lan),
            ("10.0.1.1", Tier::Routed),
            ("2001:db8:1::1", Tier::Routed),
        ] {
            assert_eq!(Tier::of(ip.parse().unwrap(), &network), tier, "{ip}");
        }
    }
}
