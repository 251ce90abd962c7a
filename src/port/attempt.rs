//! Binding, where that is asked for, or where it takes nothing from anybody.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Socket, Type};

use super::bindable::Candidate;
use crate::address::Family;
use crate::sys::{self, InetSocket, TcpState, Transport};

/// Binds a candidate's wildcard address and gives it up again.
///
/// Errors: `Err(Untried)` if it could not even be tried; the inner error is the system's refusal to bind.
pub(super) fn bind(candidate: Candidate, port: u16) -> Result<io::Result<()>, Untried> {
    let socket = open(candidate.family, candidate.transport).map_err(Untried)?;
    let address: IpAddr = match candidate.family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => {
            socket.set_only_v6(candidate.is_v6only).map_err(Untried)?;
            Ipv6Addr::UNSPECIFIED.into()
        }
    };
    socket.set_reuse_address(candidate.reuse_address).map_err(Untried)?;
    Ok(socket.bind(&SocketAddr::from((address, port)).into()))
}

/// Why nothing could be tried: this machine gives no socket.
pub(super) struct Untried(pub(super) io::Error);

impl Untried {
    /// Whether that is because the system has no addresses of this family.
    pub(super) fn is_absent(&self) -> bool {
        is_absent(&self.0)
    }
}

fn is_absent(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    #[cfg(unix)]
    let code = libc::EAFNOSUPPORT;
    #[cfg(not(unix))]
    let code = windows_sys::Win32::Networking::WinSock::WSAEAFNOSUPPORT;
    error.raw_os_error() == Some(code)
}

/// What this system does with IPv6 sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ipv6 {
    /// They leave IPv4 alone unless they are told otherwise, or they do not.
    V6Only(bool),
    /// There are none.
    Absent,
    /// It could not be found out.
    Unknown,
}

/// What this system does with IPv6 sockets, asked of a new one.
pub(super) fn ipv6() -> Ipv6 {
    match open(Family::Ipv6, Transport::Tcp).and_then(|socket| socket.only_v6()) {
        Ok(v6only) => Ipv6::V6Only(v6only),
        Err(error) if is_absent(&error) => Ipv6::Absent,
        Err(_) => Ipv6::Unknown,
    }
}

fn open(family: Family, transport: Transport) -> io::Result<Socket> {
    let domain = match family {
        Family::Ipv4 => Domain::IPV4,
        Family::Ipv6 => Domain::IPV6,
    };
    let kind = match transport {
        Transport::Tcp => Type::STREAM,
        Transport::Udp => Type::DGRAM,
    };
    Socket::new(domain, kind, None)
}

/// Whether what is left of a TCP connection, or one whose process this user may not look into, has SO_REUSEADDR set, which no
/// table of the kernel says: asked by binding beside it, with SO_REUSEADDR, the very address it has.
///
/// While it is there nobody else can bind that address but with SO_REUSEADDR or, beside a TIME_WAIT, SO_REUSEPORT, and nothing
/// arrives at a socket that does not listen. So the only one whom this could hinder is who binds without SO_REUSEADDR within
/// the same few microseconds in which the connection is over. A socket that is bound and nothing else may be closed at any
/// time, and a UDP socket would share its packets: neither is asked so.
///
/// `None` if the answer is something else than yes or no.
pub(super) fn shares_address(socket: &InetSocket) -> Option<bool> {
    if socket.transport != Transport::Tcp || matches!(socket.state, TcpState::Listen | TcpState::Closed) {
        return None;
    }
    let local = match (socket.local.ip().to_canonical(), socket.local) {
        (IpAddr::V6(ip), SocketAddr::V6(local)) => {
            SocketAddr::V6(SocketAddrV6::new(ip, local.port(), 0, local.scope_id()))
        }
        (ip, local) => SocketAddr::new(ip, local.port()),
    };
    let beside = open(Family::of(local.ip()), Transport::Tcp).ok()?;
    if local.is_ipv6() {
        beside.set_only_v6(true).ok()?;
    }
    beside.set_reuse_address(true).ok()?;
    // The address may be gone from the machine, and what is left of its connections is not.
    sys::allow_foreign_address(&beside, Family::of(local.ip())).ok()?;
    match beside.bind(&local.into()) {
        Ok(()) => Some(true),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Some(false),
        Err(_) => None,
    }
}
