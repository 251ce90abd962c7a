//! Address classes, from IANA's special-purpose registries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// What an address is for, by IANA's IPv4 and IPv6 special-purpose address registries (RFC 6890, RFC 8190).
///
/// What those call globally reachable is [`Class::Global`], even inside a block that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// This machine itself: 127.0.0.0/8 (RFC 1122), ::1 (RFC 4291).
    Loopback,
    /// No address: 0.0.0.0 (RFC 1122), :: (RFC 4291).
    Unspecified,
    /// For private networks: 10/8, 172.16/12, 192.168/16 (RFC 1918).
    Private,
    /// Between a provider's NAT and its customers: 100.64/10 (RFC 6598).
    Shared,
    /// Valid on one link only: 169.254/16 (RFC 3927), `fe80::/10` (RFC 4291).
    LinkLocal,
    /// IPv6 for private networks: `fc00::/7` (RFC 4193).
    UniqueLocal,
    /// For examples: 192.0.2/24, 198.51.100/24, 203.0.113/24 (RFC 5737), `2001:db8::/32` (RFC 3849),
    /// `3fff::/20` (RFC 9637).
    Documentation,
    /// For measuring network devices: 198.18/15 (RFC 2544), `2001:2::/48` (RFC 5180).
    Benchmarking,
    /// For groups: 224/4 (RFC 5771), `ff00::/8` (RFC 4291).
    Multicast,
    /// Everybody on this link: 255.255.255.255 (RFC 919).
    Broadcast,
    /// Set aside, or not handed out to anyone.
    Reserved,
    /// An IPv4 address in IPv6 clothes: `::ffff:0:0/96` (RFC 4291).
    Ipv4Mapped,
    /// IPv4 reached through a translator: `64:ff9b::/96` (RFC 6052), `64:ff9b:1::/48` (RFC 8215).
    Translation,
    /// Anybody, anywhere.
    Global,
}

impl Class {
    /// The class of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    /// The class's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique-local",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
            Self::Ipv4Mapped => "ipv4-mapped",
            Self::Translation => "translation",
            Self::Global => "global",
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            [0, 0, 0, 0] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Self::Private,
            [100, 64..=127, ..] => Self::Shared,
            [169, 254, ..] => Self::LinkLocal,
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Documentation,
            [198, 18..=19, ..] => Self::Benchmarking,
            // Port Control Protocol anycast (RFC 7723) and TURN anycast (RFC 8155), both globally reachable.
            [192, 0, 0, 9 | 10] => Self::Global,
            [255, 255, 255, 255] => Self::Broadcast,
            [224..=239, ..] => Self::Multicast,
            // "This network" (RFC 791), IETF protocol assignments (RFC 6890), the retired 6to4 relay anycast
            // (RFC 7526), class E (RFC 1112, 4).
            [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] => Self::Reserved,
            _ => Self::Global,
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Unspecified,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0, 0, 0, 0, 0, 0xffff, ..] => Self::Ipv4Mapped,
            [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Self::Translation,
            [0xff00..=0xffff, ..] => Self::Multicast,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xfc00..=0xfdff, ..] => Self::UniqueLocal,
            [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Self::Documentation,
            [0x2001, 2, 0, ..] => Self::Benchmarking,
            [0x2001, 0..=0x1ff, ..] => Self::of_protocol_assignment(ip),
            // 6to4 (RFC 3056): the registry does not call it globally reachable.
            [0x2002, ..] => Self::Reserved,
            // Global unicast is 2000::/3 (RFC 4291, 2.4); nothing else has been handed out.
            [0x2000..=0x3fff, ..] => Self::Global,
            _ => Self::Reserved,
        }
    }

    /// The class of an address in `2001::/23`, IETF protocol assignments (RFC 2928): not globally reachable
    /// unless a more specific entry says so.
    fn of_protocol_assignment(ip: Ipv6Addr) -> Self {
        match ip.segments() {
            // PCP anycast (RFC 7723), TURN anycast (RFC 8155), DNS-SD SRP anycast (RFC 9665).
            [0x2001, 1, 0, 0, 0, 0, 0, 1..=3] | [0x2001, 3 | 0x20..=0x3f, ..] | [0x2001, 4, 0x112, ..] => {
                Self::Global
            }
            _ => Self::Reserved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First and last address of each registry entry, and the neighbours just outside.
    #[test]
    fn registry_entries_and_their_edges() {
        for (class, addresses) in [
            (Class::Unspecified, "0.0.0.0 ::"),
            (Class::Loopback, "127.0.0.0 127.255.255.255 ::1"),
            (Class::Private, "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255"),
            (Class::Shared, "100.64.0.0 100.127.255.255"),
            (Class::LinkLocal, "169.254.0.0 169.254.255.255 fe80:: febf:ffff::1"),
            (Class::UniqueLocal, "fc00:: fdff:ffff::1"),
            (
                Class::Documentation,
                "192.0.2.0 192.0.2.255 198.51.100.7 203.0.113.255 2001:db8:: 3fff:: 3fff:fff::1",
            ),
            (Class::Benchmarking, "198.18.0.0 198.19.255.255 2001:2::1"),
            (Class::Multicast, "224.0.0.0 239.255.255.255 ff00:: ffff::1"),
            (Class::Broadcast, "255.255.255.255"),
            (Class::Ipv4Mapped, "::ffff:0:0 ::ffff:192.0.2.1"),
            (Class::Translation, "64:ff9b::8.8.8.8 64:ff9b:1::1"),
            (
                Class::Reserved,
                "0.0.0.1 192.0.0.8 192.0.0.170 192.88.99.1 240.0.0.0 255.255.255.254 100::1 2001::1",
            ),
            (
                Class::Reserved,
                "2001:10::1 2001:1::4 2002::1 ::2 4000::1 5f00::1 fec0::1 64:ff9b:2::1 1fff::1",
            ),
            (
                Class::Global,
                "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0",
            ),
            (
                Class::Global,
                "172.15.255.255 172.32.0.0 192.0.0.9 192.0.0.10 192.0.1.0 192.31.196.1 192.175.48.1",
            ),
            (
                Class::Global,
                "198.17.255.255 198.20.0.0 223.255.255.255 2000:: 2001:200:: 2001:3::1 2001:4:112::1",
            ),
            (Class::Global, "2001:1::1 2001:1::3 2001:20::1 2001:3f::1 2620:4f:8000::1 2003::1 3fff:1000::1"),
        ] {
            for address in addresses.split(' ') {
                assert_eq!(Class::of(address.parse().expect(address)), class, "{address}");
            }
        }
    }
}
