//! Workers in other processes, which ask for jobs and tell what became of them.
//!
//! A poll is demand, as a free slot is: a job that meets it is started, durably, in the name of the
//! worker that polls, and then given to it. From then on the attempt is lent. It ends by what its
//! worker tells, with the attempt's token as the proof; or it is lost, because nothing was heard for
//! longer than its lease. A server that stops or crashes loses no attempt that runs afar.

mod demand;
mod holder;
mod leases;
mod workers;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

pub(super) use self::demand::{Delivery, Demand, PollId, Seat, Wish};
pub(super) use self::holder::Holder;
pub(super) use self::leases::{Lease, Leases};
use self::workers::Workers;
use super::attempt::Attempt;
use super::committer::Accepted;
use super::dispatch::Dispatch;
use super::error::Error;
use super::orchestrator::{Orchestrator, check_name};
use super::shards::Request;
use crate::engine::{CallbackToken, Command, ExecutionId, JobId, Rejection, Timestamp};
use crate::language::Json;
use crate::worker::{JobError, ProgressReport, ProgressSink as _};

/// An attempt that may be kept for as long as the workflow allows.
pub(super) const NO_LEASE: u32 = u32::MAX;
/// The most jobs that one poll gets.
pub const MOST_POLLED: usize = 256;
/// The most job types that one poll names.
pub const MOST_POLLED_TYPES: usize = 256;
/// The most requests without an answer that one poll names.
pub const MOST_UNANSWERED: usize = 64;
/// The longest that a poll waits.
pub const LONGEST_POLL: Duration = Duration::from_secs(60);
/// The lease of an attempt when nobody says otherwise, in seconds; also the one that it gets after
/// the server was restarted.
pub const USUAL_LEASE_SECONDS: u32 = 60;
/// The shortest lease, in seconds.
pub const SHORTEST_LEASE_SECONDS: u32 = 5;
/// The longest lease, in seconds.
pub const LONGEST_LEASE_SECONDS: u32 = 3600;
/// Polls that wait at once.
const MOST_POLLS: usize = 10_000;

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// The worker's name: 1 to 128 letters, digits, `.`, `_`, `-`. Two that share one share their
    /// jobs too.
    pub worker: String,
    /// The job types that it takes, at most [`MOST_POLLED_TYPES`].
    pub job_types: Vec<String>,
    /// How many jobs it takes now, 1 to [`MOST_POLLED`].
    pub most: usize,
    /// How long it waits for the first, at most [`LONGEST_POLL`].
    pub wait: Duration,
    /// For how long it may be silent with a job, in seconds, from [`SHORTEST_LEASE_SECONDS`] to
    /// [`LONGEST_LEASE_SECONDS`]; none for as long as the workflow's own times allow.
    pub lease_seconds: Option<u32>,
    /// Where it is, for people.
    pub address: Option<String>,
    /// A name for this poll that the worker uses once, made as its own is: should the answer get
    /// lost, a later poll says so.
    pub request: Option<String>,
    /// Earlier polls of the worker that it got no answer to, and listens to no more, at most
    /// [`MOST_UNANSWERED`]. What was given to them goes to others at once.
    pub unanswered: Vec<String>,
}

/// What a poll gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// The jobs. Their starts are durable.
    pub jobs: Vec<RemoteJob>,
    /// Whether the worker is to end: it gets nothing more.
    pub is_draining: bool,
}

/// A job in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteJob {
    /// The proof that this attempt is the worker's. It is a secret between it and the engine.
    pub token: String,
    /// The execution.
    pub execution: ExecutionId,
    /// The job in it.
    pub job: JobId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The job type.
    pub job_type: Arc<str>,
    /// The input.
    pub input: Json,
    /// For how long the worker may be silent.
    pub lease_seconds: u32,
    /// For how long the handler may give no sign of life, when the workflow says so.
    pub heartbeat_seconds: Option<u64>,
}

/// Whether a worker is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the attempt should stop: it was cancelled or timed out.
    pub cancel: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RemoteOutcome {
    /// With a result.
    Completed {
        /// The result.
        output: Json,
        /// Things that failed all the same.
        errors: u32,
    },
    /// Without.
    Failed(JobError),
    /// The worker stopped because it was asked to.
    Cancelled,
}

/// A worker, as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerFigures {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is in another process.
    pub is_remote: bool,
    /// The job types that it takes.
    pub job_types: Vec<Arc<str>>,
    /// How many jobs it asked for last, or takes at once.
    pub slots: usize,
    /// How many it has.
    pub running: usize,
    /// The executions of some of those.
    pub executions: Vec<ExecutionId>,
    /// Where it is.
    pub address: Option<Arc<str>>,
    /// Since when it is known.
    pub since: Option<Timestamp>,
    /// When it was last heard of.
    pub heard_at: Option<Timestamp>,
    /// Whether it was heard of lately.
    pub is_there: bool,
    /// Whether it is to get nothing more.
    pub is_draining: bool,
}

/// What is known of work afar.
pub(super) struct Remote {
    pub(super) leases: Arc<Leases>,
    workers: Workers,
}

impl Remote {
    pub(super) fn new(leases: Arc<Leases>) -> Self {
        Self { leases, workers: Workers::default() }
    }

    /// The job types that workers take which were heard of lately.
    pub(super) fn job_types(&self, now: Timestamp) -> BTreeSet<Arc<str>> {
        self.workers.job_types(now)
    }
}

/// A poll under way. Dropping it, as when its worker hangs up, takes back what it was to get.
struct Waiting {
    id: PollId,
    dispatch: Arc<Dispatch>,
    deliveries: UnboundedReceiver<Delivery>,
    got: Vec<Attempt>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.dispatch.end_poll(self.id);
        self.deliveries.close();
        self.take_what_is_there();
        self.got.iter().for_each(|attempt| self.dispatch.take_back(attempt));
    }
}

impl Waiting {
    fn take_what_is_there(&mut self) {
        while let Ok(delivery) = self.deliveries.try_recv() {
            self.got.extend(delivery.map(|attempt| *attempt));
        }
    }

    /// Waits until there is one, or a word that none comes.
    async fn first(&mut self) {
        let first = self.deliveries.recv().await;
        self.got.extend(first.flatten().map(|attempt| *attempt));
    }

    /// Waits for all that is under way, and no more.
    async fn rest(mut self) -> Vec<Attempt> {
        self.dispatch.close_poll(self.id);
        loop {
            self.take_what_is_there();
            if self.dispatch.under_way(self.id) == 0 {
                // What was delivered before the last look is in the channel by now.
                self.take_what_is_there();
                return std::mem::take(&mut self.got);
            }
            match self.deliveries.recv().await {
                Some(delivery) => self.got.extend(delivery.map(|attempt| *attempt)),
                None => return std::mem::take(&mut self.got),
            }
        }
    }
}

impl Orchestrator {
    /// Gives a worker jobs as soon as there are some. Their starts are durable on return. Without any,
    /// it returns when the time is over, the system stops, or the worker is to end.
    ///
    /// A caller that gives up loses nothing: what was on its way to it is taken back, durably, and
    /// goes to the next. So does what was given to earlier polls that this one calls unanswered.
    ///
    /// # Errors
    /// The system takes no workers from afar, the worker's name is none, too many polls wait, or the
    /// system has stopped.
    pub async fn poll_jobs(&self, poll: Poll) -> Result<Polled, Error> {
        self.check_open()?;
        let names = [&poll.worker].into_iter().chain(&poll.request).chain(&poll.unanswered);
        names.map(String::as_str).try_for_each(check_name)?;
        let (dispatch, clock) = (&self.tools().dispatch, self.clock());
        let worker: Arc<str> = poll.worker.into();
        let types = poll.job_types.iter().take(MOST_POLLED_TYPES);
        let job_types: Vec<Arc<str>> = types.map(|name| name.as_str().into()).collect();
        let (remote, most) = (dispatch.remote(), poll.most.clamp(1, MOST_POLLED));
        let address = poll.address.map(Into::into);
        let unanswered = poll.unanswered.into_iter().take(MOST_UNANSWERED);
        dispatch.take_back_unanswered(&worker, &unanswered.collect());
        if remote.workers.polls(&worker, &job_types, most, address, clock.now()) {
            return Ok(Polled { jobs: Vec::new(), is_draining: true });
        }
        let bounded = |seconds: u32| seconds.clamp(SHORTEST_LEASE_SECONDS, LONGEST_LEASE_SECONDS);
        let lease_seconds = poll.lease_seconds.map_or(NO_LEASE, bounded);
        let (sender, deliveries) = unbounded_channel();
        let request = poll.request.map(Into::into);
        let holder = Holder { worker: worker.clone(), request, lease_seconds };
        let wish = Wish { holder, job_types, most, deliveries: sender };
        let id = dispatch.begin_poll(wish, MOST_POLLS)?;
        let dispatch = dispatch.clone();
        let mut waiting = Waiting { id, dispatch, deliveries, got: Vec::new() };
        tokio::select! {
            biased;
            () = waiting.first() => {}
            () = clock.sleep(poll.wait.min(LONGEST_POLL)) => {}
        }
        let got = waiting.rest().await;
        remote.workers.heard(&worker, clock.now());
        let jobs = got.into_iter().map(|attempt| attempt.remote_job()).collect();
        Ok(Polled { jobs, is_draining: false })
    }

    /// A worker's sign of life for an attempt: its lease begins anew, and so does the heartbeat that
    /// the workflow asks for. Nothing is durable.
    ///
    /// # Errors
    /// The text is no token, or the attempt is no longer the worker's.
    pub fn heartbeat_job(&self, token: &str) -> Result<Standing, Error> {
        let lease = self.renewed(token)?;
        lease.reporter.heartbeat(lease.id);
        Ok(Standing { cancel: lease.cancel.is_cancelled() })
    }

    /// A worker's report of progress, which is a sign of life too. Reports are merged as those of
    /// workers here are; what becomes an event is durable a moment later.
    ///
    /// # Errors
    /// As [`Orchestrator::heartbeat_job`].
    pub fn report_job(&self, token: &str, report: ProgressReport) -> Result<Standing, Error> {
        let lease = self.renewed(token)?;
        lease.reporter.report(lease.id, report);
        Ok(Standing { cancel: lease.cancel.is_cancelled() })
    }

    fn renewed(&self, token: &str) -> Result<Lease, Error> {
        let proof: CallbackToken = token.parse().map_err(|_| Error::BadToken)?;
        let remote = self.tools().dispatch.remote();
        let stale = Rejection::StaleToken { job: proof.job };
        let lease = remote.leases.renew(&proof).ok_or(stale)?;
        remote.workers.heard(&lease.holder.worker, self.clock().now());
        Ok(lease)
    }

    /// Takes how an attempt ended. On return it is durable.
    ///
    /// # Errors
    /// The text is no token; or the attempt is no longer the worker's, because it was lost, timed
    /// out, was cancelled or has ended.
    pub async fn finish_job(&self, token: &str, outcome: RemoteOutcome) -> Result<(), Error> {
        let finishing = self.begin_to_finish(token, outcome).await?;
        self.finished(finishing).await
    }

    /// Takes how several attempts ended, in one commit where that is possible; what became of each.
    pub async fn finish_jobs(
        &self,
        outcomes: Vec<(String, RemoteOutcome)>,
    ) -> Vec<Result<(), Error>> {
        let mut under_way = Vec::with_capacity(outcomes.len());
        for (token, outcome) in outcomes {
            under_way.push(self.begin_to_finish(&token, outcome).await);
        }
        let mut finished = Vec::with_capacity(under_way.len());
        for one in under_way {
            finished.push(match one {
                Ok(finishing) => self.finished(finishing).await,
                Err(error) => Err(error),
            });
        }
        finished
    }

    async fn begin_to_finish(
        &self,
        token: &str,
        outcome: RemoteOutcome,
    ) -> Result<Finishing, Error> {
        self.check_open()?;
        let proof: CallbackToken = token.parse().map_err(|_| Error::BadToken)?;
        let CallbackToken { execution, job, token } = proof;
        let command = match outcome {
            RemoteOutcome::Completed { output, errors } => {
                Command::CompleteJob { job, token, output, errors }
            }
            RemoteOutcome::Failed(failure) => {
                Command::FailJob { job, token, failure: failure.into() }
            }
            RemoteOutcome::Cancelled => Command::AcknowledgeCancel { job, token },
        };
        let (reply, answer) = oneshot::channel();
        let request = Request::Command { execution, expected: None, command, reply };
        self.tools().shards.request(execution, request).await?;
        Ok(Finishing { proof, answer })
    }

    async fn finished(&self, finishing: Finishing) -> Result<(), Error> {
        let Finishing { proof, answer } = finishing;
        let answer = self.answer(answer).await?;
        let leases = &self.tools().dispatch.remote().leases;
        match answer {
            Ok(_) => {
                leases.end(&proof);
                Ok(())
            }
            // It has ended and left the memory: whatever this attempt brings comes too late.
            Err(Error::NoSuchExecution { .. } | Error::Rejected(_)) => {
                leases.end(&proof);
                answer.map(drop).map_err(|error| late(error, proof.job))
            }
            Err(error) => Err(error),
        }
    }

    /// Lets a worker end: it gets nothing more, and is told so. What it has it may bring to an end.
    ///
    /// # Errors
    /// No worker of that name is known.
    pub fn drain_worker(&self, name: &str) -> Result<(), Error> {
        let dispatch = &self.tools().dispatch;
        if !dispatch.remote().workers.drain(name) {
            let known = self.workers().into_iter().filter(|worker| worker.is_remote);
            let known = known.map(|worker| worker.name.to_string()).collect();
            return Err(Error::NoSuchWorker { name: name.to_owned(), known });
        }
        dispatch.close_polls_of(name);
        Ok(())
    }

    /// The workers there are, here and afar, by name.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerFigures> {
        let (tools, now) = (self.tools(), self.clock().now());
        let remote = tools.dispatch.remote();
        let mut leases = remote.leases.by_worker();
        let afar = remote.workers.all().into_iter().map(|(name, known)| {
            let has = leases.remove(&name).unwrap_or_default();
            WorkerFigures {
                is_remote: true,
                is_there: known.is_there(now),
                running: has.len(),
                executions: executions_of(&has),
                name,
                job_types: known.job_types,
                slots: known.slots,
                address: known.address,
                since: Some(known.since),
                heard_at: Some(known.heard_at),
                is_draining: known.is_draining,
            }
        });
        let mut all: Vec<WorkerFigures> = afar.collect();
        // Of those that have not been heard of since a restart only their attempts are known.
        all.extend(leases.into_iter().map(|(name, has)| WorkerFigures {
            name,
            is_remote: true,
            job_types: Vec::new(),
            slots: 0,
            running: has.len(),
            executions: executions_of(&has),
            address: None,
            since: None,
            heard_at: None,
            is_there: false,
            is_draining: false,
        }));
        all.push(self.own_worker());
        all.sort_by(|a, b| (a.is_remote, &a.name).cmp(&(b.is_remote, &b.name)));
        all
    }

    /// The workers of this process, as one.
    fn own_worker(&self) -> WorkerFigures {
        let mut figures = self.tools().dispatch.figures_here();
        figures.retain(|of| of.is_served);
        WorkerFigures {
            name: self.tools().worker_name.clone(),
            is_remote: false,
            job_types: figures.iter().map(|of| of.job_type.clone()).collect(),
            slots: figures.iter().map(|of| of.slots).sum(),
            running: figures.iter().map(|of| of.running).sum(),
            executions: Vec::new(),
            address: None,
            since: None,
            heard_at: None,
            is_there: true,
            is_draining: false,
        }
    }
}

/// An end on its way to the log.
struct Finishing {
    proof: CallbackToken,
    answer: oneshot::Receiver<Result<Accepted, Error>>,
}

/// The executions that a list of workers names for each.
const MOST_NAMED: usize = 20;

fn executions_of(leases: &[Lease]) -> Vec<ExecutionId> {
    let mut ids: Vec<ExecutionId> = leases.iter().map(|lease| lease.id.execution).collect();
    ids.sort();
    ids.dedup();
    ids.truncate(MOST_NAMED);
    ids
}

/// Why an end is not taken, for a worker: all that matters is that its attempt no longer counts.
fn late(error: Error, job: JobId) -> Error {
    match error {
        Error::NoSuchExecution { .. } => Rejection::StaleToken { job }.into(),
        error => error,
    }
}
