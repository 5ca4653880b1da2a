//! Where attempts run, and how many at once: of each job type, and in the whole process.
//!
//! A seat is a slot here, or what a worker of another process has asked for. One afar takes no slot of
//! this process.
//!
//! An attempt needs a slot of its type and one of the process. Whoever does not get both at once
//! queues, and holds neither. When a slot is free again, the attempt that has waited longest among
//! those that could start is started; one whose type is busy holds up nobody else, and is the oldest
//! of its type when a slot of that is free. So none waits for ever while others go past it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::dispatch::Offer;
use super::figures::JobTypeFigures;
use super::remote::{Demand, PollId, Seat, Wish};
use crate::engine::{ExecutionId, JobId};

/// The slots of a process.
#[derive(Debug)]
pub(super) struct Slots {
    limit: usize,
    free: usize,
    lines: BTreeMap<Arc<str>, Line>,
    /// How many wait, of all types. Bounded by the jobs of live executions, which are in memory
    /// anyway.
    waiting: usize,
    /// The last number that was given.
    last: u64,
    /// Whether nothing more is started.
    stopped: bool,
    /// How many shards have not said yet what waits in them. Nothing is started before they have, so
    /// that after a crash the order is the one that there was.
    starting: usize,
    /// What came meanwhile.
    arrived: Vec<Offer>,
    /// Job types that are paused.
    held: BTreeSet<Arc<str>>,
    /// Workers of other processes that wait.
    demand: Demand,
}

/// The slots of a job type.
#[derive(Debug)]
struct Line {
    limit: usize,
    free: usize,
    /// Who waits, by ticket: first come, first served.
    waiting: VecDeque<Offer>,
}

/// A job that waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobQueue {
    /// The job.
    pub job: JobId,
    /// Which slots are all taken.
    pub full: FullSlots,
    /// How many of those there are.
    pub limit: usize,
    /// How many jobs that wait for them come before.
    pub ahead: usize,
}

/// Slots that are all taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FullSlots {
    /// Those of the job's type.
    OfType,
    /// Those of the whole process.
    OfProcess,
    /// Those of workers in other processes: nobody else serves the type.
    OfWorkers,
}

impl Slots {
    /// The slots of a process that may run `limit` attempts, and of its job types.
    pub(super) fn new(limit: usize, types: impl IntoIterator<Item = (Arc<str>, usize)>) -> Self {
        let line = |(job_type, limit): (Arc<str>, usize)| (job_type, Line::new(limit.max(1)));
        let limit = limit.max(1);
        let lines = types.into_iter().map(line).collect();
        Self {
            limit,
            free: limit,
            lines,
            waiting: 0,
            last: 0,
            stopped: false,
            starting: 0,
            arrived: Vec::new(),
            held: BTreeSet::new(),
            demand: Demand::default(),
        }
    }

    /// Workers of other processes that wait.
    pub(super) fn demand(&mut self) -> &mut Demand {
        &mut self.demand
    }

    /// A worker of another process waits for jobs. What is to be started now has its seats.
    pub(super) fn begin_poll(&mut self, wish: Wish) -> (PollId, Vec<Offer>) {
        let id = self.demand.add(wish);
        if self.stopped {
            self.demand.close_all_of(None);
        }
        (id, self.fill())
    }

    /// Starts nothing before so many shards have said what waits in them.
    pub(super) fn await_shards(&mut self, count: usize) {
        self.starting = count;
    }

    /// A shard has said all that waits in it. What is to be started now has its slots.
    pub(super) fn shard_is_ready(&mut self) -> Vec<Offer> {
        self.starting = self.starting.saturating_sub(1);
        if self.starting > 0 {
            return Vec::new();
        }
        let mut arrived = std::mem::take(&mut self.arrived);
        arrived.sort_by_key(|offer| (offer.scheduled_at, offer.execution, offer.job));
        arrived.into_iter().filter_map(|offer| self.offer(offer)).collect()
    }

    /// Starts nothing more.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.demand.close_all_of(None);
    }

    /// Takes a seat for an attempt, if there is one. Nobody waits then who could have it.
    pub(super) fn try_reserve(&mut self, job_type: &str) -> Option<Seat> {
        if self.stopped || self.starting > 0 || self.held.contains(job_type) {
            return None;
        }
        let line = self.lines.get_mut(job_type).filter(|line| line.free > 0);
        match line {
            Some(line) if self.free > 0 => {
                line.free -= 1;
                self.free -= 1;
                Some(Seat::Here)
            }
            _ => self.demand.take(job_type),
        }
    }

    /// Takes the slots for an attempt, and gives it back to be started; or lets it wait.
    pub(super) fn offer(&mut self, mut offer: Offer) -> Option<Offer> {
        if self.starting > 0 {
            self.arrived.push(offer);
            return None;
        }
        self.last += 1;
        offer.ticket = self.last;
        if let Some(seat) = self.try_reserve(&offer.job_type) {
            offer.seat = seat;
            return Some(offer);
        }
        let line = self.lines.entry(offer.job_type.clone()).or_insert_with(|| Line::new(0));
        offer.since = Some(Instant::now());
        line.waiting.push_back(offer);
        self.waiting += 1;
        None
    }

    /// Gives out no more slots of a job type, or goes on with those that wait, in their order.
    pub(super) fn hold(&mut self, job_type: &str, held: bool) -> Vec<Offer> {
        if held {
            self.held.insert(job_type.into());
        } else {
            self.held.remove(job_type);
        }
        self.fill()
    }

    /// Puts an attempt back that was given slots just before its job type was paused; nothing when
    /// it is not paused. What is to be started instead has its slots.
    pub(super) fn put_back(&mut self, offer: &Offer) -> Option<Vec<Offer>> {
        if !self.held.contains(&offer.job_type) {
            return None;
        }
        let line = self.lines.get_mut(&offer.job_type)?;
        let place = line.waiting.partition_point(|other| other.ticket < offer.ticket);
        line.waiting.insert(place, offer.clone());
        self.waiting += 1;
        self.free_seat(&offer.job_type, &offer.seat);
        Some(self.fill())
    }

    /// Gives the seat of an attempt back: it ended, or never began. What is to be started now has
    /// its seat.
    pub(super) fn give_back(&mut self, job_type: &str, seat: &Seat) -> Vec<Offer> {
        self.free_seat(job_type, seat);
        self.fill()
    }

    fn free_seat(&mut self, job_type: &str, seat: &Seat) {
        match seat {
            Seat::Here => {
                if let Some(line) = self.lines.get_mut(job_type) {
                    line.free += 1;
                    self.free += 1;
                }
            }
            Seat::Afar { poll, .. } => self.demand.give_back(*poll),
        }
    }

    /// Takes seats for those that wait, as long as there are any: always the one that has waited
    /// longest among those that could start.
    fn fill(&mut self) -> Vec<Offer> {
        let mut next = Vec::new();
        while self.waiting > 0 && !self.stopped && self.starting == 0 {
            let (demand, held, any_free) = (&self.demand, &self.held, self.free > 0);
            let could_start = self.lines.iter_mut().filter(|(job_type, line)| {
                let has_seat = (any_free && line.free > 0) || demand.wants(job_type);
                has_seat && !held.contains(*job_type)
            });
            let oldest = could_start.min_by_key(|(_, line)| line.first());
            let Some((_, line)) = oldest else { break };
            let Some(mut offer) = line.waiting.pop_front() else { break };
            self.waiting -= 1;
            let Some(seat) = self.try_reserve(&offer.job_type) else { break };
            offer.seat = seat;
            next.push(offer);
        }
        next
    }

    /// How each job type stands, sorted.
    pub(super) fn figures(&self) -> Vec<JobTypeFigures> {
        let figures = |(job_type, line): (&Arc<str>, &Line)| JobTypeFigures {
            job_type: job_type.clone(),
            slots: line.limit,
            running: line.limit.saturating_sub(line.free),
            waiting: line.waiting.len(),
            oldest: line.waiting.front().and_then(|offer| Some(offer.since?.elapsed())),
            is_served: line.limit > 0,
        };
        self.lines.iter().map(figures).collect()
    }

    /// How many wait of a job type.
    #[cfg(test)]
    pub(super) fn queued(&self, job_type: &str) -> usize {
        self.lines.get(job_type).map_or(0, |line| line.waiting.len())
    }

    /// The jobs of an execution that wait here.
    pub(super) fn queues_of(&self, execution: ExecutionId) -> Vec<JobQueue> {
        let mut queues = Vec::new();
        for line in self.lines.values() {
            for (ahead, offer) in line.waiting.iter().enumerate() {
                if offer.execution != execution {
                    continue;
                }
                let (full, limit, ahead) = if line.limit == 0 {
                    (FullSlots::OfWorkers, 0, ahead)
                } else if line.free == 0 {
                    (FullSlots::OfType, line.limit, ahead)
                } else {
                    (FullSlots::OfProcess, self.limit, self.ahead_of(offer.ticket))
                };
                queues.push(JobQueue { job: offer.job, full, limit, ahead });
            }
        }
        queues.sort_by_key(|queue| queue.job);
        queues
    }

    /// How many come before this ticket that wait for the process alone.
    fn ahead_of(&self, ticket: u64) -> usize {
        let lines = self.lines.values().filter(|line| line.free > 0);
        lines.map(|line| line.waiting.partition_point(|other| other.ticket < ticket)).sum()
    }
}

impl Line {
    fn new(limit: usize) -> Self {
        Self { limit, free: limit, waiting: VecDeque::new() }
    }

    /// The ticket of the first that waits; the greatest there is when nobody does.
    fn first(&self) -> u64 {
        self.waiting.front().map_or(u64::MAX, |offer| offer.ticket)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::engine::Timestamp;
    use crate::testing::random::Random;

    fn offer(n: u32, job_type: &str) -> Offer {
        let execution = ExecutionId(Uuid::from_u128(u128::from(n)));
        Offer {
            execution,
            job: JobId(n),
            attempt: 1,
            job_type: job_type.into(),
            ticket: 0,
            since: None,
            scheduled_at: Timestamp(0),
            seat: Seat::Here,
        }
    }

    fn types() -> Vec<(Arc<str>, usize)> {
        vec![("a".into(), 1), ("b".into(), 3)]
    }

    #[test]
    fn no_limit_is_passed_and_the_oldest_that_can_start_does() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let process = 1 + random.index(4);
            let mut slots = Slots::new(process, types());
            let (mut running, mut waiting): (Vec<Offer>, Vec<Offer>) = (Vec::new(), Vec::new());
            for n in 0..200 {
                if random.one_in(2) {
                    let offered = offer(n, if random.one_in(2) { "a" } else { "b" });
                    match slots.offer(offered.clone()) {
                        Some(started) => running.push(started),
                        None => waiting.push(offered),
                    }
                } else if !running.is_empty() {
                    let ended = running.swap_remove(random.index(running.len()));
                    let started = slots.give_back(&ended.job_type, &Seat::Here);
                    for next in started {
                        let busy = |job_type: &str| {
                            let of_it = running.iter().filter(|run| *run.job_type == *job_type);
                            of_it.count() >= if job_type == "a" { 1 } else { 3 }
                        };
                        let oldest = waiting.iter().position(|wait| !busy(&wait.job_type)).unwrap();
                        let expected = waiting.remove(oldest);
                        assert_eq!(next.job, expected.job, "seed {seed}");
                        running.push(next);
                    }
                }
                let of_a = running.iter().filter(|run| &*run.job_type == "a").count();
                assert!(running.len() <= process && of_a <= 1, "seed {seed}");
                let can_start = |wait: &Offer| {
                    let free =
                        if &*wait.job_type == "a" { of_a == 0 } else { running.len() - of_a < 3 };
                    free && running.len() < process
                };
                assert!(!waiting.iter().any(can_start), "seed {seed}: a slot is idle");
            }
            // Everything that waits is started in the end.
            while let Some(ended) = running.pop() {
                for next in slots.give_back(&ended.job_type, &Seat::Here) {
                    waiting.retain(|wait| wait.job != next.job);
                    running.push(next);
                }
            }
            assert!(waiting.is_empty() && slots.free == process, "seed {seed}");
        }
    }

    #[test]
    fn who_waits_is_told_for_what_and_behind_how_many() {
        let mut slots = Slots::new(2, types());
        assert!(slots.offer(offer(1, "a")).is_some());
        assert!(slots.offer(offer(2, "a")).is_none());
        assert!(slots.offer(offer(3, "b")).is_some());
        assert!(slots.offer(offer(4, "a")).is_none());
        assert!(slots.offer(offer(5, "b")).is_none());
        assert!(slots.offer(offer(6, "b")).is_none());
        let told = |n| slots.queues_of(offer(n, "").execution);
        let of_type = JobQueue { job: JobId(4), full: FullSlots::OfType, limit: 1, ahead: 1 };
        assert_eq!(told(4), [of_type]);
        let of_process = JobQueue { job: JobId(6), full: FullSlots::OfProcess, limit: 2, ahead: 1 };
        assert_eq!(told(6), [of_process]);
        assert_eq!(told(1), []);
    }

    #[test]
    fn after_a_stop_nothing_is_started() {
        let mut slots = Slots::new(2, types());
        assert_eq!(slots.try_reserve("b"), Some(Seat::Here));
        assert_eq!(slots.try_reserve("b"), Some(Seat::Here));
        assert!(slots.offer(offer(1, "b")).is_none());
        slots.stop();
        assert!(slots.give_back("b", &Seat::Here).is_empty());
        assert_eq!(slots.try_reserve("b"), None);
    }
}
