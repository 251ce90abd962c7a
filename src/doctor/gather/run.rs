//! The loop that finds things out: it begins what the agenda wants and is not begun, stores what comes in, and ends when
//! nothing that matters is under way, or the time is up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::agenda::{self, Task, agenda};
use super::tasks::{Desk, Found};
use super::{Budget, local, path, timing};
use crate::address::{Address, Class, Host};
use crate::doctor::evidence::{About, Evidence, Item, Route, System, Trying, Untested, Ways};
use crate::doctor::fact::Fact;
use crate::doctor::request::{PUBLIC, PUBLIC_V6, Request, Target};
use crate::doctor::rules;
use crate::sys::{self, Network};
use crate::trace::{Path, Tally, Train};

/// Whoever is told of facts as they are recorded, and says whether to go on.
pub(in crate::doctor) trait Progress {
    /// A fact has been recorded; `false` ends the run.
    fn recorded(&mut self, evidence: &Evidence, fact: Fact) -> bool;
}

/// Finds out what there is to be found out.
pub(in crate::doctor) fn gather(request: &Request, progress: &mut dyn Progress) -> Evidence {
    Gathering::new(request, progress).run()
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

/// What comes from the threads that ask.
enum News {
    /// A task is done.
    Done(Task, Instant, Box<Found>),
    /// A connection to this address of the target has been silent for a while.
    Quiet(IpAddr),
}

/// Echo requests that run as long as anything else does.
struct Beat {
    began: Instant,
    end: Arc<AtomicBool>,
    tally: Arc<Tally>,
    thread: JoinHandle<Result<Train, Untested>>,
}

/// A run.
struct Gathering<'a> {
    request: &'a Request,
    progress: &'a mut dyn Progress,
    evidence: Evidence,
    budget: Budget,
    /// The part that connections to the target may still wait, though nothing else does.
    patience: Budget,
    network: Network,
    /// The kernel's counters and the changes of the carriers before anything was sent.
    counters: BTreeMap<String, u64>,
    carrier: HashMap<String, u32>,
    sender: Sender<News>,
    news: Receiver<News>,
    /// Whether what is known before the first packet has been noted.
    is_noted: bool,
    begun: BTreeSet<Task>,
    running: BTreeSet<Task>,
    beat: Option<Beat>,
    /// Whether whoever is told wants more.
    goes_on: bool,
}

impl<'a> Gathering<'a> {
    fn new(request: &'a Request, progress: &'a mut dyn Progress) -> Self {
        /// What it takes to judge and to write, and to end what still runs.
        const REST: Duration = Duration::from_millis(500);
        let budget = Budget::new(request.timeout.saturating_sub(REST).max(request.timeout / 2));
        let (sender, news) = mpsc::channel();
        Self {
            request,
            progress,
            evidence: Evidence { about: about(request), ..Evidence::default() },
            patience: budget.part(),
            budget,
            network: Network::default(),
            counters: BTreeMap::new(),
            carrier: HashMap::new(),
            sender,
            news,
            is_noted: false,
            begun: BTreeSet::new(),
            running: BTreeSet::new(),
            beat: None,
            goes_on: true,
        }
    }

    fn run(mut self) -> Evidence {
        while self.goes_on {
            let wanted: Vec<Task> =
                agenda(&self.evidence, self.request).difference(&self.begun).cloned().collect();
            if wanted.first().is_some_and(Task::is_of_the_machine) {
                for task in wanted.into_iter().filter(Task::is_of_the_machine) {
                    self.do_here(task);
                }
                continue;
            }
            if rules::is_settled(&self.evidence) {
                break;
            }
            if !std::mem::replace(&mut self.is_noted, true) {
                self.note_what_counts();
                continue;
            }
            for task in wanted {
                self.begin(task);
            }
            if !self.is_any_needed(|_| true) {
                break;
            }
            self.end_patience();
            self.wait();
        }
        self.budget.end();
        self.patience.end();
        self.finish()
    }

    /// Whether a task that runs and is one of these matters to the verdict.
    fn is_any_needed(&self, is_one: impl Fn(&Task) -> bool) -> bool {
        let matters = |task: &&Task| is_one(task) && agenda::matters(task, &self.evidence, self.request);
        self.running.iter().any(|task| matters(&task))
    }

    /// Where only silent connections are still waited for, that is enough.
    fn end_patience(&self) {
        let is_attempt = |task: &Task| matches!(task, Task::Attempt(..));
        let all_quiet = self.evidence.meanwhile.trying.values().all(|one| one.is_quiet);
        let others = self.is_any_needed(|task| !is_attempt(task));
        if all_quiet && !others && !agenda::may_be_told_later(&self.evidence) {
            self.patience.end();
        }
    }

    /// Waits for news, and stores them.
    fn wait(&mut self) {
        /// What the echo requests beside everything have seen is looked at as often.
        const TICK: Duration = Duration::from_millis(100);
        let left = self.budget.deadline.saturating_duration_since(Instant::now());
        match self.news.recv_timeout(left.min(TICK)) {
            Ok(News::Quiet(ip)) => {
                if let Some(one) = self.evidence.meanwhile.trying.get_mut(&ip) {
                    one.is_quiet = true;
                }
            }
            Ok(News::Done(task, began, found)) => {
                self.running.remove(&task);
                if let Some(fact) = self.store(&task, began, *found) {
                    self.tell(fact);
                }
            }
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                self.evidence.about.is_cut_short = true;
                self.goes_on = false;
            }
            Err(_) => {}
        }
        self.watch_beat();
    }

    fn tell(&mut self, fact: Fact) {
        self.goes_on &= self.progress.recorded(&self.evidence, fact);
    }

    /// Does on this thread what costs no packet.
    fn do_here(&mut self, task: Task) {
        let began = Instant::now();
        let evidence = &mut self.evidence;
        match task {
            Task::Host => {
                evidence.host = self.budget.known(began, local::host());
                self.tell(Fact::Host);
            }
            Task::Interfaces => self.interfaces(),
            Task::Loopback => {
                evidence.loopback = self.budget.known(began, local::loopback(&self.network));
                self.tell(Fact::Loopback);
            }
            Task::Resolver => {
                let name = evidence.about.target.as_ref().and_then(|target| target.name.clone());
                evidence.resolver = self.budget.known(began, local::resolver(name.as_deref(), &self.network));
                self.tell(Fact::Resolver);
            }
            Task::Carrier => self.watch_carrier(),
            _ => evidence.meanwhile.hosts = hosts(evidence, self.request),
        }
        self.begun.insert(task);
    }

    fn interfaces(&mut self) {
        let began = Instant::now();
        let evidence = &mut self.evidence;
        match local::network() {
            Ok(network) if !network.links.is_empty() => self.network = network,
            other => {
                let said = other.err().map_or_else(|| "it has none".to_owned(), |error| error.to_string());
                let why = Untested::System(System::Interfaces(said));
                evidence.links = Item::NotTested(why.clone());
                evidence.addresses = Item::NotTested(why.clone());
                evidence.routes = Item::NotTested(why);
                return;
            }
        }
        self.carrier = local::carrier_changes(&self.network);
        evidence.links = self.budget.known(began, local::links(&self.network));
        evidence.addresses = self.budget.told(began, local::addresses(&self.network));
        evidence.routes = self.budget.told(began, local::routes(&self.network));
        let rules = sys::policy_rules().map_err(|_| Untested::System(System::RouteLookup));
        evidence.rules = self.budget.tested(began, rules);
        evidence.out = match (way([198, 41, 0, 4].into()), way(A_ROOT_V6.into())) {
            (Some(v4), Some(v6)) => self.budget.known(began, Ways { v4: Some(v4), v6: Some(v6) }),
            _ => Item::NotTested(Untested::System(System::RouteLookup)),
        };
        for fact in [Fact::Links, Fact::Addresses, Fact::Routes] {
            self.tell(fact);
        }
    }

    /// A carrier that is away is looked at a second time; one that has come and gone before, for a while.
    fn watch_carrier(&mut self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(40);
        let began = Instant::now();
        let is_restless = self.evidence.links.all().iter().any(agenda::is_restless);
        let patience = if is_restless { timing::CARRIER } else { LOOK_AGAIN };
        while began.elapsed() < patience && !self.budget.is_over() {
            std::thread::sleep(LOOK_AGAIN);
            let changes = local::carrier(&self.carrier, began.elapsed()).unwrap_or_default();
            if changes.iter().any(|change| change.after >= change.before + 2) {
                break;
            }
        }
        if let Some(changes) = local::carrier(&self.carrier, began.elapsed()) {
            self.evidence.carrier = self.budget.known(began, changes);
            self.tell(Fact::Carrier);
        }
    }

    /// Notes before the first packet what the kernel has counted so far, and what need not be asked.
    fn note_what_counts(&mut self) {
        self.counters = sys::network_counters().unwrap_or_default();
        for (fact, why) in agenda::ruled_out(&self.evidence, self.request) {
            self.evidence.rule_out(fact, why);
        }
    }

    /// Begins a task on a thread of its own. Where none can be had the fact stays unknown, as this machine's lack tells why.
    fn begin(&mut self, task: Task) {
        self.begun.insert(task.clone());
        if task == Task::Beat {
            return self.begin_beat();
        }
        let sender = self.sender.clone();
        let (mut attempted, mut quiet): (Option<IpAddr>, Box<dyn Fn() + Send>) = (None, Box::new(|| ()));
        if let Task::Attempt(ip, _) = task {
            attempted = Some(ip);
            let to = self.desk().address(ip);
            let trying = Trying { is_quiet: false, route: super::route(to) };
            self.evidence.meanwhile.trying.insert(ip, trying);
            quiet = Box::new(move || {
                let _ = sender.send(News::Quiet(ip));
            });
        }
        let Some(work) = self.desk().prepare(&task, quiet) else { return };
        let (sender, done) = (self.sender.clone(), task.clone());
        let began = Instant::now();
        let thread = std::thread::Builder::new().spawn(move || {
            // Nobody waits any more: the case was settled.
            let _ = sender.send(News::Done(done, began, Box::new(work())));
        });
        if thread.is_ok() {
            self.running.insert(task);
        } else if let Some(ip) = attempted {
            self.evidence.meanwhile.trying.remove(&ip);
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            evidence: &self.evidence,
            request: self.request,
            budget: &self.budget,
            patience: &self.patience,
        }
    }

    fn begin_beat(&mut self) {
        let mut v4 = self.evidence.meanwhile.hosts.iter().map(|(_, ip)| *ip).filter(IpAddr::is_ipv4);
        let Some(ip) = v4.next() else { return };
        let (end, tally, timeout) =
            (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()), self.request.timeout);
        let (until, running) = (end.clone(), tally.clone());
        let work = move || path::beat(Address::from(ip), &until, &running, timeout);
        let thread = std::thread::Builder::new().spawn(work);
        self.beat = thread.ok().map(|thread| Beat { began: Instant::now(), end, tally, thread });
    }

    /// Notes what the echo requests beside everything have come to, and where nothing else is under way, whether packets for
    /// others come in.
    fn watch_beat(&mut self) {
        let is_idle =
            !self.is_any_needed(|task| !matches!(task, Task::Attempt(..) | Task::Web(_) | Task::Page(..)));
        let meanwhile = &mut self.evidence.meanwhile;
        if let Some(beat) = &self.beat {
            (meanwhile.beat_sent, meanwhile.beat_received) = beat.tally.counts();
            meanwhile.beat_has_stalled = beat.tally.has_stalled();
        }
        if is_idle {
            const STRAYS: &str = "Ip.InAddrErrors";
            let before = self.counters.get(STRAYS).copied().unwrap_or(0);
            let now = sys::network_counters().ok().and_then(|now| now.get(STRAYS).copied());
            meanwhile.sees_strays = now.is_some_and(|now| now > before);
        }
    }

    /// Stores what a task found; the fact that is known by it, if it is complete.
    fn store(&mut self, task: &Task, began: Instant, found: Found) -> Option<Fact> {
        let is_more = |is_one: fn(&Task) -> bool| self.running.iter().any(is_one);
        let more_gateways = is_more(|task| matches!(task, Task::Gateway(..)));
        let more_anchors = is_more(|task| matches!(task, Task::Anchor(_)));
        let (evidence, budget) = (&mut self.evidence, &self.budget);
        match found {
            Found::Gateway(gateway) => {
                evidence.meanwhile.gateways.extend(gateway);
                if more_gateways {
                    return None;
                }
                evidence.gateways = budget.known(began, sorted_gateways(evidence));
                Some(Fact::Gateways)
            }
            Found::Anchor(anchor) => {
                evidence.meanwhile.anchors.push(anchor);
                if more_anchors {
                    return None;
                }
                evidence.public = budget.known(began, sorted_anchors(evidence));
                Some(Fact::Public)
            }
            Found::Web(web) => {
                evidence.meanwhile.web.push(web);
                None
            }
            Found::Attempt(attempt) => {
                let meanwhile = &mut evidence.meanwhile;
                meanwhile.trying.remove(&attempt.address);
                meanwhile.tried.push(*attempt);
                meanwhile.tried.sort_by_key(|attempt| (attempt.source as u8, attempt.address));
                if !meanwhile.trying.is_empty() {
                    return None;
                }
                evidence.target = budget.known(began, meanwhile.tried.clone());
                Some(Fact::Target)
            }
            Found::Claims(claims) => {
                evidence.claims = budget.tested(began, claims);
                Some(Fact::Claims)
            }
            Found::Names(names) => {
                evidence.names = budget.known(began, *names);
                Some(Fact::Names)
            }
            Found::Proxy(proxy) => {
                evidence.proxy = budget.known(began, proxy.map(|proxy| *proxy));
                Some(Fact::Proxy)
            }
            Found::Control(control) => {
                evidence.control = budget.known(began, control);
                Some(Fact::Control)
            }
            Found::Burst(burst) => {
                evidence.burst = budget.known(began, burst);
                Some(Fact::Burst)
            }
            Found::Sizes(sizes) => {
                evidence.sizes = budget.tested(began, sizes);
                Some(Fact::Sizes)
            }
            Found::Train(train) => {
                let (item, fact) = train_of(evidence, task);
                *item = budget.tested(began, train);
                Some(fact)
            }
            Found::Path(path) => {
                let (item, fact) = path_of(evidence, task);
                *item = budget.tested(began, path);
                Some(fact)
            }
        }
    }

    /// Records what only the end can tell, and parts of lists whose rest did not come in time.
    fn finish(mut self) -> Evidence {
        let start = self.budget.start;
        let evidence = &mut self.evidence;
        if evidence.target.get().is_none() && !evidence.meanwhile.tried.is_empty() {
            evidence.target = self.budget.known(start, evidence.meanwhile.tried.clone());
        }
        if evidence.gateways.get().is_none() && !evidence.meanwhile.gateways.is_empty() {
            evidence.gateways = self.budget.known(start, sorted_gateways(evidence));
        }
        if evidence.public.get().is_none() && !evidence.meanwhile.anchors.is_empty() {
            evidence.public = self.budget.known(start, sorted_anchors(evidence));
        }
        if let Some(beat) = self.beat.take() {
            beat.end.store(true, Ordering::Relaxed);
            let train = beat.thread.join().unwrap_or(Err(Untested::TimeUp));
            self.evidence.beat = self.budget.tested(beat.began, train);
            self.tell(Fact::Beat);
        }
        if !self.evidence.meanwhile.web.is_empty() {
            let mut web = std::mem::take(&mut self.evidence.meanwhile.web);
            web.sort_by(|a, b| a.host.cmp(&b.host));
            self.evidence.web = self.budget.known(start, web);
            self.tell(Fact::Web);
        }
        self.count();
        if self.evidence.carrier.get().is_none()
            && !self.network.links.is_empty()
            && let Some(changes) = local::carrier(&self.carrier, start.elapsed())
        {
            self.evidence.carrier = self.budget.known(start, changes);
            self.tell(Fact::Carrier);
        }
        if self.evidence.about.is_cut_short {
            self.tell_of_what_was_cut_short();
        }
        self.evidence.meanwhile = crate::doctor::evidence::Meanwhile::default();
        self.evidence
    }

    /// What the kernel's counters have grown by.
    fn count(&mut self) {
        if self.counters.is_empty() {
            return;
        }
        let Ok(after) = sys::network_counters() else { return };
        let grown = |(name, after): (String, u64)| {
            let before = self.counters.get(&name).copied().unwrap_or(0);
            let growth = after.saturating_sub(before);
            (growth > 0).then_some((name, growth))
        };
        let grown = after.into_iter().filter_map(grown).collect();
        self.evidence.counters = self.budget.known(self.budget.start, grown);
        self.tell(Fact::Counters);
    }

    /// What was under way when the time was up is not known, which is not the same as bad.
    fn tell_of_what_was_cut_short(&mut self) {
        for fact in self.running.iter().filter_map(fact_of).collect::<BTreeSet<_>>() {
            if self.evidence.untested(fact) == Some(&Untested::NoNeed) {
                self.evidence.rule_out(fact, Untested::TimeUp);
                self.tell(fact);
            }
        }
    }
}

/// Where the train of a task is stored.
fn train_of<'e>(evidence: &'e mut Evidence, task: &Task) -> (&'e mut Item<Train>, Fact) {
    match task {
        Task::SmallTrain => (&mut evidence.small_train, Fact::SmallTrain),
        Task::LargeTrain => (&mut evidence.large_train, Fact::LargeTrain),
        Task::GatewayTrain => (&mut evidence.gateway_train, Fact::GatewayTrain),
        _ => (&mut evidence.long_train, Fact::LongTrain),
    }
}

/// Where the path of a task is stored.
fn path_of<'e>(evidence: &'e mut Evidence, task: &Task) -> (&'e mut Item<Path>, Fact) {
    match task {
        Task::ControlPath => (&mut evidence.control_path, Fact::ControlPath),
        Task::PublicPath => (&mut evidence.public_path, Fact::PublicPath),
        Task::UdpPath => (&mut evidence.udp_path, Fact::UdpPath),
        _ => (&mut evidence.path, Fact::Path),
    }
}

/// The fact that a task finds out; `None` of one that finds out none by itself.
fn fact_of(task: &Task) -> Option<Fact> {
    Some(match task {
        Task::Host => Fact::Host,
        Task::Interfaces => Fact::Links,
        Task::Loopback => Fact::Loopback,
        Task::Resolver => Fact::Resolver,
        Task::Carrier => Fact::Carrier,
        Task::Hosts => return None,
        Task::Gateway(..) => Fact::Gateways,
        Task::Claims => Fact::Claims,
        Task::Beat => Fact::Beat,
        Task::Anchor(_) => Fact::Public,
        Task::Web(_) | Task::Page(..) => Fact::Web,
        Task::Names => Fact::Names,
        Task::Proxy => Fact::Proxy,
        Task::Attempt(..) => Fact::Target,
        Task::Control => Fact::Control,
        Task::Burst => Fact::Burst,
        Task::SmallTrain => Fact::SmallTrain,
        Task::LargeTrain => Fact::LargeTrain,
        Task::Path => Fact::Path,
        Task::ControlPath => Fact::ControlPath,
        Task::Sizes => Fact::Sizes,
        Task::PublicPath => Fact::PublicPath,
        Task::UdpPath => Fact::UdpPath,
        Task::LongTrain => Fact::LongTrain,
        Task::GatewayTrain => Fact::GatewayTrain,
    })
}

fn sorted_gateways(evidence: &mut Evidence) -> Vec<crate::doctor::evidence::Gateway> {
    let mut all = std::mem::take(&mut evidence.meanwhile.gateways);
    all.sort_by_key(|gateway| (!gateway.is_best, gateway.address));
    all
}

fn sorted_anchors(evidence: &mut Evidence) -> Vec<crate::doctor::evidence::Anchor> {
    let mut all = std::mem::take(&mut evidence.meanwhile.anchors);
    all.sort_by_key(|anchor| anchor.address);
    all
}

/// An address that nobody has in a network of his own: a.root-servers.net's.
const A_ROOT_V6: [u16; 8] = [0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30];

/// What the kernel does with packets to the rest of the world; nothing is sent.
fn way(to: IpAddr) -> Option<Route> {
    super::route(to.into())
}

/// Hosts of the internet to compare with, as far as their family is of use here.
fn hosts(evidence: &Evidence, request: &Request) -> Vec<(String, IpAddr)> {
    if !request.public.is_empty() {
        let address = |host: &Host| match host {
            Host::Address { ip, .. } => Some((ip.to_string(), *ip)),
            Host::Name(name) => {
                let first = (name.as_str(), 0).to_socket_addrs().ok().and_then(|mut found| found.next())?;
                Some((name.as_str().to_owned(), first.ip()))
            }
        };
        return request.public.iter().filter_map(address).collect();
    }
    let parsed = |(name, ip): &(&str, &str)| Some(((*name).to_owned(), ip.parse().ok()?));
    let mut hosts: Vec<(String, IpAddr)> = PUBLIC.iter().filter_map(parsed).collect();
    if request.target.is_none() && has_global_v6(evidence) {
        hosts.extend(PUBLIC_V6.iter().filter_map(parsed));
    }
    hosts
}

/// Whether this machine has an IPv6 address that the internet could answer, and a way there.
fn has_global_v6(evidence: &Evidence) -> bool {
    let is_global = |ip: IpAddr| ip.is_ipv6() && Class::of(ip) == Class::Global;
    let has_address = evidence.addresses.all().iter().any(|address| is_global(address.ip));
    has_address && evidence.routes.all().iter().any(|route| route.is_v6 && route.is_best)
}
