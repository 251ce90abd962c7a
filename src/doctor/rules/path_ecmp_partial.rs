//! Of several ways one is dead, and ports decide which is taken.

use super::words::REACH;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, QueryOutcome, RoundOutcome};
use crate::doctor::fact::Fact;

/// Of several ways one is dead, and ports decide which is taken.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(burst) = facts.evidence.burst.get() else { return };
    let by_port = burst.steered();
    let mixed = burst.scattered().filter(|_| {
        // Echo requests are of one flow, and so is a connection that stands: of neither is anything lost.
        let data_is_whole = facts.rounds().iter().all(|round| round.outcome == RoundOutcome::Whole);
        data_is_whole && facts.loss().is_none_or(|loss| loss.train.loss_percent() < 1.0)
    });
    let Some((always, never)) = by_port.or(mixed).or_else(|| by_flows(facts)) else { return };
    let Some(attempt) = facts.evidence.target.all().first() else { return };
    let confidence =
        if by_port.is_some() && always >= 3 && never >= 3 { Confidence::Certain } else { Confidence::Likely };
    let udp =
        facts.own_queries().iter().any(|query| query.tries > 1 || query.outcome == QueryOutcome::Silent);
    let mut finding = Finding::new(
        Cause::PathEcmpPartial,
        "ports",
        confidence,
        format!("one of several ways to {} is dead: some source ports always work, others never", attempt.address),
    )
    .because(
        Fact::Burst,
        if by_port.is_some() {
            format!("of {} connections at once, {never} stood and {always} did not; from the same ports once more, the same ones did", always + never)
        } else if mixed.is_none() {
            format!("of {} flows to the same hosts, {never} were answered at once and {always} never, while no echo request was lost", always + never)
        } else {
            format!("of {} connections at once, {never} stood and {always} did not, by turns; of what goes over one that stands, nothing is lost", always + never)
        },
    )
    .check(format!("for p in $(seq 40000 40015); do nc -vz -w 1 -p $p {} {}; done", attempt.address, attempt.port))
    .explains(&REACH)
    .explains(&[Symptom::Loss, Symptom::LargeLoss, Symptom::Service, Symptom::ServiceSlow, Symptom::Delay])
    .remedy("tell who balances the ways (ECMP, link aggregation): one member takes packets and passes none on");
    if udp {
        finding = finding.because(Fact::Names, "name servers had to be asked again, too");
    }
    found.push(finding);
}

/// Flows of one kind to the same hosts, of which some are answered at once and others never, however often they try: how
/// many never, and how many at once.
fn by_flows(facts: &Facts<'_>) -> Option<(usize, usize)> {
    // Echo requests to one host are of one flow: they come through, or none does.
    let calm = facts
        .evidence
        .beat
        .get()
        .is_some_and(|beat| beat.sent() >= 10 && (beat.loss_percent() < 5.0 || beat.received() == 0));
    let names = facts.names()?;
    let (mut dead, mut alive, mut hosts) = (0, 0, 0);
    for answer in names.own.iter().chain(&names.others) {
        let all: Vec<_> = answer.a.iter().chain(&answer.aaaa).collect();
        let at_once = all.iter().filter(|query| query.outcome.is_answer() && query.tries == 1).count();
        let never =
            all.iter().filter(|query| query.outcome == QueryOutcome::Silent && query.tries >= 3).count();
        // One that was answered at the second try is lost by chance.
        if at_once + never < all.len() {
            return None;
        }
        hosts += usize::from(at_once > 0 && never > 0);
        (dead, alive) = (dead + never, alive + at_once);
    }
    let is_split = (hosts >= 2 && dead >= 2) || (hosts >= 1 && dead >= 4);
    (calm && is_split && alive >= 2).then_some((dead, alive))
}
