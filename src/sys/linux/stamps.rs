//! The kernel's own time stamps of messages (Documentation/networking/timestamping.rst).

use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::control::{Control, Extras};

/// Makes the kernel stamp what a socket sends and receives.
///
/// A send stamp comes with its packet, so that it is known for sure whose it is: the kernel's own numbers of
/// messages (SOF_TIMESTAMPING_OPT_ID) also count some of those that could not be sent.
pub(super) fn enable(socket: &Socket) -> io::Result<()> {
    let stamps = libc::SOF_TIMESTAMPING_TX_SOFTWARE
        | libc::SOF_TIMESTAMPING_RX_SOFTWARE
        | libc::SOF_TIMESTAMPING_SOFTWARE;
    super::set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, stamps.cast_signed())
}

/// Waits until the kernel stamps what comes in, for some milliseconds at most.
///
/// The first socket of a machine that asks for receive stamps does not get them at once: `net_enable_timestamp`
/// (net/core/dev.c) leaves that to a work queue, and a reply that is faster has none. So a message to ourselves
/// over the loopback tries it out. Where that does not arrive, as with the loopback down, there is no knowing, and
/// no waiting.
pub fn wait_until_stamping() {
    /// Far longer than a work queue that has its turn at all.
    const PATIENCE: Duration = Duration::from_millis(20);
    let Ok(socket) = to_itself() else { return };
    let start = Instant::now();
    while let Ok(false) = is_stamped(&socket) {
        if start.elapsed() > PATIENCE {
            return;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// A socket that only hears itself.
fn to_itself() -> io::Result<Socket> {
    /// A message that takes longer over the loopback does not come.
    const ARRIVAL: Duration = Duration::from_millis(2);
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind(&SockAddr::from(std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
    socket.connect(&socket.local_addr()?)?;
    socket.set_read_timeout(Some(ARRIVAL))?;
    enable(&socket)?;
    Ok(socket)
}

/// Sends a byte and tells whether it came with a stamp.
fn is_stamped(socket: &Socket) -> io::Result<bool> {
    socket.send(&[0])?;
    let mut control = Control::default();
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all-zero bytes are a valid `msghdr`: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of::<Control>() as _;
    // SAFETY: every pointer leads to a live buffer of the length beside it.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Extras::of(&header).stamp.is_some())
}
