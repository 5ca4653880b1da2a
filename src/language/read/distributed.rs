//! What a distributed Map has besides a Map: `Label`, `ItemReader`, `ResultWriter`.

use super::Reader;
use super::map::Mode;
use super::object::{At, Object};
use super::resource::integration;
use super::task::arguments_name;
use crate::language::diagnostic::{codes, quoted};
use crate::language::distributed::{
    CsvDelimiter, Distributed, InputType, ItemReader, ItemSource, OutputType, ReaderConfig,
    ResultWriter, Transformation, WriterConfig,
};
use crate::language::expression::Template;
use crate::language::source::Fault;

/// Fields that only distributed Maps have.
const FIELDS: &[&str] = &["ItemReader", "ResultWriter", "Label"];
const READER: &[&str] = &["Resource", "Parameters", "Arguments", "ReaderConfig"];
const READER_CONFIG: &[&str] = &[
    "InputType",
    "CSVHeaderLocation",
    "CSVHeaders",
    "CSVDelimiter",
    "ItemsPointer",
    "MaxItems",
    "MaxItemsPath",
    "Transformation",
];
/// Fields of `ReaderConfig` that say how a file is read.
const OF_A_FILE: &[&str] =
    &["InputType", "CSVHeaderLocation", "CSVHeaders", "CSVDelimiter", "ItemsPointer"];
const WRITER: &[&str] = &["Resource", "Parameters", "Arguments", "WriterConfig"];
/// The most that `MaxItems` may be, as AWS has it.
const MOST_READ: u64 = 100_000_000;
/// The longest `Label`, in characters.
const LONGEST_LABEL: usize = 40;
/// What a `Label` must not hold besides control characters: it is a part of an ARN.
const NOT_IN_LABELS: &str = "?*<>{}[]:;,\\|^~$#%&`\"";

impl Reader<'_, '_> {
    /// The fields of a distributed Map; none of an inline one, which must not have them.
    pub(super) fn distributed(
        &mut self,
        object: &Object<'_>,
        mode: Mode,
    ) -> Option<Box<Distributed>> {
        if mode == Mode::Inline {
            for at in object.fields().filter(|at| FIELDS.contains(&at.key())) {
                let message = format!("{} is a field of distributed Maps only", at.label());
                let hint =
                    "add `\"ProcessorConfig\": {\"Mode\": \"DISTRIBUTED\"}` to the `ItemProcessor`";
                self.not_allowed(&at, message, hint);
            }
            return None;
        }
        let label = object.get("Label").and_then(|at| self.label(&at));
        let reader = object.get("ItemReader").and_then(|at| self.item_reader(&at));
        let writer = object.get("ResultWriter").and_then(|at| self.result_writer(&at));
        Some(Box::new(Distributed { label, reader, writer }))
    }

    fn label(&mut self, at: &At<'_>) -> Option<String> {
        let label = self.text(at)?;
        let unfit = |c: char| c.is_whitespace() || c.is_control() || NOT_IN_LABELS.contains(c);
        let message = if label.is_empty() {
            "`Label` must not be empty".to_owned()
        } else if label.chars().nth(LONGEST_LABEL).is_some() {
            format!("`Label` is longer than {LONGEST_LABEL} characters")
        } else if label.contains(unfit) {
            format!("{} is no label", quoted(label))
        } else {
            return Some(label.to_owned());
        };
        let fault = Fault::new(codes::NAME, at.node.span, message)
            .hint("use letters, digits, `-` and `_`; what people should read goes into `Title`");
        self.faults.report(&at.place, fault);
        None
    }

    fn item_reader(&mut self, at: &At<'_>) -> Option<ItemReader> {
        let object = &self.object(at)?;
        self.check_fields_of_language(object, READER);
        let source = self.required(object, "Resource").and_then(|at| self.item_source(&at));
        let arguments = self.io_arguments(object);
        if let Some(source) = source {
            self.check_arguments(object, source);
        }
        let config = object.get("ReaderConfig");
        if let (None, Some(ItemSource::Object)) = (&config, source) {
            let hint = "say how the file is written: `\"ReaderConfig\": {\"InputType\": \"JSON\"}`";
            self.missing(object, "`ReaderConfig`", Some(hint));
        }
        let config = config.and_then(|at| self.object(&at));
        let (config, max_items) = match (&config, source?) {
            (Some(object), source) => {
                self.check_config_fields(object);
                let max_items = self.number(object, "MaxItems", 0..=MOST_READ);
                let config = match source {
                    ItemSource::Object => self.file_config(object)?,
                    ItemSource::List => self.list_config(object),
                };
                (config, max_items)
            }
            (None, _) => (ReaderConfig::default(), None),
        };
        Some(ItemReader { source: source?, arguments: arguments?, config, max_items })
    }

    fn item_source(&mut self, at: &At<'_>) -> Option<ItemSource> {
        let found = match integration(self.text(at)?) {
            Some("s3:getObject") => Some(ItemSource::Object),
            Some("s3:listObjectsV2") => Some(ItemSource::List),
            _ => None,
        };
        if found.is_none() {
            self.unknown_io(at, "`s3:getObject`, for a file, or `s3:listObjectsV2`, for a list");
        }
        found
    }

    fn unknown_io(&mut self, at: &At<'_>, wanted: &str) {
        let shown = quoted(at.as_text().unwrap_or_default());
        let message = format!("{} must be {wanted}, but it is {shown}", at.label());
        let fault = Fault::new(codes::VALUE, at.node.span, message)
            .hint("the operator says where that is; files are read and written by a worker");
        self.faults.report(&at.place, fault);
    }

    /// The arguments of reading or writing, which say where.
    fn io_arguments(&mut self, object: &Object<'_>) -> Option<Template> {
        let name = arguments_name(object.language);
        if !object.has(name) {
            self.missing(object, &format!("`{name}`"), Some("it holds the `Bucket`"));
        }
        self.payload(object, name)
    }

    fn check_arguments(&mut self, object: &Object<'_>, source: ItemSource) {
        let Some(at) = object.get(arguments_name(object.language)) else { return };
        let Some(arguments) = self.literal_object(&at) else { return };
        self.argument(&arguments, "Bucket", None);
        match source {
            ItemSource::Object => self.argument(&arguments, "Key", Some("name the file in it")),
            ItemSource::List => self.text_argument(&arguments, "Prefix"),
        }
    }

    /// An argument that may be there.
    fn text_argument(&mut self, arguments: &Object<'_>, name: &str) {
        if let Some(at) = arguments.get(name) {
            self.text(&at);
        }
    }

    fn check_config_fields(&mut self, object: &Object<'_>) {
        self.check_fields_of_language(object, READER_CONFIG);
        if let Some(at) = object.get("Transformation")
            && self.word(&at, &["NONE", "LOAD_AND_FLATTEN"]) == Some("LOAD_AND_FLATTEN")
        {
            let hint = "list the files, and read each in a distributed Map inside the processor";
            self.unsupported(&at, "`LOAD_AND_FLATTEN`", hint);
        }
    }

    fn unsupported(&mut self, at: &At<'_>, what: &str, hint: &str) {
        let message = format!("{what} is not supported yet");
        let fault = Fault::new(codes::NOT_SUPPORTED, at.node.span, message).hint(hint);
        self.faults.report(&at.place, fault);
    }

    /// Files that are listed are not read, so how they are written does not matter.
    fn list_config(&mut self, object: &Object<'_>) -> ReaderConfig {
        for at in object.fields().filter(|at| OF_A_FILE.contains(&at.key())) {
            let hint = "remove it; or read one file with `s3:getObject`";
            self.no_effect(&at, "where files are listed and not read", hint);
        }
        ReaderConfig::default()
    }

    fn file_config(&mut self, object: &Object<'_>) -> Option<ReaderConfig> {
        let input_type = self.required(object, "InputType").and_then(|at| self.input_type(&at))?;
        for at in object.fields() {
            let (of, name) = match at.key() {
                "CSVHeaderLocation" | "CSVHeaders" | "CSVDelimiter" => (InputType::Csv, "CSV"),
                "ItemsPointer" => (InputType::Json, "JSON"),
                _ => continue,
            };
            if of != input_type {
                let message = format!("{} is for files of `InputType` `{name}` only", at.label());
                self.not_allowed(&at, message, "remove it, or correct the `InputType`");
            }
        }
        let is_csv = input_type == InputType::Csv;
        let csv_headers = if is_csv { self.csv_headers(object) } else { None };
        Some(ReaderConfig {
            input_type: Some(input_type),
            csv_headers,
            csv_delimiter: self.csv_delimiter(object),
            items_pointer: object.get("ItemsPointer").and_then(|at| self.pointer(&at)),
            max_items: 0,
        })
    }

    fn input_type(&mut self, at: &At<'_>) -> Option<InputType> {
        match self.word(at, &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"])? {
            "CSV" => Some(InputType::Csv),
            "JSON" => Some(InputType::Json),
            "JSONL" => Some(InputType::Jsonl),
            other => {
                let hint = "write the items as `JSONL`, a JSON value in each line";
                self.unsupported(at, &format!("`InputType` `{other}`"), hint);
                None
            }
        }
    }

    /// `CSVHeaderLocation` and `CSVHeaders`.
    fn csv_headers(&mut self, object: &Object<'_>) -> Option<Vec<String>> {
        let Some(location) = object.get("CSVHeaderLocation") else {
            let hint = "say where the names of the columns stand: `FIRST_ROW` or `GIVEN`";
            self.missing(object, "`CSVHeaderLocation`", Some(hint));
            return None;
        };
        let is_given = self.word(&location, &["FIRST_ROW", "GIVEN"])? == "GIVEN";
        match object.get("CSVHeaders") {
            Some(at) if !is_given => {
                let message = "`CSVHeaders` stand in the first row of the file".to_owned();
                let hint = "remove it, or set `CSVHeaderLocation` to `GIVEN`";
                self.not_allowed(&at, message, hint);
                None
            }
            Some(at) => {
                let nodes = self.filled_array(&at)?;
                let mut names = Vec::with_capacity(nodes.len());
                for (index, node) in nodes.iter().enumerate() {
                    names.extend(self.text(&at.entry(index, node)).map(str::to_owned));
                }
                Some(names)
            }
            None => {
                if is_given {
                    let hint = "list the names of the columns, or take `FIRST_ROW`";
                    self.missing(object, "`CSVHeaders`", Some(hint));
                }
                None
            }
        }
    }

    fn csv_delimiter(&mut self, object: &Object<'_>) -> CsvDelimiter {
        let words = ["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"];
        match object.get("CSVDelimiter").and_then(|at| self.word(&at, &words)) {
            Some("PIPE") => CsvDelimiter::Pipe,
            Some("SEMICOLON") => CsvDelimiter::Semicolon,
            Some("SPACE") => CsvDelimiter::Space,
            Some("TAB") => CsvDelimiter::Tab,
            _ => CsvDelimiter::Comma,
        }
    }

    /// `ItemsPointer`: a JSON pointer (RFC 6901).
    fn pointer(&mut self, at: &At<'_>) -> Option<String> {
        let text = self.text(at)?;
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if escapes && (text.is_empty() || text.starts_with('/')) {
            return Some(text.to_owned());
        }
        let message = format!("{} is no JSON pointer", quoted(text));
        let fault = Fault::new(codes::VALUE, at.node.span, message)
            .hint("write the keys on the way to the array, each after a `/`: `/orders/open`");
        self.faults.report(&at.place, fault);
        None
    }

    fn result_writer(&mut self, at: &At<'_>) -> Option<ResultWriter> {
        let object = &self.object(at)?;
        self.check_fields_of_language(object, WRITER);
        let config = object.get("WriterConfig").and_then(|at| self.writer_config(&at));
        let name = arguments_name(object.language);
        let arguments = if object.has("Resource") || object.has(name) {
            if let Some(at) = self.required(object, "Resource")
                && integration(self.text(&at)?) != Some("s3:putObject")
            {
                self.unknown_io(&at, "`s3:putObject`");
            }
            // A destination has the fields of a list: a bucket, and the beginning of keys.
            self.check_arguments(object, ItemSource::List);
            self.io_arguments(object)
        } else {
            if !object.has("WriterConfig") {
                let what = format!("`Resource` and `{name}`, and no `WriterConfig`");
                let hint = "say where the results go, or how they are transformed";
                self.missing(object, &what, Some(hint));
            }
            None
        };
        Some(ResultWriter { arguments, config: config.unwrap_or_default() })
    }

    fn writer_config(&mut self, at: &At<'_>) -> Option<WriterConfig> {
        let object = &self.object(at)?;
        self.check_fields(object, &["Transformation", "OutputType"]);
        let words = ["NONE", "COMPACT", "FLATTEN"];
        let transformation = object.get("Transformation").and_then(|at| self.word(&at, &words));
        let output_type =
            object.get("OutputType").and_then(|at| self.word(&at, &["JSON", "JSONL"]));
        Some(WriterConfig {
            transformation: match transformation {
                Some("COMPACT") => Transformation::Compact,
                Some("FLATTEN") => Transformation::Flatten,
                _ => Transformation::None,
            },
            output_type: match output_type {
                Some("JSONL") => OutputType::Jsonl,
                _ => OutputType::Json,
            },
        })
    }
}
