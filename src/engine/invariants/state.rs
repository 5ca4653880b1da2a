//! Rules about an execution between two commands.

use std::collections::BTreeSet;

use super::{Violation, ensure};
use crate::engine::execution::{
    Activity, Execution, Fork, Frame, JobStatus, Status, StepStatus, Timer,
};
use crate::engine::id::{ExecutionId, FrameId, Timestamp};

pub(super) fn ready_frames_are_those_that_can_move(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "ready_frames_are_those_that_can_move";
    let can_move = |frame: &Frame| match &frame.activity {
        Activity::Ready => true,
        Activity::Forked(fork) => fork.is_actionable(),
        Activity::Job | Activity::Waiting(_) | Activity::BackingOff(_) => false,
    };
    let ready = |(id, frame): &(&FrameId, &Frame)| e.moves(**id) && can_move(frame);
    let expected: BTreeSet<FrameId> = e.frames.iter().filter(ready).map(|(id, _)| *id).collect();
    ensure(e.ready == expected, NAME, || {
        format!("{:?} are ready, but {expected:?} can move", e.ready)
    })
}

pub(super) fn only_what_goes_on_is_paused(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "only_what_goes_on_is_paused";
    let goes_on = matches!(e.status, Status::Pending | Status::Running) && e.closing.is_none();
    ensure(!e.is_paused() || (goes_on && e.sequence > 0), NAME, || {
        format!("{:?} while {:?}, closing {:?}", e.pauses, e.status, e.closing)
    })?;
    for (_, pause) in e.pauses.all() {
        ensure((e.started_at..=e.updated_at).contains(&pause.at), NAME, || {
            format!("paused at {}, not between {} and {}", pause.at, e.started_at, e.updated_at)
        })?;
    }
    Ok(())
}

pub(super) fn timers_are_what_is_waited_for(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "timers_are_what_is_waited_for";
    let mut left = e.timers.clone();
    match e.status {
        // Nothing but the executions that it began.
        Status::Running if e.closing.is_some() && e.cleanup.is_none() => {}
        Status::Cancelling if e.cleanup.is_none() => {
            let only = left.len() == 1
                && left.first().is_some_and(|(_, timer)| *timer == Timer::CancelDeadline);
            ensure(only, NAME, || format!("while cancelling the timers are {left:?}"))?;
            left.clear();
        }
        Status::Running | Status::Cancelling => {
            for (at, timer) in expected_timers(e) {
                ensure(left.remove(&(at, timer)), NAME, || {
                    format!("{timer:?} at {at} is missing")
                })?;
            }
            for (at, timer) in heartbeats(e) {
                let found = left.iter().find(|(_, other)| *other == timer).copied();
                let holds = found.is_some_and(|(due, _)| due >= at);
                ensure(holds, NAME, || format!("{timer:?} is {found:?}, earliest {at}"))?;
                left.retain(|(_, other)| *other != timer);
            }
            let limit = match e.cleanup {
                None => Timer::ExecutionTimeout,
                Some(_) => Timer::CleanupDeadline,
            };
            if let Some(limit) = left.iter().find(|(_, timer)| *timer == limit).copied() {
                left.remove(&limit);
            }
        }
        Status::Pending
        | Status::Completed
        | Status::CompletedWithErrors
        | Status::Failed
        | Status::Cancelled
        | Status::TimedOut => {}
    }
    ensure(left.is_empty(), NAME, || format!("nothing waits for {left:?}"))
}

/// Timers whose time follows from frames and jobs.
fn expected_timers(e: &Execution) -> Vec<(Timestamp, Timer)> {
    let of_frame = |(id, frame): (&FrameId, &Frame)| match &frame.activity {
        Activity::Waiting(until) => Some((*until, Timer::Wait(*id))),
        Activity::BackingOff(due) => Some((*due, Timer::Retry(*id))),
        Activity::Ready | Activity::Job | Activity::Forked(_) => None,
    };
    let mut timers: Vec<(Timestamp, Timer)> = e.frames.iter().filter_map(of_frame).collect();
    for (id, job) in e.jobs.iter().filter(|(_, job)| job.status.is_under_way()) {
        if let (Some(at), Some(seconds)) = (job.started_at, job.timeout_seconds) {
            timers.push((at.plus_seconds(seconds), Timer::JobTimeout(*id, job.attempt)));
        }
    }
    timers
}

/// Heartbeat timers with the earliest time that each may have.
fn heartbeats(e: &Execution) -> Vec<(Timestamp, Timer)> {
    let mut timers = Vec::new();
    for (id, job) in e.jobs.iter().filter(|(_, job)| job.status.is_under_way()) {
        if let (Some(at), Some(seconds)) = (job.started_at, job.heartbeat_seconds) {
            timers.push((at.plus_seconds(seconds), Timer::Heartbeat(*id, job.attempt)));
        }
    }
    timers
}

pub(super) fn jobs_and_frames_point_at_each_other(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "jobs_and_frames_point_at_each_other";
    for (id, job) in &e.jobs {
        let frame = e.frames.get(&job.frame);
        ensure(frame.is_some_and(|frame| frame.job == Some(*id)), NAME, || {
            format!("job {id} belongs to frame {}, which does not know it", job.frame)
        })?;
        let waits = frame.is_some_and(|frame| frame.activity == Activity::Job);
        let in_hand = job.status == JobStatus::Pending || job.status.is_under_way();
        ensure(waits || !in_hand, NAME, || {
            format!("job {id} is {:?}, but its frame does not wait for it", job.status)
        })?;
    }
    for (id, frame) in &e.frames {
        let job = frame.job.map(|job| e.jobs.get(&job).map(|job| job.frame));
        ensure(job.is_none_or(|owner| owner == Some(*id)), NAME, || {
            format!("frame {id} has job {:?}, which is not its own", frame.job)
        })?;
        let waits = frame.activity == Activity::Job && e.is_open(*id);
        ensure(!waits || frame.job.is_some(), NAME, || {
            format!("frame {id} waits for a job that it does not have")
        })?;
    }
    Ok(())
}

pub(super) fn jobs_stand_where_the_execution_allows(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "jobs_stand_where_the_execution_allows";
    for (id, job) in &e.jobs {
        let with_worker =
            matches!(job.status, JobStatus::Running | JobStatus::Cancelling) && job.child.is_none();
        let held = job.token.is_some() && job.started_at.is_some() && job.worker.is_some();
        ensure(!with_worker || held, NAME, || format!("job {id} runs without token or worker"))?;
        ensure(with_worker || job.token.is_none(), NAME, || {
            format!("job {id} is {:?} and still has a token", job.status)
        })?;
        let allowed = match job.status {
            JobStatus::Pending | JobStatus::Running => e.is_open(job.frame),
            JobStatus::Waiting => e.is_open(job.frame) && job.callback.is_some(),
            JobStatus::Cancelling => e.status == Status::Cancelling,
            JobStatus::Retrying => !e.status.is_terminal(),
        };
        ensure(allowed, NAME, || {
            format!("job {id} is {:?} in an execution that is {:?}", job.status, e.status)
        })?;
        let began = job.started_at.is_some() || !job.status.is_under_way();
        ensure(began, NAME, || format!("job {id} is {:?} and has not begun", job.status))?;
        ensure(job.attempt >= 1 && job.lost <= job.attempt, NAME, || {
            format!("job {id} lost {} attempts of {}", job.lost, job.attempt)
        })?;
        ensure(job.percent.is_none_or(|percent| percent <= 100), NAME, || {
            format!("job {id} is at {:?} percent", job.percent)
        })?;
    }
    Ok(())
}

pub(super) fn parents_list_their_children(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "parents_list_their_children";
    for (id, frame) in &e.frames {
        let Some((parent, index)) = frame.parent else {
            let alone = *id == FrameId::ROOT || e.cleanup_frame() == Some(*id);
            ensure(alone, NAME, || format!("frame {id} has no parent"))?;
            continue;
        };
        let fork = e.frames.get(&parent).and_then(Frame::fork);
        ensure(fork.is_some_and(|fork| fork.running.contains(id)), NAME, || {
            format!("frame {id} is part {index} of frame {parent}, which does not list it")
        })?;
        ensure(fork.is_some_and(|fork| index < fork.next), NAME, || {
            format!("frame {id} is part {index} of frame {parent}, which has not begun it")
        })?;
        ensure(parent < *id, NAME, || format!("frame {id} is older than its parent {parent}"))?;
        ensure(frame.state.is_some(), NAME, || format!("frame {id} stands in no state"))?;
    }
    for (id, fork) in e.frames.iter().filter_map(|(id, frame)| Some((id, frame.fork()?))) {
        let mut indexes = BTreeSet::new();
        for child in &fork.running {
            let place = e.frames.get(child).and_then(|child| child.parent);
            ensure(place.is_some_and(|(parent, _)| parent == *id), NAME, || {
                format!("frame {id} lists {child}, which is not its child")
            })?;
            let index = place.map_or(0, |(_, index)| index);
            ensure(indexes.insert(index) && !fork.outputs.contains_key(&index), NAME, || {
                format!("frame {id} has part {index} twice")
            })?;
        }
    }
    Ok(())
}

pub(super) fn forks_account_for_their_parts(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "forks_account_for_their_parts";
    for (id, fork) in e.frames.iter().filter_map(|(id, frame)| Some((id, frame.fork()?))) {
        let Fork { total, started, failed, cancelled, concurrency, .. } = fork;
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let running = fork.under_way();
        // A map run counts what ended well; the outputs may be with a writer. Else what failed stands
        // among the outputs too.
        let outputs = match &fork.run {
            Some(run) => run.succeeded,
            None => count(fork.outputs.len()).saturating_sub(*failed),
        };
        let begun = running + outputs + failed + cancelled;
        ensure(begun == *started && started <= total, NAME, || {
            format!(
                "frame {id}: {running} running, {outputs} done, {failed} failed, \
                 {cancelled} stopped, {started} begun of {total}"
            )
        })?;
        // That of a map run may be lowered while more are under way.
        let is_bounded = fork.run.is_some() || *concurrency == 0 || running <= *concurrency;
        ensure(is_bounded, NAME, || {
            format!("frame {id} runs {running} parts, over its limit of {concurrency}")
        })?;
        ensure(
            fork.failure.is_some() == (fork.failed_items > fork.tolerated_failures),
            NAME,
            || {
                let (failed, tolerated) = (fork.failed_items, fork.tolerated_failures);
                format!("frame {id}: {failed} items failed, {tolerated} are tolerated")
            },
        )?;
        let batches = &fork.batch_ends;
        ensure(batches.is_empty() || count(batches.len()) == *total, NAME, || {
            format!("frame {id} has {} batches for {total} parts", batches.len())
        })?;
    }
    Ok(())
}

pub(super) fn the_end_leaves_nothing_open(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "the_end_leaves_nothing_open";
    let is_terminal = e.status.is_terminal();
    let is_begun = e.sequence > 0;
    ensure(is_begun || e.status == Status::Pending, NAME, || {
        format!("{:?} after {} events", e.status, e.sequence)
    })?;
    ensure(is_terminal == e.ended_at.is_some(), NAME, || {
        format!("{:?}, ended at {:?}", e.status, e.ended_at)
    })?;
    let under_way = is_begun && !is_terminal;
    ensure(under_way == e.frames.contains_key(&FrameId::ROOT), NAME, || {
        format!("{:?} with frames {:?}", e.status, e.frames.keys().collect::<Vec<_>>())
    })?;
    let alone = e.leaving.is_empty() && e.closing.is_none() && e.cleanup_frame().is_none();
    let empty = e.frames.is_empty() && e.jobs.is_empty() && e.ready.is_empty() && alone;
    ensure(under_way || (empty && e.timers.is_empty()), NAME, || {
        format!("{:?} with open frames, jobs or timers", e.status)
    })?;
    for (name, step) in &e.steps {
        // What a redrive took back, and was not entered again, is pending for ever.
        let taken_back = step.status == StepStatus::Pending && e.redrives > 0;
        let open = matches!(step.status, StepStatus::Running | StepStatus::Waiting);
        ensure(step.status != StepStatus::Pending || taken_back, NAME, || {
            format!("step {name:?} is pending, and there was no redrive")
        })?;
        ensure(!(is_terminal && open), NAME, || {
            format!("{:?}, but step {name:?} is {:?}", e.status, step.status)
        })?;
        ensure((open || taken_back) == step.ended_at.is_none(), NAME, || {
            format!("step {name:?} is {:?} and ended at {:?}", step.status, step.ended_at)
        })?;
    }
    Ok(())
}

pub(super) fn the_status_has_its_reason(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "the_status_has_its_reason";
    let holds = match e.status {
        Status::Pending => e.cancel.is_none(),
        Status::Running => e.cancel.is_none() && e.output.is_none() && e.failure.is_none(),
        Status::Cancelling => e.cancel.is_some() && e.output.is_none(),
        Status::Completed => e.output.is_some() && e.failure.is_none() && e.total_errors == 0,
        Status::CompletedWithErrors => {
            e.output.is_some() && e.failure.is_none() && e.total_errors > 0
        }
        Status::Failed | Status::TimedOut => e.output.is_none() && e.failure.is_some(),
        Status::Cancelled => e.output.is_none() && e.cancel.is_some(),
    };
    ensure(holds, NAME, || {
        format!(
            "{:?} with output {:?}, failure {:?}, cancel {:?}, {} errors",
            e.status, e.output, e.failure, e.cancel, e.total_errors
        )
    })
}

pub(super) fn progress_is_a_percentage(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "progress_is_a_percentage";
    let completed = matches!(e.status, Status::Completed | Status::CompletedWithErrors);
    ensure(e.progress <= 100 && (e.progress == 100) == completed, NAME, || {
        format!("{} percent while {:?}", e.progress, e.status)
    })
}

pub(super) fn ids_are_never_used_again(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "ids_are_never_used_again";
    let frame = e.frames.last_key_value().map(|(id, _)| *id);
    ensure(frame.is_none_or(|id| id.0 < e.frame_count), NAME, || {
        format!("frame {frame:?} of {}", e.frame_count)
    })?;
    let job = e.jobs.last_key_value().map(|(id, _)| *id);
    let named = e.steps.values().filter_map(|step| step.job).max();
    ensure(job.max(named).is_none_or(|id| (1..=e.job_count).contains(&id.0)), NAME, || {
        format!("job {job:?} or {named:?} of {}", e.job_count)
    })
}

pub(super) fn times_are_in_order(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "times_are_in_order";
    let frames = e.frames.values().map(|frame| frame.entered_at);
    let jobs = e.jobs.values().flat_map(|job| [Some(job.scheduled_at), job.started_at]);
    let steps = e.steps.values().flat_map(|step| [Some(step.entered_at), step.ended_at]);
    let times = frames.chain(jobs.chain(steps).flatten()).chain(e.ended_at).chain(e.admitted_at);
    for time in times {
        ensure((e.started_at..=e.updated_at).contains(&time), NAME, || {
            format!("{time} is not between {} and {}", e.started_at, e.updated_at)
        })?;
    }
    Ok(())
}

pub(super) fn a_place_is_waited_for_or_held(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "a_place_is_waited_for_or_held";
    let has_place = e.place.is_some();
    let asked = (1..=e.sequence).contains(&e.asked_for_place);
    let holds = match e.status {
        Status::Pending => (e.sequence == 0) != has_place && e.admitted_at.is_none(),
        Status::Running => has_place == e.admitted_at.is_some(),
        // What was stopped may never have got its place.
        _ => has_place || e.admitted_at.is_none(),
    };
    ensure(holds && asked == has_place, NAME, || {
        let (place, asked) = (&e.place, e.asked_for_place);
        format!("{:?}, place {place:?} since {asked}, admitted at {:?}", e.status, e.admitted_at)
    })?;
    // One that goes on after its end stands in its step already.
    let entered = !e.steps.is_empty() && e.redrives == 0;
    let idle = !entered && e.jobs.is_empty() && e.ready.is_empty();
    ensure(e.status != Status::Pending || idle, NAME, || "it works without its place".to_owned())
}

pub(super) fn closing_waits_for_something(e: &Execution) -> Result<(), Violation> {
    const NAME: &str = "closing_waits_for_something";
    let is_busy = !e.leaving.is_empty() || e.cleanup_frame().is_some();
    let waits = e.closing.is_none() || (e.status == Status::Running && is_busy);
    ensure(waits, NAME, || format!("{:?}, closing {:?}", e.status, e.closing))?;
    let mut known: BTreeSet<ExecutionId> = e.leaving.keys().copied().collect();
    let runs = e.frames.values().filter_map(Frame::map_run);
    let jobs = e.jobs.values().filter_map(|job| job.awaited_child());
    for child in runs.flat_map(|run| run.children.keys().copied()).chain(jobs) {
        ensure(known.insert(child), NAME, || format!("{child} stands in two places"))?;
    }
    Ok(())
}
