//! An execution from other sides: as a picture, in time, and beside another one.

use indexmap::IndexMap;
use serde::Serialize;

use super::super::http::{
    Access, Answer, Call, Given, Kind, Param, Problem, Role, Route, document, of_type,
};
use super::execution::{AT, Seen, after, history, program};
use crate::engine::ExecutionId;
use crate::language::graph;
use crate::language::{StateName, Workflow};
use crate::runtime::Record;
use crate::view::{Compared, Comparison, Difference, Timeline};

/// The longest id.
const MOST_TEXT: usize = 128;

/// Kinds of pictures.
pub(super) const FORMAT: Param = Param::new(
    "format",
    Kind::Word(&["json", "text", "mermaid", "dot"]),
    "Nodes and edges (`json`, unless said), or a picture as text.",
);

const GRAPH: &[Param] = &[FORMAT, AT];
const TIMELINE: &[Param] = &[AT];
const DIFF: &[Param] = &[
    Param::new("other", Kind::Text(MOST_TEXT), "The execution with which it is compared."),
    Param::new(
        "from",
        Kind::Number(u64::MAX),
        "The sequence of the event from which changes count.",
    ),
    Param::new(
        "to",
        Kind::Number(u64::MAX),
        "The one up to which they count; the last unless said.",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    let viewer = Access::Role(Role::Viewer);
    vec![
        Route::get(viewer, "/api/v1/executions/{id}/graph", "show_execution_graph", graph)
            .about("The workflow that it runs as a picture; as `json` with the status of each state.")
            .query(GRAPH)
            .gives(Given::DocumentOrText("everstep.graph/v1")),
        Route::get(viewer, "/api/v1/executions/{id}/timeline", "show_timeline", timeline)
            .about("When which step and which attempt of a job was at work.")
            .query(TIMELINE)
            .gives(Given::Document("everstep.timeline/v1")),
        Route::get(viewer, "/api/v1/executions/{id}/diff", "diff_execution", diff)
            .about("What is not the same in two executions, or what changed between two events of one.")
            .query(DIFF)
            .gives(Given::Document("everstep.difference/v1")),
    ]
}

/// A picture for programs, with what is known of each state.
#[derive(Serialize)]
struct Drawn {
    #[serde(flatten)]
    graph: graph::Document,
    /// States that were entered, by status.
    statuses: IndexMap<StateName, &'static str>,
}

/// A workflow as a picture.
pub(super) fn picture(workflow: &Workflow, format: &str) -> Option<String> {
    match format {
        "text" => Some(graph::text(workflow)),
        "mermaid" => Some(graph::mermaid(workflow)),
        "dot" => Some(graph::dot(workflow)),
        _ => None,
    }
}

async fn graph(call: Call) -> Answer {
    let seen = Seen::of(&call).await?;
    let workflow = &seen.program.workflow;
    if let Some(text) = picture(workflow, call.query.text("format").unwrap_or_default()) {
        return Ok(of_type("text/plain; charset=utf-8", text));
    }
    let steps = seen.execution.steps.iter();
    let statuses = steps.map(|(name, step)| (name.clone(), step.status.as_str())).collect();
    document("everstep.graph/v1", &Drawn { graph: graph::document(workflow), statuses })
}

async fn timeline(call: Call) -> Answer {
    let id = call.execution().await?;
    let mut history = history(&call, id).await?;
    let (execution, moment) = match call.query.number("at") {
        Some(at) => {
            let execution = after(id, &history, at)?;
            history.retain(|record| record.sequence <= at);
            let moment = execution.updated_at;
            (execution, moment)
        }
        None => (Record::fold(id, &history), call.app.now()),
    };
    let program = program(&call.app.engine, execution.definition)?;
    document("everstep.timeline/v1", &Timeline::of(&program, &execution, &history, moment))
}

async fn diff(call: Call) -> Answer {
    let id = call.execution().await?;
    let (from, to) = (call.query.number("from"), call.query.number("to"));
    match (call.query.text("other"), from, to) {
        (Some(other), None, None) => {
            let other = call.app.engine.find(other).await?;
            compare(&call, id, other).await
        }
        (None, Some(from), to) => changes(&call, id, from, to).await,
        _ => Err(Problem::bad_request("give `other`, or `from` and, if you like, `to`")),
    }
}

async fn changes(call: &Call, id: ExecutionId, from: u64, to: Option<u64>) -> Answer {
    let history = history(call, id).await?;
    let last = history.last().map_or(0, |record| record.sequence);
    let before = after(id, &history, from)?;
    let then = after(id, &history, to.unwrap_or(last))?;
    let program = program(&call.app.engine, before.definition)?;
    document("everstep.difference/v1", &Difference::of(&program, &before, &then))
}

async fn compare(call: &Call, left: ExecutionId, right: ExecutionId) -> Answer {
    let engine = &call.app.engine;
    let (one, other) = (history(call, left).await?, history(call, right).await?);
    let (left, right) = (Record::fold(left, &one), Record::fold(right, &other));
    let left_program = program(engine, left.definition)?;
    let right_program = program(engine, right.definition)?;
    let comparison = Comparison::of(
        Compared { program: &left_program, execution: &left, history: &one },
        Compared { program: &right_program, execution: &right, history: &other },
        call.app.now(),
    );
    document("everstep.comparison/v1", &comparison)
}
