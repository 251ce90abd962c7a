//! Another host has this machine's address, or its hardware address.

use std::net::IpAddr;

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;
use crate::trace::Train;

/// Somebody else has this machine's address.
#[expect(clippy::too_many_lines, reason = "a list of signs, the surest first")]
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
                Finding::new(Cause::AddrDuplicate, "dad", Confidence::Certain, title)
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
                Finding::new(Cause::AddrDuplicate, "ipv4", Confidence::Certain, title)
                    .because(Fact::Claims, format!("asked who has {}, {who} answers", claim.address))
                    .check(format!("arping -D -c 3 -I {} {}", quoted(&claims.interface), claim.address))
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
                Finding::new(Cause::AddrDuplicate, "mac", confidence, title)
                    .because(
                        Fact::Claims,
                        format!("{}: {}", claims.interface, said.replace("{}", &who.join(", "))),
                    )
                    .check(format!("tcpdump -eni {} ether src {}", quoted(&claims.interface), claims.own_mac))
                    .explains(&explained)
                    .remedy("give one of the two another: a cloned virtual machine keeps its original's"),
            );
            return;
        }
    }
    let again = facts.own_queries().iter().filter(|query| query.tries > 1).count();
    let evidence = facts.evidence;
    let trains = [&evidence.long_train, &evidence.gateway_train, &evidence.small_train, &evidence.beat];
    let lost = |train: &Train| train.received() > 0 && train.received() < train.sent();
    let is_lossy = again > 0 || trains.into_iter().filter_map(|train| train.get()).any(lost);
    if let Some(claims) = facts.evidence.claims.get().filter(|claims| claims.own_mac_frames > 0)
        && is_lossy
    {
        let title = format!("another host seems to use this machine's hardware address {}", claims.own_mac);
        found.push(
            Finding::new(Cause::AddrDuplicate, "mac", Confidence::Likely, title)
                .because(
                    Fact::Claims,
                    format!(
                        "{} frames came in on {} that bear it as their sender, while packets were lost",
                        claims.own_mac_frames, claims.interface
                    ),
                )
                .check(format!(
                    "tcpdump -Qin -eni {} ether src {}",
                    quoted(&claims.interface),
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
            Finding::new(Cause::AddrDuplicate, "mac", Confidence::Likely, title)
                .because(Fact::Counters, format!("{foreign} packets came in for addresses that are not this machine's (Ip.InAddrErrors), while others were lost"))
                .check("nstat -az IpInAddrErrors")
                .explains(&explained)
                .remedy("look for a second host with the same hardware address: a clone of a virtual machine, say"),
        );
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
        .any(|own| own.interface == interface && own.prefix_len < 32 && own.contains_v4(ip))
}
