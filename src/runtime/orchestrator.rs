//! The handle that users hold.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, oneshot, watch};

use super::builder::Builder;
use super::checkpoint::Rounds;
use super::clock::Clock;
use super::committer::{Accepted, Health, Release, Unit};
use super::definitions::stream_of;
use super::error::Error;
use super::events::Events;
use super::read::{read_execution, read_execution_at, read_near, read_part, read_records};
use super::recovery::RecoveryReport;
use super::shard::Tools;
use super::shards::{Note, Request};
use super::summary::{Rows, Summary, with_finished};
use super::tasks::Task;
use crate::engine::event::DefinitionStored;
use crate::engine::{Command, Event, Execution, ExecutionId, Failure, Program, Status, Timestamp};
use crate::language::{self, DefinitionHash, Format, Json, Workflow};
use crate::store::{self, EventStore, Position, Record, Stream, Transition};

/// How long workers that were told to stop may take before the process ends without them.
const STOP_WORKERS: Duration = Duration::from_secs(7);
/// How long the last checkpoint may take.
const LAST_CHECKPOINT: Duration = Duration::from_secs(10);

/// A running system: starts workflows, shows executions, follows the log. Cheap to clone; all
/// clones are the same system.
///
/// Whatever a method reports as done is durable: it survives a power cut.
#[derive(Clone)]
pub struct Orchestrator {
    pub(super) inner: Arc<Inner>,
    /// An execution, and what its last event must be for anything to be done with it.
    expected: Option<(ExecutionId, u64)>,
}

pub(super) struct Inner {
    /// What it shares with the shards.
    pub(super) tools: Tools,
    pub(super) deploying: Arc<Mutex<()>>,
    /// Held while what has ended is changed: read, decided on, and not moved meanwhile.
    pub(super) redriving: Arc<Mutex<()>>,
    /// Held while something is paused or resumed in the whole system.
    pub(super) controlling: Arc<Mutex<()>>,
    /// Held while the catalogue is changed: read, decided on, and not moved meanwhile.
    pub(super) cataloguing: Arc<Mutex<()>>,
    pub(super) rounds: Arc<Rounds>,
    pub(super) rounds_done: watch::Receiver<u64>,
    pub(super) durable: watch::Receiver<Position>,
    pub(super) health: watch::Receiver<Health>,
    pub(super) report: RecoveryReport,
    pub(super) is_stopping: AtomicBool,
    pub(super) shard_tasks: Mutex<Vec<Task<()>>>,
    pub(super) writers: Mutex<Vec<Task<()>>>,
}

/// A version of a workflow that was deployed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Deployed {
    /// The content hash.
    pub definition: DefinitionHash,
    /// Which version of its workflow, from 1.
    pub version: u64,
    /// Whether it is new; the newest version deployed again is not.
    pub is_new: bool,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A terminal status.
    pub status: Status,
    /// The output, when it completed.
    pub output: Option<Json>,
    /// Why, when it failed or timed out.
    pub failure: Option<Failure>,
    /// Failures that were caught or tolerated.
    pub total_errors: u32,
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Start {
    /// The workflow's name.
    pub workflow: String,
    /// The input.
    pub input: Json,
    /// The caller's own name for the execution.
    pub name: Option<String>,
}

impl Orchestrator {
    pub(super) fn tools(&self) -> &Tools {
        &self.inner.tools
    }

    /// Begins to put a system together.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(super) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), expected: None }
    }

    /// A way to it that does not keep it alive.
    pub(super) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    /// The system, while anybody else holds it.
    pub(super) fn upgrade(inner: &Weak<Inner>) -> Option<Self> {
        inner.upgrade().map(|inner| Self { inner, expected: None })
    }

    /// The same system, for who acts on what they saw: it does nothing with an execution whose last
    /// event is no longer that of this sequence, but refuses with [`Error::Changed`]. The execution
    /// cannot change between the look and the act.
    #[must_use]
    pub fn expecting(&self, execution: ExecutionId, sequence: u64) -> Self {
        Self { inner: self.inner.clone(), expected: Some((execution, sequence)) }
    }

    /// What the last event of an execution must be.
    pub(super) fn expected(&self, execution: ExecutionId) -> Option<u64> {
        self.expected.filter(|(expected, _)| *expected == execution).map(|(_, sequence)| sequence)
    }

    /// Refuses an execution that has changed.
    pub(super) fn check_expected(&self, execution: &Execution) -> Result<(), Error> {
        match self.expected(execution.id) {
            Some(sequence) if sequence != execution.sequence => {
                Err(Error::Changed { execution: execution.id })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.inner.tools.clock.clone()
    }

    /// Makes a definition known under a name. The same definition again changes nothing; another
    /// one becomes the newest version, and executions that are under way keep theirs.
    ///
    /// # Errors
    /// The faults of the definition, or why it could not be made durable.
    pub async fn deploy(&self, name: &str, text: &str, format: Format) -> Result<Deployed, Error> {
        check_name(name)?;
        let workflow = language::parse(text, format, &language::Options::default())
            .map_err(|faults| Error::InvalidDefinition { faults })?;
        let (this, name) = (self.clone(), name.to_owned());
        // A version in the log must not stay unknown here.
        let deploying = async move { this.store_definition(&name, workflow).await };
        self.in_turn(&self.inner.deploying, deploying).await
    }

    async fn store_definition(&self, name: &str, workflow: Workflow) -> Result<Deployed, Error> {
        let known = self.inner.tools.definitions.version_count(name);
        let hash = workflow.hash;
        if self.inner.tools.definitions.newest(name).is_some_and(|(newest, _)| newest == hash) {
            return Ok(Deployed { definition: hash, version: known, is_new: false });
        }
        let stored = DefinitionStored { name: name.into(), hash, source: workflow.source.clone() };
        let now = self.inner.tools.clock.now();
        self.record(stream_of(name), known + 1, now, vec![stored.clone().into()]).await?;
        self.inner.tools.definitions.add(stored, Arc::new(Program::new(workflow)));
        self.inner.tools.admit(self.inner.tools.places.limit_changed(name));
        Ok(Deployed { definition: hash, version: known + 1, is_new: true })
    }

    pub(super) async fn command(
        &self,
        execution: ExecutionId,
        command: Command,
    ) -> Result<Accepted, Error> {
        self.check_open()?;
        let action = command.action();
        let (reply, answer) = oneshot::channel();
        let expected = self.expected(execution);
        let request = Request::Command { execution, expected, command, reply };
        self.inner.tools.shards.request(execution, request).await?;
        match self.answer(answer).await? {
            Err(Error::NoSuchExecution { .. }) => {
                // It may have ended long ago: say so, and not that it never was.
                let ended = self.read_execution(execution).await?;
                self.check_expected(&ended)?;
                let status = ended.status;
                Err(crate::engine::Rejection::NotInStatus { command: action, status }.into())
            }
            answer => answer,
        }
    }

    /// Waits until an execution has ended.
    ///
    /// # Errors
    /// There is no such execution, or the system stops first.
    pub async fn result(&self, execution: ExecutionId) -> Result<Outcome, Error> {
        let ended = self.ended(execution).await?;
        Ok(Outcome {
            status: ended.status,
            output: ended.output,
            failure: ended.failure,
            total_errors: ended.total_errors,
        })
    }

    /// Waits until an execution has ended, and gives all that is known of it.
    ///
    /// # Errors
    /// As [`Orchestrator::result`].
    pub async fn ended(&self, execution: ExecutionId) -> Result<Execution, Error> {
        let ask = |reply| Request::ShowEnded { execution, reply };
        self.ask_or_read(execution, ask).await
    }

    /// An execution as it stands: everything shown is durable.
    ///
    /// # Errors
    /// There is no such execution, or the log cannot be read.
    pub async fn execution(&self, execution: ExecutionId) -> Result<Execution, Error> {
        let ask = |reply| Request::Show { execution, reply };
        self.ask_or_read(execution, ask).await
    }

    async fn ask_or_read(
        &self,
        execution: ExecutionId,
        ask: impl FnOnce(oneshot::Sender<Option<Box<Execution>>>) -> Request,
    ) -> Result<Execution, Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.tools.shards.request(execution, ask(reply)).await?;
        match self.answer(answer).await? {
            Some(live) => Ok(*live),
            None => self.read_execution(execution).await,
        }
    }

    async fn read_execution(&self, execution: ExecutionId) -> Result<Execution, Error> {
        read_execution(&*self.inner.tools.store, execution).await
    }

    /// An execution as it was right after the event with this sequence.
    ///
    /// # Errors
    /// There is no such execution or event, or the log cannot be read.
    pub async fn execution_at(
        &self,
        execution: ExecutionId,
        sequence: u64,
    ) -> Result<Execution, Error> {
        read_execution_at(&*self.inner.tools.store, execution, sequence).await
    }

    /// The version that an execution runs.
    #[must_use]
    pub fn program(&self, definition: DefinitionHash) -> Option<Arc<Program>> {
        self.inner.tools.definitions.program(definition)
    }

    /// The names of the workflows there are, sorted.
    #[must_use]
    pub fn workflows(&self) -> Vec<String> {
        self.inner.tools.definitions.names()
    }

    /// The job types that have a worker, here or in a process that was heard of lately, sorted.
    #[must_use]
    pub fn job_types(&self) -> Vec<String> {
        self.inner.tools.dispatch.job_types()
    }

    /// Rows of executions, the newest first, at most `limit`: all that are under way come before
    /// any that have ended are left out. Parts of distributed Maps are not listed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(&self, limit: usize) -> Result<Vec<Summary>, Error> {
        self.list_rows(Rows::Own, limit).await
    }

    /// Rows of some executions, the newest first, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_rows(&self, wanted: Rows, limit: usize) -> Result<Vec<Summary>, Error> {
        let rows = self.rows_in_memory().await?;
        Ok(with_finished(rows, &*self.inner.tools.store, wanted, limit).await?)
    }

    /// Rows of executions that have not ended, or not long ago.
    pub(super) async fn rows_in_memory(&self) -> Result<Vec<Summary>, Error> {
        Ok(self.ask_all(|reply| Request::List { reply }).await?.concat())
    }

    /// Finds an execution by its id, by any beginning of its handle that no other shares, or by
    /// `@` for the newest.
    ///
    /// # Errors
    /// None fits, or several do.
    pub async fn find(&self, text: &str) -> Result<ExecutionId, Error> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let wanted = Rows::that_may_be(text);
        let rows = self.list_rows(wanted, usize::MAX).await?;
        super::find::by_handle(rows.iter().map(|row| row.id), text)
    }

    /// Follows the log from `from` on, all of it or one execution's part.
    #[must_use]
    pub fn events(&self, from: Position, only: Option<ExecutionId>) -> Events {
        Events {
            store: self.inner.tools.store.clone(),
            durable: self.inner.durable.clone(),
            next: from.max(1),
            only,
            read: VecDeque::new(),
        }
    }

    /// The position of the last durable event.
    #[must_use]
    pub fn last_position(&self) -> Position {
        *self.inner.durable.borrow()
    }

    /// The history of an execution; empty when there is none.
    ///
    /// # Errors
    /// The execution was deleted, or the log cannot be read.
    pub async fn history(&self, execution: ExecutionId) -> Result<Vec<Record>, Error> {
        read_records(self.store(), execution).await
    }

    /// Part of the history of an execution: its events with sequences in `range`.
    ///
    /// # Errors
    /// There is no such execution, it was deleted, or the log cannot be read.
    pub async fn history_part(
        &self,
        execution: ExecutionId,
        range: Range<u64>,
    ) -> Result<Vec<Record>, Error> {
        read_part(self.store(), execution, range).await
    }

    /// The sequence of the last event of an execution; 0 when there is none.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn last_sequence(&self, execution: ExecutionId) -> Result<u64, Error> {
        Ok(self.store().last_sequence(execution.0)?)
    }

    /// An execution as it was right after the event with this sequence, or after an earlier one: the
    /// nearest that is kept, so that a long history need not be read from its beginning. Without
    /// events when none is.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn execution_near(
        &self,
        execution: ExecutionId,
        sequence: u64,
    ) -> Result<Execution, Error> {
        read_near(self.store(), execution, sequence).await
    }

    /// Part of the whole log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn log(&self, from: Position, limit: usize) -> Result<Vec<Record>, Error> {
        Ok(self.inner.tools.store.read_log(from, limit).await?)
    }

    /// What was found when the system was opened.
    #[must_use]
    pub fn recovery_report(&self) -> &RecoveryReport {
        &self.inner.report
    }

    /// What the store repaired when it was opened.
    #[must_use]
    pub fn open_report(&self) -> store::OpenReport {
        self.inner.tools.store.open_report()
    }

    /// Waits until the log can no longer be written, and says why. A program should then exit:
    /// nothing is acknowledged any more.
    pub async fn failed(&self) -> Error {
        let mut health = self.inner.health.clone();
        let failed = health.wait_for(|health| matches!(health, Health::Failed(_))).await.is_ok();
        if !failed && !matches!(&*self.inner.health.borrow(), Health::Failed(_)) {
            // The committer ended in order; there is no failure to wait for.
            std::future::pending::<()>().await;
        }
        self.gone()
    }

    /// Stops in order: no new work begins, running jobs get [`Limits::stop_grace`](super::Limits::stop_grace) to end, those
    /// that do not are recorded as cut off and run again at the next start. Nothing is recorded as
    /// cancelled.
    ///
    /// # Errors
    /// The store failed before or meanwhile.
    pub async fn stop(&self) -> Result<(), Error> {
        let inner = &self.inner;
        if inner.is_stopping.swap(true, Ordering::SeqCst) {
            return Err(Error::Stopping);
        }
        inner.tools.dispatch.pause();
        let grace = inner.tools.limits.stop_grace;
        if !self.within(grace, inner.tools.dispatch.quiet()).await {
            inner.tools.shards.note_all(|| Note::Stop);
            self.within(STOP_WORKERS, inner.tools.dispatch.quiet()).await;
        }
        if self.check_healthy().is_ok() {
            self.checkpoint().await;
        }
        inner.tools.dispatch.close();
        inner.tools.shards.close();
        for task in inner.shard_tasks.lock().await.drain(..) {
            // A shard that panicked has nothing more to hand on.
            drop(task.await);
        }
        inner.tools.units.close();
        inner.rounds.close();
        for task in inner.writers.lock().await.drain(..) {
            drop(task.await);
        }
        self.check_healthy()
    }

    /// Writes a checkpoint, so that the next start reads little of the log.
    pub async fn checkpoint(&self) {
        let inner = &self.inner;
        let mut rounds = inner.rounds_done.clone();
        let before = *rounds.borrow();
        inner.rounds.begin(inner.tools.store.last_position());
        let done = async {
            drop(rounds.wait_for(|rounds| *rounds > before).await);
        };
        self.within(LAST_CHECKPOINT, done).await;
    }

    async fn within(&self, longest: Duration, work: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = work => true,
            () = self.inner.tools.clock.sleep(longest) => false,
        }
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        self.check_healthy()?;
        if self.inner.is_stopping.load(Ordering::SeqCst) { Err(Error::Stopping) } else { Ok(()) }
    }

    pub(super) fn check_healthy(&self) -> Result<(), Error> {
        match &*self.inner.health.borrow() {
            Health::Working => Ok(()),
            Health::Failed(reason) => Err(Error::Failed { reason: reason.to_string() }),
        }
    }

    /// Why an answer did not come.
    pub(super) fn gone(&self) -> Error {
        self.check_healthy().err().unwrap_or(Error::Stopping)
    }

    pub(super) fn store(&self) -> &dyn EventStore {
        &*self.inner.tools.store
    }

    /// Hands something to the committer.
    pub(super) async fn send(&self, unit: Unit) -> Result<(), Error> {
        self.check_open()?;
        self.inner.tools.units.send(vec![unit]).await.map_err(|_| self.gone())
    }

    /// Asks the shard of an execution.
    pub(super) async fn ask<T>(
        &self,
        execution: ExecutionId,
        ask: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Error> {
        self.check_open()?;
        let (reply, answer) = oneshot::channel();
        self.inner.tools.shards.request(execution, ask(reply)).await?;
        self.answer(answer).await
    }

    /// Does one such thing at a time. It is done in a task of its own: a caller that gives up must
    /// leave nothing half done, and must not let the next one in too early.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        turn: &Arc<Mutex<()>>,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let one_at_a_time = turn.clone().lock_owned().await;
        let working = self.tools().tasks.spawn(async move {
            let done = work.await;
            drop(one_at_a_time);
            done
        });
        working.await.map_err(|_| self.gone())?
    }

    /// Records events, all or none, in a history that no shard owns. On return it is durable.
    pub(super) async fn record(
        &self,
        stream: Stream,
        sequence: u64,
        time: Timestamp,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        let transition = Transition { stream, first_sequence: sequence, time, events };
        let accepted = Accepted { execution: ExecutionId(stream), sequence };
        let (reply, answer) = oneshot::channel();
        let releases = vec![Release::Accepted(reply, accepted)];
        let unit = Unit { transition: Some(transition), releases };
        self.inner.tools.units.send(vec![unit]).await.map_err(|_| self.gone())?;
        self.answer(answer).await??;
        Ok(())
    }

    /// Asks some of the shards, all at once; their answers in the same order.
    pub(super) async fn ask_shards<T>(
        &self,
        some: impl IntoIterator<Item = usize>,
        mut ask: impl FnMut(usize, oneshot::Sender<T>) -> Request,
    ) -> Result<Vec<T>, Error> {
        let mut asked = Vec::new();
        for shard in some {
            let (reply, answer) = oneshot::channel();
            self.inner.tools.shards.request_at(shard, ask(shard, reply)).await?;
            asked.push(answer);
        }
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            answers.push(self.answer(answer).await?);
        }
        Ok(answers)
    }

    /// Asks every shard.
    pub(super) async fn ask_all<T>(
        &self,
        ask: impl Fn(oneshot::Sender<T>) -> Request,
    ) -> Result<Vec<T>, Error> {
        let all = 0..self.inner.tools.shards.count();
        self.ask_shards(all, |_, reply| ask(reply)).await
    }

    pub(super) async fn answer<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, Error> {
        answer.await.map_err(|_| self.gone())
    }
}

impl Drop for Inner {
    /// A system that is dropped without [`Orchestrator::stop`] ends as in a crash, but lets go of
    /// its threads and tasks.
    fn drop(&mut self) {
        self.tools.dispatch.close();
        self.tools.shards.close();
        self.tools.units.close();
        self.rounds.close();
    }
}

pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=128).contains(&name.len()) && name.bytes().all(is_good) {
        return Ok(());
    }
    Err(Error::BadName { name: name.chars().take(128).collect() })
}
