//! The workflows that the system knows: every version by its hash, and the newest of each name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::catalogue::Catalogue;
use super::controls::Controls;
use crate::engine::Program;
use crate::engine::event::DefinitionStored;
use crate::language::DefinitionHash;
use crate::store::Stream;

/// Known workflows.
#[derive(Default)]
pub(super) struct Definitions(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    programs: HashMap<DefinitionHash, Arc<Program>>,
    /// The versions of each workflow, oldest first.
    versions: BTreeMap<Arc<str>, Vec<DefinitionStored>>,
}

/// The versions of one workflow, as a checkpoint keeps them.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedVersions(pub(super) Vec<DefinitionStored>);

/// The history that holds the versions of a workflow.
pub(super) fn stream_of(name: &str) -> Stream {
    stream_named(&format!("everstep workflow {name}"))
}

/// A history that is no execution's, by its name.
pub(super) fn stream_named(name: &str) -> Stream {
    let digest = Sha256::digest(name);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Whether a stream holds the history of an execution, and not one that the system has of its own.
pub(super) fn is_execution_stream(stream: Stream) -> bool {
    stream.get_version() != Some(uuid::Version::Custom)
}

/// Whether a stream holds a workflow's versions.
pub(super) fn is_definition_stream(stream: Stream) -> bool {
    let others = [Controls::stream(), Catalogue::stream()];
    !is_execution_stream(stream) && !others.contains(&stream)
}

impl Definitions {
    /// The program with this content.
    pub(super) fn program(&self, hash: DefinitionHash) -> Option<Arc<Program>> {
        self.read().programs.get(&hash).cloned()
    }

    /// The newest version of a workflow.
    pub(super) fn newest(&self, name: &str) -> Option<(DefinitionHash, Arc<Program>)> {
        let inner = self.read();
        let hash = inner.versions.get(name)?.last()?.hash;
        Some((hash, inner.programs.get(&hash)?.clone()))
    }

    /// How many versions of a workflow there are.
    pub(super) fn version_count(&self, name: &str) -> u64 {
        let count = self.read().versions.get(name).map_or(0, Vec::len);
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// The versions of a workflow, the oldest first.
    pub(super) fn versions(&self, name: &str) -> Vec<DefinitionHash> {
        let inner = self.read();
        let versions = inner.versions.get(name).map(Vec::as_slice).unwrap_or_default();
        versions.iter().map(|version| version.hash).collect()
    }

    /// The names of all workflows, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        self.read().versions.keys().map(ToString::to_string).collect()
    }

    /// Adds a version that is durable.
    pub(super) fn add(&self, stored: DefinitionStored, program: Arc<Program>) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        inner.programs.insert(stored.hash, program);
        inner.versions.entry(stored.name.clone()).or_default().push(stored);
    }

    /// Everything, for a checkpoint: by stream, with the number of versions.
    pub(super) fn saved(&self) -> Vec<(Stream, u64, SavedVersions)> {
        let save = |(name, versions): (&Arc<str>, &Vec<DefinitionStored>)| {
            let count = u64::try_from(versions.len()).unwrap_or(u64::MAX);
            (stream_of(name), count, SavedVersions(versions.clone()))
        };
        self.read().versions.iter().map(save).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_has_a_stream_that_no_execution_can_have() {
        assert!(is_definition_stream(stream_of("import")));
        assert_ne!(stream_of("import"), stream_of("export"));
        let execution =
            uuid::Builder::from_unix_timestamp_millis(1_700_000_000_000, &[7; 10]).into_uuid();
        assert!(!is_definition_stream(execution) && is_execution_stream(execution));
    }
}
