//! Of IPv4 and IPv6 one works and the other does not, which programs that try both only hide.

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts};
use crate::doctor::fact::Fact;

/// The target has both, and one does not work.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let of = |is_v6: bool| facts.attempts().filter(move |attempt| attempt.address.is_ipv6() == is_v6);
    for is_v6 in [true, false] {
        let Some(dead) = of(is_v6).next() else { continue };
        let Some(living) = of(!is_v6).find(|attempt| facts.reaches(attempt)) else { continue };
        if facts.target_fails(is_v6) != Some(true) {
            continue;
        }
        // That nobody listens, or that the port is not let through, is no family's fault.
        if dead.connect.shows_host() {
            continue;
        }
        push(facts, is_v6, dead, living, found);
    }
    without_target(facts, found);
}

fn push(facts: &Facts<'_>, is_v6: bool, dead: &Attempt, living: &Attempt, found: &mut Vec<Finding>) {
    let (code, name, other, symptom) = if is_v6 {
        (Cause::V6Broken, "IPv6", "IPv4", Symptom::Target6)
    } else {
        (Cause::V4Broken, "IPv4", "IPv6", Symptom::Target4)
    };
    let commands = Commands::of(facts.evidence);
    let at_once = matches!(
        dead.connect.outcome,
        ConnectOutcome::NoRoute | ConnectOutcome::NoLocalPort | ConnectOutcome::RouteRefuses
    );
    // Without a route, programs know at once and lose no time.
    let confidence = if at_once { Confidence::Possible } else { Confidence::Certain };
    let how = match dead.connect.outcome {
        ConnectOutcome::Silent => "nothing answers".to_owned(),
        _ => dead.connect.error.clone().unwrap_or_else(|| "it fails".to_owned()),
    };
    let title = if at_once {
        format!("{} has {name} too, and this machine has no {name} way there", facts.host())
    } else {
        format!(
            "{name} to {} does not work, and {other} does: programs that try {name} first wait in vain",
            facts.host()
        )
    };
    let mut finding = Finding::new(code, if at_once { "no-route" } else { "dead" }, confidence, title)
        .because(Fact::Target, format!("{}: {how}", dead.address))
        .check(format!("nc -vz -w 3 {} {}", dead.address, dead.port))
        .because(Fact::Target, format!("{}: connected", living.address))
        .check(format!("nc -vz -w 3 {} {}", living.address, living.port))
        .explains(&[symptom]);
    if !is_v6 {
        finding = finding.explains(&[Symptom::Public, Symptom::Datagrams, Symptom::Loss]);
    }
    let routers: Vec<String> = facts
        .evidence
        .routes
        .all()
        .iter()
        .filter(|route| route.is_v6 == is_v6 && route.protocol.as_deref() == Some("ra"))
        .filter_map(|route| Some(format!("{} on {}", route.gateway?, route.interface)))
        .collect();
    if is_v6 && !routers.is_empty() {
        finding = finding
            .because(Fact::Routes, format!("the IPv6 router, {}, announced itself", routers.join(" and ")))
            .check("ip -6 route show default proto ra".to_owned())
            .remedy("if that is not the network's router, find who sends router advertisements (rdisc6), and let the switch drop them (RA guard)");
    }
    found.push(
        finding
            .remedy(format!("look how far {name} goes: {}", commands.route_to(&dead.address.to_string())))
            .remedy(format!(
                "until it works, prefer {other} (gai.conf(5)), or tell the provider that {name} is dead"
            )),
    );
}

/// No target: hosts of the internet are reached over one and not over the other.
fn without_target(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if facts.asked().is_some() || facts.public_is_reached() != Some(true) {
        return;
    }
    let v6: Vec<_> = facts.evidence.public.all().iter().filter(|anchor| anchor.address.is_ipv6()).collect();
    let silent = v6
        .iter()
        .all(|anchor| anchor.connects.iter().all(|(_, connect)| connect.outcome == ConnectOutcome::Silent));
    if v6.len() < 2 || !silent || v6.iter().any(|anchor| anchor.is_reached()) {
        return;
    }
    found.push(
        Finding::new(
            Cause::V6Broken,
            "dead",
            Confidence::Likely,
            "this machine has an IPv6 address and a route, and nothing of the internet answers over them"
                .to_owned(),
        )
        .because(Fact::Public, format!("none of {} hosts answers over IPv6; over IPv4 they do", v6.len()))
        .check("ping -6 -c 3 one.one.one.one")
        .explains(&[Symptom::Target6])
        .remedy("look whether the router still has its IPv6 prefix; until then, prefer IPv4 (gai.conf(5))"),
    );
}
