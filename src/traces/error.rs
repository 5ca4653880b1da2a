//! Why traces cannot be told.

/// Why no traces are told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TracesError {
    /// The address of the collector cannot be used.
    #[error("{url:?} is no address of a collector: {reason}")]
    Endpoint {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else that the environment says cannot be used.
    #[error("the exporter of traces cannot be set up: {reason}")]
    Settings {
        /// What is wrong.
        reason: String,
    },
    /// The program has no exporter.
    #[error("this program was built without traces, and {endpoint:?} gets none")]
    NotBuilt {
        /// Where they were to go.
        endpoint: String,
    },
}

impl TracesError {
    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } => "TRACES_ENDPOINT",
            Self::Settings { .. } => "TRACES_SETTINGS",
            Self::NotBuilt { .. } => "TRACES_NOT_BUILT",
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } => {
                "give it as http://HOST:4318; /v1/traces is added, and gRPC is not spoken"
            }
            Self::Settings { .. } => "correct the variable, or unset it",
            Self::NotBuilt { .. } => "build it with --features otel, or take the setting out",
        }
    }
}
