//! Hidden trouble: what an interface's figures say to whoever knows how to read them, in plain words.

use std::collections::{BTreeMap, HashSet};

use super::{Iface, IfaceAddress, Request};
use crate::address::{Class, Family};
use crate::output::record::{Untrusted, Warning};
use crate::sys::{self, DefaultRoute};

/// The least MTU that IPv6 works over (RFC 8200, 5).
const IPV6_LEAST_MTU: u32 = 1280;
/// So many names are listed at most.
const MOST_NAMES: usize = 5;

/// One trouble, and the interfaces it is about.
pub(super) struct Trouble {
    pub(super) about: Vec<u32>,
    pub(super) warning: Warning,
}

impl Trouble {
    fn new(code: &'static str, about: &[&Iface], message: String) -> Self {
        Self { about: about.iter().map(|iface| iface.index).collect(), warning: Warning::new(code, message) }
    }
}

/// What is known, and what of it was asked for.
pub(super) struct Known<'a> {
    pub(super) all: &'a [Iface],
    pub(super) which: &'a [bool],
    pub(super) routes: Option<&'a [DefaultRoute]>,
    pub(super) ways: &'a HashSet<u32>,
}

/// What troubles the chosen interfaces, and the machine if all are asked for.
pub(super) fn of(known: &Known<'_>, request: &Request) -> Vec<Trouble> {
    let Known { all, which, routes, ways } = *known;
    let chosen: Vec<&Iface> =
        all.iter().zip(which).filter(|(_, is_chosen)| **is_chosen).map(|(iface, _)| iface).collect();
    let mut found = Vec::new();
    found.extend(without_carrier(all, &chosen));
    found.extend(duplicates(&chosen));
    if request.family != Some(Family::Ipv4) {
        found.extend(small_mtu(all, &chosen));
    }
    found.extend(link_local_only(all, &chosen, ways, request.family));
    if let Some(routes) = routes {
        let is_wanted = |family: Family| request.family.is_none_or(|wanted| wanted == family);
        for family in [Family::Ipv4, Family::Ipv6].into_iter().filter(|family| is_wanted(*family)) {
            found.extend(equal_metrics(all, &chosen, routes, family));
        }
        let is_whole = request.names.is_empty() && request.kinds.is_empty();
        if is_whole {
            found.extend(no_default_route(all, routes, request.family, &sys::is_routed_by_policy));
        }
    }
    found
}

/// Those that are up and have no signal.
fn without_carrier(all: &[Iface], chosen: &[&Iface]) -> Vec<Trouble> {
    let masters: HashSet<&Untrusted> = all.iter().filter_map(|port| port.master.as_ref()).collect();
    let mut by_reason: BTreeMap<&str, Vec<&Iface>> = BTreeMap::new();
    for iface in chosen.iter().filter(|iface| iface.is_up && iface.carrier == Some(false)) {
        let kind = iface.kind.as_deref().unwrap_or_default();
        let reason = match kind {
            // A bridge that nothing is plugged into, as of a container engine without containers, is no trouble.
            "bridge" | "bond" | "team" if !masters.contains(&iface.name) => continue,
            "bridge" => "none of its ports has a carrier",
            "bond" | "team" => "none of its members has a carrier",
            "veth" | "netkit" => "its other end is down",
            "tun" => "no program has it open",
            "vlan" | "macvlan" | "macvtap" | "ipvlan" => "its lower interface has no carrier",
            "wifi" => "not connected to a network",
            _ => "no cable, or no device at the other end",
        };
        by_reason.entry(reason).or_default().push(iface);
    }
    let told = |(reason, ifaces): (&str, Vec<&Iface>)| {
        let leads_out = ifaces.iter().any(|iface| iface.is_default_route == Some(true));
        let also = if leads_out { "; the default route still uses it" } else { "" };
        let (are, have) = if ifaces.len() == 1 { ("is", "has") } else { ("are", "have") };
        let message = format!("{} {are} up but {have} no carrier: {reason}{also}", names(&ifaces));
        Trouble::new("no-carrier", &ifaces, message)
    };
    by_reason.into_iter().map(told).collect()
}

/// Addresses that another machine has too.
fn duplicates(chosen: &[&Iface]) -> Vec<Trouble> {
    let failed = chosen.iter().flat_map(|iface| {
        let addresses = iface.addresses.iter().filter(|address| address.flags.contains(&"dadfailed"));
        addresses.map(move |address| (iface, address.address))
    });
    failed
        .map(|(iface, address)| {
            let name = iface.name.to_lossy();
            let message = format!(
                "{address} on {name} is in use by another machine too (duplicate address detection failed), so this \
                 one does not use it"
            );
            Trouble::new("duplicate-address", &[iface], message)
        })
        .collect()
}

/// Those whose MTU leaves no room for IPv6, on a machine that has it.
fn small_mtu(all: &[Iface], chosen: &[&Iface]) -> Vec<Trouble> {
    const NO_IP: [&str; 7] = ["can", "vcan", "vxcan", "nlmon", "vsockmon", "netlink", "ieee802.15.4"];
    let has_ipv6 = |iface: &Iface| iface.addresses.iter().any(|address| address.family == Family::Ipv6);
    if !all.iter().any(has_ipv6) {
        return Vec::new();
    }
    let small = chosen.iter().filter(|iface| {
        let is_small = iface.mtu.is_some_and(|mtu| mtu < IPV6_LEAST_MTU);
        // A tunnel is often one for IPv4 only, and meant so.
        let is_tunnel = iface.flags.contains(&"POINTOPOINT");
        is_small && iface.is_up && !is_tunnel && !NO_IP.iter().any(|kind| iface.is_kind(kind))
    });
    let mut by_mtu: BTreeMap<u32, Vec<&Iface>> = BTreeMap::new();
    for iface in small {
        by_mtu.entry(iface.mtu.unwrap_or_default()).or_default().push(iface);
    }
    let told = |(mtu, ifaces): (u32, Vec<&Iface>)| {
        let message = format!(
            "IPv6 does not work on {}: the MTU is {mtu}, and IPv6 needs {IPV6_LEAST_MTU} (RFC 8200)",
            names(&ifaces)
        );
        Trouble::new("mtu-below-ipv6-minimum", &ifaces, message)
    };
    by_mtu.into_iter().map(told).collect()
}

/// Those that nobody gave an address.
fn link_local_only(
    all: &[Iface],
    chosen: &[&Iface],
    ways: &HashSet<u32>,
    family: Option<Family>,
) -> Vec<Trouble> {
    let is_link_local = |iface: &Iface, wanted: Family| {
        let mut own = iface.addresses.iter().filter(|address| address.family == wanted).peekable();
        own.peek().is_some() && own.all(|address| address.class == Class::LinkLocal)
    };
    // What carries others, or belongs to one, needs no address of its own; nor does what is routed by without one, as to
    // a container.
    let stands_on = |iface: &Iface| {
        if iface.is_kind("veth") || iface.link_netnsid.is_some() { None } else { iface.link_index }
    };
    let below: HashSet<u32> = all.iter().filter_map(stands_on).collect();
    let is_below =
        |iface: &Iface| iface.master.is_some() || below.contains(&iface.index) || iface.is_kind("bridge");
    let works = |iface: &&&Iface| iface.is_up && iface.carrier != Some(false) && !is_below(iface);
    let told = |alone: &dyn Fn(&Iface) -> bool, what: &str| {
        let ifaces: Vec<&Iface> = chosen.iter().filter(|iface| alone(iface)).filter(works).copied().collect();
        let have = if ifaces.len() == 1 { "has" } else { "have" };
        let message = format!("{} {have} only {what}", names(&ifaces));
        (!ifaces.is_empty()).then(|| Trouble::new("link-local-only", &ifaces, message))
    };
    // Whoever gives itself one takes all of 169.254/16; a part of it is somebody's intention.
    let is_own_choice =
        |it: &IfaceAddress| it.family == Family::Ipv6 || (it.prefix_len == 16 && it.peer.is_none());
    let ipv4 =
        |iface: &Iface| is_link_local(iface, Family::Ipv4) && iface.addresses.iter().all(is_own_choice);
    let ipv6 = |iface: &Iface| {
        let is_all = iface.addresses.iter().all(|it| it.family == Family::Ipv6);
        is_link_local(iface, Family::Ipv6) && is_all && !ways.contains(&iface.index)
    };
    let by_dhcp = "a link-local IPv4 address (169.254.0.0/16, RFC 3927): no DHCP server replied";
    let by_nobody = "link-local addresses: no static address, no DHCP lease, no router advertisement";
    let ipv4 = if family == Some(Family::Ipv6) { None } else { told(&ipv4, by_dhcp) };
    let ipv6 = if family.is_none() { told(&ipv6, by_nobody) } else { None };
    ipv4.into_iter().chain(ipv6).collect()
}

/// Default routes between which only chance decides.
fn equal_metrics(all: &[Iface], chosen: &[&Iface], routes: &[DefaultRoute], family: Family) -> Vec<Trouble> {
    let mut by_metric: BTreeMap<(u32, u8), Vec<&DefaultRoute>> = BTreeMap::new();
    // Next hops of one route share the packets on purpose.
    let is_one = |it: &&DefaultRoute| {
        it.family == family && !it.is_special && !it.is_shared && !it.is_dead && it.refusal.is_none()
    };
    for route in routes.iter().filter(is_one) {
        by_metric.entry(route.rank()).or_default().push(route);
    }
    let is_chosen = |route: &DefaultRoute| chosen.iter().any(|iface| iface.index == route.index);
    let equal =
        by_metric.into_iter().filter(|(_, same)| same.len() > 1 && same.iter().any(|it| is_chosen(it)));
    let way = |route: &&DefaultRoute| {
        let name = all.iter().find(|iface| iface.index == route.index).map(|iface| iface.name.to_lossy());
        let name = name.unwrap_or_default();
        route.gateway.map_or_else(|| format!("by {name}"), |gateway| format!("via {gateway} ({name})"))
    };
    equal
        .map(|((metric, _), same)| {
            let count = if same.len() == 2 { "two".to_owned() } else { same.len().to_string() };
            let ways: Vec<String> = same.iter().take(MOST_NAMES).map(way).collect();
            let message = format!(
                "{count} {} default routes have the same metric ({metric}), {}: nothing but their order decides \
                 which one is taken",
                family.name(),
                ways.join(" and "),
            );
            let about: Vec<&Iface> =
                all.iter().filter(|iface| same.iter().any(|route| route.index == iface.index)).collect();
            Trouble::new("equal-metrics", &about, message)
        })
        .collect()
}

/// Whether there is no way to the rest of the world.
fn no_default_route(
    all: &[Iface],
    routes: &[DefaultRoute],
    wanted: Option<Family>,
    is_routed_by_policy: &dyn Fn(Family) -> Option<bool>,
) -> Option<Trouble> {
    const CODE: &str = "no-default-route";
    let is_for_some =
        |it: &DefaultRoute, family| it.family == family && it.from.is_some() && it.refusal.is_none();
    let has_route = |family: Family| {
        !sys::best_routes(routes, family).is_empty()
            || routes.iter().any(|route| is_for_some(route, family))
            || is_routed_by_policy(family) == Some(true)
    };
    // One that refuses is worse than none, if it stands before others.
    for family in
        [Family::Ipv4, Family::Ipv6].into_iter().filter(|it| wanted.is_none_or(|wanted| wanted == *it))
    {
        let refusal = sys::best_route(routes, family).and_then(|best| Some((best.refusal?, best.metric)));
        let has_others = || routes.iter().any(|route| route.family == family && route.refusal.is_none());
        if let Some((refusal, metric)) = refusal.filter(|_| has_others() && !has_route(family)) {
            let message = format!(
                "the {} default route with the best metric ({}) is of type {refusal}: it stands before the others and \
                 refuses all that goes beyond this machine's own networks",
                family.name(),
                metric.unwrap_or(0),
            );
            return Some(Trouble::new(CODE, &[], message));
        }
    }
    let has_global = |family: Family| {
        let is_global = |iface: &&Iface| {
            iface.addresses.iter().any(|it| it.family == family && it.class == Class::Global)
        };
        all.iter().find(is_global)
    };
    if let Some(family) = wanted {
        let what = family.name();
        return (!has_route(family)).then(|| {
            Trouble::new(
                CODE,
                &[],
                format!("no {what} default route: only directly connected {what} networks are reachable"),
            )
        });
    }
    if has_route(Family::Ipv4) {
        let iface = has_global(Family::Ipv6).filter(|_| !has_route(Family::Ipv6))?;
        let message = format!(
            "no IPv6 default route: the global IPv6 address of {} works only on its own network",
            iface.name.to_lossy()
        );
        return Some(Trouble::new(CODE, &[], message));
    }
    if has_route(Family::Ipv6) {
        let iface = has_global(Family::Ipv4)?;
        let message = format!(
            "no IPv4 default route: the global IPv4 address of {} works only on its own network",
            iface.name.to_lossy()
        );
        return Some(Trouble::new(CODE, &[], message));
    }
    let message = if all.iter().any(|iface| iface.is_up && !iface.is_loopback()) {
        "no default route: only directly connected networks are reachable"
    } else {
        "only the loopback is up and there is no default route: only this machine itself is reachable"
    };
    Some(Trouble::new(CODE, &[], message.to_owned()))
}

/// The names with commas between, or the first of very many.
pub(super) fn names(ifaces: &[&Iface]) -> String {
    let shown: Vec<_> = ifaces.iter().take(MOST_NAMES).map(|iface| iface.name.to_lossy()).collect();
    let more = ifaces.len() - shown.len();
    match (shown.as_slice(), more) {
        ([], _) => String::new(),
        ([one], 0) => one.clone().into_owned(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}
