//! What the name servers say is not true.

use std::net::IpAddr;

use super::words::file;
use super::{Cause, Confidence, Finding, Layer, Symptom};
use crate::address::Class;
use crate::doctor::evidence::{Facts, QueryOutcome, Source};
use crate::doctor::fact::Fact;

/// What they say is not true.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(names) = facts.names() else { return };
    if facts.asked().is_none() {
        return;
    }
    let name = facts.host();
    let own = facts.own_addresses();
    let others = facts.other_addresses();
    let others_text: Vec<String> = others.iter().map(ToString::to_string).collect();
    let server =
        names.own.first().map_or_else(|| "the name server".to_owned(), |answer| answer.server.to_string());
    let mend = |finding: Finding| {
        finding
            .explains(&[
                Symptom::Name,
                Symptom::Target4,
                Symptom::Target6,
                Symptom::Service,
                Symptom::Between,
            ])
            .remedy(format!("ask whoever runs {server} whether it filters {name}"))
            .remedy(format!("or ask another server: 'nameserver 9.9.9.9' in {}", file(facts)))
    };
    // What was not answered may be what the others know.
    let own_all = facts.own_queries();
    let denies = own_all.iter().any(|query| query.outcome == QueryOutcome::NoSuchName)
        && own_all.iter().all(|query| query.outcome.is_answer());
    if facts.name_fails() == Some(true) && denies && !others.is_empty() {
        found.push(mend(
            Finding::new(
                Cause::DnsWrongAnswer,
                "nxdomain",
                Confidence::Likely,
                format!("{server} says that there is no {name}, and others know it"),
            )
            .because(Fact::Names, format!("{server} answers: no such name"))
            .check(format!("dig @{server} {name}"))
            .because(Fact::Names, format!("others answer: {}", others_text.join(", ")))
            .check(format!("dig @9.9.9.9 {name}")),
        ));
        return;
    }
    let is_nowhere = |ip: &&IpAddr| {
        matches!(Class::of(**ip), Class::Unspecified | Class::Loopback | Class::Broadcast | Class::Multicast)
    };
    if let Some(ip) = own.iter().find(is_nowhere) {
        // A blocklist's answer; a name of this machine's own may well be so.
        let differs = !others.is_empty() && !others.contains(ip);
        let confidence = if differs { Confidence::Certain } else { Confidence::Likely };
        let mut finding = Finding::new(
            Cause::DnsWrongAnswer,
            "sinkhole",
            confidence,
            format!("{server} sends {name} to {ip}, which is nowhere: it is blocked there"),
        )
        .because(Fact::Names, format!("{server} answers: {ip}"))
        .check(format!("dig @{server} {name}"));
        if differs {
            finding = finding.because(Fact::Names, format!("others answer: {}", others_text.join(", ")));
        }
        if !own.is_empty() && facts.attempts().all(|attempt| !facts.reaches(attempt)) {
            found.push(mend(finding));
        }
        return;
    }
    // What the own servers say does not work, and what others say does.
    let mut own_attempts = facts.attempts().filter(|attempt| attempt.source == Source::Own).peekable();
    let has_own = own_attempts.peek().is_some();
    let works = facts.attempts_by_others().find(|attempt| attempt.connect.stands());
    if let (true, Some(other)) = (has_own, works)
        && own_attempts.all(|attempt| !facts.reaches(attempt))
        && !own.contains(&other.address)
    {
        let own_text: Vec<String> = own.iter().map(ToString::to_string).collect();
        found.push(mend(
            Finding::new(
                Cause::DnsWrongAnswer,
                "differs",
                Confidence::Likely,
                format!("{server} gives another address for {name} than others do, and only theirs works"),
            )
            .met_at(Layer::Address)
            .because(Fact::Names, format!("{server} answers: {}", own_text.join(", ")))
            .check(format!("dig @{server} {name}"))
            .because(Fact::Target, format!("{} answers on port {}", other.address, other.port))
            .check(format!("nc -vz {} {}", other.address, other.port)),
        ));
    }
}
