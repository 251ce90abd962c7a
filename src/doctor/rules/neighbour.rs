//! The neighbours: does the gateway answer for its address, and does the target, if it is one.

use super::commands::Commands;
use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Gateway};
use crate::doctor::fact::Fact;

/// Nobody answers for the gateway's address.
pub(super) fn gateway_silent(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) = facts.gateway().filter(|_| facts.gateway_is_mute()) else { return };
    let commands = Commands::of(facts.evidence);
    let (ip, interface) = (gateway.address, &gateway.interface);
    let has_other_answers = facts.own_queries().iter().any(|query| query.outcome.is_answer());
    let is_given_up = gateway.state.as_deref() == Some("failed");
    // The link is there, or there would be another cause.
    let link = facts.evidence.links.all().iter().find(|link| link.name == *interface);
    let is_up = link.is_some_and(crate::doctor::evidence::Link::works);
    // Where another default route's gateway lives, the route is to blame.
    let has_other = facts.evidence.gateways.all().iter().any(|other| {
        !other.is_best && other.address.is_ipv4() == ip.is_ipv4() && other.is_found() == Some(true)
    });
    let confidence = match (has_other, is_given_up && is_up) {
        (true, _) => Confidence::Possible,
        (false, true) => Confidence::Certain,
        (false, false) => Confidence::Likely,
    };
    let mut finding = Finding::new(
        "NEIGH.GATEWAY_SILENT",
        Layer::Neighbour,
        "silent",
        confidence,
        format!("the gateway {ip} does not answer on {interface}"),
    )
    .because(
        Fact::Gateways,
        format!("{ip} was asked for on {interface}, and nobody answered (state {})", state(gateway)),
    )
    .check(commands.neighbours())
    .explains(&Symptom::NOTHING_PASSES);
    finding = if has_other_answers {
        finding
            .because(Fact::Names, "another host of the LAN answers, so the link itself works")
            .remedy(format!("look whether {ip} is the right gateway: {}", commands.routes()))
            .remedy("look at the gateway: is it on, does a filter of it drop ARP")
    } else {
        finding
            .remedy(format!("look at the gateway {ip} and what is between: a switch port in another VLAN, client isolation"))
            .remedy(format!("look whether {ip} is the right address: {}", commands.routes()))
    };
    found.push(finding);
}

fn state(gateway: &Gateway) -> &str {
    gateway.state.as_deref().unwrap_or("unknown")
}

/// Nobody answers for the target's address on its link.
pub(super) fn target_silent(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    for attempt in facts.attempts().chain(facts.attempts_by_others()) {
        let is_lost = attempt.connect.outcome == ConnectOutcome::NoNeighbour
            || (attempt.connect.outcome == ConnectOutcome::Silent
                && matches!(attempt.neighbour.as_deref(), Some("failed" | "incomplete")));
        if crate::doctor::evidence::is_on_link(attempt) != Some(true)
            || !is_lost
            || facts.is_gateway(attempt.address)
        {
            continue;
        }
        let commands = Commands::of(facts.evidence);
        let ip = attempt.address;
        let interface = attempt.route.as_ref().and_then(|route| route.interface.clone()).unwrap_or_default();
        let is_given_up = attempt.connect.outcome == ConnectOutcome::NoNeighbour
            || attempt.neighbour.as_deref() == Some("failed");
        let confidence = match is_given_up {
            // It may be none at all.
            _ if super::address::is_ordinary(facts, attempt) != Some(true) => Confidence::Possible,
            true => Confidence::Certain,
            false => Confidence::Likely,
        };
        let mut finding = Finding::new(
            "NEIGH.TARGET_SILENT",
            Layer::Neighbour,
            "silent",
            confidence,
            format!("{ip} should be on the link of {interface}, and nobody answers for it there"),
        )
        .because(Fact::Target, format!("{ip} was asked for on {interface}, and nobody answered"))
        .check(commands.neighbours())
        .explains(if ip.is_ipv4() { &[Symptom::Target4] } else { &[Symptom::Target6] })
        .remedy(format!("look whether {ip} is on and has that address"))
        .remedy(
            "if it is: does the network keep its clients apart (guest Wi-Fi, isolated ports, another VLAN)",
        );
        if facts.gateway().is_some_and(|gateway| gateway.is_found() == Some(true)) {
            finding = finding
                .because(Fact::Gateways, "the gateway answers on the same machine, so the link itself works");
        }
        found.push(finding);
        return;
    }
}

/// Two hosts answer for the gateway's address.
pub(super) fn spoofed(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(claims) = facts.evidence.claims.get() else { return };
    let Some(claim) = claims.answers.iter().find(|claim| !claim.is_own && claim.macs.len() > 1) else {
        return;
    };
    let who = claim.macs.join(" and ");
    let interface = super::commands::quoted(&claims.interface);
    found.push(
        Finding::new(
            "NEIGH.SPOOFED",
            Layer::Neighbour,
            "gateway",
            Confidence::Certain,
            format!("two hosts answer for the gateway {}: {who}", claim.address),
        )
        .because(Fact::Claims, format!("asked who has {}, {who} answer", claim.address))
        .check(format!("arping -c 3 -I {interface} {}", claim.address))
        .explains(&[Symptom::Claimed, Symptom::Service, Symptom::ServiceSlow])
        .explains(&Symptom::NOTHING_PASSES)
        .remedy("find the one that is not the gateway by its hardware address in the switch's table, and take it off")
        .remedy(format!(
            "until then, pin the right one: ip neighbour replace {} lladdr RIGHT-ADDRESS nud permanent dev {interface}",
            claim.address
        )),
    );
}

/// The gateway's entry was set by hand, and wrongly, or the link asks for nobody.
pub(super) fn bad_entry(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    if let Some(gateway) = facts.gateway() {
        let link = facts.evidence.links.all().iter().find(|link| link.name == gateway.interface);
        let asks_nobody = link.is_some_and(|link| link.has_no_arp && link.is_uplink() && link.mac.is_some());
        let is_heard = gateway.answers_ping() || facts.beyond() != Some(false);
        let interface = super::commands::quoted(&gateway.interface);
        let is_pinned = gateway.state.as_deref() == Some("permanent");
        if asks_nobody && !is_heard {
            found.push(
                Finding::new(
                    "NEIGH.BAD_ENTRY",
                    Layer::Neighbour,
                    "noarp",
                    Confidence::Likely,
                    format!(
                        "{} asks for no neighbours (NOARP), so nobody's hardware address is known",
                        gateway.interface
                    ),
                )
                .because(
                    Fact::Links,
                    format!("{} is an Ethernet link with the flag NOARP", gateway.interface),
                )
                .check(commands.link(&gateway.interface))
                .because(Fact::Gateways, format!("nothing comes back from the gateway {}", gateway.address))
                .check(format!("ping -c 3 {}", gateway.address))
                .explains(&Symptom::NOTHING_PASSES)
                .remedy(format!("let it ask: ip link set {interface} arp on")),
            );
        } else if is_pinned && !is_heard {
            let entry = gateway.mac.clone().unwrap_or_default();
            let other = facts.evidence.claims.get().and_then(|claims| {
                let claim = claims.answers.iter().find(|claim| claim.address == gateway.address)?;
                claim.macs.iter().find(|mac| **mac != entry)
            });
            let confidence = if other.is_some() { Confidence::Certain } else { Confidence::Likely };
            let mut finding = Finding::new(
                "NEIGH.BAD_ENTRY",
                Layer::Neighbour,
                "static",
                confidence,
                format!(
                    "the hardware address of the gateway {} was set by hand to {entry}, and nobody is there",
                    gateway.address
                ),
            )
            .because(Fact::Gateways, format!("the entry for {} is permanent: {entry}", gateway.address))
            .check(commands.neighbours())
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("let it be asked for: ip neighbour del {} dev {interface}", gateway.address));
            if let Some(other) = other {
                finding = finding
                    .because(Fact::Claims, format!("asked who has {}, {other} answers", gateway.address));
            }
            found.push(finding);
        }
    }
    for attempt in facts.attempts() {
        let is_pinned = attempt.neighbour.as_deref() == Some("permanent");
        let is_silent =
            attempt.connect.outcome == ConnectOutcome::Silent && facts.host_is_alive() == Some(false);
        if is_pinned && is_silent && crate::doctor::evidence::is_on_link(attempt) == Some(true) {
            found.push(
                Finding::new(
                    "NEIGH.BAD_ENTRY",
                    Layer::Neighbour,
                    "static",
                    Confidence::Likely,
                    format!(
                        "the hardware address of {} was set by hand, and nobody answers there",
                        attempt.address
                    ),
                )
                .because(
                    Fact::Target,
                    format!("the entry for {} is permanent, and nothing comes back", attempt.address),
                )
                .check(commands.neighbours())
                .explains(&[Symptom::Target4, Symptom::Target6])
                .remedy(format!("let it be asked for: ip neighbour del {} dev INTERFACE", attempt.address)),
            );
        }
    }
}
