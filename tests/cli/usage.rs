//! Wrong input: what was wrong, where, what would be right, exit 2, nothing half done.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use std::process::Command;

use crate::common::{Test, expect_code, finish, netdiag, run};

pub(crate) const TESTS: &[Test] = &[
    (
        "usage::every_wrong_command_line_says_what_would_be_right",
        every_wrong_command_line_says_what_would_be_right,
    ),
    ("usage::what_is_wrong_is_quoted_harmlessly", what_is_wrong_is_quoted_harmlessly),
    ("usage::help_and_version_are_asked_for_and_so_are_fine", help_and_version_are_asked_for_and_so_are_fine),
    ("usage::the_examples_in_the_help_parse", the_examples_in_the_help_parse),
    ("usage::completions_and_manual_pages", completions_and_manual_pages),
    ("usage::completions_offer_files_only_where_one_is_meant", no_files_where_none_belong),
    ("usage::names_and_options_of_other_tools", names_and_options_of_other_tools),
];

/// A command line that is wrong, and what the error must say.
const WRONG: &[(&str, &[&str])] = &[
    ("", &["Usage: netdiag"]),
    ("nonsense", &["unrecognized subcommand 'nonsense'"]),
    ("ifaces no-such-interface", &["no interface 'no-such-interface'", "the interfaces are"]),
    (
        "ifaces --columns nme",
        &["unknown column 'nme' in --columns", "did you mean 'name'?", "the columns are\n  index "],
    ),
    ("ifaces --sort mtus", &["unknown column 'mtus' in --sort", "did you mean 'mtu'?"]),
    ("ifaces --format xml", &["invalid value 'xml' for '--format <FORMAT>'", "table, json, ndjson, csv"]),
    ("ifaces --json --format csv", &["'--json' cannot be used with '--format <FORMAT>'"]),
    ("ifaces --width 0", &["invalid value '0' for '--width <N>'"]),
    ("ifaces -4 -6", &["'--ipv4' cannot be used with '--ipv6'"]),
    (
        "ifaces --kind bridg",
        &["unknown kind of interface 'bridg'", "did you mean 'bridge'?", "the kinds are "],
    ),
    ("ifaces a[", &["'a[' is not a valid name pattern", "patterns work as in a shell"]),
    ("ifaces --brief --details", &["'--brief' cannot be used with '--details'"]),
    ("ifaces --details --columns name", &["--details and --columns both choose what is shown", "omit one"]),
    ("ifaces --watch 0", &["'0' for '--watch <SECS>'", "0.001 to 86400 seconds"]),
    ("ifaces --count 3", &["--watch <SECS>"]),
    ("ifaces --watch 1 --count 0", &["'0' for '--count <N>'"]),
    ("ifaces -q -v", &["'--quiet' cannot be used with '--verbose'"]),
    ("ping 256.1.1.1", &["'256.1.1.1'", "four numbers from 0 to 255"]),
    ("ping http://localhost/", &["this is a URL; write only its host"]),
    ("ping localhost:80", &["no port is expected here"]),
    ("ping [::1]", &["write it without brackets"]),
    ("ping 10.0.0.0/33", &["'10.0.0.0/33'", "0 to 32"]),
    ("ping 10.0.0.0/8", &["10.0.0.0/8 is too large to sweep", "the limit is a /16"]),
    ("ping 10.0.0.0/12", &["10.0.0.0/12 has 1048574 hosts", "confirm it", "--yes"]),
    ("ping --yes 10.0.0.0/9", &["10.0.0.0/9 is too large to sweep", "a /10 with --yes"]),
    ("ping 127.0.0.1 --rate -1", &["'-1' for '--rate <N>'"]),
    ("ping 127.0.0.1 --rate 5 -i 1", &["'--rate <N>' cannot be used with '--interval <SECS>'"]),
    ("ping 127.0.0.1 --flood --rate 5", &["'--flood' cannot be used with '--rate <N>'"]),
    ("ping 127.0.0.0/24 --flood", &["--flood takes hosts; 127.0.0.0/24 is a prefix", "--rate 0"]),
    ("ping 127.0.0.0/24 --pmtu", &["--pmtu takes hosts"]),
    ("ping --pmtu", &["--pmtu needs a target"]),
    ("ping 127.0.0.1 --pmtu -s 100", &["'--pmtu' cannot be used with '--size <BYTES>'"]),
    ("ping 127.0.0.1 --retries 101", &["'101' for '--retries <N>'"]),
    ("ping 127.0.0.1 --tos 256", &["'256' for '--tos <N>'", "0 to 255, or 0x00 to 0xff"]),
    ("ping 127.0.0.1 --transport raw", &["'raw' for '--transport <TRANSPORT>'", "auto, portable"]),
    (
        "ping 127.0.0.1 --transport portable -D",
        &["cannot forbid fragmentation", "without --transport portable"],
    ),
    ("ping 127.0.0.1 --events", &["--events is for --format csv"]),
    ("ping 127.0.0.1 --source ::1", &["cannot ping an IPv4 target from ::1"]),
    ("ping --from-file /no/such", &["cannot read the targets in /no/such"]),
    ("ping 224.0.0.0/30", &["224.0.0.0/30 has no hosts"]),
    ("ping fe80::/126", &["fe80::/126 is link-local: name its interface", "give --interface"]),
    ("ping ::1 --source fe80::1", &["fe80::1 is link-local: name its interface", "give --interface"]),
    ("ping --from-file /dev/null", &["/dev/null has no targets"]),
    ("ping fd00::/64", &["fd00::/64 is too large to sweep", "the limit is a /112"]),
    ("ping ::1 -4", &["::1 is an IPv6 address, but only IPv4 is requested", "omit -4"]),
    ("ping fe80::1", &["fe80::1 is link-local: name its interface", "write fe80::1%INTERFACE"]),
    ("ping 224.0.0.1", &["224.0.0.1 is a multicast address, not a host"]),
    ("tcp-echo [fe80::1]:7", &["fe80::1 is link-local: name its interface"]),
    ("ping fe80::1%no-such", &["no interface 'no-such'"]),
    ("ping 127.0.0.1%lo", &["a zone (%INTERFACE) follows an IPv6 address"]),
    ("ping 127.0.0.1 -c 0", &["invalid value '0' for '--count <N>'"]),
    ("ping 127.0.0.1 -i 0", &["'0' for '--interval <SECS>'", "0.001 to 86400 seconds"]),
    ("ping 127.0.0.1 -W -1", &["--timeout <SECS>"]),
    ("ping 127.0.0.1 -s 65508", &["'65508' for '--size <BYTES>'", "0 to 65507"]),
    ("ping 127.0.0.1 -t 0", &["'0' for '--ttl <N>'", "1 to 255"]),
    ("ping 127.0.0.1 -t 256", &["'256' for '--ttl <N>'"]),
    ("ping 127.0.0.1 --source nowhere", &["'nowhere' for '--source <ADDR>'"]),
    ("ping 127.0.0.1 --interface no-such", &["no interface 'no-such'"]),
    ("port", &["which port?", "netdiag port --list"]),
    ("port 80 --process nginx", &["--process is for listening sockets only", "add --list"]),
    ("port 80 --watch 1", &["--watch is for listening sockets only"]),
    ("port --list --process [", &["'[' is not a valid name pattern"]),
    ("port --list --free", &["cannot be used with"]),
    ("port --list --check-bind", &["cannot be used with"]),
    ("port --list --count 3", &["--watch <SECS>"]),
    ("port 80 --proto sctp", &["tcp, udp"]),
    ("port htttps --exact", &["unknown service 'htttps'"]),
    ("port htt", &["unknown service 'htt'", "names begin with it: netdiag port 'htt*'"]),
    ("port localhost:443", &["a port of a host", "netdiag tcp-echo localhost:443"]),
    ("port 443/sctp", &["unknown protocol 'sctp': tcp or udp"]),
    ("port 443/tcp 53/udp", &["these ports name both TCP and UDP"]),
    ("port 443/tcp 53", &["some of these ports name a protocol", "--proto tcp"]),
    ("port http[", &["'http['"]),
    ("port zzz*", &["no registered service matches 'zzz*'"]),
    ("p 80", &["'p' is ambiguous", "ping, port"]),
    ("ping 127.0.0.1 -l 3", &["netdiag ping has no option '-l'", "--flood, or --rate 0"]),
    ("ping 127.0.0.1 -p ff", &["netdiag ping has no option '-p'", "each reply is compared"]),
    ("ping 127.0.0.1 -S 1000", &["netdiag ping has no option '-S'", "--source ADDR"]),
    ("ping 127.0.0.1 -M dont", &["'dont' is not supported", "--pmtu"]),
    (
        "ping 127.0.0.1 --intervall 1",
        &["netdiag ping has no option '--intervall'", "did you mean --interval?"],
    ),
    ("ping 127.0.0.1 --nonsense", &["netdiag ping has no option '--nonsense'", "netdiag ping --help"]),
    ("ping 127.0.0.1 -c 0", &["'0' for '--count <N>'", "write a whole number, 1 or more"]),
    ("ping 127.0.0.1 -s 65508", &["write a whole number, 0 to 65507"]),
    ("port 443 --format markdown --no-header", &["a table in Markdown has a header", "omit --no-header"]),
    ("netstat -tlnp", &["netdiag has no command 'netstat'", "netdiag port --list"]),
    ("nc -l 7777", &["netdiag has no command 'nc'", "netdiag tcp-serve PORT"]),
    ("traceroute 192.0.2.1", &["netdiag has no command 'traceroute'", "netdiag doctor HOST"]),
    ("ss -x", &["netdiag port has no option '-x'"]),
    ("tcp-serve -p 7", &["netdiag tcp-serve has no option '-p'", "netdiag tcp-serve 7777"]),
    ("tcp-echo 127.0.0.1:9 --address-family inet6", &["127.0.0.1 is an IPv4 address"]),
    ("tcp-echo localhost:9 --address-family unix", &["inet (IPv4) or inet6 (IPv6)"]),
    ("tcp-echo localhost:9 -4 --address-family inet6", &["name different families"]),
    ("tcp-echo localhost:9 --receive-buffer 0", &["a buffer is 1 byte to 1G"]),
    ("tcp-serve 127.0.0.1:0 --address-family inet6", &["127.0.0.1 is an IPv4 address"]),
    ("ifaces --wide --width 80", &["'--wide' cannot be used with '--width <N>'"]),
    ("port 65536", &["'65536'", "ports are 0 to 65535"]),
    ("port -1", &["-1 is not a port", "0 to 65535"]),
    ("port 70000-80000", &["70000 is not a port", "0 to 65535"]),
    ("port 90-80", &["the range is reversed: write 80-90"]),
    ("port htttps", &["unknown service 'htttps'", "did you mean https"]),
    ("tcp-echo", &["<HOST:PORT>"]),
    ("tcp-echo localhost", &["a port is missing: write HOST:PORT"]),
    ("tcp-echo ::1:80", &["in brackets, such as [::1]:7"]),
    ("tcp-echo [::1:80", &["brackets enclose an IPv6 address"]),
    ("tcp-echo [127.0.0.1]:80", &["brackets enclose an IPv6 address"]),
    ("tcp-echo localhost:0", &["'0' is not a port: a number from 1 to 65535"]),
    ("tcp-echo localhost:65536", &["'65536' is not a port"]),
    ("tcp-echo http://localhost:80/", &["write only its host and port"]),
    ("tcp-echo 127.0.0.1:9 -s 0", &["at least one byte; --connect-only sends none"]),
    ("tcp-echo 127.0.0.1:9 -s 1T", &["a number of bytes, with k, M or G"]),
    ("tcp-echo 127.0.0.1:9 -c 0", &["'0' for '--count <ROUNDS>'"]),
    ("tcp-echo 127.0.0.1:9 --timeout 0", &["0.001 to 86400 seconds"]),
    ("tcp-echo 127.0.0.1:9 --connect-only -s 5", &["'--connect-only' cannot be used with '--size <BYTES>'"]),
    ("tcp-echo 127.0.0.1:9 -6", &["127.0.0.1 is an IPv4 address, but only IPv6 is requested", "omit -6"]),
    ("tcp-echo 127.0.0.1:9 --source ::1", &["cannot connect to 127.0.0.1:9 from ::1"]),
    ("tcp-echo 224.0.0.1:80", &["224.0.0.1 is a multicast address; TCP connects to one host"]),
    ("tcp-echo 127.0.0.1:20-25", &["is several ports", "--connect-only"]),
    ("tcp-echo 127.0.0.1:25-20 --connect-only", &["'25-20' is not a port range", "the smaller first"]),
    ("tcp-echo 127.0.0.1:0-9 --connect-only", &["'0-9' is not a port range", "each 1 to 65535"]),
    ("tcp-echo 127.0.0.1:9- --connect-only", &["'9-' is not a port range"]),
    ("tcp-echo 127.0.0.1:1,2 --connect-only -c 2", &["each port of 127.0.0.1:1,2 gets one connection"]),
    ("tcp-echo 127.0.0.1:9 --all", &["--all is for several ports"]),
    (
        "tcp-echo 127.0.0.1:9 --rate 5 -i 1",
        &["'--rate <PER_SECOND>' cannot be used with '--interval <SECS>'"],
    ),
    ("tcp-echo 127.0.0.1:9 --rate -1", &["a rate is a number of rounds per second"]),
    ("tcp-echo 127.0.0.1:9 --connections 0", &["'0' for '--connections <N>'", "1 to 10000"]),
    (
        "tcp-echo 127.0.0.1:9 --connect-only --reconnect",
        &["'--connect-only' cannot be used with '--reconnect'"],
    ),
    ("tcp-echo 127.0.0.1:9 --close now", &["'now' for '--close <HOW>'", "fin, rst"]),
    ("tcp-echo 127.0.0.1:9 --explain -c 3", &["--explain covers one round"]),
    ("tcp-echo 127.0.0.1:9 127.0.0.1:10 --explain", &["--explain covers one connection"]),
    ("tcp-echo 127.0.0.1:9 --explain -s 1M", &["at most 32768 bytes"]),
    (
        "tcp-echo 127.0.0.1:9 --connections 2 --source 127.0.0.1:5000",
        &["port 5000 cannot be the source port of several connections"],
    ),
    ("tcp-serve --max-connections 0", &["'0' for '--max-connections <N>'"]),
    ("tcp-serve --single --max-connections 5", &["cannot be used with"]),
    ("tcp-serve --idle-timeout 0", &["0.001 to 86400 seconds"]),
    ("tcp-serve --delay 0", &["'0' for '--delay <MS>'", "1 to 3600000"]),
    ("tcp-serve --slow-read 0", &["at least one byte is needed"]),
    ("tcp-serve --reset-after 5 --truncate-after 5", &["cannot be used with"]),
    ("tcp-serve --no-accept --corrupt", &["cannot be used with"]),
    ("tcp-serve --explain --corrupt", &["--explain cannot be combined with injected faults", "corrupt"]),
    ("tcp-serve 127.0.0.1", &["a port is missing"]),
    ("tcp-serve 192.0.2.254:0", &["192.0.2.254 is not an address of this machine"]),
    ("tcp-serve --backlog -1", &["--backlog <N>"]),
    ("generate completions bash --json", &["generate writes a script or a page"]),
    ("generate completions tcsh", &["invalid value 'tcsh'", "bash"]),
    ("generate", &["Usage: netdiag generate"]),
];

fn every_wrong_command_line_says_what_would_be_right() -> Result<(), String> {
    for (args, expected) in WRONG {
        let run = run(args);
        assert_eq!(run.code, Some(2), "netdiag {args}: {run:#?}");
        assert_eq!(run.stdout, "", "netdiag {args}: nothing half done");
        for text in *expected {
            assert!(run.stderr.contains(text), "netdiag {args}: no {text:?} in {run:#?}");
        }
    }
    Ok(())
}

fn what_is_wrong_is_quoted_harmlessly() -> Result<(), String> {
    for args in [
        ["ping", "a\x1b[2Jb"],
        ["port", "ht\x1b]0;owned\x07tp"],
        ["tcp-echo", "h\u{202e}ost:7"],
        ["ifaces", "eth\x1b[31m0"],
        ["nonsense\x1b[2J", "x"],
    ] {
        let run = finish(netdiag(args));
        expect_code(&run, 2);
        assert!(!run.stderr.contains(['\x1b', '\x07', '\u{202e}']), "{run:?}");
    }
    Ok(())
}

fn help_and_version_are_asked_for_and_so_are_fine() -> Result<(), String> {
    for args in [
        "--help",
        "-h",
        "--version",
        "ifaces --help",
        "ping -h",
        "port --help",
        "tcp-echo -h",
        "tcp-serve --help",
    ] {
        let run = run(args);
        expect_code(&run, 0);
        assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{args}: {run:?}");
        assert!(!run.stdout.contains('\x1b'), "{args}: colours in a pipe");
    }
    assert_eq!(run("--version").stdout.trim(), concat!("netdiag ", env!("CARGO_PKG_VERSION")));
    Ok(())
}

/// Each example in a command's long help is a command line that parses.
fn the_examples_in_the_help_parse() -> Result<(), String> {
    let mut seen = 0;
    for command in ["", "ifaces", "ping", "port", "tcp-echo", "tcp-serve", "generate"] {
        let help = run(&format!("{command} --help")).stdout;
        for line in help.lines().filter_map(|line| line.strip_prefix("  netdiag ")) {
            // The command ends where two spaces begin its explanation, or a redirection.
            let example =
                line.split("  ").next().and_then(|line| line.split(" >").next()).expect("a command");
            let example = example.replace('\'', "");
            // `--help` at the end stops before anything runs, and only if the rest parses so far.
            let run = run(&format!("{example} --help"));
            expect_code(&run, 0);
            seen += 1;
        }
    }
    assert!(seen >= 25, "only {seen} examples were found");
    Ok(())
}

/// What fingers know from other tools does what it does there.
fn names_and_options_of_other_tools() -> Result<(), String> {
    let interfaces = run("ifaces --columns name").stdout;
    for name in ["if", "i", "interfaces", "ifconfig", "ipconfig"] {
        assert_eq!(run(&format!("{name} --columns name")).stdout, interfaces, "{name}");
    }
    let loopback = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback");
    let own = loopback.local_addr().expect("it is bound").port();
    if cfg!(target_os = "linux") {
        for name in ["ss", "ports", "port --list"] {
            let listed = run(&format!("{name} --columns PORT --no-header"));
            assert!(listed.stdout.lines().any(|line| line.trim() == own.to_string()), "{name}: {listed:?}");
        }
    }
    assert!(run("ports 443 --columns port --no-header").stdout.starts_with("443"));
    for name in ["doc", "serve", "echo"] {
        assert_eq!(run(&format!("{name} --help")).code, Some(0), "{name}");
    }
    assert!(run("help ss").stdout.contains("netdiag port"));
    let server = crate::common::Server::on_loopback("");
    let (host, port) = server.address.split_once(':').expect("host and port");
    expect_code(&run(&format!("tcp-echo {host} {port}")), 0);
    expect_code(&run(&format!("echo -z -w 3 {host} {port}")), 0);
    expect_code(
        &run(&format!("tcp-echo {host} {port} --address-family inet --rcvbuf 64k --send-buffer 64k")),
        0,
    );
    for options in ["-n", "-O", "-a", "-I lo", "-I 127.0.0.1", "-M do", "-M want", "-Q 0x10", "-f -w 0.2"] {
        if cfg!(windows) && options == "-I lo" {
            eprintln!("SKIPPED: ping -I lo is NOT tried: interfaces have other names here");
            continue;
        }
        let pinged = run(&format!("ping -c 1 {options} 127.0.0.1"));
        assert!(pinged.code == Some(0) || pinged.code == Some(3), "{options}: {pinged:?}");
    }
    Ok(())
}

/// What bash offers after some words of a command line, in a folder with one file.
fn bash_offers(script: &std::path::Path, words: &str) -> Option<String> {
    let folder = script.parent().expect("a file has a folder");
    let mut command = Command::new("bash");
    command.current_dir(folder).args([
        "--norc",
        "-c",
        "source ./script; COMP_WORDS=(netdiag \"$@\"); COMP_CWORD=$#
         _netdiag netdiag \"${!#}\" \"${COMP_WORDS[$# - 1]}\" 2> /dev/null; printf '%s\\n' \"${COMPREPLY[@]}\"
         complete -p netdiag",
        "bash",
    ]);
    command.args(words.split(' '));
    command.output().ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn no_files_where_none_belong() -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("netdiag-completions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for this test");
    let script = folder.join("script");
    std::fs::write(&script, run("generate completions bash").stdout).expect("a file of this test");
    let offered = |words| bash_offers(&script, words).ok_or("'bash' is not installed");
    for words in [
        "ping --count ",
        "ping ",
        "ping --source ",
        "ifaces eth",
        "tcp-echo ",
        "ifaces --columns ",
        "port --user ",
    ] {
        let shown = offered(words)?;
        // `-o default` and `-o bashdefault` would offer files after all.
        assert!(shown.contains("complete ") && !shown.contains("default"), "{words}: {shown}");
        assert!(!shown.lines().any(|line| line == "script"), "{words}: {shown}");
    }
    for words in ["ping --from-file ", "doctor --save ", "doctor --from s"] {
        assert!(offered(words)?.lines().any(|line| line == "script"), "{words}: {}", offered(words)?);
    }
    assert!(offered("ifaces --format ")?.lines().any(|line| line == "ndjson"));
    std::fs::remove_dir_all(&folder).expect("removing what this test made");
    let fish = run("generate completions fish").stdout;
    assert!(fish.ends_with("complete -c netdiag -f\n"), "{fish}");
    // Only what has `-F` offers files; `-r` alone would.
    let offering = fish.lines().find(|line| line.ends_with(" -r"));
    assert_eq!(offering, None, "files are offered");
    let zsh = run("generate completions zsh").stdout;
    assert!(!zsh.contains(":_default'"), "{zsh}");
    Ok(())
}

fn completions_and_manual_pages() -> Result<(), String> {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = run(&format!("generate completions {shell}"));
        expect_code(&run, 0);
        assert!(run.stdout.contains("tcp-echo"), "{shell}");
    }
    let page = run("generate man");
    expect_code(&page, 0);
    assert!(page.stdout.contains(".TH netdiag 1") && page.stdout.contains("tcp\\-serve"), "{page:?}");
    let folder = std::env::temp_dir().join(format!("netdiag-man-{}", std::process::id()));
    expect_code(&finish(netdiag(["generate", "man", "--dir", folder.to_str().expect("UTF-8")])), 0);
    let pages = ["doctor", "generate", "ifaces", "ping", "port", "tcp-echo", "tcp-serve"]
        .map(|command| format!("netdiag-{command}"));
    for page in pages.iter().map(String::as_str).chain(["netdiag"]) {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).expect(page);
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"] {
            assert!(text.contains(&format!(".SH {section}\n")), "{page}: no {section}");
        }
        assert!(text.contains(".nf\nnetdiag"), "{page}: no command line as a block");
    }
    let text = std::fs::read_to_string(folder.join("netdiag-ping.1")).expect("it is there");
    assert!(text.contains("[\\-c N] [\\-i SECS]") && text.contains("[TARGET ...]"), "{text}");
    let made = std::fs::read_dir(&folder).expect("it is there").count();
    assert_eq!(made, pages.len() + 1, "none for help");
    std::fs::remove_dir_all(&folder).expect("removing what this test made");
    let refused = run("generate man --dir /dev/null/man");
    expect_code(&refused, 4);
    assert!(refused.stderr.contains("hint: give --dir a folder"), "{refused:?}");
    Ok(())
}
