//! Listing interfaces, field by field against `ip -j -d address`.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Test, expect_code};
use crate::net::{Host, cable};

pub(crate) const TESTS: &[Test] = &[
    ("ifaces::every_field_as_ip_has_it", every_field),
    ("ifaces::random_topologies_as_ip_has_them", random_topologies),
    ("ifaces::routes_and_gateways", routes),
    ("ifaces::the_way_out_is_the_one_the_kernel_takes", ways_out),
    ("ifaces::a_link_with_much_to_say", long_link),
    ("ifaces::hidden_trouble_in_plain_words", troubles),
    ("ifaces::name_servers_behind_a_stub", servers_behind_a_stub),
    ("ifaces::rates_and_changes", watched),
    ("ifaces::one_of_several_watched_goes", named_ones_go),
    ("ifaces::interfaces_that_come_and_go", vanishing),
    ("ifaces::a_hostile_alias_is_harmless", hostile_alias),
    ("ifaces::a_page_survives_hostile_names", hostile_page),
    ("ifaces::two_thousand_interfaces", many),
];

fn every_field() -> Result<(), String> {
    let (host, other) = (Host::new("host"), Host::new("other"));
    cable((&host, "v0", &["10.1.0.1/24", "fd01::1/64"]), (&other, "v0", &[]));
    cable((&host, "v1", &[]), (&other, "v1", &[]));
    host.sh("ip link add br0 type bridge && ip link set v1 master br0 && ip link set br0 up
         ip addr add 10.1.0.2/24 dev v0 label v0:vip && ip addr add 10.1.0.3/32 peer 10.1.0.9 dev v0
         ip addr add 172.16.0.1/30 broadcast 172.16.0.3 dev br0 valid_lft 1000 preferred_lft 500
         ip addr add fd02::5 peer fd02::6/128 dev br0 nodad
         ip link add mv0 link v0 type macvlan mode bridge && ip link set mv0 mtu 1400 up
         ip link add vx0 type vxlan id 7 remote 10.1.0.9 dstport 4789 dev v0
         ip tuntap add tun7 mode tun && ip addr add 192.168.77.1/24 dev tun7 && ip link set tun7 up
         ip link set v0 alias 'the first one' && ip link add name odd.name type veth peer name odd.peer
         ip link property add dev v0 altname the-first altname a-rather-long-name-of-the-first-one");
    let ours = compare(&host, "by hand");
    assert_eq!(ours[0]["kind"], "loopback");
    let by_name = |name: &str| ours.iter().find(|row| row["name"] == name).expect("listed").clone();
    assert_eq!(by_name("v0")["link_netns"], other.name(), "{}", by_name("v0"));
    for name in ["the-first", "a-rather-long-*"] {
        assert_eq!(host.netdiag(&format!("ifaces {name} --json")).json()["data"][0]["name"], "v0");
    }
    Ok(())
}

/// Topologies that nobody thought of, from seeds.
fn random_topologies() -> Result<(), String> {
    for seed in 1..=8 {
        let host = Host::new("host");
        let peer = Host::new("peer");
        let script = topology(&mut Chance(seed), peer.name());
        host.sh(&format!("set -x\n{script}"));
        compare(&host, &format!("seed {seed}:\n{script}"));
    }
    Ok(())
}

/// Numbers that are always the same from the same seed (Knuth's MMIX generator).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).expect("a few")]
    }

    fn is_so(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// A script that makes links, addresses and routes of every sort.
fn topology(chance: &mut Chance, peer: &str) -> String {
    let mut script = String::new();
    let mut run = |line: String| {
        script += &line;
        script.push('\n');
    };
    let mut links: Vec<String> = Vec::new();
    for number in 0..4 + chance.below(4) {
        let name = format!("l{number}");
        let below = links.first().cloned();
        run(match (chance.below(7), below) {
            (0, _) => format!("ip link add {name} type bridge"),
            (1, Some(below)) => {
                let mode = chance.one_of(&["private", "vepa", "bridge", "passthru", "source"]);
                // Only one may stand on a link that is passed through.
                let mode = if mode == "passthru" && number > 1 { "bridge" } else { mode };
                format!(
                    "ip link add {name} link {below} type macvlan mode {mode} || ip link add {name} type bridge"
                )
            }
            (2, _) => format!("ip link add {name} type vxlan id {} dstport 4789", 1 + number),
            // An ordinary user may not open /dev/net/tun.
            (3, _) => {
                let mode = chance.one_of(&["tun", "tap"]);
                format!("ip tuntap add {name} mode {mode} || ip link add {name} type bridge")
            }
            (4, _) => format!("ip link add {name} type veth peer name {name}x"),
            _ => format!("ip link add {name} type veth peer name {name}x netns {peer}"),
        });
        links.push(name);
    }
    for (place, name) in links.iter().enumerate() {
        if chance.is_so() {
            run(format!("ip link set {name} mtu {} || true", 1000 + chance.below(600)));
        }
        if chance.is_so() {
            run(format!("ip link set {name} alias 'number {place} of many'"));
        }
        if chance.below(3) == 0 {
            run(format!("ip link property add dev {name} altname other-name-of-{name}"));
        }
        if chance.below(4) > 0 {
            run(format!("ip link set {name} up || true"));
        }
        for _ in 0..chance.below(4) {
            let (net, host) = (10 * place as u64 + chance.below(10), 1 + chance.below(250));
            let length = 20 + chance.below(13);
            let mut line = vec![match chance.below(4) {
                0 => format!("ip addr add 10.{net}.0.{host} peer 10.{net}.1.{host}/{length}"),
                1 => format!("ip addr add 10.{net}.0.{host}/{length} brd +"),
                _ => format!("ip addr add 10.{net}.0.{host}/{length}"),
            }];
            line.push(format!("dev {name}"));
            if chance.below(3) == 0 {
                line.push(format!("label {name}:{}", chance.below(9)));
            }
            if chance.below(3) == 0 {
                line.push(format!("metric {}", 1 + chance.below(900)));
            }
            if chance.below(3) == 0 {
                line.push(format!(
                    "valid_lft {} preferred_lft {}",
                    5000 + chance.below(99),
                    chance.below(2) * 900
                ));
            }
            if chance.below(3) == 0 {
                line.push("noprefixroute".to_owned());
            }
            if chance.below(4) == 0 {
                line.push(format!("scope {}", chance.one_of(&["link", "host", "site", "77"])));
            }
            run(format!("{} || true", line.join(" ")));
        }
        for _ in 0..chance.below(3) {
            let mut line = vec![format!(
                "ip addr add fd{place:02x}::{:x}/{}",
                1 + chance.below(999),
                48 + chance.below(81)
            )];
            line.push(format!("dev {name}"));
            for flag in ["nodad", "noprefixroute", "home", "mngtmpaddr"] {
                // Only a /64 can make temporary addresses of itself.
                if chance.below(4) == 0 && (flag != "mngtmpaddr" || line[0].contains("/64")) {
                    line.push(flag.to_owned());
                }
            }
            if chance.below(3) == 0 {
                line.push(format!(
                    "valid_lft {} preferred_lft {}",
                    5000 + chance.below(99),
                    chance.below(2) * 900
                ));
            }
            run(format!("{} || true", line.join(" ")));
        }
    }
    for _ in 0..chance.below(5) {
        let name = &links[usize::try_from(chance.below(links.len() as u64)).expect("a few")];
        let metric = chance.below(4) * 100;
        let family = chance.one_of(&["-4", "-6"]);
        // One to a link that is down is refused.
        run(format!("ip {family} route append default dev {name} metric {metric} || true"));
    }
    script
}

/// Compares every field with what `ip` says; gives ours.
#[track_caller]
fn compare(host: &Host, what: &str) -> Vec<Value> {
    // What changes by itself, as duplicate address detection, has a moment to end.
    let look = || host.sh("ip -j -d address");
    let counters = || -> Value { serde_json::from_str(&host.sh("ip -j -s link")).expect("ip gives JSON") };
    let deadline = Instant::now() + Duration::from_secs(20);
    // What is compared with is one of the two looks between which nothing changed, and not a third.
    let (run, counted, ip) = loop {
        let (before, first) = (look(), counters());
        let run = host.netdiag("ifaces --json");
        let after = look();
        if without_times(&before) == without_times(&after) {
            break (run, [first, counters()], after);
        }
        assert!(Instant::now() < deadline, "it never settles: {before}");
    };
    expect_code(&run, 0);
    let ip: Value = serde_json::from_str(&ip).expect("ip gives JSON");
    let ours = run.json()["data"].clone();
    let (ip, ours) = (ip.as_array().expect("a list"), ours.as_array().expect("a list").clone());
    let names =
        |list: &[Value], key: &str| -> Vec<Value> { list.iter().map(|item| item[key].clone()).collect() };
    assert_eq!(names(&ours, "name"), names(ip, "ifname"), "{what}");
    for (ours, ip) in ours.iter().zip(ip) {
        let what = format!("{what}\n{ours}\n{ip}");
        for (key, theirs) in [
            ("index", "ifindex"),
            ("mtu", "mtu"),
            ("mac", "address"),
            ("flags", "flags"),
            ("master", "master"),
            ("alias", "ifalias"),
            ("qdisc", "qdisc"),
            ("tx_queue_len", "txqlen"),
            ("link_netnsid", "link_netnsid"),
        ] {
            assert_eq!(ours[key], ip[theirs], "{key}: {what}");
        }
        for (key, theirs) in [("min_mtu", "min_mtu"), ("max_mtu", "max_mtu")] {
            assert_eq!(ours[key].as_u64().unwrap_or(0), ip[theirs].as_u64().unwrap_or(0), "{key}: {what}");
        }
        let state = ours["state"].as_str().expect("a state").replace('-', "");
        assert_eq!(state, ip["operstate"].as_str().expect("a state").to_lowercase(), "{what}");
        if let Some(kind) = ip["linkinfo"]["info_kind"].as_str() {
            assert_eq!(ours["kind"], kind, "{what}");
        }
        let data = &ip["linkinfo"]["info_data"];
        let mode = if data["type"].is_string() { &data["type"] } else { &data["mode"] };
        assert_eq!(&ours["mode"], mode, "{what}");
        assert_eq!(ours["kind_id"], data["id"], "{what}");
        // One in this namespace it names, one elsewhere it numbers.
        let below = if ip["link"].is_string() { &ip["link"] } else { &data["link"] };
        match below.as_str() {
            Some(link) => assert_eq!(ours["link"], link, "{what}"),
            None => assert_eq!(ours["link_index"], ip["link_index"], "{what}"),
        }
        let alt_names = ip["altnames"].as_array().cloned().unwrap_or_default();
        assert_eq!(ours["alt_names"], Value::from(alt_names), "{what}");
        compare_addresses(&ours["addresses"], &ip["addr_info"], &what);
        let [before, after] = counted.each_ref().map(|links| {
            let links = links.as_array().expect("a list");
            links.iter().find(|it| it["ifindex"] == ours["index"]).expect("the same link")["stats64"].clone()
        });
        for (key, side, theirs) in [
            ("rx_bytes", "rx", "bytes"),
            ("rx_packets", "rx", "packets"),
            ("rx_errors", "rx", "errors"),
            ("rx_dropped", "rx", "dropped"),
            ("rx_multicast", "rx", "multicast"),
            ("tx_bytes", "tx", "bytes"),
            ("tx_packets", "tx", "packets"),
            ("tx_errors", "tx", "errors"),
            ("tx_dropped", "tx", "dropped"),
            ("tx_carrier_errors", "tx", "carrier_errors"),
            ("collisions", "tx", "collisions"),
        ] {
            let count = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{key}: {what}"));
            // It may have sent something in between.
            let (before, after) = (count(&before[side][theirs]), count(&after[side][theirs]));
            assert!((before..=after).contains(&count(&ours["counters"][key])), "{key}: {what}");
        }
    }
    compare_routes(host, &ours, what);
    ours
}

/// The same without what only time changes.
fn without_times(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).expect("ip gives JSON");
    for link in value.as_array_mut().expect("a list") {
        for data in ["info_data", "info_slave_data"] {
            if let Some(data) = link["linkinfo"][data].as_object_mut() {
                data.retain(|key, _| !key.ends_with("_timer"));
            }
        }
        for address in link["addr_info"].as_array_mut().into_iter().flatten() {
            let address = address.as_object_mut().expect("an address");
            address.retain(|key, _| !key.ends_with("life_time"));
        }
    }
    value
}

fn compare_addresses(ours: &Value, ip: &Value, what: &str) {
    let (ours, ip) = (ours.as_array().expect("a list"), ip.as_array().expect("a list"));
    assert_eq!(ours.len(), ip.len(), "{what}");
    for (ours, ip) in ours.iter().zip(ip) {
        assert_eq!(ours["address"], ip["local"], "{what}");
        assert_eq!(ours["prefix_len"], ip["prefixlen"], "{what}");
        assert_eq!(ours["scope"], ip["scope"], "{what}");
        assert_eq!(ours["peer"], ip["address"], "{what}");
        assert_eq!(ours["broadcast"], ip["broadcast"], "{what}");
        assert_eq!(ours["label"], ip["label"], "{what}");
        assert_eq!(ours["metric"], ip["metric"], "{what}");
        assert_eq!(ours["family"] == "ipv4", ip["family"] == "inet", "{what}");
        for (key, theirs) in [("valid_s", "valid_life_time"), ("preferred_s", "preferred_life_time")] {
            let theirs = ip[theirs].as_i64().filter(|seconds| *seconds != i64::from(u32::MAX));
            let close = match (ours[key].as_i64(), theirs) {
                (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 2,
                (ours, theirs) => ours == theirs,
            };
            assert!(close, "{key}: {what}");
        }
        let flags = ours["flags"].as_array().expect("a list").iter().filter_map(Value::as_str);
        let flags: BTreeSet<&str> = flags.filter(|flag| *flag != "permanent").collect();
        let fields = ip.as_object().expect("an address").iter();
        let theirs = fields.filter(|(_, value)| **value == Value::Bool(true)).map(|(key, _)| key.as_str());
        assert_eq!(flags, theirs.collect(), "{what}");
    }
}

/// The ways out by interface, gateway and metric, in the kernel's order.
fn compare_routes(host: &Host, ours: &[Value], what: &str) {
    for (family, option) in [("ipv4", "-4"), ("ipv6", "-6")] {
        let routes = host.sh(&format!("ip -j {option} route show table main default"));
        let routes: Value = serde_json::from_str(&routes).expect("ip gives JSON");
        let mut theirs: Vec<(String, Value, u64)> = Vec::new();
        for route in routes.as_array().expect("a list").iter().filter(|route| route["type"].is_null()) {
            let metric = route["metric"].as_u64().unwrap_or(0);
            let hops = route["nexthops"].as_array().cloned().unwrap_or_else(|| vec![route.clone()]);
            for hop in hops {
                let name = hop["dev"].as_str().expect("a device").to_owned();
                let via = if hop["via"].is_object() { &hop["via"]["host"] } else { &hop["gateway"] };
                theirs.push((name, via.clone(), metric));
            }
        }
        let mut listed: Vec<(String, Value, u64)> = Vec::new();
        for iface in ours {
            for gateway in iface["gateways"].as_array().expect("a list") {
                if gateway["family"] == family {
                    let name = iface["name"].as_str().expect("a name").to_owned();
                    listed.push((name, gateway["address"].clone(), gateway["metric"].as_u64().unwrap_or(0)));
                }
            }
        }
        let best = theirs.iter().min_by_key(|(_, _, metric)| *metric).map(|(name, ..)| name.clone());
        if let Some(best) = best {
            let row = ours.iter().find(|row| row["name"] == *best).expect("listed");
            assert_eq!(row["is_default_route"], true, "{routes}\n{what}");
        }
        let key = |it: &(String, Value, u64)| (it.0.clone(), it.2, it.1.to_string());
        theirs.sort_by_key(key);
        listed.sort_by_key(key);
        assert_eq!(listed, theirs, "{routes}\n{what}");
    }
}

fn routes() -> Result<(), String> {
    let (host, other) = (Host::new("host"), Host::new("other"));
    cable((&host, "a", &["10.1.0.2/24", "fd01::2/64"]), (&other, "a", &[]));
    cable((&host, "b", &["10.2.0.2/24"]), (&other, "b", &[]));
    let marked = || -> Vec<String> {
        let data = host.netdiag("ifaces --json").json()["data"].clone();
        let rows = data.as_array().expect("a list").iter().filter(|row| row["is_default_route"] == true);
        rows.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert!(marked().is_empty());
    host.sh("ip route add default via 10.1.0.1 metric 200 && ip route add default via 10.2.0.1 metric 100");
    assert_eq!(marked(), ["b"]);
    host.sh("ip -6 route add default via fd01::1");
    assert_eq!(marked(), ["a", "b"]);
    let data = host.netdiag("ifaces --json a").json()["data"][0].clone();
    for (place, family, address, metric) in [(0, "ipv4", "10.1.0.1", 200), (1, "ipv6", "fd01::1", 1024)] {
        let gateway = &data["gateways"][place];
        assert_eq!(gateway["family"], family, "{data}");
        assert_eq!(gateway["address"], address, "{data}");
        assert_eq!(gateway["metric"], metric, "{data}");
        assert_eq!(gateway["protocol"], "boot", "{data}");
    }
    assert_eq!(data["dns_servers"][0], "127.0.0.1", "{data}");
    // A next-hop object that the route only names, as the kernel is told not to repeat what it is.
    host.sh("ip route flush 0.0.0.0/0 && sysctl -qw net.ipv4.nexthop_compat_mode=0
         ip nexthop add id 7 via 10.1.0.1 dev a && ip nexthop add id 8 via 10.2.0.1 dev b
         ip nexthop add id 9 group 7/8 && ip route add default nhid 9 metric 50");
    let all = host.netdiag("ifaces --json").json()["data"].clone();
    for (name, address) in [("a", "10.1.0.1"), ("b", "10.2.0.1")] {
        let row = all.as_array().expect("a list").iter().find(|row| row["name"] == name).expect("listed");
        assert_eq!(row["gateways"][0]["address"], address, "{row}");
        assert_eq!(row["gateways"][0]["metric"], 50, "{row}");
    }
    Ok(())
}

/// The way out is the one that the kernel would take.
fn ways_out() -> Result<(), String> {
    let (host, other) = (Host::new("host"), Host::new("other"));
    cable((&host, "a", &["10.1.0.2/24", "fd01::2/64"]), (&other, "a", &[]));
    cable((&host, "b", &["10.2.0.2/24", "fd02::2/64"]), (&other, "b", &[]));
    let marked = || -> Vec<String> {
        let data = host.netdiag("ifaces --json").json()["data"].clone();
        let rows = data.as_array().expect("a list").iter().filter(|row| row["is_default_route"] == true);
        rows.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    let warned = |word: &str| host.netdiag("ifaces --json").json()["warnings"].to_string().contains(word);
    // All next hops of one route.
    host.sh("ip route add default metric 5 nexthop via 10.1.0.1 weight 3 nexthop via 10.2.0.1");
    assert_eq!(marked(), ["a", "b"]);
    // A refusal that stands before it.
    host.sh("ip route add unreachable default metric 2");
    assert!(marked().is_empty());
    assert!(warned("is of type unreachable"));
    host.sh("ip route del unreachable default metric 2 && ip route del default metric 5");
    // A router's own preference among equal metrics.
    host.sh("ip -6 route add default dev a metric 100 pref low
         ip -6 route append default dev b metric 100 pref high");
    assert_eq!(marked(), ["b"]);
    assert!(!warned("equal-metrics"));
    host.sh("ip -6 route flush ::/0 && ip -6 route flush default || true");
    // One for some sources only leads out all the same.
    host.sh("ip -6 addr add 2600:1::2/64 dev a && ip -6 route add default from 2600:1::/48 via fd01::1 dev a
         ip route add default via 10.2.0.1");
    assert!(!warned("no-default-route"));
    let data = host.netdiag("ifaces --json a").json()["data"][0].clone();
    assert_eq!(data["gateways"][0]["from"], "2600:1::/48", "{data}");
    // What is dead is not taken.
    host.sh("ip route add default via 10.1.0.1 metric 50 && ip route del default via 10.2.0.1
         ip route add default via 10.2.0.1 metric 10
         sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1");
    assert_eq!(marked(), ["b"]);
    other.sh("ip link set dev b down");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !host.sh("ip route show default").contains("dead") {
        assert!(Instant::now() < deadline, "the kernel does not notice");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(marked(), ["a"]);
    Ok(())
}

/// A link that says more than a dump's usual buffer holds is listed like any other.
fn long_link() -> Result<(), String> {
    let host = Host::new("host");
    host.sh("ip link add long type veth peer name other
         for i in $(seq 280); do
             echo property add dev long altname $(printf 'a-name-that-goes-on-and-on-%.0s' 1 2 3 4)number-$i
         done | sed 's/^/link /' | ip -batch -");
    for args in ["ifaces --json", "ifaces --json --columns name,alt_names", "ifaces --brief"] {
        let run = host.netdiag(args);
        expect_code(&run, 0);
        assert!(run.stdout.contains("long"), "{args}: {run:?}");
    }
    let names = host.netdiag("ifaces long --json").json()["data"][0]["alt_names"].clone();
    assert_eq!(names.as_array().map(Vec::len), Some(280));
    Ok(())
}

/// Each trouble is told where it is, and not where it is not.
fn troubles() -> Result<(), String> {
    let (host, other) = (Host::new("host"), Host::new("other"));
    cable((&host, "a", &["10.1.0.2/24", "fd01::2/64"]), (&other, "a", &["10.1.0.1/24", "fd01::1/64"]));
    cable((&host, "b", &["10.2.0.2/24"]), (&other, "b", &["10.2.0.1/24"]));
    let told = |args: &str| -> Vec<(String, String)> {
        let warnings = host.netdiag(&format!("ifaces --json {args}")).json()["warnings"].clone();
        let warnings = warnings.as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        warnings.map(|warning| (text(&warning["code"]), text(&warning["message"]))).collect()
    };
    let codes = |args: &str| told(args).into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    let expect = |args: &str, code: &str, words: &[&str]| {
        let told = told(args);
        let found = told.iter().find(|(it, _)| it == code).unwrap_or_else(|| panic!("no {code}: {told:?}"));
        assert!(words.iter().all(|word| found.1.contains(word)), "{words:?}: {found:?}");
    };
    expect("", "no-default-route", &["no default route"]);
    assert!(codes("a").is_empty(), "{:?}", told("a"));
    // By policy there is one.
    host.sh("ip route add default via 10.1.0.1 table 100 && ip rule add from all table 100 pref 40000");
    assert!(codes("").is_empty(), "{:?}", told(""));
    host.sh("ip rule del pref 40000 && ip route add default via 10.1.0.1 metric 100");
    assert!(codes("").is_empty(), "{:?}", told(""));
    host.sh("ip route append default via 10.2.0.1 metric 100");
    expect("", "equal-metrics", &["two IPv4 default routes", "(100)", "10.1.0.1 (a)", "10.2.0.1 (b)"]);
    assert!(codes("-6").contains(&"no-default-route".to_owned()), "{:?}", told("-6"));
    host.sh("ip route del default via 10.2.0.1
         ip route add default metric 10 nexthop via 10.1.0.1 nexthop via 10.2.0.1");
    assert!(codes("").is_empty(), "one route with two next hops is meant so: {:?}", told(""));
    host.sh("ip route flush 0.0.0.0/0 && ip route add default via 10.1.0.1");
    // A bridge without ports, a port, and what a VLAN stands on are no trouble.
    host.sh("ip link add br0 type bridge && ip addr add 10.9.0.1/24 dev br0 && ip link set br0 up");
    assert!(codes("").is_empty(), "{:?}", told(""));
    host.sh("ip link set dev b mtu 1200");
    expect("", "mtu-below-ipv6-minimum", &["IPv6 does not work on b", "1200", "1280"]);
    assert!(!codes("-4").contains(&"mtu-below-ipv6-minimum".to_owned()));
    host.sh("ip link set dev b mtu 1500 && ip addr flush dev b");
    host.sh("ip addr add fe80::77/64 dev b nodad || true");
    expect("", "link-local-only", &["b has only link-local addresses"]);
    // What is routed by without an address is meant so, as to a container.
    host.sh("ip route add 10.77.0.1/32 dev b");
    assert!(!codes("").contains(&"link-local-only".to_owned()), "{:?}", told(""));
    host.sh("ip route del 10.77.0.1/32 dev b && ip addr add 169.254.7.7/32 dev b");
    assert!(!codes("").contains(&"link-local-only".to_owned()), "{:?}", told(""));
    host.sh("ip addr del 169.254.7.7/32 dev b && ip addr add 169.254.7.7/16 dev b");
    expect("", "link-local-only", &["b has only a link-local IPv4 address", "DHCP"]);
    host.sh("ip addr add 10.2.0.2/24 dev b");
    assert!(codes("").is_empty(), "{:?}", told(""));
    // Somebody else has the address already.
    host.sh("sysctl -qw net.ipv6.conf.a.accept_dad=1 net.ipv6.conf.a.dad_transmits=1
         ip addr add fd01::1/64 dev a");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !host.sh("ip address show dev a").contains("dadfailed") {
        assert!(Instant::now() < deadline, "the kernel does not notice");
        std::thread::sleep(Duration::from_millis(20));
    }
    expect("", "duplicate-address", &["fd01::1 on a", "in use by another machine"]);
    assert_eq!(compare(&host, "dadfailed").len(), 4);
    other.sh("ip link set dev a down");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !host.sh("ip link show dev a").contains("NO-CARRIER") {
        assert!(Instant::now() < deadline, "the kernel does not notice");
        std::thread::sleep(Duration::from_millis(5));
    }
    expect("", "no-carrier", &["a is up but has no carrier", "its other end is down", "default route"]);
    assert!(codes("b").is_empty(), "{:?}", told("b"));
    Ok(())
}

/// What systemd-resolved keeps is looked up where its stub is what resolv.conf names.
fn servers_behind_a_stub() -> Result<(), String> {
    let (host, other) = (Host::new("host"), Host::new("other"));
    cable((&host, "a", &["10.1.0.2/24"]), (&other, "a", &[]));
    cable((&host, "b", &["10.2.0.2/24"]), (&other, "b", &[]));
    host.sh("ip route add default via 10.1.0.1");
    let indices = host.netdiag("ifaces --json a b").json()["data"].clone();
    let (a, b) = (indices[0]["index"].clone(), indices[1]["index"].clone());
    // A mount namespace of its own, so that nobody else's servers change.
    let script = format!(
        "mount -t tmpfs tmpfs /run/systemd 2>/dev/null || {{ mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd; }}
         mkdir -p /run/systemd/resolve/netif /run/systemd/netif/links
         echo 'nameserver 127.0.0.53' > /run/systemd/stub
         mount --bind /run/systemd/stub \"$(readlink -f /etc/resolv.conf)\"
         printf 'nameserver 10.1.0.53\nnameserver 10.2.0.53\nnameserver 9.9.9.9\n' > /run/systemd/resolve/resolv.conf
         {netdiag} ifaces --json a b
         printf 'LLMNR=yes\nSERVERS=10.1.0.53 fe80::1\n' > /run/systemd/resolve/netif/{a}
         printf 'DNS=10.2.0.53#dns.test\n' > /run/systemd/netif/links/{b}
         {netdiag} ifaces --json a b",
        netdiag = env!("CARGO_BIN_EXE_netdiag"),
    );
    let output = host.command("unshare").args(["-m", "sh", "-ec", &script]).output().expect("unshare starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let servers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["data"].clone())
        .flat_map(|data| [data[0]["dns_servers"].clone(), data[1]["dns_servers"].clone()])
        .collect();
    let expected: Value = serde_json::from_str(
        r#"[["10.1.0.53", "10.2.0.53", "9.9.9.9"], [], ["10.1.0.53", "fe80::1", "9.9.9.9"], ["10.2.0.53"]]"#,
    )
    .expect("JSON");
    assert_eq!(Value::from(servers), expected, "{output:?}");
    Ok(())
}

/// Rates are the kernel's counters over time, and what changes is told.
fn watched() -> Result<(), String> {
    let (host, other) = (Host::new("host"), Host::new("other"));
    cable((&host, "a", &["10.1.0.2/24"]), (&other, "a", &["10.1.0.1/24"]));
    let mut command = host.command(env!("CARGO_BIN_EXE_netdiag"));
    command.args(["ifaces", "--watch", "0.2", "--format", "ndjson"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("netdiag starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut events = lines.map(|line| -> Value { serde_json::from_str(&line.expect("text")).expect("JSON") });
    let mut until = |wanted: &dyn Fn(&Value) -> bool| -> Value {
        events.by_ref().take(2_000).find(|event| wanted(event)).expect("it is told")
    };
    until(&|event| event["event"] == "rates" && event["name"] == "a");
    other.allow_icmp_sockets();
    let received = |text: &str| -> u32 {
        let line = text.lines().find_map(|line| line.trim().strip_prefix("a:")).expect("listed");
        line.split_whitespace().nth(1).expect("packets").parse().expect("a number")
    };
    other.netdiag("ping -c 20 -i 0.05 10.1.0.2");
    host.sh("ip link set dev a mtu 1400 && ip link add new type bridge && ip addr add 10.1.0.9/24 dev a");
    let mut counted = 0.0;
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        let event = until(&|_| true);
        let name = event["event"].as_str().expect("a name").to_owned();
        match (name.as_str(), event["name"].as_str().unwrap_or_default()) {
            ("rates", "a") => {
                let rate = event["rx_packets_per_s"].as_f64().expect("a rate");
                counted += rate * event["interval_s"].as_f64().expect("a time");
            }
            ("changed", "a") => {
                let field = event["field"].as_str().expect("a field").to_owned();
                match field.as_str() {
                    "mtu" => {
                        assert_eq!(event["before"], "1500");
                        assert_eq!(event["after"], "1400");
                    }
                    "addresses" => assert!(event["after"].to_string().contains("10.1.0.9/24"), "{event}"),
                    _ => continue,
                }
                seen.insert(field);
            }
            ("appeared", "new") => {
                seen.insert(name);
            }
            _ => {}
        }
    }
    let total = received(&host.sh("cat /proc/net/dev"));
    assert!(counted >= 19.9 && counted <= f64::from(total) + 0.1, "{counted} of {total}");
    host.sh("ip link del new");
    until(&|event| event["event"] == "vanished" && event["name"] == "new");
    other.sh("ip link set dev a down");
    let warning = until(&|event| event["event"] == "warning" && event["code"] == "no-carrier");
    assert!(warning["message"].to_string().contains("a is up but has no carrier"), "{warning}");
    // nsenter has become netdiag, so this is its process.
    host.sh(&format!("kill -INT {}", child.id()));
    until(&|event| event["event"] == "summary");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    Ok(())
}

/// One of several that were named goes: the others stay.
fn named_ones_go() -> Result<(), String> {
    let host = Host::new("host");
    host.sh("ip link add x type veth peer name x2 && ip link add y type veth peer name y2");
    let mut command = host.command(env!("CARGO_BIN_EXE_netdiag"));
    command.args(["ifaces", "x", "y", "--watch", "0.1", "--format", "ndjson"]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("netdiag starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut events = lines.map(|line| -> Value { serde_json::from_str(&line.expect("text")).expect("JSON") });
    let mut until = |event: &str, name: &str| {
        let is_it = |it: &Value| it["event"] == event && (name.is_empty() || it["name"] == name);
        events.by_ref().take(2_000).find(is_it).unwrap_or_else(|| panic!("no {event} of {name}"))
    };
    until("rates", "x");
    host.sh("ip link del x");
    until("vanished", "x");
    until("rates", "y");
    host.sh(&format!("kill -INT {}", child.id()));
    let summary = until("summary", "");
    assert_eq!(summary["data"][0]["name"], "y", "{summary}");
    assert!(summary["warnings"].to_string().contains("interface 'x' no longer exists"), "{summary}");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    Ok(())
}

/// Interfaces that come and go while they are listed: every listing is whole, and none fails.
fn vanishing() -> Result<(), String> {
    let host = Host::new("host");
    host.sh("for i in $(seq 150); do echo link add s$i type veth peer name t$i; done | ip -batch -");
    let mut churn = host.command("sh");
    churn.args([
        "-c",
        "for i in $(seq 400); do echo link add x$i type veth peer name y$i; echo link set x$i up
         echo addr add 10.77.$((i % 250)).1/24 dev x$i; echo link del x$i; done | ip -batch -",
    ]);
    let mut churn = churn.spawn().expect("sh starts");
    let mut listings = 0;
    while churn.try_wait().expect("it runs").is_none() {
        let run = host.netdiag("ifaces --json");
        expect_code(&run, 0);
        let json = run.json();
        let data = json["data"].as_array().expect("a list");
        let stays = data.iter().filter(|row| {
            let name = row["name"].as_str().expect("a name");
            name.starts_with('s') || name.starts_with('t')
        });
        assert_eq!(stays.count(), 300);
        assert!(data.iter().all(|row| row["name"] != ""), "{json}");
        listings += 1;
    }
    assert!(listings > 3, "only {listings}");
    Ok(())
}

fn hostile_alias() -> Result<(), String> {
    let host = Host::new("host");
    host.sh(
        "ip link add evil type veth peer name evil2 && ip link set evil alias \"$(printf 'a\\033[2Jb\\rc')\"",
    );
    let table = host.netdiag("ifaces evil");
    expect_code(&table, 0);
    assert!(table.stdout.contains("a\\x1b[2Jb\\rc"), "{table:?}");
    assert!(!table.stdout.contains('\x1b') && !table.stdout.contains('\r'), "{table:?}");
    assert_eq!(host.netdiag("ifaces evil --json").json()["data"][0]["alias"], "a\x1b[2Jb\rc");
    assert!(!host.netdiag("ifaces evil --format csv").stdout.contains('\x1b'));
    Ok(())
}

fn hostile_page() -> Result<(), String> {
    let host = Host::new("host");
    host.sh(
        "ip link add 'a|b`c_d<i>' type veth peer name 'e*f' && ip link set 'a|b`c_d<i>' alias '@all `x` | y'",
    );
    let page = host.netdiag("ifaces --format markdown");
    expect_code(&page, 0);
    let rows: Vec<&str> = page.stdout.lines().filter(|line| line.starts_with('|')).collect();
    let bars = |row: &str| row.replace("\\|", "").matches('|').count();
    assert!(
        rows.len() == 5 && rows.iter().all(|row| bars(row) == bars(rows[0])),
        "a cell for each column: {page:?}"
    );
    assert!(page.stdout.contains("a\\|b\\`c\\_d&lt;i\\>"), "{page:?}");
    let blocks = host.netdiag("ifaces --details --format markdown").stdout;
    assert!(blocks.contains("&#64;all \\`x\\` \\| y"), "{blocks}");
    assert!(blocks.lines().any(|line| line.starts_with("- **")), "blocks are lists: {blocks}");
    Ok(())
}

fn many() -> Result<(), String> {
    let host = Host::new("host");
    host.sh("for i in $(seq 1000); do echo link add m$i type veth peer name n$i; done | ip -batch -");
    let run = host.netdiag("ifaces --json");
    expect_code(&run, 0);
    assert_eq!(run.json()["data"].as_array().map(Vec::len), Some(2001));
    assert_eq!(host.netdiag("ifaces --wide").stdout.lines().count(), 2002);
    Ok(())
}
