//! Power cuts of a whole server: see `testing::crash_points::traced`.

use std::path::PathBuf;

use everstep::testing::crash_points::traced::{self, PowerCuts};

use crate::crash::chance::Chance;
use crate::crash::place::{Place, Program};
use crate::shim::{self, Shim};

/// What stands below a server, and leaves of its data what a power cut would.
pub(super) struct Below {
    shim: Shim,
    /// As the system names it.
    folder: PathBuf,
    trace: PathBuf,
    cuts: PowerCuts,
}

impl Below {
    pub(super) fn new(place: &Place, chance: &mut Chance) -> Self {
        let folder = place.path().canonicalize().unwrap();
        let (shim, trace) = (shim::build(), folder.join("trace"));
        Self { shim, folder, trace, cuts: PowerCuts::new(chance.below(u64::MAX)) }
    }

    fn place(&self) -> traced::Place<'_> {
        traced::Place { folder: &self.folder, trace: &self.trace }
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.place().live()
    }

    pub(super) fn spawn(&self, place: &Place, arguments: &[&str]) -> Program {
        let trace = format!("EVERSTEP_SHIM_TRACE={:?}", self.trace);
        place.spawn_under(&self.shim.exports(&self.data(), &trace), arguments)
    }

    /// Cuts the power at the moment at which the server was killed.
    pub(super) fn cut(&mut self) {
        let place = traced::Place { folder: &self.folder, trace: &self.trace };
        if let Err(what) = self.cuts.cut(place) {
            panic!("{what}");
        }
    }
}
