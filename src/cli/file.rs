//! A log that `log export` wrote into a file, in memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::exit::Exit;
use super::fault::Fault;
use super::ndjson;
use crate::engine::{Event, Execution, ExecutionId, Held, Program};
use crate::language::{self, DefinitionHash, Format};
use crate::runtime::{Rows, Summary, find};
use crate::store::{Position, Record, Stream};

type Result<T> = std::result::Result<T, Box<Fault>>;

/// The most bytes of a line that is read. A store takes no event near this size.
const LINE_BYTES: u64 = 192 * 1024 * 1024;

/// The events of a file, or of a part of a log.
pub(super) struct FileLog {
    records: Vec<Record>,
    /// Where the events of each execution are among them.
    histories: HashMap<Stream, Vec<usize>>,
    programs: HashMap<DefinitionHash, Arc<Program>>,
}

impl FileLog {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let unreadable = |error: &io::Error| {
            let message = format!("{} cannot be read", path.display());
            Fault::new("FILE_UNREADABLE", Exit::NotFound, message).why(error.to_string())
        };
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let mut log =
            Self { records: Vec::new(), histories: HashMap::new(), programs: HashMap::new() };
        let (mut input, mut line) = (BufReader::new(file), String::new());
        let mut number = 0_u64;
        while next_line(&mut input, &mut line, LINE_BYTES).map_err(|error| unreadable(&error))? {
            number += 1;
            let malformed = |why: String| {
                let message = format!("{}:{number} is no event", path.display());
                Fault::new("EXPORT_MALFORMED", Exit::Other, message)
                    .why(why)
                    .hint("everstep log export > LOG.ndjson")
            };
            if line.trim().is_empty() {
                continue;
            }
            let record = ndjson::record(&line).map_err(|error| malformed(error.to_string()))?;
            if record.position <= log.last_position() {
                return Err(malformed("its position is not after that of the event before".into()));
            }
            log.add(record);
        }
        Ok(log)
    }

    fn add(&mut self, record: Record) {
        if let Event::DefinitionStored(body) = &*record.event {
            let options = language::Options::default();
            if let Ok(workflow) = language::parse(body.source.as_str(), Format::Json, &options) {
                self.programs.insert(body.hash, Arc::new(Program::new(workflow)));
            }
        } else if matches!(*record.event, Event::ExecutionDeleted(_)) {
            self.histories.remove(&record.stream);
        } else if record.event.is_of_execution() {
            self.histories.entry(record.stream).or_default().push(self.records.len());
        }
        self.records.push(record);
    }

    /// Workflows and job types that are paused at the end of the file.
    pub(super) fn held(&self) -> Held {
        let mut held = Held::default();
        for record in self.records.iter().filter(|record| record.event.is_control()) {
            held.apply(&record.event, record.sequence, record.time);
        }
        held
    }

    pub(super) fn last_position(&self) -> Position {
        self.records.last().map_or(0, |record| record.position)
    }

    pub(super) fn log(&self, from: Position, limit: usize) -> Vec<Record> {
        let start = self.records.partition_point(|record| record.position < from);
        self.records.iter().skip(start).take(limit).cloned().collect()
    }

    pub(super) fn program(&self, definition: DefinitionHash) -> Option<Arc<Program>> {
        self.programs.get(&definition).cloned()
    }

    fn records_of(&self, stream: Stream) -> impl Iterator<Item = &Record> {
        let places = self.histories.get(&stream);
        places.into_iter().flatten().filter_map(|place| self.records.get(*place))
    }

    /// The executions that began in the file, in that order.
    pub(super) fn executions(&self) -> Vec<ExecutionId> {
        let begins = |record: &&Record| matches!(&*record.event, Event::ExecutionStarted(_));
        self.records.iter().filter(begins).map(|record| ExecutionId(record.stream)).collect()
    }

    /// All events of an execution; empty when there are none.
    pub(super) fn history(&self, id: ExecutionId) -> Result<Vec<Record>> {
        let history: Vec<Record> = self.records_of(id.0).cloned().collect();
        for (expected, record) in (1..).zip(&history) {
            if record.sequence != expected {
                let short = id.short();
                let message = format!("event {expected} of execution {short} is not in the file");
                return Err(Fault::new("EXPORT_INCOMPLETE", Exit::NotFound, message)
                    .why("an execution can be shown only if all of its events up to there are")
                    .hint(format!("everstep log export {short} > LOG.ndjson")));
            }
        }
        Ok(history)
    }

    pub(super) fn execution(&self, id: ExecutionId) -> Result<Execution> {
        let history = self.history(id)?;
        Ok(Record::fold(id, &history))
    }

    /// Rows of the executions of which all events are there, the newest first.
    pub(super) fn list(&self, rows: Rows, limit: usize) -> Vec<Summary> {
        let mut ids: Vec<ExecutionId> = self.histories.keys().copied().map(ExecutionId).collect();
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        // One after the other, as each has to be folded: a short list needs few.
        let whole = ids.into_iter().filter_map(|id| self.execution(id).ok());
        let all = whole.map(|execution| Summary::of(&execution));
        all.filter(|row| rows.has(row)).take(limit).collect()
    }

    pub(super) fn find(&self, text: &str) -> Result<ExecutionId> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let ids = self.histories.keys().map(|id| ExecutionId(*id));
        if text == "@" {
            // The newest is the one that was started last, and not what it began.
            let newest = self.list(Rows::Started, 1).first().map(|row| row.id);
            return Ok(newest.map_or_else(|| find::by_handle(ids, text), Ok)?);
        }
        Ok(find::by_handle(ids, text)?)
    }
}

/// Reads the next line, its end included; false when there is none.
fn next_line(input: &mut impl BufRead, line: &mut String, most: u64) -> io::Result<bool> {
    line.clear();
    let count = input.take(most + 1).read_line(line)?;
    if u64::try_from(count).is_ok_and(|count| count > most) {
        let why = format!("a line has over {most} bytes, more than any event");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_over_the_limit_is_refused() {
        let (mut input, mut line) = (&b"1234\n\n12345\n"[..], String::new());
        assert!(next_line(&mut input, &mut line, 5).unwrap());
        assert_eq!(line, "1234\n");
        assert!(next_line(&mut input, &mut line, 5).unwrap());
        assert!(next_line(&mut input, &mut line, 5).is_err());
        assert!(!next_line(&mut &b""[..], &mut line, 5).unwrap());
    }
}
