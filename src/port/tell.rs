//! Puts together what is known of a port.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

use super::attempt::Ipv6;
use super::bindable::{Asked, Candidate, Verdict, cause, verdict};
use super::holders::{Held, endpoint};
use super::report::Ports;
use super::span::{Settled, Span};
use super::{
    Bindable, Cause, Class, IanaRange, Port, Purpose, Request, Settings, View, attempt, registry, remedy,
    transports,
};
use crate::address::Family;
use crate::error::Exit;
use crate::output::record::Warning;
use crate::sys::{self, InetSocket, PortSettings, TcpState, Transport};

/// Every kind of socket of each wanted protocol: two protocols, three families, two settings.
type Kinds = Rc<[Bindable]>;

/// From here on are the ports that people take for servers of their own.
const SERVERS: u16 = 8000;

/// So many ports from one on are near it; each look at some is a walk of the kernel's tables.
const NEAR: u16 = 256;

/// All that ports are told from.
pub(super) struct Surroundings<'a> {
    request: &'a Request,
    /// Whether free ports are looked for near those that cannot be had, which is a walk of the kernel's tables each.
    pub(super) is_advising: bool,
    /// Whether there is a socket whose process this user may not look into.
    pub(super) has_denied: bool,
    pub(super) settings: PortSettings,
    told_settings: Rc<Settings>,
    held: Option<Held>,
    ipv6: Ipv6,
    may_bind_privileged: OnceCell<Option<bool>>,
    /// For the ports of a listing.
    in_order: registry::InOrder,
    /// What most ports have in common: nothing is in their way, or the same.
    free: OnceCell<Kinds>,
    privileged: OnceCell<Kinds>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(request: &'a Request, settings: PortSettings, held: Option<Held>) -> Self {
        let has_denied = held.as_ref().is_some_and(Held::has_denied);
        Self {
            request,
            is_advising: false,
            has_denied,
            told_settings: Rc::new(Settings::of(&settings)),
            settings,
            held,
            ipv6: attempt::ipv6(),
            may_bind_privileged: OnceCell::new(),
            in_order: registry::InOrder::default(),
            free: OnceCell::new(),
            privileged: OnceCell::new(),
        }
    }

    /// What there is to know about the ports of a row.
    pub(super) fn port(&self, span: Span, view: View) -> Port {
        let Span { first, last } = span;
        let settled = Settled::of(first, &self.settings);
        let is_told = view == View::Told && span.is_one();
        let sockets = self.held.as_ref().map(|held| held.sockets(first, last));
        let holders = self.held.as_ref().map(|held| held.holders(first, last));
        let bindable = is_told.then(|| self.kinds(first, sockets));
        let mut port = Port {
            port: first,
            last_port: (!span.is_one()).then_some(last),
            class: Class::of(first),
            iana_range: IanaRange::of(first),
            is_ephemeral_here: settled.is_ephemeral,
            is_reserved_here: settled.is_reserved,
            needs_privilege: settled.needs_privilege,
            services: match view {
                View::Listed => self.in_order.services(first).collect(),
                View::Told if span.is_one() => registry::services(first).collect(),
                View::Told => Vec::new(),
            },
            notes: if is_told { registry::notes(first).collect() } else { Vec::new() },
            settings: (view == View::Told).then(|| Rc::clone(&self.told_settings)),
            holders,
            bindable,
            remedies: Vec::new(),
            free_nearby: Vec::new(),
            view,
        };
        if self.is_advising && is_told && first != 0 && port.is_free() == Some(false) {
            port.free_nearby = self.nearby(first);
        }
        port.remedies = remedy::of(&port);
        port
    }

    /// The report of some ports.
    pub(super) fn report(self, request: &Request, ports: Vec<Port>, mut warnings: Vec<Warning>) -> Ports {
        if !sys::LISTS_EVERY_SOCKET && self.held.is_some() {
            let message = "this system lists only sockets of processes that this user may inspect, without users and peers: a port without a listed holder may be in use";
            warnings.push(Warning::new("holders-limited", message));
        }
        // What is free hangs on nobody's process.
        if self.has_denied && request.purpose != Purpose::Free {
            let message = "some owners are hidden; run as root to see them";
            warnings.push(Warning::new("owners-denied", message));
        }
        let can_be_had =
            |port: &Port| port.bindable.iter().flat_map(|it| it.iter()).any(|it| it.can_bind == Some(true));
        if !request.check_bind && ports.iter().any(can_be_had) && sys::lists_bound_sockets() == Some(false) {
            let message = "this kernel does not list TCP sockets that are bound but do not listen (Linux 6.8 and later do): a port shown as free may be in use; test it with --check-bind";
            warnings.push(Warning::new("bound-unlisted", message));
        }
        let kinds = || ports.iter().flat_map(|port| port.bindable.iter().flat_map(|it| it.iter()));
        let exit = match request.purpose {
            Purpose::Tell if !request.check_bind || ports.iter().any(can_be_had) => Exit::Fine,
            Purpose::Tell if kinds().all(|kind| kind.can_bind.is_none()) => Exit::Untested,
            Purpose::Tell => Exit::Negative,
            Purpose::Listening if ports.is_empty() && !request.filter.is_empty() && self.has_denied => {
                Exit::Untested
            }
            Purpose::Listening | Purpose::Free if ports.is_empty() => Exit::Negative,
            Purpose::Listening | Purpose::Free => Exit::Fine,
        };
        if ports.is_empty() {
            let message = match request.purpose {
                Purpose::Free => "none of these ports can be bound",
                _ if request.filter.is_empty() && request.queries.is_empty() => "no listening sockets",
                _ if request.filter.is_empty() => "nothing listens on these ports",
                _ => "no listening socket matches",
            };
            warnings.push(Warning::new("no-match", message));
        }
        Ports {
            exit,
            purpose: request.purpose,
            has_blocks: request.details,
            queries: request.queries.len(),
            ports,
            settings: self.settings,
            warnings,
            remarks: Vec::new(),
            is_interrupted: false,
        }
    }

    /// Ports that suit a program that anybody may start: without privilege, nothing registered, not given out by the system,
    /// and not taken.
    pub(super) fn suitable(&self) -> impl Iterator<Item = u16> {
        (SERVERS..=u16::MAX).chain(1024..SERVERS).filter(move |port| {
            let settled = Settled::of(*port, &self.settings);
            settled.is_ephemeral != Some(true)
                && settled.is_reserved != Some(true)
                && settled.needs_privilege != Some(true)
                && self.held.as_ref().is_none_or(|held| held.sockets(*port, *port).is_empty())
                && registry::services(*port).next().is_none()
                && registry::notes(*port).next().is_none()
        })
    }

    /// The next free ports, whatever is registered for them.
    fn nearby(&self, port: u16) -> Vec<u16> {
        /// So many are offered.
        const OFFERED: usize = 3;
        let may = |port: &u16| {
            let settled = Settled::of(*port, &self.settings);
            let is_allowed =
                settled.needs_privilege != Some(true) || self.may_bind_privileged() == Some(true);
            is_allowed && settled.is_ephemeral != Some(true) && settled.is_reserved != Some(true)
        };
        let is_ephemeral = Settled::of(port, &self.settings).is_ephemeral == Some(true);
        let first = match port {
            // A low port's neighbours are other services'; where servers go instead is 8000 higher.
            0..1024 => port + SERVERS,
            _ if is_ephemeral || port > u16::MAX - NEAR => SERVERS,
            _ => port + 1,
        };
        let last = first + (NEAR - 1);
        let Ok(held) = Held::find(transports(self.request), (first, last), false) else { return Vec::new() };
        let is_free = |near: &u16| *near != port && held.sockets(*near, *near).is_empty();
        (first..=last).filter(is_free).filter(may).take(OFFERED).collect()
    }

    fn may_bind_privileged(&self) -> Option<bool> {
        *self.may_bind_privileged.get_or_init(sys::may_bind_privileged)
    }

    /// Whether each kind of socket could be bound.
    fn kinds(&self, port: u16, sockets: Option<&[InetSocket]>) -> Kinds {
        if self.request.check_bind {
            return self.candidates().map(|candidate| self.attempted(candidate, port)).collect();
        }
        // Port 0 is any free one.
        let sockets = if port == 0 { Some(&[][..]) } else { sockets };
        let is_denied = Settled::of(port, &self.settings).needs_privilege == Some(true)
            && self.may_bind_privileged() != Some(true);
        let make = |sockets| {
            let answers = Answers::default();
            self.candidates().map(|candidate| self.told(candidate, port, sockets, &answers)).collect()
        };
        match sockets {
            Some([]) if is_denied => self.privileged.get_or_init(|| make(sockets)).clone(),
            Some([]) => self.free.get_or_init(|| make(sockets)).clone(),
            _ => make(sockets),
        }
    }

    fn candidates(&self) -> impl Iterator<Item = Candidate> {
        Candidate::all(transports(self.request), self.ipv6 == Ipv6::V6Only(true))
    }

    /// What the tables say of a candidate.
    fn told(
        &self,
        candidate: Candidate,
        port: u16,
        sockets: Option<&[InetSocket]>,
        answers: &Answers,
    ) -> Bindable {
        match self.ipv6 {
            Ipv6::Absent if candidate.family == Family::Ipv6 => {
                return kind(candidate, Some(false), Some(no_ipv6()));
            }
            Ipv6::Unknown if candidate.family == Family::Ipv6 => {
                let reason = "this process may not open a socket to test for IPv6".to_owned();
                return kind(candidate, None, Some((Cause::Unknown, reason)));
            }
            _ => {}
        }
        // Which comes first in the kernel too.
        if Settled::of(port, &self.settings).needs_privilege == Some(true) {
            let start = self.privileged_end();
            let reason = format!("ports below {start} need a privilege that this user lacks");
            match self.may_bind_privileged() {
                Some(true) => {}
                Some(false) => return kind(candidate, Some(false), Some((Cause::Privilege, reason))),
                None => {
                    let reason =
                        format!("ports below {start} need a privilege; whether this user has it is unknown");
                    return kind(candidate, None, Some((Cause::Unknown, reason)));
                }
            }
        }
        let Some(sockets) = sockets else {
            let reason = "this system does not list its sockets; test it with --check-bind".to_owned();
            return kind(candidate, None, Some((Cause::Unknown, reason)));
        };
        if !sys::LISTS_EVERY_SOCKET {
            return self.told_of_few(candidate, sockets);
        }
        let asking = |socket: &InetSocket| answers.of(socket, self.held.as_ref());
        match verdict(candidate, sockets, asking) {
            Verdict::Free => kind(candidate, Some(true), None),
            Verdict::Blocked(socket) => {
                let reason = self.reason(socket, candidate);
                kind(candidate, Some(false), Some((cause(socket), reason)))
            }
            Verdict::UnlessReused(socket) => {
                let reason = format!(
                    "{}; whether that socket has SO_REUSEADDR set is hidden from this user",
                    self.reason(socket, candidate)
                );
                kind(candidate, None, Some((Cause::Unknown, reason)))
            }
            Verdict::UnlessV6Only(socket) => {
                let reason = format!(
                    "{}, on IPv4 too unless its server was IPv6-only, which is unknown",
                    self.reason(socket, candidate)
                );
                kind(candidate, None, Some((Cause::Unknown, reason)))
            }
        }
    }

    /// What can be said where not every socket is listed, and other systems' rules hold: only what two sockets of the same
    /// wildcard address do to each other is the same everywhere.
    fn told_of_few(&self, candidate: Candidate, sockets: &[InetSocket]) -> Bindable {
        let is_same = |socket: &&InetSocket| {
            socket.transport == candidate.transport
                && Family::of(socket.local.ip()) == candidate.family
                && socket.local.ip().is_unspecified()
        };
        if let Some(socket) = sockets.iter().find(is_same).filter(|_| !candidate.reuse_address) {
            kind(candidate, Some(false), Some((cause(socket), self.reason(socket, candidate))))
        } else {
            let reason = "this system does not list every socket; test it with --check-bind".to_owned();
            kind(candidate, None, Some((Cause::Unknown, reason)))
        }
    }

    /// What really binding says.
    fn attempted(&self, candidate: Candidate, port: u16) -> Bindable {
        let error = match attempt::bind(candidate, port) {
            Ok(Ok(())) => return Bindable { is_checked: true, ..kind(candidate, Some(true), None) },
            Ok(Err(error)) => error,
            Err(untried) if untried.is_absent() => return kind(candidate, Some(false), Some(no_ipv6())),
            Err(untried) => {
                let reason = format!("could not be tested: {}", untried.0);
                return kind(candidate, None, Some((Cause::Unknown, reason)));
            }
        };
        let sockets = self.held.as_ref().map(|held| held.sockets(port, port));
        let obstacle = sockets.map(|sockets| verdict(candidate, sockets, |_| Asked::default()));
        let why = match (error.kind(), obstacle) {
            (
                ErrorKind::AddrInUse,
                Some(
                    Verdict::Blocked(socket) | Verdict::UnlessReused(socket) | Verdict::UnlessV6Only(socket),
                ),
            ) => (cause(socket), self.reason(socket, candidate)),
            (ErrorKind::PermissionDenied, _)
                if Settled::of(port, &self.settings).needs_privilege == Some(true) =>
            {
                (
                    Cause::Privilege,
                    format!("permission denied: ports below {} need a privilege", self.privileged_end()),
                )
            }
            (ErrorKind::PermissionDenied, _) => {
                (Cause::Refused, "permission denied by a security module or a sandbox".to_owned())
            }
            _ => (Cause::Refused, error.to_string()),
        };
        Bindable { is_checked: true, ..kind(candidate, Some(false), Some(why)) }
    }

    /// The first port that takes no privilege.
    fn privileged_end(&self) -> u16 {
        self.settings.unprivileged_start.unwrap_or_default()
    }

    /// Who is in the way, as a sentence without a full stop.
    fn reason(&self, socket: &InetSocket, candidate: Candidate) -> String {
        let who = self.held.as_ref().map(|held| held.who(socket)).unwrap_or_default();
        let local = endpoint(socket.local, socket.interface);
        let crosses = candidate.family == Family::Ipv4
            && socket.local.is_ipv6()
            && socket.local.ip().to_canonical().is_ipv6();
        let too = if crosses && socket.v6only == Some(false) { ", on IPv4 too" } else { "" };
        match (socket.transport, socket.state) {
            (Transport::Udp, TcpState::Closed) => format!("{who} receives on {local}{too}"),
            (_, TcpState::Listen) => format!("{who} listens on {local}{too}"),
            (_, TcpState::Closed) => format!("{who} has bound {local} without listening{too}"),
            (_, TcpState::TimeWait) => {
                let left = super::holders::time_left(socket).unwrap_or_default().div_ceil(1000);
                format!("a connection in TIME-WAIT holds {local} for {left} s more")
            }
            (_, state) => format!(
                "{who} has a connection from {local} to {} ({})",
                endpoint(socket.remote, socket.interface),
                state.name()
            ),
        }
    }
}

fn no_ipv6() -> (Cause, String) {
    (Cause::NoFamily, "this system has no IPv6".to_owned())
}

fn kind(candidate: Candidate, can_bind: Option<bool>, why: Option<(Cause, String)>) -> Bindable {
    let (cause, reason) = why.unzip();
    Bindable {
        family: candidate.family,
        protocol: candidate.transport,
        v6only: candidate.is_v6only_told.then_some(candidate.is_v6only),
        reuse_address: candidate.reuse_address,
        can_bind,
        cause,
        reason,
        is_checked: false,
    }
}

/// What was asked of sockets, each once.
#[derive(Default)]
struct Answers(std::cell::RefCell<HashMap<(SocketAddr, u32), Asked>>);

impl Answers {
    fn of(&self, socket: &InetSocket, held: Option<&Held>) -> Asked {
        // What is left of connections has no inode; all of one address are asked together.
        let key = (socket.local, socket.inode);
        if let Some(known) = self.0.borrow().get(&key) {
            return *known;
        }
        let found = match held.and_then(|held| held.options_of(socket)) {
            Some(options) => Asked { reuses: Some(options.reuse_address), v6only: options.v6only },
            None => Asked { reuses: attempt::shares_address(socket), v6only: None },
        };
        self.0.borrow_mut().insert(key, found);
        found
    }
}
