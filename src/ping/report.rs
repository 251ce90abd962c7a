//! How the result of pinging describes itself to the output layer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::Tier;
use super::clock::Clock;
use super::engine::{Engine, Glance};
use super::hosts::{Slot, SlotId};
use super::pmtu::PathMtu;
use super::statistics::Statistics;
use crate::address::Address;
use crate::error::Exit;
use crate::measure::Summary;
use crate::output::record::{Cell, Line, Report, Role, Untrusted, Warning};

/// The result of pinging.
#[derive(Serialize)]
pub struct Ping {
    /// The rows, made one at a time from what the engine knows.
    targets: Results,
    /// The prefixes that were swept.
    pub sweeps: Vec<Sweep>,
    /// Whether the user ended it early.
    pub interrupted: bool,
    /// What limits the result.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
    #[serde(skip)]
    exit: Exit,
}

/// What a row is made from: 65,536 rows at once would be tens of megabytes.
struct Results {
    engine: Engine,
    clock: Clock,
    /// The slots that are rows: a target, or an address where all of a name's were asked for; of a sweep those
    /// that answered or met an error.
    shown: Vec<SlotId>,
    /// Whether these are the three tiers, where one public host that answers is enough.
    is_tiers: bool,
    /// Whether the run ended at its deadline.
    is_overdue: bool,
    /// Who takes the times where there was no reply to tell.
    timestamps: &'static str,
    names: HashMap<IpAddr, Untrusted>,
}

/// How a run ended.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub(super) struct End {
    pub(super) interrupted: bool,
    pub(super) is_overdue: bool,
    pub(super) is_tiers: bool,
    pub(super) lists_all: bool,
    pub(super) timestamps: &'static str,
    pub(super) warnings: Vec<Warning>,
}

impl Serialize for Results {
    /// Stands for the rows, which whoever writes the report asks for one by one.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([(); 0])
    }
}

/// What became of one sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// The prefix.
    pub prefix: String,
    /// The hosts it has room for.
    pub hosts: usize,
    /// Those that were probed: all of them, unless it was stopped.
    pub probed: usize,
    /// Those that answered.
    pub alive: usize,
    /// Those that could not be probed, or met an error.
    pub errors: usize,
    /// What those errors were, the most frequent first.
    pub reasons: Vec<IcmpErrorCount>,
}

/// What a target's probes amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every probe was answered.
    Alive,
    /// Some were.
    Partial,
    /// None was, and nobody said why.
    Silent,
    /// None was, and somebody said why.
    Error,
    /// There is no address to probe.
    Unresolved,
}

/// One row of the result. `None` is what this transport cannot tell, never a made-up zero.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// The target as it was written.
    pub target: Untrusted,
    /// The address that was probed.
    pub address: Option<String>,
    /// The name of that address, where it was asked for and there is one.
    pub name: Option<Untrusted>,
    /// How far away it is.
    pub tier: Option<Tier>,
    /// What its probes amount to; `None` while no probe's fate is known.
    pub outcome: Option<Outcome>,
    /// Probes that went out.
    pub sent: u64,
    /// Probes that this machine could not send.
    pub unsent: u64,
    /// Probes that were answered.
    pub received: u64,
    /// Probes that were not answered, or met an error.
    pub lost: u64,
    /// Probes whose fate was not known at the end: neither received nor lost.
    pub in_flight: u64,
    /// The lost of those whose fate is known.
    pub loss_percent: Option<f64>,
    /// Second replies to one probe.
    pub duplicates: u64,
    /// Replies that came after the reply to a later probe.
    pub reordered: u64,
    /// Replies that came after the time-out.
    pub late: u64,
    /// Replies whose content was not what was sent.
    pub corrupted: u64,
    /// Messages that looked like replies, or errors, and were none.
    pub rejected: u64,
    /// Redirects and source quenches.
    pub notices: u64,
    /// The time to live of the last reply, where the socket tells it.
    pub ttl: Option<u8>,
    /// The routers between, as the time to live lets guess.
    pub hops: Option<u8>,
    /// The round-trip times in microseconds.
    pub rtt_us: Option<Summary>,
    /// The longest stretch of probes of which none was answered.
    pub longest_outage: Option<Outage>,
    /// The largest probe that passes unfragmented, where it was looked for.
    pub path_mtu: Option<PathMtu>,
    /// The errors, by sender and kind.
    pub errors: Vec<IcmpErrorCount>,
    /// Who took the times: `kernel`, or `user` for this program.
    pub timestamps: &'static str,
    /// What the result means for this machine's network, of the three tiers; or why there is none.
    pub meaning: Option<String>,
    /// Whether it is a host of a sweep, of which the outcome of one probe says it all.
    #[serde(skip)]
    pub(super) is_swept: bool,
    /// Whether it stands for one of the three tiers.
    #[serde(skip)]
    pub(super) is_tier: bool,
}

/// A stretch of probes of which none was answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outage {
    /// When the first of them was sent, RFC 3339.
    pub began_at: String,
    /// When the next that was answered was sent; `None` if none was.
    pub ended_at: Option<String>,
    /// From the one to the other, or to the last that was not answered.
    pub duration_s: f64,
    /// How many there were.
    pub probes: u64,
}

/// One kind of error from one sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IcmpErrorCount {
    /// Who sent it; `None` where this machine could not send.
    pub from: Option<IpAddr>,
    /// The ICMP type.
    #[serde(rename = "type")]
    pub icmp_type: Option<u8>,
    /// The ICMP code.
    pub code: Option<u8>,
    /// Both in words, or what the system said.
    pub meaning: String,
    /// The next hop's MTU, where the error tells it.
    pub mtu: Option<u32>,
    /// How many there were.
    pub count: u64,
}

impl Outcome {
    fn is_answered(self) -> bool {
        matches!(self, Self::Alive | Self::Partial)
    }

    pub(super) fn cell(self) -> Cell {
        match self {
            Self::Alive => Cell::word("alive").role(Role::Good),
            Self::Partial => Cell::word("partial").role(Role::Caution),
            Self::Silent => Cell::word("silent").role(Role::Bad),
            Self::Error => Cell::word("error").role(Role::Bad),
            Self::Unresolved => Cell::word("unresolved").role(Role::Bad),
        }
    }
}

impl Report for Ping {
    const SCHEMA: &'static str = "netdiag.ping/1";
    const ROWS: &'static str = "/targets";
    const ROW_EVENT: &'static str = "target";
    type Row = TargetReport;

    fn row_count(&self) -> usize {
        self.targets.shown.len()
    }

    fn row(&self, index: usize) -> Cow<'_, TargetReport> {
        Cow::Owned(self.targets.row(self.targets.shown[index]))
    }

    fn verdict(&self) -> Vec<Line> {
        self.sweeps.iter().map(Sweep::line).collect()
    }

    fn notes(&self) -> Vec<Line> {
        let has_open =
            || self.targets.shown.iter().any(|slot| self.targets.engine.statistics(*slot).in_flight() > 0);
        let interrupted = (self.interrupted && has_open())
            .then(|| Line::default().dim("interrupted: unanswered probes in flight are not counted as lost"));
        interrupted.into_iter().collect()
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}

impl Ping {
    pub(super) fn new(engine: Engine, clock: Clock, end: End) -> Self {
        let hosts = engine.hosts();
        let mut shown = Vec::new();
        let mut sweeps: Vec<Sweep> = Vec::new();
        let mut networks = hosts.networks().peekable();
        for slot in 0..SlotId::try_from(hosts.len()).expect("slots are counted so") {
            while let Some((prefix, first, end)) = networks.next_if(|(_, first, _)| *first <= slot) {
                let hosts = (first..end).filter(|slot| engine.hosts().address(*slot).is_some()).count();
                let prefix = prefix.to_string();
                sweeps.push(Sweep { prefix, hosts, probed: 0, alive: 0, errors: 0, reasons: Vec::new() });
            }
            let is_shown = match sweeps.last_mut().filter(|_| hosts.is_swept(slot)) {
                None => true,
                Some(sweep) => {
                    let glance = engine.glance(slot);
                    sweep.probed += usize::from(glance != Glance::Untried);
                    sweep.alive += usize::from(glance == Glance::Alive);
                    if glance == Glance::Error {
                        sweep.errors += 1;
                        sweep.add_reason(&engine, slot);
                    }
                    glance == Glance::Alive || (end.lists_all && glance != Glance::Untried)
                }
            };
            if is_shown {
                shown.push(slot);
            }
        }
        drop(networks);
        let End { interrupted, is_overdue, is_tiers, timestamps, mut warnings, lists_all } = end;
        for sweep in &mut sweeps {
            sweep.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
            warnings.extend(sweep.warnings(is_overdue, lists_all));
        }
        let names = HashMap::new();
        let targets = Results { engine, clock, shown, is_tiers, is_overdue, timestamps, names };
        let exit = targets.exit(&sweeps, interrupted);
        Self { targets, sweeps, interrupted, warnings, exit }
    }

    /// The single hosts on this machine's links that have answered nothing.
    pub(super) fn silent_neighbours(&self) -> Vec<IpAddr> {
        let Results { engine, shown, .. } = &self.targets;
        let hosts = engine.hosts();
        let is_silent = |slot: &&SlotId| !hosts.is_swept(**slot) && engine.glance(**slot) == Glance::Silent;
        let address = |slot: &SlotId| hosts.address(*slot).filter(|address| hosts.is_on_link(address));
        shown.iter().filter(is_silent).filter_map(address).map(|address| address.ip).collect()
    }

    /// The addresses that answered.
    pub(super) fn alive(&self) -> Vec<IpAddr> {
        let Results { engine, shown, .. } = &self.targets;
        let alive = shown.iter().filter(|slot| engine.glance(**slot) == Glance::Alive);
        alive.filter_map(|slot| engine.hosts().address(*slot)).map(|address| address.ip).collect()
    }

    /// Gives the addresses their names.
    pub(super) fn set_names(&mut self, names: HashMap<IpAddr, Untrusted>) {
        self.targets.names = names;
    }

    /// Whether probes vanished, of which nobody said why.
    pub(super) fn has_silence(&self) -> bool {
        let Results { engine, shown, .. } = &self.targets;
        let is_silent = |slot: &SlotId| {
            let statistics = engine.statistics(*slot);
            statistics.lost() > statistics.errors().iter().map(|(_, count)| count).sum()
        };
        self.sweeps.iter().any(|sweep| sweep.probed > sweep.alive) || shown.iter().any(is_silent)
    }
}

impl Results {
    fn row(&self, slot: SlotId) -> TargetReport {
        let statistics = self.engine.statistics(slot);
        let Slot { target, address, tier, remark } = self.engine.hosts().slot(slot);
        let errors = self.engine.errors(&statistics);
        let outcome = self.outcome(&address, &statistics);
        let meaning = match (&address, tier, outcome) {
            (Err(why), ..) => Some(why.clone()),
            (Ok(_), Some(tier), Some(outcome)) if self.is_tiers => {
                Some(meaning(tier, outcome, &statistics, &errors, remark))
            }
            _ => None,
        };
        let name = address.as_ref().ok().and_then(|address| self.names.get(&address.ip)).cloned();
        let address = match address {
            // A swept host's target is its address, and writing it once is enough.
            Ok(_) if self.engine.hosts().is_swept(slot) => Some(target.to_lossy().into_owned()),
            address => address.ok().map(|address: Address| address.to_string()),
        };
        let row = TargetReport {
            target,
            address,
            name,
            tier,
            outcome,
            sent: statistics.sent(),
            unsent: statistics.unsent(),
            received: statistics.received(),
            lost: statistics.lost(),
            in_flight: statistics.in_flight(),
            loss_percent: statistics.loss_percent(),
            duplicates: statistics.duplicates,
            reordered: statistics.reordered(),
            late: statistics.late,
            corrupted: statistics.corrupted,
            rejected: statistics.rejected,
            notices: statistics.notices,
            ttl: statistics.ttl(),
            hops: statistics.ttl().map(hops),
            rtt_us: statistics.rtt(),
            longest_outage: statistics.outages.longest().map(|outage| self.outage(&outage)),
            path_mtu: None,
            errors,
            timestamps: match statistics.is_stamped() {
                Some(true) => "kernel",
                Some(false) => "user",
                None => self.timestamps,
            },
            meaning,
            is_swept: self.engine.hosts().is_swept(slot),
            is_tier: self.is_tiers,
        };
        match self.engine.path_mtu(slot) {
            Some(found) => row.with_path_mtu(found),
            None => row,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a time in seconds with three decimals")]
    fn outage(&self, outage: &super::statistics::Outage) -> Outage {
        let at = |moment| humantime::format_rfc3339_millis(self.clock.time_of_day(moment)).to_string();
        Outage {
            began_at: at(outage.began),
            ended_at: outage.ended.map(at),
            duration_s: (outage.duration() as f64 / 1e6).round() / 1e3,
            probes: outage.probes,
        }
    }

    /// What a target came to. At the deadline one that has answered nothing is silent, though what is in flight is
    /// not lost.
    fn outcome(&self, address: &Result<Address, String>, statistics: &Statistics) -> Option<Outcome> {
        let is_silent = self.is_overdue && statistics.sent() > 0;
        match address {
            Err(_) => Some(Outcome::Unresolved),
            Ok(_) => statistics.outcome().or(is_silent.then_some(Outcome::Silent)),
        }
    }

    fn exit(&self, sweeps: &[Sweep], interrupted: bool) -> Exit {
        let singles = self.shown.iter().filter(|slot| !self.engine.hosts().is_swept(**slot)).map(|slot| {
            let Slot { address, tier, .. } = self.engine.hosts().slot(*slot);
            (tier, self.outcome(&address, &self.engine.statistics(*slot)))
        });
        judge(&singles.collect::<Vec<_>>(), sweeps, self.is_tiers, interrupted)
    }
}

impl TargetReport {
    /// Makes it the row of a search for the path's MTU: that larger probes do not pass is its result, no loss.
    fn with_path_mtu(self, found: PathMtu) -> Self {
        let meaning = match (found.limited_by, found.is_told) {
            (Some(by), _) => format!("{by} reports that larger packets do not pass"),
            (None, true) => "limited by this machine's own MTU".to_owned(),
            (None, false) if found.payload_bytes == super::pmtu::MOST_BODY => {
                "the largest possible packet passes".to_owned()
            }
            (None, false) => {
                "larger packets are dropped without an ICMP error (an MTU black hole): connections may hang"
                    .to_owned()
            }
        };
        Self {
            outcome: Some(Outcome::Alive),
            sent: self.received,
            unsent: 0,
            lost: 0,
            in_flight: 0,
            loss_percent: Some(0.0),
            longest_outage: None,
            path_mtu: Some(found),
            errors: Vec::new(),
            meaning: Some(meaning),
            ..self
        }
    }
}

/// What a tier's result means for this machine's network.
fn meaning(
    tier: Tier,
    outcome: Outcome,
    statistics: &Statistics,
    errors: &[IcmpErrorCount],
    remark: Option<&'static str>,
) -> String {
    let could_send = statistics.received() > 0 || errors.iter().all(|error| error.from.is_some());
    let told = errors.iter().find_map(|error| Some((error.from?, &error.meaning)));
    let meaning = match told.filter(|_| outcome == Outcome::Error) {
        Some((from, meaning)) => format!("{from} reports '{meaning}'"),
        None => tier.meaning(outcome, could_send).to_owned(),
    };
    match remark {
        Some(remark) => format!("{meaning}; {remark}"),
        None => meaning,
    }
}

/// The routers a reply has passed, if its time to live began as most systems' do: at 64, 128 or 255.
fn hops(ttl: u8) -> u8 {
    let began = if ttl <= 64 {
        64
    } else if ttl <= 128 {
        128
    } else {
        255
    };
    began - ttl
}

/// Good if every target answers; of a sweep, and of each of the three tiers, if anyone does. What was stopped
/// before it was known is neither good nor bad.
fn judge(
    singles: &[(Option<Tier>, Option<Outcome>)],
    sweeps: &[Sweep],
    is_tiers: bool,
    interrupted: bool,
) -> Exit {
    let is_good = |outcome: &Option<Outcome>| outcome.map(Outcome::is_answered);
    let groups: Vec<Vec<Option<bool>>> = if is_tiers {
        let of = |tier| {
            let its = singles.iter().filter(move |(own, _)| *own == Some(tier));
            its.map(|(_, outcome)| is_good(outcome)).collect()
        };
        [Tier::Loopback, Tier::Lan, Tier::Routed].map(of).into()
    } else {
        let swept = sweeps.iter().map(|sweep| vec![sweep.is_good()]);
        singles.iter().map(|(_, outcome)| vec![is_good(outcome)]).chain(swept).collect()
    };
    let answers = |group: &Vec<Option<bool>>| group.contains(&Some(true));
    let is_known = |group: &Vec<Option<bool>>| !group.contains(&None);
    match groups.iter().filter(|group| !answers(group)).collect::<Vec<_>>().as_slice() {
        [] => Exit::Fine,
        bad if interrupted && !bad.iter().any(|group| is_known(group)) => Exit::Interrupted,
        // What could not be heard is not silent.
        bad if !bad.iter().any(|group| is_known(group)) => Exit::Untested,
        _ => Exit::Negative,
    }
}

impl Sweep {
    /// Counts why a host met an error: the first reason of each.
    fn add_reason(&mut self, engine: &Engine, slot: SlotId) {
        let Some(reason) = engine.errors(&engine.statistics(slot)).into_iter().next() else { return };
        let is_it = |known: &&mut IcmpErrorCount| {
            (known.from, &known.meaning, known.mtu) == (reason.from, &reason.meaning, reason.mtu)
        };
        match self.reasons.iter_mut().find(is_it) {
            Some(known) => known.count += 1,
            None => self.reasons.push(IcmpErrorCount { count: 1, ..reason }),
        }
    }

    /// What its reader would not see from those that answered.
    fn warnings(&self, is_overdue: bool, lists_all: bool) -> Vec<Warning> {
        let Self { prefix, hosts, probed, errors, .. } = self;
        let mut warnings = Vec::new();
        if probed < hosts && is_overdue {
            let rest = hosts - probed;
            let message = format!("{prefix}: {rest} of {hosts} hosts were not probed before the deadline");
            warnings.push(Warning::new("sweep-incomplete", message));
        }
        if let Some(reason) = self.reason() {
            let list = if lists_all { "" } else { " (--all lists them)" };
            let message = format!("{prefix}: {errors} unreachable: {reason}{list}");
            warnings.push(Warning::new("sweep-errors", message).in_verdict());
        }
        warnings
    }

    /// Why most of those could not be reached that met an error.
    fn reason(&self) -> Option<String> {
        let first = self.reasons.first()?;
        let from = first.from.map(|from| format!(" from {from}")).unwrap_or_default();
        let others = if self.reasons.len() > 1 { ", and others" } else { "" };
        Some(format!("{}{from}{others}", first.meaning))
    }

    /// What became of it, in a line.
    fn line(&self) -> Line {
        let Self { prefix, hosts, probed, alive, errors, .. } = self;
        let role = if *alive > 0 { Role::Good } else { Role::Bad };
        let line = Line::default().strong(prefix.clone()).plain(": ").with(role, format!("{alive} alive"));
        let line = line.plain(format!(" of {probed} hosts"));
        let line = match self.reason() {
            Some(reason) => {
                line.with(Role::Caution, format!(", {errors} unreachable")).dim(format!(" ({reason})"))
            }
            None => line,
        };
        match hosts - probed {
            0 => line,
            rest => line.with(Role::Caution, format!(", {rest} not probed")),
        }
    }

    /// Whether anybody answered; `None` if nobody did before it was stopped.
    fn is_good(&self) -> Option<bool> {
        if self.alive > 0 || self.probed == self.hosts { Some(self.alive > 0) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stopped_before_it_was_known_is_neither_good_nor_bad() {
        let (alive, silent) = (Some(Outcome::Alive), Some(Outcome::Silent));
        let of = |outcomes: &[Option<Outcome>], interrupted| {
            let rows: Vec<_> = outcomes.iter().map(|outcome| (Some(Tier::Lan), *outcome)).collect();
            judge(&rows, &[], false, interrupted)
        };
        assert_eq!(of(&[alive, Some(Outcome::Partial)], false), Exit::Fine);
        assert_eq!(of(&[alive, silent], false), Exit::Negative);
        assert_eq!(of(&[alive, None], true), Exit::Interrupted);
        assert_eq!(of(&[None], true), Exit::Interrupted);
        assert_eq!(of(&[alive, None], false), Exit::Untested);
        assert_eq!(of(&[alive], true), Exit::Fine);
        assert_eq!(of(&[silent, None], true), Exit::Negative);
        assert_eq!(of(&[None, Some(Outcome::Unresolved)], true), Exit::Negative);
    }

    #[test]
    fn one_public_host_that_answers_is_enough() {
        let (alive, silent) = (Some(Outcome::Alive), Some(Outcome::Silent));
        let tiers = |lan, first, second| {
            let rows =
                [(Tier::Loopback, alive), (Tier::Lan, lan), (Tier::Routed, first), (Tier::Routed, second)];
            judge(&rows.map(|(tier, outcome)| (Some(tier), outcome)), &[], true, false)
        };
        assert_eq!(tiers(alive, silent, alive), Exit::Fine);
        assert_eq!(tiers(alive, silent, silent), Exit::Negative);
        assert_eq!(tiers(silent, alive, alive), Exit::Negative);
    }

    #[test]
    fn a_sweep_is_judged_as_a_whole() {
        let sweep = |probed, alive, interrupted| {
            let sweeps = [Sweep {
                prefix: "10.0.0.0/24".into(),
                hosts: 254,
                probed,
                alive,
                errors: 1,
                reasons: Vec::new(),
            }];
            judge(&[], &sweeps, false, interrupted)
        };
        assert_eq!(sweep(254, 1, false), Exit::Fine);
        assert_eq!(sweep(254, 0, false), Exit::Negative);
        assert_eq!(sweep(9, 0, true), Exit::Interrupted);
        assert_eq!(sweep(9, 1, true), Exit::Fine);
    }

    #[test]
    fn hops_are_guessed_from_where_systems_begin() {
        assert_eq!([64, 63, 128, 117, 255, 250, 1].map(hops), [0, 1, 0, 11, 0, 5, 63]);
    }
}
