//! `netdiag ping`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use super::{FamilyArgs, check_family, check_zone, seconds};
use crate::address::Host;
use crate::error::Result;
use crate::ping::{Request, Target};

/// Pings hosts; without a target, the loopback, the LAN and the internet
#[derive(Args)]
#[command(
    after_help = "Without -c it goes on until Ctrl-C on a terminal, and sends 4 probes where output is no terminal.",
    after_long_help = "\
Without -c it goes on until Ctrl-C on a terminal, and sends 4 probes where output is no terminal.

Examples:
  netdiag ping                            is my own card all right, the LAN, the internet
  netdiag ping 127.0.0.1                  this machine's own network software
  netdiag ping -c 3 127.0.0.1 ::1         two targets, three probes each
  netdiag ping fe80::1%eth0               a link-local address on an interface
  netdiag ping 127.0.0.0/29               a sweep: one probe for each host of a prefix
  netdiag ping -c 1 -q --json 127.0.0.1   for a script"
)]
pub(super) struct PingArgs {
    /// Names, addresses (with %INTERFACE where needed), or prefixes to sweep
    #[arg(value_name = "TARGET", value_parser = target)]
    targets: Vec<Target>,
    /// Stop after this many probes to each target
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// The time from one probe to the next, in seconds
    #[arg(short, long, value_name = "SECS", allow_negative_numbers = true, default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// How long to wait for each reply, in seconds
    #[arg(short = 'W', long, value_name = "SECS", allow_negative_numbers = true, default_value = "2", value_parser = seconds)]
    timeout: Duration,
    /// Stop after this time whatever is left to do, in seconds
    #[arg(short = 'w', long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    deadline: Option<Duration>,
    /// The bytes behind the ICMP header, 0 to 65507
    #[arg(short, long, value_name = "BYTES", allow_negative_numbers = true, default_value_t = 56, value_parser = clap::value_parser!(u16).range(..=65_507))]
    size: u16,
    /// The probes' time to live, 1 to 255
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..))]
    ttl: Option<u8>,
    #[command(flatten)]
    family: FamilyArgs,
    /// Every address of a name, not only the first
    #[arg(long)]
    all_addresses: bool,
    /// Send from this address
    #[arg(long, value_name = "ADDR")]
    source: Option<IpAddr>,
    /// Send by this interface
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
}

impl PingArgs {
    /// The request, and the count if it was said.
    pub(super) fn request(self) -> Result<(Request, Option<u32>)> {
        let family = self.family.family();
        for target in &self.targets {
            match target {
                Target::Host(host) => {
                    check_family(family, host.family(), host)?;
                    check_zone(host, self.interface.as_deref())?;
                }
                Target::Prefix(prefix) => check_family(family, Some(prefix.family()), prefix)?,
            }
        }
        let request = Request {
            targets: self.targets,
            count: self.count,
            interval: self.interval,
            timeout: self.timeout,
            deadline: self.deadline,
            size: self.size,
            ttl: self.ttl,
            family,
            all_addresses: self.all_addresses,
            source: self.source,
            interface: self.interface,
        };
        Ok((request, self.count))
    }
}

fn target(text: &str) -> std::result::Result<Target, String> {
    if text.contains('/') && !text.contains("://") {
        text.parse().map(Target::Prefix).map_err(|error: crate::address::PrefixError| error.to_string())
    } else {
        text.parse().map(|host: Host| Target::Host(host)).map_err(|error| error.to_string())
    }
}
