//! Roles, and what each may do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See everything, payloads included.
    Viewer,
    /// See everything; deploy workflows; start, stop and mend executions.
    Operator,
    /// Take jobs and tell what became of them, and nothing else.
    Worker,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Worker, Self::Admin];

    /// Whether whoever has this role may do what `needed` may.
    #[must_use]
    pub fn may(self, needed: Self) -> bool {
        match needed {
            Self::Viewer => matches!(self, Self::Viewer | Self::Operator | Self::Admin),
            Self::Operator => matches!(self, Self::Operator | Self::Admin),
            Self::Worker => matches!(self, Self::Worker | Self::Admin),
            Self::Admin => matches!(self, Self::Admin),
        }
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Worker => "worker",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no role: viewer, operator, worker or admin"))
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Principal {
    /// The name of the token, or what stands for it.
    pub(in crate::server) name: Arc<str>,
    pub(in crate::server) role: Role,
}
