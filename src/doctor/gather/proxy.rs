//! The proxy that the environment names: is anybody there, and does it pass the target on.

use std::net::{IpAddr, ToSocketAddrs};

use super::connect::Made;
use super::web::{self, Plain};
use super::{Budget, connect, timing};
use crate::doctor::evidence::{Proxy, Service};
use crate::doctor::request::Target;

/// Connects to a proxy and asks it for the target, as a browser would.
pub(super) fn ask(variable: &str, value: &str, target: &Target, budget: &Budget) -> Proxy {
    let mut proxy = Proxy {
        variable: variable.to_owned(),
        value: hidden(value),
        connect: None,
        answer: None,
        error: None,
    };
    let (host, port) = match address(value) {
        Ok(address) => address,
        Err(error) => {
            proxy.error = Some(error);
            return proxy;
        }
    };
    let ip: Option<IpAddr> = host.parse().ok();
    let to = match ip {
        Some(ip) => Some((ip, port).into()),
        None => (host.as_str(), port).to_socket_addrs().ok().and_then(|mut found| found.next()),
    };
    let Some(to) = to else {
        proxy.error = Some(format!("the name '{host}' has no address"));
        return proxy;
    };
    let (connected, made) = connect::connect(to, timing::QUIET, budget, None);
    proxy.connect = Some(connected);
    if let Some(socket) = made.and_then(Made::open) {
        let header = target.header();
        let whole = target.port.unwrap_or(443);
        let request = match target.service {
            Service::Https => {
                let name = target.server_name();
                format!("CONNECT {name}:{whole} HTTP/1.1\r\nHost: {name}:{whole}\r\n\r\n")
            }
            _ => web::request(&header, &format!("http://{header}{}", target.path)),
        };
        let answered = web::exchange(
            &mut Plain(&socket),
            request.as_bytes(),
            timing::FIRST_BYTE,
            timing::FIRST_BYTE,
            budget,
        );
        proxy.answer = answered.reply;
    }
    proxy
}

/// The host and port of what a variable says: a URL, or those alone.
fn address(value: &str) -> Result<(String, u16), String> {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(format!("its scheme '{scheme}' is not one that can be tried"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, Some(80)),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match port {
        Some(port) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err("it is not http://HOST:PORT".to_owned()),
    }
}

/// A variable's value without the password that it may hold.
fn hidden(value: &str) -> String {
    match (value.find("://"), value.rfind('@')) {
        (start, Some(at)) => {
            let start = start.map_or(0, |start| start + 3);
            if at > start { format!("{}...{}", &value[..start], &value[at..]) } else { value.to_owned() }
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_as_people_set_them() {
        assert_eq!(address("http://10.0.0.1:3128/"), Ok(("10.0.0.1".to_owned(), 3128)));
        assert_eq!(address("proxy.test:8080"), Ok(("proxy.test".to_owned(), 8080)));
        assert_eq!(address("http://u:p@[fd00::1]:3128"), Ok(("fd00::1".to_owned(), 3128)));
        assert_eq!(address("http://proxy.test"), Ok(("proxy.test".to_owned(), 80)));
        for wrong in ["", "http://", "http://a:b", "socks5://a:1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        assert_eq!(hidden("http://u:secret@a:1"), "http://...@a:1");
        assert_eq!(hidden("http://a:1"), "http://a:1");
    }
}
