//! What a distributed Map has besides a Map: where its items come from, where its results go.
//!
//! The configs are written into the jobs that read and write, under the names that the definition
//! uses, so the same types serve both ends.

use serde::{Deserialize, Serialize};

use super::expression::Template;
use super::model::Number;

/// `ProcessorConfig` with `Mode` `DISTRIBUTED`, and what may stand beside it.
#[derive(Debug, Clone, Default)]
pub struct Distributed {
    /// `Label`.
    pub label: Option<String>,
    /// `ItemReader`; absent: the items come from the input.
    pub reader: Option<ItemReader>,
    /// `ResultWriter`.
    pub writer: Option<ResultWriter>,
}

/// `ItemReader`.
#[derive(Debug, Clone)]
pub struct ItemReader {
    /// What its `Resource` asks for.
    pub source: ItemSource,
    /// `Parameters` or `Arguments`.
    pub arguments: Template,
    /// `ReaderConfig`, without `MaxItems`.
    pub config: ReaderConfig,
    /// `MaxItems` or its Path form: how many items are read at the most.
    pub max_items: Option<Number>,
}

/// The value of an `ItemReader`'s `Resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemSource {
    /// `s3:getObject`: the items stand in one file.
    #[serde(rename = "s3:getObject")]
    Object,
    /// `s3:listObjectsV2`: the items are the files themselves, with name, size and time.
    #[serde(rename = "s3:listObjectsV2")]
    List,
}

/// `ReaderConfig`: how a file is cut into items.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReaderConfig {
    /// `InputType`; none where files are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_type: Option<InputType>,
    /// `CSVHeaders`: given when `CSVHeaderLocation` is `GIVEN`; else the first row has them.
    #[serde(rename = "CSVHeaders", skip_serializing_if = "Option::is_none")]
    pub csv_headers: Option<Vec<String>>,
    /// `CSVDelimiter`.
    #[serde(rename = "CSVDelimiter")]
    pub csv_delimiter: CsvDelimiter,
    /// `ItemsPointer`: a JSON pointer to the array in a JSON file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items_pointer: Option<String>,
    /// `MaxItems`, once it is worked out; 0 is without limit.
    pub max_items: u64,
}

/// `InputType`: how a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputType {
    /// A JSON array, or a document that has one.
    #[serde(rename = "JSON")]
    Json,
    /// A JSON value in each line.
    #[serde(rename = "JSONL")]
    Jsonl,
    /// Rows of fields (RFC 4180).
    #[serde(rename = "CSV")]
    Csv,
}

/// `CSVDelimiter`: what stands between the fields of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CsvDelimiter {
    /// `,`
    #[default]
    Comma,
    /// `|`
    Pipe,
    /// `;`
    Semicolon,
    /// a space
    Space,
    /// a tab
    Tab,
}

/// `ResultWriter`.
#[derive(Debug, Clone)]
pub struct ResultWriter {
    /// `Parameters` or `Arguments` of `s3:putObject`; absent: the results are only transformed.
    pub arguments: Option<Template>,
    /// `WriterConfig`.
    pub config: WriterConfig,
}

/// `WriterConfig`: what is written of each result, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WriterConfig {
    /// `Transformation`.
    pub transformation: Transformation,
    /// `OutputType`.
    pub output_type: OutputType,
}

/// `Transformation`: what is kept of each child execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Transformation {
    /// Its description, with its input and output as texts.
    #[default]
    None,
    /// Its output.
    Compact,
    /// Its output; the elements of an output that is an array, one by one.
    Flatten,
}

/// `OutputType`: how results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputType {
    /// A JSON array.
    #[default]
    #[serde(rename = "JSON")]
    Json,
    /// A JSON value in each line.
    #[serde(rename = "JSONL")]
    Jsonl,
}
