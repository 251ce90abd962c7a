//! Two hosts answer for the gateway's address.

use super::commands::quoted;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// Two hosts answer for the gateway's address.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(claims) = facts.evidence.claims.get() else { return };
    let Some(claim) = claims.answers.iter().find(|claim| !claim.is_own && claim.macs.len() > 1) else {
        return;
    };
    let who = claim.macs.join(" and ");
    let interface = quoted(&claims.interface);
    found.push(
        Finding::new(
            Cause::NeighSpoofed,
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
