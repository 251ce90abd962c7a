//! Tables for people: comfy-table on a terminal, plain aligned columns when piped.

use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::environment::Screen;
use super::record::{Align, Charset, Column, Record, Role, Value};
use super::{select, style};

/// From so many rows on, columns are padded by hand even on a terminal: the look is the same, and it takes far
/// less time and memory.
const COMFY_MOST_ROWS: usize = 1_000;
/// A column that may wrap is not made narrower than this many characters.
const WRAPPED_LEAST: usize = 16;
/// The spaces between two columns.
const GAP: usize = 2;

/// A table ready to be laid out: escaped text, nothing left to decide about its content.
struct Grid {
    titles: Vec<&'static str>,
    aligns: Vec<Align>,
    widths: Vec<usize>,
    rows: Vec<Vec<Shown>>,
}

/// One cell's lines of escaped text.
struct Shown {
    lines: Vec<String>,
    role: Role,
}

/// What became of a table: its text, and the ids of the columns there was no room for.
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) dropped: Vec<&'static str>,
}

/// Renders rows as a table for this screen.
pub(super) fn render<R: Record>(
    rows: &[&R],
    mut columns: Vec<&'static Column<R>>,
    screen: &Screen,
    header: bool,
    may_drop: bool,
) -> Rendered {
    let grid = Grid::new(rows, &columns, screen, header);
    let room = screen.width.filter(|_| may_drop);
    let dropped = room.map_or_else(Vec::new, |room| narrow(&mut columns, &grid.widths, room));
    let mut grid = if dropped.is_empty() { grid } else { Grid::new(rows, &columns, screen, header) };
    if screen.is_terminal {
        grid.wrap(&columns, screen.width);
    }
    let text = if screen.is_terminal && grid.rows.len() <= COMFY_MOST_ROWS {
        grid.draw(screen, header)
    } else {
        grid.pad(screen, header)
    };
    Rendered { text, dropped }
}

/// Drops columns until the table fits: before a text is broken those that are expendable, and then, with the
/// columns that wrap at their narrowest, as many as it takes. Gives the ids of the dropped.
fn narrow<R: Record>(
    columns: &mut Vec<&'static Column<R>>,
    widths: &[usize],
    room: usize,
) -> Vec<&'static str> {
    /// From this priority number on a column goes sooner than a text is broken.
    const EXPENDABLE: u8 = 5;
    let natural: Vec<(&str, usize)> =
        columns.iter().map(|column| column.id).zip(widths.iter().copied()).collect();
    let total = |left: &[&'static Column<R>], wrapped: bool| -> usize {
        let width = |column: &Column<R>| {
            let width = natural.iter().find(|(id, _)| *id == column.id).map_or(0, |(_, width)| *width);
            if wrapped && column.wraps { width.min(WRAPPED_LEAST) } else { width }
        };
        left.iter().map(|column| width(column)).sum::<usize>() + GAP * left.len().saturating_sub(1)
    };
    let mut dropped = select::narrow(columns, EXPENDABLE, |left| total(left, false) <= room);
    if total(columns, false) > room {
        dropped.extend(select::narrow(columns, 1, |left| total(left, true) <= room));
    }
    dropped
}

impl Grid {
    fn new<R: Record>(rows: &[&R], columns: &[&'static Column<R>], screen: &Screen, header: bool) -> Self {
        let shown = |row: &&R| columns.iter().map(|column| Shown::new(*row, column, screen)).collect();
        let mut grid = Self {
            titles: columns.iter().map(|column| if header { column.title } else { "" }).collect(),
            aligns: columns.iter().map(|column| column.align).collect(),
            widths: Vec::new(),
            rows: rows.iter().map(shown).collect(),
        };
        grid.measure();
        grid
    }

    fn measure(&mut self) {
        self.widths = self.titles.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for (widest, cell) in self.widths.iter_mut().zip(row) {
                *widest = cell.lines.iter().map(|line| line.width()).fold(*widest, usize::max);
            }
        }
    }

    /// Breaks the text of columns that allow it between words, until the table is no wider than the room.
    fn wrap<R: Record>(&mut self, columns: &[&'static Column<R>], room: Option<usize>) {
        let Some(room) = room else { return };
        for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.wraps) {
            let total = self.widths.iter().sum::<usize>() + GAP * self.widths.len().saturating_sub(1);
            if total <= room {
                return;
            }
            let width =
                self.widths[index].saturating_sub(total - room).max(WRAPPED_LEAST.min(self.widths[index]));
            for row in &mut self.rows {
                row[index].lines = row[index].lines.iter().flat_map(|line| wrapped(line, width)).collect();
            }
            self.measure();
        }
    }

    /// Draws the table with comfy-table: a strong header, a rule below it, no other lines.
    fn draw(&self, screen: &Screen, header: bool) -> String {
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
    fn pad(&self, screen: &Screen, header: bool) -> String {
        let mut text = String::new();
        if header {
            let titles = self.titles.iter().map(|title| ((*title).to_owned(), Role::Strong));
            self.pad_line(&mut text, titles, screen);
            if screen.is_terminal {
                let total = self.widths.iter().sum::<usize>() + GAP * self.widths.len().saturating_sub(1);
                text.extend(std::iter::repeat_n(rule(screen.charset), total));
                text.push('\n');
            }
        }
        for row in &self.rows {
            let height = if screen.is_terminal {
                row.iter().map(|cell| cell.lines.len()).max().unwrap_or(1)
            } else {
                1
            };
            for line in 0..height {
                let cells =
                    row.iter().map(|cell| (cell.lines.get(line).cloned().unwrap_or_default(), cell.role));
                self.pad_line(&mut text, cells, screen);
            }
        }
        text
    }

    fn pad_line(&self, text: &mut String, cells: impl Iterator<Item = (String, Role)>, screen: &Screen) {
        let start = text.len();
        for (index, (cell, role)) in cells.enumerate() {
            let fill = self.widths[index].saturating_sub(cell.width());
            let painted = style::paint(&cell, role, screen.colored);
            match self.aligns[index] {
                Align::Left => text.extend([painted.as_str(), &" ".repeat(fill + GAP)]),
                Align::Right => {
                    text.extend([" ".repeat(fill).as_str(), &painted, &" ".repeat(GAP)]);
                }
            }
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
}

impl Shown {
    fn new<R: Record>(row: &R, column: &Column<R>, screen: &Screen) -> Self {
        let cell = (column.cell)(row);
        let role = if cell.value.is_missing() { Role::Dim } else { cell.role };
        let lines = match &cell.value {
            Value::List(items) if screen.is_terminal => {
                items.iter().map(|item| text(item, screen.charset)).collect()
            }
            value => vec![text(value, screen.charset)],
        };
        Self { lines, role }
    }

    fn comfy(&self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new_owned(self.lines.join("\n"));
        match self.role {
            Role::Plain => cell,
            Role::Strong => cell.add_attribute(Attribute::Bold),
            Role::Dim => cell.add_attribute(Attribute::Dim),
            Role::Good => cell.fg(Color::DarkGreen),
            Role::Caution => cell.fg(Color::DarkYellow),
            Role::Bad => cell.fg(Color::DarkRed),
        }
    }
}

fn rule(charset: Charset) -> char {
    match charset {
        Charset::Ascii => '-',
        Charset::Unicode => '─',
    }
}

/// A value as a person reads it, on one line.
fn text(value: &Value, charset: Charset) -> String {
    match value {
        Value::Missing => "-".to_owned(),
        Value::Unsupported => "unsupported".to_owned(),
        Value::Denied => "denied".to_owned(),
        Value::Flag(is) => if *is { "yes" } else { "no" }.to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real { value, decimals, .. } => format!("{value:.decimals$}"),
        Value::Text(text) => text.escaped(charset),
        Value::List(items) | Value::Series(items) => {
            items.iter().map(|item| text(item, charset)).collect::<Vec<_>>().join(",")
        }
    }
}

/// Breaks a line between words so that no piece is wider than `width`; a word is only broken if it is longer
/// than any address.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    /// An IPv6 address with a zone and a port.
    const LONGEST_ADDRESS: usize = 62;
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let mut word = word.to_owned();
        while word.width() > width.max(LONGEST_ADDRESS) {
            let end =
                word.char_indices().map(|(at, _)| at).take_while(|at| word[..*at].width() <= width).last();
            let rest = word.split_off(end.unwrap_or(0).max(1));
            lines.push(std::mem::replace(&mut word, rest));
        }
        let last = lines.last_mut().expect("there is always a line to add to");
        if last.is_empty() {
            *last = word;
        } else if last.width() + 1 + word.width() <= width {
            last.push(' ');
            last.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::record::Cell;
    use serde::Serialize;

    #[derive(Serialize)]
    struct Nic {
        name: &'static str,
        mac: &'static str,
        note: &'static str,
        addresses: Vec<&'static str>,
    }

    impl Record for Nic {
        fn columns() -> &'static [Column<Self>] {
            type Col = Column<Nic>;
            static COLUMNS: [Col; 4] = [
                Col::new("name", "NAME", |nic| Cell::text(nic.name)),
                Col::new("mac", "MAC", |nic| Cell::text(nic.mac)).dropped_at(2),
                Col::new("note", "NOTE", |nic| Cell::text(nic.note)).wrapping(),
                Col::new("addresses", "ADDRESSES", |nic| Cell::list(nic.addresses.iter().copied())),
            ];
            &COLUMNS
        }
    }

    const NIC: Nic = Nic {
        name: "eth0\x1b[2J",
        mac: "02:00:00:00:00:01",
        note: "carrier lost four times within the last hour",
        addresses: Vec::new(),
    };

    fn screen(is_terminal: bool, width: Option<usize>) -> Screen {
        Screen { is_terminal, width, colored: false, errors_colored: false, charset: Charset::Unicode }
    }

    fn rendered(nics: &[Nic], screen: &Screen) -> Rendered {
        render(&nics.iter().collect::<Vec<_>>(), Nic::columns().iter().collect(), screen, true, true)
    }

    #[test]
    fn piped_is_one_line_a_row_and_never_cut() {
        let nic = Nic { addresses: vec!["10.0.0.1/8", "::1/128"], ..NIC };
        let text = rendered(&[nic], &screen(false, None)).text;
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("10.0.0.1/8,::1/128"));
        assert!(text.contains("eth0\\x1b[2J"));
    }

    #[test]
    fn a_narrow_terminal_drops_columns_first_then_wraps_words_and_never_breaks_an_address() {
        let nic = Nic { addresses: vec!["2001:db8:1:2:3:4:5:6/64"], ..NIC };
        let Rendered { text, dropped } = rendered(&[nic], &screen(true, Some(70)));
        assert_eq!(dropped, ["mac"]);
        assert!(text.contains("2001:db8:1:2:3:4:5:6/64"));
        assert!(text.lines().all(|line| line.width() <= 70), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(NIC.note.split(' ').all(|word| words.contains(&word)), "{text}");
    }

    #[test]
    fn both_renderers_look_the_same() {
        let nics = || [Nic { addresses: vec!["10.0.0.1/8"], ..NIC }, Nic { name: "lo", mac: "", ..NIC }];
        let nics = nics();
        let rows: Vec<&Nic> = nics.iter().collect();
        let screen = screen(true, None);
        let grid = Grid::new(&rows, &Nic::columns().iter().collect::<Vec<_>>(), &screen, true);
        assert_eq!(grid.draw(&screen, true), grid.pad(&screen, true));
    }
}
