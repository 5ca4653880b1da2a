//! JSON text to the positioned tree: RFC 8259, strictly.

use super::fault::{Fault, Faults};
use super::place::Place;
use super::tree::{Content, Member, Node, ObjectBuilder, Span, number};
use crate::language::diagnostic::{codes, quoted};
use crate::language::read::Options;

/// Reads one JSON document.
pub(super) fn read(text: &str, options: &Options, faults: &mut Faults<'_>) -> Option<Node> {
    let mut reader = Reader { text, at: 0, options, faults };
    reader.document().ok()
}

/// A fault was reported after which reading cannot go on.
struct Stop;

struct Reader<'t, 'f, 'x> {
    text: &'t str,
    /// The next byte; always at the start of a character.
    at: usize,
    options: &'t Options,
    faults: &'f mut Faults<'x>,
}

impl Reader<'_, '_, '_> {
    fn document(&mut self) -> Result<Node, Stop> {
        let root = Place::root();
        self.skip_space();
        if self.peek().is_none() {
            return Err(self.stop(&root, "the text is empty; a definition is a JSON object"));
        }
        let node = self.value(&root, 0)?;
        self.skip_space();
        match self.peek() {
            None => Ok(node),
            Some(_) => Err(self.stop(&root, "there is more text after the end of the document")),
        }
    }

    fn value(&mut self, place: &Place<'_>, depth: usize) -> Result<Node, Stop> {
        self.skip_space();
        let start = self.at;
        let content = match self.peek() {
            Some(b'{') => self.object(place, depth)?,
            Some(b'[') => self.array(place, depth)?,
            Some(b'"') => Content::Text(self.string(place)?),
            Some(b'-' | b'0'..=b'9') => self.number(place)?,
            Some(_) => self.word(place)?,
            None => return Err(self.stop(place, "the text ends where a value should be")),
        };
        Ok(Node { content, span: Span::new(start, self.at) })
    }

    fn object(&mut self, place: &Place<'_>, depth: usize) -> Result<Content, Stop> {
        self.deepen(place, depth)?;
        let mut builder = ObjectBuilder::default();
        if self.closes(b'}') {
            return Ok(builder.finish());
        }
        loop {
            self.skip_space();
            let start = self.at;
            match self.peek() {
                Some(b'"') => {}
                Some(b'}') => return Err(self.stop(place, "there is a comma before the `}`")),
                _ => return Err(self.stop(place, "a key in double quotes is expected here")),
            }
            let key = self.string(place)?;
            let key_span = Span::new(start, self.at);
            self.check_key(place, &key, key_span)?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.stop(place, "a `:` is expected after the key"));
            }
            let first = builder.note_key(&key, key_span);
            let node = self.value(&place.key(&key), depth + 1)?;
            match first {
                Some(first) => self.repeated(&place.key(&key), key_span, first),
                None => builder.push(Member { key, key_span, node }),
            }
            self.skip_space();
            if self.take(b'}') {
                return Ok(builder.finish());
            }
            if !self.take(b',') {
                return Err(self.stop(place, "a `,` or `}` is expected here"));
            }
        }
    }

    fn array(&mut self, place: &Place<'_>, depth: usize) -> Result<Content, Stop> {
        self.deepen(place, depth)?;
        let mut items = Vec::new();
        if self.closes(b']') {
            return Ok(Content::Array(items));
        }
        loop {
            self.skip_space();
            if self.peek() == Some(b']') {
                return Err(self.stop(place, "there is a comma before the `]`"));
            }
            items.push(self.value(&place.index(items.len()), depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Content::Array(items));
            }
            if !self.take(b',') {
                return Err(self.stop(place, "a `,` or `]` is expected here"));
            }
        }
    }

    /// Steps over the opening bracket of one more level.
    fn deepen(&mut self, place: &Place<'_>, depth: usize) -> Result<(), Stop> {
        if depth >= self.options.max_depth {
            let message =
                format!("the definition is nested deeper than {} levels", self.options.max_depth);
            let fault = Fault::new(codes::LIMIT, Span::new(self.at, self.at + 1), message)
                .hint("split the workflow, or move data out of the definition");
            return Err(self.stop_with(place, fault));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether an object or array is closed right after it was opened.
    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_space();
        self.take(bracket)
    }

    fn check_key(&mut self, place: &Place<'_>, key: &str, span: Span) -> Result<(), Stop> {
        if key.len() <= self.options.max_key_bytes {
            return Ok(());
        }
        let message = format!("a key is longer than {} bytes", self.options.max_key_bytes);
        Err(self.stop_with(place, Fault::new(codes::LIMIT, span, message)))
    }

    fn repeated(&mut self, place: &Place<'_>, span: Span, first: Span) {
        let fault = super::yaml::repeated_key(place, span, self.faults.line(first.start));
        self.faults.report(place, fault);
    }

    fn string(&mut self, place: &Place<'_>) -> Result<String, Stop> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(0..=0x1f) => {
                    let message = "a line break or control character stands inside a text";
                    let fault = Fault::new(codes::SYNTAX, Span::new(end, end + 1), message)
                        .hint("close the text with `\"`, or write `\\n`");
                    return Err(self.stop_with(place, fault));
                }
                Some(_) => end += 1,
                None => return Err(self.stop(place, "this text is never closed with `\"`")),
            }
        }
        let raw = self.text.get(start..=end).unwrap_or_default();
        let decoded = serde_json::from_str(raw).map_err(|error: serde_json::Error| {
            // The message ends in a position relative to this text alone.
            let whole = error.to_string();
            let what = whole.split(" at line ").next().unwrap_or_default();
            let here = floor_boundary(self.text, start + error.column().saturating_sub(1));
            let message = format!("a text cannot be read: {what}");
            let fault = Fault::new(codes::SYNTAX, Span::new(here, here + 1), message);
            self.stop_with(place, fault)
        })?;
        self.at = end + 1;
        Ok(decoded)
    }

    fn number(&mut self, place: &Place<'_>) -> Result<Content, Stop> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let digits = rest.get(..length).unwrap_or_default();
        let well_formed = serde_json::from_str::<serde::de::IgnoredAny>(digits).is_ok();
        match number(digits) {
            Some(value) if well_formed => {
                self.at += length;
                Ok(Content::Number(value))
            }
            _ => {
                let message = format!("{} is no number of JSON", quoted(digits));
                let span = Span::new(self.at, self.at + length);
                let fault = Fault::new(codes::SYNTAX, span, message);
                Err(self.stop_with(place, fault))
            }
        }
    }

    fn word(&mut self, place: &Place<'_>) -> Result<Content, Stop> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let content = match word {
            "null" => Content::Null,
            "true" => Content::Bool(true),
            "false" => Content::Bool(false),
            _ => return Err(self.stop(place, "a value is expected here")),
        };
        self.at += length;
        Ok(content)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Reports that the text goes wrong here.
    fn stop(&mut self, place: &Place<'_>, message: &str) -> Stop {
        let fault = Fault::new(codes::SYNTAX, Span::new(self.at, self.at + 1), message);
        self.stop_with(place, fault)
    }

    fn stop_with(&mut self, place: &Place<'_>, fault: Fault) -> Stop {
        self.faults.report(place, fault);
        Stop
    }
}

/// The start of the character that byte `at` belongs to.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::diagnostic::Diagnostic;

    fn tree(text: &str) -> Result<Node, Vec<Diagnostic>> {
        let mut faults = Faults::new(text, 10);
        let node = read(text, &Options::default(), &mut faults);
        node.filter(|_| !faults.any_error()).ok_or_else(|| faults.finish())
    }

    #[test]
    fn what_serde_json_reads_is_read_the_same() {
        for text in [
            "null",
            " [1, -2, 3.5, 1e3, \"\\u00e9\\n\", true, false, {}] ",
            r#"{"b":1,"a":{"x":[[],{}]},"é":"😀\ud83d\ude00"}"#,
            "18446744073709551615",
            "-9223372036854775808",
        ] {
            let expected: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(tree(text).unwrap().to_value(), expected, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_json_is_refused_where_it_goes_wrong() {
        for (text, line, column) in [
            ("", 1, 1),
            ("{\"a\":1,}", 1, 8),
            ("[1,]", 1, 4),
            ("{\"a\" 1}", 1, 6),
            ("{a:1}", 1, 2),
            ("[01]", 1, 2),
            ("[1.]", 1, 2),
            ("[+1]", 1, 2),
            ("[1e999]", 1, 2),
            ("[tru]", 1, 2),
            ("\"a", 1, 1),
            ("[\n\"a\nb\"]", 2, 3),
            ("{\"a\":1\n\"b\":2}", 2, 1),
            ("1 2", 1, 3),
            ("[1", 1, 3),
            ("\"\\ud800\"", 1, 8),
            ("/* c */ 1", 1, 1),
            ("NaN", 1, 1),
        ] {
            let faults = tree(text).unwrap_err();
            let found = (faults[0].code, faults[0].line, faults[0].column);
            assert_eq!(found, (codes::SYNTAX, line, column), "{text:?}: {}", faults[0]);
        }
    }

    #[test]
    fn keys_and_values_know_their_place() {
        let node = tree("{\n  \"é\": [10, \"x\"]\n}").unwrap();
        let Content::Object(members) = &node.content else { panic!("no object") };
        assert_eq!(members[0].key_span, Span::new(4, 8));
        let Content::Array(items) = &members[0].node.content else { panic!("no array") };
        assert_eq!(items[1].span, Span::new(15, 18));
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(tree(&deep(64)).is_ok());
        let faults = tree(&deep(65)).unwrap_err();
        assert_eq!((faults[0].code, faults[0].column), (codes::LIMIT, 65));
        assert_eq!(tree(&"[".repeat(500_000)).unwrap_err()[0].code, codes::LIMIT);
    }
}
