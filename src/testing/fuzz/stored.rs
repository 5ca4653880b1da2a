//! Values that a store keeps beside the log, and rows of lists.

use super::taken;
use crate::runtime::Summary;
use crate::store::codec;
use crate::store::fuzz;
use crate::testing::arbitrary;

/// The version that a saved fold begins with.
const FOLD_VERSION: u8 = 3;
/// Made-up executions that inputs can begin with.
const MADE_UP: u64 = 16;

/// What is kept beside the log: the high-water file, ends of histories, values in parts, keys of
/// tombstones, saved folds, rows. The first byte says which; the rest is its bytes, or which changes
/// are made to something whole. Checksums are put in, so that what lies behind them is reached too.
/// It is read or refused, never a panic, and what is read is written and read again as the same.
///
/// # Panics
/// When that does not hold.
pub fn stored_values(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 7 {
        0 => fuzz::high_water(bytes),
        1 => fuzz::history_end(bytes),
        2 => fuzz::parted_value(bytes),
        3 => fuzz::tombstone(bytes),
        4 => changed_fold(bytes),
        5 => row(bytes),
        _ => changed_row(bytes),
    }
}

/// The first byte chooses an execution, each further four are a change of its bytes.
fn changed_fold(data: &[u8]) {
    let Some((seed, changes)) = data.split_first() else { return };
    let execution = arbitrary::execution(u64::from(*seed) % MADE_UP);
    let written = execution.and_then(|one| codec::encode_execution(&one).ok());
    let body = written.and_then(|bytes| Some(bytes.get(5..)?.to_vec())).unwrap_or_default();
    let body = changed(body, changes);
    let mut bytes = vec![FOLD_VERSION];
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    let Ok(execution) = codec::decode_execution(&bytes) else { return };
    taken();
    let written = codec::encode_execution(&execution);
    let back = written.and_then(|bytes| codec::decode_execution(&bytes));
    assert_eq!(back, Ok(execution));
}

/// As a fold.
fn changed_row(data: &[u8]) {
    let Some((seed, changes)) = data.split_first() else { return };
    let Some(execution) = arbitrary::execution(u64::from(*seed) % MADE_UP) else { return };
    let bytes = serde_json::to_vec(&Summary::of(&execution)).unwrap_or_default();
    row(&changed(bytes, changes));
}

fn row(bytes: &[u8]) {
    let Ok(row) = serde_json::from_slice::<Summary>(bytes) else { return };
    taken();
    let written = serde_json::to_vec(&row).unwrap_or_default();
    assert_eq!(serde_json::from_slice(&written).ok(), Some(row));
}

/// Four bytes are a change: where, and how. With the highest bit of how set, the byte there goes;
/// otherwise it becomes the last of the four.
fn changed(mut bytes: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(4) {
        let &[high, low, how, byte] = change else { continue };
        let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len().max(1);
        match bytes.get_mut(at) {
            Some(_) if how >= 128 => drop(bytes.remove(at)),
            Some(place) => *place = byte,
            None => {}
        }
    }
    bytes
}
