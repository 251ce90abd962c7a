//! TLS does not come about, or the certificate is not good.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, TlsOutcome};
use crate::doctor::fact::Fact;

/// TLS does not stand, or its certificate is bad.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some((attempt, tls)) = facts.tls() else { return };
    let (host, port) = (facts.host(), attempt.port);
    let look = format!("openssl s_client -connect {}:{port} -servername {host} </dev/null", attempt.address);
    if tls.outcome.is_certificate() {
        let (detail, mend) = match tls.outcome {
            TlsOutcome::Expired => ("expired", "its owner has to renew it"),
            TlsOutcome::NotYetValid => ("not-yet-valid", "its owner has to put the right one in place"),
            TlsOutcome::WrongName => (
                "name",
                "look whether the name is right; if so, the server has another's certificate in place",
            ),
            TlsOutcome::Untrusted => (
                "untrusted",
                "if it is your own authority's, add that to the system's roots (update-ca-certificates); else somebody sits in between",
            ),
            _ => ("other", "its owner has to put the right one in place"),
        };
        // What a clock says of a date is worth as much as the clock.
        let by_date = matches!(tls.outcome, TlsOutcome::Expired | TlsOutcome::NotYetValid);
        let clock_is_checked = facts.evidence.web.all().iter().any(|web| {
            web.reply.as_ref().and_then(|reply| reply.clock_ahead_s).is_some_and(|ahead| ahead.abs() < 3_600)
        });
        let confidence = if by_date && !clock_is_checked { Confidence::Likely } else { Confidence::Certain };
        let mut finding = Finding::new(
            Cause::TlsCert,
            detail,
            confidence,
            format!("the certificate of {host} is not good: {}", tls.detail),
        )
        .because(Fact::Target, tls.detail.clone())
        .check(format!("{look} | openssl x509 -noout -dates -issuer -subject -ext subjectAltName"))
        .explains(&[Symptom::Service])
        .remedy(mend);
        if by_date && clock_is_checked {
            finding = finding
                .because(Fact::Web, "the clock of this machine agrees with those of others")
                .check("date -u");
        }
        found.push(finding);
        return;
    }
    let how = match tls.outcome {
        TlsOutcome::Alert => "alert",
        TlsOutcome::NotTls => "not-tls",
        TlsOutcome::Silent => "silent",
        TlsOutcome::Closed => "closed",
        _ => return,
    };
    // What was never acknowledged did not come there.
    if tls.unacked.is_some_and(|unacked| unacked > 0) && !tls.has_bytes {
        return;
    }
    let plain = attempt.exchange.as_ref().and_then(|exchange| exchange.plain.as_ref());
    let is_plain = plain.is_some_and(|plain| plain.begins.starts_with("HTTP/"));
    let confidence =
        if is_plain || tls.outcome != TlsOutcome::Silent { Confidence::Certain } else { Confidence::Likely };
    let title = if is_plain {
        format!("port {port} of {host} speaks plain HTTP, and no TLS")
    } else {
        format!("TLS with port {port} of {host} does not come about: {}", tls.detail)
    };
    let mut finding = Finding::new(Cause::TlsHandshake, how, confidence, title)
        .because(Fact::Target, format!("the connection stood; TLS: {}", tls.detail))
        .check(look)
        .explains(&[Symptom::Service])
        .remedy(if is_plain {
            format!("use http://{host}:{port}/, or set the server to TLS there")
        } else {
            "look whether TLS is what that port speaks, and which versions its server allows".to_owned()
        });
    if is_plain {
        finding = finding.because(Fact::Target, "a plain request to the same port is answered by HTTP");
    }
    found.push(finding);
}
