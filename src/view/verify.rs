//! Whether a log can be what the engine wrote: every history is folded again and checked.

use std::collections::HashMap;

use serde::Serialize;

use crate::engine::{Event, Execution, ExecutionId, Place, Status, Timestamp, invariants};
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
    /// Executions of which only the tombstone is left, or records that compaction has still to take.
    pub deleted: u64,
    /// Records that compaction took. The store states each such gap, and refuses any other hole.
    pub deleted_events: u64,
    /// Histories of workflow definitions met.
    pub workflows: u64,
    /// The first faults.
    pub faults: Vec<Fault>,
    /// How many faults there are, also those not named.
    pub total_faults: u64,
}

/// A report with its verdict, for programs.
#[derive(Debug, Serialize)]
pub struct Verification<'r> {
    is_sound: bool,
    #[serde(flatten)]
    report: &'r Report,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.total_faults == 0
    }

    /// The same for programs.
    #[must_use]
    pub fn verification(&self) -> Verification<'_> {
        Verification { is_sound: self.is_sound(), report: self }
    }
}

/// Reads a log from its first record, one record after the other. Memory grows with the executions
/// that have not ended, and by a few bytes for each that has.
#[derive(Debug)]
pub struct Verifier {
    next: Position,
    histories: HashMap<Stream, History>,
    /// How many executions that it waits for each execution has open.
    waited_for: HashMap<ExecutionId, u64>,
    /// Histories of which the beginning or a part is gone, with the first fault that this is if no
    /// tombstone follows.
    beheaded: HashMap<Stream, Fault>,
    report: Report,
}

#[derive(Debug)]
enum History {
    Open(Box<Execution>),
    Definition {
        sequence: u64,
    },
    /// What is held in the whole system.
    Controls {
        sequence: u64,
    },
    /// What clients of the Step Functions API keep beside definitions.
    Catalogue {
        sequence: u64,
    },
    Ended(Ended),
    /// Of a deleted execution, or what is left of one: nothing more can be said of it.
    Beheaded,
    Deleted,
}

/// What is kept of an execution that has ended: enough to go on after a redrive, whose event holds
/// the rest.
#[derive(Debug)]
struct Ended {
    sequence: u64,
    time: Timestamp,
    status: Status,
    place: Option<Place>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            next: 1,
            histories: HashMap::new(),
            waited_for: HashMap::new(),
            beheaded: HashMap::new(),
            report: Report::default(),
        }
    }
}

impl Verifier {
    /// Takes the next record of the log.
    pub fn take(&mut self, record: &Record) {
        self.report.events += 1;
        if record.position < self.next {
            let message = format!("position {} follows {}", record.position, self.next - 1);
            self.fault_at(record, "positions-dense", message);
        }
        self.report.deleted_events += record.position.saturating_sub(self.next);
        self.next = record.position.saturating_add(1);
        let history = match self.histories.remove(&record.stream) {
            Some(History::Deleted) => self.after_deletion(record),
            before if matches!(*record.event, Event::ExecutionDeleted(_)) => {
                self.delete(record, before.as_ref())
            }
            Some(History::Beheaded) => History::Beheaded,
            None if record.sequence > 1 => self.behead(record),
            None => self.begin(record),
            Some(History::Definition { sequence }) => self.definition(record, sequence),
            Some(History::Controls { sequence }) => self.control(record, sequence),
            Some(History::Catalogue { sequence }) => self.catalogue(record, sequence),
            Some(History::Ended(ended)) => self.after_end(record, ended),
            Some(History::Open(execution)) => self.fold(record, execution),
        };
        self.histories.insert(record.stream, history);
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let position = self.next.saturating_sub(1);
        let mut beheaded: Vec<Fault> = self.beheaded.drain().map(|(_, fault)| fault).collect();
        beheaded.sort_by_key(|fault| fault.position);
        beheaded.into_iter().for_each(|fault| self.report(fault));
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
        if record.event.is_control() {
            return self.control(record, 0);
        }
        if record.event.is_of_catalogue() {
            return self.catalogue(record, 0);
        }
        self.report.executions += 1;
        if !matches!(*record.event, Event::ExecutionStarted(_)) {
            let message = format!("the history begins with {}", record.event.name());
            self.fault_at(record, "begins-with-start", message);
        }
        self.fold(record, Box::new(Execution::new(ExecutionId(record.stream))))
    }

    /// A history that does not begin with its first record: the beginning was taken by compaction,
    /// or is lost. Its tombstone tells.
    fn behead(&mut self, record: &Record) -> History {
        let fault = Fault {
            position: record.position,
            execution: record.stream.to_string(),
            check: "sequences-dense",
            message: format!("the history begins with sequence {}", record.sequence),
        };
        self.beheaded.insert(record.stream, fault);
        History::Beheaded
    }

    fn delete(&mut self, record: &Record, before: Option<&History>) -> History {
        match before {
            // Compaction has come so far, or the whole of it is still there.
            None | Some(History::Beheaded) => {}
            Some(History::Ended(ended)) => self.check_sequence(record, ended.sequence),
            Some(History::Open(execution)) => {
                self.check_sequence(record, execution.sequence);
                let message = "it was deleted before it had ended".to_owned();
                self.fault_at(record, "only-what-has-ended-is-deleted", message);
            }
            Some(
                History::Definition { .. }
                | History::Controls { .. }
                | History::Catalogue { .. }
                | History::Deleted,
            ) => {
                let message = "the tombstone of what is no execution".to_owned();
                self.fault_at(record, "histories-apart", message);
            }
        }
        // One that has no record left is counted as deleted only.
        if !matches!(before, None | Some(History::Beheaded)) {
            self.report.executions = self.report.executions.saturating_sub(1);
        }
        self.beheaded.remove(&record.stream);
        self.report.deleted += 1;
        History::Deleted
    }

    fn after_deletion(&mut self, record: &Record) -> History {
        let message = format!("{} after the deletion", record.event.name());
        self.fault_at(record, "nothing-after-the-end", message);
        History::Deleted
    }

    fn definition(&mut self, record: &Record, before: u64) -> History {
        self.check_sequence(record, before);
        if !matches!(*record.event, Event::DefinitionStored(_)) {
            let message = format!("{} in the history of a workflow", record.event.name());
            self.fault_at(record, "histories-apart", message);
        }
        History::Definition { sequence: record.sequence }
    }

    fn control(&mut self, record: &Record, before: u64) -> History {
        self.check_sequence(record, before);
        if !record.event.is_control() {
            let message = format!("{} in the history of what is held", record.event.name());
            self.fault_at(record, "histories-apart", message);
        }
        History::Controls { sequence: record.sequence }
    }

    fn catalogue(&mut self, record: &Record, before: u64) -> History {
        self.check_sequence(record, before);
        if !record.event.is_of_catalogue() {
            let message = format!("{} in the history of the catalogue", record.event.name());
            self.fault_at(record, "histories-apart", message);
        }
        History::Catalogue { sequence: record.sequence }
    }

    fn after_end(&mut self, record: &Record, ended: Ended) -> History {
        let Ended { sequence, time, status, place } = ended;
        if matches!(*record.event, Event::ExecutionRedriven(_)) && status.can_be_redriven() {
            let ended = Execution {
                sequence,
                updated_at: time,
                place,
                ..Execution::new(ExecutionId(record.stream))
            };
            return self.fold(record, Box::new(ended));
        }
        self.check_sequence(record, sequence);
        let message = format!("{} after the end", record.event.name());
        self.fault_at(record, "nothing-after-the-end", message);
        let time = time.max(record.time);
        History::Ended(Ended { sequence: record.sequence, time, status, place })
    }

    fn fold(&mut self, record: &Record, mut execution: Box<Execution>) -> History {
        self.check_sequence(record, execution.sequence);
        if !record.event.is_of_execution() {
            let message = format!("{} in the history of an execution", record.event.name());
            self.fault_at(record, "histories-apart", message);
        }
        if record.time < execution.updated_at {
            let message = format!("{} is before {}", record.time, execution.updated_at);
            self.fault_at(record, "time-runs-forward", message);
        }
        let (progress, begins) = (execution.progress, execution.sequence == 0);
        let was_aside = execution.set_aside.is_some();
        if execution.is_paused() && invariants::begins(&record.event) {
            let message = format!("{} while it is paused", record.event.name());
            self.fault_at(record, "nothing-begins-while-paused", message);
        }
        execution.apply(&record.event, record.time);
        // The fold counts; the record says. A gap is reported once.
        execution.sequence = record.sequence;
        let begins_anew = matches!(*record.event, Event::ExecutionRedriven(_));
        if (execution.progress < progress && !begins_anew) || execution.progress > 100 {
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
            let (sequence, time, status) = (record.sequence, record.time, execution.status);
            return History::Ended(Ended { sequence, time, status, place: execution.place });
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
        self.report(Fault { position, execution: stream.to_string(), check, message });
    }

    fn report(&mut self, fault: Fault) {
        self.report.total_faults += 1;
        if self.report.faults.len() < FAULTS_NAMED {
            self.report.faults.push(fault);
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
    use crate::engine::event::{
        ExecutionCompleted, ExecutionDeleted, ExecutionFailed, ExecutionRedriven, ExecutionStarted,
    };
    use crate::engine::{Data, Failure, JobId, Link, Parent};
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
            place: None,
            rerun_of: None,
            started_as: None,
        }
        .into()
    }

    fn failed() -> Event {
        ExecutionFailed { failure: Failure::new("Mine", "as told"), summary: None }.into()
    }

    fn redriven() -> Event {
        ExecutionRedriven {
            by: "me".into(),
            reason: None,
            step: "A".into(),
            back_to: 0,
            input: Json::null(),
            input_changed: false,
            variables: Vec::new(),
            kept: Vec::new(),
            total_errors: 0,
            deadline: None,
            progress: 0,
        }
        .into()
    }

    #[test]
    fn only_what_did_not_end_well_goes_on() {
        let completed = || ExecutionCompleted { output: Data::Kept, summary: None }.into();
        let ended = |first: Event, last: Event| {
            [
                record(1, 1, 1, started(None)),
                record(2, 1, 2, first),
                record(3, 1, 3, redriven()),
                record(4, 1, 4, last),
            ]
        };
        assert_eq!(checks(ended(failed(), completed())), [""; 0]);
        assert_eq!(checks(ended(failed(), failed())), [""; 0]);
        let late = ["nothing-after-the-end", "nothing-after-the-end"];
        assert_eq!(checks(ended(completed(), failed())), late);
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

    fn deleted() -> Event {
        ExecutionDeleted { by: "me".into(), reason: None }.into()
    }

    #[test]
    fn what_was_deleted_may_have_lost_its_records_and_nothing_else_may() {
        let whole = [
            record(1, 1, 1, started(None)),
            record(2, 1, 2, failed()),
            record(3, 1, 3, deleted()),
            record(4, 2, 1, started(None)),
        ];
        assert_eq!(checks(whole), [""; 0]);
        let partly = [
            record(5, 1, 2, failed()),
            record(7, 2, 3, failed()),
            record(8, 1, 3, deleted()),
            record(9, 3, 5, deleted()),
        ];
        let mut verifier = Verifier::default();
        partly.iter().for_each(|record| verifier.take(record));
        let report = verifier.finish();
        let faults: Vec<_> = report.faults.iter().map(|one| (one.check, one.position)).collect();
        assert_eq!(faults, [("sequences-dense", 7)]);
        assert_eq!((report.deleted, report.deleted_events), (2, 5));
        let early = [
            record(1, 1, 1, started(None)),
            record(2, 1, 2, deleted()),
            record(3, 1, 3, failed()),
            record(4, 2, 1, started(None)),
        ];
        assert_eq!(checks(early), ["only-what-has-ended-is-deleted", "nothing-after-the-end"]);
    }
}
