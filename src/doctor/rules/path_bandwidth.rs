//! Little goes through.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, time};
use crate::doctor::fact::Fact;

/// Below this rate, pages of today do not load.
pub(super) const NARROW: f64 = 256_000.0;

/// Little goes through.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let (Some(small), Some(large)) = (facts.evidence.small_train.get(), facts.evidence.large_train.get())
    else {
        return;
    };
    let Some(rate) = large.rate_bits_per_s() else { return };
    // By itself each packet comes quickly, and one behind the other they wait.
    let idle = small.min_us().unwrap_or(0);
    let slowest = large.sorted_us().last().copied().unwrap_or(0);
    let least = small.min_us().unwrap_or(u64::MAX);
    // A queue that others fill is slow from the first.
    if rate >= NARROW || large.received() < 6 || slowest < least + 300_000 || least > 100_000 {
        return;
    }
    let host = facts.asked().map_or_else(|| "the internet".to_owned(), |_| facts.host());
    found.push(
        Finding::new(
            Cause::PathBandwidth,
            "rate",
            Confidence::Likely,
            format!("the way to {host} is narrow: about {:.0} kbit/s", rate / 1e3),
        )
        .because(
            Fact::LargeTrain,
            format!("{} packets of {} bytes sent at once came back over {}", large.received(), large.packet_bytes, time(large.span_us)),
        )
        .because(Fact::SmallTrain, format!("a small one by itself takes {}", time(idle)))
        .check(format!("netdiag ping -c 5 {host}"))
        .explains(&[
            Symptom::Narrow,
            Symptom::ServiceSlow,
            Symptom::LargeLoss,
            Symptom::Loss,
            Symptom::Service,
            Symptom::Delay,
            Symptom::NameSlow,
        ])
        .remedy("look for a limit: a used-up data allowance, a guest network, a shaper of the router, somebody who loads the line"),
    );
}
