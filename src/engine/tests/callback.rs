//! Jobs that wait for a callback.

use serde_json::json;

use super::kit::{Run, given};
use super::{only, only_jsonata};
use crate::engine::{CallbackToken, Command, Effect, Failure, JobId, Token, pending_effects};
use crate::language::Json;

fn waiting_task(mut fields: serde_json::Value) -> serde_json::Value {
    let object = fields.as_object_mut().unwrap();
    object.insert("Type".into(), "Task".into());
    object.insert("Resource".into(), "order.waitForTaskToken".into());
    object.insert("Parameters".into(), json!({"item.$": "$.item", "token.$": "$$.Task.Token"}));
    object.insert("End".into(), true.into());
    only(fields)
}

fn begun(fields: serde_json::Value) -> Run {
    given(&waiting_task(fields)).started(&json!({"item": 7}))
}

/// The token that the job's input holds.
fn told_token(run: &Run, job: u32) -> Token {
    let text = run.job_input(job)["token"].as_str().unwrap().to_owned();
    let token: CallbackToken = text.parse().unwrap();
    assert_eq!((token.execution, token.job), (run.execution.id, JobId(job)));
    token.token
}

fn answer(token: Token, output: serde_json::Value) -> Command {
    Command::CompleteJob { job: JobId(1), token, output: Json::from(output), errors: 0 }
}

#[test]
fn the_result_is_what_the_callback_brings_and_not_what_the_worker_gave() {
    let mut run = begun(json!({}));
    assert_eq!(run.job_input(1)["item"], 7);
    run.complete(1, &json!("handed on"));
    assert_eq!(run.names(), "CallbackAwaited");
    assert_eq!(run.status(), "running");
    let token = told_token(&run, 1);
    run.when(answer(token, json!({"paid": true})));
    assert_eq!(run.output(), json!({"paid": true}));
    assert_eq!(run.try_command(answer(token, json!(1))).unwrap_err().code(), "NOT_IN_STATUS");
}

#[test]
fn a_callback_may_come_before_the_worker_is_done() {
    let mut run = begun(json!({}));
    let worker = run.take_only();
    let token = told_token(&run, 1);
    run.when(answer(token, json!("early")));
    assert_eq!(run.output(), json!("early"));
    assert!(run.try_command(answer(worker, json!("late"))).is_err());
}

#[test]
fn a_token_of_somebody_else_is_refused() {
    let mut run = begun(json!({}));
    run.complete(1, &json!(null));
    let wrong = answer(Token([9; 16]), json!(1));
    assert_eq!(run.try_command(wrong).unwrap_err().code(), "STALE_TOKEN");
}

#[test]
fn a_failed_callback_is_tried_again_with_another_token() {
    let mut run = begun(json!({"Retry": [{"ErrorEquals": ["Declined"]}]}));
    run.complete(1, &json!(null));
    let first = told_token(&run, 1);
    let failure = Failure::new("Declined", "no money");
    run.when(Command::FailJob { job: JobId(1), token: first, failure });
    run.fire_next();
    let second = told_token(&run, 1);
    assert_ne!(first, second);
    run.complete(1, &json!(null));
    assert_eq!(run.try_command(answer(first, json!(1))).unwrap_err().code(), "STALE_TOKEN");
    run.when(answer(second, json!(2)));
    assert_eq!(run.output(), json!(2));
}

#[test]
fn a_worker_that_fails_fails_the_job() {
    let mut run = begun(json!({}));
    run.fail(1, "Unreachable");
    assert_eq!(run.error(), "Unreachable");
}

#[test]
fn silence_ends_the_wait_and_signs_of_life_put_it_off() {
    let mut run = begun(json!({"HeartbeatSeconds": 10}));
    run.complete(1, &json!(null));
    let token = told_token(&run, 1);
    let beat = Command::Heartbeat { job: JobId(1), token };
    run.pass_ms(500);
    assert_eq!(run.try_command(beat.clone()).unwrap_err().code(), "NOTHING_TO_DO");
    run.pass_ms(7500);
    run.when(beat);
    assert_eq!(run.fire_next(), 10_000);
    assert_eq!(run.error(), "States.HeartbeatTimeout");
}

#[test]
fn signs_of_life_count_however_short_the_silence_may_be() {
    let mut run = begun(json!({"HeartbeatSeconds": 1}));
    run.complete(1, &json!(null));
    let token = told_token(&run, 1);
    for _ in 0..10 {
        run.pass_ms(200);
        run.when(Command::Heartbeat { job: JobId(1), token });
    }
    assert_eq!(run.status(), "running");
    assert_eq!(run.execution.uncounted_events, 10, "they do not count against the limit");
}

#[test]
fn handing_a_job_on_is_a_sign_of_life() {
    let mut run = begun(json!({"HeartbeatSeconds": 10}));
    run.take_only();
    run.pass_ms(9500);
    run.complete(1, &json!(null));
    assert_eq!(run.fire_next(), 10_000);
}

#[test]
fn a_callback_for_a_job_that_is_stopping_comes_too_late() {
    let mut run = begun(json!({}));
    let worker = run.take_only();
    let token = told_token(&run, 1);
    run.cancel();
    assert_eq!(run.status(), "cancelling");
    assert_eq!(run.try_command(answer(token, json!(1))).unwrap_err().code(), "STALE_TOKEN");
    run.when(Command::AcknowledgeCancel { job: JobId(1), token: worker });
    assert_eq!(run.status(), "cancelled");
}

#[test]
fn the_time_of_a_job_goes_on_while_it_waits() {
    let mut run = begun(json!({"TimeoutSeconds": 30}));
    run.take_only();
    run.pass_ms(10_000);
    run.complete(1, &json!(null));
    assert_eq!(run.fire_next(), 20_000);
    assert_eq!(run.error(), "States.Timeout");
}

#[test]
fn a_crash_before_the_hand_over_keeps_the_token_and_after_it_loses_nothing() {
    let mut run = begun(json!({}));
    run.take_only();
    let token = told_token(&run, 1);
    run.lose(1, false);
    assert_eq!(told_token(&run, 1), token);
    let offer = Effect::OfferJob { job: JobId(1), attempt: 2 };
    assert_eq!(pending_effects(&run.execution), [offer]);
    run.complete(1, &json!(null));
    let lost = Command::LoseAttempts { jobs: vec![JobId(1)], stopped: false };
    assert_eq!(run.try_command(lost).unwrap_err().code(), "NOTHING_TO_DO");
    assert_eq!(pending_effects(&run.execution), []);
    run.when(answer(token, json!("done")));
    assert_eq!(run.output(), json!("done"));
}

#[test]
fn who_was_told_before_a_crash_may_answer_while_the_job_queues_again() {
    let mut run = begun(json!({}));
    run.take_only();
    run.lose(1, false);
    let token = told_token(&run, 1);
    run.when(answer(token, json!("done")));
    assert_eq!(run.output(), json!("done"));
}

#[test]
fn a_cancelled_execution_does_not_wait_for_callbacks() {
    let mut run = begun(json!({}));
    run.complete(1, &json!(null));
    run.cancel();
    assert_eq!(run.names(), "CancelRequested JobCancelled ExecutionCancelled");
}

#[test]
fn the_token_is_in_the_context_of_jsonata_too_and_nowhere_else() {
    let mut run = given(&only_jsonata(json!({"Type": "Task", "End": true,
        "Resource": "order.waitForTaskToken",
        "Arguments": {"token": "{% $states.context.Task.Token %}"},
        "Output": "{% $exists($states.context.Task) %}"})))
    .started(&json!({}));
    run.complete(1, &json!(null));
    let token = told_token(&run, 1);
    run.when(answer(token, json!(1)));
    assert_eq!(run.output(), json!(false));
}
