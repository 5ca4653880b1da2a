//! Putting a remote worker together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;

use super::address::Address;
use super::error::RemoteError;
use super::http::Server;
use super::plan::Plan;
use super::tls::Tls;
use super::{LANES, RemoteWorker, Shared};
use crate::worker::{Clock, Registry, SystemClock};

/// How many jobs run at once, unless said otherwise.
const DEFAULT_SLOTS: usize = 64;
/// The most of that.
const MAX_SLOTS: usize = 65_536;
/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// How long a request for jobs waits at the server: shorter than what proxies bear.
const DEFAULT_WAIT: Duration = Duration::from_secs(20);
/// For how long a job is a worker's without a sign of life.
const DEFAULT_LEASE: Duration = Duration::from_secs(60);
/// How long jobs have to end when the worker stops.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// What a remote worker is made of. Made by [`RemoteWorker::builder`].
pub struct RemoteBuilder {
    url: String,
    token: Option<String>,
    name: Option<String>,
    authorities: Option<PathBuf>,
    registry: Registry,
    slots: usize,
    wait: Duration,
    lease: Duration,
    grace: Duration,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
}

impl RemoteBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            name: None,
            authorities: None,
            registry: Registry::new(),
            slots: DEFAULT_SLOTS,
            wait: DEFAULT_WAIT,
            lease: DEFAULT_LEASE,
            grace: DEFAULT_GRACE,
            clock: Arc::new(SystemClock),
            seed: None,
        }
    }

    /// Sets the token with which it is let in, one of the role `worker`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets the name by which the server and people know it, 1 to 128 bytes. Default: one that
    /// no other has.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the handlers that run the jobs; of their types is asked. Each type has the bound of its
    /// own on how many run at once.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Sets how many jobs run at once, of all types together, 1 to 65,536. Default 64.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// Trusts only the authorities in this PEM file when the server is reached by `https`. Default:
    /// those that the web trusts.
    #[must_use]
    pub fn authorities(mut self, file: impl Into<PathBuf>) -> Self {
        self.authorities = Some(file.into());
        self
    }

    /// Sets how long a request for jobs waits at the server when there are none, in whole seconds
    /// from 1 to 60. Default 20 s.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets for how long a job stays this worker's after its last sign of life, 5 to 3,600 s. Three
    /// are given in that time. Default 60 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long jobs have to end when the worker stops, and their results to be told after that.
    /// Default 30 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets where time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the chance that spreads tries, for tests.
    #[cfg(test)]
    pub(super) fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Puts it together. Nothing is sent yet.
    ///
    /// # Errors
    /// A setting is out of its bounds, no handler is registered, or the file of authorities cannot be
    /// used.
    pub fn build(self) -> Result<RemoteWorker, RemoteError> {
        self.check()?;
        let address = Address::read(&self.url)?;
        let authorities = self.authorities.as_deref();
        let tls = address.is_tls.then(|| Tls::new(&address, authorities)).transpose()?;
        let authorization = self.token.as_deref().map(bearer).transpose()?;
        let types = self.registry.job_types().map(|job_type| {
            (job_type.clone(), self.registry.concurrency(job_type).unwrap_or_default())
        });
        let plan = Plan::new(types.collect(), self.slots);
        let seed = self.seed.map_or_else(random, Ok)?;
        // Chance in it, because the processes of two containers often have the same id.
        let usual = || format!("worker-{}-{:08x}", std::process::id(), seed >> 32);
        let name = self.name.unwrap_or_else(usual);
        let server = Server { address, tls, authorization, clock: self.clock };
        let shared = Shared {
            server: Arc::new(server),
            name,
            registry: self.registry,
            running: super::Running::default(),
            outboxes: (0..LANES).map(|_| Arc::default()).collect(),
            wait: self.wait,
            lease: self.lease,
        };
        Ok(RemoteWorker { shared: Arc::new(shared), plan, grace: self.grace, seed })
    }

    fn check(&self) -> Result<(), RemoteError> {
        let is_name = |name: &String| {
            (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control)
        };
        let fault = if self.registry.job_types().next().is_none() {
            "no job types are bound to handlers or commands"
        } else if !(1..=MAX_SLOTS).contains(&self.slots) {
            "it has 1 to 65536 slots"
        } else if !self.name.as_ref().is_none_or(is_name) {
            "its name has 1 to 128 bytes and no control characters"
        } else if !(1..=60).contains(&self.wait.as_secs()) {
            "it waits 1 to 60 seconds for jobs"
        } else if !(5..=3600).contains(&self.lease.as_secs()) {
            "a lease lasts 5 to 3600 seconds"
        } else {
            return Ok(());
        };
        Err(RemoteError::Settings { reason: fault.to_owned() })
    }
}

fn bearer(token: &str) -> Result<HeaderValue, RemoteError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
        RemoteError::Settings { reason: "the token holds what no token does".to_owned() }
    })?;
    // So that it is never printed.
    value.set_sensitive(true);
    Ok(value)
}

fn random() -> Result<u64, RemoteError> {
    getrandom::u64().map_err(|error| RemoteError::Settings { reason: error.to_string() })
}
