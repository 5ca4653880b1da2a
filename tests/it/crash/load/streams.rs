//! Clients that watch: all events, the rows of a list, or one execution after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::Load;
use super::line::News;
use super::workers::breathe;

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

/// Reads the log over every kill: each event comes, and none out of its order.
async fn read_log(load: Arc<Load>, counts: bool) {
    let (mut last, mut position) = (0, 0);
    while load.goes_on() {
        let Some(mut news) = News::open(load.address, "log", Some(last)).await else {
            breathe().await;
            continue;
        };
        loop {
            let message = tokio::select! {
                message = news.next() => message,
                () = load.over() => None,
            };
            let Some((event, id, data)) = message else { break };
            last = id.unwrap_or(last);
            assert_ne!(event, "resync", "the log is told whole");
            let Some(told) = data["position"].as_u64() else { continue };
            assert!(told <= position + 1, "{told} after {position}");
            // Some may be told again after a break.
            if told <= position {
                continue;
            }
            position = told;
            if counts && data["event"] == "ExecutionCompleted" {
                load.ended.fetch_add(1, Ordering::SeqCst);
                load.window.add_permits(1);
            }
        }
    }
}

async fn read_rows(load: Arc<Load>) {
    let mut last = None;
    while load.goes_on() {
        let Some(mut news) = News::open(load.address, "executions", last).await else {
            breathe().await;
            continue;
        };
        loop {
            let message = tokio::select! {
                message = news.next() => message,
                () = load.over() => None,
            };
            let Some((_, id, _)) = message else { break };
            last = id.or(last);
        }
    }
}

/// Watches one execution to its end, then another.
async fn watch_cards(load: Arc<Load>, n: usize) {
    let mut last = String::new();
    while load.goes_on() {
        let newest = load.started.lock().unwrap().keys().nth_back(n % 8).cloned();
        match newest {
            Some(execution) if execution != last => {
                tokio::select! {
                    () = watch_card(&load, &execution) => {}
                    () = load.over() => return,
                }
                last = execution;
            }
            _ => breathe().await,
        }
    }
}

async fn watch_card(load: &Load, execution: &str) {
    let topic = format!("execution:{execution}");
    let (mut last, mut progress) = (None, 0);
    loop {
        let Some(mut news) = News::open(load.address, &topic, last).await else {
            breathe().await;
            continue;
        };
        while let Some((event, id, card)) = news.next().await {
            last = id.or(last);
            if event != "execution" {
                continue;
            }
            let now = card["progress"].as_u64().unwrap();
            assert!(now >= progress, "{progress}% before {card}");
            progress = now;
            if card["status"] == "completed" {
                load.watched.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    }
}
