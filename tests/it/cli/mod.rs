//! The program as people and scripts use it: the real binary, in folders of its own.

mod children;
mod cleanup;
mod delete;
mod inspect;
mod limits;
mod pause;
mod replay;
mod retry;
mod watch;
mod worker;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use everstep::store::{SledOptions, SledStore};
use serde_json::Value;
use tempfile::TempDir;

/// Greets through a bound command.
const GREET: &str = "\
Title: A greeting
QueryLanguage: JSONata
StartAt: Greet
States:
  Greet:
    Type: Task
    Resource: greet
    Output: '{% $states.result.text %}'
    End: true
";

/// A step that notes that it ran, a wait, and another step.
const SLOW: &str = "\
QueryLanguage: JSONata
StartAt: First
States:
  First: {Type: Task, Resource: note, Next: Rest}
  Rest: {Type: Wait, Seconds: 2, Next: Last}
  Last: {Type: Task, Resource: note, End: true}
";

/// A step that fails, with and without a catcher.
const FAILS: &str = "\
StartAt: Try
States:
  Try: {Type: Task, Resource: fail, End: true}
";
const CATCHES: &str = "\
StartAt: Try
States:
  Try:
    Type: Task
    Resource: fail
    Catch: [{ErrorEquals: [States.ALL], Next: After}]
    End: true
  After: {Type: Pass, Result: saved, End: true}
";

const CONFIG: &str = r#"
[jobs.greet]
command = ["/bin/sh", "-c", "echo '::progress 50 looking up words' >&2; echo '{\"text\": \"hello\"}'"]
[jobs.fail]
command = ["/bin/sh", "-c", "echo no such luck >&2; exit 3"]
[jobs.note]
command = ["/bin/sh", "-c", "echo ran >> notes; echo null"]
"#;

struct Place(TempDir);

impl Place {
    /// A folder with all definitions and the config.
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let files = [
            ("greet.yaml", GREET),
            ("slow.yaml", SLOW),
            ("fails.yaml", FAILS),
            ("catches.yaml", CATCHES),
            ("everstep.toml", CONFIG),
        ];
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_everstep"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for variable in ["EVERSTEP_DATA", "EVERSTEP_LOG", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        // Several of them run at once, and there is one usual port.
        command.env("EVERSTEP_LISTEN", "off");
        command.env("LC_ALL", "C.UTF-8");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// Runs a workflow, and insists on how that ends.
    fn ran(&self, arguments: &[&str], code: i32) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// Starts the program, and waits until it says a line on stderr that contains `words`.
    fn spawn_until(&self, arguments: &[&str], words: &str) -> (Child, impl BufRead + use<>) {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it never said {words:?}");
        }
        (child, lines)
    }
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Waits until there is something, for at most a minute.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("waited for a minute: {what}");
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_sound_definition_is_valid() {
    let ran = Place::new().ran(&["validate", "greet.yaml", "slow.yaml"], 0);
    assert!(ran.stdout.contains("greet.yaml: valid, 1 state, job types: greet"), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().count(), 2);
}

#[test]
fn a_fault_of_a_definition_is_shown_with_its_place() {
    let place = Place::new();
    place.write("bad.yaml", "StartAt: A\nStates:\n  A: {Type: Pass, Next: B}\n");
    let ran = place.ran(&["validate", "bad.yaml"], 21);
    assert!(ran.stdout.contains("[E_UNKNOWN_STATE]"), "{}", ran.stdout);
    assert!(ran.stdout.contains("bad.yaml:3:25"), "{}", ran.stdout);

    let ran = place.ran(&["validate", "bad.yaml", "greet.yaml", "--json"], 21);
    let found = ran.json();
    assert_eq!(found["schema"], "everstep.validations/v1");
    assert_eq!(found["items"][0]["is_valid"], false);
    assert_eq!(found["items"][0]["diagnostics"][0]["line"], 3);
    assert_eq!(found["items"][1]["is_valid"], true);

    let ran = place.ran(&["run", "bad.yaml"], 21);
    assert!(ran.stderr.contains("[INVALID_DEFINITION]"), "{}", ran.stderr);
    assert!(!place.path().join("everstep-data").exists(), "nothing may have been opened");
}

#[test]
fn run_prints_the_output_and_nothing_else_on_stdout() {
    let place = Place::new();
    let ran = place.ran(&["run", "greet.yaml"], 0);
    assert_eq!(ran.stdout, "\"hello\"\n");
    assert!(ran.stderr.contains("completed"), "{}", ran.stderr);
    let ran = place.ran(&["run", "greet.yaml", "--quiet"], 0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("\"hello\"\n", ""));
}

#[test]
fn the_exit_code_is_that_of_the_outcome() {
    let place = Place::new();
    let failed = place.ran(&["run", "fails.yaml"], 10);
    assert_eq!(failed.stdout, "");
    assert!(failed.stderr.contains("no such luck"), "{}", failed.stderr);
    let caught = place.ran(&["run", "catches.yaml"], 12);
    assert_eq!(caught.stdout, "\"saved\"\n");
    place.ran(&["run", "catches.yaml", "--allow-errors"], 0);
}

#[test]
fn the_whole_result_has_every_step() {
    let place = Place::new();
    let result = place.ran(&["run", "catches.yaml", "--result"], 12).json();
    assert_eq!(result["schema"], "everstep.result/v1");
    assert_eq!(result["status"], "completed_with_errors");
    assert_eq!(result["steps"]["Try"]["status"], "failed");
    assert_eq!(result["steps"]["Try"]["error"]["error"], "Everstep.CommandFailed");
    assert_eq!(result["summary"]["total_errors"], 1);
    assert_eq!(result["output"], "saved");
    let job = result["steps"]["Try"]["job_id"].as_str().unwrap();
    assert_eq!(job, format!("{}:1", result["job_id"].as_str().unwrap()));
}

#[test]
fn a_job_type_without_a_worker_is_refused_with_the_known_ones() {
    let place = Place::new();
    place.write(
        "other.yaml",
        "StartAt: A\nStates:\n  A: {Type: Task, Resource: paint, End: true}\n",
    );
    let ran = place.ran(&["run", "other.yaml"], 1);
    assert!(ran.stderr.contains("no worker serves paint [UNKNOWN_JOB_TYPES]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("fail, greet, note"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1);
}

#[test]
fn an_input_must_be_json() {
    let place = Place::new();
    place.ran(&["run", "greet.yaml", "--input", "{"], 2);
    place.ran(&["run", "greet.yaml", "--input", "@missing.json"], 3);
    let ran = place.ran(&["run", "greet.yaml", "--input", "{", "--json"], 2);
    let fault: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(fault["code"], "INPUT_NOT_JSON");
    assert!(fault["message"].is_string() && fault["hint"].is_string(), "{fault}");

    let mut command = place.command(&["run", "greet.yaml", "--input", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"from\": \"stdin\"}").unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    let history = place.ran(&["log", "show", "@", "--json"], 0).json();
    assert_eq!(history["items"][0]["data"]["input"]["from"], "stdin");
}

#[test]
fn what_ran_can_be_seen_afterwards() {
    let place = Place::new();
    place.ran(&["run", "greet.yaml", "--name", "mine"], 0);
    place.ran(&["run", "fails.yaml"], 10);

    let list = place.ran(&["list", "--json"], 0).json();
    assert_eq!(list["schema"], "everstep.executions/v1");
    let workflows: Vec<&Value> =
        list["items"].as_array().unwrap().iter().map(|row| &row["workflow"]).collect();
    assert_eq!(workflows, ["fails", "greet"], "the newest comes first");
    assert_eq!(list["items"][1]["name"], "mine");
    let table = place.ran(&["list", "--status", "failed"], 0).stdout;
    assert!(table.contains("✕ failed") && !table.contains("greet"), "{table}");
    let ascii = place.ran(&["list", "--ascii", "--color", "never"], 0).stdout;
    assert!(ascii.is_ascii() && ascii.contains("x failed"), "{ascii}");

    let handle = list["items"][1]["handle"].as_str().unwrap();
    let card = place.ran(&["show", handle, "--json"], 0).json();
    assert_eq!(card["schema"], "everstep.execution/v1");
    assert_eq!(card["title"], "A greeting");
    assert_eq!((&card["current_step"], &card["total_steps"]), (&1.into(), &1.into()));
    assert_eq!(card["progress"], 100);
    assert_eq!(card["steps"][0]["status"], "completed");
    assert_eq!(card["steps"][0]["attempts"], 1);
    let shown = place.ran(&["show", &handle[..4]], 0).stdout;
    assert!(shown.contains("✓ completed  1  Greet"), "{shown}");

    let lines = place.ran(&["log", "show", handle, "-o", "jsonl"], 0).stdout;
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "ExecutionCompleted");
    assert!(!lines.contains("token"), "tokens are nobody's business");
    let failed = place.ran(&["log", "show", "@", "--type", "JobFailed"], 0).stdout;
    assert!(failed.contains("Try") && failed.contains("no such luck"), "{failed}");
    let tail = place.ran(&["log", "tail", "-n", "2"], 0).stdout;
    assert_eq!(tail.lines().count(), 2);
    assert!(tail.ends_with("\n") && tail.contains("ExecutionFailed"), "{tail}");
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new();
    assert_eq!(place.ran(&["list"], 0).stdout, "");
    place.ran(&["show", "zzz"], 3);
    place.ran(&["cancel", "zzz"], 3);
    place.ran(&["run", "nowhere.yaml"], 3);
    place.ran(&["run", "--resume"], 3);
    place.ran(&["start", "greet"], 4);
    place.ran(&["frobnicate"], 2);
    let before = place.path().join("everstep-data").join("log").exists();
    assert!(!before || place.ran(&["list"], 0).stdout.is_empty());
}

#[test]
fn an_execution_that_ended_cannot_be_cancelled() {
    let place = Place::new();
    place.ran(&["run", "greet.yaml"], 0);
    let ran = place.ran(&["cancel", "@"], 5);
    assert!(ran.stderr.contains("[NOT_IN_STATUS]") && ran.stderr.contains("completed"));
}

#[test]
fn a_folder_in_use_is_refused_with_the_reason() {
    let place = Place::new();
    let data = place.path().join("everstep-data");
    let held = SledStore::open(&data, SledOptions::default()).unwrap();
    let ran = place.ran(&["list"], 4);
    let expected =
        format!("the log is open in another process (everstep, pid {})", std::process::id());
    assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 3, "{}", ran.stderr);
    place.ran(&["run", "greet.yaml"], 1);
    drop(held);
    place.ran(&["run", "greet.yaml"], 0);
}

#[test]
fn a_sound_log_verifies_and_a_cut_one_does_not() {
    let place = Place::new();
    let ran = place.ran(&["log", "verify"], 3);
    assert!(ran.stderr.contains("[NO_LOG]"), "{}", ran.stderr);
    place.ran(&["run", "greet.yaml"], 0);
    let sound = place.ran(&["log", "verify", "--json"], 0).json();
    assert_eq!(sound["schema"], "everstep.verification/v1");
    assert_eq!((&sound["is_sound"], &sound["executions"]), (&true.into(), &1.into()));
    assert!(sound["events"].as_u64().unwrap() > 5);

    let file = place.path().join("everstep-data/log/db");
    let used = std::fs::read(&file).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(u64::try_from(used / 2).unwrap()).unwrap();
    let ran = place.ran(&["log", "verify"], 20);
    assert!(ran.stderr.contains("[STORE_DAMAGED]"), "{}", ran.stderr);
    place.ran(&["list"], 20);
}

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let place = Place::new();
    let (child, rest) = place.spawn_until(&["run", "slow.yaml"], "waits until");
    signal(&child, "-INT");
    let said: Vec<String> = rest.lines().map(Result::unwrap).collect();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(said.iter().any(|line| line.contains("everstep run slow.yaml --resume")), "{said:?}");

    let waiting = place.ran(&["show", "@", "--json"], 0).json();
    assert_eq!(
        (&waiting["status"], &waiting["waiting"]["reason"]),
        (&"running".into(), &"timer".into())
    );
    assert_eq!(waiting["steps"][1]["status"], "waiting");
    assert_eq!(waiting["steps"][2]["status"], "pending");
    place.ran(&["run", "slow.yaml", "--resume"], 0);
    assert_eq!(notes(&place), 2, "the first step ran once, the last too");
    let again = place.ran(&["run", "slow.yaml", "--resume"], 0);
    assert_eq!((again.stdout.as_str(), notes(&place)), ("null\n", 2), "nothing runs again");
}

#[test]
fn a_second_interrupt_does_not_wait_for_jobs() {
    let place = Place::new();
    let stuck =
        "\n[jobs.stuck]\ncommand = [\"/bin/sh\", \"-c\", \"echo > began; exec sleep 60\"]\n";
    place.write("everstep.toml", &format!("{CONFIG}{stuck}"));
    place.write(
        "stuck.yaml",
        "StartAt: A\nStates:\n  A: {Type: Task, Resource: stuck, End: true}\n",
    );
    let (child, mut lines) = place.spawn_until(&["run", "stuck.yaml"], "started stuck");
    let began = place.path().join("began");
    while !began.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    signal(&child, "-INT");
    let mut line = String::new();
    while !line.contains("stopping") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0);
    }
    signal(&child, "-INT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    // The next one to open the folder ends the program that was left running.
    let ran = place.ran(&["cancel", "@"], 0);
    assert!(ran.stderr.contains("stopped a program that was left running"), "{}", ran.stderr);
}

#[test]
fn a_killed_run_goes_on_without_naming_its_file() {
    let place = Place::new();
    let (mut child, _rest) = place.spawn_until(&["run", "slow.yaml"], "waits until");
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = place.ran(&["run", "--resume"], 0);
    assert!(ran.stderr.contains("goes on with slow"), "{}", ran.stderr);
    assert_eq!(notes(&place), 2);
    place.ran(&["log", "verify"], 0);
}

#[test]
fn an_interrupted_run_can_be_cancelled() {
    let place = Place::new();
    let (child, _rest) = place.spawn_until(&["run", "slow.yaml"], "waits until");
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    place.ran(&["cancel", "@", "--reason", "not needed"], 0);
    let card = place.ran(&["show", "@", "--json"], 0).json();
    assert_eq!(card["status"], "cancelled");
    assert_eq!(card["cancel"]["reason"], "not needed");
    assert_eq!(card["steps"][0]["status"], "completed");
    assert_eq!(card["steps"][2]["status"], "skipped");
    assert!(card["progress"].as_u64().unwrap() < 100);
    place.ran(&["run", "slow.yaml", "--resume"], 11);
}

#[test]
fn a_server_is_asked_while_it_runs() {
    let place = Place::new();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let ran = place.ran(&["start", "greet.yaml", "--wait"], 0);
    assert_eq!(ran.stdout, "\"hello\"\n");
    place.ran(&["start", "./fails.yaml", "--wait"], 10);
    place.ran(&["start", "nothing"], 3);
    place.ran(&["start", "greet", "--wait", "--allow-errors"], 0);
    place.ran(&["start", "./slow.yaml", "--wait", "--timeout", "0"], 13);

    let list = place.ran(&["list", "--json"], 0).json();
    assert_eq!(list["items"][0]["workflow"], "slow");
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
    let card = place.ran(&["show", "@", "--json"], 0).json();
    assert_eq!(card["status"], "running");
    let cancelled = place.ran(&["cancel", "@"], 0);
    assert!(cancelled.stderr.contains("is cancelled"), "{}", cancelled.stderr);
    place.ran(&["cancel", "@"], 5);
    place.ran(&["show", "zzzzzzzzzz"], 3);
    let events = place.ran(&["log", "show", "@", "--json"], 0);
    assert!(events.stdout.contains("ExecutionCancelled") && !events.stdout.contains("token"));
    place.ran(&["log", "verify"], 0);
    let held = place.ran(&["run", "greet.yaml"], 1);
    assert!(held.stderr.contains("everstep start FILE --wait"), "{}", held.stderr);

    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    let ids = |list: &Value| -> Vec<Value> {
        list["items"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
    };
    let cold = place.ran(&["list", "--json"], 0).json();
    assert_eq!(ids(&cold), ids(&list), "the log at rest shows the same");
}

#[test]
fn following_the_log_ends_with_ctrl_c() {
    let place = Place::new();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let mut command = place.command(&["log", "tail", "--follow", "-n", "100"]);
    let mut tail = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    place.ran(&["start", "greet.yaml"], 0);
    let ended = lines.find(|line| line.as_ref().unwrap().contains("ExecutionCompleted"));
    assert!(ended.is_some());
    signal(&tail, "-INT");
    assert_eq!(tail.wait().unwrap().code(), Some(130));
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
}

fn notes(place: &Place) -> usize {
    std::fs::read_to_string(place.path().join("notes")).unwrap().lines().count()
}

#[test]
fn the_exit_codes_are_listed() {
    let place = Place::new();
    let listed = place.ran(&["help", "exit-codes", "--json"], 0).json();
    let codes: Vec<u64> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["code"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 20, 21, 23, 130]);
    let page = std::fs::read_to_string(crate::source_text::root().join("docs/CLI.md")).unwrap();
    for item in listed["items"].as_array().unwrap() {
        let row = format!("| {} | {} |", item["code"], item["meaning"].as_str().unwrap());
        assert!(page.contains(&row), "docs/CLI.md has no row {row:?}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    place.ran(&["run", "greet.yaml"], 0);
    let mut command = place.command(&["log", "show", "@"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}

#[test]
fn a_picture_is_data() {
    let place = Place::new();
    assert!(
        place.ran(&["graph", "greet.yaml", "--format", "dot"], 0).stdout.starts_with("digraph")
    );
    assert!(place.ran(&["graph", "greet.yaml"], 0).stdout.contains("Greet"));
}
