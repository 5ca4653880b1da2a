//! Bearer tokens: a file that holds their digests, and whom each stands for; and access keys.
//!
//! A token has 256 random bits, so a plain SHA-256 of it tells nobody anything. The file is read
//! again when it changes: a token that is revoked is refused from the next request on. When the file
//! is gone or cannot be used, nobody gets in.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::access_keys::{AccessKey, AccessKeyEntry};
use super::error::StartError;
use super::role::{Principal, Role};
use crate::engine::Timestamp;

/// What every token begins with, so that scanners of source code find those that leaked.
pub(super) const PREFIX: &str = "everstep_";
/// The most tokens that a file may have.
const MOST_TOKENS: usize = 1000;
/// The largest file that is read.
const MOST_BYTES: u64 = 1024 * 1024;
/// The longest credential that is looked at.
const MOST_CREDENTIAL_BYTES: usize = 256;

/// A token, as the file has it: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Whom it stands for.
    pub name: String,
    /// What that one may do.
    pub role: Role,
    /// SHA-256 of the token, in hexadecimal digits.
    pub sha256: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends to be good.
    pub expires_ms: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    tokens: Vec<TokenEntry>,
    /// With their secrets, which signatures cannot be checked without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    access_keys: Vec<AccessKeyEntry>,
}

/// A file of tokens.
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at `path`, which need not be there.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is such a file: from then on everybody needs a token.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// All tokens; none when there is no file.
    ///
    /// # Errors
    /// The file cannot be read, others may read it, or it is not one of ours.
    pub fn list(&self) -> Result<Vec<TokenEntry>, StartError> {
        Ok(self.read()?.tokens)
    }

    /// All access keys; none when there is no file.
    ///
    /// # Errors
    /// As [`TokenFile::list`].
    pub fn access_keys(&self) -> Result<Vec<AccessKeyEntry>, StartError> {
        Ok(self.read()?.access_keys)
    }

    fn read(&self) -> Result<Document, StartError> {
        if !self.exists() {
            return Ok(Document::default());
        }
        let mut text = String::new();
        let file = File::open(&self.path).map_err(|error| self.unusable(&error))?;
        let mode = file.metadata().map_err(|error| self.unusable(&error))?.mode();
        if mode & 0o077 != 0 {
            return Err(self.unusable(&format!("its mode is {:03o}, not 600", mode & 0o777)));
        }
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(|error| self.unusable(&error))?;
        self.document(&text)
    }

    /// What a text of such a file says.
    fn document(&self, text: &str) -> Result<Document, StartError> {
        serde_json::from_str(text).map_err(|error| self.unusable(&error))
    }

    /// Makes a token and gives it: this is the only time that it is seen.
    ///
    /// # Errors
    /// The file cannot be read or written, there are too many tokens, or one has the name.
    pub fn create(
        &self,
        name: &str,
        role: Role,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<String, StartError> {
        let mut document = self.with_room(name)?;
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| self.unusable(&error))?;
        let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random));
        document.tokens.push(TokenEntry {
            name: name.to_owned(),
            role,
            sha256: digest_text(&token),
            created_ms: now.0,
            expires_ms: expires.map(|at| at.0),
        });
        self.write(&document)?;
        Ok(token)
    }

    /// Makes an access key and gives it, with its secret.
    ///
    /// # Errors
    /// As [`TokenFile::create`].
    pub fn create_access_key(
        &self,
        name: &str,
        role: Role,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<AccessKeyEntry, StartError> {
        let mut document = self.with_room(name)?;
        let entry = AccessKeyEntry::random(name, role, now, expires);
        let entry = entry.map_err(|error| self.unusable(&error))?;
        document.access_keys.push(entry.clone());
        self.write(&document)?;
        Ok(entry)
    }

    /// What the file holds, if there is room for one more, of this name.
    fn with_room(&self, name: &str) -> Result<Document, StartError> {
        let document = self.read()?;
        let Document { tokens, access_keys } = &document;
        let is_taken = tokens.iter().any(|entry| entry.name == name)
            || access_keys.iter().any(|entry| entry.name == name);
        if is_taken {
            return Err(self.unusable(&format!("there is a token called {name:?}")));
        }
        if tokens.len() + access_keys.len() >= MOST_TOKENS {
            return Err(self.unusable(&format!("there are {MOST_TOKENS} tokens already")));
        }
        Ok(document)
    }

    /// Takes a token or an access key back; whether there was one. The file stays, so that nobody gets in without.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn revoke(&self, name: &str) -> Result<bool, StartError> {
        let mut document = self.read()?;
        let count = |document: &Document| document.tokens.len() + document.access_keys.len();
        let before = count(&document);
        document.tokens.retain(|entry| entry.name != name);
        document.access_keys.retain(|entry| entry.name != name);
        let found = count(&document) < before;
        if found {
            self.write(&document)?;
        }
        Ok(found)
    }

    /// Writes it whole, beside the old one, and then in its place.
    fn write(&self, document: &Document) -> Result<(), StartError> {
        let text = serde_json::to_string_pretty(document).unwrap_or_default() + "\n";
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let write = || {
            if let Err(error) = fs::remove_file(&beside)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        };
        write().map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, reason: &dyn ToString) -> StartError {
        StartError::Tokens { path: self.path.clone(), reason: reason.to_string() }
    }

    /// What changes when the file does.
    fn mark(&self) -> Option<Mark> {
        let data = fs::metadata(&self.path).ok()?;
        let (ino, len, seconds, nanos) = (data.ino(), data.len(), data.ctime(), data.ctime_nsec());
        Some(Mark { ino, len, seconds, nanos })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    ino: u64,
    len: u64,
    seconds: i64,
    nanos: i64,
}

/// The tokens that are good, kept in line with their file.
pub(super) struct Tokens {
    file: TokenFile,
    /// Whether there was a file: whoever takes it away opens nothing.
    required: AtomicBool,
    known: Mutex<Known>,
}

struct Known {
    mark: Option<Mark>,
    entries: Arc<Entries>,
}

/// What a file holds that can be used.
#[derive(Default)]
struct Entries {
    tokens: Vec<Good>,
    access_keys: Vec<AccessKey>,
}

struct Good {
    digest: [u8; 32],
    principal: Principal,
    expires_ms: Option<u64>,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn open(file: TokenFile) -> Result<Self, StartError> {
        let mark = file.mark();
        let entries = good(&file)?;
        let required = AtomicBool::new(file.exists());
        Ok(Self { file, required, known: Mutex::new(Known { mark, entries }) })
    }

    /// Whether everybody needs a token: there is a file of them, or there was one.
    pub(super) fn are_required(&self) -> bool {
        if self.required.load(Ordering::Relaxed) {
            return true;
        }
        let exists = self.file.exists();
        self.required.fetch_or(exists, Ordering::Relaxed);
        exists
    }

    /// Whom a token stands for at `now`.
    pub(super) fn whose(&self, token: &str, now: Timestamp) -> Option<Principal> {
        if token.len() > MOST_CREDENTIAL_BYTES {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        // All of them are looked at, each to its end: the time tells nothing.
        for good in &self.current().tokens {
            let is_good = good.expires_ms.is_none_or(|expires| now.0 < expires);
            if is_same(&good.digest, &digest) && is_good {
                found = Some(good.principal.clone());
            }
        }
        found
    }

    /// The access key with this id, while it is good. Ids are no secrets.
    pub(super) fn access_key(&self, id: &str, now: Timestamp) -> Option<AccessKey> {
        let entries = self.current();
        let found = entries.access_keys.iter().find(|key| key.id == id)?;
        found.expires_ms.is_none_or(|expires| now.0 < expires).then(|| found.clone())
    }

    fn current(&self) -> Arc<Entries> {
        let mark = self.file.mark();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.mark != mark || mark.is_none() {
            let read = if mark.is_some() { good(&self.file) } else { Ok(Arc::default()) };
            known.entries = read.unwrap_or_else(|error| {
                tracing::error!(%error, "nobody gets in until the file of tokens is mended");
                Arc::default()
            });
            known.mark = mark;
        }
        known.entries.clone()
    }
}

fn good(file: &TokenFile) -> Result<Arc<Entries>, StartError> {
    usable(file, file.read()?)
}

/// What of a document can be used.
fn usable(file: &TokenFile, document: Document) -> Result<Arc<Entries>, StartError> {
    let read = |entry: TokenEntry| {
        let digest = digest_of_text(&entry.sha256)
            .ok_or_else(|| file.unusable(&format!("the digest of {:?} is none", entry.name)))?;
        let principal = Principal { name: entry.name.into(), role: entry.role };
        Ok(Good { digest, principal, expires_ms: entry.expires_ms })
    };
    let tokens = document.tokens.into_iter().map(read).collect::<Result<_, _>>()?;
    let access_keys = document.access_keys.into_iter().map(AccessKey::from).collect();
    Ok(Arc::new(Entries { tokens, access_keys }))
}

/// Whether a text of such a file can be used; and that it then is written and read again as the same,
/// and that none of its tokens is lost.
#[cfg(any(test, feature = "testing"))]
pub(super) fn check_text(text: &str) -> bool {
    let file = TokenFile::at("tokens.json");
    let Ok(document) = file.document(text) else { return false };
    let written = serde_json::to_string_pretty(&document).unwrap_or_default();
    let again = file.document(&written).ok();
    let again = again.and_then(|again| serde_json::to_string_pretty(&again).ok());
    assert_eq!(again, Some(written), "of {text:?}");
    let count = document.tokens.len();
    let Ok(entries) = usable(&file, document) else { return false };
    assert_eq!(entries.tokens.len(), count, "of {text:?}");
    true
}

fn digest_text(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest_of_text(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *place = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// Whether both are the same, in a time that does not tell how much of them is.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn file() -> (tempfile::TempDir, TokenFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("tokens.json"));
        (folder, file)
    }

    #[test]
    fn a_token_is_good_until_it_expires_or_is_revoked() {
        let (_folder, file) = file();
        let token = file.create("ci", Role::Operator, NOW, Some(NOW.plus_seconds(60))).unwrap();
        let other = file.create("grafana", Role::Viewer, NOW, None).unwrap();
        let tokens = Tokens::open(file.clone()).unwrap();
        let role = |token: &str, now| tokens.whose(token, now).map(|who| who.role);
        assert_eq!(role(&token, NOW), Some(Role::Operator));
        assert_eq!(role(&token, NOW.plus_seconds(60)), None, "it has expired");
        assert_eq!(role(&other, NOW.plus_seconds(60)), Some(Role::Viewer));
        assert_eq!(role(&token[1..], NOW), None);
        assert_eq!(role("", NOW), None);
        assert!(file.revoke("grafana").unwrap() && !file.revoke("grafana").unwrap());
        assert_eq!(role(&other, NOW), None, "it was revoked while the server ran");
        let late = file.create("late", Role::Worker, NOW, None).unwrap();
        assert_eq!(role(&late, NOW), Some(Role::Worker), "it was made while the server ran");
    }

    #[test]
    fn the_file_holds_no_token_and_only_its_owner_may_read_it() {
        let (_folder, file) = file();
        let token = file.create("ci", Role::Admin, NOW, None).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains(token.trim_start_matches(PREFIX)), "{text}");
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
        assert!(file.create("ci", Role::Viewer, NOW, None).is_err(), "names are unique");
    }

    #[test]
    fn an_access_key_is_good_until_it_expires_or_is_revoked() {
        let (_folder, file) = file();
        let made = file.create_access_key("sdk", Role::Worker, NOW, Some(NOW.plus_seconds(60)));
        let made = made.unwrap();
        assert!(file.create("sdk", Role::Viewer, NOW, None).is_err(), "names are unique");
        let tokens = Tokens::open(file.clone()).unwrap();
        let found = tokens.access_key(&made.access_key_id, NOW).unwrap();
        assert_eq!((found.secret, found.principal.role), (made.secret_access_key, Role::Worker));
        assert!(tokens.access_key("EVST", NOW).is_none());
        assert!(tokens.access_key(&made.access_key_id, NOW.plus_seconds(60)).is_none());
        assert_eq!(file.list().unwrap(), [], "it is no token");
        assert!(file.revoke("sdk").unwrap());
        assert!(tokens.access_key(&made.access_key_id, NOW).is_none());
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn nobody_gets_in_when_the_file_is_gone_or_spoilt_or_open_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, file) = file();
        let token = file.create("ci", Role::Admin, NOW, None).unwrap();
        let tokens = Tokens::open(file.clone()).unwrap();
        assert!(tokens.whose(&token, NOW).is_some());
        let text = fs::read(file.path()).unwrap();
        fs::write(file.path(), "{}").unwrap();
        assert!(tokens.whose(&token, NOW).is_none());
        fs::write(file.path(), &text).unwrap();
        assert!(tokens.whose(&token, NOW).is_some(), "it was mended");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(tokens.whose(&token, NOW).is_none());
        fs::remove_file(file.path()).unwrap();
        assert!(tokens.are_required());
        assert!(tokens.whose(&token, NOW).is_none());
        assert!(tokens.whose("", NOW).is_none());
    }
}
