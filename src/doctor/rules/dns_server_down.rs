//! None of the name servers answers.

use super::words::{dig, file, is_address, seconds, worst};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, QueryOutcome};
use crate::doctor::fact::Fact;

/// None of them answers.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(names) = facts.names() else { return };
    if facts
        .evidence
        .resolver
        .get()
        .is_none_or(|resolver| !resolver.servers.iter().any(|server| is_address(server)))
    {
        return;
    }
    let is_down =
        |outcome| matches!(outcome, QueryOutcome::Silent | QueryOutcome::Unreachable | QueryOutcome::NoRoute);
    if !facts.all_own(is_down) {
        return;
    }
    let others = !facts.other_answers().is_empty();
    let says_closed = names.own.iter().all(|answer| {
        worst(answer).is_some_and(|query| {
            query.outcome == QueryOutcome::Unreachable
                && query.icmp.as_ref().is_some_and(|icmp| icmp.from == Some(answer.server))
        })
    });
    // Silence alone may be a filter's on the way to that server, or of a switch that takes two hosts for one.
    let confidence = if says_closed { Confidence::Certain } else { Confidence::Likely };
    let servers: Vec<String> = names.own.iter().map(|answer| answer.server.to_string()).collect();
    let verb = if servers.len() == 1 { "does not answer" } else { "do not answer" };
    let detail = if says_closed { "closed" } else { "silent" };
    let mut finding = Finding::new(
        Cause::DnsServerDown,
        detail,
        confidence,
        format!("the name server {} {verb}", servers.join(" and ")),
    )
    .explains(&[Symptom::Name, Symptom::NameSlow]);
    for answer in &names.own {
        let Some(query) = worst(answer) else { continue };
        let said = match query.outcome {
            QueryOutcome::Unreachable => {
                let from = query.icmp.as_ref().and_then(|icmp| icmp.from);
                let from = from.map_or_else(|| "somebody".to_owned(), |from| from.to_string());
                format!("{}: {from} says that nobody is there (ICMP)", answer.server)
            }
            _ => format!(
                "{}: asked {} times, no answer within {:.1} s",
                answer.server,
                query.tries,
                seconds(query.elapsed_ms)
            ),
        };
        finding = finding.because(Fact::Names, said).check(dig(answer.server, &query.name));
    }
    if others {
        let who: Vec<String> = names
            .others
            .iter()
            .filter(|answer| answer.a.iter().any(|query| query.outcome.is_answer()))
            .map(|answer| answer.server.to_string())
            .collect();
        finding = finding.because(Fact::Names, format!("others answer: {}", who.join(", ")));
        if let Some(first) = who.first() {
            finding =
                finding.remedy(format!("ask another meanwhile: 'nameserver {first}' in {}", file(facts)));
        }
    }
    found.push(finding.remedy(format!(
        "start the server at {} again, or take it out of {}",
        servers.join(" and "),
        file(facts)
    )));
}
