//! The gateway: is it there and passes nothing on, has it lost its uplink, does it translate addresses.

use super::{Confidence, Finding, Layer, Symptom};
use crate::address::Class;
use crate::doctor::evidence::{ConnectOutcome, Facts, Icmp};
use crate::doctor::fact::Fact;
use crate::trace::Answer;

/// It is there, and passes nothing on.
pub(super) fn not_forwarding(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) =
        facts.gateway().filter(|gateway| gateway.is_found() == Some(true) && gateway.address.is_ipv4())
    else {
        return;
    };
    let Some(path) = facts.evidence.public_path.get() else { return };
    if facts.beyond() != Some(false) || facts.public_is_reached() != Some(false) {
        return;
    }
    let is_silent = path.farthest().is_none();
    if !is_silent || !gateway.answers_ping() {
        return;
    }
    let ip = gateway.address;
    found.push(
        Finding::new(
            "GW.NOT_FORWARDING",
            Layer::Gateway,
            "silent",
            Confidence::Likely,
            format!("the gateway {ip} is there, and passes nothing on"),
        )
        .because(Fact::Gateways, format!("{ip} answers echo requests"))
        .check(format!("ping -c 3 {ip}"))
        .because(Fact::PublicPath, "packets that may go one hop bring no word that their time ran out, as a router's would; nothing beyond answers")
        .check("traceroute -n -m 3 1.1.1.1")
        .explains(&Symptom::NOTHING_PASSES)
        .remedy(format!("start {ip} again; if it is a Linux machine: sysctl net.ipv4.ip_forward must be 1, and its filter must let packets pass"))
        .remedy(format!("look whether {ip} is the right gateway at all: ip route show default"))
        .or(&["ROUTE.WRONG_GATEWAY", "GW.UPSTREAM_DOWN"]),
    );
}

/// It says itself that it cannot.
pub(super) fn upstream_down(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let said = |icmp: &Icmp| {
        let is_gateway = icmp.from.is_some_and(|from| facts.is_gateway(from));
        // Net, host unreachable; of IPv6: no route, address unreachable.
        let is_v6 = icmp.from.is_some_and(|from| from.is_ipv6());
        let is_lack = if is_v6 {
            icmp.icmp_type == 1 && matches!(icmp.icmp_code, 0 | 3)
        } else {
            icmp.icmp_type == 3 && matches!(icmp.icmp_code, 0 | 1)
        };
        is_gateway && is_lack
    };
    if facts.public_is_reached() != Some(false) {
        return;
    }
    let Some(icmp) = facts.icmp_heard().into_iter().find(said) else { return };
    let ip = icmp.from.map_or_else(|| "the gateway".to_owned(), |ip| ip.to_string());
    found.push(
        Finding::new(
            "GW.UPSTREAM_DOWN",
            Layer::Gateway,
            "says-so",
            Confidence::Certain,
            format!("the gateway {ip} has lost its way to the internet"),
        )
        .because(
            Fact::Public,
            format!(
                "{ip} itself says that the network cannot be reached (ICMP type {} code {})",
                icmp.icmp_type, icmp.icmp_code
            ),
        )
        .check("ping -c 3 1.1.1.1")
        .explains(&Symptom::NOTHING_PASSES)
        .remedy(format!(
            "look at the uplink of {ip}: modem, cable, the provider's line; its own status page tells most"
        ))
        .remedy("if it stays down, tell the provider: the fault is not on this machine"),
    );
}

/// It passes packets on and does not translate their addresses, so that no answer comes back.
pub(super) fn nat(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) =
        facts.gateway().filter(|gateway| gateway.is_found() == Some(true) && gateway.address.is_ipv4())
    else {
        return;
    };
    let ip = gateway.address;
    let forwards = facts.evidence.public_path.get().is_some_and(|path| {
        path.hop(1).is_some_and(|hop| hop.answer == Some(Answer::TimeExceeded)) && path.farthest() == Some(1)
    });
    // It knows names of the internet itself: so its own uplink works.
    let knows_names = facts.names().is_some_and(|names| {
        let answers = names.own.iter().filter(|answer| answer.server == ip);
        answers.flat_map(|answer| &answer.a).any(|query| !query.addresses.is_empty())
    });
    let source = facts.evidence.out.get().and_then(|ways| ways.v4.as_ref()?.source);
    let is_private = source.is_some_and(|source| Class::of(source) == Class::Private);
    let all_silent = facts
        .anchors()
        .iter()
        .all(|anchor| anchor.connects.iter().all(|(_, connect)| connect.outcome == ConnectOutcome::Silent));
    if facts.public_is_reached() == Some(false) && forwards && knows_names && is_private && all_silent {
        found.push(
            Finding::new(
                "NAT.MISSING",
                Layer::Gateway,
                "missing",
                Confidence::Likely,
                format!("the gateway {ip} has a way to the internet, and this machine's packets get no answer over it: they are not translated, or dropped"),
            )
            .because(Fact::Names, format!("{ip} itself answers questions about names of the internet"))
            .check(format!("dig @{ip} example.org"))
            .because(Fact::PublicPath, format!("{ip} takes packets to pass on, and nothing farther answers"))
            .check("traceroute -n -m 5 1.1.1.1")
            .because(Fact::Out, "this machine's address is private (RFC 1918): without translation no answer finds it")
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("at {ip}: is address translation (masquerading) on for its uplink, and is its table of connections full"))
            .or(&["GW.UPSTREAM_DOWN", "PATH.BLACKHOLE", "NAT.EXHAUSTED"]),
        );
    }
}
