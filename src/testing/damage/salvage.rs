//! Whether a salvage gets out all that is intact, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::super::crash_points::history::{by_history, is_tombstone};
use super::super::image::Image;
use super::base::Base;
use super::copies::LOG;
use super::{Verify, at_once, text};
use crate::engine::Event;
use crate::store::{
    EventStore, Position, Record, Salvaged, SledOptions, SledStore, Stream, salvage,
};

/// What a salvage got out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rescued {
    /// Records of histories that were not deleted.
    pub(super) written: u64,
    /// Of those, the ones that were kept.
    pub(super) kept: u64,
}

/// Salvages the damaged folder `from`, which was written from `image`.
pub(super) fn judge(
    base: &Base,
    image: &Image,
    from: &Path,
    verify: Verify<'_>,
) -> Result<Rescued, String> {
    let intact = base.copies.intact(base.image.bytes(LOG), image.bytes(LOG));
    let to = from.with_extension("saved");
    let result = salvage(from, &to);
    let judged = match result {
        Ok(salvaged) => look(base, &intact, &salvaged, &to, verify),
        Err(error) => {
            let required: u64 =
                histories(base).values().map(|history| required(history, &intact)).sum();
            match (required, error.code()) {
                (0, "STORE_DAMAGED") => Ok(Rescued { written: 1, kept: 0 }),
                (required, code) => {
                    Err(format!("salvage fails with {code}, {required} records are there: {error}"))
                }
            }
        }
    };
    // There need be none.
    drop(fs::remove_dir_all(&to));
    judged
}

type Histories<'b> = BTreeMap<Stream, Vec<&'b [Record]>>;

/// The histories that were not deleted, by their transitions.
fn histories(base: &Base) -> Histories<'_> {
    let mut histories = Histories::new();
    for transition in &base.truth.transitions {
        if let Some(first) = transition.first() {
            histories.entry(first.stream).or_default().push(transition);
        }
    }
    histories.retain(|_, history| !history.iter().any(|one| one.iter().any(is_tombstone)));
    histories
}

/// How many records of a history stand before its first hole.
fn required(history: &[&[Record]], intact: &BTreeSet<Position>) -> u64 {
    let whole =
        |transition: &&&[Record]| transition.iter().all(|record| intact.contains(&record.position));
    history.iter().take_while(whole).map(|transition| transition.len() as u64).sum()
}

fn look(
    base: &Base,
    intact: &BTreeSet<Position>,
    salvaged: &Salvaged,
    to: &Path,
    verify: Verify<'_>,
) -> Result<Rescued, String> {
    let store = SledStore::open(to, SledOptions::default())
        .map_err(|error| format!("what was salvaged does not open: {error}"))?;
    let log = at_once(store.read_log(1, usize::MAX)).map_err(text)?;
    verify(&log).map_err(|what| format!("what was salvaged is not sound: {what}"))?;
    let mut kept = by_history(&log);
    let mut rescued = Rescued::default();
    for (stream, history) in histories(base) {
        let own = kept.remove(&stream).unwrap_or_default();
        let own = without_the_note(&own);
        let written: Vec<&Record> = history.iter().copied().flatten().collect();
        is_beginning(own, &written)?;
        let required = required(&history, intact);
        if (own.len() as u64) < required {
            let (got, of) = (own.len(), written.len());
            return Err(format!("of {stream} {got} of {of} are saved, {required} are intact"));
        }
        let is_told = salvaged.lost.iter().any(|lost| lost.stream == stream)
            || (own.is_empty() && written.iter().all(|record| is_lost(salvaged, record.position)));
        if own.len() < written.len() && !is_told {
            return Err(format!("it is not said that {stream} is not whole"));
        }
        rescued.written += written.len() as u64;
        rescued.kept += own.len() as u64;
    }
    for (stream, own) in kept {
        // One of which the tombstone is lost.
        let written = base.truth.records().filter(|record| record.stream == stream);
        is_beginning(without_the_note(&own), &written.collect::<Vec<_>>())?;
    }
    Ok(rescued)
}

fn is_lost(salvaged: &Salvaged, position: Position) -> bool {
    salvaged.lost_positions.iter().any(|span| (span.first..=span.last).contains(&position))
}

/// What was kept of a history, without what salvage itself has written.
fn without_the_note<'h, 'r>(history: &'h [&'r Record]) -> &'h [&'r Record] {
    match history.split_last() {
        Some((last, own)) if matches!(*last.event, Event::ExecutionSetAside(_)) => own,
        _ => history,
    }
}

fn is_beginning(kept: &[&Record], written: &[&Record]) -> Result<(), String> {
    let same = |(kept, written): (&&Record, &&Record)| {
        (kept.sequence, kept.time, &kept.event) == (written.sequence, written.time, &written.event)
    };
    if kept.len() <= written.len() && kept.iter().zip(written).all(same) {
        return Ok(());
    }
    Err(format!("what was salvaged is not what was written: {:?}", kept.last()))
}
