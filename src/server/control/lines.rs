//! Lines of bounded length from a socket.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Free space that a read should find, in bytes.
const READ_SPACE: usize = 16 * 1024;

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum LineError {
    /// It is longer than the limit.
    TooLong,
    /// The socket failed.
    Io(io::Error),
}

/// Splits what is read into lines.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the bytes begin that were not given yet.
    start: usize,
    /// Up to where the buffer was searched for the end of a line.
    searched: usize,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes, their end not counted.
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, searched: 0, limit }
    }

    /// The next line without its end; none when the other side has ended, also in the middle of a
    /// line. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Option<&[u8]>, LineError> {
        let range = loop {
            if let Some(range) = self.take_line() {
                break range;
            }
            if self.buffer.len() - self.start > self.limit {
                return Err(LineError::TooLong);
            }
            if self.fill().await.map_err(LineError::Io)? == 0 {
                return Ok(None);
            }
        };
        if range.len() > self.limit {
            return Err(LineError::TooLong);
        }
        Ok(self.buffer.get(range))
    }

    /// Waits until the other side has ended, keeping what it sends meanwhile, up to the limit.
    pub(super) async fn ended(&mut self) {
        while self.buffer.len() - self.start <= self.limit {
            if !matches!(self.fill().await, Ok(1..)) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    fn take_line(&mut self) -> Option<Range<usize>> {
        let unsearched = self.buffer.get(self.searched..)?;
        match unsearched.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let range = self.start..self.searched + at;
                self.start = range.end + 1;
                self.searched = self.start;
                Some(range)
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > 64 * READ_SPACE {
            // One large line must not hold its memory for as long as a connection idles.
            self.buffer = Vec::new();
        }
        if self.buffer.capacity() - self.buffer.len() < READ_SPACE {
            self.buffer.reserve(READ_SPACE);
        }
        self.reader.read_buf(&mut self.buffer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_given_one_by_one_and_an_unfinished_one_is_not() {
        let mut lines = Lines::new(&b"one\n\ntwo\nthr"[..], 5);
        for expected in [&b"one"[..], b"", b"two"] {
            assert_eq!(lines.next().await.unwrap(), Some(expected));
        }
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_may_have_as_many_bytes_as_the_limit_and_no_more() {
        let mut lines = Lines::new(&b"12345\n123456\n"[..], 5);
        assert_eq!(lines.next().await.unwrap(), Some(&b"12345"[..]));
        assert!(matches!(lines.next().await, Err(LineError::TooLong)));
        let mut endless = Lines::new(tokio::io::repeat(b'x'), 1000);
        assert!(matches!(endless.next().await, Err(LineError::TooLong)));
    }

    #[tokio::test]
    async fn what_is_sent_while_waiting_for_the_end_is_kept() {
        let mut lines = Lines::new(&b"one\ntwo\n"[..], 100);
        lines.ended().await;
        assert_eq!(lines.next().await.unwrap(), Some(&b"one"[..]));
        assert_eq!(lines.next().await.unwrap(), Some(&b"two"[..]));
        assert_eq!(lines.next().await.unwrap(), None);
    }
}
