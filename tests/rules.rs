//! The rules of the doctor, on evidence that was recorded on real networks: `tests/doctor/recordings`, a file a scenario.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use netdiag::doctor::evidence::Evidence;
use netdiag::doctor::rules::{Confidence, Diagnosis, Verdict, diagnose, findings};
use serde_json::{Value, json};

/// A recording: its name, the codes that are right, its evidence.
fn recordings() -> Vec<(String, Vec<String>, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor/recordings");
    let expected = fs::read_to_string(folder.join("expected.tsv")).expect("what is right is written down");
    let mut all = Vec::new();
    for line in expected.lines() {
        let (id, right) = line.split_once('\t').expect("a name and codes");
        let text = fs::read_to_string(folder.join(format!("{id}.json"))).expect("each has its evidence");
        let right = right.split(' ').map(str::to_owned).collect();
        all.push((id.to_owned(), right, serde_json::from_str(&text).expect("evidence is JSON")));
    }
    assert!(all.len() > 100, "only {} recordings", all.len());
    all
}

fn evidence(value: &Value) -> Evidence {
    serde_json::from_value(value.clone()).expect("what was saved can be loaded")
}

fn code(diagnosis: &Diagnosis) -> &str {
    diagnosis.root().map_or("OK", |root| root.code)
}

/// The highest confidence of each code.
fn confidences(evidence: &Evidence) -> BTreeMap<&'static str, Confidence> {
    let mut all = BTreeMap::new();
    for finding in findings(evidence) {
        let most = all.entry(finding.code).or_insert(finding.confidence);
        *most = (*most).max(finding.confidence);
    }
    all
}

#[test]
fn each_recording_has_its_root_cause() {
    let mut wrong = Vec::new();
    for (id, right, value) in recordings() {
        let diagnosis = diagnose(&evidence(&value));
        let code = code(&diagnosis);
        if !right.iter().any(|right| right == code) {
            wrong.push(format!("{id}: {} is right, and not {code}", right.join(" or ")));
        }
        assert_eq!(code == "OK", diagnosis.verdict == Verdict::Healthy, "{id}: {:?}", diagnosis.verdict);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn healthy_evidence_gives_no_finding_that_is_more_than_possible() {
    for (id, right, value) in recordings() {
        if right == ["OK"] {
            let found = confidences(&evidence(&value));
            assert!(found.values().all(|confidence| *confidence == Confidence::Possible), "{id}: {found:?}");
        }
    }
    let nothing = diagnose(&Evidence::default());
    assert_eq!((nothing.verdict, nothing.findings.len()), (Verdict::Healthy, 0));
}

#[test]
fn taking_evidence_away_makes_no_finding_more_certain() {
    let mut wrong = Vec::new();
    for (id, _, value) in recordings() {
        let whole = confidences(&evidence(&value));
        let facts: Vec<String> = value.as_object().expect("facts").keys().cloned().collect();
        for fact in facts.iter().filter(|fact| *fact != "about") {
            let mut less = value.clone();
            less[fact] = json!({ "not_tested": "it was taken away" });
            for (code, confidence) in confidences(&evidence(&less)) {
                if whole.get(code).is_none_or(|before| *before < confidence) {
                    let before = whole.get(code);
                    wrong.push(format!("{id} without {fact}: {code} is {confidence:?}, and was {before:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_order_of_facts_does_not_matter() {
    for (id, _, value) in recordings() {
        let mut turned = value.clone();
        for fact in ["links", "addresses", "public", "web", "control", "carrier"] {
            if let Some(list) =
                turned.pointer_mut(&format!("/{fact}/known/value")).and_then(Value::as_array_mut)
            {
                list.reverse();
            }
        }
        let (one, other) = (diagnose(&evidence(&value)), diagnose(&evidence(&turned)));
        assert_eq!(code(&one), code(&other), "{id}");
    }
}

#[test]
fn no_finding_stands_without_its_evidence() {
    for (id, _, value) in recordings() {
        for finding in findings(&evidence(&value)) {
            assert!(!finding.evidence.is_empty(), "{id}: {}", finding.code);
            assert!(!finding.remedy.is_empty(), "{id}: {}", finding.code);
            for reason in &finding.evidence {
                let is_known = value[reason.fact].get("known").is_some();
                assert!(is_known, "{id}: {} rests on {}, which is not known", finding.code, reason.fact);
            }
        }
    }
}

#[test]
fn evidence_is_what_it_was_after_a_journey_through_a_file() {
    for (id, _, value) in recordings() {
        let evidence = evidence(&value);
        let text = serde_json::to_string(&evidence).expect("evidence is plain data");
        assert_eq!(serde_json::from_str::<Evidence>(&text).expect("and back"), evidence, "{id}");
    }
}
