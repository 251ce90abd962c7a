//! What can be had where netlink is forbidden, as by a sandbox's seccomp filter: the files of `/proc/net` and the
//! calls of `netdevice(7)`, which is what ifconfig of old used. glibc's getifaddrs, and so if-addrs, needs netlink.

use std::fs;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

use super::rtnetlink::{link_flags, scope_name, until_nul};
use crate::address::{Family, HardwareAddress};
use crate::sys::{Counters, DefaultRoute, Link, LinkAddress, Network, Tells};

/// Lists what there is.
///
/// Errors: neither the files nor the calls are allowed.
pub(super) fn network() -> io::Result<Network> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let devices = fs::read("/proc/net/dev")?;
    let mut links: Vec<Link> =
        devices.split(|byte| *byte == b'\n').skip(2).filter_map(|line| link(&socket, line)).collect();
    links.sort_unstable_by_key(|link| link.index);
    let index = |name: &[u8]| links.iter().find(|link| link.name == name).map(|link| link.index);
    let mut addresses = ipv4_addresses(&socket, &index)?;
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    addresses.extend(read("/proc/net/if_inet6").lines().filter_map(ipv6_address));
    let ipv4_routes = read("/proc/net/route");
    let ipv6_routes = read("/proc/net/ipv6_route");
    let routes = ipv4_routes.lines().filter_map(|line| ipv4_route(line, &index));
    let routes = routes.chain(ipv6_routes.lines().filter_map(|line| ipv6_route(line, &index))).collect();
    let tells = Tells { mac: true, ..Tells::default() };
    Ok(Network {
        links,
        addresses: Some(addresses),
        default_routes: Some(routes),
        tells,
        ..Network::default()
    })
}

/// Calls `ioctl(2)` with a request of `netdevice(7)` about an interface.
fn ask(
    socket: &Socket,
    request: u64,
    name: &[u8],
    prepare: impl Fn(&mut libc::ifreq),
) -> Option<libc::ifreq> {
    // SAFETY: all-zero bytes are a valid `ifreq`: an empty name and an empty address.
    let mut asked: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in asked.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name) {
        *to = from.cast_signed();
    }
    prepare(&mut asked);
    // SAFETY: each of these requests reads and writes an `ifreq`, which `asked` is for the length of the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw mut asked) };
    (result == 0).then_some(asked)
}

/// Reads a line of `/proc/net/dev`: a name, and sixteen counters.
fn link(socket: &Socket, line: &[u8]) -> Option<Link> {
    const FLAGS_OF_CARRIER: u32 = 0x40;
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_start();
    let about = |request| ask(socket, request, name, |_| ());
    // SAFETY: the kernel answers this request with an index.
    let index = unsafe { about(libc::SIOCGIFINDEX)?.ifr_ifru.ifru_ifindex };
    // SAFETY: and this one with sixteen flags.
    let flags = about(libc::SIOCGIFFLAGS).map_or(0, |it| unsafe { it.ifr_ifru.ifru_flags.cast_unsigned() });
    let flags = u32::from(flags);
    // SAFETY: this one with a number.
    let mtu = about(libc::SIOCGIFMTU).map(|it| unsafe { it.ifr_ifru.ifru_mtu });
    // SAFETY: and this one with a socket address, whose family is the hardware's type.
    let hardware = about(libc::SIOCGIFHWADDR).map(|it| unsafe { it.ifr_ifru.ifru_hwaddr });
    let mac = hardware.filter(|it| matches!(it.sa_family, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK));
    let mac = mac.map(|it| {
        let bytes: Vec<u8> = it.sa_data[..6].iter().map(|byte| byte.to_ne_bytes()[0]).collect();
        HardwareAddress::new(&bytes)
    });
    let is_up = flags & 0x1 != 0;
    let is_loopback = flags & 0x8 != 0;
    Some(Link {
        index: u32::try_from(index).ok()?,
        name: name.to_vec(),
        kind: is_loopback.then_some("loopback".into()),
        // IFF_RUNNING is all there is to tell it by.
        state: Some(match (is_up, flags & FLAGS_OF_CARRIER != 0) {
            (true, true) => "up",
            (true, false) => "unknown",
            (false, _) => "down",
        }),
        is_up,
        is_loopback,
        flags: link_flags(flags),
        mtu: mtu.and_then(|mtu| u32::try_from(mtu).ok()),
        mac,
        counters: counters(&line[colon + 1..]),
        ..Link::default()
    })
}

/// Reads the counters of a line of `/proc/net/dev`.
fn counters(bytes: &[u8]) -> Option<Counters> {
    let text = std::str::from_utf8(bytes).ok()?;
    let numbers: Vec<u64> = text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, _, _, _, multicast, rest @ ..] = numbers.as_slice()
    else {
        return None;
    };
    let [tx_bytes, tx_packets, tx_errors, tx_dropped, _, collisions, ..] = rest else { return None };
    Some(Counters {
        rx_bytes: *rx_bytes,
        rx_packets: *rx_packets,
        rx_errors: *rx_errors,
        rx_dropped: *rx_dropped,
        rx_missed: None,
        rx_multicast: Some(*multicast),
        tx_bytes: *tx_bytes,
        tx_packets: *tx_packets,
        tx_errors: *tx_errors,
        tx_dropped: Some(*tx_dropped),
        tx_carrier_errors: None,
        collisions: Some(*collisions),
    })
}

/// The IPv4 addresses (SIOCGIFCONF), each with its label in the name's place.
fn ipv4_addresses(socket: &Socket, index: &dyn Fn(&[u8]) -> Option<u32>) -> io::Result<Vec<LinkAddress>> {
    /// More are not looked for.
    const MOST: usize = 1 << 16;
    let mut room = 64;
    let list = loop {
        // SAFETY: all-zero bytes are a valid `ifreq`.
        let mut list: Vec<libc::ifreq> = vec![unsafe { mem::zeroed() }; room];
        let size = mem::size_of::<libc::ifreq>();
        // SAFETY: all-zero bytes are a valid `ifconf`.
        let mut asked: libc::ifconf = unsafe { mem::zeroed() };
        asked.ifc_len = i32::try_from(room * size).unwrap_or(i32::MAX);
        asked.ifc_ifcu.ifcu_req = list.as_mut_ptr();
        // SAFETY: the kernel writes at most `ifc_len` bytes to the list, which has them.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFCONF as _, &raw mut asked) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let count = usize::try_from(asked.ifc_len).unwrap_or(0) / size;
        // A list that is full may not be whole.
        if count < room || room >= MOST {
            list.truncate(count);
            break list;
        }
        room *= 4;
    };
    let ip = |socket: &libc::sockaddr| {
        let bytes: Vec<u8> = socket.sa_data[2..6].iter().map(|byte| byte.to_ne_bytes()[0]).collect();
        <[u8; 4]>::try_from(bytes.as_slice()).ok().map(Ipv4Addr::from)
    };
    let address = |entry: &libc::ifreq| {
        let label: Vec<u8> = entry.ifr_name.iter().map(|byte| byte.to_ne_bytes()[0]).collect();
        let label = until_nul(&label).to_vec();
        // What stands before a colon is the interface.
        let name = label.split(|byte| *byte == b':').next().unwrap_or_default();
        // SAFETY: each entry holds an IPv4 socket address.
        let own = unsafe { entry.ifr_ifru.ifru_addr };
        // The address says which of those with this label is meant.
        let about = |request| ask(socket, request, &label, |asked| asked.ifr_ifru.ifru_addr = own);
        // SAFETY: the kernel answers these requests with socket addresses.
        let mask = about(libc::SIOCGIFNETMASK).and_then(|it| ip(unsafe { &it.ifr_ifru.ifru_netmask }));
        let mask = mask.map_or(0, |mask| mask.to_bits().leading_ones());
        // SAFETY: as above.
        let broadcast = about(libc::SIOCGIFBRDADDR).and_then(|it| ip(unsafe { &it.ifr_ifru.ifru_broadaddr }));
        let broadcast = broadcast.filter(|broadcast| !broadcast.is_unspecified()).map(IpAddr::V4);
        let address = LinkAddress::new(index(name)?, ip(&own)?.into(), u8::try_from(mask).ok()?);
        Some(LinkAddress { broadcast, label: Some(label.clone()), ..address })
    };
    Ok(list.iter().filter_map(address).collect())
}

/// Reads a line of `/proc/net/if_inet6`: address, index, length of the prefix, scope, flags, name; in hexadecimal.
fn ipv6_address(line: &str) -> Option<LinkAddress> {
    let mut words = line.split_ascii_whitespace();
    let ip = Ipv6Addr::from_bits(u128::from_str_radix(words.next()?, 16).ok()?);
    let mut number = || u32::from_str_radix(words.next()?, 16).ok();
    let (index, length, scope) = (number()?, number()?, number()?);
    // IPV6_ADDR_LINKLOCAL and the like of `net/ipv6.h`, and not the numbers of rtnetlink.
    let scope = match scope {
        0x10 => 254,
        0x20 => 253,
        0x40 => 200,
        _ => 0,
    };
    let address = LinkAddress::new(index, ip.into(), u8::try_from(length).ok()?);
    Some(LinkAddress { scope: Some(scope_name(scope)), ..address })
}

/// Reads a line of `/proc/net/route`, if it is a default route: the addresses are as they lie in memory.
fn ipv4_route(line: &str, index: &dyn Fn(&[u8]) -> Option<u32>) -> Option<DefaultRoute> {
    const RTF_REJECT: u32 = 0x0200;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [name, destination, gateway, flags, _, _, metric, mask, ..] = words.as_slice() else { return None };
    let hex = |word: &str| u32::from_str_radix(word, 16).ok();
    if hex(destination)? != 0 || hex(mask)? != 0 || hex(flags)? & RTF_REJECT != 0 {
        return None;
    }
    let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
    let gateway = (!gateway.is_unspecified()).then_some(IpAddr::V4(gateway));
    Some(DefaultRoute::new(index(name.as_bytes())?, Family::Ipv4, gateway, metric.parse().ok()))
}

/// Reads a line of `/proc/net/ipv6_route`, if it is a default route.
fn ipv6_route(line: &str, index: &dyn Fn(&[u8]) -> Option<u32>) -> Option<DefaultRoute> {
    const RTF_REJECT: u32 = 0x0200;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [destination, length, _, source_length, gateway, metric, _, _, flags, name] = words.as_slice() else {
        return None;
    };
    let number = |word: &str| u128::from_str_radix(word, 16).ok();
    let is_rejected = number(flags)? & u128::from(RTF_REJECT) != 0;
    if number(destination)? != 0 || number(length)? != 0 || number(source_length)? != 0 || is_rejected {
        return None;
    }
    let gateway = Ipv6Addr::from_bits(number(gateway)?);
    let gateway = (!gateway.is_unspecified()).then_some(IpAddr::V6(gateway));
    let metric = u32::try_from(number(metric)?).ok();
    Some(DefaultRoute::new(index(name.as_bytes())?, Family::Ipv6, gateway, metric))
}

#[cfg(test)]
mod tests {
    use super::super::super::Depth;
    use super::*;

    #[test]
    fn it_agrees_with_netlink() {
        let (netlink, files) =
            (super::super::network(Depth::Whole).expect("netlink"), network().expect("files"));
        assert_eq!(netlink.links.len(), files.links.len());
        for (one, other) in netlink.links.iter().zip(&files.links) {
            assert_eq!((one.index, &one.name, one.mtu), (other.index, &other.name, other.mtu));
            assert_eq!(one.is_up, other.is_up);
        }
        let keys = |network: &Network| {
            let addresses = network.addresses.iter().flatten();
            let mut keys: Vec<_> =
                addresses.map(|it| (it.index, it.ip, it.prefix_len, it.broadcast)).collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!(keys(&netlink), keys(&files));
        let routes = |network: &Network| {
            let routes = network.default_routes.iter().flatten();
            let mut routes: Vec<_> =
                routes.map(|it| (it.index, it.family, it.gateway, it.metric.unwrap_or(0))).collect();
            routes.sort_unstable();
            routes
        };
        assert_eq!(routes(&netlink), routes(&files));
    }

    #[test]
    fn lines_that_are_no_default_route_are_none() {
        let index = |name: &[u8]| (name == b"e").then_some(7);
        let v4 = |line: &str| ipv4_route(line, &index).map(|it| (it.index, it.gateway, it.metric));
        let gateway = u32::from_ne_bytes([10, 0, 0, 1]);
        assert_eq!(
            v4(&format!("e\t00000000\t{gateway:08X}\t0003\t0\t0\t100\t00000000\t0\t0\t0")),
            Some((7, Some(IpAddr::from([10, 0, 0, 1])), Some(100)))
        );
        for line in ["", "Iface Destination Gateway", "e 0000000A 00000000 0001 0 0 0 000000FF 0 0 0"] {
            assert_eq!(v4(line), None, "{line}");
        }
        assert!(ipv6_address("00 01").is_none());
        let loopback =
            ipv6_address("00000000000000000000000000000001 01 80 10 80       lo").expect("an address");
        assert_eq!((loopback.index, loopback.prefix_len), (1, 128));
        assert_eq!(loopback.scope.as_deref(), Some("host"));
    }
}
