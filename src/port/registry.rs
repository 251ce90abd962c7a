//! IANA's registered services, as sorted tables inside the program.
//!
//! `registry/services.tsv` and `registry/notes.tsv` are made by `registry/generate.py`, which says where from. A port is
//! found by bisecting the bytes of the text; nothing is parsed at start-up.

use serde::Serialize;

static SERVICES: &str = include_str!("registry/services.tsv");
static NOTES: &str = include_str!("registry/notes.tsv");
/// Where each line of the services begins, by its name in lower case: six digits and a line feed each.
static BY_NAME: &str = include_str!("registry/by_name.idx");
/// The bytes of one entry of [`BY_NAME`].
const ENTRY: usize = 7;

/// A transport protocol that services are registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 9260.
    Sctp,
    /// RFC 4340.
    Dccp,
}

impl Protocol {
    /// The protocol's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
        }
    }

    fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b't' => Some(Self::Tcp),
            b'u' => Some(Self::Udp),
            b's' => Some(Self::Sctp),
            b'd' => Some(Self::Dccp),
            _ => None,
        }
    }

    fn from_letters(letters: &str) -> Vec<Self> {
        letters.bytes().filter_map(Self::from_letter).collect()
    }
}

/// A registered service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// The protocols it is registered for.
    pub protocols: Vec<Protocol>,
    /// What IANA says it is; empty where it says nothing.
    pub description: &'static str,
}

/// What IANA says of a port besides its services: that it is reserved, or used without being registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What it says.
    pub note: &'static str,
    /// The protocols it says so for.
    pub protocols: Vec<Protocol>,
}

/// The services of a port, those with the better known name first.
pub(super) fn services(port: u16) -> impl Iterator<Item = Service> {
    lines_at(SERVICES, first_line_of(SERVICES, port), port).filter_map(Row::parse).map(Row::service)
}

/// Finds the services of one port after another, in order, which together takes no longer than reading the table.
#[derive(Default)]
pub(super) struct InOrder {
    at: std::cell::Cell<usize>,
}

impl InOrder {
    /// The services of a port that is not below the last one that was asked for.
    pub(super) fn services(&self, port: u16) -> impl Iterator<Item = Service> {
        let bytes = SERVICES.as_bytes();
        let mut at = self.at.get().max(next_line(bytes, 0));
        while port_at(bytes, at).is_some_and(|found| found < port) {
            at = next_line(bytes, at);
        }
        self.at.set(at);
        lines_at(SERVICES, at, port).filter_map(Row::parse).map(Row::service)
    }
}
/// The notes of a port.
pub(super) fn notes(port: u16) -> impl Iterator<Item = Note> {
    lines_at(NOTES, first_line_of(NOTES, port), port).filter_map(|line| {
        let mut fields = line.splitn(3, '\t').skip(1);
        let (protocols, note) = (fields.next()?, fields.next()?);
        Some(Note { note, protocols: Protocol::from_letters(protocols) })
    })
}

/// The ports of the services with this name, in any case, in order; and how many other names begin so.
pub(super) fn ports_named(name: &str) -> (Vec<u16>, usize) {
    let wanted = name.to_ascii_lowercase();
    let first = entries_before(|known| known < wanted.as_bytes());
    let mut ports = Vec::new();
    let mut at = first;
    while let Some(row) = entry(at).filter(|row| row.name.eq_ignore_ascii_case(&wanted)) {
        ports.push(row.port);
        at += 1;
    }
    ports.sort_unstable();
    ports.dedup();
    // Names are ASCII: what begins so comes before the name with the last character there is behind it.
    let end = entries_before(|known| known < wanted.as_bytes() || known.starts_with(wanted.as_bytes()));
    let mut names: Vec<&str> = (at..end).filter_map(entry).map(|row| row.name).collect();
    names.dedup();
    (ports, names.len())
}

/// The ports of the services whose names a pattern as `http*` matches, in order.
pub(super) fn ports_matching(pattern: &glob::Pattern) -> Vec<u16> {
    let options = glob::MatchOptions { case_sensitive: false, ..glob::MatchOptions::new() };
    let mut ports: Vec<u16> =
        rows().filter(|row| pattern.matches_with(row.name, options)).map(|row| row.port).collect();
    ports.dedup();
    ports
}

/// A service by its place among the names.
fn entry(place: usize) -> Option<Row> {
    let start: usize = BY_NAME.get(place * ENTRY..(place + 1) * ENTRY - 1)?.parse().ok()?;
    let end = next_line(SERVICES.as_bytes(), start);
    Row::parse(SERVICES.get(start..end)?.trim_end_matches('\n'))
}

/// How many names come before the first of which something does not hold; it holds for all before that one.
fn entries_before(holds: impl Fn(&[u8]) -> bool) -> usize {
    let (mut low, mut high) = (0, BY_NAME.len() / ENTRY);
    while low < high {
        let middle = low.midpoint(high);
        if entry(middle).is_some_and(|row| holds(row.name.to_ascii_lowercase().as_bytes())) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The names of all services.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    rows().map(|row| row.name)
}

/// One line of the table of services.
struct Row {
    port: u16,
    protocols: &'static str,
    name: &'static str,
    description: &'static str,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.splitn(4, '\t');
        let port = fields.next()?.parse().ok()?;
        let (protocols, name, description) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { port, protocols, name, description })
    }

    fn service(self) -> Service {
        let protocols = Protocol::from_letters(self.protocols);
        Service { name: self.name, protocols, description: self.description }
    }
}

fn rows() -> impl Iterator<Item = Row> {
    SERVICES.lines().filter_map(Row::parse)
}

/// Where the first line of a port, or of the next one, begins in a table whose lines begin with the port, sorted by it.
fn first_line_of(table: &str, port: u16) -> usize {
    let bytes = table.as_bytes();
    let first = next_line(bytes, 0);
    // Invariant: every line that begins before `low` is of a lower port, and none at or after `high` is.
    let (mut low, mut high) = (first, bytes.len());
    while low < high {
        let middle = low.midpoint(high);
        let start = if middle == low { low } else { next_line(bytes, middle - 1) };
        if start >= high {
            // No line begins between: what is left is the one at `low`.
            high = middle;
        } else if port_at(bytes, start) < Some(port) {
            low = next_line(bytes, start);
        } else {
            high = middle;
        }
    }
    low
}

/// The lines of a port, from the first of them on.
fn lines_at(table: &'static str, mut at: usize, port: u16) -> impl Iterator<Item = &'static str> {
    let bytes = table.as_bytes();
    std::iter::from_fn(move || {
        let start = at;
        if port_at(bytes, start) != Some(port) {
            return None;
        }
        at = next_line(bytes, start);
        table.get(start..at).map(|line| line.trim_end_matches('\n'))
    })
}

/// Where the next line begins after a position.
fn next_line(table: &[u8], at: usize) -> usize {
    let rest = table.get(at..).unwrap_or_default();
    rest.iter().position(|byte| *byte == b'\n').map_or(table.len(), |end| at + end + 1)
}

/// The number that a line begins with; `None` behind the last line.
fn port_at(table: &[u8], start: usize) -> Option<u16> {
    let digits = table.get(start..)?.iter().take_while(|byte| byte.is_ascii_digit());
    let mut port = None;
    for digit in digits {
        port = Some(port.unwrap_or(0_u16).checked_mul(10)?.checked_add(u16::from(digit - b'0'))?);
    }
    port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_every_line_parses() {
        let ports: Vec<u16> = rows().map(|row| row.port).collect();
        assert!(ports.is_sorted());
        assert_eq!(ports.len(), SERVICES.lines().count() - 1);
        assert!(ports.len() > 6000);
        let noted: Vec<u16> = NOTES.lines().filter_map(|line| port_at(line.as_bytes(), 0)).collect();
        assert!(noted.is_sorted());
        assert_eq!(noted.len(), NOTES.lines().count() - 1);
        assert!((0..=u16::MAX).map(|port| notes(port).count()).sum::<usize>() == noted.len());
    }

    /// The bisection finds for every port exactly what reading the whole table finds.
    #[test]
    fn bisecting_agrees_with_reading_for_every_port() {
        let mut by_port = vec![Vec::new(); 65536];
        rows().for_each(|row| by_port[usize::from(row.port)].push(row.name));
        let in_order = InOrder::default();
        for port in 0..=u16::MAX {
            let found: Vec<&str> = services(port).map(|service| service.name).collect();
            assert_eq!(found, by_port[usize::from(port)], "{port}");
            assert!(services(port).all(|service| !service.protocols.is_empty()), "{port}");
            assert!(in_order.services(port).eq(services(port)), "{port}");
        }
    }

    #[test]
    fn the_lessons_services() {
        for (port, name) in [(443, "https"), (80, "http"), (25, "smtp"), (21, "ftp"), (7, "echo")] {
            let service = services(port).next().expect(name);
            assert_eq!(service.name, name);
            assert!(service.protocols.contains(&Protocol::Tcp));
            assert_eq!(ports_named(name).0, [port]);
        }
        let all: Vec<&str> = services(80).map(|service| service.name).collect();
        assert_eq!(all, ["http", "www", "www-http"]);
    }

    #[test]
    fn a_name_finds_its_own_ports_and_counts_those_that_begin_so() {
        let (exact, longer) = ports_named("HTTP");
        assert_eq!(exact, [80]);
        let names: std::collections::BTreeSet<&str> =
            rows().map(|row| row.name).filter(|name| name.starts_with("http") && *name != "http").collect();
        assert_eq!(longer, names.len());
        assert_eq!(ports_named("no-such-service"), (vec![], 0));
        assert!(ports_named("whois++").0.contains(&63));
        let matching = ports_matching(&glob::Pattern::new("HTTP*").expect("a pattern"));
        assert!([80, 443, 8080].iter().all(|port| matching.contains(port)), "{matching:?}");
    }

    /// The index finds for every name exactly what reading the whole table finds.
    #[test]
    fn the_index_by_name_has_every_line() {
        let mut by_name: std::collections::BTreeMap<String, Vec<u16>> = std::collections::BTreeMap::new();
        for row in rows() {
            let ports = by_name.entry(row.name.to_ascii_lowercase()).or_default();
            if ports.last() != Some(&row.port) {
                ports.push(row.port);
            }
        }
        for (name, ports) in &by_name {
            assert_eq!(ports_named(name).0, *ports, "{name}");
        }
        assert_eq!(BY_NAME.len(), rows().count() * ENTRY);
    }

    #[test]
    fn what_is_reserved_and_what_is_used_without_leave() {
        let text = |port| notes(port).map(|note| note.note).collect::<Vec<_>>();
        assert_eq!(text(0), ["reserved"]);
        assert_eq!(text(8888), ["unauthorized use is known"]);
        assert_eq!(text(24), ["any private mail system"]);
        assert!(text(443).is_empty());
    }
}
