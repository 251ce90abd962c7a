//! Linux: rtnetlink, the socket error queue, `TCP_INFO` and sysctls.

mod closed_output;
mod error_queue;
mod netlink;
mod rtnetlink;
mod tcp_info;

use std::fs;

pub(super) use closed_output::is_output_closed;
pub(super) use error_queue::{keep_icmp_errors, take_icmp_error};
pub(super) use rtnetlink::{neighbours, network};
pub(super) use tcp_info::tcp_info;

use super::PortSettings;

pub(super) fn port_settings() -> PortSettings {
    PortSettings {
        ephemeral: sysctl("ip_local_port_range").as_deref().and_then(range),
        reserved: sysctl("ip_local_reserved_ports").map(|text| ranges(&text)),
        unprivileged_start: sysctl("ip_unprivileged_port_start").and_then(|text| text.parse().ok()),
    }
}

pub(super) fn ping_group_range() -> Option<String> {
    sysctl("ping_group_range").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Reads a setting of this network namespace (`Documentation/networking/ip-sysctl.rst`).
fn sysctl(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
    Some(text.trim().to_owned())
}

/// Parses `FROM TO`, with a tab between in the kernel's spelling.
fn range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Parses `1,2,10-20`.
fn ranges(text: &str) -> Vec<(u16, u16)> {
    let one = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    text.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_spellings_of_ranges() {
        assert_eq!(range("32768\t60999"), Some((32768, 60999)));
        assert_eq!(range("32768"), None);
        assert_eq!(ranges("8080,9000-9010"), [(8080, 8080), (9000, 9010)]);
        assert_eq!(ranges(""), []);
    }
}
