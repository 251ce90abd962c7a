//! What to do to have a port.

use std::collections::BTreeSet;

use super::{Cause, Holder, Ownership, Port};
use crate::sys;

/// What to do, most helpful first; none where the port is free, or nobody asked.
pub(super) fn of(port: &Port) -> Vec<String> {
    let Some(kinds) = &port.bindable else { return Vec::new() };
    let blocked: Vec<_> =
        kinds.iter().filter(|kind| !kind.reuse_address && kind.can_bind != Some(true)).collect();
    let causes: BTreeSet<Cause> = blocked.iter().filter_map(|kind| kind.cause).collect();
    let mut remedies = Vec::new();
    let number = port.port;
    if causes.contains(&Cause::Privilege) {
        remedies.push(format!(
            "let every user bind it: sudo sysctl -w net.ipv4.ip_unprivileged_port_start={number}"
        ));
        remedies.push("let one program bind it: sudo setcap cap_net_bind_service=+ep PROGRAM".to_owned());
    }
    if causes.iter().any(|cause| !matches!(cause, Cause::Privilege | Cause::NoFamily)) {
        remedies.extend(endings(port));
        // What is left of connections goes by itself.
        let left = port.holders.iter().flatten().filter_map(|holder| holder.remaining_ms).max();
        let is_shared = kinds.iter().any(|kind| {
            let plain = |it: &&super::Bindable| {
                !it.reuse_address
                    && (it.family, it.protocol, it.v6only) == (kind.family, kind.protocol, kind.v6only)
            };
            kind.reuse_address
                && kind.can_bind == Some(true)
                && kinds.iter().find(plain).is_some_and(|plain| plain.can_bind != Some(true))
        });
        let is_listened = port.holders.iter().flatten().any(|holder| holder.state == "LISTEN");
        match left.filter(|_| !is_listened).map(|left| left.div_ceil(1000)) {
            Some(left) if is_shared => {
                remedies
                    .push(format!("wait {left} s, or set SO_REUSEADDR before bind(2), as most servers do"));
            }
            Some(left) => remedies.push(format!(
                "wait {left} s; SO_REUSEADDR helps only if the server that has gone had set it too"
            )),
            None if is_shared => {
                remedies.push("set SO_REUSEADDR before bind(2): what holds it has it set too".to_owned());
            }
            None => {}
        }
    }
    if !port.free_nearby.is_empty() {
        let free: Vec<String> = port.free_nearby.iter().map(u16::to_string).collect();
        remedies.push(format!("take a free port: {}", free.join(", ")));
    }
    remedies
}

/// How to end those that hold a port, each once.
fn endings(port: &Port) -> Vec<String> {
    /// More are not listed.
    const MOST: usize = 3;
    let mut ways: Vec<String> = Vec::new();
    for holder in port.holders.iter().flatten().filter(|holder| holder.owner != Ownership::None) {
        let way = ending(port.port, holder);
        if !ways.contains(&way) && ways.len() < MOST {
            ways.push(way);
        }
    }
    ways
}

fn ending(port: u16, holder: &Holder) -> String {
    let text = |text: &Option<crate::output::record::Untrusted>| {
        text.as_ref().map(|text| text.to_lossy().into_owned())
    };
    if let (Some(name), Some(kind)) = (text(&holder.container), holder.container_kind) {
        let command = match kind {
            "docker" | "podman" => format!("{kind} stop {name}"),
            "cri" => format!("crictl stop {name}"),
            "lxc" => format!("lxc-stop {name}"),
            "machine" => format!("machinectl poweroff {name}"),
            _ => format!("kill {}", holder.pid.map_or_else(|| "PID".to_owned(), |pid| pid.to_string())),
        };
        return format!("stop the container {name}: {command}");
    }
    if let Some(unit) = text(&holder.unit) {
        let manager = if holder.is_user_unit == Some(true) { "systemctl --user" } else { "sudo systemctl" };
        return format!("stop {unit}: {manager} stop {unit}");
    }
    match (holder.pid, text(&holder.process)) {
        (Some(1), Some(name)) if name == "systemd" => {
            format!("systemd holds it for a socket unit: systemctl list-sockets | grep {port}")
        }
        (Some(pid), Some(name)) => format!("end {name}: kill {pid}"),
        _ if holder.owner == Ownership::Hidden => {
            "the kernel itself has it (NFS, WireGuard ...), or a container's process: ask from the first PID namespace"
                .to_owned()
        }
        _ => {
            let user = text(&holder.user).or(holder.uid.map(|uid| uid.to_string()));
            let user = user.map_or_else(|| "another user".to_owned(), |user| format!("user {user}"));
            format!("ask root which process of {user} it is: sudo {} port {port}", sys::program())
        }
    }
}
