//! `everstep retry`: goes on with an execution that has ended, or at once with one that waits to try
//! again.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::engine::who;
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::in_process::{self, InProcessArgs};
use super::input;
use super::live::Live;
use super::source::Source;
use super::start::wait_for_end;
use super::wait::{EndArgs, say_next};
use super::{Context, data};
use crate::engine::{ExecutionId, RedriveRequest, redrive};
use crate::language::Json;
use crate::runtime::Orchestrator;
use crate::store::{Check, Record};
use crate::view::RetryCard;

/// How many `--set` there may be.
const MOST_CHANGES: usize = 100;

#[derive(clap::Args)]
pub(super) struct RetryArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// Go back to this step, and not only to the one that did not end well
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// Of an execution that waits before it tries again: do that now
    #[arg(long, conflicts_with_all = ["from", "set", "input", "dry_run", "reason"])]
    now: bool,
    /// Change the input of the step that runs again, as `path.to[0]=VALUE`; VALUE is JSON, else a
    /// text; may be given more than once. No parts of the step are kept then
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "input")]
    set: Vec<String>,
    /// Give the step that runs again this input: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON")]
    input: Option<String>,
    /// Only print what would be kept, and what would run
    #[arg(long)]
    dry_run: bool,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Of a running server: wait for the end, print what it gave, and exit accordingly. Without a
    /// server that is always so
    #[arg(long)]
    wait: bool,
    /// With --wait: wait no longer than this; the execution goes on
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout: Option<u64>,
    #[command(flatten)]
    process: InProcessArgs,
    #[command(flatten)]
    end: EndArgs,
}

#[derive(Serialize)]
struct Document<'c> {
    /// Whether nothing was done.
    is_dry_run: bool,
    #[serde(flatten)]
    card: &'c RetryCard,
}

pub(super) async fn run(context: &Context, arguments: RetryArgs) -> Outcome {
    let request = request(&arguments)?;
    let folder = data::folder_to_read(context.data.as_deref());
    data::require_log(&folder, &arguments.id)?;
    if arguments.dry_run {
        return dry_run(context, &arguments, &request, &folder).await;
    }
    match Live::connect(&folder).await? {
        Some(live) => in_server(context, &arguments, request, &live).await,
        None => {
            let begin =
                async |everstep: &Orchestrator| begin(context, &arguments, request, everstep).await;
            in_process::run(context, &arguments.process, arguments.end, begin).await
        }
    }
}

/// What the command line asks for.
fn request(arguments: &RetryArgs) -> Result<RedriveRequest, Box<Fault>> {
    if arguments.set.len() > MOST_CHANGES {
        let message = format!("{MOST_CHANGES} times --set are the most that may be given");
        return Err(Fault::new("TOO_MANY_CHANGES", Exit::Usage, message)
            .hint("--input JSON, which gives the whole input"));
    }
    let mut set = arguments.set.iter().map(|text| change(text)).collect::<Result<Vec<_>, _>>()?;
    if let Some(input) = &arguments.input {
        set.push(("$".to_owned(), input::json(input)?));
    }
    Ok(RedriveRequest { from: arguments.from.as_deref().map(Into::into), set })
}

/// Reads `path.to[0]=VALUE`.
fn change(text: &str) -> Result<(String, Json), Box<Fault>> {
    let Some((path, value)) = text.split_once('=').filter(|(path, _)| !path.is_empty()) else {
        return Err(Fault::new("BAD_CHANGE", Exit::Usage, format!("{text:?} changes nothing"))
            .why("a change is a path into the input, =, and a value")
            .hint("--set path.to[0]=VALUE"));
    };
    let path = match path.chars().next() {
        Some('$') => path.to_owned(),
        Some('[') => format!("${path}"),
        _ => format!("$.{path}"),
    };
    let value = Json::parse(value).unwrap_or_else(|_| Json::from_value(&value.into()));
    Ok((path, value))
}

/// Works out what would happen, from the history alone.
async fn dry_run(
    context: &Context,
    arguments: &RetryArgs,
    request: &RedriveRequest,
    folder: &Path,
) -> Outcome {
    let source = Source::open(folder, Check::Tail).await?;
    let id = source.find(&arguments.id).await?;
    let (execution, history) = source.whole(id).await?;
    let program = source.program(execution.definition).await?;
    let events = history.iter().map(Record::dated);
    let plan = redrive::plan(id, events, &program, request)?;
    let card = RetryCard::of(id, &program, &plan);
    if context.ui.is_json() {
        context.ui.document("everstep.retry/v1", &Document { is_dry_run: true, card: &card })?;
        return Ok(Exit::Done);
    }
    let heading =
        format!("would retry {} {}, which is {}\n", card.workflow, id.short(), card.status);
    let lines = card.lines().into_iter().map(|line| format!("  {line}\n"));
    context.ui.print(&(heading.replace('_', " ") + &lines.collect::<String>()))?;
    Ok(Exit::Done)
}

async fn in_server(
    context: &Context,
    arguments: &RetryArgs,
    request: RedriveRequest,
    live: &Live,
) -> Outcome {
    let id = live.find(&arguments.id).await?;
    let reason = arguments.reason.as_deref();
    if arguments.now {
        live.skip_backoff(id).await?;
        context.ui.say(&format!("{} tries again now", id.short()));
    } else {
        let card = live.redrive(id, &who(), reason, request).await?;
        tell(context, id, &card);
        if context.ui.is_json() && !arguments.wait {
            context
                .ui
                .document("everstep.retry/v1", &Document { is_dry_run: false, card: &card })?;
        }
    }
    if arguments.wait {
        let timeout = arguments.timeout.map(Duration::from_secs);
        return wait_for_end(context, live, id, timeout, arguments.end).await;
    }
    say_next(context, id, &["show", "cancel"]);
    Ok(Exit::Done)
}

/// Goes on with the execution in the engine of this process.
async fn begin(
    context: &Context,
    arguments: &RetryArgs,
    request: RedriveRequest,
    everstep: &Orchestrator,
) -> Result<ExecutionId, Box<Fault>> {
    let id = everstep.find(&arguments.id).await?;
    if arguments.now {
        everstep.skip_backoff(id).await?;
        context.ui.say(&format!("{} tries again now", id.short()));
        return Ok(id);
    }
    let plan = everstep.redrive(id, &who(), arguments.reason.as_deref(), request).await?;
    if let Some(program) = everstep.program(plan.definition) {
        tell(context, id, &RetryCard::of(id, &program, &plan));
    }
    Ok(id)
}

fn tell(context: &Context, id: ExecutionId, card: &RetryCard) {
    let mut text = format!("retries {} {}", card.workflow, id.short());
    for line in card.lines() {
        text.push_str(&format!("\n  {line}"));
    }
    context.ui.say(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_path_and_a_value() {
        let read = |text: &str| change(text).map(|(path, value)| (path, value.as_str().to_owned()));
        assert_eq!(read("a.b=3").unwrap(), ("$.a.b".to_owned(), "3".to_owned()));
        assert_eq!(read("[0]=x y").unwrap(), ("$[0]".to_owned(), "\"x y\"".to_owned()));
        assert_eq!(read("$['a']=[1]=2").unwrap(), ("$['a']".to_owned(), "\"[1]=2\"".to_owned()));
        assert_eq!(read("a=").unwrap().1, "\"\"");
        for bad in ["a", "=3", ""] {
            assert_eq!(change(bad).unwrap_err().code, "BAD_CHANGE");
        }
    }
}
