//! The proxy that the environment names does not work.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Service};
use crate::doctor::fact::Fact;

/// The proxy that the environment names does not do.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(Some(proxy)) = facts.evidence.proxy.get() else { return };
    let failure = match (&proxy.error, &proxy.connect, &proxy.answer) {
        (Some(error), ..) => Some((error.clone(), "variable", Confidence::Certain)),
        (_, Some(connect), _) if !connect.stands() => {
            let how = match connect.outcome {
                ConnectOutcome::Refused => "it refuses connections".to_owned(),
                ConnectOutcome::Silent => "it does not answer".to_owned(),
                _ => connect.error.clone().unwrap_or_else(|| "it is not reached".to_owned()),
            };
            Some((how, "connect", Confidence::Certain))
        }
        (_, Some(_), Some(reply)) if reply.status == 407 => {
            Some(("it wants a name and a password (407)".to_owned(), "login", Confidence::Certain))
        }
        (_, Some(_), Some(reply))
            if matches!(reply.status, 502..=504)
                || (facts.service() == Service::Https && !(200..300).contains(&reply.status)) =>
        {
            Some((format!("it answers {}", reply.status), "answer", Confidence::Likely))
        }
        (_, Some(_), None) => {
            Some(("it says nothing that HTTP has".to_owned(), "answer", Confidence::Likely))
        }
        _ => None,
    };
    let Some((how, detail, confidence)) = failure else { return };
    let works = facts.attempts().any(|attempt| facts.reaches(attempt));
    let mut finding = Finding::new(
        Cause::ProxyBroken,
        detail,
        confidence,
        format!("the proxy {} that {} names does not work: {how}", proxy.value, proxy.variable),
    )
    .because(Fact::Proxy, format!("{}={}: {how}", proxy.variable, proxy.value))
    .check("env | grep -i proxy".to_owned())
    .explains(&[Symptom::Proxy])
    .remedy(format!("go without it: unset {}, or name {} in no_proxy", proxy.variable, facts.host()))
    .remedy(format!("or start the proxy {} again", proxy.value));
    if works {
        finding = finding.because(Fact::Target, "without it, the target is reached");
    }
    found.push(finding);
}
