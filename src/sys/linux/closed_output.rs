//! Whether standard output was closed when the program began.
//!
//! Rust's runtime opens `/dev/null` in the place of a standard stream that is closed, after which nobody can
//! tell. So this looks before it: the loader calls what `.init_array` lists ahead of `main` (System V ABI).

use std::sync::atomic::{AtomicBool, Ordering};

static IS_CLOSED: AtomicBool = AtomicBool::new(false);

#[used]
// SAFETY: the section holds pointers to C functions that take what `main` does, and may ignore it.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: asking for the flags of a descriptor touches no memory.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } < 0 {
        IS_CLOSED.store(true, Ordering::Relaxed);
    }
}

pub(in crate::sys) fn is_output_closed() -> bool {
    IS_CLOSED.load(Ordering::Relaxed)
}
