//! The doctor on the loopback: what a user sees, and wrong input.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use std::net::{Ipv4Addr, TcpListener};

use crate::common::{Run, Test, run};

pub(crate) const TESTS: &[Test] = &[
    ("doctor_finds_nothing_wrong_with_a_server_on_this_machine", healthy),
    ("doctor_names_a_port_that_nobody_listens_on", refused),
    ("doctor_refuses_what_is_no_target", no_target),
    ("doctor_refuses_what_is_no_evidence", no_evidence),
    ("doctor_judges_saved_evidence_again", again),
    ("doctor_streams_its_checks", streamed),
];

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the loopback");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

fn doctor(args: &str) -> Run {
    run(&format!("doctor --offline {args}"))
}

fn healthy() -> Result<(), String> {
    let (_listener, port) = listener();
    let run = doctor(&format!("127.0.0.1:{port} --json"));
    let document = run.json();
    assert_eq!((run.code, document["schema"].as_str()), (Some(0), Some("netdiag.doctor/1")), "{run:?}");
    let data = &document["data"];
    assert_eq!(data["verdict"], "healthy", "{run:?}");
    assert!(data["root_cause"].is_null() && data["elapsed_us"].as_u64() > Some(0), "{run:?}");
    for check in data["checks"].as_array().expect("checks") {
        for key in ["tier", "name", "status", "detail", "elapsed_us"] {
            assert!(check.get(key).is_some(), "{check}");
        }
    }
    Ok(())
}

fn refused() -> Result<(), String> {
    let (listener, port) = listener();
    drop(listener);
    let run = doctor(&format!("127.0.0.1:{port} --json --explain"));
    let data = run.json()["data"].clone();
    assert_eq!((run.code, data["verdict"].as_str()), (Some(1), Some("broken")), "{run:?}");
    let cause = &data["root_cause"];
    assert_eq!(
        (cause["code"].as_str(), cause["confidence"].as_str()),
        (Some("TCP.REFUSED"), Some("certain"))
    );
    assert_eq!(data["findings"][0], *cause);
    assert!(cause["evidence"][0]["detail"].is_string() && cause["remedy"][0].is_string(), "{cause}");
    assert_eq!(data["considered"][0]["code"], "TCP.REFUSED", "{run:?}");
    let table = doctor(&format!("127.0.0.1:{port}"));
    assert!(table.stdout.contains("TCP.REFUSED") && table.stdout.contains("nobody listens"), "{table:?}");
    Ok(())
}

fn no_target() -> Result<(), String> {
    for (target, said) in [
        ("ftp://a/", "http and https"),
        ("http://", "host"),
        ("http://u:p@a/", "password"),
        ("a..b", "1 to 63 characters"),
        ("a\u{1}b", "\\u{1}"),
        ("shop:0", "port"),
        ("[::1", "brackets"),
        ("fe80::1", "%INTERFACE"),
        ("224.0.0.1", "group"),
        ("255.255.255.255:80", "everybody"),
        ("0.0.0.0:80", "no address"),
    ] {
        let run = doctor(target);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{target:?}: {run:?}");
        assert!(run.stderr.contains(said), "{target:?}: {run:?}");
    }
    for args in ["127.0.0.1 --public 1.1.1.1", "127.0.0.1 --from x", "127.0.0.1 --timeout 0"] {
        assert_eq!(doctor(args).code, Some(2), "{args}");
    }
    Ok(())
}

fn no_evidence() -> Result<(), String> {
    let file = std::env::temp_dir().join(format!("netdiag-no-evidence-{}", std::process::id()));
    for text in ["", "{", "[]", "{\"links\": 7}", "\u{0}"] {
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        let run = run(&format!("doctor --from {}", file.display()));
        assert_eq!(run.code, Some(2), "{text:?}: {run:?}");
        assert!(run.stderr.contains("holds no evidence"), "{text:?}: {run:?}");
    }
    let _ = std::fs::remove_file(&file);
    let run = run("doctor --from /nonexistent/evidence");
    assert_eq!(run.code, Some(2), "{run:?}");
    Ok(())
}

fn again() -> Result<(), String> {
    let (listener, port) = listener();
    drop(listener);
    let file = std::env::temp_dir().join(format!("netdiag-evidence-{}", std::process::id()));
    let first = doctor(&format!("127.0.0.1:{port} --json --save {}", file.display()));
    let second = run(&format!("doctor --json --from {}", file.display()));
    let _ = std::fs::remove_file(&file);
    assert_eq!((first.code, second.code), (Some(1), Some(1)), "{second:?}");
    assert_eq!(first.json()["data"]["findings"], second.json()["data"]["findings"]);
    let unwritten = doctor("127.0.0.1:1 --save /nonexistent/evidence");
    assert_eq!(unwritten.code, Some(4), "{unwritten:?}");
    Ok(())
}

fn streamed() -> Result<(), String> {
    let (_listener, port) = listener();
    let run = doctor(&format!("127.0.0.1:{port} --format ndjson"));
    let events = run.ndjson();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names.first(), Some(&"check"), "{run:?}");
    assert_eq!(&names[names.len() - 2..], ["verdict", "summary"], "{run:?}");
    assert_eq!(events[events.len() - 1]["data"]["verdict"], "healthy", "{run:?}");
    Ok(())
}
