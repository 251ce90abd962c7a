//! What only Linux tells: everywhere else these say so.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::Socket;

use super::{AsSocket, Clocks, IcmpError, InetSocket};
use crate::address::Family;

pub(super) fn neighbours() -> io::Result<Vec<(u32, IpAddr)>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn name_servers_by_link() -> io::Result<Vec<(u32, IpAddr)>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn is_routed_by_policy(_: Family) -> Option<bool> {
    None
}

pub(super) fn lost_neighbours() -> io::Result<std::collections::HashSet<IpAddr>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn keep_icmp_errors(_: &Socket, _: Family, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn take_icmp_error(_: &Socket) -> Option<IcmpError> {
    None
}

pub(super) fn take_icmp_quote(_: &Socket) -> Option<(IcmpError, Vec<u8>)> {
    None
}

pub(super) fn forbid_fragments(_: &Socket, _: Family) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn route_to(_: IpAddr, _: u32) -> io::Result<super::RouteLookup> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn policy_rules() -> io::Result<Vec<super::PolicyRule>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn neighbour_table() -> io::Result<Vec<super::Neighbour>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn network_counters() -> io::Result<std::collections::BTreeMap<String, u64>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn tables() -> super::Tables {
    super::Tables::default()
}

pub(super) fn tcp_queues(_: &impl AsSocket) -> (Option<u32>, Option<u32>) {
    (None, None)
}

pub(super) fn tcp_socket(_: SocketAddr, _: SocketAddr) -> io::Result<Option<InetSocket>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn tcp_sockets(_: u16, _: u16) -> io::Result<Vec<InetSocket>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn time_wait_count() -> Option<u64> {
    None
}

#[cfg(not(any(windows, target_os = "macos")))]
pub(super) fn port_sockets(_: super::Transport, _: (u16, u16), _: bool) -> io::Result<Vec<InetSocket>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(windows, target_os = "macos")))]
pub(super) fn owners(_: &[u32]) -> super::Owners {
    super::Owners::default()
}

pub(super) fn own_netns() -> Option<u64> {
    None
}

pub(super) fn netns_name(_: u64) -> Option<Vec<u8>> {
    None
}

pub(super) fn control_groups(_: &[u64]) -> Vec<(u64, Vec<u8>)> {
    Vec::new()
}

pub(super) fn socket_options(_: u32, _: i32, _: u32) -> Option<super::SocketOptions> {
    None
}

pub(super) fn may_bind_privileged() -> Option<bool> {
    None
}

pub(super) fn sleep_precisely() {}

pub(super) fn ping_group_range() -> Option<String> {
    None
}

pub(super) fn is_output_closed() -> bool {
    false
}

pub(super) fn neighbour_limit(_: Family) -> Option<u32> {
    None
}

/// The process's monotonic clock and the system's, which is all that can be had everywhere.
pub(super) fn clocks() -> Clocks {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime};
    static START: OnceLock<Instant> = OnceLock::new();
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let start = *START.get_or_init(Instant::now);
    let realtime = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Not zero: a moment before the first reading must be possible.
    let monotonic = 1_000_000_000 + nanoseconds(start.elapsed());
    Clocks { monotonic, realtime: nanoseconds(realtime), suspended: 0, took: 0 }
}

pub(super) fn allow_foreign_address(_: &Socket, _: Family) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn lists_bound_sockets() -> Option<bool> {
    None
}
pub(super) fn process(_: u32) -> Option<super::Process> {
    None
}
