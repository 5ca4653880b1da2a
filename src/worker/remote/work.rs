//! Asks for jobs and runs them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Shared;
use super::error::RemoteError;
use super::http::{Connection, Trouble};
use super::live::{Live, PULSE};
use super::plan::{Ask, Plan};
use super::requests::{Named, Requests};
use super::retry::Retry;
use super::wire::{Job, Jobs, News, POLL, Poll};
use crate::worker::registry::HANDLER_PANICKED;
use crate::worker::{BoxFuture, JobContext, JobOutcome, SharedHandler};

/// Requests for jobs at once: further ones are needed only while some types are busy.
const MAX_POLLS: usize = 4;
/// Ends that the server has not answered, above which no more jobs are asked for.
const MAX_UNANSWERED: usize = 4096;
/// A request for jobs waits at the server for longer than this, unless the server stops.
const HASTE_MS: u64 = 500;
/// How long an answer with jobs may still be on its way when the worker stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// How long handlers have after they were asked to stop because the worker does.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// A request for jobs that has come back.
struct Polled {
    ask: Ask,
    named: Named,
    connection: Connection,
    answer: Result<Jobs, Trouble>,
    /// How long that took.
    took_ms: u64,
}

/// Asks for jobs and runs them. Dropping it ends all of that.
pub(super) struct Work {
    shared: Arc<Shared>,
    plan: Plan,
    jobs: JoinSet<()>,
    polls: JoinSet<Polled>,
    asked: Vec<Ask>,
    idle: Vec<Connection>,
    retry: Retry,
    /// Until when nothing is asked.
    pause: Option<BoxFuture<'static, ()>>,
    /// Whether the server has ever given an answer to a request for jobs.
    was_welcome: bool,
    requests: Requests,
}

/// When somebody wants the worker to end.
pub(super) type Shutdown<'s> = Pin<&'s mut (dyn Future<Output = ()> + Send)>;

/// Who wants the worker to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its own process.
    Asked,
    /// The server.
    Drained,
}

impl Work {
    pub(super) fn new(shared: Arc<Shared>, plan: Plan, seed: u64) -> Self {
        let retry = Retry::new(shared.server.clock.clone(), seed, "jobs are asked for");
        Self {
            shared,
            plan,
            jobs: JoinSet::new(),
            polls: JoinSet::new(),
            asked: Vec::new(),
            idle: Vec::new(),
            retry,
            pause: None,
            was_welcome: false,
            requests: Requests::new(seed),
        }
    }

    /// Works until somebody wants an end of it.
    ///
    /// # Errors
    /// The server wants nothing of this worker.
    pub(super) async fn until_told(
        &mut self,
        shutdown: &mut Shutdown<'_>,
    ) -> Result<Why, RemoteError> {
        loop {
            // All that have ended, so that what is free is asked for at once.
            while self.jobs.try_join_next().is_some() {}
            self.ask();
            tokio::select! {
                () = shutdown.as_mut() => return Ok(Why::Asked),
                Some(polled) = self.polls.join_next() => {
                    let Ok(polled) = polled else { continue };
                    if self.polled(polled)? {
                        return Ok(Why::Drained);
                    }
                }
                Some(_) = self.jobs.join_next() => {}
                () = over(&mut self.pause) => self.pause = None,
            }
        }
    }

    /// Asks for as many jobs as could begin.
    fn ask(&mut self) {
        if self.pause.is_none() && self.shared.unanswered() >= MAX_UNANSWERED {
            self.pause = Some(self.shared.server.clock.sleep(PULSE));
        }
        while self.pause.is_none() && self.asked.len() < MAX_POLLS {
            let (plan, asked) = (&self.plan, &self.asked);
            let next = self.shared.running.with_counts(|running| plan.next(running, asked));
            let Some(ask) = next else { break };
            self.asked.push(ask.clone());
            let connection = self.idle.pop();
            let connection =
                connection.unwrap_or_else(|| Connection::new(self.shared.server.clone()));
            let named = self.requests.next();
            self.polls.spawn(poll(self.shared.clone(), ask, named, connection));
        }
    }

    /// Takes an answer; whether the server wants the worker to end.
    fn polled(&mut self, polled: Polled) -> Result<bool, RemoteError> {
        let Polled { ask, named, connection, answer, took_ms } = polled;
        self.idle.push(connection);
        if let Some(at) = self.asked.iter().position(|asked| *asked == ask) {
            self.asked.swap_remove(at);
        }
        let trouble = match answer {
            Ok(jobs) => {
                self.was_welcome = true;
                self.retry.answered();
                self.plan.grow();
                let is_drained = jobs.draining;
                if jobs.items.is_empty() && took_ms < HASTE_MS {
                    // A server that stops answers at once: asking again at once would be a storm.
                    self.pause = Some(self.shared.server.clock.sleep(PULSE));
                }
                jobs.items.into_iter().for_each(|job| self.begin(job));
                return Ok(is_drained);
            }
            Err(trouble) => trouble,
        };
        self.requests.unanswered(named, &trouble);
        match trouble {
            Trouble::Refused { status, code, detail } if !self.was_welcome => {
                return Err(RemoteError::Refused { status, code, detail });
            }
            Trouble::TooLarge => self.plan.shrink(),
            Trouble::Refused { .. } | Trouble::Unreached(_) | Trouble::Away(_) => {}
        }
        if self.pause.is_none() {
            self.pause = Some(self.retry.after(&trouble));
        }
        Ok(false)
    }

    /// Runs a job.
    fn begin(&mut self, job: Job) {
        let job_type = &job.job_type;
        let (Some(id), Some(handler)) = (job.id(), self.shared.registry.get(job_type)) else {
            // Its lease ends, and it is given to a worker that can run it.
            tracing::error!(%job_type, "the server gave a job that was not asked for");
            return;
        };
        if self.shared.running.get(&job.token).is_some() {
            return;
        }
        let Some(outbox) = self.shared.outbox(id) else { return };
        let clock = self.shared.server.clock.clone();
        let (live, cancel) = Live::new(&job, id, clock, outbox.clone());
        let traceparent = job.traceparent();
        let context = JobContext::new(id, job.job_type, job.input, cancel, live.clone())
            .with_traceparent(traceparent);
        self.shared.running.enter(&live);
        let end = End { shared: self.shared.clone(), live };
        self.jobs.spawn(run(handler, context, end));
    }

    /// Takes what is still on its way, and lets jobs end. How many did not, although they were asked to.
    pub(super) async fn drain(&mut self, late: BoxFuture<'_, ()>) -> usize {
        self.last_answers().await;
        tokio::select! {
            () = all(&mut self.jobs) => {}
            () = late => {
                self.shared.running.cancel_all();
                let late = self.shared.server.clock.sleep(CANCEL_GRACE);
                tokio::select! {
                    () = all(&mut self.jobs) => {}
                    () = late => {}
                }
            }
        }
        let unfinished = self.shared.running.count();
        self.jobs.shutdown().await;
        unfinished
    }

    /// Jobs that were given out just now are this worker's: it runs them, too.
    async fn last_answers(&mut self) {
        let mut late = self.shared.server.clock.sleep(LAST_ANSWERS);
        loop {
            tokio::select! {
                polled = self.polls.join_next() => match polled {
                    Some(Ok(Polled { answer: Ok(jobs), .. })) => {
                        jobs.items.into_iter().for_each(|job| self.begin(job));
                    }
                    Some(_) => {}
                    None => break,
                },
                () = late.as_mut() => break,
            }
        }
        self.polls.abort_all();
    }
}

async fn poll(shared: Arc<Shared>, ask: Ask, named: Named, mut connection: Connection) -> Polled {
    let request = Poll {
        worker: &shared.name,
        types: &ask.types,
        max: ask.most,
        wait_seconds: shared.wait.as_secs(),
        lease_seconds: shared.lease.as_secs(),
        request: &named.own,
        unanswered: &named.unanswered,
    };
    let clock = &shared.server.clock;
    let asked_at = clock.now();
    let answer = connection.post(POLL, &request, shared.wait).await;
    Polled { ask, named, connection, answer, took_ms: clock.now().ms_since(asked_at) }
}

async fn run(handler: SharedHandler, context: JobContext, end: End) {
    let outcome = handler.run(context).await;
    end.tell(match outcome {
        JobOutcome::Succeeded { output, errors } => News::Completed { output, errors },
        JobOutcome::Failed(failure) => {
            let failure = failure.bounded();
            News::Failed { error: failure.error, cause: failure.cause }
        }
        JobOutcome::Cancelled => News::Cancelled,
    });
}

/// The end of a job, also when its handler panics: then it is dropped untold.
struct End {
    shared: Arc<Shared>,
    live: Arc<Live>,
}

impl End {
    fn tell(&self, news: News) {
        if self.live.is_lost() {
            let (execution, job) = (self.live.id.execution, self.live.id.job);
            tracing::warn!(%execution, %job, "a result is dropped: the job had been lost");
            return;
        }
        self.live.end(news);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let cause = "the handler panicked".into();
            self.tell(News::Failed { error: HANDLER_PANICKED.into(), cause });
        }
        self.shared.running.leave(&self.live);
    }
}

async fn over(pause: &mut Option<BoxFuture<'static, ()>>) {
    match pause {
        Some(pause) => pause.await,
        None => std::future::pending().await,
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}
