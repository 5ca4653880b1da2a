//! Clients: each asks for one thing after the other, and remembers what it was told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::inspect::inspect;
use super::plan::{Action, CHILD, WORKFLOWS, What, definition};
use super::scheduler::OUTSIDE;
use super::world::{Answer, World};
use crate::engine::event::MapRunWish;
use crate::engine::{Execution, ExecutionId, RedriveRequest};
use crate::language::{Format, Json};
use crate::runtime::{Begun, Delete, Error, Orchestrator, Rerun, Rows, Start};
use crate::store::Compaction;
use crate::testing::generate::{self, JOB_TYPES};

/// How often a client repeats what it was not told the end of.
const TRIES: u32 = 3;

/// Lets all clients begin with what they have to do.
pub(super) fn send_clients(world: &Arc<World>) {
    let mut clients: Vec<usize> = world.plan.actions.iter().map(|action| action.client).collect();
    clients.sort_unstable();
    clients.dedup();
    for client in clients {
        let mine = world.plan.actions.iter().enumerate();
        let mine = mine.filter(|(_, action)| action.client == client);
        let mine: Vec<_> = mine.map(|(number, action)| (number, action.clone())).collect();
        world.busy.fetch_add(1, Ordering::Relaxed);
        let world = world.clone();
        world.clone().scheduler.spawn(OUTSIDE, async move {
            for (number, action) in mine {
                world.clock.rest(action.wait).await;
                act(&world, number, &action).await;
            }
            world.busy.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn act(world: &Arc<World>, number: usize, action: &Action) {
    let by = format!("action {number}");
    match action.what {
        What::Start => start(world, number, action.pick, None).await,
        What::StartNamed => {
            let name = format!("n{}", action.pick % 3);
            start(world, number, action.pick / 3, Some(name)).await;
        }
        What::Deploy => {
            let name = workflow(action.pick);
            deploy(world, name, action.pick).await;
        }
        What::PauseWorkflow | What::ResumeWorkflow => {
            hold_workflow(world, action, &by).await;
        }
        What::PauseJobType | What::ResumeJobType => hold_job_type(world, action, &by).await,
        What::Checkpoint => {
            let ask = |system: Orchestrator| async move {
                system.checkpoint().await;
                Ok(())
            };
            drop(world.call(ask).await);
        }
        What::Compact => {
            let compaction = Compaction::default();
            drop(world.call(|system| async move { system.compact(compaction).await }).await);
        }
        What::Inspect => inspect(world).await,
        _ => {
            let known = world.known();
            let at = usize::try_from(action.pick % 1_000_003).unwrap_or(0);
            if let Some(execution) = known.get(at % known.len().max(1)).copied() {
                act_on(world, execution, action.what, by).await;
            }
        }
    }
}

fn workflow(pick: u64) -> &'static str {
    let at = usize::try_from(pick % 4).unwrap_or(0);
    WORKFLOWS.get(at).copied().unwrap_or(CHILD)
}

/// Deploys a definition, until that is known to be done.
pub(super) async fn deploy(world: &Arc<World>, name: &str, seed: u64) {
    loop {
        let (name, text) = (name.to_owned(), definition(name, seed).to_string());
        let ask =
            |system: Orchestrator| async move { system.deploy(&name, &text, Format::Json).await };
        match world.call(ask).await {
            Answer::Unknown => world.clock.rest(30).await,
            Answer::Done(_) => return,
            Answer::Refused(error) => {
                return world.tell(json!({"call": "fault", "what": format!("deploy: {error}")}));
            }
        }
    }
}

async fn start(world: &Arc<World>, number: usize, pick: u64, name: Option<String>) {
    let workflow = workflow(pick % 3);
    // Who repeats a name mostly means the same.
    let variant = if (pick / 3).is_multiple_of(5) { 1 } else { 0 };
    let (tag, chance) = match &name {
        Some(name) => (format!("{workflow}/{name}/{variant}"), variant),
        None => (format!("action {number}"), pick),
    };
    let mut input = generate::input(chance);
    if let Some(fields) = input.as_object_mut() {
        fields.insert("tag".to_owned(), json!(tag));
    }
    let tries = if name.is_some() { TRIES } else { 1 };
    for _ in 0..tries {
        let asked = Start {
            workflow: workflow.to_owned(),
            input: Json::from_value(&input),
            name: name.clone(),
        };
        let began = world.step();
        let answer = world.call(|system| async move { system.start_once(asked).await }).await;
        let begun = match &answer {
            Answer::Done(begun) => Some(*begun),
            Answer::Refused(_) | Answer::Unknown => None,
        };
        if let Some(Begun { execution, .. }) = begun {
            world.know(execution);
        }
        world.tell(json!({
            "call": "start", "workflow": workflow, "name": name, "input": input, "began": began,
            "outcome": answer.outcome(), "code": answer.code(),
            "execution": begun.map(|begun| begun.execution),
            "is_new": begun.map(|begun| begun.is_new),
        }));
        if !matches!(answer, Answer::Unknown) {
            return;
        }
    }
}

/// Tells of a command that leaves its `by` in the log.
fn tell_command(
    world: &World,
    call: &str,
    on: Value,
    (by, began): (&str, u64),
    answer: &Answer<()>,
) {
    world.tell(json!({
        "call": call, "on": on, "by": by, "began": began,
        "outcome": answer.outcome(), "code": answer.code(),
    }));
}

async fn hold_workflow(world: &Arc<World>, action: &Action, by: &str) {
    let (name, began, who) = (workflow(action.pick), world.step(), by.to_owned());
    let pauses = action.what == What::PauseWorkflow;
    let ask = |system: Orchestrator| async move {
        if pauses {
            system.pause_workflow(name, &who, None).await?;
        } else {
            system.resume_workflow(name, &who).await?;
        }
        Ok(system.last_position())
    };
    let answer = world.call(ask).await;
    let position = match &answer {
        Answer::Done(position) => Some(*position),
        Answer::Refused(_) | Answer::Unknown => None,
    };
    world.tell(json!({
        "call": if pauses { "WorkflowPaused" } else { "WorkflowResumed" }, "on": name, "by": by,
        "began": began, "outcome": answer.outcome(), "code": answer.code(), "position": position,
    }));
}

async fn hold_job_type(world: &Arc<World>, action: &Action, by: &str) {
    let at = usize::try_from(action.pick % 3).unwrap_or(0);
    let name = JOB_TYPES.get(at).copied().unwrap_or_default();
    let (began, who) = (world.step(), by.to_owned());
    let pauses = action.what == What::PauseJobType;
    let ask = |system: Orchestrator| async move {
        if pauses {
            system.pause_job_type(name, &who, None).await
        } else {
            system.resume_job_type(name, &who).await
        }
    };
    let answer = world.call(ask).await;
    let call = if pauses { "JobTypePaused" } else { "JobTypeResumed" };
    tell_command(world, call, json!(name), (by, began), &answer);
}

async fn act_on(world: &Arc<World>, id: ExecutionId, what: What, by: String) {
    let (began, who) = (world.step(), by.clone());
    let (call, answer) = match what {
        What::Cancel => {
            let ask = |s: Orchestrator| async move { s.cancel(id, &who, None).await };
            ("CancelRequested", world.call(ask).await)
        }
        What::ForceCancel => {
            let ask = |s: Orchestrator| async move { s.force_cancel(id, &who, None).await };
            ("CancelForced", world.call(ask).await)
        }
        What::Pause => {
            let ask = |s: Orchestrator| async move { s.pause(id, &who, None).await };
            ("ExecutionPaused", world.call(ask).await)
        }
        What::Resume => {
            let ask = |s: Orchestrator| async move { s.resume(id, &who).await };
            ("ExecutionResumed", world.call(ask).await)
        }
        What::Redrive => {
            let ask = |s: Orchestrator| async move {
                s.redrive(id, &who, None, RedriveRequest::default()).await.map(drop)
            };
            ("ExecutionRedriven", world.call(ask).await)
        }
        What::Delete => {
            let wish = Delete { by: who, ..Delete::default() };
            let ask = |s: Orchestrator| async move { s.delete(id, &wish).await.map(drop) };
            ("ExecutionDeleted", world.call(ask).await)
        }
        What::SkipBackoff => {
            drop(world.call(|system| async move { system.skip_backoff(id).await }).await);
            return;
        }
        What::ChangeMapRun => {
            drop(world.call(|system| async move { change_map_run(&system, id).await }).await);
            return;
        }
        What::Rerun => {
            let ask = |s: Orchestrator| async move { s.rerun(id, Rerun::default()).await };
            let answer = world.call(ask).await;
            if let Answer::Done(again) = answer {
                world.know(again);
            }
            return;
        }
        _ => return show(world, id).await,
    };
    tell_command(world, call, json!(id), (&by, began), &answer);
}

/// Lets an open run of a distributed Map go on one at a time.
async fn change_map_run(system: &Orchestrator, id: ExecutionId) -> Result<(), Error> {
    let shown = system.execution(id).await?;
    let open = shown.frames.values().find_map(|frame| Some(frame.map_run()?.id));
    let wish = MapRunWish { concurrency: Some(1), ..MapRunWish::default() };
    system.change_map_run(id, open.unwrap_or_default(), wish, "anyone").await
}

/// Looks at an execution, and remembers what it was shown.
pub(super) async fn show(world: &Arc<World>, id: ExecutionId) {
    let began = world.step();
    let answer = world.call(|system| async move { system.execution(id).await }).await;
    let (outcome, code) = (answer.outcome(), answer.code());
    let shown = match answer {
        Answer::Done(shown) => seen(&shown),
        Answer::Refused(_) | Answer::Unknown => Value::Null,
    };
    world.tell(json!({
        "call": "show", "on": id, "began": began, "outcome": outcome, "code": code, "shown": shown,
    }));
}

/// An execution as people see it.
fn seen(execution: &Execution) -> Value {
    json!({
        "status": execution.status,
        "ended": execution.status.is_terminal(),
        "sequence": execution.sequence,
        "redrives": execution.redrives,
        "output": execution.output.as_ref().map(Json::value),
        "failure": execution.failure,
        "progress": execution.progress,
        "set_aside": execution.set_aside,
    })
}

/// Lists all executions there are, when nothing happens any more.
pub(super) async fn list(world: &Arc<World>) {
    let list = |system: Orchestrator| async move { system.list_rows(Rows::All, usize::MAX).await };
    if let Answer::Done(rows) = world.call(list).await {
        let ids: Vec<ExecutionId> = rows.iter().map(|row| row.id).collect();
        world.tell(json!({"call": "list", "listed": ids}));
    }
}

/// Follows the log of a process, from where the one before was followed to.
pub(super) async fn follow(world: Arc<World>, system: Orchestrator) {
    let mut events = system.events(world.followed() + 1, None);
    // What is held here would keep the system from being let go.
    drop(system);
    loop {
        let began = world.step();
        let record = match events.next().await {
            Ok(record) => record,
            // The same is asked for again: it may be read later.
            Err(error @ Error::Store(_)) => {
                world.hear(&error, began);
                world.clock.rest(200).await;
                continue;
            }
            Err(_) => return,
        };
        world.follow_to(record.position);
        world.tell(json!({
            "call": "followed", "on": record.stream, "position": record.position,
            "sequence": record.sequence, "event": record.event.name(),
        }));
    }
}
