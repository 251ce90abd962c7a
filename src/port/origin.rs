//! What the path of a control group tells: the systemd unit, the container.

/// Where a process comes from, as far as its control group's name tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The systemd unit that started it.
    pub(super) unit: Option<String>,
    /// Whether that is a unit of a user's own manager (`systemctl --user`).
    pub(super) is_of_user: bool,
    /// The container it runs in, and what made it.
    pub(super) container: Option<(Maker, String)>,
}

/// What made a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Docker,
    Podman,
    /// containerd or CRI-O, for Kubernetes say.
    Cri,
    Lxc,
    /// systemd-nspawn, or another that registers with systemd-machined.
    Machine,
    /// By its name a container, of which it is not known who made it.
    Unknown,
}

impl Maker {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Cri => "cri",
            Self::Lxc => "lxc",
            Self::Machine => "machine",
            Self::Unknown => "container",
        }
    }
}

/// What a control group's path tells, as managers name them: `systemd.unit(5)`, and the runtimes' own documentation of
/// their cgroupfs and systemd drivers.
pub(super) fn of(path: &str) -> Origin {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let mut origin = Origin::default();
    for (place, part) in parts.iter().enumerate() {
        let before = place.checked_sub(1).map_or("", |before| parts[before]);
        if let Some(container) =
            container(before, part, parts[..place].iter().any(|it| it.contains("kubepods")))
        {
            origin.container = Some(container);
        }
        let is_unit = part.ends_with(".service") || part.ends_with(".socket");
        // The manager of a user is a unit too, of which what it runs is the news.
        let is_manager = part.starts_with("user@") && part.ends_with(".service");
        if is_unit && !is_manager && origin.container.is_none() {
            origin.unit = Some((*part).to_owned());
            origin.is_of_user = parts[..place].iter().any(|it| it.starts_with("user@"));
        }
    }
    origin
}

fn container(before: &str, part: &str, is_in_pod: bool) -> Option<(Maker, String)> {
    /// What a hexadecimal id of a container has.
    const ID: usize = 64;
    let is_id = |text: &str| text.len() == ID && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let short = |id: &str| id[..12].to_owned();
    if let Some(scope) = part.strip_suffix(".scope") {
        for (prefix, maker) in [
            ("docker-", Maker::Docker),
            ("libpod-", Maker::Podman),
            ("cri-containerd-", Maker::Cri),
            ("crio-", Maker::Cri),
        ] {
            if let Some(id) = scope.strip_prefix(prefix).filter(|id| is_id(id)) {
                return Some((maker, short(id)));
            }
        }
        return scope.strip_prefix("machine-").map(|name| (Maker::Machine, unescaped(name)));
    }
    if let Some(name) = part.strip_prefix("lxc.payload.") {
        return Some((Maker::Lxc, name.to_owned()));
    }
    let part = part.strip_prefix("libpod-").unwrap_or(part);
    match before {
        "lxc" => Some((Maker::Lxc, part.to_owned())),
        "docker" if is_id(part) => Some((Maker::Docker, short(part))),
        "libpod_parent" | "libpod" if is_id(part) => Some((Maker::Podman, short(part))),
        _ if is_id(part) => Some((if is_in_pod { Maker::Cri } else { Maker::Unknown }, short(part))),
        _ => None,
    }
}

/// A name that systemd has escaped (`systemd-escape(1)`): `\x2d` is a hyphen.
fn unescaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("\\x") {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(code) = code.filter(u8::is_ascii) {
            out.push(char::from(code));
            rest = &rest[at + 4..];
        } else {
            out.push_str("\\x");
            rest = &rest[at + 2..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn units_of_the_system_and_of_users() {
        for (path, unit, is_of_user) in [
            ("/system.slice/nginx.service", Some("nginx.service"), false),
            (
                "/system.slice/system-postgresql.slice/postgresql@15-main.service",
                Some("postgresql@15-main.service"),
                false,
            ),
            ("/system.slice/ssh.socket", Some("ssh.socket"), false),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service",
                Some("web.service"),
                true,
            ),
            ("/user.slice/user-1000.slice/user@1000.service/init.scope", None, false),
            ("/user.slice/user-1000.slice/session-3.scope", None, false),
            ("/", None, false),
            ("", None, false),
        ] {
            let origin = of(path);
            assert_eq!((origin.unit.as_deref(), origin.is_of_user), (unit, is_of_user), "{path}");
            assert_eq!(origin.container, None, "{path}");
        }
    }

    #[test]
    fn containers_of_every_maker() {
        for (path, maker, name) in [
            (format!("/docker/{ID}"), Maker::Docker, &ID[..12]),
            (format!("/system.slice/docker-{ID}.scope"), Maker::Docker, &ID[..12]),
            (format!("/machine.slice/libpod-{ID}.scope/container"), Maker::Podman, &ID[..12]),
            (format!("/libpod_parent/libpod-{ID}"), Maker::Podman, &ID[..12]),
            (format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"), Maker::Cri, &ID[..12]),
            (format!("/kubepods/besteffort/pod1/{ID}"), Maker::Cri, &ID[..12]),
            ("/lxc/web".to_owned(), Maker::Lxc, "web"),
            ("/lxc.payload.web/system.slice/nginx.service".to_owned(), Maker::Lxc, "web"),
            ("/machine.slice/machine-my\\x2dbox.scope/payload".to_owned(), Maker::Machine, "my-box"),
            (format!("/actions_job/{ID}"), Maker::Unknown, &ID[..12]),
        ] {
            assert_eq!(of(&path).container, Some((maker, name.to_owned())), "{path}");
        }
    }

    #[test]
    fn names_that_are_escaped_wrongly_stay_as_they_are() {
        assert_eq!(unescaped("a\\x2"), "a\\x2");
        assert_eq!(unescaped("\\xff\\x2d"), "\\xff-");
        assert_eq!(of("/docker/short").container, None);
    }
}
