//! What only Linux tells: everywhere else these say so.

use std::io;
use std::net::IpAddr;

use socket2::Socket;

use super::{AsSocket, IcmpError, TcpInfo};
use crate::address::Family;

pub(super) fn neighbours() -> io::Result<Vec<(u32, IpAddr)>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn keep_icmp_errors(_: &Socket, _: Family, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn take_icmp_error(_: &Socket) -> Option<IcmpError> {
    None
}

pub(super) fn tcp_info(_: &impl AsSocket) -> Option<TcpInfo> {
    None
}

pub(super) fn ping_group_range() -> Option<String> {
    None
}

pub(super) fn is_output_closed() -> bool {
    false
}
