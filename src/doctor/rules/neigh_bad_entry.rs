//! The gateway's entry in the neighbour table was set by hand, and wrongly, or the link asks for nobody.

use super::commands::{Commands, quoted};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, Gateway, Link, is_on_link};
use crate::doctor::fact::Fact;

/// What shows it.
enum Signs<'a> {
    /// The gateway's link asks for nobody (NOARP), and nothing comes back.
    AsksNobody(&'a Gateway),
    /// The gateway's entry is permanent, and nothing comes back; another host may have answered for its address.
    Pinned { gateway: &'a Gateway, other: Option<&'a String> },
    /// The entry of a target on the link is permanent, and nothing comes back.
    PinnedTarget(&'a Attempt),
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    let targets = facts.attempts().filter(|attempt| is_pinned(facts, attempt)).map(Signs::PinnedTarget);
    found.extend(gateway(facts).into_iter().chain(targets).map(|signs| finding(commands, &signs)));
}

fn gateway<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let gateway = facts.gateway()?;
    if gateway.answers_ping() || facts.beyond() != Some(false) {
        return None;
    }
    let is_its = |link: &&Link| link.name == gateway.interface;
    let link = facts.evidence.links.all().iter().find(is_its);
    if link.is_some_and(|link| link.has_no_arp && link.is_uplink() && link.mac.is_some()) {
        return Some(Signs::AsksNobody(gateway));
    }
    if gateway.state.as_deref() != Some("permanent") {
        return None;
    }
    let entry = gateway.mac.as_deref().unwrap_or_default();
    let other = facts.evidence.claims.get().and_then(|claims| {
        let claim = claims.answers.iter().find(|claim| claim.address == gateway.address)?;
        claim.macs.iter().find(|mac| *mac != entry)
    });
    Some(Signs::Pinned { gateway, other })
}

fn is_pinned(facts: &Facts<'_>, attempt: &Attempt) -> bool {
    let is_silent = attempt.connect.outcome == ConnectOutcome::Silent && facts.host_is_alive() == Some(false);
    attempt.neighbour.as_deref() == Some("permanent") && is_silent && is_on_link(attempt) == Some(true)
}

fn finding(commands: Commands, signs: &Signs<'_>) -> Finding {
    match signs {
        Signs::AsksNobody(gateway) => {
            let (ip, interface) = (gateway.address, &gateway.interface);
            let title =
                format!("{interface} asks for no neighbours (NOARP), so nobody's hardware address is known");
            Finding::new(Cause::NeighBadEntry, "noarp", Confidence::Likely, title)
                .because(Fact::Links, format!("{interface} is an Ethernet link with the flag NOARP"))
                .check(commands.link(interface))
                .because(Fact::Gateways, format!("nothing comes back from the gateway {ip}"))
                .check(format!("ping -c 3 {ip}"))
                .explains(&Symptom::NOTHING_PASSES)
                .shows(Symptom::GatewayMute)
                .remedy(format!("let it ask: ip link set {} arp on", quoted(interface)))
        }
        Signs::Pinned { gateway, other } => {
            let (ip, interface) = (gateway.address, quoted(&gateway.interface));
            let entry = gateway.mac.as_deref().unwrap_or_default();
            let confidence = if other.is_some() { Confidence::Certain } else { Confidence::Likely };
            let title = format!(
                "the hardware address of the gateway {ip} was set by hand to {entry}, and nobody is there"
            );
            let finding = Finding::new(Cause::NeighBadEntry, "static", confidence, title)
                .because(Fact::Gateways, format!("the entry for {ip} is permanent: {entry}"))
                .check(commands.neighbours())
                .explains(&Symptom::NOTHING_PASSES)
                .shows(Symptom::GatewayMute)
                .remedy(format!("let it be asked for: ip neighbour del {ip} dev {interface}"));
            match other {
                Some(other) => finding.because(Fact::Claims, format!("asked who has {ip}, {other} answers")),
                None => finding,
            }
        }
        Signs::PinnedTarget(attempt) => {
            let ip = attempt.address;
            let title = format!("the hardware address of {ip} was set by hand, and nobody answers there");
            Finding::new(Cause::NeighBadEntry, "static", Confidence::Likely, title)
                .because(Fact::Target, format!("the entry for {ip} is permanent, and nothing comes back"))
                .check(commands.neighbours())
                .explains(&Symptom::TARGET)
                .remedy(format!("let it be asked for: ip neighbour del {ip} dev INTERFACE"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::{attempt, connect};
    use crate::doctor::evidence::{Claim, Evidence, Item};

    /// A machine to which nothing comes back, with a change.
    fn mute(change: impl FnOnce(&mut Evidence)) -> Option<(&'static str, Confidence)> {
        let evidence = Evidence::healthy().with(|evidence| {
            evidence.target = Item::known(vec![attempt(ConnectOutcome::Silent)]);
            evidence.names.change(|names| names.others = Vec::new());
            evidence.beat = Item::default();
            let silent = connect(ConnectOutcome::Silent);
            evidence.public.change(|public| public[0].connects = vec![(443, silent)]);
            evidence.gateways.change(|gateways| gateways[0].pings = Some((3, 0)));
            change(evidence);
        });
        let signs = gateway(&Facts::new(&evidence))?;
        let finding = finding(Commands::of(&evidence), &signs);
        Some((finding.detail, finding.confidence))
    }

    fn pin(evidence: &mut Evidence) {
        evidence.gateways.change(|gateways| gateways[0].state = Some("permanent".into()));
    }

    #[test]
    fn an_entry_that_was_learnt_is_none_set_by_hand() {
        assert_eq!(mute(|_| ()), None);
        assert_eq!(mute(pin), Some(("static", Confidence::Likely)));
    }

    #[test]
    fn another_host_that_answers_makes_it_certain() {
        let told = mute(|evidence| {
            pin(evidence);
            evidence.claims.change(|claims| {
                let macs = vec!["02:00:00:00:00:77".into()];
                claims.answers =
                    vec![Claim { address: [192, 168, 7, 1].into(), is_own: false, macs, asked: 3 }];
            });
        });
        assert_eq!(told, Some(("static", Confidence::Certain)));
    }

    #[test]
    fn a_link_that_asks_for_nobody_is_told_where_nothing_comes_back() {
        let noarp = |evidence: &mut Evidence| evidence.links.change(|links| links[0].has_no_arp = true);
        assert_eq!(mute(noarp), Some(("noarp", Confidence::Likely)));
        let heard = mute(|evidence| {
            noarp(evidence);
            evidence.gateways.change(|gateways| gateways[0].pings = Some((3, 1)));
        });
        assert_eq!(heard, None);
    }
}
