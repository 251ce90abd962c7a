//! Looks again and again: rates, and what has changed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::columns::state_role;
use super::{Iface, Interfaces, Request, Watch, look};
use crate::error::Result;
use crate::measure::amount;
use crate::output::record::{
    Cell, Event, Flow, Frame, FrameColumn, FrameRow, Line, Observer, Role, Untrusted, Warning,
};
use crate::sys::{self, Counters, Listen, StopRequests};

/// So many looks a change stays marked.
const MARKED: u8 = 3;

/// What went through an interface in each second since the last look; `None` where a counter went back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names of the counters say it all")]
pub struct Rates {
    /// The seconds since the last look.
    pub interval_s: f64,
    pub rx_bytes_per_s: Option<f64>,
    pub rx_packets_per_s: Option<f64>,
    pub tx_bytes_per_s: Option<f64>,
    pub tx_packets_per_s: Option<f64>,
    /// How many there were since the last look, here and below.
    pub rx_errors: Option<u64>,
    pub rx_dropped: Option<u64>,
    pub tx_errors: Option<u64>,
    pub tx_dropped: Option<u64>,
}

/// What a look came upon.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "every one has the interface, and what its name says")]
pub enum Happening {
    /// The rates of one interface.
    Rates {
        at: String,
        index: u32,
        name: Untrusted,
        #[serde(flatten)]
        rates: Rates,
    },
    /// Something of one interface is not as it was.
    Changed {
        at: String,
        index: u32,
        name: Untrusted,
        field: &'static str,
        before: Untrusted,
        after: Untrusted,
    },
    /// An interface is there that was not.
    Appeared { at: String, index: u32, name: Untrusted },
    /// An interface is gone.
    Vanished { at: String, index: u32, name: Untrusted },
    /// Trouble that there was not.
    Warned {
        at: String,
        #[serde(flatten)]
        warning: Warning,
    },
}

impl Event for Happening {
    fn name(&self) -> &'static str {
        match self {
            Self::Rates { .. } => "rates",
            Self::Changed { .. } => "changed",
            Self::Appeared { .. } => "appeared",
            Self::Vanished { .. } => "vanished",
            Self::Warned { .. } => "warning",
        }
    }

    fn line(&self) -> Option<Line> {
        Some(match self {
            Self::Rates { at, name, rates, .. } => {
                let rate = |bytes: Option<f64>, packets: Option<f64>| match bytes.zip(packets) {
                    Some((bytes, packets)) => format!("{}/s in {packets:.0} packets/s", amount(bytes)),
                    None => "unknown: its counters were reset".to_owned(),
                };
                let line = start(at, name)
                    .plain(" received ")
                    .plain(rate(rates.rx_bytes_per_s, rates.rx_packets_per_s))
                    .plain(", sent ")
                    .plain(rate(rates.tx_bytes_per_s, rates.tx_packets_per_s));
                let (errors, dropped) = (rates.errors(), rates.dropped());
                let line = if errors > 0 { line.with(Role::Bad, format!(", {errors} errors")) } else { line };
                if dropped > 0 { line.with(Role::Caution, format!(", {dropped} dropped")) } else { line }
            }
            Self::Changed { at, name, field, before, after, .. } => {
                let line = start(at, name).plain(format!(" {field}: "));
                if LISTS.contains(field) {
                    difference(line, &before.to_lossy(), &after.to_lossy())
                } else {
                    line.plain(before.clone()).plain(" -> ").with(Role::Caution, after.clone())
                }
            }
            Self::Appeared { at, name, .. } => start(at, name).with(Role::Good, " appeared"),
            Self::Vanished { at, name, .. } => start(at, name).with(Role::Bad, " vanished"),
            Self::Warned { .. } => return None,
        })
    }

    fn keys() -> &'static [&'static str] {
        &["event", "at", "index", "name", "field", "before", "after"]
    }

    fn warning(&self) -> Option<&str> {
        match self {
            Self::Warned { warning, .. } => Some(&warning.message),
            _ => None,
        }
    }

    fn is_detail(&self) -> bool {
        matches!(self, Self::Rates { rates, .. } if rates.is_idle())
    }
}

fn start(at: &str, name: &Untrusted) -> Line {
    // The time of day of an RFC 3339 time.
    Line::default().dim(at.get(11..19).unwrap_or(at)).plain(" ").strong(name.clone())
}

/// The fields that hold several.
const LISTS: [&str; 2] = ["addresses", "gateways"];

/// Only what came and what went, of lists with commas.
fn difference(mut line: Line, before: &str, after: &str) -> Line {
    let items = |text: &str| -> Vec<String> {
        text.split(", ").filter(|item| *item != NONE).map(str::to_owned).collect()
    };
    let (before, after) = (items(before), items(after));
    let gone = before.iter().filter(|item| !after.contains(item)).map(|item| (Role::Bad, format!("-{item}")));
    let new = after.iter().filter(|item| !before.contains(item)).map(|item| (Role::Good, format!("+{item}")));
    for (place, (role, text)) in gone.chain(new).enumerate() {
        line = line.plain(if place == 0 { "" } else { ", " }).with(role, text);
    }
    line
}

impl Rates {
    /// The rates between two readings of the counters.
    fn between(before: &Counters, after: &Counters, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        #[expect(clippy::cast_precision_loss, reason = "what passes in an interval is far below 2^52")]
        let rate = |before: u64, after: u64| after.checked_sub(before).map(|more| more as f64 / seconds);
        let more = |before: Option<u64>, after: Option<u64>| after?.checked_sub(before?);
        Self {
            interval_s: elapsed.as_secs_f64(),
            rx_bytes_per_s: rate(before.rx_bytes, after.rx_bytes),
            rx_packets_per_s: rate(before.rx_packets, after.rx_packets),
            tx_bytes_per_s: rate(before.tx_bytes, after.tx_bytes),
            tx_packets_per_s: rate(before.tx_packets, after.tx_packets),
            rx_errors: after.rx_errors.checked_sub(before.rx_errors),
            rx_dropped: after.rx_dropped.checked_sub(before.rx_dropped),
            tx_errors: after.tx_errors.checked_sub(before.tx_errors),
            tx_dropped: more(before.tx_dropped, after.tx_dropped),
        }
    }

    fn errors(&self) -> u64 {
        self.rx_errors.unwrap_or(0) + self.tx_errors.unwrap_or(0)
    }

    fn dropped(&self) -> u64 {
        self.rx_dropped.unwrap_or(0) + self.tx_dropped.unwrap_or(0)
    }

    fn is_idle(&self) -> bool {
        let is_still = |rate: Option<f64>| rate == Some(0.0);
        is_still(self.rx_packets_per_s)
            && is_still(self.tx_packets_per_s)
            && self.errors() + self.dropped() == 0
    }
}

/// A part of an interface: its name, and its text.
type Field = (&'static str, fn(&Iface) -> String);
/// How much longer each field is marked.
type Marks = [u8; FIELDS.len()];

/// The parts of an interface that are told of when they change.
const FIELDS: [Field; 9] = [
    ("name", |iface| iface.name.to_lossy().into_owned()),
    ("state", |iface| iface.state.unwrap_or("unknown").to_owned()),
    ("carrier", |iface| iface.carrier.map_or(NONE, |carrier| if carrier { "yes" } else { "no" }).to_owned()),
    ("mtu", |iface| iface.mtu.map_or_else(|| NONE.to_owned(), |mtu| mtu.to_string())),
    ("mac", |iface| iface.mac.map_or_else(|| NONE.to_owned(), |mac| mac.to_string())),
    ("master", |iface| {
        iface.master.as_ref().map_or_else(|| NONE.to_owned(), |it| it.to_lossy().into_owned())
    }),
    ("addresses", |iface| {
        let addresses = iface.addresses.iter().map(|it| {
            // What passes by itself is no news.
            let flags =
                it.flags.iter().filter(|flag| matches!(**flag, "tentative" | "dadfailed" | "deprecated"));
            let flags: Vec<&str> = flags.copied().collect();
            let flags = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
            format!("{}{flags}", it.written())
        });
        or_none(&addresses.collect::<Vec<_>>())
    }),
    ("gateways", |iface| {
        let gateway = |it: &super::Gateway| {
            let address = it.address.map_or_else(|| "on-link".to_owned(), |ip| ip.to_string());
            it.metric.map_or_else(|| address.clone(), |metric| format!("{address} metric {metric}"))
        };
        or_none(&iface.gateways.iter().flatten().map(gateway).collect::<Vec<_>>())
    }),
    ("alias", |iface| iface.alias.as_ref().map_or_else(|| NONE.to_owned(), |it| it.to_lossy().into_owned())),
];

/// What stands where there is nothing.
const NONE: &str = "none";

fn or_none(items: &[String]) -> String {
    if items.is_empty() { NONE.to_owned() } else { items.join(", ") }
}

/// The interfaces between two looks.
struct State {
    last: Interfaces,
    at: Instant,
    /// For each interface of the last look how much longer its fields are marked.
    marks: Vec<Marks>,
    /// The interfaces whose errors rose, by index, with the warning of each.
    rising: BTreeMap<u32, Warning>,
}

/// Looks until it is told to stop, and tells what it sees; gives the last look.
pub(super) fn run(
    request: &Request,
    watch: Watch,
    observer: &mut dyn Observer<Happening>,
) -> Result<Interfaces> {
    let runtime = sys::runtime()?;
    let mut stop = StopRequests::listen(Listen::Stop)?;
    let first = look(request, true)?;
    let marks = vec![[0; FIELDS.len()]; first.interfaces.len()];
    let mut state = State { last: first, at: Instant::now(), marks, rising: BTreeMap::new() };
    let start = state.at;
    let mut flow = draw(&state, observer);
    let mut done = 0;
    let mut is_interrupted = false;
    while flow.is_continue() && watch.count.is_none_or(|count| done < count) {
        done += 1;
        // From the start, so that the time a look takes does not add up.
        let intervals = u32::try_from(done).unwrap_or(u32::MAX);
        let next = start + watch.interval.saturating_mul(intervals);
        let asked = async {
            tokio::select! {
                () = stop.at_least(1) => true,
                () = tokio::time::sleep_until(next.into()) => false,
            }
        };
        if runtime.block_on(asked) {
            is_interrupted = true;
            break;
        }
        let next = look(request, false)?;
        // A picture has the rates of all of them.
        let is_drawn = observer.is_drawing();
        let told = state.advance(next).into_iter();
        for happening in told.filter(|it| !(is_drawn && matches!(it, Happening::Rates { .. }))) {
            flow = observer.observe(happening);
            if flow.is_break() {
                break;
            }
        }
        if flow.is_continue() {
            // With nothing to tell it also notices that nobody reads any more.
            flow = draw(&state, observer);
        }
    }
    let _ = observer.draw(None);
    let mut last = state.last;
    last.warnings.extend(state.rising.into_values());
    Ok(Interfaces { is_interrupted, ..last })
}

impl State {
    /// Takes the next look: what has happened since the last.
    fn advance(&mut self, mut next: Interfaces) -> Vec<Happening> {
        let now = Instant::now();
        let elapsed = now - self.at;
        let at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let mut told = Vec::new();
        let mut marks = Vec::with_capacity(next.interfaces.len());
        for iface in &mut next.interfaces {
            let place = self.last.interfaces.binary_search_by_key(&iface.index, |last| last.index);
            let (index, name) = (iface.index, iface.name.clone());
            let Ok(place) = place else {
                told.push(Happening::Appeared { at: at.clone(), index, name });
                marks.push([MARKED; FIELDS.len()]);
                continue;
            };
            let last = &self.last.interfaces[place];
            let mut marked = self.marks[place].map(|mark| mark.saturating_sub(1));
            for ((field, of), mark) in FIELDS.iter().zip(&mut marked) {
                let (before, after) = (of(last), of(iface));
                if before != after {
                    *mark = MARKED;
                    let (before, after) = (before.into(), after.into());
                    told.push(Happening::Changed {
                        at: at.clone(),
                        index,
                        name: name.clone(),
                        field,
                        before,
                        after,
                    });
                }
            }
            marks.push(marked);
            if let Some((before, after)) = last.counters.as_ref().zip(iface.counters.as_ref()) {
                let rates = Rates::between(before, after, elapsed);
                if rates.errors() > 0
                    && let Entry::Vacant(vacant) = self.rising.entry(index)
                {
                    let message = format!("errors are rising on {}", name.to_lossy());
                    let warning = vacant.insert(Warning::new("errors-rising", message)).clone();
                    told.push(Happening::Warned { at: at.clone(), warning });
                }
                iface.rates = Some(Box::new(rates.clone()));
                told.push(Happening::Rates { at: at.clone(), index, name, rates });
            }
        }
        for last in &self.last.interfaces {
            if next.interfaces.binary_search_by_key(&last.index, |iface| iface.index).is_err() {
                told.push(Happening::Vanished { at: at.clone(), index: last.index, name: last.name.clone() });
            }
        }
        // What was true of the same interfaces at the last look is no news, whatever the others do.
        let was_told = |code: &str, about: &[u32], message: &str| {
            let mut before =
                self.last.warnings.iter().zip(&self.last.about).filter(|(it, _)| it.code == code);
            before.any(|(it, known)| {
                it.message == message
                    || (!about.is_empty() && about.iter().all(|index| known.contains(index)))
            })
        };
        for (warning, about) in next.warnings.iter().zip(&next.about) {
            if !was_told(warning.code, about, &warning.message) {
                told.push(Happening::Warned { at: at.clone(), warning: warning.clone() });
            }
        }
        (self.last, self.at, self.marks) = (next, now, marks);
        told
    }
}

fn draw(state: &State, observer: &mut dyn Observer<Happening>) -> Flow {
    let frame = observer.is_drawing().then(|| frame(state));
    observer.draw(frame)
}

/// The columns; on a narrow terminal the one with the highest number goes first.
const COLUMNS: [FrameColumn; 9] = [
    FrameColumn::text("NAME", 0),
    FrameColumn::text("STATE", 0),
    FrameColumn::number("RX/s", 1),
    FrameColumn::number("TX/s", 2),
    FrameColumn::number("RX packets/s", 5),
    FrameColumn::number("TX packets/s", 6),
    FrameColumn::number("ERRORS", 3),
    FrameColumn::number("DROPS", 4),
    FrameColumn::text("ADDRESSES", 7),
];

/// The urgency of an interface that is up, and nothing else.
const UP: u64 = 1;

fn frame(state: &State) -> Frame {
    let all = &state.last.interfaces;
    let rows = all.iter().zip(&state.marks).map(|(iface, marks)| row(iface, *marks));
    let has_marks = state.marks.iter().flatten().any(|mark| *mark > 0);
    let mark = if has_marks { "* changed; " } else { "" };
    let note = format!("{mark}errors and drops since the interface was created");
    let rows: Vec<FrameRow> = rows.take(Frame::MOST_ROWS).collect();
    Frame {
        columns: COLUMNS.to_vec(),
        // What is only up is first as well, and nothing is wrong with it.
        order: if rows.iter().any(|row| row.urgency > UP) { "worst first" } else { "" },
        rows,
        more: all.len().saturating_sub(Frame::MOST_ROWS),
        notes: vec![Line::default().dim(note)],
    }
}

#[expect(clippy::cast_precision_loss, reason = "an order for people")]
fn row(iface: &Iface, marks: Marks) -> FrameRow {
    let rates = iface.rates.as_deref();
    let bytes = |rate: Option<f64>| Cell::maybe(rate, |rate| Cell::text(amount(rate)));
    let packets = |rate: Option<f64>| Cell::maybe(rate, |rate| Cell::real(rate, 0));
    let total = |counters: fn(&Counters) -> u64, new: Option<u64>, role: Role| {
        Cell::maybe(iface.counters.as_ref().map(counters), |count| {
            mark(
                count.to_string(),
                if count > 0 { role } else { Role::Plain },
                new.is_some_and(|new| new > 0),
            )
        })
    };
    let state = iface.shown_state();
    // Errors that rise, then drops that do, then what is up and does not work, then what changes, then what is up at all.
    let (errors, drops) = (rates.map_or(0, Rates::errors), rates.map_or(0, Rates::dropped));
    let is_broken = iface.is_up && iface.carrier == Some(false);
    let has_changed = marks.iter().any(|mark| *mark > 0);
    let weights = [(errors > 0, 16), (drops > 0, 8), (is_broken, 4), (has_changed, 2), (iface.is_up, UP)];
    let urgency = weights.iter().filter(|(holds, _)| *holds).map(|(_, weight)| weight).sum();
    let remark = if errors > 0 {
        Some(Line::default().with(Role::Bad, "errors are rising"))
    } else if drops > 0 {
        Some(Line::default().with(Role::Caution, "packets are dropped"))
    } else if is_broken {
        Some(Line::default().with(Role::Bad, "no carrier"))
    } else {
        None
    };
    let cells = vec![
        mark(shown_name(iface), Role::Strong, marks[0] > 0),
        mark(state, state_role(iface, state), marks[1] > 0 || marks[2] > 0),
        bytes(rates.and_then(|rates| rates.rx_bytes_per_s)),
        bytes(rates.and_then(|rates| rates.tx_bytes_per_s)),
        packets(rates.and_then(|rates| rates.rx_packets_per_s)),
        packets(rates.and_then(|rates| rates.tx_packets_per_s)),
        total(|it| it.rx_errors + it.tx_errors, rates.map(Rates::errors), Role::Bad),
        total(|it| it.rx_dropped + it.tx_dropped.unwrap_or(0), rates.map(Rates::dropped), Role::Caution),
        mark(FIELDS[6].1(iface), Role::Address, marks[6] > 0),
    ];
    let sum = |of: fn(&Counters) -> u64| iface.counters.as_ref().map(|counters| of(counters) as f64);
    let numbers = [
        (2, rates.and_then(|rates| rates.rx_bytes_per_s)),
        (3, rates.and_then(|rates| rates.tx_bytes_per_s)),
        (6, sum(|it| it.rx_errors + it.tx_errors)),
        (7, sum(|it| it.rx_dropped + it.tx_dropped.unwrap_or(0))),
    ];
    let numbers = numbers.into_iter().filter_map(|(place, number)| Some((place, number?))).collect();
    FrameRow { cells, urgency, remark, numbers }
}

/// The name, no wider than its column however it is escaped.
fn shown_name(iface: &Iface) -> String {
    let name = iface.name.to_lossy();
    name.chars().map(|c| if c.is_ascii_graphic() || c.is_alphanumeric() { c } else { '?' }).collect()
}

/// A cell that shows that it has just changed, in colour and without.
fn mark(text: impl Into<Untrusted>, role: Role, is_marked: bool) -> Cell {
    let text = text.into();
    if is_marked {
        Cell::text(format!("{}*", text.to_lossy())).role(Role::Caution)
    } else {
        Cell::text(text).role(role)
    }
}
