//! What happens while a command runs, and who is told.

use std::ops::ControlFlow;

use serde::Serialize;

use super::{Role, Untrusted};

/// Something that happened on the way to the result: a reply, a time-out, a connection.
pub trait Event: Serialize {
    /// The name NDJSON gives it under `event`.
    fn name(&self) -> &'static str;

    /// The sentence a person reads; `None` where only a script would care.
    fn line(&self) -> Option<Line>;

    /// Whether its reader needs it before the end, in whatever format: where a server listens, say.
    fn is_urgent(&self) -> bool {
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
}

/// Whether the command should go on: `Break` once nobody can read what it says.
pub type Flow = ControlFlow<()>;

/// Whoever is told of the events of a command.
pub trait Observer<E> {
    /// Takes one event, at the moment it happens.
    fn observe(&mut self, event: E) -> Flow;
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

    /// The pieces in order.
    pub fn pieces(&self) -> &[(Role, Untrusted)] {
        &self.0
    }
}
