//! `kill -9` while an execution is cancelled, and while it cleans up: it ends as it would have.

use serde_json::{Value, json};

use super::chance::{Chance, kills};
use super::place::{Place, Program};
use super::until;

/// Makes something, then works for long; both are undone.
const DEFINITION: &str = "\
StartAt: Make
OnCancel: Tell
Summary: {status.$: $.status, undone.$: '$.cleanup[*].state'}
States:
  Make: {Type: Task, Resource: note, Parameters: {n: make}, Cleanup: Undo make, Next: Work}
  Work: {Type: Task, Resource: WORK, Cleanup: Undo work, End: true}
  Undo make: {Type: Task, Resource: note, Parameters: {n: undo-make}, End: true}
  Undo work: {Type: Task, Resource: note, Parameters: {n: undo-work}, End: true}
  Tell: {Type: Task, Resource: note, Parameters: {n: tell}, End: true}
";

/// Notes what it is for and that it began, takes a while, and notes that it is done.
const NOTE: &str = r#"n=$(cat)
n=${n#*:\"}
n=${n%\"*}
echo "start $n" >>"$NOTES"
sleep 0.2
echo "done $n" >>"$NOTES"
echo "\"$n\""
"#;

/// Has a process of its own, and lets neither be stopped in time.
const LONG: &str = r#"trap 'echo "term" >>"$NOTES"' TERM
echo "start long" >>"$NOTES"
sleep 120 &
while :; do wait; done
"#;

fn place(work: &str) -> Place {
    let place = Place::new();
    place.write("work.yaml", &DEFINITION.replace("WORK", work));
    place.write("note.sh", NOTE);
    place.write("long.sh", LONG);
    let notes = place.notes_file();
    let job = |name: &str, more: &str| {
        format!(
            "[jobs.{name}]\ncommand = [\"/bin/sh\", \"{name}.sh\"]\nset = {{ NOTES = {notes:?} }}\n{more}"
        )
    };
    let fails = "[jobs.fail]\ncommand = [\"/bin/sh\", \"-c\", \"exit 3\"]\n";
    let config = job("note", "") + &job("long", "grace_seconds = 2\n") + fails;
    place.write("everstep.toml", &config);
    place
}

fn serve(place: &Place) -> Program {
    let mut server = place.spawn(&["serve"]);
    server.says("is ready");
    assert!(server.is_running(), "{}", server.said());
    server
}

fn noted(place: &Place, line: &str) -> usize {
    place.notes().iter().filter(|noted| *noted == line).count()
}

fn wait_for(place: &Place, line: &str) {
    until(line, || (noted(place, line) > 0).then_some(()));
}

/// What an execution gave, without what differs from one to the next.
fn outcome(place: &Place, id: &str) -> Value {
    let mut result = place.ran(&["show", id, "--result"], 0).json();
    result["job_id"] = Value::Null;
    for step in result["steps"].as_object_mut().unwrap().values_mut() {
        (step["job_id"], step["duration_seconds"]) = (Value::Null, Value::Null);
    }
    for one in result["cleanup"].as_array_mut().unwrap() {
        one["duration_seconds"] = Value::Null;
    }
    result
}

/// Waits for the end; every clean-up has run to its end, and no process is left.
fn ended_well(place: &Place, server: Program, reference: &Value) {
    until("it ends", || {
        let row = place.list()[0].clone();
        row["ended_at"].is_string().then_some(())
    });
    assert_eq!(outcome(place, "@"), *reference);
    server.terminate();
    assert_eq!(server.ended().status.code(), Some(0));
    assert_eq!(outcome(place, "@"), *reference, "the folder says the same");
    let log = place.history();
    assert_eq!(log.named("CleanupStarted").count(), 3);
    assert_eq!(log.named("CleanupSucceeded").count(), 3);
    assert!(log.named("CleanupStarted").all(|event| event["data"]["input"].is_object()));
    let progress = log.executions().iter().map(|id| log.progress(id)).max();
    assert!(progress < Some(100), "{progress:?}");
    place.ran(&["log", "verify"], 0);
    place.is_quiet();
}

/// An execution whose second step runs.
fn at_work(place: &Place) -> Program {
    let server = serve(place);
    place.ran(&["start", "work.yaml"], 0);
    wait_for(place, "start long");
    server
}

/// What a cancel that nothing disturbs leads to.
fn cancelled() -> Value {
    let place = place("long");
    let server = at_work(&place);
    place.ran(&["cancel", "@", "--timeout", "60"], 0);
    let reference = outcome(&place, "@");
    assert_eq!(reference["status"], "cancelled");
    let undone: Vec<&Value> =
        reference["cleanup"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(undone, ["Undo work", "Undo make", "Tell"]);
    assert_eq!(reference["summary"]["undone"], json!(["Undo work", "Undo make", "Tell"]));
    assert_eq!(noted(&place, "term"), 1, "the command was told to stop");
    ended_well(&place, server, &reference);
    reference
}

#[test]
fn a_cancel_is_the_same_whether_or_not_the_program_is_killed_during_it() {
    let reference = cancelled();

    // While its worker is still stopping.
    let during_cancel = place("long");
    let mut server = at_work(&during_cancel);
    during_cancel.ran(&["cancel", "@", "--timeout", "0"], 13);
    wait_for(&during_cancel, "term");
    assert_eq!(noted(&during_cancel, "start undo-work"), 0, "its worker has not stopped");
    assert!(server.kill());
    ended_well(&during_cancel, serve(&during_cancel), &reference);

    // While it cleans up, twice.
    let during_cleanup = place("long");
    let mut server = at_work(&during_cleanup);
    during_cleanup.ran(&["cancel", "@", "--timeout", "0"], 13);
    wait_for(&during_cleanup, "start undo-work");
    assert!(server.kill());
    let mut server = serve(&during_cleanup);
    wait_for(&during_cleanup, "start undo-make");
    assert!(server.kill());
    ended_well(&during_cleanup, serve(&during_cleanup), &reference);
}

#[test]
fn a_failure_cleans_up_whenever_the_program_is_killed() {
    let reference = {
        let place = place("fail");
        place.ran(&["run", "work.yaml"], 10);
        outcome(&place, "@")
    };
    assert_eq!(reference["status"], "failed");
    assert_eq!(reference["summary"]["undone"], json!(["Undo work", "Undo make"]));
    let mut chance = Chance::new();
    for _ in 0..kills(6) {
        let place = place("fail");
        let mut killed = 0;
        // One time fewer than a job may be cut off.
        while killed < 2 {
            let mut program = place.spawn(&["run", "work.yaml", "--resume"]);
            std::thread::sleep(chance.within_ms(700));
            if !program.kill() {
                break;
            }
            killed += 1;
        }
        place.ran(&["run", "work.yaml", "--resume"], 10);
        assert_eq!(outcome(&place, "@"), reference);
        let log = place.history();
        assert_eq!(log.named("CleanupStarted").count(), 2);
        place.ran(&["log", "verify"], 0);
        place.is_quiet();
    }
}
