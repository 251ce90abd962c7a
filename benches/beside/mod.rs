//! What the benches share: commands run in turn, their instructions, and the tables of both.

#![allow(dead_code, reason = "no bench needs all of it")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Prints a table, all columns but the first flush right.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}\n");
}

/// A command that says nothing.
pub(crate) fn silent(command: &[&str]) -> Command {
    let mut silent = Command::new(command[0]);
    silent.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent
}

/// Whether a command is there and succeeds.
pub(crate) fn runs(command: &[&str]) -> bool {
    silent(command).status().is_ok_and(|status| status.success())
}

/// The median times of commands run in turn, after one round that is not counted; what they write is read through a
/// pipe, as a script does.
pub(crate) fn times(commands: &[&[&str]], runs: usize) -> Vec<Duration> {
    let time = |command: &&[&str]| {
        let start = Instant::now();
        let output = silent(command).stdout(Stdio::piped()).output().expect("it has started before");
        assert!(output.status.success(), "{command:?} fails");
        start.elapsed()
    };
    let mut all: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    for round in 0..=runs {
        for (command, times) in commands.iter().zip(&mut all) {
            let took = time(command);
            if round > 0 {
                times.push(took);
            }
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    all.into_iter().map(median).collect()
}

/// The instructions of one run, where valgrind counts them; only those inside one function, if one is named.
pub(crate) fn instructions(command: &[&str], inside: Option<&str>) -> Option<f64> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{}", std::process::id()));
    let mut counted = Command::new("valgrind");
    counted.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
    counted.args(inside.map(|function| format!("--toggle-collect={function}")));
    let counted = counted.arg("--").args(command).output().ok()?;
    let _ = std::fs::remove_file(file);
    if !counted.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&counted.stderr).into_owned();
    text.lines().find_map(|line| line.split_once("Collected : "))?.1.trim().parse().ok()
}

/// A ratio as the tables have it, or a dash.
pub(crate) fn ratio(ours: Option<f64>, peer: Option<f64>) -> String {
    ours.zip(peer).map_or("-".to_owned(), |(ours, peer)| format!("{:.2}", ours / peer))
}

/// Millions as the tables have them, or a dash.
pub(crate) fn millions(count: Option<f64>) -> String {
    count.map_or("-".to_owned(), |count| format!("{:.2}", count / 1e6))
}
