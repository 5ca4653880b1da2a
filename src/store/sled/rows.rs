//! Rows of executions that have ended, in the index.
//!
//! A row says first how its execution ended. Where that is a mishap, a key with no value says so
//! too, under which it is found among very many that have none. Both are written and taken in one
//! batch.

use ::sled::IVec;
use uuid::Uuid;

use super::super::{Error, Finished, Mishap};
use super::disk::Batch;
use super::guard::guard;
use super::index::{FINISHED, Index, damaged, id, is_first_part, join, name, put};
use crate::engine::ExecutionId;

/// Executions that ended with a mishap, by that.
const MISHAP: u8 = b'm';
/// What stands before the value in the first part: see [`put`].
const HEAD_BYTES: usize = 12;

/// A byte of the index, so never another one for the same.
fn tag(mishap: Mishap) -> u8 {
    match mishap {
        Mishap::WithErrors => 1,
        Mishap::Failed => 2,
        Mishap::Cancelled => 3,
        Mishap::TimedOut => 4,
    }
}

/// What a row says first.
fn read_mishap(byte: u8) -> Result<Option<Mishap>, Error> {
    if byte == 0 {
        return Ok(None);
    }
    let found = Mishap::ALL.into_iter().find(|mishap| tag(*mishap) == byte);
    found.map(Some).ok_or_else(|| damaged("a row does not say how its execution ended"))
}

fn mishap_key(mishap: Mishap, id: Uuid) -> Vec<u8> {
    [&[MISHAP, tag(mishap)][..], id.as_bytes()].concat()
}

/// The id in a key that [`mishap_key`] made.
fn id_of_mishap(key: &[u8]) -> Result<ExecutionId, Error> {
    let id = key.get(2..).and_then(|id| Uuid::from_slice(id).ok());
    id.map(ExecutionId).ok_or_else(|| damaged("a bad key"))
}

/// Writes a row, where there is none.
pub(super) fn put_row(batch: &mut Batch, finished: &Finished) {
    let execution = finished.execution.0;
    let first = finished.mishap.map_or(0, tag);
    put(batch, &name(FINISHED, execution), &[&[first][..], &finished.row].concat());
    if let Some(mishap) = finished.mishap {
        batch.insert(mishap_key(mishap, execution), &[]);
    }
}

fn read_row<'p>(
    execution: ExecutionId,
    parts: impl IntoIterator<Item = &'p IVec>,
) -> Result<Finished, Error> {
    let value = join(parts).ok_or_else(|| damaged("a row is damaged"))?;
    let (first, row) = value.split_first().ok_or_else(|| damaged("a row is short"))?;
    Ok(Finished { execution, mishap: read_mishap(*first)?, row: row.to_vec() })
}

impl Index {
    /// Takes the row of an execution away, if there is one.
    pub(super) fn remove_row(&self, batch: &mut Batch, execution: Uuid) -> Result<(), Error> {
        let mut first = None;
        guard("read of the index", 0, || {
            self.tree.scan_prefix(name(FINISHED, execution)).try_for_each(|entry| {
                let (key, value) = entry?;
                if is_first_part(&key) {
                    first = value.get(HEAD_BYTES).copied();
                }
                batch.remove(key);
                Ok(())
            })
        })?;
        if let Some(mishap) = first.map(read_mishap).transpose()?.flatten() {
            batch.remove(mishap_key(mishap, execution));
        }
        Ok(())
    }

    /// Rows newest first, of those that `wanted` wants.
    pub(super) fn list_finished(
        &self,
        before: Option<ExecutionId>,
        limit: usize,
        wanted: impl Fn(ExecutionId) -> bool,
    ) -> Result<Vec<Finished>, Error> {
        let end = before.map_or(vec![FINISHED + 1], |before| name(FINISHED, before.0).to_vec());
        let mut entries = self.tree.range(vec![FINISHED]..end);
        let mut rows = Vec::new();
        let mut parts: Vec<IVec> = Vec::new();
        while rows.len() < limit {
            let entry = guard("read of a row", 0, || entries.next_back().transpose())?;
            let Some((key, value)) = entry else {
                break;
            };
            parts.push(value);
            if is_first_part(&key) {
                let execution = id(&key).map(ExecutionId).ok_or_else(|| damaged("a bad key"))?;
                if wanted(execution) {
                    rows.push(read_row(execution, parts.iter().rev())?);
                }
                parts.clear();
            }
        }
        Ok(rows)
    }

    /// The same, of those that ended in one of these ways.
    pub(super) fn list_mishaps(
        &self,
        mishaps: &[Mishap],
        mut before: Option<ExecutionId>,
        limit: usize,
        wanted: impl Fn(ExecutionId) -> bool,
    ) -> Result<Vec<Finished>, Error> {
        loop {
            let mut ids = Vec::new();
            for mishap in Mishap::ALL.into_iter().filter(|mishap| mishaps.contains(mishap)) {
                ids.extend(self.ids_of(mishap, before, limit, &wanted)?);
            }
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.truncate(limit);
            let mut rows = Vec::new();
            for execution in &ids {
                // One that goes on again may have lost its row since.
                let row = self.find_finished(*execution)?;
                rows.extend(row.filter(|row| row.mishap.is_some_and(|own| mishaps.contains(&own))));
            }
            // No row says that there is nothing more, so that must be true.
            before = ids.last().copied();
            if before.is_none() || !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// Executions that ended in this way, the newest first.
    fn ids_of(
        &self,
        mishap: Mishap,
        before: Option<ExecutionId>,
        limit: usize,
        wanted: impl Fn(ExecutionId) -> bool,
    ) -> Result<Vec<ExecutionId>, Error> {
        let begin = vec![MISHAP, tag(mishap)];
        let all = vec![MISHAP, tag(mishap) + 1];
        let end = before.map_or(all, |before| mishap_key(mishap, before.0));
        let mut keys = self.tree.range(begin..end).keys();
        let mut ids = Vec::new();
        while ids.len() < limit {
            let key = guard("read of the index", 0, || keys.next_back().transpose())?;
            let Some(key) = key else { break };
            ids.extend(Some(id_of_mishap(&key)?).filter(|id| wanted(*id)));
        }
        Ok(ids)
    }

    pub(super) fn find_finished(&self, execution: ExecutionId) -> Result<Option<Finished>, Error> {
        let parts: Vec<IVec> = guard("read of a row", 0, || {
            self.tree.scan_prefix(name(FINISHED, execution.0)).values().collect()
        })?;
        if parts.is_empty() { Ok(None) } else { read_row(execution, &parts).map(Some) }
    }
}
