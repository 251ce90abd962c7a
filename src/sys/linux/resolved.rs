//! systemd-resolved's name servers by link (`org.freedesktop.resolve1(5)`), over D-Bus: one question to one service,
//! which any user may ask. Its files by link are root's alone, and resolv.conf does not say whose a server is.
//!
//! A whole D-Bus library would be a hundred times as much as the one call, which the specification's "Message Format"
//! describes. The service is not started for it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where the system bus listens (D-Bus Specification, "Well-known Message Bus Instances").
const BUS: &str = "/run/dbus/system_bus_socket";
/// A bus that is there answers in far less; a listing does not wait longer for one that is not.
const PATIENCE: Duration = Duration::from_millis(500);
/// Longer answers are not read.
const MOST_BYTES: usize = 1 << 20;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const NO_AUTO_START: u8 = 2;

/// The name servers with the index of the link they belong to, 0 for those of all.
///
/// Errors: there is no bus, or no such service on it, or it answers otherwise than its manual says.
pub(in crate::sys) fn name_servers_by_link() -> io::Result<Vec<(u32, IpAddr)>> {
    let mut bus = UnixStream::connect(BUS)?;
    bus.set_read_timeout(Some(PATIENCE))?;
    bus.set_write_timeout(Some(PATIENCE))?;
    authenticate(&mut bus)?;
    let bus_name = "org.freedesktop.DBus";
    bus.write_all(&call(1, "/org/freedesktop/DBus", bus_name, bus_name, "Hello", &[]))?;
    answer(&mut bus)?;
    let (path, service) = ("/org/freedesktop/resolve1", "org.freedesktop.resolve1");
    let property = ["org.freedesktop.resolve1.Manager", "DNS"];
    bus.write_all(&call(2, path, service, "org.freedesktop.DBus.Properties", "Get", &property))?;
    parse(&answer(&mut bus)?).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// Says who we are, which the bus sees for itself.
fn authenticate(bus: &mut UnixStream) -> io::Result<()> {
    // SAFETY: the call has no preconditions.
    let user = unsafe { libc::geteuid() }.to_string();
    // In hexadecimal, and the code of a digit is 0x30 and the digit.
    let hex: String = user.chars().flat_map(|digit| ['3', digit]).collect();
    bus.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        bus.read_exact(&mut byte)?;
        line.push(byte[0]);
        if line.len() > 256 {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    if !line.starts_with(b"OK ") {
        return Err(ErrorKind::PermissionDenied.into());
    }
    bus.write_all(b"BEGIN\r\n")
}

/// Makes a call of a method with arguments that are strings.
fn call(
    serial: u32,
    path: &str,
    service: &str,
    interface: &str,
    member: &str,
    arguments: &[&str],
) -> Vec<u8> {
    let mut body = Vec::new();
    for argument in arguments {
        string(&mut body, argument);
    }
    let mut fields = Vec::new();
    for (code, kind, value) in [(1, b'o', path), (2, b's', interface), (3, b's', member), (6, b's', service)]
    {
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        string(&mut fields, value);
    }
    if !arguments.is_empty() {
        pad(&mut fields, 8);
        let signature = "s".repeat(arguments.len());
        fields.extend([8, 1, b'g', 0, u8::try_from(signature.len()).expect("a few")]);
        fields.extend(signature.bytes());
        fields.push(0);
    }
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a call is short").to_le_bytes();
    let mut message = vec![b'l', METHOD_CALL, NO_AUTO_START, 1];
    message.extend(length(&body));
    message.extend(serial.to_le_bytes());
    message.extend(length(&fields));
    message.extend(fields);
    pad(&mut message, 8);
    message.extend(body);
    message
}

fn string(out: &mut Vec<u8>, text: &str) {
    pad(out, 4);
    out.extend(u32::try_from(text.len()).expect("strings are short").to_le_bytes());
    out.extend(text.bytes());
    out.push(0);
}

fn pad(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

/// The body of the next answer; signals in between are passed over.
fn answer(bus: &mut UnixStream) -> io::Result<Vec<u8>> {
    /// The bus greets with a few signals at most.
    const MOST_MESSAGES: usize = 16;
    for _ in 0..MOST_MESSAGES {
        let mut header = [0; 16];
        bus.read_exact(&mut header)?;
        let number = |at: usize| u32_at(&header, at).and_then(|it| usize::try_from(it).ok());
        let (Some(body), Some(fields)) = (number(4), number(12)) else { break };
        let fields = fields.next_multiple_of(8);
        if header[0] != b'l' || body > MOST_BYTES || fields > MOST_BYTES {
            break;
        }
        let mut rest = vec![0; fields + body];
        bus.read_exact(&mut rest)?;
        match header[1] {
            METHOD_RETURN => return Ok(rest.split_off(fields)),
            ERROR => return Err(ErrorKind::NotFound.into()),
            _ => {}
        }
    }
    Err(ErrorKind::InvalidData.into())
}

/// Parses the variant with `a(iiay)`: index, family and bytes of each address. `None` if it is anything else, or cut
/// short. Never panics, whatever the bytes.
fn parse(body: &[u8]) -> Option<Vec<(u32, IpAddr)>> {
    const SIGNATURE: &[u8] = b"\x07a(iiay)\0";
    let mut at = SIGNATURE.len();
    if body.get(..at)? != SIGNATURE {
        return None;
    }
    at = at.next_multiple_of(4);
    let length = usize::try_from(u32_at(body, at)?).ok()?;
    at = (at + 4).next_multiple_of(8);
    let end = at.checked_add(length).filter(|end| *end <= body.len())?;
    let mut servers = Vec::new();
    while at < end {
        at = at.next_multiple_of(8);
        let index = u32_at(body, at)?;
        let count = usize::try_from(u32_at(body, at + 8)?).ok()?;
        let bytes = body.get(at + 12..(at + 12).checked_add(count)?)?;
        let ip = match count {
            4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            _ => None,
        };
        servers.push((index, ip?));
        at += 12 + count;
    }
    Some(servers)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_their_link_and_cut_ones_not_at_all() {
        let mut body = b"\x07a(iiay)\0".to_vec();
        pad(&mut body, 4);
        let mut array = Vec::new();
        for (index, family, bytes) in [(2_u32, 2_u32, &[10, 7, 0, 53][..]), (0, 10, &[0xfd; 16])] {
            pad(&mut array, 8);
            array.extend(index.to_le_bytes());
            array.extend(family.to_le_bytes());
            array.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            array.extend(bytes);
        }
        body.extend(u32::try_from(array.len()).unwrap().to_le_bytes());
        pad(&mut body, 8);
        body.extend(array);
        let expected = vec![(2, IpAddr::from([10, 7, 0, 53])), (0, IpAddr::from([0xfd; 16]))];
        assert_eq!(parse(&body), Some(expected));
        for cut in 0..body.len() {
            assert_eq!(parse(&body[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn a_call_is_laid_out_as_specified() {
        let message = call(2, "/a", "b", "c", "D", &["x"]);
        assert_eq!(&message[..12], [b'l', 1, 2, 1, 6, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(message.len() % 8, 6, "the body begins at a multiple of eight and has six bytes");
        assert!(message.ends_with(&[1, 0, 0, 0, b'x', 0]));
    }
}
