//! What can go wrong between a client and a running engine.

use std::path::PathBuf;

use super::protocol::{PROTOCOL_VERSION, Refusal};

/// The code of a request that breaks the rules of the protocol.
pub(super) const PROTOCOL: &str = "CONTROL_PROTOCOL";
/// The code of a connection that is one too many.
pub(super) const BUSY: &str = "CONTROL_BUSY";
/// The code of a definition that the engine does not have.
pub(super) const NO_SUCH_DEFINITION: &str = "NO_SUCH_DEFINITION";

/// Why something could not be asked of a running engine, or was refused by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answers. Nothing was asked.
    #[error("no engine answers on {}: {reason}", socket.display())]
    Unreachable {
        /// Where it should be.
        socket: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another engine answers on the socket already.
    #[error("another engine answers on {}", socket.display())]
    InUse {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket could not be made.
    #[error("the control socket {} cannot be made: {reason}", socket.display())]
    Socket {
        /// The file or folder.
        socket: PathBuf,
        /// What is in the way.
        reason: String,
    },
    /// The socket, or the folder that it is in, is somebody else's.
    #[error("{} is not to be trusted: {reason}", socket.display())]
    Untrusted {
        /// The file or folder.
        socket: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection ended before the answer. Whether the request was carried out is unknown.
    #[error("the engine ended the connection before it had answered")]
    Closed,
    /// The other side does not keep to the protocol, or the request is larger than it allows.
    #[error("the control protocol was broken: {reason}")]
    Protocol {
        /// How.
        reason: String,
    },
    /// The engine speaks another version of the protocol.
    #[error(
        "the engine (everstep {program}) speaks version {theirs} of the control protocol, \
         this program version {PROTOCOL_VERSION}"
    )]
    Version {
        /// The engine's protocol version.
        theirs: u32,
        /// The engine's program version.
        program: String,
    },
    /// The engine refused the request, with the engine's own code.
    #[error("{message}")]
    Refused {
        /// The stable code of the refusal.
        code: String,
        /// What happened.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
}

impl Error {
    /// The stable code, as listed in `docs/ERRORS.md`: of a refusal the engine's own.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "CONTROL_UNREACHABLE",
            Self::InUse { .. } => "CONTROL_IN_USE",
            Self::Socket { .. } => "CONTROL_SOCKET",
            Self::Untrusted { .. } => "CONTROL_UNTRUSTED",
            Self::Closed => "CONTROL_CLOSED",
            Self::Protocol { .. } => PROTOCOL,
            Self::Version { .. } => "CONTROL_VERSION",
            Self::Refused { code, .. } => code,
        }
    }

    /// What to do next, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unreachable { .. } => {
                Some("start the engine on this data folder, or name the folder of a running one")
            }
            Self::InUse { .. } => Some("use that engine, or stop it first"),
            Self::Socket { .. } => {
                Some("see that the data folder can be written by the user who runs the engine")
            }
            Self::Untrusted { .. } => Some("look at whose it is, and remove it if nobody needs it"),
            Self::Closed => Some("look at what became of the request before it is sent again"),
            Self::Protocol { .. } => None,
            Self::Version { .. } => Some("use the program that the engine was started with"),
            Self::Refused { hint, .. } => hint.as_deref(),
        }
    }

    pub(super) fn protocol(reason: impl ToString) -> Self {
        Self::Protocol { reason: reason.to_string() }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, message, hint } = refusal;
        Self::Refused { code, message, hint }
    }
}
