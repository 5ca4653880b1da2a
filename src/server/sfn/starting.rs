//! Executions: to start them, to stop them, and to go on with them after their end.

use std::time::Duration;

use serde_json::json;

use super::arn::{Qualifier, Resource};
use super::executions::EXECUTION;
use super::machine::{self, Found};
use super::machines::MACHINE;
use super::operation::{Member, Operation, Output, Request, Shape};
use super::refusal::Refusal;
use super::reply::seconds;
use super::{aborted, arn, find, names};
use crate::engine::catalogue::StartedAs;
use crate::engine::{Event, Execution, ExecutionId, RedriveRequest, Rejection, Timestamp};
use crate::language::{DefinitionHash, Json};
use crate::runtime::{self, Start};
use crate::server::http::{App, Role};

/// How long an answer waits for an execution to stop, so that most clients see it stopped.
const STOPPING: Duration = Duration::from_secs(2);
/// What the reason of a redrive begins with, when its client gave a token.
const CLIENT_TOKEN: &str = "client token ";

/// A payload, as a text.
pub(super) const PAYLOAD: Shape = Shape::Text(0, 262_144);
/// What to start.
pub(super) const START: &[Member] = &[
    MACHINE,
    Member::new("name", names::NAME),
    Member::new("input", PAYLOAD),
    Member::new("traceHeader", Shape::Text(0, 256)),
];
const STOP: &[Member] = &[
    EXECUTION,
    Member::new("error", Shape::Text(0, 256)),
    Member::new("cause", Shape::Text(0, 32_768)),
];
const REDRIVE: &[Member] = &[EXECUTION, Member::new("clientToken", Shape::Text(1, 64))];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::does("StartExecution", Role::Operator, START, start).refuses(&[
            "ExecutionAlreadyExists",
            "ExecutionLimitExceeded",
            "InvalidArn",
            "InvalidExecutionInput",
            "InvalidName",
            "StateMachineDoesNotExist",
            "ValidationException",
        ]),
        Operation::does("StopExecution", Role::Operator, STOP, stop).refuses(&[
            "ExecutionDoesNotExist",
            "InvalidArn",
            "ValidationException",
        ]),
        Operation::does("RedriveExecution", Role::Operator, REDRIVE, redrive).refuses(&[
            "ExecutionDoesNotExist",
            "ExecutionLimitExceeded",
            "ExecutionNotRedrivable",
            "InvalidArn",
            "ValidationException",
        ]),
    ]
}

async fn start(request: Request) -> Output {
    let app = request.app();
    let (found, execution) = begin(&request, true).await?;
    let execution = app.engine.execution(execution).await?;
    let arn = find::arn_of(&app.arns, &execution);
    tracing::debug!(workflow = found.name, arn, "an execution was asked for");
    Ok(json!({"executionArn": arn, "startDate": seconds(execution.started_at)}))
}

/// Starts what a request says, or finds what it started before. Without `keeps_name` the execution has
/// no name by which it could be found.
///
/// # Errors
/// There is no such machine, version or alias; the input is no JSON; the name is none, or that of
/// another execution.
pub(super) async fn begin(
    request: &Request,
    keeps_name: bool,
) -> Result<(Found, ExecutionId), Refusal> {
    let (app, input) = (request.app(), &request.input);
    let (found, qualifier) = machine::find(app, input.need("stateMachineArn"))?;
    let chosen = chosen(app, &found, qualifier, input.need("stateMachineArn"))?;
    let name = input.text("name").map(str::to_owned);
    name.as_deref().map(names::check).transpose()?;
    let name = name.filter(|_| keeps_name);
    let payload = Json::parse(input.text("input").unwrap_or("{}")).map_err(|error| {
        let message = format!("Invalid State Machine Execution Input: '{error}'");
        Refusal::of("InvalidExecutionInput", message)
    })?;
    let start = Start { workflow: found.name.clone(), input: payload, name };
    let started = match chosen {
        Some((definition, started_as)) => {
            app.engine.start_version(start, definition, started_as).await
        }
        None => app.engine.start_with(start).await,
    };
    let started = started.map_err(|error| not_started(app, error))?;
    request.call.note.began(started);
    Ok((found, started))
}

/// What a version or an alias stands for; nothing for the newest.
fn chosen(
    app: &App,
    found: &Found,
    qualifier: Option<Qualifier>,
    arn: &str,
) -> Result<Option<(DefinitionHash, StartedAs)>, Refusal> {
    let (version, alias) = match qualifier {
        None => return Ok(None),
        Some(Qualifier::Version(version)) => (Some(version), None),
        Some(Qualifier::Alias(name)) => {
            let alias = found.said().and_then(|said| said.aliases.get(name.as_str()));
            (alias.and_then(|alias| alias.choose(app.engine.seed())), Some(name.into()))
        }
    };
    let known = version.and_then(|version| Some((version, found.version(version)?)));
    let (version, known) = known.ok_or_else(|| machine::missing(arn))?;
    Ok(Some((known.definition, StartedAs { version, alias })))
}

fn not_started(app: &App, error: runtime::Error) -> Refusal {
    match &error {
        runtime::Error::NameTaken { workflow, name, .. } => {
            let arn = app.arns.execution(workflow, name);
            let message = format!("Execution Already Exists: '{arn}'");
            Refusal::of("ExecutionAlreadyExists", message)
        }
        runtime::Error::Rejected(Rejection::TooLarge { .. }) => {
            let message = format!("Invalid State Machine Execution Input: '{error}'");
            Refusal::of("InvalidExecutionInput", message)
        }
        runtime::Error::Rejected(
            Rejection::PlaceTaken { .. }
            | Rejection::PlaceQueueFull { .. }
            | Rejection::PlaceHeldByParent { .. },
        ) => Refusal::of("ExecutionLimitExceeded", error.to_string()),
        _ => error.into(),
    }
}

/// Stops an execution. One that has ended stays as it ended.
async fn stop(request: Request) -> Output {
    let (app, input) = (request.app(), &request.input);
    let found = find::execution(app, input.need("executionArn")).await?;
    if let Some(ended) = found.ended_at {
        return Ok(json!({"stopDate": seconds(ended)}));
    }
    let reason = aborted::reason(input.text("error"), input.text("cause"));
    match app.engine.cancel(found.id, &request.by(), reason.as_deref()).await {
        Ok(())
        | Err(runtime::Error::Rejected(
            Rejection::AlreadyCancelling { .. }
            | Rejection::NotInStatus { .. }
            | Rejection::Ending { .. },
        )) => {}
        Err(error) => return Err(error.into()),
    }
    // Workers may take their time, and clean-up too: then it is not waited for.
    let ended = tokio::time::timeout(STOPPING, app.engine.ended(found.id)).await;
    let at = ended.ok().and_then(Result::ok).and_then(|ended| ended.ended_at);
    Ok(json!({"stopDate": seconds(at.unwrap_or_else(|| app.now()))}))
}

/// Goes on with an execution that did not end well. The same client token again changes nothing.
async fn redrive(request: Request) -> Output {
    let (app, input) = (request.app(), &request.input);
    let arn = input.need("executionArn");
    if let Resource::Express { .. } = arn::read(arn)? {
        return Err(not_redrivable("Executions of EXPRESS machines cannot be redriven"));
    }
    let found = find::execution(app, arn).await?;
    let reason = input.text("clientToken").map(|token| format!("{CLIENT_TOKEN}{token}"));
    if let Some(reason) = &reason
        && let Some(before) = redriven_before(app, &found, reason).await?
    {
        return Ok(json!({"redriveDate": seconds(before)}));
    }
    let wish = RedriveRequest::default();
    match app.engine.redrive(found.id, &request.by(), reason.as_deref(), wish).await {
        Ok(_) => {}
        Err(error @ runtime::Error::Rejected(_)) => {
            return Err(not_redrivable(&error.to_string()));
        }
        Err(error) => return Err(error.into()),
    }
    let after = app.engine.execution(found.id).await?;
    Ok(json!({"redriveDate": seconds(after.redriven_at.unwrap_or(after.updated_at))}))
}

fn not_redrivable(reason: &str) -> Refusal {
    Refusal::of("ExecutionNotRedrivable", format!("Execution is not redrivable: '{reason}'"))
}

/// When an execution was redriven last, if that was with this reason.
async fn redriven_before(
    app: &App,
    execution: &Execution,
    reason: &str,
) -> Result<Option<Timestamp>, Refusal> {
    if execution.redrives == 0 {
        return Ok(None);
    }
    let history = app.engine.history(execution.id).await?;
    let last = history.iter().rev().find_map(|record| match &*record.event {
        Event::ExecutionRedriven(body) => Some((record.time, body.reason.clone())),
        _ => None,
    });
    Ok(last.filter(|(_, said)| said.as_deref() == Some(reason)).map(|(at, _)| at))
}
