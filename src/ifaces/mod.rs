//! This host's interfaces: what they are, their addresses, gateways and name servers.

mod collect;
mod name_servers;
mod report;

use std::net::IpAddr;

use serde::Serialize;

pub use report::Interfaces;

use crate::address::{Class, Family, unknown_interface};
use crate::error::Result;
use crate::output::record::{Untrusted, Warning};
use crate::sys::Counters;

/// Which interfaces to list; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Only these names.
    pub names: Vec<String>,
    /// Only those that are administratively up.
    pub up: bool,
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only addresses of this family, and interfaces that have one.
    pub family: Option<Family>,
}

/// One interface, whatever its system calls it. `None` is what this system does not tell.
#[derive(Clone, Debug, Serialize)]
pub struct Iface {
    /// The interface's index, from 1.
    pub index: u32,
    /// Its name.
    pub name: Untrusted,
    /// The text an administrator gave it.
    pub alias: Option<Untrusted>,
    /// What it is: the kernel's link kind, or `loopback`, `ethernet`, `wifi`.
    pub kind: Option<String>,
    /// Its operational state (RFC 2863); `unknown` is not down.
    pub state: Option<&'static str>,
    /// Whether the physical layer has a signal; `None` while the interface is down.
    pub carrier: Option<bool>,
    /// Its flags by their field names.
    pub flags: Vec<&'static str>,
    /// The largest packet in bytes.
    pub mtu: Option<u32>,
    /// Its hardware address.
    pub mac: Option<String>,
    /// The interface it belongs to, a bridge say.
    pub master: Option<Untrusted>,
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
    #[serde(skip)]
    is_up: bool,
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
    pub scope: Option<String>,
    /// Its flags by the names `ip address` uses.
    pub flags: Vec<&'static str>,
    /// The broadcast address that is set.
    pub broadcast: Option<IpAddr>,
    /// The other end, on a point-to-point interface.
    pub peer: Option<IpAddr>,
    /// The seconds it stays valid; `None` for ever.
    pub valid_s: Option<u32>,
    /// The seconds it stays preferred; `None` for ever.
    pub preferred_s: Option<u32>,
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
}

/// Lists the interfaces that a request asks for.
///
/// Errors: a name that no interface has; a system that tells nothing about its interfaces.
pub fn run(request: &Request) -> Result<Interfaces> {
    let (all, mut warnings) = collect::interfaces()?;
    if let Some(name) =
        request.names.iter().find(|name| !all.iter().any(|iface| iface.name.to_lossy() == **name))
    {
        return Err(unknown_interface(name));
    }
    let mut found: Vec<Iface> = all.into_iter().filter(|iface| request.wants(iface)).collect();
    if let Some(family) = request.family {
        for iface in &mut found {
            iface.addresses.retain(|address| address.family == family);
            iface
                .gateways
                .iter_mut()
                .for_each(|gateways| gateways.retain(|gateway| gateway.family == family));
        }
        found.retain(|iface| !iface.addresses.is_empty());
    }
    if found.is_empty() {
        warnings.push(Warning::new("no-match", "no interface matches what was asked for"));
    }
    Ok(Interfaces { interfaces: found, warnings })
}

impl Request {
    fn wants(&self, iface: &Iface) -> bool {
        let name = iface.name.to_lossy();
        (self.names.is_empty() || self.names.iter().any(|wanted| *wanted == name))
            && (!self.up || iface.is_up)
            && self.kind.as_ref().is_none_or(|kind| iface.kind.as_ref() == Some(kind))
    }
}
