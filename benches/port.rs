//! `port` beside `ss`, `lsof`, `netstat` and `getent`: 20,000 listeners of 500 processes.
//!
//! Needs root (or a user namespace); the listeners are in a network namespace of this bench's own, and the processes end
//! with it. Times are medians of runs in turn, instructions those of one run under callgrind.

#[path = "beside/mod.rs"]
mod beside;
#[path = "../tests/common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the lab's tests use the rest")]
#[path = "../tests/lab/net.rs"]
mod net;

use std::process::ExitCode;

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    println!("NOT MEASURED: the peers are Linux's");
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    // Started again inside the host: as one of the processes that listen, or to measure.
    let mut args = std::env::args().skip_while(|arg| arg != linux::HOLD && arg != linux::HERE);
    match (args.next().as_deref(), args.next()) {
        (Some(linux::HOLD), Some(first)) => linux::hold(first.parse().expect("a port")),
        (Some(linux::HERE), _) => linux::measure(),
        _ => match net::enter() {
            net::Stage::Outside(code) => return code,
            net::Stage::Inside => linux::run(),
            net::Stage::Unavailable(reason) => println!("NOT MEASURED: {reason}"),
        },
    }
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::process::{Child, Stdio};

    use crate::beside::{instructions, millions, ratio, runs, table, times};
    use crate::net::Host;

    const NETDIAG: &str = env!("CARGO_BIN_EXE_netdiag");
    /// Runs of each command in turn, after one that is not counted.
    const RUNS: usize = 11;
    const PROCESSES: u16 = 500;
    const LISTENERS_EACH: u16 = 40;
    /// The first port that is listened on.
    const FIRST: u16 = 2000;

    /// What comes before the first port of a process that listens, on its command line.
    pub(super) const HOLD: &str = "--hold";
    /// What the process that measures is started with.
    pub(super) const HERE: &str = "--here";

    /// What is asked, how of netdiag, and how of a peer.
    const PAIRS: [(&str, &str, &str); 11] = [
        ("a held port", "port 5000", "ss -tlnpH sport = :5000"),
        ("a held port", "port 5000 --json", "ss -tlnpH sport = :5000"),
        ("a held port", "port 5000", "lsof -nP -iTCP:5000"),
        ("a port nobody holds", "port 1500", "ss -tlnpH sport = :1500"),
        ("all of them", "port --list", "ss -tlnp"),
        ("all of them", "port --list --json", "ss -tlnp"),
        ("all of them", "port --list", "ss -tulnp"),
        ("all of them", "port --list", "netstat -tlnp"),
        ("all of them", "port --list", "lsof -nP -iTCP -sTCP:LISTEN"),
        ("what it is", "port 443", "getent services 443"),
        ("what a name is", "port https --exact", "getent services https"),
    ];

    /// A process that listens, until the value goes.
    struct Holder(Child);

    impl Drop for Holder {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    pub(super) fn run() {
        let host = Host::new("host");
        let itself = std::env::current_exe().expect("a path").display().to_string();
        let mut holders = Vec::new();
        for process in 0..PROCESSES {
            let mut command = host.command(&itself);
            command.args([HOLD, &(FIRST + process * LISTENERS_EACH).to_string()]);
            holders.push(Holder(
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts"),
            ));
        }
        for holder in &mut holders {
            let mut line = String::new();
            let stdout = holder.0.stdout.as_mut().expect("piped");
            BufReader::new(stdout).read_line(&mut line).expect("it says when it listens");
        }
        println!("{} listeners of {PROCESSES} processes\n", PROCESSES * LISTENERS_EACH);
        let status = host.command(&itself).arg(HERE).status().expect("nsenter starts");
        assert!(status.success());
    }

    /// Listens on some ports until the other end is gone.
    pub(super) fn hold(first: u16) {
        let listen = |port| TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let listeners: Vec<TcpListener> = (first..first + LISTENERS_EACH).map(listen).collect();
        println!("ready");
        std::io::stdout().flush().expect("somebody reads");
        let _ = std::io::stdin().read(&mut [0; 1]);
        drop(listeners);
    }

    /// Compares in this network namespace.
    pub(super) fn measure() {
        let mut rows = Vec::new();
        let mut missing = Vec::new();
        for (what, ours, peer) in PAIRS {
            let ours: Vec<&str> = [NETDIAG].into_iter().chain(ours.split(' ')).collect();
            let peer_words: Vec<&str> = peer.split(' ').collect();
            if !runs(&peer_words) {
                missing.push(peer);
                continue;
            }
            let took = times(&[&ours, &peer_words], RUNS);
            let ms = |place: usize| took[place].as_secs_f64() * 1000.0;
            let (our_count, peer_count) = (instructions(&ours, None), instructions(&peer_words, None));
            rows.push(vec![
                format!("{what}: {} / {peer}", ours[1..].join(" ")),
                format!("{:.1}", ms(0)),
                format!("{:.1}", ms(1)),
                format!("{:.3}", ms(0) / ms(1)),
                millions(our_count),
                millions(peer_count),
                ratio(our_count, peer_count),
            ]);
        }
        println!("medians of {RUNS} runs in turn; instructions of one run\n");
        table(&["WHAT", "OURS_MS", "PEER_MS", "TIME_RATIO", "OURS_M", "PEER_M", "INSTRUCTIONS_RATIO"], rows);
        if !missing.is_empty() {
            println!("NOT MEASURED, not installed or not allowed here: {}", missing.join(", "));
        }
    }
}
