//! How many executions there are, beyond the page of a list that is shown.

use everstep::engine::ExecutionId;
use serde_json::{Value, json};

use super::{Server, pass};

/// A workflow of each way to end, or not to.
fn server() -> Server {
    let server = Server::new();
    let fail = json!({"Type": "Fail", "Error": "E", "Cause": "so it is"});
    let wait = json!({"Type": "Wait", "Seconds": 9000, "End": true});
    server.deploy("good", &pass());
    server.deploy("bad", &json!({"StartAt": "A", "States": {"A": fail}}));
    server.deploy("slow", &json!({"StartAt": "A", "States": {"A": wait}}));
    server
}

fn start(server: &Server, workflow: &str, count: usize) -> Vec<ExecutionId> {
    (0..count).map(|_| server.start(workflow, json!({}))).collect()
}

fn totals(server: &Server, query: &str) -> Value {
    let answer = server.get(&format!("/api/v1/executions?totals=true&limit=1&{query}"));
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()["totals"].clone()
}

#[test]
fn a_list_tells_how_many_there_are_on_all_pages_and_of_each_status() {
    let server = server();
    for id in [start(&server, "good", 4), start(&server, "bad", 3)].concat() {
        server.ended(id);
    }
    start(&server, "slow", 2);
    let expected = |total: u64| {
        json!({"total": total, "is_exact": true, "by_status": {
            "pending": 0, "running": 2, "cancelling": 0, "completed": 4,
            "completed_with_errors": 0, "failed": 3, "cancelled": 0, "timed_out": 0,
        }})
    };
    assert_eq!(totals(&server, ""), expected(9));
    assert_eq!(totals(&server, "status=failed,unfinished"), expected(5));
    // What has ended is on disk now, and in memory no more.
    server.runtime.block_on(server.engine.checkpoint());
    assert_eq!(totals(&server, ""), expected(9));
    let of_slow = totals(&server, "workflow=slow&status=completed");
    assert_eq!((&of_slow["total"], &of_slow["by_status"]["running"]), (&json!(0), &json!(2)));
    assert_eq!(totals(&server, "q=so+it+IS")["total"], 3);
    assert_eq!(totals(&server, "since=2999-01-01T00:00:00Z")["total"], 0);
    assert_eq!(server.get("/api/v1/executions").json().get("totals"), None, "unless asked for");
}

#[test]
fn one_that_goes_on_or_is_deleted_is_counted_as_that() {
    let server = server();
    let ids = start(&server, "bad", 2);
    ids.iter().for_each(|id| server.ended(*id));
    server.runtime.block_on(server.engine.checkpoint());
    server.deploy("bad", &pass());
    let path = format!("/api/v1/executions/{}", ids[0]);
    assert_eq!(server.post(&format!("{path}/retry"), &json!({})).status, 200);
    server.ended(ids[0]);
    assert_eq!(totals(&server, "")["total"], 2, "it ended twice and is one");
    assert_eq!(server.request("DELETE", &path).send().status, 200);
    let after = totals(&server, "");
    assert_eq!((&after["total"], &after["by_status"]["failed"]), (&json!(1), &json!(1)));
}

#[test]
fn workflows_tell_what_came_of_their_executions_of_the_last_day() {
    let server = server();
    for id in [start(&server, "good", 2), start(&server, "bad", 1)].concat() {
        server.ended(id);
    }
    let stopped = start(&server, "slow", 2)[0];
    let path = format!("/api/v1/executions/{stopped}/cancel");
    assert_eq!(server.post(&path, &json!({})).status, 200);
    server.ended(stopped);
    server.deploy("never", &pass());
    let listed = server.get("/api/v1/workflows?last_day=true").json();
    let rows = listed["items"].as_array().unwrap();
    let told: Vec<Value> = rows
        .iter()
        .map(|row| {
            let day = &row["last_day"];
            json!([row["name"], day["started"], day["ended"], day["success_percent"]])
        })
        .collect();
    let expected =
        json!([["bad", 1, 1, 0], ["good", 2, 2, 100], ["never", 0, 0, null], ["slow", 2, 0, null]]);
    assert_eq!(json!(told), expected);
    let middle = |row: usize| rows[row]["last_day"]["middle_seconds"].as_f64();
    assert!(middle(1).is_some_and(|took| (0.0..60.0).contains(&took)), "of those that completed");
    assert_eq!([middle(0), middle(2), middle(3)], [None; 3]);
    assert_eq!(server.get("/api/v1/workflows").json()["items"][0].get("last_day"), None);
}
