//! `netdiag ping`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::manual::{self, Manual};
use super::{FamilyArgs, number, seconds};
use crate::error::{Error, Result};
use crate::ping::{Pace, Request, Target, TransportChoice};

/// What help and the manual page say besides the options.
pub(super) const MANUAL: Manual = Manual {
    notes: &[
        "Without -c, ping runs until Ctrl-C or the deadline on a terminal, and sends 4 probes per target when piped. Ctrl-\\ (SIGQUIT) prints the statistics so far. On a terminal, several targets are a live table: q quits, ? shows the keys.",
    ],
    examples: &[
        ("netdiag ping", "loopback, LAN and internet: what works"),
        ("netdiag ping 127.0.0.1", "this machine's own network software"),
        ("netdiag ping -c 3 127.0.0.1 ::1", "two targets, three probes each"),
        ("netdiag ping fe80::1%eth0", "a link-local address on an interface"),
        ("netdiag ping 127.0.0.0/29", "a sweep: one probe per host of a prefix"),
        ("netdiag ping --rate 0 127.1.0.0/16", "65,534 hosts as fast as possible"),
        ("netdiag ping --pmtu 127.0.0.1", "the largest packet that passes unfragmented"),
        ("netdiag ping -c 2 --format csv --events 127.0.0.1", "one row per event as it happens"),
        ("netdiag ping -c 1 -q --json 127.0.0.1", "for a script"),
    ],
    exit: &[
        (0, "every target replied"),
        (1, "a target did not reply"),
        manual::USAGE,
        (3, "could not test: permission for ICMP is missing"),
        manual::UNWRITTEN,
        manual::INTERRUPTED,
    ],
    see_also: &["ping(8)", "icmp(7)"],
};

/// Pings hosts; without a target, the loopback, the LAN and the internet
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct PingArgs {
    /// Host names, addresses (link-local: with %INTERFACE), or prefixes to sweep
    #[arg(value_name = "TARGET", value_hint = clap::ValueHint::Hostname)]
    targets: Vec<Target>,
    /// Read more targets from a file, one per line; - reads standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, value_parser = clap::value_parser!(PathBuf))]
    from_file: Option<PathBuf>,
    /// Probes per target [default: until Ctrl-C; 4 when piped; 1 per host of a prefix]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u32>(1, u32::MAX))]
    count: Option<u32>,
    /// Time between two probes to a target, in seconds [default: 1]
    #[arg(short, long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    interval: Option<Duration>,
    /// Time to wait for each reply, in seconds
    #[arg(short = 'W', long, value_name = "SECS", allow_negative_numbers = true, default_value = "2", value_parser = seconds)]
    timeout: Duration,
    /// Stop after this many seconds
    #[arg(short = 'w', long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    deadline: Option<Duration>,
    /// Extra probes for silent targets
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, hide_default_value = true, value_parser = number::<u32>(0, 100))]
    retries: u32,
    /// Probes per second in total; 0: as fast as possible [default for prefixes: 1000]
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "interval", value_parser = number::<u32>(0, 100_000_000))]
    rate: Option<u32>,
    /// Send a probe as soon as a reply arrives, and at least 100 per second
    #[arg(short = 'f', long, conflicts_with_all = ["interval", "rate"])]
    flood: bool,
    /// Payload size in bytes, 0 to 65507, without the 8-byte ICMP header
    #[arg(short, long, value_name = "BYTES", allow_negative_numbers = true, default_value_t = 56, value_parser = number::<u16>(0, 65_507))]
    size: u16,
    /// Time to live (IPv4) or hop limit (IPv6) of the probes, 1 to 255
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u8>(1, u8::MAX))]
    ttl: Option<u8>,
    /// Type of service (IPv4) or traffic class (IPv6) of the probes, 0 to 255 or 0x00 to 0xff
    #[arg(short = 'Q', long, value_name = "N", allow_negative_numbers = true, value_parser = tos)]
    tos: Option<u8>,
    /// Forbid fragmentation (DF): a router that cannot forward the packet whole reports its MTU
    #[arg(short = 'D', long)]
    dont_fragment: bool,
    /// As in iputils' ping: do forbids fragmentation (-D), want leaves it to the system
    #[arg(short = 'M', value_name = "do|want", value_parser = pmtu_discovery, conflicts_with = "dont_fragment")]
    discovery: Option<bool>,
    /// Find the path MTU: the largest packet that passes unfragmented
    #[arg(long, conflicts_with_all = ["count", "size", "rate", "flood", "interval", "retries"])]
    pmtu: bool,
    #[command(flatten)]
    family: FamilyArgs,
    /// Ping every address of a name, not only the first
    #[arg(long)]
    all_addresses: bool,
    /// Send from this address
    #[arg(long, value_name = "ADDR")]
    source: Option<IpAddr>,
    /// Send through this interface
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// Send through this interface, or from this address
    #[arg(short = 'I', value_name = "IF|ADDR", conflicts_with_all = ["source", "interface"])]
    bind: Option<String>,
    /// Resolve the names of the hosts that reply
    #[arg(long, overrides_with = "numeric")]
    names: bool,
    /// Resolve no names (default); overrides an earlier --names
    #[arg(short = 'n', long, overrides_with = "names")]
    numeric: bool,
    /// Report a probe that is unanswered when the next one is sent
    #[arg(short = 'O', long)]
    outstanding: bool,
    /// Ring the terminal bell on each reply
    #[arg(short = 'a', long)]
    audible: bool,
    /// List the silent hosts of a prefix, too
    #[arg(long)]
    all: bool,
    /// Do not wait while the kernel's neighbour table is full: warn, and skip those hosts
    #[arg(long)]
    no_wait: bool,
    /// Confirm a sweep of more than 65,536 addresses
    #[arg(long)]
    yes: bool,
    /// How probes are sent and received
    #[arg(long, value_enum, default_value_t, value_name = "TRANSPORT")]
    transport: TransportArg,
    /// With --format csv: one row per event as it happens, not one per target at the end
    #[arg(long)]
    events: bool,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum TransportArg {
    /// The best this system offers: on Linux, with kernel time stamps
    #[default]
    Auto,
    /// Available on every system, with time stamps taken by this program
    Portable,
}

impl PingArgs {
    /// The request, the count if it was said, and whether CSV is to have events.
    pub(super) fn request(self) -> Result<(Request, Option<u32>, bool)> {
        let family = self.family.family();
        if self.targets.is_empty()
            && self.from_file.is_none()
            && (self.pmtu || self.flood || self.rate.is_some())
        {
            let option = if self.pmtu {
                "--pmtu"
            } else if self.flood {
                "--flood"
            } else {
                "--rate"
            };
            return Err(Error::usage(format!("{option} needs a target")).hint("name a host"));
        }
        let (mut source, mut interface) = (self.source, self.interface);
        match self.bind.map(|bind| bind.parse::<IpAddr>().map_err(|_| bind)) {
            Some(Ok(ip)) => source = Some(ip),
            Some(Err(name)) => interface = Some(name),
            None => {}
        }
        let pace = match (self.flood, self.rate, self.interval) {
            (true, ..) => Pace::Flood,
            (_, Some(0), _) => Pace::Unpaced,
            (_, Some(rate), _) => Pace::Rate(rate),
            (_, None, interval) => Pace::Every(interval.unwrap_or(Duration::from_secs(1))),
        };
        let request = Request {
            targets: self.targets,
            file: self.from_file,
            count: self.count,
            sweep_count: self.count.unwrap_or(1),
            retries: self.retries,
            pace,
            timeout: self.timeout,
            deadline: self.deadline,
            size: self.size,
            ttl: self.ttl,
            tos: self.tos,
            dont_fragment: self.dont_fragment || self.discovery == Some(true),
            finds_pmtu: self.pmtu,
            family,
            all_addresses: self.all_addresses,
            source,
            interface,
            finds_names: self.names && !self.numeric,
            lists_all: self.all,
            waits_for_neighbours: !self.no_wait,
            tells_outstanding: self.outstanding,
            rings: self.audible,
            is_meant: self.yes,
            transport: match self.transport {
                TransportArg::Auto => TransportChoice::Auto,
                TransportArg::Portable => TransportChoice::Portable,
            },
        };
        for target in &request.targets {
            request.check(target)?;
        }
        Ok((request, self.count, self.events))
    }
}

/// Whether fragments are forbidden, in iputils' words.
fn pmtu_discovery(text: &str) -> std::result::Result<bool, String> {
    match text {
        "do" => Ok(true),
        "want" => Ok(false),
        "dont" | "probe" => Err(format!(
            "'{text}' is not supported: do (or -D) forbids fragmentation, and --pmtu finds the largest packet that passes"
        )),
        _ => Err("do or want".to_owned()),
    }
}

/// A type of service, in decimal or hexadecimal.
fn tos(text: &str) -> std::result::Result<u8, String> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')),
        None => text.parse().ok().filter(|_| !text.starts_with('+')),
    };
    number.ok_or_else(|| "a type of service is 0 to 255, or 0x00 to 0xff".to_owned())
}
