//! Parallels and Maps.

use serde_json::json;

use super::*;

/// Recorded, but for the order in which the branches were entered.
#[test]
fn the_branch_that_ends_last_leads_out_of_a_parallel() {
    let run = begun(
        "{StartAt: F, States: {F: {Type: Parallel, End: true, Branches: [
          {StartAt: A, States: {A: {Type: Pass, End: true}}},
          {StartAt: B, States: {B: {Type: Pass, End: true}}}]}}}",
        "{}",
    );
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 ParallelStateEntered<0  3 ParallelStateStarted<2  \
         4 PassStateEntered<3  5 PassStateEntered<3  6 PassStateExited<4  7 PassStateExited<5  \
         8 ParallelStateSucceeded<7  9 ParallelStateExited<7  10 ExecutionSucceeded<9"
    );
}

/// Recorded.
#[test]
fn a_parallel_that_is_tried_again_starts_again() {
    let mut run = begun(
        "{StartAt: F, States: {F: {Type: Parallel, End: true,
          Retry: [{ErrorEquals: [States.ALL], MaxAttempts: 2}],
          Branches: [{StartAt: A, States: {A: {Type: Fail, Error: E}}}]}}}",
        "{}",
    );
    fire(&mut run);
    fire(&mut run);
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 ParallelStateEntered<0  3 ParallelStateStarted<2  \
         4 FailStateEntered<3  5 ParallelStateStarted<4  6 FailStateEntered<5  \
         7 ParallelStateStarted<6  8 FailStateEntered<7  9 ParallelStateFailed<8  \
         10 ExecutionFailed<9"
    );
}

/// Recorded.
#[test]
fn a_task_that_breaks_a_parallel_is_aborted_too() {
    let mut run = begun(
        "{StartAt: F, States: {F: {Type: Parallel, End: true,
            Catch: [{ErrorEquals: [States.ALL], Next: P}], Branches: [{StartAt: T, States: {
              T: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', End: true}}}]},
          P: {Type: Pass, End: true}}}",
        "{}",
    );
    fail(&mut run, 1, "No");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 ParallelStateEntered<0  3 ParallelStateStarted<2  \
         4 TaskStateEntered<3  5 TaskScheduled<4  6 TaskStarted<5  7 TaskFailed<6  \
         8 TaskStateAborted<7  9 ParallelStateFailed<7  10 ParallelStateExited<9  \
         11 PassStateEntered<10  12 PassStateExited<11  13 ExecutionSucceeded<12"
    );
}

const EACH: &str = "{StartAt: M, States: {M: {Type: Map, MaxConcurrency: 1, End: true,
    ItemProcessor: {StartAt: P, States: {P: {Type: Pass, End: true}}}}}}";

/// Recorded.
#[test]
fn what_freed_a_place_leads_to_the_iteration_that_takes_it() {
    assert_eq!(
        told(&begun(EACH, "[1, 2, 3]")),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 MapStateStarted<2  4 MapIterationStarted<3  \
         5 PassStateEntered<4  6 PassStateExited<5  7 MapIterationSucceeded<6  \
         8 MapIterationStarted<6  9 PassStateEntered<8  10 PassStateExited<9  \
         11 MapIterationSucceeded<10  12 MapIterationStarted<10  13 PassStateEntered<12  \
         14 PassStateExited<13  15 MapIterationSucceeded<14  16 MapStateSucceeded<15  \
         17 MapStateExited<15  18 ExecutionSucceeded<17"
    );
    assert_eq!(details(&begun(EACH, "[1, 2, 3]"), "MapStateStarted"), json!({"length": 3}));
    let iteration = details(&begun(EACH, "[1]"), "MapIterationSucceeded");
    assert_eq!(iteration, json!({"name": "M", "index": 0}));
}

/// Recorded.
#[test]
fn a_map_without_items_succeeds_at_once() {
    assert_eq!(
        told(&begun(EACH, "[]")),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 MapStateStarted<2  4 MapStateSucceeded<3  \
         5 MapStateExited<3  6 ExecutionSucceeded<5"
    );
}

/// Recorded.
#[test]
fn a_map_that_is_tried_again_and_caught_starts_again_and_fails_once() {
    let mut run = begun(
        "{StartAt: M, States: {M: {Type: Map, MaxConcurrency: 1, End: true,
            Retry: [{ErrorEquals: [States.ALL], MaxAttempts: 1}],
            Catch: [{ErrorEquals: [States.ALL], Next: P}],
            ItemProcessor: {StartAt: F, States: {F: {Type: Fail, Error: E}}}},
          P: {Type: Pass, End: true}}}",
        "[1, 2]",
    );
    fire(&mut run);
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 MapStateStarted<2  4 MapIterationStarted<3  \
         5 FailStateEntered<4  6 MapIterationFailed<5  7 MapStateStarted<5  \
         8 MapIterationStarted<7  9 FailStateEntered<8  10 MapIterationFailed<9  \
         11 MapStateFailed<9  12 MapStateExited<11  13 PassStateEntered<12  14 PassStateExited<13  \
         15 ExecutionSucceeded<14"
    );
}

/// Recorded, but for the order of what happens at the same time: what broke a Map leads to all that
/// is aborted with it.
#[test]
fn what_broke_a_map_leads_to_all_that_is_aborted() {
    let mut run = begun(
        "{StartAt: M, States: {M: {Type: Map, End: true, ItemProcessor: {StartAt: T, States: {
          T: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke', End: true}}}}}}",
        "[1, 2]",
    );
    take(&mut run, 1);
    fail(&mut run, 2, "No");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 MapStateStarted<2  4 MapIterationStarted<3  \
         5 TaskStateEntered<4  6 MapIterationStarted<3  7 TaskStateEntered<6  8 TaskScheduled<5  \
         9 TaskScheduled<7  10 TaskStarted<8  11 TaskStarted<9  12 TaskFailed<11  \
         13 MapIterationFailed<12  14 TaskStateAborted<12  15 MapIterationAborted<12  \
         16 TaskStateAborted<12  17 MapStateFailed<12  18 ExecutionFailed<17"
    );
    assert_eq!(details(&run, "MapIterationAborted"), json!({"name": "M", "index": 0}));
}

const RUN: &str = "{StartAt: M, States: {M: {Type: Map, End: true, ItemProcessor: {
    ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}, StartAt: P,
    States: {P: {Type: Pass, End: true}}}}}}";

fn item_ended(run: &mut Run, failure: Option<Failure>) {
    let frame = &run.execution.frames[&crate::engine::FrameId::ROOT];
    let child = *frame.map_run().unwrap().children.keys().next().unwrap();
    let is_good = failure.is_none();
    let status =
        if is_good { crate::engine::Status::Completed } else { crate::engine::Status::Failed };
    let end = crate::engine::ChildEnd {
        workflow: "three".into(),
        name: None,
        input: Json::null(),
        status,
        output: is_good.then(Json::null),
        failure,
        started_at: crate::engine::Timestamp(1),
        ended_at: crate::engine::Timestamp(2),
    };
    run.command(Command::ChildEnded { child, end: Some(Box::new(end)) });
}

/// Status, and counts as `pending running succeeded failed aborted / total`.
fn counted(run: &Run) -> String {
    let runs = crate::view::aws::map_runs(&run.program, &run.history);
    let mut text = String::new();
    for crate::view::aws::MapRun { status, executions: of, items, redrives, .. } in runs {
        let counts = [of.pending, of.running, of.succeeded, of.failed, of.aborted];
        let _ = write!(text, "{status} {counts:?} / {} of {} +{redrives}  ", of.total, items.total);
    }
    text.trim_end().to_owned()
}

#[test]
fn a_run_counts_its_executions_through_its_redrives() {
    let mut run = begun(RUN, "[1, 2, 3]");
    assert_eq!(counted(&run), "RUNNING [0, 3, 0, 0, 0] / 3 of 3 +0");
    item_ended(&mut run, None);
    item_ended(&mut run, Some(Failure::new("E", "c")));
    assert_eq!(counted(&run), "RUNNING [0, 0, 1, 1, 1] / 3 of 3 +0");
    let child = *run.execution.leaving.keys().next().unwrap();
    run.command(Command::ChildEnded { child, end: None });
    assert_eq!(counted(&run), "FAILED [0, 0, 1, 1, 1] / 3 of 3 +0");
    go_on(&mut run);
    assert_eq!(counted(&run), "RUNNING [0, 2, 1, 0, 0] / 3 of 3 +1");
    item_ended(&mut run, None);
    item_ended(&mut run, None);
    assert_eq!(counted(&run), "SUCCEEDED [0, 0, 3, 0, 0] / 3 of 3 +1");
}

/// Recorded.
#[test]
fn the_parts_of_a_distributed_map_have_histories_of_their_own() {
    let mut run = begun(RUN, "[1, 2]");
    item_ended(&mut run, None);
    item_ended(&mut run, None);
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 MapStateStarted<2  4 MapRunStarted<3  \
         5 MapRunSucceeded<4  6 MapStateSucceeded<5  7 MapStateExited<5  8 ExecutionSucceeded<7"
    );
    let arn = format!("mapRun:three/{}", run.execution.id);
    assert_eq!(details(&run, "MapRunStarted"), json!({"mapRunArn": arn}));
}

#[test]
fn a_redrive_goes_on_with_the_run_that_failed() {
    let mut run = begun(RUN, "[1, 2]");
    item_ended(&mut run, None);
    item_ended(&mut run, Some(Failure::new("E", "c")));
    go_on(&mut run);
    item_ended(&mut run, None);
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 MapStateStarted<2  4 MapRunStarted<3  \
         5 MapRunFailed<4  6 MapStateFailed<5  7 ExecutionFailed<6  8 ExecutionRedriven<7  \
         9 MapStateStarted<8  10 MapRunRedriven<9  11 MapRunSucceeded<10  12 MapStateSucceeded<11  \
         13 MapStateExited<11  14 ExecutionSucceeded<13"
    );
    assert_eq!(details(&run, "MapRunRedriven")["redriveCount"], 1);
    assert_eq!(details(&run, "MapRunFailed")["error"], "States.ExceedToleratedFailureThreshold");
}

#[test]
fn who_stops_a_distributed_map_aborts_its_run() {
    let mut run = begun(RUN, "[1]");
    cancel(&mut run, "enough");
    let child = *run.execution.leaving.keys().next().unwrap();
    run.command(Command::ChildEnded { child, end: None });
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 MapStateStarted<2  4 MapRunStarted<3  \
         5 MapRunAborted<4  6 MapStateAborted<4  7 ExecutionAborted<0"
    );
}
