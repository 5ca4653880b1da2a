//! How executions end, and what fails without work.

use serde_json::json;

use super::*;

/// Recorded.
#[test]
fn nothing_leads_to_a_stop() {
    let mut run = begun("{StartAt: W, States: {W: {Type: Wait, Seconds: 9, End: true}}}", "{}");
    cancel(&mut run, "enough");
    assert_eq!(told(&run), "1 ExecutionStarted<0  2 WaitStateEntered<0  3 ExecutionAborted<0");
    assert_eq!(details(&run, "ExecutionAborted"), json!({"cause": "enough"}));
}

#[test]
fn a_wait_beside_what_fails_is_aborted() {
    let run = begun(
        "{StartAt: F, States: {F: {Type: Parallel, End: true, Branches: [
          {StartAt: W, States: {W: {Type: Wait, Seconds: 9, End: true}}},
          {StartAt: X, States: {X: {Type: Fail, Error: E}}}]}}}",
        "{}",
    );
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 ParallelStateEntered<0  3 ParallelStateStarted<2  \
         4 WaitStateEntered<3  5 FailStateEntered<3  6 WaitStateAborted<5  7 ParallelStateFailed<5  \
         8 ExecutionFailed<7"
    );
}

#[test]
fn an_execution_whose_time_is_over_says_so() {
    let mut run = begun(
        "{StartAt: W, TimeoutSeconds: 5, States: {W: {Type: Wait, Seconds: 99, End: true}}}",
        "{}",
    );
    fire(&mut run);
    assert_eq!(told(&run), "1 ExecutionStarted<0  2 WaitStateEntered<0  3 ExecutionTimedOut<0");
}

/// Recorded.
#[test]
fn what_led_to_a_state_leads_to_the_failure_of_its_expression() {
    let run = begun(
        "{StartAt: A, QueryLanguage: JSONata, States: {A: {Type: Pass, Next: B},
          B: {Type: Pass, Output: '{% $states.input.absent %}', End: true}}}",
        "{}",
    );
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 PassStateEntered<0  3 PassStateExited<2  4 PassStateEntered<3  \
         5 EvaluationFailed<3  6 ExecutionFailed<5"
    );
    let told = details(&run, "EvaluationFailed");
    assert_eq!((&told["state"], &told["location"]), (&json!("B"), &json!("Output")));
    assert_eq!(told["error"], "States.QueryEvaluationError");
}

/// Recorded.
#[test]
fn a_map_whose_items_are_none_fails_before_it_starts() {
    let run = begun(
        "{StartAt: M, QueryLanguage: JSONata, States: {M: {Type: Map, Items: '{% 1 %}', End: true,
          ItemProcessor: {StartAt: P, States: {P: {Type: Pass, End: true}}}}}}",
        "{}",
    );
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 MapStateEntered<0  3 EvaluationFailed<0  4 MapStateFailed<3  \
         5 ExecutionFailed<4"
    );
}

/// Recorded.
#[test]
fn a_path_that_leads_nowhere_has_no_event_of_its_own() {
    let run =
        begun("{StartAt: W, States: {W: {Type: Wait, SecondsPath: $.absent, End: true}}}", "{}");
    assert_eq!(told(&run), "1 ExecutionStarted<0  2 WaitStateEntered<0  3 ExecutionFailed<2");
}

#[test]
fn a_redrive_leads_on_from_the_end() {
    let mut run = begun(
        "{StartAt: T, States: {T: {Type: Task, Resource: 'arn:aws:states:::lambda:invoke',
          End: true}}}",
        "{}",
    );
    fail(&mut run, 1, "No");
    go_on(&mut run);
    let job = run.execution.jobs.keys().next().unwrap().0;
    complete(&mut run, job, "1");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 TaskStateEntered<0  3 TaskScheduled<2  4 TaskStarted<3  \
         5 TaskFailed<4  6 ExecutionFailed<5  7 ExecutionRedriven<6  8 TaskScheduled<7  \
         9 TaskStarted<8  10 TaskSucceeded<9  11 TaskStateExited<10  12 ExecutionSucceeded<11"
    );
    assert_eq!(details(&run, "ExecutionRedriven"), json!({"redriveCount": 1}));
}

#[test]
fn what_undoes_a_step_stands_before_the_end() {
    let mut run = begun(
        "{StartAt: A, States: {A: {Type: Pass, Cleanup: U, Next: X}, X: {Type: Fail, Error: E},
          U: {Type: Task, Resource: undo, End: true}}}",
        "{}",
    );
    complete(&mut run, 1, "1");
    assert_eq!(
        told(&run),
        "1 ExecutionStarted<0  2 PassStateEntered<0  3 PassStateExited<2  4 FailStateEntered<3  \
         5 TaskStateEntered<4  6 ActivityScheduled<5  7 ActivityStarted<6  8 ActivitySucceeded<7  \
         9 TaskStateExited<8  10 ExecutionFailed<4"
    );
}
