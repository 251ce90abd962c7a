//! Who holds a port and whether one can have it, beside ss(8), and beside really binding it.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{self, Test, expect_code};
use crate::net::{Host, can_become_nobody};
use crate::services::Running;
use crate::sockets::{Held, itself, try_all};

pub(crate) const TESTS: &[Test] = &[
    ("port::whether_it_can_be_had_is_what_binding_says", bindable),
    ("port::what_privilege_it_takes", privileged),
    ("port::holders_are_those_of_ss", beside_ss),
    ("port::every_process_of_a_real_server", real_servers),
    ("port::workers_of_a_hidden_master", hidden_master),
    ("port::what_is_left_of_connections", remnants),
    ("port::what_others_hold_is_denied_and_not_empty", denied),
    ("port::who_may_not_look_everywhere_is_told_so", half_blind),
    ("port::what_ss_does_not_show", beyond_ss),
    ("port::free_ports_are_free", free),
    ("port::a_hostile_name_is_harmless", hostile),
    ("port::what_comes_and_goes_is_told", watched),
    ("port::a_look_takes_nothing_from_anybody", harmless),
];

/// The port that the rows below are about.
const PORT: u16 = 4321;

/// What is held, and of how many of the twelve ways to bind it stays untold whether they work: to root, who cannot see
/// whether what is left of an IPv6 connection takes IPv4 too, and to nobody, who may not look into others' sockets.
const SCENARIOS: [(&str, usize, usize); 32] = [
    ("", 0, 0),
    ("listen,0.0.0.0:4321", 0, 0),
    ("listen,0.0.0.0:4321,reuse", 0, 0),
    ("listen,127.0.0.1:4321", 0, 0),
    ("listen,[::]:4321", 0, 0),
    ("listen,[::]:4321,reuse", 0, 0),
    ("listen,[::]:4321,v6only", 0, 0),
    ("listen,[::1]:4321", 0, 0),
    ("listen,[::]:4321,v6only listen,0.0.0.0:4321", 0, 0),
    ("listen,0.0.0.0:4321,reuseport listen,0.0.0.0:4321,reuseport", 0, 0),
    ("listen,0.0.0.0:4321,lo", 0, 0),
    ("bound,0.0.0.0:4321", 0, 2),
    ("bound,0.0.0.0:4321,reuse", 0, 2),
    ("bound,127.0.0.1:4321,reuse", 0, 2),
    ("bound,[::]:4321", 0, 3),
    ("bound,[::]:4321,reuse", 0, 3),
    ("bound,[::]:4321,v6only,reuse", 0, 2),
    ("bound,[::1]:4321", 0, 2),
    ("established,127.0.0.1:4321", 0, 0),
    ("established,127.0.0.1:4321,reuse", 0, 0),
    ("established,[::1]:4321,reuse", 0, 1),
    ("mapped,[::]:4321,reuse", 0, 0),
    ("mapped,[::]:4321", 0, 0),
    ("time-wait,127.0.0.1:4321", 0, 0),
    ("time-wait,127.0.0.1:4321,reuse", 0, 0),
    ("time-wait,[::]:4321,reuse", 1, 1),
    ("time-wait,[::]:4321,v6only", 2, 2),
    ("udp,0.0.0.0:4321", 0, 2),
    ("udp,[::]:4321,reuse", 0, 3),
    ("udp,[::]:4321,v6only udp,127.0.0.1:4321,reuse", 0, 3),
    ("udp-connected,127.0.0.1:4321 listen,[::1]:4321", 0, 2),
    ("bound,[::]:4321,reuse listen,[::1]:4321,reuse", 0, 1),
];

/// A command that runs this program in a host, as nobody if that is wanted.
fn again(host: &Host, as_nobody: bool) -> Command {
    if !as_nobody {
        return host.command(&itself());
    }
    let mut command = host.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", &itself()]);
    command
}

fn port(host: &Host, args: &str, as_nobody: bool) -> Value {
    let args = format!("port {args} --json");
    let run = if as_nobody { host.netdiag_as_nobody(&args) } else { host.netdiag(&args) };
    expect_code(&run, 0);
    run.json()["data"].clone()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("no {key}: {value}"))
}

fn bindable() -> Result<(), String> {
    for (sockets, of_root, of_nobody) in SCENARIOS {
        // A host each: what is left of a connection stays for a minute.
        let host = Host::new("alone");
        let _held = Held::new(&host, sockets);
        for as_nobody in [false, true] {
            if as_nobody && !can_become_nobody() {
                continue;
            }
            let mut untold = 0;
            let told = port(&host, &PORT.to_string(), as_nobody)[0].clone();
            let checked = port_checked(&host, as_nobody);
            for (protocol, family, v6only, reuse, bound) in try_all(again(&host, as_nobody), PORT) {
                let what = format!(
                    "{sockets}: {protocol} {family} v6only {v6only:?} reuse {reuse} nobody {as_nobody}"
                );
                let find = |row: &Value| {
                    let is_it = |kind: &&Value| {
                        kind["protocol"] == *protocol
                            && kind["family"] == *family
                            && kind.get("v6only").and_then(Value::as_bool) == v6only
                            && kind["reuse_address"] == reuse
                    };
                    list(row, "bindable").iter().find(is_it).unwrap_or_else(|| panic!("{what}")).clone()
                };
                let kind = find(&told);
                match kind["can_bind"].as_bool() {
                    Some(can) => assert_eq!(can, bound, "{what}: {kind}"),
                    None => untold += 1,
                }
                assert_eq!(kind["reason"].is_null(), kind["can_bind"] == true, "{what}: {kind}");
                assert_eq!(kind["is_checked"], false, "{what}");
                let kind = find(&checked);
                assert_eq!((&kind["can_bind"], &kind["is_checked"]), (&bound.into(), &true.into()), "{what}");
            }
            let expected = if as_nobody { of_nobody } else { of_root };
            assert_eq!(untold, expected, "{sockets}, nobody {as_nobody}: so many answers were not told");
        }
    }
    Ok(())
}

fn port_checked(host: &Host, as_nobody: bool) -> Value {
    let args = format!("port {PORT} --check-bind --json");
    let run = if as_nobody { host.netdiag_as_nobody(&args) } else { host.netdiag(&args) };
    let row = run.json()["data"][0].clone();
    let is_any = list(&row, "bindable").iter().any(|kind| kind["can_bind"] == true);
    expect_code(&run, i32::from(!is_any));
    row
}

fn privileged() -> Result<(), String> {
    let host = Host::new("alone");
    let causes = |row: &Value| -> BTreeSet<String> {
        let causes = list(row, "bindable").iter().filter_map(|kind| kind["cause"].as_str());
        causes.map(str::to_owned).collect()
    };
    assert!(causes(&port(&host, "80", false)[0]).is_empty(), "root of its own namespace may");
    if !can_become_nobody() {
        return Err("only root can become another user".to_owned());
    }
    let row = port(&host, "80", true)[0].clone();
    assert_eq!(causes(&row), BTreeSet::from(["privilege".to_owned()]), "{row}");
    assert!(try_all(again(&host, true), 80).iter().all(|kind| !kind.4));
    let remedies = row["remedies"].to_string();
    assert!(remedies.contains("ip_unprivileged_port_start=80") && remedies.contains("setcap"), "{remedies}");
    expect_code(&host.netdiag_as_nobody("port 80 --check-bind"), 1);
    host.sh("sysctl -qw net.ipv4.ip_unprivileged_port_start=80");
    let row = port(&host, "80", true)[0].clone();
    assert_eq!((&row["needs_privilege"], causes(&row).is_empty()), (&false.into(), true), "{row}");
    assert!(try_all(again(&host, true), 80).iter().all(|kind| kind.4));
    assert_eq!(port(&host, "79", true)[0]["needs_privilege"], true);
    // A user namespace of one's own is no privilege over a network namespace that was there before.
    let mut inside = host.command("unshare");
    inside.args(["--user", "--map-root-user", env!("CARGO_BIN_EXE_netdiag"), "port", "79", "--json"]);
    let run = common::finish(inside);
    if run.code == Some(0) {
        assert_eq!(causes(&run.json()["data"][0]), BTreeSet::from(["privilege".to_owned()]), "{run:?}");
    } else {
        eprintln!("SKIPPED: no further user namespace: {}", run.stderr);
    }
    Ok(())
}

/// What ss(8) says of a socket: protocol, state, both ends, uid, inode and pids.
type Seen = (String, String, String, String, u64, u64, BTreeSet<u64>);

fn by_ss(host: &Host) -> Vec<Seen> {
    let text = host.sh("ss -tulpnaeOH");
    let seen = |line: &str| -> Seen {
        let words: Vec<&str> = line.split_whitespace().collect();
        let field =
            |name: &str| words.iter().find_map(|word| word.strip_prefix(name)).map_or("0", |text| text);
        let pids = line.match_indices("pid=").map(|(at, _)| {
            let digits: String = line[at + 4..].chars().take_while(char::is_ascii_digit).collect();
            digits.parse().expect("a pid")
        });
        let end = |text: &str| {
            // It writes the port of a socket for both families without its address, and an interface behind one.
            let text = text.strip_prefix("*:").map_or(text.to_owned(), |port| format!("[::]:{port}"));
            match text.split_once('%') {
                Some((address, rest)) => format!("{address}:{}", rest.rsplit(':').next().expect("a port")),
                None => text,
            }
        };
        // Without another end it has a star for its port.
        let remote = if words[5].ends_with(":*") { String::new() } else { end(words[5]) };
        let number = |text: &str| text.parse().expect("a number");
        let (protocol, state) = (words[0].to_owned(), words[1].to_owned());
        (protocol, state, end(words[4]), remote, number(field("uid:")), number(field("ino:")), pids.collect())
    };
    let mut all: Vec<Seen> = text.lines().map(seen).collect();
    all.sort();
    all
}

fn by_port(rows: &Value) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    for holder in rows.as_array().expect("rows").iter().flat_map(|row| list(row, "holders")) {
        let text = |key: &str| holder[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| holder[key].as_u64().unwrap_or(0);
        let socket =
            (text("protocol"), text("state"), text("local"), text("remote"), number("uid"), number("inode"));
        let pid = holder["pid"].as_u64();
        // One entry a socket and process.
        match all.last_mut().filter(|it| it.5 == socket.5 && socket.5 != 0) {
            Some(known) => known.6.extend(pid),
            None => all.push((
                socket.0,
                socket.1,
                socket.2,
                socket.3,
                socket.4,
                socket.5,
                pid.into_iter().collect(),
            )),
        }
    }
    all.sort();
    all
}

fn beside_ss() -> Result<(), String> {
    let host = Host::new("alone");
    let _first = Held::new(
        &host,
        "listen,0.0.0.0:1001,reuseport listen,[::]:1002 listen,[::]:1003,v6only listen,127.0.0.1:1004,lo udp,0.0.0.0:1005 \
         udp,[::]:1006 udp-connected,127.0.0.1:1007 established,[::1]:1008 established,127.0.0.1:1009 \
         time-wait,127.0.0.1:1010,reuse",
    );
    let _second = Held::new(&host, "listen,0.0.0.0:1001,reuseport udp,[::1]:1005 listen,[::1]:1004");
    let others =
        can_become_nobody().then(|| Held::with(again(&host, true), "listen,0.0.0.0:2001 udp,0.0.0.0:2002"));
    let all = by_ss(&host);
    assert!(all.len() >= 14, "{all:?}");
    // Everything that has a port, whatever its state.
    assert_eq!(by_port(&port(&host, "1-65535", false)), all);
    let is_server = |seen: &Seen| matches!(seen.1.as_str(), "LISTEN" | "UNCONN");
    let servers: Vec<Seen> = all.iter().filter(|seen| is_server(seen)).cloned().collect();
    let listed = port(&host, "--list", false);
    assert_eq!(by_port(&listed), servers);
    let ports: Vec<u64> =
        listed.as_array().expect("rows").iter().map(|row| row["port"].as_u64().expect("a port")).collect();
    assert!(ports.is_sorted_by(|one, other| one < other), "{ports:?}");
    // Each of several processes that share a port, and only the protocol that is asked for.
    let shared = port(&host, "1001", false)[0].clone();
    let pids: BTreeSet<u64> =
        list(&shared, "holders").iter().filter_map(|holder| holder["pid"].as_u64()).collect();
    assert_eq!(pids.len(), 2, "{shared}");
    let only = port(&host, "--list --proto udp", false);
    assert!(by_port(&only).iter().all(|seen| seen.0 == "udp") && !by_port(&only).is_empty());
    assert_eq!(port(&host, "1001-1010 --listening --proto tcp", false).as_array().expect("rows").len(), 4);
    let pid = shared["holders"][0]["pid"].as_u64().expect("a pid");
    let of_pid = by_port(&port(&host, &format!("--list --process {pid}"), false));
    assert!(of_pid.len() >= 3 && of_pid.iter().all(|seen| seen.6.contains(&pid)), "{of_pid:?}");
    if others.is_some() {
        let of_user = by_port(&port(&host, "--list --user 65534", false));
        assert_eq!(of_user.len(), 2, "{of_user:?}");
        assert!(of_user.iter().all(|seen| seen.4 == 65534));
        let named = by_port(&port(&host, "--list --user nobody", false));
        assert_eq!(named, of_user);
    }
    // Who listens on IPv6 with IPv4 is told from who does not.
    let v6only = |port: u16| {
        let row = listed.as_array().expect("rows").iter().find(|row| row["port"] == port).expect("listed");
        row["holders"][0]["v6only"].clone()
    };
    assert_eq!((v6only(1001), v6only(1002), v6only(1003)), (Value::Null, false.into(), true.into()));
    expect_code(&host.netdiag("port 3000-4000 --listening"), 1);
    expect_code(&host.netdiag("port --list --process no-such-process"), 1);
    Ok(())
}

fn real_servers() -> Result<(), String> {
    if !common::has("nginx") {
        return Err("'nginx' is not installed".to_owned());
    }
    if !can_become_nobody() {
        return Err("nginx becomes another user, which a user namespace of one user has not".to_owned());
    }
    let host = Host::new("alone");
    // A folder of this lab's own.
    host.sh("mkdir -p /run/prefork && cat > /run/prefork/nginx.conf <<'END'
daemon off; worker_processes 3; pid /run/prefork/pid; error_log /dev/null;
events { }
http { access_log off; server { listen 8080; listen [::]:8080; } }
END");
    let nginx = Running::start(&host, "nginx", &["-c", "/run/prefork/nginx.conf"], 8080);
    // The workers come a moment after the master listens; ss(8) is asked before and after, until nothing moves.
    let deadline = Instant::now() + Duration::from_secs(30);
    let row = loop {
        assert!(Instant::now() < deadline, "its processes never stand still");
        let before = by_ss(&host);
        let row = port(&host, "8080", false);
        if before == by_ss(&host) && before.iter().all(|seen| seen.6.len() == 4) {
            assert_eq!(by_port(&row), before);
            break row[0].clone();
        }
    };
    for holder in list(&row, "holders") {
        assert_eq!(holder["process"], "nginx");
        assert!(holder["command"].as_str().is_some_and(|command| command.starts_with("nginx: ")), "{holder}");
        assert_eq!((&holder["owner"], &holder["is_own_netns"]), (&"known".into(), &true.into()), "{holder}");
    }
    assert!(row["remedies"].to_string().contains("nginx"), "{row}");
    drop(nginx);
    assert!(by_ss(&host).is_empty(), "its processes have ended with it");
    Ok(())
}

/// A user who may look into a server's workers and not into its master is told of the master, and to stop that.
fn hidden_master() -> Result<(), String> {
    if !common::has("nginx") {
        return Err("'nginx' is not installed".to_owned());
    }
    if !can_become_nobody() {
        return Err("nginx becomes another user, which a user namespace of one user has not".to_owned());
    }
    let host = Host::new("alone");
    // With a limit of core files its workers may be looked into by their user (`worker_rlimit_core`, PR_SET_DUMPABLE).
    host.sh("mkdir -p /run/hidden && cat > /run/hidden/nginx.conf <<'END'
user nobody nogroup; worker_rlimit_core 1k; worker_processes 2;
daemon off; pid /run/hidden/pid; error_log /dev/null;
events { }
http { access_log off; server { listen 8081; } }
END");
    let nginx = Running::start(&host, "nginx", &["-c", "/run/hidden/nginx.conf"], 8081);
    let deadline = Instant::now() + Duration::from_secs(60);
    let row = loop {
        assert!(Instant::now() < deadline, "its workers do not come");
        let row = port(&host, "8081", true)[0].clone();
        if list(&row, "holders").iter().filter(|holder| holder["owner"] == "known").count() == 2 {
            break row;
        }
    };
    let master = nginx.pid();
    for holder in list(&row, "holders") {
        let parent = &holder["hidden_parent"];
        assert_eq!((&parent["pid"], &parent["user"]), (&master.into(), &"root".into()), "{holder}");
        assert_ne!(holder["pid"], master, "{holder}");
    }
    let remedies = row["remedies"].to_string();
    assert!(
        remedies.contains(&format!(
            "stop nginx (pid {master}), the parent, which most likely holds it, too, not its workers: sudo kill {master}"
        )),
        "{remedies}"
    );
    assert!(!remedies.contains("end nginx: kill"), "{remedies}");
    let told = host.netdiag_as_nobody("port 8081 --details");
    let title = told.stdout.lines().next().expect("a title");
    assert!(title.contains(&format!("started by nginx (pid {master}) of root")), "{told:?}");
    Ok(())
}

fn remnants() -> Result<(), String> {
    let host = Host::new("alone");
    let held = Held::new(&host, "time-wait,127.0.0.1:4321,reuse time-wait,127.0.0.1:4322");
    drop(held);
    let rows = port(&host, "4321-4322", false);
    for (row, is_shared) in rows.as_array().expect("rows").iter().zip([true, false]) {
        let [holder] = list(row, "holders") else { panic!("{row}") };
        assert_eq!((&holder["state"], &holder["pid"]), (&"TIME-WAIT".into(), &Value::Null), "{holder}");
        assert_eq!((&holder["owner"], &holder["uid"]), (&"none".into(), &Value::Null), "{holder}");
        let left = holder["remaining_ms"].as_u64().expect("a time");
        assert!((1..=60_000).contains(&left), "{left}");
        let kind = |reuse: bool| {
            let is_it = |kind: &&Value| {
                kind["protocol"] == "tcp" && kind["family"] == "ipv4" && kind["reuse_address"] == reuse
            };
            list(row, "bindable").iter().find(is_it).expect("a kind").clone()
        };
        assert_eq!((&kind(false)["can_bind"], &kind(false)["cause"]), (&false.into(), &"time-wait".into()));
        // It takes SO_REUSEADDR on both, which the one that has gone had not.
        assert_eq!(kind(true)["can_bind"], is_shared, "{row}");
        let remedies = row["remedies"].to_string();
        assert!(remedies.contains("wait ") && remedies.contains("SO_REUSEADDR"), "{remedies}");
        assert_eq!(remedies.contains("helps only if"), !is_shared, "{remedies}");
    }
    // Nothing of it is in the way of an IPv6 socket that leaves IPv4 alone.
    assert!(
        list(&rows[0], "bindable")
            .iter()
            .filter(|kind| kind["v6only"] == true)
            .all(|kind| kind["can_bind"] == true)
    );
    Ok(())
}

fn denied() -> Result<(), String> {
    if !can_become_nobody() {
        return Err("only root can become another user".to_owned());
    }
    let host = Host::new("alone");
    let _held = Held::new(&host, "listen,127.0.0.1:4321");
    let run = host.netdiag_as_nobody("port 4321 --json");
    expect_code(&run, 0);
    let holder = run.json()["data"][0]["holders"][0].clone();
    assert_eq!((&holder["pid"], &holder["owner"]), (&Value::Null, &"denied".into()), "{holder}");
    assert_eq!((&holder["uid"], &holder["user"]), (&0.into(), &"root".into()), "{holder}");
    assert_eq!(run.json()["warnings"][0]["code"], "owners-denied");
    let remedies = run.json()["data"][0]["remedies"].to_string();
    assert!(remedies.contains("sudo "), "{remedies}");
    let table = host.netdiag_as_nobody("port --list");
    let row = table.stdout.lines().find(|line| line.contains("4321")).expect("listed");
    assert!(row.contains("denied") && row.contains("root"), "{table:?}");
    // Who asks for a process could not be told of this one: that is not nobody.
    let filtered = host.netdiag_as_nobody("port --list --process lab* --json");
    expect_code(&filtered, 3);
    assert!(filtered.json()["warnings"].to_string().contains("owners-denied"), "{filtered:?}");
    // An own process is told beside it.
    let own = Held::with(again(&host, true), "listen,127.0.0.1:4322");
    let rows = port(&host, "4322", true);
    assert_eq!(rows[0]["holders"][0]["pid"], own.pid(), "{rows}");
    Ok(())
}

/// Root without the capability to look into processes, and a `/proc` that does not list those of others.
fn half_blind() -> Result<(), String> {
    if !can_become_nobody() {
        return Err("only root can become another user".to_owned());
    }
    let host = Host::new("alone");
    let _held = Held::with(again(&host, true), "listen,127.0.0.1:4321");
    let owner = |script: &str| -> Value {
        let mut command = host.command("unshare");
        command.args(["--mount", "sh", "-ec", script]);
        let run = common::finish(command);
        expect_code(&run, 0);
        run.json()["data"][0]["holders"][0]["owner"].clone()
    };
    let netdiag = env!("CARGO_BIN_EXE_netdiag");
    let without =
        format!("exec setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace {netdiag} port 4321 --json");
    assert_eq!(owner(&without), "denied");
    let hidden = format!(
        "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=1 --regid=1 --clear-groups {netdiag} port 4321 --json"
    );
    assert_eq!(owner(&hidden), "denied");
    assert_eq!(owner(&format!("exec {netdiag} port 4321 --json")), "known");
    Ok(())
}

/// What ss(8) does not show: a socket that is bound and does nothing else, all processes of one that is inherited, and
/// what waits to be accepted.
fn beyond_ss() -> Result<(), String> {
    let host = Host::new("alone");
    let held = Held::new(&host, "bound,127.0.0.1:4321 shared,127.0.0.1:4322 unaccepted,127.0.0.1:4323");
    let rows = port(&host, "4321-4323", false);
    let [bound] = list(&rows[0], "holders") else { panic!("{rows}") };
    assert_eq!((&bound["state"], &bound["pid"]), (&"BOUND".into(), &held.pid().into()), "{bound}");
    assert_eq!((&bound["remote"], &bound["local"]), (&Value::Null, &"127.0.0.1:4321".into()), "{bound}");
    let shared = list(&rows[1], "holders");
    let names: BTreeSet<&str> = shared.iter().filter_map(|holder| holder["process"].as_str()).collect();
    assert!(shared.len() == 2 && names.contains("cat"), "{shared:?}");
    let inodes: BTreeSet<u64> = shared.iter().filter_map(|holder| holder["inode"].as_u64()).collect();
    assert_eq!(inodes.len(), 1, "{shared:?}");
    let of_state = |state: &str| -> &Value {
        list(&rows[2], "holders").iter().find(|holder| holder["state"] == state).expect("a state")
    };
    let (listener, waiting) = (of_state("LISTEN"), of_state("ESTAB"));
    assert_eq!((&listener["accept_queue"], &listener["backlog"]), (&1.into(), &16.into()), "{listener}");
    assert_eq!((&waiting["owner"], &waiting["pid"]), (&"unaccepted".into(), &Value::Null), "{waiting}");
    assert!(waiting["remote"].as_str().is_some_and(|remote| remote.starts_with("127.0.0.1:")), "{waiting}");
    Ok(())
}

fn free() -> Result<(), String> {
    let host = Host::new("alone");
    let _held = Held::new(
        &host,
        "listen,0.0.0.0:8001 bound,127.0.0.1:8003 udp,[::]:8005 time-wait,127.0.0.1:8007,reuse",
    );
    let ports = |args: &str| -> Vec<u64> {
        let rows = port(&host, args, false);
        rows.as_array().expect("rows").iter().filter_map(|row| row["port"].as_u64()).collect()
    };
    assert_eq!(ports("8000-8010 --free"), [8000, 8002, 8004, 8006, 8008, 8009, 8010]);
    assert_eq!(
        ports("8000-8010 --free --proto udp"),
        [8000, 8001, 8002, 8003, 8004, 8006, 8007, 8008, 8009, 8010]
    );
    assert_eq!(ports("8000-8200 --free").len(), 201 - 4);
    let some = ports("--free");
    assert!(some.len() >= 3, "{some:?}");
    for port in some {
        let tried = try_all(host.command(&itself()), u16::try_from(port).expect("a port"));
        assert!(tried.iter().all(|kind| kind.4), "{port}: {tried:?}");
    }
    expect_code(&host.netdiag("port 8001 8003 --free"), 1);
    let near = port(&host, "8001", false)[0]["free_nearby"].clone();
    assert_eq!(near, serde_json::json!([8002, 8004, 8006]));
    Ok(())
}

fn hostile() -> Result<(), String> {
    let host = Host::new("alone");
    // A bell, a title for the window, a line feed, half of a character.
    let _held = Held::new(&host, "name,1b.5d.30.3b.78.07.0a.e2.80 listen,127.0.0.1:4321");
    for args in [
        "port 4321",
        "port --list",
        "port 4321 --details",
        "port --list --color always",
        "port --list --format csv",
    ] {
        let run = host.netdiag(args);
        expect_code(&run, 0);
        let text = format!("{}{}", run.stdout, run.stderr).replace("\x1b[", "");
        let is_harmless = |c: char| c == '\n' || !c.is_control();
        assert!(text.chars().all(is_harmless), "{args}: {text:?}");
        assert!(text.contains("\\x1b]0;x\\x07\\n") || args.contains("csv"), "{args}: {text}");
    }
    let name = port(&host, "4321", false)[0]["holders"][0]["process"].clone();
    assert_eq!(name, "\u{1b}]0;x\u{7}\n\u{fffd}");
    Ok(())
}

/// A program that goes on until the value goes.
struct Watcher(Child);

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn watched() -> Result<(), String> {
    let host = Host::new("alone");
    let _before = Held::new(&host, "listen,127.0.0.1:4320");
    let mut command = host.command(env!("CARGO_BIN_EXE_netdiag"));
    // So many looks that it ends by itself, should anything not be told.
    command
        .args(["port", "--list", "--watch", "0.05", "-c", "600", "--format", "ndjson"])
        .stdout(Stdio::piped());
    let mut watcher = Watcher(command.spawn().expect("netdiag starts"));
    let mut lines = BufReader::new(watcher.0.stdout.take().expect("piped")).lines();
    let mut next =
        || -> Value { serde_json::from_str(&lines.next().expect("an event").expect("text")).expect("JSON") };
    // What is there at first tells that it has begun.
    let event = next();
    assert_eq!((&event["event"], &event["port"]), (&"present".into(), &4320.into()), "{event}");
    let held = Held::new(&host, "listen,127.0.0.1:4321");
    let event = next();
    assert_eq!(
        (&event["event"], &event["port"], &event["state"]),
        (&"opened".into(), &4321.into(), &"LISTEN".into())
    );
    assert_eq!(event["pid"], held.pid(), "{event}");
    drop(held);
    let event = next();
    assert_eq!((&event["event"], &event["port"]), (&"closed".into(), &4321.into()), "{event}");
    let _more = Held::new(&host, "udp,127.0.0.1:4322");
    let event = next();
    assert_eq!(
        (&event["event"], &event["port"], &event["protocol"]),
        (&"opened".into(), &4322.into(), &"udp".into())
    );
    Ok(())
}

/// Without `--check-bind` no port is bound but beside what is left of a connection, where hardly anybody else could.
fn harmless() -> Result<(), String> {
    if !common::has("strace") {
        return Err("'strace' is not installed".to_owned());
    }
    if !Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).status().is_ok_and(|it| it.success())
    {
        return Err("strace may not trace here".to_owned());
    }
    let host = Host::new("alone");
    let _held = Held::new(&host, "listen,0.0.0.0:4321 udp,0.0.0.0:4322 time-wait,127.0.0.1:4323,reuse");
    let binds = |args: &str| -> Vec<String> {
        let mut command = host.command("strace");
        command
            .args(["-f", "-qq", "-e", "trace=bind", env!("CARGO_BIN_EXE_netdiag"), "port"])
            .args(args.split(' '));
        let run = common::finish(command);
        let is_inet = |line: &&str| line.contains("bind(") && line.contains("AF_INET");
        run.stderr.lines().filter(is_inet).map(str::to_owned).collect()
    };
    assert_eq!(binds("4321 4322 4324 80 4000-5000"), Vec::<String>::new());
    assert_eq!(binds("--list"), Vec::<String>::new());
    let beside = binds("4323");
    assert!(
        beside.len() == 1 && beside[0].contains("htons(4323)") && beside[0].contains("127.0.0.1"),
        "{beside:?}"
    );
    assert_eq!(binds("4324 --check-bind --proto tcp").len(), 6);
    Ok(())
}
