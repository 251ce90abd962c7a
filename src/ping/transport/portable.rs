//! Everywhere: surge-ping's socket, which knows how each system wants its ICMP sockets opened and bound.
//!
//! Only its socket is used. Its client hands on ICMP errors as replies, never shows a reply's body, cuts it at
//! 2 KB, and takes its times late; so what goes over the socket is made and read here, as in the Linux
//! transport. What remains: times are this program's own, an unprivileged Linux socket shows no ICMP errors and
//! no time to live, and on Windows the socket must be bound before it is received from, so it always is.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use socket2::Type;
use surge_ping::{AsyncSocket, Config, ICMP};
use tokio::runtime::Runtime;

use super::super::clock::Clock;
use super::super::engine::{Complaint, Engine, Moment, Probe, Reply, named_probe};

use super::{Request, Transport, cannot_open, local, told};
use crate::address::{Address, Family};
use crate::error::{Error, Result};
use crate::sys::{self, StopRequests};
use crate::wire::echo::{self as wire, Echo, Message, Quoted};

/// So many probes of a sweep are open at once: even a small receive buffer (8 KB on some systems) has room for
/// their replies.
const WINDOW: usize = 64;
/// The largest message there is.
const MOST_BYTES: usize = 65_536;
/// How long a socket may refuse a message before it is tried again later.
const SEND_PATIENCE: Duration = Duration::from_millis(100);

/// The sockets of a run, one for each family.
pub(super) struct Portable {
    lanes: Vec<Lane>,
    runtime: Runtime,
}

struct Lane {
    socket: AsyncSocket,
    family: Family,
    ident: u16,
    buffer: Vec<u8>,
    /// What came in while it was waited for, into the buffer.
    waiting: Option<(usize, SocketAddr, Moment)>,
}

impl Portable {
    pub(super) fn open(request: &Request, families: &[Family]) -> Result<Self> {
        if request.dont_fragment || request.finds_pmtu {
            return Err(Error::usage("this transport cannot forbid fragmentation (--dont-fragment, --pmtu)")
                .hint("available on Linux, without --transport portable"));
        }
        if request.interface.is_some() && !cfg!(any(target_os = "linux", target_os = "macos")) {
            return Err(Error::usage("this system cannot bind a ping to an interface")
                .hint("give --source with the interface's address"));
        }
        let runtime = sys::runtime()?;
        let lanes = {
            let _inside = runtime.enter();
            families.iter().map(|family| Lane::open(request, *family)).collect::<Result<_>>()?
        };
        Ok(Self { lanes, runtime })
    }
}

impl Lane {
    fn open(request: &Request, family: Family) -> Result<Self> {
        let any: IpAddr = match family {
            Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let mut config = Config::builder()
            .kind(if family == Family::Ipv4 { ICMP::V4 } else { ICMP::V6 })
            .bind(SocketAddr::new(request.source.unwrap_or(any), 0));
        if let Some(ttl) = request.ttl {
            config = config.ttl(ttl.into());
        }
        if let Some(interface) = &request.interface {
            config = if cfg!(target_os = "linux") {
                config.interface(interface)
            } else {
                match sys::interface_index(interface).and_then(NonZeroU32::new) {
                    Some(index) => config.interface_index(index),
                    None => config,
                }
            };
        }
        let socket = AsyncSocket::new(&config.build()).map_err(|error| cannot_open(request, error))?;
        let tuned = sys::tune_icmp(socket.get_native_sock(), family, request.tos);
        tuned.map_err(|error| cannot_open(request, error))?;
        let ident = if is_filtered(&socket) {
            socket.local_addr().map_or(0, |own| own.port())
        } else {
            sys::random_u16()
        };
        Ok(Self { socket, family, ident, buffer: vec![0; MOST_BYTES], waiting: None })
    }

    fn send(&self, probe: &Probe, engine: &mut Engine, runtime: &Runtime) -> io::Result<()> {
        let mut body = Vec::new();
        engine.cookie().emit(named_probe(probe.slot, probe.number), probe.size.into(), &mut body);
        let [low, high, ..] = probe.number.to_le_bytes();
        let sequence = u16::from_le_bytes([low, high]);
        let mut bytes = Vec::new();
        Echo { ident: self.ident, sequence, body: &body }.emit_request(self.family, &mut bytes);
        let to = probe.address.with_port(0);
        let (at, sent) = runtime.block_on(async {
            // Lets the runtime hear that the socket can be written to: else the send would wait for that, and
            // its time would not be told from the reply's.
            tokio::task::yield_now().await;
            let at = Clock::now();
            (at, tokio::time::timeout(SEND_PATIENCE, self.socket.send_to(&mut bytes, &to)).await)
        });
        match sent {
            Ok(Ok(_)) => {
                engine.sent(probe, at);
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Transport for Portable {
    fn send(&mut self, probes: &[Probe], engine: &mut Engine) {
        for (index, probe) in probes.iter().enumerate() {
            let is_its = |lane: &&Lane| lane.family == probe.address.family();
            let Some(lane) = self.lanes.iter().find(is_its) else { continue };
            let at = Clock::now();
            match lane.send(probe, engine, &self.runtime) {
                Ok(()) => {}
                Err(error) if is_lack_of_room(&error) => {
                    engine.hold(&probes[index..], local(&error, None), at);
                    return;
                }
                Err(error) => engine.unsent(probe, local(&error, None), at),
            }
        }
    }

    fn receive(&mut self, engine: &mut Engine) {
        for lane in &mut self.lanes {
            if let Some((length, from, at)) = lane.waiting.take() {
                lane.deliver(length, from, at, engine);
            }
            // Straight from the socket: the runtime would first have to hear that something is there.
            while let Ok((length, from)) = sys::receive_now(lane.socket.get_native_sock(), &mut lane.buffer) {
                let at = Clock::now();
                lane.deliver(length, from, at, engine);
            }
        }
    }

    fn wait(&mut self, until: Option<Moment>, stop: &mut StopRequests) {
        let now = Clock::now();
        let timeout =
            until.map_or(Duration::from_secs(3600), |until| Duration::from_nanos(until.saturating_sub(now)));
        let (first, second) = match self.lanes.as_mut_slice() {
            [] => (None, None),
            [only] => (Some(only), None),
            [first, second, ..] => (Some(first), Some(second)),
        };
        let signals = stop.status_requests();
        self.runtime.block_on(async {
            tokio::select! {
                () = Lane::wait(first) => {}
                () = Lane::wait(second) => {}
                () = tokio::time::sleep(timeout) => {}
                () = stop.signalled(signals) => {}
            }
        });
    }

    fn sweep_window(&self) -> usize {
        WINDOW
    }

    fn hides_errors(&self) -> bool {
        self.lanes.iter().any(|lane| is_filtered(&lane.socket))
    }
}

impl Lane {
    /// Waits until something has come in; for ever without a socket.
    async fn wait(lane: Option<&mut Self>) {
        match lane {
            // An error is an earlier message's, and does not say whose.
            Some(lane) => {
                if let Ok((length, from)) = lane.socket.recv_from(&mut lane.buffer).await {
                    lane.waiting = Some((length, from, Clock::now()));
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Hands the message in the buffer on as a reply or an error, if it is one.
    fn deliver(&self, length: usize, from: SocketAddr, at: Moment, engine: &mut Engine) {
        let message = &self.buffer[..length];
        let is_filtered = is_filtered(&self.socket);
        let (bytes, ttl) = match wire::ipv4(message).filter(|_| self.family == Family::Ipv4 && !is_filtered) {
            Some((header, bytes)) => (bytes, Some(header.ttl)),
            None => (message, None),
        };
        let from = Address::from(from);
        match Message::parse(self.family, bytes) {
            Some(Message::Reply(echo)) => engine.reply(&Reply {
                from,
                sequence: echo.sequence,
                body: echo.body,
                is_ours: echo.ident == self.ident,
                is_sound: self.family == Family::Ipv6 || is_filtered || wire::checksum(bytes) == 0,
                ttl,
                at,
                heard: at,
                is_stamped: false,
            }),
            Some(Message::Error { icmp_type, code, mtu, quote }) => {
                let quoted = Quoted::parse(self.family, quote);
                if let Some(quoted) = quoted.filter(|quoted| quoted.echo.ident == self.ident) {
                    let complaint = Complaint {
                        // A link-local target's zone is that of the link the error came by.
                        to: Address { ip: quoted.to, scope_id: from.scope_id },
                        sequence: quoted.echo.sequence,
                        body: quoted.echo.body,
                        error: told(self.family, Some(from.ip), icmp_type, code, mtu),
                    };
                    engine.complaint(complaint, at);
                }
            }
            _ => {}
        }
    }
}

/// Whether it is Linux' unprivileged socket, for which the kernel picks the identifier and filters.
fn is_filtered(socket: &AsyncSocket) -> bool {
    cfg!(target_os = "linux") && socket.get_type() == Type::DGRAM
}

fn is_lack_of_room(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_full = error.raw_os_error() == Some(libc::ENOBUFS);
    #[cfg(not(unix))]
    let is_full = false;
    is_full || error.kind() == ErrorKind::WouldBlock
}
