//! Real commands: scripts run by `/bin/sh`.

#![expect(clippy::disallowed_methods, reason = "real processes take real time")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;

use super::process::{POLL, Stat};
use super::testing::{DEADLINE, Sink, context, outcome_of};
use super::*;
use crate::worker::registry::INVALID_OUTPUT;

/// Settings for a script, in a folder of its own.
fn script(text: &str) -> (TempDir, CommandSettings) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("job.sh"), text).unwrap();
    let argv = ["/bin/sh", "job.sh"].map(str::to_owned).to_vec();
    let mut settings = CommandSettings::new(argv, folder.path());
    settings.grace = DEADLINE;
    (folder, settings)
}

async fn run(settings: CommandSettings, input: &str) -> (JobOutcome, Arc<Sink>) {
    let (job, _fire, sink) = context(input);
    (CommandHandler::new(settings, None).run(job).await, sink)
}

async fn failure(settings: CommandSettings) -> (String, String) {
    let failure = outcome_of(run(settings, "null").await.0).unwrap_err();
    (failure.error.to_string(), failure.cause.to_string())
}

fn runs(pid: u32) -> bool {
    Stat::of(pid).is_some_and(Stat::is_running)
}

/// Looks until `found` finds something; fails after the deadline.
async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(POLL).await;
    }
}

async fn assert_gone(pid: u32) {
    eventually("the process is gone", || (!runs(pid)).then_some(())).await;
}

#[tokio::test]
async fn the_input_is_read_and_the_result_is_taken() {
    let (_folder, settings) = script(r#"printf '{"got": %s}' "$(cat)""#);
    let (outcome, _) = run(settings, r#"{"a": "é"}"#).await;
    assert_eq!(outcome_of(outcome).unwrap().as_str(), r#"{"got": {"a": "é"}}"#);
}

#[tokio::test]
async fn a_command_that_reads_and_writes_nothing_gives_null() {
    let (_folder, settings) = script("exit 0");
    // More than a pipe holds, so that writing it meets the closed pipe.
    let input = format!("{:?}", "x".repeat(1 << 20));
    let (outcome, _) = run(settings, &input).await;
    assert_eq!(outcome_of(outcome).unwrap(), Json::null());
}

#[tokio::test]
async fn reports_arrive_while_the_command_runs() {
    let (folder, settings) = script(
        "echo '::progress 10 starting' >&2; echo '::heartbeat' >&2; echo '::count 1/4' >&2
         until [ -e go ]; do sleep 0.01; done
         echo noise >&2; printf '::progress - done' >&2; echo true",
    );
    let (job, _fire, sink) = context("null");
    let handler = CommandHandler::new(settings, None);
    let attempt = tokio::spawn(async move { handler.run(job).await });
    sink.message("starting").await;
    fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(outcome_of(attempt.await.unwrap()).unwrap().as_str(), "true");
    let reports = sink.reports();
    assert_eq!(
        reports.iter().map(|report| report.percent).collect::<Vec<_>>(),
        [Some(10), Some(25), None]
    );
    assert_eq!(reports[1].total, Some(4));
    assert_eq!(reports[2].message.as_deref(), Some("done"));
    assert_eq!(sink.heartbeats(), 1);
}

#[tokio::test]
async fn a_failure_shows_the_exit_code_and_the_end_of_standard_error() {
    let (_folder, settings) = script("echo 'no such table' >&2; echo '{}'; exit 3");
    let (error, cause) = failure(settings).await;
    assert_eq!(error, COMMAND_FAILED);
    assert_eq!(
        cause,
        "the command ended with exit code 3; standard error ends with:\nno such table"
    );
}

#[tokio::test]
async fn a_failure_by_a_signal_names_it() {
    let (_folder, settings) = script("kill -9 $$");
    assert_eq!(failure(settings).await.1, "the command ended with signal 9");
}

#[tokio::test]
async fn a_command_may_name_its_error() {
    let (_folder, settings) = script("echo '::error Shop.SoldOut no cogs left' >&2; exit 1");
    let named = failure(settings).await;
    assert_eq!(named, ("Shop.SoldOut".to_owned(), "no cogs left (exit code 1)".to_owned()));
}

#[tokio::test]
async fn a_named_error_without_a_failure_does_not_count() {
    let (_folder, settings) = script("echo '::error Shop.SoldOut no cogs left' >&2; echo 1");
    assert_eq!(outcome_of(run(settings, "null").await.0).unwrap().as_str(), "1");
}

#[tokio::test]
async fn an_output_that_is_no_json_is_quoted() {
    let (_folder, settings) = script("echo 'Hello there'");
    let (error, cause) = failure(settings).await;
    assert_eq!(error, INVALID_OUTPUT);
    assert!(cause.contains(r#"it begins with "Hello there\n""#), "{cause}");
}

#[tokio::test]
async fn a_command_that_writes_without_end_is_stopped() {
    let (_folder, mut settings) = script("yes");
    settings.output_limit = 1000;
    let (error, cause) = failure(settings).await;
    assert_eq!(error, OUTPUT_TOO_LARGE);
    assert!(cause.contains("more than 1000 bytes"), "{cause}");
}

#[tokio::test]
async fn an_output_just_over_the_limit_of_an_ended_command_is_refused() {
    let (_folder, mut settings) = script("printf 123456");
    settings.output_limit = 5;
    assert_eq!(failure(settings.clone()).await.0, OUTPUT_TOO_LARGE);
    settings.output_limit = 6;
    assert_eq!(outcome_of(run(settings, "null").await.0).unwrap().as_str(), "123456");
}

#[tokio::test]
async fn large_input_and_output_do_not_wait_for_each_other() {
    // cat writes while it reads, and neither pipe holds more than a small part.
    let (_folder, mut settings) = script("cat");
    settings.output_limit = 16 << 20;
    let input = format!("{:?}", "x".repeat(8 << 20));
    let (outcome, _) = run(settings, &input).await;
    assert!(outcome_of(outcome).unwrap().as_str() == input);
}

#[tokio::test]
async fn much_standard_error_does_not_block_the_command() {
    let (_folder, settings) = script("yes error | head -c 4000000 >&2; echo 1");
    assert_eq!(outcome_of(run(settings, "null").await.0).unwrap().as_str(), "1");
}

#[tokio::test]
async fn only_the_environment_let_through_is_seen() {
    let (_folder, mut settings) = script("env >&2; exit 1");
    settings.env = vec!["PATH".to_owned(), "NOT_SET_ANYWHERE".to_owned()];
    settings.set = BTreeMap::from([
        ("MODE".to_owned(), "a b".to_owned()),
        ("EVERSTEP_JOB".to_owned(), "faked".to_owned()),
    ]);
    // There is something else that could have been passed on.
    assert!(std::env::vars_os().any(|(name, _)| name != "PATH"));
    let (_, cause) = failure(settings).await;
    let mut names: Vec<&str> =
        cause.lines().skip(1).filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // The shell adds some of its own.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "EVERSTEP_ATTEMPT",
            "EVERSTEP_EXECUTION",
            "EVERSTEP_JOB",
            "EVERSTEP_JOB_TYPE",
            "MODE",
            "PATH"
        ]
    );
    for line in ["MODE=a b", "EVERSTEP_JOB=7", "EVERSTEP_ATTEMPT=1", "EVERSTEP_JOB_TYPE=test_job"] {
        assert!(cause.lines().any(|seen| seen == line), "{line} in {cause}");
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let (folder, settings) = script("");
    let file = |name: &str, text: &str, mode| {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    file("plain", "#!/bin/sh\n", 0o644);
    file("orphan", "#!/no/such/interpreter\n", 0o755);
    file("bare", "\x01\x02\x03\x04", 0o755);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let cases = [
        ("no-such-program-anywhere".to_owned(), COMMAND_NOT_FOUND, "in the folders of PATH"),
        (path("absent"), COMMAND_NOT_FOUND, "was not found at"),
        (path("plain"), COMMAND_NOT_EXECUTABLE, "chmod +x"),
        (path("orphan"), COMMAND_NOT_EXECUTABLE, "interpreter"),
        (path("bare"), COMMAND_NOT_EXECUTABLE, "#!/bin/sh"),
    ];
    for (program, name, words) in cases {
        let settings = CommandSettings { argv: vec![program.clone()], ..settings.clone() };
        let (error, cause) = failure(settings).await;
        assert_eq!(error, name, "{program}: {cause}");
        assert!(cause.contains(words), "{cause}");
    }
    let settings = CommandSettings { folder: folder.path().join("absent"), ..settings };
    let (error, cause) = failure(settings).await;
    assert_eq!(error, COMMAND_NOT_STARTED);
    assert!(cause.contains("working folder"), "{cause}");
}

/// A leader that waits for a child of its own; each reports its pid.
const FAMILY: &str = "sleep 1000 & echo \"::progress - child $!\" >&2
    echo \"::progress - leader $$\" >&2; wait";

#[tokio::test]
async fn a_timeout_ends_the_whole_family() {
    // A system that stalls may not even start the shell in the first time given.
    for timeout in [300, 3_000, 30_000] {
        let (_folder, mut settings) = script(FAMILY);
        settings.timeout = Some(Duration::from_millis(timeout));
        let (outcome, sink) = run(settings, "null").await;
        let failure = outcome_of(outcome).unwrap_err();
        assert_eq!(&*failure.error, TIMEOUT);
        assert!(failure.cause.contains("ran for longer than"), "{}", failure.cause);
        if sink.reports().len() == 2 {
            assert_gone(sink.message("child ").await.parse().unwrap()).await;
            assert_gone(sink.message("leader ").await.parse().unwrap()).await;
            return;
        }
    }
    panic!("the shell never reported its processes");
}

#[tokio::test]
async fn a_cancel_gives_the_command_time_to_tidy_up() {
    let (folder, settings) = script(
        "trap 'cat > rest; echo tidied > mark; exit 0' TERM
         echo '::progress - ready' >&2; while :; do sleep 0.01; done",
    );
    let (job, fire, sink) = context("{}");
    let handler = CommandHandler::new(settings, None);
    let attempt = tokio::spawn(async move { handler.run(job).await });
    sink.message("ready").await;
    fire.send(true).unwrap();
    assert_eq!(attempt.await.unwrap(), JobOutcome::Cancelled);
    assert_eq!(fs::read_to_string(folder.path().join("mark")).unwrap(), "tidied\n");
    assert_eq!(fs::read_to_string(folder.path().join("rest")).unwrap(), "{}");
}

#[tokio::test]
async fn a_stubborn_command_is_killed_after_the_grace() {
    let (_folder, mut settings) = script(&format!("trap '' TERM\n{FAMILY}"));
    settings.grace = Duration::from_millis(200);
    let (job, fire, sink) = context("null");
    let handler = CommandHandler::new(settings, None);
    let attempt = tokio::spawn(async move { handler.run(job).await });
    let child: u32 = sink.message("child ").await.parse().unwrap();
    let leader: u32 = sink.message("leader ").await.parse().unwrap();
    assert!(runs(child) && runs(leader));
    let asked = Instant::now();
    fire.send(true).unwrap();
    assert_eq!(attempt.await.unwrap(), JobOutcome::Cancelled);
    assert!(asked.elapsed() >= Duration::from_millis(200));
    assert!(Stat::of(leader).is_none(), "the leader was waited for");
    assert_gone(child).await;
}

#[tokio::test]
async fn what_a_finished_command_left_in_its_group_is_killed() {
    let (_folder, settings) = script("sleep 1000 & echo \"::progress - child $!\" >&2; echo 1");
    // The child holds all streams open, so without the kill this would not end.
    let (outcome, sink) = run(settings, "null").await;
    assert_eq!(outcome_of(outcome).unwrap().as_str(), "1");
    assert_gone(sink.message("child ").await.parse().unwrap()).await;
}

#[tokio::test]
async fn a_dropped_attempt_leaves_nothing_running() {
    let notes = tempfile::tempdir().unwrap();
    let (_folder, settings) = script(FAMILY);
    let (job, _fire, sink) = context("null");
    let handler = CommandHandler::new(settings, Some(notes.path()));
    let attempt = tokio::spawn(async move { handler.run(job).await });
    let child = sink.message("child ").await.parse().unwrap();
    let leader: u32 = sink.message("leader ").await.parse().unwrap();
    attempt.abort();
    assert!(attempt.await.unwrap_err().is_cancelled());
    assert_gone(child).await;
    assert_gone(leader).await;
    assert_eq!(fs::read_dir(notes.path().join("commands")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_attempt_cancelled_before_its_start_starts_nothing() {
    let (folder, settings) = script("touch started");
    let (job, fire, _sink) = context("null");
    fire.send(true).unwrap();
    assert_eq!(CommandHandler::new(settings, None).run(job).await, JobOutcome::Cancelled);
    assert!(!folder.path().join("started").exists());
}

/// Starts a command as a process that was then killed would leave it: noted and running.
async fn left_over(notes: &TempDir, settings: CommandSettings) -> (Running, Arc<Sink>, u32) {
    let (job, _fire, sink) = context("null");
    let handler = CommandHandler::new(settings, Some(notes.path()));
    let mut running = Running::start(&handler, &job).unwrap();
    let stderr = running.child.stderr.take().unwrap();
    let sink_of_job = job.clone();
    tokio::spawn(async move { Heard::new().listen(stderr, &sink_of_job).await });
    let child = sink.message("child ").await.parse().unwrap();
    sink.message("leader ").await;
    (running, sink, child)
}

async fn stopped(notes: &TempDir) -> Vec<Leftover> {
    let notes = notes.path().to_owned();
    tokio::task::spawn_blocking(move || stop_leftovers(&notes)).await.unwrap()
}

#[tokio::test]
async fn a_command_left_running_is_stopped_at_the_next_start() {
    let notes = tempfile::tempdir().unwrap();
    let (_folder, mut settings) = script(&format!("trap '' TERM\n{FAMILY}"));
    settings.grace = Duration::from_millis(100);
    let (running, _sink, child) = left_over(&notes, settings).await;
    let leader = running.child.id().unwrap();
    let found = stopped(&notes).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].pid, found[0].job, found[0].attempt), (leader, 7, 1));
    assert_eq!(found[0].job_type, "test_job");
    assert_gone(leader).await;
    assert_gone(child).await;
    assert_eq!(fs::read_dir(notes.path().join("commands")).unwrap().count(), 0);
    assert_eq!(stopped(&notes).await, []);
}

#[tokio::test]
async fn a_child_whose_noted_leader_is_gone_is_stopped_too() {
    let notes = tempfile::tempdir().unwrap();
    let (_folder, settings) = script(FAMILY);
    let (mut running, _sink, child) = left_over(&notes, settings).await;
    running.child.kill().await.unwrap();
    assert!(runs(child));
    assert_eq!(stopped(&notes).await.len(), 1);
    assert_gone(child).await;
}

#[tokio::test]
async fn another_process_with_a_noted_pid_is_left_alone() {
    let notes = tempfile::tempdir().unwrap();
    let (_folder, settings) = script(FAMILY);
    let (running, _sink, child) = left_over(&notes, settings).await;
    let leader = running.child.id().unwrap();
    let path = notes.path().join("commands").join(leader.to_string());
    let note: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let start = note["start"].as_u64().unwrap();
    let changes = [("start", serde_json::json!(start - 1)), ("boot", serde_json::json!("other"))];
    for (field, value) in changes {
        let mut changed = note.clone();
        changed[field] = value;
        fs::write(&path, changed.to_string()).unwrap();
        assert_eq!(stopped(&notes).await, []);
        assert!(!path.exists(), "the note is removed");
        assert!(runs(leader) && runs(child));
    }
}

#[tokio::test]
async fn notes_that_make_no_sense_are_removed() {
    let notes = tempfile::tempdir().unwrap();
    assert_eq!(stopped(&notes).await, []);
    let folder = notes.path().join("commands");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("1"), r#"{"pid": 1}"#).unwrap();
    fs::write(folder.join("x"), "x".repeat(100_000)).unwrap();
    assert_eq!(stopped(&notes).await, []);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test]
async fn a_command_runs_although_it_cannot_be_noted() {
    let (folder, settings) = script("echo 1");
    let (job, _fire, _sink) = context("null");
    // A file where the folder should be.
    let handler = CommandHandler::new(settings, Some(&folder.path().join("job.sh")));
    assert_eq!(outcome_of(handler.run(job).await).unwrap().as_str(), "1");
}
