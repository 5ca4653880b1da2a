//! Figures for Prometheus, in its text format.
//!
//! Names are a promise; `docs/SERVER.md` lists them. No label ever holds an id: there would be no end
//! of series.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::reply::of_type;
use super::role::Role;
use super::route::{Access, Answer, Call, Given, Route};
use crate::runtime::{Histogram, SystemFigures};

/// Every metric: name, type, and what it says.
const METRICS: &[(&str, &str, &str)] = &[
    ("everstep_build_info", "gauge", "The version of the program; always 1."),
    ("everstep_executions", "gauge", "Executions that have not ended, by status."),
    ("everstep_executions_set_aside", "gauge", "Executions that wait for people."),
    (
        "everstep_executions_ended_total",
        "counter",
        "Executions that ended since the start, by status.",
    ),
    ("everstep_jobs", "gauge", "Open jobs, by status."),
    ("everstep_job_slots", "gauge", "Attempts of a job type that may run at once."),
    ("everstep_jobs_running", "gauge", "Attempts of a job type that run."),
    ("everstep_queue_depth", "gauge", "Attempts of a job type that wait for a slot."),
    ("everstep_queue_age_seconds", "gauge", "How long the oldest of those has waited."),
    ("everstep_log_position", "gauge", "The position of the last durable event."),
    ("everstep_events_committed_total", "counter", "Events that became durable since the start."),
    ("everstep_commit_seconds", "histogram", "How long commits took."),
    ("everstep_commit_transitions", "histogram", "How many transitions a commit held."),
    ("everstep_recovery_seconds", "gauge", "How long the recovery at the start took."),
    ("everstep_recovery_events_read", "gauge", "Events that it read."),
    ("everstep_store_bytes", "gauge", "Bytes of the data folder on disk."),
    ("everstep_http_requests_total", "counter", "Requests that were answered, by class of status."),
    ("everstep_http_connections", "gauge", "Connections that are open."),
    (
        "everstep_http_connections_refused_total",
        "counter",
        "Connections for which there was no place.",
    ),
    ("everstep_http_streams", "gauge", "Streams that are open."),
    ("everstep_http_polls", "gauge", "Workers that wait for jobs."),
    ("everstep_spans_exported_total", "counter", "Spans that the collector took."),
    ("everstep_spans_dropped_total", "counter", "Spans that were dropped."),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/metrics", "metrics", metrics)
            .about("Figures for Prometheus.")
            .gives(Given::Other("text/plain")),
    ]
}

async fn metrics(call: Call) -> Answer {
    let app = &call.app;
    let figures = app.engine.figures().await?;
    let folder = app.settings.data.clone();
    // It asks the disk about every file.
    let bytes = tokio::task::spawn_blocking(move || folder.map(|folder| folder_bytes(&folder)));
    let mut text = Text::default();
    of_engine(&mut text, &figures);
    text.number("everstep_log_position", app.engine.last_position());
    let recovery = app.engine.recovery_report();
    text.seconds("everstep_recovery_seconds", "", recovery.took_ms.saturating_mul(1000));
    text.number("everstep_recovery_events_read", recovery.events_read);
    if let Ok(Some(bytes)) = bytes.await {
        text.number("everstep_store_bytes", bytes);
    }
    text.head("everstep_http_requests_total");
    for (class, count) in app.counts.by_class() {
        text.line("everstep_http_requests_total", &format!("{{class=\"{class}\"}}"), count);
    }
    let open = app.counts.connections.load(Ordering::Relaxed);
    text.number("everstep_http_connections", open);
    let turned_away = app.counts.turned_away.load(Ordering::Relaxed);
    text.number("everstep_http_connections_refused_total", turned_away);
    text.number("everstep_http_streams", u64::try_from(app.seats.taken()).unwrap_or(u64::MAX));
    text.number("everstep_http_polls", u64::try_from(app.poll_seats.taken()).unwrap_or(u64::MAX));
    if let Some(spans) = app.settings.traces.counts() {
        text.number("everstep_spans_exported_total", spans.exported);
        text.number("everstep_spans_dropped_total", spans.dropped);
    }
    Ok(of_type("text/plain; version=0.0.4; charset=utf-8", text.0))
}

fn of_engine(text: &mut Text, figures: &SystemFigures) {
    text.head("everstep_build_info");
    let version = env!("CARGO_PKG_VERSION");
    text.line("everstep_build_info", &format!("{{version=\"{version}\"}}"), 1);
    text.head("everstep_executions");
    for status in ["pending", "running", "cancelling"] {
        let count = figures.unfinished.executions.get(status).copied().unwrap_or(0);
        text.line("everstep_executions", &format!("{{status=\"{status}\"}}"), count);
    }
    text.number("everstep_executions_set_aside", figures.unfinished.set_aside);
    text.head("everstep_executions_ended_total");
    for (status, count) in &figures.ended {
        let labels = format!("{{status=\"{status}\"}}");
        text.line("everstep_executions_ended_total", &labels, *count);
    }
    text.head("everstep_jobs");
    for status in ["pending", "running", "waiting", "retrying", "cancelling"] {
        let count = figures.unfinished.jobs.get(status).copied().unwrap_or(0);
        text.line("everstep_jobs", &format!("{{status=\"{status}\"}}"), count);
    }
    of_job_types(text, figures);
    text.number("everstep_events_committed_total", figures.commits.events);
    text.histogram("everstep_commit_seconds", &figures.commits.latency_us, 1_000_000.0);
    text.histogram("everstep_commit_transitions", &figures.commits.group_transitions, 1.0);
}

fn of_job_types(text: &mut Text, figures: &SystemFigures) {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let types = || figures.job_types.iter().map(|of| (label("job_type", &of.job_type), of));
    text.head("everstep_job_slots");
    types().for_each(|(label, of)| text.line("everstep_job_slots", &label, number(of.slots)));
    text.head("everstep_jobs_running");
    types().for_each(|(label, of)| text.line("everstep_jobs_running", &label, number(of.running)));
    text.head("everstep_queue_depth");
    types().for_each(|(label, of)| text.line("everstep_queue_depth", &label, number(of.waiting)));
    text.head("everstep_queue_age_seconds");
    for (label, of) in types() {
        let age = of.oldest.unwrap_or_default().as_micros();
        let age = u64::try_from(age).unwrap_or(u64::MAX);
        text.value("everstep_queue_age_seconds", &label, age);
    }
}

/// A label with a value that people chose.
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}

/// Bytes of all files below a folder.
fn folder_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => bytes += data.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str) {
        if let Some((_, kind, about)) = METRICS.iter().find(|(known, ..)| *known == name) {
            self.0.push_str(&format!("# HELP {name} {about}\n# TYPE {name} {kind}\n"));
        }
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        self.0.push_str(&format!("{name}{labels} {value}\n"));
    }

    /// A metric without labels.
    fn number(&mut self, name: &str, value: u64) {
        self.head(name);
        self.line(name, "", value);
    }

    /// Microseconds, as seconds.
    fn value(&mut self, name: &str, labels: &str, micros: u64) {
        self.0.push_str(&format!("{name}{labels} {}\n", seconds(micros)));
    }

    fn seconds(&mut self, name: &str, labels: &str, micros: u64) {
        self.head(name);
        self.value(name, labels, micros);
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram, per_unit: f64) {
        self.head(name);
        let whole = |value: u64| std::time::Duration::from_micros(value).as_secs_f64() * 1e6;
        for (bound, count) in &histogram.buckets {
            let bound = whole(*bound) / per_unit;
            self.line(&format!("{name}_bucket"), &format!("{{le=\"{bound}\"}}"), *count);
        }
        self.line(&format!("{name}_bucket"), "{le=\"+Inf\"}", histogram.count);
        self.0.push_str(&format!("{name}_sum {}\n", whole(histogram.sum) / per_unit));
        self.line(&format!("{name}_count"), "", histogram.count);
    }
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_metric() {
        let text = std::fs::read_to_string("docs/SERVER.md").unwrap();
        for (name, ..) in METRICS {
            assert!(text.contains(&format!("| `{name}` |")), "docs/SERVER.md does not list {name}");
        }
    }

    #[test]
    fn names_of_job_types_break_no_line() {
        assert_eq!(label("job_type", "a\"b\\c\nd"), "{job_type=\"a\\\"b\\\\c\\nd\"}");
    }
}
