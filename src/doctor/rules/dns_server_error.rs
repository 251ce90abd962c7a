//! The name servers answer with an error, or nonsense.

use super::words::{dig, file};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, QueryOutcome};
use crate::doctor::fact::Fact;

/// They answer, and say that they cannot, or nonsense.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if facts.name_fails() != Some(true) {
        return;
    }
    let Some(names) = facts.names() else { return };
    let is_error = |outcome| {
        matches!(
            outcome,
            QueryOutcome::ServerFailure
                | QueryOutcome::Refused
                | QueryOutcome::OtherError
                | QueryOutcome::Malformed
        )
    };
    let others_know = !facts.other_addresses().is_empty();
    for answer in &names.own {
        let bad = answer.a.iter().chain(&answer.aaaa).find(|query| is_error(query.outcome));
        let empty = answer.a.iter().find(|query| query.outcome == QueryOutcome::NoData);
        let (query, detail, said) = match (bad, empty) {
            (Some(query), _) => {
                let (detail, said) = match query.outcome {
                    QueryOutcome::ServerFailure => ("servfail", "it could not find out (SERVFAIL)"),
                    QueryOutcome::Refused => ("refused", "it does not want to (REFUSED)"),
                    QueryOutcome::Malformed => ("malformed", "something that is no answer of DNS"),
                    _ => ("formerr", "it does not understand (FORMERR, NOTIMP)"),
                };
                (query, detail, said)
            }
            (None, Some(query)) if others_know => (query, "no-data", "the name exists and has no address"),
            _ => continue,
        };
        let everywhere = !others_know && facts.other_answers().iter().any(|other| is_error(other.outcome));
        let confidence = if others_know { Confidence::Certain } else { Confidence::Likely };
        let mut finding = Finding::new(
            Cause::DnsServerError,
            detail,
            confidence,
            format!("the name server {} answers for {}: {said}", answer.server, query.name),
        )
        .because(Fact::Names, format!("{} answers: {said}", answer.server))
        .check(dig(answer.server, &query.name))
        .explains(&[Symptom::Name, Symptom::NameSlow]);
        if others_know {
            let known: Vec<String> = facts.other_addresses().iter().map(ToString::to_string).collect();
            finding = finding.because(Fact::Names, format!("others know it: {}", known.join(", "))).remedy(
                format!(
                    "look at the server {}: its own upstream, its log; or ask another in {}",
                    answer.server,
                    file(facts)
                ),
            );
        } else if everywhere {
            finding = finding.because(Fact::Names, "others fail for it, too").remedy(format!(
                "the servers of the domain of {} themselves are at fault: tell its owner",
                query.name
            ));
        } else {
            finding =
                finding.remedy(format!("look at the server {}: its own upstream, its log", answer.server));
        }
        found.push(finding);
        return;
    }
}
