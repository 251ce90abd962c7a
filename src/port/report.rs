//! How knowledge about ports describes itself to the output layer.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Serialize, Serializer};

use super::{Bindable, Cause, Holder, Ownership, Port, Protocol, Purpose, View, block};
use crate::error::Exit;
use crate::output::record::{
    Block, Cell, Column, Layout, Line, Record, Report, Role, Untrusted, Value, Warning,
};
use crate::sys::{PortSettings, Transport};

/// The ports that were asked for.
#[derive(Clone, Debug)]
pub struct Ports {
    /// In the order they were asked for; those that were not named, by number.
    pub ports: Vec<Port>,
    /// What this system does with ports.
    pub settings: PortSettings,
    /// What limits the answer.
    pub warnings: Vec<Warning>,
    /// What else may have been meant, a sentence each.
    pub(super) remarks: Vec<String>,
    /// Whether looking again and again was ended by Ctrl-C.
    pub is_interrupted: bool,
    pub(super) purpose: Purpose,
    /// Whether a block a port was asked for.
    pub(super) has_blocks: bool,
    /// How many ports, ranges and names were asked for.
    pub(super) queries: usize,
    /// Whether the answer is good.
    pub(super) exit: Exit,
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ports.serialize(serializer)
    }
}

impl Report for Ports {
    const SCHEMA: &'static str = "netdiag.port/1";
    const ROWS: &'static str = "";
    const ROW_EVENT: &'static str = "port";
    type Row = Port;

    fn row_count(&self) -> usize {
        self.ports.len()
    }

    fn row(&self, index: usize) -> Cow<'_, Port> {
        Cow::Borrowed(&self.ports[index])
    }

    fn layout(&self) -> Layout {
        match self.ports.as_slice() {
            _ if self.has_blocks => Layout::Blocks,
            // Of one port there is more to tell than a line has room for.
            [only] if self.purpose == Purpose::Tell && only.last_port.is_none() && self.queries == 1 => {
                Layout::BlocksOnScreen
            }
            _ => Layout::Table,
        }
    }

    fn line_each(&self) -> &'static str {
        if self.purpose == Purpose::Listening { "holders" } else { "" }
    }

    fn block(&self, index: usize) -> Block {
        block::block(&self.ports[index], &self.settings)
    }

    fn notes(&self) -> Vec<Line> {
        let mut notes = self.remarks.clone();
        match (self.purpose, self.layout()) {
            (Purpose::Tell, Layout::Table) | (Purpose::Free, _) if !self.ports.is_empty() => {
                if let Some((first, last)) = self.settings.ephemeral {
                    notes.push(format!("the kernel chooses source ports from {first} to {last}"));
                }
            }
            _ => {}
        }
        notes.into_iter().map(|note| Line::default().dim(note)).collect()
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}

impl Record for Port {
    fn columns() -> &'static [Column<Self>] {
        &COLUMNS
    }
}

type Col = Column<Port>;

static COLUMNS: [Col; 31] = [
    Col::new("port", "PORT", |port| Cell::integer(port.port).role(Role::Strong)).right(),
    Col::new("last_port", "LAST PORT", |port| Cell::maybe(port.last_port, Cell::integer)).right().if_any(),
    Col::new("holders.protocol", "PROTO", |port| of_sockets(port, |it| Cell::word(it[0].protocol.name())))
        .if_so(is_listed),
    Col::new("holders.local", "LOCAL", |port| of_sockets(port, |it| Cell::address(it[0].local.as_str())))
        .if_so(is_listed),
    detail("holders.remote", "REMOTE", |port| {
        of_sockets(port, |it| Cell::maybe(it[0].remote.as_deref(), Cell::text))
    }),
    detail("holders.state", "STATE", |port| of_sockets(port, |it| Cell::word(it[0].state))),
    Col::new("holders.process", "PROCESS", |port| {
        of_sockets(port, |it| owned(&it[0], Cell::maybe(it[0].process.clone(), Cell::text)))
    })
    .if_so(is_listed),
    Col::new("holders.pid", "PID", |port| of_sockets(port, pids)).if_so(is_listed).dropped_at(2),
    Col::new("holders.user", "USER", |port| of_sockets(port, |it| user(&it[0])))
        .if_so(is_listed)
        .dropped_at(4),
    detail("holders.uid", "UID", |port| of_sockets(port, |it| Cell::maybe(it[0].uid, Cell::integer))).right(),
    Col::new("holders.unit", "UNIT", |port| of_sockets(port, |it| text(it[0].unit.as_ref())))
        .if_so(|port| is_listed(port) && any(port, |holder| holder.unit.is_some()))
        .dropped_at(7),
    Col::new("holders.container", "CONTAINER", |port| of_sockets(port, |it| text(it[0].container.as_ref())))
        .if_so(|port| is_listed(port) && any(port, |holder| holder.container.is_some()))
        .dropped_at(6),
    detail("holders.command", "COMMAND", |port| of_sockets(port, |it| text(it[0].command.as_ref()))),
    detail("holders.netns", "NETNS", |port| of_sockets(port, |it| text(it[0].netns.as_ref()))),
    Col::new("holders.v6only", "V6ONLY", |port| of_sockets(port, |it| Cell::maybe(it[0].v6only, Cell::flag)))
        .if_so(|port| is_listed(port) && any(port, |holder| holder.v6only == Some(true)))
        .dropped_at(6),
    Col::new("holders.interface", "INTERFACE", |port| of_sockets(port, |it| text(it[0].interface.as_ref())))
        .if_so(|port| is_listed(port) && any(port, |holder| holder.interface.is_some()))
        .dropped_at(3),
    detail("holders.accept_queue", "ACCEPT QUEUE", |port| {
        of_sockets(port, |it| Cell::maybe(it[0].accept_queue, Cell::integer))
    })
    .right(),
    detail("holders.backlog", "BACKLOG", |port| {
        of_sockets(port, |it| Cell::maybe(it[0].backlog, Cell::integer))
    })
    .right(),
    detail("holders.remaining_ms", "REMAINING ms", |port| {
        of_sockets(port, |it| Cell::maybe(it[0].remaining_ms, Cell::integer))
    })
    .right(),
    Col::new("class", "CLASS", |port| Cell::text(port.class.name())).dropped_at(5),
    Col::new("iana_range", "IANA RANGE", |port| Cell::text(port.iana_range.name()))
        .if_so(is_told)
        .dropped_at(6),
    Col::new("is_ephemeral_here", "EPHEMERAL", |port| Cell::told(port.is_ephemeral_here, Cell::flag))
        .if_so(is_told)
        .dropped_at(7),
    Col::new("is_reserved_here", "RESERVED", |port| Cell::told(port.is_reserved_here, Cell::flag))
        .if_so(|port| is_told(port) && port.is_reserved_here == Some(true))
        .dropped_at(9),
    Col::new("needs_privilege", "PRIVILEGED", |port| Cell::told(port.needs_privilege, Cell::flag))
        .if_so(is_told)
        .dropped_at(8),
    Col::new("services", "SERVICES", |port| Cell::list(port.services.iter().map(|service| service.name)))
        .dropped_at(1),
    detail("services.protocols", "PROTOCOLS", |port| {
        Cell::list(port.services.iter().map(|service| protocols(&service.protocols)))
    }),
    Col::new("holders", "HELD BY", held_by).if_so(is_told).dropped_at(2),
    Col::new("bindable", "BINDABLE", bindable).if_so(|port| is_told(port) && port.bindable.is_some()),
    Col::new("services.description", "DESCRIPTION", |port| {
        Cell::list(port.services.iter().map(|service| service.description)).role(Role::Dim)
    })
    .if_so(is_told)
    .dropped_at(10),
    detail("notes.note", "NOTES", |port| Cell::list(port.notes.iter().map(|note| note.note))),
    detail("remedies", "REMEDIES", |port| Cell::list(port.remedies.iter().map(String::as_str))),
];

const fn detail(id: &'static str, title: &'static str, cell: fn(&Port) -> Cell) -> Col {
    Col::new(id, title, cell).verbose().dropped_at(11)
}

fn is_listed(port: &Port) -> bool {
    port.view == View::Listed
}

fn is_told(port: &Port) -> bool {
    port.view == View::Told
}

fn any(port: &Port, holds: fn(&Holder) -> bool) -> bool {
    port.holders.iter().flatten().any(holds)
}

/// A cell with a line for each socket, which several processes may have.
fn of_sockets(port: &Port, cell: impl Fn(&[Holder]) -> Cell) -> Cell {
    match &port.holders {
        Some(holders) => Cell::items(sockets(holders).map(cell)),
        None => Cell::told(None, |()| Cell::MISSING),
    }
}

/// The holders of one socket after another.
pub(super) fn sockets(holders: &[Holder]) -> impl Iterator<Item = &[Holder]> {
    holders.chunk_by(|one, other| one.socket == other.socket)
}

/// The processes that have a socket.
fn pids(holders: &[Holder]) -> Cell {
    match holders {
        [Holder { pid: Some(pid), .. }] => Cell::integer(*pid),
        [only] => owned(only, Cell::MISSING),
        several => {
            let pids = several.iter().filter_map(|holder| holder.pid).map(|pid| pid.to_string());
            Cell::text(pids.collect::<Vec<_>>().join(","))
        }
    }
}

/// A cell about a process, or why there is none.
fn owned(holder: &Holder, cell: Cell) -> Cell {
    match holder.owner {
        Ownership::Known | Ownership::None | Ownership::Unaccepted => cell,
        Ownership::Hidden => Cell::word("hidden"),
        Ownership::Denied => Cell { value: Value::Denied, role: Role::Dim },
    }
}

fn user(holder: &Holder) -> Cell {
    match (&holder.user, holder.uid) {
        (Some(name), _) => Cell::text(name.clone()),
        (None, uid) => Cell::maybe(uid, |uid| Cell::text(uid.to_string())),
    }
}

fn text(text: Option<&Untrusted>) -> Cell {
    Cell::maybe(text.cloned(), Cell::text)
}

pub(super) fn protocols(protocols: &[Protocol]) -> String {
    protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>().join("/")
}

/// Who holds a port, in a few words.
fn held_by(port: &Port) -> Cell {
    /// Of ports that many hold the others are counted.
    const MOST: usize = 3;
    /// Holders come by port: further back there is none of the same.
    const NEAR: usize = 16;
    let Some(holders) = &port.holders else { return Cell::told(None, |()| Cell::MISSING) };
    // Of several ports, which of them each holds.
    let is_run = port.last_port.is_some();
    let number = |holder: &Holder| match holder.local.rsplit_once(':').filter(|_| is_run) {
        Some((_, number)) => number.to_owned(),
        None => String::new(),
    };
    let of_port = |holder: &Holder, name: Untrusted| -> Untrusted {
        if is_run { format!("{} {}", number(holder), name.to_lossy()).into() } else { name }
    };
    let mut names: Vec<(Untrusted, usize)> = Vec::new();
    let mut pids: HashSet<(String, u32)> = HashSet::new();
    for holder in
        holders.iter().filter(|holder| holder.pid.is_none_or(|pid| pids.insert((number(holder), pid))))
    {
        let name = match (&holder.process, holder.owner) {
            (Some(name), _) => name.clone(),
            (None, Ownership::None | Ownership::Unaccepted) => holder.state.into(),
            (None, Ownership::Hidden) => "hidden".into(),
            (None, _) => match (&holder.user, holder.uid) {
                (Some(name), _) => format!("user {}", name.to_lossy()).into(),
                (None, Some(uid)) => format!("user {uid}").into(),
                (None, None) => "denied".into(),
            },
        };
        let name = of_port(holder, name);
        match names.iter_mut().rev().take(NEAR).find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => names.push((name, 1)),
        }
    }
    let more = names.len().saturating_sub(MOST);
    let shown = names.into_iter().take(MOST).map(|(name, count)| match count {
        1 => name,
        count => format!("{} x{count}", name.to_lossy()).into(),
    });
    let more = (more > 0).then(|| Untrusted::from(format!("{more} more")));
    Cell::list(shown.chain(more))
}

/// Whether a port can be had, in a few words.
fn bindable(port: &Port) -> Cell {
    let Some(kinds) = &port.bindable else { return Cell::MISSING };
    let told: Vec<(Transport, Answer)> = [Transport::Tcp, Transport::Udp]
        .into_iter()
        .filter_map(|protocol| Some((protocol, Answer::of(kinds, protocol)?)))
        .collect();
    match told.as_slice() {
        [] => Cell::MISSING,
        [(_, first), rest @ ..] if rest.iter().all(|(_, answer)| answer == first) => {
            Cell::word(first.name()).role(first.role())
        }
        several => {
            let worst = several.iter().map(|(_, answer)| answer.role()).find(|role| *role != Role::Good);
            let text: Vec<String> =
                several.iter().map(|(protocol, it)| format!("{} {}", protocol.name(), it.name())).collect();
            Cell::text(text.join(", ")).role(worst.unwrap_or_default())
        }
    }
}

/// Whether a port of one protocol can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// Of one family.
    OnlyIpv4,
    OnlyIpv6,
    /// If SO_REUSEADDR is set.
    Reusing,
    No,
    Untold,
}

impl Answer {
    pub(super) fn of(kinds: &[Bindable], protocol: Transport) -> Option<Self> {
        let of = |reuse_address: bool, is_ipv4: bool| {
            let mut kinds = kinds.iter().filter(move |kind| {
                kind.protocol == protocol
                    && kind.reuse_address == reuse_address
                    && (kind.family == crate::address::Family::Ipv4) == is_ipv4
                    && kind.cause != Some(Cause::NoFamily)
            });
            // The first of IPv6 is the one that the system makes by default.
            kinds.next().map(|kind| (kind.can_bind, kinds.any(|kind| kind.can_bind == Some(true))))
        };
        let ipv4 = of(false, true)?.0;
        let (ipv6, is_ipv6_alone) = of(false, false).unwrap_or((ipv4, false));
        let reusing = [of(true, true), of(true, false)];
        let is_reusing = reusing.iter().flatten().all(|(can, _)| *can == Some(true));
        Some(match (ipv4, ipv6) {
            (Some(true), Some(true)) => Self::Yes,
            _ if is_reusing => Self::Reusing,
            (Some(true), _) => Self::OnlyIpv4,
            (_, Some(true)) => Self::OnlyIpv6,
            _ if is_ipv6_alone => Self::OnlyIpv6,
            (Some(false), _) | (_, Some(false)) => Self::No,
            (None, None) => Self::Untold,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::OnlyIpv4 => "IPv4 only",
            Self::OnlyIpv6 => "IPv6 only",
            Self::Reusing => "with SO_REUSEADDR",
            Self::No => "no",
            Self::Untold => "not told",
        }
    }

    pub(super) fn role(self) -> Role {
        match self {
            Self::Yes => Role::Good,
            Self::OnlyIpv4 | Self::OnlyIpv6 | Self::Reusing | Self::Untold => Role::Caution,
            Self::No => Role::Bad,
        }
    }
}
