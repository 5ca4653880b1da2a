//! What can be done with executions, workflows and job types over the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use everstep::engine::ExecutionId;
use everstep::worker::{JobContext, JobError};
use serde_json::{Value, json};

use super::client::Answer;
use super::{Server, pass, wait};

fn act(server: &Server, id: ExecutionId, action: &str, body: &Value) -> Answer {
    server.post(&format!("/api/v1/executions/{id}/{action}"), body)
}

fn show(server: &Server, id: ExecutionId) -> Value {
    server.get(&format!("/api/v1/executions/{id}")).json()
}

/// Two jobs, of which the second fails until the switch is set.
fn mendable() -> (Server, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let switch = mended.clone();
    let server = Server::with(
        |_| {},
        |builder| {
            builder.handle("load", move |_: JobContext, input: Value| {
                let is_well = switch.load(Ordering::SeqCst);
                let failed = || JobError::new("Shop.Closed", "come back later");
                async move { if is_well { Ok(input) } else { Err(failed()) } }
            })
        },
    );
    server.deploy(
        "w",
        &json!({"StartAt": "First", "States": {
            "First": {"Type": "Task", "Resource": "echo", "Next": "Second"},
            "Second": {"Type": "Task", "Resource": "load", "End": true},
        }}),
    );
    (server, mended)
}

#[test]
fn what_failed_is_retried_once_it_is_known_what_that_would_do() {
    let (server, mended) = mendable();
    let id = server.start("w", json!({"a": 1}));
    server.ended(id);
    let actions = show(&server, id)["actions"].clone();
    assert_eq!(
        (&actions["retry"]["allowed"], &actions["pause"]["allowed"]),
        (&json!(true), &json!(false))
    );
    let dry = act(&server, id, "retry", &json!({"dry_run": true})).json();
    assert_eq!((&dry["status"], &dry["dry_run"]), (&json!("failed"), &json!(true)));
    assert_eq!(dry["result"]["kept"], json!(["First"]));
    assert_eq!(dry["result"]["step_name"], "Second");
    assert_eq!(dry["sequence"], show(&server, id)["sequence"], "a dry run changes nothing");

    let bad = act(&server, id, "retry", &json!({"from": "Nowhere"}));
    assert_eq!((bad.status, &*bad.code()), (409, "STEP_NOT_ENTERED"), "{bad:?}");
    let both = json!({"input": {}, "set": {"$.a": 2}});
    assert_eq!(act(&server, id, "retry", &both).status, 422);
    assert_eq!(act(&server, id, "retry", &json!({"set": [1]})).status, 422);
    assert_eq!(act(&server, id, "retry", &json!({"now": true, "dry_run": true})).status, 422);

    mended.store(true, Ordering::SeqCst);
    let done = act(&server, id, "retry", &json!({"set": {"$.a": 2}, "reason": "open again"}));
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json()["result"]["input_changed"], true);
    server.ended(id);
    let card = show(&server, id);
    assert_eq!(card["status"], "completed");
    let output = server.get(&format!("/api/v1/executions/{id}/output")).json();
    assert_eq!(output, json!({"a": 2}));
    let late = act(&server, id, "retry", &json!({}));
    assert_eq!((late.status, &*late.code()), (409, "NOT_IN_STATUS"));
    assert_eq!(card["actions"]["retry"]["code"], "NOT_IN_STATUS");
}

#[test]
fn an_execution_is_repeated_with_the_same_input_or_another() {
    let server = Server::new();
    server.deploy("w", &pass());
    let id = server.start("w", json!({"a": 1}));
    server.ended(id);
    for (body, input) in [(json!({}), json!({"a": 1})), (json!({"input": [7]}), json!([7]))] {
        let done = act(&server, id, "rerun", &body).json();
        let new: ExecutionId = done["result"]["id"].as_str().unwrap().parse().unwrap();
        assert_ne!(new, id);
        server.ended(new);
        assert_eq!(server.get(&format!("/api/v1/executions/{new}/input")).json(), input);
    }
    let dry = act(&server, id, "rerun", &json!({"dry_run": true})).json();
    assert_eq!(dry["result"], Value::Null);
    assert_eq!(server.get("/api/v1/executions").json()["items"].as_array().unwrap().len(), 3);
}

#[test]
fn a_pause_holds_one_execution_and_is_listed_until_it_is_resumed() {
    let server = Server::new();
    server.deploy("w", &wait());
    let id = server.start("w", json!({}));
    assert_eq!(act(&server, id, "resume", &json!({})).code(), "NOT_PAUSED");
    assert_eq!(act(&server, id, "pause", &json!({"dry_run": true})).status, 200);
    assert_eq!(server.get("/api/v1/pauses").json()["items"], json!([]));
    assert_eq!(act(&server, id, "pause", &json!({"reason": "lunch"})).status, 200);
    let held = server.get("/api/v1/pauses").json()["items"][0].clone();
    assert_eq!((&held["kind"], &held["reason"]), (&json!("execution"), &json!("lunch")));
    let actions = show(&server, id)["actions"].clone();
    assert_eq!(
        (&actions["pause"]["code"], &actions["resume"]["allowed"]),
        (&json!("PAUSED"), &json!(true))
    );
    assert_eq!(act(&server, id, "pause", &json!({})).code(), "PAUSED");
    assert_eq!(act(&server, id, "resume", &json!({})).status, 200);
    assert_eq!(server.get("/api/v1/pauses").json()["items"], json!([]));
}

#[test]
fn a_workflow_and_the_jobs_of_a_type_are_paused_and_resumed() {
    let (server, mended) = mendable();
    mended.store(true, Ordering::SeqCst);
    let post = |path: &str| server.post(&format!("/api/v1/{path}"), &json!({}));
    assert_eq!(post("job-types/load/pause").json()["paused"], true);
    let id = server.start("w", json!({"a": 1}));
    assert_eq!(post("workflows/w/pause").json()["executions"], 1);
    let held = server.get("/api/v1/pauses").json();
    let kinds: Vec<&Value> =
        held["items"].as_array().unwrap().iter().map(|item| &item["kind"]).collect();
    assert_eq!(kinds, ["workflow", "job_type"]);
    assert_eq!(post("workflows/w/pause").code(), "PAUSED");
    assert_eq!(post("workflows/none/pause").status, 404);
    assert_eq!(
        (post("job-types/none/pause").status, &*post("job-types/none/pause").code()),
        (404, "NO_SUCH_JOB_TYPE")
    );
    assert_eq!(post("workflows/w/resume").json()["executions"], 1);
    assert_eq!(post("job-types/load/resume").status, 200);
    server.ended(id);
    assert_eq!(post("job-types/load/resume").code(), "NOT_PAUSED");
}

#[test]
fn what_has_ended_is_deleted_and_is_then_gone() {
    let server = Server::new();
    server.deploy("w", &pass());
    server.deploy("long", &wait());
    let (id, live) = (server.start("w", json!(1)), server.start("long", json!(1)));
    server.ended(id);
    let delete = |id: ExecutionId, query: &str| {
        server.request("DELETE", &format!("/api/v1/executions/{id}{query}")).send()
    };
    let refused = delete(live, "");
    assert_eq!((refused.status, &*refused.code()), (409, "NOT_IN_STATUS"));
    assert_eq!(delete(id, "?expect_seq=1").code(), "STALE_VIEW");
    let dry = delete(id, "?dry_run=true").json();
    assert_eq!(dry["result"]["deleted"], json!([id.to_string()]));
    assert_eq!(show(&server, id)["status"], "completed");

    let mut stream = server.stream(&format!("topics=execution:{id},execution:{live}"));
    let done = delete(id, "?reason=old");
    assert_eq!((done.status, &done.json()["status"]), (200, &Value::Null), "{done:?}");
    let gone = server.get(&format!("/api/v1/executions/{id}"));
    assert_eq!((gone.status, &*gone.code()), (410, "DELETED"));
    assert_eq!(delete(id, "").status, 410);
    let told = stream.find(|message| message.event == "deleted");
    assert_eq!(told.data["id"], id.to_string());
    // Of the other one it goes on telling.
    assert_eq!(act(&server, live, "cancel", &json!({})).status, 200);
    stream.find(|message| {
        message.data["id"] == live.to_string() && message.data["status"] == "cancelled"
    });
}

#[test]
fn a_dry_run_says_that_it_is_too_early_to_force_an_end() {
    let server = Server::with(
        |_| {},
        |builder| {
            builder.handle("deaf", |_: JobContext, _: Value| {
                std::future::pending::<Result<Value, JobError>>()
            })
        },
    );
    let task = json!({"Type": "Task", "Resource": "deaf", "End": true});
    server.deploy("w", &json!({"StartAt": "A", "States": {"A": task}}));
    let id = server.start("w", json!({}));
    let forced = json!({"force": true, "dry_run": true});
    let early = act(&server, id, "cancel", &forced);
    assert_eq!((early.status, &*early.code()), (409, "FORCE_TOO_EARLY"), "nobody has asked it");
    assert_eq!(act(&server, id, "cancel", &json!({})).status, 200);
    for body in [forced, json!({"force": true})] {
        let early = act(&server, id, "cancel", &body);
        assert_eq!((early.status, &*early.code()), (409, "FORCE_TOO_EARLY"), "{body}");
    }
    assert_eq!(show(&server, id)["status"], "cancelling", "nothing was forced");
}
