//! What the kernel knows of TCP connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

#[cfg(not(any(windows, target_os = "macos")))]
use super::kernel as listing;
#[cfg(any(windows, target_os = "macos"))]
use super::listening as listing;
use super::{AsSocket, kernel, system};

/// Whether the kernel's tables tell every socket that has a port, and so what can be bound.
pub const LISTS_EVERY_SOCKET: bool = cfg!(target_os = "linux");

/// A connection's state (RFC 9293, 3.3.2).
#[expect(missing_docs, reason = "the RFC's names say it all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl TcpState {
    /// The state's name, as `ss(8)` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECV",
            Self::Established => "ESTAB",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }
}

impl Serialize for TcpState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The kernel's own figures of a TCP connection; `None` where this kernel does not tell one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TcpInfo {
    /// The state.
    pub state: Option<TcpState>,
    /// The smoothed round-trip time in microseconds (RFC 6298).
    pub rtt_us: u32,
    /// Its variation in microseconds.
    pub rttvar_us: Option<u32>,
    /// The shortest round-trip time of the last minutes, in microseconds.
    pub min_rtt_us: Option<u32>,
    /// How long the kernel waits for an acknowledgement, in microseconds.
    pub rto_us: Option<u32>,
    /// Segments sent again since the connection began.
    pub retransmissions: Option<u32>,
    /// Segments sent and not yet acknowledged.
    pub unacked: Option<u32>,
    /// The largest segment sent, in bytes.
    pub mss_bytes: u32,
    /// The path's MTU in bytes.
    pub pmtu_bytes: Option<u32>,
    /// The congestion window in segments.
    pub cwnd_segments: u32,
    /// The slow-start threshold in segments; `None` before the first loss.
    pub ssthresh_segments: Option<u32>,
    /// How congestion is controlled.
    pub congestion_control: Option<String>,
    /// How fast the other end has acknowledged of late, in bytes a second.
    pub delivery_rate_bytes_per_s: Option<u64>,
    /// What the other end has room for, in bytes.
    pub send_window_bytes: Option<u32>,
    /// What this end says it has room for, in bytes.
    pub receive_window_bytes: Option<u32>,
    /// The room the receive buffer is tuned to, in bytes.
    pub receive_space_bytes: Option<u32>,
    /// How many bits the windows of the other end are shifted by (RFC 7323); `None` without scaling.
    pub send_window_scale: Option<u8>,
    /// How many bits the windows of this end are shifted by.
    pub receive_window_scale: Option<u8>,
    /// Whether both ends acknowledge selectively (RFC 2018).
    pub sack: Option<bool>,
    /// Whether both ends take part in congestion notification (RFC 3168).
    pub ecn: Option<bool>,
    /// Whether segments carry timestamps (RFC 7323).
    pub timestamps: Option<bool>,
    /// The segments that left, with and without data.
    pub segments_out: Option<u64>,
    /// The segments that came.
    pub segments_in: Option<u64>,
    /// The bytes the other end has acknowledged, of the SYN and the FIN one each.
    pub acknowledged_bytes: Option<u64>,
}

/// The buffers between a program and the network, in bytes; `None` where this system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TcpBuffers {
    /// The room of the send buffer (SO_SNDBUF), which the kernel may grow.
    pub send_bytes: Option<usize>,
    /// The room of the receive buffer (SO_RCVBUF), which the kernel may grow.
    pub receive_bytes: Option<usize>,
    /// What lies in the send buffer: not yet acknowledged by the other end.
    pub unacknowledged_bytes: Option<u32>,
    /// What lies in the receive buffer: not yet read by the program.
    pub unread_bytes: Option<u32>,
}

/// A socket of this machine as the kernel lists it, whoever's it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InetSocket {
    /// Whose ports it takes.
    pub transport: Transport,
    /// The state; of UDP `Established` or `Closed`, and of a TCP socket that is only bound `Closed`.
    pub state: TcpState,
    /// This end.
    pub local: SocketAddr,
    /// The other end; unspecified of a listener.
    pub remote: SocketAddr,
    /// The interface it is bound to, by index; 0 for any.
    pub interface: u32,
    /// Whether an IPv6 socket leaves IPv4 alone; `None` where that is not told, as of connections.
    pub v6only: Option<bool>,
    /// The bytes its program has not read; of a listener the connections that wait to be accepted.
    pub receive_queue: u32,
    /// The bytes the other end has not acknowledged; of a listener how many may wait.
    pub send_queue: u32,
    /// The time until its timer runs out: in TIME-WAIT, until the port is free.
    pub remaining: Option<Duration>,
    /// How often its latest segment has been sent again.
    pub retransmits: u8,
    /// The user it belongs to, where that is told.
    pub uid: Option<u32>,
    /// Its inode, by which its process is found; 0 while no program has it.
    pub inode: u32,
    /// The control group it was made in, by its id (`cgroups(7)`).
    pub cgroup: Option<u64>,
}

/// A transport protocol whose ports programs hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Transport {
    /// The protocol's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A process that has a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name, as bytes.
    pub name: Vec<u8>,
    /// Its command line, as bytes, with spaces between; empty where it is not told.
    pub command: Vec<u8>,
    /// The path of its control group.
    pub control_group: Option<Vec<u8>>,
    /// Its network namespace, by the inode; `None` where this user may not see it.
    pub netns: Option<u64>,
    /// The process that started it; `None` where it is not told.
    pub parent: Option<u32>,
    /// Its user; `None` where it is not told.
    pub uid: Option<u32>,
}

/// A process with those of the wanted sockets that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub process: Process,
    /// The inode of each socket, and the descriptor that leads to it.
    pub sockets: Vec<(u32, i32)>,
}

/// What is set of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// SO_REUSEADDR.
    pub reuse_address: bool,
    /// IPV6_V6ONLY; `None` of IPv4.
    pub v6only: Option<bool>,
}

/// Who has sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// The processes that have any, by pid.
    pub processes: Vec<Owner>,
    /// Whether every process could be looked into; if not, a socket of nobody here is of one of the others.
    pub is_complete: bool,
}

/// The kernel's own figures of a TCP connection, where it tells them.
pub fn tcp_info<S: AsSocket>(socket: &S) -> Option<TcpInfo> {
    system::tcp_info(socket)
}

/// The sizes of a connection's two buffers and what lies in them.
pub fn tcp_buffers<S: AsSocket>(socket: &S) -> TcpBuffers {
    let sizes = socket2::SockRef::from(socket);
    let (unacknowledged_bytes, unread_bytes) = kernel::tcp_queues(socket);
    TcpBuffers {
        send_bytes: sizes.send_buffer_size().ok(),
        receive_bytes: sizes.recv_buffer_size().ok(),
        unacknowledged_bytes,
        unread_bytes,
    }
}

/// The socket of this machine with these two ends, even one that has left its program behind; `None` if there is
/// none.
///
/// Errors: the system does not tell.
pub fn tcp_socket(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<InetSocket>> {
    kernel::tcp_socket(local, remote)
}

/// The TCP sockets of this machine on a local port, or with a remote one; 0 stands for any.
///
/// Errors: the system does not tell.
pub fn tcp_sockets(local_port: u16, remote_port: u16) -> io::Result<Vec<InetSocket>> {
    kernel::tcp_sockets(local_port, remote_port)
}

/// What is known of a process, whoever's it is; `None` where it is not told, or there is none.
pub fn process(pid: u32) -> Option<Process> {
    kernel::process(pid)
}

/// How many connections of this machine are in TIME-WAIT, where it is told.
pub fn time_wait_count() -> Option<u64> {
    kernel::time_wait_count()
}

/// The sockets of this machine that have a port from the first to the last; `only_servers` leaves out what is connected, closing, or
/// bound and nothing else.
///
/// Errors: the system does not tell.
pub fn port_sockets(
    transport: Transport,
    ports: (u16, u16),
    only_servers: bool,
) -> io::Result<Vec<InetSocket>> {
    listing::port_sockets(transport, ports, only_servers)
}

/// Whether this system lists TCP sockets that are bound and do nothing else; `None` where it lists none at all.
pub fn lists_bound_sockets() -> Option<bool> {
    kernel::lists_bound_sockets()
}

/// The processes that have sockets, by the sockets' inodes, as far as this user may look into them.
pub fn owners(inodes: &[u32]) -> Owners {
    listing::owners(inodes)
}

/// The network namespace this process is in, by its inode; `None` where there is none.
pub fn own_netns() -> Option<u64> {
    kernel::own_netns()
}

/// The name that `ip netns` has given to a network namespace.
pub fn netns_name(inode: u64) -> Option<Vec<u8>> {
    kernel::netns_name(inode)
}

/// The paths of control groups, by their ids, as far as they can be found.
pub fn control_groups(ids: &[u64]) -> Vec<(u64, Vec<u8>)> {
    kernel::control_groups(ids)
}

/// What is set of a socket of another process; `None` where this user may not see it, or it is gone.
pub fn socket_options(pid: u32, descriptor: i32, inode: u32) -> Option<SocketOptions> {
    kernel::socket_options(pid, descriptor, inode)
}

/// Whether this process may bind privileged ports; `None` where that cannot be told.
pub fn may_bind_privileged() -> Option<bool> {
    kernel::may_bind_privileged()
}

/// Lets the sleeps of this thread end as precisely as the system can; by default Linux groups those of 50 µs.
pub fn sleep_precisely() {
    kernel::sleep_precisely();
}
