//! Runs the rows as tests, and writes down what came of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;

use crate::common::Run;
use crate::rows::{Chance, Needs, ROWS, Row};
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
    let mut town = {
        let _turn = Turn::take();
        let mut town = Town::new();
        (row.inject)(&mut town);
        town
    };
    try_as(place, row, &mut town, User::Root);
    if town::has_nobody() {
        rest(&town);
        try_as(place, row, &mut town, User::Nobody);
    }
    Ok(())
}

/// Who runs the doctor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Root,
    Nobody,
}

/// Judges a row by one run, or where chance decides by several.
fn try_as(place: usize, row: &'static Row, town: &mut Town, user: User) {
    let Some(Chance { runs, right }) = row.chance else {
        return check(row, &once(place, row, town, user), user);
    };
    // Asked for a rate, it is measured, and nothing is judged by it.
    let rate: Option<u8> = std::env::var("NETDIAG_DOCTOR_RATE").ok().and_then(|runs| runs.parse().ok());
    let (runs, right) = rate.map_or((runs, right), |runs| (runs, 0));
    let mut verdicts = Vec::new();
    for number in 1..=runs {
        let (run, code, confidence) = once(place, row, town, user);
        let is_right = row.right.contains(&code.as_str());
        // Who cannot see the cause is only to be unsure of any other.
        let is_blind = row.needs == Needs::Frames && user == User::Nobody;
        assert!(
            is_right || confidence != "certain",
            "{} as {user:?}: it is certain of {code}: {run:?}",
            row.id
        );
        verdicts.push((is_right || is_blind, code));
        let count = u8::try_from(verdicts.iter().filter(|(is_right, _)| *is_right).count()).expect("a few");
        if rate.is_some() && number == runs {
            eprintln!("{} as {user:?}: {count} of {runs} are right: {verdicts:?}", row.id);
        }
        if count >= right && rate.is_none() {
            return;
        }
        assert!(
            count + (runs - number) >= right,
            "{} as {user:?}: {} is right, {right} times of {runs}; it said {verdicts:?}; the last: {run:?}",
            row.id,
            row.right.join(" or "),
        );
        rest(town);
        // Whatever repeats, within two seconds at most, is met at any moment of its course.
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), number);
        std::thread::sleep(Duration::from_millis(random % 2_000));
    }
}

/// One run of the doctor, with the root cause's code and confidence.
fn once(place: usize, row: &'static Row, town: &mut Town, user: User) -> (Run, String, String) {
    let record = std::env::var("NETDIAG_DOCTOR_RECORD").ok().filter(|_| user == User::Root);
    let record = record.map(|folder| format!("{folder}/{}.json", row.id));
    let more: Vec<&str> = record.iter().flat_map(|path| ["--save", path]).collect();
    let run = {
        let _turn = Turn::take();
        town.doctor(row.target, user == User::Nobody, &more)
    };
    let (code, confidence) = verdict(&run);
    if let Some(path) = &record {
        compact(path);
    }
    if user == User::Root {
        let came = (code.clone(), confidence.clone(), run.took.as_secs_f64());
        let mut all = CAME.lock().expect("nobody panics with it");
        // Of several runs the first that is right, or else the first.
        if row.right.contains(&code.as_str()) || !all.contains_key(&place) {
            all.entry(place)
                .and_modify(|known| {
                    if !row.right.contains(&known.0.as_str()) {
                        known.clone_from(&came);
                    }
                })
                .or_insert(came);
        }
    }
    (run, code, confidence)
}

#[track_caller]
fn check(row: &Row, (run, code, confidence): &(Run, String, String), user: User) {
    if row.needs == Needs::Frames && user == User::Nobody {
        // It cannot see the cause; that it was not looked for stands among the checks.
        let told = run.json()["data"]["checks"].as_array().expect("checks").iter().any(|check| {
            check["status"] == "skip"
                && check["detail"].as_str().is_some_and(|text| text.contains("CAP_NET_RAW"))
        });
        assert!(told, "{}: nobody is not told what was not tested: {run:?}", row.id);
        assert_ne!(confidence, "certain", "{}: nobody is sure of {code}: {run:?}", row.id);
        return;
    }
    assert!(
        row.right.contains(&code.as_str()),
        "{} as {user:?}: {} is right, and it said {code} ({confidence}): {run:?}",
        row.id,
        row.right.join(" or "),
    );
    let is_fine = code == "OK";
    assert_eq!(run.code, Some(i32::from(!is_fine)), "{}: {run:?}", row.id);
}

/// Lets routers have errors to spend again (Linux: six, then one a second, for each host that asks; `icmpv4_xrlim_allow`,
/// net/ipv4/icmp.c), and this machine forget what it has learnt.
fn rest(town: &Town) {
    std::thread::sleep(Duration::from_secs(7));
    town.forget();
}

/// One of a few turns: what takes a processor is done by so many rows at once, while the others rest.
struct Turn;

static TURNS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    /// So many at once; they mostly wait.
    const MOST: usize = 4;

    fn take() -> Self {
        let (taken, freed) = &TURNS;
        let taken = taken.lock().expect("nobody panics with it");
        *freed.wait_while(taken, |taken| *taken >= Self::MOST).expect("nobody panics with it") += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (taken, freed) = &TURNS;
        *taken.lock().expect("nobody panics with it") -= 1;
        freed.notify_one();
    }
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
