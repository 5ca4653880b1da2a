//! How the log calls the workers that have attempts.
//!
//! A worker of the process has its own name. One of another process has a word before that name, and
//! behind it the request by which it asked for the attempt, when it gave that a name: so a worker that
//! never got the answer can say which attempts those were, also after a crash.

/// Before the name of a worker of another process: no worker of a process is called so.
pub const LEASED_WORKER: &str = "remote ";
/// The same, of those whose attempts have no lease.
pub const UNLEASED_WORKER: &str = "activity ";

/// A worker's name as people know it: without the request that it asked by.
#[must_use]
pub fn worker_name(logged: &str) -> &str {
    let Some(name) = logged.strip_prefix(LEASED_WORKER) else { return logged };
    match name.find(' ') {
        Some(end) => logged.get(..LEASED_WORKER.len() + end).unwrap_or(logged),
        None => logged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_shown_without_its_request() {
        assert_eq!(worker_name("remote crawler-1 3f9a-17"), "remote crawler-1");
        for name in ["remote crawler-1", "activity sdk", "host 12 of us", "", "remote "] {
            assert_eq!(worker_name(name), name);
        }
    }
}
