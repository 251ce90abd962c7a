//! A filter on the way, or at the target, rejects connections.

use super::words::port;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Icmp};
use crate::doctor::fact::Fact;
use crate::trace::Answer;

/// A filter on the way, or at the target, rejects.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) = facts.wholly_failed() else { return };
    if let Some(icmp) = attempt.connect.icmp.as_ref().filter(|icmp| !icmp.is_own) {
        let who = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
        let alive = facts.live_control();
        let is_plain = matches!(icmp.icmp_type, 1 | 3) && !is_prohibition(icmp) && !is_port(icmp);
        if is_plain && alive.is_none() && !facts.host_is_alive().unwrap_or(false) {
            return;
        }
        // A time that ran out is a loop's, whoever says so.
        if !matches!((icmp.icmp_type, attempt.address.is_ipv6()), (3, false) | (1, true)) {
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
                meaning(icmp)
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

/// Whether an ICMP error is a filter's by its code.
fn is_prohibition(icmp: &Icmp) -> bool {
    let is_v6 = icmp.from.is_some_and(|from| from.is_ipv6());
    if is_v6 {
        icmp.icmp_type == 1 && matches!(icmp.icmp_code, 1 | 5 | 6)
    } else {
        icmp.icmp_type == 3 && matches!(icmp.icmp_code, 9 | 10 | 13)
    }
}

/// Whether it says that the port is closed.
fn is_port(icmp: &Icmp) -> bool {
    matches!((icmp.icmp_type, icmp.icmp_code), (3, 3) | (1, 4))
}

fn meaning(icmp: &Icmp) -> &'static str {
    match (icmp.icmp_type, icmp.icmp_code) {
        (3, 0) => "network unreachable",
        (3, 1) | (1, 3) => "host unreachable",
        (3, 3) | (1, 4) => "port unreachable",
        (3, 9) => "network prohibited",
        (3, 10) => "host prohibited",
        (3, 13) | (1, 1) => "administratively prohibited",
        (1, 0) => "no route",
        _ => "it is not let through",
    }
}
