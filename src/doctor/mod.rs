//! Names the root cause: why this machine cannot use the network, or a target.
//!
//! `gather` finds typed evidence, `rules` judge it, purely; the root cause is the smallest set of causes that explains away
//! everything that is seen to be wrong. Evidence can be saved, and judged again elsewhere.

mod check;
pub mod evidence;
pub mod fact;
mod gather;
mod report;
mod request;
pub mod rules;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

pub use check::{Check, Status};
pub use gather::dns::{Kind as DnsKind, parse as parse_dns, question as dns_question};
pub use report::{DoctorEvent, DoctorReport};
pub use request::{Request, Target, TargetError};

use evidence::{Evidence, Untested};
use fact::Fact;
use gather::Progress;

use crate::error::{Error, Result};
use crate::output::record::{Flow, Observer, Warning};

/// Finds out what is wrong.
///
/// Errors: the evidence cannot be read, is none, or cannot be written.
pub fn run(request: &Request, observer: &mut dyn Observer<DoctorEvent>) -> Result<DoctorReport> {
    let start = Instant::now();
    let mut telling = Telling { observer, checks: Vec::new(), told: Vec::new() };
    let (evidence, is_stuck) = match &request.from {
        Some(path) => {
            let evidence = read(path)?;
            for fact in Fact::ALL {
                telling.recorded(&evidence, *fact);
            }
            (evidence, false)
        }
        None => gather(request, &mut telling)?,
    };
    if let Some(path) = &request.save {
        write(path, &evidence)?;
    }
    let diagnosis = rules::diagnose(&evidence);
    if evidence.about.is_cut_short && diagnosis.verdict == rules::Verdict::Healthy {
        return Err(no_verdict(request.timeout, is_stuck));
    }
    let target = evidence.about.target.as_ref().map(|target| target.text.clone());
    let root = diagnosis.root();
    let event = DoctorEvent::Verdict {
        target: target.clone().unwrap_or_else(|| {
            if evidence.about.is_offline { "the LAN; the internet was not asked" } else { "the network" }
                .to_owned()
        }),
        verdict: diagnosis.verdict,
        code: root.map(|root| root.code),
        title: root.map(|root| root.title.clone()),
    };
    let _ = telling.observer.observe(event);
    let warnings = warnings(&evidence, &diagnosis);
    let elapsed_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(DoctorReport::new(target, diagnosis, telling.checks, request.explains, elapsed_us, warnings))
}

/// Gathers evidence on a thread of its own, and gives what there is when the time is up: a call into the system may take as
/// long as it likes, where a lock of the kernel's is held say, and cannot be broken off. Gives too whether one did.
///
/// Errors: the target is no host.
fn gather(request: &Request, telling: &mut Telling<'_>) -> Result<(Evidence, bool)> {
    let deadline = Instant::now() + request.timeout;
    let (sender, news) = mpsc::channel();
    let is_unread = Arc::new(AtomicBool::new(false));
    let mut courier = Courier { sender: sender.clone(), is_unread: is_unread.clone() };
    let its = request.clone();
    let gathering = std::thread::Builder::new().name("gather".to_owned()).spawn(move || {
        let evidence = check_target(&its).map(|()| Box::new(gather::gather(&its, &mut courier)));
        // Nobody waits any more: the time was up.
        let _ = sender.send(News::Ended(evidence));
    });
    let Ok(gathering) = gathering else {
        // That there is no thread to be had is evidence too.
        check_target(request)?;
        return Ok((gather::gather(request, telling), false));
    };
    let mut known = Evidence { about: gather::about(request), ..Evidence::default() };
    loop {
        match news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(News::Recorded(evidence, fact)) => {
                if !telling.recorded(&evidence, fact) {
                    is_unread.store(true, Ordering::Relaxed);
                }
                known = *evidence;
            }
            Ok(News::Ended(evidence)) => return Ok((*evidence?, false)),
            Err(RecvTimeoutError::Timeout) => {
                known.about.is_cut_short = true;
                return Ok((known, true));
            }
            // It ended without a word.
            Err(RecvTimeoutError::Disconnected) => match gathering.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => return Ok((known, false)),
            },
        }
    }
}

/// What the thread that gathers evidence has to say.
enum News {
    /// A fact has been recorded.
    Recorded(Box<Evidence>, Fact),
    /// All is known that there is to be known.
    Ended(Result<Box<Evidence>>),
}

/// Hands facts on to the thread that tells them.
struct Courier {
    sender: Sender<News>,
    /// Whether nobody reads what is told.
    is_unread: Arc<AtomicBool>,
}

impl Progress for Courier {
    fn recorded(&mut self, evidence: &Evidence, fact: Fact) -> bool {
        let is_heard = self.sender.send(News::Recorded(Box::new(evidence.clone()), fact)).is_ok();
        is_heard && !self.is_unread.load(Ordering::Relaxed)
    }
}

/// The error of a run whose time was up before anything was known to be wrong, or right.
fn no_verdict(timeout: Duration, is_stuck: bool) -> Error {
    /// What is enough on most machines.
    const USUAL: Duration = Duration::from_secs(8);
    let error = Error::untested("the time was up before there was a verdict");
    let shown = humantime::format_duration(timeout);
    let more = if timeout < USUAL { USUAL } else { timeout * 2 };
    let why = if is_stuck {
        format!(
            "the probes did not end within {shown}: a call into this system did not return, or it is overloaded"
        )
    } else {
        format!("{shown} is not enough here")
    };
    error.hint(why).hint(format!("give it more time: --timeout {}", more.as_secs()))
}

/// Refuses addresses that are no host's.
fn check_target(request: &Request) -> Result<()> {
    use crate::address::{Class, Host};
    let Some(Host::Address { ip, .. }) = request.target.as_ref().map(|target| &target.host) else {
        return Ok(());
    };
    let what = match Class::of(*ip) {
        Class::Multicast => "a group's address",
        Class::Broadcast => "everybody's address",
        Class::Unspecified => "no address",
        _ if crate::sys::route_to(*ip, 0).is_ok_and(|route| route.kind == Some("broadcast")) => {
            "the broadcast address of a network of this machine"
        }
        _ => return Ok(()),
    };
    Err(Error::usage(format!("{ip} is {what}, and not a host's")).hint("give the address of one host"))
}

/// Tells the observer each check as its fact is recorded.
struct Telling<'a> {
    observer: &'a mut dyn Observer<DoctorEvent>,
    checks: Vec<Check>,
    told: Vec<Fact>,
}

impl Progress for Telling<'_> {
    fn recorded(&mut self, evidence: &Evidence, fact: Fact) -> bool {
        // A target that is tried at further addresses is told once more, with those alone.
        let again = self.told.contains(&fact);
        self.told.push(fact);
        let mut goes_on = true;
        for check in check::of(fact, evidence) {
            if again && self.checks.iter().any(|told| told.name == check.name && told.tier == check.tier) {
                continue;
            }
            goes_on &= self.observer.observe(DoctorEvent::Check(check.clone())) == Flow::Continue(());
            self.checks.push(check);
        }
        goes_on
    }
}

/// What limits how far the verdict can be trusted.
fn warnings(evidence: &Evidence, diagnosis: &rules::Diagnosis) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let is_well = diagnosis.verdict == rules::Verdict::Healthy;
    if let Some(Untested::Privilege(_)) = evidence.claims.untested()
        && !is_well
        && diagnosis.root().is_none_or(|root| root.confidence < rules::Confidence::Certain)
    {
        let message = "whether an address is taken twice was not tested, as that takes CAP_NET_RAW: run as root, or \
                       setcap cap_net_raw+ep on this program";
        warnings.push(Warning::new("claims-not-tested", message));
    }
    if let Some(why @ Untested::Privilege(_)) = evidence.small_train.untested()
        && !is_well
    {
        let message = format!(
            "{}: loss and delay were judged by TCP alone; run as root, or: sysctl -w net.ipv4.ping_group_range='0 2147483647'",
            check::reason(why)
        );
        warnings.push(Warning::new("icmp-not-tested", message));
    }
    if evidence.about.is_cut_short {
        warnings.push(Warning::new(
            "cut-short",
            "the time was up before everything was asked: --timeout gives more",
        ));
    }
    if evidence.about.system != "linux" {
        warnings.push(Warning::new(
            "less-is-told",
            "this system tells less than Linux does: paths, sizes and loss were not tested",
        ));
    }
    warnings
}

fn read(path: &Path) -> Result<Evidence> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Error::usage(format!("cannot read evidence from {shown}")).caused_by(error))?;
    let none =
        || Error::usage(format!("{shown} holds no evidence")).hint("give --from a file that --save wrote");
    let evidence: Evidence = serde_json::from_str(&text).map_err(|error| none().caused_by(error))?;
    // Every fact may be missing but who wrote them down.
    if evidence.about.version.is_empty() { Err(none()) } else { Ok(evidence) }
}

fn write(path: &Path, evidence: &Evidence) -> Result<()> {
    let mut text = serde_json::to_string_pretty(evidence).expect("evidence is plain data");
    text.push('\n');
    fs::write(path, text).map_err(|error| {
        Error::output(format!("cannot write evidence to {}", path.display())).caused_by(error)
    })
}
