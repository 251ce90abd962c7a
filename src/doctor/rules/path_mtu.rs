//! Large packets vanish, and nobody says that they are too large.

use super::commands::quoted;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, RoundOutcome, Service, SizeProbe, TlsOutcome, is_on_link, percent};
use crate::doctor::fact::Fact;

/// Large packets vanish, and nobody says that they are too large.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let stalls = facts.bad_round().filter(|(_, round, is_large)| {
        *is_large
            && matches!(round.outcome, RoundOutcome::Silent | RoundOutcome::Stalled | RoundOutcome::Reset)
    });
    let tls = facts.tls().filter(|(_, tls)| {
        matches!(tls.outcome, TlsOutcome::Silent) && tls.unacked.is_some_and(|unacked| unacked > 0)
    });
    let is_web = matches!(facts.service(), Service::Http | Service::Https);
    let web = facts.bad_round().filter(|(_, round, is_large)| {
        let is_cut = matches!(round.outcome, RoundOutcome::Stalled | RoundOutcome::Silent);
        !is_large && is_web && is_cut && round.received_bytes < 4_096
    });
    let Some(attempt) = stalls.or(web).map(|(attempt, _, _)| attempt).or(tls.map(|(attempt, _)| attempt))
    else {
        return;
    };
    let sizes = facts.evidence.sizes.all();
    let passes = sizes.iter().filter(|size| size.received > 0).map(|size| size.packet_bytes).max();
    let vanishes =
        |size: &&SizeProbe| size.received == 0 && size.sent > 0 && size.too_big.is_none() && !size.is_local;
    let fails =
        sizes.iter().filter(vanishes).map(|size| size.packet_bytes).filter(|size| Some(*size) > passes).min();
    // A line that loses large packets by chance loses those of one size as well.
    let is_steady = facts.evidence.large_train.get().is_some_and(|train| {
        train.received() == 0 || percent(train.sent().saturating_sub(train.received()), train.sent()) < 20.0
    });
    let (confidence, said) = match (passes, fails) {
        (Some(passes), Some(fails)) if is_steady => (
            if stalls.is_some() { Confidence::Certain } else { Confidence::Likely },
            format!(
                "packets of {passes} bytes pass, those of {fails} vanish, and nobody says that they are too large"
            ),
        ),
        // Echo requests do not pass at all, and TCP shows what it shows.
        (None, _) if stalls.is_some_and(|(_, round, _)| round.unacked.is_some_and(|unacked| unacked > 1)) => {
            (
                Confidence::Likely,
                "a small round comes back, and of a large one not even the first segment is acknowledged"
                    .to_owned(),
            )
        }
        _ => return,
    };
    let ip = attempt.address;
    let place = if is_on_link(attempt) == Some(true) {
        "between this machine and its neighbour"
    } else {
        "on the way"
    };
    let largest = passes.unwrap_or(1_280);
    let interface = attempt
        .route
        .as_ref()
        .and_then(|route| route.interface.clone())
        .unwrap_or_else(|| "INTERFACE".to_owned());
    found.push(
        Finding::new(
            Cause::PathMtu,
            if is_on_link(attempt) == Some(true) { "link" } else { "black-hole" },
            confidence,
            format!("large packets to {ip} vanish {place}: its MTU is smaller than this link's, and nobody says so"),
        )
        .because(Fact::Sizes, said)
        .check(format!("ping -c 2 -M do -s {} {ip}; ping -c 2 -M do -s {} {ip}", largest.saturating_sub(28), fails.unwrap_or(1_500).saturating_sub(28)))
        .because(Fact::Target, "a connection stands and small data comes back; large data does not")
        .explains(&[Symptom::Service, Symptom::ServiceSlow, Symptom::LargeLoss])
        .remedy(format!("send no larger ones: ip link set {} mtu {largest}", quoted(&interface)))
        .remedy("or let TCP find out by itself: sysctl -w net.ipv4.tcp_mtu_probing=1")
        .remedy("who filters ICMP 'fragmentation needed' on the way breaks this (RFC 2923): tell them"),
    );
}
