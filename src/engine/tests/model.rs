//! Every order of what can happen to a job, not a sample of them: workers that complete, fail, answer
//! a cancel, repeat themselves and come too late, timers, crashes, pauses and cancels.
//!
//! The states are the engine's own; what a token may do is told here a second time, from the events
//! alone. Searched by Stateright, a model checker.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::{Value, json};
use stateright::{Checker, Model, Property};

use super::kit::{Run, given};
use super::{only, task};
use crate::engine::invariants::check;
use crate::engine::{
    Command, DecisionInput, Event, Execution, Failure, JobId, JobStatus, PauseScope, Status, Token,
    decide,
};
use crate::language::Json;

/// What may happen besides workers and timers, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Left {
    crashes: u8,
    cancels: u8,
    pauses: u8,
}

/// An execution and the world around it.
#[derive(Debug, Clone)]
struct World {
    execution: Execution,
    left: Left,
    /// The jobs of all tokens that were ever given: whoever has one may come at any time.
    given: BTreeMap<[u8; 16], JobId>,
    /// Tokens whose attempt is over.
    over: BTreeSet<[u8; 16]>,
    /// Attempts that a worker was still at when time or a crash took them away.
    taken_away: u8,
    /// The first promise that was broken.
    broken: Option<String>,
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        (self.left, &self.given, &self.over, &self.broken, &self.execution)
            == (other.left, &other.given, &other.over, &other.broken, &other.execution)
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.left, &self.given, &self.over, &self.broken).hash(hasher);
        serde_json::to_string(&self.execution).unwrap().hash(hasher);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// A worker takes a job.
    Take(JobId),
    /// Whoever was given this token says so.
    Complete([u8; 16]),
    Fail([u8; 16]),
    Acknowledge([u8; 16]),
    /// The earliest timer.
    Fire,
    Crash,
    Cancel,
    Pause,
    Resume,
}

/// A definition, and how much may happen to it.
struct Jobs {
    run: Run,
    left: Left,
}

impl Jobs {
    fn new(definition: &Value, left: Left) -> Self {
        Self { run: given(definition).started(&json!({})), left }
    }

    fn command(&self, world: &World, action: Action) -> Option<Command> {
        let by: Arc<str> = "me".into();
        let job_of = |token: &[u8; 16]| world.given.get(token).copied();
        Some(match action {
            Action::Take(job) => {
                let attempt = world.execution.jobs.get(&job)?.attempt;
                let token = Token([u8::try_from(world.given.len()).ok()? + 1; 16]);
                Command::StartJob { job, attempt, worker: "w".into(), token }
            }
            Action::Complete(token) => Command::CompleteJob {
                job: job_of(&token)?,
                token: Token(token),
                output: Json::from_value(&json!(1)),
                errors: 0,
            },
            Action::Fail(token) => Command::FailJob {
                job: job_of(&token)?,
                token: Token(token),
                failure: Failure::new("Mine", "no luck"),
            },
            Action::Acknowledge(token) => {
                Command::AcknowledgeCancel { job: job_of(&token)?, token: Token(token) }
            }
            Action::Fire => {
                let (due, timer) = *world.execution.timers.first()?;
                Command::FireTimer { timer, due, last_heartbeat: None }
            }
            Action::Crash => {
                let has_worker =
                    |status| matches!(status, JobStatus::Running | JobStatus::Cancelling);
                let jobs = world.execution.jobs.iter();
                let jobs = jobs.filter(|(_, job)| has_worker(job.status)).map(|(id, _)| *id);
                Command::LoseAttempts { jobs: jobs.collect(), stopped: false }
            }
            Action::Cancel => Command::CancelExecution { by, reason: None, force: false },
            Action::Pause => {
                let scope = PauseScope::Execution;
                Command::PauseExecution { scope, by, reason: None }
            }
            Action::Resume => Command::ResumeExecution { scope: PauseScope::Execution, by },
        })
    }

    fn take_action(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let command = self.command(before, action)?;
        // Time passes only to the timer that fires: nothing else hangs on it.
        let now = match action {
            Action::Fire => before.execution.timers.first()?.0,
            _ => before.execution.updated_at,
        };
        let Run { program, limits, mint, .. } = &self.run;
        let input = DecisionInput { program, now, seed: 1, limits, mint };
        let events = decide(input, &mut world.execution, command).ok()?;
        match action {
            Action::Crash => world.left.crashes -= 1,
            Action::Cancel => world.left.cancels -= 1,
            Action::Pause => world.left.pauses -= 1,
            Action::Complete(token) | Action::Fail(token) | Action::Acknowledge(token)
                if before.over.contains(&token) =>
            {
                world.broken = Some(format!("{action:?} was accepted of an attempt that is over"));
            }
            _ => {}
        }
        if events.is_empty() {
            world.broken = Some(format!("{action:?} was accepted and changed nothing"));
        }
        if before.execution.status.is_terminal() {
            world.broken = Some(format!("{action:?} was accepted after the end"));
        }
        for event in &events {
            world.believe(event, before);
        }
        world.check(&before.execution, &events);
        Some(world)
    }
}

impl World {
    /// What the events say of tokens, without asking the engine.
    fn believe(&mut self, event: &Event, before: &Self) {
        let job = match event {
            Event::JobStarted(body) => {
                let is_asked_to_stop = before.execution.status != Status::Running;
                if is_asked_to_stop || before.execution.pauses.any() {
                    self.broken = Some("an attempt began after a cancel or in a pause".to_owned());
                }
                if self.holder_of(body.job).is_some() {
                    self.broken = Some("two attempts of a job run at once".to_owned());
                }
                if self.given.insert(body.token.0, body.job).is_some() {
                    self.broken = Some("a token was given twice".to_owned());
                }
                return;
            }
            Event::JobTimedOut(body) => body.job,
            Event::AttemptLost(body) => body.job,
            Event::JobSucceeded(body) => body.job,
            Event::JobFailed(body) => body.job,
            Event::JobCancelled(body) => body.job,
            _ => return,
        };
        if let Some(token) = self.holder_of(job) {
            self.over.insert(token);
            let is_taken = matches!(event, Event::JobTimedOut(_) | Event::AttemptLost(_));
            self.taken_away += u8::from(is_taken);
        }
    }

    /// The token of the attempt that is under way.
    fn holder_of(&self, job: JobId) -> Option<[u8; 16]> {
        let mut holders =
            self.given.iter().filter(|(token, of)| **of == job && !self.over.contains(*token));
        holders.next().map(|(token, _)| *token)
    }

    fn check(&mut self, before: &Execution, events: &[Event]) {
        if let Err(violation) = check(&self.execution) {
            self.broken = Some(violation.to_string());
        }
        let mut again = before.clone();
        events.iter().for_each(|event| again.apply(event, self.execution.updated_at));
        if again != self.execution {
            self.broken = Some("replay gives another state".to_owned());
        }
        if self.execution.progress < before.progress {
            self.broken = Some("progress fell".to_owned());
        }
    }
}

impl Model for Jobs {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            execution: self.run.execution.clone(),
            left: self.left,
            given: BTreeMap::new(),
            over: BTreeSet::new(),
            taken_away: 0,
            broken: None,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            // What led to this is to be told, and not what came after.
            return;
        }
        let pending =
            world.execution.jobs.iter().filter(|(_, job)| job.status == JobStatus::Pending);
        actions.extend(pending.map(|(id, _)| Action::Take(*id)));
        for token in world.given.keys().copied() {
            actions.extend([
                Action::Complete(token),
                Action::Fail(token),
                Action::Acknowledge(token),
            ]);
        }
        if !world.execution.timers.is_empty() {
            actions.push(Action::Fire);
        }
        let left = world.left;
        actions.extend((left.crashes > 0).then_some(Action::Crash));
        actions.extend((left.cancels > 0).then_some(Action::Cancel));
        actions.extend((left.pauses > 0).then_some(Action::Pause));
        actions.push(Action::Resume);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        self.take_action(world, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every promise is kept", |_, world: &World| world.broken.is_none()),
            Property::eventually("it ends", |_, world: &World| {
                world.execution.status.is_terminal()
            }),
            Property::sometimes("it completes", |_, world: &World| {
                world.execution.status == Status::Completed
            }),
            Property::sometimes(
                "it completes though an attempt was taken away",
                |_, world: &World| {
                    world.execution.status == Status::Completed && world.taken_away > 0
                },
            ),
            Property::sometimes("it fails", |_, world: &World| {
                world.execution.status == Status::Failed
            }),
            Property::sometimes(
                "it is cancelled though a worker completed too late",
                |_, world: &World| {
                    world.execution.status == Status::Cancelled && world.taken_away > 0
                },
            ),
        ]
    }
}

/// Searches all that can be reached; says how much it was.
fn search(definition: &Value, left: Left) -> usize {
    let checker = Jobs::new(definition, left).checker().spawn_bfs().join();
    if let Some(path) = checker.discovery("every promise is kept") {
        let broken = path.last_state().broken.clone();
        panic!("{}: {:?}", broken.unwrap_or_default(), path.into_actions());
    }
    checker.assert_properties();
    checker.unique_state_count()
}

#[test]
fn whoever_comes_first_of_a_worker_its_timeout_a_crash_and_a_cancel_every_promise_is_kept() {
    let machine = only(task(json!({
        "TimeoutSeconds": 10,
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1}],
    })));
    let states = search(&machine, Left { crashes: 3, cancels: 1, pauses: 2 });
    assert!(states > 1000, "only {states} states");
}

#[test]
fn the_same_holds_for_two_jobs_of_a_parallel() {
    let branch = |name: &str| {
        let retry = json!([{"ErrorEquals": ["Mine"], "MaxAttempts": 1, "IntervalSeconds": 1}]);
        let state = task(json!({"TimeoutSeconds": 10, "Retry": retry}));
        json!({"StartAt": name, "States": {name: state}})
    };
    let branches = [branch("B"), branch("C")];
    let machine = only(json!({"Type": "Parallel", "Branches": branches, "End": true}));
    let states = search(&machine, Left { crashes: 1, cancels: 1, pauses: 1 });
    assert!(states > 1000, "only {states} states");
}
