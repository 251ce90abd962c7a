//! How a listing of interfaces describes itself to the output layer.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::Iface;
use crate::error::Exit;
use crate::output::record::{Cell, Column, Record, Report, Role, Warning};
use crate::sys::Counters;

/// The interfaces that were asked for.
#[derive(Clone, Debug)]
pub struct Interfaces {
    /// By index.
    pub interfaces: Vec<Iface>,
    /// What limits the listing.
    pub warnings: Vec<Warning>,
}

impl Serialize for Interfaces {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.interfaces.serialize(serializer)
    }
}

impl Report for Interfaces {
    const SCHEMA: &'static str = "netdiag.ifaces/1";
    const ROWS: &'static str = "";
    const ROW_EVENT: &'static str = "interface";
    type Row = Iface;

    fn row_count(&self) -> usize {
        self.interfaces.len()
    }

    fn row(&self, index: usize) -> Cow<'_, Iface> {
        Cow::Borrowed(&self.interfaces[index])
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn exit(&self) -> Exit {
        if self.interfaces.is_empty() { Exit::Negative } else { Exit::Fine }
    }
}

impl Record for Iface {
    fn columns() -> &'static [Column<Self>] {
        type Col = Column<Iface>;
        static COLUMNS: [Col; 24] = [
            Col::new("index", "INDEX", |iface| Cell::integer(iface.index)).right().dropped_at(7),
            Col::new("name", "NAME", |iface| {
                let role = if iface.is_default_route == Some(true) { Role::Strong } else { Role::Plain };
                Cell::text(iface.name.clone()).role(role)
            }),
            Col::new("alias", "ALIAS", |iface| Cell::maybe(iface.alias.clone(), Cell::text))
                .if_any()
                .dropped_at(8),
            Col::new("state", "STATE", state),
            Col::new("kind", "KIND", |iface| Cell::maybe(iface.kind.as_deref(), Cell::text)).dropped_at(4),
            Col::new("mtu", "MTU", |iface| Cell::maybe(iface.mtu, Cell::integer)).right().dropped_at(3),
            Col::new("mac", "MAC", |iface| Cell::maybe(iface.mac.as_deref(), Cell::text)).dropped_at(5),
            Col::new("addresses", "ADDRESSES", |iface| {
                Cell::list(
                    iface
                        .addresses
                        .iter()
                        .map(|address| format!("{}/{}", address.address, address.prefix_len)),
                )
            }),
            Col::new("addresses.class", "CLASS", |iface| {
                Cell::list(iface.addresses.iter().map(|address| address.class.name())).role(Role::Dim)
            })
            .dropped_at(1),
            Col::new("gateways", "GATEWAY", gateways).if_any().dropped_at(2),
            Col::new("dns_servers", "DNS", |iface| Cell::list(iface.dns_servers.iter().cloned()))
                .if_any()
                .dropped_at(6),
            Col::new("master", "MASTER", |iface| Cell::maybe(iface.master.clone(), Cell::text))
                .if_any()
                .dropped_at(5),
            Col::new("flags", "FLAGS", |iface| Cell::series(iface.flags.iter().copied())).dropped_at(9),
            Col::new("carrier", "CARRIER", |iface| Cell::maybe(iface.carrier, Cell::flag))
                .verbose()
                .dropped_at(10),
            Col::new("is_default_route", "DEFAULT_ROUTE", |iface| {
                Cell::told(iface.is_default_route, Cell::flag)
            })
            .verbose()
            .dropped_at(10),
            Col::new("addresses.scope", "SCOPE", |iface| {
                Cell::list(iface.addresses.iter().map(|address| address.scope.as_deref().unwrap_or_default()))
            })
            .verbose()
            .dropped_at(10),
            Col::new("counters.rx_bytes", "RX_BYTES", |iface| {
                counter(iface, |counters| Some(counters.rx_bytes))
            })
            .right()
            .verbose()
            .dropped_at(10),
            Col::new("counters.rx_packets", "RX_PACKETS", |iface| {
                counter(iface, |counters| Some(counters.rx_packets))
            })
            .right()
            .verbose()
            .dropped_at(10),
            Col::new("counters.rx_errors", "RX_ERRORS", |iface| {
                counter(iface, |counters| Some(counters.rx_errors))
            })
            .right()
            .verbose()
            .dropped_at(10),
            Col::new("counters.rx_dropped", "RX_DROPPED", |iface| {
                counter(iface, |counters| Some(counters.rx_dropped))
            })
            .right()
            .verbose()
            .dropped_at(10),
            Col::new("counters.tx_bytes", "TX_BYTES", |iface| {
                counter(iface, |counters| Some(counters.tx_bytes))
            })
            .right()
            .verbose()
            .dropped_at(10),
            Col::new("counters.tx_packets", "TX_PACKETS", |iface| {
                counter(iface, |counters| Some(counters.tx_packets))
            })
            .right()
            .verbose()
            .dropped_at(10),
            Col::new("counters.tx_errors", "TX_ERRORS", |iface| {
                counter(iface, |counters| Some(counters.tx_errors))
            })
            .right()
            .verbose()
            .dropped_at(10),
            Col::new("counters.tx_dropped", "TX_DROPPED", |iface| {
                counter(iface, |counters| counters.tx_dropped)
            })
            .right()
            .verbose()
            .dropped_at(10),
        ];
        &COLUMNS
    }
}

fn counter(iface: &Iface, of: fn(&Counters) -> Option<u64>) -> Cell {
    Cell::maybe(iface.counters.as_ref().and_then(of), Cell::integer)
}

fn state(iface: &Iface) -> Cell {
    let Some(state) = iface.state else { return Cell::MISSING };
    let role = match state {
        "up" => Role::Good,
        "unknown" => Role::Plain,
        "down" | "not-present" if !iface.is_up => Role::Dim,
        _ => Role::Bad,
    };
    Cell::text(state).role(role)
}

fn gateways(iface: &Iface) -> Cell {
    let address =
        |gateway: &super::Gateway| gateway.address.map_or_else(|| "on-link".to_owned(), |ip| ip.to_string());
    Cell::list(iface.gateways.iter().flatten().map(address))
}
