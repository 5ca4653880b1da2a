//! What can be done with an execution.
//!
//! Each action is a line of [`ACTIONS`]: its name, when it is allowed, and what does it. The routes,
//! `dry_run`, `expect_seq` and the field `actions` of an execution follow from it.

use std::pin::Pin;

use axum::http::{Method, StatusCode};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::json;

use super::super::http::{
    Access, Answer, App, Call, Given, Kind, Param, Problem, Role, Route, Size, Taken, document,
};
use crate::engine::{Execution, ExecutionId, Rejection};
use crate::runtime;

/// The longest reason.
const MOST_REASON: usize = 4096;

const FIELDS: &[Param] = &[
    Param::new("reason", Kind::Text(MOST_REASON), "Why, for people."),
    Param::new(
        "expect_seq",
        Kind::Number(u64::MAX),
        "Refuse with 409 when the last event of the execution is another one: what was looked at is \
         then no longer so.",
    ),
    Param::new("dry_run", Kind::Flag, "Only say whether it is allowed."),
];

/// Something that is to be done.
struct Order<'o> {
    app: &'o App,
    execution: ExecutionId,
    by: String,
    reason: Option<String>,
}

type Doing<'o> = Pin<Box<dyn Future<Output = Result<(), runtime::Error>> + Send + 'o>>;

struct Action {
    name: &'static str,
    path: &'static str,
    route: &'static str,
    about: &'static str,
    role: Role,
    /// Why it is not allowed, if it is not.
    refused: fn(&Execution) -> Option<Rejection>,
    run: for<'o> fn(&'o Order<'o>) -> Doing<'o>,
}

const ACTIONS: &[Action] = &[Action {
    name: "cancel",
    path: "/api/v1/executions/{id}/cancel",
    route: "cancel_execution",
    about: "Asks it to stop. The request is durable when this answers; what runs stops after that.",
    role: Role::Operator,
    refused: |execution| {
        not_ended("to cancel", execution).or_else(|| execution.set_aside.as_ref().map(set_aside))
    },
    run: |order| {
        Box::pin(async move {
            let engine = &order.app.engine;
            engine.cancel(order.execution, &order.by, order.reason.as_deref()).await
        })
    },
}];

fn not_ended(command: &'static str, execution: &Execution) -> Option<Rejection> {
    let status = execution.status;
    status.is_terminal().then_some(Rejection::NotInStatus { command, status })
}

fn set_aside(reason: &std::sync::Arc<str>) -> Rejection {
    Rejection::SetAside { command: "to cancel", reason: reason.to_string() }
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
    let look = |action: &Action| {
        let refused = if is_past { None } else { (action.refused)(execution) };
        Allowed {
            allowed: !is_past && refused.is_none(),
            code: refused.as_ref().map(Rejection::code),
            reason: match refused {
                None => is_past.then(|| "this is a past view".to_owned()),
                Some(rejection) => Some(rejection.to_string()),
            },
        }
    };
    ACTIONS.iter().map(|action| (action.name, look(action))).collect()
}

#[derive(Serialize)]
struct Done {
    execution: String,
    action: &'static str,
    dry_run: bool,
    status: &'static str,
    sequence: u64,
}

pub(super) fn routes() -> Vec<Route> {
    let route = |action: &'static Action| {
        Route::new(
            Method::POST,
            Access::Role(action.role),
            action.path,
            action.route,
            move |call| act(action, call),
        )
        .about(action.about)
        .takes(Taken::Fields(FIELDS), Size::Document)
        .gives(Given::Document("everstep.action/v1"))
    };
    ACTIONS.iter().map(route).collect()
}

async fn act(action: &'static Action, call: Call) -> Answer {
    let fields = call.fields();
    let engine = &call.app.engine;
    let execution = engine.execution(call.execution().await?).await?;
    if let Some(expected) = fields.number("expect_seq")
        && expected != execution.sequence
    {
        let (status, sequence) = (execution.status.as_str(), execution.sequence);
        let detail = format!("the last event is {sequence}, and not {expected}: look again");
        return Err(Problem::new("STALE_VIEW", StatusCode::CONFLICT, detail)
            .current(json!({"status": status, "sequence": sequence})));
    }
    let dry_run = fields.flag("dry_run");
    if dry_run && let Some(rejection) = (action.refused)(&execution) {
        return Err(rejection.into());
    }
    if !dry_run {
        let reason = fields.text("reason");
        let order = Order { app: &call.app, execution: execution.id, by: call.by(), reason };
        (action.run)(&order).await?;
    }
    let now = engine.execution(execution.id).await?;
    let done = Done {
        execution: now.id.to_string(),
        action: action.name,
        dry_run,
        status: now.status.as_str(),
        sequence: now.sequence,
    };
    document("everstep.action/v1", &done)
}
