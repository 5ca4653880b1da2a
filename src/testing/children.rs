//! Made-up executions that a simulated one begins: they begin, tell how far they are, end.

use super::generate::{ERRORS, input, result};
use super::random::Random;
use crate::engine::{
    ChildEnd, Command, Execution, ExecutionId, Failure, Frame, JobStatus, Status, Timestamp,
};
use crate::language::Json;

/// Executions that `execution` wants to begin or end.
pub(super) fn known(execution: &Execution) -> Vec<ExecutionId> {
    let of_jobs = execution.jobs.values().filter_map(|job| {
        let child = job.child.as_ref().filter(|_| job.status == JobStatus::Running)?;
        Some(child.execution)
    });
    let runs = execution.frames.values().filter_map(Frame::map_run);
    let of_runs = runs.flat_map(|run| run.children.keys().copied());
    of_jobs.chain(of_runs).chain(execution.leaving.keys().copied()).collect()
}

/// Whether the shell still owes that `child` begins.
pub(super) fn is_wanted(execution: &Execution, child: ExecutionId) -> bool {
    execution.set_aside.is_none()
        && !execution.leaving.contains_key(&child)
        && known(execution).contains(&child)
}

/// Something that `child` might say.
pub(super) fn word(random: &mut Random, child: ExecutionId, now: Timestamp) -> Command {
    match random.below(8) {
        0 => Command::ChildStarted { child, at: now },
        1 => Command::ChildProgressed {
            child,
            percent: u8::try_from(random.below(120)).unwrap_or(100),
        },
        2 => Command::ChildRefused { child, failure: failure(random) },
        3 => Command::ChildEnded { child, end: None },
        _ => Command::ChildEnded { child, end: Some(Box::new(end(random, now))) },
    }
}

fn end(random: &mut Random, now: Timestamp) -> ChildEnd {
    let status = match random.below(6) {
        0 => Status::Failed,
        1 => Status::Cancelled,
        2 => Status::TimedOut,
        3 => Status::CompletedWithErrors,
        _ => Status::Completed,
    };
    let well = matches!(status, Status::Completed | Status::CompletedWithErrors);
    ChildEnd {
        workflow: "child".into(),
        name: random.one_in(2).then(|| "named".into()),
        input: Json::from_value(&input(random.draw())),
        status,
        output: well.then(|| Json::from_value(&result(random.draw()))),
        failure: (!well && status != Status::Cancelled).then(|| failure(random)),
        started_at: now,
        ended_at: now.plus_ms(random.below(1000)),
    }
}

pub(super) fn failure(random: &mut Random) -> Failure {
    Failure::new(random.pick(ERRORS).copied().unwrap_or_default(), "made up")
}
