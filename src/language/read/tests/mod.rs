//! Tests of the reader as a whole.

mod cleanup;
mod distributed;
mod faults;
mod machine_fields;
mod properties;
mod scope;
mod sound;
mod task;

use crate::language::diagnostic::Diagnostic;
use crate::language::{Checked, Format, Options, check};

/// Marks the expected place of a fault in a test's text.
const MARK: char = '¦';

/// The text without its mark, and the line and column where it was.
fn unmarked(text: &str) -> (String, usize, usize) {
    let (before, after) = text.split_once(MARK).expect("the text has a mark");
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    (format!("{before}{after}"), line, column)
}

fn check_json(text: &str) -> Checked {
    check(text, Format::Json, &Options::default())
}

fn check_yaml(text: &str) -> Checked {
    check(text, Format::Yaml, &Options::default())
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|found| format!("{found} ({})\n", found.pointer)).collect()
}

/// Checks that the only diagnostic is `code` at the mark.
fn expect(text: &str, format: Format, code: &str) -> Diagnostic {
    let (text, line, column) = unmarked(text);
    let checked = check(&text, format, &Options::default());
    let found = list(&checked.diagnostics);
    assert_eq!(checked.diagnostics.len(), 1, "{text}\n{found}");
    let only = checked.diagnostics[0].clone();
    assert_eq!((only.code, only.line, only.column), (code, line, column), "{text}\n{found}");
    assert_eq!(checked.workflow.is_none(), code.starts_with('E'), "{text}");
    only
}

/// The same in both formats.
fn both(code: &str, pointer: &str, json: &str, yaml: &str) -> Diagnostic {
    let in_json = expect(json, Format::Json, code);
    let in_yaml = expect(yaml, Format::Yaml, code);
    assert_eq!(in_json.pointer, pointer, "{json}");
    assert_eq!(in_yaml.pointer, pointer, "{yaml}");
    assert_eq!(in_json.message, in_yaml.message);
    in_json
}
