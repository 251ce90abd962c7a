//! `netdiag tcp-echo`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::manual::{self, Manual};
use super::{FamilyArgs, SocketArgs, number, seconds, seconds_or_none, size};
use crate::address::{Family, Host, HostError, HostPorts};
use crate::address::{check_family, check_zone};
use crate::error::{Error, Result};
use crate::tcp::echo::{CloseWith, Origin, Pace, Request};

/// So many bytes can be written before they are read, on any system: the steps stay in the lesson's order.
const EXPLAINED: u64 = 32 * 1024;

/// What help and the manual page say besides the options.
pub(super) const MANUAL: Manual = Manual {
    notes: &[],
    examples: &[
        ("netdiag tcp-echo 127.0.0.1:7777", "64 bytes there and back"),
        ("netdiag tcp-echo localhost:7777 --all-addresses", ""),
        ("netdiag tcp-echo 127.0.0.1:7777 -c 5 -i 0.2", ""),
        ("netdiag tcp-echo 127.0.0.1:7777 -s 64M", "64 MiB, verified, in constant memory"),
        ("netdiag tcp-echo 127.0.0.1:7777 -c 5000 --rate 1000", ""),
        ("netdiag tcp-echo 127.0.0.1:7777 -c 1000 -i 0 --connections 50", ""),
        ("netdiag tcp-echo 127.0.0.1:7777 --explain", ""),
        ("netdiag tcp-echo -z 127.0.0.1 22", "is the port open (nc -z)"),
        ("netdiag tcp-echo 127.0.0.1:1-1024 --connect-only", ""),
        ("netdiag tcp-echo '[::1]:7777' --connect-only -c 4 --json", ""),
    ],
    exit: &[
        (0, "every target echoed (--connect-only: connected)"),
        (1, "a target did not"),
        manual::USAGE,
        (3, "could not test: a permission or a resource is missing"),
        manual::UNWRITTEN,
        manual::INTERRUPTED,
    ],
    see_also: &["nc(1)", "tcp(7)", "connect(2)"],
};

/// Probes TCP services: connects, sends, and checks that every byte comes back
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct TcpEchoArgs {
    /// Services as HOST:PORT or HOST PORT; IPv6 addresses in brackets; with --connect-only also port ranges: HOST:20-25,80
    #[arg(value_name = "HOST:PORT", required = true, value_hint = clap::ValueHint::Hostname)]
    targets: Vec<String>,
    /// Rounds per connection: each sends the payload and reads it back
    #[arg(short, long, value_name = "ROUNDS", allow_negative_numbers = true, default_value_t = 1, value_parser = number::<u64>(1, u64::MAX))]
    count: u64,
    /// Time from the start of one round to the start of the next, in seconds; 0: no pause
    #[arg(short, long, value_name = "SECS", allow_negative_numbers = true, default_value = "1", value_parser = seconds_or_none)]
    interval: Duration,
    /// Rounds per second over all connections, each timed from its scheduled start; 0: as fast as possible
    #[arg(long, value_name = "PER_SECOND", allow_negative_numbers = true, conflicts_with = "interval", value_parser = rate)]
    rate: Option<f64>,
    /// Payload per round in bytes, with k, M or G for powers of 1024
    #[arg(short, long, value_name = "BYTES", allow_negative_numbers = true, default_value = "64", value_parser = payload_size)]
    size: u64,
    /// Parallel connections per address
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1, value_parser = number::<u64>(1, 10_000))]
    connections: u64,
    /// Open a new connection for each round
    #[arg(long)]
    reconnect: bool,
    /// Poll for replies without sleeping: latencies without wake-up time, one processor fully used
    #[arg(long)]
    spin: bool,
    /// How to close the connection; a RST leaves no TIME-WAIT, and an error in the server's log
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    close: CloseArg,
    /// Time to wait for the connection, and then for progress, in seconds
    #[arg(short = 'w', long, value_name = "SECS", allow_negative_numbers = true, default_value = "5", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    family: FamilyArgs,
    /// Probe every address of a name in parallel, not only the first that answers
    #[arg(long)]
    all_addresses: bool,
    /// Only connect and close, --count times
    #[arg(short = 'z', long, conflicts_with_all = ["size", "reconnect", "spin"])]
    connect_only: bool,
    /// Explain each step of one connection: call, connection state, segments, buffers
    #[arg(long, conflicts_with_all = ["interval", "rate", "connections", "reconnect", "spin", "all_addresses"])]
    explain: bool,
    /// With more than 32 ports: list those that do not connect, too
    #[arg(long)]
    all: bool,
    /// Connect from this address, and this port if given
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = source)]
    source: Option<SocketAddr>,
    /// Connect through this interface
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    #[command(flatten)]
    socket: SocketArgs,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum CloseArg {
    /// Close with a FIN: the server can finish
    #[default]
    Fin,
    /// Close with a RST: the connection is aborted
    Rst,
}

impl TcpEchoArgs {
    pub(super) fn request(self) -> Result<Request> {
        let family = same_family(self.family.family(), self.socket.address_family)?;
        let targets = targets(&self.targets)?;
        // A name's addresses of the other family cannot be reached from there.
        let wanted = family.or(self.source.map(|source| Family::of(source.ip())));
        for target in &targets {
            check_family(family, target.host.family(), &target.host)?;
            check_zone(&target.host, self.interface.as_deref())?;
            if let Host::Address { ip, .. } = &target.host
                && (ip.is_multicast() || *ip == Ipv4Addr::BROADCAST)
            {
                return Err(Error::usage(format!("{ip} is a multicast address; TCP connects to one host"))
                    .hint("name one host"));
            }
            if let (Some(own), Some(source)) = (target.host.family(), self.source)
                && own != Family::of(source.ip())
            {
                return Err(Error::usage(format!("cannot connect to {target} from {}", source.ip()))
                    .hint("give a source of the target's family"));
            }
        }
        self.check_several(&targets)?;
        let buffers = self.socket.buffers();
        let pace = match self.rate {
            Some(rate) if rate > 0.0 => Pace::Rate(rate),
            Some(_) => Pace::Flat,
            None if self.interval.is_zero() => Pace::Flat,
            None => Pace::Every(self.interval),
        };
        Ok(Request {
            targets,
            rounds: self.count,
            pace,
            size: self.size,
            timeout: self.timeout,
            family: wanted,
            all_addresses: self.all_addresses,
            connect_only: self.connect_only,
            connections: self.connections,
            reconnect: self.reconnect,
            spin: self.spin,
            close: match self.close {
                CloseArg::Fin => CloseWith::Fin,
                CloseArg::Rst => CloseWith::Rst,
            },
            origin: Origin { source: self.source, interface: self.interface, buffers },
            lists_all: self.all,
            explain: self.explain,
        })
    }

    /// Refuses what only one of several can have.
    fn check_several(&self, targets: &[HostPorts]) -> Result<()> {
        if self.explain && self.count > 1 {
            return Err(Error::usage("--explain covers one round").hint("omit --count"));
        }
        if self.explain && targets.len() > 1 {
            return Err(Error::usage("--explain covers one connection").hint("name one HOST:PORT"));
        }
        if self.explain && self.size > EXPLAINED {
            return Err(Error::usage(format!("--explain covers a round of at most {EXPLAINED} bytes"))
                .hint("omit --size or --explain"));
        }
        let range = targets.iter().find(|target| target.only_port().is_none());
        if let Some(range) = range {
            if !self.connect_only {
                return Err(Error::usage(format!("{range} is several ports; an echo needs one service"))
                    .hint("add --connect-only to test which of them accept connections"));
            }
            if self.explain || self.count > 1 || self.connections > 1 {
                return Err(Error::usage(format!("each port of {range} gets one connection"))
                    .hint("omit --count, --connections and --explain, or name one port"));
            }
        } else if self.all {
            return Err(Error::usage("--all is for several ports: HOST:20-25 --connect-only"));
        }
        let is_repeated = self.count > 1 && (self.reconnect || self.connect_only);
        let is_several =
            targets.len() > 1 || range.is_some() || self.connections > 1 || self.all_addresses || is_repeated;
        if let Some(source) = self.source.filter(|source| source.port() != 0 && is_several) {
            return Err(Error::usage(format!(
                "port {} cannot be the source port of several connections",
                source.port()
            ))
            .hint("give --source without a port"));
        }
        Ok(())
    }
}

/// The services that the words of a command line name: HOST:PORT each, or HOST and PORT one after the other, as nc(1) has it.
fn targets(words: &[String]) -> Result<Vec<HostPorts>> {
    let mut targets = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let is_port = |next: &&String| {
            !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b',')
        };
        let parsed = match HostPorts::to_connect(word) {
            Err(HostError::PortMissing) if words.peek().is_some_and(is_port) => {
                let port = words.next().map_or("", String::as_str);
                let is_bare_ipv6 = word.contains(':') && !word.starts_with('[');
                let host = if is_bare_ipv6 { format!("[{word}]") } else { word.clone() };
                HostPorts::to_connect(&format!("{host}:{port}"))
            }
            parsed => parsed,
        };
        targets
            .push(parsed.map_err(|error| {
                Error::usage(format!("'{word}' is not a service to connect to: {error}"))
            })?);
    }
    Ok(targets)
}

/// The family that -4, -6 or --address-family name.
fn same_family(short: Option<Family>, long: Option<Family>) -> Result<Option<Family>> {
    match (short, long) {
        (Some(one), Some(other)) if one != other => {
            Err(Error::usage("-4 or -6 and --address-family name different families")
                .hint("omit one of them"))
        }
        _ => Ok(short.or(long)),
    }
}

fn payload_size(text: &str) -> std::result::Result<u64, String> {
    match size(text)? {
        0 => Err("a round has at least one byte; --connect-only sends none".to_owned()),
        size => Ok(size),
    }
}

fn rate(text: &str) -> std::result::Result<f64, String> {
    /// More than any connection does.
    const MOST: f64 = 10_000_000.0;
    match text.parse::<f64>() {
        Ok(rate) if rate == 0.0 || (0.000_01..=MOST).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number of rounds per second, 0 to 10000000".to_owned()),
    }
}

fn source(text: &str) -> std::result::Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    address.or_else(|_| text.parse()).map_err(|_| {
        format!("a source is an address of this machine, optionally with a port ({})", HostError::Brackets)
    })
}
