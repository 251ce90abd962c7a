//! The terminal's keyboard: each key as it is pressed, and the terminal as it was found when the program ends.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// How the terminal was set when the program found it.
static FOUND: OnceLock<Settings> = OnceLock::new();

struct Settings(libc::termios);

/// Lets each key come as it is pressed, unseen, while Ctrl-C, Ctrl-Z and Ctrl-\ go on to be signals (`termios(3)`, without
/// ICANON and ECHO); whether that was done. When the program ends, by a signal too, or is stopped (SIGTSTP), the terminal is
/// as it was; when it goes on, the keyboard is to be taken again.
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
        for signal in [libc::SIGTSTP, libc::SIGQUIT, libc::SIGABRT] {
            handle_unless_handled(signal, give_back_first);
        }
        Settings(settings)
    });
    settings.c_lflag &= !(libc::ICANON | libc::ECHO);
    (settings.c_cc[libc::VMIN], settings.c_cc[libc::VTIME]) = (1, 0);
    // SAFETY: `settings` is read for the length of the call.
    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const settings) == 0 }
}

/// Whether each key comes as it is pressed. It does not where the program was stopped meanwhile, and the shell has set the
/// terminal as it likes.
pub fn has_keyboard() -> bool {
    let mut settings = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the call writes the whole of `settings`, if it succeeds.
    let is_known = unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) } == 0;
    // SAFETY: it did, where it is looked at.
    is_known && unsafe { settings.assume_init() }.c_lflag & libc::ICANON == 0
}

/// Handles a signal, if it still does what it does by default.
fn handle_unless_handled(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the call writes the whole of `now`, if it succeeds.
    let known = unsafe { libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) } == 0;
    // SAFETY: it did, where it is looked at.
    if known && unsafe { now.assume_init() }.sa_sigaction == libc::SIG_DFL {
        // SAFETY: `handler` calls nothing but functions that a handler may call (`signal-safety(7)`).
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

/// Gives the terminal back, and then does what the signal does by default. If that was to stop, it goes on here.
extern "C" fn give_back_first(signal: libc::c_int) {
    give_back();
    let mut only = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is filled before it is used, and all of these may be called by a handler (`signal-safety(7)`).
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::sigemptyset(only.as_mut_ptr());
        libc::sigaddset(only.as_mut_ptr(), signal);
        libc::raise(signal);
        // It was held back while this ran.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, only.as_ptr(), std::ptr::null_mut());
        libc::signal(signal, give_back_first as extern "C" fn(libc::c_int) as libc::sighandler_t);
    }
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
