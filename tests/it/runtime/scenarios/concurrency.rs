//! Scenarios 32 to 36: turns, lists, retries and what is thrown away.

use std::collections::BTreeSet;
use std::time::Duration;

use everstep::engine::{ExecutionId, JobStatus, RedriveRequest, Status};
use everstep::language::Format;
use everstep::runtime::{Delete, Filter, Orchestrator, Rerun, Rows};
use everstep::view::WaitingFor;
use serde_json::json;

use super::{Hands, World, begin, card, chain, deploy, one_task, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn scenario_32_jobs_of_an_exclusive_type_take_turns_and_who_waits_holds_no_worker() {
    let (_world, hands, system) = begin(Hands::at_most(1), &one_task("work", &json!({}))).await;
    let other = one_task("other", &json!({})).to_string();
    system.deploy("other", &other, Format::Json).await.unwrap();
    let mut ids = Vec::new();
    // More workflows wait than there are workers.
    for n in 0..9 {
        ids.push(system.start("w", json!(n)).await.unwrap());
    }
    let first = hands.next().await;
    for id in &ids[1..] {
        let waiting = system.execution(*id).await.unwrap();
        assert!(waiting.jobs.values().all(|job| job.status == JobStatus::Pending));
        let told = card(&system, &waiting).waiting.unwrap();
        assert_eq!((told.reason, told.job_type.as_deref()), (WaitingFor::Worker, Some("work")));
    }
    // Jobs of another type overlap with it.
    let beside = system.start("other", json!("beside")).await.unwrap();
    let overlapping = hands.next().await;
    assert_eq!(overlapping.input(), json!("beside"));
    overlapping.succeed(json!(null));
    within(system.result(beside)).await.unwrap();
    let mut order = vec![first.input()];
    first.succeed(json!(null));
    for _ in &ids[1..] {
        let held = hands.next().await;
        assert!(hands.are_idle().await, "one at a time");
        order.push(held.input());
        held.succeed(json!(null));
    }
    let turns: Vec<serde_json::Value> = (0..9).map(|n| json!(n)).collect();
    assert_eq!(order, turns);
    for id in ids {
        assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_33_a_second_start_names_the_one_that_holds_the_place() {
    let (mut world, hands) = (World::new(), Hands::free());
    let system = hands.open(&mut world).await;
    let mut machine = one_task("work", &json!({}));
    machine["Concurrency"] = json!({"Limit": 1, "WhenFull": "refuse"});
    deploy(&system, &machine).await;
    // Of two simultaneous starts one begins.
    let (one, two) = tokio::join!(system.start("w", json!(1)), system.start("w", json!(2)));
    let (begun, refused) = match (one, two) {
        (Ok(begun), Err(refused)) | (Err(refused), Ok(begun)) => (begun, refused),
        both => panic!("not one of them: {both:?}"),
    };
    assert_eq!(refused.code(), "PLACE_TAKEN");
    assert!(refused.to_string().contains(&begun.short()), "{refused}");
    let held = hands.next().await;
    system.cancel(begun, "me", None).await.unwrap();
    held.was_told_to_stop().await;
    // One that is stopping still counts.
    let before = system.last_position();
    let refused = system.start("w", json!(3)).await.unwrap_err();
    assert!(refused.to_string().contains(&begun.short()), "{refused}");
    assert_eq!(system.last_position(), before);
    held.stop();
    within(system.result(begun)).await.unwrap();
    let next = system.start("w", json!(4)).await.unwrap();
    hands.next().await.succeed(json!(null));
    within(system.result(next)).await.unwrap();
}

async fn listed(system: &Orchestrator, statuses: &[Status], limit: usize) -> Vec<Vec<ExecutionId>> {
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let filter = Filter { statuses: statuses.to_vec(), ..Filter::default() };
        let page = system.page(filter, before, limit).await.unwrap();
        pages.push(page.rows.iter().map(|row| row.id).collect());
        before = page.next;
        if before.is_none() {
            return pages;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_34_lists_hold_just_the_statuses_that_are_asked_for_and_pages_are_disjoint() {
    let (mut world, hands) = (World::new(), Hands::at_most(1));
    let system = hands.open(&mut world).await;
    let mut machine = one_task("work", &json!({}));
    machine["Concurrency"] = json!({"Limit": 3});
    deploy(&system, &machine).await;
    let mut ended = BTreeSet::new();
    for n in 0..5 {
        let id = system.start("w", json!(n)).await.unwrap();
        let held = hands.next().await;
        match n % 3 {
            0 => held.succeed(json!(n)),
            1 => held.fail("Mine", "no"),
            _ => {
                system.cancel(id, "me", None).await.unwrap();
                held.stop();
            }
        }
        within(system.result(id)).await.unwrap();
        ended.insert(id);
    }
    let stopping = system.start("w", json!("stopping")).await.unwrap();
    let _held = hands.next().await;
    system.cancel(stopping, "me", None).await.unwrap();
    let running = system.start("w", json!("running")).await.unwrap();
    let also = system.start("w", json!("running too")).await.unwrap();
    let pending = system.start("w", json!("pending")).await.unwrap();
    assert_eq!(system.execution(pending).await.unwrap().status, Status::Pending);

    let active = [Status::Pending, Status::Running, Status::Cancelling];
    let found: BTreeSet<_> = listed(&system, &active, 2).await.into_iter().flatten().collect();
    assert_eq!(found, [stopping, running, also, pending].into());
    let history = [Status::Completed, Status::Failed, Status::Cancelled];
    let pages = listed(&system, &history, 2).await;
    let all: Vec<ExecutionId> = pages.iter().flatten().copied().collect();
    assert!(pages.iter().all(|page| page.len() <= 2));
    assert_eq!(all.len(), ended.len(), "each on one page only");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), ended);
    let both: Vec<_> = listed(&system, &[Status::TimedOut], 2).await.concat();
    assert!(both.is_empty());
    for id in ended.iter().chain([&stopping, &running, &pending]) {
        assert_eq!(system.execution(*id).await.unwrap().id, *id, "by its id in any status");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_35_a_retry_keeps_what_is_done_and_a_rerun_names_what_it_repeats() {
    let (world, hands, system) =
        begin(Hands::free(), &chain(&[("A", json!({"ResultPath": null})), ("B", json!({}))])).await;
    let id = system.start("w", json!({"n": 1})).await.unwrap();
    let retry = || system.redrive(id, "me", Some("again"), RedriveRequest::default());
    hands.next().await.succeed(json!("a"));
    let held = hands.next().await;
    assert_eq!(retry().await.unwrap_err().code(), "NOT_IN_STATUS", "it is running");
    held.fail("Mine", "no");
    within(system.result(id)).await.unwrap();

    let plan = retry().await.unwrap();
    assert_eq!((&*plan.step, plan.kept.len()), ("B", 1));
    let again = hands.next().await;
    assert_eq!(again.input(), json!({"n": 1}), "with the same parameters");
    let live = system.execution(id).await.unwrap();
    assert_eq!((live.redrives, live.message, live.failure), (1, None, None));
    again.succeed(json!("b"));
    assert_eq!(within(system.result(id)).await.unwrap().status, Status::Completed);
    assert_eq!(retry().await.unwrap_err().code(), "NOT_IN_STATUS", "it has completed");
    assert_eq!(world.count(id, "JobScheduled").await, 3, "A ran once");

    let repeated = system.rerun(id, Rerun::default()).await.unwrap();
    let first = hands.next().await;
    let fresh = system.execution(repeated).await.unwrap();
    assert_eq!((fresh.rerun_of, fresh.redrives, fresh.progress), (Some(id), 0, 0));
    assert_eq!(fresh.input.value(), json!({"n": 1}));
    assert_eq!(fresh.steps.len(), 1, "it carries nothing of what the other one did");
    first.fail("Mine", "enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_36_what_ended_long_ago_goes_with_its_children_and_nothing_else() {
    let (mut world, hands) = (World::new(), Hands::free());
    let system = hands.open(&mut world).await;
    let child = one_task("work", &json!({})).to_string();
    system.deploy("child", &child, Format::Json).await.unwrap();
    let begin = json!({"Parameters": {"StateMachineArn": "child", "Input": {}}});
    deploy(&system, &one_task("arn:aws:states:::states:startExecution.sync:2", &begin)).await;
    let old = system.start("w", json!({})).await.unwrap();
    let held = hands.next().await;
    let old_child = held.job.id().execution;
    held.succeed(json!(1));
    within(system.result(old)).await.unwrap();
    world.clock.advance(Duration::from_secs(40 * 86_400));
    let recent = system.start("w", json!({})).await.unwrap();
    hands.next().await.succeed(json!(2));
    within(system.result(recent)).await.unwrap();
    let running = system.start("w", json!({})).await.unwrap();
    let _held = hands.next().await;
    until(&system, running, |execution| execution.status == Status::Running).await;

    let limit = everstep::runtime::Clock::now(&*world.clock).0 - 30 * 86_400_000;
    let is_old = |row: &everstep::runtime::Summary| row.ended_at.is_some_and(|at| at.0 < limit);
    let rows = system.list_rows(Rows::Started, usize::MAX).await.unwrap();
    let old_ones: Vec<ExecutionId> =
        rows.iter().filter(|row| is_old(row)).map(|row| row.id).collect();
    assert_eq!(old_ones, [old]);
    let wish = Delete { by: "me".into(), reason: None, children: true, dry_run: false };
    let gone = system.delete_all(&old_ones, &wish).await;
    assert!(gone.iter().all(|gone| gone.refusal.is_none()), "{gone:?}");
    for id in [old, old_child] {
        assert_eq!(system.execution(id).await.unwrap_err().code(), "DELETED");
    }
    let left = system.list_rows(Rows::All, usize::MAX).await.unwrap();
    let known: BTreeSet<ExecutionId> = left.iter().map(|row| row.id).collect();
    assert!(known.contains(&recent) && known.contains(&running) && known.len() == 4);
    let parents = left.iter().filter_map(|row| row.parent.as_ref());
    assert!(parents.into_iter().all(|parent| known.contains(&parent.execution)));
}
