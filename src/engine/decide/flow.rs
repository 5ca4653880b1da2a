//! How data flows through a state: what its work gets, and what it leaves with.
//!
//! A state with default paths and no templates never parses its data: the stages answer
//! [`Data::Kept`] or [`Data::Result`], and the log does not repeat it.

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Decision;
use super::context::{MapItem, context_object, visible_variables};
use super::job::{result_too_large, too_large};
use super::probe::{Probe, Stage};
use crate::engine::event::{Data, Failure};
use crate::engine::execution::Execution;
use crate::engine::id::{FrameId, Timestamp};
use crate::engine::mint::CallbackToken;
use crate::language::expression::{
    EvaluationError, EvaluationErrorKind, Expression, Scope, Template,
};
use crate::language::model::{
    Catcher, Flow, JsonPathFlow, JsonataFlow, QueryLanguage, ResultPath, Selection,
};
use crate::language::{Json, State};

/// Variables to assign.
pub(super) type Assignments = Vec<(Arc<str>, Json)>;

/// What a state's work gave.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// The result that the frame holds.
    Result(Json),
    /// A fixed result.
    Fixed(Json),
    /// None: the state passes on what it got.
    Nothing,
}

/// Evaluates the expressions of one state in one frame. Everything is worked out when first asked
/// for, and at most once.
pub(super) struct Evaluation<'e> {
    execution: &'e Execution,
    state: &'e State,
    frame: FrameId,
    data: Json,
    now: Timestamp,
    seed: u64,
    payload_limit: usize,
    variables_limit: usize,
    item: Option<MapItem>,
    token: Option<String>,
    probe: Option<&'e Probe>,
    input: OnceCell<Value>,
    context: OnceCell<Value>,
    variables: OnceCell<Map<String, Value>>,
}

impl<'e> Evaluation<'e> {
    pub(super) fn new(
        decision: &'e Decision<'_>,
        frame: FrameId,
        state: &'e State,
        seed: u64,
    ) -> Self {
        let data =
            decision.execution.frames.get(&frame).map_or_else(Json::null, |f| f.data.clone());
        Self {
            execution: decision.execution,
            state,
            frame,
            data,
            now: decision.now,
            seed,
            payload_limit: decision.input.limits.payload_bytes,
            variables_limit: decision.input.limits.variables_bytes,
            item: None,
            token: None,
            probe: decision.probe.filter(|probe| probe.watches(&state.name)),
            input: OnceCell::new(),
            context: OnceCell::new(),
            variables: OnceCell::new(),
        }
    }

    /// The same, for the part of a Map that is about to begin.
    pub(super) fn for_item(mut self, item: MapItem) -> Self {
        self.item = Some(item);
        self
    }

    /// The same, for a state whose work a callback will end.
    pub(super) fn with_token(mut self, token: &CallbackToken) -> Self {
        self.token = Some(token.to_string());
        self
    }

    pub(super) fn flow(&self) -> &'e Flow {
        &self.state.flow
    }

    /// The state's input as a tree.
    pub(super) fn input(&self) -> &Value {
        self.input.get_or_init(|| self.data.value())
    }

    fn scope<'s>(&'s self, input: &'s Value) -> Scope<'s> {
        Scope {
            input,
            context: self.context.get_or_init(|| {
                let mut context =
                    context_object(self.execution, self.frame, self.state, self.item.as_ref());
                if let (Some(token), Some(fields)) = (&self.token, context.as_object_mut()) {
                    fields.insert("Task".into(), json!({"Token": token}));
                }
                match self.probe {
                    None => context,
                    Some(probe) => probe.context(context),
                }
            }),
            variables: self.variables.get_or_init(|| visible_variables(self.execution, self.frame)),
            result: None,
            error_output: None,
            now_ms: self.now.0,
            seed: self.seed,
        }
    }

    /// What the state's work gets: the input through InputPath and Parameters, or Arguments.
    pub(super) fn effective_input(&self) -> Result<Data, Failure> {
        match &self.state.flow {
            Flow::JsonPath(flow) => match (&flow.input_path, &flow.parameters) {
                (Selection::Whole, None) if self.probe.is_none() => Ok(Data::Kept),
                (_, parameters) => {
                    let selected = self.selected_input()?;
                    let shaped = match parameters {
                        None => selected,
                        Some(template) => self.evaluate(template, &selected)?,
                    };
                    self.new_data(self.note(Stage::AfterParameters, &shaped))
                }
            },
            Flow::Jsonata(flow) => match &flow.arguments {
                None => Ok(Data::Kept),
                Some(arguments) => {
                    let shaped = self.evaluate(arguments, self.input())?;
                    self.new_data(self.note(Stage::AfterArguments, &shaped))
                }
            },
        }
    }

    /// The input through InputPath only.
    pub(super) fn selected_input(&self) -> Result<Value, Failure> {
        match &self.state.flow {
            Flow::JsonPath(flow) => {
                let selected = self.select(&flow.input_path, self.input())?;
                self.note(Stage::AfterInputPath, &selected);
                Ok(selected)
            }
            Flow::Jsonata(_) => Ok(self.input().clone()),
        }
    }

    /// The state's output.
    pub(super) fn output(&self, work: &Work) -> Result<Data, Failure> {
        if let (Some(probe), Work::Result(result) | Work::Fixed(result)) = (self.probe, work) {
            probe.note(Stage::Result, result.clone());
        }
        match &self.state.flow {
            Flow::JsonPath(flow) => self.json_path_output(flow, work),
            Flow::Jsonata(flow) => self.jsonata_output(flow.output.as_ref(), work),
        }
    }

    fn json_path_output(&self, flow: &JsonPathFlow, work: &Work) -> Result<Data, Failure> {
        let plain_output = matches!(flow.output_path, Selection::Whole);
        let plain_result = flow.result_selector.is_none();
        match (&flow.result_path, work) {
            // Who watches wants to see every stage.
            _ if self.probe.is_some() => {}
            (ResultPath::Discard, _) if plain_output => return Ok(Data::Kept),
            (ResultPath::Whole, Work::Result(result)) if plain_output && plain_result => {
                return self.limited(result.clone()).map(|_| Data::Result);
            }
            (ResultPath::Whole, Work::Fixed(fixed)) if plain_output && plain_result => {
                return Ok(Data::New(fixed.clone()));
            }
            (ResultPath::Whole, Work::Nothing) if plain_output && plain_result => {
                return self.effective_input();
            }
            _ => {}
        }
        let result = self.selected_result(flow, work)?;
        let combined = match &flow.result_path {
            ResultPath::Whole => result,
            ResultPath::Discard => self.input().clone(),
            ResultPath::At(path) => {
                let mut target = self.input().clone();
                path.write(&mut target, result).map_err(conflict)?;
                target
            }
        };
        self.note(Stage::AfterResultPath, &combined);
        self.new_data(&self.select(&flow.output_path, &combined)?)
    }

    /// The result through ResultSelector.
    fn selected_result(&self, flow: &JsonPathFlow, work: &Work) -> Result<Value, Failure> {
        let result = self.work_value(work)?;
        let selected = match &flow.result_selector {
            None => result,
            Some(selector) => self.evaluate(selector, &result)?,
        };
        self.note(Stage::AfterResultSelector, &selected);
        Ok(selected)
    }

    fn work_value(&self, work: &Work) -> Result<Value, Failure> {
        Ok(match work {
            Work::Result(json) | Work::Fixed(json) => json.value(),
            Work::Nothing => match self.effective_input()? {
                Data::New(json) => json.value(),
                Data::Kept | Data::Result => self.input().clone(),
            },
        })
    }

    fn jsonata_output(&self, output: Option<&Template>, work: &Work) -> Result<Data, Failure> {
        match (output, work) {
            (None, Work::Result(result)) => self.limited(result.clone()).map(|_| Data::Result),
            (None, Work::Fixed(json)) => Ok(Data::New(json.clone())),
            (None, Work::Nothing) => Ok(Data::Kept),
            (Some(output), work) => {
                let result = match work {
                    Work::Result(json) | Work::Fixed(json) => Some(json.value()),
                    Work::Nothing => None,
                };
                let scope = Scope { result: result.as_ref(), ..self.scope(self.input()) };
                let value = output.evaluate(&scope).map_err(failure)?;
                self.new_data(&value)
            }
        }
    }

    /// What the state assigns when it is left with `work`.
    pub(super) fn assignments(&self, work: &Work) -> Result<Assignments, Failure> {
        match &self.state.flow {
            Flow::JsonPath(JsonPathFlow { assign, .. })
            | Flow::Jsonata(JsonataFlow { assign, .. })
                if assign.is_empty() =>
            {
                Ok(Vec::new())
            }
            Flow::JsonPath(flow) => {
                let seen = self.selected_result(flow, work)?;
                self.assign(&flow.assign, &self.scope(&seen))
            }
            Flow::Jsonata(flow) => {
                let result = match work {
                    Work::Nothing => None,
                    Work::Result(_) | Work::Fixed(_) => Some(self.work_value(work)?),
                };
                let scope = Scope { result: result.as_ref(), ..self.scope(self.input()) };
                self.assign(&flow.assign, &scope)
            }
        }
    }

    /// The output of one rule of a Choice, or of its default.
    pub(super) fn rule_output(&self, output: Option<&Template>) -> Result<Data, Failure> {
        match &self.state.flow {
            Flow::JsonPath(_) => self.output(&Work::Nothing),
            Flow::Jsonata(flow) => {
                self.jsonata_output(output.or(flow.output.as_ref()), &Work::Nothing)
            }
        }
    }

    /// The assignments of one rule of a Choice.
    pub(super) fn rule_assignments(
        &self,
        assign: &[(Arc<str>, Template)],
    ) -> Result<Assignments, Failure> {
        if assign.is_empty() {
            return Ok(Vec::new());
        }
        let input = self.selected_input()?;
        self.assign(assign, &self.scope(&input))
    }

    /// The output of a state whose failure was caught.
    pub(super) fn caught_output(
        &self,
        catcher: &Catcher,
        caught: &Failure,
    ) -> Result<Data, Failure> {
        let error = error_output(caught);
        match &self.state.flow {
            Flow::JsonPath(_) => match &catcher.result_path {
                ResultPath::Whole => self.new_data(&error),
                ResultPath::Discard => Ok(Data::Kept),
                ResultPath::At(path) => {
                    let mut target = self.input().clone();
                    path.write(&mut target, error).map_err(conflict)?;
                    self.new_data(&target)
                }
            },
            Flow::Jsonata(_) => match &catcher.output {
                None => self.new_data(&error),
                Some(output) => {
                    let scope = Scope { error_output: Some(&error), ..self.scope(self.input()) };
                    let value = output.evaluate(&scope).map_err(failure)?;
                    self.new_data(&value)
                }
            },
        }
    }

    /// What a catcher assigns.
    pub(super) fn caught_assignments(
        &self,
        catcher: &Catcher,
        caught: &Failure,
    ) -> Result<Assignments, Failure> {
        if catcher.assign.is_empty() {
            return Ok(Vec::new());
        }
        let error = error_output(caught);
        let seen = match &self.state.flow {
            Flow::JsonPath(_) => &error,
            Flow::Jsonata(_) => self.input(),
        };
        let scope = Scope { error_output: Some(&error), ..self.scope(seen) };
        self.assign(&catcher.assign, &scope)
    }

    fn assign(
        &self,
        assign: &[(Arc<str>, Template)],
        scope: &Scope<'_>,
    ) -> Result<Assignments, Failure> {
        let mut assigned = Vec::with_capacity(assign.len());
        for (name, template) in assign {
            let value = template.evaluate(scope).map_err(failure)?;
            assigned.push((name.clone(), self.limited(Json::from_value(&value))?));
        }
        self.check_variables(&assigned)?;
        Ok(assigned)
    }

    /// Bounds what one state assigns, and all variables of the execution together, as AWS does; see
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>.
    fn check_variables(&self, assigned: &Assignments) -> Result<(), Failure> {
        let new: usize = assigned.iter().map(|(_, value)| value.len_bytes()).sum();
        if new > self.payload_limit {
            let what = format!("what state {:?} assigns", self.state.name);
            return Err(too_large(&what, new, self.payload_limit));
        }
        let replaced = |frame: FrameId, name: &Arc<str>| {
            frame == self.frame && assigned.iter().any(|(new, _)| new == name)
        };
        // A clean-up has the variables that the work left, and the work needs them no more.
        let counted = self.execution.frames.iter().filter(|(id, _)| self.execution.is_open(**id));
        let kept = counted.flat_map(|(id, frame)| {
            let kept = frame.variables.iter().filter(|(name, _)| !replaced(*id, name));
            kept.map(|(_, value)| value.len_bytes())
        });
        let bytes = new + kept.sum::<usize>();
        if bytes > self.variables_limit {
            return Err(too_large("all variables together", bytes, self.variables_limit));
        }
        Ok(())
    }

    /// Evaluates a template on `input`.
    pub(super) fn evaluate(&self, template: &Template, input: &Value) -> Result<Value, Failure> {
        template.evaluate(&self.scope(input)).map_err(failure)
    }

    /// Shows a number that the state goes by to who watches.
    pub(super) fn note_number(&self, stage: Stage, number: impl Into<Value>) {
        if let Some(probe) = self.probe {
            probe.note(stage, Json::from_value(&number.into()));
        }
    }

    /// Asks something that the language evaluates, on `input`.
    pub(super) fn with<T>(
        &self,
        input: &Value,
        ask: impl FnOnce(&Scope<'_>) -> Result<T, EvaluationError>,
    ) -> Result<T, EvaluationError> {
        ask(&self.scope(input))
    }

    /// The query language of the state.
    pub(super) fn language(&self) -> QueryLanguage {
        self.state.query_language()
    }

    /// The failure of a field whose value is not what the field takes.
    pub(super) fn unfit(&self, cause: &str) -> Failure {
        // What AWS documents at
        // <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html>, and replies.
        Failure::new(
            match self.state.flow {
                Flow::JsonPath(_) => "States.Runtime",
                Flow::Jsonata(_) => "States.QueryEvaluationError",
            },
            cause,
        )
    }

    /// Evaluates an expression on `input`.
    pub(super) fn expression(
        &self,
        expression: &Expression,
        input: &Value,
    ) -> Result<Value, Failure> {
        expression.evaluate(&self.scope(input)).map_err(failure)
    }

    fn select(&self, selection: &Selection, input: &Value) -> Result<Value, Failure> {
        match selection {
            Selection::Whole => Ok(input.clone()),
            Selection::Nothing => Ok(json!({})),
            Selection::Path(path) => self.expression(path, input),
        }
    }

    /// Shows a stage of the flow to whoever watches.
    fn note<'v>(&self, stage: Stage, value: &'v Value) -> &'v Value {
        if let Some(probe) = self.probe {
            probe.note(stage, Json::from_value(value));
        }
        value
    }

    /// Records a value, if it is not too large.
    pub(super) fn new_data(&self, value: &Value) -> Result<Data, Failure> {
        self.limited(Json::from_value(value)).map(Data::New)
    }

    pub(super) fn limited(&self, json: Json) -> Result<Json, Failure> {
        let (bytes, limit) = (json.len_bytes(), self.payload_limit);
        if bytes > limit {
            return Err(result_too_large(&self.state.name, bytes, limit));
        }
        Ok(json)
    }
}

/// What a failed expression looks like to Retry and Catch. The specification has other names for a
/// path that leads nowhere in `Parameters`, and for an intrinsic function that fails; AWS replies
/// with this one, as recorded, and nothing catches it.
pub(super) fn failure(error: EvaluationError) -> Failure {
    let name = match error.kind {
        EvaluationErrorKind::Path | EvaluationErrorKind::Intrinsic => "States.Runtime",
        EvaluationErrorKind::Query => "States.QueryEvaluationError",
    };
    Failure::new(name, &error.cause)
}

/// The failure of a reference path that does not fit the data: in `ResultPath`, which the
/// specification calls `States.ResultPathMatchFailure`, and in `ItemsPath`.
pub(super) fn conflict(error: EvaluationError) -> Failure {
    match error.kind {
        EvaluationErrorKind::Path => Failure::new("States.ReferencePathConflict", &error.cause),
        EvaluationErrorKind::Intrinsic | EvaluationErrorKind::Query => failure(error),
    }
}

/// What a catcher sees of a failure.
fn error_output(failure: &Failure) -> Value {
    json!({"Error": &*failure.error, "Cause": &*failure.cause})
}
