//! What a parsed expression uses, and what AWS refuses in one.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use super::super::scope::ExpressionFault;

/// What an expression uses of its surroundings; only that is converted for it.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Variables by name, with those that the expression defines itself.
    pub(super) variables: BTreeSet<String>,
    /// Fields of `$states`.
    states: BTreeSet<String>,
    /// `$states` stands alone: all of its fields may be used.
    whole_states: bool,
    /// An operator that came after version 2.0.6 of JSONata.
    pub(super) newer_operator: Option<&'static str>,
}

impl Uses {
    /// The fields of `$states` that are named after it, as `$states.input` does.
    pub(super) fn states_fields(&self) -> impl Iterator<Item = &str> {
        self.states.iter().map(String::as_str)
    }

    /// Whether a field of `$states` may be used.
    pub(super) fn state(&self, field: &str) -> bool {
        self.whole_states || self.states.contains(field)
    }
}

/// What a whole expression stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Top {
    /// Nothing: the expression of a definition.
    Nothing,
    /// Data: what JSONata itself has in mind.
    #[cfg(any(test, feature = "testing"))]
    Data,
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `$` and names without a `$` would mean the input of the whole expression: there is none.
    Top,
    /// Inside a step, a filter or a function, where they mean something.
    Inner,
}

/// Goes through a parsed expression. Nodes wait on a list, not on the stack, for the parser allows
/// a depth of 1000.
pub(super) fn check(root: &AstNode, top: Top) -> Result<Uses, ExpressionFault> {
    let mut uses = Uses::default();
    let start = match top {
        Top::Nothing => Place::Top,
        #[cfg(any(test, feature = "testing"))]
        Top::Data => Place::Inner,
    };
    let mut open = vec![(root, start)];
    while let Some((node, place)) = open.pop() {
        if let AstNode::Binary { op, .. } = node {
            uses.newer_operator = uses.newer_operator.or(match op {
                BinaryOp::Coalesce => Some("??"),
                BinaryOp::Default => Some("?:"),
                _ => None,
            });
        }
        match node {
            AstNode::Variable(name) | AstNode::ParentVariable(name) if name.is_empty() => {
                if place == Place::Top {
                    return Err(refused("'$' and '$$' have no value at the top level"));
                }
            }
            AstNode::Variable(name) | AstNode::ParentVariable(name) => uses.add(name)?,
            AstNode::Name(name) if place == Place::Top => {
                return Err(refused(&format!(
                    "the name '{name}' has no value at the top level; use $states.input.{name} or \
                     a variable"
                )));
            }
            AstNode::Wildcard | AstNode::Descendant | AstNode::Parent(_) if place == Place::Top => {
                return Err(refused("'*', '**' and '%' have no value at the top level"));
            }
            AstNode::Function { name, args, .. } => {
                uses.add(name)?;
                open.extend(args.iter().map(|arg| (arg, place)));
            }
            AstNode::Path { steps } => uses.path(steps, place, &mut open),
            other => children(other, place, &mut open),
        }
    }
    Ok(uses)
}

impl Uses {
    fn add(&mut self, name: &str) -> Result<(), ExpressionFault> {
        if name == "eval" {
            return Err(refused("the function $eval is not available"));
        }
        if name == "states" {
            self.whole_states = true;
        }
        self.variables.insert(name.to_owned());
        Ok(())
    }

    fn path<'n>(
        &mut self,
        steps: &'n [PathStep],
        place: Place,
        open: &mut Vec<(&'n AstNode, Place)>,
    ) {
        for step in steps {
            open.extend(step.stages.iter().filter_map(|stage| match stage {
                Stage::Filter(filter) => Some((&**filter, Place::Inner)),
                Stage::KeepArray | Stage::Index(_) => None,
            }));
        }
        let mut rest = steps;
        // `$states.input` needs the input alone.
        if let [first, second, later @ ..] = steps
            && let AstNode::Variable(states) = &first.node
            && states == "states"
            && first.stages.is_empty()
            && let AstNode::Name(field) = &second.node
        {
            self.states.insert(field.clone());
            rest = later;
        } else if let [first, later @ ..] = steps {
            open.push((&first.node, place));
            rest = later;
        }
        open.extend(rest.iter().map(|step| (&step.node, Place::Inner)));
    }
}

/// Adds the parts of a node that are no path, name, variable or call by name.
fn children<'n>(node: &'n AstNode, place: Place, open: &mut Vec<(&'n AstNode, Place)>) {
    match node {
        AstNode::Binary { lhs, rhs, .. } => {
            open.push((lhs, place));
            open.push((rhs, place));
        }
        AstNode::Unary { operand, .. } => open.push((operand, place)),
        AstNode::Call { procedure, args } => {
            open.push((procedure, place));
            open.extend(args.iter().map(|arg| (arg, place)));
        }
        AstNode::Lambda { body, .. } => open.push((body, Place::Inner)),
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
            open.extend(items.iter().map(|item| (item, place)));
        }
        AstNode::Object(pairs) => {
            open.extend(pairs.iter().flat_map(|(key, value)| [(key, place), (value, place)]));
        }
        AstNode::ObjectTransform { input, pattern } => {
            open.push((input, place));
            for (key, value) in pattern {
                open.push((key, Place::Inner));
                open.push((value, Place::Inner));
            }
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            open.push((condition, place));
            open.push((then_branch, place));
            open.extend(else_branch.iter().map(|branch| (&**branch, place)));
        }
        AstNode::FunctionApplication(inner) => open.push((inner, Place::Inner)),
        AstNode::Sort { input, terms } => {
            open.push((input, place));
            open.extend(terms.iter().map(|(term, _)| (term, Place::Inner)));
        }
        AstNode::Transform { location, update, delete } => {
            open.push((location, Place::Inner));
            open.push((update, Place::Inner));
            open.extend(delete.iter().map(|delete| (&**delete, Place::Inner)));
        }
        _ => {}
    }
}

fn refused(message: &str) -> ExpressionFault {
    ExpressionFault { message: message.to_owned(), offset: None }
}
