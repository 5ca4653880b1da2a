//! Access keys: what SDKs of AWS sign requests with.
//!
//! A signature can only be checked by whoever has the secret, so the file of tokens holds the secrets of
//! access keys as they are, and not digests. It is for its owner alone.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::role::{Principal, Role};
use crate::engine::Timestamp;

/// What every access key id begins with.
const PREFIX: &str = "EVST";
/// The letters of ids.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An access key, as the file has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKeyEntry {
    /// Whom it stands for.
    pub name: String,
    /// What that one may do.
    pub role: Role,
    /// What requests name it by.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends to be good.
    pub expires_ms: Option<u64>,
}

impl std::fmt::Debug for AccessKeyEntry {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKeyEntry")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl AccessKeyEntry {
    /// One of random: an id of 80 bits, and a secret of 240.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn random(
        name: &str,
        role: Role,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<Self, getrandom::Error> {
        let (mut letters, mut secret) = ([0; 16], [0; 30]);
        getrandom::fill(&mut letters)?;
        getrandom::fill(&mut secret)?;
        let letter =
            |byte: &u8| char::from(LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'A'));
        Ok(Self {
            name: name.to_owned(),
            role,
            access_key_id: PREFIX.chars().chain(letters.iter().map(letter)).collect(),
            secret_access_key: BASE64_URL_SAFE_NO_PAD.encode(secret),
            created_ms: now.0,
            expires_ms: expires.map(|at| at.0),
        })
    }
}

/// An access key that is good until it expires.
#[derive(Clone)]
pub(super) struct AccessKey {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) principal: Principal,
    pub(super) expires_ms: Option<u64>,
}

impl From<AccessKeyEntry> for AccessKey {
    fn from(entry: AccessKeyEntry) -> Self {
        Self {
            id: entry.access_key_id,
            secret: entry.secret_access_key,
            principal: Principal { name: entry.name.into(), role: entry.role },
            expires_ms: entry.expires_ms,
        }
    }
}
