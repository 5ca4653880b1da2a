//! The data folder: its lock, its files, and what must be synced when it is made.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::sled::{Config, Db, Mode};

use super::super::Error;
use super::guard::{guard, is_lock_held};

/// How long sled's threads may take to let go of a database dropped a moment ago.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// How long a process between its birth and its program may hold what it inherited.
const SPAWN_PATIENCE: Duration = Duration::from_millis(200);

/// Opens one sled database, as every one of ours is opened.
pub(super) fn open_sled(folder: &Path, cache_bytes: u64) -> Result<Db, Error> {
    let deadline = later(LOCK_PATIENCE);
    loop {
        let config = Config::new()
            .path(folder)
            .mode(Mode::HighThroughput)
            .flush_every_ms(None)
            .cache_capacity(cache_bytes);
        match guard("opening of the database", 0, || config.open()) {
            Err(error) if is_lock_held(&error) && later(Duration::ZERO) < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// Waits until nobody holds a file: sled's threads may, for a moment after a database was dropped.
pub(super) fn wait_for(file: &File) -> io::Result<()> {
    let deadline = later(LOCK_PATIENCE);
    loop {
        match file.try_lock() {
            Ok(()) => return file.unlock(),
            Err(TryLockError::WouldBlock) if later(Duration::ZERO) < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Our own handle to the file in which sled keeps everything.
pub(super) fn data_file(folder: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join("db"))
        .map_err(|error| Error::io("opening of the database's file", &error))
}

/// Makes `path` and the folders above it; those that were made are durable.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(path)?;
    let mut missing: Vec<&Path> =
        absolute.ancestors().take_while(|folder| !folder.is_dir()).collect();
    fs::create_dir_all(&absolute)?;
    while let Some(folder) = missing.pop() {
        if let Some(parent) = folder.parent() {
            File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

/// Syncs every file and folder under `folder`, and `folder` itself.
pub(super) fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

/// Takes the folder for this process until the file is dropped. The file holds the process's id.
pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let failed = |error: io::Error| Error::io("lock of the data folder", &error);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
    let mut file = options.open(folder.join("lock")).map_err(failed)?;
    match try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = read_pid(&mut file);
            return Err(Error::Locked { path: folder.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(failed)?;
    Ok(file)
}

/// Sees that nobody has the folder, and keeps others from taking it until the file is dropped;
/// writes nothing. None when there is no lock.
pub(super) fn check_unlocked(folder: &Path) -> Result<Option<File>, Error> {
    let failed = |error: io::Error| Error::io("lock of the data folder", &error);
    let mut file = match File::open(folder.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match try_lock(&file) {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Locked { path: folder.to_owned(), pid: read_pid(&mut file) })
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    let read = Read::take(file, 20).read_to_string(&mut text);
    read.ok().and_then(|_| text.trim().parse().ok())
}

/// Tries for some time: a command that a killed process was just starting has the file as long as
/// it is not yet the command.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    let deadline = later(SPAWN_PATIENCE);
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if later(Duration::ZERO) < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// Removes what an interrupted start left: a half-made log, and sled's half-written snapshots,
/// which sled itself would take for damage. Whether there was anything.
pub(super) fn remove_leftovers(folder: &Path) -> io::Result<bool> {
    let mut found = false;
    let half_made = folder.join("log.new");
    if half_made.exists() {
        fs::remove_dir_all(&half_made)?;
        found = true;
    }
    for database in ["log", "index"] {
        for path in list(&folder.join(database))? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("snap.") && name.ends_with(".generating") {
                fs::remove_file(&path)?;
                found = true;
            }
        }
    }
    Ok(found)
}

/// The entries of a folder; none when it is not there.
pub(super) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A moment from now on.
#[expect(clippy::disallowed_methods, reason = "how long to wait for a file is no engine's time")]
fn later(wait: Duration) -> Instant {
    Instant::now() + wait
}
