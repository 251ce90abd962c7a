//! `tcp-echo` and `tcp-serve` beside a C loop, a C epoll server, sockperf, socat and ncat, on the loopback.
//!
//! `cargo bench --bench tcp`. Placement beats implementation here, so each comparison has both ends on the same
//! processor, or says where they are. Figures are medians of runs taken in turn (A B C, A B C ...), of fewer runs for
//! socat's and ncat's servers, which take long. Programs that are not installed are left out, and said to be.

#![allow(unsafe_code, reason = "wait4(2) tells what a child has used, and has no safe interface")]

#[path = "beside/mod.rs"]
mod beside;
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("NOT MEASURED: placement and processor time are read as on Linux");
}

#[cfg(target_os = "linux")]
fn main() {
    linux::run();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use crate::beside::table;
    use crate::common;

    const NETDIAG: &str = env!("CARGO_BIN_EXE_netdiag");
    /// Runs of each command in turn, after one that is not counted.
    const RUNS: usize = 7;
    /// The idle connections whose memory is counted.
    const IDLE: usize = 10_000;

    pub(super) fn run() {
        let floor = Path::new(env!("CARGO_TARGET_TMPDIR")).join("echo-floor");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floor/echo.c");
        let built = Command::new("cc").args(["-O2", "-o"]).arg(&floor).arg(source).status();
        if !built.is_ok_and(|status| status.success()) {
            println!("NOT MEASURED: no C compiler (cc) for the floor");
            return;
        }
        let floor = floor.to_str().expect("the target folder's path is UTF-8");
        let only: Vec<String> =
            std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        let is_wanted = |part: &str| only.is_empty() || only.iter().any(|only| only == part);
        if is_wanted("clients") {
            clients(floor);
        }
        if is_wanted("servers") {
            servers(floor, 50, 2_000);
            servers(floor, 1_000, 200);
        }
        if is_wanted("memory") {
            memory(floor);
        }
        if is_wanted("stall") {
            stall();
        }
        let missing: Vec<&str> =
            ["sockperf", "socat", "ncat"].into_iter().filter(|program| !common::has(program)).collect();
        if !missing.is_empty() {
            println!("NOT MEASURED, not installed: {}", missing.join(", "));
        }
        println!("NOT MEASURED: netperf, which Debian has only in its non-free part");
    }

    /// A server on a processor, which ends with the value.
    struct Server {
        child: Option<Child>,
        port: u16,
    }

    impl Server {
        /// Starts a server whose arguments have `PORT` for the port, and waits until it takes connections.
        fn start(processor: u8, arguments: &[&str]) -> Self {
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
            let mut command = Command::new("taskset");
            command.args(["-c", &processor.to_string()]);
            command.args(arguments.iter().map(|argument| argument.replace("PORT", &port.to_string())));
            let child = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("taskset starts");
            let deadline = Instant::now() + Duration::from_secs(5);
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(Instant::now() < deadline, "{arguments:?} does not listen");
                std::thread::sleep(Duration::from_millis(5));
            }
            Self { child: Some(child), port }
        }

        fn id(&self) -> u32 {
            self.child.as_ref().expect("it runs").id()
        }

        fn signal(&self, name: &str) {
            let _ = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        }

        /// Ends it; gives the processor time that it and its children took.
        fn end(mut self) -> Duration {
            self.signal("TERM");
            #[expect(clippy::zombie_processes, reason = "it is waited for below, with what it used")]
            let child = self.child.take().expect("it runs");
            let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
            let id = libc::pid_t::try_from(child.id()).expect("a process id");
            // SAFETY: both pointers lead to what the call may write; the child is this process' own.
            unsafe { libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) };
            // SAFETY: zeroed bytes are a valid `rusage`, and the call has filled it.
            let usage = unsafe { usage.assume_init() };
            let time = |time: libc::timeval| {
                let (seconds, micros) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_usec));
                Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_micros(micros.unwrap_or(0))
            };
            time(usage.ru_utime) + time(usage.ru_stime)
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            if let Some(child) = &mut self.child {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// What a command on a processor prints.
    fn output(processor: u8, command: &[&str]) -> String {
        let run = Command::new("taskset")
            .args(["-c", &processor.to_string()])
            .args(command)
            .stderr(Stdio::null())
            .output()
            .expect("taskset starts");
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    /// The rounds a second that a client prints: a bare number, netdiag's JSON, or sockperf's report.
    fn rate(output: &str) -> Option<f64> {
        let number = |key: &str, ends: &[char]| -> Option<f64> {
            output.split_once(key)?.1.trim_start().split(ends).next()?.parse().ok()
        };
        let bare = || output.trim().parse().ok();
        // sockperf tells half a round trip, in microseconds.
        let latency = || number("Summary: Latency is", &[' ']).map(|half| 1e6 / (2.0 * half));
        number("\"rounds_per_s\":", &[',']).or_else(bare).or_else(latency)
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn clients(floor: &str) {
        let echo = [NETDIAG, "tcp-echo", "127.0.0.1:PORT", "-i", "0", "--json"];
        let ours = |more: &[&'static str]| [&echo[..], more].concat();
        for (what, client_on, kind, count, options) in [
            ("PING-PONG of 64 bytes, both ends on processor 0", 0, "pingpong", "60000", &["-c", "60000"][..]),
            (
                "CONNECT, ECHO, CLOSE, both ends on processor 0",
                0,
                "connect",
                "15000",
                &["-c", "15000", "--reconnect"],
            ),
            ("SPINNING, the client on processor 1", 1, "spin", "60000", &["-c", "60000", "--spin"]),
        ] {
            let server = Server::start(0, &[floor, "serve", "PORT"]);
            let mut commands = vec![
                ("C loop, checks nothing", vec![floor, kind, "PORT", count]),
                ("netdiag, every byte checked", ours(options)),
            ];
            let sockperf = (kind == "pingpong" && common::has("sockperf"))
                .then(|| Server::start(0, &["sockperf", "server", "--tcp", "-i", "127.0.0.1", "-p", "PORT"]));
            if sockperf.is_some() {
                let client = [
                    "sockperf",
                    "ping-pong",
                    "--tcp",
                    "-i",
                    "127.0.0.1",
                    "-p",
                    "PORT",
                    "-m",
                    "64",
                    "-t",
                    "1",
                ];
                commands.push(("sockperf, its own server", client.to_vec()));
            }
            let mut rates = vec![Vec::new(); commands.len()];
            for run in 0..=RUNS {
                for ((name, command), rates) in commands.iter().zip(&mut rates) {
                    let port = match &sockperf {
                        Some(server) if name.starts_with("sockperf") => server.port,
                        _ => server.port,
                    };
                    let command: Vec<String> =
                        command.iter().map(|argument| argument.replace("PORT", &port.to_string())).collect();
                    let command: Vec<&str> = command.iter().map(String::as_str).collect();
                    let printed = output(client_on, &command);
                    let rate = rate(&printed).unwrap_or_else(|| panic!("{command:?} printed {printed}"));
                    if run > 0 {
                        rates.push(rate);
                    }
                }
            }
            let rates: Vec<f64> = rates.into_iter().map(median).collect();
            let rows = commands.iter().zip(&rates).map(|((name, _), rate)| {
                vec![
                    (*name).to_owned(),
                    format!("{rate:.0}"),
                    format!("{:.2}", rate / rates[0]),
                    format!("{:.2}", 1e6 / rate),
                ]
            });
            println!("{what}");
            table(&["", "ROUNDS/S", "x C", "US A ROUND"], rows.collect());
        }
    }

    fn servers(floor: &str, connections: usize, rounds: usize) {
        let mut candidates = vec![
            ("C epoll", vec![floor, "serve", "PORT"]),
            (
                "netdiag tcp-serve",
                vec![
                    NETDIAG,
                    "tcp-serve",
                    "127.0.0.1:PORT",
                    "--format",
                    "json",
                    "--backlog",
                    "4096",
                    "--drain",
                    "0",
                ],
            ),
        ];
        if common::has("socat") {
            candidates.push((
                "socat, a process each",
                vec!["socat", "TCP-LISTEN:PORT,bind=127.0.0.1,fork,reuseaddr,backlog=4096", "PIPE"],
            ));
        }
        if common::has("ncat") {
            candidates.push((
                "ncat -e cat",
                vec!["ncat", "-l", "127.0.0.1", "PORT", "-k", "-m", "2000", "-e", "/bin/cat"],
            ));
        }
        let mut costs = vec![Vec::new(); candidates.len()];
        // What a peer does badly takes long: it is counted twice, not seven times.
        for run in 0..=RUNS {
            for (index, (_, arguments)) in candidates.iter().enumerate() {
                if index >= 2 && run >= 3 {
                    continue;
                }
                let server = Server::start(0, arguments);
                let (connections, rounds) = (connections.to_string(), rounds.to_string());
                let target = format!("127.0.0.1:{}", server.port);
                let printed = output(
                    0,
                    &[
                        NETDIAG,
                        "tcp-echo",
                        &target,
                        "--connections",
                        &connections,
                        "-c",
                        &rounds,
                        "-i",
                        "0",
                        "--timeout",
                        "15",
                        "--json",
                    ],
                );
                let used = server.end().as_secs_f64() * 1e6;
                let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
                let row = &report["data"]["addresses"][0];
                let echoes = row["rounds"].as_f64().unwrap_or(0.0);
                let is_whole = row["outcome"] == "echoed";
                if run > 0 {
                    costs[index].push(if is_whole { used / echoes } else { f64::NAN });
                }
            }
        }
        let costs: Vec<f64> = costs.into_iter().map(median).collect();
        let rows = candidates.iter().zip(&costs).map(|((name, _), cost)| {
            if cost.is_nan() {
                return vec![(*name).to_owned(), "not all were served".to_owned(), String::new()];
            }
            vec![(*name).to_owned(), format!("{cost:.2}"), format!("{:.2}", cost / costs[0])]
        });
        println!("SERVER'S PROCESSOR TIME at {connections} connections, both ends on processor 0");
        table(&["", "US AN ECHO", "x C"], rows.collect());
    }

    /// The anonymous memory of a process, in bytes.
    fn anonymous(id: u32) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("a field");
        let kibibytes: usize =
            line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
        kibibytes * 1024
    }

    fn memory(floor: &str) {
        let limit = libc::rlimit { rlim_cur: 20_000, rlim_max: 20_000 };
        // SAFETY: the limit is read for the length of the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            println!("NOT MEASURED: {IDLE} idle connections need a limit of 20,000 open files\n");
            return;
        }
        let mut rows = Vec::new();
        for (name, arguments) in [
            ("C epoll", &[floor, "serve", "PORT"][..]),
            (
                "netdiag tcp-serve",
                &[NETDIAG, "tcp-serve", "127.0.0.1:PORT", "--format", "json", "--backlog", "4096"],
            ),
        ] {
            let server = Server::start(0, arguments);
            let before = anonymous(server.id());
            let mut clients = Vec::new();
            for _ in 0..IDLE {
                let mut client = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
                client.write_all(&[7; 64]).and_then(|()| client.read_exact(&mut [0; 64])).expect("it echoes");
                clients.push(client);
            }
            let after = anonymous(server.id());
            rows.push(vec![name.to_owned(), ((after - before) / IDLE).to_string()]);
        }
        println!("MEMORY of an idle connection after one echo, {IDLE} of them");
        table(&["", "BYTES"], rows);
    }

    fn stall() {
        const RATE: f64 = 1000.0;
        const ROUNDS: f64 = 10_000.0;
        let server = Server::start(0, &[NETDIAG, "tcp-serve", "127.0.0.1:PORT", "--format", "json"]);
        let mut probe = Command::new("taskset");
        probe.args(["-c", "1", NETDIAG, "tcp-echo", &format!("127.0.0.1:{}", server.port)]);
        probe.args(["-c", "10000", "--rate", "1000", "--format", "ndjson"]);
        let mut probe = probe.stdout(Stdio::piped()).spawn().expect("taskset starts");
        let mut events = BufReader::new(probe.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("\"round\":3000,") {
            line.clear();
            assert!(events.read_line(&mut line).is_ok_and(|length| length > 0), "it ended");
        }
        server.signal("STOP");
        let start = Instant::now();
        std::thread::sleep(Duration::from_millis(500));
        server.signal("CONT");
        let stalled = start.elapsed().as_secs_f64();
        let mut rest = String::new();
        events.read_to_string(&mut rest).expect("text");
        let _ = probe.wait();
        let summary: serde_json::Value =
            serde_json::from_str(rest.lines().last().expect("a summary")).expect("JSON");
        let row = &summary["data"]["addresses"][0];
        let milliseconds = |key: &str| row[key]["p99"].as_f64().expect("a figure") / 1000.0;
        let truth = (stalled - 0.01 * ROUNDS / RATE) * 1000.0;
        println!(
            "P99 of 10,000 rounds at 1,000/s, the server stopped for {:.0} ms meanwhile",
            stalled * 1000.0
        );
        table(
            &["", "MS", "x TRUTH"],
            [
                ("truth", truth),
                ("netdiag, from when due", milliseconds("rtt_us")),
                ("from when sent", milliseconds("service_us")),
            ]
            .into_iter()
            .map(|(name, time)| vec![name.to_owned(), format!("{time:.2}"), format!("{:.3}", time / truth)])
            .collect(),
        );
    }
}
