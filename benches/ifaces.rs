//! `ifaces` beside `ip` and `ifconfig`: at five interfaces, at 2,001, and how it grows in between.
//!
//! Needs root (or a user namespace); the interfaces are made in network namespaces of this bench's own. Every
//! interface but the loopback is one end of a veth, up, with an IPv4 and a link-local IPv6 address; there are a default
//! route and a name server. Times are medians of runs in turn, instructions those of one run under callgrind. What
//! clap takes to read the command line is told apart: it is part of the whole.

#[path = "beside/mod.rs"]
mod beside;
#[path = "../tests/common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the lab's tests use the rest")]
#[path = "../tests/lab/net.rs"]
mod net;

use std::process::ExitCode;

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    println!("NOT MEASURED: the interfaces are Linux's");
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    // Started again inside a host, so that nothing but the commands is measured.
    if let Some(what) = std::env::args().skip_while(|arg| arg != linux::HERE).nth(1) {
        linux::measure(&what);
        return ExitCode::SUCCESS;
    }
    match net::enter() {
        net::Stage::Outside(code) => code,
        net::Stage::Inside => {
            linux::run();
            ExitCode::SUCCESS
        }
        net::Stage::Unavailable(reason) => {
            println!("NOT MEASURED: {reason}");
            ExitCode::SUCCESS
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt::Write as _;
    use std::time::Duration;

    use crate::beside::{instructions, millions, ratio, runs, table, times};
    use crate::net::Host;

    const NETDIAG: &str = env!("CARGO_BIN_EXE_netdiag");
    /// Runs of each command in turn, after one that is not counted.
    const RUNS: usize = 21;
    /// `ifconfig` takes seconds for thousands of interfaces.
    const FEW_RUNS: usize = 3;

    /// What comes before the name of a measurement on the command line.
    pub(super) const HERE: &str = "--here";

    pub(super) fn run() {
        println!("five interfaces; medians of {RUNS} runs in turn, instructions of one run\n");
        let few = host(2);
        inside(&few, "five");
        println!("2,001 interfaces\n");
        let many = host(1000);
        inside(&many, "many");
        println!("growth: interfaces, millions of instructions of `ifaces --json`, instructions each\n");
        for (host, count) in [(few, 5), (host(250), 501), (host(500), 1001), (many, 2001)] {
            inside(&host, &count.to_string());
        }
    }

    /// Makes a measurement inside a host.
    fn inside(host: &Host, what: &str) {
        let mut command = host.command(&std::env::current_exe().expect("a path").display().to_string());
        let status = command.args([HERE, what]).status().expect("nsenter starts");
        assert!(status.success(), "{what}");
    }

    /// Makes a measurement in this network namespace.
    pub(super) fn measure(what: &str) {
        match what {
            "five" => {
                beside(&[("ifaces", "ip -br a"), ("ifaces", "ifconfig -a"), ("ifaces --json", "ip -j addr")]);
            }
            "many" => {
                beside(&[("ifaces --json", "ip -j addr"), ("ifaces", "ip -j addr"), ("ifaces", "ip -br a")]);
                time_only("ifaces", "ifconfig -a");
            }
            count => {
                let counted = instructions(&[NETDIAG, "ifaces", "--json"], None);
                let count: f64 = count.parse().expect("a number of interfaces");
                let each = counted.map_or("-".to_owned(), |counted| format!("{:.0}", counted / count));
                println!("{count:5}  {:>6}  {each:>6}", millions(counted));
            }
        }
    }

    /// A host with so many pairs of interfaces beside its loopback.
    fn host(pairs: usize) -> Host {
        let host = Host::new("host");
        let mut batch = String::new();
        for pair in 0..pairs {
            let (high, low) = (pair / 250, pair % 250);
            writeln!(
                batch,
                "link add m{pair} type veth peer name n{pair}\nlink set m{pair} up\nlink set n{pair} up\n\
                 addr add 10.{high}.{low}.1/24 dev m{pair}\naddr add 10.{}.{low}.1/24 dev n{pair}",
                high + 100
            )
            .expect("writing to memory does not fail");
        }
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("ifaces.batch");
        std::fs::write(&file, batch).expect("writing the batch");
        host.sh(&format!("ip -batch {} && ip route add default via 10.0.0.2 dev m0", file.display()));
        // The kernel gives link-local addresses a moment later.
        let wanted = 2 * pairs;
        while host.sh("ip -6 -o addr show scope link | wc -l").trim() != wanted.to_string() {
            std::thread::sleep(Duration::from_millis(20));
        }
        host
    }

    fn words(what: &'static str, peer: &'static str) -> (Vec<&'static str>, Vec<&'static str>) {
        (std::iter::once(NETDIAG).chain(what.split(' ')).collect(), peer.split(' ').collect())
    }

    fn ms(time: Duration) -> f64 {
        time.as_secs_f64() * 1000.0
    }

    fn beside(pairs: &[(&'static str, &'static str)]) {
        let mut rows = Vec::new();
        for (what, peer) in pairs {
            let (ours, theirs) = words(what, peer);
            if !runs(&theirs) {
                println!("NOT MEASURED, not installed: {peer}");
                continue;
            }
            let took = times(&[&ours, &theirs], RUNS);
            let (our_count, their_count) = (instructions(&ours, None), instructions(&theirs, None));
            let reading = instructions(&ours, Some("netdiag::cli::parse*"));
            rows.push(vec![
                format!("{what} / {peer}"),
                format!("{:.2}", ms(took[0])),
                format!("{:.2}", ms(took[1])),
                format!("{:.2}", ms(took[0]) / ms(took[1])),
                millions(our_count),
                millions(their_count),
                ratio(our_count, their_count),
                millions(reading),
            ]);
        }
        table(
            &[
                "WHAT",
                "OURS_MS",
                "PEER_MS",
                "TIME_RATIO",
                "OURS_M",
                "PEER_M",
                "INSTRUCTIONS_RATIO",
                "OF_IT_CLAP_M",
            ],
            rows,
        );
    }

    /// The same without instructions, for a peer that would take minutes under valgrind.
    fn time_only(what: &'static str, peer: &'static str) {
        let (ours, theirs) = words(what, peer);
        if !runs(&theirs) {
            println!("NOT MEASURED, not installed: {peer}");
            return;
        }
        let took = times(&[&ours, &theirs], FEW_RUNS);
        println!(
            "{what} / {peer}, medians of {FEW_RUNS}: {:.1} ms / {:.1} ms = {:.4}\n",
            ms(took[0]),
            ms(took[1]),
            ms(took[0]) / ms(took[1])
        );
    }
}
