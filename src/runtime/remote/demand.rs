//! Who waits for jobs from afar: polls, each for some job types and at most so many jobs.
//!
//! A poll is demand for as long as it waits. What is taken for it is under way until its start is
//! durable; a poll that has got something asks for no more, and is answered once nothing is under way
//! to it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::super::attempt::Attempt;
use super::Holder;

/// A poll that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::runtime) struct PollId(u64);

/// Where an attempt runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) enum Seat {
    /// At a worker of this process.
    Here,
    /// At the worker that polls.
    Afar {
        /// For which poll.
        poll: PollId,
        /// Whose that is.
        holder: Holder,
    },
}

/// What a poll is told: an attempt, or that one of those under way does not come.
pub(in crate::runtime) type Delivery = Option<Box<Attempt>>;

/// What a poll wants.
pub(in crate::runtime) struct Wish {
    pub(in crate::runtime) holder: Holder,
    pub(in crate::runtime) job_types: Vec<Arc<str>>,
    pub(in crate::runtime) most: usize,
    pub(in crate::runtime) deliveries: UnboundedSender<Delivery>,
}

/// Polls that wait.
#[derive(Default)]
pub(in crate::runtime) struct Demand {
    last: u64,
    polls: HashMap<PollId, Waiting>,
    /// Those that want more of a type; the one that has waited longest is first.
    wanting: HashMap<Arc<str>, BTreeSet<PollId>>,
}

struct Waiting {
    wish: Wish,
    /// How many it has got or is about to get.
    taken: usize,
    under_way: usize,
    is_closed: bool,
}

impl std::fmt::Debug for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demand").field("polls", &self.polls.len()).finish_non_exhaustive()
    }
}

impl Demand {
    /// A poll begins to wait.
    pub(in crate::runtime) fn add(&mut self, wish: Wish) -> PollId {
        self.last += 1;
        let id = PollId(self.last);
        for job_type in &wish.job_types {
            self.wanting.entry(job_type.clone()).or_default().insert(id);
        }
        let waiting = Waiting { wish, taken: 0, under_way: 0, is_closed: false };
        self.polls.insert(id, waiting);
        id
    }

    /// How many polls wait.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.polls.len()
    }

    /// Whether anybody wants more jobs of a type.
    pub(in crate::runtime) fn wants(&self, job_type: &str) -> bool {
        self.wanting.contains_key(job_type)
    }

    /// How many more jobs of a type are wanted.
    pub(in crate::runtime) fn wanted(&self, job_type: &str) -> usize {
        let polls = self.wanting.get(job_type).into_iter().flatten();
        polls.filter_map(|id| self.polls.get(id)).map(|poll| poll.wish.most - poll.taken).sum()
    }

    /// Takes a job for whoever has waited longest for one of the type.
    pub(in crate::runtime) fn take(&mut self, job_type: &str) -> Option<Seat> {
        let id = *self.wanting.get(job_type)?.first()?;
        let waiting = self.polls.get_mut(&id)?;
        waiting.taken += 1;
        waiting.under_way += 1;
        let holder = waiting.wish.holder.clone();
        if waiting.taken == waiting.wish.most {
            self.want_no_more(id);
        }
        Some(Seat::Afar { poll: id, holder })
    }

    /// A job that was taken for a poll does not come.
    pub(in crate::runtime) fn give_back(&mut self, id: PollId) {
        let Some(waiting) = self.polls.get_mut(&id) else { return };
        waiting.under_way = waiting.under_way.saturating_sub(1);
        if waiting.is_closed {
            // It waits for what is under way.
            drop(waiting.wish.deliveries.send(None));
            return;
        }
        waiting.taken = waiting.taken.saturating_sub(1);
        for job_type in waiting.wish.job_types.clone() {
            self.wanting.entry(job_type).or_default().insert(id);
        }
    }

    /// Gives a poll what was taken for it.
    ///
    /// # Errors
    /// It waits no more; the attempt is given back.
    pub(in crate::runtime) fn deliver(
        &mut self,
        id: PollId,
        attempt: Box<Attempt>,
    ) -> Result<(), Box<Attempt>> {
        let Some(waiting) = self.polls.get_mut(&id) else { return Err(attempt) };
        waiting.under_way = waiting.under_way.saturating_sub(1);
        match waiting.wish.deliveries.send(Some(attempt)) {
            Ok(()) => Ok(()),
            Err(refused) => refused.0.map_or(Ok(()), Err),
        }
    }

    /// A poll wants no more; how many jobs are under way to it.
    pub(in crate::runtime) fn close(&mut self, id: PollId) -> usize {
        self.want_no_more(id);
        let Some(waiting) = self.polls.get_mut(&id) else { return 0 };
        waiting.is_closed = true;
        waiting.under_way
    }

    /// No poll of a worker, or of any, gets more: those that have nothing are answered at once.
    pub(in crate::runtime) fn close_all_of(&mut self, worker: Option<&str>) {
        let of_it =
            |waiting: &Waiting| worker.is_none_or(|name| *waiting.wish.holder.worker == *name);
        let polls: Vec<PollId> =
            self.polls.iter().filter(|(_, waiting)| of_it(waiting)).map(|(id, _)| *id).collect();
        for id in polls {
            self.close(id);
            if let Some(waiting) = self.polls.get(&id) {
                drop(waiting.wish.deliveries.send(None));
            }
        }
    }

    /// Nobody listens to these polls of a worker any more.
    pub(in crate::runtime) fn remove_requests(&mut self, worker: &str, requests: &HashSet<String>) {
        let is_one = |waiting: &Waiting| waiting.wish.holder.is_one_of(worker, requests);
        let polls: Vec<PollId> =
            self.polls.iter().filter(|(_, waiting)| is_one(waiting)).map(|(id, _)| *id).collect();
        polls.into_iter().for_each(|id| self.remove(id));
    }

    /// How many jobs are under way to a poll.
    pub(in crate::runtime) fn under_way(&self, id: PollId) -> usize {
        self.polls.get(&id).map_or(0, |waiting| waiting.under_way)
    }

    /// A poll waits no more.
    pub(in crate::runtime) fn remove(&mut self, id: PollId) {
        self.want_no_more(id);
        self.polls.remove(&id);
    }

    fn want_no_more(&mut self, id: PollId) {
        let Some(waiting) = self.polls.get(&id) else { return };
        for job_type in &waiting.wish.job_types {
            if let Some(polls) = self.wanting.get_mut(job_type) {
                polls.remove(&id);
                if polls.is_empty() {
                    self.wanting.remove(job_type);
                }
            }
        }
    }
}
