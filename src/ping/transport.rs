//! Sending and receiving through surge-ping, with its traps fenced.
//!
//! What it gives back as `Ok` may be an ICMP error, so the type is looked at. It only listens on a socket
//! that is bound (Windows), so every socket is. It tells probes of one socket apart by address and sequence
//! number, so a second slot with the same address gets a socket of its own. Its clock starts late, so what
//! sending took is added. It takes its times in user space, sees no duplicate and no late reply, and on an unprivileged socket no ICMP error and no TTL: the
//! report says so with `null`.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, Pinger, SurgeError};

use super::plan::Plan;
use super::report::IcmpErrorCount;
use super::{Request, icmp};
use crate::address::{Address, Family, foreign_address, unknown_interface};
use crate::error::{Error, Result};
use crate::sys;

/// surge-ping receives at most this much of a message; a longer reply's size is not known.
const RECEIVED_MOST: usize = 2048;

/// What became of a probe.
pub(super) enum Probed {
    Reply(Reply),
    TimedOut,
    Error(IcmpErrorCount),
    /// A redirect took the reply's place: whether one came is not known.
    Unknown,
}

/// An echo reply.
pub(super) struct Reply {
    pub(super) rtt: Duration,
    pub(super) ttl: Option<u8>,
    pub(super) bytes: Option<usize>,
    pub(super) from: IpAddr,
}

/// The open sockets of a run.
pub(super) struct Transport {
    /// By family and, of slots with the same address, by which of them it serves.
    clients: HashMap<(Family, usize), (Client, PingIdentifier)>,
    /// The socket that serves each slot.
    keys: Vec<Option<(Family, usize)>>,
    payload: Vec<u8>,
    timeout: Duration,
    ttl: Option<u8>,
    source: Option<IpAddr>,
    interface: Option<String>,
}

impl Transport {
    /// Checks what the request asks of the sockets; none is open yet.
    pub(super) fn new(request: &Request) -> Result<Self> {
        if let Some(interface) = &request.interface {
            if sys::interface_index(interface).is_none() {
                return Err(unknown_interface(interface));
            }
            if !cfg!(any(target_os = "linux", target_os = "macos")) {
                return Err(Error::usage("this system cannot bind a ping to an interface")
                    .hint("give --source with the interface's address"));
            }
        }
        Ok(Self {
            clients: HashMap::new(),
            keys: Vec::new(),
            payload: (0..request.size).map(|index| index.to_le_bytes()[0]).collect(),
            timeout: request.timeout,
            ttl: request.ttl,
            source: request.source,
            interface: request.interface.clone(),
        })
    }

    /// Opens the sockets that a plan needs.
    ///
    /// Errors: no permission for ICMP sockets; a source that is not this machine's, or of another family.
    pub(super) fn prepare(&mut self, plan: &Plan) -> Result<()> {
        let mut uses: HashMap<IpAddr, usize> = HashMap::new();
        for slot in &plan.slots {
            let Ok(address) = &slot.address else {
                self.keys.push(None);
                continue;
            };
            let nth = uses.entry(address.ip).and_modify(|nth| *nth += 1).or_insert(0);
            let key = (address.family(), *nth);
            if !self.clients.contains_key(&key) {
                let client = self.open(key.0, address)?;
                self.clients.insert(key, (client, PingIdentifier(random_u16())));
            }
            self.keys.push(Some(key));
        }
        Ok(())
    }

    fn open(&self, family: Family, target: &Address) -> Result<Client> {
        let source = match (family, self.source) {
            (Family::Ipv4, None) => Ipv4Addr::UNSPECIFIED.into(),
            (Family::Ipv6, None) => Ipv6Addr::UNSPECIFIED.into(),
            (family, Some(source)) if Family::of(source) == family => source,
            (family, Some(source)) => {
                return Err(Error::usage(format!(
                    "cannot ping {target} from {source}: one is {}, the other is not",
                    family.name()
                ))
                .hint("give a source of the target's family"));
            }
        };
        let mut config = Config::builder().kind(match family {
            Family::Ipv4 => ICMP::V4,
            Family::Ipv6 => ICMP::V6,
        });
        config = config.bind(SocketAddr::new(source, 0));
        if let Some(ttl) = self.ttl {
            config = config.ttl(ttl.into());
        }
        if let Some(interface) = &self.interface {
            config = if cfg!(target_os = "linux") {
                config.interface(interface)
            } else {
                match sys::interface_index(interface).and_then(std::num::NonZeroU32::new) {
                    Some(index) => config.interface_index(index),
                    None => config,
                }
            };
        }
        Client::new(&config.build()).map_err(|error| self.cannot_open(error))
    }

    fn cannot_open(&self, error: io::Error) -> Error {
        match (error.kind(), self.source) {
            (ErrorKind::AddrNotAvailable, Some(source)) => foreign_address(source),
            (ErrorKind::PermissionDenied, _) => permission(),
            _ => sys::lacks("cannot open an ICMP socket", error),
        }
    }

    /// Whether the system hides ICMP errors from this transport: they never reach an unprivileged socket.
    pub(super) fn hides_errors(&self) -> bool {
        cfg!(target_os = "linux")
            && self.clients.values().any(|(client, _)| client.get_socket().get_type() == socket2::Type::DGRAM)
    }

    /// Sends one probe and waits for what becomes of it.
    pub(super) async fn probe(
        &self,
        slot: usize,
        address: &Address,
        number: u64,
    ) -> impl Future<Output = Probed> + Send + use<> {
        let key = self.keys.get(slot).copied().flatten();
        let (client, ident) =
            key.and_then(|key| self.clients.get(&key)).expect("every slot with an address was prepared");
        let mut pinger = client.pinger(address.ip, *ident).await;
        pinger.timeout(self.timeout).scope_id(address.scope_id);
        let payload = self.payload.clone();
        let family = address.family();
        async move { probe(pinger, number, &payload, family).await }
    }
}

async fn probe(mut pinger: Pinger, number: u64, payload: &[u8], family: Family) -> Probed {
    let [low, high, ..] = number.to_le_bytes();
    let mut pinging = pin!(pinger.ping(PingSequence(u16::from_le_bytes([low, high])), payload));
    // surge-ping starts its clock when the send has returned. On a fast link the reply is there by then: what
    // sending took, which is the first poll, belongs to the round trip.
    let start = Instant::now();
    let first = poll_fn(|context| Poll::Ready(pinging.as_mut().poll(context))).await;
    let sending = start.elapsed();
    let result = match first {
        Poll::Ready(result) => result,
        Poll::Pending => pinging.await,
    };
    match result {
        // The two overlap a little; the whole wait bounds them.
        Ok((packet, rtt)) => read(&packet, (sending + rtt).min(start.elapsed())),
        Err(SurgeError::Timeout { .. }) => Probed::TimedOut,
        Err(SurgeError::IOError(error)) => Probed::Error(local_error(&error)),
        Err(other) => Probed::Error(local_error(&io::Error::other(format!("{other} ({})", family.name())))),
    }
}

/// Tells a reply from everything else that surge-ping hands on.
fn read(packet: &IcmpPacket, rtt: Duration) -> Probed {
    const ECHO_REPLY: u8 = 0;
    const ECHO_REPLY_V6: u8 = 129;
    const REDIRECT: u8 = 5;
    const SOURCE_QUENCH: u8 = 4;
    const REDIRECT_V6: u8 = 137;
    match packet {
        IcmpPacket::V4(packet) => {
            let from = IpAddr::V4(packet.get_source());
            match packet.get_icmp_type().0 {
                ECHO_REPLY => {
                    Probed::Reply(Reply { rtt, ttl: packet.get_ttl(), bytes: whole(packet.get_size()), from })
                }
                REDIRECT | SOURCE_QUENCH => Probed::Unknown,
                icmp_type => {
                    Probed::Error(icmp_error(Family::Ipv4, from, icmp_type, packet.get_icmp_code().0))
                }
            }
        }
        IcmpPacket::V6(packet) => {
            let from = IpAddr::V6(packet.get_source());
            match packet.get_icmpv6_type().0 {
                ECHO_REPLY_V6 => {
                    let ttl = Some(packet.get_max_hop_limit()).filter(|limit| *limit > 0);
                    Probed::Reply(Reply { rtt, ttl, bytes: whole(packet.get_size()), from })
                }
                REDIRECT_V6 => Probed::Unknown,
                icmp_type => {
                    Probed::Error(icmp_error(Family::Ipv6, from, icmp_type, packet.get_icmpv6_code().0))
                }
            }
        }
    }
}

/// The size of a reply that was received whole.
fn whole(size: usize) -> Option<usize> {
    const IPV4_HEADER: usize = 20;
    (size < RECEIVED_MOST - IPV4_HEADER).then_some(size)
}

fn icmp_error(family: Family, from: IpAddr, icmp_type: u8, code: u8) -> IcmpErrorCount {
    IcmpErrorCount {
        from: Some(from),
        icmp_type: Some(icmp_type),
        code: Some(code),
        meaning: icmp::meaning(family, icmp_type, code).to_owned(),
        mtu: None,
        count: 1,
    }
}

/// A probe that this machine could not send, with the reason in words.
fn local_error(error: &io::Error) -> IcmpErrorCount {
    let meaning = match error.kind() {
        ErrorKind::NetworkUnreachable => "cannot send: no route to it".to_owned(),
        ErrorKind::HostUnreachable => "cannot send: its route or neighbour is unreachable".to_owned(),
        ErrorKind::PermissionDenied => {
            format!("cannot send: forbidden on this machine, by a firewall say ({error})")
        }
        _ => format!("cannot send: {error}"),
    };
    IcmpErrorCount { from: None, icmp_type: None, code: None, meaning, mtu: None, count: 1 }
}

/// The error where neither kind of ICMP socket may be opened, with both ways out.
fn permission() -> Error {
    let error =
        Error::untested("cannot ping: this user may open neither an unprivileged ICMP socket nor a raw one");
    let program =
        std::env::current_exe().map_or_else(|_| "netdiag".to_owned(), |path| path.display().to_string());
    match sys::ping_group_range() {
        Some(range) => error.hint(format!("sudo setcap cap_net_raw+ep {program}")).hint(format!(
            "or, for every group: sudo sysctl -w net.ipv4.ping_group_range='0 2147483647' (now '{range}')"
        )),
        None if cfg!(windows) => error.hint("run it as administrator"),
        None => error.hint("run it with sudo"),
    }
}

/// A number that differs from run to run, to tell this run's replies from another's.
fn random_u16() -> u16 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let [low, high, ..] = random.to_le_bytes();
    u16::from_le_bytes([low, high])
}
