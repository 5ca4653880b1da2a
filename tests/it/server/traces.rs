//! Traces of `everstep serve`, as a collector gets them.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use everstep::worker::remote::RemoteWorker;
use everstep::worker::{JobContext, Registry};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Answer, Request, Stream};
use super::collector::{Collector, Span};
use super::program::{Serving, command, document, ran, serve_with};

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
        let kept = folder.join("token");
        let token = std::fs::read_to_string(&kept).unwrap_or_else(|_| {
            let made = ran(folder, &["--json", "token", "create", "me", "--role", "admin"]);
            document(&made)["token"].as_str().unwrap().to_owned()
        });
        std::fs::write(kept, &token).unwrap();
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
    // Dropping it is `kill -9`.
    drop(first);

    let second = Server::new(folder.path(), &environment);
    seen(&mut second.log(), "ExecutionCompleted");
    let output = second.request("GET", &format!("/api/v1/executions/{id}/output")).send().json();
    let token = second.token.clone();
    second.stop();
    holds_no_secret(&collector, &[&token]);

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
fn a_run_without_a_server_is_told_too_and_compressed_when_that_is_asked_for() {
    for compression in ["gzip", "none"] {
        let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
        let machine = json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}});
        std::fs::write(folder.path().join("w.json"), machine.to_string()).unwrap();
        let mut run = command(folder.path(), &["--json", "run", "w.json"]);
        let compressed = ("OTEL_EXPORTER_OTLP_COMPRESSION", compression);
        let ran = run.envs([(ENDPOINT, &*collector.url()), compressed]).output().unwrap();
        let id = document(&ran)["job_id"].as_str().unwrap().to_owned();
        let spans = collector.spans();
        let [told] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!((&*told.name, &told.trace), ("execution w", &id.replace('-', "")));
        assert_eq!(collector.compressed(), usize::from(compression == "gzip"));
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
    let began = tokio::time::Instant::now();
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
    let job = job_of(&[("OTEL_TRACES_SAMPLER", "nonsense")]);
    assert!(job["traceparent"].as_str().unwrap().ends_with("-01"), "{job}");
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    assert!(said.contains("Unrecognized sampler type 'nonsense'"), "{said}");
    // The file says where to, unless the environment says something else.
    let job = job_of(&[]);
    assert!(job["traceparent"].as_str().unwrap().ends_with("-01"), "{job}");
    assert!(!attempts(&collector.spans()).is_empty());
}

#[test]
fn a_handler_of_a_remote_worker_is_told_the_span_of_its_attempt() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
    let url = collector.url();
    let server = Server::new(folder.path(), &[(ENDPOINT, &url)]);
    server.deploy(&machine());
    let mut registry = Registry::new();
    registry.handle("work", |job: JobContext, _: Value| async move {
        Ok(job.traceparent().map(str::to_owned))
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let worker = RemoteWorker::builder(format!("http://{}", server.serving.address));
    let worker = worker.token(&server.token).registry(registry);
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = runtime.spawn(async move {
        let worker = worker.build().unwrap();
        worker.run(async move { drop(ended.await) }).await.unwrap()
    });
    let id = server.start();
    seen(&mut server.log(), "ExecutionCompleted");
    end.send(()).unwrap();
    runtime.block_on(running).unwrap();
    let told = server.request("GET", &format!("/api/v1/executions/{id}/output")).send().json();
    server.stop();
    let spans = collector.spans();
    let attempt = attempts(&spans)[0];
    assert_eq!(told, json!(format!("00-{}-{}-01", attempt.trace, attempt.id)));
}

#[test]
fn what_is_redriven_stands_below_what_it_was_at_first() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
    std::fs::write(folder.path().join("everstep.toml"), MOODY).unwrap();
    let url = collector.url();
    let server = Server::new(folder.path(), &[(ENDPOINT, &url)]);
    let task = json!({"Type": "Task", "Resource": "work", "End": true});
    server.deploy(&json!({"StartAt": "Work", "States": {"Work": task}}));
    let mut log = server.log();
    let id = server.start();
    seen(&mut log, "ExecutionFailed");
    let again = server.post(&format!("/api/v1/executions/{id}/retry"), &json!({}));
    assert_eq!(again.status, 200, "{again:?}");
    seen(&mut log, "ExecutionFailed");
    server.stop();
    let spans = collector.spans();
    let mut runs: Vec<&Span> = spans.iter().filter(|span| span.name == "execution w").collect();
    runs.sort_by_key(|span| span.attribute("everstep.execution.redrives").to_owned());
    let [first, second] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((first.parent.as_str(), second.parent.as_str()), ("", &*first.id));
    assert_eq!((&first.trace, &second.trace), (&id.replace('-', ""), &first.trace));
    assert_eq!((first.status, first.attribute("everstep.execution.result")), (2, "failed"));
    let attempts = attempts(&spans);
    let parents: Vec<&String> = attempts.iter().map(|attempt| &attempt.parent).collect();
    assert_eq!(parents, [&first.id, &second.id]);
    assert_ne!(attempts[0].id, attempts[1].id);
    assert_eq!(attempts[0].attribute("error.type"), "Everstep.CommandFailed");
}

#[test]
fn an_execution_that_another_began_is_a_trace_of_its_own_with_a_link() {
    let (folder, collector) = (TempDir::new().unwrap(), Collector::new());
    let url = collector.url();
    let server = Server::new(folder.path(), &[(ENDPOINT, &url)]);
    server.deploy(&json!({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}));
    let begins = json!({"Type": "Task", "Resource": "states:startExecution.sync", "End": true,
        "Parameters": {"StateMachineArn": "w", "Input": {"a": "secret-input"}}});
    let parent = json!({"StartAt": "A", "States": {"A": begins}});
    let put = server.request("PUT", "/api/v1/workflows/parent").json(&parent).send();
    assert_eq!(put.status, 201, "{put:?}");
    server.post("/api/v1/executions", &json!({"workflow": "parent"}));
    let mut log = server.log();
    seen(&mut log, "ExecutionCompleted");
    seen(&mut log, "ExecutionCompleted");
    let token = server.token.clone();
    server.stop();
    holds_no_secret(&collector, &[&token]);
    let spans = collector.spans();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (child, parent) = (named("execution w"), named("execution parent"));
    let place = |span: &Span| (span.trace.clone(), span.id.clone());
    assert_ne!(child.trace, parent.trace);
    assert_eq!(child.links, [place(parent)]);
    let began = spans.iter().find(|span| span.parent == parent.id).unwrap();
    assert_eq!(began.links, [place(child)]);
    assert_eq!(began.attribute("everstep.job.result"), "succeeded");
}

#[test]
fn where_traces_go_is_shown_with_the_place_that_said_so() {
    let folder = TempDir::new().unwrap();
    let show = |environment: &[(&str, &str)]| {
        let mut command = command(folder.path(), &["--json", "config", "show"]);
        command.env_remove(ENDPOINT).envs(environment.iter().copied());
        let settings = document(&command.output().unwrap())["items"].clone();
        let of = |key: &str| {
            let all = settings.as_array().unwrap();
            let setting = all.iter().find(|setting| setting["key"] == key).unwrap();
            (setting["value"].clone(), setting["from"].clone())
        };
        (of("traces.endpoint"), of("traces.service"))
    };
    let pair = |value: &str, from: &str| (json!(value), json!(from));
    assert_eq!(show(&[]), (pair("", "default"), pair("everstep", "default")));
    let file = "[traces]\nendpoint = \"http://a:4318\"\nservice = \"orders\"\n";
    std::fs::write(folder.path().join("everstep.toml"), file).unwrap();
    assert_eq!(show(&[]), (pair("http://a:4318", "file"), pair("orders", "file")));
    let (endpoint, _) = show(&[(ENDPOINT, "http://b:4318")]);
    assert_eq!(endpoint, pair("http://b:4318", "environment"));
    let full = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/t");
    let (endpoint, _) = show(&[(ENDPOINT, "http://b:4318"), full]);
    assert_eq!(endpoint, pair("http://c/t", "environment"));
    let mut serve = command(folder.path(), &["serve", "--listen", "off"]);
    let output = serve.env(ENDPOINT, "collector:4317").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("[TRACES_ENDPOINT]"), "{said}");
}
