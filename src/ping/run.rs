//! A run: an engine, a transport and a clock, and somebody who is told.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::body::Cookie;
use super::clock::{Clock, Disturbance};
use super::engine::{self, Engine, Glance, Happening, Moment, Nanos, Probe, Settings, Telling};
use super::event::{Event, What};
use super::hosts::{Hosts, Slot};
use super::live::{Live, progress};
use super::plan::{self, Plan};
use super::report::{End, Ping};
use super::transport::{self, Transport};
use super::{Pace, Request, TransportChoice, names, target};
use crate::address::{Address, Family};
use crate::error::{Error, Result};
use crate::measure::microseconds;
use crate::output::record::{Attention, Flow, Observer, Warning};
use crate::sys::{self, Listen, StopRequests};

/// The least time from one target's first probe to the next one's, and between the probes of a sweep: 1,000 a
/// second.
const SPACING: Duration = Duration::from_millis(1);
/// So many probes are given to the transport at once: a little fewer than it receives at once, so that one call
/// takes all their replies and knows that these were all.
const BATCH: usize = 60;

/// Pings what a request asks for, and tells the observer of each reply as it comes.
///
/// Errors: an interface or a source that this machine does not have; no permission for ICMP sockets; a file of
/// targets that is none.
pub fn run(request: &Request, observer: &mut dyn Observer<Event>) -> Result<Ping> {
    let runtime = sys::runtime()?;
    let mut stop = StopRequests::listen(Listen::StopAndStatus)?;
    let end = request.deadline.map(|deadline| tokio::time::Instant::now() + deadline);
    let plan = runtime.block_on(async {
        let making = async {
            let mut targets = request.targets.clone();
            if let Some(file) = &request.file {
                targets.extend(read(file, request, end).await?);
            }
            plan::make(request, &targets, end).await
        };
        tokio::select! {
            plan = making => plan,
            () = stop.at_least(1) => Err(Error::interrupted()),
        }
    })?;
    drop(runtime);
    let families = families(&plan.hosts);
    let transport = transport::open(request, &families)?;
    let left = end.map(|end| end.saturating_duration_since(tokio::time::Instant::now()));
    let run = Run::new(request, plan, transport, left, observer);
    let mut ping = run.go(&mut stop);
    if request.finds_names && !stop.is_stopping() {
        ping.set_names(names::look_up(ping.alive(), end.map(tokio::time::Instant::into_std), &stop));
    }
    Ok(ping)
}

/// Reads the targets of a file on a thread of its own: standard input may keep one waiting.
async fn read(
    file: &Path,
    request: &Request,
    end: Option<tokio::time::Instant>,
) -> Result<Vec<target::Target>> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    let (path, its) = (file.to_owned(), request.clone());
    let reading = std::thread::Builder::new().spawn(move || {
        // Nobody waits any more: the deadline came, or the user stopped it.
        let _ = sender.send(target::read(&path, &its));
    });
    let cannot = || Error::untested(format!("cannot read the targets in {}", file.display()));
    reading.map_err(|source| cannot().caused_by(source))?;
    tokio::select! {
        targets = answer => targets.unwrap_or_else(|_| Err(cannot())),
        () = plan::until(end) => Err(cannot().hint("no input before the deadline: raise --deadline")),
    }
}

/// The families of the targets, IPv4 first.
fn families(hosts: &Hosts) -> Vec<Family> {
    let singles = hosts.singles();
    let singles = singles.iter().filter_map(|slot| hosts.address(*slot)).map(|address| address.family());
    let mut families: Vec<Family> =
        singles.chain(hosts.networks().map(|(prefix, ..)| prefix.family())).collect();
    families.sort_unstable();
    families.dedup();
    families
}

/// One run under way.
struct Run<'a> {
    request: &'a Request,
    engine: Engine,
    transport: Box<dyn Transport>,
    clock: Clock,
    deadline: Option<Moment>,
    observer: &'a mut dyn Observer<Event>,
    attention: Attention,
    live: Option<Live>,
    is_tiers: bool,
    warnings: Vec<Warning>,
    missed: u64,
    /// How often it has told how it goes.
    statuses: u32,
    /// When the screen was last drawn.
    drawn: Moment,
}

impl<'a> Run<'a> {
    fn new(
        request: &'a Request,
        plan: Plan,
        transport: Box<dyn Transport>,
        left: Option<Duration>,
        observer: &'a mut dyn Observer<Event>,
    ) -> Self {
        let clock = Clock::start();
        let now = Clock::now();
        let Plan { hosts, is_tiers } = plan;
        let attention = observer.attention();
        let singles = hosts.singles().len();
        let is_sweeping = hosts.networks().next().is_some();
        let is_drawn = observer.is_drawing() && singles > 1 && !is_sweeping && !is_tiers;
        let live = is_drawn.then(Live::new);
        let mut settings = settings(request, &hosts, transport.sweep_window());
        if attention == Attention::None && live.is_none() {
            settings.telling = Telling::Nothing;
        }
        let engine = Engine::new(settings, hosts, Cookie::random(), now);
        Self {
            request,
            engine,
            transport,
            clock,
            deadline: left.map(|left| now.saturating_add(nanos(left))),
            observer,
            attention,
            live,
            is_tiers,
            warnings: Vec::new(),
            missed: 0,
            statuses: 0,
            drawn: 0,
        }
    }

    /// Probes until all is known, the deadline comes, or the user stops it.
    fn go(mut self, stop: &mut StopRequests) -> Ping {
        let mut is_read = self.announce().is_continue();
        let (mut interrupted, mut is_overdue) = (false, false);
        let mut batch: Vec<Probe> = Vec::with_capacity(BATCH);
        while is_read {
            let (now, disturbance) = self.clock.tick();
            // What has come in is taken before anything is given up: a pause of this process is nobody's loss.
            self.transport.receive(&mut self.engine);
            if let Some(disturbance) = disturbance {
                self.disturbed(disturbance, now);
            }
            self.look_for_missed(now);
            self.look_for_trouble(now);
            self.engine.expire(now);
            is_read = self.tell().is_continue();
            self.warn_of_neighbours(now);
            is_read &= self.show(now, false).is_continue();
            if stop.is_stopping() {
                interrupted = true;
                break;
            }
            if self.engine.is_done() {
                break;
            }
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                is_overdue = true;
                break;
            }
            while stop.status_requests() > self.statuses {
                self.statuses += 1;
                #[cfg(unix)]
                stop.rest();
                is_read &= self.tell_status(now).is_continue();
            }
            batch.clear();
            self.engine.fill(now, BATCH, &mut batch);
            if batch.is_empty() {
                if self.engine.is_done() {
                    break;
                }
                let wake = [self.engine.next_wake(), self.deadline, self.next_drawing()];
                self.transport.wait(wake.into_iter().flatten().min(), stop);
            } else {
                self.transport.send(&batch, &mut self.engine);
            }
        }
        let now = Clock::now();
        let _ = self.show(now, true);
        self.finish(interrupted, is_overdue)
    }

    /// Tells what an unusual pace does, and of the targets that have no address to probe.
    fn announce(&mut self) -> Flow {
        let now = Clock::now();
        let message = match self.request.pace {
            Pace::Flood => format!(
                "flood: up to {} probes in flight per target, a new one on each reply, and at least 100 per second",
                engine::FLOOD_WINDOW
            ),
            Pace::Unpaced => "rate 0: probes are sent as fast as possible".to_owned(),
            _ => String::new(),
        };
        if !message.is_empty() {
            self.warn(if self.request.pace == Pace::Flood { "flood" } else { "unpaced" }, message, now)?;
        }
        for slot in 0..u32::try_from(self.engine.hosts().len()).unwrap_or(u32::MAX) {
            if self.engine.hosts().is_swept(slot) {
                continue;
            }
            if let Slot { target, address: Err(meaning), .. } = self.engine.hosts().slot(slot) {
                let what = What::Unresolved { meaning };
                self.observer.observe(Event::new(Some(target), self.clock.time_of_day(now), what))?;
            }
        }
        Flow::Continue(())
    }

    /// Tells the observer what happened.
    fn tell(&mut self) -> Flow {
        for happening in self.engine.take_news() {
            let is_swept = self.engine.hosts().is_swept(happening.slot);
            if let Some(live) = &mut self.live {
                live.note(&happening);
                continue;
            }
            // One of very many is only for those who want each of them.
            let is_flooding = matches!(self.request.pace, Pace::Flood | Pace::Unpaced);
            let is_reply = matches!(happening.what, engine::What::Reply { .. });
            // That a probe of a search for the MTU does not pass is what the search is for.
            let is_searching = self.request.finds_pmtu && !is_reply;
            let is_detail = is_swept || is_flooding || is_searching;
            // That its fate is not known is told once, as a warning.
            if happening.what == engine::What::Excused {
                continue;
            }
            if self.attention == Attention::None || (is_detail && self.attention != Attention::Details) {
                continue;
            }
            // That a host of a sweep stays silent is no news, unless all are listed.
            if is_swept && happening.what == engine::What::TimedOut && !self.request.lists_all {
                continue;
            }
            let event = self.event(&happening, is_detail);
            self.observer.observe(event)?;
        }
        Flow::Continue(())
    }

    fn event(&self, happening: &Happening, is_detail: bool) -> Event {
        let Slot { target, address, .. } = self.engine.hosts().slot(happening.slot);
        let error = |id| self.engine.error(id).clone();
        let (mut rtt_us, mut ttl, mut bytes, mut from) = (None, None, None, None);
        let mut answer = |rtt: Nanos, its_ttl, its_bytes, what| {
            rtt_us = (rtt > 0).then(|| microseconds(Duration::from_nanos(rtt)));
            (ttl, bytes) = (its_ttl, Some(its_bytes));
            from = address.as_ref().ok().map(|address: &Address| address.ip);
            what
        };
        let what = match happening.what {
            engine::What::Reply { rtt, ttl, bytes } => answer(rtt, ttl, bytes, What::Reply {}),
            engine::What::Late { rtt, ttl, bytes } => answer(rtt, ttl, bytes, What::Late {}),
            engine::What::Duplicate { rtt, ttl, bytes } => answer(rtt, ttl, bytes, What::Duplicate {}),
            engine::What::Corrupt { bytes } => answer(0, None, bytes, What::Corrupt {}),
            engine::What::Rejected => What::Rejected {},
            engine::What::Outstanding | engine::What::Excused => What::Outstanding {},
            engine::What::TimedOut => What::TimeOut {
                timeout_ms: u64::try_from(self.request.timeout.as_millis()).unwrap_or(u64::MAX),
            },
            engine::What::Failed(id) | engine::What::Unsent(id) => {
                let engine::Reason { from: sender, icmp_type, code, meaning, mtu } = error(id);
                from = sender;
                What::Error { icmp_type, code, meaning, mtu }
            }
            engine::What::Notice(id) => {
                let engine::Reason { from: sender, icmp_type, code, meaning, .. } = error(id);
                from = sender;
                What::Notice { icmp_type, code, meaning }
            }
        };
        let at = self.clock.time_of_day(happening.at);
        let address = address.as_ref().ok().map(Address::to_string);
        Event {
            address,
            seq: happening.number,
            rtt_us,
            ttl,
            bytes,
            from,
            is_detail,
            rings: self.request.rings && matches!(happening.what, engine::What::Reply { .. }),
            ..Event::new(Some(target), at, what)
        }
    }

    /// Tells how each host goes so far.
    fn tell_status(&mut self, now: Moment) -> Flow {
        for slot in self.engine.hosts().singles() {
            let statistics = self.engine.statistics(slot);
            let Slot { target, address, .. } = self.engine.hosts().slot(slot);
            let what = What::Interim {
                sent: statistics.sent(),
                received: statistics.received(),
                lost: statistics.lost(),
                loss_percent: statistics.loss_percent(),
                summary_us: statistics.rtt(),
            };
            let event = Event::new(Some(target), self.clock.time_of_day(now), what);
            let address = address.as_ref().ok().map(Address::to_string);
            self.observer.observe(Event { address, ..event })?;
        }
        for (prefix, first, end) in self.engine.hosts().networks().collect::<Vec<_>>() {
            let count = |wanted: &[Glance]| {
                let is_wanted = |slot: &u32| wanted.contains(&self.engine.glance(*slot));
                u64::try_from((first..end).filter(is_wanted).count()).unwrap_or(u64::MAX)
            };
            let what = What::Interim {
                sent: count(&[Glance::Alive, Glance::Error, Glance::Silent]),
                received: count(&[Glance::Alive]),
                lost: count(&[Glance::Error, Glance::Silent]),
                loss_percent: None,
                summary_us: None,
            };
            let at = self.clock.time_of_day(now);
            self.observer.observe(Event::new(Some(prefix.to_string().into()), at, what))?;
        }
        Flow::Continue(())
    }

    /// Something came over the clocks: what was under way may have been answered unheard.
    fn disturbed(&mut self, disturbance: Disturbance, now: Moment) {
        let of =
            |time: Nanos| humantime::format_duration(Duration::from_millis(time / 1_000_000)).to_string();
        let (code, message) = match disturbance {
            Disturbance::Slept(time) => {
                self.engine.excuse(now);
                (
                    "suspended",
                    format!(
                        "this machine was suspended for {}: probes of that time are not counted",
                        of(time)
                    ),
                )
            }
            Disturbance::Stepped(time) => (
                "clock-stepped",
                format!("the system clock was set by {}: time stamps of events jump", of(time)),
            ),
        };
        let _ = self.warn(code, message, now);
    }

    /// Before probes are given up: whether replies found no room to be received.
    fn look_for_missed(&mut self, now: Moment) {
        if !self.engine.is_expiring(now) {
            return;
        }
        let missed = self.transport.missed();
        if missed > self.missed {
            self.missed = missed;
            self.engine.excuse(now);
            let message = "replies came faster than this machine could take them: those probes are not counted as lost, \
                           and hosts of a sweep are probed again";
            let _ = self.warn("receive-buffer-full", message.to_owned(), now);
        }
    }

    /// Whether nothing can be received: then nothing is known of what was sent.
    fn look_for_trouble(&mut self, now: Moment) {
        let Some(trouble) = self.transport.trouble() else { return };
        let message = format!("cannot receive: {trouble}; probes of that time are not counted as lost");
        self.engine.excuse(now);
        let _ = self.warn("cannot-receive", message, now);
    }

    fn warn_of_neighbours(&mut self, now: Moment) {
        if self.engine.neighbours.refusals == 0
            || self.warnings.iter().any(|warning| warning.code == "neighbour-table-full")
        {
            return;
        }
        let is_v6 = self.engine.neighbours.is_v6;
        let family = if is_v6 { Family::Ipv6 } else { Family::Ipv4 };
        let (limit, setting) = match sys::neighbour_limit(family) {
            Some(limit) => (format!(" ({limit})"), limit * 64),
            None => (String::new(), 65_536),
        };
        let sysctl = format!("net.{}.neigh.default.gc_thresh3", if is_v6 { "ipv6" } else { "ipv4" });
        let is_sweeping = self.engine.hosts().networks().next().is_some();
        let wait = match (self.request.waits_for_neighbours, is_sweeping) {
            (true, true) => {
                "the sweep continues in rounds of up to 50 s as entries expire (--no-wait skips the rest)"
            }
            (true, false) => "probes wait up to 100 s for entries to expire (--no-wait skips them)",
            (false, _) => "the remaining hosts could not be probed",
        };
        let message = format!(
            "the kernel's neighbour table is full{limit}: {wait}; to avoid this: sudo sysctl -w {sysctl}={setting}"
        );
        let _ = self.warn("neighbour-table-full", message, now);
    }

    fn warn(&mut self, code: &'static str, message: String, now: Moment) -> Flow {
        /// A machine that sleeps every night must not fill the memory with it.
        const MOST: usize = 100;
        let flow = if self.warnings.iter().any(|warning| warning.code == code && warning.message == message) {
            Flow::Continue(())
        } else {
            let what = What::Warning { code, message: message.clone() };
            self.observer.observe(Event::new(None, self.clock.time_of_day(now), what))
        };
        if flow.is_continue()
            && self.warnings.len() < MOST
            && !self.warnings.iter().any(|it| it.message == message)
        {
            self.warnings.push(Warning::new(code, message));
        }
        flow
    }

    /// When the screen is drawn next, if it is at all.
    fn next_drawing(&self) -> Option<Moment> {
        let is_sweeping = self.engine.hosts().networks().next().is_some();
        (self.live.is_some() || (is_sweeping && self.observer.shows_progress()))
            .then(|| self.drawn + Live::PERIOD)
    }

    /// Draws how it goes, if somebody looks and it is time.
    fn show(&mut self, now: Moment, is_last: bool) -> Flow {
        if !is_last && self.next_drawing().is_none_or(|at| at > now) {
            return Flow::Continue(());
        }
        self.drawn = now;
        if self.engine.hosts().networks().next().is_some() && self.observer.shows_progress() {
            let line = (!is_last).then(|| progress(&self.engine, now));
            self.observer.progress(line);
        }
        match &mut self.live {
            Some(live) => {
                let frame = (!is_last).then(|| live.frame(&self.engine));
                self.observer.draw(frame)
            }
            None => Flow::Continue(()),
        }
    }

    fn finish(mut self, interrupted: bool, is_overdue: bool) -> Ping {
        if self.engine.strays > 0 {
            let message = format!("{} messages looked like replies but match no probe", self.engine.strays);
            self.warnings.push(Warning::new("false-replies", message));
        }
        let hides_errors = self.transport.hides_errors();
        let is_kernel = cfg!(target_os = "linux") && self.request.transport == TransportChoice::Auto;
        let end = End {
            interrupted,
            is_overdue,
            is_tiers: self.is_tiers,
            lists_all: self.request.lists_all,
            timestamps: if is_kernel { "kernel" } else { "user" },
            warnings: self.warnings,
        };
        let mut ping = Ping::new(self.engine, self.clock, end);
        ping.warnings.extend(without_neighbour(&ping.silent_neighbours()));
        // A probe that met an error is no riddle; only one that met silence may have met a hidden one.
        if hides_errors && ping.has_silence() {
            let message =
                "an unprivileged ICMP socket receives no ICMP errors: the reason for the loss may be hidden";
            ping.warnings.push(Warning::new("icmp-errors-hidden", message));
        }
        ping
    }
}

/// The warnings about targets on this machine's links that nobody has: one for each family, however many there are.
fn without_neighbour(silent: &[IpAddr]) -> Vec<Warning> {
    /// So many are named.
    const NAMED: usize = 3;
    let lost = if silent.is_empty() { None } else { sys::lost_neighbours().ok() };
    let Some(lost) = lost else { return Vec::new() };
    let of_family = |is_v4: bool| -> Option<Warning> {
        let mut none: Vec<&IpAddr> =
            silent.iter().filter(|ip| ip.is_ipv4() == is_v4 && lost.contains(ip)).collect();
        none.sort_unstable();
        none.dedup();
        let asked = if is_v4 { "ARP" } else { "neighbour discovery" };
        let named: Vec<String> = none.iter().take(NAMED).map(ToString::to_string).collect();
        let who = match (none.as_slice(), none.len().saturating_sub(NAMED)) {
            ([], _) => return None,
            ([one], _) => format!("{one}: no host on this link answers for the address"),
            (_, 0) => format!("{}: no host on this link answers for these addresses", named.join(", ")),
            (all, more) => format!(
                "{} targets ({} and {more} more): no host on this link answers for these addresses",
                all.len(),
                named.join(", ")
            ),
        };
        Some(Warning::new("no-neighbour", format!("{who} ({asked}); nothing was sent")))
    };
    [true, false].into_iter().filter_map(of_family).collect()
}

fn nanos(time: Duration) -> Nanos {
    /// Beyond what a run lasts, and far from where sums of such would overflow.
    const MOST: Nanos = u64::MAX / 16;
    u64::try_from(time.as_nanos()).unwrap_or(MOST).min(MOST)
}

/// The engine's settings for a request.
fn settings(request: &Request, hosts: &Hosts, sweep_window: usize) -> Settings {
    let singles = u64::try_from(hosts.singles().len()).unwrap_or(u64::MAX);
    let is_sweeping = hosts.networks().next().is_some();
    let every = |interval: Nanos| match interval {
        0 => engine::Pace::Unpaced,
        interval => engine::Pace::Every(interval),
    };
    let (pace, spacing, gap) = match request.pace {
        Pace::Every(interval) => {
            let interval = nanos(interval);
            (every(interval), nanos(SPACING).min(interval / singles.max(1)), nanos(SPACING))
        }
        Pace::Rate(rate) => {
            // Hosts and sweeps share the rate.
            let share = 1 + u64::from(singles > 0 && is_sweeping);
            let gap = share * 1_000_000_000 / u64::from(rate.max(1));
            (every((gap * singles.max(1)).max(1)), gap, gap)
        }
        Pace::Unpaced => (engine::Pace::Unpaced, 0, 0),
        Pace::Flood => (engine::Pace::Flood, 0, nanos(SPACING)),
    };
    Settings {
        count: if request.finds_pmtu { Some(1) } else { request.count.map(u64::from) },
        sweep_count: request.sweep_count.into(),
        retries: if request.finds_pmtu { 0 } else { request.retries.into() },
        pace,
        spacing,
        gap,
        sweep_window,
        timeout: nanos(request.timeout),
        size: request.size,
        finds_pmtu: request.finds_pmtu,
        waits_for_neighbours: request.waits_for_neighbours,
        telling: if request.tells_outstanding { Telling::Everything } else { Telling::Usual },
    }
}
