//! Pages, and what is so for any history.

use std::collections::HashMap;

use super::*;
use crate::engine::Program;
use crate::language::{self, Format};
use crate::testing::generate;
use crate::testing::simulate::Simulation;
use crate::view::aws::MOST_PAYLOAD_BYTES;

const MANY: &str = "{StartAt: M, States: {M: {Type: Map, MaxConcurrency: 1, End: true,
    ItemProcessor: {StartAt: P, States: {P: {Type: Pass, End: true}}}}}}";

fn pages(run: &Run, is_reversed: bool, most: usize) -> Vec<HistoryEvent> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let wish = HistoryWish { is_reversed, after, most, has_payloads: true };
        let page = history_page(&run.program, run.execution.id, &run.history, &Short, wish);
        assert!(page.events.len() <= most);
        found.extend(page.events);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

#[test]
fn pages_in_either_order_hold_every_event_once() {
    let run = begun(MANY, "[1, 2, 3]");
    let whole = events(&run);
    let mut reversed = whole.clone();
    reversed.reverse();
    for most in [1, 2, 5, whole.len(), 100] {
        assert_eq!(pages(&run, false, most), whole, "{most}");
        assert_eq!(pages(&run, true, most), reversed, "{most}");
    }
}

#[test]
fn a_page_from_the_end_goes_on_where_it_was_though_the_history_grows() {
    let mut run = begun("{StartAt: T, States: {T: {Type: Task, Resource: r, End: true}}}", "{}");
    let wish = HistoryWish { is_reversed: true, after: None, most: 2, has_payloads: true };
    let page = history_page(&run.program, run.execution.id, &run.history, &Short, wish);
    complete(&mut run, 1, "1");
    let wish = HistoryWish { after: page.next, ..wish };
    let rest = history_page(&run.program, run.execution.id, &run.history, &Short, wish);
    let ids: Vec<u64> = page.events.iter().chain(&rest.events).map(|event| event.id).collect();
    assert_eq!((ids, rest.next), (vec![3, 2, 1], None));
}

#[test]
fn payloads_are_left_out_where_they_are_not_wanted() {
    let mut run = begun(
        "{StartAt: T, States: {T: {Type: Task, Resource: 'arn:aws:states:::a:b', End: true}}}",
        r#"{"secret": 1}"#,
    );
    complete(&mut run, 1, r#""secret""#);
    let wish = HistoryWish { has_payloads: false, ..ALL };
    let page = history_page(&run.program, run.execution.id, &run.history, &Short, wish);
    let text = serde_json::to_string(&page.events).unwrap();
    assert!(!text.contains("secret"), "{text}");
    assert!(text.contains(r#""parameters":"""#), "the model wants them: {text}");
}

#[test]
fn large_payloads_are_cut_and_fill_a_page() {
    let large = "ä".repeat(MOST_PAYLOAD_BYTES / 2);
    let run = begun(MANY, &serde_json::to_string(&vec![large; 30]).unwrap());
    for is_reversed in [false, true] {
        let wish = HistoryWish { is_reversed, ..ALL };
        let page = history_page(&run.program, run.execution.id, &run.history, &Short, wish);
        assert!(page.next.is_some(), "it does not fit into one page");
    }
    let whole = pages(&run, false, 1000);
    assert_eq!(pages(&run, true, 1000).len(), whole.len());
    let started = &whole[0].details["executionStartedEventDetails"];
    assert_eq!(started["inputDetails"]["truncated"], true);
    assert!(started["input"].as_str().unwrap().len() <= MOST_PAYLOAD_BYTES);
}

fn simulated(seed: u64) -> Run {
    let text = generate::definition(seed).to_string();
    let workflow = language::parse(&text, Format::Json, &language::Options::default()).unwrap();
    let mut simulation = Simulation::new(Program::new(workflow.clone()), seed);
    simulation.run().unwrap();
    let history = simulation.records();
    Run { program: Program::new(workflow), execution: simulation.execution, history, now: 0 }
}

/// What an event belongs to: its state is what was entered last before it in its own branch.
fn check(seed: u64, told: &[HistoryEvent]) {
    let mut open: HashMap<String, i64> = HashMap::new();
    for (id, event) in (1..).zip(told) {
        assert_eq!(event.id, id, "seed {seed}: ids are dense");
        assert!(event.previous < id, "seed {seed}: {event:?}");
        let name = event.details.values().next().and_then(|details| details["name"].as_str());
        let count = open.entry(name.unwrap_or_default().to_owned()).or_default();
        match &*event.kind {
            kind if kind.ends_with("StateEntered") => *count += 1,
            kind if kind.ends_with("StateExited") => *count -= 1,
            _ => {}
        }
        assert!(*count >= 0, "seed {seed}: {event:?} was left more often than entered");
    }
}

/// An event is led to by one of its own branch, or by what opened or freed that: never by one of
/// another branch that is under way.
fn check_leads(seed: u64, told: &[HistoryEvent]) {
    for event in told {
        let Some(before) = event.previous.checked_sub(1) else { continue };
        let before = &told[usize::try_from(before).unwrap()];
        let fits = match &*event.kind {
            kind if kind.ends_with("StateExited") => {
                !before.kind.ends_with("StateExited")
                    || kind.starts_with("Parallel")
                    || kind.starts_with("Map")
            }
            "TaskStarted" => before.kind == "TaskScheduled",
            "ActivityStarted" => before.kind == "ActivityScheduled",
            "ActivitySucceeded" => before.kind == "ActivityStarted",
            "TaskScheduled" | "ActivityScheduled" => {
                ["TaskStateEntered", "TaskFailed", "ActivityFailed", "TaskTimedOut"]
                    .contains(&&*before.kind)
                    || ["ActivityTimedOut", "ExecutionRedriven", "EvaluationFailed"]
                        .contains(&&*before.kind)
            }
            "MapStateStarted" => before.kind != "MapIterationSucceeded",
            "MapRunStarted" => before.kind == "MapStateStarted",
            _ => true,
        };
        assert!(fits, "seed {seed}: {event:?} after {before:?}");
    }
}

/// Both folds see the same runs, and nothing gets lost in one.
fn check_runs(seed: u64, run: &Run, told: &[HistoryEvent]) {
    let runs = crate::view::aws::map_runs(&run.program, &run.history);
    let began = told.iter().filter(|event| event.kind == "MapRunStarted").count();
    let resumed = told.iter().filter(|event| event.kind == "MapRunRedriven").count();
    let redrives: u32 = runs.iter().map(|run| run.redrives).sum();
    assert_eq!((runs.len(), redrives as usize), (began, resumed), "seed {seed}");
    for run in runs {
        for counts in [run.items, run.executions] {
            let parts = [counts.pending, counts.running, counts.succeeded, counts.failed];
            let sum = parts.iter().sum::<u64>() + counts.timed_out + counts.aborted;
            assert_eq!(sum, counts.total, "seed {seed}: {run:?}");
        }
        assert_eq!(run.status == "RUNNING", run.ended_at.is_none(), "seed {seed}");
    }
}

#[test]
fn any_history_has_dense_ids_and_leads_only_backward() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let run = simulated(seed);
        let told = events(&run);
        check(seed, &told);
        check_leads(seed, &told);
        check_runs(seed, &run, &told);
        seen.extend(told.into_iter().map(|event| event.kind));
    }
    for kind in [
        "ActivityFailed",
        "ActivityTimedOut",
        "ExecutionRedriven",
        "ExecutionAborted",
        "ExecutionTimedOut",
        "MapIterationAborted",
        "MapRunAborted",
        "MapRunFailed",
        "MapRunRedriven",
        "ParallelStateFailed",
        "TaskStateAborted",
        "TaskSubmitted",
        "WaitStateAborted",
    ] {
        assert!(seen.contains(kind), "never told: {kind}");
    }
}
