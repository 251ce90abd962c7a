//! CSV (RFC 4180, with line feeds): the result's rows, or a row an event.

use serde::Serialize;
use serde_json::Value as Json;

use super::document::Named;
use super::{Style, Whole, tell_if_urgent};
use crate::output::record::{Attention, Charset, Column, Event, Mark, Record, Report, Untrusted, Value};
use crate::output::select::Rows;
use crate::output::{Emitter, Options};

pub(super) struct Csv;

impl Style for Csv {
    fn event<E: Event>(emitter: &mut Emitter, event: &E) {
        if !emitter.options.events {
            // The data comes at the end.
            return tell_if_urgent(emitter, event);
        }
        if !emitter.has_streamed && emitter.options.header {
            emitter.out.write(&line(E::keys().iter().map(|key| (*key).to_owned())));
        }
        emitter.has_streamed = true;
        emitter.out.write(&self::event(event.name(), event, E::keys()));
    }

    fn report<R: Report>(emitter: &mut Emitter, whole: &Whole<'_, R>) {
        // The events are the rows.
        if !emitter.options.events {
            let all = || R::Row::columns().iter().collect();
            let columns = whole.named.map_or_else(all, <[_]>::to_vec);
            rows(whole.rows, &columns, emitter.options.header, |text| emitter.out.write(text));
        }
        emitter.tell_warnings_and_hints(whole.report);
    }

    fn attention(options: &Options) -> Attention {
        if options.events { Attention::Details } else { Attention::None }
    }

    fn is_stream_of_data(options: &Options) -> bool {
        options.events
    }
}

/// Writes rows as CSV (RFC 4180, with line feeds): figures in the unit of their JSON key, lists with semicolons.
fn rows<R: Record + Clone>(
    rows: &Rows<'_, R>,
    columns: &[&'static Column<R>],
    header: bool,
    mut out: impl FnMut(&str),
) {
    if header {
        out(&line(columns.iter().map(|column| column.id.to_owned())));
    }
    for row in rows.iter() {
        out(&line(columns.iter().map(|column| field(&(column.cell)(&row).value))));
    }
}

/// One line of CSV.
fn line(fields: impl Iterator<Item = String>) -> String {
    let expectation = "writing to memory does not fail";
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(fields).expect(expectation);
    String::from_utf8(writer.into_inner().expect(expectation)).expect("every field is UTF-8")
}

/// One event as CSV: the values of these keys of its JSON, those below a key after a dot; `event` is its name.
fn event<E: Serialize>(name: &'static str, body: &E, keys: &[&str]) -> String {
    let json = serde_json::to_value(Named { event: name, body }).expect("an event has string keys");
    line(keys.iter().map(|key| {
        let value = key.split('.').try_fold(&json, |json, key| json.get(key));
        match value {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => Untrusted::from(text.as_str()).escaped(Charset::Unicode),
            Some(other) => other.to_string(),
        }
    }))
}

fn field(value: &Value) -> String {
    match value {
        Value::Missing => String::new(),
        Value::Unsupported => "unsupported".to_owned(),
        Value::Denied => "denied".to_owned(),
        Value::Flag(is) => is.to_string(),
        Value::Word(word) | Value::Named { raw: word, .. } => (*word).to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real { raw, .. } => raw.to_string(),
        Value::Text(text) => text.escaped(Charset::Unicode),
        Value::Ip(ip, None) => ip.to_string(),
        Value::Ip(ip, Some(length)) => format!("{ip}/{length}"),
        Value::List(items) | Value::Series(items) => items.iter().map(field).collect::<Vec<_>>().join(";"),
        Value::Trend(marks) => {
            let mark =
                |mark: &Mark| if let Mark::Answered(us) = mark { us.to_string() } else { String::new() };
            marks.iter().map(mark).collect::<Vec<_>>().join(";")
        }
    }
}
