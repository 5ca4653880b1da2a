//! Which folder a bucket is, and how a key becomes a path that cannot leave it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

/// The longest key, in bytes: that of S3.
pub const MAX_KEY_BYTES: usize = 1024;

/// How many known buckets an error names.
const NAMES_SHOWN: usize = 20;

/// Folders by the names under which definitions know them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buckets {
    entries: BTreeMap<Arc<str>, Bucket>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bucket {
    folder: PathBuf,
    access: Access,
}

/// What workflows may do in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and list its files.
    Read,
    /// Write results too.
    ReadWrite,
}

impl Buckets {
    /// No bucket at all: every name is refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a name to a folder. A relative folder is relative to the process's own; a bucket bound
    /// before under the same name is replaced.
    pub fn bind(
        &mut self,
        name: impl Into<Arc<str>>,
        folder: impl Into<PathBuf>,
        access: Access,
    ) -> &mut Self {
        self.entries.insert(name.into(), Bucket { folder: folder.into(), access });
        self
    }

    /// The folder and the access of a bucket.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&Path, Access)> {
        self.entries.get(name).map(|bucket| (bucket.folder.as_path(), bucket.access))
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.keys()
    }

    /// Opens the file of a key for reading.
    pub(super) fn open(&self, bucket: &str, key: &str) -> Result<File, String> {
        let folder = &self.known(bucket)?.folder;
        check_key(key)?;
        let failed = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                format!("NoSuchKey: the bucket {bucket:?} has no file {key:?}")
            }
            _ => format!("the file {key:?} of the bucket {bucket:?} cannot be opened: {error}"),
        };
        let root = root(bucket, folder)?;
        let path = root.join(key).canonicalize().map_err(|error| failed(&error))?;
        inside(bucket, key, &root, &path)?;
        // Without waiting: opening a pipe would wait for its writer.
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let file = file.map_err(|error| failed(&error))?;
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(format!("{key:?} in the bucket {bucket:?} is not a file"));
        }
        Ok(file)
    }

    /// The folder below which the keys with a prefix are, and the prefix of that folder; no folder
    /// if there is none.
    pub(super) fn listed(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Option<(PathBuf, String)>, String> {
        let folder = &self.known(bucket)?.folder;
        // A prefix is the beginning of a key: its last part may be a part of a name, or empty.
        check_text(prefix)?;
        let inner = prefix.rsplit_once('/').map(|(inner, _)| inner);
        if let Some(inner) = inner {
            check_key(inner)?;
        }
        let root = root(bucket, folder)?;
        let Some(inner) = inner else { return Ok(Some((root, String::new()))) };
        match root.join(inner).canonicalize() {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!(
                "the files with the prefix {prefix:?} in the bucket {bucket:?} cannot be listed: {error}"
            )),
            Ok(path) => {
                inside(bucket, prefix, &root, &path)?;
                Ok(path.is_dir().then(|| (path, format!("{inner}/"))))
            }
        }
    }

    /// Whether results may be written below `key`, as far as can be said without a look at the disk.
    pub(super) fn check_write(&self, bucket: &str, key: &str) -> Result<(), String> {
        let known = self.known(bucket)?;
        if known.access != Access::ReadWrite {
            return Err(format!(
                "AccessDenied: the bucket {bucket:?} may be read only; let the operator bind it with `write = true`"
            ));
        }
        check_key(key)
    }

    /// Makes the folder of a key, and all folders on the way that are missing, durably.
    pub(super) fn make_folder(&self, bucket: &str, key: &str) -> Result<PathBuf, String> {
        self.check_write(bucket, key)?;
        let failed = |error: io::Error| {
            format!("the folder {key:?} of the bucket {bucket:?} cannot be made: {error}")
        };
        let folder = &self.known(bucket)?.folder;
        fs::create_dir_all(folder).map_err(failed)?;
        let root = root(bucket, folder)?;
        let mut path = root.clone();
        for part in key.split('/') {
            // One step at a time, so that nothing is made behind a link that leads outside.
            let parent = path.clone();
            path.push(part);
            match fs::create_dir(&path) {
                Ok(()) => File::open(&parent).and_then(|file| file.sync_all()).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
            path = path.canonicalize().map_err(failed)?;
            inside(bucket, key, &root, &path)?;
            if !path.is_dir() {
                return Err(failed(io::ErrorKind::NotADirectory.into()));
            }
        }
        Ok(path)
    }

    fn known(&self, name: &str) -> Result<&Bucket, String> {
        self.entries.get(name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> String {
        let shown: String = name.chars().take(100).collect();
        if self.entries.is_empty() {
            return format!(
                "NoSuchBucket: there is no bucket {shown:?}, because none is bound; let the operator bind it to a folder under `[buckets]` in everstep.toml"
            );
        }
        let names: Vec<String> =
            self.names().take(NAMES_SHOWN).map(|name| format!("{name:?}")).collect();
        let more = if self.entries.len() > NAMES_SHOWN { ", …" } else { "" };
        format!(
            "NoSuchBucket: there is no bucket {shown:?}; known here: {}{more}; correct the name, or let the operator bind it under `[buckets]` in everstep.toml",
            names.join(", ")
        )
    }
}

/// The bucket's folder without links on the way.
fn root(bucket: &str, folder: &Path) -> Result<PathBuf, String> {
    folder.canonicalize().map_err(|error| {
        format!(
            "the folder of the bucket {bucket:?} cannot be used: {error}; correct it under `[buckets]` in everstep.toml, or make it"
        )
    })
}

/// That a path without links is below the bucket's folder.
fn inside(bucket: &str, key: &str, root: &Path, path: &Path) -> Result<(), String> {
    if path.starts_with(root) {
        return Ok(());
    }
    Err(format!(
        "AccessDenied: {key:?} leads out of the bucket {bucket:?} by a link; put the file itself there, or bind its folder as a bucket"
    ))
}

/// That a key names something below a folder, by names alone.
fn check_key(key: &str) -> Result<(), String> {
    check_text(key)?;
    let part_is_no_name = |part: &str| part.is_empty() || part == "." || part == "..";
    if key.split('/').any(part_is_no_name) {
        return Err(format!(
            "{key:?} is no key: a key is made of names with `/` between them; leave out `.`, `..` and empty parts, also at its beginning and end"
        ));
    }
    Ok(())
}

/// What holds for the text of keys and prefixes.
fn check_text(key: &str) -> Result<(), String> {
    if key.len() > MAX_KEY_BYTES {
        return Err(format!(
            "the key has {} bytes, and a key has at most {MAX_KEY_BYTES}; shorten it",
            key.len()
        ));
    }
    if key.contains('\0') {
        return Err("the key contains a zero byte, where the system would end it".to_owned());
    }
    if key.starts_with('/') {
        return Err(format!("{key:?} is no key: a key does not begin with `/`"));
    }
    Ok(())
}
