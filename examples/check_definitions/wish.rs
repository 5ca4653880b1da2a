//! Made-up data that has what the states of a definition look for.
//!
//! Every path in the definition is a wish: `$.order.items` asks for an object `order` with a field
//! `items`. How it is used says what it should be: what a Choice compares it with, whether a Map
//! goes over it, which intrinsic function takes it. Variables and fields that get their value from
//! a path pass wishes on to that path. One big object then grants all wishes at once, wherever it
//! appears; chance decides between values that a Choice asks for.

use std::collections::BTreeMap;

use everstep::testing::random::Random;
use serde_json::{Map, Value, json};

/// How deep arrays whose elements grant all wishes stand in each other.
const DEPTH: u32 = 2;
/// The keys of JSONPath states that hold paths, and what is at the path if the key says so.
const PATHS: &[(&str, Kind)] = &[
    ("ItemsPath", Kind::List),
    ("SecondsPath", Kind::Number),
    ("TimeoutSecondsPath", Kind::Number),
    ("HeartbeatSecondsPath", Kind::Number),
    ("MaxConcurrencyPath", Kind::Number),
    ("MaxItemsPath", Kind::Number),
    ("TimestampPath", Kind::Time),
    ("InputPath", Kind::Whole),
    ("OutputPath", Kind::Whole),
    ("ErrorPath", Kind::Any),
    ("CausePath", Kind::Any),
    ("Variable", Kind::Any),
];

/// What kind of value is wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    /// What a whole state works on: all wishes.
    Whole,
    List,
    Number,
    Time,
    /// A text that holds JSON.
    JsonText,
    /// A text that holds JSON in Base64.
    Base64,
}

/// What may be at a place.
#[derive(Debug, Default, Clone)]
struct Wish {
    fields: BTreeMap<String, Wish>,
    element: Option<Box<Wish>>,
    kind: Option<Kind>,
    /// Values that a Choice compares it with; `None` is nothing at all.
    values: Vec<Option<Value>>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Element,
}

/// All wishes of a definition.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    root: Wish,
    /// Where fields and variables get their value from, by name.
    sources: Vec<(String, Vec<Step>)>,
    /// All paths, to be passed on along the sources.
    paths: Vec<(Vec<Step>, Kind, Vec<Option<Value>>)>,
}

impl Wishes {
    /// What the definition wishes for.
    pub(super) fn of(definition: &Value) -> Self {
        let mut wishes = Self::default();
        wishes.gather(definition);
        wishes.pass_on();
        for (path, kind, values) in &wishes.paths {
            wishes.root.add(path, *kind, values);
        }
        wishes
    }

    /// Data that grants all wishes, and those below `at`, a reference path such as `$.result`.
    pub(super) fn grant(&self, at: Option<&str>, random: &mut Random) -> Value {
        if self.root.element.is_some() && at.is_none() && random.one_in(3) {
            return self.items(random);
        }
        let mut value = match self.root.grant(&self.root, random, 0) {
            Some(value @ (Value::Object(_) | Value::Array(_))) => value,
            _ => json!({}),
        };
        let below = at.and_then(|path| self.below(path));
        if let Some(below) = below
            && below.fields.is_empty()
            && !below.values.is_empty()
            && let Some(leaf) = below.grant(&self.root, random, 0)
        {
            return leaf;
        }
        if let Some(below) = below
            && let Some(Value::Object(more)) = below.grant(&self.root, random, 0)
            && let Value::Object(fields) = &mut value
        {
            fields.extend(more);
        }
        value
    }

    /// Two items that grant all wishes.
    pub(super) fn items(&self, random: &mut Random) -> Value {
        self.root.list(&self.root, random, 0)
    }

    /// The wish at a reference path.
    fn below(&self, path: &str) -> Option<&Wish> {
        let mut wish = &self.root;
        for step in path_at(path).1 {
            wish = match step {
                Step::Field(name) => wish.fields.get(&name)?,
                Step::Element => wish.element.as_deref()?,
            };
        }
        Some(wish)
    }

    fn gather(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.gather(item)),
            Value::Object(fields) => {
                self.gather_rule(fields);
                for (key, value) in fields {
                    self.gather_field(key, value);
                }
            }
            Value::String(text) => self.gather_jsonata(None, text),
            _ => {}
        }
    }

    fn gather_field(&mut self, key: &str, value: &Value) {
        let Some(text) = value.as_str() else { return self.gather(value) };
        if let Some(name) = key.strip_suffix(".$") {
            // What is wished of read JSON is wished of the text.
            let read = text.strip_prefix("States.StringToJson(");
            let source = read.and_then(|read| read.strip_suffix(')')).unwrap_or(text).trim();
            let (is_context, path, length) = path_at(source);
            if length == source.len() && !is_context && source != "$" {
                self.sources.push((name.to_owned(), path));
            }
            self.gather_calls(text, Kind::Any);
        } else if let Some((_, kind)) = PATHS.iter().find(|(known, _)| *known == key) {
            self.gather_calls(text, *kind);
        } else if key.ends_with("Path") && text.starts_with('$') && key != "ResultPath" {
            self.gather_calls(text, Kind::Any);
        } else {
            self.gather_jsonata(Some(key), text);
        }
    }

    /// The paths in a path or a call of intrinsic functions.
    fn gather_calls(&mut self, text: &str, kind: Kind) {
        let mut at = 0;
        while let Some(found) = text.get(at..).and_then(|rest| rest.find('$')) {
            let start = at + found;
            let (is_context, path, length) = path_at(text.get(start..).unwrap_or_default());
            if !is_context && !path.is_empty() {
                let kind = called(text.get(..start).unwrap_or_default()).unwrap_or(kind);
                let rest = text.get(start + length..).unwrap_or_default();
                self.paths.push((path, kind, split_at(rest)));
            }
            at = start + length.max(1);
        }
    }

    /// The values that the rule of a Choice compares with.
    fn gather_rule(&mut self, fields: &Map<String, Value>) {
        let Some(variable) = fields.get("Variable").and_then(Value::as_str) else { return };
        let (is_context, path, _) = path_at(variable);
        if is_context {
            return;
        }
        for (comparator, operand) in fields {
            let number = operand.as_f64().unwrap_or(1.0);
            let near = |by: f64| Some(json!(number + by));
            let values = match comparator.as_str() {
                "StringMatches" => {
                    let text = operand.as_str().unwrap_or_default();
                    vec![Some(json!(text.replace('*', "x"))), Some(json!("made up"))]
                }
                name if name.ends_with("Path") => vec![near(-1.0), near(1.0)],
                name if name.starts_with("Numeric") => vec![near(-1.0), near(0.0), near(1.0)],
                name if name.starts_with("String") => {
                    vec![Some(operand.clone()), Some(operand.clone()), Some(json!("made up"))]
                }
                name if name.starts_with("Timestamp") => {
                    ["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"].map(|t| Some(json!(t))).into()
                }
                "BooleanEquals" => vec![Some(json!(true)), Some(json!(false))],
                "IsPresent" => vec![Some(json!("made up")), None],
                "IsNull" => vec![Some(json!("made up")), Some(Value::Null)],
                "IsNumeric" => vec![Some(json!(1))],
                "IsString" => vec![Some(json!("made up"))],
                "IsBoolean" => vec![Some(json!(true))],
                _ => continue,
            };
            self.paths.push((path.clone(), Kind::Any, values));
        }
    }

    /// The paths in JSONata: what follows `$states.input`, `$states.result` or a variable.
    fn gather_jsonata(&mut self, key: Option<&str>, text: &str) {
        let Some(inner) = text.strip_prefix("{%").and_then(|text| text.strip_suffix("%}")) else {
            return;
        };
        let mut at = 0;
        while let Some(found) = inner.get(at..).and_then(|rest| rest.find('$')) {
            let start = at + found;
            let (is_context, path, length) = path_at(inner.get(start..).unwrap_or_default());
            at = start + length.max(1);
            let rest = inner.get(start + length..).unwrap_or_default();
            if is_context || path.is_empty() || rest.starts_with('(') {
                continue;
            }
            let before = inner.get(..start).unwrap_or_default();
            let lists = ["$count(", "$map(", "$filter(", "$sum(", "$reduce(", "$append("];
            let is_list = lists.iter().any(|call| before.trim_end().ends_with(call));
            let kind = if is_list { Kind::List } else { Kind::Any };
            let kind = if before.trim_end().ends_with("$parse(") { Kind::JsonText } else { kind };
            if before.trim().is_empty() && rest.trim().is_empty() {
                self.sources.extend(key.map(|key| (key.to_owned(), path.clone())));
            }
            let kind =
                if key == Some("Items") && rest.trim().is_empty() { Kind::List } else { kind };
            self.paths.push((path, kind, compared(rest)));
        }
    }

    /// What is wished of a field or variable is wished of where its value comes from.
    fn pass_on(&mut self) {
        for _ in 0..2 {
            let mut more = Vec::new();
            for (path, kind, values) in &self.paths {
                for (index, step) in path.iter().enumerate() {
                    let Step::Field(name) = step else { continue };
                    for (_, source) in self.sources.iter().filter(|(known, _)| known == name) {
                        let rest = path.get(index + 1..).unwrap_or_default();
                        let passed = (*[source, rest].concat()).to_vec();
                        // A source that names itself would be passed on for ever.
                        let wish = (passed, *kind, values.clone());
                        if wish.0.len() < 8 && !self.paths.contains(&wish) {
                            more.push(wish);
                        }
                    }
                }
            }
            self.paths.extend(more);
        }
    }
}

impl Wish {
    fn add(&mut self, path: &[Step], kind: Kind, values: &[Option<Value>]) {
        match path {
            [] => {
                if kind != Kind::Any {
                    self.kind = Some(kind);
                }
                self.values.extend(values.iter().cloned());
            }
            [Step::Field(name), rest @ ..] => {
                self.fields.entry(name.clone()).or_default().add(rest, kind, values);
            }
            [Step::Element, rest @ ..] => {
                self.element.get_or_insert_default().add(rest, kind, values);
            }
        }
    }

    /// A value that grants the wish; none when there should be nothing.
    fn grant(&self, root: &Self, random: &mut Random, depth: u32) -> Option<Value> {
        let is_list = self.element.is_some() || self.kind == Some(Kind::List);
        if is_list && (depth > 0 || self.fields.is_empty()) {
            return Some(self.list(root, random, depth));
        }
        if !self.fields.is_empty()
            && self.kind.is_none_or(|kind| matches!(kind, Kind::List | Kind::Whole))
        {
            return Some(self.whole(root, random, depth));
        }
        let text = |value: Value| value.to_string();
        match self.kind {
            Some(Kind::Whole) if depth <= DEPTH => {
                return Some(root.object(root, random, depth + 1));
            }
            Some(Kind::Number) => return Some(json!(1)),
            Some(Kind::Time) => return Some(json!("2024-01-01T00:00:00Z")),
            Some(Kind::JsonText) if self.fields.is_empty() && !self.values.is_empty() => {
                return random
                    .pick(&self.values)
                    .cloned()
                    .flatten()
                    .map(|value| json!(text(value)));
            }
            Some(Kind::JsonText) if depth < DEPTH => {
                let inner = if self.fields.is_empty() { root } else { self };
                return Some(json!(text(inner.object(root, random, depth + 1))));
            }
            Some(Kind::Base64) => return Some(json!("e30=")),
            _ => {}
        }
        match random.pick(&self.values) {
            Some(value) => value.clone(),
            None => Some(json!("1")),
        }
    }

    fn object(&self, root: &Self, random: &mut Random, depth: u32) -> Value {
        let fields = self.fields.iter().filter_map(|(name, wish)| {
            let value = wish.grant(root, random, depth + 1)?;
            Some((name.clone(), value))
        });
        Value::Object(fields.collect())
    }

    /// Its own fields, and those of the root if whole states work on it.
    fn whole(&self, root: &Self, random: &mut Random, depth: u32) -> Value {
        let own = self.object(root, random, depth);
        if self.kind != Some(Kind::Whole) || depth > DEPTH {
            return own;
        }
        match (root.object(root, random, depth + 1), own) {
            (Value::Object(mut all), Value::Object(own)) => {
                all.extend(own);
                Value::Object(all)
            }
            (_, own) => own,
        }
    }

    /// Two elements, each of which grants all wishes, and those of the elements.
    fn list(&self, root: &Self, random: &mut Random, depth: u32) -> Value {
        let mut elements = Vec::new();
        for _ in 0..2 {
            let own = self.element.as_ref().and_then(|wish| wish.grant(root, random, depth + 1));
            let all = (depth < DEPTH).then(|| root.object(root, random, depth + 2));
            elements.push(match (own, all) {
                (Some(Value::Object(own)), Some(Value::Object(mut all))) => {
                    all.extend(own);
                    Value::Object(all)
                }
                (Some(Value::String(_)) | None, Some(all)) => all,
                (Some(own), _) => own,
                (None, None) => json!("1"),
            });
        }
        json!(elements)
    }
}

/// What the function wants whose argument begins after `before`.
fn called(before: &str) -> Option<Kind> {
    let (call, arguments) = before.rsplit_once('(')?;
    let function = call.rsplit(|c: char| !(c.is_alphanumeric() || c == '.')).next()?;
    let is_first = !arguments.contains(',');
    match function.strip_prefix("States.")? {
        "StringToJson" => Some(Kind::JsonText),
        "Base64Decode" => Some(Kind::Base64),
        "MathAdd" | "MathRandom" | "ArrayRange" => Some(Kind::Number),
        "ArrayLength" | "ArrayUnique" => Some(Kind::List),
        "ArrayGetItem" | "ArrayPartition" => Some(if is_first { Kind::List } else { Kind::Number }),
        "ArrayContains" if is_first => Some(Kind::List),
        _ => None,
    }
}

/// A text with many parts, when `rest` goes on with what `States.StringSplit` splits at.
fn split_at(rest: &str) -> Vec<Option<Value>> {
    let separator = rest.trim_start().strip_prefix(',').and_then(|rest| {
        let rest = rest.trim_start().strip_prefix('\'')?;
        rest.split('\'').next().filter(|text| text.chars().count() == 1)
    });
    separator.map(|separator| Some(json!(["1"; 10].join(separator)))).into_iter().collect()
}

/// What JSONata compares a path with that ends before `rest`.
fn compared(rest: &str) -> Vec<Option<Value>> {
    let rest = rest.trim_start();
    let Some(operator) = ["!=", ">=", "<=", "=", ">", "<"].iter().find(|op| rest.starts_with(**op))
    else {
        return Vec::new();
    };
    let operand = rest.get(operator.len()..).unwrap_or_default().trim_start();
    if let Some(quote) = operand.chars().next().filter(|c| *c == '\'' || *c == '"') {
        let text = operand.get(1..).and_then(|text| text.split(quote).next()).unwrap_or_default();
        return vec![Some(json!(text)), Some(json!("made up"))];
    }
    let word: String =
        operand.chars().take_while(|c| c.is_alphanumeric() || *c == '.' || *c == '-').collect();
    match word.as_str() {
        "true" | "false" => vec![Some(json!(true)), Some(json!(false))],
        _ => match word.parse::<f64>() {
            Ok(number) => [-1.0, 0.0, 1.0].iter().map(|by| Some(json!(number + by))).collect(),
            Err(_) => Vec::new(),
        },
    }
}

/// The path at the start of a text: whether it goes into the context, its steps, its length. A
/// variable is a field of its own name.
fn path_at(text: &str) -> (bool, Vec<Step>, usize) {
    let mut steps = Vec::new();
    let Some(rest) = text.strip_prefix('$') else { return (false, steps, 0) };
    let is_context = rest.starts_with('$');
    let mut at = if is_context { 2 } else { 1 };
    let word = |at: usize| -> String {
        let rest = text.get(at..).unwrap_or_default();
        rest.chars().take_while(|c| c.is_alphanumeric() || "_-".contains(*c)).collect()
    };
    let name = word(at);
    at += name.len();
    if !name.is_empty() {
        steps.push(Step::Field(name));
    }
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if let Some(quoted) = rest.strip_prefix("['").or(rest.strip_prefix("[\"")) {
            let name = quoted.split(['\'', '"']).next().unwrap_or_default();
            steps.push(Step::Field(name.to_owned()));
            at += name.len() + 4;
        } else if rest.starts_with(".[") {
            at += 1;
        } else if rest.starts_with('[') {
            steps.push(Step::Element);
            at += rest.find(']').map_or(rest.len(), |end| end + 1);
        } else if rest.starts_with('.') && !word(at + 1).is_empty() {
            let name = word(at + 1);
            at += 1 + name.len();
            // A function at the end is no field.
            if !text.get(at..).unwrap_or_default().starts_with('(') {
                steps.push(Step::Field(name));
            }
        } else {
            break;
        }
    }
    let at = at.min(text.len());
    if steps.first() == Some(&Step::Field("states".to_owned())) {
        let field = steps.get(1).cloned();
        steps.drain(..2.min(steps.len()));
        return match field {
            Some(Step::Field(name)) if name == "input" || name == "result" => (false, steps, at),
            Some(Step::Field(name)) if name == "context" => data_of_context(steps, at),
            _ => (true, steps, at),
        };
    }
    if is_context {
        return data_of_context(steps, at);
    }
    (false, steps, at)
}

/// A path into the context that leads to data: to the input or to an item.
fn data_of_context(mut steps: Vec<Step>, length: usize) -> (bool, Vec<Step>, usize) {
    for known in [["Execution", "Input"].as_slice(), &["Map", "Item", "Value"]] {
        let fits = steps.iter().zip(known).all(|(step, name)| *step == Step::Field((*name).into()));
        if fits && steps.len() >= known.len() {
            steps.drain(..known.len());
            return (false, steps, length);
        }
    }
    (true, steps, length)
}
