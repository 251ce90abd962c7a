//! What the streams are connected to, and what the user's environment asks for.

use std::io::{IsTerminal, stderr, stdout};

use super::record::Charset;
use super::{ColorChoice, Options};

/// How one run writes: decided once from the options, the terminal and the environment variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub(super) struct Screen {
    /// Whether standard output is a terminal, so that a person is looking.
    pub(super) is_terminal: bool,
    /// The columns of text there is room for; `None` for no limit.
    pub(super) width: Option<usize>,
    /// Whether standard output takes colours.
    pub(super) colored: bool,
    /// Whether standard error takes colours.
    pub(super) errors_colored: bool,
    /// Whether lists stay on one line even there.
    pub(super) is_flat: bool,
    /// What the locale can show.
    pub(super) charset: Charset,
    /// Whether standard output is a terminal that can go back and write again.
    pub(super) can_redraw: bool,
    /// Whether standard error is one.
    pub(super) has_progress: bool,
}

/// The environment variables that matter to output, by name.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Screen {
    /// Looks at the terminal and the environment of this process.
    pub(super) fn detect(options: &Options) -> Self {
        let variables = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let is_terminal = stdout().is_terminal();
        let terminal_width = is_terminal
            .then(|| terminal_size::terminal_size_of(stdout()))
            .flatten()
            .map(|(width, _)| usize::from(width.0));
        Self {
            is_terminal,
            is_flat: false,
            width: width(options.width, terminal_width, &variables),
            colored: colored(options.color, is_terminal, &variables),
            errors_colored: colored(options.color, stderr().is_terminal(), &variables),
            charset: charset(&variables),
            can_redraw: is_terminal && !is_dumb(&variables),
            has_progress: stderr().is_terminal() && !is_dumb(&variables),
        }
    }
}

/// The lines of the terminal that standard output is, and the columns of text of a line, as they are now.
pub(super) fn terminal_size() -> Option<(usize, usize)> {
    let (width, height) = terminal_size::terminal_size_of(stdout())?;
    Some((usize::from(height.0), usize::from(width.0)))
}

/// The characters of a line of the terminal that standard error is, as they are now.
pub(super) fn error_columns() -> Option<usize> {
    terminal_size::terminal_size_of(stderr()).map(|(width, _)| usize::from(width.0))
}

/// Whether the terminal only takes characters and line feeds (terminfo's `dumb`).
fn is_dumb(variables: Variables) -> bool {
    variables("TERM").is_none_or(|term| term.is_empty() || term == "dumb") && !cfg!(windows)
}

/// `--width`, else the terminal, else COLUMNS, else no limit.
fn width(flag: Option<usize>, terminal: Option<usize>, variables: Variables) -> Option<usize> {
    let columns = || variables("COLUMNS")?.trim().parse().ok();
    flag.or(terminal).or_else(columns).filter(|width| *width > 0)
}

/// `--color`, else NO_COLOR (<https://no-color.org>), else CLICOLOR_FORCE and CLICOLOR
/// (<https://bixense.com/clicolors>), else whether it is a terminal that is not dumb.
fn colored(flag: ColorChoice, is_terminal: bool, variables: Variables) -> bool {
    let set = |name: &str| variables(name).is_some_and(|value| !value.is_empty());
    let is_zero = |name: &str| variables(name).as_deref() == Some("0");
    match flag {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE") && !is_zero("CLICOLOR_FORCE") => true,
        ColorChoice::Auto => {
            is_terminal && variables("TERM").as_deref() != Some("dumb") && !is_zero("CLICOLOR")
        }
    }
}

/// What the locale's character type allows (POSIX: LC_ALL, LC_CTYPE, LANG, the first that is not empty).
fn charset(variables: Variables) -> Charset {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| variables(name)).find(|v| !v.is_empty());
    let is_utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    // Windows has no such variables; Rust writes UTF-16 to its console.
    if is_utf8 || cfg!(windows) { Charset::Unicode } else { Charset::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn flag_beats_no_color_beats_force_beats_terminal() {
        use ColorChoice::{Always, Auto, Never};
        assert!(colored(Always, false, &given(&[("NO_COLOR", "1")])));
        assert!(!colored(Never, true, &given(&[("CLICOLOR_FORCE", "1")])));
        assert!(!colored(Auto, true, &given(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")])));
        assert!(colored(Auto, true, &given(&[("NO_COLOR", "")])));
        assert!(colored(Auto, false, &given(&[("CLICOLOR_FORCE", "1")])));
        assert!(!colored(Auto, false, &given(&[("CLICOLOR_FORCE", "0")])));
        assert!(!colored(Auto, true, &given(&[("TERM", "dumb")])));
        assert!(!colored(Auto, true, &given(&[("TERM", "xterm"), ("CLICOLOR", "0")])));
        assert!(colored(Auto, true, &given(&[("TERM", "xterm")])));
        assert!(!colored(Auto, false, &given(&[])));
    }

    #[test]
    fn width_comes_from_the_flag_the_terminal_columns_or_nothing() {
        let columns = given(&[("COLUMNS", "70")]);
        assert_eq!(width(Some(40), Some(80), &columns), Some(40));
        assert_eq!(width(None, Some(80), &columns), Some(80));
        assert_eq!(width(None, None, &columns), Some(70));
        assert_eq!(width(None, None, &given(&[("COLUMNS", "wide")])), None);
        assert_eq!(width(None, None, &given(&[])), None);
    }

    #[test]
    #[cfg(not(windows))]
    fn the_first_locale_that_is_set_decides() {
        assert_eq!(charset(&given(&[("LANG", "de_DE.UTF-8")])), Charset::Unicode);
        assert_eq!(charset(&given(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")])), Charset::Ascii);
        assert_eq!(charset(&given(&[("LC_ALL", ""), ("LC_CTYPE", "en_GB.utf8")])), Charset::Unicode);
        assert_eq!(charset(&given(&[])), Charset::Ascii);
    }
}
