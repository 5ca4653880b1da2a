//! Pausing what is more than one execution: a workflow, or the jobs of a type.

use axum::http::Method;
use serde::Serialize;

use super::super::http::{
    Access, Answer, Call, Given, Param, Role, Route, Size, Taken, document, items,
};
use super::actions::REASON;
use crate::engine::{Pause, PauseScope, Timestamp};
use crate::runtime::Paused;

const PAUSE: &[Param] = &[REASON];

/// Something that is paused.
#[derive(Debug, Serialize)]
pub struct PauseRow<'p> {
    /// `workflow`, `job_type` or `execution`.
    pub kind: &'static str,
    /// The name of the workflow or job type, or the execution's id.
    pub name: String,
    /// Who paused it.
    pub by: &'p str,
    /// Why.
    pub reason: Option<&'p str>,
    /// Since when.
    #[serde(serialize_with = "as_text")]
    pub since: Timestamp,
    /// Live executions of a workflow that are paused with it.
    pub executions: usize,
}

impl<'p> PauseRow<'p> {
    /// Workflows, job types, and executions that are paused by themselves.
    #[must_use]
    pub fn all(paused: &'p Paused) -> Vec<Self> {
        let with_workflow = |name: &str| {
            let of_it = paused.executions.iter().filter(|row| *row.workflow == *name);
            of_it.filter(|row| row.pauses.workflow.is_some()).count()
        };
        let workflows = paused.held.workflows.iter().map(|(name, pause)| {
            Self::of("workflow", name.to_string(), pause, with_workflow(name))
        });
        let job_types = paused.held.job_types.iter();
        let job_types =
            job_types.map(|(name, pause)| Self::of("job_type", name.to_string(), pause, 0));
        let executions = paused.executions.iter().filter_map(|row| {
            let pause = row.pauses.of(PauseScope::Execution)?;
            Some(Self::of("execution", row.id.to_string(), pause, 1))
        });
        workflows.chain(job_types).chain(executions).collect()
    }

    fn of(kind: &'static str, name: String, pause: &'p Pause, executions: usize) -> Self {
        let (by, reason) = (&*pause.by, pause.reason.as_deref());
        Self { kind, name, by, reason, since: pause.at, executions }
    }
}

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[derive(Serialize)]
struct Changed<'c> {
    kind: &'static str,
    name: &'c str,
    paused: bool,
    /// How many executions that changed.
    executions: u64,
}

pub(super) fn routes() -> Vec<Route> {
    let operator = Access::Role(Role::Operator);
    let change = |path, name, about, handler: fn(Call) -> Changing, fields| {
        Route::new(Method::POST, operator, path, name, handler)
            .about(about)
            .takes(Taken::Fields(fields), Size::Document)
            .gives(Given::Document("everstep.pause/v1"))
    };
    vec![
        Route::get(Access::Role(Role::Viewer), "/api/v1/pauses", "list_pauses", list)
            .about("Everything that is paused: executions, workflows, job types.")
            .gives(Given::Items("everstep.paused/v1")),
        change(
            "/api/v1/workflows/{name}/pause",
            "pause_workflow",
            "Pauses every execution of a workflow, also those that begin later.",
            |call| Box::pin(pause_workflow(call)),
            PAUSE,
        ),
        change(
            "/api/v1/workflows/{name}/resume",
            "resume_workflow",
            "Lets a workflow go on. Executions that are paused by themselves stay so.",
            |call| Box::pin(resume_workflow(call)),
            &[],
        ),
        change(
            "/api/v1/job-types/{name}/pause",
            "pause_job_type",
            "Gives no job of a type to a worker until it is resumed. Those that run go on.",
            |call| Box::pin(pause_job_type(call)),
            PAUSE,
        ),
        change(
            "/api/v1/job-types/{name}/resume",
            "resume_job_type",
            "Lets jobs of a type be given to workers again.",
            |call| Box::pin(resume_job_type(call)),
            &[],
        ),
    ]
}

type Changing = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

async fn list(call: Call) -> Answer {
    let paused = call.app.engine.paused().await?;
    items("everstep.paused/v1", &PauseRow::all(&paused), None)
}

async fn pause_workflow(call: Call) -> Answer {
    let (name, reason) = (call.path("name"), call.fields().text("reason"));
    let engine = &call.app.engine;
    let executions = engine.pause_workflow(name, &call.by(), reason.as_deref()).await?;
    changed("workflow", name, true, executions)
}

async fn resume_workflow(call: Call) -> Answer {
    let name = call.path("name");
    let executions = call.app.engine.resume_workflow(name, &call.by()).await?;
    changed("workflow", name, false, executions)
}

async fn pause_job_type(call: Call) -> Answer {
    let (name, reason) = (call.path("name"), call.fields().text("reason"));
    call.app.engine.pause_job_type(name, &call.by(), reason.as_deref()).await?;
    changed("job_type", name, true, 0)
}

async fn resume_job_type(call: Call) -> Answer {
    let name = call.path("name");
    call.app.engine.resume_job_type(name, &call.by()).await?;
    changed("job_type", name, false, 0)
}

fn changed(kind: &'static str, name: &str, paused: bool, executions: u64) -> Answer {
    document("everstep.pause/v1", &Changed { kind, name, paused, executions })
}
