//! Starting executions.

use axum::http::Method;
use serde::Serialize;

use super::super::http::{
    Access, Answer, Call, Given, Kind, Param, Problem, Role, Route, Size, Taken, created, document,
};
use crate::engine::ExecutionId;
use crate::language::Json;
use crate::runtime::{self, Begun, Start};

/// The longest name.
const MOST_NAME: usize = 128;

const FIELDS: &[Param] = &[
    Param::required("workflow", Kind::Text(MOST_NAME), "The workflow; its newest version is run."),
    Param::new("input", Kind::Json, "The input; an empty object unless said."),
    Param::new(
        "name",
        Kind::Text(MOST_NAME),
        "The caller's own name for it. While the execution of that name goes on, the same start again \
         gives it, and another one is refused.",
    ),
    Param::new("dry_run", Kind::Flag, "Only say whether it could be started."),
];

#[derive(Serialize)]
struct Started {
    /// None when nothing was started.
    id: Option<String>,
    handle: Option<String>,
    workflow: String,
    name: Option<String>,
    /// Whether this request began it.
    is_new: bool,
    dry_run: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            Method::POST,
            Access::Role(Role::Operator),
            "/api/v1/executions",
            "start_execution",
            start,
        )
        .about(
            "Starts an execution. 201 says that it is new, 200 that it was started before under the \
             same name or `Idempotency-Key`; a key is a name that also stands for an execution that \
             has ended, as long as the input is the same.",
        )
        .takes(Taken::Fields(FIELDS), Size::Payload)
        .gives(Given::Document("everstep.started/v1")),
    ]
}

async fn start(call: Call) -> Answer {
    let fields = call.fields();
    let key = idempotency_key(&call)?;
    let start = Start {
        workflow: fields.text("workflow").unwrap_or_default(),
        input: fields.json("input").unwrap_or_else(Json::empty_object),
        name: fields.text("name").or_else(|| key.clone()),
    };
    if key.is_some() && start.name != key {
        let detail = "a start has a name or an Idempotency-Key, and not two different ones";
        return Err(Problem::invalid("/name", detail));
    }
    let engine = &call.app.engine;
    if fields.flag("dry_run") {
        return dry_run(&call, start).await;
    }
    let begun = match engine.start_once(start.clone()).await {
        // The answer to the first request may have been lost; by now it has ended.
        Err(runtime::Error::NameTaken { execution, .. })
            if key.is_some() && has_input(&call, execution, &start.input).await? =>
        {
            Begun { execution, is_new: false }
        }
        started => started?,
    };
    call.note.began(begun.execution);
    answer(start, begun)
}

fn answer(start: Start, Begun { execution: id, is_new }: Begun) -> Answer {
    let location = format!("/api/v1/executions/{id}");
    let Start { workflow, name, .. } = start;
    let (id, handle) = (Some(id.to_string()), Some(id.handle()));
    let started = Started { id, handle, workflow, name, is_new, dry_run: false };
    created("everstep.started/v1", &started, is_new, &location)
}

/// Says what a start would do. It could still be refused for what changes until then.
async fn dry_run(call: &Call, start: Start) -> Answer {
    let engine = &call.app.engine;
    engine.can_start(&start).await?;
    let Start { workflow, name, .. } = start;
    let started = Started { id: None, handle: None, workflow, name, is_new: false, dry_run: true };
    document("everstep.started/v1", &started)
}

async fn has_input(call: &Call, execution: ExecutionId, input: &Json) -> Result<bool, Problem> {
    Ok(call.app.engine.execution(execution).await?.input.value() == input.value())
}

/// The key that makes a start one that can be repeated.
fn idempotency_key(call: &Call) -> Result<Option<String>, Problem> {
    let mut keys = call.headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().ok().map(|key| key.trim_matches('"')).filter(|_| keys.next().is_none());
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match key {
        Some(key) if (1..=MOST_NAME).contains(&key.len()) && key.bytes().all(is_good) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Problem::bad_request(
            "an Idempotency-Key has 1 to 128 letters, digits, '.', '_' or '-', as a UUID does",
        )),
    }
}
