//! macOS and Windows: the sockets and their processes, by the `listeners` crate.
//!
//! It leaves out sockets whose process this user may not look into, tells no other end, no user, and not whether an IPv6
//! socket takes IPv4 too.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use super::{InetSocket, Owner, Owners, Process, TcpState, Transport};

/// The processes of the sockets that were listed last, by their ids: a socket here has its process' id for an inode.
static PROCESSES: Mutex<BTreeMap<u32, Process>> = Mutex::new(BTreeMap::new());

pub(super) fn port_sockets(
    transport: Transport,
    (first, last): (u16, u16),
    only_servers: bool,
) -> io::Result<Vec<InetSocket>> {
    let all = listeners::get_all().map_err(|error| io::Error::other(error.to_string()))?;
    let mut processes = PROCESSES.lock().expect("nobody panics while he holds this");
    let mut sockets = Vec::new();
    for listener in all {
        let is_wanted = match listener.protocol {
            listeners::Protocol::TCP => transport == Transport::Tcp,
            listeners::Protocol::UDP => transport == Transport::Udp,
        };
        let state = match transport {
            Transport::Tcp => state(listener.state),
            Transport::Udp => TcpState::Closed,
        };
        let is_server = transport == Transport::Udp || state == TcpState::Listen;
        let port = listener.socket.port();
        if !is_wanted || port == 0 || !(first..=last).contains(&port) || (only_servers && !is_server) {
            continue;
        }
        let pid = listener.process.pid;
        let process = Process {
            pid,
            name: listener.process.name.into_bytes(),
            command: listener.process.path.into_bytes(),
            ..Process::default()
        };
        processes.insert(pid, process);
        sockets.push(InetSocket {
            transport,
            state,
            local: listener.socket,
            remote: SocketAddr::from(([0, 0, 0, 0], 0)),
            interface: 0,
            v6only: None,
            receive_queue: 0,
            send_queue: 0,
            remaining: None,
            retransmits: 0,
            uid: None,
            inode: pid,
            cgroup: None,
        });
    }
    Ok(sockets)
}

pub(super) fn owners(inodes: &[u32]) -> Owners {
    let known = PROCESSES.lock().expect("nobody panics while he holds this");
    let owner =
        |(pid, process): (&u32, &Process)| Owner { process: process.clone(), sockets: vec![(*pid, 0)] };
    let processes = known.iter().filter(|(pid, _)| inodes.contains(pid)).map(owner).collect();
    Owners { processes, is_complete: true }
}

fn state(state: listeners::SocketState) -> TcpState {
    use listeners::SocketState as Theirs;
    match state {
        Theirs::Established => TcpState::Established,
        Theirs::SynSent => TcpState::SynSent,
        Theirs::SynReceived => TcpState::SynReceived,
        Theirs::FinWait1 => TcpState::FinWait1,
        Theirs::FinWait2 => TcpState::FinWait2,
        Theirs::TimeWait => TcpState::TimeWait,
        Theirs::Closed | Theirs::Unknown => TcpState::Closed,
        Theirs::CloseWait => TcpState::CloseWait,
        Theirs::LastAck => TcpState::LastAck,
        Theirs::Listen => TcpState::Listen,
        Theirs::Closing => TcpState::Closing,
    }
}
