//! What each task of the agenda does: it asks, on a thread of its own, and gives typed facts. Nothing here judges.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::agenda::{self, Subject, Task};
use super::connect::Made;
use super::exchange::{self, Talk};
use super::{Budget, connect, lan, local, names, path, public, timing};
use crate::address::{Address, Host};
use crate::doctor::evidence::{
    Anchor, Attempt, Burst, Claims, Evidence, Facts, Gateway, Names, Proxy, RoundOutcome, Route, Service,
    SizeProbe, Source, System, Untested, WebAnswer,
};
use crate::doctor::request::{PAGES, Request, Target};
use crate::sys;
use crate::trace::{self, Path, Train};

/// What came of a task that ran beside others.
pub(super) enum Found {
    Gateway(Option<Gateway>),
    Claims(Result<Claims, Untested>),
    Anchor(Anchor),
    Web(WebAnswer),
    Names(Box<Names>),
    Proxy(Option<Box<Proxy>>),
    Attempt(Box<Attempt>),
    Control(Vec<Attempt>),
    Burst(Burst),
    Train(Result<Train, Untested>),
    Path(Result<Path, Untested>),
    Sizes(Result<Vec<SizeProbe>, Untested>),
}

/// Work that can be done on another thread.
pub(super) type Work = Box<dyn FnOnce() -> Found + Send>;

/// What tasks are prepared from.
pub(super) struct Desk<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) request: &'a Request,
    /// The time that the whole run has.
    pub(super) budget: &'a Budget,
    /// The part of it that connections to the target may still wait, though nothing else does.
    pub(super) patience: &'a Budget,
}

impl Desk<'_> {
    /// Prepares a task, with all that it needs; `None` if there is nothing to ask, or no thread is needed for it.
    pub(super) fn prepare(&self, task: &Task, quiet: Box<dyn Fn() + Send>) -> Option<Work> {
        let (evidence, budget) = (self.evidence, self.budget.clone());
        Some(match task {
            Task::Gateway(ip, interface) => {
                let mut all = agenda::gateways(evidence).into_iter();
                let route =
                    all.find(|route| route.gateway == Some(*ip) && route.interface == *interface)?.clone();
                Box::new(move || Found::Gateway(lan::gateway(&route, &budget)))
            }
            Task::Claims => self.claims()?,
            Task::Anchor(ip) => self.anchor(*ip),
            Task::Web(ip) => self.web(ip.to_string(), *ip, "/", false),
            Task::Page(place, ip) => {
                let (host, path) = PAGES.get(*place)?;
                self.web((*host).to_owned(), *ip, path, true)
            }
            Task::Names => self.names(),
            Task::Proxy => self.proxy()?,
            Task::Attempt(ip, source) => self.attempt(*ip, *source, quiet),
            Task::Control => {
                let (to, port) = (self.address(self.troubled()?), self.port());
                Box::new(move || Found::Control(control(to, port, &budget)))
            }
            Task::Burst => self.burst()?,
            Task::SmallTrain => self.train(self.subject_or_aim()?, |to, wait| path::small(to, SMALL, wait)),
            Task::LargeTrain => self.train(self.subject_or_aim()?, path::large),
            Task::LongTrain => self.train(agenda::aim(evidence)?, path::long),
            Task::GatewayTrain => {
                let mut all = evidence.gateways.all().iter();
                let gateway = all.find(|gateway| gateway.is_best && gateway.address.is_ipv4())?;
                self.train(gateway.address, path::long)
            }
            Task::Path => self.path(self.troubled()?, self.port()),
            Task::ControlPath => {
                let mut control = evidence.control.all().iter();
                let answered = control.find(|attempt| attempt.connect.shows_host());
                let other =
                    answered.map_or(if self.port() == 443 { 80 } else { 443 }, |attempt| attempt.port);
                self.path(self.troubled()?, other)
            }
            Task::PublicPath => self.path(agenda::public_aim(evidence)?, 443),
            Task::UdpPath => {
                let to = Address::from(agenda::public_aim(evidence)?).with_port(trace::UDP_PORT);
                Box::new(move || Found::Path(traced(trace::udp(to, trace::MOST_HOPS, timing::PATH))))
            }
            Task::Sizes => {
                let to = self.address(self.subject_or_aim()?);
                let mtu = self.link_mtu(to);
                Box::new(move || Found::Sizes(path::sizes(to, mtu)))
            }
            Task::Host
            | Task::Interfaces
            | Task::Loopback
            | Task::Resolver
            | Task::Carrier
            | Task::Hosts
            | Task::Beat => return None,
        })
    }

    fn claims(&self) -> Option<Work> {
        let link = agenda::claimed_link(self.evidence)?;
        let (name, mac) = (link.name.clone(), link.mac.clone()?);
        let v4 = |ip: IpAddr| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
        let addresses = self.evidence.addresses.all().iter();
        let own: Vec<Ipv4Addr> = addresses
            .filter(|address| address.interface == name)
            .filter_map(|address| v4(address.ip))
            .collect();
        let mut routes = self.evidence.routes.all().iter();
        let best = routes.find(|route| route.is_best && !route.is_v6);
        let gateway = best.and_then(|route| route.gateway).and_then(v4);
        let budget = self.budget.clone();
        Some(Box::new(move || Found::Claims(lan::claims(&name, &own, gateway, &mac, &budget))))
    }

    fn anchor(&self, ip: IpAddr) -> Work {
        let mut hosts = self.evidence.meanwhile.hosts.iter();
        let name =
            hosts.find(|(_, host)| *host == ip).map_or_else(|| ip.to_string(), |(name, _)| name.clone());
        // Where a name is looked up, these are asked for it as servers; else by this.
        let question = match self.host() {
            Some(Host::Address { .. }) => Some(PAGES[0].0),
            _ => None,
        };
        let budget = self.budget.clone();
        Box::new(move || Found::Anchor(public::anchor(&name, ip, question, &budget)))
    }

    fn web(&self, host: String, ip: IpAddr, path: &'static str, is_check: bool) -> Work {
        let budget = self.budget.clone();
        Box::new(move || Found::Web(public::web(&host, ip, path, is_check, &budget)))
    }

    fn names(&self) -> Work {
        let resolver = self.evidence.resolver.get().cloned().unwrap_or_default();
        let (name, tried, is_page) = match self.host() {
            Some(Host::Name(name)) => {
                let name = name.as_str().to_owned();
                let tried = names::tried(&name, &resolver);
                (name, tried, false)
            }
            // Any page that every network should pass is as good as a target.
            _ => (PAGES[0].0.to_owned(), PAGES.iter().map(|(host, _)| (*host).to_owned()).collect(), true),
        };
        let mut own = names::addresses(&resolver.servers);
        if own.is_empty() {
            // Without any, this machine itself is asked (resolv.conf(5)).
            own.push(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
        }
        let others = if self.request.is_offline {
            Vec::new()
        } else {
            let hosts = self.evidence.meanwhile.hosts.iter().map(|(_, ip)| *ip);
            hosts.filter(|ip| ip.is_ipv4() && !own.iter().any(|server| server.ip == *ip)).collect()
        };
        let ask = names::Ask {
            tried,
            name,
            own,
            others,
            wants_v6: self.wants_v6(),
            is_offline: self.request.is_offline,
            asks_system: !is_page,
        };
        let budget = self.budget.clone();
        Box::new(move || Found::Names(Box::new(names::names(&ask, &budget))))
    }

    /// Whether this machine asks for IPv6 addresses: glibc's resolver does if any but the loopback and link-local ones is
    /// configured (getaddrinfo(3), AI_ADDRCONFIG), and most programs let it.
    fn wants_v6(&self) -> bool {
        self.evidence.addresses.all().iter().any(|address| match address.ip {
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        })
    }

    fn proxy(&self) -> Option<Work> {
        let target = self.request.target.clone()?;
        let budget = self.budget.clone();
        Some(Box::new(move || {
            let scheme = if target.service == Service::Https { "https" } else { "http" };
            let named = local::proxy(scheme, &target.server_name());
            Found::Proxy(
                named.map(|(variable, value)| {
                    Box::new(super::proxy::ask(&variable, &value, &target, &budget))
                }),
            )
        }))
    }

    fn attempt(&self, ip: IpAddr, source: Source, quiet: Box<dyn Fn() + Send>) -> Work {
        let address = self.address(ip);
        let target = self.request.target.clone();
        let (budget, patience) = (self.budget.clone(), self.patience.clone());
        let route = self.evidence.meanwhile.trying.get(&ip).and_then(|trying| trying.route.clone());
        Box::new(move || {
            let asked = Asked { address, source, route, target: target.as_ref() };
            Found::Attempt(Box::new(asked.attempt(&budget, &patience, &*quiet)))
        })
    }

    fn burst(&self) -> Option<Work> {
        let (ip, port, count, wait) = match agenda::subject(self.evidence)? {
            Subject::Trouble(ip) => (ip, self.port(), 16, timing::SYN),
            Subject::Working(attempt) => {
                let wait = Duration::from_micros(attempt.connect.elapsed_us * 4);
                (attempt.address, attempt.port, 14, wait.clamp(timing::SYN, timing::QUIET * 2))
            }
        };
        let to = self.address(ip).with_port(port);
        let budget = self.budget.clone();
        Some(Box::new(move || Found::Burst(path::burst(to, count, wait, &budget))))
    }

    fn train(
        &self,
        ip: IpAddr,
        run: impl Fn(Address, Duration) -> Result<Train, Untested> + Send + 'static,
    ) -> Work {
        let to = self.address(ip);
        // A slow path takes its time both ways.
        let connected = Facts::new(self.evidence).tried().iter().filter(|attempt| attempt.connect.stands());
        let slowest = connected.map(|attempt| attempt.connect.elapsed_us).max().unwrap_or(0);
        let patience = Duration::from_micros(slowest * 3).min(timing::QUIET * 2);
        Box::new(move || Found::Train(run(to, patience)))
    }

    fn path(&self, ip: IpAddr, port: u16) -> Work {
        let to = self.address(ip).with_port(port);
        Box::new(move || Found::Path(traced(trace::syn(to, trace::MOST_HOPS, timing::PATH))))
    }

    fn link_mtu(&self, to: Address) -> u32 {
        let interface = super::route(to).and_then(|route| route.interface);
        let links = self.evidence.links.all();
        let link = interface.and_then(|name| links.iter().find(|link| link.name == name));
        link.and_then(|link| link.mtu).unwrap_or(1_500)
    }

    fn host(&self) -> Option<&Host> {
        self.request.target.as_ref().map(|target| &target.host)
    }

    fn port(&self) -> u16 {
        self.request.target.as_ref().and_then(|target| target.port).unwrap_or(443)
    }

    fn troubled(&self) -> Option<IpAddr> {
        match agenda::subject(self.evidence)? {
            Subject::Trouble(ip) => Some(ip),
            Subject::Working(_) => None,
        }
    }

    fn subject_or_aim(&self) -> Option<IpAddr> {
        match agenda::subject(self.evidence) {
            Some(Subject::Trouble(ip)) => Some(ip),
            Some(Subject::Working(attempt)) => Some(attempt.address),
            None => agenda::public_aim(self.evidence),
        }
    }

    /// An address of the target with the interface it was asked on.
    pub(super) fn address(&self, ip: IpAddr) -> Address {
        let scope_id = match self.host() {
            Some(Host::Address { ip: asked, zone: Some(zone) }) if *asked == ip => {
                sys::interface_index(zone).unwrap_or(0)
            }
            _ => 0,
        };
        Address { ip, scope_id }
    }
}

/// So many small packets show a loss of one in ten.
const SMALL: usize = 24;

fn traced(path: std::io::Result<Path>) -> Result<Path, Untested> {
    path.map_err(|error| Untested::System(System::Path(error.to_string())))
}

/// An address of the target that is to be tried.
struct Asked<'a> {
    address: Address,
    source: Source,
    route: Option<Route>,
    target: Option<&'a Target>,
}

impl Asked<'_> {
    /// Tries the address: the connection first, then what is said on it.
    fn attempt(self, budget: &Budget, patience: &Budget, quiet: &dyn Fn()) -> Attempt {
        let Self { address, source, route, target } = self;
        let asked = target.and_then(|target| target.port);
        let port = asked.unwrap_or(443);
        let to = address.with_port(port);
        let quiet = Some((timing::QUIET, quiet));
        let (mut connect, made) = connect::connect(to, timing::CONNECT, patience, quiet);
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
}

/// Other ports of the same host, all at once: those that most hosts open, and one that nobody has, where a host that is
/// there answers with a reset.
fn control(to: Address, port: u16, budget: &Budget) -> Vec<Attempt> {
    const PORTS: [u16; 5] = [80, 443, 22, 53, 47_321];
    let one = |port: u16| Attempt {
        address: to.ip,
        port,
        source: Source::Asked,
        route: None,
        connect: connect::connect(to.with_port(port), timing::CONTROL, budget, None).0,
        exchange: None,
        neighbour: None,
        answers_ping: None,
    };
    let one = &one;
    std::thread::scope(|scope| {
        let others = PORTS.into_iter().filter(|other| *other != port);
        let threads: Vec<_> =
            others.map(|port| std::thread::Builder::new().spawn_scoped(scope, move || one(port))).collect();
        threads.into_iter().filter_map(|thread| thread.ok()?.join().ok()).collect()
    })
}
