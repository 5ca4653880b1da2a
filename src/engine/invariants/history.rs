//! Rules about a history as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::cleanup::CleanupSeen;
use super::pause::SeenPauses;
use super::{Violation, ensure};
use crate::engine::child::{Child, ChildWait};
use crate::engine::event::{Event, ExecutionRedriven, JobScheduled};
use crate::engine::event_kind::of_catalogue;
use crate::engine::id::{ExecutionId, FrameId, JobId, Timestamp};

/// Holds every rule against the history of one execution, from its first event on: time never
/// runs backward; it begins once, ends at most once, and nothing follows its end but that it is
/// deleted, or a redrive, with which all of that begins again; progress never falls until then; each
/// attempt of a job is scheduled once, taken once and completed once; each frame has
/// one parent; what ends has no part that is still open.
///
/// # Errors
/// The first rule that does not hold.
pub fn check_history(history: &[(Event, Timestamp)]) -> Result<(), Violation> {
    let mut seen = Seen::default();
    for (index, (event, at)) in history.iter().enumerate() {
        seen.take(event, *at).map_err(|violation| Violation {
            name: violation.name,
            detail: format!("event {} ({}): {}", index + 1, event.name(), violation.detail),
        })?;
    }
    Ok(())
}

/// What the events so far have opened.
#[derive(Default)]
struct Seen {
    time: Timestamp,
    begun: bool,
    ended: bool,
    /// Whether it runs with a place.
    has_place: bool,
    /// Whether it waits for its place.
    waits: bool,
    /// Whether it was redriven and waits for its place.
    reopens: bool,
    deleted: bool,
    progress: u8,
    /// Open frames with their parents.
    frames: BTreeMap<FrameId, FrameId>,
    used_frames: BTreeSet<FrameId>,
    jobs: BTreeMap<JobId, Attempts>,
    /// Open parts of distributed Maps, with the frame that stands in the Map.
    items: BTreeMap<ExecutionId, FrameId>,
    /// Executions that were asked to stop.
    leaving: BTreeSet<ExecutionId>,
    pauses: SeenPauses,
    cleanup: CleanupSeen,
}

/// The attempts of a job.
struct Attempts {
    frame: FrameId,
    newest: u32,
    state: Attempt,
    /// Whether a callback may end the attempt although no worker has it.
    has_callback: bool,
    /// The execution that the attempt waits for.
    child: Option<ExecutionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Pending,
    Running,
    Waiting,
    Lost,
    Over,
    Cancelled,
}

impl Seen {
    fn take(&mut self, event: &Event, at: Timestamp) -> Result<(), Violation> {
        ensure(at >= self.time, "time_never_runs_backward", || {
            format!("{at} comes after {}", self.time)
        })?;
        self.time = at;
        let begins = matches!(event, Event::ExecutionStarted(_));
        ensure(begins != self.begun, "a_history_begins_once", String::new)?;
        self.begun = true;
        if let Event::ExecutionRedriven(body) = event {
            self.go_on(body)?;
        }
        let deletes = matches!(event, Event::ExecutionDeleted(_));
        ensure(!deletes || self.ended, "only_what_has_ended_is_deleted", String::new)?;
        let open = (!self.ended || deletes) && !self.deleted;
        ensure(open, "nothing_follows_the_end", String::new)?;
        self.deleted = deletes;
        self.take_place_event(event)?;
        self.pauses.take(event)?;
        if matches!(event, Event::CleanupStarted(_)) {
            self.ensure_quiet(FrameId::ROOT)?;
        }
        self.cleanup.take(event, &self.leaving)?;
        self.take_frame_event(event)?;
        self.take_child_event(event)?;
        self.take_job_event(event)?;
        self.take_end(event)
    }

    /// Who needs a place gets it once, and does nothing before but end.
    fn take_place_event(&mut self, event: &Event) -> Result<(), Violation> {
        const NAME: &str = "work_waits_for_its_place";
        match event {
            Event::ExecutionStarted(body) => {
                self.has_place = body.place.is_some();
                self.waits = self.has_place;
            }
            // Where it goes on is set up at once; it waits for its place there.
            Event::ExecutionRedriven(_) => {
                (self.waits, self.reopens) = (self.has_place, self.has_place);
            }
            Event::ExecutionAdmitted(_) => {
                ensure(self.waits, NAME, || "it did not wait for a place".to_owned())?;
                (self.waits, self.reopens) = (false, false);
            }
            // It will not have it; cleaning up needs none.
            Event::CancelRequested(_) => (self.waits, self.reopens) = (false, false),
            Event::StateEntered(_) | Event::FrameStarted(_) if self.reopens => {}
            Event::StateEntered(_) | Event::JobScheduled(_) | Event::FrameStarted(_) => {
                ensure(!self.waits, NAME, || "it has no place".to_owned())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What had ended begins again; ids that were used are not used again.
    fn go_on(&mut self, body: &ExecutionRedriven) -> Result<(), Violation> {
        ensure(self.ended, "only_what_has_ended_is_redriven", String::new)?;
        self.ended = false;
        self.progress = 0;
        self.frames.clear();
        for job in self.jobs.values_mut() {
            job.state = Attempt::Cancelled;
        }
        self.items.clear();
        self.leaving.clear();
        self.cleanup = CleanupSeen::default();
        self.advance(body.progress)
    }

    fn take_frame_event(&mut self, event: &Event) -> Result<(), Violation> {
        const NAME: &str = "a_parent_ends_after_its_children";
        match event {
            Event::StateEntered(body) => self.advance(body.progress),
            Event::JobProgressed(body) => self.advance(body.progress),
            Event::FrameStarted(body) => self.open(body.frame, body.parent),
            Event::StateExited(body) => self.ensure_quiet(body.frame),
            Event::FailureCaught(body) => self.ensure_quiet(body.frame),
            Event::RetryScheduled(body) => self.ensure_quiet(body.frame),
            Event::FrameSucceeded(body) => self.advance_and_close(body.progress, body.frame),
            Event::FrameFailed(body) => self.advance_and_close(body.progress, body.frame),
            Event::FrameCancelled(body) => self.close(body.frame),
            Event::CleanupStarted(body) => self.open(body.frame, FrameId::ROOT),
            Event::CleanupSucceeded(body) => self.close(body.frame),
            Event::CleanupFailed(body) => body.frame.map_or(Ok(()), |frame| self.close(frame)),
            Event::ForkStarted(body) => ensure(self.is_open(body.frame), NAME, || {
                format!("frame {} opens a state but is not open", body.frame)
            }),
            Event::PartsKept(body) => self.advance(body.progress),
            Event::DefinitionStored(_)
            | Event::ExecutionStarted(_)
            | Event::ExecutionAdmitted(_)
            | Event::ExecutionRedriven(_)
            | Event::RetryStarted(_)
            | Event::WaitStarted(_)
            | Event::WaitEnded(_)
            | Event::JobScheduled(_)
            | Event::JobStarted(_)
            | Event::JobHeartbeat(_)
            | Event::JobSucceeded(_)
            | Event::JobFailed(_)
            | Event::JobTimedOut(_)
            | Event::AttemptLost(_)
            | Event::JobCancelled(_)
            | Event::ItemStarted(_)
            | Event::MapRunChanged(_)
            | Event::ItemProgressed(_)
            | Event::ItemSucceeded(_)
            | Event::ItemFailed(_)
            | Event::ItemCancelled(_)
            | Event::ChildStopped(_)
            | Event::CallbackAwaited(_)
            | Event::CancelRequested(_)
            | Event::CancelExtended(_)
            | Event::CancelForced(_)
            | Event::ExecutionClosing(_)
            | Event::ExecutionCancelled(_)
            | Event::ExecutionCompleted(_)
            | Event::ExecutionFailed(_)
            | Event::ExecutionTimedOut(_)
            | Event::ExecutionSetAside(_)
            | Event::ExecutionPaused(_)
            | Event::ExecutionResumed(_)
            | Event::WorkflowPaused(_)
            | Event::WorkflowResumed(_)
            | Event::JobTypePaused(_)
            | Event::JobTypeResumed(_)
            | of_catalogue!()
            | Event::ExecutionDeleted(_) => Ok(()),
        }
    }

    fn take_child_event(&mut self, event: &Event) -> Result<(), Violation> {
        const NAME: &str = "each_child_ends_once";
        let known = |known: bool, child: &ExecutionId| ensure(known, NAME, || child.to_string());
        match event {
            Event::ItemStarted(body) => {
                let fresh = self.items.insert(body.child, body.frame).is_none();
                known(fresh && self.is_open(body.frame), &body.child)
            }
            Event::ItemProgressed(body) => {
                self.advance(body.progress)?;
                known(self.items.get(&body.child) == Some(&body.frame), &body.child)
            }
            Event::ItemSucceeded(body) => {
                self.advance(body.progress)?;
                known(self.items.remove(&body.child) == Some(body.frame), &body.child)
            }
            Event::ItemFailed(body) => {
                self.advance(body.progress)?;
                known(self.items.remove(&body.child) == Some(body.frame), &body.child)
            }
            Event::ItemCancelled(body) => {
                let open = self.items.remove(&body.child) == Some(body.frame);
                known(open && self.leaving.insert(body.child), &body.child)
            }
            Event::ChildStopped(body) => known(self.leaving.remove(&body.child), &body.child),
            Event::JobTimedOut(body) => self.abandon_child(body.job),
            Event::JobCancelled(body) => self.abandon_child(body.job),
            _ => Ok(()),
        }
    }

    /// A job that no longer waits for its execution has it stopped.
    fn abandon_child(&mut self, job: JobId) -> Result<(), Violation> {
        let job = self.jobs.get(&job).filter(|job| job.state == Attempt::Running);
        let Some(child) = job.and_then(|job| job.child) else { return Ok(()) };
        ensure(self.leaving.insert(child), "each_child_ends_once", || child.to_string())
    }

    fn take_job_event(&mut self, event: &Event) -> Result<(), Violation> {
        use Attempt::{Lost, Over, Pending, Running, Waiting};
        match event {
            Event::JobScheduled(body) => self.schedule(body),
            Event::JobStarted(body) => {
                self.advance_attempt(body.job, body.attempt, &[Pending], Running)
            }
            Event::CallbackAwaited(body) => {
                self.advance_attempt(body.job, body.attempt, &[Running], Waiting)
            }
            Event::JobSucceeded(body) => self.end_attempt(body.job, body.attempt),
            Event::JobFailed(body) => {
                // The attempt that was lost once too often fails.
                self.advance_attempt(body.job, body.attempt, &[Running, Waiting, Lost], Over)
            }
            Event::JobTimedOut(body) => self.end_attempt(body.job, body.attempt),
            Event::AttemptLost(body) => {
                self.advance_attempt(body.job, body.attempt, &[Running], Lost)
            }
            Event::JobCancelled(body) => self.cancel(body.job),
            Event::JobProgressed(body) => self.ensure_running(body.job),
            Event::JobHeartbeat(body) => self.ensure_running(body.job),
            Event::DefinitionStored(_)
            | Event::ExecutionStarted(_)
            | Event::ExecutionAdmitted(_)
            | Event::ExecutionRedriven(_)
            | Event::StateEntered(_)
            | Event::StateExited(_)
            | Event::FailureCaught(_)
            | Event::RetryScheduled(_)
            | Event::RetryStarted(_)
            | Event::WaitStarted(_)
            | Event::WaitEnded(_)
            | Event::ForkStarted(_)
            | Event::PartsKept(_)
            | Event::FrameStarted(_)
            | Event::FrameSucceeded(_)
            | Event::FrameFailed(_)
            | Event::FrameCancelled(_)
            | Event::ItemStarted(_)
            | Event::MapRunChanged(_)
            | Event::ItemProgressed(_)
            | Event::ItemSucceeded(_)
            | Event::ItemFailed(_)
            | Event::ItemCancelled(_)
            | Event::ChildStopped(_)
            | Event::CancelRequested(_)
            | Event::CancelExtended(_)
            | Event::CancelForced(_)
            | Event::CleanupStarted(_)
            | Event::CleanupSucceeded(_)
            | Event::CleanupFailed(_)
            | Event::ExecutionClosing(_)
            | Event::ExecutionCancelled(_)
            | Event::ExecutionCompleted(_)
            | Event::ExecutionFailed(_)
            | Event::ExecutionTimedOut(_)
            | Event::ExecutionSetAside(_)
            | Event::ExecutionPaused(_)
            | Event::ExecutionResumed(_)
            | Event::WorkflowPaused(_)
            | Event::WorkflowResumed(_)
            | Event::JobTypePaused(_)
            | Event::JobTypeResumed(_)
            | of_catalogue!()
            | Event::ExecutionDeleted(_) => Ok(()),
        }
    }

    fn take_end(&mut self, event: &Event) -> Result<(), Violation> {
        if event.is_end() {
            self.ended = true;
            self.ensure_quiet(FrameId::ROOT)?;
            let alone = self.leaving.is_empty() || self.cleanup.may_abandon();
            ensure(alone, "a_parent_ends_after_its_children", || {
                format!("{:?} have not ended", self.leaving)
            })?;
        }
        Ok(())
    }

    fn advance(&mut self, progress: u8) -> Result<(), Violation> {
        let before = std::mem::replace(&mut self.progress, progress);
        ensure((before..=99).contains(&progress), "progress_never_falls", || {
            format!("{progress} percent after {before}")
        })?;
        let stands = progress == before || !self.cleanup.has_begun();
        ensure(stands, "progress_stands_still_in_cleanup", || {
            format!("{progress} percent after {before}")
        })
    }

    fn is_open(&self, frame: FrameId) -> bool {
        frame == FrameId::ROOT || self.frames.contains_key(&frame)
    }

    /// Nothing inside the frame may be open when it leaves a state or ends.
    fn ensure_quiet(&self, frame: FrameId) -> Result<(), Violation> {
        const NAME: &str = "a_parent_ends_after_its_children";
        let child = self.frames.iter().find(|(_, parent)| **parent == frame);
        ensure(child.is_none(), NAME, || format!("frame {frame} has open parts: {child:?}"))?;
        let item = self.items.iter().find(|(_, parent)| **parent == frame);
        ensure(item.is_none(), NAME, || format!("frame {frame} has open items: {item:?}"))?;
        let in_hand = |job: &&Attempts| {
            let open = matches!(job.state, Attempt::Pending | Attempt::Running | Attempt::Waiting);
            job.frame == frame && open
        };
        ensure(self.jobs.values().find(in_hand).is_none(), NAME, || {
            format!("frame {frame} has an open job")
        })
    }

    /// A frame begins inside another that is open, and never again.
    fn open(&mut self, frame: FrameId, parent: FrameId) -> Result<(), Violation> {
        let known = self.is_open(parent);
        let fresh = frame != FrameId::ROOT && self.used_frames.insert(frame);
        ensure(known && fresh, "a_frame_has_one_parent", || {
            format!("frame {frame} of frame {parent}")
        })?;
        self.frames.insert(frame, parent);
        Ok(())
    }

    fn advance_and_close(&mut self, progress: u8, frame: FrameId) -> Result<(), Violation> {
        self.advance(progress)?;
        self.close(frame)
    }

    fn close(&mut self, frame: FrameId) -> Result<(), Violation> {
        self.ensure_quiet(frame)?;
        ensure(self.frames.remove(&frame).is_some(), "a_frame_ends_once", || {
            format!("frame {frame} is not open")
        })?;
        self.jobs.retain(|_, job| job.frame != frame);
        Ok(())
    }

    fn schedule(&mut self, body: &JobScheduled) -> Result<(), Violation> {
        const NAME: &str = "attempts_are_dense";
        let JobScheduled { job: id, frame, attempt, .. } = *body;
        let open = self.is_open(frame);
        ensure(open, NAME, || format!("job {id} is for frame {frame}, which is not open"))?;
        let fresh =
            Attempts { frame, newest: 0, state: Attempt::Over, has_callback: false, child: None };
        let job = self.jobs.entry(id).or_insert(fresh);
        let between = matches!(job.state, Attempt::Over | Attempt::Lost);
        let next = attempt == job.newest + 1 && job.frame == frame;
        ensure(between && next, NAME, || {
            format!("attempt {attempt} of job {id} after attempt {}: {:?}", job.newest, job.state)
        })?;
        job.newest = attempt;
        job.has_callback = body.callback.is_some();
        let waits = |child: &&Child| child.wait != ChildWait::Begin;
        job.child = body.child.as_ref().filter(waits).map(|child| child.execution);
        // An execution needs no worker that takes it.
        job.state = if body.child.is_some() { Attempt::Running } else { Attempt::Pending };
        Ok(())
    }

    /// A worker or a callback ended the attempt, or its time ran out.
    fn end_attempt(&mut self, job: JobId, attempt: u32) -> Result<(), Violation> {
        self.advance_attempt(job, attempt, &[Attempt::Running, Attempt::Waiting], Attempt::Over)
    }

    fn cancel(&mut self, job: JobId) -> Result<(), Violation> {
        use Attempt::{Cancelled, Over, Pending, Running, Waiting};
        let newest = self.jobs.get(&job).map_or(0, |job| job.newest);
        self.advance_attempt(job, newest, &[Pending, Running, Waiting, Over], Cancelled)
    }

    fn advance_attempt(
        &mut self,
        id: JobId,
        attempt: u32,
        from: &[Attempt],
        to: Attempt,
    ) -> Result<(), Violation> {
        let job = self.jobs.get_mut(&id);
        let state = job.as_ref().map(|job| (job.newest, job.state));
        // Whoever has the token may call back while the job queues again after a crash.
        let early = to == Attempt::Over && job.as_ref().is_some_and(|job| job.has_callback);
        let fits = state.is_some_and(|(newest, state)| {
            let open = from.contains(&state) || (early && state == Attempt::Pending);
            newest == attempt && open
        });
        ensure(fits, "an_attempt_ends_once", || {
            format!("attempt {attempt} of job {id} becomes {to:?}, but it is {state:?}")
        })?;
        if let Some(job) = job {
            job.state = to;
        }
        Ok(())
    }

    fn ensure_running(&self, id: JobId) -> Result<(), Violation> {
        let under_way = |job: &Attempts| matches!(job.state, Attempt::Running | Attempt::Waiting);
        let running = self.jobs.get(&id).is_some_and(under_way);
        ensure(running, "only_running_jobs_report", || format!("job {id}"))
    }
}
