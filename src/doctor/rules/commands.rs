//! The commands by which a person checks or mends something, as the system at hand has them.

use crate::doctor::evidence::Evidence;

/// The commands of one system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commands {
    Linux,
    Mac,
    Windows,
}

impl Commands {
    pub(super) fn of(evidence: &Evidence) -> Self {
        match evidence.about.system.as_str() {
            "windows" => Self::Windows,
            "macos" | "freebsd" => Self::Mac,
            _ => Self::Linux,
        }
    }

    pub(super) fn links(self) -> String {
        self.choose("ip link", "ifconfig -a", "netsh interface show interface")
    }

    pub(super) fn link(self, name: &str) -> String {
        let name = quoted(name);
        self.choose(
            &format!("ip link show {name}"),
            &format!("ifconfig {name}"),
            &format!("netsh interface show interface {name}"),
        )
    }

    pub(super) fn link_up(self, name: &str) -> String {
        let name = quoted(name);
        self.choose(
            &format!("ip link set {name} up"),
            &format!("ifconfig {name} up"),
            &format!("netsh interface set interface {name} enabled"),
        )
    }

    /// The command that shows how a link's carrier changes.
    pub(super) fn watch_carrier(self, name: &str) -> String {
        match self {
            Self::Linux => format!("ip monitor link dev {}", quoted(name)),
            Self::Mac | Self::Windows => self.link(name),
        }
    }

    pub(super) fn addresses(self) -> String {
        self.choose("ip address", "ifconfig", "ipconfig /all")
    }

    pub(super) fn routes(self) -> String {
        self.choose("ip route; ip -6 route", "netstat -rn", "route print")
    }

    pub(super) fn route_to(self, to: &str) -> String {
        self.choose(
            &format!("ip route get {to}"),
            &format!("route -n get {to}"),
            &format!("powershell Find-NetRoute -RemoteIPAddress {to}"),
        )
    }

    pub(super) fn neighbours(self) -> String {
        self.choose("ip neighbour", "arp -an", "arp -a")
    }

    pub(super) fn renew(self, interface: &str) -> String {
        let interface = quoted(interface);
        self.choose(
            &format!(
                "dhclient -v {interface} (or: nmcli device reapply {interface}, networkctl renew {interface})"
            ),
            &format!("ipconfig set {interface} DHCP"),
            "ipconfig /renew",
        )
    }

    pub(super) fn firewall(self) -> String {
        self.choose(
            "nft list ruleset (as root; iptables-save for the old kind)",
            "pfctl -sr",
            "netsh advfirewall show allprofiles",
        )
    }

    pub(super) fn resolver(self) -> String {
        self.choose("cat /etc/resolv.conf", "scutil --dns", "ipconfig /all")
    }

    fn choose(self, linux: &str, mac: &str, windows: &str) -> String {
        match self {
            Self::Linux => linux,
            Self::Mac => mac,
            Self::Windows => windows,
        }
        .to_owned()
    }
}

/// A name as a shell takes it: others may have chosen it, and it will be pasted.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/%@[]=+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
