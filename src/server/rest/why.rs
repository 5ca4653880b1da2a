//! Why an execution waits, or how it ended.

use std::pin::Pin;

use super::super::http::{Access, Answer, Call, Given, Problem, Role, Route, document};
use super::execution::{history, program};
use crate::engine::{ExecutionId, Held};
use crate::runtime::Record;
use crate::server::shown_queues;
use crate::view::{Around, LOOK_DEPTH, Why, Workers};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/api/v1/executions/{id}/why", "show_why", why)
            .about("Everything that it waits for, since when and until when; or how it ended.")
            .gives(Given::Document("everstep.why/v1")),
    ]
}

async fn why(call: Call) -> Answer {
    let id = call.execution().await?;
    let (types, held) = (call.app.engine.job_types(), call.app.engine.held());
    let beside = Beside { call: &call, workers: Workers::Of(&types), held: &held };
    document("everstep.why/v1", &look(beside, id, LOOK_DEPTH).await?)
}

/// What is looked at beside the execution.
#[derive(Clone, Copy)]
struct Beside<'a> {
    call: &'a Call,
    workers: Workers<'a>,
    held: &'a Held,
}

type Looked<'l> = Pin<Box<dyn Future<Output = Result<Why, Problem>> + Send + 'l>>;

/// Looks at an execution, and at what it waits for.
fn look(beside: Beside<'_>, id: ExecutionId, depth: u32) -> Looked<'_> {
    Box::pin(async move {
        let Beside { call, workers, held } = beside;
        let history = history(call, id).await?;
        let execution = Record::fold(id, &history);
        let program = program(&call.app.engine, execution.definition)?;
        let queues = shown_queues(call.app.engine.queues(id));
        let around = Around { workers, queues: &queues, held };
        let mut why = Why::of(&program, &execution, &history, around, call.app.now());
        if depth == 0 {
            return Ok(why);
        }
        // It is told where it can be: an execution that has not begun has no history yet.
        for (below, seen) in why.below() {
            *seen = look(beside, below, depth - 1).await.ok().map(Box::new);
        }
        Ok(why)
    })
}
