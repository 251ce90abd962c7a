//! The one output layer: everything this program says to anybody leaves through the [`Emitter`].
//!
//! A command's result describes itself ([`record`]); a format, each in a file of its own, turns it into text.
//! Standard output is data. Hints, warnings and errors are standard error. No command is known here.

mod environment;
mod format;
mod keyboard;
mod live;
pub mod record;
mod select;
mod sink;
mod style;
mod table;

use std::io::{ErrorKind, stderr, stdout};
use std::ops::ControlFlow;

use environment::Screen;
pub use format::Format;
use format::Whole;
use live::Live;
use record::{Attention, Event, Flow, Frame, Line, Observer, Record, Report, Role, Untrusted, Warning};
use select::Rows;
use sink::Sink;

use crate::error::{Error, Exit, Result};
use crate::sys;

/// The columns of text of a terminal whose width is not told.
const USUAL_COLUMNS: usize = 80;
/// How far the further lines of a warning or a hint are indented.
const BESIDE: usize = 2;

/// How a run's result is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub struct Options {
    /// The format of standard output.
    pub format: Format,
    /// Whether that was asked for, and is not just the default.
    pub is_format_given: bool,
    /// The ids of the columns to show, in order; `None` leaves it to the record.
    pub columns: Option<Vec<String>>,
    /// The id of the column to sort by, with `-` before it for descending.
    pub sort: Option<String>,
    /// Whether tables and CSV begin with a header.
    pub header: bool,
    /// The width to lay out for, in characters.
    pub width: Option<usize>,
    /// Whether to use colours.
    pub color: ColorChoice,
    /// Only the result: no events, notes, hints or warnings.
    pub quiet: bool,
    /// Every column and every event.
    pub verbose: bool,
    /// Whether CSV has a row an event, as it happens, instead of a row of the result.
    pub events: bool,
    /// Whether a row stays one line, with commas in its lists, however wide that is.
    pub wide: bool,
}

impl Options {
    /// The ids of the columns of a record that `columns` and `sort` name, as far as they name any.
    pub fn ids<R: Record>(&self) -> Vec<&'static str> {
        select::ids::<R>(self)
    }

    /// Whether something was asked for that speaks of a format, or of a table.
    fn asks_for_table(&self) -> bool {
        let is_shaped = self.columns.is_some()
            || self.sort.is_some()
            || !self.header
            || self.width.is_some()
            || self.wide;
        self.is_format_given || self.verbose || self.quiet || is_shaped
    }
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// As the terminal and the environment say.
    #[default]
    Auto,
    /// Even when piped.
    Always,
    /// Not at all.
    Never,
}

/// Writes everything: events as they happen, the report at the end, and errors.
pub struct Emitter {
    options: Options,
    screen: Screen,
    out: Sink,
    err: Sink,
    /// The warnings that have been told, which are not told again at the end.
    warned: Vec<String>,
    /// Whether an event has been written, so that a blank line or an NDJSON summary follows it.
    has_streamed: bool,
    /// The picture that stands on the screen, once there was one.
    live: Option<Live>,
    /// Whether a line of progress stands on standard error.
    is_progress_shown: bool,
}

impl Emitter {
    /// Makes an emitter to this process's standard streams.
    pub fn new(options: Options) -> Self {
        let screen = Screen::detect(&options);
        let out = if sys::is_output_closed() { Sink::closed() } else { Sink::new(sys::unbuffered(stdout())) };
        Self {
            options,
            screen,
            out,
            err: Sink::new(stderr()),
            warned: Vec::new(),
            has_streamed: false,
            live: None,
            is_progress_shown: false,
        }
    }

    /// Writes events as JSON, a line each, if nobody looks and nothing else was asked for: whoever reads it then is a
    /// program.
    pub fn prefer_events(&mut self) {
        if !self.screen.is_terminal && !self.options.asks_for_table() {
            self.options.format = Format::Ndjson;
        }
    }

    /// Whether the result is a table, which people read, and not data for a script.
    pub fn is_for_people(&self) -> bool {
        self.options.format == Format::Table
    }

    /// Whether a person is watching standard output as it is written.
    pub fn is_watched(&self) -> bool {
        self.screen.is_terminal
    }

    /// Checks `--columns` and `--sort` against a record, before anything is done.
    ///
    /// Errors: a usage error that lists the record's columns.
    pub fn check<R: Record>(&self) -> Result<()> {
        select::named::<R>(&self.options)?;
        select::order::<R>(&self.options)?;
        Ok(())
    }

    /// Writes a command's whole result, and gives the exit code it stands for.
    ///
    /// Errors: an unknown column, or output that could not be written.
    pub fn finish<R: Report>(&mut self, report: &R) -> Result<Exit> {
        self.clear();
        if self.screen.is_terminal {
            // It may have another size by now.
            self.screen = Screen::detect(&self.options);
        }
        let named = select::named::<R::Row>(&self.options)?;
        let order = select::sorted(report, select::order(&self.options)?.as_ref());
        let row = |index| report.row(index);
        let rows = Rows::new(&row, &order);
        self.options.format.report(self, &Whole { report, rows: &rows, named: named.as_deref() });
        self.out.flush();
        self.close()?;
        Ok(report.exit())
    }

    /// Takes away the picture and the progress, so that what is written next stands alone.
    fn clear(&mut self) {
        if std::mem::take(&mut self.is_progress_shown) {
            self.err.write("\r\x1b[K");
            self.err.flush();
        }
        if let Some(live) = &self.live {
            live.take_away();
        }
    }

    /// Writes text of our own making as it is: help, a completion script, a manual page.
    ///
    /// Errors: output that could not be written.
    pub fn verbatim(&mut self, text: &str) -> Result<()> {
        self.out.write(text);
        self.close()
    }

    /// Writes a text of our own making that has a coloured and a plain form.
    ///
    /// Errors: output that could not be written.
    pub fn styled(&mut self, plain: &str, colored: &str) -> Result<()> {
        let text = if self.screen.colored { colored } else { plain };
        self.verbatim(text)
    }

    /// Writes text that may quote its user, escaped but for its line feeds, to standard error.
    pub fn complaint(&mut self, text: &str) {
        for line in text.trim_end().lines() {
            let line = match line.strip_prefix("error: ") {
                Some(rest) => Line::default().with(Role::Bad, "error: ").plain(rest),
                None => Line::new(line),
            };
            let width = environment::error_columns().unwrap_or(usize::MAX);
            // What fits stays as it is laid out.
            let parts = if style::width(&line, self.screen.charset) > width {
                style::wrapped(&line, BESIDE, width)
            } else {
                vec![line]
            };
            for (number, part) in parts.iter().enumerate() {
                let indent = if number == 0 { 0 } else { BESIDE };
                let part = style::line(part, self.screen.charset, self.screen.errors_colored);
                self.err.write(&format!("{:indent$}{part}\n", ""));
            }
        }
        self.err.flush();
    }

    /// Writes an error and its hints to standard error.
    pub fn error(&mut self, error: &Error) {
        self.clear();
        self.out.flush();
        self.tell_beside(Role::Bad, "error", &error.to_string());
        for hint in error.all_hints() {
            self.tell_beside(Role::Strong, "hint", hint);
        }
        if let Some((what, names)) = error.names() {
            self.tell_beside(Role::Strong, "hint", what);
            let width = environment::error_columns().unwrap_or(USUAL_COLUMNS);
            for line in table::in_columns(names, width.saturating_sub(BESIDE)) {
                self.err.write(&format!("{:BESIDE$}{line}\n", ""));
            }
            self.err.flush();
        }
    }

    /// Tells a warning on standard error, once.
    fn warning(&mut self, message: &str) {
        if !self.options.quiet && !self.warned.iter().any(|told| told == message) {
            self.warned.push(message.to_owned());
            self.tell_beside(Role::Caution, "warning", message);
        }
    }

    fn tell_beside(&mut self, role: Role, label: &'static str, message: &str) {
        self.clear();
        let line = Line::default().with(role, label).plain(": ").plain(message);
        let parts = match environment::error_columns() {
            Some(width) => style::wrapped(&line, BESIDE, width),
            None => vec![line],
        };
        for (number, part) in parts.iter().enumerate() {
            let indent = if number == 0 { 0 } else { BESIDE };
            let part = style::line(part, self.screen.charset, self.screen.errors_colored);
            self.err.write(&format!("{:indent$}{part}\n", ""));
        }
        self.err.flush();
    }

    /// Writes an event's line beside the data, as the answer to somebody who asked for it.
    fn answer<E: Event>(&mut self, event: &E) {
        let Some(line) = event.line() else { return };
        self.clear();
        let line = style::line(&line, self.screen.charset, self.screen.errors_colored);
        self.err.write(&line);
        self.err.write("\n");
        self.err.flush();
    }

    /// Writes the warnings and the hints of a result beside it.
    fn tell_warnings_and_hints<R: Report>(&mut self, report: &R) {
        let shows_verdict = self.is_for_people()
            && (self.options.quiet || self.screen.is_terminal)
            && !report.verdict().is_empty();
        let told = |warning: &&Warning| !(shows_verdict && warning.is_in_verdict);
        for Warning { message, .. } in report.warnings().iter().filter(told) {
            self.warning(message);
        }
        if self.is_for_people() && !self.options.quiet {
            for hint in report.hints() {
                self.tell_beside(Role::Strong, "hint", &hint);
            }
        }
    }

    fn close(&mut self) -> Result<()> {
        self.out.finish().map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    "free some space or write elsewhere; the output so far is incomplete"
                }
                _ => "write elsewhere; the output so far is incomplete",
            };
            Error::output("cannot write to standard output").caused_by(error).hint(hint)
        })
    }
}

impl<E: Event> Observer<E> for Emitter {
    fn observe(&mut self, event: E) -> Flow {
        if event.is_answer() && !self.options.format.is_stream_of_data(&self.options) {
            self.answer(&event);
        } else {
            self.options.format.event(self, &event);
        }
        self.out.flush();
        if let Some(warning) = event.warning() {
            self.warning(warning);
        }
        self.flow()
    }

    fn attention(&self) -> Attention {
        self.options.format.attention(&self.options)
    }

    fn is_drawing(&self) -> bool {
        let is_plain = !self.is_for_people() || self.options.quiet || self.options.verbose;
        !is_plain && self.screen.is_terminal && self.screen.can_redraw
    }

    fn draw(&mut self, frame: Option<Frame>) -> Flow {
        match frame.filter(|_| Observer::<E>::is_drawing(self)) {
            Some(frame) => {
                if std::mem::take(&mut self.is_progress_shown) {
                    self.clear();
                }
                self.out.flush();
                self.live.get_or_insert_with(|| Live::new(&self.options, self.screen)).show(frame);
                // One for the blank line that a table after events begins with.
                self.has_streamed = false;
            }
            None => self.clear(),
        }
        self.out.flush();
        if sys::is_reader_gone() {
            return ControlFlow::Break(());
        }
        self.flow()
    }

    fn shows_progress(&self) -> bool {
        self.screen.has_progress && !self.options.quiet
    }

    fn progress(&mut self, line: Option<Line>) {
        self.clear();
        if let Some(line) = line {
            // A line that wraps could not be taken away again.
            let columns = environment::error_columns().unwrap_or(80);
            let line = line.cut(columns.saturating_sub(1));
            let text = style::line(&line, self.screen.charset, self.screen.errors_colored);
            self.err.write(&text);
            self.err.flush();
            self.is_progress_shown = true;
        }
    }
}

impl Emitter {
    /// Whether somebody still reads.
    fn flow(&self) -> Flow {
        if self.out.is_open() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new(Untrusted::from(text))
    }
}
