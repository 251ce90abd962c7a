//! Beside the peers: each command's time, instructions and memory against the programs it replaces.
//!
//! `cargo bench` prints a table of ratios, measured in turn (A B A B ...) in one run, so that a machine whose
//! speed drifts does both the same wrong. Peers that are not installed are left out, and said to be.
//! Instructions come from `valgrind --tool=callgrind` where it is installed: they repeat, seconds do not.

mod beside;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use beside::{instructions, millions, ratio, runs, table, times};

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
    let mut rows = Vec::new();
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
        let took = times(&[&ours, &peer], RUNS);
        let (our_time, peer_time) = (took[0], took[1]);
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let (our_count, peer_count) = (instructions(&ours, None), instructions(&peer, None));
        rows.push(vec![
            format!("{} / {}", pair.what, pair.peer.join(" ")),
            format!("{:.2}", ms(our_time)),
            format!("{:.2}", ms(peer_time)),
            format!("{:.2}", ms(our_time) / ms(peer_time)),
            format!("{:+.2}", ms(our_time) - ms(peer_time)),
            ratio(our_count, peer_count),
            millions(our_count),
            millions(peer_count),
        ]);
    }
    println!("medians of {RUNS} runs in turn; instructions of one run\n");
    table(
        &["WHAT", "OURS_MS", "PEER_MS", "TIME_RATIO", "EXTRA_MS", "INSTRUCTIONS_RATIO", "OURS_M", "PEER_M"],
        rows,
    );
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
