//! What is asked of the evidence in several places: by the rules, by the checklist, and by the agenda of what to ask next.
//! Each answer is yes, no or unknown.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    Anchor, Asked, Attempt, ConnectOutcome, Evidence, Gateway, Icmp, Item, Link, Names, Query, QueryOutcome,
    Round, RoundOutcome, Route, Service, Source, Tls, WebReply, same_network,
};
use crate::address::Class;
use crate::doctor::fact::Fact;
use crate::trace::{Answer, Path, Train};

/// The evidence, and what is asked of it in several places.
pub(in crate::doctor) struct Facts<'a> {
    pub(in crate::doctor) evidence: &'a Evidence,
}

/// What trains tell of loss.
pub(in crate::doctor) struct Loss<'a> {
    /// The train that tells most.
    pub(in crate::doctor) train: &'a Train,
    /// Which fact that is.
    pub(in crate::doctor) fact: Fact,
    /// Whether enough was lost to matter.
    pub(in crate::doctor) is_felt: bool,
    /// Whether it was lost in runs, with little between or in fewer than chance would make.
    pub(in crate::doctor) is_bursty: bool,
}

/// A loss of so many percent is felt: TCP halves its rate at each.
const FELT_PERCENT: f64 = 3.0;
/// A run of so many lost of those of a long train is an outage of at least 0.2 s.
const OUTAGE: usize = 8;

impl<'a> Facts<'a> {
    pub(in crate::doctor) fn new(evidence: &'a Evidence) -> Self {
        Self { evidence }
    }

    pub(in crate::doctor) fn asked(&self) -> Option<&'a Asked> {
        self.evidence.about.target.as_ref()
    }

    pub(in crate::doctor) fn service(&self) -> Service {
        self.asked().map_or(Service::Unknown, |asked| asked.service)
    }

    /// The target in words.
    pub(in crate::doctor) fn target(&self) -> String {
        self.asked().map_or_else(|| "the internet".to_owned(), |asked| asked.text.clone())
    }

    pub(in crate::doctor) fn host(&self) -> String {
        match self.asked() {
            Some(Asked { name: Some(name), .. }) => name.clone(),
            Some(Asked { address: Some(address), .. }) => address.to_string(),
            _ => "example.org".to_owned(),
        }
    }

    /// Whether the target is on this machine, so that no network matters.
    pub(in crate::doctor) fn is_local(&self) -> bool {
        let Some(asked) = self.asked() else { return false };
        let is_own = |ip: IpAddr| {
            ip.is_loopback() || self.evidence.addresses.all().iter().any(|address| address.ip == ip)
        };
        match (&asked.name, asked.address) {
            (Some(name), _) if is_localhost(name) => true,
            (Some(_), _) => {
                let hosts = self
                    .evidence
                    .resolver
                    .get()
                    .map(|resolver| resolver.hosts.as_slice())
                    .unwrap_or_default();
                !hosts.is_empty() && hosts.iter().all(|ip| is_own(*ip))
            }
            (None, Some(ip)) => is_own(ip),
            _ => false,
        }
    }

    /// The attempts at the addresses that this system uses: those of the hosts file, where it has any.
    pub(in crate::doctor) fn attempts(&self) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        let all = self.evidence.target.all();
        let by_hosts = all.iter().any(|attempt| attempt.source == Source::Hosts);
        all.iter().filter(move |attempt| match attempt.source {
            Source::Hosts | Source::Asked => true,
            Source::Own => !by_hosts,
            Source::Others => false,
        })
    }

    /// The attempts at addresses that only others know.
    pub(in crate::doctor) fn attempts_by_others(&self) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        self.evidence.target.all().iter().filter(|attempt| attempt.source == Source::Others)
    }

    /// Every ICMP error that anything met, of whatever it was.
    pub(in crate::doctor) fn icmp_heard(&self) -> Vec<Icmp> {
        let evidence = self.evidence;
        let attempts = evidence.target.all().iter().chain(evidence.control.all());
        let anchors = evidence
            .public
            .all()
            .iter()
            .flat_map(|anchor| anchor.connects.iter().map(|(_, connect)| connect));
        let connects = attempts
            .map(|attempt| &attempt.connect)
            .chain(anchors)
            .chain(evidence.web.all().iter().map(|web| &web.connect));
        let mut heard: Vec<Icmp> = connects.filter_map(|connect| connect.icmp.clone()).collect();
        if let Some(names) = evidence.names.get() {
            let answers = names.own.iter().chain(&names.others).chain(&names.nobody);
            heard.extend(
                answers
                    .flat_map(|answer| answer.a.iter().chain(&answer.aaaa))
                    .filter_map(|query| query.icmp.clone()),
            );
        }
        for train in [&evidence.beat, &evidence.small_train].into_iter().filter_map(|train| train.get()) {
            heard.extend(train.errors.iter().map(|error| Icmp {
                from: error.from,
                is_own: false,
                icmp_type: error.icmp_type,
                icmp_code: error.icmp_code,
            }));
        }
        for path in self.paths() {
            heard.extend(path.hops.iter().filter_map(|hop| match hop.answer {
                Some(Answer::Unreachable { icmp_type, icmp_code }) => {
                    Some(Icmp { from: hop.from, is_own: false, icmp_type, icmp_code })
                }
                _ => None,
            }));
        }
        heard
    }

    /// The target's addresses that have been tried, also those whose fact is not complete yet.
    pub(in crate::doctor) fn tried(&self) -> &'a [Attempt] {
        let meanwhile = &self.evidence.meanwhile.tried;
        if meanwhile.is_empty() { self.evidence.target.all() } else { meanwhile }
    }

    /// Whether an attempt went as it should: the connection stands, and the service did what it should.
    pub(in crate::doctor) fn is_fine(attempt: &Attempt) -> bool {
        let is_whole = |round: &Round| round.outcome == RoundOutcome::Whole;
        let Some(exchange) = &attempt.exchange else { return attempt.connect.stands() };
        attempt.connect.stands()
            && exchange.small.as_ref().is_some_and(is_whole)
            && exchange.large.as_ref().is_none_or(is_whole)
    }

    /// Whether a status of HTTP is an error for what was asked: the page "/" of a host of which only the port was asked for
    /// may not exist, and all is well.
    pub(in crate::doctor) fn is_http_error(&self, reply: &WebReply) -> bool {
        let is_url = self.asked().is_some_and(|asked| asked.is_url);
        reply.status >= 500 || (reply.status >= 400 && is_url)
    }

    /// Whether something was lost or late so that only a longer look can tell whether that was by chance, or for a time.
    pub(in crate::doctor) fn calls_for_long_look(&self) -> bool {
        /// A connection that took longer met an outage, or sent its SYN again unseen.
        const SLOW_US: u64 = 900_000;
        let evidence = self.evidence;
        let is_partial = |train: &Item<Train>| {
            train.get().is_some_and(|train| train.received() > 0 && train.received() < train.sent())
        };
        let asked_again = |names: &Names| {
            let all = names.own.iter().flat_map(|answer| answer.a.iter().chain(&answer.aaaa));
            let is_answered = all.clone().any(|query| query.outcome.is_answer());
            all.clone().any(|query| query.tries > 1 && query.outcome.is_answer())
                || (is_answered && all.clone().any(|query| query.outcome == QueryOutcome::Silent))
        };
        let sent_again = |attempt: &Attempt| {
            let is_late = attempt.connect.elapsed_us > SLOW_US
                || attempt.connect.syn_retransmissions.is_some_and(|count| count > 0);
            attempt.connect.stands() && is_late
        };
        let loses_some = |burst: &super::Burst| {
            let lost = burst.first.iter().filter(|one| one.syn_retransmissions > Some(0)).count();
            lost > 0 && lost < burst.first.len()
        };
        let gateway_loses = |gateway: &Gateway| {
            gateway.is_best && gateway.pings.is_some_and(|(sent, received)| received > 0 && received < sent)
        };
        is_partial(&evidence.small_train)
            // The beat began after the questions, and may have missed what they met.
            || self.names().is_some_and(asked_again)
            || self.tried().iter().any(sent_again)
            || self.beats_badly()
            || evidence.burst.get().is_some_and(loses_some)
            || evidence.gateways.all().iter().any(gateway_loses)
            || evidence.meanwhile.sees_strays
    }

    /// Whether the echo requests that run beside everything come back, and not all along.
    fn beats_badly(&self) -> bool {
        let meanwhile = &self.evidence.meanwhile;
        let (sent, received) = (meanwhile.beat_sent, meanwhile.beat_received);
        received > 0 && (meanwhile.beat_has_stalled || (sent >= 15 && received + sent / 5 < sent))
    }

    /// Whether an attempt reached what was asked for: the port, or if none was asked for, the host.
    pub(in crate::doctor) fn reaches(&self, attempt: &Attempt) -> bool {
        let wants_port = self.asked().is_some_and(|asked| asked.port.is_some());
        let is_alive = attempt.connect.shows_host() || attempt.answers_ping == Some(true);
        attempt.connect.stands() || (!wants_port && is_alive)
    }

    /// Whether the target is not reached over a family it has addresses of.
    pub(in crate::doctor) fn target_fails(&self, is_v6: bool) -> Option<bool> {
        let mut tried = self.attempts().filter(|attempt| attempt.address.is_ipv6() == is_v6).peekable();
        tried.peek()?;
        Some(!tried.any(|attempt| self.reaches(attempt)))
    }

    /// The first attempt that fails, where none of its family works.
    pub(in crate::doctor) fn failed(&self) -> Option<&'a Attempt> {
        let fails = |attempt: &&Attempt| self.target_fails(attempt.address.is_ipv6()) == Some(true);
        self.attempts().find(fails)
    }

    /// The same, if nothing of the target works.
    pub(in crate::doctor) fn wholly_failed(&self) -> Option<&'a Attempt> {
        let works = self.attempts().any(|attempt| self.reaches(attempt));
        self.attempts().next().filter(|_| !works)
    }

    /// The rounds with the service.
    pub(in crate::doctor) fn rounds(&self) -> Vec<&'a Round> {
        let exchanges = self.attempts().filter_map(|attempt| attempt.exchange.as_ref());
        exchanges.flat_map(|exchange| exchange.small.iter().chain(&exchange.large)).collect()
    }

    /// The round that failed first.
    pub(in crate::doctor) fn bad_round(&self) -> Option<(&'a Attempt, &'a Round, bool)> {
        for attempt in self.attempts() {
            let Some(exchange) = &attempt.exchange else { continue };
            for (round, is_large) in [(&exchange.small, false), (&exchange.large, true)] {
                if let Some(round) = round
                    && round.outcome != RoundOutcome::Whole
                {
                    return Some((attempt, round, is_large));
                }
            }
        }
        None
    }

    pub(in crate::doctor) fn tls(&self) -> Option<(&'a Attempt, &'a Tls)> {
        self.attempts().find_map(|attempt| Some((attempt, attempt.exchange.as_ref()?.tls.as_ref()?)))
    }

    /// The interfaces a machine is connected by: plain ones, and whatever has the default route.
    pub(in crate::doctor) fn uplinks(&self) -> Vec<&'a Link> {
        let leads_out = |link: &Link| {
            self.evidence.routes.all().iter().any(|route| route.is_best && route.interface == link.name)
        };
        let links = self.evidence.links.all().iter();
        links.filter(|link| !link.is_loopback && (link.is_uplink() || leads_out(link))).collect()
    }

    /// The addresses of an interface that reach beyond its link.
    pub(in crate::doctor) fn reaching_addresses(&self, link: &Link) -> usize {
        let reaches = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_loopback(),
        };
        let addresses = self.evidence.addresses.all().iter();
        addresses.filter(|address| address.interface == link.name && reaches(address.ip)).count()
    }

    /// Whether no packet can leave by any link.
    pub(in crate::doctor) fn has_no_way(&self) -> bool {
        if self.is_local() || self.evidence.links.get().is_none() || self.evidence.addresses.get().is_none() {
            return false;
        }
        let works = |link: &Link| !link.is_loopback && link.works() && self.reaching_addresses(link) > 0;
        !self.evidence.links.all().iter().any(works)
    }

    /// The gateway that packets to the internet go to, IPv4's if there is one.
    pub(in crate::doctor) fn gateway(&self) -> Option<&'a Gateway> {
        let best = self.evidence.gateways.all().iter().filter(|gateway| gateway.is_best);
        best.min_by_key(|gateway| gateway.address.is_ipv6())
    }

    /// Whether an address is a gateway's.
    pub(in crate::doctor) fn is_gateway(&self, ip: IpAddr) -> bool {
        self.evidence.gateways.all().iter().any(|gateway| gateway.address == ip)
    }

    /// Whether the gateway answers nothing at all: no hardware address.
    pub(in crate::doctor) fn gateway_is_mute(&self) -> bool {
        !self.is_local() && self.gateway().is_some_and(|gateway| gateway.is_found() == Some(false))
    }

    /// Whether a target is a neighbour by an ordinary mask, and not by one that is much wider than a link's; `None` if that is
    /// not known.
    pub(in crate::doctor) fn is_ordinary_neighbour(&self, attempt: &Attempt) -> Option<bool> {
        let IpAddr::V4(ip) = attempt.address else { return Some(true) };
        let interface = attempt.route.as_ref()?.interface.as_ref()?;
        let addresses = self.evidence.addresses.get()?;
        let own = addresses.iter().find(|own| own.interface == *interface && own.contains_v4(ip))?;
        let IpAddr::V4(own_ip) = own.ip else { return None };
        let gateways = self.evidence.gateways.get();
        let v4 = |gateway: &Gateway| if let IpAddr::V4(ip) = gateway.address { Some(ip) } else { None };
        let any_gateway =
            |is_it: &dyn Fn(Ipv4Addr) -> bool| self.evidence.gateways.all().iter().filter_map(v4).any(is_it);
        // A host of the internet is no neighbour by an address that has nothing to do with the gateway's network.
        let is_public = matches!(Class::of(attempt.address), Class::Global | Class::Documentation);
        let is_gateways = any_gateway(&|gateway| own.contains_v4(gateway));
        if is_public && gateways.is_some_and(|gateways| !gateways.is_empty()) && !is_gateways {
            return Some(false);
        }
        if !is_public && (own.prefix_len > 16 || same_network(own_ip, ip, 24)) {
            return Some(true);
        }
        if is_public && gateways.is_some() {
            return Some(true);
        }
        // Whether the gateway is of the same ordinary network.
        gateways.map(|_| !any_gateway(&|gateway| same_network(own_ip, gateway, 24)))
    }

    /// Whether hosts of the internet matter: a target that is on a link does not need them.
    pub(in crate::doctor) fn needs_public(&self) -> bool {
        let is_elsewhere = |attempt: &Attempt| {
            is_on_link(attempt) != Some(true) && !attempt.route.as_ref().is_some_and(Route::is_local)
        };
        // A target that works does not need them either: many networks let out what they must, and nothing else.
        let target_works = self.attempts().any(|attempt| self.reaches(attempt));
        // Whether it does must be known, or be hopeless.
        let is_known =
            self.asked().is_none() || self.evidence.target.get().is_some() || self.name_fails() == Some(true);
        !self.is_local()
            && is_known
            && !target_works
            && (self.asked().is_none() || !self.attempts().any(|a| !is_elsewhere(a)))
    }

    /// The anchors of IPv4, if this machine has a way to any.
    pub(in crate::doctor) fn anchors(&self) -> Vec<&'a Anchor> {
        let all = self.evidence.public.all().iter().filter(|anchor| anchor.address.is_ipv4());
        let can_be_tried = |anchor: &&Anchor| {
            anchor.connects.iter().any(|(_, connect)| connect.outcome != ConnectOutcome::NoRoute)
        };
        all.filter(can_be_tried).collect()
    }

    /// Whether any host of the internet is reached over IPv4.
    pub(in crate::doctor) fn public_is_reached(&self) -> Option<bool> {
        let anchors = self.anchors();
        let by_echo = self.evidence.beat.get().is_some_and(|beat| beat.received() > 0);
        let by_name = self.names().is_some_and(|names| {
            names
                .others
                .iter()
                .any(|answer| answer.a.iter().chain(&answer.aaaa).any(|query| query.outcome.is_answer()))
        });
        let by_web = self.evidence.web.all().iter().any(|web| web.reply.is_some());
        let by_v6 = self.evidence.public.all().iter().any(Anchor::is_reached);
        let by_name = by_name || by_web || by_v6;
        if anchors.is_empty() {
            by_name.then_some(true)
        } else {
            Some(by_echo || by_name || anchors.iter().any(|anchor| anchor.is_reached()))
        }
    }

    /// Whether anything beyond the gateway has answered.
    pub(in crate::doctor) fn beyond(&self) -> Option<bool> {
        let is_beyond =
            |ip: IpAddr| !self.is_gateway(ip) && !self.evidence.addresses.all().iter().any(|a| a.ip == ip);
        let by_target = self.attempts().any(|attempt| {
            is_on_link(attempt) == Some(false)
                && (attempt.connect.shows_host()
                    || attempt.connect.icmp.as_ref().and_then(|icmp| icmp.from).is_some_and(is_beyond))
        });
        let by_path = self.paths().any(|path| {
            path.hops
                .iter()
                .any(|hop| hop.ttl > 1 && hop.answer.is_some_and(|answer| answer != Answer::NotSent))
        });
        let by_public = self.public_is_reached();
        if by_target || by_path || by_public == Some(true) {
            return Some(true);
        }
        by_public
    }

    fn paths(&self) -> impl Iterator<Item = &'a Path> + use<'a> {
        let evidence = self.evidence;
        [&evidence.path, &evidence.control_path, &evidence.public_path, &evidence.udp_path]
            .into_iter()
            .filter_map(|path| path.get())
    }

    /// Whether another port of the target, or an echo, shows that the host is there.
    pub(in crate::doctor) fn host_is_alive(&self) -> Option<bool> {
        let by_port =
            self.evidence.control.get().map(|all| all.iter().any(|attempt| attempt.connect.shows_host()));
        let by_ping = self.target_train().map(|train| train.received() > 0);
        match (by_port, by_ping) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), _) => Some(false),
            (None, other) => other,
        }
    }

    /// The other port of the target that answered.
    pub(in crate::doctor) fn live_control(&self) -> Option<&'a Attempt> {
        self.evidence.control.all().iter().find(|attempt| attempt.connect.shows_host())
    }

    /// The small train, if it went to the target.
    pub(in crate::doctor) fn target_train(&self) -> Option<&'a Train> {
        self.asked()?;
        self.evidence.target.get()?;
        self.evidence.small_train.get()
    }

    /// What the trains tell of loss; `None` if nothing answers them at all.
    pub(in crate::doctor) fn loss(&self) -> Option<Loss<'a>> {
        let evidence = self.evidence;
        let trains = [
            (Fact::LongTrain, evidence.long_train.get()),
            (Fact::SmallTrain, evidence.small_train.get()),
            (Fact::Beat, evidence.beat.get().filter(|beat| beat.sent() >= 20)),
        ];
        let (fact, train) = trains.into_iter().find_map(|(fact, train)| {
            train.filter(|train| train.received() > 0).map(|train| (fact, train))
        })?;
        let gaps = train.gaps();
        let outages: usize = gaps.iter().filter(|gap| **gap >= OUTAGE).sum();
        let sent = train.sent().saturating_sub(outages).max(1);
        let elsewhere = gaps.iter().filter(|gap| **gap < OUTAGE).sum::<usize>();
        let stall = train.longest_stall_us();
        let is_bursty = (outages > 0 || stall >= Train::STALL_US * 2)
            && (percent(elsewhere, sent) < 12.0 || train.is_lost_in_clusters());
        let lost = train.sent().saturating_sub(train.received());
        // Of two dozen, a single one may be an accident.
        let is_felt = (train.loss_percent() >= FELT_PERCENT && lost >= 2)
            || (fact == Fact::LongTrain && stall >= Train::STALL_US * 2);
        Some(Loss { train, fact, is_felt, is_bursty })
    }

    pub(in crate::doctor) fn names(&self) -> Option<&'a Names> {
        self.evidence.names.get()
    }

    /// All that the system's own servers were asked.
    pub(in crate::doctor) fn own_queries(&self) -> Vec<&'a Query> {
        self.names().map_or_else(Vec::new, |names| {
            names.own.iter().flat_map(|answer| answer.a.iter().chain(&answer.aaaa)).collect()
        })
    }

    /// What servers of the internet said, where they answered.
    pub(in crate::doctor) fn other_answers(&self) -> Vec<&'a Query> {
        self.names().map_or_else(Vec::new, |names| {
            let all = names.others.iter().flat_map(|answer| answer.a.iter().chain(&answer.aaaa));
            all.filter(|query| query.outcome.is_answer()).collect()
        })
    }

    /// The addresses that the system's own servers gave.
    pub(in crate::doctor) fn own_addresses(&self) -> Vec<IpAddr> {
        let own = self.own_queries();
        let tcp = self
            .names()
            .into_iter()
            .flat_map(|names| names.own.iter().filter_map(|answer| answer.tcp.as_ref()));
        own.into_iter().chain(tcp).flat_map(|query| query.addresses.iter().copied()).collect()
    }

    /// The addresses that servers of the internet gave.
    pub(in crate::doctor) fn other_addresses(&self) -> Vec<IpAddr> {
        self.other_answers().iter().flat_map(|query| query.addresses.iter().copied()).collect()
    }

    /// Whether the name has no address, whoever of this system is asked: its servers, its hosts file, or whatever else it
    /// looks into.
    pub(in crate::doctor) fn name_fails(&self) -> Option<bool> {
        let names = self.names()?;
        let by_hosts = self.evidence.resolver.get().is_some_and(|resolver| !resolver.hosts.is_empty());
        let by_system = names.system.as_ref().is_some_and(|system| !system.addresses.is_empty());
        Some(self.own_addresses().is_empty() && !by_hosts && !by_system)
    }

    /// Whether every question to the system's own servers came to one of these.
    pub(in crate::doctor) fn all_own(&self, is_it: impl Fn(QueryOutcome) -> bool) -> bool {
        let own = self.own_queries();
        !own.is_empty() && own.iter().all(|query| is_it(query.outcome))
    }

    /// The round-trip time that the path itself takes, in milliseconds: what a train or a connection took at least.
    pub(in crate::doctor) fn path_ms(&self) -> u64 {
        let train = self.evidence.small_train.get().and_then(Train::median_us);
        let stands = |attempt: &&Attempt| attempt.connect.outcome == ConnectOutcome::Connected;
        let connect = self.attempts().filter(stands).map(|attempt| attempt.connect.elapsed_us).min();
        train.into_iter().chain(connect).min().unwrap_or(0) / 1_000
    }

    pub(in crate::doctor) fn counter(&self, name: &str) -> u64 {
        self.evidence.counters.get().and_then(|counters| counters.get(name)).copied().unwrap_or(0)
    }
}

/// Whether an address is on a link of this machine.
pub(in crate::doctor) fn is_on_link(attempt: &Attempt) -> Option<bool> {
    attempt.route.as_ref().map(Route::is_on_link)
}

/// Whether a name is this machine's, which no server is asked for (RFC 6761, 6.3).
pub(in crate::doctor) fn is_localhost(name: &str) -> bool {
    name.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}

/// So many of so many, in percent.
pub(in crate::doctor) fn percent(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { number(part) * 100.0 / number(whole) }
}

/// Microseconds as people read them.
pub(in crate::doctor) fn time(us: u64) -> String {
    let number = |value: u64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", number(us) / 1e3),
        _ => format!("{:.1} s", number(us) / 1e6),
    }
}
