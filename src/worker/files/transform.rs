//! Results that are transformed and not written: `WriterConfig` alone.

use super::results::{ChildResult, records};
use super::unwritten;
use crate::engine::Failure;
use crate::language::Json;
use crate::language::distributed::{OutputType, WriterConfig};

/// The result of a Map whose `ResultWriter` has a `WriterConfig` alone, as it is put together from
/// its children in order: an array, or with JSONL a text with a line for each record.
#[derive(Debug)]
pub struct Transformed {
    config: WriterConfig,
    limit: usize,
    text: String,
}

impl Transformed {
    /// Without children yet; `limit` is the most bytes that the result may have.
    #[must_use]
    pub fn new(config: WriterConfig, limit: usize) -> Self {
        Self { config, limit, text: String::new() }
    }

    /// Adds what stands for a child.
    ///
    /// # Errors
    /// `States.DataLimitExceeded` when the result gets too large.
    pub fn add(&mut self, child: &ChildResult) -> Result<(), Failure> {
        let Self { config, limit, text } = self;
        records(child, config.transformation, |record| {
            match config.output_type {
                OutputType::Json if text.is_empty() => {}
                OutputType::Json => text.push(','),
                OutputType::Jsonl => {}
            }
            // Two more for the brackets or quotation marks around it.
            if text.len() + record.len() + 2 > *limit {
                return Err(Failure::new(
                    "States.DataLimitExceeded",
                    &format!(
                        "the results have over {limit} bytes, the most that one result may have; write them to a bucket with a `ResultWriter`"
                    ),
                ));
            }
            text.push_str(record);
            if config.output_type == OutputType::Jsonl {
                text.push('\n');
            }
            Ok(())
        })
    }

    /// The result.
    ///
    /// # Errors
    /// `States.ResultWriterFailed` when the outputs are nested too deep to stand in an array.
    pub fn finish(self) -> Result<Json, Failure> {
        let written = match self.config.output_type {
            OutputType::Json => Json::from_text(format!("[{}]", self.text)),
            OutputType::Jsonl => Json::from_serialize(&self.text),
        };
        written.map_err(|error| {
            unwritten(format!("the results cannot stand in one array: {error}")).into()
        })
    }
}
