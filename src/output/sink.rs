//! Where bytes leave the program, and what happens when they cannot.

use std::io::{self, BufWriter, ErrorKind, Write};

/// A stream that remembers how writing went, so that nobody has to check each line.
///
/// A reader that has gone away (`| head -1`) closes the sink quietly. Any other failure is kept and told by
/// [`Sink::finish`]: no data is ever lost in silence.
pub(super) struct Sink {
    out: BufWriter<Box<dyn Write + Send>>,
    state: State,
}

enum State {
    Open,
    ReaderGone,
    Failed(io::Error),
}

impl Sink {
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: BufWriter::with_capacity(64 * 1024, Box::new(out)), state: State::Open }
    }

    /// Makes the sink of a stream that was closed before the program began: nothing can be written to it.
    pub(super) fn closed() -> Self {
        let mut sink = Self::new(io::sink());
        sink.state = State::Failed(io::Error::new(ErrorKind::NotConnected, "it is closed"));
        sink
    }

    /// Whether somebody can still read what is written.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Writes text, or drops it if the sink is no longer open.
    pub(super) fn write(&mut self, text: &str) {
        if self.is_open() {
            let result = self.out.write_all(text.as_bytes());
            self.note(result);
        }
    }

    /// Sends on what is buffered, so that a reader sees it now.
    pub(super) fn flush(&mut self) {
        if self.is_open() {
            let result = self.out.flush();
            self.note(result);
        }
    }

    /// Flushes and tells the first failure, once; a reader that went away is none.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.flush();
        match std::mem::replace(&mut self.state, State::ReaderGone) {
            State::Failed(error) => Err(error),
            State::Open => {
                self.state = State::Open;
                Ok(())
            }
            State::ReaderGone => Ok(()),
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.state = State::ReaderGone,
            Err(error) => self.state = State::Failed(error),
        }
    }
}

impl Drop for Sink {
    /// Throws away what could not be written; `BufWriter` would try, and wait, once more.
    fn drop(&mut self) {
        if !self.is_open() {
            let spent = BufWriter::new(Box::new(io::sink()) as Box<dyn Write + Send>);
            let _ = std::mem::replace(&mut self.out, spent).into_parts();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_quiet_and_closes() {
        let mut sink = Sink::new(Broken(ErrorKind::BrokenPipe));
        sink.write("line\n");
        sink.flush();
        assert!(!sink.is_open());
        assert!(sink.finish().is_ok());
    }

    #[test]
    fn a_full_disk_is_told_even_if_only_the_last_flush_meets_it() {
        let mut sink = Sink::new(Broken(ErrorKind::StorageFull));
        sink.write("no newline");
        assert_eq!(sink.finish().unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(sink.finish().is_ok(), "told once");
    }
}
