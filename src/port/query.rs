//! How a user asks for ports: a number, a range, a service name.

use std::str::FromStr;

use thiserror::Error;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// From the first to the last port, which may be the same.
    Range(u16, u16),
    /// A service's name.
    Name(String),
}

/// Why a text asks for no port.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// A number that is no port.
    #[error("{0} is not a port: ports go from 0 to 65535")]
    Number(String),
    /// A range whose end is before its beginning.
    #[error("the range runs backwards: write {1}-{0}")]
    Backwards(u16, u16),
    /// Neither a number nor anything a service can be called (RFC 6335, 5.1).
    #[error(
        "'{0}' is neither a port, a range as 20-25, nor a service name as https (a protocol is --proto tcp)"
    )]
    Neither(String),
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if is_number(unsigned) {
            let port = number(text)?;
            return Ok(Self::Range(port, port));
        }
        match text.split_once('-') {
            Some((first, last)) if is_number(first) && is_number(last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    Err(QueryError::Backwards(first, last))
                } else {
                    Ok(Self::Range(first, last))
                }
            }
            _ if text.bytes().any(|b| b.is_ascii_alphabetic())
                && text.bytes().all(|b| b.is_ascii_graphic())
                && !text.starts_with('-') =>
            {
                Ok(Self::Name(text.to_owned()))
            }
            _ => Err(QueryError::Neither(text.to_owned())),
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
    fn numbers_ranges_and_names() {
        for (text, query) in [
            ("0", Query::Range(0, 0)),
            ("65535", Query::Range(65535, 65535)),
            ("20-25", Query::Range(20, 25)),
            ("http-alt", Query::Name("http-alt".into())),
            ("3com-tsmux", Query::Name("3com-tsmux".into())),
        ] {
            assert_eq!(text.parse(), Ok(query), "{text}");
        }
    }

    #[test]
    fn what_is_no_port_says_why() {
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
        ] {
            assert_eq!(text.parse::<Query>(), Err(error), "{text:?}");
        }
    }
}
