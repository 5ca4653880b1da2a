//! Runs JSONata's own suite against the engine that definitions use.
//!
//! `cargo run --all-features --example jsonata_suite -- FOLDER [-v]`, where FOLDER is the
//! `test/test-suite` of <https://github.com/jsonata-js/jsonata>, or has it below. Exits with 1 when
//! a case fails.
//!
//! A case whose text a definition accepts goes the way of a definition, as `{% … %}`. Most cases
//! use names at the top level, which definitions refuse; those are evaluated about their data, by
//! the same engine with the same functions and limits. What then still differs, because AWS's rules
//! or our limits want it so, is told apart from what fails.
#![expect(clippy::print_stdout, reason = "it prints a report")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use everstep::language::expression::{Expression, Scope, jsonata_on};
use serde_json::{Map, Value};

/// 23 November 2016, and any seed: no case may depend on them.
const NOW_MS: u64 = 1_479_902_400_000;
const SEED: u64 = 1;

type Failure = Box<dyn std::error::Error>;

/// One case of the suite.
struct Case {
    name: String,
    text: String,
    data: Option<Value>,
    bindings: Map<String, Value>,
    expected: Expected,
    unordered: bool,
}

enum Expected {
    Value(Value),
    Undefined,
    Code(String),
}

/// How a case ended.
enum Verdict {
    /// As expected, as a definition has it.
    Passed,
    /// As expected, though a definition would refuse the names at its top level.
    PassedOnData,
    /// Undefined, as expected; a definition makes an error of that.
    PassedUndefined,
    Differs(&'static str),
    Failed(String),
}

fn main() -> Result<ExitCode, Failure> {
    let mut folder = None;
    let mut verbose = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "-v" => verbose = true,
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    let folder = folder.ok_or("usage: jsonata_suite FOLDER [-v]")?;
    let below = folder.join("test/test-suite");
    let folder = if below.is_dir() { below } else { folder };
    let datasets = datasets(&folder.join("datasets"))?;
    let mut report = Report { verbose, ..Report::default() };
    for group in sorted(&folder.join("groups"))? {
        if group.is_dir() {
            report.group(&group, &datasets)?;
        }
    }
    report.print();
    Ok(if report.total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default, Clone, Copy)]
struct Counts {
    passed: usize,
    on_data: usize,
    undefined: usize,
    differs: usize,
    failed: usize,
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::PassedOnData => &mut self.on_data,
            Verdict::PassedUndefined => &mut self.undefined,
            Verdict::Differs(_) => &mut self.differs,
            Verdict::Failed(_) => &mut self.failed,
        } += 1;
    }

    fn all_passed(&self) -> usize {
        self.passed + self.on_data + self.undefined
    }
}

#[derive(Default)]
struct Report {
    verbose: bool,
    total: Counts,
    unreadable: Vec<String>,
    failed: Vec<String>,
    differing: BTreeMap<&'static str, Vec<String>>,
}

impl Report {
    fn group(&mut self, folder: &Path, datasets: &Map<String, Value>) -> Result<(), Failure> {
        let group = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut counts = Counts::default();
        for path in sorted(folder)?.iter().filter(|path| is_json(path)) {
            let Ok(spec) = serde_json::from_str::<Value>(&std::fs::read_to_string(path)?) else {
                self.unreadable.push(format!("{group}/{}", file_name(path)));
                continue;
            };
            let specs = match spec {
                Value::Array(specs) => specs,
                spec => vec![spec],
            };
            for (index, spec) in specs.iter().enumerate() {
                let name = format!("{group}/{}[{index}]", file_name(path));
                let case = case(name, spec, folder, datasets)?;
                let verdict = judge(&case);
                counts.add(&verdict);
                self.total.add(&verdict);
                match verdict {
                    Verdict::Failed(why) => {
                        self.failed.push(format!("{}: {}\n      {why}", case.name, case.text));
                    }
                    Verdict::Differs(reason) => {
                        let names = self.differing.entry(reason).or_default();
                        names.push(format!("{}: {}", case.name, case.text));
                    }
                    _ => {}
                }
            }
        }
        let passed = counts.all_passed();
        println!(
            "{passed:>5} passed {:>3} differ {:>3} failed  {group}",
            counts.differs, counts.failed
        );
        Ok(())
    }

    fn print(&self) {
        for (reason, names) in &self.differing {
            println!("\n{} differ: {reason}", names.len());
            let shown = if self.verbose { names.len() } else { 5 };
            for name in names.iter().take(shown) {
                println!("    {name}");
            }
        }
        if !self.failed.is_empty() {
            println!("\n{} failed:", self.failed.len());
        }
        for name in &self.failed {
            println!("    {name}");
        }
        let Counts { passed, on_data, undefined, differs, failed } = self.total;
        let sum = self.total.all_passed() + differs + failed;
        println!("\n{sum} cases, and {} files that hold no Unicode text:", self.unreadable.len());
        println!("{:>6} passed", self.total.all_passed());
        println!("{passed:>10} as a definition has them");
        println!("{on_data:>10} about data at the top level, which definitions have not");
        println!("{undefined:>10} with nothing (undefined), which definitions make an error");
        println!("{differs:>6} differ by AWS's rules or our limits");
        println!("{failed:>6} failed");
        for name in &self.unreadable {
            println!("       {name} cannot be read");
        }
    }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
    paths.sort();
    Ok(paths)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn file_name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn datasets(folder: &Path) -> Result<Map<String, Value>, Failure> {
    let mut datasets = Map::new();
    for path in sorted(folder)?.iter().filter(|path| is_json(path)) {
        let text = std::fs::read_to_string(path)?;
        datasets.insert(file_name(path), serde_json::from_str(&text)?);
    }
    Ok(datasets)
}

fn case(
    name: String,
    spec: &Value,
    folder: &Path,
    datasets: &Map<String, Value>,
) -> Result<Case, Failure> {
    let field = |key: &str| spec.get(key);
    let text = match (field("expr-file").and_then(Value::as_str), field("expr")) {
        (Some(file), _) => std::fs::read_to_string(folder.join(file))?,
        (None, Some(Value::String(text))) => text.clone(),
        _ => return Err(format!("{name} has no expression").into()),
    };
    let data = match (field("data"), field("dataset")) {
        (Some(data), _) => Some(data.clone()),
        (None, Some(Value::String(set))) => datasets.get(set).cloned(),
        _ => None,
    };
    let code = field("code").or_else(|| spec.pointer("/error/code")).and_then(Value::as_str);
    let expected = match (field("undefinedResult"), field("result"), code) {
        (Some(_), _, _) => Expected::Undefined,
        (None, Some(value), _) => Expected::Value(value.clone()),
        (None, None, Some(code)) => Expected::Code(code.to_owned()),
        _ => return Err(format!("{name} expects nothing").into()),
    };
    let bindings = field("bindings").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Case { name, text, data, bindings, expected, unordered: field("unordered").is_some() })
}

fn judge(case: &Case) -> Verdict {
    let nothing = Value::Null;
    let scope = Scope {
        input: &nothing,
        context: &nothing,
        variables: &case.bindings,
        result: None,
        error_output: None,
        now_ms: NOW_MS,
        seed: SEED,
    };
    let outcome = jsonata_on(&case.text, case.data.as_ref(), &scope);
    if let Err(why) = agrees(case, &outcome) {
        return match reason(case, &outcome) {
            Some(reason) => Verdict::Differs(reason),
            None => Verdict::Failed(why),
        };
    }
    if matches!(outcome, Ok(None)) {
        return Verdict::PassedUndefined;
    }
    let marked = format!("{{%{}%}}", case.text);
    let Ok(expression) = Expression::jsonata(&marked) else {
        // Refused in any case, or refused for the names at its top level.
        return if is_fault(&outcome) { Verdict::Passed } else { Verdict::PassedOnData };
    };
    let defined = expression.evaluate(&scope).map(Some).map_err(|error| error.cause);
    // What a function without its argument, or a name in a lambda, gives where there is no data.
    let bare = jsonata_on(&case.text, None, &scope);
    match agrees(case, &defined) {
        Ok(()) => Verdict::Passed,
        Err(_) if case.data.is_some() && same_outcome(&bare, &defined) => Verdict::PassedOnData,
        Err(why) => Verdict::Failed(format!("as a definition has it: {why}")),
    }
}

/// Whether a definition gives what the engine gives without data. Undefined is an error there.
fn same_outcome(
    bare: &Result<Option<Value>, String>,
    defined: &Result<Option<Value>, String>,
) -> bool {
    match (bare, defined) {
        (Ok(None), Err(cause)) => cause.ends_with("returned nothing (undefined)."),
        (Err(bare), Err(cause)) => cause.ends_with(bare),
        (bare, defined) => bare == defined,
    }
}

/// Whether the text itself is no JSONata.
fn is_fault(outcome: &Result<Option<Value>, String>) -> bool {
    outcome.as_ref().is_err_and(|cause| cause.starts_with("this is not JSONata"))
}

/// Whether the outcome is the expected one; if not, what is the difference.
fn agrees(case: &Case, outcome: &Result<Option<Value>, String>) -> Result<(), String> {
    let same = match (&case.expected, outcome) {
        (Expected::Value(expected), Ok(Some(value))) => {
            equal(expected, value) || (case.unordered && same_items(expected, value))
        }
        (Expected::Undefined, Ok(None)) => true,
        (Expected::Code(expected), Err(cause)) => {
            // The suite's own guard against endless expressions has one code for time and depth.
            let guard = expected == "U1001" && ["D1011", "D1012"].contains(&code(cause));
            guard || code(cause) == expected
        }
        _ => false,
    };
    if same {
        return Ok(());
    }
    let expected = match &case.expected {
        Expected::Value(value) => value.to_string(),
        Expected::Undefined => "undefined".to_owned(),
        Expected::Code(code) => code.clone(),
    };
    let got = match outcome {
        Ok(Some(value)) => value.to_string(),
        Ok(None) => "undefined".to_owned(),
        Err(cause) => format!("the error {cause}"),
    };
    Err(format!("expected {expected}, got {got}"))
}

/// Why the outcome may differ from the suite's.
fn reason(case: &Case, outcome: &Result<Option<Value>, String>) -> Option<&'static str> {
    let Err(cause) = outcome else {
        let guards = matches!(&case.expected, Expected::Code(code) if code == "U1001");
        return guards.then_some("it ends within our limits, which are wider than the case's own");
    };
    if cause.contains("$eval is not available") {
        return Some("AWS has no $eval");
    }
    if ["D1011", "D1012", "D2015"].contains(&code(cause)) {
        return Some("it needs more time, depth or items than we give");
    }
    None
}

/// JSONata's code in an error: the first word of a capital letter and four digits.
fn code(cause: &str) -> &str {
    let is_code = |word: &&str| {
        let mut letters = word.chars();
        word.len() == 5
            && letters.next().is_some_and(|c| c.is_ascii_uppercase())
            && letters.all(|c| c.is_ascii_digit())
    };
    cause.split([' ', ':']).find(is_code).unwrap_or_default()
}

/// Equality as JavaScript has it: numbers are doubles, keys have no order.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn same_items(a: &Value, b: &Value) -> bool {
    let (Value::Array(a), Value::Array(b)) = (a, b) else { return false };
    let mut left: Vec<&Value> = b.iter().collect();
    a.len() == b.len()
        && a.iter().all(|item| {
            let found = left.iter().position(|other| equal(item, other));
            found.map(|at| left.swap_remove(at)).is_some()
        })
}
