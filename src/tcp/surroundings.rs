//! What this machine knows of the network around it: its addresses, its gateways, and neighbours that nobody is.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::address::Family;
use crate::sys;

/// What this machine knows of the network around it, at a moment.
#[derive(Default)]
pub(super) struct Surroundings {
    own: Vec<(IpAddr, u8)>,
    gateways: Vec<IpAddr>,
    /// Addresses on its links that nobody answers for.
    lost: HashSet<IpAddr>,
}

impl Surroundings {
    /// Looks around, unless that was done a moment ago: thousands of ports may fail at once.
    pub(super) fn recent() -> Arc<Self> {
        const MOMENT: Duration = Duration::from_millis(100);
        static SEEN: Mutex<Option<(Instant, Arc<Surroundings>)>> = Mutex::new(None);
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, surroundings)) = seen.as_ref().filter(|(at, _)| at.elapsed() < MOMENT) {
            return surroundings.clone();
        }
        let network = sys::network(sys::Depth::Summary).unwrap_or_default();
        let surroundings = Arc::new(Self {
            own: network.addresses.iter().flatten().map(|own| (own.ip, own.prefix_len)).collect(),
            gateways: network.default_routes.iter().flatten().filter_map(|route| route.gateway).collect(),
            lost: sys::lost_neighbours().unwrap_or_default(),
        });
        *seen = Some((Instant::now(), surroundings.clone()));
        surroundings
    }

    /// Whether nobody answers for the neighbour that leads to an address; the search may have begun before a connect.
    pub(super) fn has_lost(&self, ip: IpAddr) -> bool {
        if self.own.iter().any(|(own, bits)| shares_prefix(*own, ip, *bits)) {
            return self.lost.contains(&ip);
        }
        let mut gateways =
            self.gateways.iter().filter(|gateway| gateway.is_ipv4() == ip.is_ipv4()).peekable();
        gateways.peek().is_some() && gateways.all(|gateway| self.lost.contains(gateway))
    }

    /// Whether this machine has any address of a family, besides the loopback's.
    pub(super) fn has_address(&self, family: Family) -> bool {
        self.own.iter().any(|(own, _)| Family::of(*own) == family && !own.is_loopback())
    }
}

/// Whether an address is this machine's own.
pub(super) fn is_own_address(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || Surroundings::recent().own.iter().any(|(own, _)| *own == ip)
}

/// Whether two addresses agree in so many bits.
fn shares_prefix(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let equal = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    equal >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_on_the_link_or_every_gateway_is_lost() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let around = |lost: &[&str]| Surroundings {
            own: vec![(ip("10.0.0.2"), 24), (ip("fd00::2"), 64)],
            gateways: vec![ip("10.0.0.1"), ip("10.0.0.254"), ip("fd00::1")],
            lost: lost.iter().map(|text| ip(text)).collect(),
        };
        for (lost, target, expected) in [
            (&["10.0.0.9"][..], "10.0.0.9", true),
            (&["10.0.0.9"], "10.0.0.8", false),
            // On the link the gateway does not matter; beyond it, one that lives is enough.
            (&["10.0.0.1", "10.0.0.254"], "10.0.0.8", false),
            (&["10.0.0.1"], "192.0.2.1", false),
            (&["10.0.0.1", "10.0.0.254"], "192.0.2.1", true),
            (&["10.0.0.1", "10.0.0.254"], "2001:db8::1", false),
            (&["fd00::1"], "2001:db8::1", true),
        ] {
            assert_eq!(around(lost).has_lost(ip(target)), expected, "{lost:?} {target}");
        }
    }
}
