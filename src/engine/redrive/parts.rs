//! The parts of a Parallel or Map that need not be done again.

use std::collections::BTreeMap;

use crate::engine::event::{Data, Event, ForkStarted, KeptPart};
use crate::engine::execution::{Execution, Fork, Frame, Status};
use crate::engine::id::{FrameId, Timestamp};

/// A Parallel or Map that opens again, with the parts that it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptParts {
    /// How it had opened.
    pub fork: ForkStarted,
    /// The parts, by their index.
    pub parts: Vec<KeptPart>,
}

/// What the events of one visit say about the parts of the step.
struct Seen {
    fork: Option<ForkStarted>,
    done: BTreeMap<u32, Data>,
    /// Failures that were caught or tolerated in each part.
    errors: BTreeMap<u32, u32>,
    /// Whether the step was left with success.
    exited: bool,
}

/// What is kept of the step that `execution` has just entered, where `visit` happened then. Of an
/// execution that completed with errors, parts with errors are done again too.
pub(super) fn kept(
    mut execution: Execution,
    visit: &[(&Event, Timestamp)],
    ended: Status,
) -> Option<KeptParts> {
    let mut seen =
        Seen { fork: None, done: BTreeMap::new(), errors: BTreeMap::new(), exited: false };
    for (event, at) in visit {
        let part = Part::of(event, &execution);
        let errors = execution.total_errors;
        execution.apply(event, *at);
        seen.take(event, part, execution.total_errors.saturating_sub(errors), &execution);
    }
    let Seen { fork, done, errors, exited } = seen;
    let errors_of = |index: u32| errors.get(&index).copied().unwrap_or(0);
    let is_kept = |index: u32| ended != Status::CompletedWithErrors || errors_of(index) == 0;
    let parts = done.into_iter().filter(|(index, _)| is_kept(*index));
    let parts: Vec<KeptPart> =
        parts.map(|(index, output)| KeptPart { index, output, errors: errors_of(index) }).collect();
    let fork = fork?;
    // Whoever asks for a step that has nothing left to do wants it done anew.
    let all = u32::try_from(parts.len()).unwrap_or(u32::MAX) == fork.total;
    let none_left = exited && all;
    (!parts.is_empty() && !none_left).then_some(KeptParts { fork, parts })
}

/// What an event is about, as far as the parts of the outermost Parallel or Map go.
enum Part {
    /// The part itself ended.
    Itself(u32),
    /// Something inside of it.
    Inside(u32),
    /// No part.
    None,
}

impl Part {
    /// By the execution as it is before the event.
    fn of(event: &Event, before: &Execution) -> Self {
        let frame_of = |job| before.jobs.get(job).map(|job| job.frame);
        let frame = match event {
            Event::FrameSucceeded(body) => Some(body.frame),
            Event::FrameFailed(body) => Some(body.frame),
            Event::FailureCaught(body) => Some(body.frame),
            Event::JobSucceeded(body) => frame_of(&body.job),
            Event::ItemFailed(body) => Some(body.frame),
            Event::ItemSucceeded(body) if body.frame == FrameId::ROOT => {
                let run = before.frames.get(&FrameId::ROOT).and_then(Frame::map_run);
                let part = run.and_then(|run| run.children.get(&body.child));
                return part.map_or(Self::None, |part| Self::Itself(part.index));
            }
            Event::ItemSucceeded(body) => Some(body.frame),
            _ => None,
        };
        frame.map_or(Self::None, |frame| Self::around(frame, before))
    }

    /// The part that a frame is, or is inside of.
    fn around(frame: FrameId, before: &Execution) -> Self {
        let mut inner = frame;
        while let Some((parent, index)) = before.frames.get(&inner).and_then(|frame| frame.parent) {
            if parent == FrameId::ROOT {
                return if inner == frame { Self::Itself(index) } else { Self::Inside(index) };
            }
            inner = parent;
        }
        Self::None
    }
}

impl Seen {
    fn take(&mut self, event: &Event, part: Part, errors: u32, after: &Execution) {
        let fork = after.frames.get(&FrameId::ROOT).and_then(Frame::fork);
        match (event, &part) {
            (Event::ForkStarted(body), _) if body.frame == FrameId::ROOT => {
                self.fork = fork.map(|fork| reopened(body, fork, after));
                self.done.clear();
                self.errors.clear();
            }
            (Event::PartsKept(body), _) if body.frame == FrameId::ROOT => {
                for KeptPart { index, output, errors } in &body.parts {
                    self.done.insert(*index, output.clone());
                    self.errors.insert(*index, *errors);
                }
            }
            (Event::FrameSucceeded(_), Part::Itself(index)) => {
                let output = fork.and_then(|fork| fork.outputs.get(index)).cloned();
                self.done.extend(output.map(|output| (*index, Data::New(output))));
            }
            (Event::ItemSucceeded(body), Part::Itself(index)) => {
                self.done.insert(*index, body.output.clone());
            }
            (Event::StateExited(body), _) => self.exited |= body.frame == FrameId::ROOT,
            _ => {}
        }
        if errors > 0
            && let Part::Itself(index) | Part::Inside(index) = part
        {
            *self.errors.entry(index).or_default() += errors;
        }
    }
}

/// How a Parallel or Map opens again: with the items that it had.
fn reopened(body: &ForkStarted, fork: &Fork, after: &Execution) -> ForkStarted {
    let data = after.frames.get(&FrameId::ROOT).map(|root| &root.data);
    let items = fork.items.as_ref().map(|items| {
        let is_input = data == Some(&items.text);
        if is_input { Data::Kept } else { Data::New(items.text.clone()) }
    });
    ForkStarted { items, ..body.clone() }
}
