//! The service resets connections.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, RoundOutcome, TlsOutcome};
use crate::doctor::fact::Fact;

/// He hangs up.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
                Cause::TcpReset,
                if bytes == 0 { "at-once" } else { "later" },
                Confidence::Likely,
                format!("{} resets connections to its port {port} {when}", attempt.address),
            )
            .because(Fact::Target, format!("the connection stood, and was reset {when}; {bytes} bytes had come"))
            .check(format!("nc -v {} {port}", attempt.address))
            .explains(&[Symptom::Service])
            .remedy(format!("look at the log of the server behind port {port}: it may crash, allow other clients only, or be a balancer without servers"))
            .or(&[Cause::FwRstInjection]),
        );
        return;
    }
}
