//! A carrier comes and goes.

use super::commands::Commands;
use super::words::seconds;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// A carrier comes and goes.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let uplinks = facts.uplinks();
    for change in facts.evidence.carrier.all() {
        let times = change.after.saturating_sub(change.before);
        if times < 2 || !uplinks.iter().any(|link| link.name == change.interface) {
            continue;
        }
        let name = &change.interface;
        let title = format!(
            "the link of {name} comes and goes: {times} times within {:.1} s",
            seconds(change.within_ms)
        );
        let commands = Commands::of(facts.evidence);
        found.push(
            Finding::new(Cause::LinkFlapping, "carrier", Confidence::Certain, title)
                .because(
                    Fact::Carrier,
                    format!("its carrier had changed {} times, and then {}", change.before, change.after),
                )
                .check(commands.watch_carrier(name))
                .explains(&[Symptom::Carrier, Symptom::Service, Symptom::ServiceSlow, Symptom::Delay])
                .explains(&Symptom::NOTHING_PASSES)
                .remedy(format!("change the cable of {name}, then the port at its other end"))
                .remedy("if it stays so, look for a duplex mismatch or a driver that resets: ethtool, dmesg"),
        );
    }
}
