//! A router says that it cannot reach the target.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// A router says that it cannot go on.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) = facts.wholly_failed() else { return };
    let Some(icmp) = attempt.connect.icmp.as_ref().filter(|icmp| !icmp.is_own) else { return };
    let error = icmp.meaning();
    let is_it = error.is_network() || error.is_host();
    if !is_it || facts.host_is_alive() == Some(true) {
        return;
    }
    let who = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
    let same = facts.evidence.control.get().is_some_and(|all| {
        all.iter().any(|other| other.connect.icmp.as_ref().is_some_and(|other| other.from == icmp.from))
    });
    let is_late = attempt.connect.elapsed_us > 1_000_000;
    let (detail, what) = if error.is_host() {
        (
            "host",
            if is_late {
                "the host does not answer there: it is off, or gone"
            } else {
                "it has no way to the host"
            },
        )
    } else {
        ("network", "it has no way to that network")
    };
    let confidence = if same { Confidence::Certain } else { Confidence::Likely };
    let mut finding = Finding::new(
        Cause::PathUnreachable,
        detail,
        confidence,
        format!("{who} cannot reach {}: {what}", attempt.address),
    )
    .because(Fact::Target, format!("{who} answers by ICMP type {} code {}", icmp.icmp_type, icmp.icmp_code))
    .check(format!("ping -c 3 {}", attempt.address))
    .explains(&[Symptom::Target4, Symptom::Target6])
    .remedy(format!(
        "look whether {} is on and has that address; then tell whoever runs {who}",
        attempt.address
    ));
    if same {
        finding = finding.because(
            Fact::Control,
            "it says so of other ports of the host too, so no filter of one port is it",
        );
    }
    found.push(finding);
}
