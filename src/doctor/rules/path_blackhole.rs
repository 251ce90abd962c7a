//! Packets vanish on the way.

use super::words::{REACH, hops};
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, is_on_link};
use crate::doctor::fact::Fact;
use crate::trace::Path;

/// What shows it.
enum Signs<'a> {
    /// Of so many hosts of the internet none answers, and answers along the path end at this hop.
    Internet { path: &'a Path, last: u8, hosts: usize },
    /// The target alone is dark.
    Target {
        attempt: &'a Attempt,
        path: &'a Path,
        /// The last hop that answers; 0 if none does.
        last: u8,
        /// Whether other hosts of the internet are reached.
        rest_works: bool,
        /// Whether echo requests were sent in vain, too.
        is_dead: bool,
    },
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(internet(facts).or_else(|| target(facts)).map(|signs| finding(&signs)));
}

fn internet<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    if facts.public_is_reached() != Some(false) || !facts.needs_public() {
        return None;
    }
    let path = facts.evidence.public_path.get()?;
    let is_there = facts.gateway().is_none_or(|gateway| gateway.is_found() == Some(true));
    let ends = path.reached().is_none() && path.loop_of().is_none();
    let last = path.farthest().filter(|_| is_there && ends)?;
    let anchors = facts.anchors();
    let mut connects = anchors.iter().flat_map(|anchor| &anchor.connects);
    let all_silent = connects.all(|(_, connect)| connect.outcome == ConnectOutcome::Silent);
    all_silent.then_some(Signs::Internet { path, last, hosts: anchors.len() })
}

fn target<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let attempt = facts.wholly_failed()?;
    let is_dark = attempt.connect.outcome == ConnectOutcome::Silent
        && facts.host_is_alive() == Some(false)
        && is_on_link(attempt) == Some(false);
    let path = facts.evidence.path.get().filter(|_| is_dark)?;
    if path.reached().is_some() || path.loop_of().is_some() {
        return None;
    }
    // Echo requests that nobody could send do not show that nobody answers them.
    let is_dead = facts.target_train().is_some_and(|train| train.received() == 0);
    let cannot_ask = facts.gateway().is_some_and(|gateway| gateway.pings.is_none());
    (is_dead || cannot_ask).then(|| Signs::Target {
        attempt,
        path,
        last: path.farthest().unwrap_or(0),
        rest_works: facts.public_is_reached() == Some(true),
        is_dead,
    })
}

fn finding(signs: &Signs<'_>) -> Finding {
    let who = |path: &Path, last| {
        let from = path.hop(last).and_then(|hop| hop.from);
        from.map_or_else(String::new, |from| format!(" ({from})"))
    };
    let ends = |path: &Path, last| {
        format!("answers come from as far as hop {last}, and from none beyond: {}", hops(path))
    };
    match signs {
        Signs::Internet { path, last, hosts } => {
            let who = who(path, *last);
            let title = format!("packets for the internet vanish after hop {last}{who}");
            Finding::new(Cause::PathBlackhole, "all", Confidence::Likely, title)
                .because(Fact::PublicPath, ends(path, *last))
                .check(format!("traceroute -n {}", path.to))
                .because(Fact::Public, format!("none of {hosts} hosts of the internet answers"))
                .explains(&REACH)
                .explains(&[Symptom::Loss])
                .remedy(format!(
                    "tell the provider that packets end after hop {last}{who}; this machine cannot mend it"
                ))
                .or(&[Cause::GwUpstreamDown, Cause::NatMissing])
        }
        Signs::Target { attempt, path, last, rest_works, is_dead } => {
            let (ip, who) = (attempt.address, who(path, *last));
            let is_likely = *rest_works && *last > 0 && *is_dead;
            let confidence = if is_likely { Confidence::Likely } else { Confidence::Possible };
            let title = format!("packets for {ip} vanish after hop {last}{who}");
            let finding = Finding::new(Cause::PathBlackhole, "target", confidence, title)
                .because(Fact::Path, ends(path, *last))
                .check(format!("traceroute -n {ip}"))
                .because(Fact::Control, "no port of it answers, and no echo request")
                .explains(&Symptom::TARGET)
                .remedy(format!(
                    "look whether {ip} is on at all; if it is, tell whoever runs hop {last}{who}"
                ))
                .or(&[Cause::FwDrop]);
            if *rest_works {
                finding.because(Fact::Public, "other hosts of the internet are reached")
            } else {
                finding
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::{attempt, connect, train};
    use crate::doctor::evidence::{Evidence, Item};
    use crate::trace::{Answer, Hop, Protocol};

    /// A path on which so many routers answer.
    fn path(answering: u8) -> Path {
        let hop = |ttl| Hop {
            ttl,
            answer: (ttl <= answering).then_some(Answer::TimeExceeded),
            from: (ttl <= answering).then(|| [10, 0, 0, ttl].into()),
            rtt_us: None,
        };
        Path {
            to: [203, 0, 113, 80].into(),
            protocol: Protocol::Tcp,
            port: 7,
            hops: (1..=8).map(hop).collect(),
        }
    }

    fn dark(change: impl FnOnce(&mut Evidence)) -> Option<Confidence> {
        let evidence = Evidence::healthy().with(|evidence| {
            evidence.target = Item::known(vec![attempt(ConnectOutcome::Silent)]);
            evidence.control = Item::known(Vec::new());
            evidence.small_train = Item::known(train(24, 0));
            evidence.path = Item::known(path(3));
            change(evidence);
        });
        target(&Facts::new(&evidence)).map(|signs| finding(&signs).confidence)
    }

    #[test]
    fn a_dark_target_beyond_routers_that_answer_is_likely() {
        assert_eq!(dark(|_| ()), Some(Confidence::Likely));
        assert_eq!(dark(|evidence| evidence.path = Item::known(path(0))), Some(Confidence::Possible));
    }

    #[test]
    fn a_host_that_shows_itself_is_no_hole() {
        assert_eq!(dark(|evidence| evidence.small_train = Item::known(train(24, 1))), None);
        assert_eq!(
            dark(|evidence| evidence.control = Item::known(vec![attempt(ConnectOutcome::Refused)])),
            None
        );
    }

    #[test]
    fn echoes_that_could_not_be_sent_show_nothing() {
        assert_eq!(dark(|evidence| evidence.small_train = Item::default()), None);
    }

    #[test]
    fn the_internet_is_dark_where_every_host_of_it_is_silent() {
        let all = |outcome| {
            let evidence = Evidence::healthy().with(|evidence| {
                evidence.target = Item::known(vec![attempt(ConnectOutcome::Silent)]);
                evidence.names.change(|names| names.others = Vec::new());
                evidence.beat = Item::default();
                evidence.public.change(|public| public[0].connects = vec![(443, connect(outcome))]);
                evidence.public_path = Item::known(path(2));
            });
            internet(&Facts::new(&evidence)).is_some()
        };
        assert!(all(ConnectOutcome::Silent) && !all(ConnectOutcome::Unreachable));
    }
}
