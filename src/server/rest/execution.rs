//! One execution, as it is and as it was.

use std::sync::Arc;

use axum::http::StatusCode;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::http::{
    Access, Answer, Call, Given, Kind, Param, Problem, Role, Route, document, of_type, tagged,
};
use super::actions::{Allowed, allowed};
use crate::engine::{Execution, ExecutionId, Program, Timestamp};
use crate::language::DefinitionHash;
use crate::runtime::{self, Orchestrator, Record};
use crate::view::{Card, Moments, ResultCard};

/// When it is looked at.
pub(super) const AT: Param = Param::new(
    "at",
    Kind::Number(u64::MAX),
    "As it was right after the event with this sequence; as it is now unless said.",
);
const QUERY: &[Param] = &[AT];

pub(super) fn routes() -> Vec<Route> {
    let viewer = Access::Role(Role::Viewer);
    vec![
        Route::get(viewer, "/api/v1/executions/{id}", "show_execution", show)
            .about(
                "An execution at a glance, with what may be done with it. The ETag is its sequence. \
                 `{id}` is an id, a beginning of a handle, or `@` for the newest.",
            )
            .query(QUERY)
            .gives(Given::Document("everstep.execution/v1")),
        Route::get(viewer, "/api/v1/executions/{id}/result", "show_result", result)
            .about("What it gave, or has given so far, with what each step gave.")
            .query(QUERY)
            .gives(Given::Document("everstep.result/v1")),
        Route::get(viewer, "/api/v1/executions/{id}/input", "show_input", input)
            .about("Its input, as it stands.")
            .gives(Given::Other("application/json")),
        Route::get(viewer, "/api/v1/executions/{id}/output", "show_output", output)
            .about("Its output, as it stands; 409 as long as there is none.")
            .query(QUERY)
            .gives(Given::Other("application/json")),
    ]
}

/// A card, and what goes on from it.
#[derive(Serialize)]
struct Shown<'c> {
    #[serde(flatten)]
    card: &'c Card,
    /// Which version of its workflow it runs, from 1; none where the workflow has forgotten it.
    version: Option<usize>,
    /// Whether it is a moment that has passed.
    is_past: bool,
    /// What may be done with it, and why what may not may not.
    actions: IndexMap<&'static str, Allowed>,
    links: Value,
}

async fn show(call: Call) -> Answer {
    let seen = Seen::of(&call).await?;
    let card = Card::of(&seen.program, &seen.execution, seen.moment);
    let tag = match seen.is_past {
        true => format!("{}-past", card.sequence),
        false => card.sequence.to_string(),
    };
    let actions = allowed(&seen.execution, seen.is_past);
    let links = links(&card.id);
    let versions = call.app.engine.versions(&card.workflow);
    let place = versions.iter().position(|hash| *hash == seen.execution.definition);
    let version = place.map(|place| place + 1);
    let shown = Shown { card: &card, version, is_past: seen.is_past, actions, links };
    tagged(&call.headers, &tag, || document("everstep.execution/v1", &shown))
}

fn links(id: &str) -> Value {
    let at = |part: &str| format!("/api/v1/executions/{id}/{part}");
    json!({
        "events": at("events"),
        "why": at("why"),
        "graph": at("graph"),
        "timeline": at("timeline"),
        "result": at("result"),
        "stream": format!("/api/v1/stream?topics=execution:{id}"),
    })
}

/// The card of an execution as it is now, written.
pub(super) async fn card(
    engine: &Orchestrator,
    id: ExecutionId,
    now: Timestamp,
) -> Result<Card, Problem> {
    let execution = engine.execution(id).await?;
    let program = program(engine, execution.definition)?;
    Ok(Card::of(&program, &execution, now))
}

async fn result(call: Call) -> Answer {
    let seen = Seen::of(&call).await?;
    document("everstep.result/v1", &ResultCard::of(&seen.program, &seen.execution, seen.moment))
}

async fn input(call: Call) -> Answer {
    let seen = Seen::of(&call).await?;
    Ok(of_type("application/json", seen.execution.input.as_str().to_owned()))
}

async fn output(call: Call) -> Answer {
    let seen = Seen::of(&call).await?;
    match &seen.execution.output {
        Some(output) => Ok(of_type("application/json", output.as_str().to_owned())),
        None => {
            let status = seen.execution.status.as_str();
            let detail = format!("the execution is {status} and has no output");
            Err(Problem::new("NO_OUTPUT", StatusCode::CONFLICT, detail)
                .current(json!({"status": status, "sequence": seen.execution.sequence})))
        }
    }
}

/// An execution, at a moment.
pub(super) struct Seen {
    pub(super) execution: Execution,
    pub(super) program: Arc<Program>,
    pub(super) moment: Timestamp,
    pub(super) is_past: bool,
}

impl Seen {
    /// The execution that the path names, at the moment that the query says.
    pub(super) async fn of(call: &Call) -> Result<Self, Problem> {
        let id = call.execution().await?;
        let engine = &call.app.engine;
        let at = call.query.number("at");
        let (execution, moment) = match at {
            None => (engine.execution(id).await?, call.app.now()),
            Some(at) => {
                let execution = engine.execution_at(id, at).await.map_err(at_no_event)?;
                let moment = execution.updated_at;
                (execution, moment)
            }
        };
        let program = program(engine, execution.definition)?;
        Ok(Self { execution, program, moment, is_past: at.is_some() })
    }
}

/// All events of an execution, at least one.
pub(super) async fn history(call: &Call, id: ExecutionId) -> Result<Vec<Record>, Problem> {
    let history = call.app.engine.history(id).await?;
    match history.first() {
        Some(first) if first.event.is_of_execution() => Ok(history),
        // Histories of workflows, and of controls, are not for executions to be confused with.
        _ => Err(runtime::Error::NoSuchExecution { id: id.to_string() }.into()),
    }
}

/// The execution as it was right after an event.
pub(super) fn after(
    id: ExecutionId,
    history: &[Record],
    sequence: u64,
) -> Result<Execution, Problem> {
    let then = Moments::of(id, history).after(sequence).cloned();
    then.ok_or_else(|| {
        let last = history.last().map_or(0, |record| record.sequence);
        no_such_event(id, sequence, last)
    })
}

/// Tells of a moment that an execution has not, in the words of [`after`].
fn at_no_event(error: runtime::Error) -> Problem {
    match error {
        runtime::Error::NoSuchEvent { execution, sequence, last } => {
            no_such_event(execution, sequence, last)
        }
        error => error.into(),
    }
}

fn no_such_event(id: ExecutionId, sequence: u64, last: u64) -> Problem {
    let detail = format!("execution {id} has no event {sequence}: it has 1 to {last}");
    Problem::new("NO_SUCH_EVENT", StatusCode::NOT_FOUND, detail)
}

/// The version that an execution runs.
pub(super) fn program(
    engine: &Orchestrator,
    definition: DefinitionHash,
) -> Result<Arc<Program>, Problem> {
    engine.program(definition).ok_or_else(|| {
        let detail = format!("the definition {definition} of this execution cannot be read");
        Problem::new("DEFINITION_UNREADABLE", StatusCode::INTERNAL_SERVER_ERROR, detail)
    })
}
