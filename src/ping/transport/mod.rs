//! How probes travel: a trait, and what implements it here.

use crate::wire::icmp;
#[cfg(target_os = "linux")]
mod linux;
mod portable;

use std::io::{self, ErrorKind};
use std::net::IpAddr;

use super::Request;
use super::engine::{Engine, Moment, Probe, Reason};
use crate::address::{Family, foreign_address, unknown_interface};
use crate::error::{Error, Result};
use crate::sys::{self, StopRequests};

/// The way of an engine's probes and their replies.
///
/// It tells the engine everything that happened to a probe: [`Engine::sent`], [`Engine::hold`] or
/// [`Engine::unsent`], then [`Engine::reply`] or [`Engine::complaint`]; what is true is for the engine to say.
pub(super) trait Transport {
    /// Sends probes, or tells the engine why not.
    fn send(&mut self, probes: &[Probe], engine: &mut Engine);

    /// Hands everything that has come in to the engine.
    fn receive(&mut self, engine: &mut Engine);

    /// Waits until something may have come in, until a moment, or until a signal has come.
    fn wait(&mut self, until: Option<Moment>, stop: &mut StopRequests);

    /// How many replies have found no room to be received so far.
    fn missed(&self) -> u64 {
        0
    }

    /// Why nothing can be received, as long as that is so.
    fn trouble(&self) -> Option<&io::Error> {
        None
    }

    /// How many probes of a sweep may be open at once without that replies are missed.
    fn sweep_window(&self) -> usize {
        usize::MAX
    }

    /// Whether the system hides ICMP errors from it.
    fn hides_errors(&self) -> bool {
        false
    }
}

/// Opens the transport that a request asks for, for targets of these families.
///
/// Errors: no permission for ICMP sockets; an interface or source that is not this machine's, or of another
/// family than a target.
pub(super) fn open(request: &Request, families: &[Family]) -> Result<Box<dyn Transport>> {
    if let Some(interface) = &request.interface
        && sys::interface_index(interface).is_none()
    {
        return Err(unknown_interface(interface));
    }
    if let Some(source) = request.source
        && let Some(other) = families.iter().find(|family| **family != Family::of(source))
    {
        let (own, other) = (Family::of(source).name(), other.name());
        return Err(Error::usage(format!("cannot ping an {other} target from {source}: that is {own}"))
            .hint("give a source of the target's family"));
    }
    if let Some(IpAddr::V6(source)) = request.source
        && source.is_unicast_link_local()
        && request.interface.is_none()
    {
        return Err(Error::usage(format!("{source} is link-local: name its interface"))
            .hint("give --interface; `netdiag ifaces` lists the interfaces"));
    }
    match request.transport {
        #[cfg(target_os = "linux")]
        super::TransportChoice::Auto => {
            linux::Linux::open(request, families).map(|linux| Box::new(linux) as _)
        }
        _ => portable::Portable::open(request, families).map(|portable| Box::new(portable) as _),
    }
}

/// The error where an ICMP socket cannot be had.
fn cannot_open(request: &Request, error: io::Error) -> Error {
    match (error.kind(), request.source) {
        (ErrorKind::AddrNotAvailable, Some(source)) => foreign_address(source),
        (ErrorKind::PermissionDenied, _) => permission(),
        _ => sys::lacks("cannot open an ICMP socket", error),
    }
}

/// The error where neither kind of ICMP socket may be opened, with both ways out.
fn permission() -> Error {
    let error =
        Error::untested("cannot ping: this user may open neither an unprivileged ICMP socket nor a raw one");
    match sys::ping_group_range() {
        Some(range) => error.hint(format!("sudo setcap cap_net_raw+ep {}", sys::program())).hint(format!(
            "or, for every group: sudo sysctl -w net.ipv4.ping_group_range='0 2147483647' (now '{range}')"
        )),
        None if cfg!(windows) => error.hint("run it as administrator"),
        None => error.hint("run it with sudo"),
    }
}

/// Why this machine would not send a probe, in words.
fn local(error: &io::Error, mtu: Option<u32>) -> Reason {
    let meaning = match error.kind() {
        ErrorKind::NetworkUnreachable => "cannot send: no route to it".to_owned(),
        ErrorKind::HostUnreachable => "cannot send: its route or neighbour is unreachable".to_owned(),
        ErrorKind::PermissionDenied => {
            format!("cannot send: forbidden on this machine, for example by a firewall ({error})")
        }
        ErrorKind::InvalidInput => {
            format!("cannot send: a blackhole route, or an unusable source address ({error})")
        }
        _ => match mtu {
            Some(mtu) => format!("cannot send: larger than this machine's MTU of {mtu}"),
            None => format!("cannot send: {error}"),
        },
    };
    Reason { from: None, icmp_type: None, code: None, meaning, mtu }
}

/// The error an ICMP message tells.
fn told(family: Family, from: Option<IpAddr>, icmp_type: u8, code: u8, mtu: Option<u32>) -> Reason {
    let meaning = icmp::Error::of(family, icmp_type, code).meaning().to_owned();
    Reason { from, icmp_type: Some(icmp_type), code: Some(code), meaning, mtu }
}
