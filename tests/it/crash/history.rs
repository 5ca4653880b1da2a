//! The log as it was found at some moment, and what it must say at any later one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::place::Place;

/// Attempts of one job that crashes may cut off without harm: one fewer than the engine allows,
/// because one more may be cut off between deciding to be careful and being so.
const LOSSES: usize = 2;

/// A job: its execution and its number there.
pub(crate) type Job = (String, u64);

/// An attempt at a job: which one.
pub(crate) type Attempt = (Job, u64);

/// All events of a log.
#[derive(Default)]
pub(crate) struct History(pub(crate) Vec<Value>);

impl History {
    /// Reads events, one in each line.
    pub(crate) fn of(lines: &str) -> Self {
        Self(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// The ids of all executions that began.
    pub(crate) fn executions(&self) -> BTreeSet<String> {
        self.named("ExecutionStarted").map(execution).collect()
    }

    pub(crate) fn named<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h Value> {
        self.0.iter().filter(move |event| event["event"] == name)
    }

    /// How often a job has events of this name.
    pub(crate) fn jobs(&self, name: &str) -> BTreeMap<Job, usize> {
        let mut counts = BTreeMap::new();
        for event in self.named(name) {
            *counts.entry(job(event)).or_default() += 1;
        }
        counts
    }

    /// Attempts that run, or ran when the program was killed.
    pub(crate) fn running(&self) -> BTreeSet<Attempt> {
        let mut running = BTreeSet::new();
        for event in &self.0 {
            match event["event"].as_str().unwrap() {
                "JobStarted" => {
                    running.insert(attempt(event));
                }
                "JobSucceeded" | "JobFailed" | "AttemptLost" => {
                    running.remove(&attempt(event));
                }
                _ => {}
            }
        }
        running
    }

    /// Jobs that have to end before the program may be killed again: a job that is cut off time
    /// and again is taken to be what crashes the program, and fails.
    pub(crate) fn endangered(&self) -> BTreeSet<Job> {
        let mut losses = self.jobs("AttemptLost");
        for (job, _) in self.running() {
            *losses.entry(job).or_default() += 1;
        }
        let done = self.jobs("JobSucceeded");
        let open =
            losses.into_iter().filter(|(job, count)| *count >= LOSSES && !done.contains_key(job));
        open.map(|(job, _)| job).collect()
    }

    /// The highest progress that the events of an execution tell.
    pub(crate) fn progress(&self, of: &str) -> u64 {
        let events = self.0.iter().filter(|event| event["execution"] == of);
        let percents = events.filter_map(|event| match event["event"].as_str() {
            Some("ExecutionCompleted") => Some(100),
            _ => event["data"]["progress"].as_u64(),
        });
        percents.max().unwrap_or(0)
    }

    /// Everything that `earlier` held is held still, and progress never fell on the way.
    pub(crate) fn continues(&self, earlier: &Self) {
        assert!(self.0.len() >= earlier.0.len(), "events are gone");
        for (now, then) in self.0.iter().zip(&earlier.0) {
            assert_eq!(now, then, "an event that was in the log has changed");
        }
        let mut progress: BTreeMap<String, u64> = BTreeMap::new();
        for event in &self.0 {
            let Some(percent) = event["data"]["progress"].as_u64() else { continue };
            let before = progress.insert(execution(event), percent).unwrap_or(0);
            assert!(before <= percent && percent <= 100, "{before}% before {event}");
        }
    }
}

pub(crate) fn execution(event: &Value) -> String {
    event["execution"].as_str().unwrap().to_owned()
}

fn job(event: &Value) -> Job {
    (execution(event), event["data"]["job"].as_u64().unwrap())
}

pub(crate) fn attempt(event: &Value) -> Attempt {
    (job(event), event["data"]["attempt"].as_u64().unwrap())
}

/// What was found after each kill.
#[derive(Default)]
pub(crate) struct Witness {
    last: History,
    /// Jobs that had succeeded at some look, and how often they had begun then.
    done: BTreeMap<Job, usize>,
    /// Attempts that a kill cut off.
    cut_off: BTreeSet<Attempt>,
}

impl Witness {
    /// Looks at what a killed program left behind.
    pub(crate) fn look(&mut self, place: &Place) -> &History {
        let found = place.history();
        found.continues(&self.last);
        for row in place.list() {
            let id = row["id"].as_str().unwrap();
            assert!(row["progress"].as_u64() >= Some(found.progress(id)), "{row}");
            assert!(row["progress"].as_u64() >= Some(self.last.progress(id)), "{row}");
        }
        for ((execution, job), _) in found.jobs("JobSucceeded") {
            let starts = place.starts(&execution, job);
            self.done.entry((execution, job)).or_insert(starts);
        }
        self.cut_off.extend(found.running());
        self.last = found;
        &self.last
    }

    /// What was found last.
    pub(crate) fn last(&self) -> &History {
        &self.last
    }

    /// Judges the log in which every execution has ended.
    pub(crate) fn judge(mut self, place: &Place, jobs_per_execution: usize) {
        let cut_off = std::mem::take(&mut self.cut_off);
        let before = std::mem::take(&mut self.done);
        let log = self.look(place);
        for name in ["RetryScheduled", "JobFailed", "JobTimedOut", "FailureCaught", "JobCancelled"]
        {
            assert_eq!(log.named(name).next(), None, "a crash is no matter of the workflow's");
        }
        let (done, begun) = (log.jobs("JobSucceeded"), log.jobs("JobStarted"));
        assert!(done.values().all(|count| *count == 1), "{done:?}");
        assert_eq!(done.len(), log.executions().len() * jobs_per_execution);
        assert_eq!(begun.keys().collect::<Vec<_>>(), done.keys().collect::<Vec<_>>());
        for (job, starts) in before {
            assert_eq!(place.starts(&job.0, job.1), starts, "{job:?} had succeeded and ran again");
        }
        let lost: Vec<Attempt> = log.named("AttemptLost").map(attempt).collect();
        for attempt in &cut_off {
            let count = lost.iter().filter(|lost| *lost == attempt).count();
            assert_eq!(count, 1, "{attempt:?} was cut off");
        }
        for (job, count) in begun {
            let cut_off = lost.iter().filter(|(lost, _)| *lost == job).count();
            assert_eq!(count, cut_off + 1, "{job:?} is tried again only when it was cut off");
            let starts = place.starts(&job.0, job.1);
            assert!(
                (1..=count).contains(&starts),
                "{job:?} ran {starts} times in {count} attempts"
            );
        }
        assert!(log.named("AttemptLost").all(|event| event["data"]["stopped"] == false));
        place.ran(&["log", "verify"], 0);
        place.is_quiet();
    }
}
