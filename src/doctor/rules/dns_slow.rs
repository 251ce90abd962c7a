//! The name servers answer late, or not always, or not the first of them.

use std::net::IpAddr;

use super::words::{dig, file, seconds};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, Query, QueryOutcome, Resolver, ServerAnswer};
use crate::doctor::fact::Fact;

/// An answer that takes longer, in milliseconds, is felt: a page asks for ten names one after the other.
const SLOW_MS: u64 = 450;
/// A question counts as sent again if its answer came by so many milliseconds sooner than all of it took.
const AGAIN_MS: u64 = 250;
/// So many questions of one kind without an answer are no accident.
const NEVER: u32 = 3;

/// What shows it.
#[derive(Debug, PartialEq)]
enum Signs<'a> {
    /// The first server is dead, and the next is asked only after its time is up.
    FirstDead { dead: IpAddr, living: IpAddr, timeout_s: u32 },
    /// Questions of one kind are never answered, and those of the other at once.
    OneKind { server: IpAddr, kind: &'static str, other: &'static str },
    /// Some questions are answered and others not.
    Flaky { server: IpAddr, tries: u32, answers: u32, is_found: bool },
    /// Every answer takes long, or the answers for the names of a search list do one after the other.
    Late(Late<'a>),
}

/// Answers that take long.
#[derive(Debug, PartialEq)]
struct Late<'a> {
    server: IpAddr,
    /// The slowest answer, and all that come one after the other, in milliseconds.
    single_ms: u64,
    total_ms: u64,
    /// How many names are asked for one after the other.
    steps: usize,
    /// The round trip to the target, in milliseconds.
    path_ms: u64,
    /// The resolver's settings, where they make names be tried behind others first.
    search: Option<&'a Resolver>,
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).map(|signs| finding(facts, &signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let names = facts.names()?;
    if facts.name_fails() != Some(false) {
        return flaky_without_answer(facts);
    }
    let known = |answer: &ServerAnswer| queries(answer).any(|query| !query.addresses.is_empty());
    let place = names.own.iter().position(known)?;
    first_dead(facts, place)
        .or_else(|| one_kind(&names.own[place]))
        .or_else(|| flaky(&names.own[place]))
        .or_else(|| late(facts, &names.own[place]))
}

fn queries(answer: &ServerAnswer) -> impl Iterator<Item = &Query> + Clone {
    answer.a.iter().chain(&answer.aaaa)
}

/// The first server that knows the name is the one at this place.
fn first_dead<'a>(facts: &Facts<'a>, place: usize) -> Option<Signs<'a>> {
    let own = &facts.names()?.own;
    let dead = own.first().filter(|_| place > 0)?;
    let is_silent = queries(dead).any(|query| query.outcome == QueryOutcome::Silent);
    if queries(dead).any(|query| query.outcome.is_answer()) || !is_silent {
        return None;
    }
    let timeout_s = facts.evidence.resolver.get().map_or(5, |resolver| resolver.timeout_s);
    Some(Signs::FirstDead { dead: dead.server, living: own[place].server, timeout_s })
}

fn one_kind<'a>(answer: &ServerAnswer) -> Option<Signs<'a>> {
    let kinds =
        [(&answer.aaaa, &answer.a, "IPv6 (AAAA)", "IPv4"), (&answer.a, &answer.aaaa, "IPv4 (A)", "IPv6")];
    let is_it = |queries: &[Query], others: &[Query]| {
        queries.iter().any(|query| query.outcome == QueryOutcome::Silent && query.tries >= NEVER)
            && others.iter().any(|query| query.outcome.is_answer() && query.tries == 1)
    };
    let (.., kind, other) = kinds.into_iter().find(|(queries, others, ..)| is_it(queries, others))?;
    Some(Signs::OneKind { server: answer.server, kind, other })
}

fn flaky<'a>(answer: &ServerAnswer) -> Option<Signs<'a>> {
    let is_lame = |query: &Query| {
        query.outcome == QueryOutcome::Silent
            || (query.tries > 1 && query.answer_ms + AGAIN_MS < query.elapsed_ms)
    };
    let (tries, answers) =
        queries(answer).fold((0, 0), |sum, query| (sum.0 + query.tries, sum.1 + query.answers));
    queries(answer).any(is_lame).then_some(Signs::Flaky {
        server: answer.server,
        tries,
        answers,
        is_found: true,
    })
}

/// The name was not found, as some questions were answered and others not.
fn flaky_without_answer<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let own = facts.own_queries();
    let is_answered = own.iter().any(|query| query.outcome.is_answer());
    let is_silent = own.iter().any(|query| query.outcome == QueryOutcome::Silent);
    let exists = own.iter().all(|query| query.outcome != QueryOutcome::NoSuchName);
    if !is_answered || !is_silent || (facts.other_addresses().is_empty() && !exists) {
        return None;
    }
    let server = facts.names()?.own.first()?.server;
    let (tries, answers) = own.iter().fold((0, 0), |sum, query| (sum.0 + query.tries, sum.1 + query.answers));
    Some(Signs::Flaky { server, tries, answers, is_found: false })
}

fn late<'a>(facts: &Facts<'a>, answer: &ServerAnswer) -> Option<Signs<'a>> {
    let chain = |queries: &[Query]| queries.iter().map(|query| query.answer_ms).sum::<u64>();
    let total_ms = chain(&answer.a).max(chain(&answer.aaaa));
    let path_ms = facts.path_ms();
    let resolver = facts.evidence.resolver.get();
    (total_ms >= SLOW_MS + 2 * path_ms).then(|| {
        Signs::Late(Late {
            server: answer.server,
            single_ms: queries(answer).map(|query| query.answer_ms).max().unwrap_or(0),
            total_ms,
            steps: answer.a.len().max(answer.aaaa.len()),
            path_ms,
            search: resolver.filter(|resolver| resolver.ndots > 1),
        })
    })
}

fn finding(facts: &Facts<'_>, signs: &Signs<'_>) -> Finding {
    let (name, file) = (facts.host(), file(facts));
    let new = |detail, confidence, title| {
        Finding::new(Cause::DnsSlow, detail, confidence, title).explains(&[Symptom::NameSlow])
    };
    match signs {
        Signs::FirstDead { dead, living, timeout_s } => new(
            "first-dead",
            Confidence::Certain,
            format!("the first name server, {dead}, is dead: each name waits {timeout_s} s for it before the next is asked"),
        )
        .because(Fact::Names, format!("{dead}: no answer; {living}: answers"))
        .check(dig(*dead, &name))
        .remedy(format!("take {dead} out of {file}, or put it last")),
        Signs::OneKind { server, kind, other } => new(
            "aaaa",
            Confidence::Likely,
            format!("{server} never answers questions for {kind} addresses, so each look-up waits for them"),
        )
        .because(
            Fact::Names,
            format!("asked three times for {kind} addresses of {name}: nothing; for {other}: an answer at once"),
        )
        .check(format!("dig @{server} {name} AAAA"))
        .remedy(format!(
            "ask another server, or let {server} be mended: a filter on the way may drop such questions"
        ))
        .remedy("until then: 'options single-request' or 'no-aaaa' in resolv.conf(5)"),
        Signs::Flaky { server, tries, answers, is_found } => {
            let title = format!("the name server {server} answers only some questions: {answers} of {tries}");
            let finding = new("flaky", Confidence::Likely, title)
                .because(Fact::Names, format!("{tries} questions for {name}, {answers} answers"))
                .check(format!(
                    "for i in 1 2 3 4 5 6; do dig +tries=1 +time=1 @{server} {name} | grep -c ANSWER; done"
                ))
                .remedy(format!(
                    "look at the server {server}: is it overloaded, does a rate limit drop questions"
                ));
            if *is_found { finding } else { finding.explains(&[Symptom::Name]) }
        }
        Signs::Late(late) => late.finding(&name, &file, new),
    }
}

impl Late<'_> {
    fn finding(
        &self,
        name: &str,
        file: &str,
        new: impl Fn(&'static str, Confidence, String) -> Finding,
    ) -> Finding {
        let Self { server, single_ms, total_ms, steps, path_ms, search } = self;
        let single = seconds(*single_ms);
        // Each answer is quick, and many of them come one after the other.
        let is_search = *steps > 1 && *single_ms < SLOW_MS + 2 * path_ms;
        let (detail, title) = if is_search {
            let total = seconds(*total_ms);
            (
                "search",
                format!(
                    "looking up {name} takes {total:.1} s: {steps} names are tried one after the other (search, ndots)"
                ),
            )
        } else {
            ("server", format!("the name server {server} takes {single:.1} s for an answer"))
        };
        let finding = new(detail, Confidence::Likely, title)
            .because(
                Fact::Names,
                format!(
                    "{server} answers after {single:.1} s; the way to the target and back takes {path_ms} ms"
                ),
            )
            .check(format!("dig @{server} {name} | grep 'Query time'"))
            .remedy(format!("look at the server {server}, or ask another in {file}"));
        let Some(resolver) = search else { return finding };
        let (ndots, domains) = (resolver.ndots, resolver.search.join(", "));
        let whole = name.trim_end_matches('.');
        finding
            .because(
                Fact::Resolver,
                format!("options ndots:{ndots} makes names be tried behind {domains} first"),
            )
            .remedy(format!("write the name with a dot at its end ({whole}.), or lower ndots"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::Evidence;
    use crate::doctor::evidence::healthy::server;

    /// The healthy machine, with these answers of its own servers.
    fn with(own: Vec<ServerAnswer>) -> Evidence {
        Evidence::healthy().with(|evidence| evidence.names.change(|names| names.own = own))
    }

    fn answer(change: impl FnOnce(&mut ServerAnswer)) -> ServerAnswer {
        let mut answer = server([192, 168, 7, 1]);
        change(&mut answer);
        answer
    }

    fn silent(query: &mut Query, tries: u32) {
        *query = Query {
            outcome: QueryOutcome::Silent,
            addresses: Vec::new(),
            tries,
            answers: 0,
            ..query.clone()
        };
    }

    fn detail(own: Vec<ServerAnswer>) -> Option<&'static str> {
        let evidence = with(own);
        let facts = Facts::new(&evidence);
        signs(&facts).map(|signs| finding(&facts, &signs).detail)
    }

    #[test]
    fn a_server_is_late_from_the_threshold_on() {
        // The round trip to the target takes 1 ms.
        let after = |ms| answer(|answer| answer.a[0].answer_ms = ms);
        assert_eq!(detail(vec![after(SLOW_MS + 1)]), None);
        assert_eq!(detail(vec![after(SLOW_MS + 2)]), Some("server"));
    }

    #[test]
    fn names_one_after_the_other_are_late_together() {
        let chain = answer(|answer| {
            answer.a[0].answer_ms = SLOW_MS / 2 + 2;
            answer.a.push(answer.a[0].clone());
        });
        assert_eq!(detail(vec![chain]), Some("search"));
    }

    #[test]
    fn a_dead_server_matters_where_it_is_the_first() {
        let dead = answer(|answer| {
            silent(&mut answer.a[0], 4);
            silent(&mut answer.aaaa[0], 4);
        });
        assert_eq!(detail(vec![dead.clone(), server([9, 9, 9, 9])]), Some("first-dead"));
        assert_eq!(detail(vec![server([9, 9, 9, 9]), dead]), None);
    }

    #[test]
    fn questions_of_one_kind_are_never_answered_from_the_third_on() {
        let kind = |tries| answer(|answer| silent(&mut answer.aaaa[0], tries));
        assert_eq!(detail(vec![kind(NEVER)]), Some("aaaa"));
        assert_eq!(detail(vec![kind(NEVER - 1)]), Some("flaky"));
    }

    #[test]
    fn a_healthy_server_is_none_of_it() {
        assert_eq!(detail(vec![server([192, 168, 7, 1])]), None);
    }
}
