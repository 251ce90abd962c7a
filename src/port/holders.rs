//! Who holds ports: the kernel's sockets, and the processes that have them.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use serde::Serialize;

use super::origin::{self, Origin};
use crate::address::Endpoint;
use crate::output::record::Untrusted;
use crate::sys::{self, InetSocket, Owners, Process, SocketOptions, TcpState, Transport};

/// A socket that holds a port, with one of the processes that have it. `None` is what there is not, or what is not told.
#[derive(Clone, Debug, Serialize)]
pub struct Holder {
    /// The protocol.
    pub protocol: Transport,
    /// This end, `ADDRESS:PORT`.
    pub local: String,
    /// The other end of a connection.
    pub remote: Option<String>,
    /// The state, as ss(8) writes it; `BOUND` for a TCP socket that neither listens nor is connected.
    pub state: &'static str,
    /// Whether an IPv6 socket leaves IPv4 alone; without that it holds the port of IPv4 too.
    pub v6only: Option<bool>,
    /// The interface it is bound to.
    pub interface: Option<Untrusted>,
    /// The process.
    pub pid: Option<u32>,
    /// Its name.
    pub process: Option<Untrusted>,
    /// Its command line.
    pub command: Option<Untrusted>,
    /// The name of the user the socket belongs to.
    pub user: Option<Untrusted>,
    /// The user's number.
    pub uid: Option<u32>,
    /// Whether the process is known, and why not.
    pub owner: Ownership,
    /// The systemd unit it belongs to.
    pub unit: Option<Untrusted>,
    /// Whether that is a unit of the user's own manager.
    pub is_user_unit: Option<bool>,
    /// The container it runs in.
    pub container: Option<Untrusted>,
    /// What made the container: `docker`, `podman`, `cri`, `lxc`, `machine`.
    pub container_kind: Option<&'static str>,
    /// The path of its control group.
    pub control_group: Option<Untrusted>,
    /// The network namespace of the process: the name that `ip netns` has for it, or `net:[INODE]`.
    pub netns: Option<Untrusted>,
    /// Whether that is the one this program is in.
    pub is_own_netns: Option<bool>,
    /// The connections that wait to be accepted, and how many may; of a TCP listener.
    pub accept_queue: Option<u32>,
    /// How many may wait.
    pub backlog: Option<u32>,
    /// The milliseconds until the port is free, of a connection in TIME-WAIT.
    pub remaining_ms: Option<u64>,
    /// The socket's inode, by which ss(8) and lsof(8) know it; `None` where no process has it.
    pub inode: Option<u32>,
    /// The process that started this one, goes by the same name and is one that this user may not look into: it has the
    /// socket too, most likely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_parent: Option<Parent>,
    /// Whether it serves: it listens, receives from anybody, or is bound and may yet.
    #[serde(skip)]
    pub(super) is_server: bool,
    /// The socket it is, among those of its port.
    #[serde(skip)]
    pub(super) socket: usize,
}

/// A process that cannot be looked into, with what everybody is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parent {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub process: Untrusted,
    /// Its user's name.
    pub user: Option<Untrusted>,
    /// Its user.
    pub uid: Option<u32>,
}

/// Whether the process that has a socket is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// It is.
    Known,
    /// This user may not look into all processes, and it is one of the others.
    Denied,
    /// No process has it yet: a connection that waits to be accepted.
    Unaccepted,
    /// No process has it any more: a connection that ends by itself.
    None,
    /// None of the processes that can be seen has it: the kernel itself, or one of another PID namespace.
    Hidden,
}

/// The sockets that hold ports, and who has them.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By port, protocol, and how much they hold it.
    sockets: Vec<InetSocket>,
    /// The processes that have sockets.
    processes: Vec<Rc<Known>>,
    /// The places in `processes` of those that have a socket, by its inode, and their descriptors.
    owners: HashMap<u32, Vec<(usize, i32)>>,
    /// Whether every process could be looked into.
    is_complete: bool,
    users: HashMap<u32, Option<Untrusted>>,
    /// Where sockets come from whose process is not known, by their control group's id.
    groups: HashMap<u64, (Origin, Untrusted)>,
    interfaces: HashMap<u32, Option<Untrusted>>,
    own_netns: Option<u64>,
    netns_names: HashMap<u64, Untrusted>,
}

/// A process and where it comes from.
#[derive(Debug)]
struct Known {
    process: Process,
    origin: Origin,
    hidden_parent: Option<Parent>,
}

/// Every port that a socket can have.
pub(super) const ALL_PORTS: (u16, u16) = (1, u16::MAX);

impl Held {
    /// Looks for the sockets of the ports from the first to the last: all, or only those that listen or receive.
    ///
    /// Errors: the system does not tell.
    pub(super) fn find(transports: &[Transport], ports: (u16, u16), only_servers: bool) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for transport in transports {
            sockets.extend(sys::port_sockets(*transport, ports, only_servers)?);
        }
        sockets.sort_by_cached_key(|socket| {
            (socket.local.port(), socket.transport, rank(socket), socket.local, socket.remote, socket.inode)
        });
        Ok(Self { sockets, is_complete: true, ..Self::default() })
    }

    /// Finds the processes that have the sockets.
    pub(super) fn find_owners(&mut self) {
        let inodes: Vec<u32> = self.sockets.iter().map(|socket| socket.inode).collect();
        let Owners { processes, is_complete } = sys::owners(&inodes);
        self.is_complete = is_complete;
        let known: Vec<u32> = processes.iter().map(|owner| owner.process.pid).collect();
        for owner in processes {
            let place = self.processes.len();
            for (inode, descriptor) in owner.sockets {
                let of_socket = self.owners.entry(inode).or_default();
                // One process may have several descriptors of a socket.
                if of_socket.last().is_none_or(|(last, _)| *last != place) {
                    of_socket.push((place, descriptor));
                }
            }
            let process = owner.process;
            let path = process.control_group.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let hidden_parent = if is_complete {
                None
            } else {
                hidden_parent(&process).filter(|it| !known.contains(&it.pid))
            };
            self.processes.push(Rc::new(Known { origin: origin::of(&path), process, hidden_parent }));
        }
        self.own_netns = sys::own_netns();
        for known in &self.processes {
            if let Some(inode) = known.process.netns
                && !self.netns_names.contains_key(&inode)
            {
                let name =
                    sys::netns_name(inode).map_or_else(|| format!("net:[{inode}]").into(), Untrusted::from);
                self.netns_names.insert(inode, name);
            }
        }
        for socket in &self.sockets {
            if let Some(uid) = uid(socket) {
                self.users.entry(uid).or_insert_with(|| sys::user_name(uid).map(Untrusted::from));
            }
            if socket.interface != 0 {
                let name = || sys::interface_name(socket.interface).map(Untrusted::from);
                self.interfaces.entry(socket.interface).or_insert_with(name);
            }
        }
        let is_unknown = |socket: &&InetSocket| socket.inode != 0 && !self.owners.contains_key(&socket.inode);
        let mut ids: Vec<u64> = self.sockets.iter().filter(is_unknown).filter_map(|it| it.cgroup).collect();
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            for (id, path) in sys::control_groups(&ids) {
                self.groups.insert(id, (origin::of(&String::from_utf8_lossy(&path)), path.into()));
            }
        }
    }

    /// The sockets of the ports from one to another.
    pub(super) fn sockets(&self, first: u16, last: u16) -> &[InetSocket] {
        let start = self.sockets.partition_point(|socket| socket.local.port() < first);
        let end = self.sockets.partition_point(|socket| socket.local.port() <= last);
        &self.sockets[start..end]
    }

    /// The ports that any socket has, in order, each once.
    pub(super) fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.sockets.iter().map(|socket| socket.local.port()).collect();
        ports.dedup();
        ports
    }

    /// Leaves only the sockets for which something holds, told with the processes that have each.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&InetSocket, &[&Process]) -> bool) {
        let mut sockets = std::mem::take(&mut self.sockets);
        sockets.retain(|socket| {
            let owners = self.owners_of(socket).iter();
            let processes: Vec<&Process> = owners.map(|(place, _)| &self.processes[*place].process).collect();
            is_wanted(socket, &processes)
        });
        self.sockets = sockets;
    }

    /// The holders of the ports from one to another, each socket with each process that has it.
    pub(super) fn holders(&self, first: u16, last: u16) -> Vec<Holder> {
        let mut holders = Vec::new();
        for (place, socket) in self.sockets(first, last).iter().enumerate() {
            match self.owners_of(socket) {
                [] => holders.push(self.holder(place, socket, None)),
                owners => {
                    for (owner, _) in owners {
                        holders.push(self.holder(place, socket, Some(&self.processes[*owner])));
                    }
                }
            }
        }
        holders
    }

    /// What is set of a socket, where a process has it that this user may look into.
    pub(super) fn options_of(&self, socket: &InetSocket) -> Option<SocketOptions> {
        self.owners_of(socket).iter().find_map(|(place, descriptor)| {
            sys::socket_options(self.processes[*place].process.pid, *descriptor, socket.inode)
        })
    }

    /// Whether there is a socket whose process this user may not look into.
    pub(super) fn has_denied(&self) -> bool {
        let is_denied = |socket: &InetSocket| socket.inode != 0 && !self.owners.contains_key(&socket.inode);
        !self.is_complete && self.sockets.iter().any(is_denied)
    }

    /// Who has a socket, as the subject of a sentence.
    pub(super) fn who(&self, socket: &InetSocket) -> String {
        let owners = self.owners_of(socket);
        let user = || match uid(socket).map(|uid| (uid, self.users.get(&uid).cloned().flatten())) {
            Some((_, Some(name))) => format!(" of user {}", name.to_lossy()),
            Some((uid, None)) => format!(" of user {uid}"),
            None => String::new(),
        };
        let group = socket.cgroup.and_then(|id| self.groups.get(&id)).map(|(origin, _)| origin);
        match owners {
            [] if is_unaccepted(socket) => "a connection that waits to be accepted".to_owned(),
            [] if socket.inode == 0 => "a connection whose program has ended".to_owned(),
            [] if self.is_complete => "the kernel, or a process of another namespace,".to_owned(),
            [] => match group.and_then(|origin| origin.unit.as_ref()) {
                Some(unit) => format!("a process{} in {unit}", user()),
                None => format!("a process{}", user()),
            },
            [(place, _), more @ ..] => {
                let process = &self.processes[*place].process;
                let name = String::from_utf8_lossy(&process.name);
                let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
                format!("{name} (pid {}{more})", process.pid)
            }
        }
    }

    fn owners_of(&self, socket: &InetSocket) -> &[(usize, i32)] {
        self.owners.get(&socket.inode).map(Vec::as_slice).unwrap_or_default()
    }

    fn holder(&self, place: usize, socket: &InetSocket, known: Option<&Rc<Known>>) -> Holder {
        let process = known.map(|known| &known.process);
        let uid = uid(socket);
        let group = socket.cgroup.filter(|_| known.is_none()).and_then(|id| self.groups.get(&id));
        let origin = known.map(|known| &known.origin).or(group.map(|(origin, _)| origin));
        let unit = origin.and_then(|origin| Some((origin.unit.as_deref()?, origin.is_of_user)));
        let container = origin.and_then(|origin| origin.container.as_ref());
        let control_group = process.and_then(|it| it.control_group.clone()).map(Untrusted::from);
        let is_connected = socket.remote.port() != 0;
        let is_listening =
            sys::LISTS_EVERY_SOCKET && socket.transport == Transport::Tcp && socket.state == TcpState::Listen;
        let netns = process.and_then(|process| process.netns);
        Holder {
            protocol: socket.transport,
            local: endpoint(socket.local, socket.interface),
            remote: is_connected.then(|| endpoint(socket.remote, socket.interface)),
            state: state(socket),
            v6only: socket.v6only,
            interface: self.interfaces.get(&socket.interface).cloned().flatten(),
            pid: process.map(|process| process.pid),
            process: process.map(|process| process.name.clone().into()),
            command: process.map(|it| it.command.clone()).filter(|it| !it.is_empty()).map(Untrusted::from),
            user: uid.and_then(|uid| self.users.get(&uid)?.clone()),
            uid,
            owner: match process {
                Some(_) => Ownership::Known,
                None if is_unaccepted(socket) => Ownership::Unaccepted,
                None if socket.inode == 0 => Ownership::None,
                None if self.is_complete => Ownership::Hidden,
                None => Ownership::Denied,
            },
            unit: unit.map(|(unit, _)| unit.into()),
            is_user_unit: unit.map(|(_, is_of_user)| is_of_user),
            container: container.map(|(_, name)| name.as_str().into()),
            container_kind: container.map(|(maker, _)| maker.name()),
            control_group: control_group.or_else(|| group.map(|(_, path)| path.clone())),
            netns: netns.and_then(|inode| self.netns_names.get(&inode).cloned()),
            is_own_netns: netns.zip(self.own_netns).map(|(its, own)| its == own),
            accept_queue: is_listening.then_some(socket.receive_queue),
            backlog: is_listening.then_some(socket.send_queue),
            remaining_ms: time_left(socket),
            inode: Some(socket.inode).filter(|inode| *inode != 0),
            hidden_parent: known.and_then(|known| known.hidden_parent.clone()),
            is_server: rank(socket) < 2,
            socket: place,
        }
    }
}

/// The process that started another, where both go by one name and it is another user's, as a server's that lets workers of
/// less privilege do the work.
fn hidden_parent(process: &Process) -> Option<Parent> {
    let parent = sys::process(process.parent.filter(|pid| *pid > 1)?)?;
    if parent.name != process.name || parent.uid == process.uid {
        return None;
    }
    let user = parent.uid.and_then(sys::user_name).map(Untrusted::from);
    Some(Parent { pid: parent.pid, process: parent.name.into(), user, uid: parent.uid })
}

/// Whether a connection has no process because none has accepted it yet; one that no process has any more has closed its end.
fn is_unaccepted(socket: &InetSocket) -> bool {
    let is_open = matches!(socket.state, TcpState::Established | TcpState::CloseWait | TcpState::SynReceived);
    socket.inode == 0 && socket.transport == Transport::Tcp && is_open
}

/// The state as a person reads it.
pub(super) fn state(socket: &InetSocket) -> &'static str {
    match (socket.transport, socket.state) {
        (Transport::Tcp, TcpState::Closed) => "BOUND",
        (Transport::Udp, TcpState::Closed) => "UNCONN",
        (_, state) => state.name(),
    }
}

/// The milliseconds until a socket in TIME-WAIT is gone; other timers end nothing.
pub(super) fn time_left(socket: &InetSocket) -> Option<u64> {
    let is_over = matches!(socket.state, TcpState::TimeWait | TcpState::FinWait2) && socket.inode == 0;
    let left = socket.remaining.filter(|_| is_over)?;
    u64::try_from(left.as_millis()).ok()
}

/// The user of a socket; the kernel has none of what is left of a connection, and says 0.
fn uid(socket: &InetSocket) -> Option<u32> {
    let is_remnant = matches!(socket.state, TcpState::TimeWait | TcpState::FinWait2 | TcpState::SynReceived)
        && socket.inode == 0;
    socket.uid.filter(|_| !is_remnant)
}

/// An address with its port; only where it is not unique without is the interface part of it (RFC 4007).
pub(super) fn endpoint(address: SocketAddr, interface: u32) -> String {
    let mut address = address;
    if let SocketAddr::V4(address) = address {
        // The standard library's formatting takes three times as long, which a listing of thousands would feel.
        let mut digits = itoa::Buffer::new();
        let mut text = String::with_capacity("255.255.255.255:65535".len());
        for (place, octet) in address.ip().octets().into_iter().enumerate() {
            text.push_str(if place == 0 { "" } else { "." });
            text.push_str(digits.format(octet));
        }
        text.push(':');
        text.push_str(digits.format(address.port()));
        return text;
    }
    if let SocketAddr::V6(address) = &mut address {
        let is_link_local = address.ip().is_unicast_link_local() || address.ip().is_multicast();
        address.set_scope_id(if is_link_local { interface } else { 0 });
    }
    Endpoint(address).to_string()
}

/// How much a socket holds its port, the most first.
fn rank(socket: &InetSocket) -> u8 {
    match (socket.transport, socket.state) {
        (Transport::Tcp, TcpState::Listen) | (Transport::Udp, TcpState::Closed) => 0,
        (_, TcpState::Closed) => 1,
        (_, TcpState::TimeWait) => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for text in
            ["0.0.0.0:1", "255.255.255.255:65535", "127.0.0.1:80", "[::]:80", "[::ffff:10.0.0.1]:8080"]
        {
            assert_eq!(endpoint(text.parse().expect("an address"), 7), text);
        }
        // Only where it takes one to tell which is meant.
        assert!(endpoint("[fe80::1]:80".parse().expect("an address"), 4_000_000).contains("fe80::1%"));
    }
}
