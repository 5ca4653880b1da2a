//! Runs one state of a workflow alone, with a result or failure that stands in for its work.
//!
//! The state runs in an execution that nobody keeps, by the same `decide` and `apply` as any other:
//! only the place from which the work's result comes differs. A Parallel or Map does not run its
//! parts; a Map's items are worked out all the same, so that faults in them show.

mod error;
mod run;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::decide::probe::{Probe, Stage};
use super::event::{Event, Failure};
use super::id::Timestamp;
use super::limits::EngineLimits;
use super::program::Program;
use crate::language::model::{
    self, Pattern, QueryLanguage, Resource, Service, StateKind, StateName, Task,
};
use crate::language::{Json, State};

pub use error::TestError;
use run::{Bench, Outcome, Taken};

/// How much is told about what happened inside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum InspectionLevel {
    /// The outcome alone.
    #[default]
    Info,
    /// Also the data after each stage.
    Debug,
    /// Also the events that the engine decided on.
    Trace,
}

/// What a state is tested with.
#[derive(Debug, Clone)]
pub struct StateTest {
    /// Its name; it may stand in a nested machine.
    pub state: String,
    /// Its input.
    pub input: Json,
    /// The variables that it can see, by name without `$`.
    pub variables: BTreeMap<Arc<str>, Json>,
    /// Fields of the context object that stand in for those of the engine, as `Execution` or `Map`.
    pub context: Map<String, Value>,
    /// What a Task's worker, or the parts of a Parallel or Map, gave. The result of a Map is an
    /// array.
    pub mock: Option<Result<Json, Failure>>,
    /// How often the retrier that matches the mocked failure has already been used.
    pub retried: u32,
    /// What the reader of a distributed Map would read: an array or object.
    pub items_read: Option<Json>,
    /// How many items of a Map are to fail, although its result is mocked.
    pub failed_items: u32,
    /// How much is to be told.
    pub level: InspectionLevel,
    /// What time it is.
    pub now: Timestamp,
    /// Chance: feeds jitter, `$random()` and `$uuid()`.
    pub seed: u64,
}

impl StateTest {
    /// A test of the state called `state` with `input`, without variables, context or mock, at the
    /// beginning of 1970.
    #[must_use]
    pub fn new(state: impl Into<String>, input: Json) -> Self {
        Self {
            state: state.into(),
            input,
            variables: BTreeMap::new(),
            context: Map::new(),
            mock: None,
            retried: 0,
            items_read: None,
            failed_items: 0,
            level: InspectionLevel::Info,
            now: Timestamp(0),
            seed: 0,
        }
    }
}

/// How a tested state ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TestedStatus {
    /// It was left with its output.
    Succeeded,
    /// It failed, and nothing took the failure.
    Failed,
    /// It failed and would be tried again.
    Retriable,
    /// It failed, and a catcher took the failure.
    CaughtError,
}

/// What a test of a state gave. Serializes with the names that `TestState` of Step Functions has;
/// data is JSON, not text that holds JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestedState {
    /// How it ended.
    pub status: TestedStatus,
    /// Its output, when it succeeded or its failure was caught.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// The failure's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<str>>,
    /// The failure in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Arc<str>>,
    /// Where the machine goes on; none at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_state: Option<StateName>,
    /// The data after each stage, from level [`InspectionLevel::Debug`] on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspection_data: Option<Inspection>,
    /// What the engine would have recorded, at level [`InspectionLevel::Trace`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// The data after each stage that the state reached and that its type has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The state's input.
    pub input: Json,
    /// After `InputPath`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_input_path: Option<Json>,
    /// After `Parameters`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_parameters: Option<Json>,
    /// After `Arguments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_arguments: Option<Json>,
    /// A Map's items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_items_path: Option<Json>,
    /// What the state's work gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// After `ResultSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_result_selector: Option<Json>,
    /// After `ResultPath`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_result_path: Option<Json>,
    /// The variables after the state.
    pub variables: BTreeMap<Arc<str>, Json>,
    /// What took its failure.
    #[serde(skip_serializing_if = "ErrorDetails::is_empty")]
    pub error_details: ErrorDetails,
    /// How many parts of a Map may run at once; 0 is without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<Json>,
    /// How many items of a Map may fail, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerated_failure_count: Option<Json>,
    /// How many percent of them may, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerated_failure_percentage: Option<Json>,
}

/// What took the failure of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetails {
    /// Which catcher, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_index: Option<u32>,
    /// Which retrier, from 0, also one that has been used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_index: Option<u32>,
    /// After how many seconds it would be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_backoff_interval_seconds: Option<u64>,
}

impl ErrorDetails {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Runs one state of `program` alone.
///
/// # Errors
/// The test makes no sense: there is no such state, or the mock does not fit it. A state that fails
/// is no error, but a [`TestedStatus`].
pub fn test_state(
    program: &Program,
    test: &StateTest,
    limits: &EngineLimits,
) -> Result<TestedState, TestError> {
    let state = program
        .state(&test.state)
        .ok_or_else(|| TestError::UnknownState { state: test.state.clone() })?;
    check(state, test, limits)?;
    let program = &alone(program);
    let probe = Probe::new(state.name.clone(), test.context.clone());
    let (outcome, items) = match &state.kind {
        StateKind::Map(map) => with_items(program, state, map, test, limits, &probe)?,
        StateKind::Task(task) if task.resource.service == Service::Execution => {
            (with_mock(program, state, test, limits, &probe)?, None)
        }
        StateKind::Parallel { .. } => (with_mock(program, state, test, limits, &probe)?, None),
        StateKind::Pass { .. }
        | StateKind::Task(_)
        | StateKind::Choice(_)
        | StateKind::Wait(_)
        | StateKind::Succeed
        | StateKind::Fail { .. } => {
            (Bench::new(program, state, test, limits, &probe).run_to_end()?, None)
        }
    };
    Ok(told(state, test, outcome, items, probe))
}

/// Runs a Map up to its parts, and then with what stands in for those; also gives its items.
fn with_items(
    program: &Program,
    state: &State,
    map: &model::Map,
    test: &StateTest,
    limits: &EngineLimits,
    probe: &Probe,
) -> Result<(Outcome, Option<Json>), TestError> {
    // What a reader would read is not known.
    if has_reader(map) && test.items_read.is_none() {
        return match test.failed_items {
            0 => Ok((with_mock(program, state, test, limits, probe)?, None)),
            _ => Err(TestError::NeedsItems),
        };
    }
    let forked = match Bench::new(program, state, test, limits, probe).run_until_forked()? {
        Taken::Ended(outcome) => return Ok((outcome, None)),
        Taken::Forked(forked) => forked,
    };
    let (failed, total) = (test.failed_items, forked.count);
    if failed > total {
        return Err(TestError::TooManyFail { failed, total });
    }
    let outcome = if failed > forked.tolerated {
        let cause = "The specified tolerated failure threshold was exceeded";
        let failure = Failure::new("States.ExceedToleratedFailureThreshold", cause);
        let test = StateTest { mock: Some(Err(failure)), ..test.clone() };
        with_mock(program, state, &test, limits, probe)?
    } else {
        with_mock(program, state, test, limits, probe)?
    };
    Ok((outcome, Some(forked.items)))
}

/// A mock takes the place of work, and only of work.
fn check(state: &State, test: &StateTest, limits: &EngineLimits) -> Result<(), TestError> {
    let type_name = state.kind.type_name();
    match (&test.mock, works(state)) {
        (None, true) => return Err(TestError::NeedsMock { type_name }),
        (Some(_), false) => return Err(TestError::TakesNoMock { type_name }),
        (Some(Ok(result)), true)
            if matches!(state.kind, StateKind::Map(_)) && !result.as_str().starts_with('[') =>
        {
            return Err(TestError::MockIsNoArray);
        }
        _ => {}
    }
    let (bytes, limit) = (test.input.len_bytes(), limits.payload_bytes);
    if bytes > limit { Err(TestError::TooLarge { bytes, limit }) } else { Ok(()) }
}

/// The program without what runs when an execution is over: a state that is tested alone has no
/// execution around it.
fn alone(program: &Program) -> Program {
    let mut workflow = program.workflow.clone();
    (workflow.on_cancel, workflow.summary) = (None, None);
    workflow.states.values_mut().for_each(|state| state.cleanup = None);
    Program::new(workflow)
}

fn has_reader(map: &model::Map) -> bool {
    map.distributed.as_ref().is_some_and(|distributed| distributed.reader.is_some())
}

fn works(state: &State) -> bool {
    matches!(state.kind, StateKind::Task(_) | StateKind::Parallel { .. } | StateKind::Map(_))
}

/// Runs the state as if its parts were one job: what comes before and after the work is the same.
fn with_mock(
    program: &Program,
    state: &State,
    test: &StateTest,
    limits: &EngineLimits,
    probe: &Probe,
) -> Result<Outcome, TestError> {
    let mut workflow = program.workflow.clone();
    if let Some(state) = workflow.states.get_mut(&state.name) {
        let service = Service::Job("mock".into());
        let pattern = match &state.kind {
            // It may read its token.
            StateKind::Task(task) if task.resource.pattern == Pattern::Callback => {
                Pattern::Callback
            }
            _ => Pattern::Response,
        };
        let resource = Resource { raw: "mock".to_owned(), service, pattern };
        state.kind = StateKind::Task(Task { resource, timeout: None, heartbeat: None });
    }
    let program = Program::new(workflow);
    Bench::new(&program, state, test, limits, probe).run_to_end()
}

/// What is told at the level that was asked for.
fn told(
    state: &State,
    test: &StateTest,
    outcome: Outcome,
    items: Option<Json>,
    probe: Probe,
) -> TestedState {
    let mut stages = probe.stages();
    keep_those_of_the_type(state, test, &mut stages);
    let mut take = |stage| stages.remove(&stage);
    let inspection = Inspection {
        input: test.input.clone(),
        after_input_path: take(Stage::AfterInputPath),
        after_parameters: take(Stage::AfterParameters),
        after_arguments: take(Stage::AfterArguments),
        after_items_path: items,
        result: take(Stage::Result),
        after_result_selector: take(Stage::AfterResultSelector),
        after_result_path: take(Stage::AfterResultPath),
        variables: outcome.variables,
        error_details: outcome.taken_by,
        max_concurrency: take(Stage::MaxConcurrency),
        tolerated_failure_count: take(Stage::ToleratedFailureCount),
        tolerated_failure_percentage: take(Stage::ToleratedFailurePercentage),
    };
    let (error, cause) = outcome.failure.map(|failure| (failure.error, failure.cause)).unzip();
    TestedState {
        status: outcome.status,
        output: outcome.output,
        error,
        cause,
        next_state: outcome.next,
        inspection_data: (test.level >= InspectionLevel::Debug).then_some(inspection),
        events: if test.level >= InspectionLevel::Trace { outcome.events } else { Vec::new() },
    }
}

/// Drops stages that the engine passes through although the state's type has no field for them.
fn keep_those_of_the_type(state: &State, test: &StateTest, stages: &mut BTreeMap<Stage, Json>) {
    match &state.kind {
        StateKind::Pass { .. } | StateKind::Task(_) | StateKind::Parallel { .. } => {}
        StateKind::Map(_) => {
            stages.remove(&Stage::AfterParameters);
        }
        StateKind::Choice(_) | StateKind::Wait(_) | StateKind::Succeed => {
            stages.retain(|stage, _| *stage == Stage::AfterInputPath);
        }
        StateKind::Fail { .. } => {
            // It has no InputPath: what would come after it is the input.
            if state.query_language() == QueryLanguage::JsonPath {
                stages.insert(Stage::AfterInputPath, test.input.clone());
            }
        }
    }
}
