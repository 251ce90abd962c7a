//! Hardware addresses: Ethernet's six bytes, InfiniBand's twenty, a tunnel's ends.

use std::fmt::{self, Display, Formatter, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};

/// The longest there are (MAX_ADDR_LEN, `linux/netdevice.h`).
const MOST: usize = 32;

/// A link's hardware address, up to 32 bytes; a tunnel's is the IPv4 or IPv6 address it ends at.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct HardwareAddress {
    bytes: [u8; MOST],
    length: u8,
}

impl HardwareAddress {
    /// Takes an address from its bytes; what is beyond the longest that there are is cut off.
    pub fn new(from: &[u8]) -> Self {
        let length = from.len().min(MOST);
        let mut bytes = [0; MOST];
        bytes[..length].copy_from_slice(&from[..length]);
        Self { bytes, length: u8::try_from(length).expect("32 at most") }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length.into()]
    }

    /// The address, if there is one.
    pub fn some(self) -> Option<Self> {
        (self.length > 0).then_some(self)
    }

    /// Writes the address as people do: `02:00:00:00:00:01`; a tunnel's as an IP address.
    pub fn write(&self, out: &mut String) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let ip = match self.as_bytes() {
            &[a, b, c, d] => write!(out, "{}", Ipv4Addr::new(a, b, c, d)),
            bytes if bytes.len() == 16 => {
                write!(out, "{}", Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap_or_default()))
            }
            bytes => {
                for (place, byte) in bytes.iter().enumerate() {
                    if place > 0 {
                        out.push(':');
                    }
                    out.push(DIGITS[usize::from(byte >> 4)].into());
                    out.push(DIGITS[usize::from(byte & 15)].into());
                }
                Ok(())
            }
        };
        ip.expect("writing to memory does not fail");
    }
}

impl Display for HardwareAddress {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(3 * MOST);
        self.write(&mut text);
        formatter.pad(&text)
    }
}

impl fmt::Debug for HardwareAddress {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl Serialize for HardwareAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(3 * MOST);
        self.write(&mut text);
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::HardwareAddress;

    #[test]
    fn they_are_written_by_their_length() {
        for (bytes, text) in [
            (&[2, 0, 0, 0, 0, 0xab][..], "02:00:00:00:00:ab"),
            (&[10, 0, 0, 1], "10.0.0.1"),
            (&[0; 16], "::"),
            (&[], ""),
            (&[1; 40], &"01:".repeat(32)[..95]),
        ] {
            assert_eq!(HardwareAddress::new(bytes).to_string(), text);
        }
    }
}
