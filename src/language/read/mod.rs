//! The positioned tree to the model, with every check.
//!
//! Reading goes on after a fault, so that all faults are reported at once; the model is handed out
//! only when there was none. Small functions per state type read what they need and report what is
//! wrong; `reachability` looks at each machine as a whole.

mod choice;
mod cleanup;
mod distributed;
mod fields;
mod flow;
mod machine;
mod machine_fields;
mod map;
pub(crate) mod nearest;
mod object;
mod reachability;
mod resource;
mod retry;
mod scope;
mod single;
mod state;
mod task;
mod template;
mod wait;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::diagnostic::{Diagnostic, codes};
use super::json::Json;
use super::model::{
    DEFAULT_CLEANUP_SECONDS, DefinitionHash, QueryLanguage, State, StateName, Workflow,
};
use super::source::{self, Fault, Faults, Format, Node, Place, Span};

use scope::{Assigned, Sees};
pub use single::{check_state, is_state};

/// How large a definition may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes of the text, and of what the aliases of a YAML text stand for.
    pub max_bytes: usize,
    /// Levels of arrays and objects within each other. At most 100 are supported.
    pub max_depth: usize,
    /// States of the whole definition, nested machines included.
    pub max_states: usize,
    /// Bytes of one key.
    pub max_key_bytes: usize,
    /// Diagnostics that are worked out; the rest are counted.
    pub max_diagnostics: usize,
}

impl Options {
    /// The usual limits: 1 MiB, 64 levels, 10,000 states, keys of 1 KiB, 200 diagnostics.
    pub const DEFAULT: Self = Self {
        max_bytes: 1024 * 1024,
        max_depth: 64,
        max_states: 10_000,
        max_key_bytes: 1024,
        max_diagnostics: 200,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a check of a definition found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The workflow; `None` when a diagnostic is an error.
    pub workflow: Option<Workflow>,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Adds what AWS Step Functions would say about the same text; what it refuses makes the
    /// definition invalid too.
    pub fn add_aws(&mut self, text: &str, format: Format, options: &Options) {
        let faults = crate::language::aws::check(text, format, options);
        if !faults.is_empty() {
            self.workflow = None;
        }
        self.diagnostics.extend(faults);
        self.diagnostics.sort_by_key(|found| (found.line, found.column));
    }
}

/// Reads a definition into a workflow that is ready to run. Warnings are dropped; [`check`] keeps
/// them.
///
/// # Errors
/// All faults of the text, errors and warnings, in the order of the text.
pub fn parse(text: &str, format: Format, options: &Options) -> Result<Workflow, Vec<Diagnostic>> {
    let checked = check(text, format, options);
    checked.workflow.ok_or(checked.diagnostics)
}

/// Reads a definition and gives everything that is to be said about it, warnings included.
#[must_use]
pub fn check(text: &str, format: Format, options: &Options) -> Checked {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Deeper trees would be refused by serde_json when the definition is read back from the log.
    let options = &Options { max_depth: options.max_depth.min(100), ..options.clone() };
    let mut faults = Faults::new(text, options.max_diagnostics);
    let tree = source::tree(text, format, options, &mut faults);
    let workflow = tree.and_then(|tree| Reader::new(options, &mut faults).workflow(&tree));
    let workflow = workflow.filter(|_| !faults.any_error());
    Checked { workflow, diagnostics: faults.finish() }
}

/// What is known while a definition is read.
struct Reader<'f, 't> {
    options: &'f Options,
    faults: &'f mut Faults<'t>,
    /// `QueryLanguage` of the definition.
    language: QueryLanguage,
    /// States read so far, each with its place in the order of the text.
    states: Vec<(usize, State)>,
    /// Names of the states met so far, and where they stand.
    names: HashMap<StateName, Span>,
    /// States met so far.
    met: usize,
    /// What `$states` has, where is being read.
    sees: Sees,
    /// Whether the states that are being read are those of a whole execution, and may be undone.
    undoes: bool,
    /// Every variable that a state assigns, in the order of reading.
    assigned: Vec<Assigned>,
    /// Which of them the machines inside the current state assign.
    nested: Vec<Range<usize>>,
}

impl<'f, 't> Reader<'f, 't> {
    fn new(options: &'f Options, faults: &'f mut Faults<'t>) -> Self {
        Self {
            options,
            faults,
            language: QueryLanguage::JsonPath,
            states: Vec::new(),
            names: HashMap::new(),
            met: 0,
            sees: Sees::default(),
            undoes: true,
            assigned: Vec::new(),
            nested: Vec::new(),
        }
    }

    fn workflow(&mut self, tree: &Node) -> Option<Workflow> {
        let outermost = self.outermost(tree)?;
        self.states.sort_by_key(|(order, _)| *order);
        let states = std::mem::take(&mut self.states).into_iter();
        let source = self.canonical(tree)?;
        Some(Workflow {
            hash: DefinitionHash(Sha256::digest(source.as_str()).into()),
            source,
            comment: outermost.comment,
            title: outermost.title,
            timeout_seconds: outermost.timeout_seconds,
            concurrency: outermost.concurrency,
            labels: outermost.labels,
            job_type_words: outermost.job_types,
            on_cancel: outermost.on_cancel,
            cleanup_timeout_seconds: outermost
                .cleanup_timeout_seconds
                .unwrap_or(DEFAULT_CLEANUP_SECONDS),
            summary: outermost.summary,
            root: outermost.machine,
            states: states.map(|(_, state)| (Arc::clone(&state.name), state)).collect(),
        })
    }

    /// The canonical text. It obeys the same limit as the author's, because it is what is read
    /// after a restart; aliases and control characters can make it longer.
    fn canonical(&mut self, tree: &Node) -> Option<Json> {
        let source = Json::from_value(&tree.to_value());
        if source.len_bytes() <= self.options.max_bytes {
            return Some(source);
        }
        let message = format!(
            "as compact JSON the definition has {} bytes; at most {} are allowed",
            source.len_bytes(),
            self.options.max_bytes
        );
        let span = Span::new(tree.span.start, tree.span.start + 1);
        let fault = Fault::new(codes::LIMIT, span, message)
            .hint("move large data out of the definition, into the execution's input");
        self.faults.report(&Place::root(), fault);
        None
    }
}
