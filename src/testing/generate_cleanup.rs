//! What generated definitions say about the end of their executions: states that clean up, how long
//! they may take, a summary.

use serde_json::{Value, json};

use super::generate::{put, put_state};
use super::random::Random;

/// Adds the state `by`, which undoes the one called `name`.
pub(super) fn undo(machine: &mut Value, name: &str, by: (&str, Value)) {
    let (undoing, state) = by;
    if let Some(undone) = machine.get_mut("States").and_then(|states| states.get_mut(name)) {
        put(undone, "Cleanup", json!(undoing));
        put_state(machine, undoing, state);
    }
}

/// Adds the fields of the outermost machine; `cleaning` are the states that undo others.
pub(super) fn add_ending(
    random: &mut Random,
    jsonata: bool,
    machine: &mut Value,
    cleaning: &[String],
) {
    if random.one_in(2) {
        let name = match random.pick(cleaning) {
            Some(name) if random.one_in(3) => name.clone(),
            _ => {
                let state = json!({"Type": "Task", "Resource": "gamma", "End": true});
                put_state(machine, "Cancelled", state);
                "Cancelled".to_owned()
            }
        };
        put(machine, "OnCancel", json!(name));
    }
    if random.one_in(2) {
        put(machine, "CleanupTimeoutSeconds", json!(1 + random.below(90)));
    }
    if random.one_in(2) {
        let summary = match (jsonata, random.below(4)) {
            (true, 0) => json!("{% $states.input.variables %}"),
            (true, 1) => json!({"absent": "{% $states.input.absent.more %}"}),
            (true, _) => json!({"steps": "{% $keys($states.input.steps) %}"}),
            (false, 0) => json!({"absent.$": "$.absent"}),
            (false, _) => json!({"errors.$": "$.total_errors", "of.$": "$$.Execution.Id"}),
        };
        put(machine, "Summary", summary);
    }
}
