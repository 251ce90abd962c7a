//! A cable whose packets a test decides about: it delays, repeats, reorders, changes and drops them.

#[path = "../lab/tun.rs"]
#[allow(dead_code, reason = "the other lab uses the rest")]
mod tun;

use std::time::{Duration, Instant};

pub(crate) use tun::{Link, available};

use crate::net::Host;
use tun::Out;

/// What is wrong with a cable.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fault {
    /// How long every packet takes, in milliseconds.
    pub(crate) delay_ms: u64,
    /// How much longer or shorter at most.
    pub(crate) jitter_ms: u64,
    /// How many of a hundred come twice.
    pub(crate) doubled: u64,
    /// How many of a hundred are damaged.
    pub(crate) damaged: u64,
    /// How many of a hundred come later than the next ones.
    pub(crate) late: u64,
    /// For how many milliseconds of each two seconds nothing passes.
    pub(crate) dead_ms: u64,
}

/// Lays a cable between two hosts, of which one end is each a TUN device of this name and address.
pub(crate) fn lay(ends: [(&Host, &str, &[&str]); 2], fault: Fault) -> Link {
    let start = Instant::now();
    // A generator of its own (Numerical Recipes' ranqd1), so that each run is alike.
    let mut state: u32 = 7;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u64::from(state >> 8) % below.max(1)
    };
    tun::link(&ends, move |end, packet| {
        const PERIOD_MS: u128 = 2_000;
        if start.elapsed().as_millis() % PERIOD_MS < u128::from(fault.dead_ms) {
            return Vec::new();
        }
        let mut packet = packet.to_vec();
        if random(100) < fault.damaged && packet.len() > 40 {
            let place = 28
                + usize::try_from(random(u64::try_from(packet.len() - 28).expect("small"))).expect("small");
            packet[place] ^= 0x10;
        }
        let mut after = fault.delay_ms;
        if fault.jitter_ms > 0 {
            after = after.saturating_sub(fault.jitter_ms) + random(2 * fault.jitter_ms);
        }
        if random(100) < fault.late {
            after += 30;
        }
        let copies = if random(100) < fault.doubled { 2 } else { 1 };
        (0..copies)
            .map(|_| Out { after: Duration::from_millis(after), end: 1 - end, packet: packet.clone() })
            .collect()
    })
}
