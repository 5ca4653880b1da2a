//! `Retry` and `Catch`.

use super::Reader;
use super::object::{At, MOST, Object};
use super::reachability::Ways;
use super::scope::Sees;
use crate::language::diagnostic::{codes, quoted};
use crate::language::model::{Catcher, QueryLanguage, ResultPath, Retrier};
use crate::language::source::Fault;

const RETRIER: &[&str] = &[
    "BackoffRate",
    "Comment",
    "ErrorEquals",
    "IntervalSeconds",
    "JitterStrategy",
    "MaxAttempts",
    "MaxDelaySeconds",
];
const CATCHER: &[&str] =
    &["Assign", "Comment", "CountErrors", "ErrorEquals", "Next", "Output", "ResultPath"];
/// The longest `MaxDelaySeconds`: a year of 366 days.
const LONGEST_DELAY: u64 = 31_622_400;
/// The error names that the language reserves.
const RESERVED: &[&str] = &[
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ReferencePathConflict",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

/// Of these the specification says when they are raised, but AWS raises another, and so does this.
const NEVER_RAISED: &[(&str, &str)] = &[
    ("States.BranchFailed", "a Parallel fails with the error of its branch"),
    ("States.IntrinsicFailure", "as on AWS it is `States.Runtime`, which nothing catches"),
    ("States.NoChoiceMatched", "as on AWS it is `States.Runtime`, which nothing catches"),
    ("States.ParameterPathFailure", "as on AWS it is `States.Runtime`, which nothing catches"),
    ("States.ResultPathMatchFailure", "as on AWS it is `States.ReferencePathConflict`"),
];

impl Reader<'_, '_> {
    /// `Retry`.
    pub(super) fn retry(&mut self, object: &Object<'_>) -> Vec<Retrier> {
        let Some(at) = object.get("Retry") else { return Vec::new() };
        let nodes = self.array(&at).unwrap_or_default();
        let mut retriers = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let last = index + 1 == nodes.len();
            retriers.extend(self.retrier(&at.entry(index, node), last));
        }
        retriers
    }

    fn retrier(&mut self, at: &At<'_>, last: bool) -> Option<Retrier> {
        let object = &self.object(at)?;
        self.check_fields(object, RETRIER);
        self.text_field(object, "Comment");
        let error_equals = self.error_equals(object, last);
        let interval_seconds = self.whole_field(object, "IntervalSeconds", 1..=MOST).unwrap_or(1);
        let max_attempts = self.whole_field(object, "MaxAttempts", 0..=MOST).unwrap_or(3);
        let backoff_rate = self.decimal_field(object, "BackoffRate", 1.0).unwrap_or(2.0);
        let max_delay_seconds = self.whole_field(object, "MaxDelaySeconds", 1..=LONGEST_DELAY);
        if let (Some(most), Some(at)) = (max_delay_seconds, object.get("MaxDelaySeconds"))
            && most <= interval_seconds
        {
            let message = format!(
                "`MaxDelaySeconds` must be more than `IntervalSeconds`, which is {interval_seconds}"
            );
            self.fault(&at, codes::RANGE, message);
        }
        let jitter = object.get("JitterStrategy").and_then(|at| self.word(&at, &["FULL", "NONE"]));
        Some(Retrier {
            error_equals: error_equals?,
            interval_seconds,
            max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX),
            backoff_rate,
            max_delay_seconds,
            full_jitter: jitter == Some("FULL"),
        })
    }

    /// `Catch`.
    pub(super) fn catch(&mut self, object: &Object<'_>, ways: &mut Ways<'_>) -> Vec<Catcher> {
        let Some(at) = object.get("Catch") else { return Vec::new() };
        let Some(nodes) = self.array(&at) else {
            ways.break_off();
            return Vec::new();
        };
        let mut catchers = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let last = index + 1 == nodes.len();
            match self.catcher(&at.entry(index, node), last, ways) {
                Some(catcher) => catchers.push(catcher),
                None => ways.break_off(),
            }
        }
        catchers
    }

    fn catcher(&mut self, at: &At<'_>, last: bool, ways: &mut Ways<'_>) -> Option<Catcher> {
        let object = &self.object(at)?;
        for at in object.fields() {
            match at.key() {
                "ResultPath" if at.language == QueryLanguage::Jsonata => {
                    self.wrong_language(&at, QueryLanguage::JsonPath);
                }
                "Output" if at.language == QueryLanguage::JsonPath => {
                    self.wrong_language(&at, QueryLanguage::Jsonata);
                }
                key if CATCHER.contains(&key) => {}
                _ => self.unknown(&at, CATCHER.iter().copied()),
            }
        }
        self.text_field(object, "Comment");
        let error_equals = self.error_equals(object, last);
        let (assign, result_path, output) = self.seeing(Sees::OF_CATCHER, |reader| {
            let assign = reader.assign(object);
            match object.language {
                QueryLanguage::JsonPath => (assign, reader.result_path(object), None),
                QueryLanguage::Jsonata => {
                    (assign, ResultPath::Whole, reader.payload(object, "Output"))
                }
            }
        });
        let next = self.required(object, "Next").and_then(|at| self.target(&at, ways, &assign));
        let counts_errors = self.counts_errors(object);
        let (error_equals, next) = (error_equals?, next?);
        Some(Catcher { error_equals, next, result_path, output, assign, counts_errors })
    }

    /// Extension `CountErrors`: whether what is caught or tolerated counts as a warning.
    pub(super) fn counts_errors(&mut self, object: &Object<'_>) -> bool {
        let said = object.get("CountErrors").and_then(|at| self.word(&at, &["warning", "ignore"]));
        said != Some("ignore")
    }

    fn error_equals(&mut self, object: &Object<'_>, last: bool) -> Option<Vec<String>> {
        let list = self.required(object, "ErrorEquals")?;
        let nodes = self.filled_array(&list)?;
        let mut names = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let at = list.entry(index, node);
            let Some(name) = self.text(&at) else { continue };
            if name == "States.ALL" && nodes.len() > 1 {
                let message = "`States.ALL` must be alone in its `ErrorEquals`";
                self.states_all(&at, message, "it stands for all errors; remove the other names");
            } else if name == "States.ALL" && !last {
                let message = "`States.ALL` is only allowed in the last entry";
                self.states_all(
                    &at,
                    message,
                    "entries are tried in order; move this one to the end",
                );
            } else if let Some((_, instead)) = NEVER_RAISED.iter().find(|(it, _)| *it == name) {
                let message = format!("nothing raises {}", quoted(name));
                let fault = Fault::new(codes::UNKNOWN_ERROR, at.node.span, message).hint(*instead);
                self.faults.report(&at.place, fault);
            } else if name.starts_with("States.") && !RESERVED.contains(&name) {
                self.unknown_error(&at, name);
            }
            names.push(name.to_owned());
        }
        Some(names)
    }

    fn states_all(&mut self, at: &At<'_>, message: &str, hint: &str) {
        let fault = Fault::new(codes::STATES_ALL, at.node.span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }

    fn unknown_error(&mut self, at: &At<'_>, name: &str) {
        let message = format!("no error is called {}", quoted(name));
        let meant = super::nearest::nearest(name, RESERVED.iter().copied());
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "names that start with `States.` are reserved; name your own errors otherwise"
                .to_owned(),
        };
        let fault = Fault::new(codes::UNKNOWN_ERROR, at.node.span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }
}
