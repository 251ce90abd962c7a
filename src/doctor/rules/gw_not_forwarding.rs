//! The gateway is there, and passes nothing on.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// It is there, and passes nothing on.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(gateway) =
        facts.gateway().filter(|gateway| gateway.is_found() == Some(true) && gateway.address.is_ipv4())
    else {
        return;
    };
    let Some(path) = facts.evidence.public_path.get() else { return };
    if facts.beyond() != Some(false) || facts.public_is_reached() != Some(false) {
        return;
    }
    let is_silent = path.farthest().is_none();
    if !is_silent || !gateway.answers_ping() {
        return;
    }
    let ip = gateway.address;
    found.push(
        Finding::new(
            Cause::GwNotForwarding,
            "silent",
            Confidence::Likely,
            format!("the gateway {ip} is there, and passes nothing on"),
        )
        .because(Fact::Gateways, format!("{ip} answers echo requests"))
        .check(format!("ping -c 3 {ip}"))
        .because(Fact::PublicPath, "packets that may go one hop bring no word that their time ran out, as a router's would; nothing beyond answers")
        .check("traceroute -n -m 3 1.1.1.1")
        .explains(&Symptom::NOTHING_PASSES)
        .remedy(format!("start {ip} again; if it is a Linux machine: sysctl net.ipv4.ip_forward must be 1, and its filter must let packets pass"))
        .remedy(format!("look whether {ip} is the right gateway at all: ip route show default"))
        .or(&[Cause::RouteWrongGateway, Cause::GwUpstreamDown]),
    );
}
