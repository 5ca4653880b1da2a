//! What can be done with an execution.
//!
//! Each action is a line of [`ACTIONS`]: its name, when it is allowed, and what does it. The routes,
//! `dry_run`, `expect_seq` and the field `actions` of an execution follow from it.

use std::pin::Pin;

use axum::http::{Method, StatusCode};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::http::{
    Access, Answer, App, Call, Given, Kind, Param, Problem, Role, Route, Size, Taken, document,
};
use super::again::{RERUN, RETRY, rerun, retry};
use super::delete::{DELETE, delete};
use crate::engine::{Execution, PauseScope, Rejection};
use crate::runtime::Orchestrator;

/// The longest reason.
pub(super) const MOST_REASON: usize = 4096;

pub(super) const REASON: Param = Param::new("reason", Kind::Text(MOST_REASON), "Why, for people.");
pub(super) const EXPECT_SEQ: Param = Param::new(
    "expect_seq",
    Kind::Number(u64::MAX),
    "Refuse with 409 when the last event of the execution is another one: what was looked at is then \
     no longer so.",
);
pub(super) const DRY_RUN: Param =
    Param::new("dry_run", Kind::Flag, "Only say whether it is allowed, and what would come of it.");

const FIELDS: &[Param] = &[REASON, EXPECT_SEQ, DRY_RUN];
const CANCEL: &[Param] = &[
    REASON,
    EXPECT_SEQ,
    DRY_RUN,
    Param::new("force", Kind::Flag, "End it at once, when it had its time to stop."),
];

/// Something that is to be done.
pub(super) struct Order<'o> {
    pub(super) call: &'o Call,
    /// The system, which does nothing with the execution if that is no longer as was expected.
    pub(super) engine: Orchestrator,
    pub(super) execution: &'o Execution,
    pub(super) by: String,
    pub(super) reason: Option<String>,
    pub(super) dry_run: bool,
}

impl Order<'_> {
    pub(super) fn app(&self) -> &App {
        &self.call.app
    }
}

/// What came of it, or would; nothing when all is said by the execution itself.
pub(super) type Doing<'o> =
    Pin<Box<dyn Future<Output = Result<Option<Value>, Problem>> + Send + 'o>>;

struct Action {
    name: &'static str,
    method: Method,
    path: &'static str,
    route: &'static str,
    about: &'static str,
    /// What may be said with it: in the query of a DELETE, else in the body.
    takes: &'static [Param],
    /// Why it is not allowed, if it is not.
    permits: fn(&Execution) -> Result<(), Rejection>,
    run: for<'o> fn(&'o Order<'o>) -> Doing<'o>,
}

const ACTIONS: &[Action] = &[
    Action {
        name: "cancel",
        method: Method::POST,
        path: "/api/v1/executions/{id}/cancel",
        route: "cancel_execution",
        about: "Asks it to stop. The request is durable when this answers; what runs stops after \
                that.",
        takes: CANCEL,
        permits: Execution::permits_cancel,
        run: |order| Box::pin(cancel(order)),
    },
    Action {
        name: "pause",
        method: Method::POST,
        path: "/api/v1/executions/{id}/pause",
        route: "pause_execution",
        about: "Lets nothing in it begin until it is resumed. What workers have goes on.",
        takes: FIELDS,
        permits: |execution| execution.permits_pause(PauseScope::Execution),
        run: |order| Box::pin(pause(order)),
    },
    Action {
        name: "resume",
        method: Method::POST,
        path: "/api/v1/executions/{id}/resume",
        route: "resume_execution",
        about: "Lets it go on that was paused by itself.",
        takes: FIELDS,
        permits: |execution| execution.permits_resume(PauseScope::Execution),
        run: |order| Box::pin(resume(order)),
    },
    Action {
        name: "retry",
        method: Method::POST,
        path: "/api/v1/executions/{id}/retry",
        route: "retry_execution",
        about: "Goes on with one that has ended otherwise than well: finished steps keep their \
                results, of a Map only what failed is done again. With `now`: tries at once what it \
                waits to try again.",
        takes: RETRY,
        permits: Execution::permits_retry,
        run: |order| Box::pin(retry(order)),
    },
    Action {
        name: "rerun",
        method: Method::POST,
        path: "/api/v1/executions/{id}/rerun",
        route: "rerun_execution",
        about: "Starts a new one of the same workflow with the same input.",
        takes: RERUN,
        permits: Execution::permits_rerun,
        run: |order| Box::pin(rerun(order)),
    },
    Action {
        name: "delete",
        method: Method::DELETE,
        path: "/api/v1/executions/{id}",
        route: "delete_execution",
        about: "Deletes one that has ended, with the parts of its distributed Maps. That is durable \
                when this answers; the bytes are given back later.",
        takes: DELETE,
        permits: Execution::permits_delete,
        run: |order| Box::pin(delete(order)),
    },
];

async fn cancel(order: &Order<'_>) -> Result<Option<Value>, Problem> {
    let (engine, id) = (&order.engine, order.execution.id);
    let reason = order.reason.as_deref();
    let force = order.call.fields().flag("force");
    if order.dry_run {
        // Without `force` it was looked at before, as with all actions.
        if force {
            order.execution.permits_force(order.app().now())?;
        }
        return Ok(None);
    }
    match force {
        true => engine.force_cancel(id, &order.by, reason).await?,
        false => engine.cancel(id, &order.by, reason).await?,
    }
    Ok(None)
}

async fn pause(order: &Order<'_>) -> Result<Option<Value>, Problem> {
    if !order.dry_run {
        let (engine, reason) = (&order.engine, order.reason.as_deref());
        engine.pause(order.execution.id, &order.by, reason).await?;
    }
    Ok(None)
}

async fn resume(order: &Order<'_>) -> Result<Option<Value>, Problem> {
    if !order.dry_run {
        order.engine.resume(order.execution.id, &order.by).await?;
    }
    Ok(None)
}

/// Whether something may be done.
#[derive(Debug, Serialize)]
pub(super) struct Allowed {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What may be done with an execution.
pub(super) fn allowed(execution: &Execution, is_past: bool) -> IndexMap<&'static str, Allowed> {
    let look = |action: &Action| match (action.permits)(execution) {
        _ if is_past => {
            let reason = Some("this is a past view".to_owned());
            Allowed { allowed: false, code: None, reason }
        }
        Ok(()) => Allowed { allowed: true, code: None, reason: None },
        Err(rejection) => {
            let reason = Some(rejection.to_string());
            Allowed { allowed: false, code: Some(rejection.code()), reason }
        }
    };
    ACTIONS.iter().map(|action| (action.name, look(action))).collect()
}

#[derive(Serialize)]
struct Done {
    execution: String,
    action: &'static str,
    dry_run: bool,
    /// Where the execution stands now; nothing when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

pub(super) fn routes() -> Vec<Route> {
    let route = |action: &'static Action| {
        let operator = Access::Role(Role::Operator);
        let method = action.method.clone();
        let route =
            Route::new(method, operator, action.path, action.route, move |call| act(action, call))
                .about(action.about)
                .gives(Given::Document("everstep.action/v1"));
        match action.method {
            Method::DELETE => route.query(action.takes),
            _ => route.takes(Taken::Fields(action.takes), Size::Payload),
        }
    };
    ACTIONS.iter().map(route).collect()
}

async fn act(action: &'static Action, call: Call) -> Answer {
    let engine = &call.app.engine;
    let execution = engine.execution(call.execution().await?).await?;
    let (fields, query) = (call.fields(), &call.query);
    let expected = fields.number("expect_seq").or_else(|| query.number("expect_seq"));
    if let Some(expected) = expected
        && expected != execution.sequence
    {
        return Err(stale(&execution, expected));
    }
    let dry_run = fields.flag("dry_run") || query.flag("dry_run");
    // What can be said otherwise, with `force` or `now`, is for the engine to refuse.
    let is_usual = !(fields.flag("force") || fields.flag("now"));
    if dry_run && is_usual {
        (action.permits)(&execution)?;
    }
    let reason = fields.text("reason").or_else(|| query.text("reason").map(str::to_owned));
    let by = call.by();
    let engine_as_seen = match expected {
        Some(expected) => engine.expecting(execution.id, expected),
        None => engine.clone(),
    };
    let order =
        Order { call: &call, engine: engine_as_seen, execution: &execution, by, reason, dry_run };
    let result = match (action.run)(&order).await {
        Ok(result) => result,
        Err(problem) => {
            return Err(match expected {
                Some(expected) => changed_meanwhile(&order, expected, problem).await,
                None => problem,
            });
        }
    };
    let is_gone = action.method == Method::DELETE && !dry_run;
    let now = if is_gone { None } else { Some(engine.execution(execution.id).await?) };
    let done = Done {
        execution: execution.id.to_string(),
        action: action.name,
        dry_run,
        status: now.as_ref().map(|now| now.status.as_str()),
        sequence: now.as_ref().map(|now| now.sequence),
        result,
    };
    document("everstep.action/v1", &done)
}

/// A refusal, told as that of a stale view if it came to be one after the look.
async fn changed_meanwhile(order: &Order<'_>, expected: u64, problem: Problem) -> Problem {
    match order.engine.execution(order.execution.id).await {
        Ok(now) if now.sequence != expected => stale(&now, expected),
        _ => problem,
    }
}

/// What was looked at is no longer so.
fn stale(execution: &Execution, expected: u64) -> Problem {
    let (status, sequence) = (execution.status.as_str(), execution.sequence);
    let detail = format!("the last event is {sequence}, and not {expected}: look again");
    Problem::new("STALE_VIEW", StatusCode::CONFLICT, detail)
        .current(json!({"status": status, "sequence": sequence}))
}
