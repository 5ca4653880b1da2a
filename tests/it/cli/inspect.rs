//! Looking into the log: how it was, what changed, why nothing happens, from a running engine and
//! from the folder alone.

use serde_json::{Value, json};

use super::{Place, signal};

#[test]
fn a_card_is_shown_as_it_was() {
    let place = Place::new();
    place.ran(&["run", "catches.yaml"], 12);
    let events = place.ran(&["log", "show", "@", "--json"], 0).json();
    let failed = sequence_of(&events, "JobFailed").to_string();
    let then = place.ran(&["show", "@", "--at", &failed, "--json"], 0).json();
    assert_eq!(then["schema"], "everstep.execution/v1");
    assert_eq!((&then["status"], &then["ended_at"]), (&"running".into(), &Value::Null));
    assert_eq!(then["sequence"].to_string(), failed);
    assert_eq!(place.ran(&["log", "at", "@", &failed, "--json"], 0).json(), then);
    let shown = place.ran(&["log", "at", "@", "1"], 0).stdout;
    assert!(shown.contains("◐ running") && shown.contains("event 1"), "{shown}");
    let result = place.ran(&["show", "@", "--at", &failed, "--result"], 0).json();
    let why = place.ran(&["why", "@", "--at", "4", "--json"], 0).json();
    assert_eq!((&why["state"], &why["end"]), (&"working".into(), &Value::Null));
    assert_eq!(why["next"], serde_json::json!([]), "nobody can go on from the past");
    place.ran(&["why", "@", "--at", "1000"], 3);
    assert_eq!(result["status"], "running");

    for sequence in ["0", "1000"] {
        let ran = place.ran(&["show", "@", "--at", sequence], 3);
        let last = events["items"].as_array().unwrap().len();
        let expected = format!("has no event {sequence}: it has 1 to {last} [NO_SUCH_EVENT]");
        assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
        place.ran(&["log", "at", "@", sequence], 3);
    }
}

#[test]
fn a_running_engine_shows_the_past_as_its_folder_does() {
    let place = Place::new();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "catches.yaml", "--wait"], 12);
    let commands = [
        &["show", "@", "--at", "4", "--json"][..],
        &["show", "@", "--at", "4", "--result"],
        &["log", "at", "@", "6"],
        &["log", "diff", "@", "2", "6"],
        &["log", "diff", "@", "6", "2", "--json"],
        &["log", "grep", "no such luck"],
        &["log", "export"],
        &["diff", "@", "@", "--json"],
        &["why", "@"],
        &["why", "@", "--at", "4"],
    ];
    let print = || commands.map(|command| place.ran(command, 0).stdout);
    let live = print();
    place.ran(&["show", "@", "--at", "4000"], 3);
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    for ((command, cold), live) in commands.iter().zip(print()).zip(live) {
        assert_eq!(cold, live, "{command:?}");
        assert!(!cold.is_empty(), "{command:?}");
    }
}

/// Waits for a child that waits for a time, for a retry and for a callback.
const WAITS: &str = "\
StartAt: Both
States:
  Both:
    Type: Parallel
    End: true
    Branches:
      - StartAt: Child
        States:
          Child:
            Type: Task
            Resource: states:startExecution.sync:2
            Parameters: {StateMachineArn: slow}
            End: true
      - StartAt: Flaky
        States:
          Flaky:
            Type: Task
            Resource: fail
            Retry: [{ErrorEquals: [States.ALL], IntervalSeconds: 600, MaxAttempts: 4}]
            End: true
      - StartAt: Approve
        States:
          Approve:
            Type: Task
            Resource: note.waitForTaskToken
            TimeoutSeconds: 900
            Parameters: {token.$: $$.Task.Token}
            End: true
";

#[test]
fn why_names_everything_that_is_waited_for_and_what_to_type() {
    let place = Place::new();
    let slow = super::SLOW.replace("Seconds: 2", "Seconds: 600");
    place.write("slow.yaml", &slow);
    place.write("waits.yaml", WAITS);
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "waits.yaml", "--with", "slow.yaml"], 0);
    let why = super::until("it waits for all of it", || {
        let why = place.ran(&["why", "@", "--json"], 0).json();
        let child =
            why["reasons"].as_array()?.iter().find(|reason| reason["kind"] == "execution")?;
        let has = |kind| why["reasons"].as_array().unwrap().iter().any(|r| r["kind"] == kind);
        let is_there =
            has("retry") && has("callback") && child["child"]["reasons"][0]["kind"] == "timer";
        is_there.then_some(why)
    });
    assert_eq!((&why["schema"], &why["state"]), (&"everstep.why/v1".into(), &"waiting".into()));
    assert_eq!(why["engine_runs"], true);
    let retry = why["reasons"].as_array().unwrap().iter().find(|r| r["kind"] == "retry").unwrap();
    assert_eq!((&retry["retry"], &retry["max_retries"]), (&1.into(), &4.into()));
    assert_eq!(retry["last_error"]["error"], "Everstep.CommandFailed");
    let shown = place.ran(&["why", "@"], 0).stdout;
    for words in [
        "is waiting",
        "(retry 1 of 4)",
        "last error: Everstep.CommandFailed",
        "step \"Rest\": waits until",
        "job 3: attempt 1 has waited for its callback",
        "times out in 14m",
        "everstep callback complete TOKEN",
        "everstep cancel",
    ] {
        assert!(shown.contains(words), "{words:?} in {shown}");
    }

    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    let cold = place.ran(&["why", "@"], 0).stdout;
    assert!(cold.contains("no engine runs") && cold.contains("everstep serve"), "{cold}");
}

#[test]
fn why_says_how_an_execution_ended() {
    let place = Place::new();
    place.ran(&["run", "fails.yaml"], 10);
    let shown = place.ran(&["why", "@"], 0).stdout;
    assert!(shown.contains("in step \"Try\": Everstep.CommandFailed"), "{shown}");
    assert!(shown.contains("(JobFailed) in \"Try\""), "{shown}");
    place.ran(&["run", "greet.yaml"], 0);
    let why = place.ran(&["why", "@", "--json"], 0).json();
    assert_eq!((&why["state"], &why["end"]["failure"]), (&"ended".into(), &Value::Null));
    place.ran(&["why", "zzz"], 3);
}

#[test]
fn what_changed_between_two_events_is_shown() {
    let place = Place::new();
    place.ran(&["run", "catches.yaml"], 12);
    let events = place.ran(&["log", "show", "@", "--json"], 0).json();
    let last = events["items"].as_array().unwrap().len().to_string();
    let text = place.ran(&["log", "diff", "@", "1", &last], 0).stdout;
    assert!(text.contains("running → completed_with_errors"), "{text}");
    assert!(text.contains("step Try") && text.contains("error none → Everstep"), "{text}");
    let found = place.ran(&["log", "diff", "@", "1", &last, "--json"], 0).json();
    assert_eq!(found["schema"], "everstep.difference/v1");
    assert_eq!(
        (&found["from"]["sequence"], found["to"]["sequence"].to_string()),
        (&1.into(), last)
    );
    let status = &found["changes"][0];
    assert_eq!((&status["subject"], &status["field"]), (&"execution".into(), &"status".into()));
    assert_eq!(place.ran(&["log", "diff", "@", "2", "2"], 0).stdout, "");
    place.ran(&["log", "diff", "@", "0", "2"], 3);
    place.ran(&["log", "diff", "@", "1", "2000"], 3);
}

#[test]
fn events_are_found_by_their_words() {
    let place = Place::new();
    place.ran(&["run", "fails.yaml"], 10);
    place.ran(&["run", "greet.yaml"], 0);
    let found = place.ran(&["log", "grep", "NO SUCH luck", "--json"], 0).json();
    assert_eq!(found["schema"], "everstep.events/v1");
    let names: Vec<&str> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["JobFailed", "ExecutionFailed"]);
    let lines = |arguments: &[&str]| {
        let ran = place.ran(&[&["log", "grep"], arguments, &["-o", "plain"]].concat(), 0);
        ran.stdout.lines().count()
    };
    assert_eq!(lines(&["no such luck", "--type", "JobFailed"]), 1);
    assert_eq!(lines(&["no such luck", "--type", "JobFailed", "--context", "1"]), 3);
    assert_eq!(lines(&["no such luck", "-n", "1"]), 1);
    assert_eq!(lines(&["SUCH L.+k$", "--regex", "--type", "JobFailed"]), 1);
    assert_eq!(lines(&["SUCH L.+k$", "--type", "JobFailed"]), 0);
    assert_eq!(lines(&["no such luck", "--since", "1h"]), 2);
    assert_eq!(lines(&["no such luck", "--since", "2999-01-01T00:00:00Z"]), 0);
    assert_eq!(lines(&["no such luck", "--execution", "@"]), 0);
    let words = place.ran(&["log", "grep", "looking up words", "--execution", "@"], 0).stdout;
    assert!(words.contains("JobProgressed") && words.contains("Greet"), "{words}");
    let none = place.ran(&["log", "grep", "nowhere to be found"], 0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "no event fits\n"));
    place.ran(&["log", "grep", "x", "--since", "soon"], 2);
    let bad = place.ran(&["log", "grep", "(", "--regex"], 2);
    assert!(bad.stderr.contains("[BAD_PATTERN]"), "{}", bad.stderr);
}

#[test]
fn a_log_has_figures() {
    let place = Place::new();
    assert_eq!(place.ran(&["log", "stats", "--json"], 0).json()["events"], 0);
    place.ran(&["run", "fails.yaml"], 10);
    place.ran(&["run", "greet.yaml"], 0);
    let cold = place.ran(&["log", "stats", "--json"], 0).json();
    assert_eq!(cold["schema"], "everstep.log-stats/v1");
    assert_eq!((&cold["executions"], &cold["workflows"]), (&2.into(), &2.into()));
    assert!(cold["bytes_on_disk"].as_u64().unwrap() > 0);
    let statuses = cold["executions_by_status"].as_array().unwrap();
    assert!(statuses.iter().any(|one| one["name"] == "failed" && one["count"] == 1), "{cold}");
    let text = place.ran(&["log", "stats"], 0).stdout;
    assert!(text.contains("of 2 executions and 2 workflows"), "{text}");

    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    let live = place.ran(&["log", "stats", "--json"], 0).json();
    assert_eq!(live["events_by_type"], cold["events_by_type"]);
    assert!(!place.ran(&["log", "grep", "no such luck"], 0).stdout.is_empty());
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_list_counts_what_is_beyond_it_when_that_is_asked_for() {
    let place = Place::new();
    place.ran(&["run", "catches.yaml"], 12);
    place.ran(&["run", "greet.yaml"], 0);
    place.ran(&["run", "greet.yaml"], 0);
    let all = place.ran(&["list", "-n", "1", "--totals", "--json"], 0).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    assert_eq!((&all["totals"]["total"], &all["totals"]["is_exact"]), (&json!(3), &json!(true)));
    let by_status = &all["totals"]["by_status"];
    assert_eq!((&by_status["completed"], &by_status["failed"]), (&json!(2), &json!(0)));
    assert_eq!(by_status["completed_with_errors"], 1);
    // A status chooses what is listed, and not what is counted of each.
    let some = ["list", "--status", "completed", "--totals", "--json"];
    let some = place.ran(&some, 0).json();
    assert_eq!((&some["totals"]["total"], &some["totals"]["by_status"]), (&json!(2), by_status));
    assert!(place.ran(&["list", "--json"], 0).json().get("totals").is_none());
    let told = |arguments: &[&str]| place.ran(arguments, 0).stderr;
    let counts = "2 completed, 1 completed_with_errors";
    assert!(
        told(&["list", "--totals"]).contains(&format!("3 of 3 shown; of each status: {counts}"))
    );
    assert!(told(&["list", "-n", "2"]).contains("the newest 2; -n shows more"));
    assert!(!told(&["list", "-n", "3"]).contains("shows more"));
    assert!(told(&["list", "-n", "1", "--status", "completed"]).contains("1 of 2 shown"));
}

#[test]
fn an_exported_log_is_shown_as_the_folder_is() {
    let place = Place::new();
    place.ran(&["run", "catches.yaml"], 12);
    place.ran(&["run", "greet.yaml"], 0);
    let export = place.ran(&["log", "export"], 0).stdout;
    assert!(!export.contains("token"), "tokens are nobody's business");
    let first: Value = serde_json::from_str(export.lines().next().unwrap()).unwrap();
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["position", "sequence", "execution", "time", "event", "data"]);
    place.write("log.ndjson", &export);
    for command in [
        &["list", "--json"][..],
        &["show", "@", "--json"],
        &["show", "@", "--at", "5", "--json"],
        &["show", "@", "--result"],
        &["log", "show", "@", "--json"],
        &["log", "at", "@", "3", "--json"],
        &["log", "diff", "@", "1", "6", "--json"],
        &["log", "grep", "hello", "--json"],
        &["why", "@"],
    ] {
        let folder = place.ran(command, 0).stdout;
        let file = place.ran(&[command, &["--file", "log.ndjson"]].concat(), 0).stdout;
        if command[0] == "why" {
            assert_eq!(file.lines().next(), folder.lines().next(), "{command:?}");
        } else {
            assert_eq!(file, folder, "{command:?}");
        }
    }
    let folder = place.ran(&["log", "stats", "--json"], 0).json();
    let file = place.ran(&["log", "stats", "--json", "--file", "log.ndjson"], 0).json();
    assert_eq!(file["events_by_type"], folder["events_by_type"]);
    assert_eq!(file["bytes_on_disk"], export.len());

    let part = place.ran(&["log", "export", "--from", "3", "--to", "4"], 0).stdout;
    assert_eq!(
        part,
        export.lines().skip(2).take(2).map(|line| format!("{line}\n")).collect::<String>()
    );
}

#[test]
fn an_export_of_one_execution_has_what_it_takes_to_show_it() {
    let place = Place::new();
    place.ran(&["run", "catches.yaml"], 12);
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "greet.yaml", "--wait"], 0);
    let export = place.ran(&["log", "export", "@"], 0).stdout;
    let card = place.ran(&["show", "@", "--json"], 0).json();
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    place.write("one.ndjson", &export);
    assert!(export.starts_with("{\"position\":") && !export.contains("catches"), "{export}");
    assert_eq!(place.ran(&["show", "@", "--file", "one.ndjson", "--json"], 0).json(), card);

    let cut: String = export.lines().skip(3).map(|line| format!("{line}\n")).collect();
    place.write("cut.ndjson", &cut);
    let handle = card["handle"].as_str().unwrap();
    let ran = place.ran(&["show", handle, "--file", "cut.ndjson"], 3);
    assert!(ran.stderr.contains("[EXPORT_INCOMPLETE]"), "{}", ran.stderr);
    place.ran(&["log", "stats", "--file", "cut.ndjson"], 0);
    place.write("bad.ndjson", "{}\n");
    let ran = place.ran(&["list", "--file", "bad.ndjson"], 1);
    assert!(ran.stderr.contains("bad.ndjson:1 is no event [EXPORT_MALFORMED]"), "{}", ran.stderr);
    place.ran(&["list", "--file", "missing.ndjson"], 3);
}

#[test]
fn two_executions_are_compared() {
    let place = Place::new();
    place.ran(&["run", "catches.yaml"], 12);
    let first = place.ran(&["show", "@", "--json"], 0).json()["handle"].clone();
    place.ran(&["run", "fails.yaml"], 10);
    let first = first.as_str().unwrap();
    let text = place.ran(&["diff", first, "@"], 0).stdout;
    assert!(text.contains("✓! completed with errors") && text.contains("✕ failed"), "{text}");
    assert!(
        text.contains("FailureCaught in \"Try\"") && text.contains("ExecutionFailed"),
        "{text}"
    );
    let found = place.ran(&["diff", first, "@", "--json"], 0).json();
    assert_eq!(found["schema"], "everstep.comparison/v1");
    assert_eq!(found["parting"]["left"]["event"], "FailureCaught");
    let same = place.ran(&["diff", "@", "@"], 0).stdout;
    assert!(same.contains("both went the same way"), "{same}");
}

/// The sequence of the first event of a kind in what `log show --json` printed.
fn sequence_of(events: &Value, kind: &str) -> u64 {
    let items = events["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["event"] == kind).unwrap();
    found["sequence"].as_u64().unwrap()
}
