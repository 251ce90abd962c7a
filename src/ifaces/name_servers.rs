//! Which name servers are asked, and by way of which interface.

use std::collections::BTreeMap;
use std::fs;

use super::Iface;
use crate::output::record::Untrusted;

/// systemd-resolved's stub listener (`systemd-resolved.service(8)`): the real servers stand elsewhere.
const STUB: &str = "127.0.0.53";
/// Where systemd-resolved keeps the servers that its stub hides.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";

/// Gives each interface its name servers: those the system keeps by interface, else those of resolv.conf,
/// which belong to whatever interface leads out.
pub(super) fn assign(interfaces: &mut [Iface], by_interface: Option<Vec<(u32, String)>>) {
    if let Some(servers) = by_interface {
        let mut by_index: BTreeMap<u32, Vec<Untrusted>> = BTreeMap::new();
        for (index, server) in servers {
            by_index.entry(index).or_default().push(server.into());
        }
        for iface in interfaces {
            iface.dns_servers = by_index.remove(&iface.index).unwrap_or_default();
        }
        return;
    }
    let mut servers = read("/etc/resolv.conf");
    if servers == [STUB] {
        let real = read(BEHIND_STUB);
        servers = if real.is_empty() { servers } else { real };
    }
    let leads_out = interfaces.iter().any(|iface| iface.is_default_route == Some(true));
    for iface in interfaces {
        let is_candidate = if leads_out {
            iface.is_default_route == Some(true)
        } else {
            iface.is_up && !iface.addresses.is_empty() && iface.kind.as_deref() != Some("loopback")
        };
        if is_candidate {
            iface.dns_servers = servers.iter().map(|server| Untrusted::from(server.as_str())).collect();
        }
    }
}

fn read(path: &str) -> Vec<String> {
    fs::read(path).map(|text| parse(&String::from_utf8_lossy(&text))).unwrap_or_default()
}

/// The servers of a resolv.conf (`resolv.conf(5)`), in order, with their zones.
fn parse(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            // The keyword begins the line; `#` and `;` begin a comment.
            let rest = line.strip_prefix("nameserver")?;
            let server = rest.strip_prefix([' ', '\t'])?.split_whitespace().next()?;
            let address = server.split('%').next()?;
            address.parse::<std::net::IpAddr>().is_ok().then(|| server.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn order_and_zones_are_kept_and_the_rest_is_passed_over() {
        let text = "# nameserver 9.9.9.9\nsearch lan\nnameserver\t10.0.0.1 # home\n\
                    nameserver fe80::1%eth0\nnameserver nonsense\nnameservers 1.1.1.1\noptions edns0\n";
        assert_eq!(parse(text), ["10.0.0.1", "fe80::1%eth0"]);
    }
}
