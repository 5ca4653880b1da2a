//! `everstep start`: an execution in a running server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::live::Live;
use super::progress::Progress;
use super::signals::Signals;
use super::wait::{self, EndArgs, say_next};
use super::{Context, data, input};
use crate::engine::{Execution, ExecutionId, Program};
use crate::language::{Format, Json};
use crate::runtime::Start;
use crate::view::{Card, one_line};

/// How often an execution that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(250);

#[derive(clap::Args)]
pub(super) struct StartArgs {
    /// A workflow that the server knows, or a definition file to make known first
    workflow: String,
    /// The input: JSON, @FILE, or - for stdin
    #[arg(short, long, value_name = "JSON")]
    input: Option<String>,
    /// Another definition to make known first, so that this one can start executions of it; may be
    /// given more than once
    #[arg(long = "with", value_name = "FILE")]
    others: Vec<PathBuf>,
    /// Your own name for the execution
    #[arg(long)]
    name: Option<String>,
    /// Wait for its end, print what it gave, and exit accordingly
    #[arg(long)]
    wait: bool,
    /// With --wait: wait no longer than this; the execution goes on
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout: Option<u64>,
    #[command(flatten)]
    end: EndArgs,
}

pub(super) async fn run(context: &Context, arguments: StartArgs) -> Outcome {
    let input = arguments.input.as_deref().map(input::json).transpose()?;
    let folder = data::folder_to_read(context.data.as_deref());
    let file = as_file(&arguments.workflow);
    if let Some(file) = &file {
        super::validate::check(context, file)?;
    }
    for other in &arguments.others {
        super::validate::check(context, other)?;
    }
    let live = connect(&folder).await?;
    for other in &arguments.others {
        let other = input::definition(other)?;
        live.deploy(&other.name, &other.text, other.format).await?;
    }
    let workflow = match &file {
        Some(file) => {
            let definition = input::definition(file)?;
            live.deploy(&definition.name, &definition.text, definition.format).await?;
            definition.name
        }
        None => arguments.workflow,
    };
    let input = input.unwrap_or_else(Json::empty_object);
    let start = Start { workflow: workflow.clone(), input, name: arguments.name };
    let id = live.start(start).await?;
    if !arguments.wait {
        let execution = live.execution(id).await?;
        context.ui.print(&started(context, &execution))?;
        if let Some(place) = execution.place.as_ref().filter(|_| execution.waits_for_place()) {
            let key = one_line(&place.key_words(&workflow), 80);
            context.ui.say(&format!("queued: it waits for a place ({key}, limit {})", place.limit));
        }
        say_next(context, id, &["show", "why", "cancel"]);
        return Ok(Exit::Done);
    }
    context.ui.say(&format!("started {workflow} {}", id.short()));
    let timeout = arguments.timeout.map(Duration::from_secs);
    wait_for_end(context, &live, id, timeout, arguments.end).await
}

/// What is printed about a start: the id, or a document.
pub(super) fn started(context: &Context, execution: &Execution) -> String {
    let id = execution.id;
    if !context.ui.is_json() {
        return format!("{id}\n");
    }
    let handle = id.handle();
    let document = serde_json::json!({
        "schema": "everstep.started/v1",
        "id": id.to_string(),
        "handle": handle,
        "workflow": execution.workflow,
        "status": execution.status.as_str(),
    });
    format!("{document}\n")
}

/// A definition's path; nothing when the words are a workflow's name.
fn as_file(words: &str) -> Option<PathBuf> {
    let path = Path::new(words);
    let is_path = words.contains('/') || (Format::of_path(path).is_some() && path.exists());
    is_path.then(|| path.to_owned())
}

/// Finds the running server.
///
/// # Errors
/// None answers.
async fn connect(folder: &Path) -> Result<Live, Box<Fault>> {
    Live::connect(folder).await?.ok_or_else(|| {
        let message = format!("no server answers in {}", folder.display());
        Fault::new("NO_SERVER", Exit::NoServer, message)
            .why("an execution is started in a process that then runs it")
            .hint("everstep serve, or everstep run FILE to run it in this process")
    })
}

/// Shows an execution of a server until it ends.
pub(super) async fn wait_for_end(
    context: &Context,
    live: &Live,
    id: ExecutionId,
    timeout: Option<Duration>,
    end: EndArgs,
) -> Outcome {
    let mut signals = Signals::listen()?;
    let definition = live.execution(id).await?.definition;
    let program = live.program(definition).await?;
    let program = program.ok_or_else(|| super::source::unreadable(definition))?;
    let watch = watch(context, live, &program, id);
    let patience = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = watch => wait::report_end(context, &program, &ended?, end),
        () = patience => {
            context.ui.say(&format!("{} goes on", id.short()));
            say_next(context, id, &["show", "cancel"]);
            Ok(Exit::WaitTimedOut)
        }
        () = signals.next() => {
            context.ui.say(&format!("detached; {} goes on", id.short()));
            say_next(context, id, &["show", "cancel"]);
            Ok(Exit::Interrupted)
        }
    }
}

async fn watch(
    context: &Context,
    live: &Live,
    program: &Program,
    id: ExecutionId,
) -> Result<Execution, Box<Fault>> {
    let mut progress = Progress::new(&context.ui);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let execution = live.execution(id).await?;
        progress.show(&Card::of(program, &execution, wait::now()), wait::now())?;
        if execution.status.is_terminal() {
            return Ok(execution);
        }
        if let Some(reason) = &execution.set_aside {
            return Err(wait::set_aside(id, reason));
        }
    }
}
