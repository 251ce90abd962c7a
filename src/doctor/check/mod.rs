//! The checklist: what each fact says of its tier, in a line.

mod beyond;
mod machine;

use serde::Serialize;

use super::evidence::{Evidence, Privilege, System, Untested};
use super::fact::{Fact, Tier};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Works, with a reservation.
    Warn,
    /// Does not work.
    Fail,
    /// Not tested.
    Skip,
}

impl Status {
    /// The status's name in JSON and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    fn pass_if(is_well: bool) -> Self {
        if is_well { Self::Pass } else { Self::Fail }
    }
}

/// One check of the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The tier it belongs to.
    pub tier: Tier,
    /// What was checked.
    pub name: String,
    /// How it came out.
    pub status: Status,
    /// What was found, or why it was not tested.
    pub detail: String,
    /// How long it took, in microseconds.
    pub elapsed_us: Option<u64>,
}

/// The checks that one fact makes, collected.
struct List<'a> {
    evidence: &'a Evidence,
    fact: Fact,
    checks: Vec<Check>,
}

impl List<'_> {
    /// Adds the check that has the fact's own name and time.
    fn add(&mut self, status: Status, detail: impl Into<String>) {
        self.add_named(self.fact.check(), status, detail);
    }

    /// Adds a check of one of several things that the fact tells of.
    fn add_named(&mut self, name: &str, status: Status, detail: impl Into<String>) {
        self.add_timed(name, self.evidence.elapsed_us(self.fact), status, detail);
    }

    /// Adds a check that took a time of its own, in microseconds.
    fn add_timed(&mut self, name: &str, elapsed_us: Option<u64>, status: Status, detail: impl Into<String>) {
        let (name, detail) = (name.to_owned(), detail.into());
        self.checks.push(Check { tier: self.fact.tier(), name, status, detail, elapsed_us });
    }
}

/// The checks that a fact makes; none if there was no need to test it.
pub(super) fn of(fact: Fact, evidence: &Evidence) -> Vec<Check> {
    let mut list = List { evidence, fact, checks: Vec::new() };
    match evidence.untested(fact) {
        Some(why) if why.is_lack() => list.add(Status::Skip, reason(why)),
        Some(_) => {}
        None => tell(&mut list),
    }
    list.checks
}

/// Tells of a fact that is known.
fn tell(list: &mut List<'_>) {
    let evidence = list.evidence;
    match list.fact {
        Fact::Host => machine::limits(list),
        Fact::Loopback => machine::loopback(list),
        Fact::Links => machine::links(list),
        Fact::Addresses => machine::addresses(list),
        Fact::Routes => machine::routes(list),
        Fact::Resolver => machine::resolver(list),
        Fact::Gateways => machine::gateways(list),
        Fact::Claims => machine::claims(list),
        Fact::Carrier => machine::carrier(list),
        Fact::Names => beyond::names(list),
        Fact::Public => beyond::public(list),
        Fact::Web => beyond::web(list),
        Fact::Proxy => beyond::proxy(list),
        Fact::Target => beyond::target(list),
        Fact::Control => beyond::control(list),
        Fact::Burst => beyond::burst(list),
        Fact::SmallTrain => beyond::train(list, evidence.small_train.get()),
        Fact::LargeTrain => beyond::train(list, evidence.large_train.get()),
        Fact::LongTrain => beyond::train(list, evidence.long_train.get()),
        Fact::GatewayTrain => beyond::train(list, evidence.gateway_train.get()),
        Fact::Beat => beyond::train(list, evidence.beat.get()),
        Fact::Sizes => beyond::sizes(list),
        Fact::Path => beyond::path(list, evidence.path.get()),
        Fact::ControlPath => beyond::path(list, evidence.control_path.get()),
        Fact::PublicPath => beyond::path(list, evidence.public_path.get()),
        Fact::UdpPath => beyond::path(list, evidence.udp_path.get()),
        // What the kernel would do and what it counted is told where a cause rests on it.
        Fact::Out | Fact::Rules | Fact::Counters => {}
    }
}

/// Why a fact is not known, in words.
pub(super) fn reason(why: &Untested) -> String {
    match why {
        Untested::NoNeed => "there was no need".to_owned(),
        Untested::Privilege(Privilege::Frames { interface, error }) => {
            format!("watching {interface} takes CAP_NET_RAW ({error})")
        }
        Untested::Privilege(Privilege::Echo { group_range }) => format!(
            "this user may not send ICMP (net.ipv4.ping_group_range is {group_range}, and CAP_NET_RAW is missing)"
        ),
        Untested::Offline => "--offline: nothing beyond the LAN is asked".to_owned(),
        Untested::TimeUp => "the time was up first".to_owned(),
        Untested::TargetIsAddress => "the target is an address".to_owned(),
        Untested::TargetIsLocalhost => "localhost is this machine (RFC 6761, 6.3)".to_owned(),
        Untested::NoGateway => "no default route has a gateway".to_owned(),
        Untested::NoLink => "there is no link to ask on".to_owned(),
        Untested::NoHardwareAddress(interface) => format!("{interface} has no Ethernet address"),
        Untested::InterfaceGone(interface) => format!("{interface} is gone"),
        Untested::System(System::Interfaces(error)) => {
            format!("the system does not list its interfaces: {error}")
        }
        Untested::System(System::Configuration) => "the system does not tell".to_owned(),
        Untested::System(System::RouteLookup) => "the system does not tell its routes".to_owned(),
        Untested::System(System::Icmp(error)) => format!("ICMP cannot be sent: {error}"),
        Untested::System(System::Frames(Some(error))) => format!("frames cannot be watched: {error}"),
        Untested::System(System::Frames(None)) => "this system has no sockets for that".to_owned(),
        Untested::System(System::Path(error)) => error.clone(),
        Untested::Told(sentence) => sentence.clone(),
    }
}

/// Some of many.
fn shortened(all: &[String]) -> String {
    const MOST: usize = 4;
    let shown = all.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > MOST { format!("{shown} and {} more", all.len() - MOST) } else { shown }
}
