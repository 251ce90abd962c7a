//! How a user writes a host: a name, an address, an address with a zone, and each with a port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::Family;

/// A host as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name that still has to be resolved.
    Name(HostName),
    /// An address, with the zone after `%` if there was one.
    Address {
        /// The address.
        ip: IpAddr,
        /// The zone: an interface's name or index.
        zone: Option<String>,
    },
}

/// A name that could be a host's: at most 253 bytes, labels of 1 to 63 (RFC 1035, 2.3.4), nothing invisible.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(String);

/// Why a text is not a host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// There is no text.
    #[error("a host is missing: write a name, an IPv4 or an IPv6 address")]
    Empty,
    /// It is a URL.
    #[error("this is a URL; write only its host{0}")]
    Url(&'static str),
    /// It ends in a number and is not an IPv4 address.
    #[error("not an IPv4 address: it needs four numbers from 0 to 255 separated by dots")]
    NotIpv4,
    /// It has colons and is not an IPv6 address.
    #[error("not an IPv6 address{0}")]
    NotIpv6(&'static str),
    /// A zone without a link-local IPv6 address before it, or none after the `%`.
    #[error("a zone (%INTERFACE) follows an IPv6 address, such as fe80::1%eth0")]
    Zone,
    /// It holds a character no host name has.
    #[error("a host name cannot contain {0:?}: only letters, digits, '-', '_' and '.'")]
    Character(char),
    /// A label is empty or too long.
    #[error("each label of a host name has 1 to 63 characters, the whole name at most 253")]
    Length,
    /// The port is missing.
    #[error("a port is missing: write HOST:PORT, with an IPv6 address in brackets, such as [::1]:7")]
    PortMissing,
    /// The port is not one.
    #[error("'{0}' is not a port: a number from {1} to 65535")]
    Port(String, u16),
    /// A range of ports that is none.
    #[error(
        "'{0}' is not a port range: write FROM-TO, the smaller first, or ports separated by commas, each 1 to 65535"
    )]
    PortRange(String),
    /// Brackets that do not match, or with something else than IPv6 inside.
    #[error("brackets enclose an IPv6 address before the port, such as [::1]:7")]
    Brackets,
}

impl Host {
    /// The family, where the text decides it.
    pub fn family(&self) -> Option<Family> {
        match self {
            Self::Name(_) => None,
            Self::Address { ip, .. } => Some(Family::of(*ip)),
        }
    }
}

impl Host {
    /// Whether it is an address that is only unique on one link, without saying which (RFC 4007, 11).
    pub fn lacks_zone(&self) -> bool {
        match self {
            Self::Address { ip: IpAddr::V6(ip), zone: None } => {
                // Link-local unicast, and multicast of interface-local or link-local scope.
                ip.is_unicast_link_local() || matches!(ip.segments()[0], 0xff01 | 0xff02)
            }
            _ => false,
        }
    }
}

impl HostName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if text.contains("://") {
            return Err(HostError::Url(""));
        }
        if let Some((address, zone)) = text.split_once('%') {
            let ip: Ipv6Addr = address.parse().map_err(|_| HostError::Zone)?;
            if zone.is_empty() {
                return Err(HostError::Zone);
            }
            return Ok(Self::Address { ip: ip.into(), zone: Some(zone.to_owned()) });
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            // What is sent to an IPv4-mapped address goes out as IPv4 (RFC 4291, 2.5.5.2).
            return Ok(Self::Address { ip: ip.to_canonical(), zone: None });
        }
        if text.starts_with('[') {
            return Err(HostError::NotIpv6("; without a port, write it without brackets"));
        }
        if text.matches(':').count() == 1 {
            return Err(HostError::NotIpv6("; no port is expected here"));
        }
        if text.contains(':') {
            return Err(HostError::NotIpv6(""));
        }
        if ends_in_number(text) {
            let ip = ipv4_as_inet_aton(text).ok_or(HostError::NotIpv4)?;
            return Ok(Self::Address { ip: ip.into(), zone: None });
        }
        HostName::from_str(text).map(Self::Name)
    }
}

impl FromStr for HostName {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let is_out_of_place = |c: &char| !c.is_alphanumeric() && !"-_.".contains(*c);
        if let Some(c) = text.chars().find(is_out_of_place) {
            return Err(HostError::Character(c));
        }
        let labels = text.strip_suffix('.').unwrap_or(text);
        if labels.len() > 253 || labels.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(HostError::Length);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether the last label is a number, which no top-level domain is (RFC 3696, 2).
fn ends_in_number(text: &str) -> bool {
    let last = text.strip_suffix('.').unwrap_or(text).rsplit('.').next().unwrap_or_default();
    !last.is_empty() && (last.bytes().all(|b| b.is_ascii_digit()) || number(last).is_some())
}

/// The short and the odd spellings that `ping` has always taken (`inet_aton(3)`): 127.1, 0x7f.0.0.1, 2130706433.
fn ipv4_as_inet_aton(text: &str) -> Option<Ipv4Addr> {
    let parts = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|part| *part > 0xff) {
        return None;
    }
    let room = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if u64::from(*last) >> room != 0 {
        return None;
    }
    let high = leading.iter().enumerate().fold(0, |sum, (index, part)| sum | part << (24 - 8 * index));
    Some(Ipv4Addr::from(high | last))
}

/// A number as C writes it: decimal, octal after 0, hexadecimal after 0x.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.starts_with(['+', '-']) { None } else { u32::from_str_radix(digits, radix).ok() }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(&name.0),
            Self::Address { ip, zone: Some(zone) } => write!(f, "{ip}%{zone}"),
            Self::Address { ip, zone: None } => write!(f, "{ip}"),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A host and a port as they were written: `name:80`, `127.0.0.1:80`, `[fe80::1%eth0]:80`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, 0 to 65535.
    pub port: u16,
}

impl HostPort {
    /// Parses a host and a port to connect to: a port of 0 is refused.
    pub fn to_connect(text: &str) -> Result<Self, HostError> {
        Self::parse(text, 1)
    }

    /// Parses a host and a port to listen on: 0 lets the system choose. A port alone is one of the loopback's.
    pub fn to_listen(text: &str) -> Result<Self, HostError> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let host = Host::Address { ip: Ipv4Addr::LOCALHOST.into(), zone: None };
            return Ok(Self { host, port: parse_port(text, 0)? });
        }
        Self::parse(text, 0)
    }

    fn parse(text: &str, least_port: u16) -> Result<Self, HostError> {
        let (host, port) = split(text)?;
        Ok(Self { host, port: parse_port(port, least_port)? })
    }
}

/// A host and the ports on it to connect to, as they were written: `name:80`, `[::1]:20-25,80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPorts {
    /// The host.
    pub host: Host,
    /// The first and the last port of each range, in the order they were written.
    ranges: Vec<(u16, u16)>,
    written: String,
}

impl HostPorts {
    /// Parses a host and its ports, none of which can be 0.
    pub fn to_connect(text: &str) -> Result<Self, HostError> {
        let (host, ports) = split(text)?;
        let ranges = if ports.contains(['-', ',']) {
            let one = |part: &str| {
                let (from, to) = part.split_once('-').unwrap_or((part, part));
                let range = (parse_port(from, 1).ok()?, parse_port(to, 1).ok()?);
                (range.0 <= range.1).then_some(range)
            };
            let ranges: Option<Vec<_>> = ports.split(',').map(one).collect();
            ranges.ok_or_else(|| HostError::PortRange(ports.to_owned()))?
        } else {
            let port = parse_port(ports, 1)?;
            vec![(port, port)]
        };
        let ports = ports.to_owned();
        let written = if host.family() == Some(Family::Ipv6) {
            format!("[{host}]:{ports}")
        } else {
            format!("{host}:{ports}")
        };
        Ok(Self { host, ranges, written })
    }

    /// Every port once, in the order they were written.
    pub fn ports(&self) -> Vec<u16> {
        let mut seen = std::collections::HashSet::new();
        self.ranges.iter().flat_map(|(from, to)| *from..=*to).filter(|port| seen.insert(*port)).collect()
    }

    /// The port, if there is only one.
    pub fn only_port(&self) -> Option<u16> {
        match self.ranges.as_slice() {
            [(from, to)] if from == to => Some(*from),
            _ => None,
        }
    }
}

impl fmt::Display for HostPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Takes apart a host and what stands for its port.
fn split(text: &str) -> Result<(Host, &str), HostError> {
    if text.contains("://") {
        return Err(HostError::Url(" and port, as in example.org:80"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(HostError::Brackets)?;
            let port = match after.strip_prefix(':') {
                Some(port) => port,
                None if after.is_empty() => return Err(HostError::PortMissing),
                None => return Err(HostError::Brackets),
            };
            (host, port)
        }
        // Two colons or more without brackets: an IPv6 address whose port nobody can tell from it.
        None if text.matches(':').count() > 1 => return Err(HostError::PortMissing),
        None => text.rsplit_once(':').ok_or(HostError::PortMissing)?,
    };
    if port.is_empty() {
        return Err(HostError::PortMissing);
    }
    // An IPv4-mapped address is IPv6 as it is written, and IPv4 as it is used.
    if text.starts_with('[') && !host.contains(':') {
        return Err(HostError::Brackets);
    }
    let host: Host = host.parse()?;
    Ok((host, port))
}

fn parse_port(port: &str, least_port: u16) -> Result<u16, HostError> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port >= least_port => Ok(port),
        _ => Err(HostError::Port(port.to_owned(), least_port)),
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.family() {
            Some(Family::Ipv6) => write!(f, "[{}]:{}", self.host, self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Serialize for HostPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Host {
        Host::Address { ip: text.parse().expect(text), zone: None }
    }

    #[test]
    fn hosts_of_every_kind() {
        for (text, host) in [
            ("127.0.0.1", ip("127.0.0.1")),
            ("127.1", ip("127.0.0.1")),
            ("0x7f.0.0.1", ip("127.0.0.1")),
            ("2130706433", ip("127.0.0.1")),
            ("010.0.0.1", ip("8.0.0.1")),
            ("::1", ip("::1")),
            ("::ffff:192.0.2.1", ip("192.0.2.1")),
            ("localhost", Host::Name(HostName("localhost".into()))),
            ("example.org.", Host::Name(HostName("example.org.".into()))),
            ("_srv.bücher.example", Host::Name(HostName("_srv.bücher.example".into()))),
        ] {
            assert_eq!(text.parse(), Ok(host), "{text}");
        }
        let scoped = Host::Address { ip: "fe80::1".parse().unwrap(), zone: Some("eth0".into()) };
        assert_eq!("fe80::1%eth0".parse(), Ok(scoped));
    }

    #[test]
    fn what_is_no_host_says_why() {
        for (text, error) in [
            ("", HostError::Empty),
            ("http://example.org/", HostError::Url("")),
            ("256.1.1.1", HostError::NotIpv4),
            ("1.2.3.4.5", HostError::NotIpv4),
            ("1.2.3.", HostError::NotIpv4),
            ("1..2", HostError::NotIpv4),
            ("::g", HostError::NotIpv6("")),
            ("example.org:80", HostError::NotIpv6("; no port is expected here")),
            ("10.0.0.1%eth0", HostError::Zone),
            ("fe80::1%", HostError::Zone),
            ("a b", HostError::Character(' ')),
            ("a\x1b[31m", HostError::Character('\x1b')),
            ("user@host", HostError::Character('@')),
            ("a..b", HostError::Length),
            (".", HostError::Length),
        ] {
            assert_eq!(text.parse::<Host>(), Err(error), "{text:?}");
        }
        assert_eq!(format!("{}.org", "a".repeat(64)).parse::<Host>(), Err(HostError::Length));
    }

    #[test]
    fn ports_after_hosts() {
        let parsed = |text| HostPort::to_connect(text).map(|parsed| parsed.to_string());
        for text in ["localhost:7", "127.0.0.1:65535", "[::1]:80", "[fe80::1%eth0]:443"] {
            assert_eq!(parsed(text).as_deref(), Ok(text));
        }
        for (text, error) in [
            ("localhost", HostError::PortMissing),
            ("localhost:", HostError::PortMissing),
            ("::1:80", HostError::PortMissing),
            ("[::1]", HostError::PortMissing),
            ("[::1:80", HostError::Brackets),
            ("[::1]80", HostError::Brackets),
            ("[127.0.0.1]:80", HostError::Brackets),
            (":80", HostError::Empty),
            ("h:65536", HostError::Port("65536".into(), 1)),
            ("h:-1", HostError::Port("-1".into(), 1)),
            ("h:+1", HostError::Port("+1".into(), 1)),
            ("h:http", HostError::Port("http".into(), 1)),
            ("h:0", HostError::Port("0".into(), 1)),
        ] {
            assert_eq!(HostPort::to_connect(text), Err(error), "{text}");
        }
        assert_eq!(HostPort::to_listen("127.0.0.1:0").map(|parsed| parsed.port), Ok(0));
    }
}
