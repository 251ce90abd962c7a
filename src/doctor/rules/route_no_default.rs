//! No route leads to the target, or to the internet.

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Route};
use crate::doctor::fact::Fact;

/// No route leads to the target, or to the internet.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(ways) = facts.evidence.out.get() else { return };
    if facts.is_local() || facts.has_no_way() {
        return;
    }
    let leads = |route: &Option<Route>| route.as_ref().is_some_and(|route| route.kind.is_some());
    let (v4, v6) = (leads(&ways.v4), leads(&ways.v6));
    let by_target = facts.failed().filter(|attempt| {
        let lacks = attempt.connect.outcome == ConnectOutcome::NoRoute;
        lacks && !(if attempt.address.is_ipv6() { v6 } else { v4 })
    });
    // A host of the LAN needs no route out, and a name may be one's.
    let names_are_far = facts.evidence.names.get().is_some() && facts.name_fails() == Some(true);
    let is_asked_for = facts.asked().is_none() || (facts.evidence.target.get().is_none() && names_are_far);
    if by_target.is_none() && (v4 || v6 || !is_asked_for) {
        return;
    }
    // A family that this machine does not use is none to miss, if the other one serves.
    if let Some(attempt) = by_target
        && facts.attempts().any(|other| facts.reaches(other))
    {
        let _ = attempt;
        return;
    }
    let commands = Commands::of(facts.evidence);
    let family = match by_target {
        Some(attempt) if attempt.address.is_ipv6() => "IPv6 ",
        Some(_) if v6 => "IPv4 ",
        _ => "",
    };
    let title = format!("there is no {family}default route: packets for other networks have nowhere to go");
    let mut finding = Finding::new(Cause::RouteNoDefault, "none", Confidence::Certain, title)
        .because(Fact::Out, "the kernel knows no way to the internet")
        .check(commands.routes())
        .explains(&Symptom::NOTHING_PASSES);
    if let Some(attempt) = by_target {
        let said = attempt.connect.error.clone().unwrap_or_default();
        finding = finding
            .because(Fact::Target, format!("connecting to {} fails at once: {said}", attempt.address))
            .check(commands.route_to(&attempt.address.to_string()));
    }
    let links = facts.uplinks();
    if let Some(link) = links.iter().find(|link| link.works()) {
        finding = finding
            .remedy(format!("let the network's router be learnt again: {}", commands.renew(&link.name)));
        finding = finding.remedy(format!(
            "or set it by hand: ip route add default via GATEWAY dev {}",
            quoted(&link.name)
        ));
    }
    found.push(finding);
}
