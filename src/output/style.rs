//! The colours: one place that knows what a role looks like.

use super::record::{Charset, Line, Role};

/// The SGR parameters (ECMA-48, 8.3.117) of a role; `None` for text as it is.
fn parameters(role: Role) -> Option<&'static str> {
    match role {
        Role::Plain => None,
        Role::Strong => Some("1"),
        Role::Dim | Role::Prompt | Role::Command => Some("2"),
        Role::Good => Some("32"),
        Role::Caution => Some("33"),
        Role::Bad => Some("31"),
        Role::Address => Some("36"),
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

/// The columns of text that a line takes.
pub(super) fn width(line: &Line, charset: Charset) -> usize {
    let text = line.pieces().iter().map(|(_, text)| text.escaped(charset));
    text.map(|text| unicode_width::UnicodeWidthStr::width(&*text)).sum()
}

/// The columns of text that rendered text takes, its colours not counted.
pub(super) fn visible_columns(rendered: &str) -> usize {
    let mut parts = rendered.split("\x1b[");
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text));
    std::iter::once(first).chain(rest).map(unicode_width::UnicodeWidthStr::width).sum()
}

/// Breaks a line between words, so that its parts fit a width after an indent; a word that is too long stays whole, and so
/// does a piece that two blanks set off, if it fits. Blanks within a part stay as many as they were.
pub(super) fn wrapped(line: &Line, indent: usize, width: usize) -> Vec<Line> {
    let room = width.saturating_sub(indent).max(1);
    let columns = unicode_width::UnicodeWidthStr::width;
    let mut parts = vec![Line::default()];
    let mut used = 0;
    // The blanks before the next word; none if it belongs to the one before it.
    let mut gap = 0;
    for (role, text) in line.pieces() {
        let text = text.to_lossy();
        let whole = text.trim_start_matches(' ');
        let words: Vec<&str> = if text.starts_with("  ") && columns(whole) <= room {
            gap += text.len() - whole.len();
            vec![whole]
        } else {
            text.split(' ').collect()
        };
        for (index, word) in words.into_iter().enumerate() {
            gap += usize::from(index > 0);
            if word.is_empty() {
                continue;
            }
            let length = columns(word);
            if used > 0 && gap > 0 && used + gap + length > room {
                parts.push(Line::default());
                used = 0;
            }
            let mut last = parts.pop().unwrap_or_default();
            if used > 0 && gap > 0 {
                last = last.plain(" ".repeat(gap));
                used += gap;
            }
            used += length;
            gap = 0;
            parts.push(last.with(*role, word));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_lines_fit() {
        let parts = wrapped(&Line::new("one two three four averyveryverylongword end"), 4, 14);
        let shown: Vec<String> =
            parts.iter().map(|part| super::line(part, Charset::Unicode, false)).collect();
        assert_eq!(shown, ["one two", "three four", "averyveryverylongword", "end"]);
        let set_off = Line::new("a  b").plain("   c d").plain("  (e f g)");
        let shown = |width| -> Vec<String> {
            wrapped(&set_off, 0, width)
                .iter()
                .map(|part| super::line(part, Charset::Unicode, false))
                .collect()
        };
        assert_eq!(shown(80), ["a  b   c d  (e f g)"]);
        assert_eq!(shown(16), ["a  b   c d", "(e f g)"]);
        assert_eq!(wrapped(&Line::default(), 4, 20).len(), 1);
        let pieces = Line::default().strong("on").plain(", many").plain(" at ").plain("once; ").dim("end");
        let parts = wrapped(&pieces, 0, 9);
        let shown: Vec<String> =
            parts.iter().map(|part| super::line(part, Charset::Unicode, false)).collect();
        assert_eq!(shown, ["on, many", "at once;", "end"], "pieces of a word stay together");
    }
}
