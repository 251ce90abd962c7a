//! One name, asked of each of the system's servers, of others, and of nobody.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Instant;

use super::dns::{self, Kind};
use super::{Budget, timing};
use crate::address::{Address, Host};
use crate::doctor::evidence::{Names, Query, QueryOutcome, Resolver, ServerAnswer, SystemAnswer};
use crate::sys;

/// An address where no server can be (RFC 5737: TEST-NET-1, never routed): whoever answers from it sits in between.
const NOBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);

/// What is to be asked.
pub(super) struct Ask {
    /// The names in the order they are tried; any of them will do.
    pub(super) tried: Vec<String>,
    /// The name.
    pub(super) name: String,
    /// The system's servers.
    pub(super) own: Vec<Address>,
    /// Others.
    pub(super) others: Vec<IpAddr>,
    /// Whether IPv6 addresses are of use to this machine.
    pub(super) wants_v6: bool,
    /// Whether anything may go beyond the LAN.
    pub(super) is_offline: bool,
    /// Whether the system's resolver is asked too.
    pub(super) asks_system: bool,
}

/// The names that the search list makes of one, in order (`resolv.conf(5)`).
pub(super) fn tried(name: &str, resolver: &Resolver) -> Vec<String> {
    let plain = name.trim_end_matches('.').to_owned();
    if name.ends_with('.') {
        return vec![plain];
    }
    let dots = plain.bytes().filter(|byte| *byte == b'.').count();
    let searched = resolver.search.iter().map(|domain| format!("{plain}.{domain}"));
    if u32::try_from(dots).is_ok_and(|dots| dots >= resolver.ndots) {
        // Behind it only if it does not exist by itself.
        let mut all = vec![plain.clone()];
        all.extend(searched);
        all
    } else {
        let mut all: Vec<String> = searched.collect();
        all.push(plain);
        all
    }
}

/// The servers' addresses as they are written, `fe80::1%eth0` too.
pub(super) fn addresses(servers: &[String]) -> Vec<Address> {
    let address = |text: &String| match text.parse::<Host>() {
        Ok(Host::Address { ip, zone }) => {
            let scope_id = zone.map_or(0, |zone| sys::interface_index(&zone).unwrap_or(0));
            Some(Address { ip, scope_id })
        }
        _ => None,
    };
    servers.iter().filter_map(address).collect()
}

/// Asks everybody at the same time.
pub(super) fn names(ask: &Ask, budget: &Budget) -> Names {
    let start = Instant::now();
    let own_part = budget.part();
    let aside = budget.part();
    let (sender, system) = mpsc::channel();
    if ask.asks_system {
        let name = ask.name.clone();
        // A resolver that hangs holds up nobody: its thread is left behind.
        let _ = std::thread::Builder::new().spawn(move || {
            let _ = sender.send(look_up(&name));
        });
    } else {
        drop(sender);
    }
    let mut names = Names { name: ask.name.clone(), tried: ask.tried.clone(), ..Names::default() };
    std::thread::scope(|scope| {
        let own: Vec<_> = ask
            .own
            .iter()
            .map(|server| {
                std::thread::Builder::new()
                    .spawn_scoped(scope, || server_answer(*server, ask, ask.wants_v6, &own_part))
            })
            .collect();
        let others: Vec<_> = ask
            .others
            .iter()
            .map(|server| {
                let aside = &aside;
                std::thread::Builder::new()
                    .spawn_scoped(scope, move || server_answer((*server).into(), ask, ask.wants_v6, aside))
            })
            .collect();
        let nobody = (!ask.is_offline).then(|| {
            let aside = &aside;
            std::thread::Builder::new().spawn_scoped(scope, move || {
                let name = ask.tried.last().unwrap_or(&ask.name);
                let a = dns::ask(IpAddr::V4(NOBODY).into(), name, Kind::A, timing::NOBODY, aside);
                ServerAnswer { server: NOBODY.into(), a: vec![a], aaaa: Vec::new(), tcp: None }
            })
        });
        names.own = own.into_iter().filter_map(|thread| thread.ok()?.join().ok()).collect();
        // Who else was asked matters only if the own servers do not do.
        let is_well = !names.own.is_empty() && names.own.iter().all(is_well);
        if is_well {
            let spared = timing::NOBODY.min(start.elapsed() * 3 + timing::LOOK_AGAIN * 3);
            std::thread::sleep(spared.saturating_sub(start.elapsed()));
            aside.end();
        }
        names.others = others.into_iter().filter_map(|thread| thread.ok()?.join().ok()).collect();
        names.nobody = nobody.and_then(|thread| thread.ok()?.join().ok());
    });
    let found = |answers: &[ServerAnswer]| {
        answers
            .iter()
            .any(|answer| answer.a.iter().chain(&answer.aaaa).any(|query| !query.addresses.is_empty()))
    };
    // If DNS knows the name, that the system's resolver does not say so in time is no news; nor if its servers are silent.
    let answers = names.own.iter().flat_map(|answer| answer.a.iter().chain(&answer.aaaa));
    let denies = answers.into_iter().any(|query| query.outcome.is_answer()) && !found(&names.own);
    let patience = if denies { timing::SYSTEM_RESOLVER } else { timing::LOOK_AGAIN * 2 };
    if ask.asks_system {
        names.system = system.recv_timeout(patience).ok();
    }
    names
}

fn look_up(name: &str) -> SystemAnswer {
    let start = Instant::now();
    let found = (name, 0).to_socket_addrs();
    let elapsed_ms = dns::millis(start.elapsed());
    match found {
        Ok(found) => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address.ip()) {
                    addresses.push(address.ip());
                }
            }
            SystemAnswer { addresses, error: None, elapsed_ms }
        }
        Err(error) => SystemAnswer { addresses: Vec::new(), error: Some(error.to_string()), elapsed_ms },
    }
}

/// Whether a server answered everything at once, with what was asked for.
fn is_well(answer: &ServerAnswer) -> bool {
    let is_found = answer.a.iter().chain(&answer.aaaa).any(|query| query.outcome == QueryOutcome::Found);
    let is_prompt = |query: &Query| query.outcome.is_answer() && query.tries == 1;
    is_found && answer.a.iter().chain(&answer.aaaa).all(is_prompt)
}

/// Asks one server for all that the name may mean, both kinds of addresses at once as the resolver does.
fn server_answer(server: Address, ask: &Ask, wants_v6: bool, budget: &Budget) -> ServerAnswer {
    let all = |kind| -> Vec<Query> {
        let mut queries = Vec::new();
        for name in &ask.tried {
            let query = dns::ask(server, name, kind, timing::NAME_SERVER, budget);
            let is_over = query.outcome == QueryOutcome::Found || !query.outcome.is_answer();
            queries.push(query);
            // The resolver goes on to the next name only if a server says that there is no such thing.
            if is_over {
                break;
            }
        }
        queries
    };
    let (a, aaaa) = std::thread::scope(|scope| {
        let aaaa = wants_v6
            .then(|| std::thread::Builder::new().spawn_scoped(scope, || all(Kind::Aaaa)).ok())
            .flatten();
        let a = all(Kind::A);
        (a, aaaa.and_then(|thread| thread.join().ok()).unwrap_or_default())
    });
    let cut = a.iter().chain(&aaaa).find(|query| query.outcome == QueryOutcome::Truncated);
    let tcp = cut.map(|query| {
        let kind = if a.iter().any(|a| std::ptr::eq(a, query)) { Kind::A } else { Kind::Aaaa };
        dns::ask_tcp(server, &query.name, kind, timing::NAME_SERVER_TCP)
    });
    ServerAnswer { server: server.ip, a, aaaa, tcp }
}
