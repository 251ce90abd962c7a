//! Keys of somebody who watches a live view.

use std::io::IsTerminal;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::live::{Key, Live};
use crate::sys;

/// How often it is looked whether this program still has the terminal.
const LOOK: Duration = Duration::from_millis(250);

/// Listens to the keyboard on a thread of its own, for as long as the program runs; without a terminal to read from, or a
/// thread, there are no keys, and Ctrl-C ends it.
pub(super) fn listen(live: Live) {
    if !std::io::stdin().is_terminal() {
        return;
    }
    let listening = std::thread::Builder::new().name("keyboard".to_owned());
    let _ = listening.spawn(move || {
        let mut is_ours = sys::take_keyboard();
        loop {
            // In the background it is another program's keyboard, and reading from it would stop this one (SIGTTIN).
            let is_front = sys::is_in_foreground();
            if is_front && (!is_ours || !sys::has_keyboard()) {
                is_ours = sys::take_keyboard();
                // The shell has used the terminal meanwhile (Ctrl-Z, and then `fg`).
                if is_ours {
                    live.press(Key::Redraw);
                }
            }
            if !is_front || !is_ours {
                is_ours = false;
                std::thread::sleep(LOOK);
                continue;
            }
            match event::poll(LOOK) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(_) => return,
            }
            let Ok(event) = event::read() else { return };
            if let Some(key) = key(&event) {
                live.press(key);
            }
        }
    });
}

/// What a key asks for; `None` of others.
fn key(event: &Event) -> Option<Key> {
    let pressed = match event {
        Event::Resize(..) => return Some(Key::Redraw),
        Event::Key(pressed) if pressed.kind != KeyEventKind::Release => pressed,
        _ => return None,
    };
    let is_control = pressed.modifiers.contains(KeyModifiers::CONTROL);
    match pressed.code {
        // Where the terminal makes no signal of it.
        KeyCode::Char('c') if is_control => Some(Key::Quit),
        KeyCode::Char('l') if is_control => Some(Key::Redraw),
        KeyCode::Char(_) if is_control => None,
        KeyCode::Char('q' | 'Q') => Some(Key::Quit),
        KeyCode::Char(' ' | 'p') => Some(Key::Pause),
        KeyCode::Char('s') => Some(Key::Sort),
        KeyCode::Char('?' | 'h') => Some(Key::Keys),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Rows(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Rows(1)),
        KeyCode::PageUp => Some(Key::Pages(-1)),
        KeyCode::PageDown => Some(Key::Pages(1)),
        KeyCode::Home => Some(Key::First),
        KeyCode::End => Some(Key::Last),
        _ => None,
    }
}
