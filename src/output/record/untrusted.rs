//! Text from outside this program, and the only way it reaches a screen: escaped.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

/// Bytes that somebody else chose: an interface's alias, a host name, a banner.
///
/// It has no `Display`. A terminal sees it through [`Untrusted::escaped`]; JSON sees the real text, with
/// invalid UTF-8 replaced, because a JSON string cannot carry bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Untrusted(Vec<u8>);

/// The characters that a screen can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Only printable ASCII: the locale is not UTF-8.
    Ascii,
    /// All of Unicode that is visible and does not reorder its neighbours.
    Unicode,
}

impl Untrusted {
    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text with invalid UTF-8 replaced by U+FFFD, for JSON and for comparisons, never for a screen.
    pub fn to_lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The text with everything that could act on a terminal or deceive its reader made visible.
    ///
    /// Control characters become `\n`, `\x1b` or `\u{9b}`; bidirectional controls (UAX #9), zero-width and
    /// other invisible characters become `\u{202e}`; bytes that are not UTF-8 become `\xff`.
    pub fn escaped(&self, charset: Charset) -> String {
        let mut out = String::with_capacity(self.0.len());
        self.escape_into(&mut out, charset);
        out
    }

    /// Adds that text to another.
    pub fn escape_into(&self, out: &mut String, charset: Charset) {
        if self.0.iter().all(|b| (b' '..=b'~').contains(b)) {
            out.extend(std::str::from_utf8(&self.0));
            return;
        }
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                escape_into(out, c, charset);
            }
            for byte in chunk.invalid() {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
}

fn escape_into(out: &mut String, c: char, charset: Charset) {
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", c as u32),
        ' '..='~' => out.write_char(c),
        _ if charset == Charset::Ascii || is_invisible(c) => write!(out, "\\u{{{:x}}}", c as u32),
        _ => out.write_char(c),
    };
}

/// Whether a character beyond ASCII is a control, reorders text, or shows nothing.
///
/// Unicode's general categories Cc, Cf, Zl, Zp and Co, the default-ignorable fillers, the blanks that look
/// like nothing or like a space, and the noncharacters.
pub(in crate::output) fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0x7f..=0xa0
        | 0xad
        | 0x034f
        | 0x0600..=0x0605 | 0x061c | 0x06dd | 0x070f | 0x0890..=0x0891 | 0x08e2
        | 0x115f..=0x1160 | 0x1680 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x2800
        | 0x3000 | 0x3164
        | 0xe000..=0xf8ff
        | 0xfdd0..=0xfdef | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xfffe..=0xffff
        | 0x1_10bd | 0x1_10cd | 0x1_3430..=0x1_343f | 0x1_bca0..=0x1_bca3 | 0x1_d173..=0x1_d17a
        | 0xe_0000..=0x10_ffff)
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<Vec<u8>> for Untrusted {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Untrusted {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Serialize for Untrusted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unicode(bytes: &[u8]) -> String {
        Untrusted::from(bytes).escaped(Charset::Unicode)
    }

    #[test]
    fn what_acts_on_a_terminal_is_shown_not_sent() {
        assert_eq!(unicode(b"a\x1b[31mred\x07\x7f"), "a\\x1b[31mred\\x07\\x7f");
        assert_eq!(unicode("\u{9b}2J".as_bytes()), "\\u{9b}2J");
        assert_eq!(unicode(b"one\r\n\ttwo\0"), "one\\r\\n\\ttwo\\x00");
        assert_eq!(unicode("evil\u{202e}txt.exe\u{200b}".as_bytes()), "evil\\u{202e}txt.exe\\u{200b}");
        assert_eq!(unicode(b"\xff\xfeok\xc3"), "\\xff\\xfeok\\xc3");
    }

    #[test]
    fn visible_text_stays_as_it_is() {
        assert_eq!(unicode("Büro 東京 ✓".as_bytes()), "Büro 東京 ✓");
        let ascii = Untrusted::from("Büro").escaped(Charset::Ascii);
        assert_eq!(ascii, "B\\u{fc}ro");
    }

    #[test]
    fn no_character_at_all_leaves_a_control_behind() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_control() || is_invisible(*c)) {
            let shown = Untrusted::from(c.to_string()).escaped(Charset::Unicode);
            assert!(
                shown.bytes().all(|b| (b'!'..=b'~').contains(&b)),
                "{:x} came out as {shown:?}",
                c as u32
            );
        }
    }
}
