//! Opening: lock, repair what a crash left, check, find where everything ends.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use ::sled::IVec;
use uuid::Uuid;

use super::super::frame::Chunks;
use super::super::{Error, OpenReport, Position};
use super::append::Writer;
use super::disk::{Disk, Held};
use super::guard::{Opening, guard};
use super::heads::Heads;
use super::high_water::{self, HighWater};
use super::index::Index;
use super::log::Log;
use super::scan::{self, Scanned};
use super::tail::Tail;
use super::{Barrier, Check, Inner, SledOptions};

/// The format of the log that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

fn io(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::io(operation, &error)
}

pub(super) fn open(
    disk: &Disk,
    options: SledOptions,
    barrier: Box<dyn Barrier>,
) -> Result<Inner, Error> {
    let _opening = Opening::begin();
    let held = Arc::new(disk.take()?);
    let removed_leftovers = disk.remove_leftovers()?;
    if !disk.has_log() {
        // What stands beside a log is made after it.
        if disk.has(high_water::NAME) {
            let reason = "the log is gone: its high-water mark is there and its folder is not";
            return Err(Error::damaged(1, reason, None));
        }
        create(disk)?;
    }
    let tail = disk.keep_tail("log").map_err(io("reading of the log's file"))?;
    let is_suspect = tail.as_ref().is_some_and(Tail::has_bad_header);
    let check = if is_suspect { Check::All } else { options.check };
    let options = SledOptions { check, ..options };
    let opened = open_log(disk, options, barrier, (removed_leftovers, Arc::clone(&held)));
    if opened.is_err()
        && let Some(tail) = tail
        && let Err(error) = tail.put_back()
    {
        tracing::warn!(%error, "the end of the log's file is lost, which cannot be read");
    }
    match opened {
        // sled takes what the disk does not give for damage.
        Err(Error::Damaged { .. }) => {
            disk.read_through("log").map_err(io("reading of the log's file"))?;
            opened
        }
        opened => opened,
    }
}

/// Opens the log that is there.
fn open_log(
    disk: &Disk,
    options: SledOptions,
    barrier: Box<dyn Barrier>,
    (removed_leftovers, held): (bool, Arc<Held>),
) -> Result<Inner, Error> {
    let log = Log::of(disk.open("log", options.log_cache_bytes)?)?;
    disk.sync_names("log").map_err(io("sync of the log's folder"))?;
    disk.check_pages("log")?;
    let Identity { id, epoch } = check_meta(&log)?;
    let sync = || log.db.sync(&*barrier).map_err(io("sync of the log"));

    log.finish_change(&sync)?;

    let (id_beginning, _) = id.as_u64_pair();
    let (high_water, highest) = HighWater::open(disk, id_beginning.to_be_bytes())
        .map_err(io("reading of the high-water mark"))?;
    let cache = options.index_cache_bytes;
    if high_water.is_of_another() && !Index::is_of(disk, cache, id)? {
        let reason = "the log is another one than its high-water mark and its index are of; remove those two \
             if it is meant to be here";
        return Err(Error::damaged(1, reason, None));
    }
    let (mut index, mut new_index) = Index::open(disk, cache, id)?;
    if index.heads_to()? < log.index_floor()? {
        drop(index);
        index = Index::begin(disk, cache, id)?;
        new_index = true;
    }
    let mut scanned = scan::scan(&log, &sync, &index, (options.check, highest))?;
    if index.heads_to()? > scanned.last {
        drop(index);
        index = Index::begin(disk, cache, id)?;
        new_index = true;
        scanned = scan::scan(&log, &sync, &index, (options.check, highest))?;
    }
    let Scanned { last, heads, torn } = scanned;
    // What was read may so far only be in the system's memory: nothing may rest on it before it
    // is on the disk.
    log.flush(last)?;
    sync()?;
    let high_water_file = high_water.handle().map_err(io("opening of the high-water mark"))?;
    let report = OpenReport {
        torn_tail_after: torn.then_some(last),
        removed_leftovers,
        rebuilt_index: new_index && last > 0,
    };
    let writer = Writer {
        epoch,
        acquired: false,
        stopped: None,
        next: last + 1,
        high_water,
        chunks: Chunks::default(),
        body: Vec::new(),
        heads: HashMap::new(),
        has_new_tombstones: heads.values().any(|head| head.deleted),
        plan: None,
    };
    Ok(Inner {
        log,
        index,
        barrier,
        options,
        writer: Mutex::new(writer),
        heads: Mutex::new(Heads::of(heads)),
        last: AtomicU64::new(last),
        checkpointing: Mutex::default(),
        rewrites: AtomicU64::new(0),
        high_water_file,
        report,
        _held: held,
    })
}

/// Makes an empty log under another name, syncs it, and only then gives it its name.
fn create(disk: &Disk) -> Result<(), Error> {
    let id = disk.new_log_id();
    {
        let log = Log::of(disk.open_half_made(1024 * 1024)?)?;
        guard("making of the log", 0, || {
            log.meta.insert("format", &FORMAT.to_le_bytes())?;
            log.meta.insert("program", env!("CARGO_PKG_VERSION"))?;
            log.meta.insert("log", id.as_bytes())?;
            log.meta.insert("epoch", &0u64.to_le_bytes())?;
            log.db.flush()
        })?;
    }
    disk.name_log()
}

struct Identity {
    id: Uuid,
    epoch: u64,
}

fn check_meta(log: &Log) -> Result<Identity, Error> {
    let get = |key: &str| guard("reading of the log's format", 0, || log.meta.get(key));
    let lost = |what: &str| {
        let reason = format!("the log's {what} is lost: its file was cut or replaced");
        Error::damaged(1, reason, None)
    };
    let number = |bytes: Option<IVec>| bytes.and_then(|bytes| (*bytes).try_into().ok());
    let found = number(get("format")?).map(u32::from_le_bytes).ok_or_else(|| lost("format"))?;
    if found > FORMAT {
        return Err(Error::NewerFormat { found, known: FORMAT });
    }
    let id = get("log")?.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    let epoch = get("epoch")?.and_then(|bytes| (*bytes).try_into().ok().map(u64::from_le_bytes));
    Ok(Identity {
        id: id.ok_or_else(|| lost("identity"))?,
        epoch: epoch.ok_or_else(|| lost("epoch"))?,
    })
}

impl Inner {
    /// Durable on return.
    pub(super) fn write_epoch(&self, epoch: u64) -> Result<(), Error> {
        let at: Position = self.last_position();
        guard("write of the epoch", at, || {
            self.log.meta.insert("epoch", &epoch.to_le_bytes())?;
            self.log.meta.insert("program", env!("CARGO_PKG_VERSION"))
        })?;
        self.log.flush(at)?;
        self.sync()
    }
}
