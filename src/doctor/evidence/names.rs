//! Names: whom they are asked of, and what became of each question.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Icmp;

/// Whom names are asked of (`resolv.conf(5)`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resolver {
    /// Where that is written.
    pub file: String,
    /// What the system said if it cannot be read.
    pub error: Option<String>,
    /// The servers that are asked, in order.
    pub servers: Vec<String>,
    /// The domains that are tried behind a name.
    pub search: Vec<String>,
    /// A name with fewer dots is tried behind those first.
    pub ndots: u32,
    /// How long a server is waited for, in seconds.
    pub timeout_s: u32,
    /// How often each is asked.
    pub attempts: u32,
    /// The addresses that the hosts file gives the target.
    pub hosts: Vec<IpAddr>,
    /// Where the hosts file is.
    pub hosts_file: String,
    /// The line of it that does.
    pub hosts_line: Option<String>,
}

/// The target's name, by each server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// The name.
    pub name: String,
    /// The names that are tried, in order, as the search list has it.
    pub tried: Vec<String>,
    /// The system's own servers.
    pub own: Vec<ServerAnswer>,
    /// Servers of the internet.
    pub others: Vec<ServerAnswer>,
    /// A server that cannot exist, asked all the same.
    pub nobody: Option<ServerAnswer>,
    /// What the system's resolver said, whatever it asks; `None` if it was not waited for.
    pub system: Option<SystemAnswer>,
}

/// What the system's resolver said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemAnswer {
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// What it said if there are none.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// What a name server said to all that was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerAnswer {
    /// Its address.
    pub server: IpAddr,
    /// The IPv4 addresses, by each name that is tried, in order.
    pub a: Vec<Query>,
    /// The IPv6 addresses, likewise.
    pub aaaa: Vec<Query>,
    /// The same over TCP, if an answer was cut short.
    pub tcp: Option<Query>,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The name asked for.
    pub name: String,
    /// What became of it.
    pub outcome: QueryOutcome,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// How often it was asked.
    pub tries: u32,
    /// How many of those had an answer.
    pub answers: u32,
    /// How long the first answer took from its own question, in milliseconds.
    pub answer_ms: u64,
    /// How long it took in all, in milliseconds.
    pub elapsed_ms: u64,
    /// The ICMP error that ended it.
    pub icmp: Option<Icmp>,
    /// What the system said, if it did not send the question.
    pub error: Option<String>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryOutcome {
    /// Addresses.
    Found,
    /// The name exists, without such an address (RFC 2308, 2.2).
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The server could not find out (SERVFAIL).
    ServerFailure,
    /// The server does not want to (REFUSED).
    Refused,
    /// Another error of the server's (FORMERR, NOTIMP ...).
    OtherError,
    /// An answer that does not fit into a datagram, with nothing in it.
    Truncated,
    /// Something that is no answer.
    Malformed,
    /// Nothing.
    Silent,
    /// An ICMP error: nobody there.
    Unreachable,
    /// This machine did not let it out.
    Denied,
    /// This machine has no way there.
    NoRoute,
    /// TCP: no connection.
    NotConnected,
}

impl QueryOutcome {
    /// Whether a server answered at all.
    pub fn is_answer(self) -> bool {
        !matches!(self, Self::Silent | Self::Unreachable | Self::Denied | Self::NoRoute | Self::NotConnected)
    }
}
