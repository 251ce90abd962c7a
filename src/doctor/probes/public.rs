//! Well-known hosts of the internet: is anything beyond the LAN reached, and does the web say what it should.

use std::net::IpAddr;
use std::time::Duration;

use super::dns::{self, Kind};
use super::web::{self, Plain};
use super::{Budget, connect, timing};
use crate::address::Address;
use crate::doctor::evidence::{Anchor, ConnectOutcome, Query, WebAnswer};

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
        let udp: Option<Query> = question
            .map(|name| dns::ask(address.into(), name, Kind::A, timing::QUIET, budget));
        let connects = connects
            .into_iter()
            .filter_map(|(port, thread)| Some((port, thread.ok()?.join().ok()?)))
            .collect();
        Anchor { name: name.to_owned(), address, connects, udp }
    })
}

/// Asks a host of the web for a page, and whether TLS could be had there.
pub(super) fn web(host: &str, address: IpAddr, path: &str, is_check: bool, budget: &Budget) -> WebAnswer {
    let (tls, reply) = std::thread::scope(|scope| {
        let tls = std::thread::Builder::new().spawn_scoped(scope, || {
            connect::connect(Address::from(address).with_port(443), timing::CONTROL, budget, None).0
        });
        let (_, socket) = connect::connect(Address::from(address).with_port(80), timing::CONTROL, budget, None);
        let reply = socket.and_then(|socket| {
            let request = web::request(host, path);
            let wait = timing::WEB.min(Duration::from_secs(2));
            web::exchange(&mut Plain(&socket), request.as_bytes(), wait, wait, budget).reply
        });
        (tls.ok().and_then(|thread| thread.join().ok()), reply)
    });
    WebAnswer {
        host: host.to_owned(),
        address: Some(address),
        is_check,
        reply,
        tls_connects: tls.as_ref().map(super::super::evidence::Connect::stands),
        tls_is_rejected: tls.as_ref().map(|tls| tls.outcome == ConnectOutcome::Refused || tls.icmp.is_some()),
    }
}
