//! Packets vanish on the way.

use super::words::{REACH, hops};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, is_on_link};
use crate::doctor::fact::Fact;

/// Packets vanish on the way.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    // All of the internet.
    if facts.public_is_reached() == Some(false)
        && facts.needs_public()
        && let Some(path) = facts.evidence.public_path.get()
        && facts.gateway().is_none_or(|gateway| gateway.is_found() == Some(true))
        && let Some(last) = path.farthest().filter(|_| path.reached().is_none() && path.loop_of().is_none())
    {
        let who =
            path.hop(last).and_then(|hop| hop.from).map_or_else(String::new, |from| format!(" ({from})"));
        let silent = facts.anchors().iter().all(|anchor| {
            anchor.connects.iter().all(|(_, connect)| connect.outcome == ConnectOutcome::Silent)
        });
        if silent {
            found.push(
                Finding::new(
                    Cause::PathBlackhole,
                    "all",
                    Confidence::Likely,
                    format!("packets for the internet vanish after hop {last}{who}"),
                )
                .because(
                    Fact::PublicPath,
                    format!("answers come from as far as hop {last}, and from none beyond: {}", hops(path)),
                )
                .check(format!("traceroute -n {}", path.to))
                .because(
                    Fact::Public,
                    format!("none of {} hosts of the internet answers", facts.anchors().len()),
                )
                .explains(&REACH)
                .explains(&[Symptom::Loss])
                .remedy(format!(
                    "tell the provider that packets end after hop {last}{who}; this machine cannot mend it"
                ))
                .or(&[Cause::GwUpstreamDown, Cause::NatMissing]),
            );
            return;
        }
    }
    // The target alone.
    let Some(attempt) = facts.wholly_failed() else { return };
    if attempt.connect.outcome != ConnectOutcome::Silent
        || facts.host_is_alive() != Some(false)
        || is_on_link(attempt) != Some(false)
    {
        return;
    }
    let Some(path) = facts.evidence.path.get() else { return };
    if path.reached().is_some() || path.loop_of().is_some() {
        return;
    }
    let last = path.farthest().unwrap_or(0);
    let who = path.hop(last).and_then(|hop| hop.from).map_or_else(String::new, |from| format!(" ({from})"));
    let rest_works = facts.public_is_reached() == Some(true);
    // Echo requests that nobody could send do not show that nobody answers them.
    let is_dead = facts.target_train().is_some_and(|train| train.received() == 0);
    let cannot_ask = facts.gateway().is_some_and(|gateway| gateway.pings.is_none());
    if !is_dead && !cannot_ask {
        return;
    }
    let confidence =
        if rest_works && last > 0 && is_dead { Confidence::Likely } else { Confidence::Possible };
    let mut finding = Finding::new(
        Cause::PathBlackhole,
        "target",
        confidence,
        format!("packets for {} vanish after hop {last}{who}", attempt.address),
    )
    .because(
        Fact::Path,
        format!("answers come from as far as hop {last}, and from none beyond: {}", hops(path)),
    )
    .check(format!("traceroute -n {}", attempt.address))
    .because(Fact::Control, "no port of it answers, and no echo request")
    .explains(&[Symptom::Target4, Symptom::Target6])
    .remedy(format!(
        "look whether {} is on at all; if it is, tell whoever runs hop {last}{who}",
        attempt.address
    ))
    .or(&[Cause::FwDrop]);
    if rest_works {
        finding = finding.because(Fact::Public, "other hosts of the internet are reached");
    }
    found.push(finding);
}
