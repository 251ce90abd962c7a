//! Pinging across a router, against what the far kernel counts.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use crate::common::{Test, expect_code};
use crate::net::{Host, Routed, cable, can_become_nobody};

pub(crate) const TESTS: &[Test] = &[
    ("ping::reaches_across_a_router_on_both_kinds_of_socket", reaches_across_a_router),
    ("ping::tiers_say_where_it_ends", tiers),
    ("ping::errors_are_never_replies", errors_are_never_replies),
    ("ping::loss_is_what_the_far_kernel_says", loss),
    ("ping::a_sweep_finds_every_live_host", sweep),
    ("ping::same_address_twice", same_address_twice),
    ("ping::nobody_pings_where_the_sysctl_allows", nobody_allowed),
    ("ping::nobody_is_told_both_ways_out", nobody_refused),
    ("ping::source_and_interface", source_and_interface),
    ("ping::unresolvable_names_are_rows", unresolvable),
    ("ping::nobody_has_the_address", nobody_has_the_address),
    ("ping::a_silent_target_does_not_starve_its_neighbour", silent_neighbour),
];

fn reaches_across_a_router() -> Result<(), String> {
    let net = Routed::new();
    for unprivileged in [false, true] {
        if unprivileged {
            net.client.allow_icmp_sockets();
        }
        for (target, protocol, counter, tier) in [
            ("10.8.0.2", "Icmp", "InEchos", "routed"),
            ("fd08::2", "Icmp6", "InEchos", "routed"),
            ("far.test", "Icmp", "InEchos", "routed"),
        ] {
            let before = net.far.counter(protocol, counter);
            let run = net.client.netdiag(&format!("ping -c 3 -i 0.05 --json {target}"));
            expect_code(&run, 0);
            let row = run.json()["data"]["targets"][0].clone();
            assert_eq!(net.far.counter(protocol, counter) - before, 3, "{row}");
            assert_eq!(
                (&row["sent"], &row["received"], &row["lost"]),
                (&3.into(), &3.into(), &0.into()),
                "{row}"
            );
            assert_eq!((&row["outcome"], &row["tier"]), (&"alive".into(), &tier.into()), "{row}");
            let rtt = |name: &str| row["rtt_us"][name].as_f64().expect("a time");
            assert!(0.0 < rtt("min") && rtt("min") <= rtt("avg") && rtt("avg") <= rtt("max"), "{row}");
        }
    }
    let lan = net.client.netdiag("ping -c 1 --json 10.7.0.1 10.7.0.2 127.0.0.1").json();
    let tiers: Vec<&str> = (0..3).filter_map(|row| lan["data"]["targets"][row]["tier"].as_str()).collect();
    assert_eq!(tiers, ["lan", "host", "loopback"]);
    Ok(())
}

fn tiers() -> Result<(), String> {
    let net = Routed::new();
    net.far.sh("for a in 1.1.1.1 9.9.9.9 8.8.8.8; do ip addr add $a/32 dev lo; done");
    net.router.sh("ip route add default via 10.8.0.2");
    let outcomes = |run: &crate::common::Run| -> Vec<(String, String)> {
        let json = run.json();
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let rows = json["data"]["targets"].as_array().expect("rows");
        rows.iter().map(|row| (text(row, "tier"), text(row, "outcome"))).collect()
    };
    let pair = |tier: &str, outcome: &str| (tier.to_owned(), outcome.to_owned());
    let good = net.client.netdiag("ping -c 1 --json");
    expect_code(&good, 0);
    assert_eq!(outcomes(&good)[..2], [pair("loopback", "alive"), pair("lan", "alive")]);
    assert!(outcomes(&good)[2..].iter().all(|row| *row == pair("routed", "alive")), "{good:?}");
    assert!(good.stdout.contains("10.7.0.1"), "the gateway is the LAN's target: {good:?}");

    // One public host that is silent is no fault; all of them are.
    net.far.sh("ip addr del 8.8.8.8/32 dev lo && ip route add blackhole 8.8.8.8");
    expect_code(&net.client.netdiag("ping -c 1 -W 0.3 --json"), 0);
    net.router.sh("ip link set wan0 down");
    let cut = net.client.netdiag("ping -c 1 -W 0.3");
    expect_code(&cut, 1);
    assert!(cut.stdout.contains("no reply from the internet"), "{cut:?}");

    // Without a gateway the LAN tier is not tested, which is not the same as down.
    let alone = Host::new("alone");
    let run = alone.netdiag("ping -c 1 -W 0.3 --json");
    expect_code(&run, 1);
    assert_eq!(outcomes(&run)[..2], [pair("loopback", "alive"), pair("lan", "unresolved")]);
    assert_eq!(outcomes(&run)[2], pair("routed", "error"), "no route is an error, not silence");
    assert!(run.stdout.contains("no route to the internet: no default route"), "{run:?}");
    Ok(())
}

fn errors_are_never_replies() -> Result<(), String> {
    let net = Routed::new();
    // A router tells one sender only so many errors a second (`icmp(7)`).
    net.router.sh("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
    net.router.sh("nft add table inet t; nft add chain inet t f '{ type filter hook forward priority 0; }'
         nft add rule inet t f ip daddr 10.8.0.2 reject with icmp type host-unreachable
         nft add rule inet t f ip6 daddr fd08::2 reject with icmpv6 type admin-prohibited");
    // Whatever the socket, the error is seen, at once, with who sent it; the portable transport sees it on a raw
    // socket only.
    for (target, from, meaning, unprivileged, transport) in [
        ("10.8.0.2", "10.7.0.1", "host unreachable", false, "auto"),
        ("fd08::2", "fd07::1", "communication administratively prohibited", false, "auto"),
        ("10.8.0.2", "10.7.0.1", "host unreachable", false, "portable"),
        ("fd08::2", "fd07::1", "communication administratively prohibited", false, "portable"),
        ("10.8.0.2", "10.7.0.1", "host unreachable", true, "auto"),
        ("fd08::2", "fd07::1", "communication administratively prohibited", true, "auto"),
    ] {
        if unprivileged {
            net.client.allow_icmp_sockets();
        }
        // An error ends the wait: without it this would be called a hang.
        let run =
            net.client.netdiag(&format!("ping -c 2 -i 0.05 -W 3600 --json {target} --transport {transport}"));
        expect_code(&run, 1);
        let row = run.json()["data"]["targets"][0].clone();
        assert_eq!((&row["outcome"], &row["received"]), (&"error".into(), &0.into()), "{row}");
        assert_eq!(
            (&row["errors"][0]["from"], &row["errors"][0]["meaning"]),
            (&from.into(), &meaning.into()),
            "{row}"
        );
        assert_eq!(
            (&row["errors"][0]["count"], &row["rtt_us"]),
            (&2.into(), &serde_json::Value::Null),
            "{row}"
        );
    }
    let run = net.client.netdiag("ping -c 1 -t 1 -W 0.5 --json 10.8.0.77");
    assert_eq!(run.json()["data"]["targets"][0]["errors"][0]["type"], 11, "time exceeded: {run:?}");
    if can_become_nobody() {
        let run = net.client.netdiag_as_nobody("ping -c 1 --json 10.8.0.2");
        assert_eq!(run.json()["data"]["targets"][0]["errors"][0]["from"], "10.7.0.1", "{run:?}");
    }
    // Where it does not, that is silence, still no reply.
    let run = net.client.netdiag("ping -c 2 -i 0.05 -W 0.5 --json 10.8.0.2 --transport portable");
    expect_code(&run, 1);
    assert_eq!(run.json()["data"]["targets"][0]["received"], 0);
    assert_eq!(run.json()["warnings"][0]["code"], "icmp-errors-hidden", "{run:?}");
    Ok(())
}

fn loss() -> Result<(), String> {
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    net.far.sh("nft add table ip t; nft add chain ip t i '{ type filter hook input priority 0; }'
         nft add rule ip t i icmp type echo-request numgen inc mod 4 == 0 drop");
    let before = net.far.counter("Icmp", "OutEchoReps");
    let run = net.client.netdiag("ping -c 20 -i 0.02 -W 0.5 --json 10.8.0.2");
    expect_code(&run, 0);
    let row = run.json()["data"]["targets"][0].clone();
    assert_eq!(row["received"], net.far.counter("Icmp", "OutEchoReps") - before, "{row}");
    assert_eq!(
        (&row["received"], &row["lost"], &row["outcome"]),
        (&15.into(), &5.into(), &"partial".into()),
        "{row}"
    );
    assert_eq!(row["loss_percent"], 25.0);
    Ok(())
}

fn sweep() -> Result<(), String> {
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    // Every address of the upper half is local to the far host; the lower half is dropped there.
    net.far.sh("ip route add local 10.9.0.128/25 dev lo && ip route add blackhole 10.9.0.0/25");
    net.router.sh("ip route add 10.9.0.0/24 via 10.8.0.2");
    let run = net.client.netdiag("ping -W 0.5 --json 10.9.0.0/24");
    expect_code(&run, 0);
    let data = run.json()["data"].clone();
    assert_eq!(
        (&data["sweeps"][0]["hosts"], &data["sweeps"][0]["alive"]),
        (&254.into(), &127.into()),
        "{data}"
    );
    let rows = data["targets"].as_array().expect("rows");
    assert_eq!(rows.len(), 127, "only those that answered are rows");
    assert!(rows.iter().all(|row| row["outcome"] == "alive"));
    // What could not be reached is said once, and -q leaves the verdict.
    net.router.sh("ip route add unreachable 10.9.1.0/25");
    let quiet = net.client.netdiag("ping -W 0.5 -q 10.9.1.0/28");
    let told = format!("{}{}", quiet.stdout, quiet.stderr);
    assert_eq!(told.matches("unreachable (host unreachable from 10.7.0.1)").count(), 1, "{told}");
    assert!(quiet.stdout.contains("10.9.1.0/28: 0 alive of 14 hosts"), "{told}");
    let dark = net.client.netdiag("ping -W 0.2 --json 10.9.0.0/26");
    expect_code(&dark, 1);
    assert_eq!(dark.json()["data"]["sweeps"][0]["alive"], 0);
    // A deadline ends a sweep, which then says how far it came.
    let cut = net.client.netdiag("ping -W 1 -w 0.3 --json 10.9.0.0/25").json()["data"]["sweeps"][0].clone();
    assert!(cut["probed"].as_u64().is_some_and(|probed| (1..=126).contains(&probed)), "{cut}");
    assert_eq!(cut["hosts"], 126);
    let run = net.client.netdiag("ping -W 1 -w 0.2 --rate 50 --json 10.9.0.0/25");
    let cut = run.json()["data"]["sweeps"][0].clone();
    assert!(cut["probed"].as_u64().is_some_and(|probed| (1..=20).contains(&probed)), "{cut}");
    let rest = cut["hosts"].as_u64().zip(cut["probed"].as_u64()).map(|(hosts, probed)| hosts - probed);
    assert!(rest.is_some_and(|rest| rest >= 106), "{cut}");
    assert_eq!(run.json()["warnings"][0]["code"], "sweep-incomplete", "{run:?}");
    Ok(())
}

fn same_address_twice() -> Result<(), String> {
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    let before = net.far.counter("Icmp", "InEchos");
    let run = net.client.netdiag("ping -c 2 -i 0.05 --json 10.8.0.2 far.test 10.8.0.2");
    expect_code(&run, 0);
    assert_eq!(net.far.counter("Icmp", "InEchos") - before, 6);
    Ok(())
}

fn nobody_allowed() -> Result<(), String> {
    if !can_become_nobody() {
        return Err("only root can become nobody; this whole run is an ordinary user's already".to_owned());
    }
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    let run = net.client.netdiag_as_nobody("ping -c 2 -i 0.05 --json 10.8.0.2 fd08::2");
    expect_code(&run, 0);
    Ok(())
}

fn nobody_refused() -> Result<(), String> {
    if !can_become_nobody() {
        return Err(
            "only root can become nobody, and root of a user namespace may open raw sockets".to_owned()
        );
    }
    let net = Routed::new();
    let run = net.client.netdiag_as_nobody("ping -c 1 10.8.0.2");
    expect_code(&run, 3);
    assert!(run.stderr.contains("setcap cap_net_raw+ep"), "{run:?}");
    assert!(
        run.stderr.contains("net.ipv4.ping_group_range") && run.stderr.contains("(now '1 0')"),
        "{run:?}"
    );
    assert_eq!(run.stdout, "");
    Ok(())
}

fn source_and_interface() -> Result<(), String> {
    let net = Routed::new();
    let other = Host::new("other");
    cable((&net.client, "eth1", &["10.6.0.2/24"]), (&other, "eth0", &["10.6.0.1/24"]));
    net.client.sh("ip addr add 10.7.0.77/24 dev eth0");
    let seen = |host: &Host| host.counter("Icmp", "InEchos");
    // The far host answers whom it sees: replies only come back if the source was used.
    net.far.sh("nft add table ip t; nft add chain ip t i '{ type filter hook input priority 0; }'
         nft add rule ip t i ip saddr != 10.7.0.77 icmp type echo-request drop");
    expect_code(&net.client.netdiag("ping -c 1 -W 0.5 --source 10.7.0.77 10.8.0.2"), 0);
    expect_code(&net.client.netdiag("ping -c 1 -W 0.5 10.8.0.2"), 1);
    let before = seen(&other);
    expect_code(&net.client.netdiag("ping -c 1 -W 0.5 --interface eth1 10.6.0.1"), 0);
    assert_eq!(seen(&other) - before, 1);
    expect_code(&net.client.netdiag("ping -c 1 -W 0.5 --interface eth1 10.7.0.1"), 1);

    let unknown = net.client.netdiag("ping -c 1 --interface eth7 10.8.0.2");
    expect_code(&unknown, 2);
    assert!(unknown.stderr.contains("'eth7'") && unknown.stderr.contains("eth0"), "{unknown:?}");
    let foreign = net.client.netdiag("ping -c 1 --source 10.99.0.1 10.8.0.2");
    expect_code(&foreign, 2);
    assert!(foreign.stderr.contains("10.99.0.1 is not an address of this machine"), "{foreign:?}");
    let router = net.router.sh("ip -o -6 addr show dev lan0 scope link");
    let address = router.split_whitespace().find(|word| word.starts_with("fe80")).expect("an address");
    let address = address.split('/').next().expect("an address");
    let link_local = net.client.netdiag(&format!("ping -c 1 --json {address}%eth0"));
    expect_code(&link_local, 0);
    let row = link_local.json()["data"]["targets"][0].clone();
    assert_eq!((&row["address"], &row["tier"]), (&format!("{address}%eth0").into(), &"lan".into()), "{row}");
    let twice = net.client.netdiag(&format!("ping -c 1 -W 0.5 --json {address}%eth0 {address}%eth1"));
    let rows = twice.json()["data"]["targets"].clone();
    assert_eq!((&rows[0]["outcome"], &rows[1]["outcome"]), (&"alive".into(), &"silent".into()), "{rows}");
    for group in ["10.7.0.255", "255.255.255.255", "224.0.0.1", "ff02::1%eth0"] {
        let run = net.client.netdiag(&format!("ping -c 1 {group}"));
        expect_code(&run, 2);
        assert!(run.stderr.contains("cast address, not a host"), "{run:?}");
    }
    Ok(())
}

fn nobody_has_the_address() -> Result<(), String> {
    let net = Routed::new();
    net.client.allow_icmp_sockets();
    for (target, asked) in [("10.7.0.77", "(ARP)"), ("fd07::77", "(neighbour discovery)")] {
        // Alone on the link the kernel gives up after three seconds; this gives up before, and still knows.
        let run = net.client.netdiag(&format!("ping -c 1 -W 0.5 --json {target} 10.7.0.1"));
        expect_code(&run, 1);
        let json = run.json();
        assert_eq!(json["data"]["targets"][0]["outcome"], "silent", "{json}");
        let warnings = json["warnings"].as_array().expect("warnings");
        assert_eq!((warnings.len(), &warnings[0]["code"]), (1, &"no-neighbour".into()), "{json}");
        let message = warnings[0]["message"].as_str().expect("text");
        assert!(message.contains(target) && message.contains(asked), "{message}");
    }
    // Many of them are one warning, with their number.
    let dark: Vec<String> = (100..137).map(|last| format!("10.7.0.{last}")).collect();
    let run = net.client.netdiag(&format!("ping -c 1 -W 1 --json {}", dark.join(" ")));
    let warnings = run.json()["warnings"].as_array().expect("warnings").clone();
    let [only] = warnings.as_slice() else { panic!("{warnings:?}") };
    let message = only["message"].as_str().expect("text");
    assert!(message.starts_with("37 targets (10.7.0.100, 10.7.0.101, 10.7.0.102 and 34 more)"), "{message}");
    Ok(())
}

fn unresolvable() -> Result<(), String> {
    let net = Routed::new();
    let run = net.client.netdiag("ping -c 1 -i 0.05 --json no-such-name.test 10.8.0.2");
    expect_code(&run, 1);
    let rows = run.json()["data"]["targets"].clone();
    assert_eq!(
        (&rows[0]["outcome"], &rows[0]["address"]),
        (&"unresolved".into(), &serde_json::Value::Null),
        "{rows}"
    );
    assert_eq!(rows[1]["outcome"], "alive", "{rows}");
    Ok(())
}

fn silent_neighbour() -> Result<(), String> {
    let net = Routed::new();
    net.far.sh("ip route add blackhole 10.9.0.1");
    net.router.sh("ip route add 10.9.0.1 via 10.8.0.2");
    let run = net.client.netdiag("ping -i 0.005 -w 2 -W 2 -c 1000 --json 10.9.0.1 10.8.0.2");
    let rows = run.json()["data"]["targets"].clone();
    let sent = |row: usize| rows[row]["sent"].as_u64().expect("a count");
    let (fewer, more) = (sent(0).min(sent(1)), sent(0).max(sent(1)));
    assert!(fewer > 10 && more - fewer <= more / 10 + 2, "both go on at their interval: {rows}");
    assert_eq!((&rows[0]["outcome"], &rows[1]["outcome"]), (&"silent".into(), &"alive".into()), "{rows}");
    expect_code(&run, 1);
    Ok(())
}
