//! Runs of distributed Maps. Their ARN holds the run and the execution that has it:
//! `…:mapRun:WORKFLOW/RUN:EXECUTION`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::arn::{self, Arns, Resource};
use super::executions::EXECUTION;
use super::find;
use super::history;
use super::operation::{Member, Operation, Output, Request, Shape};
use super::page::{self, MAX_RESULTS, NEXT_TOKEN};
use super::refusal::Refusal;
use super::reply::seconds;
use crate::engine::event::MapRunWish;
use crate::engine::{Execution, ExecutionId};
use crate::runtime;
use crate::server::http::{App, Role};
use crate::view::aws::{Counts, MapRun, map_runs};

const RUN: Member = Member::required("mapRunArn", Shape::Text(1, 2000));
const UPDATE: &[Member] = &[
    RUN,
    Member::new("maxConcurrency", Shape::Whole(0, 2_147_483_647)),
    Member::new("toleratedFailurePercentage", Shape::Real(0.0, 100.0)),
    Member::new("toleratedFailureCount", Shape::Whole(0, i64::MAX)),
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::shows("DescribeMapRun", Role::Viewer, &[RUN], describe)
            .refuses(&["InvalidArn", "ResourceNotFound"]),
        Operation::shows("ListMapRuns", Role::Viewer, &[EXECUTION, MAX_RESULTS, NEXT_TOKEN], list)
            .refuses(&["ExecutionDoesNotExist", "InvalidArn", "InvalidToken"]),
        Operation::does("UpdateMapRun", Role::Operator, UPDATE, update).refuses(&[
            "InvalidArn",
            "ResourceNotFound",
            "ValidationException",
        ]),
    ]
}

/// The ARN of a run.
pub(super) fn arn_of(arns: &Arns, workflow: &str, of: ExecutionId, run: Uuid) -> String {
    arns.map_run(workflow, &run.to_string(), &of.to_string())
}

/// The run that an ARN names, and the execution that has it.
///
/// # Errors
/// It is no ARN of a run, or there is no such run.
pub(super) async fn find_run(app: &App, arn: &str) -> Result<(Execution, MapRun), Refusal> {
    let missing = || Refusal::of("ResourceNotFound", format!("Resource not found: '{arn}'"));
    let Resource::MapRun { machine, label, id } = arn::read(arn)? else {
        return Err(arn::invalid(arn));
    };
    let run: Uuid = label.parse().map_err(|_| missing())?;
    let id: ExecutionId = id.parse().map_err(|_| missing())?;
    let execution = match app.engine.execution(id).await {
        Ok(found) if *found.workflow == *machine => found,
        Ok(_) | Err(runtime::Error::NoSuchExecution { .. } | runtime::Error::Deleted { .. }) => {
            return Err(missing());
        }
        Err(error) => return Err(error.into()),
    };
    let (program, records) = history::told(app, arn, id).await.map_err(|_| missing())?;
    let found = map_runs(&program, &records).into_iter().find(|found| found.id == run);
    Ok((execution, found.ok_or_else(missing)?))
}

async fn describe(request: Request) -> Output {
    let (app, arn) = (request.app(), request.input.need("mapRunArn"));
    let (execution, run) = find_run(app, arn).await?;
    let mut told = json!({
        "mapRunArn": arn_of(&app.arns, &execution.workflow, execution.id, run.id),
        "executionArn": find::arn_of(&app.arns, &execution),
        "status": run.status,
        "startDate": seconds(run.started_at),
        "maxConcurrency": run.concurrency,
        "toleratedFailurePercentage": run.tolerated_percentage,
        "toleratedFailureCount": run.tolerated_count,
        "itemCounts": counts(&run, &run.items),
        "executionCounts": counts(&run, &run.executions),
        "redriveCount": run.redrives,
    });
    if let Some(fields) = told.as_object_mut() {
        let dates = [("stopDate", run.ended_at), ("redriveDate", run.redriven_at)];
        for (name, at) in dates {
            at.into_iter().for_each(|at| drop(fields.insert(name.to_owned(), seconds(at))));
        }
    }
    Ok(told)
}

/// All that did not end well can be redriven with the execution, so that nothing is pending.
fn counts(run: &MapRun, counts: &Counts) -> Value {
    let mut told = serde_json::to_value(counts).unwrap_or_default();
    if let Some(fields) = told.as_object_mut() {
        let waits = matches!(run.status, "FAILED" | "ABORTED");
        let pending = if waits { counts.total - counts.succeeded } else { 0 };
        fields.insert("pendingRedrive".to_owned(), pending.into());
        fields.insert("failuresNotRedrivable".to_owned(), 0.into());
    }
    told
}

async fn list(request: Request) -> Output {
    let (app, arn) = (request.app(), request.input.need("executionArn"));
    let execution = find::execution(app, arn).await?;
    let (program, records) = history::told(app, arn, execution.id).await?;
    let operation = format!("ListMapRuns {}", execution.id);
    // The newest first, as the lists of AWS are.
    let runs = (0_u64..).zip(map_runs(&program, &records));
    let mut runs: Vec<(String, MapRun)> =
        runs.map(|(number, run)| (page::descending(number), run)).collect();
    runs.reverse();
    let (found, next) = page::of(&operation, &request.input, runs)?;
    let told = found.into_iter().map(|run| {
        let mut told = json!({
            "executionArn": find::arn_of(&app.arns, &execution),
            "mapRunArn": arn_of(&app.arns, &execution.workflow, execution.id, run.id),
            "stateMachineArn": app.arns.machine(&execution.workflow),
            "startDate": seconds(run.started_at),
        });
        if let (Some(at), Some(fields)) = (run.ended_at, told.as_object_mut()) {
            fields.insert("stopDate".to_owned(), seconds(at));
        }
        told
    });
    Ok(page::output("mapRuns", told.collect(), next))
}

/// Changes what an open run goes by; one that has ended goes by nothing any more.
async fn update(request: Request) -> Output {
    let (app, input) = (request.app(), &request.input);
    let (execution, run) = find_run(app, input.need("mapRunArn")).await?;
    let whole = |name: &str| {
        let number = input.get(name).and_then(Value::as_u64);
        number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    let percentage = input.get("toleratedFailurePercentage").and_then(Value::as_f64);
    let wish = MapRunWish {
        concurrency: whole("maxConcurrency"),
        tolerated_count: whole("toleratedFailureCount"),
        tolerated_thousandths: percentage.map(thousandths),
    };
    if wish == MapRunWish::default() {
        return Err(Refusal::invalid(
            "At least one of maxConcurrency, toleratedFailurePercentage and toleratedFailureCount \
             must be given",
        ));
    }
    match app.engine.change_map_run(execution.id, run.current, wish, &request.by()).await {
        Ok(()) => Ok(json!({})),
        Err(runtime::Error::Rejected(rejection)) => Err(Refusal::invalid(format!(
            "The map run is {} and cannot be changed: {rejection}",
            run.status
        ))),
        Err(error) => Err(error.into()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 100 percent, by the member's shape"
)]
fn thousandths(percentage: f64) -> u32 {
    (percentage.clamp(0.0, 100.0) * 1000.0).round() as u32
}
