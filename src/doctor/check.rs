//! The checklist: what each fact says of its tier, in a line.

use serde::Serialize;

use super::evidence::{Connect, ConnectOutcome, Evidence, Item, QueryOutcome, RoundOutcome};
use crate::trace::Train;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Works, with a reservation.
    Warn,
    /// Does not work.
    Fail,
    /// Not tested.
    Skip,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The tier it belongs to.
    pub tier: &'static str,
    /// What was checked.
    pub name: String,
    /// How it came out.
    pub status: Status,
    /// What was found, or why it was not tested.
    pub detail: String,
    /// How long it took, in microseconds.
    pub elapsed_us: Option<u64>,
}

/// The checks that a fact makes.
#[expect(clippy::too_many_lines, reason = "a list of facts")]
pub(super) fn of(fact: &str, evidence: &Evidence) -> Vec<Check> {
    let mut checks = Vec::new();
    if is_untouched(fact, evidence) {
        return checks;
    }
    let mut add = |tier, name: &str, elapsed_us, status, detail: String| {
        checks.push(Check { tier, name: name.to_owned(), status, detail, elapsed_us });
    };
    match fact {
        "host" => {
            if let Some(host) = evidence.host.get() {
                let (status, detail) = match &host.descriptor_error {
                    Some(error) => (
                        Status::Fail,
                        format!("only {} more descriptors: {error}", host.descriptors_to_be_had),
                    ),
                    None => (Status::Pass, "enough files and sockets can be opened".to_owned()),
                };
                add("machine", "limits", elapsed(&evidence.host), status, detail);
            }
        }
        "loopback" => {
            if let Some(loopback) = evidence.loopback.get() {
                let is_well = loopback.is_up != Some(false)
                    && loopback.has_address != Some(false)
                    && loopback.connects != Some(false);
                let detail = match (&loopback.error, is_well) {
                    (Some(error), _) => error.clone(),
                    (None, true) => "talks to itself".to_owned(),
                    (None, false) => "it is down, or has lost 127.0.0.1".to_owned(),
                };
                add("machine", "loopback", elapsed(&evidence.loopback), pass(is_well), detail);
            }
        }
        "links" => links(evidence, &mut add),
        "addresses" => addresses(evidence, &mut add),
        "routes" => routes(evidence, &mut add),
        "resolver" => {
            if let Some(resolver) = evidence.resolver.get() {
                let (status, detail) = if resolver.servers.is_empty() {
                    (Status::Warn, format!("{}: no name server", resolver.file))
                } else {
                    (Status::Pass, resolver.servers.join(", "))
                };
                add("names", "servers", elapsed(&evidence.resolver), status, detail);
                if let Some(line) = &resolver.hosts_line {
                    let detail = format!("{}, line {line}", resolver.hosts_file);
                    add("names", "hosts file", None, Status::Pass, detail);
                }
            }
        }
        "gateways" => gateways(evidence, &mut add),
        "claims" => claims(evidence, &mut add),
        "names" => names(evidence, &mut add),
        "public" => public(evidence, &mut add),
        "web" => web(evidence, &mut add),
        "proxy" => {
            if let Some(Some(proxy)) = evidence.proxy.get() {
                let stands = proxy.connect.as_ref().is_some_and(Connect::stands) && proxy.answer.is_some();
                let detail = format!("{}={}", proxy.variable, proxy.value);
                add("target", "proxy", elapsed(&evidence.proxy), pass(stands), detail);
            }
        }
        "target" => target(evidence, &mut add),
        "control" => {
            let alive: Vec<String> = evidence
                .control
                .all()
                .iter()
                .filter(|attempt| attempt.connect.shows_host())
                .map(|attempt| attempt.port.to_string())
                .collect();
            let (status, detail) = if alive.is_empty() {
                (Status::Fail, "none of it answers".to_owned())
            } else {
                (Status::Pass, format!("{} show that the host is there", alive.join(", ")))
            };
            add("target", "other ports", elapsed(&evidence.control), status, detail);
        }
        "burst" => {
            if let Some(burst) = evidence.burst.get() {
                let stood = burst.first.iter().filter(|one| one.stands == Some(true)).count();
                let detail = format!("{stood} of {} connections at once were made", burst.first.len());
                let status = if stood == burst.first.len() { Status::Pass } else { Status::Warn };
                add("path", "side by side", elapsed(&evidence.burst), status, detail);
            }
        }
        "beat" => train("echo all along", &evidence.beat, &mut add),
        "gateway_train" => train("echo to the gateway", &evidence.gateway_train, &mut add),
        "small_train" => train("small echo", &evidence.small_train, &mut add),
        "large_train" => train("large echo", &evidence.large_train, &mut add),
        "long_train" => train("echo for longer", &evidence.long_train, &mut add),
        "sizes" => sizes(evidence, &mut add),
        "path" => path("to its port", &evidence.path, &mut add),
        "control_path" => path("to another port", &evidence.control_path, &mut add),
        "public_path" => path("to the internet", &evidence.public_path, &mut add),
        "udp_path" => path("by UDP", &evidence.udp_path, &mut add),
        "carrier" => {
            let restless: Vec<String> = evidence
                .carrier
                .all()
                .iter()
                .filter(|change| change.after > change.before)
                .map(|change| format!("{} changed {} times", change.interface, change.after - change.before))
                .collect();
            if !restless.is_empty() {
                add("link", "carrier", elapsed(&evidence.carrier), Status::Fail, restless.join(", "));
            }
        }
        _ => {}
    }
    checks
}

/// Whether there was no need for a fact that else says why it was not tested.
fn is_untouched(fact: &str, evidence: &Evidence) -> bool {
    let none = Item::<()>::default();
    let reason = match fact {
        "links" => evidence.links.reason(),
        "addresses" => evidence.addresses.reason(),
        "routes" => evidence.routes.reason(),
        "claims" => evidence.claims.reason(),
        "web" => evidence.web.reason(),
        "control" => evidence.control.reason(),
        "sizes" => evidence.sizes.reason(),
        "beat" => evidence.beat.reason(),
        "gateway_train" => evidence.gateway_train.reason(),
        "small_train" => evidence.small_train.reason(),
        "large_train" => evidence.large_train.reason(),
        "long_train" => evidence.long_train.reason(),
        "path" => evidence.path.reason(),
        "control_path" => evidence.control_path.reason(),
        "public_path" => evidence.public_path.reason(),
        "udp_path" => evidence.udp_path.reason(),
        _ => None,
    };
    reason == none.reason() && reason.is_some()
}

fn pass(is_well: bool) -> Status {
    if is_well { Status::Pass } else { Status::Fail }
}

fn elapsed<T>(item: &Item<T>) -> Option<u64> {
    match item {
        Item::Known { elapsed_us, .. } => Some(*elapsed_us),
        Item::NotTested(_) => None,
    }
}

type Add<'a> = dyn FnMut(&'static str, &str, Option<u64>, Status, String) + 'a;

fn links(evidence: &Evidence, add: &mut Add<'_>) {
    let uplinks: Vec<_> = evidence.links.all().iter().filter(|link| link.is_uplink()).collect();
    if uplinks.is_empty() {
        add("link", "interfaces", elapsed(&evidence.links), Status::Fail, "none but the loopback".to_owned());
    }
    let some_work = uplinks.iter().any(|link| link.works());
    for link in uplinks {
        let (status, detail) = match (link.is_up, link.carrier) {
            (false, _) => (if some_work { Status::Warn } else { Status::Fail }, "down"),
            (true, Some(false)) => (if some_work { Status::Warn } else { Status::Fail }, "up, no carrier"),
            (true, _) => (Status::Pass, "up"),
        };
        add("link", &link.name, elapsed(&evidence.links), status, detail.to_owned());
    }
}

fn addresses(evidence: &Evidence, add: &mut Add<'_>) {
    let Some(addresses) = evidence.addresses.get() else {
        let reason = evidence.addresses.reason().unwrap_or_default().to_owned();
        return add("address", "addresses", None, Status::Skip, reason);
    };
    let reaches = |ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
        std::net::IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_loopback(),
    };
    let told: Vec<String> = addresses
        .iter()
        .filter(|address| reaches(address.ip))
        .map(|address| format!("{}/{}", address.ip, address.prefix_len))
        .collect();
    let (status, detail) = if told.is_empty() {
        (Status::Fail, "none that reaches beyond a link".to_owned())
    } else {
        (Status::Pass, shortened(&told))
    };
    add("address", "addresses", elapsed(&evidence.addresses), status, detail);
}

/// Some of many.
fn shortened(all: &[String]) -> String {
    const MOST: usize = 4;
    let shown = all.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > MOST { format!("{shown} and {} more", all.len() - MOST) } else { shown }
}

fn routes(evidence: &Evidence, add: &mut Add<'_>) {
    let best: Vec<String> = evidence
        .routes
        .all()
        .iter()
        .filter(|route| route.is_best)
        .map(|route| match route.gateway {
            Some(gateway) => format!("{gateway} by {}", route.interface),
            None => format!("by {}", route.interface),
        })
        .collect();
    let has_way = evidence.out.get().is_some_and(|ways| ways.v4.is_some() || ways.v6.is_some());
    let (status, detail) = match (best.is_empty(), has_way) {
        (false, _) => (Status::Pass, best.join(", ")),
        (true, _) if evidence.routes.get().is_none() => {
            (Status::Skip, evidence.routes.reason().unwrap_or_default().to_owned())
        }
        (true, _) => (Status::Warn, "no default route".to_owned()),
    };
    add("route", "default", elapsed(&evidence.routes), status, detail);
}

fn gateways(evidence: &Evidence, add: &mut Add<'_>) {
    for gateway in evidence.gateways.all() {
        let name = format!("gateway {}", gateway.address);
        let state = gateway.state.as_deref().unwrap_or("unknown");
        let (status, detail) = match (gateway.is_found(), gateway.answers_ping()) {
            (_, true) => (Status::Pass, format!("answers by {}", gateway.interface)),
            (Some(true), false) if gateway.pings.is_none() => {
                (Status::Pass, format!("is there ({state}); echo requests were not sent"))
            }
            (Some(true), false) => (Status::Pass, format!("is there ({state}), and answers no echo request")),
            (Some(false), _) if gateway.is_best => {
                (Status::Fail, format!("nobody answers by {} ({state})", gateway.interface))
            }
            _ => (Status::Warn, format!("not heard of yet by {} ({state})", gateway.interface)),
        };
        add("lan", &name, elapsed(&evidence.gateways), status, detail);
    }
}

fn claims(evidence: &Evidence, add: &mut Add<'_>) {
    let Some(claims) = evidence.claims.get() else {
        let reason = evidence.claims.reason().unwrap_or_default().to_owned();
        return add("lan", "own and gateway's address", None, Status::Skip, reason);
    };
    let taken: Vec<String> = claims
        .answers
        .iter()
        .filter(|claim| claim.macs.len() > usize::from(!claim.is_own))
        .map(|claim| format!("{} is claimed by {}", claim.address, claim.macs.join(" and ")))
        .collect();
    let (status, detail) = if !taken.is_empty() {
        (Status::Fail, taken.join(", "))
    } else if !claims.own_mac_users.is_empty() {
        (Status::Fail, format!("{} is another host's hardware address, too", claims.own_mac))
    } else {
        (Status::Pass, "nobody else has these".to_owned())
    };
    add("lan", "own and gateway's address", elapsed(&evidence.claims), status, detail);
}

fn names(evidence: &Evidence, add: &mut Add<'_>) {
    let Some(names) = evidence.names.get() else { return };
    for answer in &names.own {
        let all: Vec<_> = answer.a.iter().chain(&answer.aaaa).collect();
        let found: Vec<String> =
            all.iter().flat_map(|query| query.addresses.iter().map(ToString::to_string)).collect();
        let slowest = all.iter().map(|query| query.answer_ms).max().unwrap_or(0);
        let worst = all
            .iter()
            .find(|query| query.outcome != QueryOutcome::Found && query.outcome != QueryOutcome::NoData);
        let (status, detail) = match (found.is_empty(), worst.or(all.first())) {
            (false, Some(query)) if query.outcome.is_answer() => {
                (Status::Pass, format!("{} in {slowest} ms", shortened(&found)))
            }
            (false, _) => {
                (Status::Warn, format!("{}, and not every question was answered", shortened(&found)))
            }
            (true, Some(query)) => (Status::Fail, words(query.outcome).to_owned()),
            (true, None) => (Status::Skip, "not asked".to_owned()),
        };
        let name = format!("{} of {}", names.name, answer.server);
        add("names", &name, elapsed(&evidence.names), status, detail);
    }
    let known = names.others.iter().flat_map(|answer| &answer.a);
    let answered: Vec<_> = known.clone().filter(|query| query.outcome.is_answer()).collect();
    if !names.others.is_empty() {
        let (status, detail) = if answered.is_empty() {
            (Status::Warn, "none of them answered".to_owned())
        } else {
            let mut found: Vec<String> =
                answered.iter().flat_map(|query| query.addresses.iter().map(ToString::to_string)).collect();
            found.sort();
            found.dedup();
            (
                Status::Pass,
                if found.is_empty() { "they know no address".to_owned() } else { shortened(&found) },
            )
        };
        add("names", "other servers", elapsed(&evidence.names), status, detail);
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

fn public(evidence: &Evidence, add: &mut Add<'_>) {
    let all = evidence.public.all();
    for is_v6 in [false, true] {
        let of: Vec<_> = all.iter().filter(|anchor| anchor.address.is_ipv6() == is_v6).collect();
        if of.is_empty() {
            continue;
        }
        let reached = of.iter().filter(|anchor| anchor.is_reached()).count();
        let status = match reached {
            0 if is_v6 => Status::Warn,
            0 => Status::Fail,
            _ => Status::Pass,
        };
        let name = if is_v6 { "internet, IPv6" } else { "internet" };
        add(
            "internet",
            name,
            elapsed(&evidence.public),
            status,
            format!("{reached} of {} hosts are reached", of.len()),
        );
    }
}

fn web(evidence: &Evidence, add: &mut Add<'_>) {
    let replies: Vec<_> = evidence.web.all().iter().filter_map(|web| web.reply.as_ref()).collect();
    let (status, detail) = if replies.is_empty() {
        (Status::Warn, "no host of the web answered".to_owned())
    } else {
        (Status::Pass, format!("{} of {} hosts answered", replies.len(), evidence.web.all().len()))
    };
    add("internet", "web", elapsed(&evidence.web), status, detail);
}

fn target(evidence: &Evidence, add: &mut Add<'_>) {
    for attempt in evidence.target.all() {
        let has_port = evidence.about.target.as_ref().is_some_and(|target| target.port.is_some());
        let is_alive = !has_port && (attempt.connect.shows_host() || attempt.answers_ping == Some(true));
        let status = pass(attempt.connect.stands() || is_alive);
        let detail = if is_alive { "the host answers".to_owned() } else { connect_words(&attempt.connect) };
        let name = if has_port {
            crate::address::Endpoint((attempt.address, attempt.port).into()).to_string()
        } else {
            attempt.address.to_string()
        };
        add("target", &name, Some(attempt.connect.elapsed_us), status, detail);
        let Some(exchange) = &attempt.exchange else { continue };
        if let Some(tls) = &exchange.tls {
            let status = pass(tls.outcome == super::evidence::TlsOutcome::Good);
            add("target", "TLS", Some(tls.elapsed_us), status, tls.detail.clone());
        }
        for (round, what) in [(&exchange.small, "answer"), (&exchange.large, "large answer")] {
            let Some(round) = round else { continue };
            let detail = match (&exchange.http, round.outcome) {
                (Some(http), RoundOutcome::Whole) => format!("HTTP status {}", http.status),
                (_, RoundOutcome::Whole) if round.sent_bytes == 0 => "the connection stays".to_owned(),
                (_, RoundOutcome::Whole) => format!("{} bytes came back", round.received_bytes),
                (_, RoundOutcome::Different) => "something else came back".to_owned(),
                (_, RoundOutcome::Closed) => format!("closed after {} bytes", round.received_bytes),
                (_, RoundOutcome::Reset) => format!("reset after {} bytes", round.received_bytes),
                (_, RoundOutcome::Silent) => "nothing came back".to_owned(),
                (_, RoundOutcome::Stalled) => {
                    format!("nothing more came after {} bytes", round.received_bytes)
                }
            };
            let is_url = evidence.about.target.as_ref().is_some_and(|target| target.text.contains("://"));
            let is_error = exchange
                .http
                .as_ref()
                .is_some_and(|http| http.status >= 500 || (http.status >= 400 && is_url));
            let status = pass(round.outcome == RoundOutcome::Whole && !is_error);
            add("target", what, Some(round.elapsed_us), status, detail);
        }
    }
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

fn train(name: &str, item: &Item<Train>, add: &mut Add<'_>) {
    match item {
        Item::Known { value, elapsed_us, .. } => {
            let median = value.median_us().map_or_else(String::new, |us| {
                format!(", {:.1} ms", f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1e3)
            });
            let detail = format!("{} of {} answered{median}", value.received(), value.sent());
            let status = match value.received() {
                0 if value.sent() == 0 => return,
                // Many hosts answer none, and are well.
                0 => Status::Skip,
                all if all == value.sent() => Status::Pass,
                _ => Status::Warn,
            };
            add("path", name, Some(*elapsed_us), status, detail);
        }
        Item::NotTested(reason) => add("path", name, None, Status::Skip, reason.clone()),
    }
}

fn sizes(evidence: &Evidence, add: &mut Add<'_>) {
    let all = evidence.sizes.all();
    let passes = all.iter().filter(|size| size.received > 0).map(|size| size.packet_bytes).max();
    let (status, detail) = match passes {
        Some(passes) => (Status::Pass, format!("packets of up to {passes} bytes pass")),
        None => (Status::Skip, "no echo request of any size is answered".to_owned()),
    };
    add("path", "sizes", elapsed(&evidence.sizes), status, detail);
}

fn path(name: &str, item: &Item<crate::trace::Path>, add: &mut Add<'_>) {
    match item {
        Item::Known { value, elapsed_us, .. } => {
            let (status, detail) = match (value.reached(), value.farthest()) {
                _ if value.loop_of().is_some() => (Status::Fail, "it goes round in a circle".to_owned()),
                (Some(hop), _) => (Status::Pass, format!("{hop} hops")),
                (None, Some(hop)) => (Status::Warn, format!("answers come from as far as hop {hop}")),
                (None, None) => (Status::Warn, "no hop answers".to_owned()),
            };
            add("path", name, Some(*elapsed_us), status, detail);
        }
        Item::NotTested(reason) => add("path", name, None, Status::Skip, reason.clone()),
    }
}
