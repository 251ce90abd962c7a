//! Standard output that closes, fills up, or is a terminal of some width.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use std::process::Command;

#[cfg(target_os = "linux")]
use crate::common::{Server, has};
use crate::common::{Test, expect_code, finish, netdiag, plain, run};

pub(crate) const TESTS: &[Test] = &[
    ("streams::a_reader_that_leaves_ends_it_quietly", a_reader_that_leaves_ends_it_quietly),
    #[cfg(target_os = "linux")]
    (
        "streams::a_full_disk_is_exit_4_and_a_lack_of_descriptors_exit_3",
        a_full_disk_is_exit_4_and_a_lack_of_descriptors_exit_3,
    ),
    #[cfg(target_os = "linux")]
    ("streams::a_terminal_gets_a_table_that_fits", a_terminal_gets_a_table_that_fits),
    #[cfg(target_os = "linux")]
    (
        "streams::colours_and_characters_follow_the_terminal_and_the_locale",
        colours_and_characters_follow_the_terminal_and_the_locale,
    ),
    ("streams::errors_go_to_standard_error_and_data_does_not", errors_go_to_standard_error_and_data_does_not),
];

const NETDIAG: &str = env!("CARGO_BIN_EXE_netdiag");

fn sh(script: &str) -> crate::common::Run {
    let mut command = Command::new("bash");
    command.args(["-c", script]).env("N", NETDIAG);
    plain(&mut command);
    finish(command)
}

fn a_reader_that_leaves_ends_it_quietly() -> Result<(), String> {
    for script in [
        "$N port 0-65535 -q | head -1",
        "$N port 0-65535 -q --json | head -c 10",
        "$N ifaces | true",
        "$N --help | true",
        "$N generate completions bash | head -1",
    ] {
        let run = sh(&format!("set -o pipefail; {script} >/dev/null"));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{script}");
    }
    let run = sh("(sleep 0.2; $N tcp-echo 127.0.0.1:1 --format ndjson; echo rc=$? >&2) | true");
    assert!(run.stderr.contains("rc=1"), "the code of what was found: {run:?}");
    // A ping that would go on for a day ends with its reader.
    expect_code(&sh("$N ping -c 86400 -i 1 127.0.0.1 2>&1 | head -1"), 0);
    Ok(())
}

#[cfg(target_os = "linux")]
fn a_full_disk_is_exit_4_and_a_lack_of_descriptors_exit_3() -> Result<(), String> {
    let server = Server::on_loopback("");
    for args in [
        "ifaces".to_owned(),
        "port 443 --json".to_owned(),
        "port 0-65535 --format csv".to_owned(),
        "port 80 --format ndjson".to_owned(),
        "--help".to_owned(),
        "generate man".to_owned(),
        format!("tcp-echo {}", server.address),
        "tcp-serve".to_owned(),
    ] {
        let run = sh(&format!("$N {args} >/dev/full"));
        assert_eq!(run.code, Some(4), "{args}: {run:?}");
        assert!(
            run.stderr.contains("cannot write to standard output: No space left on device"),
            "{args}: {run:?}"
        );
    }
    for limit in 6..=14 {
        let starved = sh(&format!("ulimit -n {limit}; exec $N tcp-echo 127.0.0.1:9"));
        assert_eq!(starved.code, Some(3), "{starved:?}");
        assert!(starved.stderr.contains(&format!("(now {limit}): ulimit -n 4096")), "{starved:?}");
    }
    let closed = sh("$N ifaces >&-");
    assert_eq!(closed.code, Some(4), "{closed:?}");
    assert!(closed.stderr.contains("it is closed"), "{closed:?}");
    assert_eq!(
        sh("$N ifaces >/dev/null && $N ifaces 1<>/dev/null").code,
        Some(0),
        "an open one is not closed"
    );
    Ok(())
}

/// What a terminal of so many columns shows, in an environment of these variables.
#[cfg(target_os = "linux")]
fn on_terminal(columns: u16, variables: &str, args: &str) -> Result<String, String> {
    if !has("script") {
        return Err("`script` is not installed, so no terminal can be had".to_owned());
    }
    let run =
        sh(&format!("script -qec 'stty cols {columns} rows 50; {variables} {NETDIAG} {args}' /dev/null"));
    Ok(run.stdout.replace("\r\n", "\n"))
}

#[cfg(target_os = "linux")]
fn a_terminal_gets_a_table_that_fits() -> Result<(), String> {
    for columns in [40, 80, 200] {
        let shown = on_terminal(columns, "NO_COLOR=1", "port 20-25 443 -q")?;
        assert!(shown.lines().all(|line| line.chars().count() <= usize::from(columns)), "{columns}: {shown}");
        assert!(shown.contains('─') && shown.contains("https"), "{columns}: {shown}");
    }
    let lo = on_terminal(80, "NO_COLOR=1", "ifaces lo")?;
    assert!(lo.contains("127.0.0.1/8"), "{lo}");
    Ok(())
}

#[cfg(target_os = "linux")]
fn colours_and_characters_follow_the_terminal_and_the_locale() -> Result<(), String> {
    let colored = on_terminal(80, "TERM=xterm", "port 443 80")?;
    assert!(colored.contains('\x1b') && colored.contains('─'));
    let dumb = on_terminal(80, "TERM=dumb", "port 443 80")?;
    assert!(!dumb.contains('\x1b'), "{dumb:?}");
    let ascii = on_terminal(80, "TERM=dumb LC_ALL=C", "port 443 80")?;
    assert!(ascii.is_ascii() && ascii.contains("-----"), "{ascii:?}");
    let json = on_terminal(80, "TERM=xterm", "port 443 --json")?;
    // Of one port there is more to tell than a row has room for; piped it is a row all the same.
    let block = on_terminal(80, "TERM=dumb", "port 443")?;
    assert!(block.starts_with("443 https: ") && block.contains("bind TCP"), "{block}");
    assert!(run("port 443").stdout.starts_with("PORT"));
    assert!(!json.contains('\x1b') && json.contains("\n  \"schema\""), "pretty and colourless: {json:?}");
    Ok(())
}

fn errors_go_to_standard_error_and_data_does_not() -> Result<(), String> {
    let run = run("tcp-echo 127.0.0.1:1 --json");
    expect_code(&run, 1);
    assert!(run.stderr.is_empty() && run.json()["data"]["outcome"] == "refused", "{run:?}");
    let run = finish(netdiag(["port", "99999"]));
    assert!(run.stdout.is_empty() && run.stderr.starts_with("error: "), "{run:?}");
    Ok(())
}
