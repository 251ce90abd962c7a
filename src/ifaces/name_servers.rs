//! Which name servers are asked, and by way of which interface.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};

use super::{Iface, IfaceAddress};
use crate::address::Class;
use crate::output::record::Untrusted;
use crate::sys;

/// systemd-resolved's stub listeners (`systemd-resolved.service(8)`): the real servers stand elsewhere.
const STUBS: [&str; 2] = ["127.0.0.53", "127.0.0.54"];
/// Where systemd-resolved keeps the servers that its stub hides.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";
/// Where it keeps those of one link by index that a program like NetworkManager told it, and their key
/// (`resolved-link.c`); and where systemd-networkd keeps its own (`networkd-state-file.c`): for when it does not answer.
const BY_LINK: [(&str, &str); 2] =
    [("/run/systemd/resolve/netif", "SERVERS="), ("/run/systemd/netif/links", "DNS=")];

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
    let behind = read(BEHIND_STUB);
    let is_stub = servers.iter().any(|server| STUBS.contains(&server.as_str()));
    if !behind.is_empty() && (is_stub || servers == behind) {
        // What a link has is only its own; the rest is for all.
        let told = sys::name_servers_by_link().ok();
        let mut own = Vec::new();
        for iface in interfaces.iter_mut() {
            let servers = match &told {
                Some(told) => told.iter().filter(|(index, _)| *index == iface.index).map(written).collect(),
                None => of_link(iface.index),
            };
            iface.dns_servers = servers.iter().map(|server| Untrusted::from(server.as_str())).collect();
            own.extend(servers);
        }
        let bare = |server: &str| server.split('%').next().unwrap_or_default().to_owned();
        servers = behind;
        servers.retain(|server| !own.iter().any(|own| bare(own) == bare(server)));
    }
    let leads_out = interfaces.iter().any(|iface| iface.is_default_route == Some(true));
    for iface in interfaces {
        let is_candidate = if leads_out {
            iface.is_default_route == Some(true)
        } else {
            let reaches = |address: &IfaceAddress| address.class != Class::LinkLocal;
            iface.is_up && iface.addresses.iter().any(reaches) && !iface.is_loopback()
        };
        if is_candidate {
            iface.dns_servers.extend(servers.iter().map(|server| Untrusted::from(server.as_str())));
        }
    }
}

/// A server as resolv.conf has it: one that is only unique on its link with that.
fn written((index, ip): &(u32, IpAddr)) -> String {
    if ip.is_ipv6() && Class::of(*ip) == Class::LinkLocal { format!("{ip}%{index}") } else { ip.to_string() }
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
            is_address(server).then(|| server.to_owned())
        })
        .collect()
}

/// The servers that systemd-resolved asks by way of a link.
fn of_link(index: u32) -> Vec<String> {
    BY_LINK
        .iter()
        .filter_map(|(folder, key)| {
            let text = fs::read(format!("{folder}/{index}")).ok()?;
            Some(parse_state(&String::from_utf8_lossy(&text), key))
        })
        .find(|servers| !servers.is_empty())
        .unwrap_or_default()
}

/// The servers of one line of a state file: `ADDRESS[:PORT][%INTERFACE][#NAME]`, with blanks between.
fn parse_state(text: &str, key: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    let servers = line.split_whitespace().filter_map(|server| server.split('#').next());
    servers
        .filter(|server| is_address(server) || server.parse::<SocketAddr>().is_ok())
        .map(str::to_owned)
        .collect()
}

fn is_address(server: &str) -> bool {
    server.split('%').next().is_some_and(|address| address.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_zones_are_kept_and_the_rest_is_passed_over() {
        let text = "# nameserver 9.9.9.9\nsearch lan\nnameserver\t10.0.0.1 # home\n\
                    nameserver fe80::1%eth0\nnameserver nonsense\nnameservers 1.1.1.1\noptions edns0\n";
        assert_eq!(parse(text), ["10.0.0.1", "fe80::1%eth0"]);
    }

    #[test]
    fn a_links_state_names_its_servers() {
        let text = "# This is private data. Do not parse.\nLLMNR=yes\nDNS_X=1.1.1.1\n\
                    SERVERS=10.0.0.1 fe80::1%2 9.9.9.9#dns.example [fd00::1]:5353 nonsense\nDOMAINS=lan\n";
        assert_eq!(parse_state(text, "SERVERS="), ["10.0.0.1", "fe80::1%2", "9.9.9.9", "[fd00::1]:5353"]);
        assert!(parse_state(text, "DNS=").is_empty());
    }
}
