//! `everstep callback`: answers a job that waits for a callback.

use std::path::Path;

use super::engine::{BoundArgs, Engine, Workers};
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::live::Live;
use super::signals::Signals;
use super::{Context, data, input};
use crate::engine::CallbackToken;
use crate::language::Json;
use crate::runtime::Orchestrator;
use crate::worker::{JobError, Registry};

#[derive(clap::Subcommand)]
pub(super) enum CallbackCommand {
    /// Give the job its result
    Complete {
        #[command(flatten)]
        token: TokenArg,
        /// The result: JSON, @FILE, or - for stdin
        #[arg(long, value_name = "JSON", default_value = "null")]
        result: String,
    },
    /// Say that the job has failed
    Fail {
        #[command(flatten)]
        token: TokenArg,
        /// The error's name, which Retry and Catch match
        #[arg(long, default_value = "States.TaskFailed")]
        error: String,
        /// What happened, for people
        #[arg(long, default_value = "")]
        cause: String,
    },
    /// Give a sign of life: the job's heartbeat begins anew
    Heartbeat {
        #[command(flatten)]
        token: TokenArg,
    },
}

#[derive(clap::Args)]
pub(super) struct TokenArg {
    /// The token, as the job's input had it from $$.Task.Token
    #[arg(env = "EVERSTEP_TASK_TOKEN", hide_env_values = true)]
    token: String,
}

/// What is answered.
enum Answer {
    Complete(Json),
    Fail(JobError),
    Heartbeat,
}

pub(super) async fn run(context: &Context, command: CallbackCommand) -> Outcome {
    let (token, answer) = match command {
        CallbackCommand::Complete { token, result } => {
            (token, Answer::Complete(input::json(&result)?))
        }
        CallbackCommand::Fail { token, error, cause } => {
            (token, Answer::Fail(JobError::new(error, cause)))
        }
        CallbackCommand::Heartbeat { token } => (token, Answer::Heartbeat),
    };
    let Ok(parsed) = token.token.parse::<CallbackToken>() else {
        return Err(crate::runtime::Error::BadToken.into());
    };
    let folder = data::folder_to_read(context.data.as_deref());
    if !data::has_log(&folder) {
        let id = parsed.execution.to_string();
        return Err(crate::runtime::Error::NoSuchExecution { id }.into());
    }
    match Live::connect(&folder).await? {
        Some(live) => live.answer(&token.token, answer).await?,
        None => here(context, &folder, &token.token, answer).await?,
    }
    context.ui.say(&format!("told {}", parsed.execution.short()));
    Ok(Exit::Done)
}

/// No engine runs: one without workers is opened, which records the answer and starts no job.
async fn here(
    context: &Context,
    folder: &Path,
    token: &str,
    answer: Answer,
) -> Result<(), Box<Fault>> {
    let mut signals = Signals::listen()?;
    let bounds = BoundArgs::default();
    let engine =
        Engine::open_with(context, folder, None, &bounds, Registry::new(), Workers::Anywhere)
            .await?;
    let told = tell(&engine.orchestrator, token, answer).await;
    engine.stop(&mut signals).await?;
    Ok(told?)
}

async fn tell(
    everstep: &Orchestrator,
    token: &str,
    answer: Answer,
) -> Result<(), crate::runtime::Error> {
    match answer {
        Answer::Complete(result) => everstep.complete_callback(token, result).await,
        Answer::Fail(failure) => everstep.fail_callback(token, failure).await,
        Answer::Heartbeat => everstep.callback_heartbeat(token).await,
    }
}

impl Live {
    async fn answer(&self, token: &str, answer: Answer) -> Result<(), Box<Fault>> {
        let client = self.client();
        match answer {
            Answer::Complete(result) => client.complete_callback(token, result).await?,
            Answer::Fail(failure) => {
                client.fail_callback(token, failure.error(), failure.cause()).await?;
            }
            Answer::Heartbeat => client.callback_heartbeat(token).await?,
        }
        Ok(())
    }
}
