//! `netdiag tcp-echo`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::{FamilyArgs, seconds, seconds_or_none, size};
use crate::address::{HostError, HostPort};
use crate::address::{check_family, check_zone};
use crate::error::{Error, Result};
use crate::tcp::echo::{Origin, Request};

/// Probes TCP services: connects, sends, and checks that every byte comes back
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  netdiag tcp-echo 127.0.0.1:7777         64 bytes there and back
  netdiag tcp-echo localhost:7777 --all-addresses
  netdiag tcp-echo 127.0.0.1:7777 -c 5 -i 0.2
  netdiag tcp-echo 127.0.0.1:7777 -s 64M  a long stream, verified, in constant memory
  netdiag tcp-echo '[::1]:7777' --connect-only --json")]
pub(super) struct TcpEchoArgs {
    /// The services; an IPv6 address stands in brackets
    #[arg(value_name = "HOST:PORT", required = true, value_parser = HostPort::to_connect)]
    targets: Vec<HostPort>,
    /// How often the bytes go there and back
    #[arg(short, long, value_name = "ROUNDS", allow_negative_numbers = true, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// The time from the start of one round to the next, in seconds
    #[arg(short, long, value_name = "SECS", allow_negative_numbers = true, default_value = "1", value_parser = seconds_or_none)]
    interval: Duration,
    /// The bytes of a round, with k, M or G for powers of 1024
    #[arg(short, long, value_name = "BYTES", allow_negative_numbers = true, default_value = "64", value_parser = payload_size)]
    size: u64,
    /// How long to wait for the connection, and then whenever nothing moves, in seconds
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, default_value = "5", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    family: FamilyArgs,
    /// Every address of a name, side by side, not only until one answers
    #[arg(long)]
    all_addresses: bool,
    /// Only connect and close
    #[arg(long, conflicts_with_all = ["count", "interval", "size"])]
    connect_only: bool,
    /// Connect from this address, and port if one is given
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = source)]
    source: Option<SocketAddr>,
    /// Connect by this interface
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
}

impl TcpEchoArgs {
    pub(super) fn request(self) -> Result<Request> {
        let family = self.family.family();
        for target in &self.targets {
            check_family(family, target.host.family(), &target.host)?;
            check_zone(&target.host, self.interface.as_deref())?;
        }
        if let Some(source) = self.source.filter(|source| source.port() != 0 && self.targets.len() > 1) {
            return Err(Error::usage(format!(
                "port {} cannot be the source of several connections",
                source.port()
            ))
            .hint("give --source without a port"));
        }
        Ok(Request {
            targets: self.targets,
            rounds: self.count,
            interval: self.interval,
            size: self.size,
            timeout: self.timeout,
            family,
            all_addresses: self.all_addresses,
            connect_only: self.connect_only,
            origin: Origin { source: self.source, interface: self.interface },
        })
    }
}

fn payload_size(text: &str) -> std::result::Result<u64, String> {
    match size(text)? {
        0 => Err("a round has at least one byte; --connect-only sends none".to_owned()),
        size => Ok(size),
    }
}

fn source(text: &str) -> std::result::Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    address.or_else(|_| text.parse()).map_err(|_| {
        format!("a source is an address of this machine, with a port if wanted ({})", HostError::Brackets)
    })
}
