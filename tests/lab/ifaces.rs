//! Listing interfaces, field by field against `ip -j -d address`.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use serde_json::Value;

use crate::common::{Test, expect_code};
use crate::net::{Host, cable};

pub(crate) const TESTS: &[Test] = &[
    ("ifaces::every_field_as_ip_has_it", every_field),
    ("ifaces::routes_and_gateways", routes),
    ("ifaces::a_hostile_alias_is_harmless", hostile_alias),
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
         ip link set v0 alias 'the first one' && ip link add name odd.name type veth peer name odd.peer");
    let ip: Value = serde_json::from_str(&host.sh("ip -j -d address")).expect("ip gives JSON");
    let run = host.netdiag("ifaces --json");
    expect_code(&run, 0);
    let ours = run.json()["data"].clone();
    let (ip, ours) = (ip.as_array().expect("a list"), ours.as_array().expect("a list"));
    let names =
        |list: &[Value], key: &str| -> Vec<Value> { list.iter().map(|item| item[key].clone()).collect() };
    assert_eq!(names(ours, "name"), names(ip, "ifname"));
    for (ours, ip) in ours.iter().zip(ip) {
        let what = format!("{ours}\n{ip}");
        assert_eq!(ours["index"], ip["ifindex"], "{what}");
        assert_eq!(ours["mtu"], ip["mtu"], "{what}");
        assert_eq!(ours["mac"], ip["address"], "{what}");
        assert_eq!(ours["flags"], ip["flags"], "{what}");
        assert_eq!(ours["master"], ip["master"], "{what}");
        assert_eq!(ours["alias"], ip["ifalias"], "{what}");
        let state = ours["state"].as_str().expect("a state").replace('-', "");
        assert_eq!(state, ip["operstate"].as_str().expect("a state").to_lowercase(), "{what}");
        if let Some(kind) = ip["linkinfo"]["info_kind"].as_str() {
            assert_eq!(ours["kind"], kind, "{what}");
        }
        compare_addresses(&ours["addresses"], &ip["addr_info"], &what);
    }
    assert_eq!(ours[0]["kind"], "loopback");
    Ok(())
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
        assert_eq!(ours["family"] == "ipv4", ip["family"] == "inet", "{what}");
        for (key, theirs) in [("valid_s", "valid_life_time"), ("preferred_s", "preferred_life_time")] {
            let theirs = ip[theirs].as_i64().filter(|seconds| *seconds != i64::from(u32::MAX));
            let close = match (ours[key].as_i64(), theirs) {
                (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 2,
                (ours, theirs) => ours == theirs,
            };
            assert!(close, "{key}: {what}");
        }
        for flag in ["secondary", "tentative", "deprecated", "dadfailed", "dynamic", "nodad", "noprefixroute"]
        {
            let has = ours["flags"].as_array().is_some_and(|flags| flags.iter().any(|known| known == flag));
            assert_eq!(has, ip[flag] == true, "{flag}: {what}");
        }
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
    let expected: Value = serde_json::from_str(
        r#"[{"family": "ipv4", "address": "10.1.0.1", "metric": 200},
            {"family": "ipv6", "address": "fd01::1", "metric": 1024}]"#,
    )
    .expect("JSON");
    assert_eq!(data["gateways"], expected, "{data}");
    assert_eq!(data["dns_servers"][0], "127.0.0.1", "{data}");
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

fn many() -> Result<(), String> {
    let host = Host::new("host");
    host.sh("for i in $(seq 1000); do echo link add m$i type veth peer name n$i; done | ip -batch -");
    let run = host.netdiag("ifaces --json");
    expect_code(&run, 0);
    assert_eq!(run.json()["data"].as_array().map(Vec::len), Some(2001));
    assert_eq!(host.netdiag("ifaces").stdout.lines().count(), 2002);
    Ok(())
}
