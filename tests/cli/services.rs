//! The echo probe and its server, against each other and against servers that misbehave.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

#[cfg(unix)]
use crate::common::interrupt_after;
use crate::common::{Server, Test, expect_code, run};

pub(crate) const TESTS: &[Test] = &[
    ("services::echo_of_every_size_in_one_round_and_many", echo_of_every_size_in_one_round_and_many),
    (
        "services::services_that_fail_after_connecting_are_told_apart",
        services_that_fail_after_connecting_are_told_apart,
    ),
    (
        "services::later_rounds_and_closes_are_told_as_they_were",
        later_rounds_and_closes_are_told_as_they_were,
    ),
    ("services::refused", refused),
    ("services::several_targets_each_with_its_rows", several_targets_each_with_its_rows),
    ("services::rounds_are_events", rounds_are_events),
    #[cfg(unix)]
    ("services::an_interruption_is_no_verdict", an_interruption_is_no_verdict),
    (
        "services::the_server_gives_back_every_byte_after_a_half_close_and_to_a_slow_reader",
        the_server_gives_back_every_byte_after_a_half_close_and_to_a_slow_reader,
    ),
    ("services::many_clients_at_once_or_one_at_a_time", many_clients_at_once_or_one_at_a_time),
    #[cfg(unix)]
    (
        "services::a_stopping_server_drains_and_a_second_signal_ends_it",
        a_stopping_server_drains_and_a_second_signal_ends_it,
    ),
    ("services::an_address_in_use_names_the_remedy", an_address_in_use_names_the_remedy),
    ("services::ipv6_with_brackets", ipv6_with_brackets),
];

fn echo_of_every_size_in_one_round_and_many() -> Result<(), String> {
    let server = Server::on_loopback("");
    let mut total = 0;
    for (options, size, rounds) in
        [("", 64, 1), ("-s 1", 1, 1), ("-s 5M", 5 << 20, 1), ("-c 20 -i 0", 64, 20)]
    {
        let run = run(&format!("tcp-echo {} {options} --json", server.address));
        expect_code(&run, 0);
        let row = run.json()["data"]["addresses"][0].clone();
        assert_eq!((&row["outcome"], &row["verified"]), (&"echoed".into(), &true.into()), "{row}");
        let bytes = Value::from(size * rounds);
        assert_eq!((&row["sent_bytes"], &row["received_bytes"]), (&bytes, &bytes), "{row}");
        assert_eq!(row["rounds"], rounds);
        for phase in ["connect", "send", "first_byte", "echo", "close"] {
            assert!(row["phases_us"][phase].as_f64().is_some_and(|us| us > 0.0), "{phase}: {row}");
        }
        total += size * rounds;
    }
    let only = run(&format!("tcp-echo {} --connect-only --json", server.address));
    assert_eq!(only.json()["data"]["addresses"][0]["outcome"], "connected");
    if cfg!(unix) {
        let (events, code) = server.stop();
        let summary = &events.last().expect("a summary")["data"];
        assert_eq!(
            (&summary["bytes_in"], &summary["bytes_out"]),
            (&total.into(), &total.into()),
            "{summary}"
        );
        assert_eq!((code, &summary["connections"]), (Some(0), &5.into()));
    }
    Ok(())
}

/// A server on the loopback that does one thing to each connection.
fn misbehaving(act: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || listener.incoming().flatten().for_each(act));
    address
}

/// Closes with a reset: what was received and not read makes the kernel send one (RFC 2525, 2.17).
fn reset(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1]);
}

fn services_that_fail_after_connecting_are_told_apart() -> Result<(), String> {
    let hold = |stream: TcpStream| {
        thread::spawn(move || {
            let _ = (&stream).read_to_end(&mut Vec::new());
        });
    };
    let greet = |mut stream: TcpStream| {
        let _ = stream.write_all(b"SSH-2.0-\x1b[31mevil\r\n");
        let _ = stream.read(&mut [0; 64]);
    };
    let half = |mut stream: TcpStream| {
        let mut bytes = [0; 64];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(&bytes[..20]);
        }
    };
    let wrong = |mut stream: TcpStream| {
        let mut bytes = [0; 64];
        if stream.read_exact(&mut bytes).is_ok() {
            bytes[40] ^= 1;
            let _ = stream.write_all(&bytes);
            let _ = stream.read(&mut [0; 1]);
        }
    };
    let twice = |mut stream: TcpStream| {
        let mut bytes = [0; 64];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(&[bytes, bytes].concat());
            let _ = stream.read(&mut [0; 1]);
        }
    };
    let close = |stream: TcpStream| {
        let _ = stream.shutdown(Shutdown::Write);
        let _ = (&stream).read_to_end(&mut Vec::new());
    };
    let answer_and_reset = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n");
    };
    let big = misbehaving(answer_and_reset);
    for _ in 0..20 {
        let run = run(&format!("tcp-echo {big} -s 1M --timeout 2 --json"));
        let message = run.json()["data"]["failure"]["message"].to_string();
        assert!(message.contains("HTTP/1.1 400"), "the answer that came before the reset: {message}");
    }
    for (address, outcome, says) in [
        (misbehaving(close), "closed-early", "before any byte was received"),
        (misbehaving(reset), "reset", "reset by the other end"),
        (misbehaving(half), "short", "after 20 of 64 bytes"),
        (misbehaving(wrong), "mismatch", "from byte 32 on it is"),
        (misbehaving(twice), "mismatch", "at least 64 bytes"),
        (misbehaving(greet), "mismatch", "from byte 0 on it is \"SSH-2.0-\\x1b[31mevil\\r\\n\""),
        (misbehaving(hold), "timed-out-reading", "no byte received for 500ms"),
    ] {
        if outcome == "reset" && std::env::var_os("WINEPREFIX").is_some() {
            eprintln!("SKIPPED {outcome}: Wine gives the end of the stream where Windows gives a reset");
            continue;
        }
        let run = run(&format!("tcp-echo {address} --timeout 0.5 --json"));
        expect_code(&run, 1);
        let data = run.json()["data"].clone();
        let row = &data["addresses"][0];
        assert_eq!((&row["outcome"], &row["failure"]["kind"]), (&outcome.into(), &outcome.into()), "{row}");
        assert_eq!(data["outcome"], outcome);
        let message = row["failure"]["message"].as_str().expect("a message");
        assert!(message.contains(says), "{outcome}: {message}");
        assert!(row["phases_us"]["connect"].is_f64(), "it did connect: {row}");
        let only = crate::common::run(&format!("tcp-echo {address} --connect-only --timeout 0.2 --json"));
        assert_eq!(only.json()["data"]["addresses"][0]["outcome"], "connected", "{outcome}");
    }
    Ok(())
}

fn later_rounds_and_closes_are_told_as_they_were() -> Result<(), String> {
    let echo_once = |mut stream: TcpStream| {
        let mut bytes = [0; 64];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(&bytes);
            let _ = stream.read(&mut [0; 64]);
        }
    };
    let run = run(&format!("tcp-echo {} -c 3 -i 0.01 --json", misbehaving(echo_once)));
    expect_code(&run, 1);
    let row = run.json()["data"]["addresses"][0].clone();
    assert_eq!((&row["rounds"], &row["received_bytes"]), (&1.into(), &64.into()), "{row}");
    assert!(row["failure"]["message"].as_str().is_some_and(|text| text.starts_with("in round 2: ")), "{row}");

    let surplus = |mut stream: TcpStream| {
        let mut bytes = [0; 64];
        if stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {
            // Wait for the client's close, and only then send what nobody asked for.
            let _ = stream.read(&mut bytes);
            let _ = stream.write_all(b"one more thing");
        }
    };
    let run = crate::common::run(&format!("tcp-echo {} --json", misbehaving(surplus)));
    expect_code(&run, 1);
    let row = run.json()["data"]["addresses"][0].clone();
    assert_eq!((&row["outcome"], &row["received_bytes"]), (&"mismatch".into(), &78.into()), "{row}");
    Ok(())
}

fn refused() -> Result<(), String> {
    let (_held, free) = crate::common::silent_port();
    let run = run(&format!("tcp-echo {free} --json"));
    expect_code(&run, 1);
    let row = run.json()["data"]["addresses"][0].clone();
    assert_eq!((&row["outcome"], &row["failure"]["from"]), (&"refused".into(), &Value::Null), "{row}");
    Ok(())
}

fn several_targets_each_with_its_rows() -> Result<(), String> {
    let server = Server::on_loopback("");
    let run = run(&format!("tcp-echo {} 127.0.0.1:1 --json", server.address));
    expect_code(&run, 1);
    let data = run.json()["data"].clone();
    let outcomes: Vec<&str> = (0..2).filter_map(|row| data["addresses"][row]["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["echoed", "refused"]);
    assert_eq!((&data["target"], data["targets"].as_array().map(Vec::len)), (&Value::Null, Some(2)));
    Ok(())
}

fn rounds_are_events() -> Result<(), String> {
    let server = Server::on_loopback("");
    let events = run(&format!("tcp-echo {} -c 3 -i 0 --format ndjson", server.address)).ndjson();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["connected", "round", "round", "round", "summary"]);
    assert_eq!(events[3]["round"], 3);
    assert_eq!(events[4]["data"]["addresses"][0]["rtt_us"]["max"].as_f64().map(|us| us > 0.0), Some(true));
    Ok(())
}

fn the_server_gives_back_every_byte_after_a_half_close_and_to_a_slow_reader() -> Result<(), String> {
    let server = Server::on_loopback("");
    let mut stream = TcpStream::connect(&server.address).expect("it listens");
    let sent: Vec<u8> = (0..8_000_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let mut writer = stream.try_clone().expect("a second handle");
    let bytes = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&bytes).expect("it takes every byte");
        writer.shutdown(Shutdown::Write).expect("a half close");
    });
    let mut received = Vec::new();
    let mut chunk = [0; 10_000];
    while received.len() < 100_000 {
        thread::sleep(std::time::Duration::from_millis(1));
        let length = stream.read(&mut chunk).expect("it sends");
        received.extend(&chunk[..length]);
    }
    stream.read_to_end(&mut received).expect("and closes");
    writing.join().expect("writing does not panic");
    assert!(received == sent, "{} of {} bytes came back", received.len(), sent.len());
    Ok(())
}

fn many_clients_at_once_or_one_at_a_time() -> Result<(), String> {
    let exchange = |stream: &mut TcpStream| {
        stream.write_all(b"hello").expect("it takes bytes");
        stream.set_read_timeout(Some(std::time::Duration::from_millis(300))).expect("a time-out");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).is_ok_and(|()| &answer == b"hello")
    };
    let many = Server::on_loopback("");
    let mut clients: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(&many.address).expect("it listens")).collect();
    assert!(clients.iter_mut().rev().all(exchange), "all are served at once");

    let single = Server::on_loopback("--single");
    let mut first = TcpStream::connect(&single.address).expect("it listens");
    assert!(exchange(&mut first));
    let mut second = TcpStream::connect(&single.address).expect("the backlog takes it");
    assert!(!exchange(&mut second), "the second waits for the first");
    drop(first);
    second.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a time-out");
    let mut answer = [0; 5];
    second.read_exact(&mut answer).expect("now it is served");
    assert_eq!(&answer, b"hello");
    Ok(())
}

#[cfg(unix)]
fn a_stopping_server_drains_and_a_second_signal_ends_it() -> Result<(), String> {
    let mut server = Server::on_loopback("--drain 30");
    let mut live = TcpStream::connect(&server.address).expect("it listens");
    assert_eq!(server.event()["event"], "accepted");
    server.signal("TERM");
    let stopping = server.event();
    assert_eq!((&stopping["event"], &stopping["active"]), (&"stopping".into(), &1.into()));
    assert!(TcpStream::connect(&server.address).is_err(), "new clients are refused");
    live.write_all(b"still here").expect("it takes bytes");
    let mut answer = [0; 10];
    live.read_exact(&mut answer).expect("live connections finish");
    drop(live);
    assert_eq!(server.event()["event"], "closed");
    assert_eq!(server.event()["event"], "summary");

    let mut server = Server::on_loopback("--drain 30");
    let mut live = TcpStream::connect(&server.address).expect("it listens");
    live.write_all(b"four").expect("it takes bytes");
    live.read_exact(&mut [0; 4]).expect("it echoes");
    assert_eq!(server.event()["event"], "accepted");
    server.signal("INT");
    assert_eq!(server.event()["event"], "stopping");
    server.signal("INT");
    let cut = server.event();
    assert_eq!(
        (&cut["event"], &cut["reason"], &cut["bytes_in"]),
        (&"closed".into(), &"aborted".into(), &4.into())
    );
    let summary = server.event();
    assert_eq!((&summary["event"], &summary["data"]["aborted"]), (&"summary".into(), &1.into()), "{summary}");
    assert_eq!(summary["data"]["bytes_in"], 4, "the totals count connections that were cut");
    Ok(())
}

fn an_address_in_use_names_the_remedy() -> Result<(), String> {
    let server = Server::on_loopback("");
    let run = run(&format!("tcp-serve {}", server.address));
    expect_code(&run, 3);
    assert!(run.stderr.contains(&format!("cannot listen on {}", server.address)), "{run:?}");
    assert!(run.stderr.contains("choose another port (0: any free port)"), "{run:?}");
    Ok(())
}

fn ipv6_with_brackets() -> Result<(), String> {
    if TcpListener::bind("[::1]:0").is_err() {
        return Err("there is no IPv6 loopback here".to_owned());
    }
    let server = Server::on_loopback("[::1]:0");
    assert!(server.address.starts_with("[::1]:"), "{}", server.address);
    let run = run(&format!("tcp-echo {} --json", server.address));
    expect_code(&run, 0);
    assert_eq!(run.json()["data"]["addresses"][0]["address"], server.address.as_str());
    Ok(())
}

#[cfg(unix)]
fn an_interruption_is_no_verdict() -> Result<(), String> {
    let hold = misbehaving(|stream| {
        thread::spawn(move || {
            let _ = (&stream).read_to_end(&mut Vec::new());
        });
    });
    let (code, data) = interrupt_after("connected", &format!("tcp-echo {hold} --timeout 60"));
    assert_eq!(
        (code, &data["outcome"], &data["interrupted"]),
        (Some(130), &Value::Null, &true.into()),
        "{data}"
    );

    // An honest server that takes its time: stopped while its second answer is on the way.
    let slow = misbehaving(|mut stream| {
        thread::spawn(move || {
            let mut bytes = [0; 64];
            while stream.read_exact(&mut bytes).is_ok() {
                thread::sleep(std::time::Duration::from_millis(400));
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
    });
    let (code, data) = interrupt_after("round", &format!("tcp-echo {slow} -c 20 -i 0"));
    assert_eq!((code, &data["addresses"][0]["outcome"]), (Some(0), &"echoed".into()), "{data}");

    let server = Server::on_loopback("");
    let (code, data) =
        interrupt_after("round", &format!("tcp-echo {} -c 100000 -i 0 -s 16M", server.address));
    assert_eq!((code, &data["failure"]), (Some(0), &Value::Null), "{data}");
    Ok(())
}
