//! The name servers answer late, or not always, or not the first of them.

use super::words::{dig, file, seconds};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, Query, QueryOutcome, ServerAnswer};
use crate::doctor::fact::Fact;

/// They answer too late, or not always, or not the first of them.
#[expect(clippy::too_many_lines, reason = "a list of signs, the surest first")]
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    /// A page asks for ten names one after the other.
    const SLOW_MS: u64 = 450;
    let Some(names) = facts.names() else { return };
    if facts.name_fails() != Some(false) {
        flaky(facts, found);
        return;
    }
    let path_ms = facts.path_ms();
    let explained = [Symptom::NameSlow];
    let known =
        |answer: &ServerAnswer| answer.a.iter().chain(&answer.aaaa).any(|query| !query.addresses.is_empty());
    let first_known = names.own.iter().position(known);
    let name = facts.host();
    // The first is dead, and the next is asked after some seconds.
    if let Some(place) = first_known.filter(|place| *place > 0)
        && let Some(dead) = names.own.first()
        && dead.a.iter().chain(&dead.aaaa).all(|query| !query.outcome.is_answer())
        && dead.a.iter().chain(&dead.aaaa).any(|query| query.outcome == QueryOutcome::Silent)
    {
        let timeout = facts.evidence.resolver.get().map_or(5, |resolver| resolver.timeout_s);
        found.push(
            Finding::new(
                Cause::DnsSlow,
                "first-dead",
                Confidence::Certain,
                format!("the first name server, {}, is dead: each name waits {timeout} s for it before the next is asked", dead.server),
            )
            .because(Fact::Names, format!("{}: no answer; {}: answers", dead.server, names.own[place].server))
            .check(dig(dead.server, &name))
            .explains(&explained)
            .remedy(format!("take {} out of {}, or put it last", dead.server, file(facts))),
        );
        return;
    }
    let Some(answer) = first_known.and_then(|place| names.own.get(place)) else { return };
    // Only one kind of address is answered.
    for (queries, others, kind, other) in
        [(&answer.aaaa, &answer.a, "IPv6 (AAAA)", "IPv4"), (&answer.a, &answer.aaaa, "IPv4 (A)", "IPv6")]
    {
        let silent = queries.iter().any(|query| query.outcome == QueryOutcome::Silent && query.tries >= 3);
        let answered = others.iter().any(|query| query.outcome.is_answer() && query.tries == 1);
        if silent && answered {
            let what = format!(
                "{} never answers questions for {kind} addresses, so each look-up waits for them",
                answer.server
            );
            found.push(
                Finding::new(Cause::DnsSlow, "aaaa", Confidence::Likely, what)
                    .because(Fact::Names, format!("asked three times for {kind} addresses of {name}: nothing; for {other}: an answer at once"))
                    .check(format!("dig @{} {name} AAAA", answer.server))
                    .explains(&explained)
                    .remedy(format!("ask another server, or let {} be mended: a filter on the way may drop such questions", answer.server))
                    .remedy("until then: 'options single-request' or 'no-aaaa' in resolv.conf(5)"),
            );
            return;
        }
    }
    let all: Vec<&Query> = answer.a.iter().chain(&answer.aaaa).collect();
    let again =
        all.iter().filter(|query| query.tries > 1 && query.answer_ms + 250 < query.elapsed_ms).count();
    let never = all.iter().filter(|query| query.outcome == QueryOutcome::Silent).count();
    if again + never > 0 {
        let tries: u32 = all.iter().map(|query| query.tries).sum();
        let answers: u32 = all.iter().map(|query| query.answers).sum();
        found.push(
            Finding::new(
                Cause::DnsSlow,
                "flaky",
                Confidence::Likely,
                format!(
                    "the name server {} answers only some questions: {answers} of {tries}",
                    answer.server
                ),
            )
            .because(Fact::Names, format!("{tries} questions for {name}, {answers} answers"))
            .check(format!(
                "for i in 1 2 3 4 5 6; do dig +tries=1 +time=1 @{} {name} | grep -c ANSWER; done",
                answer.server
            ))
            .explains(&explained)
            .remedy(format!(
                "look at the server {}: is it overloaded, does a rate limit drop questions",
                answer.server
            )),
        );
        return;
    }
    // Each answer, and all of those that come one after the other.
    let chain = |queries: &[Query]| queries.iter().map(|query| query.answer_ms).sum::<u64>();
    let total = chain(&answer.a).max(chain(&answer.aaaa));
    let single = all.iter().map(|query| query.answer_ms).max().unwrap_or(0);
    let steps = answer.a.len().max(answer.aaaa.len());
    if total >= SLOW_MS + 2 * path_ms {
        let resolver = facts.evidence.resolver.get();
        let is_search = steps > 1 && single < SLOW_MS + 2 * path_ms;
        let mut finding = Finding::new(
            Cause::DnsSlow,
            if is_search { "search" } else { "server" },
            Confidence::Likely,
            if is_search {
                format!("looking up {name} takes {:.1} s: {steps} names are tried one after the other (search, ndots)", seconds(total))
            } else {
                format!("the name server {} takes {:.1} s for an answer", answer.server, seconds(single))
            },
        )
        .because(Fact::Names, format!("{} answers after {:.1} s; the way to the target and back takes {path_ms} ms", answer.server, seconds(single)))
        .check(format!("dig @{} {name} | grep 'Query time'", answer.server))
        .explains(&explained)
        .remedy(format!("look at the server {}, or ask another in {}", answer.server, file(facts)));
        if let Some(resolver) = resolver.filter(|resolver| resolver.ndots > 1) {
            finding = finding
                .because(
                    Fact::Resolver,
                    format!(
                        "options ndots:{} makes names be tried behind {} first",
                        resolver.ndots,
                        resolver.search.join(", ")
                    ),
                )
                .remedy(format!(
                    "write the name with a dot at its end ({}.), or lower ndots",
                    name.trim_end_matches('.')
                ));
        }
        found.push(finding);
    }
}

/// The name was not found, as some questions were answered and others not.
fn flaky(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let own = facts.own_queries();
    let answered = own.iter().filter(|query| query.outcome.is_answer()).count();
    let silent = own.iter().filter(|query| query.outcome == QueryOutcome::Silent).count();
    let exists = own.iter().all(|query| query.outcome != QueryOutcome::NoSuchName);
    if answered == 0 || silent == 0 || (facts.other_addresses().is_empty() && !exists) {
        return;
    }
    let Some(server) = facts.names().and_then(|names| names.own.first()).map(|answer| answer.server) else {
        return;
    };
    let (tries, answers): (u32, u32) =
        own.iter().fold((0, 0), |(tries, answers), query| (tries + query.tries, answers + query.answers));
    let name = facts.host();
    found.push(
        Finding::new(
            Cause::DnsSlow,
            "flaky",
            Confidence::Likely,
            format!("the name server {server} answers only some questions: {answers} of {tries}"),
        )
        .because(Fact::Names, format!("{tries} questions for {name}, {answers} answers"))
        .check(format!(
            "for i in 1 2 3 4 5 6; do dig +tries=1 +time=1 @{server} {name} | grep -c ANSWER; done"
        ))
        .explains(&[Symptom::NameSlow, Symptom::Name])
        .remedy(format!("look at the server {server}: is it overloaded, does a rate limit drop questions")),
    );
}
