//! Reading of fields: typed access to the tree that reports what does not fit.

use std::ops::RangeInclusive;

use super::Reader;
use super::nearest::nearest;
use crate::language::diagnostic::{codes, quoted};
use crate::language::expression::ExpressionFault;
use crate::language::model::{Number, QueryLanguage};
use crate::language::source::{Content, Fault, Member, Node, Place, Segment, Span};

/// The largest number of seconds, attempts and the like: a bit over three years of seconds.
pub(super) const MOST: u64 = 99_999_999;

/// An object of the definition.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) members: &'a [Member],
    pub(super) place: Place<'a>,
    /// Where to point when something is missing: the key that holds the object, or its start.
    pub(super) span: Span,
    /// The query language that its expressions are written in.
    pub(super) language: QueryLanguage,
}

/// A value of the definition, with its way there.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    pub(super) place: Place<'a>,
    /// The key, where there is one; else the value's own place.
    pub(super) key_span: Span,
    pub(super) language: QueryLanguage,
}

impl<'a> Object<'a> {
    /// The field called `name`.
    pub(super) fn get(&'a self, name: &str) -> Option<At<'a>> {
        self.members.iter().find(|member| member.key == name).map(|member| self.field(member))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.key == name)
    }

    /// All fields in the order of the text.
    pub(super) fn fields(&'a self) -> impl Iterator<Item = At<'a>> {
        self.members.iter().map(|member| self.field(member))
    }

    fn field(&'a self, member: &'a Member) -> At<'a> {
        At {
            node: &member.node,
            place: self.place.key(&member.key),
            key_span: member.key_span,
            language: self.language,
        }
    }
}

impl<'a> At<'a> {
    /// The entry number `index` of this array.
    pub(super) fn entry(&'a self, index: usize, node: &'a Node) -> Self {
        let place = self.place.index(index);
        Self { node, place, key_span: node.span, language: self.language }
    }

    /// The value's name in messages.
    pub(super) fn label(&self) -> String {
        label(&self.place)
    }

    /// Its key; empty for what has none.
    pub(super) fn key(&self) -> &'a str {
        match self.place.segment {
            Segment::Key(key) => key,
            Segment::Root | Segment::Index(_) => "",
        }
    }

    /// Its text, if it is one.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a JSONata expression in a JSONata state.
    pub(super) fn is_jsonata(&self) -> bool {
        self.language == QueryLanguage::Jsonata && self.as_text().is_some_and(looks_like_jsonata)
    }
}

/// Whether a text is marked as a JSONata expression.
pub(super) fn looks_like_jsonata(text: &str) -> bool {
    text.starts_with("{%") && text.ends_with("%}")
}

fn label(place: &Place<'_>) -> String {
    match place.segment {
        Segment::Root => "the definition".to_owned(),
        Segment::Key(key) => quoted(key),
        Segment::Index(index) => {
            let list = quoted(place.nearest_key().unwrap_or_default());
            format!("entry {} of {list}", index + 1)
        }
    }
}

/// Reading of single values. A function that gives `None` has reported why, unless the value is
/// optional and absent.
impl Reader<'_, '_> {
    pub(super) fn fault(&mut self, at: &At<'_>, code: &'static str, message: impl Into<String>) {
        self.faults.report(&at.place, Fault::new(code, at.node.span, message));
    }

    pub(super) fn wrong_type(&mut self, at: &At<'_>, wanted: &str) {
        let message = format!("{} must be {wanted}, but it is {}", at.label(), at.node.type_name());
        self.fault(at, codes::TYPE, message);
    }

    /// A field that must be there.
    pub(super) fn required<'s>(&mut self, object: &'s Object<'s>, name: &str) -> Option<At<'s>> {
        let found = object.get(name);
        if found.is_none() {
            self.missing(object, &format!("`{name}`"), None);
        }
        found
    }

    pub(super) fn missing(&mut self, object: &Object<'_>, what: &str, hint: Option<&str>) {
        let message = format!("{} has no {what}", label(&object.place));
        let fault = Fault::new(codes::MISSING_FIELD, object.span, message);
        self.faults.report(&object.place, fault.maybe_hint(hint.map(str::to_owned)));
    }

    pub(super) fn object<'s>(&mut self, at: &At<'s>) -> Option<Object<'s>> {
        let Content::Object(members) = &at.node.content else {
            self.wrong_type(at, "an object");
            return None;
        };
        Some(Object { members, place: at.place, span: at.key_span, language: at.language })
    }

    pub(super) fn array<'s>(&mut self, at: &At<'s>) -> Option<&'s [Node]> {
        let Content::Array(items) = &at.node.content else {
            self.wrong_type(at, "an array");
            return None;
        };
        Some(items)
    }

    /// An array that has entries.
    pub(super) fn filled_array<'s>(&mut self, at: &At<'s>) -> Option<&'s [Node]> {
        let items = self.array(at)?;
        if items.is_empty() {
            self.fault(at, codes::EMPTY, format!("{} must not be empty", at.label()));
            return None;
        }
        Some(items)
    }

    pub(super) fn text<'s>(&mut self, at: &At<'s>) -> Option<&'s str> {
        let Content::Text(text) = &at.node.content else {
            self.wrong_type(at, "a text");
            return None;
        };
        Some(text)
    }

    /// An optional text field.
    pub(super) fn text_field(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        let at = object.get(name)?;
        self.text(&at).map(str::to_owned)
    }

    /// One of a few words.
    pub(super) fn word<'w>(&mut self, at: &At<'_>, words: &[&'w str]) -> Option<&'w str> {
        let text = self.text(at)?;
        let found = words.iter().copied().find(|word| *word == text);
        if found.is_none() {
            let list = words.join("`, `");
            let message =
                format!("{} must be one of `{list}`, but it is {}", at.label(), quoted(text));
            let hint = nearest(text, words.iter().copied());
            let hint = hint.map(|word| format!("did you mean `{word}`?"));
            let fault = Fault::new(codes::VALUE, at.node.span, message).maybe_hint(hint);
            self.faults.report(&at.place, fault);
        }
        found
    }

    /// A whole number in a range.
    pub(super) fn whole(&mut self, at: &At<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let Content::Number(number) = &at.node.content else {
            self.wrong_type(at, "a whole number");
            return None;
        };
        if let Some(value) = number.as_u64().filter(|value| range.contains(value)) {
            return Some(value);
        }
        let label = at.label();
        let (low, high) = (range.start(), range.end());
        if number.is_f64() {
            let message = format!("{label} must be a whole number, but it is {number}");
            self.fault(at, codes::TYPE, message);
        } else {
            let message = format!("{label} must be from {low} to {high}, but it is {number}");
            self.fault(at, codes::RANGE, message);
        }
        None
    }

    /// An optional whole number that cannot be computed.
    pub(super) fn whole_field(
        &mut self,
        object: &Object<'_>,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let at = object.get(name)?;
        self.whole(&at, range)
    }

    /// An optional number that is at least `low`.
    pub(super) fn decimal_field(
        &mut self,
        object: &Object<'_>,
        name: &str,
        low: f64,
    ) -> Option<f64> {
        let at = object.get(name)?;
        self.decimal(&at, low, 1e9)
    }

    fn decimal(&mut self, at: &At<'_>, low: f64, high: f64) -> Option<f64> {
        let Content::Number(number) = &at.node.content else {
            self.wrong_type(at, "a number");
            return None;
        };
        let value = number.as_f64().filter(|value| (low..=high).contains(value));
        if value.is_none() {
            let message =
                format!("{} must be from {low} to {high}, but it is {number}", at.label());
            self.fault(at, codes::RANGE, message);
        }
        value
    }

    /// An optional number, fixed or computed: `name`, or in JSONPath `name` with `Path` after it.
    pub(super) fn number(
        &mut self,
        object: &Object<'_>,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Option<Number> {
        self.fixed_or_computed(object, name, |reader, at| reader.whole(at, range))
    }

    /// An optional percentage, fixed or computed; it need not be whole.
    pub(super) fn percentage(&mut self, object: &Object<'_>, name: &str) -> Option<Number<f64>> {
        self.fixed_or_computed(object, name, |reader, at| reader.decimal(at, 0.0, 100.0))
    }

    fn fixed_or_computed<T>(
        &mut self,
        object: &Object<'_>,
        name: &str,
        fixed_value: impl FnOnce(&mut Self, &At<'_>) -> Option<T>,
    ) -> Option<Number<T>> {
        let path_name = format!("{name}Path");
        let path = object.get(&path_name).filter(|at| at.language == QueryLanguage::JsonPath);
        let fixed = object.get(name);
        if let (Some(_), Some(path)) = (&fixed, &path) {
            self.exclude(path, name);
        }
        match (fixed, path) {
            (Some(at), _) if at.is_jsonata() => self.jsonata(&at).map(Number::Computed),
            (Some(at), _) => fixed_value(self, &at).map(Number::Fixed),
            (None, Some(at)) => self.path(&at).map(Number::Computed),
            (None, None) => None,
        }
    }

    /// Reports that the field `at` cannot stand beside the field `other`.
    pub(super) fn exclude(&mut self, at: &At<'_>, other: &str) {
        let message = format!("{} cannot stand beside {}", at.label(), quoted(other));
        let fault = Fault::new(codes::CONFLICT, at.key_span, message)
            .hint("keep one of the two and remove the other");
        self.faults.report(&at.place, fault);
    }

    /// Reports that the text at `suffix`, a JSON pointer from `at`, is no good expression.
    pub(super) fn bad_expression(&mut self, at: &At<'_>, suffix: &str, fault: ExpressionFault) {
        let node = at.node.find(suffix).unwrap_or(at.node);
        let span = match (&node.content, fault.offset) {
            (Content::Text(text), Some(offset)) => self.inside(node.span, text, offset),
            _ => node.span,
        };
        let fault = Fault::new(codes::EXPRESSION, span, fault.message).below(suffix);
        self.faults.report(&at.place, fault);
    }

    /// The place of byte `offset` of a value, where the source spells the value as it is.
    pub(super) fn inside(&self, span: Span, value: &str, offset: usize) -> Span {
        let source = self.faults.text();
        let spelled = |start: usize| {
            let rest = source.get(start..).unwrap_or_default();
            rest.starts_with(value).then_some(start)
        };
        match spelled(span.start).or_else(|| spelled(span.start + 1)) {
            Some(start) => {
                let at = start + offset.min(value.len());
                Span::new(at, at + 1)
            }
            None => span,
        }
    }
}
