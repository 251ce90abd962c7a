//! Tables for people: comfy-table on a terminal, plain aligned columns when piped.

mod block;
mod grid;
mod sheet;
mod text;

use std::borrow::Cow;

use grid::{Grid, Shown};
use text::width;
use unicode_width::UnicodeWidthStr;

pub(super) use block::blocks;
pub(super) use text::in_columns;

use super::environment::Screen;
use super::record::{Block, Cell, Charset, Column, FrameColumn, FrameRow, Line, Record, Value};
use super::select::{Choice, Rows};
use super::{select, style};

/// From so many rows on, columns are padded by hand even on a terminal: the look is the same, and it takes far
/// less time and memory.
const COMFY_MOST_ROWS: usize = 1_000;
/// A column that may wrap is not made narrower than this many characters.
const WRAPPED_LEAST: usize = 16;
/// The spaces between two columns.
const GAP: usize = 2;

/// Renders rows as a table for this screen, piece by piece, and gives the ids of the columns there was no room
/// for.
pub(super) fn render<R: Record + Clone>(
    rows: &Rows<'_, R>,
    choice: &Choice<R>,
    screen: &Screen,
    header: bool,
    line_each: &str,
    mut out: impl FnMut(&str),
) -> Vec<&'static str> {
    /// So many rows are rendered at a time.
    const PIECE: usize = 256;
    // What the user named is shown, whatever room there is.
    let room = screen.width.filter(|_| matches!(choice, Choice::Default { .. }));
    if !screen.is_terminal {
        return sheet::render(rows, choice, screen, header, room, line_each, out);
    }
    if rows.count() <= COMFY_MOST_ROWS {
        let all: Vec<Cow<'_, R>> = rows.iter().collect();
        let (mut columns, _) = choice.columns(rows, |_, _, _| {});
        let grid = Grid::new(&all, &columns, screen, header);
        let kept = select::kept(&columns, rows);
        let dropped = room.map_or_else(Vec::new, |room| narrow(&mut columns, &grid.widths, &kept, room));
        let mut grid = if dropped.is_empty() { grid } else { Grid::new(&all, &columns, screen, header) };
        if screen.is_flat {
            // A row may be longer than the screen, and its rule need not be.
            out(&grid.pad(screen, header));
            return dropped;
        }
        grid.wrap(&columns, screen.width);
        out(&grid.draw(screen, header));
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
    let kept = select::kept(&columns, rows);
    let dropped = room.map_or_else(Vec::new, |room| narrow(&mut columns, &widths, &kept, room));
    let natural = |column: &&'static Column<R>| {
        natural.iter().find(|(id, _)| *id == column.id).map(|(_, width)| *width)
    };
    let mut widths: Vec<usize> = columns.iter().filter_map(natural).collect();
    if let Some(room) = screen.width {
        for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.wraps) {
            let total = total(&widths);
            let least = WRAPPED_LEAST.min(widths[index]);
            widths[index] = widths[index].saturating_sub(total.saturating_sub(room)).max(least);
        }
    }
    for start in pieces() {
        let mut grid = piece(start, &columns);
        for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.wraps) {
            grid.wrap_column(index, widths[index]);
        }
        grid.widths.clone_from(&widths);
        out(&grid.pad(screen, header && start == 0));
    }
    dropped
}

/// Renders the rows of a picture that is redrawn in place, a line each, with what is wrong beside the row. Columns go by
/// priority until the rest fits; a sparkline takes what room is left. Gives too the titles of the columns that are there and
/// can be sorted by.
pub(super) fn picture(
    columns: &[FrameColumn],
    rows: &[&FrameRow],
    screen: &Screen,
) -> (Vec<String>, Vec<&'static str>) {
    /// The narrowest and the widest a sparkline is.
    const TREND: (usize, usize) = (10, 60);
    // Headings over nothing tell nobody anything.
    if rows.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let remarks: Vec<String> = rows
        .iter()
        .map(|row| row.remark.as_ref().map_or_else(String::new, |it| style::line(it, screen.charset, false)))
        .collect();
    let has_remarks = remarks.iter().any(|remark| !remark.is_empty());
    let mut grid = Grid {
        titles: columns.iter().map(|column| column.title).collect(),
        aligns: columns.iter().map(|column| column.align).collect(),
        widths: Vec::new(),
        rows: rows.iter().map(|row| row.cells.iter().map(|cell| Shown::of(cell, screen)).collect()).collect(),
    };
    grid.measure();
    let is_trend: Vec<bool> = (0..columns.len())
        .map(|index| {
            rows.iter().any(|row| matches!(row.cells.get(index), Some(Cell { value: Value::Trend(_), .. })))
        })
        .collect();
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let room = screen.width.unwrap_or(usize::MAX);
    let widest = remarks.iter().map(|remark| text::columns(remark)).max().unwrap_or(0);
    // A remark may be cut short, but not away.
    let remark = if has_remarks { GAP + widest.min(room / 4) } else { 0 };
    let taken = |kept: &[usize], grid: &Grid| -> usize {
        let width = |index: &usize| if is_trend[*index] { TREND.0 } else { grid.widths[*index] };
        kept.iter().map(width).sum::<usize>() + GAP * kept.len().saturating_sub(1)
    };
    while taken(&kept, &grid) + remark > room {
        let candidates = kept.iter().enumerate().filter(|(_, index)| columns[**index].priority > 0);
        let Some((place, _)) = candidates.max_by_key(|(place, index)| (columns[**index].priority, *place))
        else {
            break;
        };
        kept.remove(place);
    }
    let spare = room.saturating_sub(taken(&kept, &grid) + remark);
    for row in &mut grid.rows {
        for index in kept.iter().filter(|index| is_trend[**index]) {
            row[*index].keep_last((TREND.0 + spare).min(TREND.1));
        }
    }
    grid.keep(&kept);
    let sorting = kept.iter().filter(|index| !is_trend[**index] && !columns[**index].title.is_empty());
    let titles: Vec<&'static str> = sorting.map(|index| columns[*index].title).collect();
    let mut lines: Vec<String> = grid.pad(screen, true).lines().map(str::to_owned).collect();
    let width = total(&grid.widths);
    let left = room.saturating_sub(width + GAP);
    for (line, row) in lines.iter_mut().skip(2).zip(rows) {
        if let Some(remark) = &row.remark {
            let fill = width.saturating_sub(style::visible_columns(line)) + GAP;
            let is_cut = style::width(remark, screen.charset) > left;
            let shown = if is_cut { remark.clone().cut(left.saturating_sub(1)) } else { remark.clone() };
            line.push_str(&" ".repeat(fill));
            line.push_str(&style::line(&shown, screen.charset, screen.colored));
            line.push_str(match screen.charset {
                Charset::Unicode if is_cut => "…",
                _ => "",
            });
        }
    }
    (lines, titles)
}

/// Whether a table of all that there is to show fits this screen.
pub(super) fn fits<R: Record + Clone>(rows: &Rows<'_, R>, choice: &Choice<R>, screen: &Screen) -> bool {
    let Some(room) = screen.width else { return true };
    let (columns, _) = choice.columns(rows, |_, _, _| {});
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            let cells = rows.iter().map(|row| width(&(column.cell)(&row).value, screen));
            cells.fold(column.title.width(), usize::max)
        })
        .collect();
    total(&widths) <= room
}

/// A row as a block, with a line for each column that has a value; the title is the first that a table never drops.
pub(super) fn block_of<R: Record>(row: &R) -> Block {
    let columns = R::columns();
    let named = columns.iter().position(|column| column.priority == 0).unwrap_or(0);
    let title = columns.get(named).map(|column| value_line(&(column.cell)(row)).remove(0));
    let mut block = Block::new(title.unwrap_or_default());
    for (_, column) in columns.iter().enumerate().filter(|(place, _)| *place != named) {
        let cell = (column.cell)(row);
        if !cell.value.is_missing() {
            block.field(column.title, value_line(&cell));
        }
    }
    block
}

/// A value as a person reads it, on one line.
pub(super) fn value_text(value: &Value) -> Cow<'static, str> {
    text::text(value, Charset::Unicode)
}

/// A cell as lines, one for each item of a list.
fn value_line(cell: &Cell) -> Vec<Line> {
    let line =
        |value: &Value| Line::default().with(cell.role, text::text(value, Charset::Unicode).into_owned());
    match &cell.value {
        Value::List(items) if !items.is_empty() => items.iter().map(line).collect(),
        value => vec![line(value)],
    }
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
    kept: &[&str],
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
    let mut dropped = select::narrow(columns, kept, EXPENDABLE, |left| total(left, false) <= room);
    if total(columns, false) > room {
        dropped.extend(select::narrow(columns, kept, 1, |left| total(left, true) <= room));
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;
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
            is_flat: false,
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
        let dropped =
            render(&Rows::new(&row, &order), &choice, screen, true, "", |piece| text.push_str(piece));
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
    fn piped_each_item_of_one_list_has_its_line() {
        let nics = [Nic { addresses: vec!["10.0.0.1/8", "::1/128"], ..NIC }, NIC];
        let order = [0, 1];
        let row = |index: usize| Cow::Borrowed(&nics[index]);
        let mut text = String::new();
        let (rows, choice) = (Rows::new(&row, &order), Choice::Default { verbose: false });
        render(&rows, &choice, &screen(false, None), true, "addresses", |piece| text.push_str(piece));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].ends_with("10.0.0.1/8") && lines[2].ends_with("::1/128") && lines[3].ends_with('-'));
        assert!(lines[1..].iter().all(|line| line.contains(NIC.mac) && line.contains(NIC.note)), "{text}");
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
    fn all_renderers_look_the_same() {
        let nics = [Nic { addresses: vec!["10.0.0.1/8"], ..NIC }, Nic { name: "lo", mac: "", ..NIC }];
        let rows: Vec<Cow<'_, Nic>> = nics.iter().map(Cow::Borrowed).collect();
        let screen = screen(true, None);
        let grid = Grid::new(&rows, &Nic::columns().iter().collect::<Vec<_>>(), &screen, true);
        let (drawn, padded) = (grid.draw(&screen, true), grid.pad(&screen, true));
        assert_eq!(drawn, padded);
        let (piped, _) = rendered(&nics, &self::screen(false, None));
        let without_rule = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with('─')).map(str::to_owned).collect()
        };
        assert_eq!(without_rule(&drawn), without_rule(&piped));
    }

    #[test]
    fn named_columns_come_in_their_order_even_when_piped() {
        let rows = [NIC];
        let row = |index: usize| Cow::Borrowed(&rows[index]);
        let columns: Vec<&'static Column<Nic>> = vec![&Nic::columns()[2], &Nic::columns()[0]];
        let mut text = String::new();
        let screen = screen(false, None);
        let rows = Rows::new(&row, &[0]);
        render(&rows, &Choice::Named(columns), &screen, true, "", |piece| text.push_str(piece));
        assert!(
            text.starts_with("NOTE") && text.lines().nth(1).is_some_and(|line| line.ends_with("[2J")),
            "{text}"
        );
    }
}
