//! Workflows and their versions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::super::http::{
    Access, Answer, Call, Given, Kind, Param, Problem, Role, Route, Size, Taken, created, document,
    items, of_type, tagged,
};
use super::execution::program;
use super::sides::{FORMAT, picture};
use super::validate::{DEFINITIONS, definition};
use crate::engine::{Program, Status};
use crate::language::{DefinitionHash, Json, StateName, graph};
use crate::runtime::{self, ByStatus, Totals};

const VERSION: Param =
    Param::new("version", Kind::Number(u64::MAX), "Which version; the newest unless said.");
const LIST: &[Param] = &[Param::new(
    "last_day",
    Kind::Flag,
    "Whether to tell what came of their executions of the last 24 hours, too: of those that have \
     ended, the newest 10,000 are looked at; where there are more, `is_exact` is false.",
)];
const SHOW: &[Param] = &[VERSION];
const GRAPH: &[Param] = &[FORMAT, VERSION];
const DIFF: &[Param] = &[
    Param::required("from", Kind::Number(u64::MAX), "The version from which changes count."),
    Param::new(
        "to",
        Kind::Number(u64::MAX),
        "The one up to which they count; the newest unless said.",
    ),
];
const DEPLOY: &[Param] = &[Param::new("dry_run", Kind::Flag, "Only say what would come of it.")];

#[derive(Serialize)]
struct Row {
    name: String,
    /// Its newest version.
    version: u64,
    /// The content hash of that.
    definition: String,
    title: Option<String>,
    states: usize,
    job_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_day: Option<LastDay>,
}

/// What came of the executions that began in the last 24 hours, save those that others began.
#[derive(Serialize)]
struct LastDay {
    /// How many there are.
    started: u64,
    /// How many of them have ended by themselves: those that were cancelled say nothing.
    ended: u64,
    /// Percent of those that completed, with errors or without, rounded down; none without any.
    success_percent: Option<u64>,
    /// How long those that completed took: the middle one, in seconds.
    middle_seconds: Option<f64>,
    /// Whether these are all; if not there are at least so many, the newest.
    is_exact: bool,
}

impl LastDay {
    fn of(workflow: &str, totals: &Totals) -> Self {
        let nothing = ByStatus::new();
        let counts = totals.workflows.get(workflow).unwrap_or(&nothing);
        let count = |statuses: &[Status]| -> u64 {
            statuses.iter().filter_map(|status| counts.get(status.as_str())).sum()
        };
        let completed = count(&[Status::Completed, Status::CompletedWithErrors]);
        let ended = completed + count(&[Status::Failed, Status::TimedOut]);
        Self {
            started: counts.values().sum(),
            ended,
            success_percent: (completed * 100).checked_div(ended),
            middle_seconds: totals
                .middle_ms
                .get(workflow)
                .map(|ms| Duration::from_millis(*ms).as_secs_f64()),
            is_exact: totals.is_exact,
        }
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Row,
    /// Which version is the newest.
    newest: u64,
    /// The definition, as canonical JSON.
    source: Json,
}

#[derive(Serialize)]
struct Version {
    version: u64,
    definition: String,
}

#[derive(Serialize)]
struct Deployed {
    name: String,
    version: u64,
    definition: String,
    /// Whether it was not the newest version before.
    is_new: bool,
    dry_run: bool,
}

#[derive(Serialize)]
struct Diff {
    name: String,
    from: Version,
    to: Version,
    /// States that only the later one has.
    added: Vec<StateName>,
    /// States that only the earlier one has.
    removed: Vec<StateName>,
    /// States that both have, and that are not the same.
    changed: Vec<StateName>,
    /// Whether something outside of the states is not the same.
    machine_changed: bool,
}

pub(super) fn routes() -> Vec<Route> {
    let viewer = Access::Role(Role::Viewer);
    vec![
        Route::get(viewer, "/api/v1/workflows", "list_workflows", list)
            .about("The workflows there are, by name, each as its newest version.")
            .query(LIST)
            .gives(Given::Items("everstep.workflows/v1")),
        Route::get(viewer, "/api/v1/workflows/{name}", "show_workflow", show)
            .about("A version of a workflow, with its definition.")
            .query(SHOW)
            .gives(Given::Document("everstep.workflow/v1")),
        Route::new(
            Method::PUT,
            Access::Role(Role::Operator),
            "/api/v1/workflows/{name}",
            "deploy_workflow",
            deploy,
        )
        .about(
            "Makes a definition known. The newest version again changes nothing (200); another one \
             becomes the newest (201), and executions that are under way keep theirs.",
        )
        .query(DEPLOY)
        .takes(Taken::Text(DEFINITIONS), Size::Document)
        .gives(Given::Document("everstep.deployed/v1")),
        Route::get(viewer, "/api/v1/workflows/{name}/versions", "list_versions", versions)
            .about("The versions of a workflow, the oldest first.")
            .gives(Given::Items("everstep.versions/v1")),
        Route::get(viewer, "/api/v1/workflows/{name}/graph", "show_workflow_graph", draw)
            .about("A workflow as a picture.")
            .query(GRAPH)
            .gives(Given::DocumentOrText("everstep.graph/v1")),
        Route::get(viewer, "/api/v1/workflows/{name}/diff", "diff_workflow", diff)
            .about("Which states are not the same in two versions.")
            .query(DIFF)
            .gives(Given::Document("everstep.workflow_difference/v1")),
    ]
}

/// A version of a workflow.
struct Found {
    version: u64,
    newest: u64,
    hash: DefinitionHash,
    program: Arc<Program>,
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Finds a version; the newest when none is said.
fn find(call: &Call, name: &str, version: Option<u64>) -> Result<Found, Problem> {
    let engine = &call.app.engine;
    let versions = engine.versions(name);
    let newest = number(versions.len());
    if newest == 0 {
        let (name, known) = (name.to_owned(), engine.workflows());
        return Err(runtime::Error::NoSuchWorkflow { name, known }.into());
    }
    let version = version.unwrap_or(newest);
    let place = version.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    let hash = place.and_then(|place| versions.get(place)).copied().ok_or_else(|| {
        let detail = format!("workflow {name:?} has no version {version}: it has 1 to {newest}");
        Problem::new("NO_SUCH_VERSION", StatusCode::NOT_FOUND, detail)
    })?;
    Ok(Found { version, newest, hash, program: program(engine, hash)? })
}

fn row(name: &str, found: &Found, last_day: Option<LastDay>) -> Row {
    let workflow = &found.program.workflow;
    Row {
        name: name.to_owned(),
        version: found.version,
        definition: found.hash.to_string(),
        title: workflow.title.clone(),
        states: workflow.states.len(),
        job_types: workflow.job_types().iter().map(ToString::to_string).collect(),
        last_day,
    }
}

async fn list(call: Call) -> Answer {
    let names = call.app.engine.workflows();
    let totals = match call.query.flag("last_day") {
        true => Some(call.app.engine.totals_of_last_day().await?),
        false => None,
    };
    let row_of = |name: &String| {
        let last_day = totals.as_ref().map(|totals| LastDay::of(name, totals));
        Some(row(name, &find(&call, name, None).ok()?, last_day))
    };
    items("everstep.workflows/v1", &names.iter().filter_map(row_of).collect::<Vec<_>>(), None)
}

async fn show(call: Call) -> Answer {
    let name = call.path("name");
    let found = find(&call, name, call.query.number("version"))?;
    let source = found.program.workflow.source.clone();
    let shown = Shown { row: row(name, &found, None), newest: found.newest, source };
    let tag = format!("{}-{}-{}", found.version, found.newest, found.hash);
    tagged(&call.headers, &tag, || document("everstep.workflow/v1", &shown))
}

async fn versions(call: Call) -> Answer {
    let name = call.path("name");
    find(&call, name, None)?;
    let hashes = call.app.engine.versions(name).into_iter();
    let versions: Vec<Version> = (1..)
        .zip(hashes)
        .map(|(version, hash)| Version { version, definition: hash.to_string() })
        .collect();
    items("everstep.versions/v1", &versions, None)
}

async fn deploy(call: Call) -> Answer {
    let (text, format) = definition(&call);
    let (engine, name) = (&call.app.engine, call.path("name"));
    let dry_run = call.query.flag("dry_run");
    let deployed = if dry_run {
        engine.would_deploy(name, text, format)?
    } else {
        engine.deploy(name, text, format).await?
    };
    let location = format!("/api/v1/workflows/{name}?version={}", deployed.version);
    let is_created = deployed.is_new && !dry_run;
    let deployed = Deployed {
        name: name.to_owned(),
        version: deployed.version,
        definition: deployed.definition.to_string(),
        is_new: deployed.is_new,
        dry_run,
    };
    created("everstep.deployed/v1", &deployed, is_created, &location)
}

async fn draw(call: Call) -> Answer {
    let found = find(&call, call.path("name"), call.query.number("version"))?;
    let workflow = &found.program.workflow;
    match picture(workflow, call.query.text("format").unwrap_or_default()) {
        Some(text) => Ok(of_type("text/plain; charset=utf-8", text)),
        None => document("everstep.graph/v1", &graph::document(workflow)),
    }
}

async fn diff(call: Call) -> Answer {
    let name = call.path("name");
    let from = find(&call, name, call.query.number("from"))?;
    let to = find(&call, name, call.query.number("to"))?;
    let (before, after) = (&from.program.workflow, &to.program.workflow);
    let only_in = |one: &crate::language::Workflow, other: &crate::language::Workflow| {
        let names = one.states.keys().filter(|name| other.state(name).is_none());
        names.cloned().collect::<Vec<StateName>>()
    };
    let (mut old, mut new) = (before.source.value(), after.source.value());
    let (was, is) = (states(&old), states(&new));
    let is_changed = |name: &&StateName| {
        let (was, is) = (was.get(&***name), is.get(&***name));
        was.is_some() && was != is
    };
    let version =
        |found: &Found| Version { version: found.version, definition: found.hash.to_string() };
    let changed = after.states.keys().filter(is_changed).cloned().collect();
    for machine in [&mut old, &mut new] {
        machine.as_object_mut().map(|fields| fields.shift_remove("States"));
    }
    let diff = Diff {
        name: name.to_owned(),
        added: only_in(after, before),
        removed: only_in(before, after),
        changed,
        machine_changed: old != new,
        from: version(&from),
        to: version(&to),
    };
    document("everstep.workflow_difference/v1", &diff)
}

/// The states of a definition as they are written, those of inner machines too.
fn states(machine: &Value) -> HashMap<&str, &Value> {
    let mut found = HashMap::new();
    let mut left = vec![machine];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::Object(states)) = fields.get("States") {
                    found.extend(states.iter().map(|(name, state)| (name.as_str(), state)));
                }
                left.extend(fields.values());
            }
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    found
}
