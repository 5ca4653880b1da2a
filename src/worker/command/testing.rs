//! What the tests of workers share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::engine::{ExecutionId, Failure, JobId};
use crate::language::Json;
use crate::worker::{AttemptId, CancelToken, JobContext, JobOutcome, ProgressReport, ProgressSink};

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Keeps what was reported.
#[derive(Default)]
pub(crate) struct Sink {
    reports: Mutex<Vec<ProgressReport>>,
    heartbeats: Mutex<usize>,
    changed: Notify,
}

impl Sink {
    pub(crate) fn reports(&self) -> Vec<ProgressReport> {
        self.reports.lock().unwrap().clone()
    }

    pub(crate) fn heartbeats(&self) -> usize {
        *self.heartbeats.lock().unwrap()
    }

    /// Waits for a report with a message that begins with `beginning`, and gives what follows.
    pub(crate) async fn message(&self, beginning: &str) -> String {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let found = self
                    .reports()
                    .into_iter()
                    .find_map(|report| Some(report.message?.strip_prefix(beginning)?.to_owned()));
                match found {
                    Some(rest) => break rest,
                    None => changed.await,
                }
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("the message is reported in time")
    }
}

impl ProgressSink for Sink {
    fn report(&self, _: AttemptId, report: ProgressReport) {
        self.reports.lock().unwrap().push(report);
        self.changed.notify_one();
    }

    fn heartbeat(&self, _: AttemptId) {
        *self.heartbeats.lock().unwrap() += 1;
    }
}

/// The first attempt of job 7 with its input, what cancels it, and where its reports go.
pub(crate) fn context(input: &str) -> (JobContext, watch::Sender<bool>, Arc<Sink>) {
    let id =
        AttemptId { execution: ExecutionId(uuid::Uuid::from_u128(7)), job: JobId(7), attempt: 1 };
    let (fire, token) = CancelToken::new();
    let sink = Arc::new(Sink::default());
    let input = Json::parse(input).unwrap();
    let job = JobContext::new(id, Arc::from("test_job"), input, token, sink.clone());
    (job, fire, sink)
}

pub(crate) fn outcome_of(outcome: JobOutcome) -> Result<Json, Failure> {
    match outcome {
        JobOutcome::Succeeded { output, .. } => Ok(output),
        JobOutcome::Failed(failure) => Err(failure),
        JobOutcome::Cancelled => panic!("the attempt was cancelled"),
    }
}
