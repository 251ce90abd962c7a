//! The queue of connections that wait to be accepted is full.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts};
use crate::doctor::fact::Fact;

/// The queue of those who wait to be accepted is full: some came in, and then no more.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(attempt) =
        facts.wholly_failed().filter(|attempt| attempt.connect.outcome == ConnectOutcome::Silent)
    else {
        return;
    };
    // On this machine itself the kernel would say so; elsewhere only the shape does: the host is there, its other ports
    // answer, and the SYN comes as far as to it.
    let (Some(path), Some(control)) = (facts.evidence.path.get(), facts.evidence.control_path.get()) else {
        return;
    };
    let is_at_host = path.farthest().is_some() && control.reached() == path.farthest().map(|last| last + 1);
    let Some(alive) = facts.live_control().filter(|_| is_at_host) else { return };
    found.push(
        Finding::new(
            Cause::TcpBacklogFull,
            "or-filter",
            Confidence::Possible,
            format!(
                "the server behind port {} of {} may accept no more: its queue is full",
                attempt.port, attempt.address
            ),
        )
        .because(Fact::Path, "SYNs come as far as to the host, and are not answered there")
        .because(Fact::Control, format!("its port {} answers", alive.port))
        .explains(&[Symptom::Target4, Symptom::Target6])
        .remedy("on that host: ss -ltn shows the queue; a server that hangs must be started again")
        .or(&[Cause::FwDrop]),
    );
}
