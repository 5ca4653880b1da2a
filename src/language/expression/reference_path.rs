//! Paths that can be written at.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::check_length;
use super::path::{Path, Root, Segment, excerpt, position};
use super::scope::{EvaluationError, EvaluationErrorKind, ExpressionFault};
use super::session::{MAX_RESULT_DEPTH, depth_of, too_deep};

/// A path that can be written at: only names and indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencePath {
    source: Arc<str>,
    steps: Arc<[Step]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(i64),
}

impl ReferencePath {
    /// Parses it. It starts at `$`: the context and variables cannot be written.
    ///
    /// # Errors
    /// The first fault of the text.
    pub fn parse(text: &str) -> Result<Self, ExpressionFault> {
        check_length(text)?;
        let path = Path::parse(text)?;
        if *path.root() != Root::Input {
            return Err(ExpressionFault::new("a path to write at must start with '$.' or '$['", 0));
        }
        let segments = path.plain_segments();
        let steps = segments.and_then(|segments| segments.iter().map(Step::of).collect());
        match steps {
            Some(steps) => Ok(Self { source: Arc::from(text), steps }),
            None => Err(ExpressionFault {
                message: format!(
                    "'{text}' is not a reference path: only names and indexes may be used, no '*', \
                     '..', ',', ':', '?' or functions"
                ),
                offset: None,
            }),
        }
    }

    /// Writes `value` there, making objects on the way. When it fails, `target` is as it was.
    ///
    /// # Errors
    /// The place does not fit the data, for example an index into an object, or one past the end
    /// of an array; or the result would nest too deep to be read back.
    pub fn write(&self, target: &mut Value, value: Value) -> Result<(), EvaluationError> {
        if depth_of(&value).saturating_add(self.steps.len()) > MAX_RESULT_DEPTH {
            return Err(too_deep(EvaluationErrorKind::Path));
        }
        // Looked up first, so that nothing is half written.
        if let Some(step) = self.misfit(target) {
            // The words of AWS.
            return Err(EvaluationError::path(format!(
                "Unable to apply step \"{step}\" to input {}",
                excerpt(target)
            )));
        }
        let mut at = target;
        for step in &*self.steps {
            at = match step.enter(at) {
                Some(next) => next,
                None => return Ok(()),
            };
        }
        *at = value;
        Ok(())
    }

    /// The step that the data does not take, if there is one.
    fn misfit(&self, target: &Value) -> Option<&Step> {
        let mut at = Some(target);
        for step in &*self.steps {
            at = match (step, at) {
                // What is made on the way is an object.
                (Step::Name(_), None) => None,
                (Step::Name(name), Some(Value::Object(fields))) => fields.get(name),
                (Step::Index(index), Some(Value::Array(items))) => {
                    match position(items.len(), *index).and_then(|place| items.get(place)) {
                        Some(item) => Some(item),
                        None => return Some(step),
                    }
                }
                _ => return Some(step),
            };
        }
        None
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => index.fmt(f),
        }
    }
}

impl Step {
    fn of(segment: &Segment) -> Option<Self> {
        match segment {
            Segment::Name(name) => Some(Self::Name(name.clone())),
            Segment::Index(index) => Some(Self::Index(*index)),
            _ => None,
        }
    }

    /// Goes one step down, into a new object if there is nothing yet.
    fn enter<'v>(&self, at: &'v mut Value) -> Option<&'v mut Value> {
        match (self, at) {
            (Self::Name(name), Value::Object(fields)) => {
                Some(fields.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new())))
            }
            (Self::Index(index), Value::Array(items)) => {
                let place = position(items.len(), *index)?;
                items.get_mut(place)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_with_objects_on_the_way() {
        let cases = [
            ("$", json!({"a": 1}), json!(9)),
            ("$.a", json!({"a": 1}), json!({"a": 9})),
            ("$.b", json!({"a": 1}), json!({"a": 1, "b": 9})),
            ("$.b.c.d", json!({}), json!({"b": {"c": {"d": 9}}})),
            ("$['x y'].z", json!({}), json!({"x y": {"z": 9}})),
            ("$.a-b", json!({}), json!({"a-b": 9})),
            (r"$.store\.book", json!({}), json!({"store.book": 9})),
            (r"$.\stor\e.boo\k", json!({}), json!({"store": {"book": 9}})),
            (
                r"$.foo\@bar.baz\[\[.\?pretty",
                json!({}),
                json!({"foo@bar": {"baz[[": {"?pretty": 9}}}),
            ),
            ("$.&Ж中.\u{10346}", json!({}), json!({"&Ж中": {"\u{10346}": 9}})),
            ("$.l[1]", json!({"l": [1, 2]}), json!({"l": [1, 9]})),
            ("$.l[-1].k", json!({"l": [{}, {}]}), json!({"l": [{}, {"k": 9}]})),
            ("$[0]", json!([1]), json!([9])),
            ("$.a", json!({"a": {"deep": true}}), json!({"a": 9})),
        ];
        for (path, mut target, expected) in cases {
            ReferencePath::parse(path).unwrap().write(&mut target, json!(9)).unwrap();
            assert_eq!(target, expected, "{path}");
        }
    }

    #[test]
    fn a_place_that_does_not_fit_changes_nothing() {
        let cases = [
            ("$.a.b", json!({"a": 1}), "b"),
            ("$.a.b", json!({"a": null}), "b"),
            ("$.a", json!([1]), "a"),
            ("$.a", json!("text"), "a"),
            ("$[0]", json!({"a": 1}), "0"),
            ("$.l[2]", json!({"l": [1, 2]}), "2"),
            ("$.l[-3]", json!({"l": [1, 2]}), "-3"),
            ("$.new[0]", json!({}), "0"),
            ("$.new.x[0]", json!({"old": 1}), "0"),
        ];
        for (path, target, step) in cases {
            let mut after = target.clone();
            let error =
                ReferencePath::parse(path).unwrap().write(&mut after, json!(9)).unwrap_err();
            assert_eq!(after, target, "{path}");
            let expected = format!("Unable to apply step \"{step}\" to input {target}");
            assert_eq!(error.cause, expected);
        }
    }

    #[test]
    fn a_value_is_not_written_too_deep() {
        let deep = (0..115).fold(json!(1), |value, _| json!([value]));
        let mut target = json!({});
        let path = |text| ReferencePath::parse(text).unwrap();
        assert!(path("$.a.b.c.d.e.f").write(&mut target, deep.clone()).is_err());
        assert_eq!(target, json!({}));
        assert!(path("$.a.b.c.d.e").write(&mut target, deep).is_ok());
    }

    #[test]
    fn open_paths_are_refused() {
        for text in [
            "$.*",
            "$..a",
            "$.a[*]",
            "$.a[1:2]",
            "$.a[0,1]",
            "$['a','b']",
            "$.a[?(@.x)]",
            "$.a.length()",
            "$$.a",
            "$v.a",
            "@.a",
            "a",
            "",
        ] {
            assert!(ReferencePath::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_there(names in prop::collection::vec("[a-z]{1,3}", 0..5)) {
            let text = names.iter().fold("$".to_owned(), |text, name| format!("{text}.{name}"));
            let mut target = json!({});
            ReferencePath::parse(&text).unwrap().write(&mut target, json!(9)).unwrap();
            let found = names.iter().try_fold(&target, |at, name| at.get(name));
            prop_assert_eq!(found, Some(&json!(9)));
        }
    }
}
