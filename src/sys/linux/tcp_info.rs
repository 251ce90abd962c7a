//! `TCP_INFO` (`tcp(7)`, `linux/tcp.h`): what the kernel knows of a connection.

use std::os::fd::{AsFd, AsRawFd};

use libc::{c_int, c_void};

use super::netlink::{u32_at, u64_at};
use crate::sys::{TcpInfo, TcpState};

/// Linux 6.18 fills 280 bytes; an older kernel fills less, and a newer one's more are not known here.
const MOST: usize = 512;
/// TCP_INFINITE_SSTHRESH (`net/tcp.h`): no loss has set one yet.
const NO_THRESHOLD: u32 = 0x7fff_ffff;
/// The name of a congestion control has at most so many bytes (TCP_CA_NAME_MAX).
const NAME: usize = 16;

pub(in crate::sys) fn tcp_info(socket: &impl AsFd) -> Option<TcpInfo> {
    let mut bytes = [0; MOST];
    let length = option(socket, libc::TCP_INFO, &mut bytes)?;
    let mut name = [0; NAME];
    let congestion_control = option(socket, libc::TCP_CONGESTION, &mut name).map(|length| {
        let name = &name[..length];
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(length);
        String::from_utf8_lossy(&name[..end]).into_owned()
    });
    Some(TcpInfo { congestion_control, ..parse(&bytes[..length])? })
}

/// Reads an option of the TCP level; gives how many bytes the kernel filled.
fn option(socket: &impl AsFd, name: c_int, bytes: &mut [u8]) -> Option<usize> {
    let mut length = libc::socklen_t::try_from(bytes.len()).ok()?;
    // SAFETY: `bytes` has the `length` bytes that the kernel may write.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            name,
            bytes.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    (result == 0).then(|| usize::try_from(length).unwrap_or(0).min(bytes.len()))
}

/// Parses a `struct tcp_info` of any kernel since 2.6: what it was too old to fill is `None`.
///
/// Never panics, whatever the bytes.
pub fn parse(bytes: &[u8]) -> Option<TcpInfo> {
    let byte = |at: usize| bytes.get(at).copied();
    let word = |at| u32_at(bytes, at);
    let options = byte(5)?;
    let has = |bit: u8| Some(options & bit != 0);
    // Bit fields of four bits each.
    let scales = byte(6)?;
    let scale = |bits: u8| (options & 4 != 0).then_some(bits);
    Some(TcpInfo {
        state: state(byte(0)?),
        rtt_us: word(68)?,
        rttvar_us: Some(word(72)?),
        min_rtt_us: word(148).filter(|rtt| *rtt != u32::MAX),
        rto_us: Some(word(8)?),
        retransmissions: Some(word(100)?),
        unacked: Some(word(24)?),
        mss_bytes: word(16)?,
        pmtu_bytes: Some(word(60)?),
        cwnd_segments: word(80)?,
        ssthresh_segments: Some(word(76)?).filter(|threshold| *threshold < NO_THRESHOLD),
        congestion_control: None,
        delivery_rate_bytes_per_s: u64_at(bytes, 160),
        send_window_bytes: word(228),
        receive_window_bytes: word(232),
        receive_space_bytes: Some(word(96)?),
        send_window_scale: scale(if cfg!(target_endian = "little") { scales & 0xf } else { scales >> 4 }),
        receive_window_scale: scale(if cfg!(target_endian = "little") { scales >> 4 } else { scales & 0xf }),
        sack: has(2),
        ecn: has(8),
        timestamps: has(1),
        segments_out: word(136).map(u64::from),
        segments_in: word(140).map(u64::from),
        acknowledged_bytes: u64_at(bytes, 120),
    })
}

/// A state by its number in `net/tcp_states.h`.
pub(super) fn state(number: u8) -> Option<TcpState> {
    Some(match number {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        _ => return None,
    })
}

/// What lies in the two buffers (`tcp(7)`, SIOCOUTQ and SIOCINQ): unacknowledged, and unread.
pub(in crate::sys) fn tcp_queues(socket: &impl AsFd) -> (Option<u32>, Option<u32>) {
    let bytes = |request: libc::Ioctl| {
        let mut count: c_int = 0;
        // SAFETY: the request writes one int, which `count` is.
        let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), request, &raw mut count) };
        if result == 0 { u32::try_from(count).ok() } else { None }
    };
    (bytes(libc::TIOCOUTQ), bytes(libc::FIONREAD))
}

/// Lets this thread's sleeps end when they are due: the kernel may otherwise group them by 50 µs (`prctl(2)`).
pub(in crate::sys) fn sleep_precisely() {
    // SAFETY: the option takes a number of nanoseconds and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_kernels_shorter_answer_lacks_only_what_it_did_not_know() {
        let mut bytes = [0; 280];
        bytes[0] = 1;
        bytes[5] = 1 | 2 | 4;
        bytes[6] = 0x97;
        bytes[68..72].copy_from_slice(&1234_u32.to_ne_bytes());
        bytes[76..80].copy_from_slice(&NO_THRESHOLD.to_ne_bytes());
        bytes[136..140].copy_from_slice(&3_u32.to_ne_bytes());
        let info = parse(&bytes).expect("long enough");
        assert_eq!((info.state, info.rtt_us), (Some(TcpState::Established), 1234));
        assert_eq!((info.sack, info.ecn, info.timestamps), (Some(true), Some(false), Some(true)));
        assert_eq!((info.ssthresh_segments, info.segments_out), (None, Some(3)));
        if cfg!(target_endian = "little") {
            assert_eq!((info.send_window_scale, info.receive_window_scale), (Some(7), Some(9)));
        }
        let old = parse(&bytes[..104]).expect("what every kernel fills");
        assert_eq!((old.segments_out, old.send_window_bytes, old.min_rtt_us), (None, None, None));
        for cut in 0..104 {
            assert_eq!(parse(&bytes[..cut]), None, "cut at {cut}");
        }
        for cut in 104..bytes.len() {
            assert!(parse(&bytes[..cut]).is_some(), "cut at {cut}");
        }
    }
}
