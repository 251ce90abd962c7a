//! Binding, where that is asked for, or where it takes nothing from anybody.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Socket, Type};

use super::bindable::Candidate;
use crate::address::Family;
use crate::sys::{self, InetSocket, TcpState, Transport};

/// Binds a candidate's wildcard address and gives it up again.
pub(super) fn bind(candidate: Candidate, port: u16) -> io::Result<()> {
    let socket = open(candidate.family, candidate.transport)?;
    let address: IpAddr = match candidate.family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => {
            socket.set_only_v6(candidate.is_v6only)?;
            Ipv6Addr::UNSPECIFIED.into()
        }
    };
    socket.set_reuse_address(candidate.reuse_address)?;
    socket.bind(&SocketAddr::from((address, port)).into())
}

/// Whether an IPv6 socket leaves IPv4 alone unless it is told otherwise; `None` where the system has no IPv6.
pub(super) fn v6only_by_default() -> Option<bool> {
    open(Family::Ipv6, Transport::Tcp).and_then(|socket| socket.only_v6()).ok()
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

/// Whether a TCP socket that does not listen has SO_REUSEADDR set, which no table of the kernel says, and of a connection
/// in TIME-WAIT nothing else could: asked by binding beside it, with SO_REUSEADDR, the very address it has.
///
/// That takes nothing from anybody. While the socket is there nobody else can bind that address but with SO_REUSEADDR,
/// and who does is not hindered by another socket that has it too and does not listen; nor does anything arrive at a TCP
/// socket that does not listen. A UDP socket beside another would be sent its packets, so it is not asked so.
///
/// `None` if the answer is something else than yes or no.
pub(super) fn shares_address(socket: &InetSocket) -> Option<bool> {
    if socket.transport != Transport::Tcp || socket.state == TcpState::Listen {
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
