//! The colours: one place that knows what a role looks like.

use super::record::{Charset, Line, Role};

/// The SGR parameters (ECMA-48, 8.3.117) of a role; `None` for text as it is.
fn parameters(role: Role) -> Option<&'static str> {
    match role {
        Role::Plain => None,
        Role::Strong => Some("1"),
        Role::Dim => Some("2"),
        Role::Good => Some("32"),
        Role::Caution => Some("33"),
        Role::Bad => Some("31"),
    }
}

/// Puts already escaped text into its role's colour.
pub(super) fn paint(text: &str, role: Role, colored: bool) -> String {
    match parameters(role) {
        Some(sgr) if colored && !text.is_empty() => format!("\x1b[{sgr}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

/// Renders a line's pieces, escaped and coloured, without a newline.
pub(super) fn line(line: &Line, charset: Charset, colored: bool) -> String {
    line.pieces().iter().map(|(role, text)| paint(&text.escaped(charset), *role, colored)).collect()
}
