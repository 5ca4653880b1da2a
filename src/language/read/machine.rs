//! Machines: the outermost one, branches and processors.

use super::Reader;
use super::object::{At, MOST, Object};
use super::reachability::Ways;
use crate::language::diagnostic::codes;
use crate::language::expression::Template;
use crate::language::machine_fields::{Concurrency, JobTypes, Labels};
use crate::language::model::{Machine, QueryLanguage, StateName};
use crate::language::source::{Fault, Node, Place, Span};

/// Fields of the outermost machine.
const OUTERMOST: &[&str] = &[
    "CleanupTimeoutSeconds",
    "Comment",
    "Concurrency",
    "JobTypes",
    "Labels",
    "OnCancel",
    "QueryLanguage",
    "StartAt",
    "States",
    "Summary",
    "TimeoutSeconds",
    "Title",
    "Version",
];
/// Fields of a machine inside a state.
const INNER: &[&str] = &["Comment", "StartAt", "States"];

/// What the outermost machine says.
pub(super) struct Outermost {
    pub(super) machine: Machine,
    pub(super) comment: Option<String>,
    pub(super) title: Option<String>,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) concurrency: Option<Concurrency>,
    pub(super) labels: Labels,
    pub(super) job_types: JobTypes,
    pub(super) on_cancel: Option<StateName>,
    pub(super) cleanup_timeout_seconds: Option<u64>,
    pub(super) summary: Option<Template>,
}

impl Reader<'_, '_> {
    /// The whole definition.
    pub(super) fn outermost(&mut self, tree: &Node) -> Option<Outermost> {
        let key_span = Span::new(tree.span.start, tree.span.start + 1);
        let language = QueryLanguage::JsonPath;
        let at = At { node: tree, place: Place::root(), key_span, language };
        let mut object = self.object(&at)?;
        self.check_fields(&object, OUTERMOST);
        if let Some(at) = object.get("QueryLanguage") {
            self.language = self.query_language(&at).unwrap_or(self.language);
        }
        object.language = self.language;
        if let Some(at) = object.get("Version") {
            self.word(&at, &["1.0"]);
        }
        let comment = self.text_field(&object, "Comment");
        let title = self.title(&object);
        let timeout_seconds = self.whole_field(&object, "TimeoutSeconds", 1..=MOST);
        let concurrency = self.concurrency(&object);
        let labels = self.labels(&object);
        let cleanup_timeout_seconds = self.whole_field(&object, "CleanupTimeoutSeconds", 1..=MOST);
        let summary = self.summary(&object);
        let on_cancel = object.get("OnCancel");
        let machine = self.machine(&object, on_cancel.as_ref());
        let job_types = self.job_types(&object);
        Some(Outermost {
            machine: machine?,
            comment,
            title,
            timeout_seconds,
            concurrency,
            labels,
            job_types,
            on_cancel: on_cancel.and_then(|at| at.as_text().map(StateName::from)),
            cleanup_timeout_seconds,
            summary,
        })
    }

    /// A machine inside a state; `more` are the fields that it may have besides the usual ones.
    pub(super) fn inner_machine(&mut self, at: &At<'_>, more: &[&str]) -> Option<Machine> {
        let object = self.object(at)?;
        for at in object.fields().filter(|at| !INNER.contains(&at.key())) {
            if more.contains(&at.key()) {
                continue;
            }
            if OUTERMOST.contains(&at.key()) {
                let message = format!("{} is a field of the outermost machine only", at.label());
                self.not_allowed(&at, message, "set it at the top of the definition");
            } else {
                self.unknown(&at, INNER.iter().chain(more).copied());
            }
        }
        self.text_field(&object, "Comment");
        let first = self.assigned.len();
        let machine = self.machine(&object, None);
        self.nested.push(first..self.assigned.len());
        machine
    }

    /// `QueryLanguage`.
    pub(super) fn query_language(&mut self, at: &At<'_>) -> Option<QueryLanguage> {
        match self.word(at, &["JSONPath", "JSONata"])? {
            "JSONata" => Some(QueryLanguage::Jsonata),
            _ => Some(QueryLanguage::JsonPath),
        }
    }

    /// `StartAt` and `States`, with the state that `OnCancel` names.
    fn machine(&mut self, object: &Object<'_>, on_cancel: Option<&At<'_>>) -> Option<Machine> {
        let start = self.required(object, "StartAt");
        let states_at = self.required(object, "States")?;
        let states = self.object(&states_at)?;
        if states.members.is_empty() {
            let message = "`States` must hold at least one state";
            self.fault(&states_at, codes::EMPTY, message);
            return None;
        }
        let mut ways = Ways::new(states.members.iter().map(|m| m.key.as_str()).collect());
        for (index, at) in states.fields().enumerate() {
            if self.met == self.options.max_states {
                self.too_many_states(&at);
                return None;
            }
            ways.enter(index);
            let around = std::mem::take(&mut self.nested);
            self.state(&at, &mut ways);
            ways.nest(std::mem::replace(&mut self.nested, around));
        }
        let start = start?;
        let start_at = self.state_named(&start, &ways);
        if let Some(at) = on_cancel {
            self.on_cancel(at, &mut ways);
        }
        if let Some(first) = ways.start(&start) {
            let normal = ways.reached([first]);
            let reached = self.check_cleanup(&states, &ways, &normal, on_cancel);
            self.check_ways(&start, &states, &ways, (&normal, &reached));
            self.check_scopes(&ways, &reached);
        }
        Some(Machine {
            start_at: StateName::from(start_at?),
            states: states.members.iter().map(|m| StateName::from(m.key.as_str())).collect(),
        })
    }

    fn too_many_states(&mut self, at: &At<'_>) {
        let message = format!("a definition may have {} states, not more", self.options.max_states);
        let fault = Fault::new(codes::LIMIT, at.key_span, message)
            .hint("run the same steps for many items with a Map state, or split the workflow");
        self.faults.report(&at.place, fault);
    }
}
