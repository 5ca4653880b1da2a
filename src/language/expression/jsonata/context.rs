//! What is written into the syntax tree of an expression before it is evaluated.
//!
//! Calls may leave out what they work on: `names.$pad(10)` is `names.$pad($, 10)`. The library knows
//! that of its own functions, but not of those that stand in for them here, so the missing argument
//! is written down. And what joins texts goes through functions that bound their size.

use jsonata_core::ast::{AstNode, BinaryOp, Stage};

use super::growth;

/// Writes the missing arguments and the bounds.
pub(super) fn complete(root: &mut AstNode) {
    let mut own = Vec::new();
    for_each(root, |node, _| own.extend(defines(node)));
    for_each(root, |node, place| {
        if let AstNode::Function { name, args, .. } = node
            && place == Place::Own
            && !own.contains(name)
            && lacks_first(name, args)
        {
            args.insert(0, AstNode::Variable(String::new()));
        }
        bound(node, &own);
    });
}

/// Puts bounds around what joins texts.
fn bound(node: &mut AstNode, own: &[String]) {
    match node {
        AstNode::Binary { op: BinaryOp::Concatenate, lhs, rhs } => {
            guard(lhs);
            guard(rhs);
        }
        AstNode::Function { name, args, .. } if name == "string" && !own.contains(name) => {
            args.iter_mut().take(1).for_each(guard);
        }
        AstNode::Function { name, .. } if name == "join" && !own.contains(name) => {
            growth::JOIN.clone_into(name);
        }
        _ => {}
    }
}

/// Lets a value go through the function that bounds it, if it is none that is written down.
fn guard(node: &mut AstNode) {
    let is_short = matches!(
        node,
        AstNode::String(_) | AstNode::Number(_) | AstNode::Boolean(_) | AstNode::Null
    );
    if !is_short {
        let args = vec![std::mem::replace(node, AstNode::Null)];
        *node = AstNode::Function { name: growth::GUARD.to_owned(), args, is_builtin: true };
    }
}

/// Whether a call of a function that stands in for JSONata's own lacks its first argument. `$pad`
/// with two is seen to when the second is a text.
fn lacks_first(name: &str, args: &[AstNode]) -> bool {
    match name {
        "encodeUrl" | "encodeUrlComponent" | "toMillis" => args.is_empty(),
        "pad" => matches!(args, [_] | [_, AstNode::String(_)]),
        _ => false,
    }
}

/// The names that a node defines itself; they may be those of functions.
fn defines(node: &AstNode) -> Vec<String> {
    match node {
        AstNode::Binary { op: BinaryOp::ColonEqual, lhs, .. } => match &**lhs {
            AstNode::Variable(name) => vec![name.clone()],
            _ => Vec::new(),
        },
        AstNode::Lambda { params, .. } => params.clone(),
        _ => Vec::new(),
    }
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Own,
    /// Right of `~>`, which gives a call its first argument.
    Piped,
}

/// Visits every node. Nodes wait on a list, not on the stack, for the parser allows a depth of 1000.
fn for_each(root: &mut AstNode, mut visit: impl FnMut(&mut AstNode, Place)) {
    let mut open = vec![(root, Place::Own)];
    let mut inner = Vec::new();
    while let Some((node, place)) = open.pop() {
        visit(node, place);
        if let AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } = node {
            open.extend([(&mut **lhs, Place::Own), (&mut **rhs, Place::Piped)]);
            continue;
        }
        children(node, &mut inner);
        open.extend(inner.drain(..).map(|node| (node, Place::Own)));
    }
}

fn children<'n>(node: &'n mut AstNode, open: &mut Vec<&'n mut AstNode>) {
    match node {
        AstNode::Path { steps } => {
            for step in steps {
                open.push(&mut step.node);
                open.extend(step.stages.iter_mut().filter_map(|stage| match stage {
                    Stage::Filter(filter) => Some(&mut **filter),
                    Stage::KeepArray | Stage::Index(_) => None,
                }));
            }
        }
        AstNode::Binary { lhs, rhs, .. } => open.extend([&mut **lhs, &mut **rhs]),
        AstNode::Unary { operand, .. } => open.push(operand),
        AstNode::Function { args, .. } => open.extend(args),
        AstNode::Call { procedure, args } => {
            open.push(procedure);
            open.extend(args);
        }
        AstNode::Lambda { body, .. } => open.push(body),
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
            open.extend(items);
        }
        AstNode::Object(pairs) => open.extend(pairs.iter_mut().flat_map(|(k, v)| [k, v])),
        AstNode::ObjectTransform { input, pattern } => {
            open.push(input);
            open.extend(pattern.iter_mut().flat_map(|(k, v)| [k, v]));
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            open.extend([&mut **condition, &mut **then_branch]);
            open.extend(else_branch.as_deref_mut());
        }
        AstNode::FunctionApplication(inner) => open.push(inner),
        AstNode::Sort { input, terms } => {
            open.push(input);
            open.extend(terms.iter_mut().map(|(term, _)| term));
        }
        AstNode::Transform { location, update, delete } => {
            open.extend([&mut **location, &mut **update]);
            open.extend(delete.as_deref_mut());
        }
        _ => {}
    }
}
