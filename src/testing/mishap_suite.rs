//! What every store promises of executions that ended with a mishap: a part of the store suite.

use super::store_suite::{
    acquire, append, checkpoint, compact_all, completed, deleted, finished, snapshot, transition,
};
use crate::store::{Checkpoint, EventStore, Finished, Mishap};

/// Those that ended with a mishap are found among the others, page by page, as they ended last.
pub async fn lists_those_that_ended_with_a_mishap(store: &dyn EventStore) {
    let epoch = acquire(store).await;
    append(store, epoch, (1..=40).map(|n| completed(n, 1)).collect()).await;
    let ended_in = |number, mishap| Finished { mishap, ..finished(number) };
    let row = |number: u64| {
        let kind = usize::try_from(number % 8).unwrap_or(0);
        ended_in(number, Mishap::ALL.get(kind).copied())
    };
    let rows = |finished| Checkpoint { finished, ..Checkpoint::default() };
    checkpoint(store, rows((1..=40).map(row).collect())).await;
    let (failed, cancelled) = ([Mishap::Failed], [Mishap::Cancelled]);
    for wanted in [&Mishap::ALL[..], &failed, &[Mishap::TimedOut, Mishap::WithErrors], &[]] {
        let is_wanted = |row: &Finished| row.mishap.is_some_and(|own| wanted.contains(&own));
        let expected: Vec<Finished> = (1..=40).rev().map(row).filter(is_wanted).collect();
        assert_eq!(mishaps(store, wanted).await, expected, "{wanted:?}");
    }
    // Of five that failed one goes on, two end anew in other ways, one is deleted.
    let on = [1, 9, 25].map(|number| transition(number, 2, 1));
    append(store, epoch, on.into_iter().chain([deleted(17, 2)]).collect()).await;
    assert_eq!(mishaps(store, &failed).await, [row(33)]);
    append(store, epoch, vec![completed(1, 3), completed(9, 3)]).await;
    let anew = vec![finished(1), ended_in(9, Some(Mishap::Cancelled))];
    checkpoint(store, Checkpoint { snapshots: vec![snapshot(25, 2, 9)], ..rows(anew.clone()) })
        .await;
    compact_all(store, epoch, false).await;
    assert_eq!(mishaps(store, &failed).await, [row(33)]);
    append(store, epoch, vec![completed(25, 3)]).await;
    checkpoint(store, rows(vec![ended_in(25, Some(Mishap::Failed))])).await;
    assert_eq!(mishaps(store, &failed).await, [33, 25].map(row));
    let mut expected = [34, 26, 18, 10, 2].map(row).to_vec();
    expected.insert(4, ended_in(9, Some(Mishap::Cancelled)));
    assert_eq!(mishaps(store, &cancelled).await, expected);
}

async fn mishaps(store: &dyn EventStore, wanted: &[Mishap]) -> Vec<Finished> {
    let mut read: Vec<Finished> = Vec::new();
    loop {
        let before = read.last().map(|row| row.execution);
        let page = store.list_mishaps(wanted, before, 3).await.expect("readable");
        assert!(page.len() <= 3);
        if page.is_empty() {
            return read;
        }
        read.extend(page);
    }
}
