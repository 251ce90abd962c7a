//! Finding things out. `agenda` says what is wanted now, and is pure; `run` begins it and stores what comes in; `tasks` does
//! it, with a file for each layer that is asked. Nothing here judges.

mod agenda;
mod connect;
pub(super) mod dns;
mod exchange;
mod lan;
mod local;
mod names;
mod path;
mod proxy;
mod public;
mod run;
mod tasks;
mod timing;
mod tls;
mod web;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(super) use run::{Progress, about, gather};

use super::evidence::{Item, Route, System, Untested};
use crate::address::Address;
use crate::sys;

/// The time a run has, which its probes share.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    start: Instant,
    deadline: Instant,
    is_over: Arc<AtomicBool>,
}

impl Budget {
    fn new(timeout: Duration) -> Self {
        let start = Instant::now();
        Self { start, deadline: start + timeout, is_over: Arc::default() }
    }

    /// Whether there is no more time, or no more need.
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }

    /// Breaks off whatever still runs.
    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// A part of it that can be ended by itself.
    fn part(&self) -> Self {
        Self { is_over: Arc::default(), ..self.clone() }
    }

    /// A fact with its times.
    fn known<T>(&self, began: Instant, value: T) -> Item<T> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Item::Known { at_us: micros(began - self.start), elapsed_us: micros(began.elapsed()), value }
    }

    /// A fact with its times, or why it could not be tested.
    fn tested<T>(&self, began: Instant, found: Result<T, Untested>) -> Item<T> {
        found.map_or_else(Item::NotTested, |value| self.known(began, value))
    }

    /// A fact with its times, if the system tells it.
    fn told<T>(&self, began: Instant, found: Option<T>) -> Item<T> {
        self.tested(began, found.ok_or(Untested::System(System::Configuration)))
    }
}

/// Whether an address is this machine's.
fn is_own(ip: IpAddr) -> bool {
    ip.is_loopback() || sys::route_to(ip, 0).is_ok_and(|route| route.kind == Some("local"))
}

/// What the kernel does with packets to an address; `None` where it does not say.
fn route(to: Address) -> Option<Route> {
    let found = sys::route_to(to.ip, to.scope_id).ok()?;
    Some(Route {
        kind: found.kind.map(str::to_owned),
        prefix: found.prefix.map(|(ip, length)| format!("{ip}/{length}")),
        interface: found.index.map(interface_name),
        gateway: found.gateway,
        source: found.source,
        table: found.table,
    })
}

/// The name of an interface, or its index.
fn interface_name(index: u32) -> String {
    match sys::interface_name(index) {
        Some(name) => String::from_utf8_lossy(&name).into_owned(),
        None => index.to_string(),
    }
}
