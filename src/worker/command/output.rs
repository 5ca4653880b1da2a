//! Reading a command's result from its standard output.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::language::Json;
use crate::worker::registry::{INVALID_OUTPUT, JobError};

/// How much of an output that is no JSON the cause quotes, in bytes.
const QUOTED_BYTES: usize = 120;

/// The output is over its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Reads until the end of `stdout` into `output`, but not more than `limit` bytes.
pub(super) async fn read(
    stdout: impl AsyncRead + Unpin,
    limit: usize,
    output: &mut Vec<u8>,
) -> Result<(), TooLarge> {
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    if let Err(error) = stdout.take(bound).read_to_end(output).await {
        tracing::warn!(%error, "reading the standard output of a command failed");
    }
    if output.len() > limit { Err(TooLarge) } else { Ok(()) }
}

/// The result in an output: one JSON document, or nothing, which is `null`.
pub(super) fn result(output: &[u8]) -> Result<Json, JobError> {
    let invalid = |fault: String| {
        let beginning = output.get(..QUOTED_BYTES.min(output.len())).unwrap_or_default();
        let more = if beginning.len() < output.len() { "…" } else { "" };
        let cause = format!(
            "the command's standard output is not one JSON document: {fault}; it begins with \
             {:?}{more}. Write only the result to standard output, and all else to standard error",
            String::from_utf8_lossy(beginning),
        );
        JobError::new(INVALID_OUTPUT, cause)
    };
    let text = std::str::from_utf8(output).map_err(|error| invalid(error.to_string()))?;
    if text.trim().is_empty() {
        return Ok(Json::null());
    }
    Json::parse(text).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_null_and_space_does_not_matter() {
        assert_eq!(result(b"").unwrap(), Json::null());
        assert_eq!(result(b" \n").unwrap(), Json::null());
        assert_eq!(result(b" {\"a\": 1}\n").unwrap().as_str(), "{\"a\": 1}");
    }

    #[test]
    fn what_is_taken_can_be_parsed() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deepest = result(nested(127).as_bytes()).unwrap();
        assert!(deepest.value().is_array());
        let error = result(nested(128).as_bytes()).unwrap_err();
        assert!(error.cause().contains("recursion limit"), "{}", error.cause());
        assert!(result(format!("{:?}", "[\\\"[".repeat(200)).as_bytes()).is_ok());
    }

    #[test]
    fn bytes_that_are_no_text_are_quoted() {
        let error = result(b"{\"a\": \xff}").unwrap_err();
        assert_eq!(error.error(), INVALID_OUTPUT);
        assert!(
            error.cause().contains("begins with \"{\\\"a\\\": \u{fffd}}\"."),
            "{}",
            error.cause()
        );
    }

    #[tokio::test]
    async fn reading_stops_at_the_limit() {
        let mut output = Vec::new();
        assert!(read(&b"12345"[..], 5, &mut output).await.is_ok());
        output.clear();
        assert!(read(&[b'x'; 100][..], 5, &mut output).await.is_err());
        assert_eq!(output.len(), 6);
    }
}
