//! The files of a data folder, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// The files of a folder by their paths below it, and the folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) files: BTreeMap<String, Arc<Vec<u8>>>,
    pub(super) folders: BTreeSet<String>,
}

impl Image {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut image = Self::default();
        image.read_below(folder, "")?;
        Ok(image)
    }

    fn read_below(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.read_below(&entry.path(), &format!("{name}/"))?;
                self.folders.insert(name);
            } else {
                self.files.insert(name, Arc::new(fs::read(entry.path())?));
            }
        }
        Ok(())
    }

    /// Writes it all into a folder, which is made. What sled has not yet used of a file is zero, and
    /// costs nothing.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for name in &self.folders {
            fs::create_dir_all(folder.join(name))?;
        }
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut file = File::create(path)?;
            file.write_all(bytes.get(..used(bytes)).unwrap_or_default())?;
            file.set_len(bytes.len().try_into().map_err(io::Error::other)?)?;
        }
        Ok(())
    }

    pub(super) fn bytes(&self, name: &str) -> &[u8] {
        self.files.get(name).map_or(&[], |bytes| bytes)
    }

    /// Puts the files of another folder in the place of those below `name`, which may be a file.
    pub(super) fn take_from(&mut self, other: &Self, name: &str) {
        self.remove(name);
        let is_below = |path: &&String| is_at_or_below(path, name);
        for path in other.files.keys().filter(is_below) {
            if let Some(bytes) = other.files.get(path) {
                self.files.insert(path.clone(), Arc::clone(bytes));
            }
        }
        self.folders.extend(other.folders.iter().filter(is_below).cloned());
    }

    /// Removes a file, or a folder with all that is in it.
    pub(super) fn remove(&mut self, name: &str) {
        self.files.retain(|path, _| !is_at_or_below(path, name));
        self.folders.retain(|path| !is_at_or_below(path, name));
    }
}

/// Whether a path is this one, or of something in the folder of this name.
pub(super) fn is_at_or_below(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where the zeros begin with which a file ends.
pub(super) fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}
