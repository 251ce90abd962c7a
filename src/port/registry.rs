//! IANA's registered services, as a sorted table inside the program.
//!
//! `registry/services.tsv` is made by `registry/generate.py`, which says where from. A port is found by
//! bisecting the bytes of the text; nothing is parsed at start-up.

use serde::Serialize;

static TABLE: &str = include_str!("registry/services.tsv");

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
}

/// A registered service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// The protocols it is registered for.
    pub protocols: Vec<Protocol>,
    /// What IANA says it is.
    pub description: &'static str,
}

/// The services of a port, those with the better known name first.
pub(super) fn services(port: u16) -> impl Iterator<Item = Service> {
    // Invariant: every line that begins before `low` is of a lower port, and none at or after `high` is.
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = low.midpoint(high);
        let start = line_start(middle);
        match TABLE[start..].lines().next().and_then(Row::parse) {
            Some(row) if row.port < port => low = start + row.length,
            _ => high = middle,
        }
    }
    let rows = TABLE[line_start(low)..].lines().map_while(Row::parse);
    rows.skip_while(move |row| row.port < port).take_while(move |row| row.port == port).map(Row::service)
}

/// The ports of a service, by its name in any case.
pub(super) fn ports_of(name: &str) -> Vec<u16> {
    let mut ports: Vec<u16> =
        rows().filter(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.port).collect();
    ports.dedup();
    ports
}

/// The names of all services.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    rows().map(|row| row.name)
}

/// One line of the table.
struct Row {
    port: u16,
    protocols: &'static str,
    name: &'static str,
    description: &'static str,
    /// The bytes of the line with its line feed.
    length: usize,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.splitn(4, '\t');
        let port = fields.next()?.parse().ok()?;
        let (protocols, name, description) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { port, protocols, name, description, length: line.len() + 1 })
    }

    fn service(self) -> Service {
        let protocols = self.protocols.bytes().filter_map(Protocol::from_letter).collect();
        Service { name: self.name, protocols, description: self.description }
    }
}

fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter_map(Row::parse)
}

/// The start of the first line that begins at or after a position, past the comment at the top.
fn line_start(at: usize) -> usize {
    let after_comment = TABLE.find('\n').map_or(0, |end| end + 1);
    if at <= after_comment {
        return after_comment;
    }
    match TABLE.as_bytes()[at - 1..].iter().position(|byte| *byte == b'\n') {
        Some(end) => at + end,
        None => TABLE.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_line_parses() {
        let ports: Vec<u16> = rows().map(|row| row.port).collect();
        assert!(ports.is_sorted());
        assert_eq!(ports.len(), TABLE.lines().count() - 1);
        assert!(ports.len() > 6000);
    }

    /// The bisection finds for every port exactly what reading the whole table finds.
    #[test]
    fn bisecting_agrees_with_reading_for_every_port() {
        let mut by_port = vec![Vec::new(); 65536];
        rows().for_each(|row| by_port[usize::from(row.port)].push(row.service()));
        for port in 0..=u16::MAX {
            assert_eq!(services(port).collect::<Vec<_>>(), by_port[usize::from(port)], "{port}");
        }
    }

    #[test]
    fn the_lessons_services() {
        for (port, name) in [(443, "https"), (80, "http"), (25, "smtp"), (21, "ftp"), (7, "echo")] {
            let service = services(port).next().expect(name);
            assert_eq!(service.name, name);
            assert!(service.protocols.contains(&Protocol::Tcp));
            assert!(ports_of(name).contains(&port));
        }
        assert_eq!(ports_of("HTTPS"), [443]);
        assert!(ports_of("no-such-service").is_empty());
    }
}
