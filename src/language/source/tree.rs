//! The positioned tree.

use std::collections::HashMap;

use serde_json::{Number, Value};

/// A part of the text, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// The first byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) span: Span,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Array(Vec<Node>),
    /// Members in the order of the text, keys unique.
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

impl Node {
    /// The JSON type, with its article, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.content {
            Content::Null => "null",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::Array(_) => "an array",
            Content::Object(_) => "an object",
        }
    }

    /// The same tree without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::Array(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Object(members) => Value::Object(
                members.iter().map(|member| (member.key.clone(), member.node.to_value())).collect(),
            ),
        }
    }

    /// The node at a JSON pointer below this one.
    pub(crate) fn find(&self, pointer: &str) -> Option<&Self> {
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            let key = segment.replace("~1", "/").replace("~0", "~");
            node = match &node.content {
                Content::Array(items) => items.get(key.parse::<usize>().ok()?)?,
                Content::Object(members) => {
                    &members.iter().find(|member| member.key == key || member.key == segment)?.node
                }
                _ => return None,
            };
        }
        Some(node)
    }

    /// How much this tree would take if it were written again, in bytes, about.
    pub(super) fn weight(&self) -> usize {
        match &self.content {
            Content::Null | Content::Bool(_) | Content::Number(_) => 8,
            Content::Text(text) => 8 + text.len(),
            Content::Array(items) => 8 + items.iter().map(Self::weight).sum::<usize>(),
            Content::Object(members) => {
                8 + members.iter().map(|m| 8 + m.key.len() + m.node.weight()).sum::<usize>()
            }
        }
    }

    /// Levels of arrays and objects, this one included.
    pub(super) fn height(&self) -> usize {
        match &self.content {
            Content::Array(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Content::Object(members) => {
                1 + members.iter().map(|member| member.node.height()).max().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// Collects the members of an object and notices keys that come twice.
#[derive(Debug, Default)]
pub(super) struct ObjectBuilder {
    members: Vec<Member>,
    seen: HashMap<String, Span>,
}

impl ObjectBuilder {
    /// Notes a key; gives the place of the same key before it, if there is one.
    pub(super) fn note_key(&mut self, key: &str, span: Span) -> Option<Span> {
        let first = self.seen.get(key).copied();
        if first.is_none() {
            self.seen.insert(key.to_owned(), span);
        }
        first
    }

    /// Adds a member whose key was noted as new.
    pub(super) fn push(&mut self, member: Member) {
        self.members.push(member);
    }

    pub(super) fn finish(self) -> Content {
        Content::Object(self.members)
    }
}

/// Reads a decimal number: whole if it is written so and fits 64 bits, else floating.
///
/// Both formats use this one, so that the same digits give the same hash. `None` when the number
/// is too large for a double.
pub(super) fn number(text: &str) -> Option<Number> {
    let whole = !text.contains(['.', 'e', 'E']);
    if whole && let Ok(value) = text.parse::<u64>() {
        return Some(value.into());
    }
    if whole && let Ok(value) = text.parse::<i64>() {
        return Some(value.into());
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}
