//! Ports: what a port is, who holds it, and whether one can have it.

mod attempt;
mod bindable;
mod block;
mod class;
mod filter;
mod holders;
mod origin;
mod query;
mod registry;
mod remedy;
mod report;
mod span;
mod tell;
mod watch;

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

pub use bindable::{Bindable, Cause};
pub use class::{Class, IanaRange};
pub use filter::Filter;
pub use holders::{Holder, Ownership, Parent};
pub use query::{Asked as AskedPorts, Query, QueryError};
pub use registry::{Note, Protocol, Service};
pub use report::Ports;
pub use watch::{Change, Happening};

pub use crate::sys::Transport;

use crate::error::{Error, Result};
use crate::output::record::{Observer, Warning};
use crate::sys;
use holders::{ALL_PORTS, Held};
use span::{Asked, Span};
use tell::Surroundings;

/// Which ports to tell about, and what.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice by itself")]
pub struct Request {
    /// Numbers, ranges and service names, in the order they were asked for; none for all ports.
    pub queries: Vec<Query>,
    /// Which of them are wanted.
    pub purpose: Purpose,
    /// Only this protocol.
    pub transport: Option<Transport>,
    /// Only sockets that these name.
    pub filter: Filter,
    /// Whether to really bind, for a moment.
    pub check_bind: bool,
    /// Whether a long range is to have a row a port.
    pub lists_each: bool,
    /// Whether it is not told how many other services' names begin as one that was asked for.
    pub is_exact: bool,
    /// Whether a person is shown a block a port, wherever it goes.
    pub details: bool,
    /// Whether to look again and again.
    pub watch: Option<Watch>,
}

/// Which ports are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Those that are named, whatever is with them.
    #[default]
    Tell,
    /// Those that somebody listens on.
    Listening,
    /// Those that can be bound.
    Free,
}

/// How to look again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The time between two looks.
    pub interval: Duration,
    /// After how many intervals to end; `None` goes on until it is interrupted.
    pub count: Option<u64>,
}

/// What there is to know about one port, or about several that are alike.
#[derive(Clone, Debug, Serialize)]
pub struct Port {
    /// The number, 0 to 65535; the first of several.
    pub port: u16,
    /// The last of several.
    pub last_port: Option<u16>,
    /// The lesson's class: well-known or dynamic.
    pub class: Class,
    /// IANA's finer range (RFC 6335, 6).
    pub iana_range: IanaRange,
    /// Whether this system gives it to programs that ask for none; `None` where it does not tell.
    pub is_ephemeral_here: Option<bool>,
    /// Whether this system is told never to give it out unasked; `None` where it does not tell.
    pub is_reserved_here: Option<bool>,
    /// Whether binding it takes a privilege here; `None` where the system does not tell.
    pub needs_privilege: Option<bool>,
    /// The services IANA has registered for it.
    pub services: Vec<Service>,
    /// What IANA says of it besides.
    pub notes: Vec<Note>,
    /// What this system does with ports; `None` in a listing.
    pub settings: Option<Rc<Settings>>,
    /// Who holds it: a socket and a process that has it each; `None` where the system does not tell.
    pub holders: Option<Vec<Holder>>,
    /// Whether it can be bound, for each kind of socket; `None` of several ports, and where nobody asked.
    pub bindable: Option<Rc<[Bindable]>>,
    /// What to do to have it.
    pub remedies: Vec<String>,
    /// Free ports near to it, where it cannot be bound.
    pub free_nearby: Vec<u16>,
    #[serde(skip)]
    view: View,
}

/// What this system does with ports; `None` is what it does not tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The ports it gives to programs that ask for none.
    pub ephemeral: Option<PortRange>,
    /// The ports it never gives out unasked.
    pub reserved: Option<Vec<PortRange>>,
    /// The first port that any user may bind.
    pub unprivileged_start: Option<u16>,
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last, which is part of it.
    pub last: u16,
}

impl Settings {
    fn of(settings: &sys::PortSettings) -> Self {
        let range = |(first, last): &(u16, u16)| PortRange { first: *first, last: *last };
        Self {
            ephemeral: settings.ephemeral.as_ref().map(range),
            reserved: settings.reserved.as_ref().map(|ranges| ranges.iter().map(range).collect()),
            unprivileged_start: settings.unprivileged_start,
        }
    }
}

/// What a person looks for in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// What the ports are.
    Told,
    /// Who listens.
    Listed,
}

/// Tells about the ports of a request, once or again and again.
///
/// Errors: a name that no registered service has; sockets asked for on a system that does not list them.
pub fn run(request: &Request, observer: &mut dyn Observer<Happening>) -> Result<Ports> {
    let (asked, remarks) = span::resolve(request)?.unzip();
    let ports = match (request.purpose, request.watch) {
        (Purpose::Tell, _) => about(request, &asked.unwrap_or_default()),
        (Purpose::Free, _) => free(request, asked)?,
        (Purpose::Listening, None) => listening(request, asked.as_deref())?,
        (Purpose::Listening, Some(watch)) => watch::run(request, asked.as_deref(), watch, observer)?,
    };
    Ok(Ports { remarks: remarks.unwrap_or_default(), ..ports })
}

fn transports(request: &Request) -> &'static [Transport] {
    match request.transport {
        None => &[Transport::Tcp, Transport::Udp],
        Some(Transport::Tcp) => &[Transport::Tcp],
        Some(Transport::Udp) => &[Transport::Udp],
    }
}

/// What the named ports are, who holds them, and whether they can be had.
fn about(request: &Request, asked: &[Asked]) -> Ports {
    /// Free ports nearby are looked for in reports of no more rows.
    const MOST_ADVISED: usize = 8;
    let settings = sys::port_settings();
    let rows = span::rows(asked, request.lists_each || request.check_bind, &settings);
    let mut warnings = Vec::new();
    let ends = span::ends(asked).unwrap_or(ALL_PORTS);
    let held = Held::find(transports(request), ends, false).map(|mut held| {
        held.retain(|socket, _| asked.iter().any(|asked| asked.has(socket.local.port())));
        held.find_owners();
        held
    });
    let held = held.map_err(|error| warnings.push(unlisted(&error))).ok();
    let mut surroundings = Surroundings::new(request, settings, held);
    surroundings.is_advising = rows.len() <= MOST_ADVISED;
    let ports = rows.iter().map(|row| surroundings.port(*row, View::Told)).collect();
    surroundings.report(request, ports, warnings)
}

/// The ports that somebody listens on, of those that are asked for.
fn listening(request: &Request, asked: Option<&[Asked]>) -> Result<Ports> {
    let ends = asked.and_then(span::ends).unwrap_or(ALL_PORTS);
    let held = Held::find(transports(request), ends, true).map_err(|source| {
        let error = Error::untested("cannot list the sockets of this machine");
        error
            .caused_by(source)
            .hint("the sandbox refuses the same to ss, netstat and lsof: run netdiag outside of it")
    });
    let mut held = held?;
    if let Some(asked) = asked {
        held.retain(|socket, _| asked.iter().any(|asked| asked.has(socket.local.port())));
    }
    held.find_owners();
    let has_denied = held.has_denied();
    held.retain(|socket, processes| request.filter.admits(socket, processes));
    let rows = held.ports();
    let mut surroundings = Surroundings::new(request, sys::port_settings(), Some(held));
    // Whose process is not known is left out too, where processes are asked for.
    surroundings.has_denied |= has_denied && request.filter.names_processes();
    let ports = rows.iter().map(|port| surroundings.port(Span::of(*port), View::Listed)).collect();
    Ok(surroundings.report(request, ports, Vec::new()))
}

/// The ports that can be bound, of those that are asked for; without any a handful of good ones.
fn free(request: &Request, asked: Option<Vec<Asked>>) -> Result<Ports> {
    /// So many are enough to choose from.
    const ENOUGH: usize = 8;
    let settings = sys::port_settings();
    let ends = asked.as_deref().and_then(span::ends).unwrap_or(ALL_PORTS);
    let held = Held::find(transports(request), ends, false);
    let untold = |error: Error| error.hint("add --check-bind, which binds each port for a moment");
    let held = match held {
        _ if request.check_bind => held.ok(),
        Ok(_) if !sys::LISTS_EVERY_SOCKET => {
            return Err(untold(Error::untested(
                "this system does not list every socket, so free ports are unknown",
            )));
        }
        Ok(mut held) => {
            // Whose a socket is tells what it shares.
            held.find_owners();
            Some(held)
        }
        Err(source) => {
            return Err(untold(Error::untested("cannot list the sockets of this machine").caused_by(source)));
        }
    };
    let surroundings = Surroundings::new(request, settings, held);
    let (rows, most) = match asked {
        Some(asked) => (span::rows(&asked, true, &surroundings.settings), usize::MAX),
        // Ports that nobody has registered, that the system does not give out, and that every user may bind.
        None => (surroundings.suitable().map(Span::of).collect(), ENOUGH),
    };
    let can_have = |port: &Port| port.is_free() == Some(true);
    let ports = rows.iter().map(|row| surroundings.port(*row, View::Told)).filter(can_have).take(most);
    let ports = ports.collect();
    Ok(surroundings.report(request, ports, Vec::new()))
}

fn unlisted(error: &std::io::Error) -> Warning {
    Warning::new("sockets-unlisted", format!("this system does not list its sockets: {error}"))
}

impl Port {
    /// Whether it can be bound without further ado, by IPv4 and as IPv6 is by default; `None` where that is not told.
    fn is_free(&self) -> Option<bool> {
        let kinds = self.bindable.as_deref()?;
        let plain = kinds.iter().filter(|kind| {
            !kind.reuse_address && kind.v6only.is_none() && kind.cause != Some(Cause::NoFamily)
        });
        plain.map(|kind| kind.can_bind).try_fold(true, |all, can| Some(all && can?))
    }
}
