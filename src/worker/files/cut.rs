//! Cutting a file into items.

use std::collections::BTreeSet;
use std::io::BufRead;

use serde_json::Value;

use super::csv::Rows;
use super::source::Source;
use super::{ITEMS_BETWEEN_REPORTS, ReadLimits, json, unread};
use crate::language::Json;
use crate::language::distributed::{CsvDelimiter, InputType, ReaderConfig};
use crate::worker::registry::JobError;

/// Is told how many items and bytes were read, now and then, and says whether to go on.
pub(super) type Watch<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// Cuts the content of a file into items, as the config says, and gives them as one array. `watch`
/// is told how many items and bytes were read, now and then, and says whether to go on.
///
/// # Errors
/// The content is not what the config says, is larger than a limit, or cannot be read, which are
/// all `States.ItemReaderFailed`; or `watch` said no.
pub fn cut_items(
    content: impl BufRead,
    config: &ReaderConfig,
    limits: ReadLimits,
    watch: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Json, JobError> {
    let source = Source::new(content, limits)?;
    let mut items = Items::new(config.max_items, limits, watch);
    match config.input_type {
        Some(InputType::Json) => json::cut(source, config.items_pointer.as_deref(), &mut items)?,
        Some(InputType::Jsonl) => lines(source, &mut items)?,
        Some(InputType::Csv) => rows(source, config, &mut items, limits)?,
        None => {
            return Err(unread(
                "`ReaderConfig` has no `InputType`, so how the file is written is not known; set it to JSON, JSONL or CSV",
            ));
        }
    }
    items.finish()
}

/// Items as they are gathered: the text of an array that is not closed yet.
pub(super) struct Items<'a> {
    text: Vec<u8>,
    count: u64,
    most: u64,
    position: u64,
    limits: ReadLimits,
    watch: Watch<'a>,
}

impl<'a> Items<'a> {
    /// No items yet; of `most`, 0 is without limit.
    pub(super) fn new(most: u64, limits: ReadLimits, watch: Watch<'a>) -> Self {
        let most = if most == 0 { u64::MAX } else { most };
        Self { text: vec![b'['], count: 0, most, position: 0, limits, watch }
    }

    /// Adds an item, which `write` writes as JSON, and says whether more are wanted. `position` is
    /// how many bytes were read.
    pub(super) fn push(
        &mut self,
        position: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), JobError>,
    ) -> Result<bool, JobError> {
        if self.count == self.limits.items {
            return Err(unread(format!(
                "there are over {} items, the most that one Map takes; raise `map_items` under `[limits]` in everstep.toml, or set `MaxItems`",
                self.limits.items
            )));
        }
        if self.count > 0 {
            self.text.push(b',');
        }
        write(&mut self.text)?;
        // One more for the bracket at the end.
        if self.text.len() >= self.limits.result_bytes {
            return Err(self.too_large());
        }
        self.count += 1;
        self.position = position;
        if self.count.is_multiple_of(ITEMS_BETWEEN_REPORTS) && !(self.watch)(self.count, position) {
            return Err(JobError::cancelled());
        }
        Ok(self.count < self.most)
    }

    /// Adds an item that stands in a text.
    pub(super) fn push_json(&mut self, position: u64, item: &str) -> Result<bool, JobError> {
        let number = self.count + 1;
        // Before its tree is built, which takes many times as much memory.
        if item.len() >= self.limits.result_bytes {
            return Err(self.too_large());
        }
        self.push(position, |text| {
            // The tree is thrown away: what matters is that there is one, as for `Json::parse`.
            if let Err(error) = serde_json::from_str::<Value>(item) {
                return Err(unread(format!("item {number} is no JSON that can be used: {error}")));
            }
            json::compact(item, text);
            Ok(())
        })
    }

    fn too_large(&self) -> JobError {
        unread(format!(
            "the items have over {} bytes as JSON, the most that one Map takes; cut the file into several, or set `MaxItems`",
            self.limits.result_bytes
        ))
    }

    /// The array.
    pub(super) fn finish(mut self) -> Result<Json, JobError> {
        // The last word on how many there are; nothing is left to be stopped.
        let _goes_on = (self.watch)(self.count, self.position);
        self.text.push(b']');
        let failed = |error: &dyn std::fmt::Display| {
            unread(format!("the items cannot be used as a JSON array: {error}"))
        };
        let text = String::from_utf8(self.text).map_err(|error| failed(&error))?;
        Json::from_text(text).map_err(|error| failed(&error))
    }
}

fn lines<R: BufRead>(mut source: Source<R>, items: &mut Items<'_>) -> Result<(), JobError> {
    let mut line = Vec::new();
    let mut number = 0_u64;
    while source.line(&mut line)? {
        number += 1;
        let text = std::str::from_utf8(&line).map_err(|error| {
            unread(format!("line {number} is not UTF-8 text: {error}; save the file as UTF-8"))
        })?;
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            continue;
        }
        let pushed = items.push_json(source.bytes, text);
        let more = pushed.map_err(|error| match error.error() {
            super::ITEM_READER_FAILED => unread(format!("line {number}: {}", error.cause())),
            _ => error,
        })?;
        if !more {
            break;
        }
    }
    Ok(())
}

fn rows<R: BufRead>(
    source: Source<R>,
    config: &ReaderConfig,
    items: &mut Items<'_>,
    limits: ReadLimits,
) -> Result<(), JobError> {
    let mut rows = Rows::new(source, delimiter(config.csv_delimiter), limits);
    let headers: Vec<String> = match &config.csv_headers {
        Some(given) => given.clone(),
        None => match rows.next()? {
            Some(row) => row.fields().map(str::to_owned).collect(),
            None => return Ok(()),
        },
    };
    if headers.iter().collect::<BTreeSet<_>>().len() < headers.len() {
        return Err(unread(
            "CSV headers cannot contain duplicates. The names of the columns become the keys of each item; give each its own, or set `CSVHeaders`",
        ));
    }
    let mut more = true;
    while more {
        // Position first: the row borrows the reader.
        let position = rows.position();
        let Some(row) = rows.next()? else { break };
        more = items.push(position, |text| {
            text.push(b'{');
            // Missing fields are empty texts, and fields without a header are left out.
            for (index, (header, field)) in
                headers.iter().zip(row.fields().chain(std::iter::repeat(""))).enumerate()
            {
                if index > 0 {
                    text.push(b',');
                }
                json::write_text(header, text)?;
                text.push(b':');
                json::write_text(field, text)?;
            }
            text.push(b'}');
            Ok(())
        })?;
    }
    Ok(())
}

fn delimiter(delimiter: CsvDelimiter) -> u8 {
    match delimiter {
        CsvDelimiter::Comma => b',',
        CsvDelimiter::Pipe => b'|',
        CsvDelimiter::Semicolon => b';',
        CsvDelimiter::Space => b' ',
        CsvDelimiter::Tab => b'\t',
    }
}
