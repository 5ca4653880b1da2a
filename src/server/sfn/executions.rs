//! Executions: to see them, to start, stop and redrive them.

use serde_json::{Map, Value, json};

use super::operation::{Member, Operation, Output, Request, Shape};
use super::reply::seconds;
use super::{aborted, find};
use crate::engine::{Execution, Link, Status};
use crate::server::http::Role;

/// The ARN of an execution.
pub(super) const EXECUTION: Member = Member::required("executionArn", Shape::Text(1, 256));
/// Whether payloads are wanted.
pub(super) const INCLUDED: Member =
    Member::new("includedData", Shape::Word(&["ALL_DATA", "METADATA_ONLY"]));

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::shows("DescribeExecution", Role::Viewer, &[EXECUTION, INCLUDED], describe)
            .refuses(&["ExecutionDoesNotExist", "InvalidArn"]),
    ]
}

async fn describe(request: Request) -> Output {
    let app = request.app();
    let found = find::execution(app, request.input.need("executionArn")).await?;
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    tell("executionArn", find::arn_of(&app.arns, &found).into());
    tell("stateMachineArn", app.arns.machine(&found.workflow).into());
    let has_parent = found.parent.is_some();
    tell("name", find::name_of(found.id, found.name.as_deref(), has_parent).into());
    tell("status", find::status(found.status).into());
    tell("startDate", seconds(found.started_at));
    if let Some(ended) = found.ended_at {
        tell("stopDate", seconds(ended));
    }
    if request.input.text("includedData") != Some("METADATA_ONLY") {
        let included = json!({"included": true});
        tell("input", found.input.as_str().into());
        tell("inputDetails", included.clone());
        if let Some(output) = &found.output {
            tell("output", output.as_str().into());
            tell("outputDetails", included);
        }
    }
    let (error, cause) = error_and_cause(&found);
    error.into_iter().for_each(|error| tell("error", error.into()));
    cause.into_iter().for_each(|cause| tell("cause", cause.into()));
    tell("redriveCount", found.redrives.into());
    if let Some(redriven) = found.redriven_at {
        tell("redriveDate", seconds(redriven));
    }
    let (status, reason) = redrivable(&found);
    tell("redriveStatus", status.into());
    reason.into_iter().for_each(|reason| tell("redriveStatusReason", reason.into()));
    Ok(told.into())
}

/// Why it ended, when that was not well.
pub(super) fn error_and_cause(execution: &Execution) -> (Option<&str>, Option<&str>) {
    if execution.status == Status::Cancelled {
        let reason = execution.cancel.as_ref().and_then(|cancel| cancel.reason.as_deref());
        return reason.map_or((None, None), aborted::error_and_cause);
    }
    let failure = execution.failure.as_ref();
    failure.map_or((None, None), |failure| (Some(&failure.error), Some(&failure.cause)))
}

/// Whether it can be redriven, and if not, why.
fn redrivable(execution: &Execution) -> (&'static str, Option<String>) {
    match find::status(execution.status) {
        "RUNNING" => {
            let reason = "Execution is RUNNING and cannot be redriven";
            ("NOT_REDRIVABLE", Some(reason.to_owned()))
        }
        "SUCCEEDED" => {
            let reason = "Execution is SUCCEEDED and cannot be redriven";
            ("NOT_REDRIVABLE", Some(reason.to_owned()))
        }
        _ if execution.parent.as_ref().is_some_and(|p| matches!(p.link, Link::Item { .. })) => {
            ("REDRIVABLE_BY_MAP_RUN", None)
        }
        _ => ("REDRIVABLE", None),
    }
}
