//! A file as it is read: counted, limited, and without its byte order mark.

use std::io::{BufRead, Chain, Cursor, ErrorKind, Read as _};

use super::{ReadLimits, unread};
use crate::worker::registry::JobError;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of a file, in order.
pub(super) struct Source<R> {
    input: Chain<Cursor<Vec<u8>>, R>,
    limits: ReadLimits,
    /// How many have been taken.
    pub(super) bytes: u64,
}

impl<R: BufRead> Source<R> {
    pub(super) fn new(mut input: R, limits: ReadLimits) -> Result<Self, JobError> {
        let mut head = Vec::new();
        input.by_ref().take(3).read_to_end(&mut head).map_err(|error| failed(&error))?;
        if head == BYTE_ORDER_MARK {
            head.clear();
        }
        Ok(Self { input: Cursor::new(head).chain(input), limits, bytes: 0 })
    }

    /// The next byte, which stays there; none at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, JobError> {
        loop {
            match self.input.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// Takes the byte that was peeked at.
    pub(super) fn bump(&mut self) -> Result<(), JobError> {
        self.input.consume(1);
        self.count(1)
    }

    /// The next line with its end; false at the end.
    pub(super) fn line(&mut self, line: &mut Vec<u8>) -> Result<bool, JobError> {
        line.clear();
        let most = u64::try_from(self.limits.line_bytes).unwrap_or(u64::MAX);
        let mut limited = self.input.by_ref().take(most.saturating_add(1));
        let count = limited.read_until(b'\n', line).map_err(|error| failed(&error))?;
        self.count(count)?;
        if count > self.limits.line_bytes {
            return Err(unread(format!(
                "a line has over {most} bytes, the most that is read; is it JSONL, with each item in a line of its own?"
            )));
        }
        Ok(count > 0)
    }

    /// Everything that is left, as text.
    pub(super) fn rest(&mut self) -> Result<String, JobError> {
        let mut bytes = Vec::new();
        let most = self.limits.file_bytes.saturating_sub(self.bytes).saturating_add(1);
        let read = self.input.by_ref().take(most).read_to_end(&mut bytes);
        self.count(read.map_err(|error| failed(&error))?)?;
        String::from_utf8(bytes).map_err(|error| {
            unread(format!("the file is not UTF-8 text: {}; save it as UTF-8", error.utf8_error()))
        })
    }

    fn count(&mut self, taken: usize) -> Result<(), JobError> {
        self.bytes = self.bytes.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        if self.bytes <= self.limits.file_bytes {
            return Ok(());
        }
        Err(unread(format!(
            "the file has over {} bytes, the most that is read of one; cut it into several files, or set `MaxItems`",
            self.limits.file_bytes
        )))
    }
}

fn failed(error: &std::io::Error) -> JobError {
    unread(format!("the file cannot be read: {error}"))
}
