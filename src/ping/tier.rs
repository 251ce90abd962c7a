//! How far away a target is, and what its answer, or its silence, means.

use serde::Serialize;

use super::Outcome;
use crate::address::{Address, Class, Prefix};
use crate::sys::{LinkAddress, Network};

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
    pub(super) fn of(address: &Address, network: &Network) -> Self {
        let ip = address.ip;
        let is_on_its_link = |own: &&LinkAddress| address.scope_id == 0 || address.scope_id == own.index;
        let own = || network.addresses.iter().flatten().filter(is_on_its_link);
        // The prefix of a point-to-point interface is the other end's.
        let is_on_link =
            || own().any(|own| Prefix::of(own.peer.unwrap_or(own.ip), own.prefix_len).contains(ip));
        match Class::of(ip) {
            Class::Loopback => Self::Loopback,
            _ if own().any(|own| own.ip == ip) => Self::Host,
            Class::LinkLocal => Self::Lan,
            _ if is_on_link() => Self::Lan,
            _ => Self::Routed,
        }
    }

    /// What a tier's outcome tells about this machine's network, in the words of the lesson's three pings.
    ///
    /// `could_send` is false where no probe left this machine at all.
    pub(super) fn meaning(self, outcome: Outcome, could_send: bool) -> &'static str {
        let answers = matches!(outcome, Outcome::Alive | Outcome::Partial);
        match (self, answers) {
            (Self::Loopback, true) => "this machine's own network software works",
            (Self::Loopback, false) => {
                "this machine's own network software is broken, or ICMP is blocked on it"
            }
            (Self::Host, true) => "this machine's interface answers on its own address",
            (Self::Host, false) => "this machine does not answer on its own address",
            (Self::Lan, true) => "the local network works: another host replies",
            (Self::Lan, false) => {
                "no reply on the local network: check cable, Wi-Fi, address and gateway; some hosts ignore ping"
            }
            (Self::Routed, true) => "the internet is reachable",
            (Self::Routed, false) if !could_send => {
                "no route to the internet: no default route, or its interface is down"
            }
            (Self::Routed, false) => {
                "no reply from the internet: if the LAN works, the cause is the gateway's uplink or a firewall"
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
        let own = |index, ip: &str, prefix_len, peer: Option<&str>| LinkAddress {
            peer: peer.map(|peer| peer.parse().unwrap()),
            ..LinkAddress::new(index, ip.parse().unwrap(), prefix_len)
        };
        let addresses = Some(vec![
            own(1, "127.0.0.1", 8, None),
            own(2, "10.0.0.2", 24, None),
            own(2, "2001:db8::2", 64, None),
            own(2, "fe80::2", 64, None),
            own(3, "10.50.0.1", 32, Some("10.50.0.2")),
        ]);
        let network = Network { addresses, ..Network::default() };
        for (ip, scope_id, tier) in [
            ("127.9.9.9", 0, Tier::Loopback),
            ("::1", 0, Tier::Loopback),
            ("10.0.0.2", 0, Tier::Host),
            ("10.0.0.77", 0, Tier::Lan),
            ("2001:db8::77", 0, Tier::Lan),
            ("fe80::1", 2, Tier::Lan),
            ("fe80::2", 2, Tier::Host),
            ("fe80::2", 3, Tier::Lan),
            ("10.50.0.2", 0, Tier::Lan),
            ("10.0.1.1", 0, Tier::Routed),
            ("2001:db8:1::1", 0, Tier::Routed),
        ] {
            let address = Address { ip: ip.parse().unwrap(), scope_id };
            assert_eq!(Tier::of(&address, &network), tier, "{ip}%{scope_id}");
        }
    }
}
