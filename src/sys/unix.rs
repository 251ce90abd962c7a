//! What all Unix systems share.

use std::ffi::{CStr, CString, c_char};

/// The index of the interface with this name.
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` is a valid C string for the length of the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

/// The name of the interface with this index, as bytes.
pub fn interface_name(index: u32) -> Option<Vec<u8>> {
    let mut name = [0 as c_char; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that the call may write, and it ends what it writes with NUL.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: `found` is `name`, which now holds a C string.
    Some(unsafe { CStr::from_ptr(found) }.to_bytes().to_vec())
}

/// The limit of open files, if an error says that this process has reached it.
pub(super) fn exhausted_descriptors(error: &std::io::Error) -> Option<u64> {
    if error.raw_os_error() != Some(libc::EMFILE) {
        return None;
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is what the call may write.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    #[allow(clippy::useless_conversion, reason = "signed on FreeBSD")]
    if result == 0 { u64::try_from(limit.rlim_cur).ok() } else { None }
}

/// The limit of processes and threads of this user (RLIMIT_NPROC), if an error says that no more can be had.
pub(super) fn exhausted_processes(error: &std::io::Error) -> Option<u64> {
    if error.raw_os_error() != Some(libc::EAGAIN) {
        return None;
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is what the call may write.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &raw mut limit) };
    #[allow(clippy::useless_conversion, reason = "signed on FreeBSD")]
    let limit = u64::try_from(limit.rlim_cur).ok().filter(|_| result == 0);
    limit.filter(|limit| *limit < u64::from(u32::MAX))
}

/// Raises the soft limit of open files to the hard one (`getrlimit(2)`), and gives what then holds.
pub(super) fn raise_descriptor_limit() -> u64 {
    /// The usual one, where it cannot be read.
    const USUAL: u64 = 256;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is what the call may write.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return USUAL;
    }
    let wanted = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: `wanted` is read for the length of the call.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) } == 0;
    // FreeBSD's are signed.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "limits are not negative")]
    return if raised { wanted.rlim_cur as u64 } else { limit.rlim_cur as u64 };
}

/// Asks `poll(2)` for nothing: of a pipe without a reader it tells POLLERR all the same, or POLLHUP.
pub(super) fn is_reader_gone() -> bool {
    let mut output = libc::pollfd { fd: libc::STDOUT_FILENO, events: 0, revents: 0 };
    // SAFETY: `output` is one entry, and there is no waiting.
    let result = unsafe { libc::poll(&raw mut output, 1, 0) };
    result > 0 && output.revents & (libc::POLLERR | libc::POLLHUP) != 0
}

/// Waits until one of several sockets has something to read, or to say otherwise, or for so long; with `writes` also until
/// one can be written to, as one that connects can be once that is decided.
pub(super) fn wait(
    sockets: &[&socket2::Socket],
    writes: bool,
    timeout: std::time::Duration,
) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let events = if writes { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
    let mut fds: Vec<libc::pollfd> =
        sockets.iter().map(|socket| libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 }).collect();
    let count = libc::nfds_t::try_from(fds.len()).expect("a few descriptors");
    // Rounded up: a wait of nothing would be a loop.
    let timeout = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: `fds` has `count` entries.
    let result = unsafe { libc::poll(fds.as_mut_ptr(), count, timeout) };
    let error = std::io::Error::last_os_error();
    if result >= 0 || error.kind() == std::io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// How many descriptors this process may open, and how many it may ask for (`getrlimit(2)`, RLIMIT_NOFILE).
pub(super) fn descriptor_limits() -> Option<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is what the call may write.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "signed on FreeBSD, and not negative")]
    let limits = (limit.rlim_cur as u64, limit.rlim_max as u64);
    (result == 0).then_some(limits)
}

/// Whether this process runs as root.
pub(super) fn is_root() -> bool {
    // SAFETY: the call always succeeds and touches no memory.
    unsafe { libc::geteuid() == 0 }
}

/// The name of a user, from whatever the system asks for it (`getpwuid_r(3)`).
pub fn user_name(uid: u32) -> Option<Vec<u8>> {
    user(|entry, buffer, found| {
        // SAFETY: each pointer is to what the call may write, and the buffer has the length beside it.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr(), buffer.len(), found) }
    })
    .map(|(name, _)| name)
}

/// The number of a user, by the name.
pub fn user_id(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    user(|entry, buffer, found| {
        // SAFETY: the name is a C string; each other pointer is to what the call may write, and the buffer has the length
        // beside it.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer.as_mut_ptr(), buffer.len(), found) }
    })
    .map(|(_, uid)| uid)
}

/// Asks for a user with as much room as the answer takes.
fn user(
    ask: impl Fn(*mut libc::passwd, &mut [c_char], *mut *mut libc::passwd) -> libc::c_int,
) -> Option<(Vec<u8>, u32)> {
    /// A user with a longer entry has no name.
    const MOST: usize = 1 << 20;
    let mut length = 1024;
    while length <= MOST {
        let mut buffer = vec![0 as c_char; length];
        let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
        let mut found = std::ptr::null_mut();
        match ask(entry.as_mut_ptr(), &mut buffer, &raw mut found) {
            0 if found.is_null() => return None,
            0 => {
                // SAFETY: what was found is `entry`, filled; its name is a C string inside `buffer`.
                let (name, uid) = unsafe { (CStr::from_ptr((*found).pw_name), (*found).pw_uid) };
                return Some((name.to_bytes().to_vec(), uid));
            }
            libc::ERANGE => length *= 4,
            _ => return None,
        }
    }
    None
}
