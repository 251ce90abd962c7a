//! Joins what the system tells about links, addresses, routes and name servers into interfaces.

use std::collections::HashMap;

use super::{Gateway, Iface, IfaceAddress, name_servers};
use crate::address::{Class, Family};
use crate::error::{Error, Result};
use crate::output::record::{Untrusted, Warning};
use crate::sys::{self, DefaultRoute, Link, LinkAddress, Network};

/// All interfaces by index, and what the reader should know about how complete they are.
pub(super) fn interfaces() -> Result<(Vec<Iface>, Vec<Warning>)> {
    let network = sys::network()
        .map_err(|source| Error::untested("cannot list this machine's interfaces").caused_by(source))?;
    let warning = network.refusal.as_ref().map(|refusal| {
        let message = format!(
            "the system refuses to list its links ({refusal}): only interfaces with an address are shown"
        );
        Warning::new("links-unavailable", message)
    });
    Ok((join(network), warning.into_iter().collect()))
}

fn join(network: Network) -> Vec<Iface> {
    let Network { mut links, addresses, default_routes, dns_servers, .. } = network;
    links.sort_by_key(|link| link.index);
    let names: HashMap<u32, Untrusted> =
        links.iter().map(|link| (link.index, Untrusted::from(link.name.as_slice()))).collect();
    let mut by_index: HashMap<u32, Vec<IfaceAddress>> = HashMap::new();
    for address in addresses.unwrap_or_default() {
        by_index.entry(address.index).or_default().push(address.into());
    }
    let routes = default_routes.as_deref();
    let best: Vec<u32> =
        [Family::Ipv4, Family::Ipv6].iter().filter_map(|family| best(routes?, *family)).collect();
    let mut interfaces: Vec<Iface> = links
        .into_iter()
        .map(|link| {
            let addresses = by_index.remove(&link.index).unwrap_or_default();
            let gateways = routes.map(|routes| gateways(routes, link.index));
            let master = link.master.and_then(|master| names.get(&master).cloned());
            let is_default_route = routes.map(|_| best.contains(&link.index));
            Iface { master, is_default_route, addresses, gateways, ..Iface::from(link) }
        })
        .collect();
    name_servers::assign(&mut interfaces, dns_servers);
    interfaces
}

/// The interface of a family's best default route: the lowest metric, of equals the kernel's first.
fn best(routes: &[DefaultRoute], family: Family) -> Option<u32> {
    let of_family = routes.iter().filter(|route| route.family == family);
    of_family.min_by_key(|route| route.metric.unwrap_or(0)).map(|route| route.index)
}

fn gateways(routes: &[DefaultRoute], index: u32) -> Vec<Gateway> {
    let here = routes.iter().filter(|route| route.index == index);
    here.map(|route| Gateway { family: route.family, address: route.gateway, metric: route.metric }).collect()
}

impl From<Link> for Iface {
    fn from(link: Link) -> Self {
        Self {
            index: link.index,
            name: link.name.into(),
            alias: link.alias.map(Untrusted::from),
            kind: link.kind,
            state: link.state,
            carrier: link.carrier,
            flags: link.flags,
            mtu: link.mtu,
            mac: link.mac.as_deref().and_then(hardware_address),
            master: None,
            is_default_route: None,
            addresses: Vec::new(),
            gateways: None,
            dns_servers: Vec::new(),
            counters: link.counters,
            is_up: link.is_up,
        }
    }
}

impl From<LinkAddress> for IfaceAddress {
    fn from(address: LinkAddress) -> Self {
        Self {
            family: Family::of(address.ip),
            address: address.ip,
            prefix_len: address.prefix_len,
            class: Class::of(address.ip),
            scope: address.scope,
            flags: address.flags,
            broadcast: address.broadcast,
            peer: address.peer,
            valid_s: address.valid_s,
            preferred_s: address.preferred_s,
        }
    }
}

/// A hardware address as people write it; a tunnel's is the IPv4 or IPv6 address it ends at.
fn hardware_address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        0 => None,
        4 => <[u8; 4]>::try_from(bytes).ok().map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|ip| std::net::Ipv6Addr::from(ip).to_string()),
        _ => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(index: u32, family: Family, metric: Option<u32>) -> DefaultRoute {
        DefaultRoute { index, family, gateway: None, metric }
    }

    #[test]
    fn the_lowest_metric_wins_and_none_counts_as_zero() {
        let routes = [
            route(2, Family::Ipv4, Some(100)),
            route(3, Family::Ipv4, None),
            route(4, Family::Ipv4, Some(0)),
            route(2, Family::Ipv6, Some(1024)),
        ];
        assert_eq!(best(&routes, Family::Ipv4), Some(3));
        assert_eq!(best(&routes, Family::Ipv6), Some(2));
        assert_eq!(best(&[], Family::Ipv4), None);
    }

    #[test]
    fn hardware_addresses_by_their_length() {
        assert_eq!(hardware_address(&[2, 0, 0, 0, 0, 0xab]).as_deref(), Some("02:00:00:00:00:ab"));
        assert_eq!(hardware_address(&[10, 0, 0, 1]).as_deref(), Some("10.0.0.1"));
        assert_eq!(hardware_address(&[]), None);
    }
}
