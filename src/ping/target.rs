//! Whom to ping, as it is written: on the command line, or in a file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::str::FromStr;

use super::{Pace, Request};
use crate::address::{Class, Family, Host, HostError, Prefix, PrefixError, check_family, check_zone};
use crate::error::{Error, Result};

/// The bytes of a file of targets that are read: more would be more targets than a run takes.
const MOST_FILE_BYTES: u64 = 256 << 20;

/// The longest line that is read, in bytes.
const MOST_LINE_BYTES: u64 = 4_096;

/// Whom to ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One host.
    Host(Host),
    /// Every host of a network.
    Prefix(Prefix),
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// It is no prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> std::result::Result<Self, TargetError> {
        if text.contains('/') && !text.contains("://") {
            Ok(Self::Prefix(text.parse()?))
        } else {
            Ok(Self::Host(text.parse()?))
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl Request {
    /// Checks that a target can be pinged as it is asked for.
    ///
    /// Errors: it is of the other family; it is only unique on one link, and it is not said on which; it is a
    /// network, and what is asked for is for hosts.
    pub fn check(&self, target: &Target) -> Result<()> {
        let own = match target {
            Target::Host(host) => host.family(),
            Target::Prefix(prefix) => Some(prefix.family()),
        };
        check_family(self.family, own, target)?;
        match target {
            Target::Host(host) => check_zone(host, self.interface.as_deref()),
            Target::Prefix(prefix) if is_link_local(prefix) && self.interface.is_none() => {
                Err(Error::usage(format!("{prefix} is link-local: name its interface"))
                    .hint("give --interface; `netdiag ifaces` lists the interfaces"))
            }
            Target::Prefix(prefix) if self.pace == Pace::Flood => {
                Err(Error::usage(format!("--flood takes hosts; {prefix} is a prefix"))
                    .hint("--rate 0 sweeps a prefix as fast as possible"))
            }
            Target::Prefix(prefix) if self.finds_pmtu => {
                Err(Error::usage(format!("--pmtu takes hosts; {prefix} is a prefix"))
                    .hint("name hosts instead"))
            }
            Target::Prefix(_) => Ok(()),
        }
    }
}

fn is_link_local(prefix: &Prefix) -> bool {
    prefix.family() == Family::Ipv6 && Class::of(prefix.last()) == Class::LinkLocal
}

/// Reads the targets of a file, or of standard input for `-`: one a line, what follows it is not looked at, and
/// a line that is empty or begins with `#` is none.
///
/// Errors: it cannot be read; a line is no target, by its number; there is none at all.
pub(super) fn read(path: &Path, request: &Request) -> Result<Vec<Target>> {
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let cannot =
        |error: io::Error| Error::usage(format!("cannot read the targets in {name}")).caused_by(error);
    let source: Box<dyn Read> =
        if is_stdin { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(cannot)?) };
    let mut targets = Vec::new();
    let mut source = BufReader::new(source.take(MOST_FILE_BYTES));
    for index in 0.. {
        let mut line = Vec::new();
        let length = source.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line).map_err(cannot)?;
        if length == 0 {
            break;
        }
        let is_cut = length as u64 == MOST_LINE_BYTES && !line.ends_with(b"\n");
        let text = std::str::from_utf8(&line).ok().filter(|_| !is_cut).ok_or_else(|| {
            Error::usage(format!("line {} of {name} is not UTF-8, or too long", index + 1))
                .hint("write one name, address or prefix per line")
        })?;
        // What some editors put in front of a text.
        let line = text.trim_start_matches('\u{feff}');
        let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else {
            continue;
        };
        let target: Target = word.parse().map_err(|error: TargetError| {
            let word: String = word.chars().take(100).collect();
            Error::usage(format!("line {} of {name}: '{word}' is not a target: {error}", index + 1))
                .hint("write one name, address or prefix per line")
        })?;
        request.check(&target).map_err(|error| error.at(format!("line {} of {name}", index + 1)))?;
        targets.push(target);
    }
    if targets.is_empty() {
        return Err(
            Error::usage(format!("{name} has no targets")).hint("write one name, address or prefix per line")
        );
    }
    Ok(targets)
}
