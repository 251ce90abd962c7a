//! The application: does TLS stand, is its certificate good, is what is answered what was asked for.

use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{Facts, RoundOutcome, Service, TlsOutcome, time};
use crate::doctor::fact::Fact;

/// TLS does not stand, or its certificate is bad.
pub(super) fn tls(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
            "TLS.CERT",
            Layer::Application,
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
    let mut finding = Finding::new("TLS.HANDSHAKE", Layer::Application, how, confidence, title)
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

/// The service does not answer, or late, or something else, or hangs up.
pub(super) fn answer(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    /// A page whose first byte takes longer is slow by anybody's measure.
    const SLOW_US: u64 = 1_000_000;
    for attempt in facts.attempts() {
        let Some(exchange) = &attempt.exchange else { continue };
        let Some(small) = &exchange.small else { continue };
        let (ip, port) = (attempt.address, attempt.port);
        let first = small.first_byte_us.unwrap_or(0);
        let path = facts.path_ms() * 1_000;
        let what = match facts.service() {
            Service::Echo => "echo",
            Service::Http | Service::Https => "web",
            Service::Unknown => "service",
        };
        let check = match facts.service() {
            Service::Echo => format!("printf hello | nc -w 3 {ip} {port}"),
            Service::Http => format!("curl -v http://{}:{port}/", facts.host()),
            Service::Https => format!("curl -v https://{}:{port}/", facts.host()),
            Service::Unknown => format!("nc -v {ip} {port}"),
        };
        // In drops, one by one.
        let trickles =
            small.pieces >= 2 && small.elapsed_us > SLOW_US && small.received_bytes < small.sent_bytes;
        let is_acknowledged = small.unacked == Some(0);
        let (code, detail, confidence, title, said) = match small.outcome {
            RoundOutcome::Silent if is_acknowledged => (
                "APP.SILENT",
                "silent",
                // One connection's silence is no proof: where a switch takes two hosts for one, what the server sends again
                // goes astray, while whatever is answered at once comes through.
                Confidence::Likely,
                format!("the {what} server on port {port} of {ip} takes what is sent and answers nothing"),
                format!(
                    "{} bytes were sent and acknowledged, and none came back within {}",
                    small.sent_bytes,
                    time(small.elapsed_us)
                ),
            ),
            RoundOutcome::Stalled if trickles && small.received_bytes < 16 => (
                "APP.SLOW",
                "trickle",
                Confidence::Likely,
                format!("the {what} server on port {port} of {ip} answers a byte at a time"),
                format!(
                    "{} bytes came in {} pieces within {}",
                    small.received_bytes,
                    small.pieces,
                    time(small.elapsed_us)
                ),
            ),
            RoundOutcome::Stalled if small.differs_at.is_some() => {
                wrong(ip, port, what, small.differs_at, &small.begins)
            }
            RoundOutcome::Different => wrong(ip, port, what, small.differs_at, &small.begins),
            RoundOutcome::Stalled if is_acknowledged => (
                "APP.SILENT",
                "stalled",
                Confidence::Likely,
                format!("the {what} server on port {port} of {ip} stops in the middle of its answer"),
                format!(
                    "{} bytes came, and then nothing more within {}",
                    small.received_bytes,
                    time(small.elapsed_us)
                ),
            ),
            RoundOutcome::Closed if small.sent_bytes > 0 || port != 0 => (
                "APP.CLOSED_EARLY",
                if small.received_bytes > 0 { "short" } else { "at-once" },
                Confidence::Certain,
                if small.received_bytes > 0 {
                    format!("the {what} server on port {port} of {ip} closes in the middle of its answer")
                } else {
                    format!("the {what} server on port {port} of {ip} accepts and closes at once")
                },
                format!(
                    "{} bytes were sent, {} came back, then the connection was closed",
                    small.sent_bytes, small.received_bytes
                ),
            ),
            RoundOutcome::Whole if first > SLOW_US + 2 * path && small.sent_bytes > 0 => (
                "APP.SLOW",
                "first-byte",
                Confidence::Likely,
                format!("the {what} server on port {port} of {ip} thinks for {}", time(first)),
                format!(
                    "the connection took {}, the first byte {}",
                    time(attempt.connect.elapsed_us),
                    time(first)
                ),
            ),
            _ => continue,
        };
        // A large round may fail by the same, and says no more.
        found.push(
            Finding::new(code, Layer::Application, detail, confidence, title)
                .because(Fact::Target, said)
                .check(check)
                .explains(&[Symptom::Service, Symptom::ServiceSlow])
                .remedy(match code {
                    "APP.WRONG_REPLY" => "look whether the port is forwarded to the right server".to_owned(),
                    _ => format!("look at the server behind port {port} of {ip}: its log, its load, what it waits for itself"),
                }),
        );
        return;
    }
}

type Told = (&'static str, &'static str, Confidence, String, String);

fn wrong(ip: std::net::IpAddr, port: u16, what: &str, differs: Option<u64>, begins: &str) -> Told {
    let said = match differs {
        Some(place) => format!("what came back differs from byte {place} on; it begins with {begins:?}"),
        None => format!("what came back is not what was asked for; it begins with {begins:?}"),
    };
    let title = if begins.starts_with("HTTP/") {
        format!("port {port} of {ip} is a web server, where {what} was expected")
    } else {
        format!("the {what} server on port {port} of {ip} answers something else")
    };
    ("APP.WRONG_REPLY", "different", Confidence::Certain, title, said)
}

/// The web answers by an error.
pub(super) fn http(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    for attempt in facts.attempts() {
        let Some(http) = attempt.exchange.as_ref().and_then(|exchange| exchange.http.as_ref()) else {
            continue;
        };
        if !facts.is_http_error(http) || http.status == 511 {
            continue;
        }
        let whose = if http.status >= 500 { "the server's own" } else { "for what was asked" };
        found.push(
            Finding::new(
                "APP.HTTP_ERROR",
                Layer::Application,
                if http.status >= 500 { "5xx" } else { "4xx" },
                Confidence::Certain,
                format!(
                    "the web server of {} answers by an error, {whose}: status {}",
                    facts.host(),
                    http.status
                ),
            )
            .because(Fact::Target, format!("{} answers: status {}", attempt.address, http.status))
            .check(format!("curl -sI {}", super::commands::quoted(&facts.target())))
            .explains(&[Symptom::Service])
            .remedy(if http.status >= 500 {
                "look at the log of the web server and of what is behind it; the network does its work"
            } else {
                "look whether the address is right, and whether a login is needed; the network does its work"
            }),
        );
        return;
    }
}
