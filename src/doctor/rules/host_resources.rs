//! This machine has run out of descriptors, ports, neighbour entries or tracked connections.

use super::{Cause, Confidence, Finding, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Host};
use crate::doctor::fact::Fact;

/// Descriptors, ports, neighbours or tracked connections have run out.
pub(super) fn findings(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    if let Some(host) = facts.evidence.host.get() {
        descriptors(host, found);
        tables(facts, host, found);
        ports(facts, host, found);
    }
}

fn descriptors(host: &Host, found: &mut Vec<Finding>) {
    let Some(error) = &host.descriptor_error else { return };
    let limit = host.descriptor_limit.map_or_else(|| "unknown".to_owned(), |limit| limit.to_string());
    let title = format!(
        "programs started here run out of descriptors: no more than {limit} files and sockets may be open"
    );
    let said = format!("only {} more could be opened, then: {error}", host.descriptors_to_be_had);
    let mut finding = Finding::new(Cause::HostResources, "descriptors", Confidence::Certain, title)
        .because(Fact::Host, said)
        .check("ulimit -n")
        .explains(&Symptom::ALL[..1])
        .explains(&Symptom::NOTHING_PASSES)
        .explains(&[Symptom::Service]);
    finding = match (host.descriptor_limit, host.descriptor_hard_limit) {
        (Some(soft), Some(hard)) if hard > soft => {
            finding.remedy(format!("let this shell's programs open more: ulimit -n {}", hard.min(4_096)))
        }
        _ => finding.remedy(
            "let them open more where they are started: LimitNOFILE= of its unit, or limits.conf(5)"
                .to_owned(),
        ),
    };
    found.push(finding.remedy("look who holds so many open: ls /proc/*/fd | wc -l, lsof -p PID"));
}

fn tables(facts: &Facts<'_>, host: &Host, found: &mut Vec<Finding>) {
    if let (Some(held), Some(limit)) = (host.neighbours, host.neighbour_limit)
        && held >= limit
        && (facts.gateway_is_mute() || facts.failed().is_some())
    {
        let title = format!("the kernel's table of neighbours is full: {held} of {limit} entries");
        found.push(
            Finding::new(Cause::HostResources, "neighbours", Confidence::Likely, title.clone())
                .because(Fact::Host, title)
                .check("sysctl net.ipv4.neigh.default.gc_thresh3; ip neighbour | wc -l")
                .explains(&[Symptom::GatewayMute, Symptom::Target4, Symptom::Public])
                .remedy(format!("give it room: sysctl -w net.ipv4.neigh.default.gc_thresh3={}", limit * 4)),
        );
    }
    if let (Some(held), Some(limit)) = (host.tracked, host.tracked_limit)
        && limit > 0
        && held >= limit
    {
        let title =
            format!("the table of tracked connections is full: {held} of {limit}, and new ones are dropped");
        found.push(
            Finding::new(Cause::HostResources, "conntrack", Confidence::Likely, title.clone())
                .because(Fact::Host, title)
                .check("sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max")
                .explains(&[
                    Symptom::Machine,
                    Symptom::Target4,
                    Symptom::Target6,
                    Symptom::Public,
                    Symptom::Name,
                ])
                .remedy(format!("give it room: sysctl -w net.netfilter.nf_conntrack_max={}", limit * 4)),
        );
    }
}

fn ports(facts: &Facts<'_>, host: &Host, found: &mut Vec<Finding>) {
    let lacks = |outcome| outcome == ConnectOutcome::NoLocalPort;
    let Some(attempt) = facts.attempts().find(|attempt| lacks(attempt.connect.outcome)) else { return };
    // Without an address of the family there is no port either, and that is another matter.
    let family_has_address =
        facts.evidence.addresses.all().iter().any(|own| own.ip.is_ipv4() == attempt.address.is_ipv4());
    if !family_has_address {
        return;
    }
    let range = host.ephemeral.map_or_else(String::new, |(from, to)| {
        format!(
            " (the system gives out {from} to {to}, {} ports)",
            u32::from(to) - u32::from(from.min(to)) + 1
        )
    });
    let to = format!("{}:{}", attempt.address, attempt.port);
    let title = format!("no port is left on this machine to connect to {to} from{range}");
    let said = attempt.connect.error.clone().unwrap_or_default();
    found.push(
        Finding::new(Cause::HostResources, "ports", Confidence::Certain, title)
            .because(Fact::Target, format!("connecting to {to} gives: {said}"))
            .check(format!("sysctl net.ipv4.ip_local_port_range; ss -tan dst {} | wc -l", attempt.address))
            .explains(&[Symptom::Machine, Symptom::Target4, Symptom::Target6, Symptom::Name, Symptom::Public])
            .remedy("widen the range: sysctl -w net.ipv4.ip_local_port_range='32768 60999'")
            .remedy("look who holds the ports: ss -tanp"),
    );
}
