//! Plain aligned columns for a pipe: a line a row, nothing wrapped, cut or drawn.

use unicode_width::UnicodeWidthStr;

use super::text::{self, columns};
use super::{GAP, narrow};
use crate::output::environment::Screen;
use crate::output::record::{Align, Cell, Column, Record, Role, Value};
use crate::output::select::{self, Choice, Rows};
use crate::output::style;

/// The text of all cells, one behind the other: each row is made once, and hardly anything besides.
struct Sheet {
    text: String,
    /// Where each cell's text ends.
    ends: Vec<usize>,
    /// How each strikes the eye, where that is shown.
    roles: Vec<Role>,
}

impl Sheet {
    /// Adds a cell, and makes its column as wide as it is.
    fn add(&mut self, value: &Value, role: Role, widest: &mut usize, screen: &Screen) {
        let start = self.text.len();
        text::write(&mut self.text, value, screen.charset);
        *widest = columns(&self.text[start..]).max(*widest);
        self.ends.push(self.text.len());
        if screen.colored {
            self.roles.push(if value.is_missing() { Role::Dim } else { role });
        }
    }
}

/// Renders rows, and gives the ids of the columns there was no room for. Each item of the list that `line_each` names has a
/// line of its own, on which the rest of its row is said again.
pub(super) fn render<R: Record + Clone>(
    rows: &Rows<'_, R>,
    choice: &Choice<R>,
    screen: &Screen,
    header: bool,
    room: Option<usize>,
    line_each: &str,
    mut out: impl FnMut(&str),
) -> Vec<&'static str> {
    /// So much is written at a time.
    const PIECE: usize = 16 * 1024;
    let mut candidates = choice.candidates();
    let mut sheet = Sheet { text: String::new(), ends: Vec::new(), roles: Vec::new() };
    let title = |column: &Column<R>| if header { column.title.width() } else { 0 };
    let mut widths: Vec<usize> = candidates.iter().map(|(column, _)| title(column)).collect();
    let is_each: Vec<bool> = candidates
        .iter()
        .map(|(column, _)| {
            let below = column.id.strip_prefix(line_each).filter(|_| !line_each.is_empty());
            below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
        })
        .collect();
    let mut lines = 0;
    let mut cells: Vec<Cell> = Vec::new();
    let has_each = is_each.contains(&true);
    for row in rows.iter() {
        if !has_each {
            for ((column, is_shown), widest) in candidates.iter_mut().zip(&mut widths) {
                let cell = (column.cell)(&row);
                *is_shown = *is_shown || choice.shows(column, &row, &cell);
                sheet.add(&cell.value, cell.role, widest, screen);
            }
            lines += 1;
            continue;
        }
        cells.clear();
        let mut height = 1;
        for ((column, is_shown), is_each) in candidates.iter_mut().zip(&is_each) {
            let cell = (column.cell)(&row);
            *is_shown = *is_shown || choice.shows(column, &row, &cell);
            if let Value::List(items) = &cell.value
                && *is_each
            {
                height = items.len().max(height);
            }
            cells.push(cell);
        }
        for line in 0..height {
            for ((cell, is_each), widest) in cells.iter().zip(&is_each).zip(&mut widths) {
                let value = match &cell.value {
                    Value::List(items) if *is_each => items.get(line).unwrap_or(&Value::Missing),
                    value => value,
                };
                sheet.add(value, cell.role, widest, screen);
            }
        }
        lines += height;
    }
    let mut shown: Vec<&'static Column<R>> =
        candidates.iter().filter(|(_, is_shown)| *is_shown).map(|(column, _)| *column).collect();
    let natural: Vec<usize> = candidates
        .iter()
        .zip(&widths)
        .filter(|((_, is_shown), _)| *is_shown)
        .map(|(_, width)| *width)
        .collect();
    let kept = select::kept(&shown, rows);
    let dropped = room.map_or_else(Vec::new, |room| narrow(&mut shown, &natural, &kept, room));
    // The places of the columns in a row of cells, their widths and sides.
    let places: Vec<(usize, usize, Align)> = candidates
        .iter()
        .enumerate()
        .filter(|(_, (column, _))| shown.iter().any(|it| it.id == column.id))
        .map(|(place, (column, _))| (place, widths[place], column.align))
        .collect();
    let mut line = String::with_capacity(2 * PIECE);
    if header {
        let titles = shown
            .iter()
            .zip(&places)
            .map(|(column, (_, width, align))| (column.title, Role::Strong, *width, *align));
        pad(&mut line, titles, screen.colored);
    }
    for row in 0..lines {
        let cells = places.iter().map(|(place, width, align)| {
            let cell = row * candidates.len() + place;
            let start = cell.checked_sub(1).map_or(0, |before| sheet.ends[before]);
            let role = sheet.roles.get(cell).copied().unwrap_or_default();
            (&sheet.text[start..sheet.ends[cell]], role, *width, *align)
        });
        pad(&mut line, cells, screen.colored);
        if line.len() >= PIECE {
            out(&line);
            line.clear();
        }
    }
    out(&line);
    dropped
}

/// Adds a line of cells, each with its role, width and side.
fn pad<'a>(line: &mut String, cells: impl Iterator<Item = (&'a str, Role, usize, Align)>, is_colored: bool) {
    const BLANKS: &str = "                                                                ";
    let blanks = |line: &mut String, mut count: usize| {
        while count > 0 {
            let some = count.min(BLANKS.len());
            line.push_str(&BLANKS[..some]);
            count -= some;
        }
    };
    let mut owed = 0;
    for (place, (cell, role, width, align)) in cells.enumerate() {
        let fill = width.saturating_sub(columns(cell));
        let (before, after) = if align == Align::Left { (0, fill) } else { (fill, 0) };
        // Blanks are only written before something: a line does not end in any.
        blanks(line, owed + before + if place > 0 { GAP } else { 0 });
        if is_colored {
            line.push_str(&style::paint(cell, role, true));
        } else {
            line.push_str(cell);
        }
        owed = after;
    }
    // What is empty at the end left its gap.
    let end = line.trim_end_matches(' ').len();
    line.truncate(end);
    line.push('\n');
}
