//! Looks at who listens again and again: what came, what went.

use std::time::{Instant, SystemTime};

use serde::Serialize;

use super::report::sockets;
use super::span::Asked;
use super::{Holder, Ports, Request, Watch, listening};
use crate::error::{Exit, Result};
use crate::output::record::{
    Attention, Cell, Event, Flow, Frame, FrameColumn, FrameRow, Line, Observer, Role,
};
use crate::sys::{self, Listen, StopRequests};

/// So many looks a socket that came or went stays marked.
const MARKED: u8 = 3;

/// What a look came upon.
#[derive(Clone, Debug, Serialize)]
pub struct Happening {
    /// When, RFC 3339.
    pub at: String,
    /// The port.
    pub port: u16,
    /// The socket, with a process that has it.
    #[serde(flatten)]
    pub holder: Holder,
    /// What became of it.
    #[serde(skip)]
    pub change: Change,
}

/// What became of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was there at the first look.
    Present,
    /// It has come since.
    Opened,
    /// It has gone.
    Closed,
}

impl Event for Happening {
    fn name(&self) -> &'static str {
        match self.change {
            Change::Present => "present",
            Change::Opened => "opened",
            Change::Closed => "closed",
        }
    }

    fn line(&self) -> Option<Line> {
        let role = match self.change {
            Change::Present => Role::Dim,
            Change::Opened => Role::Good,
            Change::Closed => Role::Bad,
        };
        let holder = &self.holder;
        let mut line = Line::default()
            // The time of day of an RFC 3339 time.
            .dim(self.at.get(11..19).unwrap_or(&self.at).to_owned())
            .plain(" ")
            .with(role, self.name())
            .plain(format!(" {} ", holder.protocol.name()))
            .strong(holder.local.as_str());
        if let (Some(name), Some(pid)) = (&holder.process, holder.pid) {
            line = line.plain(" ").strong(name.clone()).plain(format!(" (pid {pid})"));
        }
        match (&holder.user, holder.uid) {
            (Some(name), _) => Some(line.plain(" of ").plain(name.clone())),
            (None, Some(uid)) => Some(line.plain(format!(" of user {uid}"))),
            (None, None) => Some(line),
        }
    }

    fn is_detail(&self) -> bool {
        self.change == Change::Present
    }

    fn keys() -> &'static [&'static str] {
        &["event", "at", "port", "protocol", "local", "process", "pid", "user"]
    }
}

/// What stands in the live table: a listening socket and how long it stays marked, as new or as gone.
struct Row {
    port: u16,
    service: &'static str,
    class: &'static str,
    holders: Vec<Holder>,
    mark: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Old,
    New(u8),
    Gone(u8),
}

/// Looks until it is told to stop, and tells what came and went; gives the last look.
pub(super) fn run(
    request: &Request,
    asked: Option<&[Asked]>,
    watch: Watch,
    observer: &mut dyn Observer<Happening>,
) -> Result<Ports> {
    let runtime = sys::runtime()?;
    let mut stop = StopRequests::listen(Listen::Stop)?;
    let mut last = listening(request, asked)?;
    let mut rows = rows(&last);
    let start = Instant::now();
    let mut flow = Flow::Continue(());
    if observer.attention() == Attention::Details {
        for happening in rows.iter().flat_map(|row| happenings(row, Change::Present, &now())) {
            flow = observer.observe(happening);
            if flow.is_break() {
                break;
            }
        }
    }
    if flow.is_continue() {
        flow = draw(&rows, observer);
    }
    let mut done = 0;
    let mut is_interrupted = false;
    while flow.is_continue() && watch.count.is_none_or(|count| done < count) {
        done += 1;
        // From the start, so that the time a look takes does not add up.
        let next = start + watch.interval.saturating_mul(u32::try_from(done).unwrap_or(u32::MAX));
        let asked_to_stop = async {
            tokio::select! {
                () = stop.at_least(1) => true,
                () = tokio::time::sleep_until(next.into()) => false,
            }
        };
        if runtime.block_on(asked_to_stop) {
            is_interrupted = true;
            break;
        }
        last = listening(request, asked)?;
        for happening in advance(&mut rows, self::rows(&last)) {
            flow = observer.observe(happening);
            if flow.is_break() {
                break;
            }
        }
        if flow.is_continue() {
            // With nothing to tell it also notices that nobody reads any more.
            flow = draw(&rows, observer);
        }
    }
    let _ = observer.draw(None);
    // Who ends it has seen what he wanted.
    let exit = if is_interrupted { Exit::Fine } else { last.exit };
    Ok(Ports { is_interrupted, exit, ..last })
}

fn rows(ports: &Ports) -> Vec<Row> {
    let of_port = |port: &super::Port| -> Vec<Row> {
        let holders = port.holders.as_deref().unwrap_or_default();
        let row = |holders: &[Holder]| Row {
            port: port.port,
            service: port.services.first().map_or("", |service| service.name),
            class: port.class.name(),
            holders: holders.to_vec(),
            mark: Mark::Old,
        };
        sockets(holders).map(row).collect()
    };
    ports.ports.iter().flat_map(of_port).collect()
}

/// What makes a socket the same at the next look, whichever processes have it by then.
fn identity(row: &Row) -> (crate::sys::Transport, &str, Option<u32>) {
    let first = &row.holders[0];
    (first.protocol, &first.local, first.inode)
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// A socket's event for each process that has it.
fn happenings(row: &Row, change: Change, at: &str) -> Vec<Happening> {
    let happening =
        |holder: &Holder| Happening { at: at.to_owned(), port: row.port, holder: holder.clone(), change };
    row.holders.iter().map(happening).collect()
}

/// Takes the next look: what has come and gone since the last.
fn advance(rows: &mut Vec<Row>, next: Vec<Row>) -> Vec<Happening> {
    let at = now();
    let mut told = Vec::new();
    let mut tell = |row: &Row, change: Change| told.extend(happenings(row, change, &at));
    let mut after = next;
    let mut known: Vec<Option<Row>> = std::mem::take(rows).into_iter().map(Some).collect();
    // Both are sorted by port.
    let ports: Vec<u16> = known.iter().flatten().map(|old| old.port).collect();
    for row in &mut after {
        let start = ports.partition_point(|port| *port < row.port);
        let end = ports.partition_point(|port| *port <= row.port);
        let is_same = |old: &&mut Option<Row>| {
            old.as_ref()
                .is_some_and(|old| !matches!(old.mark, Mark::Gone(_)) && identity(old) == identity(row))
        };
        if let Some(old) = known[start..end].iter_mut().find(is_same).and_then(Option::take) {
            row.mark = match old.mark {
                Mark::New(left) if left > 1 => Mark::New(left - 1),
                _ => Mark::Old,
            };
        } else {
            tell(row, Change::Opened);
            row.mark = Mark::New(MARKED);
        }
    }
    for old in known.into_iter().flatten() {
        let mark = match old.mark {
            Mark::Gone(left) => Mark::Gone(left - 1),
            Mark::Old | Mark::New(_) => {
                tell(&old, Change::Closed);
                Mark::Gone(MARKED)
            }
        };
        if mark != Mark::Gone(0) {
            after.push(Row { mark, ..old });
        }
    }
    after.sort_by_key(|row| row.port);
    *rows = after;
    told
}

fn draw(rows: &[Row], observer: &mut dyn Observer<Happening>) -> Flow {
    let frame = observer.is_drawing().then(|| frame(rows));
    observer.draw(frame)
}

/// The columns; on a narrow terminal the one with the highest number goes first.
const COLUMNS: [FrameColumn; 8] = [
    FrameColumn::text("", 0),
    FrameColumn::number("PORT", 0),
    FrameColumn::text("PROTO", 1),
    FrameColumn::text("LOCAL", 2),
    FrameColumn::text("PROCESS", 3),
    FrameColumn::text("PID", 4),
    FrameColumn::text("USER", 5),
    FrameColumn::text("SERVICE", 6),
];

fn frame(rows: &[Row]) -> Frame {
    let row = |row: &Row| {
        let first = &row.holders[0];
        let (sign, role) = match row.mark {
            Mark::Old => ("", Role::Plain),
            Mark::New(_) => ("+", Role::Good),
            Mark::Gone(_) => ("-", Role::Bad),
        };
        let name = match (&first.process, first.owner) {
            (Some(name), _) => Cell::text(name.clone()),
            (None, super::Ownership::Denied) => Cell::word("denied"),
            (None, _) => Cell::MISSING,
        };
        let pid = first.pid.map_or(String::new(), |pid| pid.to_string());
        let more = row.holders.len() - 1;
        let pid = if more > 0 { format!("{pid} +{more}") } else { pid };
        let user = match (&first.user, first.uid) {
            (Some(name), _) => Cell::text(name.clone()),
            (None, uid) => Cell::maybe(uid, Cell::integer),
        };
        let strong = |plain| if role == Role::Plain { plain } else { role };
        let cells = vec![
            Cell::word(sign).role(role),
            Cell::integer(row.port).role(strong(Role::Strong)),
            Cell::word(first.protocol.name()).role(role),
            Cell::text(first.local.as_str()).role(strong(Role::Address)),
            name.role(role),
            Cell::text(pid).role(role),
            user.role(role),
            Cell::text(if row.service.is_empty() { row.class } else { row.service }).role(role),
        ];
        // What came or went comes first.
        FrameRow { cells, urgency: u64::from(row.mark != Mark::Old), ..FrameRow::default() }
    };
    let note = Line::default().with(Role::Good, "+").dim(" new, ").with(Role::Bad, "-").dim(" gone");
    let mut shown: Vec<&Row> = rows.iter().collect();
    // Of very many those that came or went, and of the others as many as there is room for.
    if shown.len() > Frame::MOST_ROWS {
        shown.sort_by_key(|row| row.mark == Mark::Old);
        shown.truncate(Frame::MOST_ROWS);
        shown.sort_by_key(|row| row.port);
    }
    Frame {
        columns: COLUMNS.to_vec(),
        more: rows.len() - shown.len(),
        rows: shown.into_iter().map(row).collect(),
        order: "changed first",
        notes: vec![note],
    }
}
