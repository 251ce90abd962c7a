//! This machine itself: its loopback, what it has of descriptors, ports and table entries, its clock.

use super::{Confidence, Finding, Layer, Symptom};
use crate::doctor::evidence::{ConnectOutcome, Facts, Host, TlsOutcome};
use crate::doctor::fact::Fact;

/// The loopback is down, has lost its address, or does not carry a connection.
pub(super) fn loopback(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    let Some(loopback) = facts.evidence.loopback.get() else { return };
    let name = loopback.interface.as_deref().unwrap_or("lo");
    let is_down = loopback.is_up == Some(false);
    let is_bare = loopback.has_address == Some(false);
    let is_dead = loopback.connects == Some(false);
    // What has no descriptors left cannot connect anywhere.
    let has_descriptors = facts.evidence.host.get().is_some_and(|host| host.descriptors_to_be_had >= 4);
    let is_wrong = is_down || is_bare || (is_dead && has_descriptors);
    if !is_wrong {
        return;
    }
    let (detail, what) = if is_down {
        ("down", format!("the loopback interface {name} is down"))
    } else if is_bare {
        ("address", format!("the loopback interface {name} has lost 127.0.0.1"))
    } else {
        ("connect", "this machine cannot connect to itself".to_owned())
    };
    let confidence = if is_down || is_bare { Confidence::Certain } else { Confidence::Likely };
    let title = format!("{what}: programs on this machine cannot talk to each other");
    let mut finding = Finding::new("HOST.LOOPBACK", Layer::Host, detail, confidence, title)
        .because(Fact::Loopback, what)
        .check(format!("ip address show {name}"));
    if let Some(error) = &loopback.error {
        finding = finding.because(Fact::Loopback, format!("connecting to 127.0.0.1 gives: {error}"));
    }
    let mut symptoms = vec![Symptom::Machine];
    if is_down && facts.is_local() {
        symptoms.extend([Symptom::Target4, Symptom::Target6]);
    }
    // A resolver may live there.
    symptoms.extend([Symptom::Name, Symptom::NameSlow]);
    let mend = match detail {
        "down" => format!("bring it up: ip link set {name} up"),
        "address" => format!("give it its address back: ip address add 127.0.0.1/8 dev {name}"),
        _ => "look whether a local filter drops what goes to 127.0.0.1".to_owned(),
    };
    found.push(finding.explains(&symptoms).remedy(mend));
}

/// Descriptors, ports, neighbours or tracked connections have run out.
pub(super) fn resources(facts: &Facts<'_>, found: &mut Vec<Finding>) {
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
    let mut finding = Finding::new("HOST.RESOURCES", Layer::Host, "descriptors", Confidence::Certain, title)
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
            Finding::new("HOST.RESOURCES", Layer::Host, "neighbours", Confidence::Likely, title.clone())
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
            Finding::new("HOST.RESOURCES", Layer::Host, "conntrack", Confidence::Likely, title.clone())
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
        Finding::new("HOST.RESOURCES", Layer::Host, "ports", Confidence::Certain, title)
            .because(Fact::Target, format!("connecting to {to} gives: {said}"))
            .check(format!("sysctl net.ipv4.ip_local_port_range; ss -tan dst {} | wc -l", attempt.address))
            .explains(&[Symptom::Machine, Symptom::Target4, Symptom::Target6, Symptom::Name, Symptom::Public])
            .remedy("widen the range: sysctl -w net.ipv4.ip_local_port_range='32768 60999'")
            .remedy("look who holds the ports: ss -tanp"),
    );
}

/// Several servers agree that it is another time.
pub(super) fn clock(facts: &Facts<'_>, found: &mut Vec<Finding>) {
    /// Caches, time zones set wrongly at a server, and slow answers stay below.
    const FELT_S: i64 = 3_600;
    /// Servers whose clocks are right agree so far.
    const AGREE_S: i64 = 600;
    let mut clocks: Vec<(String, i64)> = Vec::new();
    for web in facts.evidence.web.all() {
        if let Some(ahead) = web.reply.as_ref().and_then(|reply| reply.clock_ahead_s) {
            clocks.push((web.host.clone(), ahead));
        }
    }
    for attempt in facts.attempts() {
        let http = attempt.exchange.as_ref().and_then(|exchange| exchange.http.as_ref());
        if let Some(ahead) = http.and_then(|http| http.clock_ahead_s) {
            clocks.push((facts.host(), ahead));
        }
    }
    let wrong: Vec<&(String, i64)> = clocks.iter().filter(|(_, ahead)| ahead.abs() > FELT_S).collect();
    let Some((_, ahead)) = wrong.first() else { return };
    let agreeing = wrong.iter().filter(|(_, other)| (other - ahead).abs() <= AGREE_S).count();
    let by_certificate = facts
        .tls()
        .is_some_and(|(_, tls)| matches!(tls.outcome, TlsOutcome::Expired | TlsOutcome::NotYetValid));
    if agreeing * 2 <= clocks.len() || (agreeing < 2 && !by_certificate) {
        return;
    }
    let confidence = if agreeing >= 2 { Confidence::Certain } else { Confidence::Likely };
    let way = if *ahead > 0 { "behind" } else { "ahead" };
    let title = format!("the clock of this machine is {} {way}", span(ahead.unsigned_abs()));
    let mut finding = Finding::new("HOST.CLOCK", Layer::Host, way_detail(*ahead), confidence, title)
        .explains(&[Symptom::Clock, Symptom::Service]);
    for (host, ahead) in wrong.iter().take(3) {
        let side = if *ahead > 0 { "ahead of" } else { "behind" };
        let said = format!("the clock of {host} is {} {side} this machine's", span(ahead.unsigned_abs()));
        finding = finding
            .because(Fact::Web, said)
            .check(format!("curl -sI http://{host}/ | grep -i ^date; date -u"));
    }
    found.push(
        finding
            .remedy("let the clock be set by the network: timedatectl set-ntp true (then: timedatectl status)")
            .remedy("if it goes wrong again at each start, the battery of the hardware clock may be empty: hwclock --show"),
    );
}

fn way_detail(ahead: i64) -> &'static str {
    if ahead > 0 { "behind" } else { "ahead" }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
