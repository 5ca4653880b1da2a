//! Rows of text files with delimiters, by the rules of AWS.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/example-csv-parse-dist-map.html> differs
//! from RFC 4180, and from what libraries for it do, in two things: a doubled quotation mark is one
//! also where the field has no quotation marks around it, and a backslash escapes itself, a
//! quotation mark and the delimiter, and is dropped before anything else. Therefore this reader.
//!
//! What that page leaves open: a row may end with LF, CR LF or CR; empty lines are no rows; text
//! after a closing quotation mark belongs to the field; and a quotation mark that is never closed is
//! a fault, as the rows behind it would be lost without a word.

use std::io::BufRead;

use super::source::Source;
use super::{ReadLimits, unread};
use crate::worker::registry::JobError;

const QUOTE: u8 = b'"';
const BACKSLASH: u8 = b'\\';

/// Cuts a file into rows.
pub(super) struct Rows<R> {
    source: Source<R>,
    delimiter: u8,
    most: usize,
    /// How many rows were read.
    number: u64,
    /// How many bytes of the row were taken.
    taken: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// One row: all its fields in one text.
pub(super) struct Row<'r> {
    text: &'r str,
    ends: &'r [usize],
}

impl<'r> Row<'r> {
    /// The fields in order.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'r str> {
        let (text, mut start) = (self.text, 0);
        self.ends.iter().map(move |end| {
            let field = text.get(start..*end).unwrap_or_default();
            start = *end;
            field
        })
    }
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(source: Source<R>, delimiter: u8, limits: ReadLimits) -> Self {
        let (bytes, ends) = (Vec::new(), Vec::new());
        Self { source, delimiter, most: limits.line_bytes, number: 0, taken: 0, bytes, ends }
    }

    /// How many bytes of the file were read.
    pub(super) fn position(&self) -> u64 {
        self.source.bytes
    }

    /// The next row; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, JobError> {
        self.bytes.clear();
        self.ends.clear();
        self.taken = 0;
        self.number += 1;
        if !self.read()? {
            return Ok(None);
        }
        // Fields end between characters: the bytes that end them are no part of one.
        let text = std::str::from_utf8(&self.bytes).map_err(|error| {
            unread(format!(
                "row {} is not UTF-8 text: {error}; save the file as UTF-8",
                self.number
            ))
        })?;
        Ok(Some(Row { text, ends: &self.ends }))
    }

    fn read(&mut self) -> Result<bool, JobError> {
        // Whether the field at hand had quotation marks around it, so that it is there if empty.
        let mut quoted = false;
        while let Some(byte) = self.source.peek()? {
            let nothing_yet = self.ends.is_empty() && self.field_is_empty() && !quoted;
            self.bump()?;
            match byte {
                b'\n' | b'\r' => {
                    if byte == b'\r' && self.source.peek()? == Some(b'\n') {
                        self.bump()?;
                    }
                    if nothing_yet {
                        self.taken = 0;
                        continue;
                    }
                    self.ends.push(self.bytes.len());
                    return Ok(true);
                }
                _ if byte == self.delimiter => {
                    self.ends.push(self.bytes.len());
                    quoted = false;
                }
                QUOTE if self.field_is_empty() && !quoted => {
                    quoted = true;
                    self.read_quoted()?;
                }
                QUOTE => self.doubled()?,
                BACKSLASH => self.escaped()?,
                _ => self.bytes.push(byte),
            }
        }
        if self.ends.is_empty() && self.field_is_empty() && !quoted {
            return Ok(false);
        }
        self.ends.push(self.bytes.len());
        Ok(true)
    }

    /// What stands between quotation marks, of which the first was taken.
    fn read_quoted(&mut self) -> Result<(), JobError> {
        while let Some(byte) = self.source.peek()? {
            self.bump()?;
            match byte {
                QUOTE if self.source.peek()? == Some(QUOTE) => self.doubled()?,
                QUOTE => return Ok(()),
                BACKSLASH => self.escaped()?,
                _ => self.bytes.push(byte),
            }
        }
        Err(unread(format!(
            "a quotation mark in row {} is never closed; close it, or double it if it belongs to the text",
            self.number
        )))
    }

    /// A quotation mark that was taken, and the one after it if it is doubled.
    fn doubled(&mut self) -> Result<(), JobError> {
        self.bytes.push(QUOTE);
        if self.source.peek()? == Some(QUOTE) {
            self.bump()?;
        }
        Ok(())
    }

    /// What follows a backslash that was taken.
    fn escaped(&mut self) -> Result<(), JobError> {
        if let Some(byte) = self.source.peek()?
            && (byte == BACKSLASH || byte == QUOTE || byte == self.delimiter)
        {
            self.bytes.push(byte);
            self.bump()?;
        }
        Ok(())
    }

    fn field_is_empty(&self) -> bool {
        self.bytes.len() == self.ends.last().copied().unwrap_or(0)
    }

    fn bump(&mut self) -> Result<(), JobError> {
        self.taken += 1;
        if self.taken > self.most {
            return Err(unread(format!(
                "row {} has over {} bytes, the most that is read of one; is a quotation mark not closed?",
                self.number, self.most
            )));
        }
        self.source.bump()
    }
}
