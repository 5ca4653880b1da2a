//! The threads that own the store's writing side.

use tokio::runtime::Handle;

use super::checkpoint::CheckpointWriter;
use super::committer::Committer;
use super::error::Error;
use crate::store;

/// The threads that own the store's writing side.
pub(super) struct Threads {
    committer: std::thread::JoinHandle<()>,
    writer: std::thread::JoinHandle<()>,
}

impl Threads {
    pub(super) fn start(
        committer: Committer,
        writer: CheckpointWriter,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        let (for_committer, for_writer) = (runtime.clone(), runtime.clone());
        Ok(Self {
            committer: start_thread("everstep-commit", move || committer.run(&for_committer))?,
            writer: start_thread("everstep-checkpoint", move || writer.run(&for_writer))?,
        })
    }

    pub(super) fn join(self) {
        // A thread that panicked has nothing more to hand on; its panic has been reported.
        drop(self.committer.join());
        drop(self.writer.join());
    }
}

fn start_thread(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, Error> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|error| {
        let operation = "starting a thread";
        store::Error::Io { operation, message: error.to_string(), kind: error.kind() }.into()
    })
}
