//! Text in a grid of cells, some of several lines: for a terminal.

use std::borrow::Cow;

use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::text::{self, columns, rule, text, wrapped};
use super::{GAP, WRAPPED_LEAST, total};
use crate::output::environment::Screen;
use crate::output::record::{Align, Cell, Column, Record, Role, Value};
use crate::output::style;

/// A table ready to be laid out: escaped text, nothing left to decide about its content.
pub(super) struct Grid {
    pub(super) titles: Vec<&'static str>,
    pub(super) aligns: Vec<Align>,
    pub(super) widths: Vec<usize>,
    pub(super) rows: Vec<Vec<Shown>>,
}

/// One cell's lines of escaped text.
pub(super) struct Shown {
    lines: Lines,
    role: Role,
    /// The characters of a sparkline, each with its role.
    marks: Vec<(Role, char)>,
}

/// The lines of a cell, most often one.
enum Lines {
    One(Cow<'static, str>),
    Several(Vec<Cow<'static, str>>),
}

impl Lines {
    fn as_slice(&self) -> &[Cow<'static, str>] {
        match self {
            Self::One(line) => std::slice::from_ref(line),
            Self::Several(lines) => lines,
        }
    }
}

impl Grid {
    pub(super) fn new<R: Record + Clone>(
        rows: &[Cow<'_, R>],
        columns: &[&'static Column<R>],
        screen: &Screen,
        header: bool,
    ) -> Self {
        let shown =
            |row: &Cow<'_, R>| columns.iter().map(|column| Shown::of(&(column.cell)(row), screen)).collect();
        let mut grid = Self {
            titles: columns.iter().map(|column| if header { column.title } else { "" }).collect(),
            aligns: columns.iter().map(|column| column.align).collect(),
            widths: Vec::new(),
            rows: rows.iter().map(shown).collect(),
        };
        grid.measure();
        grid
    }

    pub(super) fn measure(&mut self) {
        self.widths = self.titles.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for (widest, cell) in self.widths.iter_mut().zip(row) {
                *widest = cell.lines.as_slice().iter().map(|line| columns(line)).fold(*widest, usize::max);
            }
        }
    }

    /// Leaves these columns, and measures what is left.
    pub(super) fn keep(&mut self, kept: &[usize]) {
        self.titles = kept.iter().map(|index| self.titles[*index]).collect();
        self.aligns = kept.iter().map(|index| self.aligns[*index]).collect();
        for row in &mut self.rows {
            let mut cells: Vec<Option<Shown>> = std::mem::take(row).into_iter().map(Some).collect();
            *row = kept.iter().filter_map(|index| cells.get_mut(*index)?.take()).collect();
        }
        self.measure();
    }

    /// Breaks the text of columns that allow it between words, until the table is no wider than the room.
    pub(super) fn wrap<R: Record>(&mut self, columns: &[&'static Column<R>], room: Option<usize>) {
        let Some(room) = room else { return };
        for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.wraps) {
            let total = total(&self.widths);
            if total <= room {
                return;
            }
            let width =
                self.widths[index].saturating_sub(total - room).max(WRAPPED_LEAST.min(self.widths[index]));
            self.wrap_column(index, width);
            self.measure();
        }
    }

    pub(super) fn wrap_column(&mut self, index: usize, width: usize) {
        for row in &mut self.rows {
            let lines = row[index]
                .lines
                .as_slice()
                .iter()
                .flat_map(|line| wrapped(line, width))
                .map(Cow::Owned)
                .collect();
            row[index].lines = Lines::Several(lines);
        }
    }

    /// Draws the table with comfy-table: a strong header, a rule below it, no other lines.
    pub(super) fn draw(&self, screen: &Screen, header: bool) -> String {
        let rule = rule(screen.charset);
        let lines = TableStyle::new().header_separator(LineStyle::none().fill(rule));
        let mut table = Table::new();
        table.load_style(lines).set_content_arrangement(ContentArrangement::Disabled);
        if screen.colored {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        if header {
            table.set_header(
                self.titles.iter().map(|title| comfy_table::Cell::new(title).add_attribute(Attribute::Bold)),
            );
        }
        for row in &self.rows {
            table.add_row(row.iter().map(Shown::comfy));
        }
        let last = self.titles.len().saturating_sub(1);
        for (index, column) in table.column_iter_mut().enumerate() {
            let gap = if index == last { 0 } else { u16::try_from(GAP).unwrap_or(0) };
            column.set_padding((0, gap));
            if self.aligns[index] == Align::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        if self.rows.is_empty() && !header {
            return String::new();
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }

    /// Pads columns by hand: a line a row, nothing wrapped, cut or drawn (a rule only for a terminal).
    pub(super) fn pad(&self, screen: &Screen, header: bool) -> String {
        let mut text = String::new();
        if header {
            let titles = self.titles.iter().map(|title| (*title, Role::Strong, &[][..]));
            self.pad_line(&mut text, titles, screen);
            if screen.is_terminal {
                let width = total(&self.widths).min(screen.width.unwrap_or(usize::MAX));
                text.extend(std::iter::repeat_n(rule(screen.charset), width));
                text.push('\n');
            }
        }
        for row in &self.rows {
            let height = if screen.is_terminal {
                row.iter().map(|cell| cell.lines.as_slice().len()).max().unwrap_or(1)
            } else {
                1
            };
            for line in 0..height {
                let cells = row.iter().map(|cell| {
                    let line = cell.lines.as_slice().get(line).map_or("", |line| &**line);
                    (line, cell.role, cell.marks.as_slice())
                });
                self.pad_line(&mut text, cells, screen);
            }
        }
        text
    }

    fn pad_line<'a>(
        &self,
        text: &mut String,
        cells: impl Iterator<Item = (&'a str, Role, &'a [(Role, char)])>,
        screen: &Screen,
    ) {
        let start = text.len();
        for (index, (cell, role, marks)) in cells.enumerate() {
            let fill = self.widths[index].saturating_sub(columns(cell));
            let (before, after) = if self.aligns[index] == Align::Left { (0, fill) } else { (fill, 0) };
            text.extend(std::iter::repeat_n(' ', before));
            if screen.colored && !marks.is_empty() {
                for run in marks.chunk_by(|one, other| one.0 == other.0) {
                    let run_text: String = run.iter().map(|(_, mark)| *mark).collect();
                    text.push_str(&style::paint(&run_text, run[0].0, true));
                }
            } else if screen.colored {
                text.push_str(&style::paint(cell, role, true));
            } else {
                text.push_str(cell);
            }
            text.extend(std::iter::repeat_n(' ', after + GAP));
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
}

impl Shown {
    pub(super) fn of(cell: &Cell, screen: &Screen) -> Self {
        let role = if cell.value.is_missing() { Role::Dim } else { cell.role };
        let lines = match &cell.value {
            Value::List(items) if screen.is_terminal && !screen.is_flat => {
                Lines::Several(items.iter().map(|item| text(item, screen.charset)).collect())
            }
            value => Lines::One(text(value, screen.charset)),
        };
        let marks = match &cell.value {
            Value::Trend(marks) => text::trend(marks, screen.charset),
            _ => Vec::new(),
        };
        Self { lines, role, marks }
    }

    /// Leaves the last marks of a sparkline.
    pub(super) fn keep_last(&mut self, most: usize) {
        let skipped = self.marks.len().saturating_sub(most);
        self.marks.drain(..skipped);
        self.lines = Lines::One(Cow::Owned(self.marks.iter().map(|(_, mark)| *mark).collect()));
    }

    fn comfy(&self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new_owned(self.lines.as_slice().join("\n"));
        match self.role {
            Role::Plain => cell,
            Role::Strong => cell.add_attribute(Attribute::Bold),
            Role::Dim | Role::Prompt | Role::Command => cell.add_attribute(Attribute::Dim),
            Role::Good => cell.fg(Color::DarkGreen),
            Role::Caution => cell.fg(Color::DarkYellow),
            Role::Bad => cell.fg(Color::DarkRed),
            Role::Address => cell.fg(Color::DarkCyan),
        }
    }
}
