//! What of each history is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::find::{Found, Log};
use super::{
    Error, Event, LostHistory, LostPart, Position, Salvaged, Span, Stream, Timestamp, codec, spans,
};

/// What is to be written.
#[derive(Default)]
pub(super) struct Judged {
    /// The transitions that are kept, in order: the first position and how many records.
    pub(super) transitions: BTreeMap<Position, u64>,
    /// Executions that are set aside then: the sequence and time of that, and why.
    pub(super) set_aside: Vec<(Stream, u64, Timestamp, String)>,
    pub(super) salvaged: Salvaged,
    /// Versions that each workflow has so far.
    versions: HashMap<Stream, u64>,
    /// Whole histories of executions that go on.
    going_on: Vec<GoingOn>,
}

/// A whole history of an execution that goes on.
struct GoingOn {
    stream: Stream,
    transitions: Vec<(Position, u64)>,
    /// The sequence and time of its last record.
    sequence: u64,
    time: Timestamp,
}

impl Judged {
    /// The sequence that a transition gets: its own, but where each event stands for itself, as
    /// versions of workflows do, they are counted anew.
    pub(super) fn next_sequence(&mut self, found: &Found) -> u64 {
        if !is_workflow(found.stream) {
            return found.sequence;
        }
        let versions = self.versions.entry(found.stream).or_default();
        *versions += 1;
        *versions
    }

    /// Sets executions aside that would begin others anew, because those are lost.
    pub(super) fn set_aside_parents(&mut self, log: &Log) -> Result<(), Error> {
        let gone = self.salvaged.lost.iter().filter(|lost| lost.part == LostPart::All);
        let gone: HashSet<Stream> = gone.map(|lost| lost.stream).collect();
        if gone.is_empty() {
            return Ok(());
        }
        for GoingOn { stream, transitions, sequence, time } in std::mem::take(&mut self.going_on) {
            let Some(child) = begun_of(log, &transitions, &gone)? else { continue };
            let reason = format!("salvaged: execution {child}, which it began, is lost");
            self.set_aside.push((stream, sequence + 1, time, reason));
            self.salvaged.whole -= 1;
            self.salvaged.lost.push(LostHistory {
                stream,
                is_execution: true,
                kept: sequence,
                lost: 0,
                part: LostPart::Child,
                set_aside: true,
            });
        }
        Ok(())
    }
}

/// An execution that a history began, of those in `gone`.
fn begun_of(
    log: &Log,
    transitions: &[(Position, u64)],
    gone: &HashSet<Stream>,
) -> Result<Option<Stream>, Error> {
    let positions = transitions.iter().flat_map(|(first, count)| *first..first + count);
    for position in positions {
        let Some(found) = log.records.get(&position) else { continue };
        let child = match log.event(position, found)? {
            Event::ItemStarted(body) => Some(body.child.0),
            Event::JobScheduled(body) => body.child.map(|child| child.execution.0),
            _ => None,
        };
        if let Some(child) = child.filter(|child| gone.contains(child)) {
            return Ok(Some(child));
        }
    }
    Ok(None)
}

/// Whether a stream is the history of a workflow, or of what is paused, and not of an execution: see
/// `runtime/definitions.rs`.
fn is_workflow(stream: Stream) -> bool {
    stream.get_version() == Some(uuid::Version::Custom)
}

/// Decides what is kept.
pub(super) fn judge(log: &Log) -> Judged {
    let mut judged = Judged::default();
    let lost = lost_positions(log);
    let mut histories: BTreeMap<Stream, Vec<Position>> = BTreeMap::new();
    let readable = log.records.iter().filter(|(position, _)| !log.is_gone(**position));
    for (position, found) in readable {
        histories.entry(found.stream).or_default().push(*position);
    }
    for stream in log.heads.iter().filter(|(_, head)| !head.deleted).map(|(stream, _)| *stream) {
        histories.entry(stream).or_default();
    }
    for (stream, positions) in histories {
        let history = History { log, stream, positions: &positions, lost: &lost };
        history.judge(&mut judged);
    }
    judged.salvaged.events = judged.transitions.values().sum();
    judged.salvaged.lost_positions = lost;
    judged
}

/// Positions that the log had and of which nothing is left.
fn lost_positions(log: &Log) -> Vec<Span> {
    let found = log.records.keys().next_back().copied().unwrap_or(0);
    let stated = log.gaps.values().copied().max().unwrap_or(0);
    let last = found.max(stated).max(log.high_water).max(log.heads_to);
    let mut lost = Vec::new();
    let mut next = 1;
    let mut covered: BTreeSet<(Position, Position)> =
        log.gaps.iter().map(|(first, last)| (*first, *last)).collect();
    for span in spans(log.records.keys().copied()) {
        covered.insert((span.first, span.last));
    }
    for (first, end) in covered {
        if first > next {
            lost.push(Span { first: next, last: first - 1 });
        }
        next = next.max(end.saturating_add(1));
    }
    if next <= last {
        lost.push(Span { first: next, last });
    }
    lost
}

/// One history, with the records of it that can be read, in order.
struct History<'l> {
    log: &'l Log,
    stream: Stream,
    positions: &'l [Position],
    lost: &'l [Span],
}

impl History<'_> {
    fn records(&self) -> impl Iterator<Item = (Position, &Found)> {
        let found = |position: &Position| Some((*position, self.log.records.get(position)?));
        self.positions.iter().filter_map(found)
    }

    fn judge(&self, judged: &mut Judged) {
        if self.records().any(|(_, found)| codec::deletes_history(found.tag)) {
            judged.salvaged.deleted += 1;
            return;
        }
        let head = self.log.heads.get(&self.stream).map_or(0, |head| head.sequence);
        if is_workflow(self.stream) {
            return self.judge_workflow(judged, head);
        }
        let kept = self.prefix();
        let count = kept.iter().map(|(_, count)| count).sum::<u64>();
        let most = self.records().map(|(_, found)| found.sequence).max().unwrap_or(0);
        let last = kept.last().and_then(|(first, count)| {
            let position = first + count - 1;
            Some((position, self.log.records.get(&position)?))
        });
        let has_ended = last.is_some_and(|(_, found)| codec::ends_history(found.tag));
        let part = if count < most {
            if count == 0 { LostPart::All } else { LostPart::Middle }
        } else if count < head {
            if count == 0 { LostPart::All } else { LostPart::Tail }
        } else if !has_ended && self.may_go_on(last.map_or(0, |(position, _)| position), head) {
            LostPart::Unknown
        } else {
            judged.salvaged.whole += 1;
            judged.transitions.extend(kept.iter().copied());
            if let Some((_, found)) = last.filter(|_| !has_ended) {
                let (stream, time) = (self.stream, Timestamp(found.time));
                let going_on = GoingOn { stream, transitions: kept, sequence: count, time };
                judged.going_on.push(going_on);
            }
            return;
        };
        judged.transitions.extend(kept);
        let lost = most.max(head).saturating_sub(count);
        let mut history = LostHistory {
            stream: self.stream,
            is_execution: true,
            kept: count,
            lost,
            part,
            set_aside: false,
        };
        if let Some((_, found)) = last.filter(|_| !has_ended) {
            let reason = match part {
                LostPart::Unknown => format!("salvaged: events after {count} may be lost"),
                _ => format!("salvaged: events {} to {} are lost", count + 1, count + lost),
            };
            history.set_aside = true;
            judged.set_aside.push((self.stream, count + 1, Timestamp(found.time), reason));
        }
        judged.salvaged.lost.push(history);
    }

    /// Whether a history of which nothing is known to be lost may have gone on: positions after its
    /// last record are lost, and the index does not say that it ended before them.
    fn may_go_on(&self, last: Position, head: u64) -> bool {
        let after = self.lost.last().is_some_and(|span| span.last > last);
        let is_known = head > 0
            && self.lost.iter().all(|span| span.last <= self.log.heads_to)
            && self.log.heads.contains_key(&self.stream);
        after && !is_known
    }

    /// The transitions before the first hole: their first positions and how many records they have.
    fn prefix(&self) -> Vec<(Position, u64)> {
        let mut whole = Vec::new();
        let mut open: Option<(Position, u64)> = None;
        let (mut sequence, mut previous) = (0, 0);
        for (position, found) in self.records() {
            let (first, count) = open.unwrap_or((position, 0));
            let follows = found.sequence == sequence + 1
                && found.previous == previous
                && position == first + count;
            if !follows {
                break;
            }
            sequence = found.sequence;
            open = Some((first, count + 1));
            if found.is_last {
                whole.push((first, count + 1));
                previous = first;
                open = None;
            }
        }
        whole
    }

    /// Versions are kept wherever they are: executions name them by their content.
    fn judge_workflow(&self, judged: &mut Judged, head: u64) {
        let mut count = 0;
        let mut most = head;
        for (position, found) in self.records() {
            judged.transitions.insert(position, 1);
            most = most.max(found.sequence);
            count += 1;
        }
        if count == most {
            judged.salvaged.whole += 1;
            return;
        }
        judged.salvaged.renumbered.push(self.stream);
        judged.salvaged.lost.push(LostHistory {
            stream: self.stream,
            is_execution: false,
            kept: count,
            lost: most - count,
            part: LostPart::Middle,
            set_aside: false,
        });
    }
}
