//! The collection of faults: turns places in the tree and the text into diagnostics.

use super::place::Place;
use super::tree::Span;
use crate::language::diagnostic::{Diagnostic, Severity, codes};

/// One fault, before its place is worked out.
#[derive(Debug)]
pub(crate) struct Fault {
    code: &'static str,
    span: Span,
    message: String,
    hint: Option<String>,
    suffix: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), hint: None, suffix: String::new() }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what to do about it, if anything is known.
    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Says that the fault is further down: `suffix` is a JSON pointer from the place reported.
    pub(crate) fn below(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }
}

/// All faults of a definition.
#[derive(Debug)]
pub(crate) struct Faults<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    list: Vec<Diagnostic>,
    most: usize,
    left_out: usize,
    errors: usize,
}

impl<'t> Faults<'t> {
    /// No faults yet; keeps `most` of them.
    pub(crate) fn new(text: &'t str, most: usize) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self { text, line_starts, list: Vec::new(), most, left_out: 0, errors: 0 }
    }

    /// Takes a fault at a place of the tree.
    pub(crate) fn report(&mut self, place: &Place<'_>, fault: Fault) {
        if self.is_full() {
            self.skip(&fault);
        } else {
            self.report_at(place.pointer(), fault);
        }
    }

    /// Takes a fault whose pointer is known as text.
    pub(crate) fn report_at(&mut self, mut pointer: String, fault: Fault) {
        if self.is_full() {
            self.skip(&fault);
            return;
        }
        let severity = severity(fault.code);
        if severity == Severity::Error {
            self.errors += 1;
        }
        let (line, column) = self.position(fault.span.start);
        let length = self.length(fault.span);
        pointer.push_str(&fault.suffix);
        let Fault { code, message, hint, .. } = fault;
        let found = Diagnostic { code, severity, pointer, line, column, length, message, hint };
        self.list.push(found);
    }

    /// The text that is being read.
    pub(crate) const fn text(&self) -> &'t str {
        self.text
    }

    /// Whether further faults are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= self.most
    }

    /// Whether anything keeps the definition from running.
    pub(crate) const fn any_error(&self) -> bool {
        self.errors > 0
    }

    /// The line of a byte of the text, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }

    /// Line and column, both from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.bytes().skip(start).take(offset.saturating_sub(start));
        (line, 1 + before.filter(|byte| is_char_start(*byte)).count())
    }

    /// The diagnostics, in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|found| (found.line, found.column));
        if self.left_out > 0 {
            let severity = if self.errors > 0 { Severity::Error } else { Severity::Warning };
            self.list.push(Diagnostic {
                code: codes::TOO_MANY,
                severity,
                pointer: String::new(),
                line: 1,
                column: 1,
                length: 1,
                message: format!("{} more faults are not shown", self.left_out),
                hint: Some("mend these first, then check again".to_owned()),
            });
        }
        self.list
    }

    fn skip(&mut self, fault: &Fault) {
        self.left_out += 1;
        if severity(fault.code) == Severity::Error {
            self.errors += 1;
        }
    }

    /// Characters of the span on its first line.
    fn length(&self, span: Span) -> usize {
        let wanted = span.end.saturating_sub(span.start);
        let bytes = self.text.bytes().skip(span.start).take(wanted);
        let shown = bytes.take_while(|byte| *byte != b'\n' && *byte != b'\r');
        shown.filter(|byte| is_char_start(*byte)).count().max(1)
    }
}

/// Whether a byte of UTF-8 starts a character.
const fn is_char_start(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

fn severity(code: &str) -> Severity {
    if code.starts_with('W') { Severity::Warning } else { Severity::Error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let faults = Faults::new("ä: b\nß: \"c\"", 10);
        assert_eq!(faults.position(0), (1, 1));
        assert_eq!(faults.position(2), (1, 2));
        assert_eq!(faults.position(6), (2, 1));
        assert_eq!(faults.position(10), (2, 4));
        assert_eq!(faults.position(1000), (2, 7));
    }

    #[test]
    fn faults_beyond_the_limit_are_counted() {
        let mut faults = Faults::new("x", 2);
        for _ in 0..5 {
            faults.report(&Place::root(), Fault::new(codes::TYPE, Span::default(), "wrong"));
        }
        assert!(faults.any_error());
        let all = faults.finish();
        assert_eq!(all.len(), 3);
        assert_eq!(all[2].code, codes::TOO_MANY);
        assert_eq!(all[2].message, "3 more faults are not shown");
    }
}
