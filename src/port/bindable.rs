//! Whether a port can be had: the kernel's own rules, over its tables.
//!
//! They are those of `inet_bind_conflict` (`net/ipv4/inet_connection_sock.c`), `inet_rcv_saddr_equal` (the same file) and
//! `udp_lib_lport_inuse` (`net/ipv4/udp.c`), for a socket that binds the wildcard address of every interface.

use std::net::IpAddr;

use serde::Serialize;

use crate::address::Family;
use crate::sys::{InetSocket, TcpState, Transport};

/// Whether a socket of one kind could be bound to a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bindable {
    /// Whose wildcard address it would bind.
    pub family: Family,
    /// The protocol.
    pub protocol: Transport,
    /// Whether it would leave IPv4 alone; `None` as the system has it by default, and of IPv4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v6only: Option<bool>,
    /// Whether it would have SO_REUSEADDR set.
    pub reuse_address: bool,
    /// Whether it can be bound; `None` where nobody can say.
    pub can_bind: Option<bool>,
    /// Why it cannot, or why nobody can say.
    pub cause: Option<Cause>,
    /// The same as a sentence, with the holder.
    pub reason: Option<String>,
    /// Whether it has really been bound for a moment, or tried to be.
    pub is_checked: bool,
}

/// Why a port cannot be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// This user may not bind ports so low.
    Privilege,
    /// The system has no such addresses.
    NoFamily,
    /// A socket listens on it.
    Listening,
    /// A socket of a protocol without connections receives on it.
    Receiving,
    /// A socket is bound to it and does nothing else.
    Bound,
    /// A connection has it.
    Connected,
    /// A connection that has ended has it for a while (RFC 9293, 3.6.1).
    TimeWait,
    /// The system refuses for another reason.
    Refused,
    /// It cannot be told.
    Unknown,
}

/// A kind of socket that somebody might want to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) transport: Transport,
    pub(super) family: Family,
    /// Whether it leaves IPv4 alone.
    pub(super) is_v6only: bool,
    /// Whether that is not what the system does by default.
    pub(super) is_v6only_told: bool,
    pub(super) reuse_address: bool,
}

impl Candidate {
    /// All kinds: each protocol, IPv4, IPv6 as by default, IPv6 the other way, each without and with SO_REUSEADDR.
    pub(super) fn all(transports: &[Transport], v6only_by_default: bool) -> impl Iterator<Item = Self> {
        let families = [
            (Family::Ipv4, false, false),
            (Family::Ipv6, v6only_by_default, false),
            (Family::Ipv6, !v6only_by_default, true),
        ];
        transports.iter().flat_map(move |transport| {
            families.into_iter().flat_map(move |(family, is_v6only, is_v6only_told)| {
                [false, true].into_iter().map(move |reuse_address| Self {
                    transport: *transport,
                    family,
                    is_v6only,
                    is_v6only_told,
                    reuse_address,
                })
            })
        })
    }
}

/// What stands in a candidate's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// Nothing.
    Free,
    /// This socket.
    Blocked(&'a InetSocket),
    /// This socket, if it has SO_REUSEADDR not set, which the tables do not say.
    UnlessReused(&'a InetSocket),
    /// This socket, if it takes IPv4 too, which the tables do not say.
    UnlessV6Only(&'a InetSocket),
}

/// What no table tells of a socket; `None` where nobody else does either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether it has SO_REUSEADDR set.
    pub(super) reuses: Option<bool>,
    /// Whether it leaves IPv4 alone.
    pub(super) v6only: Option<bool>,
}

/// Says what stands in a candidate's way on a port, of the sockets that have it. `ask` is asked what the tables do not tell of
/// a socket, where it matters.
pub(super) fn verdict(
    candidate: Candidate,
    sockets: &[InetSocket],
    ask: impl Fn(&InetSocket) -> Asked,
) -> Verdict<'_> {
    let mut verdict = Verdict::Free;
    for socket in sockets.iter().filter(|socket| socket.transport == candidate.transport) {
        let mut overlaps = overlaps(candidate, socket, socket.v6only);
        if !takes_port(socket) || overlaps == Some(false) {
            continue;
        }
        // However it is set, a listener shares with nobody.
        let may_share = candidate.reuse_address && socket.state != TcpState::Listen;
        let asked = if overlaps.is_none() || may_share { ask(socket) } else { Asked::default() };
        if overlaps.is_none() {
            overlaps = self::overlaps(candidate, socket, asked.v6only);
        }
        let shares = if may_share { asked.reuses } else { Some(false) };
        let found = match (overlaps, shares) {
            (Some(false), _) | (_, Some(true)) => continue,
            (Some(true), Some(false)) => return Verdict::Blocked(socket),
            (Some(true), None) => Verdict::UnlessReused(socket),
            (None, _) => Verdict::UnlessV6Only(socket),
        };
        if verdict == Verdict::Free {
            verdict = found;
        }
    }
    verdict
}

/// Whether a socket has the port to itself: a connection that is still being asked for has only its listener's.
fn takes_port(socket: &InetSocket) -> bool {
    socket.state != TcpState::SynReceived
}

/// Whether a socket's address and a candidate's are one; `None` where that hangs on whether the socket leaves IPv4 alone,
/// which is told of neither connections nor what is left of them.
fn overlaps(candidate: Candidate, socket: &InetSocket, v6only: Option<bool>) -> Option<bool> {
    match (candidate.family, socket.local.ip()) {
        (Family::Ipv4, IpAddr::V4(_)) => Some(true),
        // One that is bound to an address of IPv6 leaves IPv4 alone; a connection has what its listener had.
        (Family::Ipv4, IpAddr::V6(ip)) => match ip.to_ipv4_mapped() {
            Some(_) => Some(true),
            None => v6only.map(|v6only| !v6only),
        },
        (Family::Ipv6, IpAddr::V4(_)) => Some(!candidate.is_v6only),
        (Family::Ipv6, IpAddr::V6(ip)) => Some(!candidate.is_v6only || ip.to_ipv4_mapped().is_none()),
    }
}

/// Why a socket blocks.
pub(super) fn cause(socket: &InetSocket) -> Cause {
    match (socket.transport, socket.state) {
        (Transport::Udp, _) => Cause::Receiving,
        (_, TcpState::Listen) => Cause::Listening,
        (_, TcpState::Closed) => Cause::Bound,
        (_, TcpState::TimeWait) => Cause::TimeWait,
        _ => Cause::Connected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(transport: Transport, state: TcpState, local: &str, v6only: Option<bool>) -> InetSocket {
        InetSocket {
            transport,
            state,
            local: local.parse().expect("an address"),
            remote: "0.0.0.0:0".parse().expect("an address"),
            interface: 0,
            v6only,
            receive_queue: 0,
            send_queue: 0,
            remaining: None,
            retransmits: 0,
            uid: Some(0),
            inode: 1,
            cgroup: None,
        }
    }

    /// For IPv4, dual stack and IPv6 alone: `yes`, `no`, or `reuse`/`v6only` for what it hangs on.
    fn told(socket: InetSocket, reuse_address: bool, reuses: Option<bool>) -> [&'static str; 3] {
        let sockets = [socket];
        let all: Vec<&str> = Candidate::all(&[sockets[0].transport], false)
            .filter(|candidate| candidate.reuse_address == reuse_address)
            .map(|candidate| match verdict(candidate, &sockets, |_| Asked { reuses, v6only: None }) {
                Verdict::Free => "yes",
                Verdict::Blocked(_) => "no",
                Verdict::UnlessReused(_) => "reuse",
                Verdict::UnlessV6Only(_) => "v6only",
            })
            .collect();
        all.try_into().expect("three")
    }

    /// Each row was tried on Linux 6.18 with sockets of these kinds.
    #[test]
    fn the_kernels_rules() {
        use TcpState::{Closed, Established, Listen, TimeWait};
        use Transport::{Tcp, Udp};
        for (transport, state, local, v6only, without, with, with_reused) in [
            (Tcp, Listen, "0.0.0.0:1", None, ["no", "no", "yes"], ["no", "no", "yes"], ["no", "no", "yes"]),
            (Tcp, Listen, "127.0.0.1:1", None, ["no", "no", "yes"], ["no", "no", "yes"], ["no", "no", "yes"]),
            (Tcp, Listen, "[::]:1", Some(false), ["no"; 3], ["no"; 3], ["no"; 3]),
            (
                Tcp,
                Listen,
                "[::]:1",
                Some(true),
                ["yes", "no", "no"],
                ["yes", "no", "no"],
                ["yes", "no", "no"],
            ),
            (
                Tcp,
                Listen,
                "[::1]:1",
                Some(true),
                ["yes", "no", "no"],
                ["yes", "no", "no"],
                ["yes", "no", "no"],
            ),
            (Tcp, Closed, "0.0.0.0:1", None, ["no", "no", "yes"], ["reuse", "reuse", "yes"], ["yes"; 3]),
            (Tcp, TimeWait, "127.0.0.1:1", None, ["no", "no", "yes"], ["reuse", "reuse", "yes"], ["yes"; 3]),
            (
                Tcp,
                Established,
                "[::ffff:127.0.0.1]:1",
                None,
                ["no", "no", "yes"],
                ["reuse", "reuse", "yes"],
                ["yes"; 3],
            ),
            (
                Tcp,
                TimeWait,
                "[::1]:1",
                None,
                ["v6only", "no", "no"],
                ["v6only", "reuse", "reuse"],
                ["yes"; 3],
            ),
            (Udp, Closed, "0.0.0.0:1", None, ["no", "no", "yes"], ["reuse", "reuse", "yes"], ["yes"; 3]),
            (Udp, Closed, "[::]:1", Some(false), ["no"; 3], ["reuse"; 3], ["yes"; 3]),
        ] {
            let make = || socket(transport, state, local, v6only);
            let what = format!("{transport:?} {state:?} {local} {v6only:?}");
            assert_eq!(told(make(), false, None), without, "{what}");
            assert_eq!(told(make(), true, None), with, "{what}, with SO_REUSEADDR");
            assert_eq!(told(make(), true, Some(true)), with_reused, "{what}, with it on both");
        }
    }

    /// Whether a connection of IPv6 takes IPv4 too is asked where the tables do not say.
    #[test]
    fn what_is_asked_decides() {
        let sockets = [socket(Transport::Tcp, TcpState::Established, "[::1]:1", None)];
        let candidate = Candidate::all(&[Transport::Tcp], false).next().expect("IPv4");
        let told = |v6only| verdict(candidate, &sockets, |_| Asked { reuses: None, v6only });
        assert_eq!(told(Some(true)), Verdict::Free);
        assert_eq!(told(Some(false)), Verdict::Blocked(&sockets[0]));
        assert_eq!(told(None), Verdict::UnlessV6Only(&sockets[0]));
    }

    #[test]
    fn the_surest_obstacle_is_the_one_that_is_told() {
        let sockets = [
            socket(Transport::Tcp, TcpState::TimeWait, "127.0.0.1:1", None),
            socket(Transport::Tcp, TcpState::Listen, "0.0.0.0:1", None),
        ];
        let candidate =
            Candidate::all(&[Transport::Tcp], false).find(|it| it.reuse_address).expect("the second kind");
        assert_eq!(verdict(candidate, &sockets, |_| Asked::default()), Verdict::Blocked(&sockets[1]));
        let other = Candidate { transport: Transport::Udp, ..candidate };
        assert_eq!(verdict(other, &sockets, |_| Asked::default()), Verdict::Free);
    }
}
