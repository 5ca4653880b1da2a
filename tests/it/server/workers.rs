//! Workers over the network, as curl would have it.

use serde_json::{Value, json};

use super::Server;
use super::client::Answer;

fn server() -> Server {
    let server = Server::with(|_| {}, |builder| builder.remote_workers(true));
    let task = json!({"Type": "Task", "Resource": "afar", "End": true});
    server.deploy("w", &json!({"StartAt": "A", "States": {"A": task}}));
    server
}

fn poll(server: &Server, body: &Value) -> Answer {
    server.post("/api/v1/jobs/poll", body)
}

fn one(server: &Server) -> Value {
    let polled = poll(server, &json!({"worker": "w1", "types": ["afar"], "lease_seconds": 30}));
    assert_eq!(polled.status, 200, "{polled:?}");
    polled.json()["items"][0].clone()
}

#[test]
fn a_job_is_taken_reported_and_brought_to_its_end() {
    let server = server();
    let id = server.start("w", json!({"a": 1}));
    let job = one(&server);
    assert_eq!((&job["type"], &job["input"]), (&json!("afar"), &json!({"a": 1})));
    assert_eq!((&job["execution"], &job["lease_seconds"]), (&json!(id.to_string()), &json!(30)));
    let tell = |what: &str, more: Value| {
        let mut body = json!({"token": job["token"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post(&format!("/api/v1/jobs/{what}"), &body)
    };
    let report = json!({"percent": 40, "message": "half of it", "processed": 2, "total": 5});
    assert_eq!(tell("progress", report).json()["cancel"], false);
    assert_eq!(tell("heartbeat", json!({})).json()["cancel"], false);
    assert_eq!(tell("progress", json!({"percent": 101})).status, 422);
    let workers = server.get("/api/v1/workers").json();
    let worker = &workers["items"][1];
    assert_eq!((&worker["name"], &worker["running"]), (&json!("w1"), &json!(1)), "{workers}");
    assert_eq!(worker["executions"], json!([id.to_string()]));
    assert_eq!(tell("complete", json!({"output": [7]})).status, 200);
    server.ended(id);
    assert_eq!(server.get(&format!("/api/v1/executions/{id}/output")).json(), json!([7]));
    let late = tell("complete", json!({"output": [8]}));
    assert_eq!(late.status, 409, "{late:?}");
    let events = server.get(&format!("/api/v1/executions/{id}/events?limit=1000")).body;
    assert!(events.contains("remote w1") && !events.contains(job["token"].as_str().unwrap()));
}

#[test]
fn a_request_that_got_no_answer_is_named_by_the_next_and_its_job_given_again() {
    let server = server();
    let id = server.start("w", json!(1));
    let ask = |request: &str, unanswered: Value| {
        let body = json!({"worker": "w1", "types": ["afar"], "request": request,
            "unanswered": unanswered});
        poll(&server, &body)
    };
    let cut_off = ask("r-1", json!([])).json()["items"][0].clone();
    let again = ask("r-2", json!(["r-0", "r-1"])).json()["items"][0].clone();
    assert_eq!((&again["job"], &again["attempt"]), (&cut_off["job"], &json!(2)));
    let end = |job: &Value| server.post("/api/v1/jobs/complete", &json!({"token": job["token"]}));
    assert_eq!((end(&cut_off).status, end(&again).status), (409, 200));
    server.ended(id);
    // What people see is the worker alone.
    let timeline = server.get(&format!("/api/v1/executions/{id}/timeline")).body;
    assert!(timeline.contains("\"remote w1\"") && !timeline.contains("r-2"), "{timeline}");
    for (request, unanswered) in
        [("r 3", json!([])), ("r-3", json!(["r 1"])), ("r-3", json!("r-1")), ("r-3", json!([1]))]
    {
        assert!(matches!(ask(request, unanswered).status, 400 | 422));
    }
}

#[test]
fn several_reports_are_answered_each_by_itself() {
    let server = server();
    for n in 0..3 {
        server.start("w", json!(n));
    }
    let mut jobs: Vec<Value> = Vec::new();
    while jobs.len() < 3 {
        let body = json!({"worker": "w1", "types": ["afar"], "max": 3 - jobs.len()});
        jobs.extend(poll(&server, &body).json()["items"].as_array().unwrap().clone());
    }
    let id = |n: usize| jobs[n]["execution"].as_str().unwrap().parse().unwrap();
    let token = |n: usize| jobs[n]["token"].clone();
    let reports = json!([
        {"token": token(0), "kind": "completed", "output": {"n": 0}},
        {"token": "nonsense", "kind": "heartbeat"},
        {"token": token(1), "kind": "failed", "error": "Mine", "cause": "no luck"},
        {"token": token(2), "kind": "progress", "percent": 5},
    ]);
    let answer = server.post("/api/v1/jobs/report", &json!({"worker": "w1", "reports": reports}));
    let items = answer.json()["items"].clone();
    assert_eq!(items[0], json!({"ok": true, "cancel": false}), "{answer:?}");
    assert_eq!((&items[1]["ok"], &items[1]["code"]), (&json!(false), &json!("BAD_TOKEN")));
    assert_eq!((&items[2]["ok"], &items[3]["cancel"]), (&json!(true), &json!(false)));
    (0..2).for_each(|n| server.ended(id(n)));
    let failed = server.get(&format!("/api/v1/executions/{}", id(1))).json();
    assert_eq!(
        (&failed["status"], &failed["failure"]["error"]),
        (&json!("failed"), &json!("Mine"))
    );
    for (reports, pointer) in [
        (json!({}), "/reports"),
        (json!([{"kind": "heartbeat"}]), "/reports"),
        (json!([{"token": "x", "kind": "progress", "percent": 200}]), "/reports/0/percent"),
        (json!([{"token": "x", "kind": "failed"}]), "/reports/0/error"),
        (json!([{"token": "x", "kind": "completed", "more": 1}]), "/reports"),
    ] {
        let body = json!({"worker": "w1", "reports": reports});
        let refused = server.post("/api/v1/jobs/report", &body);
        assert_eq!(
            (refused.status, &refused.json()["errors"][0]["pointer"]),
            (422, &json!(pointer))
        );
    }
}

#[test]
fn a_poll_that_makes_no_sense_is_refused_and_one_without_jobs_is_empty() {
    let server = server();
    for body in [
        json!({"worker": "w1", "types": []}),
        json!({"worker": "w1", "types": "afar"}),
        json!({"worker": "w1", "types": ["afar"], "max": 257}),
        json!({"worker": "w1", "types": ["afar"], "lease_seconds": 1}),
        json!({"worker": "no name", "types": ["afar"]}),
        json!({"types": ["afar"]}),
    ] {
        assert_eq!(poll(&server, &body).status, 422, "{body}");
    }
    let empty =
        poll(&server, &json!({"worker": "w1", "types": ["afar"], "wait_seconds": 0})).json();
    assert_eq!((&empty["items"], &empty["draining"]), (&json!([]), &json!(false)));
    assert_eq!(server.post("/api/v1/workers/w1/drain", &json!({})).json()["draining"], true);
    assert_eq!(server.post("/api/v1/workers/nobody/drain", &json!({})).status, 404);
    let drained = poll(&server, &json!({"worker": "w1", "types": ["afar"]})).json();
    assert_eq!(drained["draining"], true);
}

#[test]
fn polls_end_when_the_server_stops() {
    let mut server = server();
    let request = server.request("POST", "/api/v1/jobs/poll");
    let body = json!({"worker": "w1", "types": ["afar"]});
    let mut connection = request.json(&body).open();
    while !server.get("/api/v1/workers").body.contains("w1") {}
    server.stop();
    assert_eq!(connection.answer().unwrap().status, 200);
}
