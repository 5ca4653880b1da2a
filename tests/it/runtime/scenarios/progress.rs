//! Scenarios 26 to 31: how far it is.

use everstep::engine::{Execution, JobId, Status};
use everstep::language::Format;
use everstep::worker::ProgressReport;
use serde_json::{Value, json};

use super::{Hands, World, begin, card, chain, deploy, one_task, result, until, within};

/// A Map in batches of one, one after the other, of 35 in a hundred; with what comes before it.
fn ranges(step: &Value) -> Value {
    let mut step = step.clone();
    step["Weight"] = json!(35);
    step["Next"] = json!("Rest");
    json!({"StartAt": "Before", "States": {
        "Before": {"Type": "Task", "Resource": "other", "Weight": 35, "ResultPath": null,
            "Next": "Step"},
        "Step": step,
        "Rest": {"Type": "Pass", "Weight": 30, "End": true}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_26_an_ended_workflow_shows_its_last_step_everywhere_and_no_active_job() {
    let (mut world, hands) = (World::new(), Hands::free());
    let system = hands.open(&mut world).await;
    deploy(
        &system,
        &chain(&[("A", json!({})), ("B", json!({})), ("C", json!({"Title": "Completed"}))]),
    )
    .await;
    let id = system.start("w", json!({})).await.unwrap();
    for n in 0..3 {
        hands.next().await.succeed(json!({"n": n}));
    }
    let ended = within(system.ended(id)).await.unwrap();
    let shown = card(&system, &ended);
    assert_eq!((shown.current_step, shown.total_steps), (Some(3), 3));
    assert_eq!(shown.step_name.as_deref(), Some("Completed"));
    assert!(shown.active_sub_job.is_none() && shown.active_sub_jobs.is_empty());
    assert_eq!(shown, card(&system, &world.replayed(id).await), "the log tells the same");
    let row = system.list(10).await.unwrap().into_iter().find(|row| row.id == id).unwrap();
    assert_eq!((row.status, row.progress), (Status::Completed, 100));
    let result = result(&system, &ended);
    for (n, (name, step)) in result.steps.iter().enumerate() {
        assert_eq!(step.job_id, Some(format!("{id}:{}", n + 1)), "{name}");
        assert_eq!((step.status, step.error.is_none()), ("completed", true));
        assert_eq!(step.result.as_ref().unwrap().value(), json!({"n": n}));
        assert!(step.duration_seconds >= 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_27_a_step_from_20_to_35_is_at_27_half_way() {
    let (mut world, hands) = (World::new(), Hands::free());
    let system = hands.open(&mut world).await;
    deploy(
        &system,
        &chain(&[
            ("Before", json!({"Weight": 20})),
            ("Step", json!({"Weight": 15})),
            ("Rest", json!({"Weight": 65})),
        ]),
    )
    .await;
    let id = system.start("w", json!({})).await.unwrap();
    hands.next().await.succeed(json!({}));
    let held = hands.next().await;
    assert_eq!(system.execution(id).await.unwrap().progress, 20);
    held.job.progress(50, None);
    until(&system, id, |execution| execution.progress == 27).await;
    held.job.progress(100, None);
    until(&system, id, |execution| execution.progress == 35).await;
    held.succeed(json!({}));
    hands.next().await.succeed(json!({}));
    assert_eq!(within(system.ended(id)).await.unwrap().progress, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_28_batch_3_of_4_half_done_in_a_step_from_35_to_70_is_56() {
    let (mut world, hands) = (World::new(), Hands::free());
    let system = hands.open(&mut world).await;
    let step = json!({"Type": "Map", "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "Batch", "States": {
            "Batch": {"Type": "Task", "Resource": "work", "End": true}}}});
    deploy(&system, &ranges(&step)).await;
    let mut events = system.events(1, None);
    let id = system.start("w", json!([1, 2, 3, 4])).await.unwrap();
    hands.next().await.succeed(json!({}));
    hands.next().await.succeed(json!({}));
    hands.next().await.succeed(json!({}));
    let third = hands.next().await;
    third.job.progress(50, None);
    until(&system, id, |execution| execution.progress == 56).await;
    third.succeed(json!({}));
    hands.next().await.succeed(json!({}));
    within(system.ended(id)).await.unwrap();
    // It never goes down, from the first event to the last.
    let mut fold = Execution::new(id);
    let mut highest = 0;
    while fold.status != Status::Completed {
        let record = within(events.next()).await.unwrap();
        if record.stream == id.0 {
            fold.apply(&record.event, record.time);
            assert!(fold.progress >= highest, "{} after {highest}", fold.progress);
            highest = fold.progress;
        }
    }
    assert_eq!(highest, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_29_a_child_that_fails_at_40_leaves_progress_where_it_was() {
    let (mut world, hands) = (World::new(), Hands::free());
    let system = hands.open(&mut world).await;
    let child = one_task("work", &json!({})).to_string();
    system.deploy("child", &child, Format::Json).await.unwrap();
    let begin = json!({"Type": "Task", "Weight": 1,
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "child", "Input": {}},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Then"}], "Next": "Then"});
    deploy(
        &system,
        &json!({"StartAt": "Child", "States": {"Child": begin,
        "Then": {"Type": "Task", "Resource": "other", "End": true}}}),
    )
    .await;
    let id = system.start("w", json!({})).await.unwrap();
    let held = hands.next().await;
    held.job.progress(40, None);
    until(&system, id, |execution| execution.progress == 20).await;
    held.fail("Mine", "no");
    let then = hands.next().await;
    let history = world.history(id).await;
    let failed = history.iter().position(|event| event.name() == "JobFailed").unwrap();
    let before = Execution::replay(
        id,
        history[..=failed].iter().map(|event| (event, everstep::engine::Timestamp(0))),
    );
    assert_eq!(before.progress, 20);
    assert_eq!(system.execution(id).await.unwrap().progress, 50, "the next step has begun");
    system.cancel(id, "me", None).await.unwrap();
    then.stop();
    let ended = within(system.ended(id)).await.unwrap();
    assert_eq!((ended.status, ended.progress), (Status::Cancelled, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_30_words_alone_leave_the_number_and_are_seen_on_job_step_and_workflow() {
    let (world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!({})).await.unwrap();
    let held = hands.next().await;
    held.job.progress(40, None);
    until(&system, id, |execution| execution.progress == 40).await;
    world.clock.advance(std::time::Duration::from_secs(1));
    held.job.progress(None, Some("reading part two"));
    let told = until(&system, id, |execution| execution.message.is_some()).await;
    assert_eq!(told.progress, 40);
    let shown = card(&system, &told);
    assert_eq!(shown.message.as_deref(), Some("reading part two"));
    assert_eq!(shown.steps[0].message.as_deref(), Some("reading part two"));
    assert_eq!(shown.active_sub_job.unwrap().message.as_deref(), Some("reading part two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_31_counters_are_numbers_and_percents_stay_within_bounds() {
    let (world, hands, system) = begin(Hands::free(), &one_task("work", &json!({}))).await;
    let id = system.start("w", json!({})).await.unwrap();
    let held = hands.next().await;
    let report =
        |percent, processed, total| ProgressReport { percent, processed, total, message: None };
    held.job.report(report(None, Some(4), Some(6)));
    let counted =
        until(&system, id, |execution| execution.jobs.get(&JobId(1)).unwrap().total.is_some())
            .await;
    let shown = card(&system, &counted).active_sub_job.unwrap();
    assert_eq!((shown.processed, shown.total), (Some(4), Some(6)));
    world.clock.advance(std::time::Duration::from_secs(1));
    held.job.report(report(Some(150), None, None));
    let most = until(&system, id, |execution| execution.progress > 0).await;
    assert_eq!((most.progress, most.jobs.get(&JobId(1)).unwrap().percent), (99, Some(100)));
}
