//! Executions: to see them, to start, stop and redrive them.

use serde_json::{Map, Value, json};

use super::operation::{Member, Operation, Output, Request, Shape};
use super::page::{self, MAX_RESULTS};
use super::refusal::Refusal;
use super::reply::seconds;
use super::{aborted, arn, find, machine, map_runs};
use crate::engine::catalogue::StartedAs;
use crate::engine::{Execution, ExecutionId, Link, Status};
use crate::runtime::{Filter, Rows, Summary};
use crate::server::http::{App, Role};
use crate::view::aws::MapRun;

/// The ARN of an execution.
pub(super) const EXECUTION: Member = Member::required("executionArn", Shape::Text(1, 256));
/// Whether payloads are wanted.
pub(super) const INCLUDED: Member =
    Member::new("includedData", Shape::Word(&["ALL_DATA", "METADATA_ONLY"]));

const STATUSES: &[&str] =
    &["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"];
const LIST: &[Member] = &[
    Member::new("stateMachineArn", Shape::Text(1, 256)),
    Member::new("statusFilter", Shape::Word(STATUSES)),
    MAX_RESULTS,
    Member::new("nextToken", Shape::Text(1, 3096)),
    Member::new("mapRunArn", Shape::Text(1, 2000)),
    Member::new("redriveFilter", Shape::Word(&["REDRIVEN", "NOT_REDRIVEN"])),
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::shows("DescribeExecution", Role::Viewer, &[EXECUTION, INCLUDED], describe)
            .refuses(&["ExecutionDoesNotExist", "InvalidArn"]),
        Operation::shows("ListExecutions", Role::Viewer, LIST, list).refuses(&[
            "InvalidArn",
            "InvalidToken",
            "ResourceNotFound",
            "StateMachineDoesNotExist",
            "ValidationException",
        ]),
    ]
}

async fn describe(request: Request) -> Output {
    let app = request.app();
    let found = find::execution(app, request.input.need("executionArn")).await?;
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    tell("executionArn", find::arn_of(&app.arns, &found).into());
    tell("stateMachineArn", app.arns.machine(&found.workflow).into());
    tell_started_as(app, &found.workflow, found.started_as.as_ref(), &mut tell);
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

/// By which version and alias it was started.
fn tell_started_as(
    app: &App,
    workflow: &str,
    of: Option<&StartedAs>,
    tell: &mut impl FnMut(&str, Value),
) {
    let Some(StartedAs { version, alias }) = of else { return };
    let version = app.arns.qualified(workflow, &version.to_string());
    tell("stateMachineVersionArn", version.into());
    if let Some(alias) = alias {
        tell("stateMachineAliasArn", app.arns.qualified(workflow, alias).into());
    }
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

/// What a list is to hold.
struct Wanted {
    filter: Filter,
    /// Only those that were started by this version or alias, when one is given.
    qualifier: Option<arn::Qualifier>,
    /// Only those that a map run has begun; with its ARN.
    run: Option<(String, MapRun)>,
    /// Only those that were redriven, or were not.
    redriven: Option<bool>,
}

impl Wanted {
    async fn of(request: &Request) -> Result<Self, Refusal> {
        let (app, input) = (request.app(), &request.input);
        let redriven = input.text("redriveFilter").map(|word| word == "REDRIVEN");
        let statuses = statuses(input.text("statusFilter"));
        let (rows, workflow, qualifier, run) =
            match (input.text("stateMachineArn"), input.text("mapRunArn")) {
                (Some(arn), None) => {
                    let (found, qualifier) = machine::find(app, arn)?;
                    let qualifier = checked(&found, qualifier, arn)?;
                    (Rows::Own, Some(found.name), qualifier, None)
                }
                (None, Some(arn)) => {
                    let (execution, run) = map_runs::find_run(app, arn).await?;
                    let (workflow, id) = (&execution.workflow, execution.id);
                    let arn = map_runs::arn_of(&app.arns, workflow, id, run.id);
                    (Rows::BegunBy(id), None, None, Some((arn, run)))
                }
                _ => {
                    return Err(Refusal::invalid(
                        "Either a state machine ARN or a map run ARN must be specified",
                    ));
                }
            };
        let filter = Filter { rows, statuses, workflow, ..Filter::default() };
        Ok(Self { filter, qualifier, run, redriven })
    }

    /// Whether the list has this row, which its filter let through.
    async fn has(&self, app: &App, row: &Summary) -> Result<bool, Refusal> {
        let of = row.started_as.as_ref();
        let is_of = match &self.qualifier {
            None => true,
            Some(arn::Qualifier::Version(number)) => of.is_some_and(|of| of.version == *number),
            Some(arn::Qualifier::Alias(name)) => {
                of.is_some_and(|of| of.alias.as_deref() == Some(name.as_str()))
            }
        };
        if !is_of {
            return Ok(false);
        }
        if !self.run.as_ref().is_none_or(|(_, run)| run.begun.contains_key(&row.id)) {
            return Ok(false);
        }
        let Some(redriven) = self.redriven else { return Ok(true) };
        let redrives = match row.redriven {
            Some((redrives, _)) => redrives,
            None => app.engine.execution(row.id).await?.redrives,
        };
        Ok((redrives > 0) == redriven)
    }
}

/// What an AWS status stands for; none for all.
fn statuses(word: Option<&str>) -> Vec<Status> {
    let all = [
        Status::Pending,
        Status::Running,
        Status::Cancelling,
        Status::Completed,
        Status::CompletedWithErrors,
        Status::Failed,
        Status::Cancelled,
        Status::TimedOut,
    ];
    let Some(word) = word else { return Vec::new() };
    all.into_iter().filter(|status| find::status(*status) == word).collect()
}

/// Which executions belong to a version or an alias: all that it was started by.
///
/// # Errors
/// There is none of that name.
fn checked(
    found: &machine::Found,
    qualifier: Option<arn::Qualifier>,
    arn: &str,
) -> Result<Option<arn::Qualifier>, Refusal> {
    let is_there = match &qualifier {
        None => true,
        Some(arn::Qualifier::Version(number)) => found.version(*number).is_some(),
        Some(arn::Qualifier::Alias(name)) => {
            found.said().is_some_and(|said| said.aliases.contains_key(name.as_str()))
        }
    };
    if is_there { Ok(qualifier) } else { Err(machine::missing(arn)) }
}

async fn list(request: Request) -> Output {
    let app = request.app();
    let wanted = Wanted::of(&request).await?;
    let after = page::key("ListExecutions", &request.input)?;
    let before = match after {
        Some(key) => Some(key.parse::<ExecutionId>().map_err(|_| page::invalid_token())?),
        None => None,
    };
    if wanted.filter.statuses.is_empty() && request.input.text("statusFilter").is_some() {
        // Nothing is ever pending a redrive here.
        return Ok(page::output("executions", Vec::new(), None));
    }
    let limit = page::wanted(&request.input);
    let found = app.engine.page(wanted.filter.clone(), before, limit).await?;
    let mut told = Vec::with_capacity(found.rows.len());
    for row in &found.rows {
        if wanted.has(app, row).await? {
            told.push(row_of(app, row, wanted.run.as_ref()));
        }
    }
    let next = found.next.map(|last| page::token("ListExecutions", &last.to_string()));
    Ok(page::output("executions", told, next))
}

fn row_of(app: &App, row: &Summary, run: Option<&(String, MapRun)>) -> Value {
    let mut told = json!({
        "executionArn": find::arn_of_row(&app.arns, row),
        "stateMachineArn": app.arns.machine(&row.workflow),
        "name": find::name_of(row.id, row.name.as_deref(), row.parent.is_some()),
        "status": find::status(row.status),
        "startDate": seconds(row.started_at),
    });
    let Some(fields) = told.as_object_mut() else { return told };
    let mut tell = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    if let Some(ended) = row.ended_at {
        tell("stopDate", seconds(ended));
    }
    if let Some((arn, run)) = run {
        tell("mapRunArn", arn.as_str().into());
        tell("itemCount", run.begun.get(&row.id).copied().into());
    }
    tell_started_as(app, &row.workflow, row.started_as.as_ref(), &mut tell);
    if let Some((redrives, at)) = row.redriven {
        tell("redriveCount", redrives.into());
        at.into_iter().for_each(|at| tell("redriveDate", seconds(at)));
    }
    told
}
