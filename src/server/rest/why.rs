//! Why an execution waits, or how it ended.

use std::pin::Pin;

use super::super::http::{Access, Answer, Call, Given, Problem, Role, Route, document};
use super::execution::{history, program};
use crate::engine::{Execution, ExecutionId};
use crate::server::shown_queues;
use crate::view::{Around, Why, Workers};

/// How many executions below the one that is asked about are looked at, one below the other.
const DEPTH: u32 = 3;
/// How many are looked at in each.
const BREADTH: usize = 3;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/api/v1/executions/{id}/why", "show_why", why)
            .about("Everything that it waits for, since when and until when; or how it ended.")
            .gives(Given::Document("everstep.why/v1")),
    ]
}

async fn why(call: Call) -> Answer {
    let id = call.execution().await?;
    let types = call.app.engine.job_types();
    let why = look(&call, id, Workers::Of(&types), DEPTH).await?;
    document("everstep.why/v1", &why)
}

type Looked<'l> = Pin<Box<dyn Future<Output = Result<Why, Problem>> + Send + 'l>>;

/// Looks at an execution, and at what it waits for.
fn look<'l>(call: &'l Call, id: ExecutionId, workers: Workers<'l>, depth: u32) -> Looked<'l> {
    Box::pin(async move {
        let history = history(call, id).await?;
        let events = history.iter().map(|record| (&*record.event, record.time));
        let execution = Execution::replay(id, events);
        let program = program(&call.app.engine, execution.definition)?;
        let engine = &call.app.engine;
        let (queues, held) = (shown_queues(engine.queues(id)), engine.held());
        let around = Around { workers, queues: &queues, held: &held };
        let mut why = Why::of(&program, &execution, &history, around, call.app.now());
        if depth == 0 {
            return Ok(why);
        }
        let children = why.reasons.iter_mut().filter(|reason| reason.execution.is_some());
        for reason in children.take(BREADTH) {
            let child = reason.execution.as_deref();
            reason.child = look_below(call, child, workers, depth).await;
        }
        let failed = why.end.as_mut().and_then(|end| end.first_failure.as_mut());
        if let Some(point) = failed {
            let child = point.execution.as_deref();
            point.child = look_below(call, child, workers, depth).await;
        }
        Ok(why)
    })
}

/// What is below is told where it can be: an execution that has not begun has no history yet.
async fn look_below(
    call: &Call,
    child: Option<&str>,
    workers: Workers<'_>,
    depth: u32,
) -> Option<Box<Why>> {
    let child: ExecutionId = child?.parse().ok()?;
    look(call, child, workers, depth - 1).await.ok().map(Box::new)
}
