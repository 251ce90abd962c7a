//! The engine in virtual time, with a network made up here.

use std::net::IpAddr;

use super::*;
use crate::ping::body::Verdict;
use crate::ping::hosts::Slot;
use crate::ping::report::Outcome;
use crate::sys::{LinkAddress, Network};
use crate::wire::echo::{Echo, Message};

const MS: Nanos = 1_000_000;
const S: Nanos = 1_000 * MS;

fn settings() -> Settings {
    Settings {
        count: Some(4),
        sweep_count: 1,
        retries: 0,
        pace: Pace::Every(S),
        spacing: MS,
        gap: MS,
        sweep_window: usize::MAX,
        timeout: 2 * S,
        size: 56,
        finds_pmtu: false,
        waits_for_neighbours: true,
        telling: Telling::Usual,
    }
}

fn hosts(singles: &[&str], prefixes: &[&str]) -> Hosts {
    hosts_seen_from(Network::default(), singles, prefixes)
}

fn hosts_seen_from(network: Network, singles: &[&str], prefixes: &[&str]) -> Hosts {
    let mut hosts = Hosts::new(network);
    for ip in singles {
        let address = Address::from(ip.parse::<IpAddr>().unwrap());
        hosts.add(Slot { target: (*ip).into(), address: Ok(address), tier: None, remark: None });
    }
    for prefix in prefixes {
        hosts.add_sweep(prefix.parse().unwrap());
    }
    hosts
}

/// What the made-up network does to one probe.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is answered after so long.
    Reply(Nanos),
    /// It is answered so often, each so long after the last.
    Replies(u32, Nanos),
    Lost,
    /// A router complains after so long, and the answer comes after so long more.
    Complained(u8, Nanos, Option<Nanos>),
    /// The kernel has no room.
    NoRoom,
    /// The kernel has no room for the neighbour.
    NoNeighbour,
}

/// Something under way.
enum Coming {
    Reply(IpAddr, u16, Vec<u8>),
    Complaint(IpAddr, u16, u8, Vec<u8>),
}

/// Runs an engine against a network that `fate` makes up, by the slot, the number and the time.
struct Simulation<F> {
    engine: Engine,
    now: Moment,
    coming: Vec<(Moment, Coming)>,
    fate: F,
    sent: u64,
    news: Vec<Happening>,
}

impl<F: FnMut(&Probe, Moment) -> Fate> Simulation<F> {
    fn new(settings: Settings, hosts: Hosts, fate: F) -> Self {
        let now = 1_000 * S;
        let engine = Engine::new(settings, hosts, Cookie::of(7), now);
        Self { engine, now, coming: Vec::new(), fate, sent: 0, news: Vec::new() }
    }

    /// Runs until all is known, or the end; gives the time it took.
    fn run(&mut self, most: Nanos) -> Nanos {
        let start = self.now;
        while !self.engine.is_done() && self.now < start + most {
            self.step();
        }
        self.now - start
    }

    fn step(&mut self) {
        let now = self.now;
        let mut due: Vec<_> = self.coming.extract_if(.., |(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        for (at, coming) in due {
            self.arrive(at, coming);
        }
        self.engine.expire(now);
        let mut news = self.engine.take_news();
        self.news.append(&mut news);
        if self.engine.is_done() {
            return;
        }
        let mut batch = Vec::new();
        self.engine.fill(now, 16, &mut batch);
        let is_idle = batch.is_empty();
        if is_idle && self.engine.is_done() {
            return;
        }
        for (index, probe) in batch.iter().enumerate() {
            if !self.send(probe, &batch[index..]) {
                break;
            }
        }
        if is_idle {
            let next = self.coming.iter().map(|(at, _)| *at).min();
            let wake = [next, self.engine.next_wake()].into_iter().flatten().min();
            self.now = wake.unwrap_or(now + S).max(now + 1);
        } else {
            self.now += 1_000;
        }
    }

    /// Whether the next of the batch may go.
    fn send(&mut self, probe: &Probe, rest: &[Probe]) -> bool {
        let (now, ip) = (self.now, probe.address.ip);
        let mut body = Vec::new();
        self.engine.cookie().emit(named_probe(probe.slot, probe.number), probe.size.into(), &mut body);
        let [low, high, ..] = probe.number.to_le_bytes();
        let sequence = u16::from_le_bytes([low, high]);
        let why = || Reason { from: None, icmp_type: None, code: None, meaning: "no room".into(), mtu: None };
        let fate = (self.fate)(probe, now);
        match fate {
            Fate::NoRoom => {
                self.engine.hold(rest, why(), now);
                return false;
            }
            Fate::NoNeighbour => return self.engine.hold_for_neighbour(rest, why(), now) > 0,
            _ => {}
        }
        self.sent += 1;
        self.engine.sent(probe, now);
        self.engine.left(named_probe(probe.slot, probe.number), now);
        match fate {
            Fate::Reply(rtt) => self.coming.push((now + rtt, Coming::Reply(ip, sequence, body))),
            Fate::Replies(count, rtt) => {
                for copy in 1..=u64::from(count) {
                    self.coming.push((now + copy * rtt, Coming::Reply(ip, sequence, body.clone())));
                }
            }
            Fate::Complained(icmp_type, after, reply) => {
                self.coming.push((now + after, Coming::Complaint(ip, sequence, icmp_type, body.clone())));
                if let Some(more) = reply {
                    self.coming.push((now + after + more, Coming::Reply(ip, sequence, body)));
                }
            }
            _ => {}
        }
        true
    }

    fn arrive(&mut self, at: Moment, coming: Coming) {
        match coming {
            Coming::Reply(ip, sequence, body) => self.engine.reply(&true_reply(ip, sequence, &body, at)),
            Coming::Complaint(ip, sequence, icmp_type, body) => {
                let error = Reason {
                    from: Some([10, 0, 0, 254].into()),
                    icmp_type: Some(icmp_type),
                    code: Some(1),
                    meaning: "told".into(),
                    mtu: None,
                };
                self.engine.complaint(Complaint { to: ip.into(), sequence, body: &body, error }, at);
            }
        }
    }

    fn told(&self, is_it: impl Fn(&What) -> bool) -> usize {
        self.news.iter().filter(|happening| is_it(&happening.what)).count()
    }
}

fn true_reply(ip: IpAddr, sequence: u16, body: &[u8], at: Moment) -> Reply<'_> {
    Reply {
        from: ip.into(),
        sequence,
        body,
        is_ours: true,
        is_sound: true,
        ttl: Some(64),
        at,
        heard: at,
        is_stamped: true,
    }
}

#[test]
fn a_day_at_ten_a_second_wraps_sequence_numbers_and_loses_nothing() {
    let day = 24 * 3600 * 10;
    let forever = Settings { count: Some(day), pace: Pace::Every(100 * MS), ..settings() };
    // Every 1,000th is lost; from 500,000 on nothing comes for a minute; some replies overtake others.
    let mut simulation = Simulation::new(forever, hosts(&["10.0.0.1"], &[]), |probe, _| match probe.number {
        number if number % 1_000 == 0 || (500_001..=500_600).contains(&number) => Fate::Lost,
        number if number % 1_001 == 0 => Fate::Reply(150 * MS),
        number => Fate::Reply(20 * MS + (number % 7) * MS),
    });
    let took = simulation.run(48 * 3600 * S);
    let statistics = simulation.engine.statistics(0);
    assert!((24 * 3600 * S..24 * 3600 * S + 3 * S).contains(&took), "{took}");
    assert_eq!((statistics.sent(), statistics.in_flight()), (day, 0));
    assert_eq!(statistics.lost(), day / 1_000 + 600, "{statistics:?}");
    assert_eq!(statistics.received(), day - statistics.lost());
    assert!(statistics.reordered() > 800, "{}", statistics.reordered());
    assert_eq!(
        (statistics.duplicates, statistics.late, statistics.rejected, statistics.corrupted),
        (0, 0, 0, 0)
    );
    let outage = statistics.outages.longest().expect("a minute");
    assert_eq!((outage.probes, outage.duration()), (601, 601 * 100 * MS), "500,000 is lost too");
    let rtt = statistics.rtt().expect("replies");
    assert!((rtt.p50 / 23_000.0 - 1.0).abs() < 0.01, "{rtt:?}");
}

#[test]
fn time_outs_late_duplicate_and_reordered_replies_are_told_apart() {
    let mut simulation =
        Simulation::new(settings(), hosts(&["10.0.0.1"], &[]), |probe, _| match probe.number {
            1 => Fate::Reply(2_500 * MS),
            2 => Fate::Replies(3, 10 * MS),
            3 => Fate::Reply(1_500 * MS),
            _ => Fate::Reply(10 * MS),
        });
    simulation.run(60 * S);
    let statistics = simulation.engine.statistics(0);
    assert_eq!((statistics.received(), statistics.lost()), (3, 1), "late is lost: {statistics:?}");
    assert_eq!((statistics.late, statistics.duplicates, statistics.reordered()), (1, 2, 1));
    assert_eq!(simulation.told(|what| *what == What::TimedOut), 1);
    assert_eq!(simulation.told(|what| matches!(what, What::Late { rtt: 2_500_000_000, .. })), 1);
}

#[test]
fn an_error_ends_a_probe_at_once_and_a_redirect_does_not() {
    let mut simulation =
        Simulation::new(settings(), hosts(&["10.0.0.1"], &[]), |probe, _| match probe.number {
            1 => Fate::Complained(3, 5 * MS, None),
            2 => Fate::Complained(5, 5 * MS, Some(5 * MS)),
            // Somebody's error was wrong, as the reply shows.
            3 => Fate::Complained(3, 5 * MS, Some(5 * MS)),
            _ => Fate::Complained(4, 5 * MS, None),
        });
    simulation.run(60 * S);
    let statistics = simulation.engine.statistics(0);
    assert_eq!((statistics.received(), statistics.lost(), statistics.notices), (2, 2, 2), "{statistics:?}");
    let errors: Vec<_> = statistics.errors().iter().map(|(_, count)| *count).collect();
    assert_eq!(errors, [2], "of one kind from one sender");
    let failed = simulation.news.iter().find(|told| matches!(told.what, What::Failed(_))).expect("told");
    assert_eq!(failed.at, 1_000 * S + 5 * MS, "at once, not after the time-out");
}

#[test]
fn nothing_that_is_not_a_true_reply_counts() {
    let mut simulation =
        Simulation::new(settings(), hosts(&["10.0.0.1", "10.0.0.2"], &[]), |_, _| Fate::Lost);
    (0..8).for_each(|_| simulation.step());
    let at = simulation.now;
    let engine = &mut simulation.engine;
    let body = |slot, number| {
        let mut body = Vec::new();
        Cookie::of(7).emit(named_probe(slot, number), 56, &mut body);
        body
    };
    let (good, ip): (_, IpAddr) = (body(0, 1), [10, 0, 0, 1].into());
    let counts = |engine: &Engine, slot| {
        let statistics = engine.statistics(slot);
        (statistics.received(), statistics.corrupted, statistics.rejected)
    };
    // A wrong source; another target's address; a sequence number that was never sent.
    engine.reply(&true_reply([10, 0, 0, 9].into(), 1, &good, at));
    engine.reply(&true_reply([10, 0, 0, 2].into(), 1, &good, at));
    engine.reply(&true_reply(ip, 2, &good, at));
    engine.reply(&true_reply(ip, 40_000, &good, at));
    assert_eq!((counts(engine, 0), counts(engine, 1)), ((0, 0, 3), (0, 0, 1)));
    // Another identifier, with and without our cookie.
    engine.reply(&Reply { is_ours: false, ..true_reply(ip, 1, &good, at) });
    engine.reply(&Reply { is_ours: false, ..true_reply(ip, 1, &[0; 56], at) });
    assert_eq!(counts(engine, 0), (0, 0, 4), "another program's ping is nobody's business");
    // One byte changed, cut, too long, empty, a wrong checksum.
    let mut changed = good.clone();
    changed[40] ^= 1;
    let long = [good.clone(), vec![0; 2_000]].concat();
    for (count, wrong) in [(1, &changed[..]), (2, &good[..30]), (3, &long), (4, &[])] {
        engine.reply(&true_reply(ip, 1, wrong, at));
        assert_eq!(counts(engine, 0), (0, count, 4));
    }
    engine.reply(&Reply { is_sound: false, ..true_reply(ip, 1, &good, at) });
    assert_eq!((counts(engine, 0), counts(engine, 1)), ((0, 5, 4), (0, 0, 1)));
    // Errors about what was never sent: another target, another number, another body.
    let error = Reason { from: Some(ip), icmp_type: Some(3), code: Some(1), meaning: "x".into(), mtu: None };
    for (to, sequence, body) in
        [([10, 0, 0, 9], 1, &good), ([10, 0, 0, 1], 9, &good), ([10, 0, 0, 1], 1, &changed)]
    {
        let to = IpAddr::from(to).into();
        engine.complaint(Complaint { to, sequence, body, error: error.clone() }, at);
    }
    assert_eq!((counts(engine, 0), engine.statistics(0).has_errors()), ((0, 5, 7), false));
    // And the true one still does.
    engine.reply(&true_reply(ip, 1, &good, at));
    assert_eq!(counts(engine, 0), (1, 5, 7));
    assert_eq!(engine.strays, 0);
}

#[test]
fn the_same_address_twice_is_two_targets_whatever_the_size() {
    for size in [0, 4, 56] {
        let small = Settings { size, ..settings() };
        let twice = hosts(&["10.0.0.1", "10.0.0.1"], &["10.0.0.0/30"]);
        let mut simulation = Simulation::new(small, twice, |_, _| Fate::Reply(3 * MS));
        simulation.run(60 * S);
        for slot in 0..2 {
            let statistics = simulation.engine.statistics(slot);
            assert_eq!(
                (statistics.sent(), statistics.received(), statistics.duplicates),
                (4, 4, 0),
                "{size} {slot}"
            );
        }
        assert_eq!(simulation.engine.glance(2), Glance::Alive, "{size}");
    }
}

#[test]
fn a_sweep_takes_its_pace_and_no_longer() {
    let mut simulation = Simulation::new(settings(), hosts(&[], &["10.1.0.0/20"]), |probe, _| {
        if probe.slot % 2 == 0 { Fate::Reply(MS) } else { Fate::Lost }
    });
    let took = simulation.run(60 * S);
    assert!(
        (4_094 * MS + 2 * S - 10 * MS..4_094 * MS + 2 * S + 50 * MS).contains(&took),
        "{took} {} {:?}",
        simulation.sent,
        simulation.engine.progress
    );
    assert_eq!(simulation.sent, 4_094);
    let alive = (0..4_094).filter(|slot| simulation.engine.glance(*slot) == Glance::Alive).count();
    assert_eq!((alive, simulation.engine.progress.alive), (2_047, 2_047));
    // The same with nothing to hold it back.
    let fast = Settings { gap: 0, ..settings() };
    let mut simulation = Simulation::new(fast, hosts(&[], &["10.1.0.0/20"]), |_, _| Fate::Lost);
    let took = simulation.run(60 * S);
    assert!((2 * S..2 * S + 10 * MS).contains(&took), "{took}");
    // In a window, which the silent keep full.
    let narrow = Settings { gap: 0, sweep_window: 64, ..settings() };
    let mut open = 0;
    let mut simulation = Simulation::new(narrow, hosts(&[], &["10.1.0.0/24"]), |_, _| Fate::Lost);
    while !simulation.engine.is_done() {
        simulation.step();
        open = open.max(simulation.engine.sweeping);
    }
    assert_eq!((simulation.sent, open), (254, 64));
}

#[test]
fn retries_are_for_those_that_have_not_answered() {
    let retrying = Settings { retries: 3, ..settings() };
    let mut simulation =
        Simulation::new(retrying, hosts(&["10.9.0.1"], &["10.1.0.0/29"]), |probe, _| {
            match (probe.slot, probe.number) {
                (1, _) | (2, 3) | (0, 6) => Fate::Reply(MS),
                _ => Fate::Lost,
            }
        });
    simulation.run(120 * S);
    let sent: Vec<u64> = (0..7).map(|slot| simulation.engine.statistics(slot).sent()).collect();
    assert_eq!(sent, [6, 1, 3, 4, 4, 4, 4]);
    assert_eq!(simulation.engine.glance(2), Glance::Alive);
}

#[test]
fn a_full_table_of_neighbours_is_waited_for_in_rounds() {
    // Only 100 may be there; each leaves after 30 s.
    let mut neighbours: Vec<(Moment, SlotId)> = Vec::new();
    let mut simulation = Simulation::new(settings(), hosts(&[], &["10.1.0.0/24"]), move |probe, now| {
        neighbours.retain(|(until, _)| *until > now);
        if neighbours.len() >= 100 {
            return Fate::NoNeighbour;
        }
        neighbours.push((now + 30 * S, probe.slot));
        Fate::Reply(MS)
    });
    let took = simulation.run(600 * S);
    let odd: Vec<_> = (0..254).filter(|slot| simulation.engine.glance(*slot) != Glance::Alive).collect();
    assert_eq!(
        odd,
        [] as [u32; 0],
        "{took} {:?} {:?}",
        simulation.engine.neighbours,
        simulation.engine.tracks[odd[0] as usize]
    );
    assert!((60 * S..66 * S).contains(&took), "two waits: {took}");
    assert!(simulation.engine.neighbours.refusals < 1_000, "{:?}", simulation.engine.neighbours);
    // One whose neighbour is not found while others crowd the table is asked again when they do not.
    let own = LinkAddress::new(2, [10, 1, 99, 1].into(), 16);
    let network = Network { addresses: Some(vec![own]), ..Network::default() };
    let hosts_on_link = hosts_seen_from(network, &[], &["10.1.0.0/24"]);
    let mut count = 0;
    let mut simulation = Simulation::new(settings(), hosts_on_link, move |probe, _| {
        count += 1;
        match (probe.slot, count) {
            (7, ..200) => Fate::Lost,
            (_, 100..300) => Fate::NoNeighbour,
            _ => Fate::Reply(MS),
        }
    });
    let took = simulation.run(600 * S);
    assert_eq!(simulation.engine.glance(7), Glance::Alive, "{took}");
    assert_eq!(simulation.engine.statistics(7).sent(), 2);
    // Nobody leaves: it ends all the same, and those are not silent.
    let mut count = 0;
    let mut simulation = Simulation::new(settings(), hosts(&[], &["10.1.0.0/24"]), move |_, _| {
        count += 1;
        if count > 100 { Fate::NoNeighbour } else { Fate::Reply(MS) }
    });
    let took = simulation.run(6_000 * S);
    assert!(simulation.engine.is_done() && took < 200 * S, "{took}");
    let of = |glance| (0..254).filter(|slot| simulation.engine.glance(*slot) == glance).count();
    assert_eq!((of(Glance::Alive), of(Glance::Error), of(Glance::Silent)), (100, 154, 0));
    // Without waiting.
    let mut count = 0;
    let hasty = Settings { waits_for_neighbours: false, ..settings() };
    let mut simulation = Simulation::new(hasty, hosts(&[], &["10.1.0.0/24"]), move |_, _| {
        count += 1;
        if count > 100 { Fate::NoNeighbour } else { Fate::Reply(MS) }
    });
    assert!(simulation.run(6_000 * S) < S);
    assert_eq!((simulation.engine.neighbours.given_up, simulation.engine.progress.alive), (154, 100));
}

#[test]
fn no_room_to_send_is_waited_for_and_then_told() {
    let mut simulation = Simulation::new(settings(), hosts(&["10.0.0.1"], &[]), |_, now| {
        if now < 1_000 * S + 20 * MS { Fate::NoRoom } else { Fate::Reply(MS) }
    });
    simulation.run(60 * S);
    let statistics = simulation.engine.statistics(0);
    assert_eq!((statistics.sent(), statistics.received(), statistics.unsent()), (4, 4, 0));
    let mut simulation = Simulation::new(settings(), hosts(&["10.0.0.1"], &[]), |_, _| Fate::NoRoom);
    simulation.run(60 * S);
    let statistics = simulation.engine.statistics(0);
    assert!(simulation.engine.is_done());
    assert_eq!((statistics.sent(), statistics.unsent(), statistics.outcome()), (0, 4, Some(Outcome::Error)));
}

#[test]
fn what_a_sleeping_machine_could_not_hear_is_not_lost() {
    let mut simulation = Simulation::new(settings(), hosts(&["10.0.0.1"], &["10.1.0.0/29"]), |probe, now| {
        if now < 1_000 * S + 500 * MS && probe.number == 1 { Fate::Lost } else { Fate::Reply(MS) }
    });
    while simulation.sent < 7 {
        simulation.step();
    }
    simulation.engine.excuse(simulation.now);
    simulation.run(60 * S);
    let statistics = simulation.engine.statistics(0);
    assert_eq!(
        (statistics.lost(), statistics.received(), statistics.in_flight()),
        (0, 3, 1),
        "{statistics:?}"
    );
    assert!(statistics.outages.longest().is_none(), "not an outage either");
    assert!((1..7).all(|slot| simulation.engine.glance(slot) == Glance::Alive), "a sweep asks again");
}

#[test]
fn a_flood_is_clocked_by_replies_and_never_slower_than_a_hundred_a_second() {
    let flood = Settings { count: Some(1_000), pace: Pace::Flood, ..settings() };
    let mut simulation = Simulation::new(flood.clone(), hosts(&["10.0.0.1"], &[]), |_, _| Fate::Reply(MS));
    let took = simulation.run(60 * S);
    // 16 at a time, a millisecond each.
    assert!((62 * MS..90 * MS).contains(&took), "{took} {:?}", simulation.engine.statistics(0));
    let mut simulation = Simulation::new(flood, hosts(&["10.0.0.1"], &[]), |_, _| Fate::Lost);
    let took = simulation.run(60 * S);
    assert!((10 * S..13 * S).contains(&took), "{took} {:?}", simulation.engine.statistics(0));
    assert_eq!(simulation.engine.statistics(0).lost(), 1_000);
    let unpaced = Settings { count: Some(5_000), pace: Pace::Unpaced, ..settings() };
    let mut simulation = Simulation::new(unpaced, hosts(&["10.0.0.1", "10.0.0.2"], &[]), |probe, _| {
        if probe.slot == 0 { Fate::Reply(MS) } else { Fate::Lost }
    });
    simulation.run(600 * S);
    assert_eq!(simulation.engine.statistics(0).received(), 5_000);
    assert_eq!(simulation.engine.statistics(1).lost(), 5_000);
}

#[test]
fn memory_of_probes_is_bounded() {
    let dense = Settings { count: Some(300_000), pace: Pace::Every(MS / 10), timeout: 10 * S, ..settings() };
    let mut simulation = Simulation::new(dense, hosts(&["10.0.0.1"], &[]), |probe, _| {
        if probe.number % 2 == 0 { Fate::Reply(MS) } else { Fate::Lost }
    });
    while !simulation.engine.is_done() {
        simulation.step();
        let Track::Many(many) = &simulation.engine.tracks[0] else { continue };
        assert!(many.remembered() <= 65_536, "sequence numbers would be ambiguous");
    }
    let statistics = simulation.engine.statistics(0);
    assert_eq!((statistics.sent(), statistics.received(), statistics.lost()), (300_000, 150_000, 150_000));
    assert!(std::mem::size_of::<Track>() <= 32, "65,536 of them: {}", std::mem::size_of::<Track>());
}

#[test]
fn a_probe_survives_the_wire() {
    // 70,001 modulo 2^16 is 4,465.
    let cookie = Cookie::of(99);
    let mut body = Vec::new();
    cookie.emit(named_probe(3, 70_001), 56, &mut body);
    for family in [crate::address::Family::Ipv4, crate::address::Family::Ipv6] {
        let mut bytes = Vec::new();
        Echo { ident: 5, sequence: 4_465, body: &body }.emit_reply(family, &mut bytes);
        let Some(Message::Reply(echo)) = Message::parse(family, &bytes) else { panic!("no reply") };
        assert_eq!(cookie.compare(named_probe(3, 70_001), 56, echo.body), Verdict::Same);
    }
}
