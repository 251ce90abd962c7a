//! What differs by operating system, and the crate's only `unsafe`.
//!
//! Each system gives the same functions; where one cannot tell, it says so with `None`, never with an empty
//! or a zero. Nothing here knows a command.

#![allow(unsafe_code)]

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod bsd;
mod diagnosis;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(windows, target_os = "macos"))]
mod listening;
mod network;
mod portable;
mod signals;
mod tcp;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod unix;
#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(windows)]
mod windows;

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
use bsd as system;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "linux")]
use linux as kernel;
#[cfg(not(target_os = "linux"))]
use unsupported as kernel;
#[cfg(windows)]
use windows as system;

use std::io;
use std::net::IpAddr;

use socket2::Socket;

pub use diagnosis::{ArpSeen, FrameSeen, Neighbour, PolicyRule, RouteLookup, RuleAction, Tables};
#[cfg(target_os = "linux")]
pub use linux::{
    FrameWatch, ICMP_BATCH, IcmpKind, IcmpOptions, IcmpSocket, Queued, Received, ipv6_neighbour_entries,
    ipv6_without_way, parse_default_routes, parse_extended_error, parse_frame, parse_link,
    parse_link_address, parse_socket, parse_tcp_info, wait_for_icmp, wait_until_stamping,
};
pub use network::{
    Counters, DefaultRoute, Depth, Link, LinkAddress, Network, Other, Tells, Wireless, best_route,
    best_routes,
};
pub use signals::{Listen, StopRequests};
pub use tcp::{
    InetSocket, LISTS_EVERY_SOCKET, Owner, Owners, Process, SocketOptions, TcpBuffers, TcpInfo, TcpState,
    Transport, control_groups, lists_bound_sockets, may_bind_privileged, netns_name, own_netns, owners,
    port_sockets, process, sleep_precisely, socket_options, tcp_buffers, tcp_info, tcp_socket, tcp_sockets,
    time_wait_count,
};
#[cfg(unix)]
pub use terminal::{has_keyboard, interrupt, is_in_foreground, take_keyboard};
#[cfg(unix)]
pub use unix::{interface_index, interface_name, user_id, user_name};
#[cfg(windows)]
pub use windows::{
    has_keyboard, interface_index, interface_name, interrupt, is_in_foreground, take_keyboard, user_id,
    user_name,
};

use crate::address::Family;
use crate::error::Error;

/// An ICMP error that the kernel kept for a socket: who sent it and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// The sender; this machine's own address where its own kernel gave up.
    pub from: Option<IpAddr>,
    /// The type (RFC 792, RFC 4443).
    pub icmp_type: u8,
    /// The code.
    pub icmp_code: u8,
    /// The MTU of the next hop, where the error tells it.
    pub mtu: Option<u32>,
}

/// Three clocks at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// One that never steps, and stands still while the machine sleeps.
    pub monotonic: u64,
    /// The time of day, since 1970.
    pub realtime: u64,
    /// How long the machine has slept; 0 where it is not told.
    pub suspended: u64,
    /// How long the reading took: they may be so far apart.
    pub took: u64,
}

/// The port ranges this system works with; `None` where it does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSettings {
    /// The first and last port it gives to programs that ask for none.
    pub ephemeral: Option<(u16, u16)>,
    /// Ranges of ports it never gives out unasked.
    pub reserved: Option<Vec<(u16, u16)>>,
    /// The first port an ordinary user may bind; 0 where any may.
    pub unprivileged_start: Option<u16>,
    /// Whether a port in TIME-WAIT may be connected from again: on every network, or on the loopback.
    pub time_wait_reuse: Option<(bool, bool)>,
}

impl PortSettings {
    /// Whether a port in TIME-WAIT is soon connected from again toward such a target.
    pub fn reuses_time_wait(&self, is_loopback: bool) -> bool {
        self.time_wait_reuse.is_some_and(|(everywhere, loopback)| everywhere || (is_loopback && loopback))
    }
}

/// What this system tells about its interfaces, addresses and default routes; where it refuses to list them
/// itself (a sandbox without netlink, say), what if-addrs finds.
///
/// Errors: not even that can be had.
pub fn network(depth: Depth) -> io::Result<Network> {
    let mut network = system::network(depth)
        .unwrap_or_else(|refusal| Network { refusal: Some(refusal.to_string()), ..Network::default() });
    portable::complete(&mut network)?;
    Ok(network)
}

/// Whether this machine knows a way to the rest of the world though its main table has no default route; `None`
/// where the system does not say. Nothing is sent.
pub fn is_routed_by_policy(family: Family) -> Option<bool> {
    kernel::is_routed_by_policy(family)
}

/// The name servers of systemd-resolved, each with the index of the link it belongs to, 0 for those of all.
///
/// Errors: it does not run here, or does not say.
pub fn name_servers_by_link() -> io::Result<Vec<(u32, IpAddr)>> {
    kernel::name_servers_by_link()
}

/// The IPv4 and IPv6 neighbours this machine has lately spoken to: interface index and address.
pub fn neighbours() -> io::Result<Vec<(u32, IpAddr)>> {
    kernel::neighbours()
}

/// The addresses on this machine's links that it has lately asked for and that nobody answered for (ARP, NDP).
///
/// Errors: the system does not tell.
pub fn lost_neighbours() -> io::Result<std::collections::HashSet<IpAddr>> {
    kernel::lost_neighbours()
}

/// The port ranges this system works with.
pub fn port_settings() -> PortSettings {
    system::port_settings()
}

/// What the kernel would do with a packet to an address that this user sends. Nothing is sent.
///
/// Errors: the system does not tell.
pub fn route_to(to: IpAddr, scope_id: u32) -> io::Result<RouteLookup> {
    kernel::route_to(to, scope_id)
}

/// The rules of policy routing, by family and in the order in which the kernel asks them.
///
/// Errors: the system has none, or does not tell.
pub fn policy_rules() -> io::Result<Vec<PolicyRule>> {
    kernel::policy_rules()
}

/// Everybody the kernel knows on its links, whatever it knows of them.
///
/// Errors: the system does not tell.
pub fn neighbour_table() -> io::Result<Vec<Neighbour>> {
    kernel::neighbour_table()
}

/// What the kernel's protocols have counted, by name as `Tcp.InCsumErrors`.
///
/// Errors: the system does not tell.
pub fn network_counters() -> io::Result<std::collections::BTreeMap<String, u64>> {
    kernel::network_counters()
}

/// How full the kernel's tables are.
pub fn tables() -> Tables {
    kernel::tables()
}

/// How many descriptors this process may open, and how many it may ask for.
pub fn descriptor_limits() -> Option<(u64, u64)> {
    #[cfg(unix)]
    return unix::descriptor_limits();
    #[cfg(not(unix))]
    return None;
}

/// Whether this process runs as root, where there is such a thing.
pub fn is_root() -> bool {
    #[cfg(unix)]
    return unix::is_root();
    #[cfg(not(unix))]
    return false;
}

/// Waits until one of several sockets has something to tell, or for so long; with `writes` also until one can be written
/// to, as one that connects can be once that is decided.
///
/// Errors: they cannot be waited for.
pub fn wait_for_sockets(sockets: &[&Socket], writes: bool, timeout: std::time::Duration) -> io::Result<()> {
    #[cfg(unix)]
    return unix::wait(sockets, writes, timeout);
    #[cfg(not(unix))]
    {
        // Looked at again at once: the callers' loops are bounded by the clock.
        let _ = (sockets, writes);
        std::thread::sleep(timeout.min(std::time::Duration::from_millis(3)));
        Ok(())
    }
}

/// Takes the ICMP error that the kernel kept for a socket, with as much of what the message carried as was quoted.
pub fn take_icmp_quote(socket: &Socket) -> Option<(IcmpError, Vec<u8>)> {
    kernel::take_icmp_quote(socket)
}

/// Lets no packet of a socket be fragmented, on this machine or on the way.
///
/// Errors: the system refuses, or has no such thing.
pub fn forbid_fragments(socket: &Socket, family: Family) -> io::Result<()> {
    kernel::forbid_fragments(socket, family)
}

/// Asks the kernel to keep ICMP errors for a socket, or not to.
///
/// Errors: the system refuses, or has no such thing.
pub fn keep_icmp_errors(socket: &Socket, family: Family, keep: bool) -> io::Result<()> {
    kernel::keep_icmp_errors(socket, family, keep)
}

/// Lets a socket bind an address that this machine does not have (IP_FREEBIND, IPV6_FREEBIND).
///
/// Errors: the system refuses, or has no such thing.
pub fn allow_foreign_address(socket: &Socket, family: Family) -> io::Result<()> {
    kernel::allow_foreign_address(socket, family)
}

/// Takes the ICMP error that the kernel kept for a socket, if there is one.
pub fn take_icmp_error(socket: &Socket) -> Option<IcmpError> {
    kernel::take_icmp_error(socket)
}

/// The present value of the sysctl that lets groups open unprivileged ICMP sockets (`icmp(7)`), on Linux.
pub fn ping_group_range() -> Option<String> {
    kernel::ping_group_range()
}

/// A socket as other libraries show it.
#[cfg(unix)]
pub type NativeSocket = std::os::fd::RawFd;
/// A socket as other libraries show it.
#[cfg(windows)]
pub type NativeSocket = std::os::windows::io::RawSocket;

/// Gives an ICMP socket that another library opened room for replies, and its type of service (IPv4) or traffic
/// class (IPv6). The socket must be open.
///
/// Errors: the system refuses.
pub fn tune_icmp(socket: NativeSocket, family: Family, tos: Option<u8>) -> io::Result<()> {
    /// Some systems allow less, which is no harm.
    const BUFFER: usize = 1 << 20;
    #[cfg(unix)]
    // SAFETY: the caller's socket is open for the length of this call.
    let socket = unsafe { std::os::fd::BorrowedFd::borrow_raw(socket) };
    #[cfg(windows)]
    // SAFETY: the caller's socket is open for the length of this call.
    let socket = unsafe { std::os::windows::io::BorrowedSocket::borrow_raw(socket) };
    let socket = socket2::SockRef::from(&socket);
    let _ = socket.set_recv_buffer_size(BUFFER);
    match (family, tos) {
        (_, None) => Ok(()),
        (Family::Ipv4, Some(tos)) => socket.set_tos_v4(tos.into()),
        #[cfg(unix)]
        (Family::Ipv6, Some(tos)) => socket.set_tclass_v6(tos.into()),
        #[cfg(not(unix))]
        (Family::Ipv6, Some(_)) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Takes a message that has come in on a socket that another library opened, without waiting for one. The
/// socket must be open and must not block.
///
/// Errors: `WouldBlock` if there is none; whatever an earlier message met.
pub fn receive_now(socket: NativeSocket, buffer: &mut [u8]) -> io::Result<(usize, std::net::SocketAddr)> {
    #[cfg(unix)]
    // SAFETY: the caller's socket is open for the length of this call.
    let socket = unsafe { std::os::fd::BorrowedFd::borrow_raw(socket) };
    #[cfg(windows)]
    // SAFETY: the caller's socket is open for the length of this call.
    let socket = unsafe { std::os::windows::io::BorrowedSocket::borrow_raw(socket) };
    // SAFETY: bytes may be seen as maybe uninitialised ones by a call that only writes initialised ones.
    let room = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [std::mem::MaybeUninit<u8>]) };
    let (length, from) = socket2::SockRef::from(&socket).recv_from(room)?;
    let from = from.as_socket().ok_or(io::ErrorKind::InvalidData)?;
    Ok((length, from))
}

/// How many neighbours the kernel keeps at most, where it tells.
pub fn neighbour_limit(family: Family) -> Option<u32> {
    kernel::neighbour_limit(family)
}

/// Reads the clocks.
pub fn clocks() -> Clocks {
    kernel::clocks()
}

/// Standard output without the standard library's buffer, which looks for the ends of lines in all that is written.
pub fn unbuffered(out: io::Stdout) -> Box<dyn io::Write + Send> {
    #[cfg(unix)]
    if let Ok(descriptor) = std::os::fd::AsFd::as_fd(&out).try_clone_to_owned() {
        return Box::new(std::fs::File::from(descriptor));
    }
    // A console of Windows takes no bytes but UTF-16, which that does too.
    Box::new(out)
}

/// Whether standard output is a pipe that nobody reads any more; where it cannot be told, somebody does.
pub fn is_reader_gone() -> bool {
    #[cfg(unix)]
    return unix::is_reader_gone();
    #[cfg(not(unix))]
    return false;
}

/// Whether standard output was closed when the program began (`>&-`), so that what is written goes nowhere;
/// where it cannot be told, it was not.
pub fn is_output_closed() -> bool {
    kernel::is_output_closed()
}

/// The error for what this machine lacks to test at all, with the way out where there is a known one.
pub fn lacks(what: impl Into<String>, source: io::Error) -> Error {
    #[cfg(unix)]
    let files = unix::exhausted_descriptors(&source);
    #[cfg(not(unix))]
    let files: Option<u64> = None;
    let error = Error::untested(what).caused_by(source);
    match files {
        Some(limit) => error.hint(format!("raise the limit of open files (now {limit}): ulimit -n 4096")),
        None => error,
    }
}

/// The error of a thread that this machine does not start, with the limits that may be the reason (`pthread_create(3)`).
pub fn lacks_thread(what: impl Into<String>, source: io::Error) -> Error {
    /// What is enough for most.
    const ENOUGH: u64 = 4096;
    #[cfg(unix)]
    let processes = unix::exhausted_processes(&source);
    #[cfg(not(unix))]
    let processes: Option<u64> = None;
    let error = lacks(what, source);
    match processes {
        Some(limit) if limit < ENOUGH => error.hint(format!(
            "raise this user's limit of processes and threads (now {limit}, all programs counted): ulimit -u {ENOUGH}"
        )),
        Some(limit) => error.hint(format!(
            "a limit of processes and threads is reached: this user's ({limit}, ulimit -u), the control group's (pids.max), or \
             the system's (sysctl kernel.threads-max)"
        )),
        None => error,
    }
}

/// Lets this process open as many descriptors as it may ask for; gives how many that is.
pub fn raise_descriptor_limit() -> u64 {
    #[cfg(unix)]
    return unix::raise_descriptor_limit();
    // Windows counts handles by the million.
    #[cfg(not(unix))]
    return 1 << 20;
}

/// Checks that this process may open the descriptors that waiting for the network and for signals takes: tokio
/// does not survive the lack of them.
///
/// Errors: it may not.
fn check_descriptors() -> io::Result<()> {
    /// Two runtimes' epoll, wake-up and signal descriptors, and a few for the work itself.
    const NEEDED: usize = 12;
    if cfg!(unix) {
        let spare: io::Result<Vec<_>> = (0..NEEDED).map(|_| std::fs::File::open("/dev/null")).collect();
        spare?;
    }
    Ok(())
}

/// Makes a runtime of one thread: what is timed must not wait for another to be woken.
///
/// Errors: this process may not open what that takes.
pub fn runtime() -> crate::error::Result<tokio::runtime::Runtime> {
    let checked = check_descriptors();
    let runtime = checked.and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
    runtime.map_err(|source| lacks("cannot wait for the network", source))
}

/// A number that differs from run to run, and that nobody can guess.
pub fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// The same of 16 bits, as an identifier on the wire has.
pub fn random_u16() -> u16 {
    let [low, high, ..] = random().to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The path of this program, for hints that name it.
pub fn program() -> String {
    std::env::current_exe().map_or_else(|_| "netdiag".to_owned(), |path| path.display().to_string())
}

/// Something with a socket inside.
#[cfg(unix)]
pub use std::os::fd::AsFd as AsSocket;
/// Something with a socket inside.
#[cfg(windows)]
pub use std::os::windows::io::AsSocket;
