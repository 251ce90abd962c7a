//! All that there is to tell of one port, as a readable block.

use super::report::{Answer, protocols, sockets};
use super::{Bindable, Cause, Holder, Ownership, Port};
use crate::address::Family;
use crate::output::record::{Block, Line, Role, Untrusted};
use crate::sys::{PortSettings, Transport};

/// More sockets are only counted.
const MOST_SOCKETS: usize = 12;
/// More processes of one socket are only counted.
const MOST_PROCESSES: usize = 6;

/// All that is known of a port.
pub(super) fn block(port: &Port, settings: &PortSettings) -> Block {
    let mut block = Block::new(title(port));
    block.field("class", [class(port)]);
    block.field("here", here(port, settings));
    block.field(
        "services",
        port.services.iter().map(|service| {
            let name =
                Line::default().strong(service.name).dim(format!(" {}", protocols(&service.protocols)));
            if service.description.is_empty() {
                name
            } else {
                name.plain(format!("  {}", service.description))
            }
        }),
    );
    block.field(
        "IANA notes",
        port.notes.iter().map(|note| Line::new(note.note).dim(format!(" {}", protocols(&note.protocols)))),
    );
    block.field("held by", held_by(port));
    if let Some(kinds) = &port.bindable {
        for (label, protocol) in [("bind TCP", Transport::Tcp), ("bind UDP", Transport::Udp)] {
            block.field(label, bindable(kinds, protocol));
        }
    }
    block.field("what to do", port.remedies.iter().map(|remedy| Line::new(remedy.as_str())));
    block
}

fn title(port: &Port) -> Line {
    let mut line = Line::default().strong(match port.last_port {
        Some(last) => format!("{}-{last}", port.port),
        None => port.port.to_string(),
    });
    if let Some(service) = port.services.first() {
        line = line.plain(format!(" {}", service.name));
    }
    line = line.plain(": ");
    if port.port == 0 && port.last_port.is_none() {
        return line.plain("not a real port: a program that binds port 0 gets any free port");
    }
    if let (Some(last), Some(holders)) = (port.last_port, &port.holders) {
        let mut held: Vec<&str> =
            holders.iter().filter_map(|it| Some(it.local.rsplit_once(':')?.1)).collect();
        held.dedup();
        return line.plain(format!("{} of {} ports are held", held.len(), last - port.port + 1));
    }
    let servers: Vec<&Holder> = port.holders.iter().flatten().filter(|it| it.is_server).collect();
    let who = servers.first().map(|holder| match (&holder.process, holder.pid) {
        (Some(name), Some(pid)) => {
            let line = Line::default().strong(name.clone()).plain(format!(" (pid {pid})"));
            let mut others: Vec<u32> =
                servers.iter().filter_map(|it| it.pid).filter(|it| *it != pid).collect();
            others.sort_unstable();
            others.dedup();
            let line =
                if others.is_empty() { line } else { line.plain(format!(" and {} more", others.len())) };
            match &holder.hidden_parent {
                Some(parent) => line.plain(", started by ").strong(parent.process.clone()).plain(format!(
                    " (pid {}){}, hidden from this user",
                    parent.pid,
                    of(parent.user.as_ref(), parent.uid)
                )),
                None => line,
            }
        }
        _ => owner(holder),
    });
    match (&port.holders, who) {
        (None, _) => line.plain("this system does not show who holds it"),
        (_, Some(who)) => line.plain("held by ").and(who),
        (Some(holders), None) if holders.is_empty() => match port.is_free() {
            Some(true) => line.with(Role::Good, "free"),
            Some(false) => line.plain("free, but ").with(Role::Caution, "this user may not bind it"),
            None => line.plain("free"),
        },
        (Some(holders), None) => {
            let connections = sockets(holders).count();
            let noun = if connections == 1 { "connection" } else { "connections" };
            line.plain(format!("held by {connections} {noun}, no listener"))
        }
    }
}

/// Whose something is.
fn of(user: Option<&Untrusted>, uid: Option<u32>) -> String {
    match (user, uid) {
        (Some(name), _) => format!(" of {}", name.to_lossy()),
        (None, Some(uid)) => format!(" of user {uid}"),
        (None, None) => String::new(),
    }
}

fn class(port: &Port) -> Line {
    let range = match port.iana_range {
        super::IanaRange::System => "0-1023",
        super::IanaRange::User => "1024-49151",
        super::IanaRange::Dynamic => "49152-65535",
    };
    Line::default()
        .strong(port.class.name())
        .plain(format!(", IANA {} port ({range})", port.iana_range.name()))
}

/// What this system does with a port.
fn here(port: &Port, settings: &PortSettings) -> Vec<Line> {
    let mut lines = Vec::new();
    if let (Some(is), Some((first, last))) = (port.is_ephemeral_here, settings.ephemeral) {
        lines.push(if is {
            let line = Line::default().with(Role::Caution, "ephemeral");
            let line = line.plain(format!(": the kernel chooses source ports from {first}-{last}"));
            if port.is_reserved_here == Some(true) { line.plain(", except this one") } else { line }
        } else {
            Line::new(format!("not ephemeral: the kernel chooses source ports from {first}-{last}"))
        });
    }
    if let (Some(true), Some(start)) = (port.needs_privilege, settings.unprivileged_start) {
        let line = Line::default().with(Role::Caution, "privileged");
        let what = if cfg!(target_os = "linux") { "CAP_NET_BIND_SERVICE" } else { "root" };
        lines.push(line.plain(format!(": ports below {start} need {what}")));
    }
    if port.is_reserved_here == Some(true) {
        lines.push(Line::new(if cfg!(windows) {
            "excluded from use (netsh int ipv4 show excludedportrange)"
        } else {
            "reserved: in net.ipv4.ip_local_reserved_ports"
        }));
    }
    lines
}

fn held_by(port: &Port) -> Vec<Line> {
    let Some(holders) = &port.holders else {
        return vec![Line::default().dim("unknown: this system does not show it")];
    };
    let mut lines = Vec::new();
    let total = sockets(holders).count();
    // A command line is told once.
    let mut told: Vec<u32> = Vec::new();
    for holders in sockets(holders).take(MOST_SOCKETS) {
        lines.extend(socket(holders, &mut told));
    }
    if total > MOST_SOCKETS {
        lines.push(Line::default().dim(format!("and {} more", total - MOST_SOCKETS)));
    }
    lines
}

/// A socket, and who has it.
fn socket(holders: &[Holder], told: &mut Vec<u32>) -> Vec<Line> {
    let first = &holders[0];
    let role = if first.is_server { Role::Strong } else { Role::Plain };
    let mut line =
        Line::default().plain(format!("{} ", first.protocol.name())).with(role, first.local.as_str());
    if let Some(remote) = &first.remote {
        line = line.plain(format!(" to {remote}"));
    }
    line = line.plain(format!(" {}", first.state));
    if first.v6only == Some(false) && first.local.starts_with("[::]") {
        line = line.plain(", IPv4 too");
    }
    if let Some(interface) = &first.interface {
        line = line.plain(", on ").plain(interface.clone());
    }
    if let (Some(waiting), Some(backlog)) = (first.accept_queue, first.backlog)
        && waiting > 0
    {
        let text = format!(", {waiting} waiting to be accepted (backlog {backlog})");
        line = if waiting > backlog { line.with(Role::Bad, text) } else { line.plain(text) };
    }
    if let Some(left) = first.remaining_ms {
        line = line.with(Role::Caution, format!(", {} s left", left.div_ceil(1000)));
    }
    let mut lines = vec![line];
    if first.owner != Ownership::Known {
        if first.owner != Ownership::None || first.uid.is_some() {
            lines.push(Line::new("  ").and(owner(first)));
        }
        return lines;
    }
    for holder in holders.iter().take(MOST_PROCESSES) {
        let is_new = holder.pid.is_some_and(|pid| !told.contains(&pid));
        told.extend(holder.pid);
        lines.push(process(holder, is_new));
    }
    if holders.len() > MOST_PROCESSES {
        lines.push(Line::default().dim(format!("  and {} more processes", holders.len() - MOST_PROCESSES)));
    }
    lines
}

fn process(holder: &Holder, is_new: bool) -> Line {
    let mut line = Line::new("  ");
    if let (Some(name), Some(pid)) = (&holder.process, holder.pid) {
        line = line.strong(name.clone()).plain(format!(" (pid {pid})"));
    }
    line = line.and(of_user(holder)).and(place(holder));
    if let Some(command) = holder.command.as_ref().filter(|_| is_new) {
        line = line.plain(": ").dim(command.clone());
    }
    line
}

/// Who has a socket whose process is not known.
fn owner(holder: &Holder) -> Line {
    let what = match holder.owner {
        Ownership::Known | Ownership::Denied => "a process",
        Ownership::Unaccepted => return Line::new("no process yet: waits to be accepted"),
        Ownership::None => return Line::new("none: the process has ended"),
        Ownership::Hidden => return Line::new("the kernel, or a process of another namespace"),
    };
    let line = Line::new(what).and(of_user(holder)).and(place(holder));
    if holder.owner == Ownership::Denied { line.plain(", hidden from this user") } else { line }
}

fn of_user(holder: &Holder) -> Line {
    match (&holder.user, holder.uid) {
        (Some(name), _) => Line::new(" of ").plain(name.clone()),
        (None, Some(uid)) => Line::new(format!(" of user {uid}")),
        (None, None) => Line::default(),
    }
}

/// The unit, the container and the network namespace, as far as there is something to tell.
fn place(holder: &Holder) -> Line {
    let mut line = Line::default();
    if let Some(unit) = &holder.unit {
        line = line.plain(", ").plain(unit.clone());
    }
    if let (Some(name), Some(kind)) = (&holder.container, holder.container_kind) {
        let kind = if kind == "container" { String::new() } else { format!("{kind} ") };
        line = line.plain(format!(", {kind}container ")).plain(name.clone());
    }
    if let (Some(netns), Some(false)) = (&holder.netns, holder.is_own_netns) {
        line = line.plain(", itself in network namespace ").plain(netns.clone());
    }
    line
}

/// Whether a protocol's port can be bound, and why not.
fn bindable(kinds: &[Bindable], protocol: Transport) -> Vec<Line> {
    let Some(answer) = Answer::of(kinds, protocol) else { return Vec::new() };
    let kinds: Vec<&Bindable> = kinds.iter().filter(|kind| kind.protocol == protocol).collect();
    // The other way is the one that is told.
    let v6only_by_default = kinds.iter().any(|kind| kind.v6only == Some(false));
    let mut line = Line::default().with(answer.role(), answer.name());
    if kinds.iter().any(|kind| kind.is_checked) {
        line = line.plain(", as tried");
    }
    if answer == Answer::Yes {
        return vec![line];
    }
    let families = [
        ("IPv4", Family::Ipv4, None),
        (if v6only_by_default { "IPv6-only" } else { "dual-stack" }, Family::Ipv6, None),
        ("IPv6-only", Family::Ipv6, Some(true)),
        ("dual-stack", Family::Ipv6, Some(false)),
    ];
    let can = |family: Family, v6only: Option<bool>, reuse: bool| {
        let is_it =
            |kind: &&&Bindable| (kind.family, kind.v6only, kind.reuse_address) == (family, v6only, reuse);
        kinds.iter().find(is_it).map(|kind| kind.can_bind)
    };
    let told = |can: Option<bool>| can.map_or("not told", |can| if can { "yes" } else { "no" });
    let all: Vec<_> = families
        .iter()
        .filter_map(|(name, family, v6only)| {
            Some((name, can(*family, *v6only, false)?, can(*family, *v6only, true)?))
        })
        .collect();
    if !all.iter().all(|(_, plain, reusing)| (*plain, *reusing) == (Some(false), Some(false))) {
        let details = all.iter().map(|(name, plain, reusing)| {
            let reusing = if reusing == plain {
                String::new()
            } else {
                format!(" (with SO_REUSEADDR {})", told(*reusing))
            };
            format!("{name} {}{reusing}", told(*plain))
        });
        line = line.plain(": ").plain(details.collect::<Vec<_>>().join(", "));
    }
    let mut lines = vec![line];
    let mut reasons: Vec<&str> = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.cause != Some(Cause::NoFamily)) {
        let Some(reason) = kind.reason.as_deref() else { continue };
        // Of two that begin alike the longer says more.
        match reasons.iter_mut().find(|known| reason.starts_with(**known) || known.starts_with(reason)) {
            Some(known) if known.len() < reason.len() => *known = reason,
            Some(_) => {}
            None => reasons.push(reason),
        }
    }
    lines.extend(reasons.into_iter().map(|reason| Line::default().dim(reason)));
    lines
}
