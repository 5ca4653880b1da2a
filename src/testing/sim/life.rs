//! A life: processes that come and go over one disk, while clients and workers use what is there;
//! then peace, in which everything must come to its end; then the judgement.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::calm::bring_to_an_end;
use super::clients::{deploy, follow, list, send_clients, show};
use super::disk::Disk;
use super::inspect::inspect;
use super::oracle;
use super::orders::Turns;
use super::plan::Plan;
use super::scheduler::{Group, OUTSIDE, lock};
use super::workers::{registry, send_workers};
use super::world::{Server, World};
use crate::engine::EngineLimits;
use crate::runtime::{Error, Limits, Orchestrator};
use crate::testing::SeededIds;
use crate::testing::random::Random;

/// Steps after which clients must have got what they asked for.
const CHAOS: u64 = 60_000;
/// Steps in which everything must come to its end once nothing goes wrong any more.
const PATIENCE: u64 = 150_000;

/// Looks after which everything must have been read.
const LOOKS: usize = 3;

/// Turns in which nobody can do anything, after which nobody ever will.
const IDLE: u64 = 1000;

/// What a life was like.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What must always be so and was not.
    pub fault: Option<String>,
    /// What everybody saw, in order.
    pub story: Vec<Value>,
    /// A digest of all that happened: the same in every life of the same plan.
    pub digest: u64,
    /// Figures.
    pub counts: Counts,
    /// How many could have taken each step before peace, where the order was told.
    pub widths: Vec<usize>,
}

/// How much happened.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Steps of tasks.
    pub steps: u64,
    /// Milliseconds of virtual time.
    pub virtual_ms: u64,
    /// Processes after the first.
    pub restarts: u64,
    /// Executions in the log.
    pub executions: u64,
    /// Events in the log.
    pub events: u64,
    /// Commands that were acknowledged.
    pub acknowledged: u64,
    /// Faults, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// A life as it goes on.
struct Life {
    world: Arc<World>,
    random: Random,
    disk: Disk,
    opened: u64,
    /// Whose turn it is, where that is not drawn.
    turns: Option<Turns>,
    /// Turns since anybody could do anything.
    idle: u64,
    /// The process that is there, from its opening on.
    process: Option<Process>,
}

/// What is known of a process from outside.
struct Process {
    group: Group,
    state: Arc<Mutex<State>>,
    /// Whether it has been said that its store failed.
    is_failing: bool,
    /// When it is to be ended, and how.
    end_at: Option<(u64, End)>,
}

#[derive(Default)]
struct State {
    open: Option<Orchestrator>,
    failed: Option<String>,
    stopped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Crash,
    Stop,
}

/// Lives a life.
#[must_use]
pub fn live(plan: &Plan) -> Outcome {
    let world = World::new(plan.clone());
    let random = Random::new(plan.seed ^ 0x57e9);
    let (disk, turns) = (Disk::new(plan.seed), plan.order.clone().map(Turns::new));
    let mut life =
        Life { world: world.clone(), random, disk, opened: 0, turns, idle: 0, process: None };
    let fault = life.run().err();
    let mut counts = life.counts();
    let story = world.story();
    let log = life.log();
    life.end_process();
    let judged = fault.map_or_else(|| oracle::judge(&story, &log), Err);
    counts.events = log.len() as u64;
    let begun = |record: &&Value| record.pointer("/event/ExecutionStarted").is_some();
    counts.executions = log.iter().filter(begun).count() as u64;
    let done = |told: &&Value| {
        told.get("outcome") == Some(&json!("done")) && told.get("call") != Some(&json!("show"))
    };
    counts.acknowledged = story.iter().filter(done).count() as u64;
    let widths = life.turns.map(|turns| turns.widths).unwrap_or_default();
    Outcome { fault: judged.err(), digest: digest(&story, &log, &counts), story, counts, widths }
}

fn digest(story: &[Value], log: &[Value], counts: &Counts) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in story.iter().chain(log) {
        value.to_string().hash(&mut hasher);
    }
    (counts.steps, counts.virtual_ms).hash(&mut hasher);
    hasher.finish()
}

impl Life {
    fn run(&mut self) -> Result<(), String> {
        let faults = &self.world.plan.faults;
        let mut ends = vec![End::Crash; usize::try_from(faults.crashes).unwrap_or(0)];
        ends.resize(ends.len() + usize::try_from(faults.stops).unwrap_or(0), End::Stop);
        self.send_everybody();
        let mut rest = 0;
        while self.world.busy.load(Ordering::Relaxed) > 0 || rest > 0 {
            if self.world.busy.load(Ordering::Relaxed) > 0 {
                // Some more after the last word, so that a crash finds work under way.
                rest = 200;
            }
            rest -= 1;
            self.see_to_the_process(&mut ends)?;
            self.turn()?;
            if self.world.step() > CHAOS {
                return Err(format!("after {CHAOS} steps clients still wait for answers"));
            }
        }
        self.make_peace()?;
        self.look_once_more()
    }

    fn send_everybody(&self) {
        let world = self.world.clone();
        world.busy.fetch_add(1, Ordering::Relaxed);
        self.world.scheduler.spawn(OUTSIDE, async move {
            for (name, seed) in &world.plan.definitions {
                deploy(&world, name, *seed).await;
            }
            send_workers(&world);
            send_clients(&world);
            world.busy.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// One step of somebody, or time passes until somebody can take one.
    fn turn(&mut self) -> Result<(), String> {
        let step = self.world.next_step();
        self.disk.go_on(&self.world);
        let rate = self.world.plan.faults.clock_jump;
        if rate > 0 && !self.world.is_calm() && self.random.one_in(rate) {
            self.world.count("clock_jump");
            let most = if self.random.one_in(4) { 40 * 24 * 3_600_000 } else { 20_000 };
            let (ms, back) = (self.random.below(most), self.random.one_in(2));
            self.world.clock.jump(ms, back);
            self.world.tell(json!({"world": "the clock jumps", "ms": ms, "back": back}));
        }
        if self.step() {
            self.idle = 0;
            return Ok(());
        }
        if self.world.clock.pass_until_somebody_wakes() {
            return Ok(());
        }
        // A process that has failed may be all that there is, until it is ended.
        self.idle += 1;
        if self.idle < IDLE {
            return Ok(());
        }
        Err(format!("step {step}: nobody has anything to do, and nobody sleeps"))
    }

    /// Whether somebody could take a step.
    fn step(&mut self) -> bool {
        if let Some(turns) = self.turns.as_mut().filter(|_| !self.world.is_calm()) {
            return self.world.scheduler.step(|ready| turns.choose(ready)).is_some();
        }
        let random = &mut self.random;
        let draw = |ready: &BTreeSet<_>| ready.iter().nth(random.index(ready.len())).copied();
        let stepped = self.world.scheduler.step(draw).is_some();
        if stepped && self.random.one_in(16) {
            self.world.clock.pass(1 + self.random.below(3));
        }
        stepped
    }

    fn open(&mut self) {
        self.opened += 1;
        let group = Group(self.opened);
        self.world.tell(json!({"world": "a process begins", "process": self.opened}));
        let state = Arc::new(Mutex::new(State::default()));
        let process = Process { group, state: state.clone(), is_failing: false, end_at: None };
        self.process = Some(process);
        let store = match self.disk.open(&self.world) {
            Ok(store) => store,
            Err(error) => return refused(&self.world, &state, &error.into()),
        };
        let builder = Orchestrator::builder()
            .registry(registry(&self.world))
            .limits(limits(&self.world.plan))
            .shards(self.world.plan.system.shards)
            .clock(Arc::new(self.world.clock.clone()))
            .ids(Arc::new(SeededIds::new(self.world.plan.seed ^ (self.opened << 40))))
            .remote_workers(self.world.plan.system.remote)
            .tasks(self.world.scheduler.of_group(group));
        let world = self.world.clone();
        self.world.scheduler.spawn(group, async move {
            match builder.open_store(store).await {
                Ok(system) => {
                    lock(&state).open = Some(system.clone());
                    world.tell(json!({"world": "it serves", "position": system.last_position()}));
                    world.set_server(Some(Server { system: system.clone(), group }));
                    world.scheduler.spawn(group, follow(world.clone(), system.clone()));
                    let why = system.failed().await.to_string();
                    lock(&state).failed = Some(why);
                }
                Err(error) => refused(&world, &state, &error),
            }
        });
    }

    /// Opens a process when there is none, and ends it when its time has come.
    fn see_to_the_process(&mut self, ends: &mut Vec<End>) -> Result<(), String> {
        let step = self.world.step();
        let Some(process) = &mut self.process else {
            self.open();
            if let (Some(process), false) = (&mut self.process, ends.is_empty()) {
                let end = ends.swap_remove(self.random.index(ends.len()));
                process.end_at = Some((step + self.random.below(2500), end));
            }
            let told = self.world.plan.order.as_ref().and_then(|order| order.end);
            if let (Some(process), Some((at, stops)), 1) = (&mut self.process, told, self.opened) {
                process.end_at = Some((at, if stops { End::Stop } else { End::Crash }));
            }
            return Ok(());
        };
        let (failed, stopped) = {
            let state = lock(&process.state);
            (state.failed.clone(), state.stopped)
        };
        if let Some(why) = failed.filter(|_| !process.is_failing) {
            process.is_failing = true;
            process.end_at = Some((step + self.random.below(300), End::Crash));
            self.world.tell(json!({"world": "its store has failed", "why": why}));
        }
        if self.world.take_damage() {
            let is_true = self.disk.hear_of_damage(&self.world);
            if self.world.is_calm() && !is_true {
                return Err("there is said to be damage where there is none".to_owned());
            }
            // Somebody who runs it ends it, in peace at once.
            let soon = if self.world.is_calm() { step } else { step + 50 };
            let at = process.end_at.map_or(soon, |(at, _)| at.min(soon));
            process.end_at = Some((at, End::Crash));
        }
        if self.world.take_crash() && !self.world.is_calm() {
            process.end_at = Some((step + self.random.below(40), End::Crash));
        }
        if stopped {
            self.end_process();
        } else if let Some((_, end)) = process.end_at.filter(|(at, _)| *at <= step) {
            process.end_at = None;
            match end {
                End::Crash => {
                    self.world.count("crashes");
                    self.world.tell(json!({"world": "a crash"}));
                    self.end_process();
                }
                End::Stop => self.stop(),
            }
        }
        Ok(())
    }

    /// Asks the process to stop in order; a crash takes its place where it has not opened yet.
    fn stop(&mut self) {
        let Some(process) = &self.process else { return };
        let (state, group) = (process.state.clone(), process.group);
        let Some(system) = lock(&state).open.clone() else { return self.end_process() };
        self.world.count("stops");
        self.world.tell(json!({"world": "a stop"}));
        self.world.scheduler.spawn(group, async move {
            drop(system.stop().await);
            lock(&state).stopped = true;
        });
    }

    /// All of the process is gone.
    fn end_process(&mut self) {
        self.world.set_server(None);
        if let Some(process) = self.process.take() {
            self.world.scheduler.kill(process.group);
            lock(&process.state).open = None;
            self.disk.crash(&self.world);
        }
    }

    /// Runs until `done`, with a process that is opened anew when it ends.
    fn run_until(&mut self, done: &Mutex<bool>, what: &str) -> Result<(), String> {
        let last = self.world.step() + PATIENCE;
        while !*lock(done) {
            self.see_to_the_process(&mut Vec::new())?;
            self.turn()?;
            if self.world.step() > last {
                return Err(format!("{PATIENCE} steps were not enough: {what}"));
            }
        }
        Ok(())
    }

    fn run_outside<F>(&mut self, what: &str, task: F) -> Result<(), String>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let done = Arc::new(Mutex::new(false));
        let is_done = done.clone();
        self.world.scheduler.spawn(OUTSIDE, async move {
            task.await;
            *lock(&is_done) = true;
        });
        self.run_until(&done, what)
    }

    /// Nothing goes wrong any more, and everything must come to its end.
    fn make_peace(&mut self) -> Result<(), String> {
        self.world.calm_down();
        self.world.clock.set_right();
        self.disk.mend(&self.world);
        self.world.tell(json!({"world": "peace"}));
        if self.process.as_ref().is_some_and(|process| process.is_failing) || self.random.one_in(2)
        {
            self.end_process();
        }
        let world = self.world.clone();
        self.run_outside("bringing everything to its end", async move {
            bring_to_an_end(&world).await;
        })
    }

    /// The next process must tell the same.
    fn look_once_more(&mut self) -> Result<(), String> {
        self.look()?;
        self.end_process();
        self.look()
    }

    /// Looks at everything, and again where there was damage: then the copy has been put back.
    fn look(&mut self) -> Result<(), String> {
        for _ in 0..LOOKS {
            let (world, before) = (self.world.clone(), self.world.troubles());
            self.run_outside("looking at everything", async move {
                for id in world.known() {
                    show(&world, id).await;
                }
                inspect(&world).await;
                list(&world).await;
            })?;
            if self.world.troubles() == before {
                return Ok(());
            }
        }
        Err(format!("{LOOKS} times not everything could be read in peace"))
    }

    /// The whole log, as people read it.
    fn log(&mut self) -> Vec<Value> {
        let mut log = Vec::new();
        for _ in 0..LOOKS {
            let before = self.world.troubles();
            log = self.read_log();
            if self.world.troubles() == before {
                break;
            }
        }
        log
    }

    fn read_log(&mut self) -> Vec<Value> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (world, taken) = (self.world.clone(), log.clone());
        let read = self.run_outside("reading the log", async move {
            let read = |system: Orchestrator| async move { system.log(1, usize::MAX).await };
            if let super::world::Answer::Done(records) = world.call(read).await {
                let records = records.iter().filter_map(|record| serde_json::to_value(record).ok());
                *lock(&taken) = records.collect();
            }
        });
        drop(read);
        std::mem::take(&mut *lock(&log))
    }

    fn counts(&self) -> Counts {
        Counts {
            steps: self.world.step(),
            virtual_ms: self.world.clock.passed(),
            restarts: self.opened.saturating_sub(1),
            faults: self.world.faults(),
            ..Counts::default()
        }
    }
}

/// A process that does not open says why.
fn refused(world: &World, state: &Mutex<State>, error: &Error) {
    world.tell(json!({
        "world": "it does not open", "code": error.code(), "why": error.to_string(),
    }));
    if let Error::Store(error) = error {
        world.hear_of_damage(error);
    }
    lock(state).failed = Some(error.to_string());
}

fn limits(plan: &Plan) -> Limits {
    let system = &plan.system;
    let engine =
        EngineLimits { decision_events: system.decision_events, ..EngineLimits::default() };
    let hours = system.retention_hours;
    Limits {
        engine,
        live_executions: system.live_executions,
        running_jobs: system.running_jobs,
        shard_queue: system.shard_queue,
        commit_queue: system.commit_queue,
        group_units: system.group_units,
        checkpoint_events: system.checkpoint_events,
        retention: (hours > 0).then(|| Duration::from_hours(hours)),
        // Longer than any life, so that what was deleted can be told.
        keep_tombstones: Duration::from_hours(24 * 365 * 10),
        ..Limits::default()
    }
}
