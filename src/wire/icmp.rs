//! The errors of ICMP (RFC 792; IANA's "ICMP Parameters") and `ICMPv6` (RFC 4443), by what they mean.

use crate::address::Family;

/// What an ICMP error means, whichever version it is of.
///
/// A message that is no error, or one that no RFC names, is [`Self::Unexpected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// No route leads to the network (ICMP 3/0).
    NetworkUnreachable,
    /// The last router gets no answer from the host, or has no way to it (ICMP 3/1).
    HostUnreachable,
    /// The host does not know the protocol (ICMP 3/2).
    ProtocolUnreachable,
    /// Nothing receives on the port (ICMP 3/3, `ICMPv6` 1/4).
    PortUnreachable,
    /// The packet is larger than the next link's MTU, and may not be fragmented (ICMP 3/4; RFC 1191).
    FragmentationNeeded,
    /// The packet is larger than the next link's MTU (`ICMPv6` 2).
    TooBig,
    /// The route that the packet names cannot be taken (ICMP 3/5).
    SourceRouteFailed,
    /// The network is not known (ICMP 3/6; RFC 1122, 3.2.2.1).
    NetworkUnknown,
    /// The host is not known (ICMP 3/7).
    HostUnknown,
    /// The sender is cut off (ICMP 3/8).
    SourceIsolated,
    /// A filter does not let packets to the network pass (ICMP 3/9).
    NetworkProhibited,
    /// A filter does not let packets to the host pass (ICMP 3/10).
    HostProhibited,
    /// The network is not reached with this type of service (ICMP 3/11).
    NetworkUnreachableForTos,
    /// The host is not reached with this type of service (ICMP 3/12).
    HostUnreachableForTos,
    /// A filter does not let the packet pass (ICMP 3/13, RFC 1812; `ICMPv6` 1/1).
    Prohibited,
    /// The packet's precedence is not allowed (ICMP 3/14).
    PrecedenceViolation,
    /// The packet's precedence is too low (ICMP 3/15).
    PrecedenceCutoff,
    /// No route leads to the destination (`ICMPv6` 1/0).
    NoRoute,
    /// The destination is beyond the scope of the source address (`ICMPv6` 1/2).
    BeyondScope,
    /// The last router gets no answer from the host (`ICMPv6` 1/3).
    AddressUnreachable,
    /// A filter does not let packets from this source pass (`ICMPv6` 1/5).
    SourcePolicy,
    /// A route refuses the packet (`ICMPv6` 1/6).
    RejectRoute,
    /// The destination is not reached, with a code that no RFC names (ICMP 3, `ICMPv6` 1).
    DestinationUnreachable,
    /// A router asks the sender to slow down (ICMP 4; obsolete, RFC 6633).
    SourceQuench,
    /// A router names a better next hop (ICMP 5, `ICMPv6` 137).
    Redirect,
    /// The time to live ran out on the way (ICMP 11/0).
    TtlExceeded,
    /// The hop limit ran out on the way (`ICMPv6` 3/0).
    HopLimitExceeded,
    /// Not all fragments came in time (ICMP 11/1, `ICMPv6` 3/1).
    ReassemblyTimeExceeded,
    /// Something in the header is wrong (ICMP 12, `ICMPv6` 4).
    ParameterProblem,
    /// No error that ICMP knows.
    Unexpected,
    /// No error that `ICMPv6` knows.
    UnexpectedV6,
}

impl Error {
    /// What an error of this type and code means, from a packet of this family.
    pub fn of(family: Family, icmp_type: u8, code: u8) -> Self {
        match family {
            Family::Ipv4 => Self::of_v4(icmp_type, code),
            Family::Ipv6 => Self::of_v6(icmp_type, code),
        }
    }

    fn of_v4(icmp_type: u8, code: u8) -> Self {
        match (icmp_type, code) {
            (3, 0) => Self::NetworkUnreachable,
            (3, 1) => Self::HostUnreachable,
            (3, 2) => Self::ProtocolUnreachable,
            (3, 3) => Self::PortUnreachable,
            (3, 4) => Self::FragmentationNeeded,
            (3, 5) => Self::SourceRouteFailed,
            (3, 6) => Self::NetworkUnknown,
            (3, 7) => Self::HostUnknown,
            (3, 8) => Self::SourceIsolated,
            (3, 9) => Self::NetworkProhibited,
            (3, 10) => Self::HostProhibited,
            (3, 11) => Self::NetworkUnreachableForTos,
            (3, 12) => Self::HostUnreachableForTos,
            (3, 13) => Self::Prohibited,
            (3, 14) => Self::PrecedenceViolation,
            (3, 15) => Self::PrecedenceCutoff,
            (3, _) => Self::DestinationUnreachable,
            (4, _) => Self::SourceQuench,
            (5, _) => Self::Redirect,
            (11, 0) => Self::TtlExceeded,
            (11, 1) => Self::ReassemblyTimeExceeded,
            (12, _) => Self::ParameterProblem,
            _ => Self::Unexpected,
        }
    }

    fn of_v6(icmp_type: u8, code: u8) -> Self {
        match (icmp_type, code) {
            (1, 0) => Self::NoRoute,
            (1, 1) => Self::Prohibited,
            (1, 2) => Self::BeyondScope,
            (1, 3) => Self::AddressUnreachable,
            (1, 4) => Self::PortUnreachable,
            (1, 5) => Self::SourcePolicy,
            (1, 6) => Self::RejectRoute,
            (1, _) => Self::DestinationUnreachable,
            (2, _) => Self::TooBig,
            (3, 0) => Self::HopLimitExceeded,
            (3, 1) => Self::ReassemblyTimeExceeded,
            (4, _) => Self::ParameterProblem,
            (137, _) => Self::Redirect,
            _ => Self::UnexpectedV6,
        }
    }

    /// What the error says, in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::ProtocolUnreachable => "protocol unreachable",
            Self::PortUnreachable => "port unreachable",
            Self::FragmentationNeeded => "fragmentation needed",
            Self::TooBig => "packet too big",
            Self::SourceRouteFailed => "source route failed",
            Self::NetworkUnknown => "network unknown",
            Self::HostUnknown => "host unknown",
            Self::SourceIsolated => "source host isolated",
            Self::NetworkProhibited => "network administratively prohibited",
            Self::HostProhibited => "host administratively prohibited",
            Self::NetworkUnreachableForTos => "network unreachable for this type of service",
            Self::HostUnreachableForTos => "host unreachable for this type of service",
            Self::Prohibited => "communication administratively prohibited",
            Self::PrecedenceViolation => "host precedence violation",
            Self::PrecedenceCutoff => "precedence cutoff in effect",
            Self::NoRoute => "no route to destination",
            Self::BeyondScope => "beyond the scope of the source address",
            Self::AddressUnreachable => "address unreachable",
            Self::SourcePolicy => "source address failed the ingress or egress policy",
            Self::RejectRoute => "reject route to destination",
            Self::DestinationUnreachable => "destination unreachable",
            Self::SourceQuench => "source quench",
            Self::Redirect => "redirect",
            Self::TtlExceeded => "time to live exceeded in transit",
            Self::HopLimitExceeded => "hop limit exceeded in transit",
            Self::ReassemblyTimeExceeded => "fragment reassembly time exceeded",
            Self::ParameterProblem => "parameter problem",
            Self::Unexpected => "unexpected ICMP message",
            Self::UnexpectedV6 => "unexpected ICMPv6 message",
        }
    }

    /// Whether the error ends nothing: the reply may still come.
    pub fn is_notice(self) -> bool {
        matches!(self, Self::SourceQuench | Self::Redirect)
    }

    /// Whether the packet went as far as it was allowed to, and no farther.
    pub fn is_exceeded_in_transit(self) -> bool {
        matches!(self, Self::TtlExceeded | Self::HopLimitExceeded)
    }

    /// Whether the packet was too large for the next link.
    pub fn is_too_big(self) -> bool {
        matches!(self, Self::FragmentationNeeded | Self::TooBig)
    }

    /// Whether a filter sent the error, by its code.
    pub fn is_prohibition(self) -> bool {
        matches!(
            self,
            Self::NetworkProhibited
                | Self::HostProhibited
                | Self::Prohibited
                | Self::SourcePolicy
                | Self::RejectRoute
        )
    }

    /// Whether a router has no way to the network, as far as the error tells.
    pub fn is_network(self) -> bool {
        matches!(
            self,
            Self::NetworkUnreachable
                | Self::NetworkUnknown
                | Self::NetworkUnreachableForTos
                | Self::NoRoute
                | Self::SourceRouteFailed
                | Self::BeyondScope
        )
    }

    /// Whether a router has no way to the host, or the host does not answer it.
    pub fn is_host(self) -> bool {
        matches!(
            self,
            Self::HostUnreachable
                | Self::HostUnknown
                | Self::HostUnreachableForTos
                | Self::AddressUnreachable
        )
    }

    /// Whether the destination was not reached, whatever the reason.
    pub fn is_unreachable(self) -> bool {
        let is_other = matches!(
            self,
            Self::ProtocolUnreachable
                | Self::PortUnreachable
                | Self::SourceIsolated
                | Self::PrecedenceViolation
                | Self::PrecedenceCutoff
                | Self::DestinationUnreachable
        );
        is_other || self.is_network() || self.is_host() || self.is_prohibition()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_meaning() {
        for (family, icmp_type, code, error) in [
            (Family::Ipv4, 3, 3, Error::PortUnreachable),
            (Family::Ipv4, 3, 4, Error::FragmentationNeeded),
            (Family::Ipv4, 3, 200, Error::DestinationUnreachable),
            (Family::Ipv4, 11, 0, Error::TtlExceeded),
            (Family::Ipv4, 0, 0, Error::Unexpected),
            (Family::Ipv6, 1, 4, Error::PortUnreachable),
            (Family::Ipv6, 2, 0, Error::TooBig),
            (Family::Ipv6, 3, 0, Error::HopLimitExceeded),
            (Family::Ipv6, 137, 0, Error::Redirect),
            (Family::Ipv6, 129, 0, Error::UnexpectedV6),
        ] {
            assert_eq!(Error::of(family, icmp_type, code), error, "{family:?} {icmp_type}/{code}");
        }
    }

    #[test]
    fn every_unreachable_is_of_one_kind() {
        for (family, icmp_type, codes) in [(Family::Ipv4, 3, 0..=15), (Family::Ipv6, 1, 0..=6)] {
            for code in codes {
                let error = Error::of(family, icmp_type, code);
                let kinds = [error.is_network(), error.is_host(), error.is_prohibition()];
                assert!(kinds.iter().filter(|is_it| **is_it).count() <= 1, "{error:?}");
                assert_eq!(error.is_unreachable(), !error.is_too_big(), "{error:?}");
                assert!(!error.is_notice() && !error.is_exceeded_in_transit(), "{error:?}");
            }
        }
    }
}
