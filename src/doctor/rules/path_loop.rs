//! Packets go round in a circle.

use super::words::{REACH, hops};
use super::{Cause, Confidence, Finding};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// Packets go round in a circle.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let evidence = facts.evidence;
    let all = [
        (Fact::Path, &evidence.path),
        (Fact::ControlPath, &evidence.control_path),
        (Fact::PublicPath, &evidence.public_path),
    ];
    let round = all.into_iter().find_map(|(fact, path)| Some((fact, path.get()?, path.get()?.loop_of()?)));
    // Not of a packet that was to go only so far: its sender let it go as far as it would.
    let exceeded = facts.icmp_heard().into_iter().find(|icmp| icmp.meaning().is_exceeded_in_transit());
    let finding = match (round, exceeded) {
        (Some((fact, path, round)), exceeded) => {
            let who: Vec<String> = round.iter().map(ToString::to_string).collect();
            let title = format!("packets for {} go round in a circle between {}", path.to, who.join(" and "));
            let mut finding = Finding::new(Cause::PathLoop, "loop", Confidence::Certain, title)
                .because(fact, format!("the same routers answer again and again: {}", hops(path)))
                .check(format!("traceroute -n {}", path.to));
            if let Some(icmp) = exceeded {
                let from = icmp.from.map_or_else(String::new, |from| format!(" at {from}"));
                finding = finding.because(
                    fact,
                    format!("the time to live of other packets ran out on the way, too{from}"),
                );
            }
            finding
        }
        (None, Some(icmp)) => {
            let from = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
            let target = facts
                .failed()
                .map_or_else(|| "the internet".to_owned(), |attempt| attempt.address.to_string());
            // Whichever fact heard of it.
            let fact = match () {
                () if facts
                    .evidence
                    .target
                    .all()
                    .iter()
                    .any(|attempt| attempt.connect.icmp.as_ref() == Some(&icmp)) =>
                {
                    Fact::Target
                }
                () if facts.evidence.public.all().iter().any(|anchor| {
                    anchor.connects.iter().any(|(_, connect)| connect.icmp.as_ref() == Some(&icmp))
                }) =>
                {
                    Fact::Public
                }
                () if facts
                    .evidence
                    .beat
                    .get()
                    .is_some_and(|beat| beat.errors.iter().any(|error| error.from == icmp.from)) =>
                {
                    Fact::Beat
                }
                () if facts
                    .evidence
                    .small_train
                    .get()
                    .is_some_and(|train| train.errors.iter().any(|error| error.from == icmp.from)) =>
                {
                    Fact::SmallTrain
                }
                () if facts
                    .evidence
                    .control
                    .all()
                    .iter()
                    .any(|attempt| attempt.connect.icmp.as_ref() == Some(&icmp)) =>
                {
                    Fact::Control
                }
                () if facts.evidence.web.all().iter().any(|web| web.connect.icmp.as_ref() == Some(&icmp)) => {
                    Fact::Web
                }
                () => Fact::Names,
            };
            let title =
                format!("packets for {target} go round in a circle: their time to live runs out at {from}");
            Finding::new(Cause::PathLoop, "loop", Confidence::Likely, title)
                .because(fact, format!("the time to live of ordinary packets ran out at {from}"))
                .check(format!(
                    "traceroute -n {}",
                    facts
                        .failed()
                        .map_or_else(|| "1.1.1.1".to_owned(), |attempt| attempt.address.to_string())
                ))
        }
        (None, None) => return,
    };
    found.push(
        finding
            .explains(&REACH)
            .remedy("tell the provider of these routers: each holds the other for the way to go; this machine cannot mend it"),
    );
}
