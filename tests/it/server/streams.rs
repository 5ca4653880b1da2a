//! Live news: nothing is lost, whoever comes back is told what it missed, and slow readers hold up
//! nobody.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::client::Stream;
use super::{Server, pass, wait};

#[test]
fn every_event_of_the_log_comes_once_and_in_order() {
    let server = Server::new();
    server.deploy("w", &pass());
    let mut stream = server.stream("topics=log&after=0");
    for n in 0..20 {
        server.start("w", json!(n));
    }
    for position in 1..=100 {
        let message = stream.next().unwrap();
        assert_eq!(message.event, "log");
        assert_eq!(
            (message.id, message.data["position"].as_u64()),
            (Some(position), Some(position))
        );
    }
}

#[test]
fn whoever_comes_back_is_told_what_it_missed() {
    let server = Server::new();
    server.deploy("w", &pass());
    let mut stream = server.stream("topics=log,executions&after=0");
    server.ended(server.start("w", json!(1)));
    stream.find(|message| message.event == "executions" && message.data["status"] == "completed");
    let told = stream.id;
    drop(stream);
    let missed = server.start("w", json!(2));
    server.ended(missed);
    let request = server.request("GET", "/api/v1/stream?topics=log,executions");
    let mut stream = Stream::open(request.header("last-event-id", &told.to_string()));
    let (mut next, mut has_row) = (told + 1, false);
    let last = server.engine.last_position();
    while next <= last || !has_row {
        let message = stream.next().unwrap();
        match &*message.event {
            "log" => {
                assert_eq!(message.data["position"], next, "nothing is left out");
                next += 1;
            }
            "executions" => has_row |= message.data["id"] == missed.to_string(),
            other => panic!("{other}"),
        }
    }
    let bad = server.request("GET", "/api/v1/stream?topics=log");
    assert_eq!(bad.header("last-event-id", "x").send().code(), "BAD_REQUEST");
}

#[test]
fn an_id_is_never_ahead_of_what_was_told() {
    let server = Server::new();
    server.deploy("w", &pass());
    let mut stream = server.stream("topics=log,executions");
    let id = server.start("w", json!(1)).to_string();
    server.ended(id.parse().unwrap());
    let began = server.get(&format!("/api/v1/executions/{id}/events")).json();
    let first = began["items"][0]["position"].as_u64().unwrap();
    loop {
        let message = stream.next().unwrap();
        if message.event == "executions" {
            break;
        }
        assert!(stream.id < first, "coming back with {} would lose the row", stream.id);
    }
}

#[test]
fn a_watched_execution_is_shown_at_once_and_as_it_changes() {
    let server = Server::new();
    server.deploy("w", &wait());
    let id = server.start("w", json!({}));
    let mut stream = server.stream(&format!("topics=execution:{id}"));
    let first = stream.next().unwrap();
    assert_eq!((&*first.event, &first.data["status"]), ("execution", &json!("running")));
    server.runtime.block_on(server.engine.cancel(id, "test", None)).unwrap();
    let last = stream.find(|message| message.data["status"] == "cancelled");
    assert_eq!(last.data["id"], id.to_string());
    for topics in ["", "nonsense", "execution:zzzz", "execution:"] {
        let answer = server.get(&format!("/api/v1/stream?topics={topics}"));
        assert!([400, 404].contains(&answer.status), "{topics}: {answer:?}");
    }
}

#[test]
fn many_changes_of_one_execution_are_told_together() {
    let server = Server::new();
    let many = json!({"StartAt": "M", "States": {"M": {
        "Type": "Map",
        "End": true,
        "ItemProcessor": {"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": "echo", "End": true},
        }},
    }}});
    server.deploy("w", &many);
    let mut stream = server.stream("topics=executions");
    let began = Instant::now();
    let id = server.start("w", json!((0..500).collect::<Vec<_>>()));
    let mut rows = 0;
    loop {
        let row = stream.find(|message| message.event == "executions");
        rows += 1;
        if row.data["status"] == "completed" {
            break;
        }
    }
    let most = began.elapsed().as_millis() / 100 + 2;
    assert!(rows <= most, "{rows} rows in {:?}", began.elapsed());
    let events = server.runtime.block_on(server.engine.history(id)).unwrap().len();
    assert!(events > 1000);
}

#[test]
fn whoever_missed_too_much_is_told_to_ask_anew() {
    let server = Server::new();
    server.deploy("w", &pass());
    // Past what a stream looks at.
    let many = json!({"StartAt": "M", "States": {"M": {
        "Type": "Map",
        "End": true,
        "MaxConcurrency": 1000,
        "ItemProcessor": {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}},
    }}});
    server.deploy("many", &many);
    let id = server.start("many", json!((0..6000).collect::<Vec<_>>()));
    server.ended(id);
    assert!(server.engine.last_position() > 20_000);
    let mut stream = server.stream("topics=executions&after=0");
    let message = stream.next().unwrap();
    assert_eq!(message.event, "resync");
    assert_eq!(message.id, Some(server.engine.last_position()));
    // The log itself is told whole, however much it is.
    let mut stream = server.stream("topics=log&after=0");
    assert_eq!(stream.next().unwrap().data["position"], 1);
}

#[test]
fn a_reader_that_takes_nothing_holds_up_nobody() {
    let server = Server::new();
    server.deploy("w", &pass());
    let _asleep: Vec<Stream> = (0..4).map(|_| server.stream("topics=log,executions")).collect();
    let mut awake = server.stream("topics=executions");
    let input = json!("x".repeat(10_000));
    for _ in 0..300 {
        server.ended(server.start("w", input.clone()));
    }
    let last = server.start("w", json!("last")).to_string();
    awake.find(|message| message.data["id"] == last || message.event == "resync");
}

#[test]
fn a_quiet_stream_gives_signs_of_life() {
    let short = Duration::from_millis(20);
    let server = Server::with(|settings| settings.limits.keep_alive = short, |builder| builder);
    let mut stream = server.stream("topics=log");
    assert_eq!(stream.comment(), "alive");
    assert_eq!(stream.comment(), "alive");
}

#[test]
fn streams_end_with_a_word_when_the_server_stops_and_do_not_hold_it_up() {
    let mut server = Server::new();
    server.deploy("w", &pass());
    let mut streams: Vec<Stream> = (0..20).map(|_| server.stream("topics=log")).collect();
    let _idle = server.request("GET", "/healthz").open();
    let began = Instant::now();
    server.stop();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    for stream in &mut streams {
        assert_eq!(stream.find(|message| message.event == "bye").data, json!({}));
        assert!(stream.next().is_none());
    }
}
