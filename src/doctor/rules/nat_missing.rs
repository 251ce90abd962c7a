//! The gateway passes packets on and does not translate their addresses, so that no answer comes back.

use super::{Cause, Confidence, Finding, Symptom};
use crate::address::Class;
use crate::doctor::evidence::{ConnectOutcome, Facts};
use crate::doctor::fact::Fact;
use crate::trace::Answer;

/// It passes packets on and does not translate their addresses, so that no answer comes back.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) =
        facts.gateway().filter(|gateway| gateway.is_found() == Some(true) && gateway.address.is_ipv4())
    else {
        return;
    };
    let ip = gateway.address;
    let forwards = facts.evidence.public_path.get().is_some_and(|path| {
        path.hop(1).is_some_and(|hop| hop.answer == Some(Answer::TimeExceeded)) && path.farthest() == Some(1)
    });
    // It knows names of the internet itself: so its own uplink works.
    let knows_names = facts.names().is_some_and(|names| {
        let answers = names.own.iter().filter(|answer| answer.server == ip);
        answers.flat_map(|answer| &answer.a).any(|query| !query.addresses.is_empty())
    });
    let source = facts.evidence.out.get().and_then(|ways| ways.v4.as_ref()?.source);
    let is_private = source.is_some_and(|source| Class::of(source) == Class::Private);
    let all_silent = facts
        .anchors()
        .iter()
        .all(|anchor| anchor.connects.iter().all(|(_, connect)| connect.outcome == ConnectOutcome::Silent));
    if facts.public_is_reached() == Some(false) && forwards && knows_names && is_private && all_silent {
        found.push(
            Finding::new(
                Cause::NatMissing,
                "missing",
                Confidence::Likely,
                format!("the gateway {ip} has a way to the internet, and this machine's packets get no answer over it: they are not translated, or dropped"),
            )
            .because(Fact::Names, format!("{ip} itself answers questions about names of the internet"))
            .check(format!("dig @{ip} example.org"))
            .because(Fact::PublicPath, format!("{ip} takes packets to pass on, and nothing farther answers"))
            .check("traceroute -n -m 5 1.1.1.1")
            .because(Fact::Out, "this machine's address is private (RFC 1918): without translation no answer finds it")
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("at {ip}: is address translation (masquerading) on for its uplink, and is its table of connections full"))
            .or(&[Cause::GwUpstreamDown, Cause::PathBlackhole, Cause::NatExhausted]),
        );
    }
}
