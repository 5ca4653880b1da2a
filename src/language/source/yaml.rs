//! YAML text to the positioned tree: YAML 1.2, core schema, what JSON can express.
//!
//! The event parser is `saphyr_parser`. Aliases are written out, up to a limit; tags, merge keys,
//! keys that are not texts and several documents are refused.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};

use super::fault::{Fault, Faults};
use super::place::{Place, Segment, push_segment};
use super::scalar::plain;
use super::tree::{Content, Member, Node, ObjectBuilder, Span};
use crate::language::diagnostic::{codes, quoted};
use crate::language::read::Options;

/// Reads one YAML document.
pub(super) fn read(text: &str, options: &Options, faults: &mut Faults<'_>) -> Option<Node> {
    let mut builder = Builder::new(text, options, faults);
    let result = builder.run(text);
    let pointer = builder.pointer();
    match result {
        Ok(node) => Some(node),
        Err(fault) => {
            faults.report_at(pointer, fault);
            None
        }
    }
}

/// The fault of a key that an object holds already.
pub(super) fn repeated_key(place: &Place<'_>, span: Span, first_line: usize) -> Fault {
    let key = quoted(place.nearest_key().unwrap_or_default());
    Fault::new(codes::DUPLICATE_KEY, span, format!("the key {key} is given twice"))
        .hint(format!("the first one is in line {first_line}; remove one of them"))
}

/// An array or object that is not closed yet.
struct Frame {
    start: usize,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    Array(Vec<Node>),
    Object { builder: ObjectBuilder, key: Option<Key> },
}

/// A key that waits for its value.
struct Key {
    text: String,
    span: Span,
    /// The same key came before: the value is dropped.
    repeats: bool,
}

struct Builder<'t, 'f, 'x> {
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    /// Bytes that aliases may still stand for.
    alias_budget: usize,
    /// Byte offset of each character, when the text is not all ASCII.
    offsets: Vec<usize>,
    length: usize,
    options: &'t Options,
    faults: &'f mut Faults<'x>,
}

impl<'t, 'f, 'x> Builder<'t, 'f, 'x> {
    fn new(text: &str, options: &'t Options, faults: &'f mut Faults<'x>) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(at, _)| at).collect()
        };
        Self {
            frames: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            alias_budget: options.max_bytes,
            offsets,
            length: text.len(),
            options,
            faults,
        }
    }

    fn run(&mut self, text: &str) -> Result<Node, Fault> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, marks) = event.map_err(|error| {
                let at = self.offset(error.marker().index());
                // The scanner reads ahead and has a limit of its own.
                if error.info().contains("recursion limit") {
                    return self.too_deep(Span::new(at, at + 1));
                }
                let message = format!("this is not YAML: {}", error.info());
                Fault::new(codes::SYNTAX, Span::new(at, at + 1), message)
            })?;
            let span = self.span(marks);
            self.event(event, span)?;
        }
        self.root.take().ok_or_else(|| {
            let message = "the text is empty; a definition is a mapping";
            Fault::new(codes::SYNTAX, Span::default(), message)
        })
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.document_start(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), span)?;
                self.scalar(&text, style, anchor, span)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some(), span)?;
                self.open(Kind::Array(Vec::new()), anchor, span)
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some(), span)?;
                let kind = Kind::Object { builder: ObjectBuilder::default(), key: None };
                self.open(kind, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
    }

    fn document_start(&self, span: Span) -> Result<(), Fault> {
        if self.root.is_none() {
            return Ok(());
        }
        let message = "there is a second YAML document; a definition is one document";
        Err(Fault::new(codes::YAML_FEATURE, span, message)
            .hint("put each workflow into a file of its own"))
    }

    fn open(&mut self, kind: Kind, anchor: usize, span: Span) -> Result<(), Fault> {
        if self.awaits_key() {
            return Err(complex_key(span));
        }
        if self.frames.len() >= self.options.max_depth {
            return Err(self.too_deep(span));
        }
        self.frames.push(Frame { start: span.start, anchor, kind });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Fault> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let content = match frame.kind {
            Kind::Array(items) => Content::Array(items),
            Kind::Object { builder, .. } => builder.finish(),
        };
        let end = span.end.max(frame.start);
        self.complete(Node { content, span: Span::new(frame.start, end) }, frame.anchor)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        span: Span,
    ) -> Result<(), Fault> {
        if self.awaits_key() {
            return self.key(text, style, span);
        }
        let content = match style {
            ScalarStyle::Plain => plain(text, span)?,
            _ => Content::Text(text.to_owned()),
        };
        self.complete(Node { content, span }, anchor)
    }

    /// A plain key is its own text, whatever it would be as a value: `404: …` is the key "404".
    fn key(&mut self, text: &str, style: ScalarStyle, span: Span) -> Result<(), Fault> {
        if style == ScalarStyle::Plain && text == "<<" {
            let message = "merge keys (`<<`) are not part of YAML 1.2";
            return Err(Fault::new(codes::YAML_FEATURE, span, message).hint("write the fields out"));
        }
        if style == ScalarStyle::Plain && text.is_empty() {
            return Err(complex_key(span));
        }
        if text.len() > self.options.max_key_bytes {
            let message = format!("a key is longer than {} bytes", self.options.max_key_bytes);
            return Err(Fault::new(codes::LIMIT, span, message));
        }
        let Some(Frame { kind: Kind::Object { builder, key }, .. }) = self.frames.last_mut() else {
            return Ok(());
        };
        let first = builder.note_key(text, span);
        *key = Some(Key { text: text.to_owned(), span, repeats: first.is_some() });
        if let Some(first) = first {
            // Working out the pointer is the slow part; it is left when nobody would see it.
            let pointer = if self.faults.is_full() { String::new() } else { self.pointer() };
            let root = Place::root();
            let line = self.faults.line(first.start);
            self.faults.report_at(pointer, repeated_key(&root.key(text), span, line));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        if self.awaits_key() {
            return Err(complex_key(span));
        }
        let Some(node) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the value that it names";
            return Err(Fault::new(codes::YAML_FEATURE, span, message));
        };
        let left = self.alias_budget.checked_sub(node.weight());
        let Some(left) = left else {
            let message = format!(
                "the aliases of this definition stand for more than {} bytes",
                self.options.max_bytes
            );
            return Err(Fault::new(codes::LIMIT, span, message));
        };
        if self.frames.len() + node.height() > self.options.max_depth {
            return Err(self.too_deep(span));
        }
        self.alias_budget = left;
        // Faults of the value as a whole belong here, those further inside to the anchor's place.
        let copy = Node { content: node.content.clone(), span };
        self.complete(copy, 0)
    }

    /// Hands a finished value to the array or object around it.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.frames.last_mut().map(|frame| &mut frame.kind) {
            None => self.root = Some(node),
            Some(Kind::Array(items)) => items.push(node),
            Some(Kind::Object { builder, key }) => {
                if let Some(Key { text, span, repeats: false }) = key.take() {
                    builder.push(Member { key: text, key_span: span, node });
                }
            }
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        let last = self.frames.last().map(|frame| &frame.kind);
        matches!(last, Some(Kind::Object { key: None, .. }))
    }

    fn too_deep(&self, span: Span) -> Fault {
        let message =
            format!("the definition is nested deeper than {} levels", self.options.max_depth);
        Fault::new(codes::LIMIT, span, message)
            .hint("split the workflow, or move data out of the definition")
    }

    /// Where reading stands, as a JSON pointer.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in &self.frames {
            match &frame.kind {
                Kind::Array(items) => push_segment(&mut pointer, Segment::Index(items.len())),
                Kind::Object { key: Some(key), .. } => {
                    push_segment(&mut pointer, Segment::Key(&key.text));
                }
                Kind::Object { key: None, .. } => {}
            }
        }
        pointer
    }

    fn span(&self, marks: Marks) -> Span {
        Span::new(self.offset(marks.start.index()), self.offset(marks.end.index()))
    }

    /// The byte offset of a character.
    fn offset(&self, index: usize) -> usize {
        if self.offsets.is_empty() {
            index.min(self.length)
        } else {
            self.offsets.get(index).copied().unwrap_or(self.length)
        }
    }
}

fn refuse_tag(tagged: bool, span: Span) -> Result<(), Fault> {
    if !tagged {
        return Ok(());
    }
    Err(Fault::new(codes::YAML_FEATURE, span, "YAML tags (`!…`) have no meaning in a definition")
        .hint("remove the tag; put a value in quotes to make it a text"))
}

fn complex_key(span: Span) -> Fault {
    Fault::new(codes::YAML_FEATURE, span, "a key must be a text that is not empty")
        .hint("write the key out, in quotes if need be")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::language::diagnostic::Diagnostic;

    fn tree(text: &str) -> Result<Node, Vec<Diagnostic>> {
        let mut faults = Faults::new(text, 10);
        let node = read(text, &Options::default(), &mut faults);
        node.filter(|_| !faults.any_error()).ok_or_else(|| faults.finish())
    }

    fn fault(text: &str) -> (&'static str, usize, usize) {
        let faults = tree(text).unwrap_err();
        (faults[0].code, faults[0].line, faults[0].column)
    }

    #[test]
    fn quoted_scalars_are_texts_and_an_empty_one_is_null() {
        let text = "[\"12\", '12', 12, ~, \"null\"]";
        assert_eq!(tree(text).unwrap().to_value(), json!(["12", "12", 12, null, "null"]));
        assert_eq!(tree("-").unwrap().to_value(), json!([null]));
    }

    #[test]
    fn both_styles_of_collections_and_block_texts_are_read() {
        let text =
            "a:\n- {x: 1, 'y z': [2, 3]}\n- |\n  line 1\n  line 2\n404: >-\n  folded\n  text\n";
        let expected =
            json!({"a": [{"x": 1, "y z": [2, 3]}, "line 1\nline 2\n"], "404": "folded text"});
        assert_eq!(tree(text).unwrap().to_value(), expected);
    }

    #[test]
    fn aliases_are_written_out() {
        let text = "a: &r [1, {b: 2}]\nc: *r\nd: *r\n";
        let expected = json!({"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": [1, {"b": 2}]});
        assert_eq!(tree(text).unwrap().to_value(), expected);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            let list = vec![alias; 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert_eq!(fault(&text).0, codes::LIMIT);
    }

    #[test]
    fn what_json_cannot_say_is_refused_where_it_stands() {
        for (text, line, column) in [
            ("a: !!str 1", 1, 4),
            ("a: 1\nb: !x {}\n", 2, 4),
            ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3),
            ("a: .inf", 1, 4),
            ("a: -.Inf", 1, 4),
            ("a: .nan", 1, 4),
            ("a: 1e999", 1, 4),
            ("? [a]\n: b\n", 1, 3),
            ("? \n: b\n", 2, 1),
            ("a: 1\n---\nb: 2\n", 2, 1),
            ("a: &a [*a]", 1, 8),
        ] {
            assert_eq!(fault(text), (codes::YAML_FEATURE, line, column), "{text:?}");
        }
    }

    #[test]
    fn text_that_is_no_yaml_is_refused() {
        for text in
            ["", "# only a comment\n", "a: b: c", "a: [1, 2", "a: 'x", "a:\n\tb: 1", "*nope"]
        {
            assert_eq!(fault(text).0, codes::SYNTAX, "{text:?}");
        }
    }

    #[test]
    fn keys_given_twice_are_all_reported() {
        let faults = tree("a: 1\nb:\n  ä: 1\n  ä: 2\na: 3\n").unwrap_err();
        let found: Vec<_> = faults.iter().map(|f| (f.pointer.as_str(), f.line, f.column)).collect();
        assert_eq!(found, [("/b/ä", 4, 3), ("/a", 5, 1)]);
        assert!(faults.iter().all(|fault| fault.code == codes::DUPLICATE_KEY));
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(tree(&deep(64)).is_ok());
        assert_eq!(fault(&deep(65)), (codes::LIMIT, 1, 65));
        assert_eq!(fault(&"[".repeat(200_000)).0, codes::LIMIT);
        assert_eq!(fault(&"- ".repeat(200_000)).0, codes::LIMIT);
    }
}
