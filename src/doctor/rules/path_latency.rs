//! Packets take long, or very differently long, or come twice.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, time};
use crate::doctor::fact::Fact;
use crate::trace::Train;

/// Packets take long, or very differently long, or come twice or out of order.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
    let mut finding = Finding::new(Cause::PathLatency, detail, Confidence::Likely, title)
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
