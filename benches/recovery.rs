//! Recovery: a system with many live executions is reopened; how long until it is live.

use std::time::{Duration, Instant};

use everstep::language::{Format, Json};
use everstep::runtime::Orchestrator;

use crate::disk::{Folder, bytes_of};
use crate::many;
use crate::report::{megabytes, ms, row};

const DEFINITION: &str = r#"{
  "StartAt": "Wait",
  "States": {
    "Wait": {"Type": "Wait", "Seconds": 86400, "Next": "Done"},
    "Done": {"Type": "Succeed"}
  }
}"#;

pub fn run() {
    for count in [10_000, 100_000] {
        let folder = Folder::new("recovery");
        in_runtime(async {
            // Dropped without stopping, as a crash leaves it.
            drop(fill(folder.path(), count).await);
        });
        reopen(&folder, count, "after a crash", false);
        reopen(&folder, count, "after a crash, again", true);
        reopen(&folder, count, "after a stop", true);
    }
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

async fn fill(path: &std::path::Path, count: usize) -> Orchestrator {
    let everstep = Orchestrator::builder().open(path).await.unwrap();
    everstep.deploy("waiting", DEFINITION, Format::Json).await.unwrap();
    let input = Json::parse(r#"{"order":4711,"customer":"c-17"}"#).unwrap();
    many::start(&everstep, "waiting", &input, count).await;
    everstep
}

fn reopen(folder: &Folder, count: usize, label: &str, stop: bool) {
    in_runtime(async {
        let began = Instant::now();
        let everstep = Orchestrator::builder().open(folder.path()).await.unwrap();
        let took = began.elapsed();
        let report = everstep.recovery_report();
        row(
            &format!("{count} waiting, {label}"),
            &[
                ("live in", ms(took)),
                ("executions", report.executions.to_string()),
                ("events read", report.events_read.to_string()),
                ("of", report.events.to_string()),
                ("disk", megabytes(bytes_of(folder.path()))),
            ],
        );
        assert_eq!(usize::try_from(report.executions).unwrap(), count);
        if stop {
            everstep.stop().await.unwrap();
        }
    });
}
