//! Clients that start executions, each again until it is acknowledged.

use std::sync::Arc;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::line::Line;
use super::{Load, breathe};

const STARTERS: u64 = 4;

pub(super) fn spawn(load: &Arc<Load>, clients: &mut JoinSet<()>, on: &Handle) {
    for first in 0..STARTERS {
        clients.spawn_on(start_all(load.clone(), first), on);
    }
}

async fn start_all(load: Arc<Load>, first: u64) {
    let mut line = Line::new(load.address);
    for n in (first..load.executions).step_by(usize::try_from(STARTERS).unwrap()) {
        // Given back by who sees an end.
        load.window.acquire().await.unwrap().forget();
        let (key, body) = (format!("key-{n}"), json!({"workflow": "w", "input": n}));
        let id = loop {
            let headers = [("idempotency-key", key.as_str())];
            match line.ask("POST", "/api/v1/executions", &headers, &body).await {
                Some((200 | 201, answer)) => break answer["id"].as_str().unwrap().to_owned(),
                Some((503, _)) | None => breathe().await,
                Some(other) => panic!("start {n}: {other:?}"),
            }
        };
        assert_eq!(load.started.lock().unwrap().insert(id, n), None, "two keys, one execution");
    }
}
