//! What is to be found out next, given what is known: pure functions of the evidence and the request.
//!
//! What costs no packet comes first, then what the next judgement needs, side by side, and what could spoil other evidence
//! last: a connection is tried before the path to it is traced, as a trace uses up what routers spend on answers.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::address::{Class, Family, Host};
use crate::doctor::evidence::{
    Anchor, Attempt, Connect, ConnectOutcome, DefaultRoute, Evidence, Facts, Item, Link, ServerAnswer,
    Service, Source, Untested, is_localhost,
};
use crate::doctor::fact::Fact;
use crate::doctor::request::{PAGES, Request};
use crate::doctor::rules;
use crate::trace::Path;

/// Something to find out, in the order in which it is begun.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// The limits and tables of this machine.
    Host,
    /// The interfaces, addresses and routes.
    Interfaces,
    /// A connection of this machine to itself.
    Loopback,
    /// The name servers and the hosts file.
    Resolver,
    /// A carrier that is away: it may be back at once.
    Carrier,
    /// The addresses of the well-known hosts of the internet.
    Hosts,
    /// A gateway, by its address and the interface it is asked on.
    Gateway(IpAddr, String),
    /// Who else uses this machine's addresses or its gateway's.
    Claims,
    /// Echo requests to a host of the internet for as long as anything else runs.
    Beat,
    /// A well-known host of the internet.
    Anchor(IpAddr),
    /// The first page of the web server at an address.
    Web(IpAddr),
    /// A page that is there to find portals, by its place in [`PAGES`], at an address.
    Page(usize, IpAddr),
    /// The target's name, or without a target the names of well-known pages.
    Names,
    /// The proxy that the environment names.
    Proxy,
    /// An address of the target, and who gave it.
    Attempt(IpAddr, Source),
    /// Other ports of the target.
    Control,
    /// Connections to the target's port, several at once.
    Burst,
    /// A short train of small echo requests.
    SmallTrain,
    /// A train of large echo requests.
    LargeTrain,
    /// The path to the target's port.
    Path,
    /// The path to another port of the target.
    ControlPath,
    /// The packet sizes that pass.
    Sizes,
    /// The path to a host of the internet.
    PublicPath,
    /// The path of datagrams to it.
    UdpPath,
    /// A train of echo requests that outlasts an outage.
    LongTrain,
    /// The same to the gateway.
    GatewayTrain,
}

impl Task {
    /// Whether it costs no packet and hardly any time, so that nothing need run beside it.
    pub(super) fn is_of_the_machine(&self) -> bool {
        *self <= Self::Hosts
    }
}

/// What is to be asked of, beyond the machine itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Subject<'a> {
    /// An address of the target that does not answer as it should, and none of its others does.
    Trouble(IpAddr),
    /// An address of the target that answers.
    Working(&'a Attempt),
}

/// What is wanted now.
pub(super) fn agenda(evidence: &Evidence, request: &Request) -> BTreeSet<Task> {
    let mut wanted = of_the_machine(evidence);
    if !wanted.is_empty() || rules::is_settled(evidence) {
        return wanted;
    }
    let view = View { evidence, request, facts: Facts::new(evidence) };
    view.everywhere(&mut wanted);
    if !view.facts.is_local() {
        view.of_the_subject(&mut wanted);
        view.of_the_internet(&mut wanted);
        view.of_loss(&mut wanted);
    }
    wanted
}

/// Facts that will not be tested, with the reason.
pub(super) fn ruled_out(evidence: &Evidence, request: &Request) -> Vec<(Fact, Untested)> {
    let mut out = Vec::new();
    match request.target.as_ref().map(|target| &target.host) {
        Some(Host::Address { .. }) => out.push((Fact::Names, Untested::TargetIsAddress)),
        Some(Host::Name(name)) if is_localhost(name.as_str()) => {
            out.push((Fact::Names, Untested::TargetIsLocalhost));
        }
        None if request.is_offline => out.push((Fact::Names, Untested::Offline)),
        Some(Host::Name(_)) | None => {}
    }
    if Facts::new(evidence).is_local() {
        return out;
    }
    if request.is_offline {
        out.extend([(Fact::Public, Untested::Offline), (Fact::Web, Untested::Offline)]);
    }
    if gateways(evidence).is_empty() {
        out.push((Fact::Gateways, Untested::NoGateway));
    }
    match claimed_link(evidence) {
        None => out.push((Fact::Claims, Untested::NoLink)),
        Some(link) if link.mac.is_none() => {
            out.push((Fact::Claims, Untested::NoHardwareAddress(link.name.clone())));
        }
        Some(_) => {}
    }
    out
}

/// Whether the verdict needs what a task that runs will tell: if all is well, a gateway that takes its time is no news.
pub(super) fn matters(task: &Task, evidence: &Evidence, request: &Request) -> bool {
    let view = View { evidence, request, facts: Facts::new(evidence) };
    match task {
        Task::Beat => false,
        Task::Gateway(..) => !view.is_well(),
        Task::Web(_) | Task::Page(..) => view.waits_for_web(),
        _ => true,
    }
}

/// Whether a router may still say that the target is gone: it asks for it for three seconds first.
pub(super) fn may_be_told_later(evidence: &Evidence) -> bool {
    let is_dead = !evidence.control.all().iter().any(|attempt| attempt.connect.shows_host());
    let is_seen = evidence.path.get().and_then(Path::farthest).is_some_and(|hop| hop >= 2);
    let rest_works = evidence.public.all().iter().any(Anchor::is_reached);
    let stands = Facts::new(evidence).tried().iter().any(|attempt| attempt.connect.stands());
    is_dead && is_seen && rest_works && !stands
}

/// The address of the target that is looked at more closely, if there is a reason to.
pub(super) fn subject(evidence: &Evidence) -> Option<Subject<'_>> {
    let tried = Facts::new(evidence).tried();
    if let Some(ip) = troubled(evidence, tried) {
        return Some(Subject::Trouble(ip));
    }
    // Where only others know the name, what they say shows the way, too.
    let stands = tried.iter().filter(|attempt| attempt.connect.stands());
    stands.min_by_key(|attempt| attempt.source == Source::Others).map(Subject::Working)
}

/// The address of the target whose way is to be looked at: one that fails, unless another of it works.
fn troubled(evidence: &Evidence, tried: &[Attempt]) -> Option<IpAddr> {
    let own = || tried.iter().filter(|attempt| attempt.source != Source::Others);
    let trying = &evidence.meanwhile.trying;
    // While another may still work, there is no hurry.
    if own().any(|attempt| attempt.connect.stands()) || trying.values().any(|one| !one.is_quiet) {
        return None;
    }
    let failed = own().filter(|attempt| goes_out(&attempt.connect)).map(|attempt| attempt.address);
    failed.chain(trying.keys().copied()).min()
}

/// Whether packets of a connection left this machine, in vain.
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

/// The host of the internet that is looked at where there is no target: one that is reached by TCP, or else the first.
pub(super) fn public_aim(evidence: &Evidence) -> Option<IpAddr> {
    let mut v4 = evidence.public.all().iter().filter(|anchor| anchor.address.is_ipv4());
    let first = v4.clone().next()?;
    Some(v4.find(|anchor| anchor.is_reached_by_tcp()).unwrap_or(first).address)
}

/// The address that long trains go to: the target's, or else a host of the internet.
pub(super) fn aim(evidence: &Evidence) -> Option<IpAddr> {
    let tried = Facts::new(evidence).tried().iter().map(|attempt| attempt.address);
    let trying = evidence.meanwhile.trying.keys().copied();
    let public = evidence.public.all().iter().map(|anchor| anchor.address);
    tried.chain(trying).chain(public).next()
}

/// The gateways to ask, each once for each interface.
pub(super) fn gateways(evidence: &Evidence) -> Vec<&DefaultRoute> {
    /// More are not a cause but a list.
    const MOST: usize = 6;
    let mut all: Vec<&DefaultRoute> = Vec::new();
    for route in evidence.routes.all() {
        let is_new = |route: &DefaultRoute| {
            !all.iter().any(|known| known.gateway == route.gateway && known.interface == route.interface)
        };
        let is_used = route.gateway.is_some() && !route.is_dead && route.refusal.is_none();
        if is_used && is_new(route) && all.len() < MOST {
            all.push(route);
        }
    }
    all
}

/// The link on which claims to addresses are asked for: that of the default route, or else the first that works.
pub(super) fn claimed_link(evidence: &Evidence) -> Option<&Link> {
    let links = evidence.links.all();
    let best = evidence.routes.all().iter().find(|route| route.is_best && !route.is_v6);
    match best {
        Some(route) => links.iter().find(|link| link.name == route.interface),
        None => links.iter().find(|link| link.is_uplink() && link.works()),
    }
}

/// The addresses that servers gave, of the first of them that knows any: it is the one the resolver believes.
pub(super) fn addresses_of(answers: &[ServerAnswer]) -> Vec<IpAddr> {
    let of = |answer: &ServerAnswer| {
        let mut all: Vec<IpAddr> = Vec::new();
        for ip in answer.a.iter().chain(&answer.aaaa).chain(&answer.tcp).flat_map(|query| &query.addresses) {
            if !all.contains(ip) {
                all.push(*ip);
            }
        }
        all
    };
    answers.iter().map(of).find(|all| !all.is_empty()).unwrap_or_default()
}

/// Whether a fact has not been asked for yet.
fn is_open<T>(item: &Item<T>) -> bool {
    item.untested() == Some(&Untested::NoNeed)
}

/// Whether the carrier of an interface is away, and has often come and gone: it may be back at once.
pub(super) fn is_restless(link: &Link) -> bool {
    /// Plugged in once, and pulled out: an interface starts without a carrier, and two or three changes are ordinary.
    const RESTLESS: u32 = 4;
    lacks_carrier(link) && link.carrier_changes >= Some(RESTLESS)
}

fn lacks_carrier(link: &Link) -> bool {
    link.is_uplink() && link.is_up && link.carrier == Some(false)
}

/// What this machine itself tells.
fn of_the_machine(evidence: &Evidence) -> BTreeSet<Task> {
    let links = evidence.links.all();
    // Where no other link works, a second look tells whether the carrier stays away, and all is said.
    let is_alone = !links.iter().any(|link| link.is_uplink() && link.works());
    let is_looked_at = links.iter().any(|link| is_restless(link) || (is_alone && lacks_carrier(link)));
    let all = [
        (Task::Host, is_open(&evidence.host)),
        (Task::Interfaces, is_open(&evidence.links)),
        (Task::Loopback, is_open(&evidence.loopback)),
        (Task::Resolver, is_open(&evidence.resolver)),
        (Task::Carrier, is_open(&evidence.carrier) && is_looked_at),
    ];
    all.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(task, _)| task).collect()
}

/// The evidence as the agenda sees it.
struct View<'a> {
    evidence: &'a Evidence,
    request: &'a Request,
    facts: Facts<'a>,
}

impl View<'_> {
    /// What every run needs.
    fn everywhere(&self, wanted: &mut BTreeSet<Task>) {
        let evidence = self.evidence;
        let is_local = self.facts.is_local();
        if !is_local && is_open(&evidence.gateways) {
            let of = |route: &&DefaultRoute| Some(Task::Gateway(route.gateway?, route.interface.clone()));
            wanted.extend(gateways(evidence).iter().filter_map(of));
        }
        if !is_local && is_open(&evidence.claims) {
            wanted.insert(Task::Claims);
        }
        if !is_local && !self.request.is_offline {
            self.of_hosts(wanted);
        }
        let has_name = match self.request.target.as_ref().map(|target| &target.host) {
            Some(Host::Address { .. }) => false,
            Some(Host::Name(name)) => !is_localhost(name.as_str()),
            None => !self.request.is_offline,
        };
        if has_name && is_open(&evidence.names) {
            wanted.insert(Task::Names);
        }
        if self.request.target.as_ref().is_some_and(|target| target.is_url) && is_open(&evidence.proxy) {
            wanted.insert(Task::Proxy);
        }
        let is_new = |ip: &IpAddr| !self.facts.tried().iter().any(|attempt| attempt.address == *ip);
        let attempts = self.addresses().into_iter().filter(|(ip, _)| is_new(ip));
        wanted.extend(attempts.map(|(ip, source)| Task::Attempt(ip, source)));
    }

    /// The well-known hosts of the internet, and what the web says there.
    fn of_hosts(&self, wanted: &mut BTreeSet<Task>) {
        let meanwhile = &self.evidence.meanwhile;
        if meanwhile.hosts.is_empty() {
            if is_open(&self.evidence.public) {
                wanted.insert(Task::Hosts);
            }
            return;
        }
        let v4 = || meanwhile.hosts.iter().map(|(_, ip)| *ip).filter(IpAddr::is_ipv4);
        if is_open(&self.evidence.beat) && v4().next().is_some() {
            wanted.insert(Task::Beat);
        }
        if is_open(&self.evidence.public) {
            wanted.extend(meanwhile.hosts.iter().map(|(_, ip)| Task::Anchor(*ip)));
        }
        if is_open(&self.evidence.web) {
            wanted.extend(v4().map(Task::Web));
            wanted.extend(self.pages());
        }
    }

    /// Without a target, the pages that find portals are asked for where their names have addresses.
    fn pages(&self) -> Vec<Task> {
        let (None, Some(names)) = (&self.request.target, self.facts.names()) else { return Vec::new() };
        let queries = names.own.iter().flat_map(|answer| &answer.a);
        let page = |query: &crate::doctor::evidence::Query| {
            let place = PAGES.iter().position(|(host, _)| *host == query.name)?;
            Some(Task::Page(place, *query.addresses.first()?))
        };
        queries.filter_map(page).collect()
    }

    /// The addresses at which the target is tried, in order, each with who gave it.
    fn addresses(&self) -> Vec<(IpAddr, Source)> {
        /// A name with more addresses of a family is not tried at all of them.
        const MOST: usize = 3;
        let mut all: Vec<(IpAddr, Source)> = Vec::new();
        for (ip, source) in self.known_addresses() {
            let of_family = all.iter().filter(|(known, _)| Family::of(*known) == Family::of(ip)).count();
            if of_family < MOST && !all.iter().any(|(known, _)| *known == ip) {
                all.push((ip, source));
            }
        }
        all
    }

    fn known_addresses(&self) -> Vec<(IpAddr, Source)> {
        let name = match self.request.target.as_ref().map(|target| &target.host) {
            None => return Vec::new(),
            Some(Host::Address { ip, .. }) => return vec![(*ip, Source::Asked)],
            Some(Host::Name(name)) => name.as_str(),
        };
        let hosts = self.evidence.resolver.get().map_or(&[][..], |resolver| resolver.hosts.as_slice());
        let mut all: Vec<(IpAddr, Source)> = hosts.iter().map(|ip| (*ip, Source::Hosts)).collect();
        if is_localhost(name) && hosts.is_empty() {
            all.push((std::net::Ipv4Addr::LOCALHOST.into(), Source::Asked));
        }
        let Some(names) = self.facts.names() else { return all };
        let own = addresses_of(&names.own);
        let system = names.system.as_ref().map_or(&[][..], |system| system.addresses.as_slice());
        all.extend(own.iter().chain(system).map(|ip| (*ip, Source::Own)));
        // An address that only others know, or that differs from a suspicious one, shows whether the name was all.
        let own_fails = own.is_empty() && system.is_empty();
        let is_odd = own.iter().any(|ip| !matches!(Class::of(*ip), Class::Global));
        let is_new = |ip: &IpAddr| !own.contains(ip) && !hosts.contains(ip);
        let others = addresses_of(&names.others).into_iter();
        all.extend(others.filter(|ip| own_fails || (is_odd && is_new(ip))).map(|ip| (ip, Source::Others)));
        all
    }

    /// The target does not answer as it should: other ports, the way there, connections side by side. Or it does: how well.
    fn of_the_subject(&self, wanted: &mut BTreeSet<Task>) {
        match subject(self.evidence) {
            Some(Subject::Trouble(ip)) => self.of_trouble(ip, wanted),
            Some(Subject::Working(attempt)) => self.of_success(attempt, wanted),
            None => {}
        }
    }

    fn of_trouble(&self, ip: IpAddr, wanted: &mut BTreeSet<Task>) {
        let evidence = self.evidence;
        let attempt = self.facts.tried().iter().find(|attempt| attempt.address == ip);
        let trying = evidence.meanwhile.trying.get(&ip).and_then(|one| one.route.as_ref());
        let route = attempt.map_or(trying, |attempt| attempt.route.as_ref());
        if route.is_some_and(crate::doctor::evidence::Route::is_local) {
            return;
        }
        let is_silent = attempt.is_none_or(|attempt| attempt.connect.outcome == ConnectOutcome::Silent);
        let is_on_link = route.is_some_and(crate::doctor::evidence::Route::is_on_link);
        // The way of another port comes last: it spends what routers have left for answers.
        let is_traced = evidence.control.get().is_some() && !is_open(&evidence.path);
        let all = [
            (Task::Control, is_open(&evidence.control)),
            (Task::SmallTrain, is_open(&evidence.small_train)),
            (Task::Burst, is_silent && is_open(&evidence.burst)),
            (Task::Path, !is_on_link && is_open(&evidence.path)),
            (Task::ControlPath, is_traced && !is_on_link && is_open(&evidence.control_path)),
        ];
        wanted.extend(all.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(task, _)| task));
    }

    fn of_success(&self, attempt: &Attempt, wanted: &mut BTreeSet<Task>) {
        let evidence = self.evidence;
        // One after the other: a train that fills the way would be another's loss.
        let has_echo = evidence.small_train.get().is_some_and(|train| train.received() > 0);
        let loses_large = evidence.large_train.get().is_some_and(|train| train.received() < train.sent());
        let matters = !Facts::is_fine(attempt) || (has_echo && loses_large);
        let all = [
            (Task::SmallTrain, is_open(&evidence.small_train)),
            (Task::Burst, is_open(&evidence.burst)),
            (Task::LargeTrain, has_echo && is_open(&evidence.large_train)),
            (Task::Sizes, matters && is_open(&evidence.sizes)),
        ];
        wanted.extend(all.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(task, _)| task));
    }

    /// Nothing of the internet is reached, or nothing by datagram: how far does it go? And without a target, how well?
    fn of_the_internet(&self, wanted: &mut BTreeSet<Task>) {
        let evidence = self.evidence;
        let v4: Vec<&Anchor> =
            evidence.public.all().iter().filter(|anchor| anchor.address.is_ipv4()).collect();
        if v4.is_empty() {
            return;
        }
        let by_tcp = v4.iter().any(|anchor| anchor.is_reached_by_tcp());
        // They are asked as name servers, in one place or the other.
        let others = self.facts.names().map(|names| names.others.as_slice());
        let by_name = others
            .unwrap_or_default()
            .iter()
            .any(|answer| answer.a.iter().chain(&answer.aaaa).any(|query| query.outcome.is_answer()));
        let by_udp =
            by_name || v4.iter().any(|anchor| anchor.udp.as_ref().is_some_and(|udp| udp.outcome.is_answer()));
        let is_address =
            matches!(self.request.target.as_ref().map(|target| &target.host), Some(Host::Address { .. }));
        let is_asked = is_address || others.is_some();
        let is_aim = self.request.target.is_none();
        let is_dark = !by_tcp && !by_udp;
        let lacks_datagrams = is_asked && by_tcp && !by_udp;
        let all = [
            (Task::PublicPath, (is_dark || lacks_datagrams) && is_open(&evidence.public_path)),
            (
                Task::UdpPath,
                lacks_datagrams && !is_open(&evidence.public_path) && is_open(&evidence.udp_path),
            ),
            (Task::SmallTrain, is_aim && (is_dark || (is_asked && by_tcp)) && is_open(&evidence.small_train)),
            (
                Task::LargeTrain,
                is_aim
                    && is_asked
                    && by_tcp
                    && evidence.small_train.get().is_some()
                    && is_open(&evidence.large_train),
            ),
        ];
        wanted.extend(all.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(task, _)| task));
    }

    /// Something was lost: by chance, or for a time? That takes longer to tell.
    fn of_loss(&self, wanted: &mut BTreeSet<Task>) {
        let evidence = self.evidence;
        if aim(evidence).is_none() || !self.facts.calls_for_long_look() {
            return;
        }
        if is_open(&evidence.long_train) {
            wanted.insert(Task::LongTrain);
        }
        let is_asked =
            |gateway: &crate::doctor::evidence::Gateway| gateway.is_best && gateway.address.is_ipv4();
        if is_open(&evidence.gateway_train) && evidence.gateways.all().iter().any(is_asked) {
            wanted.insert(Task::GatewayTrain);
        }
    }

    /// Whether the target answers as it should, or without a target the internet does.
    fn is_well(&self) -> bool {
        if self.request.target.is_some() {
            let meanwhile = &self.evidence.meanwhile;
            return !self.facts.tried().is_empty() && meanwhile.trying.is_empty() && !self.has_trouble();
        }
        let found = self.facts.names().is_some_and(|names| !addresses_of(&names.own).is_empty());
        found && self.evidence.public.all().iter().any(Anchor::is_reached_by_tcp)
    }

    /// Whether anything of the target did not go as it should.
    fn has_trouble(&self) -> bool {
        self.facts.tried().iter().any(|attempt| !Facts::is_fine(attempt))
            || self.evidence.meanwhile.trying.values().any(|one| one.is_quiet)
    }

    /// Whether what the web says matters: if something is amiss, or there is nothing else to go by.
    fn waits_for_web(&self) -> bool {
        /// So many answers are enough.
        const ENOUGH: usize = 3;
        let service = self.request.target.as_ref().map(|target| target.service);
        let is_web = matches!(service, None | Some(Service::Http | Service::Https));
        (is_web || self.has_trouble()) && self.evidence.meanwhile.web.len() < ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::{attempt, connect, server, train};
    use crate::doctor::evidence::{Privilege, QueryOutcome, Trying};

    fn request(target: &str) -> Request {
        Request {
            target: Some(target.parse().expect(target)).filter(|_| !target.is_empty()),
            timeout: std::time::Duration::from_secs(8),
            is_offline: false,
            public: Vec::new(),
            explains: false,
            save: None,
            from: None,
        }
    }

    fn shop() -> Request {
        request("shop.test:7")
    }

    /// What this machine tells by itself, with nothing asked of others.
    fn begun() -> Evidence {
        let healthy = Evidence::healthy();
        Evidence {
            about: healthy.about,
            host: healthy.host,
            loopback: healthy.loopback,
            links: healthy.links,
            addresses: healthy.addresses,
            routes: healthy.routes,
            out: healthy.out,
            resolver: healthy.resolver,
            ..Evidence::default()
        }
        .with(|evidence| evidence.meanwhile.hosts = vec![("one.one.one.one".into(), [1, 1, 1, 1].into())])
    }

    fn is_trace(task: &Task) -> bool {
        matches!(task, Task::Path | Task::ControlPath | Task::PublicPath | Task::UdpPath)
    }

    #[test]
    fn the_machine_comes_first_and_alone() {
        let machine = BTreeSet::from([Task::Host, Task::Interfaces, Task::Loopback, Task::Resolver]);
        assert_eq!(agenda(&Evidence::default(), &shop()), machine);
        let restless = Evidence::default().with(|evidence| {
            let link = |changes| {
                let mut links = Evidence::healthy().links;
                links.change(|links| {
                    (links[0].carrier, links[0].carrier_changes) = (Some(false), Some(changes));
                });
                links
            };
            // Another link that works is used meanwhile.
            let other = || Evidence::healthy().links.all()[0].clone();
            evidence.links = link(3);
            assert!(agenda(evidence, &shop()).contains(&Task::Carrier));
            evidence.links.change(|links| links.push(other()));
            assert!(!agenda(evidence, &shop()).contains(&Task::Carrier));
            evidence.links = link(4);
            evidence.links.change(|links| links.push(other()));
        });
        assert!(agenda(&restless, &shop()).contains(&Task::Carrier));
    }

    #[test]
    fn the_nearer_is_asked_beside_the_farther_and_nothing_is_traced_yet() {
        let wanted = agenda(&begun(), &shop());
        let one = [1, 1, 1, 1].into();
        let gateway = Task::Gateway([192, 168, 7, 1].into(), "eth0".into());
        let right = [gateway, Task::Claims, Task::Beat, Task::Anchor(one), Task::Web(one), Task::Names];
        assert_eq!(wanted, BTreeSet::from(right));
    }

    #[test]
    fn a_local_cause_ends_it() {
        let down = begun().with(|evidence| {
            evidence.links.change(|links| links[0].is_up = false);
            evidence.addresses = Item::known(Vec::new());
            evidence.routes = Item::known(Vec::new());
            evidence.out = Item::known(crate::doctor::evidence::Ways::default());
        });
        assert_eq!(agenda(&down, &shop()), BTreeSet::new());
    }

    #[test]
    fn a_target_on_this_machine_needs_no_network() {
        for text in ["127.0.0.1:7", "[::1]:7", "192.168.7.20:7", "localhost:7"] {
            let request = request(text);
            let evidence = begun().with(|evidence| {
                evidence.about.target = request.target.as_ref().map(crate::doctor::request::Target::asked);
            });
            let wanted = agenda(&evidence, &request);
            assert!(wanted.iter().all(|task| matches!(task, Task::Attempt(..))), "{text}: {wanted:?}");
            assert_eq!(wanted.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_connection_is_tried_before_the_path_is_traced() {
        let trying = |is_quiet| {
            begun().with(|evidence| {
                evidence.names = Evidence::healthy().names;
                let one = Trying { is_quiet, route: attempt(ConnectOutcome::Silent).route };
                evidence.meanwhile.trying.insert([203, 0, 113, 80].into(), one);
            })
        };
        let wanted = agenda(&trying(false), &shop());
        assert!(!wanted.iter().any(is_trace) && !wanted.contains(&Task::Control), "{wanted:?}");
        let wanted = agenda(&trying(true), &shop());
        for task in [Task::Control, Task::Burst, Task::SmallTrain, Task::Path] {
            assert!(wanted.contains(&task), "{task:?} of {wanted:?}");
        }
        assert!(!wanted.contains(&Task::ControlPath), "it spends what routers have left: {wanted:?}");
    }

    #[test]
    fn the_path_of_another_port_comes_last() {
        let silent = Evidence::healthy().with(|evidence| {
            evidence.target = Item::known(vec![attempt(ConnectOutcome::Silent)]);
            evidence.control = Item::known(Vec::new());
        });
        assert!(!agenda(&silent, &shop()).contains(&Task::ControlPath));
        let traced = silent.with(|evidence| evidence.path = Item::NotTested(Untested::TimeUp));
        assert!(agenda(&traced, &shop()).contains(&Task::ControlPath));
    }

    #[test]
    fn nothing_known_is_wanted_again() {
        let wanted = agenda(&Evidence::healthy(), &shop());
        let asked = [Task::Control, Task::Path, Task::LongTrain, Task::Sizes, Task::Burst, Task::Names];
        assert!(!wanted.iter().any(|task| asked.contains(task)), "{wanted:?}");
        // Whatever comes in, what has been asked for once is not asked for again.
        let mut evidence = begun();
        let mut seen = BTreeSet::new();
        for (fact, item) in [(Fact::Names, 0), (Fact::Target, 1), (Fact::SmallTrain, 2), (Fact::Burst, 3)] {
            seen.extend(agenda(&evidence, &shop()));
            let healthy = Evidence::healthy();
            match item {
                0 => evidence.names = healthy.names,
                1 => evidence.target = healthy.target,
                2 => evidence.small_train = healthy.small_train,
                _ => evidence.burst = healthy.burst,
            }
            assert!(evidence.untested(fact).is_none());
        }
        let last = agenda(&evidence, &shop());
        for task in [Task::Names, Task::SmallTrain, Task::Burst] {
            assert!(seen.contains(&task) && !last.contains(&task), "{task:?}");
        }
    }

    #[test]
    fn offline_asks_nothing_beyond_the_lan() {
        let offline = |target| Request { is_offline: true, target, ..shop() };
        let evidence = begun().with(|evidence| evidence.about.is_offline = true);
        let wanted = agenda(&evidence, &offline(None));
        let gateway = Task::Gateway([192, 168, 7, 1].into(), "eth0".into());
        assert_eq!(wanted, BTreeSet::from([gateway, Task::Claims]));
        let ruled_out = ruled_out(&evidence, &offline(None));
        for fact in [Fact::Names, Fact::Public, Fact::Web] {
            assert!(ruled_out.contains(&(fact, Untested::Offline)), "{fact:?}");
        }
        assert!(agenda(&evidence, &offline(shop().target)).contains(&Task::Names));
    }

    #[test]
    fn without_icmp_what_echoes_would_call_for_is_not_wanted() {
        let why = || Untested::Privilege(Privilege::Echo { group_range: "1 0".into() });
        let blind = Evidence::healthy().with(|evidence| {
            evidence.small_train = Item::NotTested(why());
            evidence.large_train = Item::NotTested(Untested::NoNeed);
            evidence.beat = Item::NotTested(why());
        });
        let wanted = agenda(&blind, &shop());
        for task in [Task::SmallTrain, Task::LargeTrain, Task::LongTrain, Task::Beat] {
            assert!(!wanted.contains(&task), "{task:?} of {wanted:?}");
        }
    }

    #[test]
    fn loss_calls_for_a_longer_look() {
        let loses = |received| {
            let evidence = Evidence::healthy().with(|evidence| {
                evidence.small_train = Item::known(train(24, received));
            });
            agenda(&evidence, &shop())
        };
        assert!(!loses(24).contains(&Task::LongTrain));
        assert!(loses(23).contains(&Task::LongTrain) && loses(23).contains(&Task::GatewayTrain));
        // What answers no echo request at all is no loss.
        assert!(!loses(0).contains(&Task::LongTrain));
    }

    #[test]
    fn datagrams_that_nobody_answers_are_traced_beside_connections() {
        let deaf = |others| {
            Evidence::healthy().with(|evidence| {
                evidence.names.change(|names| {
                    names.others = others;
                    for query in
                        names.others.iter_mut().flat_map(|answer| answer.a.iter_mut().chain(&mut answer.aaaa))
                    {
                        query.outcome = QueryOutcome::Silent;
                    }
                });
            })
        };
        let silent = deaf(vec![server([1, 1, 1, 1])]);
        let wanted = agenda(&silent, &shop());
        assert!(wanted.contains(&Task::PublicPath) && !wanted.contains(&Task::UdpPath), "{wanted:?}");
        let traced = silent.with(|evidence| evidence.public_path = Item::NotTested(Untested::TimeUp));
        assert!(agenda(&traced, &shop()).contains(&Task::UdpPath));
        // Where nothing is reached at all, the way there is what matters.
        let dark = deaf(Vec::new()).with(|evidence| {
            evidence
                .public
                .change(|public| public[0].connects = vec![(443, connect(ConnectOutcome::Silent))]);
        });
        assert!(agenda(&dark, &shop()).contains(&Task::PublicPath));
    }

    #[test]
    fn who_is_well_waits_for_no_gateway_and_no_web() {
        let gateway = Task::Gateway([192, 168, 7, 1].into(), "eth0".into());
        let web = Task::Web([1, 1, 1, 1].into());
        let well = Evidence::healthy();
        assert!(!matters(&gateway, &well, &shop()) && !matters(&web, &well, &shop()));
        assert!(matters(&Task::Claims, &well, &shop()) && !matters(&Task::Beat, &well, &shop()));
        let ill = well.with(|evidence| evidence.target = Item::known(vec![attempt(ConnectOutcome::Refused)]));
        assert!(matters(&gateway, &ill, &shop()) && matters(&web, &ill, &shop()));
    }

    #[test]
    fn a_name_is_tried_at_three_addresses_of_a_family() {
        let many = begun().with(|evidence| {
            evidence.names = Evidence::healthy().names;
            evidence.names.change(|names| {
                names.own[0].a[0].addresses = (1..=5).map(|last| [203, 0, 113, last].into()).collect();
            });
        });
        let attempts = agenda(&many, &shop()).into_iter().filter(|task| matches!(task, Task::Attempt(..)));
        assert_eq!(attempts.count(), 3);
    }
}
