//! What all who take part in a life share: the time, the server of the moment, chance, and the story
//! that clients and workers could tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::clock::SimClock;
use super::plan::{Faults, Plan};
use super::scheduler::{Group, Scheduler, lock};
use crate::engine::ExecutionId;
use crate::runtime::{Error, Orchestrator};
use crate::store;
use crate::testing::random::Random;

/// Crashes in the midst of calls that a life sees at most, so that it comes to its end.
const MOST_CRASHES: u64 = 6;

/// What all who take part in a life share.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) scheduler: Scheduler,
    pub(super) clock: SimClock,
    chance: Mutex<Random>,
    story: Mutex<Vec<Value>>,
    server: Mutex<Option<Server>>,
    /// Steps that were taken.
    steps: AtomicU64,
    /// Whether nothing goes wrong any more.
    is_calm: AtomicBool,
    /// Clients that have something to do.
    pub(super) busy: AtomicUsize,
    /// Executions that clients know of.
    known: Mutex<Vec<ExecutionId>>,
    /// Tokens of callbacks that workers have seen.
    callbacks: Mutex<BTreeSet<String>>,
    /// The last position that somebody who follows the log has seen.
    followed: AtomicU64,
    /// Crashes in the midst of a call that may still come.
    crashes_left: AtomicU64,
    /// Whether the process is to crash soon.
    is_to_crash: AtomicBool,
    /// How often somebody was told that the store cannot be read.
    troubles: AtomicU64,
    /// Whether somebody was told that there is damage, and nobody has done anything about it yet.
    is_damaged: AtomicBool,
    /// How often each kind of fault happened.
    faults: Mutex<BTreeMap<&'static str, u64>>,
}

/// The process that serves.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) system: Orchestrator,
    pub(super) group: Group,
}

/// How a call ended, as its caller sees it.
pub(super) enum Answer<T> {
    /// It is done, and durable.
    Done(T),
    /// It was refused.
    Refused(Error),
    /// Nobody knows.
    Unknown,
}

impl<T> Answer<T> {
    /// How the story tells it.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Refused(_) => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Why it was refused.
    pub(super) fn code(&self) -> Value {
        match self {
            Self::Refused(error) => json!(error.code()),
            Self::Done(_) | Self::Unknown => Value::Null,
        }
    }
}

impl World {
    pub(super) fn new(plan: Plan) -> Arc<Self> {
        let chance = Mutex::new(Random::new(plan.seed ^ 0x0c4a_09ce));
        Arc::new(Self {
            plan,
            chance,
            scheduler: Scheduler::default(),
            clock: SimClock::default(),
            story: Mutex::default(),
            server: Mutex::default(),
            steps: AtomicU64::new(0),
            is_calm: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            known: Mutex::default(),
            callbacks: Mutex::default(),
            followed: AtomicU64::new(0),
            crashes_left: AtomicU64::new(MOST_CRASHES),
            is_to_crash: AtomicBool::new(false),
            troubles: AtomicU64::new(0),
            is_damaged: AtomicBool::new(false),
            faults: Mutex::default(),
        })
    }

    /// Draws something.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut lock(&self.chance))
    }

    /// Whether a fault happens that happens once in so many times, and counts it.
    pub(super) fn hits(&self, kind: &'static str, rate: impl FnOnce(&Faults) -> u64) -> bool {
        let rate = rate(&self.plan.faults);
        let hit = rate > 0 && !self.is_calm() && self.draw(|random| random.one_in(rate));
        if hit {
            self.count(kind);
        }
        hit
    }

    pub(super) fn count(&self, kind: &'static str) {
        *lock(&self.faults).entry(kind).or_default() += 1;
    }

    pub(super) fn faults(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.faults).clone()
    }

    pub(super) fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    pub(super) fn calm_down(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// Steps that were taken so far: the time of the story.
    pub(super) fn step(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    pub(super) fn next_step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds to the story.
    pub(super) fn tell(&self, mut what: Value) {
        if let Some(fields) = what.as_object_mut() {
            fields.insert("at".to_owned(), json!(self.step()));
        }
        lock(&self.story).push(what);
    }

    pub(super) fn story(&self) -> Vec<Value> {
        lock(&self.story).clone()
    }

    pub(super) fn set_server(&self, server: Option<Server>) {
        // The old one may look at the world while it goes.
        let old = std::mem::replace(&mut *lock(&self.server), server);
        drop(old);
    }

    pub(super) fn server(&self) -> Option<Server> {
        lock(&self.server).clone()
    }

    pub(super) fn followed(&self) -> u64 {
        self.followed.load(Ordering::Relaxed)
    }

    pub(super) fn follow_to(&self, position: u64) {
        self.followed.store(position, Ordering::Relaxed);
    }

    pub(super) fn know(&self, execution: ExecutionId) {
        let mut known = lock(&self.known);
        if !known.contains(&execution) {
            known.push(execution);
        }
    }

    pub(super) fn known(&self) -> Vec<ExecutionId> {
        lock(&self.known).clone()
    }

    pub(super) fn know_callback(&self, token: &str) {
        lock(&self.callbacks).insert(token.to_owned());
    }

    pub(super) fn forget_callback(&self, token: &str) {
        lock(&self.callbacks).remove(token);
    }

    pub(super) fn callbacks(&self) -> Vec<String> {
        lock(&self.callbacks).iter().cloned().collect()
    }

    fn maybe_crash(&self) {
        let left = self.crashes_left.load(Ordering::Relaxed);
        if left > 0 && self.hits("crash_in_call", |faults| faults.crash_in_call) {
            self.crashes_left.store(left - 1, Ordering::Relaxed);
            self.is_to_crash.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the process is to crash in the midst of a call; says so once.
    pub(super) fn take_crash(&self) -> bool {
        self.is_to_crash.swap(false, Ordering::Relaxed)
    }

    /// Somebody who asked at some step was told that the store cannot be read.
    pub(super) fn hear(&self, error: &Error, began: u64) {
        let Error::Store(error) = error else { return };
        self.troubles.fetch_add(1, Ordering::Relaxed);
        self.tell(json!({
            "call": "troubled", "began": began, "code": error.code(), "why": error.to_string(),
        }));
        self.hear_of_damage(error);
    }

    /// Whoever runs the system is told what the store says.
    pub(super) fn hear_of_damage(&self, error: &store::Error) {
        // Where a bit of its format has changed, a log seems to be of a newer program.
        if matches!(error, store::Error::Damaged { .. } | store::Error::NewerFormat { .. }) {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
    }

    /// Whether there is damage that nobody has done anything about; says so once.
    pub(super) fn take_damage(&self) -> bool {
        self.is_damaged.swap(false, Ordering::Relaxed)
    }

    /// How often somebody was told that the store cannot be read.
    pub(super) fn troubles(&self) -> u64 {
        self.troubles.load(Ordering::Relaxed)
    }

    /// Waits until there is a server.
    async fn reach(&self) -> Server {
        loop {
            if let Some(server) = self.server() {
                return server;
            }
            self.clock.rest(20).await;
        }
    }

    /// Asks the server for something, as over a network: the call is a task of its process and dies
    /// with it, and the caller may hang up.
    pub(super) async fn call<T, F>(&self, ask: impl FnOnce(Orchestrator) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let Server { system, group } = self.reach().await;
        let began = self.step();
        let (reply, answer) = oneshot::channel();
        let asked = ask(system);
        let task = self.scheduler.spawn(group, async move { drop(reply.send(asked.await)) });
        self.maybe_crash();
        let answered = if self.hits("hang_up", |faults| faults.hang_up) {
            let patience = self.clock.rest(self.draw(|random| random.below(40)));
            tokio::select! {
                biased;
                answered = answer => answered.ok(),
                () = patience => {
                    self.scheduler.abort(task);
                    None
                }
            }
        } else {
            answer.await.ok()
        };
        match answered {
            Some(Ok(done)) => Answer::Done(done),
            Some(Err(error)) if is_of_the_system(&error) => {
                self.hear(&error, began);
                Answer::Unknown
            }
            Some(Err(error)) => Answer::Refused(error),
            None => Answer::Unknown,
        }
    }
}

/// Whether an error says nothing about what was asked for: the process ends.
fn is_of_the_system(error: &Error) -> bool {
    matches!(error, Error::Stopping | Error::Failed { .. } | Error::Store(_))
}
