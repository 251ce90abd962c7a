//! A rule of policy routing refuses everything, before any route is looked up.

use super::commands::Commands;
use super::{Cause, Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{Attempt, ConnectOutcome, Facts, PolicyRule, RuleAction};
use crate::doctor::fact::Fact;

/// The table that routes are set in unless another is named (rtnetlink(7): RT_TABLE_MAIN).
const MAIN: u32 = 254;

/// What shows it.
struct Signs<'a> {
    /// The rule that refuses.
    rule: &'a PolicyRule,
    /// What it does with a packet, as ip-rule(8) writes it.
    refusal: &'static str,
    /// The attempt that it refused; `None` if nothing was tried, as the way out itself is refused.
    attempt: Option<&'a Attempt>,
    commands: Commands,
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(
        [false, true].into_iter().filter_map(|is_v6| signs(facts, is_v6)).map(|signs| finding(&signs)),
    );
}

fn signs<'a>(facts: &Facts<'a>, is_v6: bool) -> Option<Signs<'a>> {
    let rules = || facts.evidence.rules.all().iter().filter(|rule| rule.is_v6 == is_v6);
    let (rule, refusal) =
        rules().filter(|rule| rule.is_for_all).find_map(|rule| Some((rule, rule.action.refusal()?)))?;
    // Behind the rule that looks into the main table it refuses only what no route takes.
    let main = rules().find(|rule| rule.is_for_all && rule.action == RuleAction::Table(MAIN));
    if main.is_some_and(|main| main.priority < rule.priority) || facts.is_local() {
        return None;
    }
    let is_refused = |attempt: &&Attempt| {
        attempt.address.is_ipv6() == is_v6
            && matches!(attempt.connect.outcome, ConnectOutcome::NoRoute | ConnectOutcome::RouteRefuses)
    };
    let attempt = facts.attempts().find(is_refused);
    if attempt.is_some_and(|attempt| facts.target_fails(attempt.address.is_ipv6()) == Some(true)) {
        return Some(Signs { rule, refusal, attempt, commands: Commands::of(facts.evidence) });
    }
    // A family that the target does not have is none to miss.
    let out = facts.evidence.out.get().map(|ways| if is_v6 { &ways.v6 } else { &ways.v4 })?;
    let is_shut = out.as_ref().is_none_or(|route| route.kind.is_none() || route.is_refusal());
    let is_missed = facts.attempts().next().is_none() && !is_v6;
    (is_shut && is_missed).then(|| Signs {
        rule,
        refusal,
        attempt: None,
        commands: Commands::of(facts.evidence),
    })
}

fn finding(signs: &Signs<'_>) -> Finding {
    let Signs { rule, refusal, attempt, commands } = *signs;
    let family = if rule.is_v6 { "IPv6" } else { "IPv4" };
    let option = if rule.is_v6 { "-6 " } else { "" };
    let priority = rule.priority;
    let title = format!(
        "a routing rule of this machine refuses every {family} packet: {refusal}, priority {priority}"
    );
    let mut finding = Finding::new(Cause::RouteRuleBlock, refusal, Confidence::Certain, title)
        .because(Fact::Rules, format!("rule {priority} is for all packets, and its action is {refusal}"))
        .check(format!("ip {option}rule show"))
        .explains(&Symptom::NOTHING_PASSES)
        // It is asked before any route is.
        .met_at(Layer::Neighbour)
        .remedy(format!("take it away, if nobody wants it: ip {option}rule del priority {priority}"))
        .remedy("look who set it: a VPN's kill switch, a container's network, a routing daemon");
    finding = match attempt {
        Some(attempt) => {
            let said = attempt.connect.error.as_deref().unwrap_or("no route");
            finding
                .because(Fact::Target, format!("connecting to {} fails at once: {said}", attempt.address))
                .check(commands.route_to(&attempt.address.to_string()))
        }
        None => finding.because(Fact::Out, "the kernel refuses packets for the internet"),
    };
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::healthy::attempt;
    use crate::doctor::evidence::{Evidence, Item};

    /// A machine whose rule of this priority refuses, and whose target fails so.
    fn refused(rule: PolicyRule, outcome: ConnectOutcome) -> Evidence {
        Evidence::healthy().with(|evidence| {
            let main = PolicyRule { priority: 32_766, action: RuleAction::Table(MAIN), ..rule };
            evidence.rules = Item::known(vec![rule, PolicyRule { is_for_all: true, ..main }]);
            evidence.target = Item::known(vec![attempt(outcome)]);
        })
    }

    fn rule(priority: u32, action: RuleAction) -> PolicyRule {
        PolicyRule { is_v6: false, priority, action, is_for_all: true }
    }

    fn details(evidence: &Evidence) -> Vec<&'static str> {
        let mut found = Vec::new();
        findings(&Facts::new(evidence), &mut found);
        found.iter().map(|finding| finding.detail).collect()
    }

    #[test]
    fn each_refusal_before_the_main_table_is_told() {
        for (action, detail) in [
            (RuleAction::Unreachable, "unreachable"),
            (RuleAction::Prohibit, "prohibit"),
            (RuleAction::Blackhole, "blackhole"),
        ] {
            for outcome in [ConnectOutcome::NoRoute, ConnectOutcome::RouteRefuses] {
                assert_eq!(details(&refused(rule(32_765, action), outcome)), [detail]);
            }
        }
    }

    #[test]
    fn a_rule_behind_the_main_table_or_for_some_or_that_lets_pass_is_none() {
        let outcome = ConnectOutcome::NoRoute;
        let unreachable = RuleAction::Unreachable;
        assert!(details(&refused(rule(32_767, unreachable), outcome)).is_empty());
        let selective = PolicyRule { is_for_all: false, ..rule(1, unreachable) };
        assert!(details(&refused(selective, outcome)).is_empty());
        assert!(details(&refused(rule(1, RuleAction::Nothing), outcome)).is_empty());
    }

    #[test]
    fn a_target_that_answers_or_is_silent_has_not_met_it() {
        for outcome in [ConnectOutcome::Connected, ConnectOutcome::Silent, ConnectOutcome::Refused] {
            assert!(details(&refused(rule(1, RuleAction::Prohibit), outcome)).is_empty(), "{outcome:?}");
        }
    }

    #[test]
    fn without_the_rules_nothing_is_said() {
        let unknown = refused(rule(1, RuleAction::Prohibit), ConnectOutcome::NoRoute)
            .with(|evidence| evidence.rules = Item::default());
        assert!(details(&unknown).is_empty());
    }
}
