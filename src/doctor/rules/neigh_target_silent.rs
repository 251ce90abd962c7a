//! Nobody answers for the target's address on its link.

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, is_on_link};
use crate::doctor::fact::Fact;

/// Nobody answers for the target's address on its link.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    for attempt in facts.attempts().chain(facts.attempts_by_others()) {
        let is_lost = attempt.connect.outcome == ConnectOutcome::NoNeighbour
            || (attempt.connect.outcome == ConnectOutcome::Silent
                && matches!(attempt.neighbour.as_deref(), Some("failed" | "incomplete")));
        if is_on_link(attempt) != Some(true) || !is_lost || facts.is_gateway(attempt.address) {
            continue;
        }
        let commands = Commands::of(facts.evidence);
        let ip = attempt.address;
        let interface = attempt.route.as_ref().and_then(|route| route.interface.clone()).unwrap_or_default();
        let is_given_up = attempt.connect.outcome == ConnectOutcome::NoNeighbour
            || attempt.neighbour.as_deref() == Some("failed");
        let confidence = match is_given_up {
            // It may be none at all.
            _ if facts.is_ordinary_neighbour(attempt) != Some(true) => Confidence::Possible,
            true => Confidence::Certain,
            false => Confidence::Likely,
        };
        let mut finding = Finding::new(
            Cause::NeighTargetSilent,
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
