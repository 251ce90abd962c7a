//! `netdiag port`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::seconds;
use crate::error::{Error, Result};
use crate::port::{Filter, Purpose, Query, Request, Transport, Watch};

/// Tells what a port is, who holds it, and whether you can have it
///
/// What it is: its class, IANA's services for it, and what this system does with it. Who holds it: every socket, whatever
/// its state, with the processes, user, unit and container that have it. Whether you can have it: for IPv4, IPv6 with IPv4
/// and IPv6 alone, without and with SO_REUSEADDR, why not, and what to do.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  netdiag port 8080                       what it is, who holds it, can I have it
  netdiag port https 20-25                a service's port, and a range
  netdiag port 'http*'                    services whose names begin so
  netdiag port 443/tcp                    only TCP
  netdiag port 1024-65535                 a long range: a row for each run of equal class
  netdiag port 8000-8100 --free           those that can be bound
  netdiag port 80 --check-bind            really binds it for a moment
  netdiag port --list                     every listening socket and its owner
  netdiag port --list --process 'nginx*' --proto tcp
  netdiag port --list --watch 1           what comes and goes
  netdiag port 443 --json

Exit codes: 0 told, whoever holds it; 1 --list, --listening or --free found none, --check-bind could bind nothing; \
2 wrong usage; 3 could not be told")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct PortArgs {
    /// Ports, ranges or service names
    #[arg(value_name = "PORT|FROM-TO|NAME", allow_negative_numbers = true, value_delimiter = ',')]
    queries: Vec<Query>,
    /// Every listening socket with its owner, by port; exit 1 if there is none
    #[arg(short, long)]
    list: bool,
    /// Only ports that somebody listens on; exit 1 if there is none
    #[arg(long)]
    listening: bool,
    /// Only ports that can be bound; without PORT a few good ones; exit 1 if there is none
    #[arg(long, conflicts_with_all = ["list", "listening"])]
    free: bool,
    /// Really bind each for a moment; exit 1 if nothing can be bound
    ///
    /// Without this the answer comes from the kernel's tables, and only what is left of a connection is asked by binding beside
    /// it. While a port is bound nobody else can have it; nothing is listened on.
    #[arg(long, conflicts_with_all = ["list", "listening"])]
    check_bind: bool,
    /// Only this protocol
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    proto: Option<ProtocolArg>,
    /// With --list or --listening: only of this process: its id, its name, or a pattern of it as 'nginx*'
    #[arg(long, value_name = "PID|NAME", value_delimiter = ',')]
    process: Vec<String>,
    /// With --list or --listening: only of this user: a name or a number
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    user: Vec<String>,
    /// With --list or --listening: look again every so many seconds, and tell what comes and goes
    ///
    /// On a terminal a live table, piped a line for each socket that comes or goes; with --format ndjson an event each. The
    /// last look is what is written at the end.
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    watch: Option<Duration>,
    /// With --watch: end after so many times [default: at Ctrl-C]
    #[arg(short, long, value_name = "N", requires = "watch", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// A row for each port, however long the range [default: above 32 ports a row for each run of equal class]
    #[arg(long)]
    each: bool,
    /// Do not report how many other services' names begin as NAME
    #[arg(long)]
    exact: bool,
    /// A block for each port, with all that is known
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
        if self.queries.is_empty() && !is_listing && !self.free {
            return Err(Error::usage("which port? A PORT, FROM-TO or NAME is missing").hint(
                "netdiag port 8080 tells about one, netdiag port --list about every one that is listened on",
            ));
        }
        for (is_given, option) in [
            (!self.process.is_empty(), "--process"),
            (!self.user.is_empty(), "--user"),
            (self.watch.is_some(), "--watch"),
        ] {
            if is_given && !is_listing {
                return Err(Error::usage(format!("{option} is about those that listen")).hint(format!(
                    "add --list for all of them, or --listening: netdiag port --list {option} ..."
                )));
            }
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
            [_] => Err(Error::usage("some of these ports have a protocol beside them, and some have none")
                .hint("name it once for all of them: --proto tcp")),
            _ => Err(Error::usage("both TCP and UDP are asked for")
                .hint("leave the protocol out, which is both, or ask for one after the other")),
        }
    }
}
