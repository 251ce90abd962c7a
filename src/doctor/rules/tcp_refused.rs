//! Nobody listens on the target's port.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, is_on_link};
use crate::doctor::fact::Fact;
use crate::trace::Path;

/// Nobody listens.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if facts.asked().is_none_or(|asked| asked.port.is_none()) {
        return;
    }
    let refuses = |outcome| outcome == ConnectOutcome::Refused;
    let Some(attempt) = facts.attempts().find(|attempt| {
        refuses(attempt.connect.outcome) && facts.target_fails(attempt.address.is_ipv6()) == Some(true)
    }) else {
        return;
    };
    let port = attempt.port;
    let paths = (facts.evidence.path.get(), facts.evidence.control_path.get());
    let is_host = match paths {
        (Some(path), Some(control)) => {
            path.reached().is_some() && control.reached().is_none_or(|far| path.reached() == Some(far))
        }
        _ => false,
    };
    let is_near = facts.is_local() || is_on_link(attempt) == Some(true);
    let confidence = if is_host || is_near { Confidence::Certain } else { Confidence::Likely };
    let mut finding = Finding::new(
        Cause::TcpRefused,
        "closed",
        confidence,
        format!("nobody listens on port {port} of {}", attempt.address),
    )
    .because(Fact::Target, format!("{} answers the SYN to port {port} by a reset", attempt.address))
    .check(format!("nc -vz {} {port}", attempt.address))
    .explains(&[Symptom::Target4, Symptom::Target6])
    .remedy(if facts.is_local() {
        format!("start the server, and look where it listens: netdiag port {port}")
    } else {
        format!(
            "on {}: start the server, and look where it listens: ss -ltn 'sport = :{port}'",
            attempt.address
        )
    });
    if confidence < Confidence::Certain {
        finding = finding.or(&[Cause::FwReject]);
    }
    if let Some(hop) = facts.evidence.path.get().and_then(Path::reached) {
        finding = finding.because(Fact::Path, format!("the reset comes from hop {hop}, where the host is"));
    }
    found.push(finding);
}
