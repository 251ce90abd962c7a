//! Frames of one link (`packet(7)`), for which CAP_NET_RAW is needed: who answers ARP, and who uses whose address.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::sys::{ArpSeen, FrameSeen};

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV4: u16 = 0x0800;
/// The bytes of a frame that are looked at: an Ethernet header and an ARP packet.
const LOOKED_AT: usize = 42;

/// A watch on one link.
pub struct FrameWatch {
    socket: Socket,
    index: u32,
}

impl FrameWatch {
    /// Opens a watch on whatever comes in on a link.
    ///
    /// Errors: CAP_NET_RAW is missing.
    pub fn open(index: u32) -> io::Result<Self> {
        // Without a protocol it hears nothing until it is bound: to take it off all links first, the kernel would wait until
        // every processor has noticed (`packet_do_bind`, net/packet/af_packet.c).
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None)?;
        let watch = Self { socket, index };
        let address = watch.address([0xff; 6]);
        let length = libc::socklen_t::try_from(size_of_val(&address)).expect("20 bytes");
        // SAFETY: `address` is a `sockaddr_ll` of that length.
        let bound = unsafe { libc::bind(watch.socket.as_raw_fd(), (&raw const address).cast(), length) };
        if bound == 0 { Ok(watch) } else { Err(io::Error::last_os_error()) }
    }

    /// Asks everybody on the link who has an address (RFC 826); from 0.0.0.0 it is a probe (RFC 5227, 2.1.1), which
    /// nobody learns anything from.
    ///
    /// Errors: it cannot be sent.
    pub fn ask(&self, own_mac: [u8; 6], own: Ipv4Addr, whose: Ipv4Addr) -> io::Result<()> {
        let mut frame = Vec::with_capacity(LOOKED_AT);
        frame.extend([0xff; 6]);
        frame.extend(own_mac);
        frame.extend(ETHERTYPE_ARP.to_be_bytes());
        frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend(own_mac);
        frame.extend(own.octets());
        frame.extend([0; 6]);
        frame.extend(whose.octets());
        let to = self.address([0xff; 6]);
        let length = libc::socklen_t::try_from(size_of_val(&to)).expect("20 bytes");
        // SAFETY: both pointers lead to live memory of the length beside them.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
                (&raw const to).cast(),
                length,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for the next frame that somebody else sent, until a moment.
    pub fn next(&self, until: Instant) -> Option<FrameSeen> {
        loop {
            let mut bytes = [0_u8; LOOKED_AT];
            let mut from = self.address([0; 6]);
            let mut length = libc::socklen_t::try_from(size_of_val(&from)).expect("20 bytes");
            // SAFETY: each pointer leads to a live buffer of the length beside it.
            let received = unsafe {
                libc::recvfrom(
                    self.socket.as_raw_fd(),
                    bytes.as_mut_ptr().cast(),
                    bytes.len(),
                    libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                    (&raw mut from).cast(),
                    &raw mut length,
                )
            };
            if received < 0 {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                super::wait_readable(&self.socket, left.min(Duration::from_millis(50)));
                continue;
            }
            if from.sll_pkttype == libc::PACKET_OUTGOING {
                // The bound holds for a link that is never quiet, too.
                if Instant::now() >= until {
                    return None;
                }
                continue;
            }
            let length = usize::try_from(received).unwrap_or(0).min(bytes.len());
            if let Some(seen) = parse_frame(&bytes[..length]) {
                return Some(seen);
            }
            if Instant::now() >= until {
                return None;
            }
        }
    }

    fn address(&self, mac: [u8; 6]) -> libc::sockaddr_ll {
        let mut hardware = [0; 8];
        hardware[..6].copy_from_slice(&mac);
        libc::sockaddr_ll {
            sll_family: u16::try_from(libc::AF_PACKET).expect("families are small numbers"),
            sll_protocol: u16::try_from(libc::ETH_P_ALL).expect("small").to_be(),
            sll_ifindex: self.index.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: hardware,
        }
    }
}

/// Parses an Ethernet frame as far as it matters; `None` if it is cut short. Never panics, whatever the bytes.
pub fn parse_frame(bytes: &[u8]) -> Option<FrameSeen> {
    let mac = |at: usize| <[u8; 6]>::try_from(bytes.get(at..at + 6)?).ok();
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let ip = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?));
    let (frame_destination, frame_source) = (mac(0)?, mac(6)?);
    match word(12)? {
        ETHERTYPE_IPV4 => {
            let (source, destination) = (ip(26)?, ip(30)?);
            return Some(FrameSeen::Ipv4 { frame_source, frame_destination, source, destination });
        }
        // Ethernet, IPv4, and their lengths.
        ETHERTYPE_ARP if bytes.get(14..20)? == [0, 1, 8, 0, 6, 4] => {}
        _ => return Some(FrameSeen::Other(frame_source)),
    }
    let sender = ip(28)?;
    Some(FrameSeen::Arp(ArpSeen { frame_source, sender_mac: mac(22)?, sender, is_reply: word(20)? == 2 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_who_has_the_address() {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2];
        frame.extend([2, 0, 0, 0, 0, 9, 10, 0, 0, 9, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
        let mac = [2, 0, 0, 0, 0, 9];
        let seen = ArpSeen {
            frame_source: mac,
            sender_mac: mac,
            sender: Ipv4Addr::new(10, 0, 0, 9),
            is_reply: true,
        };
        assert_eq!(parse_frame(&frame), Some(FrameSeen::Arp(seen)));
        for cut in 0..frame.len() {
            let _ = parse_frame(&frame[..cut]);
        }
    }
}
