//! The service does not answer, or late, or something else, or closes early.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{Attempt, Facts, Round, RoundOutcome, Service, time};
use crate::doctor::fact::Fact;

/// An answer whose first byte, or whose whole, takes longer, in microseconds, is slow by anybody's measure. It is counted
/// beside two round trips.
const SLOW_US: u64 = 1_000_000;
/// An answer that stops below so many bytes came in drops.
const DROPS_BYTES: u64 = 16;

/// What became of the small round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// What was sent was acknowledged, and nothing came.
    Silent,
    /// A part came, and nothing more.
    Stalled,
    /// A byte came at a time.
    Trickle,
    /// The first byte came late.
    FirstByte,
    /// Something else came, from this byte on, if that is known.
    Different(Option<u64>),
    /// The connection was closed within the answer.
    Short,
    /// The connection was closed before any answer.
    AtOnce,
}

impl Detail {
    fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Stalled => "stalled",
            Self::Trickle => "trickle",
            Self::FirstByte => "first-byte",
            Self::Different(_) => "different",
            Self::Short => "short",
            Self::AtOnce => "at-once",
        }
    }

    fn cause(self) -> Cause {
        match self {
            Self::Silent | Self::Stalled => Cause::AppSilent,
            Self::Trickle | Self::FirstByte => Cause::AppSlow,
            Self::Different(_) => Cause::AppWrongReply,
            Self::Short | Self::AtOnce => Cause::AppClosedEarly,
        }
    }

    fn confidence(self) -> Confidence {
        match self {
            // One connection's silence is no proof: where a switch takes two hosts for one, what the server sends again goes
            // astray, while whatever is answered at once comes through.
            Self::Silent | Self::Stalled | Self::Trickle | Self::FirstByte => Confidence::Likely,
            Self::Different(_) | Self::Short | Self::AtOnce => Confidence::Certain,
        }
    }
}

/// What shows it.
struct Signs<'a> {
    attempt: &'a Attempt,
    round: &'a Round,
    detail: Detail,
}

pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    found.extend(signs(facts).map(|signs| finding(facts, &signs)));
}

fn signs<'a>(facts: &Facts<'a>) -> Option<Signs<'a>> {
    // A large round may fail by the same, and says no more.
    facts.attempts().find_map(|attempt| {
        let round = attempt.exchange.as_ref()?.small.as_ref()?;
        let detail = detail(round, facts.path_ms() * 1_000)?;
        Some(Signs { attempt, round, detail })
    })
}

/// What became of a round over a path that takes so many microseconds there and back.
fn detail(round: &Round, path_us: u64) -> Option<Detail> {
    let is_acknowledged = round.unacked == Some(0);
    let trickles = round.pieces >= 2
        && round.elapsed_us > SLOW_US
        && round.received_bytes < round.sent_bytes.min(DROPS_BYTES);
    let is_late = round.first_byte_us.unwrap_or(0) > SLOW_US + 2 * path_us;
    Some(match round.outcome {
        RoundOutcome::Silent if is_acknowledged => Detail::Silent,
        RoundOutcome::Stalled if trickles => Detail::Trickle,
        RoundOutcome::Stalled if round.differs_at.is_some() => Detail::Different(round.differs_at),
        RoundOutcome::Different => Detail::Different(round.differs_at),
        RoundOutcome::Stalled if is_acknowledged => Detail::Stalled,
        RoundOutcome::Closed if round.received_bytes > 0 => Detail::Short,
        RoundOutcome::Closed => Detail::AtOnce,
        RoundOutcome::Whole if is_late && round.sent_bytes > 0 => Detail::FirstByte,
        RoundOutcome::Whole | RoundOutcome::Silent | RoundOutcome::Stalled | RoundOutcome::Reset => {
            return None;
        }
    })
}

fn finding(facts: &Facts<'_>, signs: &Signs<'_>) -> Finding {
    let Signs { attempt, detail, .. } = signs;
    let (ip, port) = (attempt.address, attempt.port);
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
    let remedy = match detail {
        Detail::Different(_) => "look whether the port is forwarded to the right server".to_owned(),
        _ => format!(
            "look at the server behind port {port} of {ip}: its log, its load, what it waits for itself"
        ),
    };
    let server = format!("the {what} server on port {port} of {ip}");
    Finding::new(detail.cause(), detail.name(), detail.confidence(), title(signs, what, &server))
        .because(Fact::Target, said(signs))
        .check(check)
        .explains(&[Symptom::Service, Symptom::ServiceSlow])
        .remedy(remedy)
}

fn title(signs: &Signs<'_>, what: &str, server: &str) -> String {
    let Signs { attempt, round, detail } = signs;
    match detail {
        Detail::Silent => format!("{server} takes what is sent and answers nothing"),
        Detail::Stalled => format!("{server} stops in the middle of its answer"),
        Detail::Trickle => format!("{server} answers a byte at a time"),
        Detail::FirstByte => format!("{server} thinks for {}", time(round.first_byte_us.unwrap_or(0))),
        Detail::Different(_) if round.begins.starts_with("HTTP/") => {
            format!("port {} of {} is a web server, where {what} was expected", attempt.port, attempt.address)
        }
        Detail::Different(_) => format!("{server} answers something else"),
        Detail::Short => format!("{server} closes in the middle of its answer"),
        Detail::AtOnce => format!("{server} accepts and closes at once"),
    }
}

fn said(signs: &Signs<'_>) -> String {
    let Signs { attempt, round, detail } = signs;
    let (sent, received, begins) = (round.sent_bytes, round.received_bytes, &round.begins);
    let elapsed = time(round.elapsed_us);
    match detail {
        Detail::Silent => {
            format!("{sent} bytes were sent and acknowledged, and none came back within {elapsed}")
        }
        Detail::Stalled => format!("{received} bytes came, and then nothing more within {elapsed}"),
        Detail::Trickle => format!("{received} bytes came in {} pieces within {elapsed}", round.pieces),
        Detail::FirstByte => format!(
            "the connection took {}, the first byte {}",
            time(attempt.connect.elapsed_us),
            time(round.first_byte_us.unwrap_or(0))
        ),
        Detail::Different(Some(place)) => {
            format!("what came back differs from byte {place} on; it begins with {begins:?}")
        }
        Detail::Different(None) => {
            format!("what came back is not what was asked for; it begins with {begins:?}")
        }
        Detail::Short | Detail::AtOnce => {
            format!("{sent} bytes were sent, {received} came back, then the connection was closed")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::evidence::ConnectOutcome;
    use crate::doctor::evidence::healthy::attempt;

    fn of(change: impl FnOnce(&mut Round)) -> Option<Detail> {
        let exchange = attempt(ConnectOutcome::Connected).exchange.expect("it stands");
        let mut round = exchange.small.expect("a round");
        change(&mut round);
        detail(&round, 1_000)
    }

    #[test]
    fn a_whole_round_in_time_is_nothing() {
        assert_eq!(of(|_| ()), None);
    }

    #[test]
    fn the_first_byte_is_late_beyond_the_threshold_and_two_round_trips() {
        let after = |us| of(|round| round.first_byte_us = Some(us));
        assert_eq!(after(SLOW_US + 2_000), None);
        assert_eq!(after(SLOW_US + 2_001), Some(Detail::FirstByte));
    }

    #[test]
    fn silence_is_the_servers_only_where_all_was_acknowledged() {
        let silent = |unacked| of(|round| (round.outcome, round.unacked) = (RoundOutcome::Silent, unacked));
        assert_eq!(silent(Some(0)), Some(Detail::Silent));
        assert_eq!((silent(Some(1)), silent(None)), (None, None));
    }

    #[test]
    fn drops_are_few_bytes_in_a_long_time() {
        let drops = |bytes, us| {
            of(|round| {
                (round.outcome, round.pieces) = (RoundOutcome::Stalled, 2);
                (round.received_bytes, round.elapsed_us) = (bytes, us);
            })
        };
        assert_eq!(drops(DROPS_BYTES - 1, SLOW_US + 1), Some(Detail::Trickle));
        assert_eq!(drops(DROPS_BYTES, SLOW_US + 1), Some(Detail::Stalled));
        assert_eq!(drops(DROPS_BYTES - 1, SLOW_US), Some(Detail::Stalled));
    }

    #[test]
    fn a_close_is_told_by_what_came_before() {
        let closed =
            |received| of(|round| (round.outcome, round.received_bytes) = (RoundOutcome::Closed, received));
        assert_eq!((closed(0), closed(1)), (Some(Detail::AtOnce), Some(Detail::Short)));
    }
}
