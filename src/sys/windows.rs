//! Windows: `GetAdaptersAddresses` for links, gateways and name servers.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, ERROR_NO_DATA, ERROR_SUCCESS};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_INCLUDE_GATEWAYS, GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses,
    GetIfEntry2, IF_TYPE_ETHERNET_CSMACD, IF_TYPE_IEEE80211, IF_TYPE_PPP, IF_TYPE_SOFTWARE_LOOPBACK,
    IF_TYPE_TUNNEL, IP_ADAPTER_ADDRESSES_LH, IP_ADAPTER_UNICAST_ADDRESS_LH, MIB_IF_ROW2, if_indextoname,
    if_nametoindex,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, IpDadStateDeprecated, IpDadStateDuplicate, IpDadStateTentative,
    IpPrefixOriginManual, IpPrefixOriginWellKnown, IpSuffixOriginRandom, SIO_TCP_INFO, SOCKADDR_IN,
    SOCKADDR_IN6, SOCKET_ADDRESS, TCP_INFO_v0, WSAIoctl,
};

use super::{Counters, DefaultRoute, Depth, Link, LinkAddress, Network, PortSettings, Tells};
use crate::address::{Family, HardwareAddress};

/// NDIS_IF_MAX_STRING_SIZE and its NUL.
const NAME_SIZE: usize = 257;

/// The index of the interface with this name.
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` is a valid C string for the length of the call.
    match unsafe { if_nametoindex(name.as_ptr().cast()) } {
        0 => None,
        index => Some(index),
    }
}

/// The name of the interface with this index, as bytes.
pub fn interface_name(index: u32) -> Option<Vec<u8>> {
    let mut name = [0_u8; NAME_SIZE];
    // SAFETY: the buffer has the NDIS_IF_MAX_STRING_SIZE + 1 bytes that the call may write.
    let found = unsafe { if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() { None } else { Some(CStr::from_bytes_until_nul(&name).ok()?.to_bytes().to_vec()) }
}

pub(super) fn network(depth: Depth) -> io::Result<Network> {
    let buffer = adapters()?;
    let mut network = Network {
        default_routes: Some(Vec::new()),
        dns_servers: Some(Vec::new()),
        tells: Tells {
            kind: true,
            alias: true,
            mac: true,
            address_details: true,
            speed: true,
            ..Tells::default()
        },
        ..Network::default()
    };
    let mut next: *const IP_ADAPTER_ADDRESSES_LH = buffer.as_ptr().cast();
    // SAFETY: the list that `GetAdaptersAddresses` built lies within `buffer`, which outlives the loop, and ends
    // in a null pointer.
    while let Some(adapter) = unsafe { next.as_ref() } {
        // SAFETY: as above.
        unsafe { add(&mut network, adapter, depth) };
        next = adapter.Next;
    }
    network.links.sort_by_key(|link| link.index);
    Ok(network)
}

/// Asks for all adapters, with a buffer that grows until it is large enough.
fn adapters() -> io::Result<Vec<u64>> {
    /// The size that Microsoft's page on the function recommends to begin with.
    const FIRST_SIZE: u32 = 15 * 1024;
    let flags = GAA_FLAG_INCLUDE_GATEWAYS | GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST;
    let mut size = FIRST_SIZE;
    loop {
        // A list of u64 is aligned as the structures need it; zeroed, it begins as an empty list.
        let mut buffer = vec![0_u64; (size as usize).div_ceil(8)];
        // SAFETY: the buffer has `size` bytes and the right alignment.
        let result = unsafe {
            GetAdaptersAddresses(
                u32::from(AF_UNSPEC),
                flags,
                std::ptr::null(),
                buffer.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        match result {
            ERROR_SUCCESS => return Ok(buffer),
            ERROR_NO_DATA => return Ok(vec![0; size_of::<IP_ADAPTER_ADDRESSES_LH>() / 8]),
            ERROR_BUFFER_OVERFLOW if size < 64 * 1024 * 1024 => {}
            error => return Err(io::Error::from_raw_os_error(error.cast_signed())),
        }
    }
}

/// Adds one adapter.
///
/// # Safety
/// `adapter` and everything it points to must be as `GetAdaptersAddresses` left it.
unsafe fn add(network: &mut Network, adapter: &IP_ADAPTER_ADDRESSES_LH, depth: Depth) {
    // SAFETY: the union holds the index in both its readings; IPv4 may be off, then IPv6's is set.
    let v4_index = unsafe { adapter.Anonymous1.Anonymous.IfIndex };
    let index = if v4_index == 0 { adapter.Ipv6IfIndex } else { v4_index };
    if index == 0 {
        return;
    }
    let mac_length = usize::try_from(adapter.PhysicalAddressLength).unwrap_or(0);
    let kind = match adapter.IfType {
        IF_TYPE_SOFTWARE_LOOPBACK => Some("loopback"),
        IF_TYPE_ETHERNET_CSMACD => Some("ethernet"),
        IF_TYPE_IEEE80211 => Some("wifi"),
        IF_TYPE_PPP => Some("ppp"),
        IF_TYPE_TUNNEL => Some("tunnel"),
        _ => None,
    };
    network.links.push(Link {
        index,
        // SAFETY: the friendly name is a UTF-16 string that ends in NUL.
        name: unsafe { wide_text(adapter.FriendlyName) }.into_bytes(),
        // SAFETY: so is the description.
        alias: Some(unsafe { wide_text(adapter.Description) }.into_bytes()),
        kind: kind.map(Cow::Borrowed),
        // IF_OPER_STATUS counts as RFC 2863 does.
        state: Some(match adapter.OperStatus {
            1 => "up",
            2 => "down",
            3 => "testing",
            5 => "dormant",
            6 => "not-present",
            7 => "lower-layer-down",
            _ => "unknown",
        }),
        carrier: None,
        is_up: adapter.OperStatus == 1,
        is_loopback: adapter.IfType == IF_TYPE_SOFTWARE_LOOPBACK,
        flags: if adapter.OperStatus == 1 { vec!["UP"] } else { Vec::new() },
        mtu: Some(adapter.Mtu).filter(|mtu| *mtu != u32::MAX),
        mac: Some(HardwareAddress::new(adapter.PhysicalAddress.get(..mac_length).unwrap_or_default())),
        speed_mbit: speed(adapter.TransmitLinkSpeed),
        counters: if depth == Depth::Whole { counters(index) } else { None },
        ..Link::default()
    });
    let mut unicast = adapter.FirstUnicastAddress.cast_const();
    // SAFETY: the list ends in a null pointer.
    while let Some(entry) = unsafe { unicast.as_ref() } {
        // SAFETY: the socket address is one of the two families or absent.
        if let Some(ip) = unsafe { ip(&entry.Address) } {
            network.address_details.push(address(index, ip, entry));
        }
        unicast = entry.Next.cast_const();
    }
    let mut gateway = adapter.FirstGatewayAddress.cast_const();
    // SAFETY: the list ends in a null pointer.
    while let Some(entry) = unsafe { gateway.as_ref() } {
        // SAFETY: the socket address is one of the two families or absent.
        if let Some(ip) = unsafe { ip(&entry.Address) } {
            let metric = if ip.is_ipv4() { adapter.Ipv4Metric } else { adapter.Ipv6Metric };
            let route = DefaultRoute::new(index, Family::of(ip), Some(ip), Some(metric));
            network.default_routes.get_or_insert_default().push(route);
        }
        gateway = entry.Next.cast_const();
    }
    let mut server = adapter.FirstDnsServerAddress.cast_const();
    // SAFETY: the list ends in a null pointer.
    while let Some(entry) = unsafe { server.as_ref() } {
        // SAFETY: as for gateways.
        if let Some(ip) = unsafe { ip(&entry.Address) } {
            network.dns_servers.get_or_insert_default().push((index, ip.to_string()));
        }
        server = entry.Next.cast_const();
    }
}

/// A speed in Mbit/s; all ones are none.
fn speed(bits_per_s: u64) -> Option<u32> {
    (bits_per_s != u64::MAX && bits_per_s > 0).then(|| u32::try_from(bits_per_s / 1_000_000).ok()).flatten()
}

/// What the system tells of an address besides what if-addrs finds.
fn address(index: u32, ip: IpAddr, entry: &IP_ADAPTER_UNICAST_ADDRESS_LH) -> LinkAddress {
    let until = |seconds: u32| (seconds != u32::MAX).then_some(seconds);
    let is_by_hand = [IpPrefixOriginManual, IpPrefixOriginWellKnown].contains(&entry.PrefixOrigin);
    let flags = [
        (entry.SuffixOrigin == IpSuffixOriginRandom && ip.is_ipv6(), "temporary"),
        (entry.DadState == IpDadStateDuplicate, "dadfailed"),
        (entry.DadState == IpDadStateDeprecated, "deprecated"),
        (entry.DadState == IpDadStateTentative, "tentative"),
        (is_by_hand, "permanent"),
        (!is_by_hand, "dynamic"),
    ];
    LinkAddress {
        flags: flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect::<Vec<_>>().into(),
        valid_s: until(entry.ValidLifetime),
        preferred_s: until(entry.PreferredLifetime),
        ..LinkAddress::new(index, ip, entry.OnLinkPrefixLength)
    }
}

/// What has gone through an interface.
fn counters(index: u32) -> Option<Counters> {
    // SAFETY: the structure is numbers only, of which all-zero bytes are valid ones.
    let mut row: MIB_IF_ROW2 = unsafe { std::mem::zeroed() };
    row.InterfaceIndex = index;
    // SAFETY: `row` lives for the length of the call, which fills it.
    let result = unsafe { GetIfEntry2(&raw mut row) };
    (result == ERROR_SUCCESS).then_some(Counters {
        rx_bytes: row.InOctets,
        rx_packets: row.InUcastPkts + row.InNUcastPkts,
        rx_errors: row.InErrors,
        rx_dropped: row.InDiscards,
        rx_missed: None,
        rx_multicast: None,
        tx_bytes: row.OutOctets,
        tx_packets: row.OutUcastPkts + row.OutNUcastPkts,
        tx_errors: row.OutErrors,
        tx_dropped: Some(row.OutDiscards),
        tx_carrier_errors: None,
        collisions: None,
    })
}

/// Reads a socket address.
///
/// # Safety
/// A pointer that is not null must lead to an address of the family it names.
unsafe fn ip(address: &SOCKET_ADDRESS) -> Option<IpAddr> {
    // SAFETY: every socket address begins with its family.
    match unsafe { address.lpSockaddr.as_ref() }?.sa_family {
        AF_INET => {
            // SAFETY: an AF_INET address is a SOCKADDR_IN.
            let octets = unsafe { (*address.lpSockaddr.cast::<SOCKADDR_IN>()).sin_addr.S_un.S_addr };
            Some(Ipv4Addr::from(octets.to_ne_bytes()).into())
        }
        AF_INET6 => {
            // SAFETY: an AF_INET6 address is a SOCKADDR_IN6.
            let octets = unsafe { (*address.lpSockaddr.cast::<SOCKADDR_IN6>()).sin6_addr.u.Byte };
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// Reads a UTF-16 string.
///
/// # Safety
/// A pointer that is not null must lead to a string that ends in NUL.
unsafe fn wide_text(start: *const u16) -> String {
    if start.is_null() {
        return String::new();
    }
    let mut length = 0;
    // SAFETY: everything up to and with the NUL belongs to the string.
    while unsafe { *start.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: as above.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(start, length) })
}

/// The ranges are told by `netsh` and by no call: `netsh int ipv4 show dynamicport tcp`, and `excludedportrange`, of
/// ports that nobody is given or may bind. Any user may bind any other port.
pub(super) fn port_settings() -> PortSettings {
    static SETTINGS: std::sync::OnceLock<PortSettings> = std::sync::OnceLock::new();
    let ask = || PortSettings {
        ephemeral: netsh(&["dynamicport", "tcp"]).as_deref().and_then(dynamic_range),
        reserved: netsh(&["excludedportrange", "protocol=tcp"]).as_deref().map(excluded_ranges),
        unprivileged_start: Some(0),
        time_wait_reuse: None,
    };
    SETTINGS.get_or_init(ask).clone()
}

/// What `netsh` shows, if it does.
fn netsh(what: &[&str]) -> Option<String> {
    // Not by the search path, where anybody could have put one.
    let root = std::env::var_os("SystemRoot")?;
    let program = std::path::Path::new(&root).join("System32").join("netsh.exe");
    let mut command = std::process::Command::new(program);
    command.args(["int", "ipv4", "show"]).args(what).stdin(std::process::Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.bytes().any(|byte| byte.is_ascii_digit()).then_some(text)
}

/// The dynamic range: of two lines that end in a number, in whatever language, the first has the first port and the
/// second how many there are.
fn dynamic_range(text: &str) -> Option<(u16, u16)> {
    let number = |line: &str| line.rsplit_once(':')?.1.trim().parse::<u32>().ok();
    let mut numbers = text.lines().filter_map(number);
    let (first, count) = (numbers.next()?, numbers.next()?);
    let last = first.checked_add(count)?.checked_sub(1)?;
    Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?))
}

/// The excluded ranges: of every line that begins with two numbers, the first and the last port.
fn excluded_ranges(text: &str) -> Vec<(u16, u16)> {
    let range = |line: &str| {
        let mut words = line.split_whitespace().map(str::parse);
        Some((words.next()?.ok()?, words.next()?.ok()?))
    };
    text.lines().filter_map(range).collect()
}

/// SIO_TCP_INFO (`mstcpip.h`), since Windows 10 1703.
pub(super) fn tcp_info(socket: &impl super::AsSocket) -> Option<super::TcpInfo> {
    use std::os::windows::io::AsRawSocket;
    let version: u32 = 0;
    // SAFETY: the structure is numbers only, of which all-zero bytes are valid ones.
    let mut info: TCP_INFO_v0 = unsafe { std::mem::zeroed() };
    let size = |bytes: usize| u32::try_from(bytes).expect("structures are small");
    let wanted = size(size_of::<TCP_INFO_v0>());
    let mut written = 0;
    // SAFETY: both buffers have the lengths beside them, and the call does not outlive them: it is not overlapped.
    let result = unsafe {
        WSAIoctl(
            usize::try_from(socket.as_socket().as_raw_socket()).ok()?,
            SIO_TCP_INFO,
            (&raw const version).cast(),
            size(size_of::<u32>()),
            (&raw mut info).cast(),
            wanted,
            &raw mut written,
            std::ptr::null_mut(),
            None,
        )
    };
    if result != 0 || written < wanted {
        return None;
    }
    Some(super::TcpInfo {
        state: state(info.State),
        rtt_us: info.RttUs,
        rttvar_us: None,
        min_rtt_us: Some(info.MinRttUs).filter(|rtt| *rtt != u32::MAX),
        rto_us: None,
        retransmissions: None,
        unacked: None,
        mss_bytes: info.Mss,
        pmtu_bytes: None,
        cwnd_segments: info.Cwnd / info.Mss.max(1),
        ssthresh_segments: None,
        congestion_control: None,
        delivery_rate_bytes_per_s: None,
        send_window_bytes: Some(info.SndWnd),
        receive_window_bytes: Some(info.RcvWnd),
        receive_space_bytes: None,
        send_window_scale: None,
        receive_window_scale: None,
        sack: None,
        ecn: None,
        timestamps: Some(info.TimestampsEnabled),
        segments_out: None,
        segments_in: None,
        acknowledged_bytes: None,
    })
}

/// A state by its number in `TCPSTATE`.
fn state(number: i32) -> Option<super::TcpState> {
    use super::TcpState as State;
    const STATES: [State; 11] = [
        State::Closed,
        State::Listen,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];
    STATES.get(usize::try_from(number).ok()?).copied()
}

/// The name of a user; users have no numbers here.
pub fn user_name(_: u32) -> Option<Vec<u8>> {
    None
}

/// The number of a user, which there is not.
pub fn user_id(_: &str) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netsh_is_read_in_any_language() {
        let english = "\r\nProtocol tcp Dynamic Port Range\r\n---------------------------------\r\nStart Port      : 49152\r\nNumber of Ports : 16384\r\n\r\n";
        let german = "Dynamischer Portbereich\r\nStartport       : 1024\r\nAnzahl von Ports: 64511\r\n";
        assert_eq!(dynamic_range(english), Some((49152, 65535)));
        assert_eq!(dynamic_range(german), Some((1024, 65534)));
        assert_eq!(dynamic_range("Start Port : 49152"), None);
        let excluded = "Start Port    End Port\r\n----------    --------\r\n        80          80\r\n     50000       50059     *\r\n\r\n* - Administered port exclusions.\r\n";
        assert_eq!(excluded_ranges(excluded), [(80, 80), (50000, 50059)]);
    }
}

/// Lets each key come as it is pressed; a console does so by itself.
pub fn take_keyboard() -> bool {
    true
}

/// Whether each key comes as it is pressed: as there is no job control, once taken it stays so.
pub fn has_keyboard() -> bool {
    true
}

/// Whether this program is the one that has the console; there is no job control.
pub fn is_in_foreground() -> bool {
    true
}

/// Ends the run as Ctrl-C would.
pub fn interrupt() {
    // SAFETY: an event for the processes of this console's group, as the key itself makes it.
    unsafe {
        windows_sys::Win32::System::Console::GenerateConsoleCtrlEvent(
            windows_sys::Win32::System::Console::CTRL_C_EVENT,
            0,
        )
    };
}
