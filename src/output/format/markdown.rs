//! Markdown as GitHub and GitLab read it (CommonMark with tables): a page to paste into a ticket or a pull request.
//!
//! Every text is escaped, so that a `|`, a backtick or a `<` in a name stays what it is.

use std::fmt::Write as _;

use super::{Style, Whole, tell_if_urgent};
use crate::output::record::{
    Align, Appendix, Attention, Block, Cell, Charset, Event, Layout, Line, Record, Report, Role, Value,
};
use crate::output::select::{Choice, Rows, of_ids};
use crate::output::table::value_text;
use crate::output::{Emitter, Options};

pub(super) struct Markdown;

impl Style for Markdown {
    fn event<E: Event>(emitter: &mut Emitter, event: &E) {
        tell_if_urgent(emitter, event);
    }

    fn report<R: Report>(emitter: &mut Emitter, whole: &Whole<'_, R>) {
        let report = whole.report;
        let mut page = Page::default();
        // `netdiag.port/1` is what `netdiag port` says.
        let command = R::SCHEMA.split('/').next().unwrap_or_default().replace('.', " ");
        let at = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
        page.paragraph(&format!("**{command}** {}, {at}", env!("CARGO_PKG_VERSION")));
        for line in report.headline().iter().chain(&report.only_in_events()) {
            page.paragraph(&inline(line));
        }
        let is_blocks = matches!(report.layout(), Layout::Blocks) && whole.named.is_none();
        if is_blocks {
            for index in whole.rows.order() {
                page.block(&report.block(*index));
            }
        } else {
            let lines = if let Layout::Lines(ids) = report.layout() { Some(of_ids(ids)) } else { None };
            let named = whole.named.map(<[_]>::to_vec).or(lines);
            let verbose = emitter.options.verbose;
            page.rows(whole.rows, &named.map_or(Choice::Default { verbose }, Choice::Named));
        }
        if !emitter.options.quiet {
            for line in report.notes() {
                page.paragraph(&inline(&line));
            }
        }
        for appendix in report.appendices() {
            page.appendix(&appendix);
        }
        if !emitter.options.quiet {
            for warning in report.warnings() {
                page.quote(&format!("**warning:** {}", escaped(&warning.message)));
            }
        }
        emitter.out.write(&page.text);
    }

    fn attention(_: &Options) -> Attention {
        Attention::None
    }
}

/// A page as it grows: its parts have a blank line between them.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("writing to memory does not fail");
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn paragraph(&mut self, text: &str) {
        // A line of nothing is a gap on a screen, and is one here anyway.
        if !text.trim().is_empty() {
            self.gap();
            self.text.push_str(text.trim());
            self.text.push('\n');
        }
    }

    fn quote(&mut self, text: &str) {
        self.gap();
        self.text.push_str("> ");
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A block: its title, and a list with an item for each label.
    fn block(&mut self, block: &Block) {
        self.paragraph(&inline(&block.title));
        if block.fields.is_empty() {
            return;
        }
        self.text.push('\n');
        for (label, lines) in &block.fields {
            let label = escaped(label);
            if let [line] = lines.as_slice() {
                self.write(format_args!("- **{label}:** {}\n", inline(line).trim()));
                continue;
            }
            self.write(format_args!("- **{label}:**\n"));
            for line in lines {
                self.write(format_args!("  - {}\n", inline(line).trim()));
            }
        }
    }

    fn rows<R: Record + Clone>(&mut self, rows: &Rows<'_, R>, choice: &Choice<R>) {
        let (columns, _) = choice.columns(rows, |_, _, _| {});
        self.head(columns.iter().map(|column| (column.title, column.align)));
        for row in rows.iter() {
            self.row(columns.iter().map(|column| (column.cell)(&row)));
        }
    }

    fn appendix(&mut self, appendix: &Appendix) {
        self.gap();
        self.write(format_args!("<details><summary>{}</summary>\n", appendix.title));
        self.head(appendix.columns.iter().map(|title| (*title, Align::Left)));
        for row in &appendix.rows {
            self.row(row.iter().cloned());
        }
        self.text.push_str("\n</details>\n");
    }

    /// The head of a table, with the side that each column is flush with.
    fn head<'a>(&mut self, columns: impl Iterator<Item = (&'a str, Align)> + Clone) {
        self.gap();
        self.text.push('|');
        for (title, _) in columns.clone() {
            self.write(format_args!(" {} |", escaped(title)));
        }
        self.text.push_str("\n|");
        for (_, align) in columns {
            self.text.push_str(if align == Align::Right { " ---: |" } else { " --- |" });
        }
        self.text.push('\n');
    }

    fn row(&mut self, cells: impl Iterator<Item = Cell>) {
        self.text.push('|');
        for cell in cells {
            self.text.push(' ');
            self.text.push_str(&value(&cell.value));
            self.text.push_str(" |");
        }
        self.text.push('\n');
    }
}

/// A cell's text; the items of a list each have a line.
fn value(value: &Value) -> String {
    match value {
        Value::List(items) => items.iter().map(self::value).collect::<Vec<_>>().join("<br>"),
        other => escaped(&value_text(other)),
    }
}

/// A line with its emphasis: commands as code, what strikes the eye in bold.
fn inline(line: &Line) -> String {
    let piece = |(role, text): &(Role, crate::output::record::Untrusted)| {
        let text = text.escaped(Charset::Unicode);
        match role {
            // Code is seen to be a command without.
            Role::Prompt => String::new(),
            Role::Command => code(&text),
            Role::Strong | Role::Good | Role::Caution | Role::Bad => emphasised(&text),
            Role::Plain | Role::Dim | Role::Address => escaped(&text),
        }
    };
    line.pieces().iter().map(piece).collect()
}

/// Bold text; the blanks around it stay outside, or the asterisks would be read as such.
fn emphasised(text: &str) -> String {
    let inner = text.trim();
    if inner.is_empty() {
        return text.to_owned();
    }
    let (before, rest) = text.split_at(text.len() - text.trim_start().len());
    let after = &rest[inner.len()..];
    format!("{before}**{}**{after}", escaped(inner))
}

/// A code span, with more backticks around it than there are in it (CommonMark 0.31, 6.1).
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    // Even in code, a bar ends a table's cell.
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

/// Text that is no Markdown: what would be read as such has a backslash before it (CommonMark 0.31, 2.4), and what GitHub
/// makes of a name or of HTML is left as it is written.
fn escaped(text: &str) -> String {
    const SPECIAL: &str = "\\`*_[]<>|~#$&@";
    if !text.contains(|c| SPECIAL.contains(c)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // A name behind it would be told.
            '@' => out.push_str("&#64;"),
            c if SPECIAL.contains(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_what_they_are() {
        for (text, shown) in [
            ("eth0", "eth0"),
            ("a|b", "a\\|b"),
            ("`rm`", "\\`rm\\`"),
            ("veth_a_b", "veth\\_a\\_b"),
            ("<b>&", "&lt;b\\>&amp;"),
            ("a\\", "a\\\\"),
            ("dig @9.9.9.9", "dig &#64;9.9.9.9"),
        ] {
            assert_eq!(escaped(text), shown, "{text}");
        }
    }

    #[test]
    fn commands_are_code_whatever_they_hold() {
        assert_eq!(code("ip route"), "`ip route`");
        assert_eq!(code("echo `date` | cat"), "`` echo `date` \\| cat ``");
    }

    #[test]
    fn emphasis_has_no_blanks_inside() {
        assert_eq!(emphasised("why: "), "**why:** ");
        assert_eq!(emphasised("  "), "  ");
        let line = Line::default().with(Role::Bad, "broken").plain(": a_b");
        assert_eq!(inline(&line), "**broken**: a\\_b");
    }

    #[test]
    fn lists_stand_in_one_cell() {
        let cell = Cell::list(["10.0.0.1", "a|b"]);
        assert_eq!(value(&cell.value), "10.0.0.1<br>a\\|b");
        assert_eq!(value(&Value::Missing), "-");
    }
}
