//! Names and tokens that a decision must make up: unguessable to anybody outside, and the same for
//! the same decision.
//!
//! A decision knows neither chance nor a counter beyond its execution. The shell draws a key once,
//! and what is made here is a digest of that key and of a place in a history that is used once: the
//! sequence of the event that records the name. So decide stays pure, and costs no chance where
//! nothing is made.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::id::{ExecutionId, JobId, Timestamp, Token};

/// Makes ids of child executions and map runs, and tokens of callbacks.
#[derive(Clone)]
pub struct Mint([u8; 32]);

/// Never the key: who has it can forge tokens.
impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mint(…)")
    }
}

impl Mint {
    /// From a key that nobody else knows. It need not outlive the process: what is made is in the
    /// log.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The token of the callback that event `sequence` of `execution` waits for.
    pub(super) fn token(&self, execution: ExecutionId, sequence: u64) -> Token {
        Token(self.digest(b"token", execution, sequence))
    }

    /// The id of what event `sequence` of `execution` begins: a UUID version 7 of that time.
    pub(super) fn id(&self, now: Timestamp, execution: ExecutionId, sequence: u64) -> ExecutionId {
        let digest = self.digest(b"child", execution, sequence);
        let mut random = [0; 10];
        random.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        ExecutionId(uuid::Builder::from_unix_timestamp_millis(now.0, &random).into_uuid())
    }

    fn digest(&self, what: &[u8; 5], execution: ExecutionId, sequence: u64) -> [u8; 16] {
        // Every part has a fixed length, so no two inputs run together, and the digest is cut, so
        // that none can be extended.
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(what)
            .chain_update(execution.0.as_bytes())
            .chain_update(sequence.to_be_bytes())
            .finalize();
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        half
    }
}

/// What a callback shows: which job it is for, and the proof that it may answer.
///
/// People and programs see it as one word of letters, digits, `-` and `_`; it says nothing else to
/// them. The context object has it as `$$.Task.Token`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallbackToken {
    /// The execution.
    pub execution: ExecutionId,
    /// Its job.
    pub job: JobId,
    /// The proof.
    pub token: Token,
}

impl fmt::Debug for CallbackToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackToken({} {} …)", self.execution, self.job)
    }
}

impl fmt::Display for CallbackToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = self.job.0.to_be_bytes();
        let bytes = [self.execution.0.as_bytes().as_slice(), &job, &self.token.0].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not the token of a callback")]
pub struct NoToken;

impl FromStr for CallbackToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoToken)?;
        let (execution, rest) = bytes.split_first_chunk::<16>().ok_or(NoToken)?;
        let (job, token) = rest.split_first_chunk::<4>().ok_or(NoToken)?;
        Ok(Self {
            execution: ExecutionId(Uuid::from_bytes(*execution)),
            job: JobId(u32::from_be_bytes(*job)),
            token: Token(token.try_into().map_err(|_| NoToken)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ExecutionId = ExecutionId(Uuid::from_u128(0x1234_5678));

    #[test]
    fn what_is_made_hangs_on_the_key_and_the_place() {
        let (mint, other) = (Mint::new([1; 32]), Mint::new([2; 32]));
        assert_eq!(mint.token(ID, 3), mint.token(ID, 3));
        assert_ne!(mint.token(ID, 3), mint.token(ID, 4));
        assert_ne!(mint.token(ID, 3), other.token(ID, 3));
        let now = Timestamp(1_700_000_000_000);
        assert_ne!(mint.id(now, ID, 3), mint.id(now, ID, 4));
        assert_eq!(mint.id(now, ID, 3).0.get_version_num(), 7);
    }

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let token = CallbackToken { execution: ID, job: JobId(7), token: Token([9; 16]) };
        let text = token.to_string();
        assert_eq!(text.parse(), Ok(token));
        assert_eq!(text[1..].parse::<CallbackToken>(), Err(NoToken));
        assert_eq!(format!("{text}A").parse::<CallbackToken>(), Err(NoToken));
        assert_eq!("".parse::<CallbackToken>(), Err(NoToken));
        assert!(!format!("{token:?}").contains(&text));
    }
}
