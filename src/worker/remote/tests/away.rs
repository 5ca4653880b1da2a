//! The server is away, and comes back.

use std::sync::Arc;

use serde_json::json;

use super::super::backoff::Backoff;
use super::super::wire::{POLL, REPORT};
use super::server::{Fault, Server};
use super::{DONE, Hasty, RemoteError, Working, builder, virtual_clock};

#[tokio::test]
async fn a_worker_waits_longer_and_longer_for_a_server_that_is_away() {
    let mut server = Server::start().await;
    server.go_away().await;
    let clock = virtual_clock();
    let working = Working::start(builder(&server, clock.clone()));
    let mut expected = Backoff::new(7);
    for _ in 0..8 {
        let wait = expected.failed();
        clock.somebody_sleeps(wait).await;
        clock.advance(wait);
    }
    clock.somebody_sleeps(expected.failed()).await;
    server.come_back().await;
    clock.advance(std::time::Duration::from_secs(10));
    server.offer(1, "double", &json!(4));
    assert_eq!(server.end(1).await["output"], 8);
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn a_result_is_told_until_it_is_answered_and_has_effect_once() {
    let faults = [
        Fault::HangUp,
        Fault::Status(503, "NOT_READY"),
        Fault::Status(429, "TOO_MANY_REQUESTS"),
        Fault::Status(401, "UNAUTHORIZED"),
        Fault::Passing("STOPPING"),
        Fault::CutOff,
    ];
    let server = Server::start().await;
    let clock = Arc::new(Hasty::default());
    let working = Working::start(builder(&server, clock.clone()));
    for (number, fault) in (1..).zip(faults) {
        server.set(|state| state.faults.extend([(REPORT, fault), (REPORT, fault)]));
        server.offer(number, "double", &json!(number));
        assert_eq!(server.end(number).await["output"], 2 * number, "{fault:?}");
    }
    server.until(|state| state.faults.is_empty().then_some(())).await;
    assert_eq!(working.stop(&server).await, DONE);
    server.set(|state| {
        let ends = state.reports.iter().filter(|report| report["kind"] == "completed");
        assert_eq!(ends.count(), faults.len());
    });
}

#[tokio::test]
async fn a_server_that_breaks_down_and_comes_back_gets_every_result() {
    let mut server = Server::start().await;
    let working = Working::start(builder(&server, Arc::new(Hasty::default())));
    for number in 1..=20 {
        server.offer(number, "double", &json!(number));
        if number % 3 == 0 {
            // Whatever is on its way is cut off: a job that was given is given again, as when its
            // lease is over.
            server.go_away().await;
            server.come_back().await;
            let token = format!("token {number}");
            let is_over = server.set(|state| {
                state.ends.contains_key(&token)
                    || state.jobs.iter().any(|job| job["token"] == *token)
            });
            if !is_over {
                server.offer(number, "double", &json!(number));
            }
        }
        assert_eq!(server.end(number).await["output"], 2 * number);
    }
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn requests_for_jobs_go_on_after_every_kind_of_trouble() {
    let server = Server::start().await;
    server.set(|state| {
        state.faults.extend([
            (POLL, Fault::HangUp),
            (POLL, Fault::Status(503, "")),
            (POLL, Fault::Status(502, "")),
        ]);
    });
    let clock = Arc::new(Hasty::default());
    let working = Working::start(builder(&server, clock.clone()));
    server.offer(1, "double", &json!(1));
    server.end(1).await;
    // Later also a refusal is something that may pass.
    server.set(|state| state.faults.push_back((POLL, Fault::Status(403, "FORBIDDEN"))));
    server.offer(2, "double", &json!(1));
    server.end(2).await;
    server.offer(3, "double", &json!(1));
    server.end(3).await;
    assert!(clock.0.lock().unwrap().len() >= 4);
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn a_request_whose_answer_was_cut_off_is_named_by_the_next() {
    let server = Server::start().await;
    server.set(|state| state.faults.push_back((POLL, Fault::CutOff)));
    let working = Working::start(builder(&server, Arc::new(Hasty::default())));
    server.offer(1, "double", &json!(1));
    let named = server
        .until(|state| match state.polls.as_slice() {
            [first, second, ..] => {
                let names = (first["request"].clone(), second["unanswered"].clone());
                Some((names, second["request"].clone()))
            }
            _ => None,
        })
        .await;
    let ((cut_off, unanswered), next) = named;
    assert_eq!(unanswered, json!([cut_off]));
    assert_ne!(cut_off, next);
    server.offer(2, "double", &json!(2));
    server.end(2).await;
    server.set(|state| assert_eq!(state.polls[2]["unanswered"], json!([]), "it has been told"));
    assert_eq!(working.stop(&server).await, DONE);
}

#[tokio::test]
async fn a_server_that_wants_nothing_of_the_worker_ends_it_at_the_start() {
    let server = Server::start().await;
    server.set(|state| state.faults.push_back((POLL, Fault::Status(401, "UNAUTHORIZED"))));
    let refused = Working::start(builder(&server, virtual_clock())).ended().await.unwrap_err();
    assert_eq!(refused.code(), "WORKER_REFUSED");
    assert!(matches!(refused, RemoteError::Refused { status: 401, .. }), "{refused}");
}

#[tokio::test]
async fn a_result_that_is_too_large_for_the_server_fails_its_job_and_no_other() {
    let server = Server::start().await;
    server.set(|state| state.largest = Some(400));
    let mut registry = crate::worker::Registry::new();
    registry.handle("repeat", |_: crate::worker::JobContext, count: usize| async move {
        Ok("x".repeat(count))
    });
    let working = Working::start(builder(&server, virtual_clock()).registry(registry));
    server.offer(1, "repeat", &json!(5));
    server.offer(2, "repeat", &json!(5000));
    server.offer(3, "repeat", &json!(5));
    assert_eq!(server.end(1).await["output"], "xxxxx");
    assert_eq!(server.end(3).await["output"], "xxxxx");
    let failed = server.end(2).await;
    assert_eq!(
        (&failed["kind"], &failed["error"]),
        (&json!("failed"), &json!("Everstep.InvalidOutput"))
    );
    assert_eq!(working.stop(&server).await, DONE);
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn a_result_that_is_refused_as_stale_is_dropped_and_the_log_says_so() {
    use std::io::Write;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    // The whole test runs on this thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    server.set(|state| state.stale.insert("token 1".to_owned()));
    let working = Working::start(builder(&server, virtual_clock()));
    server.offer(1, "panics", &json!(4));
    server.until(|state| (state.report_requests == 1).then_some(())).await;
    server.offer(2, "double", &json!(4));
    server.end(2).await;
    assert_eq!(working.stop(&server).await, DONE);
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("a result is dropped") && said.contains("STALE_TOKEN"), "{said}");
    assert!(!said.contains("token 1"), "tokens are never logged: {said}");
}
