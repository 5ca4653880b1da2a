//! Reasons in words.

use super::{Reason, ReasonKind};
use crate::engine::Timestamp;
use crate::view::{counted, duration, one_line};

/// Holders of a place that are named; the rest are counted.
const HOLDERS_NAMED: usize = 5;

/// What `reason` says at `now`, in one line.
pub(super) fn sentence(reason: &Reason, now: Timestamp) -> String {
    let mut told = if reason.kind == ReasonKind::Cleanup { String::new() } else { place(reason) };
    told.push_str(&what(reason, now));
    if let Some(due) = reason.times_out_at {
        told.push_str(&format!(", times out {}", when(due, now)));
    }
    if let Some(due) = reason.heartbeat_due_at {
        told.push_str(&format!(", next sign of life due {}", when(due, now)));
    }
    told
}

/// `step "Fetch", job 7: `.
fn place(reason: &Reason) -> String {
    let step = reason.step_name.as_ref().map(|name| format!("step \"{}\"", one_line(name, 60)));
    let job = reason.job_id.as_ref().and_then(|id| id.rsplit(':').next());
    match (step, job) {
        (Some(step), Some(job)) => format!("{step}, job {job}: "),
        (Some(step), None) => format!("{step}: "),
        (None, Some(job)) => format!("job {job}: "),
        (None, None) => String::new(),
    }
}

fn what(reason: &Reason, now: Timestamp) -> String {
    let since = reason.since.map(|since| duration(now.ms_since(since))).unwrap_or_default();
    let until = reason.until.map(|until| when(until, now)).unwrap_or_default();
    let job_type = reason.job_type.as_deref().map(|name| one_line(name, 80)).unwrap_or_default();
    let attempt = reason.attempt.unwrap_or(1);
    let handle = reason.execution_handle.as_deref().unwrap_or_default();
    match reason.kind {
        ReasonKind::Timer => {
            let moment = reason.until.unwrap_or(now);
            format!("waits until {moment}, {until}; it has for {since}")
        }
        ReasonKind::Retry => retry(reason, &until),
        ReasonKind::Worker => {
            format!(
                "attempt {attempt} has been ready for {since}, and waits for a worker for {job_type}"
            )
        }
        ReasonKind::NoWorker => {
            format!(
                "attempt {attempt} has been ready for {since}, and the running engine has no \
                 worker for {job_type}"
            )
        }
        ReasonKind::WorkersBusy => {
            let slots = match reason.limit {
                Some(limit) => {
                    let (slots, are) = if limit == 1 { ("slot", "is") } else { ("slots", "are") };
                    format!("all {limit} {slots} of type {job_type} {are} taken")
                }
                None => format!("all workers for {job_type} are busy"),
            };
            format!("attempt {attempt} has been ready for {since}; {slots}{}", ahead(reason))
        }
        ReasonKind::ProcessBusy => format!(
            "attempt {attempt} has been ready for {since}; the process limit of {} is reached{}",
            counted(reason.limit.unwrap_or(0), "running job"),
            ahead(reason)
        ),
        ReasonKind::Place => place_words(reason, &since),
        ReasonKind::JobTypePaused => {
            format!(
                "attempt {attempt} waits: {}",
                paused(reason, &format!("job type {job_type}"), now)
            )
        }
        ReasonKind::Paused => paused(reason, "it", now),
        ReasonKind::WorkflowPaused => {
            let workflow = reason.workflow.as_deref().unwrap_or_default();
            paused(reason, &format!("all of workflow {}", one_line(workflow, 80)), now)
        }
        ReasonKind::AtWork => at_work(reason, &since),
        ReasonKind::CutOff => {
            format!("attempt {attempt} was cut off with its process; the next start deals with it")
        }
        ReasonKind::Callback => {
            format!("attempt {attempt} has waited for its callback for {since}")
        }
        ReasonKind::Execution => format!("has waited for execution {handle} for {since}"),
        ReasonKind::WorkerStopping => {
            format!(
                "its worker was asked to stop {since} ago; it is given up {}",
                if until.is_empty() { "in time" } else { &until }
            )
        }
        ReasonKind::ExecutionStopping => {
            format!("execution {handle} was asked to stop {since} ago")
        }
        ReasonKind::Cleanup => cleanup(reason, &since, &until),
        ReasonKind::Ready => "goes on as soon as the engine comes to it".to_owned(),
    }
}

/// `, 3 before it`.
fn ahead(reason: &Reason) -> String {
    reason.ahead.map(|ahead| format!(", {ahead} before it")).unwrap_or_default()
}

/// Which place it waits for, who has it, and when its turn comes.
fn place_words(reason: &Reason, since: &str) -> String {
    let key = reason.place.as_deref().map(|key| one_line(key, 80)).unwrap_or_default();
    let mut told = format!("waits for a place: {key}, limit {}", reason.limit.unwrap_or(0));
    let named: Vec<&str> = reason.held_by.iter().take(HOLDERS_NAMED).map(String::as_str).collect();
    if !named.is_empty() {
        told.push_str(&format!(", held by {}", named.join(", ")));
        let more = reason.held_by.len() - named.len();
        if more > 0 {
            told.push_str(&format!(" and {more} more"));
        }
    }
    if let Some(ahead) = reason.ahead {
        told.push_str(&format!(", number {} in the queue", ahead.saturating_add(1)));
    }
    told.push_str(&format!("; it has for {since}"));
    told
}

/// Who paused what, when and why.
fn paused(reason: &Reason, what: &str, now: Timestamp) -> String {
    let by = one_line(reason.by.as_deref().unwrap_or_default(), 80);
    let at = reason.since.unwrap_or(now);
    let ago = duration(now.ms_since(at));
    let why = reason.reason.as_deref().map(|why| format!(": {}", one_line(why, 200)));
    format!("{by} paused {what} at {at}, {ago} ago{}", why.unwrap_or_default())
}

fn retry(reason: &Reason, until: &str) -> String {
    let what = match reason.attempt {
        Some(attempt) => format!("attempt {attempt} starts {until}"),
        None => format!("is tried again {until}"),
    };
    match (reason.retry, reason.max_retries) {
        (Some(retry), Some(most)) => format!("{what} (retry {retry} of {most})"),
        (Some(retry), None) => format!("{what} (retry {retry})"),
        (None, _) => what,
    }
}

fn cleanup(reason: &Reason, since: &str, until: &str) -> String {
    let state = reason.cleanup_state.as_deref().map(|name| one_line(name, 60)).unwrap_or_default();
    let what = match &reason.step_name {
        Some(step) => format!("cleaning up after step \"{}\" with", one_line(step, 60)),
        None => "OnCancel runs".to_owned(),
    };
    format!("{what} \"{state}\" for {since}; what is left is given up {until}")
}

fn at_work(reason: &Reason, since: &str) -> String {
    let worker = reason.worker.as_deref().map(|worker| format!(" on {}", one_line(worker, 60)));
    let progress = reason.progress.map(|percent| format!(", {percent}%"));
    let message = reason.message.as_deref().map(|words| format!(", {}", one_line(words, 100)));
    format!(
        "attempt {} has been at work for {since}{}{}{}",
        reason.attempt.unwrap_or(1),
        worker.unwrap_or_default(),
        progress.unwrap_or_default(),
        message.unwrap_or_default()
    )
}

/// `in 41s`, or that it should have been.
fn when(moment: Timestamp, now: Timestamp) -> String {
    match moment.ms_since(now) {
        0 => "now".to_owned(),
        ms => format!("in {}", duration(ms)),
    }
}
