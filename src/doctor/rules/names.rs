//! Names: is anybody asked, do they answer, and is what they say true.

use std::net::IpAddr;

use super::commands::Commands;
use super::{Confidence, Finding, Layer, Symptom};
use crate::address::Class;
use crate::doctor::evidence::{ConnectOutcome, Facts, Query, QueryOutcome, ServerAnswer, Source};
use crate::doctor::fact::Fact;

fn check(server: IpAddr, name: &str) -> String {
    format!("dig @{server} {name}")
}

/// The first question of an answer that is not well.
fn worst(answer: &ServerAnswer) -> Option<&Query> {
    answer.a.first().or(answer.aaaa.first())
}

/// Nobody is named who could be asked.
pub(super) fn no_resolver(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(resolver) = facts.evidence.resolver.get() else { return };
    let unread: Vec<&String> = resolver.servers.iter().filter(|server| !is_address(server)).collect();
    if unread.len() < resolver.servers.len() || facts.name_fails() != Some(true) {
        return;
    }
    let why = match unread.first() {
        Some(text) => format!("'{text}' is not an address"),
        None => resolver.error.clone().unwrap_or_else(|| "it has no line 'nameserver'".to_owned()),
    };
    found.push(
        Finding::new(
            "DNS.NO_RESOLVER",
            Layer::Names,
            "none",
            Confidence::Certain,
            format!("no name server is configured: names cannot be looked up ({})", resolver.file),
        )
        .because(Fact::Resolver, format!("{}: {why}", resolver.file))
        .check(Commands::of(facts.evidence).resolver())
        .because(Fact::Names, "this machine itself, which is asked then, does not answer")
        .explains(&[Symptom::Name])
        .remedy(format!("name one: echo 'nameserver 9.9.9.9' >> {}", resolver.file))
        .remedy("if a program writes that file (systemd-resolved, NetworkManager, dhclient), look why it knows none"),
    );
}

/// Whether a server is written as an address, with a zone or without.
fn is_address(text: &str) -> bool {
    text.split('%').next().is_some_and(|ip| ip.parse::<IpAddr>().is_ok())
}

/// None of them answers.
pub(super) fn server_down(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
    let confidence = if others || says_closed { Confidence::Certain } else { Confidence::Likely };
    let servers: Vec<String> = names.own.iter().map(|answer| answer.server.to_string()).collect();
    let verb = if servers.len() == 1 { "does not answer" } else { "do not answer" };
    let detail = if says_closed { "closed" } else { "silent" };
    let mut finding = Finding::new(
        "DNS.SERVER_DOWN",
        Layer::Names,
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
        finding = finding.because(Fact::Names, said).check(check(answer.server, &query.name));
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

fn file(facts: &Facts<'_>) -> String {
    facts
        .evidence
        .resolver
        .get()
        .map_or_else(|| "/etc/resolv.conf".to_owned(), |resolver| resolver.file.clone())
}

fn seconds(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1e3
}

/// They answer, and say that they cannot, or nonsense.
pub(super) fn server_error(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
            "DNS.SERVER_ERROR",
            Layer::Names,
            detail,
            confidence,
            format!("the name server {} answers for {}: {said}", answer.server, query.name),
        )
        .because(Fact::Names, format!("{} answers: {said}", answer.server))
        .check(check(answer.server, &query.name))
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

/// There is no such name.
pub(super) fn no_such_name(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if facts.name_fails() != Some(true) || facts.asked().is_none() {
        return;
    }
    let own = facts.own_queries();
    let missing = |query: &&Query| query.outcome == QueryOutcome::NoSuchName;
    let is_missing = own.iter().any(&missing)
        && own.iter().all(|query| {
            missing(query) || query.outcome == QueryOutcome::NoData || !query.outcome.is_answer()
        });
    let others = facts.other_answers();
    let empty = |query: &&Query| matches!(query.outcome, QueryOutcome::NoSuchName | QueryOutcome::NoData);
    // A name without any address, wherever it is asked for, is as good as none.
    let has_none = own.iter().any(|query| query.outcome == QueryOutcome::NoData)
        && !others.is_empty()
        && others.iter().all(empty);
    if !(is_missing || has_none) || others.iter().any(|query| !query.addresses.is_empty()) {
        return;
    }
    let agree = !others.is_empty() && others.iter().all(|query| missing(query) || (has_none && empty(query)));
    let confidence = if agree { Confidence::Certain } else { Confidence::Likely };
    let name = facts.host();
    let what = if is_missing { "there is no such name" } else { "the name has no address" };
    let mut finding = Finding::new(
        "DNS.NO_SUCH_NAME",
        Layer::Names,
        if is_missing { "nxdomain" } else { "no-address" },
        confidence,
        format!("{what}: {name}"),
    )
    .because(Fact::Names, format!("the system's name servers say so of {name}"))
    .check(format!("dig {name}"))
    .explains(&[Symptom::Name])
    .remedy(format!("look for a typing error in '{name}'"))
    .remedy(
        "if it is right, its owner has to bring it back: whois tells who that is, and whether it has expired",
    );
    if agree {
        finding = finding.because(Fact::Names, "servers of the internet say the same");
    }
    found.push(finding);
}

/// What they say is not true.
pub(super) fn wrong_answer(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
                "DNS.WRONG_ANSWER",
                Layer::Names,
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
            "DNS.WRONG_ANSWER",
            Layer::Names,
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
                "DNS.WRONG_ANSWER",
                Layer::Names,
                "differs",
                Confidence::Likely,
                format!("{server} gives another address for {name} than others do, and only theirs works"),
            )
            .because(Fact::Names, format!("{server} answers: {}", own_text.join(", ")))
            .check(format!("dig @{server} {name}"))
            .because(Fact::Target, format!("{} answers on port {}", other.address, other.port))
            .check(format!("nc -vz {} {}", other.address, other.port)),
        ));
    }
}

/// They answer too late, or not always, or not the first of them.
#[expect(clippy::too_many_lines, reason = "a list of signs, the surest first")]
pub(super) fn slow(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
                "DNS.SLOW",
                Layer::Names,
                "first-dead",
                Confidence::Certain,
                format!("the first name server, {}, is dead: each name waits {timeout} s for it before the next is asked", dead.server),
            )
            .because(Fact::Names, format!("{}: no answer; {}: answers", dead.server, names.own[place].server))
            .check(check(dead.server, &name))
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
                Finding::new("DNS.SLOW", Layer::Names, "aaaa", Confidence::Likely, what)
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
                "DNS.SLOW",
                Layer::Names,
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
            "DNS.SLOW",
            Layer::Names,
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
            "DNS.SLOW",
            Layer::Names,
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

/// A long answer comes only over TCP, and that is blocked.
pub(super) fn tcp_blocked(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(names) = facts.names() else { return };
    for answer in &names.own {
        let Some(tcp) = answer.tcp.as_ref().filter(|tcp| tcp.outcome == QueryOutcome::NotConnected) else {
            continue;
        };
        let name = facts.host();
        let said = tcp.error.clone().unwrap_or_default();
        found.push(
            Finding::new(
                "DNS.TCP_BLOCKED",
                Layer::Names,
                "truncated",
                Confidence::Certain,
                format!(
                    "{} says that its answer for {name} needs TCP, and its TCP port 53 does not answer",
                    answer.server
                ),
            )
            .because(Fact::Names, format!("by UDP, {} answers: truncated (RFC 7766)", answer.server))
            .check(format!("dig +ignore @{} {name}", answer.server))
            .because(Fact::Names, format!("by TCP: {said}"))
            .check(format!("nc -vz {} 53", answer.server))
            .explains(&[Symptom::Name, Symptom::NameSlow])
            .remedy(format!(
                "let TCP port 53 through to {}; whoever drops it breaks DNS (RFC 7766)",
                answer.server
            )),
        );
        return;
    }
}

/// The hosts file says something else, and that does not work.
pub(super) fn hosts_override(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(resolver) = facts.evidence.resolver.get().filter(|resolver| !resolver.hosts.is_empty()) else {
        return;
    };
    let by_hosts: Vec<_> =
        facts.evidence.target.all().iter().filter(|attempt| attempt.source == Source::Hosts).collect();
    if by_hosts.is_empty() || by_hosts.iter().any(|attempt| facts.reaches(attempt)) {
        return;
    }
    let dns: Vec<IpAddr> = facts.own_addresses().into_iter().chain(facts.other_addresses()).collect();
    let differs = dns.iter().any(|ip| !resolver.hosts.contains(ip));
    if !differs {
        return;
    }
    let works = facts.evidence.target.all().iter().find(|attempt| {
        attempt.source != Source::Hosts && attempt.connect.outcome == ConnectOutcome::Connected
    });
    let confidence = if works.is_some() { Confidence::Certain } else { Confidence::Likely };
    let name = facts.host();
    let line = resolver.hosts_line.clone().unwrap_or_default();
    let hosts: Vec<String> = resolver.hosts.iter().map(ToString::to_string).collect();
    let mut finding = Finding::new(
        "NAME.HOSTS_OVERRIDE",
        Layer::Names,
        "hosts",
        confidence,
        format!(
            "{} sends {name} to {}, which does not work; DNS knows another address",
            resolver.hosts_file,
            hosts.join(", ")
        ),
    )
    .because(Fact::Resolver, format!("{}, line {line}", resolver.hosts_file))
    .check(format!("grep -n {name} {}", resolver.hosts_file))
    .because(
        Fact::Names,
        format!("DNS answers: {}", dns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    )
    .check(format!("dig {name}"))
    .explains(&[Symptom::Target4, Symptom::Target6, Symptom::Name, Symptom::Service])
    .remedy(format!("take the line out of {}, or correct it", resolver.hosts_file));
    if let Some(works) = works {
        finding = finding.because(Fact::Target, format!("{} answers on port {}", works.address, works.port));
    }
    found.push(finding);
}
