//! Where the data folder is.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::fault::Fault;
use crate::config::Config;
use crate::runtime;

/// The folder when nobody says otherwise.
pub(super) const DEFAULT: &str = "./everstep-data";

/// Chooses the data folder: what the command line or `EVERSTEP_DATA` says, else what the config
/// says, else [`DEFAULT`].
pub(super) fn folder(asked: Option<&Path>, config: Option<&Config>) -> PathBuf {
    let configured = || config.and_then(|config| config.engine.data.clone());
    asked.map(Path::to_owned).or_else(configured).unwrap_or_else(|| PathBuf::from(DEFAULT))
}

/// Chooses it for commands that run nothing: the config is that of the current folder, and what is
/// wrong with it is no matter of theirs.
pub(super) fn folder_to_read(asked: Option<&Path>) -> PathBuf {
    let config = if asked.is_some() { None } else { Config::discover(None).ok().flatten() };
    folder(asked, config.as_ref())
}

/// Whether a log has ever been made in `folder`.
pub(super) fn has_log(folder: &Path) -> bool {
    folder.join("log").is_dir()
}

/// That there is a log: who looks at one would take a mistyped path for a sound one without events.
pub(super) fn expect_log(folder: &Path) -> Result<(), Box<Fault>> {
    if has_log(folder) {
        return Ok(());
    }
    let message = format!("there is no log in {}", folder.display());
    Err(Fault::new("NO_LOG", Exit::NotFound, message)
        .hint("name the data folder, the one that holds log/"))
}

/// Refuses the name of an execution in a folder without a log: there is none that it could mean.
pub(super) fn require_log(folder: &Path, id: &str) -> Result<(), runtime::Error> {
    if has_log(folder) {
        return Ok(());
    }
    Err(runtime::Error::NoSuchExecution { id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_default() {
        assert_eq!(folder(Some(Path::new("/x")), None), Path::new("/x"));
        assert_eq!(folder(None, None), Path::new(DEFAULT));
    }
}
