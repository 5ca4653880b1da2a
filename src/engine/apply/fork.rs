//! Parallel and Map: parts begin and end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::timer_of;
use crate::engine::event::{
    Data, Failure, ForkStarted, FrameFailed, FrameStarted, FrameSucceeded, ItemFailed,
    ItemProgressed, ItemStarted, ItemSucceeded, KeptPart, MapRunChanged, PartsKept,
};
use crate::engine::execution::{Activity, Execution, Fork, Frame, Items, MapRun, Part};
use crate::engine::id::{ExecutionId, FrameId, Timestamp};
use crate::engine::kept::KeptParts;
use crate::language::Json;

impl Fork {
    /// The input that a part of a distributed Map has.
    pub(in crate::engine) fn input_of_item(&self, body: &ItemStarted) -> Json {
        match (&body.input, &self.items) {
            (Data::New(input), _) => input.clone(),
            (Data::Kept | Data::Result, Some(items)) => items.get(body.index as usize),
            (Data::Kept | Data::Result, None) => Json::null(),
        }
    }
}

impl Execution {
    pub(super) fn fork_started(&mut self, body: &ForkStarted, at: Timestamp) {
        let items = body.items.as_ref().map(|items| Items::of(self.resolve(body.frame, items)));
        let fork = Fork {
            total: body.total,
            concurrency: body.concurrency,
            items,
            batch_ends: body.batch_ends.clone(),
            batch_input: body.batch_input.clone(),
            tolerated_failures: body.tolerated_failures,
            counts_errors: body.counts_errors,
            keeps_outputs: body.keeps_outputs,
            output_bytes: 0,
            opened_at: at,
            started: 0,
            next: 0,
            kept: BTreeSet::new(),
            running: BTreeSet::new(),
            outputs: BTreeMap::new(),
            told_failures: BTreeSet::new(),
            failed: 0,
            failed_items: 0,
            cancelled: 0,
            failure: None,
            run: body.run.map(|id| MapRun { id, children: BTreeMap::new(), succeeded: 0 }),
        };
        // The items may have been what a reader gave.
        if let Some(frame) = self.frames.get_mut(&body.frame) {
            frame.result = None;
        }
        self.set_activity(body.frame, Activity::Forked(Box::new(fork)));
        if let Some(step) = self.step_of(body.frame) {
            step.attempts += 1;
            step.parts = body.total;
            step.parts_completed = 0;
            step.parts_failed = 0;
            step.kept = KeptParts::default();
        }
    }

    pub(super) fn frame_started(&mut self, body: &FrameStarted, at: Timestamp) {
        self.frame_count = self.frame_count.max(body.frame.0.saturating_add(1));
        let parent = Some((body.parent, body.index));
        self.frames.insert(body.frame, Frame::new(parent, Json::null(), at));
        if let Some(fork) = self.fork_mut(body.parent) {
            fork.begin(body.index);
            fork.running.insert(body.frame);
        }
        self.refresh(body.parent);
        self.refresh(body.frame);
    }

    pub(super) fn parts_kept(&mut self, body: &PartsKept) {
        self.raise_progress(body.progress);
        self.total_errors += body.parts.iter().map(|part| part.errors).sum::<u32>();
        let count = u32::try_from(body.parts.len()).unwrap_or(u32::MAX);
        if let Some(fork) = self.fork_mut(body.frame) {
            for KeptPart { index, output, .. } in &body.parts {
                fork.kept.insert(*index);
                if let Data::New(output) = output {
                    fork.keep_output(*index, output.clone());
                }
            }
            fork.started += count;
            fork.skip_kept();
            if let Some(run) = &mut fork.run {
                run.succeeded += count;
            }
        }
        if let Some(step) = self.step_of(body.frame) {
            step.parts_completed += count;
        }
        self.refresh(body.frame);
    }

    pub(super) fn frame_succeeded(&mut self, body: &FrameSucceeded) {
        self.raise_progress(body.progress);
        let output = self.resolve(body.frame, &body.output);
        let Some((parent, index)) = self.close_frame(body.frame) else { return };
        if let Some(fork) = self.fork_mut(parent) {
            fork.keep_output(index, output);
        }
        if let Some(step) = self.step_of(parent) {
            step.parts_completed += 1;
        }
        self.refresh(parent);
    }

    pub(super) fn frame_failed(&mut self, body: &FrameFailed) {
        self.raise_progress(body.progress);
        let Some((parent, index)) = self.close_frame(body.frame) else { return };
        self.part_failed(parent, index, &body.failure, None);
    }

    /// What is tolerated stands among the results as what it is.
    fn part_failed(
        &mut self,
        parent: FrameId,
        index: u32,
        failure: &Failure,
        child: Option<ExecutionId>,
    ) {
        let Failure { error, cause } = failure;
        let told = json!({"Status": "FAILED", "Error": &**error, "Cause": &**cause});
        let counts = self.fork_mut(parent).is_some_and(|fork| {
            fork.keep_output(index, Json::from_value(&told));
            if fork.keeps_outputs {
                fork.told_failures.insert(index);
            }
            let tolerated = fork.note_failure(index, failure);
            tolerated && fork.counts_errors
        });
        self.count_error(counts);
        if let Some(step) = self.step_of(parent) {
            step.parts_failed += 1;
            step.failure = Some(failure.clone());
            step.kept.note_failure(index, failure, child);
        }
        self.refresh(parent);
    }

    pub(super) fn frame_cancelled(&mut self, id: FrameId) {
        let Some((parent, _)) = self.close_frame(id) else { return };
        if let Some(fork) = self.fork_mut(parent) {
            fork.cancelled += 1;
        }
    }

    pub(super) fn item_cancelled(&mut self, frame: FrameId, child: ExecutionId) {
        self.uncounted_events += 1;
        if self.take_part(frame, child).is_some()
            && let Some(fork) = self.fork_mut(frame)
        {
            fork.cancelled += 1;
        }
        self.leaving.insert(child, self.sequence);
    }

    pub(super) fn map_run_changed(&mut self, body: &MapRunChanged) {
        if let Some(fork) = self.fork_mut(body.frame) {
            fork.concurrency = body.change.concurrency;
            fork.tolerated_failures = body.change.tolerated_failures;
        }
        self.refresh(body.frame);
    }

    pub(super) fn item_started(&mut self, body: &ItemStarted) {
        self.uncounted_events += 1;
        if let Some(fork) = self.fork_mut(body.frame) {
            fork.begin(body.index);
            let input = fork.input_of_item(body);
            if let Some(run) = &mut fork.run {
                run.children.insert(body.child, Part { index: body.index, input, percent: 0 });
            }
        }
        self.refresh(body.frame);
    }

    pub(super) fn item_progressed(&mut self, body: &ItemProgressed) {
        self.uncounted_events += 1;
        self.raise_progress(body.progress);
        let run = self.fork_mut(body.frame).and_then(|fork| fork.run.as_mut());
        if let Some(part) = run.and_then(|run| run.children.get_mut(&body.child)) {
            part.percent = body.percent;
        }
    }

    /// Lets the step remember what its parts gave, when its Parallel or Map ends without success.
    pub(super) fn keep_outputs_of_parts(&mut self, frame: FrameId) {
        let Some(fork) = self.fork_mut(frame).filter(|_| frame == FrameId::ROOT) else { return };
        let mut outputs = std::mem::take(&mut fork.outputs);
        // What is told of a part that failed is no output of it.
        outputs.retain(|index, _| !fork.told_failures.contains(index));
        if let Some(step) = self.step_of(frame) {
            step.kept.outputs = outputs;
        }
    }

    /// Removes a part of a map run; gives which one it was.
    pub(super) fn take_part(&mut self, frame: FrameId, child: ExecutionId) -> Option<u32> {
        let part = self.fork_mut(frame)?.run.as_mut()?.children.remove(&child)?;
        self.refresh(frame);
        Some(part.index)
    }

    pub(super) fn item_succeeded(&mut self, body: &ItemSucceeded) {
        let ItemSucceeded { frame, child, ref output, with_errors, progress } = *body;
        self.uncounted_events += 1;
        self.raise_progress(progress);
        let Some(index) = self.take_part(frame, child) else { return };
        let counts = self.fork_mut(frame).is_some_and(|fork| fork.counts_errors);
        self.count_error(with_errors && counts);
        if let Some(fork) = self.fork_mut(frame) {
            if let Some(run) = &mut fork.run {
                run.succeeded += 1;
            }
            if let Data::New(output) = output {
                fork.keep_output(index, output.clone());
            }
        }
        if let Some(step) = self.step_of(frame) {
            step.parts_completed += 1;
        }
        self.refresh(frame);
    }

    pub(super) fn item_failed(&mut self, body: &ItemFailed) {
        self.uncounted_events += 1;
        self.raise_progress(body.progress);
        let Some(index) = self.take_part(body.frame, body.child) else { return };
        self.part_failed(body.frame, index, &body.failure, Some(body.child));
    }

    /// Removes a frame with its job and timers; gives where it belonged.
    pub(super) fn close_frame(&mut self, id: FrameId) -> Option<(FrameId, u32)> {
        self.leave_job(id);
        let frame = self.frames.remove(&id)?;
        if let Some(timer) = timer_of(id, &frame.activity) {
            self.timers.remove(&timer);
        }
        self.ready.remove(&id);
        let (parent, index) = frame.parent?;
        if let Some(fork) = self.fork_mut(parent) {
            fork.running.remove(&id);
        }
        self.refresh(parent);
        Some((parent, index))
    }

    pub(super) fn fork_mut(&mut self, frame: FrameId) -> Option<&mut Fork> {
        match &mut self.frames.get_mut(&frame)?.activity {
            Activity::Forked(fork) => Some(fork),
            Activity::Ready | Activity::Job | Activity::Waiting(_) | Activity::BackingOff(_) => {
                None
            }
        }
    }
}

impl Fork {
    fn begin(&mut self, index: u32) {
        self.started += 1;
        self.next = self.next.max(index.saturating_add(1));
        self.skip_kept();
    }

    fn skip_kept(&mut self) {
        while self.kept.contains(&self.next) {
            self.next += 1;
        }
    }

    fn keep_output(&mut self, index: u32, output: Json) {
        if self.keeps_outputs {
            self.output_bytes += output.len_bytes() as u64;
            self.outputs.insert(index, output);
        }
    }

    /// Counts a part that failed; whether that is tolerated. A batch counts as many times as it has
    /// items.
    fn note_failure(&mut self, index: u32, failure: &Failure) -> bool {
        self.failed += 1;
        let batch = self.batch(index);
        let count = batch.end.saturating_sub(batch.start);
        self.failed_items = self.failed_items.saturating_add(count);
        let tolerated = self.failed_items <= self.tolerated_failures;
        if !tolerated && self.failure.is_none() {
            self.failure = Some(failure.clone());
        }
        tolerated
    }
}
