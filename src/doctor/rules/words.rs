//! Words and commands that several rules share.

use std::net::IpAddr;

use super::Symptom;
use crate::doctor::evidence::{Attempt, Facts, Query, ServerAnswer};
use crate::trace::{Hop, Path};

/// What is not reached where the way there does not work.
pub(super) const REACH: [Symptom; 6] = [
    Symptom::Target4,
    Symptom::Target6,
    Symptom::Public,
    Symptom::Name,
    Symptom::NameSlow,
    Symptom::Datagrams,
];

/// The port of an attempt in words.
pub(super) fn port(attempt: &Attempt) -> String {
    format!("TCP port {} of {}", attempt.port, attempt.address)
}

/// Milliseconds in seconds.
pub(super) fn seconds(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1e3
}

/// The command that asks a name server for a name.
pub(super) fn dig(server: IpAddr, name: &str) -> String {
    format!("dig @{server} {name}")
}

/// The question to a server that tells most of it.
pub(super) fn worst(answer: &ServerAnswer) -> Option<&Query> {
    answer.a.first().or(answer.aaaa.first())
}

/// Whether a server is written as an address, with a zone or without.
pub(super) fn is_address(text: &str) -> bool {
    text.split('%').next().is_some_and(|ip| ip.parse::<IpAddr>().is_ok())
}

/// The file that names the name servers.
pub(super) fn file(facts: &Facts<'_>) -> String {
    let resolver = facts.evidence.resolver.get();
    resolver.map_or_else(|| "/etc/resolv.conf".to_owned(), |resolver| resolver.file.clone())
}

/// The hops of a path in order, `*` for those that said nothing.
pub(super) fn hops(path: &Path) -> String {
    /// More make no line that is read.
    const MOST: usize = 12;
    let one = |hop: &Hop| match (hop.answer, hop.from) {
        (Some(_), Some(from)) => from.to_string(),
        (Some(_), None) => path.to.to_string(),
        (None, _) => "*".to_owned(),
    };
    let told = path.farthest().unwrap_or(0);
    path.hops.iter().filter(|hop| hop.ttl <= told).take(MOST).map(one).collect::<Vec<_>>().join(" ")
}
