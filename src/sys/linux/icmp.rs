//! ICMP echo sockets (`icmp(7)`, `raw(7)`) with the kernel's own time stamps and its error queue, in batches.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use libc::c_int;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::super::IcmpError;
use super::control::{Control, Extras};
use super::error_queue::{self, Kept};
use super::stamps;
use crate::address::Family;

/// How many messages one system call takes or gives at most.
pub const BATCH: usize = 64;
/// More room than an ICMP header, an IPv4 header with options, and a few bytes that should not be there.
const SPARE_BYTES: usize = 128;
/// The bytes of a quoted packet that are looked at: its ICMP header and the start of its body.
const QUOTE_BYTES: usize = 256;
/// All buffers of a batch together stay about this small: giants are received a few at a time.
const INBOX_BYTES: usize = 512 * 1024;

/// How an ICMP socket is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpKind {
    /// Unprivileged, where `net.ipv4.ping_group_range` allows it: the kernel picks the identifier and delivers
    /// only what answers it.
    Datagram,
    /// With CAP_NET_RAW: every ICMP message of this machine comes, over IPv4 with its IP header.
    Raw,
}

/// What an ICMP socket is asked for besides.
#[derive(Clone, Debug, Default)]
pub struct IcmpOptions {
    /// The address to send from.
    pub source: Option<IpAddr>,
    /// The interface to send by.
    pub interface: Option<String>,
    /// The time to live or hop limit.
    pub ttl: Option<u8>,
    /// The type of service (IPv4) or traffic class (IPv6).
    pub tos: Option<u8>,
    /// Whether routers and this machine may not fragment the probes.
    pub dont_fragment: bool,
    /// The largest body that will be sent, in bytes.
    pub size: usize,
}

/// An open ICMP socket.
pub struct IcmpSocket {
    socket: Socket,
    family: Family,
    kind: IcmpKind,
    ident: u16,
    inbox: Inbox,
    errors: Inbox,
    names: Vec<libc::sockaddr_storage>,
}

/// Room for a batch of messages, and what was told beside each.
struct Inbox {
    bytes: Vec<u8>,
    /// The bytes of each message.
    each: usize,
    control: Vec<Control>,
    told: Vec<Told>,
}

/// What came beside a message.
struct Told {
    length: usize,
    is_whole: bool,
    name: Option<SocketAddr>,
    extras: Extras,
}

/// A message that came in.
#[derive(Debug)]
pub struct Received<'a> {
    /// Its bytes, over a raw IPv4 socket from the IP header on.
    pub bytes: &'a [u8],
    /// Whether these are all of them.
    pub is_whole: bool,
    /// Who sent it.
    pub from: SocketAddr,
    /// Its remaining time to live or hop limit.
    pub ttl: Option<u8>,
    /// When the kernel received it, by CLOCK_REALTIME in nanoseconds.
    pub at: Option<u64>,
}

/// What the error queue kept.
#[derive(Debug)]
pub enum Queued<'a> {
    /// A message left.
    Left {
        /// When the driver took it, by CLOCK_REALTIME in nanoseconds.
        at: u64,
        /// How the packet begins, from its link's header on.
        packet: &'a [u8],
    },
    /// An ICMP error came back.
    Error {
        /// Whom the message went to.
        to: Option<SocketAddr>,
        /// Who sent the error, and what it says.
        error: IcmpError,
        /// The message as it was quoted, from its ICMP header on.
        quote: &'a [u8],
    },
    /// This machine itself found the message too large.
    TooBig {
        /// What would pass, in bytes with the IP header.
        mtu: u32,
    },
}

impl IcmpSocket {
    /// Opens an unprivileged socket, or else a raw one.
    ///
    /// Errors: neither is allowed to this user; the source, the interface or an option is not to be had.
    pub fn open(family: Family, options: &IcmpOptions) -> io::Result<Self> {
        let (domain, protocol) = match family {
            Family::Ipv4 => (Domain::IPV4, Protocol::ICMPV4),
            Family::Ipv6 => (Domain::IPV6, Protocol::ICMPV6),
        };
        let (socket, kind) = match Socket::new(domain, Type::DGRAM.nonblocking(), Some(protocol)) {
            Ok(socket) => (socket, IcmpKind::Datagram),
            Err(_) => (Socket::new(domain, Type::RAW.nonblocking(), Some(protocol))?, IcmpKind::Raw),
        };
        let message_bytes = options.size + SPARE_BYTES;
        let batch = (INBOX_BYTES / message_bytes).clamp(2, BATCH);
        let mut icmp = Self {
            socket,
            family,
            kind,
            ident: 0,
            inbox: Inbox::new(batch, message_bytes),
            errors: Inbox::new(BATCH, QUOTE_BYTES),
            // SAFETY: all-zero bytes are a valid `sockaddr_storage`: AF_UNSPEC.
            names: vec![unsafe { MaybeUninit::zeroed().assume_init() }; BATCH],
        };
        icmp.configure(options)?;
        Ok(icmp)
    }

    fn configure(&mut self, options: &IcmpOptions) -> io::Result<()> {
        /// What the kernel grants of it is enough for a batch of replies many times over.
        const BUFFER: usize = 4 << 20;
        let socket = &self.socket;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_send_buffer_size(BUFFER)?;
        if let Some(interface) = &options.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        let any = match self.family {
            Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        match (self.kind, options.source) {
            (IcmpKind::Raw, None) => {}
            (_, source) => {
                let source = source.unwrap_or(any);
                let index = options.interface.as_deref().and_then(crate::sys::interface_index);
                let bound = match source {
                    IpAddr::V4(ip) => SocketAddr::from((ip, 0)),
                    IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, index.unwrap_or(0)).into(),
                };
                socket.bind(&SockAddr::from(bound))?;
            }
        }
        self.ident = match self.kind {
            IcmpKind::Datagram => socket.local_addr()?.as_socket().map_or(0, |own| own.port()),
            IcmpKind::Raw => crate::sys::random_u16(),
        };
        match self.family {
            Family::Ipv4 => {
                if let Some(ttl) = options.ttl {
                    socket.set_ttl_v4(ttl.into())?;
                }
                if let Some(tos) = options.tos {
                    socket.set_tos_v4(tos.into())?;
                }
                if options.dont_fragment {
                    self.set(libc::SOL_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
                }
                self.set(libc::SOL_IP, libc::IP_RECVTTL, 1)?;
            }
            Family::Ipv6 => {
                if let Some(ttl) = options.ttl {
                    socket.set_unicast_hops_v6(ttl.into())?;
                }
                if let Some(tos) = options.tos {
                    socket.set_tclass_v6(tos.into())?;
                }
                if options.dont_fragment {
                    self.set(libc::SOL_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
                    self.set(libc::SOL_IPV6, libc::IPV6_DONTFRAG, 1)?;
                }
                self.set(libc::SOL_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            }
        }
        error_queue::keep_icmp_errors(socket, self.family, true)?;
        if self.kind == IcmpKind::Raw {
            self.let_only_replies_in()?;
        }
        stamps::enable(socket)
    }

    /// Sets the raw socket's filter: replies, and the notices that do not come by the error queue as errors do.
    fn let_only_replies_in(&self) -> io::Result<()> {
        /// `linux/icmp.h`: a bit set keeps the type out.
        const ICMP_FILTER: c_int = 1;
        /// `linux/icmpv6.h`.
        const ICMPV6_FILTER: c_int = 1;
        const ECHO_REPLY_V6: usize = 129;
        /// Echo reply, source quench, redirect.
        const WANTED: u32 = 1 | 1 << 4 | 1 << 5;
        match self.family {
            Family::Ipv4 => self.set_bytes(libc::SOL_RAW, ICMP_FILTER, &(!WANTED).to_ne_bytes()),
            Family::Ipv6 => {
                let mut blocked = [0xff_u8; 32];
                let word = ECHO_REPLY_V6 / 32;
                let bits = !(1_u32 << (ECHO_REPLY_V6 % 32));
                blocked[word * 4..word * 4 + 4].copy_from_slice(&bits.to_ne_bytes());
                self.set_bytes(libc::IPPROTO_ICMPV6, ICMPV6_FILTER, &blocked)
            }
        }
    }

    /// The family of the addresses it sends to.
    pub fn family(&self) -> Family {
        self.family
    }

    /// How it was opened.
    pub fn kind(&self) -> IcmpKind {
        self.kind
    }

    /// The identifier of its echo requests.
    pub fn ident(&self) -> u16 {
        self.ident
    }

    /// Takes the error that the socket keeps for the next call, if any.
    pub fn take_error(&self) -> Option<io::Error> {
        self.socket.take_error().ok().flatten()
    }

    /// How many messages did not find room in the receive buffer so far (SO_MEMINFO, `sock_diag.h`).
    pub fn dropped(&self) -> Option<u32> {
        const SO_MEMINFO: c_int = 55;
        const SK_MEMINFO_DROPS: usize = 8;
        let mut words = [0_u32; 16];
        let mut length = libc::socklen_t::try_from(mem::size_of_val(&words)).expect("64 bytes");
        // SAFETY: `words` has the room that `length` says.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_MEMINFO,
                words.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let has_drops = usize::try_from(length).is_ok_and(|length| length > SK_MEMINFO_DROPS * 4);
        (result == 0 && has_drops).then(|| words[SK_MEMINFO_DROPS])
    }

    /// Sends messages in order, and gives how many went out: fewer where one failed, which the next call tells.
    ///
    /// Errors: the first message could not be sent; `WouldBlock` if there is no room for it now.
    pub fn send(&mut self, messages: &[(SocketAddr, &[u8])]) -> io::Result<usize> {
        let count = messages.len().min(BATCH);
        let mut parts: [libc::iovec; BATCH] = zeroed();
        let mut headers: [libc::mmsghdr; BATCH] = zeroed();
        for (index, (to, bytes)) in messages.iter().take(count).enumerate() {
            let to = SockAddr::from(*to);
            // SAFETY: both are plain bytes of the same size; `SockAddr` holds a `sockaddr_storage`.
            self.names[index] = unsafe { to.as_ptr().cast::<libc::sockaddr_storage>().read_unaligned() };
            parts[index] = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_namelen = to.len();
            header.msg_iov = &raw mut parts[index];
            header.msg_iovlen = 1;
        }
        let length = u32::try_from(count).expect("a batch is small");
        // SAFETY: every pointer leads to a live buffer of the length beside it; sending only reads them.
        let sent = unsafe {
            libc::sendmmsg(self.socket.as_raw_fd(), headers.as_mut_ptr(), length, libc::MSG_DONTWAIT as _)
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Takes what has come in, up to a batch; gives how many messages that were, for [`IcmpSocket::received`].
    ///
    /// Errors: `WouldBlock` if there is nothing; an error that an earlier message met.
    pub fn receive(&mut self) -> io::Result<usize> {
        self.inbox.fill(&self.socket, 0)
    }

    /// The most messages one call of [`IcmpSocket::receive`] takes.
    pub fn batch(&self) -> usize {
        self.inbox.control.len()
    }

    /// One of the messages that were last taken.
    pub fn received(&self, index: usize) -> Option<Received<'_>> {
        let told = self.inbox.told.get(index)?;
        Some(Received {
            bytes: self.inbox.message(index),
            is_whole: told.is_whole,
            from: told.name?,
            ttl: told.extras.ttl,
            at: told.extras.stamp,
        })
    }

    /// Takes what the error queue holds, up to a batch; gives how many entries that were, for
    /// [`IcmpSocket::queued`].
    ///
    /// Errors: `WouldBlock` if there is nothing.
    pub fn receive_errors(&mut self) -> io::Result<usize> {
        self.errors.fill(&self.socket, libc::MSG_ERRQUEUE)
    }

    /// One of the entries that were last taken from the error queue; `None` if it is about something else.
    pub fn queued(&self, index: usize) -> Option<Queued<'_>> {
        let told = self.errors.told.get(index)?;
        match (told.extras.kept?, told.extras.stamp) {
            (Kept::Stamp, Some(at)) => Some(Queued::Left { at, packet: self.errors.message(index) }),
            (Kept::Stamp, None) => None,
            (Kept::Icmp(error), _) => {
                Some(Queued::Error { to: told.name, error, quote: self.errors.message(index) })
            }
            (Kept::Local { mtu }, _) => Some(Queued::TooBig { mtu }),
        }
    }

    fn set(&self, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
        self.set_bytes(level, option, &value.to_ne_bytes())
    }

    fn set_bytes(&self, level: c_int, option: c_int, value: &[u8]) -> io::Result<()> {
        super::set_option_bytes(&self.socket, level, option, value)
    }
}

impl Inbox {
    fn new(count: usize, each: usize) -> Self {
        let control = vec![Control::default(); count];
        Self { bytes: vec![0; count * each], each, control, told: Vec::with_capacity(count) }
    }

    fn message(&self, index: usize) -> &[u8] {
        let length = self.told.get(index).map_or(0, |told| told.length);
        self.bytes.get(index * self.each..index * self.each + length).unwrap_or_default()
    }

    /// Calls `recvmmsg(2)` with room for each message of the batch.
    fn fill(&mut self, socket: &Socket, flags: c_int) -> io::Result<usize> {
        self.told.clear();
        let count = self.control.len();
        let mut parts: [libc::iovec; BATCH] = zeroed();
        let mut headers: [libc::mmsghdr; BATCH] = zeroed();
        let mut names: [libc::sockaddr_storage; BATCH] = zeroed();
        for (index, bytes) in self.bytes.chunks_exact_mut(self.each).enumerate() {
            parts[index] = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut names[index]).cast();
            header.msg_namelen =
                libc::socklen_t::try_from(mem::size_of::<libc::sockaddr_storage>()).expect("128 bytes");
            header.msg_iov = &raw mut parts[index];
            header.msg_iovlen = 1;
            header.msg_control = self.control[index].0.as_mut_ptr().cast();
            header.msg_controllen = mem::size_of::<Control>() as _;
        }
        let length = u32::try_from(count).expect("a batch is small");
        // SAFETY: every pointer leads to a live buffer of the length beside it, each used by one header only.
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                length,
                (flags | libc::MSG_DONTWAIT) as _,
                std::ptr::null_mut(),
            )
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        self.told.extend(headers.iter().zip(&names).take(got).map(|(header, name)| Told {
            length: usize::try_from(header.msg_len).unwrap_or(0).min(self.each),
            is_whole: header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0,
            name: socket_address(name),
            extras: Extras::of(&header.msg_hdr),
        }));
        Ok(got)
    }
}

/// Waits until one of the sockets has something, until `wake` can be read, or for so long.
pub fn wait(
    sockets: &[&IcmpSocket],
    wake: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<()> {
    let events = libc::POLLIN;
    let mut fds: Vec<libc::pollfd> = sockets
        .iter()
        .map(|socket| libc::pollfd { fd: socket.socket.as_raw_fd(), events, revents: 0 })
        .collect();
    fds.extend(wake.map(|wake| libc::pollfd { fd: wake.as_raw_fd(), events: libc::POLLIN, revents: 0 }));
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), |timeout| &raw const *timeout);
    let count = libc::nfds_t::try_from(fds.len()).expect("a few descriptors");
    // SAFETY: `fds` has `count` entries and `timeout` is null or a live `timespec`; no signal mask is set.
    let result = unsafe { libc::ppoll(fds.as_mut_ptr(), count, timeout, std::ptr::null()) };
    let error = io::Error::last_os_error();
    if result >= 0 || error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

fn socket_address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which of the structures the storage holds; it is large enough for each.
            let name = unsafe { (&raw const *name).cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { (&raw const *name).cast::<libc::sockaddr_in6>().read() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(name.sin6_port), 0, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn zeroed<T: Copy, const N: usize>() -> [T; N] {
    // SAFETY: only used for C structures of integers and pointers, for which all-zero bytes are valid.
    unsafe { MaybeUninit::zeroed().assume_init() }
}
