//! Scenarios 1 to 8: from pending to an end.

use everstep::engine::{JobId, JobStatus, Status};
use serde_json::json;

use super::{Hands, begin, card, one_task, result, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn scenario_01_a_job_without_a_free_worker_is_pending_at_nought() {
    let (_world, hands, system) = begin(Hands::at_most(1), &one_task("work", &json!({}))).await;
    system.start("w", json!(1)).await.unwrap();
    let _busy = hands.next().await;
    let id = system.start("w", json!(2)).await.unwrap();
    let waiting = system.execution(id).await.unwrap();
    let job = waiting.jobs.get(&JobId(1)).unwrap();
    assert_eq!((job.status, job.percent, job.started_at), (JobStatus::Pending, None, None));
    assert_eq!(job.scheduled_at, waiting.started_at);
    let card = card(&system, &waiting);
    assert_eq!(card.progress, 0);
    let shown = card.active_sub_job.unwrap();
    assert_eq!((shown.id, shown.status, shown.progress), (format!("{id}:1"), "pending", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_02_a_type_without_a_handler_is_refused_by_name_and_nothing_is_left_behind() {
    let (_world, _hands, system) = begin(Hands::free(), &one_task("unheard_of", &json!({}))).await;
    let before = system.last_position();
    let error = system.start("w", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "UNKNOWN_JOB_TYPES");
    assert!(error.to_string().contains("unheard_of"), "{error}");
    assert_eq!(system.last_position(), before, "no execution that could never go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_03_the_start_time_of_a_job_does_not_move() {
    let (world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!(1)).await.unwrap();
    let held = hands.next().await;
    let first = system.execution(id).await.unwrap();
    let job = first.jobs.get(&JobId(1)).unwrap();
    assert_eq!(job.status, JobStatus::Running);
    let started = job.started_at.unwrap();
    world.clock.advance(std::time::Duration::from_secs(60));
    held.job.progress(10, None);
    let later =
        until(&system, id, |execution| execution.jobs.get(&JobId(1)).unwrap().percent.is_some())
            .await;
    assert_eq!(later.jobs.get(&JobId(1)).unwrap().started_at, Some(started));
    assert!(later.updated_at > started);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_04_a_result_is_kept_with_a_hundred_percent_and_its_time() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!(1)).await.unwrap();
    hands.next().await.succeed(json!({"scenes_synced": 5}));
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!((ended.status, ended.progress), (Status::Completed, 100));
    assert_eq!(ended.output.as_ref().unwrap().value(), json!({"scenes_synced": 5}));
    assert!(ended.ended_at.unwrap() >= ended.started_at);
    let step = &result(&system, &ended).steps["A"];
    assert_eq!(step.result.as_ref().unwrap().value(), json!({"scenes_synced": 5}));
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_05_a_failed_job_keeps_its_progress_and_its_counters() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!(1)).await.unwrap();
    let held = hands.next().await;
    held.job.report(everstep::worker::ProgressReport {
        percent: Some(40),
        processed: Some(4),
        total: Some(10),
        ..Default::default()
    });
    until(&system, id, |execution| execution.progress == 40).await;
    held.fail("Mine", "boom");
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!((ended.status, ended.progress), (Status::Failed, 40));
    assert_eq!(&*ended.failure.as_ref().unwrap().cause, "boom");
    let card = card(&system, &ended);
    assert_eq!((card.steps[0].processed, card.steps[0].total), (Some(4), Some(10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_06_a_failure_that_a_handler_gives_back_does_not_raise_progress() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!(1)).await.unwrap();
    hands.next().await.fail("Sync.Failed", "the server said no");
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!((ended.status, ended.progress), (Status::Failed, 0));
    let result = result(&system, &ended);
    assert_eq!(&*result.error.unwrap().cause, "the server said no");
    assert_eq!(result.steps["A"].status, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_07_a_job_that_counts_errors_ends_as_a_partial_success_with_their_number() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!(1)).await.unwrap();
    let held = hands.next().await;
    held.job.count_errors(2);
    held.job.count_errors(1);
    held.succeed(json!({"failed_items": 3}));
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!((ended.status, ended.total_errors), (Status::CompletedWithErrors, 3));
    let result = result(&system, &ended);
    assert_eq!((result.status, result.summary.total_errors), ("completed_with_errors", 3));
    assert_eq!(result.steps["A"].status, "completed_with_errors");
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_08_a_handler_gets_just_the_parameters_its_id_and_a_way_to_hear_of_a_cancel() {
    let (_world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let given = json!({"exclude_small_vids": true, "nested": [1, null, "é"]});
    let id = system.start("w", given.clone()).await.unwrap();
    let held = hands.next().await;
    assert_eq!(held.input(), given);
    assert_eq!((held.job.id().execution, held.job.id().job), (id, JobId(1)));
    assert!(!held.job.cancel_token().is_cancelled());
    system.cancel(id, "me", None).await.unwrap();
    held.was_told_to_stop().await;
}
