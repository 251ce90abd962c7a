//! A filter on the way resets connections for what is said on them.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, RoundOutcome};
use crate::doctor::fact::Fact;

/// Somebody on the way resets connections for what is said on them.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    for attempt in facts.attempts() {
        let Some(exchange) = &attempt.exchange else { continue };
        let is_reset = exchange.small.as_ref().is_some_and(|round| round.outcome == RoundOutcome::Reset);
        let passes = exchange.unnamed.as_ref().is_some_and(|round| round.outcome == RoundOutcome::Whole);
        if is_reset && passes {
            let host = facts.host();
            found.push(
                Finding::new(
                    Cause::FwRstInjection,
                    "name",
                    Confidence::Likely,
                    format!("connections are reset as soon as they name {host}: somebody on the way minds that name"),
                )
                .because(Fact::Target, format!("the request that names {host} is answered by a reset"))
                .check(format!("curl -v http://{host}/"))
                .because(Fact::Target, "the same request to the same port with the address in its place is answered")
                .check(format!("curl -v http://{}/", attempt.address))
                .explains(&[Symptom::Service])
                .remedy("ask the network's owner or provider whether they filter it; from elsewhere, or by HTTPS, it may work")
                .or(&[Cause::TcpReset]),
            );
            return;
        }
    }
}
