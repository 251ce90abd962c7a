//! What help and the manual pages say of a command besides its options.

use std::fmt::Write as _;

/// The texts of one command.
pub(super) struct Manual {
    /// What else to know, a paragraph each.
    pub(super) notes: &'static [&'static str],
    /// Command lines, each with what it shows; nothing where the line itself says it.
    pub(super) examples: &'static [(&'static str, &'static str)],
    /// The exit codes, each with when.
    pub(super) exit: &'static [(u8, &'static str)],
    /// Manual pages of related programs and of the protocol, `ping(8)` say.
    pub(super) see_also: &'static [&'static str],
}

/// What the exit codes of every command have in common.
pub(super) const USAGE: (u8, &str) = (2, "wrong usage");
pub(super) const UNWRITTEN: (u8, &str) = (4, "output not written");
pub(super) const INTERRUPTED: (u8, &str) = (130, "interrupted before a result");

impl Manual {
    /// What stands below the options in the short help.
    pub(super) fn short(&self) -> String {
        let mut text = self.notes.join("\n\n");
        if text.is_empty() {
            text = self.codes();
        }
        text
    }

    /// What stands below the options in the long help.
    pub(super) fn long(&self) -> String {
        let mut text = String::new();
        for note in self.notes {
            let _ = write!(text, "{note}\n\n");
        }
        let _ = write!(text, "Examples:\n{}\n{}", self.lines(), self.codes());
        text
    }

    fn codes(&self) -> String {
        let codes: Vec<String> = self.exit.iter().map(|(code, when)| format!("{code} {when}")).collect();
        format!("Exit codes: {}", codes.join("; "))
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        for (line, says) in self.examples {
            let _ = if says.is_empty() {
                writeln!(text, "  {line}")
            } else {
                writeln!(text, "  {line:<38}  {says}")
            };
        }
        text
    }

    /// The last sections of a manual page, in roff (`man(7)`); `pages` are the names of our other ones.
    pub(super) fn sections(&self, pages: &[String]) -> String {
        let mut page = String::new();
        if !self.notes.is_empty() {
            page.push_str(".SH NOTES\n");
            for note in self.notes {
                let _ = writeln!(page, ".PP\n{}", escaped(note));
            }
        }
        page.push_str(".SH EXAMPLES\n");
        for (line, says) in self.examples {
            if !says.is_empty() {
                let (first, rest) = says.split_at(says.chars().next().map_or(0, char::len_utf8));
                let _ = writeln!(page, ".PP\n{}{}:", escaped(&first.to_uppercase()), escaped(rest));
            }
            let _ = writeln!(page, ".PP\n.RS 4\n.nf\n{}\n.fi\n.RE", escaped(line));
        }
        page.push_str(".SH EXIT STATUS\n");
        for (code, when) in self.exit {
            let _ = writeln!(page, ".TP\n\\fB{code}\\fR\n{}", escaped(when));
        }
        page.push_str(".SH SEE ALSO\n");
        let others = self.see_also.iter().map(|name| (*name).to_owned());
        let all: Vec<String> = pages.iter().map(|name| format!("{name}(1)")).chain(others).collect();
        let bold = |name: &String| {
            let (name, section) = name.split_at(name.find('(').unwrap_or(name.len()));
            format!("\\fB{}\\fR{section}", escaped(name))
        };
        page.push_str(&all.iter().map(bold).collect::<Vec<String>>().join(",\n"));
        page.push('\n');
        page
    }
}

/// Text as roff reads it back: a backslash and a hyphen stand for themselves, and no line begins a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_page_say_the_same() {
        let manual = Manual {
            notes: &["One note."],
            examples: &[("netdiag x -4", "what it shows"), ("netdiag x '.\\'", "")],
            exit: &[(0, "success"), USAGE],
            see_also: &["ping(8)"],
        };
        assert_eq!(manual.short(), "One note.");
        assert_eq!(
            manual.long(),
            "One note.\n\nExamples:\n  netdiag x -4                            what it shows\n  netdiag x '.\\'\n\nExit codes: \
             0 success; 2 wrong usage"
        );
        let page = manual.sections(&["netdiag-y".to_owned()]);
        assert!(page.contains(".PP\nWhat it shows:\n"), "{page}");
        assert!(page.contains(".nf\nnetdiag x \\-4\n.fi"), "{page}");
        assert!(page.contains("netdiag x '.\\e'"), "{page}");
        assert!(page.ends_with("\\fBnetdiag\\-y\\fR(1),\n\\fBping\\fR(8)\n"), "{page}");
        assert_eq!(escaped(".SH"), "\\&.SH");
    }
}
