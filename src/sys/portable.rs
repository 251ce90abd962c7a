//! The portable way to addresses, through if-addrs: the base where no better one is written, and the
//! fallback where the better one is refused.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use if_addrs::{IfAddr, IfOperStatus, Interface};

use super::{Link, LinkAddress, Network};

/// Fills in the addresses where the system did not list them, and links for the interfaces they are on.
pub(super) fn complete(network: &mut Network) -> io::Result<()> {
    if network.addresses.is_none() {
        add(network, if_addrs::get_if_addrs()?);
    }
    let details = std::mem::take(&mut network.address_details);
    for address in network.addresses.iter_mut().flatten() {
        let is_it = |detail: &&LinkAddress| (detail.index, detail.ip) == (address.index, address.ip);
        if let Some(detail) = details.iter().find(is_it) {
            let detail = detail.clone();
            *address = LinkAddress { broadcast: address.broadcast, prefix_len: address.prefix_len, ..detail };
        }
    }
    Ok(())
}

fn add(network: &mut Network, found: Vec<Interface>) {
    let mut unlisted: BTreeMap<u32, Link> = BTreeMap::new();
    let mut addresses = Vec::new();
    for interface in found {
        // An IPv4 label (`eth0:vip`) comes in the name's place; what stands before the colon is the name.
        let name = interface.name.split(':').next().unwrap_or_default().to_owned();
        let by_name =
            || network.links.iter().find(|link| link.name == name.as_bytes()).map(|link| link.index);
        let index = interface.index.or_else(by_name).or_else(|| super::interface_index(&name));
        let Some(index) = index else { continue };
        if !network.links.iter().any(|link| link.index == index) {
            unlisted.entry(index).or_insert_with(|| link(index, &name, &interface));
        }
        addresses.push(address(index, &interface));
    }
    network.links.extend(unlisted.into_values());
    network.addresses = Some(addresses);
}

fn link(index: u32, name: &str, interface: &Interface) -> Link {
    let is_loopback = interface.is_loopback();
    Link {
        index,
        name: name.as_bytes().to_vec(),
        kind: is_loopback.then_some("loopback".into()),
        // On Unix this is only IFF_RUNNING: its absence says nothing.
        state: Some(if interface.oper_status == IfOperStatus::Up { "up" } else { "unknown" }),
        is_up: interface.is_oper_up(),
        is_loopback,
        ..Link::default()
    }
}

fn address(index: u32, interface: &Interface) -> LinkAddress {
    let (ip, prefix_len, broadcast) = match &interface.addr {
        // Where no broadcast address is set, the address itself comes in its place.
        IfAddr::V4(v4) => {
            let broadcast = v4.broadcast.filter(|broadcast| *broadcast != v4.ip && !interface.is_p2p);
            (IpAddr::V4(v4.ip), v4.prefixlen, broadcast.map(IpAddr::V4))
        }
        IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen, None),
    };
    LinkAddress { broadcast, ..LinkAddress::new(index, ip, prefix_len) }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// What if-addrs finds on this machine, the system's own listing must have too.
    #[test]
    fn agrees_with_the_systems_own_listing() {
        let own = crate::sys::network(super::super::Depth::Summary).expect("netlink answers");
        let listed: Vec<(u32, IpAddr, u8)> =
            own.addresses.iter().flatten().map(|it| (it.index, it.ip, it.prefix_len)).collect();
        let mut network = Network::default();
        complete(&mut network).expect("if-addrs lists");
        let found = network.addresses.unwrap_or_default();
        for address in &found {
            let key = (address.index, address.ip, address.prefix_len);
            assert!(listed.contains(&key), "{key:?} is not in {listed:?}");
        }
        assert_eq!(found.len(), listed.len());
    }
}
