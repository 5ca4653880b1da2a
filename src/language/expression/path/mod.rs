//! Paths into JSON, in the dialect that AWS speaks (that of Jayway's JsonPath).
//!
//! A path of names and single indexes is *definite*: it gives the value there, or fails. Any other
//! is *indefinite* and gives an array of what it found, maybe empty; but names before its first
//! open part must exist.

mod evaluate;
mod filter;
mod function;
mod parser;
mod text;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::cursor::Cursor;
use super::scope::{EvaluationError, ExpressionFault};
use super::session::Session;
use filter::Filter;
use function::Function;

pub(super) use evaluate::{item, position};
pub(super) use text::excerpt;

/// A parsed path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    source: Arc<str>,
    root: Root,
    segments: Vec<Segment>,
    function: Option<Function>,
    definite: bool,
}

/// Where a path starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    /// `$`
    Input,
    /// `$$`
    Context,
    /// `$name`
    Variable(Arc<str>),
    /// `@`, inside a filter.
    Current,
}

/// One step of a path.
#[derive(Debug, Clone)]
pub(super) enum Segment {
    /// `.name`, `['name']`
    Name(String),
    /// `['a', 'b']`
    Names(Vec<String>),
    /// `[0]`, `[-1]`
    Index(i64),
    /// `[0, 2]`
    Indexes(Vec<i64>),
    /// `[1:5:2]`
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    /// `.*`, `[*]`
    Wildcard,
    /// `..`: the next segment applies to every node below, and to this one.
    Descend,
    /// `[?(…)]`
    Filter(Filter),
}

/// Why a path gave nothing.
#[derive(Debug)]
pub(super) enum PathFailure {
    /// There is nothing at that place.
    Absent,
    /// What is there does not fit; with the whole cause.
    Unfit(String),
}

impl Path {
    /// Parses the whole text as one path.
    pub(super) fn parse(text: &str) -> Result<Self, ExpressionFault> {
        let mut cursor = Cursor::new(text);
        let path = Self::read(&mut cursor)?;
        cursor.expect_end()?;
        Ok(path)
    }

    /// Reads a path that starts here and goes as far as it can.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, ExpressionFault> {
        parser::path(cursor, false)
    }

    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The segments, if it has no function.
    pub(super) fn plain_segments(&self) -> Option<&[Segment]> {
        self.function.is_none().then_some(&*self.segments)
    }

    pub(super) fn references_context(&self) -> bool {
        self.root == Root::Context
            || self.segments.iter().any(|segment| match segment {
                Segment::Filter(filter) => filter.references_context(),
                _ => false,
            })
    }

    /// The value that it selects, or the error in AWS's words. `field` is where it stands.
    pub(super) fn select<'a>(
        &self,
        session: &Session<'a>,
        field: &str,
    ) -> Result<Cow<'a, Value>, EvaluationError> {
        self.resolve(session, None).map_err(|failure| match failure {
            PathFailure::Absent => EvaluationError::path(self.absent_cause(session, field)),
            PathFailure::Unfit(cause) => EvaluationError::path(cause),
        })
    }

    /// The same for an argument of an intrinsic function.
    pub(super) fn select_argument<'a>(
        &self,
        session: &Session<'a>,
    ) -> Result<Cow<'a, Value>, EvaluationError> {
        self.resolve(session, None).map_err(|failure| match failure {
            PathFailure::Absent if matches!(self.root, Root::Variable(_)) => {
                EvaluationError::path(self.absent_cause(session, ""))
            }
            PathFailure::Absent => {
                // AWS names the state's input also where it looked into the context object.
                let source = self.source.strip_prefix('$').filter(|rest| rest.starts_with('$'));
                EvaluationError::path(format!(
                    "The JsonPath argument for the field '{}' could not be found in the input '{}'",
                    source.unwrap_or(&self.source),
                    excerpt(session.scope.input)
                ))
            }
            PathFailure::Unfit(cause) => EvaluationError::path(cause),
        })
    }

    fn absent_cause(&self, session: &Session<'_>, field: &str) -> String {
        let source = &self.source;
        let scope = &session.scope;
        match field {
            "SecondsPath" | "TimestampPath" => {
                return format!(
                    "The {field} parameter does not reference an input value: {source}"
                );
            }
            // What must be there for the state to begin at all is missing.
            "InputPath" | "OutputPath" | "TimeoutSecondsPath" | "HeartbeatSecondsPath" => {
                return self.invalid_cause(session);
            }
            // A reference path to AWS, as that of `ResultPath`.
            "ItemsPath" => return self.unapplied_cause(session),
            _ => {}
        }
        let place =
            if field.is_empty() { "" } else { &format!(" specified for the field '{field}'") };
        match &self.root {
            Root::Input | Root::Current => format!(
                "The JSONPath '{source}'{place} could not be found in the input '{}'",
                excerpt(scope.input)
            ),
            Root::Context => format!(
                "The JSONPath '{source}'{place} could not be found in the context object '{}'",
                excerpt(scope.context)
            ),
            Root::Variable(name) => match scope.variables.get(&**name) {
                Some(value) => format!(
                    "The JSONPath '{source}'{place} could not be found in the variable '${name}' \
                     with the value '{}'",
                    excerpt(value)
                ),
                None => format!(
                    "The JSONPath '{source}'{place} refers to the variable '${name}', which is not \
                     assigned here"
                ),
            },
        }
    }

    /// The cause that AWS gives for a reference path: its first step that leads nowhere.
    fn unapplied_cause(&self, session: &Session<'_>) -> String {
        let root = self.root_value(session, None);
        let mut at = root;
        for segment in &*self.segments {
            let step = match segment {
                Segment::Name(name) => name.clone(),
                Segment::Index(place) => place.to_string(),
                _ => break,
            };
            let next = at.and_then(|value| segment.step(value));
            if next.is_none() {
                let input = root.map(excerpt).unwrap_or_default();
                return format!("Unable to apply step \"{step}\" to input {input}");
            }
            at = next;
        }
        self.invalid_cause(session)
    }

    /// How far the path leads, in the words of the library that AWS uses.
    fn invalid_cause(&self, session: &Session<'_>) -> String {
        let (mut at, mut way) = (self.root_value(session, None), String::from("$"));
        let last = self.segments.len().saturating_sub(1);
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Name(name) => way.push_str(&format!("['{name}']")),
                Segment::Index(place) => way.push_str(&format!("[{place}]")),
                _ => break,
            }
            let next = at.and_then(|value| segment.step(value));
            if next.is_none() && index < last {
                return format!("Invalid path '{}' : Missing property in path {way}", self.source);
            }
            at = next;
        }
        format!("Invalid path '{}' : No results for path: {way}", self.source)
    }
}

#[cfg(test)]
mod tests;
