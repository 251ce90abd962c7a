//! Packets carry a source address that no answer comes back to.

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts};
use crate::doctor::fact::Fact;

/// Packets carry a source that no answer comes back to.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    let filtered = facts.counter("TcpExt.IPReversePathFilter");
    if let Some(attempt) = facts.failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent)
        && filtered >= 2
    {
        found.push(
            Finding::new(
                Cause::RouteBadSource,
                "rp-filter",
                Confidence::Certain,
                "answers come in by another interface than they are routed out by, and this machine drops them".to_owned(),
            )
            .because(Fact::Counters, format!("{filtered} packets were dropped by the reverse-path filter meanwhile (TcpExt.IPReversePathFilter)"))
            .check("nstat -az TcpExtIPReversePathFilter")
            .because(Fact::Target, format!("nothing that {} sends comes through", attempt.address))
            .explains(&[Symptom::Target4, Symptom::Target6, Symptom::Public, Symptom::Loss, Symptom::Name])
            .remedy("let both directions take one way: a route or a rule for the source (ip rule add from ADDRESS table ...)")
            .remedy("or let the filter be loose: sysctl -w net.ipv4.conf.all.rp_filter=2"),
        );
        return;
    }
    let told = facts.failed().and_then(|attempt| {
        (attempt.connect.outcome == ConnectOutcome::Silent).then_some(attempt.route.as_ref())?
    });
    let out = facts.evidence.out.get().and_then(|ways| ways.v4.as_ref());
    let Some(route) = told.or(out) else { return };
    let (Some(source), Some(interface)) = (route.source, route.interface.as_deref()) else { return };
    let of = |name: &str| {
        facts.evidence.addresses.all().iter().any(|own| own.interface == name && own.ip == source)
    };
    let others = facts
        .evidence
        .addresses
        .all()
        .iter()
        .any(|own| own.interface == interface && own.ip.is_ipv4() == source.is_ipv4());
    let gateway_is_there = facts.gateway().is_some_and(|gateway| gateway.is_found() == Some(true));
    let hears_nothing = facts.beyond() == Some(false) || facts.public_is_reached() == Some(false);
    if of(interface) || !others || !gateway_is_there || !hears_nothing {
        return;
    }
    let held =
        facts.evidence.addresses.all().iter().find(|own| own.ip == source).map(|own| own.interface.clone());
    let place = held.map_or_else(|| "is none of this machine's".to_owned(), |name| format!("is {name}'s"));
    found.push(
        Finding::new(
            Cause::RouteBadSource,
            "source",
            Confidence::Likely,
            format!(
                "packets leave by {interface} from {source}, which {place}: no answer finds its way back"
            ),
        )
        .because(
            Fact::Out,
            format!("the route sets the source {source}, and {interface} has other addresses"),
        )
        .check(commands.route_to("1.1.1.1"))
        .because(Fact::Public, "nothing comes back from beyond the LAN")
        .explains(&[Symptom::Target4, Symptom::Public, Symptom::Datagrams, Symptom::Loss, Symptom::Name])
        .remedy(format!(
            "take the source out of the route: ip route replace default via GATEWAY dev {}",
            quoted(interface)
        ))
        .or(&[Cause::NatMissing]),
    );
}
