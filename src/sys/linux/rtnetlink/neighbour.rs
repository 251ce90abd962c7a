//! Neighbours: `struct ndmsg` and its `NDA_` attributes (`linux/neighbour.h`).

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use super::super::netlink::{Attributes, Netlink, u16_at, u32_at};
use super::ip;

const RTM_GETNEIGH: u16 = 30;
const NDA_DST: u16 = 1;
/// NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE: its hardware address is known, and not set by hand.
const SPOKEN_TO: u16 = 0x02 | 0x04 | 0x08 | 0x10;
/// NUD_INCOMPLETE, NUD_FAILED.
const LOST: u16 = 0x01 | 0x20;

/// One entry of the kernel's table.
pub(super) struct Neighbour {
    index: u32,
    state: u16,
    ip: IpAddr,
}

/// The neighbours this machine has lately spoken to: interface index and address.
pub(in crate::sys) fn spoken_to() -> io::Result<Vec<(u32, IpAddr)>> {
    let all = Netlink::route()?.dump(RTM_GETNEIGH, &[0; 12], parse)?;
    Ok(all.into_iter().filter(|it| it.state & SPOKEN_TO != 0).map(|it| (it.index, it.ip)).collect())
}

/// The neighbours that the kernel has asked for and not found.
pub(in crate::sys) fn lost() -> io::Result<HashSet<IpAddr>> {
    let all = Netlink::route()?.dump(RTM_GETNEIGH, &[0; 12], parse)?;
    Ok(all.into_iter().filter(|it| it.state & LOST != 0).map(|it| it.ip).collect())
}

/// The IPv6 neighbours the kernel has an entry for, in whatever state.
pub fn ipv6_entries() -> io::Result<HashSet<IpAddr>> {
    let mut fixed = [0; 12];
    fixed[0] = u8::try_from(libc::AF_INET6).unwrap_or_default();
    let all = Netlink::route()?.dump(RTM_GETNEIGH, &fixed, parse)?;
    Ok(all.into_iter().map(|it| it.ip).filter(IpAddr::is_ipv6).collect())
}

/// Parses an entry; `None` if the message is cut short. Never panics, whatever the bytes.
pub(super) fn parse(bytes: &[u8]) -> Option<Neighbour> {
    let (index, state) = (u32_at(bytes, 4)?, u16_at(bytes, 8)?);
    let (_, destination) = Attributes(bytes.get(12..)?).find(|(attribute, _)| *attribute == NDA_DST)?;
    Some(Neighbour { index, state, ip: ip(destination)? })
}
