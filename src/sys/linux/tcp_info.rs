//! `TCP_INFO` (`tcp(7)`): what the kernel knows of a connection.

use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd};

use super::super::TcpInfo;

/// TCP_INFINITE_SSTHRESH (`net/tcp.h`): no loss has set one yet.
const NO_THRESHOLD: u32 = 0x7fff_ffff;

pub(in crate::sys) fn tcp_info(socket: &impl AsFd) -> Option<TcpInfo> {
    // SAFETY: `tcp_info` is numbers only, of which all-zero bytes are valid ones.
    let mut info: libc::tcp_info = unsafe { MaybeUninit::zeroed().assume_init() };
    let wanted = mem::size_of::<libc::tcp_info>();
    let mut length = libc::socklen_t::try_from(wanted).ok()?;
    // SAFETY: `info` has the `length` bytes that the kernel may write.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    // An older kernel fills less: what is used here it has had since 2.6, up to tcpi_total_retrans.
    let used = mem::offset_of!(libc::tcp_info, tcpi_total_retrans) + mem::size_of::<u32>();
    if result != 0 || usize::try_from(length).ok()? < used {
        return None;
    }
    Some(TcpInfo {
        rtt_us: info.tcpi_rtt,
        rttvar_us: info.tcpi_rttvar,
        retransmissions: info.tcpi_total_retrans,
        unacked: info.tcpi_unacked,
        mss_bytes: info.tcpi_snd_mss,
        pmtu_bytes: info.tcpi_pmtu,
        cwnd_segments: info.tcpi_snd_cwnd,
        ssthresh_segments: Some(info.tcpi_snd_ssthresh).filter(|threshold| *threshold < NO_THRESHOLD),
        receive_space_bytes: info.tcpi_rcv_space,
    })
}
