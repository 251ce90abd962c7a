//! What the kernel would do with a packet (RTM_GETROUTE for one address), and whom it knows on its links.

use std::io;
use std::net::IpAddr;

use super::super::netlink::{Attributes, Netlink, u16_at, u32_at};
use super::ip;
use crate::address::HardwareAddress;
use crate::sys::{Neighbour, RouteLookup};

const RTM_GETROUTE: u16 = 26;
const RTM_GETNEIGH: u16 = 30;
/// RTM_F_LOOKUP_TABLE: the table that was looked into; RTM_F_FIB_MATCH: the route that matched, whatever its kind
/// (`linux/rtnetlink.h`).
const LOOKUP_TABLE: u32 = 0x1000;
const FIB_MATCH: u32 = 0x2000;

/// Asks what would become of a packet to an address, sent by this user. Nothing is sent.
pub(in crate::sys) fn route_to(to: IpAddr, scope_id: u32) -> io::Result<RouteLookup> {
    let mut netlink = Netlink::route()?;
    let matched = ask(&mut netlink, to, scope_id, LOOKUP_TABLE | FIB_MATCH)?;
    // What matched is a rule for many; how this packet goes (source, gateway of several) only the plain question tells.
    let mut chosen = match ask(&mut netlink, to, scope_id, LOOKUP_TABLE) {
        Ok(Some(chosen)) => chosen,
        Ok(None) | Err(_) => RouteLookup::default(),
    };
    if let Some(matched) = matched {
        chosen.kind = if chosen.kind == Some("local") { chosen.kind } else { matched.kind.or(chosen.kind) };
        chosen.prefix = matched.prefix;
        chosen.table = matched.table.or(chosen.table);
    }
    Ok(chosen)
}

fn ask(netlink: &mut Netlink, to: IpAddr, scope_id: u32, flags: u32) -> io::Result<Option<RouteLookup>> {
    let (family, bytes) = match to {
        IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
    };
    let mut body = vec![0; 12];
    body[0] = u8::try_from(family).expect("families are small numbers");
    body[1] = u8::try_from(bytes.len() * 8).expect("128 at most");
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    let mut attribute = |kind: u16, payload: &[u8]| {
        body.extend(u16::try_from(4 + payload.len()).expect("20 at most").to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(payload);
    };
    attribute(1, &bytes);
    if scope_id != 0 {
        attribute(4, &scope_id.to_ne_bytes());
    }
    match netlink.one(RTM_GETROUTE, &body) {
        Ok(answer) => Ok(answer.as_deref().and_then(parse)),
        Err(error) => match error.raw_os_error() {
            // No route, or one of those that refuse (`fib_props` of fib_semantics.c).
            Some(libc::ENETUNREACH) => Ok(None),
            Some(libc::EHOSTUNREACH) => Ok(Some(refusal("unreachable"))),
            Some(libc::EINVAL) => Ok(Some(refusal("blackhole"))),
            Some(libc::EACCES) => Ok(Some(refusal("prohibit"))),
            _ => Err(error),
        },
    }
}

fn refusal(kind: &'static str) -> RouteLookup {
    RouteLookup { kind: Some(kind), ..RouteLookup::default() }
}

/// Parses a route that the kernel chose; `None` if the message is cut short. Never panics, whatever the bytes.
pub(super) fn parse(bytes: &[u8]) -> Option<RouteLookup> {
    let (destination_len, table, kind) = (*bytes.get(1)?, *bytes.get(4)?, *bytes.get(7)?);
    let mut route = RouteLookup { table: Some(u32::from(table)), ..RouteLookup::default() };
    let mut destination = None;
    for (attribute, payload) in Attributes(bytes.get(12..)?) {
        match attribute {
            1 => destination = ip(payload),
            4 => route.index = u32_at(payload, 0),
            5 => route.gateway = ip(payload),
            7 => route.source = ip(payload),
            // RTA_METRICS; RTAX_MTU is 2.
            8 => {
                route.mtu =
                    Attributes(payload).find(|(metric, _)| *metric == 2).and_then(|(_, mtu)| u32_at(mtu, 0));
            }
            // RTA_MULTIPATH: where several share, the first.
            9 => {
                route.index = u32_at(payload, 4);
                if let Some(more) = payload.get(8..) {
                    route.gateway =
                        Attributes(more).find(|(kind, _)| *kind == 5).and_then(|(_, hop)| ip(hop));
                }
            }
            15 => route.table = u32_at(payload, 0),
            18 => route.gateway = payload.get(2..).and_then(ip),
            _ => {}
        }
    }
    route.kind = match kind {
        1 => Some("unicast"),
        2 => Some("local"),
        3 | 4 => Some("broadcast"),
        5 => Some("multicast"),
        6 => Some("blackhole"),
        7 => Some("unreachable"),
        8 => Some("prohibit"),
        _ => None,
    };
    let any = if i32::from(*bytes.first()?) == libc::AF_INET {
        IpAddr::from([0; 4])
    } else {
        IpAddr::from([0; 16])
    };
    route.prefix = Some((destination.unwrap_or(any), destination_len));
    Some(route)
}

/// Everybody the kernel knows on its links, whatever it knows of them.
pub(in crate::sys) fn neighbour_table() -> io::Result<Vec<Neighbour>> {
    Netlink::route()?.dump(RTM_GETNEIGH, &[0; 12], parse_neighbour)
}

/// Parses an entry; `None` if the message is cut short. Never panics, whatever the bytes.
pub(super) fn parse_neighbour(bytes: &[u8]) -> Option<Neighbour> {
    /// NTF_ROUTER of `linux/neighbour.h`.
    const ROUTER: u8 = 0x80;
    let (index, state, flags) = (u32_at(bytes, 4)?, u16_at(bytes, 8)?, *bytes.get(10)?);
    let (mut address, mut mac) = (None, None);
    for (attribute, payload) in Attributes(bytes.get(12..)?) {
        match attribute {
            1 => address = ip(payload),
            2 => mac = HardwareAddress::new(payload).some(),
            _ => {}
        }
    }
    let state = match state {
        0x01 => "incomplete",
        0x02 => "reachable",
        0x04 => "stale",
        0x08 => "delay",
        0x10 => "probe",
        0x20 => "failed",
        0x40 => "noarp",
        0x80 => "permanent",
        _ => "none",
    };
    Some(Neighbour { index, ip: address?, state, mac, is_router: flags & ROUTER != 0 })
}
