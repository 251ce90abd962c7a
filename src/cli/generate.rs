//! `netdiag generate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::Command;
use crate::error::{Error, Result};

/// Writes completion scripts and manual pages
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  netdiag generate completions bash > ~/.local/share/bash-completion/completions/netdiag
  netdiag generate man                    netdiag(1)
  netdiag generate man --dir man1         a page a command")]
pub(super) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The manual page, or with --dir one for each command
    Man {
        /// Write the pages into this directory; it is made if need be
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

impl GenerateArgs {
    pub(super) fn command(self) -> Result<Command> {
        let mut description = super::command();
        match self.what {
            What::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut description, "netdiag", &mut script);
                Ok(Command::Generate(text(script)))
            }
            What::Man { dir: None } => Ok(Command::Generate(text(page(&description)?))),
            What::Man { dir: Some(dir) } => {
                description.build();
                let mut pages = vec![(dir.join("netdiag.1"), page(&description)?)];
                for command in description.get_subcommands() {
                    let name = format!("netdiag-{}", command.get_name());
                    let command = command.clone().name(name.clone());
                    pages.push((dir.join(format!("{name}.1")), page(&command)?));
                }
                Ok(Command::GenerateFiles(pages))
            }
        }
    }
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let written = clap_mangen::Man::new(command.clone()).render(&mut page);
    written.map_err(|source| Error::output("cannot write a manual page").caused_by(source))?;
    Ok(page)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what clap generates from our texts is UTF-8")
}
