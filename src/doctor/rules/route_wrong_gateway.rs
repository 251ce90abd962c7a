//! A route leads to a host that is there and is no router, or to nobody.

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts};
use crate::doctor::fact::Fact;

/// The default route's gateway is there, and is no router.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    other_router(facts, found);
    if let Some(gateway) = facts.gateway()
        && gateway.is_found() == Some(true)
        && gateway.address.is_ipv4()
        && facts.beyond() == Some(false)
    {
        let ip = gateway.address;
        // It would say that the time to live ran out, if it passed anything on.
        let is_no_router = facts.evidence.public_path.get().is_some_and(|path| {
            path.hop(1).is_some_and(|hop| hop.answer.is_none()) && path.farthest().is_none()
        });
        let other = facts.names().and_then(|names| {
            names.own.iter().find(|answer| {
                answer.server != ip
                    && !answer.server.is_loopback()
                    && answer.a.iter().any(|query| query.outcome.is_answer())
            })
        });
        if let (true, Some(other)) = (is_no_router && gateway.answers_ping(), other) {
            let interface = quoted(&gateway.interface);
            found.push(
                Finding::new(
                    Cause::RouteWrongGateway,
                    "no-router",
                    Confidence::Likely,
                    format!("the default route leads to {ip}, which is there and passes nothing on"),
                )
                .because(Fact::Gateways, format!("{ip} answers echo requests"))
                .check(format!("ping -c 3 {ip}"))
                .because(Fact::PublicPath, format!("a packet that may go one hop brings no word from {ip}, and nothing beyond it answers"))
                .check("traceroute -n -m 3 1.1.1.1")
                .because(Fact::Names, format!("{} of the same network answers, and knows names of the internet", other.server))
                .check(format!("dig @{} example.org", other.server))
                .explains(&Symptom::NOTHING_PASSES)
                .remedy(format!("let the route lead to the network's router, {} perhaps: ip route replace default via {} dev {interface}", other.server, other.server))
                .or(&[Cause::GwNotForwarding]),
            );
        }
    }
    // A route of its own to the target, over a next hop that is not there.
    for attempt in facts.attempts() {
        let Some(hop) = attempt.route.as_ref().and_then(|route| route.gateway) else { continue };
        let is_lost = attempt.connect.outcome == ConnectOutcome::NoNeighbour
            || matches!(attempt.neighbour.as_deref(), Some("failed" | "incomplete"));
        let is_special = facts
            .evidence
            .routes
            .get()
            .is_some_and(|routes| routes.iter().all(|route| route.gateway != Some(hop)));
        if is_lost && is_special {
            let prefix = attempt.route.as_ref().and_then(|route| route.prefix.clone()).unwrap_or_default();
            found.push(
                Finding::new(
                    Cause::RouteWrongGateway,
                    "next-hop",
                    Confidence::Likely,
                    format!("the route to {prefix} leads over {hop}, and nobody answers there"),
                )
                .because(Fact::Target, format!("{hop} was asked for, and nobody answered"))
                .check(commands.route_to(&attempt.address.to_string()))
                .explains(&[Symptom::Target4, Symptom::Target6])
                .remedy(format!(
                    "take the route away, or let it lead over a router that is there: ip route del {prefix}"
                )),
            );
            return;
        }
    }
}

/// A route of its own to the target, over a next hop that is there and passes nothing on.
fn other_router(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) =
        facts.wholly_failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent)
    else {
        return;
    };
    let Some(route) = &attempt.route else { return };
    let (Some(hop), Some(prefix)) = (route.gateway, route.prefix.as_deref()) else { return };
    let Some(routes) = facts.evidence.routes.get() else { return };
    let is_default = routes.iter().any(|default| default.gateway == Some(hop));
    let is_dark = facts.evidence.path.get().is_some_and(|path| path.farthest().is_none());
    if is_default
        || !is_dark
        || facts.host_is_alive() != Some(false)
        || facts.public_is_reached() != Some(true)
    {
        return;
    }
    found.push(
        Finding::new(
            Cause::RouteWrongGateway,
            "next-hop",
            Confidence::Likely,
            format!(
                "packets for {} take a route of their own, {prefix} via {hop}, and {hop} passes nothing on",
                attempt.address
            ),
        )
        .because(Fact::Target, format!("the route is {prefix} via {hop}, and not the default route"))
        .check(Commands::of(facts.evidence).route_to(&attempt.address.to_string()))
        .because(Fact::Path, "no hop of that way answers")
        .because(Fact::Public, "the internet is reached by the default route")
        .explains(&[Symptom::Target4, Symptom::Target6])
        .remedy(format!("take the route away, if nobody wants it: ip route del {prefix} via {hop}")),
    );
}
