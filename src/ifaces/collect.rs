//! Joins what the system tells about links, addresses, routes and name servers into interfaces.

use std::collections::HashSet;

use super::{Gateway, Iface, IfaceAddress, Wireless, name_servers};
use crate::address::{Class, Family, HardwareAddress};
use crate::error::{Error, Result};
use crate::output::record::{Untrusted, Warning};
use crate::sys::{self, DefaultRoute, Depth, Link, LinkAddress, Network, Tells};

/// All interfaces by index, with what belongs to none of them.
pub(super) struct Collected {
    pub(super) interfaces: Vec<Iface>,
    /// What the reader should know about how complete they are.
    pub(super) warnings: Vec<Warning>,
    /// Every default route, in the system's order.
    pub(super) default_routes: Option<Vec<DefaultRoute>>,
    /// The indices of the interfaces that routes leave by, but for link-local ones.
    pub(super) ways: HashSet<u32>,
}

/// Asks the system.
pub(super) fn collect(depth: Depth) -> Result<Collected> {
    let mut network = sys::network(depth)
        .map_err(|source| Error::untested("cannot list this machine's interfaces").caused_by(source))?;
    let warning = network.refusal.as_ref().map(|refusal| {
        let message = format!("the system refuses to list its links ({refusal}): many details are missing");
        Warning::new("links-unavailable", message)
    });
    let ways = std::mem::take(&mut network.ways);
    let (interfaces, default_routes) = join(network);
    Ok(Collected { interfaces, warnings: warning.into_iter().collect(), default_routes, ways })
}

fn join(network: Network) -> (Vec<Iface>, Option<Vec<DefaultRoute>>) {
    let Network { mut links, addresses, default_routes, dns_servers, namespaces, tells, .. } = network;
    links.sort_unstable_by_key(|link| link.index);
    let masters: Vec<Option<u32>> = links.iter().map(|link| link.master).collect();
    // The sort is stable, so an interface's addresses stay in the system's order.
    let mut addresses = addresses.unwrap_or_default();
    addresses.sort_by_key(|address| address.index);
    let mut addresses = addresses.into_iter();
    let routes = default_routes.as_deref();
    let best = [Family::Ipv4, Family::Ipv6].map(|family| {
        let best = sys::best_routes(routes.unwrap_or_default(), family);
        (family, best.iter().map(|route| route.index).collect::<Vec<_>>())
    });
    let mut interfaces: Vec<Iface> = links
        .into_iter()
        .map(|link| {
            let index = link.index;
            // Those of an interface that came or went between two answers have no link.
            let strangers = addresses.as_slice().partition_point(|address| address.index < index);
            addresses.by_ref().take(strangers).for_each(drop);
            let own = addresses.as_slice().partition_point(|address| address.index == index);
            let own = addresses.by_ref().take(own).map(IfaceAddress::new).collect();
            let is_best = |best: &&(Family, Vec<u32>)| best.1.contains(&index);
            let default_families: Vec<Family> =
                best.iter().filter(is_best).map(|(family, _)| *family).collect();
            let namespace = link.other.and_then(|other| other.namespace);
            let known_as = |id: i32| namespaces.iter().find(|(known, _)| *known == id);
            Iface {
                link_netns: namespace.and_then(known_as).map(|(_, name)| Untrusted::from(name.as_slice())),
                is_default_route: routes.map(|_| !default_families.is_empty()),
                default_families,
                addresses: own,
                gateways: routes.map(|routes| gateways(routes, index)),
                ..Iface::new(link, tells)
            }
        })
        .collect();
    for (place, master) in masters.into_iter().enumerate() {
        let name = |index: u32| {
            let found = interfaces.binary_search_by_key(&index, |iface| iface.index).ok()?;
            Some(interfaces[found].name.clone())
        };
        let own = &interfaces[place];
        let link = own.link_index.filter(|_| own.link_netnsid.is_none()).and_then(name);
        let master = master.and_then(name);
        (interfaces[place].link, interfaces[place].master) = (link, master);
    }
    name_servers::assign(&mut interfaces, dns_servers);
    (interfaces, default_routes)
}

fn gateways(routes: &[DefaultRoute], index: u32) -> Vec<Gateway> {
    let here = routes.iter().filter(|route| route.index == index && route.refusal.is_none());
    let gateway = |route: &DefaultRoute| Gateway {
        family: route.family,
        address: route.gateway,
        metric: route.metric,
        protocol: route.protocol.clone(),
        source: route.source,
        from: route.from.map(|(ip, length)| format!("{ip}/{length}")),
        preference: route.preference,
        is_dead: route.is_dead,
        expires_s: route.expires_s,
    };
    here.map(gateway).collect()
}

impl Iface {
    pub(super) fn new(link: Link, tells: Tells) -> Self {
        let wireless = |wireless: Box<sys::Wireless>| Wireless {
            ssid: wireless.ssid.map(Untrusted::from),
            frequency_mhz: wireless.frequency_mhz,
            access_point: wireless.access_point,
            signal_dbm: wireless.signal_dbm,
        };
        Self {
            index: link.index,
            name: link.name.into(),
            alt_names: tells.relations.then(|| link.alt_names.into_iter().map(Untrusted::from).collect()),
            alias: link.alias.map(Untrusted::from),
            kind: link.kind,
            mode: link.mode,
            kind_id: link.id,
            state: link.state,
            carrier: link.carrier,
            carrier_changes: link.carrier_changes,
            flags: link.flags,
            mtu: link.mtu,
            min_mtu: link.mtu_bounds.0,
            max_mtu: link.mtu_bounds.1,
            mac: link.mac.and_then(HardwareAddress::some),
            permanent_mac: link.permanent_mac,
            master: None,
            link: None,
            link_index: link.other.map(|other| other.index),
            link_netnsid: link.other.and_then(|other| other.namespace),
            link_netns: None,
            qdisc: link.qdisc.map(Untrusted::from),
            tx_queue_len: link.tx_queue_len,
            speed_mbit: link.speed_mbit,
            duplex: link.duplex,
            driver: link.driver.map(Untrusted::from),
            bus: link.bus.map(Untrusted::from),
            wireless: link.wireless.map(wireless).map(Box::new),
            is_default_route: None,
            addresses: Vec::new(),
            gateways: None,
            dns_servers: Vec::new(),
            counters: link.counters,
            rates: None,
            default_families: Vec::new(),
            is_up: link.is_up,
            tells,
        }
    }

    /// Whether it is the loopback.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_kind("loopback")
    }

    /// Whether it is of this kind.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }
}

impl IfaceAddress {
    fn new(address: LinkAddress) -> Self {
        Self {
            family: Family::of(address.ip),
            address: address.ip,
            prefix_len: address.prefix_len,
            class: Class::of(address.ip),
            scope: address.scope,
            flags: address.flags,
            label: address.label.map(Untrusted::from),
            broadcast: address.broadcast,
            peer: address.peer,
            metric: address.metric,
            valid_s: address.valid_s,
            preferred_s: address.preferred_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_find_their_interface_and_strangers_are_left_out() {
        let link = |index: u32| Link { index, name: vec![b'a'], ..Link::default() };
        let address = |index: u32, last: u8| LinkAddress::new(index, [10, 0, 0, last].into(), 24);
        let addresses = vec![address(9, 1), address(5, 2), address(3, 3), address(9, 4), address(2, 5)];
        let network = Network {
            links: vec![link(9), link(3), link(7)],
            addresses: Some(addresses),
            ..Network::default()
        };
        let (found, _) = join(network);
        let last = |iface: &Iface| -> Vec<String> {
            iface.addresses.iter().map(|it| it.address.to_string()).collect()
        };
        assert_eq!(found.iter().map(|iface| iface.index).collect::<Vec<_>>(), [3, 7, 9]);
        assert_eq!(last(&found[0]), ["10.0.0.3"]);
        assert!(last(&found[1]).is_empty());
        assert_eq!(last(&found[2]), ["10.0.0.1", "10.0.0.4"]);
    }
}
