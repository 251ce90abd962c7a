//! Default routes: `struct rtmsg` and its `RTA_` attributes (`linux/rtnetlink.h`).

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use super::super::netlink::{Attributes, Netlink, u16_at, u32_at};
use super::ip;
use crate::address::Family;
use crate::sys::DefaultRoute;

const RTM_GETROUTE: u16 = 26;
const RTM_GETNEXTHOP: u16 = 106;
const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;
/// RTNH_F_DEAD: not used now, as its link is down; a link without carrier alone is no reason, unless
/// `ignore_routes_with_linkdown` says so, and then the kernel sets this too.
const DEAD: u8 = 0x01;

/// What the main table holds.
pub(super) struct Routes {
    /// The default routes, IPv4's first, each in the kernel's order.
    pub(super) defaults: Vec<DefaultRoute>,
    /// The indices of the interfaces that any route leaves by, but for link-local ones.
    pub(super) ways: HashSet<u32>,
}

/// Reads the main table.
pub(super) fn routes(netlink: &mut Netlink) -> io::Result<Routes> {
    let mut found = Vec::new();
    let mut ways = HashSet::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut fixed = [0; 12];
        fixed[0] = u8::try_from(family).expect("families are small numbers");
        fixed[4] = RT_TABLE_MAIN;
        let dumped = netlink.dump(RTM_GETROUTE, &fixed, |bytes| {
            ways.extend(way(bytes, fixed[0]));
            parse(bytes, fixed[0])
        });
        match dumped {
            Ok(mut routes) => found.append(&mut routes),
            // A table that nothing was ever put into, or a family that this kernel lacks.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ENOENT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP)
                ) => {}
            Err(error) => return Err(error),
        }
    }
    if found.iter().any(|(_, nexthop)| nexthop.is_some()) {
        found = resolved(netlink, found)?;
    }
    Ok(Routes { defaults: found.into_iter().map(|(route, _)| route).collect(), ways })
}

/// The interface that a route of the main table leaves by, if it is no link-local one.
fn way(bytes: &[u8], wanted: u8) -> Option<u32> {
    if *bytes.first()? != wanted || *bytes.get(4)? != RT_TABLE_MAIN || *bytes.get(7)? != RTN_UNICAST {
        return None;
    }
    let mut index = None;
    for (attribute, payload) in Attributes(bytes.get(12..)?) {
        match attribute {
            1 if payload.first() == Some(&0xfe) && payload.len() == 16 => return None,
            4 => index = u32_at(payload, 0),
            _ => {}
        }
    }
    index
}

/// A route with the number of the next-hop object it leaves by, where it does not say itself.
type Found = (DefaultRoute, Option<u32>);

/// Whether there is a way to the rest of the world that is not in the main table, by policy: what the kernel would
/// choose for an address of everybody's. It is only asked, nothing is sent.
pub(super) fn is_routed_by_policy(netlink: &mut Netlink, family: Family) -> bool {
    // The addresses of a.root-servers.net; any that nobody has in his own network would do.
    let (family, address): (i32, Vec<u8>) = match family {
        Family::Ipv4 => (libc::AF_INET, vec![198, 41, 0, 4]),
        Family::Ipv6 => (
            libc::AF_INET6,
            std::net::Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30).octets().to_vec(),
        ),
    };
    let mut body = vec![0; 12];
    body[0] = u8::try_from(family).expect("families are small numbers");
    body[1] = u8::try_from(address.len() * 8).expect("128 at most");
    body.extend(u16::try_from(4 + address.len()).expect("20 at most").to_ne_bytes());
    // RTA_DST.
    body.extend(1_u16.to_ne_bytes());
    body.extend(address);
    let answer = netlink.one(RTM_GETROUTE, &body);
    answer.ok().flatten().is_some_and(|route| route.get(7) == Some(&RTN_UNICAST))
}

/// Parses a route into the default routes it holds: none if it leads elsewhere or is not in the main table, several
/// if it has several next hops. Never panics, whatever the bytes.
pub(super) fn parse(bytes: &[u8], wanted: u8) -> Vec<Found> {
    let one = || {
        let (family, destination_len, source_len, tos) =
            (*bytes.first()?, *bytes.get(1)?, *bytes.get(2)?, *bytes.get(3)?);
        if family != wanted || destination_len != 0 {
            return None;
        }
        let family = match i32::from(family) {
            libc::AF_INET => Family::Ipv4,
            libc::AF_INET6 => Family::Ipv6,
            _ => return None,
        };
        let (mut table, protocol, route_type) = (u32::from(*bytes.get(4)?), *bytes.get(5)?, *bytes.get(7)?);
        let flags = *bytes.get(8)?;
        let mut route = DefaultRoute::new(0, family, None, None);
        let (mut index, mut hops, mut nexthop) = (None, None, None);
        for (attribute, payload) in Attributes(bytes.get(12..)?) {
            match attribute {
                2 => route.from = ip(payload).map(|ip| (ip, source_len)),
                4 => index = u32_at(payload, 0),
                5 => route.gateway = ip(payload),
                6 => route.metric = u32_at(payload, 0),
                7 => route.source = ip(payload),
                9 => hops = Some(next_hops(payload)),
                12 => route.expires_s = expiry(payload),
                15 => table = u32_at(payload, 0)?,
                // RTA_VIA: a gateway of the other family.
                18 => route.gateway = ip(payload.get(2..)?),
                20 => route.preference = payload.first().and_then(|preference| preference_name(*preference)),
                30 => nexthop = u32_at(payload, 0),
                _ => {}
            }
        }
        route.refusal = match route_type {
            RTN_UNICAST => None,
            6 => Some("blackhole"),
            7 => Some("unreachable"),
            8 => Some("prohibit"),
            _ => return None,
        };
        if table != u32::from(RT_TABLE_MAIN) {
            return None;
        }
        route.protocol = Some(protocol_name(protocol));
        route.is_special = tos != 0 || source_len != 0;
        route.is_dead = flags & DEAD != 0;
        if route.refusal.is_some() {
            // IPv6 has the loopback as its way.
            return Some(vec![(route, None)]);
        }
        Some(match (hops, index) {
            (Some(hops), _) => hops
                .into_iter()
                .map(|hop| {
                    let Hop { index, gateway, is_dead } = hop;
                    (DefaultRoute { index, gateway, is_dead, is_shared: true, ..route.clone() }, None)
                })
                .collect(),
            (None, Some(index)) => vec![(DefaultRoute { index, ..route }, None)],
            (None, None) => nexthop.map(|id| (route, Some(id))).into_iter().collect(),
        })
    };
    one().unwrap_or_default()
}

/// One way of several.
pub(super) struct Hop {
    index: u32,
    gateway: Option<IpAddr>,
    is_dead: bool,
}

/// Parses the `struct rtnexthop`s of an RTA_MULTIPATH.
pub(super) fn next_hops(mut bytes: &[u8]) -> Vec<Hop> {
    let mut hops = Vec::new();
    while let (Some(length), Some(flags), Some(index)) = (u16_at(bytes, 0), bytes.get(2), u32_at(bytes, 4)) {
        let length = usize::from(length);
        let Some(attributes) = bytes.get(8..length) else { break };
        let gateway = Attributes(attributes).find_map(|(attribute, payload)| match attribute {
            5 => ip(payload),
            18 => ip(payload.get(2..)?),
            _ => None,
        });
        hops.push(Hop { index, gateway, is_dead: flags & DEAD != 0 });
        bytes = bytes.get((length + 3) & !3..).unwrap_or_default();
    }
    hops
}

/// A next-hop object (`linux/nexthop.h`): a way, or a group of such objects.
struct NextHop {
    id: u32,
    index: Option<u32>,
    gateway: Option<IpAddr>,
    group: Vec<u32>,
    is_blackhole: bool,
}

/// Puts the ways in place of the next-hop objects, which routes only name where `nexthop_compat_mode` is off.
fn resolved(netlink: &mut Netlink, found: Vec<Found>) -> io::Result<Vec<Found>> {
    let objects = netlink.dump(RTM_GETNEXTHOP, &[0; 8], next_hop)?;
    let by_id = |id: u32| objects.iter().find(|object| object.id == id);
    let mut all = Vec::new();
    for (route, nexthop) in found {
        let Some(object) = nexthop.map(by_id) else {
            all.push((route, None));
            continue;
        };
        let Some(object) = object else { continue };
        let members: Vec<&NextHop> = match object.group.as_slice() {
            [] => vec![object],
            group => group.iter().filter_map(|id| by_id(*id)).collect(),
        };
        let is_shared = members.len() > 1;
        if members.iter().all(|member| member.is_blackhole) {
            all.push((DefaultRoute { refusal: Some("blackhole"), ..route }, None));
            continue;
        }
        all.extend(members.into_iter().filter_map(|member| {
            let (index, gateway) = (member.index?, member.gateway);
            Some((DefaultRoute { index, gateway, is_shared, ..route.clone() }, None))
        }));
    }
    Ok(all)
}

fn next_hop(bytes: &[u8]) -> Option<NextHop> {
    let mut object = NextHop { id: 0, index: None, gateway: None, group: Vec::new(), is_blackhole: false };
    for (attribute, payload) in Attributes(bytes.get(8..)?) {
        match attribute {
            1 => object.id = u32_at(payload, 0)?,
            // An array of `struct nexthop_grp`, eight bytes each, the id first.
            2 => object.group = payload.chunks_exact(8).filter_map(|member| u32_at(member, 0)).collect(),
            4 => object.is_blackhole = true,
            5 => object.index = u32_at(payload, 0),
            6 => object.gateway = ip(payload),
            _ => {}
        }
    }
    Some(object)
}

/// The seconds left, from `struct rta_cacheinfo`, whose times are in hundredths of a second (USER_HZ).
fn expiry(payload: &[u8]) -> Option<u32> {
    let hundredths = u32_at(payload, 8)?.cast_signed();
    u32::try_from(hundredths).ok().filter(|left| *left > 0).map(|left| left / 100)
}

/// A router's preference (RFC 4191, 2.1) as the kernel keeps it: ICMPV6_ROUTER_PREF_.
fn preference_name(preference: u8) -> Option<&'static str> {
    Some(match preference {
        0 => "medium",
        1 => "high",
        3 => "low",
        _ => return None,
    })
}

/// RTPROT_ of `linux/rtnetlink.h`, by the names of `ip route`.
fn protocol_name(protocol: u8) -> Cow<'static, str> {
    Cow::Borrowed(match protocol {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        15 => "ntk",
        16 => "dhcp",
        18 => "keepalived",
        42 => "babel",
        84 => "ovn",
        99 => "openr",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        other => return Cow::Owned(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::attribute;
    use super::*;

    fn route(table: u8, destination_len: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let fixed = [2, destination_len, 0, 0, table, 3, 0, 1, 0, 0, 0, 0];
        [&fixed[..], &attributes.concat()].concat()
    }

    #[test]
    fn only_main_tables_default_routes_count() {
        let by = [attribute(4, &3_u32.to_ne_bytes()), attribute(5, &[10, 0, 0, 1])];
        let expected = DefaultRoute::new(3, Family::Ipv4, Some([10, 0, 0, 1].into()), None);
        let expected = DefaultRoute { protocol: Some("boot".into()), ..expected };
        assert_eq!(parse(&route(254, 0, &by), 2), [(expected, None)]);
        assert_eq!(parse(&route(254, 8, &by), 2), []);
        assert_eq!(parse(&route(255, 0, &by), 2), []);
        assert_eq!(parse(&route(254, 0, &by), 10), []);
    }

    #[test]
    fn every_next_hop_of_a_multipath_route_counts() {
        let hop = |index: u32, gateway: [u8; 4]| {
            let gateway = attribute(5, &gateway);
            let length = u16::try_from(8 + gateway.len()).unwrap();
            [&length.to_ne_bytes()[..], &[0, 0], &index.to_ne_bytes(), &gateway].concat()
        };
        let hops = [hop(3, [10, 0, 0, 1]), hop(4, [10, 1, 0, 1])].concat();
        let routes = parse(&route(254, 0, &[attribute(9, &hops), attribute(6, &100_u32.to_ne_bytes())]), 2);
        let found: Vec<(u32, Option<u32>, bool)> =
            routes.iter().map(|(route, _)| (route.index, route.metric, route.is_shared)).collect();
        assert_eq!(found, [(3, Some(100), true), (4, Some(100), true)]);
    }
}
