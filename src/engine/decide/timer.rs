//! What time brings.

use super::Decision;
use crate::engine::child::Ending;
use crate::engine::event::{JobHeartbeat, JobTimedOut, RetryStarted, WaitEnded};
use crate::engine::execution::{Status, Timer};
use crate::engine::id::{JobId, Timestamp};
use crate::engine::rejection::Rejection;

impl Decision<'_> {
    pub(super) fn fire_timer(
        &mut self,
        timer: Timer,
        due: Timestamp,
        last_heartbeat: Option<Timestamp>,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running, Status::Cancelling])?;
        if due > self.now || !self.execution.timers.contains(&(due, timer)) {
            return Err(Rejection::NotDue { timer });
        }
        match timer {
            Timer::Wait(frame) => self.emit(WaitEnded { frame }),
            Timer::Retry(frame) => self.emit(RetryStarted { frame }),
            Timer::JobTimeout(job, attempt) => {
                self.emit(JobTimedOut { job, attempt, heartbeat: false });
            }
            Timer::Heartbeat(job, attempt) => self.miss_heartbeat(job, attempt, last_heartbeat),
            Timer::ExecutionTimeout => {
                self.cancel_all_frames();
                self.end(Ending::TimedOut);
            }
            Timer::CancelDeadline => self.miss_cancel_deadline(),
            Timer::CleanupDeadline => self.miss_cleanup_deadline(),
        }
        Ok(())
    }

    fn miss_heartbeat(&mut self, job: JobId, attempt: u32, beat_at: Option<Timestamp>) {
        let interval = self.execution.jobs.get(&job).and_then(|job| job.heartbeat_seconds);
        let alive = beat_at.zip(interval).filter(|(beat, s)| beat.plus_seconds(*s) > self.now);
        match alive {
            Some((beat_at, _)) => self.emit(JobHeartbeat { job, beat_at }),
            None => self.emit(JobTimedOut { job, attempt, heartbeat: true }),
        }
    }
}
