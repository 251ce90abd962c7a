//! Generic netlink: what `ethtool` and `iw` know of a link (`linux/ethtool_netlink.h`, `linux/nl80211.h`).

use std::borrow::Cow;
use std::io;
use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

use super::netlink::{Attributes, Netlink, u16_at, u32_at};
use crate::address::HardwareAddress;
use crate::sys::{Depth, Link, Wireless};

/// The bytes of `struct genlmsghdr`: a command and a version.
const HEADER: usize = 4;

/// What ethtool knows of a link: its index, speed and duplex.
pub(super) type LinkMode = (u32, Option<u32>, Option<&'static str>);

/// Adds what the families of generic netlink tell; a kernel without them leaves everything as it is. What ethtool
/// knows of all links may be known already.
pub(super) fn complete(links: &mut [Link], depth: Depth, modes: Option<Vec<LinkMode>>) {
    let is_plain = |link: &Link| matches!(link.kind.as_deref(), Some("ethernet" | "wifi"));
    let has_plain = links.iter().any(is_plain);
    if depth == Depth::Summary && !has_plain {
        return;
    }
    let Ok(mut netlink) = Netlink::generic() else { return };
    if has_plain {
        // A kernel without wireless does not know the family.
        let _ = wireless(&mut netlink, links, depth);
    }
    if depth == Depth::Whole {
        let modes = modes.or_else(|| link_modes(&mut netlink).ok());
        for (index, speed, duplex) in modes.unwrap_or_default() {
            // Without a line there is no speed, whatever a driver makes up.
            let found = links.binary_search_by_key(&index, |link| link.index).ok();
            if let Some(place) = found.filter(|place| links[*place].carrier == Some(true)) {
                (links[place].speed_mbit, links[place].duplex) = (speed, duplex);
            }
        }
        drivers(links);
    }
}

/// What ethtool knows of all links.
pub(super) fn all_link_modes() -> io::Result<Vec<LinkMode>> {
    link_modes(&mut Netlink::generic()?)
}

/// The number that the kernel gave a family.
fn family(netlink: &mut Netlink, name: &str) -> io::Result<u16> {
    const NLCTRL: u16 = 0x10;
    const GET_FAMILY: u8 = 3;
    const ID: u16 = 1;
    const NAME: u16 = 2;
    let mut body = vec![GET_FAMILY, 1, 0, 0];
    attribute(&mut body, NAME, &[name.as_bytes(), &[0]].concat());
    let answer = netlink.one(NLCTRL, &body)?.unwrap_or_default();
    let found = Attributes(answer.get(HEADER..).unwrap_or_default()).find(|(attribute, _)| *attribute == ID);
    found.and_then(|(_, id)| u16_at(id, 0)).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn attribute(body: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    body.extend(u16::try_from(4 + payload.len()).expect("attributes are short").to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(payload);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Speed and duplex (ETHTOOL_MSG_LINKMODES_GET).
fn link_modes(netlink: &mut Netlink) -> io::Result<Vec<LinkMode>> {
    const LINKMODES_GET: u8 = 4;
    /// ETHTOOL_A_LINKMODES_HEADER, and in it ETHTOOL_A_HEADER_FLAGS with ETHTOOL_FLAG_COMPACT_BITSETS.
    const HEADER_NEST: u16 = 1 | 0x8000;
    const FLAGS: u16 = 3;
    const COMPACT: u32 = 1;
    let ethtool = family(netlink, "ethtool")?;
    let mut nested = Vec::new();
    attribute(&mut nested, FLAGS, &COMPACT.to_ne_bytes());
    let mut body = vec![LINKMODES_GET, 1, 0, 0];
    attribute(&mut body, HEADER_NEST, &nested);
    netlink.dump(ethtool, &body, link_mode)
}

/// The index, speed and duplex in one answer; SPEED_UNKNOWN and DUPLEX_UNKNOWN are none.
fn link_mode(bytes: &[u8]) -> Option<LinkMode> {
    let (mut index, mut speed, mut duplex) = (None, None, None);
    for (attribute, payload) in Attributes(bytes.get(HEADER..)?) {
        match attribute {
            1 => {
                let device = Attributes(payload).find(|(attribute, _)| *attribute == 1);
                index = device.and_then(|(_, index)| u32_at(index, 0));
            }
            5 => speed = u32_at(payload, 0).filter(|speed| *speed != u32::MAX && *speed != 0),
            6 => {
                duplex = match payload.first() {
                    Some(0) => Some("half"),
                    Some(1) => Some("full"),
                    _ => None,
                };
            }
            _ => {}
        }
    }
    Some((index?, speed, duplex))
}

/// The driver and the place of what is no software of the kernel's own (ETHTOOL_GDRVINFO), which generic netlink does
/// not tell.
fn drivers(links: &mut [Link]) {
    const GDRVINFO: u32 = 3;
    const SIOCETHTOOL: u64 = 0x8946;
    const LENGTH: usize = 196;
    let hardware = |link: &&mut Link| {
        matches!(link.kind.as_deref(), Some("ethernet" | "wifi" | "infiniband" | "can" | "rawip"))
    };
    let mut socket = None;
    for link in links.iter_mut().filter(hardware) {
        if socket.is_none() {
            socket = Socket::new(Domain::IPV4, Type::DGRAM, None).ok();
        }
        let Some(socket) = &socket else { return };
        // `struct ethtool_drvinfo`: the command, then driver, version, firmware and bus of 32 bytes each, and numbers.
        let mut info = [0_u32; LENGTH / 4];
        info[0] = GDRVINFO;
        // SAFETY: all-zero bytes are a valid `ifreq`: an empty name and a null pointer.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(&link.name) {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_data = info.as_mut_ptr().cast();
        // SAFETY: the kernel reads `request` and fills the structure that it points to, which lives and has its size.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        if result != 0 {
            continue;
        }
        let bytes: Vec<u8> = info.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let text = |at: usize| {
            let text = super::rtnetlink::until_nul(&bytes[at..at + 32]).to_vec();
            Some(text).filter(|text| !text.is_empty())
        };
        (link.driver, link.bus) = (text(4), text(100));
    }
}

/// Tells wireless interfaces from wired ones, and what they are connected to.
fn wireless(netlink: &mut Netlink, links: &mut [Link], depth: Depth) -> io::Result<()> {
    const GET_INTERFACE: u8 = 5;
    let nl80211 = family(netlink, "nl80211")?;
    let found = netlink.dump(nl80211, &[GET_INTERFACE, 0, 0, 0], interface)?;
    for (index, mut connection) in found {
        let Ok(place) = links.binary_search_by_key(&index, |link| link.index) else { continue };
        if depth == Depth::Whole
            && let Ok(Some((access_point, signal))) = station(netlink, nl80211, index)
        {
            connection = Wireless { access_point, signal_dbm: signal, ..connection };
        }
        links[place].kind = Some(Cow::Borrowed("wifi"));
        links[place].wireless = Some(Box::new(connection));
    }
    Ok(())
}

/// NL80211_ATTR_IFINDEX.
const IFINDEX: u16 = 3;

fn interface(bytes: &[u8]) -> Option<(u32, Wireless)> {
    let mut index = None;
    let mut connection = Wireless::default();
    for (attribute, payload) in Attributes(bytes.get(HEADER..)?) {
        match attribute {
            IFINDEX => index = u32_at(payload, 0),
            38 => connection.frequency_mhz = u32_at(payload, 0),
            52 => connection.ssid = Some(payload.to_vec()),
            _ => {}
        }
    }
    Some((index?, connection))
}

type Station = (Option<HardwareAddress>, Option<i8>);

/// The access point of a wireless interface and its signal (NL80211_CMD_GET_STATION).
fn station(netlink: &mut Netlink, nl80211: u16, index: u32) -> io::Result<Option<Station>> {
    const GET_STATION: u8 = 17;
    let mut body = vec![GET_STATION, 0, 0, 0];
    attribute(&mut body, IFINDEX, &index.to_ne_bytes());
    let stations = netlink.dump(nl80211, &body, station_of)?;
    // An access point has many stations; whoever is connected has one.
    Ok(if stations.len() == 1 { stations.into_iter().next() } else { None })
}

fn station_of(bytes: &[u8]) -> Option<Station> {
    let (mut access_point, mut signal) = (None, None);
    for (attribute, payload) in Attributes(bytes.get(HEADER..)?) {
        match attribute {
            6 => access_point = HardwareAddress::new(payload).some(),
            // NL80211_ATTR_STA_INFO, and in it NL80211_STA_INFO_SIGNAL.
            21 => {
                let found = Attributes(payload).find(|(attribute, _)| *attribute == 7);
                signal = found.and_then(|(_, payload)| payload.first().map(|byte| byte.cast_signed()));
            }
            _ => {}
        }
    }
    Some((access_point, signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        for (kind, payload) in parts {
            attribute(&mut bytes, *kind, payload);
        }
        bytes
    }

    #[test]
    fn speeds_that_are_unknown_are_none() {
        let mut device = Vec::new();
        attribute(&mut device, 1, &7_u32.to_ne_bytes());
        let of = |speed: u32, duplex: u8| {
            link_mode(&message(&[(1, &device), (5, &speed.to_ne_bytes()), (6, &[duplex])]))
        };
        assert_eq!(of(10_000, 1), Some((7, Some(10_000), Some("full"))));
        assert_eq!(of(u32::MAX, 0xff), Some((7, None, None)));
        assert_eq!(link_mode(&message(&[])), None);
    }

    #[test]
    fn a_wireless_interface_has_its_network_and_signal() {
        let bytes =
            message(&[(IFINDEX, &3_u32.to_ne_bytes()), (38, &5180_u32.to_ne_bytes()), (52, b"a\x1bb")]);
        let connection =
            Wireless { ssid: Some(b"a\x1bb".to_vec()), frequency_mhz: Some(5180), ..Wireless::default() };
        assert_eq!(interface(&bytes), Some((3, connection)));
        let mut info = Vec::new();
        attribute(&mut info, 7, &[(-61_i8).cast_unsigned()]);
        let (access_point, signal) =
            station_of(&message(&[(6, &[2, 0, 0, 0, 0, 9]), (21, &info)])).expect("whole");
        assert_eq!(signal, Some(-61));
        assert_eq!(access_point.map(|it| it.to_string()).as_deref(), Some("02:00:00:00:00:09"));
        for cut in 0..bytes.len() {
            let _ = (interface(&bytes[..cut]), station_of(&bytes[..cut]), link_mode(&bytes[..cut]));
        }
    }
}
