//! Packets leave by the wrong interface.

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Link};
use crate::doctor::fact::Fact;

/// Packets leave by the wrong interface.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    better_default(facts, found);
    stale_tunnel(facts, found);
}

/// The default route that is taken is dead, and another is not.
fn better_default(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if !facts.gateway_is_mute() {
        return;
    }
    let Some(dead) = facts.gateway() else { return };
    let alive = facts.evidence.gateways.all().iter().find(|gateway| {
        !gateway.is_best
            && gateway.address.is_ipv4() == dead.address.is_ipv4()
            && gateway.is_found() == Some(true)
    });
    let Some(alive) = alive else { return };
    let metric = |ip| {
        let routes = facts.evidence.routes.all();
        routes.iter().find(|route| route.gateway == Some(ip)).map_or(0, |route| route.metric)
    };
    let (mine, other) = (metric(dead.address), metric(alive.address));
    let title = format!(
        "the default route that is taken, over {} by {}, is dead, and the one over {} by {} is not",
        dead.address, dead.interface, alive.address, alive.interface
    );
    found.push(
        Finding::new(Cause::RouteWrongInterface, "metric", Confidence::Certain, title)
            .because(Fact::Gateways, format!("nobody answers for {} on {}", dead.address, dead.interface))
            .check("ip neighbour".to_owned())
            .because(Fact::Gateways, format!("{} answers on {}", alive.address, alive.interface))
            .because(
                Fact::Routes,
                format!("the dead one has metric {mine} and the living one {other}: the lower wins"),
            )
            .check("ip route show default")
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!(
                "take the dead one away: ip route del default via {} dev {}",
                dead.address,
                quoted(&dead.interface)
            ))
            .remedy("or give it a higher metric where it is set, so that it is the second choice"),
    );
}

/// A tunnel that leads nowhere has the route.
fn stale_tunnel(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let default = facts.evidence.routes.all().iter().find(|route| route.is_best && !route.is_v6);
    let link = |name: &str| facts.evidence.links.all().iter().find(|link| link.name == name);
    for attempt in facts.attempts() {
        let Some(route) = &attempt.route else { continue };
        let Some(interface) = route.interface.as_deref() else { continue };
        let is_mute = attempt.connect.outcome == ConnectOutcome::Silent;
        let is_tunnel = link(interface).is_some_and(Link::is_tunnel);
        let is_elsewhere = default.is_some_and(|default| default.interface != interface);
        let by_path = facts.evidence.path.get().is_some_and(|path| path.farthest().is_none());
        let is_dead = facts.host_is_alive() == Some(false) || by_path;
        if !(is_mute && is_tunnel && is_elsewhere && is_dead) {
            continue;
        }
        let prefix = route.prefix.clone().unwrap_or_default();
        let rest_works = facts.public_is_reached() == Some(true);
        let confidence = if rest_works { Confidence::Likely } else { Confidence::Possible };
        let mut finding = Finding::new(
            Cause::RouteWrongInterface,
            "tunnel",
            confidence,
            format!("{prefix} is routed into the tunnel {interface}, and nothing comes out of it"),
        )
        .because(Fact::Target, format!("packets for {} leave by {interface}", attempt.address))
        .check(Commands::of(facts.evidence).route_to(&attempt.address.to_string()))
        .because(Fact::Target, "nothing came back, from no port and at no distance")
        .check(format!("ip -s link show {}", quoted(interface)))
        .explains(&[Symptom::Target4, Symptom::Target6])
        .remedy(format!("start the VPN of {interface} again, or end it"))
        .remedy(format!("or take its route away: ip route del {prefix} dev {}", quoted(interface)));
        if rest_works {
            finding = finding.because(Fact::Public, "the internet is reached, by another interface");
        }
        found.push(finding);
        return;
    }
    // All of the internet goes into it.
    let Some(route) = facts.evidence.out.get().and_then(|ways| ways.v4.as_ref()) else { return };
    let Some(interface) = route.interface.as_deref() else { return };
    let is_tunnel = link(interface).is_some_and(Link::is_tunnel);
    let physical = facts.evidence.gateways.all().iter().find(|gateway| {
        gateway.interface != interface && gateway.is_found() == Some(true) && gateway.address.is_ipv4()
    });
    if let (true, Some(gateway), Some(false)) = (is_tunnel, physical, facts.beyond()) {
        found.push(
            Finding::new(
                Cause::RouteWrongInterface,
                "tunnel",
                Confidence::Likely,
                format!("everything is routed into the tunnel {interface}, and nothing comes out of it"),
            )
            .because(Fact::Out, format!("packets for the internet leave by {interface}"))
            .check("ip route get 1.1.1.1")
            .because(
                Fact::Gateways,
                format!("the gateway {} answers on {}", gateway.address, gateway.interface),
            )
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("start the VPN of {interface} again, or end it")),
        );
    }
}
