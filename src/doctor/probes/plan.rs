//! In which order things are found out: what costs no packet first, then what the next judgement needs, side by side, and
//! what could spoil other evidence last. A connection is always tried before the path to it is traced, as a trace uses up
//! what routers spend on answers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::connect::Made;
use super::exchange::{self, Talk};
use super::{Budget, connect, lan, local, names, path, public, timing};
use crate::address::{Address, Class, Family, Host};
use crate::doctor::evidence::{
    About, Anchor, Attempt, Burst, Claims, Connect, ConnectOutcome, Evidence, Gateway, Item, Names, Proxy,
    QueryOutcome, RoundOutcome, Route, Service, SizeProbe, Source, System, Untested, Ways, WebAnswer,
};
use crate::doctor::fact::Fact;
use crate::doctor::request::{PAGES, PUBLIC, PUBLIC_V6, Request, Target};
use crate::sys::{self, Network};
use crate::trace::{self, Path, Tally, Train};

/// Whoever is told of facts as they are recorded, and says whether to go on.
pub(in crate::doctor) trait Progress {
    /// A fact has been recorded; `false` ends the run.
    fn recorded(&mut self, evidence: &Evidence, fact: Fact) -> bool;
    /// Whether what is known settles the case, so that nothing more need be asked.
    fn is_settled(&self, evidence: &Evidence) -> bool;
}

/// Finds out what there is to be found out.
pub(in crate::doctor) fn gather(request: &Request, progress: &mut dyn Progress) -> Evidence {
    let mut evidence = Evidence { about: about(request), ..Evidence::default() };
    let Some(machine) = machine(request, &mut evidence, progress) else { return evidence };
    let plan = Plan::new(request, machine, evidence, progress);
    plan.run()
}

/// What a run is about, before anything is found out.
pub(in crate::doctor) fn about(request: &Request) -> About {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at_unix_s: now.as_secs(),
        system: std::env::consts::OS.to_owned(),
        target: request.target.as_ref().map(Target::asked),
        is_offline: request.is_offline,
        is_root: sys::is_root(),
        is_cut_short: false,
    }
}

/// What was found without a packet, that the rest builds on.
struct Machine {
    budget: Budget,
    network: Network,
    counters: BTreeMap<String, u64>,
    carrier: HashMap<String, u32>,
}

/// The first tier: what this machine itself tells. `None` if that settles the case.
fn machine(request: &Request, evidence: &mut Evidence, progress: &mut dyn Progress) -> Option<Machine> {
    /// What it takes to judge and to write, and to end what still runs.
    const REST: Duration = Duration::from_millis(500);
    let budget = Budget::new(request.timeout.saturating_sub(REST).max(request.timeout / 2));
    let began = Instant::now();
    evidence.host = budget.known(began, local::host());
    let mut goes_on = progress.recorded(evidence, Fact::Host);
    let began = Instant::now();
    let network = match local::network() {
        Ok(network) => network,
        Err(error) => {
            let why = Untested::System(System::Interfaces(error.to_string()));
            evidence.links = Item::NotTested(why.clone());
            evidence.addresses = Item::NotTested(why.clone());
            evidence.routes = Item::NotTested(why);
            Network::default()
        }
    };
    if !network.links.is_empty() {
        evidence.links = budget.known(began, local::links(&network));
        goes_on &= progress.recorded(evidence, Fact::Links);
        let untold = || Untested::System(System::Configuration);
        evidence.addresses = local::addresses(&network)
            .map_or_else(|| Item::NotTested(untold()), |all| budget.known(began, all));
        goes_on &= progress.recorded(evidence, Fact::Addresses);
        evidence.routes =
            local::routes(&network).map_or_else(|| Item::NotTested(untold()), |all| budget.known(began, all));
        if let (Some(v4), Some(v6)) = (way([198, 41, 0, 4].into()), way(A_ROOT_V6.into())) {
            evidence.out = budget.known(began, Ways { v4: Some(v4), v6: Some(v6) });
        } else {
            evidence.out = Item::NotTested(Untested::System(System::RouteLookup));
        }
        goes_on &= progress.recorded(evidence, Fact::Routes);
    }
    let began = Instant::now();
    evidence.loopback = budget.known(began, local::loopback(&network));
    goes_on &= progress.recorded(evidence, Fact::Loopback);
    let began = Instant::now();
    let name = evidence.about.target.as_ref().and_then(|target| target.name.clone());
    evidence.resolver = budget.known(began, local::resolver(name.as_deref(), &network));
    goes_on &= progress.recorded(evidence, Fact::Resolver);
    let carrier = local::carrier_changes(&network);
    watch_restless_carrier(evidence, &carrier, &budget, progress);
    if !goes_on || progress.is_settled(evidence) {
        return None;
    }
    let counters = sys::network_counters().unwrap_or_default();
    Some(Machine { budget, network, counters, carrier })
}

/// An address that nobody has in a network of his own: a.root-servers.net's.
const A_ROOT_V6: [u16; 8] = [0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30];

/// What the kernel does with packets to the rest of the world; nothing is sent.
fn way(to: IpAddr) -> Option<Route> {
    super::route(to.into())
}

/// A carrier that is away and has come and gone before is looked at for a while: it may be back at once.
fn watch_restless_carrier(
    evidence: &mut Evidence,
    before: &HashMap<String, u32>,
    budget: &Budget,
    progress: &mut dyn Progress,
) {
    /// Plugged in once, and pulled out: an interface starts without a carrier, and two or three changes are ordinary.
    const RESTLESS: u32 = 4;
    let is_restless = evidence.links.all().iter().any(|link| {
        link.is_uplink()
            && link.is_up
            && link.carrier == Some(false)
            && link.carrier_changes >= Some(RESTLESS)
    });
    if !is_restless {
        return;
    }
    let began = Instant::now();
    while began.elapsed() < timing::CARRIER && !budget.is_over() {
        std::thread::sleep(Duration::from_millis(40));
        let changes = local::carrier(before, began.elapsed()).unwrap_or_default();
        if changes.iter().any(|change| change.after >= change.before + 2) {
            break;
        }
    }
    if let Some(changes) = local::carrier(before, began.elapsed()) {
        evidence.carrier = budget.known(began, changes);
        progress.recorded(evidence, Fact::Carrier);
    }
}

/// What came of something that ran beside others.
enum Found {
    Gateway(Instant, Option<Gateway>),
    Claims(Instant, Result<Claims, Untested>),
    Names(Instant, Box<Names>),
    Anchor(Instant, Anchor),
    Web(WebAnswer),
    Proxy(Instant, Box<Proxy>),
    Quiet(IpAddr),
    Attempt(Instant, Box<Attempt>),
    Control(Instant, Vec<Attempt>),
    Burst(Instant, Burst),
    Train(Fact, Instant, Result<Train, Untested>),
    Path(Fact, Instant, Result<Path, Untested>),
    Sizes(Instant, Result<Vec<SizeProbe>, Untested>),
}

/// A train that runs as long as the rest does.
struct Beat {
    began: Instant,
    end: Arc<AtomicBool>,
    tally: Arc<Tally>,
    thread: JoinHandle<Result<Train, Untested>>,
}

/// A run beyond the machine itself.
struct Plan<'a> {
    request: &'a Request,
    progress: &'a mut dyn Progress,
    evidence: Evidence,
    budget: Budget,
    /// The part that connections to the target may still wait, though nothing else does.
    patience: Budget,
    network: Network,
    counters: BTreeMap<String, u64>,
    carrier: HashMap<String, u32>,
    sender: Sender<Found>,
    found: Receiver<Found>,
    /// What has been begun.
    begun: HashSet<&'static str>,
    /// How much of that is still to come, but for the attempts and the web.
    pending: usize,
    /// The addresses that are being tried, and whether nothing has come from them for a while.
    attempts: HashMap<IpAddr, bool>,
    webs: usize,
    beat: Option<Beat>,
    gateways: (usize, Vec<Gateway>),
    anchors: (usize, Vec<Anchor>),
    web: Vec<WebAnswer>,
    tried: Vec<Attempt>,
}

impl<'a> Plan<'a> {
    fn new(
        request: &'a Request,
        machine: Machine,
        evidence: Evidence,
        progress: &'a mut dyn Progress,
    ) -> Self {
        let (sender, found) = mpsc::channel();
        let patience = machine.budget.part();
        Self {
            request,
            progress,
            evidence,
            budget: machine.budget,
            patience,
            network: machine.network,
            counters: machine.counters,
            carrier: machine.carrier,
            sender,
            found,
            begun: HashSet::new(),
            pending: 0,
            attempts: HashMap::new(),
            webs: 0,
            beat: None,
            gateways: (0, Vec::new()),
            anchors: (0, Vec::new()),
            web: Vec::new(),
            tried: Vec::new(),
        }
    }

    fn run(mut self) -> Evidence {
        self.begin();
        let mut goes_on = true;
        while goes_on {
            if self.is_done() {
                // What the beat has seen meanwhile may call for more.
                self.follow();
                if self.is_done() {
                    break;
                }
            }
            let is_idle = self.needed() == 0 && !self.waits_for_web();
            if is_idle && self.attempts.values().all(|is_quiet| *is_quiet) && !self.may_be_told_later() {
                self.patience.end();
            }
            let left = self.budget.deadline.saturating_duration_since(Instant::now());
            match self.found.recv_timeout(left.min(Duration::from_millis(100))) {
                Ok(found) => {
                    goes_on = self.record(found);
                    if self.progress.is_settled(&self.evidence) {
                        goes_on = false;
                    } else {
                        self.follow();
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) if left.is_zero() => {
                    self.evidence.about.is_cut_short = true;
                    goes_on = false;
                }
                Err(_) => {}
            }
        }
        self.budget.end();
        self.patience.end();
        self.finish()
    }

    /// Whether nothing is still to come that matters.
    fn is_done(&self) -> bool {
        self.needed() == 0 && self.attempts.is_empty() && !self.waits_for_web()
    }

    /// How much is still to come that the verdict needs: if all is well, a gateway that takes its time is no news.
    fn needed(&self) -> usize {
        let is_well = if self.request.target.is_some() {
            !self.tried.is_empty() && self.attempts.is_empty() && !self.has_trouble()
        } else {
            let found = self.evidence.names.get().is_some_and(|names| !addresses_of(&names.own).is_empty());
            found && self.anchors.0 == 0 && self.evidence.public.all().iter().any(Anchor::is_reached_by_tcp)
        };
        if is_well { self.pending.saturating_sub(self.gateways.0) } else { self.pending }
    }

    /// Whether a router may still say that the host is gone: it asks for it for three seconds first.
    fn may_be_told_later(&self) -> bool {
        let is_dead = !self.evidence.control.all().iter().any(|attempt| attempt.connect.shows_host());
        let is_seen = self.evidence.path.get().and_then(Path::farthest).is_some_and(|hop| hop >= 2);
        let rest_works = self.evidence.public.all().iter().any(Anchor::is_reached);
        is_dead && is_seen && rest_works && !self.tried.iter().any(|attempt| attempt.connect.stands())
    }

    /// Begins something that runs beside the rest.
    fn beside(&mut self, run: impl FnOnce() -> Found + Send + 'static) {
        if self.start(run) {
            self.pending += 1;
        }
    }

    /// Whether a thread could be had.
    fn start(&self, run: impl FnOnce() -> Found + Send + 'static) -> bool {
        let sender = self.sender.clone();
        let thread = std::thread::Builder::new().spawn(move || {
            // Nobody waits any more: the case was settled.
            let _ = sender.send(run());
        });
        thread.is_ok()
    }

    /// Whether this is the first time.
    fn first(&mut self, what: &'static str) -> bool {
        self.begun.insert(what)
    }

    /// Begins what every run needs.
    fn begin(&mut self) {
        let is_local = self.target_is_local();
        if !is_local {
            self.begin_gateways();
            self.begin_claims();
            self.begin_public();
        }
        match self.request.target.as_ref().map(|target| target.host.clone()) {
            Some(Host::Address { ip, zone }) => {
                let scope_id = zone.and_then(|zone| sys::interface_index(&zone)).unwrap_or(0);
                self.evidence.names = Item::NotTested(Untested::TargetIsAddress);
                self.attempt(Address { ip, scope_id }, Source::Asked);
            }
            Some(Host::Name(name)) => self.begin_names(name.as_str().to_owned(), None),
            None if self.request.is_offline => {
                self.evidence.names = Item::NotTested(Untested::Offline);
            }
            None => {
                // Any page that every network should pass is as good as a target.
                let tried = PAGES.iter().map(|(host, _)| (*host).to_owned()).collect();
                self.begin_names(PAGES[0].0.to_owned(), Some(tried));
            }
        }
        self.begin_proxy();
    }

    /// Whether the target is on this machine, so that no network matters.
    fn target_is_local(&self) -> bool {
        match self.request.target.as_ref().map(|target| &target.host) {
            Some(Host::Address { ip, .. }) => ip.is_loopback() || super::is_own(*ip),
            Some(Host::Name(name)) => name.as_str().trim_end_matches('.').eq_ignore_ascii_case("localhost"),
            None => false,
        }
    }

    fn begin_gateways(&mut self) {
        /// More are not a cause but a list.
        const MOST: usize = 6;
        let mut seen: Vec<(IpAddr, String)> = Vec::new();
        for route in self.evidence.routes.all().to_vec() {
            let Some(gateway) = route.gateway.filter(|_| !route.is_dead && route.refusal.is_none()) else {
                continue;
            };
            let key = (gateway, route.interface.clone());
            if seen.contains(&key) || seen.len() >= MOST {
                continue;
            }
            seen.push(key);
            let budget = self.budget.clone();
            self.gateways.0 += 1;
            self.beside(move || {
                let began = Instant::now();
                Found::Gateway(began, lan::gateway(&route, &budget))
            });
        }
        if seen.is_empty() {
            self.evidence.gateways = Item::NotTested(Untested::NoGateway);
        }
    }

    fn begin_claims(&mut self) {
        let best = self.evidence.routes.all().iter().find(|route| route.is_best && !route.is_v6).cloned();
        let links = self.evidence.links.all();
        let interface = best.as_ref().map(|route| route.interface.clone()).or_else(|| {
            links.iter().find(|link| link.is_uplink() && link.works()).map(|link| link.name.clone())
        });
        let Some(link) = interface.and_then(|name| links.iter().find(|link| link.name == name)) else {
            self.evidence.claims = Item::NotTested(Untested::NoLink);
            return;
        };
        let Some(mac) = link.mac.clone() else {
            self.evidence.claims = Item::NotTested(Untested::NoHardwareAddress(link.name.clone()));
            return;
        };
        let name = link.name.clone();
        let own: Vec<Ipv4Addr> = self
            .evidence
            .addresses
            .all()
            .iter()
            .filter(|address| address.interface == name)
            .filter_map(|address| if let IpAddr::V4(ip) = address.ip { Some(ip) } else { None })
            .collect();
        let gateway = best.and_then(|route| route.gateway).and_then(|gateway| match gateway {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        let budget = self.budget.clone();
        self.beside(move || {
            let began = Instant::now();
            Found::Claims(began, lan::claims(&name, &own, gateway, &mac, &budget))
        });
    }

    /// Hosts of the internet to compare with, as far as their family is of use here.
    fn public_hosts(&self) -> Vec<(String, IpAddr)> {
        if !self.request.public.is_empty() {
            let address = |host: &Host| match host {
                Host::Address { ip, .. } => vec![(ip.to_string(), *ip)],
                Host::Name(name) => {
                    let found = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0));
                    let first = found.ok().and_then(|mut found| found.next());
                    first.map(|first| (name.as_str().to_owned(), first.ip())).into_iter().collect()
                }
            };
            return self.request.public.iter().flat_map(address).collect();
        }
        let parsed = |(name, ip): &(&str, &str)| Some(((*name).to_owned(), ip.parse().ok()?));
        let mut hosts: Vec<(String, IpAddr)> = PUBLIC.iter().filter_map(parsed).collect();
        if self.request.target.is_none() && self.has_global_v6() {
            hosts.extend(PUBLIC_V6.iter().filter_map(parsed));
        }
        hosts
    }

    /// Whether this machine has an IPv6 address that the internet could answer, and a way there.
    fn has_global_v6(&self) -> bool {
        let addresses = self.evidence.addresses.all();
        let has_address =
            addresses.iter().any(|address| address.ip.is_ipv6() && Class::of(address.ip) == Class::Global);
        has_address && self.evidence.routes.all().iter().any(|route| route.is_v6 && route.is_best)
    }

    fn begin_public(&mut self) {
        if self.request.is_offline {
            self.evidence.public = Item::NotTested(Untested::Offline);
            self.evidence.web = Item::NotTested(Untested::Offline);
            return;
        }
        let hosts = self.public_hosts();
        // Where a name is looked up, these are asked for it as servers; else by this.
        let is_named =
            matches!(self.request.target.as_ref().map(|target| &target.host), Some(Host::Address { .. }));
        let question = is_named.then(|| self.question());
        if let Some((_, ip)) = hosts.iter().find(|(_, ip)| ip.is_ipv4()) {
            let (to, end, timeout) =
                (Address::from(*ip), Arc::new(AtomicBool::new(false)), self.request.timeout);
            let until = end.clone();
            let tally = Arc::new(Tally::default());
            let running = tally.clone();
            let thread = std::thread::Builder::new().spawn(move || path::beat(to, &until, &running, timeout));
            self.beat = thread.ok().map(|thread| Beat { began: Instant::now(), end, tally, thread });
        }
        for (name, ip) in hosts {
            self.anchors.0 += 1;
            let (budget, question) = (self.budget.clone(), question.clone());
            let host = name.clone();
            self.beside(move || {
                let began = Instant::now();
                Found::Anchor(began, public::anchor(&host, ip, question.as_deref(), &budget))
            });
            if ip.is_ipv4() {
                self.begin_web(ip.to_string(), ip, "/".to_owned(), false);
            }
        }
    }

    /// The name that servers are asked for.
    fn question(&self) -> String {
        match self.request.target.as_ref().map(|target| &target.host) {
            Some(Host::Name(name)) => name.as_str().trim_end_matches('.').to_owned(),
            _ => PAGES[0].0.to_owned(),
        }
    }

    fn begin_web(&mut self, host: String, ip: IpAddr, path: String, is_check: bool) {
        let budget = self.budget.clone();
        if self.start(move || Found::Web(public::web(&host, ip, &path, is_check, &budget))) {
            self.webs += 1;
        }
    }

    /// Whether what the web says matters: if something is amiss, or there is nothing else to go by.
    fn waits_for_web(&self) -> bool {
        self.webs > 0
            && (self.request.target.is_none() || self.is_web_target() || self.has_trouble())
            && self.web.len() < 3
    }

    fn is_web_target(&self) -> bool {
        let service = self.request.target.as_ref().map(|target| target.service);
        matches!(service, Some(Service::Http | Service::Https))
    }

    /// Whether anything did not go as it should.
    fn has_trouble(&self) -> bool {
        self.tried.iter().any(|attempt| !is_fine(attempt)) || self.attempts.values().any(|is_quiet| *is_quiet)
    }

    fn begin_names(&mut self, name: String, tried: Option<Vec<String>>) {
        let resolver = self.evidence.resolver.get().cloned().unwrap_or_default();
        let hosts = resolver.hosts.clone();
        for ip in &hosts {
            self.attempt((*ip).into(), Source::Hosts);
        }
        let is_local = name.trim_end_matches('.').eq_ignore_ascii_case("localhost");
        if is_local {
            self.evidence.names = Item::NotTested(Untested::TargetIsLocalhost);
            if hosts.is_empty() {
                self.attempt(IpAddr::V4(Ipv4Addr::LOCALHOST).into(), Source::Asked);
            }
            return;
        }
        let mut own = names::addresses(&resolver.servers);
        if own.is_empty() {
            // Without any, this machine itself is asked (resolv.conf(5)).
            own.push(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
        }
        let others: Vec<IpAddr> = if self.request.is_offline {
            Vec::new()
        } else {
            let ips = self.public_hosts().into_iter().map(|(_, ip)| ip);
            ips.filter(|ip| ip.is_ipv4() && !own.iter().any(|server| server.ip == *ip)).collect()
        };
        let is_page = tried.is_some();
        let ask = names::Ask {
            tried: tried.unwrap_or_else(|| names::tried(&name, &resolver)),
            name,
            own,
            others,
            wants_v6: self.wants_v6(),
            is_offline: self.request.is_offline,
            asks_system: !is_page,
        };
        let budget = self.budget.clone();
        self.beside(move || {
            let began = Instant::now();
            Found::Names(began, Box::new(names::names(&ask, &budget)))
        });
    }

    /// Whether this machine asks for IPv6 addresses: glibc's resolver does if any but the loopback and link-local ones is
    /// configured (getaddrinfo(3), AI_ADDRCONFIG), and most programs let it.
    fn wants_v6(&self) -> bool {
        self.evidence.addresses.all().iter().any(|address| match address.ip {
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        })
    }

    fn begin_proxy(&mut self) {
        let Some(target) = self.request.target.as_ref().filter(|target| target.is_url).cloned() else {
            return;
        };
        let scheme = if target.service == Service::Https { "https" } else { "http" };
        match local::proxy(scheme, &target.server_name()) {
            None => {
                self.evidence.proxy = self.budget.known(Instant::now(), None);
            }
            Some((variable, value)) => {
                let budget = self.budget.clone();
                self.beside(move || {
                    let began = Instant::now();
                    Found::Proxy(began, Box::new(super::proxy::ask(&variable, &value, &target, &budget)))
                });
            }
        }
    }

    /// Tries an address of the target, unless that is under way.
    fn attempt(&mut self, address: Address, source: Source) {
        /// A name with more addresses is not tried at all of them.
        const MOST: usize = 3;
        let family = address.family();
        let tried = self.attempts.keys().chain(self.tried.iter().map(|attempt| &attempt.address));
        let of_family = tried.clone().filter(|ip| Family::of(**ip) == family).count();
        if of_family >= MOST || tried.clone().any(|ip| *ip == address.ip) {
            return;
        }
        let target = self.request.target.clone();
        let (budget, patience, sender) = (self.budget.clone(), self.patience.clone(), self.sender.clone());
        let began = Instant::now();
        let run = move || {
            let quiet = || {
                let _ = sender.send(Found::Quiet(address.ip));
            };
            let attempt = attempt(address, source, target.as_ref(), &budget, &patience, &quiet);
            Found::Attempt(began, Box::new(attempt))
        };
        if self.start(run) {
            self.attempts.insert(address.ip, false);
        }
    }

    /// Records what was found; whether to go on.
    #[expect(clippy::too_many_lines, reason = "a list of facts")]
    fn record(&mut self, found: Found) -> bool {
        let is_counted = !matches!(found, Found::Quiet(_) | Found::Attempt(..) | Found::Web(..));
        if is_counted {
            self.pending -= 1;
        }
        let budget = self.budget.clone();
        let fact = match found {
            Found::Gateway(began, gateway) => {
                self.gateways.1.extend(gateway);
                self.gateways.0 -= 1;
                if self.gateways.0 > 0 {
                    return true;
                }
                self.gateways.1.sort_by_key(|gateway| (!gateway.is_best, gateway.address));
                self.evidence.gateways = budget.known(began, std::mem::take(&mut self.gateways.1));
                Fact::Gateways
            }
            Found::Claims(began, Ok(claims)) => {
                self.evidence.claims = budget.known(began, claims);
                Fact::Claims
            }
            Found::Claims(_, Err(reason)) => {
                self.evidence.claims = Item::NotTested(reason);
                Fact::Claims
            }
            Found::Names(began, names) => {
                self.evidence.names = budget.known(began, *names);
                Fact::Names
            }
            Found::Anchor(began, anchor) => {
                self.anchors.1.push(anchor);
                self.anchors.0 -= 1;
                if self.anchors.0 > 0 {
                    return true;
                }
                self.anchors.1.sort_by_key(|anchor| anchor.address);
                self.evidence.public = budget.known(began, std::mem::take(&mut self.anchors.1));
                Fact::Public
            }
            Found::Web(web) => {
                self.webs -= 1;
                self.web.push(web);
                return true;
            }
            Found::Proxy(began, proxy) => {
                self.evidence.proxy = budget.known(began, Some(*proxy));
                Fact::Proxy
            }
            Found::Quiet(ip) => {
                if let Some(is_quiet) = self.attempts.get_mut(&ip) {
                    *is_quiet = true;
                }
                return true;
            }
            Found::Attempt(began, attempt) => {
                self.attempts.remove(&attempt.address);
                self.tried.push(*attempt);
                self.tried.sort_by_key(|attempt| (attempt.source as u8, attempt.address));
                if !self.attempts.is_empty() {
                    return true;
                }
                self.evidence.target = budget.known(began, self.tried.clone());
                Fact::Target
            }
            Found::Control(began, control) => {
                self.evidence.control = budget.known(began, control);
                Fact::Control
            }
            Found::Burst(began, burst) => {
                self.evidence.burst = budget.known(began, burst);
                Fact::Burst
            }
            Found::Train(fact, began, train) => {
                let item = match train {
                    Ok(train) => budget.known(began, train),
                    Err(reason) => Item::NotTested(reason),
                };
                match fact {
                    Fact::GatewayTrain => self.evidence.gateway_train = item,
                    Fact::SmallTrain => self.evidence.small_train = item,
                    Fact::LargeTrain => self.evidence.large_train = item,
                    _ => self.evidence.long_train = item,
                }
                fact
            }
            Found::Path(fact, began, path) => {
                let item = match path {
                    Ok(path) => budget.known(began, path),
                    Err(reason) => Item::NotTested(reason),
                };
                match fact {
                    Fact::Path => self.evidence.path = item,
                    Fact::ControlPath => self.evidence.control_path = item,
                    Fact::PublicPath => self.evidence.public_path = item,
                    _ => self.evidence.udp_path = item,
                }
                fact
            }
            Found::Sizes(began, sizes) => {
                self.evidence.sizes = match sizes {
                    Ok(sizes) => budget.known(began, sizes),
                    Err(reason) => Item::NotTested(reason),
                };
                Fact::Sizes
            }
        };
        self.progress.recorded(&self.evidence, fact)
    }

    /// Begins what the facts so far call for.
    fn follow(&mut self) {
        self.follow_names();
        let is_local = self.target_is_local();
        if is_local {
            return;
        }
        if let Some(address) = self.troubled() {
            self.follow_trouble(address);
        } else if let Some(attempt) = self.working() {
            self.follow_success(&attempt);
        }
        self.follow_public();
        self.follow_loss();
    }

    /// Tries the addresses that the name has.
    fn follow_names(&mut self) {
        let Some(names) = self.evidence.names.get().cloned() else { return };
        if !self.first("addresses") {
            return;
        }
        let own = addresses_of(&names.own);
        let system = names.system.as_ref().map(|system| system.addresses.clone()).unwrap_or_default();
        let others = addresses_of(&names.others);
        let Some(_) = self.request.target else {
            // Without a target, the pages that find portals are asked.
            if !self.request.is_offline {
                for query in names.own.iter().flat_map(|answer| &answer.a) {
                    let page = PAGES.iter().find(|(host, _)| *host == query.name);
                    if let (Some(ip), Some((host, path))) = (query.addresses.first(), page) {
                        self.begin_web((*host).to_owned(), *ip, (*path).to_owned(), true);
                    }
                }
            }
            return;
        };
        let hosts = self.evidence.resolver.get().map(|resolver| resolver.hosts.clone()).unwrap_or_default();
        for ip in own.iter().chain(&system) {
            self.attempt((*ip).into(), Source::Own);
        }
        let own_fails = own.is_empty() && system.is_empty();
        for ip in others {
            // An address that only others know, or that differs from a suspicious one, shows whether the name was all.
            let is_new = !own.contains(&ip) && !hosts.contains(&ip);
            let is_odd = own.iter().any(|ip| !matches!(Class::of(*ip), Class::Global));
            if own_fails || (is_new && is_odd) {
                self.attempt(ip.into(), Source::Others);
            }
        }
    }

    /// The address of the target whose way is to be looked at: one that fails, unless another of it works.
    fn troubled(&self) -> Option<IpAddr> {
        let wanted = |source: Source| source != Source::Others;
        if self.tried.iter().any(|attempt| wanted(attempt.source) && attempt.connect.stands()) {
            return None;
        }
        let failed = self.tried.iter().filter(|attempt| wanted(attempt.source));
        let failed = failed.filter(|attempt| goes_out(&attempt.connect)).map(|attempt| attempt.address);
        let quiet = self.attempts.iter().filter(|(_, is_quiet)| **is_quiet).map(|(ip, _)| *ip);
        let waits = self.attempts.values().any(|is_quiet| !*is_quiet);
        let mut all: Vec<IpAddr> = failed.chain(quiet).collect();
        all.sort();
        // While another may still work, there is no hurry.
        all.into_iter().next().filter(|_| !waits)
    }

    fn working(&self) -> Option<Attempt> {
        // Where only others know the name, what they say shows the way, too.
        let mut stands: Vec<&Attempt> =
            self.tried.iter().filter(|attempt| attempt.connect.stands()).collect();
        stands.sort_by_key(|attempt| attempt.source == Source::Others);
        stands.first().map(|attempt| (*attempt).clone())
    }

    fn port(&self) -> u16 {
        self.request.target.as_ref().and_then(|target| target.port).unwrap_or(443)
    }

    /// The target does not answer as it should: other ports, the way there, and connections side by side.
    fn follow_trouble(&mut self, ip: IpAddr) {
        let to = Address { ip, scope_id: self.scope_of(ip) };
        let connect =
            self.tried.iter().find(|attempt| attempt.address == ip).map(|attempt| attempt.connect.clone());
        let route = super::route(to);
        if route.as_ref().is_some_and(Route::is_local) {
            return;
        }
        let port = self.port();
        let is_silent = connect.as_ref().is_none_or(|connect| connect.outcome == ConnectOutcome::Silent);
        if self.first("control") {
            let budget = self.budget.clone();
            self.beside(move || {
                let began = Instant::now();
                Found::Control(began, control(to, port, &budget))
            });
        }
        if self.first("small_train") {
            self.train(Fact::SmallTrain, to, path_small);
        }
        if is_silent && self.first("burst") {
            let budget = self.budget.clone();
            self.beside(move || {
                let began = Instant::now();
                Found::Burst(began, path::burst(to.with_port(port), 16, timing::SYN, &budget))
            });
        }
        let is_on_link = route.is_some_and(|route| route.is_on_link());
        if !is_on_link && self.first("path") {
            self.path(Fact::Path, to, port);
        }
        // The way of another port comes last: it spends what routers have left for answers.
        let is_done = self.evidence.control.get().is_some() && self.evidence.path != Item::default();
        if is_done && !is_on_link && self.first("control_path") {
            let answered = self.evidence.control.all().iter().find(|attempt| attempt.connect.shows_host());
            let other = answered.map_or(if port == 443 { 80 } else { 443 }, |attempt| attempt.port);
            self.path(Fact::ControlPath, to, other);
        }
    }

    fn scope_of(&self, ip: IpAddr) -> u32 {
        match self.request.target.as_ref().map(|target| &target.host) {
            Some(Host::Address { ip: asked, zone: Some(zone) }) if *asked == ip => {
                sys::interface_index(zone).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// The target answers: how well, and if what it says is amiss, whether size matters.
    fn follow_success(&mut self, attempt: &Attempt) {
        let to = Address { ip: attempt.address, scope_id: self.scope_of(attempt.address) };
        if self.first("small_train") {
            self.train(Fact::SmallTrain, to, path_small);
            let port = attempt.port;
            let budget = self.budget.clone();
            let wait =
                Duration::from_micros(attempt.connect.elapsed_us * 4).clamp(timing::SYN, timing::QUIET * 2);
            self.beside(move || {
                let began = Instant::now();
                Found::Burst(began, path::burst(to.with_port(port), 14, wait, &budget))
            });
        }
        // One after the other: a train that fills the way would be another's loss.
        let has_echo = self.evidence.small_train.get().is_some_and(|train| train.received() > 0);
        if has_echo && self.first("large_train") {
            self.train(Fact::LargeTrain, to, path::large);
        }
        let loses_large =
            has_echo && self.evidence.large_train.get().is_some_and(|train| train.received() < train.sent());
        if (!is_fine(attempt) || loses_large) && self.first("sizes") {
            let mtu = self.link_mtu(to);
            self.beside(move || {
                let began = Instant::now();
                Found::Sizes(began, path::sizes(to, mtu))
            });
        }
    }

    fn link_mtu(&self, to: Address) -> u32 {
        let interface = super::route(to).and_then(|route| route.interface);
        let links = self.evidence.links.all();
        let link = interface.and_then(|name| links.iter().find(|link| link.name == name));
        link.and_then(|link| link.mtu).unwrap_or(1_500)
    }

    /// Nothing of the internet is reached, or nothing by datagram: how far does it go?
    fn follow_public(&mut self) {
        let Some(public) = self.evidence.public.get() else { return };
        let v4: Vec<&Anchor> = public.iter().filter(|anchor| anchor.address.is_ipv4()).collect();
        let Some(first) = v4.first().map(|anchor| anchor.address) else { return };
        let by_tcp = v4.iter().find(|anchor| anchor.is_reached_by_tcp()).map(|anchor| anchor.address);
        // They are asked as name servers, in one place or the other.
        let others = self.evidence.names.get().map(|names| names.others.as_slice());
        let is_named =
            !matches!(self.request.target.as_ref().map(|target| &target.host), Some(Host::Address { .. }));
        let is_answered = others.is_some();
        let by_udp = v4.iter().any(|anchor| anchor.udp.as_ref().is_some_and(|udp| udp.outcome.is_answer()))
            || others.is_some_and(|all| {
                all.iter()
                    .any(|answer| answer.a.iter().chain(&answer.aaaa).any(|query| query.outcome.is_answer()))
            });
        let has_nothing = by_tcp.is_none() && !by_udp;
        let has_nothing = has_nothing && self.evidence.public.get().is_some();
        if has_nothing && self.first("public_path") {
            self.path(Fact::PublicPath, first.into(), 443);
            if self.evidence.small_train == Item::default() && self.request.target.is_none() {
                self.begun.insert("small_train");
                self.train(Fact::SmallTrain, first.into(), path_small);
            }
        }
        if is_named && !is_answered {
            return;
        }
        if let Some(reached) = by_tcp
            && !by_udp
            && self.first("public_path")
        {
            self.path(Fact::PublicPath, reached.into(), 443);
        }
        if by_tcp.is_some()
            && !by_udp
            && self.evidence.public_path != Item::default()
            && self.first("udp_path")
        {
            let to = Address::from(by_tcp.unwrap_or(first)).with_port(trace::UDP_PORT);
            self.beside(move || {
                let began = Instant::now();
                let path = trace::udp(to, trace::MOST_HOPS, timing::PATH);
                Found::Path(
                    Fact::UdpPath,
                    began,
                    path.map_err(|error| Untested::System(System::Path(error.to_string()))),
                )
            });
        }
        let is_aim = self.request.target.is_none() && by_tcp.is_some();
        if is_aim && self.first("small_train") {
            let to: Address = by_tcp.unwrap_or(first).into();
            self.train(Fact::SmallTrain, to, path_small);
        }
        if is_aim && self.evidence.small_train.get().is_some() && self.first("large_train") {
            self.train(Fact::LargeTrain, by_tcp.unwrap_or(first).into(), path::large);
        }
    }

    /// Whether packets for others come in, as they do where two share a hardware address.
    fn is_mistaken(&self) -> bool {
        let before = self.counters.get("Ip.InAddrErrors").copied().unwrap_or(0);
        let now = sys::network_counters().ok().and_then(|now| now.get("Ip.InAddrErrors").copied());
        self.pending == 0 && now.is_some_and(|now| now > before)
    }

    /// Something was lost: by chance, or for a time? That takes longer to tell.
    fn follow_loss(&mut self) {
        let Some(aim) = self.aim() else { return };
        if self.begun.contains("long_train") || !(self.is_lossy() || self.is_mistaken()) {
            return;
        }
        self.begun.insert("long_train");
        self.train(Fact::LongTrain, aim, path::long);
        let gateway =
            self.evidence.gateways.all().iter().find(|gateway| gateway.is_best && gateway.address.is_ipv4());
        if let Some(gateway) = gateway.map(|gateway| gateway.address) {
            self.train(Fact::GatewayTrain, gateway.into(), path::long);
        }
    }

    /// Whom trains go to.
    fn aim(&self) -> Option<Address> {
        let tried = self.tried.iter().map(|attempt| attempt.address);
        let quiet = self.attempts.keys().copied();
        let public = self.evidence.public.all().iter().map(|anchor| anchor.address);
        let ip = tried.chain(quiet).chain(public).next()?;
        Some(Address { ip, scope_id: self.scope_of(ip) })
    }

    /// Whether the beat comes back, and not all along.
    fn beats_badly(&self) -> bool {
        self.beat.as_ref().is_some_and(|beat| {
            let (sent, received) = beat.tally.counts();
            received > 0 && (beat.tally.has_stalled() || (sent >= 15 && received + sent / 5 < sent))
        })
    }

    fn is_lossy(&self) -> bool {
        let is_partial = |train: &Item<Train>| {
            train.get().is_some_and(|train| train.received() > 0 && train.received() < train.sent())
        };
        let asked_again = |names: &Names| {
            let all = names.own.iter().flat_map(|answer| answer.a.iter().chain(&answer.aaaa));
            all.clone().any(|query| query.tries > 1 && query.outcome.is_answer())
                || (all.clone().any(|query| query.outcome == QueryOutcome::Silent)
                    && all.clone().any(|query| query.outcome.is_answer()))
        };
        let sent_again = self.tried.iter().any(|attempt| {
            attempt.connect.stands() && attempt.connect.syn_retransmissions.is_some_and(|count| count > 0)
        });
        let bursts_lose = self.evidence.burst.get().is_some_and(|burst| {
            let again =
                |one: &&crate::doctor::evidence::BurstConnect| one.syn_retransmissions.is_some_and(|n| n > 0);
            let lost = burst.first.iter().filter(again).count();
            lost > 0 && lost < burst.first.len()
        });
        let gateway_loses = self.evidence.gateways.all().iter().any(|gateway| {
            gateway.is_best && gateway.pings.is_some_and(|(sent, received)| received > 0 && received < sent)
        });
        let is_slow =
            self.tried.iter().any(|attempt| attempt.connect.stands() && attempt.connect.elapsed_us > 900_000);
        is_partial(&self.evidence.small_train)
            // The beat began after the questions, and may have missed what they met.
            || self.evidence.names.get().is_some_and(asked_again)
            || sent_again
            || self.beats_badly()
            || bursts_lose
            || gateway_loses
            || is_slow
    }

    fn train(&mut self, fact: Fact, to: Address, run: fn(Address, Duration) -> Result<Train, Untested>) {
        // A slow path takes its time both ways.
        let connected = self.tried.iter().filter(|attempt| attempt.connect.stands());
        let slowest = connected.map(|attempt| attempt.connect.elapsed_us).max().unwrap_or(0);
        let patience = Duration::from_micros(slowest * 3).min(timing::QUIET * 2);
        self.beside(move || {
            let began = Instant::now();
            Found::Train(fact, began, run(to, patience))
        });
    }

    fn path(&mut self, fact: Fact, to: Address, port: u16) {
        self.beside(move || {
            let began = Instant::now();
            let path = trace::syn(to.with_port(port), trace::MOST_HOPS, timing::PATH);
            Found::Path(fact, began, path.map_err(|error| Untested::System(System::Path(error.to_string()))))
        });
    }

    /// Records what only the end can tell.
    fn finish(mut self) -> Evidence {
        let start = self.budget.start;
        if self.evidence.target.get().is_none() && !self.tried.is_empty() {
            self.evidence.target = self.budget.known(start, self.tried.clone());
        }
        if self.evidence.gateways.get().is_none() && !self.gateways.1.is_empty() {
            self.evidence.gateways = self.budget.known(start, self.gateways.1.clone());
        }
        if self.evidence.public.get().is_none() && !self.anchors.1.is_empty() {
            self.evidence.public = self.budget.known(start, self.anchors.1.clone());
        }
        if let Some(beat) = self.beat.take() {
            beat.end.store(true, Ordering::Relaxed);
            self.evidence.beat = match beat.thread.join() {
                Ok(Ok(train)) => self.budget.known(beat.began, train),
                Ok(Err(reason)) => Item::NotTested(reason),
                Err(_) => Item::NotTested(Untested::TimeUp),
            };
            self.progress.recorded(&self.evidence, Fact::Beat);
        }
        if !self.web.is_empty() {
            self.web.sort_by(|a, b| a.host.cmp(&b.host));
            self.evidence.web = self.budget.known(start, self.web.clone());
            self.progress.recorded(&self.evidence, Fact::Web);
        }
        if !self.counters.is_empty()
            && let Ok(after) = sys::network_counters()
        {
            let grown = |(name, after): (String, u64)| {
                let before = self.counters.get(&name).copied().unwrap_or(0);
                let growth = after.saturating_sub(before);
                (growth > 0).then_some((name, growth))
            };
            self.evidence.counters = self.budget.known(start, after.into_iter().filter_map(grown).collect());
            self.progress.recorded(&self.evidence, Fact::Counters);
        }
        if self.evidence.carrier.get().is_none() && !self.network.links.is_empty() {
            let began = start;
            if let Some(changes) = local::carrier(&self.carrier, start.elapsed()) {
                self.evidence.carrier = self.budget.known(began, changes);
                self.progress.recorded(&self.evidence, Fact::Carrier);
            }
        }
        self.evidence
    }
}

/// So many small packets show loss of one in ten.
fn path_small(to: Address, patience: Duration) -> Result<Train, Untested> {
    path::small(to, 24, patience)
}

fn addresses_of(answers: &[crate::doctor::evidence::ServerAnswer]) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = Vec::new();
    for answer in answers {
        for query in answer.a.iter().chain(&answer.aaaa).chain(&answer.tcp) {
            for ip in &query.addresses {
                if !all.contains(ip) {
                    all.push(*ip);
                }
            }
        }
        // The first server that knows it is the one the resolver believes.
        if !all.is_empty() {
            break;
        }
    }
    all
}

/// Whether an attempt went as it should.
fn is_fine(attempt: &Attempt) -> bool {
    let is_whole = |round: &crate::doctor::evidence::Round| round.outcome == RoundOutcome::Whole;
    let Some(exchange) = &attempt.exchange else { return attempt.connect.stands() };
    attempt.connect.stands()
        && exchange.small.as_ref().is_some_and(is_whole)
        && exchange.large.as_ref().is_none_or(is_whole)
}

/// Whether packets of a connection left this machine.
fn goes_out(connect: &Connect) -> bool {
    !matches!(
        connect.outcome,
        ConnectOutcome::NoRoute
            | ConnectOutcome::RouteRefuses
            | ConnectOutcome::NoLocalPort
            | ConnectOutcome::Lacking
            | ConnectOutcome::Connected
    )
}

/// Tries one address: the connection first, then what is said on it.
fn attempt(
    address: Address,
    source: Source,
    target: Option<&Target>,
    budget: &Budget,
    patience: &Budget,
    quiet: &dyn Fn(),
) -> Attempt {
    let route = super::route(address);
    let asked = target.and_then(|target| target.port);
    let port = asked.unwrap_or(443);
    let to = address.with_port(port);
    let (mut connect, made) = connect::connect(to, timing::CONNECT, patience, Some((timing::QUIET, quiet)));
    let mut answers_ping = None;
    if asked.is_none() && !connect.stands() {
        // Any sign of life will do where no port was asked for.
        let (other, _) = connect::connect(address.with_port(80), timing::CONTROL, budget, None);
        if other.shows_host() {
            connect = other;
        }
        answers_ping = path::small(address, 3, Duration::ZERO).ok().map(|train| train.received() > 0);
    }
    let exchange = match (made, target) {
        (Some(Made::Reset(socket)), Some(_)) if asked.is_some() => {
            Some(exchange::over_at_once(&socket, RoundOutcome::Reset))
        }
        (Some(Made::Open(socket)), Some(target)) if asked.is_some() => {
            let (header, name) = (target.header(), target.server_name());
            let host = if target.service == Service::Https { name.as_str() } else { header.as_str() };
            // A SYN that was sent again took longer than the way does.
            let told = sys::tcp_info(&socket).map(|info| u64::from(info.rtt_us)).filter(|rtt| *rtt > 0);
            let round_trip =
                Duration::from_micros(told.unwrap_or(connect.elapsed_us).min(connect.elapsed_us));
            let talk = Talk { to, service: target.service, host, path: &target.path, round_trip };
            Some(exchange::exchange(&socket, &talk, budget))
        }
        _ => None,
    };
    let is_on_link = route.as_ref().is_some_and(Route::is_on_link);
    let next_hop = route.as_ref().and_then(|route| route.gateway).or(is_on_link.then_some(address.ip));
    let neighbour = next_hop.and_then(|ip| lan::entry(ip, 0).0);
    Attempt { address: address.ip, port, source, route, connect, exchange, neighbour, answers_ping }
}

/// Other ports of the same host, all at once: those that most hosts open, and one that nobody has, where a host that is
/// there answers with a reset.
fn control(to: Address, port: u16, budget: &Budget) -> Vec<Attempt> {
    const PORTS: [u16; 5] = [80, 443, 22, 53, 47_321];
    std::thread::scope(|scope| {
        let threads: Vec<_> = PORTS
            .into_iter()
            .filter(|other| *other != port)
            .map(|port| {
                let one = move || {
                    let (connect, _) = connect::connect(to.with_port(port), timing::CONTROL, budget, None);
                    Attempt {
                        address: to.ip,
                        port,
                        source: Source::Asked,
                        route: None,
                        connect,
                        exchange: None,
                        neighbour: None,
                        answers_ping: None,
                    }
                };
                std::thread::Builder::new().spawn_scoped(scope, one)
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.ok()?.join().ok()).collect()
    })
}
