//! What tests do to a log in a folder behind the store's back.

use std::path::Path;

use ::sled::IVec;

use super::super::Error;
use super::disk::Disk;
use super::guard::guard;
use super::log::Log;

const CACHE: u64 = 1024 * 1024;

fn open(folder: &Path) -> Result<Log, Error> {
    Log::of(Disk::folder(folder).open("log", CACHE)?)
}

/// Keys and values of the log in a folder, which must be sound and open to nobody.
pub(crate) fn values(folder: &Path) -> Result<Vec<(IVec, IVec)>, Error> {
    let log = open(folder)?;
    guard("read of the log", 0, || log.tree.iter().collect())
}

/// Lets the log in a folder say that it has another format.
pub(crate) fn write_format(folder: &Path, format: &[u8]) -> Result<(), Error> {
    let log = open(folder)?;
    guard("write of the format", 0, || {
        log.meta.insert("format", format)?;
        log.db.flush()
    })
}
