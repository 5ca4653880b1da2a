//! What the log must say, by what the clients were told.

use std::collections::{BTreeMap, BTreeSet};

use super::{JOBS, Load, Told};
use crate::crash::history::{Attempt, History, attempt, execution};

/// Judges the log in which every execution has ended. Gives how many jobs were done.
pub(super) fn judge(load: &Load, log: &History) -> usize {
    let started = load.started.lock().unwrap();
    let inputs: BTreeMap<String, u64> = log
        .named("ExecutionStarted")
        .map(|event| (execution(event), event["data"]["input"].as_u64().unwrap()))
        .collect();
    assert_eq!(inputs, *started, "each acknowledged start is there, and each key once");
    let ends: Vec<String> = log.named("ExecutionCompleted").map(execution).collect();
    assert_eq!(ends.len(), inputs.len());
    assert_eq!(ends.iter().collect::<BTreeSet<_>>().len(), inputs.len(), "each ends once");

    let effective: BTreeSet<Attempt> = log.named("JobSucceeded").map(attempt).collect();
    let mut outputs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in log.named("JobSucceeded") {
        let output = event["data"]["output"].as_u64().unwrap();
        outputs.entry(execution(event)).or_default().push(output);
    }
    for (execution, n) in &inputs {
        assert_eq!(outputs.get(execution), Some(&vec![n * 2, n * 4]), "{execution}");
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
