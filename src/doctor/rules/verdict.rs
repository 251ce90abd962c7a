//! From findings to the root cause: the smallest set of causes that explains away all that is seen to be wrong.

use serde::Serialize;

use super::{Cause, Confidence, Finding, Role, Symptom, findings, symptom};
use crate::doctor::evidence::{Evidence, Facts};

/// How it is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is wrong, as far as it was tested.
    Healthy,
    /// It works, and not as it should.
    Degraded,
    /// It does not work.
    Broken,
}

/// What all of it comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// How it is, in a word.
    pub verdict: Verdict,
    /// What was found: the root cause first, then other causes, consequences and notes.
    pub findings: Vec<Finding>,
    /// What is seen to be wrong and nothing explains.
    pub unexplained: Vec<Symptom>,
    /// Every rule that was considered, and why it lost if it did.
    pub considered: Vec<Considered>,
}

/// A rule that was considered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// The code it would have given.
    pub code: &'static str,
    /// What became of it.
    pub verdict: Outcome,
    /// Why.
    pub reason: String,
}

/// What became of a rule that was considered, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its cause is the root.
    Root,
    /// Its cause explains what the root does not.
    Cause,
    /// Its cause was found, and others explain more.
    Lost,
    /// Nothing of its cause was seen.
    #[serde(rename = "no sign")]
    NoSign,
}

impl Outcome {
    /// The outcome's name in JSON and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Cause => "cause",
            Self::Lost => "lost",
            Self::NoSign => "no sign",
        }
    }
}

impl Diagnosis {
    /// The root cause.
    pub fn root(&self) -> Option<&Finding> {
        self.findings.first().filter(|finding| finding.role == Role::Root)
    }
}

/// Whether what is known settles the case: a cause on this machine or its link, without a doubt, beyond which nothing could
/// be tested anyway.
pub fn is_settled(evidence: &Evidence) -> bool {
    let found = findings(evidence);
    let settles = |finding: &Finding| {
        finding.confidence == Confidence::Certain
            && finding.cause.settles()
            && finding.explains.contains(&Symptom::Target4)
    };
    // A long look at what is lost and late tells all that there is to be told.
    if evidence.long_train.get().is_some() && evidence.gateway_train.get().is_some() {
        let diagnosis = diagnose(evidence);
        let root = diagnosis.root().map(|root| root.cause);
        if matches!(root, Some(Cause::PathLoss | Cause::PathIntermittent | Cause::PathLatency))
            && evidence.target.get().is_some()
        {
            return true;
        }
    }
    if !found.iter().any(settles) {
        return false;
    }
    // The gateway's neighbour is asked at the same time as other gateways are, whose answer may decide.
    let is_gateway = found.iter().any(|finding| finding.cause == Cause::NeighGatewaySilent);
    !is_gateway || evidence.names.get().is_some() || evidence.names.untested().is_none()
}

/// Judges the evidence.
pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let facts = Facts::new(evidence);
    let mut found = findings(evidence);
    // A fault that shows by itself is a symptom, too.
    let mut symptoms = symptom::seen(&facts);
    for finding in found.iter().filter(|finding| finding.confidence >= Confidence::Likely) {
        symptoms.extend(finding.shows.filter(|own| finding.explains.contains(own)));
    }
    symptoms.sort_unstable();
    symptoms.dedup();
    let chosen = smallest(&found, &symptoms);
    let root = chosen.first().copied();
    let explained: Vec<Symptom> = chosen.iter().flat_map(|place| found[*place].explains.clone()).collect();
    let by_root: Vec<Symptom> = root.map_or_else(Vec::new, |root| found[root].explains.clone());
    for (place, finding) in found.iter_mut().enumerate() {
        finding.role = if Some(place) == root {
            Role::Root
        } else if chosen.contains(&place) {
            Role::Cause
        } else if finding.confidence < Confidence::Likely {
            Role::Note
        } else if !by_root.is_empty() {
            Role::Consequence
        } else {
            Role::Cause
        };
    }
    let considered = considered(&found, root.map(|root| found[root].cause));
    // Another reading of what the root explains is no consequence of it; what follows shows elsewhere.
    let follows = |finding: &Finding| {
        let elsewhere = |symptom: &&Symptom| {
            !matches!(symptom, Symptom::Target4 | Symptom::Target6 | Symptom::Service | Symptom::ServiceSlow)
                && symptoms.contains(symptom)
        };
        finding.role != Role::Consequence || finding.explains.iter().any(|symptom| elsewhere(&symptom))
    };
    found.retain(follows);
    let unexplained: Vec<Symptom> =
        symptoms.iter().copied().filter(|symptom| !explained.contains(symptom)).collect();
    let verdict = match () {
        () if symptoms.iter().any(|symptom| symptom.is_breakage()) => Verdict::Broken,
        () if root.is_some() || !symptoms.is_empty() => Verdict::Degraded,
        () => Verdict::Healthy,
    };
    // That a name or a family has another way does not break what was asked for.
    let works = facts.attempts().any(|attempt| facts.reaches(attempt));
    let breaks = |symptom: &Symptom| match symptom {
        Symptom::Target4 | Symptom::Target6 | Symptom::Public | Symptom::GatewayMute | Symptom::Name => {
            !works
        }
        other => other.is_breakage(),
    };
    let verdict =
        if verdict == Verdict::Broken && !symptoms.iter().any(breaks) { Verdict::Degraded } else { verdict };
    let order = |finding: &Finding| match finding.role {
        Role::Root => 0,
        Role::Cause => 1,
        Role::Consequence => 2,
        Role::Note => 3,
    };
    found.sort_by_key(|finding| (order(finding), finding.layer));
    Diagnosis { verdict, findings: found, unexplained, considered }
}

/// The places of the smallest set of causes that explains the most, the root first.
fn smallest(found: &[Finding], symptoms: &[Symptom]) -> Vec<usize> {
    let candidates: Vec<usize> =
        (0..found.len()).filter(|place| found[*place].confidence >= Confidence::Likely).collect();
    let candidates =
        if candidates.is_empty() && !symptoms.is_empty() { (0..found.len()).collect() } else { candidates };
    let covers = |place: usize, symptom: &Symptom| found[place].explains.contains(symptom);
    let covered = |set: &[usize]| {
        symptoms.iter().filter(|symptom| set.iter().any(|place| covers(*place, symptom))).count()
    };
    // Of sets that explain as much, the one of fewer causes, then the surer, then the nearer to this machine.
    let rank = |set: &[usize]| {
        let doubt: usize =
            set.iter().map(|place| usize::from(found[*place].confidence < Confidence::Certain)).sum();
        let depth: usize = set.iter().map(|place| depth(&found[*place])).sum();
        (symptoms.len() - covered(set), set.len(), depth_of_doubt(doubt, depth))
    };
    let mut best: Vec<usize> = Vec::new();
    let mut try_set = |set: Vec<usize>| {
        let useful = set.iter().all(|place| symptoms.iter().any(|symptom| covers(*place, symptom)));
        if useful && (best.is_empty() || rank(&set) < rank(&best)) {
            best = set;
        }
    };
    for (at, first) in candidates.iter().enumerate() {
        try_set(vec![*first]);
        for (next, second) in candidates.iter().enumerate().skip(at + 1) {
            try_set(vec![*first, *second]);
            for third in candidates.iter().skip(next + 1) {
                try_set(vec![*first, *second, *third]);
            }
        }
    }
    // The one that explains most is what the others stand beside.
    best.sort_by_key(|place| (usize::MAX - covered(&[*place]), depth(&found[*place]), *place));
    best
}

/// How far a cause is from this machine.
fn depth(finding: &Finding) -> usize {
    finding.near as usize
}

/// A doubt weighs as much as a few layers: what is sure and far beats what is near and only likely, but not by much.
fn depth_of_doubt(doubt: usize, depth: usize) -> usize {
    const WEIGHT: usize = 3;
    doubt * WEIGHT + depth
}

/// Every cause, and why it lost if it did.
fn considered(found: &[Finding], root: Option<Cause>) -> Vec<Considered> {
    let one = |cause: &Cause| {
        let (outcome, reason) = match (found.iter().find(|finding| finding.cause == *cause), root) {
            (None, _) => (Outcome::NoSign, "its conditions are not met, or were not tested".to_owned()),
            (Some(finding), _) if finding.role == Role::Root => {
                (Outcome::Root, "it explains most with least".to_owned())
            }
            (Some(finding), _) if finding.role == Role::Cause => {
                (Outcome::Cause, "it explains what the root does not".to_owned())
            }
            (Some(finding), Some(root)) if finding.role == Role::Consequence => {
                (Outcome::Lost, format!("{} explains what it would", root.code()))
            }
            (Some(finding), _) => (Outcome::Lost, format!("it is no more than possible: {}", finding.title)),
        };
        Considered { code: cause.code(), verdict: outcome, reason }
    };
    let mut all: Vec<Considered> = Cause::ALL.iter().map(one).collect();
    all.sort_by_key(|considered| considered.verdict);
    all
}
