//! `sock_diag(7)`: the sockets of this machine, whoever's they are, even those that have left their program behind.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::netlink::{Netlink, u32_at};
use super::tcp_info::state;
use crate::sys::{Process, TcpSocket, TcpState};

/// SOCK_DIAG_BY_FAMILY (`linux/sock_diag.h`).
const BY_FAMILY: u16 = 20;
/// Every state but CLOSED, which is in no list.
const ALL_STATES: u32 = 0xffff_ffff;
/// The bytes of `struct inet_diag_sockid`.
const ID: usize = 48;
/// Where it stands in an `inet_diag_msg`.
const ID_AT: usize = 4;

pub(in crate::sys) fn tcp_socket(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<TcpSocket>> {
    let request =
        request(family(local.ip()), ALL_STATES, Some((local, remote)), (local.port(), remote.port()));
    let found = match Netlink::sock_diag()?.one(BY_FAMILY, &request) {
        // Where the connection is gone, the kernel answers with whoever listens there.
        Ok(message) => message.as_deref().and_then(parse).filter(|socket| socket.state != TcpState::Listen),
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

pub(in crate::sys) fn tcp_sockets(local_port: u16, remote_port: u16) -> io::Result<Vec<TcpSocket>> {
    let mut netlink = Netlink::sock_diag()?;
    let mut sockets = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let request = request(family, ALL_STATES, None, (local_port, remote_port));
        let found = netlink.dump(BY_FAMILY, &request, parse)?;
        sockets.extend(found.into_iter().filter(|socket| {
            // The kernel filters too; what it could not is left out here.
            (local_port == 0 || socket.local.port() == local_port)
                && (remote_port == 0 || socket.remote.port() == remote_port)
        }));
    }
    Ok(sockets)
}

/// The sockets in TIME-WAIT of this network namespace, of IPv4 and IPv6 together (`/proc/net/sockstat`).
pub(in crate::sys) fn time_wait_count() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let mut words = text.lines().find(|line| line.starts_with("TCP:"))?.split(' ');
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

/// Finds the descriptors that lead to a socket, of the processes this user may look into.
pub(in crate::sys) fn processes_with(inode: u32) -> Vec<Process> {
    let wanted = format!("socket:[{inode}]");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        descriptors
            .flatten()
            .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|to| to.as_os_str() == &*wanted))
    };
    let name = |pid| {
        let mut name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.pop_if(|byte| *byte == b'\n');
        Process { pid, name }
    };
    pids.filter(has).map(name).collect()
}

fn family(ip: IpAddr) -> i32 {
    if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

/// Makes an `inet_diag_req_v2`: one socket by its two ends, or all in these states with these ports.
fn request(family: i32, states: u32, ends: Option<(SocketAddr, SocketAddr)>, ports: (u16, u16)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + ID);
    bytes.push(u8::try_from(family).expect("families are small numbers"));
    bytes.push(u8::try_from(libc::IPPROTO_TCP).expect("6"));
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
pub fn parse(message: &[u8]) -> Option<TcpSocket> {
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
    Some(TcpSocket {
        state,
        local: end(0, 4)?,
        remote: end(2, 20)?,
        receive_queue: word(4)?,
        send_queue: word(8)?,
        remaining: (timer != 0).then(|| Duration::from_millis(expires_ms.into())),
        retransmits: *message.get(3)?,
        uid: word(12)?,
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
        let socket = parse(&bytes).expect("a whole message");
        assert_eq!(socket.state, TcpState::TimeWait);
        assert_eq!(
            (socket.local.to_string(), socket.remote.to_string()),
            ("127.0.0.1:8080".into(), "127.0.0.2:40000".into())
        );
        assert_eq!(socket.remaining, Some(Duration::from_millis(59_948)));
        assert_eq!((socket.receive_queue, socket.send_queue, socket.uid, socket.inode), (1, 2, 65_534, 77));
        assert!((0..bytes.len()).all(|cut| parse(&bytes[..cut]).is_none()));
    }

    #[test]
    fn a_request_has_the_size_the_kernel_wants() {
        let ends = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        assert_eq!(request(libc::AF_INET, 1, Some(ends), (1, 2)).len(), 56);
        assert_eq!(request(libc::AF_INET6, 1, None, (1, 2)).len(), 56);
    }
}
