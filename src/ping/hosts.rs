//! Everybody who is to be probed, by slot: single hosts, and the hosts of whole networks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use super::Tier;
use crate::address::{Address, Prefix};
use crate::output::record::Untrusted;
use crate::sys::{LinkAddress, Network};

/// The number of a target in a run, from 0.
pub(super) type SlotId = u32;

/// All targets. A network takes no more room here than a host.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    parts: Vec<Part>,
    /// The first slot of each part.
    firsts: Vec<SlotId>,
    len: SlotId,
    by_ip: HashMap<IpAddr, Vec<SlotId>>,
    /// The parts that are sweeps.
    sweeps: Vec<usize>,
    network: Network,
    /// The addresses of whole networks this machine is in, which are no host's.
    groups: Vec<IpAddr>,
}

/// One target as it was given.
#[derive(Debug)]
enum Part {
    Single(Slot),
    Sweep(Prefix),
}

/// One host: an address to probe, or the reason there is none.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The target as it was written.
    pub(super) target: Untrusted,
    /// The address, or why there is none.
    pub(super) address: Result<Address, String>,
    pub(super) tier: Option<Tier>,
    /// What its row says besides, whatever the outcome.
    pub(super) remark: Option<&'static str>,
}

/// A search for the slots of an address.
pub(super) struct Find {
    address: Address,
    /// The slot a message names, which is looked at first.
    named: Option<SlotId>,
    at: usize,
}

impl Hosts {
    /// Makes an empty list; the network tells what is on-link, and which addresses are no hosts.
    pub(super) fn new(network: Network) -> Self {
        let mut groups: Vec<IpAddr> = network.addresses.iter().flatten().flat_map(groups).collect();
        groups.sort_unstable();
        groups.dedup();
        Self { network, groups, ..Self::default() }
    }

    /// Adds one host.
    pub(super) fn add(&mut self, slot: Slot) {
        if let Ok(address) = &slot.address {
            self.by_ip.entry(address.ip).or_default().push(self.len);
        }
        self.push(Part::Single(slot), 1);
    }

    /// Adds the hosts of a network, of which there must be fewer than 2^32.
    pub(super) fn add_sweep(&mut self, prefix: Prefix) {
        self.sweeps.push(self.parts.len());
        let count = u32::try_from(prefix.host_count()).unwrap_or(u32::MAX);
        self.push(Part::Sweep(prefix), count);
    }

    fn push(&mut self, part: Part, count: u32) {
        self.parts.push(part);
        self.firsts.push(self.len);
        self.len += count;
    }

    /// Whether many answer to an address, each under its own: multicast, or a network's broadcast (RFC 919).
    pub(super) fn is_group(&self, ip: IpAddr) -> bool {
        ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) || self.groups.binary_search(&ip).is_ok()
    }

    /// Whether a network has any address that can be a host's here.
    pub(super) fn has_host(&self, prefix: Prefix) -> bool {
        // A group's addresses are few, or all of the network.
        prefix.hosts().take(self.groups.len() + 1).any(|ip| !self.is_group(ip))
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The network they are seen from.
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    fn part(&self, slot: SlotId) -> (usize, &Part, u32) {
        let index = self.firsts.partition_point(|first| *first <= slot) - 1;
        (index, &self.parts[index], slot - self.firsts[index])
    }

    /// The address of a slot; `None` if it has none, or it is not a host's.
    pub(super) fn address(&self, slot: SlotId) -> Option<Address> {
        match self.part(slot) {
            (_, Part::Single(slot), _) => slot.address.as_ref().ok().copied(),
            (_, Part::Sweep(prefix), offset) => {
                prefix.host(offset).filter(|ip| !self.is_group(*ip)).map(Address::from)
            }
        }
    }

    /// A slot with all there is to say of it.
    pub(super) fn slot(&self, slot: SlotId) -> Slot {
        match self.part(slot) {
            (_, Part::Single(slot), _) => slot.clone(),
            (_, Part::Sweep(prefix), offset) => {
                let ip = prefix.host(offset).unwrap_or(prefix.last());
                let address = Address::from(ip);
                Slot {
                    target: written(ip).into(),
                    address: Ok(address),
                    tier: Some(Tier::of(&address, &self.network)),
                    remark: None,
                }
            }
        }
    }

    /// Whether a slot is a host of a sweep.
    pub(super) fn is_swept(&self, slot: SlotId) -> bool {
        !self.sweeps.is_empty() && matches!(self.part(slot).1, Part::Sweep(_))
    }

    /// Whether an address is this machine's.
    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        self.network.addresses.iter().flatten().any(|own| own.ip == ip)
    }

    /// Whether an address is reached without a router, so that the kernel needs its neighbour's.
    pub(super) fn is_on_link(&self, address: &Address) -> bool {
        Tier::of(address, &self.network) == Tier::Lan
    }

    /// The slots of the single hosts that have an address.
    pub(super) fn singles(&self) -> Vec<SlotId> {
        let single = |(part, first): (&Part, &SlotId)| match part {
            Part::Single(slot) if slot.address.is_ok() => Some(*first),
            _ => None,
        };
        self.parts.iter().zip(&self.firsts).filter_map(single).collect()
    }

    /// The networks in order, each with its first slot and the one behind its last.
    pub(super) fn networks(&self) -> impl Iterator<Item = (Prefix, SlotId, SlotId)> {
        self.sweeps.iter().filter_map(|index| match &self.parts[*index] {
            Part::Sweep(prefix) => {
                let end = self.firsts.get(index + 1).copied().unwrap_or(self.len);
                Some((*prefix, self.firsts[*index], end))
            }
            Part::Single(_) => None,
        })
    }

    /// Begins to look for the slots with this address.
    pub(super) fn find(address: &Address, named: Option<SlotId>) -> Find {
        Find { address: *address, named, at: 0 }
    }
}

/// An address as it is written. A sweep of 65,536 hosts writes as many several times, and the standard library's
/// formatting, which pads and aligns, takes twenty times as long.
fn written(ip: IpAddr) -> String {
    let IpAddr::V4(ip) = ip else { return ip.to_string() };
    let mut text = String::with_capacity(15);
    for (place, octet) in ip.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let first = digits.iter().position(|digit| *digit > 0).unwrap_or(2);
        text.extend(digits[first..].iter().map(|digit| char::from(b'0' + digit)));
    }
    text
}

impl Find {
    /// The next slot with the address.
    pub(super) fn next(&mut self, hosts: &Hosts) -> Option<SlotId> {
        if let Some(slot) = self.named.take().filter(|slot| (*slot as usize) < hosts.len())
            && hosts.address(slot).is_some_and(|address| address.ip == self.address.ip)
        {
            return Some(slot);
        }
        let ip = self.address.ip;
        // A sweep alone has none, and is spared the hashing.
        let singles = Some(&hosts.by_ip).filter(|by_ip| !by_ip.is_empty()).and_then(|by_ip| by_ip.get(&ip));
        let singles = singles.map_or(&[][..], Vec::as_slice);
        while let Some(slot) = singles.get(self.at) {
            self.at += 1;
            // The same link-local address can be on several links.
            let scope = hosts.address(*slot).map_or(0, |address| address.scope_id);
            if scope == 0 || self.address.scope_id == 0 || scope == self.address.scope_id {
                return Some(*slot);
            }
        }
        while let Some(index) = hosts.sweeps.get(self.at - singles.len()) {
            self.at += 1;
            if let Part::Sweep(prefix) = &hosts.parts[*index]
                && let Some(offset) = prefix.host_index(ip)
            {
                return Some(hosts.firsts[*index] + offset);
            }
        }
        None
    }
}

/// The addresses at which everybody in one of this machine's networks is addressed.
fn groups(own: &LinkAddress) -> impl Iterator<Item = IpAddr> {
    let prefix = Prefix::of(own.ip, own.prefix_len);
    let last = (own.ip.is_ipv4() && prefix.host_bits() > 1).then(|| prefix.last());
    [last, own.broadcast].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(ip: &str) -> Slot {
        let address: IpAddr = ip.parse().unwrap();
        Slot { target: ip.into(), address: Ok(address.into()), tier: None, remark: None }
    }

    #[test]
    fn addresses_are_written_as_everywhere() {
        for octet in 0..=255 {
            let ip = IpAddr::from([octet, 255 - octet, octet / 7, octet % 11]);
            assert_eq!(written(ip), ip.to_string());
        }
    }

    #[test]
    fn slots_of_hosts_and_networks_are_found_by_address() {
        let mut hosts = Hosts::new(Network::default());
        hosts.add(single("10.0.0.1"));
        hosts.add_sweep("10.0.0.0/29".parse().unwrap());
        hosts.add(single("10.0.0.1"));
        hosts.add_sweep("10.0.0.0/30".parse().unwrap());
        hosts.add_sweep("fd00::/126".parse().unwrap());
        assert_eq!(hosts.len(), 1 + 6 + 1 + 2 + 3);
        let all = |ip: &str| {
            let ip: IpAddr = ip.parse().unwrap();
            let mut find = Hosts::find(&ip.into(), None);
            std::iter::from_fn(|| find.next(&hosts)).collect::<Vec<_>>()
        };
        assert_eq!(all("10.0.0.1"), [0, 7, 1, 8]);
        assert_eq!(all("10.0.0.6"), [6]);
        assert!(all("10.0.0.7").is_empty(), "the broadcast address");
        assert_eq!(all("fd00::3"), [12]);
        for slot in 0..13 {
            let address = hosts.address(slot).expect("an address");
            assert!(all(&address.ip.to_string()).contains(&slot), "{slot}");
        }
        assert_eq!(hosts.singles(), [0, 7]);
        let networks: Vec<_> = hosts.networks().map(|(_, first, end)| (first, end)).collect();
        assert_eq!(networks, [(1, 7), (8, 10), (10, 13)]);
    }
}
