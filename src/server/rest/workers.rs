//! Workers: who there is, and letting one end.

use axum::http::Method;
use serde::Serialize;

use super::super::http::{Access, Answer, Call, Given, Role, Route, Size, Taken, document, items};
use crate::runtime::WorkerFigures;

#[derive(Serialize)]
struct Worker {
    name: String,
    /// Whether it is in another process.
    remote: bool,
    types: Vec<String>,
    /// How many jobs it asked for last, or takes at once.
    slots: usize,
    running: usize,
    /// The executions of some of its jobs.
    executions: Vec<String>,
    address: Option<String>,
    since: Option<String>,
    heard_at: Option<String>,
    /// Whether it was heard of lately.
    alive: bool,
    draining: bool,
}

impl Worker {
    fn of(worker: WorkerFigures) -> Self {
        let texts = |types: &[std::sync::Arc<str>]| types.iter().map(ToString::to_string).collect();
        Self {
            name: worker.name.to_string(),
            remote: worker.is_remote,
            types: texts(&worker.job_types),
            slots: worker.slots,
            running: worker.running,
            executions: worker.executions.iter().map(ToString::to_string).collect(),
            address: worker.address.as_ref().map(ToString::to_string),
            since: worker.since.map(|at| at.to_string()),
            heard_at: worker.heard_at.map(|at| at.to_string()),
            alive: worker.is_there,
            draining: worker.is_draining,
        }
    }
}

#[derive(Serialize)]
struct Drained<'d> {
    name: &'d str,
    draining: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/api/v1/workers", "list_workers", list)
            .about("The workers there are: those of the server's process as one, then all others.")
            .gives(Given::Items("everstep.workers/v1")),
        Route::new(
            Method::POST,
            Access::Role(Role::Operator),
            "/api/v1/workers/{name}/drain",
            "drain_worker",
            drain,
        )
        .about("Lets a worker end: it gets nothing more. What it has it may bring to an end.")
        .takes(Taken::Fields(&[]), Size::Document)
        .gives(Given::Document("everstep.drained/v1")),
    ]
}

async fn list(call: Call) -> Answer {
    let workers: Vec<Worker> = call.app.engine.workers().into_iter().map(Worker::of).collect();
    items("everstep.workers/v1", &workers, None)
}

async fn drain(call: Call) -> Answer {
    let name = call.path("name");
    call.app.engine.drain_worker(name)?;
    document("everstep.drained/v1", &Drained { name, draining: true })
}
