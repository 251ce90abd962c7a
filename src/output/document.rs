//! The formats for programs: JSON, NDJSON and CSV.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::record::{self, Column, Record, Report, Value, Warning};

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
struct Named<'a, E> {
    event: &'static str,
    #[serde(flatten)]
    body: &'a E,
}

/// The columns and the row order a report is narrowed to; `None` leaves it whole.
pub(super) struct Narrowed<'a, R: 'static> {
    pub(super) columns: Option<&'a [&'static Column<R>]>,
    pub(super) order: &'a [usize],
}

/// A whole report as one JSON object; `pretty` is for people who look at it.
pub(super) fn report<R: Report>(
    report: &R,
    narrowed: &Narrowed<'_, R::Row>,
    event: Option<&'static str>,
    pretty: bool,
) -> String {
    let document = Document {
        event,
        schema: R::SCHEMA,
        generated_at: humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string(),
        data: data(report, narrowed),
        warnings: report.warnings(),
    };
    let text =
        if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
    safe(&text.expect("a report has string keys and finite figures"))
}

fn data<R: Report>(report: &R, narrowed: &Narrowed<'_, R::Row>) -> Json {
    let mut data = serde_json::to_value(report).expect("a report has string keys and finite figures");
    let rows = data.pointer_mut(R::ROWS).expect("a report has its rows where it says");
    if let Json::Array(rows) = rows {
        let mut taken: Vec<Option<Json>> = std::mem::take(rows).into_iter().map(Some).collect();
        rows.extend(narrowed.order.iter().filter_map(|index| taken.get_mut(*index)?.take()));
    }
    if let Some(columns) = narrowed.columns {
        *rows = project(rows, &paths(columns));
    }
    data
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
    let text = serde_json::to_string(&Named { event: name, body });
    safe(&text.expect("an event has string keys and finite figures"))
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

/// Rows as CSV (RFC 4180, with line feeds): figures in the unit of their JSON key, lists with semicolons.
pub(super) fn csv<R: Record>(rows: &[&R], columns: &[&'static Column<R>], header: bool) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let expectation = "writing to memory does not fail";
    if header {
        writer.write_record(columns.iter().map(|column| column.id)).expect(expectation);
    }
    for row in rows {
        let fields = columns.iter().map(|column| field(&(column.cell)(row).value));
        writer.write_record(fields).expect(expectation);
    }
    String::from_utf8(writer.into_inner().expect(expectation)).expect("every field is UTF-8")
}

fn field(value: &Value) -> String {
    match value {
        Value::Missing => String::new(),
        Value::Unsupported => "unsupported".to_owned(),
        Value::Denied => "denied".to_owned(),
        Value::Flag(is) => is.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real { raw, .. } => raw.to_string(),
        Value::Text(text) => text.escaped(record::Charset::Unicode),
        Value::List(items) | Value::Series(items) => items.iter().map(field).collect::<Vec<_>>().join(";"),
    }
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
