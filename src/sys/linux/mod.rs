//! Linux: rtnetlink, `sock_diag`, the socket error queue, `TCP_INFO` and sysctls.

mod closed_output;
mod control;
mod counters;
mod error_queue;
mod generic;
mod icmp;
mod netlink;
mod owners;
mod packet;
mod proc_sockets;
mod resolved;
mod rtnetlink;
mod sock_diag;
mod stamps;
mod tcp_info;
mod without_netlink;

pub(super) use closed_output::is_output_closed;
pub(super) use counters::{network_counters, tables};
pub use error_queue::parse_extended_error;
pub(super) use error_queue::{keep_icmp_errors, take_icmp_error, take_icmp_quote};
pub use icmp::{
    BATCH as ICMP_BATCH, IcmpKind, IcmpOptions, IcmpSocket, Queued, Received, wait as wait_for_icmp,
};
pub(super) use owners::{
    control_groups, known_process as process, may_bind_privileged, netns_name, own_netns, owners,
    socket_options,
};
pub use packet::{FrameWatch, parse_frame};
pub(super) use resolved::name_servers_by_link;
pub use rtnetlink::{ipv6_neighbour_entries, parse_default_routes, parse_link, parse_link_address};
pub(super) use rtnetlink::{
    is_routed_by_policy, lost_neighbours, neighbour_table, neighbours, policy_rules, route_to,
};
pub use sock_diag::parse as parse_socket;
pub(super) use sock_diag::{lists_bound_sockets, port_sockets, tcp_socket, tcp_sockets, time_wait_count};
pub use stamps::wait_until_stamping;
pub use tcp_info::parse as parse_tcp_info;
pub(super) use tcp_info::{sleep_precisely, tcp_info, tcp_queues};

use std::fs;
use std::io;
use std::os::fd::AsRawFd;

use socket2::Socket;

use super::{Clocks, Depth, Network, PortSettings};
use crate::address::Family;

/// What the kernel tells by netlink; where that is forbidden, what can be had without.
pub(super) fn network(depth: Depth) -> io::Result<Network> {
    rtnetlink::network(depth).or_else(|refusal| {
        let network = without_netlink::network().map_err(|_| io::Error::from(refusal.kind()));
        Ok(Network { refusal: Some(refusal.to_string()), ..network? })
    })
}

/// Sets a socket option that is a number (`setsockopt(2)`).
fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set_option_bytes(socket, level, option, &value.to_ne_bytes())
}

/// Sets a socket option by the bytes of its structure.
fn set_option_bytes(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).expect("an option is small");
    // SAFETY: the kernel reads `length` bytes of `value`.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits until a socket has something to read, or for so long.
fn wait_readable(socket: &Socket, timeout: std::time::Duration) {
    let _ = super::unix::wait(&[socket], false, timeout);
}

/// Lets no packet of a socket be fragmented, and none be refused for what the kernel believes of the path's MTU.
pub(super) fn forbid_fragments(socket: &Socket, family: Family) -> io::Result<()> {
    match family {
        Family::Ipv4 => set_option(socket, libc::SOL_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
        Family::Ipv6 => {
            set_option(socket, libc::SOL_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
            set_option(socket, libc::SOL_IPV6, libc::IPV6_DONTFRAG, 1)
        }
    }
}

pub(super) fn allow_foreign_address(socket: &Socket, family: Family) -> io::Result<()> {
    match family {
        Family::Ipv4 => socket.set_freebind_v4(true),
        Family::Ipv6 => socket.set_freebind_v6(true),
    }
}

pub(super) fn port_settings() -> PortSettings {
    PortSettings {
        ephemeral: sysctl("ip_local_port_range").as_deref().and_then(range),
        reserved: sysctl("ip_local_reserved_ports").map(|text| ranges(&text)),
        unprivileged_start: sysctl("ip_unprivileged_port_start").and_then(|text| text.parse().ok()),
        time_wait_reuse: sysctl("tcp_tw_reuse").map(|mode| (mode == "1", mode != "0")),
    }
}

/// How many neighbours the kernel keeps at most, of all interfaces of this family (`gc_thresh3`); not told in
/// network namespaces but the first, though it holds there too.
pub(super) fn neighbour_limit(family: Family) -> Option<u32> {
    let family = if family == Family::Ipv4 { "ipv4" } else { "ipv6" };
    let path = format!("/proc/sys/net/{family}/neigh/default/gc_thresh3");
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// How many IPv6 packets of this network namespace found no way out so far: no route, or no room for the
/// neighbour (`Ip6OutNoRoutes`).
pub fn ipv6_without_way() -> Option<u64> {
    let counters = fs::read_to_string("/proc/net/snmp6").ok()?;
    let value = counters.lines().find_map(|line| line.strip_prefix("Ip6OutNoRoutes"))?;
    value.trim().parse().ok()
}

/// CLOCK_MONOTONIC, CLOCK_REALTIME and CLOCK_BOOTTIME, read as one.
pub(super) fn clocks() -> Clocks {
    /// A reading that took longer than this was interrupted, and is taken again a few times.
    const TIGHT_NS: u64 = 1_000;
    let mut best: Option<Clocks> = None;
    for _ in 0..4 {
        let (before, realtime) = (clock(libc::CLOCK_MONOTONIC), clock(libc::CLOCK_REALTIME));
        let (after, boottime) = (clock(libc::CLOCK_MONOTONIC), clock(libc::CLOCK_BOOTTIME));
        let (took, middle) = (after - before, before + (after - before) / 2);
        if best.is_none_or(|best| took < best.took) {
            let suspended = boottime.saturating_sub(after);
            best = Some(Clocks { monotonic: middle, realtime, suspended, took });
        }
        if took <= TIGHT_NS {
            break;
        }
    }
    best.expect("the loop has run")
}

fn clock(id: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is what the call may write; these clocks always exist.
    unsafe { libc::clock_gettime(id, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

pub(super) fn ping_group_range() -> Option<String> {
    sysctl("ping_group_range").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Reads a setting of this network namespace (`Documentation/networking/ip-sysctl.rst`).
fn sysctl(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
    Some(text.trim().to_owned())
}

/// Parses `FROM TO`, with a tab between in the kernel's spelling.
fn range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Parses `1,2,10-20`.
fn ranges(text: &str) -> Vec<(u16, u16)> {
    let one = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    text.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_spellings_of_ranges() {
        assert_eq!(range("32768\t60999"), Some((32768, 60999)));
        assert_eq!(range("32768"), None);
        assert_eq!(ranges("8080,9000-9010"), [(8080, 8080), (9000, 9010)]);
        assert_eq!(ranges(""), []);
    }
}
