//! `Concurrency`, `Labels` and `JobTypes` of the outermost machine.

use std::sync::Arc;

use super::Reader;
use super::nearest::nearest;
use super::object::{At, Object};
use crate::language::diagnostic::{codes, quoted};
use crate::language::expression::Template;
use crate::language::machine_fields::{
    COLOURS, Concurrency, JobTypeWords, JobTypes, Labels, WhenFull,
};
use crate::language::model::{QueryLanguage, job_types_of};
use crate::language::source::Fault;

const CONCURRENCY: &[&str] = &["Key", "KeyPath", "Limit", "WhenFull"];
const JOB_TYPE: &[&str] = &["Label", "Colour", "Unit", "UnitSingular"];
/// Labels of a workflow.
const MOST_LABELS: usize = 50;
/// The longest name of a label, in bytes.
const LONGEST_LABEL_NAME: usize = 128;
/// The longest value of a label, and the longest fixed key of `Concurrency`, in bytes.
const LONGEST_VALUE: usize = 256;
/// The longest label or unit of a job type, in bytes.
const LONGEST_WORD: usize = 80;
/// The most places for a key.
const MOST_PLACES: u64 = 1_000_000;

impl Reader<'_, '_> {
    /// `Concurrency`.
    pub(super) fn concurrency(&mut self, machine: &Object<'_>) -> Option<Concurrency> {
        let at = machine.get("Concurrency")?;
        let object = self.object(&at)?;
        self.check_fields_of_language(&object, CONCURRENCY);
        let key = self.text_or_path(&object, "Key");
        self.check_fixed_key(&object, key.as_ref());
        let limit = self.required(&object, "Limit");
        let limit = limit.and_then(|at| self.whole(&at, 1..=MOST_PLACES));
        let when_full = match object.get("WhenFull") {
            Some(at) => match self.word(&at, &["queue", "refuse"])? {
                "refuse" => WhenFull::Refuse,
                _ => WhenFull::Queue,
            },
            None => WhenFull::default(),
        };
        Some(Concurrency { key, limit: u32::try_from(limit?).ok()?, when_full })
    }

    /// A key that is written down as it is.
    fn check_fixed_key(&mut self, object: &Object<'_>, key: Option<&Template>) {
        let (Some(Template::Literal(_)), Some(at)) = (key, object.get("Key")) else { return };
        let text = at.as_text().unwrap_or_default();
        if text.is_empty() {
            self.fault(&at, codes::EMPTY, "`Key` must not be empty");
        } else if text.len() > LONGEST_VALUE {
            let message = format!("`Key` is longer than {LONGEST_VALUE} bytes");
            self.fault(&at, codes::RANGE, message);
        } else if object.language == QueryLanguage::JsonPath
            && (text.starts_with('$') || text.starts_with("States."))
        {
            let message = "this text looks like a path, but `Key` is taken as it stands";
            let fault = Fault::new(codes::LANGUAGE_MIX, at.node.span, message)
                .hint("write `KeyPath` for a path or an intrinsic function");
            self.faults.report(&at.place, fault);
        }
    }

    /// `Labels`.
    pub(super) fn labels(&mut self, machine: &Object<'_>) -> Labels {
        let Some(at) = machine.get("Labels") else { return Labels::new() };
        let Some(object) = self.object(&at) else { return Labels::new() };
        if object.members.len() > MOST_LABELS {
            let message = format!("a workflow may have {MOST_LABELS} labels, not more");
            self.fault(&at, codes::LIMIT, message);
        }
        let mut labels = Labels::new();
        for at in object.fields() {
            self.check_label_name(&at);
            if let Some(value) = self.bounded_text(&at, LONGEST_VALUE) {
                labels.insert(at.key().to_owned(), value);
            }
        }
        labels
    }

    fn check_label_name(&mut self, at: &At<'_>) {
        let name = at.key();
        let fits = |c: char| !c.is_control() && c != '=';
        if !name.trim().is_empty() && name.len() <= LONGEST_LABEL_NAME && name.chars().all(fits) {
            return;
        }
        let message = format!("{} is no name for a label", quoted(name));
        let fault = Fault::new(codes::NAME, at.key_span, message).hint(format!(
            "use 1 to {LONGEST_LABEL_NAME} bytes without `=` and control characters"
        ));
        self.faults.report(&at.place, fault);
    }

    /// `JobTypes`, when all states have been read.
    pub(super) fn job_types(&mut self, machine: &Object<'_>) -> JobTypes {
        let Some(at) = machine.get("JobTypes") else { return JobTypes::new() };
        let Some(object) = self.object(&at) else { return JobTypes::new() };
        let used = job_types_of(self.states.iter().map(|(_, state)| state));
        let mut types = JobTypes::new();
        for at in object.fields() {
            self.check_used(&at, &used);
            if let Some(words) = self.job_type(&at) {
                types.insert(Arc::from(at.key()), words);
            }
        }
        types
    }

    fn job_type(&mut self, at: &At<'_>) -> Option<JobTypeWords> {
        let object = self.object(at)?;
        self.check_fields(&object, JOB_TYPE);
        let mut word = |name| {
            let at = object.get(name)?;
            self.filled_text(&at, LONGEST_WORD)
        };
        let (label, unit, unit_singular) = (word("Label"), word("Unit"), word("UnitSingular"));
        if object.has("UnitSingular") && !object.has("Unit") {
            let hint = "one word for many of them: `Unit` is shown for all other numbers";
            self.missing(&object, "`Unit` beside its `UnitSingular`", Some(hint));
        }
        let colour = object.get("Colour").and_then(|at| self.colour(&at));
        Some(JobTypeWords { label, colour, unit, unit_singular })
    }

    fn colour(&mut self, at: &At<'_>) -> Option<String> {
        let text = self.text(at)?;
        let is_hex = text.strip_prefix('#').is_some_and(|digits| {
            digits.len() == 6 && digits.chars().all(|digit| digit.is_ascii_hexdigit())
        });
        if is_hex || COLOURS.contains(&text) {
            return Some(text.to_owned());
        }
        let message = format!("{} is no colour", quoted(text));
        let hint = match nearest(text, COLOURS.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("use `#rrggbb`, or one of `{}`", COLOURS.join("`, `")),
        };
        let fault = Fault::new(codes::VALUE, at.node.span, message).hint(hint);
        self.faults.report(&at.place, fault);
        None
    }

    /// Warns of words for a job type that no Task names. As long as states are faulty, it is not
    /// known which they name.
    fn check_used(&mut self, at: &At<'_>, used: &[Arc<str>]) {
        if self.faults.any_error() {
            return;
        }
        if used.iter().any(|job_type| **job_type == *at.key()) {
            return;
        }
        let message = format!("no Task of the definition has the job type {}", quoted(at.key()));
        let hint = match nearest(at.key(), used.iter().map(AsRef::as_ref)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "remove it, or name the type in the `Resource` of a Task".to_owned(),
        };
        let fault = Fault::new(codes::NO_EFFECT, at.key_span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }

    fn filled_text(&mut self, at: &At<'_>, longest: usize) -> Option<String> {
        let text = self.bounded_text(at, longest)?;
        if text.trim().is_empty() {
            self.fault(at, codes::EMPTY, format!("{} must not be empty", at.label()));
            return None;
        }
        Some(text)
    }

    fn bounded_text(&mut self, at: &At<'_>, longest: usize) -> Option<String> {
        let text = self.text(at)?;
        if text.len() > longest {
            let message = format!("{} is longer than {longest} bytes", at.label());
            self.fault(at, codes::RANGE, message);
            return None;
        }
        Some(text.to_owned())
    }
}
