//! Links: `struct ifinfomsg` and its `IFLA_` attributes (`linux/if_link.h`).

use std::borrow::Cow;

use super::super::netlink::{Attributes, u16_at, u32_at, u64_at};
use super::until_nul;
use crate::address::HardwareAddress;
use crate::sys::{Counters, Link, Other};

/// Parses `struct ifinfomsg` and its attributes; `None` if the message is cut short. Never panics, whatever the bytes.
pub fn parse(bytes: &[u8]) -> Option<Link> {
    let (hardware_type, index, flags) = (u16_at(bytes, 2)?, u32_at(bytes, 4)?, u32_at(bytes, 8)?);
    let mut link = Link {
        index,
        flags: link_flags(flags),
        is_up: flags & IFF_UP != 0,
        is_loopback: flags & IFF_LOOPBACK != 0,
        mac: Some(HardwareAddress::default()),
        ..Link::default()
    };
    let (mut other, mut namespace) = (None, None);
    for (attribute, payload) in Attributes(bytes.get(16..)?) {
        match attribute {
            1 => link.mac = Some(HardwareAddress::new(payload)),
            3 => link.name = until_nul(payload).to_vec(),
            4 => link.mtu = u32_at(payload, 0),
            5 => other = u32_at(payload, 0).filter(|index| *index != 0),
            6 => link.qdisc = Some(until_nul(payload).to_vec()),
            10 => link.master = u32_at(payload, 0),
            13 => link.tx_queue_len = u32_at(payload, 0),
            16 => link.state = payload.first().map(|state| operational_state(*state)),
            18 => kind(payload, &mut link),
            20 => link.alias = Some(until_nul(payload).to_vec()),
            23 => link.counters = counters(payload),
            33 => link.carrier = payload.first().map(|carrier| *carrier != 0),
            35 => link.carrier_changes = u32_at(payload, 0),
            37 => namespace = u32_at(payload, 0).map(u32::cast_signed),
            50 => link.mtu_bounds.0 = u32_at(payload, 0).filter(|bound| *bound != 0),
            51 => link.mtu_bounds.1 = u32_at(payload, 0).filter(|bound| *bound != 0),
            52 => link.alt_names = alt_names(payload),
            54 => link.permanent_mac = HardwareAddress::new(payload).some().map(Box::new),
            _ => {}
        }
    }
    // The kernel gives a carrier for an interface that is down too, but nobody looks at the line then.
    link.carrier = link.carrier.filter(|_| link.is_up);
    link.other = other.map(|index| Other { index, namespace }).or(link.other);
    link.kind = link.kind.or_else(|| by_hardware(hardware_type).map(Cow::Borrowed));
    Some(link)
}

/// Reads IFLA_LINKINFO: the kind, and of its own attributes those that tell one of a kind from another.
fn kind(payload: &[u8], link: &mut Link) {
    let (mut name, mut data) = (&[][..], &[][..]);
    for (attribute, payload) in Attributes(payload) {
        match attribute {
            1 => name = until_nul(payload),
            2 => data = payload,
            _ => {}
        }
    }
    let attribute =
        |wanted: u16| Attributes(data).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload);
    let byte = |wanted| attribute(wanted)?.first().copied().map(u32::from);
    let half = |wanted| u16_at(attribute(wanted)?, 0).map(u32::from);
    let word = |wanted| u32_at(attribute(wanted)?, 0);
    let of = |modes: &[&'static str], mode: Option<u32>| modes.get(usize::try_from(mode?).ok()?).copied();
    if name == b"vxlan" {
        // IFLA_VXLAN_LINK: what it sends by, in its own namespace.
        link.other = word(3).filter(|index| *index != 0).map(|index| Other { index, namespace: None });
    }
    (link.id, link.mode) = match name {
        b"vlan" => (half(1), None),
        b"vxlan" | b"geneve" | b"vrf" => (word(1), None),
        b"tun" => (None, of(&["", "tun", "tap"], byte(3))),
        // A bit each: MACVLAN_MODE_ of `linux/if_link.h`.
        b"macvlan" | b"macvtap" => {
            let bit = word(1).map(u32::trailing_zeros);
            (None, of(&["private", "vepa", "bridge", "passthru", "source"], bit))
        }
        b"ipvlan" | b"ipvtap" => (None, of(&["l2", "l3", "l3s"], half(1))),
        b"bond" => {
            const MODES: [&str; 7] = [
                "balance-rr",
                "active-backup",
                "balance-xor",
                "broadcast",
                "802.3ad",
                "balance-tlb",
                "balance-alb",
            ];
            (None, of(&MODES, byte(1)))
        }
        _ => (None, None),
    };
    link.kind = (!name.is_empty()).then(|| known(name));
}

/// A kind's name, without a copy for those of the kernel itself that are often met.
fn known(name: &[u8]) -> Cow<'static, str> {
    const KINDS: [&str; 24] = [
        "veth",
        "bridge",
        "macvlan",
        "vxlan",
        "tun",
        "vlan",
        "bond",
        "wireguard",
        "dummy",
        "ifb",
        "ipvlan",
        "macvtap",
        "geneve",
        "gre",
        "gretap",
        "ip6tnl",
        "ipip",
        "sit",
        "team",
        "vrf",
        "vti",
        "xfrm",
        "netkit",
        "nlmon",
    ];
    match KINDS.iter().find(|known| known.as_bytes() == name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(String::from_utf8_lossy(name).into_owned()),
    }
}

/// What an interface without a link kind is, by its ARPHRD type (`linux/if_arp.h`).
fn by_hardware(hardware_type: u16) -> Option<&'static str> {
    Some(match hardware_type {
        1 => "ethernet",
        32 => "infiniband",
        280 => "can",
        512 => "ppp",
        519 => "rawip",
        768 => "ipip",
        769 => "ip6tnl",
        772 => "loopback",
        776 => "sit",
        778 => "gre",
        801..=803 => "wifi",
        804 | 805 => "ieee802.15.4",
        823 => "ip6gre",
        824 => "netlink",
        _ => return None,
    })
}

fn alt_names(payload: &[u8]) -> Vec<Vec<u8>> {
    const IFLA_ALT_IFNAME: u16 = 53;
    let names = Attributes(payload).filter(|(attribute, _)| *attribute == IFLA_ALT_IFNAME);
    names.map(|(_, name)| until_nul(name).to_vec()).collect()
}

const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_RUNNING: u32 = 0x40;

/// The flags as `ip link` names and orders them, NO-CARRIER first where an interface that is up has none.
pub(in crate::sys::linux) fn link_flags(flags: u32) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 18] = [
        (IFF_LOOPBACK, "LOOPBACK"),
        (0x2, "BROADCAST"),
        (0x10, "POINTOPOINT"),
        (0x1000, "MULTICAST"),
        (0x80, "NOARP"),
        (0x200, "ALLMULTI"),
        (0x100, "PROMISC"),
        (0x400, "MASTER"),
        (0x800, "SLAVE"),
        (0x4, "DEBUG"),
        (0x8000, "DYNAMIC"),
        (0x4000, "AUTOMEDIA"),
        (0x2000, "PORTSEL"),
        (0x20, "NOTRAILERS"),
        (IFF_UP, "UP"),
        (0x1_0000, "LOWER_UP"),
        (0x2_0000, "DORMANT"),
        (0x4_0000, "ECHO"),
    ];
    let no_carrier = (flags & IFF_UP != 0 && flags & IFF_RUNNING == 0).then_some("NO-CARRIER");
    no_carrier
        .into_iter()
        .chain(NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name))
        .collect()
}

/// `IF_OPER_` of `linux/if.h`, which is RFC 2863's ifOperStatus in another order.
fn operational_state(state: u8) -> &'static str {
    match state {
        1 => "not-present",
        2 => "down",
        3 => "lower-layer-down",
        4 => "testing",
        5 => "dormant",
        6 => "up",
        _ => "unknown",
    }
}

/// Parses `struct rtnl_link_stats64`.
fn counters(payload: &[u8]) -> Option<Counters> {
    let at = |index: usize| u64_at(payload, 8 * index);
    Some(Counters {
        rx_packets: at(0)?,
        tx_packets: at(1)?,
        rx_bytes: at(2)?,
        tx_bytes: at(3)?,
        rx_errors: at(4)?,
        tx_errors: at(5)?,
        rx_dropped: at(6)?,
        tx_dropped: at(7),
        rx_multicast: at(8),
        collisions: at(9),
        rx_missed: at(15),
        tx_carrier_errors: at(17),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::attribute;
    use super::*;

    #[test]
    fn flags_read_as_ip_prints_them() {
        assert_eq!(link_flags(0x1_0049), ["LOOPBACK", "UP", "LOWER_UP"]);
        assert_eq!(link_flags(0x1003), ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"]);
    }

    #[test]
    fn a_kind_tells_its_variety_and_number() {
        let of = |kind: &[u8], data: &[u8]| {
            let mut link = Link::default();
            super::kind(&[attribute(1, kind), attribute(2, data)].concat(), &mut link);
            (link.kind.unwrap_or_default().into_owned(), link.mode, link.id)
        };
        let number = |value: u32| value.to_ne_bytes();
        assert_eq!(of(b"vlan\0", &attribute(1, &[100, 0])), ("vlan".into(), None, Some(100)));
        assert_eq!(of(b"vxlan", &attribute(1, &number(7))), ("vxlan".into(), None, Some(7)));
        assert_eq!(of(b"tun", &attribute(3, &[2])), ("tun".into(), Some("tap"), None));
        assert_eq!(of(b"macvlan", &attribute(1, &number(4))), ("macvlan".into(), Some("bridge"), None));
        assert_eq!(of(b"macvlan", &attribute(1, &number(0))), ("macvlan".into(), None, None));
        assert_eq!(of(b"bond", &attribute(1, &[1])), ("bond".into(), Some("active-backup"), None));
        assert_eq!(of(b"newest", &[]), ("newest".into(), None, None));
    }
}
