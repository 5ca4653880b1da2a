//! Going on with an execution that has ended, and repeating one.

use serde_json::{Value, json};

use super::super::http::{Kind, Param, Problem};
use super::actions::{DRY_RUN, EXPECT_SEQ, Order, REASON};
use super::execution::program;
use crate::engine::RedriveRequest;
use crate::language::Json;
use crate::runtime::Rerun;
use crate::view::RetryCard;

/// How many changes of an input there may be.
const MOST_CHANGES: usize = 100;

pub(super) const RETRY: &[Param] = &[
    REASON,
    EXPECT_SEQ,
    DRY_RUN,
    Param::new("from", Kind::Text(256), "The step to go back to; where it ended unless said."),
    Param::new(
        "set",
        Kind::Json,
        "Changes of the input of the step that runs again: an object of paths, as `$.a.b[0]`, and \
         values. No parts of the step are kept then.",
    ),
    Param::new("input", Kind::Json, "The whole input of the step that runs again."),
    Param::new("now", Kind::Flag, "Of one that waits before it tries again: do that now."),
];

pub(super) const RERUN: &[Param] = &[
    EXPECT_SEQ,
    DRY_RUN,
    Param::new("input", Kind::Json, "Another input."),
    Param::new("name", Kind::Text(128), "The caller's own name for the new one."),
    Param::new("same_version", Kind::Flag, "Run the version that it ran, and not the newest."),
];

pub(super) async fn retry(order: &Order<'_>) -> Result<Option<Value>, Problem> {
    let (engine, execution) = (&order.engine, order.execution);
    if order.call.fields().flag("now") {
        refuse_beside_now(order)?;
        engine.skip_backoff(execution.id).await?;
        return Ok(None);
    }
    let request = request(order)?;
    let plan = match order.dry_run {
        true => engine.redrive_plan(execution.id, &request).await?,
        false => {
            let reason = order.reason.as_deref();
            engine.redrive(execution.id, &order.by, reason, request).await?
        }
    };
    let program = program(engine, execution.definition)?;
    Ok(Some(json!(RetryCard::of(execution.id, &program, &plan))))
}

/// Trying now what is tried anyway has no choices.
fn refuse_beside_now(order: &Order<'_>) -> Result<(), Problem> {
    let fields = order.call.fields();
    let beside = ["from", "set", "input"].into_iter().find(|name| fields.json(name).is_some());
    let beside = beside.or_else(|| order.dry_run.then_some("dry_run"));
    match beside {
        None => Ok(()),
        Some(name) => {
            Err(Problem::invalid(&format!("/{name}"), "this cannot be said together with `now`"))
        }
    }
}

fn request(order: &Order<'_>) -> Result<RedriveRequest, Problem> {
    let fields = order.call.fields();
    let mut set = match fields.json("set").map(|set| set.value()) {
        None => Vec::new(),
        Some(Value::Object(changes)) if changes.len() <= MOST_CHANGES => {
            let changes = changes.iter();
            changes.map(|(path, value)| (path.clone(), Json::from_value(value))).collect()
        }
        Some(_) => {
            let detail = format!("it is no object of at most {MOST_CHANGES} paths with values");
            return Err(Problem::invalid("/set", &detail));
        }
    };
    if let Some(input) = fields.json("input") {
        if !set.is_empty() {
            return Err(Problem::invalid("/input", "a whole input leaves nothing to `set`"));
        }
        set.push(("$".to_owned(), input));
    }
    Ok(RedriveRequest { from: fields.text("from").map(|from| from.as_str().into()), set })
}

pub(super) async fn rerun(order: &Order<'_>) -> Result<Option<Value>, Problem> {
    if order.dry_run {
        return Ok(None);
    }
    let fields = order.call.fields();
    let rerun = Rerun {
        name: fields.text("name"),
        input: fields.json("input"),
        same_version: fields.flag("same_version"),
    };
    let id = order.app().engine.rerun(order.execution.id, rerun).await?;
    let location = format!("/api/v1/executions/{id}");
    Ok(Some(json!({"id": id.to_string(), "handle": id.handle(), "location": location})))
}
