//! A herd: 100,000 timers due at the same moment, while others want to be served.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use everstep::engine::Event;
use everstep::language::{Format, Json};
use everstep::runtime::{Filter, Orchestrator};
use everstep::worker::Registry;

use crate::chain::Noop;
use crate::disk::Folder;
use crate::many;
use crate::report::{ms, percentile, rate, row};

const HERD: usize = 100_000;
/// When they are due, after the first was started.
const AHEAD: Duration = Duration::from_secs(15);

/// They wait until a moment, and then each has a job.
const WAITING: &str = r#"{"StartAt": "Until", "States": {
    "Until": {"Type": "Wait", "TimestampPath": "$.due", "Next": "Work"},
    "Work": {"Type": "Task", "Resource": "noop", "End": true}}}"#;
/// What others want meanwhile.
const OTHER: &str = r#"{"StartAt": "Work", "States": {
    "Work": {"Type": "Task", "Resource": "other", "End": true}}}"#;

pub fn run() {
    let folder = Folder::new("herd");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut registry = Registry::new();
        registry.register("noop", Arc::new(Noop), 256);
        registry.register("other", Arc::new(Noop), 16);
        let everstep =
            Orchestrator::builder().registry(registry).open(folder.path()).await.unwrap();
        everstep.deploy("waiting", WAITING, Format::Json).await.unwrap();
        everstep.deploy("other", OTHER, Format::Json).await.unwrap();
        let due = SystemTime::now() + AHEAD;
        fill(&everstep, due).await;
        let left = due.duration_since(SystemTime::now()).expect("they were started in time");
        tokio::time::sleep(left.saturating_sub(Duration::from_secs(2))).await;
        measure("before they are due", &everstep, Duration::from_secs(1)).await;
        let herd = tokio::spawn(follow(everstep.clone(), due));
        let left = due.duration_since(SystemTime::now()).unwrap_or_default();
        tokio::time::sleep(left).await;
        measure("while they come", &everstep, Duration::from_secs(2)).await;
        let (fired, ended) = herd.await.unwrap();
        row(
            &format!("{HERD} timers due at once"),
            &[
                ("all fired after", ms(fired)),
                ("all done after", ms(ended)),
                ("jobs", rate(HERD as u64, ended)),
            ],
        );
        everstep.stop().await.unwrap();
    });
}

async fn fill(everstep: &Orchestrator, due: SystemTime) {
    let seconds = due.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let due = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
    let input = Json::parse(&format!(r#"{{"due":"{due}"}}"#)).unwrap();
    many::start(everstep, "waiting", &input, HERD).await;
}

/// How long after they were due all timers had fired, and all executions had ended.
async fn follow(everstep: Orchestrator, due: SystemTime) -> (Duration, Duration) {
    let mut events = everstep.events(everstep.last_position() + 1, None);
    let (mut fired, mut ended) = (0, 0);
    let mut all_fired = Duration::ZERO;
    while ended < HERD {
        let record = events.next().await.unwrap();
        match &*record.event {
            Event::WaitEnded { .. } => fired += 1,
            Event::ExecutionCompleted(_) => ended += 1,
            _ => {}
        }
        if fired == HERD && all_fired.is_zero() {
            all_fired = due.elapsed().unwrap();
        }
    }
    (all_fired, due.elapsed().unwrap())
}

/// Starts, whole executions and lists, one of each after the other.
async fn measure(label: &str, everstep: &Orchestrator, long: Duration) {
    let (mut starts, mut wholes, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed() < long || starts.is_empty() {
        let each = Instant::now();
        let id = everstep.start("other", Json::parse("1").unwrap()).await.unwrap();
        starts.push(each.elapsed());
        everstep.result(id).await.unwrap();
        wholes.push(each.elapsed());
        let each = Instant::now();
        everstep.page(Filter::default(), None, 50).await.unwrap();
        lists.push(each.elapsed());
    }
    for times in [&mut starts, &mut wholes, &mut lists] {
        times.sort();
    }
    let worst = |times: &[Duration]| ms(percentile(times, 1.0));
    row(
        &format!("others, {label}"),
        &[
            ("asked", starts.len().to_string()),
            ("start p50", ms(percentile(&starts, 0.5))),
            ("worst", worst(&starts)),
            ("to its end, p50", ms(percentile(&wholes, 0.5))),
            ("worst", worst(&wholes)),
            ("list, worst", worst(&lists)),
        ],
    );
}
