//! One connection, on the engine's side.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::lines::{LineError, Lines};
use super::protocol::{
    AnswerLine, Beat, Cancel, CompactLog, Complete, Deploy, Fail, FollowFrom, Hello, Hold, LetGo,
    LogPart, MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, Part, Pause, Redrive, Refusal, Request, RerunOf,
    Resume, Wire, line_of,
};
use super::serve::stopped;
use crate::engine::ExecutionId;
use crate::language::{DefinitionHash, Json};
use crate::runtime::{self, Compaction, Orchestrator, Record, Rerun};
use crate::view::RetryCard;
use crate::worker::JobError;

/// Records read from the log at once.
const READ_RECORDS: usize = 256;

/// Answers the requests of one client, one after the other.
pub(super) struct Session {
    lines: Lines<OwnedReadHalf>,
    answers: Answers,
    orchestrator: Orchestrator,
    hello: Arc<Hello>,
    stop: watch::Receiver<bool>,
}

/// Writes answers.
struct Answers {
    socket: OwnedWriteHalf,
    /// The request that is being answered.
    id: Option<u64>,
}

impl Session {
    pub(super) fn new(
        stream: UnixStream,
        orchestrator: Orchestrator,
        hello: Arc<Hello>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (reader, socket) = stream.into_split();
        let lines = Lines::new(reader, MAX_REQUEST_BYTES);
        Self { lines, answers: Answers { socket, id: None }, orchestrator, hello, stop }
    }

    /// Goes on until the client hangs up, breaks the rules, or the server stops.
    pub(super) async fn run(mut self) {
        if let Err(error) = self.answer_all().await {
            // Clients may hang up whenever they like.
            tracing::debug!(%error, "a client of the control socket is gone");
        }
    }

    async fn answer_all(&mut self) -> io::Result<()> {
        loop {
            let line = tokio::select! {
                line = self.lines.next() => line,
                () = stopped(&mut self.stop) => return Ok(()),
            };
            self.answers.id = None;
            let request = match line {
                Ok(Some(line)) => Request::read(line),
                Ok(None) => return Ok(()),
                Err(LineError::Io(error)) => return Err(error),
                Err(LineError::TooLong) => {
                    let refusal = Refusal::too_long("the request", MAX_REQUEST_BYTES);
                    return self.answers.error(&refusal).await;
                }
            };
            match request {
                Ok((id, request)) => {
                    self.answers.id = Some(id);
                    if self.answer(request).await?.is_break() {
                        return Ok(());
                    }
                }
                Err(bad) => {
                    self.answers.id = bad.id;
                    self.answers.error(&bad.refusal).await?;
                }
            }
        }
    }

    async fn answer(&mut self, request: Request) -> io::Result<std::ops::ControlFlow<()>> {
        let engine = &self.orchestrator;
        let answers = &mut self.answers;
        match request {
            Request::Hello => answers.ok(Hello::clone(&self.hello)).await?,
            Request::Deploy(Deploy { name, text, format }) => {
                answers.give(engine.deploy(&name, &text, format).await).await?;
            }
            Request::Start(start) => answers.give(engine.start_with(start).await).await?,
            Request::Cancel(cancel) => answers.give(cancelled(engine, cancel).await).await?,
            Request::Redrive(redrive) => answers.give(redriven(engine, redrive).await).await?,
            Request::SkipBackoff(one) => {
                answers.give(engine.skip_backoff(one.execution).await).await?;
            }
            Request::Rerun(of) => answers.give(rerun(engine, of).await).await?,
            Request::Pause(Pause { execution, by, reason }) => {
                answers.give(engine.pause(execution, &by, reason.as_deref()).await).await?;
            }
            Request::Resume(Resume { execution, by }) => {
                answers.give(engine.resume(execution, &by).await).await?;
            }
            Request::PauseWorkflow(hold) => answers.pause_workflow(engine, hold).await?,
            Request::ResumeWorkflow(go) => answers.resume_workflow(engine, go).await?,
            Request::PauseJobType(hold) => answers.pause_job_type(engine, hold).await?,
            Request::ResumeJobType(go) => answers.resume_job_type(engine, go).await?,
            Request::Paused => answers.give(engine.paused().await).await?,
            Request::Held => answers.ok(engine.held()).await?,
            Request::CompleteCallback(done) => answers.complete_callback(engine, done).await?,
            Request::FailCallback(failed) => answers.fail_callback(engine, failed).await?,
            Request::CallbackHeartbeat(Beat { token }) => {
                answers.give(engine.callback_heartbeat(&token).await).await?;
            }
            Request::Execution(one) => answers.give(engine.execution(one.execution).await).await?,
            Request::ExecutionAt(past) => {
                let then = engine.execution_at(past.execution, past.sequence).await;
                answers.give(then).await?;
            }
            Request::Ended(one) => return self.ended(one.execution).await,
            Request::Definition(one) => answers.give(definition(engine, one.definition)).await?,
            Request::List(part) => {
                answers.items(engine.list_rows(part.rows, part.limit).await).await?;
            }
            Request::Find(find) => answers.give(engine.find(&find.text).await).await?,
            Request::History(one) => answers.items(engine.history(one.execution).await).await?,
            Request::Log(part) => self.log(part).await?,
            Request::Queues(one) => answers.ok(engine.queues(one.execution)).await?,
            Request::LastPosition => answers.ok(engine.last_position()).await?,
            Request::Follow(follow) => return self.follow(follow).await,
            Request::Workflows => answers.ok(engine.workflows()).await?,
            Request::JobTypes => answers.ok(engine.job_types()).await?,
            Request::Checkpoint => {
                engine.checkpoint().await;
                answers.ok(()).await?;
            }
            Request::Delete(some) => {
                answers.items(Ok(engine.delete_all(&some.executions, &some.wish).await)).await?;
            }
            Request::Compact(CompactLog { forget_before }) => {
                answers.give(engine.compact(Compaction { forget_before }).await).await?;
            }
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    /// Waits for the end of an execution, but no longer than the client and the server are there.
    async fn ended(&mut self, execution: ExecutionId) -> io::Result<std::ops::ControlFlow<()>> {
        let ended = tokio::select! {
            ended = self.orchestrator.ended(execution) => ended,
            () = self.lines.ended() => return Ok(std::ops::ControlFlow::Break(())),
            () = stopped(&mut self.stop) => Err(runtime::Error::Stopping),
        };
        self.answers.give(ended).await?;
        Ok(std::ops::ControlFlow::Continue(()))
    }

    /// Reads part by part, so that neither side holds the whole log.
    async fn log(&mut self, LogPart { from, limit }: LogPart) -> io::Result<()> {
        let (mut from, mut left) = (from.max(1), limit);
        while left > 0 {
            let records = match self.orchestrator.log(from, left.min(READ_RECORDS)).await {
                Ok(records) => records,
                Err(error) => return self.answers.error(&error.into()).await,
            };
            let Some(last) = records.last().map(|record| record.position) else {
                break;
            };
            from = last + 1;
            left = left.saturating_sub(records.len());
            for record in records {
                self.answers.item(record).await?;
            }
        }
        self.answers.ok(()).await
    }

    async fn follow(&mut self, follow: FollowFrom) -> io::Result<std::ops::ControlFlow<()>> {
        let mut events = self.orchestrator.events(follow.from, follow.only);
        loop {
            let next: Result<Record, runtime::Error> = tokio::select! {
                next = events.next() => next,
                () = self.lines.ended() => return Ok(std::ops::ControlFlow::Break(())),
                () = stopped(&mut self.stop) => Err(runtime::Error::Stopping),
            };
            match next {
                Ok(record) => self.answers.item(record).await?,
                Err(error) => {
                    self.answers.error(&error.into()).await?;
                    return Ok(std::ops::ControlFlow::Continue(()));
                }
            }
        }
    }
}

/// Asks an execution to stop, or ends it by force.
async fn cancelled(engine: &Orchestrator, cancel: Cancel) -> Result<(), runtime::Error> {
    let Cancel { execution, by, reason, force } = cancel;
    match force {
        false => engine.cancel(execution, &by, reason.as_deref()).await,
        true => engine.force_cancel(execution, &by, reason.as_deref()).await,
    }
}

/// Begins an execution once more, with the first of the inputs where there is one.
async fn rerun(engine: &Orchestrator, of: RerunOf) -> Result<ExecutionId, runtime::Error> {
    let RerunOf { execution, name, inputs, same_version } = of;
    let rerun = Rerun { name, input: inputs.into_iter().next(), same_version };
    engine.rerun(execution, rerun).await
}

/// Retries an execution, and says what is kept and what is done again.
async fn redriven(engine: &Orchestrator, redrive: Redrive) -> Result<RetryCard, Refusal> {
    let Redrive { execution, by, reason, request } = redrive;
    let plan = engine.redrive(execution, &by, reason.as_deref(), request).await?;
    let program = engine.program(plan.definition);
    let program = program.ok_or_else(|| Refusal::no_such_definition(plan.definition))?;
    Ok(RetryCard::of(execution, &program, &plan))
}

fn definition(engine: &Orchestrator, hash: DefinitionHash) -> Result<Json, Refusal> {
    let program = engine.program(hash).ok_or_else(|| Refusal::no_such_definition(hash))?;
    Ok(program.workflow.source.clone())
}

/// Answers about whole workflows and job types.
impl Answers {
    async fn pause_workflow(&mut self, engine: &Orchestrator, hold: Hold) -> io::Result<()> {
        let Hold { name, by, reason } = hold;
        self.give(engine.pause_workflow(&name, &by, reason.as_deref()).await).await
    }

    async fn resume_workflow(&mut self, engine: &Orchestrator, go: LetGo) -> io::Result<()> {
        self.give(engine.resume_workflow(&go.name, &go.by).await).await
    }

    async fn pause_job_type(&mut self, engine: &Orchestrator, hold: Hold) -> io::Result<()> {
        let Hold { name, by, reason } = hold;
        self.give(engine.pause_job_type(&name, &by, reason.as_deref()).await).await
    }

    async fn resume_job_type(&mut self, engine: &Orchestrator, go: LetGo) -> io::Result<()> {
        self.give(engine.resume_job_type(&go.name, &go.by).await).await
    }
}

/// Answers to whoever calls back.
impl Answers {
    async fn complete_callback(&mut self, engine: &Orchestrator, done: Complete) -> io::Result<()> {
        self.give(engine.complete_callback(&done.token, done.output).await).await
    }

    async fn fail_callback(&mut self, engine: &Orchestrator, failed: Fail) -> io::Result<()> {
        let failure = JobError::new(failed.error, failed.cause);
        self.give(engine.fail_callback(&failed.token, failure).await).await
    }
}

impl Answers {
    async fn give<T: Wire>(&mut self, answer: Result<T, impl Into<Refusal>>) -> io::Result<()> {
        match answer {
            Ok(value) => self.ok(value).await,
            Err(error) => self.error(&error.into()).await,
        }
    }

    async fn items<T: Wire>(&mut self, items: Result<Vec<T>, runtime::Error>) -> io::Result<()> {
        match items {
            Ok(items) => {
                for item in items {
                    self.item(item).await?;
                }
                self.ok(()).await
            }
            Err(error) => self.error(&error.into()).await,
        }
    }

    async fn ok<T: Wire>(&mut self, mut value: T) -> io::Result<()> {
        value.make_public();
        let nulls = value.nulls();
        self.write(Part::Ok(&value), nulls).await
    }

    async fn item<T: Wire>(&mut self, mut value: T) -> io::Result<()> {
        value.make_public();
        let nulls = value.nulls();
        self.write(Part::Item(&value), nulls).await
    }

    async fn error(&mut self, refusal: &Refusal) -> io::Result<()> {
        self.write::<()>(Part::Error(refusal), Vec::new()).await
    }

    async fn write<T: Serialize>(
        &mut self,
        part: Part<'_, T>,
        nulls: Vec<usize>,
    ) -> io::Result<()> {
        let mut line = line_of(&AnswerLine { id: self.id, part, nulls })?;
        if line.len() > MAX_ANSWER_BYTES {
            let refusal = Refusal::too_long("the answer", MAX_ANSWER_BYTES);
            let part: Part<'_, ()> = Part::Error(&refusal);
            line = line_of(&AnswerLine { id: self.id, part, nulls: Vec::new() })?;
        }
        self.socket.write_all(&line).await
    }
}
