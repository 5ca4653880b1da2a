//! Expressions and templates in fields.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::Reader;
use super::object::{At, Object, looks_like_jsonata};
use crate::language::diagnostic::codes;
use crate::language::expression::{Expression, ExpressionFault, Template};
use crate::language::model::QueryLanguage;
use crate::language::source::{Content, Fault, Node, Place};

/// The longest name of a variable, in characters.
const LONGEST_VARIABLE: usize = 80;

impl Reader<'_, '_> {
    /// A path.
    pub(super) fn path(&mut self, at: &At<'_>) -> Option<Expression> {
        self.expression(at, Expression::path)
    }

    /// A path or a call of an intrinsic function.
    pub(super) fn path_or_intrinsic(&mut self, at: &At<'_>) -> Option<Expression> {
        self.expression(at, Expression::path_or_intrinsic)
    }

    /// A JSONata expression with its `{% %}`.
    pub(super) fn jsonata(&mut self, at: &At<'_>) -> Option<Expression> {
        self.expression(at, Expression::jsonata)
    }

    fn expression(
        &mut self,
        at: &At<'_>,
        read: fn(&str) -> Result<Expression, ExpressionFault>,
    ) -> Option<Expression> {
        match read(self.text(at)?) {
            Ok(expression) => {
                self.check_fields_of(at, "", &expression);
                Some(expression.in_field(&at.place.field()))
            }
            Err(fault) => {
                self.bad_expression(at, "", fault);
                None
            }
        }
    }

    /// A value with expressions in it, in the query language of the state.
    pub(super) fn template(&mut self, at: &At<'_>) -> Option<Template> {
        self.report_lookalikes(at.language, &at.place, at.node);
        let value = at.node.to_value();
        let read = match at.language {
            QueryLanguage::JsonPath => Template::json_path(&value),
            QueryLanguage::Jsonata => Template::jsonata(&value),
        };
        match read {
            Ok(template) => {
                self.check_states_fields(at, &template);
                Some(template.in_field(&at.place.field()))
            }
            Err(faults) => {
                for fault in faults {
                    self.bad_expression(at, &fault.pointer, fault.fault);
                }
                None
            }
        }
    }

    /// An optional payload template: in JSONPath an object or array, in JSONata anything.
    pub(super) fn payload(&mut self, object: &Object<'_>, name: &str) -> Option<Template> {
        let at = object.get(name)?;
        let holds_fields = matches!(at.node.content, Content::Object(_) | Content::Array(_));
        if at.language == QueryLanguage::JsonPath && !holds_fields {
            self.wrong_type(&at, "an object whose `….$` fields hold paths");
            return None;
        }
        self.template(&at)
    }

    /// `Assign`: variables and their values.
    pub(super) fn assign(&mut self, object: &Object<'_>) -> Vec<(Arc<str>, Template)> {
        let Some(at) = object.get("Assign") else { return Vec::new() };
        let Some(assign) = self.object(&at) else { return Vec::new() };
        let keys: HashSet<&str> = assign.fields().map(|at| at.key()).collect();
        let mut variables: Vec<(Arc<str>, Template)> = Vec::new();
        for at in assign.fields() {
            let key = at.key();
            let computed = match at.language {
                QueryLanguage::JsonPath => key.strip_suffix(".$"),
                QueryLanguage::Jsonata => None,
            };
            let name = computed.unwrap_or(key);
            self.check_variable(&at, name);
            self.note_assigned(&at, name);
            if computed.is_some() && keys.contains(name) {
                self.exclude(&at, name);
            }
            let value = match computed {
                Some(_) => self.path_or_intrinsic(&at).map(Template::Expression),
                None => self.template(&at),
            };
            variables.extend(value.map(|value| (Arc::from(name), value)));
        }
        variables
    }

    fn check_variable(&mut self, at: &At<'_>, name: &str) {
        // An identifier as Unicode Annex 31 has it, as AWS demands.
        let starts = name.chars().next().is_some_and(char::is_alphabetic);
        let fits = starts && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let message = if name == "states" {
            "`states` is reserved: `$states` holds a state's input, result and context".to_owned()
        } else if !fits {
            format!("{} is no name for a variable", at.label())
        } else if name.chars().nth(LONGEST_VARIABLE).is_some() {
            format!("the name of a variable is longer than {LONGEST_VARIABLE} characters")
        } else {
            return;
        };
        let fault = Fault::new(codes::NAME, at.key_span, message)
            .hint("use letters, digits and `_`, and start with a letter");
        self.faults.report(&at.place, fault);
    }

    /// A literal text, or its computed form: `name`, or in JSONPath `name` with `Path` after it.
    pub(super) fn text_or_path(&mut self, object: &Object<'_>, name: &str) -> Option<Template> {
        let path_name = format!("{name}Path");
        let path = object.get(&path_name).filter(|at| at.language == QueryLanguage::JsonPath);
        match (object.get(name), path) {
            (Some(_), Some(path)) => {
                self.exclude(&path, name);
                None
            }
            (Some(at), None) if at.is_jsonata() => self.jsonata(&at).map(Template::Expression),
            (Some(at), None) => {
                let text = self.text(&at)?;
                self.report_lookalikes(at.language, &at.place, at.node);
                Some(Template::Literal(Value::String(text.to_owned())))
            }
            (None, Some(at)) => self.path_or_intrinsic(&at).map(Template::Expression),
            (None, None) => None,
        }
    }

    /// Reports what looks like an expression, but is a plain value in this query language. AWS
    /// refuses a JSONata text that has only one of the two marks.
    fn report_lookalikes(&mut self, language: QueryLanguage, place: &Place<'_>, node: &Node) {
        match &node.content {
            Content::Text(text)
                if language == QueryLanguage::JsonPath && looks_like_jsonata(text) =>
            {
                let message = "this text looks like JSONata, but the state is written in JSONPath";
                let fault = Fault::new(codes::LANGUAGE_MIX, node.span, message)
                    .hint("set `QueryLanguage` to `JSONata` on the state or the definition");
                self.faults.report(place, fault);
            }
            Content::Text(text)
                if language == QueryLanguage::Jsonata
                    && text.starts_with("{%") != text.ends_with("%}") =>
            {
                let message =
                    "this text has only one of the marks `{%` and `%}`, so it is no expression";
                let fault = Fault::new(codes::EXPRESSION, node.span, message)
                    .hint("write an expression as `{% … %}`, with nothing around it");
                self.faults.report(place, fault);
            }
            Content::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.report_lookalikes(language, &place.index(index), item);
                }
            }
            Content::Object(members) => {
                for member in members {
                    let place = place.key(&member.key);
                    if language == QueryLanguage::Jsonata && member.key.ends_with(".$") {
                        let message = "`.$` marks a path in JSONPath; in JSONata it is only a name";
                        let fault = Fault::new(codes::LANGUAGE_MIX, member.key_span, message)
                            .hint("drop the `.$` and write `{% … %}` as the value");
                        self.faults.report(&place, fault);
                    }
                    self.report_lookalikes(language, &place, &member.node);
                }
            }
            _ => {}
        }
    }
}
