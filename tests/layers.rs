//! Who may know whom: reads the sources' imports and fails where one runs against the house's directions.
//!
//! `main -> cli -> commands' folders -> address, output::record, sys`; the output layer knows no command.

use std::fs;
use std::path::{Path, PathBuf};

/// What every module may use.
const COMMON: &[&str] = &["error", "suggest"];
const COMMANDS: &[&str] = &["ifaces", "ping", "port", "tcp"];

/// The modules of this crate that a module may use, besides itself and [`COMMON`].
fn allowed(module: &str) -> Vec<&'static str> {
    match module {
        "main" | "error" | "suggest" | "measure" => vec![],
        "lib" => [COMMANDS, &["cli", "doctor", "output", "trace", "wire"]].concat(),
        "cli" => [COMMANDS, &["address", "doctor", "output"]].concat(),
        "trace" => vec!["address", "sys", "wire"],
        "doctor" => vec!["address", "output::record", "sys", "trace", "wire"],
        "sys" | "wire" => vec!["address"],
        "address" | "output" => vec!["sys"],
        command if COMMANDS.contains(&command) => vec!["address", "measure", "output::record", "sys", "wire"],
        other => panic!("the module '{other}' has no place in tests/layers.rs: give it one"),
    }
}

#[test]
fn imports_follow_the_houses_directions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in sources(&root) {
        let module = module(&file, &root);
        let allowed = allowed(&module);
        for (line, path) in uses(&fs::read_to_string(&file).expect("sources are text")) {
            seen += 1;
            let first = path.split("::").next().unwrap_or_default();
            let known = first == module
                || COMMON.contains(&first)
                || allowed.iter().any(|allowed| {
                    path == *allowed || path.strip_prefix(allowed).is_some_and(|rest| rest.starts_with("::"))
                });
            if !known {
                wrong.push(format!("{}:{line}: {module} may not use crate::{path}", file.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} imports were found: the reader of imports is broken");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_of_the_doctor_know_evidence_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let known = ["doctor::evidence::", "doctor::fact::", "trace::", "wire::icmp", "address::Class"];
    for file in sources(&root.join("doctor/rules")) {
        let text = fs::read_to_string(&file).expect("sources are text");
        for (line, path) in uses(&text) {
            let is_known = known.iter().any(|known| path.starts_with(known));
            assert!(is_known, "{}:{line}: a rule may not use crate::{path}", file.display());
        }
        for forbidden in [
            "std::net::Udp",
            "std::net::Tcp",
            "std::fs",
            "std::time",
            "std::env",
            "std::process",
            "tokio",
            "socket2",
        ] {
            assert!(!text.contains(forbidden), "{}: a rule may not use {forbidden}", file.display());
        }
    }
}

#[test]
fn only_the_sink_writes_and_only_sys_is_unsafe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root) {
        let text = fs::read_to_string(&file).expect("sources are text");
        let is_in = |folder: &str| file.starts_with(root.join(folder));
        for forbidden in
            ["println!(", "print!(", "eprintln!(", "eprint!(", "dbg!(", "todo!(", "unimplemented!("]
        {
            assert!(!text.contains(forbidden), "{}: {forbidden}", file.display());
        }
        assert!(is_in("output") || !text.contains("stdout()"), "{}: writes by itself", file.display());
        let is_unsafe = text.contains("unsafe {") || text.contains("unsafe fn");
        assert!(is_in("sys") || !is_unsafe, "{}: unsafe outside sys", file.display());
    }
}

#[test]
fn the_reader_of_imports_reads_groups_and_paths() {
    let text = "use crate::address::{Class, Family};\nuse crate::{cli, output::record};\n  let x = crate::sys::network();\n\
                // crate::comment::not\nuse super::x;\n";
    let found: Vec<String> = uses(text).into_iter().map(|(_, path)| path).collect();
    assert_eq!(found, ["address::{Class", "cli", "output::record", "sys::network"]);
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("src is there") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top-level module a file belongs to.
fn module(file: &Path, root: &Path) -> String {
    let path = file.strip_prefix(root).expect("a file of src");
    let first = path.iter().next().expect("a file has a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Every path below `crate::` with its line, those of a group at the crate's root one by one.
fn uses(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            // `pub(in crate::sys)` says who may see something; it uses nothing.
            if line[..at].ends_with("(in ") {
                continue;
            }
            let path = &line[at + "crate::".len()..];
            let paths: Vec<&str> = match path.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or_default().split(", ").collect(),
                None => vec![path],
            };
            let end = |path: &str| {
                path.find(|c: char| !c.is_alphanumeric() && !"_:{".contains(c)).unwrap_or(path.len())
            };
            found.extend(paths.iter().map(|path| (index + 1, path[..end(path)].to_owned())));
        }
    }
    found
}
