//! What goes over the wire: requests and answers of the server's routes below `/jobs`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::{ExecutionId, JobId};
use crate::language::Json;
use crate::worker::AttemptId;

/// Where jobs are asked for.
pub(super) const POLL: &str = "/api/v1/jobs/poll";
/// Where it is told what became of them.
pub(super) const REPORT: &str = "/api/v1/jobs/report";

/// The most jobs that one request may ask for.
pub(super) const MAX_JOBS: usize = 256;
/// The most requests without an answer that one request may name.
pub(super) const MAX_UNANSWERED: usize = 64;
/// The most reports that one request may hold.
pub(super) const MAX_REPORTS: usize = 1000;

/// Asks for jobs.
#[derive(Debug, Serialize)]
pub(super) struct Poll<'p> {
    pub(super) worker: &'p str,
    pub(super) types: &'p [Arc<str>],
    pub(super) max: usize,
    pub(super) wait_seconds: u64,
    pub(super) lease_seconds: u64,
    /// What this request is called.
    pub(super) request: &'p str,
    /// Earlier ones that got no answer.
    pub(super) unanswered: &'p [String],
}

/// Jobs, at most as many as were asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Jobs {
    pub(super) items: Vec<Job>,
    /// Whether an operator wants this worker to end.
    #[serde(default)]
    pub(super) draining: bool,
}

/// One attempt of a job.
#[derive(Debug, Deserialize)]
pub(super) struct Job {
    /// Proves the right to answer. Never shown and never logged.
    pub(super) token: Arc<str>,
    execution: String,
    job: u32,
    attempt: u32,
    #[serde(rename = "type")]
    pub(super) job_type: Arc<str>,
    pub(super) input: Json,
    /// For how long it is this worker's without a sign of life.
    pub(super) lease_seconds: u64,
    /// How often its handler has to give one.
    #[serde(default)]
    pub(super) heartbeat_seconds: Option<u64>,
    /// Of which trace it is part, when the server tells traces.
    #[serde(default)]
    traceparent: Option<Arc<str>>,
}

impl Job {
    /// Which attempt it is; nothing when the server's words for it mean nothing to us.
    pub(super) fn id(&self) -> Option<AttemptId> {
        let execution: ExecutionId = self.execution.parse().ok()?;
        Some(AttemptId { execution, job: JobId(self.job), attempt: self.attempt })
    }

    /// Of which trace it is part; nothing when that could not stand in a variable of a command.
    pub(super) fn traceparent(&self) -> Option<Arc<str>> {
        let is_good = |text: &Arc<str>| {
            text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        };
        self.traceparent.clone().filter(is_good)
    }
}

/// Tells what became of jobs.
#[derive(Debug, Serialize)]
pub(super) struct Reports<'r> {
    pub(super) worker: &'r str,
    pub(super) reports: &'r [Report],
}

/// What is told of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) token: Arc<str>,
    /// For our own log.
    #[serde(skip)]
    pub(super) id: AttemptId,
    #[serde(flatten)]
    pub(super) news: News,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum News {
    Heartbeat,
    Progress {
        #[serde(skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        processed: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    Completed {
        output: Json,
        errors: u32,
    },
    Failed {
        error: Arc<str>,
        cause: Arc<str>,
    },
    Cancelled,
}

impl News {
    /// Whether the job ends with it.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Heartbeat | Self::Progress { .. } => false,
            Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled => true,
        }
    }

    /// About how many bytes it has on the wire, beside its token.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Heartbeat | Self::Cancelled => 0,
            Self::Progress { message, .. } => message.as_ref().map_or(0, String::len),
            Self::Completed { output, .. } => output.len_bytes(),
            Self::Failed { error, cause } => error.len().saturating_add(cause.len()),
        }
    }
}

/// One answer for each report, in their order.
#[derive(Debug, Deserialize)]
pub(super) struct Answers {
    pub(super) items: Vec<Answer>,
}

/// The answer to one report.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Answer {
    pub(super) ok: bool,
    /// Whether the job should stop.
    #[serde(default)]
    pub(super) cancel: bool,
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) detail: String,
}

/// A refusal of a whole request. What is missing stays empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) detail: String,
}

/// Whether the same report may be taken later: nothing is wrong with it, but with the server.
pub(super) fn is_passing(code: &str) -> bool {
    matches!(code, "STOPPING" | "NOT_READY" | "BUSY" | "TOO_MANY_REQUESTS" | "INTERNAL")
        || code.starts_with("STORE_")
        || code.starts_with("STOPPED_")
}
