//! Well-known hosts of the internet: is anything beyond the LAN reached, and does the web say what it should.

use std::net::IpAddr;

use super::connect::Made;
use super::dns::{self, Kind};
use super::web::{self, Plain};
use super::{Budget, connect, timing};
use crate::address::Address;
use crate::doctor::evidence::{Anchor, Query, WebAnswer};

/// The ports by which such a host is tried: those of the web and of DNS, as some networks let only one of them out.
const PORTS: [u16; 2] = [443, 53];

/// Tries one host: by TCP on each port, and by a question of DNS.
pub(super) fn anchor(name: &str, address: IpAddr, question: Option<&str>, budget: &Budget) -> Anchor {
    std::thread::scope(|scope| {
        let connects: Vec<_> = PORTS
            .iter()
            .map(|port| {
                let to = Address::from(address).with_port(*port);
                let one = move || connect::connect(to, timing::QUIET, budget, None).0;
                (*port, std::thread::Builder::new().spawn_scoped(scope, one))
            })
            .collect();
        let udp: Option<Query> =
            question.map(|name| dns::ask(address.into(), name, Kind::A, timing::QUIET, budget));
        let connects = connects
            .into_iter()
            .filter_map(|(port, thread)| Some((port, thread.ok()?.join().ok()?)))
            .collect();
        Anchor { name: name.to_owned(), address, connects, udp }
    })
}

/// Asks a host of the web for a page.
pub(super) fn web(host: &str, address: IpAddr, path: &str, is_check: bool, budget: &Budget) -> WebAnswer {
    let (connect, made) =
        connect::connect(Address::from(address).with_port(80), timing::CONTROL, budget, None);
    let reply = made.and_then(Made::open).and_then(|socket| {
        let request = web::request(host, path);
        web::exchange(&mut Plain(&socket), request.as_bytes(), timing::WEB, timing::WEB, budget).reply
    });
    WebAnswer { host: host.to_owned(), address: Some(address), is_check, connect, reply }
}
