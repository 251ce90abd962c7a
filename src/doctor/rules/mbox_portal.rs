//! The network sends everybody to its own login page first.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, WebReply};
use crate::doctor::fact::Fact;

/// So many hosts that send one to the same place have nothing to do with each other.
const SEVERAL: usize = 2;
/// Network authentication required (RFC 6585, 6).
const LOGIN_REQUIRED: u16 = 511;

/// What shows it.
#[derive(Debug, PartialEq)]
struct Signs {
    /// The portal's host; `None` where only a status says that there is one.
    portal: Option<String>,
    /// The hosts that send one there.
    senders: Vec<String>,
    /// Whether a status demands a login.
    demands: bool,
    /// How many hosts of the internet reset connections for HTTPS.
    rejected: usize,
    /// The target's name, if a name server gives the gateway's own address for it.
    at_gateway: Option<String>,
}

/// A host and where it sends one.
type Redirect = (String, String);

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).map(|signs| finding(&signs)));
}

fn signs(facts: &Facts<'_>) -> Option<Signs> {
    let host = facts.host();
    let by_web =
        facts.evidence.web.all().iter().filter_map(|web| Some((web.host.as_str(), web.reply.as_ref()?)));
    let by_target = facts.attempts().filter_map(|attempt| attempt.exchange.as_ref()?.http.as_ref());
    let replies: Vec<(&str, &WebReply)> =
        by_web.chain(by_target.map(|reply| (host.as_str(), reply))).collect();
    let demands = replies.iter().any(|(_, reply)| reply.status == LOGIN_REQUIRED);
    let sent: Vec<Redirect> = replies.iter().filter_map(|(host, reply)| redirect(host, reply)).collect();
    let at_gateway = facts.attempts().any(|attempt| facts.is_gateway(attempt.address));
    // A page that is there to be asked, or the target at the address of the gateway itself.
    let is_page = |host: &str| facts.evidence.web.all().iter().any(|web| web.is_check && web.host == host);
    let is_target = |from: &str| from == host && at_gateway && facts.asked().is_some();
    let telling =
        sent.iter().find(|(from, _)| is_page(from)).or_else(|| sent.iter().find(|(from, _)| is_target(from)));
    let portal = match common(&sent) {
        Some(portal) => Some(portal),
        None => telling.map(|(_, to)| to.clone()),
    };
    if portal.is_none() && !demands {
        return None;
    }
    let to_portal = |(_, to): &&Redirect| Some(to) == portal.as_ref();
    let is_rejected = |anchor: &&crate::doctor::evidence::Anchor| {
        let mut by_tls = anchor.connects.iter().filter(|(port, _)| *port == 443);
        by_tls.any(|(_, connect)| connect.outcome == ConnectOutcome::Refused)
    };
    Some(Signs {
        senders: sent.iter().filter(to_portal).map(|(host, _)| host.clone()).collect(),
        portal,
        demands,
        rejected: facts.evidence.public.all().iter().filter(is_rejected).count(),
        at_gateway: at_gateway.then_some(host),
    })
}

/// Where a host sends one, if that is another's place.
fn redirect(host: &str, reply: &WebReply) -> Option<Redirect> {
    let to = host_of(reply.location.as_deref()?)?;
    let is_redirect = matches!(reply.status, 301..=303 | 307 | 308);
    (is_redirect && !is_related(host, &to)).then(|| (host.to_owned(), to))
}

/// The place to which several hosts send one, if there is one; of several places that of the most hosts, then the last by name.
fn common(sent: &[Redirect]) -> Option<String> {
    let senders = |to: &String| {
        let mut hosts: Vec<&String> =
            sent.iter().filter(|(_, other)| other == to).map(|(host, _)| host).collect();
        hosts.sort();
        hosts.dedup();
        hosts.len()
    };
    let best = sent.iter().map(|(_, to)| (senders(to), to)).max();
    best.filter(|(count, _)| *count >= SEVERAL).map(|(_, to)| to.clone())
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

fn finding(signs: &Signs) -> Finding {
    /// So many senders are named.
    const MOST: usize = 3;
    let mut senders = signs.senders.clone();
    let named: Vec<String> = senders.iter().take(MOST).cloned().collect();
    senders.sort();
    senders.dedup();
    let is_several = senders.len() >= SEVERAL;
    let confidence = if is_several || signs.demands { Confidence::Certain } else { Confidence::Likely };
    let portal = signs.portal.as_deref().unwrap_or("its login page");
    let from = if named.is_empty() { "pages".to_owned() } else { named.join(", ") };
    let detail = if signs.demands { "511" } else { "redirect" };
    let title = format!("this network wants a login first: its portal is {portal}");
    let mut finding = Finding::new(Cause::MboxPortal, detail, confidence, title)
        .because(Fact::Web, format!("{from} send one to {portal}"))
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
        .remedy(format!("open http://{portal}/ in a browser and log in"));
    if signs.rejected >= SEVERAL {
        let said = format!("{} hosts reset connections for HTTPS, as a portal makes them", signs.rejected);
        finding = finding.because(Fact::Web, said);
    }
    if let Some(host) = &signs.at_gateway {
        finding = finding
            .because(Fact::Names, format!("the name server gives the gateway's own address for {host}"));
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::connect;
    use crate::doctor::evidence::{Evidence, Item, WebAnswer};

    fn answer(host: &str, is_check: bool, status: u16, location: &str) -> WebAnswer {
        let location = Some(location.to_owned()).filter(|location| !location.is_empty());
        let reply = Some(WebReply { status, location, is_whole: true, ..WebReply::default() });
        let connect = connect(ConnectOutcome::Connected);
        WebAnswer { host: host.to_owned(), address: None, is_check, connect, reply }
    }

    fn told(web: Vec<WebAnswer>) -> Option<(Option<String>, Confidence)> {
        let evidence = Evidence::healthy().with(|evidence| evidence.web = Item::known(web));
        signs(&Facts::new(&evidence)).map(|signs| {
            let confidence = finding(&signs).confidence;
            (signs.portal, confidence)
        })
    }

    #[test]
    fn two_hosts_that_send_to_one_place_are_certain_and_one_is_nothing() {
        let one = || answer("1.1.1.1", false, 302, "http://login.hotel/");
        let other = || answer("8.8.8.8", false, 302, "http://login.hotel/x");
        assert_eq!(told(vec![one()]), None);
        assert_eq!(told(vec![one(), other()]), Some((Some("login.hotel".into()), Confidence::Certain)));
    }

    #[test]
    fn a_page_that_is_there_to_be_asked_is_enough() {
        let page = answer("detectportal.firefox.com", true, 302, "http://login.hotel/");
        assert_eq!(told(vec![page]), Some((Some("login.hotel".into()), Confidence::Likely)));
    }

    #[test]
    fn a_host_may_send_one_to_its_own() {
        let www = |host: &str| answer(host, true, 301, &format!("https://www.{host}/"));
        assert_eq!(told(vec![www("example.org"), www("example.net")]), None);
    }

    #[test]
    fn a_status_that_demands_a_login_is_certain() {
        let demands = answer("1.1.1.1", false, LOGIN_REQUIRED, "");
        assert_eq!(told(vec![demands]), Some((None, Confidence::Certain)));
    }
}
