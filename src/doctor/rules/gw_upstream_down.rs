//! The gateway says itself that it has no way to the internet.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, Icmp};
use crate::doctor::fact::Fact;
use crate::wire::icmp;

/// It says itself that it cannot.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let said = |icmp: &Icmp| {
        let is_gateway = icmp.from.is_some_and(|from| facts.is_gateway(from));
        let is_lack = matches!(
            icmp.meaning(),
            icmp::Error::NetworkUnreachable
                | icmp::Error::HostUnreachable
                | icmp::Error::NoRoute
                | icmp::Error::AddressUnreachable
        );
        is_gateway && is_lack
    };
    if facts.public_is_reached() != Some(false) {
        return;
    }
    let Some(icmp) = facts.icmp_heard().into_iter().find(said) else { return };
    let ip = icmp.from.map_or_else(|| "the gateway".to_owned(), |ip| ip.to_string());
    found.push(
        Finding::new(
            Cause::GwUpstreamDown,
            "says-so",
            Confidence::Certain,
            format!("the gateway {ip} has lost its way to the internet"),
        )
        .because(
            Fact::Public,
            format!(
                "{ip} itself says that the network cannot be reached (ICMP type {} code {})",
                icmp.icmp_type, icmp.icmp_code
            ),
        )
        .check("ping -c 3 1.1.1.1")
        .explains(&Symptom::NOTHING_PASSES)
        .remedy(format!(
            "look at the uplink of {ip}: modem, cable, the provider's line; its own status page tells most"
        ))
        .remedy("if it stays down, tell the provider: the fault is not on this machine"),
    );
}
