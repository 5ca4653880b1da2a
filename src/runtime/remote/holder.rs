//! Who has an attempt afar: a worker, and the request by which it asked.

use std::collections::HashSet;
use std::sync::Arc;

use super::{NO_LEASE, USUAL_LEASE_SECONDS};
use crate::engine::{LEASED_WORKER, UNLEASED_WORKER};

/// Who has an attempt afar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runtime) struct Holder {
    /// The worker's name.
    pub(in crate::runtime) worker: Arc<str>,
    /// By which request it asked, when it said so.
    pub(in crate::runtime) request: Option<Arc<str>>,
    /// How long it may be silent, in seconds.
    pub(in crate::runtime) lease_seconds: u32,
}

impl Holder {
    /// As the log has it.
    pub(in crate::runtime) fn logged(&self) -> Arc<str> {
        match &self.request {
            _ if self.lease_seconds == NO_LEASE => format!("{UNLEASED_WORKER}{}", self.worker),
            Some(request) => format!("{LEASED_WORKER}{} {request}", self.worker),
            None => format!("{LEASED_WORKER}{}", self.worker),
        }
        .into()
    }

    /// Whether it is this worker, by one of these requests.
    pub(super) fn is_one_of(&self, worker: &str, requests: &HashSet<String>) -> bool {
        let request = self.request.as_deref();
        *self.worker == *worker && request.is_some_and(|request| requests.contains(request))
    }

    /// As it stands in the log, when it is one; with the lease that its attempt gets after a restart.
    pub(in crate::runtime) fn of(logged: &str) -> Option<Self> {
        let (name, lease_seconds) = match logged.strip_prefix(LEASED_WORKER) {
            Some(name) => (name, USUAL_LEASE_SECONDS),
            None => (logged.strip_prefix(UNLEASED_WORKER)?, NO_LEASE),
        };
        let (worker, request) = match name.split_once(' ') {
            Some((worker, request)) => (worker, Some(request.into())),
            None => (name, None),
        };
        Some(Self { worker: worker.into(), request, lease_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_an_attempt_is_read_from_the_log_as_it_was_written() {
        let holder = |request: Option<&str>, lease_seconds| Holder {
            worker: "w-1".into(),
            request: request.map(Into::into),
            lease_seconds,
        };
        for (who, logged) in [
            (holder(None, USUAL_LEASE_SECONDS), "remote w-1"),
            (holder(Some("a1-7"), USUAL_LEASE_SECONDS), "remote w-1 a1-7"),
            (holder(None, NO_LEASE), "activity w-1"),
        ] {
            assert_eq!((&*who.logged(), Holder::of(logged)), (logged, Some(who)));
        }
        assert_eq!(Holder::of("machine/12"), None);
    }

    #[test]
    fn only_requests_of_the_same_worker_are_meant() {
        let requests = HashSet::from(["a1-7".to_owned()]);
        let holder = Holder::of("remote w-1 a1-7").unwrap();
        assert!(holder.is_one_of("w-1", &requests) && !holder.is_one_of("w-2", &requests));
        let other = Holder::of("remote w-1 a1-8").unwrap();
        assert!(!other.is_one_of("w-1", &requests));
        assert!(!Holder::of("remote w-1").unwrap().is_one_of("w-1", &requests));
    }
}
