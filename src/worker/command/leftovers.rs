//! Notes of running commands, so that those that outlive us can be stopped.
//!
//! A process that is killed outright cannot stop its commands. So each running command is noted in
//! a file named after its process, which is removed when the command has ended; what is found at
//! the next start was left over. A process is stopped only if it is certainly the one noted: same
//! pid, same start time, same run of the system.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::process::{Group, POLL, Stat, members};
use crate::engine::ExecutionId;
use crate::worker::JobContext;

/// The folder of the notes, in the folder given by the caller.
const FOLDER: &str = "commands";

/// A note over this size is none of ours.
const MAX_NOTE_BYTES: u64 = 4096;

/// No leftover is waited for longer than this, whatever its note says.
const MAX_GRACE: Duration = Duration::from_mins(1);

/// A command that outlived the process that started it, and was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leftover {
    /// The process, which is also its process group.
    pub pid: u32,
    /// When the process started, in clock ticks since the system's start.
    start: u64,
    /// Which run of the system that was.
    boot: String,
    /// The execution it worked for.
    pub execution: ExecutionId,
    /// The job it worked for.
    pub job: u32,
    /// Which attempt of the job, from 1.
    pub attempt: u32,
    /// The type of the job.
    pub job_type: String,
    /// How long it has between the request to end and the end, in milliseconds.
    grace_ms: u64,
}

/// The note of one running command; the file goes when this is dropped.
pub(super) struct Note(PathBuf);

impl Note {
    /// Notes that process `pid` runs for `job`. Where that fails, the failure is logged and the
    /// command goes on: what is lost is only that it will be stopped should this process be killed.
    pub(super) fn write(
        folder: &Path,
        pid: u32,
        job: &JobContext,
        grace: Duration,
    ) -> Option<Self> {
        // Without /proc no process could ever be recognised again.
        let (stat, boot) = (Stat::of(pid)?, boot_id()?);
        let note = Leftover {
            pid,
            start: stat.start,
            boot,
            execution: job.id().execution,
            job: job.id().job.0,
            attempt: job.attempt(),
            job_type: job.job_type().chars().take(256).collect(),
            grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
        };
        let folder = folder.join(FOLDER);
        let path = folder.join(pid.to_string());
        let written = fs::create_dir_all(&folder).and_then(|()| {
            // No sync: after a power cut the command does not run either.
            fs::write(&path, serde_json::to_vec(&note)?)
        });
        match written {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "noting a running command failed");
                None
            }
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Stops the commands that a killed process left running, and removes their notes from `dir`. Says
/// which commands were stopped.
///
/// Call it before any command is started, and only while no other process uses `dir`, that is,
/// with the store's lock held: commands noted there are taken to be nobody's. It blocks for at most
/// the longest grace period of the commands found, and never more than about a minute. Where `/proc`
/// is missing nothing is noted, so nothing is stopped.
#[must_use]
pub fn stop_leftovers(dir: &Path) -> Vec<Leftover> {
    let Ok(entries) = fs::read_dir(dir.join(FOLDER)) else { return Vec::new() };
    let boot = boot_id();
    let mut stopped = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let note = read(&path).filter(|note| Some(&note.boot) == boot.as_ref());
        if let Some(group) = note.as_ref().and_then(group_of)
            && let Some(note) = note
        {
            tracing::warn!(
                pid = note.pid, execution = %note.execution, job = note.job,
                "stopping a command that was left running"
            );
            group.terminate();
            stopped.push((path, note, group));
        } else {
            remove(&path);
        }
    }
    await_and_kill(&mut stopped);
    stopped
        .into_iter()
        .map(|(path, note, _)| {
            remove(&path);
            note
        })
        .collect()
}

/// Gives each group its grace, then ends it. The notes stay until then, for the case that this
/// process is killed too.
#[expect(clippy::disallowed_methods, reason = "how long processes take is no engine's time")]
fn await_and_kill(stopped: &mut [(PathBuf, Leftover, Group)]) {
    let asked = Instant::now();
    loop {
        let mut waiting = false;
        for (_, note, group) in stopped.iter_mut() {
            let grace = Duration::from_millis(note.grace_ms).min(MAX_GRACE);
            if asked.elapsed() >= grace {
                group.kill();
            } else {
                waiting |= group.is_alive();
            }
        }
        if !waiting {
            break;
        }
        std::thread::sleep(POLL);
    }
    for (_, _, group) in stopped {
        group.kill();
    }
}

/// The noted group, if it is certain that it is the noted one and something of it runs: its leader
/// is the noted process, or its leader is gone and a process left in it carries the attempt's
/// marks in its environment.
fn group_of(note: &Leftover) -> Option<Group> {
    let same = if let Some(stat) = Stat::of(note.pid) {
        stat.start == note.start
    } else {
        let leader = Pid::from_raw(i32::try_from(note.pid).ok()?)?;
        members(leader)?.any(|(member, _)| carries_marks(member, note))
    };
    // The group kills what it names when dropped: make it only once it is certain.
    if same { Group::led_by(note.pid) } else { None }
}

fn carries_marks(member: u32, note: &Leftover) -> bool {
    let environment = environment_of(member);
    let carries = |name: &str, value: String| {
        let mark = format!("{name}={value}");
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    };
    carries("EVERSTEP_EXECUTION", note.execution.to_string())
        && carries("EVERSTEP_JOB", note.job.to_string())
        && carries("EVERSTEP_ATTEMPT", note.attempt.to_string())
}

/// The environment of a process; empty, if it cannot be read. A process in the midst of `exec` shows
/// none for a moment, so one that runs is looked at again.
fn environment_of(process: u32) -> Vec<u8> {
    for _ in 0..5 {
        match fs::read(format!("/proc/{process}/environ")) {
            Ok(environment) if !environment.is_empty() => return environment,
            Ok(_) if Stat::of(process).is_some_and(Stat::is_running) => std::thread::sleep(POLL),
            Ok(_) | Err(_) => break,
        }
    }
    Vec::new()
}

fn read(path: &Path) -> Option<Leftover> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_NOTE_BYTES).read_to_string(&mut text).ok()?;
    let note: Leftover = serde_json::from_str(&text).ok()?;
    (path.file_name()?.to_str()? == note.pid.to_string()).then_some(note)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "removing the note of a command failed");
    }
}

/// Names this run of the system.
fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
