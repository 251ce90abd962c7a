//! The errors for what this machine does not have, with what it has, and for what was not said.

use std::fmt::Display;
use std::net::IpAddr;

use super::{Family, Host};
use crate::error::{Error, Result};
use crate::{suggest, sys};

/// At most so many names or addresses stand in a hint.
const MOST: usize = 20;

/// The usage error for an interface that this machine does not have: the nearest names, and all of them.
pub fn unknown_interface(name: &str) -> Error {
    let links = sys::network(sys::Depth::Summary).unwrap_or_default().links;
    let names: Vec<String> =
        links.iter().map(|link| String::from_utf8_lossy(&link.name).into_owned()).collect();
    let error = Error::usage(format!("there is no interface '{name}' on this machine"));
    let error = match suggest::nearest(name, names.iter().map(String::as_str)).first() {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error,
    };
    if names.is_empty() { error } else { error.hint(format!("the interfaces are {}", some_of(&names))) }
}

/// The usage error for a source that is not this machine's, with the addresses of its family that are.
pub fn foreign_address(ip: IpAddr) -> Error {
    let family = Family::of(ip);
    let addresses = sys::network(sys::Depth::Summary).unwrap_or_default().addresses.unwrap_or_default();
    let own = addresses.iter().filter(|own| Family::of(own.ip) == family);
    let own: Vec<String> = own.map(|own| own.ip.to_string()).collect();
    let error = Error::usage(format!("{ip} is not an address of this machine"));
    if own.is_empty() {
        error.hint("`netdiag ifaces` lists them")
    } else {
        error.hint(format!("its {} addresses are {}", family.name(), some_of(&own)))
    }
}

/// Refuses an address that is only unique on one link where neither it nor an option says on which.
///
/// Errors: a usage error that says how to write it.
pub fn check_zone(host: &Host, interface: Option<&str>) -> Result<()> {
    if host.lacks_zone() && interface.is_none() {
        return Err(Error::usage(format!("{host} is link-local: name its interface")).hint(format!(
            "write {host}%INTERFACE, such as {host}%eth0; `netdiag ifaces` lists the interfaces"
        )));
    }
    Ok(())
}

/// Refuses an explicit address, written so, of the other family than the option asks for.
///
/// Errors: a usage error that names both families.
pub fn check_family(wanted: Option<Family>, own: Option<Family>, written: &dyn Display) -> Result<()> {
    match (wanted, own) {
        (Some(wanted), Some(own)) if wanted != own => {
            let option = if wanted == Family::Ipv4 { "-4" } else { "-6" };
            let (own, wanted) = (own.name(), wanted.name());
            Err(Error::usage(format!("{written} is an {own} address, but only {wanted} is requested"))
                .hint(format!("omit {option}")))
        }
        _ => Ok(()),
    }
}

/// The items with commas between, or the first of very many.
fn some_of(items: &[String]) -> String {
    let shown = items.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
