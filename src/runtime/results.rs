//! Writing the results of a distributed Map: from the executions that were its parts into files.
//!
//! The parent keeps no outputs for this. Its history says which executions the run had, and each of
//! those has its own output, so memory does not grow with either.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::error::Error;
use super::past::read_execution;
use crate::engine::{Event, Execution, ExecutionId, Failure, Status};
use crate::language::Json;
use crate::language::distributed::WriterConfig;
use crate::store::EventStore;
use crate::worker::files::{
    Buckets, ChildResult, ChildStatus, RESULT_FILE_BYTES, RESULT_WRITER_FAILED, ResultFiles,
    Transformed,
};
use crate::worker::{BoxFuture, JobContext, JobHandler, JobOutcome};

/// Records of the parent read at once.
const RECORDS: u64 = 4096;
/// Executions read and written at once.
const CHILDREN: usize = 256;

/// The handler of these jobs.
pub(super) struct WriteResults {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) buckets: Arc<Buckets>,
    /// The most bytes of results that are not written but given.
    pub(super) payload_bytes: usize,
}

/// What decide asks for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    arguments: Value,
    writer_config: WriterConfig,
    map_run: Uuid,
    execution: ExecutionId,
}

/// A part of the run.
struct Part {
    child: ExecutionId,
    /// Why its parent says that it failed.
    failure: Option<Failure>,
}

impl JobHandler for WriteResults {
    fn run(&self, job: JobContext) -> BoxFuture<'_, JobOutcome> {
        Box::pin(async move {
            match self.write(&job).await {
                Ok(Some(result)) => JobOutcome::Succeeded(result),
                Ok(None) => JobOutcome::Cancelled,
                Err(failure) => JobOutcome::Failed(failure),
            }
        })
    }
}

impl WriteResults {
    /// The Map's result; nothing when the job was asked to stop.
    async fn write(&self, job: &JobContext) -> Result<Option<Json>, Failure> {
        let order: Order = serde_json::from_str(job.input().as_str())
            .map_err(|error| unwritten(format!("the order cannot be read: {error}")))?;
        let children = self.children(&order).await?;
        if order.arguments.is_null() {
            let mut given = Transformed::new(order.writer_config, self.payload_bytes);
            for some in children.chunks(CHILDREN) {
                for child in self.read(some).await? {
                    given.add(&child)?;
                }
            }
            return given.finish().map(Some);
        }
        let (run, config) = (order.map_run.to_string(), order.writer_config);
        let (arguments, limit) = (&order.arguments, RESULT_FILE_BYTES);
        let mut files = ResultFiles::begin(&self.buckets, arguments, config, &run, limit).await?;
        let total = u64::try_from(children.len()).ok();
        let mut processed = 0;
        for some in children.chunks(CHILDREN) {
            if job.cancel_token().is_cancelled() {
                return Ok(None);
            }
            files = files.add(self.read(some).await?).await?;
            processed += u64::try_from(some.len()).unwrap_or(0);
            job.report(crate::worker::ProgressReport {
                processed: Some(processed),
                total,
                ..crate::worker::ProgressReport::default()
            });
        }
        files.finish().await.map(Some)
    }

    /// The executions of the run, in the order of their items, with why those failed that did.
    async fn children(&self, order: &Order) -> Result<Vec<Part>, Failure> {
        let (mut children, mut next, mut frame) = (Vec::new(), 1, None);
        let mut failures: HashMap<ExecutionId, Failure> = HashMap::new();
        loop {
            let records = self.store.read_history(order.execution.0, next..next + RECORDS).await;
            let records = records.map_err(|error| unwritten(error.to_string()))?;
            let Some(last) = records.last() else {
                let part = |child| Part { child, failure: failures.remove(&child) };
                return Ok(children.into_iter().map(part).collect());
            };
            next = last.sequence + 1;
            for record in &records {
                match &*record.event {
                    Event::ForkStarted(body) if body.run == Some(order.map_run) => {
                        frame = Some(body.frame);
                    }
                    // Items begin in their order.
                    Event::ItemStarted(body) if frame == Some(body.frame) => {
                        children.push(body.child);
                    }
                    Event::ItemFailed(body) => {
                        failures.insert(body.child, body.failure.clone());
                    }
                    _ => {}
                }
            }
        }
    }

    async fn read(&self, parts: &[Part]) -> Result<Vec<ChildResult>, Failure> {
        let mut results = Vec::with_capacity(parts.len());
        for Part { child, failure } in parts {
            let execution = match read_execution(&*self.store, *child).await {
                Ok(execution) => execution,
                // It was refused before it began.
                Err(Error::NoSuchExecution { .. }) => Execution::new(*child),
                Err(error) => return Err(unwritten(error.to_string())),
            };
            let mut result = result(&execution);
            if let Some(Failure { error, cause }) = failure {
                result.error = result.error.or_else(|| Some(error.to_string()));
                result.cause = result.cause.or_else(|| Some(cause.to_string()));
            }
            // Its parent says that it failed, and has the last word.
            if failure.is_some() && result.status == ChildStatus::Pending {
                result.status = ChildStatus::Failed;
            }
            results.push(result);
        }
        Ok(results)
    }
}

fn result(child: &Execution) -> ChildResult {
    let text = |text: &Arc<str>| text.to_string();
    ChildResult {
        id: child.id.to_string(),
        name: child.name.as_ref().map_or_else(|| child.id.to_string(), text),
        workflow: child.workflow.to_string(),
        input: child.input.clone(),
        output: child.output.clone(),
        error: child.failure.as_ref().map(|failure| failure.error.to_string()),
        cause: child.failure.as_ref().map(|failure| failure.cause.to_string()),
        status: match child.status {
            Status::Completed | Status::CompletedWithErrors => ChildStatus::Succeeded,
            Status::Failed => ChildStatus::Failed,
            Status::TimedOut => ChildStatus::TimedOut,
            Status::Cancelled | Status::Cancelling => ChildStatus::Aborted,
            Status::Pending | Status::Running => ChildStatus::Pending,
        },
        started_at_ms: child.started_at.0,
        ended_at_ms: child.ended_at.map(|at| at.0),
        redrives: 0,
    }
}

fn unwritten(cause: impl AsRef<str>) -> Failure {
    Failure::new(RESULT_WRITER_FAILED, cause.as_ref())
}
