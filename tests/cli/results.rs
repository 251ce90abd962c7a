//! What the commands say about this machine, against what other programs say.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use crate::common::{Test, expect_code, run};
#[cfg(target_os = "linux")]
use crate::common::{finish, has, interrupt_after};

pub(crate) const TESTS: &[Test] = &[
    ("results::ifaces_names_the_loopback_with_its_addresses", ifaces_names_the_loopback_with_its_addresses),
    ("results::ifaces_filters", ifaces_filters),
    ("results::ifaces_views", ifaces_views),
    ("results::ifaces_watched", ifaces_watched),
    ("results::port_tells_class_range_and_services", port_tells_class_range_and_services),
    ("results::port_ranges_are_runs_of_equal_class", port_ranges_are_runs_of_equal_class),
    ("results::port_tells_who_listens_and_what_is_free", port_tells_who_listens_and_what_is_free),
    #[cfg(target_os = "linux")]
    ("results::port_knows_this_kernels_ranges", port_knows_this_kernels_ranges),
    #[cfg(target_os = "linux")]
    ("results::services_agree_with_getent", services_agree_with_getent),
    #[cfg(target_os = "linux")]
    ("results::ping_the_loopback", ping_the_loopback),
    #[cfg(target_os = "linux")]
    (
        "results::ping_stops_at_its_count_its_deadline_and_ctrl_c",
        ping_stops_at_its_count_its_deadline_and_ctrl_c,
    ),
    #[cfg(target_os = "linux")]
    ("results::ping_counts_what_the_peer_counts", ping_counts_what_the_peer_counts),
];

fn ifaces_names_the_loopback_with_its_addresses() -> Result<(), String> {
    let run = run("ifaces --json");
    expect_code(&run, 0);
    let data = run.json()["data"].clone();
    let rows = data.as_array().expect("rows");
    let loopback =
        rows.iter().find(|row| row["kind"] == "loopback").unwrap_or_else(|| panic!("no loopback: {data}"));
    let addresses = loopback["addresses"].as_array().expect("addresses");
    assert!(
        addresses
            .iter()
            .any(|it| it["address"] == "127.0.0.1" && it["prefix_len"] == 8 && it["class"] == "loopback"),
        "{loopback}"
    );
    assert!(rows.iter().all(|row| row["index"].as_u64().is_some_and(|index| index > 0)));
    Ok(())
}

fn ifaces_filters() -> Result<(), String> {
    let names = |args: &str| -> Vec<String> {
        let json = run(args).json()["data"].clone();
        let name = |row: &serde_json::Value| row["name"].as_str().unwrap_or_default().to_owned();
        json.as_array().expect("rows").iter().map(name).collect()
    };
    let all = names("ifaces --json");
    let loopback = names("ifaces --json --kind loopback");
    assert!(loopback.iter().all(|name| all.contains(name)) && !loopback.is_empty());
    assert_eq!(names(&format!("ifaces {} --json", loopback[0])), loopback);
    assert!(names("ifaces --json --up").contains(&loopback[0]));
    let v4 = run("ifaces --json -4").json()["data"].clone();
    let addresses =
        v4.as_array().expect("rows").iter().flat_map(|row| row["addresses"].as_array().expect("a list"));
    assert!(
        addresses.clone().count() > 0 && addresses.clone().all(|address| address["family"] == "ipv4"),
        "{v4}"
    );
    let globbed = names(&format!("ifaces {}* no-such-* --json", &loopback[0][..1]));
    assert!(globbed.contains(&loopback[0]), "{globbed:?}");
    for nothing in ["ifaces --kind gtp --json", "ifaces no-such-* --json"] {
        let none = run(nothing);
        expect_code(&none, 1);
        assert_eq!(none.json()["data"], serde_json::json!([]));
        assert!(none.json()["warnings"].to_string().contains("no-match"), "{none:?}");
    }
    Ok(())
}

fn ifaces_views() -> Result<(), String> {
    let loopback = run("ifaces --json --kind loopback").json()["data"][0]["name"].clone();
    let loopback = loopback.as_str().expect("a name");
    let brief = run(&format!("ifaces --brief {loopback}"));
    expect_code(&brief, 0);
    let lines: Vec<&str> = brief.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("NAME"), "{brief:?}");
    assert!(lines[1].starts_with(loopback) && lines[1].contains("127.0.0.1/8"), "{brief:?}");
    let details = run(&format!("ifaces --details {loopback}"));
    expect_code(&details, 0);
    let title = format!("{loopback}: ");
    assert!(
        details.stdout.starts_with(&title) && details.stdout.contains("127.0.0.1/8, loopback"),
        "{details:?}"
    );
    // Whatever the view, a script gets everything.
    assert!(run("ifaces --brief --json").json()["data"][0]["index"].is_u64());
    Ok(())
}

fn ifaces_watched() -> Result<(), String> {
    let run = run("ifaces --watch 0.2 --count 3 --kind loopback --format ndjson");
    expect_code(&run, 0);
    let events: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let rates: Vec<_> = events.iter().filter(|event| event["event"] == "rates").collect();
    let summary = events.last().expect("a summary");
    let loopbacks = summary["data"].as_array().expect("rows").len();
    assert_eq!(rates.len(), 3 * loopbacks, "{run:?}");
    for rate in &rates {
        assert!(rate["interval_s"].as_f64().is_some_and(|interval| interval > 0.05), "{rate}");
        assert!(rate["rx_bytes_per_s"].as_f64().is_some_and(|rate| rate >= 0.0), "{rate}");
    }
    assert_eq!(summary["event"], "summary");
    assert!(summary["data"][0]["rates"]["tx_packets_per_s"].is_number(), "{summary}");
    Ok(())
}

fn port_tells_class_range_and_services() -> Result<(), String> {
    let run = run("port 443 80 25 21 0 1023 1024 49151 49152 65535 --json");
    expect_code(&run, 0);
    let data = run.json()["data"].clone();
    for (row, (port, class, range, name)) in [
        (443, "well-known", "system", "https"),
        (80, "well-known", "system", "http"),
        (25, "well-known", "system", "smtp"),
        (21, "well-known", "system", "ftp"),
        (0, "well-known", "system", ""),
        (1023, "well-known", "system", ""),
        (1024, "dynamic", "user", ""),
        (49151, "dynamic", "user", ""),
        (49152, "dynamic", "dynamic", ""),
        (65535, "dynamic", "dynamic", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let row = &data[row];
        assert_eq!(
            (&row["port"], &row["class"], &row["iana_range"]),
            (&port.into(), &class.into(), &range.into())
        );
        assert_eq!(row["services"][0]["name"].as_str().unwrap_or_default(), name, "{row}");
    }
    let named = crate::common::run("port https HTTP ftp --exact --json").json()["data"].clone();
    let ports = |data: &serde_json::Value| -> Vec<u64> {
        data.as_array().expect("rows").iter().filter_map(|row| row["port"].as_u64()).collect()
    };
    assert_eq!(ports(&named), [443, 80, 21]);
    // An exact name is that port and nothing else; those that begin so are a pattern's.
    assert_eq!(ports(&crate::common::run("port HTTP --json").json()["data"]), [80]);
    assert_eq!(ports(&crate::common::run("port https --json").json()["data"]), [443]);
    let begun = ports(&crate::common::run("port http* --json").json()["data"]);
    assert!(begun.contains(&80) && begun.contains(&443) && begun.contains(&8080), "{begun:?}");
    // However a port is written.
    for (written, expected) in
        [(":8080", 8080), ("443/tcp", 443), ("tcp:443", 443), ("udp:53", 53), ("domain/udp", 53)]
    {
        let row = crate::common::run(&format!("port {written} --json")).json()["data"][0].clone();
        assert_eq!(row["port"], expected, "{written}");
        let protocols = row["bindable"].as_array().expect("a list").iter().map(|it| it["protocol"].clone());
        let is_named = written.contains(':') && !written.starts_with(':') || written.contains('/');
        let wanted = if written.contains("udp") { "udp" } else { "tcp" };
        assert!(!is_named || protocols.clone().all(|protocol| protocol == wanted), "{written}: {row}");
    }
    assert_eq!(ports(&crate::common::run("port 8080,9090 --json").json()["data"]), [8080, 9090]);
    Ok(())
}

fn port_ranges_are_runs_of_equal_class() -> Result<(), String> {
    let all = run("port 0-65535 --json").json()["data"].clone();
    let rows = all.as_array().expect("rows");
    assert!((3..40).contains(&rows.len()), "{all}");
    let mut next = 0;
    for row in rows {
        let last = row["last_port"].as_u64().or(row["port"].as_u64()).expect("a port");
        assert_eq!(row["port"], next, "{row}");
        next = last + 1;
    }
    assert_eq!(next, 65536);
    let each = run("port 1000-1100 --each --json").json()["data"].clone();
    assert_eq!(each.as_array().expect("rows").len(), 101);
    assert_eq!(run("port 20-25 --json").json()["data"].as_array().expect("rows").len(), 6);
    Ok(())
}

fn port_tells_who_listens_and_what_is_free() -> Result<(), String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback");
    let port = listener.local_addr().expect("it is bound").port();
    let row = run(&format!("port {port} --json")).json()["data"][0].clone();
    if cfg!(target_os = "linux") {
        let own = |holder: &&serde_json::Value| holder["pid"] == std::process::id();
        let holder = row["holders"].as_array().expect("holders").iter().find(own).expect("this process");
        assert_eq!((&holder["protocol"], &holder["state"]), (&"tcp".into(), &"LISTEN".into()), "{holder}");
        assert_eq!(holder["local"], format!("127.0.0.1:{port}"));
        let plain = &row["bindable"][0];
        assert_eq!((&plain["family"], &plain["can_bind"]), (&"ipv4".into(), &false.into()), "{plain}");
        assert!(plain["reason"].as_str().is_some_and(|reason| reason.contains("listens on")), "{plain}");
    }
    let unknown = run("port --list --user no-such-user-here");
    if cfg!(target_os = "linux") {
        expect_code(&unknown, 2);
        assert!(unknown.stderr.contains("unknown user 'no-such-user-here'"), "{unknown:?}");
    } else {
        // Whose a socket is is not told there at all.
        expect_code(&unknown, 3);
    }
    let checked = run(&format!("port {port} --check-bind --proto tcp --json"));
    assert_eq!(checked.json()["data"][0]["bindable"][0]["is_checked"], true);
    if cfg!(target_os = "linux") {
        expect_code(&run(&format!("port {port} --listening --proto tcp")), 0);
    }
    expect_code(&run(&format!("port {port} --free --check-bind --proto tcp")), 1);
    drop(listener);
    // Nobody was ever connected to it: nothing is left, unless another program was given the port meanwhile.
    let freed = run(&format!("port {port} --free --check-bind --proto tcp"));
    let taken = run(&format!("port {port} --json")).json()["data"][0]["holders"].clone();
    assert!(freed.code == Some(0) || taken.as_array().is_some_and(|all| !all.is_empty()), "{freed:?}");
    Ok(())
}

#[cfg(target_os = "linux")]
fn port_knows_this_kernels_ranges() -> Result<(), String> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).expect(name);
    let range: Vec<u64> =
        read("ip_local_port_range").split_whitespace().map(|n| n.parse().expect("a port")).collect();
    let start: u64 = read("ip_unprivileged_port_start").trim().parse().expect("a port");
    let data =
        run(&format!("port {} {} {} 1-3 --json", range[0], range[1], range[0] - 1)).json()["data"].clone();
    let ephemeral: Vec<bool> = (0..3).filter_map(|row| data[row]["is_ephemeral_here"].as_bool()).collect();
    assert_eq!(ephemeral, [true, true, false]);
    for row in data.as_array().expect("rows") {
        let port = row["port"].as_u64().expect("a port");
        assert_eq!(row["needs_privilege"].as_bool(), Some(port < start), "{row}");
    }
    Ok(())
}

/// Debian's own table of services is another source than the registry's; where both know a port, they agree.
#[cfg(target_os = "linux")]
fn services_agree_with_getent() -> Result<(), String> {
    let Ok(table) = std::fs::read_to_string("/etc/services") else {
        return Err("there is no /etc/services here".to_owned());
    };
    let (mut agree, mut differ) = (0, Vec::new());
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let (Some(name), Some(port)) =
            (words.next(), words.next().and_then(|port| port.strip_suffix("/tcp")))
        else {
            continue;
        };
        let aliases: Vec<&str> = words.chain([name]).collect();
        let json = run(&format!("port {port} --json")).json()["data"][0]["services"].clone();
        let known: Vec<&str> =
            json.as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
        if known.is_empty() || aliases.iter().any(|alias| known.contains(alias)) {
            agree += 1;
        } else {
            differ.push(format!("{port}: {aliases:?} is {known:?}"));
        }
    }
    // Debian names about one in nine by what runs there and not by what is registered.
    let share = 100 * agree / (agree + differ.len());
    assert!(share >= 85 && agree > 100, "{share} % agree, {differ:#?} do not");
    Ok(())
}

/// Errs where this user may open no ICMP socket, which netdiag itself says with both ways out.
#[cfg(target_os = "linux")]
fn may_ping() -> Result<(), String> {
    let run = run("ping -c 1 127.0.0.1");
    if run.code == Some(3) {
        assert!(run.stderr.contains("net.ipv4.ping_group_range") && run.stderr.contains("setcap"), "{run:?}");
        return Err("this user may open no ICMP socket; the lab pings all the same".to_owned());
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn ping_the_loopback() -> Result<(), String> {
    may_ping()?;
    let run = run("ping -c 3 -i 0.01 127.0.0.1 --json");
    expect_code(&run, 0);
    let data = run.json()["data"].clone();
    let row = &data["targets"][0];
    assert_eq!(
        (&row["sent"], &row["received"], &row["loss_percent"]),
        (&3.into(), &3.into(), &0.0.into()),
        "{row}"
    );
    assert_eq!((&row["tier"], &row["outcome"]), (&"loopback".into(), &"alive".into()), "{row}");
    assert_eq!((&row["duplicates"], &row["timestamps"]), (&0.into(), &"kernel".into()), "{row}");
    assert_eq!(data["interrupted"], false);

    let events = crate::common::run("ping -c 2 -i 0.01 127.0.0.1 --format ndjson").ndjson();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["reply", "reply", "summary"]);
    assert_eq!(
        (&events[1]["seq"], &events[1]["address"], &events[1]["bytes"]),
        (&2.into(), &"127.0.0.1".into(), &64.into())
    );

    let lines = crate::common::run("ping -c 1 127.1").stdout;
    assert!(lines.starts_with("reply from 127.0.0.1: seq=1 bytes=64"), "{lines}");
    let quiet = crate::common::run("ping -c 1 -q 127.0.0.1").stdout;
    assert!(quiet.starts_with("TARGET"), "{quiet}");
    Ok(())
}

#[cfg(target_os = "linux")]
fn ping_stops_at_its_count_its_deadline_and_ctrl_c() -> Result<(), String> {
    may_ping()?;
    let unwatched = run("ping 127.0.0.1 -i 0.01 --json");
    assert_eq!(unwatched.json()["data"]["targets"][0]["sent"], 4, "where nobody could stop it, four");
    let deadline = run("ping -c 1000 -i 0.05 -w 0.5 127.0.0.1 --json");
    let sent = deadline.json()["data"]["targets"][0]["sent"].as_u64().expect("a count");
    assert!((1..=11).contains(&sent), "{sent} probes in half a second, one each 50 ms at most");

    let (code, data) = interrupt_after("reply", "ping -c 1000 -i 0.02 127.0.0.1");
    assert_eq!((code, &data["interrupted"]), (Some(0), &true.into()), "it had replies: {data}");
    assert_eq!(data["targets"][0]["lost"], 0, "what is in flight is not lost: {data}");
    Ok(())
}

#[cfg(target_os = "linux")]
fn ping_counts_what_the_peer_counts() -> Result<(), String> {
    may_ping()?;
    if !has("ping") {
        return Err("iputils' ping is not installed".to_owned());
    }
    let mut peer = std::process::Command::new("ping");
    peer.args(["-c", "3", "-i", "0.2", "-s", "1000", "127.0.0.1"]);
    let peer = finish(peer);
    let ours = run("ping -c 3 -i 0.2 -s 1000 127.0.0.1 --format ndjson").ndjson();
    assert!(peer.stdout.contains("1008 bytes from 127.0.0.1"), "{peer:?}");
    assert_eq!(ours[0]["bytes"], 1008);
    assert_eq!(peer.stdout.contains("3 received"), ours[3]["data"]["targets"][0]["received"] == 3);
    Ok(())
}
