//! What rtnetlink tells (`rtnetlink(7)`): links, addresses, default routes and neighbours.

mod address;
mod link;
mod lookup;
mod neighbour;
mod route;
mod rule;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

pub use address::parse as parse_link_address;
pub(super) use address::scope_name;
pub(super) use link::link_flags;
pub use link::parse as parse_link;
pub(in crate::sys) use lookup::{neighbour_table, route_to};
pub use neighbour::ipv6_entries as ipv6_neighbour_entries;
pub(in crate::sys) use neighbour::{lost as lost_neighbours, spoken_to as neighbours};
pub(in crate::sys) use rule::policy_rules;

use super::super::{DefaultRoute, Depth, Link, LinkAddress, Network, Tells};
use super::generic;
use super::netlink::{Attributes, Netlink, u32_at};
use crate::address::Family;

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETNSID: u16 = 90;

pub(in crate::sys) fn network(depth: Depth) -> io::Result<Network> {
    let mut netlink = strict()?;
    let (links, addresses, routes) = std::thread::scope(|scope| {
        // Where there are hundreds of links, there are many addresses and routes too, and the kernel can list them at
        // the same time.
        let mut beside = None;
        let mut links = netlink.long_dump(RTM_GETLINK, &link_request(depth), link::parse, || {
            let thread = std::thread::Builder::new;
            let addresses = thread().spawn_scoped(scope, || addresses(&mut strict()?));
            let routes = thread().spawn_scoped(scope, || route::routes(&mut strict()?));
            let modes =
                (depth == Depth::Whole).then(|| thread().spawn_scoped(scope, generic::all_link_modes));
            beside = Some((addresses, routes, modes.and_then(io::Result::ok)));
        })?;
        links.sort_unstable_by_key(|link| link.index);
        mark_lower_down(&mut links);
        let never = "a thread that panics has ended the process";
        // A process may be allowed no threads, or no more.
        let (addresses, routes, modes) = beside.map_or((None, None, None), |(addresses, routes, modes)| {
            let addresses = addresses.ok().map(|thread| thread.join().expect(never));
            let routes = routes.ok().map(|thread| thread.join().expect(never));
            (addresses, routes, modes.and_then(|thread| thread.join().expect(never).ok()))
        });
        generic::complete(&mut links, depth, modes);
        let addresses = addresses.unwrap_or_else(|| self::addresses(&mut netlink))?;
        let routes = routes.unwrap_or_else(|| route::routes(&mut netlink))?;
        io::Result::Ok((links, addresses, routes))
    })?;
    let route::Routes { defaults, ways } = routes;
    let namespaces = if depth == Depth::Whole { namespaces(&mut netlink, &links) } else { Vec::new() };
    Ok(Network {
        links,
        addresses: Some(addresses),
        default_routes: Some(defaults),
        ways,
        namespaces,
        tells: Tells {
            kind: true,
            alias: true,
            relations: true,
            mac: true,
            address_details: true,
            speed: true,
            hardware: true,
        },
        ..Network::default()
    })
}

/// A connection of one's own.
fn strict() -> io::Result<Netlink> {
    let mut netlink = Netlink::route()?;
    netlink.be_strict();
    Ok(netlink)
}

fn addresses(netlink: &mut Netlink) -> io::Result<Vec<LinkAddress>> {
    netlink.dump(RTM_GETADDR, &[0; 8], address::parse)
}

/// Parses `struct rtmsg` and its attributes into the default routes of a family that it holds. Never panics, whatever
/// the bytes.
pub fn parse_default_routes(bytes: &[u8], family: Family) -> Vec<DefaultRoute> {
    let family = if family == Family::Ipv4 { libc::AF_INET } else { libc::AF_INET6 };
    let wanted = u8::try_from(family).expect("families are small numbers");
    route::parse(bytes, wanted).into_iter().map(|(route, _)| route).collect()
}

/// Whether the kernel knows a way to the rest of the world though its main table has no default route; `None` where
/// it does not say.
pub(in crate::sys) fn is_routed_by_policy(family: Family) -> Option<bool> {
    let mut netlink = Netlink::route().ok()?;
    Some(route::is_routed_by_policy(&mut netlink, family))
}

/// Makes the body of RTM_GETLINK: `struct ifinfomsg` and IFLA_EXT_MASK.
fn link_request(depth: Depth) -> Vec<u8> {
    const IFLA_EXT_MASK: u16 = 29;
    /// RTEXT_FILTER_SKIP_STATS of `linux/rtnetlink.h`: no counters.
    const SKIP_STATS: u32 = 8;
    /// RTEXT_FILTER_BRVLAN_COMPRESSED, which adds nothing to this list. But without any bit the kernel does not look
    /// how large its largest link is (`rtnl_calcit`), and leaves out those beyond 32 KiB without a word.
    const MAKE_ROOM: u32 = 4;
    let mask = MAKE_ROOM | if depth == Depth::Summary { SKIP_STATS } else { 0 };
    let mut body = vec![0; 16];
    body.extend(8_u16.to_ne_bytes());
    body.extend(IFLA_EXT_MASK.to_ne_bytes());
    body.extend(mask.to_ne_bytes());
    body
}

/// Marks the links whose lower link, a veth's other end say, is in this namespace and down, as `ip link` does.
fn mark_lower_down(links: &mut [Link]) {
    for place in 0..links.len() {
        let Some(other) = links[place].other.filter(|other| other.namespace.is_none()) else { continue };
        let found = links.binary_search_by_key(&other.index, |link| link.index);
        if found.is_ok_and(|found| !links[found].is_up) {
            links[place].flags.push("M-DOWN");
        }
    }
}

/// The names that `ip netns` has given to the namespaces at the other ends of links.
fn namespaces(netlink: &mut Netlink, links: &[Link]) -> Vec<(i32, Vec<u8>)> {
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::OpenOptionsExt;
    /// NETNSA_NSID and NETNSA_FD of `linux/net_namespace.h`.
    const NSID: u16 = 1;
    const FD: u16 = 3;
    let is_elsewhere =
        |link: &Link| link.other.is_some_and(|other| other.namespace.is_some_and(|id| id >= 0));
    if !links.iter().any(is_elsewhere) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/run/netns") else { return Vec::new() };
    let id = |entry: &fs::DirEntry| {
        // Whatever else lies there, a pipe say, must not keep us waiting.
        let file =
            fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(entry.path()).ok()?;
        let mut body = vec![0; 4];
        body.extend(8_u16.to_ne_bytes());
        body.extend(FD.to_ne_bytes());
        body.extend(file.as_raw_fd().to_ne_bytes());
        let answer = netlink.one(RTM_GETNSID, &body).ok()??;
        let (_, id) = Attributes(answer.get(4..)?).find(|(attribute, _)| *attribute == NSID)?;
        u32_at(id, 0).map(u32::cast_signed).filter(|id| *id >= 0)
    };
    let mut id = id;
    entries.flatten().filter_map(|entry| Some((id(&entry)?, entry.file_name().into_vec()))).collect()
}

/// An address by its length.
fn ip(payload: &[u8]) -> Option<IpAddr> {
    match payload.len() {
        4 => <[u8; 4]>::try_from(payload).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(payload).ok().map(IpAddr::from),
        _ => None,
    }
}

pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + payload.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn nothing_panics_on_messages_cut_short() {
        let hop = [12, 0, 0, 0, 1, 0, 0, 0, 8, 0, 5, 0];
        let mut whole = vec![2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        for kind in [9, 4, 18, 26, 52, 23, 54] {
            whole.extend(attribute(kind, &[&hop[..], &[1, 0, 0, 0]].concat()));
        }
        for cut in 0..=whole.len() {
            let bytes = &whole[..cut];
            let _ = (link::parse(bytes), address::parse(bytes), route::parse(bytes, 2));
            let _ = (neighbour::parse(bytes), route::next_hops(bytes));
            let _ = (lookup::parse(bytes), lookup::parse_neighbour(bytes), rule::parse(bytes));
        }
    }
}
