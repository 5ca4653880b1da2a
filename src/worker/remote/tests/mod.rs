//! A worker against a server that does what a test says.

mod away;
mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::server::Server;
use super::live::{Live, PULSE};
use super::outbox::Outbox;
use super::wire::{Job, News};
use super::{Ended, RemoteBuilder, RemoteError, RemoteWorker};
use crate::engine::Timestamp;
use crate::testing::VirtualClock;
use crate::worker::command::testing::{DEADLINE, context};
use crate::worker::{BoxFuture, Clock, JobContext, JobError, JobOutcome, ProgressSink, Registry};

/// A clock on which tries follow at once, and all else lasts for ever. It remembers the waits.
#[derive(Default)]
struct Hasty(Mutex<Vec<Duration>>);

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp(1)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let for_ever = [PULSE, Duration::from_secs(1), Duration::from_secs(5)];
        if duration >= Duration::from_secs(10) || for_ever.contains(&duration) {
            return Box::pin(std::future::pending());
        }
        self.0.lock().unwrap().push(duration);
        Box::pin(tokio::task::yield_now())
    }
}

fn virtual_clock() -> Arc<VirtualClock> {
    Arc::new(VirtualClock::new(Timestamp(1_700_000_000_000)))
}

/// Handlers of all kinds.
fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.handle("double", |job: JobContext, number: u32| async move {
        job.progress(50, Some("multiplying"));
        job.count_errors(2);
        number.checked_mul(2).ok_or_else(|| JobError::new("TooBig", "over 32 bits"))
    });
    registry.handle("panics", |_: JobContext, _: Value| async move {
        if true {
            panic!("on purpose");
        }
        Ok(())
    });
    registry.handle("waits", |job: JobContext, _: Value| async move {
        job.cancel_token().cancelled().await;
        Err::<(), _>(JobError::cancelled())
    });
    registry
}

/// A worker at work.
struct Working {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Ended, RemoteError>>,
}

impl Working {
    fn start(builder: RemoteBuilder) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = builder.build().unwrap();
        let task = tokio::spawn(worker.run(async move { drop(stopped.await) }));
        Self { stop, task }
    }

    async fn ended(self) -> Result<Ended, RemoteError> {
        tokio::time::timeout(DEADLINE, self.task).await.expect("it ends").unwrap()
    }

    /// Stops it; polls that wait are answered with nothing, as by a server that stops.
    async fn stop(self, server: &Server) -> Ended {
        let Self { stop, task } = self;
        drop(stop);
        tokio::task::yield_now().await;
        server.set(|state| state.lets_go = true);
        let ended = tokio::time::timeout(DEADLINE, task).await.expect("it ends");
        ended.unwrap().unwrap()
    }
}

fn builder(server: &Server, clock: Arc<dyn Clock>) -> RemoteBuilder {
    RemoteWorker::builder(server.url()).registry(registry()).clock(clock).name("w").seed(7)
}

const DONE: Ended = Ended { is_drained: false, unfinished: 0, undelivered: 0 };

/// How a handler ends here, in the words of the wire.
async fn here(job_type: &str, input: &Value) -> Value {
    let (context, _fire, _) = context(&input.to_string());
    let news = match registry().get(job_type).unwrap().run(context).await {
        JobOutcome::Succeeded { output, errors } => News::Completed { output, errors },
        JobOutcome::Failed(failure) => News::Failed { error: failure.error, cause: failure.cause },
        JobOutcome::Cancelled => News::Cancelled,
    };
    serde_json::to_value(news).unwrap()
}

#[tokio::test]
async fn a_handler_ends_here_and_behind_http_in_the_same_way() {
    let server = Server::start().await;
    let working = Working::start(builder(&server, virtual_clock()).token("secret"));
    let jobs = [
        ("double", json!(21)),
        ("double", json!(u32::MAX)),
        ("double", json!("no number")),
        ("panics", json!({})),
    ];
    for (number, (job_type, input)) in (1..).zip(&jobs) {
        server.offer(number, job_type, input);
        let mut there = server.end(number).await;
        let fields = there.as_object_mut().unwrap();
        assert_eq!(fields.remove("token"), Some(json!(format!("token {number}"))));
        assert_eq!(there, here(job_type, input).await, "{job_type} {input}");
    }
    let progress = json!({
        "token": "token 1", "kind": "progress", "percent": 50, "message": "multiplying",
    });
    server.set(|state| {
        assert_eq!(state.reports[0], progress);
        assert_eq!(state.ends["token 1"]["errors"], 2);
        assert_eq!(state.authorization.as_deref(), Some("Bearer secret"));
        let poll = &state.polls[0];
        assert_eq!(poll["types"], json!(["double", "panics", "waits"]));
        assert_eq!((&poll["max"], &poll["lease_seconds"]), (&json!(64), &json!(60)));
    });
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn the_cancel_token_fires_when_the_server_says_so() {
    let server = Server::start().await;
    let clock = virtual_clock();
    let working = Working::start(builder(&server, clock.clone()));
    server.offer(1, "waits", &json!(null));
    server.until(|state| (state.polls.len() == 2).then_some(())).await;
    clock.somebody_sleeps(PULSE).await;
    server.set(|state| state.cancel.insert("token 1".to_owned()));
    // A third of the lease.
    clock.advance(Duration::from_secs(20));
    assert_eq!(server.end(1).await["kind"], "cancelled");
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn a_job_whose_lease_is_lost_is_asked_to_stop_and_its_result_is_never_told() {
    let server = Server::start().await;
    let clock = virtual_clock();
    let working = Working::start(builder(&server, clock.clone()));
    server.set(|state| state.stale.insert("token 1".to_owned()));
    server.offer(1, "waits", &json!(null));
    server.until(|state| (state.polls.len() == 2).then_some(())).await;
    clock.somebody_sleeps(PULSE).await;
    clock.advance(Duration::from_secs(20));
    server.until(|state| (state.report_requests == 1).then_some(())).await;
    server.offer(2, "double", &json!(4));
    assert_eq!(server.end(2).await["output"], 8);
    // Its handler has ended, for else it would be waited for.
    assert_eq!(working.stop(&server).await, DONE);
    server.set(|state| assert!(!state.ends.contains_key("token 1")));
}

#[tokio::test]
async fn results_that_are_ready_together_go_in_few_requests() {
    let server = Server::start().await;
    let working = Working::start(builder(&server, virtual_clock()));
    server.until(|state| (state.polls.len() == 1).then_some(())).await;
    server.set(|state| state.largest = None);
    (1..=60).for_each(|number| server.offer(number, "double", &json!(number)));
    server.until(|state| (state.ends.len() == 60).then_some(())).await;
    server.set(|state| {
        assert!(state.report_requests <= 12, "{} requests for 60 jobs", state.report_requests);
        assert!(state.polls.len() <= 12, "{} polls for 60 jobs", state.polls.len());
    });
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn a_worker_that_stops_asks_for_nothing_more_and_finishes_what_it_has() {
    let server = Server::start().await;
    let clock = virtual_clock();
    let mut registry = Registry::new();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = gate.clone();
    registry.handle("gated", move |_: JobContext, input: Value| {
        let gate = gate.clone();
        async move {
            drop(gate.acquire().await);
            Ok(input)
        }
    });
    let worker = builder(&server, clock.clone()).registry(registry).slots(1);
    let Working { stop, task } = Working::start(worker);
    server.offer(1, "gated", &json!("late"));
    server.until(|state| state.jobs.is_empty().then_some(())).await;
    drop(stop);
    server.offer(2, "gated", &json!("not wanted"));
    // It waits for the job, as long as the grace period allows.
    clock.somebody_sleeps(Duration::from_secs(30)).await;
    opened.add_permits(10);
    let ended = tokio::time::timeout(DEADLINE, task).await.expect("it ends");
    assert_eq!(ended.unwrap().unwrap(), DONE);
    server.set(|state| {
        assert_eq!((state.ends.len(), state.jobs.len()), (1, 1));
        assert_eq!(state.ends["token 1"]["output"], "late");
    });
}

#[tokio::test]
async fn a_job_that_does_not_end_in_time_is_asked_to_stop_and_then_left() {
    let server = Server::start().await;
    let clock = virtual_clock();
    let mut registry = registry();
    registry.handle("stubborn", |_: JobContext, _: Value| {
        std::future::pending::<Result<(), JobError>>()
    });
    let worker = builder(&server, clock.clone()).registry(registry).slots(2);
    let Working { stop, task } = Working::start(worker);
    server.offer(1, "waits", &json!(null));
    server.offer(2, "stubborn", &json!(null));
    server.until(|state| state.jobs.is_empty().then_some(())).await;
    clock.somebody_sleeps(PULSE).await;
    drop(stop);
    clock.somebody_sleeps(Duration::from_secs(30)).await;
    clock.advance(Duration::from_secs(30));
    assert_eq!(server.end(1).await["kind"], "cancelled");
    clock.somebody_sleeps(Duration::from_secs(5)).await;
    clock.advance(Duration::from_secs(5));
    let ended = tokio::time::timeout(DEADLINE, task).await.expect("it ends");
    assert_eq!(ended.unwrap().unwrap(), Ended { unfinished: 1, ..DONE });
}

#[tokio::test]
async fn a_worker_that_an_operator_drains_ends_by_itself() {
    let server = Server::start().await;
    let working = Working::start(builder(&server, virtual_clock()));
    server.offer(1, "double", &json!(4));
    server.end(1).await;
    server.set(|state| state.draining = true);
    assert_eq!(working.ended().await, Ok(Ended { is_drained: true, ..DONE }));
}

#[tokio::test]
async fn a_server_that_answers_at_once_with_nothing_is_not_stormed() {
    let server = Server::start().await;
    let clock = virtual_clock();
    let working = Working::start(builder(&server, clock.clone()));
    server.until(|state| (state.polls.len() == 1).then_some(())).await;
    clock.somebody_sleeps(PULSE).await;
    // So that the pulse of jobs is another moment.
    clock.advance(Duration::from_millis(100));
    server.set(|state| state.lets_go = true);
    clock.somebody_sleeps(PULSE).await;
    server.set(|state| {
        assert_eq!(state.polls.len(), 1);
        state.lets_go = false;
    });
    clock.advance(PULSE);
    server.offer(1, "double", &json!(4));
    assert_eq!(server.end(1).await["output"], 8);
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_with_a_reason() {
    let build = |builder: RemoteBuilder| builder.build().map(drop).unwrap_err().code();
    let sound = || RemoteWorker::builder("http://localhost").registry(registry());
    assert!(sound().build().is_ok());
    assert_eq!(build(sound().slots(0)), "WORKER_SETTINGS");
    assert_eq!(build(sound().name("")), "WORKER_SETTINGS");
    assert_eq!(build(sound().token("a\nb")), "WORKER_SETTINGS");
    assert_eq!(build(sound().lease(Duration::from_secs(1))), "WORKER_SETTINGS");
    assert_eq!(build(sound().registry(Registry::new())), "WORKER_SETTINGS");
    assert_eq!(build(RemoteWorker::builder("localhost").registry(registry())), "WORKER_URL");
    let secret = RemoteWorker::builder("https://localhost").registry(registry());
    assert_eq!(build(secret.authorities("/nowhere/ca.pem")), "WORKER_TLS");
}

/// A job with a lease of 60 s, and where its signs of life go.
fn live(heartbeat: Option<u64>) -> (Arc<Live>, Arc<VirtualClock>, Arc<Outbox>) {
    let job = json!({
        "token": "t", "execution": uuid::Uuid::nil().to_string(), "job": 1, "attempt": 1,
        "type": "x", "input": {}, "lease_seconds": 60, "heartbeat_seconds": heartbeat,
    });
    let job: Job = serde_json::from_value(job).unwrap();
    let (clock, outbox) = (virtual_clock(), Arc::<Outbox>::default());
    let (live, _) = Live::new(&job, job.id().unwrap(), clock.clone(), outbox.clone());
    (live, clock, outbox)
}

/// Lets time pass, and counts the signs of life that were told.
async fn beats(live: &Live, clock: &VirtualClock, outbox: &Outbox, seconds: u64) -> usize {
    let mut told = 0;
    for _ in 0..seconds {
        clock.advance(Duration::from_secs(1));
        live.pulse(clock.now());
        if outbox.has_news() {
            told += outbox.next().await.unwrap().len();
        }
    }
    told
}

#[tokio::test]
async fn a_lease_is_kept_three_times_in_its_length() {
    let (live, clock, outbox) = live(None);
    assert_eq!(beats(&live, &clock, &outbox, 120).await, 6);
}

#[tokio::test]
async fn signs_of_life_that_a_workflow_wants_are_the_handlers_own() {
    let (quick, clock, outbox) = live(Some(9));
    assert_eq!(beats(&quick, &clock, &outbox, 30).await, 0, "a handler that hangs is noticed");
    quick.heartbeat(quick.id);
    assert_eq!(beats(&quick, &clock, &outbox, 30).await, 1);

    let (slow, clock, outbox) = live(Some(200));
    assert_eq!(beats(&slow, &clock, &outbox, 400).await, 9, "the lease is kept in between");
}

#[tokio::test]
async fn progress_is_told_at_once_when_the_percent_changes_and_else_with_the_pulse() {
    let (live, clock, outbox) = live(None);
    let message = |message: &str| crate::worker::ProgressReport {
        message: Some(message.to_owned()),
        ..crate::worker::ProgressReport::default()
    };
    live.report(live.id, crate::worker::ProgressReport { percent: Some(1), ..message("a") });
    assert_eq!(outbox.next().await.unwrap().len(), 1);
    live.report(live.id, message("b"));
    live.report(live.id, message("c"));
    assert!(!outbox.has_news());
    clock.advance(PULSE);
    live.pulse(clock.now());
    let batch = outbox.next().await.unwrap();
    assert_eq!(batch[0].news, News::from(message("c")));
}
