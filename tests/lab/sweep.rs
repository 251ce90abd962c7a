//! Sweeps of whole networks, against what the far kernel counts.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use crate::common::{Test, expect_code};
use crate::net::{Host, Routed, cable, can_become_nobody};

pub(crate) const TESTS: &[Test] = &[
    ("sweep::thousands_at_full_speed_and_nobody_falsely_dead", full_speed),
    ("sweep::listing_names_and_targets_from_a_file", listing),
    ("sweep::what_a_firewall_forbids_is_not_silent", forbidden),
    ("sweep::more_neighbours_than_the_table_holds_alone", neighbours),
];

fn full_speed() -> Result<(), String> {
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    // A quarter is dark.
    net.far.sh("ip route add local 10.40.0.0/20 dev lo && ip route add blackhole 10.40.4.0/22");
    net.router.sh("ip route add 10.40.0.0/20 via 10.8.0.2");
    net.far.sh("sysctl -qw net.ipv6.ip_nonlocal_bind=1 && ip -6 route add local fd40::/116 dev lo");
    net.router.sh("ip -6 route add fd40::/116 via fd08::2");
    let users: &[bool] = if can_become_nobody() { &[false, true] } else { &[false] };
    for as_nobody in users {
        for (prefix, protocol, counter, hosts, alive) in [
            ("10.40.0.0/20", "Icmp", "InEchos", 4_094, 3_070),
            ("fd40::/116", "Icmp6", "InEchos", 4_095, 4_095),
        ] {
            let before = net.far.counter(protocol, counter);
            let args = format!("ping --rate 0 -W 1 --json {prefix}");
            let run =
                if *as_nobody { net.client.netdiag_as_nobody(&args) } else { net.client.netdiag(&args) };
            expect_code(&run, 0);
            let json = run.json();
            let sweep = json["data"]["sweeps"][0].clone();
            assert_eq!(
                (&sweep["hosts"], &sweep["probed"], &sweep["alive"]),
                (&hosts.into(), &hosts.into(), &alive.into()),
                "{sweep}"
            );
            let rows = json["data"]["targets"].as_array().expect("rows");
            assert_eq!(rows.len(), alive, "{sweep}");
            assert!(rows.iter().all(|row| row["outcome"] == "alive" && row["timestamps"] == "kernel"));
            let heard = net.far.counter(protocol, counter) - before;
            assert!(heard >= u64::try_from(alive).expect("a count"), "{heard}");
        }
    }
    Ok(())
}

fn listing() -> Result<(), String> {
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    net.far.sh("ip addr add 10.41.0.2/32 dev lo && ip route add blackhole 10.41.0.0/24");
    net.router.sh("ip route add 10.41.0.0/24 via 10.8.0.2");
    let all = net.client.netdiag("ping -W 0.3 --all --names --json 10.41.0.0/29").json();
    let rows = all["data"]["targets"].as_array().expect("rows").clone();
    let outcomes: Vec<_> = rows.iter().filter_map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["silent", "alive", "silent", "silent", "silent", "silent"]);
    // The lab's hosts file has a name for the far host.
    let named = net.client.netdiag("ping -c 1 --names --json 10.8.0.2").json();
    assert_eq!(named["data"]["targets"][0]["name"], "far.test", "{named}");

    net.client
        .sh("printf '# hosts\\n10.8.0.2 the far one\\n\\nno-such.test\\n10.41.0.0/30\\n' > /run/targets");
    let run = net.client.netdiag("ping -c 1 -W 0.3 --from-file /run/targets --json 10.7.0.1");
    expect_code(&run, 1);
    let json = run.json();
    let rows = json["data"]["targets"].as_array().expect("rows");
    let rows: Vec<_> = rows.iter().map(|row| (row["target"].as_str(), row["outcome"].as_str())).collect();
    let row = |target, outcome| (Some(target), Some(outcome));
    assert_eq!(
        rows,
        [
            row("10.7.0.1", "alive"),
            row("10.8.0.2", "alive"),
            row("no-such.test", "unresolved"),
            row("10.41.0.2", "alive")
        ]
    );
    net.client.sh("printf '10.8.0.2\\n10.0.0.256\\n' > /run/targets");
    let run = net.client.netdiag("ping --from-file /run/targets");
    expect_code(&run, 2);
    assert!(run.stderr.contains("line 2 of /run/targets: '10.0.0.256'"), "{run:?}");
    Ok(())
}

fn forbidden() -> Result<(), String> {
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    net.client.sh("nft add table inet t; nft add chain inet t o '{ type filter hook output priority 0; }'
         nft add rule inet t o ip daddr 10.8.0.0/25 icmp type echo-request drop");
    let run = net.client.netdiag("ping -c 2 -i 0.05 -W 0.5 --json 10.8.0.2");
    expect_code(&run, 1);
    let row = run.json()["data"]["targets"][0].clone();
    assert_eq!(
        (&row["outcome"], &row["sent"], &row["unsent"]),
        (&"error".into(), &0.into(), &2.into()),
        "{row}"
    );
    assert!(row["errors"][0]["meaning"].as_str().is_some_and(|said| said.contains("forbidden")), "{row}");
    assert_eq!(
        (&row["loss_percent"], &row["errors"][0]["from"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    let run = net.client.netdiag("ping -W 0.5 --all --json 10.8.0.0/29 --transport portable");
    let json = run.json();
    assert_eq!(
        (&json["data"]["sweeps"][0]["errors"], &json["data"]["targets"][0]["outcome"]),
        (&6.into(), &"error".into())
    );
    // Its neighbours in the same run are not harmed.
    let mixed = net.client.netdiag("ping -c 3 -i 0.05 --json 10.8.0.2 10.7.0.1 10.99.0.1").json();
    let outcomes: Vec<_> = (0..3).map(|row| mixed["data"]["targets"][row]["outcome"].clone()).collect();
    assert_eq!(outcomes, ["error", "alive", "error"], "{mixed}");
    Ok(())
}

/// The kernel's table of neighbours is shared by all namespaces: while this test fills it, other hosts of the machine may lose
/// their gateway. So it runs where that is asked for, and while no other does.
fn neighbours() -> Result<(), String> {
    if std::env::var_os("NETDIAG_TEST_NEIGHBOUR_TABLE").is_none() {
        return Err(
            "it fills the machine's neighbour table; NETDIAG_TEST_NEIGHBOUR_TABLE=1 lets it".to_owned()
        );
    }
    let (client, far) = (Host::new("client"), Host::new("far"));
    cable(
        (&client, "eth0", &["10.42.8.1/20", "fd42::1/112"]),
        (&far, "eth0", &["10.42.8.2/20", "fd42::2/112"]),
    );
    client.allow_icmp_sockets();
    far.sh("ip route add local 10.42.0.0/21 dev lo");
    // Neighbours leave sooner than the usual half minute.
    client.sh("for f in ipv4 ipv6; do echo 1500 > /proc/sys/net/$f/neigh/eth0/base_reachable_time_ms; done");
    let hasty = client.netdiag("ping --rate 0 --no-wait --json 10.42.0.0/22 10.42.4.0/24").json();
    let sweeps = &hasty["data"]["sweeps"];
    let count = |sweeps: &serde_json::Value, key: &str| -> u64 {
        (0..2).map(|sweep| sweeps[sweep][key].as_u64().expect("a count")).sum()
    };
    assert_eq!(count(sweeps, "hosts"), 1_276);
    if count(sweeps, "errors") == 0 {
        return Err("this machine's table of neighbours holds 1,276".to_owned());
    }
    // Who could not be probed is not silent, and the reason and the way out are told.
    let told = count(sweeps, "alive") + count(sweeps, "errors");
    assert!(count(sweeps, "alive") > 100 && told >= 1_260, "{sweeps}");
    let warning = hasty["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .find(|it| it["code"] == "neighbour-table-full");
    let message = warning.expect("a warning")["message"].as_str().expect("text").to_owned();
    assert!(message.contains("gc_thresh3"), "{message}");
    let patient = client.netdiag("ping --rate 0 --json 10.42.0.0/22 10.42.4.0/24").json();
    assert_eq!(count(&patient["data"]["sweeps"], "alive"), 1_276, "{}", patient["data"]["sweeps"]);
    // On an unprivileged socket the kernel is silent about an IPv6 neighbour it has no room for.
    let addresses = (0x100..0x600).map(|last| format!("addr add fd42::{last:x}/128 dev eth0 nodad\n"));
    far.sh(&format!("ip -batch - <<'END'\n{}END", addresses.collect::<String>()));
    let hasty =
        client.netdiag("ping --rate 0 --no-wait --json fd42::100/120 fd42::200/119 fd42::400/119").json();
    let count = |key: &str| {
        (0..3).map(|sweep| hasty["data"]["sweeps"][sweep][key].as_u64().expect("a count")).sum::<u64>()
    };
    let alone = count("alive") + count("errors");
    assert!(count("alive") > 100 && count("errors") > 100 && alone >= 1_260, "{}", hasty["data"]["sweeps"]);
    Ok(())
}
