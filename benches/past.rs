//! Time travel: an execution as it was after one of its events, in a history of 100,000.

use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use everstep::engine::{
    Command, DecisionInput, EngineLimits, Execution, ExecutionId, JobId, Mint, Program,
    StartExecution, Timestamp, Token, decide,
};
use everstep::language::{self, Format, Json, Options};
use everstep::runtime::Archive;
use everstep::store::{EventStore, SledOptions, SledStore, Transition};
use everstep::view::Card;

use crate::disk::Folder;
use crate::report::{ms, percentile, row};

const EVENTS: u64 = 100_000;

/// A loop of one Task, which never ends.
const LOOP: &str = r#"{"StartAt":"Work","States":{
  "Work":{"Type":"Task","Resource":"work","ResultPath":"$.last","Next":"Again"},
  "Again":{"Type":"Choice","Choices":[{"Variable":"$.stop","IsPresent":true,"Next":"Done"}],
    "Default":"Work"},
  "Done":{"Type":"Succeed"}}}"#;

pub fn run() {
    // How many transitions share a commit: of a system with much to do, and of one with little.
    for at_once in [64, 1] {
        let folder = Folder::new("past");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let id = runtime.block_on(fill(folder.path(), at_once));
        runtime.block_on(library(folder.path(), id, at_once));
        program(folder.path(), id, at_once);
    }
}

/// What happens in a loop, decided as the engine decides.
struct Looping {
    program: Program,
    execution: Execution,
    limits: EngineLimits,
}

impl Looping {
    fn decide(&mut self, command: Command) -> Vec<everstep::engine::Event> {
        let input = DecisionInput {
            program: &self.program,
            now: Timestamp(1_700_000_000_000 + self.execution.sequence * 50),
            seed: 7,
            limits: &self.limits,
            mint: &Mint::new([7; 32]),
        };
        decide(input, &mut self.execution, command).unwrap()
    }

    /// The next transition: a start with what it owes, a report, or a result with the next start.
    fn next(&mut self) -> Transition {
        let first_sequence = self.execution.sequence + 1;
        let open = self.execution.jobs.iter().next().map(|(id, job)| (*id, job.clone()));
        let mut events = match open {
            None => {
                let input = Json::parse(r#"{"path":"/data/inbox","count":42}"#).unwrap();
                let start = StartExecution::new("loop", self.program.workflow.hash, input);
                self.decide(start.into())
            }
            Some((job, open)) if open.percent.is_none() => self.decide(Command::ReportProgress {
                job,
                token: open.token.unwrap(),
                percent: Some(50),
                message: Some("half of the files are read".into()),
                processed: Some(50),
                total: Some(100),
            }),
            Some((job, open)) => self.decide(Command::CompleteJob {
                job,
                token: open.token.unwrap(),
                output: Json::parse(r#"{"files":100,"bytes":123456}"#).unwrap(),
                errors: 0,
            }),
        };
        let pending = self.execution.jobs.iter().find(|(_, job)| job.token.is_none());
        if let Some((job, attempt)) = pending.map(|(id, job)| (*id, job.attempt)) {
            let token = Token([u8::try_from(job.0 % 251).unwrap(); 16]);
            events.extend(self.decide(Command::StartJob {
                job,
                attempt,
                worker: "w".into(),
                token,
            }));
        }
        let (stream, time) = (self.execution.stream(), self.execution.updated_at);
        Transition { stream, first_sequence, time, events }
    }
}

async fn fill(path: &Path, at_once: usize) -> ExecutionId {
    {
        // So that the definition is there.
        let everstep = everstep::runtime::Orchestrator::builder().open(path).await.unwrap();
        everstep.deploy("loop", LOOP, Format::Json).await.unwrap();
        everstep.stop().await.unwrap();
    }
    let workflow = language::parse(LOOP, Format::Json, &Options::default()).unwrap();
    let id = ExecutionId(uuid::Uuid::from_u128(0x0190_1111_2222_7333_8444_5555_6666_7777));
    let (program, execution) = (Program::new(workflow), Execution::new(id));
    let mut looping = Looping { program, execution, limits: EngineLimits::default() };
    let store = SledStore::open(path, SledOptions::default()).unwrap();
    let epoch = store.acquire().await.unwrap();
    while looping.execution.sequence < EVENTS {
        let batch = (0..at_once).map(|_| looping.next()).collect();
        store.append(epoch, batch).await.unwrap();
    }
    assert!(looping.execution.jobs.contains_key(&JobId(looping.execution.job_count)));
    drop(store);
    // As a system leaves it that stops in order, with a checkpoint.
    let everstep = everstep::runtime::Orchestrator::builder().open(path).await.unwrap();
    everstep.stop().await.unwrap();
    id
}

/// Moments all over the history, none twice.
fn moments(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(move |n| (n * 7919 * EVENTS / count) % EVENTS + 1)
}

async fn library(path: &Path, id: ExecutionId, at_once: usize) {
    let store = Arc::new(SledStore::open(path, SledOptions::default()).unwrap());
    let archive = Archive::open(store).await.unwrap();
    let mut times = Vec::new();
    for at in moments(40) {
        let began = Instant::now();
        let then = archive.execution_at(id, at).await.unwrap();
        let program = archive.program(then.definition).unwrap();
        let card = Card::of(&program, &then, then.updated_at);
        assert_eq!(card.sequence, at);
        times.push(began.elapsed());
    }
    print("library", at_once, times);
}

/// The program anew for each moment, with no engine running.
fn program(path: &Path, id: ExecutionId, at_once: usize) {
    let program = env!("CARGO_BIN_EXE_everstep");
    let mut times = Vec::new();
    for at in moments(20) {
        let began = Instant::now();
        let shown = Process::new(program)
            .args(["show", &id.to_string(), "--json", "--at", &at.to_string(), "--data"])
            .arg(path)
            .output()
            .unwrap();
        times.push(began.elapsed());
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    }
    print("show --at, no engine", at_once, times);
}

fn print(what: &str, at_once: usize, mut times: Vec<Duration>) {
    let first = times.first().copied().unwrap_or_default();
    times.sort();
    row(
        &format!("{what}, {at_once} transitions a commit"),
        &[
            ("p50", ms(percentile(&times, 0.5))),
            ("p99", ms(percentile(&times, 0.99))),
            ("first", ms(first)),
        ],
    );
}
