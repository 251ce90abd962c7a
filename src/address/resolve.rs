//! From a host as it was written to its addresses.

use std::io;
use std::net::ToSocketAddrs;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

use super::{Address, Family, Host};
use crate::sys;

/// How long a name may take. The system's resolver waits 5 s for each dead server before it asks the next
/// (`resolv.conf(5)`), so this lets a second server answer, and cuts the minute that getaddrinfo can hang.
const NAME_TIMEOUT: Duration = Duration::from_secs(12);

/// Why a host has no address to use.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// The system's resolver said no.
    #[error("cannot resolve '{name}'")]
    Name {
        /// The name that was asked for.
        name: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The system's resolver said nothing in time.
    #[error("cannot resolve '{name}': no answer from the resolver within {} s", NAME_TIMEOUT.as_secs())]
    TimedOut {
        /// The name that was asked for.
        name: String,
    },
    /// There are addresses, but none of the family that was asked for.
    #[error("'{name}' has no {} address", family.name())]
    Family {
        /// The name that was asked for.
        name: String,
        /// The family that was asked for.
        family: Family,
    },
    /// This machine lacks what it takes to ask.
    #[error("cannot resolve '{name}': no thread for the lookup")]
    Lacking {
        /// The name that was to be asked for.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The zone names no interface of this machine.
    #[error("there is no interface '{0}' on this machine")]
    Zone(String),
}

/// Finds the addresses of a host, in the order the system prefers (RFC 6724), each once.
///
/// The system's resolver runs on a thread of its own, so that one that hangs holds up nobody.
pub async fn resolve(host: &Host, family: Option<Family>) -> Result<Vec<Address>, ResolveError> {
    let name = host.to_string();
    let mut addresses = match host {
        Host::Address { ip, zone } => {
            let scope_id = match zone {
                None => 0,
                Some(zone) => zone_index(zone).ok_or_else(|| ResolveError::Zone(zone.clone()))?,
            };
            vec![Address { ip: *ip, scope_id }]
        }
        Host::Name(host_name) => look_up(host_name.as_str()).await?,
    };
    addresses.retain(|address| family.is_none_or(|family| family == address.family()));
    match (addresses.is_empty(), family) {
        (true, Some(family)) => Err(ResolveError::Family { name, family }),
        _ => Ok(addresses),
    }
}

async fn look_up(name: &str) -> Result<Vec<Address>, ResolveError> {
    let (sender, answer) = oneshot::channel();
    let asked = name.to_owned();
    let resolver = move || {
        let answer = (asked.as_str(), 0).to_socket_addrs().map(|found| {
            let mut addresses: Vec<Address> = Vec::new();
            for address in found.map(Address::from) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            addresses
        });
        // Nobody waits any more: the time-out came first.
        let _ = sender.send(answer);
    };
    let name = name.to_owned();
    if let Err(source) = std::thread::Builder::new().spawn(resolver) {
        return Err(ResolveError::Lacking { name, source });
    }
    match tokio::time::timeout(NAME_TIMEOUT, answer).await {
        Ok(Ok(Ok(addresses))) => Ok(addresses),
        Ok(Ok(Err(source))) => Err(ResolveError::Name { name, source }),
        Ok(Err(_)) | Err(_) => Err(ResolveError::TimedOut { name }),
    }
}

fn zone_index(zone: &str) -> Option<u32> {
    let by_number = || zone.parse().ok().filter(|index| sys::interface_name(*index).is_some());
    sys::interface_index(zone).or_else(by_number)
}
