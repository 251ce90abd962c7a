//! Packets go round in a circle.

use std::net::IpAddr;

use super::words::{REACH, hops};
use super::{Cause, Confidence, Finding};
use crate::doctor::evidence::{Facts, Icmp};
use crate::doctor::fact::Fact;
use crate::trace::Path;

/// What shows it.
enum Signs<'a> {
    /// The same routers answer again and again on the path of this fact; and other packets may have died there, too.
    Round { fact: Fact, path: &'a Path, routers: Vec<IpAddr>, exceeded: Option<Icmp> },
    /// The time to live of ordinary packets ran out, as this fact heard.
    Exceeded { fact: Fact, icmp: Icmp, target: Option<IpAddr> },
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).map(|signs| finding(&signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let evidence = facts.evidence;
    let paths = [
        (Fact::Path, &evidence.path),
        (Fact::ControlPath, &evidence.control_path),
        (Fact::PublicPath, &evidence.public_path),
    ];
    // Not of a packet that was to go only so far: its sender let it go as far as it would.
    let exceeded = facts.icmp_heard().into_iter().find(|icmp| icmp.meaning().is_exceeded_in_transit());
    let round = paths.into_iter().find_map(|(fact, path)| Some((fact, path.get()?, path.get()?.loop_of()?)));
    if let Some((fact, path, routers)) = round {
        return Some(Signs::Round { fact, path, routers, exceeded });
    }
    let icmp = exceeded?;
    let target = facts.failed().map(|attempt| attempt.address);
    Some(Signs::Exceeded { fact: heard_by(facts, &icmp), icmp, target })
}

/// Which fact heard of an error first, in the order a person reads them.
fn heard_by(facts: &Facts<'_>, icmp: &Icmp) -> Fact {
    let evidence = facts.evidence;
    let is_it = |heard: &Option<Icmp>| heard.as_ref() == Some(icmp);
    let by_train = |train: Option<&crate::trace::Train>| {
        train.is_some_and(|train| train.errors.iter().any(|error| error.from == icmp.from))
    };
    let mut anchors = evidence.public.all().iter().flat_map(|anchor| &anchor.connects);
    let heard = [
        (Fact::Target, evidence.target.all().iter().any(|attempt| is_it(&attempt.connect.icmp))),
        (Fact::Public, anchors.any(|(_, connect)| is_it(&connect.icmp))),
        (Fact::Beat, by_train(evidence.beat.get())),
        (Fact::SmallTrain, by_train(evidence.small_train.get())),
        (Fact::Control, evidence.control.all().iter().any(|attempt| is_it(&attempt.connect.icmp))),
        (Fact::Web, evidence.web.all().iter().any(|web| is_it(&web.connect.icmp))),
    ];
    heard.into_iter().find(|(_, is_heard)| *is_heard).map_or(Fact::Names, |(fact, _)| fact)
}

fn finding(signs: &Signs<'_>) -> Finding {
    let finding = match signs {
        Signs::Round { fact, path, routers, exceeded } => {
            let who = routers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            let title = format!("packets for {} go round in a circle between {who}", path.to);
            let finding = Finding::new(Cause::PathLoop, "loop", Confidence::Certain, title)
                .because(*fact, format!("the same routers answer again and again: {}", hops(path)))
                .check(format!("traceroute -n {}", path.to));
            match exceeded {
                None => finding,
                Some(icmp) => {
                    let place = icmp.from.map_or_else(String::new, |from| format!(" at {from}"));
                    let said = format!("the time to live of other packets ran out on the way, too{place}");
                    finding.because(*fact, said)
                }
            }
        }
        Signs::Exceeded { fact, icmp, target } => {
            let from = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
            let shown = target.map_or_else(|| "the internet".to_owned(), |ip| ip.to_string());
            let to = target.map_or_else(|| "1.1.1.1".to_owned(), |ip| ip.to_string());
            let title =
                format!("packets for {shown} go round in a circle: their time to live runs out at {from}");
            Finding::new(Cause::PathLoop, "loop", Confidence::Likely, title)
                .because(*fact, format!("the time to live of ordinary packets ran out at {from}"))
                .check(format!("traceroute -n {to}"))
        }
    };
    finding.explains(&REACH).remedy(
        "tell the provider of these routers: each holds the other for the way to go; this machine cannot mend it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::attempt;
    use crate::doctor::evidence::{ConnectOutcome, Evidence, Item};
    use crate::trace::{Answer, Hop, Protocol};

    fn path(routers: &[u8]) -> Path {
        let hop = |(place, router): (usize, &u8)| Hop {
            ttl: u8::try_from(place + 1).expect("a few"),
            answer: Some(Answer::TimeExceeded),
            from: Some([10, 0, 0, *router].into()),
            rtt_us: Some(1_000),
        };
        let hops = routers.iter().enumerate().map(hop).collect();
        Path { to: [203, 0, 113, 80].into(), protocol: Protocol::Tcp, port: 7, hops }
    }

    fn told(change: impl FnOnce(&mut Evidence)) -> Option<(Confidence, Fact)> {
        let evidence = Evidence::healthy().with(change);
        let facts = Facts::new(&evidence);
        signs(&facts).map(|signs| match &signs {
            Signs::Round { fact, .. } | Signs::Exceeded { fact, .. } => (finding(&signs).confidence, *fact),
        })
    }

    #[test]
    fn routers_that_answer_again_and_again_are_certain() {
        assert_eq!(told(|evidence| evidence.path = Item::known(path(&[1, 2, 3, 4]))), None);
        // Twice may be a router that forwards without counting.
        assert_eq!(told(|evidence| evidence.path = Item::known(path(&[1, 2, 1]))), None);
        let round = told(|evidence| evidence.public_path = Item::known(path(&[1, 2, 1, 2, 1])));
        assert_eq!(round, Some((Confidence::Certain, Fact::PublicPath)));
    }

    #[test]
    fn a_time_to_live_that_ran_out_is_likely_and_heard_by_the_connection_that_met_it() {
        let of = |icmp_type, icmp_code| {
            told(|evidence| {
                let mut failed = attempt(ConnectOutcome::Unreachable);
                let from = Some([10, 0, 0, 1].into());
                failed.connect.icmp = Some(Icmp { from, is_own: false, icmp_type, icmp_code });
                evidence.target = Item::known(vec![failed]);
            })
        };
        assert_eq!(of(11, 0), Some((Confidence::Likely, Fact::Target)));
        // A fragment that was missed, and a host that is not there, are no circles.
        assert_eq!((of(11, 1), of(3, 1)), (None, None));
    }
}
