//! What happened in an execution.

use serde_json::Value;
use uuid::Uuid;

use super::aborted;
use super::arn::Arns;
use super::executions::EXECUTION;
use super::find;
use super::machine::Found;
use super::operation::{Member, Operation, Output, Request, Shape};
use super::page::{self, MAX_RESULTS, NEXT_TOKEN};
use super::refusal::Refusal;
use crate::engine::{ExecutionId, Failure, Program};
use crate::runtime::Record;
use crate::server::http::{App, Role};
use crate::view::aws::{HistoryWish, Names, history_page};

const OPERATION: &str = "GetExecutionHistory";
const MEMBERS: &[Member] = &[
    EXECUTION,
    MAX_RESULTS,
    Member::new("reverseOrder", Shape::Flag),
    NEXT_TOKEN,
    Member::new("includeExecutionData", Shape::Flag),
];

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation::shows(OPERATION, Role::Viewer, MEMBERS, history).refuses(&[
        "ExecutionDoesNotExist",
        "InvalidArn",
        "InvalidToken",
    ])]
}

async fn history(request: Request) -> Output {
    let (app, input) = (request.app(), &request.input);
    let arn = input.need("executionArn");
    let execution = find::execution(app, arn).await?;
    let (program, records) = told(app, arn, execution.id).await?;
    let machine = Found::of(&app.engine, app.engine.catalogue(), &execution.workflow);
    let role = match machine {
        Some(machine) => machine.settings(app).await?.setup.role.to_string(),
        None => app.arns.usual_role(),
    };
    let is_reversed = input.flag("reverseOrder");
    let payloads = input.get("includeExecutionData").and_then(Value::as_bool);
    let list = List { execution: execution.id, is_reversed };
    let wish = HistoryWish {
        is_reversed,
        after: list.after(&request)?,
        most: page::wanted(input),
        has_payloads: payloads.unwrap_or(true),
    };
    let names = Named { arns: &app.arns, role };
    let found = history_page(&program, execution.id, &records, &names, wish);
    let events = found.events.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>();
    let events = events.map_err(|error| Refusal::of("InternalFailure", error.to_string()))?;
    Ok(page::output("events", events, found.next.map(|last| list.token(last))))
}

/// What an execution runs, and its history.
///
/// # Errors
/// It is gone, or its definition cannot be read.
pub(super) async fn told(
    app: &App,
    arn: &str,
    id: ExecutionId,
) -> Result<(std::sync::Arc<Program>, Vec<Record>), Refusal> {
    let missing = || {
        let message = format!("Execution Does Not Exist: '{arn}'");
        Refusal::of("ExecutionDoesNotExist", message)
    };
    let records = app.engine.history(id).await?;
    // What is left of a history that compaction has taken away is not its beginning.
    let definition = records.first().and_then(|first| match &*first.event {
        crate::engine::Event::ExecutionStarted(body) => Some(body.definition),
        _ => None,
    });
    let program = app.engine.program(definition.ok_or_else(missing)?);
    let unreadable = || Refusal::of("InternalFailure", "the definition cannot be read");
    Ok((program.ok_or_else(unreadable)?, records))
}

/// The list that a token goes on with.
struct List {
    execution: ExecutionId,
    is_reversed: bool,
}

impl List {
    fn key(&self) -> String {
        format!("{} {} ", self.execution, self.is_reversed)
    }

    fn token(&self, last: u64) -> String {
        page::token(OPERATION, &format!("{}{last}", self.key()))
    }

    fn after(&self, request: &Request) -> Result<Option<u64>, Refusal> {
        let Some(key) = page::key(OPERATION, &request.input)? else { return Ok(None) };
        let last = key.strip_prefix(&self.key()).and_then(|last| last.parse().ok());
        last.map(Some).ok_or_else(page::invalid_token)
    }
}

/// Names as ARNs.
struct Named<'a> {
    arns: &'a Arns,
    role: String,
}

impl Names for Named<'_> {
    fn region(&self) -> &str {
        self.arns.region()
    }

    fn role(&self) -> Option<&str> {
        Some(&self.role)
    }

    fn activity(&self, job_type: &str) -> String {
        self.arns.activity(job_type)
    }

    fn execution(&self, workflow: &str, id: ExecutionId) -> String {
        self.arns.execution(workflow, &find::name_of(id, None, true))
    }

    fn qualified(&self, workflow: &str, qualifier: &str) -> String {
        self.arns.qualified(workflow, qualifier)
    }

    fn reason(&self, reason: &str) -> Failure {
        let (error, cause) = aborted::error_and_cause(reason);
        Failure::new(error.unwrap_or_default(), cause.unwrap_or_default())
    }

    fn map_run(&self, workflow: &str, of: ExecutionId, run: Uuid) -> String {
        super::map_runs::arn_of(self.arns, workflow, of, run)
    }
}
