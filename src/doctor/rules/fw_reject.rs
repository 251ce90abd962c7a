//! A filter on the way, or at the target, rejects connections.

use super::words::port;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, Icmp};
use crate::doctor::fact::Fact;
use crate::trace::{Answer, Path};
use crate::wire::icmp;

/// What shows it.
enum Signs<'a> {
    /// An ICMP error ended the connection.
    Icmp { attempt: &'a Attempt, icmp: &'a Icmp, alive: Option<&'a Attempt>, answers_echo: bool },
    /// A reset came from this hop, which is nearer than the host.
    Reset { attempt: &'a Attempt, control: &'a Path, near: u8, far: u8 },
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).map(|signs| finding(&signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let attempt = facts.wholly_failed()?;
    match attempt.connect.icmp.as_ref().filter(|icmp| !icmp.is_own) {
        Some(icmp) => by_icmp(facts, attempt, icmp),
        None => by_reset(facts, attempt),
    }
}

fn by_icmp<'a>(facts: &Facts<'a>, attempt: &'a Attempt, icmp: &'a Icmp) -> Option<Signs<'a>> {
    let alive = facts.live_control();
    let answers_echo = facts.host_is_alive() == Some(true);
    let error = icmp.meaning();
    // What no filter says may be a router's that has no way there, unless the host is seen to be there.
    let is_plain = !error.is_prohibition() && error != icmp::Error::PortUnreachable;
    let is_routers = is_plain && alive.is_none() && !answers_echo;
    // A time that ran out is a loop's, whoever says so.
    (error.is_unreachable() && !is_routers).then_some(Signs::Icmp { attempt, icmp, alive, answers_echo })
}

fn by_reset<'a>(facts: &Facts<'a>, attempt: &'a Attempt) -> Option<Signs<'a>> {
    let (path, control) = (facts.evidence.path.get()?, facts.evidence.control_path.get()?);
    let (near, far) = (path.reached()?, control.reached()?);
    let is_reset = path.hop(near).is_some_and(|hop| hop.answer == Some(Answer::Reset));
    let is_nearer = attempt.connect.outcome == ConnectOutcome::Refused && 1 < near && near < far && is_reset;
    is_nearer.then_some(Signs::Reset { attempt, control, near, far })
}

fn finding(signs: &Signs<'_>) -> Finding {
    match signs {
        Signs::Icmp { attempt, icmp, alive, answers_echo } => {
            let who = icmp.from.map_or_else(|| "a router".to_owned(), |from| from.to_string());
            let place = if icmp.from == Some(attempt.address) {
                "the target's own filter".to_owned()
            } else {
                format!("a filter at {who}")
            };
            let (icmp_type, code, meaning) = (icmp.icmp_type, icmp.icmp_code, icmp.meaning().meaning());
            let title = format!("{place} rejects {}", port(attempt));
            let finding = Finding::new(Cause::FwReject, "icmp", Confidence::Certain, title)
                .because(
                    Fact::Target,
                    format!("{who} answers the SYN by ICMP type {icmp_type} code {code} ({meaning})"),
                )
                .check(format!("nc -vz {} {}", attempt.address, attempt.port))
                .explains(&Symptom::TARGET)
                .remedy(format!("ask whoever runs {who} to let port {} pass", attempt.port));
            match alive {
                Some(alive) => {
                    finding.because(Fact::Control, format!("port {} of the same host answers", alive.port))
                }
                None if *answers_echo => finding.because(Fact::SmallTrain, "the host answers echo requests"),
                None => finding,
            }
        }
        Signs::Reset { attempt, control, near, far } => {
            let from = control.hop(*near).and_then(|hop| hop.from);
            let who = from.map_or_else(String::new, |from| format!(" ({from})"));
            let before = near - 1;
            let title = format!(
                "a filter between hop {before} and hop {near}{who} resets connections to {}",
                port(attempt)
            );
            Finding::new(Cause::FwReject, "reset", Confidence::Certain, title)
                .because(Fact::Path, format!("a SYN that may go {near} hops is answered by a reset"))
                .because(
                    Fact::ControlPath,
                    format!("the host itself is {far} hops away, as its port {} shows", control.port),
                )
                .explains(&Symptom::TARGET)
                .remedy(format!(
                    "ask whoever runs hop {before}, or hop {near}{who}, to let port {} pass",
                    attempt.port
                ))
                .or(&[Cause::TcpRefused])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::{attempt, train};
    use crate::doctor::evidence::{Evidence, Item};

    /// A target whose connections end with this ICMP error, and that answers so many echo requests.
    fn rejected(icmp_type: u8, icmp_code: u8, answered: usize) -> bool {
        let evidence = Evidence::healthy().with(|evidence| {
            let mut failed = attempt(ConnectOutcome::Unreachable);
            failed.connect.icmp =
                Some(Icmp { from: Some([10, 0, 0, 1].into()), is_own: false, icmp_type, icmp_code });
            evidence.target = Item::known(vec![failed]);
            evidence.small_train = Item::known(train(24, answered));
        });
        signs(&Facts::new(&evidence)).is_some()
    }

    #[test]
    fn a_prohibition_and_a_closed_port_are_a_filters() {
        for code in [3, 9, 10, 13] {
            assert!(rejected(3, code, 0), "{code}");
        }
    }

    #[test]
    fn a_host_that_is_not_reached_is_a_filters_only_where_it_answers_otherwise() {
        assert!(!rejected(3, 1, 0) && rejected(3, 1, 1));
    }

    #[test]
    fn a_time_to_live_that_ran_out_is_none() {
        assert!(!rejected(11, 0, 1));
    }
}
