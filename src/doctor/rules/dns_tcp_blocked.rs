//! A long answer comes only over TCP, and that is blocked.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, QueryOutcome};
use crate::doctor::fact::Fact;

/// A long answer comes only over TCP, and that is blocked.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(names) = facts.names() else { return };
    for answer in &names.own {
        let Some(tcp) = answer.tcp.as_ref().filter(|tcp| tcp.outcome == QueryOutcome::NotConnected) else {
            continue;
        };
        let name = facts.host();
        let said = tcp.error.clone().unwrap_or_default();
        found.push(
            Finding::new(
                Cause::DnsTcpBlocked,
                "truncated",
                Confidence::Certain,
                format!(
                    "{} says that its answer for {name} needs TCP, and its TCP port 53 does not answer",
                    answer.server
                ),
            )
            .because(Fact::Names, format!("by UDP, {} answers: truncated (RFC 7766)", answer.server))
            .check(format!("dig +ignore @{} {name}", answer.server))
            .because(Fact::Names, format!("by TCP: {said}"))
            .check(format!("nc -vz {} 53", answer.server))
            .explains(&[Symptom::Name, Symptom::NameSlow])
            .remedy(format!(
                "let TCP port 53 through to {}; whoever drops it breaks DNS (RFC 7766)",
                answer.server
            )),
        );
        return;
    }
}
