//! A folder with a workflow in it, and the program at work there.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::history::History;
use super::until;

pub(crate) struct Place(TempDir);

/// A program under way. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    /// Its stdout and stderr: files, so that nobody has to read them in time.
    said: PathBuf,
    printed: PathBuf,
}

/// What a program has said when it ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) printed: String,
    pub(crate) said: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Where jobs note that they ran.
    pub(crate) fn notes_file(&self) -> PathBuf {
        self.path().join("notes")
    }

    /// The lines noted so far: `start` or `done`, the execution, the job, the attempt.
    pub(crate) fn notes(&self) -> Vec<String> {
        let text = fs::read_to_string(self.notes_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often a job began.
    pub(crate) fn starts(&self, execution: &str, job: u64) -> usize {
        let beginning = format!("start {execution} {job} ");
        self.notes().iter().filter(|line| line.starts_with(&beginning)).count()
    }

    /// Starts the program. `name` tells its output files from those of others that run meanwhile.
    pub(crate) fn spawn_as(&self, name: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_everstep"));
        command.args(arguments);
        self.begin(name, command)
    }

    fn begin(&self, name: &str, mut command: Command) -> Program {
        let (printed, said) =
            (self.path().join(format!("{name}.out")), self.path().join(format!("{name}.err")));
        command.current_dir(self.path()).stdin(Stdio::null());
        for variable in ["EVERSTEP_DATA", "EVERSTEP_LOG", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        // Several of them run at once, and there is one usual port.
        command.env("EVERSTEP_LISTEN", "off");
        command.env("LC_ALL", "C.UTF-8").env("EVERSTEP_IMPORT_DELAY_MS", "5");
        command.stdout(File::create(&printed).unwrap()).stderr(File::create(&said).unwrap());
        Program { child: command.spawn().unwrap(), said, printed }
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Program {
        self.spawn_as("main", arguments)
    }

    /// Starts the program with less than it usually has, as the shell's `limits` say.
    pub(crate) fn spawn_under(&self, limits: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new("/bin/sh");
        // The program takes the shell's place, and is the process that is waited for.
        command.args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_everstep")).args(arguments);
        self.begin("main", command)
    }

    /// Runs the program to its end, and insists on how that is.
    pub(crate) fn ran(&self, arguments: &[&str], code: i32) -> Ended {
        let ended = self.spawn_as("side", arguments).ended();
        assert_eq!(
            ended.status.code(),
            Some(code),
            "{arguments:?}\n{}\n{}",
            ended.printed,
            ended.said
        );
        ended
    }

    /// The whole log, from the running program or, when none runs, from the files.
    pub(crate) fn history(&self) -> History {
        History::of(&self.ran(&["log", "tail", "-n", "1000000", "-o", "jsonl"], 0).printed)
    }

    /// The whole log of a program that is just starting; nothing as long as it does not answer.
    pub(crate) fn live_history(&self) -> Option<History> {
        let arguments = ["log", "tail", "-n", "1000000", "-o", "jsonl"];
        let ended = self.spawn_as("side", &arguments).ended();
        ended.status.success().then(|| History::of(&ended.printed))
    }

    /// All executions with their statuses and progress, the newest first.
    pub(crate) fn list(&self) -> Vec<Value> {
        let list = self.ran(&["list", "--json", "--limit", "10000"], 0).json();
        list["items"].as_array().unwrap().clone()
    }

    /// Waits until no process is left that was started for this folder.
    pub(crate) fn is_quiet(&self) {
        until("commands of a killed program end", || self.processes().is_empty().then_some(()));
    }

    /// Processes that carry this folder's path in their arguments or environment. They are only
    /// looked at.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let path = self.path().to_str().unwrap().as_bytes();
        let mentions = |folder: &Path, file: &str| {
            let text = fs::read(folder.join(file)).unwrap_or_default();
            text.windows(path.len()).any(|window| window == path)
        };
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let processes = entries.filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path();
            let is_ours = mentions(&folder, "cmdline") || mentions(&folder, "environ");
            is_ours.then_some(id)
        });
        processes.filter(|id| *id != std::process::id()).collect()
    }
}

impl Program {
    /// Kills it with SIGKILL. Says whether that is what ended it.
    pub(crate) fn kill(&mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap().signal() == Some(9)
    }

    /// Sends it SIGTERM.
    pub(crate) fn terminate(&self) {
        let id = self.child.id();
        assert!(id > 1, "{id} would not be a single program");
        let status = Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The most memory that it had so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The first line that it has printed: where a server listens.
    pub(crate) fn listens_at(&self) -> SocketAddr {
        until("it says where it listens", || {
            let printed = fs::read_to_string(&self.printed).ok()?;
            printed.lines().next()?.rsplit('/').next()?.parse().ok()
        })
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has said on stderr so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Waits until it has said `words`, unless it ends first.
    pub(crate) fn says(&mut self, words: &str) {
        until(words, || (self.said().contains(words) || !self.is_running()).then_some(()));
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let status = until("the program ends", || self.child.try_wait().unwrap());
        Ended { status, printed: fs::read_to_string(&self.printed).unwrap(), said: self.said() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that was waited for is not signalled again.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.printed).unwrap()
    }
}
