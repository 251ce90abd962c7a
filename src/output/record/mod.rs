//! The record model: how a command's result describes itself to the output layer.
//!
//! This is the one part of the output layer that commands know. They give typed rows with columns, events as
//! they happen, and a report; which format that becomes, at what width and in which colours, is not theirs.

mod event;
mod untrusted;

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

pub use event::{Attention, Discard, Event, Flow, Frame, FrameColumn, FrameRow, Line, Observer};
pub(in crate::output) use untrusted::is_invisible;
pub use untrusted::{Charset, Untrusted};

use crate::error::Exit;

/// One row of a result, which knows the columns it can be shown in.
pub trait Record: Serialize + 'static {
    /// The columns in their natural order. A column's id is its JSON key, `--columns` and `--sort` name, and
    /// CSV header.
    fn columns() -> &'static [Column<Self>]
    where
        Self: Sized;
}

/// A command's whole result: plain data with every figure already computed.
pub trait Report: Serialize {
    /// The name and version of the JSON's shape, as `netdiag.ifaces/1`.
    const SCHEMA: &'static str;
    /// Where the rows are inside the serialised report: a JSON pointer (RFC 6901), empty for the whole.
    const ROWS: &'static str;
    /// The `event` name under which NDJSON gives a row, where the command itself streams nothing.
    const ROW_EVENT: &'static str;
    /// Whether the report is its one row, and not a list of rows.
    const IS_ONE_ROW: bool = false;
    /// The type of a row.
    type Row: Record + Clone;

    /// How many rows there are.
    fn row_count(&self) -> usize;

    /// One row, in their natural order from 0; it may be made only now.
    ///
    /// Where the serialised report has its rows, whatever it holds is replaced by these.
    fn row(&self, index: usize) -> Cow<'_, Self::Row>;

    /// How a person is shown the rows, where no columns are asked for.
    fn layout(&self) -> Layout {
        Layout::Table
    }

    /// The block of one row, for [`Layout::Blocks`].
    fn block(&self, _: usize) -> Block {
        Block::default()
    }

    /// The key of the row's list of which each item has a line of its own where a table is piped: `addresses` for the
    /// columns `addresses.*`; empty where a row is always one line.
    fn line_each(&self) -> &'static str {
        ""
    }

    /// What a person is told below the table on a terminal, a line each.
    fn notes(&self) -> Vec<Line> {
        Vec::new()
    }

    /// The result in a sentence, which `--quiet` does not silence; none where the table says it.
    fn verdict(&self) -> Vec<Line> {
        Vec::new()
    }

    /// What a page of the result says before its rows: the verdict, where there is one.
    fn headline(&self) -> Vec<Line> {
        self.verdict()
    }

    /// Tables that a page of the result has behind its rows.
    fn appendices(&self) -> Vec<Appendix> {
        Vec::new()
    }

    /// What an event has told and no row does; `--quiet`, which silences events, writes it as part of the result.
    fn only_in_events(&self) -> Vec<Line> {
        Vec::new()
    }

    /// What a person may do next, a sentence each.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a person and a script are warned of.
    fn warnings(&self) -> &[Warning] {
        &[]
    }

    /// Whether the user ended it with Ctrl-C, which a terminal has shown in the line the table would begin in.
    fn is_interrupted(&self) -> bool {
        false
    }

    /// Whether the answer is good, as an exit code.
    fn exit(&self) -> Exit {
        Exit::Fine
    }
}

/// How a person is shown rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// In a table.
    Table,
    /// In a table of these columns, exactly a line each whatever it takes.
    Lines(&'static [&'static str]),
    /// A block each.
    Blocks,
    /// A block each on a terminal; what is piped stays a table.
    BlocksOnScreen,
}

/// One row as a block: a title, and below it what is known, with a label each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The first line.
    pub title: Line,
    /// The labels and the lines that each stands before.
    pub fields: Vec<(&'static str, Vec<Line>)>,
}

impl Block {
    /// Starts a block.
    pub fn new(title: Line) -> Self {
        Self { title, fields: Vec::new() }
    }

    /// Adds what is known, if anything is.
    pub fn field(&mut self, label: &'static str, lines: impl IntoIterator<Item = Line>) {
        let lines: Vec<Line> = lines.into_iter().collect();
        if !lines.is_empty() {
            self.fields.push((label, lines));
        }
    }
}

/// A table behind a page's rows, for who wants to know more.
#[derive(Clone, Debug, PartialEq)]
pub struct Appendix {
    /// What the table is of, in a word or two.
    pub title: &'static str,
    /// The headings of its columns.
    pub columns: &'static [&'static str],
    /// Its rows, a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// Something that limits how far the result can be trusted, or that its reader should change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Whether the verdict's lines say the same, where they are shown.
    #[serde(skip)]
    pub is_in_verdict: bool,
    /// A stable kebab-case name for scripts.
    pub code: &'static str,
    /// One sentence for people, lower case, without a full stop.
    pub message: String,
}

impl Warning {
    /// Makes a warning from its stable code and its sentence.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { is_in_verdict: false, code, message: message.into() }
    }

    /// Says that the verdict's lines say the same.
    #[must_use]
    pub fn in_verdict(mut self) -> Self {
        self.is_in_verdict = true;
        self
    }
}

/// A column of a record's table.
pub struct Column<R> {
    /// The JSON key; keys below it follow after dots.
    pub id: &'static str,
    /// The heading, upper case, with the unit if there is one.
    pub title: &'static str,
    /// Which columns go first when the terminal is too narrow: the highest; 0 never goes.
    pub priority: u8,
    /// When the column is shown without being asked for.
    pub shown: Shown<R>,
    /// The side its cells are flush with.
    pub align: Align,
    /// For which rows it goes as one of the last, whatever its priority.
    pub kept: Option<fn(&R) -> bool>,
    /// Whether the text may be broken between words, the last resort on a narrow terminal.
    pub wraps: bool,
    /// Takes the cell out of a row.
    pub cell: fn(&R) -> Cell,
}

/// When a column is shown that nobody asked for by name.
pub enum Shown<R> {
    /// Always.
    Always,
    /// When at least one row has something to say in it.
    IfAny,
    /// When this holds for at least one row.
    IfSo(fn(&R) -> bool),
    /// With `--verbose`.
    Verbose,
}

impl<R> Shown<R> {
    /// Whether a row, with its cell, makes the column worth showing.
    pub fn holds(&self, row: &R, cell: &Cell) -> bool {
        match self {
            Self::IfAny => !cell.value.is_missing(),
            Self::IfSo(holds) => holds(row),
            Self::Always | Self::Verbose => false,
        }
    }
}

/// The side a column's cells are flush with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

impl<R> Column<R> {
    /// Makes a column that is always shown, never dropped, left-aligned and never wrapped.
    pub const fn new(id: &'static str, title: &'static str, cell: fn(&R) -> Cell) -> Self {
        Self {
            id,
            title,
            priority: 0,
            shown: Shown::Always,
            align: Align::Left,
            kept: None,
            wraps: false,
            cell,
        }
    }

    /// Lets the column go on a narrow terminal; the highest priority number goes first.
    #[must_use]
    pub const fn dropped_at(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Lets the column go as one of the last where this holds for one of the first rows.
    #[must_use]
    pub const fn kept_if(mut self, holds: fn(&R) -> bool) -> Self {
        self.kept = Some(holds);
        self
    }

    /// Aligns the column to the right, as numbers are.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.align = Align::Right;
        self
    }

    /// Lets the column's text be broken between words.
    #[must_use]
    pub const fn wrapping(mut self) -> Self {
        self.wraps = true;
        self
    }

    /// Shows the column only when a row has something to say in it.
    #[must_use]
    pub const fn if_any(mut self) -> Self {
        self.shown = Shown::IfAny;
        self
    }

    /// Shows the column only when this holds for a row.
    #[must_use]
    pub const fn if_so(mut self, holds: fn(&R) -> bool) -> Self {
        self.shown = Shown::IfSo(holds);
        self
    }

    /// Shows the column only with `--verbose` (or by name).
    #[must_use]
    pub const fn verbose(mut self) -> Self {
        self.shown = Shown::Verbose;
        self
    }
}

/// What one cell says, and how it should strike the eye.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What it says.
    pub value: Value,
    /// How it should strike the eye.
    pub role: Role,
}

/// What one cell says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// There is none.
    Missing,
    /// This system cannot tell.
    Unsupported,
    /// The system knows and refuses to tell this user.
    Denied,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A measured number, with the decimals that are worth showing to a person; CSV has them all.
    Real {
        /// The number in the column's unit.
        value: f64,
        /// What CSV gives instead: the same figure in the JSON key's unit.
        raw: f64,
        /// The decimals a person sees.
        decimals: usize,
    },
    /// A word of our own.
    Word(&'static str),
    /// A word for people, and the one that scripts are given instead, in CSV too.
    Named {
        /// What a person reads.
        shown: &'static str,
        /// What a script reads: the value of the JSON key.
        raw: &'static str,
    },
    /// Text, ours or not: the emitter does not have to trust it.
    Text(Untrusted),
    /// An address, with the length of its prefix if it has one.
    Ip(IpAddr, Option<u8>),
    /// What became of one probe after the other, drawn as a sparkline.
    Trend(Vec<Mark>),
    /// Several, a line each on a terminal, with commas between when piped.
    List(Vec<Value>),
    /// Several short ones, on one line everywhere.
    Series(Vec<Value>),
}

/// What became of one probe, for a sparkline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// It is under way.
    Open,
    /// It was answered, after so many microseconds.
    Answered(f64),
    /// It was lost, or met an error.
    Lost,
    /// This machine could not send it.
    Unsent,
    /// Its fate is not known.
    Unknown,
}

/// How a piece of text should strike the eye; the emitter chooses the colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// As it is.
    #[default]
    Plain,
    /// What the eye should find first.
    Strong,
    /// What it may pass over.
    Dim,
    /// Works.
    Good,
    /// Works with a reservation.
    Caution,
    /// Does not work.
    Bad,
    /// Names a place on the network: an address, a host.
    Address,
    /// The sign before a command on a screen, which is no part of it.
    Prompt,
    /// A command that a person can type as it is.
    Command,
}

impl Value {
    /// Whether there is nothing to show.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::List(items) | Self::Series(items) => items.iter().all(Self::is_missing),
            _ => false,
        }
    }
}

impl Cell {
    /// A cell with nothing in it.
    pub const MISSING: Self = Self::plain(Value::Missing);

    const fn plain(value: Value) -> Self {
        Self { value, role: Role::Plain }
    }

    /// Makes a cell of text; empty text counts as missing.
    pub fn text(text: impl Into<Untrusted>) -> Self {
        let text = text.into();
        if text.as_bytes().is_empty() { Self::MISSING } else { Self::plain(Value::Text(text)) }
    }

    /// Makes a cell of a word of our own.
    pub fn word(word: &'static str) -> Self {
        Self::plain(Value::Word(word))
    }

    /// Makes a cell of a word for people, and of the one that scripts are given.
    pub fn named(shown: &'static str, raw: &'static str) -> Self {
        Self::plain(Value::Named { shown, raw })
    }

    /// Makes a cell of an address, with the length of its prefix if it has one.
    pub fn ip(ip: IpAddr, prefix_len: Option<u8>) -> Self {
        Self::plain(Value::Ip(ip, prefix_len)).role(Role::Address)
    }

    /// Makes a cell of several others, in the role that all of them have; none counts as missing.
    pub fn items(items: impl Iterator<Item = Self>) -> Self {
        let mut role = None;
        let of_all = |cell: Self| {
            role = Some(if role.is_none_or(|role| role == cell.role) { cell.role } else { Role::Plain });
            cell.value
        };
        let items: Vec<Value> = items.map(of_all).collect();
        let value = if items.is_empty() { Value::Missing } else { Value::List(items) };
        Self::plain(value).role(role.unwrap_or(Role::Plain))
    }

    /// Makes a cell of a yes or no.
    pub fn flag(is: bool) -> Self {
        Self::plain(Value::Flag(is))
    }

    /// Makes a cell of a whole number.
    pub fn integer(number: impl TryInto<i64>) -> Self {
        Self::plain(number.try_into().map_or(Value::Missing, Value::Integer))
    }

    /// Makes a cell of a number with so many decimals for people.
    pub fn real(value: f64, decimals: usize) -> Self {
        Self::plain(Value::Real { value, raw: value, decimals })
    }

    /// Makes a cell that shows milliseconds (three significant digits at least) from microseconds.
    pub fn millis(us: f64) -> Self {
        let decimals = match us {
            us if us < 10_000.0 => 3,
            us if us < 100_000.0 => 2,
            us if us < 1_000_000.0 => 1,
            _ => 0,
        };
        Self::plain(Value::Real { value: us / 1000.0, raw: us, decimals })
    }

    /// Makes a cell that shows a round-trip time in milliseconds from microseconds, in the colour of its band: what nobody
    /// feels, what a person notices (from 100 ms), what interrupts one (from 300 ms).
    pub fn latency(us: f64) -> Self {
        const NOTICED_US: f64 = 100_000.0;
        const INTERRUPTS_US: f64 = 300_000.0;
        let role = match us {
            us if us < NOTICED_US => Role::Good,
            us if us < INTERRUPTS_US => Role::Caution,
            _ => Role::Bad,
        };
        Self::millis(us).role(role)
    }

    /// Makes a cell of what became of one probe after the other.
    pub fn trend(marks: Vec<Mark>) -> Self {
        Self::plain(Value::Trend(marks))
    }

    /// Makes a cell of an address that people recognise as one.
    pub fn address(text: impl Into<Untrusted>) -> Self {
        Self::text(text).role(Role::Address)
    }

    /// Makes a cell of several pieces of text; none counts as missing.
    pub fn list<T: Into<Untrusted>>(items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<Value> = items.into_iter().map(|item| Self::text(item).value).collect();
        Self::plain(if items.is_empty() { Value::Missing } else { Value::List(items) })
    }

    /// Makes a cell of several short pieces of text that stay on one line; none counts as missing.
    pub fn series<T: Into<Untrusted>>(items: impl IntoIterator<Item = T>) -> Self {
        let cell = Self::list(items);
        match cell.value {
            Value::List(items) => Self::plain(Value::Series(items)),
            _ => cell,
        }
    }

    /// Makes the cell that `make` gives for something, or says that this system cannot tell.
    pub fn told<T>(item: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        item.map_or(Self::plain(Value::Unsupported).role(Role::Dim), make)
    }

    /// Makes the cell that `make` gives for something, or a missing one for nothing.
    pub fn maybe<T>(item: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        item.map_or(Self::MISSING, make)
    }

    /// Gives the cell a role.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
}
