//! Workers, good and bad: in the process, where they die with it, and afar, where they outlive it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::scheduler::OUTSIDE;
use super::world::{Answer, World};
use crate::engine::{CallbackToken, ExecutionId, JobId};
use crate::language::Json;
use crate::runtime::{MOST_UNANSWERED, Orchestrator, Poll, RemoteJob, RemoteOutcome};
use crate::testing::generate::{ERRORS, result};
use crate::worker::{JobContext, JobError, ProgressReport, Registry};

/// Workers afar.
const AFAR: usize = 2;
/// The shortest lease that there is, in seconds.
const LEASE: u32 = 5;

/// Handlers for the job types that have workers in the process.
pub(super) fn registry(world: &Arc<World>) -> Registry {
    let mut registry = Registry::new();
    // Of the last type there is none here when others have workers too.
    let here: &[&str] =
        if world.plan.system.remote { &["alpha", "beta"] } else { &["alpha", "beta", "gamma"] };
    for job_type in here {
        let world = world.clone();
        registry.handle(*job_type, move |job: JobContext, input: Value| {
            let world = world.clone();
            async move { work(&world, job, &input).await }
        });
        registry.set_concurrency(job_type, 3);
    }
    registry
}

fn tell_given(world: &Arc<World>, execution: ExecutionId, job: JobId, attempt: u32, afar: bool) {
    world.tell(json!({
        "call": "given", "on": execution, "job": job, "attempt": attempt, "afar": afar,
    }));
}

async fn work(world: &Arc<World>, job: JobContext, input: &Value) -> Result<Value, JobError> {
    let id = job.id();
    tell_given(world, id.execution, id.job, id.attempt, false);
    notice_callback(world, input);
    if world.hits("hanging_job", |faults| faults.hanging_job) {
        while !world.is_calm() && !job.cancel_token().is_cancelled() {
            world.clock.rest(500).await;
        }
    }
    let deaf = world.hits("deaf_worker", |faults| faults.deaf_worker);
    let steps = world.draw(|random| random.below(4));
    for step in 0..steps {
        let pause = world.draw(|random| random.below(3000));
        world.clock.rest(pause).await;
        if !deaf && job.cancel_token().is_cancelled() {
            return Err(JobError::cancelled());
        }
        match world.draw(|random| random.below(3)) {
            0 => job.heartbeat(),
            1 => job.progress(any_percent(world, step), Some("at work")),
            _ => {}
        }
    }
    if world.hits("failing_job", |faults| faults.failing_job) {
        return Err(failure(world));
    }
    Ok(result(world.draw(crate::testing::random::Random::draw)))
}

/// How far a worker says it is: not all of them know what a percentage is.
fn any_percent(world: &World, step: u64) -> Option<u8> {
    let wild = world.draw(|random| random.one_in(4));
    u8::try_from(if wild { world.draw(|random| random.below(300)) } else { step * 30 }).ok()
}

fn failure(world: &World) -> JobError {
    let error = world.draw(|random| random.pick(ERRORS).copied().unwrap_or_default());
    JobError::new(error, "made up")
}

/// A job that waits for a callback was given a token: somebody answers later, or nobody does.
fn notice_callback(world: &Arc<World>, input: &Value) {
    let Some(token) = input.get("token").and_then(Value::as_str) else { return };
    world.know_callback(token);
    if world.hits("lost_callback", |faults| faults.lost_callback) {
        return;
    }
    let (world, token) = (world.clone(), token.to_owned());
    world.clone().scheduler.spawn(OUTSIDE, async move {
        let pause = world.draw(|random| random.below(8000));
        world.clock.rest(pause).await;
        answer_callback(&world, &token).await;
        if world.hits("twice", |faults| faults.twice) {
            answer_callback(&world, &token).await;
        }
    });
}

/// Answers a job that waits for a callback.
pub(super) async fn answer_callback(world: &Arc<World>, token: &str) {
    let Ok(proof) = token.parse::<CallbackToken>() else { return };
    let output = result(world.draw(crate::testing::random::Random::draw));
    let failed = world.hits("failing_job", |faults| faults.failing_job);
    let (given, error) = (output.clone(), failure(world));
    let text = token.to_owned();
    let ask = |system: Orchestrator| async move {
        if failed {
            system.fail_callback(&text, error).await
        } else {
            system.complete_callback(&text, given).await
        }
    };
    let answer = world.call(ask).await;
    if !matches!(answer, Answer::Unknown) {
        world.forget_callback(token);
    }
    tell_finish(world, &proof, None, (failed, &output), token, &answer);
}

fn tell_finish(
    world: &World,
    proof: &CallbackToken,
    attempt: Option<u32>,
    (failed, output): (bool, &Value),
    token: &str,
    answer: &Answer<()>,
) {
    world.tell(json!({
        "call": "finish", "on": proof.execution, "job": proof.job, "attempt": attempt,
        "failed": failed, "output": output, "token": token,
        "outcome": answer.outcome(), "code": answer.code(),
    }));
}

/// Lets workers of other processes begin.
pub(super) fn send_workers(world: &Arc<World>) {
    if !world.plan.system.remote {
        return;
    }
    for number in 0..AFAR {
        let world = world.clone();
        world.clone().scheduler.spawn(OUTSIDE, async move {
            let mut asked = Asked::default();
            loop {
                poll(&world, number, &mut asked).await;
            }
        });
    }
}

/// What a worker has asked for.
#[derive(Default)]
struct Asked {
    count: u64,
    /// Requests that it got no answer to.
    unanswered: Vec<String>,
}

async fn poll(world: &Arc<World>, number: usize, asked: &mut Asked) {
    asked.count += 1;
    let request = format!("{}", asked.count);
    let mut named = std::mem::take(&mut asked.unanswered);
    let job_types: &[&str] = if number == 0 { &["beta", "gamma"] } else { &["gamma"] };
    let poll = Poll {
        worker: format!("worker-{number}"),
        job_types: job_types.iter().map(|name| (*name).to_owned()).collect(),
        most: 1 + world.draw(|random| random.index(3)),
        wait: Duration::from_secs(2),
        lease_seconds: Some(LEASE),
        address: None,
        request: Some(request.clone()),
        unanswered: named.clone(),
    };
    match world.call(|system| async move { system.poll_jobs(poll).await }).await {
        Answer::Done(polled) => {
            for job in polled.jobs {
                tell_given(world, job.execution, job.job, job.attempt, true);
                let world = world.clone();
                world.clone().scheduler.spawn(OUTSIDE, async move {
                    work_afar(&world, job).await;
                });
            }
        }
        answer @ (Answer::Refused(_) | Answer::Unknown) => {
            named.extend(matches!(answer, Answer::Unknown).then_some(request));
            named.truncate(MOST_UNANSWERED);
            asked.unanswered = named;
            world.clock.rest(100).await;
        }
    }
}

async fn work_afar(world: &Arc<World>, job: RemoteJob) {
    notice_callback(world, &job.input.value());
    if world.hits("worker_death", |faults| faults.worker_death) {
        return;
    }
    let steps = world.draw(|random| random.below(3));
    for step in 0..steps {
        let pause = world.draw(|random| random.below(3000));
        world.clock.rest(pause).await;
        if report(world, &job, step).await {
            return finish(world, &job, RemoteOutcome::Cancelled).await;
        }
    }
    if world.hits("late", |faults| faults.late) {
        world.clock.rest(u64::from(LEASE) * 1000 + 3000).await;
    }
    let outcome = if world.hits("failing_job", |faults| faults.failing_job) {
        RemoteOutcome::Failed(failure(world))
    } else {
        let output = result(world.draw(crate::testing::random::Random::draw));
        RemoteOutcome::Completed { output: Json::from_value(&output), errors: 0 }
    };
    if world.hits("forged", |faults| faults.forged) {
        forge(world, &job).await;
    }
    finish(world, &job, outcome.clone()).await;
    if world.hits("twice", |faults| faults.twice) {
        finish(world, &job, outcome).await;
    }
}

/// Gives a sign of life; whether the worker is to stop.
async fn report(world: &Arc<World>, job: &RemoteJob, step: u64) -> bool {
    let token = job.token.clone();
    let percent = any_percent(world, step);
    let ask = |system: Orchestrator| async move {
        let report = ProgressReport { percent, ..ProgressReport::default() };
        system.report_job(&token, report)
    };
    let deaf = world.hits("deaf_worker", |faults| faults.deaf_worker);
    match world.call(ask).await {
        Answer::Done(standing) => standing.cancel && !deaf,
        Answer::Refused(_) | Answer::Unknown => false,
    }
}

/// Brings a result until it is known what became of it.
async fn finish(world: &Arc<World>, job: &RemoteJob, outcome: RemoteOutcome) {
    loop {
        let (token, brought) = (job.token.clone(), outcome.clone());
        let ask = |system: Orchestrator| async move { system.finish_job(&token, brought).await };
        let answer = world.call(ask).await;
        let failed = !matches!(outcome, RemoteOutcome::Completed { .. });
        let output = match &outcome {
            RemoteOutcome::Completed { output, .. } => output.value(),
            RemoteOutcome::Failed(_) | RemoteOutcome::Cancelled => Value::Null,
        };
        if let Ok(proof) = job.token.parse::<CallbackToken>() {
            let attempt = Some(job.attempt);
            tell_finish(world, &proof, attempt, (failed, &output), &job.token, &answer);
        }
        if !matches!(answer, Answer::Unknown) {
            return;
        }
        world.clock.rest(50).await;
    }
}

/// Brings a result with a token that differs from the one that was given in a letter.
async fn forge(world: &Arc<World>, job: &RemoteJob) {
    let Ok(mut proof) = job.token.parse::<CallbackToken>() else { return };
    let at = world.draw(|random| random.index(proof.token.0.len()));
    if let Some(byte) = proof.token.0.get_mut(at) {
        *byte ^= 1;
    }
    let token = proof.to_string();
    let forged = RemoteOutcome::Completed { output: Json::from_value(&json!("forged")), errors: 0 };
    let ask = |system: Orchestrator| async move { system.finish_job(&token, forged).await };
    let answer = world.call(ask).await;
    world.tell(json!({
        "call": "forged", "on": job.execution, "job": job.job, "outcome": answer.outcome(),
    }));
}
