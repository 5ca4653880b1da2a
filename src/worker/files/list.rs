//! Listing the files of a bucket, in the form of S3.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::json;

use super::buckets::{Buckets, MAX_KEY_BYTES};
use super::cut::{Items, Watch};
use super::write::PART_SUFFIX;
use super::{ReadLimits, unread};
use crate::language::Json;
use crate::worker::registry::JobError;

/// How deep folders may be nested: no key could be deeper by much.
const MAX_DEPTH: usize = 128;

/// The files whose keys begin with `prefix`, in the order of their keys, at most `most` of them; 0
/// is without limit. Links are passed over: a list never leads out of the bucket.
pub(super) fn list(
    buckets: &Buckets,
    (bucket, prefix): (&str, &str),
    most: u64,
    limits: ReadLimits,
    watch: Watch<'_>,
) -> Result<Json, JobError> {
    let mut listing = Listing { prefix, items: Items::new(most, limits, watch), limits, seen: 0 };
    if let Some((folder, inner)) = buckets.listed(bucket, prefix).map_err(unread)? {
        listing.walk(&folder, &inner, 0)?;
    }
    listing.items.finish()
}

struct Listing<'a> {
    prefix: &'a str,
    items: Items<'a>,
    limits: ReadLimits,
    seen: u64,
}

impl Listing<'_> {
    /// Lists a folder, whose files have keys that begin with `inner`. Says whether more are wanted.
    fn walk(&mut self, folder: &Path, inner: &str, depth: usize) -> Result<bool, JobError> {
        if depth > MAX_DEPTH {
            return Err(unread(format!("the folders are nested over {MAX_DEPTH} deep")));
        }
        let failed = |error: io::Error| {
            unread(format!("the files with keys {inner:?}… cannot be listed: {error}"))
        };
        let mut found: Vec<(String, DirEntry, bool)> = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            self.count()?;
            let kind = entry.file_type().map_err(failed)?;
            if let Some(key) = self.key(inner, &entry, kind)? {
                found.push((key, entry, kind.is_dir()));
            }
        }
        // A folder's key ends with `/`, so that this is the order of all keys, byte by byte.
        found.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        for (key, entry, is_folder) in found {
            let more = if is_folder {
                self.walk(&entry.path(), &key, depth + 1)?
            } else {
                self.file(&key, &entry)?
            };
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn file(&mut self, key: &str, entry: &DirEntry) -> Result<bool, JobError> {
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // It went away in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => {
                return Err(unread(format!("the file {key:?} cannot be looked at: {error}")));
            }
        };
        self.items.push(0, |text| {
            serde_json::to_writer(text, &described(key, &metadata))
                .map_err(|error| unread(error.to_string()))
        })
    }

    /// The key of a file, or of a folder with `/` at its end; none for what is not listed.
    fn key(
        &self,
        inner: &str,
        entry: &DirEntry,
        kind: fs::FileType,
    ) -> Result<Option<String>, JobError> {
        if !kind.is_file() && !kind.is_dir() {
            return Ok(None);
        }
        let name = entry.file_name().into_string().map_err(|name| {
            unread(format!(
                "the name of the file {} in {inner:?} is not UTF-8 text, so it has no key; rename it",
                name.display()
            ))
        })?;
        let end = if kind.is_dir() { "/" } else { "" };
        let key = format!("{inner}{name}{end}");
        // Files that are being written have no keys yet.
        if !key.starts_with(self.prefix) || name.ends_with(PART_SUFFIX) {
            return Ok(None);
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(unread(format!(
                "the key {key:?} would have over {MAX_KEY_BYTES} bytes; shorten the names of the file and its folders"
            )));
        }
        Ok(Some(key))
    }

    fn count(&mut self) -> Result<(), JobError> {
        self.seen += 1;
        if self.seen <= self.limits.entries {
            return Ok(());
        }
        Err(unread(format!(
            "there are over {} files and folders to look at, the most for one list; set a longer `Prefix`",
            self.limits.entries
        )))
    }
}

/// A file in the words of S3.
fn described(key: &str, metadata: &Metadata) -> serde_json::Value {
    let modified = metadata.modified().ok();
    let since_1970 = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    // As web servers have it: it changes when the file does, and costs no reading.
    let etag = format!("\"{:x}-{:x}\"", since_1970.as_nanos(), metadata.len());
    json!({
        "Etag": etag,
        "Key": key,
        "LastModified": since_1970.as_secs(),
        "Size": metadata.len(),
        "StorageClass": "STANDARD",
    })
}
