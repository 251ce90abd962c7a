//! What the facts about this machine and its link say.

use super::{List, Status, shortened};

pub(super) fn limits(list: &mut List<'_>) {
    let Some(host) = list.evidence.host.get() else { return };
    match &host.descriptor_error {
        Some(error) => {
            list.add(Status::Fail, format!("only {} more descriptors: {error}", host.descriptors_to_be_had));
        }
        None => list.add(Status::Pass, "enough files and sockets can be opened"),
    }
}

pub(super) fn loopback(list: &mut List<'_>) {
    let Some(loopback) = list.evidence.loopback.get() else { return };
    let is_well = loopback.is_up != Some(false)
        && loopback.has_address != Some(false)
        && loopback.connects != Some(false);
    let detail = match (&loopback.error, is_well) {
        (Some(error), _) => error.as_str(),
        (None, true) => "talks to itself",
        (None, false) => "it is down, or has lost 127.0.0.1",
    };
    list.add(Status::pass_if(is_well), detail);
}

pub(super) fn links(list: &mut List<'_>) {
    let uplinks: Vec<_> = list.evidence.links.all().iter().filter(|link| link.is_uplink()).collect();
    if uplinks.is_empty() {
        list.add(Status::Fail, "none but the loopback");
    }
    let some_work = uplinks.iter().any(|link| link.works());
    let dead = if some_work { Status::Warn } else { Status::Fail };
    for link in uplinks {
        let (status, detail) = match (link.is_up, link.carrier) {
            (false, _) => (dead, "down"),
            (true, Some(false)) => (dead, "up, no carrier"),
            (true, _) => (Status::Pass, "up"),
        };
        list.add_named(&link.name, status, detail);
    }
}

pub(super) fn addresses(list: &mut List<'_>) {
    let reaches = |ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
        std::net::IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_loopback(),
    };
    let told: Vec<String> = list
        .evidence
        .addresses
        .all()
        .iter()
        .filter(|address| reaches(address.ip))
        .map(|address| format!("{}/{}", address.ip, address.prefix_len))
        .collect();
    if told.is_empty() {
        list.add(Status::Fail, "none that reaches beyond a link");
    } else {
        list.add(Status::Pass, shortened(&told));
    }
}

pub(super) fn routes(list: &mut List<'_>) {
    let best: Vec<String> = list
        .evidence
        .routes
        .all()
        .iter()
        .filter(|route| route.is_best)
        .map(|route| match route.gateway {
            Some(gateway) => format!("{gateway} by {}", route.interface),
            None => format!("by {}", route.interface),
        })
        .collect();
    if best.is_empty() {
        list.add(Status::Warn, "no default route");
    } else {
        list.add(Status::Pass, best.join(", "));
    }
}

pub(super) fn resolver(list: &mut List<'_>) {
    let Some(resolver) = list.evidence.resolver.get() else { return };
    if resolver.servers.is_empty() {
        list.add(Status::Warn, format!("{}: no name server", resolver.file));
    } else {
        list.add(Status::Pass, resolver.servers.join(", "));
    }
    if let Some(line) = &resolver.hosts_line {
        let detail = format!("{}, line {line}", resolver.hosts_file);
        list.add_timed("hosts file", None, Status::Pass, detail);
    }
}

pub(super) fn gateways(list: &mut List<'_>) {
    for gateway in list.evidence.gateways.all() {
        let name = format!("{} {}", list.fact.check(), gateway.address);
        let state = gateway.state.as_deref().unwrap_or("unknown");
        let (status, detail) = match (gateway.is_found(), gateway.answers_ping()) {
            (_, true) => (Status::Pass, format!("answers by {}", gateway.interface)),
            (Some(true), false) if gateway.pings.is_none() => {
                (Status::Pass, format!("is there ({state}); echo requests were not sent"))
            }
            (Some(true), false) => (Status::Pass, format!("is there ({state}), and answers no echo request")),
            (Some(false), _) if gateway.is_best => {
                (Status::Fail, format!("nobody answers by {} ({state})", gateway.interface))
            }
            _ => (Status::Warn, format!("not heard of yet by {} ({state})", gateway.interface)),
        };
        list.add_named(&name, status, detail);
    }
}

pub(super) fn claims(list: &mut List<'_>) {
    let Some(claims) = list.evidence.claims.get() else { return };
    let taken: Vec<String> = claims
        .answers
        .iter()
        .filter(|claim| claim.macs.len() > usize::from(!claim.is_own))
        .map(|claim| format!("{} is claimed by {}", claim.address, claim.macs.join(" and ")))
        .collect();
    if !taken.is_empty() {
        list.add(Status::Fail, taken.join(", "));
    } else if !claims.own_mac_users.is_empty() {
        list.add(Status::Fail, format!("{} is another host's hardware address, too", claims.own_mac));
    } else {
        list.add(Status::Pass, "nobody else has these");
    }
}

pub(super) fn carrier(list: &mut List<'_>) {
    let restless: Vec<String> = list
        .evidence
        .carrier
        .all()
        .iter()
        .filter(|change| change.after > change.before)
        .map(|change| format!("{} changed {} times", change.interface, change.after - change.before))
        .collect();
    if !restless.is_empty() {
        list.add(Status::Fail, restless.join(", "));
    }
}
