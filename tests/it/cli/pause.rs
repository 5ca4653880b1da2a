//! Pausing and resuming from the command line.

use serde_json::Value;

use super::{Place, signal, until};

/// How many events of a name the newest execution has.
fn events(place: &Place, name: &str) -> usize {
    let log = place.ran(&["log", "show", "@", "--json"], 0).json();
    log["items"].as_array().unwrap().iter().filter(|event| event["event"] == name).count()
}

fn newest(place: &Place) -> Value {
    place.ran(&["show", "@", "--json"], 0).json()
}

fn ends(place: &Place) {
    until("it ends", || newest(place)["ended_at"].is_string().then_some(()));
    assert_eq!(newest(place)["status"], "completed");
}

#[test]
fn an_execution_is_held_and_goes_on() {
    let place = Place::new();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "./slow.yaml"], 0);
    until("it waits", || (events(&place, "WaitStarted") == 1).then_some(()));
    let paused = place.ran(&["pause", "@", "--reason", "too hot"], 0);
    assert!(paused.stderr.contains("is paused") && paused.stderr.contains("everstep resume @"));

    let card = newest(&place);
    assert_eq!(
        (&card["status"], &card["paused"]["scope"]),
        (&"running".into(), &"execution".into())
    );
    assert_eq!(card["paused"]["reason"], "too hot");
    assert!(card["paused"]["by"].is_string() && card["paused"]["since"].is_string(), "{card}");
    let shown = place.ran(&["show", "@"], 0).stdout;
    assert!(shown.contains("‖ running (paused)") && shown.contains("too hot"), "{shown}");
    let list = place.ran(&["list"], 0).stdout;
    assert!(list.contains("‖ running (paused)"), "{list}");
    let rows = place.ran(&["list", "--status", "paused", "--json"], 0).json();
    assert_eq!(rows["items"][0]["paused"]["reason"], "too hot");
    let why = place.ran(&["why", "@"], 0).stdout;
    assert!(why.contains("is paused") && why.contains(" paused it at 20"), "{why}");
    assert!(why.contains(": too hot") && why.contains("everstep resume "), "{why}");

    let again = place.ran(&["pause", "@"], 5);
    assert!(again.stderr.contains("[PAUSED]") && again.stderr.contains("paused the execution at"));
    until("its time comes", || (events(&place, "WaitEnded") == 1).then_some(()));
    assert_eq!(newest(&place)["steps"][2]["status"], "pending");
    let resumed = place.ran(&["resume", "@", "--json"], 0).json();
    assert_eq!(resumed["schema"], "everstep.pauses/v1");
    assert_eq!(resumed["items"][0]["paused"], false);
    ends(&place);
    place.ran(&["resume", "@"], 5);
    place.ran(&["pause", "@"], 5);
    let told = place.ran(&["log", "show", "@"], 0).stdout;
    assert!(told.contains(" paused it: too hot") && told.contains(" resumed it"), "{told}");
    signal(&server, "-TERM");
}

#[test]
fn a_workflow_and_a_job_type_are_held_with_what_begins_later() {
    let place = Place::new();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "./greet.yaml", "--wait"], 0);
    let unknown = place.ran(&["pause", "--workflow", "gret"], 3);
    assert!(unknown.stderr.contains("did you mean \"greet\"?"), "{}", unknown.stderr);
    let unknown = place.ran(&["pause", "--job-type", "gret"], 3);
    assert!(unknown.stderr.contains("did you mean \"greet\"?"), "{}", unknown.stderr);
    place.ran(&["resume", "--workflow", "greet"], 5);

    let paused = place.ran(&["pause", "--workflow", "greet", "--reason", "moving", "--json"], 0);
    assert_eq!(paused.json()["items"][0]["executions"], 0);
    place.ran(&["start", "greet"], 0);
    assert_eq!(newest(&place)["paused"]["scope"], "workflow");
    let why = place.ran(&["why", "@"], 0).stdout;
    assert!(why.contains("paused all of workflow greet"), "{why}");
    assert!(why.contains("everstep resume --workflow greet"), "{why}");
    let own = place.ran(&["resume", "@"], 5);
    assert!(own.stderr.contains("its whole workflow is"), "{}", own.stderr);

    place.ran(&["pause", "--job-type", "greet"], 0);
    let resumed = place.ran(&["resume", "--workflow", "greet"], 0);
    assert!(resumed.stderr.contains("with 1 execution under way"), "{}", resumed.stderr);
    until("its job waits", || (events(&place, "JobScheduled") == 1).then_some(()));
    let why = place.ran(&["why", "@", "--json"], 0).json();
    assert_eq!(why["reasons"][0]["kind"], "job_type_paused");
    assert!(why["next"].to_string().contains("everstep resume --job-type greet"), "{why}");
    let list = place.ran(&["pause", "--list", "--json"], 0).json();
    assert_eq!(list["schema"], "everstep.paused/v1");
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["items"][0]["kind"], &list["items"][0]["name"]),
        (&"job_type".into(), &"greet".into())
    );
    place.ran(&["resume", "--job-type", "greet"], 0);
    ends(&place);

    // What is held is no execution, wherever the log is looked at.
    assert_eq!(place.ran(&["list", "--json"], 0).json()["items"].as_array().unwrap().len(), 2);
    let verified = place.ran(&["log", "verify", "--json"], 0).json();
    assert_eq!((&verified["executions"], &verified["workflows"]), (&2.into(), &1.into()));
    let stats = place.ran(&["log", "stats", "--json"], 0).json();
    assert_eq!(stats["executions"], 2);
    let found = place.ran(&["log", "grep", "moving", "--json"], 0).json();
    assert_eq!(found["items"][0]["event"], "WorkflowPaused");
    assert_eq!(found["items"][0]["execution"], Value::Null);
    let exported = place.ran(&["log", "export"], 0).stdout;
    assert!(exported.contains("\"WorkflowPaused\""), "{exported}");
    place.write("log.ndjson", &exported);
    let listed = place.ran(&["list", "--file", "log.ndjson", "--json"], 0).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    signal(&server, "-TERM");
}

#[test]
fn without_an_engine_it_is_said_what_to_do() {
    let place = Place::new();
    place.ran(&["pause", "@"], 3);
    place.ran(&["pause"], 2);
    place.ran(&["pause", "@", "--workflow", "greet"], 2);
    let (mut server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "./slow.yaml"], 0);
    place.ran(&["pause", "@"], 0);
    place.ran(&["pause", "--workflow", "slow", "--reason", "night"], 0);
    server.kill().unwrap();
    server.wait().unwrap();

    let refused = place.ran(&["resume", "@"], 4);
    assert!(refused.stderr.contains("[NO_SERVER]") && refused.stderr.contains("everstep serve"));
    place.ran(&["pause", "zzzzzz"], 3);
    place.ran(&["pause", "--job-type", "note"], 4);
    let list = place.ran(&["list"], 0).stdout;
    assert!(list.contains("‖ running (paused)"), "{list}");
    let paused = place.ran(&["pause", "--list"], 0).stdout;
    assert!(paused.contains("workflow") && paused.contains("night"), "{paused}");
    let same = place.ran(&["resume", "--list"], 0).stdout;
    assert!(same.contains("night"), "{same}");
    let why = place.ran(&["why", "@"], 0).stdout;
    assert!(why.contains("is paused") && why.contains("everstep serve"), "{why}");

    let (server, _rest) = place.spawn_until(&["serve"], "paused: 1 workflow, 1 execution; see");
    place.ran(&["resume", "--workflow", "slow"], 0);
    let one = place.ran(&["resume", "@", "zzzzzz"], 3);
    assert!(one.stderr.contains("goes on") && one.stderr.contains("[NO_SUCH_EXECUTION]"));
    ends(&place);
    let none = place.ran(&["pause", "--list"], 0);
    assert!(none.stdout.is_empty() && none.stderr.contains("nothing is paused"));
    signal(&server, "-TERM");
}

#[test]
fn a_run_says_that_its_workflow_is_paused() {
    let place = Place::new();
    let (server, _rest) = place.spawn_until(&["serve"], "is ready");
    place.ran(&["start", "./greet.yaml", "--wait"], 0);
    place.ran(&["pause", "--workflow", "greet"], 0);
    signal(&server, "-TERM");
    assert_eq!(server.wait_with_output().unwrap().status.code(), Some(0));
    let (run, _rest) = place.spawn_until(&["run", "greet.yaml"], "workflow paused by");
    place.ran(&["resume", "--workflow", "greet"], 0);
    let ended = run.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "\"hello\"\n");
}
