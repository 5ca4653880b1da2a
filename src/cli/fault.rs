//! Errors as people and scripts see them: what happened, what it means, what to type next.

use std::borrow::Cow;

use serde::Serialize;

use super::exit::Exit;
use crate::config::ConfigError;
use crate::engine::Rejection;
use crate::language::Diagnostic;
use crate::runtime;
use crate::store;

/// Why a command did not do what was asked.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Fault {
    /// The stable code.
    pub(super) code: Cow<'static, str>,
    /// What happened.
    pub(super) message: String,
    /// Why, or what it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// What to type next.
    pub(super) hint: Option<String>,
    /// Faults of the definition, when that is what it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) faults: Vec<Diagnostic>,
    /// How the program ends.
    #[serde(skip)]
    pub(super) exit: Exit,
}

/// What a command gives: how the program ends, or why it could not be done.
pub(super) type Outcome = Result<Exit, Box<Fault>>;

impl Fault {
    pub(super) fn new(
        code: impl Into<Cow<'static, str>>,
        exit: Exit,
        message: impl Into<String>,
    ) -> Box<Self> {
        let (code, message) = (code.into(), message.into());
        Box::new(Self { code, message, why: None, hint: None, faults: Vec::new(), exit })
    }

    /// Nobody reads what is printed any more: the program ends, and says nothing about it.
    pub(super) fn closed_pipe() -> Box<Self> {
        Self::new("CLOSED_PIPE", Exit::Done, "")
    }

    /// Whether there is nobody to tell it to.
    pub(super) fn is_silent(&self) -> bool {
        self.code == "CLOSED_PIPE"
    }

    /// Says why, or what it means.
    pub(super) fn why(mut self: Box<Self>, why: impl Into<String>) -> Box<Self> {
        self.why = Some(why.into());
        self
    }

    /// Says what to type next.
    pub(super) fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    /// As lines for people.
    pub(super) fn lines(&self) -> String {
        let mut lines = format!("error: {} [{}]\n", self.message, self.code);
        if let Some(why) = &self.why {
            lines.push_str(&format!("  {why}\n"));
        }
        if let Some(hint) = &self.hint {
            lines.push_str(&format!("  try:  {hint}\n"));
        }
        lines
    }
}

impl From<store::Error> for Box<Fault> {
    fn from(error: store::Error) -> Self {
        let code = error.code();
        let fault = |exit| Fault::new(code, exit, error.to_string());
        match &error {
            store::Error::Locked { path, pid } => locked(path, *pid),
            store::Error::Damaged { damage } => {
                let hit = match damage.streams.as_slice() {
                    [] => "which executions it hits is not known".to_owned(),
                    hit => {
                        let shown = hit.iter().take(5).map(ToString::to_string);
                        format!("executions hit: {}", shown.collect::<Vec<_>>().join(", "))
                    }
                };
                fault(Exit::Damaged)
                    .why(hit)
                    .hint("restore a backup of the data folder; see docs/OPERATIONS.md")
            }
            store::Error::NewerFormat { .. } | store::Error::UnknownEvent { .. } => {
                fault(Exit::Other)
                    .why("a newer version of everstep wrote it")
                    .hint("use that version, or a later one")
            }
            store::Error::Io { .. } => fault(Exit::Other)
                .why("nothing was acknowledged that is not durable")
                .hint("mend the disk or the rights of the data folder, then run it again"),
            _ => fault(Exit::Other),
        }
    }
}

/// The log belongs to another process that does not answer.
fn locked(path: &std::path::Path, pid: Option<u32>) -> Box<Fault> {
    let who = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let message = format!("the log is open in another process (everstep{who})");
    Fault::new("STORE_LOCKED", Exit::NoServer, message)
        .why(format!(
            "one process at a time can use {}, and that one does not answer on its socket",
            path.display()
        ))
        .hint("wait for it or stop it, or choose another folder with --data DIR")
}

impl From<Rejection> for Box<Fault> {
    fn from(rejection: Rejection) -> Self {
        let exit = match rejection {
            Rejection::TooLarge { .. }
            | Rejection::PlaceKeyFailed { .. }
            | Rejection::BadChange { .. } => Exit::Other,
            Rejection::StepNotEntered { .. } => Exit::NotFound,
            _ => Exit::NotAllowed,
        };
        let fault = Fault::new(rejection.code(), exit, rejection.to_string());
        match &rejection {
            Rejection::PlaceTaken { holders, .. } => match holders.first() {
                Some(holder) => fault.hint(format!("everstep show {}", holder.short())),
                None => fault,
            },
            Rejection::PartOfAnother { parent, .. } => {
                fault.hint(format!("everstep retry {}", parent.short()))
            }
            _ => fault,
        }
    }
}

impl From<runtime::Error> for Box<Fault> {
    fn from(error: runtime::Error) -> Self {
        use runtime::Error;
        let (code, message) = (error.code(), error.to_string());
        let fault = |exit| Fault::new(code, exit, message);
        match error {
            Error::Rejected(rejection) => rejection.into(),
            Error::Store(error) => error.into(),
            Error::NoSuchExecution { .. } => fault(Exit::NotFound).hint("everstep list"),
            Error::Deleted { .. } => fault(Exit::NotFound)
                .why("nothing is left of it but who deleted it, and when")
                .hint("everstep list"),
            Error::NeededByParent { parent, .. } => {
                fault(Exit::NotAllowed).hint(format!("everstep delete {}", parent.short()))
            }
            Error::Changed { execution } => {
                fault(Exit::NotAllowed).hint(format!("everstep show {}", execution.short()))
            }
            Error::NoSuchEvent { execution, .. } => {
                fault(Exit::NotFound).hint(format!("everstep log show {}", execution.short()))
            }
            Error::AmbiguousHandle { .. } => fault(Exit::NotFound).hint("type more letters of it"),
            Error::NoSuchWorkflow { .. } => {
                fault(Exit::NotFound).hint("everstep start FILE, which makes it known too")
            }
            Error::NoSuchJobType { .. } => fault(Exit::NotFound).hint("everstep validate FILE"),
            Error::NoSuchWorker { .. } => fault(Exit::NotFound),
            Error::NoRemoteWorkers | Error::TooManyPolls { .. } => fault(Exit::NotAllowed),
            Error::AlreadyPaused { .. } | Error::NotPaused { .. } => {
                fault(Exit::NotAllowed).hint("everstep pause --list")
            }
            Error::UnknownJobTypes { unknown, known } => unserved(&unknown, &known),
            Error::InvalidDefinition { faults } => {
                let mut fault = fault(Exit::Invalid);
                fault.faults = faults;
                fault.hint("everstep validate FILE")
            }
            Error::NameTaken { execution, .. } => {
                fault(Exit::NotAllowed).hint(format!("everstep show {}", execution.short()))
            }
            Error::BadToken => fault(Exit::NotFound).hint("pass the token on as it was given"),
            Error::BadName { .. } | Error::Stopping => fault(Exit::Other),
            Error::Failed { .. } => fault(Exit::Other)
                .why("what was acknowledged before is durable; nothing was after")
                .hint("mend the cause, then run it again: it goes on where it was"),
        }
    }
}

/// Nobody runs jobs of some types.
pub(super) fn unserved(unknown: &[String], known: &[String]) -> Box<Fault> {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let message = format!("no worker serves {}", unknown.join(", "));
    Fault::new("UNKNOWN_JOB_TYPES", Exit::Other, message)
        .why(format!("job types with a worker: {known}"))
        .hint("bind them to commands in everstep.toml beside the definition, or use --config FILE")
}

impl From<ConfigError> for Box<Fault> {
    fn from(error: ConfigError) -> Self {
        let place = error.place.map(|(line, column)| format!(":{line}:{column}"));
        let place = format!("{}{}", error.path.display(), place.unwrap_or_default());
        Fault::new(error.code, Exit::Other, format!("{place}: {}", error.what))
            .why(error.why)
            .hint(error.advice)
    }
}
