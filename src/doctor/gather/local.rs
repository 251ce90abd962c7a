//! What this machine itself tells, without a packet.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::address::Family;
use crate::doctor::evidence::{self, DefaultRoute, Host, Link, LinkAddress, Loopback, Resolver};
use crate::sys::{self, Depth, Network};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Its limits and tables. The descriptors are tried before anything else needs some.
pub(super) fn host() -> Host {
    let limits = sys::descriptor_limits();
    let (to_be_had, error) = spare_descriptors();
    let tables = sys::tables();
    Host {
        descriptor_limit: limits.map(|(soft, _)| soft),
        descriptor_hard_limit: limits.map(|(_, hard)| hard),
        descriptors_to_be_had: to_be_had,
        descriptor_error: error.map(|error| error.to_string()),
        ephemeral: sys::port_settings().ephemeral,
        neighbours: tables.neighbours,
        neighbour_limit: sys::neighbour_limit(Family::Ipv4).map(u64::from),
        tracked: tables.tracked,
        tracked_limit: tables.tracked_limit,
    }
}

/// How many descriptors are to be had, of those that a program with a few connections needs, and what the system said to
/// one more.
fn spare_descriptors() -> (u64, Option<io::Error>) {
    let mut held = Vec::new();
    for count in 0..Host::DESCRIPTORS {
        let opened = if cfg!(unix) { fs::File::open("/dev/null") } else { return (Host::DESCRIPTORS, None) };
        match opened {
            Ok(file) => held.push(file),
            Err(error) => return (count, Some(error)),
        }
    }
    (Host::DESCRIPTORS, None)
}

/// Whether the machine can talk to itself: what the loopback is, and a connection over it.
pub(super) fn loopback(network: &Network) -> Loopback {
    let link = network.links.iter().find(|link| link.is_loopback);
    let has_address = network.addresses.as_ref().map(|addresses| {
        let is_it = |ip: IpAddr, prefix: u8| match ip {
            IpAddr::V4(ip) => ip == Ipv4Addr::LOCALHOST || (ip.is_loopback() && prefix <= 8),
            IpAddr::V6(_) => false,
        };
        addresses.iter().any(|address| is_it(address.ip, address.prefix_len))
    });
    let connected = connects_to_itself();
    Loopback {
        interface: link.map(|link| String::from_utf8_lossy(&link.name).into_owned()),
        is_up: link.map(|link| link.is_up),
        has_address,
        connects: Some(connected.is_ok()),
        error: connected.err().map(|error| error.to_string()),
    }
}

fn connects_to_itself() -> io::Result<()> {
    /// Nothing is nearer.
    const WAIT: Duration = Duration::from_millis(250);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to: SocketAddr = listener.local_addr()?;
    TcpStream::connect_timeout(&to, WAIT).map(drop)
}

/// Its interfaces.
pub(super) fn links(network: &Network) -> Vec<Link> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = |link: &sys::Link| Link {
        index: link.index,
        name: text(&link.name),
        kind: link.kind.as_deref().map(str::to_owned),
        is_up: link.is_up,
        carrier: link.carrier,
        carrier_changes: link.carrier_changes,
        is_loopback: link.is_loopback,
        has_no_arp: link.flags.iter().any(|flag| flag.eq_ignore_ascii_case("noarp")),
        mac: link.mac.map(|mac| mac.to_string()),
        mtu: link.mtu,
        master: link.master,
        rx_packets: link.counters.map(|counters| counters.rx_packets),
        tx_packets: link.counters.map(|counters| counters.tx_packets),
    };
    network.links.iter().map(told).collect()
}

/// Their addresses.
pub(super) fn addresses(network: &Network) -> Option<Vec<LinkAddress>> {
    let names = names(network);
    let told = |address: &sys::LinkAddress| LinkAddress {
        interface: names.get(&address.index).cloned().unwrap_or_else(|| address.index.to_string()),
        ip: address.ip,
        prefix_len: address.prefix_len,
        flags: address.flags.iter().map(|flag| (*flag).to_owned()).collect(),
    };
    Some(network.addresses.as_ref()?.iter().map(told).collect())
}

/// The default routes.
pub(super) fn routes(network: &Network) -> Option<Vec<DefaultRoute>> {
    let names = names(network);
    let routes = network.default_routes.as_ref()?;
    let best: Vec<_> =
        [Family::Ipv4, Family::Ipv6].iter().flat_map(|family| sys::best_routes(routes, *family)).collect();
    let told = |route: &sys::DefaultRoute| DefaultRoute {
        is_v6: route.family == Family::Ipv6,
        interface: names.get(&route.index).cloned().unwrap_or_else(|| route.index.to_string()),
        gateway: route.gateway,
        metric: route.metric.unwrap_or(0),
        source: route.source,
        protocol: route.protocol.as_deref().map(str::to_owned),
        is_best: best.iter().any(|best| std::ptr::eq(*best, route)),
        refusal: route.refusal.map(str::to_owned),
        is_dead: route.is_dead,
    };
    Some(routes.iter().map(told).collect())
}

fn names(network: &Network) -> HashMap<u32, String> {
    let name = |link: &sys::Link| (link.index, String::from_utf8_lossy(&link.name).into_owned());
    network.links.iter().map(name).collect()
}

/// Whom names are asked of, and what the hosts file says of one.
pub(super) fn resolver(name: Option<&str>, network: &Network) -> Resolver {
    let (file, text) = match fs::read_to_string(RESOLV_CONF) {
        Ok(text) => (RESOLV_CONF, Ok(text)),
        Err(error) => (RESOLV_CONF, Err(error)),
    };
    let mut resolver = Resolver { file: file.to_owned(), ..Resolver::default() };
    match text {
        Ok(text) => parse_resolv_conf(&text, &mut resolver),
        // It need not be there: then this machine itself is asked (resolv.conf(5)).
        Err(error) => {
            parse_resolv_conf("", &mut resolver);
            resolver.error = Some(error.to_string());
        }
    }
    if let Some(servers) = &network.dns_servers {
        resolver.servers = servers.iter().map(|(_, server)| server.clone()).collect();
        resolver.error = None;
    }
    let hosts = if cfg!(windows) { r"C:\Windows\System32\drivers\etc\hosts" } else { "/etc/hosts" };
    hosts.clone_into(&mut resolver.hosts_file);
    if let (Some(name), Ok(text)) = (name, fs::read(hosts)) {
        let text = String::from_utf8_lossy(&text);
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
            let name = name.trim_end_matches('.');
            if words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name)) {
                resolver.hosts.push(address);
                resolver.hosts_line.get_or_insert_with(|| format!("{}: {}", number + 1, line.trim()));
            }
        }
    }
    resolver
}

/// Parses what `resolv.conf(5)` describes; what it does not is skipped, as the resolver does.
fn parse_resolv_conf(text: &str, resolver: &mut Resolver) {
    /// MAXNS and the defaults of `resolv.h`.
    const MOST_SERVERS: usize = 3;
    (resolver.ndots, resolver.timeout_s, resolver.attempts) = (1, 5, 2);
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") if resolver.servers.len() < MOST_SERVERS => {
                resolver.servers.extend(words.next().map(str::to_owned));
            }
            Some("search" | "domain") => {
                resolver.search = words.map(|word| word.trim_end_matches('.').to_owned()).collect();
                resolver.search.retain(|domain| !domain.is_empty());
            }
            Some("options") => {
                for (key, value) in words.filter_map(|word| word.split_once(':')) {
                    let Ok(value) = value.parse::<u32>() else { continue };
                    match key {
                        // Capped as the resolver does (resolv.conf(5)).
                        "ndots" => resolver.ndots = value.min(15),
                        "timeout" => resolver.timeout_s = value.min(30),
                        "attempts" => resolver.attempts = value.min(5),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// The proxy that the environment names for a host, as curl(1) and most others read it: variable and value.
pub(super) fn proxy(scheme: &str, host: &str) -> Option<(String, String)> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    // HTTP_PROXY in capitals is what a web server may set from a request's header (CVE-2016-5385), and is not read.
    let names: &[&str] = match scheme {
        "https" => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let (variable, proxy) = names.iter().find_map(|name| Some(((*name).to_owned(), value(name)?)))?;
    let exempt = value("no_proxy").or_else(|| value("NO_PROXY")).unwrap_or_default();
    let is_exempt = exempt.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.trim_start_matches('.');
        entry == "*"
            || host.eq_ignore_ascii_case(entry)
            || host.len().checked_sub(entry.len() + 1).is_some_and(|at| {
                host.is_char_boundary(at) && host[at..].eq_ignore_ascii_case(&format!(".{entry}"))
            })
    });
    (!is_exempt).then_some((variable, proxy))
}

/// How often carriers have changed by now, by interface.
pub(super) fn carrier_changes(network: &Network) -> HashMap<String, u32> {
    let told =
        |link: &sys::Link| Some((String::from_utf8_lossy(&link.name).into_owned(), link.carrier_changes?));
    network.links.iter().filter_map(told).collect()
}

/// What the kernel tells of its network.
pub(super) fn network() -> io::Result<Network> {
    sys::network(Depth::Whole)
}

/// How carriers changed since a first look.
pub(super) fn carrier(
    before: &HashMap<String, u32>,
    within: Duration,
) -> Option<Vec<evidence::CarrierChange>> {
    let after = carrier_changes(&network().ok()?);
    let change = |(interface, before): (&String, &u32)| {
        Some(evidence::CarrierChange {
            interface: interface.clone(),
            before: *before,
            after: *after.get(interface)?,
            within_ms: super::dns::millis(within),
        })
    };
    Some(before.iter().filter_map(change).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_as_the_resolver_reads_it() {
        let mut resolver = Resolver::default();
        let text = "# x\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nsearch a.test b.test.\n\
                    options ndots:5 timeout:99 rotate attempts:x\nnameserver 1\nnameserver 2\n";
        parse_resolv_conf(text, &mut resolver);
        assert_eq!(resolver.servers, ["10.0.0.1", "fe80::1%eth0", "1"]);
        assert_eq!(resolver.search, ["a.test", "b.test"]);
        assert_eq!((resolver.ndots, resolver.timeout_s, resolver.attempts), (5, 30, 2));
    }
}
