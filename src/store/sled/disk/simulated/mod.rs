//! A disk in memory that knows what of it is durable, and can lose the rest.
//!
//! Deterministic: no thread, no file, no clock. What is written to a file is pending until it was
//! flushed, which hands it to the system, and then synced; what becomes of names is pending until
//! the folder is synced. Every such step can be recorded and done again, on a copy, so that a crash
//! can be looked at after each of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::super::super::Error;
use super::super::lock;

mod content;
mod trees;

pub(crate) use content::{Change, Entries};
use content::{Content, File};
pub(in super::super) use trees::{Iter, Tree};

/// How a crash treats what is not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed: what it has handed to the system stays, and of the rest a beginning.
    Killed,
    /// The power is cut: of what was written to each file since it was last synced a beginning is
    /// there. That is what sled shows, which reads its log up to the first hole.
    PowerCut,
    /// The power is cut, and any part of it is there: more than sled can show.
    Scrambled,
}

/// A step of a simulated disk that changed something.
#[derive(Debug, Clone)]
pub struct Step(pub(crate) Done);

#[derive(Debug, Clone)]
pub(crate) enum Done {
    Create {
        name: Arc<str>,
    },
    Remove {
        name: Arc<str>,
    },
    Rename {
        from: Arc<str>,
        to: Arc<str>,
    },
    SyncFolder,
    Write {
        file: u64,
        change: Change,
    },
    Flush {
        file: u64,
    },
    Sync {
        file: u64,
    },
    /// A sync that failed: nothing of this file becomes durable any more, whatever is said later.
    Break {
        file: u64,
    },
}

/// What is made to go wrong.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// So many steps are still done; then none is.
    pub(crate) power_off_in: Option<u64>,
    /// So many writes and flushes still have room.
    pub(crate) full_in: Option<u64>,
    /// So many syncs still work; the next fails.
    pub(crate) sync_fails_in: Option<u64>,
    /// Syncs say that all is well, and do nothing.
    pub(crate) ignores_syncs: bool,
    /// So many reads still work; then none does.
    pub(crate) reads_fail_in: Option<u64>,
}

/// What the system says of a disk that cannot be read.
const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

type Names = BTreeMap<Arc<str>, u64>;

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, File>,
    names: Names,
    durable_names: Names,
    /// What the names were after each change since the folder was last synced.
    pending_names: Vec<Names>,
    next_file: u64,
    next_id: u128,
    is_locked: bool,
    faults: Faults,
    steps: u64,
    recorded: Option<Vec<Step>>,
}

/// A simulated disk. A clone is the same disk; [`SimDisk::crash`](SimDisk#method.crash) and
/// [`SimDisk::fork`] give others.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// Whoever has it has the store on the disk.
pub(in super::super) struct Lock(SimDisk);

impl Drop for Lock {
    fn drop(&mut self) {
        lock(&self.0.state).is_locked = false;
    }
}

/// An open file.
#[derive(Debug, Clone)]
pub(in super::super) struct Handle {
    disk: SimDisk,
    file: u64,
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

/// Counts down; whether the count is over.
fn is_over(left: &mut Option<u64>) -> bool {
    match left {
        None => false,
        Some(0) => true,
        Some(left) => {
            *left -= 1;
            false
        }
    }
}

impl State {
    /// Does a step, unless it is made to fail.
    fn perform(&mut self, done: Done) -> io::Result<()> {
        if is_over(&mut self.faults.power_off_in) {
            return Err(io::Error::other("the power is off"));
        }
        match done {
            Done::Write { .. } | Done::Flush { .. } if is_over(&mut self.faults.full_in) => {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            Done::Sync { .. } if self.faults.ignores_syncs => Ok(()),
            Done::Sync { file } if is_over(&mut self.faults.sync_fails_in) => {
                self.faults.sync_fails_in = None;
                self.apply(Done::Break { file })?;
                Err(io::Error::other("the disk could not write"))
            }
            done => self.apply(done),
        }
    }

    fn apply(&mut self, done: Done) -> io::Result<()> {
        match &done {
            Done::Create { name } => {
                self.files.insert(self.next_file, File::default());
                self.names.insert(Arc::clone(name), self.next_file);
                self.next_file += 1;
                self.pending_names.push(self.names.clone());
            }
            Done::Remove { name } => {
                self.names.remove(name).ok_or_else(not_found)?;
                self.pending_names.push(self.names.clone());
            }
            Done::Rename { from, to } => {
                let file = self.names.remove(from).ok_or_else(not_found)?;
                self.names.insert(Arc::clone(to), file);
                self.pending_names.push(self.names.clone());
            }
            Done::SyncFolder => {
                self.durable_names.clone_from(&self.names);
                self.pending_names.clear();
            }
            Done::Write { file, change } => self.file(*file)?.write(change.clone()),
            Done::Flush { file } => self.file(*file)?.flush(),
            Done::Sync { file } => self.file(*file)?.sync(),
            Done::Break { file } => self.file(*file)?.is_broken = true,
        }
        self.steps += 1;
        if let Some(recorded) = &mut self.recorded {
            recorded.push(Step(done));
        }
        Ok(())
    }

    fn file(&mut self, file: u64) -> io::Result<&mut File> {
        self.files.get_mut(&file).ok_or_else(not_found)
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy with all that is there, open to nobody, without faults and records.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = lock(&self.state);
        Self::with(State {
            files: state.files.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            pending_names: state.pending_names.clone(),
            next_file: state.next_file,
            next_id: state.next_id,
            ..State::default()
        })
    }

    fn with(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// What a restart finds. `draw` gives a number below its argument.
    pub(crate) fn crash_by(&self, crash: Crash, draw: &mut dyn FnMut(usize) -> usize) -> Self {
        let state = lock(&self.state);
        let pending = &state.pending_names;
        // A folder's changes are kept in order by every file system with a journal.
        let kept = match crash {
            Crash::Killed => pending.last(),
            Crash::PowerCut | Crash::Scrambled => {
                draw(pending.len() + 1).checked_sub(1).and_then(|index| pending.get(index))
            }
        };
        let names = kept.unwrap_or(&state.durable_names).clone();
        let find = |file: &u64| Some((*file, state.files.get(file)?.crash(crash, draw)));
        let files = names.values().filter_map(find).collect();
        Self::with(State {
            files,
            durable_names: names.clone(),
            names,
            next_file: state.next_file,
            next_id: state.next_id,
            ..State::default()
        })
    }

    /// How many steps were done.
    #[must_use]
    pub fn steps(&self) -> u64 {
        lock(&self.state).steps
    }

    /// Records what is done from now on.
    pub fn record(&self) {
        lock(&self.state).recorded = Some(Vec::new());
    }

    /// What was recorded.
    #[must_use]
    pub fn take_recorded(&self) -> Vec<Step> {
        lock(&self.state).recorded.take().unwrap_or_default()
    }

    /// Does a recorded step again, on a copy of the disk on which it was first done.
    ///
    /// # Errors
    /// The copy is of another disk.
    pub fn redo(&self, step: &Step) -> io::Result<()> {
        lock(&self.state).apply(step.0.clone())
    }

    /// Changes what is made to go wrong.
    pub(crate) fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut lock(&self.state).faults);
    }

    /// Changes what is on the disk behind the store's back, durably: the entries of one tree.
    pub(crate) fn tamper(&self, name: &str, tree: &str, change: impl FnOnce(&mut Entries)) {
        let mut state = lock(&self.state);
        let file = state.names.get(name).copied();
        if let Some(file) = file.and_then(|file| state.files.get_mut(&file)) {
            file.tamper(|content| content.change(tree, change));
        }
    }

    /// Changes a bit of what is durable of a database or a small file; whether there was one. `draw`
    /// gives a number below its argument.
    pub(crate) fn rot_by(&self, name: &str, draw: &mut dyn FnMut(usize) -> usize) -> bool {
        let mut state = lock(&self.state);
        let file = state.names.get(name).copied();
        let file = file.and_then(|file| state.files.get_mut(&file));
        file.is_some_and(|file| file.rot(draw))
    }

    /// The names of the trees of a database, with the number of their entries.
    pub(crate) fn trees(&self, name: &str) -> Vec<(Arc<str>, usize)> {
        let state = lock(&self.state);
        let file = state.names.get(name).and_then(|file| state.files.get(file));
        let trees = file.into_iter().flat_map(|file| file.seen.trees.iter());
        trees.map(|(name, entries)| (Arc::clone(name), entries.len())).collect()
    }

    /// The entries of a tree.
    pub(crate) fn entries(&self, name: &str, tree: &str) -> Entries {
        let state = lock(&self.state);
        let file = state.names.get(name).and_then(|file| state.files.get(file));
        let entries = file.and_then(|file| file.seen.trees.get(tree));
        entries.map(|entries| (**entries).clone()).unwrap_or_default()
    }

    fn perform(&self, done: Done) -> io::Result<()> {
        lock(&self.state).perform(done)
    }

    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.is_locked, true) {
            return Err(Error::Locked { path: "a simulated disk".into(), pid: None });
        }
        Ok(Lock(self.clone()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        lock(&self.state).names.contains_key(name)
    }

    pub(super) fn open(&self, name: &str) -> io::Result<Handle> {
        let mut state = lock(&self.state);
        if !state.names.contains_key(name) {
            state.perform(Done::Create { name: name.into() })?;
        }
        let file = state.names.get(name).copied().ok_or_else(not_found)?;
        Ok(Handle { disk: self.clone(), file })
    }

    /// Whether it was there.
    pub(crate) fn remove(&self, name: &str) -> io::Result<bool> {
        let is_there = self.has(name);
        if is_there {
            self.perform(Done::Remove { name: name.into() })?;
        }
        Ok(is_there)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.perform(Done::Rename { from: from.into(), to: to.into() })
    }

    pub(super) fn sync(&self, name: &str) -> io::Result<()> {
        let file = lock(&self.state).names.get(name).copied().ok_or_else(not_found)?;
        self.perform(Done::Sync { file })
    }

    pub(super) fn sync_folder(&self) -> io::Result<()> {
        self.perform(Done::SyncFolder)
    }

    pub(super) fn new_id(&self) -> Uuid {
        let mut state = lock(&self.state);
        state.next_id += 1;
        Uuid::from_u128((0x0190_0000_0000_7000_9000 << 48) | state.next_id)
    }
}

impl Handle {
    pub(super) fn tree(&self, name: &str) -> Tree {
        Tree::new(self.clone(), name.into())
    }

    pub(super) fn flush(&self) -> ::sled::Result<()> {
        Ok(self.disk.perform(Done::Flush { file: self.file })?)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.perform(Done::Sync { file: self.file })
    }

    fn write(&self, change: Change) -> io::Result<()> {
        self.disk.perform(Done::Write { file: self.file, change })
    }

    fn look<T>(&self, look: impl FnOnce(&Content) -> T) -> io::Result<Option<T>> {
        let mut state = lock(&self.disk.state);
        if is_over(&mut state.faults.reads_fail_in) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(state.files.get(&self.file).map(|file| look(&file.seen)))
    }

    pub(super) fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let at = usize::try_from(at).map_err(|_| end())?;
        let read = self.look(|content| {
            let there = content.bytes.get(at..)?.get(..bytes.len())?;
            bytes.copy_from_slice(there);
            Some(())
        });
        read?.flatten().ok_or_else(end)
    }

    pub(super) fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        self.write(Change::Bytes { at, bytes: bytes.into() })
    }
}
