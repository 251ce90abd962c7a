//! What the kernel tells beside a message (`cmsg(3)`): its time stamp, its time to live, an error it kept.

use std::mem;

use super::error_queue::{self, Kept};

/// What the kernel adds to a message: time stamp, hop limit, extended error with its sender.
const CONTROL_BYTES: usize = 256;

/// Room for one message's control data, aligned as `cmsghdr` is.
#[derive(Clone)]
#[repr(C, align(8))]
pub(super) struct Control(pub(super) [u8; CONTROL_BYTES]);

impl Default for Control {
    fn default() -> Self {
        Self([0; CONTROL_BYTES])
    }
}

/// What the kernel told beside a message.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) ttl: Option<u8>,
    pub(super) stamp: Option<u64>,
    pub(super) kept: Option<Kept>,
}

impl Extras {
    pub(super) fn of(message: &libc::msghdr) -> Self {
        let mut extras = Self::default();
        // SAFETY: the kernel filled `message`, and its control buffer still lives.
        let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
        while !header.is_null() {
            // SAFETY: a header that the macros give lies wholly within the control buffer.
            let (level, kind, length) =
                unsafe { ((*header).cmsg_level, (*header).cmsg_type, (*header).cmsg_len) };
            // SAFETY: as above; the payload follows its header.
            let payload = unsafe { libc::CMSG_DATA(header) };
            let start = payload as usize - header as usize;
            #[expect(clippy::unnecessary_cast, reason = "socklen_t with musl, size_t with glibc")]
            let payload_len = (length as usize).saturating_sub(start);
            // SAFETY: the kernel wrote `cmsg_len` bytes from the header on, inside the control buffer.
            let bytes = unsafe { std::slice::from_raw_parts(payload, payload_len) };
            match (level, kind) {
                (libc::SOL_IP, libc::IP_TTL) | (libc::SOL_IPV6, libc::IPV6_HOPLIMIT) => {
                    let value = bytes.get(..4).and_then(|bytes| bytes.try_into().ok());
                    extras.ttl = value.and_then(|value| u8::try_from(i32::from_ne_bytes(value)).ok());
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => extras.stamp = stamp(bytes),
                (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR) => {
                    extras.kept = error_queue::parse(bytes);
                }
                _ => {}
            }
            // SAFETY: `header` came from this `message`.
            header = unsafe { libc::CMSG_NXTHDR(message, header) };
        }
        extras
    }
}

/// Parses the software stamp, the first of `struct scm_timestamping`; zero means there is none.
fn stamp(bytes: &[u8]) -> Option<u64> {
    const WORD: usize = mem::size_of::<libc::time_t>();
    let word = |at: usize| -> Option<u64> {
        let bytes = bytes.get(at..at + WORD)?;
        let mut whole = [0; 8];
        let at = if cfg!(target_endian = "big") { 8 - WORD } else { 0 };
        whole[at..at + WORD].copy_from_slice(bytes);
        Some(u64::from_ne_bytes(whole))
    };
    let (seconds, nanoseconds) = (word(0)?, word(WORD)?);
    let at = seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?;
    (at > 0).then_some(at)
}
