//! What can be asked, and what comes of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client::Answer;
use super::{Server, pass, wait};

fn start(server: &Server, body: &Value) -> Answer {
    server.post("/api/v1/executions", body)
}

fn id_of(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_workflow_is_deployed_once_and_drawn_and_compared() {
    let server = Server::new();
    let put = |name: &str, kind: &str, text: &str| {
        let request = server.request("PUT", &format!("/api/v1/workflows/{name}"));
        request.body(kind, text.as_bytes()).send()
    };
    let yaml = "StartAt: A\nStates:\n  A: {Type: Pass, Next: B}\n  B: {Type: Succeed}\n";
    let first = put("w", "application/yaml", yaml);
    assert_eq!((first.status, first.json()["version"].as_u64()), (201, Some(1)), "{first:?}");
    let again = put("w", "application/json", &pass().to_string());
    assert_eq!((again.status, again.json()["is_new"].as_bool()), (200, Some(false)), "{again:?}");
    let dry = server.request("PUT", "/api/v1/workflows/w?dry_run=true");
    let dry = dry.body("application/json", wait().to_string().as_bytes()).send();
    assert_eq!((dry.status, dry.json()["version"].as_u64()), (200, Some(2)), "{dry:?}");
    assert_eq!(put("w", "application/json", &wait().to_string()).json()["version"], 2);

    let list = server.get("/api/v1/workflows").json();
    assert_eq!(list["schema"], "everstep.workflows/v1");
    assert_eq!(list["items"][0]["version"], 2);
    let old = server.get("/api/v1/workflows/w?version=1").json();
    assert_eq!((&old["newest"], &old["source"]["StartAt"]), (&json!(2), &json!("A")));
    assert_eq!(server.get("/api/v1/workflows/w?version=3").code(), "NO_SUCH_VERSION");
    let versions = server.get("/api/v1/workflows/w/versions").json();
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    let diff = server.get("/api/v1/workflows/w/diff?from=1&to=2").json();
    assert_eq!((&diff["removed"], &diff["changed"]), (&json!(["B"]), &json!(["A"])));
    let graph = server.get("/api/v1/workflows/w/graph?version=1").json();
    assert_eq!(graph["edges"][0], json!({"from": "A", "to": "B", "label": "", "on_error": false}));
    assert!(server.get("/api/v1/workflows/w/graph?format=mermaid").body.starts_with("flowchart"));
    assert!(server.get("/api/v1/workflows/w/graph?format=dot").body.contains("digraph"));
}

#[test]
fn a_definition_with_faults_is_refused_with_their_places() {
    let server = Server::new();
    let bad = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Gone"}}});
    let put = server.request("PUT", "/api/v1/workflows/w").json(&bad).send();
    assert_eq!((put.status, &*put.code()), (422, "INVALID_DEFINITION"));
    assert_eq!(put.json()["errors"][0]["pointer"], "/States/A/Next");
    let found = server.post("/api/v1/validate", &bad).json();
    assert_eq!((&found["is_valid"], &found["definition"]), (&json!(false), &json!(null)));
    assert_eq!(found["diagnostics"][0]["pointer"], "/States/A/Next");
    assert_eq!(server.post("/api/v1/validate", &pass()).json()["is_valid"], true);
    let put = server.request("PUT", "/api/v1/workflows/bad%20name").json(&pass()).send();
    assert_eq!((put.status, &*put.code()), (422, "BAD_NAME"));
}

#[test]
fn a_start_with_a_name_or_a_key_starts_once() {
    let server = Server::new();
    server.deploy("slow", &wait());
    server.deploy("fast", &pass());
    let named = json!({"workflow": "slow", "name": "n", "input": {"a": 1}});
    let first = start(&server, &named);
    let location = format!("/api/v1/executions/{}", id_of(&first));
    assert_eq!((first.status, first.header("location")), (201, Some(&*location)));
    let again = start(&server, &named);
    assert_eq!((again.status, id_of(&again)), (200, id_of(&first)));
    let other = start(&server, &json!({"workflow": "slow", "name": "n", "input": {"a": 2}}));
    assert_eq!((other.status, &*other.code()), (409, "NAME_TAKEN"));
    assert_eq!(other.json()["current"]["execution"], id_of(&first));

    let keyed = |input: u32, key: &str| {
        let request = server.request("POST", "/api/v1/executions");
        let request = request.json(&json!({"workflow": "fast", "input": input}));
        request.header("idempotency-key", key).send()
    };
    let first = keyed(1, "k-1");
    server.ended(id_of(&first).parse().unwrap());
    let again = keyed(1, "k-1");
    assert_eq!((again.status, id_of(&again)), (200, id_of(&first)), "also after its end");
    assert_eq!(keyed(2, "k-1").code(), "NAME_TAKEN");
    assert_eq!(keyed(1, "two words").code(), "BAD_REQUEST");
    assert_eq!(start(&server, &json!({"workflow": "gone"})).code(), "NO_SUCH_WORKFLOW");
    let dry = start(&server, &json!({"workflow": "fast", "dry_run": true}));
    assert_eq!((dry.status, dry.json()["dry_run"].as_bool()), (200, Some(true)));
    assert_eq!(server.get("/api/v1/executions").json()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn an_execution_is_shown_as_it_is_and_as_it_was() {
    let server = Server::new();
    server.deploy("w", &pass());
    let id = server.start("w", json!({"a": 1.10}));
    server.ended(id);
    let get = |part: &str| server.get(&format!("/api/v1/executions/{id}{part}"));
    let now = get("");
    assert_eq!(now.json()["status"], "completed");
    let tag = now.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", now.json()["sequence"]));
    let request = server.request("GET", &format!("/api/v1/executions/{id}"));
    let same = request.header("if-none-match", &tag).send();
    assert_eq!((same.status, &*same.body), (304, ""));
    let then = get("?at=2").json();
    assert_eq!((&then["status"], &then["is_past"]), (&json!("running"), &json!(true)));
    assert_eq!(then["actions"]["cancel"]["reason"], "this is a past view");
    assert_eq!(get("?at=99").code(), "NO_SUCH_EVENT");
    assert_eq!(server.get("/api/v1/executions/@").json()["id"], id.to_string());
    assert_eq!(get("/input").body, "{\"a\":1.1}");
    assert_eq!(get("/output").body, "{\"a\":1.1}");
    assert_eq!(get("/output?at=2").code(), "NO_OUTPUT");
    assert_eq!(get("/result").json()["summary"]["completed_steps"], 2);
    assert_eq!(get("/why").json()["state"], "ended");
    assert_eq!(get("/graph").json()["statuses"]["A"], "completed");
    assert!(get("/graph?format=text").body.contains("A [Pass]"));
    let steps = get("/timeline").json()["steps"].clone();
    assert_eq!(steps.as_array().unwrap().len(), 2);
    let changed = get("/diff?from=2").json()["changes"].clone();
    assert!(changed.as_array().unwrap().iter().any(|c| c["field"] == "status"), "{changed}");
    assert_eq!(get(&format!("/diff?other={id}")).json()["parting"], json!(null));
    assert_eq!(get("/diff").code(), "BAD_REQUEST");
}

#[test]
fn a_timeline_has_every_attempt_with_its_end() {
    let server = Server::new();
    let task = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "echo", "End": true},
    }});
    server.deploy("w", &task);
    let id = server.start("w", json!(7));
    server.ended(id);
    let timeline = server.get(&format!("/api/v1/executions/{id}/timeline")).json();
    let attempt = &timeline["attempts"][0];
    assert_eq!((&attempt["type"], &attempt["attempt"]), (&json!("echo"), &json!(1)));
    assert_eq!((&attempt["step_name"], &attempt["outcome"]), (&json!("A"), &json!("succeeded")));
    assert!(attempt["started_at"].is_string() && attempt["ended_at"].is_string(), "{attempt}");
}

#[test]
fn a_timeline_marks_pauses_with_their_ends_and_where_it_went_on_after_an_end() {
    let server = Server::new();
    server.deploy("w", &wait());
    let id = server.start("w", json!(7));
    let act = |name: &str, body: Value| {
        let answer = server.post(&format!("/api/v1/executions/{id}/{name}"), &body);
        assert!(answer.status < 300, "{name}: {answer:?}");
    };
    act("pause", json!({"reason": "lunch"}));
    act("resume", json!({}));
    act("cancel", json!({}));
    server.ended(id);
    act("retry", json!({}));
    act("pause", json!({}));
    let timeline = server.get(&format!("/api/v1/executions/{id}/timeline")).json();
    let marks = timeline["marks"].as_array().unwrap();
    let kinds: Vec<_> = marks.iter().map(|mark| mark["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["pause", "redrive", "pause"]);
    assert!(marks[0]["until"].is_string() && marks[2]["until"].is_null(), "{timeline}");
    assert!(marks[0]["words"].as_str().unwrap().contains("lunch"), "{timeline}");
    let sequence = marks[1]["sequence"].as_u64().unwrap();
    let events = format!("/api/v1/executions/{id}/events?limit=1&after={}", sequence - 1);
    assert_eq!(server.get(&events).json()["items"][0]["event"], "ExecutionRedriven");
    assert_eq!(timeline["more_marks"], 0);
}

#[test]
fn events_come_page_by_page() {
    let server = Server::new();
    server.deploy("w", &pass());
    let id = server.start("w", json!({}));
    server.ended(id);
    let get = |query: &str| server.get(&format!("/api/v1/executions/{id}/events?{query}")).json();
    let all = get("");
    let count = all["items"].as_array().unwrap().len();
    assert_eq!(all["next_cursor"], json!(null));
    let (mut after, mut sequences) = (0, Vec::new());
    loop {
        let page = get(&format!("limit=2&after={after}"));
        let items = page["items"].as_array().unwrap().clone();
        sequences.extend(items.iter().map(|item| item["sequence"].as_u64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        after = next.parse().unwrap();
    }
    assert_eq!(sequences, (1..=u64::try_from(count).unwrap()).collect::<Vec<_>>());
    let newest = get(&format!("before={count}&limit=1"));
    assert_eq!(newest["items"][0]["sequence"], count - 1);
    let entered = get("type=StateEntered");
    let steps: Vec<_> =
        entered["items"].as_array().unwrap().iter().map(|e| e["step_name"].clone()).collect();
    assert_eq!(steps, ["A", "B"]);
}

#[test]
fn pages_of_a_list_do_not_overlap_while_executions_come_and_end() {
    let server = Server::new();
    server.deploy("fast", &pass());
    server.deploy("slow", &wait());
    let mut wanted = BTreeSet::new();
    for n in 0..60 {
        let id = server.start(if n % 3 == 0 { "slow" } else { "fast" }, json!({}));
        if n % 3 != 0 {
            server.ended(id);
        }
        if n == 30 {
            // Some rows are then in the store, and some in memory.
            server.runtime.block_on(server.engine.checkpoint());
        }
        wanted.insert(id.to_string());
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/executions?limit=7{cursor}")).json();
        let rows = page["items"].as_array().unwrap();
        assert!(rows.len() <= 7);
        seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        // What comes now is newer than all that follows.
        let late = server.start("fast", json!({}));
        server.ended(late);
        server.runtime.block_on(server.engine.checkpoint());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let unique: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!((seen.len(), &unique), (60, &wanted));
    assert!(seen.is_sorted_by(|a, b| a > b), "the newest come first");

    let count = |query: &str| {
        let page = server.get(&format!("/api/v1/executions?limit=1000&{query}")).json();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("status=unfinished"), 20);
    assert_eq!(count("status=running,completed&workflow=slow"), 20);
    assert_eq!(count("q=SLO"), 20);
    assert_eq!(count("q=nothing"), 0);
    assert_eq!(count("since=2020-01-01T00:00:00Z"), count(""));
    assert_eq!(count("since=2999-01-01T00:00:00Z"), 0);
    assert_eq!(server.get("/api/v1/executions?since=soon").code(), "BAD_REQUEST");
    assert_eq!(count("parent=none"), count("parent=any"));
    let cursor = server.get("/api/v1/executions?limit=1").json()["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let other = server.get(&format!("/api/v1/executions?workflow=slow&cursor={cursor}"));
    assert_eq!(other.code(), "BAD_REQUEST", "a cursor belongs to its list");
}

#[test]
fn a_cancel_is_checked_before_and_told_why_not() {
    let server = Server::new();
    server.deploy("w", &wait());
    let id = server.start("w", json!({}));
    let show = || server.get(&format!("/api/v1/executions/{id}")).json();
    let cancel = |body: Value| server.post(&format!("/api/v1/executions/{id}/cancel"), &body);
    let sequence = show()["sequence"].as_u64().unwrap();
    assert_eq!(show()["actions"]["cancel"]["allowed"], true);
    let stale = cancel(json!({"expect_seq": sequence - 1}));
    assert_eq!((stale.status, &*stale.code()), (409, "STALE_VIEW"));
    assert_eq!(stale.json()["current"], json!({"status": "running", "sequence": sequence}));
    let dry = cancel(json!({"dry_run": true, "expect_seq": sequence}));
    assert_eq!((dry.status, show()["status"].as_str()), (200, Some("running")));
    let done = cancel(json!({"reason": "enough", "expect_seq": sequence}));
    assert_eq!(done.status, 200, "{done:?}");
    server.ended(id);
    let card = show();
    assert_eq!(
        (&card["status"], &card["cancel"]["reason"]),
        (&json!("cancelled"), &json!("enough"))
    );
    assert_eq!(card["actions"]["cancel"]["code"], "NOT_IN_STATUS");
    for body in [json!({}), json!({"dry_run": true})] {
        let late = cancel(body);
        assert_eq!((late.status, &*late.code()), (409, "NOT_IN_STATUS"));
        assert_eq!(late.json()["current"]["status"], "cancelled");
    }
}

#[test]
fn the_log_is_fed_exported_and_verified() {
    let server = Server::new();
    server.deploy("w", &pass());
    let ids: Vec<_> = (0..5).map(|n| server.start("w", json!(n))).collect();
    ids.iter().for_each(|id| server.ended(*id));
    let last = server.engine.last_position();
    let (mut after, mut positions) = (0, Vec::new());
    while after < last {
        let page = server.get(&format!("/api/v1/log?limit=3&after={after}")).json();
        let items = page["items"].as_array().unwrap();
        positions.extend(items.iter().map(|item| item["position"].as_u64().unwrap()));
        after = page["next_cursor"].as_str().unwrap().parse().unwrap();
    }
    assert_eq!(positions, (1..=last).collect::<Vec<_>>());
    let export = server.get("/api/v1/log/export");
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> =
        export.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() as u64, last);
    let part = server.get(&format!("/api/v1/log/export?from=2&to=6&execution={}", ids[0])).body;
    assert!(part.lines().count() > 0);
    assert!(part.lines().all(|line| line.contains(&ids[0].to_string())));
    let whole = server.get(&format!("/api/v1/log/export?execution={}", ids[0])).body;
    let others = whole.lines().filter(|line| !line.contains(&ids[0].to_string()));
    let others: Vec<&str> = others.collect();
    assert!(others.len() == 1 && others[0].contains("DefinitionStored"), "{others:?}");
    let report = server.post("/api/v1/log/verify", &json!({})).json();
    assert_eq!((&report["is_sound"], &report["executions"]), (&json!(true), &json!(5)));
}

#[test]
fn figures_and_job_types_say_what_is_so() {
    let server = Server::new();
    server.deploy("w", &wait());
    server.start("w", json!({}));
    let types = server.get("/api/v1/job-types").json();
    assert_eq!(
        (&types["items"][0]["type"], &types["items"][0]["running"]),
        (&json!("echo"), &json!(0))
    );
    let text = server.get("/metrics").body;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse::<f64>().unwrap()
    };
    assert_eq!(value("everstep_executions{status=\"running\"}"), 1.0);
    assert_eq!(value("everstep_queue_depth{job_type=\"echo\"}"), 0.0);
    assert_eq!(value("everstep_log_position"), value("everstep_events_committed_total"));
    assert!(value("everstep_commit_seconds_count") >= 2.0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_known = |name: &str| text.contains(&format!("# TYPE {name} "));
        assert!(is_known(name) || base.is_some_and(is_known), "{line}");
    }
}

#[test]
fn documentation_needs_nothing_from_elsewhere() {
    let server = Server::new();
    let page = server.get("/docs");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(!page.body.contains("src=") && !page.body.contains("http://"), "{}", page.body);
    let document = server.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v1/executions/{id}"]["get"].is_object());
}
