//! Whether a log can be what the engine wrote: every history is folded again and checked.

use std::collections::HashMap;

use serde::Serialize;

use crate::engine::{Event, Execution, ExecutionId, Timestamp};
use crate::store::{Position, Record, Stream};

/// Faults that a report names; the rest are counted.
const FAULTS_NAMED: usize = 100;

/// Something in a log that the engine never writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The record at which it shows.
    pub position: Position,
    /// The history it belongs to.
    pub execution: String,
    /// The check that failed, as `sequences-dense`.
    pub check: &'static str,
    /// What is wrong.
    pub message: String,
}

/// What was found in a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records read.
    pub events: u64,
    /// Executions met.
    pub executions: u64,
    /// Executions that have not ended.
    pub unfinished: u64,
    /// Histories of workflow definitions met.
    pub workflows: u64,
    /// The first faults.
    pub faults: Vec<Fault>,
    /// How many faults there are, also those not named.
    pub total_faults: u64,
}

/// Reads a log from its first record, one record after the other. Memory grows with the executions
/// that have not ended, and by a few bytes for each that has.
#[derive(Debug)]
pub struct Verifier {
    next: Position,
    histories: HashMap<Stream, History>,
    /// How many executions that it waits for each execution has open.
    waited_for: HashMap<ExecutionId, u64>,
    report: Report,
}

#[derive(Debug)]
enum History {
    Open(Box<Execution>),
    Definition { sequence: u64 },
    Ended { sequence: u64, time: Timestamp },
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            next: 1,
            histories: HashMap::new(),
            waited_for: HashMap::new(),
            report: Report::default(),
        }
    }
}

impl Verifier {
    /// Takes the next record of the log.
    pub fn take(&mut self, record: &Record) {
        self.report.events += 1;
        if record.position != self.next {
            let message = format!("position {} follows {}", record.position, self.next - 1);
            self.fault_at(record, "positions-dense", message);
        }
        self.next = record.position.saturating_add(1);
        let history = match self.histories.remove(&record.stream) {
            None => self.begin(record),
            Some(History::Definition { sequence }) => self.definition(record, sequence),
            Some(History::Ended { sequence, time }) => self.after_end(record, sequence, time),
            Some(History::Open(execution)) => self.fold(record, execution),
        };
        self.histories.insert(record.stream, history);
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let position = self.next.saturating_sub(1);
        for history in std::mem::take(&mut self.histories).into_values() {
            if let History::Open(execution) = history {
                self.report.unfinished += 1;
                for (check, message) in invariants(&execution) {
                    self.fault(position, execution.id.0, check, message);
                }
            }
        }
        self.report
    }

    fn begin(&mut self, record: &Record) -> History {
        if matches!(*record.event, Event::DefinitionStored(_)) {
            self.report.workflows += 1;
            return self.definition(record, 0);
        }
        self.report.executions += 1;
        if !matches!(*record.event, Event::ExecutionStarted(_)) {
            let message = format!("the history begins with {}", record.event.name());
            self.fault_at(record, "begins-with-start", message);
        }
        self.fold(record, Box::new(Execution::new(ExecutionId(record.stream))))
    }

    fn definition(&mut self, record: &Record, before: u64) -> History {
        self.check_sequence(record, before);
        if !matches!(*record.event, Event::DefinitionStored(_)) {
            let message = format!("{} in the history of a workflow", record.event.name());
            self.fault_at(record, "histories-apart", message);
        }
        History::Definition { sequence: record.sequence }
    }

    fn after_end(&mut self, record: &Record, before: u64, time: Timestamp) -> History {
        self.check_sequence(record, before);
        let message = format!("{} after the end", record.event.name());
        self.fault_at(record, "nothing-after-the-end", message);
        History::Ended { sequence: record.sequence, time: time.max(record.time) }
    }

    fn fold(&mut self, record: &Record, mut execution: Box<Execution>) -> History {
        self.check_sequence(record, execution.sequence);
        if record.time < execution.updated_at {
            let message = format!("{} is before {}", record.time, execution.updated_at);
            self.fault_at(record, "time-runs-forward", message);
        }
        let (progress, begins) = (execution.progress, execution.sequence == 0);
        let was_aside = execution.set_aside.is_some();
        execution.apply(&record.event, record.time);
        // The fold counts; the record says. A gap is reported once.
        execution.sequence = record.sequence;
        if execution.progress < progress || execution.progress > 100 {
            let message = format!("progress {} follows {progress}", execution.progress);
            self.fault_at(record, "progress-never-falls", message);
        }
        // What was set aside is not waited for.
        if !was_aside {
            self.count_for_parent(&execution, begins);
        }
        if execution.status.is_terminal() {
            if let Some(open) = self.waited_for.remove(&execution.id) {
                let message = format!("it ended before {open} executions that it waits for");
                self.fault_at(record, "parents-end-last", message);
            }
            return History::Ended { sequence: record.sequence, time: record.time };
        }
        History::Open(execution)
    }

    /// Keeps count of the executions that others wait for.
    fn count_for_parent(&mut self, execution: &Execution, begins: bool) {
        let Some(parent) = execution.waiting_parent() else { return };
        if execution.status.is_terminal() || execution.set_aside.is_some() {
            let open = self.waited_for.remove(&parent).unwrap_or(0).saturating_sub(1);
            if open > 0 {
                self.waited_for.insert(parent, open);
            }
        } else if begins {
            *self.waited_for.entry(parent).or_default() += 1;
        }
    }

    fn check_sequence(&mut self, record: &Record, before: u64) {
        if record.sequence != before.saturating_add(1) {
            let message = format!("sequence {} follows {before}", record.sequence);
            self.fault_at(record, "sequences-dense", message);
        }
    }

    fn fault_at(&mut self, record: &Record, check: &'static str, message: String) {
        self.fault(record.position, record.stream, check, message);
    }

    fn fault(&mut self, position: Position, stream: Stream, check: &'static str, message: String) {
        self.report.total_faults += 1;
        if self.report.faults.len() < FAULTS_NAMED {
            let execution = stream.to_string();
            self.report.faults.push(Fault { position, execution, check, message });
        }
    }
}

/// The engine's own checks of a fold. They hold between decisions, not between the events of one,
/// so they are asked at the end of the log only.
fn invariants(execution: &Execution) -> Vec<(&'static str, String)> {
    let mut broken = Vec::new();
    for (id, job) in &execution.jobs {
        if !execution.frames.contains_key(&job.frame) {
            broken.push(("jobs-have-frames", format!("job {id} has no thread that waits for it")));
        }
    }
    for (id, frame) in &execution.frames {
        if let Some((parent, _)) = frame.parent
            && !execution.frames.contains_key(&parent)
        {
            broken.push(("frames-have-parents", format!("thread {id} has lost its parent")));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::engine::event::{ExecutionFailed, ExecutionStarted};
    use crate::engine::{Failure, JobId, Link, Parent};
    use crate::language::{DefinitionHash, Json};

    fn record(position: u64, stream: u128, sequence: u64, event: Event) -> Record {
        Record {
            stream: Uuid::from_u128(stream),
            sequence,
            position,
            time: Timestamp(1),
            event: Arc::new(event),
        }
    }

    fn started(parent: Option<u128>) -> Event {
        let parent = parent.map(|id| Parent {
            execution: ExecutionId(Uuid::from_u128(id)),
            link: Link::Job(JobId(1)),
            depth: 1,
        });
        ExecutionStarted {
            workflow: "w".into(),
            definition: DefinitionHash([0; 32]),
            name: None,
            input: Json::null(),
            deadline: None,
            parent,
        }
        .into()
    }

    fn failed() -> Event {
        ExecutionFailed { failure: Failure::new("Mine", "as told"), summary: None }.into()
    }

    fn checks(records: [Record; 4]) -> Vec<&'static str> {
        let mut verifier = Verifier::default();
        records.iter().for_each(|record| verifier.take(record));
        verifier.finish().faults.iter().map(|fault| fault.check).collect()
    }

    #[test]
    fn a_parent_that_ends_before_what_it_waits_for_is_noticed() {
        let (parent, child) = (started(None), started(Some(1)));
        let in_order = [
            record(1, 1, 1, parent.clone()),
            record(2, 2, 1, child.clone()),
            record(3, 2, 2, failed()),
            record(4, 1, 2, failed()),
        ];
        assert_eq!(checks(in_order), [""; 0]);
        let early = [
            record(1, 1, 1, parent),
            record(2, 2, 1, child),
            record(3, 1, 2, failed()),
            record(4, 2, 2, failed()),
        ];
        assert_eq!(checks(early), ["parents-end-last"]);
    }
}
