//! What a system tells about its interfaces, in words that are no system's own.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;

use crate::address::{Family, HardwareAddress};

/// How much is to be asked: each answer costs the kernel and this program time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// No counters, nothing of the hardware.
    Summary,
    /// Everything.
    #[default]
    Whole,
}

/// What this system tells about its interfaces; `None` where it cannot.
#[derive(Debug, Default)]
pub struct Network {
    /// Every interface, with or without an address, by index.
    pub links: Vec<Link>,
    /// Every address, in the system's order.
    pub addresses: Option<Vec<LinkAddress>>,
    /// What the system tells of addresses that it did not list itself.
    pub address_details: Vec<LinkAddress>,
    /// The default routes of the main table.
    pub default_routes: Option<Vec<DefaultRoute>>,
    /// The indices of the interfaces that routes of the main table leave by, but for link-local ones, where that is
    /// told.
    pub ways: HashSet<u32>,
    /// The name servers by interface index, where the system keeps them so.
    pub dns_servers: Option<Vec<(u32, String)>>,
    /// The names of other network namespaces by the number that this one has for them.
    pub namespaces: Vec<(i32, Vec<u8>)>,
    /// What the system said where it refused to list its links: what else could be had is all that is known then.
    pub refusal: Option<String>,
    /// What it tells at all.
    pub tells: Tells,
}

/// What a system tells of an interface at all: what it does not is unknown, and not missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub struct Tells {
    /// The kind of link.
    pub kind: bool,
    /// The text an administrator gave it.
    pub alias: bool,
    /// The further names, the interface it belongs to and the one it runs on.
    pub relations: bool,
    /// The hardware address.
    pub mac: bool,
    /// The flags, scope and lifetimes of an address.
    pub address_details: bool,
    /// The speed.
    pub speed: bool,
    /// What else is known of the hardware and its queues.
    pub hardware: bool,
}

/// One interface.
#[derive(Debug, Default)]
pub struct Link {
    /// The interface's index, from 1.
    pub index: u32,
    /// Its name, as bytes.
    pub name: Vec<u8>,
    /// Its further names.
    pub alt_names: Vec<Vec<u8>>,
    /// The text an administrator gave it.
    pub alias: Option<Vec<u8>>,
    /// What it is: the kernel's link kind, or `loopback`, `ethernet`, `wifi`.
    pub kind: Option<Cow<'static, str>>,
    /// The variety of its kind: `tap`, a macvlan's or a bond's mode.
    pub mode: Option<&'static str>,
    /// The number its kind has: the VLAN ID, the network of a vxlan or geneve, the table of a vrf.
    pub id: Option<u32>,
    /// Its operational state (RFC 2863, 3.1.14).
    pub state: Option<&'static str>,
    /// Whether the physical layer has a signal.
    pub carrier: Option<bool>,
    /// How often that has changed.
    pub carrier_changes: Option<u32>,
    /// Whether it is administratively up.
    pub is_up: bool,
    /// Whether it is the loopback.
    pub is_loopback: bool,
    /// Its flags by their field names.
    pub flags: Vec<&'static str>,
    /// The largest packet in bytes.
    pub mtu: Option<u32>,
    /// The smallest and the largest value that may be; `None` where there is no bound.
    pub mtu_bounds: (Option<u32>, Option<u32>),
    /// Its hardware address; empty where it has none.
    pub mac: Option<HardwareAddress>,
    /// The hardware address it was made with.
    pub permanent_mac: Option<Box<HardwareAddress>>,
    /// The index of the interface it belongs to.
    pub master: Option<u32>,
    /// The interface at its other end (veth) or below it (vlan, macvlan, vxlan).
    pub other: Option<Other>,
    /// Its queueing discipline.
    pub qdisc: Option<Vec<u8>>,
    /// How many packets may wait to be sent.
    pub tx_queue_len: Option<u32>,
    /// Its speed, in Mbit/s.
    pub speed_mbit: Option<u32>,
    /// `full` or `half`.
    pub duplex: Option<&'static str>,
    /// The driver of the hardware.
    pub driver: Option<Vec<u8>>,
    /// Where the hardware is: a PCI address, say.
    pub bus: Option<Vec<u8>>,
    /// What a wireless interface is connected to.
    pub wireless: Option<Box<Wireless>>,
    /// What has gone through it.
    pub counters: Option<Counters>,
}

/// The interface at the other end of one, or below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its index in the namespace it is in.
    pub index: u32,
    /// The number that this namespace has for that one (-1 where it has none); `None` where they are one.
    pub namespace: Option<i32>,
}

/// What a wireless interface is connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wireless {
    /// The network's name; bytes, as anybody may choose them.
    pub ssid: Option<Vec<u8>>,
    /// The frequency in MHz.
    pub frequency_mhz: Option<u32>,
    /// The access point.
    pub access_point: Option<HardwareAddress>,
    /// How strong its signal is, in dBm.
    pub signal_dbm: Option<i8>,
}

/// What has gone through an interface since it was made.
#[expect(missing_docs, reason = "the field names of RFC 2863 and of the kernel's counters say it all")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    /// `None` where the system does not count them, here and below.
    pub rx_missed: Option<u64>,
    pub rx_multicast: Option<u64>,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: Option<u64>,
    pub tx_carrier_errors: Option<u64>,
    pub collisions: Option<u64>,
}

/// One address of one interface.
#[derive(Clone, Debug)]
pub struct LinkAddress {
    /// The interface's index.
    pub index: u32,
    /// The address.
    pub ip: IpAddr,
    /// The length of its network's prefix in bits.
    pub prefix_len: u8,
    /// The other end, on a point-to-point interface.
    pub peer: Option<IpAddr>,
    /// The broadcast address that is set.
    pub broadcast: Option<IpAddr>,
    /// The label of an IPv4 address.
    pub label: Option<Vec<u8>>,
    /// How far it reaches: global, site, link, host.
    pub scope: Option<Cow<'static, str>>,
    /// Its flags by the names `ip address` uses.
    pub flags: Cow<'static, [&'static str]>,
    /// The metric of the route to its network.
    pub metric: Option<u32>,
    /// The seconds it stays valid; `None` for ever, or where the system does not tell.
    pub valid_s: Option<u32>,
    /// The seconds it stays preferred; `None` for ever, or where the system does not tell.
    pub preferred_s: Option<u32>,
}

impl LinkAddress {
    /// An address of which no more is known.
    pub fn new(index: u32, ip: IpAddr, prefix_len: u8) -> Self {
        Self {
            index,
            ip,
            prefix_len,
            peer: None,
            broadcast: None,
            label: None,
            scope: None,
            flags: Cow::Borrowed(&[]),
            metric: None,
            valid_s: None,
            preferred_s: None,
        }
    }
}

/// One way out: a default route, or one of the next hops of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRoute {
    /// The index of the interface it leaves by.
    pub index: u32,
    /// Its family.
    pub family: Family,
    /// The gateway; `None` on a link without one.
    pub gateway: Option<IpAddr>,
    /// Its metric; `None` where none is set.
    pub metric: Option<u32>,
    /// Who set it: `dhcp`, `ra`, `static` ...
    pub protocol: Option<Cow<'static, str>>,
    /// The source address it prefers.
    pub source: Option<IpAddr>,
    /// A router's own preference: `high`, `medium`, `low` (RFC 4191).
    pub preference: Option<&'static str>,
    /// The seconds it stays; `None` for ever.
    pub expires_s: Option<u32>,
    /// The only sources that take it, where it is not for all.
    pub from: Option<(IpAddr, u8)>,
    /// What it is if it refuses what takes it: `unreachable`, `blackhole`, `prohibit`; it leaves by no interface then.
    pub refusal: Option<&'static str>,
    /// Whether only some packets take it, by their source or type of service.
    pub is_special: bool,
    /// Whether it shares the packets with other next hops of the same route.
    pub is_shared: bool,
    /// Whether the kernel does not use it now, as its link is down.
    pub is_dead: bool,
}

impl DefaultRoute {
    /// A route of which no more is known.
    pub fn new(index: u32, family: Family, gateway: Option<IpAddr>, metric: Option<u32>) -> Self {
        Self {
            index,
            family,
            gateway,
            metric,
            protocol: None,
            source: None,
            preference: None,
            expires_s: None,
            from: None,
            refusal: None,
            is_special: false,
            is_shared: false,
            is_dead: false,
        }
    }
}

/// The ways by which a family's packets leave for the rest of the world: the best default route, or all next hops of it.
/// None if there is no such route, or if the best refuses what takes it.
pub fn best_routes(routes: &[DefaultRoute], family: Family) -> Vec<&DefaultRoute> {
    let Some(best) = best_route(routes, family).filter(|best| best.refusal.is_none()) else {
        return Vec::new();
    };
    let is_same = |route: &&DefaultRoute| {
        std::ptr::eq(*route, best) || (best.is_shared && route.is_shared && route.rank() == best.rank())
    };
    usable(routes, family).filter(is_same).collect()
}

/// A family's best default route: the lowest metric, then the highest preference, of equals the kernel's first.
pub fn best_route(routes: &[DefaultRoute], family: Family) -> Option<&DefaultRoute> {
    usable(routes, family).min_by_key(|route| route.rank())
}

/// Those that any packet may take now.
fn usable(routes: &[DefaultRoute], family: Family) -> impl Iterator<Item = &DefaultRoute> {
    routes.iter().filter(move |route| route.family == family && !route.is_special && !route.is_dead)
}

impl DefaultRoute {
    /// Its place among others: the lowest wins. No metric counts as zero, no preference as medium.
    pub fn rank(&self) -> (u32, u8) {
        let preference = match self.preference {
            Some("high") => 0,
            Some("low") => 2,
            _ => 1,
        };
        (self.metric.unwrap_or(0), preference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(routes: &[DefaultRoute], family: Family) -> Vec<u32> {
        best_routes(routes, family).iter().map(|route| route.index).collect()
    }

    #[test]
    fn the_best_route_is_the_one_that_is_taken() {
        let route = |index, family, metric| DefaultRoute::new(index, family, None, metric);
        let v4 = |index, metric| route(index, Family::Ipv4, Some(metric));
        let mut routes = vec![
            DefaultRoute { is_special: true, ..route(5, Family::Ipv4, None) },
            v4(2, 100),
            route(3, Family::Ipv4, None),
            v4(4, 0),
            route(2, Family::Ipv6, Some(1024)),
        ];
        assert_eq!(best(&routes, Family::Ipv4), [3]);
        assert_eq!(best(&routes, Family::Ipv6), [2]);
        assert!(best(&[], Family::Ipv4).is_empty());
        routes[2].is_dead = true;
        assert_eq!(best(&routes, Family::Ipv4), [4]);
        routes[3].refusal = Some("unreachable");
        assert!(best(&routes, Family::Ipv4).is_empty());
        let preferred = |index, preference| DefaultRoute { preference: Some(preference), ..v4(index, 7) };
        assert_eq!(
            best(&[preferred(1, "low"), preferred(2, "medium"), preferred(3, "high")], Family::Ipv4),
            [3]
        );
        let hop = |index| DefaultRoute { is_shared: true, ..v4(index, 7) };
        assert_eq!(best(&[hop(1), hop(2), v4(3, 7), v4(4, 9)], Family::Ipv4), [1, 2]);
    }
}
