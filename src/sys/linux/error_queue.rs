//! The socket error queue (`ip(7)`, IP_RECVERR): who sent an ICMP error, without privilege.

use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use socket2::Socket;

use super::super::IcmpError;
use super::control::{Control, Extras};
use crate::address::Family;

pub(in crate::sys) fn keep_icmp_errors(socket: &Socket, family: Family, keep: bool) -> io::Result<()> {
    let (level, option) = match family {
        Family::Ipv4 => (libc::SOL_IP, libc::IP_RECVERR),
        Family::Ipv6 => (libc::SOL_IPV6, libc::IPV6_RECVERR),
    };
    super::set_option(socket, level, option, keep.into())
}

pub(in crate::sys) fn take_icmp_error(socket: &Socket) -> Option<IcmpError> {
    take_icmp_quote(socket).map(|(error, _)| error)
}

/// The same, with as much of what the message carried as was quoted.
pub(in crate::sys) fn take_icmp_quote(socket: &Socket) -> Option<(IcmpError, Vec<u8>)> {
    let mut data = [0_u8; 64];
    let mut control = Control::default();
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    // SAFETY: all-zero bytes are a valid `msghdr`: null pointers and zero lengths.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    // SAFETY: every pointer in `message` leads to a live buffer of the length beside it.
    let received = unsafe {
        libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)
    };
    if received < 0 {
        return None;
    }
    let length = usize::try_from(received).unwrap_or(0).min(data.len());
    match Extras::of(&message).kept {
        Some(Kept::Icmp(error)) => Some((error, data[..length].to_vec())),
        _ => None,
    }
}

/// What one entry of the error queue is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sys) enum Kept {
    /// An ICMP error.
    Icmp(IcmpError),
    /// This machine's own EMSGSIZE, with what would pass.
    Local { mtu: u32 },
    /// A send stamp.
    Stamp,
}

/// Parses `struct sock_extended_err` and the `sockaddr` of the offender behind it (`linux/errqueue.h`).
///
/// Never panics, whatever the bytes.
pub(in crate::sys) fn parse(bytes: &[u8]) -> Option<Kept> {
    const SO_EE_ORIGIN_LOCAL: u8 = 1;
    const SO_EE_ORIGIN_ICMP: u8 = 2;
    const SO_EE_ORIGIN_ICMP6: u8 = 3;
    const SO_EE_ORIGIN_TIMESTAMPING: u8 = 4;
    let (origin, icmp_type, icmp_code) = (*bytes.get(4)?, *bytes.get(5)?, *bytes.get(6)?);
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (errno, info, _) = (word(0)?, word(8)?, word(12)?);
    match origin {
        SO_EE_ORIGIN_ICMP | SO_EE_ORIGIN_ICMP6 => {
            let is_too_big = matches!(
                (origin, icmp_type, icmp_code),
                (SO_EE_ORIGIN_ICMP, 3, 4) | (SO_EE_ORIGIN_ICMP6, 2, 0)
            );
            Some(Kept::Icmp(IcmpError {
                from: bytes.get(16..).and_then(offender),
                icmp_type,
                icmp_code,
                mtu: is_too_big.then_some(info).filter(|mtu| *mtu > 0),
            }))
        }
        SO_EE_ORIGIN_LOCAL if errno == libc::EMSGSIZE.unsigned_abs() => Some(Kept::Local { mtu: info }),
        SO_EE_ORIGIN_TIMESTAMPING => Some(Kept::Stamp),
        _ => None,
    }
}

/// Parses what the kernel tells of an ICMP error, `struct sock_extended_err` and the sender's address behind it;
/// `None` if it tells of something else, or too little. Never panics, whatever the bytes.
pub fn parse_extended_error(bytes: &[u8]) -> Option<IcmpError> {
    match parse(bytes) {
        Some(Kept::Icmp(error)) => Some(error),
        _ => None,
    }
}

/// Parses a `sockaddr_in` or `sockaddr_in6`; AF_UNSPEC means the kernel does not know.
fn offender(sockaddr: &[u8]) -> Option<IpAddr> {
    let family = u16::from_ne_bytes(sockaddr.get(..2)?.try_into().ok()?);
    match i32::from(family) {
        libc::AF_INET => Some(<[u8; 4]>::try_from(sockaddr.get(4..8)?).ok()?.into()),
        libc::AF_INET6 => Some(<[u8; 16]>::try_from(sockaddr.get(8..24)?).ok()?.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_sender_and_a_timestamp_is_none() {
        let mut bytes = vec![0_u8; 32];
        bytes[4..7].copy_from_slice(&[2, 3, 13]);
        bytes[16..18].copy_from_slice(&u16::try_from(libc::AF_INET).unwrap().to_ne_bytes());
        bytes[20..24].copy_from_slice(&[10, 0, 0, 254]);
        let expected =
            IcmpError { from: Some([10, 0, 0, 254].into()), icmp_type: 3, icmp_code: 13, mtu: None };
        assert_eq!(parse(&bytes), Some(Kept::Icmp(expected)));
        bytes[4] = 4;
        assert_eq!(parse(&bytes), Some(Kept::Stamp));
        bytes[4] = 9;
        assert_eq!(parse(&bytes), None);
        for cut in 0..bytes.len() {
            let _ = parse(&bytes[..cut]);
        }
    }
}
