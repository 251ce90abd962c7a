//! `sock_diag(7)`: the sockets of this machine, whoever's they are, even those that have left their program behind.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::netlink::{Attributes, Netlink, u32_at, u64_at};
use super::proc_sockets;
use super::tcp_info::state;
use crate::sys::{InetSocket, TcpState, Transport};

/// SOCK_DIAG_BY_FAMILY (`linux/sock_diag.h`).
const BY_FAMILY: u16 = 20;
/// TCPDIAG_GETSOCK (`linux/inet_diag.h`).
const GETSOCK: u16 = 18;
/// Every state, and of TCP also what is bound and neither listens nor is connected: bit 13, TCP_BOUND_INACTIVE,
/// which Linux before 6.8 does not know (`net/tcp_states.h`).
const ALL_STATES: u32 = 0xffff_ffff;
/// TCP_CLOSE and TCP_LISTEN.
const CLOSE: u32 = 7;
const LISTEN: u32 = 10;
const TCP: Transport = Transport::Tcp;
/// The bytes of `struct inet_diag_sockid`.
const ID: usize = 48;
/// Where it stands in an `inet_diag_msg`.
const ID_AT: usize = 4;
/// The bytes of the whole `struct inet_diag_msg`, after which its attributes stand.
const MESSAGE: usize = ID_AT + ID + 20;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_CGROUP_ID: u16 = 21;

pub(in crate::sys) fn tcp_socket(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<InetSocket>> {
    let request =
        request(TCP, family(local.ip()), ALL_STATES, Some((local, remote)), (local.port(), remote.port()));
    let found = match Netlink::sock_diag()?.one(BY_FAMILY, &request) {
        // Where the connection is gone, the kernel answers with whoever listens there.
        Ok(message) => message
            .as_deref()
            .and_then(|message| parse(message, TCP))
            .filter(|socket| socket.state != TcpState::Listen),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if found.is_some() {
        return Ok(found);
    }
    // One that is bound to an interface is only found in the whole list.
    let same = |one: SocketAddr, other: SocketAddr| {
        (one.ip().to_canonical(), one.port()) == (other.ip().to_canonical(), other.port())
    };
    let all = tcp_sockets(local.port(), remote.port())?;
    Ok(all.into_iter().find(|socket| same(socket.local, local) && same(socket.remote, remote)))
}

pub(in crate::sys) fn tcp_sockets(local_port: u16, remote_port: u16) -> io::Result<Vec<InetSocket>> {
    let mut sockets = Vec::new();
    dump(&mut Netlink::sock_diag()?, TCP, ALL_STATES, (local_port, remote_port), &[], &mut sockets)?;
    Ok(sockets)
}

pub(in crate::sys) fn port_sockets(
    transport: Transport,
    (first, last): (u16, u16),
    only_servers: bool,
) -> io::Result<Vec<InetSocket>> {
    // Port 0 stands for any in a request, and no socket has it.
    let first = first.max(1);
    if first > last {
        return Ok(Vec::new());
    }
    let states = match transport {
        _ if !only_servers => ALL_STATES,
        Transport::Tcp => 1 << LISTEN,
        Transport::Udp => 1 << CLOSE,
    };
    let port = if first == last { first } else { 0 };
    let filter =
        if first == last || (first <= 1 && last == u16::MAX) { Vec::new() } else { range(first, last) };
    let mut sockets = Vec::new();
    let told = Netlink::sock_diag()
        .and_then(|mut netlink| dump(&mut netlink, transport, states, (port, 0), &filter, &mut sockets));
    if let Err(refusal) = told {
        sockets = proc_sockets::port_sockets(transport).map_err(|_| refusal)?;
        let is_wanted =
            |state: TcpState| !only_servers || matches!(state, TcpState::Listen | TcpState::Closed);
        sockets.retain(|socket| is_wanted(socket.state));
    }
    // A UDP socket that has no port yet is listed too.
    sockets.retain(|socket| socket.local.port() != 0 && (first..=last).contains(&socket.local.port()));
    Ok(sockets)
}

/// Whether this kernel knows TCP_BOUND_INACTIVE, by its version: it takes what it does not know without a word.
pub(in crate::sys) fn lists_bound_sockets() -> Option<bool> {
    if Netlink::sock_diag().is_err() {
        return Some(false);
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?) >= (6, 8))
}

/// Makes the attribute with a program that lets the kernel itself leave out other local ports
/// (INET_DIAG_REQ_BYTECODE, `inet_diag_bc_run` in `net/ipv4/inet_diag.c`).
fn range(first: u16, last: u16) -> Vec<u8> {
    const INET_DIAG_REQ_BYTECODE: u16 = 1;
    const INET_DIAG_BC_S_GE: u8 = 2;
    const INET_DIAG_BC_S_LE: u8 = 3;
    /// A condition is two operations of four bytes: itself, and the port it is about.
    const CONDITION: u16 = 8;
    let mut bytes = Vec::with_capacity(20);
    bytes.extend((4 + 2 * CONDITION).to_ne_bytes());
    bytes.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
    for (code, port, left) in
        [(INET_DIAG_BC_S_GE, first, 2 * CONDITION), (INET_DIAG_BC_S_LE, last, CONDITION)]
    {
        // Where to go on if it holds, and if not: behind the end, which is a refusal.
        bytes.extend([code, CONDITION.to_le_bytes()[0]]);
        bytes.extend((left + 4).to_ne_bytes());
        bytes.extend([0, 0]);
        bytes.extend(port.to_ne_bytes());
    }
    bytes
}

/// Adds the sockets of both families; a port of 0 stands for any.
fn dump(
    netlink: &mut Netlink,
    transport: Transport,
    states: u32,
    ports: (u16, u16),
    filter: &[u8],
    sockets: &mut Vec<InetSocket>,
) -> io::Result<()> {
    // The kernel filters too; what it could not is left out here.
    let is_wanted = |socket: &InetSocket| {
        (ports.0 == 0 || socket.local.port() == ports.0) && (ports.1 == 0 || socket.remote.port() == ports.1)
    };
    let parse = |message: &[u8]| parse(message, transport).filter(is_wanted);
    if transport == TCP
        && let Ok(found) =
            netlink.dump(GETSOCK, &[&request_of_both_families(states, ports), filter].concat(), parse)
    {
        sockets.extend(found);
        return Ok(());
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        let request = [&request(transport, family, states, None, ports), filter].concat();
        sockets.extend(netlink.dump(BY_FAMILY, &request, parse)?);
    }
    Ok(())
}

/// Makes an `inet_diag_req`, the older request (`linux/inet_diag.h`): it is for TCP of both families, so that the kernel
/// walks its tables once, which is what such a question costs.
fn request_of_both_families(states: u32, ports: (u16, u16)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ID_AT + ID + 8);
    // The family, which is not heeded, the lengths of two prefixes, and no further attributes.
    bytes.extend([0; ID_AT]);
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    // Any addresses and any interface.
    bytes.extend([0; 16 + 16 + 4]);
    // INET_DIAG_NOCOOKIE: whichever it is.
    bytes.extend([0xff; 8]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes
}

/// The sockets in TIME-WAIT of this network namespace, of IPv4 and IPv6 together (`/proc/net/sockstat`).
pub(in crate::sys) fn time_wait_count() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let mut words = text.lines().find(|line| line.starts_with("TCP:"))?.split(' ');
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

fn family(ip: IpAddr) -> i32 {
    if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

/// Makes an `inet_diag_req_v2`: one socket by its two ends, or all in these states with these ports.
fn request(
    transport: Transport,
    family: i32,
    states: u32,
    ends: Option<(SocketAddr, SocketAddr)>,
    ports: (u16, u16),
) -> Vec<u8> {
    let protocol = match transport {
        Transport::Tcp => libc::IPPROTO_TCP,
        Transport::Udp => libc::IPPROTO_UDP,
    };
    let mut bytes = Vec::with_capacity(8 + ID);
    bytes.push(u8::try_from(family).expect("families are small numbers"));
    bytes.push(u8::try_from(protocol).expect("protocols are a byte"));
    bytes.extend([0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    let mut scope = 0;
    for end in [ends.map(|ends| ends.0), ends.map(|ends| ends.1)] {
        let mut address = [0; 16];
        match end {
            Some(SocketAddr::V4(end)) => address[..4].copy_from_slice(&end.ip().octets()),
            Some(SocketAddr::V6(end)) => {
                address = end.ip().octets();
                scope = scope.max(end.scope_id());
            }
            None => {}
        }
        bytes.extend(address);
    }
    bytes.extend(scope.to_ne_bytes());
    // INET_DIAG_NOCOOKIE: whichever it is.
    bytes.extend([0xff; 8]);
    bytes
}

/// Parses a `struct inet_diag_msg` (`linux/inet_diag.h`); `None` if it is cut short or of another family.
///
/// Never panics, whatever the bytes.
pub fn parse(message: &[u8], transport: Transport) -> Option<InetSocket> {
    let id = message.get(ID_AT..ID_AT + ID)?;
    let family = i32::from(*message.first()?);
    let scope = u32_at(id, 36)?;
    let end = |port_at: usize, address_at: usize| -> Option<SocketAddr> {
        let port = u16::from_be_bytes(id.get(port_at..port_at + 2)?.try_into().ok()?);
        match family {
            libc::AF_INET => {
                let octets: [u8; 4] = id.get(address_at..address_at + 4)?.try_into().ok()?;
                Some((octets, port).into())
            }
            libc::AF_INET6 => {
                let octets: [u8; 16] = id.get(address_at..address_at + 16)?.try_into().ok()?;
                Some(std::net::SocketAddrV6::new(octets.into(), port, 0, scope).into())
            }
            _ => None,
        }
    };
    let word = |at: usize| u32_at(message, ID_AT + ID + at);
    let state: TcpState = state(*message.get(1)?)?;
    let (timer, expires_ms) = (*message.get(2)?, word(0)?);
    let mut v6only = None;
    let mut cgroup = None;
    for (kind, payload) in Attributes(message.get(MESSAGE..).unwrap_or_default()) {
        match kind {
            INET_DIAG_SKV6ONLY => v6only = payload.first().map(|is| *is != 0),
            INET_DIAG_CGROUP_ID => cgroup = u64_at(payload, 0),
            _ => {}
        }
    }
    Some(InetSocket {
        transport,
        state,
        interface: u32_at(id, 36)?,
        v6only: v6only.filter(|_| family == libc::AF_INET6),
        cgroup,
        local: end(0, 4)?,
        remote: end(2, 20)?,
        receive_queue: word(4)?,
        send_queue: word(8)?,
        remaining: (timer != 0).then(|| Duration::from_millis(expires_ms.into())),
        retransmits: *message.get(3)?,
        uid: Some(word(12)?),
        inode: word(16)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_and_cut_ones_are_not() {
        let mut bytes = vec![2, 6, 3, 0];
        bytes.extend([0x1f, 0x90, 0x9c, 0x40]);
        bytes.extend([127, 0, 0, 1]);
        bytes.extend([0; 12]);
        bytes.extend([127, 0, 0, 2]);
        bytes.extend([0; 12 + 4 + 8]);
        for word in [59_948_u32, 1, 2, 65_534, 77] {
            bytes.extend(word.to_ne_bytes());
        }
        assert_eq!(bytes.len(), 72);
        let socket = parse(&bytes, TCP).expect("a whole message");
        assert_eq!(socket.state, TcpState::TimeWait);
        assert_eq!(
            (socket.local.to_string(), socket.remote.to_string()),
            ("127.0.0.1:8080".into(), "127.0.0.2:40000".into())
        );
        assert_eq!(socket.remaining, Some(Duration::from_millis(59_948)));
        assert_eq!(
            (socket.receive_queue, socket.send_queue, socket.uid, socket.inode),
            (1, 2, Some(65_534), 77)
        );
        assert!((0..bytes.len()).all(|cut| parse(&bytes[..cut], TCP).is_none()));
    }

    #[test]
    fn a_request_has_the_size_the_kernel_wants() {
        let ends = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        assert_eq!(request(TCP, libc::AF_INET, 1, Some(ends), (1, 2)).len(), 56);
        assert_eq!(request(TCP, libc::AF_INET6, 1, None, (1, 2)).len(), 56);
        assert_eq!(request_of_both_families(1, (1, 2)).len(), 60);
        assert_eq!(range(1, 2).len(), 20);
    }
}
