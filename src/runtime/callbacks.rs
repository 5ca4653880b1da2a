//! Answering jobs that wait for a callback.
//!
//! A Task whose `Resource` ends in `.waitForTaskToken` puts `$$.Task.Token` into its job's input. Its
//! worker hands the token on to whoever does the work; that one answers here. The token says which
//! job is meant, and proves the right to answer.

use super::error::Error;
use super::orchestrator::Orchestrator;
use crate::engine::{CallbackToken, Command, Rejection};
use crate::language::Json;
use crate::worker::JobError;

impl Orchestrator {
    /// Gives a job that waits for a callback its result. On return it is durable.
    ///
    /// A result over the payload limit fails the job with `States.DataLimitExceeded`.
    ///
    /// # Errors
    /// The text is no token; or the job has ended, was cancelled or tried again, so that the token is
    /// no longer that of an open job.
    pub async fn complete_callback(
        &self,
        token: &str,
        output: impl Into<Json>,
    ) -> Result<(), Error> {
        let CallbackToken { execution, job, token } = read(token)?;
        let output = output.into();
        self.command(execution, Command::CompleteJob { job, token, output, errors: 0 })
            .await
            .map(drop)
    }

    /// Says that a job that waits for a callback has failed: its `Retry` and `Catch` decide what
    /// happens. On return it is durable.
    ///
    /// # Errors
    /// As [`Orchestrator::complete_callback`].
    pub async fn fail_callback(&self, token: &str, failure: JobError) -> Result<(), Error> {
        let CallbackToken { execution, job, token } = read(token)?;
        let failure = failure.into();
        self.command(execution, Command::FailJob { job, token, failure }).await.map(drop)
    }

    /// Gives a sign of life for a job that waits for a callback: its `HeartbeatSeconds` begin anew.
    /// On return it is durable, or another one within the same second is.
    ///
    /// # Errors
    /// As [`Orchestrator::complete_callback`].
    pub async fn callback_heartbeat(&self, token: &str) -> Result<(), Error> {
        let CallbackToken { execution, job, token } = read(token)?;
        match self.command(execution, Command::Heartbeat { job, token }).await {
            // There is nothing to put off, or it was put off just now.
            Err(Error::Rejected(Rejection::NothingToDo)) => Ok(()),
            answer => answer.map(drop),
        }
    }
}

fn read(token: &str) -> Result<CallbackToken, Error> {
    token.parse().map_err(|_| Error::BadToken)
}
