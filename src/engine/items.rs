//! The items of a Map, found in their text once.

use serde::{Deserialize, Serialize};

use crate::language::Json;

/// A Map's items: the text of an array or object, and where each element or entry stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// The array or object.
    pub text: Json,
    /// Start and end of each element or entry in the text, in bytes.
    pub spans: Vec<(u32, u32)>,
}

impl Items {
    /// Finds the elements of an array or the entries of an object; other documents have none.
    #[must_use]
    pub fn of(text: Json) -> Self {
        let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let spans = text
            .elements()
            .or_else(|| text.entries())
            .unwrap_or_default()
            .into_iter()
            .map(|span| (bound(span.start), bound(span.end)))
            .collect();
        Self { text, spans }
    }

    /// The item at `index`, as a part without an `ItemSelector` gets it: an element, or an entry as
    /// `{"Key": …, "Value": …}`. `null` past the end.
    #[must_use]
    pub fn get(&self, index: usize) -> Json {
        match self.entry(index) {
            Some((key, value)) => Json::object([("Key", &key), ("Value", &value)]),
            None => self.element(index),
        }
    }

    /// The item at `index` as the context object shows it: the key, of an entry, and the value.
    #[must_use]
    pub fn shown(&self, index: usize) -> (Option<Json>, Json) {
        match self.entry(index) {
            Some((key, value)) => (Some(key), value),
            None => (None, self.element(index)),
        }
    }

    fn element(&self, index: usize) -> Json {
        match self.spans.get(index) {
            Some((start, end)) => self.text.slice(*start as usize..*end as usize),
            None => Json::null(),
        }
    }

    fn entry(&self, index: usize) -> Option<(Json, Json)> {
        let (start, end) = self.spans.get(index).filter(|_| self.text.as_str().starts_with('{'))?;
        self.text.entry(*start as usize..*end as usize)
    }
}
