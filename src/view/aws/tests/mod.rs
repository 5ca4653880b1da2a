//! What happened, as AWS tells it. The lists of `id type<previousEventId>` that are marked as
//! recorded are what AWS itself gave for such a machine.

mod ends;
mod forks;
mod pages;
mod tasks;

use std::fmt::Write as _;

use uuid::Uuid;

use super::{HistoryEvent, HistoryWish, Names, history_page};
use crate::engine::{
    Command, ExecutionId, Failure, JobId, JobStatus, RedriveRequest, Token, redrive,
};
use crate::language::Json;
use crate::view::tests::Run;

/// Names as short as can be.
struct Short;

impl Names for Short {
    fn region(&self) -> &str {
        "here"
    }

    fn role(&self) -> Option<&str> {
        Some("role")
    }

    fn activity(&self, job_type: &str) -> String {
        format!("activity:{job_type}")
    }

    fn execution(&self, workflow: &str, _: ExecutionId) -> String {
        format!("execution:{workflow}")
    }

    fn qualified(&self, workflow: &str, qualifier: &str) -> String {
        format!("{workflow}:{qualifier}")
    }

    fn reason(&self, reason: &str) -> Failure {
        Failure::new("", reason)
    }

    fn map_run(&self, workflow: &str, of: ExecutionId, _: Uuid) -> String {
        format!("mapRun:{workflow}/{of}")
    }
}

const ALL: HistoryWish =
    HistoryWish { is_reversed: false, after: None, most: 100_000, has_payloads: true };

fn events(run: &Run) -> Vec<HistoryEvent> {
    let page = history_page(&run.program, run.execution.id, &run.history, &Short, ALL);
    assert_eq!(page.next, None);
    page.events
}

/// `1 ExecutionStarted<0  2 PassStateEntered<0 …`
fn told(run: &Run) -> String {
    let mut text = String::new();
    for HistoryEvent { id, kind, previous, .. } in events(run) {
        let _ = write!(text, "{id} {kind}<{previous}  ");
    }
    text.trim_end().to_owned()
}

fn details(run: &Run, kind: &str) -> serde_json::Value {
    let event = events(run).into_iter().find(|event| event.kind == kind).unwrap();
    event.details.into_iter().next().unwrap().1
}

fn begun(definition: &str, input: &str) -> Run {
    Run::begun(definition, Json::parse(input).unwrap())
}

fn token(job: u32) -> Token {
    Token([u8::try_from(job).unwrap(); 16])
}

/// Lets a worker take a job.
fn take(run: &mut Run, job: u32) {
    let attempt = run.execution.jobs[&JobId(job)].attempt;
    let worker = "w".into();
    run.command(Command::StartJob { job: JobId(job), attempt, worker, token: token(job) });
}

fn complete(run: &mut Run, job: u32, output: &str) {
    if run.execution.jobs[&JobId(job)].status == JobStatus::Pending {
        take(run, job);
    }
    let output = Json::parse(output).unwrap();
    run.command(Command::CompleteJob { job: JobId(job), token: token(job), output, errors: 0 });
}

fn fail(run: &mut Run, job: u32, error: &str) {
    if run.execution.jobs[&JobId(job)].status == JobStatus::Pending {
        take(run, job);
    }
    let failure = Failure::new(error, "as told");
    run.command(Command::FailJob { job: JobId(job), token: token(job), failure });
}

/// Lets the earliest timer run out.
fn fire(run: &mut Run) {
    let (due, timer) = *run.execution.timers.first().unwrap();
    run.now = run.now.max(due.0);
    run.command(Command::FireTimer { timer, due, last_heartbeat: None });
}

fn cancel(run: &mut Run, reason: &str) {
    let (by, reason) = ("me".into(), Some(reason.into()));
    run.command(Command::CancelExecution { by, reason, force: false });
}

fn go_on(run: &mut Run) {
    let history = run.history.iter().map(|record| record.dated());
    let request = RedriveRequest::default();
    let plan = redrive::plan(run.execution.id, history, &run.program, &request).unwrap();
    let (by, plan) = ("me".into(), Box::new(plan));
    run.command(Command::RedriveExecution { by, reason: None, plan, pause: None });
}
