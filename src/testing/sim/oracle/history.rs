//! What is true of one history, whoever asked for what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{History, Log, Verdict, body, judge_children, name, number};

/// How an execution ends.
pub(super) const ENDS: &[&str] =
    &["ExecutionCompleted", "ExecutionFailed", "ExecutionCancelled", "ExecutionTimedOut"];
const ATTEMPT_ENDS: &[&str] = &["JobSucceeded", "JobFailed", "JobTimedOut", "AttemptLost"];

type Attempt = (u64, u64);

/// What has happened up to some event.
#[derive(Default)]
struct Past<'l> {
    ended: bool,
    cancelled: bool,
    paused: bool,
    /// Frames in which something is undone.
    cleaning: BTreeSet<u64>,
    frames_of_jobs: BTreeMap<u64, u64>,
    begun: BTreeSet<Attempt>,
    over: BTreeSet<Attempt>,
    last: (&'l str, Attempt),
    progress: u64,
}

/// Judges one history.
pub(super) fn judge_history(id: &str, history: &History<'_>, log: &Log<'_>) -> Verdict {
    if history.deleted.is_some() {
        return Ok(());
    }
    let mut past = Past::default();
    for record in &history.records {
        past.take(record).map_err(|fault| {
            format!("{id}, event {} {}: {fault}", record["sequence"], name(record))
        })?;
        if past.ended {
            judge_children(id, record, log)?;
        }
    }
    Ok(())
}

fn ensure(holds: bool, fault: &str) -> Verdict {
    if holds { Ok(()) } else { Err(fault.to_owned()) }
}

impl<'l> Past<'l> {
    fn take(&mut self, record: &'l Value) -> Verdict {
        let name = name(record);
        let goes_on = matches!(name, "ExecutionRedriven" | "ExecutionDeleted");
        ensure(!self.ended || goes_on, "it had ended")?;
        self.stand(name, body(record));
        self.begin(name, body(record))?;
        self.end_attempt(name, body(record))?;
        self.progress(name, body(record))
    }

    /// Whether it is ended, paused, asked to stop.
    fn stand(&mut self, name: &str, body: &Value) {
        let by_itself = body["scope"] == json!("Execution");
        match name {
            "ExecutionRedriven" => {
                (self.ended, self.cancelled, self.paused) = (false, false, false);
                self.cleaning.clear();
            }
            // A cancel is carried out, clean-up and all, whatever was paused; so is the end.
            "CancelRequested" => (self.cancelled, self.paused) = (true, false),
            "ExecutionClosing" => self.paused = false,
            "ExecutionPaused" if by_itself => self.paused = true,
            "ExecutionResumed" if by_itself => self.paused = false,
            _ if ENDS.contains(&name) => self.ended = true,
            _ => {}
        }
    }

    /// Nothing begins after a cancel but clean-up, no job in a pause, and no attempt twice.
    fn begin(&mut self, name: &str, body: &Value) -> Verdict {
        let (job, frame) = (number(body, "job"), number(body, "frame"));
        let may = |past: &Self, frame| !past.cancelled || past.cleaning.contains(&frame);
        match name {
            "CleanupStarted" => drop(self.cleaning.insert(frame)),
            "FrameStarted" if self.cleaning.contains(&number(body, "parent")) => {
                self.cleaning.insert(frame);
            }
            "JobScheduled" => {
                self.frames_of_jobs.insert(job, frame);
                ensure(may(self, frame), "a job is scheduled after the cancel")?;
            }
            "ItemStarted" => ensure(may(self, frame), "a part begins after the cancel")?,
            "JobStarted" => {
                let frame = self.frames_of_jobs.get(&job).copied().unwrap_or(u64::MAX);
                ensure(may(self, frame), "a job begins after the cancel")?;
                ensure(!self.paused, "a job begins while the execution is paused")?;
                let is_new = self.begun.insert((job, number(body, "attempt")));
                ensure(is_new, "the attempt begins again")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn end_attempt(&mut self, name: &'l str, body: &Value) -> Verdict {
        let attempt = (number(body, "job"), number(body, "attempt"));
        // One that was lost once too often has failed with that.
        let fails_by_loss = name == "JobFailed" && self.last == ("AttemptLost", attempt);
        self.last = (name, attempt);
        let is_first = !ATTEMPT_ENDS.contains(&name) || self.over.insert(attempt);
        ensure(is_first || fails_by_loss, "the attempt ends again")
    }

    fn progress(&mut self, name: &str, body: &Value) -> Verdict {
        let most = number(body, "progress").max(number(body, "percent"));
        ensure(most <= 100, "more than all is done")?;
        let now = body["progress"].as_u64().unwrap_or(self.progress);
        let may_fall = matches!(name, "ExecutionRedriven" | "PartsKept");
        ensure(now >= self.progress || may_fall, "progress falls")?;
        self.progress = now;
        Ok(())
    }
}
