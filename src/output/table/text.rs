//! Values as text, and how wide that is.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use crate::output::environment::Screen;
use crate::output::record::{Charset, Mark, Role, Value};

/// The columns that a text takes on a screen.
pub(super) fn columns(text: &str) -> usize {
    // Of escaped text every ASCII character takes one.
    if text.is_ascii() { text.len() } else { text.width() }
}

pub(super) fn rule(charset: Charset) -> char {
    match charset {
        Charset::Ascii => '-',
        Charset::Unicode => '─',
    }
}

/// The columns that a value takes, without making its text where that can be told.
pub(super) fn width(value: &Value, screen: &Screen) -> usize {
    match value {
        Value::Integer(number) => {
            let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
            digits + usize::from(*number < 0)
        }
        Value::Word(word) | Value::Named { shown: word, .. } => columns(word),
        Value::Text(text) if text.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)) => {
            text.as_bytes().len()
        }
        Value::List(items) if screen.is_terminal && !screen.is_flat => {
            items.iter().map(|item| width(item, screen)).max().unwrap_or(0)
        }
        value => columns(&text(value, screen.charset)),
    }
}

/// A number with so many decimals: the standard library's exact conversion takes ten times as long, which a sweep
/// of 65,536 hosts would feel.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
#[expect(clippy::cast_precision_loss, reason = "a power of ten up to a million")]
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    /// Below this every step of the last decimal is far from the float's own.
    const MOST: f64 = 1e9;
    if !(0.0..MOST).contains(&value) || decimals > 6 {
        return format!("{value:.decimals$}");
    }
    let unit = 10_u64.pow(u32::try_from(decimals).unwrap_or(0));
    let scaled = (value * unit as f64).round() as u64;
    let mut text = (scaled / unit).to_string();
    if decimals > 0 {
        let fraction = (scaled % unit + unit).to_string();
        text.push('.');
        text.push_str(&fraction[1..]);
    }
    text
}

/// A value as a person reads it, on one line.
pub(super) fn text(value: &Value, charset: Charset) -> Cow<'static, str> {
    match value {
        Value::Missing => Cow::Borrowed("-"),
        Value::Unsupported => Cow::Borrowed("unsupported"),
        Value::Denied => Cow::Borrowed("denied"),
        Value::Flag(is) => Cow::Borrowed(if *is { "yes" } else { "no" }),
        Value::Word(word) | Value::Named { shown: word, .. } => Cow::Borrowed(word),
        _ => {
            let mut text = String::new();
            write(&mut text, value, charset);
            Cow::Owned(text)
        }
    }
}

/// Adds a value as a person reads it, on one line.
pub(super) fn write(out: &mut String, value: &Value, charset: Charset) {
    let written = match value {
        Value::Missing
        | Value::Unsupported
        | Value::Denied
        | Value::Flag(_)
        | Value::Word(_)
        | Value::Named { .. } => {
            out.push_str(&text(value, charset));
            Ok(())
        }
        Value::Integer(number) => {
            out.push_str(itoa::Buffer::new().format(*number));
            Ok(())
        }
        Value::Real { value, decimals, .. } => {
            out.push_str(&fixed(*value, *decimals));
            Ok(())
        }
        Value::Text(text) => {
            text.escape_into(out, charset);
            Ok(())
        }
        Value::Ip(ip, length) => {
            let written = write!(out, "{ip}");
            written.and_then(|()| length.map_or(Ok(()), |length| write!(out, "/{length}")))
        }
        Value::Trend(marks) => {
            out.extend(trend(marks, charset).into_iter().map(|(_, mark)| mark));
            Ok(())
        }
        Value::List(items) | Value::Series(items) => {
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(out, item, charset);
            }
            Ok(())
        }
    };
    written.expect("writing to memory does not fail");
}

/// A sparkline, each character with its role: times as heights, and marks of their own for what was lost (`x`), what this
/// machine could not send (`!`), and what is not known.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a height below the number of steps"
)]
pub(super) fn trend(marks: &[Mark], charset: Charset) -> Vec<(Role, char)> {
    /// The least difference that fills the height, in microseconds: less is noise, and would look like mountains.
    const LEAST_SPAN_US: f64 = 1_000.0;
    let steps: &[char] = match charset {
        Charset::Ascii => &['_', '.', '-', '=', '^'],
        Charset::Unicode => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    };
    let times = marks.iter().filter_map(|mark| if let Mark::Answered(us) = mark { Some(*us) } else { None });
    let (least, most) = times.fold((f64::MAX, 0.0_f64), |(least, most), us| (least.min(us), most.max(us)));
    // A course that changes by less than half is nearly flat.
    let span = (most - least).max(most * 0.5).max(LEAST_SPAN_US);
    let top = (steps.len() - 1) as f64;
    let step = |us: f64| steps[(((us - least) / span * top).round() as usize).min(steps.len() - 1)];
    let shown = |mark: &Mark| match mark {
        Mark::Answered(us) => (Role::Good, step(*us)),
        Mark::Lost => (Role::Bad, 'x'),
        Mark::Unsent => (Role::Caution, '!'),
        Mark::Unknown => (Role::Dim, '?'),
        Mark::Open => (Role::Dim, if charset == Charset::Ascii { ' ' } else { '·' }),
    };
    marks.iter().map(shown).collect()
}

/// Breaks a line between words so that no piece is wider than `width`; a word is only broken if it is longer
/// than any address.
pub(super) fn wrapped(line: &str, width: usize) -> Vec<String> {
    /// An IPv6 address with a zone and a port.
    const LONGEST_ADDRESS: usize = 62;
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let mut word = word.to_owned();
        while word.width() > width.max(LONGEST_ADDRESS) {
            let end =
                word.char_indices().map(|(at, _)| at).take_while(|at| word[..*at].width() <= width).last();
            let rest = word.split_off(end.unwrap_or(0).max(1));
            lines.push(std::mem::replace(&mut word, rest));
        }
        let last = lines.last_mut().expect("there is always a line to add to");
        if last.is_empty() {
            *last = word;
        } else if last.width() + 1 + word.width() <= width {
            last.push(' ');
            last.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Names of our own below one another in as many columns as fit a width, as ls(1) lists files.
pub(in crate::output) fn in_columns(names: &[String], width: usize) -> Vec<String> {
    const GAP: usize = 2;
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0) + GAP;
    let across = (width / widest.max(1)).max(1);
    let down = names.len().div_ceil(across);
    (0..down)
        .map(|row| {
            let cells: Vec<&str> = names.iter().skip(row).step_by(down).map(String::as_str).collect();
            let (last, before) = cells.split_last().expect("a row begins with a name");
            let mut line = String::new();
            for name in before {
                let _ = write!(line, "{name:widest$}");
            }
            line + last
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_decimals() {
        for (value, decimals, text) in [
            (0.0, 3, "0.000"),
            (0.0199, 3, "0.020"),
            (9.9996, 3, "10.000"),
            (12.5, 0, "13"),
            (100.0, 2, "100.00"),
            (0.3, 1, "0.3"),
            (-1.25, 2, "-1.25"),
            (1e12, 1, "1000000000000.0"),
        ] {
            assert_eq!(fixed(value, decimals), text);
        }
    }

    #[test]
    fn names_are_listed_in_columns() {
        let names: Vec<String> = ["one", "two", "three", "four", "five"].map(str::to_owned).into();
        assert_eq!(in_columns(&names, 16), ["one    four", "two    five", "three"]);
        assert_eq!(in_columns(&names, 3).len(), 5);
        assert!(in_columns(&[], 80).is_empty());
    }

    #[test]
    fn a_sparkline_shows_what_rose_and_what_was_lost() {
        let shown = |marks: &[Mark], charset| -> String {
            trend(marks, charset).into_iter().map(|(_, mark)| mark).collect()
        };
        let ms = |ms: f64| Mark::Answered(ms * 1000.0);
        let marks = [ms(1.0), ms(2.0), Mark::Lost, ms(8.0), ms(4.5), Mark::Unsent, Mark::Open];
        assert_eq!(shown(&marks, Charset::Unicode), "▁▂x█▅!·");
        assert_eq!(shown(&marks, Charset::Ascii), "_.x^-! ");
        // A few microseconds are no mountain.
        assert_eq!(shown(&[ms(0.040), ms(0.042), ms(0.045)], Charset::Unicode), "▁▁▁");
        assert_eq!(shown(&[ms(100.0), ms(101.0)], Charset::Unicode), "▁▁");
        assert_eq!(shown(&[Mark::Lost, Mark::Lost], Charset::Unicode), "xx");
        assert_eq!(trend(&[Mark::Lost], Charset::Unicode)[0].0, Role::Bad);
    }
}
