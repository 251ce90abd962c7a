//! How what a server has done describes itself to the output layer.

use std::borrow::Cow;

use serde::Serialize;

use crate::output::record::{Cell, Column, Line, Record, Report, Role, Warning};

/// What a server has done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Served {
    /// The address and port it listened on; several with commas between.
    pub address: String,
    /// The connections it accepted.
    pub connections: u64,
    /// The connections it turned away because it had all it may have.
    pub refused: u64,
    /// The bytes that came in on all of them.
    pub bytes_in: u64,
    /// The bytes that went out again.
    pub bytes_out: u64,
    /// The times the system would not give it a connection.
    pub errors: u64,
    /// The connections that were live when it ended all the same.
    pub aborted: u64,
    /// What the user should know about where it listened.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
}

/// One connection that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct ServedConnection {
    /// The client.
    pub peer: String,
    /// The bytes that came in.
    pub bytes_in: u64,
    /// The bytes that went out again.
    pub bytes_out: u64,
    /// From accepting to closing, in microseconds.
    pub duration_us: f64,
    /// `eof`, `reset`, `idle`, `limit`, `fault`, `error`, or `aborted` where the server ended first.
    pub reason: &'static str,
    /// What the system said, where it did not end well.
    pub error: Option<String>,
}

impl Served {
    /// Adds an address that it listens on.
    pub(super) fn listens_on(&mut self, address: &str) {
        if !self.address.is_empty() {
            self.address.push_str(", ");
        }
        self.address.push_str(address);
    }
}

impl ServedConnection {
    pub(super) fn line(&self) -> Line {
        let role = if self.reason == "eof" { Role::Plain } else { Role::Caution };
        let Self { peer, bytes_in, bytes_out, duration_us, reason, .. } = self;
        Line::new(format!(
            "closed {peer}: {bytes_in} bytes in, {bytes_out} out, {:.3} ms, ",
            duration_us / 1000.0
        ))
        .with(role, *reason)
    }
}

impl Report for Served {
    const SCHEMA: &'static str = "netdiag.tcp-serve/1";
    const ROWS: &'static str = "";
    const ROW_EVENT: &'static str = "server";
    const IS_ONE_ROW: bool = true;
    type Row = Self;

    fn row_count(&self) -> usize {
        1
    }

    fn row(&self, _: usize) -> Cow<'_, Served> {
        Cow::Borrowed(self)
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl Record for Served {
    fn columns() -> &'static [Column<Self>] {
        type Col = Column<Served>;
        static COLUMNS: [Col; 7] = [
            Col::new("address", "ADDRESS", |served| Cell::text(served.address.as_str()).role(Role::Strong)),
            Col::new("connections", "CONNECTIONS", |served| Cell::integer(served.connections)).right(),
            Col::new("refused", "REFUSED", |served| Cell::integer(served.refused))
                .right()
                .if_so(|served| served.refused > 0)
                .dropped_at(2),
            Col::new("bytes_in", "BYTES IN", |served| Cell::integer(served.bytes_in)).right().dropped_at(1),
            Col::new("bytes_out", "BYTES OUT", |served| Cell::integer(served.bytes_out))
                .right()
                .dropped_at(1),
            Col::new("errors", "ERRORS", |served| Cell::integer(served.errors)).right().dropped_at(2),
            Col::new("aborted", "ABORTED", |served| Cell::integer(served.aborted)).right().dropped_at(2),
        ];
        &COLUMNS
    }
}
