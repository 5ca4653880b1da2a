//! `everstep why`: why an execution waits, since when, until when, and what to do about it.

mod advice;

use std::pin::Pin;

use serde::Serialize;

use self::advice::{Advice, advice};
use super::Context;
use super::ending::{told_force, told_outcome};
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::source::{Source, SourceArgs};
use super::ui::{Mark, Role};
use super::wait::now;
use crate::engine::{ExecutionId, Held, short_handle};
use crate::view::{
    Around, FailureCard, LOOK_DEPTH, Moments, Queues, Why, WhyState, Workers, duration, one_line,
};

#[derive(clap::Args)]
pub(super) struct WhyArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// As it was right after this event, by its sequence in `log show`
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Serialize)]
struct Document<'w> {
    #[serde(flatten)]
    why: &'w Why,
    next: &'w [Advice],
}

pub(super) async fn run(context: &Context, arguments: &WhyArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let id = source.find(&arguments.id).await?;
    let types = source.job_types().await?;
    let workers = match (&source, &types) {
        (_, Some(types)) => Workers::Of(types),
        (Source::File(_), None) => Workers::Unknown,
        (_, None) => Workers::None,
    };
    let held = source.held().await?;
    let beside = Beside { source: &source, workers, held: &held };
    let why = match arguments.at {
        None => look(beside, id, LOOK_DEPTH).await?,
        Some(at) => look_back(&source, id, at).await?,
    };
    let ui = &context.ui;
    // There is nothing to go on with in a file, nor in the past.
    let is_over = arguments.source.file.is_some() || arguments.at.is_some();
    let next = if is_over { Vec::new() } else { advice(context, id, &why) };
    if ui.is_json() {
        ui.document("everstep.why/v1", &Document { why: &why, next: &next })?;
        return Ok(Exit::Done);
    }
    let mut text = heading(context, &why);
    tell(&why, "  ", &mut text);
    if why.engine_runs == Some(false) && why.end.is_none() {
        text.push_str("  no engine runs on this folder, so nothing happens until one does\n");
    }
    let widest = next.iter().map(|advice| advice.purpose.len()).max().unwrap_or(0);
    for Advice { purpose, command } in &next {
        let purpose = format!("{purpose}:");
        let line = format!("  {purpose:<width$} {command}\n", width = widest + 1);
        text.push_str(&ui.paint(Role::Faint, &line));
    }
    ui.print(&text)?;
    Ok(Exit::Done)
}

/// What is looked at beside the execution.
#[derive(Clone, Copy)]
struct Beside<'a> {
    source: &'a Source,
    workers: Workers<'a>,
    held: &'a Held,
}

type Looked<'l> = Pin<Box<dyn Future<Output = Result<Why, Box<Fault>>> + Send + 'l>>;

/// Looks at an execution, and at what it waits for.
fn look(beside: Beside<'_>, id: ExecutionId, depth: u32) -> Looked<'_> {
    Box::pin(async move {
        let Beside { source, workers, held } = beside;
        let (execution, history) = source.whole(id).await?;
        let program = source.program(execution.definition).await?;
        let queues = source.queues(id).await?;
        let around = Around { workers, queues: &queues, held };
        let mut why = Why::of(&program, &execution, &history, around, now());
        if depth == 0 {
            return Ok(why);
        }
        // It is told where it can be: an execution that has not begun has no history yet.
        for (below, seen) in why.below() {
            *seen = look(beside, below, depth - 1).await.ok().map(Box::new);
        }
        Ok(why)
    })
}

/// Looks at an execution as it was. What others were then, and which workers there were, is not in
/// its history.
async fn look_back(source: &Source, id: ExecutionId, at: u64) -> Result<Why, Box<Fault>> {
    let mut history = source.history(id).await?;
    let execution = match Moments::of(id, &history).after(at) {
        Some(execution) => execution.clone(),
        // It says why there is no such moment.
        None => source.moment(id, Some(at)).await?.0,
    };
    let moment = execution.updated_at;
    history.retain(|record| record.sequence <= at);
    let program = source.program(execution.definition).await?;
    let (queues, held) = (Queues::default(), Held::default());
    let around = Around { workers: Workers::Unknown, queues: &queues, held: &held };
    Ok(Why::of(&program, &execution, &history, around, moment))
}

fn heading(context: &Context, why: &Why) -> String {
    let ui = &context.ui;
    let mark = Mark::of_execution(why.status, why.state == WhyState::Paused);
    format!(
        "{} {} {}\n",
        ui.paint(Role::Strong, &one_line(&why.workflow, 80)),
        short(why),
        ui.paint(mark.role, &stands(why)),
    )
}

fn short(why: &Why) -> &str {
    short_handle(&why.handle)
}

/// How it stands, after its name.
fn stands(why: &Why) -> String {
    match why.state {
        WhyState::Working => "is at work".to_owned(),
        WhyState::Waiting => "is waiting".to_owned(),
        WhyState::Stopping => "is stopping".to_owned(),
        WhyState::Paused => "is paused".to_owned(),
        WhyState::CleaningUp => "is cleaning up".to_owned(),
        WhyState::SetAside => "was set aside".to_owned(),
        WhyState::Ended => match why.status {
            "cancelled" => "was cancelled".to_owned(),
            status => status.replace('_', " "),
        },
    }
}

/// Everything that is known, line by line.
fn tell(why: &Why, indent: &str, text: &mut String) {
    let mut line = |told: &str| text.push_str(&format!("{indent}{told}\n"));
    if let Some(reason) = &why.set_aside {
        line(&format!("something of ours is wrong with it: {}", one_line(reason, 400)));
    }
    if let Some(cancel) = &why.cancel {
        let reason = cancel.reason.as_deref().map(|words| format!(": {}", one_line(words, 200)));
        let (by, at) = (one_line(&cancel.by, 80), &cancel.at);
        line(&format!("{by} asked it to stop at {at}{}", reason.unwrap_or_default()));
        if let Some(forced) = &cancel.forced {
            line(&told_force(forced));
        } else if why.end.is_none() {
            line(&format!("its end may be forced from {} on", cancel.force_from));
        }
    }
    for reason in &why.reasons {
        text.push_str(&format!("{indent}{}\n", reason.sentence));
        if let Some(error) = &reason.last_error {
            let event = reason.last_error_event.map(|event| format!(" (event {event})"));
            let (words, event) = (failure(error), event.unwrap_or_default());
            text.push_str(&format!("{indent}  last error: {words}{event}\n"));
        }
        below(reason.child.as_deref(), indent, text);
    }
    if why.more_reasons > 0 {
        text.push_str(&format!("{indent}and {} more\n", why.more_reasons));
    }
    if let Some(due) = why.times_out_at {
        let left = duration(due.ms_since(now()));
        text.push_str(&format!("{indent}all of it times out at {due}, in {left}\n"));
    }
    tell_cleanup(why, indent, text);
    tell_end(why, indent, text);
}

/// What could not be undone.
fn tell_cleanup(why: &Why, indent: &str, text: &mut String) {
    let outcomes = why.cleanup.iter().flat_map(|cleanup| &cleanup.outcomes);
    for outcome in outcomes.filter(|outcome| outcome.error.is_some()) {
        text.push_str(&format!("{indent}{}\n", told_outcome(outcome)));
    }
}

fn tell_end(why: &Why, indent: &str, text: &mut String) {
    let Some(end) = &why.end else { return };
    let at = end.ended_at.as_deref().unwrap_or_default();
    let step = end.failed_step.as_ref();
    let step = step.map(|name| format!(" in step \"{}\"", one_line(name, 60)));
    let failed = end.failure.as_ref().map(|error| format!(": {}", failure(error)));
    let (step, failed) = (step.unwrap_or_default(), failed.unwrap_or_default());
    text.push_str(&format!("{indent}it ended at {at}{step}{failed}\n"));
    if end.total_errors > 0 {
        text.push_str(&format!(
            "{indent}errors that were caught or tolerated: {}\n",
            end.total_errors
        ));
    }
    if let Some(point) = &end.first_failure {
        let step = point.step_name.as_ref();
        let step = step.map(|name| format!(" in \"{}\"", one_line(name, 60))).unwrap_or_default();
        let (sequence, event, words) = (point.sequence, point.event, failure(&point.failure));
        text.push_str(&format!(
            "{indent}it first failed at event {sequence} ({event}){step}: {words}\n"
        ));
        below(point.child.as_deref(), indent, text);
    }
}

/// What another execution waits for, further to the right.
fn below(child: Option<&Why>, indent: &str, text: &mut String) {
    let Some(child) = child else { return };
    let workflow = one_line(&child.workflow, 80);
    text.push_str(&format!("{indent}  {workflow} {} {}\n", short(child), stands(child)));
    tell(child, &format!("{indent}    "), text);
}

fn failure(error: &FailureCard) -> String {
    one_line(&format!("{}: {}", error.error, error.cause), 200)
}
