//! The columns of an interface's row.

use std::borrow::Cow;

use super::{Gateway, Iface, IfaceAddress, Rates, Wireless};
use crate::output::record::{Cell, Column, Record, Role, Untrusted};
use crate::sys::Counters;

impl Record for Iface {
    fn columns() -> &'static [Column<Self>] {
        &COLUMNS
    }
}

type Col = Column<Iface>;

static COLUMNS: [Col; 60] = [
    Col::new("index", "INDEX", |iface| Cell::integer(iface.index)).right().dropped_at(8),
    Col::new("name", "NAME", |iface| {
        let role = if iface.is_default_route == Some(true) { Role::Strong } else { Role::Plain };
        Cell::text(iface.name.clone()).role(role)
    }),
    detail("alt_names", "ALT NAMES", |iface| {
        Cell::told(iface.alt_names.as_ref(), |names| Cell::list(names.iter().cloned()))
    }),
    Col::new("alias", "ALIAS", |iface| text(iface.alias.as_ref(), iface.tells.alias))
        .if_so(|iface| iface.alias.is_some())
        .dropped_at(9),
    Col::new("state", "STATE", state),
    Col::new("kind", "KIND", |iface| word(iface.kind.as_ref(), iface.tells.kind)).dropped_at(5),
    detail("mode", "MODE", |iface| known(iface.mode, iface.tells.kind, Cell::word)),
    detail("kind_id", "KIND ID", |iface| number(iface.kind_id, iface.tells.kind)).right(),
    Col::new("mtu", "MTU", |iface| Cell::told(iface.mtu, Cell::integer)).right().dropped_at(4),
    detail("min_mtu", "MIN MTU", |iface| number(iface.min_mtu, iface.tells.hardware)).right(),
    detail("max_mtu", "MAX MTU", |iface| number(iface.max_mtu, iface.tells.hardware)).right(),
    Col::new("mac", "MAC", |iface| {
        known(iface.mac.as_ref(), iface.tells.mac, |mac| Cell::text(mac.to_string()))
    })
    .dropped_at(6),
    detail("permanent_mac", "PERMANENT MAC", |iface| {
        let mac = iface.permanent_mac.as_ref();
        known(mac, iface.tells.hardware, |mac| Cell::text(mac.to_string()))
    }),
    Col::new("is_default_route", "DEFAULT", |iface| {
        Cell::told(iface.is_default_route, |is| {
            Cell::flag(is).role(if is { Role::Strong } else { Role::Dim })
        })
    })
    .if_so(|iface| iface.is_default_route == Some(true))
    .dropped_at(2),
    Col::new("addresses", "ADDRESSES", |iface| {
        Cell::items(iface.addresses.iter().map(|it| match it.peer {
            // The prefix is the other end's then.
            Some(_) => Cell::address(it.written()),
            None => Cell::ip(it.address, Some(it.prefix_len)),
        }))
    }),
    Col::new("addresses.class", "CLASS", |iface| {
        Cell::items(iface.addresses.iter().map(|it| Cell::word(it.class.name()))).role(Role::Dim)
    })
    .dropped_at(3),
    detail("addresses.scope", "SCOPE", |iface| {
        of_addresses(iface, |it| word(it.scope.as_ref(), iface.tells.address_details))
    }),
    detail("addresses.flags", "ADDRESS FLAGS", |iface| {
        of_addresses(iface, |it| {
            let flags = iface.tells.address_details.then_some(&it.flags);
            Cell::told(flags, |flags| Cell::series(flags.iter().copied()))
        })
    }),
    detail("addresses.label", "LABEL", |iface| {
        of_addresses(iface, |it| text(it.label.as_ref(), iface.tells.address_details))
    }),
    detail("addresses.broadcast", "BROADCAST", |iface| {
        of_addresses(iface, |it| Cell::maybe(it.broadcast, |ip| Cell::ip(ip, None)))
    }),
    detail("addresses.peer", "PEER", |iface| {
        of_addresses(iface, |it| known(it.peer, iface.tells.address_details, |ip| Cell::ip(ip, None)))
    }),
    detail("addresses.metric", "ADDRESS METRIC", |iface| {
        of_addresses(iface, |it| number(it.metric, iface.tells.address_details))
    }),
    detail("addresses.valid_s", "VALID s", |iface| {
        of_addresses(iface, |it| number(it.valid_s, iface.tells.address_details))
    }),
    detail("addresses.preferred_s", "PREFERRED s", |iface| {
        of_addresses(iface, |it| number(it.preferred_s, iface.tells.address_details))
    }),
    Col::new("gateways", "GATEWAY", |iface| {
        of_gateways(iface, |it| it.address.map_or(Cell::word("on-link"), |ip| Cell::ip(ip, None)))
    })
    .if_so(|iface| iface.gateways.as_ref().is_some_and(|gateways| !gateways.is_empty()))
    .dropped_at(1),
    detail("gateways.metric", "METRIC", |iface| {
        of_gateways(iface, |it| Cell::maybe(it.metric, Cell::integer))
    })
    .right(),
    detail("gateways.protocol", "ROUTE PROTOCOL", |iface| {
        of_gateways(iface, |it| word(it.protocol.as_ref(), true))
    }),
    Col::new("dns_servers", "DNS", |iface| Cell::list(iface.dns_servers.iter().cloned()))
        .if_any()
        .dropped_at(7),
    Col::new("master", "MASTER", |iface| text(iface.master.as_ref(), iface.tells.relations))
        .if_so(|iface| iface.master.is_some())
        .dropped_at(6),
    Col::new("link", "LINK", |iface| text(iface.link.as_ref(), iface.tells.relations))
        .if_so(|iface| iface.link.is_some())
        .dropped_at(9),
    detail("link_index", "LINK INDEX", |iface| number(iface.link_index, iface.tells.relations)).right(),
    detail("link_netnsid", "LINK NETNSID", |iface| {
        known(iface.link_netnsid, iface.tells.relations, Cell::integer)
    })
    .right(),
    detail("link_netns", "LINK NETNS", |iface| text(iface.link_netns.as_ref(), iface.tells.relations)),
    Col::new("flags", "FLAGS", |iface| Cell::series(iface.flags.iter().copied())).dropped_at(10),
    detail("carrier", "CARRIER", |iface| Cell::maybe(iface.carrier, Cell::flag)),
    detail("carrier_changes", "CARRIER CHANGES", |iface| number(iface.carrier_changes, iface.tells.hardware))
        .right(),
    detail("qdisc", "QDISC", |iface| text(iface.qdisc.as_ref(), iface.tells.hardware)),
    detail("tx_queue_len", "TX QUEUE LEN", |iface| number(iface.tx_queue_len, iface.tells.hardware)).right(),
    detail("speed_mbit", "SPEED Mbit/s", |iface| number(iface.speed_mbit, iface.tells.speed)).right(),
    detail("duplex", "DUPLEX", |iface| known(iface.duplex, iface.tells.hardware, Cell::word)),
    detail("driver", "DRIVER", |iface| text(iface.driver.as_ref(), iface.tells.hardware)),
    detail("bus", "BUS", |iface| text(iface.bus.as_ref(), iface.tells.hardware)),
    detail("wireless.ssid", "SSID", |iface| {
        of_wireless(iface, |it| Cell::maybe(it.ssid.clone(), Cell::text))
    }),
    detail("wireless.signal_dbm", "SIGNAL dBm", |iface| {
        of_wireless(iface, |it| Cell::maybe(it.signal_dbm, Cell::integer))
    })
    .right(),
    counter("counters.rx_bytes", "RX BYTES", |it| count(it, |it| Some(it.rx_bytes))),
    counter("counters.rx_packets", "RX PACKETS", |it| count(it, |it| Some(it.rx_packets))),
    counter("counters.rx_errors", "RX ERRORS", |it| count(it, |it| Some(it.rx_errors))),
    counter("counters.rx_dropped", "RX DROPPED", |it| count(it, |it| Some(it.rx_dropped))),
    counter("counters.rx_missed", "RX MISSED", |it| count(it, |it| it.rx_missed)),
    counter("counters.rx_multicast", "RX MULTICAST", |it| count(it, |it| it.rx_multicast)),
    counter("counters.tx_bytes", "TX BYTES", |it| count(it, |it| Some(it.tx_bytes))),
    counter("counters.tx_packets", "TX PACKETS", |it| count(it, |it| Some(it.tx_packets))),
    counter("counters.tx_errors", "TX ERRORS", |it| count(it, |it| Some(it.tx_errors))),
    counter("counters.tx_dropped", "TX DROPPED", |it| count(it, |it| it.tx_dropped)),
    counter("counters.tx_carrier_errors", "TX CARRIER", |it| count(it, |it| it.tx_carrier_errors)),
    counter("counters.collisions", "COLLISIONS", |it| count(it, |it| it.collisions)),
    rate("rates.rx_bytes_per_s", "RX/s", |it| per_second(it, |it| it.rx_bytes_per_s)),
    rate("rates.tx_bytes_per_s", "TX/s", |it| per_second(it, |it| it.tx_bytes_per_s)),
    rate("rates.rx_packets_per_s", "RX packets/s", |it| per_second(it, |it| it.rx_packets_per_s)),
    rate("rates.tx_packets_per_s", "TX packets/s", |it| per_second(it, |it| it.tx_packets_per_s)),
];

/// A column for those who ask for everything.
const fn detail(id: &'static str, title: &'static str, cell: fn(&Iface) -> Cell) -> Column<Iface> {
    Column::new(id, title, cell).verbose().dropped_at(10)
}

const fn counter(id: &'static str, title: &'static str, cell: fn(&Iface) -> Cell) -> Column<Iface> {
    detail(id, title, cell).right()
}

/// A column that only a second look can fill.
const fn rate(id: &'static str, title: &'static str, cell: fn(&Iface) -> Cell) -> Column<Iface> {
    Column::new(id, title, cell).if_any().right().dropped_at(4)
}

/// A cell of what there may be none of, or what this system does not tell.
fn known<T>(item: Option<T>, is_told: bool, make: impl FnOnce(T) -> Cell) -> Cell {
    if is_told { Cell::maybe(item, make) } else { Cell::told(item, make) }
}

fn text(item: Option<&Untrusted>, is_told: bool) -> Cell {
    known(item, is_told, |text| Cell::text(text.clone()))
}

fn word(item: Option<&Cow<'static, str>>, is_told: bool) -> Cell {
    known(item, is_told, |word| match word {
        Cow::Borrowed(word) => Cell::word(word),
        Cow::Owned(word) => Cell::text(word.as_str()),
    })
}

fn number(item: Option<u32>, is_told: bool) -> Cell {
    known(item, is_told, Cell::integer)
}

fn of_addresses(iface: &Iface, of: impl Fn(&IfaceAddress) -> Cell) -> Cell {
    Cell::items(iface.addresses.iter().map(of))
}

fn of_gateways(iface: &Iface, of: impl Fn(&Gateway) -> Cell) -> Cell {
    Cell::told(iface.gateways.as_ref(), |gateways| Cell::items(gateways.iter().map(of)))
}

fn of_wireless(iface: &Iface, of: impl Fn(&Wireless) -> Cell) -> Cell {
    known(iface.wireless.as_deref(), iface.tells.hardware, of)
}

fn count(iface: &Iface, of: fn(&Counters) -> Option<u64>) -> Cell {
    Cell::told(iface.counters.as_ref().and_then(of), Cell::integer)
}

fn per_second(iface: &Iface, of: fn(&Rates) -> Option<f64>) -> Cell {
    Cell::maybe(iface.rates.as_deref().and_then(of), |rate| Cell::real(rate, 0))
}

/// The state as a person reads it: CSV and JSON have the system's own.
fn state(iface: &Iface) -> Cell {
    let Some(raw) = iface.state else { return Cell::told(None, Cell::word) };
    let state = iface.shown_state();
    Cell::named(state, raw).role(state_role(iface, state))
}

impl Iface {
    /// The state as a person reads it. The kernel calls the state of an interface `unknown` that has no driver to tell it,
    /// as the loopback, a tunnel: it is up if it was switched on and has a carrier.
    pub(super) fn shown_state(&self) -> &'static str {
        match self.state {
            Some("unknown") if self.is_up && self.carrier != Some(false) => "up",
            Some(state) => state,
            None => "unknown",
        }
    }
}

pub(super) fn state_role(iface: &Iface, state: &str) -> Role {
    match state {
        "up" => Role::Good,
        "unknown" => Role::Plain,
        "down" | "not-present" if !iface.is_up => Role::Dim,
        _ => Role::Bad,
    }
}

/// Whether one of these columns, by their ids, is one that only a thorough look can fill.
pub fn needs_depth(ids: &[&str]) -> bool {
    const DEEP: [&str; 8] =
        ["counters", "rates", "speed_mbit", "duplex", "driver", "bus", "wireless", "link_netns"];
    ids.iter().any(|id| DEEP.contains(&id.split('.').next().unwrap_or(id)))
}
