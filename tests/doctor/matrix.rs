//! Runs the rows as tests, and writes down what came of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;

use crate::common::Run;
use crate::rows::{Needs, ROWS, Row};
use crate::town::{self, Town};
use crate::wire;

/// The marks between which the table stands.
const FROM: &str = "<!-- matrix -->";
const TO: &str = "<!-- end of matrix -->";

/// What came of a row: its place, its verdict and the seconds that took.
static CAME: Mutex<BTreeMap<usize, (String, String, f64)>> = Mutex::new(BTreeMap::new());

/// Runs what the arguments ask for.
pub(crate) fn run(arguments: &Arguments, unavailable: Option<&str>) -> ExitCode {
    if let Some(reason) = unavailable {
        eprintln!("\nSKIPPED: these tests are NOT run: {reason}\n");
    }
    let trial = |(place, row): (usize, &'static Row)| {
        let unavailable = unavailable.map(str::to_owned);
        Trial::ignorable_test(row.id, move || {
            if let Some(reason) = unavailable {
                return Ok(Completion::ignored_with(reason));
            }
            match std::panic::catch_unwind(|| judge(place, row)) {
                Ok(Ok(())) => Ok(Completion::Completed),
                Ok(Err(reason)) => {
                    eprintln!("SKIPPED {}: {reason}", row.id);
                    Ok(Completion::ignored_with(reason))
                }
                Err(_) => Err(Failed::without_message()),
            }
        })
    };
    let code = libtest_mimic::run(arguments, ROWS.iter().enumerate().map(trial).collect()).exit_code();
    if let Some(file) = std::env::var_os("NETDIAG_DOCTOR_MATRIX") {
        let old = std::fs::read_to_string(&file).expect("the file for the table is there");
        let (head, rest) = old.split_once(FROM).expect("it has a mark before the table");
        let (_, tail) = rest.split_once(TO).expect("it has a mark behind the table");
        std::fs::write(&file, format!("{head}{FROM}\n{}{TO}{tail}", table())).expect("it can be written");
    }
    if let Ok(folder) = std::env::var("NETDIAG_DOCTOR_RECORD") {
        let line = |row: &Row| format!("{}\t{}\n", row.id, row.right.join(" "));
        let lines: String = ROWS.iter().map(line).collect();
        std::fs::write(format!("{folder}/expected.tsv"), lines).expect("it can be written");
    }
    code
}

fn judge(place: usize, row: &'static Row) -> Result<(), String> {
    if row.needs == Needs::Tun {
        wire::available()?;
    }
    let mut town = Town::new();
    (row.inject)(&mut town);
    let record =
        std::env::var("NETDIAG_DOCTOR_RECORD").ok().map(|folder| format!("{folder}/{}.json", row.id));
    let more: Vec<&str> = record.iter().flat_map(|path| ["--save", path]).collect();
    let run = town.doctor(row.target, false, &more);
    let (code, confidence) = verdict(&run);
    if let Some(path) = &record {
        compact(path);
    }
    CAME.lock()
        .expect("nobody panics with it")
        .insert(place, (code.clone(), confidence.clone(), run.took.as_secs_f64()));
    check(row, &run, &code, &confidence, "root");
    if town::has_nobody() {
        // Routers have answered what they answer at a time: this is another town.
        drop(town);
        let mut town = Town::new();
        (row.inject)(&mut town);
        let run = town.doctor(row.target, true, &[]);
        let (code, confidence) = verdict(&run);
        if row.needs == Needs::Frames {
            // It cannot see the cause; that it was not looked for stands among the checks.
            let told = run.json()["data"]["checks"].as_array().expect("checks").iter().any(|check| {
                check["status"] == "skip"
                    && check["detail"].as_str().is_some_and(|text| text.contains("CAP_NET_RAW"))
            });
            assert!(told, "{}: nobody is not told what was not tested: {run:?}", row.id);
            assert_ne!(confidence, "certain", "{}: nobody is sure of {code}: {run:?}", row.id);
        } else {
            check(row, &run, &code, &confidence, "nobody");
        }
    }
    Ok(())
}

/// Rows in which chance decides what is lost: what is meant is likely, and another verdict must not be sure of itself.
const CHANCE: [&str; 11] = [
    "L-LOSS",
    "P-CORRUPT",
    "P-ECMP",
    "P-LOSSBIG",
    "P-BLACKOUT",
    "P-THROTTLE",
    "P-JITTER",
    "P-DUP",
    "F-SYNLIMIT",
    "D-FLAKY",
    "N-DUPMAC",
];

#[track_caller]
fn check(row: &Row, run: &Run, code: &str, confidence: &str, user: &str) {
    if CHANCE.contains(&row.id) && !row.right.contains(&code) {
        eprintln!(
            "CHANCE: {} as {user}: {} is meant, and it said {code} ({confidence})",
            row.id, row.right[0]
        );
        assert_ne!(confidence, "certain", "{} as {user}: {code}: {run:?}", row.id);
        return;
    }
    assert!(
        row.right.contains(&code),
        "{} as {user}: {} is right, and it said {code} ({confidence}): {run:?}",
        row.id,
        row.right.join(" or "),
    );
    let is_fine = code == "OK";
    assert_eq!(run.code, Some(i32::from(!is_fine)), "{}: {run:?}", row.id);
    assert!(run.took.as_secs_f64() < 10.0, "{}: it took {:?}", row.id, run.took);
}

/// The root cause's code and confidence.
fn verdict(run: &Run) -> (String, String) {
    let document = run.json();
    let cause = &document["data"]["root_cause"];
    let text = |value: &Value, other: &str| value.as_str().unwrap_or(other).to_owned();
    (text(&cause["code"], "OK"), text(&cause["confidence"], ""))
}

/// Writes evidence without the blanks that people read by.
fn compact(path: &str) {
    let text = std::fs::read_to_string(path).expect("the evidence was saved");
    let value: Value = serde_json::from_str(&text).expect("it is JSON");
    std::fs::write(path, format!("{value}\n")).expect("it can be written");
}

fn table() -> String {
    let came = CAME.lock().expect("nobody panics with it");
    let mut text =
        String::from("| row | what is wrong | verdict | sure | seconds |\n|---|---|---|---|---|\n");
    let (mut right, mut seconds) = (0, Vec::new());
    for (place, (code, confidence, took)) in &*came {
        let row = &ROWS[*place];
        let is_right = row.right.contains(&code.as_str());
        right += usize::from(is_right);
        seconds.push(*took);
        let shown =
            if is_right { format!("`{code}`") } else { format!("**`{code}`**, not `{}`", row.right[0]) };
        let shown = if code == "OK" { "healthy".to_owned() } else { shown };
        let sure = if confidence.is_empty() { "" } else { confidence };
        writeln!(text, "| {} | {} | {shown} | {sure} | {took:.2} |", row.id, row.what).expect("memory");
    }
    seconds.sort_by(f64::total_cmp);
    let at = |share: usize| {
        seconds
            .get((seconds.len() * share / 100).min(seconds.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    };
    let sum = format!(
        "\n{right} of {} right; median {:.2} s, 95 % within {:.2} s, the longest {:.2} s.\n",
        came.len(),
        at(50),
        at(95),
        at(100)
    );
    text + &sum
}
