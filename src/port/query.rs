//! How a user asks for ports: a number, a range, a service's name, with a protocol if wanted.

use std::str::FromStr;

use glob::Pattern;
use thiserror::Error;

use super::Transport;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The ports.
    pub ports: Asked,
    /// The protocol, where one was named beside them: `443/tcp`, `tcp:443`.
    pub transport: Option<Transport>,
}

/// The ports that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// From the first to the last, which may be the same.
    Range(u16, u16),
    /// Those of a service's name.
    Name(String),
    /// Those of all services whose names match.
    Pattern(Pattern),
}

/// Why a text asks for no port.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// A number that is no port.
    #[error("{0} is not a port: ports are 0 to 65535")]
    Number(String),
    /// A range whose end is before its beginning.
    #[error("the range is reversed: write {1}-{0}")]
    Backwards(u16, u16),
    /// A port of a host, which is not about this machine's ports.
    #[error(
        "this is a port of a host: netdiag tcp-echo {0} probes it; netdiag port {1} shows this machine's port"
    )]
    Endpoint(String, String),
    /// A protocol that has no ports here.
    #[error("unknown protocol '{0}': tcp or udp")]
    Protocol(String),
    /// Neither a number nor anything a service can be called (RFC 6335, 5.1).
    #[error("'{0}' is not a port, a range such as 20-25, or a service name such as https")]
    Neither(String),
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        // Behind a slash, as getent and IANA have it: 443/tcp.
        if let Some((ports, protocol)) = text.split_once('/') {
            return Ok(Self { ports: ports.parse()?, transport: Some(protocol_named(protocol)?) });
        }
        // Before a colon, as lsof has it: tcp:443. Nothing before one is any address: :8080.
        match text.rsplit_once(':') {
            // As ss has any address: *:8080.
            Some(("" | "*", ports)) => Ok(Self { ports: ports.parse()?, transport: None }),
            Some((protocol, ports)) if protocol_named(protocol).is_ok() => {
                Ok(Self { ports: ports.parse()?, transport: Some(protocol_named(protocol)?) })
            }
            // An IPv6 address alone, or a host without a port, is not an endpoint.
            Some((host, port)) if !port.is_empty() && (host.starts_with('[') || !host.contains(':')) => {
                Err(QueryError::Endpoint(text.to_owned(), port.to_owned()))
            }
            Some(_) => Err(QueryError::Neither(text.to_owned())),
            None => Ok(Self { ports: text.parse()?, transport: None }),
        }
    }
}

fn protocol_named(name: &str) -> Result<Transport, QueryError> {
    match name.to_ascii_lowercase().as_str() {
        "tcp" | "tcp4" | "tcp6" => Ok(Transport::Tcp),
        "udp" | "udp4" | "udp6" => Ok(Transport::Udp),
        _ => Err(QueryError::Protocol(name.to_owned())),
    }
}

impl FromStr for Asked {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if is_number(unsigned) {
            let port = number(text)?;
            return Ok(Self::Range(port, port));
        }
        let neither = || QueryError::Neither(text.to_owned());
        match text.split_once('-') {
            Some((first, last)) if is_number(first) && is_number(last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    Err(QueryError::Backwards(first, last))
                } else {
                    Ok(Self::Range(first, last))
                }
            }
            _ if text.starts_with('-') || !text.bytes().all(|b| b.is_ascii_graphic() && b != b':') => {
                Err(neither())
            }
            _ if text.contains(['*', '?', '[']) => {
                Pattern::new(text).map(Self::Pattern).map_err(|_| neither())
            }
            _ if text.bytes().any(|b| b.is_ascii_alphabetic()) => Ok(Self::Name(text.to_owned())),
            _ => Err(neither()),
        }
    }
}

fn number(text: &str) -> Result<u16, QueryError> {
    let is_unsigned = !text.starts_with(['-', '+']);
    text.parse().ok().filter(|_| is_unsigned).ok_or_else(|| QueryError::Number(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ranges_names_and_protocols() {
        let plain = |ports| Query { ports, transport: None };
        let of = |ports, transport| Query { ports, transport: Some(transport) };
        for (text, query) in [
            ("0", plain(Asked::Range(0, 0))),
            ("65535", plain(Asked::Range(65535, 65535))),
            ("20-25", plain(Asked::Range(20, 25))),
            (":8080", plain(Asked::Range(8080, 8080))),
            ("*:8080", plain(Asked::Range(8080, 8080))),
            ("http-alt", plain(Asked::Name("http-alt".into()))),
            ("3com-tsmux", plain(Asked::Name("3com-tsmux".into()))),
            ("http*", plain(Asked::Pattern(Pattern::new("http*").expect("a pattern")))),
            ("443/tcp", of(Asked::Range(443, 443), Transport::Tcp)),
            ("tcp:443", of(Asked::Range(443, 443), Transport::Tcp)),
            ("domain/UDP", of(Asked::Name("domain".into()), Transport::Udp)),
            ("udp:53-67", of(Asked::Range(53, 67), Transport::Udp)),
        ] {
            assert_eq!(text.parse(), Ok(query), "{text}");
        }
    }

    #[test]
    fn what_is_no_port_says_why() {
        let endpoint = |text: &str, port: &str| QueryError::Endpoint(text.into(), port.into());
        for (text, error) in [
            ("65536", QueryError::Number("65536".into())),
            ("-1", QueryError::Number("-1".into())),
            ("+1", QueryError::Number("+1".into())),
            ("70000-80000", QueryError::Number("70000".into())),
            ("80-70000", QueryError::Number("70000".into())),
            ("90-80", QueryError::Backwards(90, 80)),
            ("", QueryError::Neither(String::new())),
            ("1-2-3", QueryError::Neither("1-2-3".into())),
            ("h ttp", QueryError::Neither("h ttp".into())),
            ("ht\x1btp", QueryError::Neither("ht\x1btp".into())),
            ("localhost:443", endpoint("localhost:443", "443")),
            ("[::1]:443", endpoint("[::1]:443", "443")),
            ("443/sctp", QueryError::Protocol("sctp".into())),
            ("http[", QueryError::Neither("http[".into())),
            ("::1", QueryError::Neither("::1".into())),
            ("fe80::abcd", QueryError::Neither("fe80::abcd".into())),
            ("localhost:", QueryError::Neither("localhost:".into())),
            ("tcp:443/tcp", QueryError::Neither("tcp:443".into())),
        ] {
            assert_eq!(text.parse::<Query>(), Err(error), "{text:?}");
        }
    }
}
