//! Nobody answers for the gateway's address.

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, Gateway, Link};
use crate::doctor::fact::Fact;

/// Nobody answers for the gateway's address.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) = facts.gateway().filter(|_| facts.gateway_is_mute()) else { return };
    let commands = Commands::of(facts.evidence);
    let (ip, interface) = (gateway.address, &gateway.interface);
    let has_other_answers = facts.own_queries().iter().any(|query| query.outcome.is_answer());
    let is_given_up = gateway.state.as_deref() == Some("failed");
    // The link is there, or there would be another cause.
    let link = facts.evidence.links.all().iter().find(|link| link.name == *interface);
    let is_up = link.is_some_and(Link::works);
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
        Cause::NeighGatewaySilent,
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
