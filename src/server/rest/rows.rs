//! An execution in a list.

use serde::Serialize;

use crate::language::machine_fields::Labels;
use crate::runtime::{Orchestrator, Rows, Summary};
use crate::view::{FailureCard, PauseCard};

/// An execution in a list, for programs.
#[derive(Debug, Serialize)]
pub struct ExecutionRow<'s> {
    id: String,
    handle: String,
    workflow: &'s str,
    labels: Labels,
    /// What it shares its place by, where its workflow says how many may run.
    place: Option<&'s str>,
    name: Option<&'s str>,
    parent: Option<String>,
    /// Whether it is a part of a distributed Map.
    is_part: bool,
    status: &'static str,
    progress: u8,
    seconds_left: Option<u64>,
    step_name: Option<&'s str>,
    message: Option<&'s str>,
    total_errors: u32,
    failure: Option<FailureCard>,
    started_at: String,
    ended_at: Option<String>,
    paused: Option<PauseCard>,
    set_aside: Option<&'s str>,
}

impl<'s> ExecutionRow<'s> {
    /// The row of an execution whose workflow has these labels.
    #[must_use]
    pub fn of(row: &'s Summary, labels: Labels) -> Self {
        Self {
            id: row.id.to_string(),
            handle: row.id.handle(),
            workflow: &row.workflow,
            labels,
            place: row.place.as_ref().map(|place| &*place.key),
            name: row.name.as_deref(),
            parent: row.parent.as_ref().map(|parent| parent.execution.to_string()),
            is_part: !Rows::Own.has(row),
            status: row.status.as_str(),
            progress: row.progress,
            seconds_left: row.seconds_left,
            step_name: row.step.as_deref(),
            message: row.message.as_deref(),
            total_errors: row.total_errors,
            failure: row.failure.as_ref().map(FailureCard::of),
            started_at: row.started_at.to_string(),
            ended_at: row.ended_at.map(|at| at.to_string()),
            paused: PauseCard::of(&row.pauses),
            set_aside: row.set_aside.as_deref(),
        }
    }
}

/// The labels of the version that an execution runs.
pub(in crate::server) fn labels_of(engine: &Orchestrator, row: &Summary) -> Labels {
    let program = row.definition.and_then(|definition| engine.program(definition));
    program.map(|program| program.workflow.labels.clone()).unwrap_or_default()
}
