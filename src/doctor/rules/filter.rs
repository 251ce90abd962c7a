//! Filters: this machine's own, one on the way that drops or rejects, one that minds what is said.

use super::commands::Commands;
use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, Icmp, QueryOutcome, RoundOutcome};
use crate::doctor::fact::Fact;
use crate::trace::Answer;

const BOTH: [Symptom; 2] = [Symptom::Target4, Symptom::Target6];

fn port(attempt: &Attempt) -> String {
    format!("TCP port {} of {}", attempt.port, attempt.address)
}

/// This machine's own filter, outward or inward.
#[expect(clippy::too_many_lines, reason = "a list of signs, the surest first")]
pub(super) fn local(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    let mend = |finding: Finding| {
        finding
            .remedy(format!("find the rule and change it: {}", commands.firewall()))
            .remedy("on a machine with firewalld or ufw: firewall-cmd --list-all, ufw status verbose")
    };
    let denied = |attempt: &&Attempt| attempt.connect.outcome == ConnectOutcome::Denied;
    if let Some(attempt) = facts.attempts().find(denied) {
        let said = match &attempt.connect.icmp {
            Some(icmp) => format!(
                "this machine itself answered, by ICMP type {} code {}, before any packet left",
                icmp.icmp_type, icmp.icmp_code
            ),
            None => {
                format!("connecting fails at once: {}", attempt.connect.error.clone().unwrap_or_default())
            }
        };
        let title = format!("a filter on this machine keeps it from {}", port(attempt));
        found.push(mend(
            Finding::new("FW.LOCAL", Layer::Filter, "out-reject", Confidence::Certain, title)
                .because(Fact::Target, said)
                .check(format!("nc -vz {} {}", attempt.address, attempt.port))
                .explains(&BOTH),
        ));
        return;
    }
    if facts.all_own(|outcome| outcome == QueryOutcome::Denied) {
        let server =
            facts.names().and_then(|names| names.own.first()).map(|answer| answer.server.to_string());
        let server = server.unwrap_or_default();
        found.push(mend(
            Finding::new(
                "FW.LOCAL",
                Layer::Filter,
                "out-dns",
                Confidence::Certain,
                format!("a filter on this machine keeps it from asking its name server {server}"),
            )
            .because(Fact::Names, "a question to port 53 fails at once: operation not permitted")
            .check(format!("dig @{server} {}", facts.host()))
            .explains(&[Symptom::Name, Symptom::NameSlow, Symptom::Datagrams]),
        ));
    }
    let Some(attempt) = facts.wholly_failed() else {
        everything_inward(facts, found, mend);
        return;
    };
    let (path, control) = (facts.evidence.path.get(), facts.evidence.control_path.get());
    if let (Some(path), Some(control)) = (path, control) {
        let first = path.hop(1).and_then(|hop| hop.answer);
        let other = control.hop(1).and_then(|hop| hop.answer);
        if first == Some(Answer::Reset) && other == Some(Answer::TimeExceeded) {
            found.push(mend(
                Finding::new(
                    "FW.LOCAL",
                    Layer::Filter,
                    "out-reset",
                    Confidence::Certain,
                    format!("a filter on this machine resets connections to {}", port(attempt)),
                )
                .because(
                    Fact::Path,
                    format!(
                        "a SYN to port {} that may not even pass the first router is answered by a reset",
                        path.port
                    ),
                )
                .because(
                    Fact::ControlPath,
                    format!("one to port {} is not: the router says that its time ran out", control.port),
                )
                .explains(&BOTH),
            ));
            return;
        }
        let dropped = facts.counter("Ip.OutRequests").saturating_sub(facts.counter("Ip.OutTransmits"));
        let dropped6 = facts.counter("Ip6.OutRequests").saturating_sub(facts.counter("Ip6.OutTransmits"));
        let (dropped, counts) = if attempt.address.is_ipv6() {
            (dropped6, facts.counter("Ip6.OutTransmits") > 0)
        } else {
            (dropped, facts.counter("Ip.OutTransmits") > 0)
        };
        // Each hop's SYN is one that should have left.
        let should = u64::try_from(path.hops.len()).unwrap_or(0) / 2;
        let never_left = counts && dropped >= should.max(3);
        if first.is_none()
            && other == Some(Answer::TimeExceeded)
            && path.farthest().is_none()
            && (never_left || !counts)
        {
            let confidence = if never_left { Confidence::Certain } else { Confidence::Likely };
            let mut finding = Finding::new(
                "FW.LOCAL",
                Layer::Filter,
                "out-drop",
                confidence,
                format!("a filter on this machine drops what is sent to {}", port(attempt)),
            )
            .because(Fact::Path, format!("a SYN to port {} that may go one hop brings no answer", path.port))
            .because(
                Fact::ControlPath,
                format!("one to port {} does: the first router says that its time ran out", control.port),
            )
            .explains(&BOTH);
            if never_left {
                finding = finding
                    .because(
                        Fact::Counters,
                        format!(
                            "{dropped} packets were made and never left (Ip.OutRequests less Ip.OutTransmits)"
                        ),
                    )
                    .check("nstat -az IpOutRequests IpOutTransmits");
            }
            found.push(mend(finding));
            return;
        }
    }
    inward(facts, attempt, found, mend);
}

/// The packets of a family that came in and were not handed on, and that nothing else accounts for.
fn lost_inward(facts: &Facts<'_>, family: &str) -> u64 {
    let counter = |name: &str| facts.counter(&format!("{family}.{name}"));
    let explained = counter("InAddrErrors")
        + counter("InHdrErrors")
        + counter("InDiscards")
        + counter("InUnknownProtos")
        + counter("ReasmReqds")
        + counter("ForwDatagrams")
        + facts.counter("TcpExt.IPReversePathFilter");
    counter("InReceives").saturating_sub(counter("InDelivers")).saturating_sub(explained)
}

/// Nothing at all that comes in is handed on, not even names can be looked up.
fn everything_inward(facts: &Facts<'_>, found: &mut Vec<Finding>, mend: impl Fn(Finding) -> Finding) {
    let missing = lost_inward(facts, "Ip");
    let is_deaf = facts.public_is_reached() == Some(false) && facts.attempts().next().is_none();
    if !is_deaf || missing < 6 || facts.counter("Ip.InDelivers") > missing {
        return;
    }
    found.push(mend(
        Finding::new(
            "FW.LOCAL",
            Layer::Filter,
            "in-all",
            Confidence::Likely,
            "a filter on this machine drops what comes in: answers arrive, and nobody gets them".to_owned(),
        )
        .because(Fact::Counters, format!("{missing} packets came in and were not handed on (Ip.InReceives less Ip.InDelivers), and nothing else accounts for them"))
        .check("nstat -az IpInReceives IpInDelivers")
        .explains(&Symptom::NOTHING_PASSES),
    ));
}

/// What comes in does not reach those it is for.
fn inward(facts: &Facts<'_>, attempt: &Attempt, found: &mut Vec<Finding>, mend: impl Fn(Finding) -> Finding) {
    let family = if attempt.address.is_ipv6() { "Ip6" } else { "Ip" };
    let missing = lost_inward(facts, family);
    let is_silent = attempt.connect.outcome == ConnectOutcome::Silent;
    if !is_silent || missing < 4 || facts.counter("TcpExt.IPReversePathFilter") > 0 {
        return;
    }
    let title = format!("a filter on this machine drops what {} answers", attempt.address);
    found.push(mend(
        Finding::new("FW.LOCAL", Layer::Filter, "in", Confidence::Likely, title)
            .because(Fact::Counters, format!("{missing} packets came in and were not handed on ({family}.InReceives less {family}.InDelivers), and nothing else accounts for them"))
            .check("nstat -az IpInReceives IpInDelivers")
            .because(Fact::Target, format!("nothing came back from {}", port(attempt)))
            .explains(&BOTH)
            .explains(&[Symptom::Public, Symptom::Datagrams]),
    ));
}

/// Whether an ICMP error is a filter's by its code.
fn is_prohibition(icmp: &Icmp) -> bool {
    let is_v6 = icmp.from.is_some_and(|from| from.is_ipv6());
    if is_v6 {
        icmp.icmp_type == 1 && matches!(icmp.icmp_code, 1 | 5 | 6)
    } else {
        icmp.icmp_type == 3 && matches!(icmp.icmp_code, 9 | 10 | 13)
    }
}

/// Whether it says that the port is closed.
fn is_port(icmp: &Icmp) -> bool {
    matches!((icmp.icmp_type, icmp.icmp_code), (3, 3) | (1, 4))
}

/// A filter on the way, or at the target, rejects.
pub(super) fn reject(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) = facts.wholly_failed() else { return };
    if let Some(icmp) = attempt.connect.icmp.as_ref().filter(|icmp| !icmp.is_own) {
        let who = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
        let alive = facts.live_control();
        let is_plain = matches!(icmp.icmp_type, 1 | 3) && !is_prohibition(icmp) && !is_port(icmp);
        if is_plain && alive.is_none() && !facts.host_is_alive().unwrap_or(false) {
            return;
        }
        // A time that ran out is a loop's, whoever says so.
        if !matches!((icmp.icmp_type, attempt.address.is_ipv6()), (3, false) | (1, true)) {
            return;
        }
        let place = if icmp.from == Some(attempt.address) {
            "the target's own filter".to_owned()
        } else {
            format!("a filter at {who}")
        };
        let mut finding = Finding::new(
            "FW.REJECT",
            Layer::Filter,
            "icmp",
            Confidence::Certain,
            format!("{place} rejects {}", port(attempt)),
        )
        .because(
            Fact::Target,
            format!(
                "{who} answers the SYN by ICMP type {} code {} ({})",
                icmp.icmp_type,
                icmp.icmp_code,
                meaning(icmp)
            ),
        )
        .check(format!("nc -vz {} {}", attempt.address, attempt.port))
        .explains(&BOTH)
        .remedy(format!("ask whoever runs {who} to let port {} pass", attempt.port));
        if let Some(alive) = alive {
            finding = finding.because(Fact::Control, format!("port {} of the same host answers", alive.port));
        } else if facts.host_is_alive() == Some(true) {
            finding = finding.because(Fact::SmallTrain, "the host answers echo requests");
        }
        found.push(finding);
        return;
    }
    // A reset from nearer than the host.
    let (Some(path), Some(control)) = (facts.evidence.path.get(), facts.evidence.control_path.get()) else {
        return;
    };
    if attempt.connect.outcome != ConnectOutcome::Refused {
        return;
    }
    if let (Some(near), Some(far)) = (path.reached(), control.reached())
        && near < far
        && near > 1
        && path.hop(near).is_some_and(|hop| hop.answer == Some(Answer::Reset))
    {
        let who =
            control.hop(near).and_then(|hop| hop.from).map_or_else(String::new, |from| format!(" ({from})"));
        found.push(
            Finding::new(
                "FW.REJECT",
                Layer::Filter,
                "reset",
                Confidence::Certain,
                format!(
                    "a filter between hop {} and hop {near}{who} resets connections to {}",
                    near - 1,
                    port(attempt)
                ),
            )
            .because(Fact::Path, format!("a SYN that may go {near} hops is answered by a reset"))
            .because(
                Fact::ControlPath,
                format!("the host itself is {far} hops away, as its port {} shows", control.port),
            )
            .explains(&BOTH)
            .remedy(format!(
                "ask whoever runs hop {}, or hop {near}{who}, to let port {} pass",
                near - 1,
                attempt.port
            ))
            .or(&["TCP.REFUSED"]),
        );
    }
}

fn meaning(icmp: &Icmp) -> &'static str {
    match (icmp.icmp_type, icmp.icmp_code) {
        (3, 0) => "network unreachable",
        (3, 1) | (1, 3) => "host unreachable",
        (3, 3) | (1, 4) => "port unreachable",
        (3, 9) => "network prohibited",
        (3, 10) => "host prohibited",
        (3, 13) | (1, 1) => "administratively prohibited",
        (1, 0) => "no route",
        _ => "it is not let through",
    }
}

/// A filter on the way, or at the target, drops connections.
pub(super) fn drop_connections(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let attempt = facts.wholly_failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent);
    limited(facts, found);
    let Some(attempt) = attempt else { return };
    if facts.host_is_alive() != Some(true)
        || crate::doctor::evidence::is_on_link(attempt) != Some(false) && facts.evidence.path.get().is_none()
    {
        // A neighbour that answers echo requests, and not on this port, filters it itself.
        if facts.host_is_alive() == Some(true) && crate::doctor::evidence::is_on_link(attempt) == Some(true) {
            found.push(at_host(facts, attempt));
        }
        return;
    }
    // If some of several came through, that is no plain drop.
    let Some(burst) = facts.evidence.burst.get() else { return };
    if burst.first.iter().any(|one| one.stands == Some(true)) {
        return;
    }
    let alive = facts.live_control();
    let sign = match alive {
        Some(alive) => (Fact::Control, format!("port {} of the same host answers", alive.port)),
        None => (Fact::SmallTrain, "the host answers echo requests".to_owned()),
    };
    let Some(path) = facts.evidence.path.get() else { return };
    let control = facts.evidence.control_path.get();
    let last = path.farthest().unwrap_or(0);
    let distance = control.and_then(crate::trace::Path::reached);
    // Where the other port goes on and this one does not, there the filter sits.
    let goes_on = control.and_then(|control| {
        let farther = |hop: &&crate::trace::Hop| hop.ttl > last && hop.answer.is_some();
        control.hops.iter().find(farther).map(|hop| hop.ttl)
    });
    if distance == Some(last + 1) && last > 0 {
        found.push(at_host(facts, attempt));
        return;
    }
    let who = path.hop(last).and_then(|hop| hop.from);
    let (detail, place) = match who {
        Some(from) => ("syn", format!("at hop {last} ({from})")),
        None if last == 0 => ("syn", "near this machine, at the first hop or before".to_owned()),
        None => ("syn", format!("after hop {last}")),
    };
    let confidence = if goes_on.is_some() && last > 0 { Confidence::Certain } else { Confidence::Likely };
    let title = format!("a filter {place} drops connections to {}", port(attempt));
    let mut finding = Finding::new("FW.DROP", Layer::Filter, detail, confidence, title)
        .because(Fact::Target, format!("no SYN to port {} is answered", attempt.port))
        .check(format!("nc -vz -w 3 {} {}", attempt.address, attempt.port))
        .because(sign.0, sign.1)
        .explains(&BOTH)
        .or(&["NAT.EXHAUSTED"]);
    if let Some(from) = who {
        finding = finding.because(
            Fact::Path,
            format!("SYNs to port {} come as far as hop {last} ({from}), and no farther", path.port),
        );
    }
    if let (Some(control), Some(hop)) = (control, goes_on) {
        finding =
            finding.because(Fact::ControlPath, format!("those to port {} go on to hop {hop}", control.port));
    }
    let owner = who.map_or_else(|| "that hop".to_owned(), |from| from.to_string());
    found.push(finding.remedy(format!("ask whoever runs {owner} to let port {} pass", attempt.port)));
}

/// The host is there and its port says nothing: its own filter, or a queue that is full.
fn at_host(facts: &Facts<'_>, attempt: &Attempt) -> Finding {
    let title = format!(
        "{} is there, and drops connections to its port {}: by its own filter, or for want of room",
        attempt.address, attempt.port
    );
    let mut finding = Finding::new("FW.DROP", Layer::Filter, "host", Confidence::Likely, title)
        .because(Fact::Target, format!("no SYN to port {} is answered", attempt.port))
        .check(format!("nc -vz -w 3 {} {}", attempt.address, attempt.port))
        .explains(&BOTH)
        .or(&["TCP.BACKLOG_FULL"])
        .remedy(format!("on {}: does a filter drop port {}, and is the queue of its server full (ss -ltn: Recv-Q above Send-Q)", attempt.address, attempt.port));
    if let Some(alive) = facts.live_control() {
        finding = finding.because(Fact::Control, format!("port {} of the same host answers", alive.port));
    }
    if let Some(path) = facts.evidence.path.get().and_then(crate::trace::Path::farthest) {
        finding = finding.because(Fact::Path, format!("SYNs come as far as hop {path}, the last before it"));
    }
    finding
}

/// A filter lets only so many connections through.
fn limited(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(burst) = facts.evidence.burst.get() else { return };
    let tried: Vec<_> = burst.first.iter().filter(|one| one.stands.is_some()).collect();
    let lost = tried
        .iter()
        .filter(|one| {
            one.stands == Some(false) && !one.is_refused || one.syn_retransmissions.is_some_and(|n| n > 0)
        })
        .count();
    if tried.len() < 6 || lost * 2 < tried.len() {
        return;
    }
    // Packets as such come through: it is connections that are counted.
    let path_is_fine = facts.loss().is_some_and(|loss| !loss.is_felt);
    let some_stand = tried.iter().any(|one| one.stands == Some(true))
        || facts.attempts().any(|attempt| attempt.connect.stands());
    let is_steered = steered(&burst.first, &burst.again).is_some() || scattered(&burst.first).is_some();
    if !path_is_fine || !some_stand || is_steered {
        return;
    }
    let Some(attempt) = facts.attempts().next() else { return };
    let title =
        format!("a filter lets only some connections to {} through: new ones are limited", port(attempt));
    found.push(
        Finding::new("FW.DROP", Layer::Filter, "rate", Confidence::Likely, title)
            .because(Fact::Burst, format!("of {} connections begun together, the SYNs of {lost} were dropped at first", tried.len()))
            .because(Fact::SmallTrain, "no echo request was lost meanwhile")
            .explains(&BOTH)
            .explains(&[Symptom::Public, Symptom::Service, Symptom::ServiceSlow])
            .remedy("look at the gateway and at the server for a limit of new connections (SYN rate, connections an address)")
            .or(&["TCP.BACKLOG_FULL", "NAT.EXHAUSTED"]),
    );
}

/// Whether some connections are dropped and others not, by turns: how many were, and how many not. A limit lets the first
/// through and drops the rest.
pub(super) fn scattered(first: &[crate::doctor::evidence::BurstConnect]) -> Option<(usize, usize)> {
    let tried: Vec<bool> = first
        .iter()
        .filter(|one| one.stands.is_some() && !one.is_refused)
        .map(|one| one.stands == Some(true) && one.syn_retransmissions == Some(0))
        .collect();
    let stood = tried.iter().filter(|stood| **stood).count();
    let dropped = tried.len() - stood;
    let last = tried.iter().rposition(|stood| *stood)?;
    let before = tried[..last].iter().filter(|stood| !**stood).count();
    let from = tried.iter().position(|stood| !*stood)?;
    let after = tried[from..].iter().filter(|stood| **stood).count();
    (tried.len() >= 8 && stood >= 3 && dropped >= 3 && before >= 2 && after >= 2).then_some((dropped, stood))
}

/// Whether ports decide who is dropped: how many always are, and how many never.
pub(super) fn steered(
    first: &[crate::doctor::evidence::BurstConnect],
    again: &[crate::doctor::evidence::BurstConnect],
) -> Option<(usize, usize)> {
    let (mut always, mut never) = (0, 0);
    for one in first {
        let other = again.iter().find(|other| other.from_port == one.from_port && other.stands.is_some())?;
        match (one.stands, other.stands) {
            (Some(true), Some(true))
                if one.syn_retransmissions == Some(0) && other.syn_retransmissions == Some(0) =>
            {
                never += 1;
            }
            (Some(false), Some(false)) if !one.is_refused => always += 1,
            _ => return None,
        }
    }
    (always >= 2 && never >= 2).then_some((always, never))
}

/// Connections stand, and what is said on them is dropped.
pub(super) fn drop_payload(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let small =
        facts.attempts().find_map(|attempt| Some((attempt, attempt.exchange.as_ref()?.small.as_ref()?)));
    let by_round = small.filter(|(_, round)| {
        round.outcome == RoundOutcome::Silent
            && round.received_bytes == 0
            && round.unacked.is_some_and(|unacked| unacked > 0)
    });
    let by_tls =
        facts.tls().filter(|(_, tls)| !tls.has_bytes && tls.unacked.is_some_and(|unacked| unacked > 0));
    let attempts = (by_round.map(|(attempt, _)| attempt), by_tls.map(|(attempt, _)| attempt));
    let Some(attempt) = attempts.0.or(attempts.1) else { return };
    // Only of a path that is known to carry packets well.
    let is_calm = facts.target_train().is_some_and(|train| {
        train.received() + 1 >= train.sent() && train.median_us().is_some_and(|median| median < 300_000)
    });
    let confidence = if is_calm { Confidence::Likely } else { Confidence::Possible };
    found.push(
        Finding::new(
            "FW.DROP",
            Layer::Filter,
            "payload",
            confidence,
            format!("connections to {} stand, and what is sent on them is dropped on the way", port(attempt)),
        )
        .because(Fact::Target, "the connection stood, and the first data was never acknowledged, though sent again")
        .check(format!("ss -tin dst {}", attempt.address))
        .explains(&[Symptom::Service])
        .remedy("look for a filter on the way that reads what connections carry: an intrusion prevention, a proxy, a provider's")
        .or(&["PATH.MTU"]),
    );
}

/// Datagrams do not come through, and connections do.
pub(super) fn drop_datagrams(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let anchors = facts.anchors();
    let others =
        facts.names().into_iter().flat_map(|names| &names.others).filter_map(|answer| answer.a.first());
    let asked: Vec<_> = anchors.iter().filter_map(|anchor| anchor.udp.as_ref()).chain(others).collect();
    let all_silent = asked.len() >= 2 && asked.iter().all(|udp| udp.outcome == QueryOutcome::Silent);
    let by_tcp = anchors.iter().any(|anchor| anchor.is_reached_by_tcp());
    let (Some(udp), Some(tcp)) = (facts.evidence.udp_path.get(), facts.evidence.public_path.get()) else {
        return;
    };
    let (udp_far, tcp_far) = (udp.farthest().unwrap_or(0), tcp.farthest().unwrap_or(0));
    // Only where the way is seen at all does silence tell: a network may keep its hops to itself.
    let hops =
        tcp.hops.iter().filter(|hop| hop.ttl > udp_far && hop.answer == Some(Answer::TimeExceeded)).count();
    if !all_silent || !by_tcp || udp_far >= tcp_far || hops == 0 || udp.reached().is_some() {
        return;
    }
    let who = udp.hop(udp_far).and_then(|hop| hop.from).map_or_else(String::new, |from| format!(" ({from})"));
    found.push(
        Finding::new(
            "FW.DROP",
            Layer::Filter,
            "udp",
            Confidence::Likely,
            format!("a filter at hop {udp_far}{who} drops all UDP, and lets TCP pass"),
        )
        .because(
            Fact::Public,
            format!("{} hosts of the internet answer no question by UDP, and stand for TCP", asked.len()),
        )
        .check("dig @9.9.9.9 example.org; dig +tcp @9.9.9.9 example.org")
        .because(
            Fact::UdpPath,
            format!("datagrams come as far as hop {udp_far}, connections as far as {tcp_far}"),
        )
        .explains(&[Symptom::Datagrams])
        .remedy(format!(
            "ask whoever runs hop {udp_far}{who} to let UDP pass: DNS, time, calls and QUIC need it"
        )),
    );
}

/// Somebody on the way resets connections for what is said on them.
pub(super) fn injection(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    for attempt in facts.attempts() {
        let Some(exchange) = &attempt.exchange else { continue };
        let is_reset = exchange.small.as_ref().is_some_and(|round| round.outcome == RoundOutcome::Reset);
        let passes = exchange.unnamed.as_ref().is_some_and(|round| round.outcome == RoundOutcome::Whole);
        if is_reset && passes {
            let host = facts.host();
            found.push(
                Finding::new(
                    "FW.RST_INJECTION",
                    Layer::Filter,
                    "name",
                    Confidence::Likely,
                    format!("connections are reset as soon as they name {host}: somebody on the way minds that name"),
                )
                .because(Fact::Target, format!("the request that names {host} is answered by a reset"))
                .check(format!("curl -v http://{host}/"))
                .because(Fact::Target, "the same request to the same port with the address in its place is answered")
                .check(format!("curl -v http://{}/", attempt.address))
                .explains(&[Symptom::Service])
                .remedy("ask the network's owner or provider whether they filter it; from elsewhere, or by HTTPS, it may work")
                .or(&["TCP.RESET"]),
            );
            return;
        }
    }
}
