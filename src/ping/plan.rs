//! Whom exactly to probe: targets resolved to addresses, or the three tiers found out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::time::Instant;

use super::hosts::{Hosts, Slot};
use super::{Request, Target, Tier};
use crate::address::{Address, Class, Family, Host, Prefix, ResolveError, resolve, unknown_interface};
use crate::error::{Error, Result};
use crate::sys::{self, Network};

/// A sweep of more hosts than this has to be meant.
const MOST_HOST_BITS: u8 = 16;
/// A sweep of more hosts than this is refused: it would take hours and gigabytes.
const MOST_HOST_BITS_MEANT: u8 = 22;

/// So many names are looked up at once.
const MOST_LOOKUPS: usize = 64;

/// Public hosts that answer ping and that no single company runs: Cloudflare, Quad9, Google.
const ANCHORS_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(9, 9, 9, 9), Ipv4Addr::new(8, 8, 8, 8)];
/// The same over IPv6.
const ANCHORS_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111),
    Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888),
];

/// Everything that is to be probed.
pub(super) struct Plan {
    pub(super) hosts: Hosts,
    /// Whether these are the lesson's three tiers, each row with its meaning.
    pub(super) is_tiers: bool,
}

/// Resolves the targets of a request, all at once; a name that takes longer than the deadline has no address.
pub(super) async fn make(request: &Request, targets: &[Target], deadline: Option<Instant>) -> Result<Plan> {
    // A system that does not list its addresses only costs the distinction between LAN and routed.
    let network = sys::network(sys::Depth::Summary).unwrap_or_default();
    if targets.is_empty() {
        let slots = tiers(request, &network);
        let mut hosts = Hosts::new(network);
        for slot in slots {
            hosts.add(slot);
        }
        return Ok(Plan { hosts, is_tiers: true });
    }
    let mut hosts = Hosts::new(network);
    let answers = lookups(request, targets, deadline).await;
    for (target, answer) in targets.iter().zip(answers) {
        match target {
            Target::Prefix(prefix) => add_prefix(&mut hosts, prefix, request)?,
            Target::Host(host) => add_host(&mut hosts, host, answer, request)?,
        }
    }
    if hosts.len() > 1 << MOST_HOST_BITS_MEANT {
        return Err(too_many());
    }
    Ok(Plan { hosts, is_tiers: false })
}

/// What resolving a host came to.
type Answer = std::result::Result<Vec<Address>, ResolveError>;

/// The addresses of each target that is a host; `None` of one that is none, or had no answer in time.
async fn lookups(request: &Request, targets: &[Target], deadline: Option<Instant>) -> Vec<Option<Answer>> {
    let mut lookups = tokio::task::JoinSet::new();
    // Each takes a thread while it lasts.
    let threads = std::sync::Arc::new(tokio::sync::Semaphore::new(MOST_LOOKUPS));
    for (index, target) in targets.iter().enumerate() {
        if let Target::Host(host) = target {
            let (host, family) = (host.clone(), request.family);
            let threads = threads.clone();
            lookups.spawn(async move {
                let _turn = threads.acquire().await;
                (index, resolve(&host, family).await)
            });
        }
    }
    let mut answers = Vec::new();
    answers.resize_with(targets.len(), || None);
    loop {
        let done = tokio::select! {
            done = lookups.join_next() => done,
            () = until(deadline) => None,
        };
        let Some(done) = done else { return answers };
        let (index, answer) = done.expect("a lookup does not panic and is not aborted");
        answers[index] = Some(answer);
    }
}

fn too_many() -> Error {
    Error::usage("too many hosts for one run").hint("sweep the prefixes one by one")
}

fn add_prefix(hosts: &mut Hosts, prefix: &Prefix, request: &Request) -> Result<()> {
    check_size(prefix, request.is_meant)?;
    if hosts.len() as u128 + prefix.host_count() > 1 << MOST_HOST_BITS_MEANT {
        return Err(too_many());
    }
    hosts.add_sweep(*prefix);
    if hosts.has_host(*prefix) {
        return Ok(());
    }
    Err(Error::usage(format!("{prefix} has no hosts, only multicast addresses"))
        .hint("ping the hosts of a network, or its prefix"))
}

fn add_host(hosts: &mut Hosts, host: &Host, answer: Option<Answer>, request: &Request) -> Result<()> {
    let addresses = match answer {
        Some(Ok(addresses)) => addresses,
        Some(Err(ResolveError::Zone(zone))) => return Err(unknown_interface(&zone)),
        Some(Err(ResolveError::Lacking { source, .. })) => {
            return Err(sys::lacks_thread(format!("cannot resolve '{host}'"), source));
        }
        Some(Err(error)) => {
            hosts.add(Slot::unresolved(host, format!("{:#}", anyhow::Error::from(error))));
            return Ok(());
        }
        None => {
            let why = format!("cannot resolve '{host}': no answer from the resolver before the deadline");
            hosts.add(Slot::unresolved(host, why));
            return Ok(());
        }
    };
    if let Some(address) = addresses.iter().find(|address| hosts.is_group(address.ip)) {
        let kind = if address.ip.is_multicast() { "multicast" } else { "broadcast" };
        return Err(Error::usage(format!("{address} is a {kind} address, not a host"))
            .hint("ping the hosts, or their prefix"));
    }
    let wanted = if request.all_addresses { addresses.len() } else { 1 };
    for address in addresses.into_iter().take(wanted) {
        let address = Address { ip: reachable(address.ip), ..address };
        let tier = Some(Tier::of(&address, hosts.network()));
        hosts.add(Slot { target: host.to_string().into(), address: Ok(address), tier, remark: None });
    }
    Ok(())
}

/// Waits until a moment, or for ever where there is none.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Checks that a network is not too large to sweep, or that it is meant.
fn check_size(prefix: &Prefix, is_meant: bool) -> Result<()> {
    let bits = if prefix.family() == Family::Ipv4 { 32 } else { 128 };
    let (most, least) = (bits - MOST_HOST_BITS_MEANT, bits - MOST_HOST_BITS);
    if prefix.host_bits() > MOST_HOST_BITS_MEANT {
        return Err(Error::usage(format!("{prefix} is too large to sweep"))
            .hint(format!("the limit is a /{least}, and a /{most} with --yes")));
    }
    if prefix.host_bits() > MOST_HOST_BITS && !is_meant {
        let hosts = prefix.host_count();
        return Err(Error::usage(format!("{prefix} has {hosts} hosts, more than a /{least}: confirm it"))
            .hint("sweep it with --yes"));
    }
    Ok(())
}

impl Slot {
    fn unresolved(host: &Host, why: String) -> Self {
        Self { target: host.to_string().into(), address: Err(why), tier: None, remark: None }
    }
}

/// The address that answers for one: the unspecified address stands for this machine, as `connect(2)` has it.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// The three tiers: the loopback, the gateway (or else a neighbour), and public hosts.
fn tiers(request: &Request, network: &Network) -> Vec<Slot> {
    let family = request.family.unwrap_or_else(|| leading_family(network));
    let is_v4 = family == Family::Ipv4;
    let loopback: IpAddr = if is_v4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let anchors: Vec<IpAddr> =
        if is_v4 { ANCHORS_V4.map(IpAddr::V4).into() } else { ANCHORS_V6.map(IpAddr::V6).into() };
    let slot = |ip: IpAddr, tier| Slot {
        target: ip.to_string().into(),
        address: Ok(ip.into()),
        tier: Some(tier),
        remark: None,
    };
    let mut slots = vec![slot(loopback, Tier::Loopback), lan(family, network)];
    slots.extend(anchors.into_iter().map(|ip| slot(ip, Tier::Routed)));
    slots
}

/// IPv4, unless only IPv6 leads out.
fn leading_family(network: &Network) -> Family {
    let routes = network.default_routes.as_deref().unwrap_or_default();
    let has = |family| !sys::best_routes(routes, family).is_empty();
    if has(Family::Ipv6) && !has(Family::Ipv4) { Family::Ipv6 } else { Family::Ipv4 }
}

/// The LAN's target: the best default route's gateway, or else a neighbour this machine has lately spoken to.
fn lan(family: Family, network: &Network) -> Slot {
    let slot = |address: std::result::Result<Address, String>, remark| {
        let target = address.as_ref().map_or_else(|_| "gateway".to_owned(), Address::to_string).into();
        Slot { target, address, tier: Some(Tier::Lan), remark }
    };
    let Some(routes) = &network.default_routes else {
        return slot(Err("this system does not show its gateway; name a host of the LAN".to_owned()), None);
    };
    let address = |(index, ip): (u32, IpAddr)| {
        let needs_scope = Class::of(ip) == Class::LinkLocal && ip.is_ipv6();
        Address { ip, scope_id: if needs_scope { index } else { 0 } }
    };
    let best = sys::best_routes(routes, family);
    if let Some(gateway) = best.iter().find_map(|route| Some((route.index, route.gateway?))) {
        return slot(Ok(address(gateway)), None);
    }
    let neighbours = sys::neighbours().unwrap_or_default();
    match neighbours.into_iter().find(|(_, ip)| Family::of(*ip) == family) {
        Some(neighbour) => {
            slot(Ok(address(neighbour)), Some("no default gateway: this target is another host of the LAN"))
        }
        None => slot(Err(format!("no {} default gateway and no known host of the LAN", family.name())), None),
    }
}
