//! What ICMP errors mean.

use crate::address::Family;

/// A type and code of ICMP (IANA's "ICMP Parameters", RFC 792) or `ICMPv6` (RFC 4443) in words.
pub(super) fn meaning(family: Family, icmp_type: u8, icmp_code: u8) -> &'static str {
    match family {
        Family::Ipv4 => v4(icmp_type, icmp_code),
        Family::Ipv6 => v6(icmp_type, icmp_code),
    }
}

fn v4(icmp_type: u8, icmp_code: u8) -> &'static str {
    match (icmp_type, icmp_code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "fragmentation needed",
        (3, 5) => "source route failed",
        (3, 6) => "network unknown",
        (3, 7) => "host unknown",
        (3, 8) => "source host isolated",
        (3, 9) => "network administratively prohibited",
        (3, 10) => "host administratively prohibited",
        (3, 11) => "network unreachable for this type of service",
        (3, 12) => "host unreachable for this type of service",
        (3, 13) => "communication administratively prohibited",
        (3, 14) => "host precedence violation",
        (3, 15) => "precedence cutoff in effect",
        (3, _) => "destination unreachable",
        (4, _) => "source quench",
        (5, _) => "redirect",
        (11, 0) => "time to live exceeded in transit",
        (11, 1) => "fragment reassembly time exceeded",
        (12, _) => "parameter problem",
        _ => "unexpected ICMP message",
    }
}

fn v6(icmp_type: u8, icmp_code: u8) -> &'static str {
    match (icmp_type, icmp_code) {
        (1, 0) => "no route to destination",
        (1, 1) => "communication administratively prohibited",
        (1, 2) => "beyond the scope of the source address",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (1, 5) => "source address failed the ingress or egress policy",
        (1, 6) => "reject route to destination",
        (1, _) => "destination unreachable",
        (2, _) => "packet too big",
        (3, 0) => "hop limit exceeded in transit",
        (3, 1) => "fragment reassembly time exceeded",
        (4, _) => "parameter problem",
        (137, _) => "redirect",
        _ => "unexpected ICMPv6 message",
    }
}

/// Whether a message ends nothing: a redirect or a source quench, after which the reply may still come.
pub(super) fn is_notice(family: Family, icmp_type: Option<u8>) -> bool {
    match family {
        Family::Ipv4 => matches!(icmp_type, Some(4 | 5)),
        Family::Ipv6 => icmp_type == Some(137),
    }
}
