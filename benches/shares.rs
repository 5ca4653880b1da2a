//! Where the time of an execution goes: deciding, evaluating expressions, committing, and what is
//! left for channels and threads. Each part is measured alone, on one core, and set beside what the
//! whole system needs for the same executions.

use std::time::{Duration, Instant};

use everstep::engine::{
    DecisionInput, EngineLimits, Event, Execution, ExecutionId, Mint, Program, StartExecution,
    Timestamp, decide,
};
use everstep::language::{self, Format};
use everstep::store::{EventStore, SledOptions, SledStore, Transition};

use crate::chain::input;
use crate::control::measure_passes;
use crate::disk::{Folder, row_time};
use crate::report::row;

/// Executions in a group, as at 512 outstanding.
const GROUP: u64 = 512;

/// What the states of a chain do.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    JsonPath,
    Jsonata,
}

/// Five Pass states in a row.
fn definition(kind: Kind) -> String {
    let flow = match kind {
        Kind::Plain => "",
        Kind::JsonPath => {
            r#""Parameters":{"path.$":"$.path","count.$":"States.MathAdd($.count, 1)"},"#
        }
        Kind::Jsonata => {
            r#""QueryLanguage":"JSONata","Output":{"path":"{% $states.input.path %}","count":"{% $states.input.count + 1 %}"},"#
        }
    };
    let states: Vec<String> = (1..=5)
        .map(|n| {
            let next =
                if n == 5 { r#""End":true"#.to_owned() } else { format!(r#""Next":"P{}""#, n + 1) };
            format!(r#""P{n}":{{"Type":"Pass",{flow}{next}}}"#)
        })
        .collect();
    format!(r#"{{"StartAt":"P1","States":{{{}}}}}"#, states.join(","))
}

pub fn run() {
    let plain = decided(Kind::Plain);
    let commit = committed();
    let whole = cores() / measure_passes(&definition(Kind::Plain));
    let share = |part: f64| format!("{:.1} us ({:.0} %)", part * 1e6, 100.0 * part / whole);
    row(
        "5 Pass states: core time of an execution",
        &[
            ("all", format!("{:.1} us", whole * 1e6)),
            ("engine", share(plain)),
            ("commit", share(commit)),
            ("channels and threads", share((whole - plain - commit).max(0.0))),
        ],
    );
    for (name, kind) in [("JSONPath", Kind::JsonPath), ("JSONata", Kind::Jsonata)] {
        let language = (decided(kind) - plain).max(0.0);
        let whole = cores() / measure_passes(&definition(kind));
        row(
            &format!("the same with two {name} expressions a state"),
            &[
                ("all", format!("{:.1} us", whole * 1e6)),
                (
                    "language",
                    format!("{:.1} us ({:.0} %)", language * 1e6, 100.0 * language / whole),
                ),
                ("one expression", format!("{:.2} us", language * 1e6 / 10.0)),
            ],
        );
    }
}

fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1, usize::from) as f64
}

fn program(kind: Kind) -> Program {
    let options = language::Options::default();
    Program::new(language::parse(&definition(kind), Format::Json, &options).unwrap())
}

/// All events of one execution.
fn events(program: &Program, limits: &EngineLimits, mint: &Mint, id: u64) -> Vec<Event> {
    let mut execution = Execution::new(stream(id));
    let command = StartExecution::new("pass", program.workflow.hash, input()).into();
    let now = Timestamp(1_700_000_000_000);
    let events =
        decide(DecisionInput { program, now, seed: id, limits, mint }, &mut execution, command);
    assert_eq!(execution.status.as_str(), "completed");
    events.unwrap()
}

fn stream(id: u64) -> ExecutionId {
    let random = (id | 1 << 63).to_be_bytes();
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&random);
    ExecutionId(uuid::Builder::from_unix_timestamp_millis(1_700_000_000_000, &bytes).into_uuid())
}

/// Seconds of one core that deciding one execution takes.
fn decided(kind: Kind) -> f64 {
    let (program, limits, mint) = (program(kind), EngineLimits::default(), Mint::new([1; 32]));
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < row_time() / 4 {
        for _ in 0..100 {
            count += 1;
            std::hint::black_box(events(&program, &limits, &mint, count));
        }
    }
    began.elapsed().as_secs_f64() / count as f64
}

/// Seconds of processor time that committing one execution in a full group takes; the disk's own
/// time is left out, for the processor has other work then.
fn committed() -> f64 {
    let (program, limits, mint) =
        (program(Kind::Plain), EngineLimits::default(), Mint::new([1; 32]));
    let folder = Folder::new("shares");
    let store = SledStore::open(folder.path(), SledOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let epoch = runtime.block_on(store.acquire()).unwrap();
    let (mut count, mut spent) = (0, Duration::ZERO);
    let began = Instant::now();
    while began.elapsed() < row_time() {
        let group: Vec<Transition> = (0..GROUP)
            .map(|_| {
                count += 1;
                Transition {
                    stream: stream(count).0,
                    first_sequence: 1,
                    time: Timestamp(1_700_000_000_000),
                    events: events(&program, &limits, &mint, count),
                }
            })
            .collect();
        let before = processor_time();
        runtime.block_on(store.append(epoch, group)).unwrap();
        spent += processor_time().saturating_sub(before);
    }
    spent.as_secs_f64() / count as f64
}

/// What this thread has used of the processors.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let this_thread: u64 = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(this_thread)
}
