//! The gateways: does anybody answer for their addresses, do they answer echo requests, and does anybody else claim to be
//! them, or us.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::{Budget, timing};
use crate::address::Address;
use crate::doctor::evidence::{DefaultRoute, Gateway, System, Untested};
use crate::sys;
use crate::trace::{self, TrainOptions};

/// Asks for a gateway until its hardware address is known or the kernel gives up.
pub(super) fn gateway(route: &DefaultRoute, budget: &Budget) -> Option<Gateway> {
    let address = route.gateway?;
    let index = sys::interface_index(&route.interface).unwrap_or(0);
    let is_link_local = matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let scope_id = if is_link_local { index } else { 0 };
    let mut gateway = Gateway {
        address,
        interface: route.interface.clone(),
        is_best: route.is_best,
        state: None,
        mac: None,
        asked_ms: 0,
        pings: None,
    };
    let start = Instant::now();
    nudge(Address { ip: address, scope_id });
    let pinged = std::thread::scope(|scope| {
        let ping = std::thread::Builder::new().spawn_scoped(scope, || {
            let options = TrainOptions {
                packet_bytes: 64,
                count: 3,
                interval: Duration::from_millis(30),
                wait: Duration::from_millis(250),
                silent_wait: Duration::from_millis(250),
                dont_fragment: false,
                until: None,
                tally: None,
            };
            trace::train(address, scope_id, &options)
        });
        loop {
            (gateway.state, gateway.mac) = entry(address, index);
            gateway.asked_ms = super::dns::millis(start.elapsed());
            let is_settled = gateway.is_found() == Some(true)
                || gateway.state.as_deref() == Some("failed")
                || start.elapsed() >= timing::NEIGHBOUR
                || budget.is_over();
            if is_settled {
                break;
            }
            std::thread::sleep(timing::LOOK_AGAIN);
        }
        ping.ok().and_then(|thread| thread.join().ok())
    });
    gateway.pings = pinged.and_then(Result::ok).map(|train| (train.sent(), train.received()));
    // What is known of a neighbour may be old; whether it still holds, an answer or the kernel's own question tells.
    if gateway.pings.is_none_or(|(_, received)| received == 0) && gateway.mac.is_some() {
        let until = Instant::now() + Duration::from_millis(10);
        while Instant::now() < until && !budget.is_over() {
            (gateway.state, _) = entry(address, index);
            std::thread::sleep(timing::LOOK_AGAIN);
        }
    }
    Some(gateway)
}

/// Makes the kernel ask for a neighbour: a datagram to the port of discard (RFC 863), where hardly anybody is.
pub(super) fn nudge(to: Address) {
    let any: SocketAddr = if to.ip.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    if let Ok(socket) = UdpSocket::bind(any) {
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to(&[], to.with_port(9));
    }
}

/// The state and the hardware address of a neighbour.
pub(super) fn entry(ip: IpAddr, index: u32) -> (Option<String>, Option<String>) {
    let table = sys::neighbour_table().unwrap_or_default();
    let is_it = |entry: &&sys::Neighbour| entry.ip == ip && (index == 0 || entry.index == index);
    table
        .iter()
        .find(is_it)
        .map_or((None, None), |entry| (Some(entry.state.to_owned()), entry.mac.map(|mac| mac.to_string())))
}

/// Asks everybody on a link who has this machine's addresses and its gateway's, and looks whose frames bear this machine's
/// hardware address.
///
/// Errors: why it cannot be asked.
#[cfg(target_os = "linux")]
pub(super) fn claims(
    interface: &str,
    own: &[std::net::Ipv4Addr],
    gateway: Option<std::net::Ipv4Addr>,
    own_mac: &str,
    budget: &Budget,
) -> Result<crate::doctor::evidence::Claims, Untested> {
    use crate::doctor::evidence::{Claim, Claims, Privilege};
    use crate::sys::FrameWatch;
    use std::net::Ipv4Addr;

    /// A claim that was lost on the way is made again.
    const ROUNDS: u32 = 3;
    let mac = parse_mac(own_mac).ok_or_else(|| Untested::NoHardwareAddress(interface.to_owned()))?;
    let index =
        sys::interface_index(interface).ok_or_else(|| Untested::InterfaceGone(interface.to_owned()))?;
    let watch = FrameWatch::open(index).map_err(|error| {
        let said = error.to_string();
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            Untested::Privilege(Privilege::Frames { interface: interface.to_owned(), error: said })
        } else {
            Untested::System(System::Frames(Some(said)))
        }
    })?;
    let mut claims =
        Claims { own_mac: own_mac.to_owned(), interface: interface.to_owned(), ..Claims::default() };
    let claim =
        |address: Ipv4Addr, is_own| Claim { address: address.into(), is_own, macs: Vec::new(), asked: 0 };
    claims.answers.extend(own.iter().map(|own| claim(*own, true)));
    claims.answers.extend(gateway.map(|gateway| claim(gateway, false)));
    let start = Instant::now();
    let watch = LeftToClose(Some(watch));
    for round in 0..ROUNDS {
        for claim in &mut claims.answers {
            let IpAddr::V4(whose) = claim.address else { continue };
            // A probe for one's own; for the gateway's, one that says who asks, or it would not answer some.
            let from =
                if claim.is_own { Ipv4Addr::UNSPECIFIED } else { own.first().copied().unwrap_or(whose) };
            if watch.ask(mac, from, whose).is_ok() {
                claim.asked += 1;
            }
        }
        let until = start + timing::CLAIMS * (round + 1) / ROUNDS;
        while let Some(seen) = watch.next(until) {
            note(&mut claims, seen, own, mac);
            if budget.is_over() {
                return Ok(claims);
            }
        }
    }
    Ok(claims)
}

/// Notes what a frame shows of who else uses an address or a hardware address of this machine.
#[cfg(target_os = "linux")]
fn note(
    claims: &mut crate::doctor::evidence::Claims,
    seen: crate::sys::FrameSeen,
    own: &[std::net::Ipv4Addr],
    mac: [u8; 6],
) {
    use crate::address::HardwareAddress;
    use crate::sys::FrameSeen;
    use std::net::Ipv4Addr;

    /// More are not a cause but a list.
    const MOST: usize = 8;
    let is_foreign = |ip: Ipv4Addr| !own.contains(&ip) && !ip.is_unspecified();
    let add = |list: &mut Vec<IpAddr>, ip: Ipv4Addr| {
        if !list.contains(&ip.into()) && list.len() < MOST {
            list.push(ip.into());
        }
    };
    let source_mac = match seen {
        FrameSeen::Ipv4 { frame_source, .. } | FrameSeen::Other(frame_source) => frame_source,
        FrameSeen::Arp(arp) => arp.frame_source,
    };
    match seen {
        FrameSeen::Ipv4 { frame_source, source, .. } if frame_source == mac && is_foreign(source) => {
            add(&mut claims.own_mac_users, source);
        }
        FrameSeen::Arp(arp) if arp.frame_source == mac && is_foreign(arp.sender) => {
            add(&mut claims.own_mac_users, arp.sender);
        }
        FrameSeen::Ipv4 { frame_destination, destination, .. }
            if frame_destination == mac && is_foreign(destination) && !destination.is_multicast() =>
        {
            add(&mut claims.misdelivered, destination);
        }
        _ => {}
    }
    claims.own_mac_frames += u32::from(source_mac == mac);
    let FrameSeen::Arp(arp) = seen else { return };
    let is_its = |claim: &&mut crate::doctor::evidence::Claim| claim.address == IpAddr::V4(arp.sender);
    if let Some(claim) = claims.answers.iter_mut().find(is_its) {
        let from = HardwareAddress::new(&arp.sender_mac).to_string();
        let is_foreign = !claim.is_own || arp.sender_mac != mac;
        if is_foreign && !claim.macs.contains(&from) {
            claim.macs.push(from);
        }
    }
}

/// A watch that is closed on a thread of its own. The kernel waits meanwhile until every processor has noticed
/// (`packet_release`, net/packet/af_packet.c), which takes seconds where they are busy, and nobody here has to.
#[cfg(target_os = "linux")]
struct LeftToClose(Option<crate::sys::FrameWatch>);

#[cfg(target_os = "linux")]
impl std::ops::Deref for LeftToClose {
    type Target = crate::sys::FrameWatch;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

#[cfg(target_os = "linux")]
impl Drop for LeftToClose {
    fn drop(&mut self) {
        let watch = self.0.take();
        // Without a thread to be had it is closed here.
        let _ = std::thread::Builder::new().spawn(move || drop(watch));
    }
}

/// Asks nobody: only Linux has such sockets.
#[cfg(not(target_os = "linux"))]
pub(super) fn claims(
    _: &str,
    _: &[std::net::Ipv4Addr],
    _: Option<std::net::Ipv4Addr>,
    _: &str,
    _: &Budget,
) -> Result<crate::doctor::evidence::Claims, Untested> {
    Err(Untested::System(System::Frames(None)))
}

#[cfg(target_os = "linux")]
fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Result<Vec<u8>, _> = text.split(':').map(|part| u8::from_str_radix(part, 16)).collect();
    bytes.ok()?.try_into().ok()
}
