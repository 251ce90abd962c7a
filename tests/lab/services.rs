//! TCP services, real and broken on purpose, and what a probe says of them.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{self, Test, expect_code};
use crate::net::{Host, Routed, can_become_nobody};
use crate::sockets::Held;

pub(crate) const TESTS: &[Test] = &[
    ("services::real_servers", real_servers),
    ("services::faults_on_purpose_are_what_a_probe_finds", faults),
    ("services::a_full_queue_and_an_unaccepted_connection", queue),
    ("services::what_is_not_what_it_seems", seeming),
    ("services::limits_of_a_server", limits),
    ("services::a_shortage_of_descriptors_passes", shortage),
    ("services::a_stalled_server_is_seen_in_the_percentiles", stall),
    ("services::a_connection_for_each_round", reconnecting),
    ("services::ports_that_will_run_out_are_foreseen", running_out),
    ("services::every_step_is_told", explained),
    ("services::a_range_of_ports", ports),
    ("services::all_addresses_and_a_clients_choice", addresses),
    ("services::several_connections_at_once", connections),
    ("services::an_address_in_use_names_its_holder", in_use),
    ("services::buffers_and_families_by_the_lessons_names", lesson_options),
    ("services::both_families_of_a_name", families),
];

/// A program that serves in a host, and ends with the value.
pub(crate) struct Running(Child);

impl Drop for Running {
    /// Asks it to end, so that it ends its own children, and ends it if it does not.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// The id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Starts a program in a host, and waits until it listens on a port.
    #[track_caller]
    pub(crate) fn start(host: &Host, program: &str, args: &[&str], port: u16) -> Self {
        let mut command = host.command(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Self(command.spawn().expect("a program that is there starts"));
        let deadline = Instant::now() + Duration::from_secs(20);
        while host.sh(&format!("ss -tlnH sport = :{port}")).trim().is_empty() {
            assert!(Instant::now() < deadline, "{program} does not listen on {port}");
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }
}

fn row(host: &Host, args: &str) -> Value {
    host.netdiag(&format!("tcp-echo {args} --json")).json()["data"]["addresses"][0].clone()
}

#[track_caller]
pub(crate) fn outcome(row: &Value) -> &str {
    row["outcome"].as_str().unwrap_or_else(|| panic!("no outcome: {row}"))
}

pub(crate) fn message(row: &Value) -> String {
    row["failure"]["message"].as_str().unwrap_or_default().to_owned()
}

fn real_servers() -> Result<(), String> {
    let net = Routed::new();
    let far = &net.far;
    let mut missing = Vec::new();
    let mut has = |program: &'static str| {
        let has = common::has(program);
        if !has {
            missing.push(program);
        }
        has
    };
    far.sh("mkdir -p /run/real");
    // nginx and sshd become other users, which a user namespace of one user has not.
    if has("nginx") && can_become_nobody() {
        far.sh("cat > /run/real/nginx.conf <<'END'
daemon off; master_process off; pid /run/real/nginx.pid; error_log /dev/null; worker_processes 1;
events { }
http { access_log off; server { listen 10.8.0.2:80; } }
END");
        let _nginx = Running::start(far, "nginx", &["-c", "/run/real/nginx.conf"], 80);
        assert_eq!(outcome(&row(&net.client, "10.8.0.2:80 --connect-only")), "connected");
        // Random bytes with no end of a line may be waited for; two kilobytes have one.
        let probed = row(&net.client, "10.8.0.2:80 -s 2k --timeout 1");
        assert_eq!(outcome(&probed), "mismatch", "{probed}");
        assert!(message(&probed).contains("HTTP/1.1 400"), "{probed}");
    }
    if has("redis-server") {
        let args = ["--port", "6379", "--bind", "10.8.0.2", "--save", "", "--protected-mode", "no"];
        let _redis = Running::start(far, "redis-server", &args, 6379);
        let probed = row(&net.client, "10.8.0.2:6379 -s 2k --timeout 1");
        // What it makes of random bytes is its own affair, but it is no echo.
        let answers = ["mismatch", "reset", "closed-early", "timed-out-reading"];
        assert!(answers.contains(&outcome(&probed)), "{probed}");
    }
    if has("inetd") {
        far.sh("echo '10.8.0.2:echo stream tcp nowait root internal' > /run/real/inetd.conf");
        let _inetd = Running::start(far, "inetd", &["-i", "/run/real/inetd.conf"], 7);
        let probed = row(&net.client, "10.8.0.2:7 -c 3 -i 0 -s 100000");
        assert_eq!((outcome(&probed), &probed["received_bytes"]), ("echoed", &300_000.into()), "{probed}");
    }
    if has("sshd") && can_become_nobody() {
        far.sh("mkdir -p /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /run/real/key");
        let options = ["-D", "-f", "/dev/null", "-h", "/run/real/key", "-o", "ListenAddress=10.8.0.2:22"];
        let _sshd = Running::start(far, "/usr/sbin/sshd", &options, 22);
        let probed = row(&net.client, "10.8.0.2:22 --timeout 2");
        assert_eq!(outcome(&probed), "mismatch", "{probed}");
        assert!(message(&probed).contains("SSH-2.0"), "{probed}");
    }
    if has("ncat") {
        let _ncat = Running::start(far, "ncat", &["-l", "10.8.0.2", "9007", "-k", "-e", "/bin/cat"], 9007);
        assert_eq!(outcome(&row(&net.client, "10.8.0.2:9007 -c 5 -i 0 -s 5000")), "echoed");
    }
    if !can_become_nobody() {
        missing.push("(nginx and sshd for a user who cannot become others)");
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("not run: {}; the others pass", missing.join(", "))) }
}

fn faults() -> Result<(), String> {
    let host = Host::new("alone");
    for (fault, named, probe, outcomes, says) in [
        ("--delay 150", "delay 150ms", "", &["echoed"][..], ""),
        ("--reset-after 10", "reset-after 10 bytes", "", &["reset"], "reset by the other end"),
        ("--reset-after 0", "reset-after 0 bytes", "", &["reset"], ""),
        ("--truncate-after 10", "truncate-after 10 bytes", "", &["short"], "after 10 of 64 bytes"),
        ("--truncate-after 0", "truncate-after 0 bytes", "", &["closed-early"], "before any byte"),
        (
            "--truncate-after 1M",
            "truncate-after 1048576 bytes",
            "-s 4M",
            &["short"],
            "after 1048576 of 4194304",
        ),
        ("--corrupt", "corrupt", "", &["mismatch"], "byte 0 is wrong"),
        ("--slow-read 100", "slow-read 100 bytes a second", "-s 200", &["echoed"], ""),
        ("--close-on-accept", "close-on-accept", "", &["closed-early", "reset"], ""),
        ("--max-bytes 100", "", "-s 500", &["short", "reset"], ""),
    ] {
        let server = host.serve(&format!("127.0.0.1:0 {fault}"));
        let listening = &server.listening;
        let names: Vec<&str> =
            listening["faults"].as_array().expect("faults").iter().filter_map(Value::as_str).collect();
        assert_eq!(names.join(" "), named, "{listening}");
        let probed = row(&host, &format!("{} {probe}", server.address));
        assert!(outcomes.contains(&outcome(&probed)), "{fault}: {probed}");
        assert!(message(&probed).contains(says), "{fault}: {probed}");
        let least = match fault {
            "--delay 150" => 150_000.0,
            "--slow-read 100" => 1_800_000.0,
            _ => continue,
        };
        assert!(probed["rtt_us"]["min"].as_f64().is_some_and(|us| us >= least), "{probed}");
    }
    Ok(())
}

fn queue() -> Result<(), String> {
    let host = Host::new("alone");
    let server = host.serve("127.0.0.1:0 --no-accept --backlog 2");
    let probed = row(&host, &format!("{} --timeout 0.4", server.address));
    assert_eq!(outcome(&probed), "timed-out-reading", "{probed}");
    assert!(message(&probed).contains("the server has not accepted it"), "{probed}");
    // That one waits on, and with two more there is no place left.
    let address: std::net::SocketAddr = server.address.parse().expect("an address");
    let mut holder = host.command(env!("CARGO_BIN_EXE_netdiag"));
    holder.args(["tcp-echo", &address.to_string(), "--connections", "2", "--timeout", "20"]);
    let mut holder = Running(holder.stdout(Stdio::null()).spawn().expect("netdiag starts"));
    let deadline = Instant::now() + Duration::from_secs(10);
    let port = address.port();
    while host.sh(&format!("ss -tnH state established dport = :{port} | wc -l")).trim() != "2" {
        assert!(Instant::now() < deadline, "the two do not connect");
        std::thread::sleep(Duration::from_millis(10));
    }
    let probed = row(&host, &format!("{address} --timeout 1.5"));
    assert_eq!(outcome(&probed), "queue-full", "{probed}");
    assert!(
        message(&probed).contains("queue is full, 3 connections wait to be accepted, the backlog is 2"),
        "{probed}"
    );
    assert!(probed["failure"]["syn_retransmissions"].as_u64().is_some_and(|count| count >= 1), "{probed}");
    holder.0.kill().expect("ending a child of ours");
    Ok(())
}

fn seeming() -> Result<(), String> {
    // A connection can meet itself where nobody listens.
    let host = Host::new("alone");
    let probed = row(&host, "127.0.0.1:45678 --source 127.0.0.1:45678");
    assert_eq!(outcome(&probed), "refused", "{probed}");
    assert!(message(&probed).contains("self-connection"), "{probed}");
    host.sh("echo '45678 45678' > /proc/sys/net/ipv4/ip_local_port_range");
    let probed = row(&host, "127.0.0.1:45678 --connect-only");
    assert!(["refused", "no-local-port"].contains(&outcome(&probed)), "{probed}");
    // A neighbour that nobody is, however short the patience.
    let net = Routed::new();
    let probed = row(&net.client, "10.7.0.77:9 --timeout 0.5");
    assert_eq!(outcome(&probed), "unreachable-host", "{probed}");
    // A search that another program began makes no rule of it.
    let probed = row(&net.client, "10.7.0.77:9 --timeout 6");
    assert!(!message(&probed).contains("rule"), "{probed}");
    // A path that breaks after it has connected.
    let server = net.far.serve("10.8.0.2:7");
    let mut probe = net.client.command(env!("CARGO_BIN_EXE_netdiag"));
    probe.args(["tcp-echo", &server.address, "--timeout", "2", "-c", "2", "-i", "3", "--format", "ndjson"]);
    let mut probe = probe.stdout(Stdio::piped()).spawn().expect("netdiag starts");
    let mut events = std::io::BufReader::new(probe.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("\"round\":1,") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut events, &mut line).expect("text") > 0, "it ended");
    }
    net.router.sh("nft add table inet t; nft add chain inet t c '{ type filter hook forward priority 0; }'
                   nft add rule inet t c drop");
    let mut rest = String::new();
    events.read_to_string(&mut rest).expect("text");
    probe.wait().expect("waiting for a child of ours");
    let report: Value = serde_json::from_str(rest.lines().last().expect("a summary")).expect("JSON");
    let broken = &report["data"]["addresses"][0];
    assert_eq!((outcome(broken), &broken["rounds"]), ("timed-out-reading", &1.into()), "{broken}");
    assert!(message(broken).contains("acknowledges nothing any more"), "{broken}");
    // With --explain it is told the same.
    let silent = host.serve("127.0.0.1:7000 --no-accept");
    let told = host.netdiag(&format!("tcp-echo {} --timeout 0.5 --explain --json", silent.address)).json();
    let told = &told["data"]["addresses"][0];
    assert_eq!((outcome(told), &told["tcp_info"]["state"]), ("timed-out-reading", &"ESTAB".into()), "{told}");
    // A greeting is no surplus where only connecting was asked for.
    if common::has("ncat") {
        let _greeter =
            Running::start(&net.far, "ncat", &["-l", "10.8.0.2", "2222", "-k", "-c", "echo hello"], 2222);
        net.router.sh("nft flush ruleset");
        let probed = row(&net.client, "10.8.0.2:2222 --connect-only -c 3 -i 0.05");
        assert_eq!((outcome(&probed), &probed["rounds"]), ("connected", &3.into()), "{probed}");
    }
    Ok(())
}

fn limits() -> Result<(), String> {
    let host = Host::new("alone");
    let mut server = host.serve("127.0.0.1:0 --max-connections 1 --idle-timeout 1.5");
    let mut first = host.command(env!("CARGO_BIN_EXE_netdiag"));
    first.args(["tcp-echo", &server.address, "-c", "1000", "-i", "60", "--json"]).stdout(Stdio::piped());
    let first = first.spawn().expect("netdiag starts");
    assert_eq!(server.event()["event"], "accepted");
    let probed = row(&host, &server.address);
    assert_eq!(outcome(&probed), "reset", "{probed}");
    let refused = server.event();
    assert_eq!((&refused["event"], &refused["limit"]), (&"refused-over-limit".into(), &1.into()));
    let closed = server.event();
    assert_eq!((&closed["event"], &closed["reason"]), (&"closed".into(), &"idle".into()), "{closed}");
    assert!(closed["duration_us"].as_f64().is_some_and(|us| us >= 1_500_000.0), "{closed}");
    drop(Running(first));
    let (events, code) = server.stop();
    let data = &events.last().expect("a summary")["data"];
    assert_eq!((code, &data["connections"], &data["refused"]), (Some(0), &1.into(), &1.into()), "{data}");
    Ok(())
}

fn shortage() -> Result<(), String> {
    let host = Host::new("alone");
    let mut command = host.command("prlimit");
    command.args([
        "--nofile=40",
        env!("CARGO_BIN_EXE_netdiag"),
        "tcp-serve",
        "--format",
        "ndjson",
        "--drain",
        "0",
    ]);
    let mut server = common::Server::start(command);
    let mut holder = host.command(env!("CARGO_BIN_EXE_netdiag"));
    holder.args([
        "tcp-echo",
        &server.address,
        "--connections",
        "50",
        "-c",
        "100",
        "-i",
        "30",
        "--timeout",
        "60",
    ]);
    let mut holder = Running(holder.stdout(Stdio::null()).spawn().expect("netdiag starts"));
    let mut accepted = 0;
    let error = loop {
        let event = server.event();
        match event["event"].as_str() {
            Some("accepted") => accepted += 1,
            _ => break event,
        }
    };
    assert_eq!(error["event"], "error", "{error}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("open files")), "{error}");
    assert!(accepted < 40);
    holder.0.kill().expect("ending a child of ours");
    let probed = row(&host, &format!("{} --timeout 10", server.address));
    assert_eq!(outcome(&probed), "echoed", "it has recovered: {probed}");
    Ok(())
}

fn stall() -> Result<(), String> {
    const RATE: f64 = 200.0;
    const ROUNDS: f64 = 2000.0;
    let host = Host::new("alone");
    let server = host.serve("127.0.0.1:0");
    let mut probe = host.command(env!("CARGO_BIN_EXE_netdiag"));
    let probe = probe
        .args(["tcp-echo", &server.address, "-c", "2000", "--rate", "200", "--format", "ndjson"])
        .stdout(Stdio::piped());
    let mut probe = probe.spawn().expect("netdiag starts");
    let mut events = std::io::BufReader::new(probe.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("\"round\":500,") {
        line.clear();
        let length = std::io::BufRead::read_line(&mut events, &mut line).expect("text");
        assert!(length > 0, "it ended");
    }
    server.signal("STOP");
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    server.signal("CONT");
    let stalled = start.elapsed().as_secs_f64();
    let mut rest = String::new();
    events.read_to_string(&mut rest).expect("text");
    assert!(probe.wait().expect("waiting for a child of ours").success());
    let summary: Value = serde_json::from_str(rest.lines().last().expect("a summary")).expect("JSON");
    let row = &summary["data"]["addresses"][0];
    // Of the rounds that the stall held up, the longest waited for all of it, and each next one a period less.
    let truth = (stalled - 0.01 * ROUNDS / RATE) * 1e6;
    let p99 = row["rtt_us"]["p99"].as_f64().expect("a figure");
    // A machine that is busy besides makes it longer still.
    assert!(p99 >= truth * 0.95, "{p99} is less than {truth}: {row}");
    // From when each was sent, hardly any was slow: what other tools would print.
    assert!(row["service_us"]["p99"].as_f64().is_some_and(|us| us < truth / 2.0), "{row}");
    assert!(
        row["rounds_per_s"].as_f64().is_some_and(|rate| rate < RATE * 1.05),
        "no faster than asked: {row}"
    );
    Ok(())
}

fn reconnecting() -> Result<(), String> {
    let net = Routed::new();
    let server = net.far.serve("10.8.0.2:7");
    for (options, held) in [("", 50), ("--close rst", 0)] {
        let probed = row(&net.client, &format!("10.8.0.2:7 -c 50 -i 0 --reconnect {options}"));
        assert_eq!((outcome(&probed), &probed["rounds"]), ("echoed", &50.into()), "{probed}");
        let count = |when: &str| probed["time_wait"][when].as_u64().expect("a count");
        assert_eq!(count("after") - count("before"), held, "{probed}");
        assert!(probed["connects_us"]["p50"].as_f64().is_some_and(|us| us > 0.0), "{probed}");
        let kernels = net.client.sh("ss -tanH state time-wait dport = :7 | wc -l");
        assert_eq!(kernels.trim(), count("after").to_string());
    }
    let (events, _) = server.stop();
    let data = &events.last().expect("a summary")["data"];
    assert_eq!((&data["connections"], &data["bytes_in"]), (&100.into(), &6_400.into()), "{data}");
    // The same without an echo, as `tcping` has it.
    let _server = net.far.serve("10.8.0.2:8");
    let run = net.client.netdiag("tcp-echo 10.8.0.2:8 --connect-only -c 4 -i 0.05");
    expect_code(&run, 0);
    assert_eq!(
        run.stdout.lines().filter(|line| line.starts_with("connect to 10.8.0.2:8: round=")).count(),
        4,
        "{run:?}"
    );
    Ok(())
}

fn running_out() -> Result<(), String> {
    let net = Routed::new();
    let _server = net.far.serve("10.8.0.2:7");
    net.client.sh("echo '40000 40039' > /proc/sys/net/ipv4/ip_local_port_range
                   sysctl -qw net.ipv4.tcp_tw_reuse=0");
    let run = net.client.netdiag("tcp-echo 10.8.0.2:7 -c 60 --rate 25 --reconnect --json");
    expect_code(&run, 1);
    let json = run.json();
    let warning =
        json["warnings"].as_array().expect("warnings").iter().find(|it| it["code"] == "ports-running-out");
    let said =
        warning.unwrap_or_else(|| panic!("no warning: {json}"))["message"].as_str().expect("text").to_owned();
    assert!(
        said.contains("the 40 ports") && said.contains("TIME-WAIT") && said.contains("--close rst"),
        "{said}"
    );
    let row = &json["data"]["addresses"][0];
    assert_eq!((outcome(row), &row["rounds"]), ("no-local-port", &40.into()), "{row}");
    assert!(message(row).contains("in round 41") && message(row).contains("40 of 40"), "{row}");
    Ok(())
}

fn explained() -> Result<(), String> {
    let net = Routed::new();
    let server = net.far.serve("10.8.0.2:7");
    let run = net.client.netdiag("tcp-echo 10.8.0.2:7 --explain -c 1");
    expect_code(&run, 0);
    let step = |verb: &str| {
        let begins = |line: &&str| line.starts_with(&format!("{verb}("));
        run.stdout.lines().find(begins).unwrap_or_else(|| panic!("no {verb}: {run:?}")).to_owned()
    };
    for (verb, states) in [
        ("socket", "CLOSED -> CLOSED  (step 1: create)"),
        ("connect", "CLOSED -> ESTAB  (step 2: connect)"),
        ("connect", "SYN ->   <- SYN,ACK   ACK ->"),
        ("send", "ESTAB -> ESTAB  (step 3: send)"),
        ("send", "64 bytes ->"),
        ("recv", "ESTAB -> ESTAB  (step 4: receive)"),
        ("recv", "<- 64 bytes"),
        ("shutdown", "FIN ->"),
        // However far the other end was with its own FIN when this one looked.
        ("shutdown", "ESTAB -> "),
        ("close", "-> TIME-WAIT"),
    ] {
        assert!(step(verb).contains(states), "{verb}: {}", step(verb));
    }
    assert!(!step("shutdown").contains("-> ESTAB"), "{}", step("shutdown"));
    assert!(step("connect").contains("SO_RCVBUF") && step("connect").contains("SO_SNDBUF"));
    assert!(step("connect").contains("segments out+2 in+1") && step("connect").contains("(inferred)"));
    assert!(!step("send").contains("server:"), "the server is on another machine: {}", step("send"));
    let json = net.client.netdiag("tcp-echo 10.8.0.2:7 --explain --json").json();
    let steps = json["data"]["addresses"][0]["steps"].as_array().expect("steps").clone();
    let last = steps.last().expect("steps");
    assert_eq!((&last["call"], &last["state_after"]), (&"close".into(), &"TIME-WAIT".into()), "{last}");
    assert!(last["remaining_ms"].as_u64().is_some_and(|ms| (50_000..=60_000).contains(&ms)), "{last}");
    drop(server);
    // Both ends on one machine, and the server's own account.
    let mut command = net.far.command(env!("CARGO_BIN_EXE_netdiag"));
    let command = command.args(["tcp-serve", "10.8.0.2:9", "--explain"]).stdout(Stdio::piped());
    let mut serving = Running(command.spawn().expect("netdiag starts"));
    let mut told = std::io::BufReader::new(serving.0.stdout.take().expect("piped"));
    let mut lines = Vec::new();
    let mut read_until = |verb: &str, lines: &mut Vec<String>| {
        while !lines.last().is_some_and(|line: &String| line.starts_with(verb)) {
            let mut line = String::new();
            assert!(std::io::BufRead::read_line(&mut told, &mut line).expect("text") > 0, "{lines:?}");
            lines.push(line);
        }
    };
    read_until("listening", &mut lines);
    let run = net.far.netdiag("tcp-echo 10.8.0.2:9 --explain");
    // Told once it is so: after connecting, or, where the server was slow to get there, after sending.
    let is_told = |line: &str| {
        (line.starts_with("connect(") || line.starts_with("send(")) && line.contains("server: ESTAB")
    };
    assert!(run.stdout.lines().any(is_told), "{run:?}");
    read_until("close(", &mut lines);
    drop(serving);
    let verbs: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once('(').map(|(verb, _)| verb)).collect();
    let verbs: Vec<&str> = verbs.into_iter().filter(|verb| !verb.contains(' ')).collect();
    assert_eq!(
        verbs,
        ["socket", "setsockopt", "bind", "listen", "accept", "recv", "send", "recv", "close"],
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("listen(") && line.contains("CLOSED -> LISTEN")),
        "{lines:?}"
    );
    // A refusal is told too.
    let run = net.client.netdiag("tcp-echo 10.8.0.2:99 --explain");
    expect_code(&run, 1);
    assert!(run.stdout.lines().any(|line| line.starts_with("connect(10.8.0.2:99) = -1: refused")), "{run:?}");
    Ok(())
}

fn ports() -> Result<(), String> {
    let net = Routed::new();
    let _servers = [net.far.serve("0.0.0.0:22"), net.far.serve("0.0.0.0:24")];
    let run = net.client.netdiag("tcp-echo 10.8.0.2:20-25 --connect-only --json");
    expect_code(&run, 0);
    let data = run.json()["data"].clone();
    let rows = data["addresses"].as_array().expect("rows");
    let found: Vec<(&str, &str)> =
        rows.iter().filter_map(|row| Some((row["address"].as_str()?, row["outcome"].as_str()?))).collect();
    let expected = [
        ("20", "refused"),
        ("21", "refused"),
        ("22", "connected"),
        ("23", "refused"),
        ("24", "connected"),
        ("25", "refused"),
    ];
    for (found, (port, outcome)) in found.iter().zip(expected) {
        assert_eq!(*found, (format!("10.8.0.2:{port}").as_str(), outcome));
    }
    assert_eq!(
        (rows.len(), &data["counts"]["connected"], &data["counts"]["refused"]),
        (6, &2.into(), &4.into())
    );
    expect_code(&net.client.netdiag("tcp-echo 10.8.0.2:100-130 --connect-only"), 1);
    // Thousands that do not answer take little more than one of them.
    net.far.sh("nft add table inet t; nft add chain inet t c '{ type filter hook input priority 0; }'
                nft add rule inet t c tcp dport 1000-8999 drop");
    // One after the other they would take more than half an hour, which is called a hang.
    let run = net.client.netdiag("tcp-echo 10.8.0.2:22,1000-4999,9000-9999 --connect-only --timeout 0.5");
    expect_code(&run, 0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "only what connected is listed: {lines:?}");
    assert!(lines[1].contains("10.8.0.2:22") && lines[1].contains("connected"), "{lines:?}");
    if can_become_nobody() {
        let run = net.client.netdiag_as_nobody("tcp-echo 10.8.0.2:20-25 --connect-only --json");
        assert_eq!(run.json()["data"]["counts"]["connected"], 2, "{run:?}");
    }
    Ok(())
}

fn addresses() -> Result<(), String> {
    let host = Host::new("alone");
    let _server = host.serve("127.0.0.1:7");
    let run = host.netdiag("tcp-echo dual.test:7 --all-addresses --json");
    expect_code(&run, 1);
    let rows = run.json()["data"]["addresses"].clone();
    let of = |address: &str| {
        let rows = rows.as_array().expect("rows");
        rows.iter()
            .find(|row| row["address"] == address)
            .unwrap_or_else(|| panic!("{address}: {rows:?}"))
            .clone()
    };
    let (v4, v6) = (of("127.0.0.1:7"), of("[::1]:7"));
    assert_eq!((outcome(&v4), outcome(&v6)), ("echoed", "refused"));
    assert_eq!((&v4["is_client_choice"], &v6["is_client_choice"]), (&true.into(), &false.into()));
    Ok(())
}

fn connections() -> Result<(), String> {
    let net = Routed::new();
    let server = net.far.serve("[::]:7");
    let probed = row(&net.client, "[fd08::2]:7 --connections 50 -c 20 -i 0 -s 1000");
    assert_eq!((outcome(&probed), &probed["verified"]), ("echoed", &true.into()), "{probed}");
    assert_eq!((&probed["connections"], &probed["rounds"]), (&50.into(), &1_000.into()), "{probed}");
    assert_eq!((&probed["sent_bytes"], &probed["received_bytes"]), (&1_000_000.into(), &1_000_000.into()));
    let spun = row(&net.client, "10.8.0.2:7 --spin -c 50 -i 0 -s 200000");
    assert_eq!((outcome(&spun), &spun["received_bytes"]), ("echoed", &10_000_000.into()), "{spun}");
    let big = row(&net.client, "10.8.0.2:7 -s 64M");
    assert_eq!((outcome(&big), &big["received_bytes"]), ("echoed", &(64 << 20).into()), "{big}");
    let (events, _) = server.stop();
    let data = &events.last().expect("a summary")["data"];
    assert_eq!(
        (&data["connections"], &data["bytes_out"]),
        (&52.into(), &(11_000_000 + (64 << 20)).into()),
        "{data}"
    );
    // The kernel's figures are the ones `ss` prints.
    let info = &big["tcp_info"];
    assert!(info["rtt_us"].as_u64().is_some_and(|us| us > 0) && info["mss_bytes"] == 1448, "{info}");
    assert_eq!(
        (&info["pmtu_bytes"], &info["sack"], &info["timestamps"]),
        (&1500.into(), &true.into(), &true.into())
    );
    let control = net.client.sh("cat /proc/sys/net/ipv4/tcp_congestion_control");
    assert_eq!(info["congestion_control"], control.trim(), "{info}");
    Ok(())
}

fn in_use() -> Result<(), String> {
    let host = Host::new("alone");
    let server = host.serve("127.0.0.1:7777");
    // A socket for IPv6 alone is not in the way of IPv4, and is not accused.
    let v6_only = Held::new(&host, "listen,[::]:7777,v6only");
    let run = host.netdiag("tcp-serve 127.0.0.1:7777");
    expect_code(&run, 3);
    assert!(!run.stderr.contains(&v6_only.pid().to_string()), "{run:?}");
    let holder = format!("process {} (netdiag)", server.id());
    assert!(run.stderr.contains(&holder) && run.stderr.contains("(LISTEN)"), "{run:?}");
    if can_become_nobody() {
        let run = host.netdiag_as_nobody("tcp-serve 0.0.0.0:7777");
        expect_code(&run, 3);
        assert!(run.stderr.contains("a process of root holds 127.0.0.1:7777"), "{run:?}");
        let run = host.netdiag_as_nobody("tcp-serve 127.0.0.1:80");
        expect_code(&run, 3);
        assert!(run.stderr.contains("cap_net_bind_service") && run.stderr.contains("now 1024"), "{run:?}");
    }
    Ok(())
}

fn lesson_options() -> Result<(), String> {
    let host = Host::new("alone");
    let server = host.serve("7000 --address-family inet6 --receive-buffer 32k --send-buffer 48k");
    assert_eq!(server.address, "[::1]:7000");
    let probed = row(&host, "localhost:7000 --address-family inet6 --rcvbuf 16k --sndbuf 24k");
    assert_eq!((outcome(&probed), probed["address"].as_str()), ("echoed", Some("[::1]:7000")), "{probed}");
    // Linux doubles what is asked for (`socket(7)`).
    let buffers = &probed["buffers"];
    assert_eq!(
        (&buffers["receive_bytes"], &buffers["send_bytes"]),
        (&32_768.into(), &49_152.into()),
        "{buffers}"
    );
    let own = host.sh("ss -tlmnH sport = :7000");
    assert!(own.contains("rb65536") && own.contains("tb98304"), "{own}");
    Ok(())
}

fn families() -> Result<(), String> {
    let host = Host::new("alone");
    let mut command = host.command(env!("CARGO_BIN_EXE_netdiag"));
    // Piped, without a format: events for a script.
    command.args(["tcp-serve", "dual.test:0"]);
    let mut server = common::Server::start(command);
    let second = server.event();
    assert_eq!((&second["event"], &second["port"]), (&"listening".into(), &server.port.into()), "{second}");
    for address in ["127.0.0.1", "[::1]"] {
        assert_eq!(outcome(&row(&host, &format!("{address}:{}", server.port))), "echoed");
    }
    let (events, _) = server.stop();
    assert_eq!(events.last().expect("a summary")["data"]["connections"], 2);
    // One socket for both.
    let wide = host.serve("[::]:0");
    for address in ["127.0.0.1", "[::1]"] {
        assert_eq!(outcome(&row(&host, &format!("{address}:{}", wide.port))), "echoed");
    }
    Ok(())
}
