//! The parts of the papers that are made from the sources are what the sources say now.
//!
//! `NETDIAG_PAPERS=write cargo test --test papers` makes them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use netdiag::doctor::rules::{Cause, Layer};

const FROM: &str = "<!-- causes -->";
const TO: &str = "<!-- end of causes -->";

/// The causes that the doctor names, a row each, by their layers from this machine outward.
fn causes() -> String {
    let mut text = String::from("| layer | code | what it means |\n|---|---|---|\n");
    let mut causes = Cause::ALL.to_vec();
    causes.sort_by_key(|cause| cause.layer());
    let mut last: Option<Layer> = None;
    for cause in causes {
        let layer = cause.layer();
        let shown = if last.replace(layer) == Some(layer) { "" } else { layer.name() };
        writeln!(text, "| {shown} | {} | {} |", cause.code(), cause.meaning()).expect("memory");
    }
    text
}

#[test]
fn the_doctors_page_lists_every_cause() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    let old = fs::read_to_string(&file).expect("the page is there");
    let (head, rest) = old.split_once(FROM).expect("it has a mark before the causes");
    let (_, tail) = rest.split_once(TO).expect("it has a mark behind the causes");
    let new = format!("{head}{FROM}\n{}{TO}{tail}", causes());
    if std::env::var_os("NETDIAG_PAPERS").is_some() {
        fs::write(&file, new).expect("the page can be written");
    } else {
        assert!(
            old == new,
            "docs/doctor.md is not what the sources say: NETDIAG_PAPERS=write cargo test --test papers"
        );
    }
}
