//! The hosts file gives another address than DNS, and that does not work.

use std::net::IpAddr;

use super::{Cause, Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Source};
use crate::doctor::fact::Fact;

/// The hosts file says something else, and that does not work.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(resolver) = facts.evidence.resolver.get().filter(|resolver| !resolver.hosts.is_empty()) else {
        return;
    };
    let by_hosts: Vec<_> =
        facts.evidence.target.all().iter().filter(|attempt| attempt.source == Source::Hosts).collect();
    if by_hosts.is_empty() || by_hosts.iter().any(|attempt| facts.reaches(attempt)) {
        return;
    }
    let dns: Vec<IpAddr> = facts.own_addresses().into_iter().chain(facts.other_addresses()).collect();
    let differs = dns.iter().any(|ip| !resolver.hosts.contains(ip));
    if !differs {
        return;
    }
    let works = facts.evidence.target.all().iter().find(|attempt| {
        attempt.source != Source::Hosts && attempt.connect.outcome == ConnectOutcome::Connected
    });
    let confidence = if works.is_some() { Confidence::Certain } else { Confidence::Likely };
    let name = facts.host();
    let line = resolver.hosts_line.clone().unwrap_or_default();
    let hosts: Vec<String> = resolver.hosts.iter().map(ToString::to_string).collect();
    let mut finding = Finding::new(
        Cause::NameHostsOverride,
        "hosts",
        confidence,
        format!(
            "{} sends {name} to {}, which does not work; DNS knows another address",
            resolver.hosts_file,
            hosts.join(", ")
        ),
    )
    .because(Fact::Resolver, format!("{}, line {line}", resolver.hosts_file))
    .check(format!("grep -n {name} {}", resolver.hosts_file))
    .because(
        Fact::Names,
        format!("DNS answers: {}", dns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    )
    .check(format!("dig {name}"))
    .met_at(Layer::Address)
    .explains(&[Symptom::Target4, Symptom::Target6, Symptom::Name, Symptom::Service])
    .remedy(format!("take the line out of {}, or correct it", resolver.hosts_file));
    if let Some(works) = works {
        finding = finding.because(Fact::Target, format!("{} answers on port {}", works.address, works.port));
    }
    found.push(finding);
}
