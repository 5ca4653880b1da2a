//! Names of things inside the engine. The engine never makes an [`ExecutionId`] or a [`Token`]:
//! they come in with commands, drawn by the shell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one execution: a UUID version 7, so ids sort by the time of their start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExecutionId(pub Uuid);

/// The digits of a handle, for the values 0 to 15 of one hexadecimal digit: letters that do not
/// look like digits and spell few words.
const HANDLE_ALPHABET: &[u8; 16] = b"zyxwvutsrqpnmkhg";

impl ExecutionId {
    /// How many letters a handle has when written out in full.
    pub const HANDLE_LETTERS: usize = 15;

    /// The short name that people type: letters from the random part of the id, so that executions
    /// started together do not share a beginning. Any unique beginning of it names the execution.
    #[must_use]
    pub fn handle(&self) -> String {
        let random = self.0.as_u64_pair().1;
        // The variant bits make the first of the sixteen digits one of four: leave it out.
        (0..Self::HANDLE_LETTERS)
            .rev()
            .filter_map(|digit| {
                let nibble = (random >> (digit * 4)) & 0xf;
                HANDLE_ALPHABET.get(usize::try_from(nibble).ok()?).copied().map(char::from)
            })
            .collect()
    }

    /// When the id was made: a moment before the execution began.
    #[must_use]
    pub fn made_at(&self) -> Option<Timestamp> {
        let (seconds, nanoseconds) = self.0.get_timestamp()?.to_unix();
        Some(Timestamp(
            seconds.saturating_mul(1000).saturating_add(u64::from(nanoseconds) / 1_000_000),
        ))
    }

    /// Lower than every id that is made at this moment, and higher than all that were made before.
    #[must_use]
    pub(crate) fn lowest_of(moment: Timestamp) -> Self {
        /// An id has room for this many milliseconds.
        const MOST_MS: u64 = (1 << 48) - 1;
        Self(Uuid::from_u128(u128::from(moment.0.min(MOST_MS)) << 80))
    }

    /// The first letters of the handle: what lists show.
    #[must_use]
    pub fn short(&self) -> String {
        short_handle(&self.handle()).to_owned()
    }
}

/// The first letters of a handle: what lists show.
#[must_use]
pub fn short_handle(handle: &str) -> &str {
    handle.get(..6).unwrap_or(handle)
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ExecutionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Names a frame of an execution: one thread of control. 0 is the outermost machine.
    FrameId
}
number! {
    /// Names a job of an execution, from 1.
    JobId
}

impl FrameId {
    /// The outermost machine.
    pub const ROOT: Self = Self(0);
}

/// The unguessable word that proves a completion belongs to one attempt of one job.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token(pub [u8; 16]);

impl Token {
    /// Whether both are the same, in a time that does not tell how much of them is.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

/// Never the token itself: logs are read by more people than may complete jobs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A moment: milliseconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `ms` milliseconds later; the last moment there is when that is too far.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The moment `seconds` later; the last moment there is when that is too far.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self.plus_ms(seconds.saturating_mul(1000))
    }

    /// Milliseconds since `earlier`, 0 when that is not earlier.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Timestamp {
    /// Reads a time in RFC 3339; none when it is none, or before 1970.
    #[must_use]
    pub fn from_rfc_3339(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(moment.as_millisecond()).ok().map(Self)
    }
}

/// RFC 3339 in UTC with milliseconds, as `2026-11-23T15:06:32.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(ms) {
            Ok(moment) => write!(f, "{moment:.3}"),
            // Past the year 9999 there is no RFC 3339 text.
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_from_the_random_part() {
        let uuid = |random: [u8; 10]| {
            ExecutionId(
                uuid::Builder::from_unix_timestamp_millis(1_700_000_000_000, &random).into_uuid(),
            )
        };
        let one = uuid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let other = uuid([1, 2, 0xff, 0x04, 5, 6, 7, 8, 9, 10]);
        assert_ne!(one.short(), other.short());
        assert_eq!(one.short().len(), 6);
    }

    #[test]
    fn a_timestamp_reads_as_rfc_3339() {
        assert_eq!(Timestamp(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
    }
}
