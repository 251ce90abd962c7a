//! A filter on this machine keeps packets from leaving, or from those they are for.

use super::commands::Commands;
use super::words::port;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, QueryOutcome};
use crate::doctor::fact::Fact;
use crate::trace::{Answer, Path};

/// At least so many packets have to be missing before the counters count: others send meanwhile, too.
const MISSING_OUT: u64 = 3;
/// The same of packets for one host that came in and were not handed on.
const MISSING_IN: u64 = 4;
/// The same where nothing at all gets through.
const MISSING_ALL: u64 = 6;

/// What shows it.
enum Signs<'a> {
    /// A connection is refused before a packet leaves.
    Denied(&'a Attempt),
    /// Questions to the name server are refused so.
    DeniedNames(String),
    /// A SYN that cannot pass the first router is answered by a reset, and one to another port is not.
    Reset { attempt: &'a Attempt, path: &'a Path, control: &'a Path },
    /// A SYN brings no answer from the first router, and one to another port does. So many packets were made and never left,
    /// if that is known.
    Dropped { attempt: &'a Attempt, path: &'a Path, control: &'a Path, missing: Option<u64> },
    /// So many packets of the target's family came in and were not handed on.
    Inward { attempt: &'a Attempt, family: &'static str, missing: u64 },
    /// So many packets came in and were not handed on, and nothing at all is heard.
    Deaf(u64),
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    for signs in signs(facts) {
        found.push(
            finding(facts, &signs)
                .remedy(format!("find the rule and change it: {}", commands.firewall()))
                .remedy("on a machine with firewalld or ufw: firewall-cmd --list-all, ufw status verbose"),
        );
    }
}

fn signs<'a>(facts: &Facts<'a>) -> Vec<Signs<'a>> {
    let is_denied = |attempt: &&Attempt| attempt.connect.outcome == ConnectOutcome::Denied;
    if let Some(attempt) = facts.attempts().find(is_denied) {
        return vec![Signs::Denied(attempt)];
    }
    let mut all = Vec::new();
    if facts.all_own(|outcome| outcome == QueryOutcome::Denied) {
        let server =
            facts.names().and_then(|names| names.own.first()).map(|answer| answer.server.to_string());
        all.push(Signs::DeniedNames(server.unwrap_or_default()));
    }
    all.extend(match facts.wholly_failed() {
        Some(attempt) => outward(facts, attempt).or_else(|| inward(facts, attempt)),
        None => deaf(facts),
    });
    all
}

fn outward<'a>(facts: &Facts<'a>, attempt: &'a Attempt) -> Option<Signs<'a>> {
    let (path, control) = (facts.evidence.path.get()?, facts.evidence.control_path.get()?);
    let first = |path: &Path| path.hop(1).and_then(|hop| hop.answer);
    if first(control) != Some(Answer::TimeExceeded) {
        return None;
    }
    if first(path) == Some(Answer::Reset) {
        return Some(Signs::Reset { attempt, path, control });
    }
    let family = if attempt.address.is_ipv6() { "Ip6" } else { "Ip" };
    let counter = |name: &str| facts.counter(&format!("{family}.{name}"));
    let is_counted = counter("OutTransmits") > 0;
    let missing = counter("OutRequests").saturating_sub(counter("OutTransmits"));
    // Each hop's SYN is one that should have left.
    let should = u64::try_from(path.hops.len()).unwrap_or(0) / 2;
    let never_left = is_counted && missing >= should.max(MISSING_OUT);
    let is_dark = first(path).is_none() && path.farthest().is_none();
    (is_dark && (never_left || !is_counted)).then(|| Signs::Dropped {
        attempt,
        path,
        control,
        missing: never_left.then_some(missing),
    })
}

fn inward<'a>(facts: &Facts<'a>, attempt: &'a Attempt) -> Option<Signs<'a>> {
    let family = if attempt.address.is_ipv6() { "Ip6" } else { "Ip" };
    let missing = lost_inward(facts, family);
    let is_silent = attempt.connect.outcome == ConnectOutcome::Silent;
    let is_it = is_silent && missing >= MISSING_IN && facts.counter("TcpExt.IPReversePathFilter") == 0;
    is_it.then_some(Signs::Inward { attempt, family, missing })
}

/// Nothing at all that comes in is handed on, not even names can be looked up.
fn deaf<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    let missing = lost_inward(facts, "Ip");
    let is_deaf = facts.public_is_reached() == Some(false) && facts.attempts().next().is_none();
    let is_it = is_deaf && missing >= MISSING_ALL && facts.counter("Ip.InDelivers") <= missing;
    is_it.then_some(Signs::Deaf(missing))
}

/// The packets of a family that came in and were not handed on, and that nothing else accounts for.
fn lost_inward(facts: &Facts<'_>, family: &str) -> u64 {
    let counter = |name: &str| facts.counter(&format!("{family}.{name}"));
    let explained = counter("InAddrErrors")
        + counter("InHdrErrors")
        + counter("InDiscards")
        + counter("InUnknownProtos")
        + counter("ReasmReqds")
        + counter("ForwDatagrams")
        + facts.counter("TcpExt.IPReversePathFilter");
    counter("InReceives").saturating_sub(counter("InDelivers")).saturating_sub(explained)
}

fn finding(facts: &Facts<'_>, signs: &Signs<'_>) -> Finding {
    match signs {
        Signs::Denied(attempt) => denied(attempt),
        Signs::DeniedNames(server) => {
            let title = format!("a filter on this machine keeps it from asking its name server {server}");
            Finding::new(Cause::FwLocal, "out-dns", Confidence::Certain, title)
                .because(Fact::Names, "a question to port 53 fails at once: operation not permitted")
                .check(format!("dig @{server} {}", facts.host()))
                .explains(&[Symptom::Name, Symptom::NameSlow, Symptom::Datagrams])
        }
        Signs::Reset { attempt, path, control } => {
            let title = format!("a filter on this machine resets connections to {}", port(attempt));
            Finding::new(Cause::FwLocal, "out-reset", Confidence::Certain, title)
                .because(
                    Fact::Path,
                    format!(
                        "a SYN to port {} that may not even pass the first router is answered by a reset",
                        path.port
                    ),
                )
                .because(
                    Fact::ControlPath,
                    format!("one to port {} is not: the router says that its time ran out", control.port),
                )
                .explains(&Symptom::TARGET)
        }
        Signs::Dropped { attempt, path, control, missing } => {
            let confidence = if missing.is_some() { Confidence::Certain } else { Confidence::Likely };
            let title = format!("a filter on this machine drops what is sent to {}", port(attempt));
            let finding = Finding::new(Cause::FwLocal, "out-drop", confidence, title)
                .because(
                    Fact::Path,
                    format!("a SYN to port {} that may go one hop brings no answer", path.port),
                )
                .because(
                    Fact::ControlPath,
                    format!("one to port {} does: the first router says that its time ran out", control.port),
                )
                .explains(&Symptom::TARGET);
            let Some(missing) = missing else { return finding };
            let said =
                format!("{missing} packets were made and never left (Ip.OutRequests less Ip.OutTransmits)");
            finding.because(Fact::Counters, said).check("nstat -az IpOutRequests IpOutTransmits")
        }
        Signs::Inward { attempt, family, missing } => {
            let title = format!("a filter on this machine drops what {} answers", attempt.address);
            Finding::new(Cause::FwLocal, "in", Confidence::Likely, title)
                .because(Fact::Counters, format!("{missing} packets came in and were not handed on ({family}.InReceives less {family}.InDelivers), and nothing else accounts for them"))
                .check("nstat -az IpInReceives IpInDelivers")
                .because(Fact::Target, format!("nothing came back from {}", port(attempt)))
                .explains(&Symptom::TARGET)
                .explains(&[Symptom::Public, Symptom::Datagrams])
        }
        Signs::Deaf(missing) => {
            let title = "a filter on this machine drops what comes in: answers arrive, and nobody gets them";
            Finding::new(Cause::FwLocal, "in-all", Confidence::Likely, title.to_owned())
                .because(Fact::Counters, format!("{missing} packets came in and were not handed on (Ip.InReceives less Ip.InDelivers), and nothing else accounts for them"))
                .check("nstat -az IpInReceives IpInDelivers")
                .explains(&Symptom::NOTHING_PASSES)
        }
    }
}

fn denied(attempt: &Attempt) -> Finding {
    let said = match &attempt.connect.icmp {
        Some(icmp) => format!(
            "this machine itself answered, by ICMP type {} code {}, before any packet left",
            icmp.icmp_type, icmp.icmp_code
        ),
        None => format!("connecting fails at once: {}", attempt.connect.error.as_deref().unwrap_or_default()),
    };
    let title = format!("a filter on this machine keeps it from {}", port(attempt));
    Finding::new(Cause::FwLocal, "out-reject", Confidence::Certain, title)
        .because(Fact::Target, said)
        .check(format!("nc -vz {} {}", attempt.address, attempt.port))
        .explains(&Symptom::TARGET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::{attempt, connect};
    use crate::doctor::evidence::{Evidence, Item};

    fn told(change: impl FnOnce(&mut Evidence)) -> Vec<(&'static str, Confidence)> {
        super::super::told(findings, change)
    }

    fn fails(evidence: &mut Evidence, outcome: ConnectOutcome) {
        evidence.target = Item::known(vec![attempt(outcome)]);
    }

    fn counts(evidence: &mut Evidence, counters: &[(&str, u64)]) {
        evidence.counters.change(|known| {
            known.extend(counters.iter().map(|(name, count)| ((*name).to_owned(), *count)));
        });
    }

    #[test]
    fn what_is_refused_before_it_leaves_is_certain() {
        let told = told(|evidence| fails(evidence, ConnectOutcome::Denied));
        assert_eq!(told, [("out-reject", Confidence::Certain)]);
    }

    #[test]
    fn packets_that_came_in_and_were_not_handed_on_count_from_the_threshold_on() {
        let missing = |missing| {
            told(|evidence| {
                fails(evidence, ConnectOutcome::Silent);
                counts(evidence, &[("Ip.InReceives", 100 + missing), ("Ip.InDelivers", 100)]);
            })
        };
        assert_eq!(missing(MISSING_IN - 1), []);
        assert_eq!(missing(MISSING_IN), [("in", Confidence::Likely)]);
    }

    #[test]
    fn what_something_else_accounts_for_is_not_missing() {
        let told = told(|evidence| {
            fails(evidence, ConnectOutcome::Silent);
            counts(evidence, &[("Ip.InReceives", 110), ("Ip.InDelivers", 100), ("Ip.InAddrErrors", 7)]);
        });
        assert_eq!(told, []);
    }

    #[test]
    fn a_deaf_machine_is_one_from_the_threshold_on() {
        let deaf = |missing| {
            told(|evidence| {
                evidence.target = Item::default();
                evidence.names = Item::default();
                evidence.beat = Item::default();
                let silent = connect(ConnectOutcome::Silent);
                evidence.public.change(|public| public[0].connects = vec![(443, silent)]);
                counts(evidence, &[("Ip.InReceives", 2 + missing), ("Ip.InDelivers", 2)]);
            })
        };
        assert_eq!(deaf(MISSING_ALL - 1), []);
        assert_eq!(deaf(MISSING_ALL), [("in-all", Confidence::Likely)]);
    }

    #[test]
    fn a_target_that_answers_is_not_filtered_whatever_is_missing() {
        let told = told(|evidence| counts(evidence, &[("Ip.InReceives", 900), ("Ip.InDelivers", 100)]));
        assert_eq!(told, []);
    }
}
