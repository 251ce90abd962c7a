//! This host's interfaces: what they are, their addresses, gateways and name servers.

mod collect;
mod columns;
mod details;
mod name_servers;
mod report;
mod select;
mod trouble;
mod watch;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use collect::Collected;
pub use columns::needs_depth;
pub use report::Interfaces;
use select::Chosen;
pub use select::Names;
pub use watch::{Happening, Rates};

pub use crate::sys::Depth;

use crate::address::{Class, Family, HardwareAddress};
use crate::error::Result;
use crate::output::record::{Observer, Untrusted, Warning};
use crate::sys::{Counters, Tells};

/// Which interfaces to list, and how; the default is all, a line each.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Only these names.
    pub names: Names,
    /// Only those that are administratively up.
    pub up: bool,
    /// Only those of these kinds.
    pub kinds: Vec<String>,
    /// Only addresses of this family, and interfaces that have one.
    pub family: Option<Family>,
    /// How a person is shown them.
    pub view: View,
    /// How much of them anybody will see.
    pub depth: Depth,
    /// Whether to look again and again.
    pub watch: Option<Watch>,
}

/// How a person is shown interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// A row each.
    #[default]
    Rows,
    /// Name, state and addresses on one line each.
    Brief,
    /// A block each, with all that is known.
    Details,
}

/// How to look again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The time between two looks.
    pub interval: Duration,
    /// After how many intervals to end; `None` goes on until it is interrupted.
    pub count: Option<u64>,
}

/// One interface, whatever its system calls it. `None` is what there is not, or what this system does not tell.
#[derive(Clone, Debug, Serialize)]
pub struct Iface {
    /// The interface's index, from 1.
    pub index: u32,
    /// Its name.
    pub name: Untrusted,
    /// Its further names; `None` where the system does not tell.
    pub alt_names: Option<Vec<Untrusted>>,
    /// The text an administrator gave it.
    pub alias: Option<Untrusted>,
    /// What it is: the kernel's link kind, or `loopback`, `ethernet`, `wifi`.
    pub kind: Option<Cow<'static, str>>,
    /// The variety of its kind: `tap`, a macvlan's or a bond's mode.
    pub mode: Option<&'static str>,
    /// The number its kind has: the VLAN ID, the network of a vxlan or geneve, the table of a vrf.
    pub kind_id: Option<u32>,
    /// Its operational state (RFC 2863); `unknown` is not down.
    pub state: Option<&'static str>,
    /// Whether the physical layer has a signal; `None` while the interface is down.
    pub carrier: Option<bool>,
    /// How often that has changed.
    pub carrier_changes: Option<u32>,
    /// Its flags by their field names.
    pub flags: Vec<&'static str>,
    /// The largest packet in bytes.
    pub mtu: Option<u32>,
    /// The smallest MTU that may be set.
    pub min_mtu: Option<u32>,
    /// The largest MTU that may be set.
    pub max_mtu: Option<u32>,
    /// Its hardware address.
    pub mac: Option<HardwareAddress>,
    /// The hardware address it was made with.
    pub permanent_mac: Option<Box<HardwareAddress>>,
    /// The interface it belongs to, a bridge say.
    pub master: Option<Untrusted>,
    /// The interface at its other end (veth) or below it (vlan, macvlan, vxlan), where that is in this namespace.
    pub link: Option<Untrusted>,
    /// That one's index, in its own namespace.
    pub link_index: Option<u32>,
    /// The number this namespace has for that one's, -1 where it has none; `None` where they are one.
    pub link_netnsid: Option<i32>,
    /// The name that `ip netns` gave to that namespace.
    pub link_netns: Option<Untrusted>,
    /// Its queueing discipline.
    pub qdisc: Option<Untrusted>,
    /// How many packets may wait to be sent.
    pub tx_queue_len: Option<u32>,
    /// Its speed in Mbit/s.
    pub speed_mbit: Option<u32>,
    /// `full` or `half`.
    pub duplex: Option<&'static str>,
    /// The driver of the hardware.
    pub driver: Option<Untrusted>,
    /// Where the hardware is: a PCI address, say.
    pub bus: Option<Untrusted>,
    /// What a wireless interface is connected to.
    pub wireless: Option<Box<Wireless>>,
    /// Whether a family's best default route leaves by it; `None` where the system does not tell.
    pub is_default_route: Option<bool>,
    /// Its addresses, in the system's order.
    pub addresses: Vec<IfaceAddress>,
    /// The gateways of its default routes; `None` where the system does not tell.
    pub gateways: Option<Vec<Gateway>>,
    /// The name servers asked by way of it.
    pub dns_servers: Vec<Untrusted>,
    /// What has gone through it.
    pub counters: Option<Counters>,
    /// What went through it in each second since the last look, where there was one.
    pub rates: Option<Box<Rates>>,
    /// The families whose best default route leaves by it.
    #[serde(skip)]
    default_families: Vec<Family>,
    #[serde(skip)]
    is_up: bool,
    /// What its system tells at all.
    #[serde(skip)]
    tells: Tells,
}

/// What a wireless interface is connected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wireless {
    /// The network's name.
    pub ssid: Option<Untrusted>,
    /// The frequency in MHz.
    pub frequency_mhz: Option<u32>,
    /// The hardware address of the access point.
    pub access_point: Option<HardwareAddress>,
    /// How strong its signal is, in dBm.
    pub signal_dbm: Option<i8>,
}

/// One address of an interface.
#[derive(Clone, Debug, Serialize)]
pub struct IfaceAddress {
    /// Its family.
    pub family: Family,
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix in bits.
    pub prefix_len: u8,
    /// What it is for, by IANA.
    pub class: Class,
    /// How far it reaches: global, site, link, host.
    pub scope: Option<Cow<'static, str>>,
    /// Its flags by the names `ip address` uses.
    pub flags: Cow<'static, [&'static str]>,
    /// The label of an IPv4 address.
    pub label: Option<Untrusted>,
    /// The broadcast address that is set.
    pub broadcast: Option<IpAddr>,
    /// The other end, on a point-to-point interface.
    pub peer: Option<IpAddr>,
    /// The metric of the route to its network.
    pub metric: Option<u32>,
    /// The seconds it stays valid; `None` for ever.
    pub valid_s: Option<u32>,
    /// The seconds it stays preferred; `None` for ever.
    pub preferred_s: Option<u32>,
}

impl IfaceAddress {
    /// The address as people write it, with the length of its prefix; with another end, that has the prefix.
    fn written(&self) -> String {
        match self.peer {
            Some(peer) => format!("{} peer {peer}/{}", self.address, self.prefix_len),
            None => format!("{}/{}", self.address, self.prefix_len),
        }
    }
}

/// The gateway of a default route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gateway {
    /// The route's family.
    pub family: Family,
    /// The gateway; `None` on a link without one.
    pub address: Option<IpAddr>,
    /// The route's metric; the lowest wins.
    pub metric: Option<u32>,
    /// Who set the route: `dhcp`, `ra`, `static` ...
    pub protocol: Option<Cow<'static, str>>,
    /// The source address that the route prefers.
    pub source: Option<IpAddr>,
    /// The only sources that take it, a prefix, where it is not for all.
    pub from: Option<String>,
    /// A router's own preference: `high`, `medium`, `low` (RFC 4191).
    pub preference: Option<&'static str>,
    /// Whether the kernel does not use it now, as its link is down.
    pub is_dead: bool,
    /// The seconds the route stays; `None` for ever.
    pub expires_s: Option<u32>,
}

/// Lists the interfaces that a request asks for, once or again and again.
///
/// Errors: a name that no interface has; a kind that there is not; a system that tells nothing about its interfaces.
pub fn run(request: &Request, observer: &mut dyn Observer<Happening>) -> Result<Interfaces> {
    match request.watch {
        Some(watch) => watch::run(request, watch, observer),
        None => look(request, true),
    }
}

/// One look; in the first, names and kinds must be right.
fn look(request: &Request, is_first: bool) -> Result<Interfaces> {
    let Collected { interfaces, mut warnings, default_routes, ways } = collect::collect(request.depth)?;
    let Chosen { which, lacking } = select::choose(request, &interfaces, is_first)?;
    let known =
        trouble::Known { all: &interfaces, which: &which, routes: default_routes.as_deref(), ways: &ways };
    let mut about = vec![Vec::new(); warnings.len()];
    for trouble in trouble::of(&known, request) {
        about.push(trouble.about);
        warnings.push(trouble.warning);
    }
    let is_lacking = !lacking.is_empty();
    warnings.extend(lacking.into_iter().map(|message| Warning::new("no-match", message)));
    about.resize(warnings.len(), Vec::new());
    let mut is_chosen = which.into_iter();
    let mut interfaces = interfaces;
    interfaces.retain(|_| is_chosen.next().unwrap_or(false));
    if let Some(family) = request.family {
        for iface in &mut interfaces {
            iface.addresses.retain(|address| address.family == family);
            iface.gateways.iter_mut().for_each(|gateways| gateways.retain(|it| it.family == family));
        }
    }
    Ok(Interfaces { interfaces, warnings, about, view: request.view, is_lacking, is_interrupted: false })
}
