//! What was asked, and by whom.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What was asked, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The version of this program.
    pub version: String,
    /// When, by this machine's clock, in seconds since 1970.
    pub at_unix_s: u64,
    /// The operating system.
    pub system: String,
    /// What the target is; `None` for the internet at large.
    pub target: Option<Asked>,
    /// Whether nothing beyond the LAN was to be asked.
    pub is_offline: bool,
    /// Whether this ran as root.
    pub is_root: bool,
    /// Whether the run was broken off before its end, by the user or for want of time.
    pub is_cut_short: bool,
}

/// A target as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Asked {
    /// As it was written.
    pub text: String,
    /// Its name; `None` if it is an address.
    pub name: Option<String>,
    /// Its address; `None` if it is a name.
    pub address: Option<IpAddr>,
    /// Its port; `None` if none was said.
    pub port: Option<u16>,
    /// What is expected to answer there.
    pub service: Service,
    /// Whether it was written as a URL, so that one page is meant and not only the host.
    pub is_url: bool,
}

/// A target as a file has it: those of an earlier format do not say whether it was a URL.
#[derive(Deserialize)]
struct Written {
    text: String,
    name: Option<String>,
    address: Option<IpAddr>,
    port: Option<u16>,
    service: Service,
    is_url: Option<bool>,
}

impl From<Written> for Asked {
    fn from(written: Written) -> Self {
        let Written { text, name, address, port, service, is_url } = written;
        let is_url = is_url.unwrap_or_else(|| text.contains("://"));
        Self { text, name, address, port, service, is_url }
    }
}

/// What is expected to answer on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Whatever came is sent back (RFC 862).
    Echo,
    /// The web.
    Http,
    /// The web through TLS.
    Https,
    /// It is not known; a connection is all that can be tried.
    #[default]
    Unknown,
}
