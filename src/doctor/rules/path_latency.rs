//! Packets take long, or very differently long, or come twice.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Burst, Facts, Gateway, time};
use crate::doctor::fact::Fact;
use crate::trace::Train;

/// A round trip, in microseconds, that takes longer goes farther than around the world by cable, there and back.
const LONG_US: u64 = 300_000;
/// Round trips that differ by more, in microseconds, are more than a call's buffer takes (RFC 5481 speaks of tens of
/// milliseconds).
const SPREAD_US: u64 = 60_000;
/// So many replies that came twice are no accident.
const DOUBLED: usize = 3;
/// Of fewer round trips no median is told.
const LEAST: usize = 4;

/// What is wrong with the times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Replies come twice.
    Duplicates,
    /// Round trips take long, and more at times.
    Queue,
    /// Round trips take long.
    Delay,
    /// Round trips take very differently long.
    Jitter,
}

impl Detail {
    fn name(self) -> &'static str {
        match self {
            Self::Duplicates => "duplicates",
            Self::Queue => "queue",
            Self::Delay => "delay",
            Self::Jitter => "jitter",
        }
    }
}

/// Round-trip times, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// The fact that has them.
    fact: Fact,
    median: u64,
    least: u64,
    /// How much longer one in ten takes than the least.
    spread: u64,
    received: usize,
    doubled: usize,
}

/// What shows it.
struct Signs<'a> {
    times: Times,
    detail: Detail,
    /// A gateway that answers, beside which the delay was measured.
    gateway: Option<&'a Gateway>,
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).map(|signs| finding(facts, &signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let evidence = facts.evidence;
    let told = |train: &&Train| train.received() >= LEAST;
    // A host of its own may be nearer or farther; only where nothing is known of the target does another stand for it.
    let is_reached = facts.attempts().any(|attempt| facts.reaches(attempt));
    let small = evidence.small_train.get().filter(told).map(|train| Times::of(Fact::SmallTrain, train));
    let beat = evidence.beat.get().filter(told).filter(|_| !is_reached);
    let times = small
        .or_else(|| beat.map(|train| Times::of(Fact::Beat, train)))
        .or_else(|| evidence.burst.get().and_then(Times::of_connections))?;
    let gateway = facts.gateway().filter(|gateway| gateway.answers_ping());
    Some(Signs { detail: times.detail()?, times, gateway })
}

impl Times {
    fn of(fact: Fact, train: &Train) -> Self {
        Self {
            fact,
            median: train.median_us().unwrap_or(0),
            least: train.min_us().unwrap_or(0),
            spread: train.spread_us().unwrap_or(0),
            received: train.received(),
            doubled: train.duplicates,
        }
    }

    /// The times of connections that stood at their first SYN.
    fn of_connections(burst: &Burst) -> Option<Self> {
        let at_once = burst.first.iter().filter(|one| one.stands == Some(true));
        let at_once = at_once.filter(|one| one.syn_retransmissions == Some(0));
        let mut times: Vec<u64> = at_once.map(|one| one.elapsed_us).collect();
        times.sort_unstable();
        if times.len() < LEAST {
            return None;
        }
        let (least, high) = (*times.first()?, *times.get(times.len() * 9 / 10)?);
        Some(Self {
            fact: Fact::Burst,
            median: times[times.len() / 2],
            least,
            spread: high - least,
            received: 0,
            doubled: 0,
        })
    }

    fn detail(&self) -> Option<Detail> {
        if self.doubled >= DOUBLED {
            Some(Detail::Duplicates)
        } else if self.median > LONG_US {
            Some(if self.spread > LONG_US { Detail::Queue } else { Detail::Delay })
        } else if self.spread > SPREAD_US && self.median > self.least + SPREAD_US / 4 {
            Some(Detail::Jitter)
        } else {
            None
        }
    }
}

fn finding(facts: &Facts<'_>, signs: &Signs<'_>) -> Finding {
    let Signs { times, detail, gateway } = signs;
    let host = facts.asked().map_or_else(|| "the internet".to_owned(), |_| facts.host());
    let (median, least, high) = (time(times.median), time(times.least), time(times.least + times.spread));
    let (title, said) = match detail {
        Detail::Duplicates => (
            format!("packets to or from {host} come twice"),
            format!("{} of {} echo replies came more than once", times.doubled, times.received),
        ),
        Detail::Queue | Detail::Delay => {
            let what = if *detail == Detail::Queue { ", and more at times: a queue is full" } else { "" };
            (
                format!("packets to {host} and back take {median}{what}"),
                format!("half of the round trips take {median} or more, the shortest {least}"),
            )
        }
        Detail::Jitter => (
            format!("packets to {host} take very differently long: {least} to {high}"),
            format!("the shortest round trip takes {least}, and one in ten {high} or more"),
        ),
    };
    let mut finding = Finding::new(Cause::PathLatency, detail.name(), Confidence::Likely, title)
        .because(times.fact, said)
        .check(format!("netdiag ping -i 0.05 -c 100 {host}"))
        .explains(&[
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
        ]);
    if let Some(gateway) = gateway {
        let ip = gateway.address;
        let said = format!("the gateway {ip} answers, so the delay is measured beside a link that works");
        finding = finding.because(Fact::Gateways, said);
    }
    match detail {
        Detail::Duplicates => finding.remedy("look for two ways that both carry every packet: a bridge loop, two access points, a mirror port"),
        Detail::Queue => finding
            .remedy("look who loads the line: a backup, an upload; end it and measure again")
            .remedy("let the router keep its queue short (fq_codel, cake: smart queue management)"),
        Detail::Delay | Detail::Jitter => finding.remedy("far hosts, satellites and mobile radio are slow by nature; if it was not so before, tell the provider"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(median: u64, least: u64, spread: u64, doubled: usize) -> Option<Detail> {
        Times { fact: Fact::SmallTrain, median, least, spread, received: 24, doubled }.detail()
    }

    #[test]
    fn long_is_beyond_the_threshold() {
        assert_eq!(of(LONG_US, LONG_US, 0, 0), None);
        assert_eq!(of(LONG_US + 1, LONG_US, 0, 0), Some(Detail::Delay));
        assert_eq!(of(LONG_US + 1, 1_000, LONG_US + 1, 0), Some(Detail::Queue));
    }

    #[test]
    fn jitter_is_beyond_the_threshold_and_felt_by_half_of_the_packets() {
        assert_eq!(of(50_000, 1_000, SPREAD_US, 0), None);
        assert_eq!(of(50_000, 1_000, SPREAD_US + 1, 0), Some(Detail::Jitter));
        assert_eq!(of(1_000 + SPREAD_US / 4, 1_000, SPREAD_US + 1, 0), None);
    }

    #[test]
    fn two_doubled_replies_are_an_accident() {
        assert_eq!(of(1_000, 1_000, 0, DOUBLED - 1), None);
        assert_eq!(of(1_000, 1_000, 0, DOUBLED), Some(Detail::Duplicates));
    }

    #[test]
    fn few_connections_have_no_median() {
        use crate::doctor::evidence::healthy::burst_connect;
        let burst = |count| Burst { first: vec![burst_connect(40_000, true); count], again: Vec::new() };
        assert!(Times::of_connections(&burst(LEAST - 1)).is_none());
        assert!(Times::of_connections(&burst(LEAST)).is_some());
    }
}
