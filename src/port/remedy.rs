//! What to do to have a port.

use std::collections::BTreeSet;

use super::{Bindable, Cause, Holder, Ownership, Port};
use crate::output::record::Untrusted;
use crate::sys::{self, Transport};

/// What to do, most helpful first; none where the port is free, or nobody asked.
pub(super) fn of(port: &Port) -> Vec<String> {
    let Some(kinds) = &port.bindable else { return Vec::new() };
    let causes = |protocol: Option<Transport>| -> BTreeSet<Cause> {
        let is_blocked = |kind: &&Bindable| {
            !kind.reuse_address
                && kind.can_bind != Some(true)
                && protocol.is_none_or(|it| it == kind.protocol)
        };
        kinds.iter().filter(is_blocked).filter_map(|kind| kind.cause).collect()
    };
    let all = causes(None);
    let mut remedies = Vec::new();
    let number = port.port;
    if all.contains(&Cause::Privilege) && cfg!(target_os = "linux") {
        remedies.push(format!(
            "let every user bind it: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={number}"
        ));
        remedies.push("let one program bind it: sudo setcap cap_net_bind_service=+ep PROGRAM".to_owned());
    } else if all.contains(&Cause::Privilege) {
        remedies.push("bind it as root, or use a higher port".to_owned());
    }
    let is_held = |cause: &Cause| {
        !matches!(cause, Cause::Privilege | Cause::NoFamily | Cause::Refused | Cause::Unknown)
    };
    if all.iter().any(|cause| is_held(cause) || *cause == Cause::Unknown) {
        remedies.extend(endings(port));
    }
    // TCP alone: a UDP socket that shares its port shares its packets, which is no way to have it.
    let of_tcp = causes(Some(Transport::Tcp));
    let helps = kinds.iter().any(|kind| {
        let is_plain = |it: &&Bindable| {
            !it.reuse_address
                && (it.family, it.protocol, it.v6only) == (kind.family, kind.protocol, kind.v6only)
        };
        kind.protocol == Transport::Tcp
            && kind.reuse_address
            && kind.can_bind == Some(true)
            && kinds.iter().find(is_plain).is_some_and(|plain| plain.can_bind != Some(true))
    });
    // What is left of connections goes by itself, if nothing else is in the way.
    let mut of_tcp_sockets = port.holders.iter().flatten().filter(|it| it.protocol == Transport::Tcp);
    let only_remnants = of_tcp_sockets.all(|holder| holder.owner == Ownership::None);
    let left = port.holders.iter().flatten().filter_map(|holder| holder.remaining_ms).max();
    match left.filter(|_| only_remnants && of_tcp.iter().any(is_held)).map(|left| left.div_ceil(1000)) {
        Some(left) if helps => {
            remedies.push(format!("wait {left} s, or set SO_REUSEADDR before bind(2), as most servers do"));
        }
        Some(left) => remedies
            .push(format!("wait {left} s; SO_REUSEADDR helps only if the ended server had set it, too")),
        None if helps => {
            remedies.push("for TCP, set SO_REUSEADDR before bind(2): its holder has set it, too".to_owned());
        }
        None => {}
    }
    remedies.extend(elsewhere(port, &all));
    if !port.free_nearby.is_empty() {
        let free: Vec<String> = port.free_nearby.iter().map(u16::to_string).collect();
        remedies.push(format!("use a free port: {}", free.join(", ")));
    }
    remedies
}

/// Other ways to have a port than to end who holds it: another address, or a share in it.
fn elsewhere(port: &Port, causes: &BTreeSet<Cause>) -> Option<String> {
    let servers: Vec<&Holder> = port.holders.iter().flatten().filter(|holder| holder.is_server).collect();
    let is_wildcard =
        |holder: &&Holder| holder.local.starts_with("0.0.0.0:") || holder.local.starts_with("[::]:");
    let first = servers.first()?;
    if causes.contains(&Cause::Privilege) {
        return None;
    }
    if !servers.iter().any(is_wildcard) {
        let mut taken: Vec<&str> =
            servers.iter().filter_map(|holder| Some(holder.local.rsplit_once(':')?.0)).collect();
        taken.sort_unstable();
        taken.dedup();
        return Some(format!("bind a single address other than {}", taken.join(", ")));
    }
    // Two listeners of one address can only be where both have SO_REUSEPORT set.
    let is_shared = servers.iter().any(|holder| {
        holder.state == "LISTEN"
            && holder.socket != first.socket
            && (&holder.local, &holder.interface) == (&first.local, &first.interface)
    });
    is_shared.then(|| "bind it as the same user with SO_REUSEPORT, which its holders have set".to_owned())
}

/// How to end those that hold a port, each once.
fn endings(port: &Port) -> Vec<String> {
    /// More are not listed.
    const MOST: usize = 3;
    let mut ways: Vec<String> = Vec::new();
    // Of the processes of one program that share a socket the first is the one that started the others.
    let mut told: Vec<(usize, Option<&Untrusted>)> = Vec::new();
    let holders = port.holders.iter().flatten();
    for holder in holders.filter(|it| !matches!(it.owner, Ownership::None | Ownership::Unaccepted)) {
        let group = (holder.socket, holder.process.as_ref());
        if told.contains(&group) {
            continue;
        }
        told.push(group);
        let way = ending(port, holder);
        if !ways.contains(&way) && ways.len() < MOST {
            ways.push(way);
        }
    }
    ways
}

fn ending(port: &Port, holder: &Holder) -> String {
    let number = port.port;
    let text = |text: &Option<Untrusted>| text.as_ref().map(|text| text.to_lossy().into_owned());
    let kill = |pid: u32| if cfg!(windows) { format!("taskkill /PID {pid}") } else { format!("kill {pid}") };
    if let (Some(name), Some(kind)) = (text(&holder.container), holder.container_kind) {
        let quoted = quoted(&name);
        let command = match kind {
            "docker" | "podman" => format!("{kind} stop {quoted}"),
            "cri" => format!("crictl stop {quoted}"),
            "lxc" => format!("lxc-stop {quoted}"),
            "machine" => format!("machinectl poweroff {quoted}"),
            _ => holder.pid.map_or_else(|| "with the container's own manager".to_owned(), kill),
        };
        return format!("stop the container {name}: {command}");
    }
    if let Some(unit) = text(&holder.unit) {
        let manager = if holder.is_user_unit == Some(true) { "systemctl --user" } else { "sudo systemctl" };
        return format!("stop {unit}: {manager} stop {}", quoted(&unit));
    }
    if let Some(parent) = &holder.hidden_parent {
        let name = parent.process.to_lossy();
        return format!(
            "stop {name} (pid {0}), the parent, which most likely holds it, too, not its workers: sudo kill {0}",
            parent.pid
        );
    }
    match (holder.pid, text(&holder.process)) {
        (Some(1), Some(name)) if name == "systemd" => {
            format!(
                "systemd holds it for a socket unit; find the unit: systemctl list-sockets | grep {number}"
            )
        }
        (Some(pid), Some(name)) if cfg!(windows) => format!("stop {name}: {}", kill(pid)),
        (Some(_), Some(name)) => {
            // All of them that share the socket: not every program's children end with it.
            let mates = port.holders.iter().flatten();
            let mates = mates.filter(|it| (it.socket, &it.process) == (holder.socket, &holder.process));
            let pids: Vec<String> = mates.filter_map(|it| it.pid).map(|pid| pid.to_string()).collect();
            format!("stop {name}: kill {}", pids.join(" "))
        }
        _ if holder.owner == Ownership::Hidden => {
            "held by the kernel (NFS, WireGuard ...) or by a container's process: run netdiag on the host"
                .to_owned()
        }
        _ => {
            let user = text(&holder.user).or(holder.uid.map(|uid| uid.to_string()));
            let user = user.map_or_else(|| "another user".to_owned(), |user| format!("user {user}"));
            format!(
                "run as root to see the process of {user}: sudo {} port {number}",
                quoted(&sys::program())
            )
        }
    }
}

/// A word as a shell takes it for one: names of units and containers are others' to choose.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_named_is_one_word_to_a_shell() {
        assert_eq!(quoted("postgresql@15-main.service"), "postgresql@15-main.service");
        assert_eq!(quoted("x;reboot #.service"), "'x;reboot #.service'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
