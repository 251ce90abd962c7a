//! What the kernel counts (`proc(5)`: /proc/net/snmp, netstat, snmp6) and how full its tables are.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use crate::sys::Tables;

/// The counters of this network namespace by name: `Ip.InReceives`, `TcpExt.IPReversePathFilter`, `Ip6.InDelivers`.
pub(in crate::sys) fn network_counters() -> io::Result<BTreeMap<String, u64>> {
    let mut counters = BTreeMap::new();
    for path in ["/proc/net/snmp", "/proc/net/netstat"] {
        parse_pairs(&fs::read_to_string(path)?, &mut counters);
    }
    // A kernel without IPv6 has no such file.
    for line in fs::read_to_string("/proc/net/snmp6").unwrap_or_default().lines() {
        if let Some((name, value)) = line.split_once(char::is_whitespace)
            && let (Some(name), Ok(value)) = (name.strip_prefix("Ip6"), value.trim().parse())
        {
            counters.insert(format!("Ip6.{name}"), value);
        }
    }
    Ok(counters)
}

/// Parses pairs of lines, names above and values below.
fn parse_pairs(text: &str, counters: &mut BTreeMap<String, u64>) {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let mut names = names.split_whitespace();
        let Some(group) = names.next() else { continue };
        for (name, value) in names.zip(values.split_whitespace().skip(1)) {
            // A limit may be -1, which is no count.
            if let Ok(value) = value.parse() {
                counters.insert(format!("{}.{name}", group.trim_end_matches(':')), value);
            }
        }
    }
}

pub(in crate::sys) fn tables() -> Tables {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    let arp = fs::read_to_string("/proc/net/stat/arp_cache").unwrap_or_default();
    Tables {
        neighbours: column(&arp, "entries").map(|each| each.first().copied().unwrap_or(0)),
        neighbour_overflows: column(&arp, "table_fulls").map(|each| each.iter().sum()),
        tracked: number("/proc/sys/net/netfilter/nf_conntrack_count"),
        tracked_limit: number("/proc/sys/net/netfilter/nf_conntrack_max"),
    }
}

/// The figures of one column of a table of hexadecimal numbers, a line a processor.
fn column(text: &str, name: &str) -> Option<Vec<u64>> {
    let mut lines = text.lines();
    let place = lines.next()?.split_whitespace().position(|title| title == name)?;
    let figure = |line: &str| u64::from_str_radix(line.split_whitespace().nth(place)?, 16).ok();
    Some(lines.filter_map(figure).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_their_values() {
        let mut counters = BTreeMap::new();
        parse_pairs("Tcp: MaxConn InCsumErrors\nTcp: -1 7\nIcmp: InMsgs\nIcmp: 3\n", &mut counters);
        assert_eq!(counters.get("Tcp.InCsumErrors"), Some(&7));
        assert_eq!(counters.get("Tcp.MaxConn"), None);
        assert_eq!(counters.get("Icmp.InMsgs"), Some(&3));
        let table = "entries  allocs table_fulls\n00000010 0 0a\n00000010 0 01\n";
        assert_eq!(column(table, "table_fulls"), Some(vec![10, 1]));
        assert_eq!(column(table, "nothing"), None);
    }
}
