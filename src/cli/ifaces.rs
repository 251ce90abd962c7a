//! `netdiag ifaces`.

use std::time::Duration;

use clap::Args;

use super::manual::{self, Manual};
use super::{FamilyArgs, number, seconds};
use crate::error::{Error, Result};
use crate::ifaces::{Depth, Names, Request, View, Watch, needs_depth};
use crate::output::{Format, Options};

/// What help and the manual page say besides the options.
pub(super) const MANUAL: Manual = Manual {
    notes: &[],
    examples: &[
        ("netdiag ifaces", "all interfaces, with and without addresses"),
        ("netdiag ifaces 'eth*' lo", "only these interfaces"),
        ("netdiag ifaces --up -4", "interfaces that are up and have an IPv4 address"),
        ("netdiag ifaces --brief", "one line per interface"),
        ("netdiag ifaces --details eth0", "all details of one interface"),
        ("netdiag ifaces --watch 1", "rates and changes, every second"),
        ("netdiag ifaces --columns name,mtu,mac --sort mtu", ""),
        ("netdiag ifaces --json", ""),
    ],
    exit: &[
        (0, "success"),
        (1, "no interface matches"),
        (2, "wrong usage, or an unknown interface"),
        (3, "this system does not list its interfaces"),
        manual::UNWRITTEN,
    ],
    see_also: &["ip(8)"],
};

/// Lists this machine's interfaces, with their state, addresses, gateways and name servers
#[derive(Args)]
pub(super) struct IfacesArgs {
    /// Only these interfaces: names or patterns, such as 'eth*'
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only interfaces that are administratively up
    #[arg(long)]
    up: bool,
    /// Only interfaces of these kinds: ethernet, loopback, bridge, veth, tun ...
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,
    #[command(flatten)]
    family: FamilyArgs,
    /// One line per interface: name, state and addresses
    #[arg(long, conflicts_with = "details")]
    brief: bool,
    /// One block per interface, with all details
    #[arg(long)]
    details: bool,
    /// Refresh at this interval, in seconds, and show rates and changes
    ///
    /// On a terminal: a live table. Piped: one line per change and per interface with traffic (-v: per interface).
    /// With --format ndjson: one event each. At the end the last state is written in the chosen format, columns and
    /// order.
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    watch: Option<Duration>,
    /// With --watch: stop after this many refreshes [default: at Ctrl-C]
    #[arg(short, long, value_name = "N", requires = "watch", allow_negative_numbers = true, value_parser = number::<u64>(1, u64::MAX))]
    count: Option<u64>,
}

impl IfacesArgs {
    pub(super) fn request(self, options: &Options) -> Result<Request> {
        let view = match (self.brief, self.details) {
            (true, _) => View::Brief,
            (_, true) => View::Details,
            _ => View::Rows,
        };
        if view != View::Rows && options.columns.is_some() {
            let option = if view == View::Brief { "--brief" } else { "--details" };
            return Err(Error::usage(format!("{option} and --columns both choose what is shown"))
                .hint("omit one of them"));
        }
        let watch = self.watch.map(|interval| Watch { interval, count: self.count });
        let named = options.ids::<crate::ifaces::Iface>();
        let is_shown = if options.columns.is_some() {
            needs_depth(&named)
        } else {
            let is_all = options.format != Format::Table || options.verbose || view == View::Details;
            is_all || needs_depth(&named)
        };
        Ok(Request {
            family: self.family.family(),
            names: Names::parse(self.names)?,
            up: self.up,
            kinds: self.kind,
            view,
            depth: if is_shown || watch.is_some() { Depth::Whole } else { Depth::Summary },
            watch,
        })
    }
}
