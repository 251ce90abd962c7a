//! `netdiag ifaces`.

use std::time::Duration;

use clap::Args;

use super::{FamilyArgs, seconds};
use crate::error::{Error, Result};
use crate::ifaces::{Depth, Names, Request, View, Watch, needs_depth};
use crate::output::{Format, Options};

/// Lists this machine's interfaces, with their state, addresses, gateways and name servers
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  netdiag ifaces                          all of them, with or without an address
  netdiag ifaces 'eth*' lo                only these
  netdiag ifaces --up -4                  those that are up and have an IPv4 address
  netdiag ifaces --brief                  name, state and addresses, a line each
  netdiag ifaces --details eth0           all that is known of one
  netdiag ifaces --watch 1                rates and changes, every second
  netdiag ifaces --columns name,mtu,mac --sort mtu
  netdiag ifaces --json")]
pub(super) struct IfacesArgs {
    /// Only these interfaces: names, or patterns as 'eth*'
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only interfaces that are administratively up
    #[arg(long)]
    up: bool,
    /// Only interfaces of this kind, or of these: ethernet, loopback, bridge, veth, tun ...
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,
    #[command(flatten)]
    family: FamilyArgs,
    /// Only name, state and addresses, exactly a line each
    #[arg(long, conflicts_with = "details")]
    brief: bool,
    /// A block each, with all that is known
    #[arg(long)]
    details: bool,
    /// Look again every so many seconds: rates, and what has changed
    ///
    /// On a terminal a live table, piped a line for each change and for each interface with traffic (-v: for all); with
    /// --format ndjson an event each. The last look is what is written at the end, in the format, columns and order asked
    /// for.
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    watch: Option<Duration>,
    /// With --watch: end after so many times [default: at Ctrl-C]
    #[arg(short, long, value_name = "N", requires = "watch", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
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
            return Err(Error::usage(format!(
                "{option} chooses itself what is shown, and so does --columns"
            ))
            .hint("leave out one of them"));
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
