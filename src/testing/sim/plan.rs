//! What a seed stands for: which faults happen how often, and what clients will ask for.

use serde::Serialize;
use serde_json::{Value, json};

use super::orders::Order;
use crate::testing::generate;
use crate::testing::random::Random;

/// The workflows that clients start.
pub(super) const WORKFLOWS: &[&str] = &["w0", "w1", "w2"];
/// The workflow that states of others start.
pub(super) const CHILD: &str = "other";

/// A life, before it is lived. What is not said here hangs on the seed.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The seed of all chance within the life.
    pub seed: u64,
    /// How the system is set up.
    pub system: System,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// The seeds of the definitions, with those that come later.
    pub definitions: Vec<(String, u64)>,
    /// What clients do.
    pub actions: Vec<Action>,
    /// In which order steps are taken, where that is not drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// How a system is set up.
#[derive(Debug, Clone, Serialize)]
pub struct System {
    /// Shards.
    pub shards: usize,
    /// Commands that wait for a shard.
    pub shard_queue: usize,
    /// Batches that wait for the committer.
    pub commit_queue: usize,
    /// Decisions in a group commit.
    pub group_units: usize,
    /// Events between checkpoints.
    pub checkpoint_events: u64,
    /// Events of one decision.
    pub decision_events: usize,
    /// Jobs that run at once.
    pub running_jobs: usize,
    /// Executions that may be under way when another one begins one more.
    pub live_executions: usize,
    /// Hours after which executions that have ended are deleted; 0 for never.
    pub retention_hours: u64,
    /// Whether workers of other processes have jobs.
    pub remote: bool,
}

/// What goes wrong: numbers are "once in so many", and 0 is never.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Faults {
    /// Crashes in the life.
    pub crashes: u64,
    /// Calls in the midst of which the process crashes.
    pub crash_in_call: u64,
    /// Stops in order, in the life.
    pub stops: u64,
    /// Calls that their caller gives up.
    pub hang_up: u64,
    /// Steps in which the wall clock jumps.
    pub clock_jump: u64,
    /// Milliseconds that the store takes at most, where it takes any.
    pub slow_store: u64,
    /// Processes in which the disk is full from some moment on.
    pub full_disk: u64,
    /// Processes in which the power goes off in the midst of work on the disk.
    pub power_off: u64,
    /// Processes in which a sync fails after the write.
    pub failing_sync: u64,
    /// Checkpoints that fail.
    pub failing_checkpoint: u64,
    /// Jobs that fail.
    pub failing_job: u64,
    /// Jobs whose worker hangs until it is told to stop.
    pub hanging_job: u64,
    /// Jobs whose worker does not stop when told.
    pub deaf_worker: u64,
    /// Jobs with which a worker afar vanishes.
    pub worker_death: u64,
    /// Results that a worker afar brings twice.
    pub twice: u64,
    /// Results that come after the lease has lapsed.
    pub late: u64,
    /// Results with a token that was never given out.
    pub forged: u64,
    /// Callbacks that never come by themselves.
    pub lost_callback: u64,
    /// Steps from which on the disk cannot be read for a while.
    pub failing_reads: u64,
    /// Steps in which a bit of what is on the disk becomes another.
    pub bit_rot: u64,
}

impl Faults {
    /// Every kind of fault, to be switched off one at a time.
    pub(super) fn kinds(&mut self) -> [(&'static str, &mut u64); 20] {
        [
            ("crashes", &mut self.crashes),
            ("crash_in_call", &mut self.crash_in_call),
            ("stops", &mut self.stops),
            ("hang_up", &mut self.hang_up),
            ("clock_jump", &mut self.clock_jump),
            ("slow_store", &mut self.slow_store),
            ("full_disk", &mut self.full_disk),
            ("power_off", &mut self.power_off),
            ("failing_sync", &mut self.failing_sync),
            ("failing_checkpoint", &mut self.failing_checkpoint),
            ("failing_job", &mut self.failing_job),
            ("hanging_job", &mut self.hanging_job),
            ("deaf_worker", &mut self.deaf_worker),
            ("worker_death", &mut self.worker_death),
            ("twice", &mut self.twice),
            ("late", &mut self.late),
            ("forged", &mut self.forged),
            ("lost_callback", &mut self.lost_callback),
            ("failing_reads", &mut self.failing_reads),
            ("bit_rot", &mut self.bit_rot),
        ]
    }
}

/// Something that a client asks for.
#[derive(Debug, Clone, Serialize)]
pub struct Action {
    /// Which client.
    pub client: usize,
    /// How long it waits before, in milliseconds.
    pub wait: u64,
    /// What.
    pub what: What,
    /// Chance for what is not said: which execution, which input.
    pub pick: u64,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum What {
    Start,
    StartNamed,
    Cancel,
    ForceCancel,
    Pause,
    Resume,
    Redrive,
    Rerun,
    Delete,
    SkipBackoff,
    ChangeMapRun,
    PauseWorkflow,
    ResumeWorkflow,
    PauseJobType,
    ResumeJobType,
    Deploy,
    Show,
    Inspect,
    Checkpoint,
    Compact,
}

/// How often each is drawn.
const WEIGHTS: &[(What, u64)] = &[
    (What::Start, 12),
    (What::StartNamed, 8),
    (What::Cancel, 6),
    (What::ForceCancel, 3),
    (What::Pause, 4),
    (What::Resume, 3),
    (What::Redrive, 5),
    (What::Rerun, 1),
    (What::Delete, 4),
    (What::SkipBackoff, 2),
    (What::ChangeMapRun, 2),
    (What::PauseWorkflow, 1),
    (What::ResumeWorkflow, 2),
    (What::PauseJobType, 1),
    (What::ResumeJobType, 2),
    (What::Deploy, 1),
    (What::Show, 8),
    (What::Inspect, 1),
    (What::Checkpoint, 1),
    (What::Compact, 1),
];

impl Plan {
    /// What `seed` stands for.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5eed_0011_11fe);
        let system = draw_system(&mut random);
        let mut faults = draw_faults(&mut random);
        draw_decay(&mut Random::new(seed ^ 0x5eed_dec4_7000), &mut faults);
        let mut names: Vec<String> = WORKFLOWS.iter().map(|name| (*name).to_owned()).collect();
        if !random.one_in(8) {
            names.push(CHILD.to_owned());
        }
        let definitions = names.into_iter().map(|name| (name, random.draw())).collect();
        let actions = draw_actions(&mut random);
        Self { seed, system, faults, definitions, actions, order: None }
    }
}

fn draw_system(random: &mut Random) -> System {
    let mut few = |most: u64, usual: usize| {
        let small = usize::try_from(1 + random.below(most)).unwrap_or(1);
        if random.one_in(2) { small } else { usual }
    };
    System {
        shards: few(3, 2),
        shard_queue: few(4, 64),
        commit_queue: few(3, 16),
        group_units: few(6, 4096),
        checkpoint_events: few(60, 400) as u64,
        decision_events: few(6, 512),
        running_jobs: few(5, 64),
        live_executions: few(20, 100_000),
        retention_hours: if few(5, 0) == 1 { 2 } else { 0 },
        remote: few(2, 1) == 1,
    }
}

/// Each kind is off in half of the lives, so that one does not hide what another finds.
fn draw_faults(random: &mut Random) -> Faults {
    let mut faults = Faults::default();
    for (kind, rate) in faults.kinds() {
        let drawn = match kind {
            "crashes" => 1 + random.below(4),
            "stops" => 1 + random.below(2),
            "clock_jump" => 200 + random.below(2000),
            "slow_store" => 1 + random.below(40),
            "full_disk" | "power_off" | "failing_sync" => 2 + random.below(2),
            "crash_in_call" => 8 + random.below(60),
            "failing_reads" | "bit_rot" => continue,
            "hang_up" => 4 + random.below(12),
            _ => 2 + random.below(8),
        };
        *rate = if random.one_in(2) { drawn } else { 0 };
    }
    faults
}

/// The kinds that came later have chance of their own, so that without them a seed stays what it was.
/// Each is off in three of four lives.
fn draw_decay(random: &mut Random, faults: &mut Faults) {
    for rate in [&mut faults.failing_reads, &mut faults.bit_rot] {
        let drawn = 60 + random.below(1200);
        *rate = if random.one_in(4) { drawn } else { 0 };
    }
}

fn draw_actions(random: &mut Random) -> Vec<Action> {
    let clients = 1 + random.index(4);
    let count = 8 + random.index(28);
    let all: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let hurry = 1 + random.below(2000);
    let draw = |random: &mut Random| {
        let mut left = random.below(all);
        let drawn = WEIGHTS.iter().find(|(_, weight)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit
        });
        drawn.map_or(What::Start, |(what, _)| *what)
    };
    (0..count)
        .map(|index| Action {
            client: random.index(clients),
            wait: random.below(hurry),
            // There must be something to do the rest to.
            what: if index < 3 { What::Start } else { draw(random) },
            pick: random.draw(),
        })
        .collect()
}

/// The definition of a seed, without what needs files: those are no part of the simulation.
pub(super) fn definition(name: &str, seed: u64) -> Value {
    let mut random = Random::new(seed);
    loop {
        let mut drawn = generate::definition(random.draw());
        // A child that starts children would never end.
        if name == CHILD && drawn.to_string().contains("startExecution") {
            continue;
        }
        without_files(&mut drawn);
        return drawn;
    }
}

fn without_files(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_files),
        Value::Object(fields) => {
            fields.shift_remove("ResultWriter");
            if let Some(reader) = fields.shift_remove("ItemReader") {
                let (key, items) = match reader.get("Arguments") {
                    Some(_) => ("Items", json!("{% [1, 2] %}")),
                    None => ("ItemsPath", json!("$.items")),
                };
                fields.insert(key.to_owned(), items);
            }
            fields.values_mut().for_each(without_files);
        }
        _ => {}
    }
}
