//! There is no link, or none that is up, or none with a carrier.

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Link};
use crate::doctor::fact::Fact;

/// There is no link, or none that is up, or none with a carrier.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if facts.is_local() || facts.evidence.links.get().is_none() {
        return;
    }
    let commands = Commands::of(facts.evidence);
    let uplinks = facts.uplinks();
    let others = facts.evidence.links.all().iter().filter(|link| !link.is_loopback);
    let works = others.clone().any(|link| link.works() && facts.reaching_addresses(link) > 0);
    let has_any = others.clone().any(|link| facts.reaching_addresses(link) > 0);
    if uplinks.is_empty() && !has_any {
        let names: Vec<&str> = facts.evidence.links.all().iter().map(|link| link.name.as_str()).collect();
        found.push(
            Finding::new(
                Cause::LinkNone,
                "none",
                Confidence::Certain,
                "this machine has no network interface but the loopback".to_owned(),
            )
            .because(Fact::Links, format!("the interfaces are: {}", names.join(", ")))
            .check(commands.links())
            .explains(&Symptom::NOTHING_PASSES)
            .remedy("plug in or switch on a network adapter; of a virtual machine or a container, attach a network")
            .remedy("if there is one, look whether its driver is loaded: lspci -k, dmesg | grep -i eth"),
        );
        return;
    }
    if works && !is_needed_elsewhere(facts) {
        return;
    }
    // The one that was in use is the one that is missed.
    let missed = |link: &&&Link| !link.works();
    let mut dead: Vec<&&Link> = uplinks.iter().filter(missed).collect();
    dead.sort_by_key(|link| (facts.reaching_addresses(link) == 0, link.index));
    if works {
        dead.retain(|link| facts.reaching_addresses(link) > 0);
    }
    let Some(link) = dead.first() else { return };
    // Another one without an address may be the one that should have got one.
    let other_works = uplinks.iter().any(|link| link.works());
    if !works && other_works && facts.reaching_addresses(link) == 0 {
        return;
    }
    let name = &link.name;
    // A carrier that changed meanwhile may be back in a moment; what was switched off by hand does not come back by itself.
    let changes = facts.evidence.carrier.get();
    let is_steady = !link.is_up
        || changes.is_some_and(|all| all.iter().all(|it| it.interface != *name || it.after == it.before));
    let confidence =
        if works || other_works || !is_steady { Confidence::Likely } else { Confidence::Certain };
    let finding = if link.is_up {
        Finding::new(
            Cause::LinkNoCarrier,
            "carrier",
            confidence,
            format!("{name} has no carrier: no cable, no network, or the other end is off"),
        )
        .because(Fact::Links, format!("{name} is up, and has no carrier"))
        .check(commands.link(name))
        .remedy(format!("look at the cable and the other end of {name}: a switch port, an access point, the virtual switch"))
    } else {
        Finding::new(Cause::LinkDown, "down", confidence, format!("{name} is switched off on this machine"))
            .because(Fact::Links, format!("{name} is administratively down"))
            .check(commands.link(name))
            .remedy(format!("switch it on: {}", commands.link_up(name)))
            .remedy("routes that went with it come back by its network manager, or by hand")
    };
    found.push(finding.explains(&Symptom::NOTHING_PASSES));
}

/// Whether what works does not lead where it should, so that a dead link may be the reason.
fn is_needed_elsewhere(facts: &Facts<'_>) -> bool {
    let has_way = facts.evidence.out.get().is_none_or(|ways| {
        ways.v4.as_ref().is_some_and(|route| route.kind.as_deref() == Some("unicast"))
            || ways.v6.as_ref().is_some_and(|route| route.kind.as_deref() == Some("unicast"))
    });
    let target_lacks_route =
        facts.wholly_failed().is_some_and(|attempt| attempt.connect.outcome == ConnectOutcome::NoRoute);
    !has_way && (facts.asked().is_none() || target_lacks_route || facts.public_is_reached() == Some(false))
}
