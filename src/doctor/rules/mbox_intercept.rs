//! A host on the way answers questions of DNS that were sent to nobody.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// Somebody answers questions of DNS that were sent to nobody.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(names) = facts.names() else { return };
    let Some(nobody) = &names.nobody else { return };
    if !nobody.a.iter().any(|query| query.outcome.is_answer()) {
        return;
    }
    // Who asks the gateway is answered by the gateway, whether it takes others' questions or not.
    let asks_gateway =
        names.own.iter().all(|answer| facts.is_gateway(answer.server) || answer.server.is_loopback());
    let confidence = if asks_gateway { Confidence::Possible } else { Confidence::Certain };
    let own: Vec<String> = names.own.iter().map(|answer| answer.server.to_string()).collect();
    let mut finding = Finding::new(
        Cause::MboxIntercept,
        "dns",
        confidence,
        if asks_gateway {
            "this network answers all questions of DNS itself, whoever they are sent to".to_owned()
        } else {
            format!(
                "what is asked of the name server {} is answered by somebody else, in this network",
                own.join(" and ")
            )
        },
    )
    .because(
        Fact::Names,
        format!("{}, where no host can be (RFC 5737), answers questions of DNS", nobody.server),
    )
    .check(format!("dig @{} {}", nobody.server, names.name))
    .remedy("ask whoever runs this network why it redirects port 53; DNS over TLS or HTTPS gets by");
    if !asks_gateway {
        finding = finding.explains(&[Symptom::Between, Symptom::Name, Symptom::NameSlow]);
    }
    found.push(finding);
}
