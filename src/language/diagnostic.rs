//! Faults of a definition, each with its place in the text, and how they are shown.

use std::fmt;

use serde::Serialize;

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The definition cannot be run.
    Error,
    /// The definition can be run, but probably does not do what its author meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One fault of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The stable name of the kind of fault, one of [`codes::ALL`].
    pub code: &'static str,
    /// Whether it keeps the definition from running.
    pub severity: Severity,
    /// JSON pointer (RFC 6901) to the faulty value; empty for the whole document.
    pub pointer: String,
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in the line, from 1, counted in characters.
    pub column: usize,
    /// How many characters of the line belong to the faulty part; at least 1.
    pub length: usize,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, line, column, message, .. } = self;
        write!(f, "{line}:{column}: {severity}[{code}]: {message}")
    }
}

/// Codes of diagnostics. They are stable: a code is never reused for another kind of fault.
pub mod codes {
    /// The text is not well-formed JSON or YAML.
    pub const SYNTAX: &str = "E_SYNTAX";
    /// An object holds the same key twice.
    pub const DUPLICATE_KEY: &str = "E_DUPLICATE_KEY";
    /// The definition is larger or deeper than allowed.
    pub const LIMIT: &str = "E_LIMIT";
    /// A feature of YAML that has no meaning in JSON.
    pub const YAML_FEATURE: &str = "E_YAML_FEATURE";
    /// A value has the wrong JSON type.
    pub const TYPE: &str = "E_TYPE";
    /// A field that must be there is not.
    pub const MISSING_FIELD: &str = "E_MISSING_FIELD";
    /// A field that the language does not have.
    pub const UNKNOWN_FIELD: &str = "E_UNKNOWN_FIELD";
    /// A field of the language that is not allowed here.
    pub const FIELD_NOT_ALLOWED: &str = "E_FIELD_NOT_ALLOWED";
    /// A field of the other query language.
    pub const FIELD_LANGUAGE: &str = "E_FIELD_LANGUAGE";
    /// A part of the language that is not supported yet.
    pub const NOT_SUPPORTED: &str = "E_NOT_SUPPORTED";
    /// A value that is not one of those allowed.
    pub const VALUE: &str = "E_VALUE";
    /// A number out of its range.
    pub const RANGE: &str = "E_RANGE";
    /// A list, object or text that must not be empty.
    pub const EMPTY: &str = "E_EMPTY";
    /// Fields that exclude each other.
    pub const CONFLICT: &str = "E_CONFLICT";
    /// A transition to a state that is not in the same machine.
    pub const UNKNOWN_STATE: &str = "E_UNKNOWN_STATE";
    /// Two states of the definition have the same name.
    pub const DUPLICATE_STATE: &str = "E_DUPLICATE_STATE";
    /// The name of a state or variable is not allowed.
    pub const NAME: &str = "E_NAME";
    /// A state that no path from `StartAt` reaches.
    pub const UNREACHABLE: &str = "E_UNREACHABLE";
    /// A machine that can never end.
    pub const NO_END: &str = "E_NO_END";
    /// A clean-up that is a part of the normal flow, or leads into it.
    pub const CLEANUP_FLOW: &str = "E_CLEANUP_FLOW";
    /// A path, intrinsic function, JSONata expression or comparison that cannot be read.
    pub const EXPRESSION: &str = "E_EXPRESSION";
    /// `$states.result` or `$states.errorOutput` where there is none, or another field of `$states`.
    pub const STATES_FIELD: &str = "E_STATES_FIELD";
    /// A variable that is also assigned in a scope around, on a way that leads here.
    pub const VARIABLE_SCOPE: &str = "E_VARIABLE_SCOPE";
    /// A `Resource` that names neither a job type nor the start of an execution.
    pub const RESOURCE: &str = "E_RESOURCE";
    /// `States.ALL` is not alone in its list, or not in the last entry.
    pub const STATES_ALL: &str = "E_STATES_ALL";
    /// A JSONPath state in a JSONata definition.
    pub const QUERY_LANGUAGE: &str = "E_QUERY_LANGUAGE";
    /// Longer than a quota of AWS allows. Found only when asked for.
    pub const AWS_LIMIT: &str = "E_AWS_LIMIT";
    /// A field of Everstep, which AWS refuses. Found only when asked for.
    pub const AWS_EXTENSION: &str = "E_AWS_EXTENSION";
    /// A `Resource` that is no ARN. Found only when asked for.
    pub const AWS_RESOURCE: &str = "E_AWS_RESOURCE";
    /// A field that AWS knows of distributed Maps only. Found only when asked for.
    pub const AWS_INLINE_MAP: &str = "E_AWS_INLINE_MAP";
    /// A distributed Map without an `ExecutionType`. Found only when asked for.
    pub const AWS_EXECUTION_TYPE: &str = "E_AWS_EXECUTION_TYPE";
    /// An operator that the JSONata of AWS has not. Found only when asked for.
    pub const AWS_JSONATA: &str = "E_AWS_JSONATA";
    /// More faults than are shown.
    pub const TOO_MANY: &str = "E_TOO_MANY";
    /// A field under its old name.
    pub const OLD_NAME: &str = "W_OLD_NAME";
    /// A Choice state without `Default`.
    pub const NO_DEFAULT: &str = "W_NO_DEFAULT";
    /// An error name that starts with `States.` but that nothing raises.
    pub const UNKNOWN_ERROR: &str = "W_UNKNOWN_ERROR";
    /// A value that looks like an expression, but is none in the query language of its state.
    pub const LANGUAGE_MIX: &str = "W_LANGUAGE_MIX";
    /// A field that changes nothing where it stands.
    pub const NO_EFFECT: &str = "W_NO_EFFECT";

    /// Every code.
    pub const ALL: &[&str] = &[
        SYNTAX,
        DUPLICATE_KEY,
        LIMIT,
        YAML_FEATURE,
        TYPE,
        MISSING_FIELD,
        UNKNOWN_FIELD,
        FIELD_NOT_ALLOWED,
        FIELD_LANGUAGE,
        NOT_SUPPORTED,
        VALUE,
        RANGE,
        EMPTY,
        CONFLICT,
        UNKNOWN_STATE,
        DUPLICATE_STATE,
        NAME,
        UNREACHABLE,
        NO_END,
        CLEANUP_FLOW,
        EXPRESSION,
        STATES_FIELD,
        VARIABLE_SCOPE,
        RESOURCE,
        STATES_ALL,
        QUERY_LANGUAGE,
        AWS_LIMIT,
        AWS_EXTENSION,
        AWS_RESOURCE,
        AWS_INLINE_MAP,
        AWS_EXECUTION_TYPE,
        AWS_JSONATA,
        TOO_MANY,
        OLD_NAME,
        NO_DEFAULT,
        UNKNOWN_ERROR,
        LANGUAGE_MIX,
        NO_EFFECT,
    ];
}

/// Characters of a source line that are shown on each side of the fault.
const SHOWN_BEFORE: usize = 60;
const SHOWN_AFTER: usize = 60;

/// Shows diagnostics with their lines of `text`, as a compiler does, in plain text.
///
/// `file_name` is only printed. Lines are cut around the fault, so that a definition on one line
/// stays readable, and control characters are replaced.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], text: &str, file_name: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut out = String::new();
    for diagnostic in diagnostics {
        let line = lines.get(diagnostic.line.saturating_sub(1)).copied().unwrap_or_default();
        render_one(&mut out, diagnostic, line, file_name);
    }
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    out.push_str(&format!(
        "{errors} {}, {warnings} {}\n",
        plural(errors, "error"),
        plural(warnings, "warning")
    ));
    out
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

fn render_one(out: &mut String, diagnostic: &Diagnostic, line: &str, file_name: &str) {
    let Diagnostic { code, severity, pointer, line: number, column, length, message, hint } =
        diagnostic;
    let gutter = number.to_string().len();
    let (excerpt, caret) = excerpt(line, *column);
    let room = excerpt.chars().count().saturating_sub(caret).max(1);
    let marks = "^".repeat((*length).clamp(1, room));
    out.push_str(&format!("{severity}[{code}]: {message}\n"));
    out.push_str(&format!("{:gutter$} ╭─[{file_name}:{number}:{column}]\n", ""));
    out.push_str(&format!("{number} │ {excerpt}\n"));
    out.push_str(&format!("{:gutter$} │ {:caret$}{marks}\n", "", ""));
    if !pointer.is_empty() {
        out.push_str(&format!("{:gutter$} ├─ at {}\n", "", printable(pointer)));
    }
    match hint {
        Some(hint) => out.push_str(&format!("{:gutter$} ╰─ help: {hint}\n", "")),
        None => out.push_str(&format!("{:gutter$} ╰─\n", "")),
    }
}

/// The part of a line around `column`, and the offset of the column in that part.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    let at = column.saturating_sub(1);
    let first = if at > SHOWN_BEFORE * 2 { at - SHOWN_BEFORE } else { 0 };
    let wanted = at - first + SHOWN_AFTER * 2;
    let mut rest = line.trim_end_matches('\r').chars().skip(first);
    let shown: String = rest.by_ref().take(wanted).collect();
    let (left, right) =
        (if first > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" });
    let caret = at - first + left.chars().count();
    (format!("{left}{}{right}", printable(&shown)), caret)
}

/// Text without control characters and without those that turn the direction of writing.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
            '�'
        }
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A name in a message: in backquotes, without control characters, cut when long.
pub(crate) fn quoted(name: &str) -> String {
    const LONGEST: usize = 80;
    let shown: String = printable(&name.chars().take(LONGEST).collect::<String>());
    let more = if name.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> Diagnostic {
        Diagnostic {
            code: codes::UNREACHABLE,
            severity: Severity::Error,
            pointer: "/States/Index".to_owned(),
            line: 2,
            column: 3,
            length: 5,
            message: "state `Index` can never be reached".to_owned(),
            hint: Some("lead a state to it, or remove it".to_owned()),
        }
    }

    #[test]
    fn a_fault_is_shown_with_its_line_and_a_caret() {
        let shown = render(&[unreachable()], "States:\n  Index:\n    Type: Pass\n", "import.yaml");
        let expected = "\
error[E_UNREACHABLE]: state `Index` can never be reached
  ╭─[import.yaml:2:3]
2 │   Index:
  │   ^^^^^
  ├─ at /States/Index
  ╰─ help: lead a state to it, or remove it
1 error, 0 warnings
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_long_line_is_cut_around_the_fault() {
        let mut fault = unreachable();
        (fault.line, fault.column) = (1, 501);
        let text = format!("{}Index{}", "x".repeat(500), "y".repeat(500));
        let shown = render(&[fault], &text, "one-line.json");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[2].chars().count() < 200, "{shown}");
        let caret = lines[3].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[2].chars().skip(caret).take(5).collect::<String>(), "Index");
    }

    #[test]
    fn a_place_outside_the_text_is_no_panic() {
        let mut fault = unreachable();
        (fault.line, fault.column, fault.length) = (99, 99, 0);
        assert!(render(&[fault], "", "x").contains("1 error"));
    }

    #[test]
    fn a_diagnostic_is_plain_json_for_programs() {
        let json = serde_json::to_value(unreachable()).unwrap();
        assert_eq!(json["code"], "E_UNREACHABLE");
        assert_eq!(json["severity"], "error");
        assert_eq!(json["pointer"], "/States/Index");
        assert_eq!((&json["line"], &json["column"]), (&2.into(), &3.into()));
    }
}
