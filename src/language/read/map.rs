//! Map states.

use super::Reader;
use super::object::{At, Object};
use crate::language::diagnostic::codes;
use crate::language::expression::Template;
use crate::language::model::{Batcher, Map, Number, QueryLanguage};
use crate::language::source::{Content, Fault};

const BATCHER: &[&str] = &[
    "BatchInput",
    "MaxInputBytesPerBatch",
    "MaxInputBytesPerBatchPath",
    "MaxItemsPerBatch",
    "MaxItemsPerBatchPath",
];
/// How a Map runs its processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Inside the execution.
    Inline,
    /// As executions of their own.
    Distributed,
}

/// The most items and processors of a Map.
const MOST_ITEMS: u64 = 1_000_000_000;

impl Reader<'_, '_> {
    pub(super) fn map(&mut self, object: &Object<'_>) -> Option<Map> {
        let processor_at = self.processor_at(object);
        let mode = processor_at.as_ref().map(|at| self.mode(at));
        let is_own = mode == Some(Mode::Distributed);
        let processor = processor_at.as_ref().and_then(|at| {
            self.undoing(is_own, |reader| reader.inner_machine(at, &["ProcessorConfig"]))
        });
        let distributed = mode.and_then(|mode| self.distributed(object, mode));
        let items = self.items(object, is_own);
        // What is read comes first; AWS does not even look at the path then.
        let items = items.filter(|_| !object.has("ItemReader"));
        let item_selector = self.item_selector(object);
        let batcher = object.get("ItemBatcher").and_then(|at| self.batcher(&at));
        let max_concurrency = self.number(object, "MaxConcurrency", 0..=MOST_ITEMS);
        let tolerated_failure_count = self.number(object, "ToleratedFailureCount", 0..=MOST_ITEMS);
        let tolerated_failure_percentage = self.percentage(object, "ToleratedFailurePercentage");
        Some(Map {
            processor: processor?,
            items,
            item_selector,
            batcher,
            max_concurrency: max_concurrency.unwrap_or(Number::Fixed(0)),
            tolerated_failure_count,
            tolerated_failure_percentage,
            counts_errors: self.counts_errors(object),
            distributed,
        })
    }

    /// `ItemProcessor`, or `Iterator` as it was called.
    fn processor_at<'s>(&mut self, object: &'s Object<'s>) -> Option<At<'s>> {
        let old = object.get("Iterator").filter(|at| at.language == QueryLanguage::JsonPath);
        match (object.get("ItemProcessor"), old) {
            (Some(at), Some(old)) => {
                self.exclude(&old, "ItemProcessor");
                Some(at)
            }
            (Some(at), None) => Some(at),
            (None, Some(old)) => {
                self.old_name(&old, "ItemProcessor");
                Some(old)
            }
            (None, None) => {
                self.missing(object, "`ItemProcessor`", None);
                None
            }
        }
    }

    /// `Mode` of the processor, and what goes with it.
    fn mode(&mut self, processor: &At<'_>) -> Mode {
        let Content::Object(_) = &processor.node.content else { return Mode::Inline };
        let Some(processor) = self.object(processor) else { return Mode::Inline };
        let Some(config_at) = processor.get("ProcessorConfig") else { return Mode::Inline };
        let Some(config) = self.object(&config_at) else { return Mode::Inline };
        self.check_fields(&config, &["Mode", "ExecutionType"]);
        let mode = config.get("Mode").and_then(|at| self.word(&at, &["INLINE", "DISTRIBUTED"]));
        let execution_type = config.get("ExecutionType");
        if mode == Some("DISTRIBUTED") {
            if let Some(at) = execution_type {
                // Both are durable here, so there is nothing to keep.
                self.word(&at, &["STANDARD", "EXPRESS"]);
            }
            return Mode::Distributed;
        }
        if let Some(at) = execution_type {
            let message = "`ExecutionType` is a field of distributed Maps only".to_owned();
            self.not_allowed(&at, message, "set `Mode` to `DISTRIBUTED`, or remove it");
        }
        Mode::Inline
    }

    /// `ItemsPath` or `Items`.
    fn items(&mut self, object: &Object<'_>, distributed: bool) -> Option<Template> {
        match object.language {
            QueryLanguage::JsonPath => {
                let at = object.get("ItemsPath")?;
                self.warn_of_reader(object, &at);
                self.path(&at).map(Template::Expression)
            }
            QueryLanguage::Jsonata => {
                let at = object.get("Items")?;
                self.warn_of_reader(object, &at);
                match &at.node.content {
                    Content::Array(_) => return self.template(&at),
                    Content::Object(_) if distributed => return self.template(&at),
                    _ if at.is_jsonata() => return self.template(&at),
                    _ => {}
                }
                self.wrong_type(
                    &at,
                    if distributed {
                        "an array, an object or a JSONata expression that gives one"
                    } else {
                        "an array or a JSONata expression that gives one"
                    },
                );
                None
            }
        }
    }

    /// AWS takes items from the input beside those that are read, and ignores them.
    fn warn_of_reader(&mut self, object: &Object<'_>, at: &At<'_>) {
        if object.has("ItemReader") {
            self.no_effect(at, "beside `ItemReader`", "remove one of the two");
        }
    }

    /// Warns of a field that changes nothing where it stands.
    pub(super) fn no_effect(&mut self, at: &At<'_>, here: &str, hint: &str) {
        let message = format!("{} has no effect {here}", at.label());
        let fault = Fault::new(codes::NO_EFFECT, at.key_span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }

    /// `ItemSelector`, or `Parameters` as it was called.
    fn item_selector(&mut self, object: &Object<'_>) -> Option<Template> {
        let old = object.get("Parameters").filter(|at| at.language == QueryLanguage::JsonPath);
        match (object.has("ItemSelector"), old) {
            (true, Some(old)) => {
                self.exclude(&old, "ItemSelector");
                None
            }
            (false, Some(old)) => {
                self.old_name(&old, "ItemSelector");
                self.payload(object, "Parameters")
            }
            _ => self.payload(object, "ItemSelector"),
        }
    }

    fn batcher(&mut self, at: &At<'_>) -> Option<Batcher> {
        let object = self.object(at)?;
        self.check_fields_of_language(&object, BATCHER);
        let limited = object.fields().any(|at| at.key().starts_with("Max"));
        if !limited {
            let what = "`MaxItemsPerBatch` or `MaxInputBytesPerBatch`";
            self.missing(&object, what, Some("say how large a batch may be"));
        }
        Some(Batcher {
            max_items: self.number(&object, "MaxItemsPerBatch", 1..=MOST_ITEMS),
            max_bytes: self.number(&object, "MaxInputBytesPerBatch", 1..=MOST_ITEMS),
            input: self.payload(&object, "BatchInput"),
        })
    }

    fn old_name(&mut self, at: &At<'_>, new: &str) {
        let message = format!("{} of a Map state is called `{new}` now", at.label());
        let fault = Fault::new(codes::OLD_NAME, at.key_span, message)
            .hint(format!("rename it to `{new}`; the old name goes on working"));
        self.faults.report(&at.place, fault);
    }
}
