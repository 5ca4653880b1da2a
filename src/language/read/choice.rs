//! Choice states.

use std::sync::Arc;

use super::Reader;
use super::object::{At, Object};
use super::reachability::Ways;
use crate::language::choice::{COMPARATORS, Condition};
use crate::language::diagnostic::codes;
use crate::language::expression::{Expression, Template};
use crate::language::model::{Choice, ChoiceRule, QueryLanguage};
use crate::language::source::{Content, Fault};

/// Fields of a rule besides those of its condition.
const RULE: &[&str] = &["Assign", "Comment", "Next", "Output"];
/// Fields that combine other conditions.
const COMBINING: &[&str] = &["And", "Or", "Not"];

impl Reader<'_, '_> {
    /// `assign` is that of the state itself: what it assigns when no rule holds.
    pub(super) fn choice(
        &mut self,
        object: &Object<'_>,
        ways: &mut Ways<'_>,
        assign: &[(Arc<str>, Template)],
    ) -> Option<Choice> {
        let default_at = object.get("Default");
        let default = default_at.and_then(|at| self.target(&at, ways, assign));
        if default_at.is_none() {
            let message = format!("{} has no `Default`", quoted_place(object));
            let fault = Fault::new(codes::NO_DEFAULT, object.span, message)
                .hint("when no rule holds, the state fails with `States.Runtime`");
            self.faults.report(&object.place, fault);
        }
        let at = self.required(object, "Choices");
        let Some((at, nodes)) = at.and_then(|at| Some((at, self.filled_array(&at)?))) else {
            ways.break_off();
            return None;
        };
        let mut rules = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            match self.rule(&at.entry(index, node), ways) {
                Some(rule) => rules.push(rule),
                None => ways.break_off(),
            }
        }
        Some(Choice { rules, default })
    }

    fn rule(&mut self, at: &At<'_>, ways: &mut Ways<'_>) -> Option<ChoiceRule> {
        let object = &self.object(at)?;
        self.check_rule_fields(object, true);
        let comment = self.text_field(object, "Comment").map(Arc::from);
        let assign = self.assign(object);
        let next = self.required(object, "Next").and_then(|at| self.target(&at, ways, &assign));
        let (condition, output) = match object.language {
            QueryLanguage::JsonPath => (self.condition(object), None),
            QueryLanguage::Jsonata => {
                (self.jsonata_condition(object), self.payload(object, "Output"))
            }
        };
        Some(ChoiceRule { condition: condition?, next: next?, output, assign, comment })
    }

    fn check_rule_fields(&mut self, object: &Object<'_>, outermost: bool) {
        for at in object.fields() {
            let name = at.key();
            let of_path =
                name == "Variable" || COMBINING.contains(&name) || COMPARATORS.contains(&name);
            if of_path && at.language == QueryLanguage::Jsonata {
                self.wrong_language(&at, QueryLanguage::JsonPath);
            } else if matches!(name, "Condition" | "Output")
                && at.language == QueryLanguage::JsonPath
            {
                self.wrong_language(&at, QueryLanguage::Jsonata);
            } else if RULE.contains(&name) && name != "Comment" && !outermost {
                let message = format!("`{name}` is not allowed inside `And`, `Or` or `Not`");
                self.not_allowed(&at, message, "it belongs to the rule as a whole");
            } else if !(of_path || RULE.contains(&name) || name == "Condition") {
                let known = match at.language {
                    QueryLanguage::JsonPath => [COMPARATORS, COMBINING, &["Variable"], RULE],
                    QueryLanguage::Jsonata => [RULE, &["Condition"], &[], &[]],
                };
                self.unknown(&at, known.into_iter().flatten().copied());
            }
        }
    }

    /// `And`, `Or`, `Not`, or `Variable` with one comparison.
    fn condition(&mut self, object: &Object<'_>) -> Option<Condition> {
        let is_test =
            |at: &At<'_>| COMBINING.contains(&at.key()) || COMPARATORS.contains(&at.key());
        let mut tests = object.fields().filter(is_test);
        let Some(first) = tests.next() else {
            let hint = "for example `\"Variable\": \"$.size\", \"NumericGreaterThan\": 10`";
            self.missing(object, "comparison", Some(hint));
            return None;
        };
        let others: Vec<At<'_>> = tests.collect();
        for other in &others {
            self.exclude(other, first.key());
        }
        if !others.is_empty() {
            return None;
        }
        if COMBINING.contains(&first.key()) {
            if let Some(at) = object.get("Variable") {
                self.exclude(&at, first.key());
            }
            return self.combined(&first);
        }
        let variable = self.required(object, "Variable").and_then(|at| self.path(&at))?;
        match Condition::test(first.key(), variable, &first.node.to_value()) {
            Ok(condition) => Some(condition),
            Err(fault) => {
                self.bad_expression(&first, "", fault);
                None
            }
        }
    }

    fn combined(&mut self, at: &At<'_>) -> Option<Condition> {
        if at.key() == "Not" {
            return self.nested(at).map(|inner| Condition::Not(Box::new(inner)));
        }
        let nodes = self.filled_array(at)?;
        let mut all = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            all.extend(self.nested(&at.entry(index, node)));
        }
        Some(if at.key() == "And" { Condition::And(all) } else { Condition::Or(all) })
    }

    fn nested(&mut self, at: &At<'_>) -> Option<Condition> {
        let object = self.object(at)?;
        self.check_rule_fields(&object, false);
        self.condition(&object)
    }

    fn jsonata_condition(&mut self, object: &Object<'_>) -> Option<Condition> {
        let at = self.required(object, "Condition")?;
        let expression = match at.node.content {
            Content::Bool(fixed) => match Expression::jsonata(&format!("{{% {fixed} %}}")) {
                Ok(expression) => Some(expression),
                Err(fault) => {
                    self.bad_expression(&at, "", fault);
                    None
                }
            },
            _ if at.is_jsonata() => self.jsonata(&at),
            _ => {
                self.wrong_type(&at, "a JSONata expression, `{% … %}`, or a boolean");
                None
            }
        };
        expression.map(Condition::Jsonata)
    }
}

fn quoted_place(object: &Object<'_>) -> String {
    crate::language::diagnostic::quoted(object.place.nearest_key().unwrap_or_default())
}
