//! The other processes' side.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::error::Error;
use super::lines::{LineError, Lines};
use super::place::{self, own_user};
use super::protocol::{
    Answer, Beat, Cancel, CompactLog, Complete, DeleteSome, Deploy, Fail, Find, FollowFrom, Hello,
    Hold, LetGo, List, LogPart, MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, One, OneDefinition,
    PROTOCOL_VERSION, Past, Pause, Redrive, Refusal, Request, RerunOf, Resume, Wire,
};
use crate::engine::{Execution, ExecutionId, Held, RedriveRequest, Timestamp};
use crate::language::{DefinitionHash, Format, Json};
use crate::runtime::{
    Compacted, Delete, Deleted, Deployed, Paused, Queues, Record, Rerun, Rows, Start, Summary,
};
use crate::view::RetryCard;

/// How long an engine may take to accept a connection and to say what it is.
const CONNECT: Duration = Duration::from_secs(2);

/// Every connection carries one request, so any number will do.
const ID: u64 = 1;

/// A running engine, reached through its control socket. Cheap to clone.
///
/// Each request has a connection of its own: requests may be made at once, and dropping a future
/// hangs up. What the methods mean, and what they promise, is said at the methods of
/// [`Orchestrator`](crate::runtime::Orchestrator) that have the same names; errors that those give
/// come as [`Error::Refused`] with the same code. All requests can also fail because the engine is
/// gone ([`Error::Unreachable`], [`Error::Closed`]).
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    /// Who owns the data folder.
    owner: u32,
}

impl Client {
    /// Finds the engine that runs on a data folder, and sees that it speaks this protocol.
    ///
    /// # Errors
    /// Nobody answers within two seconds, it is not to be trusted, or it speaks another version.
    pub async fn connect(data: &Path) -> Result<Self, Error> {
        let (socket, owner) = place::find(data)?;
        let client = Self { socket, owner };
        match timeout(CONNECT, client.greet()).await {
            Ok(Ok(())) => Ok(client),
            // It was killed. A program that it was just starting holds the socket open for a moment
            // and hangs up; nothing has been asked.
            Ok(Err(Error::Closed)) => Err(client.unreachable(&"it hung up without a greeting")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(client.unreachable(&"it did not answer in time")),
        }
    }

    /// Asks for the version before anything that could have changed with it is read.
    async fn greet(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Versions {
            protocol: u32,
            #[serde(default)]
            program: String,
        }
        let mut connection = self.send(&Request::Hello).await?;
        let answer = connection.answer().await?;
        let text = answer.ok.as_deref().ok_or_else(no_answer)?;
        let versions: Versions = serde_json::from_str(text.get()).map_err(Error::protocol)?;
        if versions.protocol == PROTOCOL_VERSION {
            return Ok(());
        }
        Err(Error::Version { theirs: versions.protocol, program: versions.program })
    }

    /// Who answers.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn hello(&self) -> Result<Hello, Error> {
        self.ask(Request::Hello).await
    }

    /// Makes a definition known under a name.
    ///
    /// # Errors
    /// Refused, with all faults of the definition in the hint.
    pub async fn deploy(&self, name: &str, text: &str, format: Format) -> Result<Deployed, Error> {
        let (name, text) = (name.to_owned(), text.to_owned());
        self.ask(Request::Deploy(Deploy { name, text, format })).await
    }

    /// Starts an execution. On return it is durable.
    ///
    /// # Errors
    /// Refused: no such workflow, no worker, or the input is too large.
    pub async fn start(&self, start: Start) -> Result<ExecutionId, Error> {
        self.ask(Request::Start(start)).await
    }

    /// Asks an execution to stop. On return the request is durable.
    ///
    /// # Errors
    /// Refused: there is no such execution, or it has ended.
    pub async fn cancel(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        self.stop(execution, by, reason, false).await
    }

    /// Ends an execution at once that was asked to stop and has not in the time that its workers have.
    ///
    /// # Errors
    /// Refused: there is no such execution, it has ended, nobody asked it to stop, or its workers
    /// still have time.
    pub async fn force_cancel(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        self.stop(execution, by, reason, true).await
    }

    async fn stop(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
        force: bool,
    ) -> Result<(), Error> {
        let (by, reason) = (by.to_owned(), reason.map(str::to_owned));
        self.ask(Request::Cancel(Cancel { execution, by, reason, force })).await
    }

    /// Goes on with an execution that has ended, and gives what is kept and what is done again. On
    /// return it is durable.
    ///
    /// # Errors
    /// Refused: there is no such execution, it cannot go on, or not as it is asked for.
    pub async fn redrive(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
        request: RedriveRequest,
    ) -> Result<RetryCard, Error> {
        let (by, reason) = (by.to_owned(), reason.map(str::to_owned));
        self.ask(Request::Redrive(Redrive { execution, by, reason, request })).await
    }

    /// Tries at once what an execution waits to try again. On return it is durable.
    ///
    /// # Errors
    /// Refused: there is no such execution, or it waits for something else.
    pub async fn skip_backoff(&self, execution: ExecutionId) -> Result<(), Error> {
        self.ask(Request::SkipBackoff(One { execution })).await
    }

    /// Starts an execution that repeats another one. On return it is durable.
    ///
    /// # Errors
    /// Refused: there is no such execution; or as [`Client::start`].
    pub async fn rerun(&self, execution: ExecutionId, rerun: Rerun) -> Result<ExecutionId, Error> {
        let Rerun { name, input, same_version } = rerun;
        let inputs = input.into_iter().collect();
        self.ask(Request::Rerun(RerunOf { execution, name, inputs, same_version })).await
    }

    /// Pauses an execution. On return that is durable.
    ///
    /// # Errors
    /// Refused: there is no such execution, it has ended or is ending, or it is paused already.
    pub async fn pause(
        &self,
        execution: ExecutionId,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let (by, reason) = (by.to_owned(), reason.map(str::to_owned));
        self.ask(Request::Pause(Pause { execution, by, reason })).await
    }

    /// Lets an execution go on that was paused by itself.
    ///
    /// # Errors
    /// Refused: there is no such execution, it has ended or is ending, or it is not paused.
    pub async fn resume(&self, execution: ExecutionId, by: &str) -> Result<(), Error> {
        self.ask(Request::Resume(Resume { execution, by: by.to_owned() })).await
    }

    /// Pauses a workflow with all of its executions; how many were paused by this.
    ///
    /// # Errors
    /// Refused: there is no such workflow, or it is paused already.
    pub async fn pause_workflow(
        &self,
        workflow: &str,
        by: &str,
        reason: Option<&str>,
    ) -> Result<u64, Error> {
        self.ask(Request::PauseWorkflow(hold(workflow, by, reason))).await
    }

    /// Lets a workflow go on; how many of its executions were resumed by this.
    ///
    /// # Errors
    /// Refused: it is not paused.
    pub async fn resume_workflow(&self, workflow: &str, by: &str) -> Result<u64, Error> {
        let (name, by) = (workflow.to_owned(), by.to_owned());
        self.ask(Request::ResumeWorkflow(LetGo { name, by })).await
    }

    /// Pauses a job type: none of its jobs is given to a worker.
    ///
    /// # Errors
    /// Refused: there is no such job type, or it is paused already.
    pub async fn pause_job_type(
        &self,
        job_type: &str,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        self.ask(Request::PauseJobType(hold(job_type, by, reason))).await
    }

    /// Lets jobs of a type be given to workers again.
    ///
    /// # Errors
    /// Refused: it is not paused.
    pub async fn resume_job_type(&self, job_type: &str, by: &str) -> Result<(), Error> {
        let (name, by) = (job_type.to_owned(), by.to_owned());
        self.ask(Request::ResumeJobType(LetGo { name, by })).await
    }

    /// Everything that is paused.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn paused(&self) -> Result<Paused, Error> {
        self.ask(Request::Paused).await
    }

    /// Workflows and job types that are paused.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn held(&self) -> Result<Held, Error> {
        self.ask(Request::Held).await
    }

    /// Gives a job that waits for a callback its result. On return it is durable.
    ///
    /// # Errors
    /// Refused: the text is no token, or the job no longer waits.
    pub async fn complete_callback(&self, token: &str, output: Json) -> Result<(), Error> {
        self.ask(Request::CompleteCallback(Complete { token: token.to_owned(), output })).await
    }

    /// Says that a job that waits for a callback has failed. On return it is durable.
    ///
    /// # Errors
    /// As [`Client::complete_callback`].
    pub async fn fail_callback(&self, token: &str, error: &str, cause: &str) -> Result<(), Error> {
        let (token, error, cause) = (token.to_owned(), error.to_owned(), cause.to_owned());
        self.ask(Request::FailCallback(Fail { token, error, cause })).await
    }

    /// Gives a sign of life for a job that waits for a callback.
    ///
    /// # Errors
    /// As [`Client::complete_callback`].
    pub async fn callback_heartbeat(&self, token: &str) -> Result<(), Error> {
        self.ask(Request::CallbackHeartbeat(Beat { token: token.to_owned() })).await
    }

    /// An execution as it stands, without the tokens of its attempts.
    ///
    /// # Errors
    /// Refused: there is no such execution.
    pub async fn execution(&self, execution: ExecutionId) -> Result<Execution, Error> {
        self.ask(Request::Execution(One { execution })).await
    }

    /// An execution as it was right after the event with this sequence, without tokens.
    ///
    /// # Errors
    /// Refused: there is no such execution or event.
    pub async fn execution_at(
        &self,
        execution: ExecutionId,
        sequence: u64,
    ) -> Result<Execution, Error> {
        self.ask(Request::ExecutionAt(Past { execution, sequence })).await
    }

    /// Waits until an execution has ended, and gives all that is known of it.
    ///
    /// # Errors
    /// Refused: there is no such execution, or the engine stops first.
    pub async fn ended(&self, execution: ExecutionId) -> Result<Execution, Error> {
        self.ask(Request::Ended(One { execution })).await
    }

    /// The source of a definition, as canonical JSON.
    ///
    /// # Errors
    /// Refused: there is no such definition.
    pub async fn definition(&self, definition: DefinitionHash) -> Result<Json, Error> {
        self.ask(Request::Definition(OneDefinition { definition })).await
    }

    /// Rows of some executions, the newest first, at most `limit`.
    ///
    /// # Errors
    /// Refused: the store cannot be read.
    pub async fn list_rows(&self, rows: Rows, limit: usize) -> Result<Vec<Summary>, Error> {
        self.ask_all(Request::List(List { rows, limit })).await
    }

    /// Finds an execution by its id, a unique beginning of its handle, or `@` for the newest.
    ///
    /// # Errors
    /// Refused: none fits, or several do.
    pub async fn find(&self, text: &str) -> Result<ExecutionId, Error> {
        self.ask(Request::Find(Find { text: text.to_owned() })).await
    }

    /// The history of an execution, without tokens; empty when there is no such execution.
    ///
    /// # Errors
    /// Refused: the log cannot be read.
    pub async fn history(&self, execution: ExecutionId) -> Result<Vec<Record>, Error> {
        self.ask_all(Request::History(One { execution })).await
    }

    /// Part of the whole log, without tokens: at most `limit` records, from `from` on.
    ///
    /// # Errors
    /// Refused: the log cannot be read.
    pub async fn log(&self, from: u64, limit: usize) -> Result<Vec<Record>, Error> {
        self.ask_all(Request::Log(LogPart { from, limit })).await
    }

    /// The position of the last durable event.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn last_position(&self) -> Result<u64, Error> {
        self.ask(Request::LastPosition).await
    }

    /// What an execution queues for at the moment: its place, and slots for its jobs.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn queues(&self, execution: ExecutionId) -> Result<Queues, Error> {
        self.ask(Request::Queues(One { execution })).await
    }

    /// Follows the log from `from` on, all of it or one execution's part, until dropped.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn follow(&self, from: u64, only: Option<ExecutionId>) -> Result<Follow, Error> {
        let connection = self.send(&Request::Follow(FollowFrom { from, only })).await?;
        Ok(Follow { connection })
    }

    /// The names of the workflows there are, sorted.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn workflows(&self) -> Result<Vec<String>, Error> {
        self.ask(Request::Workflows).await
    }

    /// The job types that have a worker in the engine's process, sorted.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn job_types(&self) -> Result<Vec<String>, Error> {
        self.ask(Request::JobTypes).await
    }

    /// Writes a checkpoint, so that the next start reads little of the log.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        self.ask(Request::Checkpoint).await
    }

    /// Deletes executions that have ended. On return that is durable. What is refused says why and
    /// does not keep the others.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn delete(
        &self,
        executions: &[ExecutionId],
        wish: &Delete,
    ) -> Result<Vec<Deleted>, Error> {
        let (executions, wish) = (executions.to_vec(), wish.clone());
        self.ask_all(Request::Delete(DeleteSome { executions, wish })).await
    }

    /// Takes away what was deleted, and tombstones from before a moment; waits for the end.
    ///
    /// # Errors
    /// Refused: the log is damaged there.
    pub async fn compact(&self, forget_before: Option<Timestamp>) -> Result<Compacted, Error> {
        self.ask(Request::Compact(CompactLog { forget_before })).await
    }

    async fn ask<T: Wire>(&self, request: Request) -> Result<T, Error> {
        let answer = self.send(&request).await?.answer().await?;
        let text = answer.ok.as_deref().ok_or_else(no_answer)?;
        answer.value(text).map_err(Error::protocol)
    }

    async fn ask_all<T: Wire>(&self, request: Request) -> Result<Vec<T>, Error> {
        let mut connection = self.send(&request).await?;
        let mut items = Vec::new();
        while let Some(item) = connection.item().await? {
            items.push(item);
        }
        Ok(items)
    }

    async fn send(&self, request: &Request) -> Result<Connection, Error> {
        let line = request.line(ID).map_err(Error::protocol)?;
        if line.len() > MAX_REQUEST_BYTES {
            return Err(Error::protocol(
                Refusal::too_long("the request", MAX_REQUEST_BYTES).message,
            ));
        }
        let connecting = timeout(CONNECT, UnixStream::connect(&self.socket)).await;
        let stream = connecting
            .map_err(|_| self.unreachable(&"it did not accept the connection in time"))?
            .map_err(|error| self.unreachable(&error))?;
        self.check_peer(&stream)?;
        let (reader, mut writer) = stream.into_split();
        // An engine that refuses the connection answers and closes it: what it says is then there
        // to be read, although the request could not be written.
        let is_sent = writer.write_all(&line).await.is_ok();
        Ok(Connection { lines: Lines::new(reader, MAX_ANSWER_BYTES), is_sent, _writer: writer })
    }

    /// Requests hold inputs, so they go to nobody but the folder's owner, root and ourselves.
    fn check_peer(&self, stream: &UnixStream) -> Result<(), Error> {
        let peer = stream.peer_cred().map_err(|error| self.unreachable(&error))?.uid();
        if [self.owner, own_user(), 0].contains(&peer) {
            return Ok(());
        }
        let reason = format!(
            "user {peer} answers on it, but the data folder belongs to user {}",
            self.owner
        );
        Err(Error::Untrusted { socket: self.socket.clone(), reason })
    }

    fn unreachable(&self, reason: &dyn ToString) -> Error {
        Error::Unreachable { socket: self.socket.clone(), reason: reason.to_string() }
    }
}

/// The records of the log as they become durable. Dropping it hangs up.
pub struct Follow {
    connection: Connection,
}

impl Follow {
    /// Waits for the next record. Safe to cancel: a record is given once.
    ///
    /// # Errors
    /// The engine stops or is gone, or cannot read its log.
    pub async fn next(&mut self) -> Result<Record, Error> {
        self.connection.item().await?.ok_or(Error::Closed)
    }
}

/// One request under way.
struct Connection {
    lines: Lines<OwnedReadHalf>,
    is_sent: bool,
    /// Held because closing it would mean hanging up.
    _writer: OwnedWriteHalf,
}

impl Connection {
    /// The next line of the answer, if that is no error.
    async fn answer(&mut self) -> Result<Answer, Error> {
        let line = match self.lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) | Err(LineError::Io(_)) => return Err(Error::Closed),
            Err(LineError::TooLong) => {
                let refusal = Refusal::too_long("the answer", MAX_ANSWER_BYTES);
                return Err(Error::protocol(refusal.message));
            }
        };
        let mut answer: Answer = serde_json::from_slice(line).map_err(Error::protocol)?;
        if let Some(refusal) = answer.error.take() {
            return Err(refusal.into());
        }
        if answer.id != Some(ID) || !self.is_sent {
            return Err(Error::protocol("the answer belongs to no request"));
        }
        Ok(answer)
    }

    /// The next of several things; none after the last.
    async fn item<T: Wire>(&mut self) -> Result<Option<T>, Error> {
        let answer = self.answer().await?;
        match &answer.item {
            Some(text) => answer.value(text).map(Some).map_err(Error::protocol),
            None => answer.ok.as_ref().map(|_| None).ok_or_else(no_answer),
        }
    }
}

fn hold(name: &str, by: &str, reason: Option<&str>) -> Hold {
    Hold { name: name.to_owned(), by: by.to_owned(), reason: reason.map(str::to_owned) }
}

fn no_answer() -> Error {
    Error::protocol("the answer has neither \"ok\", \"item\" nor \"error\"")
}
