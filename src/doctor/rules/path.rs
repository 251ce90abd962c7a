//! The way: where it ends, circles, narrows, loses, delays, or is one of two of which one is dead.

use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, QueryOutcome, RoundOutcome, percent, time};
use crate::doctor::fact::Fact;
use crate::trace::{Path, Train};

const REACH: [Symptom; 6] = [
    Symptom::Target4,
    Symptom::Target6,
    Symptom::Public,
    Symptom::Name,
    Symptom::NameSlow,
    Symptom::Datagrams,
];

/// Packets go round in a circle.
pub(super) fn circle(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let evidence = facts.evidence;
    let all = [
        (Fact::Path, &evidence.path),
        (Fact::ControlPath, &evidence.control_path),
        (Fact::PublicPath, &evidence.public_path),
    ];
    let round = all.into_iter().find_map(|(fact, path)| Some((fact, path.get()?, path.get()?.loop_of()?)));
    // Not of a packet that was to go only so far: its sender let it go as far as it would.
    let exceeded = facts.icmp_heard().into_iter().find(|icmp| {
        let is_v6 = icmp.from.is_some_and(|from| from.is_ipv6());
        icmp.icmp_type == if is_v6 { 3 } else { 11 } && icmp.icmp_code == 0
    });
    let finding = match (round, exceeded) {
        (Some((fact, path, round)), exceeded) => {
            let who: Vec<String> = round.iter().map(ToString::to_string).collect();
            let title = format!("packets for {} go round in a circle between {}", path.to, who.join(" and "));
            let mut finding = Finding::new("PATH.LOOP", Layer::Path, "loop", Confidence::Certain, title)
                .because(fact, format!("the same routers answer again and again: {}", hops(path)))
                .check(format!("traceroute -n {}", path.to));
            if let Some(icmp) = exceeded {
                let from = icmp.from.map_or_else(String::new, |from| format!(" at {from}"));
                finding = finding.because(
                    fact,
                    format!("the time to live of other packets ran out on the way, too{from}"),
                );
            }
            finding
        }
        (None, Some(icmp)) => {
            let from = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
            let target = facts
                .failed()
                .map_or_else(|| "the internet".to_owned(), |attempt| attempt.address.to_string());
            // Whichever fact heard of it.
            let fact = match () {
                () if facts
                    .evidence
                    .target
                    .all()
                    .iter()
                    .any(|attempt| attempt.connect.icmp.as_ref() == Some(&icmp)) =>
                {
                    Fact::Target
                }
                () if facts.evidence.public.all().iter().any(|anchor| {
                    anchor.connects.iter().any(|(_, connect)| connect.icmp.as_ref() == Some(&icmp))
                }) =>
                {
                    Fact::Public
                }
                () if facts
                    .evidence
                    .beat
                    .get()
                    .is_some_and(|beat| beat.errors.iter().any(|error| error.from == icmp.from)) =>
                {
                    Fact::Beat
                }
                () if facts
                    .evidence
                    .small_train
                    .get()
                    .is_some_and(|train| train.errors.iter().any(|error| error.from == icmp.from)) =>
                {
                    Fact::SmallTrain
                }
                () if facts
                    .evidence
                    .control
                    .all()
                    .iter()
                    .any(|attempt| attempt.connect.icmp.as_ref() == Some(&icmp)) =>
                {
                    Fact::Control
                }
                () if facts.evidence.web.all().iter().any(|web| web.connect.icmp.as_ref() == Some(&icmp)) => {
                    Fact::Web
                }
                () => Fact::Names,
            };
            let title =
                format!("packets for {target} go round in a circle: their time to live runs out at {from}");
            Finding::new("PATH.LOOP", Layer::Path, "loop", Confidence::Likely, title)
                .because(fact, format!("the time to live of ordinary packets ran out at {from}"))
                .check(format!(
                    "traceroute -n {}",
                    facts
                        .failed()
                        .map_or_else(|| "1.1.1.1".to_owned(), |attempt| attempt.address.to_string())
                ))
        }
        (None, None) => return,
    };
    found.push(
        finding
            .explains(&REACH)
            .remedy("tell the provider of these routers: each holds the other for the way to go; this machine cannot mend it"),
    );
}

fn hops(path: &Path) -> String {
    let one = |hop: &crate::trace::Hop| match (hop.answer, hop.from) {
        (Some(_), Some(from)) => from.to_string(),
        (Some(_), None) => path.to.to_string(),
        (None, _) => "*".to_owned(),
    };
    let told = path.farthest().unwrap_or(0);
    path.hops.iter().filter(|hop| hop.ttl <= told).take(12).map(one).collect::<Vec<_>>().join(" ")
}

/// A router says that it cannot go on.
pub(super) fn unreachable(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) = facts.wholly_failed() else { return };
    let Some(icmp) = attempt.connect.icmp.as_ref().filter(|icmp| !icmp.is_own) else { return };
    let is_v6 = attempt.address.is_ipv6();
    let is_it = if is_v6 {
        icmp.icmp_type == 1 && matches!(icmp.icmp_code, 0 | 2 | 3)
    } else {
        icmp.icmp_type == 3 && matches!(icmp.icmp_code, 0 | 1 | 5 | 6 | 7 | 11 | 12)
    };
    if !is_it || facts.host_is_alive() == Some(true) {
        return;
    }
    let who = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
    let same = facts.evidence.control.get().is_some_and(|all| {
        all.iter().any(|other| other.connect.icmp.as_ref().is_some_and(|other| other.from == icmp.from))
    });
    let is_late = attempt.connect.elapsed_us > 1_000_000;
    let (detail, what) = if (icmp.icmp_code == 1 && !is_v6) || (icmp.icmp_code == 3 && is_v6) {
        (
            "host",
            if is_late {
                "the host does not answer there: it is off, or gone"
            } else {
                "it has no way to the host"
            },
        )
    } else {
        ("network", "it has no way to that network")
    };
    let confidence = if same { Confidence::Certain } else { Confidence::Likely };
    let mut finding = Finding::new(
        "PATH.UNREACHABLE",
        Layer::Path,
        detail,
        confidence,
        format!("{who} cannot reach {}: {what}", attempt.address),
    )
    .because(Fact::Target, format!("{who} answers by ICMP type {} code {}", icmp.icmp_type, icmp.icmp_code))
    .check(format!("ping -c 3 {}", attempt.address))
    .explains(&[Symptom::Target4, Symptom::Target6])
    .remedy(format!(
        "look whether {} is on and has that address; then tell whoever runs {who}",
        attempt.address
    ));
    if same {
        finding = finding.because(
            Fact::Control,
            "it says so of other ports of the host too, so no filter of one port is it",
        );
    }
    found.push(finding);
}

/// Packets vanish on the way.
pub(super) fn blackhole(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    // All of the internet.
    if facts.public_is_reached() == Some(false)
        && facts.needs_public()
        && let Some(path) = facts.evidence.public_path.get()
        && facts.gateway().is_none_or(|gateway| gateway.is_found() == Some(true))
        && let Some(last) = path.farthest().filter(|_| path.reached().is_none() && path.loop_of().is_none())
    {
        let who =
            path.hop(last).and_then(|hop| hop.from).map_or_else(String::new, |from| format!(" ({from})"));
        let silent = facts.anchors().iter().all(|anchor| {
            anchor.connects.iter().all(|(_, connect)| connect.outcome == ConnectOutcome::Silent)
        });
        if silent {
            found.push(
                Finding::new(
                    "PATH.BLACKHOLE",
                    Layer::Path,
                    "all",
                    Confidence::Likely,
                    format!("packets for the internet vanish after hop {last}{who}"),
                )
                .because(
                    Fact::PublicPath,
                    format!("answers come from as far as hop {last}, and from none beyond: {}", hops(path)),
                )
                .check(format!("traceroute -n {}", path.to))
                .because(
                    Fact::Public,
                    format!("none of {} hosts of the internet answers", facts.anchors().len()),
                )
                .explains(&REACH)
                .explains(&[Symptom::Loss])
                .remedy(format!(
                    "tell the provider that packets end after hop {last}{who}; this machine cannot mend it"
                ))
                .or(&["GW.UPSTREAM_DOWN", "NAT.MISSING"]),
            );
            return;
        }
    }
    // The target alone.
    let Some(attempt) = facts.wholly_failed() else { return };
    if attempt.connect.outcome != ConnectOutcome::Silent
        || facts.host_is_alive() != Some(false)
        || crate::doctor::evidence::is_on_link(attempt) != Some(false)
    {
        return;
    }
    let Some(path) = facts.evidence.path.get() else { return };
    if path.reached().is_some() || path.loop_of().is_some() {
        return;
    }
    let last = path.farthest().unwrap_or(0);
    let who = path.hop(last).and_then(|hop| hop.from).map_or_else(String::new, |from| format!(" ({from})"));
    let rest_works = facts.public_is_reached() == Some(true);
    // Echo requests that nobody could send do not show that nobody answers them.
    let is_dead = facts.target_train().is_some_and(|train| train.received() == 0);
    let cannot_ask = facts.gateway().is_some_and(|gateway| gateway.pings.is_none());
    if !is_dead && !cannot_ask {
        return;
    }
    let confidence =
        if rest_works && last > 0 && is_dead { Confidence::Likely } else { Confidence::Possible };
    let mut finding = Finding::new(
        "PATH.BLACKHOLE",
        Layer::Path,
        "target",
        confidence,
        format!("packets for {} vanish after hop {last}{who}", attempt.address),
    )
    .because(
        Fact::Path,
        format!("answers come from as far as hop {last}, and from none beyond: {}", hops(path)),
    )
    .check(format!("traceroute -n {}", attempt.address))
    .because(Fact::Control, "no port of it answers, and no echo request")
    .explains(&[Symptom::Target4, Symptom::Target6])
    .remedy(format!(
        "look whether {} is on at all; if it is, tell whoever runs hop {last}{who}",
        attempt.address
    ))
    .or(&["FW.DROP"]);
    if rest_works {
        finding = finding.because(Fact::Public, "other hosts of the internet are reached");
    }
    found.push(finding);
}

/// Large packets vanish, and nobody says that they are too large.
pub(super) fn mtu(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let stalls = facts.bad_round().filter(|(_, round, is_large)| {
        *is_large
            && matches!(round.outcome, RoundOutcome::Silent | RoundOutcome::Stalled | RoundOutcome::Reset)
    });
    let tls = facts.tls().filter(|(_, tls)| {
        matches!(tls.outcome, crate::doctor::evidence::TlsOutcome::Silent)
            && tls.unacked.is_some_and(|unacked| unacked > 0)
    });
    let is_web = matches!(
        facts.service(),
        crate::doctor::evidence::Service::Http | crate::doctor::evidence::Service::Https
    );
    let web = facts.bad_round().filter(|(_, round, is_large)| {
        let is_cut = matches!(round.outcome, RoundOutcome::Stalled | RoundOutcome::Silent);
        !is_large && is_web && is_cut && round.received_bytes < 4_096
    });
    let Some(attempt) = stalls.or(web).map(|(attempt, _, _)| attempt).or(tls.map(|(attempt, _)| attempt))
    else {
        return;
    };
    let sizes = facts.evidence.sizes.all();
    let passes = sizes.iter().filter(|size| size.received > 0).map(|size| size.packet_bytes).max();
    let vanishes = |size: &&crate::doctor::evidence::SizeProbe| {
        size.received == 0 && size.sent > 0 && size.too_big.is_none() && !size.is_local
    };
    let fails =
        sizes.iter().filter(vanishes).map(|size| size.packet_bytes).filter(|size| Some(*size) > passes).min();
    // A line that loses large packets by chance loses those of one size as well.
    let is_steady = facts.evidence.large_train.get().is_some_and(|train| {
        train.received() == 0 || percent(train.sent().saturating_sub(train.received()), train.sent()) < 20.0
    });
    let (confidence, said) = match (passes, fails) {
        (Some(passes), Some(fails)) if is_steady => (
            if stalls.is_some() { Confidence::Certain } else { Confidence::Likely },
            format!(
                "packets of {passes} bytes pass, those of {fails} vanish, and nobody says that they are too large"
            ),
        ),
        // Echo requests do not pass at all, and TCP shows what it shows.
        (None, _) if stalls.is_some_and(|(_, round, _)| round.unacked.is_some_and(|unacked| unacked > 1)) => {
            (
                Confidence::Likely,
                "a small round comes back, and of a large one not even the first segment is acknowledged"
                    .to_owned(),
            )
        }
        _ => return,
    };
    let ip = attempt.address;
    let place = if crate::doctor::evidence::is_on_link(attempt) == Some(true) {
        "between this machine and its neighbour"
    } else {
        "on the way"
    };
    let largest = passes.unwrap_or(1_280);
    let interface = attempt
        .route
        .as_ref()
        .and_then(|route| route.interface.clone())
        .unwrap_or_else(|| "INTERFACE".to_owned());
    found.push(
        Finding::new(
            "PATH.MTU",
            Layer::Path,
            if crate::doctor::evidence::is_on_link(attempt) == Some(true) { "link" } else { "black-hole" },
            confidence,
            format!("large packets to {ip} vanish {place}: its MTU is smaller than this link's, and nobody says so"),
        )
        .because(Fact::Sizes, said)
        .check(format!("ping -c 2 -M do -s {} {ip}; ping -c 2 -M do -s {} {ip}", largest.saturating_sub(28), fails.unwrap_or(1_500).saturating_sub(28)))
        .because(Fact::Target, "a connection stands and small data comes back; large data does not")
        .explains(&[Symptom::Service, Symptom::ServiceSlow, Symptom::LargeLoss])
        .remedy(format!("send no larger ones: ip link set {} mtu {largest}", super::commands::quoted(&interface)))
        .remedy("or let TCP find out by itself: sysctl -w net.ipv4.tcp_mtu_probing=1")
        .remedy("who filters ICMP 'fragmentation needed' on the way breaks this (RFC 2923): tell them"),
    );
}

/// Packets are lost, by chance or for a time.
pub(super) fn loss(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let corrupt = facts.counter("Tcp.InCsumErrors")
        + facts.counter("Icmp.InCsumErrors")
        + facts.counter("Udp.InCsumErrors");
    let explained = [
        Symptom::Loss,
        Symptom::LargeLoss,
        Symptom::NameSlow,
        Symptom::Name,
        Symptom::Service,
        Symptom::ServiceSlow,
        Symptom::Target4,
        Symptom::Target6,
        Symptom::Public,
        Symptom::Datagrams,
        Symptom::Delay,
        Symptom::GatewayMute,
    ];
    let told = facts.loss();
    let Some(loss) = told.filter(|loss| loss.is_felt) else {
        large_loss(facts, &explained, found);
        by_connections(facts, &explained, found);
        return;
    };
    let train = loss.train;
    let (sent, received) = (train.sent(), train.received());
    let missing = sent.saturating_sub(received);
    let share = percent(missing, sent);
    let host = facts.asked().map_or_else(|| "the internet".to_owned(), |_| facts.host());
    // A queue that is full loses some as well; then it is the queue that is to blame.
    let is_queue = train.min_us().is_some_and(|least| least > 200_000);
    if is_queue && train.median_us().is_some_and(|median| median > 300_000) {
        return;
    }
    let enough = loss.fact == Fact::LongTrain;
    if loss.is_bursty && enough {
        let longest = train.gaps().into_iter().max().unwrap_or(0);
        let span = (u64::try_from(longest).unwrap_or(0) * train.interval_us).max(train.longest_stall_us());
        found.push(
            Finding::new(
                "PATH.INTERMITTENT",
                Layer::Path,
                "outages",
                Confidence::Likely,
                format!("the way to {host} is dead for moments: up to {} at a time", time(span)),
            )
            .because(loss.fact, format!("{missing} of {sent} echo requests were lost, up to {longest} in a row: chance would scatter them"))
            .check(format!("netdiag ping -i 0.05 -c 200 {host}"))
            .explains(&explained)
            .remedy("look what happens so often: a radio that roams, a link that resyncs, a router that starts again, a balancer's dead half"),
        );
        return;
    }
    let gateway = facts.evidence.gateway_train.get().filter(|train| train.received() > 0);
    let near = gateway.map(Train::loss_percent);
    let is_local = near.is_some_and(|near| near >= 3.0 && near * 2.5 >= share);
    let (detail, place) = match near {
        _ if corrupt >= 3 => ("corruption", "and of those that come, some are damaged"),
        Some(_) if is_local => ("local", "already on the way to the gateway"),
        Some(_) => ("upstream", "beyond the gateway"),
        None => ("path", "on the way"),
    };
    let confidence = if enough && missing >= 5 { Confidence::Certain } else { Confidence::Likely };
    let mut finding = Finding::new(
        "PATH.LOSS",
        Layer::Path,
        detail,
        confidence,
        format!("{share:.0} % of the packets to {host} are lost, {place}"),
    )
    .because(loss.fact, format!("{missing} of {sent} echo requests were not answered, without order"))
    .check(format!("netdiag ping -i 0.05 -c 200 {host}"))
    .explains(&explained);
    if let (Some(gateway), Some(near)) = (gateway, near) {
        finding = finding.because(
            Fact::GatewayTrain,
            format!("of {} to the gateway at the same time, {near:.0} % were", gateway.sent()),
        );
    }
    if corrupt >= 3 {
        finding = finding
            .because(Fact::Counters, format!("{corrupt} packets came in with a wrong checksum"))
            .check("nstat -az TcpInCsumErrors IcmpInCsumErrors UdpInCsumErrors");
    }
    found.push(if is_local {
        finding.remedy("look at the cable, the switch port and the radio between this machine and its gateway: ip -s link, ethtool -S")
    } else {
        finding.remedy("tell the provider, with these figures at several times of day; a full link looks the same: does anybody load it")
    });
}

/// Large packets alone are lost.
fn large_loss(facts: &Facts<'_>, explained: &[Symptom], found: &mut Vec<Finding>) {
    let (Some(small), Some(large)) = (facts.evidence.small_train.get(), facts.evidence.large_train.get())
    else {
        return;
    };
    let lost = large.sent().saturating_sub(large.received());
    // All of them may be a filter that minds large echo requests; and a host may answer only so many at once, which the
    // sizes, asked for at leisure, show.
    let asked = facts.evidence.sizes.all().iter().filter(|size| {
        size.packet_bytes >= 1_000 && size.too_big.is_none() && !size.is_local && size.received > 0
    });
    let (more_sent, more_received) =
        asked.fold((0, 0), |(sent, received), size| (sent + size.sent, received + size.received));
    let more_lost = more_sent - more_received.min(more_sent);
    let share = percent(lost + more_lost, large.sent() + more_sent);
    if small.received() == 0 || large.received() == 0 || lost < 2 || more_lost < 1 || share < 15.0 {
        return;
    }
    // A queue that they fill themselves is no fault of the line.
    if large.rate_bits_per_s().is_some_and(|rate| rate < NARROW) && large.sorted_us().last() > Some(&500_000)
    {
        return;
    }
    let host = facts.host();
    found.push(
        Finding::new(
            "PATH.LOSS",
            Layer::Path,
            "size",
            Confidence::Likely,
            format!("large packets to {host} are lost, {lost} of {}, and small ones are not", large.sent()),
        )
        .because(Fact::LargeTrain, format!("{lost} of {} packets of {} bytes were not answered", large.sent(), large.packet_bytes))
        .check(format!("netdiag ping -s {} -i 0.05 -c 100 {host}", large.packet_bytes.saturating_sub(28)))
        .because(Fact::SmallTrain, format!("of {} packets of {} bytes, {} were", small.sent(), small.packet_bytes, small.received()))
        .explains(explained)
        .remedy("a dirty line damages long frames first: connectors, cables, radio; tell the provider which sizes are lost"),
    );
}

/// Echo requests are not answered at all, and connections show that packets are lost.
fn by_connections(facts: &Facts<'_>, explained: &[Symptom], found: &mut Vec<Finding>) {
    let is_silent = facts.evidence.small_train.get().is_some_and(|train| train.received() == 0);
    let cannot_ask = facts.gateway().is_some_and(|gateway| gateway.pings.is_none());
    if !is_silent && !cannot_ask {
        return;
    }
    let Some(burst) = facts.evidence.burst.get() else { return };
    let tried = burst.first.iter().filter(|one| one.stands.is_some()).count();
    let late = burst
        .first
        .iter()
        .filter(|one| one.stands == Some(true) && one.syn_retransmissions.is_some_and(|n| n > 0))
        .count();
    let sent_again = facts.rounds().iter().filter_map(|round| round.retransmissions).max().unwrap_or(0);
    if tried < 6 || late < 2 || late + 1 >= tried {
        return;
    }
    let host = facts.host();
    found.push(
        Finding::new(
            "PATH.LOSS",
            Layer::Path,
            "tcp",
            Confidence::Likely,
            format!("packets to {host} are lost: {late} of {tried} connections needed a second SYN"),
        )
        .because(Fact::Burst, format!("{late} of {tried} connections stood only after their SYN was sent again; {sent_again} segments of data were sent again"))
        .check("nstat -az TcpRetransSegs TcpExtTCPSynRetrans")
        .explains(explained)
        .remedy("look at the link to the gateway first (ip -s link), then tell the provider"),
    );
}

/// Packets take long, or very differently long, or come twice or out of order.
pub(super) fn latency(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    /// Farther than around the world by cable, there and back.
    const LONG_US: u64 = 300_000;
    /// More than a call's buffer takes (RFC 5481 speaks of tens of milliseconds).
    const SPREAD_US: u64 = 60_000;
    let host = facts.asked().map_or_else(|| "the internet".to_owned(), |_| facts.host());
    let explained = [
        Symptom::Delay,
        Symptom::NameSlow,
        Symptom::ServiceSlow,
        Symptom::Loss,
        Symptom::LargeLoss,
        Symptom::Service,
        Symptom::Target4,
        Symptom::Target6,
        Symptom::Public,
        Symptom::Name,
        Symptom::Datagrams,
    ];
    let told = |train: &&Train| train.received() >= 4;
    let small = facts.evidence.small_train.get().filter(told).map(|train| (Fact::SmallTrain, train));
    let beat = facts.evidence.beat.get().filter(told).map(|train| (Fact::Beat, train));
    // A host of its own may be nearer or farther; only where nothing is known of the target does another stand for it.
    let beat = beat.filter(|_| !facts.attempts().any(|attempt| facts.reaches(attempt)));
    let chosen = small.or(beat);
    let train = chosen.map(|(_, train)| train);
    let (fact, median, least, spread, doubled) = if let Some((fact, train)) = chosen {
        (
            fact,
            train.median_us().unwrap_or(0),
            train.min_us().unwrap_or(0),
            train.spread_us().unwrap_or(0),
            train.duplicates,
        )
    } else {
        let Some(burst) = facts.evidence.burst.get() else { return };
        let mut times: Vec<u64> = burst
            .first
            .iter()
            .filter(|one| one.stands == Some(true) && one.syn_retransmissions == Some(0))
            .map(|one| one.elapsed_us)
            .collect();
        times.sort_unstable();
        let (Some(least), Some(high)) = (times.first(), times.get(times.len() * 9 / 10)) else { return };
        if times.len() < 4 {
            return;
        }
        (Fact::Burst, times[times.len() / 2], *least, high - least, 0)
    };
    let gateway = facts.gateway().filter(|gateway| gateway.answers_ping());
    let (detail, title, said) = if doubled >= 3 {
        let received = train.map_or(0, Train::received);
        (
            "duplicates",
            format!("packets to or from {host} come twice"),
            format!("{doubled} of {received} echo replies came more than once"),
        )
    } else if median > LONG_US {
        let what = if spread > LONG_US { ", and more at times: a queue is full" } else { "" };
        (
            if spread > LONG_US { "queue" } else { "delay" },
            format!("packets to {host} and back take {}{what}", time(median)),
            format!("half of the round trips take {} or more, the shortest {}", time(median), time(least)),
        )
    } else if spread > SPREAD_US && median > least + SPREAD_US / 4 {
        (
            "jitter",
            format!(
                "packets to {host} take very differently long: {} to {}",
                time(least),
                time(least + spread)
            ),
            format!(
                "the shortest round trip takes {}, and one in ten {} or more",
                time(least),
                time(least + spread)
            ),
        )
    } else {
        return;
    };
    let mut finding = Finding::new("PATH.LATENCY", Layer::Path, detail, Confidence::Likely, title)
        .because(fact, said)
        .check(format!("netdiag ping -i 0.05 -c 100 {host}"))
        .explains(&explained);
    if let Some(gateway) = gateway {
        finding = finding.because(
            Fact::Gateways,
            format!(
                "the gateway {} answers, so the delay is measured beside a link that works",
                gateway.address
            ),
        );
    }
    found.push(match detail {
        "duplicates" => finding.remedy("look for two ways that both carry every packet: a bridge loop, two access points, a mirror port"),
        "queue" => finding
            .remedy("look who loads the line: a backup, an upload; end it and measure again")
            .remedy("let the router keep its queue short (fq_codel, cake: smart queue management)"),
        _ => finding.remedy("far hosts, satellites and mobile radio are slow by nature; if it was not so before, tell the provider"),
    });
}

/// Below this rate, pages of today do not load.
const NARROW: f64 = 256_000.0;

/// Little goes through.
pub(super) fn bandwidth(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let (Some(small), Some(large)) = (facts.evidence.small_train.get(), facts.evidence.large_train.get())
    else {
        return;
    };
    let Some(rate) = large.rate_bits_per_s() else { return };
    // By itself each packet comes quickly, and one behind the other they wait.
    let idle = small.min_us().unwrap_or(0);
    let slowest = large.sorted_us().last().copied().unwrap_or(0);
    let least = small.min_us().unwrap_or(u64::MAX);
    // A queue that others fill is slow from the first.
    if rate >= NARROW || large.received() < 6 || slowest < least + 300_000 || least > 100_000 {
        return;
    }
    let host = facts.asked().map_or_else(|| "the internet".to_owned(), |_| facts.host());
    found.push(
        Finding::new(
            "PATH.BANDWIDTH",
            Layer::Path,
            "rate",
            Confidence::Likely,
            format!("the way to {host} is narrow: about {:.0} kbit/s", rate / 1e3),
        )
        .because(
            Fact::LargeTrain,
            format!("{} packets of {} bytes sent at once came back over {}", large.received(), large.packet_bytes, time(large.span_us)),
        )
        .because(Fact::SmallTrain, format!("a small one by itself takes {}", time(idle)))
        .check(format!("netdiag ping -c 5 {host}"))
        .explains(&[
            Symptom::Narrow,
            Symptom::ServiceSlow,
            Symptom::LargeLoss,
            Symptom::Loss,
            Symptom::Service,
            Symptom::Delay,
            Symptom::NameSlow,
        ])
        .remedy("look for a limit: a used-up data allowance, a guest network, a shaper of the router, somebody who loads the line"),
    );
}

/// Flows of one kind to the same hosts, of which some are answered at once and others never, however often they try: how
/// many never, and how many at once.
fn by_flows(facts: &Facts<'_>) -> Option<(usize, usize)> {
    // Echo requests to one host are of one flow: they come through, or none does.
    let calm = facts
        .evidence
        .beat
        .get()
        .is_some_and(|beat| beat.sent() >= 10 && (beat.loss_percent() < 5.0 || beat.received() == 0));
    let names = facts.names()?;
    let (mut dead, mut alive, mut hosts) = (0, 0, 0);
    for answer in names.own.iter().chain(&names.others) {
        let all: Vec<_> = answer.a.iter().chain(&answer.aaaa).collect();
        let at_once = all.iter().filter(|query| query.outcome.is_answer() && query.tries == 1).count();
        let never =
            all.iter().filter(|query| query.outcome == QueryOutcome::Silent && query.tries >= 3).count();
        // One that was answered at the second try is lost by chance.
        if at_once + never < all.len() {
            return None;
        }
        hosts += usize::from(at_once > 0 && never > 0);
        (dead, alive) = (dead + never, alive + at_once);
    }
    let is_split = (hosts >= 2 && dead >= 2) || (hosts >= 1 && dead >= 4);
    (calm && is_split && alive >= 2).then_some((dead, alive))
}

/// Of several ways one is dead, and ports decide which is taken.
pub(super) fn balanced(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(burst) = facts.evidence.burst.get() else { return };
    let by_port = super::filter::steered(&burst.first, &burst.again);
    let mixed = super::filter::scattered(&burst.first).filter(|_| {
        // Echo requests are of one flow, and so is a connection that stands: of neither is anything lost.
        let data_is_whole = facts.rounds().iter().all(|round| round.outcome == RoundOutcome::Whole);
        data_is_whole && facts.loss().is_none_or(|loss| loss.train.loss_percent() < 1.0)
    });
    let Some((always, never)) = by_port.or(mixed).or_else(|| by_flows(facts)) else { return };
    let Some(attempt) = facts.evidence.target.all().first() else { return };
    let confidence =
        if by_port.is_some() && always >= 3 && never >= 3 { Confidence::Certain } else { Confidence::Likely };
    let udp =
        facts.own_queries().iter().any(|query| query.tries > 1 || query.outcome == QueryOutcome::Silent);
    let mut finding = Finding::new(
        "PATH.ECMP_PARTIAL",
        Layer::Path,
        "ports",
        confidence,
        format!("one of several ways to {} is dead: some source ports always work, others never", attempt.address),
    )
    .because(
        Fact::Burst,
        if by_port.is_some() {
            format!("of {} connections at once, {never} stood and {always} did not; from the same ports once more, the same ones did", always + never)
        } else if mixed.is_none() {
            format!("of {} flows to the same hosts, {never} were answered at once and {always} never, while no echo request was lost", always + never)
        } else {
            format!("of {} connections at once, {never} stood and {always} did not, by turns; of what goes over one that stands, nothing is lost", always + never)
        },
    )
    .check(format!("for p in $(seq 40000 40015); do nc -vz -w 1 -p $p {} {}; done", attempt.address, attempt.port))
    .explains(&REACH)
    .explains(&[Symptom::Loss, Symptom::LargeLoss, Symptom::Service, Symptom::ServiceSlow, Symptom::Delay])
    .remedy("tell who balances the ways (ECMP, link aggregation): one member takes packets and passes none on");
    if udp {
        finding = finding.because(Fact::Names, "name servers had to be asked again, too");
    }
    found.push(finding);
}
