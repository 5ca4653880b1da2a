//! Why a worker cannot begin, or go on.

/// Why a worker ended without being asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The address of the server cannot be used.
    #[error("{url:?} is no address of a server: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is said about the worker cannot be used.
    #[error("the worker cannot be set up: {reason}")]
    Settings {
        /// What is wrong.
        reason: String,
    },
    /// The authorities that vouch for the server cannot be used.
    #[error("TLS cannot be used: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The server answered, and wants nothing of this worker. Said only when it has never given it
    /// anything: later the worker waits for better times.
    #[error("the server refuses this worker: {detail} ({status} {code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's own code.
        code: String,
        /// The server's own words.
        detail: String,
    },
}

impl RemoteError {
    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "WORKER_URL",
            Self::Settings { .. } => "WORKER_SETTINGS",
            Self::Tls { .. } => "WORKER_TLS",
            Self::Refused { .. } => "WORKER_REFUSED",
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Url { .. } => "give it as http://HOST:PORT or https://HOST",
            Self::Settings { .. } => "bind job types, and give the worker a name and a slot",
            Self::Tls { .. } => "give the certificates of the authorities as a PEM file",
            Self::Refused { status: 401 | 403, .. } => {
                "make a token on the server: everstep token create NAME --role worker"
            }
            Self::Refused { .. } => "is it an everstep server, of this version or a later one?",
        }
    }
}
