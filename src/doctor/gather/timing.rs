//! How long things are waited for, each with its reason, in one place.

use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A connection that says nothing for so long has sent its SYN twice (RFC 6298: after 1 s); what can be told from the path
/// is asked from now on.
pub(super) const QUIET: Duration = ms(1_100);
/// It is waited for so long in all: a third SYN has been sent by then, and nobody's ordinary path is slower.
pub(super) const CONNECT: Duration = ms(3_300);
/// A connection beside others that is only to show whether a host is there.
pub(super) const CONTROL: Duration = ms(900);
/// When a question to a name server is sent again, from the first.
pub(super) const ASK_AGAIN: [Duration; 4] = [ms(0), ms(400), ms(900), ms(1_500)];
/// A name server is waited for so long: programs give up after 5 s (resolv.conf(5)), but one that has not answered by now is
/// either dead or a nuisance.
pub(super) const NAME_SERVER: Duration = ms(2_200);
/// An answer from where nobody can be has not far to come: somebody on the way gives it.
pub(super) const NOBODY: Duration = ms(400);
/// DNS over TCP, connection and answer together.
pub(super) const NAME_SERVER_TCP: Duration = ms(1_200);
/// The system's resolver, which may ask elsewhere than in DNS, is waited for so long beyond all others.
pub(super) const SYSTEM_RESOLVER: Duration = ms(700);
/// The first byte of an answer; a service that thinks longer is slow at best.
pub(super) const FIRST_BYTE: Duration = ms(2_100);
/// An answer that comes in drops.
pub(super) const WHOLE_ANSWER: Duration = ms(2_600);
/// Several packets, of which the first may have to be sent again twice.
pub(super) const LARGE_ROUND: Duration = ms(1_600);
/// A page of the web by a bystander.
pub(super) const WEB: Duration = ms(1_300);
/// How long a path is asked for, all hops at once.
pub(super) const PATH: Duration = ms(800);
/// A neighbour is asked for three times, a second apart, before the kernel gives up (arp(7)).
pub(super) const NEIGHBOUR: Duration = ms(3_200);
/// How often the table of neighbours is looked into meanwhile.
pub(super) const LOOK_AGAIN: Duration = ms(15);
#[cfg(target_os = "linux")]
/// How long everybody on a link has to claim an address (RFC 5227 waits longer, for addresses to come).
pub(super) const CLAIMS: Duration = ms(420);
/// A SYN beside others that did not come through at once has been lost: twice around the world.
pub(super) const SYN: Duration = ms(600);
/// The pause between the requests of a short train, and the wait for its last reply.
pub(super) const TRAIN_INTERVAL: Duration = ms(14);
pub(super) const TRAIN_WAIT: Duration = ms(700);
/// Hosts that answer no echo request at all are many, and are not waited for as long.
pub(super) const TRAIN_SILENT: Duration = ms(300);
/// The same of the long one: it must outlast an outage of a second.
pub(super) const LONG_INTERVAL: Duration = ms(25);
pub(super) const LONG_COUNT: usize = 90;
/// A carrier that comes and goes does so within this.
pub(super) const CARRIER: Duration = ms(900);
