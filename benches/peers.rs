//! Beside the peers: each command's time, instructions and memory against the programs it replaces.
//!
//! `cargo bench` prints a table of ratios, measured in turn (A B A B ...) in one run, so that a machine whose
//! speed drifts does both the same wrong. Peers that are not installed are left out, and said to be.
//! Instructions come from `valgrind --tool=callgrind` where it is installed: they repeat, seconds do not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Counted runs of each command, after one that is not.
const RUNS: usize = 41;

/// One comparison: our arguments, and the command beside them.
struct Pair {
    what: &'static str,
    ours: &'static [&'static str],
    peer: &'static [&'static str],
}

/// The bare Rust program of `floor()`: what starting a process costs.
const FLOOR: &str = "bare main";

const PAIRS: &[Pair] = &[
    Pair { what: "startup: port 443", ours: &["port", "443"], peer: &[FLOOR] },
    Pair { what: "startup: port 443", ours: &["port", "443"], peer: &["getent", "services", "443"] },
    Pair { what: "startup: ifaces", ours: &["ifaces"], peer: &["ip", "-br", "a"] },
    Pair { what: "startup: ifaces", ours: &["ifaces"], peer: &["ifconfig", "-a"] },
    Pair { what: "startup: ifaces --json", ours: &["ifaces", "--json"], peer: &["ip", "-j", "addr"] },
    Pair {
        what: "startup: ping -c 1",
        ours: &["ping", "-c", "1", "127.0.0.1"],
        peer: &["ping", "-c1", "127.0.0.1"],
    },
];

fn main() {
    let netdiag = env!("CARGO_BIN_EXE_netdiag");
    let floor = floor();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "WHAT",
        "PEER",
        "OURS_MS",
        "PEER_MS",
        "TIME_RATIO",
        "EXTRA_MS",
        "INSTRUCTIONS_RATIO",
        "OURS_M",
        "PEER_M",
    ]);
    let mut missing = Vec::new();
    for pair in PAIRS {
        let ours: Vec<&str> = [&[netdiag], pair.ours].concat();
        let peer: Vec<&str> = match pair.peer {
            [FLOOR] => {
                if let Some(floor) = &floor {
                    vec![floor.to_str().expect("the target folder's path is UTF-8")]
                } else {
                    missing.push("a bare Rust main (rustc)");
                    continue;
                }
            }
            peer => peer.to_vec(),
        };
        if !runs(&peer) {
            missing.push(pair.peer[0]);
            continue;
        }
        let (our_time, peer_time) = times(&ours, &peer);
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let counts = instructions(&ours).zip(instructions(&peer));
        table.add_row([
            pair.what.to_owned(),
            pair.peer.join(" "),
            format!("{:.2}", ms(our_time)),
            format!("{:.2}", ms(peer_time)),
            format!("{:.2}", ms(our_time) / ms(peer_time)),
            format!("{:+.2}", ms(our_time) - ms(peer_time)),
            counts.map_or("-".to_owned(), |(ours, peer)| format!("{:.2}", ours / peer)),
            counts.map_or("-".to_owned(), |(ours, _)| format!("{:.2}", ours / 1e6)),
            counts.map_or("-".to_owned(), |(_, peer)| format!("{:.2}", peer / 1e6)),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("medians of {RUNS} runs in turn; instructions of one run\n\n{table}");
    if !missing.is_empty() {
        println!("\nNOT MEASURED, not installed or not allowed here: {}", missing.join(", "));
    }
}

/// Builds the program that does nothing.
fn floor() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (folder.join("bare.rs"), folder.join("bare"));
    std::fs::write(&source, "fn main() {}\n").ok()?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc).args(["-O", "-o"]).arg(&program).arg(&source).status().ok()?;
    built.success().then_some(program)
}

fn silent(command: &[&str]) -> Command {
    let mut silent = Command::new(command[0]);
    silent.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent
}

fn runs(command: &[&str]) -> bool {
    silent(command).status().is_ok_and(|status| status.success())
}

/// The median times of two commands run in turn.
fn times(ours: &[&str], peer: &[&str]) -> (Duration, Duration) {
    let time = |command: &[&str]| {
        let start = Instant::now();
        let status = silent(command).status().expect("it has started before");
        assert!(status.success(), "{command:?} fails");
        start.elapsed()
    };
    time(ours);
    time(peer);
    let (mut our_times, mut peer_times): (Vec<Duration>, Vec<Duration>) =
        (0..RUNS).map(|_| (time(ours), time(peer))).unzip();
    our_times.sort_unstable();
    peer_times.sort_unstable();
    (our_times[RUNS / 2], peer_times[RUNS / 2])
}

/// The instructions of one run, where valgrind counts them.
fn instructions(command: &[&str]) -> Option<f64> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind.out");
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", file.display()), "--"])
        .args(command)
        .output()
        .ok()?;
    if !counted.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&counted.stderr).into_owned();
    text.lines().find_map(|line| line.split_once("Collected : "))?.1.trim().parse().ok()
}
