//! The clock of this machine is wrong, as several servers agree.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, TlsOutcome};
use crate::doctor::fact::Fact;

/// Several servers agree that it is another time.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    /// Caches, time zones set wrongly at a server, and slow answers stay below.
    const FELT_S: i64 = 3_600;
    /// Servers whose clocks are right agree so far.
    const AGREE_S: i64 = 600;
    let mut clocks: Vec<(String, i64)> = Vec::new();
    for web in facts.evidence.web.all() {
        if let Some(ahead) = web.reply.as_ref().and_then(|reply| reply.clock_ahead_s) {
            clocks.push((web.host.clone(), ahead));
        }
    }
    for attempt in facts.attempts() {
        let http = attempt.exchange.as_ref().and_then(|exchange| exchange.http.as_ref());
        if let Some(ahead) = http.and_then(|http| http.clock_ahead_s) {
            clocks.push((facts.host(), ahead));
        }
    }
    let wrong: Vec<&(String, i64)> = clocks.iter().filter(|(_, ahead)| ahead.abs() > FELT_S).collect();
    let Some((_, ahead)) = wrong.first() else { return };
    let agreeing = wrong.iter().filter(|(_, other)| (other - ahead).abs() <= AGREE_S).count();
    let by_certificate = facts
        .tls()
        .is_some_and(|(_, tls)| matches!(tls.outcome, TlsOutcome::Expired | TlsOutcome::NotYetValid));
    if agreeing * 2 <= clocks.len() || (agreeing < 2 && !by_certificate) {
        return;
    }
    let confidence = if agreeing >= 2 { Confidence::Certain } else { Confidence::Likely };
    let way = if *ahead > 0 { "behind" } else { "ahead" };
    let title = format!("the clock of this machine is {} {way}", span(ahead.unsigned_abs()));
    let mut finding = Finding::new(Cause::HostClock, way_detail(*ahead), confidence, title)
        .explains(&[Symptom::Clock, Symptom::Service]);
    for (host, ahead) in wrong.iter().take(3) {
        let side = if *ahead > 0 { "ahead of" } else { "behind" };
        let said = format!("the clock of {host} is {} {side} this machine's", span(ahead.unsigned_abs()));
        finding = finding
            .because(Fact::Web, said)
            .check(format!("curl -sI http://{host}/ | grep -i ^date; date -u"));
    }
    found.push(
        finding
            .remedy("let the clock be set by the network: timedatectl set-ntp true (then: timedatectl status)")
            .remedy("if it goes wrong again at each start, the battery of the hardware clock may be empty: hwclock --show"),
    );
}

fn way_detail(ahead: i64) -> &'static str {
    if ahead > 0 { "behind" } else { "ahead" }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
