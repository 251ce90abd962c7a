//! Packets are lost, by chance or for a time.

use super::path_bandwidth::NARROW;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, percent, time};
use crate::doctor::fact::Fact;
use crate::trace::Train;

/// Packets are lost, by chance or for a time.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
                Cause::PathIntermittent,
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
        Cause::PathLoss,
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
            Cause::PathLoss,
            "size",
            Confidence::Likely,
            format!("large packets to {host} are lost, {lost} of {}, and small ones are not", large.sent()),
        )
        .because(Fact::LargeTrain, format!("{lost} of {} packets of {} bytes were not answered", large.sent(), large.packet_bytes))
        .check(format!("netdiag ping -s {} -i 0.05 -c 100 {host}", large.packet_bytes.saturating_sub(28)))
        .because(Fact::SmallTrain, format!("of {} packets of {} bytes, {} were", small.sent(), small.packet_bytes, small.received()))
        .explains(explained)
.shows(Symptom::LargeLoss)
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
            Cause::PathLoss,
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
