//! The network sends everybody to its own login page first.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, WebReply};
use crate::doctor::fact::Fact;

/// The web of this network sends everybody to its own page first.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let mut sent: Vec<(String, String)> = Vec::new();
    let mut demands = false;
    let mut take = |host: &str, reply: &WebReply| {
        // RFC 6585, 6: network authentication required.
        demands |= reply.status == 511;
        if matches!(reply.status, 301..=303 | 307 | 308)
            && let Some(to) = reply.location.as_deref().and_then(host_of)
            && !is_related(host, &to)
        {
            sent.push((host.to_owned(), to));
        }
    };
    for web in facts.evidence.web.all() {
        if let Some(reply) = &web.reply {
            take(&web.host, reply);
        }
    }
    let host = facts.host();
    for attempt in facts.attempts() {
        if let Some(reply) = attempt.exchange.as_ref().and_then(|exchange| exchange.http.as_ref()) {
            take(&host, reply);
        }
    }
    // Several hosts that have nothing to do with each other send one to the same place.
    let same = sent.iter().map(|(_, to)| {
        let hosts = sent.iter().filter(|(_, other)| other == to).map(|(host, _)| host);
        let mut hosts: Vec<&String> = hosts.collect();
        hosts.sort();
        hosts.dedup();
        (hosts.len(), to.clone())
    });
    let best = same.max();
    // A page that is there to be asked, or the target at the address of the gateway itself.
    let by_page = sent
        .iter()
        .find(|(host, _)| facts.evidence.web.all().iter().any(|web| web.is_check && web.host == *host));
    let at_gateway = facts.attempts().any(|attempt| facts.is_gateway(attempt.address));
    let by_gateway = sent.iter().find(|(from, _)| *from == host && at_gateway && facts.asked().is_some());
    let (count, to) = match (best, by_page.or(by_gateway)) {
        (Some((count, to)), _) if count >= 2 => (count, to),
        (_, Some((_, to))) => (1, to.clone()),
        _ if demands => (0, "its login page".to_owned()),
        _ => return,
    };
    let confidence = if count >= 2 || demands { Confidence::Certain } else { Confidence::Likely };
    let from: Vec<&str> =
        sent.iter().filter(|(_, other)| *other == to).map(|(host, _)| host.as_str()).take(3).collect();
    let mut finding = Finding::new(
        Cause::MboxPortal,
        if demands { "511" } else { "redirect" },
        confidence,
        format!("this network wants a login first: its portal is {to}"),
    )
    .because(
        Fact::Web,
        format!("{} send one to {to}", if from.is_empty() { "pages".to_owned() } else { from.join(", ") }),
    )
    .check("curl -sI http://connectivitycheck.gstatic.com/generate_204")
    .explains(&[
        Symptom::Between,
        Symptom::Service,
        Symptom::Public,
        Symptom::Target4,
        Symptom::Target6,
        Symptom::Name,
        Symptom::Datagrams,
        Symptom::Loss,
    ])
    .remedy(format!("open http://{to}/ in a browser and log in"));
    let rejected = facts
        .evidence
        .public
        .all()
        .iter()
        .filter(|anchor| {
            let by_tls = anchor.connects.iter().filter(|(port, _)| *port == 443);
            by_tls.into_iter().any(|(_, connect)| connect.outcome == ConnectOutcome::Refused)
        })
        .count();
    if rejected >= 2 {
        finding = finding.because(
            Fact::Web,
            format!("{rejected} hosts reset connections for HTTPS, as a portal makes them"),
        );
    }
    if at_gateway {
        finding = finding
            .because(Fact::Names, format!("the name server gives the gateway's own address for {host}"));
    }
    found.push(finding);
}

/// The host of a URL that is not a path of the same host.
fn host_of(location: &str) -> Option<String> {
    let (_, rest) = location.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// Whether a host may well send one to another: the same, one above or below it, or of the same domain.
fn is_related(from: &str, to: &str) -> bool {
    let from = from.split(':').next().unwrap_or(from).trim_end_matches('.').to_ascii_lowercase();
    let domain = |host: &str| {
        let labels: Vec<&str> = host.rsplit('.').take(2).collect();
        labels.into_iter().rev().collect::<Vec<_>>().join(".")
    };
    from == to || domain(&from) == domain(to)
}
