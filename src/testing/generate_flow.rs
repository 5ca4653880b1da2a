//! What generated states may say about their data, their errors and their times: the fields that
//! most states can do without.

use serde_json::{Value, json};

use super::generate::{ERRORS, put};
use super::random::Random;

/// Changes generated states, in one query language.
pub(super) struct Flow<'r> {
    pub(super) random: &'r mut Random,
    pub(super) jsonata: bool,
    /// How deep the state's machine stands; it must not assign what one around it does.
    pub(super) depth: u32,
}

impl Flow<'_> {
    fn pick(&mut self, choices: &[&str]) -> String {
        self.random.pick(choices).copied().unwrap_or_default().to_owned()
    }

    /// Writes a number: fixed, or from a path or an expression, some of which give none.
    fn number(&mut self, state: &mut Value, key: &str, fixed: u64) {
        let (key, value) = match (self.random.below(3), self.jsonata) {
            (0, false) => {
                let path = self.pick(&["$.number", "$.items[0]", "$.absent", "$.text", "$v2"]);
                (format!("{key}Path"), json!(path))
            }
            (0, true) => {
                let texts = ["{% 1 + 2 %}", "{% $states.input.number %}", "{% 'x' %}", "{% -1 %}"];
                (key.to_owned(), json!(self.pick(&texts)))
            }
            _ => (key.to_owned(), json!(fixed)),
        };
        put(state, &key, value);
    }

    /// Adds to a state what all of its type may have.
    pub(super) fn vary(&mut self, state: &mut Value) {
        let kind = state.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if self.random.one_in(6) {
            put(state, "Comment", json!("a comment"));
            put(state, "Title", json!("A title"));
        }
        if !self.jsonata && kind != "Fail" {
            self.select(state);
        }
        match kind.as_str() {
            "Pass" | "Task" | "Parallel" if self.random.one_in(5) => self.shape(state, &kind),
            "Task" if self.random.one_in(4) => {
                state.as_object_mut().map(|fields| fields.shift_remove("HeartbeatSeconds"));
                state.as_object_mut().map(|fields| fields.shift_remove("TimeoutSeconds"));
                self.number(state, "TimeoutSeconds", 90);
                if self.random.one_in(2) {
                    self.number(state, "HeartbeatSeconds", 7);
                }
            }
            "Map" => self.map(state),
            _ => {}
        }
        if !matches!(kind.as_str(), "Succeed" | "Fail") && self.random.one_in(5) {
            let assigned = self.assigned();
            put(state, "Assign", assigned);
        }
    }

    /// InputPath and OutputPath.
    fn select(&mut self, state: &mut Value) {
        for key in ["InputPath", "OutputPath"] {
            if self.random.one_in(12) {
                let value = match self.random.below(6) {
                    0 => Value::Null,
                    _ => json!(self.pick(&["$", "$", "$.deep", "$$.Execution.Input", "$.absent"])),
                };
                put(state, key, value);
            }
        }
    }

    /// Parameters or Arguments, where there are none yet.
    fn shape(&mut self, state: &mut Value, kind: &str) {
        let (key, value) = match (self.jsonata, kind) {
            (true, "Pass") => return,
            (true, _) => {
                let texts = ["{% $count($states.input.items) %}", "{% $v2 %}", "{% $uuid() %}"];
                ("Arguments", json!({"a": [self.pick(&texts)], "all": "{% $states.input %}"}))
            }
            (false, _) => {
                let paths = [
                    "$.items[*]",
                    "$.items[?(@ > 1)]",
                    "$$.State.EnteredTime",
                    "States.Format('{} {}', $.number, $.text)",
                    "States.MathAdd($.number, 1)",
                    "States.ArrayGetItem($.items, 9)",
                    "States.UUID()",
                    "$v2",
                ];
                ("Parameters", json!({"a": {"b.$": self.pick(&paths)}, "all.$": "$"}))
            }
        };
        if state.get(key).is_none() && state.get("Result").is_none() {
            put(state, key, value);
        }
    }

    fn assigned(&mut self) -> Value {
        if self.jsonata {
            let texts = ["{% $states.input.number %}", "{% $states.context.State %}", "{% 1 %}"];
            let text = self.pick(&texts);
            self.assign(&text)
        } else {
            let path = self.pick(&["$", "$$.State.Name", "$.number", "States.UUID()"]);
            self.assign(&path)
        }
    }

    fn assign(&self, value: &str) -> Value {
        let mark = if self.jsonata { "" } else { ".$" };
        json!({format!("v{}{mark}", self.depth): value})
    }

    fn map(&mut self, state: &mut Value) {
        let fixed = 1 + self.random.below(3);
        if self.random.one_in(5) {
            state.as_object_mut().map(|fields| fields.shift_remove("MaxConcurrency"));
            self.number(state, "MaxConcurrency", fixed);
        }
        if self.random.one_in(5) {
            state.as_object_mut().map(|fields| fields.shift_remove("ToleratedFailureCount"));
            self.number(state, "ToleratedFailureCount", fixed);
        }
        if self.random.one_in(4) {
            self.number(state, "ToleratedFailurePercentage", 10 * fixed);
        }
        if self.random.one_in(5) {
            let mut batcher = json!({});
            self.number(&mut batcher, "MaxInputBytesPerBatch", 20 * fixed);
            if self.random.one_in(2) {
                self.number(&mut batcher, "MaxItemsPerBatch", fixed);
            }
            let input = if self.jsonata {
                json!({"shared": "{% $states.input.text %}"})
            } else {
                json!({"shared.$": "$.text"})
            };
            put(&mut batcher, "BatchInput", input);
            put(state, "ItemBatcher", batcher);
        }
    }

    /// Gives the processor of a Map its old name, where it may have that.
    pub(super) fn old_name(&mut self, state: &mut Value) {
        let Some(fields) = state.as_object_mut() else { return };
        if self.jsonata || !self.random.one_in(6) {
            return;
        }
        if let Some(processor) = fields.shift_remove("ItemProcessor") {
            let has_config = processor.get("ProcessorConfig").is_some();
            let name = if has_config { "ItemProcessor" } else { "Iterator" };
            fields.insert(name.to_owned(), processor);
        }
    }

    /// A Wait state, in all its forms.
    pub(super) fn wait(&mut self) -> Value {
        let mut state = json!({"Type": "Wait"});
        match (self.random.below(4), self.jsonata) {
            (0, _) => put(&mut state, "Timestamp", json!("2024-01-01T00:00:00Z")),
            (1, false) => {
                let path = self.pick(&["$$.State.EnteredTime", "$$.Execution.StartTime", "$.text"]);
                put(&mut state, "TimestampPath", json!(path));
            }
            (1, true) => {
                let text = self.pick(&["{% $now() %}", "{% $states.context.State.EnteredTime %}"]);
                put(&mut state, "Timestamp", json!(text));
            }
            _ => {
                let fixed = self.random.below(30);
                self.number(&mut state, "Seconds", fixed);
            }
        }
        state
    }

    /// A state that ends its machine at once.
    pub(super) fn end(&mut self) -> Value {
        if self.random.one_in(2) {
            return match (self.random.below(3), self.jsonata) {
                (0, true) => json!({"Type": "Succeed", "Output": {"v": "{% $states.input %}"}}),
                (0, false) => json!({"Type": "Succeed", "OutputPath": self.pick(&["$", "$.deep"])}),
                _ => json!({"Type": "Succeed"}),
            };
        }
        let error = self.pick(ERRORS);
        match (self.random.below(3), self.jsonata) {
            (0, false) => json!({
                "Type": "Fail",
                "ErrorPath": self.pick(&["$.text", "$$.State.Name", "$.number"]),
                "CausePath": self.pick(&["States.Format('at {}', $$.State.Name)", "$.absent"]),
            }),
            (0, true) => json!({
                "Type": "Fail",
                "Error": self.pick(&["{% $states.input.text %}", "{% 1 %}"]),
                "Cause": "{% 'at ' & $states.context.State.Name %}",
            }),
            (1, _) => json!({"Type": "Fail"}),
            _ => json!({"Type": "Fail", "Error": error, "Cause": "made up"}),
        }
    }

    /// A rule of a Choice without its `Next`.
    pub(super) fn rule(&mut self) -> Value {
        if self.jsonata {
            let conditions = [
                "{% $exists($states.input.number) %}",
                "{% $states.input.number > 5 %}",
                "{% $count($states.input.items) = 0 or $states.input.deep.flag %}",
                "{% $states.input.absent %}",
            ];
            let mut rule = json!({"Condition": self.pick(&conditions)});
            if self.random.one_in(4) {
                put(&mut rule, "Output", json!({"chosen": "{% $states.input %}"}));
                put(&mut rule, "Assign", self.assign("{% $states.input.text %}"));
            }
            return rule;
        }
        let mut rule = self.condition(2);
        if self.random.one_in(4) {
            put(&mut rule, "Assign", self.assign("$.text"));
        }
        rule
    }

    fn condition(&mut self, depth: u32) -> Value {
        if depth > 0 && self.random.one_in(2) {
            return match self.random.below(3) {
                0 => json!({"Not": self.condition(depth - 1)}),
                1 => json!({"And": [self.condition(depth - 1), self.condition(depth - 1)]}),
                _ => json!({"Or": [self.condition(depth - 1), self.condition(depth - 1)]}),
            };
        }
        let tests = [
            json!({"Variable": "$.number", "IsPresent": true}),
            json!({"Variable": "$.number", "NumericGreaterThanEquals": 5}),
            json!({"Variable": "$.number", "NumericLessThanPath": "$.items[0]"}),
            json!({"Variable": "$.text", "StringMatches": "*ü"}),
            json!({"Variable": "$.deep.flag", "BooleanEquals": true}),
            json!({"Variable": "$.text", "IsTimestamp": false}),
            json!({"Variable": "$$.State.EnteredTime", "TimestampGreaterThan": "2020-01-01T00:00:00Z"}),
            json!({"Variable": "$.absent", "IsNull": false}),
        ];
        let last = tests.len();
        // What is not there fails the state; that should not happen too often.
        let count = if self.random.one_in(3) { last } else { last - 1 };
        tests.get(self.random.index(count)).cloned().unwrap_or_default()
    }

    /// One entry of Retry.
    pub(super) fn retrier(&mut self) -> Value {
        let mut names = vec![self.pick(ERRORS)];
        if self.random.one_in(4) {
            names.push(self.pick(ERRORS));
        }
        let interval = 1 + self.random.below(5);
        let mut retrier = json!({"ErrorEquals": names, "MaxAttempts": self.random.below(3)});
        if self.random.one_in(2) {
            put(&mut retrier, "IntervalSeconds", json!(interval));
        }
        if self.random.one_in(2) {
            put(&mut retrier, "JitterStrategy", json!(self.pick(&["FULL", "FULL", "NONE"])));
        }
        if self.random.one_in(3) {
            put(&mut retrier, "BackoffRate", json!(1.5));
        }
        if self.random.one_in(3) {
            put(&mut retrier, "MaxDelaySeconds", json!(interval + 1 + self.random.below(9)));
        }
        retrier
    }

    /// One entry of Catch, without its `Next`.
    pub(super) fn catcher(&mut self, error: &str) -> Value {
        let mut catcher = json!({"ErrorEquals": [error]});
        match (self.random.below(4), self.jsonata) {
            (0, false) => put(&mut catcher, "ResultPath", json!("$.error")),
            (1, false) => put(&mut catcher, "ResultPath", Value::Null),
            (0, true) => {
                let output = json!({"why": "{% $states.errorOutput.Cause %}"});
                put(&mut catcher, "Output", output);
            }
            (1, true) => put(&mut catcher, "Output", json!("{% $states.input %}")),
            _ => {}
        }
        if self.random.one_in(4) {
            let value = if self.jsonata { "{% $states.errorOutput.Error %}" } else { "$.Error" };
            put(&mut catcher, "Assign", self.assign(value));
        }
        catcher
    }
}
