//! The ways a TCP service can fail, told apart by evidence.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::address::Family;
use crate::output::record::{Cell, Line, Role};
use crate::sys::IcmpError;
use crate::wire::icmp;

/// What became of probing one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every byte came back as it was sent.
    Echoed,
    /// The connection stands, and more was not asked for.
    Connected,
    /// The host answered with a reset: nothing listens there.
    Refused,
    /// The connection was reset after it stood.
    Reset,
    /// No answer at all.
    Filtered,
    /// No answer, because the server's queue of connections to be accepted is full.
    QueueFull,
    /// ICMP says the host is unreachable.
    UnreachableHost,
    /// ICMP says the network is unreachable.
    UnreachableNetwork,
    /// ICMP, or a route of this machine, says it is forbidden.
    Prohibited,
    /// ICMP, not a reset, says nothing listens there: a firewall's doing.
    PortUnreachable,
    /// The other end closed before a byte came back.
    ClosedEarly,
    /// Something else came back than was sent.
    Mismatch,
    /// The other end closed after some bytes had come back.
    Short,
    /// The connection stands, but nothing (more) came back in time.
    TimedOutReading,
    /// The name has no address.
    Unresolved,
    /// This machine has no route there.
    NoRoute,
    /// This machine has no free port to connect from.
    NoLocalPort,
    /// This machine forbids it.
    Permission,
    /// This machine could not make the connection, for a reason that its system names.
    ConnectFailed,
    /// This machine could not send on a connection that stood.
    SendFailed,
    /// This machine could not receive on a connection that stood.
    ReceiveFailed,
}

/// The call on a connection that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// `send(2)`.
    Send,
    /// `recv(2)`.
    Receive,
}

/// Why probing failed, and who said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The kind, which is the outcome too.
    pub kind: Outcome,
    /// One sentence for people.
    pub message: String,
    /// Who sent the ICMP error: this machine itself where its own kernel gave up.
    pub from: Option<IpAddr>,
    /// The ICMP error's type.
    pub icmp_type: Option<u8>,
    /// The ICMP error's code.
    pub icmp_code: Option<u8>,
    /// How often the SYN was sent again, where nothing answered it.
    pub syn_retransmissions: Option<u32>,
}

/// Who sent an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Another machine.
    Other,
    /// This machine, after nobody answered for the next hop.
    OwnNeighbourDiscovery,
    /// This machine, without waiting for anybody.
    OwnRule,
}

impl Outcome {
    /// Whether it is what was asked for.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Echoed | Self::Connected)
    }

    /// The outcome's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echoed => "echoed",
            Self::Connected => "connected",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Filtered => "filtered",
            Self::QueueFull => "queue-full",
            Self::UnreachableHost => "unreachable-host",
            Self::UnreachableNetwork => "unreachable-network",
            Self::Prohibited => "prohibited",
            Self::PortUnreachable => "port-unreachable",
            Self::ClosedEarly => "closed-early",
            Self::Mismatch => "mismatch",
            Self::Short => "short",
            Self::TimedOutReading => "timed-out-reading",
            Self::Unresolved => "unresolved",
            Self::NoRoute => "no-route",
            Self::NoLocalPort => "no-local-port",
            Self::Permission => "permission",
            Self::ConnectFailed => "connect-failed",
            Self::SendFailed => "send-failed",
            Self::ReceiveFailed => "receive-failed",
        }
    }

    /// Whether the connection stood, and what answered on it was no echo.
    pub(super) fn is_no_echo(self) -> bool {
        matches!(self, Self::Mismatch | Self::ClosedEarly | Self::Short | Self::TimedOutReading | Self::Reset)
    }

    /// The outcome in a table.
    pub(super) fn cell(self) -> Cell {
        Cell::text(self.name()).role(if self.is_good() { Role::Good } else { Role::Bad })
    }
}

impl Failure {
    /// The failure of a target or an address, in a line: its outcome, whose it is, and why.
    pub(super) fn line(&self, whose: &str) -> Line {
        Line::default().with(Role::Bad, self.kind.name()).plain(format!(" {whose}: {}", self.message))
    }

    /// Makes a failure that no ICMP error told of.
    pub(super) fn new(kind: Outcome, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            from: None,
            icmp_type: None,
            icmp_code: None,
            syn_retransmissions: None,
        }
    }

    /// The failure of a connect that nothing answered.
    pub(super) fn filtered(waited: Duration, retransmissions: Option<u32>) -> Self {
        let waited = humantime::format_duration(waited);
        let tries = match retransmissions {
            None => "no reply".to_owned(),
            Some(0) => "no reply to the SYN".to_owned(),
            Some(again) => format!("no reply to {} SYNs", again + 1),
        };
        Self {
            syn_retransmissions: retransmissions,
            ..Self::new(
                Outcome::Filtered,
                format!("{tries} within {waited}: a firewall drops it, or the host is down"),
            )
        }
    }

    /// The failure of a connect for which no neighbour was found: no SYN has left.
    pub(super) fn lost_neighbour(waited: Duration) -> Self {
        let waited = humantime::format_duration(waited);
        Self::new(
            Outcome::UnreachableHost,
            format!(
                "no machine on the local network has answered for this address or its gateway within {waited} (ARP or \
                 neighbour discovery)"
            ),
        )
    }

    /// The failure of a connect that an ICMP error ended.
    pub(super) fn of_icmp(family: Family, error: IcmpError, speaker: Speaker) -> Self {
        let (kind, what) = outcome_of(icmp::Error::of(family, error.icmp_type, error.icmp_code));
        let message = match (speaker, error.from) {
            (Speaker::OwnNeighbourDiscovery, _) if kind == Outcome::UnreachableHost => {
                "no machine on the local network answers for this address or its gateway (ARP or neighbour \
                 discovery failed)"
                    .to_owned()
            }
            (Speaker::Other, Some(from)) => format!("{from} reports: {what}"),
            (Speaker::Other, None) => what.to_owned(),
            (_, Some(from)) => {
                format!("a firewall rule of this machine ({from}) reports: {what}")
            }
            (_, None) => format!("this machine's kernel reports: {what}"),
        };
        let (icmp_type, icmp_code) = (Some(error.icmp_type), Some(error.icmp_code));
        Self { kind, message, from: error.from, icmp_type, icmp_code, syn_retransmissions: None }
    }

    /// The failure of a connect by what the system said; `at_once` if no packet can have been answered yet.
    pub(super) fn of_connect(error: &io::Error, at_once: bool, waited: Duration) -> Self {
        let no_route =
            || Self::new(Outcome::NoRoute, format!("this machine has no usable route to it ({error})"));
        match error.kind() {
            ErrorKind::ConnectionRefused => {
                Self::new(Outcome::Refused, "the host replies with a reset: nothing listens on this port")
            }
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Self::new(Outcome::Reset, "connected, then reset by the other end at once")
            }
            ErrorKind::TimedOut => Self::filtered(waited, None),
            // InvalidInput is a blackhole route (`ip-route(8)`).
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::InvalidInput
                if at_once =>
            {
                no_route()
            }
            ErrorKind::NetworkDown => no_route(),
            ErrorKind::NetworkUnreachable => {
                Self::new(Outcome::UnreachableNetwork, "the network is unreachable")
            }
            ErrorKind::HostUnreachable => Self::new(Outcome::UnreachableHost, "the host is unreachable"),
            ErrorKind::AddrInUse => Self::new(
                Outcome::NoLocalPort,
                format!("the source port is in use on this machine ({error})"),
            ),
            ErrorKind::AddrNotAvailable => {
                Self::new(Outcome::NoLocalPort, format!("this machine has no free source port ({error})"))
            }
            ErrorKind::PermissionDenied if is_prohibit_route(error) => {
                Self::new(Outcome::Prohibited, format!("forbidden by a route or rule ({error})"))
            }
            ErrorKind::PermissionDenied => Self::new(
                Outcome::Permission,
                format!("forbidden on this machine, for example by a firewall ({error})"),
            ),
            // It has a name of its own, and is given none of the others.
            _ => Self::new(Outcome::ConnectFailed, format!("this machine could not connect: {error}")),
        }
    }

    /// The failure of sending or receiving on a connection that stood, after so many bytes had come back.
    pub(super) fn of_exchange(error: &io::Error, call: Call, received: u64) -> Self {
        let could_not = match call {
            Call::Send => "could not send",
            Call::Receive => "could not receive",
        };
        let own = |kind| Self::new(kind, format!("connected, then {could_not}: {error}"));
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Self::new(
                Outcome::Reset,
                format!("connected, then reset by the other end after {received} bytes were received"),
            ),
            ErrorKind::TimedOut => Self::new(
                Outcome::TimedOutReading,
                "connected, then the other end stopped acknowledging data",
            ),
            // An ICMP error that outlasted the retransmissions.
            ErrorKind::HostUnreachable => own(Outcome::UnreachableHost),
            ErrorKind::NetworkUnreachable => own(Outcome::UnreachableNetwork),
            ErrorKind::PermissionDenied => own(Outcome::Permission),
            _ if call == Call::Send => own(Outcome::SendFailed),
            _ => own(Outcome::ReceiveFailed),
        }
    }
}

/// EACCES is what a prohibit route gives (`ip-route(8)`), and an ICMPv6 prohibition; EPERM is a firewall.
fn is_prohibit_route(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::EACCES);
    #[cfg(not(unix))]
    return {
        let _ = error;
        false
    };
}

/// The outcome that an ICMP error stands for, and what it says of a connection.
fn outcome_of(error: icmp::Error) -> (Outcome, &'static str) {
    match error {
        icmp::Error::NoRoute => (Outcome::UnreachableNetwork, "no route to the network"),
        icmp::Error::NetworkUnreachable
        | icmp::Error::NetworkUnknown
        | icmp::Error::NetworkUnreachableForTos => {
            (Outcome::UnreachableNetwork, "the network is unreachable")
        }
        icmp::Error::PortUnreachable => {
            (Outcome::PortUnreachable, "port unreachable, by ICMP and not by reset: a firewall rejects it")
        }
        error if error.is_prohibition() => {
            (Outcome::Prohibited, "administratively prohibited: a firewall rejects it")
        }
        icmp::Error::PrecedenceViolation | icmp::Error::PrecedenceCutoff => {
            (Outcome::Prohibited, "administratively prohibited: a firewall rejects it")
        }
        icmp::Error::TtlExceeded | icmp::Error::ReassemblyTimeExceeded => {
            (Outcome::UnreachableHost, "TTL exceeded in transit: a routing loop")
        }
        icmp::Error::HopLimitExceeded => {
            (Outcome::UnreachableHost, "hop limit exceeded in transit: a routing loop")
        }
        error if error.is_unreachable() || error == icmp::Error::FragmentationNeeded => {
            (Outcome::UnreachableHost, "the host is unreachable")
        }
        _ => (Outcome::UnreachableHost, "the packet cannot be delivered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_errors_by_type_and_code_name_their_sender() {
        let from = Some("10.0.0.254".parse().unwrap());
        let failure = |family, icmp_type, icmp_code| {
            Failure::of_icmp(family, IcmpError { from, icmp_type, icmp_code, mtu: None }, Speaker::Other)
        };
        for (family, icmp_type, code, kind) in [
            (Family::Ipv4, 3, 0, Outcome::UnreachableNetwork),
            (Family::Ipv4, 3, 1, Outcome::UnreachableHost),
            (Family::Ipv4, 3, 3, Outcome::PortUnreachable),
            (Family::Ipv4, 3, 13, Outcome::Prohibited),
            (Family::Ipv4, 11, 0, Outcome::UnreachableHost),
            (Family::Ipv6, 1, 0, Outcome::UnreachableNetwork),
            (Family::Ipv6, 1, 1, Outcome::Prohibited),
            (Family::Ipv6, 1, 3, Outcome::UnreachableHost),
            (Family::Ipv6, 1, 4, Outcome::PortUnreachable),
        ] {
            let failure = failure(family, icmp_type, code);
            assert_eq!((failure.kind, failure.from), (kind, from), "{family:?} {icmp_type} {code}");
            assert_eq!((failure.icmp_type, failure.icmp_code), (Some(icmp_type), Some(code)));
            assert!(failure.message.starts_with("10.0.0.254 reports: "), "{}", failure.message);
        }
    }

    #[test]
    fn a_route_that_fails_at_once_is_this_machines() {
        let of = |kind: ErrorKind, at_once| {
            Failure::of_connect(&kind.into(), at_once, Duration::from_secs(1)).kind
        };
        assert_eq!(of(ErrorKind::NetworkUnreachable, true), Outcome::NoRoute);
        assert_eq!(of(ErrorKind::NetworkUnreachable, false), Outcome::UnreachableNetwork);
        assert_eq!(of(ErrorKind::HostUnreachable, false), Outcome::UnreachableHost);
        assert_eq!(of(ErrorKind::InvalidInput, true), Outcome::NoRoute);
        assert_eq!(of(ErrorKind::ConnectionRefused, false), Outcome::Refused);
        assert_eq!(of(ErrorKind::TimedOut, false), Outcome::Filtered);
        assert_eq!(of(ErrorKind::AddrNotAvailable, true), Outcome::NoLocalPort);
    }

    /// No errno is given another's name: what is not understood is told as what could not be done, with the system's words.
    #[test]
    #[cfg(unix)]
    fn every_errno_is_understood_or_named() {
        let resets = [libc::ECONNRESET, libc::ECONNABORTED, libc::EPIPE];
        for errno in 1..=133 {
            let error = io::Error::from_raw_os_error(errno);
            for call in [Call::Send, Call::Receive] {
                let failure = Failure::of_exchange(&error, call, 0);
                assert_eq!(failure.kind == Outcome::Reset, resets.contains(&errno), "{error}");
                let is_told = failure.message.contains(&error.to_string());
                assert!(is_told || resets.contains(&errno) || errno == libc::ETIMEDOUT, "{failure:?}");
            }
            for at_once in [false, true] {
                let failure = Failure::of_connect(&error, at_once, Duration::from_secs(1));
                let understood = [
                    libc::ECONNREFUSED,
                    libc::ECONNRESET,
                    libc::ECONNABORTED,
                    libc::EPIPE,
                    libc::ETIMEDOUT,
                    libc::ENETUNREACH,
                    libc::EHOSTUNREACH,
                ];
                let is_told = failure.message.contains(&error.to_string());
                assert!(is_told || understood.contains(&errno), "{errno}: {failure:?}");
            }
        }
        let failure = Failure::of_exchange(&io::Error::from_raw_os_error(libc::ENOBUFS), Call::Send, 0);
        assert_eq!(failure.kind, Outcome::SendFailed);
        assert!(failure.message.contains("could not send"), "{failure:?}");
    }
}
