//! Bytes of events and folds. The only file that names bincode.
//!
//! The body of a record is the event's own struct, never the enum around it: bincode writes an
//! enum by its index, and would silently read the wrong variant after a reordering. Which struct
//! it is stands in the frame, as a tag from the table below (see `frame.rs`).

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::upcast;
use crate::engine::{Event, Execution, event};

/// The number in the frame for "bincode 2, standard configuration".
pub const CODEC_BINCODE: u8 = 1;

/// The largest body that any log can hold, whatever limit the store was opened with.
pub const MAX_BODY_BYTES: usize = 128 * 1024 * 1024;

/// The largest encoded fold.
pub const MAX_EXECUTION_BYTES: usize = 512 * 1024 * 1024;

/// The version of the bytes of a fold. A fold is only a cache, so older versions are not read.
const EXECUTION_VERSION: u8 = 3;

/// bincode counts what it will hold in memory, at most eight bytes for one byte read.
const DECODE_LIMIT: usize = 8 * MAX_EXECUTION_BYTES;

type Config = Configuration<LittleEndian, Varint, Limit<DECODE_LIMIT>>;

fn config() -> Config {
    bincode::config::standard().with_limit::<DECODE_LIMIT>()
}

/// Up to how many bytes something is small, and the limit then. A text says its length, and room for
/// all of it is made before its bytes are looked for: few bytes must not ask for gigabytes. A number
/// of one byte counts as up to 8, hence the factor.
const SMALL_BYTES: usize = 1024 * 1024;
const SMALL_LIMIT: usize = 8 * SMALL_BYTES;

/// Why bytes could not be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A newer program wrote it, or it is no event at all.
    #[error("an event with tag {tag} in schema version {schema} is not known to this program")]
    Unknown {
        /// The tag.
        tag: u16,
        /// The schema version.
        schema: u16,
        /// The body as it stands.
        raw: Vec<u8>,
    },
    /// Over a limit.
    #[error("{bytes} bytes are over the limit of {limit}")]
    TooLarge {
        /// The size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not what it should be.
    #[error("the bytes of {what} cannot be read: {reason}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A value that the codec cannot write.
    #[error("{what} cannot be encoded: {reason}")]
    Unencodable {
        /// What was being written.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

/// Calls `$with` with the table of events: tag, current schema version, name. A tag is given once
/// and never to another event; a version rises with every change of the struct.
macro_rules! event_table {
    ($with:ident) => {
        $with! {
            1 1 DefinitionStored
            2 2 ExecutionStarted
            3 1 StateEntered
            4 1 StateExited
            5 1 FailureCaught
            6 1 RetryScheduled
            7 1 RetryStarted
            8 1 WaitStarted
            9 1 WaitEnded
            10 1 ForkStarted
            11 1 FrameStarted
            12 1 FrameSucceeded
            13 1 FrameFailed
            14 1 FrameCancelled
            15 1 JobScheduled
            16 1 JobStarted
            17 1 JobProgressed
            18 1 JobSucceeded
            19 1 JobFailed
            20 1 JobTimedOut
            21 1 AttemptLost
            22 1 JobCancelled
            23 1 CancelRequested
            24 1 ExecutionCancelled
            25 1 ExecutionCompleted
            26 1 ExecutionFailed
            27 1 ExecutionTimedOut
            28 1 ExecutionSetAside
            29 1 JobHeartbeat
            30 1 CallbackAwaited
            31 1 ItemStarted
            32 1 ItemSucceeded
            33 1 ItemFailed
            34 1 ItemCancelled
            35 1 ChildStopped
            36 1 ExecutionClosing
            37 1 CancelExtended
            38 1 ExecutionRedriven
            39 1 PartsKept
            40 1 CleanupStarted
            41 1 CleanupSucceeded
            42 1 CleanupFailed
            43 1 CancelForced
            44 1 ExecutionPaused
            45 1 ExecutionResumed
            46 1 WorkflowPaused
            47 1 WorkflowResumed
            48 1 JobTypePaused
            49 1 JobTypeResumed
            50 1 ExecutionAdmitted
            51 1 ExecutionDeleted
            52 1 ItemProgressed
            59 1 MapRunChanged
            60 1 MachineSettled
            61 1 MachineRemoved
            62 1 VersionPublished
            63 1 VersionRetired
            64 1 AliasSettled
            65 1 AliasRemoved
            66 1 ActivityCreated
            67 1 ActivityRemoved
            68 1 TagsSettled
        }
    };
}
#[cfg(any(test, feature = "testing"))]
pub(crate) use event_table;

macro_rules! define_encoding {
    ($($tag:literal $version:literal $name:ident)*) => {
        /// Every event: its tag, its current schema version, its name.
        pub const EVENTS: &[(u16, u16, &str)] = &[$(($tag, $version, stringify!($name)),)*];

        /// The tag of an event.
        #[must_use]
        pub fn tag(event: &Event) -> u16 {
            match event {
                $(Event::$name(_) => $tag,)*
            }
        }

        /// Appends the body of an event to `out`; gives its tag and its schema version.
        ///
        /// # Errors
        /// The event holds a value that the codec cannot write. `out` may then hold a part of it.
        pub fn encode_body(event: &Event, out: &mut Vec<u8>) -> Result<(u16, u16), CodecError> {
            match event {
                $(Event::$name(body) => {
                    encode(stringify!($name), body, out)?;
                    Ok(($tag, $version))
                })*
            }
        }

        /// Reads a body in its current schema version.
        pub(super) fn decode_current(tag: u16, raw: &[u8]) -> Result<Event, CodecError> {
            match tag {
                $($tag => {
                    decode::<event::$name>(stringify!($name), raw).map(Event::$name)
                })*
                _ => Err(CodecError::Unknown { tag, schema: 0, raw: raw.to_vec() }),
            }
        }
    };
}
event_table!(define_encoding);

/// Reads the body of an event.
///
/// # Errors
/// [`CodecError::Unknown`] with the bytes when a newer program wrote it, [`CodecError::Malformed`]
/// when they are not one such event and nothing more.
pub fn decode_body(tag: u16, schema: u16, raw: &[u8]) -> Result<Event, CodecError> {
    if raw.len() > MAX_BODY_BYTES {
        return Err(CodecError::TooLarge { bytes: raw.len(), limit: MAX_BODY_BYTES });
    }
    upcast::decode(tag, schema, raw)
}

/// Whether the event with this tag ends an execution, or stands alone in its history.
pub(super) fn ends_history(tag: u16) -> bool {
    matches!(tag, 1 | 24..=27 | 46..=49 | 60..=68) || deletes_history(tag)
}

/// Whether the event with this tag is a tombstone: its history is deleted.
pub(super) fn deletes_history(tag: u16) -> bool {
    tag == 51
}

/// Whether the event with this tag begins an execution.
pub(super) fn begins_execution(tag: u16) -> bool {
    tag == 2
}

/// A fold as bytes: a version, a checksum, the fold.
///
/// # Errors
/// It is larger than [`MAX_EXECUTION_BYTES`].
pub fn encode_execution(execution: &Execution) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![EXECUTION_VERSION, 0, 0, 0, 0];
    encode("an execution", execution, &mut bytes)?;
    if bytes.len() > MAX_EXECUTION_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len(), limit: MAX_EXECUTION_BYTES });
    }
    let (head, body) = bytes.split_at_mut(5);
    if let Some(place) = head.get_mut(1..) {
        place.copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    }
    Ok(bytes)
}

/// The fold that [`encode_execution`] made bytes of.
///
/// # Errors
/// The bytes are of another version or damaged. The caller folds the history instead.
pub fn decode_execution(bytes: &[u8]) -> Result<Execution, CodecError> {
    let fault =
        |reason: &str| CodecError::Malformed { what: "an execution", reason: reason.to_owned() };
    if bytes.len() > MAX_EXECUTION_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len(), limit: MAX_EXECUTION_BYTES });
    }
    let Some((&[version, crc @ ..], body)) = bytes.split_first_chunk::<5>() else {
        return Err(fault("it is too short"));
    };
    if version != EXECUTION_VERSION {
        return Err(fault("it has another version"));
    }
    if crc32c::crc32c(body) != u32::from_le_bytes(crc) {
        return Err(fault("the checksum does not match"));
    }
    decode("an execution", body)
}

struct Out<'a>(&'a mut Vec<u8>);

impl Writer for Out<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn encode<T: Serialize>(
    what: &'static str,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    bincode::serde::encode_into_writer(value, Out(out), config())
        .map_err(|error| CodecError::Unencodable { what, reason: error.to_string() })
}

/// Reads one value that fills `raw`: bincode itself would ignore bytes left over.
pub(super) fn decode<T: DeserializeOwned>(what: &'static str, raw: &[u8]) -> Result<T, CodecError> {
    let malformed = |reason: String| CodecError::Malformed { what, reason };
    let decoded = if raw.len() <= SMALL_BYTES {
        bincode::serde::decode_from_slice(raw, config().with_limit::<SMALL_LIMIT>())
    } else {
        bincode::serde::decode_from_slice(raw, config())
    };
    let (value, used) = decoded.map_err(|error| malformed(error.to_string()))?;
    if used == raw.len() {
        Ok(value)
    } else {
        Err(malformed(format!("{} bytes are left over", raw.len() - used)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::arbitrary;

    fn round_trip(event: &Event) -> Event {
        let mut body = Vec::new();
        let (tag, schema) = encode_body(event, &mut body).unwrap();
        decode_body(tag, schema, &body).unwrap()
    }

    proptest! {
        #[test]
        fn every_event_comes_back_as_it_was(seed: u64) {
            for (tag, _, name) in EVENTS {
                let event = arbitrary::event(*tag, seed).unwrap();
                prop_assert_eq!(event.name(), *name);
                prop_assert_eq!(round_trip(&event), event);
            }
        }

        #[test]
        fn an_execution_comes_back_as_it_was(seed: u64) {
            let execution = arbitrary::execution(seed).unwrap();
            let bytes = encode_execution(&execution).unwrap();
            prop_assert_eq!(decode_execution(&bytes).unwrap(), execution);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(tag in 0u16..80, raw: Vec<u8>) {
            drop(decode_body(tag, 1, &raw));
            drop(decode_execution(&raw));
        }
    }

    #[test]
    fn tags_are_unique() {
        let tags: std::collections::BTreeSet<u16> = EVENTS.iter().map(|event| event.0).collect();
        assert_eq!(tags.len(), EVENTS.len());
    }

    #[test]
    fn exactly_the_events_that_end_a_history_are_known_as_such() {
        let ending: Vec<&str> =
            EVENTS.iter().filter(|event| ends_history(event.0)).map(|event| event.2).collect();
        assert_eq!(
            ending,
            [
                "DefinitionStored",
                "ExecutionCancelled",
                "ExecutionCompleted",
                "ExecutionFailed",
                "ExecutionTimedOut",
                "WorkflowPaused",
                "WorkflowResumed",
                "JobTypePaused",
                "JobTypeResumed",
                "ExecutionDeleted",
                "MachineSettled",
                "MachineRemoved",
                "VersionPublished",
                "VersionRetired",
                "AliasSettled",
                "AliasRemoved",
                "ActivityCreated",
                "ActivityRemoved",
                "TagsSettled"
            ]
        );
    }

    #[test]
    fn the_tags_that_stores_look_at_are_those_of_their_events() {
        let named = |known: fn(u16) -> bool| -> Vec<&str> {
            EVENTS.iter().filter(|event| known(event.0)).map(|event| event.2).collect()
        };
        assert_eq!(named(deletes_history), ["ExecutionDeleted"]);
        assert_eq!(named(begins_execution), ["ExecutionStarted"]);
    }

    #[test]
    fn bytes_left_over_are_refused() {
        let mut body = Vec::new();
        let (tag, schema) = encode_body(&arbitrary::event(3, 7).unwrap(), &mut body).unwrap();
        body.push(0);
        assert!(matches!(decode_body(tag, schema, &body), Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn an_unknown_tag_and_a_newer_version_keep_their_bytes() {
        for (tag, schema) in [(999, 1), (3, 2), (3, 0)] {
            let error = decode_body(tag, schema, b"abc").unwrap_err();
            assert_eq!(error, CodecError::Unknown { tag, schema, raw: b"abc".to_vec() });
        }
    }

    #[test]
    fn a_hostile_length_is_refused_without_being_allocated() {
        // A DefinitionStored whose name claims 2^62 bytes.
        let mut raw = vec![253];
        raw.extend_from_slice(&(1u64 << 62).to_le_bytes());
        assert!(matches!(decode_body(1, 1, &raw), Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn few_bytes_that_claim_a_gigabyte_are_refused_before_room_is_made_for_it() {
        // Within the limit of what is large, so that only that of what is small refuses it.
        let mut raw = vec![252];
        raw.extend_from_slice(&(1_u32 << 30).to_le_bytes());
        let Err(CodecError::Malformed { reason, .. }) = decode_body(1, 1, &raw) else {
            panic!("it was read");
        };
        assert!(reason.contains("LimitExceeded"), "{reason}");
    }

    #[test]
    fn a_flipped_bit_in_a_fold_is_noticed() {
        let bytes = encode_execution(&arbitrary::execution(3).unwrap()).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(decode_execution(&changed).is_err(), "byte {at}");
        }
    }
}
