//! The document of a request: a JSON object with only the fields that the route has, each of its kind.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::value::RawValue;

use super::problem::{PlacedFault, Problem};
use super::route::{Kind, Param};
use crate::language::Json;

/// How deep a document may be nested: what the readers of payloads bear.
pub(super) const MOST_DEPTH: usize = 127;

/// The fields of a document, as they stand.
#[derive(Debug, Default)]
pub(in crate::server) struct Fields {
    values: BTreeMap<String, Box<RawValue>>,
}

impl Fields {
    pub(super) const fn none() -> Self {
        Self { values: BTreeMap::new() }
    }

    /// Reads a document.
    pub(super) fn read(text: &str, known: &'static [Param]) -> Result<Self, Problem> {
        check_depth(text)?;
        // An empty body stands for an empty object: curl sends none for a POST without data.
        let text = if text.is_empty() { "{}" } else { text };
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| syntax(&error))?;
        let values: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)
            .map_err(|_| Problem::invalid("", "the document is no object"))?;
        let mut faults = Vec::new();
        let mut fault = |name: &str, detail: String| {
            let name: String = name.chars().take(64).collect();
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            faults.push(PlacedFault { pointer, detail, code: None, line: None });
        };
        for (name, value) in &values {
            match known.iter().find(|param| param.name == name) {
                None => fault(name, format!("there is no such field; known: {}", names(known))),
                Some(param) => {
                    if let Some(detail) = check(param.kind, value) {
                        fault(name, detail);
                    }
                }
            }
        }
        for param in known.iter().filter(|param| param.is_required) {
            if !values.contains_key(param.name) {
                fault(param.name, "it is missing".to_owned());
            }
        }
        if faults.is_empty() { Ok(Self { values }) } else { Err(Problem::faults(faults)) }
    }

    /// A text; `null` is none.
    pub(in crate::server) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.values.get(name)?.get()).ok().flatten()
    }

    /// A number.
    pub(in crate::server) fn number(&self, name: &str) -> Option<u64> {
        serde_json::from_str(self.values.get(name)?.get()).ok().flatten()
    }

    /// Whether a flag is set.
    pub(in crate::server) fn flag(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| value.get() == "true")
    }

    /// Any JSON, as it stands.
    pub(in crate::server) fn json(&self, name: &str) -> Option<Json> {
        // `check` has read it: it only has to be kept.
        serde_json::from_str(self.values.get(name)?.get()).ok()
    }
}

fn names(known: &[Param]) -> String {
    let names: Vec<&str> = known.iter().map(|param| param.name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What is wrong with a value, if something is.
fn check(kind: Kind, value: &RawValue) -> Option<String> {
    let text = value.get();
    if text == "null" && kind != Kind::Json {
        return None;
    }
    match kind {
        // A reader of numbers and of texts may still refuse what is well-formed.
        Kind::Json => {
            Json::parse(text).err().map(|fault| format!("it cannot be read as JSON: {fault}"))
        }
        Kind::Flag => (!matches!(text, "true" | "false")).then(|| "it is no boolean".to_owned()),
        Kind::Number(most) => match text.parse::<u64>() {
            Ok(number) if number <= most => None,
            _ => Some(format!("it is no whole number from 0 to {most}")),
        },
        Kind::Text(most) => match serde_json::from_str::<String>(text) {
            Ok(text) if text.len() <= most => None,
            Ok(_) => Some(format!("it has more than {most} bytes")),
            Err(_) => Some("it is no text".to_owned()),
        },
        Kind::Word(words) | Kind::Words(words) => match serde_json::from_str::<String>(text) {
            Ok(text) if words.contains(&text.as_str()) => None,
            _ => Some(format!("it is none of {}", words.join(", "))),
        },
    }
}

/// The text of a body.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let detail = format!("the body is not UTF-8 at byte {}", error.valid_up_to());
        Problem::new("NOT_UTF8", StatusCode::BAD_REQUEST, detail)
    })
}

/// Refuses what is nested too deep, before a reader that calls itself sees it.
pub(in crate::server) fn check_depth(text: &str) -> Result<(), Problem> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MOST_DEPTH {
                    let detail = format!("the document is nested more than {MOST_DEPTH} deep");
                    return Err(Problem::new("TOO_DEEP", StatusCode::BAD_REQUEST, detail));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn syntax(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is no JSON: {error}");
    Problem::new("BAD_JSON", StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Param] = &[
        Param::required("workflow", Kind::Text(8), ""),
        Param::new("input", Kind::Json, ""),
        Param::new("seq", Kind::Number(9), ""),
        Param::new("dry_run", Kind::Flag, ""),
    ];

    fn refused(text: &str) -> String {
        format!("{:?}", Fields::read(text, KNOWN).unwrap_err())
    }

    #[test]
    fn a_document_is_read_by_its_fields_and_payloads_stay_as_they_stand() {
        let text = r#"{"workflow": "w\u00e4", "input": {"a": 1.10}, "seq": 3, "dry_run": true}"#;
        let fields = Fields::read(text, KNOWN).unwrap();
        assert_eq!(fields.text("workflow").as_deref(), Some("wä"));
        assert_eq!(fields.json("input").unwrap().as_str(), r#"{"a": 1.10}"#);
        assert_eq!((fields.number("seq"), fields.flag("dry_run")), (Some(3), true));
        let fields = Fields::read(r#"{"workflow":"w","seq":null}"#, KNOWN).unwrap();
        assert_eq!((fields.number("seq"), fields.flag("dry_run")), (None, false));
        assert!(Fields::read("", &[]).is_ok());
    }

    #[test]
    fn every_fault_has_its_place() {
        let problem = refused(r#"{"a/b": 1, "input": 1, "seq": 10, "dry_run": "yes"}"#);
        for pointer in ["\"/a~1b\"", "\"/seq\"", "\"/dry_run\"", "\"/workflow\""] {
            assert!(problem.contains(pointer), "{pointer} in {problem}");
        }
        assert!(!problem.contains("\"/input\""), "{problem}");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (text, code) in [
            ("[]", "INVALID_DOCUMENT"),
            ("7", "INVALID_DOCUMENT"),
            ("{", "BAD_JSON"),
            ("{} x", "BAD_JSON"),
            ("{\"workflow\": \"\\ud800\"}", "INVALID_DOCUMENT"),
            ("{\"workflow\": \"w\", \"input\": \"\\ud800\"}", "INVALID_DOCUMENT"),
            ("{\"workflow\": \"w\", \"input\": 1e999}", "INVALID_DOCUMENT"),
        ] {
            assert!(refused(text).contains(code), "{text}: {}", refused(text));
        }
        let deep = format!("{{\"workflow\":\"w\",\"input\":{}", "[".repeat(MOST_DEPTH));
        assert!(refused(&deep).contains("TOO_DEEP"));
        let text = format!("{{\"workflow\":\"w\",\"input\":\"{}\"}}", "[".repeat(MOST_DEPTH));
        assert!(Fields::read(&text, KNOWN).is_ok(), "brackets in texts nest nothing");
    }
}
