//! The gateway's entry in the neighbour table was set by hand, and wrongly, or the link asks for nobody.

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, is_on_link};
use crate::doctor::fact::Fact;

/// The gateway's entry was set by hand, and wrongly, or the link asks for nobody.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    if let Some(gateway) = facts.gateway() {
        let link = facts.evidence.links.all().iter().find(|link| link.name == gateway.interface);
        let asks_nobody = link.is_some_and(|link| link.has_no_arp && link.is_uplink() && link.mac.is_some());
        let is_heard = gateway.answers_ping() || facts.beyond() != Some(false);
        let interface = quoted(&gateway.interface);
        let is_pinned = gateway.state.as_deref() == Some("permanent");
        if asks_nobody && !is_heard {
            found.push(
                Finding::new(
                    Cause::NeighBadEntry,
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
                .shows(Symptom::GatewayMute)
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
                Cause::NeighBadEntry,
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
            .shows(Symptom::GatewayMute)
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
        if is_pinned && is_silent && is_on_link(attempt) == Some(true) {
            found.push(
                Finding::new(
                    Cause::NeighBadEntry,
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
