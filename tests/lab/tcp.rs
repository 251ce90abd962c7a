//! Probing TCP services across a router: each way to fail, told by its evidence.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use serde_json::Value;

use crate::common::{Test, expect_code};
use crate::net::{Host, Routed, can_become_nobody};

pub(crate) const TESTS: &[Test] = &[
    ("tcp::echo_across_a_router_and_the_servers_totals", echo_across),
    ("tcp::every_way_a_connect_can_fail", failure_matrix),
    ("tcp::the_same_as_nobody", failure_matrix_as_nobody),
    ("tcp::a_missing_neighbour_is_this_machines_own_word", missing_neighbour),
    ("tcp::what_this_machine_itself_forbids_or_lacks", own_rules_and_families),
    ("tcp::a_name_without_an_address", unresolved),
    ("tcp::no_port_left_to_connect_from", no_local_port),
    ("tcp::source_and_interface", source),
    ("tcp::time_wait_holds_a_port_without_reuse", time_wait),
];

fn echo_across() -> Result<(), String> {
    let net = Routed::new();
    let server = net.far.serve("0.0.0.0:7");
    let v6 = net.far.serve("[::]:8");
    let mut sent = 0;
    for (target, size) in [("10.8.0.2:7", 1), ("10.8.0.2:7", 1_000_003), ("far.test:7", 16 << 20)] {
        let run = net.client.netdiag(&format!("tcp-echo {target} -s {size} --json"));
        expect_code(&run, 0);
        let row = run.json()["data"]["addresses"][0].clone();
        assert_eq!((&row["outcome"], &row["verified"]), (&"echoed".into(), &true.into()), "{row}");
        assert_eq!((&row["sent_bytes"], &row["received_bytes"]), (&size.into(), &size.into()), "{row}");
        sent += size;
    }
    expect_code(&net.client.netdiag("tcp-echo [fd08::2]:8 -c 3 -i 0.01"), 0);
    let (events, code) = server.stop();
    assert_eq!(code, Some(0));
    let summary = events.last().expect("a summary");
    assert_eq!(
        (&summary["data"]["bytes_in"], &summary["data"]["bytes_out"]),
        (&sent.into(), &sent.into()),
        "{summary}"
    );
    assert_eq!(summary["data"]["connections"], 3);
    assert_eq!(summary["warnings"][0]["code"], "bound-wide");
    drop(v6);
    Ok(())
}

/// Where a rule is put, the rule, and what a probe of the far host's port then finds.
struct Row {
    on: &'static str,
    v4: &'static str,
    v6: &'static str,
    outcome: &'static str,
    /// Who is said to have told, in each family.
    from: [Option<&'static str>; 2],
}

const ROUTER: [Option<&str>; 2] = [Some("10.7.0.1"), Some("fd07::1")];
const NOBODY: [Option<&str>; 2] = [None, None];

const MATRIX: &[Row] = &[
    Row { on: "", v4: "", v6: "", outcome: "refused", from: NOBODY },
    Row { on: "far", v4: "drop", v6: "drop", outcome: "filtered", from: NOBODY },
    Row { on: "router", v4: "drop", v6: "drop", outcome: "filtered", from: NOBODY },
    Row {
        on: "router",
        v4: "reject with icmp type host-unreachable",
        v6: "reject with icmpv6 type addr-unreachable",
        outcome: "unreachable-host",
        from: ROUTER,
    },
    Row {
        on: "router",
        v4: "reject with icmp type net-unreachable",
        v6: "reject with icmpv6 type no-route",
        outcome: "unreachable-network",
        from: ROUTER,
    },
    Row {
        on: "router",
        v4: "reject with icmp type admin-prohibited",
        v6: "reject with icmpv6 type admin-prohibited",
        outcome: "prohibited",
        from: ROUTER,
    },
    Row {
        on: "router",
        v4: "reject with icmp type host-prohibited",
        v6: "reject with icmpv6 type policy-fail",
        outcome: "prohibited",
        from: ROUTER,
    },
    Row {
        on: "router",
        v4: "reject with icmp type port-unreachable",
        v6: "reject with icmpv6 type port-unreachable",
        outcome: "port-unreachable",
        from: ROUTER,
    },
    Row {
        on: "far",
        v4: "reject with icmp type port-unreachable",
        v6: "reject with icmpv6 type port-unreachable",
        outcome: "port-unreachable",
        from: [Some("10.8.0.2"), Some("fd08::2")],
    },
    Row {
        on: "router",
        v4: "reject with tcp reset",
        v6: "reject with tcp reset",
        outcome: "refused",
        from: NOBODY,
    },
    Row {
        on: "client-route",
        v4: "blackhole 10.8.0.2",
        v6: "blackhole fd08::2",
        outcome: "no-route",
        from: NOBODY,
    },
    Row {
        on: "client-route",
        v4: "prohibit 10.8.0.2",
        v6: "prohibit fd08::2",
        outcome: "prohibited",
        from: NOBODY,
    },
    Row {
        on: "client-route",
        v4: "unreachable 10.8.0.2",
        v6: "unreachable fd08::2",
        outcome: "no-route",
        from: NOBODY,
    },
];

fn failure_matrix() -> Result<(), String> {
    check_matrix(Host::netdiag);
    Ok(())
}

fn failure_matrix_as_nobody() -> Result<(), String> {
    if !can_become_nobody() {
        return Err("only root can become nobody".to_owned());
    }
    check_matrix(Host::netdiag_as_nobody);
    Ok(())
}

fn check_matrix(netdiag: impl Fn(&Host, &str) -> crate::common::Run) {
    let net = Routed::new();
    for Row { on, v4, v6, outcome, from } in MATRIX {
        let (host, add, remove) = match *on {
            "" => (&net.client, "true".to_owned(), "true".to_owned()),
            "client-route" => (
                &net.client,
                format!("ip route add {v4} && ip -6 route add {v6}"),
                format!("ip route del {v4} && ip -6 route del {v6}"),
            ),
            _ => {
                let (host, hook) =
                    if *on == "router" { (&net.router, "forward") } else { (&net.far, "input") };
                let add = format!(
                    "nft add table inet t; nft add chain inet t c '{{ type filter hook {hook} priority 0; }}'
                     nft add rule inet t c meta nfproto ipv4 tcp dport 9 {v4}
                     nft add rule inet t c meta nfproto ipv6 tcp dport 9 {v6}"
                );
                (host, add, "nft delete table inet t".to_owned())
            }
        };
        host.sh(&add);
        for (target, from) in [("10.8.0.2:9", from[0]), ("[fd08::2]:9", from[1])] {
            let run = netdiag(&net.client, &format!("tcp-echo {target} --timeout 0.8 --json"));
            expect_code(&run, 1);
            let row = run.json()["data"]["addresses"][0].clone();
            let (failure, what) = (&row["failure"], format!("{on}: {v4} | {v6}: {row}"));
            assert_eq!(
                (&row["outcome"], &failure["kind"]),
                (&Value::from(*outcome), &Value::from(*outcome)),
                "{what}"
            );
            assert_eq!(failure["from"].as_str(), from, "{what}");
            assert_eq!(failure["icmp_type"].is_null(), from.is_none(), "{what}");
            assert!(!failure["message"].as_str().unwrap_or_default().is_empty(), "{what}");
        }
        if *on == "client-route" {
            let run = netdiag(&net.client, "tcp-echo 10.8.0.2:9 --timeout 0.8 --source 10.7.0.2 --json");
            assert_eq!(run.json()["data"]["outcome"], *outcome, "the same with a source: {run:?}");
        }
        host.sh(&remove);
    }
}

fn missing_neighbour() -> Result<(), String> {
    let net = Routed::new();
    for (target, own) in [("10.7.0.99:9", "10.7.0.2"), ("[fd07::99]:9", "fd07::2")] {
        let run = net.client.netdiag(&format!("tcp-echo {target} --timeout 10 --json"));
        expect_code(&run, 1);
        let row = run.json()["data"]["addresses"][0].clone();
        assert_eq!(
            (&row["outcome"], &row["failure"]["from"]),
            (&"unreachable-host".into(), &own.into()),
            "{row}"
        );
        assert!(row["failure"]["message"].as_str().is_some_and(|text| text.contains("ARP")), "{row}");
    }
    Ok(())
}

fn own_rules_and_families() -> Result<(), String> {
    let net = Routed::new();
    net.client.sh("nft add table inet t; nft add chain inet t c '{ type filter hook output priority 0; }'
         nft add rule inet t c ip daddr 10.8.0.2 tcp dport 9 reject with icmp type host-unreachable");
    let run = net.client.netdiag("tcp-echo 10.8.0.2:9 --timeout 0.8 --json");
    let failure = run.json()["data"]["failure"].clone();
    assert!(!failure["message"].to_string().contains("ARP"), "a rule is no missing neighbour: {failure}");
    let alone = Host::new("alone");
    alone.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    let run = alone.netdiag("tcp-echo [::1]:9 --json");
    assert_eq!(run.json()["data"]["outcome"], "no-route", "{run:?}");
    Ok(())
}

fn unresolved() -> Result<(), String> {
    // The lab's resolver is a port of its own loopback where nobody listens.
    let alone = Host::new("alone");
    let run = alone.netdiag("tcp-echo no-such-name.test:7 --json");
    expect_code(&run, 1);
    let data = run.json()["data"].clone();
    assert_eq!(
        (&data["outcome"], &data["failure"]["kind"]),
        (&"unresolved".into(), &"unresolved".into()),
        "{data}"
    );
    assert_eq!(data["addresses"], serde_json::json!([]));
    let csv = alone.netdiag("tcp-echo no-such-name.test:7 --format csv");
    assert!(csv.stderr.contains("unresolved no-such-name.test:7"), "no row, so it is told beside: {csv:?}");
    let quiet = alone.netdiag("tcp-echo -q no-such-name.test:7");
    assert!(
        quiet.stdout.contains("unresolved no-such-name.test:7: "),
        "the result is not silenced: {quiet:?}"
    );
    Ok(())
}

fn no_local_port() -> Result<(), String> {
    let net = Routed::new();
    let mut server = net.far.serve("10.8.0.2:7");
    net.client.sh("echo '40000 40000' > /proc/sys/net/ipv4/ip_local_port_range");
    let mut holder = net.client.command(env!("CARGO_BIN_EXE_netdiag"));
    let mut holder = holder
        .args(["tcp-echo", "10.8.0.2:7", "-c", "100", "-i", "1"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("netdiag starts");
    assert_eq!(server.event()["event"], "accepted");
    let run = net.client.netdiag("tcp-echo 10.8.0.2:7 --json");
    holder.kill().and_then(|()| holder.wait().map(drop)).expect("ending a child of ours");
    expect_code(&run, 1);
    assert_eq!(run.json()["data"]["addresses"][0]["outcome"], "no-local-port", "{run:?}");
    Ok(())
}

fn source() -> Result<(), String> {
    let net = Routed::new();
    net.client.sh("ip addr add 10.7.0.77/24 dev eth0");
    let mut server = net.far.serve("10.8.0.2:7");
    expect_code(&net.client.netdiag("tcp-echo 10.8.0.2:7 --source 10.7.0.77:5555"), 0);
    assert_eq!(server.event()["peer"], "10.7.0.77:5555");
    let foreign = net.client.netdiag("tcp-echo 10.8.0.2:7 --source 10.99.0.1");
    expect_code(&foreign, 2);
    assert!(foreign.stderr.contains("10.99.0.1 is not an address of this machine"), "{foreign:?}");
    let unknown = net.client.netdiag("tcp-echo 10.8.0.2:7 --interface eth7");
    expect_code(&unknown, 2);
    assert!(unknown.stderr.contains("'eth7'"), "{unknown:?}");
    expect_code(&net.client.netdiag("tcp-echo 10.8.0.2:7 --interface lo --timeout 0.5"), 1);
    Ok(())
}

/// The lesson: after the server exits its port is not released at once, unless SO_REUSEADDR is set.
fn time_wait() -> Result<(), String> {
    let host = Host::new("alone");
    let mut server = host.serve("127.0.0.1:7777 --drain 0");
    let mut client = host.command(env!("CARGO_BIN_EXE_netdiag"));
    let client = client
        .args(["tcp-echo", "127.0.0.1:7777", "-c", "2", "-i", "600", "--format", "ndjson"])
        .stdout(std::process::Stdio::piped());
    let mut client = client.spawn().expect("netdiag starts");
    assert_eq!(server.event()["event"], "accepted");
    let told = client.stdout.take().expect("it is piped");
    let lines = std::io::BufRead::lines(std::io::BufReader::new(told));
    let round = lines.map_while(Result::ok).find(|line| line.contains("\"round\""));
    assert!(round.is_some(), "a round ends");
    // Between two rounds the server closes first, so the hold is on its side; amid one it would reset.
    drop(server.stop());
    client.kill().expect("ending a child of ours");
    client.wait().expect("waiting for a child of ours");
    let held = host.sh("ss -tanH state time-wait sport = :7777 || true");
    assert!(!held.trim().is_empty(), "the kernel kept no TIME-WAIT");
    let refused = host.netdiag("tcp-serve 127.0.0.1:7777 --no-reuse-address");
    expect_code(&refused, 3);
    assert!(
        refused.stderr.contains("TIME-WAIT") && refused.stderr.contains("--no-reuse-address"),
        "{refused:?}"
    );
    let again = host.serve("127.0.0.1:7777");
    assert_eq!(again.port, 7777);
    Ok(())
}
