//! A server and its clients over a real socket.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as BlockingListener, UnixStream as BlockingStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::protocol::{
    Answer, AnswerLine, Deploy, MAX_REQUEST_BYTES, Part, Request, Wire, line_of,
};
use super::serve::MAX_CONNECTIONS;
use super::*;
use crate::engine::{Event, Execution, ExecutionId, Status, Timestamp};
use crate::language::{DefinitionHash, Format, Json};
use crate::runtime::{Orchestrator, Record, Rows, Start, Summary};
use crate::store::MemoryStore;
use crate::testing::arbitrary;
use crate::worker::JobContext;

const GREET: &str = r#"{
  "StartAt": "Greet",
  "States": { "Greet": { "Type": "Task", "Resource": "greet", "End": true } }
}"#;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

struct Running {
    data: TempDir,
    orchestrator: Orchestrator,
    server: ControlServer,
    client: Client,
    /// Lets one running job end.
    gate: Arc<Notify>,
}

async fn running() -> Running {
    let data = tempfile::tempdir().unwrap();
    let gate = Arc::new(Notify::new());
    let wait = gate.clone();
    let greet = move |job: JobContext, input: serde_json::Value| {
        let wait = wait.clone();
        async move {
            tokio::select! {
                () = wait.notified() => Ok(input),
                () = job.cancel_token().cancelled() => Err(crate::worker::JobError::cancelled()),
            }
        }
    };
    let builder = Orchestrator::builder().shards(2).handle("greet", greet);
    let orchestrator = builder.open_store(Arc::new(MemoryStore::new())).await.unwrap();
    let server = serve(orchestrator.clone(), data.path()).await.unwrap();
    let client = Client::connect(data.path()).await.unwrap();
    client.deploy("greeting", GREET, Format::Json).await.unwrap();
    Running { data, orchestrator, server, client, gate }
}

fn greeting(input: &str) -> Start {
    let input = Json::parse(input).unwrap();
    Start { workflow: "greeting".to_owned(), input, name: Some("mine".to_owned()) }
}

/// Sends bytes as they are and gives the lines that come back until the server hangs up, or for as
/// many as are wanted.
fn raw(socket: &Path, bytes: &[u8], wanted: usize) -> Vec<serde_json::Value> {
    let mut stream = BlockingStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    // A server that hangs up early leaves the rest unwritten.
    drop(stream.write_all(bytes));
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    while text.iter().filter(|byte| **byte == b'\n').count() < wanted {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => text.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// [`raw`] without holding up the server, which may run on the same thread.
async fn raw_lines(socket: &Path, bytes: &[u8], wanted: usize) -> Vec<serde_json::Value> {
    let (socket, bytes) = (socket.to_owned(), bytes.to_owned());
    tokio::task::spawn_blocking(move || raw(&socket, &bytes, wanted)).await.unwrap()
}

async fn wait_until_running(client: &Client, id: ExecutionId) -> Execution {
    let poll = async {
        loop {
            let execution = client.execution(id).await.unwrap();
            if execution.jobs.values().any(|job| job.started_at.is_some()) {
                return execution;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, poll).await.unwrap()
}

/// Through the bytes of an answer and back.
fn travel<T: Wire>(mut value: T) -> T {
    value.make_public();
    let nulls = value.nulls();
    let line = line_of(&AnswerLine { id: Some(1), part: Part::Ok(&value), nulls }).unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    let answer: Answer = serde_json::from_slice(&line).unwrap();
    answer.value(answer.ok.as_deref().unwrap()).unwrap()
}

fn public<T: Wire>(mut value: T) -> T {
    value.make_public();
    value
}

#[test]
fn any_execution_and_any_record_arrives_as_it_was_sent() {
    for seed in 0..300 {
        let execution = arbitrary::execution(seed).unwrap();
        assert_eq!(travel(execution.clone()), public(execution.clone()), "seed {seed}");
        let summary = Summary::of(&execution);
        assert_eq!(travel(summary.clone()), summary, "seed {seed}");
    }
    let mut kinds = 0;
    for tag in 1..=200 {
        for seed in 0..30 {
            let Some(event) = arbitrary::event(tag, seed) else { break };
            kinds += usize::from(seed == 0);
            let (stream, time) = (uuid::Uuid::from_u128(7), Timestamp(seed));
            let event = Arc::new(event);
            let record = Record { stream, sequence: seed, position: u64::MAX, time, event };
            assert_eq!(travel(record.clone()), public(record), "tag {tag}, seed {seed}");
        }
    }
    assert!(kinds >= 29, "only {kinds} kinds of events");
}

#[test]
fn absent_documents_and_documents_that_are_null_stay_apart() {
    let mut execution = Execution::new(ExecutionId(uuid::Uuid::from_u128(1)));
    assert_eq!(travel(execution.clone()).output, None);
    execution.output = Some(Json::null());
    assert_eq!(travel(execution).output, Some(Json::null()));
}

#[test]
fn line_breaks_between_tokens_become_spaces_of_the_same_length() {
    let spread = Json::parse("[1,\n\r\n {\"a\": \"x\\ny\"}]").unwrap();
    let arrived = travel(spread);
    assert_eq!(arrived.as_str(), "[1, \r  {\"a\": \"x\\ny\"}]");
}

fn hold(name: &str) -> protocol::Hold {
    let reason = Some("why\nnot".to_owned());
    protocol::Hold { name: name.to_owned(), by: "me".to_owned(), reason }
}

fn let_go(name: &str) -> protocol::LetGo {
    protocol::LetGo { name: name.to_owned(), by: "me".to_owned() }
}

#[test]
fn every_request_is_read_as_it_was_written() {
    let execution = ExecutionId(uuid::Uuid::from_u128(5));
    let requests = [
        Request::Hello,
        Request::Deploy(Deploy {
            name: "a".to_owned(),
            text: "StartAt: A\n".to_owned(),
            format: Format::Yaml,
        }),
        Request::Start(greeting(r#"{"n":1e3,"deep":[[[null]]]}"#)),
        Request::Pause(protocol::Pause { execution, by: "me".to_owned(), reason: None }),
        Request::Resume(protocol::Resume { execution, by: "me".to_owned() }),
        Request::PauseWorkflow(hold("a")),
        Request::ResumeWorkflow(let_go("a")),
        Request::PauseJobType(hold("b")),
        Request::ResumeJobType(let_go("b")),
        Request::Paused,
        Request::Held,
        Request::Cancel(protocol::Cancel {
            execution,
            by: "me".to_owned(),
            reason: None,
            force: true,
        }),
        Request::Execution(protocol::One { execution }),
        Request::ExecutionAt(protocol::Past { execution, sequence: 3 }),
        Request::Ended(protocol::One { execution }),
        Request::Definition(protocol::OneDefinition { definition: DefinitionHash([9; 32]) }),
        Request::List(protocol::List { rows: Rows::Own, limit: usize::MAX }),
        Request::Find(protocol::Find { text: "é\"".to_owned() }),
        Request::History(protocol::One { execution }),
        Request::Log(protocol::LogPart { from: 1, limit: 2 }),
        Request::LastPosition,
        Request::Follow(protocol::FollowFrom { from: 3, only: Some(execution) }),
        Request::Workflows,
        Request::JobTypes,
        Request::Checkpoint,
    ];
    for request in requests {
        let line = request.line(8).unwrap();
        let (last, rest) = line.split_last().unwrap();
        assert!(*last == b'\n' && !rest.contains(&b'\n'));
        assert_eq!(Request::read(rest), Ok((8, request)));
    }
    let list = Request::List(protocol::List { rows: Rows::Own, limit: 50 }).line(1).unwrap();
    assert_eq!(list, b"{\"id\":1,\"op\":\"list\",\"rows\":\"Own\",\"limit\":50}\n");
}

#[tokio::test]
async fn every_operation_gives_what_the_engine_gives() {
    let Running { data, orchestrator, server, client, gate } = running().await;
    let hello = client.hello().await.unwrap();
    assert_eq!((hello.pid, hello.protocol), (std::process::id(), PROTOCOL_VERSION));
    let folder = data.path().canonicalize().unwrap();
    assert_eq!(Path::new(&hello.data), folder);
    assert_eq!(client.workflows().await.unwrap(), ["greeting"]);
    assert_eq!(client.job_types().await.unwrap(), ["greet"]);

    let again = client.deploy("greeting", GREET, Format::Json).await.unwrap();
    assert_eq!((again.version, again.is_new), (1, false));
    let source = client.definition(again.definition).await.unwrap();
    assert_eq!(source, orchestrator.program(again.definition).unwrap().workflow.source);

    let id = client.start(greeting(r#"{"who":"x"}"#)).await.unwrap();
    assert_eq!(client.find("@").await.unwrap(), id);
    assert_eq!(client.find(&id.handle()).await.unwrap(), id);
    let job = wait_until_running(&client, id).await.jobs.values().next().unwrap().clone();
    assert_eq!(job.token, None);
    gate.notify_one();
    let ended = timeout(LONG, client.ended(id)).await.unwrap().unwrap();
    assert_eq!(ended.status, Status::Completed);
    assert_eq!(ended.output.unwrap().as_str(), r#"{"who":"x"}"#);
    assert_eq!(client.execution(id).await.unwrap().status, Status::Completed);

    let rows = client.list_rows(Rows::Own, 50).await.unwrap();
    assert_eq!(rows, orchestrator.list(50).await.unwrap());
    assert_eq!(rows.len(), 1);
    assert_eq!(client.list_rows(Rows::Own, 0).await.unwrap(), []);
    client.checkpoint().await.unwrap();

    let expected: Vec<Record> =
        orchestrator.history(id).await.unwrap().into_iter().map(public).collect();
    assert_eq!(client.history(id).await.unwrap(), expected);
    let log = client.log(1, 1000).await.unwrap();
    assert_eq!(log.len(), expected.len() + 1);
    assert_eq!(log[1..], expected);
    assert_eq!(client.log(2, 2).await.unwrap(), expected[..2]);
    assert_eq!(client.last_position().await.unwrap(), log.last().unwrap().position);
    server.stop().await;
}

#[tokio::test]
async fn no_token_leaves_the_engine() {
    let Running { orchestrator, client, data: _data, server: _server, gate: _gate } =
        running().await;
    let id = client.start(greeting("1")).await.unwrap();
    wait_until_running(&client, id).await;
    let token_of = |records: &[Record]| {
        let found = records.iter().find_map(|record| match &*record.event {
            Event::JobStarted(started) => Some(started.token),
            _ => None,
        });
        found.unwrap()
    };
    assert_ne!(token_of(&orchestrator.history(id).await.unwrap()).0, [0; 16]);
    assert_eq!(token_of(&client.history(id).await.unwrap()).0, [0; 16]);
    assert_eq!(token_of(&client.log(1, 100).await.unwrap()).0, [0; 16]);
    let mut follow = client.follow(1, Some(id)).await.unwrap();
    let followed = timeout(LONG, async {
        loop {
            let record = follow.next().await.unwrap();
            if let Event::JobStarted(started) = &*record.event {
                return started.token;
            }
        }
    });
    assert_eq!(followed.await.unwrap().0, [0; 16]);
}

#[tokio::test]
async fn a_refusal_keeps_the_engines_own_code() {
    let Running { client, gate, data: _data, orchestrator: _orchestrator, server: _server } =
        running().await;
    let unknown = ExecutionId(uuid::Uuid::from_u128(3));
    let error = client.execution(unknown).await.unwrap_err();
    assert_eq!(error.code(), "NO_SUCH_EXECUTION");
    assert!(error.hint().is_some() && error.to_string().contains(&unknown.to_string()));
    let error = client.deploy("bad", r#"{"StartAt": "A"}"#, Format::Json).await.unwrap_err();
    assert_eq!(error.code(), "INVALID_DEFINITION");
    assert!(error.hint().unwrap().contains("E_MISSING_FIELD"), "{error:?}");
    let error = client.definition(DefinitionHash([1; 32])).await.unwrap_err();
    assert_eq!(error.code(), "NO_SUCH_DEFINITION");

    let id = client.start(greeting("1")).await.unwrap();
    gate.notify_one();
    timeout(LONG, client.ended(id)).await.unwrap().unwrap();
    for force in [false, true] {
        let error = match force {
            false => client.cancel(id, "me", None).await.unwrap_err(),
            true => client.force_cancel(id, "me", None).await.unwrap_err(),
        };
        assert_eq!(error.code(), "NOT_IN_STATUS");
        assert!(error.to_string().contains("the execution is completed"), "{error}");
    }
}

#[tokio::test]
async fn one_client_cancels_what_another_waits_for() {
    let Running { data, client, orchestrator: _orchestrator, server: _server, gate: _gate } =
        running().await;
    let other = Client::connect(data.path()).await.unwrap();
    let id = client.start(greeting("1")).await.unwrap();
    wait_until_running(&client, id).await;
    let (ended, cancelled) =
        tokio::join!(timeout(LONG, client.ended(id)), other.cancel(id, "other", Some("enough")));
    cancelled.unwrap();
    let ended = ended.unwrap().unwrap();
    assert_eq!(ended.status, Status::Cancelled);
    let cancel = ended.cancel.unwrap();
    assert_eq!((&*cancel.by, cancel.reason.as_deref()), ("other", Some("enough")));
}

#[tokio::test]
async fn following_shows_events_while_they_happen() {
    let Running { client, gate, server, data: _data, orchestrator: _orchestrator } =
        running().await;
    let from = client.last_position().await.unwrap() + 1;
    let mut follow = client.follow(from, None).await.unwrap();
    let quiet = timeout(Duration::from_millis(50), follow.next()).await;
    assert!(quiet.is_err(), "nothing has happened yet: {quiet:?}");
    let id = client.start(greeting("1")).await.unwrap();
    let next = timeout(LONG, follow.next()).await.unwrap().unwrap();
    assert!(matches!(&*next.event, Event::ExecutionStarted(_)));
    assert_eq!((next.position, next.stream), (from, id.0));
    gate.notify_one();
    let mut position = next.position;
    loop {
        let next = timeout(LONG, follow.next()).await.unwrap().unwrap();
        assert_eq!(next.position, position + 1);
        position = next.position;
        if matches!(&*next.event, Event::ExecutionCompleted(_)) {
            break;
        }
    }
    server.stop().await;
    let error = timeout(LONG, follow.next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "STOPPING");
}

#[tokio::test]
async fn malformed_lines_are_answered_and_the_connection_goes_on() {
    let Running { server, data: _data, orchestrator: _orchestrator, client: _client, gate: _gate } =
        running().await;
    let mut lines = Vec::new();
    lines.extend_from_slice(b"hello\n");
    lines.extend_from_slice(b"\xff\xfe\n");
    lines.extend_from_slice(b"\n");
    lines.extend_from_slice(b"{\"op\":\"list\",\"limit\":5}\n");
    lines.extend_from_slice(b"{\"id\":4}\n");
    lines.extend_from_slice(b"{\"id\":5,\"op\":\"burn\"}\n");
    lines.extend_from_slice(b"{\"id\":6,\"op\":\"list\",\"limit\":-1}\n");
    lines.extend_from_slice(b"{\"id\":7,\"op\":\"execution\",\"execution\":\"x\"}\n");
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let start =
        format!("{{\"id\":8,\"op\":\"start\",\"workflow\":\"greeting\",\"input\":{deep}}}\n");
    lines.extend_from_slice(start.as_bytes());
    lines.extend_from_slice(b"{\"id\":9,\"op\":\"workflows\"}\n");
    let answers = raw_lines(server.socket(), &lines, 10).await;
    assert_eq!(answers.len(), 10, "{answers:?}");
    let (last, faults) = answers.split_last().unwrap();
    let ids: Vec<_> = faults.iter().map(|answer| answer["id"].as_u64()).collect();
    let none = [None; 4];
    assert_eq!(ids, [&none[..], &[Some(4), Some(5), Some(6), Some(7), Some(8)]].concat());
    for answer in faults {
        assert_eq!(answer["error"]["code"], "CONTROL_PROTOCOL", "{answer}");
    }
    assert_eq!(*last, serde_json::json!({"id": 9, "ok": ["greeting"]}));
}

#[tokio::test]
async fn a_line_that_is_too_long_ends_the_connection_with_an_error() {
    let Running { server, client, data: _data, orchestrator: _orchestrator, gate: _gate } =
        running().await;
    let endless = vec![b'x'; MAX_REQUEST_BYTES + 1024 * 1024];
    // More lines than can come: reading goes on until the server hangs up.
    let answers = raw_lines(server.socket(), &endless, 2).await;
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["error"]["code"], "CONTROL_PROTOCOL");
    assert_eq!(answers[0]["id"], serde_json::Value::Null);

    let large = Json::parse(&format!("\"{}\"", "x".repeat(MAX_REQUEST_BYTES))).unwrap();
    let start = Start { workflow: "greeting".to_owned(), input: large, name: None };
    assert_eq!(client.start(start).await.unwrap_err().code(), "CONTROL_PROTOCOL");
}

#[tokio::test]
async fn an_input_of_eight_mebibytes_passes_through() {
    let Running { client, gate, data: _data, orchestrator: _orchestrator, server: _server } =
        running().await;
    let text = format!("\"{}\"", "x".repeat(8 * 1024 * 1024 - 100));
    let id = client.start(greeting(&text)).await.unwrap();
    gate.notify_one();
    let ended = timeout(LONG, client.ended(id)).await.unwrap().unwrap();
    assert_eq!(ended.status, Status::Completed, "{:?}", ended.failure);
    assert!(ended.output.unwrap().as_str() == text);
}

#[tokio::test]
async fn clients_past_the_limit_are_told_so() {
    let Running { server, client, data: _data, orchestrator: _orchestrator, gate: _gate } =
        running().await;
    let mut held = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        held.push(client.follow(1000, None).await.unwrap());
    }
    let busy = async {
        loop {
            match client.workflows().await {
                Err(error) => return error,
                // One of those held came before an earlier request's connection was gone.
                Ok(_) => held.push(client.follow(1000, None).await.unwrap()),
            }
        }
    };
    let error = timeout(LONG, busy).await.unwrap();
    assert_eq!(error.code(), "CONTROL_BUSY");
    assert!(error.hint().is_some());
    drop(held);
    let free = async {
        while client.workflows().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, free).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn the_socket_is_for_its_owner_alone_and_goes_when_the_server_stops() {
    let Running { data, server, client, orchestrator: _orchestrator, gate: _gate } =
        running().await;
    let socket = data.path().join("control.sock");
    assert_eq!(server.socket(), data.path().canonicalize().unwrap().join("control.sock"));
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let idle = BlockingStream::connect(&socket).unwrap();
    timeout(Duration::from_secs(1), server.stop()).await.unwrap();
    assert!(!socket.exists());
    assert_eq!(client.hello().await.unwrap_err().code(), "CONTROL_UNREACHABLE");
    let error = Client::connect(data.path()).await.unwrap_err();
    assert_eq!(error.code(), "CONTROL_UNREACHABLE");
    drop(idle);
}

#[tokio::test]
async fn dropping_the_server_ends_it_too() {
    let Running { data, server, client, orchestrator: _orchestrator, gate: _gate } =
        running().await;
    let mut follow = client.follow(1000, None).await.unwrap();
    drop(server);
    assert!(!data.path().join("control.sock").exists());
    let error = timeout(LONG, follow.next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "CONTROL_CLOSED");
}

#[tokio::test]
async fn waiting_for_an_execution_ends_with_the_server() {
    let Running { server, client, data: _data, orchestrator: _orchestrator, gate: _gate } =
        running().await;
    let id = client.start(greeting("1")).await.unwrap();
    wait_until_running(&client, id).await;
    let waits = client.ended(id);
    let stops = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        timeout(Duration::from_secs(1), server.stop()).await.unwrap();
    };
    let (ended, ()) = tokio::join!(timeout(LONG, waits), stops);
    assert_eq!(ended.unwrap().unwrap_err().code(), "STOPPING");
}

#[tokio::test]
async fn a_socket_that_nobody_serves_is_replaced() {
    let Running { data, orchestrator, server, client: _client, gate: _gate } = running().await;
    server.stop().await;
    let socket = data.path().join("control.sock");
    drop(BlockingListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let error = Client::connect(data.path()).await.unwrap_err();
    assert_eq!(error.code(), "CONTROL_UNREACHABLE");
    let server = serve(orchestrator.clone(), data.path()).await.unwrap();
    Client::connect(data.path()).await.unwrap();
    let error = serve(orchestrator, data.path()).await.unwrap_err();
    assert_eq!(error.code(), "CONTROL_IN_USE");
    Client::connect(data.path()).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let Running { data, orchestrator, server, client: _client, gate: _gate } = running().await;
    server.stop().await;
    let file = data.path().join("control.sock");
    std::fs::write(&file, "mine").unwrap();
    let error = serve(orchestrator, data.path()).await.unwrap_err();
    assert_eq!(error.code(), "CONTROL_SOCKET");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn a_stopped_server_does_not_remove_its_successors_socket() {
    let Running { data, orchestrator, server, client: _client, gate: _gate } = running().await;
    std::fs::remove_file(data.path().join("control.sock")).unwrap();
    let successor = serve(orchestrator, data.path()).await.unwrap();
    server.stop().await;
    Client::connect(data.path()).await.unwrap();
    successor.stop().await;
}

#[tokio::test]
async fn a_folder_with_a_long_path_has_its_socket_elsewhere() {
    let Running { data, orchestrator, server: _server, client: _client, gate: _gate } =
        running().await;
    let long = data.path().join("a".repeat(60)).join("b".repeat(60));
    std::fs::create_dir_all(&long).unwrap();
    let server = serve(orchestrator, &long).await.unwrap();
    let socket = server.socket().to_owned();
    assert!(!socket.starts_with(&long) && socket.as_os_str().len() <= 100);
    let folder = std::fs::metadata(socket.parent().unwrap()).unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    let named = std::fs::read_to_string(long.join("control.path")).unwrap();
    assert_eq!(Path::new(&named), socket);
    let hello = Client::connect(&long).await.unwrap().hello().await.unwrap();
    assert_eq!(Path::new(&hello.data), long.canonicalize().unwrap());
    server.stop().await;
    assert!(!socket.exists() && !long.join("control.path").exists());
    let error = Client::connect(&long).await.unwrap_err();
    assert_eq!(error.code(), "CONTROL_UNREACHABLE");
}

#[tokio::test]
async fn an_engine_of_another_version_is_named() {
    let data = tempfile::tempdir().unwrap();
    let listener = BlockingListener::bind(data.path().join("control.sock")).unwrap();
    let engine = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 256];
        assert!(stream.read(&mut request).unwrap() > 0);
        let answer = br#"{"id":1,"ok":{"program":"9.9.9","protocol":99,"pid":"of another kind"}}"#;
        stream.write_all(answer).unwrap();
        stream.write_all(b"\n").unwrap();
    });
    let error = Client::connect(data.path()).await.unwrap_err();
    engine.join().unwrap();
    assert_eq!(error, Error::Version { theirs: 99, program: "9.9.9".to_owned() });
    assert!(error.to_string().contains("9.9.9") && error.to_string().contains("99"), "{error}");
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_given_up() {
    let data = tempfile::tempdir().unwrap();
    let _mute = BlockingListener::bind(data.path().join("control.sock")).unwrap();
    let error = timeout(LONG, Client::connect(data.path())).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "CONTROL_UNREACHABLE");
}

#[tokio::test]
async fn an_engine_that_hangs_up_before_its_greeting_does_not_run() {
    let data = tempfile::tempdir().unwrap();
    let socket = data.path().join("control.sock");
    let listener = BlockingListener::bind(socket).unwrap();
    // As of an engine that was killed while the listener was open in a process it was starting.
    let hang_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let error = Client::connect(data.path()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    hang_up.join().unwrap();
}
