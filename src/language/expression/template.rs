//! JSON trees with expressions in them.

use serde_json::{Map, Value};

use super::Expression;
use super::jsonata::strip_marks;
use super::scope::{EvaluationError, EvaluationErrorKind, ExpressionFault, Scope, TemplateFault};
use super::session::{MAX_RESULT_DEPTH, Session, depth_of, too_deep};
use crate::language::source::escaped;

/// How deep a template may nest.
const MAX_DEPTH: usize = 100;

/// A JSON tree with expressions in some of its places.
#[derive(Debug, Clone)]
pub enum Template {
    /// No expression below here.
    Literal(Value),
    /// An expression's value.
    Expression(Expression),
    /// An object, in order; JSONPath keys have lost their `.$`.
    Object(Vec<(String, Template)>),
    /// An array.
    Array(Vec<Template>),
}

impl Template {
    /// Reads a payload template: a key that ends in `.$` holds a path or an intrinsic function.
    ///
    /// # Errors
    /// All faults, each with its place.
    pub fn json_path(value: &Value) -> Result<Self, Vec<TemplateFault>> {
        Reader::read(Dialect::JsonPath, value)
    }

    /// Reads a JSONata template: a text that starts with `{%` and ends with `%}` is an expression.
    /// Keys are always plain text.
    ///
    /// # Errors
    /// All faults, each with its place.
    pub fn jsonata(value: &Value) -> Result<Self, Vec<TemplateFault>> {
        Reader::read(Dialect::Jsonata, value)
    }

    /// The same, with the place in its state where it stands: errors name it.
    #[must_use]
    pub fn in_field(self, field: &str) -> Self {
        match self {
            Self::Literal(value) => Self::Literal(value),
            Self::Expression(expression) => Self::Expression(expression.in_field(field)),
            Self::Object(fields) => {
                let below = |(name, part): (String, Self)| {
                    let mark = match &part {
                        Self::Expression(expression) if !expression.is_jsonata() => ".$",
                        _ => "",
                    };
                    let part = part.in_field(&format!("{field}/{name}{mark}"));
                    (name, part)
                };
                Self::Object(fields.into_iter().map(below).collect())
            }
            Self::Array(items) => {
                let items = items.into_iter().enumerate();
                Self::Array(
                    items.map(|(i, part)| part.in_field(&format!("{field}[{i}]"))).collect(),
                )
            }
        }
    }

    /// Evaluates it into a JSON tree. Random values differ from one place to the next.
    ///
    /// # Errors
    /// The first failure.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        let value = self.evaluate_in(&Session::new(*scope))?;
        match self {
            // Seen by the expression itself, or as deep as the definition.
            Self::Literal(_) | Self::Expression(_) => Ok(value),
            Self::Object(_) | Self::Array(_) if depth_of(&value) <= MAX_RESULT_DEPTH => Ok(value),
            Self::Object(_) | Self::Array(_) => Err(too_deep(EvaluationErrorKind::Path)),
        }
    }

    fn evaluate_in(&self, session: &Session<'_>) -> Result<Value, EvaluationError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expression(expression) => expression.evaluate_in(session),
            Self::Array(items) => items.iter().map(|item| item.evaluate_in(session)).collect(),
            Self::Object(fields) => {
                let mut object = Map::with_capacity(fields.len());
                for (name, template) in fields {
                    object.insert(name.clone(), template.evaluate_in(session)?);
                }
                Ok(Value::Object(object))
            }
        }
    }

    /// Shows every expression with its place, a JSON pointer from the root. In a payload template of
    /// JSONPath, the pointer lacks the `.$` of the key.
    pub(in crate::language) fn visit<'t>(&'t self, see: &mut impl FnMut(&str, &'t Expression)) {
        self.visit_below(&mut String::new(), see);
    }

    fn visit_below<'t>(&'t self, at: &mut String, see: &mut impl FnMut(&str, &'t Expression)) {
        let length = at.len();
        let mut below = |part: &'t Self, step: &str| {
            at.push('/');
            at.push_str(step);
            part.visit_below(at, see);
            at.truncate(length);
        };
        match self {
            Self::Literal(_) => {}
            Self::Expression(expression) => see(at, expression),
            Self::Object(fields) => {
                fields.iter().for_each(|(name, part)| below(part, &escaped(name)));
            }
            Self::Array(items) => {
                items.iter().enumerate().for_each(|(at, part)| below(part, &at.to_string()));
            }
        }
    }

    /// Whether its value can depend on the context object.
    #[must_use]
    pub fn references_context(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Expression(expression) => expression.references_context(),
            Self::Object(fields) => fields.iter().any(|(_, field)| field.references_context()),
            Self::Array(items) => items.iter().any(Self::references_context),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    JsonPath,
    Jsonata,
}

/// Reads a template and gathers faults on the way.
struct Reader {
    dialect: Dialect,
    pointer: Vec<String>,
    faults: Vec<TemplateFault>,
}

impl Reader {
    fn read(dialect: Dialect, value: &Value) -> Result<Template, Vec<TemplateFault>> {
        let mut reader = Self { dialect, pointer: Vec::new(), faults: Vec::new() };
        let template = reader.template(value);
        if reader.faults.is_empty() { Ok(template) } else { Err(reader.faults) }
    }

    fn template(&mut self, value: &Value) -> Template {
        if self.pointer.len() > MAX_DEPTH {
            self.fault(ExpressionFault {
                message: format!("the template is nested deeper than {MAX_DEPTH} levels"),
                offset: None,
            });
            return Template::Literal(Value::Null);
        }
        match value {
            Value::String(text) if self.dialect == Dialect::Jsonata => {
                if strip_marks(text).is_none() {
                    return Template::Literal(value.clone());
                }
                self.expression(Expression::jsonata(text))
            }
            Value::Array(items) => self.array(items, value),
            Value::Object(fields) => self.object(fields, value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Template::Literal(value.clone())
            }
        }
    }

    fn array(&mut self, items: &[Value], whole: &Value) -> Template {
        let mut parts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            parts.push(self.below(index.to_string(), |reader| reader.template(item)));
        }
        if parts.iter().all(|part| matches!(part, Template::Literal(_))) {
            return Template::Literal(whole.clone());
        }
        Template::Array(parts)
    }

    fn object(&mut self, fields: &Map<String, Value>, whole: &Value) -> Template {
        let mut parts = Vec::with_capacity(fields.len());
        for (key, value) in fields {
            let part = self.below(escaped(key), |reader| reader.field(key, value, fields));
            parts.push(part);
        }
        if parts.iter().all(|(_, part)| matches!(part, Template::Literal(_))) {
            return Template::Literal(whole.clone());
        }
        Template::Object(parts)
    }

    fn field(&mut self, key: &str, value: &Value, all: &Map<String, Value>) -> (String, Template) {
        let name = key.strip_suffix(".$").filter(|_| self.dialect == Dialect::JsonPath);
        let Some(name) = name else { return (key.to_owned(), self.template(value)) };
        if all.contains_key(name) {
            self.fault(ExpressionFault {
                message: format!("the fields '{name}' and '{key}' would both be '{name}'"),
                offset: None,
            });
        }
        let expression = match value {
            Value::String(text) => Expression::path_or_intrinsic(text),
            _ => Err(ExpressionFault {
                message: format!("the value of '{key}' must be a text: a path or a function"),
                offset: None,
            }),
        };
        (name.to_owned(), self.expression(expression))
    }

    fn expression(&mut self, parsed: Result<Expression, ExpressionFault>) -> Template {
        match parsed {
            Ok(expression) => Template::Expression(expression),
            Err(fault) => {
                self.fault(fault);
                Template::Literal(Value::Null)
            }
        }
    }

    fn below<T>(&mut self, step: String, read: impl FnOnce(&mut Self) -> T) -> T {
        self.pointer.push(step);
        let result = read(self);
        self.pointer.pop();
        result
    }

    fn fault(&mut self, fault: ExpressionFault) {
        let pointer = self.pointer.iter().fold(String::new(), |mut pointer, step| {
            pointer.push('/');
            pointer.push_str(step);
            pointer
        });
        self.faults.push(TemplateFault { pointer, fault });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluate(template: &Template) -> Result<Value, EvaluationError> {
        let (input, context) = (json!({"x": 1, "list": [1, 2]}), json!({"Id": "c"}));
        let mut variables = Map::new();
        variables.insert("v".to_owned(), json!("var"));
        template.evaluate(&Scope {
            input: &input,
            context: &context,
            variables: &variables,
            result: None,
            error_output: None,
            now_ms: 0,
            seed: 5,
        })
    }

    #[test]
    fn payload_templates_replace_marked_fields() {
        let template = json!({
            "a.$": "$.x",
            "b": {"c.$": "$$.Id", "d": [1, {"e.$": "States.Format('{}!', $v)"}, "$.x"]},
            "plain": "$.x",
            "f.$": "$"
        });
        let template = Template::json_path(&template).unwrap();
        let expected = json!({
            "a": 1,
            "b": {"c": "c", "d": [1, {"e": "var!"}, "$.x"]},
            "plain": "$.x",
            "f": {"x": 1, "list": [1, 2]}
        });
        assert_eq!(evaluate(&template).unwrap(), expected);
        assert!(template.references_context());
    }

    #[test]
    fn jsonata_templates_replace_marked_texts() {
        let template = json!({
            "a": "{% $states.input.x + 1 %}",
            "b": ["{%$v%}", "{% open", "plain", {"c": "{% $count($states.input.list) %}"}],
            "{% $v %}": 1,
            "k.$": "$.x"
        });
        let template = Template::jsonata(&template).unwrap();
        let expected = json!({
            "a": 2,
            "b": ["var", "{% open", "plain", {"c": 2}],
            "{% $v %}": 1,
            "k.$": "$.x"
        });
        assert_eq!(evaluate(&template).unwrap(), expected);
    }

    #[test]
    fn a_template_without_expressions_is_a_literal() {
        for value in [json!({"a": [1, {"b": "$.x"}]}), json!([]), json!("{% x"), json!(null)] {
            for read in [Template::json_path, Template::jsonata] {
                let Template::Literal(literal) = read(&value).unwrap() else { panic!("{value}") };
                assert_eq!(literal, value);
            }
        }
    }

    #[test]
    fn every_fault_has_its_place() {
        let template = json!({
            "ok.$": "$.x",
            "a": [0, {"b.$": "$."}],
            "c/d~e": {"f.$": 1},
            "g": 1,
            "g.$": "$.x",
            "h.$": "plain"
        });
        let faults = Template::json_path(&template).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a/1/b.$", "/c~1d~0e/f.$", "/g.$", "/h.$"]);
        assert_eq!(faults[0].fault.offset, Some(2));
        let faults = Template::jsonata(&json!({"a": ["{% 1 + %}"], "b": "{% ( %}"})).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a/0", "/b"]);
    }

    #[test]
    fn a_template_that_is_too_deep_is_refused() {
        let deep = |depth| (0..depth).fold(json!({"a.$": "$.x"}), |value, _| json!([value]));
        assert!(Template::json_path(&deep(50)).is_ok());
        assert!(Template::json_path(&deep(200)).is_err());
        assert!(Template::jsonata(&deep(200)).is_err());
    }

    #[test]
    fn a_result_that_is_too_deep_is_refused() {
        let path = json!({"a.$": "$.deep"});
        let nested = (0..15).fold(path.clone(), |value, _| json!([value]));
        let deep = (0..110).fold(json!(1), |value, _| json!([value]));
        let (input, object) = (json!({"deep": deep}), Map::new());
        let scope = Scope {
            input: &input,
            context: &Value::Null,
            variables: &object,
            result: None,
            error_output: None,
            now_ms: 0,
            seed: 0,
        };
        assert!(Template::json_path(&path).unwrap().evaluate(&scope).is_ok());
        assert!(Template::json_path(&nested).unwrap().evaluate(&scope).is_err());
    }

    #[test]
    fn two_places_get_two_random_values() {
        let template = json!({"a.$": "States.UUID()", "b.$": "States.UUID()"});
        let template = Template::json_path(&template).unwrap();
        let value = evaluate(&template).unwrap();
        assert_ne!(value["a"], value["b"]);
        assert_eq!(value, evaluate(&template).unwrap());
    }

    #[test]
    fn the_first_failure_ends_the_evaluation() {
        let template = Template::json_path(&json!({"a.$": "$.absent"})).unwrap();
        assert!(evaluate(&template).unwrap_err().cause.contains("$.absent"));
    }
}
