//! What must hold of any bytes that stand where this store keeps its own: parts of the body
//! `stored_values` of the fuzz targets.

use ::sled::IVec;

use super::disk::Batch;
use super::{high_water, index};

/// A slot of the high-water file: 28 bytes, to which their checksum is added, and 32 as they stand.
///
/// # Panics
/// When a slot with a checksum that fits is not read, or is read as something else.
pub(crate) fn high_water(bytes: &[u8]) {
    if let Some(slot) = bytes.first_chunk::<32>() {
        let _ = high_water::read(slot);
    }
    let Some(content) = bytes.first_chunk::<28>() else { return };
    let mut slot = [0; 32];
    let crc = crc32c::crc32c(content).to_le_bytes();
    for (place, byte) in slot.iter_mut().zip(content.iter().chain(&crc)) {
        *place = *byte;
    }
    let read = high_water::read(&slot);
    let number = |from: usize| {
        let bytes = content.get(from..).and_then(<[u8]>::first_chunk);
        u64::from_le_bytes(bytes.copied().unwrap_or_default())
    };
    let expected = (number(16).to_le_bytes(), (number(8), number(0)));
    assert_eq!(read, Some(expected), "of {content:?}");
}

/// The end of a history in the index.
///
/// # Panics
/// When it does not read back.
pub(crate) fn history_end(bytes: &[u8]) {
    let Some(head) = super::Head::from_bytes(bytes) else { return };
    assert_eq!(super::Head::from_bytes(&head.to_bytes()), Some(head), "of {bytes:?}");
}

/// A value that was split into parts: the first byte says where the bytes are split again.
///
/// # Panics
/// When a value is not joined as it was split, or other bytes are taken for one.
pub(crate) fn parted_value(bytes: &[u8]) {
    let mut batch = Batch::default();
    index::put(&mut batch, b"name", bytes);
    let changes = batch.changes();
    assert_eq!(index::join(changes.values().copied().flatten()).as_deref(), Some(bytes));
    let Some((at, bytes)) = bytes.split_first() else { return };
    let (one, other) = bytes.split_at(usize::from(*at).min(bytes.len()));
    let parts: [IVec; 2] = [one.into(), other.into()];
    let joined = index::join(&parts);
    assert!(joined.is_none_or(|value| value.len() + 12 == bytes.len()), "of {bytes:?}");
}

/// The key of a tombstone.
///
/// # Panics
/// When it does not read back.
pub(crate) fn tombstone(key: &[u8]) {
    let Some((time, stream)) = index::read_tombstone(key) else { return };
    let written = index::tombstone_key(time, stream);
    assert_eq!(index::read_tombstone(&written), Some((time, stream)), "of {key:?}");
    assert_eq!(written.get(1..), key.get(1..), "of {key:?}");
}
