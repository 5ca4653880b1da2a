//! Jobs for workers of other processes: asking for some, and telling what became of them.
//!
//! Tokens are in bodies only, which nobody logs.

use std::time::Duration;

use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::http::{
    Access, Answer, Call, Given, Kind, Param, Problem, Role, Route, Size, Taken, document,
};
use super::log::no_seat;
use crate::language::Json;
use crate::runtime::{
    self, LONGEST_LEASE_SECONDS, LONGEST_POLL, MOST_POLLED, MOST_POLLED_TYPES, MOST_UNANSWERED,
    Poll, Polled, RemoteJob, RemoteOutcome, SHORTEST_LEASE_SECONDS, Standing, USUAL_LEASE_SECONDS,
};
use crate::traces::Traces;
use crate::worker::{AttemptId, JobError, ProgressReport};

/// The longest token, name of an error, or cause.
const MOST_TOKEN: usize = 256;
const MOST_ERROR: usize = 256;
const MOST_CAUSE: usize = 32 * 1024;
/// The longest message.
const MOST_MESSAGE: usize = 4096;
/// Reports in one request.
const MOST_REPORTS: usize = 1000;

const TOKEN: Param =
    Param::required("token", Kind::Text(MOST_TOKEN), "The token that came with the job.");

const POLL: &[Param] = &[
    Param::required("worker", Kind::Text(128), "The worker's name."),
    Param::required("types", Kind::Json, "The job types that it takes: a list of texts."),
    Param::new("max", Kind::Number(MOST_POLLED as u64), "How many jobs it takes; 1 unless said."),
    Param::new(
        "wait_seconds",
        Kind::Number(LONGEST_POLL.as_secs()),
        "How long to wait for the first; 60 unless said.",
    ),
    Param::new(
        "request",
        Kind::Text(128),
        "A name for this request, in letters, digits, `.`, `_` and `-`, that the worker uses once.",
    ),
    Param::new(
        "unanswered",
        Kind::Json,
        "Names of earlier requests, at most 64, whose answers the worker did not get and no longer \
         waits for: a list of texts. Jobs that were given to those go to others at once.",
    ),
    Param::new(
        "lease_seconds",
        Kind::Number(LONGEST_LEASE_SECONDS as u64),
        "For how long it may be silent with a job, at least 5; 60 unless said. After that the job is \
         given to another.",
    ),
];
const REPORT: &[Param] = &[
    Param::required("worker", Kind::Text(128), "The worker's name."),
    Param::required(
        "reports",
        Kind::Json,
        "A list of objects with `token`, `kind` (`heartbeat`, `progress`, `completed`, `failed`, \
         `cancelled`) and the fields of that kind, as the requests for single ones have them.",
    ),
];
const HEARTBEAT: &[Param] = &[TOKEN];
const PROGRESS: &[Param] = &[
    TOKEN,
    Param::new("percent", Kind::Number(100), "How far it is."),
    Param::new("message", Kind::Text(MOST_MESSAGE), "Words for people."),
    Param::new("processed", Kind::Number(u64::MAX), "How many things are done."),
    Param::new("total", Kind::Number(u64::MAX), "How many things there are."),
];
const COMPLETE: &[Param] = &[
    TOKEN,
    Param::new("output", Kind::Json, "The result; null unless said."),
    Param::new("errors", Kind::Number(u32::MAX as u64), "Things that failed all the same."),
];
const FAIL: &[Param] = &[
    TOKEN,
    Param::required("error", Kind::Text(MOST_ERROR), "The name of the error."),
    Param::new("cause", Kind::Text(MOST_CAUSE), "Why, for people."),
];

pub(super) fn routes() -> Vec<Route> {
    let worker = Access::Role(Role::Worker);
    let post = |path, name, about, handler: fn(Call) -> Telling, fields, size| {
        Route::new(Method::POST, worker, path, name, handler)
            .about(about)
            .takes(Taken::Fields(fields), size)
    };
    let standing = |route: Route| route.gives(Given::Document("everstep.standing/v1"));
    vec![
        post(
            "/api/v1/jobs/poll",
            "poll_jobs",
            "Waits for jobs and takes them. What it gives is started, durably, in the worker's name.",
            |call| Box::pin(poll(call)),
            POLL,
            Size::Document,
        )
        .gives(Given::Items("everstep.jobs/v1")),
        post(
            "/api/v1/jobs/report",
            "report_jobs",
            "Several reports at once; each is answered by itself, in the same order.",
            |call| Box::pin(report(call)),
            REPORT,
            Size::Payload,
        )
        .gives(Given::Document("everstep.reports/v1")),
        standing(post(
            "/api/v1/jobs/heartbeat",
            "heartbeat_job",
            "A sign of life: the lease begins anew. Says whether the job should stop.",
            |call| Box::pin(std::future::ready(heartbeat(&call))),
            HEARTBEAT,
            Size::Document,
        )),
        standing(post(
            "/api/v1/jobs/progress",
            "progress_job",
            "How far a job is; a sign of life too.",
            |call| Box::pin(std::future::ready(progress(&call))),
            PROGRESS,
            Size::Document,
        )),
        standing(post(
            "/api/v1/jobs/complete",
            "complete_job",
            "The job is done. Durable when this answers.",
            |call| Box::pin(complete(call)),
            COMPLETE,
            Size::Payload,
        )),
        standing(post(
            "/api/v1/jobs/fail",
            "fail_job",
            "The job has failed. Its `Retry` and `Catch` decide what happens.",
            |call| Box::pin(fail(call)),
            FAIL,
            Size::Document,
        )),
        standing(post(
            "/api/v1/jobs/cancelled",
            "cancelled_job",
            "The job has stopped because it was asked to.",
            |call| Box::pin(cancelled(call)),
            HEARTBEAT,
            Size::Document,
        )),
    ]
}

type Telling = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

#[derive(Serialize)]
struct Jobs<'j> {
    items: Vec<Job<'j>>,
    draining: bool,
}

#[derive(Serialize)]
struct Job<'j> {
    token: &'j str,
    execution: String,
    job: u32,
    attempt: u32,
    r#type: &'j str,
    input: &'j Json,
    lease_seconds: u32,
    heartbeat_seconds: Option<u64>,
    /// Of which trace the worker's own spans are part.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

impl<'j> Job<'j> {
    fn of(job: &'j RemoteJob, traces: &Traces) -> Self {
        let RemoteJob { execution, attempt, .. } = *job;
        Self {
            traceparent: traces.parent_for(AttemptId { execution, job: job.job, attempt }),
            token: &job.token,
            execution: job.execution.to_string(),
            job: job.job.0,
            attempt: job.attempt,
            r#type: &job.job_type,
            input: &job.input,
            lease_seconds: job.lease_seconds,
            heartbeat_seconds: job.heartbeat_seconds,
        }
    }
}

async fn poll(call: Call) -> Answer {
    let fields = call.fields();
    let _seat = call.app.poll_seats.take(&call.principal.name).ok_or_else(no_seat)?;
    let job_types: Vec<String> = fields
        .json("types")
        .and_then(|types| serde_json::from_str(types.as_str()).ok())
        .filter(|types: &Vec<String>| (1..=MOST_POLLED_TYPES).contains(&types.len()))
        .ok_or_else(|| {
            let detail = format!("it is no list of 1 to {MOST_POLLED_TYPES} job types");
            Problem::invalid("/types", detail)
        })?;
    let number = |name| fields.number(name).and_then(|number| u32::try_from(number).ok());
    let lease_seconds = number("lease_seconds").unwrap_or(USUAL_LEASE_SECONDS);
    if lease_seconds < SHORTEST_LEASE_SECONDS {
        let detail = format!("it is less than {SHORTEST_LEASE_SECONDS}");
        return Err(Problem::invalid("/lease_seconds", detail));
    }
    let unanswered: Vec<String> = match fields.json("unanswered") {
        None => Vec::new(),
        Some(names) => serde_json::from_str(names.as_str())
            .ok()
            .filter(|names: &Vec<String>| names.len() <= MOST_UNANSWERED)
            .ok_or_else(|| {
                let detail = format!("it is no list of up to {MOST_UNANSWERED} texts");
                Problem::invalid("/unanswered", detail)
            })?,
    };
    let wait = fields.number("wait_seconds").map_or(LONGEST_POLL, Duration::from_secs);
    let poll = Poll {
        worker: fields.text("worker").unwrap_or_default(),
        job_types,
        most: number("max").and_then(|most| usize::try_from(most).ok()).unwrap_or(1),
        wait,
        lease_seconds: Some(lease_seconds),
        address: Some(call.peer.ip().to_string()),
        request: fields.text("request"),
        unanswered,
    };
    let polled = tokio::select! {
        polled = call.app.engine.poll_jobs(poll) => polled?,
        () = call.app.stopped() => Polled { jobs: Vec::new(), is_draining: false },
    };
    let items = polled.jobs.iter().map(|job| Job::of(job, &call.app.settings.traces)).collect();
    document("everstep.jobs/v1", &Jobs { items, draining: polled.is_draining })
}

fn heartbeat(call: &Call) -> Answer {
    let token = token(call);
    stands(call.app.engine.heartbeat_job(&token)?)
}

fn progress(call: &Call) -> Answer {
    let fields = call.fields();
    let percent = fields.number("percent").and_then(|percent| u8::try_from(percent).ok());
    let report = ProgressReport {
        percent,
        message: fields.text("message"),
        processed: fields.number("processed"),
        total: fields.number("total"),
    };
    stands(call.app.engine.report_job(&token(call), report)?)
}

async fn complete(call: Call) -> Answer {
    let fields = call.fields();
    let errors = fields.number("errors").and_then(|errors| u32::try_from(errors).ok());
    let output = fields.json("output").unwrap_or_else(Json::null);
    finish(&call, RemoteOutcome::Completed { output, errors: errors.unwrap_or_default() }).await
}

async fn fail(call: Call) -> Answer {
    let fields = call.fields();
    let error = fields.text("error").unwrap_or_default();
    let cause = fields.text("cause").unwrap_or_default();
    finish(&call, RemoteOutcome::Failed(JobError::new(error, cause))).await
}

async fn cancelled(call: Call) -> Answer {
    finish(&call, RemoteOutcome::Cancelled).await
}

async fn finish(call: &Call, outcome: RemoteOutcome) -> Answer {
    call.app.engine.finish_job(&token(call), outcome).await?;
    stands(Standing { cancel: false })
}

fn token(call: &Call) -> String {
    call.fields().text("token").unwrap_or_default()
}

fn stands(standing: Standing) -> Answer {
    document("everstep.standing/v1", &json!({"cancel": standing.cancel}))
}

/// A report among several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    token: String,
    kind: ReportKind,
    percent: Option<u8>,
    message: Option<String>,
    processed: Option<u64>,
    total: Option<u64>,
    output: Option<Json>,
    errors: Option<u32>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReportKind {
    Heartbeat,
    Progress,
    Completed,
    Failed,
    Cancelled,
}

/// What became of one of several reports.
#[derive(Serialize)]
struct Told {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Told {
    fn of(answer: Result<Standing, runtime::Error>) -> Self {
        match answer {
            Ok(Standing { cancel }) => {
                Self { ok: true, cancel: Some(cancel), code: None, detail: None }
            }
            Err(error) => Self {
                ok: false,
                cancel: None,
                code: Some(error.code()),
                detail: Some(error.to_string()),
            },
        }
    }
}

/// Takes ends together, so that they share commits, and what is only told at once.
async fn report(call: Call) -> Answer {
    let reports = call.fields().json("reports").unwrap_or_else(Json::null);
    let reports = read_reports(&reports)?;
    let engine = &call.app.engine;
    let mut answers: Vec<Option<Told>> = Vec::with_capacity(reports.len());
    let (mut ends, mut places) = (Vec::new(), Vec::new());
    for report in reports {
        let place = answers.len();
        match report.outcome() {
            Some(outcome) => {
                places.push(place);
                ends.push((report.token, outcome));
                answers.push(None);
            }
            None => answers.push(Some(Told::of(report.tell(engine)))),
        }
    }
    let finished = engine.finish_jobs(ends).await;
    for (place, finished) in places.into_iter().zip(finished) {
        // A store that failed or a stop is no word on the job: the worker asks again.
        if let Err(error @ (runtime::Error::Stopping | runtime::Error::Failed { .. })) = finished {
            return Err(error.into());
        }
        if let Some(answer) = answers.get_mut(place) {
            *answer = Some(Told::of(finished.map(|()| Standing { cancel: false })));
        }
    }
    let items: Vec<Told> = answers.into_iter().flatten().collect();
    document("everstep.reports/v1", &json!({"items": items}))
}

fn read_reports(reports: &Json) -> Result<Vec<Report>, Problem> {
    let read: Vec<Report> = serde_json::from_str(reports.as_str())
        .map_err(|error| Problem::invalid("/reports", error.to_string()))?;
    if read.len() > MOST_REPORTS {
        let detail = format!("there are more than {MOST_REPORTS}");
        return Err(Problem::invalid("/reports", detail));
    }
    for (index, report) in read.iter().enumerate() {
        if let Some((field, detail)) = report.fault() {
            return Err(Problem::invalid(&format!("/reports/{index}/{field}"), detail));
        }
    }
    Ok(read)
}

/// Whether they can be read.
#[cfg(any(test, feature = "testing"))]
pub(in crate::server) fn check_reports(reports: &Json) -> Result<(), Problem> {
    read_reports(reports).map(drop)
}

impl Report {
    /// What is wrong with it, as with a request of its own.
    fn fault(&self) -> Option<(&'static str, String)> {
        let long = |text: &Option<String>, most: usize| {
            text.as_ref().is_some_and(|text| text.len() > most)
        };
        let too_long = |most: usize| format!("it has more than {most} bytes");
        if self.token.len() > MOST_TOKEN {
            return Some(("token", too_long(MOST_TOKEN)));
        }
        if long(&self.message, MOST_MESSAGE) {
            return Some(("message", too_long(MOST_MESSAGE)));
        }
        if long(&self.error, MOST_ERROR) {
            return Some(("error", too_long(MOST_ERROR)));
        }
        if long(&self.cause, MOST_CAUSE) {
            return Some(("cause", too_long(MOST_CAUSE)));
        }
        if self.kind == ReportKind::Failed && self.error.is_none() {
            return Some(("error", "it is missing".to_owned()));
        }
        if self.percent.is_some_and(|percent| percent > 100) {
            return Some(("percent", "it is no whole number from 0 to 100".to_owned()));
        }
        None
    }

    /// How the job ended, if that is what it says.
    fn outcome(&self) -> Option<RemoteOutcome> {
        match self.kind {
            ReportKind::Completed => {
                let output = self.output.clone().unwrap_or_else(Json::null);
                let errors = self.errors.unwrap_or_default();
                Some(RemoteOutcome::Completed { output, errors })
            }
            ReportKind::Failed => {
                let error = self.error.clone().unwrap_or_default();
                let cause = self.cause.clone().unwrap_or_default();
                Some(RemoteOutcome::Failed(JobError::new(error, cause)))
            }
            ReportKind::Cancelled => Some(RemoteOutcome::Cancelled),
            ReportKind::Heartbeat | ReportKind::Progress => None,
        }
    }

    /// Tells that it goes on.
    fn tell(self, engine: &runtime::Orchestrator) -> Result<Standing, runtime::Error> {
        if self.kind == ReportKind::Heartbeat {
            return engine.heartbeat_job(&self.token);
        }
        let Self { token, percent, message, processed, total, .. } = self;
        engine.report_job(&token, ProgressReport { percent, message, processed, total })
    }
}
