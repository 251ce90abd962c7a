//! JSON documents: whole results, rows and events.

use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};
use std::fmt::Write as _;

use super::{Whole, json_writer};
use crate::output::record::{self, Column, Record, Report, Warning};
use crate::output::select::Rows;

/// What every JSON document of netdiag looks like from outside.
#[derive(Serialize)]
struct Document<'a, D> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'static str>,
    schema: &'static str,
    generated_at: String,
    data: D,
    warnings: &'a [Warning],
}

/// An event's fields after its name.
#[derive(Serialize)]
pub(super) struct Named<'a, E> {
    pub(super) event: &'static str,
    #[serde(flatten)]
    pub(super) body: &'a E,
}

/// A report's rows and the columns they are narrowed to; `None` leaves them whole.
pub(super) struct Narrowed<'a, R: Clone + 'static> {
    pub(super) columns: Option<&'a [&'static Column<R>]>,
    pub(super) rows: &'a Rows<'a, R>,
    /// Whether the one row stands for itself.
    pub(super) is_one_row: bool,
}

impl<'a, R: Clone + 'static> Narrowed<'a, R> {
    pub(super) fn new<W: Report<Row = R>>(whole: &Whole<'a, W>) -> Self {
        Self { columns: whole.named, rows: whole.rows, is_one_row: W::IS_ONE_ROW }
    }
}

/// Writes a whole report as one JSON object, row by row; `pretty` is for people who look at it.
pub(super) fn report<R: Report>(
    report: &R,
    narrowed: &Narrowed<'_, R::Row>,
    event: Option<&'static str>,
    pretty: bool,
    mut out: impl FnMut(&str),
) {
    // A report that is nothing but its rows is not needed besides.
    let frame = if R::ROWS.is_empty() { Ok(Json::Null) } else { serde_json::to_value(report) };
    let frame = frame.expect("a report has string keys and finite figures");
    let path: Vec<&str> = R::ROWS.split('/').skip(1).collect();
    let document = Document {
        event,
        schema: R::SCHEMA,
        generated_at: humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string(),
        data: Framed { frame: &frame, path: &path, narrowed },
        warnings: report.warnings(),
    };
    let expectation = "a report has string keys and finite figures";
    if pretty {
        out(&safe(&serde_json::to_string_pretty(&document).expect(expectation)));
    } else {
        json_writer::write(&document, out).expect(expectation);
    }
}

/// A report with its rows, made one at a time, in the place that the path names.
struct Framed<'f, 'r, R: Clone + 'static> {
    frame: &'f Json,
    path: &'f [&'f str],
    narrowed: &'f Narrowed<'r, R>,
}

impl<R: Record + Clone> Serialize for Framed<'_, '_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.path, self.frame) {
            ([key, path @ ..], Json::Object(fields)) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, frame) in fields {
                    if name == key {
                        map.serialize_entry(name, &Framed { frame, path, narrowed: self.narrowed })?;
                    } else {
                        map.serialize_entry(name, frame)?;
                    }
                }
                map.end()
            }
            _ if self.narrowed.is_one_row => {
                let row = self.narrowed.rows.get(0);
                match self.narrowed.columns {
                    None => row.serialize(serializer),
                    Some(columns) => {
                        let whole = serde_json::to_value(&*row).map_err(S::Error::custom)?;
                        project(&whole, &paths(columns)).serialize(serializer)
                    }
                }
            }
            _ => {
                let mut list = serializer.serialize_seq(Some(self.narrowed.rows.count()))?;
                for row in self.narrowed.rows.iter() {
                    match self.narrowed.columns {
                        None => list.serialize_element(&*row)?,
                        Some(columns) => {
                            let whole = serde_json::to_value(&*row).map_err(S::Error::custom)?;
                            list.serialize_element(&project(&whole, &paths(columns)))?;
                        }
                    }
                }
                list.end()
            }
        }
    }
}

fn paths<R>(columns: &[&'static Column<R>]) -> Vec<&'static str> {
    columns.iter().map(|column| column.id).collect()
}

/// One row as one line of NDJSON, without the newline.
pub(super) fn row<R: Record>(name: &'static str, row: &R, columns: Option<&[&'static Column<R>]>) -> String {
    match columns {
        None => event(name, row),
        Some(columns) => {
            let whole = serde_json::to_value(row).expect("a row has string keys and finite figures");
            event(name, &project(&whole, &paths(columns)))
        }
    }
}

/// Keeps only what the paths name: keys with dots between, through arrays.
fn project(value: &Json, paths: &[&str]) -> Json {
    match value {
        Json::Array(items) => items.iter().map(|item| project(item, paths)).collect(),
        Json::Object(fields) => {
            let mut kept = Map::new();
            for path in paths {
                let key = path.split('.').next().unwrap_or(path);
                if let Some(field) = fields.get(key).filter(|_| !kept.contains_key(key)) {
                    let below = paths.iter().filter_map(|path| path.strip_prefix(key)?.strip_prefix('.'));
                    let below: Vec<&str> = below.collect();
                    let is_whole = paths.contains(&key);
                    kept.insert(
                        key.to_owned(),
                        if is_whole { field.clone() } else { project(field, &below) },
                    );
                }
            }
            Json::Object(kept)
        }
        other => other.clone(),
    }
}

/// One event as one line of NDJSON, without the newline.
pub(super) fn event<E: Serialize>(name: &'static str, body: &E) -> String {
    let mut text = String::new();
    let written = json_writer::write(&Named { event: name, body }, |piece| text.push_str(piece));
    written.expect("an event has string keys and finite figures");
    text
}

/// Writes the characters that could act on a terminal as JSON escapes: the same string, harmless to print.
///
/// Outside its strings a JSON text is ASCII without controls (RFC 8259, 2), so each of them is in a string.
fn safe(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\x7f' || !record::is_invisible(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn projecting_keeps_what_is_named_in_the_order_it_is_named() {
        let row = json!({"name": "lo", "mtu": 65536, "rtt_us": {"min": 1, "max": 2},
            "addresses": [{"address": "::1", "class": "loopback", "scope": "host"}]});
        assert_eq!(project(&row, &["mtu", "name"]).to_string(), r#"{"mtu":65536,"name":"lo"}"#);
        assert_eq!(project(&row, &["rtt_us.max"]).to_string(), r#"{"rtt_us":{"max":2}}"#);
        assert_eq!(project(&row, &["addresses.class"]), json!({"addresses": [{"class": "loopback"}]}));
        assert_eq!(project(&row, &["addresses.class", "addresses"])["addresses"], row["addresses"]);
    }

    #[test]
    fn json_holds_the_real_text_and_is_harmless_to_print() {
        let text = "\u{9b}2J\u{202e}\x7f\u{e0041}é";
        let line = event("test", &json!({ "alias": text }));
        assert!(!line.chars().any(|c| c.is_control() || record::is_invisible(c)), "{line}");
        let parsed: Json = serde_json::from_str(&line).expect("still JSON");
        assert_eq!(parsed["alias"], text);
        assert!(line.starts_with(r#"{"event":"test","#));
    }
}
