//! Parts of Parallels and Maps, and runs of distributed Maps.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::fold::{Branch, Fold};
use crate::engine::event::{ForkStarted, FrameFailed, FrameStarted};
use crate::engine::{Event, FrameId};
use crate::language::StateName;

/// The parts of a Parallel or Map.
pub(super) struct Opened {
    /// The event with which it opened.
    started: u64,
    /// What made places free in it that nobody has taken.
    freed: VecDeque<u64>,
    /// The last event of the part that failed last.
    pub(super) broken: Option<u64>,
    /// Whether each part is an execution of its own.
    pub(super) is_run: bool,
}

impl Fold<'_> {
    /// An event of a part; whether it is one.
    pub(super) fn take_part(&mut self, event: &Event) -> bool {
        match event {
            Event::ForkStarted(body) => self.open(body),
            Event::FrameStarted(body) => self.part_started(body),
            Event::FrameSucceeded(body) => self.part_succeeded(body.frame),
            Event::FrameFailed(body) => self.part_failed(body),
            Event::FrameCancelled(body) => self.part_cancelled(body.frame),
            _ => return false,
        }
        true
    }

    /// A distributed Map opens before its items are read; how many there are is not known.
    pub(super) fn open_reading(&mut self, frame: FrameId) {
        if self.standing(frame).is_some_and(|standing| standing.opened.is_none()) {
            self.open_parts(frame, Some(0));
        }
    }

    fn open_parts(&mut self, frame: FrameId, length: Option<u32>) {
        let Some(kind) = self.standing(frame).map(|standing| standing.kind) else { return };
        let details = || length.map(|length| json!({"length": length}));
        self.go_on(frame, format!("{kind}StateStarted"), details);
        let started = self.last(frame);
        if let Some(standing) = self.standing(frame) {
            let freed = VecDeque::new();
            standing.opened = Some(Opened { started, freed, broken: None, is_run: false });
        }
    }

    fn open(&mut self, body: &ForkStarted) {
        let frame = body.frame;
        if self.standing(frame).is_some_and(|standing| standing.opened.is_none()) {
            // The items, also where they are batched.
            let items = body.batch_ends.last().copied().unwrap_or(body.total);
            self.open_parts(frame, body.items.is_some().then_some(items));
        }
        let Some(run) = body.run else { return };
        let Some(standing) = self.standing(frame) else { return };
        if let Some(opened) = &mut standing.opened {
            opened.is_run = true;
        }
        let resumes = std::mem::take(&mut standing.resumes);
        if !resumes {
            (standing.run, standing.redrives) = (Some(run), 0);
        }
        let (run, count) = (standing.run.unwrap_or(run), standing.redrives);
        let arn = self.names.map_run(&self.execution.workflow, self.execution.id, run);
        if resumes {
            let details = || Some(json!({"mapRunArn": arn, "redriveCount": count}));
            self.go_on(frame, "MapRunRedriven", details);
        } else {
            self.go_on(frame, "MapRunStarted", || Some(json!({"mapRunArn": arn})));
        }
    }

    fn part_started(&mut self, body: &FrameStarted) {
        let of = (body.parent, body.index);
        let map = self.map_of(Some(of));
        let Some(opened) = self.standing(body.parent).and_then(|s| s.opened.as_mut()) else {
            return;
        };
        let mut last = opened.started;
        if let Some(map) = map {
            last = opened.freed.pop_front().unwrap_or(last);
            last = self.push("MapIterationStarted", last, || Some(iteration(&map, body.index)));
        }
        self.branches.insert(body.frame, Branch { of: Some(of), last, standing: None });
    }

    /// The Map of which a part is an iteration.
    fn map_of(&mut self, of: Option<(FrameId, u32)>) -> Option<StateName> {
        let (parent, _) = of?;
        let standing = self.standing(parent)?;
        (standing.kind == "Map").then(|| standing.name.clone())
    }

    fn part_succeeded(&mut self, frame: FrameId) {
        let map = self.map_of(self.branches.get(&frame).and_then(|branch| branch.of));
        let Some(branch) = self.branches.remove(&frame) else { return };
        let Some((parent, index)) = branch.of else { return };
        let mut end = branch.last;
        if let Some(map) = map {
            end = self.push("MapIterationSucceeded", end, || Some(iteration(&map, index)));
        }
        self.free(parent, branch.last);
        self.lead(parent, end);
    }

    /// Another part may begin, because this event was the last of one.
    fn free(&mut self, parent: FrameId, last: u64) {
        let opened = self.standing(parent).and_then(|standing| standing.opened.as_mut());
        if let Some(opened) = opened {
            opened.freed.push_back(last);
        }
    }

    fn part_failed(&mut self, body: &FrameFailed) {
        self.fail(body.frame, &body.failure, true);
        let map = self.map_of(self.branches.get(&body.frame).and_then(|branch| branch.of));
        let Some(branch) = self.branches.remove(&body.frame) else { return };
        let Some((parent, index)) = branch.of else { return };
        let mut end = branch.last;
        if let Some(map) = map {
            end = self.push("MapIterationFailed", end, || Some(iteration(&map, index)));
        }
        if branch.standing.is_some_and(|standing| standing.kind == "Task") {
            self.push("TaskStateAborted", branch.last, || None);
        }
        self.free(parent, branch.last);
        self.lead(parent, end);
        if let Some(opened) = self.standing(parent).and_then(|standing| standing.opened.as_mut()) {
            opened.broken = Some(branch.last);
        }
    }

    /// A part was stopped: what broke the state around it led to that.
    fn part_cancelled(&mut self, frame: FrameId) {
        let map = self.map_of(self.branches.get(&frame).and_then(|branch| branch.of));
        let Some(branch) = self.branches.remove(&frame) else { return };
        let previous = self.broken_around(branch.of).unwrap_or(branch.last);
        if let (Some(map), Some((_, index))) = (map, branch.of) {
            self.push("MapIterationAborted", previous, || Some(iteration(&map, index)));
        }
        self.abort(&branch, previous);
    }

    fn broken_around(&self, of: Option<(FrameId, u32)>) -> Option<u64> {
        let mut around = of;
        while let Some((parent, _)) = around {
            let branch = self.branches.get(&parent)?;
            let opened = branch.standing.as_ref().and_then(|standing| standing.opened.as_ref());
            if let Some(broken) = opened.and_then(|opened| opened.broken) {
                return Some(broken);
            }
            around = branch.of;
        }
        None
    }

    /// The state of a branch that is given up.
    fn abort(&mut self, branch: &Branch, previous: u64) {
        let Some(standing) = &branch.standing else { return };
        if standing.opened.as_ref().is_some_and(|opened| opened.is_run) {
            self.push("MapRunAborted", previous, || None);
        }
        if matches!(standing.kind, "Task" | "Wait" | "Map" | "Parallel") {
            self.push(format!("{}StateAborted", standing.kind), previous, || None);
        }
    }

    /// The execution is stopped. AWS says nothing of the state that it is in, unless that has parts.
    pub(super) fn abort_root(&mut self) {
        let Some(root) = self.branches.remove(&FrameId::ROOT) else { return };
        if root.standing.as_ref().is_some_and(|standing| standing.opened.is_some()) {
            self.abort(&root, root.last);
        }
        self.branches.insert(FrameId::ROOT, root);
    }

    /// All parts are done. What led to that leads to the exit too.
    pub(super) fn join(&mut self, frame: FrameId) {
        let Some(standing) = self.standing(frame) else { return };
        let (Some(opened), kind) = (standing.opened.take(), standing.kind) else { return };
        if opened.is_run {
            self.go_on(frame, "MapRunSucceeded", || None);
        }
        self.push(format!("{kind}StateSucceeded"), self.last(frame), || None);
    }
}

fn iteration(map: &str, index: u32) -> Value {
    json!({"name": map, "index": index})
}
