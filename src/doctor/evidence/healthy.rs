//! A machine on which all is well, for unit tests to take something away from.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{
    About, Anchor, Asked, Attempt, Burst, BurstConnect, Claims, Connect, ConnectOutcome, DefaultRoute,
    Evidence, Exchange, Gateway, Host, Item, Link, LinkAddress, Loopback, Names, Query, QueryOutcome,
    Resolver, Round, RoundOutcome, Route, ServerAnswer, Service, Source, Ways,
};
use crate::trace::Train;

impl<T> Item<T> {
    /// A fact that took a millisecond.
    pub(in crate::doctor) fn known(value: T) -> Self {
        Self::Known { at_us: 0, elapsed_us: 1_000, value }
    }

    /// Changes what was found.
    ///
    /// Panics: it was not tested.
    pub(in crate::doctor) fn change(&mut self, change: impl FnOnce(&mut T)) {
        match self {
            Self::Known { value, .. } => change(value),
            Self::NotTested(why) => panic!("there is nothing to change: {why:?}"),
        }
    }
}

fn v4(octets: [u8; 4]) -> IpAddr {
    octets.into()
}

/// The address of the target, `shop.test` port 7.
pub(in crate::doctor) const TARGET: [u8; 4] = [203, 0, 113, 80];

fn route(gateway: Option<IpAddr>) -> Route {
    Route {
        kind: Some("unicast".into()),
        prefix: Some("0.0.0.0/0".into()),
        interface: Some("eth0".into()),
        gateway,
        source: Some(v4([192, 168, 7, 20])),
        table: Some(254),
    }
}

fn query(outcome: QueryOutcome, addresses: Vec<IpAddr>) -> Query {
    Query {
        name: "shop.test".into(),
        outcome,
        addresses,
        tries: 1,
        answers: 1,
        answer_ms: 2,
        elapsed_ms: 2,
        icmp: None,
        error: None,
    }
}

/// A server that knows the target.
pub(in crate::doctor) fn server(ip: [u8; 4]) -> ServerAnswer {
    ServerAnswer {
        server: v4(ip),
        a: vec![query(QueryOutcome::Found, vec![v4(TARGET)])],
        aaaa: vec![query(QueryOutcome::NoData, Vec::new())],
        tcp: None,
    }
}

/// A connection that came to this.
pub(in crate::doctor) fn connect(outcome: ConnectOutcome) -> Connect {
    Connect { outcome, elapsed_us: 1_000, syn_retransmissions: Some(0), icmp: None, error: None }
}

/// An attempt at the target that came to this; where it stands, the service echoes all.
pub(in crate::doctor) fn attempt(outcome: ConnectOutcome) -> Attempt {
    let round = Round {
        outcome: RoundOutcome::Whole,
        sent_bytes: 64,
        received_bytes: 64,
        first_byte_us: Some(1_000),
        elapsed_us: 1_000,
        pieces: 1,
        differs_at: None,
        unacked: Some(0),
        retransmissions: Some(0),
        rtt_us: Some(900),
        begins: String::new(),
    };
    let exchange = Exchange { small: Some(round.clone()), large: Some(round), ..Exchange::default() };
    Attempt {
        address: v4(TARGET),
        port: 7,
        source: Source::Own,
        route: Some(route(Some(v4([192, 168, 7, 1])))),
        connect: connect(outcome),
        exchange: (outcome == ConnectOutcome::Connected).then_some(exchange),
        neighbour: Some("reachable".into()),
        answers_ping: None,
    }
}

/// A train of so many echo requests, each 14 ms after the last, of which the first so many were answered within a millisecond.
pub(in crate::doctor) fn train(sent: usize, received: usize) -> Train {
    Train {
        packet_bytes: 84,
        sent_at_us: (0..sent as u64).map(|number| number * 14_000).collect(),
        rtts_us: (0..sent).map(|number| (number < received).then_some(1_000)).collect(),
        interval_us: 14_000,
        ..Train::default()
    }
}

impl Evidence {
    /// What is found on a machine with one link, whose target `shop.test` port 7 echoes as it should, on a calm network.
    pub(in crate::doctor) fn healthy() -> Self {
        let gateway = v4([192, 168, 7, 1]);
        Self {
            about: About {
                version: "0".into(),
                system: "linux".into(),
                target: Some(Asked {
                    text: "shop.test:7".into(),
                    name: Some("shop.test".into()),
                    address: None,
                    port: Some(7),
                    service: Service::Echo,
                    is_url: false,
                }),
                ..About::default()
            },
            host: Item::known(Host { descriptors_to_be_had: Host::DESCRIPTORS, ..Host::default() }),
            loopback: Item::known(Loopback {
                interface: Some("lo".into()),
                is_up: Some(true),
                has_address: Some(true),
                connects: Some(true),
                error: None,
            }),
            links: Item::known(vec![Link {
                index: 2,
                name: "eth0".into(),
                kind: Some("ethernet".into()),
                is_up: true,
                carrier: Some(true),
                carrier_changes: Some(2),
                mac: Some("02:00:00:00:00:20".into()),
                mtu: Some(1_500),
                ..Link::default()
            }]),
            addresses: Item::known(vec![LinkAddress {
                interface: "eth0".into(),
                ip: v4([192, 168, 7, 20]),
                prefix_len: 24,
                flags: Vec::new(),
            }]),
            routes: Item::known(vec![DefaultRoute {
                is_v6: false,
                interface: "eth0".into(),
                gateway: Some(gateway),
                metric: 100,
                source: None,
                protocol: Some("dhcp".into()),
                is_best: true,
                refusal: None,
                is_dead: false,
            }]),
            out: Item::known(Ways { v4: Some(route(Some(gateway))), v6: Some(Route::default()) }),
            resolver: Item::known(Resolver {
                file: "/etc/resolv.conf".into(),
                servers: vec![gateway.to_string()],
                ndots: 1,
                timeout_s: 5,
                attempts: 2,
                ..Resolver::default()
            }),
            gateways: Item::known(vec![Gateway {
                address: gateway,
                interface: "eth0".into(),
                is_best: true,
                state: Some("reachable".into()),
                mac: Some("02:00:00:00:00:01".into()),
                asked_ms: 1,
                pings: Some((3, 3)),
            }]),
            claims: Item::known(Claims::default()),
            names: Item::known(Names {
                name: "shop.test".into(),
                tried: vec!["shop.test".into()],
                own: vec![server([192, 168, 7, 1])],
                others: vec![server([1, 1, 1, 1])],
                nobody: None,
                system: None,
            }),
            public: Item::known(vec![Anchor {
                name: "one.one.one.one".into(),
                address: v4([1, 1, 1, 1]),
                connects: vec![(443, connect(ConnectOutcome::Connected))],
                udp: None,
            }]),
            target: Item::known(vec![attempt(ConnectOutcome::Connected)]),
            burst: Item::known(Burst { first: vec![burst_connect(40_000, true); 14], again: Vec::new() }),
            small_train: Item::known(train(24, 24)),
            large_train: Item::known(train(12, 12)),
            beat: Item::known(train(40, 40)),
            counters: Item::known(BTreeMap::new()),
            ..Self::default()
        }
    }

    /// The same with a change.
    pub(in crate::doctor) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// One of several connections at once.
pub(in crate::doctor) fn burst_connect(from_port: u16, stands: bool) -> BurstConnect {
    let syn_retransmissions = Some(u32::from(!stands));
    BurstConnect {
        from_port,
        stands: Some(stands),
        is_refused: false,
        elapsed_us: 1_000,
        syn_retransmissions,
    }
}
