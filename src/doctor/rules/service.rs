//! The service: is anybody listening, does he hang up.

use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, RoundOutcome, TlsOutcome};
use crate::doctor::fact::Fact;

/// Nobody listens.
pub(super) fn refused(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
    let is_near = facts.is_local() || crate::doctor::evidence::is_on_link(attempt) == Some(true);
    let confidence = if is_host || is_near { Confidence::Certain } else { Confidence::Likely };
    let mut finding = Finding::new(
        "TCP.REFUSED",
        Layer::Service,
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
        finding = finding.or(&["FW.REJECT"]);
    }
    if let Some(hop) = facts.evidence.path.get().and_then(crate::trace::Path::reached) {
        finding = finding.because(Fact::Path, format!("the reset comes from hop {hop}, where the host is"));
    }
    found.push(finding);
}

/// He hangs up.
pub(super) fn reset(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    for attempt in facts.attempts() {
        let Some(exchange) = &attempt.exchange else { continue };
        let rounds = exchange.small.iter().chain(&exchange.large);
        let by_round = rounds.into_iter().find(|round| round.outcome == RoundOutcome::Reset);
        let by_tls = exchange.tls.as_ref().filter(|tls| tls.outcome == TlsOutcome::Reset);
        let (when, bytes) = match (by_round, by_tls) {
            (Some(round), _) if round.sent_bytes == 0 => ("as soon as it stands", 0),
            (Some(round), _) => ("at the first data", round.received_bytes),
            (None, Some(_)) => ("at the first bytes of TLS", 0),
            (None, None) => continue,
        };
        let port = attempt.port;
        found.push(
            Finding::new(
                "TCP.RESET",
                Layer::Service,
                if bytes == 0 { "at-once" } else { "later" },
                Confidence::Likely,
                format!("{} resets connections to its port {port} {when}", attempt.address),
            )
            .because(Fact::Target, format!("the connection stood, and was reset {when}; {bytes} bytes had come"))
            .check(format!("nc -v {} {port}", attempt.address))
            .explains(&[Symptom::Service])
            .remedy(format!("look at the log of the server behind port {port}: it may crash, allow other clients only, or be a balancer without servers"))
            .or(&["FW.RST_INJECTION"]),
        );
        return;
    }
}

/// The queue of those who wait to be accepted is full: some came in, and then no more.
pub(super) fn backlog_full(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) =
        facts.wholly_failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent)
    else {
        return;
    };
    // On this machine itself the kernel would say so; elsewhere only the shape does: the host is there, its other ports
    // answer, and the SYN comes as far as to it.
    let (Some(path), Some(control)) = (facts.evidence.path.get(), facts.evidence.control_path.get()) else {
        return;
    };
    let is_at_host = path.farthest().is_some() && control.reached() == path.farthest().map(|last| last + 1);
    let Some(alive) = facts.live_control().filter(|_| is_at_host) else { return };
    found.push(
        Finding::new(
            "TCP.BACKLOG_FULL",
            Layer::Service,
            "or-filter",
            Confidence::Possible,
            format!(
                "the server behind port {} of {} may accept no more: its queue is full",
                attempt.port, attempt.address
            ),
        )
        .because(Fact::Path, "SYNs come as far as to the host, and are not answered there")
        .because(Fact::Control, format!("its port {} answers", alive.port))
        .explains(&[Symptom::Target4, Symptom::Target6])
        .remedy("on that host: ss -ltn shows the queue; a server that hangs must be started again")
        .or(&["FW.DROP"]),
    );
}
