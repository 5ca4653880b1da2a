//! JSON payloads as text.
//!
//! Inputs, outputs and results travel through the engine and into the log as text: a state that
//! passes its input on never parses it, and bincode can store it (it cannot read back a
//! `serde_json::Value`).

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON document as text that is known to be valid. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

static NULL: LazyLock<Json> = LazyLock::new(|| Json(Arc::from("null")));
static EMPTY_OBJECT: LazyLock<Json> = LazyLock::new(|| Json(Arc::from("{}")));

impl Json {
    /// Checks that `text` is one JSON document and keeps it as it is, without surrounding space.
    ///
    /// # Errors
    /// The place and kind of the first fault in the text.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        // The tree is thrown away: what matters is that there is one. A raw value may also hold
        // what no tree can: half a surrogate pair, a number past all numbers, too deep a nesting.
        serde_json::from_str::<Value>(text).and_then(|_| Self::parse_raw(text))
    }

    /// Keeps text that is known to have been a document of ours.
    fn parse_raw(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(Arc::from(raw.get())))
    }

    /// Writes a value as compact text.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        Self(Arc::from(value.to_string()))
    }

    /// Writes any serializable value as compact text.
    ///
    /// # Errors
    /// What the value's own `Serialize` reports, for example a map with keys that are not strings;
    /// or that it is nested deeper than a document may be.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Self::if_shallow(&serde_json::to_string(value)?)
    }

    /// Keeps a text that is one document, as it is written and without building its tree.
    pub(crate) fn from_text(text: String) -> Result<Self, serde_json::Error> {
        Self::if_shallow(RawValue::from_string(text)?.get())
    }

    /// Keeps a document unless it is nested deeper than one may be.
    fn if_shallow(text: &str) -> Result<Self, serde_json::Error> {
        if nesting(text) > MAX_NESTING {
            return Err(serde::ser::Error::custom(format!(
                "the value is nested deeper than {MAX_NESTING} levels"
            )));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The document `null`.
    #[must_use]
    pub fn null() -> Self {
        NULL.clone()
    }

    /// The document `{}`.
    #[must_use]
    pub fn empty_object() -> Self {
        EMPTY_OBJECT.clone()
    }

    /// Parses the text into a tree.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text's length in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// Where the elements of an array stand in the text; `None` when the document is no array.
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Range<usize>>> {
        let items: Vec<&RawValue> = serde_json::from_str(&self.0).ok()?;
        let base = self.0.as_ptr() as usize;
        let span = |raw: &&RawValue| {
            let start = raw.get().as_ptr() as usize - base;
            start..start + raw.get().len()
        };
        Some(items.iter().map(span).collect())
    }

    /// Where the entries of an object stand in the text, each from its key to the end of its value;
    /// `None` when the document is no object.
    #[must_use]
    pub fn entries(&self) -> Option<Vec<Range<usize>>> {
        let Entries(entries) = serde_json::from_str(&self.0).ok()?;
        let base = self.0.as_ptr() as usize;
        let span = |(key, value): &(&RawValue, &RawValue)| {
            let end = value.get().as_ptr() as usize + value.get().len();
            key.get().as_ptr() as usize - base..end - base
        };
        Some(entries.iter().map(span).collect())
    }

    /// The key and the value of the entry at `range`, one of [`Json::entries`].
    #[must_use]
    pub fn entry(&self, range: Range<usize>) -> Option<(Self, Self)> {
        let text = self.0.get(range)?;
        let (key, rest) = text.split_at_checked(end_of_string(text)?)?;
        let value = rest.trim_start().strip_prefix(':')?;
        Some((Self::parse_raw(key).ok()?, Self::parse_raw(value).ok()?))
    }

    /// The part of the text at `range`, as a document of its own; `null` where that is not one.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        self.0.get(range).and_then(|text| Self::parse_raw(text).ok()).unwrap_or_else(Self::null)
    }

    /// An array of the given documents.
    #[must_use]
    pub fn array<'a>(items: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut text = String::from("[");
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(item.as_str());
        }
        text.push(']');
        Self(Arc::from(text))
    }

    /// An object of the given fields.
    #[must_use]
    pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, &'a Self)>) -> Self {
        let mut text = String::from("{");
        for (index, (name, value)) in fields.into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&Value::from(name).to_string());
            text.push(':');
            text.push_str(value.as_str());
        }
        text.push('}');
        Self(Arc::from(text))
    }
}

/// The entries of an object as they are spelled.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;

        impl<'de> Visitor<'de> for Reads {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'de>, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Reads)
    }
}

/// Where the JSON string that the text starts with ends.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// How deep a document may be nested: what `serde_json` reads back.
const MAX_NESTING: usize = 127;

/// How deep the brackets of a JSON text are nested.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self::from_value(&value)
    }
}

/// Text in binary formats; the JSON value itself in formats for people.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let raw: &RawValue =
                serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
            raw.serialize(serializer)
        } else {
            serializer.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let raw: Box<RawValue> = Box::deserialize(deserializer)?;
            Ok(Self(Arc::from(raw.get())))
        } else {
            let text = String::deserialize(deserializer)?;
            Self::parse_raw(&text).map_err(serde::de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_where_they_stand() {
        let json = Json::parse(r#" [1, {"a":[2]}, "x"] "#).unwrap();
        let spans = json.elements().unwrap();
        let texts: Vec<String> =
            spans.into_iter().map(|span| json.slice(span).to_string()).collect();
        assert_eq!(texts, ["1", r#"{"a":[2]}"#, "\"x\""]);
        assert!(Json::parse("{}").unwrap().elements().is_none());
    }

    #[test]
    fn entries_are_found_where_they_stand() {
        let json = Json::parse(r#"{"a" : 1,"q\"{:\\":{"b":[]} , "\u00e9":"x"}"#).unwrap();
        let entries: Vec<String> = json
            .entries()
            .unwrap()
            .into_iter()
            .map(|span| {
                let (key, value) = json.entry(span).unwrap();
                format!("{key} {value}")
            })
            .collect();
        assert_eq!(entries, [r#""a" 1"#, r#""q\"{:\\" {"b":[]}"#, r#""\u00e9" "x""#]);
        assert!(Json::empty_object().entries().unwrap().is_empty());
        assert!(Json::parse("[]").unwrap().entries().is_none());
        let one = Json::parse("1").unwrap();
        assert_eq!(Json::object([("a\"", &one), ("b", &json)]).value()["a\""], 1);
    }

    #[test]
    fn a_document_survives_both_kinds_of_format() {
        let json = Json::parse(r#"{"b":1,"a":[null,"\u00e9"]}"#).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), json.as_str());
        let config = bincode::config::standard();
        let bytes = bincode::serde::encode_to_vec(&json, config).unwrap();
        let (back, _): (Json, usize) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
        assert_eq!(back, json);
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(&deep(127)).is_ok());
        assert!(Json::parse(&deep(128)).is_err());
        assert!(Json::parse("1e999").is_err());
        assert!(Json::parse(r#""\ud800""#).is_err());
        let mut value = Value::from("]]]{{\\\"");
        for _ in 0..127 {
            value = Value::from(vec![value]);
        }
        assert_eq!(Json::from_serialize(&value).unwrap().value(), value);
        assert!(Json::from_serialize(&vec![value]).is_err());
    }

    #[test]
    fn numbers_keep_their_value_from_text_to_text() {
        for text in ["90.57000000000001", "122.89500000000001", "5.713383956445858e+262"] {
            assert_eq!(Json::from_value(&Json::parse(text).unwrap().value()).as_str(), text);
        }
        let number = 5.713_383_956_445_858e262;
        let again = Json::from_serialize(&number).unwrap().value();
        assert_eq!(again.as_f64(), Some(number));
    }

    #[test]
    fn two_documents_in_one_text_are_refused() {
        assert!(Json::parse("1 2").is_err());
    }
}
