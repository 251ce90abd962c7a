//! Limits and failures of this machine's own, and what is said of them: never that somebody else is to blame.

use serde_json::Value;

use crate::common::{self, Test, expect_code};
use crate::net::{Host, can_become_nobody};
use crate::services::{message, outcome};

pub(crate) const TESTS: &[Test] = &[
    ("limits::every_errno_is_told_as_what_it_is", errnos),
    ("limits::a_late_look_does_not_make_a_reset_a_refusal", late_look),
    ("limits::too_few_threads_are_this_machines_limit", few_threads),
    ("limits::the_doctors_time_is_up_though_a_read_never_ends", never_ending_read),
];

/// An error that is no reset is never called one, whichever call it comes from.
fn errnos() -> Result<(), String> {
    if !common::has("strace") {
        return Err("'strace' is not installed".to_owned());
    }
    let host = Host::new("alone");
    host.allow_icmp_sockets();
    let with = |injected: &str, args: &str| {
        let mut command = host.command("strace");
        command.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("inject={injected}"),
            env!("CARGO_BIN_EXE_netdiag"),
        ]);
        command.args(args.split(' '));
        common::finish(command)
    };
    let server = host.serve("127.0.0.1:0");
    let echo = format!("tcp-echo {} --json", server.address);
    let tried = with("sendto:error=EPERM", &echo);
    if tried.stdout.is_empty() {
        return Err(format!("strace may not trace here: {}", tried.stderr));
    }
    for (injected, kind, words) in [
        ("sendto:error=EPERM", "permission", "could not send: Operation not permitted"),
        ("sendto:error=ENOBUFS", "send-failed", "could not send: No buffer space available"),
        ("sendto:error=ENETDOWN", "send-failed", "could not send: Network is down"),
        ("recvfrom:error=ENOMEM", "receive-failed", "could not receive: Cannot allocate memory"),
        ("sendto:error=ECONNRESET", "reset", "reset by the other end"),
        ("connect:error=ENOBUFS", "connect-failed", "could not connect: No buffer space available"),
        ("connect:error=ENETDOWN", "no-route", "Network is down"),
    ] {
        for size in ["64", "1M"] {
            let run = with(injected, &format!("{echo} -s {size}"));
            expect_code(&run, 1);
            let row = run.json()["data"]["addresses"][0].clone();
            assert_eq!(outcome(&row), kind, "{injected}, {size} bytes: {row}");
            assert!(message(&row).contains(words), "{injected}, {size} bytes: {row}");
        }
    }
    // What cannot be received is not lost, and never silent without a word.
    let run = with("recvmmsg,recvmsg:error=ENETDOWN", "ping -c 2 -i 0.05 -W 0.3 --json 127.0.0.1");
    expect_code(&run, 3);
    let json = run.json();
    let row = &json["data"]["targets"][0];
    assert_eq!((&row["lost"], &row["outcome"]), (&0.into(), &Value::Null), "{json}");
    assert_eq!(json["warnings"][0]["code"], "cannot-receive", "{json}");
    assert!(
        json["warnings"][0]["message"].as_str().is_some_and(|text| text.contains("Network is down")),
        "{json}"
    );
    let run = with("sendmmsg,sendmsg,sendto:error=ENOBUFS", "ping -c 1 -w 8 --json 127.0.0.1");
    let row = run.json()["data"]["targets"][0].clone();
    assert_eq!(
        (&row["sent"], &row["lost"], &row["loss_percent"]),
        (&0.into(), &0.into(), &Value::Null),
        "{row}"
    );
    Ok(())
}

/// A connection that was reset before this machine had looked at it was made all the same: that is no refusal.
fn late_look() -> Result<(), String> {
    if !common::has("strace") {
        return Err("'strace' is not installed".to_owned());
    }
    let host = Host::new("alone");
    let server = host.serve("127.0.0.1:0 --reset-after 0");
    let late = |args: &str| {
        let mut command = host.command("strace");
        let inject = "inject=getpeername:delay_enter=200000";
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", inject, env!("CARGO_BIN_EXE_netdiag")]);
        command.args(args.split(' '));
        common::finish(command)
    };
    let run = late(&format!("doctor {} --json", server.address));
    if run.stdout.is_empty() {
        return Err(format!("strace may not trace here: {}", run.stderr));
    }
    assert_eq!(run.json()["data"]["root_cause"]["code"], "TCP.RESET", "{run:?}");
    let run = late(&format!("tcp-echo {} --json", server.address));
    assert_eq!(outcome(&run.json()["data"]["addresses"][0]), "reset", "{run:?}");
    Ok(())
}

/// Who may have no more threads is told so, with the limit; nothing panics, and nobody else is accused.
fn few_threads() -> Result<(), String> {
    if !can_become_nobody() {
        return Err("only root can become a user with a limit of its own".to_owned());
    }
    let host = Host::new("alone");
    host.allow_icmp_sockets();
    // A user that nobody else is, so that only its own processes count.
    let limited = |limit: usize, args: &str| {
        let mut command = host.command("setpriv");
        command.args([
            "--reuid=64123",
            "--regid=64123",
            "--clear-groups",
            "prlimit",
            &format!("--nproc={limit}"),
            "--",
        ]);
        command.arg(env!("CARGO_BIN_EXE_netdiag")).args(args.split(' '));
        common::finish(command)
    };
    for args in ["ping -c 1 localhost", "tcp-echo localhost:9", "tcp-serve localhost:0 --idle-timeout 1"] {
        let mut told = 0;
        for limit in 1..=2 {
            let run = limited(limit, args);
            assert!(!run.stderr.contains("panicked"), "{args}: {run:?}");
            assert_eq!(run.code, Some(3), "{args}, {limit}: {run:?}");
            told += usize::from(
                run.stderr.contains(&format!("(now {limit}, all programs counted): ulimit -u 4096")),
            );
        }
        assert_eq!(told, 2, "{args}");
    }
    Ok(())
}

/// A file that nobody writes stands for any call into the system that does not return.
#[expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]
fn never_ending_read() -> Result<(), String> {
    let host = Host::new("alone");
    for path in ["/etc/hosts", "/etc/resolv.conf"] {
        let mut command = host.command("unshare");
        let script = format!(
            "mkfifo /run/nobody-writes; mount --bind /run/nobody-writes \"$(readlink -f {path})\"
             exec \"$0\" doctor --timeout 1 --json"
        );
        // A folder of its own, for the pipe.
        let script = format!("mount -t tmpfs none /run; {script}");
        command.args(["--mount", "--", "sh", "-ec", &script, env!("CARGO_BIN_EXE_netdiag")]);
        let run = common::finish(command);
        // What was found before counts: there is nothing but the loopback.
        expect_code(&run, 1);
        let json = run.json();
        assert_eq!(json["data"]["root_cause"]["code"], "LINK.NONE", "{path}: {json}");
        assert_eq!(json["warnings"][0]["code"], "cut-short", "{path}: {json}");
    }
    Ok(())
}
