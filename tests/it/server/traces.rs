//! Traces of `everstep serve`, as a collector gets them.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Answer, Request, Stream};
use super::collector::{Collector, Span};
use super::program::{Serving, document, ran, serve_with};

/// What no span may hold.
const SECRETS: &[&str] = &["secret-input", "secret-output", "secret-cause", "secret-query"];
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Sooner than anybody could wait.
const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "5");
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// The first attempt fails, the second goes on for ever, all others give a result.
const MOODY: &str = r#"
[jobs.work]
command = ["sh", "-c", """
case $EVERSTEP_ATTEMPT in
1) echo secret-cause >&2; exit 1;;
2) exec sleep 1000;;
*) echo \"\\\"secret-output $TRACEPARENT\\\"\";;
esac"""]
env = ["PATH"]
"#;

fn machine() -> Value {
    let retry = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1000}]);
    let task = json!({"Type": "Task", "Resource": "work", "Retry": retry, "End": true});
    json!({"StartAt": "Work", "States": {"Work": task}})
}

struct Server {
    serving: Serving,
    token: String,
}

impl Server {
    /// One with a token, so that requests have something to hide.
    fn new(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let name =
            if folder.join("everstep-data/tokens.json").exists() { "again" } else { "first" };
        let made = ran(folder, &["--json", "token", "create", name, "--role", "admin"]);
        let token = document(&made)["token"].as_str().unwrap().to_owned();
        Self { serving: serve_with(folder, environment), token }
    }

    fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.serving.address, method, target).token(&self.token)
    }

    fn post(&self, target: &str, body: &Value) -> Answer {
        self.request("POST", target).json(body).send()
    }

    fn deploy(&self, definition: &Value) {
        let put = self.request("PUT", "/api/v1/workflows/w").json(definition).send();
        assert_eq!(put.status, 201, "{put:?}");
    }

    fn start(&self) -> String {
        let start = json!({"workflow": "w", "input": "secret-input"});
        let parent = format!("00-{TRACE}-{CALLER}-01");
        let request = self.request("POST", "/api/v1/executions").json(&start);
        let started = request.header("traceparent", &parent).send();
        assert_eq!(started.status, 201, "{started:?}");
        started.json()["id"].as_str().unwrap().to_owned()
    }

    fn log(&self) -> Stream {
        Stream::open(self.request("GET", "/api/v1/stream?topics=log&after=0"))
    }

    /// Stops it in order.
    fn stop(mut self) {
        self.serving.terminate();
        assert_eq!(self.serving.child.wait().unwrap().code(), Some(0));
    }
}

/// Waits until an event of this name was told.
fn seen(log: &mut Stream, name: &str) -> Value {
    log.find(|message| message.data["event"] == name).data
}

fn attempts(spans: &[Span]) -> Vec<&Span> {
    let mut attempts: Vec<&Span> = spans.iter().filter(|span| span.name == "job work").collect();
    attempts.sort_by_key(|span| span.attribute("everstep.job.attempt").to_owned());
    attempts
}

fn holds_no_secret(collector: &Collector, tokens: &[&str]) {
    let bodies = collector.bodies();
    assert!(!bodies.is_empty());
    for body in bodies {
        for secret in SECRETS.iter().chain(tokens) {
            let found = body.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} was told to the collector");
        }
    }
}

#[test]
fn all_attempts_of_an_execution_are_one_trace_also_after_a_crash() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
    std::fs::write(folder.path().join("everstep.toml"), MOODY).unwrap();
    let url = collector.url();
    let environment = [(ENDPOINT, url.as_str()), AT_ONCE];
    let first = Server::new(folder.path(), &environment);
    first.deploy(&machine());
    let mut log = first.log();
    let id = first.start();
    collector.until(|span| span.name == "job work");
    seen(&mut log, "RetryScheduled");
    let now = first.post(&format!("/api/v1/executions/{id}/retry"), &json!({"now": true}));
    assert_eq!(now.status, 200, "{now:?}");
    seen(&mut log, "JobStarted");
    let first_token = first.token.clone();
    // Dropping it is `kill -9`.
    drop(first);

    let second = Server::new(folder.path(), &environment);
    seen(&mut second.log(), "ExecutionCompleted");
    let output = second.request("GET", &format!("/api/v1/executions/{id}/output")).send().json();
    let second_token = second.token.clone();
    second.stop();
    holds_no_secret(&collector, &[&first_token, &second_token]);

    let spans = collector.spans();
    let run = spans.iter().find(|span| span.name == "execution w").unwrap();
    assert_eq!((&run.trace, run.parent.as_str()), (&id.replace('-', ""), ""));
    assert_eq!(run.attribute("everstep.execution.result"), "completed");
    assert_eq!((run.status, run.service.as_str()), (0, "everstep"));
    let attempts = attempts(&spans);
    let told: Vec<_> = attempts
        .iter()
        .map(|span| {
            let of = |name: &str| span.attribute(name).to_owned();
            (of("everstep.job.attempt"), of("everstep.job.result"), span.status)
        })
        .collect();
    let expected = [("1", "failed", 2), ("2", "lost", 2), ("3", "succeeded", 0)];
    let expected = expected.map(|(number, word, status)| (number.into(), word.into(), status));
    assert_eq!(told, expected);
    // What the command of the third was told.
    let last = format!("secret-output 00-{}-{}-01", run.trace, attempts[2].id);
    assert_eq!(output, json!(last));
    for span in attempts {
        assert_eq!((&span.trace, &span.parent), (&run.trace, &run.id));
        assert_eq!(span.attribute("everstep.execution.id"), id);
        assert_eq!(span.attribute("everstep.workflow"), "w");
        assert_eq!(span.attribute("everstep.job.type"), "work");
        assert_eq!(span.attribute("everstep.step"), "Work");
        assert!(run.start_ns <= span.start_ns && span.end_ns <= run.end_ns, "{run:?} {span:?}");
    }
}

#[test]
fn a_request_is_a_span_of_its_callers_trace_and_leads_to_the_execution() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
    let (url, service) = (collector.url(), ("OTEL_SERVICE_NAME", "orders"));
    let server = Server::new(folder.path(), &[(ENDPOINT, &url), service]);
    server.deploy(&json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}));
    let id = server.start();
    let query = format!("/api/v1/executions/{id}/events?q=secret-query");
    assert_eq!(server.request("GET", &query).send().status, 200);
    assert_eq!(server.request("BREW", "/secret-query").send().status, 404);
    let token = server.token.clone();
    server.stop();
    holds_no_secret(&collector, &[&token]);

    let spans = collector.spans();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let start = named("POST /api/v1/executions");
    assert_eq!((start.trace.as_str(), start.parent.as_str()), (TRACE, CALLER));
    assert_eq!((start.kind, start.service.as_str()), (2, "orders"));
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/executions"),
        ("http.response.status_code", "201"),
        ("everstep.operation", "start_execution"),
        ("everstep.execution.id", &id),
    ] {
        assert_eq!(start.attribute(name), value);
    }
    let run = named("execution w");
    assert_eq!(start.links, [(run.trace.clone(), run.id.clone())]);
    assert_eq!(run.trace, id.replace('-', ""));
    let events = named("GET /api/v1/executions/{id}/events");
    assert!(events.parent.is_empty() && events.trace != TRACE, "{events:?}");
    let nowhere = named("HTTP");
    assert_eq!(nowhere.attribute("http.request.method"), "_OTHER");
    assert_eq!(nowhere.attribute("everstep.problem"), "NO_SUCH_ROUTE");
}

#[test]
fn a_collector_that_is_gone_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{gone}");
    let little = ("OTEL_BSP_MAX_QUEUE_SIZE", "4");
    let server = Server::new(folder.path(), &[(ENDPOINT, &url), little, AT_ONCE]);
    server.deploy(&json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}));
    let mut log = server.log();
    for _ in 0..30 {
        server.start();
        seen(&mut log, "ExecutionCompleted");
    }
    let metrics = server.request("GET", "/metrics").send().body;
    let count = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(count("everstep_spans_exported_total"), 0);
    assert!(count("everstep_spans_dropped_total") > 20, "{metrics}");
    server.stop();
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    assert_eq!(said.matches("the collector does not take traces").count(), 1, "{said}");
    assert_eq!(said.matches("spans were dropped").count(), 1, "{said}");
}

#[test]
fn a_collector_that_never_answers_holds_up_no_stop() {
    let folder = TempDir::new().unwrap();
    // Connections to it are made, and nobody ever takes them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let patient = ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000");
    let server = Server::new(folder.path(), &[(ENDPOINT, &url), patient, AT_ONCE]);
    server.deploy(&json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}));
    server.start();
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    assert!(said.contains("the last traces were not told in time"), "{said}");
}

#[test]
fn a_worker_afar_is_told_the_span_of_its_attempt() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
    let url = collector.url();
    let server = Server::new(folder.path(), &[(ENDPOINT, &url)]);
    server.deploy(&machine());
    let id = server.start();
    let ask = json!({"worker": "w1", "types": ["work"]});
    let job = server.post("/api/v1/jobs/poll", &ask).json()["items"][0].clone();
    let done = json!({"token": job["token"], "output": "secret-output"});
    assert_eq!(server.post("/api/v1/jobs/complete", &done).status, 200);
    seen(&mut server.log(), "ExecutionCompleted");
    server.stop();
    holds_no_secret(&collector, &[job["token"].as_str().unwrap()]);
    let spans = collector.spans();
    let attempt = attempts(&spans)[0];
    assert_eq!(job["traceparent"], format!("00-{}-{}-01", attempt.trace, attempt.id));
    assert_eq!(attempt.trace, id.replace('-', ""));
    assert_eq!(attempt.attribute("everstep.worker"), "remote w1");
}

#[test]
fn what_is_sampled_is_the_same_for_all_of_a_trace_and_nothing_is_told_without_an_endpoint() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
    let url = collector.url();
    let config = format!("[traces]\nendpoint = {url:?}\n");
    std::fs::write(folder.path().join("everstep.toml"), config).unwrap();
    let job_of = |environment: &[(&str, &str)]| {
        let server = Server::new(folder.path(), environment);
        drop(server.request("PUT", "/api/v1/workflows/w").json(&machine()).send());
        let started = server.post("/api/v1/executions", &json!({"workflow": "w"}));
        assert_eq!(started.status, 201, "{started:?}");
        let ask = json!({"worker": "w1", "types": ["work"]});
        let job = server.post("/api/v1/jobs/poll", &ask).json()["items"][0].clone();
        let done = json!({"token": job["token"]});
        assert_eq!(server.post("/api/v1/jobs/complete", &done).status, 200);
        server.stop();
        job
    };
    let job = job_of(&[("OTEL_TRACES_SAMPLER", "always_off")]);
    assert!(job["traceparent"].as_str().unwrap().ends_with("-00"), "{job}");
    let job = job_of(&[("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(job["traceparent"], Value::Null);
    assert!(collector.bodies().is_empty());
    // The file says where to, unless the environment says something else.
    let job = job_of(&[]);
    assert!(job["traceparent"].as_str().unwrap().ends_with("-01"), "{job}");
    assert!(!attempts(&collector.spans()).is_empty());
}
