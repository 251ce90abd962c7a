//! The formats, and what all commands share of them.

#![expect(clippy::unnecessary_wraps, reason = "one signature for all tests; Err says why one cannot run")]

use serde_json::Value;

use crate::common::{Test, expect_code, finish, netdiag, run};

pub(crate) const TESTS: &[Test] = &[
    ("output::every_document_has_the_same_outside", every_document_has_the_same_outside),
    (
        "output::ndjson_gives_rows_then_a_summary_with_the_whole_report",
        ndjson_gives_rows_then_a_summary_with_the_whole_report,
    ),
    ("output::columns_choose_and_order_in_every_format", columns_choose_and_order_in_every_format),
    ("output::sorting_goes_by_number_and_both_ways", sorting_goes_by_number_and_both_ways),
    (
        "output::csv_has_the_json_keys_as_header_and_a_cell_for_each",
        csv_has_the_json_keys_as_header_and_a_cell_for_each,
    ),
    (
        "output::a_piped_table_is_aligned_columns_without_header_if_asked",
        a_piped_table_is_aligned_columns_without_header_if_asked,
    ),
    ("output::a_width_drops_columns_and_cuts_nothing", a_width_drops_columns_and_cuts_nothing),
    (
        "output::colours_come_when_asked_for_and_never_into_json",
        colours_come_when_asked_for_and_never_into_json,
    ),
    (
        "output::quiet_leaves_only_the_result_and_verbose_shows_every_column",
        quiet_leaves_only_the_result_and_verbose_shows_every_column,
    ),
    ("output::markdown_is_a_page_for_every_command", markdown_is_a_page_for_every_command),
    ("output::generated_json_survives_a_round_trip", generated_json_survives_a_round_trip),
];

fn every_document_has_the_same_outside() -> Result<(), String> {
    for (args, schema) in [
        ("ifaces --json", "netdiag.ifaces/1"),
        ("port 443 --json", "netdiag.port/1"),
        ("tcp-echo 127.0.0.1:1 --json", "netdiag.tcp-echo/1"),
    ] {
        let json = run(args).json();
        let keys: Vec<&String> = json.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["schema", "generated_at", "data", "warnings"], "{args}");
        assert_eq!(json["schema"], schema);
        let generated = json["generated_at"].as_str().expect("a time");
        assert!(generated.len() == 24 && generated.ends_with('Z') && generated.contains('T'), "{generated}");
        assert!(json["warnings"].is_array());
    }
    Ok(())
}

fn ndjson_gives_rows_then_a_summary_with_the_whole_report() -> Result<(), String> {
    let lines = run("port 80 443 --format ndjson").ndjson();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["port", "port", "summary"]);
    assert_eq!(lines[2]["data"][1]["port"], 443);
    assert_eq!(lines[2]["schema"], "netdiag.port/1");
    let narrowed = run("port 80 443 --format ndjson --columns port,class").ndjson();
    assert_eq!(narrowed[0].to_string(), r#"{"event":"port","port":80,"class":"well-known"}"#);
    let first = run("port 80 --format ndjson").stdout;
    assert!(first.starts_with(r#"{"event":"port","port":80,"#), "the event comes first: {first}");
    Ok(())
}

fn columns_choose_and_order_in_every_format() -> Result<(), String> {
    let table = run("port 443 --columns class,port");
    assert_eq!(table.stdout, "CLASS       PORT\nwell-known   443\n");
    let csv = run("port 443 --columns class,port --format csv");
    assert_eq!(csv.stdout, "class,port\nwell-known,443\n");
    let json = run("port 443 --columns class,port --json").json();
    assert_eq!(json["data"].to_string(), r#"[{"class":"well-known","port":443}]"#);
    let unknown = run("port 443 --columns services.nme --json");
    expect_code(&unknown, 2);
    // What the screen shows is understood too, in any case, and so is a last part that only one column has.
    for (name, id) in [
        ("HELD BY", "holders"),
        ("held_by", "holders"),
        ("PID", "holders.pid"),
        ("queue", ""),
        ("Accept-Queue", "holders.accept_queue"),
        ("description", "services.description"),
    ] {
        let named = finish(netdiag(["port", "443", "--format", "csv", "--columns", name]));
        match id {
            "" => expect_code(&named, 2),
            id => assert!(named.stdout.starts_with(&format!("{id}\n")), "{name}: {named:?}"),
        }
    }
    assert_eq!(run("port 443 80 --sort PORT --columns PORT --no-header").stdout, " 80\n443\n");
    let object = run("ifaces --columns name,counters,name --format csv");
    assert!(
        object.stdout.starts_with("name,counters.rx_bytes,counters.rx_packets,"),
        "all below a key: {object:?}"
    );
    let nested = run("port 443 --columns services.protocols --json").json();
    assert_eq!(nested["data"][0]["services"][0]["protocols"][0], "tcp");
    Ok(())
}

fn sorting_goes_by_number_and_both_ways() -> Result<(), String> {
    let ports = |args: &str| -> Vec<u64> {
        let data = run(args).json()["data"].clone();
        data.as_array().expect("rows").iter().filter_map(|row| row["port"].as_u64()).collect()
    };
    assert_eq!(ports("port 443 80 8080 --json"), [443, 80, 8080]);
    assert_eq!(ports("port 443 80 8080 --json --sort port"), [80, 443, 8080]);
    assert_eq!(ports("port 443 80 8080 --json --sort=-port"), [8080, 443, 80]);
    assert_eq!(ports("port 443 80 8080 --json --sort -port"), [8080, 443, 80]);
    // A column of lists with gaps in them: any order of the rows sorts to the same.
    let sorted = |args: &str| {
        run(&format!("port {args} --each --sort services.description --columns services.description")).stdout
    };
    assert_eq!(sorted("1-2000"), sorted("1000-2000 1-999"));
    let csv = run("port 443 80 8080 --format csv --sort port --columns port --no-header").stdout;
    assert_eq!(csv, "80\n443\n8080\n");
    Ok(())
}

fn markdown_is_a_page_for_every_command() -> Result<(), String> {
    let (_held, port) = crate::common::silent_port();
    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctor/recordings/P-MTU.json");
    for (args, command, table) in [
        ("ifaces".to_owned(), "ifaces", "| INDEX | NAME |"),
        ("port 443 80".to_owned(), "port", "| PORT | CLASS |"),
        (format!("tcp-echo {port}"), "tcp-echo", "| ADDRESS | OUTCOME |"),
        (format!("doctor --from {recording}"), "doctor", "| STATUS | TIER | CHECK | DETAIL |"),
    ] {
        let page = run(&format!("{args} --format markdown"));
        let head = format!("**netdiag {command}** {}, ", env!("CARGO_PKG_VERSION"));
        assert!(page.stdout.starts_with(&head), "{page:?}");
        let lines: Vec<&str> = page.stdout.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(table));
        let at = at.unwrap_or_else(|| panic!("{args}: no table {table}: {page:?}"));
        // A blank line before a table, and its ruler behind the head.
        assert!(lines[at - 1].is_empty() && lines[at + 1].starts_with("| ---"), "{page:?}");
        assert!(!page.stdout.contains('\x1b'), "{page:?}");
    }
    let page = run(&format!("doctor --from {recording} --format markdown")).stdout;
    for part in [
        "**broken**: shop.lab:7",
        "PATH.MTU",
        "- **why:**",
        "`ping -c 2 -M do",
        "- **do:**",
        "<summary>Checks",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // Warnings are a quote of the page, and not told twice.
    let mut evidence: Value =
        serde_json::from_str(&std::fs::read_to_string(recording).expect("the recording")).expect("JSON");
    evidence["about"]["is_cut_short"] = true.into();
    let file = std::env::temp_dir().join(format!("netdiag-cut-short-{}.json", std::process::id()));
    std::fs::write(&file, evidence.to_string()).expect("a file");
    let warned = run(&format!("doctor --from {} --format markdown", file.display()));
    std::fs::remove_file(&file).expect("it was written");
    assert!(warned.stdout.contains("\n> **warning:** the time was up before"), "{warned:?}");
    assert!(!warned.stderr.contains("the time was up"), "{warned:?}");
    let narrowed = run("port 443 --format markdown --columns port,class").stdout;
    assert!(narrowed.contains("| PORT | CLASS |\n| ---: | --- |\n| 443 | well-known |\n"), "{narrowed}");
    Ok(())
}

fn csv_has_the_json_keys_as_header_and_a_cell_for_each() -> Result<(), String> {
    let run = run("ifaces --format csv");
    let mut reader = csv::Reader::from_reader(run.stdout.as_bytes());
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let json = crate::common::run("ifaces --json").json()["data"][0].clone();
    for id in &header {
        let top = json.get(id.split('.').next().unwrap_or_default());
        let pointer = format!("/{}", id.replace('.', "/"));
        // What this system does not tell is null, and so has no keys below it.
        let has = json.pointer(&pointer).is_some() || top.is_some_and(|top| top.is_array() || top.is_null());
        assert!(has, "{id} is no JSON key of {json}");
    }
    assert!(reader.records().all(|record| record.expect("CSV").len() == header.len()));
    Ok(())
}

fn a_piped_table_is_aligned_columns_without_header_if_asked() -> Result<(), String> {
    let table = run("port 20-22 --no-header --columns port,class");
    assert_eq!(table.stdout, "20  well-known\n21  well-known\n22  well-known\n");
    let wide = run("ifaces");
    assert!(!wide.stdout.contains('─') && !wide.stdout.contains('\x1b'), "{wide:?}");
    // A line for each address, where grep and awk find it, or one for each interface.
    let rows = run("ifaces --json").json()["data"].as_array().expect("rows").clone();
    let lines = rows.iter().map(|row| row["addresses"].as_array().map_or(1, |all| all.len().max(1)));
    assert_eq!(wide.stdout.lines().count() - 1, lines.sum::<usize>(), "a line an address: {wide:?}");
    let joined = run("ifaces --wide");
    assert_eq!(joined.stdout.lines().count() - 1, rows.len(), "a line a row: {joined:?}");
    Ok(())
}

fn a_width_drops_columns_and_cuts_nothing() -> Result<(), String> {
    let narrow = run("port 443 --width 40");
    assert!(narrow.stdout.lines().all(|line| line.len() <= 40), "{narrow:?}");
    assert!(narrow.stdout.contains("https") && narrow.stdout.contains("443"), "{narrow:?}");
    // With everything asked for nothing is left out: a block a row, without what there is not.
    let told = run("port 443 80 --width 30 -v");
    let wide = run("port 443 80 -v");
    let headings = wide.stdout.lines().next().expect("a header").split("  ").map(str::trim);
    for heading in headings.filter(|heading| !heading.is_empty() && *heading != "PORT") {
        assert_eq!(told.stdout.matches(&format!("  {heading} ")).count(), 2, "{heading}: {told:?}");
    }
    assert!(!wide.stdout.contains("CONTAINER"), "no container, no column: {wide:?}");
    // A block is called by what a table never drops, and not by its first column.
    assert!(run("ifaces --kind loopback -v --width 40").stdout.contains("\n  INDEX "), "{told:?}");
    let named = run("port 443 --width 10 --columns port,class,services");
    assert!(named.stdout.contains("https"), "what is named is never dropped: {named:?}");
    let mut command = netdiag(["port", "443"]);
    command.env("COLUMNS", "40");
    assert_eq!(finish(command).stdout, narrow.stdout);
    Ok(())
}

fn colours_come_when_asked_for_and_never_into_json() -> Result<(), String> {
    let colored = |args: &str, variables: &[(&str, &str)]| {
        let mut command = netdiag(args.split(' '));
        command.envs(variables.iter().copied());
        finish(command).stdout.contains('\x1b')
    };
    assert!(!colored("port 443", &[]));
    assert!(colored("port 443 --color always", &[]));
    assert!(colored("port 443", &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored("port 443", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(colored("port 443 --color always", &[("NO_COLOR", "1")]));
    assert!(!colored("port 443 --color never", &[("CLICOLOR_FORCE", "1")]));
    for format in ["json", "ndjson", "csv"] {
        assert!(!colored(&format!("port 443 --color always --format {format}"), &[]), "{format}");
    }
    Ok(())
}

fn quiet_leaves_only_the_result_and_verbose_shows_every_column() -> Result<(), String> {
    let loud = run("port 443");
    assert!(!loud.stderr.contains("programs that ask"), "notes are for people: {loud:?}");
    let (_held, port) = crate::common::silent_port();
    let lines = run(&format!("tcp-echo {port} -v"));
    assert!(lines.stdout.starts_with("refused "), "{lines:?}");
    assert!(run(&format!("tcp-echo {port} -q")).stdout.starts_with("ADDRESS"));
    let verbose = run("port 443 -v").stdout;
    assert!(verbose.contains("RESERVED") && !loud.stdout.contains("RESERVED"), "{verbose}");
    Ok(())
}

fn generated_json_survives_a_round_trip() -> Result<(), String> {
    let text = run("ifaces --json").stdout;
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(serde_json::to_string(&value).expect("JSON").len(), text.trim_end().len());
    Ok(())
}
