//! Workers of other processes: they ask for jobs, tell what became of them, vanish, and outlive the
//! system.

use std::time::Duration;

use everstep::engine::event::JobProgressed;
use everstep::engine::{Event, ExecutionId, JobId, Status};
use everstep::language::Json;
use everstep::runtime::{Clock, Error, Orchestrator, Poll, Polled, RemoteJob, RemoteOutcome};
use everstep::store::Transition;
use everstep::worker::{JobError, ProgressReport};
use serde_json::{Value, json};

use super::{World, deploy, one_task, seen, within};

fn poll(worker: &str, most: usize) -> Poll {
    Poll {
        worker: worker.to_owned(),
        job_types: vec!["afar".to_owned()],
        most,
        wait: Duration::from_secs(30),
        lease_seconds: Some(60),
        address: None,
        request: None,
        unanswered: Vec::new(),
    }
}

async fn open(world: &mut World) -> Orchestrator {
    world.open(|builder| builder.remote_workers(true)).await
}

/// So many jobs: a poll gives what there is, which may be less than what comes a moment later.
async fn polled(system: &Orchestrator, worker: &str, count: usize) -> Vec<RemoteJob> {
    let mut jobs = Vec::new();
    while jobs.len() < count {
        let more = within(system.poll_jobs(poll(worker, count - jobs.len()))).await.unwrap();
        jobs.extend(more.jobs);
    }
    jobs.sort_by_key(|job| job.execution);
    jobs
}

fn done(output: &Value) -> RemoteOutcome {
    RemoteOutcome::Completed { output: Json::from_value(output), errors: 0 }
}

/// A system with a workflow of one job, and so many executions of it.
async fn with_jobs(world: &mut World, count: usize) -> (Orchestrator, Vec<ExecutionId>) {
    let system = open(world).await;
    deploy(&system, &one_task("afar", &json!({}))).await;
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    (system, ids)
}

fn stale(error: &Error) -> bool {
    matches!(error.code(), "STALE_TOKEN" | "JOB_NOT_OPEN" | "NOT_IN_STATUS")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_worker_from_afar_and_ends_as_that_one_tells() {
    let mut world = World::new();
    let (system, ids) = with_jobs(&mut world, 3).await;
    let jobs = polled(&system, "w1", 2).await;
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs.iter().map(|job| job.input.value()).collect::<Vec<_>>(), [json!(0), json!(1)]);
    let report = ProgressReport { percent: Some(40), ..ProgressReport::default() };
    assert!(!system.report_job(&jobs[0].token, report).unwrap().cancel);
    let outcomes = vec![
        (jobs[0].token.clone(), done(&json!("a"))),
        (jobs[1].token.clone(), RemoteOutcome::Failed(JobError::new("Mine", "no luck"))),
        ("nonsense".to_owned(), RemoteOutcome::Cancelled),
    ];
    let finished = within(system.finish_jobs(outcomes)).await;
    assert!(finished[0].is_ok() && finished[1].is_ok());
    assert_eq!(finished[2].as_ref().unwrap_err().code(), "BAD_TOKEN");
    assert_eq!(within(system.result(ids[0])).await.unwrap().output.unwrap().value(), json!("a"));
    assert_eq!(
        within(system.result(ids[1])).await.unwrap().failure.unwrap().error.as_ref(),
        "Mine"
    );
    // Whoever tells it again is late, and changes nothing.
    let again = system.finish_job(&jobs[0].token, done(&json!("b"))).await.unwrap_err();
    assert!(stale(&again), "{again}");
    assert!(stale(&system.heartbeat_job(&jobs[0].token).unwrap_err()));
    let workers = system.workers();
    let worker = workers.iter().find(|worker| worker.is_remote).unwrap();
    assert_eq!((&*worker.name, worker.running, worker.is_there), ("w1", 0, true));
    let figures = system.job_type_figures();
    let of = figures.iter().find(|of| &*of.job_type == "afar").unwrap();
    assert_eq!((of.waiting, of.running, of.is_served), (1, 0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_gets_the_job_that_comes_and_one_without_any_gets_nothing() {
    let mut world = World::new();
    let (system, _) = with_jobs(&mut world, 0).await;
    let waiting = tokio::spawn({
        let system = system.clone();
        async move { system.poll_jobs(poll("w1", 8)).await.unwrap().jobs }
    });
    let id = system.start("w", json!(7)).await.unwrap();
    let jobs = within(waiting).await.unwrap();
    assert_eq!((jobs.len(), jobs[0].execution), (1, id));
    within(system.finish_job(&jobs[0].token, done(&json!(7)))).await.unwrap();
    let none = tokio::spawn({
        let system = system.clone();
        async move { system.poll_jobs(poll("w1", 8)).await.unwrap() }
    });
    let none = within(async {
        while !none.is_finished() {
            world.clock.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
        none.await.unwrap()
    })
    .await;
    assert_eq!(none, Polled { jobs: Vec::new(), is_draining: false });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_silent_for_too_long_loses_its_job_to_another() {
    let mut world = World::new();
    let (system, ids) = with_jobs(&mut world, 1).await;
    let mut events = system.events(1, None);
    let first = polled(&system, "gone", 1).await.remove(0);
    // A sign of life lengthens the lease.
    world.clock.advance(Duration::from_secs(50));
    system.heartbeat_job(&first.token).unwrap();
    world.clock.advance(Duration::from_secs(50));
    system.heartbeat_job(&first.token).unwrap();
    within(async {
        loop {
            world.clock.advance(Duration::from_secs(61));
            tokio::task::yield_now().await;
            if world.count(ids[0], "AttemptLost").await == 1 {
                break;
            }
        }
    })
    .await;
    seen(&mut events, "AttemptLost").await;
    let second = polled(&system, "w2", 1).await.remove(0);
    assert_eq!((second.job, second.attempt), (first.job, first.attempt + 1));
    let late = system.finish_job(&first.token, done(&json!("late"))).await.unwrap_err();
    assert!(stale(&late), "{late}");
    within(system.finish_job(&second.token, done(&json!("good")))).await.unwrap();
    let output = within(system.result(ids[0])).await.unwrap().output;
    assert_eq!(output.unwrap().value(), json!("good"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_its_way_to_a_worker_that_hung_up_goes_to_the_next() {
    let mut world = World::new();
    let (system, ids) = with_jobs(&mut world, 0).await;
    let hung_up = tokio::spawn({
        let system = system.clone();
        async move { system.poll_jobs(poll("w1", 1)).await }
    });
    within(async {
        while system.job_type_figures().iter().all(|of| of.slots == 0) {
            tokio::task::yield_now().await;
            if system.workers().iter().any(|worker| worker.is_remote) {
                break;
            }
        }
    })
    .await;
    hung_up.abort();
    drop(hung_up.await);
    assert!(ids.is_empty());
    let id = system.start("w", json!(1)).await.unwrap();
    let job = polled(&system, "w2", 1).await.remove(0);
    assert_eq!(job.execution, id);
    within(system.finish_job(&job.token, done(&json!(1)))).await.unwrap();
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_or_a_stop_takes_nothing_from_workers_afar() {
    for crash in [true, false] {
        let mut world = World::new();
        let (first, ids) = with_jobs(&mut world, 3).await;
        let jobs = polled(&first, "w1", 2).await;
        if !crash {
            within(first.stop()).await.unwrap();
        }
        drop(first);
        let second = open(&mut world).await;
        assert_eq!(world.count(ids[0], "AttemptLost").await, 0);
        // It is known who has them, and they may be brought late.
        let workers = second.workers();
        let worker = workers.iter().find(|worker| worker.is_remote).unwrap();
        assert_eq!((&*worker.name, worker.running), ("w1", 2));
        assert!(!second.heartbeat_job(&jobs[0].token).unwrap().cancel);
        within(second.finish_job(&jobs[0].token, done(&json!("kept")))).await.unwrap();
        let output = within(second.result(ids[0])).await.unwrap().output;
        assert_eq!(output.unwrap().value(), json!("kept"));
        // The other is lost once its new lease is over.
        within(async {
            while world.count(ids[1], "AttemptLost").await == 0 {
                world.clock.advance(Duration::from_secs(61));
                tokio::task::yield_now().await;
            }
        })
        .await;
        let late = second.finish_job(&jobs[1].token, done(&json!("late"))).await.unwrap_err();
        assert!(stale(&late), "{late}");
        assert_eq!(polled(&second, "w2", 2).await.len(), 2, "that one again, and the third");
    }
}

/// Asks under a name, and says which requests got no answer.
async fn named(system: &Orchestrator, request: &str, unanswered: &[&str]) -> Vec<RemoteJob> {
    let unanswered = unanswered.iter().map(|name| (*name).to_owned()).collect();
    let poll = Poll { request: Some(request.to_owned()), unanswered, ..poll("w1", 1) };
    within(system.poll_jobs(poll)).await.unwrap().jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_an_answer_that_never_arrived_is_given_again_at_once() {
    for crash in [true, false] {
        let mut world = World::new();
        let (mut system, ids) = with_jobs(&mut world, 2).await;
        let kept = named(&system, "a-1", &[]).await.remove(0);
        let cut_off = named(&system, "a-2", &[]).await.remove(0);
        if crash {
            drop(system);
            system = open(&mut world).await;
        }
        // No time passes: no lease is over. Another worker may not say so.
        let other = Poll { request: Some("a-3".to_owned()), wait: Duration::ZERO, ..poll("w2", 1) };
        let other = Poll { unanswered: vec!["a-2".to_owned()], ..other };
        let none = tokio::spawn({
            let system = system.clone();
            async move { system.poll_jobs(other).await.unwrap().jobs }
        });
        assert_eq!(within(none).await.unwrap(), []);
        let again = named(&system, "a-3", &["a-2"]).await.remove(0);
        let (was, is) = ((ids[1], cut_off.job, 2), (again.execution, again.job, again.attempt));
        assert_eq!(is, was);
        assert!(stale(&system.heartbeat_job(&cut_off.token).unwrap_err()));
        assert!(!system.heartbeat_job(&kept.token).unwrap().cancel, "that one arrived");
        for job in [kept, again] {
            within(system.finish_job(&job.token, done(&json!(1)))).await.unwrap();
        }
        let lost = world.history(ids[1]).await;
        assert!(lost.iter().any(|event| matches!(event, Event::AttemptLost(lost) if lost.stopped)));
        assert_eq!(world.count(ids[0], "JobStarted").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_its_worker_calls_unanswered_gets_nothing_more() {
    let mut world = World::new();
    let (system, _) = with_jobs(&mut world, 0).await;
    let left = tokio::spawn({
        let system = system.clone();
        async move { named(&system, "a-1", &[]).await }
    });
    within(async {
        while system.job_type_figures().iter().all(|of| of.slots == 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let next = tokio::spawn({
        let system = system.clone();
        async move { named(&system, "a-2", &["a-1"]).await }
    });
    assert_eq!(within(left).await.unwrap(), [], "nobody listens to it");
    let id = system.start("w", json!(7)).await.unwrap();
    assert_eq!(within(next).await.unwrap()[0].execution, id);
    assert_eq!(world.count(id, "JobStarted").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_without_such_workers_takes_back_what_they_had() {
    let mut world = World::new();
    let (first, ids) = with_jobs(&mut world, 1).await;
    let job = polled(&first, "w1", 1).await.remove(0);
    drop(first);
    let second = world.open(|builder| builder).await;
    let error = second.poll_jobs(poll("w1", 1)).await.unwrap_err();
    assert_eq!(error.code(), "NO_REMOTE_WORKERS");
    within(async {
        while world.count(ids[0], "AttemptLost").await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(stale(&second.finish_job(&job.token, done(&json!(1))).await.unwrap_err()));
    let error = second.start("w", json!(1)).await.unwrap_err();
    assert_eq!(error.code(), "UNKNOWN_JOB_TYPES");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_comes_back_with_the_next_sign_of_life() {
    let mut world = World::new();
    let (system, ids) = with_jobs(&mut world, 1).await;
    let job = polled(&system, "w1", 1).await.remove(0);
    assert!(!system.heartbeat_job(&job.token).unwrap().cancel);
    system.cancel(ids[0], "me", None).await.unwrap();
    assert!(system.heartbeat_job(&job.token).unwrap().cancel);
    within(system.finish_job(&job.token, RemoteOutcome::Cancelled)).await.unwrap();
    assert_eq!(within(system.result(ids[0])).await.unwrap().status, Status::Cancelled);
    let history = world.history(ids[0]).await;
    assert!(history.iter().any(|event| matches!(event, Event::JobCancelled(_))));
}

/// Writes into the history of an execution what the engine would not decide: that it is at 100
/// percent while its job goes on. Every decision after that breaks a rule of the engine.
async fn break_history(world: &World, id: ExecutionId) {
    let epoch = world.store.acquire().await.unwrap();
    let (percent, message, processed, total) = (Some(10), None, None, None);
    let job = JobId(1);
    let event = JobProgressed { job, percent, message, processed, total, progress: 100 };
    let transition = Transition {
        stream: id.0,
        first_sequence: world.store.last_sequence(id.0).unwrap() + 1,
        time: Clock::now(&*world.clock),
        events: vec![event.into()],
    };
    world.store.append(epoch, vec![transition]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(debug_assertions), ignore = "the engine holds its rules in debug builds alone")]
async fn an_execution_that_a_panic_of_the_engine_set_aside_gives_its_leases_back() {
    let retried = json!({"TimeoutSeconds": 10,
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5}]});
    // Of a job that has timed out the half changed execution no longer has the token.
    for times_out in [false, true] {
        let mut world = World::new();
        let first = open(&mut world).await;
        deploy(&first, &one_task("afar", &retried)).await;
        let id = first.start("w", json!(1)).await.unwrap();
        let job = polled(&first, "w1", 1).await.remove(0);
        drop(first);
        break_history(&world, id).await;

        let second = open(&mut world).await;
        assert!(!second.heartbeat_job(&job.token).unwrap().cancel, "it is lent anew");
        let mut events = second.events(1, Some(id));
        if times_out {
            world.clock.advance(Duration::from_secs(11));
        } else {
            let report = ProgressReport { percent: Some(40), ..ProgressReport::default() };
            second.report_job(&job.token, report).unwrap();
        }
        let Event::ExecutionSetAside(aside) = seen(&mut events, "ExecutionSetAside").await else {
            panic!("another event has this name");
        };
        assert!(aside.reason.contains("panicked"), "{}", aside.reason);
        assert!(stale(&second.heartbeat_job(&job.token).unwrap_err()), "the lease is over");
        let running: usize = second.workers().iter().map(|worker| worker.running).sum();
        assert_eq!(running, 0);
        assert!(second.finish_job(&job.token, done(&json!(1))).await.is_err());
        assert_eq!(world.count(id, "ExecutionSetAside").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_to_end_gets_nothing_more() {
    let mut world = World::new();
    let (system, _) = with_jobs(&mut world, 1).await;
    assert_eq!(system.drain_worker("w1").unwrap_err().code(), "NO_SUCH_WORKER");
    let job = polled(&system, "w1", 1).await.remove(0);
    system.drain_worker("w1").unwrap();
    system.start("w", json!(2)).await.unwrap();
    let polled = within(system.poll_jobs(poll("w1", 1))).await.unwrap();
    assert_eq!(polled, Polled { jobs: Vec::new(), is_draining: true });
    within(system.finish_job(&job.token, done(&json!(1)))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_job_type_gives_no_jobs_away_and_a_stop_ends_what_waits() {
    let mut world = World::new();
    let (system, _) = with_jobs(&mut world, 1).await;
    system.pause_job_type("afar", "me", None).await.unwrap();
    let waiting = tokio::spawn({
        let system = system.clone();
        async move { system.poll_jobs(poll("w1", 1)).await.unwrap().jobs }
    });
    within(async {
        while !system.workers().iter().any(|worker| worker.is_remote) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!waiting.is_finished());
    within(system.stop()).await.unwrap();
    assert!(within(waiting).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_and_many_jobs_lose_nothing_and_double_nothing() {
    let mut world = World::new();
    let (system, _) = with_jobs(&mut world, 0).await;
    let workers: Vec<_> = (0..20)
        .map(|n| {
            let system = system.clone();
            tokio::spawn(async move {
                let mut done_here = 0;
                while done_here < 100 {
                    let polled = system.poll_jobs(poll(&format!("w{n}"), 1 + n % 5)).await;
                    let Ok(polled) = polled else { return };
                    let outcomes = polled.jobs.into_iter().map(|job| {
                        let output = RemoteOutcome::Completed { output: job.input, errors: 0 };
                        (job.token, output)
                    });
                    let finished = system.finish_jobs(outcomes.collect()).await;
                    assert!(finished.iter().all(Result::is_ok), "{finished:?}");
                    done_here += finished.len();
                }
            })
        })
        .collect();
    let mut ids = Vec::new();
    for n in 0..400 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    for (n, id) in ids.iter().enumerate() {
        let outcome = within(system.result(*id)).await.unwrap();
        assert_eq!(outcome.output.unwrap().value(), json!(n));
        assert_eq!(world.count(*id, "JobStarted").await, 1);
    }
    workers.iter().for_each(tokio::task::JoinHandle::abort);
}
