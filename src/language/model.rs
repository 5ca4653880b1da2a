//! The parsed form of a definition: what the engine runs.
//!
//! A [`Workflow`] comes out of [`crate::language::parse`] and is valid by construction: every
//! `Next` names a state of the same machine, every expression is parsed, every number is in range.
//! Names of states are unique across the whole definition, as the Step Functions service demands,
//! so that one flat table holds them all.

use std::sync::Arc;

use indexmap::IndexMap;

use super::choice::Condition;
use super::distributed::Distributed;
use super::expression::{Expression, ReferencePath, Template};
use super::json::Json;
use super::machine_fields::{Concurrency, JobTypes, Labels};

/// The name of a state.
pub type StateName = Arc<str>;

/// The content hash of a definition: SHA-256 of its canonical JSON text.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct DefinitionHash(pub [u8; 32]);

/// A definition, ready to run.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// The content hash of `source`.
    pub hash: DefinitionHash,
    /// The definition as canonical JSON text: what the log keeps.
    pub source: Json,
    /// `Comment` of the machine.
    pub comment: Option<String>,
    /// Extension `Title`: the workflow's name for people.
    pub title: Option<String>,
    /// `TimeoutSeconds` of the machine.
    pub timeout_seconds: Option<u64>,
    /// Extension `Concurrency`: how many of its executions may run at once.
    pub concurrency: Option<Concurrency>,
    /// Extension `Labels`.
    pub labels: Labels,
    /// Extension `JobTypes`: what people call its job types and what they count.
    pub job_type_words: JobTypes,
    /// Extension `OnCancel`: the state that runs before an execution is cancelled.
    pub on_cancel: Option<StateName>,
    /// Extension `CleanupTimeoutSeconds`: how long all clean-up together may take.
    pub cleanup_timeout_seconds: u64,
    /// Extension `Summary`: what is told of an execution that has ended.
    pub summary: Option<Template>,
    /// The outermost machine.
    pub root: Machine,
    /// Every state of every machine, nested ones included, in the order of the text.
    pub states: IndexMap<StateName, State>,
}

/// How long all clean-up of an execution may take when the definition does not say.
pub const DEFAULT_CLEANUP_SECONDS: u64 = 300;

impl Workflow {
    /// The state called `name`, in whichever machine it stands.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.get(name)
    }

    /// The job types that Task states name, each once, in the order of the text.
    #[must_use]
    pub fn job_types(&self) -> Vec<Arc<str>> {
        job_types_of(self.states.values())
    }
}

/// The job types that these states name, each once.
pub(super) fn job_types_of<'s>(states: impl Iterator<Item = &'s State>) -> Vec<Arc<str>> {
    let mut types: Vec<Arc<str>> = Vec::new();
    for state in states {
        if let StateKind::Task(task) = &state.kind
            && let Service::Job(job_type) = &task.resource.service
            && !types.contains(job_type)
        {
            types.push(job_type.clone());
        }
    }
    types
}

/// A set of states with an entrance: the outermost machine, a branch, a Map's processor.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `StartAt`.
    pub start_at: StateName,
    /// The names of its own states, in the order of the text; the states are in
    /// [`Workflow::states`].
    pub states: Vec<StateName>,
}

/// `QueryLanguage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryLanguage {
    /// Paths, payload templates and intrinsic functions.
    JsonPath,
    /// `{% %}` expressions.
    Jsonata,
}

/// One state.
#[derive(Debug, Clone)]
pub struct State {
    /// Its name, unique in the definition.
    pub name: StateName,
    /// `Comment`.
    pub comment: Option<String>,
    /// Extension `Title`: its name for people.
    pub title: Option<String>,
    /// Extension `Weight`: its share of progress, 0 hides the step. Default 1; 0 for states that only
    /// clean up.
    pub weight: f64,
    /// Extension `Cleanup`: the state that undoes this one when the execution does not reach its end.
    pub cleanup: Option<StateName>,
    /// Whether nothing but `Cleanup` and `OnCancel` leads to it.
    pub cleans_up: bool,
    /// How data flows through it.
    pub flow: Flow,
    /// What it does.
    pub kind: StateKind,
    /// Where it leads. [`Transition::End`] for Succeed and Fail; for Choice the rules say.
    pub transition: Transition,
    /// `Retry`, in order.
    pub retry: Vec<Retrier>,
    /// `Catch`, in order.
    pub catch: Vec<Catcher>,
}

impl State {
    /// Which language its expressions are written in.
    #[must_use]
    pub fn query_language(&self) -> QueryLanguage {
        match self.flow {
            Flow::JsonPath(_) => QueryLanguage::JsonPath,
            Flow::Jsonata(_) => QueryLanguage::Jsonata,
        }
    }
}

/// `Next` or `End`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// `Next`: the name of a state of the same machine.
    Next(StateName),
    /// `"End": true`.
    End,
}

/// How data flows through a state. Fields that the state's type does not allow are absent.
#[derive(Debug, Clone)]
pub enum Flow {
    /// InputPath, Parameters, ResultSelector, ResultPath, OutputPath, Assign.
    JsonPath(JsonPathFlow),
    /// Arguments, Output, Assign.
    Jsonata(JsonataFlow),
}

impl Flow {
    /// `Assign`: variables and their values.
    #[must_use]
    pub fn assign(&self) -> &[(Arc<str>, Template)] {
        match self {
            Self::JsonPath(JsonPathFlow { assign, .. })
            | Self::Jsonata(JsonataFlow { assign, .. }) => assign,
        }
    }
}

/// The five stages of a JSONPath state, and its assignments.
#[derive(Debug, Clone, Default)]
pub struct JsonPathFlow {
    /// `InputPath`.
    pub input_path: Selection,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `OutputPath`.
    pub output_path: Selection,
    /// `Assign`: every value sees the variables as they were before.
    pub assign: Vec<(Arc<str>, Template)>,
}

/// The two stages of a JSONata state, and its assignments.
#[derive(Debug, Clone, Default)]
pub struct JsonataFlow {
    /// `Arguments`.
    pub arguments: Option<Template>,
    /// `Output`.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Vec<(Arc<str>, Template)>,
}

/// The value of `InputPath` or `OutputPath`.
#[derive(Debug, Clone, Default)]
pub enum Selection {
    /// Absent, or `$`.
    #[default]
    Whole,
    /// `null`: the empty object.
    Nothing,
    /// A path, which may start at the context (`$$.`) or at a variable (`$name`).
    Path(Expression),
}

/// The value of `ResultPath`.
#[derive(Debug, Clone, Default)]
pub enum ResultPath {
    /// Absent, or `$`: the result replaces the input.
    #[default]
    Whole,
    /// `null`: the result is dropped and the input kept.
    Discard,
    /// The result is written into the input here.
    At(ReferencePath),
}

/// What a state does.
#[derive(Debug, Clone)]
pub enum StateKind {
    /// Passes its input on, or a fixed `Result` (JSONPath only).
    Pass {
        /// `Result`.
        result: Option<Json>,
    },
    /// Hands work to a worker.
    Task(Task),
    /// Chooses the next state.
    Choice(Choice),
    /// Waits for a time.
    Wait(Wait),
    /// Ends its machine with success.
    Succeed,
    /// Ends its machine with an error.
    Fail {
        /// `Error` or `ErrorPath`.
        error: Option<Template>,
        /// `Cause` or `CausePath`.
        cause: Option<Template>,
    },
    /// Runs branches side by side.
    Parallel {
        /// `Branches`.
        branches: Vec<Machine>,
    },
    /// Runs one machine for each item.
    Map(Box<Map>),
}

impl StateKind {
    /// The value of `Type` in a definition.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "Pass",
            Self::Task(_) => "Task",
            Self::Choice(_) => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
            Self::Parallel { .. } => "Parallel",
            Self::Map(_) => "Map",
        }
    }
}

/// What a Task state asks for.
#[derive(Debug, Clone)]
pub struct Task {
    /// `Resource`.
    pub resource: Resource,
    /// `TimeoutSeconds` or `TimeoutSecondsPath`: how long one attempt may run.
    pub timeout: Option<Number>,
    /// `HeartbeatSeconds` or `HeartbeatSecondsPath`: how long a worker may be silent.
    pub heartbeat: Option<Number>,
}

/// The value of a Task's `Resource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// As written.
    pub raw: String,
    /// Who does the work.
    pub service: Service,
    /// When the work is done.
    pub pattern: Pattern,
}

impl Resource {
    /// What AWS calls the work in messages: of a service integration the service alone, as `lambda`;
    /// any other resource as it is written.
    #[must_use]
    pub fn short_name(&self) -> &str {
        let parts: Vec<&str> = self.raw.split(':').collect();
        match parts.as_slice() {
            ["arn", _, "states", "", "", service, _, ..] => service,
            _ => &self.raw,
        }
    }
}

/// The beginning of job types that the program serves itself; no definition may name one.
pub const RESERVED_JOB_TYPES: &str = "everstep:";

/// Who does the work of a Task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// A worker of this job type: the bare name, or what an ARN names.
    Job(Arc<str>),
    /// An execution of a workflow: `states:startExecution`.
    Execution,
}

impl Service {
    /// The name for people: the job type, or `states:startExecution`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Job(job_type) => job_type,
            Self::Execution => "states:startExecution",
        }
    }
}

/// When the work of a Task is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// When the worker says so; an execution, as soon as it has begun.
    Response,
    /// `.waitForTaskToken`: when whoever has the token says so.
    Callback,
    /// `.sync`, of an execution: when it has ended. Its output is given as a text.
    SyncText,
    /// `.sync:2`, of an execution: when it has ended. Its output is given as JSON.
    SyncJson,
}

/// A number, fixed or computed when the state is entered; most are whole.
#[derive(Debug, Clone)]
pub enum Number<T = u64> {
    /// As written.
    Fixed(T),
    /// A path or JSONata expression.
    Computed(Expression),
}

/// The rules of a Choice state.
#[derive(Debug, Clone)]
pub struct Choice {
    /// `Choices`, in order.
    pub rules: Vec<ChoiceRule>,
    /// `Default`.
    pub default: Option<StateName>,
}

/// One rule of a Choice state.
#[derive(Debug, Clone)]
pub struct ChoiceRule {
    /// When it holds.
    pub condition: Condition,
    /// `Next`.
    pub next: StateName,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Vec<(Arc<str>, Template)>,
    /// `Comment`: why the steps are skipped that this rule leads past.
    pub comment: Option<Arc<str>>,
}

/// How long a Wait state waits.
#[derive(Debug, Clone)]
pub enum Wait {
    /// `Seconds` or `SecondsPath`.
    Seconds(Number),
    /// `Timestamp` or `TimestampPath`: gives an RFC 3339 text.
    Until(Template),
}

/// A Map state.
#[derive(Debug, Clone)]
pub struct Map {
    /// `ItemProcessor` (or the old `Iterator`).
    pub processor: Machine,
    /// `ItemsPath` or `Items`; absent: the state's input is the array.
    pub items: Option<Template>,
    /// `ItemSelector` (or the old `Parameters`).
    pub item_selector: Option<Template>,
    /// `ItemBatcher`.
    pub batcher: Option<Batcher>,
    /// `MaxConcurrency` or `MaxConcurrencyPath`; 0 is without a limit of its own.
    pub max_concurrency: Number,
    /// `ToleratedFailureCount` or its Path form.
    pub tolerated_failure_count: Option<Number>,
    /// `ToleratedFailurePercentage` or its Path form.
    pub tolerated_failure_percentage: Option<Number<f64>>,
    /// Extension `CountErrors` is not `ignore`: failures that are tolerated count as warnings.
    pub counts_errors: bool,
    /// Set when each item or batch is an execution of its own.
    pub distributed: Option<Box<Distributed>>,
}

/// `ItemBatcher`: items handed to the processor in groups, as `{"Items": [...], "BatchInput": …}`.
#[derive(Debug, Clone)]
pub struct Batcher {
    /// `MaxItemsPerBatch` or its Path form.
    pub max_items: Option<Number>,
    /// `MaxInputBytesPerBatch` or its Path form.
    pub max_bytes: Option<Number>,
    /// `BatchInput`, evaluated once on the Map's input.
    pub input: Option<Template>,
}

/// One entry of `Retry`.
#[derive(Debug, Clone)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub error_equals: Vec<String>,
    /// `IntervalSeconds`, default 1.
    pub interval_seconds: u64,
    /// `MaxAttempts`, default 3; 0 is never.
    pub max_attempts: u32,
    /// `BackoffRate`, default 2, at least 1.
    pub backoff_rate: f64,
    /// `MaxDelaySeconds`.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy` is `FULL`.
    pub full_jitter: bool,
}

/// One entry of `Catch`.
#[derive(Debug, Clone)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub error_equals: Vec<String>,
    /// `Next`.
    pub next: StateName,
    /// `ResultPath` (JSONPath).
    pub result_path: ResultPath,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Vec<(Arc<str>, Template)>,
    /// Extension `CountErrors` is not `ignore`: what is caught counts as a warning.
    pub counts_errors: bool,
}

impl std::fmt::Debug for DefinitionHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Lower-case hexadecimal, 64 digits.
impl std::fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
