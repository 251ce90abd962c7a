//! What happens while a command runs, and who is told.

use std::ops::ControlFlow;

use serde::Serialize;

use super::{Align, Cell, Role, Untrusted};

/// Something that happened on the way to the result: a reply, a time-out, a connection.
pub trait Event: Serialize {
    /// The name NDJSON gives it under `event`.
    fn name(&self) -> &'static str;

    /// The sentence a person reads; `None` where only a script would care.
    fn line(&self) -> Option<Line>;

    /// What stands below the sentence where there is a terminal, indented, and behind it in the same line where there
    /// is none.
    fn below(&self) -> Vec<Line> {
        Vec::new()
    }

    /// The keys of its JSON that CSV has, `event` first; those below a key after a dot.
    fn keys() -> &'static [&'static str]
    where
        Self: Sized,
    {
        &["event"]
    }

    /// Whether its reader needs it before the end, in whatever format: where a server listens, say.
    fn is_urgent(&self) -> bool {
        false
    }

    /// Whether somebody has just asked for it, by a signal say: then it is told even where little is.
    fn is_answer(&self) -> bool {
        false
    }

    /// What its reader is warned of now and not only at the end, in the words of the report's warning.
    fn warning(&self) -> Option<&str> {
        None
    }

    /// Whether a person only wants to read it with `--verbose`.
    fn is_detail(&self) -> bool {
        false
    }

    /// Whether the terminal's bell rings with it.
    fn rings(&self) -> bool {
        false
    }
}

/// Whether the command should go on: `Break` once nobody can read what it says.
pub type Flow = ControlFlow<()>;

/// Whoever is told of the events of a command.
pub trait Observer<E> {
    /// Takes one event, at the moment it happens.
    fn observe(&mut self, event: E) -> Flow;

    /// How much it wants to be told, so that nobody makes up events that nobody reads.
    fn attention(&self) -> Attention {
        Attention::Details
    }

    /// Whether a person looks at a terminal and would rather see a picture than lines.
    fn is_drawing(&self) -> bool {
        false
    }

    /// Draws a picture in the place of the last one; `None` takes it away.
    fn draw(&mut self, _: Option<Frame>) -> Flow {
        Flow::Continue(())
    }

    /// Whether anybody sees [`Observer::progress`].
    fn shows_progress(&self) -> bool {
        false
    }

    /// Shows how far it is, in the place of the last time; `None` takes that away.
    fn progress(&mut self, _: Option<Line>) {}
}

/// How much an observer wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Only what is urgent: what is told besides goes nowhere.
    None,
    /// What a person reads.
    Usual,
    /// Every event, even one of a hundred thousand.
    Details,
}

/// A picture of how a run goes, redrawn in place. Its reader can scroll and sort it, so it has all rows, or the worst of very
/// many; which of them are shown, and which columns, is the output layer's to decide.
#[derive(Default)]
pub struct Frame {
    /// The columns.
    pub columns: Vec<FrameColumn>,
    /// The rows, in their natural order.
    pub rows: Vec<FrameRow>,
    /// How many rows there are besides.
    pub more: usize,
    /// What the order by urgency is called, as "worst first"; nothing where it says nothing.
    pub order: &'static str,
    /// The lines below.
    pub notes: Vec<Line>,
}

impl Frame {
    /// The most rows of a picture: more are beyond what anybody scrolls through.
    pub const MOST_ROWS: usize = 500;
}

/// A column of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameColumn {
    /// The heading.
    pub title: &'static str,
    /// The side its cells are flush with.
    pub align: Align,
    /// Which columns go first when the terminal is too narrow: the highest number; 0 never goes.
    pub priority: u8,
}

impl FrameColumn {
    /// A column of text.
    pub const fn text(title: &'static str, priority: u8) -> Self {
        Self { title, align: Align::Left, priority }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str, priority: u8) -> Self {
        Self { title, align: Align::Right, priority }
    }
}

/// A row of a picture.
#[derive(Clone, Debug, Default)]
pub struct FrameRow {
    /// A cell for each column.
    pub cells: Vec<Cell>,
    /// How much attention it needs: the highest come first; 0 where nothing is wrong.
    pub urgency: u64,
    /// What is wrong, in a few words, beside the row.
    pub remark: Option<Line>,
    /// By place, the numbers that text stands for, `1.2 kB` say: such a column is sorted by them.
    pub numbers: Vec<(usize, f64)>,
}

/// An observer who does not care.
pub struct Discard;

impl<E> Observer<E> for Discard {
    fn observe(&mut self, _: E) -> Flow {
        Flow::Continue(())
    }
}

/// A sentence for people, in pieces that strike the eye differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Role, Untrusted)>);

impl Line {
    /// Starts a line with plain text.
    pub fn new(text: impl Into<Untrusted>) -> Self {
        Self::default().plain(text)
    }

    /// Adds text in a role.
    #[must_use]
    pub fn with(mut self, role: Role, text: impl Into<Untrusted>) -> Self {
        self.0.push((role, text.into()));
        self
    }

    /// Adds text as it is.
    #[must_use]
    pub fn plain(self, text: impl Into<Untrusted>) -> Self {
        self.with(Role::Plain, text)
    }

    /// Adds text the eye should find first.
    #[must_use]
    pub fn strong(self, text: impl Into<Untrusted>) -> Self {
        self.with(Role::Strong, text)
    }

    /// Adds text the eye may pass over.
    #[must_use]
    pub fn dim(self, text: impl Into<Untrusted>) -> Self {
        self.with(Role::Dim, text)
    }

    /// Adds another line's pieces.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The line cut to so many characters.
    #[must_use]
    pub fn cut(self, most: usize) -> Self {
        let mut left = most;
        let cut = |(role, text): (Role, Untrusted)| {
            let shown: String = text.to_lossy().chars().take(left).collect();
            left -= shown.chars().count();
            (role, Untrusted::from(shown))
        };
        Self(self.0.into_iter().map(cut).collect())
    }

    /// The pieces in order.
    pub fn pieces(&self) -> &[(Role, Untrusted)] {
        &self.0
    }
}
