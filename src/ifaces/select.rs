//! Which interfaces were asked for.

use glob::Pattern;

use super::{Iface, Request};
use crate::address::unknown_interface;
use crate::error::{Error, Result};
use crate::suggest;

/// The kinds of link there are: Linux's (`ip link help`), and what interfaces without a link kind are called.
const KINDS: [&str; 59] = [
    "amt",
    "bareudp",
    "batadv",
    "bond",
    "bridge",
    "can",
    "dsa",
    "dummy",
    "erspan",
    "ethernet",
    "geneve",
    "gre",
    "gretap",
    "gtp",
    "hsr",
    "ieee802.15.4",
    "ifb",
    "infiniband",
    "ip6erspan",
    "ip6gre",
    "ip6gretap",
    "ip6tnl",
    "ipip",
    "ipoib",
    "ipvlan",
    "ipvtap",
    "loopback",
    "lowpan",
    "macsec",
    "macvlan",
    "macvtap",
    "netdevsim",
    "netkit",
    "netlink",
    "nlmon",
    "ovpn",
    "pfcp",
    "ppp",
    "rawip",
    "rmnet",
    "sit",
    "tap",
    "team",
    "tun",
    "tunnel",
    "vcan",
    "veth",
    "virt_wifi",
    "vlan",
    "vrf",
    "vsockmon",
    "vti",
    "vti6",
    "vxcan",
    "vxlan",
    "wifi",
    "wireguard",
    "wwan",
    "xfrm",
];

/// Names of interfaces as a user writes them: names, or patterns of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Name>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: String,
    /// What it means if no interface is called so.
    pattern: Option<Pattern>,
}

impl Names {
    /// Takes names, and patterns with `*`, `?` and `[...]`.
    ///
    /// Errors: a pattern that is none.
    pub fn parse(texts: Vec<String>) -> Result<Self> {
        let name = |text: String| {
            if !text.contains(['*', '?', '[']) {
                return Ok(Name { text, pattern: None });
            }
            let pattern = Pattern::new(&text).map_err(|error| {
                Error::usage(format!(
                    "'{text}' is not a valid name pattern: {} at character {}",
                    error.msg,
                    error.pos + 1
                ))
                .hint("patterns work as in a shell: eth*, veth?, [ab]*; [*] matches a star")
            })?;
            Ok(Name { text, pattern: Some(pattern) })
        };
        Ok(Self(texts.into_iter().map(name).collect::<Result<_>>()?))
    }

    /// Whether any interface is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Name {
    fn is_name_of(&self, iface: &Iface) -> bool {
        let is_it = |name: &[u8]| name == self.text.as_bytes() || String::from_utf8_lossy(name) == *self.text;
        is_it(iface.name.as_bytes()) || iface.alt_names.iter().flatten().any(|name| is_it(name.as_bytes()))
    }

    fn fits(&self, iface: &Iface) -> bool {
        let Some(pattern) = &self.pattern else { return false };
        pattern.matches(&iface.name.to_lossy())
            || iface.alt_names.iter().flatten().any(|name| pattern.matches(&name.to_lossy()))
    }
}

/// What was chosen of all interfaces.
pub(super) struct Chosen {
    /// Whether each was.
    pub(super) which: Vec<bool>,
    /// What was asked for and is not there.
    pub(super) lacking: Vec<String>,
}

/// Tells for each interface whether it was asked for; what is not there is only a mistake the first time.
///
/// Errors: a name that no interface has; a kind that there is not.
pub(super) fn choose(request: &Request, interfaces: &[Iface], is_first: bool) -> Result<Chosen> {
    let mut which = vec![request.names.is_empty(); interfaces.len()];
    let mut lacking = Vec::new();
    for name in &request.names.0 {
        let is_one = interfaces.iter().any(|iface| name.is_name_of(iface));
        if !is_one && name.pattern.is_none() {
            if is_first {
                return Err(unknown_interface(&name.text));
            }
            lacking.push(format!("interface '{}' no longer exists", name.text));
            continue;
        }
        let mut has_any = false;
        for (iface, is_chosen) in interfaces.iter().zip(&mut which) {
            let fits = if is_one { name.is_name_of(iface) } else { name.fits(iface) };
            *is_chosen |= fits;
            has_any |= fits;
        }
        if !has_any {
            lacking.push(format!("no interface's name matches '{}'", name.text));
        }
    }
    for kind in request.kinds.iter().filter(|_| is_first) {
        check_kind(kind, interfaces)?;
    }
    for (iface, is_chosen) in interfaces.iter().zip(&mut which) {
        *is_chosen &= (!request.up || iface.is_up)
            && (request.kinds.is_empty() || request.kinds.iter().any(|kind| is_of(iface, kind)))
            && request.family.is_none_or(|family| iface.addresses.iter().any(|it| it.family == family));
    }
    if !which.contains(&true) && lacking.is_empty() {
        lacking.push(nothing(request));
    }
    Ok(Chosen { which, lacking })
}

/// Whether an interface is of a kind, or of that variety of one: `tap`.
fn is_of(iface: &Iface, kind: &str) -> bool {
    iface.kind.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(kind))
        || iface.mode.is_some_and(|mode| mode.eq_ignore_ascii_case(kind))
}

/// Refuses a kind that neither Linux nor this machine has.
fn check_kind(kind: &str, interfaces: &[Iface]) -> Result<()> {
    if KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind))
        || interfaces.iter().any(|iface| is_of(iface, kind))
    {
        return Ok(());
    }
    let error = Error::usage(format!("unknown kind of interface '{kind}'"));
    let error = match suggest::nearest(kind, KINDS).first() {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error,
    };
    Err(error.hint(format!("the kinds are {}", KINDS.join(", "))))
}

/// Says what no interface is.
fn nothing(request: &Request) -> String {
    let mut is = String::from("no interface");
    if request.up {
        is += " that is up";
    }
    if !request.kinds.is_empty() {
        is = format!("{is} of kind {}", request.kinds.join(" or "));
    }
    if let Some(family) = request.family {
        is = format!("{is} with an {} address", family.name());
    }
    if request.names.is_empty() {
        format!("there is {is}")
    } else {
        format!("there is {is} among those named")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Link, Tells};

    fn ifaces(names: &[&str]) -> Vec<Iface> {
        let tells = Tells { relations: true, ..Tells::default() };
        let link = |name: &&str| Link {
            name: name.as_bytes().to_vec(),
            alt_names: vec![[name.as_bytes(), b"-other"].concat()],
            kind: Some("veth".into()),
            ..Link::default()
        };
        names.iter().map(|name| Iface::new(link(name), tells)).collect()
    }

    fn chosen(names: &[&str]) -> (String, usize) {
        let all = ifaces(&["eth0", "eth1", "veth0", "e*", "lo"]);
        let names = Names::parse(names.iter().map(|name| (*name).to_owned()).collect()).expect("patterns");
        let chosen = choose(&Request { names, ..Request::default() }, &all, true).expect("all known");
        let names =
            all.iter().zip(&chosen.which).filter(|(_, is)| **is).map(|(iface, _)| iface.name.to_lossy());
        (names.collect::<Vec<_>>().join(" "), chosen.lacking.len())
    }

    #[test]
    fn names_are_names_first_and_patterns_else() {
        assert_eq!(chosen(&[]), ("eth0 eth1 veth0 e* lo".to_owned(), 0));
        assert_eq!(chosen(&["e*"]), ("e*".to_owned(), 0));
        assert_eq!(chosen(&["et*", "lo"]), ("eth0 eth1 lo".to_owned(), 0));
        assert_eq!(chosen(&["?eth0", "wlan*"]), ("veth0".to_owned(), 1));
        assert_eq!(chosen(&["eth1-other"]), ("eth1".to_owned(), 0));
        assert_eq!(chosen(&["[lx]o"]), ("lo".to_owned(), 0));
        assert!(Names::parse(vec!["a[".to_owned()]).is_err());
    }

    #[test]
    fn a_kind_is_known_or_present() {
        let all = ifaces(&["a"]);
        let of = |kind: &str| {
            choose(&Request { kinds: vec![kind.to_owned()], ..Request::default() }, &all, true)
                .map(|it| it.lacking.len())
        };
        assert_eq!(of("veth").ok(), Some(0));
        assert_eq!(of("wireguard").ok(), Some(1));
        assert!(of("wireguad").is_err_and(|error| !error.all_hints().is_empty()));
    }
}
