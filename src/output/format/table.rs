//! Tables and blocks for people, and plain columns for `awk` when piped.

use super::{Style, Whole};
use crate::output::environment::Screen;
use crate::output::record::{Attention, Event, Layout, Line, Report};
use crate::output::select::Choice;
use crate::output::{Emitter, Options, select, style, table};

/// How far what stands below an event's line is indented.
const BELOW: usize = 4;

pub(super) struct Table;

impl Style for Table {
    fn event<E: Event>(emitter: &mut Emitter, event: &E) {
        if emitter.options.quiet || (event.is_detail() && !emitter.options.verbose) {
            return;
        }
        let Some(line) = event.line() else { return };
        emitter.clear();
        emitter.line(&line);
        for more in event.below() {
            emitter.line_below(&more);
        }
        emitter.out.write("\n");
        if event.rings() && emitter.screen.is_terminal {
            emitter.out.write("\x07");
        }
        emitter.has_streamed = true;
    }

    fn report<R: Report>(emitter: &mut Emitter, whole: &Whole<'_, R>) {
        let report = whole.report;
        let layout = match report.layout() {
            _ if whole.named.is_some() => Layout::Table,
            Layout::BlocksOnScreen if emitter.screen.is_terminal => Layout::Blocks,
            Layout::BlocksOnScreen => Layout::Table,
            layout => layout,
        };
        if emitter.has_streamed || (emitter.screen.is_terminal && report.is_interrupted()) {
            emitter.out.write("\n");
        }
        emitter.rows(whole, layout);
        // What is piped stays a table, where it is one.
        let is_read = emitter.screen.is_terminal || layout == Layout::Blocks;
        let is_quiet = emitter.options.quiet;
        let mut below = if is_quiet || is_read { report.verdict() } else { Vec::new() };
        if is_quiet {
            below.extend(report.only_in_events());
        } else if is_read {
            below.extend(report.notes());
        }
        for line in &below {
            for part in style::wrapped(line, 0, emitter.screen.width.unwrap_or(usize::MAX)) {
                emitter.out.write(&style::line(&part, emitter.screen.charset, emitter.screen.colored));
                emitter.out.write("\n");
            }
        }
        emitter.tell_warnings_and_hints(report);
    }

    fn attention(options: &Options) -> Attention {
        match (options.verbose, options.quiet) {
            (true, _) => Attention::Details,
            (false, false) => Attention::Usual,
            (false, true) => Attention::None,
        }
    }
}

impl Emitter {
    /// Writes an event's line, broken between words where it is longer than a terminal is wide.
    fn line(&mut self, line: &Line) {
        let width = self.screen.width.filter(|_| self.screen.is_terminal).unwrap_or(usize::MAX);
        let parts = if style::width(line, self.screen.charset) > width {
            style::wrapped(line, BELOW, width)
        } else {
            vec![line.clone()]
        };
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                self.out.write(&format!("\n{:BELOW$}", ""));
            }
            self.out.write(&style::line(part, self.screen.charset, self.screen.colored));
        }
    }

    /// Writes what stands below an event's line on a terminal, and behind it when piped.
    fn line_below(&mut self, line: &Line) {
        let shown = |line: &Line| style::line(line, self.screen.charset, self.screen.colored);
        if !self.screen.is_terminal {
            return self.out.write(&format!("  {}", shown(line)));
        }
        for part in style::wrapped(line, BELOW, self.screen.width.unwrap_or(usize::MAX)) {
            self.out.write(&format!("\n{:BELOW$}{}", "", shown(&part)));
        }
    }

    /// Writes the rows, as a table or as blocks.
    fn rows<R: Report>(&mut self, whole: &Whole<'_, R>, layout: Layout) {
        let (report, rows) = (whole.report, whole.rows);
        let named = whole.named.map(<[_]>::to_vec);
        let lines = if let Layout::Lines(ids) = layout { Some(select::of_ids(ids)) } else { None };
        let choice = named.or(lines).map_or(Choice::Default { verbose: self.options.verbose }, Choice::Named);
        // A header over nothing tells a script that there is nothing, and a person less than the notes do.
        let is_told = rows.count() > 0 || !self.screen.is_terminal;
        let is_flat = self.options.wide || matches!(layout, Layout::Lines(_));
        let width = self.screen.width.filter(|_| !self.options.wide);
        let screen = Screen { width, is_flat, ..self.screen };
        let line_each = if is_flat { "" } else { report.line_each() };
        let is_verbose = matches!(choice, Choice::Default { verbose: true });
        let told = |text: &str| {
            if is_told {
                self.out.write(text);
            }
        };
        if layout == Layout::Blocks {
            table::blocks(rows.order().iter().map(|index| report.block(*index)), &screen, told);
        } else if is_verbose && !table::fits(rows, &choice, &screen) {
            // Everything was asked for, and nothing of it is left out for want of room.
            table::blocks(rows.iter().map(|row| table::block_of(&*row)), &screen, told);
        } else {
            table::render(rows, &choice, &screen, self.options.header, line_each, told);
        }
    }
}
