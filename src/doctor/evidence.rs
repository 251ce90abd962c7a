//! What was found out, as typed facts: the only thing the rules know.
//!
//! A fact is recorded once and never changed. What was not tested is there too, with the reason: it is unknown, and not
//! false. All of it can be written to a file and read again, so a case can be judged later and elsewhere.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::trace::{Path, Train};

/// Everything that was found out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// What was asked, and by whom.
    pub about: About,
    /// The limits and tables of this machine.
    pub host: Item<Host>,
    /// Whether the machine can talk to itself.
    pub loopback: Item<Loopback>,
    /// The interfaces.
    pub links: Item<Vec<Link>>,
    /// Their addresses.
    pub addresses: Item<Vec<LinkAddress>>,
    /// The default routes.
    pub routes: Item<Vec<DefaultRoute>>,
    /// Which way packets for the rest of the world would take, by family, as the kernel would choose it.
    pub out: Item<Ways>,
    /// Whom names are asked of.
    pub resolver: Item<Resolver>,
    /// The proxy that the environment names for the target.
    pub proxy: Item<Option<Proxy>>,
    /// How often the carriers changed while this ran.
    pub carrier: Item<Vec<CarrierChange>>,
    /// The gateways of the default routes.
    pub gateways: Item<Vec<Gateway>>,
    /// Who else uses addresses that are this machine's or its gateway's; takes CAP_NET_RAW.
    pub claims: Item<Claims>,
    /// The target's name, by each server.
    pub names: Item<Names>,
    /// Well-known hosts of the internet.
    pub public: Item<Vec<Anchor>>,
    /// What the web says that every network should pass.
    pub web: Item<Vec<WebAnswer>>,
    /// The target's addresses, tried one by one.
    pub target: Item<Vec<Attempt>>,
    /// Other ports of the target.
    pub control: Item<Vec<Attempt>>,
    /// Connections to the target's port, several at once.
    pub burst: Item<Burst>,
    /// Echo requests to a host of the internet, a few each second as long as this ran.
    pub beat: Item<Train>,
    /// Small echo requests to the gateway.
    pub gateway_train: Item<Train>,
    /// Small echo requests to the target, or to a host of the internet where there is none.
    pub small_train: Item<Train>,
    /// Large ones.
    pub large_train: Item<Train>,
    /// The same as small ones over a longer time.
    pub long_train: Item<Train>,
    /// The sizes that pass unfragmented.
    pub sizes: Item<Vec<SizeProbe>>,
    /// The path to the target's port.
    pub path: Item<Path>,
    /// The path to another port of the target.
    pub control_path: Item<Path>,
    /// The path to a host of the internet.
    pub public_path: Item<Path>,
    /// The path of datagrams to a host of the internet.
    pub udp_path: Item<Path>,
    /// What the kernel's protocols counted while this ran.
    pub counters: Item<BTreeMap<String, u64>>,
}

/// A fact, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item<T> {
    /// It was not tested, and why.
    NotTested(String),
    /// It was.
    Known {
        /// When the test began, in microseconds from the start.
        at_us: u64,
        /// How long it took, in microseconds.
        elapsed_us: u64,
        /// What was found.
        value: T,
    },
}

impl<T> Default for Item<T> {
    fn default() -> Self {
        Self::NotTested("there was no need".to_owned())
    }
}

impl<T> Item<T> {
    /// What was found, if it was tested.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::NotTested(_) => None,
        }
    }

    /// Why it was not tested.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Known { .. } => None,
            Self::NotTested(reason) => Some(reason),
        }
    }
}

impl<T> Item<Vec<T>> {
    /// The facts, none if it was not tested.
    pub fn all(&self) -> &[T] {
        self.get().map_or(&[], Vec::as_slice)
    }
}

/// What was asked, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The version of this program.
    pub version: String,
    /// When, by this machine's clock, in seconds since 1970.
    pub at_unix_s: u64,
    /// The operating system.
    pub system: String,
    /// What the target is; `None` for the internet at large.
    pub target: Option<Asked>,
    /// Whether nothing beyond the LAN was to be asked.
    pub is_offline: bool,
    /// Whether this ran as root.
    pub is_root: bool,
    /// Whether the run was broken off before its end, by the user or for want of time.
    pub is_cut_short: bool,
}

/// A target as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// As it was written.
    pub text: String,
    /// Its name; `None` if it is an address.
    pub name: Option<String>,
    /// Its address; `None` if it is a name.
    pub address: Option<IpAddr>,
    /// Its port; `None` if none was said.
    pub port: Option<u16>,
    /// What is expected to answer there.
    pub service: Service,
}

/// What is expected to answer on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Whatever came is sent back (RFC 862).
    Echo,
    /// The web.
    Http,
    /// The web through TLS.
    Https,
    /// It is not known; a connection is all that can be tried.
    #[default]
    Unknown,
}

/// The limits and tables of this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// How many descriptors this process may open.
    pub descriptor_limit: Option<u64>,
    /// How many it may ask for.
    pub descriptor_hard_limit: Option<u64>,
    /// How many more it could open, of [`Host::DESCRIPTORS`].
    pub descriptors_to_be_had: u64,
    /// What the system said to one more.
    pub descriptor_error: Option<String>,
    /// The ports that connections are made from.
    pub ephemeral: Option<(u16, u16)>,
    /// The entries of the table of neighbours.
    pub neighbours: Option<u64>,
    /// How many it may have.
    pub neighbour_limit: Option<u64>,
    /// The connections that are tracked.
    pub tracked: Option<u64>,
    /// How many may be.
    pub tracked_limit: Option<u64>,
}

impl Host {
    /// How many descriptors a program that looks up a name and makes a few connections needs.
    pub const DESCRIPTORS: u64 = 32;
}

/// Whether the machine can talk to itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loopback {
    /// The name of the loopback interface.
    pub interface: Option<String>,
    /// Whether it is up.
    pub is_up: Option<bool>,
    /// Whether it has 127.0.0.1.
    pub has_address: Option<bool>,
    /// Whether a connection to 127.0.0.1 works.
    pub connects: Option<bool>,
    /// What the system said if not.
    pub error: Option<String>,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Option<String>,
    /// Whether it is administratively up.
    pub is_up: bool,
    /// Whether it has a carrier.
    pub carrier: Option<bool>,
    /// How often that has changed.
    pub carrier_changes: Option<u32>,
    /// Whether it is the loopback.
    pub is_loopback: bool,
    /// Whether it asks nobody for hardware addresses.
    pub has_no_arp: bool,
    /// Its hardware address.
    pub mac: Option<String>,
    /// Its MTU in bytes.
    pub mtu: Option<u32>,
    /// The index of the interface it belongs to.
    pub master: Option<u32>,
    /// The packets that came in.
    pub rx_packets: Option<u64>,
    /// The packets that went out.
    pub tx_packets: Option<u64>,
}

impl Link {
    /// Whether it is one that a machine is connected to a network by: no loopback, no part of another, and no tunnel
    /// or bridge that is there whether anything is connected or not.
    pub fn is_uplink(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or("ethernet");
        let is_plain = matches!(
            kind,
            "ethernet"
                | "wifi"
                | "veth"
                | "macvlan"
                | "ipvlan"
                | "macvtap"
                | "vlan"
                | "bond"
                | "team"
                | "infiniband"
        );
        is_plain && !self.is_loopback && self.master.is_none()
    }

    /// Whether packets can leave by it.
    pub fn works(&self) -> bool {
        self.is_up && self.carrier != Some(false)
    }

    /// Whether it is a tunnel, whose other end is not seen.
    pub fn is_tunnel(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        matches!(
            kind,
            "tun"
                | "tap"
                | "wireguard"
                | "ppp"
                | "ipip"
                | "gre"
                | "sit"
                | "vti"
                | "xfrm"
                | "ip6tnl"
                | "vxlan"
        )
    }
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkAddress {
    /// The interface's name.
    pub interface: String,
    /// The address.
    pub ip: IpAddr,
    /// The length of its network's prefix.
    pub prefix_len: u8,
    /// Its flags.
    pub flags: Vec<String>,
}

/// A default route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultRoute {
    /// Whether it is IPv6's.
    pub is_v6: bool,
    /// The interface's name.
    pub interface: String,
    /// The gateway; `None` on a link without one.
    pub gateway: Option<IpAddr>,
    /// The metric.
    pub metric: u32,
    /// The source it prefers.
    pub source: Option<IpAddr>,
    /// Who set it: `dhcp`, `ra`, `static` ...
    pub protocol: Option<String>,
    /// Whether it is the one that is taken.
    pub is_best: bool,
    /// What it is if it refuses what takes it.
    pub refusal: Option<String>,
    /// Whether the kernel does not use it, as its link is down.
    pub is_dead: bool,
}

/// Which way packets for the rest of the world would take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ways {
    /// IPv4's.
    pub v4: Option<Route>,
    /// IPv6's.
    pub v6: Option<Route>,
}

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

/// How a carrier changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CarrierChange {
    /// The interface's name.
    pub interface: String,
    /// How often its carrier had changed at first.
    pub before: u32,
    /// How often at last.
    pub after: u32,
    /// The time between, in milliseconds.
    pub within_ms: u64,
}

/// A gateway of a default route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Its address.
    pub address: IpAddr,
    /// The interface it is asked by.
    pub interface: String,
    /// Whether its route is the one that is taken.
    pub is_best: bool,
    /// The state of its entry in the table of neighbours, as `ip neighbour` writes it.
    pub state: Option<String>,
    /// Its hardware address.
    pub mac: Option<String>,
    /// How long it was asked for, in milliseconds.
    pub asked_ms: u64,
    /// Echo requests sent and answered; `None` if they cannot be sent.
    pub pings: Option<(usize, usize)>,
}

impl Gateway {
    /// Whether its hardware address is known: `None` if that was not told or not asked for long enough.
    pub fn is_found(&self) -> Option<bool> {
        match self.state.as_deref() {
            Some("reachable" | "stale" | "delay" | "probe" | "permanent" | "noarp") => Some(true),
            Some("failed") => Some(false),
            // A third request went unanswered; of a link that loses frames, two may be lost.
            Some("incomplete") if self.asked_ms >= 2_900 => Some(false),
            _ => None,
        }
    }

    /// Whether it has answered echo requests.
    pub fn answers_ping(&self) -> bool {
        self.pings.is_some_and(|(_, received)| received > 0)
    }
}

/// Who else uses addresses that are this machine's or its gateway's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Who was seen to have an address, by ARP.
    pub answers: Vec<Claim>,
    /// The frames that came in and bear this machine's own hardware address; an access point may send its own back.
    pub own_mac_frames: u32,
    /// The addresses of others whose packets bear this machine's own hardware address as their sender.
    pub own_mac_users: Vec<IpAddr>,
    /// The addresses of others that packets were for which came to this machine's hardware address.
    pub misdelivered: Vec<IpAddr>,
    /// This machine's own hardware address on that link.
    pub own_mac: String,
    /// The interface.
    pub interface: String,
}

/// Who has an address, by ARP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Whether it is this machine's own.
    pub is_own: bool,
    /// The hardware addresses that spoke for it.
    pub macs: Vec<String>,
    /// How often it was asked for.
    pub asked: u32,
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

/// An address that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Who gave the address.
    pub source: Source,
    /// What the kernel does with packets to it.
    pub route: Option<Route>,
    /// How the connection went.
    pub connect: Connect,
    /// What the service said.
    pub exchange: Option<Exchange>,
    /// The state of the next hop's entry in the table of neighbours, the host's own if it is on the link.
    pub neighbour: Option<String>,
    /// Whether it answers echo requests, if it was asked.
    pub answers_ping: Option<bool>,
}

/// Who gave an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The user.
    Asked,
    /// The hosts file.
    Hosts,
    /// The system's own name servers, or whatever it looks names up with.
    Own,
    /// Name servers of the internet.
    Others,
}

/// What the kernel does with packets to an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// What the route is; `None` if there is none.
    pub kind: Option<String>,
    /// Its prefix.
    pub prefix: Option<String>,
    /// The interface.
    pub interface: Option<String>,
    /// The gateway; `None` if the address is on the link.
    pub gateway: Option<IpAddr>,
    /// The source.
    pub source: Option<IpAddr>,
    /// The table.
    pub table: Option<u32>,
}

impl Route {
    /// Whether the address is on a link of this machine.
    pub fn is_on_link(&self) -> bool {
        self.kind.as_deref() == Some("unicast") && self.gateway.is_none() && self.interface.is_some()
    }

    /// Whether it is an address of this machine.
    pub fn is_local(&self) -> bool {
        self.kind.as_deref() == Some("local")
    }

    /// Whether it refuses what takes it.
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind.as_deref(), Some("blackhole" | "unreachable" | "prohibit"))
    }
}

/// How a connection went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// What became of it.
    pub outcome: ConnectOutcome,
    /// How long that took, in microseconds.
    pub elapsed_us: u64,
    /// How often its SYN was sent again.
    pub syn_retransmissions: Option<u32>,
    /// The ICMP error that ended it.
    pub icmp: Option<Icmp>,
    /// What the system said.
    pub error: Option<String>,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectOutcome {
    /// It stands.
    Connected,
    /// A reset.
    Refused,
    /// Nothing came.
    Silent,
    /// An ICMP error came.
    Unreachable,
    /// No neighbour answered for the address.
    NoNeighbour,
    /// This machine has no route.
    NoRoute,
    /// A route of this machine refuses it.
    RouteRefuses,
    /// This machine's filter refuses it.
    Denied,
    /// This machine has no port left to connect from.
    NoLocalPort,
    /// This machine lacks something else.
    Lacking,
}

impl Connect {
    /// Whether it stands.
    pub fn stands(&self) -> bool {
        self.outcome == ConnectOutcome::Connected
    }

    /// Whether the host itself has spoken.
    pub fn shows_host(&self) -> bool {
        matches!(self.outcome, ConnectOutcome::Connected | ConnectOutcome::Refused) && self.icmp.is_none()
    }
}

/// An ICMP error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Icmp {
    /// Who sent it.
    pub from: Option<IpAddr>,
    /// Whether that is this machine.
    pub is_own: bool,
    /// Its type.
    pub icmp_type: u8,
    /// Its code.
    pub icmp_code: u8,
}

/// What a service said on a connection that stood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exchange {
    /// A small round: what is sent fits a packet.
    pub small: Option<Round>,
    /// A large one, of several packets.
    pub large: Option<Round>,
    /// What HTTP answered.
    pub http: Option<WebReply>,
    /// What became of TLS.
    pub tls: Option<Tls>,
    /// A second request without the target's name, after a reset.
    pub unnamed: Option<Round>,
    /// A plain request on the port of TLS, after something that was no TLS.
    pub plain: Option<Round>,
}

/// Something sent, and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// What became of it.
    pub outcome: RoundOutcome,
    /// The bytes sent.
    pub sent_bytes: u64,
    /// The bytes that came back.
    pub received_bytes: u64,
    /// The time to the first, in microseconds.
    pub first_byte_us: Option<u64>,
    /// The time it all took, in microseconds.
    pub elapsed_us: u64,
    /// How often something came.
    pub pieces: u32,
    /// Where it differs first.
    pub differs_at: Option<u64>,
    /// The segments the other end has not acknowledged.
    pub unacked: Option<u32>,
    /// The segments sent again.
    pub retransmissions: Option<u32>,
    /// The kernel's own round-trip time, in microseconds.
    pub rtt_us: Option<u32>,
    /// How what came begins.
    pub begins: String,
}

/// What became of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundOutcome {
    /// All came back.
    Whole,
    /// As many bytes came back, or more, but others.
    Different,
    /// The other end closed after a part, or before any.
    Closed,
    /// The other end reset the connection.
    Reset,
    /// Nothing came.
    Silent,
    /// A part came, and then nothing more in time.
    Stalled,
}

/// What became of TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tls {
    /// What became of it.
    pub outcome: TlsOutcome,
    /// In words.
    pub detail: String,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// The segments the other end has not acknowledged.
    pub unacked: Option<u32>,
    /// Whether anything came at all.
    pub has_bytes: bool,
}

/// What became of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsOutcome {
    /// It stands, and the certificate is good.
    Good,
    /// The certificate is no longer valid.
    Expired,
    /// It is not yet valid.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// Nobody this system trusts has signed it.
    Untrusted,
    /// It is wrong in another way.
    BadCertificate,
    /// The two ends have no version or method in common, or one said that something is wrong.
    Alert,
    /// What came is no TLS.
    NotTls,
    /// Nothing came.
    Silent,
    /// The other end closed.
    Closed,
    /// The other end reset the connection.
    Reset,
}

impl TlsOutcome {
    /// Whether the certificate is what is wrong.
    pub fn is_certificate(self) -> bool {
        matches!(
            self,
            Self::Expired | Self::NotYetValid | Self::WrongName | Self::Untrusted | Self::BadCertificate
        )
    }
}

/// Connections, several at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Burst {
    /// The connections in order.
    pub first: Vec<BurstConnect>,
    /// Those from the same ports once more.
    pub again: Vec<BurstConnect>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BurstConnect {
    /// The port it came from.
    pub from_port: u16,
    /// Whether it stood; `None` if it could not be tried.
    pub stands: Option<bool>,
    /// Whether it was refused.
    pub is_refused: bool,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// How often its SYN was sent again.
    pub syn_retransmissions: Option<u32>,
}

/// Whether a size passes unfragmented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeProbe {
    /// The bytes of a packet with its headers.
    pub packet_bytes: usize,
    /// How many were sent and how many answered.
    pub sent: usize,
    /// How many were answered.
    pub received: usize,
    /// Who said that it is too large, and what would pass.
    pub too_big: Option<(Option<IpAddr>, Option<u32>)>,
    /// Whether this machine itself did not send it.
    pub is_local: bool,
}
