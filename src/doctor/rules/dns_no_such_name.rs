//! There is no such name.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, Query, QueryOutcome};
use crate::doctor::fact::Fact;

/// There is no such name.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if facts.name_fails() != Some(true) || facts.asked().is_none() {
        return;
    }
    let own = facts.own_queries();
    let missing = |query: &&Query| query.outcome == QueryOutcome::NoSuchName;
    let is_missing = own.iter().any(&missing)
        && own.iter().all(|query| {
            missing(query) || query.outcome == QueryOutcome::NoData || !query.outcome.is_answer()
        });
    let others = facts.other_answers();
    let empty = |query: &&Query| matches!(query.outcome, QueryOutcome::NoSuchName | QueryOutcome::NoData);
    // A name without any address, wherever it is asked for, is as good as none.
    let has_none = own.iter().any(|query| query.outcome == QueryOutcome::NoData)
        && !others.is_empty()
        && others.iter().all(empty);
    if !(is_missing || has_none) || others.iter().any(|query| !query.addresses.is_empty()) {
        return;
    }
    let agree = !others.is_empty() && others.iter().all(|query| missing(query) || (has_none && empty(query)));
    let confidence = if agree { Confidence::Certain } else { Confidence::Likely };
    let name = facts.host();
    let what = if is_missing { "there is no such name" } else { "the name has no address" };
    let mut finding = Finding::new(
        Cause::DnsNoSuchName,
        if is_missing { "nxdomain" } else { "no-address" },
        confidence,
        format!("{what}: {name}"),
    )
    .because(Fact::Names, format!("the system's name servers say so of {name}"))
    .check(format!("dig {name}"))
    .explains(&[Symptom::Name])
    .remedy(format!("look for a typing error in '{name}'"))
    .remedy(
        "if it is right, its owner has to bring it back: whois tells who that is, and whether it has expired",
    );
    if agree {
        finding = finding.because(Fact::Names, "servers of the internet say the same");
    }
    found.push(finding);
}
