//! A route of this machine refuses what takes it.

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, Route};
use crate::doctor::fact::Fact;

/// A route of this machine refuses what takes it.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let refuses = |attempt: &&Attempt| {
        attempt.connect.outcome == ConnectOutcome::RouteRefuses
            || attempt.route.as_ref().is_some_and(Route::is_refusal)
    };
    let commands = Commands::of(facts.evidence);
    if let Some(attempt) = facts.attempts().find(refuses) {
        let route = attempt.route.clone().unwrap_or_default();
        let kind = match route.kind.as_deref() {
            Some("blackhole") => "blackhole",
            Some("prohibit") => "prohibit",
            _ => "unreachable",
        };
        let prefix = route.prefix.clone().unwrap_or_else(|| attempt.address.to_string());
        let table = match route.table {
            Some(254) | None => String::new(),
            Some(table) => format!(" table {table}"),
        };
        let title = format!("a route of this machine refuses packets for {}: {kind}", attempt.address);
        // Of a route that refuses, the kernel does not tell the prefix.
        let mend = if route.prefix.is_some() {
            format!("take it away, if nobody wants it: ip route del {kind} {prefix}{table}")
        } else {
            format!(
                "find it and take it away, if nobody wants it: ip route show table all type {kind}; ip route del {kind} PREFIX"
            )
        };
        let said = attempt.connect.error.clone().unwrap_or_default();
        found.push(
            Finding::new(Cause::RouteLocalBlock, kind, Confidence::Certain, title)
                .because(
                    Fact::Target,
                    format!("connecting to {} fails at once, without a packet: {said}", attempt.address),
                )
                .check(commands.route_to(&attempt.address.to_string()))
                .explains(&[Symptom::Target4, Symptom::Target6, Symptom::Public, Symptom::Name])
                .remedy(mend)
                .remedy("look who set it: a VPN's kill switch, fail2ban, a routing daemon"),
        );
        return;
    }
    let ways = facts.evidence.out.get();
    let default = ways.and_then(|ways| ways.v4.as_ref()).filter(|route| route.is_refusal());
    if let Some(route) = default.filter(|_| facts.attempts().next().is_none()) {
        let kind = route.kind.clone().unwrap_or_default();
        let title = format!("the default route refuses everything: {kind}");
        found.push(
            Finding::new(Cause::RouteLocalBlock, "default", Confidence::Certain, title)
                .because(Fact::Out, format!("packets for the internet take a route that is {kind}"))
                .check(commands.routes())
                .explains(&Symptom::NOTHING_PASSES)
                .shows(Symptom::NoWayOut)
                .remedy(format!("take it away, if nobody wants it: ip route del {kind} default")),
        );
    }
}
