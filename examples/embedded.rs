//! Everstep inside a program: two handlers, a workflow, its result, its events.
//!
//! Run it twice: `cargo run --example embedded`. The second run finds the log of the first.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::time::Duration;

use everstep::language::builder::{Concurrency, Definition, JobType, Machine, Retrier, State};
use everstep::language::{Format, Json};
use everstep::runtime::{Error, Orchestrator};
use everstep::worker::{JobContext, JobError};
use serde::{Deserialize, Serialize};

/// Greets everybody on a list, three at a time; two lists at once and no more.
fn definition() -> Definition {
    let greet =
        State::task("greet").retry(Retrier::on(["Shy"]).interval_seconds(1).max_attempts(2));
    Definition::jsonata()
        .comment("Greets everybody on a list, three at a time.")
        .concurrency(Concurrency::limit(2))
        .job_type("greet", JobType::new().unit("guests", "guest"))
        .state(
            "Greet",
            State::map(Machine::new().state("Greet one", greet))
                .items("{% $states.input.names %}")
                .max_concurrency(3)
                .next("Count"),
        )
        .state("Count", State::task("count"))
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    text: String,
}

/// The first attempt for a shy name fails, to show a retry.
async fn greet(job: JobContext, name: String) -> Result<Greeting, JobError> {
    if name.starts_with('x') && job.attempt() == 1 {
        return Err(JobError::new("Shy", format!("{name} did not answer")));
    }
    for percent in [25, 50, 75] {
        job.progress(percent, Some(&format!("greeting {name}")));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(Greeting { text: format!("hello {name}") })
}

async fn count(_job: JobContext, greetings: Vec<Greeting>) -> Result<usize, JobError> {
    Ok(greetings.len())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let everstep = Orchestrator::builder()
        .handle("greet", greet)
        .handle("count", count)
        .open("./everstep-data/embedded")
        .await?;
    println!("{} events in the log", everstep.last_position());

    everstep.deploy("greetings", &definition().text(), Format::Json).await?;
    let input = serde_json::json!({"names": ["ada", "grace", "xenia", "edsger", "barbara"]});
    let mut events = everstep.events(everstep.last_position() + 1, None);
    let id = everstep.start("greetings", Json::from(input)).await?;

    let outcome = everstep.result(id).await?;
    while events.position() <= everstep.last_position() {
        let record = events.next().await?;
        println!("{:>5} {}", record.position, record.event.name());
    }
    println!("{} {}: {:?}", id.short(), outcome.status.as_str(), outcome.output);
    everstep.stop().await
}
