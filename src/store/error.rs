//! What can go wrong with a store.

use std::path::PathBuf;

use super::codec::CodecError;
use super::{Position, Stream};

/// Why a store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process has the store open.
    #[error("the log in {path} is open in another process{}", pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// That process, when it is known.
        pid: Option<u32>,
    },
    /// A file operation failed. The store takes no more appends.
    #[error("{operation} failed: {message}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        message: String,
        /// What kind of failure it was.
        kind: std::io::ErrorKind,
    },
    /// The log cannot be read as it stands.
    #[error("the log is damaged at position {}: {}", damage.position, damage.reason)]
    Damaged {
        /// Where, what, and whom it hits.
        damage: Damage,
    },
    /// The log was written by a newer program.
    #[error("the log has format {found}, this program knows formats up to {known}")]
    NewerFormat {
        /// The format of the log.
        found: u32,
        /// The newest format this program reads.
        known: u32,
    },
    /// A newer program wrote an event that this one does not know.
    #[error(
        "the event at position {position} has tag {tag} in schema version {schema}, which this program does not know; a newer program wrote it"
    )]
    UnknownEvent {
        /// Where.
        position: Position,
        /// Its tag.
        tag: u16,
        /// Its schema version.
        schema: u16,
        /// Its body, as it stands.
        raw: Vec<u8>,
    },
    /// A newer writer has taken over.
    #[error("another writer has taken over the log")]
    Fenced,
    /// A record is larger than the store takes.
    #[error("an event of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The store stopped after an earlier error.
    #[error("the store has stopped after an earlier error: {first}")]
    Stopped {
        /// The earlier error.
        first: String,
    },
}

/// A place in a log that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The first position hit.
    pub position: Position,
    /// What is wrong there, as `checksum does not match`.
    pub reason: String,
    /// The histories known to be hit.
    pub streams: Vec<Stream>,
}

/// What was found when a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The position after which an incomplete batch was cut off, if one was.
    pub torn_tail_after: Option<Position>,
    /// Whether left-overs of an interrupted start were removed.
    pub removed_leftovers: bool,
    /// Whether the projection beside the log (snapshots, rows of ended executions) was missing or
    /// damaged and begun anew: it is filled again as the log is read from 1.
    pub rebuilt_index: bool,
}

impl Error {
    pub(super) fn damaged(
        position: Position,
        reason: impl Into<String>,
        streams: impl IntoIterator<Item = Stream>,
    ) -> Self {
        let streams = streams.into_iter().collect();
        Self::Damaged { damage: Damage { position, reason: reason.into(), streams } }
    }

    pub(super) fn io(operation: &'static str, error: &std::io::Error) -> Self {
        Self::Io { operation, message: error.to_string(), kind: error.kind() }
    }

    pub(super) fn from_codec(
        error: CodecError,
        position: Position,
        stream: Option<Stream>,
    ) -> Self {
        match error {
            CodecError::Unknown { tag, schema, raw } => {
                Self::UnknownEvent { position, tag, schema, raw }
            }
            CodecError::TooLarge { bytes, limit } => Self::TooLarge { bytes, limit },
            CodecError::Malformed { .. } | CodecError::Unencodable { .. } => {
                Self::damaged(position, error.to_string(), stream)
            }
        }
    }

    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "STORE_LOCKED",
            Self::Io { kind: std::io::ErrorKind::StorageFull, .. } => "STORE_DISK_FULL",
            Self::Io {
                kind: std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied,
                ..
            } => "STORE_READ_ONLY",
            Self::Io { .. } => "STORE_IO",
            Self::Damaged { .. } => "STORE_DAMAGED",
            Self::NewerFormat { .. } => "STORE_NEWER_FORMAT",
            Self::UnknownEvent { .. } => "STORE_UNKNOWN_EVENT",
            Self::Fenced => "STORE_FENCED",
            Self::TooLarge { .. } => "STORE_TOO_LARGE",
            Self::Stopped { .. } => "STORE_STOPPED",
        }
    }
}
