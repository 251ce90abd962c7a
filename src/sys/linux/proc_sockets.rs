//! Sockets without netlink: `/proc/net/tcp` and its like (`proc_pid_net(5)`), for sandboxes that forbid `sock_diag(7)`.
//!
//! They do not list sockets that are bound and nothing else, nor whether an IPv6 socket takes IPv4 too.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::tcp_info::state;
use crate::sys::{InetSocket, TcpState, Transport};

/// The sockets that have a port.
///
/// Errors: there is no such file.
pub(super) fn port_sockets(transport: Transport) -> io::Result<Vec<InetSocket>> {
    let table = |family: &str| fs::read_to_string(format!("/proc/net/{}{family}", transport.name()));
    let ipv4 = table("")?;
    // Without IPv6 there is no such file.
    let ipv6 = table("6").unwrap_or_default();
    let lines = ipv4.lines().skip(1).chain(ipv6.lines().skip(1));
    Ok(lines.filter_map(|line| parse(line, transport)).filter(|socket| socket.local.port() != 0).collect())
}

/// Parses one line; `None` if it is none.
fn parse(line: &str, transport: Transport) -> Option<InetSocket> {
    /// What the kernel counts its timers in, as user space is told (USER_HZ).
    const TICK_MS: u64 = 10;
    let mut words = line.split_whitespace().skip(1);
    let local = endpoint(words.next()?)?;
    let remote = endpoint(words.next()?)?;
    let state = state(u8::from_str_radix(words.next()?, 16).ok()?)?;
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
    let (sent, received) = words.next()?.split_once(':')?;
    let (timer, left) = words.next()?.split_once(':')?;
    let retransmits = u8::try_from(hexadecimal(words.next()?)?).unwrap_or(u8::MAX);
    let uid = words.next()?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    let left = Duration::from_millis(hexadecimal(left)?.saturating_mul(TICK_MS));
    let queue = |text: &str| hexadecimal(text).and_then(|queue| u32::try_from(queue).ok());
    Some(InetSocket {
        transport,
        state,
        local,
        remote,
        interface: 0,
        // One that has an address of IPv6 takes no other.
        v6only: (local.is_ipv6() && !local.ip().is_unspecified() && state == TcpState::Listen)
            .then_some(true),
        receive_queue: queue(received)?,
        send_queue: queue(sent)?,
        remaining: (timer != "00").then_some(left),
        retransmits,
        uid: Some(uid),
        inode,
        cgroup: None,
    })
}

/// Parses `0100007F:1F90`: the address as words of this machine's byte order, the port as a number.
fn endpoint(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut octets = [0; 16];
            for (place, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(place * 8)?);
            }
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `sock_diag` says of the same sockets is the oracle.
    #[test]
    fn the_two_ways_agree() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback");
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a loopback");
        let ends = [
            (Transport::Tcp, listener.local_addr().expect("it is bound")),
            (Transport::Udp, socket.local_addr().expect("it is bound")),
        ];
        for (transport, local) in ends {
            let all = port_sockets(transport).expect("Linux has it");
            let found = all.into_iter().find(|it| it.local == local).expect("it is listed");
            let port = (local.port(), local.port());
            let Ok(listed) = super::super::port_sockets(transport, port, true) else { continue };
            let listed = listed.into_iter().find(|it| it.local == local).expect("it is listed");
            // Only one tells of control groups and of a listener's queue.
            let expected = InetSocket { cgroup: None, send_queue: found.send_queue, ..listed };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn lines_of_every_kind() {
        let line = "   1: 0100007F:10E1 0100007F:DB2C 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000";
        let socket = parse(line, Transport::Tcp).expect("a line");
        assert_eq!((socket.local.to_string(), socket.state), ("127.0.0.1:4321".into(), TcpState::TimeWait));
        assert_eq!((socket.remaining, socket.inode), (Some(Duration::from_secs(60)), 0));
        let line = "  0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 65534 0 77 1";
        let socket = parse(line, Transport::Tcp).expect("a line");
        assert_eq!((socket.local.to_string(), socket.v6only), ("[::1]:80".into(), Some(true)));
        assert_eq!((socket.uid, socket.inode), (Some(65534), 77));
        assert!((0..40).all(|cut| parse(&line[..cut], Transport::Tcp).is_none()));
        for wrong in ["", "0: 0:0 0:0", "0: é0000000:0050 00000000:0000 0A"] {
            assert_eq!(parse(wrong, Transport::Tcp), None, "{wrong}");
        }
    }
}
