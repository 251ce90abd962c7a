//! A filter on the way, or at the target, drops connections, what is said on them, or datagrams.

use super::words::port;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, QueryOutcome, RoundOutcome, is_on_link};
use crate::doctor::fact::Fact;
use crate::trace::{Answer, Hop, Path};

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    drop_connections(facts, found);
    drop_payload(facts, found);
    drop_datagrams(facts, found);
}

/// A filter on the way, or at the target, drops connections.
fn drop_connections(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let attempt = facts.wholly_failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent);
    limited(facts, found);
    let Some(attempt) = attempt else { return };
    if facts.host_is_alive() != Some(true)
        || is_on_link(attempt) != Some(false) && facts.evidence.path.get().is_none()
    {
        // A neighbour that answers echo requests, and not on this port, filters it itself.
        if facts.host_is_alive() == Some(true) && is_on_link(attempt) == Some(true) {
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
    let distance = control.and_then(Path::reached);
    // Where the other port goes on and this one does not, there the filter sits.
    let goes_on = control.and_then(|control| {
        let farther = |hop: &&Hop| hop.ttl > last && hop.answer.is_some();
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
    let mut finding = Finding::new(Cause::FwDrop, detail, confidence, title)
        .because(Fact::Target, format!("no SYN to port {} is answered", attempt.port))
        .check(format!("nc -vz -w 3 {} {}", attempt.address, attempt.port))
        .because(sign.0, sign.1)
        .explains(&Symptom::TARGET)
        .or(&[Cause::NatExhausted]);
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
    let mut finding = Finding::new(Cause::FwDrop, "host", Confidence::Likely, title)
        .because(Fact::Target, format!("no SYN to port {} is answered", attempt.port))
        .check(format!("nc -vz -w 3 {} {}", attempt.address, attempt.port))
        .explains(&Symptom::TARGET)
        .or(&[Cause::TcpBacklogFull])
        .remedy(format!("on {}: does a filter drop port {}, and is the queue of its server full (ss -ltn: Recv-Q above Send-Q)", attempt.address, attempt.port));
    if let Some(alive) = facts.live_control() {
        finding = finding.because(Fact::Control, format!("port {} of the same host answers", alive.port));
    }
    if let Some(path) = facts.evidence.path.get().and_then(Path::farthest) {
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
    let is_steered = burst.steered().is_some() || burst.scattered().is_some();
    if !path_is_fine || !some_stand || is_steered {
        return;
    }
    let Some(attempt) = facts.attempts().next() else { return };
    let title =
        format!("a filter lets only some connections to {} through: new ones are limited", port(attempt));
    found.push(
        Finding::new(Cause::FwDrop, "rate", Confidence::Likely, title)
            .because(Fact::Burst, format!("of {} connections begun together, the SYNs of {lost} were dropped at first", tried.len()))
            .because(Fact::SmallTrain, "no echo request was lost meanwhile")
            .explains(&Symptom::TARGET)
.shows(Symptom::ServiceSlow)
            .explains(&[Symptom::Public, Symptom::Service, Symptom::ServiceSlow])
            .remedy("look at the gateway and at the server for a limit of new connections (SYN rate, connections an address)")
            .or(&[Cause::TcpBacklogFull, Cause::NatExhausted]),
    );
}

/// Connections stand, and what is said on them is dropped.
fn drop_payload(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
            Cause::FwDrop,
            "payload",
            confidence,
            format!("connections to {} stand, and what is sent on them is dropped on the way", port(attempt)),
        )
        .because(Fact::Target, "the connection stood, and the first data was never acknowledged, though sent again")
        .check(format!("ss -tin dst {}", attempt.address))
        .explains(&[Symptom::Service])
        .remedy("look for a filter on the way that reads what connections carry: an intrusion prevention, a proxy, a provider's")
        .or(&[Cause::PathMtu]),
    );
}

/// Datagrams do not come through, and connections do.
fn drop_datagrams(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
            Cause::FwDrop,
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
        .shows(Symptom::Datagrams)
        .remedy(format!(
            "ask whoever runs hop {udp_far}{who} to let UDP pass: DNS, time, calls and QUIC need it"
        )),
    );
}
