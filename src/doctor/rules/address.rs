//! The addresses: is there one, does it fit the network, and is it nobody else's.

use std::net::{IpAddr, Ipv4Addr};

use super::commands::Commands;
use super::{Confidence, Finding, Layer, Symptom};
use crate::address::Class;
use crate::doctor::evidence::{ConnectOutcome, Facts, LinkAddress};
use crate::doctor::fact::Fact;

/// No address, or none that reaches beyond its link.
pub(super) fn none(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if facts.is_local() || facts.evidence.addresses.get().is_none() {
        return;
    }
    let commands = Commands::of(facts.evidence);
    let working: Vec<_> = facts.uplinks().into_iter().filter(|link| link.works()).collect();
    let Some(link) = working.first() else { return };
    let others = facts.evidence.links.all().iter().filter(|link| !link.is_loopback && link.works());
    let has_any = others.clone().any(|link| facts.reaching_addresses(link) > 0);
    let v4_reaches = |address: &LinkAddress| match address.ip {
        IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
        IpAddr::V6(_) => false,
    };
    let is_working = |name: &str| others.clone().any(|link| link.name == name);
    let has_v4 = facts
        .evidence
        .addresses
        .all()
        .iter()
        .any(|address| v4_reaches(address) && is_working(&address.interface));
    // With IPv6 alone, a host that has IPv4 alone is out of reach.
    let lacks_v4 = facts.wholly_failed().is_some_and(|attempt| {
        attempt.address.is_ipv4()
            && matches!(attempt.connect.outcome, ConnectOutcome::NoRoute | ConnectOutcome::NoLocalPort)
    });
    // Nor are its name servers of use, if they have IPv4 alone.
    let names_lack_v4 = facts.all_own(|outcome| outcome == crate::doctor::evidence::QueryOutcome::NoRoute)
        && facts.names().is_some_and(|names| names.own.iter().all(|answer| answer.server.is_ipv4()));
    if has_any && (has_v4 || !(lacks_v4 || names_lack_v4)) {
        return;
    }
    let name = &link.name;
    let own = facts.evidence.addresses.all().iter().filter(|address| address.interface == *name);
    let link_local = own.clone().find(|address| matches!(address.ip, IpAddr::V4(ip) if ip.is_link_local()));
    let (detail, title, said) = match link_local {
        Some(address) => (
            "link-local",
            format!(
                "{name} has only the address {} that it gave itself: nobody gave it one (DHCP)",
                address.ip
            ),
            format!("the only IPv4 address of {name} is {}/{}", address.ip, address.prefix_len),
        ),
        None if has_any => (
            "ipv4",
            format!("{name} has no IPv4 address, and what is to be reached has nothing else"),
            format!("no IPv4 address is on any link that works; {name} has a carrier"),
        ),
        None => (
            "none",
            format!("{name} has no address"),
            format!("{name} is up and has a carrier, but no address beyond link-local ones"),
        ),
    };
    found.push(
        Finding::new("ADDR.NONE", Layer::Address, detail, Confidence::Certain, title)
            .because(Fact::Addresses, said)
            .check(commands.addresses())
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("ask for one: {}", commands.renew(name)))
            .remedy("if nobody answers that, look at the DHCP server, or set an address by hand"),
    );
}

/// The address or its mask does not fit the network.
pub(super) fn mismatch(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    wrong_network(facts, found);
    wide_mask(facts, found);
}

/// The gateway is in none of this machine's networks: it answers ARP, but has no way back.
fn wrong_network(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) = facts.gateway() else { return };
    let IpAddr::V4(ip) = gateway.address else { return };
    let own: Vec<&LinkAddress> = facts
        .evidence
        .addresses
        .all()
        .iter()
        .filter(|address| address.interface == gateway.interface && address.ip.is_ipv4())
        .collect();
    let is_inside = own.iter().any(|address| contains(address, ip));
    // A single address with its gateway beside it is how clouds do it.
    let has_network = own.iter().any(|address| address.prefix_len < 31);
    let is_heard = gateway.answers_ping() || facts.beyond() != Some(false);
    if is_inside || !has_network || is_heard || gateway.is_found() != Some(true) {
        return;
    }
    let commands = Commands::of(facts.evidence);
    let networks: Vec<String> = own.iter().map(|own| format!("{}/{}", own.ip, own.prefix_len)).collect();
    let title = format!(
        "the address of {} ({}) is not of its gateway's network: {ip} has no way to answer it",
        gateway.interface,
        networks.join(", ")
    );
    found.push(
        Finding::new("ADDR.MISMATCH", Layer::Address, "network", Confidence::Likely, title)
            .because(
                Fact::Addresses,
                format!("{} has {}, and {ip} is in none of it", gateway.interface, networks.join(", ")),
            )
            .check(commands.addresses())
            .because(
                Fact::Gateways,
                format!("{ip} answers ARP, but no echo request, and nothing comes from beyond it"),
            )
            .check(format!("ping -c 3 {ip}"))
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("give it an address of {ip}'s network: {}", commands.renew(&gateway.interface)))
            .or(&["NEIGH.BAD_ENTRY"]),
    );
}

/// A mask that is too wide makes a host elsewhere look like a neighbour.
fn wide_mask(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    /// One that an ordinary link has.
    const USUAL: u8 = 24;
    for attempt in facts.attempts() {
        let (IpAddr::V4(ip), Some(route)) = (attempt.address, &attempt.route) else { continue };
        let is_lost = attempt.connect.outcome == ConnectOutcome::NoNeighbour
            || matches!(attempt.neighbour.as_deref(), Some("failed" | "incomplete"));
        if !route.is_on_link() || !is_lost {
            continue;
        }
        let own =
            facts.evidence.addresses.all().iter().find(|address| {
                Some(&address.interface) == route.interface.as_ref() && contains(address, ip)
            });
        let Some(own) = own else { continue };
        let IpAddr::V4(own_ip) = own.ip else { continue };
        let confidence = match is_ordinary(facts, attempt) {
            Some(false) => Confidence::Likely,
            Some(true) if own.prefix_len < USUAL && !same_network(own_ip, ip, USUAL) => Confidence::Possible,
            _ => continue,
        };
        let commands = Commands::of(facts.evidence);
        let title = format!(
            "{own_ip}/{} on {} makes {ip} look like a neighbour, and it is none: that address or its mask is wrong",
            own.prefix_len, own.interface
        );
        found.push(
            Finding::new("ADDR.MISMATCH", Layer::Address, "mask", confidence, title)
                .because(
                    Fact::Target,
                    format!("the route to {ip} says that it is on the link of {}", own.interface),
                )
                .check(commands.route_to(&ip.to_string()))
                .because(Fact::Target, format!("nobody on that link answers for {ip}"))
                .check(commands.neighbours())
                .explains(&[Symptom::Target4])
                .remedy(format!(
                    "correct the mask, to /{USUAL} if the network is an ordinary one: {}",
                    commands.addresses()
                ))
                .or(&["NEIGH.TARGET_SILENT"]),
        );
        return;
    }
}

/// Whether an address is of a network of an interface.
fn is_of(facts: &Facts<'_>, interface: &str, ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else { return false };
    facts
        .evidence
        .addresses
        .all()
        .iter()
        .any(|own| own.interface == interface && own.prefix_len < 32 && contains(own, ip))
}

/// Whether a target is a neighbour by an ordinary mask, and not by one that is much wider than a link's; `None` if that is
/// not known.
pub(super) fn is_ordinary(facts: &Facts<'_>, attempt: &crate::doctor::evidence::Attempt) -> Option<bool> {
    let IpAddr::V4(ip) = attempt.address else { return Some(true) };
    let interface = attempt.route.as_ref()?.interface.as_ref()?;
    let addresses = facts.evidence.addresses.get()?;
    let own = addresses.iter().find(|own| own.interface == *interface && contains(own, ip))?;
    let IpAddr::V4(own_ip) = own.ip else { return None };
    // A host of the internet is no neighbour by an address that has nothing to do with the gateway's network.
    let is_public = matches!(Class::of(attempt.address), Class::Global | Class::Documentation);
    if is_public
        && facts
            .evidence
            .gateways
            .get()
            .is_some_and(|gateways| !gateways.is_empty() && !is_gateways(facts, own))
    {
        return Some(false);
    }
    if !is_public && (own.prefix_len > 16 || same_network(own_ip, ip, 24)) {
        return Some(true);
    }
    if is_public && facts.evidence.gateways.get().is_some() {
        return Some(true);
    }
    facts.evidence.gateways.get().map(|_| !near(facts, own_ip))
}

/// Whether an address is of a network that a gateway is of, too.
fn is_gateways(facts: &Facts<'_>, own: &LinkAddress) -> bool {
    facts.evidence.gateways.all().iter().any(|gateway| match gateway.address {
        IpAddr::V4(ip) => contains(own, ip),
        IpAddr::V6(_) => false,
    })
}

/// Whether the gateway is of the same ordinary network.
fn near(facts: &Facts<'_>, own: Ipv4Addr) -> bool {
    facts.evidence.gateways.all().iter().any(|gateway| match gateway.address {
        IpAddr::V4(gateway) => same_network(own, gateway, 24),
        IpAddr::V6(_) => false,
    })
}

fn contains(own: &LinkAddress, ip: Ipv4Addr) -> bool {
    match own.ip {
        IpAddr::V4(own_ip) => same_network(own_ip, ip, own.prefix_len),
        IpAddr::V6(_) => false,
    }
}

fn same_network(a: Ipv4Addr, b: Ipv4Addr, prefix_len: u8) -> bool {
    let shift = 32_u32.saturating_sub(prefix_len.into());
    shift == 32 || u32::from(a) >> shift == u32::from(b) >> shift
}

/// Somebody else has this machine's address.
#[expect(clippy::too_many_lines, reason = "a list of signs, the surest first")]
pub(super) fn duplicate(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    let explained = [
        Symptom::Claimed,
        Symptom::Loss,
        Symptom::LargeLoss,
        Symptom::Target4,
        Symptom::Target6,
        Symptom::Public,
        Symptom::Name,
        Symptom::NameSlow,
        Symptom::Service,
        Symptom::ServiceSlow,
        Symptom::Delay,
        Symptom::Datagrams,
    ];
    for address in facts.evidence.addresses.all() {
        if address.flags.iter().any(|flag| flag == "dadfailed") {
            let title = format!("another host has this machine's address {}", address.ip);
            found.push(
                Finding::new("ADDR.DUPLICATE", Layer::Address, "dad", Confidence::Certain, title)
                    .because(
                        Fact::Addresses,
                        format!(
                            "the kernel found {} taken on {} (RFC 4862, 5.4)",
                            address.ip, address.interface
                        ),
                    )
                    .check(commands.addresses())
                    .explains(&explained)
                    .remedy("take the address away from one of the two"),
            );
        }
    }
    if let Some(claims) = facts.evidence.claims.get() {
        for claim in claims.answers.iter().filter(|claim| claim.is_own && !claim.macs.is_empty()) {
            let who = claim.macs.join(" and ");
            let title = format!("another host, {who}, has this machine's address {}", claim.address);
            found.push(
                Finding::new("ADDR.DUPLICATE", Layer::Address, "ipv4", Confidence::Certain, title)
                    .because(Fact::Claims, format!("asked who has {}, {who} answers", claim.address))
                    .check(format!(
                        "arping -D -c 3 -I {} {}",
                        super::commands::quoted(&claims.interface),
                        claim.address
                    ))
                    .explains(&explained)
                    .remedy("take the address away from one of the two, or let DHCP give both theirs"),
            );
        }
        let near: Vec<IpAddr> =
            claims.misdelivered.iter().copied().filter(|ip| is_of(facts, &claims.interface, *ip)).collect();
        if !claims.own_mac_users.is_empty() || !near.is_empty() {
            let (users, said) = if claims.own_mac_users.is_empty() {
                (near, "packets for {} came in on it, at this machine's hardware address")
            } else {
                (
                    claims.own_mac_users.clone(),
                    "packets of {} came in on it, with this machine's hardware address as their sender",
                )
            };
            let who: Vec<String> = users.iter().map(ToString::to_string).collect();
            let confidence =
                if claims.own_mac_users.is_empty() { Confidence::Likely } else { Confidence::Certain };
            let title = format!(
                "another host, {}, uses this machine's hardware address {}",
                who.join(", "),
                claims.own_mac
            );
            found.push(
                Finding::new("ADDR.DUPLICATE", Layer::Address, "mac", confidence, title)
                    .because(
                        Fact::Claims,
                        format!("{}: {}", claims.interface, said.replace("{}", &who.join(", "))),
                    )
                    .check(format!(
                        "tcpdump -eni {} ether src {}",
                        super::commands::quoted(&claims.interface),
                        claims.own_mac
                    ))
                    .explains(&explained)
                    .remedy("give one of the two another: a cloned virtual machine keeps its original's"),
            );
            return;
        }
    }
    let again = facts.own_queries().iter().filter(|query| query.tries > 1).count();
    let evidence = facts.evidence;
    let trains = [&evidence.long_train, &evidence.gateway_train, &evidence.small_train, &evidence.beat];
    let lost = |train: &crate::trace::Train| train.received() > 0 && train.received() < train.sent();
    let is_lossy = again > 0 || trains.into_iter().filter_map(|train| train.get()).any(lost);
    if let Some(claims) = facts.evidence.claims.get().filter(|claims| claims.own_mac_frames > 0)
        && is_lossy
    {
        let title = format!("another host seems to use this machine's hardware address {}", claims.own_mac);
        found.push(
            Finding::new("ADDR.DUPLICATE", Layer::Address, "mac", Confidence::Likely, title)
                .because(
                    Fact::Claims,
                    format!(
                        "{} frames came in on {} that bear it as their sender, while packets were lost",
                        claims.own_mac_frames, claims.interface
                    ),
                )
                .check(format!(
                    "tcpdump -Qin -eni {} ether src {}",
                    super::commands::quoted(&claims.interface),
                    claims.own_mac
                ))
                .explains(&explained)
                .remedy("give one of the two another: a cloned virtual machine keeps its original's"),
        );
        return;
    }
    // Without a look at frames: packets for others come in, which bear this machine's hardware address.
    let foreign = facts.counter("Ip.InAddrErrors");
    if foreign >= 1 && is_lossy {
        let title = "another host seems to use this machine's hardware address: packets for others come in"
            .to_owned();
        found.push(
            Finding::new("ADDR.DUPLICATE", Layer::Address, "mac", Confidence::Likely, title)
                .because(Fact::Counters, format!("{foreign} packets came in for addresses that are not this machine's (Ip.InAddrErrors), while others were lost"))
                .check("nstat -az IpInAddrErrors")
                .explains(&explained)
                .remedy("look for a second host with the same hardware address: a clone of a virtual machine, say"),
        );
    }
}
