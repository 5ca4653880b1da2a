//! What the log must say, by what the clients were told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attempt, JOBS, Load, Told};
use crate::crash::history::History;

/// Judges the log in which every execution has ended. Gives how many jobs were done.
pub(super) fn judge(load: &Load, log: &History) -> usize {
    let started = load.started.lock().unwrap();
    let inputs: BTreeMap<String, u64> = log
        .named("ExecutionStarted")
        .map(|event| (text(event, "execution"), event["data"]["input"].as_u64().unwrap()))
        .collect();
    assert_eq!(inputs, *started, "each acknowledged start is there, and each key once");
    let ends: Vec<String> =
        log.named("ExecutionCompleted").map(|event| text(event, "execution")).collect();
    assert_eq!(ends.len(), inputs.len());
    assert_eq!(ends.iter().collect::<BTreeSet<_>>().len(), inputs.len(), "each ends once");

    let mut outputs: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut effective: BTreeSet<Attempt> = BTreeSet::new();
    for event in log.named("JobSucceeded") {
        let execution = event["execution"].as_str().unwrap();
        outputs.entry(execution).or_default().push(event["data"]["output"].as_u64().unwrap());
        let number = |field: &str| event["data"][field].as_u64().unwrap();
        effective.insert((execution.to_owned(), number("job"), number("attempt")));
    }
    for (execution, n) in &inputs {
        assert_eq!(outputs.get(execution.as_str()), Some(&vec![n * 2, n * 4]), "{execution}");
    }
    assert_eq!(effective.len(), inputs.len() * JOBS);
    for (attempt, told) in load.reported.lock().unwrap().iter() {
        let took = told.contains(&Told::Took);
        // Only a first report that is refused says that nothing came of the attempt: another may
        // have been taken before, and its execution be over.
        let refused = told.first() == Some(&Told::Refused);
        let is_effective = effective.contains(attempt);
        assert!(is_effective || !took, "{attempt:?} was taken, and nothing came of it");
        assert!(!(is_effective && refused), "{attempt:?} was refused, and counts");
    }
    effective.len()
}

fn text(event: &serde_json::Value, field: &str) -> String {
    event[field].as_str().unwrap().to_owned()
}
