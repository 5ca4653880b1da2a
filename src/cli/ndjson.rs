//! Events as lines of JSON, as `log export` writes them and `--file` reads them.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::engine::{Event, Timestamp};
use crate::store::{Record, Stream};
use crate::view::{ExportedEvent, ExportedFields};

/// Stands for a token that was left out.
const NO_TOKEN: &str = "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]";

pub(super) use crate::view::export_line as line;

/// Reads a line that [`line`] wrote.
///
/// # Errors
/// It is none.
pub(super) fn record(line: &str) -> serde_json::Result<Record> {
    let line: ExportedEvent<'_> = serde_json::from_str(line)?;
    let mut fields: ExportedFields<'_> = serde_json::from_str(line.data.get())?;
    let no_token = RawValue::from_string(NO_TOKEN.to_owned())?;
    if line.event == "JobStarted" {
        fields.insert("token", &no_token);
    }
    let event = serde_json::to_string(&IndexMap::from([(line.event, fields)]))?;
    let event: Event = serde_json::from_str(&event)?;
    let time =
        Timestamp::from_rfc_3339(&line.time).ok_or_else(|| malformed("the time cannot be read"))?;
    let stream = line.execution.map_or(Stream::nil(), |id| id.0);
    let ExportedEvent { sequence, position, .. } = line;
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
    use crate::engine::{Data, FrameId, JobId, Token};
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
        let written = record_of(ExecutionCompleted { output: Data::New(output), summary: None });
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
