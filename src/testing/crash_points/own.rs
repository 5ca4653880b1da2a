//! The histories of a made-up client, and the checkpoints that it makes of them.

use std::collections::BTreeMap;

use super::super::store_suite::stream;
use super::Random;
use super::client::name_of;
use crate::engine::ExecutionId;
use crate::store::{Checkpoint, Finished, Mishap, Snapshot};

/// A history as the client has it.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Own {
    pub(in super::super) last: u64,
    pub(in super::super) has_ended: bool,
    pub(in super::super) is_deleted: bool,
    /// Up to which of its records checkpoints tell.
    pub(in super::super) saved: u64,
}

/// Tells of all that has changed since the last checkpoint, as the engine does.
pub(in super::super) fn checkpoint(own: &BTreeMap<u64, Own>, random: &mut Random) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    for (number, own) in own.iter().filter(|(_, own)| own.saved < own.last && !own.is_deleted) {
        let (stream, sequence) = (stream(*number), own.last);
        if own.has_ended {
            let row = format!("row {number} {sequence}").into_bytes();
            let mishap =
                usize::try_from(*number % 5).ok().and_then(|n| Mishap::ALL.get(n)).copied();
            checkpoint.finished.push(Finished { execution: ExecutionId(stream), mishap, row });
            checkpoint.names.push((name_of(stream), ExecutionId(stream)));
        } else {
            let length = if random.one_in(4) { 10_000 } else { random.index(50) };
            let bytes = sequence.to_le_bytes().repeat(1 + length / 8);
            checkpoint.snapshots.push(Snapshot { stream, sequence, bytes });
        }
    }
    checkpoint
}
