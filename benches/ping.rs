//! `ping` beside iputils, fping, nmap and the kernel's own floor, between hosts made of network namespaces.
//!
//! Needs root (or a user namespace); every network is built here, and nothing leaves it. Times are medians of runs
//! taken in turn (A B C, A B C ...). The error of a round-trip time is what a program prints minus what tcpdump
//! saw on the same interface. Programs that are not installed are left out, and said to be.

#![allow(unsafe_code, reason = "wait4(2) tells a child's peak memory, and has no safe interface")]

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
    println!("NOT MEASURED: the networks are Linux namespaces");
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match net::enter() {
        net::Stage::Outside(code) => code,
        net::Stage::Inside => {
            linux::run();
            ExitCode::SUCCESS
        }
        net::Stage::Unavailable(reason) => {
            println!("NOT MEASURED: {reason}");
            ExitCode::SUCCESS
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader};
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use crate::beside::table;
    use crate::common;
    use crate::net::{Host, cable};

    /// Runs of each command in turn, after one that is not counted.
    const RUNS: usize = 7;
    /// Probes of which the times are compared with the wire's.
    const PROBES: usize = 300;

    /// A client at 10.0.0.1 and a far host at 10.0.0.2, behind which is the whole of 10.9.0.0/16.
    struct Lan {
        client: Host,
        far: Host,
    }

    pub(super) fn run() {
        let lan = Lan::new();
        let floor = build_floor();
        let mut missing: Vec<&str> = ["fping", "nmap", "ping", "tcpdump"]
            .into_iter()
            .filter(|program| !common::has(program))
            .collect();
        if floor.is_none() {
            missing.push("the C floor (cc)");
        }
        println!("medians of {RUNS} runs in turn; memory is the peak of one run\n");
        if std::env::args().any(|argument| argument == "accuracy") {
            return accuracy(&lan);
        }
        sweeps(&lan, floor.as_deref(), "all of a /16 live", "1000");
        // The upper half is dark: the far host drops what goes there.
        lan.far.sh("ip route add blackhole 10.9.128.0/17");
        sweeps(&lan, floor.as_deref(), "half of a /16 dark, time-out 1 s", "1000");
        lan.far.sh("ip route del blackhole 10.9.128.0/17");
        floods(&lan);
        accuracy(&lan);
        if !missing.is_empty() {
            println!("\nNOT MEASURED, not installed: {}", missing.join(", "));
        }
    }

    impl Lan {
        fn new() -> Self {
            let (client, far) = (Host::new("client"), Host::new("far"));
            cable((&client, "eth0", &["10.0.0.1/24"]), (&far, "eth0", &["10.0.0.2/24"]));
            far.sh("ip route add local 10.9.0.0/16 dev lo && ip route add default via 10.0.0.1");
            client.sh("ip route add 10.9.0.0/16 via 10.0.0.2");
            client.allow_icmp_sockets();
            Self { client, far }
        }
    }

    fn build_floor() -> Option<PathBuf> {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sweep-floor");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floor/sweep.c");
        let built = Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).status().ok()?;
        built.success().then_some(program)
    }

    /// One run's time, and its peak memory in KiB.
    fn once(host: &Host, command: &[&str]) -> (Duration, i64) {
        let mut started = host.command(command[0]);
        started.args(&command[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        #[expect(clippy::zombie_processes, reason = "it is waited for below, with what it used")]
        let child = started.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
        let id = libc::pid_t::try_from(child.id()).expect("a process id");
        // SAFETY: both pointers lead to what the call may write; the child is this process' own.
        unsafe { libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) };
        let took = start.elapsed();
        // SAFETY: zeroed bytes are a valid `rusage`, and the call has filled it.
        (took, unsafe { usage.assume_init() }.ru_maxrss)
    }

    /// The median time and memory of each command, run in turn.
    fn in_turn(host: &Host, commands: &[(&str, Vec<&str>)]) -> Vec<(Duration, i64)> {
        let mut times: Vec<Vec<(Duration, i64)>> = vec![Vec::new(); commands.len()];
        for run in 0..=RUNS {
            for ((_, command), times) in commands.iter().zip(&mut times) {
                let measured = once(host, command);
                if run > 0 {
                    times.push(measured);
                }
            }
        }
        times
            .into_iter()
            .map(|mut times| {
                times.sort_unstable();
                times[times.len() / 2]
            })
            .collect()
    }

    fn sweeps(lan: &Lan, floor: Option<&Path>, what: &str, timeout_ms: &str) {
        let netdiag = env!("CARGO_BIN_EXE_netdiag");
        let sweep = ["ping", "--rate", "0", "-W", "1", "-q", "10.9.0.0/16"];
        let mut commands: Vec<(&str, Vec<&str>)> = vec![
            ("netdiag, table", [&[netdiag], &sweep[..]].concat()),
            ("netdiag, --json", [&[netdiag], &sweep[..], &["--json"]].concat()),
        ];
        if let Some(floor) = floor {
            let floor = floor.to_str().expect("the target folder's path is UTF-8");
            commands.push(("C floor", vec![floor, "10.9.0.1", "65534", timeout_ms]));
        }
        if common::has("fping") {
            let fping = vec!["fping", "-i0", "-r0", "-q", "-C1", "-t", timeout_ms, "-g", "10.9.0.0/16"];
            commands.push(("fping -i0 -r0 -q -C1", fping));
        }
        // Of a dark network it takes a minute a run.
        if common::has("nmap") && !what.contains("dark") {
            commands.push(("nmap -sn -PE -T4", vec!["nmap", "-n", "-sn", "-PE", "-T4", "10.9.0.0/16"]));
        }
        let results = in_turn(&lan.client, &commands);
        let ours = results[0].0.as_secs_f64();
        let rows = commands.iter().zip(&results).map(|((name, _), (time, memory))| {
            let time = time.as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "a few thousand KiB")]
            let megabytes = *memory as f64 / 1024.0;
            vec![
                (*name).to_owned(),
                format!("{time:.3}"),
                format!("{:.2}", time / ours),
                format!("{:.0}", 65_534.0 / time),
                format!("{megabytes:.1}"),
            ]
        });
        println!("SWEEP: {what}");
        table(&["", "SECONDS", "x NETDIAG", "HOSTS/S", "MiB"], rows.collect());
    }

    fn floods(lan: &Lan) {
        let netdiag = env!("CARGO_BIN_EXE_netdiag");
        let mut commands =
            vec![("netdiag --flood", vec![netdiag, "ping", "-q", "--flood", "-c", "100000", "10.0.0.2"])];
        if common::has("ping") {
            commands.push(("ping -f", vec!["ping", "-q", "-f", "-c", "100000", "10.0.0.2"]));
        }
        let results = in_turn(&lan.client, &commands);
        let ours = results[0].0.as_secs_f64();
        let rows = commands.iter().zip(&results).map(|((name, _), (time, _))| {
            let time = time.as_secs_f64();
            let rate = format!("{:.0}", 100_000.0 / time);
            vec![(*name).to_owned(), format!("{time:.3}"), format!("{:.2}", time / ours), rate]
        });
        println!("FLOOD: 100,000 probes to one host");
        table(&["", "SECONDS", "x NETDIAG", "PROBES/S"], rows.collect());
    }

    /// Programs that keep every processor busy while this lives.
    struct Load(Vec<Child>);

    impl Load {
        fn new() -> Self {
            let count = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
            let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh starts");
            Self((0..count).map(|_| busy()).collect())
        }
    }

    impl Drop for Load {
        fn drop(&mut self) {
            for child in &mut self.0 {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    fn accuracy(lan: &Lan) {
        if !common::has("tcpdump") {
            return;
        }
        let netdiag = env!("CARGO_BIN_EXE_netdiag");
        let count = PROBES.to_string();
        let mut rows = Vec::new();
        for (link, interface, target) in [("veth", "eth0", "10.0.0.2"), ("loopback", "lo", "127.0.0.1")] {
            for loaded in [false, true] {
                let _load = loaded.then(Load::new);
                let ours = ["ping", "-c", &count, "-i", "0.005", "--format", "ndjson", target];
                let portable = [&ours[..], &["--transport", "portable"]].concat();
                let mut tools: Vec<(&str, Vec<&str>)> = vec![
                    ("netdiag", [&[netdiag], &ours[..]].concat()),
                    ("netdiag portable", [&[netdiag], &portable[..]].concat()),
                ];
                if common::has("ping") {
                    tools.push(("iputils", vec!["ping", "-n", "-c", &count, "-i", "0.005", target]));
                }
                if common::has("fping") {
                    tools.push(("fping", vec!["fping", "-C", &count, "-p", "5", target]));
                }
                for (name, command) in tools {
                    let mut errors = errors(&lan.client, interface, &command);
                    errors.sort_by(f64::total_cmp);
                    let Some(last) = errors.len().checked_sub(1) else { continue };
                    let at = |percent: usize| errors[last * percent / 100];
                    rows.push(vec![
                        format!("{name}, {link}{}", if loaded { ", loaded" } else { "" }),
                        format!("{:+.1}", at(5)),
                        format!("{:+.1}", at(50)),
                        format!("{:+.1}", at(99)),
                        format!("{:.1}", at(99) - at(5)),
                        errors.len().to_string(),
                    ]);
                }
            }
        }
        println!("ROUND-TRIP TIME, what is printed minus what tcpdump saw, in microseconds");
        table(&["", "P5", "MEDIAN", "P99", "P99-P5", "REPLIES"], rows);
    }

    /// What a program prints minus the wire's time, for each sequence number that has both.
    fn errors(host: &Host, interface: &str, command: &[&str]) -> Vec<f64> {
        let mut capture = host.command("tcpdump");
        let packets = (2 * PROBES).to_string();
        capture.args(["-c", &packets, "-n", "-tt", "--time-stamp-precision=nano", "-i", interface, "icmp"]);
        let mut tcpdump =
            capture.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tcpdump starts");
        // It says that it listens.
        let mut said = BufReader::new(tcpdump.stderr.take().expect("piped"));
        let mut line = String::new();
        while said.read_line(&mut line).is_ok_and(|length| length > 0) && !line.contains("listening on") {
            line.clear();
        }
        let wire = std::thread::spawn({
            let lines = BufReader::new(tcpdump.stdout.take().expect("piped")).lines();
            move || lines.map_while(Result::ok).collect::<Vec<String>>()
        });
        let mut run = host.command(command[0]);
        let output = run.args(&command[1..]).stderr(Stdio::null()).output().expect("it starts");
        // It ends with the last packet, or hands on what it has when it is asked to end. It is not to hand on each
        // packet by itself: that would cost time between its stamp and the driver's.
        let patience = Instant::now() + Duration::from_secs(3);
        while Instant::now() < patience && tcpdump.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if tcpdump.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = Command::new("kill").args(["-s", "INT", &tcpdump.id().to_string()]).status();
        }
        let _ = tcpdump.wait();
        let wire = wire_times(&wire.join().expect("reading does not panic"));
        let printed = printed_times(&String::from_utf8_lossy(&output.stdout));
        printed.iter().filter_map(|(sequence, time)| Some(time - wire.get(sequence)?)).collect()
    }

    /// From tcpdump's lines the time between a request and its reply, in microseconds, by sequence number.
    fn wire_times(lines: &[String]) -> BTreeMap<u64, f64> {
        let mut asked: BTreeMap<u64, f64> = BTreeMap::new();
        let mut times = BTreeMap::new();
        for line in lines {
            let at = line.split_once('.').and_then(|(seconds, rest)| {
                let nanoseconds = rest.get(..9)?;
                // Whole seconds lose precision in a float; minutes do not.
                let seconds: u64 = seconds.parse().ok()?;
                let seconds = f64::from(u32::try_from(seconds % 100_000).ok()?);
                Some(seconds * 1e6 + nanoseconds.parse::<f64>().ok()? / 1e3)
            });
            let sequence = line.split_once("seq ").and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
            let (Some(at), Some(sequence)) = (at, sequence) else { continue };
            if line.contains("echo request") {
                asked.entry(sequence).or_insert(at);
            } else if let Some(asked) = asked.get(&sequence) {
                times.entry(sequence).or_insert(at - asked);
            }
        }
        times
    }

    /// The times a program prints, in microseconds, by sequence number.
    fn printed_times(output: &str) -> Vec<(u64, f64)> {
        let number = |text: &str, key: &str, ends: &[char]| -> Option<f64> {
            text.split_once(key)?.1.trim_start().split(ends).next()?.parse().ok()
        };
        let one = |line: &str| -> Option<(u64, f64)> {
            let (sequence, micros) = if line.starts_with('{') {
                (number(line, "\"seq\":", &[',', '}'])?, number(line, "\"rtt_us\":", &[',', '}'])?)
            } else if line.contains("icmp_seq=") {
                (number(line, "icmp_seq=", &[' '])?, number(line, "time=", &[' '])? * 1000.0)
            } else {
                // fping: "10.0.0.2 : [7], 64 bytes, 0.030 ms (...)"
                (number(line, ": [", &[']'])?, number(line, "bytes, ", &[' '])? * 1000.0)
            };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sequence number")]
            Some((sequence as u64, micros))
        };
        output.lines().filter_map(one).collect()
    }
}
