//! From evidence to findings: pure functions, a file a layer. Nothing here knows a socket, a clock or a system.
//!
//! A rule holds only on facts that say so. What was not tested is unknown, and unknown fulfils no condition; so taking
//! evidence away can only make a finding less certain, never more.

mod address;
mod application;
mod between;
mod commands;
mod family;
mod filter;
mod gateway;
mod host;
mod link;
mod names;
mod neighbour;
mod path;
mod route;
mod service;
mod symptom;
mod verdict;

use serde::Serialize;

use super::evidence::{Evidence, Facts};
use super::fact::Fact;
pub use symptom::Symptom;
pub use verdict::{Considered, Diagnosis, Verdict, diagnose, is_settled};

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It may be so, and other things may be as well.
    Possible,
    /// It is the best explanation of what was seen.
    Likely,
    /// What was seen has no other explanation.
    Certain,
}

/// The layer a cause is in, from the nearest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Layer {
    Host,
    Link,
    Address,
    Neighbour,
    Route,
    Gateway,
    Filter,
    Path,
    Family,
    Names,
    Between,
    Service,
    Application,
}

/// A cause of trouble.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Its stable name: owner and remedy are the same wherever it is.
    pub code: &'static str,
    /// The layer it is in.
    pub layer: Layer,
    /// Which of the code's variants it is.
    pub detail: &'static str,
    /// One sentence.
    pub title: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// What it rests on.
    pub evidence: Vec<Reason>,
    /// What to do, one thing each.
    pub remedy: Vec<String>,
    /// What it explains.
    pub explains: Vec<Symptom>,
    /// Its part in the whole.
    pub role: Role,
    /// Other codes that the same evidence allows.
    pub or: Vec<&'static str>,
}

/// A fact that a finding rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The fact's name in the evidence ([`Fact::name`]).
    pub fact: &'static str,
    /// What it says.
    pub detail: String,
    /// A command by which a person can check it.
    pub check: Option<String>,
}

/// A finding's part in the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What everything else follows from.
    Root,
    /// A cause by itself.
    Cause,
    /// What follows from the root.
    Consequence,
    /// Worth knowing, and no fault.
    Note,
}

impl Finding {
    fn new(
        code: &'static str,
        layer: Layer,
        detail: &'static str,
        confidence: Confidence,
        title: String,
    ) -> Self {
        Self {
            code,
            layer,
            detail,
            title,
            confidence,
            evidence: Vec::new(),
            remedy: Vec::new(),
            explains: Vec::new(),
            role: Role::Cause,
            or: Vec::new(),
        }
    }

    /// Adds a fact it rests on.
    fn because(mut self, fact: Fact, detail: impl Into<String>) -> Self {
        self.evidence.push(Reason { fact: fact.name(), detail: detail.into(), check: None });
        self
    }

    /// Adds the command that shows the last fact.
    fn check(mut self, command: impl Into<String>) -> Self {
        if let Some(last) = self.evidence.last_mut() {
            last.check = Some(command.into());
        }
        self
    }

    /// Adds something to do.
    fn remedy(mut self, what: impl Into<String>) -> Self {
        self.remedy.push(what.into());
        self
    }

    /// Says what it explains.
    fn explains(mut self, symptoms: &[Symptom]) -> Self {
        self.explains.extend(symptoms);
        self
    }

    /// Says what else the same evidence allows.
    fn or(mut self, codes: &[&'static str]) -> Self {
        self.or.extend(codes);
        self
    }
}

/// A rule.
type Rule = fn(&Facts<'_>, &mut Vec<Finding>);

/// Every rule, by the codes it may give.
const RULES: &[(&[&str], Rule)] = &[
    (&["HOST.LOOPBACK"], host::loopback),
    (&["HOST.RESOURCES"], host::resources),
    (&["HOST.CLOCK"], host::clock),
    (&["LINK.NONE", "LINK.DOWN", "LINK.NO_CARRIER"], link::state),
    (&["LINK.FLAPPING"], link::flapping),
    (&["ADDR.NONE"], address::none),
    (&["ADDR.MISMATCH"], address::mismatch),
    (&["ADDR.DUPLICATE"], address::duplicate),
    (&["NEIGH.GATEWAY_SILENT"], neighbour::gateway_silent),
    (&["NEIGH.TARGET_SILENT"], neighbour::target_silent),
    (&["NEIGH.SPOOFED"], neighbour::spoofed),
    (&["NEIGH.BAD_ENTRY"], neighbour::bad_entry),
    (&["ROUTE.NO_DEFAULT"], route::no_default),
    (&["ROUTE.LOCAL_BLOCK"], route::local_block),
    (&["ROUTE.WRONG_GATEWAY"], route::wrong_gateway),
    (&["ROUTE.WRONG_INTERFACE"], route::wrong_interface),
    (&["ROUTE.BAD_SOURCE"], route::bad_source),
    (&["GW.NOT_FORWARDING"], gateway::not_forwarding),
    (&["GW.UPSTREAM_DOWN"], gateway::upstream_down),
    (&["NAT.MISSING"], gateway::nat),
    (&["FW.LOCAL"], filter::local),
    (&["FW.REJECT"], filter::reject),
    (&["FW.DROP"], filter::drop_connections),
    (&["FW.DROP"], filter::drop_payload),
    (&["FW.DROP"], filter::drop_datagrams),
    (&["FW.RST_INJECTION"], filter::injection),
    (&["PATH.LOOP"], path::circle),
    (&["PATH.UNREACHABLE"], path::unreachable),
    (&["PATH.BLACKHOLE"], path::blackhole),
    (&["PATH.MTU"], path::mtu),
    (&["PATH.LOSS", "PATH.INTERMITTENT"], path::loss),
    (&["PATH.LATENCY"], path::latency),
    (&["PATH.BANDWIDTH"], path::bandwidth),
    (&["PATH.ECMP_PARTIAL"], path::balanced),
    (&["V6.BROKEN", "V4.BROKEN"], family::one_of_two),
    (&["DNS.NO_RESOLVER"], names::no_resolver),
    (&["DNS.SERVER_DOWN"], names::server_down),
    (&["DNS.SERVER_ERROR"], names::server_error),
    (&["DNS.NO_SUCH_NAME"], names::no_such_name),
    (&["DNS.WRONG_ANSWER"], names::wrong_answer),
    (&["DNS.SLOW"], names::slow),
    (&["DNS.TCP_BLOCKED"], names::tcp_blocked),
    (&["NAME.HOSTS_OVERRIDE"], names::hosts_override),
    (&["MBOX.PORTAL"], between::portal),
    (&["MBOX.INTERCEPT"], between::intercept),
    (&["PROXY.BROKEN"], between::proxy),
    (&["TCP.REFUSED"], service::refused),
    (&["TCP.RESET"], service::reset),
    (&["TCP.BACKLOG_FULL"], service::backlog_full),
    (&["TLS.CERT", "TLS.HANDSHAKE"], application::tls),
    (&["APP.SILENT", "APP.SLOW", "APP.WRONG_REPLY", "APP.CLOSED_EARLY"], application::answer),
    (&["APP.HTTP_ERROR"], application::http),
];

/// What every rule finds by itself, in the order of the layers; no verdict yet.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let facts = Facts::new(evidence);
    let mut found = Vec::new();
    for (codes, rule) in RULES {
        let before = found.len();
        rule(&facts, &mut found);
        debug_assert!(found[before..].iter().all(|finding: &Finding| codes.contains(&finding.code)));
    }
    for finding in &mut found {
        // What has another explanation is not certain.
        if !finding.or.is_empty() {
            finding.confidence = finding.confidence.min(Confidence::Likely);
        }
    }
    found.sort_by_key(|finding| finding.layer);
    found
}
