//! Events as lines of JSON, as `log export` writes them and `--file` reads them.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::moment::rfc_3339;
use crate::engine::{Event, ExecutionId};
use crate::store::{Record, Stream};

/// One event. Its data is kept as text, so that numbers read as they were written.
#[derive(Serialize, Deserialize)]
struct Line<'l> {
    position: u64,
    sequence: u64,
    /// None for events of workflows.
    execution: Option<ExecutionId>,
    time: String,
    event: &'l str,
    #[serde(borrow)]
    data: &'l RawValue,
}

/// The field that holds an attempt's token: it is left out, and tells a reader nothing.
const SECRET: &str = "token";
/// The field that holds a callback's token: that there is one tells what the job waits for.
const CALLBACK: &str = "callback";
/// Stands for a token that was left out.
const NO_TOKEN: &str = "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]";

type Fields<'f> = IndexMap<&'f str, &'f RawValue>;

/// Writes an event as one line, its end included.
///
/// # Errors
/// Never for events that the engine made.
pub(super) fn line(record: &Record) -> serde_json::Result<String> {
    let event = serde_json::to_string(&*record.event)?;
    let event: Fields<'_> = serde_json::from_str(&event)?;
    let (name, body) = event.first().ok_or_else(|| malformed("an event without a name"))?;
    let mut fields: Fields<'_> = serde_json::from_str(body.get())?;
    fields.shift_remove(SECRET);
    let no_token = RawValue::from_string(NO_TOKEN.to_owned())?;
    if let Some(callback) = fields.get_mut(CALLBACK).filter(|field| field.get() != "null") {
        *callback = &no_token;
    }
    let data = serde_json::value::to_raw_value(&fields)?;
    let is_definition = matches!(*record.event, Event::DefinitionStored(_));
    let line = serde_json::to_string(&Line {
        position: record.position,
        sequence: record.sequence,
        execution: (!is_definition).then_some(ExecutionId(record.stream)),
        time: record.time.to_string(),
        event: name,
        data: &data,
    })?;
    // Between the tokens of a document line breaks mean nothing, and in a text they are escaped.
    Ok(line.replace(['\n', '\r'], " ") + "\n")
}

/// Reads a line that [`line`] wrote.
///
/// # Errors
/// It is none.
pub(super) fn record(line: &str) -> serde_json::Result<Record> {
    let line: Line<'_> = serde_json::from_str(line)?;
    let mut fields: Fields<'_> = serde_json::from_str(line.data.get())?;
    let no_token = RawValue::from_string(NO_TOKEN.to_owned())?;
    if line.event == "JobStarted" {
        fields.insert("token", &no_token);
    }
    let event = serde_json::to_string(&IndexMap::from([(line.event, fields)]))?;
    let event: Event = serde_json::from_str(&event)?;
    let time = rfc_3339(&line.time).ok_or_else(|| malformed("the time cannot be read"))?;
    let stream = line.execution.map_or(Stream::nil(), |id| id.0);
    let Line { sequence, position, .. } = line;
    Ok(Record { stream, sequence, position, time, event: Arc::new(event) })
}

fn malformed(what: &str) -> serde_json::Error {
    serde::ser::Error::custom(what)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::engine::event::{ExecutionCompleted, JobScheduled, JobStarted};
    use crate::engine::{Data, FrameId, JobId, Timestamp, Token};
    use crate::language::Json;

    fn record_of(event: impl Into<Event>) -> Record {
        Record {
            stream: Uuid::from_u128(7),
            sequence: 2,
            position: 3,
            time: Timestamp(1_700_000_000_123),
            event: Arc::new(event.into()),
        }
    }

    #[test]
    fn an_event_is_one_line_and_reads_back() {
        let output = Json::parse("{\"a\":\n 12345678901234567890123.10, \"token\": 1}").unwrap();
        let written = record_of(ExecutionCompleted { output: Data::New(output) });
        let line = line(&written).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.contains("12345678901234567890123.10"), "{line}");
        let read = record(&line).unwrap();
        let Event::ExecutionCompleted(body) = &*read.event else { panic!("{read:?}") };
        let Data::New(output) = &body.output else { panic!("{body:?}") };
        assert!(output.as_str().contains("\"token\""), "only our own tokens are left out");
        assert_eq!((read.stream, read.sequence, read.position), (Uuid::from_u128(7), 2, 3));
        assert_eq!(read.time, written.time);
    }

    #[test]
    fn tokens_are_left_out_and_not_missed() {
        let token = Token([9; 16]);
        let started =
            record_of(JobStarted { job: JobId(1), attempt: 1, worker: "w".into(), token });
        let line = line(&started).unwrap();
        assert!(!line.contains("token") && !line.contains("9,9"), "{line}");
        let read = record(&line).unwrap();
        let Event::JobStarted(body) = &*read.event else { panic!("{read:?}") };
        assert!(body.token.is_same(&Token([0; 16])));

        let scheduled = JobScheduled {
            job: JobId(1),
            frame: FrameId::ROOT,
            attempt: 1,
            job_type: "t".into(),
            input: Data::New(Json::null()),
            timeout_seconds: None,
            heartbeat_seconds: Some(3),
            callback: Some(token),
            child: None,
        };
        let line = super::line(&record_of(scheduled)).unwrap();
        assert!(line.contains("\"callback\":[0,0,") && !line.contains("9,9"), "{line}");
        assert!(record(&line).is_ok());
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for line in [
            "",
            "{}",
            "{\"position\":1,\"sequence\":1,\"time\":\"2026-01-01T00:00:00Z\",\"event\":\"Nothing\",\"data\":{}}",
        ] {
            assert!(record(line).is_err(), "{line}");
        }
    }
}
