//! Another host has this machine's address, or its hardware address.

use std::net::IpAddr;

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Claim, Claims, Facts, LinkAddress};
use crate::doctor::fact::Fact;
use crate::trace::Train;

/// What goes wrong where two answer for one.
const EXPLAINED: [Symptom; 12] = [
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

/// What shows it.
enum Signs<'a> {
    /// The kernel found an address taken when it was set.
    Taken(&'a LinkAddress),
    /// Another host answers for an address of this machine.
    Claimed(&'a Claims, &'a Claim),
    /// Packets of these hosts bear this machine's hardware address as their sender.
    Sender(&'a Claims),
    /// Packets for these hosts of the same network come in at this machine's hardware address.
    Misdelivered(&'a Claims, Vec<IpAddr>),
    /// Frames bear this machine's hardware address as their sender, and packets are lost. An access point may send a machine's
    /// own frames back, so that alone shows nothing.
    Frames(&'a Claims),
    /// Without a look at frames: so many packets for others come in, and packets are lost.
    Strays(u64),
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).into_iter().map(|signs| finding(Commands::of(facts.evidence), &signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Vec<Signs<'a>> {
    let is_taken = |address: &&LinkAddress| address.flags.iter().any(|flag| flag == "dadfailed");
    let mut all: Vec<Signs<'a>> =
        facts.evidence.addresses.all().iter().filter(is_taken).map(Signs::Taken).collect();
    let claims = facts.evidence.claims.get();
    if let Some(claims) = claims {
        let is_claimed = |claim: &&Claim| claim.is_own && !claim.macs.is_empty();
        all.extend(claims.answers.iter().filter(is_claimed).map(|claim| Signs::Claimed(claims, claim)));
        let near = claims.misdelivered.iter().copied();
        let near: Vec<IpAddr> = near.filter(|ip| is_of(facts, &claims.interface, *ip)).collect();
        if !claims.own_mac_users.is_empty() {
            all.push(Signs::Sender(claims));
            return all;
        }
        if !near.is_empty() {
            all.push(Signs::Misdelivered(claims, near));
            return all;
        }
    }
    if !is_lossy(facts) {
        return all;
    }
    let strays = facts.counter("Ip.InAddrErrors");
    match claims.filter(|claims| claims.own_mac_frames > 0) {
        Some(claims) => all.push(Signs::Frames(claims)),
        None if strays > 0 => all.push(Signs::Strays(strays)),
        None => {}
    }
    all
}

/// Whether anything was lost, be it a single packet.
fn is_lossy(facts: &Facts<'_>) -> bool {
    let evidence = facts.evidence;
    let trains = [&evidence.long_train, &evidence.gateway_train, &evidence.small_train, &evidence.beat];
    let lost = |train: &Train| train.received() > 0 && train.received() < train.sent();
    facts.own_queries().iter().any(|query| query.tries > 1)
        || trains.into_iter().filter_map(|train| train.get()).any(lost)
}

/// Whether an address is of a network of an interface.
fn is_of(facts: &Facts<'_>, interface: &str, ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else { return false };
    let is_its = |own: &&LinkAddress| own.interface == interface && own.prefix_len < 32;
    facts.evidence.addresses.all().iter().filter(is_its).any(|own| own.contains_v4(ip))
}

fn finding(commands: Commands, signs: &Signs<'_>) -> Finding {
    let new = |detail, confidence, title| {
        Finding::new(Cause::AddrDuplicate, detail, confidence, title).explains(&EXPLAINED)
    };
    match signs {
        Signs::Taken(address) => {
            let (ip, interface) = (address.ip, &address.interface);
            new("dad", Confidence::Certain, format!("another host has this machine's address {ip}"))
                .because(Fact::Addresses, format!("the kernel found {ip} taken on {interface} (RFC 4862, 5.4)"))
                .check(commands.addresses())
                .remedy("take the address away from one of the two")
        }
        Signs::Claimed(claims, claim) => {
            let (who, address) = (claim.macs.join(" and "), claim.address);
            let title = format!("another host, {who}, has this machine's address {address}");
            new("ipv4", Confidence::Certain, title)
                .because(Fact::Claims, format!("asked who has {address}, {who} answers"))
                .check(format!("arping -D -c 3 -I {} {address}", quoted(&claims.interface)))
                .remedy("take the address away from one of the two, or let DHCP give both theirs")
        }
        Signs::Sender(claims) => {
            let said = "packets of {} came in on it, with this machine's hardware address as their sender";
            by_mac(claims, &claims.own_mac_users, Confidence::Certain, said, new)
        }
        Signs::Misdelivered(claims, near) => {
            let said = "packets for {} came in on it, at this machine's hardware address";
            by_mac(claims, near, Confidence::Likely, said, new)
        }
        Signs::Frames(claims) => {
            let (mac, frames, interface) = (&claims.own_mac, claims.own_mac_frames, &claims.interface);
            let title = format!("another host seems to use this machine's hardware address {mac}");
            let said =
                format!("{frames} frames came in on {interface} that bear it as their sender, while packets were lost");
            new("mac", Confidence::Likely, title)
                .because(Fact::Claims, said)
                .check(format!("tcpdump -Qin -eni {} ether src {mac}", quoted(interface)))
                .remedy("give one of the two another: a cloned virtual machine keeps its original's")
        }
        Signs::Strays(strays) => new(
            "mac",
            Confidence::Likely,
            "another host seems to use this machine's hardware address: packets for others come in".to_owned(),
        )
        .because(Fact::Counters, format!("{strays} packets came in for addresses that are not this machine's (Ip.InAddrErrors), while others were lost"))
        .check("nstat -az IpInAddrErrors")
        .remedy("look for a second host with the same hardware address: a clone of a virtual machine, say"),
    }
}

/// Two hosts with one hardware address: `said` has `{}` in the place of the other's addresses.
fn by_mac(
    claims: &Claims,
    users: &[IpAddr],
    confidence: Confidence,
    said: &str,
    new: impl Fn(&'static str, Confidence, String) -> Finding,
) -> Finding {
    let who = users.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (mac, interface) = (&claims.own_mac, &claims.interface);
    new("mac", confidence, format!("another host, {who}, uses this machine's hardware address {mac}"))
        .because(Fact::Claims, format!("{interface}: {}", said.replace("{}", &who)))
        .check(format!("tcpdump -eni {} ether src {mac}", quoted(interface)))
        .remedy("give one of the two another: a cloned virtual machine keeps its original's")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::train;
    use crate::doctor::evidence::{Evidence, Item};

    fn told(change: impl FnOnce(&mut Evidence)) -> Vec<(&'static str, Confidence)> {
        super::super::told(findings, change)
    }

    fn loses(evidence: &mut Evidence) {
        evidence.beat = Item::known(train(40, 39));
    }

    #[test]
    fn nobody_else_is_nothing() {
        assert_eq!(told(|_| ()), []);
    }

    #[test]
    fn frames_alone_may_be_an_access_points() {
        let frames = |evidence: &mut Evidence| {
            evidence.claims.change(|claims| claims.own_mac_frames = 1);
        };
        assert_eq!(told(frames), []);
        let lossy = told(|evidence| {
            frames(evidence);
            loses(evidence);
        });
        assert_eq!(lossy, [("mac", Confidence::Likely)]);
    }

    #[test]
    fn one_stray_packet_counts_where_one_is_lost() {
        let stray = |evidence: &mut Evidence| {
            evidence.claims = Item::default();
            evidence.counters.change(|counters| {
                counters.insert("Ip.InAddrErrors".to_owned(), 1);
            });
        };
        assert_eq!(told(stray), []);
        let lossy = told(|evidence| {
            stray(evidence);
            loses(evidence);
        });
        assert_eq!(lossy, [("mac", Confidence::Likely)]);
        assert_eq!(told(loses), []);
    }

    #[test]
    fn who_sends_with_this_machines_hardware_address_is_certain() {
        let user = |evidence: &mut Evidence| {
            evidence.claims.change(|claims| claims.own_mac_users = vec![[192, 168, 7, 30].into()]);
        };
        assert_eq!(told(user), [("mac", Confidence::Certain)]);
    }

    #[test]
    fn packets_for_a_host_of_another_network_are_routed_and_no_sign() {
        let astray = |ip: [u8; 4]| {
            told(|evidence| {
                evidence.claims.change(|claims| {
                    claims.interface = "eth0".to_owned();
                    claims.misdelivered = vec![ip.into()];
                });
            })
        };
        assert_eq!(astray([192, 168, 7, 30]), [("mac", Confidence::Likely)]);
        assert_eq!(astray([10, 0, 0, 1]), []);
    }

    #[test]
    fn what_the_kernel_found_taken_is_certain() {
        let taken = told(|evidence| {
            evidence.addresses.change(|addresses| addresses[0].flags = vec!["dadfailed".to_owned()]);
        });
        assert_eq!(taken, [("dad", Confidence::Certain)]);
    }
}
