//! What a user of `ping` sees on the loopback: events as they come, a live table, signals.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Test, expect_code, finish, has, netdiag, plain, run};

pub(crate) const TESTS: &[Test] = &[
    ("ping::csv_has_a_row_for_each_event_as_it_comes", csv_events),
    ("ping::a_quit_signal_asks_how_it_goes", quit_signal),
    ("ping::several_targets_on_a_terminal_are_a_live_table", live_table),
    ("ping::sweeps_of_the_loopback", sweeps),
    ("ping::targets_from_standard_input", standard_input),
    ("ping::a_stopped_process_loses_nothing", stopped),
    ("ping::too_few_descriptors_are_told", few_descriptors),
];

/// Errs where this user may open no ICMP socket, which netdiag itself says with both ways out.
fn may_ping() -> Result<(), String> {
    match run("ping -c 1 127.0.0.1").code {
        Some(3) => Err("this user may open no ICMP socket; the lab pings all the same".to_owned()),
        _ => Ok(()),
    }
}

fn signal(name: &str, id: u32) {
    let status = Command::new("kill").args(["-s", name, &id.to_string()]).status();
    assert!(status.expect("kill is there").success());
}

fn csv_events() -> Result<(), String> {
    may_ping()?;
    // It would go on for a day: what is read before it is stopped came while it ran.
    let mut child = netdiag("ping -c 86400 -i 1 --format csv --events 127.0.0.1".split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .expect("netdiag starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let header = lines.next().expect("a header").expect("text");
    assert_eq!(header, "event,target,address,seq,at,rtt_us,ttl,bytes,from,type,code,meaning");
    let first = lines.next().expect("a reply").expect("text");
    assert!(first.starts_with("reply,127.0.0.1,127.0.0.1,1,"), "{first}");
    signal("INT", child.id());
    for line in lines {
        let line = line.expect("text");
        assert!(line.starts_with("reply,127.0.0.1,"), "events only: {line}");
    }
    assert!(child.wait().expect("a child of ours").success());
    let rows = run("ping -c 2 -i 0.01 --format csv 127.0.0.1");
    assert!(rows.stdout.starts_with("target,address,") && rows.stdout.lines().count() == 2, "{rows:?}");
    Ok(())
}

fn quit_signal() -> Result<(), String> {
    may_ping()?;
    let mut child = netdiag("ping -c 6 -i 0.1 --format ndjson 127.0.0.1".split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .expect("netdiag starts");
    let mut names = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        if names.is_empty() {
            signal("QUIT", child.id());
        }
        if event["event"] == "interim" {
            assert!(event["sent"].as_u64().is_some_and(|sent| (1..6).contains(&sent)), "{event}");
            assert!(event["summary_us"]["p50"].as_f64().is_some_and(|time| time > 0.0), "{event}");
        }
        names.push(event["event"].as_str().expect("a name").to_owned());
    }
    assert!(child.wait().expect("a child of ours").success(), "it goes on to its end");
    assert_eq!(names.iter().filter(|name| *name == "reply").count(), 6, "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "interim").count(), 1, "{names:?}");
    Ok(())
}

fn on_terminal(script: &str) -> Result<String, String> {
    if !has("script") {
        return Err("`script` is not installed, so no terminal can be had".to_owned());
    }
    let mut command = Command::new("script");
    command.args(["-qec", &format!("stty cols 100 rows 24; {script}"), "/dev/null"]);
    plain(&mut command);
    command.env("N", env!("CARGO_BIN_EXE_netdiag")).env("TERM", "xterm");
    Ok(finish(command).stdout.replace("\r\n", "\n"))
}

fn live_table() -> Result<(), String> {
    may_ping()?;
    let shown = on_terminal("NO_COLOR=1 $N ping -c 4 -i 0.25 127.0.0.1 127.0.0.2")?;
    assert!(shown.contains("LATEST") && shown.contains("q quits"), "{shown}");
    assert!(!shown.contains("reply from"), "a picture, not lines: {shown}");
    // Each picture takes the last one's place, and the last thing to stand is the whole table.
    let pictures = shown.matches("LATEST").count();
    assert!(pictures >= 3 && shown.matches("\x1b[").count() > pictures, "{shown:?}");
    let last = shown.rsplit("\x1b[J").next().expect("the end");
    assert!(
        last.contains("OUTCOME") && last.matches("alive").count() == 2 && !last.contains("LATEST"),
        "{last:?}"
    );
    // Where the terminal cannot go back, where it is piped, and for one target, there are lines.
    for lines in [
        on_terminal("TERM=dumb $N ping -c 1 127.0.0.1 127.0.0.2")?,
        on_terminal("$N ping -c 1 127.0.0.1 127.0.0.2 | cat")?,
        on_terminal("$N ping -v -c 1 127.0.0.1 127.0.0.2")?,
    ] {
        assert_eq!(lines.matches("from 127.0.0").count(), 2, "{lines}");
        assert!(!lines.contains("LATEST"), "{lines}");
    }
    Ok(())
}

fn sweeps() -> Result<(), String> {
    may_ping()?;
    for transport in ["auto", "portable"] {
        let sweep = run(&format!("ping --rate 0 --json --transport {transport} 127.3.0.0/22 127.0.0.1"));
        expect_code(&sweep, 0);
        let data = sweep.json()["data"].clone();
        assert_eq!(
            (&data["sweeps"][0]["hosts"], &data["sweeps"][0]["alive"]),
            (&1_022.into(), &1_022.into())
        );
        assert_eq!(data["targets"].as_array().map(Vec::len), Some(1_023), "{transport}");
    }
    let table = run("ping --rate 0 127.3.0.0/22");
    assert_eq!(table.stdout.lines().count(), 1_023, "no lines on the way, and a header");
    let counted = run("ping -c 3 -i 0.001 --rate 5000 --json 127.3.0.0/30");
    expect_code(&counted, 2);
    let counted = run("ping -c 3 --rate 5000 --json 127.3.0.0/30");
    assert_eq!(counted.json()["data"]["targets"][1]["received"], 3, "{counted:?}");
    // A thousand a second unless told otherwise: by the times of the replies, which a busy machine only draws out.
    let polite = run("ping --format ndjson -v 127.3.0.0/24").ndjson();
    let at = |event: &serde_json::Value| {
        let text = event["at"].as_str().expect("a time");
        humantime::parse_rfc3339(text).expect("a time")
    };
    let replies: Vec<_> = polite.iter().filter(|event| event["event"] == "reply").collect();
    let took = at(replies.last().expect("replies")).duration_since(at(replies[0])).expect("in order");
    assert!(replies.len() == 254 && took >= Duration::from_millis(230), "{} in {took:?}", replies.len());
    Ok(())
}

fn standard_input() -> Result<(), String> {
    may_ping()?;
    let mut command = Command::new("sh");
    command
        .args(["-c", "printf '127.0.0.1\\n# no\\n127.0.0.2 second\\n' | $N ping -c 1 --from-file - --json"]);
    plain(&mut command);
    command.env("N", env!("CARGO_BIN_EXE_netdiag"));
    let run = finish(command);
    expect_code(&run, 0);
    let rows = run.json()["data"]["targets"].clone();
    assert_eq!((&rows[0]["target"], &rows[1]["target"]), (&"127.0.0.1".into(), &"127.0.0.2".into()));
    Ok(())
}

fn stopped() -> Result<(), String> {
    may_ping()?;
    let mut child = netdiag("ping -c 8 -i 0.1 -W 1.5 --format ndjson 127.0.0.1".split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .expect("netdiag starts");
    let (mut last, mut count) = (serde_json::Value::Null, 0);
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        last = serde_json::from_str(&line.expect("text")).expect("JSON");
        count += 1;
        if count == 2 {
            // Longer than the time-out: replies wait in the socket meanwhile.
            signal("STOP", child.id());
            std::thread::sleep(Duration::from_millis(2_500));
            signal("CONT", child.id());
        }
    }
    assert!(child.wait().expect("a child of ours").success());
    let row = &last["data"]["targets"][0];
    assert_eq!((&row["received"], &row["lost"], &row["late"]), (&8.into(), &0.into(), &0.into()), "{row}");
    let longest = row["rtt_us"]["max"].as_f64().expect("a time");
    assert!(longest < 1_500_000.0, "the kernel's stamps do not wait for this process: {row}");
    Ok(())
}

fn few_descriptors() -> Result<(), String> {
    may_ping()?;
    for limit in 6..=20 {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("ulimit -n {limit}; exec $N ping -c 1 127.0.0.1")]);
        plain(&mut command);
        command.env("N", env!("CARGO_BIN_EXE_netdiag"));
        let run = finish(command);
        let is_told = run.code == Some(3) && run.stderr.contains(&format!("(now {limit}): ulimit -n 4096"));
        assert!(is_told || (run.code == Some(0) && limit > 12), "{limit}: {run:?}");
    }
    Ok(())
}
