//! How knowledge about ports describes itself to the output layer.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{Port, Protocol};
use crate::output::record::{Cell, Column, Line, Record, Report, Role};

/// The ports that were asked for.
#[derive(Clone, Debug)]
pub struct Ports {
    /// In the order they were asked for.
    pub ports: Vec<Port>,
    /// The range this system gives to programs that ask for none.
    pub ephemeral: Option<(u16, u16)>,
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ports.serialize(serializer)
    }
}

impl Report for Ports {
    const SCHEMA: &'static str = "netdiag.port/1";
    const ROWS: &'static str = "";
    const ROW_EVENT: &'static str = "port";
    type Row = Port;

    fn row_count(&self) -> usize {
        self.ports.len()
    }

    fn row(&self, index: usize) -> Cow<'_, Port> {
        Cow::Borrowed(&self.ports[index])
    }

    fn notes(&self) -> Vec<Line> {
        let note = |(first, last)| {
            Line::default()
                .dim(format!("programs that ask for no port are given one from {first} to {last} here"))
        };
        self.ephemeral.map(note).into_iter().collect()
    }
}

impl Record for Port {
    fn columns() -> &'static [Column<Self>] {
        type Col = Column<Port>;
        static COLUMNS: [Col; 9] = [
            Col::new("port", "PORT", |port| Cell::integer(port.port).role(Role::Strong)).right(),
            Col::new("class", "CLASS", |port| Cell::text(port.class.name())),
            Col::new("iana_range", "IANA_RANGE", |port| Cell::text(port.iana_range.name())).dropped_at(2),
            Col::new("is_ephemeral_here", "EPHEMERAL", |port| Cell::told(port.is_ephemeral_here, Cell::flag))
                .dropped_at(3),
            Col::new("is_reserved_here", "RESERVED", |port| Cell::told(port.is_reserved_here, Cell::flag))
                .verbose()
                .dropped_at(6),
            Col::new("needs_privilege", "PRIVILEGED", |port| Cell::told(port.needs_privilege, Cell::flag))
                .dropped_at(5),
            Col::new("services", "SERVICES", |port| {
                Cell::list(port.services.iter().map(|service| service.name))
            }),
            Col::new("services.protocols", "PROTOCOLS", |port| {
                Cell::list(port.services.iter().map(|service| protocols(&service.protocols)))
            })
            .dropped_at(4),
            Col::new("services.description", "DESCRIPTION", |port| {
                Cell::list(port.services.iter().map(|service| service.description)).role(Role::Dim)
            })
            .dropped_at(1),
        ];
        &COLUMNS
    }
}

fn protocols(protocols: &[Protocol]) -> String {
    protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>().join("/")
}
