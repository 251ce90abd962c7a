//! The loopback interface is down, has lost its address, or carries no connection.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// The loopback is down, has lost its address, or does not carry a connection.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(loopback) = facts.evidence.loopback.get() else { return };
    let name = loopback.interface.as_deref().unwrap_or("lo");
    let is_down = loopback.is_up == Some(false);
    let is_bare = loopback.has_address == Some(false);
    let is_dead = loopback.connects == Some(false);
    // What has no descriptors left cannot connect anywhere.
    let has_descriptors = facts.evidence.host.get().is_some_and(|host| host.descriptors_to_be_had >= 4);
    let is_wrong = is_down || is_bare || (is_dead && has_descriptors);
    if !is_wrong {
        return;
    }
    let (detail, what) = if is_down {
        ("down", format!("the loopback interface {name} is down"))
    } else if is_bare {
        ("address", format!("the loopback interface {name} has lost 127.0.0.1"))
    } else {
        ("connect", "this machine cannot connect to itself".to_owned())
    };
    let confidence = if is_down || is_bare { Confidence::Certain } else { Confidence::Likely };
    let title = format!("{what}: programs on this machine cannot talk to each other");
    let mut finding = Finding::new(Cause::HostLoopback, detail, confidence, title)
        .because(Fact::Loopback, what)
        .check(format!("ip address show {name}"));
    if let Some(error) = &loopback.error {
        finding = finding.because(Fact::Loopback, format!("connecting to 127.0.0.1 gives: {error}"));
    }
    let mut symptoms = vec![Symptom::Machine];
    if is_down && facts.is_local() {
        symptoms.extend([Symptom::Target4, Symptom::Target6]);
    }
    // A resolver may live there.
    symptoms.extend([Symptom::Name, Symptom::NameSlow]);
    let mend = match detail {
        "down" => format!("bring it up: ip link set {name} up"),
        "address" => format!("give it its address back: ip address add 127.0.0.1/8 dev {name}"),
        _ => "look whether a local filter drops what goes to 127.0.0.1".to_owned(),
    };
    found.push(finding.explains(&symptoms).remedy(mend));
}
