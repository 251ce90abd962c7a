//! What the facts about names, the internet, the target and the way there say.

use super::{List, Status, shortened};
use crate::doctor::evidence::{
    Attempt, Connect, ConnectOutcome, Exchange, Facts, QueryOutcome, RoundOutcome, ServerAnswer, TlsOutcome,
};
use crate::trace::{Path, Train};

pub(super) fn names(list: &mut List<'_>) {
    let Some(names) = list.evidence.names.get() else { return };
    for answer in &names.own {
        let (status, detail) = own_server(answer);
        list.add_named(&format!("{} of {}", names.name, answer.server), status, detail);
    }
    if names.others.is_empty() {
        return;
    }
    let known = names.others.iter().flat_map(|answer| &answer.a);
    let answered: Vec<_> = known.filter(|query| query.outcome.is_answer()).collect();
    let mut found: Vec<String> =
        answered.iter().flat_map(|query| query.addresses.iter().map(ToString::to_string)).collect();
    found.sort();
    found.dedup();
    let (status, detail) = match () {
        () if answered.is_empty() => (Status::Warn, "none of them answered".to_owned()),
        () if found.is_empty() => (Status::Pass, "they know no address".to_owned()),
        () => (Status::Pass, shortened(&found)),
    };
    list.add_named("other servers", status, detail);
}

/// What one of the system's own servers said.
fn own_server(answer: &ServerAnswer) -> (Status, String) {
    let all: Vec<_> = answer.a.iter().chain(&answer.aaaa).collect();
    let found: Vec<String> =
        all.iter().flat_map(|query| query.addresses.iter().map(ToString::to_string)).collect();
    let slowest = all.iter().map(|query| query.answer_ms).max().unwrap_or(0);
    let worst = all
        .iter()
        .find(|query| query.outcome != QueryOutcome::Found && query.outcome != QueryOutcome::NoData);
    match (found.is_empty(), worst.or(all.first())) {
        (false, Some(query)) if query.outcome.is_answer() => {
            (Status::Pass, format!("{} in {slowest} ms", shortened(&found)))
        }
        (false, _) => (Status::Warn, format!("{}, and not every question was answered", shortened(&found))),
        (true, Some(query)) => (Status::Fail, words(query.outcome).to_owned()),
        (true, None) => (Status::Skip, "not asked".to_owned()),
    }
}

fn words(outcome: QueryOutcome) -> &'static str {
    match outcome {
        QueryOutcome::Found => "found",
        QueryOutcome::NoData => "the name has no such address",
        QueryOutcome::NoSuchName => "no such name",
        QueryOutcome::ServerFailure => "the server could not find out (SERVFAIL)",
        QueryOutcome::Refused => "the server does not want to (REFUSED)",
        QueryOutcome::OtherError => "the server answers by an error",
        QueryOutcome::Truncated => "the answer was cut short",
        QueryOutcome::Malformed => "the answer is none",
        QueryOutcome::Silent => "no answer",
        QueryOutcome::Unreachable => "nobody is there",
        QueryOutcome::Denied => "this machine does not let the question out",
        QueryOutcome::NoRoute => "this machine has no way there",
        QueryOutcome::NotConnected => "no connection",
    }
}

pub(super) fn public(list: &mut List<'_>) {
    for is_v6 in [false, true] {
        let all = list.evidence.public.all().iter();
        let of: Vec<_> = all.filter(|anchor| anchor.address.is_ipv6() == is_v6).collect();
        if of.is_empty() {
            continue;
        }
        let reached = of.iter().filter(|anchor| anchor.is_reached()).count();
        let status = match reached {
            0 if is_v6 => Status::Warn,
            0 => Status::Fail,
            _ => Status::Pass,
        };
        let name = if is_v6 { "internet, IPv6" } else { list.fact.check() };
        list.add_named(name, status, format!("{reached} of {} hosts are reached", of.len()));
    }
}

pub(super) fn web(list: &mut List<'_>) {
    let all = list.evidence.web.all();
    let replies = all.iter().filter(|web| web.reply.is_some()).count();
    if replies == 0 {
        list.add(Status::Warn, "no host of the web answered");
    } else {
        list.add(Status::Pass, format!("{replies} of {} hosts answered", all.len()));
    }
}

pub(super) fn proxy(list: &mut List<'_>) {
    let Some(Some(proxy)) = list.evidence.proxy.get() else { return };
    let stands = proxy.connect.as_ref().is_some_and(Connect::stands) && proxy.answer.is_some();
    list.add(Status::pass_if(stands), format!("{}={}", proxy.variable, proxy.value));
}

pub(super) fn target(list: &mut List<'_>) {
    let facts = Facts::new(list.evidence);
    let has_port = facts.asked().is_some_and(|target| target.port.is_some());
    for attempt in list.evidence.target.all() {
        let is_reached = facts.reaches(attempt);
        let is_alive = !has_port && is_reached;
        let status = Status::pass_if(is_reached);
        let detail = if is_alive { "the host answers".to_owned() } else { connect_words(&attempt.connect) };
        list.add_timed(&name(attempt, has_port), Some(attempt.connect.elapsed_us), status, detail);
        if let Some(said) = &attempt.exchange {
            exchange(list, &facts, said);
        }
    }
}

fn name(attempt: &Attempt, has_port: bool) -> String {
    if has_port {
        crate::address::Endpoint((attempt.address, attempt.port).into()).to_string()
    } else {
        attempt.address.to_string()
    }
}

/// What the service said.
fn exchange(list: &mut List<'_>, facts: &Facts<'_>, exchange: &Exchange) {
    if let Some(tls) = &exchange.tls {
        let status = Status::pass_if(tls.outcome == TlsOutcome::Good);
        list.add_timed("TLS", Some(tls.elapsed_us), status, tls.detail.clone());
    }
    let http = exchange.http.as_ref();
    let is_error = http.is_some_and(|http| facts.is_http_error(http));
    for (round, what) in [(&exchange.small, "answer"), (&exchange.large, "large answer")] {
        let Some(round) = round else { continue };
        let bytes = round.received_bytes;
        let detail = match (http, round.outcome) {
            (Some(http), RoundOutcome::Whole) => format!("HTTP status {}", http.status),
            (_, RoundOutcome::Whole) if round.sent_bytes == 0 => "the connection stays".to_owned(),
            (_, RoundOutcome::Whole) => format!("{bytes} bytes came back"),
            (_, RoundOutcome::Different) => "something else came back".to_owned(),
            (_, RoundOutcome::Closed) => format!("closed after {bytes} bytes"),
            (_, RoundOutcome::Reset) => format!("reset after {bytes} bytes"),
            (_, RoundOutcome::Silent) => "nothing came back".to_owned(),
            (_, RoundOutcome::Stalled) => format!("nothing more came after {bytes} bytes"),
        };
        let status = Status::pass_if(round.outcome == RoundOutcome::Whole && !is_error);
        list.add_timed(what, Some(round.elapsed_us), status, detail);
    }
}

pub(super) fn control(list: &mut List<'_>) {
    let alive: Vec<String> = list
        .evidence
        .control
        .all()
        .iter()
        .filter(|attempt| attempt.connect.shows_host())
        .map(|attempt| attempt.port.to_string())
        .collect();
    if alive.is_empty() {
        list.add(Status::Fail, "none of it answers");
    } else {
        list.add(Status::Pass, format!("{} show that the host is there", alive.join(", ")));
    }
}

pub(super) fn burst(list: &mut List<'_>) {
    let Some(burst) = list.evidence.burst.get() else { return };
    let stood = burst.first.iter().filter(|one| one.stands == Some(true)).count();
    let status = if stood == burst.first.len() { Status::Pass } else { Status::Warn };
    list.add(status, format!("{stood} of {} connections at once were made", burst.first.len()));
}

fn connect_words(connect: &Connect) -> String {
    let by = connect
        .icmp
        .as_ref()
        .and_then(|icmp| icmp.from)
        .map_or_else(String::new, |from| format!(" ({from} says)"));
    let plain = match connect.outcome {
        ConnectOutcome::Connected => "connected",
        ConnectOutcome::Refused => "refused",
        ConnectOutcome::Silent => "no answer",
        ConnectOutcome::Unreachable => "unreachable",
        ConnectOutcome::NoNeighbour => "nobody on the link answers for it",
        ConnectOutcome::NoRoute => "no route",
        ConnectOutcome::RouteRefuses => "a route refuses it",
        ConnectOutcome::Denied => "this machine does not let it out",
        ConnectOutcome::NoLocalPort => "no port left to connect from",
        ConnectOutcome::Lacking => "could not be tried",
    };
    format!("{plain}{by}")
}

pub(super) fn train(list: &mut List<'_>, train: Option<&Train>) {
    let Some(train) = train else { return };
    let median = train.median_us().map_or_else(String::new, |us| {
        format!(", {:.1} ms", f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1e3)
    });
    let status = match train.received() {
        0 if train.sent() == 0 => return,
        // Many hosts answer none, and are well.
        0 => Status::Skip,
        all if all == train.sent() => Status::Pass,
        _ => Status::Warn,
    };
    list.add(status, format!("{} of {} answered{median}", train.received(), train.sent()));
}

pub(super) fn sizes(list: &mut List<'_>) {
    let all = list.evidence.sizes.all().iter();
    match all.filter(|size| size.received > 0).map(|size| size.packet_bytes).max() {
        Some(passes) => list.add(Status::Pass, format!("packets of up to {passes} bytes pass")),
        None => list.add(Status::Skip, "no echo request of any size is answered"),
    }
}

pub(super) fn path(list: &mut List<'_>, path: Option<&Path>) {
    let Some(path) = path else { return };
    match (path.reached(), path.farthest()) {
        _ if path.loop_of().is_some() => list.add(Status::Fail, "it goes round in a circle"),
        (Some(hop), _) => list.add(Status::Pass, format!("{hop} hops")),
        (None, Some(hop)) => list.add(Status::Warn, format!("answers come from as far as hop {hop}")),
        (None, None) => list.add(Status::Warn, "no hop answers"),
    }
}
