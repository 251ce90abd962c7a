//! The run itself: who is probed when, and what becomes of each probe.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::event::{Event, What};
use super::plan::{Plan, Slot};
use super::report::{IcmpErrorCount, Outcome, Ping, TargetReport};
use super::statistics::Statistics;
use super::transport::{Probed, Transport};
use super::{Request, Target};
use crate::error::Result;
use crate::output::record::Observer;
use crate::sys::StopRequests;

/// So many probes wait for their reply at once: beyond that the kernel's receive buffer (212,992 bytes, about
/// 260 replies) loses replies of live hosts.
const WINDOW: usize = 64;
/// The time from one host of a sweep to the next: 1,000 probes a second.
const SWEEP_SPACING: Duration = Duration::from_millis(1);

/// One run under way.
struct Run<'a> {
    request: &'a Request,
    plan: Plan,
    statistics: Vec<Statistics>,
    /// When each slot's next probe is due.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    observer: &'a mut dyn Observer<Event>,
}

/// Probes every slot of a plan until all is known, the deadline comes, or the user stops it.
pub(super) async fn run(
    request: &Request,
    plan: Plan,
    transport: Transport,
    observer: &mut dyn Observer<Event>,
    stop: &mut StopRequests,
) -> Result<Ping> {
    let statistics = plan.slots.iter().map(|_| Statistics::default()).collect();
    let mut run = Run { request, plan, statistics, due: BinaryHeap::new(), observer };
    let start = Instant::now();
    run.schedule(start);
    let deadline = request.deadline.map(|deadline| start + deadline);
    let mut flights: JoinSet<(usize, u64, Probed)> = JoinSet::new();
    let mut interrupted = false;
    loop {
        while let Some((slot, number)) = run.take_due(flights.len()) {
            let address = run.plan.slots[slot].address.as_ref().expect("only slots with an address are due");
            let probe = transport.probe(slot, address, number).await;
            flights.spawn(async move { (slot, number, probe.await) });
        }
        let next_due = run.due.peek().map(|Reverse((at, _))| *at).filter(|_| flights.len() < WINDOW);
        if flights.is_empty() && next_due.is_none() {
            break;
        }
        tokio::select! {
            Some(landed) = flights.join_next() => {
                let (slot, number, probed) = landed.expect("a probe does not panic and is not aborted");
                if run.land(slot, number, probed).is_break() {
                    break;
                }
            }
            () = at(next_due) => {}
            () = at(deadline) => break,
            () = stop.at_least(1) => {
                interrupted = true;
                break;
            }
        }
    }
    Ok(run.report(interrupted))
}

/// Waits until a moment, or for ever where there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Run<'_> {
    fn schedule(&mut self, start: Instant) {
        let mut spacing = Duration::ZERO;
        for (index, slot) in self.plan.slots.iter().enumerate().filter(|(_, slot)| slot.address.is_ok()) {
            self.due.push(Reverse((start + spacing, index)));
            if slot.sweep.is_some() {
                spacing += SWEEP_SPACING;
            }
        }
    }

    /// Takes the slot whose probe is due, if there is room for one more, and gives the probe its number.
    fn take_due(&mut self, in_flight: usize) -> Option<(usize, u64)> {
        let Reverse((at, slot)) = *self.due.peek().filter(|_| in_flight < WINDOW)?;
        if at > Instant::now() {
            return None;
        }
        self.due.pop();
        let number = self.statistics[slot].send();
        let count = if self.plan.slots[slot].sweep.is_some() { Some(1) } else { self.request.count };
        if count.is_none_or(|count| number < u64::from(count)) {
            self.due.push(Reverse((at + self.request.interval, slot)));
        }
        Some((slot, number))
    }

    /// Counts what became of a probe and tells the observer; a sweep's silent hosts are no news.
    fn land(&mut self, index: usize, number: u64, probed: Probed) -> std::ops::ControlFlow<()> {
        let statistics = &mut self.statistics[index];
        let Slot { target, address: Ok(address), sweep, .. } = &self.plan.slots[index] else {
            return std::ops::ControlFlow::Continue(());
        };
        let mut event = Event {
            target: target.clone(),
            address: address.to_string(),
            seq: number,
            at: humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            rtt_us: None,
            ttl: None,
            bytes: None,
            from: None,
            what: What::Reply {},
        };
        match probed {
            Probed::Reply { rtt, ttl, bytes, from } => {
                statistics.reply(number, rtt, ttl);
                event = Event { rtt_us: Some(Event::rtt_us(rtt)), ttl, bytes, from: Some(from), ..event };
            }
            Probed::TimedOut => {
                statistics.time_out();
                if sweep.is_some() {
                    return std::ops::ControlFlow::Continue(());
                }
                let timeout_ms = u64::try_from(self.request.timeout.as_millis()).unwrap_or(u64::MAX);
                event.what = What::TimeOut { timeout_ms };
            }
            Probed::Error(error) => {
                let IcmpErrorCount { from, icmp_type, code, meaning, .. } = error.clone();
                statistics.error(error);
                event = Event { from, what: What::Error { icmp_type, code, meaning }, ..event };
            }
            Probed::Unknown => return std::ops::ControlFlow::Continue(()),
        }
        self.observer.observe(event)
    }

    fn report(self, interrupted: bool) -> Ping {
        let Plan { slots, mut sweeps, warnings, is_tiers } = self.plan;
        let mut targets = Vec::new();
        for (slot, statistics) in slots.into_iter().zip(self.statistics) {
            if let Some(sweep) = slot.sweep {
                sweeps[sweep].alive += usize::from(statistics.received() > 0);
                if statistics.received() == 0 && statistics.errors().is_empty() {
                    continue;
                }
            }
            targets.push(TargetReport::new(slot, &statistics, is_tiers));
        }
        Ping { targets, sweeps, interrupted, warnings, is_tiers: is_tiers && self.request.targets.is_empty() }
    }
}

impl TargetReport {
    fn new(slot: Slot, statistics: &Statistics, is_tiers: bool) -> Self {
        let outcome = if slot.address.is_ok() { statistics.outcome() } else { Some(Outcome::Unresolved) };
        let meaning = match (&slot.address, slot.tier, outcome) {
            (Err(why), ..) => Some(why.clone()),
            (Ok(_), Some(tier), Some(outcome)) if is_tiers => Some(tier.meaning(outcome).to_owned()),
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
