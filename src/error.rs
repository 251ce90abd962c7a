//! The one error type, and the exit codes it maps to.

use std::fmt;
use std::process::ExitCode;

/// How a run of netdiag ended; the discriminant is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Asked, and the answer is good.
    Fine = 0,
    /// Asked, and the answer is bad: no reply, refused, a fault found.
    Negative = 1,
    /// The command line asks for something impossible; nothing was done.
    Usage = 2,
    /// Could not test: a permission or a resource is missing.
    Untested = 3,
    /// The result could not be written.
    OutputFailed = 4,
    /// Interrupted before there was a result.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What went wrong: the operation and its object, what the system said, and what to do about it.
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    message: String,
    source: Option<anyhow::Error>,
    hints: Vec<String>,
    listing: Option<(String, Vec<String>)>,
}

/// The result of everything that can end a command early.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of the command line: what was wrong, in lower case without a full stop.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Makes an error of this machine: a permission or a resource that the test needs is missing.
    pub fn untested(message: impl Into<String>) -> Self {
        Self::new(Exit::Untested, message)
    }

    /// Makes an error of the output: the result is there but could not be written.
    pub fn output(message: impl Into<String>) -> Self {
        Self::new(Exit::OutputFailed, message)
    }

    /// Makes the error of a run that was interrupted before there was any result.
    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted before a result")
    }

    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), source: None, hints: Vec::new(), listing: None }
    }

    /// Adds what the system said.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds one thing the reader can do, with this machine's values.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds several hints, in order.
    #[must_use]
    pub fn hints<S: Into<String>>(mut self, hints: impl IntoIterator<Item = S>) -> Self {
        self.hints.extend(hints.into_iter().map(Into::into));
        self
    }

    /// Adds names to choose from, below a line that says what they are.
    #[must_use]
    pub fn listing<S: Into<String>>(
        mut self,
        what: impl Into<String>,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        self.listing = Some((what.into(), names.into_iter().map(Into::into).collect()));
        self
    }

    /// Says where it is, in front of the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The exit code this error ends the process with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Names to choose from, and what they are.
    pub fn names(&self) -> Option<(&str, &[String])> {
        self.listing.as_ref().map(|(what, names)| (what.as_str(), names.as_slice()))
    }

    /// What the reader can do, one sentence each.
    pub fn all_hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Error {
    /// Writes the message and the whole chain of causes on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source:#}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_the_operation_and_every_cause() {
        let cause = anyhow::anyhow!("permission denied").context("opening an ICMP socket");
        let error = Error::untested("cannot ping").caused_by(cause).hint("ask root");
        assert_eq!(error.to_string(), "cannot ping: opening an ICMP socket: permission denied");
        assert_eq!(error.exit() as u8, 3);
        assert_eq!(error.all_hints(), ["ask root"]);
    }
}
