//! The terminal's keyboard: each key as it is pressed, and the terminal as it was found when the program ends.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// How the terminal was set when the program found it.
static FOUND: OnceLock<Settings> = OnceLock::new();

struct Settings(libc::termios);

/// Lets each key come as it is pressed, unseen, while Ctrl-C, Ctrl-Z and Ctrl-\ go on to be signals (`termios(3)`, without
/// ICANON and ECHO); whether that was done. When the program ends the terminal is as it was.
pub fn take_keyboard() -> bool {
    if !is_in_foreground() {
        return false;
    }
    let mut settings = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the call writes the whole of `settings`, if it succeeds.
    if unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: it did.
    let mut settings = unsafe { settings.assume_init() };
    FOUND.get_or_init(|| {
        // SAFETY: `give_back` is a function of the C calling convention that touches nothing but the terminal.
        unsafe { libc::atexit(give_back) };
        Settings(settings)
    });
    settings.c_lflag &= !(libc::ICANON | libc::ECHO);
    (settings.c_cc[libc::VMIN], settings.c_cc[libc::VTIME]) = (1, 0);
    // SAFETY: `settings` is read for the length of the call.
    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const settings) == 0 }
}

/// Whether this program is the one that has the terminal, and not a job in the background.
pub fn is_in_foreground() -> bool {
    // SAFETY: both calls only give numbers.
    unsafe { libc::tcgetpgrp(libc::STDIN_FILENO) == libc::getpgrp() }
}

/// Ends the run as Ctrl-C would.
pub fn interrupt() {
    // SAFETY: a signal to this process itself.
    unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
}

extern "C" fn give_back() {
    if let Some(Settings(found)) = FOUND.get()
        && is_in_foreground()
    {
        // SAFETY: `found` is read for the length of the call.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, std::ptr::from_ref(found)) };
    }
}
