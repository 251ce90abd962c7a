//! A link whose other end is this test: packets come in over TUN devices, and what becomes of them is up to a
//! function, which may delay, repeat, reorder, change or answer them.

#![allow(unsafe_code, reason = "entering a namespace and opening a TUN device have no safe interface")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::net::{Host, assignments};

/// The largest packet.
const MOST_BYTES: usize = 65_536;

/// A packet to be written: after how long, by which of the link's ends, and its bytes from the IP header on.
pub(crate) struct Out {
    pub(crate) after: Duration,
    pub(crate) end: usize,
    pub(crate) packet: Vec<u8>,
}

impl Out {
    /// A packet that leaves at once.
    pub(crate) fn now(end: usize, packet: Vec<u8>) -> Self {
        Self { after: Duration::ZERO, end, packet }
    }
}

/// A packet that waits: until when, its place among those of the same time, by which end, its bytes.
type Waiting = Reverse<(Instant, u64, usize, Vec<u8>)>;

/// `struct ifreq`: a name and flags.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// A link under way, which ends with the value.
pub(crate) struct Link {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

/// Gives hosts a TUN device each, up with these addresses, and lets a function decide about every packet: it is
/// given the end it came in by, from 0, and its bytes.
pub(crate) fn link(
    ends: &[(&Host, &str, &[&str])],
    mut decide: impl FnMut(usize, &[u8]) -> Vec<Out> + Send + 'static,
) -> Link {
    let mut devices: Vec<File> = Vec::new();
    for (host, name, addresses) in ends {
        devices.push(open(host, name));
        // Giants pass too: it is for the pinger to see what they are.
        host.sh(&format!("{}ip link set dev {name} mtu 65535 up", assignments(addresses, name)));
        host.wait_for_addresses(name);
    }
    let (stopped, stop) = std::io::pipe().expect("a pipe");
    let thread = std::thread::spawn(move || {
        let mut waiting: BinaryHeap<Waiting> = BinaryHeap::new();
        let mut count = 0;
        let mut buffer = vec![0; MOST_BYTES];
        loop {
            let next = waiting.peek().map(|Reverse((at, ..))| at.saturating_duration_since(Instant::now()));
            let mut fds: Vec<libc::pollfd> = devices
                .iter()
                .map(AsRawFd::as_raw_fd)
                .chain([stopped.as_raw_fd()])
                .map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 })
                .collect();
            let timeout = next.map(|next| libc::timespec {
                tv_sec: libc::time_t::try_from(next.as_secs()).expect("a short time"),
                tv_nsec: next.subsec_nanos().into(),
            });
            let timeout = timeout.as_ref().map_or(std::ptr::null(), |timeout| &raw const *timeout);
            // SAFETY: `fds` has as many entries as it says, and `timeout` is null or lives.
            unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, std::ptr::null()) };
            if fds.last().is_some_and(|stop| stop.revents != 0) {
                return;
            }
            for (end, device) in devices.iter_mut().enumerate().filter(|(end, _)| fds[*end].revents != 0) {
                // One packet a read; the device does not block, as it is readable.
                let Ok(length) = device.read(&mut buffer) else { return };
                let now = Instant::now();
                for out in decide(end, &buffer[..length]) {
                    count += 1;
                    waiting.push(Reverse((now + out.after, count, out.end, out.packet)));
                }
            }
            while let Some(Reverse((at, ..))) = waiting.peek() {
                if *at > Instant::now() {
                    break;
                }
                let Reverse((_, _, end, packet)) = waiting.pop().expect("it was just looked at");
                // What the kernel does not take is lost, as on a wire.
                let _ = devices[end].write(&packet);
            }
        }
    });
    Link { stop: Some(stop), thread: Some(thread) }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Opens a TUN device inside a host's namespace, on a thread that goes there.
fn open(host: &Host, name: &str) -> File {
    let (namespace, name) = (host.namespace(), name.to_owned());
    let opened = std::thread::spawn(move || {
        let namespace = File::open(namespace).expect("the host's namespace");
        // SAFETY: the descriptor is open; only this thread moves.
        let moved = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(moved, 0, "entering a namespace: {}", std::io::Error::last_os_error());
        let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
        let mut request = Request { name: [0; libc::IFNAMSIZ], flags: 0, rest: [0; 22] };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        request.flags = libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).expect("two flags");
        // SAFETY: TUNSETIFF takes a `struct ifreq`, which `request` is laid out as.
        let made = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        if made != 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: a duplicate of an open descriptor, owned by nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(libc::dup(device.as_raw_fd())) })
    });
    opened.join().expect("opening does not panic").map(File::from).expect("a TUN device")
}

/// Whether TUN devices can be made here; the reason if not.
pub(crate) fn available() -> Result<(), String> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map(drop)
        .map_err(|error| format!("no TUN devices here: /dev/net/tun: {error}"))
}

/// An IP packet's parts, as far as an ICMP host needs them.
pub(crate) struct Packet<'a> {
    pub(crate) is_v4: bool,
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
    /// The ICMP message.
    pub(crate) icmp: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Parses an ICMP packet; `None` of anything else.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 if packet.len() >= 28 && packet[9] == 1 => {
                Some(Self { is_v4: true, from: &packet[12..16], to: &packet[16..20], icmp: &packet[20..] })
            }
            6 if packet.len() >= 48 && packet[6] == 58 => {
                Some(Self { is_v4: false, from: &packet[8..24], to: &packet[24..40], icmp: &packet[40..] })
            }
            _ => None,
        }
    }

    /// Whether it is an echo request.
    pub(crate) fn is_request(&self) -> bool {
        self.icmp[0] == if self.is_v4 { 8 } else { 128 }
    }

    /// The message with its type made an echo reply's; its checksum is not yet right.
    pub(crate) fn reply(&self) -> Vec<u8> {
        let mut reply = self.icmp.to_vec();
        reply[0] = if self.is_v4 { 0 } else { 129 };
        reply
    }

    /// An ICMP error with this quote, its checksum not yet right.
    pub(crate) fn error(icmp_type: u8, code: u8, word: u32, quote: &[u8]) -> Vec<u8> {
        let mut error = vec![icmp_type, code, 0, 0];
        error.extend(word.to_be_bytes());
        // As much as a router quotes: RFC 1812, 4.3.2.3.
        error.extend(&quote[..quote.len().min(548)]);
        error
    }
}

/// Wraps an ICMP message into an IP packet, with right checksums.
pub(crate) fn wrap(from: &[u8], to: &[u8], icmp: Vec<u8>) -> Vec<u8> {
    wrap_raw(from, to, with_checksum(from, to, icmp))
}

/// Wraps an ICMP message into an IP packet, its checksum left as it is.
pub(crate) fn wrap_raw(from: &[u8], to: &[u8], icmp: Vec<u8>) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).expect("a packet").to_be_bytes();
    let mut packet;
    if from.len() == 4 {
        let [high, low] = length(20 + icmp.len());
        packet = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 61, 1, 0, 0];
        packet.extend(from);
        packet.extend(to);
        let sum = netdiag::wire::echo::checksum(&packet).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
    } else {
        let [high, low] = length(icmp.len());
        packet = vec![0x60, 0, 0, 0, high, low, 58, 61];
        packet.extend(from);
        packet.extend(to);
    }
    packet.extend(icmp);
    packet
}

/// Sets the checksum of an ICMP message, over IPv6 with its pseudo-header (RFC 4443, 2.3).
fn with_checksum(from: &[u8], to: &[u8], mut icmp: Vec<u8>) -> Vec<u8> {
    icmp[2..4].fill(0);
    let mut covered = Vec::new();
    if from.len() == 16 {
        covered.extend(from);
        covered.extend(to);
        covered.extend(u32::try_from(icmp.len()).expect("a packet").to_be_bytes());
        covered.extend([0, 0, 0, 58]);
    }
    covered.extend(&icmp);
    let sum = netdiag::wire::echo::checksum(&covered).to_be_bytes();
    icmp[2..4].copy_from_slice(&sum);
    icmp
}
