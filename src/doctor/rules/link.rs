//! The links: is there one, is it up, has it a carrier, and does it stay.

use super::commands::Commands;
use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{Facts, Link};
use crate::doctor::fact::Fact;

/// There is no link, or none that is up, or none with a carrier.
pub(super) fn state(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
                "LINK.NONE",
                Layer::Link,
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
            "LINK.NO_CARRIER",
            Layer::Link,
            "carrier",
            confidence,
            format!("{name} has no carrier: no cable, no network, or the other end is off"),
        )
        .because(Fact::Links, format!("{name} is up, and has no carrier"))
        .check(commands.link(name))
        .remedy(format!("look at the cable and the other end of {name}: a switch port, an access point, the virtual switch"))
    } else {
        Finding::new(
            "LINK.DOWN",
            Layer::Link,
            "down",
            confidence,
            format!("{name} is switched off on this machine"),
        )
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
    let target_lacks_route = facts
        .wholly_failed()
        .is_some_and(|attempt| attempt.connect.outcome == crate::doctor::evidence::ConnectOutcome::NoRoute);
    !has_way && (facts.asked().is_none() || target_lacks_route || facts.public_is_reached() == Some(false))
}

/// A carrier comes and goes.
pub(super) fn flapping(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let uplinks = facts.uplinks();
    for change in facts.evidence.carrier.all() {
        let times = change.after.saturating_sub(change.before);
        if times < 2 || !uplinks.iter().any(|link| link.name == change.interface) {
            continue;
        }
        let name = &change.interface;
        let title = format!(
            "the link of {name} comes and goes: {times} times within {:.1} s",
            seconds(change.within_ms)
        );
        let commands = Commands::of(facts.evidence);
        found.push(
            Finding::new("LINK.FLAPPING", Layer::Link, "carrier", Confidence::Certain, title)
                .because(
                    Fact::Carrier,
                    format!("its carrier had changed {} times, and then {}", change.before, change.after),
                )
                .check(commands.choose_carrier(name))
                .explains(&[Symptom::Carrier, Symptom::Service, Symptom::ServiceSlow, Symptom::Delay])
                .explains(&Symptom::NOTHING_PASSES)
                .remedy(format!("change the cable of {name}, then the port at its other end"))
                .remedy("if it stays so, look for a duplex mismatch or a driver that resets: ethtool, dmesg"),
        );
    }
}

fn seconds(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1e3
}

impl Commands {
    fn choose_carrier(self, name: &str) -> String {
        match self {
            Self::Linux => format!("ip monitor link dev {}", super::commands::quoted(name)),
            _ => self.link(name),
        }
    }
}
