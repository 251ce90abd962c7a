//! No interface that works has an address that reaches beyond its link.

use std::net::IpAddr;

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, LinkAddress, QueryOutcome};
use crate::doctor::fact::Fact;

/// No address, or none that reaches beyond its link.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
    let names_lack_v4 = facts.all_own(|outcome| outcome == QueryOutcome::NoRoute)
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
        Finding::new(Cause::AddrNone, detail, Confidence::Certain, title)
            .because(Fact::Addresses, said)
            .check(commands.addresses())
            .explains(&Symptom::NOTHING_PASSES)
            .remedy(format!("ask for one: {}", commands.renew(name)))
            .remedy("if nobody answers that, look at the DHCP server, or set an address by hand"),
    );
}
