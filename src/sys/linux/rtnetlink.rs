//! What rtnetlink tells (`rtnetlink(7)`): links, addresses, default routes and neighbours.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::super::{Counters, DefaultRoute, Link, LinkAddress, Network};
use super::netlink::{Attributes, Netlink, u16_at, u32_at, u64_at};
use crate::address::Family;

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const RTM_GETNEIGH: u16 = 30;

pub(in crate::sys) fn network() -> io::Result<Network> {
    let netlink = Netlink::route()?;
    let parsed = netlink.dump(RTM_GETLINK, &[0; 16])?;
    let (mut links, lowers): (Vec<Link>, Vec<Option<u32>>) =
        parsed.iter().filter_map(|bytes| link(bytes)).unzip();
    mark_lower_down(&mut links, &lowers);
    name_wireless(&mut links);
    let addresses = netlink.dump(RTM_GETADDR, &[0; 8])?.iter().filter_map(|bytes| address(bytes)).collect();
    let default_routes =
        netlink.dump(RTM_GETROUTE, &[0; 12])?.iter().flat_map(|bytes| default_routes(bytes)).collect();
    Ok(Network {
        links,
        addresses: Some(addresses),
        default_routes: Some(default_routes),
        ..Network::default()
    })
}

pub(in crate::sys) fn neighbours() -> io::Result<Vec<(u32, IpAddr)>> {
    let messages = Netlink::route()?.dump(RTM_GETNEIGH, &[0; 12])?;
    Ok(messages.iter().filter_map(|bytes| neighbour(bytes)).collect())
}

/// The neighbours that the kernel has asked for and not found: NUD_INCOMPLETE, NUD_FAILED.
pub(in crate::sys) fn lost_neighbours() -> io::Result<HashSet<IpAddr>> {
    const LOST: u16 = 0x01 | 0x20;
    let messages = Netlink::route()?.dump(RTM_GETNEIGH, &[0; 12])?;
    let lost = |bytes: &Vec<u8>| {
        let state = u16_at(bytes, 8)?;
        let (_, destination) = Attributes(bytes.get(12..)?).find(|(attribute, _)| *attribute == 1)?;
        if state & LOST == 0 { None } else { ip(destination) }
    };
    Ok(messages.iter().filter_map(lost).collect())
}

/// The IPv6 neighbours the kernel has an entry for, in whatever state: `struct ndmsg` with its NDA_DST.
pub fn ipv6_neighbour_entries() -> io::Result<HashSet<IpAddr>> {
    const NDA_DST: u16 = 1;
    let mut fixed = [0; 12];
    fixed[0] = u8::try_from(libc::AF_INET6).unwrap_or_default();
    let messages = Netlink::route()?.dump(RTM_GETNEIGH, &fixed)?;
    let address = |bytes: &Vec<u8>| {
        let (_, payload) = Attributes(bytes.get(12..)?).find(|(attribute, _)| *attribute == NDA_DST)?;
        Some(IpAddr::from(<[u8; 16]>::try_from(payload).ok()?))
    };
    Ok(messages.iter().filter_map(address).collect())
}

/// Marks the links whose lower link, a veth's other end say, is in this namespace and down, as `ip link` does.
fn mark_lower_down(links: &mut [Link], lowers: &[Option<u32>]) {
    let down: HashSet<u32> = links.iter().filter(|link| !link.is_up).map(|link| link.index).collect();
    for (link, _) in
        links.iter_mut().zip(lowers).filter(|(_, lower)| lower.is_some_and(|lower| down.contains(&lower)))
    {
        link.flags.push("M-DOWN");
    }
}

/// Parses `struct ifinfomsg` and its `IFLA_` attributes (`linux/if_link.h`) into a link and the index of the
/// one it runs on, where that is in this namespace.
fn link(bytes: &[u8]) -> Option<(Link, Option<u32>)> {
    let (hardware_type, index, flags) = (u16_at(bytes, 2)?, u32_at(bytes, 4)?, u32_at(bytes, 8)?);
    let mut link = Link {
        index,
        flags: link_flags(flags),
        is_up: flags & IFF_UP != 0,
        is_loopback: flags & IFF_LOOPBACK != 0,
        mac: Some(Vec::new()),
        ..Link::default()
    };
    let (mut info_kind, mut lower, mut is_elsewhere) = (None, None, false);
    for (attribute, payload) in Attributes(bytes.get(16..)?) {
        match attribute {
            1 => link.mac = Some(payload.to_vec()),
            3 => link.name = until_nul(payload).to_vec(),
            4 => link.mtu = u32_at(payload, 0),
            5 => lower = u32_at(payload, 0),
            37 => is_elsewhere = true,
            10 => link.master = u32_at(payload, 0),
            16 => link.state = payload.first().map(|state| operational_state(*state)),
            18 => {
                info_kind = Attributes(payload).find(|(kind, _)| *kind == 1).map(|(_, name)| until_nul(name));
            }
            20 => link.alias = Some(until_nul(payload).to_vec()),
            23 => link.counters = counters(payload),
            33 => link.carrier = payload.first().map(|carrier| *carrier != 0),
            _ => {}
        }
    }
    // The kernel gives a carrier for an interface that is down too, but nobody looks at the line then.
    link.carrier = link.carrier.filter(|_| link.is_up);
    link.kind = info_kind
        .map(|kind| String::from_utf8_lossy(kind).into_owned())
        .or_else(|| by_hardware(hardware_type));
    Some((link, lower.filter(|lower| !is_elsewhere && *lower != 0)))
}

/// What an interface without a link kind is, by its ARPHRD type (`linux/if_arp.h`).
fn by_hardware(hardware_type: u16) -> Option<String> {
    let name = match hardware_type {
        1 => "ethernet",
        32 => "infiniband",
        512 => "ppp",
        768 => "ipip",
        772 => "loopback",
        776 => "sit",
        801..=803 => "wifi",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Tells wireless interfaces from wired ones, which netlink's link messages do not.
///
/// `/sys/class/net` is of the namespace it was mounted in and so may speak of another interface of that name:
/// it is believed only if it knows the same index and hardware address.
fn name_wireless(links: &mut [Link]) {
    for link in links.iter_mut().filter(|link| link.kind.as_deref() == Some("ethernet")) {
        let folder = Path::new("/sys/class/net").join(OsStr::from_bytes(&link.name));
        let Ok(uevent) = fs::read_to_string(folder.join("uevent")) else { continue };
        let is_wireless = uevent.lines().any(|line| line == "DEVTYPE=wlan");
        let same_index = uevent.lines().any(|line| line == format!("IFINDEX={}", link.index));
        if is_wireless && same_index && has_address(&folder, link.mac.as_deref().unwrap_or_default()) {
            link.kind = Some("wifi".to_owned());
        }
    }
}

fn has_address(folder: &Path, mac: &[u8]) -> bool {
    let known = fs::read_to_string(folder.join("address")).unwrap_or_default();
    let bytes = known.trim().split(':').map(|byte| u8::from_str_radix(byte, 16));
    bytes.eq(mac.iter().map(|byte| Ok(*byte)))
}

const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_RUNNING: u32 = 0x40;

/// The flags as `ip link` names and orders them, NO-CARRIER first where an interface that is up has none.
fn link_flags(flags: u32) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 18] = [
        (IFF_LOOPBACK, "LOOPBACK"),
        (0x2, "BROADCAST"),
        (0x10, "POINTOPOINT"),
        (0x1000, "MULTICAST"),
        (0x80, "NOARP"),
        (0x200, "ALLMULTI"),
        (0x100, "PROMISC"),
        (0x400, "MASTER"),
        (0x800, "SLAVE"),
        (0x4, "DEBUG"),
        (0x8000, "DYNAMIC"),
        (0x4000, "AUTOMEDIA"),
        (0x2000, "PORTSEL"),
        (0x20, "NOTRAILERS"),
        (IFF_UP, "UP"),
        (0x1_0000, "LOWER_UP"),
        (0x2_0000, "DORMANT"),
        (0x4_0000, "ECHO"),
    ];
    let no_carrier = (flags & IFF_UP != 0 && flags & IFF_RUNNING == 0).then_some("NO-CARRIER");
    no_carrier
        .into_iter()
        .chain(NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name))
        .collect()
}

/// `IF_OPER_` of `linux/if.h`, which is RFC 2863's ifOperStatus in another order.
fn operational_state(state: u8) -> &'static str {
    match state {
        1 => "not-present",
        2 => "down",
        3 => "lower-layer-down",
        4 => "testing",
        5 => "dormant",
        6 => "up",
        _ => "unknown",
    }
}

/// Parses the front of `struct rtnl_link_stats64`.
fn counters(payload: &[u8]) -> Option<Counters> {
    let at = |index: usize| u64_at(payload, 8 * index);
    Some(Counters {
        rx_packets: at(0)?,
        tx_packets: at(1)?,
        rx_bytes: at(2)?,
        tx_bytes: at(3)?,
        rx_errors: at(4)?,
        tx_errors: at(5)?,
        rx_dropped: at(6)?,
        tx_dropped: at(7),
    })
}

/// Parses `struct ifaddrmsg` and its `IFA_` attributes (`linux/if_addr.h`).
fn address(bytes: &[u8]) -> Option<LinkAddress> {
    let (family, prefix_len, scope, index) =
        (*bytes.first()?, *bytes.get(1)?, *bytes.get(3)?, u32_at(bytes, 4)?);
    let mut flags = u32::from(*bytes.get(2)?);
    let (mut address, mut local, mut broadcast, mut lifetimes) = (None, None, None, None);
    for (attribute, payload) in Attributes(bytes.get(8..)?) {
        match attribute {
            1 => address = ip(payload),
            2 => local = ip(payload),
            4 => broadcast = ip(payload),
            6 => lifetimes = u32_at(payload, 0).zip(u32_at(payload, 4)),
            // All 32 bits; the header has only room for the first eight.
            8 => flags = u32_at(payload, 0)?,
            _ => {}
        }
    }
    // IFA_ADDRESS is the other end where there is one; IFA_LOCAL is always ours, but IPv6 gives it only then.
    let ip = local.or(address)?;
    let until = |seconds: u32| (seconds != u32::MAX).then_some(seconds);
    Some(LinkAddress {
        index,
        ip,
        prefix_len,
        peer: address.filter(|peer| *peer != ip),
        broadcast,
        scope: Some(scope_name(scope)),
        flags: address_flags(flags, family),
        preferred_s: lifetimes.and_then(|(preferred, _)| until(preferred)),
        valid_s: lifetimes.and_then(|(_, valid)| until(valid)),
    })
}

fn scope_name(scope: u8) -> String {
    match scope {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    }
}

/// `IFA_F_` of `linux/if_addr.h` by the names `ip address` prints; one bit has a name for each family.
fn address_flags(flags: u32, family: u8) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 11] = [
        (0x02, "nodad"),
        (0x04, "optimistic"),
        (0x08, "dadfailed"),
        (0x10, "home"),
        (0x20, "deprecated"),
        (0x40, "tentative"),
        (0x80, "permanent"),
        (0x100, "mngtmpaddr"),
        (0x200, "noprefixroute"),
        (0x400, "autojoin"),
        (0x800, "stable-privacy"),
    ];
    let is_v6 = i32::from(family) == libc::AF_INET6;
    let first = (flags & 0x01 != 0).then_some(if is_v6 { "temporary" } else { "secondary" });
    let dynamic = (flags & 0x80 == 0).then_some("dynamic");
    let rest = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    first.into_iter().chain(rest).chain(dynamic).collect()
}

/// Parses `struct rtmsg` and its `RTA_` attributes (`linux/rtnetlink.h`) into the default routes it holds:
/// none if it leads elsewhere or is not in the main table, several if it has several next hops.
fn default_routes(bytes: &[u8]) -> Vec<DefaultRoute> {
    const RT_TABLE_MAIN: u32 = 254;
    const RTN_UNICAST: u8 = 1;
    let parse = || {
        let (family, destination_len, source_len) = (*bytes.first()?, *bytes.get(1)?, *bytes.get(2)?);
        let family = match i32::from(family) {
            libc::AF_INET => Family::Ipv4,
            libc::AF_INET6 => Family::Ipv6,
            _ => return None,
        };
        let (mut table, route_type) = (u32::from(*bytes.get(4)?), *bytes.get(7)?);
        let (mut index, mut gateway, mut metric, mut hops) = (None, None, None, None);
        for (attribute, payload) in Attributes(bytes.get(12..)?) {
            match attribute {
                4 => index = u32_at(payload, 0),
                5 => gateway = ip(payload),
                6 => metric = u32_at(payload, 0),
                9 => hops = Some(next_hops(payload)),
                15 => table = u32_at(payload, 0)?,
                18 => gateway = ip(payload.get(2..)?),
                _ => {}
            }
        }
        if (destination_len, source_len, table, route_type) != (0, 0, RT_TABLE_MAIN, RTN_UNICAST) {
            return None;
        }
        let hops = hops.unwrap_or_else(|| index.map(|index| (index, gateway)).into_iter().collect());
        Some(
            hops.into_iter()
                .map(|(index, gateway)| DefaultRoute { index, family, gateway, metric })
                .collect(),
        )
    };
    parse().unwrap_or_default()
}

/// Parses the `struct rtnexthop`s of an RTA_MULTIPATH.
fn next_hops(mut bytes: &[u8]) -> Vec<(u32, Option<IpAddr>)> {
    let mut hops = Vec::new();
    while let (Some(length), Some(index)) = (u16_at(bytes, 0), u32_at(bytes, 4)) {
        let length = usize::from(length);
        let Some(attributes) = bytes.get(8..length) else { break };
        let gateway = Attributes(attributes).find_map(|(attribute, payload)| match attribute {
            5 => ip(payload),
            18 => ip(payload.get(2..)?),
            _ => None,
        });
        hops.push((index, gateway));
        bytes = bytes.get((length + 3) & !3..).unwrap_or_default();
    }
    hops
}

/// Parses `struct ndmsg`: a neighbour whose hardware address is known and not set by hand.
fn neighbour(bytes: &[u8]) -> Option<(u32, IpAddr)> {
    /// NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE.
    const SPOKEN_TO: u16 = 0x02 | 0x04 | 0x08 | 0x10;
    let (index, state) = (u32_at(bytes, 4)?, u16_at(bytes, 8)?);
    let (_, destination) = Attributes(bytes.get(12..)?).find(|(attribute, _)| *attribute == 1)?;
    if state & SPOKEN_TO == 0 { None } else { Some((index, ip(destination)?)) }
}

fn ip(payload: &[u8]) -> Option<IpAddr> {
    match payload.len() {
        4 => <[u8; 4]>::try_from(payload).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(payload).ok().map(IpAddr::from),
        _ => None,
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + payload.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn route(table: u8, destination_len: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let fixed = [2, destination_len, 0, 0, table, 3, 0, 1, 0, 0, 0, 0];
        [&fixed[..], &attributes.concat()].concat()
    }

    #[test]
    fn only_main_tables_default_routes_count() {
        let by = [attribute(4, &3_u32.to_ne_bytes()), attribute(5, &[10, 0, 0, 1])];
        let expected = DefaultRoute {
            index: 3,
            family: Family::Ipv4,
            gateway: Some([10, 0, 0, 1].into()),
            metric: None,
        };
        assert_eq!(default_routes(&route(254, 0, &by)), [expected]);
        assert_eq!(default_routes(&route(254, 8, &by)), []);
        assert_eq!(default_routes(&route(255, 0, &by)), []);
    }

    #[test]
    fn every_next_hop_of_a_multipath_route_counts() {
        let hop = |index: u32, gateway: [u8; 4]| {
            let gateway = attribute(5, &gateway);
            let length = u16::try_from(8 + gateway.len()).unwrap();
            [&length.to_ne_bytes()[..], &[0, 0], &index.to_ne_bytes(), &gateway].concat()
        };
        let hops = [hop(3, [10, 0, 0, 1]), hop(4, [10, 1, 0, 1])].concat();
        let routes =
            default_routes(&route(254, 0, &[attribute(9, &hops), attribute(6, &100_u32.to_ne_bytes())]));
        let found: Vec<(u32, Option<u32>)> = routes.iter().map(|route| (route.index, route.metric)).collect();
        assert_eq!(found, [(3, Some(100)), (4, Some(100))]);
    }

    #[test]
    fn nothing_panics_on_messages_cut_short() {
        let whole = route(
            254,
            0,
            &[attribute(9, &[12, 0, 0, 0, 1, 0, 0, 0, 8, 0, 5, 0]), attribute(4, &[1, 0, 0, 0])],
        );
        for cut in 0..=whole.len() {
            let bytes = &whole[..cut];
            let _ = (link(bytes), address(bytes), default_routes(bytes), neighbour(bytes), next_hops(bytes));
        }
    }

    #[test]
    fn flags_read_as_ip_prints_them() {
        assert_eq!(link_flags(0x1_0049), ["LOOPBACK", "UP", "LOWER_UP"]);
        assert_eq!(link_flags(0x1003), ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"]);
        assert_eq!(address_flags(0x80, 2), ["permanent"]);
        assert_eq!(address_flags(0x01, 10), ["temporary", "dynamic"]);
    }
}
