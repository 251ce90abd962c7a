//! Well-known hosts of the internet, the web, and the proxy.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Connect, Query};

/// A well-known host of the internet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    /// As it was named.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// Connections to it, by port.
    pub connects: Vec<(u16, Connect)>,
    /// A question by UDP, if it is a name server.
    pub udp: Option<Query>,
}

impl Anchor {
    /// Whether anything of it was reached.
    pub fn is_reached(&self) -> bool {
        let by_tcp = self.connects.iter().any(|(_, connect)| connect.shows_host());
        by_tcp || self.udp.as_ref().is_some_and(|udp| udp.outcome.is_answer())
    }

    /// Whether a connection to it stood or was reset.
    pub fn is_reached_by_tcp(&self) -> bool {
        self.connects.iter().any(|(_, connect)| connect.shows_host())
    }
}

/// What the web said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebAnswer {
    /// The host that was asked.
    pub host: String,
    /// The address it was asked at.
    pub address: Option<IpAddr>,
    /// Whether it is a page made to find portals, and so has nothing to redirect to.
    pub is_check: bool,
    /// How the connection went.
    pub connect: Connect,
    /// What it answered; `None` for nothing.
    pub reply: Option<WebReply>,
}

/// A reply of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebReply {
    /// The status; 0 if there was none to be read.
    pub status: u16,
    /// Where it redirects to.
    pub location: Option<String>,
    /// How far the clock of the server is ahead of this machine's, in seconds.
    pub clock_ahead_s: Option<i64>,
    /// The time to its first byte, in milliseconds.
    pub first_byte_ms: u64,
    /// The time to its last, in milliseconds.
    pub elapsed_ms: u64,
    /// The bytes of it.
    pub bytes: u64,
    /// Whether it all came.
    pub is_whole: bool,
}

/// A proxy that the environment names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proxy {
    /// The variable.
    pub variable: String,
    /// What it says.
    pub value: String,
    /// How the connection to it went; `None` if it could not be understood or looked up.
    pub connect: Option<Connect>,
    /// What it answered to a request for the target; `None` if it answered nothing that could be read.
    pub answer: Option<WebReply>,
    /// What is wrong with it that needs no packet.
    pub error: Option<String>,
}
