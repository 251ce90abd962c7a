//! Packets are lost, by chance or for a time.

use super::path_bandwidth::NARROW;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, SizeProbe, percent, time};
use crate::doctor::fact::Fact;
use crate::trace::Train;

/// Round trips that take at least so long at best, in microseconds, and so long by half of them, wait in a queue that is full;
/// it loses some as well, and is to blame.
const QUEUE_LEAST_US: u64 = 200_000;
const QUEUE_MEDIAN_US: u64 = 300_000;
/// So many lost of a long train are no accident.
const MANY: usize = 5;
/// So many packets with a wrong checksum are no accident.
const CORRUPT: u64 = 3;
/// A loss of so many percent to the gateway is felt; it is the whole of it if the rest is no more than so many times that.
const NEAR_PERCENT: f64 = 3.0;
const NEAR_TIMES: f64 = 2.5;
/// Large packets are those of so many bytes, and so many percent of them lost are more than accidents.
const LARGE_BYTES: usize = 1_000;
const LARGE_PERCENT: f64 = 15.0;
/// So many connections show by their SYNs what is lost, if so many of them needed a second one.
const CONNECTIONS: usize = 6;
const LATE: usize = 2;

/// Where packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Already on the way to the gateway.
    Local,
    /// Beyond the gateway.
    Upstream,
    /// On the way; the gateway does not tell.
    Path,
}

/// A loss without order.
struct Chance<'a> {
    fact: Fact,
    train: &'a Train,
    place: Place,
    gateway: Option<&'a Train>,
    /// The packets that came in damaged, if they are more than accidents.
    corrupt: Option<u64>,
}

/// What shows it.
enum Signs<'a> {
    /// Packets are lost in runs: so many of the longest run, which lasted so many microseconds.
    Outages { fact: Fact, train: &'a Train, longest: usize, span_us: u64 },
    /// Packets are lost without order.
    Chance(Chance<'a>),
    /// Large packets are lost, and small ones are not.
    Large { small: &'a Train, large: &'a Train, lost: usize },
    /// Echo requests are not answered at all, and so many of these connections needed a second SYN.
    Connections { late: usize, tried: usize, sent_again: u32 },
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).into_iter().map(|signs| finding(facts, &signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Vec<Signs<'a>> {
    if facts.loss().is_some_and(|loss| loss.is_felt) {
        felt(facts).into_iter().collect()
    } else {
        large(facts).into_iter().chain(connections(facts)).collect()
    }
}

fn felt<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let loss = facts.loss()?;
    let (fact, train) = (loss.fact, loss.train);
    let is_queue = train.min_us().is_some_and(|least| least > QUEUE_LEAST_US);
    if is_queue && train.median_us().is_some_and(|median| median > QUEUE_MEDIAN_US) {
        return None;
    }
    if loss.is_bursty && fact == Fact::LongTrain {
        let longest = train.gaps().into_iter().max().unwrap_or(0);
        let lost_us = u64::try_from(longest).unwrap_or(0) * train.interval_us;
        return Some(Signs::Outages { fact, train, longest, span_us: lost_us.max(train.longest_stall_us()) });
    }
    let corrupt =
        ["Tcp.InCsumErrors", "Icmp.InCsumErrors", "Udp.InCsumErrors"].map(|name| facts.counter(name));
    let corrupt: u64 = corrupt.iter().sum();
    let gateway = facts.evidence.gateway_train.get().filter(|train| train.received() > 0);
    let share = percent(missing(train), train.sent());
    let is_local = |near: f64| near >= NEAR_PERCENT && near * NEAR_TIMES >= share;
    let place = match gateway.map(Train::loss_percent) {
        Some(near) if is_local(near) => Place::Local,
        Some(_) => Place::Upstream,
        None => Place::Path,
    };
    let corrupt = Some(corrupt).filter(|corrupt| *corrupt >= CORRUPT);
    Some(Signs::Chance(Chance { fact, train, place, gateway, corrupt }))
}

fn missing(train: &Train) -> usize {
    train.sent().saturating_sub(train.received())
}

fn large<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let (small, large) = (facts.evidence.small_train.get()?, facts.evidence.large_train.get()?);
    let lost = missing(large);
    // All of them may be a filter that minds large echo requests; and a host may answer only so many at once, which the
    // sizes, asked for at leisure, show.
    let is_told = |size: &&SizeProbe| {
        size.packet_bytes >= LARGE_BYTES && size.too_big.is_none() && !size.is_local && size.received > 0
    };
    let asked = facts.evidence.sizes.all().iter().filter(is_told);
    let (more_sent, more_received) =
        asked.fold((0, 0), |(sent, received), size| (sent + size.sent, received + size.received));
    let more_lost = more_sent - more_received.min(more_sent);
    let share = percent(lost + more_lost, large.sent() + more_sent);
    if small.received() == 0 || large.received() == 0 || lost < 2 || more_lost < 1 || share < LARGE_PERCENT {
        return None;
    }
    // A queue that they fill themselves is no fault of the line.
    let fills_a_queue = large.rate_bits_per_s().is_some_and(|rate| rate < NARROW)
        && large.sorted_us().last() > Some(&500_000);
    (!fills_a_queue).then_some(Signs::Large { small, large, lost })
}

fn connections<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let is_silent = facts.evidence.small_train.get().is_some_and(|train| train.received() == 0);
    let cannot_ask = facts.gateway().is_some_and(|gateway| gateway.pings.is_none());
    let burst = facts.evidence.burst.get().filter(|_| is_silent || cannot_ask)?;
    let tried = burst.first.iter().filter(|one| one.stands.is_some()).count();
    let is_late = |one: &&crate::doctor::evidence::BurstConnect| {
        one.stands == Some(true) && one.syn_retransmissions > Some(0)
    };
    let late = burst.first.iter().filter(is_late).count();
    let sent_again = facts.rounds().iter().filter_map(|round| round.retransmissions).max().unwrap_or(0);
    // All of them are a filter's that lets so many through.
    let is_loss = tried >= CONNECTIONS && late >= LATE && late + 1 < tried;
    is_loss.then_some(Signs::Connections { late, tried, sent_again })
}

fn finding(facts: &Facts<'_>, signs: &Signs<'_>) -> Finding {
    let internet = || facts.asked().map_or_else(|| "the internet".to_owned(), |_| facts.host());
    let finding = match signs {
        Signs::Outages { fact, train, longest, span_us } => {
            outages(&internet(), *fact, train, *longest, *span_us)
        }
        Signs::Chance(chance) => chance.finding(&internet()),
        Signs::Large { small, large, lost } => {
            let (host, sent, bytes) = (facts.host(), large.sent(), large.packet_bytes);
            let title = format!("large packets to {host} are lost, {lost} of {sent}, and small ones are not");
            Finding::new(Cause::PathLoss, "size", Confidence::Likely, title)
                .shows(Symptom::LargeLoss)
                .because(Fact::LargeTrain, format!("{lost} of {sent} packets of {bytes} bytes were not answered"))
                .check(format!("netdiag ping -s {} -i 0.05 -c 100 {host}", bytes.saturating_sub(28)))
                .because(
                    Fact::SmallTrain,
                    format!("of {} packets of {} bytes, {} were", small.sent(), small.packet_bytes, small.received()),
                )
                .remedy("a dirty line damages long frames first: connectors, cables, radio; tell the provider which sizes are lost")
        }
        Signs::Connections { late, tried, sent_again } => {
            let title = format!(
                "packets to {} are lost: {late} of {tried} connections needed a second SYN",
                facts.host()
            );
            Finding::new(Cause::PathLoss, "tcp", Confidence::Likely, title)
                .because(Fact::Burst, format!("{late} of {tried} connections stood only after their SYN was sent again; {sent_again} segments of data were sent again"))
                .check("nstat -az TcpRetransSegs TcpExtTCPSynRetrans")
                .remedy("look at the link to the gateway first (ip -s link), then tell the provider")
        }
    };
    finding.explains(&[
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
    ])
}

fn outages(host: &str, fact: Fact, train: &Train, longest: usize, span_us: u64) -> Finding {
    let (missing, sent) = (missing(train), train.sent());
    let title = format!("the way to {host} is dead for moments: up to {} at a time", time(span_us));
    Finding::new(Cause::PathIntermittent, "outages", Confidence::Likely, title)
        .because(fact, format!("{missing} of {sent} echo requests were lost, up to {longest} in a row: chance would scatter them"))
        .check(format!("netdiag ping -i 0.05 -c 200 {host}"))
        .remedy("look what happens so often: a radio that roams, a link that resyncs, a router that starts again, a balancer's dead half")
}

impl Chance<'_> {
    fn finding(&self, host: &str) -> Finding {
        let Self { fact, train, place, gateway, corrupt } = self;
        let (missing, sent) = (missing(train), train.sent());
        let share = percent(missing, sent);
        let is_certain = *fact == Fact::LongTrain && missing >= MANY;
        let confidence = if is_certain { Confidence::Certain } else { Confidence::Likely };
        let (detail, said) = match place {
            _ if corrupt.is_some() => ("corruption", "and of those that come, some are damaged"),
            Place::Local => ("local", "already on the way to the gateway"),
            Place::Upstream => ("upstream", "beyond the gateway"),
            Place::Path => ("path", "on the way"),
        };
        let title = format!("{share:.0} % of the packets to {host} are lost, {said}");
        let mut finding = Finding::new(Cause::PathLoss, detail, confidence, title)
            .because(*fact, format!("{missing} of {sent} echo requests were not answered, without order"))
            .check(format!("netdiag ping -i 0.05 -c 200 {host}"));
        if let Some(gateway) = gateway {
            let (sent, near) = (gateway.sent(), gateway.loss_percent());
            let said = format!("of {sent} to the gateway at the same time, {near:.0} % were");
            finding = finding.because(Fact::GatewayTrain, said);
        }
        if let Some(corrupt) = corrupt {
            finding = finding
                .because(Fact::Counters, format!("{corrupt} packets came in with a wrong checksum"))
                .check("nstat -az TcpInCsumErrors IcmpInCsumErrors UdpInCsumErrors");
        }
        match place {
            Place::Local => finding.remedy("look at the cable, the switch port and the radio between this machine and its gateway: ip -s link, ethtool -S"),
            Place::Upstream | Place::Path => finding.remedy("tell the provider, with these figures at several times of day; a full link looks the same: does anybody load it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::{burst_connect, train};
    use crate::doctor::evidence::{Burst, Evidence, Item};

    fn told(change: impl FnOnce(&mut Evidence)) -> Vec<(&'static str, Confidence)> {
        super::super::told(findings, change)
    }

    /// A train of a hundred of which each tenth, or whatever `every` says, is lost.
    fn scattered(every: usize) -> Train {
        let mut train = train(100, 100);
        for lost in train.rtts_us.iter_mut().step_by(every) {
            *lost = None;
        }
        train
    }

    #[test]
    fn one_lost_of_two_dozen_may_be_an_accident() {
        assert_eq!(told(|evidence| evidence.small_train = Item::known(train(24, 23))), []);
        let two = told(|evidence| evidence.small_train = Item::known(train(24, 22)));
        assert_eq!(two, [("path", Confidence::Likely)]);
    }

    #[test]
    fn a_long_train_that_loses_many_is_certain_of_where() {
        let far = told(|evidence| {
            evidence.long_train = Item::known(scattered(10));
            evidence.gateway_train = Item::known(train(90, 90));
        });
        assert_eq!(far, [("upstream", Confidence::Certain)]);
        let near = told(|evidence| {
            evidence.long_train = Item::known(scattered(10));
            evidence.gateway_train = Item::known(scattered(11));
        });
        assert_eq!(near, [("local", Confidence::Certain)]);
    }

    #[test]
    fn damaged_packets_count_from_the_threshold_on() {
        let corrupt = |count| {
            told(|evidence| {
                evidence.long_train = Item::known(scattered(10));
                evidence.counters.change(|counters| {
                    counters.insert("Icmp.InCsumErrors".to_owned(), count);
                });
            })
        };
        assert_eq!(corrupt(CORRUPT - 1), [("path", Confidence::Certain)]);
        assert_eq!(corrupt(CORRUPT), [("corruption", Confidence::Certain)]);
    }

    #[test]
    fn without_echoes_connections_that_were_late_tell_unless_all_of_them_were() {
        let late = |count: usize| {
            told(|evidence| {
                evidence.small_train = Item::known(train(24, 0));
                evidence.beat = Item::default();
                let one = |number: usize| {
                    let mut one = burst_connect(40_000, true);
                    one.syn_retransmissions = Some(u32::from(number < count));
                    one
                };
                let first = (0..14).map(one).collect();
                evidence.burst = Item::known(Burst { first, again: Vec::new() });
            })
        };
        assert_eq!(late(LATE - 1), []);
        assert_eq!(late(LATE), [("tcp", Confidence::Likely)]);
        assert_eq!(late(13), []);
    }
}
