//! What must hold of any bytes on the control socket: a body of the fuzz targets.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::value::RawValue;

use super::lines::{LineError, Lines};
use super::protocol::{Answer, Hello, Request, Wire};
use crate::engine::Execution;
use crate::runtime::{Paused, Queues, Record, Summary};
use crate::testing::fuzz::taken;

/// The longest line of an input.
const LINE_BYTES: usize = 4096;

/// Lines of the control socket, of either side: a request or a refusal, an answer or an error, never
/// a panic. A request is written and read again as the same, on one line; lines are cut where they
/// end, and none is longer than its limit.
///
/// # Panics
/// When that does not hold.
pub fn control_lines(data: &[u8]) {
    for line in cut(data) {
        if let Ok((id, request)) = Request::read(&line) {
            taken();
            let written = request.line(id).unwrap_or_default();
            let read = Request::read(written.strip_suffix(b"\n").unwrap_or_default());
            assert_eq!(read.as_ref(), Ok(&(id, request)), "{}", String::from_utf8_lossy(&line));
            assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1);
        }
        if let Ok(answer) = serde_json::from_slice::<Answer>(&line) {
            for value in [&answer.ok, &answer.item].into_iter().flatten() {
                values(&answer, value);
            }
        }
    }
}

/// Cuts lines as they come from a socket.
fn cut(data: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Lines::new(data, LINE_BYTES);
    let mut cut = Vec::new();
    loop {
        // Bytes in memory are always ready.
        let next = pin!(lines.next()).poll(&mut Context::from_waker(Waker::noop()));
        match next {
            Poll::Ready(Ok(Some(line))) => cut.push(line.to_vec()),
            Poll::Ready(Ok(None) | Err(LineError::TooLong)) => break,
            Poll::Ready(Err(LineError::Io(_))) | Poll::Pending => {
                unreachable!("bytes in memory can be read")
            }
        }
    }
    let expected = data.split(|byte| *byte == b'\n').take(cut.len());
    assert!(expected.eq(cut.iter().map(Vec::as_slice)), "of {data:?}");
    assert!(cut.iter().all(|line| line.len() <= LINE_BYTES), "of {data:?}");
    cut
}

/// Reads what an answer holds as each of the things that it may be.
fn values(answer: &Answer, value: &RawValue) {
    drop(answer.value::<Hello>(value));
    drop(answer.value::<Paused>(value));
    drop(answer.value::<Queues>(value));
    drop(answer.value::<Summary>(value));
    public(answer.value::<Record>(value).ok());
    public(answer.value::<Execution>(value).ok());
}

/// What an engine would tell of it, once hidden, stays so.
fn public<T: Wire + PartialEq + std::fmt::Debug>(value: Option<T>) {
    let Some(mut value) = value else { return };
    value.make_public();
    let nulls = value.nulls();
    let text = serde_json::to_string(&value).unwrap_or_default();
    let line = serde_json::json!({"id": 1, "nulls": nulls}).to_string();
    let (Ok(answer), Ok(raw)) =
        (serde_json::from_str::<Answer>(&line), RawValue::from_string(text))
    else {
        unreachable!("what was read cannot be told: {value:?}");
    };
    assert_eq!(answer.value::<T>(&raw).ok(), Some(value));
}
