//! The path to a host, hop by hop: who answers at which distance, by TCP, by UDP and by ICMP echo, without privilege.
//!
//! A packet whose time to live runs out makes the router it dies at say so (RFC 792, RFC 4443); the kernel keeps that for
//! the socket (IP_RECVERR), so an ordinary user can read it. All distances are asked at once.

mod echo;
mod syn;
mod udp;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use echo::{Tally, Train, TrainError, TrainOptions, train};
pub use syn::syn;
pub use udp::{UDP_PORT, udp};

/// The farthest distance asked for at first: paths of the internet are seldom longer.
pub const MOST_HOPS: u8 = 20;

/// By what a path was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The beginning of a TCP connection.
    Tcp,
    /// A datagram to a port where nobody is.
    Udp,
}

/// What answered along a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// The host.
    pub to: IpAddr,
    /// By what it was asked.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The hops from 1 on.
    pub hops: Vec<Hop>,
}

/// What became of the packet that may go so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// How far it may go.
    pub ttl: u8,
    /// What answered; `None` for nothing.
    pub answer: Option<Answer>,
    /// Who sent that; `None` where it is not told.
    pub from: Option<IpAddr>,
    /// How long that took, in microseconds.
    pub rtt_us: Option<u64>,
}

/// What answered a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A router: its time to live ran out there.
    TimeExceeded,
    /// An ICMP error by type and code: it goes no farther.
    Unreachable {
        /// The type.
        icmp_type: u8,
        /// The code.
        icmp_code: u8,
    },
    /// The connection stood.
    Connected,
    /// A reset.
    Reset,
    /// This machine itself did not send it.
    NotSent,
}

impl Path {
    /// The distance at which the host itself, or whoever speaks for it, answered.
    pub fn reached(&self) -> Option<u8> {
        let is_end = |hop: &&Hop| matches!(hop.answer, Some(Answer::Connected | Answer::Reset));
        let is_host = |hop: &&Hop| hop.from == Some(self.to) && hop.answer != Some(Answer::TimeExceeded);
        self.hops.iter().find(|hop| is_end(hop) || is_host(hop)).map(|hop| hop.ttl)
    }

    /// The farthest distance from which anything came.
    pub fn farthest(&self) -> Option<u8> {
        let is_told = |hop: &&Hop| hop.answer.is_some_and(|answer| answer != Answer::NotSent);
        self.hops.iter().rev().find(is_told).map(|hop| hop.ttl)
    }

    /// The hop at a distance.
    pub fn hop(&self, ttl: u8) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.ttl == ttl)
    }

    /// The routers that answered more than once with another between: a loop.
    pub fn loop_of(&self) -> Option<Vec<IpAddr>> {
        let told: Vec<(u8, IpAddr)> = self
            .hops
            .iter()
            .filter(|hop| hop.answer == Some(Answer::TimeExceeded))
            .filter_map(|hop| Some((hop.ttl, hop.from?)))
            .collect();
        for (place, (ttl, from)) in told.iter().enumerate() {
            // Twice next to each other is a router that forwards without counting (a known fault); twice with another
            // between is a loop, if it goes on.
            let again =
                told[place + 1..].iter().filter(|(later, who)| who == from && *later >= ttl + 2).count();
            if again >= 2 {
                let mut round: Vec<IpAddr> = Vec::new();
                for (_, who) in &told[place..] {
                    if round.contains(who) {
                        break;
                    }
                    round.push(*who);
                }
                return Some(round);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(froms: &[(u8, u8)]) -> Path {
        let hop = |(ttl, who): &(u8, u8)| Hop {
            ttl: *ttl,
            answer: Some(Answer::TimeExceeded),
            from: Some(IpAddr::from([10, 0, 0, *who])),
            rtt_us: Some(1),
        };
        Path {
            to: IpAddr::from([203, 0, 113, 1]),
            protocol: Protocol::Tcp,
            port: 7,
            hops: froms.iter().map(hop).collect(),
        }
    }

    #[test]
    fn a_loop_shows_though_one_of_its_routers_is_silent() {
        let round = path(&[(1, 1), (3, 3), (5, 3), (7, 3)]).loop_of();
        assert_eq!(round, Some(vec![IpAddr::from([10, 0, 0, 3])]));
    }

    #[test]
    fn a_loop_is_a_router_that_comes_again_and_again() {
        let round = path(&[(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 2)]).loop_of().expect("a loop");
        assert_eq!(round, [IpAddr::from([10, 0, 0, 2]), IpAddr::from([10, 0, 0, 3])]);
        assert_eq!(path(&[(1, 1), (2, 2), (3, 2), (4, 3)]).loop_of(), None, "one router twice in a row");
        assert_eq!(path(&[(1, 1), (2, 2), (3, 3), (4, 4)]).loop_of(), None);
    }
}
