//! What the store stands on: a folder with sled databases and a small file, or a disk that is only
//! simulated, for tests. Everything above is the same code on both.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::super::Error;
use super::files;
use super::tail::Tail;

#[cfg(any(test, feature = "testing"))]
pub(crate) mod simulated;
mod trees;

#[cfg(any(test, feature = "testing"))]
use simulated::SimDisk;
pub(super) use trees::{Batch, Database, Iter, Tree};

/// The name of a log that is only half made.
const HALF_MADE: &str = "log.new";

/// Where a store is.
pub(super) enum Disk {
    /// In a folder of its own.
    Folder(PathBuf),
    /// On a simulated disk.
    #[cfg(any(test, feature = "testing"))]
    Simulated(SimDisk),
}

/// Keeps others from opening the store, until it is dropped.
pub(super) enum Held {
    Folder {
        _lock: File,
    },
    #[cfg(any(test, feature = "testing"))]
    Simulated {
        _lock: simulated::Lock,
    },
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::io(operation, &error)
}

impl Disk {
    pub(super) fn folder(path: &Path) -> Self {
        Self::Folder(path.to_owned())
    }

    /// Makes the folder when it is not there, and takes it for this process.
    pub(super) fn take(&self) -> Result<Held, Error> {
        match self {
            Self::Folder(folder) => {
                files::create_folder(folder).map_err(failed("making of the data folder"))?;
                Ok(Held::Folder { _lock: files::lock(folder)? })
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => Ok(Held::Simulated { _lock: disk.lock()? }),
        }
    }

    /// Removes what an interrupted start left. Whether there was anything.
    pub(super) fn remove_leftovers(&self) -> Result<bool, Error> {
        let removed = match self {
            Self::Folder(folder) => files::remove_leftovers(folder),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => disk.remove(HALF_MADE),
        };
        removed.map_err(failed("removal of left-overs"))
    }

    pub(super) fn has_log(&self) -> bool {
        self.has("log")
    }

    /// Whether there is a database or a small file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.join(name).exists(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => disk.has(name),
        }
    }

    /// Opens a database, which is made when it is not there.
    pub(super) fn open(&self, name: &str, cache_bytes: u64) -> Result<Database, Error> {
        match self {
            Self::Folder(folder) => Database::open(&folder.join(name), cache_bytes),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => {
                disk.open(name).map(Database::Simulated).map_err(failed("opening of the database"))
            }
        }
    }

    /// Keeps the end of a database as it is, which opening it may destroy.
    pub(super) fn keep_tail(&self, name: &str) -> io::Result<Option<Tail>> {
        match self {
            Self::Folder(folder) => Tail::keep(&folder.join(name)),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(_) => Ok(None),
        }
    }

    /// Reads all files of a database, to see whether the disk gives them.
    pub(super) fn read_through(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => {
                let paths = files::list(&folder.join(name))?.into_iter();
                paths.filter(|path| path.is_file()).try_for_each(|path| {
                    io::copy(&mut File::open(path)?, &mut io::sink()).map(drop)
                })
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(_) => Ok(()),
        }
    }

    /// Opens the log while nobody may find it yet: see [`Disk::name_log`].
    pub(super) fn open_half_made(&self, cache_bytes: u64) -> Result<Database, Error> {
        self.open(HALF_MADE, cache_bytes)
    }

    /// Makes the new log durable, which must be closed, and gives it its name, durably.
    pub(super) fn name_log(&self) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => {
                let half_made = folder.join(HALF_MADE);
                files::sync_tree(&half_made).map_err(failed("sync of the new log"))?;
                fs::rename(&half_made, folder.join("log"))
                    .map_err(failed("naming of the new log"))?;
                File::open(folder)
                    .and_then(|folder| folder.sync_all())
                    .map_err(failed("sync of the data folder"))
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => disk
                .sync(HALF_MADE)
                .and_then(|()| disk.rename(HALF_MADE, "log"))
                .and_then(|()| disk.sync_folder())
                .map_err(failed("naming of the new log")),
        }
    }

    /// Makes durable which files a database has. sled names its snapshots anew when it is opened,
    /// and then lets go of what only the old one tells of: where a power cut left the old name, the
    /// database could not be opened any more.
    pub(super) fn sync_names(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => File::open(folder.join(name))?.sync_all(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(_) => Ok(()),
        }
    }

    /// Throws a database away, if it is there. Durable on return: no crash brings it back, also not
    /// in part below what is then made under its name.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => {
                let database = folder.join(name);
                if database.exists() {
                    fs::remove_dir_all(database)?;
                    File::open(folder)?.sync_all()?;
                }
                Ok(())
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => disk.remove(name).map(drop),
        }
    }

    /// That sled keeps all pages in its file.
    pub(super) fn check_pages(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => {
                let large = files::list(&folder.join(name).join("blobs"));
                if !large.map_err(failed("reading of the log's folder"))?.is_empty() {
                    let reason = "sled has put pages into blobs/, which it never syncs";
                    return Err(Error::damaged(0, reason, None));
                }
                Ok(())
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(_) => Ok(()),
        }
    }

    /// Opens the small file of this name, which is made when it is not there.
    pub(super) fn small_file(&self, name: &str) -> io::Result<SmallFile> {
        match self {
            Self::Folder(folder) => {
                let options =
                    File::options().read(true).write(true).create(true).truncate(false).clone();
                options.open(folder.join(name)).map(SmallFile::File)
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => disk.open(name).map(SmallFile::Simulated),
        }
    }

    /// Names a log, so that an index of another one is noticed.
    pub(super) fn new_log_id(&self) -> Uuid {
        match self {
            Self::Folder(_) => new_id(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(disk) => disk.new_id(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a log is made once, and nothing replays this")]
fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// A file of some bytes, written in place.
#[derive(Debug)]
pub(super) enum SmallFile {
    File(File),
    #[cfg(any(test, feature = "testing"))]
    Simulated(simulated::Handle),
}

impl SmallFile {
    /// Fails with `UnexpectedEof` when there are not so many bytes.
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(bytes, at),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(handle) => handle.read_exact_at(bytes, at),
        }
    }

    pub(super) fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all_at(bytes, at),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(handle) => handle.write_all_at(bytes, at),
        }
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        match self {
            Self::File(file) => file.sync_data(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(handle) => handle.sync(),
        }
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::File(file) => file.try_clone().map(Self::File),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated(handle) => Ok(Self::Simulated(handle.clone())),
        }
    }
}
