//! The live view: a picture redrawn in place, which its reader scrolls, sorts and stops with keys.
//!
//! The emitter hands pictures in as they come; between two of them the keyboard's thread draws the last one again, so that
//! a key, another size of the terminal, or `fg` after Ctrl-Z shows at once however far apart the pictures are.

use std::cmp::{Ordering, Reverse};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::environment::{self, Screen};
use super::record::{Cell, Frame, FrameRow, Line, Role, Value};
use super::sink::Sink;
use super::{Options, keyboard, select, style, table};
use crate::sys;

/// The lines that a picture takes besides its rows: the header, its rule, and the last, where the cursor stands.
const BESIDES: usize = 3;
/// The terminal that is assumed where its size is not told.
const USUAL_SIZE: (usize, usize) = (24, 80);

/// A picture on the screen, shared by the emitter and the keyboard's thread.
#[derive(Clone)]
pub(super) struct Live(Arc<Mutex<State>>);

struct State {
    /// The picture that is shown, and while its reader pauses the one that has come since.
    frame: Option<Frame>,
    next: Option<Frame>,
    view: View,
    /// The lines that stand on the screen.
    drawn: usize,
    /// The titles of the columns that stand there and can be sorted by.
    titles: Vec<&'static str>,
    /// Whether a thread listens to the keyboard.
    has_keyboard: bool,
    screen: Screen,
    /// The width that was asked for.
    width: Option<usize>,
    out: Sink,
}

/// How its reader wants to see a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    first: usize,
    order: Order,
    is_paused: bool,
    shows_keys: bool,
}

/// In which order the rows come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// Those that need attention first.
    #[default]
    WorstFirst,
    /// As the command gives them.
    Given,
    /// By the column of this title: numbers from the largest, text from A to Z.
    By(&'static str),
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Pause,
    Sort,
    Keys,
    /// Scroll by so many rows.
    Rows(isize),
    /// Scroll by so many screenfuls.
    Pages(isize),
    First,
    Last,
    /// The terminal has another size, or another program has used it meanwhile.
    Redraw,
}

impl Live {
    pub(super) fn new(options: &Options, screen: Screen) -> Self {
        Self(Arc::new(Mutex::new(State {
            frame: None,
            next: None,
            view: View::default(),
            drawn: 0,
            titles: Vec::new(),
            has_keyboard: false,
            screen,
            width: options.width,
            out: Sink::new(sys::unbuffered(std::io::stdout())),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a picture in the place of the last.
    pub(super) fn show(&self, frame: Frame) {
        let mut state = self.state();
        if !state.has_keyboard {
            state.has_keyboard = true;
            keyboard::listen(self.clone());
        }
        if state.view.is_paused && state.frame.is_some() {
            state.next = Some(frame);
            if state.drawn == 0 {
                state.draw();
            }
            return;
        }
        state.frame = Some(frame);
        state.draw();
    }

    /// Takes the picture off the screen, so that something else can be written; the next one comes below that.
    pub(super) fn take_away(&self) {
        let mut state = self.state();
        state.erase();
        state.out.flush();
    }

    /// Does what a key asks for.
    pub(super) fn press(&self, key: Key) {
        let mut state = self.state();
        if key == Key::Quit {
            // As Ctrl-C: the run winds up, and writes its whole result.
            sys::interrupt();
            return;
        }
        // Without a picture there is nothing to scroll.
        if state.drawn == 0 {
            return;
        }
        if key == Key::Redraw {
            // What was drawn before may have been wrapped, or written over.
            state.out.write("\x1b[H\x1b[2J");
            state.drawn = 0;
        }
        let (rows, shown) = state.extent();
        let titles = std::mem::take(&mut state.titles);
        state.view.press(key, rows, shown, &titles);
        if !state.view.is_paused
            && let Some(next) = state.next.take()
        {
            state.frame = Some(next);
        }
        state.draw();
    }
}

impl View {
    /// Follows a key, in a picture of so many rows of which so many are shown, which columns of these titles can sort.
    fn press(&mut self, key: Key, rows: usize, shown: usize, titles: &[&'static str]) {
        let last = rows.saturating_sub(shown);
        let by = |first: usize, rows: isize| first.saturating_add_signed(rows).min(last);
        match key {
            Key::Pause => self.is_paused = !self.is_paused,
            Key::Keys => self.shows_keys = !self.shows_keys,
            Key::Sort => {
                self.first = 0;
                self.order = match self.order {
                    Order::WorstFirst => Order::Given,
                    Order::Given => titles.first().map_or(Order::WorstFirst, |title| Order::By(title)),
                    Order::By(title) => {
                        let mut rest = titles.iter().skip_while(|it| **it != title).skip(1);
                        rest.next().map_or(Order::WorstFirst, |title| Order::By(title))
                    }
                };
            }
            Key::Rows(rows) => self.first = by(self.first, rows),
            Key::Pages(pages) => {
                let page = isize::try_from(shown.max(1)).unwrap_or(1);
                self.first = by(self.first, pages.saturating_mul(page));
            }
            Key::First => self.first = 0,
            Key::Last => self.first = last,
            Key::Quit | Key::Redraw => {}
        }
    }

    /// The rows in the order that is wanted.
    fn ordered<'f>(&self, frame: &'f Frame) -> Vec<&'f FrameRow> {
        let mut rows: Vec<&FrameRow> = frame.rows.iter().collect();
        match self.order {
            Order::Given => {}
            Order::WorstFirst => rows.sort_by_key(|row| Reverse(row.urgency)),
            Order::By(title) => {
                // A column that has gone sorts nothing.
                let Some(column) = frame.columns.iter().position(|it| it.title == title) else { return rows };
                let value = |row: &FrameRow| match row.numbers.iter().find(|(place, _)| *place == column) {
                    Some((_, value)) => Cell::real(*value, 0).value,
                    None => row.cells.get(column).map_or(Value::Missing, |it| it.value.clone()),
                };
                rows.sort_by(|one, other| by_value(&value(one), &value(other)));
            }
        }
        rows
    }

    /// The line that says what is shown, and how to change that.
    fn line(&self, frame: &Frame, shown: usize) -> Line {
        let total = frame.rows.len() + frame.more;
        let mut line = Line::default();
        if self.is_paused {
            line = line.with(Role::Caution, "paused").dim("; ");
        }
        if shown < total {
            line = line.dim(format!("rows {}-{} of {total}; ", self.first + 1, self.first + shown));
        }
        let order = match self.order {
            Order::WorstFirst if !frame.order.is_empty() && frame.rows.iter().any(|row| row.urgency > 0) => {
                format!("{}; ", frame.order)
            }
            Order::By(title) => format!("sorted by {title}; "),
            Order::WorstFirst | Order::Given => String::new(),
        };
        line.dim(format!("{order}q quits, ? shows the keys"))
    }
}

/// Numbers from the largest on, everything else from the smallest on, what is missing last.
fn by_value(one: &Value, other: &Value) -> Ordering {
    let is_number = |value: &Value| matches!(value, Value::Integer(_) | Value::Real { .. });
    let order = select::compare(one, other);
    if is_number(one) && is_number(other) { order.reverse() } else { order }
}

/// What the keys do.
fn keys() -> Line {
    let key = |line: Line, key: &'static str, what: &'static str| line.strong(key).dim(what);
    let line = key(Line::default(), "q", " end  ");
    let line = key(line, "space", " pause  ");
    let line = key(line, "s", " sort  ");
    let line = key(line, "up down PgUp PgDn Home End", " scroll  ");
    key(line, "?", " hide this")
}

impl State {
    /// The rows of the picture, and how many of them there is room for.
    fn extent(&self) -> (usize, usize) {
        let Some(frame) = &self.frame else { return (0, 0) };
        let (height, _) = environment::terminal_size().unwrap_or(USUAL_SIZE);
        let below = frame.notes.len() + 1 + usize::from(self.view.shows_keys);
        let room = height.saturating_sub(BESIDES + below).max(1);
        (frame.rows.len(), frame.rows.len().min(room))
    }

    fn draw(&mut self) {
        // A job in the background has no screen.
        if !sys::is_in_foreground() {
            self.drawn = 0;
            return;
        }
        let Some(frame) = self.frame.take() else { return };
        self.erase();
        let (_, width) = environment::terminal_size().unwrap_or(USUAL_SIZE);
        let width = self.width.map_or(width, |wanted| wanted.min(width));
        let screen = Screen { width: Some(width), ..self.screen };
        self.frame = Some(frame);
        let (total, shown) = self.extent();
        self.view.first = self.view.first.min(total - shown);
        let frame = self.frame.as_ref().expect("it was just put back");
        let rows = self.view.ordered(frame);
        let rows = &rows[self.view.first..self.view.first + shown];
        let (mut lines, titles) = table::picture(&frame.columns, rows, &screen);
        let mut below: Vec<Line> = frame.notes.clone();
        below.push(self.view.line(frame, shown));
        below.extend(self.view.shows_keys.then(keys));
        let cut = |line: Line| style::line(&line.cut(width), screen.charset, screen.colored);
        lines.extend(below.into_iter().map(cut));
        for line in &lines {
            // No line may wrap, or the next picture would not cover this one: wrapping is off for it
            // (DECAWM, DEC STD 070).
            self.out.write("\x1b[?7l");
            self.out.write(line);
            self.out.write("\x1b[?7h\n");
        }
        self.drawn = lines.len();
        self.titles = titles;
        self.out.flush();
    }

    /// To the first line of the picture, and clear from there (ECMA-48: CUU, CR, ED).
    fn erase(&mut self) {
        if self.drawn > 0 {
            self.out.write(&format!("\x1b[{}A\r\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::FrameColumn;
    use super::*;

    fn frame(rows: &[(&str, i64, u64)]) -> Frame {
        let row = |(name, loss, urgency): &(&str, i64, u64)| FrameRow {
            cells: vec![Cell::text(*name), Cell::integer(*loss)],
            urgency: *urgency,
            ..FrameRow::default()
        };
        Frame {
            columns: vec![FrameColumn::text("NAME", 0), FrameColumn::number("LOSS %", 1)],
            rows: rows.iter().map(row).collect(),
            order: "worst first",
            ..Frame::default()
        }
    }

    fn names(view: &View, frame: &Frame) -> String {
        let name = |row: &&FrameRow| match &row.cells[0].value {
            Value::Text(text) => text.to_lossy().into_owned(),
            other => panic!("{other:?}"),
        };
        view.ordered(frame).iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_worst_comes_first_and_every_column_sorts() {
        let mut frame = frame(&[("b", 1, 0), ("c", 30, 7), ("a", 2, 3)]);
        let mut view = View::default();
        let press = |view: &mut View| view.press(Key::Sort, 3, 3, &["NAME", "LOSS %"]);
        assert_eq!(names(&view, &frame), "c a b");
        press(&mut view);
        assert_eq!(names(&view, &frame), "b c a", "as given");
        press(&mut view);
        assert_eq!(names(&view, &frame), "a b c", "text from A to Z");
        press(&mut view);
        assert_eq!(names(&view, &frame), "c a b", "numbers from the largest");
        // What stands for a number sorts as one.
        frame.rows[0].numbers = vec![(1, 31.0)];
        assert_eq!(names(&view, &frame), "b c a");
        // The column stays what it was when another comes before it, and one that has gone sorts nothing.
        frame.columns.insert(0, FrameColumn::text("", 0));
        assert!(matches!(view.order, Order::By("LOSS %")));
        frame.columns.clear();
        assert_eq!(names(&view, &frame), "b c a", "as given");
        press(&mut view);
        assert_eq!(view, View::default());
    }

    #[test]
    fn scrolling_stays_inside() {
        let mut view = View::default();
        for (key, first) in [
            (Key::Rows(-1), 0),
            (Key::Rows(1), 1),
            (Key::Pages(1), 11),
            (Key::Pages(1), 15),
            (Key::Rows(1), 15),
            (Key::Pages(-1), 5),
            (Key::Last, 15),
            (Key::First, 0),
        ] {
            view.press(key, 25, 10, &[]);
            assert_eq!(view.first, first, "{key:?}");
        }
        view.press(Key::Last, 3, 10, &[]);
        assert_eq!(view.first, 0, "all of it is shown");
    }

    #[test]
    fn the_line_below_says_what_is_shown() {
        let all = frame(&[("a", 0, 0), ("b", 0, 1)]);
        let text = |view: &View, shown| {
            style::line(&view.line(&all, shown), super::super::record::Charset::Ascii, false)
        };
        assert_eq!(text(&View::default(), 2), "worst first; q quits, ? shows the keys");
        let view = View { first: 1, order: Order::By("LOSS %"), is_paused: true, shows_keys: false };
        assert_eq!(text(&view, 1), "paused; rows 2-2 of 2; sorted by LOSS %; q quits, ? shows the keys");
    }
}
