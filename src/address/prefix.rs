//! Prefixes: an address and how many of its bits are the network's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use super::Family;

/// A network: an address with its host bits cleared, and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    network: IpAddr,
    length: u8,
}

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// The part before the slash is no address.
    #[error("a prefix begins with an address, such as 10.0.0.0/24")]
    Address,
    /// The part after the slash is no length.
    #[error("the prefix length is 0 to {0}")]
    Length(u8),
}

impl Prefix {
    /// Makes the network an address is in; a length beyond the family's is cut to it.
    pub fn of(ip: IpAddr, length: u8) -> Self {
        match ip {
            IpAddr::V4(ip) => {
                let length = length.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Self { network: Ipv4Addr::from(u32::from(ip) & mask).into(), length }
            }
            IpAddr::V6(ip) => {
                let length = length.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Self { network: Ipv6Addr::from(u128::from(ip) & mask).into(), length }
            }
        }
    }

    /// Whether an address is in this network.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.network.is_ipv4() && Self::of(ip, self.length) == *self
    }

    /// The network's family.
    pub fn family(&self) -> Family {
        Family::of(self.network)
    }

    /// How many bits are the hosts': 0 to 128.
    pub fn host_bits(&self) -> u8 {
        let bits = if self.network.is_ipv4() { 32 } else { 128 };
        bits - self.length
    }

    /// The last address: of an IPv4 network of more than two the broadcast address.
    pub fn last(&self) -> IpAddr {
        let host_bits = 1_u128.checked_shl(self.host_bits().into()).unwrap_or(0).wrapping_sub(1);
        match self.network {
            IpAddr::V4(base) => {
                Ipv4Addr::from(u32::from(base) | u32::try_from(host_bits).unwrap_or(u32::MAX)).into()
            }
            IpAddr::V6(base) => Ipv6Addr::from(u128::from(base) | host_bits).into(),
        }
    }

    /// How many addresses hosts can have: an IPv4 network's without its first and last (RFC 919), except in a
    /// /31 (RFC 3021) and a /32; an IPv6 network's without the subnet-router anycast (RFC 4291, 2.6.1), except
    /// in a /127 (RFC 6164) and a /128.
    pub fn host_count(&self) -> u128 {
        let all = 1_u128.checked_shl(self.host_bits().into()).unwrap_or(u128::MAX);
        if all <= 2 { all } else { all - 1 - u128::from(self.network.is_ipv4()) }
    }

    /// The offset of the first host's address from the network's.
    fn first_host(&self) -> u32 {
        u32::from(self.host_bits() > 1)
    }

    /// The host of this index, from 0.
    pub fn host(&self, index: u32) -> Option<IpAddr> {
        Some(match self.network {
            IpAddr::V4(base) => {
                let all = 1_u64 << self.host_bits();
                let count = if all <= 2 { all } else { all - 2 };
                let is_there = u64::from(index) < count;
                Ipv4Addr::from(u32::from(base).checked_add(index + self.first_host()).filter(|_| is_there)?)
                    .into()
            }
            IpAddr::V6(_) if u128::from(index) >= self.host_count() => return None,
            IpAddr::V6(base) => {
                let offset = u128::from(index) + u128::from(self.first_host());
                Ipv6Addr::from(u128::from(base).checked_add(offset)?).into()
            }
        })
    }

    /// The index of a host by its address; `None` if it is no host of this network, or beyond 2^32.
    pub fn host_index(&self, ip: IpAddr) -> Option<u32> {
        if !self.contains(ip) {
            return None;
        }
        let offset = match (self.network, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => u128::from(u32::from(ip) - u32::from(base)),
            (IpAddr::V6(base), IpAddr::V6(ip)) => u128::from(ip) - u128::from(base),
            _ => return None,
        };
        let index = offset.checked_sub(self.first_host().into())?;
        u32::try_from(index).ok().filter(|_| index < self.host_count())
    }

    /// The addresses hosts can have, of a network with fewer than 2^32.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let network = *self;
        (0..u32::MAX).map_while(move |index| network.host(index))
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = text.split_once('/').ok_or(PrefixError::Address)?;
        let ip: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let is_number = length.bytes().all(|b| b.is_ascii_digit());
        match length.parse() {
            Ok(length) if is_number && length <= most => Ok(Self::of(ip, length)),
            _ => Err(PrefixError::Length(most)),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        text.parse::<Prefix>().expect(text).hosts().map(|ip| ip.to_string()).collect()
    }

    #[test]
    fn hosts_leave_out_what_is_no_host() {
        assert_eq!(hosts("10.0.0.5/30"), ["10.0.0.5", "10.0.0.6"]);
        assert_eq!(hosts("10.0.0.4/31"), ["10.0.0.4", "10.0.0.5"]);
        assert_eq!(hosts("10.0.0.4/32"), ["10.0.0.4"]);
        assert_eq!(hosts("2001:db8::/126"), ["2001:db8::1", "2001:db8::2", "2001:db8::3"]);
        assert_eq!(hosts("2001:db8::/127"), ["2001:db8::", "2001:db8::1"]);
        assert_eq!(hosts("10.0.0.0/16").len(), 65_534);
    }

    #[test]
    fn containing_is_by_family_and_bits() {
        let prefix: Prefix = "192.168.0.0/16".parse().unwrap();
        assert!(prefix.contains("192.168.255.1".parse().unwrap()));
        assert!(!prefix.contains("192.169.0.1".parse().unwrap()));
        assert!(!prefix.contains("::1".parse().unwrap()));
        assert!(Prefix::of("::".parse().unwrap(), 0).contains("ff::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_prefix_says_why() {
        assert_eq!("10.0.0.0/33".parse::<Prefix>(), Err(PrefixError::Length(32)));
        assert_eq!("::/129".parse::<Prefix>(), Err(PrefixError::Length(128)));
        assert_eq!("10.0.0.0/+8".parse::<Prefix>(), Err(PrefixError::Length(32)));
        assert_eq!("lan/24".parse::<Prefix>(), Err(PrefixError::Address));
        assert_eq!("10.0.0.7/24".parse::<Prefix>().unwrap().to_string(), "10.0.0.0/24");
        for (prefix, last) in
            [("10.0.0.0/24", "10.0.0.255"), ("0.0.0.0/0", "255.255.255.255"), ("::1/128", "::1")]
        {
            assert_eq!(prefix.parse::<Prefix>().unwrap().last().to_string(), last);
        }
        let all: Prefix = "::/0".parse().unwrap();
        assert_eq!(all.last().to_string(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }
}
