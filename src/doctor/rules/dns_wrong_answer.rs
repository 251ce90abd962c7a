//! What the name servers say is not true.

use std::net::IpAddr;

use super::words::file;
use super::{Cause, Confidence, Finding, Layer, Symptom};
use crate::address::Class;
use crate::doctor::evidence::{Attempt, Facts, QueryOutcome, Source};
use crate::doctor::fact::Fact;

/// What shows it.
enum Signs<'a> {
    /// The system's servers deny the name, and others know it.
    Denied,
    /// The system's servers give an address where nothing can be; others give another, if they were asked.
    Sinkhole { ip: IpAddr, differs: bool },
    /// The system's servers give an address that does not work, and others give this one, which does.
    Differs(&'a Attempt),
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).map(|signs| finding(facts, &signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    facts.names()?;
    facts.asked()?;
    let (own, others) = (facts.own_addresses(), facts.other_addresses());
    // What was not answered may be what the others know.
    let queries = facts.own_queries();
    let denies = queries.iter().any(|query| query.outcome == QueryOutcome::NoSuchName)
        && queries.iter().all(|query| query.outcome.is_answer());
    if facts.name_fails() == Some(true) && denies && !others.is_empty() {
        return Some(Signs::Denied);
    }
    let is_dark = facts.attempts().all(|attempt| !facts.reaches(attempt));
    if let Some(ip) = own.iter().copied().find(|ip| is_nowhere(*ip)) {
        // A blocklist's answer; a name of this machine's own may well be so.
        let differs = !others.is_empty() && !others.contains(&ip);
        return is_dark.then_some(Signs::Sinkhole { ip, differs });
    }
    // What the own servers say does not work, and what others say does.
    let of_own: Vec<&Attempt> = facts.attempts().filter(|attempt| attempt.source == Source::Own).collect();
    let fails = !of_own.is_empty() && of_own.iter().all(|attempt| !facts.reaches(attempt));
    let other = facts.attempts_by_others().find(|attempt| attempt.connect.stands())?;
    (fails && !own.contains(&other.address)).then_some(Signs::Differs(other))
}

/// Whether no other host can have an address.
fn is_nowhere(ip: IpAddr) -> bool {
    matches!(Class::of(ip), Class::Unspecified | Class::Loopback | Class::Broadcast | Class::Multicast)
}

fn finding(facts: &Facts<'_>, signs: &Signs<'_>) -> Finding {
    let name = facts.host();
    let first = facts.names().and_then(|names| names.own.first());
    let server = first.map_or_else(|| "the name server".to_owned(), |answer| answer.server.to_string());
    let text = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let others = format!("others answer: {}", text(&facts.other_addresses()));
    let new = |detail, confidence, title| Finding::new(Cause::DnsWrongAnswer, detail, confidence, title);
    let ask = format!("dig @{server} {name}");
    let finding = match signs {
        Signs::Denied => {
            let title = format!("{server} says that there is no {name}, and others know it");
            new("nxdomain", Confidence::Likely, title)
                .because(Fact::Names, format!("{server} answers: no such name"))
                .check(ask)
                .because(Fact::Names, others)
                .check(format!("dig @9.9.9.9 {name}"))
        }
        Signs::Sinkhole { ip, differs } => {
            let confidence = if *differs { Confidence::Certain } else { Confidence::Likely };
            let title = format!("{server} sends {name} to {ip}, which is nowhere: it is blocked there");
            let finding = new("sinkhole", confidence, title)
                .because(Fact::Names, format!("{server} answers: {ip}"))
                .check(ask);
            if *differs { finding.because(Fact::Names, others) } else { finding }
        }
        Signs::Differs(other) => {
            let title =
                format!("{server} gives another address for {name} than others do, and only theirs works");
            new("differs", Confidence::Likely, title)
                // A name that leads astray comes before all that is met on the wrong way.
                .met_at(Layer::Address)
                .because(Fact::Names, format!("{server} answers: {}", text(&facts.own_addresses())))
                .check(ask)
                .because(Fact::Target, format!("{} answers on port {}", other.address, other.port))
                .check(format!("nc -vz {} {}", other.address, other.port))
        }
    };
    finding
        .explains(&[Symptom::Name, Symptom::Target4, Symptom::Target6, Symptom::Service, Symptom::Between])
        .remedy(format!("ask whoever runs {server} whether it filters {name}"))
        .remedy(format!("or ask another server: 'nameserver 9.9.9.9' in {}", file(facts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::attempt;
    use crate::doctor::evidence::{ConnectOutcome, Evidence, Item};

    fn told(change: impl FnOnce(&mut Evidence)) -> Option<(&'static str, Confidence)> {
        let evidence = Evidence::healthy().with(change);
        let facts = Facts::new(&evidence);
        signs(&facts).map(|signs| {
            let finding = finding(&facts, &signs);
            (finding.detail, finding.confidence)
        })
    }

    fn own(evidence: &mut Evidence, outcome: QueryOutcome, addresses: &[IpAddr]) {
        evidence.names.change(|names| {
            let first = &mut names.own[0];
            for query in first.a.iter_mut().chain(&mut first.aaaa) {
                (query.outcome, query.addresses) = (outcome, addresses.to_vec());
            }
        });
    }

    #[test]
    fn a_name_that_others_know_was_denied() {
        assert_eq!(told(|_| ()), None);
        let denied = |evidence: &mut Evidence| {
            own(evidence, QueryOutcome::NoSuchName, &[]);
            evidence.target = Item::default();
        };
        assert_eq!(told(denied), Some(("nxdomain", Confidence::Likely)));
        let alone = told(|evidence| {
            denied(evidence);
            evidence.names.change(|names| names.others = Vec::new());
        });
        assert_eq!(alone, None);
    }

    #[test]
    fn an_address_where_nothing_can_be_is_a_sinkhole_where_nothing_works() {
        let sink = |outcome| {
            told(|evidence| {
                own(evidence, QueryOutcome::Found, &[[0, 0, 0, 0].into()]);
                evidence.target = Item::known(vec![attempt(outcome)]);
            })
        };
        assert_eq!(sink(ConnectOutcome::Refused), Some(("sinkhole", Confidence::Certain)));
        assert_eq!(sink(ConnectOutcome::Connected), None);
    }

    #[test]
    fn another_address_that_works_shows_the_first_to_be_wrong() {
        let other = |outcome| {
            told(|evidence| {
                let mut by_others = attempt(outcome);
                (by_others.source, by_others.address) = (Source::Others, [203, 0, 113, 81].into());
                evidence.target = Item::known(vec![attempt(ConnectOutcome::Silent), by_others]);
            })
        };
        assert_eq!(other(ConnectOutcome::Connected), Some(("differs", Confidence::Likely)));
        assert_eq!(other(ConnectOutcome::Refused), None);
    }
}
