//! Compact JSON (RFC 8259) that is harmless to print: what could act on a terminal is escaped as it is written.
//!
//! Reports have tens of thousands of rows with the same few dozen keys, and `serde_json` looks at every byte of every
//! key. The keys of this crate are its own identifiers, which need no escape; and a string is looked at once for both
//! what JSON and what a terminal would mind.

#![allow(clippy::unnecessary_wraps, reason = "what serde calls gives a result")]

use std::fmt::{Display, Write as _};

use serde::ser::{self, Error as _, Serialize, Serializer};
use serde_json::{Error, Result};

use crate::output::record;

/// So much is handed on at a time.
const PIECE: usize = 16 * 1024;

/// Writes a value as compact JSON, in pieces.
///
/// Errors: a map with keys that are no strings.
pub(super) fn write(value: &impl Serialize, out: impl FnMut(&str)) -> Result<()> {
    let mut json = Json { text: String::with_capacity(PIECE + PIECE / 2), out };
    value.serialize(&mut json)?;
    (json.out)(&json.text);
    Ok(())
}

/// The text that has not been handed on yet.
struct Json<F> {
    text: String,
    out: F,
}

impl<F: FnMut(&str)> Json<F> {
    /// Hands on what there is, if it is enough.
    fn pass(&mut self) {
        if self.text.len() >= PIECE {
            (self.out)(&self.text);
            self.text.clear();
        }
    }

    /// Writes a key that needs no escape.
    fn key(&mut self, key: &'static str) {
        debug_assert!(key.bytes().all(is_plain), "{key} is no identifier");
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn string(&mut self, value: &str) {
        self.text.push('"');
        if value.bytes().all(is_plain) {
            self.text.push_str(value);
        } else {
            value.chars().for_each(|c| self.escaped(c));
        }
        self.text.push('"');
    }

    fn escaped(&mut self, c: char) {
        match c {
            '"' => self.text.push_str("\\\""),
            '\\' => self.text.push_str("\\\\"),
            '\n' => self.text.push_str("\\n"),
            '\r' => self.text.push_str("\\r"),
            '\t' => self.text.push_str("\\t"),
            ' '..='~' => self.text.push(c),
            _ if c < ' ' || record::is_invisible(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(self.text, "\\u{unit:04x}").expect("writing to memory does not fail");
                }
            }
            _ => self.text.push(c),
        }
    }

    /// Writes what stands between the elements of a list or an object.
    fn comma(&mut self, is_first: &mut bool) {
        if !std::mem::replace(is_first, false) {
            self.text.push(',');
        }
        self.pass();
    }

    fn integer(&mut self, value: impl itoa::Integer) -> Result<()> {
        self.text.push_str(itoa::Buffer::new().format(value));
        Ok(())
    }

    /// Writes the shortest decimals that give the same number; what is not finite is null.
    fn real(&mut self, value: &impl Serialize) -> Result<()> {
        /// The longest are like -1.2345678901234567e-308.
        const LONGEST: usize = 32;
        let mut bytes = [0; LONGEST];
        let mut rest = &mut bytes[..];
        serde_json::to_writer(&mut rest, value)?;
        let length = LONGEST - rest.len();
        self.word(std::str::from_utf8(&bytes[..length]).map_err(Error::custom)?)
    }

    fn word(&mut self, word: &str) -> Result<()> {
        self.text.push_str(word);
        Ok(())
    }
}

/// Whether a byte stands for itself in JSON and on a terminal.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// A list or an object that is being written.
struct Several<'a, F> {
    json: &'a mut Json<F>,
    is_first: bool,
    end: &'static str,
}

impl<F: FnMut(&str)> Several<'_, F> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.json.comma(&mut self.is_first);
        value.serialize(&mut *self.json)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
        self.json.comma(&mut self.is_first);
        self.json.key(key);
        value.serialize(&mut *self.json)
    }

    fn close(self) -> Result<()> {
        self.json.word(self.end)
    }
}

impl<'a, F: FnMut(&str)> Json<F> {
    fn open(&'a mut self, start: &str, end: &'static str) -> Result<Several<'a, F>> {
        self.text.push_str(start);
        Ok(Several { json: self, is_first: true, end })
    }

    /// Opens an object with one key, whose value begins so.
    fn variant(&'a mut self, key: &'static str, start: &str, end: &'static str) -> Result<Several<'a, F>> {
        self.text.push('{');
        self.key(key);
        self.open(start, end)
    }
}

impl<'a, F: FnMut(&str)> Serializer for &'a mut Json<F> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Several<'a, F>;
    type SerializeTuple = Several<'a, F>;
    type SerializeTupleStruct = Several<'a, F>;
    type SerializeTupleVariant = Several<'a, F>;
    type SerializeMap = Several<'a, F>;
    type SerializeStruct = Several<'a, F>;
    type SerializeStructVariant = Several<'a, F>;

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.word(if value { "true" } else { "false" })
    }

    fn serialize_i8(self, value: i8) -> Result<()> {
        self.integer(value)
    }

    fn serialize_i16(self, value: i16) -> Result<()> {
        self.integer(value)
    }

    fn serialize_i32(self, value: i32) -> Result<()> {
        self.integer(value)
    }

    fn serialize_i64(self, value: i64) -> Result<()> {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> Result<()> {
        self.integer(value)
    }

    fn serialize_u16(self, value: u16) -> Result<()> {
        self.integer(value)
    }

    fn serialize_u32(self, value: u32) -> Result<()> {
        self.integer(value)
    }

    fn serialize_u64(self, value: u64) -> Result<()> {
        self.integer(value)
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        self.real(&value)
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        self.real(&value)
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.word("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.word("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.word("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let mut object = self.open("{", "}")?;
        object.field(variant, value)?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Several<'a, F>> {
        self.open("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Several<'a, F>> {
        self.open("[", "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Several<'a, F>> {
        self.open("[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Several<'a, F>> {
        self.variant(variant, "[", "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Several<'a, F>> {
        self.open("{", "}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Several<'a, F>> {
        self.open("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Several<'a, F>> {
        self.variant(variant, "{", "}}")
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<()> {
        self.serialize_str(&value.to_string())
    }
}

impl<F: FnMut(&str)> ser::SerializeSeq for Several<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.item(value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

impl<F: FnMut(&str)> ser::SerializeTuple for Several<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.item(value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

impl<F: FnMut(&str)> ser::SerializeTupleStruct for Several<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.item(value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

impl<F: FnMut(&str)> ser::SerializeTupleVariant for Several<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.item(value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

impl<F: FnMut(&str)> ser::SerializeMap for Several<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.json.comma(&mut self.is_first);
        let start = self.json.text.len();
        key.serialize(&mut *self.json)?;
        // Whatever else it is begins otherwise.
        if !self.json.text.get(start..).is_some_and(|key| key.starts_with('"')) {
            return Err(Error::custom("a key must be a string"));
        }
        self.json.text.push(':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

impl<F: FnMut(&str)> ser::SerializeStruct for Several<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
        self.field(key, value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

impl<F: FnMut(&str)> ser::SerializeStructVariant for Several<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
        self.field(key, value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    #[derive(serde::Serialize)]
    enum Every {
        Unit,
        New(Option<f64>),
        Tuple(u8, i64),
        Struct { text: &'static str, flag: bool },
    }

    fn written(value: &impl Serialize) -> String {
        let mut text = String::new();
        write(value, |piece| text.push_str(piece)).expect("string keys");
        text
    }

    #[test]
    fn it_says_what_serde_json_says() {
        let every = || {
            (
                vec![Every::Unit, Every::New(None), Every::New(Some(0.1)), Every::Tuple(255, i64::MIN)],
                Every::Struct {
                    text: "a\"b\\c\n\t\r\x08\x0c\x1f\u{7f}\u{9b}\u{202e}\u{e0041}é漢",
                    flag: true,
                },
                ((), 'x', '"', u64::MAX, f64::NAN, 1e300, -0.0, 5e-324, 100.0, 1.1_f32),
                BTreeMap::from([("b", json!({"z": 1, "a": [null, 2.5]})), ("a\n", Value::Null)]),
            )
        };
        let (ours, theirs) = (written(&every()), serde_json::to_string(&every()).expect("string keys"));
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(parse(&ours), parse(&theirs));
        assert!(!ours.chars().any(|c| c.is_control() || record::is_invisible(c)), "{ours}");
        let plain = json!([{"a": 1, "b": [], "c": {}}, "text", 0.25, -7, true, null]);
        assert_eq!(written(&plain), plain.to_string());
    }

    #[test]
    fn pieces_are_cut_anywhere_and_lose_nothing() {
        let many: Vec<Value> = (0..5_000).map(|number| json!({"number": number, "text": "é\n"})).collect();
        let mut pieces = 0;
        write(&many, |_| pieces += 1).expect("string keys");
        assert!(pieces > 5, "{pieces}");
        assert_eq!(written(&many), serde_json::to_string(&many).expect("string keys"));
    }

    #[test]
    fn a_key_must_be_a_string() {
        assert!(write(&BTreeMap::from([(1, 2)]), |_| ()).is_err());
    }
}
