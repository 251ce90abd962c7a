//! The web server answers with an error.

use super::commands::quoted;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// The web answers by an error.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    for attempt in facts.attempts() {
        let Some(http) = attempt.exchange.as_ref().and_then(|exchange| exchange.http.as_ref()) else {
            continue;
        };
        if !facts.is_http_error(http) || http.status == 511 {
            continue;
        }
        let whose = if http.status >= 500 { "the server's own" } else { "for what was asked" };
        found.push(
            Finding::new(
                Cause::AppHttpError,
                if http.status >= 500 { "5xx" } else { "4xx" },
                Confidence::Certain,
                format!(
                    "the web server of {} answers by an error, {whose}: status {}",
                    facts.host(),
                    http.status
                ),
            )
            .because(Fact::Target, format!("{} answers: status {}", attempt.address, http.status))
            .check(format!("curl -sI {}", quoted(&facts.target())))
            .explains(&[Symptom::Service])
            .remedy(if http.status >= 500 {
                "look at the log of the web server and of what is behind it; the network does its work"
            } else {
                "look whether the address is right, and whether a login is needed; the network does its work"
            }),
        );
        return;
    }
}
