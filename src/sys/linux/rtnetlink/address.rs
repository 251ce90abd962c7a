//! Addresses: `struct ifaddrmsg` and its `IFA_` attributes (`linux/if_addr.h`).

use std::borrow::Cow;

use super::super::netlink::{Attributes, u32_at};
use super::{ip, until_nul};
use crate::sys::LinkAddress;

/// Parses `struct ifaddrmsg` and its attributes; `None` if the message is cut short or of another family. Never panics, whatever the bytes.
pub fn parse(bytes: &[u8]) -> Option<LinkAddress> {
    let (family, prefix_len, scope, index) =
        (*bytes.first()?, *bytes.get(1)?, *bytes.get(3)?, u32_at(bytes, 4)?);
    let mut flags = u32::from(*bytes.get(2)?);
    let (mut address, mut local, mut broadcast, mut lifetimes) = (None, None, None, None);
    let (mut label, mut metric) = (None, None);
    for (attribute, payload) in Attributes(bytes.get(8..)?) {
        match attribute {
            1 => address = ip(payload),
            2 => local = ip(payload),
            3 => label = Some(until_nul(payload).to_vec()),
            4 => broadcast = ip(payload),
            6 => lifetimes = u32_at(payload, 0).zip(u32_at(payload, 4)),
            // All 32 bits; the header has only room for the first eight.
            8 => flags = u32_at(payload, 0)?,
            9 => metric = u32_at(payload, 0),
            _ => {}
        }
    }
    // IFA_ADDRESS is the other end where there is one; IFA_LOCAL is always ours, but IPv6 gives it only then.
    let ip = local.or(address)?;
    let until = |seconds: u32| (seconds != u32::MAX).then_some(seconds);
    Some(LinkAddress {
        index,
        ip,
        prefix_len,
        peer: address.filter(|peer| *peer != ip),
        broadcast,
        label,
        scope: Some(scope_name(scope)),
        flags: address_flags(flags, family),
        metric,
        preferred_s: lifetimes.and_then(|(preferred, _)| until(preferred)),
        valid_s: lifetimes.and_then(|(_, valid)| until(valid)),
    })
}

pub(in crate::sys::linux) fn scope_name(scope: u8) -> Cow<'static, str> {
    Cow::Borrowed(match scope {
        0 => "global",
        200 => "site",
        253 => "link",
        254 => "host",
        255 => "nowhere",
        other => return Cow::Owned(other.to_string()),
    })
}

/// `IFA_F_` of `linux/if_addr.h` by the names `ip address` prints; one bit has a name for each family.
fn address_flags(flags: u32, family: u8) -> Cow<'static, [&'static str]> {
    const NAMES: [(u32, &str); 11] = [
        (0x02, "nodad"),
        (0x04, "optimistic"),
        (0x08, "dadfailed"),
        (0x10, "home"),
        (0x20, "deprecated"),
        (0x40, "tentative"),
        (0x80, "permanent"),
        (0x100, "mngtmpaddr"),
        (0x200, "noprefixroute"),
        (0x400, "autojoin"),
        (0x800, "stable-privacy"),
    ];
    // What most addresses are takes no memory of its own.
    match flags {
        0x80 => return Cow::Borrowed(&["permanent"]),
        0x00 => return Cow::Borrowed(&["dynamic"]),
        _ => {}
    }
    let is_v6 = i32::from(family) == libc::AF_INET6;
    let first = (flags & 0x01 != 0).then_some(if is_v6 { "temporary" } else { "secondary" });
    let dynamic = (flags & 0x80 == 0).then_some("dynamic");
    let rest = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    first.into_iter().chain(rest).chain(dynamic).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::address_flags;

    #[test]
    fn flags_read_as_ip_prints_them() {
        assert_eq!(*address_flags(0x80, 2), ["permanent"]);
        assert_eq!(*address_flags(0x01, 10), ["temporary", "dynamic"]);
    }
}
