//! Listening to a command's standard error.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::protocol::{self, Line};
use crate::worker::JobContext;

/// How much of the end of standard error a cause shows, in bytes.
pub(super) const TAIL_BYTES: usize = 4096;

/// The longest line that is looked at as a whole, in bytes; the rest of a longer one is dropped.
/// This bounds what one command's standard error can cost in memory.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

/// What was heard so far: the end of the ordinary text, and the error the command named.
pub(super) struct Heard {
    tail: VecDeque<u8>,
    cut: bool,
    named: Option<(String, String)>,
    errors: u32,
    line: Vec<u8>,
}

impl Heard {
    pub(super) fn new() -> Self {
        Self { tail: VecDeque::new(), cut: false, named: None, errors: 0, line: Vec::new() }
    }

    /// The error name and cause of the last `::error` line.
    pub(super) fn named(&self) -> Option<(&str, &str)> {
        self.named.as_ref().map(|(name, cause)| (name.as_str(), cause.as_str()))
    }

    /// How many things failed, by the last `::errors` line.
    pub(super) fn errors(&self) -> u32 {
        self.errors
    }

    /// The end of the ordinary text, fit for a terminal.
    pub(super) fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text: String = String::from_utf8_lossy(&bytes)
            .chars()
            .filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'))
            .collect();
        let text = text.trim();
        if self.cut { format!("…{text}") } else { text.to_owned() }
    }

    /// Reads until the end of `stderr`, passing reports on to the job as they come.
    pub(super) async fn listen(&mut self, mut stderr: impl AsyncRead + Unpin, job: &JobContext) {
        let mut buffer = vec![0_u8; 8192];
        loop {
            match stderr.read(&mut buffer).await {
                Ok(count) if count > 0 => {
                    self.take(buffer.get(..count).unwrap_or_default(), job);
                }
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "reading the standard error of a command failed");
                    break;
                }
            }
        }
        if !self.line.is_empty() {
            self.end_line(job);
        }
    }

    fn take(&mut self, bytes: &[u8], job: &JobContext) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) =
                piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(text.get(..room.min(text.len())).unwrap_or_default());
            if ended {
                self.end_line(job);
            }
        }
    }

    fn end_line(&mut self, job: &JobContext) {
        let bytes = std::mem::take(&mut self.line);
        match protocol::parse(&String::from_utf8_lossy(&bytes)) {
            Line::Progress(report) => job.report(report),
            Line::Heartbeat => job.heartbeat(),
            Line::Errors(count) => self.errors = count,
            Line::Error { name, cause } => self.named = Some((name.to_owned(), cause.to_owned())),
            Line::Text(text) => {
                tracing::debug!(attempt = ?job.id(), job_type = job.job_type(), text, "command");
                self.tail.extend(text.as_bytes());
                self.tail.push_back(b'\n');
                let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
                self.cut |= surplus > 0;
                self.tail.drain(..surplus);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::command::testing::context;

    async fn heard(text: &[u8]) -> (Heard, Vec<crate::worker::ProgressReport>) {
        let (job, _fire, sink) = context("null");
        let mut heard = Heard::new();
        heard.listen(text, &job).await;
        (heard, sink.reports())
    }

    #[tokio::test]
    async fn only_the_end_of_the_text_is_kept() {
        let text: String = (0..10_000).map(|number| format!("line {number}\n")).collect();
        let (heard, _) = heard(text.as_bytes()).await;
        let tail = heard.tail();
        assert!(tail.starts_with('…') && tail.ends_with("line 9999"), "{tail}");
        assert!(tail.len() <= TAIL_BYTES + 3);
    }

    #[tokio::test]
    async fn an_endless_line_costs_no_more_than_the_limit() {
        let mut text = vec![b'x'; 3 * MAX_LINE_BYTES];
        text.extend_from_slice(b"\n::progress 7");
        let (heard, reports) = heard(&text).await;
        assert!(heard.line.capacity() <= 2 * MAX_LINE_BYTES);
        assert_eq!(heard.tail().len(), TAIL_BYTES - 1 + '…'.len_utf8());
        assert_eq!(reports.first().and_then(|report| report.percent), Some(7));
    }

    #[tokio::test]
    async fn escape_sequences_do_not_reach_a_terminal() {
        let (heard, _) = heard(b"\x1b[31mred\x1b[0m \xff\n::error Bad worse\n").await;
        assert_eq!(heard.tail(), "[31mred[0m \u{fffd}");
        assert_eq!(heard.named(), Some(("Bad", "worse")));
    }

    #[tokio::test]
    async fn the_last_count_of_errors_counts() {
        let (heard, _) = heard(b"::errors 3\n::errors 2\n").await;
        assert_eq!(heard.errors(), 2);
    }
}
