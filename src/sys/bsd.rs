//! macOS and FreeBSD: `getifaddrs(3)` for the links, sysctls for the port ranges.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::io;
use std::mem;
use std::net::IpAddr;
use std::ptr;

use super::{Counters, DefaultRoute, Depth, Link, Network, PortSettings, Tells};
use crate::address::{Family, HardwareAddress};

pub(super) fn network(_: Depth) -> io::Result<Network> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: `getifaddrs` writes one pointer, to a list that is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut links = Vec::new();
    let mut entry = first;
    while !entry.is_null() {
        // SAFETY: `entry` is an element of the list, which lives until `freeifaddrs`.
        let interface = unsafe { &*entry };
        // SAFETY: as above.
        links.extend(unsafe { link(interface) });
        entry = interface.ifa_next;
    }
    // SAFETY: `first` came from `getifaddrs` and nothing refers into the list any more.
    unsafe { libc::freeifaddrs(first) };
    links.sort_by_key(|link| link.index);
    let tells = Tells { kind: true, mac: true, speed: true, ..Tells::default() };
    // Where the routing table is not to be had, the ways out are not told.
    Ok(Network { links, default_routes: routes().ok(), tells, ..Network::default() })
}

/// Reads the AF_LINK entry of an interface.
///
/// # Safety
/// `interface` must be an element of a list that `getifaddrs` gave and that has not been freed.
unsafe fn link(interface: &libc::ifaddrs) -> Option<Link> {
    // SAFETY: an address that is not null is a sockaddr, by `getifaddrs`' contract.
    let family = unsafe { interface.ifa_addr.as_ref() }?.sa_family;
    if c_int::from(family) != libc::AF_LINK {
        return None;
    }
    // SAFETY: an AF_LINK address is a `sockaddr_dl`; the list may align it less, so it is copied.
    let address = unsafe { ptr::read_unaligned(interface.ifa_addr.cast::<libc::sockaddr_dl>()) };
    // SAFETY: the name is a C string, by `getifaddrs`' contract.
    let name = unsafe { CStr::from_ptr(interface.ifa_name) }.to_bytes().to_vec();
    // The hardware address follows the name, and both may reach beyond the structure as declared: it says itself
    // how long it is.
    let start = mem::offset_of!(libc::sockaddr_dl, sdl_data) + usize::from(address.sdl_nlen);
    // SAFETY: `getifaddrs` gives each address all of its `sdl_len` bytes.
    let bytes =
        unsafe { std::slice::from_raw_parts(interface.ifa_addr.cast::<u8>(), usize::from(address.sdl_len)) };
    let mac = bytes.get(start..start + usize::from(address.sdl_alen)).unwrap_or_default();
    let flags = interface.ifa_flags;
    let is_set = |flag: c_int| flags & flag.cast_unsigned() != 0;
    let names = [
        (libc::IFF_LOOPBACK, "LOOPBACK"),
        (libc::IFF_BROADCAST, "BROADCAST"),
        (libc::IFF_POINTOPOINT, "POINTOPOINT"),
        (libc::IFF_MULTICAST, "MULTICAST"),
        (libc::IFF_NOARP, "NOARP"),
        (libc::IFF_ALLMULTI, "ALLMULTI"),
        (libc::IFF_PROMISC, "PROMISC"),
        (libc::IFF_UP, "UP"),
        (libc::IFF_RUNNING, "RUNNING"),
    ];
    let mut link = Link {
        index: address.sdl_index.into(),
        name,
        is_up: is_set(libc::IFF_UP),
        is_loopback: is_set(libc::IFF_LOOPBACK),
        flags: names.iter().filter(|(flag, _)| is_set(*flag)).map(|(_, name)| *name).collect(),
        mac: Some(HardwareAddress::new(mac)),
        ..Link::default()
    };
    link.state = Some(match (link.is_up, is_set(libc::IFF_RUNNING)) {
        (false, _) => "down",
        (true, true) => "up",
        (true, false) => "unknown",
    });
    // SAFETY: an AF_LINK entry's data is an `if_data` where it is not null.
    if let Some(data) = unsafe { interface.ifa_data.cast::<libc::if_data>().as_ref() } {
        link.mtu = u32::try_from(data.ifi_mtu).ok();
        link.kind = kind(data.ifi_type).map(Cow::Borrowed);
        #[allow(clippy::useless_conversion, reason = "32 bits wide on macOS, 64 on FreeBSD")]
        let bits_per_s = u64::from(data.ifi_baudrate);
        link.speed_mbit = u32::try_from(bits_per_s / 1_000_000).ok().filter(|speed| *speed > 0);
        #[allow(clippy::useless_conversion, reason = "32 bits wide on macOS, 64 on FreeBSD")]
        let counters = Counters {
            rx_bytes: data.ifi_ibytes.into(),
            rx_packets: data.ifi_ipackets.into(),
            rx_errors: data.ifi_ierrors.into(),
            rx_dropped: data.ifi_iqdrops.into(),
            tx_bytes: data.ifi_obytes.into(),
            tx_packets: data.ifi_opackets.into(),
            tx_errors: data.ifi_oerrors.into(),
            tx_dropped: None,
            rx_missed: None,
            rx_multicast: Some(data.ifi_imcasts.into()),
            tx_carrier_errors: None,
            collisions: Some(data.ifi_collisions.into()),
        };
        link.counters = Some(counters);
    }
    Some(link)
}

/// What an interface is, by its IFT_ type (`net/if_types.h`); a wireless one calls itself Ethernet.
fn kind(number: u8) -> Option<&'static str> {
    Some(match number {
        0x06 => "ethernet",
        0x17 => "ppp",
        0x18 => "loopback",
        0x47 => "wifi",
        0x37 | 0xf0 => "tunnel",
        0x39 => "sit",
        0x83 => "tunnel",
        0x87 => "vlan",
        0x88 => "bond",
        0xd1 => "bridge",
        0x35 => "virtual",
        _ => return None,
    })
}

/// The default routes, from the kernel's whole table (`route(4)`, NET_RT_DUMP).
fn routes() -> io::Result<Vec<DefaultRoute>> {
    let mut name = [libc::CTL_NET, libc::PF_ROUTE, 0, 0, libc::NET_RT_DUMP, 0];
    let levels = libc::c_uint::try_from(name.len()).expect("six");
    loop {
        let mut length = 0;
        // SAFETY: with no buffer the call only tells the length.
        let result = unsafe {
            libc::sysctl(name.as_mut_ptr(), levels, ptr::null_mut(), &raw mut length, ptr::null_mut(), 0)
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // Some room for what is added meanwhile.
        let mut table = vec![0_u8; length + length / 8 + 512];
        length = table.len();
        // SAFETY: the buffer has the `length` bytes that the call may write.
        let result = unsafe {
            libc::sysctl(
                name.as_mut_ptr(),
                levels,
                table.as_mut_ptr().cast(),
                &raw mut length,
                ptr::null_mut(),
                0,
            )
        };
        if result == 0 {
            table.truncate(length);
            return Ok(default_routes(&table));
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ENOMEM) {
            return Err(error);
        }
    }
}

/// Finds the default routes among the messages of a table.
fn default_routes(mut table: &[u8]) -> Vec<DefaultRoute> {
    let mut routes = Vec::new();
    while table.len() >= mem::size_of::<libc::rt_msghdr>() {
        // SAFETY: there are as many bytes, and the structure is numbers only.
        let header = unsafe { ptr::read_unaligned(table.as_ptr().cast::<libc::rt_msghdr>()) };
        let length = usize::from(header.rtm_msglen);
        let Some(message) = table.get(..length).filter(|_| length > 0) else { break };
        let sockets = message.get(mem::size_of::<libc::rt_msghdr>()..).unwrap_or_default();
        routes.extend(default_route(&header, sockets));
        table = &table[length..];
    }
    routes
}

/// A route's message as a default route, if it is one.
fn default_route(header: &libc::rt_msghdr, mut bytes: &[u8]) -> Option<DefaultRoute> {
    /// Only for what asks for this interface by itself (RTF_IFSCOPE of macOS, `net/route.h`).
    const SCOPED: c_int = if cfg!(target_os = "macos") { 0x100_0000 } else { 0 };
    /// Addresses are padded to so much.
    const PADDING: usize = if cfg!(target_os = "macos") { 4 } else { mem::size_of::<libc::c_long>() };
    if header.rtm_flags & libc::RTF_UP == 0 {
        return None;
    }
    let mut sockets = [None; 3];
    // RTA_DST, RTA_GATEWAY, RTA_NETMASK: the first three bits, each with its address if it is set.
    for (place, socket) in sockets.iter_mut().enumerate() {
        if header.rtm_addrs & (1 << place) != 0 {
            let length = usize::from(*bytes.first()?);
            *socket = Some(bytes.get(..length)?);
            let next = if length == 0 { PADDING } else { length.next_multiple_of(PADDING) };
            bytes = bytes.get(next..).unwrap_or_default();
        }
    }
    let [destination, gateway, mask] = sockets;
    // The default is the network 0/0: no address, and a mask without a bit. The length and the family come first.
    let is_zero =
        |socket: Option<&[u8]>| socket.is_none_or(|socket| socket.iter().skip(2).all(|byte| *byte == 0));
    let family = match c_int::from(*destination?.get(1)?) {
        libc::AF_INET => Family::Ipv4,
        libc::AF_INET6 => Family::Ipv6,
        _ => return None,
    };
    if !is_zero(destination) || !is_zero(mask) || header.rtm_flags & libc::RTF_HOST != 0 {
        return None;
    }
    let gateway = if header.rtm_flags & libc::RTF_GATEWAY == 0 { None } else { gateway.and_then(address) };
    let route = DefaultRoute::new(u32::from(header.rtm_index), family, gateway, None);
    Some(DefaultRoute { is_special: header.rtm_flags & SCOPED != 0, ..route })
}

/// The address in a socket address; a link-local one without the zone that the kernel keeps inside it.
fn address(socket: &[u8]) -> Option<IpAddr> {
    match c_int::from(*socket.get(1)?) {
        libc::AF_INET => Some(IpAddr::from(<[u8; 4]>::try_from(socket.get(4..8)?).ok()?)),
        libc::AF_INET6 => {
            let mut bytes = <[u8; 16]>::try_from(socket.get(8..24)?).ok()?;
            if bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 {
                (bytes[2], bytes[3]) = (0, 0);
            }
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}

pub(super) fn port_settings() -> PortSettings {
    let ephemeral = sysctl("net.inet.ip.portrange.first").zip(sysctl("net.inet.ip.portrange.last"));
    PortSettings {
        ephemeral,
        reserved: None,
        time_wait_reuse: None,
        // macOS since 10.14 lets anyone bind any port on the wildcard address and only there: no one answer.
        unprivileged_start: if cfg!(target_os = "macos") {
            None
        } else {
            sysctl("net.inet.ip.portrange.reservedhigh").map(|highest| highest.saturating_add(1))
        },
    }
}

/// Reads an integer sysctl that is a port.
fn sysctl(name: &str) -> Option<u16> {
    let name = CString::new(name).ok()?;
    let mut value: c_int = 0;
    let mut length = mem::size_of::<c_int>();
    // SAFETY: `value` has the `length` bytes that the call may write, and nothing is set.
    let result = unsafe {
        libc::sysctlbyname(name.as_ptr(), (&raw mut value).cast(), &raw mut length, ptr::null_mut(), 0)
    };
    if result == 0 { u16::try_from(value).ok() } else { None }
}

#[cfg(target_os = "freebsd")]
pub(super) fn tcp_info(_: &impl super::AsSocket) -> Option<super::TcpInfo> {
    None
}

/// TCP_CONNECTION_INFO (`netinet/tcp.h`), whose times are in milliseconds and whose windows are in bytes.
#[cfg(target_os = "macos")]
pub(super) fn tcp_info(socket: &impl super::AsSocket) -> Option<super::TcpInfo> {
    use std::os::fd::AsRawFd;
    // SAFETY: the structure is numbers only, of which all-zero bytes are valid ones.
    let mut info: libc::tcp_connection_info = unsafe { mem::zeroed() };
    let mut length = libc::socklen_t::try_from(mem::size_of_val(&info)).ok()?;
    let wanted = length;
    // SAFETY: `info` has the `length` bytes that the kernel may write.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONNECTION_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    if result != 0 || length < wanted {
        return None;
    }
    let milliseconds = |time: u32| time.saturating_mul(1000);
    let has = |bit: u32| info.tcpi_options & bit != 0;
    let mss = info.tcpi_maxseg.max(1);
    Some(super::TcpInfo {
        state: state(info.tcpi_state),
        rtt_us: milliseconds(info.tcpi_srtt),
        rttvar_us: Some(milliseconds(info.tcpi_rttvar)),
        min_rtt_us: None,
        rto_us: Some(milliseconds(info.tcpi_rto)),
        retransmissions: None,
        unacked: None,
        mss_bytes: info.tcpi_maxseg,
        pmtu_bytes: None,
        cwnd_segments: info.tcpi_snd_cwnd / mss,
        // TCP_MAXWIN << TCP_MAX_WINSHIFT: no loss has set one yet.
        ssthresh_segments: Some(info.tcpi_snd_ssthresh)
            .filter(|bytes| *bytes < 65_535 << 14)
            .map(|bytes| bytes / mss),
        congestion_control: None,
        delivery_rate_bytes_per_s: None,
        send_window_bytes: Some(info.tcpi_snd_wnd),
        receive_window_bytes: Some(info.tcpi_rcv_wnd),
        receive_space_bytes: None,
        send_window_scale: has(4).then_some(info.tcpi_snd_wscale),
        receive_window_scale: has(4).then_some(info.tcpi_rcv_wscale),
        sack: Some(has(2)),
        ecn: Some(has(8)),
        timestamps: Some(has(1)),
        segments_out: Some(info.tcpi_txpackets),
        segments_in: Some(info.tcpi_rxpackets),
        acknowledged_bytes: None,
    })
}

/// A state by its number in `netinet/tcp_fsm.h`.
#[cfg(target_os = "macos")]
fn state(number: u8) -> Option<super::TcpState> {
    use super::TcpState as State;
    const STATES: [State; 11] = [
        State::Closed,
        State::Listen,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::CloseWait,
        State::FinWait1,
        State::Closing,
        State::LastAck,
        State::FinWait2,
        State::TimeWait,
    ];
    STATES.get(usize::from(number)).copied()
}
