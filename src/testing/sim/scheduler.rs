//! One thread that takes every step: which task goes on next is drawn from a seed, or told.
//!
//! Who is ready is a set, and the choice is made among the sorted: in which order tasks were woken,
//! which tokio does not promise, makes no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::runtime::Spawn;
use crate::worker::BoxFuture;

/// What dies together: the tasks of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group(pub(super) u64);

/// Those who use the system; they outlive its processes.
pub(super) const OUTSIDE: Group = Group(0);

pub(super) type TaskId = u64;
type Ready = Arc<Mutex<BTreeSet<TaskId>>>;

/// Holds tasks and lets them take steps.
#[derive(Clone, Default)]
pub(super) struct Scheduler(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tasks: Mutex<Tasks>,
    ready: Ready,
}

#[derive(Default)]
struct Tasks {
    all: BTreeMap<TaskId, Task>,
    last: TaskId,
}

struct Task {
    group: Group,
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

struct Alarm {
    task: TaskId,
    ready: Ready,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).insert(self.task);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scheduler {
    /// Adds a task; it takes its first step when its turn comes.
    pub(super) fn spawn(
        &self,
        group: Group,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> TaskId {
        let mut tasks = lock(&self.0.tasks);
        tasks.last += 1;
        let id = tasks.last;
        let waker = Waker::from(Arc::new(Alarm { task: id, ready: self.0.ready.clone() }));
        tasks.all.insert(id, Task { group, future: Box::pin(task), waker });
        lock(&self.0.ready).insert(id);
        id
    }

    /// What a process spawns with.
    pub(super) fn of_group(&self, group: Group) -> Arc<dyn Spawn> {
        Arc::new(OfGroup(self.clone(), group))
    }

    /// Lets one of those that are ready take a step, and says which; none when nobody is.
    pub(super) fn step(
        &self,
        choose: impl FnOnce(&BTreeSet<TaskId>) -> Option<TaskId>,
    ) -> Option<TaskId> {
        let id = {
            let mut ready = lock(&self.0.ready);
            let id = choose(&ready)?;
            ready.remove(&id);
            id
        };
        // Out of the map, as the step may spawn.
        let task = lock(&self.0.tasks).all.remove(&id);
        if let Some(mut task) = task {
            let mut context = Context::from_waker(&task.waker);
            if task.future.as_mut().poll(&mut context).is_pending() {
                lock(&self.0.tasks).all.insert(id, task);
            }
        }
        Some(id)
    }

    /// Drops a task where it stands.
    pub(super) fn abort(&self, id: TaskId) {
        let task = lock(&self.0.tasks).all.remove(&id);
        // What it holds may look at the scheduler while it is dropped.
        drop(task);
    }

    /// Drops every task of a group where it stands, as a crash does.
    pub(super) fn kill(&self, group: Group) {
        let ids: Vec<TaskId> = {
            let tasks = lock(&self.0.tasks);
            let of_group = tasks.all.iter().filter(|(_, task)| task.group == group);
            of_group.map(|(id, _)| *id).collect()
        };
        ids.into_iter().for_each(|id| self.abort(id));
    }
}

struct OfGroup(Scheduler, Group);

impl Spawn for OfGroup {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(self.1, task);
    }
}
