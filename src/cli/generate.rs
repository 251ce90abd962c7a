//! `netdiag generate`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Arg, Args, Subcommand, ValueHint};
use clap_complete::Shell;

use super::Command;
use super::manual::{self, Manual};
use crate::error::{Error, Result};

/// What help and the manual page say besides the options.
pub(super) const MANUAL: Manual = Manual {
    notes: &[],
    examples: &[
        ("netdiag generate completions bash > ~/.local/share/bash-completion/completions/netdiag", ""),
        ("netdiag generate man", "netdiag(1)"),
        ("netdiag generate man --dir man1", "a page a command"),
    ],
    exit: &[(0, "success"), manual::USAGE, manual::UNWRITTEN],
    see_also: &["man(1)"],
};

/// Writes completion scripts and manual pages
#[derive(Args)]
pub(super) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Manual page netdiag(1), or with --dir one page per command
    Man {
        /// Write all pages into this directory, which is created if missing
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

impl GenerateArgs {
    pub(super) fn command(self) -> Result<Command> {
        match self.what {
            What::Completions { shell } => Ok(Command::Generate(completions(shell))),
            What::Man { dir } => {
                let mut description = super::command().disable_help_subcommand(true);
                description.build();
                let commands: Vec<(String, clap::Command)> = description
                    .get_subcommands()
                    .map(|command| (format!("netdiag-{}", command.get_name()), command.clone()))
                    .collect();
                let of_commands: Vec<String> = commands.iter().map(|(name, _)| name.clone()).collect();
                let whole = page("netdiag", &description, &super::MANUAL, &of_commands)?;
                let Some(dir) = dir else { return Ok(Command::Generate(text(whole))) };
                let mut pages = vec![(dir.join("netdiag.1"), whole)];
                for (name, command) in commands {
                    let manual = super::manual_of(command.get_name());
                    let others = std::iter::once("netdiag".to_owned())
                        .chain(of_commands.iter().filter(|other| **other != name).cloned());
                    let page = page(&name, &command, manual, &others.collect::<Vec<String>>())?;
                    pages.push((dir.join(format!("{name}.1")), page));
                }
                Ok(Command::GenerateFiles(pages))
            }
        }
    }
}

/// A completion script that offers files only where one is meant.
fn completions(shell: Shell) -> String {
    let mut description = hinted(super::command(), shell);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut description, "netdiag", &mut script);
    let script = text(script);
    match shell {
        // Without an offer of the script's own, bash and fish would offer files.
        Shell::Bash => script.replace(" -o bashdefault -o default", ""),
        Shell::Fish => script + "complete -c netdiag -f\n",
        _ => script,
    }
}

/// The same command, each of its values hinted at; what a shell does not know it takes for the name of a file.
fn hinted(command: clap::Command, shell: Shell) -> clap::Command {
    let hint = |arg: Arg| {
        let known = match arg.get_value_hint() {
            ValueHint::FilePath | ValueHint::DirPath => true,
            ValueHint::Hostname | ValueHint::Username => shell != Shell::Bash,
            _ => false,
        };
        if known || !arg.get_action().takes_values() { arg } else { arg.value_hint(ValueHint::Other) }
    };
    command.mut_args(hint).mut_subcommands(|command| hinted(command, shell))
}

/// A manual page; `others` are the names of those to see, too.
fn page(name: &str, command: &clap::Command, manual: &Manual, others: &[String]) -> Result<Vec<u8>> {
    let described = command.clone().name(name.to_owned()).override_usage(synopsis(command));
    let page = clap_mangen::Man::new(described)
        .title(name)
        .source(concat!("netdiag ", env!("CARGO_PKG_VERSION")))
        .manual("netdiag manual");
    let mut text = Vec::new();
    let written = (|| {
        page.render_title(&mut text)?;
        page.render_name_section(&mut text)?;
        page.render_synopsis_section(&mut text)?;
        page.render_description_section(&mut text)?;
        page.render_options_section(&mut text)?;
        if command.has_subcommands() {
            page.render_subcommands_section(&mut text)?;
        }
        text.write_all(manual.sections(others).as_bytes())
    })();
    written.map_err(|source| Error::output("cannot write a manual page").caused_by(source))?;
    Ok(text)
}

/// How a command is called: its own options with their values, those of the output as one, and what it is about.
fn synopsis(command: &clap::Command) -> String {
    let mut words = vec![command.get_bin_name().unwrap_or("netdiag").to_owned()];
    let (mut of_output, mut takes_more) = (false, Vec::new());
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let values = || arg.get_value_names().into_iter().flatten().map(clap::builder::Str::as_str);
        if arg.is_positional() {
            let several =
                if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { " ..." } else { "" };
            let value = values().collect::<Vec<&str>>().join(" ") + several;
            takes_more.push(if arg.is_required_set() { value } else { format!("[{value}]") });
            continue;
        }
        if arg.is_global_set() {
            of_output = true;
            continue;
        }
        let short = arg.get_short().map(|short| format!("-{short}"));
        let Some(option) = short.or_else(|| arg.get_long().map(|long| format!("--{long}"))) else { continue };
        let taken = if arg.get_action().takes_values() { values().collect() } else { Vec::new() };
        let words_of_it: Vec<&str> = std::iter::once(option.as_str()).chain(taken).collect();
        words.push(format!("[{}]", words_of_it.join(" ")));
    }
    if of_output {
        words.push("[OUTPUT OPTIONS]".to_owned());
    }
    words.extend(takes_more);
    if command.has_subcommands() {
        words.push("COMMAND".to_owned());
    }
    words.join(" ")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what clap generates from our texts is UTF-8")
}
