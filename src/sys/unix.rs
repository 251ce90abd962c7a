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

/// Rust opens `/dev/null` for reading and writing in the place of a standard stream that is closed; a shell's
/// `>/dev/null` only opens it for writing.
pub(super) fn is_output_closed() -> bool {
    use std::fs::File;
    use std::mem::ManuallyDrop;
    use std::os::fd::FromRawFd;
    use std::os::unix::fs::MetadataExt;
    // SAFETY: asking for the flags of a descriptor touches no memory.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFL) };
    if flags < 0 {
        return true;
    }
    // SAFETY: the descriptor is open, as `fcntl` has said, and is not closed by this borrower.
    let stdout = ManuallyDrop::new(unsafe { File::from_raw_fd(libc::STDOUT_FILENO) });
    let device = |metadata: std::io::Result<std::fs::Metadata>| metadata.ok().map(|it| (it.rdev(), it.ino()));
    let is_null = device(stdout.metadata()) == device(std::fs::metadata("/dev/null"));
    flags & libc::O_ACCMODE == libc::O_RDWR && is_null
}
