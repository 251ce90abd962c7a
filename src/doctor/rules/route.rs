//! The routes: is there one, does it refuse, and does it lead where it should.

use super::commands::{Commands, quoted};
use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, Route};
use crate::doctor::fact::Fact;

/// No route leads to the target, or to the internet.
pub(super) fn no_default(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(ways) = facts.evidence.out.get() else { return };
    if facts.is_local() || facts.has_no_way() {
        return;
    }
    let leads = |route: &Option<Route>| route.as_ref().is_some_and(|route| route.kind.is_some());
    let (v4, v6) = (leads(&ways.v4), leads(&ways.v6));
    let by_target = facts.failed().filter(|attempt| {
        let lacks = attempt.connect.outcome == ConnectOutcome::NoRoute;
        lacks && !(if attempt.address.is_ipv6() { v6 } else { v4 })
    });
    // A host of the LAN needs no route out, and a name may be one's.
    let names_are_far = facts.evidence.names.get().is_some() && facts.name_fails() == Some(true);
    let is_asked_for = facts.asked().is_none() || (facts.evidence.target.get().is_none() && names_are_far);
    if by_target.is_none() && (v4 || v6 || !is_asked_for) {
        return;
    }
    // A family that this machine does not use is none to miss, if the other one serves.
    if let Some(attempt) = by_target
        && facts.attempts().any(|other| facts.reaches(other))
    {
        let _ = attempt;
        return;
    }
    let commands = Commands::of(facts.evidence);
    let family = match by_target {
        Some(attempt) if attempt.address.is_ipv6() => "IPv6 ",
        Some(_) if v6 => "IPv4 ",
        _ => "",
    };
    let title = format!("there is no {family}default route: packets for other networks have nowhere to go");
    let mut finding = Finding::new("ROUTE.NO_DEFAULT", Layer::Route, "none", Confidence::Certain, title)
        .because(Fact::Out, "the kernel knows no way to the internet")
        .check(commands.routes())
        .explains(&Symptom::NOTHING_PASSES);
    if let Some(attempt) = by_target {
        let said = attempt.connect.error.clone().unwrap_or_default();
        finding = finding
            .because(Fact::Target, format!("connecting to {} fails at once: {said}", attempt.address))
            .check(commands.route_to(&attempt.address.to_string()));
    }
    let links = facts.uplinks();
    if let Some(link) = links.iter().find(|link| link.works()) {
        finding = finding
            .remedy(format!("let the network's router be learnt again: {}", commands.renew(&link.name)));
        finding = finding.remedy(format!(
            "or set it by hand: ip route add default via GATEWAY dev {}",
            quoted(&link.name)
        ));
    }
    found.push(finding);
}

/// A route of this machine refuses what takes it.
pub(super) fn local_block(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let refuses = |attempt: &&Attempt| {
        attempt.connect.outcome == ConnectOutcome::RouteRefuses
            || attempt.route.as_ref().is_some_and(Route::is_refusal)
    };
    let commands = Commands::of(facts.evidence);
    if let Some(attempt) = facts.attempts().find(refuses) {
        let route = attempt.route.clone().unwrap_or_default();
        let kind = match route.kind.as_deref() {
            Some("blackhole") => "blackhole",
            Some("prohibit") => "prohibit",
            _ => "unreachable",
        };
        let prefix = route.prefix.clone().unwrap_or_else(|| attempt.address.to_string());
        let table = match route.table {
            Some(254) | None => String::new(),
            Some(table) => format!(" table {table}"),
        };
        let title = format!("a route of this machine refuses packets for {}: {kind}", attempt.address);
        // Of a route that refuses, the kernel does not tell the prefix.
        let mend = if route.prefix.is_some() {
            format!("take it away, if nobody wants it: ip route del {kind} {prefix}{table}")
        } else {
            format!(
                "find it and take it away, if nobody wants it: ip route show table all type {kind}; ip route del {kind} PREFIX"
            )
        };
        let said = attempt.connect.error.clone().unwrap_or_default();
        found.push(
            Finding::new("ROUTE.LOCAL_BLOCK", Layer::Route, kind, Confidence::Certain, title)
                .because(
                    Fact::Target,
                    format!("connecting to {} fails at once, without a packet: {said}", attempt.address),
                )
                .check(commands.route_to(&attempt.address.to_string()))
                .explains(&[Symptom::Target4, Symptom::Target6, Symptom::Public, Symptom::Name])
                .remedy(mend)
                .remedy("look who set it: a VPN's kill switch, fail2ban, a routing daemon"),
        );
        return;
    }
    let ways = facts.evidence.out.get();
    let default = ways.and_then(|ways| ways.v4.as_ref()).filter(|route| route.is_refusal());
    if let Some(route) = default.filter(|_| facts.attempts().next().is_none()) {
        let kind = route.kind.clone().unwrap_or_default();
        let title = format!("the default route refuses everything: {kind}");
        found.push(
            Finding::new("ROUTE.LOCAL_BLOCK", Layer::Route, "default", Confidence::Certain, title)
                .because(Fact::Out, format!("packets for the internet take a route that is {kind}"))
                .check(commands.routes())
                .explains(&Symptom::NOTHING_PASSES)
                .remedy(format!("take it away, if nobody wants it: ip route del {kind} default")),
        );
    }
}

/// The default route's gateway is there, and is no router.
pub(super) fn wrong_gateway(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    other_router(facts, found);
    if let Some(gateway) = facts.gateway()
        && gateway.is_found() == Some(true)
        && gateway.address.is_ipv4()
        && facts.beyond() == Some(false)
    {
        let ip = gateway.address;
        // It would say that the time to live ran out, if it passed anything on.
        let is_no_router = facts.evidence.public_path.get().is_some_and(|path| {
            path.hop(1).is_some_and(|hop| hop.answer.is_none()) && path.farthest().is_none()
        });
        let other = facts.names().and_then(|names| {
            names.own.iter().find(|answer| {
                answer.server != ip
                    && !answer.server.is_loopback()
                    && answer.a.iter().any(|query| query.outcome.is_answer())
            })
        });
        if let (true, Some(other)) = (is_no_router && gateway.answers_ping(), other) {
            let interface = quoted(&gateway.interface);
            found.push(
                Finding::new(
                    "ROUTE.WRONG_GATEWAY",
                    Layer::Route,
                    "no-router",
                    Confidence::Likely,
                    format!("the default route leads to {ip}, which is there and passes nothing on"),
                )
                .because(Fact::Gateways, format!("{ip} answers echo requests"))
                .check(format!("ping -c 3 {ip}"))
                .because(Fact::PublicPath, format!("a packet that may go one hop brings no word from {ip}, and nothing beyond it answers"))
                .check("traceroute -n -m 3 1.1.1.1")
                .because(Fact::Names, format!("{} of the same network answers, and knows names of the internet", other.server))
                .check(format!("dig @{} example.org", other.server))
                .explains(&Symptom::NOTHING_PASSES)
                .remedy(format!("let the route lead to the network's router, {} perhaps: ip route replace default via {} dev {interface}", other.server, other.server))
                .or(&["GW.NOT_FORWARDING"]),
            );
        }
    }
    // A route of its own to the target, over a next hop that is not there.
    for attempt in facts.attempts() {
        let Some(hop) = attempt.route.as_ref().and_then(|route| route.gateway) else { continue };
        let is_lost = attempt.connect.outcome == ConnectOutcome::NoNeighbour
            || matches!(attempt.neighbour.as_deref(), Some("failed" | "incomplete"));
        let is_special = facts
            .evidence
            .routes
            .get()
            .is_some_and(|routes| routes.iter().all(|route| route.gateway != Some(hop)));
        if is_lost && is_special {
            let prefix = attempt.route.as_ref().and_then(|route| route.prefix.clone()).unwrap_or_default();
            found.push(
                Finding::new(
                    "ROUTE.WRONG_GATEWAY",
                    Layer::Route,
                    "next-hop",
                    Confidence::Likely,
                    format!("the route to {prefix} leads over {hop}, and nobody answers there"),
                )
                .because(Fact::Target, format!("{hop} was asked for, and nobody answered"))
                .check(commands.route_to(&attempt.address.to_string()))
                .explains(&[Symptom::Target4, Symptom::Target6])
                .remedy(format!(
                    "take the route away, or let it lead over a router that is there: ip route del {prefix}"
                )),
            );
            return;
        }
    }
}

/// A route of its own to the target, over a next hop that is there and passes nothing on.
fn other_router(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) =
        facts.wholly_failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent)
    else {
        return;
    };
    let Some(route) = &attempt.route else { return };
    let (Some(hop), Some(prefix)) = (route.gateway, route.prefix.as_deref()) else { return };
    let Some(routes) = facts.evidence.routes.get() else { return };
    let is_default = routes.iter().any(|default| default.gateway == Some(hop));
    let is_dark = facts.evidence.path.get().is_some_and(|path| path.farthest().is_none());
    if is_default
        || !is_dark
        || facts.host_is_alive() != Some(false)
        || facts.public_is_reached() != Some(true)
    {
        return;
    }
    found.push(
        Finding::new(
            "ROUTE.WRONG_GATEWAY",
            Layer::Route,
            "next-hop",
            Confidence::Likely,
            format!(
                "packets for {} take a route of their own, {prefix} via {hop}, and {hop} passes nothing on",
                attempt.address
            ),
        )
        .because(Fact::Target, format!("the route is {prefix} via {hop}, and not the default route"))
        .check(Commands::of(facts.evidence).route_to(&attempt.address.to_string()))
        .because(Fact::Path, "no hop of that way answers")
        .because(Fact::Public, "the internet is reached by the default route")
        .explains(&[Symptom::Target4, Symptom::Target6])
        .remedy(format!("take the route away, if nobody wants it: ip route del {prefix} via {hop}")),
    );
}

/// Packets leave by the wrong interface.
pub(super) fn wrong_interface(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    better_default(facts, found);
    stale_tunnel(facts, found);
}

/// The default route that is taken is dead, and another is not.
fn better_default(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if !facts.gateway_is_mute() {
        return;
    }
    let Some(dead) = facts.gateway() else { return };
    let alive = facts.evidence.gateways.all().iter().find(|gateway| {
        !gateway.is_best
            && gateway.address.is_ipv4() == dead.address.is_ipv4()
            && gateway.is_found() == Some(true)
    });
    let Some(alive) = alive else { return };
    let metric = |ip| {
        let routes = facts.evidence.routes.all();
        routes.iter().find(|route| route.gateway == Some(ip)).map_or(0, |route| route.metric)
    };
    let (mine, other) = (metric(dead.address), metric(alive.address));
    let title = format!(
        "the default route that is taken, over {} by {}, is dead, and the one over {} by {} is not",
        dead.address, dead.interface, alive.address, alive.interface
    );
    found.push(
        Finding::new("ROUTE.WRONG_INTERFACE", Layer::Route, "metric", Confidence::Certain, title)
            .because(Fact::Gateways, format!("nobody answers for {} on {}", dead.address, dead.interface))
            .check("ip neighbour".to_owned())
            .because(Fact::Gateways, format!("{} answers on {}", alive.address, alive.interface))
            .because(
                Fact::Routes,
                format!("the dead one has metric {mine} and the living one {other}: the lower wins"),
            )
            .check("ip route show default")
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!(
                "take the dead one away: ip route del default via {} dev {}",
                dead.address,
                quoted(&dead.interface)
            ))
            .remedy("or give it a higher metric where it is set, so that it is the second choice"),
    );
}

/// A tunnel that leads nowhere has the route.
fn stale_tunnel(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let default = facts.evidence.routes.all().iter().find(|route| route.is_best && !route.is_v6);
    let link = |name: &str| facts.evidence.links.all().iter().find(|link| link.name == name);
    for attempt in facts.attempts() {
        let Some(route) = &attempt.route else { continue };
        let Some(interface) = route.interface.as_deref() else { continue };
        let is_mute = attempt.connect.outcome == ConnectOutcome::Silent;
        let is_tunnel = link(interface).is_some_and(crate::doctor::evidence::Link::is_tunnel);
        let is_elsewhere = default.is_some_and(|default| default.interface != interface);
        let by_path = facts.evidence.path.get().is_some_and(|path| path.farthest().is_none());
        let is_dead = facts.host_is_alive() == Some(false) || by_path;
        if !(is_mute && is_tunnel && is_elsewhere && is_dead) {
            continue;
        }
        let prefix = route.prefix.clone().unwrap_or_default();
        let rest_works = facts.public_is_reached() == Some(true);
        let confidence = if rest_works { Confidence::Likely } else { Confidence::Possible };
        let mut finding = Finding::new(
            "ROUTE.WRONG_INTERFACE",
            Layer::Route,
            "tunnel",
            confidence,
            format!("{prefix} is routed into the tunnel {interface}, and nothing comes out of it"),
        )
        .because(Fact::Target, format!("packets for {} leave by {interface}", attempt.address))
        .check(Commands::of(facts.evidence).route_to(&attempt.address.to_string()))
        .because(Fact::Target, "nothing came back, from no port and at no distance")
        .check(format!("ip -s link show {}", quoted(interface)))
        .explains(&[Symptom::Target4, Symptom::Target6])
        .remedy(format!("start the VPN of {interface} again, or end it"))
        .remedy(format!("or take its route away: ip route del {prefix} dev {}", quoted(interface)));
        if rest_works {
            finding = finding.because(Fact::Public, "the internet is reached, by another interface");
        }
        found.push(finding);
        return;
    }
    // All of the internet goes into it.
    let Some(route) = facts.evidence.out.get().and_then(|ways| ways.v4.as_ref()) else { return };
    let Some(interface) = route.interface.as_deref() else { return };
    let is_tunnel = link(interface).is_some_and(crate::doctor::evidence::Link::is_tunnel);
    let physical = facts.evidence.gateways.all().iter().find(|gateway| {
        gateway.interface != interface && gateway.is_found() == Some(true) && gateway.address.is_ipv4()
    });
    if let (true, Some(gateway), Some(false)) = (is_tunnel, physical, facts.beyond()) {
        found.push(
            Finding::new(
                "ROUTE.WRONG_INTERFACE",
                Layer::Route,
                "tunnel",
                Confidence::Likely,
                format!("everything is routed into the tunnel {interface}, and nothing comes out of it"),
            )
            .because(Fact::Out, format!("packets for the internet leave by {interface}"))
            .check("ip route get 1.1.1.1")
            .because(
                Fact::Gateways,
                format!("the gateway {} answers on {}", gateway.address, gateway.interface),
            )
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("start the VPN of {interface} again, or end it")),
        );
    }
}

/// Packets carry a source that no answer comes back to.
pub(super) fn bad_source(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    let filtered = facts.counter("TcpExt.IPReversePathFilter");
    if let Some(attempt) = facts.failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent)
        && filtered >= 2
    {
        found.push(
            Finding::new(
                "ROUTE.BAD_SOURCE",
                Layer::Route,
                "rp-filter",
                Confidence::Certain,
                "answers come in by another interface than they are routed out by, and this machine drops them".to_owned(),
            )
            .because(Fact::Counters, format!("{filtered} packets were dropped by the reverse-path filter meanwhile (TcpExt.IPReversePathFilter)"))
            .check("nstat -az TcpExtIPReversePathFilter")
            .because(Fact::Target, format!("nothing that {} sends comes through", attempt.address))
            .explains(&[Symptom::Target4, Symptom::Target6, Symptom::Public, Symptom::Loss, Symptom::Name])
            .remedy("let both directions take one way: a route or a rule for the source (ip rule add from ADDRESS table ...)")
            .remedy("or let the filter be loose: sysctl -w net.ipv4.conf.all.rp_filter=2"),
        );
        return;
    }
    let told = facts.failed().and_then(|attempt| {
        (attempt.connect.outcome == ConnectOutcome::Silent).then_some(attempt.route.as_ref())?
    });
    let out = facts.evidence.out.get().and_then(|ways| ways.v4.as_ref());
    let Some(route) = told.or(out) else { return };
    let (Some(source), Some(interface)) = (route.source, route.interface.as_deref()) else { return };
    let of = |name: &str| {
        facts.evidence.addresses.all().iter().any(|own| own.interface == name && own.ip == source)
    };
    let others = facts
        .evidence
        .addresses
        .all()
        .iter()
        .any(|own| own.interface == interface && own.ip.is_ipv4() == source.is_ipv4());
    let gateway_is_there = facts.gateway().is_some_and(|gateway| gateway.is_found() == Some(true));
    let hears_nothing = facts.beyond() == Some(false) || facts.public_is_reached() == Some(false);
    if of(interface) || !others || !gateway_is_there || !hears_nothing {
        return;
    }
    let held =
        facts.evidence.addresses.all().iter().find(|own| own.ip == source).map(|own| own.interface.clone());
    let place = held.map_or_else(|| "is none of this machine's".to_owned(), |name| format!("is {name}'s"));
    found.push(
        Finding::new(
            "ROUTE.BAD_SOURCE",
            Layer::Route,
            "source",
            Confidence::Likely,
            format!(
                "packets leave by {interface} from {source}, which {place}: no answer finds its way back"
            ),
        )
        .because(
            Fact::Out,
            format!("the route sets the source {source}, and {interface} has other addresses"),
        )
        .check(commands.route_to("1.1.1.1"))
        .because(Fact::Public, "nothing comes back from beyond the LAN")
        .explains(&[Symptom::Target4, Symptom::Public, Symptom::Datagrams, Symptom::Loss, Symptom::Name])
        .remedy(format!(
            "take the source out of the route: ip route replace default via GATEWAY dev {}",
            quoted(interface)
        ))
        .or(&["NAT.MISSING"]),
    );
}
