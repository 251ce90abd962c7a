//! What is seen while probes run, before it is a fact.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Anchor, Attempt, Gateway, Route, WebAnswer};

/// What is seen while probes run, and is no fact yet: parts of lists whose rest is still to come, and signs that call for
/// another probe. It is not written to files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meanwhile {
    /// The well-known hosts of the internet that are to be asked, by name and address.
    pub hosts: Vec<(String, IpAddr)>,
    /// The gateways that have been asked.
    pub gateways: Vec<Gateway>,
    /// The well-known hosts that have been asked.
    pub anchors: Vec<Anchor>,
    /// The answers of web servers so far.
    pub web: Vec<WebAnswer>,
    /// The target's addresses that are being tried.
    pub trying: BTreeMap<IpAddr, Trying>,
    /// The target's addresses that have been tried.
    pub tried: Vec<Attempt>,
    /// The echo requests that run beside everything: how many were sent.
    pub beat_sent: usize,
    /// How many of those were answered.
    pub beat_received: usize,
    /// Whether none was answered for as long as an outage lasts.
    pub beat_has_stalled: bool,
    /// Whether packets for other hosts come in (Ip.InAddrErrors grows), as they do where two share a hardware address.
    pub sees_strays: bool,
}

/// A connection to an address of the target that is under way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trying {
    /// Whether nothing has come from it for so long that its SYN was sent again.
    pub is_quiet: bool,
    /// The route to it.
    pub route: Option<Route>,
}
