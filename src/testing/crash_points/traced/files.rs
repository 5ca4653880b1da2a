//! The files of a folder while what was done to them is done again: what of each is durable, and
//! what is not yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::{Crash, Random};
use super::pages::Pages;
use super::trace::Act;
use crate::testing::image::{Image, is_at_or_below};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

/// Paths, and what is there.
type Names = BTreeMap<String, Node>;

/// A folder and all that is below it.
pub(super) struct Files {
    names: Names,
    durable_names: Names,
    /// Names after each change since a folder was last synced: every file system with a journal
    /// keeps them in order.
    pending_names: Vec<Names>,
    files: Vec<Pages>,
    ignores_syncs: bool,
}

impl Files {
    /// All that is there is durable.
    pub(super) fn new(image: &Image, ignores_syncs: bool) -> Self {
        let folders = image.folders.iter().map(|path| (path.clone(), Node::Folder));
        let mut names: Names = folders.collect();
        let mut files = Vec::new();
        for (path, bytes) in &image.files {
            names.insert(path.clone(), Node::File(files.len()));
            files.push(Pages::of(bytes));
        }
        let durable_names = names.clone();
        Self { names, durable_names, pending_names: Vec::new(), files, ignores_syncs }
    }

    fn file(&mut self, path: &str) -> Result<Option<&mut Pages>, String> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(self.files.get_mut(*file)),
            // It has no name any more, but somebody has it open.
            None if path.ends_with(" (deleted)") => Ok(None),
            other => Err(format!("{path} is {other:?}, and no file")),
        }
    }

    /// Does again what was done.
    pub(super) fn take(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Write { path, at, bytes } => {
                if let Some(file) = self.file(path)? {
                    file.write(*at, Arc::clone(bytes));
                }
            }
            Act::Length { path, length } => {
                if let Some(file) = self.file(path)? {
                    file.set_length(*length);
                }
            }
            Act::Range { .. } => {}
            Act::Sync { .. } if self.ignores_syncs => {}
            Act::Sync { path }
                if path.is_empty() || self.names.get(path) == Some(&Node::Folder) =>
            {
                self.durable_names.clone_from(&self.names);
                self.pending_names.clear();
            }
            Act::Sync { path } => {
                if let Some(file) = self.file(path)? {
                    file.sync();
                }
            }
            Act::File { path } => {
                self.files.push(Pages::default());
                let file = self.files.len() - 1;
                self.rename(|names| names.extend([(path.clone(), Node::File(file))]));
            }
            Act::Folder { path } if path.is_empty() => {}
            Act::Folder { path } => {
                self.rename(|names| names.extend([(path.clone(), Node::Folder)]));
            }
            Act::Remove { path } => self.rename(|names| names.retain(|name, _| name != path)),
            Act::Rename { path, to } => self.rename(|names| {
                let below = names.extract_if(.., |name, _| is_at_or_below(name, path));
                let moved: Names =
                    below.map(|(name, node)| (name.replacen(path, to, 1), node)).collect();
                names.extend(moved);
            }),
        }
        Ok(())
    }

    fn rename(&mut self, change: impl FnOnce(&mut Names)) {
        change(&mut self.names);
        self.pending_names.push(self.names.clone());
    }

    /// What a restart finds.
    pub(super) fn crash(&self, crash: Crash, random: &mut Random) -> Image {
        let pending = &self.pending_names;
        let kept = match crash {
            Crash::Killed => pending.last(),
            Crash::PowerCut | Crash::Scrambled => {
                let kept = random.index(pending.len() + 1);
                kept.checked_sub(1).and_then(|index| pending.get(index))
            }
        };
        let mut image = Image { files: BTreeMap::new(), folders: BTreeSet::new() };
        for (path, node) in kept.unwrap_or(&self.durable_names) {
            match node {
                Node::Folder => drop(image.folders.insert(path.clone())),
                Node::File(file) => {
                    let bytes = self.files.get(*file).map(|file| file.crash(crash, random));
                    image.files.insert(path.clone(), Arc::new(bytes.unwrap_or_default()));
                }
            }
        }
        image
    }
}
