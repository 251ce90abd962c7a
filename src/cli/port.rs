//! `netdiag port`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::manual::{self, Manual};
use super::{number, seconds};
use crate::error::{Error, Result};
use crate::port::{Filter, Purpose, Query, Request, Transport, Watch};

/// What help and the manual page say besides the options.
pub(super) const MANUAL: Manual = Manual {
    notes: &[],
    examples: &[
        ("netdiag port 8080", "what it is, who holds it, is it free"),
        ("netdiag port https 20-25", "a service's port, and a range"),
        ("netdiag port 'http*'", "services whose names begin with http"),
        ("netdiag port 443/tcp", "only TCP"),
        ("netdiag port 1024-65535", "a long range: one row per run of the same class"),
        ("netdiag port 8000-8100 --free", "only ports that can be bound"),
        ("netdiag port 80 --check-bind", "tests it by binding it for a moment"),
        ("netdiag port --list", "every listening socket and its owner"),
        ("netdiag port --list --process 'nginx*' --proto tcp", ""),
        ("netdiag port --list --watch 1", "new and closed sockets, every second"),
        ("netdiag port 443 --json", ""),
    ],
    exit: &[
        (0, "success, whoever holds the port"),
        (1, "--list, --listening or --free found none, --check-bind could bind none"),
        manual::USAGE,
        (3, "this system does not show it"),
        manual::UNWRITTEN,
    ],
    see_also: &["ss(8)", "lsof(8)", "bind(2)", "services(5)"],
};

/// Shows what a port is, who holds it, and whether you can bind it
///
/// What it is: its class, its IANA services, and how this system uses it. Who holds it: every socket in any state, with its
/// processes, user, unit and container. Whether you can bind it: on IPv4, on IPv6 with and without IPv4, without and with
/// SO_REUSEADDR; if not, why, and what to do.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct PortArgs {
    /// Ports, ranges or service names
    #[arg(value_name = "PORT|FROM-TO|NAME", allow_negative_numbers = true, value_delimiter = ',')]
    queries: Vec<Query>,
    /// Every listening socket with its owner, by port; exit 1 if there are none
    #[arg(short, long)]
    list: bool,
    /// Only ports with a listening socket; exit 1 if there are none
    #[arg(long)]
    listening: bool,
    /// Only ports that can be bound; without PORT: a few suggestions; exit 1 if there are none
    #[arg(long, conflicts_with_all = ["list", "listening"])]
    free: bool,
    /// Test each port by binding it for a moment; exit 1 if none can be bound
    ///
    /// Without this option the answer comes from the kernel's tables; only a port with connections in TIME-WAIT is tested by
    /// binding. While the test holds the port no other program can bind it. The test never listens.
    #[arg(long, conflicts_with_all = ["list", "listening"])]
    check_bind: bool,
    /// Only this protocol
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    proto: Option<ProtocolArg>,
    /// With --list or --listening: only sockets of this process: an id, a name, or a pattern such as 'nginx*'
    #[arg(long, value_name = "PID|NAME", value_delimiter = ',')]
    process: Vec<String>,
    /// With --list or --listening: only sockets of this user: a name or an id
    #[arg(long, value_name = "USER", value_hint = clap::ValueHint::Username, value_delimiter = ',')]
    user: Vec<String>,
    /// With --list or --listening: refresh at this interval, in seconds, and show new and closed sockets
    ///
    /// On a terminal: a live table. Piped: one line per socket that opens or closes. With --format ndjson: one event each. At
    /// the end the last state is written.
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    watch: Option<Duration>,
    /// With --watch: stop after this many refreshes [default: at Ctrl-C]
    #[arg(short, long, value_name = "N", requires = "watch", allow_negative_numbers = true, value_parser = number::<u64>(1, u64::MAX))]
    count: Option<u64>,
    /// One row per port [default for more than 32 ports: one row per run of the same class]
    #[arg(long)]
    each: bool,
    /// Omit the note on other services whose names begin with NAME
    #[arg(long)]
    exact: bool,
    /// One block per port, with all details
    #[arg(long)]
    details: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProtocolArg {
    Tcp,
    Udp,
}

impl PortArgs {
    /// The request; without a port, one that was called by the name of a listing lists.
    pub(super) fn request(self, is_called_listing: bool) -> Result<Request> {
        let lists_all = is_called_listing && self.queries.is_empty() && !self.free;
        let is_listing = self.list || self.listening || lists_all;
        let transport = self.transport()?;
        for (is_given, option) in [
            (!self.process.is_empty(), "--process"),
            (!self.user.is_empty(), "--user"),
            (self.watch.is_some(), "--watch"),
        ] {
            if is_given && !is_listing {
                return Err(Error::usage(format!("{option} is for listening sockets only")).hint(format!(
                    "add --list for all of them, or --listening: netdiag port --list {option} ..."
                )));
            }
        }
        if self.queries.is_empty() && !is_listing && !self.free {
            return Err(Error::usage("which port? A PORT, FROM-TO or NAME is missing")
                .hint("netdiag port 8080 shows one port, netdiag port --list every listening socket"));
        }
        Ok(Request {
            queries: self.queries,
            purpose: match (is_listing, self.free) {
                (true, _) => Purpose::Listening,
                (_, true) => Purpose::Free,
                _ => Purpose::Tell,
            },
            transport,
            filter: Filter::parse(&self.process, &self.user)?,
            check_bind: self.check_bind,
            lists_each: self.each,
            is_exact: self.exact,
            details: self.details,
            watch: self.watch.map(|interval| Watch { interval, count: self.count }),
        })
    }

    /// The protocol that --proto names, or the ports do.
    fn transport(&self) -> Result<Option<Transport>> {
        let by_option = self.proto.map(|protocol| match protocol {
            ProtocolArg::Tcp => Transport::Tcp,
            ProtocolArg::Udp => Transport::Udp,
        });
        let named = self.queries.iter().filter_map(|query| query.transport);
        let mut all: Vec<Transport> = by_option.into_iter().chain(named).collect();
        all.dedup();
        match all.as_slice() {
            [] => Ok(None),
            [only] if self.queries.iter().all(|query| query.transport.is_some()) || by_option.is_some() => {
                Ok(Some(*only))
            }
            [_] => Err(Error::usage("some of these ports name a protocol and some do not")
                .hint("name it once for all: --proto tcp")),
            _ => Err(Error::usage("these ports name both TCP and UDP").hint("omit the protocol to see both")),
        }
    }
}
