//! Made-up definitions that are valid, from a seed: every state type, nested two deep, in both
//! query languages, with Retry and Catch. Every one ends: states lead only onward.

use serde_json::{Map, Value, json};

use super::generate_cleanup::{add_ending, undo};
use super::generate_flow::Flow;
use super::generate_work::{vary_map, vary_task};
use super::random::Random;

/// How deep Parallel and Map may stand in each other.
const DEPTH: u32 = 2;
/// Job types that generated Task states name.
pub const JOB_TYPES: &[&str] = &["alpha", "beta", "gamma"];
/// Error names that Retry and Catch of generated states match, and workers should fail with.
pub const ERRORS: &[&str] =
    &["States.TaskFailed", "States.Timeout", "Made.Up", "Other.Error", "States.Runtime"];

/// A valid definition, as JSON.
#[must_use]
pub fn definition(seed: u64) -> Value {
    let mut generator =
        Generator { random: Random::new(seed), names: 0, jsonata: false, depth: DEPTH };
    generator.jsonata = generator.random.one_in(2);
    let mut machine = generator.machine(DEPTH);
    if generator.random.one_in(2) {
        generator.add_cleanup(&mut machine);
    }
    if generator.jsonata {
        put(&mut machine, "QueryLanguage", json!("JSONata"));
    }
    if generator.random.one_in(6) {
        let seconds = 1 + generator.random.below(120);
        put(&mut machine, "TimeoutSeconds", json!(seconds));
        put(&mut machine, "Version", json!("1.0"));
    }
    generator.machine_fields(&mut machine);
    machine
}

/// An input that generated definitions work on.
#[must_use]
pub fn input(seed: u64) -> Value {
    let mut random = Random::new(seed);
    let items: Vec<u64> = (0..random.below(6)).collect();
    json!({"items": items, "number": random.below(10), "text": "ü", "deep": {"flag": true}})
}

/// The result of a made-up job; states that follow find in it what they look for.
#[must_use]
pub fn result(seed: u64) -> Value {
    if Random::new(seed).one_in(5) { json!(seed % 100) } else { input(seed) }
}

struct Generator {
    random: Random,
    names: u32,
    jsonata: bool,
    /// How deep the machine stands that is being made; the outermost is the deepest.
    depth: u32,
}

pub(super) fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// Adds a state to a machine.
pub(super) fn put_state(machine: &mut Value, name: &str, state: Value) {
    if let Some(states) = machine.get_mut("States") {
        put(states, name, state);
    }
}

impl Generator {
    fn flow(&mut self) -> Flow<'_> {
        Flow { random: &mut self.random, jsonata: self.jsonata, depth: self.depth }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("S{}", self.names)
    }

    /// A machine whose states lead from one to a later one.
    fn machine(&mut self, depth: u32) -> Value {
        let count = 1 + self.random.index(if depth == DEPTH { 5 } else { 3 });
        let names: Vec<String> = (0..count).map(|_| self.name()).collect();
        let mut states = Map::new();
        let around = self.depth;
        self.depth = depth;
        for (index, name) in names.iter().enumerate() {
            let later = names.get(index + 1..).unwrap_or_default();
            states.insert(name.clone(), self.state(later, depth));
        }
        self.depth = around;
        json!({"StartAt": names.first(), "States": states})
    }

    /// What the definition says about itself as a whole. The input always has the key.
    fn machine_fields(&mut self, machine: &mut Value) {
        if self.random.one_in(4) {
            let mut concurrency = json!({"Limit": 1 + self.random.below(3)});
            match (self.jsonata, self.random.below(4)) {
                (false, 0) => put(&mut concurrency, "KeyPath", json!("$.number")),
                (false, 1) => {
                    put(&mut concurrency, "KeyPath", json!("States.Format('{}-k', $.text)"));
                }
                (true, 0) => put(&mut concurrency, "Key", json!("{% $states.input.text %}")),
                (_, 2) => put(&mut concurrency, "Key", json!("fixed")),
                _ => {}
            }
            if self.random.one_in(3) {
                put(&mut concurrency, "WhenFull", json!("refuse"));
            }
            put(machine, "Concurrency", concurrency);
        }
        if self.random.one_in(6) {
            put(machine, "Labels", json!({"team": "media", "ü": ""}));
        }
        if self.random.one_in(6) {
            let words = json!({"Label": "Alpha", "Colour": "#00aa00", "Unit": "scenes",
                "UnitSingular": "scene"});
            put(machine, "JobTypes", json!({"alpha": words, "beta": {"Unit": "MiB"}}));
        }
    }

    /// A state from which each of `later` may follow. The next of them always does in some way, so
    /// that no state is out of reach.
    fn state(&mut self, later: &[String], depth: u32) -> Value {
        let Some(next) = later.first() else { return self.last_state(depth) };
        if self.random.one_in(6) {
            return self.choice(later);
        }
        // States inside of a state take the language of the definition.
        let own_language = !self.jsonata && self.random.one_in(8);
        self.jsonata |= own_language;
        let mut state = self.working_state(if own_language { 0 } else { depth });
        self.flow().vary(&mut state);
        put(&mut state, "Next", json!(next));
        self.add_handlers(&mut state, later);
        self.add_weight(&mut state);
        if own_language {
            put(&mut state, "QueryLanguage", json!("JSONata"));
            self.jsonata = false;
        }
        state
    }

    fn last_state(&mut self, depth: u32) -> Value {
        match self.random.below(8) {
            0 | 1 => self.flow().end(),
            _ => {
                let mut state = self.working_state(depth);
                self.flow().vary(&mut state);
                put(&mut state, "End", json!(true));
                self.add_handlers(&mut state, &[]);
                state
            }
        }
    }

    fn working_state(&mut self, depth: u32) -> Value {
        let nests = depth > 0;
        match self.random.below(if nests { 10 } else { 6 }) {
            0 => self.pass(),
            1 => self.flow().wait(),
            2..=5 => self.task(),
            6 | 7 => {
                let branches: Vec<Value> =
                    (0..=self.random.below(3)).map(|_| self.machine(depth - 1)).collect();
                let mut state = json!({"Type": "Parallel", "Branches": branches});
                self.add_result(&mut state);
                state
            }
            _ => self.map(depth),
        }
    }

    fn pass(&mut self) -> Value {
        let mut state = json!({"Type": "Pass"});
        match (self.jsonata, self.random.below(4)) {
            (false, 0) => put(&mut state, "Result", input(self.random.draw())),
            (false, 1) => {
                put(&mut state, "Parameters", json!({"whole.$": "$", "fixed": [1, {"a": null}]}));
                put(&mut state, "ResultPath", json!("$.passed"));
            }
            (true, 0) => put(&mut state, "Output", json!({"in": "{% $states.input %}"})),
            (true, 1) => put(&mut state, "Output", json!("{% $states.input.missing %}")),
            (_, 2) => {
                let value =
                    if self.jsonata { "{% $states.context.State.Name %}" } else { "$$.State.Name" };
                // A machine inside must not assign what one around it does.
                let mark = if self.jsonata { "" } else { ".$" };
                let (seen, count) =
                    (format!("seen{}{mark}", self.depth), format!("count{}", self.depth));
                put(&mut state, "Assign", json!({seen: value, count: 1}));
            }
            _ => {}
        }
        state
    }

    fn task(&mut self) -> Value {
        let resource = self.random.pick(JOB_TYPES).copied().unwrap_or_default();
        let mut state = json!({"Type": "Task", "Resource": resource});
        if self.random.one_in(3) {
            put(&mut state, "TimeoutSeconds", json!(10 + self.random.below(60)));
        }
        if self.random.one_in(4) {
            put(&mut state, "HeartbeatSeconds", json!(1 + self.random.below(9)));
        }
        vary_task(&mut self.random, self.jsonata, &mut state);
        self.add_result(&mut state);
        state
    }

    fn map(&mut self, depth: u32) -> Value {
        let mut state = json!({"Type": "Map", "ItemProcessor": self.machine(depth - 1)});
        if self.jsonata {
            put(&mut state, "Items", json!("{% [1, 2, 3, {\"a\": 4}] %}"));
        } else {
            // Sometimes there are no such items, and the state fails.
            put(&mut state, "ItemsPath", json!("$.items"));
        }
        if self.random.one_in(3) {
            put(&mut state, "MaxConcurrency", json!(1 + self.random.below(3)));
        }
        if self.random.one_in(3) {
            put(&mut state, "ItemBatcher", json!({"MaxItemsPerBatch": 1 + self.random.below(3)}));
        }
        if self.random.one_in(3) {
            put(&mut state, "ToleratedFailureCount", json!(1 + self.random.below(3)));
        }
        if self.random.one_in(3) {
            let (key, value) = if self.jsonata {
                ("index", "{% $states.context.Map.Item.Index %}")
            } else {
                ("index.$", "$$.Map.Item.Index")
            };
            put(&mut state, "ItemSelector", json!({key: value, "items": [1, 2], "fixed": true}));
        }
        vary_map(&mut self.random, self.jsonata, &mut state);
        self.flow().old_name(&mut state);
        self.add_result(&mut state);
        state
    }

    fn choice(&mut self, later: &[String]) -> Value {
        let next = later.first();
        let other = self.random.pick(later).cloned();
        let mut rules = Vec::new();
        for _ in 0..=self.random.below(2) {
            let mut rule = self.flow().rule();
            put(&mut rule, "Next", json!(next));
            rules.push(rule);
        }
        let mut state = json!({"Type": "Choice", "Choices": rules});
        if !self.random.one_in(5) {
            put(&mut state, "Default", json!(other));
        }
        state
    }

    fn add_result(&mut self, state: &mut Value) {
        match (self.jsonata, self.random.below(4)) {
            (false, 0) => put(state, "ResultPath", json!("$.result")),
            (false, 1) => put(state, "ResultPath", Value::Null),
            (false, 2) => put(state, "ResultSelector", json!({"got.$": "$"})),
            (true, 0) => put(state, "Output", json!({"got": "{% $states.result %}"})),
            (true, 1) => put(state, "Output", json!("{% $states.input %}")),
            _ => {}
        }
    }

    /// Adds Retry and Catch, where the state's type allows them.
    fn add_handlers(&mut self, state: &mut Value, later: &[String]) {
        let kind = state.get("Type").and_then(Value::as_str).unwrap_or_default();
        if !matches!(kind, "Task" | "Parallel" | "Map") {
            return;
        }
        if self.random.one_in(2) {
            let count = 1 + self.random.below(2);
            let retriers: Vec<Value> = (0..count).map(|_| self.flow().retrier()).collect();
            put(state, "Retry", json!(retriers));
        }
        if !later.is_empty() && self.random.one_in(2) {
            let named = self.random.one_in(3).then_some("Made.Up");
            let mut catchers = Vec::new();
            for error in named.into_iter().chain(["States.ALL"]) {
                let mut catcher = self.flow().catcher(error);
                put(&mut catcher, "Next", json!(self.random.pick(later)));
                catchers.push(catcher);
            }
            put(state, "Catch", json!(catchers));
        }
    }

    /// Lets some states of the outermost machine be undone, by one state or two in a row.
    fn add_cleanup(&mut self, machine: &mut Value) {
        let states = machine.get("States").and_then(Value::as_object);
        let names: Vec<String> = states.into_iter().flat_map(Map::keys).cloned().collect();
        let mut cleaning = Vec::new();
        for name in names {
            if self.random.one_in(2) {
                continue;
            }
            let first = self.name();
            let second = self.random.one_in(3).then(|| self.name());
            let later: Vec<String> = second.iter().cloned().collect();
            let mut state = match second.is_some() {
                true => self.state(&later, 1),
                false => self.last_state(1),
            };
            put(&mut state, "Title", json!("Cleans up"));
            cleaning.push(first.clone());
            undo(machine, &name, (&first, state));
            if let Some(second) = second {
                let state = self.last_state(0);
                put_state(machine, &second, state);
            }
        }
        add_ending(&mut self.random, self.jsonata, machine, &cleaning);
    }

    fn add_weight(&mut self, state: &mut Value) {
        if self.random.one_in(4) {
            put(state, "Weight", json!(self.random.below(5)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::language::{self, Format};

    #[test]
    fn every_generated_definition_is_valid() {
        for seed in 0..300 {
            let text = definition(seed).to_string();
            let parsed = language::parse(&text, Format::Json, &language::Options::default());
            assert!(parsed.is_ok(), "seed {seed}: {:?}\n{text}", parsed.err());
        }
    }

    fn keys(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    found.insert(key.clone());
                    keys(value, found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_field_is_generated_by_some_seed() {
        let mut found = BTreeSet::new();
        (0..1000).for_each(|seed| keys(&definition(seed), &mut found));
        let fields = "And Arguments Assign BackoffRate BatchInput BooleanEquals Branches Catch Cause \
             CausePath Choices Cleanup CleanupTimeoutSeconds Colour Comment Concurrency Condition Default End Error ErrorEquals ErrorPath \
             HeartbeatSeconds HeartbeatSecondsPath InputPath IntervalSeconds IsNull IsPresent \
             IsTimestamp ItemBatcher ItemProcessor ItemReader ItemSelector Items ItemsPath Iterator \
             JitterStrategy JobTypes Key KeyPath Label Labels Limit MaxAttempts MaxConcurrency MaxConcurrencyPath MaxDelaySeconds \
             MaxInputBytesPerBatch MaxInputBytesPerBatchPath MaxItemsPerBatch MaxItemsPerBatchPath \
             Next Not OnCancel NumericGreaterThanEquals NumericLessThanPath Or Output OutputPath Parameters \
             QueryLanguage Resource Result ResultPath ResultSelector ResultWriter Retry Seconds \
             SecondsPath StringMatches Summary TimeoutSeconds TimeoutSecondsPath Timestamp \
             TimestampGreaterThan TimestampPath Title Unit UnitSingular WhenFull ToleratedFailureCount \
             ToleratedFailureCountPath ToleratedFailurePercentage ToleratedFailurePercentagePath \
             Variable Version Weight";
        let missing: Vec<&str> = fields.split(' ').filter(|f| !found.contains(*f)).collect();
        assert!(missing.is_empty(), "no seed has {missing:?}");
    }
}
