//! Executions that are under way, as far as spans need to know them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanContext, SpanKind, Status};

use super::ids::{context, span_of_attempt, span_of_run, trace_of};
use super::on::{Span, moment};
use crate::engine::event::{ExecutionStarted, JobScheduled};
use crate::engine::{
    Event, Execution, ExecutionId, Failure, Job, JobId, JobStatus, Timestamp, worker_name,
};
use crate::language::StateName;
use crate::runtime::Record;
use crate::view::Places;
use crate::worker::AttemptId;

/// Executions that are under way.
#[derive(Default)]
pub(super) struct Runs {
    /// Nothing where it cannot be known.
    known: HashMap<ExecutionId, Option<Run>>,
}

/// An execution, from its beginning or its last redrive on.
struct Run {
    workflow: Arc<str>,
    began_at: Timestamp,
    redrives: u32,
    parent: Option<ExecutionId>,
    places: Places,
    attempts: BTreeMap<JobId, Attempt>,
}

/// An attempt that has not ended.
struct Attempt {
    number: u32,
    job_type: Arc<str>,
    step: Option<StateName>,
    scheduled_at: Timestamp,
    started_at: Option<Timestamp>,
    worker: Option<Arc<str>>,
    /// The execution that does the work.
    child: Option<ExecutionId>,
}

/// How something ended.
struct End<'e> {
    at: Timestamp,
    word: &'static str,
    /// The name of the error. Its cause may hold anything, and is not told.
    error: Option<&'e str>,
}

impl Runs {
    /// Whether the beginning of what this record goes on with was not seen.
    pub(super) fn lacks(&self, record: &Record) -> bool {
        let is_edge =
            matches!(*record.event, Event::ExecutionStarted(_) | Event::ExecutionDeleted(_));
        !is_edge && !self.known.contains_key(&ExecutionId(record.stream))
    }

    /// Enters an execution as it was before the next of its records; nothing when that is not known.
    pub(super) fn enter(&mut self, id: ExecutionId, before: Option<&Execution>) {
        self.known.insert(id, before.map(Run::of));
    }

    /// Takes a record up, and gives the spans that end with it.
    pub(super) fn take(&mut self, record: &Record) -> Vec<Span> {
        let id = ExecutionId(record.stream);
        if let Event::ExecutionStarted(body) = &*record.event {
            self.known.insert(id, Some(Run::begun(body, record.time)));
            return Vec::new();
        }
        let end = end_of_run(record);
        let run = match end {
            Some(_) => self.known.remove(&id).flatten(),
            None => None,
        };
        match (end, run) {
            (Some(end), Some(run)) => run.ended(id, &end),
            (Some(_), None) => Vec::new(),
            (None, _) => {
                let run = self.known.get_mut(&id).and_then(Option::as_mut);
                run.and_then(|run| run.take(id, record)).into_iter().collect()
            }
        }
    }
}

fn end_of_run(record: &Record) -> Option<End<'_>> {
    let end = |word, error| Some(End { at: record.time, word, error });
    match &*record.event {
        Event::ExecutionCompleted(_) => end("completed", None),
        Event::ExecutionCancelled(_) => end("cancelled", None),
        Event::ExecutionTimedOut(_) => end("timed_out", Some("States.Timeout")),
        Event::ExecutionFailed(body) => end("failed", Some(&body.failure.error)),
        // Nothing else ends an execution.
        _ => None,
    }
}

impl Run {
    fn begun(body: &ExecutionStarted, at: Timestamp) -> Self {
        Self {
            workflow: body.workflow.clone(),
            began_at: at,
            redrives: 0,
            parent: body.parent.as_ref().map(|parent| parent.execution),
            places: Places::default(),
            attempts: BTreeMap::new(),
        }
    }

    fn of(execution: &Execution) -> Self {
        let jobs = execution.jobs.iter().filter(|(_, job)| job.status != JobStatus::Retrying);
        let attempts = jobs.map(|(id, job)| (*id, Attempt::of(execution, job)));
        Self {
            workflow: execution.workflow.clone(),
            began_at: execution.redriven_at.unwrap_or(execution.started_at),
            redrives: execution.redrives,
            parent: execution.parent.as_ref().map(|parent| parent.execution),
            places: Places::of(execution),
            attempts: attempts.collect(),
        }
    }

    /// The span of the attempt that ends with a record.
    fn take(&mut self, id: ExecutionId, record: &Record) -> Option<Span> {
        let (at, place) = (record.time, self.places.place(&record.event));
        let end = |word, error| End { at, word, error };
        match &*record.event {
            Event::ExecutionRedriven(_) => {
                self.redrives = self.redrives.saturating_add(1);
                self.began_at = at;
                None
            }
            Event::JobScheduled(body) => {
                self.attempts.insert(body.job, Attempt::scheduled(body, at, place));
                None
            }
            Event::JobStarted(body) => {
                let attempt = self.attempts.get_mut(&body.job)?;
                (attempt.started_at, attempt.worker) =
                    (Some(at), Some(worker_name(&body.worker).into()));
                None
            }
            Event::JobSucceeded(body) => self.ends(id, body.job, &end("succeeded", None)),
            Event::JobFailed(body) => {
                self.ends(id, body.job, &end("failed", Some(&body.failure.error)))
            }
            Event::JobTimedOut(body) => {
                let failure = Failure::timeout(body.heartbeat);
                self.ends(id, body.job, &end("timed_out", Some(&failure.error)))
            }
            Event::AttemptLost(body) => {
                // In an orderly stop nothing went wrong.
                let error = (!body.stopped).then_some("Everstep.AttemptLost");
                self.ends(id, body.job, &end("lost", error))
            }
            Event::JobCancelled(body) => self.ends(id, body.job, &end("cancelled", None)),
            // Nothing else begins or ends an attempt.
            _ => None,
        }
    }

    /// The span of an attempt; nothing when it never began.
    fn ends(&mut self, id: ExecutionId, job: JobId, end: &End<'_>) -> Option<Span> {
        let attempt = self.attempts.remove(&job)?;
        let began_at = attempt.started_at.or(attempt.child.map(|_| attempt.scheduled_at))?;
        let number = AttemptId { execution: id, job, attempt: attempt.number };
        let mut attributes = self.attributes(id);
        attributes.extend([
            KeyValue::new("everstep.job.type", attempt.job_type.clone()),
            KeyValue::new("everstep.job.id", i64::from(job.0)),
            KeyValue::new("everstep.job.attempt", i64::from(attempt.number)),
            KeyValue::new("everstep.job.result", end.word),
            KeyValue::new("everstep.job.queued_ms", ms(began_at.ms_since(attempt.scheduled_at))),
        ]);
        attributes
            .extend(attempt.step.map(|step| KeyValue::new("everstep.step", step.to_string())));
        attributes.extend(attempt.worker.map(|worker| KeyValue::new("everstep.worker", worker)));
        let child = attempt.child.map(|child| Link::with_context(run_of(child, 0)));
        let span = Span {
            context: context(trace_of(id), span_of_attempt(number), true),
            parent: run_of(id, self.redrives),
            kind: SpanKind::Internal,
            name: format!("job {}", attempt.job_type).into(),
            times: (moment(began_at), moment(end.at)),
            attributes,
            links: child.into_iter().collect(),
            status: Status::Unset,
        };
        Some(span.ended(end))
    }

    /// The span of the whole, and before it those of attempts that its end cut off.
    fn ended(mut self, id: ExecutionId, end: &End<'_>) -> Vec<Span> {
        let cut_off: Vec<JobId> = self.attempts.keys().copied().collect();
        let cancelled = End { at: end.at, word: "cancelled", error: None };
        let cut_off = cut_off.into_iter().filter_map(|job| self.ends(id, job, &cancelled));
        let mut spans: Vec<Span> = cut_off.collect();
        let mut attributes = self.attributes(id);
        attributes.push(KeyValue::new("everstep.execution.result", end.word));
        attributes.push(KeyValue::new("everstep.execution.redrives", i64::from(self.redrives)));
        let before = self.redrives > 0;
        let span = Span {
            context: run_of(id, self.redrives),
            // What was redriven stands below what it was at first.
            parent: if before { run_of(id, 0) } else { SpanContext::NONE },
            kind: SpanKind::Internal,
            name: format!("execution {}", self.workflow).into(),
            times: (moment(self.began_at), moment(end.at)),
            attributes,
            links: self
                .parent
                .map(|parent| Link::with_context(run_of(parent, 0)))
                .into_iter()
                .collect(),
            status: Status::Unset,
        };
        spans.push(span.ended(end));
        spans
    }

    fn attributes(&self, id: ExecutionId) -> Vec<KeyValue> {
        vec![
            KeyValue::new("everstep.workflow", self.workflow.clone()),
            KeyValue::new("everstep.execution.id", id.to_string()),
        ]
    }
}

impl Attempt {
    fn scheduled(body: &JobScheduled, at: Timestamp, step: Option<StateName>) -> Self {
        Self {
            number: body.attempt,
            job_type: body.job_type.clone(),
            step,
            scheduled_at: at,
            started_at: None,
            worker: None,
            child: body.child.as_ref().map(|child| child.execution),
        }
    }

    fn of(execution: &Execution, job: &Job) -> Self {
        Self {
            number: job.attempt,
            job_type: job.job_type.clone(),
            step: execution.frames.get(&job.frame).and_then(|frame| frame.state.clone()),
            scheduled_at: job.scheduled_at,
            started_at: job.started_at,
            worker: job.worker.as_deref().map(|name| worker_name(name).into()),
            child: job.child.as_ref().map(|child| child.execution),
        }
    }
}

impl Span {
    /// Says what went wrong, if something did.
    fn ended(mut self, end: &End<'_>) -> Self {
        if let Some(error) = end.error {
            self.attributes.push(KeyValue::new("error.type", error.to_owned()));
            self.status = Status::error(end.word);
        }
        self
    }
}

/// The span of an execution, whether it has ended or not.
fn run_of(id: ExecutionId, redrives: u32) -> SpanContext {
    context(trace_of(id), span_of_run(id, redrives), true)
}

fn ms(span: u64) -> i64 {
    i64::try_from(span).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Program;
    use crate::language::{self, Format, Options};
    use crate::testing::generate;
    use crate::testing::simulate::Simulation;

    fn history(seed: u64) -> (ExecutionId, Vec<Record>) {
        let text = generate::definition(seed).to_string();
        let parsed = language::parse(&text, Format::Json, &Options::default()).unwrap();
        let mut simulation = Simulation::new(Program::new(parsed), seed);
        simulation.run().unwrap();
        (simulation.execution.id, simulation.records())
    }

    /// What is told of a history from a record on, each span in words.
    fn told(id: ExecutionId, history: &[Record], from: usize) -> Vec<String> {
        let mut runs = Runs::default();
        let mut spans = Vec::new();
        for (index, record) in history.iter().enumerate().skip(from) {
            if runs.lacks(record) {
                runs.enter(id, Some(&Record::fold(id, &history[..index])));
            }
            spans.extend(runs.take(record));
        }
        let words = spans.iter().map(|span| {
            // An attempt in the place of one that was cut off keeps its turn in the queue.
            let queued = |pair: &&KeyValue| pair.key.as_str() != "everstep.job.queued_ms";
            let attributes: Vec<&KeyValue> = span.attributes.iter().filter(queued).collect();
            let Span { context, parent, name, times, links, status, .. } = span;
            format!("{name} {context:?} {parent:?} {times:?} {links:?} {status:?} {attributes:?}")
        });
        words.collect()
    }

    #[test]
    fn what_is_met_in_the_middle_is_told_as_if_it_had_been_followed() {
        let mut compared = 0;
        for seed in 0..150 {
            let (id, history) = history(seed);
            let all = told(id, &history, 0);
            for quarter in 1..4 {
                let from = (history.len() * quarter / 4).max(1);
                let rest = told(id, &history, from);
                assert_eq!(all[all.len() - rest.len()..], rest, "seed {seed} from {from}");
                compared += rest.len();
            }
        }
        assert!(compared > 500, "only {compared} spans");
    }

    #[test]
    fn each_attempt_that_began_is_told_once_and_so_is_the_end() {
        for seed in 0..150 {
            let (id, history) = history(seed);
            let told = told(id, &history, 0);
            let count =
                |name: &str| history.iter().filter(|record| record.event.name() == name).count();
            let children = history.iter().filter(|record| {
                matches!(&*record.event, Event::JobScheduled(body) if body.child.is_some())
            });
            let jobs = told.iter().filter(|span| span.starts_with("job ")).count();
            assert_eq!(jobs, count("JobStarted") + children.count(), "seed {seed}");
            assert_eq!(told.len() - jobs, 1 + count("ExecutionRedriven"), "seed {seed}");
        }
    }
}
