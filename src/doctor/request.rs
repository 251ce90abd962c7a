//! What a diagnosis is asked for.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::evidence::{Asked, Service};
use crate::address::{Host, HostError, HostPort};

/// What to diagnose.
#[derive(Clone, Debug)]
pub struct Request {
    /// What cannot be used; `None` for the network at large.
    pub target: Option<Target>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether nothing may be sent beyond the LAN.
    pub is_offline: bool,
    /// The hosts of the internet to compare with.
    pub public: Vec<Host>,
    /// Whether the rules that were considered are told too.
    pub explains: bool,
    /// Where to write the evidence to.
    pub save: Option<PathBuf>,
    /// Where to read evidence from, instead of gathering it.
    pub from: Option<PathBuf>,
}

/// Hosts of the internet that have answered for many years, of three companies, by name and address: each serves DNS and
/// the web.
pub(super) const PUBLIC: [(&str, &str); 3] =
    [("one.one.one.one", "1.1.1.1"), ("dns.google", "8.8.8.8"), ("dns.quad9.net", "9.9.9.9")];
/// The same over IPv6.
pub(super) const PUBLIC_V6: [(&str, &str); 3] = [
    ("one.one.one.one", "2606:4700:4700::1111"),
    ("dns.google", "2001:4860:4860::8888"),
    ("dns.quad9.net", "2620:fe::fe"),
];
/// Pages that are there to be asked whether the web can be had, of three companies: host, path.
pub(super) const PAGES: [(&str, &str); 3] = [
    ("connectivitycheck.gstatic.com", "/generate_204"),
    ("detectportal.firefox.com", "/success.txt"),
    ("nmcheck.gnome.org", "/check_network_status.txt"),
];

/// What cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As it was written.
    text: String,
    /// The host.
    pub host: Host,
    /// The port, if one was said or follows from the scheme.
    pub port: Option<u16>,
    /// What is expected there.
    pub service: Service,
    /// What is asked for of the web.
    pub path: String,
    /// Whether it was written as a URL.
    pub is_url: bool,
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// A part of it is no host or port.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Its scheme is another.
    #[error("'{0}' is not a scheme that can be diagnosed: http and https are")]
    Scheme(String),
    /// It holds a name and a password.
    #[error("a URL with a user's name or password: leave that out, it is not needed for a diagnosis")]
    User,
    /// It holds a character no URL has.
    #[error("a URL cannot contain {0:?}: write it as %XX")]
    Character(char),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return Self::url(text, scheme, rest);
        }
        if text.parse::<IpAddr>().is_err()
            && let Some((scheme, _)) = text.split_once(":/")
        {
            return Err(TargetError::Scheme(scheme.to_owned()));
        }
        let with_port = HostPort::to_connect(text);
        let (host, port) = match (text.parse::<Host>(), with_port) {
            // An IPv6 address could also be read as one with a port.
            (Ok(host @ Host::Address { .. }), _) | (Ok(host), Err(_)) => (host, None),
            (_, Ok(HostPort { host, port })) => (host, Some(port)),
            (Err(error), Err(other)) => {
                let is_with_port = text.contains("]:") || text.matches(':').count() == 1;
                return Err(if is_with_port { other } else { error }.into());
            }
        };
        let service = match port {
            Some(7) => Service::Echo,
            Some(80 | 8080 | 8000 | 8008) => Service::Http,
            Some(443 | 8443) => Service::Https,
            _ => Service::Unknown,
        };
        Ok(Self { text: text.to_owned(), host, port, service, path: "/".to_owned(), is_url: false })
    }
}

impl Target {
    fn url(text: &str, scheme: &str, rest: &str) -> Result<Self, TargetError> {
        let (service, usual) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Service::Http, 80),
            "https" => (Service::Https, 443),
            _ => return Err(TargetError::Scheme(scheme.to_owned())),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(TargetError::User);
        }
        let path = path.split('#').next().unwrap_or_default();
        let foreign = |c: &char| c.is_whitespace() || c.is_control() || !c.is_ascii();
        if let Some(character) = path.chars().find(foreign) {
            return Err(TargetError::Character(character));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let bare = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let (host, port) = match bare {
            Some(address) => (address.parse::<Host>()?, usual),
            None => match authority.parse::<Host>() {
                Ok(host) => (host, usual),
                Err(error) => {
                    let HostPort { host, port } = HostPort::to_connect(authority)
                        .map_err(|other| if authority.contains(':') { other } else { error })?;
                    (host, port)
                }
            },
        };
        Ok(Self { text: text.to_owned(), host, port: Some(port), service, path, is_url: true })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host as the Host header has it, with the port if it is not the scheme's.
    pub(super) fn header(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.as_str().to_owned(),
            Host::Address { ip: IpAddr::V6(ip), .. } => format!("[{ip}]"),
            Host::Address { ip, .. } => ip.to_string(),
        };
        match (self.service, self.port) {
            (Service::Http, Some(80)) | (Service::Https, Some(443)) | (_, None) => host,
            (_, Some(port)) => format!("{host}:{port}"),
        }
    }

    /// The host as TLS has it.
    pub(super) fn server_name(&self) -> String {
        match &self.host {
            Host::Name(name) => name.as_str().trim_end_matches('.').to_owned(),
            Host::Address { ip, .. } => ip.to_string(),
        }
    }

    /// It as the evidence has it.
    pub(super) fn asked(&self) -> Asked {
        let (name, address) = match &self.host {
            Host::Name(name) => (Some(name.as_str().to_owned()), None),
            Host::Address { ip, .. } => (None, Some(*ip)),
        };
        Asked {
            text: self.text.clone(),
            name,
            address,
            port: self.port,
            service: self.service,
            is_url: self.is_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_people_write_them() {
        for (text, port, service, path) in [
            ("shop.test", None, Service::Unknown, "/"),
            ("10.0.0.1", None, Service::Unknown, "/"),
            ("fd10::1", None, Service::Unknown, "/"),
            ("shop.test:7", Some(7), Service::Echo, "/"),
            ("[fd10::1]:443", Some(443), Service::Https, "/"),
            ("http://shop.test", Some(80), Service::Http, "/"),
            ("HTTPS://shop.test:444/a?b#c", Some(444), Service::Https, "/a?b"),
            ("http://[fd10::1]/", Some(80), Service::Http, "/"),
            ("http://shop.test?q", Some(80), Service::Http, "/?q"),
        ] {
            let target: Target = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((target.port, target.service, target.path.as_str()), (port, service, path), "{text}");
        }
        for text in [
            "",
            "ftp://a/",
            "http://",
            "http:///x",
            "http://a b/",
            "http://u:p@a/",
            "a\u{1}b",
            "http://a/\u{7}",
            "shop.test:0",
            "shop.test:x",
            "[::1",
            "http://a:99999/",
            "mailto:/x",
            "://",
            "http://a/ü",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }
}
