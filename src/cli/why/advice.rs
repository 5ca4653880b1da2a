//! What to type next, by what an execution waits for.

use serde::Serialize;

use super::super::Context;
use super::super::wait::{data_flag, quoted};
use crate::engine::ExecutionId;
use crate::view::{Reason, ReasonKind, Why, WhyState};

/// A command, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Advice {
    pub(super) purpose: &'static str,
    pub(super) command: String,
}

/// More than this nobody reads.
const MOST: usize = 5;

/// What can be done about how an execution stands, the most useful first.
pub(super) fn advice(context: &Context, id: ExecutionId, why: &Why) -> Vec<Advice> {
    let id = id.short();
    let mut advice: Vec<(&'static str, String)> = Vec::new();
    if why.engine_runs == Some(false) && why.end.is_none() {
        advice.push(("to go on", "serve".to_owned()));
    }
    match why.state {
        WhyState::Ended => advice.extend(after_end(&id, why)),
        WhyState::SetAside => advice.push(("to report it", format!("log show {id} --json"))),
        WhyState::Working
        | WhyState::Waiting
        | WhyState::Paused
        | WhyState::Stopping
        | WhyState::CleaningUp => {
            let now = why.reasons.iter().filter_map(|reason| for_reason(&id, reason, true));
            let later = why.reasons.iter().filter_map(|reason| for_reason(&id, reason, false));
            for more in now.chain(later) {
                if advice.len() < MOST && !advice.contains(&more) {
                    advice.push(more);
                }
            }
            match (&why.cancel, why.state) {
                (Some(_), _) => advice.push(("to force its end", format!("cancel --force {id}"))),
                (None, WhyState::Stopping) => {}
                (None, _) => advice.push(("to give up", format!("cancel {id}"))),
            }
        }
    }
    let flag = data_flag(context);
    let full =
        |(purpose, command)| Advice { purpose, command: format!("everstep {command}{flag}") };
    advice.into_iter().map(full).collect()
}

fn after_end(id: &str, why: &Why) -> Vec<(&'static str, String)> {
    let point = why.end.as_ref().and_then(|end| end.first_failure.as_ref());
    let before = point.map(|point| point.sequence.saturating_sub(1).max(1));
    let mut advice = Vec::new();
    if why.end.as_ref().is_some_and(|end| end.can_be_retried) {
        advice.push(("to go on with it", format!("retry {id}")));
    }
    if let Some(before) = before {
        advice.push(("as it was before that", format!("log at {id} {before}")));
    }
    advice.push(("what it gave", format!("show {id} --result")));
    advice.push(("all that happened", format!("log show {id}")));
    advice
}

/// What can be done about a reason; first that which makes it go on now, where there is such a thing.
fn for_reason(id: &str, reason: &Reason, is_now: bool) -> Option<(&'static str, String)> {
    let child = reason.execution_handle.as_deref().unwrap_or_default();
    let job_type = reason.job_type.as_deref().unwrap_or_default();
    Some(match reason.kind {
        ReasonKind::Paused => ("to resume it", format!("resume {id}")),
        ReasonKind::WorkflowPaused => {
            let workflow = quoted(reason.workflow.as_deref().unwrap_or_default());
            ("to resume all of it", format!("resume --workflow {workflow}"))
        }
        ReasonKind::JobTypePaused => {
            ("to resume such jobs", format!("resume --job-type {}", quoted(job_type)))
        }
        ReasonKind::NoWorker => {
            ("to serve it", format!("serve --config FILE, with [jobs.{job_type:?}] in FILE"))
        }
        ReasonKind::Place => ("who has it", format!("show {}", reason.held_by.first()?)),
        ReasonKind::WorkersBusy | ReasonKind::ProcessBusy => {
            ("who is at work", "list --status unfinished".to_owned())
        }
        ReasonKind::Callback => ("to answer", "callback complete TOKEN --result JSON".to_owned()),
        ReasonKind::Execution | ReasonKind::ExecutionStopping => {
            ("more about it", format!("why {child}"))
        }
        ReasonKind::Retry if is_now => ("to try again now", format!("retry {id} --now")),
        ReasonKind::Retry => ("what failed", format!("log show {id} --type JobFailed,JobTimedOut")),
        ReasonKind::AtWork | ReasonKind::WorkerStopping => ("how far it is", format!("show {id}")),
        ReasonKind::Cleanup => ("what is undone", format!("show {id}")),
        ReasonKind::Timer | ReasonKind::Worker | ReasonKind::CutOff | ReasonKind::Ready => {
            return None;
        }
    })
}
