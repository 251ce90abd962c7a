//! What a diagnosis comes to, and how it describes itself.

use std::borrow::Cow;

use serde::Serialize;

use super::check::{Check, Status};
use super::rules::{Confidence, Considered, Diagnosis, Finding, Outcome, Role as Part, Symptom, Verdict};
use crate::error::Exit;
use crate::output::record::{
    Appendix, Block, Cell, Column, Event, Layout, Line, Record, Report, Role, Warning,
};

/// What a diagnosis comes to.
#[derive(Serialize)]
pub struct DoctorReport {
    /// What was diagnosed; `None` for the network at large.
    pub target: Option<String>,
    /// How it is, in a word.
    pub verdict: Verdict,
    /// What everything else follows from.
    pub root_cause: Option<Finding>,
    /// What was found, the root cause first.
    pub findings: Vec<Finding>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What is seen to be wrong and nothing explains.
    pub unexplained: Vec<Symptom>,
    /// The rules that were considered, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub considered: Option<Vec<Considered>>,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    #[serde(skip)]
    warnings: Vec<Warning>,
}

impl DoctorReport {
    pub(super) fn new(
        target: Option<String>,
        diagnosis: Diagnosis,
        checks: Vec<Check>,
        explains: bool,
        elapsed_us: u64,
        warnings: Vec<Warning>,
    ) -> Self {
        Self {
            target,
            verdict: diagnosis.verdict,
            root_cause: diagnosis.root().cloned(),
            findings: diagnosis.findings,
            checks,
            unexplained: diagnosis.unexplained,
            considered: explains.then_some(diagnosis.considered),
            elapsed_us,
            warnings,
        }
    }
}

impl Report for DoctorReport {
    const SCHEMA: &'static str = "netdiag.doctor/1";
    const ROWS: &'static str = "/findings";
    const ROW_EVENT: &'static str = "finding";
    type Row = Finding;

    fn row_count(&self) -> usize {
        self.findings.len()
    }

    fn row(&self, index: usize) -> Cow<'_, Finding> {
        Cow::Borrowed(&self.findings[index])
    }

    fn layout(&self) -> Layout {
        Layout::Blocks
    }

    fn block(&self, index: usize) -> Block {
        block(&self.findings[index])
    }

    fn notes(&self) -> Vec<Line> {
        let mut notes = Vec::new();
        if !self.unexplained.is_empty() {
            let words: Vec<&str> = self.unexplained.iter().map(|symptom| symptom.words()).collect();
            notes.push(Line::default().with(Role::Caution, "unexplained: ").plain(words.join("; ")));
        }
        if let Some(considered) = &self.considered {
            notes.push(Line::default());
            notes.push(Line::default().strong("rules considered"));
            for one in considered.iter().filter(|one| one.verdict != Outcome::NoSign) {
                notes.push(
                    Line::default()
                        .plain(format!("  {:<7} {:<22} ", one.verdict.name(), one.code))
                        .dim(one.reason.clone()),
                );
            }
            let rest: Vec<&str> =
                considered.iter().filter(|one| one.verdict == Outcome::NoSign).map(|one| one.code).collect();
            notes.push(Line::default().dim(format!("  no sign of: {}", rest.join(", "))));
        }
        notes
    }

    fn headline(&self) -> Vec<Line> {
        let target = self.target.as_deref().unwrap_or("the network");
        vec![self.verdict.line(target)]
    }

    fn appendices(&self) -> Vec<Appendix> {
        let row = |check: &Check| {
            vec![
                Cell::word(check.status.name()),
                Cell::word(check.tier.name()),
                Cell::text(check.name.as_str()),
                Cell::text(check.detail.as_str()),
            ]
        };
        let rows: Vec<_> = self.checks.iter().map(row).collect();
        let checks = Appendix { title: "Checks", columns: &["STATUS", "TIER", "CHECK", "DETAIL"], rows };
        Some(checks).filter(|checks| !checks.rows.is_empty()).into_iter().collect()
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn exit(&self) -> Exit {
        if self.verdict == Verdict::Healthy { Exit::Fine } else { Exit::Negative }
    }
}

impl Record for Finding {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<Finding>] = &[
            Column::new("code", "CODE", |finding| {
                let role = match finding.role {
                    Part::Root => Role::Bad,
                    Part::Cause => Role::Caution,
                    Part::Consequence | Part::Note => Role::Dim,
                };
                Cell::text(finding.code).role(role)
            }),
            Column::new("role", "ROLE", |finding: &Finding| Cell::word(part(finding.role))).dropped_at(1),
            Column::new("confidence", "CONFIDENCE", |finding: &Finding| Cell::word(sure(finding.confidence)))
                .dropped_at(2),
            Column::new("detail", "DETAIL", |finding: &Finding| Cell::text(finding.detail))
                .dropped_at(4)
                .verbose(),
            Column::new("title", "TITLE", |finding: &Finding| Cell::text(finding.title.as_str())).wrapping(),
            Column::new("evidence", "EVIDENCE", |finding: &Finding| {
                Cell::list(finding.evidence.iter().map(|reason| reason.detail.as_str()))
            })
            .dropped_at(3)
            .verbose()
            .wrapping(),
            Column::new("remedy", "REMEDY", |finding: &Finding| {
                Cell::list(finding.remedy.iter().map(String::as_str))
            })
            .dropped_at(3)
            .verbose()
            .wrapping(),
        ];
        COLUMNS
    }
}

fn part(role: Part) -> &'static str {
    match role {
        Part::Root => "root",
        Part::Cause => "cause",
        Part::Consequence => "consequence",
        Part::Note => "note",
    }
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible",
    }
}

/// A finding as a person reads it: what it is, why, and what to do.
fn block(finding: &Finding) -> Block {
    let (label, role) = match finding.role {
        Part::Root => ("root cause", Role::Bad),
        Part::Cause => ("another cause", Role::Caution),
        Part::Consequence => ("follows from that", Role::Dim),
        Part::Note => ("note", Role::Dim),
    };
    let title = Line::default().with(role, label).plain(": ").strong(finding.title.as_str()).dim(format!(
        " [{}, {}]",
        finding.code,
        sure(finding.confidence)
    ));
    let mut block = Block::new(title);
    if matches!(finding.role, Part::Consequence | Part::Note) {
        return block;
    }
    let mut why = Vec::new();
    for reason in &finding.evidence {
        why.push(Line::new(reason.detail.as_str()));
        if let Some(check) = &reason.check {
            why.push(Line::default().with(Role::Prompt, "  $ ").with(Role::Command, check.as_str()));
        }
    }
    block.field("why", why);
    block.field("do", finding.remedy.iter().map(|remedy| Line::new(remedy.as_str())));
    if !finding.or.is_empty() {
        block.field(
            "or",
            [Line::default().dim(format!("the same would be seen of {}", finding.or.join(", ")))],
        );
    }
    block
}

impl Verdict {
    /// The verdict on a target, in a line.
    fn line(self, target: &str) -> Line {
        let (role, word) = match self {
            Self::Healthy => (Role::Good, "healthy"),
            Self::Degraded => (Role::Caution, "degraded"),
            Self::Broken => (Role::Bad, "broken"),
        };
        let line = Line::default().with(role, word).plain(format!(": {target}"));
        if self == Self::Healthy { line.dim("  nothing wrong was found") } else { line }
    }
}

/// What happens on the way.
#[derive(Serialize)]
#[serde(untagged)]
pub enum DoctorEvent {
    /// A check is done.
    Check(Check),
    /// The verdict.
    Verdict {
        /// What was diagnosed.
        target: String,
        /// How it is.
        verdict: Verdict,
        /// The root cause's code.
        code: Option<&'static str>,
        /// The root cause in a sentence.
        title: Option<String>,
    },
}

impl Event for DoctorEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Check(_) => "check",
            Self::Verdict { .. } => "verdict",
        }
    }

    fn line(&self) -> Option<Line> {
        Some(match self {
            Self::Check(check) => {
                let role = match check.status {
                    Status::Pass => Role::Good,
                    Status::Warn => Role::Caution,
                    Status::Fail => Role::Bad,
                    Status::Skip => Role::Dim,
                };
                Line::default()
                    .with(role, check.status.name())
                    .dim(format!("  {:<8} ", check.tier.name()))
                    .plain(format!("{}: ", check.name))
                    .with(
                        if check.status == Status::Skip { Role::Dim } else { Role::Plain },
                        check.detail.as_str(),
                    )
            }
            Self::Verdict { target, verdict, .. } => verdict.line(target),
        })
    }

    fn is_detail(&self) -> bool {
        // A machine that is well need not say so of each part.
        false
    }
}
