//! ICMP echo on the wire: requests, replies, errors and what they quote.
//!
//! `ICMP` is RFC 792, `ICMPv6` RFC 4443. Nothing here knows a socket, and nothing panics, whatever the bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::Family;

/// The bytes of an echo message before its body.
pub const HEADER_BYTES: usize = 8;
/// The least bytes of an IPv4 header.
const IPV4_HEADER_BYTES: usize = 20;
/// The bytes of an IPv6 header without extensions.
const IPV6_HEADER_BYTES: usize = 40;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
/// The protocol numbers of IANA.
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_ICMPV6: u8 = 58;

/// An echo message, request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Which sender it belongs to.
    pub ident: u16,
    /// Which of the sender's messages it is.
    pub sequence: u16,
    /// What it carries.
    pub body: &'a [u8],
}

/// An ICMP message, as far as a pinger cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// An echo request.
    Request(Echo<'a>),
    /// An echo reply.
    Reply(Echo<'a>),
    /// An error, or a redirect.
    Error {
        /// Its type.
        icmp_type: u8,
        /// Its code.
        code: u8,
        /// The MTU of the next hop, where it tells one (RFC 1191, RFC 4443 3.2).
        mtu: Option<u32>,
        /// The packet it is about, from its IP header on, as far as it was quoted.
        quote: &'a [u8],
    },
    /// Something else.
    Other,
}

/// The echo request that an error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Whom it went to.
    pub to: IpAddr,
    /// The request, its body as far as it was quoted.
    pub echo: Echo<'a>,
}

impl<'a> Echo<'a> {
    /// The bytes this message takes: its header and its body.
    pub fn buffer_len(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// Appends this message as a request, with the checksum over IPv4; over IPv6 the kernel sets it, which
    /// knows the addresses it covers.
    pub fn emit_request(&self, family: Family, out: &mut Vec<u8>) {
        self.emit(family, if family == Family::Ipv4 { ECHO_REQUEST } else { ECHO_REQUEST_V6 }, out);
    }

    /// Appends this message as a reply, likewise.
    pub fn emit_reply(&self, family: Family, out: &mut Vec<u8>) {
        self.emit(family, if family == Family::Ipv4 { ECHO_REPLY } else { ECHO_REPLY_V6 }, out);
    }

    fn emit(&self, family: Family, icmp_type: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([icmp_type, 0, 0, 0]);
        out.extend(self.ident.to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.body);
        if family == Family::Ipv4 {
            let sum = checksum(&out[start..]).to_be_bytes();
            out[start + 2..start + 4].copy_from_slice(&sum);
        }
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
        let word = |at: usize| Some(u16::from_be_bytes([*header.get(at)?, *header.get(at + 1)?]));
        Some(Self { ident: word(4)?, sequence: word(6)?, body })
    }
}

impl<'a> Message<'a> {
    /// Parses a message from its ICMP header on; `None` if it is too short to have one.
    pub fn parse(family: Family, bytes: &'a [u8]) -> Option<Self> {
        let echo = Echo::parse(bytes)?;
        let (icmp_type, code) = (*bytes.first()?, *bytes.get(1)?);
        let word = bytes.get(4..8).and_then(|word| word.try_into().ok()).map(u32::from_be_bytes)?;
        Some(match (family, icmp_type) {
            (Family::Ipv4, ECHO_REPLY) | (Family::Ipv6, ECHO_REPLY_V6) if code == 0 => Self::Reply(echo),
            (Family::Ipv4, ECHO_REQUEST) | (Family::Ipv6, ECHO_REQUEST_V6) if code == 0 => {
                Self::Request(echo)
            }
            (Family::Ipv4, 3 | 4 | 5 | 11 | 12) | (Family::Ipv6, 1..=4) => {
                let mtu = match (family, icmp_type, code) {
                    (Family::Ipv4, 3, 4) => Some(word & 0xffff),
                    (Family::Ipv6, 2, _) => Some(word),
                    _ => None,
                };
                Self::Error { icmp_type, code, mtu: mtu.filter(|mtu| *mtu > 0), quote: echo.body }
            }
            // A redirect's two addresses stand before the quote, which is an option here: not looked at.
            (Family::Ipv6, 137) => Self::Error { icmp_type, code, mtu: None, quote: &[] },
            _ => Self::Other,
        })
    }
}

impl<'a> Quoted<'a> {
    /// Parses the packet that an error quotes, from its IP header on; `None` unless it is an echo request with
    /// its whole ICMP header.
    pub fn parse(family: Family, quote: &'a [u8]) -> Option<Self> {
        let (to, icmp) = match family {
            Family::Ipv4 => {
                let (header, icmp) = ipv4(quote)?;
                (header.protocol == PROTOCOL_ICMP).then_some((IpAddr::V4(header.to), icmp))?
            }
            Family::Ipv6 => {
                let (header, icmp) = quote.split_at_checked(IPV6_HEADER_BYTES)?;
                let is_icmp = header.first()? >> 4 == 6 && *header.get(6)? == PROTOCOL_ICMPV6;
                let to = <[u8; 16]>::try_from(header.get(24..40)?).ok()?;
                is_icmp.then_some((IpAddr::V6(Ipv6Addr::from(to)), icmp))?
            }
        };
        Self::parse_icmp(family, to, icmp)
    }

    /// Parses what is quoted from its ICMP header on, where the IP header has been taken off.
    pub fn parse_icmp(family: Family, to: IpAddr, icmp: &'a [u8]) -> Option<Self> {
        match Message::parse(family, icmp)? {
            Message::Request(echo) => Some(Self { to, echo }),
            _ => None,
        }
    }
}

/// What is read of an IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Header {
    /// The remaining time to live.
    pub ttl: u8,
    /// The protocol of what it carries.
    pub protocol: u8,
    /// Who sent it.
    pub from: Ipv4Addr,
    /// Whom it went to.
    pub to: Ipv4Addr,
}

/// Splits an IPv4 packet, whole or cut short behind its header, into what is read of its header and what it
/// carries; `None` if there is no whole header.
pub fn ipv4(packet: &[u8]) -> Option<(Ipv4Header, &[u8])> {
    let first = *packet.first()?;
    let length = usize::from(first & 0xf) * 4;
    if first >> 4 != 4 || length < IPV4_HEADER_BYTES {
        return None;
    }
    let (header, carried) = packet.split_at_checked(length)?;
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(header.get(at..at + 4)?).ok()?));
    let (ttl, protocol) = (*header.get(8)?, *header.get(9)?);
    Some((Ipv4Header { ttl, protocol, from: address(12)?, to: address(16)? }, carried))
}

/// The internet checksum (RFC 1071) of bytes; 0 over bytes that hold their right checksum.
pub fn checksum(bytes: &[u8]) -> u16 {
    let (words, rest) = bytes.as_chunks::<2>();
    let mut sum: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    sum += rest.first().map_or(0, |last| u64::from(*last) << 8);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_rfc_792_says() {
        let echo = Echo { ident: 0x1234, sequence: 7, body: b"abc" };
        let mut bytes = Vec::new();
        echo.emit_request(Family::Ipv4, &mut bytes);
        assert_eq!(bytes.len(), echo.buffer_len());
        assert_eq!((bytes[0], bytes[1], checksum(&bytes)), (8, 0, 0), "the checksum is right");
        assert_eq!(Message::parse(Family::Ipv4, &bytes), Some(Message::Request(echo)));
        // RFC 1071, 3: the worked example.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_error_tells_its_mtu_and_whom_it_is_about() {
        let mut request = Vec::new();
        Echo { ident: 1, sequence: 2, body: &[9; 20] }.emit_request(Family::Ipv4, &mut request);
        let mut packet =
            vec![0x45, 0, 0, 48, 0, 0, 0x40, 0, 64, PROTOCOL_ICMP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend(&request);
        let mut error = vec![3, 4, 0, 0, 0, 0, 0x05, 0x14];
        error.extend(&packet);
        let Some(Message::Error { icmp_type: 3, code: 4, mtu: Some(1300), quote }) =
            Message::parse(Family::Ipv4, &error)
        else {
            panic!("no error");
        };
        let quoted = Quoted::parse(Family::Ipv4, quote).expect("an echo request");
        assert_eq!((quoted.to, quoted.echo.sequence), (Ipv4Addr::new(10, 0, 0, 2).into(), 2));
        // Cut to what RFC 792 has a router quote at least: 8 bytes behind the IP header.
        let short = Quoted::parse(Family::Ipv4, &quote[..28]).expect("an echo request");
        assert_eq!((short.echo.sequence, short.echo.body), (2, &[][..]));
        assert_eq!(Quoted::parse(Family::Ipv4, &quote[..27]), None);
        let mut udp = packet.clone();
        udp[9] = 17;
        assert_eq!(Quoted::parse(Family::Ipv4, &udp), None, "an error about UDP is not about a ping");
    }
}
