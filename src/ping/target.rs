//! Whom to ping, as it is written: on the command line, or in a file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::str::FromStr;

use crate::address::{Host, HostError, Prefix, PrefixError};
use crate::error::{Error, Result};

/// The bytes of a file of targets that are read: more would be more targets than a run takes.
const MOST_FILE_BYTES: u64 = 256 << 20;

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

/// Reads the targets of a file, or of standard input for `-`: one a line, what follows it is not looked at, and
/// a line that is empty or begins with `#` is none.
///
/// Errors: it cannot be read; a line is no target, by its number; there is none at all.
pub(super) fn read(path: &Path) -> Result<Vec<Target>> {
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let cannot =
        |error: io::Error| Error::usage(format!("cannot read the targets in {name}")).caused_by(error);
    let source: Box<dyn Read> =
        if is_stdin { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(cannot)?) };
    let mut targets = Vec::new();
    for (index, line) in BufReader::new(source.take(MOST_FILE_BYTES)).lines().enumerate() {
        let line = line.map_err(cannot)?;
        let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else {
            continue;
        };
        targets.push(word.parse().map_err(|error: TargetError| {
            Error::usage(format!("line {} of {name}: '{word}' is no target: {error}", index + 1))
                .hint("give a name, an address or a prefix on each line")
        })?);
    }
    if targets.is_empty() {
        return Err(Error::usage(format!("there is no target in {name}"))
            .hint("give a name, an address or a prefix on each line"));
    }
    Ok(targets)
}
