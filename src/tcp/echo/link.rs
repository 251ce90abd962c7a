//! What a connection's thread and its watcher share: the thread may block in the kernel for as long as it likes,
//! and the watcher breaks it off when nothing moves any more, or when the user has had enough.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::super::Failure;
use super::super::connect::silence;
use super::super::surroundings::is_own_address;
use crate::sys::{self, InetSocket, TcpBuffers, TcpInfo};

/// How long a sleeping thread may take to notice that it was broken off.
const NAP: Duration = Duration::from_millis(50);

/// Being woken takes about so long; the rest is waited for by looking at the clock, or it would count as the
/// server's time.
const WAKE_UP: Duration = Duration::from_micros(80);

/// What a connection's thread and its watcher share.
#[derive(Default)]
pub(super) struct Link {
    /// The socket in use.
    socket: Mutex<Option<Arc<TcpStream>>>,
    /// Grows whenever something moves.
    moves: AtomicU64,
    /// Whether the thread waits for the network.
    is_waiting: AtomicBool,
    halt: AtomicU8,
    evidence: OnceLock<Evidence>,
}

/// Why a connection was broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// The user asked for it.
    Asked,
    /// Nothing moved for too long.
    Stalled,
}

/// What the kernel knew of a connection when it was broken off.
pub(super) struct Evidence {
    pub(super) info: Option<TcpInfo>,
    pub(super) buffers: TcpBuffers,
    /// The other end, where it is on this machine.
    pub(super) other: Option<InetSocket>,
}

impl Link {
    /// Makes a socket known, to be broken off when that is needed.
    pub(super) fn uses(&self, stream: &Arc<TcpStream>) {
        *self.socket() = Some(stream.clone());
        if self.halted().is_some() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Forgets the socket, so that the thread can close it.
    pub(super) fn leaves(&self) {
        *self.socket() = None;
    }

    fn socket(&self) -> std::sync::MutexGuard<'_, Option<Arc<TcpStream>>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something has moved.
    pub(super) fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the thread begins or ends to wait for the network.
    pub(super) fn waits(&self, waits: bool) {
        self.moved();
        self.is_waiting.store(waits, Ordering::Relaxed);
    }

    /// Whether it was broken off, and why.
    pub(super) fn halted(&self) -> Option<Halt> {
        match self.halt.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Halt::Asked),
            _ => Some(Halt::Stalled),
        }
    }

    /// What the kernel knew when it was broken off.
    pub(super) fn evidence(&self) -> Option<&Evidence> {
        self.evidence.get()
    }

    /// The failure of a connect that was broken off; `None` if it was not.
    pub(super) fn unanswered(&self, target: SocketAddr, timeout: Duration) -> Option<Failure> {
        self.halted()?;
        let info = self.evidence().and_then(|evidence| evidence.info.as_ref());
        Some(silence(target, info.and_then(|info| info.retransmissions), timeout))
    }

    /// Breaks the connection off: whatever the thread waits for in the kernel ends at once.
    pub(super) fn halt(&self, why: Halt) {
        let socket = self.socket();
        if self.halted().is_some() {
            return;
        }
        if let Some(stream) = &*socket
            && why == Halt::Stalled
        {
            let _ = self.evidence.set(Evidence::of(stream));
        }
        self.halt.store(if why == Halt::Asked { 1 } else { 2 }, Ordering::Release);
        if let Some(stream) = &*socket {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Sleeps until then, to the microsecond if it is to be `precise`; false if it was broken off before.
    pub(super) fn sleep_until(&self, then: Instant, precise: bool) -> bool {
        let early = if precise { WAKE_UP } else { Duration::ZERO };
        loop {
            if self.halted().is_some() {
                return false;
            }
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            if left <= early {
                std::hint::spin_loop();
            } else {
                std::thread::sleep(left.saturating_sub(early).min(NAP));
            }
        }
    }
}

impl Evidence {
    fn of(stream: &TcpStream) -> Self {
        let other = match (stream.local_addr(), stream.peer_addr()) {
            (Ok(local), Ok(remote)) => other_end(local, remote),
            _ => None,
        };
        let socket = SockRef::from(stream);
        Self { info: sys::tcp_info(&*socket), buffers: sys::tcp_buffers(&*socket), other }
    }

    /// What it says of a server on this machine that does not answer.
    pub(super) fn accusation(&self) -> Option<String> {
        let other = self.other.as_ref()?;
        match other.inode {
            0 => Some(
                "the connection is in the server's accept queue: the server has not accepted it".to_owned(),
            ),
            _ if other.receive_queue > 0 => {
                Some(format!("the server has {} unread bytes in its receive buffer", other.receive_queue))
            }
            _ => None,
        }
    }
}

/// The other end of a connection, where it is on this machine and the system tells.
pub(super) fn other_end(local: SocketAddr, remote: SocketAddr) -> Option<InetSocket> {
    if is_own_address(remote.ip()) { sys::tcp_socket(remote, local).ok().flatten() } else { None }
}

/// Watches connections: breaks off those on which nothing has moved for too long.
pub(super) struct Watch<'a> {
    links: &'a [Arc<Link>],
    timeout: Duration,
    seen: Vec<(u64, Instant)>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(links: &'a [Arc<Link>], timeout: Duration) -> Self {
        let now = Instant::now();
        let seen = links.iter().map(|link| (link.moves.load(Ordering::Relaxed), now)).collect();
        Self { links, timeout, seen }
    }

    /// How often to look: a stall is noticed a twentieth of its time late at most.
    pub(super) fn period(&self) -> Duration {
        (self.timeout / 20).clamp(Duration::from_millis(1), Duration::from_millis(50))
    }

    /// Looks at all of them.
    pub(super) fn look(&mut self, now: Instant) {
        for (link, (moves, since)) in self.links.iter().zip(&mut self.seen) {
            let present = link.moves.load(Ordering::Relaxed);
            if present != *moves || !link.is_waiting.load(Ordering::Relaxed) {
                (*moves, *since) = (present, now);
            } else if now.duration_since(*since) >= self.timeout {
                link.halt(Halt::Stalled);
            }
        }
    }

    /// Breaks all of them off.
    pub(super) fn stop(&self) {
        self.links.iter().for_each(|link| link.halt(Halt::Asked));
    }
}
