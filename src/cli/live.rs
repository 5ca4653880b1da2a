//! The way to a running engine: its control socket.
//!
//! There is no socket yet: every attempt to connect finds no server.

use std::path::Path;
use std::sync::Arc;

use super::fault::Fault;
use crate::engine::{Execution, ExecutionId, Program};
use crate::language::{DefinitionHash, Format};
use crate::runtime::{Deployed, Orchestrator, Start, Summary};
use crate::store::{Position, Record};

type Result<T> = std::result::Result<T, Box<Fault>>;

/// A connection to a running engine.
pub(super) enum Live {}

#[expect(clippy::unused_async, reason = "with a socket all of them wait")]
impl Live {
    pub(super) async fn connect(_data: &Path) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(super) async fn deploy(&self, _: &str, _: &str, _: Format) -> Result<Deployed> {
        match *self {}
    }

    pub(super) async fn start(&self, _: Start) -> Result<ExecutionId> {
        match *self {}
    }

    pub(super) async fn cancel(&self, _: ExecutionId, _: &str, _: Option<&str>) -> Result<()> {
        match *self {}
    }

    pub(super) async fn list(&self, _: usize) -> Result<Vec<Summary>> {
        match *self {}
    }

    pub(super) async fn execution(&self, _: ExecutionId) -> Result<Execution> {
        match *self {}
    }

    pub(super) async fn find(&self, _: &str) -> Result<ExecutionId> {
        match *self {}
    }

    pub(super) async fn program(&self, _: DefinitionHash) -> Result<Option<Arc<Program>>> {
        match *self {}
    }

    pub(super) async fn history(&self, _: ExecutionId) -> Result<Vec<Record>> {
        match *self {}
    }

    pub(super) async fn log(&self, _: Position, _: usize) -> Result<Vec<Record>> {
        match *self {}
    }

    pub(super) async fn last_position(&self) -> Result<Position> {
        match *self {}
    }
}

/// A control socket that is open.
pub(super) struct Served;

impl Served {
    pub(super) async fn stop(self) {}
}

/// Opens the control socket of an engine.
///
/// # Errors
/// It cannot be made.
#[expect(clippy::unused_async, clippy::unnecessary_wraps, reason = "with a socket it waits")]
pub(super) async fn serve(_: Orchestrator, _data: &Path) -> Result<Served> {
    Ok(Served)
}
