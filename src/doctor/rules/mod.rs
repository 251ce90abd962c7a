//! From evidence to findings: pure functions, a file a cause, or a few that share all their conditions. Nothing here knows a socket, a clock or a system.
//!
//! A rule holds only on facts that say so. What was not tested is unknown, and unknown fulfils no condition; so taking
//! evidence away can only make a finding less certain, never more.

mod addr_duplicate;
mod addr_mismatch;
mod addr_none;
mod app_answer;
mod app_http_error;
mod cause;
mod commands;
mod dns_no_resolver;
mod dns_no_such_name;
mod dns_server_down;
mod dns_server_error;
mod dns_slow;
mod dns_tcp_blocked;
mod dns_wrong_answer;
mod family_broken;
mod fw_drop;
mod fw_local;
mod fw_reject;
mod fw_rst_injection;
mod gw_not_forwarding;
mod gw_upstream_down;
mod host_clock;
mod host_loopback;
mod host_resources;
mod link_flapping;
mod link_state;
mod mbox_intercept;
mod mbox_portal;
mod name_hosts_override;
mod nat_missing;
mod neigh_bad_entry;
mod neigh_gateway_silent;
mod neigh_spoofed;
mod neigh_target_silent;
mod path_bandwidth;
mod path_blackhole;
mod path_ecmp_partial;
mod path_latency;
mod path_loop;
mod path_loss;
mod path_mtu;
mod path_unreachable;
mod proxy_broken;
mod route_bad_source;
mod route_local_block;
mod route_no_default;
mod route_rule_block;
mod route_wrong_gateway;
mod route_wrong_interface;
mod symptom;
mod tcp_backlog_full;
mod tcp_refused;
mod tcp_reset;
mod tls;
mod verdict;
mod words;

use serde::Serialize;

use super::evidence::{Evidence, Facts};
use super::fact::Fact;
pub use cause::Cause;
pub use symptom::Symptom;
pub use verdict::{Considered, Diagnosis, Outcome, Verdict, diagnose, is_settled};

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

impl Layer {
    /// The layer's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Link => "link",
            Self::Address => "address",
            Self::Neighbour => "neighbour",
            Self::Route => "route",
            Self::Gateway => "gateway",
            Self::Filter => "filter",
            Self::Path => "path",
            Self::Family => "family",
            Self::Names => "names",
            Self::Between => "between",
            Self::Service => "service",
            Self::Application => "application",
        }
    }
}

/// A cause of trouble.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The cause.
    #[serde(skip)]
    pub cause: Cause,
    /// The cause's stable name ([`Cause::code`]).
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
    /// Other causes that the same evidence allows, by their codes.
    pub or: Vec<&'static str>,
    /// The symptom that this cause alone shows.
    #[serde(skip)]
    shows: Option<Symptom>,
    /// The layer by which its distance from this machine is judged.
    #[serde(skip)]
    near: Layer,
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
    fn new(cause: Cause, detail: &'static str, confidence: Confidence, title: String) -> Self {
        Self {
            cause,
            code: cause.code(),
            layer: cause.layer(),
            detail,
            title,
            confidence,
            evidence: Vec::new(),
            remedy: Vec::new(),
            explains: Vec::new(),
            role: Role::Cause,
            or: Vec::new(),
            shows: cause.shows(),
            near: cause.layer(),
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
    fn or(mut self, causes: &[Cause]) -> Self {
        self.or.extend(causes.iter().map(|cause| cause.code()));
        self
    }

    /// Says which symptom nothing else would have told of, where that depends on the detail.
    fn shows(mut self, symptom: Symptom) -> Self {
        self.shows = Some(symptom);
        self
    }

    /// Says that it is met before whatever else is of a layer, though it is not in that layer itself.
    fn met_at(mut self, layer: Layer) -> Self {
        self.near = layer;
        self
    }
}

/// A rule.
type Rule = fn(&Facts<'_>, &mut Vec<Finding>);

/// What every rule finds by itself, in the order of the layers; no verdict yet.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let facts = Facts::new(evidence);
    let mut found = Vec::new();
    for rule in cause::RULES {
        rule(&facts, &mut found);
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

/// What a rule finds on the healthy machine with a change: each finding's detail and confidence.
#[cfg(test)]
fn told(rule: Rule, change: impl FnOnce(&mut Evidence)) -> Vec<(&'static str, Confidence)> {
    let evidence = Evidence::healthy().with(change);
    let mut found = Vec::new();
    rule(&Facts::new(&evidence), &mut found);
    found.iter().map(|finding| (finding.detail, finding.confidence)).collect()
}
