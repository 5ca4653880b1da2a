//! Clients that watch: all events, the rows of a list, or one execution after the other.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::line::News;
use super::{Load, breathe};

pub(super) fn spawn(load: &Arc<Load>, clients: &mut JoinSet<()>, on: &Handle) {
    for n in 0..load.workers {
        match n % 100 {
            // One counts for all what has ended.
            0 => clients.spawn_on(read_log(load.clone(), n == 0), on),
            1..10 => clients.spawn_on(read_rows(load.clone()), on),
            _ => clients.spawn_on(watch_cards(load.clone(), n), on),
        };
    }
}

/// Follows a topic from a position on, over every kill, until `each` says that it is enough or there
/// is nothing more to do. Of each message it gets the event and the data.
async fn follow(
    load: &Load,
    topic: &str,
    mut after: Option<u64>,
    mut each: impl FnMut(&str, &Value) -> ControlFlow<()>,
) {
    while load.goes_on() {
        let Some(mut news) = News::open(load.address, topic, after).await else {
            breathe().await;
            continue;
        };
        loop {
            let message = tokio::select! {
                message = news.next() => message,
                () = load.over() => None,
            };
            let Some((event, id, data)) = message else { break };
            after = id.or(after);
            if each(&event, &data).is_break() {
                return;
            }
        }
    }
}

/// Reads the log: each event comes, and none out of its order.
async fn read_log(load: Arc<Load>, counts: bool) {
    let mut position = 0;
    let each = |event: &str, data: &Value| {
        assert_ne!(event, "resync", "the log is told whole");
        if let Some(told) = data["position"].as_u64() {
            assert!(told <= position + 1, "{told} after {position}");
            // Some may be told again after a break.
            let is_new = told > position;
            position = told.max(position);
            if is_new && counts && data["event"] == "ExecutionCompleted" {
                load.ended.fetch_add(1, Ordering::SeqCst);
                load.window.add_permits(1);
            }
        }
        ControlFlow::Continue(())
    };
    follow(&load, "log", Some(0), each).await;
}

async fn read_rows(load: Arc<Load>) {
    follow(&load, "executions", None, |_, _| ControlFlow::Continue(())).await;
}

/// Watches one execution to its end, then another.
async fn watch_cards(load: Arc<Load>, n: usize) {
    let mut last = String::new();
    while load.goes_on() {
        let newest = load.started.lock().unwrap().keys().nth_back(n % 8).cloned();
        match newest {
            Some(execution) if execution != last => {
                watch_card(&load, &execution).await;
                last = execution;
            }
            _ => breathe().await,
        }
    }
}

async fn watch_card(load: &Load, execution: &str) {
    let mut progress = 0;
    let each = |event: &str, card: &Value| {
        if event != "execution" {
            return ControlFlow::Continue(());
        }
        let now = card["progress"].as_u64().unwrap();
        assert!(now >= progress, "{progress}% before {card}");
        progress = now;
        if card["status"] != "completed" {
            return ControlFlow::Continue(());
        }
        load.watched.fetch_add(1, Ordering::SeqCst);
        ControlFlow::Break(())
    };
    follow(load, &format!("execution:{execution}"), None, each).await;
}
