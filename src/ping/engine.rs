//! The run itself: who is probed when, and what becomes of each probe.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::event::{Event, What};
use super::plan::{Plan, Slot};
use super::report::{IcmpErrorCount, Outcome, Ping, TargetReport};
use super::statistics::Statistics;
use super::transport::{Probed, Transport};
use super::{Request, Target};
use crate::address::Address;
use crate::measure::microseconds;
use crate::output::record::{Flow, Observer, Warning};
use crate::sys::StopRequests;

/// So many probes of a sweep wait for their reply at once: if all answer together, the kernel's receive buffer
/// (212,992 bytes, about 260 replies) still has room for them. Other targets' probes are an interval apart.
const WINDOW: usize = 64;
/// The least time from one target's first probe to the next one's: a burst would time its replies late, and a
/// sweep sends at most 1,000 probes a second.
const SPACING: Duration = Duration::from_millis(1);

/// One run under way.
struct Run<'a> {
    request: &'a Request,
    plan: Plan,
    statistics: Vec<Statistics>,
    /// How many probes of sweeps wait for their reply.
    sweeping: usize,
    /// When each slot's next probe is due.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    observer: &'a mut dyn Observer<Event>,
}

/// Probes every slot of a plan until all is known, the deadline comes, or the user stops it.
pub(super) async fn run(
    request: &Request,
    plan: Plan,
    transport: Transport,
    deadline: Option<Instant>,
    observer: &mut dyn Observer<Event>,
    stop: &mut StopRequests,
) -> Ping {
    let statistics = plan.slots.iter().map(|_| Statistics::default()).collect();
    let mut run = Run { request, plan, statistics, sweeping: 0, due: BinaryHeap::new(), observer };
    let mut is_read = run.tell_unresolved().is_continue();
    run.schedule(Instant::now());
    let mut flights: JoinSet<(usize, u64, Probed)> = JoinSet::new();
    let mut interrupted = false;
    while is_read {
        while let Some((slot, number)) = run.take_due() {
            let address = run.plan.slots[slot].address.as_ref().expect("only slots with an address are due");
            let probe = transport.probe(slot, address, number).await;
            flights.spawn(async move { (slot, number, probe.await) });
        }
        let next_due = run.next_due();
        if flights.is_empty() && next_due.is_none() {
            break;
        }
        tokio::select! {
            Some(landed) = flights.join_next() => {
                let (slot, number, probed) = landed.expect("a probe does not panic and is not aborted");
                is_read = run.land(slot, number, probed).is_continue();
            }
            () = at(next_due) => {}
            () = at(deadline) => {
                run.statistics.iter_mut().for_each(Statistics::end);
                break;
            }
            () = stop.at_least(1) => {
                interrupted = true;
                break;
            }
        }
    }
    let hides_errors = transport.hides_errors();
    run.report(interrupted, hides_errors)
}

/// Waits until a moment, or for ever where there is none.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Run<'_> {
    /// Tells of the targets that have no address to probe.
    fn tell_unresolved(&mut self) -> Flow {
        for slot in &self.plan.slots {
            if let Err(why) = &slot.address {
                let what = What::Unresolved { meaning: why.clone() };
                self.observer.observe(Event::new(slot.target.clone(), None, None, what))?;
            }
        }
        Flow::Continue(())
    }

    /// Makes every slot's first probe due, a little apart; all of them within the interval.
    fn schedule(&mut self, start: Instant) {
        let reachable = || self.plan.slots.iter().enumerate().filter(|(_, slot)| slot.address.is_ok());
        let hosts = reachable().filter(|(_, slot)| slot.sweep.is_none()).count();
        let spacing = SPACING.min(self.request.interval / u32::try_from(hosts.max(1)).unwrap_or(u32::MAX));
        let mut at = start;
        for (index, slot) in reachable() {
            self.due.push(Reverse((at, index)));
            at += if slot.sweep.is_some() { SPACING } else { spacing };
        }
    }

    /// When the next probe can go out; `None` while there is none, or no room for it.
    fn next_due(&self) -> Option<Instant> {
        let Reverse((at, slot)) = *self.due.peek()?;
        let has_room = self.plan.slots[slot].sweep.is_none() || self.sweeping < WINDOW;
        has_room.then_some(at)
    }

    /// Takes the slot whose probe is due, and gives the probe its number.
    fn take_due(&mut self) -> Option<(usize, u64)> {
        let now = Instant::now();
        let at = self.next_due().filter(|at| *at <= now)?;
        let Reverse((_, slot)) = self.due.pop()?;
        let is_sweep = self.plan.slots[slot].sweep.is_some();
        self.sweeping += usize::from(is_sweep);
        let number = self.statistics[slot].send();
        let count = if is_sweep { Some(1) } else { self.request.count };
        if count.is_none_or(|count| number < u64::from(count)) {
            // After a pause, Ctrl-Z say, what was missed is not made up for.
            let next = at + self.request.interval;
            let next = if next < now { now + self.request.interval } else { next };
            self.due.push(Reverse((next, slot)));
        }
        Some((slot, number))
    }

    /// Counts what became of a probe and tells the observer; a sweep's silent hosts are no news.
    fn land(&mut self, index: usize, number: u64, probed: Probed) -> Flow {
        let slot = &self.plan.slots[index];
        let statistics = &mut self.statistics[index];
        self.sweeping -= usize::from(slot.sweep.is_some());
        let (mut rtt_us, mut ttl, mut bytes, mut from) = (None, None, None, None);
        let what = match probed {
            Probed::Reply(reply) => {
                statistics.reply(number, reply.rtt, reply.ttl);
                (rtt_us, ttl, bytes, from) =
                    (Some(microseconds(reply.rtt)), reply.ttl, reply.bytes, Some(reply.from));
                What::Reply {}
            }
            Probed::TimedOut => {
                statistics.time_out();
                if slot.sweep.is_some() {
                    return Flow::Continue(());
                }
                What::TimeOut {
                    timeout_ms: u64::try_from(self.request.timeout.as_millis()).unwrap_or(u64::MAX),
                }
            }
            Probed::Error(error) => {
                let IcmpErrorCount { from: sender, icmp_type, code, meaning, .. } = error.clone();
                statistics.error(error);
                from = sender;
                What::Error { icmp_type, code, meaning }
            }
            Probed::Unknown => return Flow::Continue(()),
        };
        let address = slot.address.as_ref().ok().map(Address::to_string);
        let event = Event::new(slot.target.clone(), address, Some(number), what);
        self.observer.observe(Event { rtt_us, ttl, bytes, from, ..event })
    }

    fn report(self, interrupted: bool, hides_errors: bool) -> Ping {
        let Plan { slots, mut sweeps, is_tiers } = self.plan;
        let mut targets = Vec::new();
        for (slot, statistics) in slots.into_iter().zip(self.statistics) {
            if let Some(sweep) = slot.sweep.map(|sweep| &mut sweeps[sweep]) {
                sweep.probed += usize::from(statistics.sent() > 0);
                sweep.alive += usize::from(statistics.received() > 0);
                if statistics.received() == 0 && statistics.errors().is_empty() {
                    continue;
                }
            }
            targets.push(TargetReport::new(slot, &statistics, is_tiers));
        }
        // A probe that met an error is no riddle; only one that met silence may have met a hidden one.
        let is_silent = |row: &TargetReport| row.lost > row.errors.iter().map(|error| error.count).sum();
        let warning = (hides_errors && targets.iter().any(is_silent)).then(|| {
            let message =
                "an unprivileged ICMP socket shows no ICMP errors, so a router may have said why probes were lost";
            Warning::new("icmp-errors-hidden", message)
        });
        let warnings = warning.into_iter().collect();
        Ping { targets, sweeps, interrupted, warnings, is_tiers }
    }
}

impl TargetReport {
    fn new(slot: Slot, statistics: &Statistics, is_tiers: bool) -> Self {
        let outcome = if slot.address.is_ok() { statistics.outcome() } else { Some(Outcome::Unresolved) };
        let meaning = match (&slot.address, slot.tier, outcome) {
            (Err(why), ..) => Some(why.clone()),
            (Ok(_), Some(tier), Some(outcome)) if is_tiers => {
                let sent =
                    statistics.received() > 0 || statistics.errors().iter().all(|error| error.from.is_some());
                let told = statistics.errors().iter().find_map(|error| Some((error.from?, &error.meaning)));
                let meaning = match told.filter(|_| outcome == Outcome::Error) {
                    Some((from, meaning)) => format!("{from} says '{meaning}': the way ends there"),
                    None => tier.meaning(outcome, sent).to_owned(),
                };
                Some(slot.remark.map_or(meaning.clone(), |remark| format!("{meaning}; {remark}")))
            }
            _ => None,
        };
        Self {
            target: slot.target,
            address: slot.address.ok().map(|address| address.to_string()),
            tier: slot.tier,
            outcome,
            sent: statistics.sent(),
            received: statistics.received(),
            lost: statistics.lost(),
            in_flight: statistics.in_flight(),
            loss_percent: statistics.loss_percent(),
            duplicates: None,
            reordered: statistics.reordered(),
            late: None,
            corrupted: None,
            rejected: None,
            ttl: statistics.ttl(),
            rtt_us: statistics.rtt(),
            errors: statistics.errors().to_vec(),
            timestamps: "user",
            meaning,
            is_swept: slot.sweep.is_some(),
        }
    }
}

impl Request {
    /// How many probes to send where the user did not say: until stopped for somebody who watches, else a few.
    pub fn default_count(targets: &[Target], is_watched: bool) -> Option<u32> {
        /// Of the three tiers: enough to see a loss, soon over.
        const TIERS: u32 = 3;
        /// As Windows' ping, where nobody could stop it.
        const UNWATCHED: u32 = 4;
        match (targets, is_watched) {
            ([], _) => Some(TIERS),
            (_, true) => None,
            (_, false) => Some(UNWATCHED),
        }
    }
}
