//! Tables for people: comfy-table on a terminal, plain aligned columns when piped.

use std::borrow::Cow;

use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::environment::Screen;
use super::record::{Align, Cell, Charset, Column, Frame, Record, Role, Value};
use super::select::{Choice, Rows};
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
    lines: Lines,
    role: Role,
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

/// Renders rows as a table for this screen, piece by piece, and gives the ids of the columns there was no room
/// for.
pub(super) fn render<R: Record + Clone>(
    rows: &Rows<'_, R>,
    choice: &Choice<R>,
    screen: &Screen,
    header: bool,
    mut out: impl FnMut(&str),
) -> Vec<&'static str> {
    /// So many rows are rendered at a time.
    const PIECE: usize = 256;
    // What the user named is shown, whatever room there is.
    let room = screen.width.filter(|_| matches!(choice, Choice::Default { .. }));
    if rows.count() <= COMFY_MOST_ROWS {
        let all: Vec<Cow<'_, R>> = rows.iter().collect();
        let (mut columns, _) = choice.columns(rows, |_, _, _| {});
        let grid = Grid::new(&all, &columns, screen, header);
        let dropped = room.map_or_else(Vec::new, |room| narrow(&mut columns, &grid.widths, room));
        let mut grid = if dropped.is_empty() { grid } else { Grid::new(&all, &columns, screen, header) };
        if screen.is_terminal {
            grid.wrap(&columns, screen.width);
        }
        out(&if screen.is_terminal { grid.draw(screen, header) } else { grid.pad(screen, header) });
        return dropped;
    }
    let pieces = || (0..rows.count()).step_by(PIECE);
    let piece = |start: usize, columns: &[&'static Column<R>]| {
        let some: Vec<Cow<'_, R>> =
            (start..rows.count().min(start + PIECE)).map(|index| rows.get(index)).collect();
        Grid::new(&some, columns, screen, header)
    };
    let title = |column: &&'static Column<R>| if header { column.title.width() } else { 0 };
    let measure = |row: &R, column: &'static Column<R>, widest: &mut usize| {
        *widest = width(&(column.cell)(row).value, screen).max(*widest);
    };
    let mut widths: Vec<Option<usize>> = vec![None; R::columns().len()];
    let (mut columns, is_late) = choice.columns(rows, |row, index, column| {
        measure(row, column, widths[index].get_or_insert_with(|| title(&column)));
    });
    let mut widths: Vec<usize> = widths.into_iter().flatten().collect();
    if is_late {
        for row in rows.iter() {
            widths.iter_mut().zip(&columns).for_each(|(widest, column)| measure(&row, column, widest));
        }
    }
    let natural: Vec<(&str, usize)> =
        columns.iter().map(|column| column.id).zip(widths.iter().copied()).collect();
    let dropped = room.map_or_else(Vec::new, |room| narrow(&mut columns, &widths, room));
    let natural = |column: &&'static Column<R>| {
        natural.iter().find(|(id, _)| *id == column.id).map(|(_, width)| *width)
    };
    let mut widths: Vec<usize> = columns.iter().filter_map(natural).collect();
    if let Some(room) = screen.width.filter(|_| screen.is_terminal) {
        for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.wraps) {
            let total = total(&widths);
            let least = WRAPPED_LEAST.min(widths[index]);
            widths[index] = widths[index].saturating_sub(total.saturating_sub(room)).max(least);
        }
    }
    for start in pieces() {
        let mut grid = piece(start, &columns);
        for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.wraps && screen.is_terminal)
        {
            grid.wrap_column(index, widths[index]);
        }
        grid.widths.clone_from(&widths);
        out(&grid.pad(screen, header && start == 0));
    }
    dropped
}

/// Renders a picture that is redrawn in place, no wider than the screen, a line each.
pub(super) fn picture(frame: &Frame, screen: &Screen) -> Vec<String> {
    let shown = |cell: &Cell| Shown::of(cell, screen);
    let mut grid = Grid {
        titles: frame.titles.iter().map(|(title, _)| *title).collect(),
        aligns: frame.titles.iter().map(|(_, align)| *align).collect(),
        widths: Vec::new(),
        rows: frame.rows.iter().map(|row| row.iter().map(shown).collect()).collect(),
    };
    grid.measure();
    let mut lines = Vec::new();
    // Headings over nothing tell nobody anything.
    if !frame.rows.is_empty() {
        lines.extend(grid.draw(screen, true).lines().map(str::to_owned));
    }
    lines.extend(frame.notes.iter().map(|note| style::line(note, screen.charset, screen.colored)));
    lines
}

/// The width of a table with columns of these widths.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
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
    fn new<R: Record + Clone>(
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

    fn measure(&mut self) {
        self.widths = self.titles.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for (widest, cell) in self.widths.iter_mut().zip(row) {
                *widest = cell.lines.as_slice().iter().map(|line| columns(line)).fold(*widest, usize::max);
            }
        }
    }

    /// Breaks the text of columns that allow it between words, until the table is no wider than the room.
    fn wrap<R: Record>(&mut self, columns: &[&'static Column<R>], room: Option<usize>) {
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

    fn wrap_column(&mut self, index: usize, width: usize) {
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
            let titles = self.titles.iter().map(|title| (*title, Role::Strong));
            self.pad_line(&mut text, titles, screen);
            if screen.is_terminal {
                text.extend(std::iter::repeat_n(rule(screen.charset), total(&self.widths)));
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
                    (line, cell.role)
                });
                self.pad_line(&mut text, cells, screen);
            }
        }
        text
    }

    fn pad_line<'a>(&self, text: &mut String, cells: impl Iterator<Item = (&'a str, Role)>, screen: &Screen) {
        let start = text.len();
        for (index, (cell, role)) in cells.enumerate() {
            let fill = self.widths[index].saturating_sub(columns(cell));
            let (before, after) = if self.aligns[index] == Align::Left { (0, fill) } else { (fill, 0) };
            text.extend(std::iter::repeat_n(' ', before));
            if screen.colored {
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
    fn of(cell: &Cell, screen: &Screen) -> Self {
        let role = if cell.value.is_missing() { Role::Dim } else { cell.role };
        let lines = match &cell.value {
            Value::List(items) if screen.is_terminal => {
                Lines::Several(items.iter().map(|item| text(item, screen.charset)).collect())
            }
            value => Lines::One(text(value, screen.charset)),
        };
        Self { lines, role }
    }

    fn comfy(&self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new_owned(self.lines.as_slice().join("\n"));
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

/// The columns that a text takes on a screen.
fn columns(text: &str) -> usize {
    // Of escaped text every ASCII character takes one.
    if text.is_ascii() { text.len() } else { text.width() }
}

fn rule(charset: Charset) -> char {
    match charset {
        Charset::Ascii => '-',
        Charset::Unicode => '─',
    }
}

/// The columns that a value takes, without making its text where that can be told.
fn width(value: &Value, screen: &Screen) -> usize {
    match value {
        Value::Integer(number) => {
            let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
            digits + usize::from(*number < 0)
        }
        Value::Word(word) => columns(word),
        Value::Text(text) if text.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)) => {
            text.as_bytes().len()
        }
        Value::List(items) if screen.is_terminal => {
            items.iter().map(|item| width(item, screen)).max().unwrap_or(0)
        }
        value => columns(&text(value, screen.charset)),
    }
}

/// A number with so many decimals: the standard library's exact conversion takes ten times as long, which a sweep
/// of 65,536 hosts would feel.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
#[expect(clippy::cast_precision_loss, reason = "a power of ten up to a million")]
fn fixed(value: f64, decimals: usize) -> String {
    /// Below this every step of the last decimal is far from the float's own.
    const MOST: f64 = 1e9;
    if !(0.0..MOST).contains(&value) || decimals > 6 {
        return format!("{value:.decimals$}");
    }
    let unit = 10_u64.pow(u32::try_from(decimals).unwrap_or(0));
    let scaled = (value * unit as f64).round() as u64;
    let mut text = (scaled / unit).to_string();
    if decimals > 0 {
        let fraction = (scaled % unit + unit).to_string();
        text.push('.');
        text.push_str(&fraction[1..]);
    }
    text
}

/// A value as a person reads it, on one line.
fn text(value: &Value, charset: Charset) -> Cow<'static, str> {
    let text = match value {
        Value::Missing => return Cow::Borrowed("-"),
        Value::Unsupported => return Cow::Borrowed("unsupported"),
        Value::Denied => return Cow::Borrowed("denied"),
        Value::Flag(is) => return Cow::Borrowed(if *is { "yes" } else { "no" }),
        Value::Word(word) => return Cow::Borrowed(word),
        Value::Integer(number) => number.to_string(),
        Value::Real { value, decimals, .. } => fixed(*value, *decimals),
        Value::Text(text) => text.escaped(charset),
        Value::Trend(figures) => trend(figures, charset),
        Value::List(items) | Value::Series(items) => {
            items.iter().map(|item| text(item, charset)).collect::<Vec<_>>().join(",")
        }
    };
    Cow::Owned(text)
}

/// A sparkline: the figures as heights between the least and the most, and an `x` where one was lost.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a height below the number of steps"
)]
fn trend(figures: &[Option<f64>], charset: Charset) -> String {
    let steps: &[char] = match charset {
        Charset::Ascii => &['_', '.', '-', '=', '^'],
        Charset::Unicode => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    };
    let (least, most) = figures
        .iter()
        .flatten()
        .fold((f64::MAX, 0.0_f64), |(least, most), figure| (least.min(*figure), most.max(*figure)));
    // A course that hardly changes is flat: noise would look like mountains.
    let span = (most - least).max(most * 0.1).max(f64::MIN_POSITIVE);
    let top = if steps.len() == 5 { 4.0 } else { 7.0 };
    let step = |figure: f64| {
        let height = (figure - least) / span * top;
        steps[(height.round() as usize).min(steps.len() - 1)]
    };
    figures.iter().map(|figure| figure.map_or('x', step)).collect()
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

    #[derive(Clone, Serialize)]
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
        Screen {
            is_terminal,
            width,
            colored: false,
            errors_colored: false,
            charset: Charset::Unicode,
            can_redraw: false,
            has_progress: false,
        }
    }

    /// The text, and the columns that were dropped.
    fn rendered(nics: &[Nic], screen: &Screen) -> (String, Vec<&'static str>) {
        let order: Vec<usize> = (0..nics.len()).collect();
        let row = |index: usize| Cow::Borrowed(&nics[index]);
        let mut text = String::new();
        let choice = Choice::Default { verbose: false };
        let dropped = render(&Rows::new(&row, &order), &choice, screen, true, |piece| text.push_str(piece));
        (text, dropped)
    }

    #[test]
    fn piped_is_one_line_a_row_and_never_cut() {
        let nic = Nic { addresses: vec!["10.0.0.1/8", "::1/128"], ..NIC };
        let (text, _) = rendered(&[nic], &screen(false, None));
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("10.0.0.1/8,::1/128"));
        assert!(text.contains("eth0\\x1b[2J"));
    }

    #[test]
    fn a_narrow_terminal_drops_columns_first_then_wraps_words_and_never_breaks_an_address() {
        let nic = Nic { addresses: vec!["2001:db8:1:2:3:4:5:6/64"], ..NIC };
        let (text, dropped) = rendered(&[nic], &screen(true, Some(70)));
        assert_eq!(dropped, ["mac"]);
        assert!(text.contains("2001:db8:1:2:3:4:5:6/64"));
        assert!(text.lines().all(|line| line.width() <= 70), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(NIC.note.split(' ').all(|word| words.contains(&word)), "{text}");
    }

    #[test]
    fn thousands_of_rows_look_like_a_few() {
        let nics: Vec<Nic> = (0..3_000)
            .map(|index| if index == 2_000 { Nic { name: "a-much-longer-name", ..NIC } } else { NIC })
            .collect();
        for (screen, width) in [(screen(true, Some(60)), 60), (screen(false, None), usize::MAX)] {
            let ((few, dropped), (many, dropped_of_many)) =
                (rendered(&nics[1_990..2_010], &screen), rendered(&nics, &screen));
            assert_eq!(dropped, dropped_of_many);
            if dropped.is_empty() {
                assert_eq!(few.lines().next(), many.lines().next());
                assert_eq!(few.lines().nth(5), many.lines().nth(5));
            }
            assert!(many.lines().all(|line| line.width() <= width));
            assert_eq!(many.matches("02:00:00").count(), if dropped.is_empty() { 3_000 } else { 0 });
        }
    }

    #[test]
    fn numbers_have_their_decimals() {
        for (value, decimals, text) in [
            (0.0, 3, "0.000"),
            (0.0199, 3, "0.020"),
            (9.9996, 3, "10.000"),
            (12.5, 0, "13"),
            (100.0, 2, "100.00"),
            (0.3, 1, "0.3"),
            (-1.25, 2, "-1.25"),
            (1e12, 1, "1000000000000.0"),
        ] {
            assert_eq!(fixed(value, decimals), text);
        }
    }

    #[test]
    fn a_sparkline_shows_what_rose_and_what_was_lost() {
        let figures = [Some(1.0), Some(2.0), None, Some(8.0), Some(4.5)];
        assert_eq!(trend(&figures, Charset::Unicode), "▁▂x█▅");
        assert_eq!(trend(&figures, Charset::Ascii), "_.x^-");
        assert_eq!(trend(&[Some(100.0), Some(101.0)], Charset::Unicode), "▁▂");
        assert_eq!(trend(&[None, None], Charset::Unicode), "xx");
    }

    #[test]
    fn both_renderers_look_the_same() {
        let nics = || [Nic { addresses: vec!["10.0.0.1/8"], ..NIC }, Nic { name: "lo", mac: "", ..NIC }];
        let nics = nics();
        let rows: Vec<Cow<'_, Nic>> = nics.iter().map(Cow::Borrowed).collect();
        let screen = screen(true, None);
        let grid = Grid::new(&rows, &Nic::columns().iter().collect::<Vec<_>>(), &screen, true);
        assert_eq!(grid.draw(&screen, true), grid.pad(&screen, true));
    }
}
