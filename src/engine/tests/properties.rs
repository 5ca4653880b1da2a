//! What must be so for any definition and any workers. `EVERSTEP_SEEDS` says how many of each are
//! tried; a seed that fails is printed, and becomes a test with a name.

use crate::engine::Program;
use crate::language::{self, Format};
use crate::testing::generate;
use crate::testing::simulate::Simulation;

fn simulate(seed: u64) -> Result<Simulation, String> {
    let text = generate::definition(seed).to_string();
    let workflow = language::parse(&text, Format::Json, &language::Options::default())
        .map_err(|faults| format!("{faults:?}"))?;
    let mut simulation = Simulation::new(Program::new(workflow), seed);
    simulation.run().map_err(|fault| format!("{fault}\nof {text}"))?;
    Ok(simulation)
}

#[test]
fn any_execution_under_any_workers_keeps_every_rule_and_ends() {
    let seeds = std::env::var("EVERSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    let mut faults = Vec::new();
    for seed in 0..seeds.unwrap_or(400) {
        let outcome = std::panic::catch_unwind(|| simulate(seed));
        match outcome {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => faults.push(format!("seed {seed}: {fault}")),
            Err(_) => faults.push(format!("seed {seed}: a panic, see above")),
        }
    }
    let shown: Vec<&String> = faults.iter().take(3).collect();
    assert!(faults.is_empty(), "{} seeds fail: {shown:#?}", faults.len());
}

#[test]
fn the_simulation_reaches_every_kind_of_event() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..400 {
        let simulation = simulate(seed).unwrap();
        seen.extend(simulation.history.iter().map(|(event, _)| event.name()));
    }
    let missing: Vec<&str> = crate::store::codec::EVENTS
        .iter()
        .filter(|(tag, _, name)| {
            let event = crate::testing::arbitrary::event(*tag, 1);
            event.is_some_and(|event| event.is_of_execution()) && *name != "ExecutionSetAside"
        })
        .map(|(_, _, name)| *name)
        .filter(|name| !seen.contains(name))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
