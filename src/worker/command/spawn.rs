//! Starting a command.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::CommandSettings;
use crate::worker::JobContext;
use crate::worker::registry::JobError;

/// The program is not there.
pub const COMMAND_NOT_FOUND: &str = "Everstep.CommandNotFound";
/// The program is there but may not or cannot be executed.
pub const COMMAND_NOT_EXECUTABLE: &str = "Everstep.CommandNotExecutable";
/// The system could not start the command for another reason, as too many processes.
pub const COMMAND_NOT_STARTED: &str = "Everstep.CommandNotStarted";

/// Starts the command of a job, as the leader of a process group of its own.
pub(super) fn spawn(settings: &CommandSettings, job: &JobContext) -> Result<Child, JobError> {
    let Some((program, arguments)) = settings.argv.split_first() else {
        return Err(JobError::new(COMMAND_NOT_STARTED, "the command is empty"));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&settings.folder)
        .env_clear()
        .envs(environment(settings, job))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        // Should the attempt be dropped, the leader is also waited for, so that no zombie stays.
        .kill_on_drop(true);
    command.spawn().map_err(|error| explained(settings, program, &error))
}

/// Nothing but the names let through, the fixed values, and the attempt's marks, in this order of
/// precedence from low to high.
fn environment(settings: &CommandSettings, job: &JobContext) -> Vec<(OsString, OsString)> {
    let passed = settings
        .env
        .iter()
        .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    let set = settings.set.iter().map(|(name, value)| (name.into(), value.into()));
    let marks = [
        ("EVERSTEP_EXECUTION", job.id().execution.to_string()),
        ("EVERSTEP_JOB", job.id().job.to_string()),
        ("EVERSTEP_ATTEMPT", job.attempt().to_string()),
        ("EVERSTEP_JOB_TYPE", job.job_type().to_owned()),
    ];
    // The name by which OpenTelemetry knows it.
    let trace = job.traceparent().map(|parent| ("TRACEPARENT", parent.to_owned()));
    let marks = marks.into_iter().chain(trace).map(|(name, value)| (name.into(), value.into()));
    passed.chain(set).chain(marks).collect()
}

fn explained(settings: &CommandSettings, program: &str, error: &std::io::Error) -> JobError {
    let folder = &settings.folder;
    if !folder.is_dir() {
        let cause = format!(
            "the command's working folder {} is not there; create it, or correct `folder`",
            folder.display()
        );
        return JobError::new(COMMAND_NOT_STARTED, cause);
    }
    let place = place_of(program, folder);
    match error.kind() {
        ErrorKind::NotFound if place.as_deref().is_some_and(Path::exists) => JobError::new(
            COMMAND_NOT_EXECUTABLE,
            format!(
                "the program `{program}` is there, but the interpreter that it names in its first \
                 line (or its loader) is not; install that, or correct the line"
            ),
        ),
        ErrorKind::NotFound => {
            let looked = match place {
                Some(place) => format!("at {}", place.display()),
                None => "in the folders of PATH".to_owned(),
            };
            JobError::new(
                COMMAND_NOT_FOUND,
                format!(
                    "the program `{program}` was not found {looked}; install it, or correct `command`"
                ),
            )
        }
        ErrorKind::PermissionDenied => JobError::new(
            COMMAND_NOT_EXECUTABLE,
            format!(
                "the program `{program}` may not be executed ({error}); try `chmod +x`, or name its interpreter in `command`"
            ),
        ),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            JobError::new(
                COMMAND_NOT_EXECUTABLE,
                format!(
                    "the program `{program}` is not a program ({error}); does it lack a first line such as `#!/bin/sh`?"
                ),
            )
        }
        _ => JobError::new(
            COMMAND_NOT_STARTED,
            format!("the program `{program}` could not be started: {error}"),
        ),
    }
}

/// Where a program named by its path is looked for; `None` for a name to be found through PATH.
fn place_of(program: &str, folder: &Path) -> Option<PathBuf> {
    program.contains('/').then(|| folder.join(program))
}
