//! A filter on the way, or at the target, rejects connections.

use super::words::port;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts};
use crate::doctor::fact::Fact;
use crate::trace::Answer;
use crate::wire::icmp;

/// A filter on the way, or at the target, rejects.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) = facts.wholly_failed() else { return };
    if let Some(icmp) = attempt.connect.icmp.as_ref().filter(|icmp| !icmp.is_own) {
        let who = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
        let alive = facts.live_control();
        let error = icmp.meaning();
        let is_plain = !error.is_prohibition() && error != icmp::Error::PortUnreachable;
        if is_plain && alive.is_none() && !facts.host_is_alive().unwrap_or(false) {
            return;
        }
        // A time that ran out is a loop's, whoever says so.
        if !error.is_unreachable() {
            return;
        }
        let place = if icmp.from == Some(attempt.address) {
            "the target's own filter".to_owned()
        } else {
            format!("a filter at {who}")
        };
        let mut finding = Finding::new(
            Cause::FwReject,
            "icmp",
            Confidence::Certain,
            format!("{place} rejects {}", port(attempt)),
        )
        .because(
            Fact::Target,
            format!(
                "{who} answers the SYN by ICMP type {} code {} ({})",
                icmp.icmp_type,
                icmp.icmp_code,
                error.meaning()
            ),
        )
        .check(format!("nc -vz {} {}", attempt.address, attempt.port))
        .explains(&Symptom::TARGET)
        .remedy(format!("ask whoever runs {who} to let port {} pass", attempt.port));
        if let Some(alive) = alive {
            finding = finding.because(Fact::Control, format!("port {} of the same host answers", alive.port));
        } else if facts.host_is_alive() == Some(true) {
            finding = finding.because(Fact::SmallTrain, "the host answers echo requests");
        }
        found.push(finding);
        return;
    }
    // A reset from nearer than the host.
    let (Some(path), Some(control)) = (facts.evidence.path.get(), facts.evidence.control_path.get()) else {
        return;
    };
    if attempt.connect.outcome != ConnectOutcome::Refused {
        return;
    }
    if let (Some(near), Some(far)) = (path.reached(), control.reached())
        && near < far
        && near > 1
        && path.hop(near).is_some_and(|hop| hop.answer == Some(Answer::Reset))
    {
        let who =
            control.hop(near).and_then(|hop| hop.from).map_or_else(String::new, |from| format!(" ({from})"));
        found.push(
            Finding::new(
                Cause::FwReject,
                "reset",
                Confidence::Certain,
                format!(
                    "a filter between hop {} and hop {near}{who} resets connections to {}",
                    near - 1,
                    port(attempt)
                ),
            )
            .because(Fact::Path, format!("a SYN that may go {near} hops is answered by a reset"))
            .because(
                Fact::ControlPath,
                format!("the host itself is {far} hops away, as its port {} shows", control.port),
            )
            .explains(&Symptom::TARGET)
            .remedy(format!(
                "ask whoever runs hop {}, or hop {near}{who}, to let port {} pass",
                near - 1,
                attempt.port
            ))
            .or(&[Cause::TcpRefused]),
        );
    }
}
