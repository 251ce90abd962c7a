//! No name server is named that could be asked.

use super::commands::Commands;
use super::words::is_address;
use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::Facts;
use crate::doctor::fact::Fact;

/// Nobody is named who could be asked.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(resolver) = facts.evidence.resolver.get() else { return };
    let unread: Vec<&String> = resolver.servers.iter().filter(|server| !is_address(server)).collect();
    if unread.len() < resolver.servers.len() || facts.name_fails() != Some(true) {
        return;
    }
    let why = match unread.first() {
        Some(text) => format!("'{text}' is not an address"),
        None => resolver.error.clone().unwrap_or_else(|| "it has no line 'nameserver'".to_owned()),
    };
    found.push(
        Finding::new(
            Cause::DnsNoResolver,
            "none",
            Confidence::Certain,
            format!("no name server is configured: names cannot be looked up ({})", resolver.file),
        )
        .because(Fact::Resolver, format!("{}: {why}", resolver.file))
        .check(Commands::of(facts.evidence).resolver())
        .because(Fact::Names, "this machine itself, which is asked then, does not answer")
        .explains(&[Symptom::Name])
        .remedy(format!("name one: echo 'nameserver 9.9.9.9' >> {}", resolver.file))
        .remedy("if a program writes that file (systemd-resolved, NetworkManager, dhclient), look why it knows none"),
    );
}
