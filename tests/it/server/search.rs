//! What is looked for in all events of an execution.

use everstep::engine::ExecutionId;
use serde_json::{Value, json};

use super::{Server, pass};

fn events(server: &Server, id: ExecutionId, query: &str) -> Value {
    let answer = server.get(&format!("/api/v1/executions/{id}/events?{query}"));
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

fn sequences(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["sequence"].as_u64().unwrap()).collect()
}

#[test]
fn events_are_found_by_any_of_what_they_show_whatever_the_case() {
    let server = Server::new();
    let task = json!({"Type": "Task", "Resource": "echo", "End": true});
    let states = json!({"A": {"Type": "Pass", "Next": "Xylophone"}, "Xylophone": task});
    server.deploy("w", &json!({"StartAt": "A", "States": states}));
    let id = server.start("w", json!({"secret": "Needle in the hay"}));
    server.ended(id);
    let all = events(&server, id, "");
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&events(&server, id, "q=stateentered")), ["StateEntered", "StateEntered"]);
    assert_eq!(names(&events(&server, id, "q=reached+the+END")), ["ExecutionCompleted"]);
    let of_data = events(&server, id, "q=nEEDLe");
    assert_eq!(sequences(&of_data).first(), Some(&1), "{of_data}");
    assert_eq!(events(&server, id, "q=nowhere")["items"], json!([]));
    assert_eq!(events(&server, id, "q="), all, "without a text it is no search");
    // The event itself says only which job it was.
    let both = events(&server, id, "q=xylo&type=JobSucceeded");
    assert_eq!(both["items"][0]["step_name"], "Xylophone", "{both}");
    // The newest that fit, and from there to those before.
    let newest = events(&server, id, "q=State&before=1000&limit=1");
    let before = newest["next_cursor"].as_str().unwrap().to_owned();
    let earlier = events(&server, id, &format!("q=State&before={before}&limit=1000"));
    let found: Vec<u64> = [sequences(&earlier), sequences(&newest)].concat();
    assert_eq!(found, sequences(&events(&server, id, "q=State")));
    assert_eq!(earlier["next_cursor"], json!(null), "there is nothing before the first");
}

#[test]
fn a_search_of_a_long_history_looks_at_so_many_events_and_says_where_to_go_on() {
    let server = Server::new();
    let one = json!({"StartAt": "one", "States": {"one": {"Type": "Pass", "End": true}}});
    let many = json!({"StartAt": "all", "QueryLanguage": "JSONata", "States": {"all": {
        "Type": "Map", "Items": "{% [1..6000] %}", "ItemProcessor": one, "End": true,
    }}});
    server.deploy("many", &many);
    let id = server.start("many", json!({}));
    server.ended(id);
    let last = sequences(&events(&server, id, "before=10000000&limit=1"))[0];
    assert!(last > 20_000, "it has only {last} events");

    // Of one that is at the beginning, beginning at the end.
    let (mut before, mut pages, mut found) = (last + 1, 0, Vec::new());
    loop {
        let page = events(&server, id, &format!("q=ExecutionStarted&before={before}"));
        (pages, found) = (pages + 1, [sequences(&page), found].concat());
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert!(next.parse::<u64>().unwrap() < before, "{next} leads nowhere");
        before = next.parse().unwrap();
    }
    assert_eq!((pages, found), (2, vec![1]));

    // Of one that is at the end, beginning at the beginning.
    let first = events(&server, id, "q=ExecutionCompleted");
    assert_eq!((&first["items"], &first["next_cursor"]), (&json!([]), &json!("20000")));
    let second = events(&server, id, "q=ExecutionCompleted&after=20000");
    assert_eq!((sequences(&second), &second["next_cursor"]), (vec![last], &json!(null)));

    // Where things are is known in the middle too.
    let middle = events(&server, id, "type=StateEntered&after=15000&limit=3");
    assert_eq!(middle["items"][2]["step_name"], "one", "{middle}");
    let part = events(&server, id, "before=15000&limit=5");
    assert_eq!(sequences(&part), (14_995..15_000).collect::<Vec<u64>>());
    assert_eq!(part["next_cursor"], "14995");
    assert!(part["items"].as_array().unwrap().iter().all(|one| !one["step_name"].is_null()));
}

#[test]
fn what_is_looked_for_has_a_length() {
    let server = Server::new();
    server.deploy("w", &pass());
    let id = server.start("w", json!({}));
    let long = "x".repeat(257);
    let refused = server.get(&format!("/api/v1/executions/{id}/events?q={long}"));
    assert_eq!((refused.status, &*refused.code()), (400, "BAD_REQUEST"));
    let never = "01890000-0000-7000-8000-000000000000";
    let gone = server.get(&format!("/api/v1/executions/{never}/events?q=x"));
    assert_eq!((gone.status, &*gone.code()), (404, "NO_SUCH_EXECUTION"));
}
