//! The items of a JSON file, found without building its tree.

use std::fmt;
use std::io::BufRead;

use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::cut::Items;
use super::source::Source;
use super::unread;
use crate::worker::registry::JobError;

/// What AWS says of a document, or part of one, that is neither array nor object.
const NO_ITEMS: &str = "Attempting to map over non-iterable node.";
/// What AWS says of a pointer that leads nowhere.
const NOT_FOUND: &str =
    "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure.";

/// The most parts of a pointer: for each, what is left of the document is read once.
const MAX_POINTER_PARTS: usize = 128;

/// Adds the elements of the array, or the pairs of the object, that the pointer leads to; without
/// one, of the whole document.
pub(super) fn cut<R: BufRead>(
    mut source: Source<R>,
    pointer: Option<&str>,
    items: &mut Items<'_>,
) -> Result<(), JobError> {
    let text = source.rest()?;
    let document: &RawValue = serde_json::from_str(&text)
        .map_err(|error| unread(format!("the file is no JSON document: {error}")))?;
    let chosen = find(document, pointer.unwrap_or_default())?;
    let mut gather = Gather { items, position: source.bytes, end: End::NoItems };
    let read = Deserializer::from_str(chosen.get()).deserialize_any(&mut gather);
    match gather.end {
        // Whatever the reader says of what was left unread.
        End::Enough => Ok(()),
        End::Failed(error) => Err(error),
        End::All => read.map_err(|error| unread(format!("the items cannot be read: {error}"))),
        End::NoItems => Err(unread(format!(
            "{NO_ITEMS} The items are the elements of an array or the pairs of an object; set `ItemsPointer` to where one stands in the file"
        ))),
    }
}

/// Writes a text as JSON.
pub(super) fn write_text(text: &str, into: &mut Vec<u8>) -> Result<(), JobError> {
    serde_json::to_writer(into, text).map_err(|error| unread(error.to_string()))
}

/// Writes a JSON text without the space between its tokens, and otherwise as it is: numbers keep
/// their digits.
pub(super) fn compact(json: &str, into: &mut Vec<u8>) {
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b' ' | b'\t' | b'\r' | b'\n' if !in_text => continue,
            _ => {}
        }
        into.push(byte);
    }
}

/// Follows a JSON pointer (RFC 6901).
fn find<'d>(document: &'d RawValue, pointer: &str) -> Result<&'d RawValue, JobError> {
    if pointer.matches('/').count() > MAX_POINTER_PARTS {
        return Err(unread(format!(
            "`ItemsPointer` has over {MAX_POINTER_PARTS} parts, and no document that can be used is nested deeper"
        )));
    }
    let mut found = document;
    let mut parts = pointer.split('/');
    if parts.next().is_some_and(|before| !before.is_empty()) {
        return Err(unread(format!(
            "`ItemsPointer` is {pointer:?}, and a JSON pointer begins with `/`; write \"/{pointer}\""
        )));
    }
    for part in parts {
        let key = part.replace("~1", "/").replace("~0", "~");
        let next = Deserializer::from_str(found.get()).deserialize_any(Pick(&key));
        let next = next.map_err(|error| {
            unread(format!("the file cannot be searched for `ItemsPointer`: {error}"))
        })?;
        found = next.ok_or_else(|| {
            unread(format!("{NOT_FOUND} It is {pointer:?}; there is no {key:?} at that place"))
        })?;
    }
    Ok(found)
}

/// Picks one value of an object or array: the last of its name, as when a tree is built.
struct Pick<'k>(&'k str);

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            if key == self.0 {
                found = Some(value);
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let digits = self.0.bytes().all(|byte| byte.is_ascii_digit());
        let plain = digits && (self.0 == "0" || !self.0.starts_with('0'));
        let wanted = self.0.parse::<usize>().ok().filter(|_| plain);
        let (mut index, mut found) = (0, None);
        while let Some(value) = seq.next_element::<&RawValue>()? {
            if Some(index) == wanted {
                found = Some(value);
            }
            index += 1;
        }
        Ok(found)
    }

    // Neither array nor object: nothing is in there.
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Adds what it finds to the items.
struct Gather<'g, 'i> {
    items: &'g mut Items<'i>,
    position: u64,
    end: End,
}

/// How gathering ended.
enum End {
    /// There is neither an array nor an object.
    NoItems,
    /// With the last item.
    All,
    /// No more were wanted.
    Enough,
    Failed(JobError),
}

impl Gather<'_, '_> {
    /// Takes what came of adding an item; the error ends the reader, and is not looked at.
    fn note<E: serde::de::Error>(&mut self, pushed: Result<bool, JobError>) -> Result<(), E> {
        self.end = match pushed {
            Ok(true) => return Ok(()),
            Ok(false) => End::Enough,
            Err(error) => End::Failed(error),
        };
        Err(E::custom("no more items"))
    }
}

impl<'de> Visitor<'de> for &mut Gather<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.end = End::All;
        while let Some(item) = seq.next_element::<&RawValue>()? {
            let pushed = self.items.push_json(self.position, item.get());
            self.note(pushed)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.end = End::All;
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            let key = serde_json::to_string(&key).map_err(A::Error::custom)?;
            let pair = format!("{{\"Key\":{key},\"Value\":{}}}", value.get());
            let pushed = self.items.push_json(self.position, &pair);
            self.note(pushed)?;
        }
        Ok(())
    }
}
