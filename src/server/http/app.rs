//! What all requests share.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::hub::Hub;
use super::rate::{Rates, Seats};
use super::route::Route;
use super::settings::Settings;
use super::tokens::Tokens;
use crate::engine::Timestamp;
use crate::runtime::{Clock, Orchestrator, SystemClock};
use crate::server::sfn::{Arns, Targets};

/// What all requests share.
pub(in crate::server) struct App {
    pub(in crate::server) engine: Orchestrator,
    pub(in crate::server) settings: Settings,
    /// Streams and exports.
    pub(in crate::server) seats: Seats,
    /// Workers that wait for jobs.
    pub(in crate::server) poll_seats: Seats,
    pub(in crate::server) hub: Arc<Hub>,
    /// Becomes true when the server stops.
    pub(in crate::server) stop: watch::Receiver<bool>,
    /// All routes, for those that tell of them.
    pub(in crate::server) routes: Vec<Route>,
    /// The operations of the Step Functions API.
    pub(super) targets: Targets,
    /// How that names things.
    pub(in crate::server) arns: Arns,
    /// None when everybody may do everything, whatever comes.
    pub(super) tokens: Option<Tokens>,
    pub(super) rates: Rates<Arc<str>>,
    pub(super) refusals: Rates<IpAddr>,
    /// Names by which clients may call it, in small letters and without ports.
    pub(super) hosts: Vec<String>,
    /// Whether a verification of the log is under way.
    pub(in crate::server) verifying: Arc<tokio::sync::Semaphore>,
    pub(in crate::server) counts: super::counts::Counts,
}

impl App {
    /// The time now, by the wall.
    pub(in crate::server) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// Waits until the server stops.
    pub(in crate::server) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        drop(stop.wait_for(|stop| *stop).await);
    }
}
