//! A filter on this machine keeps packets from leaving, or from those they are for.

use super::commands::Commands;
use super::words::port;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, QueryOutcome};
use crate::doctor::fact::Fact;
use crate::trace::Answer;

/// This machine's own filter, outward or inward.
#[expect(clippy::too_many_lines, reason = "a list of signs, the surest first")]
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let commands = Commands::of(facts.evidence);
    let mend = |finding: Finding| {
        finding
            .remedy(format!("find the rule and change it: {}", commands.firewall()))
            .remedy("on a machine with firewalld or ufw: firewall-cmd --list-all, ufw status verbose")
    };
    let denied = |attempt: &&Attempt| attempt.connect.outcome == ConnectOutcome::Denied;
    if let Some(attempt) = facts.attempts().find(denied) {
        let said = match &attempt.connect.icmp {
            Some(icmp) => format!(
                "this machine itself answered, by ICMP type {} code {}, before any packet left",
                icmp.icmp_type, icmp.icmp_code
            ),
            None => {
                format!("connecting fails at once: {}", attempt.connect.error.clone().unwrap_or_default())
            }
        };
        let title = format!("a filter on this machine keeps it from {}", port(attempt));
        found.push(mend(
            Finding::new(Cause::FwLocal, "out-reject", Confidence::Certain, title)
                .because(Fact::Target, said)
                .check(format!("nc -vz {} {}", attempt.address, attempt.port))
                .explains(&Symptom::TARGET),
        ));
        return;
    }
    if facts.all_own(|outcome| outcome == QueryOutcome::Denied) {
        let server =
            facts.names().and_then(|names| names.own.first()).map(|answer| answer.server.to_string());
        let server = server.unwrap_or_default();
        found.push(mend(
            Finding::new(
                Cause::FwLocal,
                "out-dns",
                Confidence::Certain,
                format!("a filter on this machine keeps it from asking its name server {server}"),
            )
            .because(Fact::Names, "a question to port 53 fails at once: operation not permitted")
            .check(format!("dig @{server} {}", facts.host()))
            .explains(&[Symptom::Name, Symptom::NameSlow, Symptom::Datagrams]),
        ));
    }
    let Some(attempt) = facts.wholly_failed() else {
        everything_inward(facts, found, mend);
        return;
    };
    let (path, control) = (facts.evidence.path.get(), facts.evidence.control_path.get());
    if let (Some(path), Some(control)) = (path, control) {
        let first = path.hop(1).and_then(|hop| hop.answer);
        let other = control.hop(1).and_then(|hop| hop.answer);
        if first == Some(Answer::Reset) && other == Some(Answer::TimeExceeded) {
            found.push(mend(
                Finding::new(
                    Cause::FwLocal,
                    "out-reset",
                    Confidence::Certain,
                    format!("a filter on this machine resets connections to {}", port(attempt)),
                )
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
                .explains(&Symptom::TARGET),
            ));
            return;
        }
        let dropped = facts.counter("Ip.OutRequests").saturating_sub(facts.counter("Ip.OutTransmits"));
        let dropped6 = facts.counter("Ip6.OutRequests").saturating_sub(facts.counter("Ip6.OutTransmits"));
        let (dropped, counts) = if attempt.address.is_ipv6() {
            (dropped6, facts.counter("Ip6.OutTransmits") > 0)
        } else {
            (dropped, facts.counter("Ip.OutTransmits") > 0)
        };
        // Each hop's SYN is one that should have left.
        let should = u64::try_from(path.hops.len()).unwrap_or(0) / 2;
        let never_left = counts && dropped >= should.max(3);
        if first.is_none()
            && other == Some(Answer::TimeExceeded)
            && path.farthest().is_none()
            && (never_left || !counts)
        {
            let confidence = if never_left { Confidence::Certain } else { Confidence::Likely };
            let mut finding = Finding::new(
                Cause::FwLocal,
                "out-drop",
                confidence,
                format!("a filter on this machine drops what is sent to {}", port(attempt)),
            )
            .because(Fact::Path, format!("a SYN to port {} that may go one hop brings no answer", path.port))
            .because(
                Fact::ControlPath,
                format!("one to port {} does: the first router says that its time ran out", control.port),
            )
            .explains(&Symptom::TARGET);
            if never_left {
                finding = finding
                    .because(
                        Fact::Counters,
                        format!(
                            "{dropped} packets were made and never left (Ip.OutRequests less Ip.OutTransmits)"
                        ),
                    )
                    .check("nstat -az IpOutRequests IpOutTransmits");
            }
            found.push(mend(finding));
            return;
        }
    }
    inward(facts, attempt, found, mend);
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

/// Nothing at all that comes in is handed on, not even names can be looked up.
fn everything_inward(facts: &Facts<'_>, found: &mut Vec<Finding>, mend: impl Fn(Finding) -> Finding) {
    let missing = lost_inward(facts, "Ip");
    let is_deaf = facts.public_is_reached() == Some(false) && facts.attempts().next().is_none();
    if !is_deaf || missing < 6 || facts.counter("Ip.InDelivers") > missing {
        return;
    }
    found.push(mend(
        Finding::new(
            Cause::FwLocal,
            "in-all",
            Confidence::Likely,
            "a filter on this machine drops what comes in: answers arrive, and nobody gets them".to_owned(),
        )
        .because(Fact::Counters, format!("{missing} packets came in and were not handed on (Ip.InReceives less Ip.InDelivers), and nothing else accounts for them"))
        .check("nstat -az IpInReceives IpInDelivers")
        .explains(&Symptom::NOTHING_PASSES),
    ));
}

/// What comes in does not reach those it is for.
fn inward(facts: &Facts<'_>, attempt: &Attempt, found: &mut Vec<Finding>, mend: impl Fn(Finding) -> Finding) {
    let family = if attempt.address.is_ipv6() { "Ip6" } else { "Ip" };
    let missing = lost_inward(facts, family);
    let is_silent = attempt.connect.outcome == ConnectOutcome::Silent;
    if !is_silent || missing < 4 || facts.counter("TcpExt.IPReversePathFilter") > 0 {
        return;
    }
    let title = format!("a filter on this machine drops what {} answers", attempt.address);
    found.push(mend(
        Finding::new(Cause::FwLocal, "in", Confidence::Likely, title)
            .because(Fact::Counters, format!("{missing} packets came in and were not handed on ({family}.InReceives less {family}.InDelivers), and nothing else accounts for them"))
            .check("nstat -az IpInReceives IpInDelivers")
            .because(Fact::Target, format!("nothing came back from {}", port(attempt)))
            .explains(&Symptom::TARGET)
            .explains(&[Symptom::Public, Symptom::Datagrams]),
    ));
}
