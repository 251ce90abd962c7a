//! Ports: what class a port is of, what IANA calls it, and what this system does with it.

mod class;
mod query;
mod registry;
mod report;

use serde::Serialize;

pub use class::{Class, IanaRange};
pub use query::{Query, QueryError};
pub use registry::{Protocol, Service};
pub use report::Ports;

use crate::error::{Error, Result};
use crate::suggest;
use crate::sys::{self, PortSettings};

/// Which ports to tell about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Numbers, ranges and service names, in the order they were asked for.
    pub queries: Vec<Query>,
}

/// What there is to know about one port.
#[derive(Clone, Debug, Serialize)]
pub struct Port {
    /// The number, 0 to 65535.
    pub port: u16,
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
}

/// Tells about the ports of a request, each once, in the order asked for.
///
/// Errors: a name that no registered service has.
pub fn run(request: &Request) -> Result<Ports> {
    let settings = sys::port_settings();
    let mut numbers: Vec<u16> = Vec::new();
    let mut seen = vec![false; usize::from(u16::MAX) + 1];
    for query in &request.queries {
        let found = match query {
            Query::Range(first, last) => (*first..=*last).collect(),
            Query::Name(name) => named(name)?,
        };
        numbers
            .extend(found.into_iter().filter(|port| !std::mem::replace(&mut seen[usize::from(*port)], true)));
    }
    let ports = numbers.into_iter().map(|port| Port::new(port, &settings)).collect();
    Ok(Ports { ports, ephemeral: settings.ephemeral })
}

impl Port {
    fn new(port: u16, settings: &PortSettings) -> Self {
        let is_in = |(first, last): &(u16, u16)| (*first..=*last).contains(&port);
        Self {
            port,
            class: Class::of(port),
            iana_range: IanaRange::of(port),
            is_ephemeral_here: settings.ephemeral.as_ref().map(is_in),
            is_reserved_here: settings.reserved.as_ref().map(|ranges| ranges.iter().any(is_in)),
            // Binding port 0 asks for any free one, which everybody may.
            needs_privilege: settings.unprivileged_start.map(|start| port != 0 && port < start),
            services: registry::services(port).collect(),
        }
    }
}

fn named(name: &str) -> Result<Vec<u16>> {
    let ports = registry::ports_of(name);
    if !ports.is_empty() {
        return Ok(ports);
    }
    let near = suggest::nearest(name, registry::names());
    let error = Error::usage(format!("no registered service is called '{name}'"));
    Err(match near.as_slice() {
        [] => error.hint("write a port from 0 to 65535, a range as 20-25, or a service name as https"),
        near => error.hint(format!("did you mean {}?", near.join(", "))),
    })
}
