//! Executions that are waited for. SDKs put `sync-` before the name of the server for these.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::executions::{INCLUDED, error_and_cause};
use super::machines::MACHINE;
use super::operation::{Member, Operation, Output, Request, Shape};
use super::refusal::Refusal;
use super::reply::seconds;
use super::starting::{self, PAYLOAD};
use super::{find, machine, names};
use crate::engine::{Execution, ExecutionId, Status};
use crate::runtime;
use crate::server::http::{Problem, Role};

/// How long such an execution may take, as at AWS.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Why it is stopped then.
const TOO_LONG: &str =
    "the execution took longer than the 5 minutes for which it may be waited for";

const MEMBERS: &[Member] = &[
    MACHINE,
    Member::new("name", names::NAME),
    Member::new("input", PAYLOAD),
    Member::new("traceHeader", Shape::Text(0, 256)),
    INCLUDED,
];

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation::does("StartSyncExecution", Role::Operator, MEMBERS, start).refuses(&[
        "InvalidArn",
        "InvalidExecutionInput",
        "InvalidName",
        "StateMachineDoesNotExist",
        "StateMachineTypeNotSupported",
    ])]
}

async fn start(request: Request) -> Output {
    let (app, arn) = (request.app(), request.input.need("stateMachineArn"));
    let (found, _) = machine::find(app, arn)?;
    if !found.settings(app).await?.setup.is_express {
        let message = "This operation is not supported by this type of state machine";
        return Err(Refusal::of("StateMachineTypeNotSupported", message));
    }
    let seat = app.seats.take(&request.call.principal.name);
    let _seat =
        seat.ok_or_else(|| Refusal::of("ThrottlingException", "too many are waited for"))?;
    // Executions of such machines may have the same name.
    let (_, id) = starting::begin(&request, false).await?;
    let (execution, is_in_time) = ended(&request, id).await?;
    Ok(told(&request, &execution, is_in_time))
}

/// Waits for the end, as long as it may take; then it is stopped, and shown as it stands.
async fn ended(request: &Request, id: ExecutionId) -> Result<(Execution, bool), Refusal> {
    let app = request.app();
    tokio::select! {
        ended = app.engine.ended(id) => Ok((ended?, true)),
        () = tokio::time::sleep(LONGEST) => {
            match app.engine.cancel(id, &request.by(), Some(TOO_LONG)).await {
                Ok(()) | Err(runtime::Error::Rejected(_)) => {}
                Err(error) => return Err(error.into()),
            }
            Ok((app.engine.execution(id).await?, false))
        }
        () = app.stopped() => Err(Problem::from(runtime::Error::Stopping).into()),
    }
}

fn told(request: &Request, execution: &Execution, is_in_time: bool) -> Value {
    let (app, input) = (request.app(), &request.input);
    let id = execution.id.to_string();
    let name = input.text("name").unwrap_or(&id);
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    tell("executionArn", app.arns.express(&execution.workflow, name, &id).into());
    tell("stateMachineArn", input.need("stateMachineArn").into());
    tell("name", name.into());
    tell("startDate", seconds(execution.started_at));
    tell("stopDate", seconds(execution.ended_at.unwrap_or_else(|| app.now())));
    let status = match find::status(execution.status) {
        _ if !is_in_time => "TIMED_OUT",
        // There is no word for one that somebody stopped.
        "ABORTED" | "RUNNING" => "FAILED",
        status => status,
    };
    tell("status", status.into());
    if input.text("includedData") != Some("METADATA_ONLY") {
        let included = json!({"included": true});
        tell("input", execution.input.as_str().into());
        tell("inputDetails", included.clone());
        if let Some(output) = &execution.output {
            tell("output", output.as_str().into());
            tell("outputDetails", included);
        }
    }
    let (error, cause) = match (is_in_time, execution.status) {
        (false, _) => (Some("States.Timeout"), Some(TOO_LONG)),
        (true, Status::Completed | Status::CompletedWithErrors) => (None, None),
        (true, _) => error_and_cause(execution),
    };
    error.into_iter().for_each(|error| tell("error", error.into()));
    cause.into_iter().for_each(|cause| tell("cause", cause.into()));
    input.text("traceHeader").into_iter().for_each(|header| tell("traceHeader", header.into()));
    told.into()
}
