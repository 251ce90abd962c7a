//! Which ports are asked for, and which of them make one row.

use std::collections::HashSet;

use super::{Class, IanaRange, Request, query, registry};
use crate::error::{Error, Result};
use crate::suggest;
use crate::sys::PortSettings;

/// A range of no more ports than this has a row each: a screenful. One of more has a row for each run of equal class.
const EACH_MOST: u16 = 32;

/// Ports from one to another, which make one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u16,
    pub(super) last: u16,
}

impl Span {
    pub(super) fn of(port: u16) -> Self {
        Self { first: port, last: port }
    }

    pub(super) fn is_one(self) -> bool {
        self.first == self.last
    }
}

/// The ports that a request names, in its order; `None` if it names none. Beside them what a user may have meant besides, a
/// sentence each.
///
/// Errors: a name that no registered service has, or a pattern that none matches.
pub(super) fn resolve(request: &Request) -> Result<Option<(Vec<Asked>, Vec<String>)>> {
    if request.queries.is_empty() {
        return Ok(None);
    }
    let (mut asked, mut notes) = (Vec::new(), Vec::new());
    for query in &request.queries {
        match &query.ports {
            query::Asked::Range(first, last) => asked.push(Asked::Range(*first, *last)),
            query::Asked::Name(name) => {
                let (ports, longer) = registry::ports_named(name);
                if ports.is_empty() {
                    return Err(unknown(name, longer));
                }
                if longer > 0 && !request.is_exact {
                    let (names, begin) = if longer == 1 { ("name", "begins") } else { ("names", "begin") };
                    notes.push(format!("{longer} other {names} {begin} with {name}: netdiag port '{name}*'"));
                }
                asked.push(Asked::Ports(ports));
            }
            query::Asked::Pattern(pattern) => {
                let ports = registry::ports_matching(pattern);
                if ports.is_empty() {
                    return Err(Error::usage(format!("no registered service matches '{pattern}'"))
                        .hint("patterns work as in a shell: http*, *sql*"));
                }
                asked.push(Asked::Ports(ports));
            }
        }
    }
    Ok(Some((asked, notes)))
}

/// What one word of a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// From the first to the last.
    Range(u16, u16),
    /// These.
    Ports(Vec<u16>),
}

impl Asked {
    /// Whether a port is asked for.
    pub(super) fn has(&self, port: u16) -> bool {
        match self {
            Self::Range(first, last) => (*first..=*last).contains(&port),
            Self::Ports(ports) => ports.contains(&port),
        }
    }

    fn ends(&self) -> Option<(u16, u16)> {
        match self {
            Self::Range(first, last) => Some((*first, *last)),
            Self::Ports(ports) => Some((*ports.iter().min()?, *ports.iter().max()?)),
        }
    }
}

/// The lowest and the highest port that is asked for.
pub(super) fn ends(asked: &[Asked]) -> Option<(u16, u16)> {
    asked.iter().filter_map(Asked::ends).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

/// The rows: each port once; of a long range, unless each is wanted, the runs of equal class.
pub(super) fn rows(asked: &[Asked], lists_each: bool, settings: &PortSettings) -> Vec<Span> {
    let mut seen: HashSet<u16> = HashSet::new();
    let mut is_new = |port: u16| seen.insert(port);
    let mut rows: Vec<Span> = Vec::new();
    for asked in asked {
        match asked {
            Asked::Range(first, last) if last - first >= EACH_MOST && !lists_each => {
                let runs = runs(*first, *last, settings);
                rows.extend(runs.into_iter().filter(|run| !rows.contains(run)).collect::<Vec<_>>());
            }
            Asked::Range(first, last) => {
                rows.extend((*first..=*last).filter(|port| is_new(*port)).map(Span::of));
            }
            Asked::Ports(ports) => {
                rows.extend(ports.iter().filter(|port| is_new(**port)).map(|port| Span::of(*port)));
            }
        }
    }
    rows
}

/// The longest ranges of ports that are alike in class, in IANA's range, and to this system.
fn runs(first: u16, last: u16, settings: &PortSettings) -> Vec<Span> {
    let kind = |port: u16| (Class::of(port), IanaRange::of(port), Settled::of(port, settings));
    let mut runs = vec![Span::of(first)];
    for port in first..=last {
        let run = runs.last_mut().expect("it begins with one");
        if kind(run.first) == kind(port) {
            run.last = port;
        } else {
            runs.push(Span::of(port));
        }
    }
    runs
}

/// What this system's settings say of a port; `None` where it does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) is_ephemeral: Option<bool>,
    pub(super) is_reserved: Option<bool>,
    pub(super) needs_privilege: Option<bool>,
}

impl Settled {
    pub(super) fn of(port: u16, settings: &PortSettings) -> Self {
        let is_in = |(first, last): &(u16, u16)| (*first..=*last).contains(&port);
        Self {
            is_ephemeral: settings.ephemeral.as_ref().map(is_in),
            is_reserved: settings.reserved.as_ref().map(|ranges| ranges.iter().any(is_in)),
            // Binding port 0 asks for any free one, which everybody may.
            needs_privilege: settings.unprivileged_start.map(|start| port != 0 && port < start),
        }
    }
}

/// The error of a name that no service has, though so many begin with it.
fn unknown(name: &str, longer: usize) -> Error {
    let error = Error::usage(format!("unknown service '{name}'"));
    let near = suggest::nearest(name, registry::names());
    let error = match near.as_slice() {
        [] => error,
        near => error.hint(format!("did you mean {}?", near.join(", "))),
    };
    match longer {
        0 => {
            error.hint("write a port from 0 to 65535, a range such as 20-25, or a service name such as https")
        }
        1 => error.hint(format!("1 name begins with it: netdiag port '{name}*'")),
        longer => error.hint(format!("{longer} names begin with it: netdiag port '{name}*'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> PortSettings {
        PortSettings {
            ephemeral: Some((32768, 60999)),
            reserved: Some(vec![(8080, 8080)]),
            unprivileged_start: Some(1024),
            time_wait_reuse: None,
        }
    }

    #[test]
    fn a_long_range_is_runs_of_equal_class_and_a_short_one_is_its_ports() {
        let runs = rows(&[Asked::Range(0, 65535)], false, &settings());
        let ends: Vec<(u16, u16)> = runs.iter().map(|run| (run.first, run.last)).collect();
        let expected = [
            (0, 0),
            (1, 1023),
            (1024, 8079),
            (8080, 8080),
            (8081, 32767),
            (32768, 49151),
            (49152, 60999),
            (61000, 65535),
        ];
        assert_eq!(ends, expected);
        assert_eq!(rows(&[Asked::Range(20, 25)], false, &settings()).len(), 6);
        assert_eq!(rows(&[Asked::Range(1000, 1100)], true, &settings()).len(), 101);
    }

    #[test]
    fn each_port_is_there_once_in_the_order_asked_for() {
        let asked = [Asked::Ports(vec![443, 80]), Asked::Range(79, 81), Asked::Ports(vec![80])];
        let ports: Vec<u16> = rows(&asked, false, &settings()).iter().map(|row| row.first).collect();
        assert_eq!(ports, [443, 80, 79, 81]);
        let runs = [Asked::Range(2000, 3000), Asked::Range(2000, 3000)];
        assert_eq!(rows(&runs, false, &settings()).len(), 1);
    }

    #[test]
    fn the_ends_of_all_that_is_asked_for() {
        assert_eq!(ends(&[]), None);
        assert_eq!(ends(&[Asked::Ports(vec![])]), None);
        assert_eq!(ends(&[Asked::Range(20, 25), Asked::Ports(vec![443, 7])]), Some((7, 443)));
    }
}
