//! An address or its mask does not fit the network.

use std::net::IpAddr;

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, LinkAddress, same_network};
use crate::doctor::fact::Fact;

/// The address or its mask does not fit the network.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
    let is_inside = own.iter().any(|address| address.contains_v4(ip));
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
        Finding::new(Cause::AddrMismatch, "network", Confidence::Likely, title)
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
            .or(&[Cause::NeighBadEntry]),
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
                Some(&address.interface) == route.interface.as_ref() && address.contains_v4(ip)
            });
        let Some(own) = own else { continue };
        let IpAddr::V4(own_ip) = own.ip else { continue };
        let confidence = match facts.is_ordinary_neighbour(attempt) {
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
            Finding::new(Cause::AddrMismatch, "mask", confidence, title)
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
                .or(&[Cause::NeighTargetSilent]),
        );
        return;
    }
}
