//! Map states.

use super::Reader;
use super::object::{At, Object};
use crate::language::diagnostic::codes;
use crate::language::expression::Template;
use crate::language::model::{Batcher, Machine, Map, Number, QueryLanguage};
use crate::language::source::{Content, Fault};

const BATCHER: &[&str] = &[
    "BatchInput",
    "MaxInputBytesPerBatch",
    "MaxInputBytesPerBatchPath",
    "MaxItemsPerBatch",
    "MaxItemsPerBatchPath",
];
/// The most items and processors of a Map.
const MOST_ITEMS: u64 = 1_000_000_000;

impl Reader<'_, '_> {
    pub(super) fn map(&mut self, object: &Object<'_>) -> Option<Map> {
        let processor = self.processor(object);
        let items = self.items(object);
        let item_selector = self.item_selector(object);
        let batcher = object.get("ItemBatcher").and_then(|at| self.batcher(&at));
        let max_concurrency = self.number(object, "MaxConcurrency", 0..=MOST_ITEMS);
        let tolerated_failure_count = self.number(object, "ToleratedFailureCount", 0..=MOST_ITEMS);
        let tolerated_failure_percentage =
            self.number(object, "ToleratedFailurePercentage", 0..=100);
        Some(Map {
            processor: processor?,
            items,
            item_selector,
            batcher,
            max_concurrency: max_concurrency.unwrap_or(Number::Fixed(0)),
            tolerated_failure_count,
            tolerated_failure_percentage,
            distributed: None,
        })
    }

    fn processor(&mut self, object: &Object<'_>) -> Option<Machine> {
        let old = object.get("Iterator").filter(|at| at.language == QueryLanguage::JsonPath);
        let at = match (object.get("ItemProcessor"), old) {
            (Some(at), Some(old)) => {
                self.exclude(&old, "ItemProcessor");
                at
            }
            (Some(at), None) => at,
            (None, Some(old)) => {
                self.old_name(&old, "ItemProcessor");
                old
            }
            (None, None) => {
                self.missing(object, "`ItemProcessor`", None);
                return None;
            }
        };
        self.processor_config(&at);
        self.inner_machine(&at, &["ProcessorConfig"])
    }

    fn processor_config(&mut self, processor: &At<'_>) {
        let Content::Object(_) = &processor.node.content else { return };
        let Some(processor) = self.object(processor) else { return };
        let Some(config_at) = processor.get("ProcessorConfig") else { return };
        let Some(config) = self.object(&config_at) else { return };
        self.check_fields(&config, &["Mode", "ExecutionType"]);
        if let Some(at) = config.get("Mode")
            && self.word(&at, &["INLINE", "DISTRIBUTED"]) == Some("DISTRIBUTED")
        {
            let fault = Fault::new(
                codes::NOT_SUPPORTED,
                at.node.span,
                "distributed Maps are not supported yet",
            )
            .hint("use `INLINE`, with `ItemBatcher` to hand out items in groups");
            self.faults.report(&at.place, fault);
        } else if let Some(at) = config.get("ExecutionType") {
            let message = "`ExecutionType` is a field of distributed Maps only".to_owned();
            self.not_allowed(&at, message, "remove it");
        }
    }

    /// `ItemsPath` or `Items`.
    fn items(&mut self, object: &Object<'_>) -> Option<Template> {
        match object.language {
            QueryLanguage::JsonPath => {
                let at = object.get("ItemsPath")?;
                self.path(&at).map(Template::Expression)
            }
            QueryLanguage::Jsonata => {
                let at = object.get("Items")?;
                if at.is_jsonata() || matches!(at.node.content, Content::Array(_)) {
                    return self.template(&at);
                }
                self.wrong_type(&at, "an array or a JSONata expression that gives one");
                None
            }
        }
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
        for at in object.fields() {
            if !BATCHER.contains(&at.key()) {
                self.unknown(&at, BATCHER.iter().copied());
            } else if at.language == QueryLanguage::Jsonata && at.key().ends_with("Path") {
                self.wrong_language(&at, QueryLanguage::JsonPath);
            }
        }
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
