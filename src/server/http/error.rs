//! Why the HTTP server cannot be started.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the HTTP server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everybody on the network could do everything.
    #[error("{listen} can be reached from other machines, and {missing}")]
    Exposed {
        /// The address.
        listen: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {reason}")]
    Address {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// Certificate or key cannot be used.
    #[error("TLS cannot be used: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The file of tokens cannot be used.
    #[error("the tokens in {} cannot be used: {reason}", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl StartError {
    /// The stable code, as listed in `docs/ERRORS.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exposed { .. } => "SERVER_EXPOSED",
            Self::Address { .. } => "SERVER_ADDRESS",
            Self::Tls { .. } => "SERVER_TLS",
            Self::Tokens { .. } => "TOKENS_UNUSABLE",
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exposed { .. } => {
                "listen on 127.0.0.1, or make tokens (everstep token create) and give [server] \
                 tls_cert and tls_key in everstep.toml; --insecure does without"
            }
            Self::Address { .. } => "choose another one with --listen, or `--listen off` for none",
            Self::Tls { .. } => "give a certificate chain and its private key as PEM files",
            Self::Tokens { .. } => {
                "make it a file that `everstep token` wrote, with mode 0600 and of this user"
            }
        }
    }
}
