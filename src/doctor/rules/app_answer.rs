//! The service does not answer, or late, or something else, or closes early.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Facts, RoundOutcome, Service, time};
use crate::doctor::fact::Fact;

/// The service does not answer, or late, or something else, or hangs up.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
                Cause::AppSilent,
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
                Cause::AppSlow,
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
                Cause::AppSilent,
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
                Cause::AppClosedEarly,
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
                Cause::AppSlow,
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
            Finding::new(code, detail, confidence, title)
                .because(Fact::Target, said)
                .check(check)
                .explains(&[Symptom::Service, Symptom::ServiceSlow])
                .remedy(match code {
                    Cause::AppWrongReply => "look whether the port is forwarded to the right server".to_owned(),
                    _ => format!("look at the server behind port {port} of {ip}: its log, its load, what it waits for itself"),
                }),
        );
        return;
    }
}

type Told = (Cause, &'static str, Confidence, String, String);

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
    (Cause::AppWrongReply, "different", Confidence::Certain, title, said)
}
