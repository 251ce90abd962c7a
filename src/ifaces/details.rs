//! A readable block an interface, as users of `ifconfig` and `ipconfig` expect it.

use std::time::Duration;

use super::columns::state_role;
use super::{Gateway, Iface, IfaceAddress};
use crate::address::Family;
use crate::measure::amount;
use crate::output::record::{Block, Line, Role};

/// All that is known of an interface.
pub(super) fn block(iface: &Iface) -> Block {
    let mut block = Block::new(title(iface));
    let alt_names = iface.alt_names.iter().flatten();
    block.field("also called", alt_names.map(|name| Line::new(name.clone())));
    block.field("alias", iface.alias.iter().map(|alias| Line::new(alias.clone())));
    block.field("link", [link(iface)]);
    block.field("hardware", hardware(iface));
    block.field("wireless", wireless(iface));
    block.field("flags", [Line::default().dim(iface.flags.join(" "))]);
    for family in [Family::Ipv4, Family::Ipv6] {
        let own = iface.addresses.iter().filter(|address| address.family == family);
        block.field(family.name(), own.map(|own| address(iface, own)));
    }
    let gateways = iface.gateways.iter().flatten();
    block.field("gateway", gateways.map(gateway));
    block.field("name servers", iface.dns_servers.iter().map(|server| Line::new(server.clone())));
    block.field("received", received(iface));
    block.field("sent", sent(iface));
    block
}

fn title(iface: &Iface) -> Line {
    let mut title = Line::default().strong(iface.name.clone());
    if iface.state.is_some() {
        let state = iface.shown_state();
        title = title.plain(": ").with(state_role(iface, state), state);
    }
    // What a system has is down says nothing of who put it there.
    if !iface.is_up && iface.state != Some("down") {
        title = title.plain(", disabled");
    } else if iface.is_up && iface.carrier == Some(false) {
        title = title.plain(", ").with(Role::Bad, "no carrier");
    }
    if let Some(kind) = &iface.kind {
        title = title.plain(", ").plain(&**kind);
    }
    if let Some(mode) = &iface.mode {
        title = title.plain(format!(" ({mode})"));
    }
    if let Some(id) = iface.kind_id {
        title = title.plain(format!(" {id}"));
    }
    if !iface.default_families.is_empty() {
        let families: Vec<&str> = iface.default_families.iter().map(|family| family.name()).collect();
        title = title.plain(", ").strong(format!("default route of {}", families.join(" and ")));
    }
    title
}

/// Index, MTU, and what it is joined to.
fn link(iface: &Iface) -> Line {
    let mut line = Line::new(format!("index {}", iface.index));
    // The kernel's own word, where a person reads another.
    if let Some(state) = iface.state.filter(|state| *state != iface.shown_state()) {
        line = line.plain(format!(", operational state {state}"));
    }
    if let Some(mtu) = iface.mtu {
        line = line.plain(format!(", MTU {mtu}"));
        if let (Some(least), Some(most)) = (iface.min_mtu, iface.max_mtu) {
            line = line.plain(format!(" of {least} to {most}"));
        }
    }
    if let Some(qdisc) = &iface.qdisc {
        line = line.plain(", queueing ").plain(qdisc.clone());
    }
    if let Some(master) = &iface.master {
        line = line.plain(", belongs to ").strong(master.clone());
    }
    let how = if iface.is_kind("veth") { ", other end " } else { ", runs on " };
    match (&iface.link, iface.link_index, iface.link_netnsid) {
        (Some(other), ..) => line = line.plain(how).strong(other.clone()),
        (None, Some(index), Some(id)) => {
            line = line.plain(format!("{how}index {index} in another namespace"));
            line = match &iface.link_netns {
                Some(name) => line.plain(" (").strong(name.clone()).plain(")"),
                None if id >= 0 => line.plain(format!(" (number {id})")),
                None => line,
            };
        }
        _ => {}
    }
    line
}

fn hardware(iface: &Iface) -> Option<Line> {
    let mut parts = Vec::new();
    if let Some(mac) = &iface.mac {
        parts.push(Line::new(mac.to_string()));
    }
    if let Some(own) = iface.permanent_mac.as_deref().filter(|own| iface.mac.as_ref() != Some(own)) {
        parts.push(Line::new(format!("type {own}")));
    }
    if let Some(speed) = iface.speed_mbit {
        let duplex = iface.duplex.map(|duplex| format!(" {duplex} duplex")).unwrap_or_default();
        parts.push(Line::new(format!("{speed} Mbit/s{duplex}")));
    }
    if let Some(driver) = &iface.driver {
        parts.push(Line::new("driver ").plain(driver.clone()));
    }
    if let Some(bus) = &iface.bus {
        parts.push(Line::new("at ").plain(bus.clone()));
    }
    if let Some(changes) = iface.carrier_changes.filter(|changes| *changes > 2) {
        parts.push(Line::new(format!("carrier changed {changes} times")));
    }
    joined(parts)
}

fn wireless(iface: &Iface) -> Option<Line> {
    let wireless = iface.wireless.as_ref()?;
    let mut parts = Vec::new();
    match &wireless.ssid {
        Some(ssid) => parts.push(Line::new("network ").strong(ssid.clone())),
        None => parts.push(Line::new("not connected to a network")),
    }
    if let Some(signal) = wireless.signal_dbm {
        parts.push(Line::new(format!("signal {signal} dBm")));
    }
    if let Some(frequency) = wireless.frequency_mhz {
        parts.push(Line::new(format!("{frequency} MHz")));
    }
    if let Some(access_point) = wireless.access_point {
        parts.push(Line::new(format!("access point {access_point}")));
    }
    joined(parts)
}

fn joined(parts: Vec<Line>) -> Option<Line> {
    parts.into_iter().reduce(|line, part| line.plain(", ").and(part))
}

fn address(iface: &Iface, address: &IfaceAddress) -> Line {
    let mut line = Line::default().strong(address.written()).plain(format!(", {}", address.class.name()));
    if let Some(broadcast) = address.broadcast {
        line = line.plain(format!(", broadcast {broadcast}"));
    }
    if let Some(label) = address.label.as_ref().filter(|label| **label != iface.name) {
        line = line.plain(", label ").plain(label.clone());
    }
    for flag in address.flags.iter().filter(|flag| **flag != "permanent") {
        let role = match *flag {
            "dadfailed" => Role::Bad,
            "tentative" | "deprecated" => Role::Caution,
            _ => Role::Plain,
        };
        line = line.plain(", ").with(role, *flag);
    }
    if let Some(valid) = address.valid_s {
        line = line.plain(format!(", valid {}", time(valid)));
        if let Some(preferred) = address.preferred_s.filter(|preferred| *preferred != valid) {
            line = line.plain(format!(", preferred {}", time(preferred)));
        }
    }
    line
}

fn gateway(gateway: &Gateway) -> Line {
    let mut line = match gateway.address {
        Some(address) => Line::default().strong(address.to_string()),
        None => Line::new(format!("{} on the link itself", gateway.family.name())),
    };
    if let Some(metric) = gateway.metric {
        line = line.plain(format!(", metric {metric}"));
    }
    if let Some(protocol) = &gateway.protocol {
        line = line.plain(format!(", protocol {protocol}"));
    }
    if let Some(preference) = gateway.preference {
        line = line.plain(format!(", preference {preference}"));
    }
    if gateway.is_dead {
        line = line.plain(", ").with(Role::Bad, "dead");
    }
    if let Some(source) = gateway.source {
        line = line.plain(format!(", from {source}"));
    }
    if let Some(from) = &gateway.from {
        line = line.plain(format!(", only from {from}"));
    }
    if let Some(left) = gateway.expires_s {
        line = line.plain(format!(", for {}", time(left)));
    }
    line
}

/// A time as people read it, its two largest units: `23h4m`.
fn time(seconds: u32) -> String {
    let text = humantime::format_duration(Duration::from_secs(seconds.into())).to_string();
    text.split(' ').take(2).collect()
}

fn received(iface: &Iface) -> Option<Line> {
    let counters = iface.counters.as_ref()?;
    let line = traffic(counters.rx_packets, counters.rx_bytes);
    let line = line.and(bad(counters.rx_errors, "errors")).and(bad(counters.rx_dropped, "dropped"));
    let missed = counters.rx_missed.filter(|missed| *missed > 0);
    Some(missed.into_iter().fold(line, |line, missed| line.and(bad(missed, "missed"))))
}

fn sent(iface: &Iface) -> Option<Line> {
    let counters = iface.counters.as_ref()?;
    let line = traffic(counters.tx_packets, counters.tx_bytes).and(bad(counters.tx_errors, "errors"));
    let more = [
        (counters.tx_dropped, "dropped"),
        (counters.tx_carrier_errors.filter(|lost| *lost > 0), "without carrier"),
        (counters.collisions.filter(|collisions| *collisions > 0), "collisions"),
    ];
    let told = more.into_iter().filter_map(|(count, what)| Some((count?, what)));
    Some(told.fold(line, |line, (count, what)| line.and(bad(count, what))))
}

fn traffic(packets: u64, bytes: u64) -> Line {
    #[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
    let short = if bytes < 1000 { String::new() } else { format!(" ({})", amount(bytes as f64)) };
    Line::new(format!("{packets} packets, {bytes} bytes{short}"))
}

fn bad(count: u64, what: &str) -> Line {
    let role = if count > 0 { Role::Caution } else { Role::Plain };
    Line::new(", ").with(role, format!("{count} {what}"))
}
